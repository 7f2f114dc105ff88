//! The visited set: shards, each an open-addressing table that holds the states themselves beside a
//! list of them in the order found. Exact: states are compared, not fingerprinted.
//!
//! - Linear probing, D. E. Knuth, 'The Art of Computer Programming', vol. 3, 6.4. A slot is found by
//!   multiplying the hash by the number of slots, not by masking (D. Lemire, 'Fast random integer
//!   generation in an interval', 2019): a table may have any length, and one that grows is read and
//!   written in the order of its slots, in place.
//! - Costs: a state twice, once divided by the load, which is between 0.53 and 0.75; no parents. A
//!   table that grows is there once where it is a mapping and Linux makes it longer; else its shard holds
//!   it twice for a moment.

use super::packed::{Packed, Spare};
use super::slots::{HUGE, Slots};
use crate::ask::{Budget, Full};

/// States of a piece of the list.
const PIECE: usize = 1 << 10;

/// Bytes that have to be left after each growth: what a search takes beside its states until the next one, and
/// to say what it covered, is far less, and is had without asking, so that an end of memory would be an abort.
const ROOM: usize = 4 << 20;

/// Whether the machine has as many bytes and [`ROOM`] beside them: asked for and given back, untouched.
fn are_there(bytes: usize) -> bool {
    Vec::<u8>::new().try_reserve_exact(bytes.saturating_add(ROOM)).is_ok()
}

/// How far ahead of the state that is inserted the next ones are asked for.
const AHEAD: usize = 16;

/// One of the parts of the visited set: a table of states, and a list of them in the order found.
pub struct Shard<const W: usize> {
    slots: Slots<W>,
    /// States in `slots`, and how many before it grows.
    used: usize,
    room: usize,
    /// The state that looks like an empty slot is kept apart.
    has_zero: bool,
    /// In the order found, each with the sleep set it came with.
    list: Vec<Vec<Packed<W>>>,
    len: usize,
    /// Where in a state that is.
    spare: Spare,
}

/// Parts of the visited set: enough for as many threads, and few enough to be written to in turn.
pub const SHARDS: usize = 1 << SHARD_BITS;

const SHARD_BITS: u32 = 5;

/// The shard of a hash: its highest bits.
#[inline]
pub fn shard_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARD_BITS)) as usize
}

/// The slot of a hash in its shard.
#[inline]
fn slot(hash: u64, slots: usize) -> usize {
    ((u128::from(hash << SHARD_BITS) * slots as u128) >> 64) as usize
}

/// The empty slot for a state, to be looked for from its own slot on, unless the state is there. For
/// the state that looks like an empty slot, some empty slot.
#[inline]
fn vacancy<const W: usize>(slots: &[[u64; W]], from: usize, state: &Packed<W>) -> Option<usize> {
    for (i, slot) in slots[from..].iter().enumerate() {
        if *slot == [0; W] {
            return Some(from + i);
        }
        if *slot == state.0 {
            return None;
        }
    }
    vacancy_from_start(slots, state)
}

/// The same, round the end of the table.
#[cold]
fn vacancy_from_start<const W: usize>(slots: &[[u64; W]], state: &Packed<W>) -> Option<usize> {
    let at = slots.iter().position(|slot| *slot == [0; W] || *slot == state.0)?;
    (slots[at] == [0; W]).then_some(at)
}

/// Asks for the cache line of `slots[at]`.
#[inline]
fn prefetch<const W: usize>(slots: &[[u64; W]], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let pointer = (&raw const slots[at]).cast::<i8>();
        // SAFETY: the pointer is to an element; a prefetch reads nothing that the program can see.
        #[allow(
            unsafe_code,
            reason = "a hint to the processor, for which std has no safe function"
        )]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(pointer);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(slots[at][0]);
}

impl<const W: usize> Shard<W> {
    /// A small table, for states that come with their sleep sets in `spare` bits.
    pub fn new(budget: &Budget, spare: Spare) -> Self {
        let slots = 16;
        budget.note(slots * size_of::<Packed<W>>());
        Self {
            slots: Slots::Heap(vec![[0; W]; slots]),
            used: 0,
            room: slots / 4 * 3,
            has_zero: false,
            list: Vec::new(),
            len: 0,
            spare,
        }
    }

    /// The state alone.
    #[cfg(feature = "checkpoint")]
    pub fn without_sleep_set(&self, stored: &Packed<W>) -> Packed<W> {
        self.spare.split(*stored).0
    }

    /// States stored.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The states from the `from`th found on, in pieces, each as it was inserted.
    pub fn pieces(&self, from: usize, to: usize) -> impl Iterator<Item = &[Packed<W>]> {
        let mut from = from;
        std::iter::from_fn(move || {
            if from >= to {
                return None;
            }
            let first = from % PIECE;
            let piece = &self.list[from / PIECE];
            let last = (first + (to - from)).min(PIECE);
            from += last - first;
            Some(&piece[first..last])
        })
    }

    /// Adds those of `states` that are not there yet, as long as there are fewer than `most`, which
    /// is lowered by each. States are told apart without their sleep sets.
    ///
    /// # Errors
    /// If there may be no more states, or `budget` has no bytes for them. What comes before the state
    /// for which there was no room is in; the rest is not.
    pub fn insert(
        &mut self,
        states: &[Packed<W>],
        most: &mut u64,
        budget: &Budget,
    ) -> Result<(), Full> {
        let mut rest = states;
        while !rest.is_empty() {
            // As many as fit even if all are new; a few at a time could not be prefetched.
            let fits = self.room - self.used;
            if fits < rest.len().min(4 * AHEAD) {
                self.grow(budget)?;
                continue;
            }
            let (now, later) = rest.split_at(rest.len().min(fits));
            self.insert_fitting(now, most, budget)?;
            rest = later;
        }
        Ok(())
    }

    fn insert_fitting(
        &mut self,
        states: &[Packed<W>],
        most: &mut u64,
        budget: &Budget,
    ) -> Result<(), Full> {
        let spare = self.spare;
        let slots = self.slots.get_mut();
        let len = slots.len();
        let ask_for = |slots: &[[u64; W]], stored: &Packed<W>| {
            prefetch(slots, slot(spare.split(*stored).0.hash(), len));
        };
        for stored in &states[..states.len().min(AHEAD)] {
            ask_for(slots, stored);
        }
        for (i, stored) in states.iter().enumerate() {
            if let Some(ahead) = states.get(i + AHEAD) {
                ask_for(slots, ahead);
            }
            let state = &spare.split(*stored).0;
            let Some(at) = vacancy(slots, slot(state.hash(), len), state) else { continue };
            if *state == Packed::ZERO && self.has_zero {
                continue;
            }
            if *most == 0 {
                return Err(Full::States);
            }
            if self.len.is_multiple_of(PIECE) {
                let bytes = PIECE * size_of::<Packed<W>>();
                // The first state is stored in any case.
                if self.len > 0 && !are_there(bytes) {
                    return Err(Full::Bytes);
                }
                budget.take(bytes)?;
                let mut piece = Vec::new();
                if self.list.try_reserve(1).is_err() || piece.try_reserve_exact(PIECE).is_err() {
                    budget.give(bytes);
                    return Err(Full::Bytes);
                }
                self.list.push(piece);
            }
            *most -= 1;
            self.list.last_mut().expect("a piece with room").push(*stored);
            self.len += 1;
            if *state == Packed::ZERO {
                self.has_zero = true;
            } else {
                slots[at] = state.0;
                self.used += 1;
            }
        }
        Ok(())
    }

    /// Grows the table in place. Slots are in the order of hashes, so from the last to the first each
    /// state moves up, into what has been moved already.
    #[inline(never)]
    fn grow(&mut self, budget: &Budget) -> Result<(), Full> {
        let size = size_of::<Packed<W>>();
        let old = self.slots.get().len();
        let len = if old * size < HUGE {
            old * 2
        } else {
            (old * size / 5 * 7).next_multiple_of(HUGE) / size
        };
        let more = (len - old) * size;
        let beside = if self.slots.extends_in_place() { 0 } else { old * size };
        if !are_there(more + beside) {
            return Err(Full::Bytes);
        }
        budget.take(more + beside)?;
        let extended = self.slots.extend(len);
        budget.give(beside);
        if extended.is_err() {
            budget.give(more);
            return Err(Full::Bytes);
        }
        let slots = self.slots.get_mut();
        // A few do not move up: they stood far from where they belong, or came round the end.
        let mut aside = Vec::new();
        for from in (0..old).rev() {
            let state = slots[from];
            if state == [0; W] {
                continue;
            }
            slots[from] = [0; W];
            let to = slot(Packed(state).hash(), len);
            let is_empty = |slot: &[u64; W]| *slot == [0; W];
            let further = if to > from { slots[to..].iter().position(is_empty) } else { None };
            match further {
                Some(further) => slots[to + further] = state,
                None => aside.push(state),
            }
        }
        for state in aside {
            let from = slot(Packed(state).hash(), len);
            let at = vacancy(slots, from, &Packed(state)).expect("each state once");
            slots[at] = state;
        }
        self.room = len / 4 * 3;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn states(count: u64, values: u64, seed: u64) -> Vec<Packed<2>> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| Packed([rng.u64(0..values), rng.u64(0..2) << 63])).collect()
    }

    /// Against a set of the standard library, through every size up to huge pages, with the state
    /// that looks like an empty slot among the others.
    #[test]
    fn holds_what_was_inserted_once_and_in_order() {
        let budget = Budget::new(None);
        let mut shard = Shard::<2>::new(&budget, Spare::NONE);
        let mut seen = HashSet::new();
        let mut order = Vec::new();
        let mut held = Vec::new();
        for round in 0..40 {
            let offered = states(10_000, 150_000, round);
            order.extend(offered.iter().filter(|state| seen.insert(state.0)).copied());
            shard.insert(&offered, &mut u64::MAX.clone(), &budget).expect("no limit");
            held.push(budget.held());
            assert_eq!(shard.len(), order.len());
            if round == 0 {
                assert!(budget.peak() > budget.held(), "a small one had a second table beside it");
            }
        }
        assert!(seen.contains(&[0; 2]) && order.len() > 200_000);
        let listed: Vec<_> = shard.pieces(0, shard.len()).flatten().copied().collect();
        assert!(listed == order);
        let part: Vec<_> = shard.pieces(1_000, 5_000).flatten().copied().collect();
        assert!(part == order[1_000..5_000]);
        // What is held is given account of: the list, and a table at most 0.75 full.
        let bytes = |states: usize| states as u64 * 16;
        assert!(budget.held() >= bytes(order.len()) + bytes(order.len()) * 4 / 3);
        assert!(budget.held() < bytes(order.len()) * 4 && held.is_sorted());
        let heap = matches!(shard.slots, Slots::Heap(_));
        assert_eq!(heap, cfg!(not(feature = "mmap")), "as large as a huge page by now");
        // Growing takes no second table, once it is a mapping.
        assert!(heap || budget.peak() == budget.held());
    }

    /// A table that grows loses nobody, where many belong to its first slots or to its last: they stand far
    /// from there, or round the end.
    #[test]
    fn grows_around_its_ends() {
        let budget = Budget::new(None);
        let mut shard = Shard::<1>::new(&budget, Spare::NONE);
        let mut rng = fastrand::Rng::with_seed(1);
        let crowded = |state: &Packed<1>| (slot(state.hash(), 1 << 12) + 4) % (1 << 12) < 8;
        let mut all = Vec::new();
        for round in 0..20 {
            let mut more: Vec<_> = (0..20_000).map(|_| Packed([rng.u64(..)])).collect();
            let draws = std::iter::repeat_with(|| Packed([rng.u64(..)]));
            more.extend(draws.filter(crowded).take(150));
            shard.insert(&more, &mut u64::MAX.clone(), &budget).expect("no limit");
            all.extend(more);
            assert_eq!(shard.len(), all.len(), "some of round {round} were there");
            shard.insert(&all, &mut u64::MAX.clone(), &budget).expect("no limit");
            assert_eq!(shard.len(), all.len(), "some were lost by round {round}");
        }
        let heap = matches!(shard.slots, Slots::Heap(_));
        assert_eq!(heap, cfg!(not(feature = "mmap")), "as large as a huge page by now");
    }

    #[test]
    fn stores_no_more_than_it_may() {
        let offered = states(5_000, 1_000, 1);
        let distinct = offered.iter().map(|s| s.0).collect::<HashSet<_>>().len();
        for most in [0, 1, 100, distinct as u64 - 1, distinct as u64] {
            let budget = Budget::new(None);
            let mut shard = Shard::<2>::new(&budget, Spare::NONE);
            let mut left = most;
            let end = shard.insert(&offered, &mut left, &budget);
            let full = most < distinct as u64;
            assert_eq!(end, if full { Err(Full::States) } else { Ok(()) }, "{most}");
            assert_eq!((shard.len() as u64, left), (most, 0));
        }
        for bytes in [1, 10_000, 20_000, 30_000] {
            let budget = Budget::new(Some(bytes));
            let mut shard = Shard::<2>::new(&budget, Spare::NONE);
            let end = shard.insert(&offered, &mut u64::MAX.clone(), &budget);
            assert_eq!(end, Err(Full::Bytes), "{bytes}");
            assert!(budget.peak() <= bytes.max(16 * 16), "{bytes}: {}", budget.peak());
        }
    }
}
