//! Generated scenarios for the explorer: exchanging interchangeable callers changes no verdict, and no
//! shortest trace's length.

use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::{Model, Scenario};
use kmodcheck_properties::generate;
use kmodcheck_properties::{Property, Report, Verdict, check};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn explored(model: &Model, symmetry: bool) -> Report {
    let limits = Limits { states: Some(150_000), ..Limits::default() };
    check(model, &Options { symmetry, limits, ..Options::default() }).expect("it fits")
}

/// What a verdict says, without the trace that shows it: which of several shortest ones that is may
/// depend on how states are counted.
fn said(report: &Report) -> Vec<(Property, String)> {
    let says = |verdict: &Verdict| match verdict {
        Verdict::Violated(trace) => format!("violated in {} steps", trace.len()),
        Verdict::Holds { premise_met } => format!("holds, premise met: {premise_met}"),
        other => format!("{other:?}"),
    };
    report.answers.iter().map(|answer| (answer.property, says(&answer.verdict))).collect()
}

#[test]
fn symmetry_changes_no_verdict() {
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut compared = 0;
    let compared_in = std::cell::Cell::new(0);
    let result =
        TestRunner::new_with_rng(config, rng).run(&generate::scenarios(3), |scenario: Scenario| {
            let model = Model::new(scenario, None).expect("well formed");
            let (plain, symmetric) = (explored(&model, false), explored(&model, true));
            if plain.end != End::Complete || symmetric.end != End::Complete {
                return Ok(());
            }
            compared_in.set(compared_in.get() + 1);
            prop_assert_eq!(said(&plain), said(&symmetric));
            prop_assert!(symmetric.states <= plain.states);
            Ok(())
        });
    if let Err(error) = result {
        panic!("{error}");
    }
    compared += compared_in.get();
    println!("{compared} scenarios compared");
    assert!(compared >= 40, "{compared} are too few to say anything");
}
