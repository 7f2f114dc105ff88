//! The one interface between a system and every explorer: processes, not whole states.
//!
//! The product of N processes, symmetry, wake-ups, history and replay are generic adapters over
//! [`System::step`]. What a step does to others every explorer works out for its own form of states;
//! that all mean the same is tested against one that shares nothing with them (`tests/common/naive.rs`).

/// The shared state, packed by the system into the low [`System::shared_bits`] bits.
pub type Shared = u128;

/// The local state of one process, packed by the system into the low [`System::local_bits`] bits.
pub type Local = u64;

/// The local state of a process that has not been started: it has no step, and [`Effect::Spawn`]
/// starts it. A process may also end by becoming dormant again.
pub const DORMANT: Local = 0;

/// A kind of process. Processes of one kind are interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

/// A wait queue, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue(pub u8);

/// What a step does to processes other than the one that takes it: a process that goes to sleep on
/// the queue it wakes stays asleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing.
    None,
    /// Wakes every process asleep on the queue.
    WakeAll(Queue),
    /// Wakes one process asleep on the queue: any of them, each a transition of its own. Nobody
    /// asleep: one transition that wakes nobody.
    WakeOne(Queue),
    /// Starts the first dormant process of the kind in the given local state. A process that becomes
    /// dormant by this very step is not one to start: otherwise it would depend on the order of
    /// processes whether its own local state afterwards is the new one.
    Spawn(Kind, Local),
}

/// Whether a step is the system's own doing or a way out that only a scenario grants. In the order of
/// how sure it is to come: a time-out does at last, a signal only if somebody sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WayOut {
    /// An ordinary step.
    Ordinary,
    /// A time-out fires. It may fire at any moment of a wait.
    TimeOut,
    /// A signal ends a wait.
    Killed,
}

/// The bits of [`Shared`] that a step read and wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bits whose value could have changed the step.
    pub reads: Shared,
    /// Bits that the step assigned, changed or not.
    pub writes: Shared,
}

/// One way for a process to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<Label> {
    /// The shared state afterwards.
    pub shared: Shared,
    /// The process's own local state afterwards.
    pub local: Local,
    /// What happens to others.
    pub effect: Effect,
    /// Ordinary step, or a way out.
    pub way_out: WayOut,
    /// What was read and written.
    pub footprint: Footprint,
    /// What a reader calls the step.
    pub label: Label,
}

/// Where a system begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initial {
    /// The shared state.
    pub shared: Shared,
    /// The processes, in order; [`DORMANT`] ones are a pool for [`Effect::Spawn`].
    pub processes: Vec<(Kind, Local)>,
}

/// A system of processes that share one state and step one at a time (sequential consistency).
pub trait System: Sync {
    /// What a step is called.
    type Label: Copy + Eq + std::fmt::Debug + Send;

    /// How many low bits of [`Shared`] are in use, at most 128.
    fn shared_bits(&self) -> u32;

    /// How many low bits of [`Local`] are in use, at most 64, the same for every kind.
    fn local_bits(&self) -> u32;

    /// The one state in which everything begins.
    fn initial(&self) -> Initial;

    /// Appends every way in which a process of `kind` in state `local` can step. A process that has
    /// not [returned](System::returned) and has no way to step is blocked.
    fn step(
        &self,
        kind: Kind,
        shared: Shared,
        local: Local,
        choices: &mut Vec<Choice<Self::Label>>,
    );

    /// History: what a process remembers of a change of the shared state, whoever made it. Applied
    /// to every process, also to the one that took the step (after it), before anybody is woken;
    /// not applied when the step left the shared state as it was.
    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local;

    /// The local state of a process once `queue` has woken it; `None` if it is not asleep there.
    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local>;

    /// The local state of a process that carries no history, for proofs about any number of
    /// processes ([`crate::coverability`]): what only properties read is forgotten. Nothing else may
    /// depend on what is forgotten: `step`, `observe`, `wake` and `returned` of the anonymous local
    /// state are the anonymous ones of the local state. [`DORMANT`] stays [`DORMANT`], and nothing
    /// else becomes it.
    fn anonymous(&self, _kind: Kind, local: Local) -> Local {
        local
    }

    /// Whether the process has nothing more to do, so that having no step is as it should be.
    fn returned(&self, kind: Kind, local: Local) -> bool;
}
