//! Confirms, without the explorer, that a process never runs again from a given state.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

use kmodcheck_explore::{Configuration, Product, System};

/// Whether some process that is blocked in `from` is blocked in every state reachable from there:
/// a plain forward search, sharing nothing with the explorer's fixpoint.
pub(crate) fn somebody_is_stuck<S: System>(product: &Product<'_, S>, from: Configuration) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut queue = VecDeque::from([from]);
    let mut stuck = u32::MAX;
    let mut scratch = Vec::new();
    while let Some(state) = queue.pop_front() {
        let mut running = 0;
        let _ = product.successors(&state, &mut scratch, |transition| {
            running |= 1 << transition.actor;
            if seen.insert(*transition.after) {
                queue.push_back(*transition.after);
            }
            ControlFlow::Continue(())
        });
        for i in 0..product.processes() {
            if running & 1 << i != 0 || product.returned(&state, i) {
                stuck &= !(1 << i);
            }
        }
        if stuck & ((1 << product.processes()) - 1) == 0 {
            return false;
        }
    }
    stuck & ((1 << product.processes()) - 1) != 0
}
