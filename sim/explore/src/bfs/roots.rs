//! Roots of states: what a table knows a state by, one word.
//!
//! - The root of a state of one word is that word. Of a longer one each word has a number (`numbers.rs`), and the
//!   numbers side by side are the root, each in as many bits as the numbers of that word need: of systems as
//!   users have them 30 to 47 bits for states of two to eight words. If 64 bits are not enough, each two
//!   numbers side by side are words that have numbers, and so on: two are enough in any case.
//! - Papers: A. Laarman, J. van de Pol and M. Weber, 'Parallel recursive state space compression for free', 2011,
//!   and A. Laarman, 'Optimal compression of combinatorial state spaces', 2019: where states are combinations of
//!   their parts there are many more of them than of these, so that what a state costs is its root, of which a
//!   compact table keeps a few bytes.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::numbers::Numbers;
use super::packed::{Packed, Spare};
use crate::ask::{Budget, Full};

/// The numbers of a state's parts: as many as there are on a floor, and zeros.
pub(super) type Parts<const W: usize> = [u32; W];

/// The words of all states that were seen; those that are two numbers each; and so on, until there are two of
/// a state.
pub(super) struct Roots<const W: usize> {
    floors: RwLock<Vec<Vec<Numbers>>>,
    /// Words of a state that are not always zero.
    used: usize,
}

/// The same, while nothing is moved.
pub(super) struct Known<'r, const W: usize> {
    floors: RwLockReadGuard<'r, Vec<Vec<Numbers>>>,
    used: usize,
}

impl<const W: usize> Roots<W> {
    /// Of states of so many bits.
    pub fn new(bits: u32, budget: &Budget) -> Self {
        let floor = |parts: usize| (0..parts).map(|_| Numbers::new(budget)).collect();
        let floors = (0..).map(|floor| W >> floor).take_while(|parts| *parts > 1).map(floor);
        Self { floors: RwLock::new(floors.collect()), used: bits.div_ceil(u64::BITS) as usize }
    }

    /// To look up what is known.
    pub fn known(&self) -> Known<'_, W> {
        let floors = self.floors.read().unwrap_or_else(PoisonError::into_inner);
        Known { floors, used: self.used }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.known().floors.iter().flatten().map(Numbers::bytes).sum()
    }

    /// The numbers, on a floor, of the parts of states of which the sleep sets are in `spare`. Returns of how many states from the first on; all, unless there is no room.
    pub fn parts(
        &self,
        floor: usize,
        (states, spare): (&[Packed<W>], Spare),
        to: &mut [Parts<W>],
        budget: &Budget,
    ) -> (usize, Result<(), Full>) {
        let mut done = 0;
        loop {
            let known = self.known();
            while let Some(stored) = states.get(done) {
                let Some(parts) = known.parts(floor, &spare.split(*stored).0) else { break };
                to[done] = parts;
                done += 1;
            }
            drop(known);
            if done == states.len() {
                return (done, Ok(()));
            }
            let mut floors = self.floors.write().unwrap_or_else(PoisonError::into_inner);
            // Somebody else may have made room meanwhile.
            for numbers in floors.iter_mut().flatten() {
                if let Err(full) = numbers.grow(budget) {
                    return (done, Err(full));
                }
            }
        }
    }
}

impl<const W: usize> Known<'_, W> {
    /// The numbers of a state's parts on a floor; `None` if there is no room for a new one.
    #[inline(always)]
    pub fn parts(&self, floor: usize, state: &Packed<W>) -> Option<Parts<W>> {
        let mut parts = [0; W];
        for (i, numbers) in self.floors[0].iter().take(self.used.min(W)).enumerate() {
            parts[i] = numbers.number(state.0[i])?;
        }
        for floor in 1..=floor {
            for (i, numbers) in self.floors[floor].iter().enumerate() {
                let two = u64::from(parts[2 * i]) | u64::from(parts[2 * i + 1]) << u32::BITS;
                parts[i] = numbers.number(two)?;
            }
            parts[W >> floor..].fill(0);
        }
        Some(parts)
    }

    /// The state of which the parts on a floor have these numbers.
    #[inline]
    pub fn state(&self, floor: usize, mut parts: Parts<W>) -> Packed<W> {
        for floor in (1..=floor).rev() {
            for (i, numbers) in self.floors[floor].iter().enumerate().rev() {
                let two = numbers.word(parts[i]);
                (parts[2 * i], parts[2 * i + 1]) = (two as u32, (two >> u32::BITS) as u32);
            }
        }
        let mut state = Packed::ZERO;
        for (i, numbers) in self.floors[0].iter().take(self.used.min(W)).enumerate() {
            state.0[i] = numbers.word(parts[i]);
        }
        state
    }
}

/// How numbers lie in a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lie<const W: usize> {
    /// Which numbers.
    pub floor: usize,
    /// In how many bits each.
    bits: [u32; W],
}

impl<const W: usize> Lie<W> {
    /// No number but 0, on a floor.
    pub fn on(floor: usize) -> Self {
        Self { floor, bits: [0; W] }
    }

    /// With room for all numbers that there are on its floor, and for `spare` times as many again, as a power of two; if
    /// that is too much, as it is.
    pub fn with_room_for_all(self, known: &Known<'_, W>, spare: u32) -> Self {
        let mut all = [0; W];
        for (all, numbers) in all.iter_mut().zip(&known.floors[self.floor]) {
            let last = numbers.len().saturating_sub(1) as u64;
            *all = (last << spare).min(u64::from(u32::MAX)) as u32;
        }
        Self::on(self.floor).with_room_for(&[all]).unwrap_or(self)
    }

    /// The bits of a root.
    pub fn bits(&self) -> u32 {
        self.bits.iter().sum()
    }

    /// With as many bits as they have and these numbers need; `None` if they are too many.
    pub fn with_room_for(mut self, all: &[Parts<W>]) -> Option<Self> {
        let mut any = [0; W];
        for parts in all {
            for i in 0..W {
                any[i] |= parts[i];
            }
        }
        for (bits, any) in self.bits.iter_mut().zip(any) {
            *bits = (*bits).max(u32::BITS - any.leading_zeros());
        }
        (self.bits() <= u64::BITS).then_some(self)
    }

    /// Whether no number has fewer bits than in the other.
    pub fn is_as_wide_as(&self, other: &Self) -> bool {
        self.bits.iter().zip(&other.bits).all(|(mine, its)| mine >= its)
    }

    /// The root.
    #[inline(always)]
    pub fn root(&self, parts: &Parts<W>) -> u64 {
        let mut root = 0;
        for i in (0..W).rev() {
            root = root << self.bits[i] | u64::from(parts[i]);
        }
        root
    }

    /// The numbers.
    #[inline]
    pub fn parts(&self, mut root: u64) -> Parts<W> {
        let mut parts = [0; W];
        for (i, part) in parts.iter_mut().enumerate() {
            *part = (root & ((1 << self.bits[i]) - 1)) as u32;
            root >>= self.bits[i];
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lies<const W: usize>(rng: &mut fastrand::Rng) {
        let mut all = Vec::new();
        let mut lie = Lie::<W>::on(0);
        loop {
            let parts = std::array::from_fn(|_| rng.u32(..) >> rng.u32(32 - 64 / W as u32..32));
            all.push(parts);
            let Some(wider) = lie.with_room_for(&[parts]) else { break };
            assert!(wider.is_as_wide_as(&lie) && wider.bits() <= 64, "{wider:?}");
            lie = wider;
            for parts in &all {
                assert_eq!(lie.parts(lie.root(parts)), *parts, "{lie:?}");
                assert_eq!(lie.root(parts).unbounded_shr(lie.bits()), 0, "{lie:?}");
            }
            if all.len() == 40 {
                break;
            }
        }
    }

    /// A root gives the numbers back that it is made of, whatever their bits are; all 64 of two numbers, too.
    #[test]
    fn a_root_says_its_numbers() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..500 {
            lies::<2>(&mut rng);
            lies::<4>(&mut rng);
            lies::<8>(&mut rng);
        }
        let all = [u32::MAX, u32::MAX - 1];
        let lie = Lie::<2>::on(0).with_room_for(&[all]).expect("64 bits");
        assert_eq!((lie.bits(), lie.parts(lie.root(&all))), (64, all));
        assert_eq!(Lie::<4>::on(0).with_room_for(&[[u32::MAX, 0, u32::MAX, 1]]), None);
    }
}
