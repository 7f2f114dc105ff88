//! Words that states are made of, each kept once, with a number.
//!
//! - Paper: G. J. Holzmann, 'State compression in SPIN: recursive indexing and compression training runs', 1997:
//!   the states of a system are many combinations of few parts.
//! - Any number of threads look words up and add new ones, while what is there is held in place; to grow it is taken by
//!   one of them alone. A word never changes its number. Which number it gets depends on who comes first, so
//!   nothing that is told of a search may depend on numbers.
//! - Costs: 8 bytes of each word, and places of 4 bytes, of which at most half are used: the number, and as many bits
//!   of a hash as it leaves.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::ask::{Budget, Full};

/// Places of the first index, as a power of two.
const FIRST: u32 = 6;

/// No index has more places, as a power of two.
const MOST: u32 = 31;

/// All words that were seen.
pub(super) struct Numbers {
    /// 0, or one more than a number in the lowest bits, as many as places have; above these the bits of the
    /// hash that do not say which place is its own. Of two words that belong in one place, the later one stands in
    /// the next that is free.
    places: Vec<AtomicU32>,
    /// How many places there are, as a power of two.
    bits: u32,
    /// By number.
    words: Vec<AtomicU64>,
    /// How many words there are; held while one is added.
    len: Apart<Mutex<u32>>,
}

/// In lines of memory of its own: what is written again and again would take from all other threads what they read beside
/// it.
#[repr(align(128))]
struct Apart<T>(T);

/// A hash of which the high half is used.
#[inline(always)]
fn hash(word: u64) -> u64 {
    // The factor spreads what differs in low bits, and what differs in high ones alone has to come down before.
    (word ^ word >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// What a place says of a hash, above so many bits.
#[inline(always)]
fn tag(hash: u64, bits: u32) -> u32 {
    ((hash >> u32::BITS) as u32) << bits
}

/// The place that a hash belongs to, of so many as a power of two.
#[inline(always)]
fn place(hash: u64, bits: u32) -> usize {
    (hash >> (u64::BITS - bits)) as usize
}

/// How many words may be put into so many places, a power of two.
const fn room(bits: u32) -> usize {
    (1 << bits) / 2
}

impl Numbers {
    /// None yet.
    pub fn new(budget: &Budget) -> Self {
        let new = Self {
            places: (0..1 << FIRST).map(|_| AtomicU32::new(0)).collect(),
            bits: FIRST,
            words: (0..room(FIRST)).map(|_| AtomicU64::new(0)).collect(),
            len: Apart(Mutex::new(0)),
        };
        budget.note(new.bytes());
        new
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        *self.len.0.lock().unwrap_or_else(PoisonError::into_inner) as usize
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.places) + size_of_val(&*self.words)
    }

    /// The number of a word; if it is new, the next number. `None` if there is no room for one more.
    #[inline(always)]
    pub fn number(&self, word: u64) -> Option<u32> {
        match self.find(word) {
            Ok(number) => Some(number),
            Err(free) => self.add(free, word),
        }
    }

    /// Its number; else the place where it might be put.
    #[inline(always)]
    fn find(&self, word: u64) -> Result<u32, usize> {
        let hash = hash(word);
        let (mut at, wanted) = (place(hash, self.bits), tag(hash, self.bits));
        let mask = self.places.len() - 1;
        loop {
            // What is read here was put there after the word that it is the number of.
            let there = self.places[at & mask].load(Ordering::Acquire);
            if there == 0 {
                return Err(at & mask);
            }
            let number = (there ^ wanted).wrapping_sub(1);
            if (there ^ wanted) >> self.bits == 0 && self.word(number) == word {
                return Ok(number);
            }
            at += 1;
        }
    }

    /// Adds a word, unless somebody has meanwhile.
    #[cold]
    #[inline(never)]
    fn add(&self, mut free: usize, word: u64) -> Option<u32> {
        let mut len = self.len.0.lock().unwrap_or_else(PoisonError::into_inner);
        if self.places[free].load(Ordering::Relaxed) != 0 {
            match self.find(word) {
                Ok(number) => return Some(number),
                Err(place) => free = place,
            }
        }
        let number = *len;
        if number as usize >= room(self.bits).min(self.words.len()) {
            return None;
        }
        self.words[number as usize].store(word, Ordering::Relaxed);
        self.places[free].store(tag(hash(word), self.bits) | (number + 1), Ordering::Release);
        *len += 1;
        Some(number)
    }

    /// The word of a number.
    #[inline(always)]
    pub fn word(&self, number: u32) -> u64 {
        self.words[number as usize].load(Ordering::Relaxed)
    }

    /// Makes room for more, if there is none.
    ///
    /// # Errors
    /// If they are not there, or `budget` does not give them: all that was known is.
    #[cold]
    pub fn grow(&mut self, budget: &Budget) -> Result<(), Full> {
        let len = self.len();
        if len == self.words.len() {
            let mut words: Vec<AtomicU64> = zeros(len + len / 4, budget)?;
            words[..len].swap_with_slice(&mut self.words);
            budget.give(size_of_val(&*std::mem::replace(&mut self.words, words)));
        }
        if len == room(self.bits) {
            let bits = self.bits + 1;
            if bits > MOST {
                return Err(Full::Bytes);
            }
            let mut places: Vec<AtomicU32> = zeros(1 << bits, budget)?;
            let mask = places.len() - 1;
            for (word, next) in self.words[..len].iter_mut().zip(1..) {
                let hash = hash(*word.get_mut());
                let mut at = place(hash, bits);
                while *places[at & mask].get_mut() != 0 {
                    at += 1;
                }
                *places[at & mask].get_mut() = tag(hash, bits) | next;
            }
            self.bits = bits;
            budget.give(size_of_val(&*std::mem::replace(&mut self.places, places)));
        }
        Ok(())
    }
}

/// So many zeros.
fn zeros<T: Default>(len: usize, budget: &Budget) -> Result<Vec<T>, Full> {
    let bytes = len * size_of::<T>();
    budget.take(bytes)?;
    let mut list = Vec::new();
    if list.try_reserve_exact(len).is_err() {
        budget.give(bytes);
        return Err(Full::Bytes);
    }
    list.resize_with(len, T::default);
    Ok(list)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::RwLock;

    use super::*;

    /// Whoever comes first, and however many at once: each word has one number, and each number one word.
    #[test]
    fn each_word_has_one_number() {
        for seed in 0..20 {
            let budget = Budget::new(None);
            let numbers = RwLock::new(Numbers::new(&budget));
            let draw = |thread: u64| {
                let mut rng = fastrand::Rng::with_seed(seed << 8 | thread);
                let of = 1 << rng.u32(4..14);
                let mut mine = HashMap::new();
                for _ in 0..20_000 {
                    let word = rng.u64(..of);
                    // Small ones, and those that differ in high bits only.
                    let word = if seed % 2 == 0 { word } else { word << 50 | 7 };
                    let number = loop {
                        let number = numbers.read().expect("no panic").number(word);
                        if let Some(number) = number {
                            break number;
                        }
                        let mut numbers = numbers.write().expect("no panic");
                        numbers.grow(&budget).expect("no limit");
                    };
                    assert_eq!(*mine.entry(word).or_insert(number), number, "{word:x}");
                }
                mine
            };
            let found: Vec<HashMap<u64, u32>> = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..3).map(|thread| scope.spawn(move || draw(thread))).collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            });
            let numbers = numbers.into_inner().expect("no panic");
            let mut all = HashMap::new();
            for (word, number) in found.iter().flatten() {
                assert_eq!(*all.entry(*word).or_insert(*number), *number);
                assert_eq!(numbers.word(*number), *word);
            }
            assert_eq!(all.len(), numbers.len());
            assert!(all.values().all(|number| (*number as usize) < all.len()));
            assert_eq!(budget.held() as usize, numbers.bytes());
        }
    }

    /// The word of a hash.
    fn of_hash(hash: u64) -> u64 {
        // What the factor and this make is 1.
        let word = hash.wrapping_mul(0xF1DE_83E1_9937_733D);
        word ^ word >> 32
    }

    /// Words of one place, of which the tags are the same, too, are told apart.
    #[test]
    fn only_words_that_are_the_same_are() {
        let budget = Budget::new(None);
        let mut numbers = Numbers::new(&budget);
        let words: Vec<u64> = (0..1_000).map(|low| of_hash(0xABCD_EF01 << 32 | low)).collect();
        for round in 0..2 {
            for (word, expected) in words.iter().zip(0..) {
                assert_eq!(hash(*word) >> 32, 0xABCD_EF01);
                while numbers.number(*word).is_none() {
                    assert_eq!(round, 0);
                    numbers.grow(&budget).expect("no limit");
                }
                assert_eq!(numbers.number(*word), Some(expected));
            }
        }
    }

    /// Who has seen a free place, and comes to it later than somebody else, looks again.
    #[test]
    fn who_comes_late_looks_again() {
        let numbers = Numbers::new(&Budget::new(None));
        let [word, other] = [1, 2].map(|low| of_hash(7 << 58 | low));
        let Err(free) = numbers.find(word) else { panic!("it is there before it came") };
        assert_eq!(numbers.find(other), Err(free));
        assert_eq!(numbers.add(free, word), Some(0));
        assert_eq!(numbers.add(free, word), Some(0));
        assert_eq!(numbers.add(free, other), Some(1));
        assert_eq!([word, other].map(|word| numbers.number(word)), [Some(0), Some(1)]);
        assert_eq!(numbers.len(), 2);
    }

    #[test]
    fn has_no_more_than_its_budget_gives() {
        let budget = Budget::new(Some(100_000));
        let mut numbers = Numbers::new(&budget);
        let mut given = 0;
        loop {
            match numbers.number(given) {
                Some(number) => assert_eq!(u64::from(number), given),
                None if numbers.grow(&budget).is_err() => break,
                None => continue,
            }
            given += 1;
        }
        assert!(given > 3_000 && budget.peak() <= 100_000, "{given}");
        assert!((0..given).all(|word| numbers.number(word) == Some(word as u32)));
        assert!(numbers.grow(&Budget::with_no_machine()).is_err());
        assert_eq!(budget.held() as usize, numbers.bytes());
    }
}
