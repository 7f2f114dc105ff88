//! The race between two callers of one module, in straight-line code: found by loom, which looks at
//! every interleaving, by shuttle, which draws some, and not to be found by threads that just run.

use std::sync::{Arc, Mutex};

use crate::common::{follow, outcomes, under_loom};
use crate::sample::sample;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures};
use kmodcheck_model::{Model, Ret, Scenario};
use kmodcheck_properties::Property;
use kmodcheck_runtime::{LoomOptions, Scheduler, Threads, draw, replay};
use kmodcheck_sim_kernel::{Returned, run};

const FALSE_SUCCESS: u64 = 1 << Property::NoFalseSuccess as u64;
const NULL: Returned = Returned::Ret(Ret::Null);

fn race(naming: Naming, kmod: KmodFeatures, callers: u8) -> Scenario {
    let features = Features { kernel: KernelFeatures::V4_9, kmod };
    scenario(naming, Environment::Ok, features, callers)
}

/// Everything that two callers can come to, from every interleaving; compared with the model.
fn everything(
    naming: Naming,
    kmod: KmodFeatures,
) -> std::collections::BTreeSet<crate::common::Outcome> {
    let scenario = race(naming, kmod, 2);
    let mut options = LoomOptions::default();
    // It takes a minute, so only where everything is asked for: of two, any sample is less than all.
    let exhaustive = sample(0, 2).is_whole();
    if !exhaustive {
        // Enough to come to everything, here.
        options.preemption_bound = Some(3);
    }
    let (explored, found) = under_loom(&scenario, None, options);
    println!("{}: {explored}", scenario.name);
    assert_eq!(explored.exhaustive(), exhaustive);
    assert_eq!(found, outcomes(&Model::new(scenario, None).unwrap()));
    found
}

#[test]
fn loom_finds_the_false_success_of_v19() {
    let found = everything(Naming::Plain, KmodFeatures::V19);
    assert!(found.iter().any(|(_, violated)| violated & FALSE_SUCCESS != 0));
}

#[test]
fn loom_finds_no_false_success_of_v20() {
    let found = everything(Naming::Plain, KmodFeatures::V20);
    assert!(found.iter().all(|(_, violated)| violated & FALSE_SUCCESS == 0));
}

/// What two callers of `get_fs_type()` come to with at most so many preemptions: part of what the
/// model's come to.
fn with_preemptions(
    kmod: KmodFeatures,
    bound: usize,
) -> std::collections::BTreeSet<crate::common::Outcome> {
    let scenario = race(Naming::FsAndModule, kmod, 2);
    let options = LoomOptions { preemption_bound: Some(bound), max_executions: None };
    let (explored, found) = under_loom(&scenario, None, options);
    let all = outcomes(&Model::new(scenario.clone(), None).unwrap());
    println!("{}: {explored}: {} of {} outcomes", scenario.name, found.len(), all.len());
    assert!(!explored.exhaustive());
    assert!(found.is_subset(&all));
    found
}

#[test]
fn loom_finds_that_get_fs_type_returns_null_with_v19() {
    let found = with_preemptions(KmodFeatures::V19, 3);
    assert!(found.iter().any(|(returned, _)| returned.contains(&NULL)));
}

#[test]
fn loom_finds_no_get_fs_type_that_returns_null_with_v20() {
    let found = with_preemptions(KmodFeatures::V20, 3);
    assert!(!found.iter().any(|(returned, _)| returned.contains(&NULL)));
}

/// Whether a run of the race violates 'no false success'; panics if it is none of the model's.
fn shuttle_run(scenario: &Scenario) -> impl Fn(&kmodcheck_runtime::Shuttle) -> bool + use<> {
    let model = Arc::new(Model::new(scenario.clone(), None).unwrap());
    let scenario = Arc::new(scenario.clone());
    move |rt| {
        let violated = Arc::new(Mutex::new(0));
        let (into, model) = (Arc::clone(&violated), Arc::clone(&model));
        run(rt, &scenario, None, move |run| {
            *into.lock().unwrap() = follow(&model, &run).unwrap().1;
        });
        let violated = *violated.lock().unwrap();
        violated & FALSE_SUCCESS != 0
    }
}

#[test]
fn shuttle_finds_the_false_success_of_v19_and_replays_it() {
    for callers in [2, 3, 4] {
        let scenario = race(Naming::Plain, KmodFeatures::V19, callers);
        let drawn = draw(Scheduler::Random, 1, 10_000, shuttle_run(&scenario));
        println!("{callers} callers, random: found at execution {}", drawn.executions);
        let schedule = drawn.ended_by.expect("found");
        let saved: kmodcheck_runtime::Schedule = schedule.to_string().parse().unwrap();
        assert_eq!(saved, schedule);
        assert!(replay(&saved, shuttle_run(&scenario)));
    }
}

#[test]
fn shuttle_finds_no_false_success_of_v20() {
    let scenario = race(Naming::Plain, KmodFeatures::V20, 3);
    let executions = sample(1_000, 10_000).seeds().end as usize;
    let drawn = draw(Scheduler::Random, 1, executions, shuttle_run(&scenario));
    assert_eq!((drawn.executions, drawn.ended_by), (executions as u64, None));
}

#[test]
fn what_threads_do_is_a_behaviour_of_the_model() {
    for kmod in [KmodFeatures::V19, KmodFeatures::V20] {
        let scenario = race(Naming::FsAndModule, kmod, 4);
        let model = Arc::new(Model::new(scenario.clone(), None).unwrap());
        let scenario = Arc::new(scenario);
        for seed in 0..200 {
            let model = Arc::clone(&model);
            run(&Threads { seed }, &scenario, None, move |run| {
                follow(&model, &run).unwrap();
            });
        }
    }
}
