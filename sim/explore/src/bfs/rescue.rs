//! Whether one process, running alone, brings a blocked one to where it can run.
//!
//! Standing still is a schedule like any other, so a 'yes' is exact, and it depends only on the two
//! processes' local states and the shared state.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::entry::{NONE, mix};
use super::packed::{Layout, Packed};
use super::steps::{MOST, Pair, Steps};
use crate::ask::{self, CountOnly};
use crate::system::successor::{is_dormant, remembered, woken};
use crate::system::{Effect, Kind, Local, MAX_PROCESSES, Shared, System, WayOut, fits};

/// A state with a process of which it is not known whether it can run again.
#[derive(Clone, Copy)]
pub(crate) struct Unresolved<const W: usize> {
    pub state: Packed<W>,
    pub level: u32,
    /// These processes.
    pub mask: u16,
}

/// Steps that one process may take alone before the attempt is given up.
const ALONE: usize = 1 << 9;

/// By pairs of entries: whether the second, running alone, unblocks the first.
pub(crate) struct Rescue<Label, const W: usize> {
    /// Open addressing: both entries, and the answer in the lowest bit; 0 is empty.
    table: Vec<u64>,
    used: usize,
    /// Where one process has got to while it runs alone, and from where: the place of that in this list.
    open: Vec<(Place, usize)>,
    been: HashSet<Place, FixedState>,
    /// What was found out of places on the way.
    places: HashMap<(Kind, Kind, Place), bool, FixedState>,
    /// Steps of who is where the search has not asked about them: it may never come there, so that nothing is held
    /// against the system that is met there.
    beyond: Option<Steps<Label, W>>,
}

/// The shared state, the local state of the process that runs alone, and that of the blocked one.
type Place = (Shared, Local, Local);

/// What of a system is asked.
pub(crate) type Asked<'a, S> = (&'a S, &'a Layout);

impl<Label: Clone + Eq, const W: usize> Rescue<Label, W> {
    pub fn new() -> Self {
        let been = HashSet::with_hasher(FixedState::with_seed(0));
        let places = HashMap::with_hasher(FixedState::with_seed(0));
        Self { table: Vec::new(), used: 0, open: Vec::new(), been, places, beyond: None }
    }

    pub fn bytes(&self) -> usize {
        self.table.capacity() * size_of::<u64>()
            + ask::table(self.places.capacity(), size_of::<((Kind, Kind, Place), bool)>())
            + self.beyond.as_ref().map_or(0, Steps::bytes)
    }

    pub fn clear(&mut self) {
        self.table.clear();
        self.used = 0;
        self.places.clear();
        self.beyond = None;
    }

    /// Those of the `blocked` processes that no other process, running alone, unblocks. `entries`: by
    /// process.
    #[inline]
    pub fn unresolved<S: System<Label = Label>>(
        &mut self,
        asked: Asked<'_, S>,
        steps: &mut Steps<Label, W>,
        entries: &[u32; MAX_PROCESSES],
        blocked: u16,
    ) -> u16 {
        let mut unresolved = 0;
        let mut rest = blocked;
        while rest != 0 {
            let i = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            // Whoever helped last time often helps again.
            let helper = steps.entries[entries[i] as usize].helper;
            let there = helper != NONE && entries.contains(&helper);
            if !there && !self.find_helper(asked, steps, entries, (i, blocked)) {
                unresolved |= 1 << i;
            }
        }
        unresolved
    }

    /// Looks for a process that unblocks process `i`.
    #[inline(never)]
    fn find_helper<S: System<Label = Label>>(
        &mut self,
        asked: Asked<'_, S>,
        steps: &mut Steps<Label, W>,
        entries: &[u32; MAX_PROCESSES],
        (i, blocked): (usize, u16),
    ) -> bool {
        for (j, entry) in entries.iter().enumerate() {
            let other = *entry != NONE && blocked & 1 << j == 0;
            if other && self.helps(asked, steps, (entries[i], *entry)) {
                steps.entries[entries[i] as usize].helper = *entry;
                return true;
            }
        }
        false
    }

    fn helps<S: System<Label = Label>>(
        &mut self,
        asked: Asked<'_, S>,
        steps: &Steps<Label, W>,
        (blocked, helper): (u32, u32),
    ) -> bool {
        let key = (u64::from(blocked) << 32 | u64::from(helper)) + 1;
        let slot = |table: &[u64]| {
            let mask = table.len() - 1;
            let mut at = mix(key) as usize & mask;
            while table[at] != 0 && table[at] >> 1 != key {
                at = (at + 1) & mask;
            }
            at
        };
        if !self.table.is_empty() {
            let found = self.table[slot(&self.table)];
            if found != 0 {
                return found & 1 != 0;
            }
        }
        let answer = self.try_alone(asked, steps, steps.pair(blocked), steps.pair(helper));
        if self.used >= self.table.len() / 2 {
            let old = std::mem::take(&mut self.table);
            self.table = vec![0; (old.len() * 2).max(1 << 8)];
            let mask = self.table.len() - 1;
            for entry in old.into_iter().filter(|entry| *entry != 0) {
                let mut at = mix(entry >> 1) as usize & mask;
                while self.table[at] != 0 {
                    at = (at + 1) & mask;
                }
                self.table[at] = entry;
            }
        }
        let at = slot(&self.table);
        self.table[at] = key << 1 | u64::from(answer);
        self.used += 1;
        answer
    }

    /// Lets `helper` run alone, by ordinary steps, until the process in the pair `blocked` is not
    /// blocked any more. `false` if that never happens or takes too long to find out.
    #[cold]
    fn try_alone<S: System<Label = Label>>(
        &mut self,
        asked: Asked<'_, S>,
        steps: &Steps<Label, W>,
        blocked: Pair,
        helper: Pair,
    ) -> bool {
        let start = (blocked.shared, helper.local, blocked.local);
        if let Some(helps) = self.places.get(&(blocked.kind, helper.kind, start)) {
            return *helps;
        }
        let beyond =
            self.beyond.get_or_insert_with(|| Steps::new(asked.1, std::iter::empty(), MOST));
        if beyond.is_full(4 * ALONE) {
            beyond.clear();
        }
        if self.places.len() > MOST {
            self.places.clear();
        }
        self.open.clear();
        self.been.clear();
        self.open.push((start, 0));
        self.been.insert(start);
        let mut next = 0;
        let helped = loop {
            if next == self.open.len() {
                break None;
            }
            if next == ALONE {
                return false;
            }
            if self.helps_from(asked, steps, (blocked, helper), next) {
                break Some(next);
            }
            next += 1;
        };
        // From wherever it came through to where it helped, it does; if it never does, from nowhere.
        let Self { open, places, .. } = self;
        let mut note = |place, helps| places.insert((blocked.kind, helper.kind, place), helps);
        match helped {
            None => open.iter().for_each(|(place, _)| _ = note(*place, false)),
            Some(mut at) => loop {
                let (place, from) = open[at];
                note(place, true);
                if at == 0 {
                    break;
                }
                at = from;
            },
        }
        helped.is_some()
    }

    /// Whether `helper` unblocks the other one by its next step in an open place, or it is known that it does from where
    /// that leads; else those places are open, too, unless it is known that it does not from there.
    fn helps_from<S: System<Label = Label>>(
        &mut self,
        (system, layout): Asked<'_, S>,
        steps: &Steps<Label, W>,
        (blocked, helper): (Pair, Pair),
        from: usize,
    ) -> bool {
        let Self { open, been, beyond: Some(beyond), places, .. } = self else { return false };
        let (shared, local, sleeper) = open[from].0;
        if is_dormant(system, helper.kind, local) {
            return false;
        }
        let entry = known(steps, beyond, (system, layout), Pair { shared, local, ..helper });
        for outcome in entry.of(steps, beyond).outcomes_of(entry.number()) {
            let outcome = &entry.of(steps, beyond).outcomes[outcome];
            if outcome.choice.way_out != WayOut::Ordinary {
                continue;
            }
            let (to, after) = (outcome.choice.shared, outcome.local_after);
            let effect = outcome.choice.effect;
            let seen = match (shared ^ to) & system.remembered() {
                0 => sleeper,
                _ => remembered(system, blocked.kind, (shared, to), sleeper),
            };
            // A wake-up of one sleeper may be the one of this process.
            let woken = match effect {
                Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                    woken(system, blocked.kind, seen, queue)
                }
                Effect::None | Effect::Spawn(..) => None,
            };
            let sleeper = woken.unwrap_or(seen);
            if !fits(u128::from(sleeper), layout.local_bits) {
                continue; // The search will say so, if it comes there.
            }
            if is_dormant(system, blocked.kind, sleeper) {
                return true;
            }
            let pair = Pair { shared: to, local: sleeper, ..blocked };
            let there = known(steps, beyond, (system, layout), pair);
            if !there.of(steps, beyond).entries[there.number() as usize].is_blocked() {
                return true;
            }
            let place = (to, after, sleeper);
            if been.insert(place) {
                match places.get(&(blocked.kind, helper.kind, place)) {
                    None => open.push((place, from)),
                    Some(true) => return true,
                    Some(false) => {}
                }
            }
        }
        false
    }
}

/// An entry, of one of two tables.
#[derive(Clone, Copy)]
enum Known {
    /// Of the search's.
    Search(u32),
    /// Of the other one.
    Beyond(u32),
}

impl Known {
    fn number(self) -> u32 {
        match self {
            Self::Search(number) | Self::Beyond(number) => number,
        }
    }

    fn of<'s, T>(self, search: &'s T, beyond: &'s T) -> &'s T {
        match self {
            Self::Search(_) => search,
            Self::Beyond(_) => beyond,
        }
    }
}

/// The entry of a pair, asked for where there is none.
fn known<S: System, const W: usize>(
    search: &Steps<S::Label, W>,
    beyond: &mut Steps<S::Label, W>,
    (system, layout): Asked<'_, S>,
    pair: Pair,
) -> Known {
    match search.entry(pair) {
        NONE => Known::Beyond(beyond.entry_of(pair, (system, layout, &CountOnly))),
        entry => Known::Search(entry),
    }
}
