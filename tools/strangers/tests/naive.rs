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

/// The race. (Of more than some thousand states it is not asked who sleeps.)
const RACE: &str = r#"
name = "race"
[features]
kernel = "v4.9"
kmod = "v19"
[[module]]
name = "ext4"
aliases = ["fs-ext4"]
[[actor]]
call = "get_fs_type"
name = "ext4"
count = 2
"#;

fn naive(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_naive")).args(arguments).output().expect("it was built")
}

#[test]
fn it_says_what_the_explorer_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("race.toml");
    std::fs::write(&file, RACE).expect("it is written");
    let output = naive(&[file.to_str().expect("a name")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");

    let loaded = scenario_file::load("race", RACE, &[]).expect("well formed");
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
    let found: BTreeMap<&str, Option<usize>> = report
        .answers
        .iter()
        .filter_map(|answer| Some((answer.property.name(), steps(&answer.verdict)?)))
        .collect();
    assert_eq!(said["nearest"], serde_json::to_value(&found).expect("plain"));
    // There is something to be found, and something that holds.
    assert!(found[Property::NoFalseSuccess.name()].is_some());
    assert!(found.values().any(Option::is_none));
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
