//! A table of roots, words that stand for states (`roots.rs`): of each it keeps what its place does not say, and the
//! level that the state was found on.
//!
//! - Papers: J. G. Cleary, 'Compact hash tables using bidirectional linear probing', 1984 (a word's mixed bits
//!   say where it belongs; only the rest of them is kept); D. E. Knuth, 'The Art of Computer Programming',
//!   vol. 3, 6.4 (open addressing with buckets, which can be far fuller). A bucket is found by
//!   multiplying, not by masking (D. Lemire, 'Fast random integer generation in an interval', 2019): there may
//!   be any number of them.
//! - A slot has 32 bits: the level, how many buckets further than its own the root stands, and the lowest bits
//!   of its hash that its own bucket leaves open. What does not fit in there, of many bits or in small
//!   tables, is beside the slots, in as many bytes as it takes, and is looked at only if the slot agrees.
//! - Exact: bucket, distance and the bits that are kept give the hash back, and this the root, so two never look
//!   alike. A bucket is filled from its beginning and nothing is taken out, so one that is not found before the
//!   first free slot is not there. One that would stand too far from its own bucket is kept apart, whole.
//! - Costs: 4 bytes and those beside, divided by the load, which is at most 15/16, and at least 0.75; in
//!   small tables, which grow by more at a time, at least 0.47 or 0.23. A table that grows is there twice for a moment.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::FixedState;

use super::mix::Mix;
use super::slots::{NoRoom, Slots};
use crate::ask::{Budget, Full, table};
use crate::collections::prefetch::prefetch;

/// Slots of a bucket: those of a cache line.
const SLOTS: usize = 16;

type Bucket = [u32; SLOTS];

/// Bytes of a table's buckets up to which it grows by four at a time, which takes little time and of all tables
/// little memory.
const SMALL: usize = 1 << 16;

/// From these on by a quarter; before by two at a time.
const LARGE: usize = 1 << 20;

/// Slots of a bucket that are used, on average, when a table grows.
const FULL: usize = 15;

/// Bits of a slot for the level: one more than that, or [`LISTED`] + 1.
const LEVEL_BITS: u32 = 7;

/// The levels from this one on are not told apart by a table.
pub const LISTED: u32 = (1 << LEVEL_BITS) - 2;

/// Bits of a slot for the distance: one more than that, so that no slot looks like an empty one, whatever its
/// level is.
const DISTANCE_BITS: u32 = 4;

/// Buckets that a root may stand in.
const NEAR: usize = (1 << DISTANCE_BITS) - 1;

/// The distance 0, and what each bucket further adds.
const STEP: u32 = 1 << LEVEL_BITS;

/// Bits of a slot for the rest.
const REST_BITS: u32 = u32::BITS - LEVEL_BITS - DISTANCE_BITS;

const LEVEL_MASK: u32 = (1 << LEVEL_BITS) - 1;

/// The roots of the states of one shard.
pub struct Table {
    shape: Shape,
    buckets: Slots<Bucket>,
    /// By slot, if there is more of a hash than fits in one.
    beside: Slots<u8>,
    /// Slots that are used.
    used: usize,
    /// The hashes of those that found no place, and what their slots would say of the level.
    far: HashMap<u64, u8, FixedState>,
}

/// What the places of a table say.
#[derive(Clone, Copy)]
struct Shape {
    mix: Mix,
    /// The highest bits of all hashes, and how many they are.
    shard: u64,
    shard_bits: u32,
    /// How far a number is shifted to the left, so that its highest bits are the highest of all 64.
    left: u32,
    buckets: usize,
    /// As many ones as there are bits left by a bucket.
    rest: u64,
    /// Bytes of these that do not fit in a slot.
    beside: usize,
}

/// What a table says of a root that is not in it: where it would stand, if there is such a place.
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
        Self {
            mix,
            shard: (shard as u64).unbounded_shl(u64::BITS - shard_bits),
            shard_bits,
            left: u64::BITS - bits,
            buckets,
            rest: u64::MAX.unbounded_shr(u64::BITS - rest_bits),
            beside: rest_bits.saturating_sub(REST_BITS).div_ceil(8) as usize,
        }
    }

    /// Bytes of such a table.
    fn bytes(&self) -> usize {
        self.buckets * (size_of::<Bucket>() + SLOTS * self.beside)
    }

    /// Of a hash, what the shard does not say: the number of the state, which the rest is about.
    #[inline]
    fn number_of(&self, hash: u64) -> u64 {
        hash << self.shard_bits >> self.left
    }

    /// The bucket that a hash belongs to.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash << self.shard_bits) * self.buckets as u128) >> u64::BITS) as usize
    }

    /// The bucket that a number belongs to.
    #[inline]
    fn home_of(&self, number: u64) -> usize {
        ((u128::from(number << self.left) * self.buckets as u128) >> u64::BITS) as usize
    }

    /// Of a number what its bucket leaves open, the lowest bits: the numbers of one bucket follow one another, so
    /// that they differ there. And of these the lowest, as they are in a slot.
    #[inline]
    fn slot(&self, number: u64) -> u32 {
        ((number & self.rest) as u32) << (LEVEL_BITS + DISTANCE_BITS)
    }

    /// The least of the hashes that belong to a bucket, as the number that is left of it without the shard.
    fn first(&self, home: usize) -> u64 {
        let bits = self.mix.mixed_bits() - self.shard_bits;
        ((home as u128) << bits).div_ceil(self.buckets as u128) as u64
    }

    /// The same, of one bucket after the other.
    fn firsts(&self) -> impl Iterator<Item = u64> {
        let (all, buckets) =
            (1_u128 << (self.mix.mixed_bits() - self.shard_bits), self.buckets as u128);
        // Without a division for each: what each has whole, and the parts that are left over.
        let (whole, part) = ((all / buckets) as u64, (all % buckets) as u64);
        let (mut first, mut parts) = (0_u64, 0);
        (0..self.buckets).map(move |_| {
            let this = first + u64::from(parts > 0);
            first = first.wrapping_add(whole);
            parts += part;
            if parts >= buckets as u64 {
                parts -= buckets as u64;
                first = first.wrapping_add(1);
            }
            this
        })
    }

    /// The number of which the lowest bits are given, of a bucket of which the numbers begin with `first`.
    #[inline]
    fn number(&self, first: u64, rest: u64) -> u64 {
        first + (rest.wrapping_sub(first) & self.rest)
    }

    /// The hash of a number.
    fn hash(&self, number: u64) -> u64 {
        number << (u64::BITS - self.mix.mixed_bits()) | self.shard
    }

    /// What of a number is beside its slot.
    #[inline(always)]
    fn high(&self, number: u64) -> u64 {
        (number & self.rest) >> REST_BITS
    }

    /// From what is in a slot and begins beside it: the rest of the hash.
    #[inline(always)]
    fn rest_of(&self, slot: u32, beside: &[u8]) -> u64 {
        let high = get(beside, self.beside);
        high << REST_BITS | u64::from(slot >> (LEVEL_BITS + DISTANCE_BITS))
    }

    /// Of the buckets after a full one, as far as a state may stand from its own: the first with a free slot, and the
    /// distance.
    #[inline(never)]
    fn free_after(&self, full: usize, used: &[u8]) -> Option<(usize, u32)> {
        let mut bucket = full;
        (2..=self.buckets.min(NEAR) as u32).find_map(|distance| {
            bucket = self.after(bucket);
            (usize::from(used[bucket]) < SLOTS).then_some((bucket, distance * STEP))
        })
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

/// The first of these bytes as a number, at most seven.
#[inline(always)]
fn get(bytes: &[u8], count: usize) -> u64 {
    match bytes.first_chunk() {
        // Those after them are another slot's.
        Some(eight) => u64::from_le_bytes(*eight) & !(u64::MAX << (8 * count)),
        None => bytes[..count].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

/// Writes such a number there.
#[inline(always)]
fn put(bytes: &mut [u8], count: usize, number: u64) {
    if let Some(eight) = bytes.first_chunk_mut() {
        let others = u64::from_le_bytes(*eight) & u64::MAX << (8 * count);
        *eight = (others | number).to_le_bytes();
    } else {
        bytes[..count].copy_from_slice(&number.to_le_bytes()[..count]);
    }
}

/// Which of the slots are like `slot`, whatever their levels are: one bit for each.
#[inline(always)]
fn like(bucket: &Bucket, slot: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{
            _mm_and_si128, _mm_cmpeq_epi32, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32,
            _mm_set_epi32, _mm_set1_epi32,
        };
        // SAFETY: every such processor has these instructions; they are of values alone.
        #[allow(
            unsafe_code,
            reason = "four are compared at once and a bit of each is taken: not so by the loop below"
        )]
        unsafe {
            let (mask, slot) = (_mm_set1_epi32(!LEVEL_MASK as i32), _mm_set1_epi32(slot as i32));
            let four = |at: usize| {
                let at = |i: usize| bucket[at + i] as i32;
                let four = _mm_set_epi32(at(3), at(2), at(1), at(0));
                _mm_cmpeq_epi32(_mm_and_si128(four, mask), slot)
            };
            let eight = |at| _mm_packs_epi32(four(at), four(at + 4));
            _mm_movemask_epi8(_mm_packs_epi16(eight(0), eight(8))) as u32
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let hits = bucket.iter().zip(0..).map(|(its, i)| u32::from(its & !LEVEL_MASK == slot) << i);
        hits.fold(0, |all, hit| all | hit)
    }
}

/// Slots that are used, from the first on, if the last one is not.
#[inline(always)]
fn filled(bucket: &Bucket) -> usize {
    let mut filled = 0;
    for step in [8, 4, 2, 1] {
        filled += if bucket[filled + step - 1] == 0 { 0 } else { step };
    }
    filled
}

/// A table, to look for roots by their hashes and to put them in. `WIDE`: see [`Table::is_wide`].
pub struct Open<'t> {
    shape: Shape,
    buckets: &'t mut [Bucket],
    beside: &'t mut [u8],
    used: &'t mut usize,
    far: &'t mut HashMap<u64, u8, FixedState>,
}

impl Open<'_> {
    /// Asks for the bucket that a hash belongs to, and for what is beside it.
    #[inline(always)]
    pub fn ask_for<const WIDE: bool>(&self, hash: u64) {
        let home = self.shape.home(hash);
        prefetch(self.buckets, home);
        if WIDE {
            // Of most tables no more than one line, or a part of a second one.
            let (first, bytes) = (home * SLOTS * self.shape.beside, SLOTS * self.shape.beside);
            prefetch(self.beside, first);
            prefetch(self.beside, first + bytes - 1);
        }
    }

    /// Where one could be put that is not there.
    #[inline(always)]
    pub fn vacancy<const WIDE: bool>(&self, hash: u64) -> Option<Vacancy> {
        let home = self.shape.home(hash);
        let slot = self.shape.slot(self.shape.number_of(hash)) | STEP;
        let slots = &self.buckets[home];
        let there = if WIDE { self.is_there(home, slot, hash) } else { like(slots, slot) != 0 };
        if there {
            return None;
        }
        if slots[SLOTS - 1] == 0 {
            return Some(Vacancy(Some(Place { bucket: home, distance: STEP })));
        }
        self.further::<WIDE>(home, hash)
    }

    /// The same, if its own bucket is full.
    #[inline(never)]
    fn further<const WIDE: bool>(&self, home: usize, hash: u64) -> Option<Vacancy> {
        let mut bucket = home;
        let alike = self.shape.slot(self.shape.number_of(hash));
        for distance in 2..=self.shape.buckets.min(NEAR) as u32 {
            bucket = self.shape.after(bucket);
            let distance = distance * STEP;
            let slot = alike | distance;
            let slots = &self.buckets[bucket];
            let there =
                if WIDE { self.is_there(bucket, slot, hash) } else { like(slots, slot) != 0 };
            if there {
                return None;
            }
            if slots[SLOTS - 1] == 0 {
                return Some(Vacancy(Some(Place { bucket, distance })));
            }
        }
        (!self.far.contains_key(&hash)).then_some(Vacancy(None))
    }

    /// Whether a hash is in a bucket, where its slot would be like `slot`.
    #[inline(always)]
    fn is_there(&self, bucket: usize, slot: u32, hash: u64) -> bool {
        let mut hits = like(&self.buckets[bucket], slot);
        if hits == 0 {
            return false;
        }
        let bytes = self.shape.beside;
        let high = self.shape.high(self.shape.number_of(hash));
        while hits != 0 {
            let at = (bucket * SLOTS + hits.trailing_zeros() as usize) * bytes;
            if get(&self.beside[at..], bytes) == high {
                return true;
            }
            hits &= hits - 1;
        }
        false
    }

    /// Puts one in, where there is room for it.
    ///
    /// # Errors
    /// If `budget` has no bytes for one that is kept apart; it was not put in.
    #[inline(always)]
    pub fn put<const WIDE: bool>(
        &mut self,
        Vacancy(place): Vacancy,
        hash: u64,
        level: u32,
        budget: &Budget,
    ) -> Result<(), Full> {
        let level = level_in_slot(level);
        let Some(Place { bucket, distance }) = place else {
            return apart(self.far, hash, level as u8, budget);
        };
        let slots = &mut self.buckets[bucket];
        let i = filled(slots);
        let number = self.shape.number_of(hash);
        slots[i] = self.shape.slot(number) | distance | level;
        *self.used += 1;
        if WIDE {
            let bytes = self.shape.beside;
            let at = (bucket * SLOTS + i) * bytes;
            put(&mut self.beside[at..], bytes, self.shape.high(number));
        }
        Ok(())
    }
}

/// Keeps one apart.
#[cold]
fn apart(
    far: &mut HashMap<u64, u8, FixedState>,
    hash: u64,
    level: u8,
    budget: &Budget,
) -> Result<(), Full> {
    budget.room_in_map(far)?;
    far.insert(hash, level);
    Ok(())
}

impl Table {
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

    /// How roots are mixed.
    pub fn mix(&self) -> Mix {
        self.shape.mix
    }

    /// Buckets.
    pub fn buckets(&self) -> usize {
        self.shape.buckets
    }

    /// How many may be put in before it should grow.
    pub fn room(&self) -> usize {
        (self.shape.buckets * FULL).saturating_sub(self.used)
    }

    /// To look for roots and to put them in.
    pub fn open(&mut self) -> Open<'_> {
        Open {
            shape: self.shape,
            buckets: self.buckets.get_mut(),
            beside: self.beside.get_mut(),
            used: &mut self.used,
            far: &mut self.far,
        }
    }

    /// Whether it grows by less than the smaller ones.
    pub fn is_large(&self) -> bool {
        self.shape.buckets * size_of::<Bucket>() >= LARGE
    }

    /// Whether there is more of a hash than fits in a slot.
    pub fn is_wide(&self) -> bool {
        self.shape.beside > 0
    }

    /// Gives every hash in some of the buckets, and what its slot says of the level.
    fn each_in(&self, buckets: Range<usize>, mut each: impl FnMut(u64, u32)) {
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
                let beside = &beside[(bucket * SLOTS + i) * shape.beside..];
                let number = shape.number(last.1, shape.rest_of(*slot, beside));
                each(shape.hash(number), slot & LEVEL_MASK);
            }
        }
    }

    /// Gives every root in some of the buckets; of those that are kept apart, with the first bucket.
    pub fn roots(&self, buckets: Range<usize>, mut each: impl FnMut(u64)) {
        if buckets.start == 0 {
            self.far.keys().for_each(|hash| each(self.shape.mix.root(*hash)));
        }
        self.each_in(buckets, |hash, _| each(self.shape.mix.root(hash)));
    }

    /// Gives those that are in some of the buckets and were found on some levels, all less than [`LISTED`], with
    /// their levels; of those that are kept apart, with the first bucket.
    pub fn of_levels(
        &self,
        levels: Range<u32>,
        buckets: Range<usize>,
        mut each: impl FnMut(u32, u64),
    ) {
        let shape = &self.shape;
        let (from, to) = (level_in_slot(levels.start), level_in_slot(levels.end));
        let is_wanted = |slot: u32| (slot & LEVEL_MASK).wrapping_sub(from) < to - from;
        if buckets.start == 0 {
            let far = self.far.iter().filter(|(_, its)| is_wanted(u32::from(**its)));
            far.for_each(|(hash, its)| each(u32::from(*its) - 1, shape.mix.root(*hash)));
        }
        let all = self.buckets.get();
        for bucket in buckets {
            // Most buckets have none: that is soon seen.
            if !all[bucket].iter().fold(false, |any, slot| any | is_wanted(*slot)) {
                continue;
            }
            self.each_in(bucket..bucket + 1, |hash, its| {
                if is_wanted(its) {
                    each(its - 1, shape.mix.root(hash));
                }
            });
        }
    }

    /// Makes the table larger.
    ///
    /// # Errors
    /// If they are not there, or `budget` does not give them: the table is as it was.
    #[inline(never)]
    pub fn grow(&mut self, budget: &Budget) -> Result<(), Full> {
        let old = self.shape;
        let shape = Shape::new(old.mix, old.shard_of(), more_buckets(old.buckets));
        self.become_of(shape, budget, |number| number)
    }

    /// Makes of the roots others, of which no two are the same, and which are mixed by `mix`; and the table larger, if
    /// that is wanted.
    ///
    /// # Errors
    /// If they are not there, or `budget` does not give them: the table is as it was.
    #[inline(never)]
    pub fn change_roots(
        &mut self,
        mix: Mix,
        larger: bool,
        budget: &Budget,
        change: impl Fn(u64) -> u64,
    ) -> Result<(), Full> {
        let old = self.shape;
        let buckets = if larger { more_buckets(old.buckets) } else { old.buckets };
        let shape = Shape::new(mix, old.shard_of(), buckets);
        self.become_of(shape, budget, |number| {
            let root = old.mix.root(old.hash(number));
            shape.number_of(mix.hash(change(root)))
        })
    }

    /// Becomes a table of another shape. `to`: of a number there is what number it is then.
    fn become_of(
        &mut self,
        shape: Shape,
        budget: &Budget,
        to: impl Fn(u64) -> u64,
    ) -> Result<(), Full> {
        // And a byte for each bucket while they are filled.
        let bytes = shape.bytes() + shape.buckets;
        budget.take(bytes)?;
        let new = self.moved(shape, budget, to);
        budget.give(shape.buckets);
        match new {
            Ok(new) => {
                budget.give(self.bytes());
                *self = new;
                Ok(())
            }
            Err(full) => {
                budget.give(shape.bytes());
                Err(full)
            }
        }
    }

    /// A table of that shape with all that is in this one; of the bytes, what is kept apart takes its own.
    fn moved(&self, shape: Shape, budget: &Budget, to: impl Fn(u64) -> u64) -> Result<Self, Full> {
        let mut used = Slots::new(shape.buckets, 0_u8).map_err(|NoRoom| Full::Bytes)?;
        let mut new = Self::empty(shape).map_err(|NoRoom| Full::Bytes)?;
        let used = used.get_mut();
        let wide = self.is_wide() || new.is_wide();
        let mut moved = if wide {
            self.move_to::<true>(&mut new, used, budget, &to)
        } else {
            self.move_to::<false>(&mut new, used, budget, &to)
        };
        let mut open = new.open();
        for (hash, level) in &self.far {
            let hash = shape.hash(to(self.shape.number_of(*hash)));
            let vacancy = open.vacancy::<true>(hash).expect("each root once");
            let level = u32::from(*level) - 1;
            moved = moved.and(open.put::<true>(vacancy, hash, level, budget));
        }
        match moved {
            Ok(()) => Ok(new),
            Err(full) => {
                budget.give(new.bytes() - shape.bytes());
                Err(full)
            }
        }
    }

    /// Puts all that is in the buckets into another table, of which `used` says how many slots of each bucket are
    /// used.
    #[inline(never)]
    fn move_to<const WIDE: bool>(
        &self,
        new: &mut Self,
        used: &mut [u8],
        budget: &Budget,
        to: impl Fn(u64) -> u64,
    ) -> Result<(), Full> {
        let (old, shape) = (self.shape, new.shape);
        let (from, beside) = (self.buckets.get(), self.beside.get());
        // Where the hashes of the last buckets begin, by the lowest bits of their numbers, also of those round the end.
        let mut begin = [0; NEAR + 1];
        for back in 1..=old.buckets.min(NEAR) {
            begin[(NEAR + 1 - back) % begin.len()] = old.first(old.buckets - back);
        }
        let mut firsts = old.firsts();
        let Open { buckets, beside: to_beside, used: in_buckets, far, .. } = new.open();
        // Said once, so that it is checked once.
        let buckets = &mut buckets[..used.len()];
        let mut moved = Ok(());
        for (bucket, slots) in from.iter().enumerate() {
            begin[bucket % begin.len()] = firsts.next().expect("one for each bucket");
            for (i, slot) in slots.iter().enumerate() {
                if *slot == 0 {
                    break;
                }
                // What else is in there is a multiple of 16.
                let distance = (slot >> LEVEL_BITS) as usize;
                let first = begin[(bucket + 1).wrapping_sub(distance) % begin.len()];
                let beside = if WIDE { &beside[(bucket * SLOTS + i) * old.beside..] } else { &[] };
                let number = to(old.number(first, old.rest_of(*slot, beside)));
                let (mut place, mut distance) = (shape.home_of(number), STEP);
                if usize::from(used[place]) == SLOTS {
                    let Some(free) = shape.free_after(place, used) else {
                        let level = (slot & LEVEL_MASK) as u8;
                        moved = moved.and(apart(far, shape.hash(number), level, budget));
                        continue;
                    };
                    (place, distance) = free;
                }
                let i = usize::from(used[place]) % SLOTS;
                used[place] += 1;
                buckets[place][i] = shape.slot(number) | distance | slot & LEVEL_MASK;
                if WIDE {
                    let at = (place * SLOTS + i) * shape.beside;
                    put(&mut to_beside[at..], shape.beside, shape.high(number));
                }
            }
        }
        *in_buckets = used.iter().map(|used| usize::from(*used)).sum();
        moved
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
    pub fn bytes(&self) -> usize {
        self.shape.bytes() + table(self.far.capacity(), size_of::<(u64, u8)>())
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
    let bytes = buckets * size_of::<Bucket>();
    if bytes < SMALL {
        buckets * 4
    } else if bytes < LARGE {
        buckets * 2
    } else {
        buckets / 4 * 5
    }
}

#[cfg(test)]
pub mod tests;
