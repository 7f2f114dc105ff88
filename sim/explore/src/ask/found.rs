//! What comes back from a search.

use super::limits::End;
use crate::system::{Kind, MAX_PROCESSES, TraceStep};

/// A property was violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<Label> {
    /// Which property.
    pub property: u32,
    /// From the initial state; the last step violates. No shorter trace does.
    pub trace: Vec<TraceStep<Label>>,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Exploration<Label, T = ()> {
    /// How it ended; nothing below is a verdict unless this is [`End::Complete`], except violations.
    pub end: End,
    /// Distinct states found (up to symmetry, if that was on).
    pub states: u64,
    /// Transitions from the expanded states.
    pub transitions: u64,
    /// Of these, those that were followed; the others lead to states that these lead to, and on the same
    /// level (`bfs/sleep.rs`).
    pub followed: u64,
    /// Steps to the farthest state found.
    pub depth: u32,
    /// States found and not expanded; 0 if complete.
    pub queue: u64,
    /// The first violation of each property that was violated, by property.
    pub violations: Vec<Violation<Label>>,
    /// A process that can never run again unless somebody is killed, with the shortest trace to such
    /// a state, if there is one. Decided only by a complete search.
    pub stuck: Option<Stuck<Label>>,
    /// A process that can run again by a time-out only, likewise.
    pub stuck_until_time_out: Option<Stuck<Label>>,
    /// By kind and by how long they sleep: those whom no ordinary step wakes, likewise.
    pub sleepers: Vec<Sleeper<Label>>,
    /// States in which some process was blocked: how often there was something to get stuck in.
    pub blocked_states: u64,
    /// Words of a packed state.
    pub words: usize,
    /// Most bytes held at any time for what grows with the states.
    pub bytes: u64,
    /// What the monitor counted.
    pub tally: T,
}

/// Why a system cannot be explored at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplorable {
    /// Too many processes for a product.
    #[error("more than {} processes in one product", MAX_PROCESSES)]
    TooManyProcesses,
    /// The state does not fit.
    #[error("a state takes {0} bits, more than 512")]
    TooWide(u32),
    /// The shared state or a local state does not fit its word.
    #[error("{shared} shared bits and {local} local bits, more than 128 and 64")]
    WordTooWide {
        /// [`System::shared_bits`](crate::System::shared_bits).
        shared: u32,
        /// [`System::local_bits`](crate::System::local_bits).
        local: u32,
    },
    /// The initial state uses more bits than the system declares.
    #[error("the initial state does not fit the bits that the system declares")]
    InitialOutOfBits,
}

/// A violation that was found, by a way that need not be the shortest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead<Label> {
    /// Which property.
    pub property: u32,
    /// From the initial state; the last step violates.
    pub trace: Vec<TraceStep<Label>>,
}

/// How long a process sleeps that no ordinary step wakes, of whomever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sleep {
    /// For ever.
    ForEver,
    /// Until somebody is killed: itself, or one whose death lets others go on.
    UntilKilled,
    /// Until a time limit is over.
    UntilTimeOut,
}

impl Sleep {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ForEver, Self::UntilKilled, Self::UntilTimeOut];
}

/// The shallowest of a kind of processes that sleeps so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sleeper<Label> {
    /// The kind.
    pub kind: Kind,
    /// How long it sleeps.
    pub sleep: Sleep,
    /// Which process, and how it comes to that. A shallower state may have one that sleeps in another
    /// way.
    pub stuck: Stuck<Label>,
}

/// A process that is blocked for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck<Label> {
    /// Which process.
    pub process: usize,
    /// The shortest trace to a state from which it never runs again.
    pub trace: Vec<TraceStep<Label>>,
    /// How many distinct states have such a process.
    pub states: u64,
}

/// A reachable state in which nobody can step and somebody has not returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock<Label> {
    /// A process that has not returned.
    pub process: usize,
    /// A trace to the state; not proved shortest.
    pub trace: Vec<TraceStep<Label>>,
    /// How many distinct states are like that. No reduction leaves one out.
    pub states: u64,
}
