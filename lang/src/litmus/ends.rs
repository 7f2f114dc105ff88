//! What is looked for: final states, and processes that have failed.

use std::collections::BTreeSet;

use kmodcheck_explore::{Asks, Configuration, Monitor, Shared, Step, Tally, Transition};

use super::Program;
use super::question::kinds;
use crate::machine::{FAILED, Label};

/// A final state in which the condition is met.
pub(super) const MEETS: u32 = 0;
/// One in which it is not.
pub(super) const MISSES: u32 = 1;
/// Somebody has failed.
pub(super) const FAILS: u32 = 2;

pub(super) struct Ends<'p>(pub &'p Program);

/// Distinct final states.
#[derive(Default)]
pub(super) struct Finals(pub BTreeSet<Configuration>);

impl Tally for Finals {
    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl Ends<'_> {
    pub fn is_final(&self, state: &Configuration) -> bool {
        let machine = &self.0.machine;
        machine.is_final(state.shared, kinds(machine).zip(state.locals))
    }

    /// Which of the three a state is, one bit each.
    pub fn judged(&self, state: &Configuration) -> u64 {
        let Program { machine, question, .. } = self.0;
        let failed = state.locals.iter().take(machine.processes.len()).any(|l| *l == FAILED);
        if failed {
            return 1 << FAILS;
        }
        if !self.is_final(state) {
            return 0;
        }
        let local = |process: usize| state.locals[process];
        match question.filter.is(machine, state.shared, &local) {
            true if question.condition.is(machine, state.shared, &local) => 1 << MEETS,
            true => 1 << MISSES,
            false => 0,
        }
    }
}

impl Monitor<Label> for Ends<'_> {
    type Tally = Finals;

    fn name(&self, property: u32) -> String {
        ["ends as asked", "ends otherwise", "fails"][property as usize].to_owned()
    }

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        self.judged(transition.after)
    }

    fn record(&self, tally: &mut Finals, transition: &Transition<'_, Label>, _: u64) {
        if self.is_final(transition.after) {
            tally.0.insert(*transition.after);
        }
    }
}

/// A monitor for any engine, with one property: no step fails (an assertion, a value beyond its range).
#[derive(Clone, Copy, Debug)]
pub struct Failing;

impl Monitor<Label> for Failing {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn name(&self, _: u32) -> String {
        "nothing fails".to_owned()
    }

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        u64::from(step.local_after == FAILED)
    }

    fn looks_at(&self, _: &Step<Label>) -> Shared {
        0
    }
}
