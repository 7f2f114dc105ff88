//! The states that a worker found last.
//!
//! Some transitions lead to one of them (of the reference model a fifth), and need no more than this look:
//! nothing is written, sent or inserted for them.

use super::packed::Packed;

/// Some of the states found last, each in a place of its own. What is forgotten is new again, which costs
/// time; what was never found is never taken for found.
pub(crate) struct Recent<const W: usize> {
    states: Vec<Packed<W>>,
    mask: u64,
}

impl<const W: usize> Recent<W> {
    /// Remembers about as many states as take so many bytes, a power of two.
    pub fn new(bytes: usize) -> Self {
        let places = bytes / size_of::<Packed<W>>();
        assert!(places.is_power_of_two() && places <= 1 << 16);
        let mut recent = Self { states: vec![Packed::ZERO; places], mask: places as u64 - 1 };
        // A state in a place that is not its own is none.
        let mut other = Packed::ZERO;
        other.0[0] = 1;
        let zero = recent.place(Packed::<W>::ZERO.hash());
        assert_ne!(recent.place(other.hash()), zero);
        recent.states[zero] = other;
        recent
    }

    /// Of a hash, other bits than those that say where a state belongs.
    #[inline]
    fn place(&self, hash: u64) -> usize {
        (hash >> 40 & self.mask) as usize
    }

    /// Whether the state, whose hash is given, is none of those found last.
    #[inline]
    pub fn is_new(&mut self, state: &Packed<W>, hash: u64) -> bool {
        let place = self.place(hash);
        let slot = &mut self.states[place];
        let new = *slot != *state;
        *slot = *state;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembers<const W: usize>() {
        let mut recent = Recent::<W>::new(1 << 16);
        let mut rng = fastrand::Rng::with_seed(W as u64);
        let mut shown = std::collections::HashSet::new();
        let mut forgotten = 0;
        for round in 0..200_000 {
            // The state that looks like an empty place is among them from the first.
            let mut state = Packed::ZERO;
            if round > 0 {
                state.0[W - 1] = rng.u64(0..20_000);
            }
            let first = shown.insert(state.0);
            let new = recent.is_new(&state, state.hash());
            assert!(new || !first, "{state:?} is lost");
            assert!(!recent.is_new(&state, state.hash()), "{state:?}, just seen");
            forgotten += usize::from(new && !first);
        }
        assert!((1..180_000).contains(&forgotten), "{forgotten}");
    }

    #[test]
    fn what_was_never_found_is_new() {
        remembers::<1>();
        remembers::<2>();
        remembers::<4>();
        remembers::<8>();
    }
}
