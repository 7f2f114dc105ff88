//! Walks: what they find is there, the same numbers give the same walks, and they come to everything
//! that a small system can come to.

use std::ops::ControlFlow;

use crate::common::crowd::Slots;
use crate::common::erased::explore_counted;
use crate::common::random_system::RandomSystem;
use crate::common::sample::sample;
use kmodcheck_explore::concrete;
use kmodcheck_explore::walk::{Schedule, Walk, Walked, walk};
use kmodcheck_explore::{End, Monitor, Options, System};

const SCHEDULES: [Schedule; 3] = [
    Schedule::Random,
    Schedule::Pct { depth: 1, steps: 20 },
    Schedule::Pct { depth: 4, steps: 20 },
];

/// Takes the trace again, step by step, and compares what it violates and where it ends.
fn confirm<S: System, W: Monitor<S::Label>>(system: &S, watch: &W, walked: &Walked<S::Label>) {
    let mut first = [None; 64];
    let end = concrete::replay(system, &walked.trace, |number, taken| {
        let bits = watch.step_violates(&taken.step)
            | watch.counts_violate(&taken.step, taken.before, taken.after);
        for property in (0..64).filter(|p| bits >> p & 1 != 0) {
            first[property].get_or_insert(number as u32 + 1);
        }
    })
    .expect("a walk replays");
    assert_eq!(first, walked.first);
    let violated = (0..64).filter(|p| first[*p].is_some()).fold(0, |bits, p| bits | 1 << p);
    assert_eq!(violated, walked.violated);
    let mut moves = false;
    let _ = concrete::transitions(system, &end, |_| {
        moves = true;
        ControlFlow::Break(())
    });
    assert!(walked.cut || !moves, "a walk that is not cut goes on as long as it can");
    let rest = |(kind, local): &(_, _)| {
        system.dormant(*kind) == Some(*local) || system.returned(*kind, *local)
    };
    assert_eq!(walked.stuck, !walked.cut && !end.processes.iter().all(rest));
}

#[test]
fn what_walks_find_is_there_and_small_systems_are_found_out() {
    let (mut systems, mut all, mut reached, mut stuck) = (0, 0, 0, 0);
    let drawn = sample(30, 150);
    for seed in drawn.seeds() {
        let system = RandomSystem::new(seed);
        let watch = Slots::of(&system);
        let exhaustive = explore_counted(&system, &watch, &Options::default());
        let Ok(exhaustive) = exhaustive else { continue };
        // Some start more processes than they have.
        if exhaustive.end != End::Complete {
            continue;
        }
        systems += 1;
        let possible = exhaustive.violations.iter().fold(0_u64, |bits, v| bits | 1 << v.property);
        let mut found = 0;
        for schedule in SCHEDULES {
            for number in 0..60 {
                let asked = Walk { schedule, seed, number, longest: 40 };
                let walked = walk(&system, &watch, asked).expect("enough processes");
                confirm(&system, &watch, &walked);
                assert_eq!(walk(&system, &watch, asked).as_ref(), Ok(&walked), "the same again");
                assert_eq!(walked.violated & !possible, 0, "{seed}: nothing that is not there");
                found |= walked.violated;
                stuck += u32::from(walked.stuck);
            }
        }
        all += possible.count_ones();
        reached += found.count_ones();
    }
    println!("{systems} systems: {reached} of {all} violations, {stuck} walks end asleep");
    assert!(drawn.met_enough(systems, 100), "{systems}");
    assert!(stuck > 0, "some walks end with somebody asleep");
    assert!(reached * 10 > all * 9, "{reached} of {all} violations were met");
}
