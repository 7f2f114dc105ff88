//! A trace: the steps of a run, enough to take it again.

use super::product::Transition;

/// One step of a trace, enough to take it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceStep<Label> {
    /// Which process.
    pub actor: usize,
    /// Which of its alternatives, counted from 0.
    pub ordinal: u32,
    /// What the step is called.
    pub label: Label,
}

impl<Label: Clone, State> Transition<'_, Label, State> {
    /// The transition as a step of a trace.
    pub fn as_trace_step(&self) -> TraceStep<Label> {
        TraceStep { actor: self.actor, ordinal: self.ordinal, label: self.label.clone() }
    }
}
