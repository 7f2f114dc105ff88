//! Progress under weak fairness: the hard cases, the grand matrix against its record, and the record
//! against what is known of who sleeps for ever.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all progress::` rewrites the record. Never
//! without a reason, which belongs into the commit.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::recording;
use crate::sample::some_of;
use kmodcheck_explore::{Limits, Options};
use kmodcheck_model::Model;
use kmodcheck_model::builtin::Environment;
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_properties::hard_cases::HARD_CASES;
use kmodcheck_properties::progress::{self, Progress};
use kmodcheck_properties::recorded::{self, Compared, GRAND, PROGRESS};

#[test]
fn hard_cases_come_out_as_expected() {
    for case in HARD_CASES {
        let report = progress::progress(&case.model().unwrap(), &Options::default()).unwrap();
        let short = report.progress.short();
        println!("{}: {} {} {short}", case.name, report.states, report.transitions);
        assert_eq!(short.split(' ').next(), Some(case.expected), "{}", case.name);
    }
}

/// Systems of every environment, some of each.
fn sample(systems: Vec<System>) -> Vec<System> {
    let some = |(i, system): &(usize, System)| {
        let environment = system.cells[0].environment;
        let large = matches!(environment, Environment::LimitTwo | Environment::FailRmmod);
        i.is_multiple_of(if large { 97 } else { 41 })
    };
    systems.into_iter().enumerate().filter(some).map(|(_, s)| s).collect()
}

#[test]
fn verdicts_are_as_recorded() {
    let recording = recording();
    let mut systems = System::of(&GrandCell::all());
    assert!(recording || PROGRESS.names().count() == systems.len());
    if !recording {
        systems = sample(systems);
        assert!(systems.len() > 25, "{}", systems.len());
        systems = some_of(10, systems);
    }
    let scenarios: Vec<_> = systems.iter().map(|s| s.scenario.clone()).collect();
    let reports = progress::progress_all(&scenarios, 2, &Options::default(), &|_| ());
    let mut lines = Vec::new();
    for (system, report) in systems.iter().zip(reports) {
        let report = report.expect("nobody interrupts").expect("few actors");
        let line = recorded::progress(&system.name(), &report);
        if recording {
            lines.push(line.to_string());
        } else {
            assert_eq!(PROGRESS.compare(&line), Compared::AsRecorded);
        }
    }
    if recording {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded/progress.txt");
        std::fs::write(path, lines.join("\n") + "\n").expect("the record can be written");
    }
}

/// What a limit cuts short is not what is recorded, and does not differ from it either, whatever is recorded.
#[test]
fn what_is_cut_short_does_not_differ() {
    let systems = sample(System::of(&GrandCell::all()));
    let scenarios: Vec<_> = systems.iter().map(|s| s.scenario.clone()).collect();
    let limits = Limits { states: Some(5), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let reports = progress::progress_all(&scenarios, 2, &options, &|_| ());
    let mut words = BTreeSet::new();
    for (system, report) in systems.iter().zip(reports) {
        let report = report.expect("nobody interrupts").expect("few actors");
        let line = recorded::progress(&system.name(), &report);
        assert_eq!(PROGRESS.compare(&line), Compared::Cut, "{line}");
        let recorded = PROGRESS.find(&system.name()).expect("it is recorded");
        words.insert(recorded.split(' ').count());
    }
    assert_eq!(words, BTreeSet::from([3, 4]), "with a run, and without");
}

/// A fault is found where it is put, and nothing sleeps for ever without it.
#[test]
fn without_its_fault_no_call_sleeps_for_ever() {
    let mut compared = 0;
    for case in HARD_CASES.iter().filter(|case| case.mutant.is_some()) {
        let faithful = Model::new(case.scenario(), None).unwrap();
        let report = progress::progress(&faithful, &Options::default()).unwrap();
        assert!(!matches!(report.progress, Progress::Asleep(_)), "{}", case.name);
        compared += 1;
    }
    assert_eq!(compared, 3);
}

/// Whoever sleeps for ever beside actors that start over is one whom nobody can wake: the same systems
/// as those in which 'nobody sleeps for ever' is violated, which another search decides, of actors that
/// do not start over.
#[test]
fn the_record_agrees_with_that_of_nobody_sleeps_for_ever() {
    let (mut asleep, mut awake) = (0, 0);
    for system in System::of(&GrandCell::all()) {
        let name = system.name();
        let line = GRAND.find(&name).expect("it is recorded");
        let verdict = line.rsplit(" W").next().expect("it ends in that property");
        let stuck = verdict.starts_with(|c: char| c.is_ascii_digit() && c != '0');
        let found = PROGRESS.find(&name).expect("it is recorded");
        assert_eq!(found.contains(" asleep "), stuck, "{name}: {found}, W{verdict}");
        (asleep, awake) = (asleep + usize::from(stuck), awake + usize::from(!stuck));
    }
    assert!(asleep > 100 && awake > 1_000, "{asleep} {awake}");
}
