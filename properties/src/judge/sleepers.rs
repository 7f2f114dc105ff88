//! Who sleeps, and what ends it: confirmed without the explorer, and said in one way everywhere.
//!
//! A kill that may come is no guarantee: whoever only a kill lets go on hangs until an administrator
//! finds it. So *nobody sleeps for ever* is violated there, and [`Sleep`] says that a kill would end it.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

use kmodcheck_explore::stuck::Sleep;
use kmodcheck_explore::{Configuration, Product, System, WayOut};

/// What becomes of a call that sleeps so, in words.
pub fn in_words(sleep: Sleep) -> &'static str {
    match sleep {
        Sleep::ForEver => "sleeps for ever",
        Sleep::UntilKilled => "returns only if somebody is killed",
        Sleep::UntilTimeOut => "returns by a time-out only",
    }
}

/// Whether some process that is blocked in `from` is blocked in every state that is reachable from
/// there without a kill.
pub(crate) fn somebody_is_stuck<S: System>(product: &Product<'_, S>, from: Configuration) -> bool {
    never_run(product, from, WayOut::TimeOut) != 0
}

/// The processes that are blocked in every state that is reachable from `from` by steps up to `last`,
/// in the order of [`WayOut`], one bit each: a plain forward search, sharing nothing with the
/// explorer's fixpoint.
fn never_run<S: System>(product: &Product<'_, S>, from: Configuration, last: WayOut) -> u32 {
    let mut seen = BTreeSet::from([from]);
    let mut queue = VecDeque::from([from]);
    let mut stuck: u32 = (1 << product.processes()) - 1;
    let mut scratch = Vec::new();
    while let Some(state) = queue.pop_front() {
        let mut running = 0;
        let _ = product.successors(&state, &mut scratch, |transition| {
            if transition.way_out <= last {
                running |= 1 << transition.actor;
                if seen.insert(*transition.after) {
                    queue.push_back(*transition.after);
                }
            }
            ControlFlow::Continue(())
        });
        for i in 0..product.processes() {
            if running & 1 << i != 0 || product.returned(&state, i) {
                stuck &= !(1 << i);
            }
        }
        if stuck == 0 {
            break;
        }
    }
    stuck
}

/// The processes that sleep so in `from`, one bit each.
pub(crate) fn asleep<S: System>(
    product: &Product<'_, S>,
    from: Configuration,
    sleep: Sleep,
) -> u32 {
    let never = |last| never_run(product, from, last);
    match sleep {
        Sleep::ForEver => never(WayOut::Killed),
        Sleep::UntilKilled => never(WayOut::TimeOut) & !never(WayOut::Killed),
        Sleep::UntilTimeOut => never(WayOut::Ordinary) & !never(WayOut::TimeOut),
    }
}
