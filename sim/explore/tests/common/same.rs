//! A monitor of random systems that counts what can be sent and saved, and the comparison of two results
//! of one search.

use std::fmt::Debug;

use kmodcheck_explore::Monitor;
use kmodcheck_explore::{Exploration, Transition};

use super::random_system::{Label, RandomSystem};

/// A system's own properties, asked of whole transitions.
pub struct Properties<'a>(pub &'a RandomSystem);

impl Monitor<Label> for Properties<'_> {
    type Tally = u64;

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        self.0.violated_by(transition)
    }

    fn record(&self, tally: &mut u64, _: &Transition<'_, Label>, violated: u64) {
        *tally += 1 + (violated << 20);
    }
}

/// Asserts that all is the same but bytes, which are the workers' own.
pub fn same<L: Clone + PartialEq + Debug, T: PartialEq + Debug>(
    what: &str,
    found: &Exploration<L, T>,
    expected: &Exploration<L, T>,
) {
    let counts = |e: &Exploration<L, T>| {
        (e.end, e.states, e.transitions, e.depth, e.queue, e.blocked_states, e.words)
    };
    assert_eq!(counts(found), counts(expected), "{what}");
    assert_eq!(found.violations, expected.violations, "{what}");
    assert_eq!(found.stuck, expected.stuck, "{what}");
    assert_eq!(found.stuck_until_time_out, expected.stuck_until_time_out, "{what}");
    assert_eq!(found.sleepers, expected.sleepers, "{what}");
    assert_eq!(found.tally, expected.tally, "{what}");
}
