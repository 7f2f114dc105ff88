//! Exhaustive breadth-first search.
//!
//! - Paper: E. F. Moore, 'The shortest path through a maze', 1959; as explicit-state model
//!   checking, C. H. West, 'General technique for communications protocol validation', 1978.
//!   Symmetry by canonical representatives: C. N. Ip and D. L. Dill, 'Better verification through
//!   symmetry', 1996.
//! - Decides: every property of single transitions, with a shortest counterexample each; which
//!   processes can get stuck ([`crate::stuck`]).
//! - Needs of the system: a finite state space, nothing else.
//! - Costs: the packed state, 4 bytes of parent, 2 of blocked processes and about 6 of hash table
//!   for each state.
//!
//! The result does not depend on the order within a level: of the violating transitions of the
//! first level that has one, the one from the least packed state is taken, and each state keeps its
//! least predecessor.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::limits::{End, Options, Progress};
use crate::packed::{Layout, Packed};
use crate::product::{Configuration, Product, Step, Transition, fits};
use crate::stuck::{self, Stuck};
use crate::system::{System, WayOut};
use crate::visited::{Inserted, NONE, Visited};

/// What a search looks for, and what it counts on the way. Properties are numbered from 0 to 63.
///
/// A property of single steps is far cheaper than one of whole transitions: it is asked once for each
/// distinct step, however many states the step is taken in, and searches without whole states (the
/// counted ones) can decide it too. A monitor of steps alone says so by [`WHOLE`](Self::WHOLE).
pub trait Monitor<S: System>: Sync {
    /// What each worker counts for itself.
    type Tally: Tally;

    /// Whether [`violates`](Self::violates) and [`record`](Self::record) are asked of every
    /// transition. `true` unless said otherwise, so that no property is left out by an oversight.
    const WHOLE: bool = true;

    /// The properties that a step violates, one bit each, whoever else stands where. A function of
    /// the step alone.
    fn step_violates(&self, _step: &Step<S::Label>) -> u64 {
        0
    }

    /// Told of every distinct step how often it was taken: once for each transition of each distinct
    /// state (with symmetry, of each representative). One step may be told of in several parts.
    fn record_step(
        &self,
        _tally: &mut Self::Tally,
        _step: &Step<S::Label>,
        _violated: u64,
        _times: u64,
    ) {
    }

    /// The properties that a whole transition violates, one bit each, besides those of its step. A
    /// function of the transition alone: it is asked again when a trace is rebuilt. With symmetry on,
    /// exchanging processes of one kind must not change the answer.
    fn violates(&self, _transition: &Transition<'_, S::Label>) -> u64 {
        0
    }

    /// Told of every transition of every distinct state, exactly once. `violated`: all that it
    /// violates, by its step or as a whole.
    fn record(
        &self,
        _tally: &mut Self::Tally,
        _transition: &Transition<'_, S::Label>,
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
pub struct CountOnly;

impl<S: System> Monitor<S> for CountOnly {
    type Tally = ();
    const WHOLE: bool = false;
}

/// One step of a trace, enough to take it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceStep<Label> {
    /// Which process.
    pub actor: usize,
    /// Which of its alternatives, counted from 0.
    pub ordinal: u32,
    /// What the step is called.
    pub label: Label,
}

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
    /// Steps to the farthest state found.
    pub depth: u32,
    /// States found and not expanded; 0 if complete.
    pub queue: u64,
    /// The first violation of each property that was violated, by property.
    pub violations: Vec<Violation<Label>>,
    /// A process that can never run again, with the shortest trace to such a state, if there is
    /// one. Decided only by a complete search.
    pub stuck: Option<Stuck<Label>>,
    /// A process that can run again by a time-out or a kill only, likewise.
    pub stuck_but_for_way_out: Option<Stuck<Label>>,
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
    #[error("more than {} processes in one product", crate::product::MAX_PROCESSES)]
    TooManyProcesses,
    /// The state does not fit.
    #[error("a state takes {0} bits, more than 512")]
    TooWide(u32),
    /// The shared state or a local state does not fit its word.
    #[error("{shared} shared bits and {local} local bits, more than 128 and 64")]
    WordTooWide {
        /// [`System::shared_bits`].
        shared: u32,
        /// [`System::local_bits`].
        local: u32,
    },
    /// The initial state uses more bits than the system declares.
    #[error("the initial state does not fit the bits that the system declares")]
    InitialOutOfBits,
}

/// Explores every reachable state of `system`, breadth first.
pub fn explore<S: System, M: Monitor<S>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
    let product = Product::new(system).ok_or(Unexplorable::TooManyProcesses)?;
    let layout = Layout {
        shared_bits: system.shared_bits(),
        local_bits: system.local_bits(),
        processes: product.processes(),
    };
    let (shared, local) = (layout.shared_bits, layout.local_bits);
    if shared > 128 || local > 64 {
        return Err(Unexplorable::WordTooWide { shared, local });
    }
    let initial = product.initial();
    if !fits(initial.shared, shared) || !initial.locals.iter().all(|l| fits(u128::from(*l), local))
    {
        return Err(Unexplorable::InitialOutOfBits);
    }
    match layout.words() {
        Some(1) => Ok(Search::<S, 1>::run(product, layout, monitor, options)),
        Some(2) => Ok(Search::<S, 2>::run(product, layout, monitor, options)),
        Some(4) => Ok(Search::<S, 4>::run(product, layout, monitor, options)),
        Some(8) => Ok(Search::<S, 8>::run(product, layout, monitor, options)),
        _ => Err(Unexplorable::TooWide(layout.bits())),
    }
}

/// The first violating transition of a property.
struct First<const W: usize> {
    before: Packed<W>,
    index: u32,
    actor: usize,
    ordinal: u32,
}

pub(crate) struct Search<'a, S: System, const W: usize> {
    pub product: Product<'a, S>,
    pub layout: Layout,
    pub symmetry: bool,
    pub visited: Visited<W>,
    /// By state: the processes that have not returned and have no ordinary step.
    pub blocked: Vec<u16>,
    /// Index of the first state of each level.
    pub levels: Vec<u32>,
    /// Whether any time-out or kill was seen.
    pub way_outs: bool,
    transitions: u64,
    first: Vec<Option<First<W>>>,
}

const _: () = assert!(crate::product::MAX_PROCESSES <= u16::BITS as usize);

/// States between two looks at the clock.
const CLOCK: u32 = 1 << 12;

impl<'a, S: System, const W: usize> Search<'a, S, W> {
    fn run<M: Monitor<S>>(
        product: Product<'a, S>,
        layout: Layout,
        monitor: &M,
        options: &Options<'_>,
    ) -> Exploration<S::Label, M::Tally> {
        let mut search = Self {
            product,
            layout,
            symmetry: options.symmetry,
            visited: Visited::new(options.limits.states.unwrap_or(u64::MAX).max(1)),
            blocked: Vec::new(),
            levels: vec![0],
            way_outs: false,
            transitions: 0,
            first: (0..64).map(|_| None).collect(),
        };
        let mut tally = M::Tally::default();
        let (end, expanded) = search.levels(monitor, &mut tally, options);
        let states = search.visited.len() as u64;
        let violations = (0..64)
            .filter(|p| search.first[*p as usize].is_some())
            .map(|p| search.violation(p, monitor))
            .collect();
        let [stuck, stuck_but_for_way_out] =
            if end == End::Complete { stuck::find(&search) } else { [None, None] };
        Exploration {
            end,
            states,
            transitions: search.transitions,
            // Of a level that was cut too: the state found last is one of the farthest.
            depth: search.path_to(states as u32 - 1).len() as u32 - 1,
            queue: states - u64::from(expanded),
            violations,
            stuck,
            stuck_but_for_way_out,
            blocked_states: search.blocked.iter().filter(|b| **b != 0).count() as u64,
            words: W,
            bytes: search.visited.bytes(),
            tally,
        }
    }

    /// Expands level after level; returns how that ended and how many states were expanded.
    fn levels<M: Monitor<S>>(
        &mut self,
        monitor: &M,
        tally: &mut M::Tally,
        options: &Options<'_>,
    ) -> (End, u32) {
        let started = Instant::now();
        let mut scratch = Vec::new();
        let mut initial = self.product.initial();
        if self.symmetry {
            self.product.canonicalize(&mut initial);
        }
        self.visited.insert(self.layout.pack(&initial), NONE);
        let mut next = 0_u32;
        loop {
            let level_end = self.visited.len() as u32;
            while next < level_end {
                if next.is_multiple_of(CLOCK)
                    && let Some(end) = self.out_of_budget(options, started, level_end)
                {
                    return (end, next);
                }
                if let Err(end) = self.expand(next, level_end, monitor, tally, &mut scratch) {
                    return (end, next);
                }
                next += 1;
            }
            if level_end == self.visited.len() as u32 {
                return (End::Complete, next);
            }
            self.levels.push(level_end);
            let wanted = options.stop_when_violated;
            let violated = (0..64).filter(|p| self.first[*p].is_some()).fold(0, |m, p| m | 1 << p);
            if wanted != 0 && violated & wanted == wanted {
                return (End::Violated, next);
            }
        }
    }

    fn out_of_budget(
        &self,
        options: &Options<'_>,
        started: Instant,
        level_end: u32,
    ) -> Option<End> {
        let limits = &options.limits;
        if let Some(progress) = options.progress {
            let level_start = *self.levels.last().expect("there is a first level");
            progress(Progress {
                states: self.visited.len() as u64,
                transitions: self.transitions,
                depth: self.levels.len() as u32 - 1,
                queue: self.visited.len() as u64 - self.blocked.len() as u64,
                level: u64::from(level_end - level_start),
                level_left: u64::from(level_end) - self.blocked.len() as u64,
                bytes: self.visited.bytes(),
                bytes_limit: limits.bytes,
                elapsed: started.elapsed(),
            });
        }
        if options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed)) {
            Some(End::Interrupted)
        } else if limits.time.is_some_and(|t| started.elapsed() >= t) {
            Some(End::TimeLimit)
        } else if limits.bytes.is_some_and(|b| self.visited.bytes() > b) {
            Some(End::MemoryLimit)
        } else {
            None
        }
    }

    fn expand<M: Monitor<S>>(
        &mut self,
        index: u32,
        level_end: u32,
        monitor: &M,
        tally: &mut M::Tally,
        scratch: &mut Vec<crate::system::Choice<S::Label>>,
    ) -> Result<(), End> {
        let before_packed = *self.visited.state(index);
        let before = self.layout.unpack(&before_packed);
        let mut running = 0_u16;
        let mut end = Ok(());
        let symmetry = self.symmetry;
        let level_start = *self.levels.last().expect("there is a first level");
        let Self { product, layout, visited, first, transitions, way_outs, .. } = self;
        let exhausted = product.successors(&before, scratch, |transition| {
            *transitions += 1;
            match transition.way_out {
                WayOut::Ordinary => running |= 1 << transition.actor,
                WayOut::TimeOut | WayOut::Killed => *way_outs = true,
            }
            let step = transition.step();
            let by_step = monitor.step_violates(&step);
            monitor.record_step(tally, &step, by_step, 1);
            let mut violated = by_step;
            if M::WHOLE {
                violated |= monitor.violates(transition);
                monitor.record(tally, transition, violated);
            }
            let mut bits = violated;
            while bits != 0 {
                let found = First {
                    before: before_packed,
                    index,
                    actor: transition.actor,
                    ordinal: transition.ordinal,
                };
                offer(&mut first[bits.trailing_zeros() as usize], found, level_start);
                bits &= bits - 1;
            }
            let mut after = *transition.after;
            if symmetry {
                product.canonicalize(&mut after);
            }
            match visited.insert(layout.pack(&after), index) {
                Inserted::New => {}
                // Found in this very level's expansion: keep the least predecessor.
                Inserted::Old(old) if old >= level_end => visited.offer_parent(old, index),
                Inserted::Old(_) => {}
                Inserted::Full => {
                    end = Err(End::StatesLimit);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        if let Err(exhausted) = exhausted {
            return Err(End::PoolExhausted(exhausted.0));
        }
        end?;
        let mut blocked = 0;
        for i in 0..self.product.processes() {
            if running & 1 << i == 0 && !self.product.returned(&before, i) {
                blocked |= 1 << i;
            }
        }
        debug_assert_eq!(self.blocked.len(), index as usize);
        self.blocked.push(blocked);
        Ok(())
    }

    /// The canonical states from the initial one to `index`.
    fn path_to(&self, mut index: u32) -> Vec<Packed<W>> {
        let mut path = vec![*self.visited.state(index)];
        while self.visited.parent(index) != NONE {
            index = self.visited.parent(index);
            path.push(*self.visited.state(index));
        }
        path.reverse();
        path
    }

    /// A trace in the exact system, without symmetry, to a state whose canonical form is the state
    /// at `index`. Returns that state too.
    pub fn trace_to(&self, index: u32) -> (Vec<TraceStep<S::Label>>, Configuration) {
        let path = self.path_to(index);
        let mut scratch = Vec::new();
        let mut now = self.product.initial();
        let mut trace = Vec::with_capacity(path.len());
        for wanted in &path[1..] {
            let mut found = None;
            let _ = self.product.successors(&now, &mut scratch, |transition| {
                let mut canonical = *transition.after;
                if self.symmetry {
                    self.product.canonicalize(&mut canonical);
                }
                if self.layout.pack::<W>(&canonical) == *wanted {
                    found = Some((step_of(transition), *transition.after));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            let (step, after) = found.expect("a stored state is a successor of its parent");
            trace.push(step);
            now = after;
        }
        (trace, now)
    }

    fn violation<M: Monitor<S>>(&self, property: u32, monitor: &M) -> Violation<S::Label> {
        let first = self.first[property as usize].as_ref().expect("the property was violated");
        let (mut trace, before) = self.trace_to(first.index);
        let mut last = None;
        let _ = self.product.successors(&before, &mut Vec::new(), |transition| {
            if violated_by(monitor, transition) & 1 << property != 0 {
                last = Some(step_of(transition));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        trace.push(last.expect("the least violating state has a violating transition"));
        Violation { property, trace }
    }
}

/// Keeps the least transition of the first level that violates. `level_start`: the index of the
/// first state of the level of `found`.
fn offer<const W: usize>(slot: &mut Option<First<W>>, found: First<W>, level_start: u32) {
    let key = |f: &First<W>| (f.before, f.actor, f.ordinal);
    let better = slot.as_ref().is_none_or(|old| old.index >= level_start && key(&found) < key(old));
    if better {
        *slot = Some(found);
    }
}

/// All that a transition violates.
fn violated_by<S: System, M: Monitor<S>>(
    monitor: &M,
    transition: &Transition<'_, S::Label>,
) -> u64 {
    let whole = if M::WHOLE { monitor.violates(transition) } else { 0 };
    monitor.step_violates(&transition.step()) | whole
}

fn step_of<Label: Copy>(transition: &Transition<'_, Label>) -> TraceStep<Label> {
    TraceStep { actor: transition.actor, ordinal: transition.ordinal, label: transition.label }
}
