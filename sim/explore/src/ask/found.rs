//! What comes back from a search.

use super::limits::End;
use super::monitor::{Asks, Monitor};
use crate::system::{Fault, Kind, MAX_PROCESSES, System, TraceStep};

/// A property was violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<Label> {
    /// Which property.
    pub property: u32,
    /// What the monitor calls it.
    pub name: String,
    /// From the initial state; the last step violates, or without a step the initial state does. No
    /// shorter trace does, if [`Method::shortest`].
    pub trace: Vec<TraceStep<Label>>,
}

/// What the answers of a search mean, whatever it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// What the engine is called.
    pub engine: &'static str,
    /// What a complete search has not found is not there: only then a property may be said to hold.
    pub exhaustive: bool,
    /// No shorter trace shows what a trace shows.
    pub shortest: bool,
    /// States that differ only by exchanging processes of one kind were taken for one.
    pub symmetry: bool,
    /// Of steps that commute not every order was taken: states and transitions are fewer than there are.
    pub partial_order: bool,
    /// A complete search has found a process that is stuck if there is one.
    pub decides_stuck: bool,
}

/// What a search found, whichever engine searched.
#[derive(Clone, Debug)]
pub struct Exploration<Label, T = ()> {
    /// What the engine can say at all.
    pub method: Method,
    /// How it ended; nothing below is a verdict unless [`Exploration::is_exhaustive`], except what was
    /// found: violations, and who is stuck.
    pub end: End,
    /// Distinct states found (up to symmetry, if that was on).
    pub states: u64,
    /// Transitions from the expanded states, each process and each process woken counting as one.
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
    /// A process that can never run again unless somebody is killed, with a trace to such a state, if there
    /// is one. Decided only by a complete search, and only if [`Method::decides_stuck`].
    pub stuck: Option<Stuck<Label>>,
    /// A process that can run again by a time-out only, likewise.
    pub stuck_until_time_out: Option<Stuck<Label>>,
    /// By kind and by how long they sleep: those whom no ordinary step wakes, likewise.
    pub sleepers: Vec<Sleeper<Label>>,
    /// States in which some process was blocked: how often there was something to get stuck in.
    pub blocked_states: u64,
    /// Words of a packed state; 0 where states are not packed into words.
    pub words: usize,
    /// Most bytes held at any time for what grows with the states.
    pub bytes: u64,
    /// Bytes of the tables of the states found, at the end, without frontiers and sleep sets; 0 where an engine
    /// has no such tables.
    pub tables: u64,
    /// What the monitor counted.
    pub tally: T,
    /// What only this engine has to say.
    pub own: Own,
}

impl<Label, T> Exploration<Label, T> {
    /// Whether what was not found is not there.
    pub fn is_exhaustive(&self) -> bool {
        self.method.exhaustive && self.end == End::Complete
    }

    /// The violation of the property of that name.
    pub fn violation(&self, name: &str) -> Option<&Violation<Label>> {
        self.violations.iter().find(|violation| violation.name == name)
    }
}

/// What only some engines have to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Nothing.
    Nothing,
    /// Of a search over several processes.
    Distributed {
        /// Which process ended the search early, and why.
        because: Option<String>,
        /// States that went from one worker to another.
        sent: u64,
    },
    /// Of a search by counting.
    Counted {
        /// Distinct local states that were met, of all kinds.
        locals: u32,
    },
    /// Of a directed search, in the turn that found most states.
    Directed {
        /// States expanded: with a new atom, with a new pair of atoms, and others.
        expanded: [u64; 3],
    },
    /// Of a search reduced by partial order.
    Reduced {
        /// States of which some steps were left out.
        in_part: u64,
        /// Whether anything was known of what commutes. If not, because the pass before the search would
        /// have taken more than [`crate::counted::PASS`] questions, nothing was left out.
        informed: bool,
    },
}

/// Why a system cannot be explored at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplorable {
    /// More processes than this search has room for.
    #[error("found {found} processes, expected at most {most} for this search")]
    TooManyProcesses {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The monitor asks about more than this search knows.
    #[error(
        "found a monitor that asks about {}, expected one that asks about {} for this search",
        found.in_words(), most.in_words()
    )]
    Asks {
        /// What it asks about.
        found: Asks,
        /// What this search can answer.
        most: Asks,
    },
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
    /// The system breaks a promise.
    #[error("{0}")]
    Fault(#[from] Fault),
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

impl Unexplorable {
    /// More processes than a product has.
    pub(crate) fn too_many<S: System>(system: &S) -> Self {
        Self::TooManyProcesses { found: system.initial().processes.len(), most: MAX_PROCESSES }
    }
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
    /// A trace to a state from which it never runs again; the shortest, if [`Method::shortest`].
    pub trace: Vec<TraceStep<Label>>,
    /// How many distinct states have such a process.
    pub states: u64,
}

/// All violations, by property: of those that the initial state violates, one bit each, without a step;
/// and the `later` ones, which are others.
pub(crate) fn violations<Label, M: Monitor<Label>>(
    monitor: &M,
    initially: u64,
    later: impl Iterator<Item = Violation<Label>>,
) -> Vec<Violation<Label>> {
    let initially = (0..64).filter(|property| initially >> property & 1 != 0);
    let at_once =
        |property| Violation { property, name: monitor.name(property), trace: Vec::new() };
    let mut violations: Vec<_> = initially.map(at_once).chain(later).collect();
    violations.sort_by_key(|violation| violation.property);
    violations
}
