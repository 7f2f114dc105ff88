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

use foldhash::fast::FixedState;

use super::countable::check;
use super::encoded::{Batch, Decoded};
use super::space::{taken, tally};
use super::states::States;
use super::store::Inserted;
use crate::ask::{
    Asks, Budget, Clock, End, Exploration, Explorer, Full, Limits, Method, Monitor, Options, Own,
    Progress, Unexplorable, Violation, violations,
};
use crate::counterexample::shorten::shorten;
use crate::system::System;

/// What it can say: that something is violated, never that nothing is.
const METHOD: Method = Method {
    engine: "directed",
    exhaustive: false,
    shortest: false,
    symmetry: true,
    partial_order: false,
    decides_stuck: false,
};

/// The search for violations that is not exhaustive ([`explore_directed`]).
#[derive(Clone, Copy, Debug)]
pub struct Directed;

impl<S: System, M: Monitor<S::Label>> Explorer<S, M> for Directed {
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
        explore_directed(system, monitor, options)
    }
}

/// Looks for a violation of each property of [`Options::stop_when_violated`], or of all if that is 0, and
/// ends with [`End::Violated`] when it has them. [`End::Complete`] if there was nothing left to expand,
/// which is no verdict either: for that run the exhaustive search, it will end too. Of `options` the
/// limits, the interrupt and the progress count besides; [`Progress::depth`] is the class that is being
/// expanded, and there are no levels.
///
/// # Errors
/// If the system does not fit, or the monitor asks about who is where.
pub fn explore_directed<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
    let initial = check(system, monitor, Asks::Counts)?;
    let clock = Clock::new(options);
    let most = options.limits.states.unwrap_or(u64::MAX).max(1);
    let mut budget = FIRST_TURN;
    let mut rest = match options.stop_when_violated {
        0 => u64::MAX,
        wanted => wanted,
    };
    let mut whole: Option<Exploration<S::Label, M::Tally>> = None;
    loop {
        for newest_first in [true, false] {
            let limits = Limits { states: Some(budget.min(most)), ..options.limits };
            let search = Search {
                states: States::new(system, &initial, true, &limits),
                atoms: Atoms::default(),
                queues: Default::default(),
                newest_first,
                expanded: [0; 3],
                first: [None; 64],
                violated: 0,
                noted: 0,
                clock: &clock,
            };
            let mut turn = search.run(monitor, rest)?;
            rest = turn.violations.iter().fold(rest, |rest, found| rest & !(1 << found.property));
            if let Some(mut before) = whole.take() {
                let end = turn.end;
                if before.states > turn.states {
                    std::mem::swap(&mut before, &mut turn);
                }
                turn.violations.append(&mut before.violations);
                turn.bytes = turn.bytes.max(before.bytes);
                turn.end = end;
            }
            let by_turn = budget < most || newest_first;
            if turn.end != End::StatesLimit || !by_turn {
                turn.violations.sort_by_key(|violation| violation.property);
                return Ok(turn);
            }
            whole = Some(turn);
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
    fn class(&mut self, state: &Decoded, budget: &Budget) -> Result<usize, Full> {
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
                budget.room_in_set(pairs)?;
                if pairs.insert(u128::from(*a) << 64 | u128::from(*b)) {
                    class = 1;
                }
            }
        }
        for atom in now {
            budget.room_in_set(seen)?;
            if seen.insert(*atom) {
                class = 0;
            }
        }
        Ok(class)
    }
}

/// Expansions between two looks at the clock.
const CLOCK: u64 = 1 << 6;

struct Search<'s, 'c, S: System> {
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
    /// Bytes that the budget knows of, of queues and of what is asked of the system.
    noted: usize,
    clock: &'c Clock<'c>,
}

impl<S: System> Search<'_, '_, S> {
    fn run<M: Monitor<S::Label>>(
        mut self,
        monitor: &M,
        wanted: u64,
    ) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
        let initially = self.states.initially(monitor) & wanted;
        self.violated = initially;
        let end = self.search(monitor, wanted);
        self.states.space.kept_to()?;
        self.take_note();
        let first = self.first.iter().zip(0..);
        let later = first.filter_map(|(first, property)| {
            let (before, choice) = first.filter(|_| initially >> property & 1 == 0)?;
            let trace = self.states.trace_violating(property, before, choice, monitor);
            let trace = shorten(self.states.space.system, monitor, property, trace);
            Some(Violation { property, name: monitor.name(property), trace })
        });
        let violations = violations(monitor, initially, later);
        let transitions = taken(&self.states.space.choices).map(|(.., times)| times).sum();
        Ok(Exploration {
            method: METHOD,
            end,
            states: self.states.store.len(),
            transitions,
            followed: transitions,
            depth: 0,
            queue: self.states.store.len() - self.expanded.iter().sum::<u64>(),
            violations,
            stuck: None,
            stuck_until_time_out: None,
            sleepers: Vec::new(),
            blocked_states: 0,
            words: 0,
            tables: 0,
            bytes: self.states.store.budget.peak(),
            tally: tally(monitor, &self.states.space.choices),
            own: Own::Directed { expanded: self.expanded },
        })
    }

    fn search<M: Monitor<S::Label>>(&mut self, monitor: &M, wanted: u64) -> End {
        let mut state = Decoded::default();
        let mut batch = Batch::default();
        self.states.space.decode(self.states.store.tail(0), &mut state);
        if let Err(full) = self.open(0, &state) {
            return full.into();
        }
        let mut next = 0_u64;
        while self.violated & wanted != wanted {
            let Some(class) = (0..3).find(|class| !self.queues[*class].is_empty()) else {
                return End::Complete;
            };
            if next.is_multiple_of(CLOCK)
                && let Some(end) = self.out_of_budget(class)
            {
                return end;
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
            let result = self.states.space.expand(record, &state, monitor, &mut batch, &mut runs);
            for candidate in &batch.candidates {
                let body = batch.body(candidate);
                let before = self.states.store.tail(record);
                let mut violated =
                    self.states.violated(monitor, candidate.choice, before, body) & wanted;
                self.violated |= violated;
                while violated != 0 {
                    self.first[violated.trailing_zeros() as usize]
                        .get_or_insert((record, candidate.choice));
                    violated &= violated - 1;
                }
                let flags = usize::from(candidate.groups).div_ceil(8);
                let inserted = self.states.store.insert(body, candidate.tag, flags, record);
                let opened = match inserted {
                    Inserted::New(new) => {
                        self.states.space.decode(body, &mut state);
                        self.open(new, &state)
                    }
                    Inserted::Old(_) => Ok(()),
                    Inserted::Full(full) => Err(full),
                };
                if let Err(full) = opened {
                    return self.or_found(wanted, full.into());
                }
            }
            if let Err(kind) = result {
                return self.or_found(wanted, End::PoolExhausted(kind));
            }
        }
        End::Violated
    }

    /// Puts a state that is new where it is to be expanded from.
    fn open(&mut self, record: u32, state: &Decoded) -> Result<(), Full> {
        let class = self.atoms.class(state, &self.states.store.budget)?;
        self.queues[class].push_back(record);
        Ok(())
    }

    fn or_found(&self, wanted: u64, end: End) -> End {
        if self.violated & wanted == wanted { End::Violated } else { end }
    }

    /// Lets the budget know of what was not taken from it beforehand.
    fn take_note(&mut self) {
        let queues: usize = self.queues.iter().map(VecDeque::capacity).sum();
        let bytes = self.states.space.bytes() + queues * size_of::<u32>();
        self.states.store.budget.note_again(&mut self.noted, bytes);
    }

    fn out_of_budget(&mut self, class: usize) -> Option<End> {
        self.take_note();
        self.clock.out_of_budget(&self.states.store.budget, || Progress {
            states: self.states.store.len(),
            depth: class as u32,
            queue: self.queues.iter().map(|queue| queue.len() as u64).sum(),
            ..Progress::default()
        })
    }
}
