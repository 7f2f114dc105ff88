//! Stored counted states, and traces to them.

use std::ops::ControlFlow;

use super::encoded::Decoded;
use super::space::Space;
use super::store::{NONE, Store};
use crate::ask::{Budget, Limits, Monitor, violated_by_counts};
use crate::system::concrete::State;
use crate::system::{System, TraceStep, concrete};

/// States that were found, each with the one it was found from.
pub(crate) struct States<'s, S: System> {
    pub space: Space<'s, S>,
    pub store: Store,
}

impl<'s, S: System> States<'s, S> {
    /// The initial state alone, and room for as many as `limits` have. It is the record 0.
    pub fn new(system: &'s S, initial: &State, symmetry: bool, limits: &Limits) -> Self {
        let mut space = Space::new(system, initial.processes.len() as u32, symmetry);
        let most = limits.states.unwrap_or(u64::MAX).max(1);
        let mut store = Store::new(most, Budget::new(limits.bytes));
        let mut body = Vec::new();
        let groups = space.number(initial.shared, &initial.processes, &mut body);
        store.insert(&body, space.tag(&body), groups.div_ceil(8), NONE);
        Self { space, store }
    }

    /// The properties that a candidate violates, one bit each. `before`: its parent, encoded.
    pub fn violated<M: Monitor<S::Label>>(
        &self,
        monitor: &M,
        choice: u32,
        before: &[u8],
        after: &[u8],
    ) -> u64 {
        let cached = &self.space.choices[choice as usize];
        if !M::ASKS.beyond_steps() {
            return cached.violated;
        }
        let (before, after) = (self.space.census(before), self.space.census(after));
        cached.violated
            | monitor.state_violates(cached.step.after, &after)
            | monitor.counts_violate(&cached.step, &before, &after)
    }

    /// The properties that the initial state violates, one bit each.
    pub fn initially<M: Monitor<S::Label>>(&self, monitor: &M) -> u64 {
        if !M::ASKS.beyond_steps() {
            return 0;
        }
        let shared = self.space.system.initial().shared;
        monitor.state_violates(shared, &self.space.census(self.store.tail(0)))
    }

    /// The records from the initial one to `record`.
    pub fn path_to(&self, mut record: u32) -> Vec<u32> {
        let mut path = vec![record];
        while self.store.parent(record) != NONE {
            record = self.store.parent(record);
            path.push(record);
        }
        path.reverse();
        path
    }

    /// The encoded state of a record.
    fn body(&self, record: u32) -> &[u8] {
        let mut state = Decoded::default();
        self.space.decode(self.store.tail(record), &mut state);
        &self.store.tail(record)[..state.bytes]
    }

    /// A trace of numbered processes to a state whose counted form is the record, and that state.
    pub fn trace_to(&self, record: u32) -> (Vec<TraceStep<S::Label>>, State) {
        let path: Vec<&[u8]> = self.path_to(record).into_iter().map(|r| self.body(r)).collect();
        let (system, symmetry) = (self.space.system, self.space.symmetry);
        let found = concrete::follow(system, path.len() - 1, symmetry, |number, taken| {
            self.space.is(path[number + 1], taken.after.shared, &taken.after.processes)
        });
        found.expect("a stored state is a successor of its parent")
    }

    /// A trace to the record `before`, and on by a transition of that choice that violates the
    /// property.
    pub fn trace_violating<M: Monitor<S::Label>>(
        &self,
        property: u32,
        before: u32,
        choice: u32,
        monitor: &M,
    ) -> Vec<TraceStep<S::Label>> {
        let (mut trace, before) = self.trace_to(before);
        let step = &self.space.choices[choice as usize].step;
        let mut last = None;
        let _ = concrete::transitions(self.space.system, &before, |taken| {
            let violated = || violated_by_counts(monitor, &taken.step, taken.before, taken.after);
            if taken.step == *step && violated() >> property & 1 != 0 {
                last = Some(taken.as_trace_step());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        trace.push(last.expect("a violating transition was found there"));
        trace
    }
}
