//! A table that keeps of each state what its place does not say, and the level that it was found on.
//!
//! - Papers: J. G. Cleary, 'Compact hash tables using bidirectional linear probing', 1984 (a state's mixed bits
//!   say where it belongs; only the rest of them is kept); D. E. Knuth, 'The Art of Computer Programming',
//!   vol. 3, 6.4 (open addressing with buckets, which can be far fuller). A bucket is found by
//!   multiplying, not by masking (D. Lemire, 'Fast random integer generation in an interval', 2019): there may
//!   be any number of them.
//! - A slot has 32 bits: the level, how many buckets further than its own the state stands, and the lowest bits
//!   of its hash that its own bucket leaves open. What does not fit in there, of wide states or of small
//!   tables, is beside the slots, in as many bytes as it takes, and is looked at only if the slot agrees.
//! - Exact: bucket, distance and the bits that are kept give the state back, so two states never look alike. A
//!   bucket is filled from its beginning and nothing is taken out, so a state that is not found before the
//!   first free slot is not there. One that would stand too far from its own bucket is kept apart, whole.
//! - Costs: 4 bytes and those beside, divided by the load, which is at most 0.9 and, once the table has [`FINE`]
//!   buckets, at least 0.69. A table that grows is there twice for a moment.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::FixedState;

use super::mix::Mix;
use super::packed::Packed;
use super::slots::{HUGE, NoRoom, Slots};
use crate::ask::{Budget, Full, table};

/// Slots of a bucket: those of a cache line.
const SLOTS: usize = 16;

type Bucket = [u32; SLOTS];

/// Bits of a slot for the level: one more than that, or [`LISTED`] + 1.
const LEVEL_BITS: u32 = 7;

/// The levels from this one on are not told apart by a table.
pub const LISTED: u32 = (1 << LEVEL_BITS) - 2;

/// Bits of a slot for the distance: one more than that, so that no slot looks like an empty one, whatever its
/// level is.
const DISTANCE_BITS: u32 = 4;

/// Buckets that a state may stand in.
const NEAR: usize = (1 << DISTANCE_BITS) - 1;

/// The distance 0, and what each bucket further adds.
const STEP: u32 = 1 << LEVEL_BITS;

/// Bits of a slot for the rest.
const REST_BITS: u32 = u32::BITS - LEVEL_BITS - DISTANCE_BITS;

const LEVEL_MASK: u32 = (1 << LEVEL_BITS) - 1;

/// Bytes that a state can take beside its slot: the rest of 64 bits, and all words but the first of 8.
const MOST_BESIDE: usize = 6 + 56;

/// Buckets from which on a table grows by a few tenths, not by twice.
pub const FINE: usize = 1 << 10;

/// The states of one shard.
pub struct Table<const W: usize> {
    shape: Shape,
    buckets: Slots<Bucket>,
    /// By slot, if there is more of a state than fits in one.
    beside: Slots<u8>,
    /// States in the buckets.
    used: usize,
    /// Those that found no place, and what their slots would say of the level.
    far: HashMap<[u64; W], u8, FixedState>,
}

/// What the places of a table say.
#[derive(Clone, Copy)]
struct Shape {
    mix: Mix,
    /// The highest bits of all hashes, and how many they are.
    shard: u64,
    shard_bits: u32,
    buckets: usize,
    /// As many ones as there are bits left by a bucket.
    rest: u64,
    /// Bytes of these that do not fit in a slot.
    rest_beside: usize,
    /// Those, and the bytes of the other words.
    beside: usize,
}

/// What a table says of a state that is not in it: where it would stand, if there is such a place.
#[derive(Clone, Copy, Debug)]
pub struct Vacancy(Option<Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    bucket: usize,
    /// The distance, as it is in a slot.
    distance: u32,
}

impl Shape {
    /// For so many buckets.
    fn new(mix: Mix, (shard, shard_bits): (usize, u32), buckets: usize) -> Self {
        let bits = mix.mixed_bits() - shard_bits;
        let of_a_bucket = (1_u128 << bits).div_ceil(buckets as u128);
        let rest_bits = u128::BITS - (of_a_bucket - 1).leading_zeros();
        let rest_beside = rest_bits.saturating_sub(REST_BITS).div_ceil(8) as usize;
        Self {
            mix,
            shard: (shard as u64).unbounded_shl(u64::BITS - shard_bits),
            shard_bits,
            buckets,
            rest: u64::MAX.unbounded_shr(u64::BITS - rest_bits),
            rest_beside,
            beside: rest_beside + mix.other_bytes(),
        }
    }

    /// Bytes of such a table.
    fn bytes(&self) -> usize {
        self.buckets * (size_of::<Bucket>() + SLOTS * self.beside)
    }

    /// The bucket that a hash belongs to.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        (u128::from(hash << self.shard_bits) * self.buckets as u128 >> u64::BITS) as usize
    }

    /// Of the mixed bits, the lowest: the hashes of one bucket follow one another, so that they differ there.
    #[inline]
    fn rest(&self, hash: u64) -> u64 {
        hash >> (u64::BITS - self.mix.mixed_bits()) & self.rest
    }

    /// The least of the hashes that belong to a bucket, as the number that is left of it without the shard.
    fn first(&self, home: usize) -> u64 {
        let bits = self.mix.mixed_bits() - self.shard_bits;
        ((home as u128) << bits).div_ceil(self.buckets as u128) as u64
    }

    /// The hash of what is left of it, of which the bucket begins with `first`.
    fn hash(&self, first: u64, rest: u64) -> u64 {
        let number = first + (rest.wrapping_sub(first) & self.rest);
        number << (u64::BITS - self.mix.mixed_bits()) | self.shard
    }

    /// What is beside a slot.
    fn beside<const W: usize>(&self, hash: u64, state: &Packed<W>) -> [u8; MOST_BESIDE] {
        let mut bytes = [0; MOST_BESIDE];
        let rest = (self.rest(hash) >> REST_BITS).to_le_bytes();
        bytes[..self.rest_beside].copy_from_slice(&rest[..self.rest_beside]);
        let others = state.0[1..].iter().flat_map(|word| word.to_le_bytes());
        for (to, byte) in bytes[self.rest_beside..self.beside].iter_mut().zip(others) {
            *to = byte;
        }
        bytes
    }

    /// From what is in a slot and beside it: the rest of the hash, and the other words.
    fn split<const W: usize>(&self, slot: u32, beside: &[u8]) -> (u64, Packed<W>) {
        let (rest, others) = beside.split_at(self.rest_beside);
        let mut high = [0; 8];
        high[..rest.len()].copy_from_slice(rest);
        let rest =
            u64::from_le_bytes(high) << REST_BITS | u64::from(slot >> (LEVEL_BITS + DISTANCE_BITS));
        let mut state = Packed::ZERO;
        for (word, bytes) in state.0[1..].iter_mut().zip(others.chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(eight);
        }
        (rest, state)
    }

    /// The bucket after one, round the end.
    #[inline]
    fn after(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets { 0 } else { bucket + 1 }
    }
}

/// What a slot says of a level; never 0, which is an empty slot.
#[inline]
fn level_in_slot(level: u32) -> u32 {
    level.min(LISTED) + 1
}

/// Which of the slots are like `slot`, whatever their levels are: one bit for each.
#[inline]
fn like(bucket: &Bucket, slot: u32) -> u32 {
    let hits = bucket.iter().zip(0..).map(|(its, i)| u32::from(its & !LEVEL_MASK == slot) << i);
    hits.fold(0, |all, hit| all | hit)
}

/// Whether one of them is.
#[inline]
fn any_like(bucket: &Bucket, slot: u32) -> bool {
    bucket.iter().fold(false, |any, its| any | (its & !LEVEL_MASK == slot))
}

/// Slots that are used, from the first on.
#[inline]
fn filled(bucket: &Bucket) -> usize {
    bucket.iter().map(|slot| u32::from(*slot != 0)).sum::<u32>() as usize
}

/// Asks for the cache line of `slots[at]`.
#[inline]
fn prefetch<T>(slots: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let pointer = (&raw const slots[at]).cast::<i8>();
        // SAFETY: the pointer is to an element; a prefetch reads nothing that the program can see.
        #[allow(
            unsafe_code,
            reason = "a hint to the processor, for which std has no safe function"
        )]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(pointer);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(&slots[at]);
}

impl<const W: usize> Table<W> {
    /// An empty table of one bucket, for the hashes that begin with those bits, of which it is said how many they
    /// are.
    pub fn new(budget: &Budget, mix: Mix, shard: (usize, u32)) -> Self {
        let shape = Shape::new(mix, shard, 1);
        budget.note(shape.bytes());
        Self {
            shape,
            buckets: Slots::Heap(vec![[0; SLOTS]; 1]),
            beside: Slots::Heap(vec![0; SLOTS * shape.beside]),
            used: 0,
            far: HashMap::default(),
        }
    }

    /// How states are mixed.
    pub fn mix(&self) -> Mix {
        self.shape.mix
    }

    /// Buckets.
    pub fn buckets(&self) -> usize {
        self.shape.buckets
    }

    /// How many states may be put in before it should grow.
    pub fn room(&self) -> usize {
        (self.shape.buckets * SLOTS * 9 / 10).saturating_sub(self.used)
    }

    /// Asks for the bucket that a hash belongs to.
    #[inline]
    pub fn ask_for(&self, hash: u64) {
        let home = self.shape.home(hash);
        prefetch(self.buckets.get(), home);
        if self.shape.beside > 0 {
            prefetch(self.beside.get(), home * SLOTS * self.shape.beside);
        }
    }

    /// Where a state could be put that is not there.
    #[inline]
    pub fn vacancy(&self, hash: u64, state: &Packed<W>) -> Option<Vacancy> {
        let shape = &self.shape;
        let buckets = self.buckets.get();
        let mut bucket = shape.home(hash);
        let rest = (shape.rest(hash) as u32) << (LEVEL_BITS + DISTANCE_BITS);
        for distance in 1..=shape.buckets.min(NEAR) as u32 {
            let distance = distance * STEP;
            let slots = &buckets[bucket];
            let there = if shape.beside == 0 {
                any_like(slots, rest | distance)
            } else {
                self.is_there(bucket, rest | distance, hash, state)
            };
            if there {
                return None;
            }
            if slots[SLOTS - 1] == 0 {
                return Some(Vacancy(Some(Place { bucket, distance })));
            }
            bucket = shape.after(bucket);
        }
        self.far_vacancy(state)
    }

    #[cold]
    fn far_vacancy(&self, state: &Packed<W>) -> Option<Vacancy> {
        (!self.far.contains_key(&state.0)).then_some(Vacancy(None))
    }

    /// Whether the state is in a bucket, where its slot would be like `slot`.
    fn is_there(&self, bucket: usize, slot: u32, hash: u64, state: &Packed<W>) -> bool {
        let mut hits = like(&self.buckets.get()[bucket], slot);
        if hits == 0 {
            return false;
        }
        let wanted = self.shape.beside(hash, state);
        let wanted = &wanted[..self.shape.beside];
        let beside = self.beside.get();
        while hits != 0 {
            let at = (bucket * SLOTS + hits.trailing_zeros() as usize) * wanted.len();
            if beside[at..at + wanted.len()] == *wanted {
                return true;
            }
            hits &= hits - 1;
        }
        false
    }

    /// Puts a state in, where there is room for it.
    ///
    /// # Errors
    /// If `budget` has no bytes for one that is kept apart; it was not put in.
    #[inline]
    pub fn put(
        &mut self,
        Vacancy(place): Vacancy,
        (hash, state): (u64, &Packed<W>),
        level: u32,
        budget: &Budget,
    ) -> Result<(), Full> {
        let Some(place) = place else {
            return self.put_apart(state, level_in_slot(level) as u8, budget);
        };
        let i = filled(&self.buckets.get()[place.bucket]);
        self.put_into(place, i, (hash, state), level_in_slot(level));
        Ok(())
    }

    #[inline]
    fn put_into(
        &mut self,
        Place { bucket, distance }: Place,
        i: usize,
        (hash, state): (u64, &Packed<W>),
        level: u32,
    ) {
        let shape = &self.shape;
        let rest = (shape.rest(hash) as u32) << (LEVEL_BITS + DISTANCE_BITS);
        self.buckets.get_mut()[bucket][i] = rest | distance | level;
        if shape.beside > 0 {
            let at = (bucket * SLOTS + i) * shape.beside;
            let bytes = &shape.beside(hash, state)[..shape.beside];
            self.beside.get_mut()[at..at + shape.beside].copy_from_slice(bytes);
        }
        self.used += 1;
    }

    #[cold]
    fn put_apart(&mut self, state: &Packed<W>, level: u8, budget: &Budget) -> Result<(), Full> {
        budget.room_in_map(&mut self.far)?;
        self.far.insert(state.0, level);
        Ok(())
    }

    /// Gives every state in some of the buckets: its hash, itself, and what its slot says of the level.
    fn each_in(&self, buckets: Range<usize>, mut each: impl FnMut(u64, Packed<W>, u32)) {
        let shape = &self.shape;
        let (all, beside) = (self.buckets.get(), self.beside.get());
        // Most are in their own buckets: the division is made once for each of these.
        let mut last = (0, shape.first(0));
        for bucket in buckets {
            for (i, slot) in all[bucket].iter().enumerate().take_while(|(_, slot)| **slot != 0) {
                let distance = (slot >> LEVEL_BITS & NEAR as u32) as usize - 1;
                let home =
                    bucket.checked_sub(distance).unwrap_or(bucket + shape.buckets - distance);
                if last.0 != home {
                    last = (home, shape.first(home));
                }
                let at = (bucket * SLOTS + i) * shape.beside;
                let (rest, others) = shape.split::<W>(*slot, &beside[at..at + shape.beside]);
                let hash = shape.hash(last.1, rest);
                each(hash, others, slot & LEVEL_MASK);
            }
        }
    }

    /// Adds to `states` those of a level less than [`LISTED`] that are in some of the buckets; of those that are
    /// kept apart, with the first bucket.
    pub fn of_level(&self, level: u32, buckets: Range<usize>, states: &mut Vec<Packed<W>>) {
        let (shape, level) = (&self.shape, level_in_slot(level));
        if buckets.start == 0 {
            let far = self.far.iter().filter(|(_, its)| u32::from(**its) == level);
            states.extend(far.map(|(state, _)| Packed(*state)));
        }
        let all = self.buckets.get();
        for bucket in buckets {
            // Most buckets have none: that is soon seen.
            if !all[bucket].iter().fold(false, |any, slot| any | (slot & LEVEL_MASK == level)) {
                continue;
            }
            self.each_in(bucket..bucket + 1, |hash, others, its| {
                if its == level {
                    states.push(shape.mix.state(hash, others));
                }
            });
        }
    }

    /// Makes the table larger. `are_there`: whether the machine has so many bytes.
    ///
    /// # Errors
    /// If they are not there, or `budget` does not give them: the table is as it was.
    #[inline(never)]
    pub fn grow(
        &mut self,
        budget: &Budget,
        are_there: impl FnOnce(usize) -> bool,
    ) -> Result<(), Full> {
        let old = self.shape;
        let shape = Shape::new(old.mix, old.shard_of(), more_buckets(old.buckets));
        if !are_there(shape.bytes()) {
            return Err(Full::Bytes);
        }
        budget.take(shape.bytes())?;
        let mut new = match Self::empty(shape) {
            Ok(new) => new,
            Err(NoRoom) => {
                budget.give(shape.bytes());
                return Err(Full::Bytes);
            }
        };
        let mut moved = Ok(());
        let mut last = (usize::MAX, 0);
        self.each_in(0..old.buckets, |hash, others, level| {
            // They come almost in the order of their places.
            let mut place = Place { bucket: shape.home(hash), distance: STEP };
            while new.buckets.get()[place.bucket][SLOTS - 1] != 0 {
                place.bucket = shape.after(place.bucket);
                place.distance += STEP;
                if place.distance > shape.buckets.min(NEAR) as u32 * STEP {
                    let state = shape.mix.state(hash, others);
                    moved = moved.and(new.put_apart(&state, level as u8, budget));
                    return;
                }
            }
            let i = if last.0 == place.bucket {
                last.1 + 1
            } else {
                filled(&new.buckets.get()[place.bucket])
            };
            last = (place.bucket, i);
            new.put_into(place, i, (hash, &others), level);
        });
        for (state, level) in &self.far {
            let state = Packed(*state);
            let hash = shape.mix.hash(&state);
            let vacancy = new.vacancy(hash, &state).expect("each state once");
            let level = u32::from(*level) - 1;
            moved = moved.and(new.put(vacancy, (hash, &state), level, budget));
        }
        if moved.is_err() {
            budget.give(new.bytes());
            return moved;
        }
        budget.give(self.bytes());
        *self = new;
        Ok(())
    }

    fn empty(shape: Shape) -> Result<Self, NoRoom> {
        Ok(Self {
            shape,
            buckets: Slots::new(shape.buckets, [0; SLOTS])?,
            beside: Slots::new(shape.buckets * SLOTS * shape.beside, 0)?,
            used: 0,
            far: HashMap::default(),
        })
    }

    /// Bytes that the budget knows of.
    fn bytes(&self) -> usize {
        self.shape.bytes() + table(self.far.capacity(), size_of::<([u64; W], u8)>())
    }
}

impl Shape {
    /// The shard that the table is of, as it was given.
    fn shard_of(&self) -> (usize, u32) {
        (self.shard.unbounded_shr(u64::BITS - self.shard_bits) as usize, self.shard_bits)
    }
}

/// How many buckets come after so many.
fn more_buckets(buckets: usize) -> usize {
    let size = size_of::<Bucket>();
    if buckets < FINE {
        buckets * 2
    } else if buckets * size < HUGE {
        buckets * 13 / 10
    } else {
        (buckets * size / 10 * 13).next_multiple_of(HUGE) / size
    }
}
