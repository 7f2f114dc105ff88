//! Walks: what they find is there, the same numbers give the same walks, and they come to everything
//! that a small system can come to.

use std::ops::ControlFlow;

use crate::common::crowd::Slots;
use crate::common::erased::explore_counted;
use crate::common::random_system::RandomSystem;
use crate::common::sample::sample;
use kmodcheck_explore::concrete;
use kmodcheck_explore::walk::{Schedule, Walk, Walked, Walker, seed_of, walk};
use kmodcheck_explore::{End, Monitor, Options, PoolExhausted, System};

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

/// A walk as plainly as possible: every alternative of whoever steps is made, as `concrete` makes it, and one
/// of them taken.
fn plain_walk<S: System, W: Monitor<S::Label>>(
    system: &S,
    watch: &W,
    asked: Walk,
) -> Result<Walked<S::Label>, PoolExhausted> {
    let mut rng = fastrand::Rng::with_seed(seed_of(asked.seed, asked.number));
    let mut state = concrete::State::initial(system);
    let mut order: Vec<usize> = (0..state.processes.len()).collect();
    let mut changes = Vec::new();
    if let Schedule::Pct { depth, steps } = asked.schedule {
        rng.shuffle(&mut order);
        changes.extend((1..depth).map(|_| rng.u32(0..steps.max(1))));
    }
    let mut walked =
        Walked { violated: 0, trace: Vec::new(), first: [None; 64], stuck: false, cut: false };
    let note = |walked: &mut Walked<_>, bits: u64| {
        for property in (0..64).filter(|p| bits >> p & 1 != 0) {
            walked.first[property].get_or_insert(walked.trace.len() as u32);
        }
        walked.violated |= bits;
    };
    note(&mut walked, watch.state_violates(state.shared, &state));
    while walked.trace.len() < asked.longest as usize {
        if asked.schedule == Schedule::Random {
            order = (0..state.processes.len()).collect();
            rng.shuffle(&mut order);
        }
        let mut all = Vec::new();
        for actor in &order {
            concrete::transitions_of_one(system, &state, *actor, |taken| {
                let bits = watch.step_violates(&taken.step)
                    | watch.state_violates(taken.after.shared, taken.after)
                    | watch.counts_violate(&taken.step, taken.before, taken.after);
                all.push((taken.after.clone(), taken.as_trace_step(), bits));
                ControlFlow::Continue(())
            })?;
            if !all.is_empty() {
                break;
            }
        }
        if all.is_empty() {
            let rests = |(kind, local): &(_, _)| {
                system.dormant(*kind) == Some(*local) || system.returned(*kind, *local)
            };
            walked.stuck = !state.processes.iter().all(rests);
            return Ok(walked);
        }
        let chosen = rng.usize(0..all.len());
        let (after, taken, bits) = all.swap_remove(chosen);
        if changes.contains(&(walked.trace.len() as u32)) {
            order.retain(|process| *process != taken.actor);
            order.push(taken.actor);
        }
        state = after;
        walked.trace.push(taken);
        note(&mut walked, bits);
    }
    walked.cut = true;
    Ok(walked)
}

/// The walker takes, of each number, the walk that is taken plainly, however many it has taken before and
/// however little it keeps of what it was told.
#[test]
fn walks_are_those_that_are_taken_plainly() {
    let (mut taken, mut exhausted) = (0, 0);
    for seed in sample(150, 1000).seeds() {
        let system = RandomSystem::new(seed);
        let watch = Slots::of(&system);
        let mut walkers = [1, 3, 1 << 16].map(|most| Walker::keeping(most, &system, &watch));
        for schedule in SCHEDULES {
            for number in 0..20 {
                let asked = Walk { schedule, seed, number, longest: 40 };
                let plain = plain_walk(&system, &watch, asked);
                for walker in &mut walkers {
                    assert_eq!(walker.walk(asked).cloned(), plain, "seed {seed}: {asked:?}");
                }
                taken += 1;
                exhausted += u32::from(plain.is_err());
            }
        }
    }
    println!("{taken} walks, {exhausted} of which start more than there are");
    assert!(exhausted > 0 && exhausted < taken, "{exhausted} of {taken}");
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
