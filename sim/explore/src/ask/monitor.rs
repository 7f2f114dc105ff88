//! What a search of the product looks for, and what it counts on the way.

use crate::system::{Step, System, Transition};

/// What a search looks for, and what it counts on the way. Properties are numbered from 0 to 63.
///
/// A property of single steps is far cheaper than one of whole transitions: it is asked once for each
/// distinct step, however many states the step is taken in, and searches without whole states (the
/// counted ones) can decide it too. A monitor of steps alone says so by [`WHOLE`](Self::WHOLE).
pub trait Monitor<S: System>: Sync {
    /// What each worker counts for itself.
    type Tally: Tally;

    /// Whether [`violates`](Self::violates) and [`record`](Self::record) are asked of every
    /// transition. `true` unless said otherwise, so that no property is left out by an oversight.
    const WHOLE: bool = true;

    /// The properties that a step violates, one bit each, whoever else stands where. A function of
    /// the step alone.
    fn step_violates(&self, _step: &Step<S::Label>) -> u64 {
        0
    }

    /// Told of every distinct step how often it was taken: once for each transition of each distinct
    /// state (with symmetry, of each representative). One step may be told of in several parts.
    fn record_step(
        &self,
        _tally: &mut Self::Tally,
        _step: &Step<S::Label>,
        _violated: u64,
        _times: u64,
    ) {
    }

    /// The properties that a whole transition violates, one bit each, besides those of its step. A
    /// function of the transition alone: it is asked again when a trace is rebuilt. With symmetry on,
    /// exchanging processes of one kind must not change the answer.
    fn violates(&self, _transition: &Transition<'_, S::Label>) -> u64 {
        0
    }

    /// Told of every transition of every distinct state, exactly once. `violated`: all that it
    /// violates, by its step or as a whole.
    fn record(
        &self,
        _tally: &mut Self::Tally,
        _transition: &Transition<'_, S::Label>,
        _violated: u64,
    ) {
    }
}

/// Sums that each worker keeps for itself and that are added up at the end.
pub trait Tally: Default + Send {
    /// Adds the sums of another worker. The order must not matter.
    fn add(&mut self, other: Self);
}

impl Tally for () {
    fn add(&mut self, (): Self) {}
}

impl Tally for u64 {
    fn add(&mut self, other: Self) {
        *self += other;
    }
}

/// Looks for nothing; for counting states.
pub struct CountOnly;

impl<S: System> Monitor<S> for CountOnly {
    type Tally = ();
    const WHOLE: bool = false;
}

/// All that a transition violates.
pub(crate) fn violated_by<S: System, M: Monitor<S>>(
    monitor: &M,
    transition: &Transition<'_, S::Label>,
) -> u64 {
    let whole = if M::WHOLE { monitor.violates(transition) } else { 0 };
    monitor.step_violates(&transition.step) | whole
}
