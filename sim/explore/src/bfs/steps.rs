//! What a process can do, tabulated: [`System::step`] is pure, so each pair of shared and local state
//! is asked once, and the answer kept as the bits that it flips in a packed state.
//!
//! - Costs: some 400 bytes for each distinct pair that occurs, of which there are few where there are
//!   many states, and of which some 60 are looked at again; when there are more than are kept, the table is begun
//!   anew.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::entry::{
    BLOCKED, CHANGES, Entry, KIND, MOST_OUTCOMES, NONE, ORDINAL, OUTCOMES, SPECIAL, STILL,
};
use super::packed::{Layout, Packed};
use super::rows::{Row, Rows};
use crate::ask::{self, Monitor};
use crate::system::successor::remembered;
use crate::system::{
    Choice, Effect, Fault, Kind, Local, Queue, Shared, Step, System, WayOut, Wrong, fits, ways,
};

/// Pairs of shared and local state that are kept, unless told otherwise.
pub(super) const MOST: usize = 1 << 18;

/// Entries found by hash up to which the processor's own caches have them, with all that is known of them: some
/// hundred bytes each.
const AT_HAND: usize = 1 << 12;

/// Bits of kind, shared and local state up to which a table of all their values is used.
const DENSE_BITS: u32 = 12;

/// A kind, a shared and a local state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of the process.
    pub kind: Kind,
    /// What everybody sees.
    pub shared: Shared,
    /// The process's own.
    pub local: Local,
}

impl Pair {
    /// The step of such a process with this outcome.
    pub fn step<Label: Clone>(&self, outcome: &Outcome<Label>) -> Step<Label> {
        let Outcome { choice, local_after, .. } = outcome;
        Step::of(self.kind, (self.shared, self.local), choice, *local_after)
    }
}

/// One outcome as it is taken in the innermost loop. Many entries have the same, which are kept once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Patch<const W: usize> {
    /// The shared bits that it flips, in place.
    pub shared: Packed<W>,
    /// The bits of the actor's local state that it flips.
    pub local: Local,
    /// The shared state changes.
    pub changed: bool,
    /// It changes in a way that others may remember.
    pub remembered: bool,
    /// Somebody may be woken.
    pub wakes: bool,
    /// Somebody is started.
    pub starts: bool,
    /// One visit can be any number of transitions.
    pub counted_apart: bool,
    /// It violates some property.
    pub violates: bool,
}

impl<const W: usize> Patch<W> {
    /// Whether others may be changed, wherever they are.
    #[inline]
    pub fn touches_others(&self) -> bool {
        self.remembered || self.wakes
    }
}

/// The rest of an outcome.
pub struct Outcome<Label> {
    /// As the system gave it.
    pub choice: Choice<Label>,
    /// The actor's local state afterwards, with what it remembers of its own change.
    pub local_after: Local,
    /// The properties of single steps that it violates, one bit each.
    pub violated: u64,
    /// How often it was taken, where that is not the entry's visits.
    pub taken: u64,
}

/// What is recorded as nothing but itself.
const ITSELF: u32 = u32::MAX;

/// What steps are recorded as ([`Monitor::judge_step`]): far fewer than there are steps.
struct Recorded {
    /// By what it violates, and its number.
    numbers: HashMap<(u64, u64), u32, FixedState>,
    /// Of each the outcome that was met first, its pair, and how often all of them were taken.
    as_what: Vec<(Pair, usize, u64)>,
    /// By number of the outcome: as which of these it is recorded, or [`ITSELF`].
    of: Vec<u32>,
}

impl Recorded {
    fn new() -> Self {
        let numbers = HashMap::with_hasher(FixedState::with_seed(0));
        Self { numbers, as_what: Vec::new(), of: Vec::new() }
    }

    fn bytes(&self) -> usize {
        ask::table(self.numbers.capacity(), size_of::<((u64, u64), u32)>())
            + self.as_what.capacity() * size_of::<(Pair, usize, u64)>()
            + self.of.capacity() * size_of::<u32>()
    }

    fn clear(&mut self) {
        self.numbers.clear();
        self.as_what.clear();
        self.of.clear();
    }

    /// Adds the next outcome, one of a pair.
    fn add(&mut self, (violated, number): (u64, Option<u64>), pair: Pair) {
        let Self { numbers, as_what, of } = self;
        let number = number.map_or(ITSELF, |number| {
            *numbers.entry((violated, number)).or_insert_with(|| {
                as_what.push((pair, of.len(), 0));
                as_what.len() as u32 - 1
            })
        });
        of.push(number);
    }
}

/// The entry of each pair.
enum Index {
    /// Entries are numbered by shared state, kind and local state; and how many of each shared state are known,
    /// up to 255.
    Dense { kind_bits: u32, local_bits: u32, asked: Vec<u8> },
    /// By hash: those of one shared state next to each other.
    Hashed(Rows),
}

/// The table: an index of pairs, and what is known of each.
pub struct Steps<Label, const W: usize> {
    index: Index,
    /// By number, as [`Steps::entry`] gives it.
    pub entries: Vec<Entry>,
    /// Entries that are known.
    known: usize,
    /// When there are more of them, there is no room.
    most: usize,
    /// So many are too many to be at hand; none, where it is said how many are kept.
    at_hand: usize,
    /// An entry's are next to each other, in the order of its outcomes.
    patches: Vec<Patch<W>>,
    /// By hash of an entry's patches: where some are that have it.
    lists: HashMap<u64, u32, FixedState>,
    /// By number of the outcome: an entry's are next to each other.
    pub outcomes: Vec<Outcome<Label>>,
    recorded: Recorded,
    /// Some step was a way out.
    pub way_outs: bool,
    /// The system has broken a promise.
    pub fault: Option<Fault>,
    scratch: Vec<Choice<Label>>,
}

impl<Label: Clone + Eq, const W: usize> Steps<Label, W> {
    /// An empty table for processes of these kinds, each with what is dormant. `kept`: see [`crate::Options::steps_kept`]; a
    /// table of all values is used only where it is 0.
    pub fn new(
        layout: &Layout,
        kinds: impl Iterator<Item = (Kind, Option<Local>)>,
        kept: usize,
    ) -> Self {
        let kinds: Vec<_> = kinds.collect();
        let numbers = kinds.iter().map(|(kind, _)| u32::from(kind.0) + 1).max().unwrap_or(0);
        let kind_bits = numbers.next_power_of_two().trailing_zeros();
        let bits = kind_bits + layout.shared_bits + layout.local_bits;
        let dense = bits <= DENSE_BITS && kept == 0;
        let most = if kept == 0 { MOST } else { kept };
        let index = if dense {
            let asked = vec![0; 1 << layout.shared_bits];
            Index::Dense { kind_bits, local_bits: layout.local_bits, asked }
        } else {
            Index::Hashed(Rows::new())
        };
        let mut entries = if dense { vec![Entry::NEW; 1 << bits] } else { Vec::new() };
        // Who was not started yet can do nothing: the system is not asked.
        if dense {
            let of_shared = 1 << (kind_bits + layout.local_bits);
            for (kind, dormant) in &kinds {
                let Some(dormant) = dormant.filter(|d| fits(u128::from(*d), layout.local_bits))
                else {
                    continue;
                };
                let first = usize::from(kind.0) << layout.local_bits | dormant as usize;
                entries.iter_mut().skip(first).step_by(of_shared).for_each(|entry| entry.word = 0);
            }
        }
        Self {
            index,
            entries,
            known: 0,
            most,
            at_hand: if kept == 0 { AT_HAND } else { 0 },
            patches: Vec::new(),
            lists: HashMap::with_hasher(FixedState::with_seed(0)),
            outcomes: Vec::new(),
            recorded: Recorded::new(),
            way_outs: false,
            fault: None,
            scratch: Vec::new(),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let index = match &self.index {
            Index::Dense { asked, .. } => asked.capacity(),
            Index::Hashed(rows) => rows.bytes(),
        };
        index
            + ask::table(self.lists.capacity(), size_of::<(u64, u32)>())
            + self.entries.capacity() * size_of::<Entry>()
            + self.patches.capacity() * size_of::<Patch<W>>()
            + self.outcomes.capacity() * size_of::<Outcome<Label>>()
            + self.recorded.bytes()
    }

    /// Whether there is no room for `more` entries.
    #[inline]
    pub fn is_full(&self, more: usize) -> bool {
        self.known + more > self.most
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        // A dense index is never full.
        if let Index::Hashed(rows) = &mut self.index {
            rows.clear();
            self.entries.clear();
            self.known = 0;
            self.patches.clear();
            self.lists.clear();
            self.outcomes.clear();
            self.recorded.clear();
        }
    }

    /// Tells `monitor` of the steps taken since the last time.
    pub fn record<M: Monitor<Label>>(&mut self, monitor: &M, tally: &mut M::Tally) {
        for number in 0..self.entries.len() {
            let entry = &mut self.entries[number];
            if entry.visits == 0 {
                continue;
            }
            let visits = std::mem::take(&mut entry.visits);
            let entry = *entry;
            for (at, nth) in self.outcomes_of(number as u32).zip(0..) {
                let times = if self.patches_of(&entry)[nth].counted_apart {
                    std::mem::take(&mut self.outcomes[at].taken)
                } else {
                    visits.into()
                };
                match self.recorded.of[at] {
                    ITSELF if times == 0 => {}
                    ITSELF => {
                        let outcome = &self.outcomes[at];
                        let step = self.pair(number as u32).step(outcome);
                        monitor.record_step(tally, &step, outcome.violated, times);
                    }
                    as_what => self.recorded.as_what[as_what as usize].2 += times,
                }
            }
        }
        for (pair, outcome, times) in &mut self.recorded.as_what {
            let times = std::mem::take(times);
            if times != 0 {
                let outcome = &self.outcomes[*outcome];
                monitor.record_step(tally, &pair.step(outcome), outcome.violated, times);
            }
        }
    }

    /// The pair of an entry.
    pub fn pair(&self, number: u32) -> Pair {
        match &self.index {
            Index::Dense { kind_bits, local_bits, .. } => Pair {
                kind: Kind((number >> local_bits & ((1 << kind_bits) - 1)) as u8),
                shared: Shared::from(number >> (kind_bits + local_bits)),
                local: Local::from(number & ((1 << local_bits) - 1)),
            },
            Index::Hashed(rows) => self.pair_of(rows.shared(number), number),
        }
    }

    /// The pair of an entry of which the shared state is at hand.
    pub fn pair_of(&self, shared: Shared, number: u32) -> Pair {
        match &self.index {
            Index::Dense { .. } => self.pair(number),
            Index::Hashed(_) => {
                let entry = &self.entries[number as usize];
                Pair { kind: entry.kind(), shared, local: entry.local() }
            }
        }
    }

    /// The numbers of the outcomes of an entry.
    pub fn outcomes_of(&self, entry: u32) -> std::ops::Range<usize> {
        let entry = &self.entries[entry as usize];
        entry.first as usize..entry.first as usize + entry.outcomes() as usize
    }

    /// What the outcomes of an entry do.
    #[inline]
    pub fn patches_of(&self, entry: &Entry) -> &[Patch<W>] {
        &self.patches[entry.patches as usize..][..entry.outcomes() as usize]
    }

    /// On which queue an outcome with that patch may wake somebody. What else is known of an outcome is seldom at hand.
    #[inline]
    pub fn queue(&self, outcome: u32, patch: &Patch<W>) -> Option<Queue> {
        let effect = patch.wakes.then(|| self.outcomes[outcome as usize].choice.effect);
        effect.and_then(Effect::queue)
    }

    /// The entry of a pair, asked for if there is none.
    pub fn entry_of<S: System<Label = Label>, M: Monitor<Label>>(
        &mut self,
        pair: Pair,
        asked: (&S, &Layout, &M),
    ) -> u32 {
        match self.entry(pair) {
            NONE => self.ask(pair, asked),
            entry => entry,
        }
    }

    /// As many ones as kind and local state have bits, if the numbers of entries that share these end in the
    /// same bits, at most 6.
    pub fn ends_in(&self) -> Option<u32> {
        match self.index {
            Index::Dense { kind_bits, local_bits, .. } if kind_bits + local_bits <= 6 => {
                Some((1 << (kind_bits + local_bits)) - 1)
            }
            _ => None,
        }
    }

    /// If entries are numbered by shared state, kind and local state: those of one shared state, by kind
    /// and local state, and the number of the first.
    #[inline]
    pub fn of_shared(&mut self, shared: Shared) -> Option<(&mut [Entry], u32)> {
        let Index::Dense { kind_bits, local_bits, .. } = self.index else { return None };
        let bits = kind_bits + local_bits;
        let first = (shared as usize) << bits;
        Some((&mut self.entries[first..first + (1 << bits)], first as u32))
    }

    /// The entry of a pair; [`NONE`] if the system was not asked yet.
    #[inline]
    pub fn entry(&self, Pair { kind, shared, local }: Pair) -> u32 {
        match &self.index {
            Index::Dense { kind_bits, local_bits, .. } => {
                let number = dense((*kind_bits, *local_bits), kind, shared, local);
                if self.entries[number as usize].is_known() { number } else { NONE }
            }
            Index::Hashed(rows) => {
                let row = rows.row(rows.hash(shared), shared);
                row.find(&self.entries, kind, local).unwrap_or(NONE)
            }
        }
    }

    /// Whether entries are found by hash, and are too many to be at hand.
    #[inline]
    pub fn is_far(&self) -> bool {
        matches!(self.index, Index::Hashed(_)) && self.known >= self.at_hand
    }

    /// If entries are found by hash: a hash of the shared state, and memory asked for where its row is.
    #[inline]
    pub fn ask_for_row(&self, shared: Shared) -> u32 {
        let Index::Hashed(rows) = &self.index else { return 0 };
        let hash = rows.hash(shared);
        rows.ask_for(hash);
        hash
    }

    /// The row of a shared state with that hash, if entries are found by hash.
    #[inline]
    pub fn row(&self, hash: u32, shared: Shared) -> Row {
        let Index::Hashed(rows) = &self.index else { return Row::NONE };
        rows.row(hash, shared)
    }

    /// The row of a shared state, if entries are found by hash.
    #[inline]
    pub fn row_of(&self, shared: Shared) -> Row {
        let Index::Hashed(rows) = &self.index else { return Row::NONE };
        rows.row(rows.hash(shared), shared)
    }

    /// Asks the system about a pair that has no entry, and gives it one.
    #[cold]
    #[inline(never)]
    pub fn ask<S: System<Label = Label>, M: Monitor<Label>>(
        &mut self,
        pair: Pair,
        (system, layout, monitor): (&S, &Layout, &M),
    ) -> u32 {
        let Pair { kind, shared, local } = pair;
        let kept_to = ways(system, (kind, shared, local), &mut self.scratch);
        if kept_to.is_err() {
            self.scratch.clear();
        }
        self.broken(kept_to);
        let first = self.outcomes.len() as u32;
        let mut patches = Vec::new();
        let (mut running, mut special) = (false, false);
        let mut choices = std::mem::take(&mut self.scratch);
        for choice in choices.drain(..) {
            running |= choice.way_out == WayOut::Ordinary;
            self.way_outs |= choice.way_out != WayOut::Ordinary;
            let changed = shared != choice.shared;
            let may_remember = (shared ^ choice.shared) & system.remembered() != 0;
            let local_after = match may_remember {
                true => remembered(system, kind, (shared, choice.shared), choice.local),
                false => choice.local,
            };
            if !fits(u128::from(local_after), layout.local_bits) {
                let wrong = Wrong::Remembered(local_after);
                self.broken(Err(Fault { kind, shared, local, wrong }));
                break;
            }
            let step = Step::of(kind, (shared, local), &choice, local_after);
            let judged = monitor.judge_step(&step);
            let violated = judged.0;
            self.recorded.add(judged, pair);
            special |= choice.effect != Effect::None || violated != 0;
            let outcome = Outcome { choice, local_after, violated, taken: 0 };
            let choice = &outcome.choice;
            patches.push(Patch {
                shared: layout.shared_bits_of(shared ^ choice.shared),
                local: local ^ local_after,
                changed,
                remembered: may_remember,
                wakes: matches!(choice.effect, Effect::WakeAll(_) | Effect::WakeOne(_)),
                starts: matches!(choice.effect, Effect::Spawn(..)),
                counted_apart: matches!(choice.effect, Effect::WakeOne(_) | Effect::Spawn(..)),
                violates: violated != 0,
            });
            self.outcomes.push(outcome);
        }
        self.scratch = choices;
        let mut outcomes = self.outcomes.len() as u32 - first;
        if u64::from(outcomes) > MOST_OUTCOMES {
            let wrong = Wrong::Ways(outcomes as usize, MOST_OUTCOMES as usize);
            self.broken(Err(Fault { kind, shared, local, wrong }));
            outcomes = 0;
        }
        let blocked = !running && !system.returned(kind, local);
        let changes = patches.iter().any(|patch| patch.changed);
        let word = match (special, outcomes, changes) {
            (true, ..) => SPECIAL,
            (_, 0, _) => 0,
            (.., true) => CHANGES | u64::from(outcomes) << 1,
            (.., false) => STILL | u64::from(outcomes) << 1,
        };
        let word = word | if blocked { BLOCKED } else { 0 };
        let word = word | u64::from(outcomes) << OUTCOMES;
        let patches = &patches[..outcomes as usize];
        let patches = self.kept(FixedState::with_seed(0).hash_one(patches), patches);
        let entry = Entry { word, first, patches, ..Entry::NEW };
        self.known += 1;
        match &mut self.index {
            Index::Dense { kind_bits, local_bits, asked } => {
                let number = dense((*kind_bits, *local_bits), kind, shared, local);
                let asked = &mut asked[shared as usize];
                let word = word | u64::from(*asked) << ORDINAL;
                *asked = asked.saturating_add(1);
                self.entries[number as usize] = Entry { word, ..entry };
                number
            }
            Index::Hashed(rows) => {
                let word = word | u64::from(kind.0) << KIND;
                let (number, before) =
                    rows.add(&mut self.entries, shared, Entry { word, local, ..entry });
                self.entries[number as usize].word |= u64::from(before.min(255)) << ORDINAL;
                number
            }
        }
    }

    /// Where these patches, with that hash, are, next to each other.
    fn kept(&mut self, hash: u64, patches: &[Patch<W>]) -> u32 {
        let here = self.patches.len() as u32;
        let first = self.lists.entry(hash).or_insert(here);
        if self.patches[*first as usize..].starts_with(patches) {
            return *first;
        }
        *first = here;
        self.patches.extend(patches);
        here
    }

    /// Notes a promise that was broken: of all that are met, the least.
    pub fn broken(&mut self, kept_to: Result<(), Fault>) {
        self.fault = [self.fault, kept_to.err()].into_iter().flatten().min();
    }
}

/// The number of an entry by shared state, kind and local state, of which there are so many bits.
#[inline]
fn dense((kind_bits, local_bits): (u32, u32), kind: Kind, shared: Shared, local: Local) -> u32 {
    ((shared as u64) << (kind_bits + local_bits) | u64::from(kind.0) << local_bits | local) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patches that are kept are those that were given, whatever their hash is; the same ones are kept once.
    #[test]
    fn patches_are_told_apart() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut steps: Steps<(), 2> = Steps::new(&Layout::new(70, 20, 2), std::iter::empty(), 0);
        let patch = |rng: &mut fastrand::Rng| Patch {
            shared: Packed([rng.u64(0..2), 0]),
            local: rng.u64(0..2),
            changed: rng.bool(),
            remembered: rng.bool(),
            wakes: rng.bool(),
            starts: false,
            counted_apart: false,
            violates: rng.bool(),
        };
        for round in 0..1_000 {
            let list: Vec<_> = (0..rng.usize(0..4)).map(|_| patch(&mut rng)).collect();
            let hash = rng.u64(0..4);
            let kept = steps.patches.len();
            let first = steps.kept(hash, &list);
            assert!(steps.patches[first as usize..].starts_with(&list), "{round}");
            assert_eq!(steps.kept(hash, &list), first, "{round}");
            assert!(steps.patches.len() <= kept + list.len(), "{round}");
        }
    }
}
