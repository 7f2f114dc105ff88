//! Sets of small numbers, one bit each.

/// Whether bit `i` of little-endian flags is set.
pub(crate) fn flag(flags: &[u8], i: usize) -> bool {
    flags[i / 8] >> (i % 8) & 1 != 0
}

pub(crate) fn set_flag(flags: &mut [u8], i: usize) {
    flags[i / 8] |= 1 << (i % 8);
}

/// A growing set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GrowingSet(Vec<u64>);

impl GrowingSet {
    /// With one bit for each that is in it.
    pub const fn of(words: Vec<u64>) -> Self {
        Self(words)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.0.capacity() * size_of::<u64>()
    }

    pub fn has(&self, letter: u16) -> bool {
        self.0.get(usize::from(letter / 64)).is_some_and(|word| word >> (letter % 64) & 1 != 0)
    }

    /// Whether it was not there.
    pub fn add(&mut self, letter: u16) -> bool {
        let word = usize::from(letter / 64);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let old = self.0[word];
        self.0[word] |= 1 << (letter % 64);
        self.0[word] != old
    }

    /// Adds what is in another one; whether some of it was not there.
    pub fn join(&mut self, other: &Self) -> bool {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        join(&mut self.0, &other.0)
    }

    /// What is not in another one.
    pub fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
        rest
    }

    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        members(&self.0)
    }
}

/// Adds to a set what is in another one of as many words; whether some of it was not there.
pub(crate) fn join(set: &mut [u64], other: &[u64]) -> bool {
    let mut grew = 0;
    for (word, more) in set.iter_mut().zip(other) {
        grew |= more & !*word;
        *word |= more;
    }
    grew != 0
}

/// What is in a set.
pub(crate) fn members(set: &[u64]) -> impl Iterator<Item = u16> + '_ {
    set.iter().enumerate().flat_map(|(at, word)| {
        let mut word = *word;
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros();
            (word != 0).then(|| {
                word &= word - 1;
                at as u16 * 64 + bit as u16
            })
        })
    })
}

/// A set of as many as there are bits in so many words.
#[derive(Clone, Copy)]
pub(crate) struct Mask<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Mask<WORDS> {
    pub const NONE: Self = Self([0; WORDS]);

    pub fn of(at: usize) -> Self {
        let mut mask = Self::NONE;
        mask.set(at);
        mask
    }

    pub fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    pub fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 != 0
    }

    pub fn add(&mut self, more: Self) {
        self.0.iter_mut().zip(more.0).for_each(|(word, more)| *word |= more);
    }

    pub fn without(&self, other: &Self) -> Self {
        let mut mask = *self;
        mask.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        mask
    }

    /// Takes one out.
    pub fn pop(&mut self) -> Option<usize> {
        let word = self.0.iter().position(|word| *word != 0)?;
        let bit = self.0[word].trailing_zeros();
        self.0[word] &= self.0[word] - 1;
        Some(word * 64 + bit as usize)
    }
}
