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
    /// Most bytes for the stored states, parents and the hash table.
    pub bytes: Option<u64>,
    /// Longest time.
    pub time: Option<Duration>,
}

/// How to search.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Take states that differ only by exchanging processes of one kind for one.
    pub symmetry: bool,
    /// Bounds.
    pub limits: Limits,
    /// Set by somebody else to end the search.
    pub interrupt: Option<&'a AtomicBool>,
    /// Called now and then.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Stop after the first level at which all of these properties have been violated; 0: never.
    pub stop_when_violated: u64,
}

/// Where a search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Distinct states so far.
    pub states: u64,
    /// Depth of the level being expanded.
    pub depth: u32,
    /// States found and not yet expanded.
    pub queue: u64,
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
