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
    mut visit: impl FnMut(usize, &Transition<'_, S::Label>),
) -> Result<Configuration, Impossible<S::Label>> {
    let mut now = product.initial();
    let mut scratch = Vec::new();
    for (number, step) in trace.iter().enumerate() {
        let mut possible = Vec::new();
        let mut next = None;
        let exhausted = product.successors(&now, &mut scratch, |transition| {
            if transition.actor == step.actor {
                possible.push(transition.label);
                if transition.ordinal == step.ordinal && transition.label == step.label {
                    visit(number, transition);
                    next = Some(*transition.after);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        match (exhausted, next) {
            (Ok(()), Some(after)) => now = after,
            _ => return Err(Impossible { step: number, possible }),
        }
    }
    Ok(now)
}
