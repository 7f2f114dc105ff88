//! The log of a run as text (`kmodcheck accept LOG --format events`), judged by the acceptor for logs
//! from anywhere: it says what following the run event by event says.

use std::sync::{Arc, Mutex};

use crate::common::follow;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::{Event, Model, Scenario, presets};
use kmodcheck_runtime::{Scheduler, draw};
use kmodcheck_sim::trace::accept::Verdict;
use kmodcheck_sim::trace::events::{EventLine, EventLog};
use kmodcheck_sim_kernel::{Fault, Run, run};

/// In words. Of these scenarios no actor leaves a modprobe behind, so the processes are the actors.
fn log_of(scenario: &Scenario, run: &Run, hidden: &[&str]) -> EventLog {
    let shown = run.log.iter().filter(|entry| !hidden.contains(&entry.event.function()));
    let line = |entry: &kmodcheck_sim_kernel::Entry| EventLine {
        actor: usize::from(entry.process),
        function: entry.event.function().to_owned(),
        what: entry.event.describe(scenario).to_string(),
    };
    EventLog {
        hidden: hidden.iter().map(|name| (*name).to_owned()).collect(),
        events: shown.enumerate().map(|(at, entry)| (at + 2, line(entry))).collect(),
    }
}

fn runs(scenario: &Scenario, fault: Option<Fault>) -> Vec<Run> {
    let (runs, scenario) = (Arc::<Mutex<Vec<Run>>>::default(), Arc::new(scenario.clone()));
    let into = Arc::clone(&runs);
    draw(Scheduler::Random, 1, 40, move |rt| {
        let into = Arc::clone(&into);
        run(rt, &scenario, fault, move |run| into.lock().unwrap().push(run));
        false
    });
    runs.lock().unwrap().clone()
}

fn decide(model: &Model, log: &EventLog) -> Verdict<Event, ()> {
    let text = log.to_text();
    let log = EventLog::parse("log", &text).unwrap();
    log.decide(model, 1_000_000).expect("few processes").expect("few states")
}

#[test]
fn the_acceptor_of_logs_says_what_following_a_run_says() {
    let features =
        Features { kernel: presets::kernel("v4.9").unwrap(), kmod: presets::kmod("v19").unwrap() };
    let (mut accepted, mut refused) = (0, 0);
    for environment in [Environment::Ok, Environment::Fail, Environment::Rmmod] {
        let scenario = scenario(Naming::FsAndModule, environment, features, 2);
        let model = Model::new(scenario.clone(), None).unwrap();
        for fault in [None, Some(Fault::NoWaitForForming), Some(Fault::OneRead)] {
            for run in runs(&scenario, fault) {
                match (follow(&model, &run), decide(&model, &log_of(&scenario, &run, &[]))) {
                    (Ok(_), Verdict::Accepted { .. }) => accepted += 1,
                    (Err(by_step), Verdict::Refused { at, .. }) if by_step.at == at => refused += 1,
                    (by_step, verdict) => panic!("{by_step:?}, but {verdict:?}"),
                }
            }
        }
    }
    println!("{accepted} logs accepted, {refused} refused at the same event");
    assert!(accepted > 0 && refused > 0);
}

/// What a log leaves out is filled in: modprobe's looks, and hand-overs to the helper.
#[test]
fn hidden_steps_are_filled_in() {
    let features =
        Features { kernel: presets::kernel("v4.9").unwrap(), kmod: presets::kmod("v19").unwrap() };
    let scenario = scenario(Naming::Plain, Environment::Ok, features, 2);
    let model = Model::new(scenario.clone(), None).unwrap();
    for run in runs(&scenario, None).iter().take(10) {
        let log = log_of(&scenario, run, &["modprobe", "call_usermodehelper_exec"]);
        assert!(log.events.len() < run.log.len());
        assert!(decide(&model, &log).is_accepted());
    }
}
