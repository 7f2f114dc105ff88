//! Exhaustive breadth-first search of many interchangeable processes, by counting.
//!
//! - Paper: S. M. German and A. P. Sistla, 'Reasoning about systems with many processes', 1992, and
//!   E. A. Emerson and R. J. Trefler, 'From asymmetry to full symmetry', 1999: of identical
//!   processes only how many are in each local state matters.
//! - Decides: what [`crate::bfs`] decides with symmetry on, with the same states, for up to
//!   [`MAX_COUNTED`] processes; the counterexamples are shortest and are given with numbered
//!   processes.
//! - Needs of the system: finitely many reachable local states, and properties that speak of single
//!   steps or of how many processes are where ([`Watch`]). The system's functions are asked once for
//!   each distinct argument, so they must be functions.
//! - Costs for each state: 4 bytes of parent, about one byte for each local state that somebody is
//!   in (two for each that several are in), one bit for each such local state, and 9 to 19 bytes of
//!   table.
//!
//! A state is the number of its shared state and, in ascending order, the numbers of the local
//! states that somebody is in, with how many are. Numbers are given in the order of discovery, which
//! is the same each time.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::countable::{MAX_COUNTED, Uncountable, check};
use super::encoded::{Batch, Decoded};
use super::space::taken;
use super::states::States;
use super::store::{Cursor, Inserted};
use super::stuck;
use crate::ask::{End, Options, Progress, Stuck, Violation, Watch};
use crate::collections::bits::flag;
use crate::system::concrete::State;
use crate::system::{System, WayOut};

/// What a search by counting found.
#[derive(Clone, Debug)]
pub struct Counted<Label> {
    /// How it ended; nothing below is a verdict unless this is [`End::Complete`], except violations.
    pub end: End,
    /// Distinct counted states found.
    pub states: u64,
    /// Transitions from the expanded states, each process and each process woken counting as one.
    pub transitions: u64,
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
    /// States in which some process was blocked.
    pub blocked_states: u64,
    /// Distinct local states that were met, of all kinds.
    pub locals: u32,
    /// Bytes held at the end.
    pub bytes: u64,
}

/// Explores every reachable state of `system` up to exchanging processes of one kind, breadth
/// first. [`Options::symmetry`] has no say: a counted state has no numbered processes.
///
/// # Errors
/// If the system does not fit.
pub fn explore_counted<S: System, W: Watch<S::Label>>(
    system: &S,
    watch: &mut W,
    options: &Options<'_>,
) -> Result<Counted<S::Label>, Uncountable> {
    let initial = check(system)?;
    Ok(Search::new(system, &initial, options.limits.states).run(watch, options))
}

/// The first violating transition of a property.
#[derive(Clone, Copy)]
struct First {
    before: u32,
    choice: u32,
}

struct Search<'s, S: System> {
    states: States<'s, S>,
    /// Records in which somebody is blocked, in the order found.
    blocked: Vec<u32>,
    first: [Option<First>; 64],
    transitions: u64,
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
    fn new(system: &'s S, initial: &State, states: Option<u64>) -> Self {
        Self {
            states: States::new(system, initial, true, states),
            blocked: Vec::new(),
            first: [const { None }; 64],
            transitions: 0,
            expanded: 0,
            levels: 0,
            level: 0..0,
            last: 0,
        }
    }

    fn run<W: Watch<S::Label>>(
        mut self,
        watch: &mut W,
        options: &Options<'_>,
    ) -> Counted<S::Label> {
        let end = self.levels(watch, options);
        for (step, times) in taken(&self.states.space.choices) {
            watch.record(step, times);
        }
        let way_outs =
            taken(&self.states.space.choices).any(|(step, _)| step.way_out != WayOut::Ordinary);
        let violations = (0..64)
            .filter(|p| self.first[*p as usize].is_some())
            .map(|p| self.violation(p, watch))
            .collect();
        let bytes = self.bytes();
        let blocked_states = self.blocked.len() as u64;
        let [stuck, stuck_until_time_out] = if end == End::Complete {
            stuck::find(&mut self.states, &self.blocked, way_outs)
        } else {
            [None, None]
        };
        Counted {
            end,
            states: self.states.store.len(),
            transitions: self.transitions,
            depth: self.states.path_to(self.last).len() as u32 - 1,
            queue: self.states.store.len() - self.expanded,
            violations,
            stuck,
            stuck_until_time_out,
            blocked_states,
            locals: self.states.space.locals(),
            bytes,
        }
    }

    /// Expands level after level; returns how that ended.
    fn levels<W: Watch<S::Label>>(&mut self, watch: &W, options: &Options<'_>) -> End {
        let started = Instant::now();
        let mut state = Decoded::default();
        let mut batch = Batch::default();
        let mut runs = [0; MAX_COUNTED.div_ceil(8)];
        let mut cursor = Cursor::default();
        let mut next = 0;
        loop {
            let level_end = self.states.store.len();
            self.level = self.level.end..level_end;
            while next < level_end {
                if next.is_multiple_of(CLOCK) {
                    let end = self.insert(&mut batch).err();
                    if let Some(end) = end.or_else(|| self.out_of_budget(options, started)) {
                        return end;
                    }
                }
                let record = self.states.store.at(&mut cursor);
                self.states.space.decode(self.states.store.tail(record), &mut state);
                let flags = state.flags();
                runs[..flags].fill(0);
                let begin = batch.candidates.len();
                let result =
                    self.states.space.expand(record, &state, watch, &mut batch, &mut runs[..flags]);
                for candidate in &batch.candidates[begin..] {
                    let mut violated = self.states.violated(
                        watch,
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
                if (0..state.groups.len()).any(|i| !flag(&runs, i)) {
                    self.blocked.push(record);
                }
                self.states
                    .store
                    .flags_mut(record, state.bytes, flags)
                    .copy_from_slice(&runs[..flags]);
                self.states.store.pass(&mut cursor, state.bytes, flags);
                next += 1;
                if batch.candidates.len() >= BATCH
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
            let violated = (0..64).filter(|p| self.first[*p].is_some()).fold(0, |m, p| m | 1 << p);
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
        for (i, candidate) in batch.candidates.iter().enumerate() {
            self.transitions += u64::from(candidate.times);
            let flags = usize::from(candidate.groups).div_ceil(8);
            match store.insert(batch.body(candidate), candidate.tag, flags, candidate.parent) {
                Inserted::New(record) => self.last = record,
                Inserted::Old(_) => {}
                Inserted::Full => {
                    for cut in &batch.candidates[i + 1..] {
                        self.states.space.choices[cut.choice as usize].taken -=
                            u64::from(cut.times);
                    }
                    let whole = batch.parents.iter().position(|p| *p == candidate.parent);
                    self.expanded += whole.expect("its parent was expanded") as u64;
                    return Err(End::StatesLimit);
                }
            }
        }
        self.expanded += batch.parents.len() as u64;
        batch.clear();
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.states.store.bytes() + self.states.space.bytes() + self.blocked.capacity() as u64 * 4
    }

    fn out_of_budget(&self, options: &Options<'_>, started: Instant) -> Option<End> {
        let limits = &options.limits;
        if let Some(progress) = options.progress {
            progress(Progress {
                states: self.states.store.len(),
                depth: self.levels,
                queue: self.states.store.len() - self.expanded,
                transitions: self.transitions,
                level: self.level.end - self.level.start,
                level_left: self.level.end - self.expanded,
                bytes: self.bytes(),
                bytes_limit: limits.bytes,
                elapsed: started.elapsed(),
            });
        }
        let grown = self.states.store.bytes_with(64 * CLOCK) - self.states.store.bytes();
        if options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed)) {
            Some(End::Interrupted)
        } else if limits.time.is_some_and(|t| started.elapsed() >= t) {
            Some(End::TimeLimit)
        } else if limits.bytes.is_some_and(|b| self.bytes() + grown > b) {
            Some(End::MemoryLimit)
        } else {
            None
        }
    }

    fn violation<W: Watch<S::Label>>(&self, property: u32, watch: &W) -> Violation<S::Label> {
        let First { before, choice } = self.first[property as usize].expect("it was violated");
        Violation { property, trace: self.states.trace_violating(property, before, choice, watch) }
    }
}
