//! The searches, compiled once for all systems and monitors of the tests.
//!
//! A search is made anew for each type of system and of monitor, and for each size of state: compiling it
//! for some thirty pairs took longer than all that is asked of them. Here systems and monitors are asked
//! through pointers, and a step is called by its label in numbers. Nothing else differs; what comes back
//! speaks of the system's own labels again.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::marker::PhantomData;

use kmodcheck_explore::checkpoint::{Checkpoint, CheckpointError};
use kmodcheck_explore::coverability::{self, Family, Smallest};
use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::distributed::{self, DistributedError};
use kmodcheck_explore::{
    Asks, Census, Choice, Exploration, Initial, Kind, Local, Monitor, Options, Queue, Shared,
    Sleeper, Step, Stuck, System, Tally, TraceStep, Transition, Unexplorable, Violation,
    checkpoint,
};

use super::reference_model::At;
use super::semaphore::Place;
use super::{random_bits, random_system, refuted};

/// A label in numbers. Not to be copied: no search may need that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub [u64; 3]);

/// What can be said in numbers.
pub trait InNumbers: Clone + Eq + Debug + Send + 'static {
    fn name(&self) -> Name;
    fn named(name: Name) -> Self;
}

impl InNumbers for random_system::Label {
    fn name(&self) -> Name {
        Name([self.kind, self.local, self.choice].map(u64::from))
    }

    fn named(name: Name) -> Self {
        let [kind, local, choice] = name.0.map(|number| number as u8);
        Self { kind, local, choice }
    }
}

impl InNumbers for random_bits::Label {
    fn name(&self) -> Name {
        Name([self.kind, self.local, self.choice].map(u64::from))
    }

    fn named(name: Name) -> Self {
        let [kind, local, choice] = name.0.map(|number| number as u8);
        Self { kind, local, choice }
    }
}

impl InNumbers for At {
    fn name(&self) -> Name {
        Name([*self as u64, 0, 0])
    }

    fn named(Name([at, ..]): Name) -> Self {
        Self::of(at)
    }
}

impl InNumbers for Place {
    fn name(&self) -> Name {
        Name([self.local(), 0, 0])
    }

    fn named(Name([local, ..]): Name) -> Self {
        Self::of(local)
    }
}

impl InNumbers for () {
    fn name(&self) -> Name {
        Name([0; 3])
    }

    fn named(_: Name) -> Self {}
}

/// As in systems written by hand.
impl InNumbers for (u8, Local) {
    fn name(&self) -> Name {
        Name([self.0.into(), self.1, 0])
    }

    fn named(Name([kind, local, _]): Name) -> Self {
        (kind as u8, local)
    }
}

impl InNumbers for refuted::Label {
    fn name(&self) -> Name {
        Name([self.0.into(), self.1, self.2])
    }

    fn named(Name([kind, from, to]): Name) -> Self {
        (kind as u8, from, to)
    }
}

/// [`System`], with steps called by number.
trait Steps: Sync {
    fn widths(&self) -> (u32, u32);
    fn begins(&self) -> Initial;
    fn steps(&self, of: (Kind, Shared, Local), choices: &mut Vec<Choice<Name>>);
    fn sleeps(&self, kind: Kind) -> Option<Local>;
    fn sees(&self, kind: Kind, change: (Shared, Shared), local: Local) -> Local;
    fn seen(&self) -> Shared;
    fn woken(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local>;
    fn forgets(&self, kind: Kind, local: Local) -> Local;
    fn is_done(&self, kind: Kind, local: Local) -> bool;
}

impl<S: System> Steps for S
where
    S::Label: InNumbers,
{
    fn widths(&self) -> (u32, u32) {
        (self.shared_bits(), self.local_bits())
    }

    fn begins(&self) -> Initial {
        self.initial()
    }

    fn steps(&self, (kind, shared, local): (Kind, Shared, Local), choices: &mut Vec<Choice<Name>>) {
        let mut own = Vec::new();
        self.step(kind, shared, local, &mut own);
        choices.extend(own.into_iter().map(|choice| Choice {
            shared: choice.shared,
            local: choice.local,
            effect: choice.effect,
            way_out: choice.way_out,
            footprint: choice.footprint,
            label: choice.label.name(),
        }));
    }

    fn sleeps(&self, kind: Kind) -> Option<Local> {
        self.dormant(kind)
    }

    fn sees(&self, kind: Kind, (before, after): (Shared, Shared), local: Local) -> Local {
        self.observe(kind, before, after, local)
    }

    fn seen(&self) -> Shared {
        self.remembered()
    }

    fn woken(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        self.wake(kind, local, queue)
    }

    fn forgets(&self, kind: Kind, local: Local) -> Local {
        self.anonymous(kind, local)
    }

    fn is_done(&self, kind: Kind, local: Local) -> bool {
        self.returned(kind, local)
    }
}

/// Any system.
struct Erased<'a>(&'a dyn Steps);

impl System for Erased<'_> {
    type Label = Name;

    fn shared_bits(&self) -> u32 {
        self.0.widths().0
    }

    fn local_bits(&self) -> u32 {
        self.0.widths().1
    }

    fn initial(&self) -> Initial {
        self.0.begins()
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Name>>) {
        self.0.steps((kind, shared, local), choices);
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.0.sleeps(kind)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.0.sees(kind, (before, after), local)
    }

    fn remembered(&self) -> Shared {
        self.0.seen()
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        self.0.woken(kind, local, queue)
    }

    fn anonymous(&self, kind: Kind, local: Local) -> Local {
        self.0.forgets(kind, local)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.0.is_done(kind, local)
    }
}

/// Sums of any kind.
trait Sums: Any + Send {
    fn add(&mut self, other: Box<dyn Any>);
    fn number(&self) -> Option<u64>;
}

impl<T: Tally + 'static> Sums for T {
    fn add(&mut self, other: Box<dyn Any>) {
        Tally::add(self, *other.downcast().expect("one monitor has one kind of sums"));
    }

    fn number(&self) -> Option<u64> {
        (self as &dyn Any).downcast_ref().copied()
    }
}

/// What a monitor of any kind counts; nothing yet.
#[derive(Default)]
struct Tallied(Option<Box<dyn Sums>>);

impl Tallied {
    fn of<T: Tally + 'static>(&mut self) -> &mut T {
        let sums: &mut dyn Any = &mut **self.0.get_or_insert_with(|| Box::new(T::default()));
        sums.downcast_mut().expect("one monitor has one kind of sums")
    }

    fn into<T: Tally + 'static>(self) -> T {
        let sums = self.0.map(|sums| -> Box<dyn Any> { sums });
        sums.map_or_else(T::default, |sums| *sums.downcast().expect("one kind of sums"))
    }
}

impl Tally for Tallied {
    fn add(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Some(sums), Some(other)) => (**sums).add(other),
            (sums @ None, other) => *sums = other,
            (Some(_), None) => {}
        }
    }
}

/// What is sent and kept are numbers, or nothing.
impl serde::Serialize for Tallied {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().and_then(|sums| (**sums).number()).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Tallied {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Option::<u64>::deserialize(deserializer)?;
        Ok(Self(number.map(|number| -> Box<dyn Sums> { Box::new(number) })))
    }
}

/// [`Monitor`], asked of steps that are called by number.
trait Asked: Sync {
    fn called(&self, property: u32) -> String;
    fn of_step(&self, step: &Step<Name>) -> u64;
    fn judged(&self, of: &Step<Name>) -> (u64, Option<u64>);
    fn looks(&self, step: &Step<Name>) -> Shared;
    fn told_of_step(&self, tally: &mut Tallied, step: &Step<Name>, violated: u64, times: u64);
    fn of_state(&self, shared: Shared, processes: &dyn Census) -> u64;
    fn of_counts(&self, step: &Step<Name>, between: [&dyn Census; 2]) -> u64;
    fn of_whole(&self, transition: &Transition<'_, Name>) -> u64;
    fn told_of(&self, tally: &mut Tallied, transition: &Transition<'_, Name>, violated: u64);
}

/// A monitor of such labels.
struct Of<'a, L, M>(&'a M, PhantomData<fn() -> L>);

fn step<L: InNumbers>(step: &Step<Name>) -> Step<L> {
    Step {
        kind: step.kind,
        before: step.before,
        after: step.after,
        local_before: step.local_before,
        local_after: step.local_after,
        label: L::named(step.label.clone()),
        way_out: step.way_out,
        footprint: step.footprint,
        effect: step.effect,
    }
}

fn transition<'a, L: InNumbers>(of: &Transition<'a, Name>) -> Transition<'a, L> {
    let Transition { before, after, actor, ordinal, .. } = *of;
    Transition { before, after, actor, ordinal, step: step(&of.step) }
}

impl<L: InNumbers, M: Monitor<L>> Asked for Of<'_, L, M>
where
    M::Tally: 'static,
{
    fn called(&self, property: u32) -> String {
        self.0.name(property)
    }

    fn of_step(&self, of: &Step<Name>) -> u64 {
        self.0.step_violates(&step(of))
    }

    fn judged(&self, of: &Step<Name>) -> (u64, Option<u64>) {
        self.0.judge_step(&step(of))
    }

    fn looks(&self, of: &Step<Name>) -> Shared {
        self.0.looks_at(&step(of))
    }

    fn told_of_step(&self, tally: &mut Tallied, of: &Step<Name>, violated: u64, times: u64) {
        self.0.record_step(tally.of(), &step(of), violated, times);
    }

    fn of_state(&self, shared: Shared, processes: &dyn Census) -> u64 {
        self.0.state_violates(shared, processes)
    }

    fn of_counts(&self, of: &Step<Name>, [before, after]: [&dyn Census; 2]) -> u64 {
        self.0.counts_violate(&step(of), before, after)
    }

    fn of_whole(&self, of: &Transition<'_, Name>) -> u64 {
        self.0.violates(&transition(of))
    }

    fn told_of(&self, tally: &mut Tallied, of: &Transition<'_, Name>, violated: u64) {
        self.0.record(tally.of(), &transition(of), violated);
    }
}

/// Any monitor that asks about so much.
struct Watched<'a, const ASKS: u8>(&'a dyn Asked);

impl<const ASKS: u8> Monitor<Name> for Watched<'_, ASKS> {
    type Tally = Tallied;
    const ASKS: Asks = match ASKS {
        STEPS => Asks::Steps,
        COUNTS => Asks::Counts,
        _ => Asks::Whole,
    };

    fn name(&self, property: u32) -> String {
        self.0.called(property)
    }

    fn step_violates(&self, step: &Step<Name>) -> u64 {
        self.0.of_step(step)
    }

    fn judge_step(&self, step: &Step<Name>) -> (u64, Option<u64>) {
        self.0.judged(step)
    }

    fn looks_at(&self, step: &Step<Name>) -> Shared {
        self.0.looks(step)
    }

    fn record_step(&self, tally: &mut Tallied, step: &Step<Name>, violated: u64, times: u64) {
        self.0.told_of_step(tally, step, violated, times);
    }

    fn state_violates(&self, shared: Shared, processes: &dyn Census) -> u64 {
        self.0.of_state(shared, processes)
    }

    fn counts_violate(&self, step: &Step<Name>, before: &dyn Census, after: &dyn Census) -> u64 {
        self.0.of_counts(step, [before, after])
    }

    fn violates(&self, transition: &Transition<'_, Name>) -> u64 {
        self.0.of_whole(transition)
    }

    fn record(&self, tally: &mut Tallied, transition: &Transition<'_, Name>, violated: u64) {
        self.0.told_of(tally, transition, violated);
    }
}

const STEPS: u8 = 0;
const COUNTS: u8 = 1;
const WHOLE: u8 = 2;

fn trace<L: InNumbers>(trace: Vec<TraceStep<Name>>) -> Vec<TraceStep<L>> {
    let named = |step: TraceStep<Name>| TraceStep {
        actor: step.actor,
        ordinal: step.ordinal,
        label: L::named(step.label),
    };
    trace.into_iter().map(named).collect()
}

/// What was found, in the system's own words.
fn found<L: InNumbers, T: Tally + 'static>(of: Exploration<Name, Tallied>) -> Exploration<L, T> {
    let stuck = |stuck: Stuck<Name>| Stuck {
        process: stuck.process,
        trace: trace(stuck.trace),
        states: stuck.states,
    };
    let violation = |violation: Violation<Name>| Violation {
        property: violation.property,
        name: violation.name,
        trace: trace(violation.trace),
    };
    let sleeper = |sleeper: Sleeper<Name>| Sleeper {
        kind: sleeper.kind,
        sleep: sleeper.sleep,
        stuck: stuck(sleeper.stuck),
    };
    Exploration {
        method: of.method,
        end: of.end,
        states: of.states,
        transitions: of.transitions,
        followed: of.followed,
        depth: of.depth,
        queue: of.queue,
        violations: of.violations.into_iter().map(violation).collect(),
        stuck: of.stuck.map(stuck),
        stuck_until_time_out: of.stuck_until_time_out.map(stuck),
        sleepers: of.sleepers.into_iter().map(sleeper).collect(),
        blocked_states: of.blocked_states,
        words: of.words,
        bytes: of.bytes,
        tables: of.tables,
        tally: of.tally.into(),
        own: of.own,
    }
}

/// What a search makes of any system and any monitor of two or three sorts.
macro_rules! search {
    ($search:expr, $system:expr, $monitor:expr, ($($options:expr),*)) => {{
        let (system, of) = (Erased($system), Of::<S::Label, M>($monitor, PhantomData));
        match M::ASKS {
            Asks::Steps => $search(&system, &Watched::<STEPS>(&of), $($options),*),
            // Who asks of less may be asked of more.
            _ => $search(&system, &Watched::<WHOLE>(&of), $($options),*),
        }
    }};
    ($search:expr, $system:expr, $monitor:expr, ($($options:expr),*), counts) => {
        match M::ASKS {
            Asks::Counts => {
                let of = Of::<S::Label, M>($monitor, PhantomData);
                $search(&Erased($system), &Watched::<COUNTS>(&of), $($options),*)
            }
            _ => search!($search, $system, $monitor, ($($options),*)),
        }
    };
}

macro_rules! searches {
    ($($name:ident),*) => {$(
        pub fn $name<S: System<Label: InNumbers>, M: Monitor<S::Label, Tally: 'static>>(
            system: &S,
            monitor: &M,
            options: &Options<'_>,
        ) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
            search!(kmodcheck_explore::$name, system, monitor, (options), counts).map(found)
        }
    )*};
}

searches!(explore, explore_counted, explore_directed, explore_reduced);

pub fn explore_from_checkpoint<
    S: System<Label: InNumbers>,
    M: Monitor<S::Label, Tally: 'static>,
>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
    kept: &Checkpoint,
) -> Result<Exploration<S::Label, M::Tally>, CheckpointError> {
    search!(checkpoint::explore_from_checkpoint, system, monitor, (options, kept)).map(found)
}

/// What a search finds.
type Found<S, M> = Exploration<<S as System>::Label, <M as Monitor<<S as System>::Label>>::Tally>;

pub fn explore_distributed<S: System<Label: InNumbers>, M: Monitor<S::Label, Tally: 'static>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
    net: Net,
) -> Result<Option<Found<S, M>>, DistributedError> {
    let all = search!(distributed::explore_distributed, system, monitor, (options, net))?;
    Ok(all.map(found))
}

pub fn smallest<S: System<Label: InNumbers>, M: Monitor<S::Label, Tally: 'static>>(
    family: &Family<'_, S>,
    monitor: &M,
    property: u32,
    most: usize,
    options: &Options<'_>,
) -> Result<Smallest<S::Label>, Unexplorable> {
    assert_eq!(M::ASKS, Asks::Steps, "of others no test asks this");
    let kinds = family.system().initial().processes.into_iter().map(|(kind, _)| kind);
    let kinds: BTreeSet<Kind> = kinds.collect();
    let that_are = |is: &dyn Fn(Kind) -> bool| -> Vec<Kind> {
        kinds.iter().copied().filter(|kind| is(*kind)).collect()
    };
    let (any_number, forgetful) =
        (that_are(&|kind| family.is_crowd(kind)), that_are(&|kind| family.is_forgetful(kind)));
    let (system, of) = (Erased(family.system()), Of::<S::Label, M>(monitor, PhantomData));
    let family = Family::new(&system, &any_number, &forgetful).expect("it is one");
    let watched = Watched::<STEPS>(&of);
    Ok(match coverability::smallest(&family, &watched, property, most, options)? {
        Smallest::Violated { callers, trace: of } => {
            Smallest::Violated { callers, trace: trace(of) }
        }
        Smallest::NotUpTo(callers) => Smallest::NotUpTo(callers),
        Smallest::Cut { callers, end } => Smallest::Cut { callers, end },
    })
}
