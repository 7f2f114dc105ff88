//! Minimal traces and reorderings against plain enumeration, on systems drawn at random. A failure
//! names the seed.

use std::ops::ControlFlow;

use crate::common::erased::explore;
use crate::common::random_system::{Label, PROPERTIES, RandomSystem};
use crate::common::sample::{long_sample, sample};
use kmodcheck_explore::fewest_switches::{Bounds, Fewest, fewest_switches, switches};
use kmodcheck_explore::reduce::{follow, reduce};
use kmodcheck_explore::reorder::{avoiding, avoiding_in_pairs};
use kmodcheck_explore::replay::replay;
use kmodcheck_explore::{Configuration, End, Exploration, Options, Product, Transition};
use kmodcheck_explore::{Monitor, TraceStep};

type Trace = Vec<TraceStep<Label>>;

struct Asks<'a>(&'a RandomSystem);

impl Monitor<Label> for Asks<'_> {
    type Tally = ();

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        self.0.violated_by(transition)
    }
}

/// All traces of exactly `left` more steps from `now` that end in a violation of `property`, by plain
/// recursion; gives up after `budget` calls.
fn enumerate(
    (system, product): (&RandomSystem, &Product<'_, RandomSystem>),
    property: u32,
    now: Configuration,
    (left, budget): (usize, &mut usize),
    prefix: &mut Trace,
    found: &mut Vec<Trace>,
) {
    if *budget == 0 {
        return;
    }
    *budget -= 1;
    let mut next = Vec::new();
    let _ = product.successors(&now, &mut Vec::new(), |t| {
        let step = TraceStep { actor: t.actor, ordinal: t.ordinal, label: t.label };
        next.push((step, *t.after, system.violated_by(t) >> property & 1 != 0));
        ControlFlow::Continue(())
    });
    for (step, after, violated) in next {
        prefix.push(step);
        if left > 1 {
            enumerate((system, product), property, after, (left - 1, budget), prefix, found);
        } else if violated {
            found.push(prefix.clone());
        }
        prefix.pop();
    }
}

#[test]
fn no_shortest_trace_has_fewer_switches() {
    let (mut compared, mut saved) = (0, 0);
    let systems = long_sample(80, 250, 500);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let product = Product::new(&system).expect("few processes");
        let Some(shortest) = explored(&system) else { continue };
        for property in 0..PROPERTIES {
            let wanted = |t: &Transition<'_, Label>| system.violated_by(t) >> property & 1 != 0;
            let bounds = Bounds { skip: 0, nodes: 1 << 20 };
            let found = fewest_switches(&product, product.initial(), bounds, wanted);
            let by_bfs = shortest.violations.iter().find(|v| v.property == property);
            let Some(by_bfs) = by_bfs else {
                assert_eq!(found, Fewest::Nothing, "seed {seed}, property {property}");
                continue;
            };
            let Fewest::Trace { trace, switches: least } = found else {
                panic!("seed {seed}, property {property}: {found:?}");
            };
            assert_eq!(trace.len(), by_bfs.trace.len(), "seed {seed}, property {property}");
            assert_eq!(switches(&trace), least, "seed {seed}, property {property}");
            let mut last = false;
            replay(&product, &trace, |_, t| last = wanted(t)).expect("the trace replays");
            assert!(last, "seed {seed}, property {property}: the last step is not it");
            let skipping = Bounds { skip: trace.len() - 1, ..bounds };
            let again = fewest_switches(&product, product.initial(), skipping, wanted);
            assert_eq!(again, Fewest::Trace { trace: trace.clone(), switches: least });
            let (mut all, mut budget) = (Vec::new(), 5_000);
            let whole = (trace.len(), &mut budget);
            enumerate(
                (&system, &product),
                property,
                product.initial(),
                whole,
                &mut Vec::new(),
                &mut all,
            );
            if budget == 0 {
                continue;
            }
            let by_hand = all.iter().map(|trace| switches(trace)).min();
            assert_eq!(by_hand, Some(least), "seed {seed}, property {property}");
            compared += 1;
            saved += usize::from(switches(&by_bfs.trace) > least);
        }
    }
    let enough = systems.met_enough(compared, 150) && systems.met_enough(saved, 5);
    assert!(enough, "{compared} compared, {saved} with switches saved");
}

/// A random walk that ends in a violation of `property`.
fn walk(
    system: &RandomSystem,
    product: &Product<'_, RandomSystem>,
    property: u32,
    seed: u64,
) -> Option<Trace> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut now = product.initial();
    let mut trace = Vec::new();
    for _ in 0..200 {
        let mut next = Vec::new();
        let _ = product.successors(&now, &mut Vec::new(), |t| {
            let step = TraceStep { actor: t.actor, ordinal: t.ordinal, label: t.label };
            next.push((step, *t.after, system.violated_by(t) >> property & 1 != 0));
            ControlFlow::Continue(())
        });
        if next.is_empty() {
            return None;
        }
        let (step, after, violated) = next[rng.usize(0..next.len())];
        trace.push(step);
        now = after;
        if violated {
            return Some(trace);
        }
    }
    None
}

#[test]
fn random_traces_are_made_short() {
    let (mut proved, mut by_steps, mut shortened) = (0, 0, 0);
    let systems = long_sample(80, 200, 400);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let product = Product::new(&system).expect("few processes");
        let Some(shortest) = explored(&system) else { continue };
        for violation in &shortest.violations {
            let property = violation.property;
            let mut wanted = |t: &Transition<'_, Label>| system.violated_by(t) >> property & 1 != 0;
            let Some(long) = walk(&system, &product, property, seed) else { continue };
            for nodes in [1 << 20, 4] {
                let reduced = reduce(&product, &long, nodes, &mut wanted).expect("it is reached");
                let mut last = false;
                replay(&product, &reduced.trace, |_, t| last = wanted(t)).expect("replays");
                assert!(last, "seed {seed}, property {property}: the last step is not it");
                assert!(reduced.trace.len() <= long.len(), "seed {seed}: it grew");
                if reduced.proved {
                    assert_eq!(reduced.trace.len(), violation.trace.len(), "seed {seed}");
                    proved += 1;
                } else {
                    by_steps += 1;
                    shortened += usize::from(reduced.trace.len() < long.len());
                    // No single step can be left out.
                    for at in 0..reduced.trace.len() {
                        let mut without = reduced.trace.clone();
                        without.remove(at);
                        let followed = follow(&product, &without, &mut wanted);
                        assert!(
                            !followed.reached || followed.trace.len() >= reduced.trace.len(),
                            "seed {seed}, property {property}: step {at} is not needed"
                        );
                    }
                }
            }
        }
    }
    let met = [(proved, 100), (by_steps, 25), (shortened, 10)];
    let enough = met.iter().all(|(times, in_all)| systems.met_enough(*times, *in_all));
    assert!(enough, "{proved} {by_steps} {shortened}");
}

/// The shortest violations of a system; `None` if its pool is too small: the explorer stops there.
fn explored(system: &RandomSystem) -> Option<Exploration<Label, ()>> {
    let shortest = explore(system, &Asks(system), &Options::default()).unwrap();
    (shortest.end == End::Complete).then_some(shortest)
}

/// Follows the schedule and then the victim, as the documentation of [`avoiding`] says, written
/// without it.
fn happens(
    system: &RandomSystem,
    product: &Product<'_, RandomSystem>,
    property: u32,
    schedule: &[TraceStep<Label>],
    victim: usize,
) -> Option<bool> {
    let mut now = product.initial();
    let mut turns: Vec<(usize, Option<TraceStep<Label>>)> =
        schedule.iter().map(|s| (s.actor, Some(*s))).collect();
    turns.reverse();
    for _ in 0..1_200 {
        type Taken = (TraceStep<Label>, Configuration, bool, bool);
        let mut options: Vec<Vec<Taken>> = vec![Vec::new(); product.processes()];
        let _ = product.successors(&now, &mut Vec::new(), |t| {
            let step = TraceStep { actor: t.actor, ordinal: t.ordinal, label: t.label };
            let violated = system.violated_by(t) >> property & 1 != 0;
            let ordinary = t.way_out == kmodcheck_explore::WayOut::Ordinary;
            options[t.actor].push((step, *t.after, violated, ordinary));
            ControlFlow::Continue(())
        });
        let (actor, like) = match turns.pop() {
            Some(turn) => turn,
            None if product.returned(&now, victim) => return Some(false),
            None => {
                let can = |i: &usize| options[*i].iter().any(|o| o.3);
                let next =
                    if can(&victim) { victim } else { (0..product.processes()).find(can)? };
                (next, None)
            }
        };
        let mine = &options[actor];
        let chosen = like
            .and_then(|like| {
                let same = mine.iter().find(|o| o.0 == like);
                let label = mine.iter().find(|o| o.0.label == like.label);
                same.or(label).or_else(|| mine.iter().find(|o| o.0.ordinal == like.ordinal))
            })
            .or_else(|| mine.first());
        let Some((_, after, violated, _)) = chosen else { continue };
        if *violated {
            return Some(true);
        }
        now = *after;
    }
    None
}

#[test]
fn reorderings_avoid_it() {
    let (mut avoided, mut refused) = (0, 0);
    let systems = long_sample(80, 200, 400);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let product = Product::new(&system).expect("few processes");
        let Some(shortest) = explored(&system) else { continue };
        for violation in &shortest.violations {
            let (property, trace) = (violation.property, &violation.trace);
            let mut wanted = |t: &Transition<'_, Label>| system.violated_by(t) >> property & 1 != 0;
            let victim = trace.last().expect("a violation takes a step").actor;
            let found = avoiding(&product, trace, &mut wanted);
            // Every move of a step before or after a step of another process, the moved one being
            // the next or the last of its process there.
            for other in 0..trace.len() {
                for actor in (0..product.processes()).filter(|a| *a != trace[other].actor) {
                    let next = (other + 1..trace.len()).find(|at| trace[*at].actor == actor);
                    let last = (0..other).rev().find(|at| trace[*at].actor == actor);
                    for (was_at, earlier) in [(next, true), (last, false)] {
                        let mut schedule = trace.clone();
                        match was_at {
                            Some(at) => {
                                let step = schedule.remove(at);
                                schedule.insert(other, step);
                            }
                            None if earlier => {
                                let label = trace.last().unwrap().label;
                                schedule.insert(other, TraceStep { actor, ordinal: 0, label });
                            }
                            None => continue,
                        }
                        let reported = found.iter().find(|r| {
                            (r.moved.actor, r.was_at, r.earlier) == (actor, was_at, earlier)
                        });
                        match happens(&system, &product, property, &schedule, victim) {
                            // A run that avoids it, whose moved step could be taken, is reported, or
                            // a lesser move of the same step is.
                            Some(false) => {
                                let lesser = reported.is_some_and(|r| {
                                    if earlier { r.other >= other } else { r.other <= other }
                                });
                                let taken =
                                    follow(&product, &schedule, &mut wanted).took[other].is_some();
                                assert!(lesser || !taken, "seed {seed}: {other} {actor}");
                                avoided += usize::from(lesser);
                            }
                            Some(true) | None => {
                                assert!(
                                    reported.is_none_or(|r| r.other != other),
                                    "seed {seed}: {other} {actor} does not avoid it"
                                );
                                refused += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    let enough = systems.met_enough(avoided, 50) && systems.met_enough(refused, 100);
    assert!(enough, "{avoided} {refused}");
}

/// A move, as [`reorderings_avoid_it`] has them: who, from where, next to which step, and on which side.
type Move = (usize, Option<usize>, usize, bool);

/// The trace with both moves made one after the other, each next to its step of the trace; `None` if one of these is moved
/// itself.
fn with_both(trace: &Trace, moves: [Move; 2]) -> Option<Trace> {
    let [first, second] = moves;
    let clash = first.1 == second.1 || first.1 == Some(second.2) || second.1 == Some(first.2);
    if clash {
        return None;
    }
    let mut schedule: Vec<(Option<usize>, TraceStep<Label>)> =
        trace.iter().copied().enumerate().map(|(at, step)| (Some(at), step)).collect();
    for (actor, was_at, other, earlier) in moves {
        let label = trace.last()?.label;
        let step = was_at.map_or(TraceStep { actor, ordinal: 0, label }, |at| trace[at]);
        if was_at.is_some() {
            schedule.retain(|(of, _)| *of != was_at);
        }
        let beside = schedule.iter().position(|(of, _)| *of == Some(other))?;
        schedule.insert(beside + usize::from(!earlier), (was_at, step));
    }
    Some(schedule.into_iter().map(|(_, step)| step).collect())
}

/// Where no single one does: a pair is reported if some pair avoids it, and what is reported does.
#[test]
fn two_reorderings_avoid_it() {
    let (mut found_some, mut found_none) = (0, 0);
    let systems = sample(200, 1_000);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let product = Product::new(&system).expect("few processes");
        let Some(shortest) = explored(&system) else { continue };
        for violation in &shortest.violations {
            let (property, trace) = (violation.property, &violation.trace);
            let mut wanted = |t: &Transition<'_, Label>| system.violated_by(t) >> property & 1 != 0;
            if trace.len() > 8 || !avoiding(&product, trace, &mut wanted).is_empty() {
                continue;
            }
            let (pairs, cut) = avoiding_in_pairs(&product, trace, 2, 1 << 20, &mut wanted);
            assert!(!cut && pairs.len() <= 2, "seed {seed}");
            let victim = trace.last().expect("a violation takes a step").actor;
            for [one, two] in &pairs {
                assert_eq!(one.run, two.run, "seed {seed}");
                let mut violated = false;
                replay(&product, &one.run, |_, t| violated |= wanted(t)).expect("it can be taken");
                assert!(!violated, "seed {seed}");
                let of = |r: &kmodcheck_explore::reorder::Reordering<Label>| {
                    (r.moved.actor, r.was_at, r.other, r.earlier)
                };
                let both = with_both(trace, [of(one), of(two)]).expect("both can be made");
                assert_eq!(happens(&system, &product, property, &both, victim), Some(false));
            }
            let mut moves: Vec<Move> = Vec::new();
            for other in 0..trace.len() {
                for actor in (0..product.processes()).filter(|a| *a != trace[other].actor) {
                    let next = (other + 1..trace.len()).find(|at| trace[*at].actor == actor);
                    moves.push((actor, next, other, true));
                    let last = (0..other).rev().find(|at| trace[*at].actor == actor);
                    moves.extend(last.map(|at| (actor, Some(at), other, false)));
                }
            }
            let avoids = |first: Move, second: Move| {
                let both = with_both(trace, [first, second]);
                let happens = |both: &Trace| happens(&system, &product, property, both, victim);
                // The moved steps have to be taken at all.
                let taken = |both: &Trace| {
                    let followed = follow(&product, both, &mut |t: &Transition<'_, Label>| {
                        system.violated_by(t) >> property & 1 != 0
                    });
                    followed.took.iter().all(Option::is_some)
                };
                both.is_some_and(|both| happens(&both) == Some(false) && taken(&both))
            };
            let any = moves
                .iter()
                .enumerate()
                .any(|(i, first)| moves[i + 1..].iter().any(|second| avoids(*first, *second)));
            assert!(
                !any || !pairs.is_empty(),
                "seed {seed}: a pair avoids it and none is reported"
            );
            if pairs.is_empty() { found_none += 1 } else { found_some += 1 }
        }
    }
    let enough = systems.met_enough(found_some, 5) && systems.met_enough(found_none, 5);
    assert!(enough, "{found_some} {found_none}");
}
