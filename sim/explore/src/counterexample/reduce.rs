//! Makes a long trace short: one that a random schedule, a recorder or a hand found.
//!
//! - Paper: A. Zeller and R. Hildebrandt, 'Simplifying and isolating failure-inducing input', 2002
//!   (ddmin), on the steps of a trace; then the shortest way from each of its states
//!   ([`mod@crate::fewest_switches`]).
//! - Decides: nothing; what is left reaches the transition looked for, and no single step can be left
//!   out. If the search from the start was not cut, it is a shortest trace with the fewest switches.
//! - Needs of the system: nothing.
//! - Costs: at most quadratically many replays of the trace, and as many searches as it has steps,
//!   each within the given bound on nodes.
//!
//! A step that is left out can make others impossible: a shortened schedule is followed as far as it
//! goes, and what cannot be taken is skipped ([`follow`]).

use std::ops::ControlFlow;

use super::fewest_switches::{Bounds, Fewest, fewest_switches, switches};
use crate::system::{Configuration, Product, System, TraceStep, Transition};

/// A trace made short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduced<Label> {
    /// The steps; the last one is the transition looked for.
    pub trace: Vec<TraceStep<Label>>,
    /// How often a process's step is followed by another process's.
    pub switches: usize,
    /// Whether no trace is shorter, and none as short has fewer switches.
    pub proved: bool,
}

/// What came of following a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed<Label> {
    /// The steps that were taken.
    pub trace: Vec<TraceStep<Label>>,
    /// The state after each of them, the first state first.
    pub states: Vec<Configuration>,
    /// By step of the schedule: which step of `trace` came of it.
    pub took: Vec<Option<usize>>,
    /// Whether the last step taken is the one looked for.
    pub reached: bool,
}

/// Follows a schedule from the initial state until `wanted` accepts a transition: each process, when
/// it is its turn, takes the very alternative if it is there, else one of the same label, else of the
/// same number, else its first;
/// a process that cannot step is passed over.
pub fn follow<S: System>(
    product: &Product<'_, S>,
    schedule: &[TraceStep<S::Label>],
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Followed<S::Label> {
    let mut now = product.initial();
    let mut followed =
        Followed { trace: Vec::new(), states: vec![now], took: Vec::new(), reached: false };
    for step in schedule {
        let taken = take(product, &now, step.actor, Some(step), wanted);
        followed.took.push(taken.as_ref().map(|_| followed.trace.len()));
        if let Some((step, after, reached)) = taken {
            followed.trace.push(step);
            followed.states.push(after);
            now = after;
            if reached {
                followed.reached = true;
                break;
            }
        }
    }
    followed
}

/// One step of `actor` from `now`, as near to `like` as there is one: the step, the state after it,
/// and what `wanted` says of it.
pub(crate) fn take<S: System>(
    product: &Product<'_, S>,
    now: &Configuration,
    actor: usize,
    like: Option<&TraceStep<S::Label>>,
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Option<(TraceStep<S::Label>, Configuration, bool)> {
    let mut options = Vec::new();
    let _ = product.successors(now, &mut Vec::new(), |t| {
        if t.actor == actor {
            options.push((t.ordinal, t.label.clone()));
        }
        ControlFlow::Continue(())
    });
    let nearest = |like: &TraceStep<S::Label>| {
        let same = options.iter().find(|o| o.0 == like.ordinal && o.1 == like.label);
        let label = || options.iter().find(|o| o.1 == like.label);
        let ordinal = || options.iter().find(|o| o.0 == like.ordinal);
        same.or_else(label).or_else(ordinal)
    };
    let (ordinal, _) = *like.and_then(nearest).or_else(|| options.first())?;
    let mut found = None;
    let _ = product.successors(now, &mut Vec::new(), |t| {
        if t.actor == actor && t.ordinal == ordinal {
            found = Some((t.as_trace_step(), *t.after, wanted(t)));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    found
}

/// Shortens `trace` to one that still reaches a transition which `wanted` accepts; `None` if `trace`
/// itself, as far as it can be followed, does not. `nodes`: the bound on each search.
pub fn reduce<S: System>(
    product: &Product<'_, S>,
    trace: &[TraceStep<S::Label>],
    nodes: usize,
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Option<Reduced<S::Label>> {
    let followed = follow(product, trace, wanted);
    if !followed.reached {
        return None;
    }
    let bounds = Bounds { skip: 0, nodes };
    match fewest_switches(product, product.initial(), bounds, &mut *wanted) {
        Fewest::Trace { trace, switches } => {
            return Some(Reduced { trace, switches, proved: true });
        }
        Fewest::Nothing => unreachable!("the trace itself reaches it"),
        Fewest::Cut => {}
    }
    let mut best = ddmin(product, followed.trace, wanted);
    // From the last states of the trace the way is short: the search goes back until it is cut.
    for at in (0..best.len()).rev() {
        let states = follow(product, &best, wanted).states;
        match fewest_switches(product, states[at], bounds, &mut *wanted) {
            Fewest::Trace { trace, .. } if at + trace.len() < best.len() => {
                best.truncate(at);
                best.extend(trace);
            }
            Fewest::Trace { .. } => {}
            Fewest::Nothing | Fewest::Cut => break,
        }
    }
    let best = ddmin(product, best, wanted);
    Some(Reduced { switches: switches(&best), trace: best, proved: false })
}

/// ddmin on the steps of a trace that reaches what is wanted.
fn ddmin<S: System>(
    product: &Product<'_, S>,
    mut trace: Vec<TraceStep<S::Label>>,
    wanted: &mut dyn FnMut(&Transition<'_, S::Label>) -> bool,
) -> Vec<TraceStep<S::Label>> {
    let mut parts = 2;
    while trace.len() >= 2 {
        let size = trace.len().div_ceil(parts);
        let mut shorter = None;
        for from in (0..trace.len()).step_by(size) {
            let to = (from + size).min(trace.len());
            let without = [&trace[..from], &trace[to..]].concat();
            let followed = follow(product, &without, wanted);
            if followed.reached && followed.trace.len() < trace.len() {
                shorter = Some(followed.trace);
                break;
            }
        }
        match shorter {
            Some(shorter) => {
                trace = shorter;
                parts = (parts - 1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(trace.len()),
        }
    }
    trace
}
