//! Exhaustive breadth-first search.
//!
//! - Paper: E. F. Moore, 'The shortest path through a maze', 1959; as explicit-state model
//!   checking, C. H. West, 'General technique for communications protocol validation', 1978.
//!   Symmetry by canonical representatives: C. N. Ip and D. L. Dill, 'Better verification through
//!   symmetry', 1996.
//! - Decides: every property of single transitions, with a shortest counterexample each; which
//!   processes can get stuck ([`crate::stuck`]).
//! - Needs of the system: a finite state space, nothing else.
//! - Costs: the packed state twice, once divided by the load of the table that it is in
//!   (`visited.rs`); nothing for traces (`trace.rs`).
//!
//! The result depends neither on the order within a level nor on the number of threads: of the
//! violating transitions of the first level that has one, the one from the least packed state is
//! taken, and each state on the way there is the least predecessor of the next.

use std::ops::ControlFlow;

use crate::checkpoint::Nowhere;
use crate::expand::Frame;
use crate::limits::{End, Options};
use crate::packed::{Layout, Packed};
use crate::product::{Product, Step, Transition, fits};
use crate::search::{Search, Searched};
use crate::stuck::{self, Sleeper, Stuck};
use crate::system::System;
use crate::trace::Levels;

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
    /// Of these, those that were followed; the others lead to states that these lead to, and on the same
    /// level ([`crate::sleep`]).
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
    let (frame, words) = framed(system, options)?;
    Ok(match words {
        1 => run::<S, M, 1>(&frame, monitor, options),
        2 => run::<S, M, 2>(&frame, monitor, options),
        4 => run::<S, M, 4>(&frame, monitor, options),
        _ => run::<S, M, 8>(&frame, monitor, options),
    })
}

/// The system laid out, and the words of a packed state.
pub(crate) fn framed<'s, S: System>(
    system: &'s S,
    options: &Options<'_>,
) -> Result<(Frame<'s, S>, usize), Unexplorable> {
    let product = Product::new(system).ok_or(Unexplorable::TooManyProcesses)?;
    let layout = Layout::new(system.shared_bits(), system.local_bits(), product.processes());
    let (shared, local) = (layout.shared_bits, layout.local_bits);
    if shared > 128 || local > 64 {
        return Err(Unexplorable::WordTooWide { shared, local });
    }
    let initial = product.initial();
    if !fits(initial.shared, shared) || !initial.locals.iter().all(|l| fits(u128::from(*l), local))
    {
        return Err(Unexplorable::InitialOutOfBits);
    }
    let words = layout.words().ok_or(Unexplorable::TooWide(layout.bits()))?;
    let frame = Frame {
        product,
        layout,
        symmetry: options.symmetry,
        follow_all: options.follow_all,
        steps_kept: options.steps_kept,
    };
    Ok((frame, words))
}

fn run<S: System, M: Monitor<S>, const W: usize>(
    frame: &Frame<'_, S>,
    monitor: &M,
    options: &Options<'_>,
) -> Exploration<S::Label, M::Tally> {
    let searched = Search::<S, M, W>::run(frame, monitor, options, &mut Nowhere)
        .expect("nothing is kept that could fail");
    conclude(searched, monitor, |levels, ends| levels.paths(ends))
}

/// What was found, with a trace for each violation. `paths`: for each of these states and their levels,
/// the states on the way there.
pub(crate) fn conclude<S: System, M: Monitor<S>, const W: usize>(
    searched: Searched<'_, S, M, W>,
    monitor: &M,
    paths: impl FnOnce(&Levels<'_, '_, S, W>, &[(Packed<W>, u32)]) -> Vec<Vec<Packed<W>>>,
) -> Exploration<S::Label, M::Tally> {
    let frame = searched.levels.frame;
    let unresolved: &[_] = match searched.end {
        End::Complete => &searched.unresolved,
        _ => &[],
    };
    let stuck = stuck::find(frame, unresolved, searched.way_outs);
    let violated: Vec<(u32, (Packed<W>, u32))> = (searched.found.first.iter().zip(0..))
        .filter_map(|(first, property)| first.map(|(level, state)| (property, (state, level))))
        .collect();
    // Every end of a trace, and then the paths in the same order.
    let ends = violated.iter().map(|(_, end)| *end);
    let sleepers = stuck.sleepers.iter().map(|(.., shallowest)| shallowest);
    let stuck_at = stuck.stuck.iter().chain(&stuck.until_time_out).chain(sleepers);
    let ends: Vec<_> = ends.chain(stuck_at.map(|s| (s.state, s.level))).collect();
    let levels = &searched.levels;
    let mut paths = paths(levels, &ends).into_iter();
    let mut path = || paths.next().expect("one for each end");
    let violations = violated
        .iter()
        .map(|(property, _)| violation(levels, &path(), *property, monitor))
        .collect();
    let mut traced = |shallowest: stuck::Shallowest<W>| shallowest.with_trace(levels, &path());
    let stuck::Found { stuck, until_time_out, sleepers } = stuck;
    let (stuck, stuck_until_time_out) = (stuck.map(&mut traced), until_time_out.map(&mut traced));
    let sleepers = sleepers
        .into_iter()
        .map(|(kind, sleep, shallowest)| Sleeper { kind, sleep, stuck: traced(shallowest) })
        .collect();
    Exploration {
        end: searched.end,
        states: searched.states,
        transitions: searched.found.transitions,
        followed: searched.found.followed,
        depth: searched.depth,
        queue: searched.states - searched.expanded,
        violations,
        stuck,
        stuck_until_time_out,
        sleepers,
        blocked_states: searched.found.blocked_states,
        words: W,
        bytes: searched.bytes,
        tally: searched.tally,
    }
}

/// The trace along `path` and one violating step.
fn violation<S: System, M: Monitor<S>, const W: usize>(
    levels: &Levels<'_, '_, S, W>,
    path: &[Packed<W>],
    property: u32,
    monitor: &M,
) -> Violation<S::Label> {
    let (mut trace, before) = levels.concrete(path);
    let mut last = None;
    let _ = levels.frame.product.successors(&before, &mut Vec::new(), |transition| {
        if violated_by(monitor, transition) & 1 << property != 0 {
            last = Some(step_of(transition));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    trace.push(last.expect("the least violating state has a violating transition"));
    Violation { property, trace }
}

/// All that a transition violates.
fn violated_by<S: System, M: Monitor<S>>(
    monitor: &M,
    transition: &Transition<'_, S::Label>,
) -> u64 {
    let whole = if M::WHOLE { monitor.violates(transition) } else { 0 };
    monitor.step_violates(&transition.step()) | whole
}

pub(crate) fn step_of<Label: Copy>(transition: &Transition<'_, Label>) -> TraceStep<Label> {
    TraceStep { actor: transition.actor, ordinal: transition.ordinal, label: transition.label }
}
