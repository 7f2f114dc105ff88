//! A system that breaks a promise is refused by every search that relies on it, with what it did and where,
//! and none panics. And a system whose steps are called by strings is searched like any other.

use std::time::Duration;

use crate::common::erased::{self, InNumbers, Name};
use kmodcheck_explore::checkpoint::{Checkpoint, CheckpointError};
use kmodcheck_explore::distributed::DistributedError;
use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::liveness::fairness;
use kmodcheck_explore::{
    Choice, CountOnly, End, Fault, Initial, Kind, Local, Monitor, Options, Properties, Queue,
    Shared, System, Unexplorable, Wrong, explore, explore_counted, explore_directed,
    explore_reduced,
};
use tempfile::TempDir;

const WORKER: Kind = Kind(0);
const SLEEPER: Kind = Kind(1);
const HELPER: Kind = Kind(2);
const BELL: Queue = Queue(0);

/// Two workers count to two, each wakes a sleeper and starts a helper on the way; at the end somebody breaks
/// a promise, unless nobody does.
struct Faulty(Option<Wrong>);

/// The local state in which a worker is about to do it. Nobody else is ever in it: 0 is a local state.
const LAST: Local = 0;
/// What is dormant.
const DORMANT: Local = 5;

impl System for Faulty {
    type Label = String;

    fn shared_bits(&self) -> u32 {
        2
    }

    fn local_bits(&self) -> u32 {
        3
    }

    fn initial(&self) -> Initial {
        Initial::new(0, [(WORKER, 1), (WORKER, 1), (SLEEPER, 4), (HELPER, DORMANT)])
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<String>>) {
        let step = |shared, local, name: &str| Choice::new(shared, local, name.to_owned());
        match (kind, local) {
            (WORKER, 1) => choices.push(step((shared + 1).min(2), 2, "counts")),
            (WORKER, 2) => choices.push(step(shared, 3, "rings").wakes(BELL)),
            (WORKER, 3) if shared == 2 => {
                choices.push(step(3, LAST, "starts a helper").spawns(HELPER, 1))
            }
            (WORKER, LAST) => choices.extend(match self.0 {
                Some(Wrong::Shared(to)) => vec![step(to, 6, "is wrong")],
                Some(Wrong::Local(to)) => vec![step(shared, to, "is wrong")],
                Some(Wrong::Undeclared(bits)) => {
                    vec![step(shared ^ bits, 6, "is wrong").touches(0, !bits)]
                }
                Some(Wrong::Spawned { kind, started }) => {
                    vec![step(shared, 6, "is wrong").spawns(kind, started)]
                }
                Some(Wrong::Ways(ways, _)) => vec![step(shared, 6, "is one of many"); ways],
                Some(Wrong::Woken { queue, .. }) => {
                    vec![step(shared, 6, "is wrong").wakes_one(queue)]
                }
                Some(Wrong::Remembered(_)) => vec![step(1, 6, "lets others see")],
                None => vec![step(shared, 6, "ends")],
            }),
            (SLEEPER, 6) => choices.push(step(shared, 4, "sleeps again")),
            (HELPER, 1) => choices.push(step(shared, DORMANT, "ends")),
            _ => {}
        }
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        (kind == HELPER).then_some(DORMANT)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        match self.0 {
            Some(Wrong::Remembered(to))
                if (kind, local) == (SLEEPER, 4) && (before, after) == (3, 1) =>
            {
                to
            }
            _ => local,
        }
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        match self.0 {
            Some(Wrong::Woken { queue: on, woken }) if on == queue => {
                ((kind, local) == (SLEEPER, 4)).then_some(woken)
            }
            _ => (kind == SLEEPER && local == 4 && queue == BELL).then_some(6),
        }
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        matches!((kind, local), (WORKER, 6) | (SLEEPER, 4))
    }
}

/// What steps are called.
const NAMES: [&str; 8] = [
    "counts",
    "rings",
    "starts a helper",
    "is wrong",
    "is one of many",
    "lets others see",
    "ends",
    "sleeps again",
];

impl InNumbers for String {
    fn name(&self) -> Name {
        let number = NAMES.iter().position(|name| name == self).expect("it is one of these");
        Name([number as u64, 0, 0])
    }

    fn named(Name([number, ..]): Name) -> Self {
        NAMES[number as usize].to_owned()
    }
}

/// Asks about whole transitions, and looks for nothing.
struct Whole;

impl Monitor<String> for Whole {
    type Tally = ();
}

/// What each search says of a system: its name, and how many states there are or what is wrong.
fn searched(system: &Faulty) -> Vec<(&'static str, Result<u64, String>)> {
    let mut all = Vec::new();
    let say = |why: Unexplorable| why.to_string();
    for symmetry in [false, true] {
        for (threads, follow_all, steps_kept) in [(1, false, 0), (2, true, 0), (1, false, 40)] {
            let options =
                Options { symmetry, threads, follow_all, steps_kept, ..Options::default() };
            let found = explore(system, &CountOnly, &options);
            all.push(("explore", found.map(|found| found.states).map_err(say)));
            let found = erased::explore(system, &Whole, &options);
            all.push(("explore, whole", found.map(|found| found.states).map_err(say)));
            let directory = TempDir::new().expect("there is room");
            let (directory, every) = (directory.path().to_owned(), Duration::ZERO);
            let checkpoint = Checkpoint { directory, every, build: [1; 16], purpose: [7; 32] };
            let found = erased::explore_from_checkpoint(system, &CountOnly, &options, &checkpoint);
            let say = |why| match why {
                CheckpointError::Unexplorable(why) => say(why),
                why => panic!("{why}"),
            };
            all.push(("from a checkpoint", found.map(|found| found.states).map_err(say)));
            let found = erased::explore_distributed(system, &CountOnly, &options, Net::alone());
            let found = found.map(|found| found.expect("the first process").states);
            let say = |why| match why {
                DistributedError::Fault(what) => what,
                why => panic!("{why}"),
            };
            all.push(("distributed", found.map_err(say)));
        }
        let options = Options { symmetry, ..Options::default() };
        let found = explore_reduced(system, &CountOnly, &options);
        all.push(("reduced", found.map(|found| found.states).map_err(say)));
    }
    let found = explore_counted(system, &CountOnly, &Options::default());
    all.push(("counted", found.map(|found| found.states).map_err(say)));
    let never = Properties::new().never_step("what never happens", |_| false);
    let found = explore_directed(system, &never, &Options::default());
    all.push(("directed", found.map(|found| found.states).map_err(say)));
    all
}

#[test]
fn whoever_breaks_a_promise_is_refused() {
    let last = |wrong| Fault { kind: WORKER, shared: 3, local: LAST, wrong };
    let sleeper = |wrong| Fault { kind: SLEEPER, shared: 3, local: 4, wrong };
    let woken = Wrong::Woken { queue: Queue(1), woken: 9 };
    for (fault, text) in [
        (last(Wrong::Shared(4)), "steps to the shared state 0x4, expected one within the bits"),
        (last(Wrong::Local(8)), "steps to the local state 0x8, expected one within the bits"),
        (last(Wrong::Undeclared(2)), "changes bits 0x2 of the shared state, expected them to be"),
        (
            last(Wrong::Spawned { kind: HELPER, started: 8 }),
            "starts a process of kind 2 in the local",
        ),
        (sleeper(Wrong::Remembered(12)), "comes to the local state 0xc by what it observes"),
        (sleeper(woken), "wakes from queue 1 in the local state 0x9, expected one within the bits"),
    ] {
        let said = fault.to_string();
        let Fault { kind, shared, local, .. } = fault;
        let whom = format!("a process of kind {} in local state {local:#x}", kind.0);
        assert!(
            said.starts_with(&format!("{whom}, with shared state {shared:#x}, {text}")),
            "{said}"
        );
        for (search, found) in searched(&Faulty(Some(fault.wrong))) {
            // A counted wake-up is kept for all shared states.
            let counted = matches!(search, "counted" | "directed" | "reduced");
            let same = |found: &str| match (counted, fault.wrong) {
                (true, Wrong::Woken { .. }) => found.ends_with(&said[said.find(text).unwrap()..]),
                _ => found == said,
            };
            assert!(
                found.as_ref().is_err_and(|found| same(found)),
                "{search}: {found:?}, not {said}"
            );
        }
    }
}

#[test]
fn too_many_ways_are_refused_by_the_search_that_counts_them() {
    let wrong = Wrong::Ways(40_000, 32_767);
    let found = explore(&Faulty(Some(wrong)), &CountOnly, &Options::default());
    let fault = Fault { kind: WORKER, shared: 3, local: LAST, wrong };
    assert_eq!(found.err(), Some(Unexplorable::Fault(fault)));
}

/// Labels that are no plain data, a dormant state that is not 0, a live one that is, and steps that declare
/// nothing.
#[test]
fn a_system_that_says_little_is_searched_by_all() {
    let (mut by_symmetry, mut reduced) = (Vec::new(), 0);
    for (search, found) in searched(&Faulty(None)) {
        let states = found.expect(search);
        match search {
            "reduced" => reduced += 1,
            _ => by_symmetry.push(states),
        }
    }
    // Numbered twelve times, then sorted, and counted twice.
    let (numbered, sorted) = (by_symmetry[0], *by_symmetry.last().expect("there are some"));
    assert!(sorted < numbered, "{by_symmetry:?}");
    assert_eq!(by_symmetry, [vec![numbered; 12], vec![sorted; 14]].concat());
    assert_eq!(reduced, 2);
    let fair = fairness(&Faulty(None), &Options::default()).expect("few processes");
    assert_eq!((fair.end, fair.states), (End::Complete, numbered));
}
