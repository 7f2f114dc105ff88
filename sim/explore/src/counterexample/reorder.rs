//! Why did it happen? Which single reordering of a trace would have avoided its last transition.
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
//! - Costs: (steps x processes) replays.

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

/// Every single reordering of `trace` that avoids what `wanted` accepts, the least move of each step.
pub fn avoiding<S: System>(
    product: &Product<'_, S>,
    trace: &[TraceStep<S::Label>],
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Vec<Reordering<S::Label>> {
    let Some(last) = trace.last() else { return Vec::new() };
    let victim = last.actor;
    let mut found: Vec<Reordering<S::Label>> = Vec::new();
    for other in 0..trace.len() {
        for actor in (0..product.processes()).filter(|actor| *actor != trace[other].actor) {
            // Its next step, taken before `other`.
            let was_at = (other + 1..trace.len()).find(|at| trace[*at].actor == actor);
            let step = was_at
                .map_or(TraceStep { actor, ordinal: 0, label: last.label.clone() }, |at| {
                    trace[at].clone()
                });
            let mut schedule = trace.to_vec();
            if let Some(at) = was_at {
                schedule.remove(at);
            }
            schedule.insert(other, step);
            if let Some((moved, run)) = avoids(product, &schedule, other, victim, wanted) {
                // Later places come later in this loop, and are lesser moves.
                found.retain(|r| !(r.earlier && r.was_at == was_at && r.moved.actor == actor));
                found.push(Reordering { moved, was_at, other, earlier: true, run });
            }
            // Its last step, taken after `other`.
            let was_at = (0..other).rev().find(|at| trace[*at].actor == actor);
            let known = found.iter().any(|r| !r.earlier && r.was_at == was_at);
            if let (Some(at), false) = (was_at, known) {
                let mut schedule = trace.to_vec();
                let step = schedule.remove(at);
                schedule.insert(other, step);
                if let Some((moved, run)) = avoids(product, &schedule, other, victim, wanted) {
                    found.push(Reordering { moved, was_at, other, earlier: false, run });
                }
            }
        }
    }
    found
}

/// The step taken at `place` of the schedule and the whole run, if that avoids what is wanted and
/// `victim` comes to its end.
#[expect(clippy::type_complexity, reason = "a pair that only this file sees")]
fn avoids<S: System>(
    product: &Product<'_, S>,
    schedule: &[TraceStep<S::Label>],
    place: usize,
    victim: usize,
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Option<(TraceStep<S::Label>, Vec<TraceStep<S::Label>>)> {
    let followed = follow(product, schedule, wanted);
    if followed.reached {
        return None;
    }
    let moved = followed.trace[followed.took[place]?].clone();
    let ended = to_the_end(product, followed, victim, wanted)?;
    (!ended.reached).then_some((moved, ended.trace))
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
