//! What a search looks for, and what it counts on the way: one form, which every explorer can ask.
//!
//! A property is a predicate on single steps, on states, or on transitions between whole states. Inside a
//! search the properties that are violated are bits of a word, from 0 to 63; outside of it each has a
//! [name](Monitor::name).

use crate::system::{
    Census, Configuration, Kind, Local, Product, Shared, Step, System, Transition,
};

/// What a monitor asks about, the cheapest first. An explorer that cannot answer refuses the monitor
/// ([`Unexplorable::Asks`](super::Unexplorable::Asks)); none leaves a property out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asks {
    /// Single steps: what the process that steps sees. Asked once for each distinct step, however many
    /// states the step is taken in.
    Steps,
    /// States and transitions, too, of which it is known how many processes are where, not who.
    Counts,
    /// Transitions between whole states, too, in which each process has a number.
    Whole,
}

impl Asks {
    /// Of what, in words.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Counts => "states",
            Self::Whole => "who is where",
        }
    }

    /// Whether steps alone are not enough.
    #[must_use]
    pub const fn beyond_steps(self) -> bool {
        !matches!(self, Self::Steps)
    }
}

/// What a search looks for, and what it counts on the way. Properties are numbered from 0 to 63.
pub trait Monitor<Label>: Sync {
    /// What each worker counts for itself.
    type Tally: Tally;

    /// The most that is asked of it. [`Asks::Whole`] unless said otherwise, so that no property is left
    /// out by an oversight; a monitor of steps alone that says so is far cheaper.
    const ASKS: Asks = Asks::Whole;

    /// What a property is called.
    fn name(&self, property: u32) -> String {
        format!("property {property}")
    }

    /// The properties that a step violates, one bit each, whoever else stands where. A function of
    /// the step alone.
    fn step_violates(&self, _step: &Step<Label>) -> u64 {
        0
    }

    /// The same, and as what the step is recorded, if the monitor can say that by a number: to
    /// [`Monitor::record_step`] all steps that violate the same and have the same number are one, and it may be told of any
    /// of them how often all were taken. That is for monitors that find out both together; an explorer that asks it
    /// need not judge each step once more to have it recorded.
    fn judge_step(&self, step: &Step<Label>) -> (u64, Option<u64>) {
        (self.step_violates(step), None)
    }

    /// The bits of the shared state on which it depends whether such a step violates, besides those
    /// that the step reads. It may look at the kind, the local states and the label, at nothing else.
    /// All bits unless said otherwise: right for every monitor, but little can be reduced then. Of
    /// steps that never violate, or whose own reads decide it, nobody need say anything.
    fn looks_at(&self, _step: &Step<Label>) -> Shared {
        Shared::MAX
    }

    /// Told of every distinct step how often it was taken: once for each transition of each distinct
    /// state (with symmetry, of each representative), each process woken counting as one. One step may
    /// be told of in several parts, and for those that are recorded as the same ([`Monitor::judge_step`]).
    fn record_step(
        &self,
        _tally: &mut Self::Tally,
        _step: &Step<Label>,
        _violated: u64,
        _times: u64,
    ) {
    }

    /// The properties that are violated by being in a state, one bit each; asked from [`Asks::Counts`]
    /// on, of the initial state, too.
    fn state_violates(&self, _shared: Shared, _processes: &dyn Census) -> u64 {
        0
    }

    /// The properties that are violated by a step and by where everybody is before and after it, one bit
    /// each; asked from [`Asks::Counts`] on.
    fn counts_violate(
        &self,
        _step: &Step<Label>,
        _before: &dyn Census,
        _after: &dyn Census,
    ) -> u64 {
        0
    }

    /// The properties that a whole transition violates, one bit each, besides those of its step and of
    /// its states; asked with [`Asks::Whole`]. A function of the transition alone: it is asked again when
    /// a trace is rebuilt. With symmetry on, exchanging processes of one kind must not change the answer.
    fn violates(&self, _transition: &Transition<'_, Label>) -> u64 {
        0
    }

    /// With [`Asks::Whole`], told of every transition of every distinct state, exactly once. `violated`:
    /// all that it violates, by its step, its states or as a whole.
    fn record(
        &self,
        _tally: &mut Self::Tally,
        _transition: &Transition<'_, Label>,
        _violated: u64,
    ) {
    }
}

/// Sums that each worker keeps for itself and that are added up at the end.
pub trait Tally: Default + Send {
    /// Adds the sums of another worker. The order must not matter.
    fn add(&mut self, other: Self);
}

impl Tally for () {
    fn add(&mut self, (): Self) {}
}

impl Tally for u64 {
    fn add(&mut self, other: Self) {
        *self += other;
    }
}

/// Looks for nothing; for counting states.
#[derive(Clone, Copy, Debug)]
pub struct CountOnly;

impl<Label> Monitor<Label> for CountOnly {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;
}

type OfStep<'a, Label> = Box<dyn Fn(&Step<Label>) -> bool + Sync + 'a>;
type OfState<'a> = Box<dyn Fn(Shared, &dyn Census) -> bool + Sync + 'a>;

enum Never<'a, Label> {
    Step(OfStep<'a, Label>),
    State(OfState<'a>),
}

/// Properties by name, each said in a closure. They are numbered in the order in which they were said.
pub struct Properties<'a, Label> {
    all: Vec<(&'a str, Never<'a, Label>)>,
}

impl<'a, Label> Properties<'a, Label> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { all: Vec::new() }
    }

    /// And: no reachable state is like that. Told of a state are what is shared and how many processes
    /// are where.
    #[must_use]
    pub fn never(
        mut self,
        name: &'a str,
        like_that: impl Fn(Shared, &dyn Census) -> bool + Sync + 'a,
    ) -> Self {
        self.all.push((name, Never::State(Box::new(like_that))));
        self
    }

    /// And: no such step is ever taken.
    #[must_use]
    pub fn never_step(
        mut self,
        name: &'a str,
        such: impl Fn(&Step<Label>) -> bool + Sync + 'a,
    ) -> Self {
        self.all.push((name, Never::Step(Box::new(such))));
        self
    }

    fn violated(&self, violated: impl Fn(&Never<'a, Label>) -> bool) -> u64 {
        let all = self.all.iter().enumerate();
        all.fold(0, |bits, (i, (_, never))| bits | u64::from(violated(never)) << i)
    }
}

impl<Label> Default for Properties<'_, Label> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Label> Monitor<Label> for Properties<'_, Label> {
    type Tally = ();
    const ASKS: Asks = Asks::Counts;

    fn name(&self, property: u32) -> String {
        self.all[property as usize].0.to_owned()
    }

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        self.violated(|never| matches!(never, Never::Step(such) if such(step)))
    }

    fn state_violates(&self, shared: Shared, processes: &dyn Census) -> u64 {
        self.violated(
            |never| matches!(never, Never::State(like_that) if like_that(shared, processes)),
        )
    }
}

/// How many of a product's processes are where.
struct Numbered<'a, S: System> {
    product: &'a Product<'a, S>,
    configuration: &'a Configuration,
}

impl<S: System> Census for Numbered<'_, S> {
    fn count(&self, kind: Kind, local: Local) -> usize {
        let is =
            |i: &usize| self.product.kind(*i) == kind && self.configuration.locals[*i] == local;
        (0..self.product.processes()).filter(is).count()
    }
}

/// All that a transition violates, its step included.
pub(crate) fn violated_by<S: System, M: Monitor<S::Label>>(
    monitor: &M,
    product: &Product<'_, S>,
    transition: &Transition<'_, S::Label>,
) -> u64 {
    let beyond = if M::ASKS.beyond_steps() { beyond_step(monitor, product, transition) } else { 0 };
    monitor.step_violates(&transition.step) | beyond
}

/// All that a transition between states of which only counts are known violates, its step included.
pub(crate) fn violated_by_counts<Label, M: Monitor<Label>>(
    monitor: &M,
    step: &Step<Label>,
    before: &dyn Census,
    after: &dyn Census,
) -> u64 {
    let mut violated = monitor.step_violates(step);
    if M::ASKS.beyond_steps() {
        violated |= monitor.state_violates(step.after, after);
        violated |= monitor.counts_violate(step, before, after);
    }
    violated
}

/// What a transition violates besides its step.
pub(crate) fn beyond_step<S: System, M: Monitor<S::Label>>(
    monitor: &M,
    product: &Product<'_, S>,
    transition: &Transition<'_, S::Label>,
) -> u64 {
    let numbered = |configuration| Numbered { product, configuration };
    let (before, after) = (numbered(transition.before), numbered(transition.after));
    let counts = monitor.state_violates(transition.after.shared, &after)
        | monitor.counts_violate(&transition.step, &before, &after);
    counts | if M::ASKS == Asks::Whole { monitor.violates(transition) } else { 0 }
}

/// What is violated before any step is taken.
pub(crate) fn initially<S: System, M: Monitor<S::Label>>(
    monitor: &M,
    product: &Product<'_, S>,
) -> u64 {
    if !M::ASKS.beyond_steps() {
        return 0;
    }
    let initial = product.initial();
    monitor.state_violates(initial.shared, &Numbered { product, configuration: &initial })
}
