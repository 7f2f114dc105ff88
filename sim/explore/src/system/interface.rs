//! The one interface between a system and every explorer: processes, not whole states.
//!
//! The product of N processes, symmetry, wake-ups, history and replay are generic adapters over
//! [`System::step`]. What a step does to others every explorer works out for its own form of states;
//! that all mean the same is tested against one that shares nothing with them (`tests/common/naive.rs`).

/// The shared state, packed by the system into the low [`System::shared_bits`] bits.
pub type Shared = u128;

/// The local state of one process, packed by the system into the low [`System::local_bits`] bits.
pub type Local = u64;

/// What systems that have dormant processes usually take for their local state. It means nothing by itself:
/// [`System::dormant`] says what does.
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

impl Effect {
    /// The queue on which somebody may be woken.
    pub(crate) const fn queue(self) -> Option<Queue> {
        match self {
            Self::WakeAll(queue) | Self::WakeOne(queue) => Some(queue),
            Self::None | Self::Spawn(..) => None,
        }
    }
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
///
/// Partial-order reduction ([`crate::explore_reduced`]) leaves out more the less they are. Everybody else
/// only holds the system to what it declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bits whose value could have changed the step.
    pub reads: Shared,
    /// Bits that the step assigned, changed or not.
    pub writes: Shared,
}

impl Footprint {
    /// All bits: of a step that declares nothing.
    pub const EVERYTHING: Self = Self { reads: Shared::MAX, writes: Shared::MAX };
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

impl<Label> Choice<Label> {
    /// An ordinary step to these states, which does nothing to others and declares nothing of what it reads
    /// and writes.
    pub fn new(shared: Shared, local: Local, label: Label) -> Self {
        let (effect, way_out) = (Effect::None, WayOut::Ordinary);
        Self { shared, local, effect, way_out, footprint: Footprint::EVERYTHING, label }
    }

    /// It wakes every process asleep on the queue.
    #[must_use]
    pub fn wakes(self, queue: Queue) -> Self {
        Self { effect: Effect::WakeAll(queue), ..self }
    }

    /// It wakes one process asleep on the queue.
    #[must_use]
    pub fn wakes_one(self, queue: Queue) -> Self {
        Self { effect: Effect::WakeOne(queue), ..self }
    }

    /// It starts a dormant process of the kind in a local state.
    #[must_use]
    pub fn spawns(self, kind: Kind, local: Local) -> Self {
        Self { effect: Effect::Spawn(kind, local), ..self }
    }

    /// It is a time-out that fires.
    #[must_use]
    pub fn times_out(self) -> Self {
        Self { way_out: WayOut::TimeOut, ..self }
    }

    /// It is a wait that a signal ends.
    #[must_use]
    pub fn killed(self) -> Self {
        Self { way_out: WayOut::Killed, ..self }
    }

    /// It reads and writes these bits of the shared state, and no others.
    #[must_use]
    pub fn touches(self, reads: Shared, writes: Shared) -> Self {
        Self { footprint: Footprint { reads, writes }, ..self }
    }
}

/// Where a system begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initial {
    /// The shared state.
    pub shared: Shared,
    /// The processes, in order; [dormant](System::dormant) ones are a pool for [`Effect::Spawn`].
    pub processes: Vec<(Kind, Local)>,
}

impl Initial {
    /// These processes and that shared state.
    pub fn new(shared: Shared, processes: impl Into<Vec<(Kind, Local)>>) -> Self {
        Self { shared, processes: processes.into() }
    }
}

/// A system of processes that share one state and step one at a time (sequential consistency).
///
/// Only [`initial`](System::initial) and [`step`](System::step) must be said. All are functions: what they
/// give depends on their arguments alone. A system that breaks a promise, such as to keep to its bits, is
/// refused with a [`Fault`](super::Fault) by the search that meets it.
///
/// An adapter, a system made of another one, must hand on whatever that one says: nothing but `step` and
/// `initial` is missed by the compiler.
pub trait System: Sync {
    /// What a step is called.
    type Label: Clone + Eq + std::fmt::Debug + Send;

    /// How many low bits of [`Shared`] are in use, at most 128. The fewer there are in all, the smaller and
    /// faster a search is; a whole state has room for 512.
    fn shared_bits(&self) -> u32 {
        Shared::BITS
    }

    /// How many low bits of [`Local`] are in use, at most 64, the same for every kind.
    fn local_bits(&self) -> u32 {
        Local::BITS
    }

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

    /// The local state of a process of `kind` that has not been started, if there are such: it has no step,
    /// observes nothing, is not woken and not waited for, and [`Effect::Spawn`] starts it. A process may also
    /// end by becoming dormant again.
    fn dormant(&self, _kind: Kind) -> Option<Local> {
        None
    }

    /// History: what a process remembers of a change of the shared state, whoever made it. Applied
    /// to every process, also to the one that took the step (after it), before anybody is woken;
    /// not applied when the step left the shared state as it was. Unless said otherwise, nobody remembers
    /// anything.
    fn observe(&self, _kind: Kind, _before: Shared, _after: Shared, local: Local) -> Local {
        local
    }

    /// The bits of the shared state of which somebody may remember a change: where only others change,
    /// [`observe`](System::observe) gives the local state as it was. All bits unless said otherwise; the fewer
    /// they are, the faster a search is.
    fn remembered(&self) -> Shared {
        Shared::MAX
    }

    /// The local state of a process once `queue` has woken it; `None` if it is not asleep there, as unless
    /// said otherwise nobody is.
    fn wake(&self, _kind: Kind, _local: Local, _queue: Queue) -> Option<Local> {
        None
    }

    /// The local state of a process that carries no history, for proofs about any number of
    /// processes ([`crate::coverability`]): what only properties read is forgotten. Nothing else may
    /// depend on what is forgotten: `step`, `observe`, `wake` and `returned` of the anonymous local
    /// state are the anonymous ones of the local state. Who is [dormant](System::dormant) stays dormant, and
    /// nobody else becomes it.
    fn anonymous(&self, _kind: Kind, local: Local) -> Local {
        local
    }

    /// Whether the process has nothing more to do, so that having no step is as it should be. Unless said
    /// otherwise, processes run for ever.
    fn returned(&self, _kind: Kind, _local: Local) -> bool {
        false
    }
}
