//! Who sleeps, and what ends it: confirmed without the explorer, and said in one way everywhere.
//!
//! A kill that may come is no guarantee: whoever only a kill lets go on hangs until an administrator
//! finds it. So *nobody sleeps for ever* is violated there, and [`Sleep`] says that a kill would end it.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

use kmodcheck_explore::concrete::{State, transitions_of_one};
use kmodcheck_explore::{DORMANT, Kind, Local, Sleep, System, WayOut};

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
pub(crate) fn somebody_is_stuck<S: System>(system: &S, from: &State) -> bool {
    !never_run(system, from, WayOut::TimeOut).is_empty()
}

/// The processes that are blocked in every state that is reachable from `from` by steps up to `last`,
/// in the order of [`WayOut`]. Of those that are alike one stands for all.
fn never_run<S: System>(system: &S, from: &State, last: WayOut) -> BTreeSet<(Kind, Local)> {
    let all: BTreeSet<(Kind, Local)> = from.processes.iter().copied().collect();
    all.into_iter().filter(|process| never_runs(system, from, *process, last)).collect()
}

/// A plain forward search, sharing nothing with the explorer's fixpoint. The process comes first, the others
/// are sorted: who of them is who makes no difference to it.
fn never_runs<S: System>(system: &S, from: &State, process: (Kind, Local), last: WayOut) -> bool {
    let sorted = |mut state: State| {
        state.processes[1..].sort_unstable();
        state
    };
    let mut first = from.clone();
    let at = first.processes.iter().position(|p| *p == process).expect("it is one of them");
    first.processes.swap(0, at);
    let first = sorted(first);
    let mut seen = BTreeSet::from([first.clone()]);
    let mut queue = VecDeque::from([first]);
    while let Some(state) = queue.pop_front() {
        let (kind, local) = state.processes[0];
        if local == DORMANT || system.returned(kind, local) {
            return false;
        }
        for actor in 0..state.processes.len() {
            let alike = actor > 1 && state.processes[actor - 1] == state.processes[actor];
            if alike {
                continue;
            }
            let mut runs = false;
            let _ = transitions_of_one(system, &state, actor, |taken| {
                if taken.step.way_out <= last {
                    runs = true;
                    let after = sorted(taken.after.clone());
                    if seen.insert(after.clone()) {
                        queue.push_back(after);
                    }
                }
                ControlFlow::Continue(())
            });
            if runs && actor == 0 {
                return false;
            }
        }
    }
    true
}

/// The processes that sleep so in `from`.
pub(crate) fn asleep<S: System>(system: &S, from: &State, sleep: Sleep) -> BTreeSet<(Kind, Local)> {
    let never = |last| never_run(system, from, last);
    match sleep {
        Sleep::ForEver => never(WayOut::Killed),
        Sleep::UntilKilled => &never(WayOut::TimeOut) - &never(WayOut::Killed),
        Sleep::UntilTimeOut => &never(WayOut::Ordinary) - &never(WayOut::TimeOut),
    }
}
