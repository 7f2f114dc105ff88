//! A whole state in `W` machine words: the shared bits, then each process's local bits.

use std::ops::BitXor;

use crate::system::{Configuration, MAX_PROCESSES, fits};

/// `W` words, compared as a number with the last word most significant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packed<const W: usize>(pub [u64; W]);

const _: () = assert!(size_of::<Packed<1>>() == 8);
const _: () = assert!(size_of::<Packed<2>>() == 16);
const _: () = assert!(size_of::<Packed<4>>() == 32);
const _: () = assert!(size_of::<Packed<8>>() == 64);

impl<const W: usize> Packed<W> {
    /// All bits clear: a state like any other.
    pub const ZERO: Self = Self([0; W]);

    /// A hash of which the high bits can be used.
    #[inline]
    pub fn hash(&self) -> u64 {
        // Fibonacci hashing: every bit goes into all bits of the product from its own place up.
        let mut hash: u64 = 0;
        for word in self.0 {
            hash = (hash.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        hash
    }
}

/// As a tuple of its words.
#[cfg(any(feature = "checkpoint", feature = "distributed"))]
mod serialized {
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::ser::SerializeTuple;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Packed;

    impl<const W: usize> Serialize for Packed<W> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut tuple = serializer.serialize_tuple(W)?;
            for word in &self.0 {
                tuple.serialize_element(word)?;
            }
            tuple.end()
        }
    }

    impl<'de, const W: usize> Deserialize<'de> for Packed<W> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Words<const W: usize>;
            impl<'de, const W: usize> Visitor<'de> for Words<W> {
                type Value = Packed<W>;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "{W} words")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Packed<W>, A::Error> {
                    let mut words = [0; W];
                    for (i, word) in words.iter_mut().enumerate() {
                        *word =
                            seq.next_element()?.ok_or_else(|| Error::invalid_length(i, &self))?;
                    }
                    Ok(Packed(words))
                }
            }
            deserializer.deserialize_tuple(W, Words)
        }
    }
}

impl<const W: usize> BitXor for Packed<W> {
    type Output = Self;

    #[inline]
    fn bitxor(mut self, other: Self) -> Self {
        // With a number, not with iterators: those were not unrolled.
        for i in 0..W {
            self.0[i] ^= other.0[i];
        }
        self
    }
}

impl<const W: usize> Ord for Packed<W> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl<const W: usize> PartialOrd for Packed<W> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Where the fields are.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Bits of the shared state, at most 128.
    pub shared_bits: u32,
    /// Bits of each local state, at most 64.
    pub local_bits: u32,
    /// Local states.
    pub processes: usize,
    /// As many ones as a local state has bits.
    local_mask: u64,
}

impl Layout {
    /// So many bits of shared state, at most 128, and of each local state, at most 64.
    pub fn new(shared_bits: u32, local_bits: u32, processes: usize) -> Self {
        Self { shared_bits, local_bits, processes, local_mask: ones(local_bits) }
    }

    /// How many bits a whole state takes.
    pub fn bits(&self) -> u32 {
        self.shared_bits + self.local_bits * self.processes as u32
    }

    /// How many words: 1, 2, 4 or 8; `None` if it takes more.
    pub fn words(&self) -> Option<usize> {
        [1, 2, 4, 8].into_iter().find(|w| self.bits() <= 64 * *w as u32)
    }

    /// The shared state alone.
    #[inline]
    pub fn shared<const W: usize>(&self, packed: &Packed<W>) -> u128 {
        let low = self.shared_bits.min(64);
        let shared = u128::from(get(&packed.0, 0, low) & ones(low));
        if W == 1 || self.shared_bits <= 64 {
            return shared;
        }
        let high = self.shared_bits - low;
        shared | u128::from(get(&packed.0, low, high) & ones(high)) << 64
    }

    /// The bits of a local state that are beyond its field.
    #[inline]
    pub fn too_wide(&self, local: u64) -> u64 {
        local & !self.local_mask
    }

    /// The first bit of the local state of process `i`.
    #[inline]
    pub fn place(&self, i: usize) -> u32 {
        self.shared_bits + i as u32 * self.local_bits
    }

    /// The local state at a [`place`](Self::place) alone.
    #[inline]
    pub fn local_at<const W: usize>(&self, packed: &Packed<W>, place: u32) -> u64 {
        get(&packed.0, place, self.local_bits) & self.local_mask
    }

    /// The local state of process `i` alone.
    #[inline]
    pub fn local<const W: usize>(&self, packed: &Packed<W>, i: usize) -> u64 {
        self.local_at(packed, self.place(i))
    }

    /// Flips bits of the local state at a [`place`](Self::place).
    #[inline]
    pub fn flip_at<const W: usize>(&self, packed: &mut Packed<W>, place: u32, bits: u64) {
        flip(&mut packed.0, place, bits);
    }

    /// Flips bits of the local state of process `i`.
    #[inline]
    pub fn flip<const W: usize>(&self, packed: &mut Packed<W>, i: usize, bits: u64) {
        self.flip_at(packed, self.place(i), bits);
    }

    /// The bits of a packed state that `bits` of the shared state are.
    pub fn shared_bits_of<const W: usize>(&self, bits: u128) -> Packed<W> {
        let mut words = [0; W];
        let low = self.shared_bits.min(64);
        flip(&mut words, 0, bits as u64);
        flip(&mut words, low, (bits >> 64) as u64);
        Packed(words)
    }

    /// Gives process `from` the local state `value`, and moves it to the place `to`: the processes
    /// in between close up.
    #[inline]
    pub fn reinsert<const W: usize>(
        &self,
        packed: &mut Packed<W>,
        from: usize,
        to: usize,
        value: u64,
    ) {
        if W > 2 {
            let step = |i: usize| if from < to { i + 1 } else { i - 1 };
            let mut i = from;
            while i != to {
                let next = self.local(packed, step(i));
                self.flip(packed, i, self.local(packed, i) ^ next);
                i = step(i);
            }
            self.flip(packed, to, self.local(packed, to) ^ value);
            return;
        }
        let high = if W == 2 { packed.0[W - 1] } else { 0 };
        let word = u128::from(packed.0[0]) | u128::from(high) << 64;
        let at = |i: usize| self.place(i);
        let (low, end) = (at(from.min(to)), at(from.max(to)) + self.local_bits);
        let mask = (u128::MAX >> (128 - (end - low))) << low;
        let field = u128::MAX >> (128 - self.local_bits);
        let part = word & mask;
        let moved = if from < to { part >> self.local_bits } else { part << self.local_bits };
        let kept = moved & mask & !(field << at(to));
        let word = word & !mask | kept | u128::from(value) << at(to);
        packed.0[0] = word as u64;
        if W == 2 {
            packed.0[W - 1] = (word >> 64) as u64;
        }
    }

    /// The packed form of a whole state, whose values fit.
    pub fn pack<const W: usize>(&self, c: &Configuration) -> Packed<W> {
        debug_assert!(fits(c.shared, self.shared_bits));
        debug_assert!(c.locals.iter().all(|l| fits(u128::from(*l), self.local_bits)));
        debug_assert!(c.locals[self.processes..].iter().all(|l| *l == 0));
        let mut words = [0; W];
        let low = self.shared_bits.min(64);
        flip(&mut words, 0, c.shared as u64);
        flip(&mut words, low, (c.shared >> 64) as u64);
        let mut packed = Packed(words);
        for (i, local) in c.locals[..self.processes].iter().enumerate() {
            self.flip(&mut packed, i, *local);
        }
        debug_assert_eq!(self.unpack(&packed), *c, "packing lost something");
        packed
    }

    /// The whole state that was packed.
    pub fn unpack<const W: usize>(&self, packed: &Packed<W>) -> Configuration {
        let shared = self.shared(packed);
        let mut locals = [0; MAX_PROCESSES];
        for (i, local) in locals[..self.processes].iter_mut().enumerate() {
            *local = self.local(packed, i);
        }
        Configuration { shared, locals }
    }
}

/// The bits of the last word that no state uses: in a stored state its sleep set, one bit for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spare {
    mask: u64,
    shift: u32,
}

impl Spare {
    /// No bits.
    pub const NONE: Self = Self { mask: 0, shift: 0 };

    /// Those that the layout leaves, at most one for each process.
    pub fn of<const W: usize>(layout: &Layout) -> Self {
        let free = (64 * W as u32 - layout.bits()).min(layout.processes as u32);
        if free == 0 {
            return Self::NONE;
        }
        Self { mask: u64::MAX << (64 - free), shift: 64 - free }
    }

    /// A state with its sleep set, as far as there are bits for it.
    #[inline]
    pub fn join<const W: usize>(self, mut state: Packed<W>, in_sleep_set: u16) -> Packed<W> {
        state.0[W - 1] |= u64::from(in_sleep_set) << self.shift & self.mask;
        state
    }

    /// The state, and its sleep set.
    #[inline]
    pub fn split<const W: usize>(self, mut stored: Packed<W>) -> (Packed<W>, u16) {
        let last = stored.0[W - 1];
        stored.0[W - 1] = last & !self.mask;
        (stored, ((last & self.mask) >> self.shift) as u16)
    }
}

/// Flips the bits from bit `at` on where `value` has ones.
#[inline]
fn flip<const W: usize>(words: &mut [u64; W], at: u32, value: u64) {
    let (word, shift) = ((at / 64) as usize, at % 64);
    let (low, high) = (value << shift, value >> 1 >> (63 - shift));
    if W == 1 {
        words[0] ^= low;
        return;
    }
    // Each word, most of them with nothing: if only that word were written, whoever reads the words together
    // next would have to wait until it is in memory.
    for (i, mine) in words.iter_mut().enumerate() {
        *mine ^= if i == word { low } else { 0 };
        *mine ^= if i == word + 1 { high } else { 0 };
    }
}

/// So many ones, at most 64.
#[inline]
fn ones(bits: u32) -> u64 {
    1_u64.unbounded_shl(bits).wrapping_sub(1)
}

/// Reads `bits` (at most 64) at bit `at`, and above them what else is there.
#[inline]
fn get<const W: usize>(words: &[u64; W], at: u32, bits: u32) -> u64 {
    let (word, shift) = ((at / 64) as usize, at % 64);
    let mut value = words[word % W] >> shift;
    if W > 1 && shift + bits > 64 {
        value |= words[(word + 1) % W] << (64 - shift);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every layout gives back what was put in, and equal words mean equal states.
        #[test]
        fn round_trip(
            shared_bits in 0_u32..=128,
            local_bits in 1_u32..=64,
            processes in 0_usize..=6,
            shared: u128,
            locals: [u64; 6],
        ) {
            let layout = Layout::new(shared_bits, local_bits, processes);
            prop_assume!(layout.words().is_some());
            let mut c = Configuration { shared: 0, locals: [0; MAX_PROCESSES] };
            c.shared = if shared_bits == 0 { 0 } else { shared >> (128 - shared_bits) };
            for (to, from) in c.locals.iter_mut().zip(locals).take(processes) {
                *to = from >> (64 - local_bits);
            }
            prop_assert_eq!(layout.unpack(&layout.pack::<8>(&c)), c);
            match layout.words() {
                Some(1) => prop_assert_eq!(layout.unpack(&layout.pack::<1>(&c)), c),
                Some(2) => prop_assert_eq!(layout.unpack(&layout.pack::<2>(&c)), c),
                Some(4) => prop_assert_eq!(layout.unpack(&layout.pack::<4>(&c)), c),
                _ => {}
            }
        }

        /// Fields read and written one by one, and moved.
        #[test]
        fn fields(
            shared_bits in 0_u32..=64,
            local_bits in 1_u32..=64,
            processes in 1_usize..=6,
            shared: u64,
            locals: [u64; 6],
            value: u64,
            from in 0_usize..6,
            to in 0_usize..6,
        ) {
            let layout = Layout::new(shared_bits, local_bits, processes);
            let (from, to) = (from % processes, to % processes);
            prop_assume!(layout.words().is_some());
            let mut c = Configuration { shared: 0, locals: [0; MAX_PROCESSES] };
            c.shared = if shared_bits == 0 { 0 } else { u128::from(shared >> (64 - shared_bits)) };
            for (to, from) in c.locals.iter_mut().zip(locals).take(processes) {
                *to = from >> (64 - local_bits);
            }
            let value = value >> (64 - local_bits);
            let mut moved = c;
            let mut order = c.locals[..processes].to_vec();
            order.remove(from);
            order.insert(to, value);
            moved.locals[..processes].copy_from_slice(&order);
            match layout.words() {
                Some(1) => check_fields::<1>(&layout, &c, &moved, (from, to, value))?,
                Some(2) => check_fields::<2>(&layout, &c, &moved, (from, to, value))?,
                Some(4) => check_fields::<4>(&layout, &c, &moved, (from, to, value))?,
                _ => check_fields::<8>(&layout, &c, &moved, (from, to, value))?,
            }
        }
    }

    fn check_fields<const W: usize>(
        layout: &Layout,
        c: &Configuration,
        moved: &Configuration,
        (from, to, value): (usize, usize, u64),
    ) -> Result<(), TestCaseError> {
        let packed = layout.pack::<W>(c);
        prop_assert_eq!(layout.shared(&packed), c.shared);
        prop_assert_eq!(layout.shared_bits_of::<W>(c.shared) ^ packed, {
            let locals_alone = Configuration { shared: 0, ..*c };
            layout.pack::<W>(&locals_alone)
        });
        for i in 0..layout.processes {
            prop_assert_eq!(layout.local(&packed, i), c.locals[i]);
            let mut flipped = packed;
            layout.flip(&mut flipped, i, c.locals[i] ^ value);
            let mut expected = *c;
            expected.locals[i] = value;
            prop_assert_eq!(layout.unpack(&flipped), expected);
        }
        let mut reinserted = packed;
        layout.reinsert(&mut reinserted, from, to, value);
        prop_assert_eq!(layout.unpack(&reinserted), *moved);
        Ok(())
    }
}
