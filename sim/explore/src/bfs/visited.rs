//! The visited set: shards, each a table of the states in it (`table.rs`) beside a list of those that are still
//! needed as they were found, in that order (`frontier.rs`). Exact: states are compared, not fingerprinted.
//!
//! - The list is what a search takes its levels from. Once a level is expanded its states are forgotten
//!   there: the table says of each which level it was found on, which is enough to find the way back
//!   (`levels.rs`). Not so from level [`LISTED`] on: a slot cannot tell these apart, so that they stay in
//!   the list. Likewise stays what a checkpoint still has to write.
//! - Costs: of states of one word 4 bytes, and a few more as long as they are few or have many bits, divided by
//!   the load, which is between 0.67 and 0.94; of longer ones also their other words. And those of about one
//!   level whole, with their sleep sets.

use std::ops::Range;

use super::frontier::Frontier;
use super::mix::Mix;
use super::packed::{Packed, Spare};
pub use super::table::LISTED;
use super::table::Table;
use crate::ask::{Budget, Full};

/// Bytes that have to be left after each growth: what a search takes beside its states until the next one, and
/// to say what it covered, is far less, and is had without asking, so that an end of memory would be an abort.
const ROOM: usize = 4 << 20;

/// Whether the machine has as many bytes and [`ROOM`] beside them: asked for and given back, untouched.
fn are_there(bytes: usize) -> bool {
    Vec::<u8>::new().try_reserve_exact(bytes.saturating_add(ROOM)).is_ok()
}

/// How far ahead of the state that is inserted the next ones are asked for.
const AHEAD: usize = 16;

/// And how far ahead what is beside their slots, once it can be seen which slots these are.
const NEXT: usize = 8;

/// One of the parts of the visited set: a table of states, and a list of them in the order found.
pub struct Shard<const W: usize> {
    table: Table<W>,
    /// Each with the sleep set it came with.
    list: Frontier<W>,
    /// Where in a state that is.
    spare: Spare,
}

/// Parts of the visited set: enough for as many threads, and few enough to be written to in turn.
pub const SHARDS: usize = 1 << SHARD_BITS;

pub const SHARD_BITS: u32 = 5;

/// The shard of a hash, as [`Mix`] makes it: its highest bits.
#[inline]
pub fn shard_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARD_BITS)) as usize
}

impl<const W: usize> Shard<W> {
    /// A small table, for states that come with their sleep sets in `spare` bits, and of which the hashes begin
    /// with some bits: these, and how many they are.
    pub fn new(budget: &Budget, spare: Spare, mix: Mix, shard: (usize, u32)) -> Self {
        Self { table: Table::new(budget, mix, shard), list: Frontier::new(), spare }
    }

    /// The state alone.
    #[cfg(feature = "checkpoint")]
    pub fn without_sleep_set(&self, stored: &Packed<W>) -> Packed<W> {
        self.spare.split(*stored).0
    }

    /// Bytes of the table.
    pub fn bytes_of_table(&self) -> usize {
        self.table.bytes()
    }

    /// States stored.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The states from the `from`th found on, none of them forgotten, in pieces, each as it was inserted.
    pub fn pieces(&self, from: usize, to: usize) -> impl Iterator<Item = &[Packed<W>]> {
        self.list.pieces(from, to)
    }

    /// Forgets in which order the first states were found, up to the `to`th, and their sleep sets.
    pub fn forget(&mut self, to: usize, budget: &Budget) {
        self.list.forget(to, budget);
    }

    /// Into how many parts [`Shard::of_levels`] divides the states.
    pub fn parts(&self) -> usize {
        self.table.buckets().div_ceil(PART)
    }

    /// Gives the states of one part that were found on some levels, all less than [`LISTED`], with their levels.
    pub fn of_levels(&self, levels: Range<u32>, part: usize, each: impl FnMut(u32, Packed<W>)) {
        let from = part * PART;
        self.table.of_levels(levels, from..(from + PART).min(self.table.buckets()), each);
    }

    /// Adds those of `states` that are not there yet, found on `level`, as long as there are fewer than `most`,
    /// which is lowered by each. States are told apart without their sleep sets.
    ///
    /// # Errors
    /// If there may be no more states, or `budget` has no bytes for them. What comes before the state
    /// for which there was no room is in; the rest is not.
    pub fn insert(
        &mut self,
        states: &[Packed<W>],
        level: u32,
        most: &mut u64,
        budget: &Budget,
    ) -> Result<(), Full> {
        let mut rest = states;
        while !rest.is_empty() {
            // As many as fit even if all are new; a few at a time could not be prefetched.
            let fits = self.table.room();
            if fits < rest.len().min(4 * AHEAD) {
                self.table.grow(budget, are_there)?;
                continue;
            }
            let (now, later) = rest.split_at(rest.len().min(fits));
            if self.table.is_wide() {
                self.insert_fitting::<true>(now, level, most, budget)?;
            } else {
                self.insert_fitting::<false>(now, level, most, budget)?;
            }
            rest = later;
        }
        Ok(())
    }

    #[inline(never)]
    fn insert_fitting<const WIDE: bool>(
        &mut self,
        states: &[Packed<W>],
        level: u32,
        most: &mut u64,
        budget: &Budget,
    ) -> Result<(), Full> {
        let (spare, mix) = (self.spare, self.table.mix());
        let mut table = self.table.open();
        let hash = |stored: &Packed<W>| mix.hash(&spare.split(*stored).0);
        // Of the state that comes next and those after it, by number.
        let mut hashes = [0; AHEAD];
        for (to, stored) in hashes.iter_mut().zip(states) {
            *to = hash(stored);
            table.ask_for(*to);
        }
        if WIDE {
            hashes[..NEXT.min(states.len())].iter().for_each(|hash| table.ask_beside(*hash));
        }
        for (i, stored) in states.iter().enumerate() {
            let state = &spare.split(*stored).0;
            let mine = hashes[i % AHEAD];
            if let Some(ahead) = states.get(i + AHEAD) {
                hashes[i % AHEAD] = hash(ahead);
                table.ask_for(hashes[i % AHEAD]);
            }
            if WIDE && i + NEXT < states.len() {
                table.ask_beside(hashes[(i + NEXT) % AHEAD]);
            }
            let Some(vacancy) = table.vacancy::<WIDE>(mine, state) else { continue };
            if *most == 0 {
                return Err(Full::States);
            }
            self.list.reserve(budget, are_there)?;
            table.put::<WIDE>(vacancy, (mine, state), level, budget)?;
            self.list.push(*stored);
            *most -= 1;
        }
        Ok(())
    }
}

/// Buckets of a part.
const PART: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn states(count: u64, values: u64, seed: u64) -> Vec<Packed<2>> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| Packed([rng.u64(0..values), rng.u64(0..2) << 63])).collect()
    }

    fn shard() -> (Budget, Shard<2>) {
        let budget = Budget::new(None);
        let shard = Shard::new(&budget, Spare::NONE, Mix::new(128), (0, 0));
        (budget, shard)
    }

    /// Against a set of the standard library, through every size up to huge pages.
    #[test]
    fn holds_what_was_inserted_once_and_in_order() {
        let (budget, mut shard) = shard();
        let mut seen = HashSet::new();
        let (mut order, mut grown) = (Vec::new(), false);
        for round in 0..40 {
            let offered = states(10_000, 150_000, round);
            order.extend(offered.iter().filter(|state| seen.insert(state.0)).copied());
            shard.insert(&offered, 1, &mut u64::MAX.clone(), &budget).expect("no limit");
            assert_eq!(shard.len(), order.len());
            grown |= budget.peak() > budget.held();
        }
        assert!(seen.contains(&[0; 2]) && order.len() > 200_000);
        let listed: Vec<_> = shard.pieces(0, shard.len()).flatten().copied().collect();
        assert!(listed == order);
        let part: Vec<_> = shard.pieces(1_000, 5_000).flatten().copied().collect();
        assert!(part == order[1_000..5_000]);
        // What is held is given account of: the list, and a table with more than 12 bytes a state.
        let bytes = |states: usize| states as u64 * 16;
        assert!(budget.held() >= bytes(order.len()) + order.len() as u64 * 14);
        assert!(budget.held() < bytes(order.len()) * 4);
        assert!(grown, "a table that grew was there twice");
        // What is forgotten is given back, and the rest is where it was.
        let (held, to) = (budget.held(), order.len() - 2_500);
        shard.forget(to, &budget);
        assert!(held - budget.held() > bytes(to - 1_024) && held - budget.held() <= bytes(to));
        let rest: Vec<_> = shard.pieces(to, shard.len()).flatten().copied().collect();
        assert!(rest == order[to..] && shard.len() == order.len());
        // Nor does it come again.
        shard.insert(&order, 2, &mut u64::MAX.clone(), &budget).expect("no limit");
        assert_eq!(shard.len(), order.len());
        let mut again = Vec::new();
        let mut found_on = |level, state| {
            assert_eq!(level, 1, "it was there");
            again.push(state);
        };
        (0..shard.parts()).for_each(|part| shard.of_levels(0..4, part, &mut found_on));
        again.sort_unstable();
        order.sort_unstable();
        assert!(again == order);
    }

    #[test]
    fn stores_no_more_than_it_may() {
        let offered = states(5_000, 1_000, 1);
        let distinct = offered.iter().map(|s| s.0).collect::<HashSet<_>>().len();
        for most in [0, 1, 100, distinct as u64 - 1, distinct as u64] {
            let (budget, mut shard) = shard();
            let mut left = most;
            let end = shard.insert(&offered, 0, &mut left, &budget);
            let full = most < distinct as u64;
            assert_eq!(end, if full { Err(Full::States) } else { Ok(()) }, "{most}");
            assert_eq!((shard.len() as u64, left), (most, 0));
        }
        for bytes in [1, 10_000, 20_000, 30_000] {
            let budget = Budget::new(Some(bytes));
            let mut shard = Shard::<2>::new(&budget, Spare::NONE, Mix::new(128), (0, 0));
            let first = budget.held();
            let end = shard.insert(&offered, 0, &mut u64::MAX.clone(), &budget);
            assert_eq!(end, Err(Full::Bytes), "{bytes}");
            assert!(budget.peak() <= bytes.max(first), "{bytes}: {}", budget.peak());
        }
    }
}
