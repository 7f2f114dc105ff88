//! The initial state is a state: a property that it violates is violated without a step, whichever engine
//! looks. And the engines do not answer what they cannot be asked.

use std::time::Duration;

use crate::common::erased::{
    explore, explore_counted, explore_directed, explore_distributed, explore_from_checkpoint,
    explore_reduced,
};
use crate::common::random_system::RandomSystem;
use crate::common::reference_model::{At, ReferenceModel};
use kmodcheck_explore::checkpoint::Checkpoint;
use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::walk::{Schedule, Walk, walk};
use kmodcheck_explore::{
    Asks, End, Exploration, Kind, Local, Monitor, Options, Properties, Transition, Unexplorable,
};

/// What all engines but the one that is reduced find of it.
fn by_all<'a, M: Monitor<At, Tally = ()>>(
    model: &'a ReferenceModel,
    monitor: &'a M,
    options: &'a Options<'a>,
) -> Vec<Exploration<At>> {
    let directory = tempfile::tempdir().expect("a directory");
    let checkpoint = Checkpoint {
        directory: directory.path().to_owned(),
        every: Duration::ZERO,
        build: [0; 16],
        purpose: [0; 32],
    };
    // The second one goes on from what the first has left.
    let from_checkpoint = || explore_from_checkpoint(model, monitor, options, &checkpoint);
    let distributed = explore_distributed(model, monitor, options, Net::alone()).expect("it fits");
    vec![
        explore(model, monitor, options).expect("it fits"),
        explore_counted(model, monitor, options).expect("it fits"),
        explore_directed(model, monitor, options).expect("it fits"),
        distributed.expect("the first process"),
        from_checkpoint().expect("it fits"),
        from_checkpoint().expect("it goes on"),
    ]
}

const MODEL: ReferenceModel = ReferenceModel { callers: 3, v19: true };

#[test]
fn an_initial_state_violates() {
    let idle = At::Idle as Local;
    let properties = Properties::new()
        .never("nobody is idle", move |_, at| at.count(Kind(0), idle) == 0)
        .never("all are idle", move |_, at| at.count(Kind(0), idle) == 3)
        .never_step("somebody is fooled", |step| At::of(step.local_after) == At::DoneNull);
    let mut lengths = Vec::new();
    for stop_when_violated in [0, 0b10] {
        let options = Options { symmetry: true, stop_when_violated, ..Options::default() };
        for found in by_all(&MODEL, &properties, &options) {
            let engine = found.method.engine;
            let first = found.violation("all are idle").expect(engine);
            assert_eq!((first.property, first.trace.len()), (1, 0), "{engine}");
            if stop_when_violated == 0 {
                assert_eq!(found.end, End::Complete, "{engine}");
                assert_eq!(found.violations.len(), 3, "{engine}: {:?}", found.violations);
                if found.method.shortest {
                    let all = found.violations.iter().map(|v| v.trace.len());
                    lengths.push(all.collect::<Vec<_>>());
                }
            } else {
                assert_eq!(found.end, End::Violated, "{engine}");
                assert!(found.states < 200, "{engine}: {} states", found.states);
            }
        }
    }
    // The same, and only what happens at once happens at once.
    assert_eq!(lengths.len(), 5);
    assert!(lengths.iter().all(|l| *l == lengths[0] && l[0] > 0 && l[1] == 0 && l[2] > 0));
    let walk_of = Walk { schedule: Schedule::Random, seed: 1, number: 0, longest: 1 };
    let walked = walk(&MODEL, &properties, walk_of).expect("nobody is started");
    assert_eq!(walked.first[..3], [None, Some(0), None]);
    assert_eq!(walked.violated, 0b10);
}

/// Asks about who is where.
struct Numbered;

impl<Label> Monitor<Label> for Numbered {
    type Tally = ();

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        u64::from(transition.actor == 2)
    }
}

#[test]
fn what_an_engine_cannot_be_asked_it_refuses() {
    let options = Options::default();
    let system = RandomSystem::new(1);
    let asks = |most| Some(Unexplorable::Asks { found: Asks::Whole, most });
    assert!(explore(&system, &Numbered, &options).is_ok());
    assert_eq!(explore_counted(&system, &Numbered, &options).err(), asks(Asks::Counts));
    assert_eq!(explore_directed(&system, &Numbered, &options).err(), asks(Asks::Counts));
    assert_eq!(explore_reduced(&system, &Numbered, &options).err(), asks(Asks::Steps));
    let states = Properties::new().never("anything", |_, _| true);
    let refused = Unexplorable::Asks { found: Asks::Counts, most: Asks::Steps };
    assert_eq!(explore_reduced(&system, &states, &options).err(), Some(refused));
    let said = "found a monitor that asks about states, expected one that asks about steps";
    assert!(refused.to_string().starts_with(said), "{refused}");
}
