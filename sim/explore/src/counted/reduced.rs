//! Partial-order reduction: of steps that commute, one order is enough.
//!
//! - Papers: P. Godefroid, 'Partial-order methods for the verification of concurrent systems', 1996
//!   (persistent sets, computed process by process from what each may do from here on); D. Peled,
//!   'All from one, one for all', 1993 (ample sets); D. Bošnački, S. Leue and A. Lluch Lafuente,
//!   'Partial-order reduction for general state exploring algorithms', 2009 (the proviso for
//!   breadth-first search); E. A. Emerson, S. Jha and D. Peled, 'Combining partial order and symmetry
//!   reductions', 1997.
//! - Decides: whether a step that violates a property of single steps can be taken, and whether a
//!   state can be reached in which nobody can step and somebody has not returned. Both exactly. Not
//!   decided: how short a trace can be, properties of states (a monitor that asks about them is refused),
//!   how often a step is taken, and processes that are stuck while others go on.
//! - Needs: a system that answers for any shared and local state, also for two that never come together.
//!   What is declared ([`Footprint`](crate::Footprint), [`Monitor::looks_at`]) only
//!   makes it effective, and is checked.
//! - Costs: a pass over pairs of shared and local states before the search (`footprint`); for each
//!   state a comparison of those who are there with each other, and a look-up of each successor
//!   before it is stored.
//!
//! # Why nothing is lost
//!
//! In a state, take some processes P such that nothing that others can do, however long P waits,
//! fails to commute with any next step of a process in P, or enables another step of one. The steps
//! of P alone are explored. Let w be any sequence of steps in the full system. If no process of P
//! steps in w, each explored step still can be taken after w, and first instead, with the same
//! result. If one does, its first step c commutes with all of w before it: c is an explored step,
//! and w with c moved to its front leads to the same state and is made of the same steps. A step is
//! the same if it is by the same process, with the same label, local states, written values and
//! violations: all of these depend on what the step reads only, and that was not written by what it
//! was moved across. So by induction every step of w is taken in the reduced system too, provided that
//! no step is put off for ever: that needs a state where all are expanded to be reached again and
//! again, and it is, because a state is expanded in part only if one of its explored steps leads to
//! a state that is expanded later (the proviso). A state in which nobody can step is at the end of
//! sequences that cannot be put off, and is reached by a reordering of any of them.
//!
//! That steps of p and q 'commute' speaks of everybody, because steps change more than the process
//! that takes them: what others remember of a change counts as read by them, a queue counts as
//! written by who wakes it and as read by who is asleep on it now or one step from here, and
//! likewise a pool of dormant processes by who takes from it and by who is in it. A third process
//! that would remember two changes differently in the other order reads both. The one that steps may
//! be one of several in one local state: these are disturbed by each other or not, like any two.
//!
//! With symmetry: the choice of P depends on kinds and local states only, so exchanging processes
//! exchanges what is chosen, and the proviso holds for all states that a stored one stands for.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::FixedState;

use super::countable::{MAX_COUNTED, check};
use super::encoded::{Batch, Decoded};
use super::footprint::{Interference, InterferenceTable, interferences};
use super::space::tally;
use super::states::States;
use super::store::{Cursor, Inserted};
use crate::ask::{
    Asks, Clock, End, Exploration, Explorer, Method, Monitor, Options, Own, Progress, Sleep,
    Sleeper, Stuck, Unexplorable, Violation, table,
};
use crate::collections::bits::Mask;
use crate::collections::bits::flag;
use crate::system::System;
use crate::system::successor::is_at_rest;

/// Most questions that the pass before the search asks, each of what one step does to one process.
pub const PASS: u64 = 100_000_000;

/// What it can say: which steps can be taken, not how soon, and who is stuck only where nobody can step.
const fn method(symmetry: bool) -> Method {
    Method {
        engine: "reduced",
        exhaustive: true,
        shortest: false,
        symmetry,
        partial_order: true,
        decides_stuck: false,
    }
}

/// The search reduced by partial order ([`explore_reduced`]).
#[derive(Clone, Copy, Debug)]
pub struct Reduced;

impl<S: System, M: Monitor<S::Label>> Explorer<S, M> for Reduced {
    type Error = Unexplorable;

    fn method(&self, options: &Options<'_>) -> Method {
        method(options.symmetry)
    }

    fn explore(
        self,
        system: &S,
        monitor: &M,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
        explore_reduced(system, monitor, options)
    }
}

/// Explores enough of the states of `system` to decide what can be done, breadth first. With
/// [`Options::symmetry`] processes of one kind are interchangeable, as in
/// [`crate::explore_counted`]; without it each is itself. [`Options::stop_when_violated`] stops at the
/// end of a level.
///
/// # Errors
/// If the system does not fit.
pub fn explore_reduced<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
    let initial = check(system, monitor, Asks::Steps)?;
    let clock = Clock::new(options);
    let states = States::new(system, &initial, options.symmetry, &options.limits);
    let (table, cut) = match interferences(system, monitor, PASS, (&clock, &states.store.budget)) {
        Ok(table) => (table, None),
        Err(end) => (None, Some(end)),
    };
    let search = Search {
        states,
        table,
        clock,
        noted: 0,
        here: HashMap::default(),
        one: Vec::new(),
        disturbed: Vec::new(),
        possible: Vec::new(),
        first: [None; 64],
        deadlock: None,
        deadlocks: 0,
        transitions: 0,
        expanded: 0,
        reduced: 0,
        levels: 0,
        level: 0..0,
        last: 0,
    };
    search.run(monitor, cut, options)
}

/// Groups of a state.
type Groups = Mask<{ MAX_COUNTED.div_ceil(64) }>;

struct Search<'s, S: System> {
    states: States<'s, S>,
    table: Option<InterferenceTable>,
    /// By number of shared and of local state.
    here: HashMap<(u32, u32), (Interference, bool), FixedState>,
    /// Of the state at hand, by group: what its processes have to do with others, and whether they
    /// have a way to step.
    one: Vec<(Interference, bool)>,
    /// And which groups may disturb it, where that was asked.
    disturbed: Vec<Option<Groups>>,
    /// Sets of groups that are enough: how many of them have a way to step, and the first.
    possible: Vec<(usize, usize, Groups)>,
    /// By property: the record before the first violating step, and its choice.
    first: [Option<(u32, u32)>; 64],
    /// The first record with a deadlock.
    deadlock: Option<u32>,
    deadlocks: u64,
    transitions: u64,
    expanded: u64,
    reduced: u64,
    levels: u32,
    /// The level being expanded: the first of its states, and the first after them, as counted.
    level: Range<u64>,
    last: u32,
    clock: Clock<'s>,
    /// Bytes that the budget knows of, of what is kept of the system's answers.
    noted: usize,
}

/// States between two looks at the clock.
const CLOCK: u64 = 1 << 10;

impl<S: System> Search<'_, S> {
    fn run<M: Monitor<S::Label>>(
        mut self,
        monitor: &M,
        cut: Option<End>,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
        let end = cut.unwrap_or_else(|| self.levels(monitor, options));
        self.states.space.kept_to()?;
        self.take_note();
        let violated = (0..64).filter_map(|p| self.first[p as usize].map(|first| (p, first)));
        let violations = violated
            .map(|(property, (before, choice))| {
                let trace = self.states.trace_violating(property, before, choice, monitor);
                Violation { property, name: monitor.name(property), trace }
            })
            .collect();
        let deadlock = self.deadlock.map(|record| {
            let (trace, end) = self.states.trace_to(record);
            let waits = |(kind, local)| !is_at_rest(self.states.space.system, kind, local);
            let process = end.processes.iter().position(|process| waits(*process));
            let process = process.expect("somebody has not returned");
            (end.processes[process].0, Stuck { process, trace, states: self.deadlocks })
        });
        let sleepers = deadlock.iter().map(|(kind, stuck)| Sleeper {
            kind: *kind,
            sleep: Sleep::ForEver,
            stuck: stuck.clone(),
        });
        Ok(Exploration {
            method: method(options.symmetry),
            end,
            states: self.states.store.len(),
            transitions: self.transitions,
            followed: self.transitions,
            depth: self.states.path_to(self.last).len() as u32 - 1,
            queue: self.states.store.len() - self.expanded,
            violations,
            sleepers: sleepers.collect(),
            stuck: deadlock.map(|(_, stuck)| stuck),
            stuck_until_time_out: None,
            blocked_states: self.deadlocks,
            words: 0,
            tables: 0,
            bytes: self.states.store.budget.peak(),
            tally: tally(monitor, &self.states.space.choices),
            own: Own::Reduced { in_part: self.reduced, informed: self.table.is_some() },
        })
    }

    fn levels<M: Monitor<S::Label>>(&mut self, monitor: &M, options: &Options<'_>) -> End {
        let mut state = Decoded::default();
        let mut cursor = Cursor::default();
        let mut batch = Batch::default();
        loop {
            let level_end = self.states.store.len();
            self.level = self.level.end..level_end;
            while self.expanded < level_end {
                if self.expanded.is_multiple_of(CLOCK)
                    && let Some(end) = self.out_of_budget()
                {
                    return end;
                }
                let record = self.states.store.at(&mut cursor);
                self.states.space.decode(self.states.store.tail(record), &mut state);
                if let Err(end) = self.expand(record, &state, monitor, &mut batch) {
                    return end;
                }
                self.states.store.pass(&mut cursor, state.bytes, state.flags());
                self.expanded += 1;
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

    fn expand<M: Monitor<S::Label>>(
        &mut self,
        record: u32,
        state: &Decoded,
        monitor: &M,
        batch: &mut Batch,
    ) -> Result<(), End> {
        batch.clear();
        let chosen = self.choose(record, state, monitor, batch);
        let mut exhausted = Ok(());
        match &chosen {
            Some(_) => self.reduced += 1,
            None => {
                let mut runs = vec![0; state.flags()];
                exhausted = self.states.space.expand(record, state, monitor, batch, &mut runs);
                let waits = (0..state.groups.len()).any(|i| !flag(&runs, i));
                if batch.candidates.is_empty() && exhausted.is_ok() && waits {
                    self.deadlock.get_or_insert(record);
                    self.deadlocks += 1;
                }
            }
        }
        for candidate in &batch.candidates {
            self.transitions += u64::from(candidate.times);
            let mut violated = self.states.space.choices[candidate.choice as usize].violated;
            while violated != 0 {
                self.first[violated.trailing_zeros() as usize]
                    .get_or_insert((record, candidate.choice));
                violated &= violated - 1;
            }
            let flags = usize::from(candidate.groups).div_ceil(8);
            match self.states.store.insert(batch.body(candidate), candidate.tag, flags, record) {
                Inserted::New(new) => self.last = new,
                Inserted::Old(_) => {}
                Inserted::Full(full) => return Err(full.into()),
            }
        }
        exhausted.map_err(End::PoolExhausted)
    }

    /// Chooses groups whose processes' steps are enough, if these are not all: fills `batch` with
    /// their successors.
    fn choose<M: Monitor<S::Label>>(
        &mut self,
        record: u32,
        state: &Decoded,
        monitor: &M,
        batch: &mut Batch,
    ) -> Option<()> {
        let Self { states, table, here, one, disturbed, possible, .. } = self;
        let table = table.as_ref()?;
        let groups = state.groups.len();
        let space = &mut states.space;
        one.clear();
        for group in &state.groups {
            let known = *here.entry((state.shared, group.local)).or_insert_with(|| {
                let (kind, value) = space.local_value(group.local);
                let one = table.of(kind, value, space.shared_value(state.shared));
                (one, space.steps(state.shared, group.local, monitor).many > 0)
            });
            one.push(known);
        }
        let all = one.iter().filter(|(_, steps)| *steps).count();
        disturbed.clear();
        disturbed.resize(groups, None);
        possible.clear();
        for first in (0..groups).filter(|i| one[*i].1) {
            let mut chosen = Groups::of(first);
            let mut open = chosen;
            while let Some(i) = open.pop() {
                let by = disturbed[i].get_or_insert_with(|| {
                    let mut by = Groups::NONE;
                    let disturbing = |j: &usize| one[i].0.disturbed_by(&one[*j].0);
                    (0..groups).filter(disturbing).for_each(|j| by.set(j));
                    by
                });
                open.add(by.without(&chosen));
                chosen.add(*by);
            }
            let size = (0..groups).filter(|i| one[*i].1 && chosen.has(*i)).count();
            if size < all {
                possible.push((size, first, chosen));
            }
        }
        // The fewest; of as many the first.
        possible.sort_unstable_by_key(|(size, first, _)| (*size, *first));
        possible.iter().find_map(|(_, _, chosen)| {
            let some = (0..groups).filter(|i| chosen.has(*i)).all(|group| {
                // Whoever wants somebody from an empty pool: all is expanded, which says so.
                states.space.steps_of(record, state, group, monitor, batch).is_ok()
            });
            // The proviso: one of the successors is expanded later.
            let later = some
                && batch.candidates.iter().any(|candidate| {
                    let found = states.store.find(batch.body(candidate), candidate.tag);
                    found.is_none_or(|found| found > record)
                });
            if !later {
                states.space.not_taken(batch);
                batch.clear();
            }
            later.then_some(())
        })
    }

    /// Lets the budget know of what is kept of the system's answers.
    fn take_note(&mut self) {
        let here = table(self.here.capacity(), size_of::<((u32, u32), (Interference, bool))>());
        let table = self.table.as_ref().map_or(0, InterferenceTable::bytes);
        let bytes = self.states.space.bytes() + here + table;
        self.states.store.budget.note_again(&mut self.noted, bytes);
    }

    fn out_of_budget(&mut self) -> Option<End> {
        self.take_note();
        let states = self.states.store.len();
        self.clock.out_of_budget(&self.states.store.budget, || Progress {
            states,
            depth: self.levels,
            queue: states - self.expanded,
            transitions: self.transitions,
            level: self.level.end - self.level.start,
            level_left: self.level.end - self.expanded,
            ..Progress::default()
        })
    }
}
