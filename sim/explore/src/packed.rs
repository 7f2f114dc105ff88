//! A whole state in `W` machine words: the shared bits, then each process's local bits.

use crate::product::{Configuration, MAX_PROCESSES, fits};

/// `W` words, compared as a number with the last word most significant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Packed<const W: usize>(pub [u64; W]);

const _: () = assert!(size_of::<Packed<1>>() == 8);
const _: () = assert!(size_of::<Packed<2>>() == 16);
const _: () = assert!(size_of::<Packed<4>>() == 32);
const _: () = assert!(size_of::<Packed<8>>() == 64);

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
pub(crate) struct Layout {
    pub shared_bits: u32,
    pub local_bits: u32,
    pub processes: usize,
}

impl Layout {
    /// How many bits a whole state takes.
    pub fn bits(&self) -> u32 {
        self.shared_bits + self.local_bits * self.processes as u32
    }

    /// How many words: 1, 2, 4 or 8; `None` if it takes more.
    pub fn words(&self) -> Option<usize> {
        [1, 2, 4, 8].into_iter().find(|w| self.bits() <= 64 * *w as u32)
    }

    pub fn pack<const W: usize>(&self, c: &Configuration) -> Packed<W> {
        debug_assert!(fits(c.shared, self.shared_bits));
        debug_assert!(c.locals.iter().all(|l| fits(u128::from(*l), self.local_bits)));
        debug_assert!(c.locals[self.processes..].iter().all(|l| *l == 0));
        let mut words = [0; W];
        let low = self.shared_bits.min(64);
        put(&mut words, 0, low, c.shared as u64);
        put(&mut words, low, self.shared_bits - low, (c.shared >> 64) as u64);
        let mut at = self.shared_bits;
        for local in &c.locals[..self.processes] {
            put(&mut words, at, self.local_bits, *local);
            at += self.local_bits;
        }
        let packed = Packed(words);
        debug_assert_eq!(self.unpack(&packed), *c, "packing lost something");
        packed
    }

    pub fn unpack<const W: usize>(&self, packed: &Packed<W>) -> Configuration {
        let low = self.shared_bits.min(64);
        let shared = u128::from(get(&packed.0, 0, low))
            | u128::from(get(&packed.0, low, self.shared_bits - low)) << 64;
        let mut locals = [0; MAX_PROCESSES];
        let mut at = self.shared_bits;
        for local in &mut locals[..self.processes] {
            *local = get(&packed.0, at, self.local_bits);
            at += self.local_bits;
        }
        Configuration { shared, locals }
    }
}

/// Writes the low `bits` (at most 64) of `value` at bit `at` of zeroed words.
#[inline]
fn put<const W: usize>(words: &mut [u64; W], at: u32, bits: u32, value: u64) {
    if bits == 0 {
        return;
    }
    let (word, shift) = ((at / 64) as usize, at % 64);
    words[word] |= value << shift;
    if shift + bits > 64 {
        words[word + 1] |= value >> (64 - shift);
    }
}

/// Reads `bits` (at most 64) at bit `at`.
#[inline]
fn get<const W: usize>(words: &[u64; W], at: u32, bits: u32) -> u64 {
    if bits == 0 {
        return 0;
    }
    let (word, shift) = ((at / 64) as usize, at % 64);
    let mut value = words[word] >> shift;
    if shift + bits > 64 {
        value |= words[word + 1] << (64 - shift);
    }
    if bits == 64 { value } else { value & ((1 << bits) - 1) }
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
            let layout = Layout { shared_bits, local_bits, processes };
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
    }
}
