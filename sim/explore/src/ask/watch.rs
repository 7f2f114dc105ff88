//! Properties of single steps, in a form that every explorer of this crate can ask.
//!
//! A [`Transition`] of the product names processes by number, which a counted state cannot. [`Step`]
//! is what both have: the shared state before and after, the stepping process's own local state
//! before and after, and the label. A predicate on that, a [`Watch`], is asked by
//! [`crate::counted`], [`crate::directed`] and [`crate::por`], and by [`crate::bfs`] through
//! [`EachStep`].

use super::monitor::Monitor;
use crate::system::{Census, Configuration, Kind, Local, Shared, Step, System, Transition};

/// What a search looks for. Properties are numbered from 0 to 63.
pub trait Watch<Label> {
    /// The properties that this step violates, one bit each. A function of the step alone: an
    /// explorer may ask once for many transitions.
    fn violated(&self, step: &Step<Label>) -> u64;

    /// The properties that are violated by where everybody is before and after the step, one bit
    /// each. (A property of some steps only belongs into [`Watch::violated`], which costs less.)
    fn violated_together(&self, _: &Step<Label>, _before: &dyn Census, _after: &dyn Census) -> u64 {
        0
    }

    /// The bits of the shared state on which it depends whether such a step violates, besides those
    /// that the step reads. It may look at the kind, the local states and the label, at nothing else.
    /// All bits unless said otherwise: right for every watch, but little can be reduced then. Of
    /// steps that never violate, or whose own reads decide it, nobody need say anything.
    fn looks_at(&self, _: &Step<Label>) -> Shared {
        Shared::MAX
    }

    /// Told how often a step was taken: by how many transitions of distinct expanded states, each
    /// process and each process woken counting as one. In one call or in several.
    fn record(&mut self, _: &Step<Label>, _times: u64) {}
}

/// Looks for nothing; for counting states.
#[derive(Clone, Copy, Debug)]
pub struct WatchNothing;

impl<Label> Watch<Label> for WatchNothing {
    fn violated(&self, _: &Step<Label>) -> u64 {
        0
    }
}

/// A [`Watch`] as a [`Monitor`] of the product.
#[derive(Clone, Debug)]
pub struct EachStep<W> {
    /// What is asked.
    pub watch: W,
    kinds: Vec<Kind>,
}

impl<W> EachStep<W> {
    /// For the processes of that system.
    pub fn new<S: System>(system: &S, watch: W) -> Self {
        let kinds = system.initial().processes.into_iter().map(|(kind, _)| kind).collect();
        Self { watch, kinds }
    }
}

struct Numbered<'a> {
    kinds: &'a [Kind],
    configuration: &'a Configuration,
}

impl Census for Numbered<'_> {
    fn count(&self, kind: Kind, local: Local) -> usize {
        let processes = self.kinds.iter().zip(&self.configuration.locals);
        processes.filter(|(k, l)| (**k, **l) == (kind, local)).count()
    }
}

impl<S: System, W: Watch<S::Label> + Sync> Monitor<S> for EachStep<W> {
    /// How many transitions were recorded.
    type Tally = u64;

    fn step_violates(&self, step: &Step<S::Label>) -> u64 {
        self.watch.violated(step)
    }

    fn record_step(&self, tally: &mut u64, _: &Step<S::Label>, _: u64, times: u64) {
        *tally += times;
    }

    fn violates(&self, transition: &Transition<'_, S::Label>) -> u64 {
        let numbered = |configuration| Numbered { kinds: &self.kinds, configuration };
        let (before, after) = (numbered(transition.before), numbered(transition.after));
        self.watch.violated_together(&transition.step, &before, &after)
    }
}
