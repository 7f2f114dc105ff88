//! Exhaustive breadth-first search of many interchangeable processes, by counting.
//!
//! - Paper: S. M. German and A. P. Sistla, 'Reasoning about systems with many processes', 1992, and
//!   E. A. Emerson and R. J. Trefler, 'From asymmetry to full symmetry', 1999: of identical
//!   processes only how many are in each local state matters.
//! - Decides: what [`crate::bfs`] decides with symmetry on, with the same states, for up to
//!   [`MAX_COUNTED`] processes; the counterexamples are shortest and are given with numbered
//!   processes.
//! - Needs of the system: finitely many reachable local states, and properties that speak of single
//!   steps or of how many processes are where ([`Monitor`]). The system's functions are asked once for
//!   each distinct argument, so they must be functions.
//! - Costs for each state: 4 bytes of parent, about one byte for each local state that somebody is
//!   in (two for each that several are in), one bit for each such local state, and 9 to 19 bytes of
//!   table.
//!
//! A state is the number of its shared state and, in ascending order, the numbers of the local
//! states that somebody is in, with how many are. Numbers are given in the order of discovery, which
//! is the same each time.

use std::ops::Range;

use super::countable::{MAX_COUNTED, check};
use super::encoded::{Batch, Decoded};
use super::sleep::{Commuting, may_sleep};
use super::space::{Space, taken, tally};
use super::states::States;
use super::store::{Cursor, Inserted};
use super::stuck;
use crate::ask::{
    Asks, Clock, End, Exploration, Explorer, Method, Monitor, Options, Own, Progress, Unexplorable,
    Violation, violations,
};
use crate::system::concrete::State;
use crate::system::{System, WayOut};

/// The search by counting ([`explore_counted`]).
#[derive(Clone, Copy, Debug)]
pub struct Counted;

impl<S: System, M: Monitor<S::Label>> Explorer<S, M> for Counted {
    type Error = Unexplorable;

    fn method(&self, _: &Options<'_>) -> Method {
        METHOD
    }

    fn explore(
        self,
        system: &S,
        monitor: &M,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
        explore_counted(system, monitor, options)
    }
}

/// Explores every reachable state of `system` up to exchanging processes of one kind, breadth
/// first. [`Options::symmetry`] has no say: a counted state has no numbered processes.
///
/// # Errors
/// If the system does not fit.
pub fn explore_counted<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
    let initial = check(system, monitor, Asks::Counts)?;
    Search::new(system, &initial, options).run(monitor, options)
}

/// What it can say: as much as the search of the product.
const METHOD: Method = Method {
    engine: "counted",
    exhaustive: true,
    shortest: true,
    symmetry: true,
    partial_order: false,
    decides_stuck: true,
};

/// The first violating transition of a property.
#[derive(Clone, Copy)]
struct First {
    before: u32,
    choice: u32,
}

struct Search<'s, S: System> {
    states: States<'s, S>,
    clock: Clock<'s>,
    /// Bytes that the budget knows of, of what is asked of the system and found out.
    noted: usize,
    commuting: Commuting,
    /// Whether anybody sleeps: if no transition has to be followed only to be judged.
    sleeps: bool,
    /// The choices by which the states of the level that is expanded were found.
    found_by: Vec<u32>,
    /// The same of the next level.
    found_next: Vec<u32>,
    /// Records in which somebody is blocked, in the order found.
    blocked: Vec<u32>,
    first: [Option<First>; 64],
    /// Transitions followed.
    followed: u64,
    /// Those that are not.
    asleep: u64,
    expanded: u64,
    levels: u32,
    /// The level being expanded: the first of its states, and the first after them, as counted.
    level: Range<u64>,
    /// The last record found.
    last: u32,
}

/// States between two looks at the clock.
const CLOCK: u64 = 1 << 10;

/// Successors that are looked up together.
const BATCH: usize = 256;

impl<'s, S: System> Search<'s, S> {
    fn new(system: &'s S, initial: &State, options: &'s Options<'s>) -> Self {
        Self {
            states: States::new(system, initial, true, &options.limits),
            clock: Clock::new(options),
            commuting: Commuting::default(),
            sleeps: false,
            found_by: Vec::new(),
            found_next: Vec::new(),
            noted: 0,
            blocked: Vec::new(),
            first: [const { None }; 64],
            followed: 0,
            asleep: 0,
            expanded: 0,
            levels: 0,
            level: 0..0,
            last: 0,
        }
    }

    fn run<M: Monitor<S::Label>>(
        mut self,
        monitor: &M,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
        self.sleeps = !options.follow_all && !M::ASKS.beyond_steps();
        let initially = self.states.initially(monitor);
        let end = self.levels(monitor, initially, options);
        self.states.space.kept_to()?;
        self.take_note();
        self.states.space.settle();
        let tally = tally(monitor, &self.states.space.choices);
        let way_outs =
            taken(&self.states.space.choices).any(|(step, ..)| step.way_out != WayOut::Ordinary);
        let first = self.first.iter().zip(0..);
        let later = first.filter_map(|(first, property)| {
            let First { before, choice } = first.filter(|_| initially >> property & 1 == 0)?;
            let trace = self.states.trace_violating(property, before, choice, monitor);
            Some(Violation { property, name: monitor.name(property), trace })
        });
        let violations = violations(monitor, initially, later);
        let blocked_states = self.blocked.len() as u64;
        let stuck = match end {
            End::Complete => stuck::find(&mut self.states, &self.blocked, way_outs),
            _ => stuck::Blocked::default(),
        };
        Ok(Exploration {
            method: METHOD,
            end,
            states: self.states.store.len(),
            transitions: self.followed + self.asleep,
            followed: self.followed,
            depth: self.states.path_to(self.last).len() as u32 - 1,
            queue: self.states.store.len() - self.expanded,
            violations,
            stuck: stuck.stuck,
            stuck_until_time_out: stuck.until_time_out,
            sleepers: stuck.sleepers,
            blocked_states,
            words: 0,
            tables: 0,
            bytes: self.states.store.budget.peak(),
            tally,
            own: Own::Counted { locals: self.states.space.locals() },
        })
    }

    /// Expands level after level; returns how that ended.
    fn levels<M: Monitor<S::Label>>(
        &mut self,
        monitor: &M,
        initially: u64,
        options: &Options<'_>,
    ) -> End {
        let mut state = Decoded::default();
        let mut batch = Batch::default();
        let mut runs = [0; MAX_COUNTED.div_ceil(8)];
        let mut cursor = Cursor::default();
        let mut next = 0;
        loop {
            let level_end = self.states.store.len();
            self.level = self.level.end..level_end;
            std::mem::swap(&mut self.found_by, &mut self.found_next);
            self.found_next.clear();
            while next < level_end {
                if next.is_multiple_of(CLOCK) {
                    let end = self.insert(&mut batch).err();
                    if let Some(end) = end.or_else(|| self.out_of_budget()) {
                        return end;
                    }
                }
                let record = self.states.store.at(&mut cursor);
                self.states.space.decode(self.states.store.tail(record), &mut state);
                let flags = state.flags();
                let by = self.found_by.get((next - self.level.start) as usize).copied();
                let mut may_sleep = 0;
                if self.sleeps {
                    let known = &self.states.store.flags(record, state.bytes, flags);
                    let known = &known[..flags.min(size_of::<u64>())];
                    may_sleep = known.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte));
                }
                let commuting = &mut self.commuting;
                let sleeps = |space: &Space<'s, S>, group: usize| {
                    let choice = by.filter(|_| may_sleep.unbounded_shr(group as u32) & 1 != 0);
                    let local = state.groups[group].local;
                    choice.is_some_and(|choice| commuting.commute(space, choice, local))
                };
                runs[..flags].fill(0);
                let begin = batch.candidates.len();
                let result = self.states.space.expand_awake(
                    record,
                    &state,
                    monitor,
                    &mut batch,
                    &mut runs[..flags],
                    sleeps,
                );
                for candidate in &batch.candidates[begin..] {
                    self.states.store.ask_for(candidate.tag);
                    let mut violated = self.states.violated(
                        monitor,
                        candidate.choice,
                        self.states.store.tail(record),
                        batch.body(candidate),
                    );
                    while violated != 0 {
                        self.first[violated.trailing_zeros() as usize]
                            .get_or_insert(First { before: record, choice: candidate.choice });
                        violated &= violated - 1;
                    }
                }
                if let Err(kind) = result {
                    let end = self.insert(&mut batch).err().unwrap_or(End::PoolExhausted(kind));
                    // Of that state some steps are missing.
                    self.expanded -= u64::from(matches!(end, End::PoolExhausted(_)));
                    return end;
                }
                let running: u32 = runs[..flags].iter().map(|byte| byte.count_ones()).sum();
                if running < state.groups.len() as u32 {
                    let blocked = self.states.store.budget.push(&mut self.blocked, record);
                    if let Err(full) = blocked {
                        return self.insert(&mut batch).err().unwrap_or(full.into());
                    }
                }
                self.states
                    .store
                    .flags_mut(record, state.bytes, flags)
                    .copy_from_slice(&runs[..flags]);
                self.states.store.pass(&mut cursor, state.bytes, flags);
                next += 1;
                // As often, whether they are followed or not: what is covered at a limit is the same.
                if batch.candidates.len() + batch.left_out >= BATCH
                    && let Err(end) = self.insert(&mut batch)
                {
                    return end;
                }
            }
            if let Err(end) = self.insert(&mut batch) {
                return end;
            }
            if level_end == self.states.store.len() {
                return End::Complete;
            }
            self.levels += 1;
            let wanted = options.stop_when_violated;
            let violated =
                (0..64).filter(|p| self.first[*p].is_some()).fold(initially, |m, p| m | 1 << p);
            if wanted != 0 && violated & wanted == wanted {
                return End::Violated;
            }
        }
    }

    /// Stores the successors of the states expanded since the last time.
    fn insert(&mut self, batch: &mut Batch) -> Result<(), End> {
        let store = &mut self.states.store;
        let touched = batch.candidates.iter().fold(0_u32, |t, c| t ^ store.touch(c.tag));
        std::hint::black_box(touched);
        let mut at = 0;
        for (i, candidate) in batch.candidates.iter().enumerate() {
            while batch.parents[at].record != candidate.parent {
                at += 1;
            }
            self.followed += u64::from(candidate.times);
            let flags = usize::from(candidate.groups).div_ceil(8);
            let body = batch.body(candidate);
            let full = match store.insert(body, candidate.tag, flags, candidate.parent) {
                Inserted::New(record) => {
                    self.last = record;
                    if !self.sleeps {
                        continue;
                    }
                    let may = may_sleep(&batch.parents[at], candidate.actor, candidate.went);
                    let bytes = flags.min(size_of::<u64>());
                    store
                        .flags_mut(record, body.len(), bytes)
                        .copy_from_slice(&may.to_le_bytes()[..bytes]);
                    store.budget.push(&mut self.found_next, candidate.choice).err()
                }
                Inserted::Old(_) => None,
                Inserted::Full(full) => Some(full),
            };
            if let Some(full) = full {
                let space = &mut self.states.space;
                for cut in &batch.candidates[i + 1..] {
                    space.choices[cut.choice as usize].taken -= u64::from(cut.times);
                }
                let mut first = candidate.actor as usize;
                let mut state = Decoded::default();
                for parent in &batch.parents[at..] {
                    space.decode(store.tail(parent.record), &mut state);
                    batch.asleep -= space.did_not_sleep(&state, parent.asleep, first);
                    first = 0;
                }
                self.asleep += batch.asleep;
                self.expanded += at as u64;
                return Err(full.into());
            }
        }
        self.asleep += batch.asleep;
        self.expanded += batch.parents.len() as u64;
        batch.clear();
        Ok(())
    }

    /// Lets the budget know of what is kept of the system's answers.
    fn take_note(&mut self) {
        let bytes = self.states.space.bytes() + self.commuting.bytes();
        self.states.store.budget.note_again(&mut self.noted, bytes);
    }

    fn out_of_budget(&mut self) -> Option<End> {
        self.take_note();
        let states = self.states.store.len();
        self.clock.out_of_budget(&self.states.store.budget, || Progress {
            states,
            depth: self.levels,
            queue: states - self.expanded,
            transitions: self.followed + self.asleep,
            level: self.level.end - self.level.start,
            level_left: self.level.end - self.expanded,
            ..Progress::default()
        })
    }
}
