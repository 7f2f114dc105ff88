//! Words, their bits mixed so that nothing is lost: where one stands in a table says a part of it.
//!
//! - J. G. Cleary, 'Compact hash tables using bidirectional linear probing', 1984: of a number mixed
//!   invertibly, a table keeps what the place does not say, the quotient.
//! - `x ^= x >> n` with at least half of the bits undoes itself, and a product with an odd number another product
//!   undoes (as in T. Wang's and in S. Vigna's mixers). Only the bits that are used are mixed, so that the quotient is
//!   short.

use super::packed::Packed;

/// Bits of a mixed word at least: what others take bits of is there.
const LEAST: u32 = 24;

/// 2^64 divided by the golden ratio: see [`Packed::hash`].
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// How words of so many bits are mixed.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Of a word, or of several that are hashed together.
    bits: u32,
    /// How far the mixed word is shifted to the left: its highest bits are the highest of all 64.
    left: u32,
    fold: u32,
    factor: u64,
    inverse: u64,
}

impl Mix {
    /// For words of so many bits; if they are more than one word has, for all of its bits.
    pub fn new(bits: u32) -> Self {
        let mixed = bits.clamp(LEAST, u64::BITS);
        // Newton's iteration doubles the bits that are right, of which every odd number has three.
        let inverse = (0..5).fold(FACTOR, |inverse, _| {
            inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)))
        });
        let left = u64::BITS - mixed;
        Self { bits, left, fold: mixed.div_ceil(2), factor: FACTOR << left, inverse }
    }

    /// The bits that it is for.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Bits that [`Mix::hash`] has, from the highest down.
    pub fn mixed_bits(&self) -> u32 {
        u64::BITS - self.left
    }

    /// A word, mixed.
    #[inline]
    pub fn hash(&self, word: u64) -> u64 {
        let word = (word ^ word >> self.fold).wrapping_mul(FACTOR) & (u64::MAX >> self.left);
        (word ^ word >> self.fold).wrapping_mul(self.factor)
    }

    /// The word of a hash.
    pub fn root(&self, hash: u64) -> u64 {
        let mask = u64::MAX >> self.left;
        let folded = (hash >> self.left).wrapping_mul(self.inverse) & mask;
        let folded = (folded ^ folded >> self.fold).wrapping_mul(self.inverse) & mask;
        folded ^ folded >> self.fold
    }

    /// A hash of a state: of one word it is the word, mixed.
    #[inline]
    pub fn of_state<const W: usize>(&self, state: &Packed<W>) -> u64 {
        if W == 1 { self.hash(state.0[0]) } else { state.hash() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the number of bits, a word is what its hash says.
    #[test]
    fn loses_nothing() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            for bits in 0..=64 {
                let mix = Mix::new(bits);
                let word = rng.u64(..) & u64::MAX.unbounded_shr(64 - bits);
                let hash = mix.hash(word);
                assert_eq!(
                    hash.unbounded_shl(mix.mixed_bits()),
                    0,
                    "{bits} bits: more than it says"
                );
                assert_eq!(mix.root(hash), word, "{bits} bits");
                assert_eq!(mix.of_state(&Packed([word])), hash, "{bits} bits");
            }
        }
    }
}
