//! Generated scenarios and interleavings: model and straight-line code agree on each, and so do a
//! property and what is said of it once more from the log alone. What fails is shrunk to the smallest
//! scenario, not only to the smallest number.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use crate::common::{a_modprobe_lied, follow, outcomes_within};
use crate::sample::sample;
use kmodcheck_model::features::Program;
use kmodcheck_model::{Model, Scenario};
use kmodcheck_properties::Property;
use kmodcheck_properties::generate::{self, Space};
use kmodcheck_runtime::{Runtime, Scheduler, draw};
use kmodcheck_sim_kernel::{Fault, run};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

const EXECUTIONS: usize = 12;

/// What the runs of a scenario are drawn from when it is shrunk.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=4;

/// States of the model up to which a scenario is compared.
const STATES: usize = 20_000;

/// The first difference that drawn runs show; `None` if the scenario is too large to be compared.
fn difference(scenario: &Scenario, seed: u64, fault: Option<Fault>) -> Option<Option<String>> {
    let model = Arc::new(Model::new(scenario.clone(), None).expect("well formed"));
    let expected = Arc::new(outcomes_within(&model, STATES)?);
    let scenario = Arc::new(scenario.clone());
    let found: Arc<Mutex<Option<String>>> = Arc::default();
    for scheduler in [Scheduler::Random, Scheduler::Pct { depth: 3 }] {
        let (model, expected, scenario, found) =
            (Arc::clone(&model), Arc::clone(&expected), Arc::clone(&scenario), Arc::clone(&found));
        draw(scheduler, seed, EXECUTIONS, move |rt| {
            let (model, expected, into) =
                (Arc::clone(&model), Arc::clone(&expected), Arc::clone(&found));
            let named = Arc::clone(&scenario);
            // Shuttle's PCT refuses a run in which nobody ever has a choice of whom to run next.
            let idle = [rt.spawn(|| ()), rt.spawn(|| ())];
            run(rt, &scenario, fault, move |run| {
                let difference = match follow(&model, &run) {
                    Ok(outcome) if !expected.contains(&outcome) => {
                        Some(format!("it comes to {outcome:?}"))
                    }
                    Ok((_, bits)) => {
                        let violated = bits >> Property::ModprobeTellsTheTruth as u64 & 1 != 0;
                        let lied = a_modprobe_lied(&named, &run);
                        (violated != lied).then(|| {
                            format!("a modprobe lied: {lied}, and the property says {violated}")
                        })
                    }
                    Err(refused) => Some(format!("{refused:?}")),
                };
                let mut into = into.lock().unwrap();
                *into = into.take().or(difference);
            });
            idle.into_iter().for_each(|thread| rt.join(thread));
            found.lock().unwrap().is_some()
        });
    }
    let found = found.lock().unwrap().clone();
    Some(found)
}

fn runner(cases: u32) -> TestRunner {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn generated_scenarios_agree() {
    let compared = Cell::new(0);
    let scenarios = generate::scenarios(3);
    // More, in place of these, for a machine that has the time.
    let cases = std::env::var("KMODCHECK_CASES")
        .map_or(sample(30, 250).seeds().end as u32, |cases| cases.parse().expect("a number"));
    let result =
        runner(cases).run(&(scenarios, any::<u64>()), |(scenario, seed)| {
            match difference(&scenario, seed, None) {
                None => Ok(()),
                Some(None) => {
                    compared.set(compared.get() + 1);
                    Ok(())
                }
                Some(Some(difference)) => Err(TestCaseError::fail(difference)),
            }
        });
    if let Err(error) = result {
        panic!("{error}");
    }
    println!("{} scenarios compared", compared.get());
    assert!(compared.get() >= cases * 4 / 5, "{} are too few to say anything", compared.get());
}

/// The smallest scenario on which the two descriptions differ, one of them with a deliberate fault.
fn smallest(fault: Fault, space: &Space, cases: u32) -> Scenario {
    let scenarios = generate::files_of(space).prop_map(|generated| generated.scenario);
    let result = runner(cases).run(&scenarios, |scenario| {
        // A smaller scenario is passed over if none of its runs shows it: these are drawn, so more than once.
        match SEEDS.into_iter().find_map(|seed| difference(&scenario, seed, Some(fault))?) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    });
    let Err(TestError::Fail(why, scenario)) = result else { panic!("not found: {result:?}") };
    println!("{why}: {scenario:?}");
    scenario
}

/// A deliberate fault is found by generated scenarios, too, and shrunk to one that has no more in it
/// than the fault needs: a module, two callers, no environment.
#[test]
fn what_disagrees_is_shrunk_to_the_smallest_scenario() {
    // To the oldest kmod what is COMING is loaded, and few of its runs show it.
    let space = Space { kmods: vec!["v20"], ..Space::of(3) };
    let scenario = smallest(Fault::NoWaitForForming, &space, 400);
    assert_eq!(scenario.modules.len(), 1);
    assert!(scenario.processes() <= 2, "{}", scenario.processes());
    assert_eq!((scenario.limit, scenario.timeouts), (None, false));
}

/// Faults that take several words and switches together: generated scenarios have these. Of one kernel,
/// so that it takes fewer of them.
#[test]
fn faults_that_take_several_words_together_are_found() {
    let on = |kernel| Space { kernels: vec![kernel], ..Space::of(3) };
    let early = smallest(Fault::EarlyCheckPassesGoing, &on("v6.5"), 400);
    let kmod = &early.features.kmod;
    let unpacks = kmod.unpacks_itself || kmod.modprobe != Program::Kmod;
    assert!(early.modules.iter().any(|m| m.compressed) && unpacks, "{early:?}");
    let dups = smallest(Fault::OneCompletionForAllNames, &on("v6.5+dup"), 400);
    assert!(dups.names.len() > 1);
}
