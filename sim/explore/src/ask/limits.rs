//! How far a search may go, and how it ended.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::system::Kind;

/// Bounds on one search. A search that meets one ends in [`End`] other than `Complete`, never in a
/// verdict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Most distinct states to store; the initial one is stored in any case.
    pub states: Option<u64>,
    /// Most bytes for what grows with the states.
    pub bytes: Option<u64>,
    /// Longest time.
    pub time: Option<Duration>,
}

/// How to search.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Take states that differ only by exchanging processes of one kind for one.
    pub symmetry: bool,
    /// Follow every transition, also one of which the end is found otherwise (`bfs/sleep.rs`, `counted/sleep.rs`). The result
    /// does not depend on it.
    pub follow_all: bool,
    /// Workers; 0 counts as 1. The result does not depend on it.
    pub threads: usize,
    /// Bounds.
    pub limits: Limits,
    /// Set by somebody else to end the search.
    pub interrupt: Option<&'a AtomicBool>,
    /// Called now and then.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Stop after the first level at which all of these properties have been violated; 0: never.
    pub stop_when_violated: u64,
    /// The steps of so many pairs of a shared and a local state are kept, once asked for, and forgotten
    /// when there are more; 0: as many as usual. The result does not depend on it. It is there for
    /// tests: small systems come to forget, too.
    pub steps_kept: usize,
}

/// Where a search is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Distinct states so far.
    pub states: u64,
    /// Transitions so far.
    pub transitions: u64,
    /// Depth of the level being expanded.
    pub depth: u32,
    /// States found and not yet expanded.
    pub queue: u64,
    /// States of the level being expanded.
    pub level: u64,
    /// Of these, not yet expanded.
    pub level_left: u64,
    /// Bytes held for what grows with the states.
    pub bytes: u64,
    /// [`Limits::bytes`].
    pub bytes_limit: Option<u64>,
    /// Time since the search began.
    pub elapsed: Duration,
}

impl Progress {
    /// Distinct states found in a second, so far on average; 0 before the first moment has passed.
    pub fn states_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.states as f64 / seconds } else { 0.0 }
    }

    /// Bytes held for each state.
    pub fn bytes_per_state(&self) -> f64 {
        self.bytes as f64 / self.states.max(1) as f64
    }

    /// What will be held when the level being expanded is done, if the rest of it finds new states at
    /// the rate of its first part. `None` before the level has been begun. How many levels follow
    /// cannot be known.
    pub fn bytes_after_level(&self) -> Option<u64> {
        let done = self.level.checked_sub(self.level_left).filter(|done| *done > 0)?;
        let new = self.queue.checked_sub(self.level_left)?;
        let to_come = new as f64 / done as f64 * self.level_left as f64;
        Some(self.bytes + (to_come * self.bytes_per_state()) as u64)
    }

    /// How long until [`Limits::bytes`] is met, if states keep coming at the present rate.
    pub fn time_to_bytes_limit(&self) -> Option<Duration> {
        let left = self.bytes_limit?.saturating_sub(self.bytes);
        let seconds = left as f64 / self.bytes_per_state() / self.states_per_second();
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every reachable state was expanded.
    Complete,
    /// Every property of `stop_when_violated` was violated.
    Violated,
    /// The limit on states was met.
    StatesLimit,
    /// The limit on memory was met.
    MemoryLimit,
    /// The limit on time was met.
    TimeLimit,
    /// Interrupted.
    Interrupted,
    /// A step spawned a process of this kind and no dormant one was left: the bound on helpers is
    /// too small for this system.
    PoolExhausted(Kind),
}
