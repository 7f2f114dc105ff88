//! States, their bits mixed so that nothing is lost: where a state stands in a table says a part of it.
//!
//! - J. G. Cleary, 'Compact hash tables using bidirectional linear probing', 1984: of a number mixed
//!   invertibly, a table keeps what the place does not say, the quotient.
//! - The first word is mixed: `x ^= x >> n` with at least half of the bits, which undoes itself, and a
//!   product with an odd number, which another product undoes (as in T. Wang's and in S. Vigna's mixers). Of
//!   states of one word only the bits that they use are mixed, so that the quotient is short. Of longer ones
//!   the other words are hashed into the first, and kept as they are.

use super::packed::Packed;

/// Bits of a mixed word at least: what others take bits of is there.
const LEAST: u32 = 24;

/// 2^64 divided by the golden ratio: see [`Packed::hash`].
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// How the states of one layout are mixed.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Bits of a state.
    bits: u32,
    /// How far the mixed word is shifted to the left: its highest bits are the highest of all 64.
    left: u32,
    fold: u32,
    factor: u64,
    inverse: u64,
}

impl Mix {
    /// For states of so many bits.
    pub fn new(bits: u32) -> Self {
        let mixed = bits.clamp(LEAST, u64::BITS);
        // Newton's iteration doubles the bits that are right, of which every odd number has three.
        let inverse = (0..5).fold(FACTOR, |inverse, _| {
            inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)))
        });
        let left = u64::BITS - mixed;
        Self { bits, left, fold: mixed.div_ceil(2), factor: FACTOR << left, inverse }
    }

    /// Bits that [`Mix::hash`] has, from the highest down.
    pub fn mixed_bits(&self) -> u32 {
        u64::BITS - self.left
    }

    /// Bytes of the words but the first.
    pub fn other_bytes(&self) -> usize {
        self.bits.saturating_sub(u64::BITS).div_ceil(8) as usize
    }

    /// The first word, mixed. With the other words it says which state it is: see [`Mix::state`].
    #[inline]
    pub fn hash<const W: usize>(&self, state: &Packed<W>) -> u64 {
        let word = state.0[0] ^ others(state);
        (word ^ word >> self.fold).wrapping_mul(self.factor)
    }

    /// The state of a hash, of which the other words are given.
    pub fn state<const W: usize>(&self, hash: u64, mut others_of: Packed<W>) -> Packed<W> {
        let mask = u64::MAX >> self.left;
        let folded = (hash >> self.left).wrapping_mul(self.inverse) & mask;
        others_of.0[0] = folded ^ folded >> self.fold ^ others(&others_of);
        others_of
    }
}

/// A hash of the words but the first; 0 if there are no others.
#[inline]
fn others<const W: usize>(state: &Packed<W>) -> u64 {
    let mut hash: u64 = 0;
    for word in &state.0[1..] {
        hash = (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR);
    }
    // The product's high bits depend on all of the words.
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gives_back<const W: usize>(bits: u32, rng: &mut fastrand::Rng) {
        let mix = Mix::new(bits);
        let words = std::array::from_fn(|i| {
            let here = bits.saturating_sub(64 * i as u32).min(64);
            rng.u64(..) & u64::MAX.unbounded_shr(64 - here)
        });
        let state = Packed::<W>(words);
        let hash = mix.hash(&state);
        assert_eq!(hash.unbounded_shl(mix.mixed_bits()), 0, "{bits} bits: more than it says");
        let mut others = state;
        others.0[0] = rng.u64(..);
        assert_eq!(mix.state(hash, others), state, "{bits} bits");
    }

    /// Whatever the number of bits, a state is what its hash and its other words say.
    #[test]
    fn loses_nothing() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            for bits in 0..=64 {
                gives_back::<1>(bits, &mut rng);
            }
            for bits in 65..=128 {
                gives_back::<2>(bits, &mut rng);
            }
            for bits in (129..=512).step_by(7) {
                gives_back::<8>(bits, &mut rng);
            }
        }
    }
}
