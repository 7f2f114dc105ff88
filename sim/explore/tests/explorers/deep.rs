//! Searches with more levels than a slot of a table can tell apart, of which the shortest traces are known.

use std::time::Duration;

use crate::common::erased::{explore, explore_distributed, explore_from_checkpoint};
use crate::common::reference_model::ReferenceModel;
use kmodcheck_explore::checkpoint::Checkpoint;
use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::{
    Choice, CountOnly, End, Exploration, Initial, Kind, Limits, Local, Monitor, Options, Shared,
    System, Transition,
};
use tempfile::TempDir;

/// Two processes that count, each to its own end.
#[derive(Clone, Copy, Debug)]
struct Counters {
    ends: [Local; 2],
    /// Of which nobody makes any use: packed states are so much longer.
    shared_bits: u32,
}

impl Counters {
    /// The sum of the ends: how many levels there are but the first.
    fn levels(&self) -> u32 {
        self.ends.iter().sum::<Local>() as u32
    }

    fn states(&self) -> u64 {
        self.ends.iter().map(|end| end + 1).product()
    }
}

type Label = (u8, Local);

impl System for Counters {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.shared_bits
    }

    fn local_bits(&self) -> u32 {
        12
    }

    fn initial(&self) -> Initial {
        Initial::new(0, [(Kind(0), 0), (Kind(1), 0)])
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        if !self.returned(kind, local) {
            choices.push(Choice::new(shared, local + 1, (kind.0, local)));
        }
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        local == self.ends[usize::from(kind.0)]
    }
}

impl Monitor<Label> for Counters {
    type Tally = u64;

    /// Both have come to their ends; both to the middle.
    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        let locals = &transition.after.locals[..2];
        u64::from(locals == self.ends) | u64::from(locals == self.ends.map(|end| end / 2)) << 1
    }

    fn record(&self, tally: &mut u64, _: &Transition<'_, Label>, _: u64) {
        *tally += 1;
    }
}

/// Of several predecessors the least is taken, the one in which the second process has counted less: so the
/// first has counted to its end before the second begins.
fn check(system: &Counters, what: &str, found: &Exploration<Label, u64>) {
    assert_eq!((found.end, found.states), (End::Complete, system.states()), "{what}");
    assert_eq!(found.depth, system.levels(), "{what}");
    let [one, other] = system.ends;
    assert_eq!(found.tally, one * (other + 1) + other * (one + 1), "{what}");
    assert_eq!(found.violations.len(), 2, "{what}");
    for violation in &found.violations {
        let [one, other] = system.ends.map(|end| (end >> violation.property) as usize);
        let actors: Vec<usize> = violation.trace.iter().map(|step| step.actor).collect();
        assert!(actors == [vec![0; one], vec![1; other]].concat(), "{what}: {actors:?}");
    }
    assert!(found.stuck.is_none(), "{what}");
}

/// Traces to the last level and to one in the middle, of a few levels and of many, of few states in each and of
/// so many that the lists of some are forgotten; in one search, in one that is cut and gone on with, and
/// in several that know of one another.
#[test]
fn the_way_back_is_found_however_deep_it_is() {
    for (ends, shared_bits) in [
        ([63, 62], 0),
        ([62, 63], 40),
        ([63, 63], 0),
        ([1, 126], 0),
        ([300, 260], 0),
        ([260, 300], 100),
        ([7, 900], 0),
    ] {
        let system = Counters { ends, shared_bits };
        for threads in [1, 3] {
            let options = Options { threads, ..Options::default() };
            let what = format!("{system:?}, {threads} threads");
            check(&system, &what, &explore(&system, &system, &options).expect("it fits"));
            let found = explore_distributed(&system, &system, &options, Net::alone());
            let found = found.expect("it fits").expect("this is the first");
            check(&system, &format!("{what}, distributed"), &found);
        }
    }
}

#[test]
fn the_way_back_is_found_after_a_checkpoint() {
    for (ends, often) in [([60, 80], true), ([300, 260], false)] {
        let system = Counters { ends, shared_bits: 7 };
        let directory = TempDir::new().unwrap();
        let directory = directory.path().to_owned();
        for part in 1..4 {
            // After each level, or what can be made of it after the last.
            let every = Duration::from_millis(if often { 0 } else { 2 });
            let (build, purpose) = ([1; 16], [7; 32]);
            let checkpoint = Checkpoint { directory: directory.clone(), every, build, purpose };
            let states = (part < 3).then(|| system.states() * part / 3);
            let limits = Limits { states, ..Limits::default() };
            let options = Options { threads: part as usize, limits, ..Options::default() };
            let found = explore_from_checkpoint(&system, &system, &options, &checkpoint).unwrap();
            match states {
                None => check(&system, &format!("{ends:?}, gone on with"), &found),
                Some(states) => assert_eq!((found.end, found.states), (End::StatesLimit, states)),
            }
        }
    }
}

/// What is found between two checkpoints is written with the next one: until then nothing of it is forgotten.
#[test]
fn levels_that_are_written_late_are_kept_until_then() {
    let system = ReferenceModel { callers: 5, v19: true };
    let directory = TempDir::new().unwrap();
    let (build, purpose) = ([1; 16], [7; 32]);
    for (states, every) in [(Some(700_000), 40), (None, 0)] {
        let (directory, every) = (directory.path().to_owned(), Duration::from_millis(every));
        let checkpoint = Checkpoint { directory, every, build, purpose };
        let limits = Limits { states, ..Limits::default() };
        let options = Options { limits, ..Options::default() };
        let found = explore_from_checkpoint(&system, &CountOnly, &options, &checkpoint).unwrap();
        assert_eq!(found.states, states.unwrap_or(878_304));
    }
}
