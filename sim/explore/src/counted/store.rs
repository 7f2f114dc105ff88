//! The visited set of the counted form: byte strings of any length in an arena, in the order found,
//! and an open-addressing table of them. Exact: the bytes are compared, the tag in a slot only saves
//! most comparisons.

use crate::ask::{Budget, Full};
use crate::collections::prefetch::prefetch;

/// Stands for 'no record'.
pub(crate) const NONE: u32 = u32::MAX;

/// Bytes of one chunk of the arena. Records do not cross chunks, and chunks never move.
const CHUNK: usize = 1 << 18;

/// Records begin at multiples of this, so that 32 bits can name 16 GiB.
const ALIGN: usize = 4;

/// What became of a record that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It was not there: now it is.
    New(u32),
    /// It was there already.
    Old(u32),
    /// There is no room left for it.
    Full(Full),
}

/// A place between records, for walking through them in the order in which they were found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    chunk: usize,
    at: usize,
}

/// Records: a parent, a body, and flags that are not compared. No body is a proper beginning of
/// another one; whoever reads a record finds its end by decoding it.
pub(crate) struct Store {
    chunks: Vec<Box<[u8]>>,
    /// By chunk: bytes in use.
    used: Vec<usize>,
    /// By slot: tag and record.
    slots: Vec<u64>,
    /// The length of `slots` is 2 to this power.
    slot_bits: u32,
    len: u64,
    /// Most records to hold.
    most: u64,
    /// What is held, and whatever else belongs to the search.
    pub budget: Budget,
}

const EMPTY: u64 = u64::MAX;

impl Store {
    /// An empty store for at most so many records. The first of them has its room, whatever the budget.
    pub fn new(most: u64, budget: Budget) -> Self {
        let slots = vec![EMPTY; 1 << 8];
        budget.note(CHUNK + slots.len() * size_of::<u64>());
        Self {
            chunks: vec![vec![0; CHUNK].into_boxed_slice()],
            used: vec![0],
            slots,
            slot_bits: 8,
            len: 0,
            most,
            budget,
        }
    }

    /// How many records there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    fn room(&self) -> u64 {
        // Tags tell nearly all strangers apart, so a full table costs little.
        self.slots.len() as u64 / 8 * 7
    }

    fn home(&self, tag: u32) -> usize {
        (tag >> (32 - self.slot_bits)) as usize
    }

    /// Asks memory for where `find` or `insert` will look first.
    #[inline]
    pub fn ask_for(&self, tag: u32) {
        prefetch(&self.slots, self.home(tag));
    }

    /// Loads what `find` or `insert` will need, so that a batch of these waits for memory once.
    /// Returns something that depends on it.
    #[inline]
    pub fn touch(&self, tag: u32) -> u32 {
        let slot = self.slots[self.home(tag)];
        if (slot >> 32) as u32 == tag && slot != EMPTY {
            let (chunk, at) = place(slot as u32);
            u32::from(self.chunks[chunk][at])
        } else {
            slot as u32
        }
    }

    /// The record with that body, if there is one. `tag`: hash of the body.
    pub fn find(&self, body: &[u8], tag: u32) -> Option<u32> {
        self.search(body, tag).ok()
    }

    /// The record, or the empty slot for it.
    #[inline]
    fn search(&self, body: &[u8], tag: u32) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = self.home(tag);
        loop {
            let found = self.slots[slot];
            if found == EMPTY {
                return Err(slot);
            }
            if (found >> 32) as u32 == tag && self.tail(found as u32).starts_with(body) {
                return Ok(found as u32);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Adds a record. `flags`: how many bytes of flags, all zero at first.
    pub fn insert(&mut self, body: &[u8], tag: u32, flags: usize, parent: u32) -> Inserted {
        let mut slot = match self.search(body, tag) {
            Ok(old) => return Inserted::Old(old),
            Err(slot) => slot,
        };
        if self.len >= self.most {
            return Inserted::Full(Full::States);
        }
        if self.len >= self.room() && self.slot_bits < 32 {
            if let Err(full) = self.grow() {
                return Inserted::Full(full);
            }
            slot = self.search(body, tag).expect_err("it was not there");
        }
        let size = (4 + body.len() + flags).next_multiple_of(ALIGN);
        assert!(size <= CHUNK, "a record of {size} bytes");
        if self.used.last().is_none_or(|used| used + size > CHUNK) {
            if (self.chunks.len() + 1) * CHUNK / ALIGN > NONE as usize {
                return Inserted::Full(Full::Bytes);
            }
            if let Err(full) = self.budget.take(CHUNK) {
                return Inserted::Full(full);
            }
            self.chunks.push(vec![0; CHUNK].into_boxed_slice());
            self.used.push(0);
        }
        let last = self.chunks.len() - 1;
        let at = self.used[last];
        let record = ((last * CHUNK + at) / ALIGN) as u32;
        let chunk = &mut self.chunks[last];
        chunk[at..at + 4].copy_from_slice(&parent.to_le_bytes());
        chunk[at + 4..at + 4 + body.len()].copy_from_slice(body);
        self.used[last] = at + size;
        self.slots[slot] = u64::from(tag) << 32 | u64::from(record);
        self.len += 1;
        Inserted::New(record)
    }

    /// The body of a record, and what comes after it in the chunk.
    #[inline]
    pub fn tail(&self, record: u32) -> &[u8] {
        let (chunk, at) = place(record);
        &self.chunks[chunk][at + 4..]
    }

    /// The record that this one was reached from.
    pub fn parent(&self, record: u32) -> u32 {
        let (chunk, at) = place(record);
        let bytes = self.chunks[chunk][at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes)
    }

    /// The flags of a record whose body has `body` bytes.
    pub fn flags(&self, record: u32, body: usize, flags: usize) -> &[u8] {
        &self.tail(record)[body..body + flags]
    }

    /// The same, to be changed.
    pub fn flags_mut(&mut self, record: u32, body: usize, flags: usize) -> &mut [u8] {
        let (chunk, at) = place(record);
        &mut self.chunks[chunk][at + 4 + body..][..flags]
    }

    /// The record at a cursor; there must be one.
    pub fn at(&self, cursor: &mut Cursor) -> u32 {
        if cursor.at >= self.used[cursor.chunk] {
            *cursor = Cursor { chunk: cursor.chunk + 1, at: 0 };
        }
        ((cursor.chunk * CHUNK + cursor.at) / ALIGN) as u32
    }

    /// Moves a cursor past the record that it is at.
    pub fn pass(&self, cursor: &mut Cursor, body: usize, flags: usize) {
        cursor.at += (4 + body + flags).next_multiple_of(ALIGN);
    }

    /// The tags are the hashes' high bits, and so are the slots' numbers: no record is looked at.
    fn grow(&mut self) -> Result<(), Full> {
        // For a moment both tables are there.
        let bytes = self.slots.len() * size_of::<u64>();
        self.budget.take(2 * bytes)?;
        let old = std::mem::take(&mut self.slots);
        self.slot_bits += 1;
        self.slots = vec![EMPTY; old.len() * 2];
        let mask = self.slots.len() - 1;
        for entry in old.iter().copied().filter(|entry| *entry != EMPTY) {
            let mut slot = self.home((entry >> 32) as u32);
            while self.slots[slot] != EMPTY {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = entry;
        }
        drop(old);
        self.budget.give(bytes);
        Ok(())
    }
}

fn place(record: u32) -> (usize, usize) {
    let at = record as usize * ALIGN;
    (at / CHUNK, at % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against an ordered map, with tags that collide often.
    #[test]
    fn keeps_what_was_put_in() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut store, mut known) = (Store::new(u64::MAX, Budget::new(None)), BTreeMap::new());
        for _ in 0..60_000 {
            // Self-delimiting: the first byte is the length.
            let len = rng.u8(1..9);
            let body: Vec<u8> =
                std::iter::once(len).chain((1..len).map(|_| rng.u8(0..6))).collect();
            let tag = body.iter().fold(0_u32, |t, b| t.wrapping_mul(31) + u32::from(*b)) << 18;
            let parent = rng.u32(..);
            assert_eq!(store.find(&body, tag), known.get(&body).map(|(record, _)| *record));
            store.touch(tag);
            match store.insert(&body, tag, usize::from(len), parent) {
                Inserted::New(record) => {
                    assert!(known.insert(body.clone(), (record, parent)).is_none(), "was there");
                    store.flags_mut(record, body.len(), body.len()).copy_from_slice(&body);
                }
                Inserted::Old(record) => assert_eq!(known[&body].0, record),
                Inserted::Full(_) => panic!("there is room"),
            }
        }
        assert!(known.len() > 20_000);
        assert_eq!(store.len(), known.len() as u64);
        let mut walked = BTreeMap::new();
        let mut cursor = Cursor::default();
        for _ in 0..store.len() {
            let record = store.at(&mut cursor);
            let len = usize::from(store.tail(record)[0]);
            let body = store.tail(record)[..len].to_vec();
            assert_eq!(store.flags(record, len, len), body);
            walked.insert(body, (record, store.parent(record)));
            store.pass(&mut cursor, len, len);
        }
        assert_eq!(walked, known);
    }

    /// Memory is taken before it is used: at the limit what there is can still be found.
    #[test]
    fn is_full_where_the_budget_ends() {
        let most = 2 * CHUNK as u64;
        let mut store = Store::new(u64::MAX, Budget::new(Some(most)));
        let body = |i: u32| i.to_be_bytes();
        let tag = |i: u32| i.wrapping_mul(0x9e37_79b9);
        let full = (0..).find(|i| match store.insert(&body(*i), tag(*i), 0, NONE) {
            Inserted::New(_) => false,
            other => {
                assert_eq!(other, Inserted::Full(Full::Bytes));
                true
            }
        });
        let full = full.expect("there is an end");
        assert!(u64::from(full) == store.len() && full > 1_000, "{full}");
        assert!(store.budget.peak() <= most && store.budget.held() > most / 2);
        assert!((0..full).all(|i| store.find(&body(i), tag(i)).is_some()));
        assert_eq!(store.find(&body(full), tag(full)), None);
    }

    #[test]
    fn is_full_at_its_limit() {
        let mut store = Store::new(2, Budget::new(None));
        assert!(matches!(store.insert(&[1], 1, 0, NONE), Inserted::New(0)));
        assert!(matches!(store.insert(&[2], 2, 0, 0), Inserted::New(_)));
        assert_eq!(store.insert(&[3], 3, 0, 0), Inserted::Full(Full::States));
        assert_eq!(store.insert(&[1], 1, 0, 0), Inserted::Old(0));
    }
}
