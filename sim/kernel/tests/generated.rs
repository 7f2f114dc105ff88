//! Generated scenarios and interleavings: model and straight-line code agree on each. What fails is
//! shrunk to the smallest scenario, not only to the smallest number.

mod common;

use std::sync::{Arc, Mutex};

use common::{follow, outcomes};
use kmodcheck_model::{Model, Scenario};
use kmodcheck_properties::generate;
use kmodcheck_runtime::{Scheduler, draw};
use kmodcheck_sim_kernel::{Fault, run};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

const EXECUTIONS: usize = 12;

/// The first difference that drawn runs show.
fn difference(scenario: &Scenario, seed: u64, fault: Option<Fault>) -> Option<String> {
    let model = Arc::new(Model::new(scenario.clone(), None).expect("well formed"));
    let expected = Arc::new(outcomes(&model));
    let scenario = Arc::new(scenario.clone());
    let found: Arc<Mutex<Option<String>>> = Arc::default();
    for scheduler in [Scheduler::Random, Scheduler::Pct { depth: 3 }] {
        let (model, expected, scenario, found) =
            (Arc::clone(&model), Arc::clone(&expected), Arc::clone(&scenario), Arc::clone(&found));
        draw(scheduler, seed, EXECUTIONS, move |rt| {
            let (model, expected, into) =
                (Arc::clone(&model), Arc::clone(&expected), Arc::clone(&found));
            run(rt, &scenario, fault, move |run| {
                let difference = match follow(&model, &run) {
                    Ok(outcome) if expected.contains(&outcome) => None,
                    Ok(outcome) => Some(format!("it comes to {outcome:?}")),
                    Err(refused) => Some(format!("{refused:?}")),
                };
                let mut into = into.lock().unwrap();
                *into = into.take().or(difference);
            });
            found.lock().unwrap().is_some()
        });
    }
    found.lock().unwrap().clone()
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() }
}

#[test]
fn generated_scenarios_agree() {
    let mut runner = TestRunner::new_with_rng(
        config(150),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let result = runner.run(&(generate::scenarios(3), any::<u64>()), |(scenario, seed)| {
        match difference(&scenario, seed, None) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A deliberate fault is found by generated scenarios, too, and shrunk to one that has no more in it
/// than the fault needs: a module, two callers, no environment.
#[test]
fn what_disagrees_is_shrunk_to_the_smallest_scenario() {
    let mut runner = TestRunner::new_with_rng(
        config(400),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let result = runner.run(&generate::scenarios(3), |scenario| {
        match difference(&scenario, 1, Some(Fault::NoWaitForForming)) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    });
    let Err(TestError::Fail(_, scenario)) = result else { panic!("not found: {result:?}") };
    println!("{scenario:?}");
    assert_eq!(scenario.modules.len(), 1);
    assert!(scenario.processes() <= 2, "{}", scenario.processes());
    assert_eq!((scenario.limit, scenario.timeouts), (None, false));
}
