//! Properties of single steps, in a form that every explorer of this crate can ask.
//!
//! A [`Transition`] of the product names processes by number, which a counted state cannot. [`Step`]
//! is what both have: the shared state before and after, the stepping process's own local state
//! before and after, and the label. A predicate on that, a [`Watch`], is asked by
//! [`crate::counted`], [`crate::directed`] and [`crate::por`], and by [`crate::bfs`] through
//! [`EachStep`].

use crate::bfs::Monitor;
use crate::product::{Configuration, Transition};
use crate::system::{Footprint, Kind, Local, Shared, System, WayOut};

/// What one process did, without the other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<Label> {
    /// The kind of the process.
    pub kind: Kind,
    /// The shared state before.
    pub shared_before: Shared,
    /// The shared state after.
    pub shared_after: Shared,
    /// The process's own local state before.
    pub local_before: Local,
    /// And after, with what it remembers of its own step.
    pub local_after: Local,
    /// What the step is called.
    pub label: Label,
    /// Ordinary step or way out.
    pub way_out: WayOut,
    /// What the step read and wrote.
    pub footprint: Footprint,
}

impl<Label: Copy> Step<Label> {
    /// The step of the process that acts in `transition`.
    pub fn of(transition: &Transition<'_, Label>) -> Self {
        Self {
            kind: transition.kind,
            shared_before: transition.before.shared,
            shared_after: transition.after.shared,
            local_before: transition.local_before(),
            local_after: transition.local_after(),
            label: transition.label,
            way_out: transition.way_out,
            footprint: transition.footprint,
        }
    }
}

/// How many processes are where.
pub trait Census {
    /// How many processes of the kind are in the local state.
    fn count(&self, kind: Kind, local: Local) -> usize;
}

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

impl<S: System, W: Watch<S::Label>> Monitor<S> for EachStep<W> {
    fn violated(&self, transition: &Transition<'_, S::Label>) -> u64 {
        let step = Step::of(transition);
        let numbered = |configuration| Numbered { kinds: &self.kinds, configuration };
        self.watch.violated(&step)
            | self.watch.violated_together(
                &step,
                &numbered(transition.before),
                &numbered(transition.after),
            )
    }

    fn record(&mut self, transition: &Transition<'_, S::Label>, _: u64) {
        self.watch.record(&Step::of(transition), 1);
    }
}
