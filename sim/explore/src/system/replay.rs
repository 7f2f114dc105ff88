//! Re-executes a trace in the exact system: no packing, no symmetry, no visited set.

use std::ops::ControlFlow;

use super::interface::System;
use super::product::{Configuration, Product, Transition};
use super::trace::TraceStep;

/// A trace that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible<Label> {
    /// The first step that cannot be taken, counted from 0.
    pub step: usize,
    /// What that process could have done instead.
    pub possible: Vec<Label>,
}

/// Takes the steps of `trace` from the initial state, calling `visit` for each, and returns the last
/// state.
///
/// # Errors
/// The first step whose process has no alternative of that number with that label.
pub fn replay<S: System>(
    product: &Product<'_, S>,
    trace: &[TraceStep<S::Label>],
    visit: impl FnMut(usize, &Transition<'_, S::Label>),
) -> Result<Configuration, Impossible<S::Label>> {
    let mut ways = Vec::new();
    replay_by(product.initial(), trace, visit, |now, actor, visit| {
        if actor < product.processes() {
            let _ = product.successors_of(now, actor, &mut ways, visit);
        }
    })
}

/// What is called with each transition.
type Visit<'v, Label, State> = &'v mut dyn FnMut(&Transition<'_, Label, State>) -> ControlFlow<()>;

/// The same for any form of whole states: `transitions` calls its last argument with each transition of one
/// process, until that says that it is enough.
pub(super) fn replay_by<Label: Clone + PartialEq, State: Clone>(
    initial: State,
    trace: &[TraceStep<Label>],
    mut visit: impl FnMut(usize, &Transition<'_, Label, State>),
    mut transitions: impl FnMut(&State, usize, Visit<'_, Label, State>),
) -> Result<State, Impossible<Label>> {
    let mut now = initial;
    for (number, wanted) in trace.iter().enumerate() {
        let (mut possible, mut next) = (Vec::new(), None);
        transitions(&now, wanted.actor, &mut |taken| {
            possible.push(taken.label.clone());
            if taken.ordinal == wanted.ordinal && taken.label == wanted.label {
                visit(number, taken);
                next = Some(taken.after.clone());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        now = next.ok_or(Impossible { step: number, possible })?;
    }
    Ok(now)
}
