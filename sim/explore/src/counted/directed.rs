//! A search for violations among many processes that does not wait to be exhaustive.
//!
//! - Paper: N. Lipovetzky and H. Geffner, 'Best-first width search: exploration and exploitation in
//!   classical planning', 2017; width itself is from their 'Width and serialization of classical
//!   planning problems', 2012. Adapted to counted states: an atom is 'so many processes are in that
//!   local state' or 'the shared state is such'. A state is expanded before others if it has an atom
//!   that no state before it had; then come those with a new pair of atoms, then all others. Which
//!   of those with a new pair to take first, the newest or the oldest, makes a difference of two
//!   orders of magnitude either way, so there is a search of each kind, in turn, with a bound on
//!   states that grows by [`GROWTH`] from turn to turn.
//! - Decides: nothing but that there is a violation. A trace is one of the system, and is not proved
//!   shortest. No trace is no verdict, however many states were seen: [`crate::counted`] gives that.
//! - Needs: what [`crate::counted`] needs. Nothing is told to it about the system; it finds what is
//!   far away fast if getting there means that more and more processes get somewhere, or that the
//!   shared state goes where it never was, such as a limit that is reached.
//! - Costs: at most (local states times processes, plus shared states) expansions of the first class,
//!   and at most the square of that of the second; for each state what a counted one costs, 4 bytes
//!   of queue, and about 8 for each new pair.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Instant;

use foldhash::fast::FixedState;

use super::countable::{Uncountable, check};
use super::encoded::{Batch, Decoded};
use super::states::States;
use super::store::Inserted;
use crate::ask::{End, Lead, Options, Progress, Watch};
use crate::counterexample::shorten::shorten;
use crate::system::System;

/// Why a directed search stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every wanted property was violated.
    Found,
    /// A limit was met, or somebody interrupted: never [`End::Complete`] or [`End::Violated`].
    Limit(End),
    /// There was nothing left to expand. For a verdict run the exhaustive search: it will end too.
    NothingLeft,
}

/// What a directed search found.
#[derive(Clone, Debug)]
pub struct Directed<Label> {
    /// Why it stopped.
    pub stopped: Stopped,
    /// The wanted properties that were violated, by property.
    pub leads: Vec<Lead<Label>>,
    /// Distinct counted states found, in the turn that found most.
    pub states: u64,
    /// States expanded in that turn: with a new atom, with a new pair of atoms, and others.
    pub expanded: [u64; 3],
    /// Bytes held at the end of that turn.
    pub bytes: u64,
}

/// Looks for a violation of each property in `wanted`, one bit each. Of `options` the limits, the
/// interrupt and the progress count; [`Progress::depth`] is the class that is being expanded, and
/// there are no levels.
///
/// # Errors
/// If the system does not fit.
pub fn explore_directed<S: System, W: Watch<S::Label>>(
    system: &S,
    watch: &W,
    wanted: u64,
    options: &Options<'_>,
) -> Result<Directed<S::Label>, Uncountable> {
    let initial = check(system)?;
    let started = Instant::now();
    let most = options.limits.states.unwrap_or(u64::MAX).max(1);
    let mut budget = FIRST_TURN;
    let mut rest = wanted;
    let (leads, expanded) = (Vec::new(), [0; 3]);
    let mut whole = Directed { stopped: Stopped::Found, leads, states: 0, expanded, bytes: 0 };
    loop {
        for newest_first in [true, false] {
            let search = Search {
                states: States::new(system, &initial, true, Some(budget.min(most))),
                atoms: Atoms::default(),
                queues: Default::default(),
                newest_first,
                expanded: [0; 3],
                first: [None; 64],
                violated: 0,
                started,
            };
            let turn = search.run(watch, rest, options);
            rest = turn.leads.iter().fold(rest, |rest, lead| rest & !(1 << lead.property));
            let mut leads = std::mem::take(&mut whole.leads);
            let most_states = if turn.states >= whole.states { &turn } else { &whole };
            let Directed { states, expanded, bytes, .. } = *most_states;
            leads.extend(turn.leads);
            whole = Directed { stopped: turn.stopped, leads, states, expanded, bytes };
            let by_turn = budget < most || newest_first;
            if turn.stopped != Stopped::Limit(End::StatesLimit) || !by_turn {
                whole.leads.sort_by_key(|lead| lead.property);
                return Ok(whole);
            }
        }
        budget = budget.saturating_mul(GROWTH);
    }
}

/// Most states of the first turn.
const FIRST_TURN: u64 = 1 << 14;

/// By how much the bound on states grows.
pub const GROWTH: u64 = 4;

/// The atoms that were met.
#[derive(Default)]
struct Atoms {
    /// By atom.
    seen: HashSet<u64, FixedState>,
    /// Two atoms, the smaller one first.
    pairs: HashSet<u128, FixedState>,
    /// Those of the state at hand.
    now: Vec<u64>,
}

impl Atoms {
    /// 0: the state has an atom that is new, 1: a pair that is new, 2: neither.
    fn class(&mut self, state: &Decoded) -> usize {
        self.now.clear();
        self.now.extend(
            state.groups.iter().map(|group| u64::from(group.local) << 8 | u64::from(group.count)),
        );
        // Above all of those.
        self.now.push(1 << 40 | u64::from(state.shared));
        let Self { seen, pairs, now } = self;
        let mut class = 2;
        for (i, a) in now.iter().enumerate() {
            for b in &now[i + 1..] {
                if pairs.insert(u128::from(*a) << 64 | u128::from(*b)) {
                    class = 1;
                }
            }
        }
        for atom in now {
            if seen.insert(*atom) {
                class = 0;
            }
        }
        class
    }

    fn bytes(&self) -> u64 {
        (self.seen.capacity() * 9 + self.pairs.capacity() * 17) as u64
    }
}

/// Expansions between two looks at the clock.
const CLOCK: u64 = 1 << 6;

struct Search<'s, S: System> {
    states: States<'s, S>,
    atoms: Atoms,
    /// By class: records to be expanded.
    queues: [VecDeque<u32>; 3],
    /// Which records of the second class to expand first.
    newest_first: bool,
    expanded: [u64; 3],
    /// By property: the record before the first violating step, and its choice.
    first: [Option<(u32, u32)>; 64],
    violated: u64,
    started: Instant,
}

impl<S: System> Search<'_, S> {
    fn run<W: Watch<S::Label>>(
        mut self,
        watch: &W,
        wanted: u64,
        options: &Options<'_>,
    ) -> Directed<S::Label> {
        let stopped = self.search(watch, wanted, options);
        let found = (0..64).filter_map(|p| self.first[p as usize].map(|first| (p, first)));
        let leads = found
            .map(|(property, (before, choice))| {
                let trace = self.states.trace_violating(property, before, choice, watch);
                let trace = shorten(self.states.space.system, watch, property, trace);
                Lead { property, trace }
            })
            .collect();
        Directed {
            stopped,
            leads,
            states: self.states.store.len(),
            expanded: self.expanded,
            bytes: self.bytes(),
        }
    }

    fn search<W: Watch<S::Label>>(
        &mut self,
        watch: &W,
        wanted: u64,
        options: &Options<'_>,
    ) -> Stopped {
        let mut state = Decoded::default();
        let mut batch = Batch::default();
        self.states.space.decode(self.states.store.tail(0), &mut state);
        self.queues[self.atoms.class(&state)].push_back(0);
        let mut next = 0_u64;
        while self.violated & wanted != wanted {
            let Some(class) = (0..3).find(|class| !self.queues[*class].is_empty()) else {
                return Stopped::NothingLeft;
            };
            if next.is_multiple_of(CLOCK)
                && let Some(end) = self.out_of_budget(class, options)
            {
                return Stopped::Limit(end);
            }
            next += 1;
            let queue = &mut self.queues[class];
            let newest = class == 1 && self.newest_first;
            let record = if newest { queue.pop_back() } else { queue.pop_front() };
            let record = record.expect("it is not empty");
            self.expanded[class] += 1;
            self.states.space.decode(self.states.store.tail(record), &mut state);
            batch.clear();
            let mut runs = vec![0; state.flags()];
            let result = self.states.space.expand(record, &state, watch, &mut batch, &mut runs);
            for candidate in &batch.candidates {
                let body = batch.body(candidate);
                let before = self.states.store.tail(record);
                let mut violated =
                    self.states.violated(watch, candidate.choice, before, body) & wanted;
                self.violated |= violated;
                while violated != 0 {
                    self.first[violated.trailing_zeros() as usize]
                        .get_or_insert((record, candidate.choice));
                    violated &= violated - 1;
                }
                let flags = usize::from(candidate.groups).div_ceil(8);
                match self.states.store.insert(body, candidate.tag, flags, record) {
                    Inserted::New(new) => {
                        self.states.space.decode(body, &mut state);
                        self.queues[self.atoms.class(&state)].push_back(new);
                    }
                    Inserted::Old(_) => {}
                    Inserted::Full => return self.or_found(wanted, End::StatesLimit),
                }
            }
            if let Err(kind) = result {
                return self.or_found(wanted, End::PoolExhausted(kind));
            }
        }
        Stopped::Found
    }

    fn or_found(&self, wanted: u64, end: End) -> Stopped {
        if self.violated & wanted == wanted { Stopped::Found } else { Stopped::Limit(end) }
    }

    fn bytes(&self) -> u64 {
        let queues: usize = self.queues.iter().map(VecDeque::capacity).sum();
        self.states.store.bytes()
            + self.states.space.bytes()
            + self.atoms.bytes()
            + queues as u64 * 4
    }

    fn out_of_budget(&self, class: usize, options: &Options<'_>) -> Option<End> {
        let limits = &options.limits;
        if let Some(progress) = options.progress {
            progress(Progress {
                states: self.states.store.len(),
                depth: class as u32,
                queue: self.queues.iter().map(|queue| queue.len() as u64).sum(),
                transitions: 0,
                level: 0,
                level_left: 0,
                bytes: self.bytes(),
                bytes_limit: limits.bytes,
                elapsed: self.started.elapsed(),
            });
        }
        if options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed)) {
            Some(End::Interrupted)
        } else if limits.time.is_some_and(|t| self.started.elapsed() >= t) {
            Some(End::TimeLimit)
        } else if limits.bytes.is_some_and(|b| self.bytes() > b) {
            Some(End::MemoryLimit)
        } else {
            None
        }
    }
}
