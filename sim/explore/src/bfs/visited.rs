//! The visited set: shards, each a table of the roots of the states in it (`table.rs`, `roots.rs`) beside a list of
//! those that are still needed as they were found, in that order (`frontier.rs`). Exact: states are compared, not
//! fingerprinted.
//!
//! - The list is what a search takes its levels from. Once a level is expanded its states are forgotten
//!   there: the table says of each which level it was found on, which is enough to find the way back
//!   (`levels.rs`). Not so from level [`LISTED`] on: a slot cannot tell these apart, so that they stay in
//!   the list. Likewise stays what a checkpoint still has to write.
//! - Costs: 4 bytes of each state, and a few more as long as they are few or have many bits, divided by the load,
//!   which is between 0.75 and 0.94; of states of two words and more their halves, each once. And the states of about
//!   one level whole, with their sleep sets.

use std::ops::Range;
use std::sync::Arc;

use super::frontier::Frontier;
use super::mix::Mix;
use super::packed::{Packed, Spare};
use super::roots::{Lie, Parts, Roots};
pub use super::table::LISTED;
use super::table::Table;
use crate::ask::{Budget, Full};

/// How far ahead of the state that is inserted the next ones are asked for.
const AHEAD: usize = 16;

/// States of which the roots are found together.
const BATCH: usize = 256;

/// One of the parts of the visited set: a table of states, and a list of them in the order found.
pub struct Shard<const W: usize> {
    table: Table,
    /// Of states of two words and more: what the roots of all shards are made of, and how in this table.
    roots: Option<Arc<Roots<W>>>,
    lie: Lie<W>,
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
    /// All shards of a visited set, as many as can be numbered by so many bits, with small tables, for states that come
    /// with their sleep sets in `spare` bits.
    pub fn all(budget: &Budget, spare: Spare, mix: Mix, bits: u32) -> Vec<Self> {
        let (roots, lie) = ((W > 1).then(|| Arc::new(Roots::new(mix.bits(), budget))), Lie::on(0));
        let shard = |number| {
            // In which shard a state is, its root says only if it is the state.
            let (mix, of) = match roots {
                None => (mix, (number, bits)),
                Some(_) => (Mix::new(lie.bits()), (0, 0)),
            };
            let table = Table::new(budget, mix, of);
            Self { table, roots: roots.clone(), lie, list: Frontier::new(), spare }
        };
        (0..1 << bits).map(shard).collect()
    }

    /// The state alone.
    #[cfg(feature = "checkpoint")]
    pub fn without_sleep_set(&self, stored: &Packed<W>) -> Packed<W> {
        self.spare.split(*stored).0
    }

    /// Bytes of the tables of all shards.
    pub fn bytes_of_tables(all: &[Self]) -> usize {
        let roots = all.first().and_then(|shard| shard.roots.as_ref());
        let tables: usize = all.iter().map(|shard| shard.table.bytes()).sum();
        tables + roots.map_or(0, |roots| roots.bytes())
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

    fn buckets_of(&self, part: usize) -> Range<usize> {
        part * PART..((part + 1) * PART).min(self.table.buckets())
    }

    /// Gives the states of one part that were found on some levels, all less than [`LISTED`], with their levels.
    pub fn of_levels(&self, levels: Range<u32>, part: usize, mut each: impl FnMut(u32, Packed<W>)) {
        let buckets = self.buckets_of(part);
        let known = self.roots.as_ref().map(|roots| roots.known());
        self.table.of_levels(levels, buckets, |level, root| match &known {
            None => each(level, Packed(std::array::from_fn(|_| root))),
            Some(known) => each(level, known.state(self.lie.floor, self.lie.parts(root))),
        });
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
        let spare = self.spare;
        let Some(roots) = self.roots.clone() else {
            let root = |_: &Lie<W>, i: usize| spare.split(states[i]).0.0[0];
            return self.insert_by_root(states, root, level, most, budget);
        };
        let mut parts = [[0; W]; BATCH];
        for states in states.chunks(BATCH) {
            let (count, end) = loop {
                let floor = self.lie.floor;
                let (count, end) = roots.parts(floor, (states, spare), &mut parts, budget);
                if self.make_room(&parts[..count], &roots, budget)? {
                    break (count, end);
                }
            };
            let root = |lie: &Lie<W>, i: usize| lie.root(&parts[i]);
            self.insert_by_root(&states[..count], root, level, most, budget)?;
            end?;
        }
        Ok(())
    }

    /// Makes roots in which there is room for these numbers; if there is none, they are made of the numbers of the
    /// next floor, and those have to be asked for: `false`.
    #[inline]
    fn make_room(
        &mut self,
        parts: &[Parts<W>],
        roots: &Roots<W>,
        budget: &Budget,
    ) -> Result<bool, Full> {
        match self.lie.with_room_for(parts) {
            Some(lie) if lie == self.lie => Ok(true),
            Some(lie) => {
                let old = self.lie;
                self.change_roots(lie, false, budget, |root| lie.root(&old.parts(root)))?;
                Ok(true)
            }
            None => {
                self.climb(roots, budget)?;
                Ok(false)
            }
        }
    }

    /// Makes roots of the numbers of the next floor on which there is room for them.
    #[cold]
    fn climb(&mut self, roots: &Roots<W>, budget: &Budget) -> Result<(), Full> {
        let old = self.lie;
        let mut floor = old.floor;
        // There is a floor of two parts, which is high enough.
        let lie = loop {
            floor += 1;
            if let Some(lie) = self.lie_on(floor, roots, budget)? {
                break lie;
            }
        };
        let known = roots.known();
        self.change_roots(lie, false, budget, |root| {
            let state = known.state(old.floor, old.parts(root));
            lie.root(&known.parts(lie.floor, &state).expect("it has got its numbers"))
        })
    }

    /// How the roots of all states lie that are made of the numbers of a floor, which they get; `None` if there is no
    /// room in a root.
    fn lie_on(
        &self,
        floor: usize,
        roots: &Roots<W>,
        budget: &Budget,
    ) -> Result<Option<Lie<W>>, Full> {
        let mut lie = Some(Lie::on(floor));
        let (mut states, mut parts) = (Vec::new(), [[0; W]; BATCH]);
        for part in 0..self.parts() {
            states.clear();
            let known = roots.known();
            self.table.roots(self.buckets_of(part), |root| {
                states.push(known.state(self.lie.floor, self.lie.parts(root)));
            });
            drop(known);
            for states in states.chunks(BATCH) {
                let what = (states, Spare::NONE);
                let (count, end) = roots.parts(floor, what, &mut parts, budget);
                end?;
                lie = lie.and_then(|lie| lie.with_room_for(&parts[..count]));
            }
        }
        Ok(lie)
    }

    /// Makes the table larger, and roots as wide as the numbers that there are need. In a small one they get some bits
    /// more, so that they are not made anew for each word that has a number of one bit more.
    fn grow(&mut self, budget: &Budget) -> Result<(), Full> {
        let Some(roots) = &self.roots else { return self.table.grow(budget) };
        let old = self.lie;
        let known = roots.known();
        let lie = if self.table.is_large() {
            old.with_room_for_all(&known, 0)
        } else if old.is_as_wide_as(&old.with_room_for_all(&known, 1)) {
            old
        } else {
            old.with_room_for_all(&known, 2)
        };
        drop(known);
        if lie == old {
            return self.table.grow(budget);
        }
        self.change_roots(lie, true, budget, |root| lie.root(&old.parts(root)))
    }

    fn change_roots(
        &mut self,
        lie: Lie<W>,
        larger: bool,
        budget: &Budget,
        change: impl Fn(u64) -> u64,
    ) -> Result<(), Full> {
        let mix = Mix::new(lie.bits());
        self.table.change_roots(mix, larger, budget, change)?;
        self.lie = lie;
        Ok(())
    }

    /// Adds states of which the roots are given by number, as they lie in the table at that time.
    #[inline(always)]
    fn insert_by_root(
        &mut self,
        states: &[Packed<W>],
        root: impl Fn(&Lie<W>, usize) -> u64,
        level: u32,
        most: &mut u64,
        budget: &Budget,
    ) -> Result<(), Full> {
        let mut from = 0;
        while from < states.len() {
            // As many as fit even if all are new; a few at a time could not be prefetched.
            let (fits, left) = (self.table.room(), states.len() - from);
            if fits < left.min(4 * AHEAD) {
                self.grow(budget)?;
                continue;
            }
            let now = left.min(fits);
            let lie = self.lie;
            let (states, root) = (&states[from..from + now], |i| root(&lie, from + i));
            if self.table.is_wide() {
                self.insert_fitting::<true>(states, root, level, most, budget)?;
            } else {
                self.insert_fitting::<false>(states, root, level, most, budget)?;
            }
            from += now;
        }
        Ok(())
    }

    #[inline(never)]
    fn insert_fitting<const WIDE: bool>(
        &mut self,
        states: &[Packed<W>],
        root: impl Fn(usize) -> u64,
        level: u32,
        most: &mut u64,
        budget: &Budget,
    ) -> Result<(), Full> {
        let mix = self.table.mix();
        let mut table = self.table.open();
        // Of the state that comes next and those after it, by number.
        let mut hashes = [0; AHEAD];
        for (i, to) in hashes.iter_mut().enumerate().take(states.len()) {
            *to = mix.hash(root(i));
            table.ask_for::<WIDE>(*to);
        }
        for (i, stored) in states.iter().enumerate() {
            let mine = hashes[i % AHEAD];
            if i + AHEAD < states.len() {
                hashes[i % AHEAD] = mix.hash(root(i + AHEAD));
                table.ask_for::<WIDE>(hashes[i % AHEAD]);
            }
            let Some(vacancy) = table.vacancy::<WIDE>(mine) else { continue };
            if *most == 0 {
                return Err(Full::States);
            }
            self.list.reserve(budget)?;
            table.put::<WIDE>(vacancy, mine, level, budget)?;
            self.list.push(*stored);
            *most -= 1;
        }
        Ok(())
    }
}

/// Buckets of a part.
const PART: usize = 1 << 10;

#[cfg(test)]
mod tests;
