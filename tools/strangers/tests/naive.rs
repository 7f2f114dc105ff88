//! The program says of a file what our explorer does: states, transitions, and the steps of each shortest
//! counterexample; and of what is no file, that.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::scenario_file;
use serde_json::Value;

fn naive(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_naive")).args(arguments).output().expect("it was built")
}

/// Of a recorded scenario, by property, how many steps there are to its violation. (Of more than some thousand states the
/// program does not say who sleeps.)
fn agreed(file: &str) -> BTreeMap<&'static str, Option<usize>> {
    let file = format!("{}/../../properties/scenarios/{file}", env!("CARGO_MANIFEST_DIR"));
    let output = naive(&[&file]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");

    let text = std::fs::read_to_string(&file).expect("it is there");
    let names = Property::ALL.map(Property::name);
    let loaded = scenario_file::load(&file, &text, &names).expect("well formed");
    let model = Model::new(loaded.scenario, None).expect("it fits");
    let report = check_all(&model, &Options::default()).expect("it is small");
    assert_eq!(
        (&said["states"], &said["transitions"]),
        (&report.states.into(), &report.transitions.into())
    );
    let steps = |verdict: &Verdict| match verdict {
        Verdict::Violated(trace) => Some(Some(trace.len())),
        Verdict::Holds { .. } => Some(None),
        _ => None,
    };
    let answers = report.answers.iter();
    let found = answers.filter_map(|a| Some((a.property.name(), steps(&a.verdict)?))).collect();
    assert_eq!(said["nearest"], serde_json::to_value(&found).expect("plain"));
    found
}

#[test]
fn it_says_what_the_explorer_says() {
    let race = agreed("v19-race.toml");
    assert!(race["no-false-success"].is_some() && race["nobody-sleeps-for-ever"].is_none());
    assert!(agreed("self-request.toml")["nobody-sleeps-for-ever"].is_some());
}

#[test]
fn what_is_no_file_is_an_error() {
    for (arguments, expected) in
        [(&[][..], "expected one scenario file"), (&["/nowhere.toml"], "/nowhere.toml: ")]
    {
        let output = naive(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected), "{error}");
    }
}
