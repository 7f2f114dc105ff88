//! Why did it happen? Which reordering of a trace, or which two, would have avoided its last transition.
//!
//! - Idea: of two steps of different processes one comes first; had it been the other one, and
//!   everybody gone on as scheduled, would it have happened? (Lewis' counterfactual reading of
//!   causes; for concurrent traces, G. Gössler and D. Le Métayer, 'A general trace-based framework of
//!   logical causality', 2013.)
//! - Decides: for each step of the trace and each other process, whether taking that process's next
//!   step before it, or its last step after it, avoids what is looked for in the run that follows the
//!   rest of the schedule and then lets the process of the trace's last step come to its end. It says
//!   nothing of other runs.
//! - Needs of the system: nothing.
//! - Costs: (steps x processes) replays; its square for two of them, so those are looked for up to a bound.

use std::ops::ControlFlow;

use super::reduce::{Followed, follow, take};
use crate::system::{Configuration, Product, System, TraceStep, Transition};

/// A reordering that avoids it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reordering<Label> {
    /// The step that is moved, as it is taken in its new place.
    pub moved: TraceStep<Label>,
    /// Where it was in the trace; `None`: the trace ended before it.
    pub was_at: Option<usize>,
    /// It is moved to right before (`earlier`) or right after this step of the trace. The least move
    /// that avoids it.
    pub other: usize,
    /// Whether it is moved to an earlier place.
    pub earlier: bool,
    /// The run: the reordered trace, as far as it could be followed, and its end.
    pub run: Vec<TraceStep<Label>>,
}

/// Most steps that a run goes on for after its schedule.
const MOST: usize = 1_000;

/// A step of the trace, or the next one of a process after it, in another place.
#[derive(Clone, Copy, Debug)]
struct Move {
    actor: usize,
    was_at: Option<usize>,
    other: usize,
    earlier: bool,
}

impl Move {
    /// How far the step is moved.
    fn distance(&self, steps: usize) -> usize {
        self.was_at.unwrap_or(steps).abs_diff(self.other)
    }

    /// Whether both can be made: of two steps of the trace, each next to one that stays where it is.
    fn is_beside(&self, other: &Self) -> bool {
        self.was_at != other.was_at
            && self.was_at != Some(other.other)
            && other.was_at != Some(self.other)
    }

    /// Makes the move in a schedule of steps, each with its place in the trace; `None` in place of a number: a
    /// step that the trace has not. Where the moved step is now.
    fn make<Label: Clone>(
        &self,
        trace: &[TraceStep<Label>],
        schedule: &mut Vec<(Option<usize>, TraceStep<Label>)>,
    ) -> Option<usize> {
        let place = |schedule: &[(Option<usize>, _)], of| {
            schedule.iter().position(|(at, _)| *at == Some(of))
        };
        let step = match self.was_at {
            Some(at) => schedule.remove(place(schedule, at)?),
            None => {
                let label = trace.last()?.label.clone();
                (None, TraceStep { actor: self.actor, ordinal: 0, label })
            }
        };
        let to = place(schedule, self.other)? + usize::from(!self.earlier);
        schedule.insert(to, step);
        Some(to)
    }
}

/// Every move of one step of `trace`, for each step of it and each other process: that process's next step before
/// it, its last step after it.
fn moves<Label>(trace: &[TraceStep<Label>], processes: usize) -> impl Iterator<Item = Move> {
    (0..trace.len()).flat_map(move |other| {
        let others = (0..processes).filter(move |actor| *actor != trace[other].actor);
        others.flat_map(move |actor| {
            let later = (other + 1..trace.len()).find(|at| trace[*at].actor == actor);
            let last = (0..other).rev().find(|at| trace[*at].actor == actor);
            let next = Move { actor, was_at: later, other, earlier: true };
            let back = last.map(|at| Move { actor, was_at: Some(at), other, earlier: false });
            [Some(next), back].into_iter().flatten()
        })
    })
}

/// The trace with these moves made, and where the moved steps are then; `None` if they cannot be made together.
fn reordered<Label: Clone>(
    trace: &[TraceStep<Label>],
    moves: &[Move],
) -> Option<(Vec<TraceStep<Label>>, Vec<usize>)> {
    let mut schedule: Vec<_> =
        trace.iter().cloned().enumerate().map(|(at, step)| (Some(at), step)).collect();
    let mut places: Vec<usize> = Vec::new();
    for one in moves {
        let from = one.was_at.and_then(|at| schedule.iter().position(|(of, _)| *of == Some(at)));
        let to = one.make(trace, &mut schedule)?;
        for place in &mut places {
            // What stood behind the step that was taken out stands one further ahead, and so on.
            *place -= usize::from(from.is_some_and(|from| from < *place));
            *place += usize::from(to <= *place);
        }
        places.push(to);
    }
    Some((schedule.into_iter().map(|(_, step)| step).collect(), places))
}

/// Every single reordering of `trace` that avoids what `wanted` accepts, the least move of each step.
pub fn avoiding<S: System>(
    product: &Product<'_, S>,
    trace: &[TraceStep<S::Label>],
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Vec<Reordering<S::Label>> {
    let Some(last) = trace.last() else { return Vec::new() };
    let mut found: Vec<Reordering<S::Label>> = Vec::new();
    for one in moves(trace, product.processes()) {
        let same = |r: &Reordering<S::Label>| {
            (r.earlier, r.was_at, r.moved.actor) == (one.earlier, one.was_at, one.actor)
        };
        // Of a step that comes later than it did the first place is the least move.
        if !one.earlier && found.iter().any(same) {
            continue;
        }
        let Some(mut avoided) = avoids(product, trace, &[one], last.actor, wanted) else {
            continue;
        };
        // Of one that comes earlier the last place is.
        found.retain(|r| !same(r));
        found.append(&mut avoided);
    }
    found
}

/// Two reorderings of `trace` that avoid together what `wanted` accepts, where none does alone: the `most` least
/// moves, each of another run. `tries`: the bound on replays; where it does not suffice, the least moves are tried with
/// each other, and the second value says so.
pub fn avoiding_in_pairs<S: System>(
    product: &Product<'_, S>,
    trace: &[TraceStep<S::Label>],
    most: usize,
    tries: usize,
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> (Vec<[Reordering<S::Label>; 2]>, bool) {
    let Some(last) = trace.last() else { return (Vec::new(), false) };
    let steps = trace.len();
    let mut single: Vec<Move> = moves(trace, product.processes()).collect();
    single.sort_by_key(|one| one.distance(steps));
    // Of so many there are at most `tries` pairs.
    let cut = single.len() > (2 * tries).isqrt();
    single.truncate((2 * tries).isqrt());
    let mut pairs: Vec<(usize, Move, Move)> = Vec::new();
    for (i, first) in single.iter().enumerate() {
        for second in &single[i + 1..] {
            if first.is_beside(second) {
                pairs.push((first.distance(steps) + second.distance(steps), *first, *second));
            }
        }
    }
    pairs.sort_by_key(|(distance, ..)| *distance);
    let mut found: Vec<[Reordering<S::Label>; 2]> = Vec::new();
    for (_, first, second) in pairs {
        let Some(avoided) = avoids(product, trace, &[first, second], last.actor, wanted) else {
            continue;
        };
        let pair =
            <[_; 2]>::try_from(avoided).unwrap_or_else(|_| unreachable!("two for two moves"));
        if found.iter().all(|[known, _]| known.run != pair[0].run) {
            found.push(pair);
        }
        if found.len() == most {
            return (found, false);
        }
    }
    (found, cut)
}

/// A reordering for each of `moves`, if together they avoid what is wanted and `victim` comes to its end.
fn avoids<S: System>(
    product: &Product<'_, S>,
    trace: &[TraceStep<S::Label>],
    moves: &[Move],
    victim: usize,
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Option<Vec<Reordering<S::Label>>> {
    let (schedule, places) = reordered(trace, moves)?;
    let followed = follow(product, &schedule, wanted);
    if followed.reached {
        return None;
    }
    let moved: Option<Vec<_>> =
        places.iter().map(|place| Some(followed.trace[followed.took[*place]?].clone())).collect();
    let moved = moved?;
    let ended = to_the_end(product, followed, victim, wanted)?;
    if ended.reached {
        return None;
    }
    let reordering = |(one, moved): (&Move, TraceStep<S::Label>)| Reordering {
        moved,
        was_at: one.was_at,
        other: one.other,
        earlier: one.earlier,
        run: ended.trace.clone(),
    };
    Some(moves.iter().zip(moved).map(reordering).collect())
}

/// Goes on from the end of a followed schedule until `victim` has returned or what is wanted has
/// happened: at each step `victim` if it can, else the first process that can, by its first
/// alternative. `None` if nobody can step before that.
pub fn to_the_end<S: System>(
    product: &Product<'_, S>,
    mut followed: Followed<S::Label>,
    victim: usize,
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Option<Followed<S::Label>> {
    for _ in 0..MOST {
        let now = *followed.states.last().expect("there is a first state");
        if followed.reached || product.returned(&now, victim) {
            return Some(followed);
        }
        let others = (0..product.processes()).filter(|i| *i != victim);
        let mut turn = std::iter::once(victim).chain(others);
        let (step, after, reached) = turn.find_map(|i| {
            may_step(product, &now, i).then(|| take(product, &now, i, None, wanted)).flatten()
        })?;
        followed.trace.push(step);
        followed.states.push(after);
        followed.reached = reached;
    }
    None
}

/// Whether process `i` can step without a way out.
fn may_step<S: System>(product: &Product<'_, S>, now: &Configuration, i: usize) -> bool {
    let mut may = false;
    let _ = product.successors(now, &mut Vec::new(), |t| {
        may |= t.actor == i && t.way_out == crate::system::WayOut::Ordinary;
        if may { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    may
}
