//! An index of entries by hash: those of one shared state are a table of their own, next to each other. A state
//! looks for its shared state once, and then for each process in one place, which has all that is asked for.

use super::entry::{Entry, NONE, mix};
use crate::collections::prefetch::prefetch;
use crate::system::{Kind, Local, Shared};

/// Places for shared states at first, a power of two.
const PLACES: usize = 1 << 6;

/// Places for the entries of a shared state at first, as the exponent of 2.
const BITS: u32 = 3;

/// How full a row may be: where it is fuller, more processes are not found where they are looked for first.
const FULL: (u32, u32) = (1, 2);

/// Where the entries of one shared state are: open addressing among 2 to the power of `bits`, from `first` on, of
/// which some are always free.
#[derive(Clone, Copy)]
pub struct Row {
    first: u32,
    /// 0: there are none.
    bits: u32,
}

/// The row of a shared state.
#[derive(Clone, Copy)]
struct Place {
    shared: Shared,
    row: Row,
    used: u32,
    number: u32,
}

const _: () = assert!(size_of::<Place>() == 32);

impl Row {
    /// Of a shared state with no entries.
    pub const NONE: Self = Self { first: 0, bits: 0 };

    fn is_there(self) -> bool {
        self.bits != 0
    }

    /// Where the search for such a process's entry begins.
    #[inline]
    fn likely(self, kind: Kind, local: Local) -> u32 {
        // Fibonacci hashing: every bit goes into all bits of the product from its own place up.
        let word = local ^ u64::from(kind.0) << 56;
        let hash = word.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.first + hash.unbounded_shr(u64::BITS - self.bits) as u32
    }

    /// Asks memory for where such a process's entry most often is, and says where.
    #[inline]
    pub fn ask_for(self, entries: &[Entry], kind: Kind, local: Local) -> u32 {
        let likely = self.likely(kind, local);
        prefetch(entries, likely as usize);
        likely
    }

    /// The number of such a process's entry, or of the place where it belongs, if there is a row.
    #[inline]
    pub fn find(self, entries: &[Entry], kind: Kind, local: Local) -> Result<u32, u32> {
        self.find_from(self.likely(kind, local), entries, kind, local)
    }

    /// The same, if it is known where that most often is.
    #[inline]
    pub fn find_from(
        self,
        likely: u32,
        entries: &[Entry],
        kind: Kind,
        local: Local,
    ) -> Result<u32, u32> {
        if !self.is_there() {
            return Err(NONE);
        }
        let mask = (1 << self.bits) - 1;
        let mut number = likely;
        loop {
            let entry = &entries[number as usize];
            if entry.is_of(kind, local) {
                return Ok(number);
            }
            if !entry.is_known() {
                return Err(number);
            }
            number = self.first + ((number - self.first + 1) & mask);
        }
    }
}

impl Place {
    const FREE: Self = Self { shared: 0, row: Row::NONE, used: 0, number: 0 };
}

/// The rows of all shared states.
pub struct Rows {
    /// Open addressing.
    places: Vec<Place>,
    /// By number of the row.
    shared: Vec<Shared>,
    /// By number of the entry: the number of the row.
    row_of: Vec<u32>,
}

impl Rows {
    pub fn new() -> Self {
        Self { places: vec![Place::FREE; PLACES], shared: Vec::new(), row_of: Vec::new() }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
            + self.shared.capacity() * size_of::<Shared>()
            + self.row_of.capacity() * size_of::<u32>()
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.places.fill(Place::FREE);
        self.shared.clear();
        self.row_of.clear();
    }

    /// The shared state of an entry.
    pub fn shared(&self, entry: u32) -> Shared {
        self.shared[self.row_of[entry as usize] as usize]
    }

    /// A hash of a shared state, of which the low bits can be used.
    #[inline]
    pub fn hash(&self, shared: Shared) -> u32 {
        mix(shared as u64 ^ mix((shared >> 64) as u64)) as u32
    }

    /// Asks memory for the place where the search for a row with that hash begins.
    #[inline]
    pub fn ask_for(&self, hash: u32) {
        prefetch(&self.places, hash as usize & (self.places.len() - 1));
    }

    /// The row of a shared state with that hash.
    #[inline]
    pub fn row(&self, hash: u32, shared: Shared) -> Row {
        self.places[self.place(hash, shared)].row
    }

    /// The place of a shared state with that hash, or where it belongs.
    #[inline]
    fn place(&self, hash: u32, shared: Shared) -> usize {
        let mask = self.places.len() - 1;
        let mut at = hash as usize & mask;
        while self.places[at].row.is_there() && self.places[at].shared != shared {
            at = (at + 1) & mask;
        }
        at
    }

    /// Adds an entry, whose pair has none. Its number, and how many of its shared state there were. Where they get
    /// too many, they move: their old numbers still have what was known of them, but are found no more.
    pub fn add(&mut self, entries: &mut Vec<Entry>, shared: Shared, entry: Entry) -> (u32, u32) {
        let at = self.place_for(shared);
        let Self { places, row_of, .. } = self;
        let Place { row, used, number, .. } = &mut places[at];
        if !row.is_there() || (*used + 1) * FULL.1 > FULL.0 << row.bits {
            let old = *row;
            row.bits = if old.is_there() { old.bits + 1 } else { BITS };
            row.first = entries.len() as u32;
            entries.resize(entries.len() + (1 << row.bits), Entry::NEW);
            row_of.resize(entries.len(), *number);
            let old = if old.is_there() { old.first..old.first + (1 << old.bits) } else { 0..0 };
            for number in old {
                let mut moved = entries[number as usize];
                if moved.is_known() {
                    // What was counted of the old one is still to be told.
                    moved.visits = 0;
                    put(*row, entries, moved);
                }
            }
        }
        *used += 1;
        (put(*row, entries, entry), *used - 1)
    }

    /// The place of a shared state, which gets one if it had none.
    fn place_for(&mut self, shared: Shared) -> usize {
        let hash = self.hash(shared);
        let mut at = self.place(hash, shared);
        if self.places[at].row.is_there() {
            return at;
        }
        if 2 * (self.shared.len() + 1) > self.places.len() {
            let places = vec![Place::FREE; 2 * self.places.len()];
            for place in std::mem::replace(&mut self.places, places) {
                if place.row.is_there() {
                    let at = self.place(self.hash(place.shared), place.shared);
                    self.places[at] = place;
                }
            }
            at = self.place(hash, shared);
        }
        self.places[at] = Place { shared, number: self.shared.len() as u32, ..Place::FREE };
        self.shared.push(shared);
        at
    }
}

/// Puts an entry where it belongs in a row that does not have it.
fn put(row: Row, entries: &mut [Entry], entry: Entry) -> u32 {
    let number = row.find(entries, entry.kind(), entry.local());
    let number = number.expect_err("a pair has one entry");
    entries[number as usize] = entry;
    number
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Beside a plain map: who was added is found, with what was added last of all that is counted, and nobody else is;
    /// shared states, kinds and local states that differ in a few bits only, wherever these are, are told apart.
    #[test]
    fn a_map_finds_the_same() {
        let mut rng = fastrand::Rng::with_seed(1);
        let word = |rng: &mut fastrand::Rng| match rng.u8(0..4) {
            0 => rng.u64(0..8),
            1 => rng.u64(0..8) << 61,
            2 => 1 << rng.u32(0..64),
            _ => rng.u64(..),
        };
        for round in 0..200 {
            let (mut rows, mut entries) = (Rows::new(), Vec::new());
            let mut map = HashMap::new();
            let mut of_shared: HashMap<Shared, u32> = HashMap::new();
            let mut visits = 0_u64;
            let shares: Vec<_> = (0..rng.usize(1..40))
                .map(|_| Shared::from(word(&mut rng)) | Shared::from(word(&mut rng)) << 64)
                .collect();
            for number in 0..2_000 {
                let shared = shares[rng.usize(..shares.len())];
                let kind = Kind(if rng.bool() { rng.u8(0..3) } else { rng.u8(..) });
                let local = word(&mut rng);
                let row = rows.row(rows.hash(shared), shared);
                let found = row.find(&entries, kind, local).ok();
                let expected = map.get(&(shared, kind, local));
                let first = found.map(|at: u32| entries[at as usize].first);
                assert_eq!(
                    first,
                    expected.copied(),
                    "round {round}: {shared:x} {kind:?} {local:x}"
                );
                if let Some(at) = found {
                    let entry: &mut Entry = &mut entries[at as usize];
                    entry.visits += 1;
                    visits += 1;
                    assert_eq!(rows.shared(at), shared);
                    continue;
                }
                let mut entry = Entry::known_of(kind, local);
                entry.first = number;
                let (at, before) = rows.add(&mut entries, shared, entry);
                let known = of_shared.entry(shared).or_default();
                assert_eq!((rows.shared(at), before), (shared, *known));
                *known += 1;
                map.insert((shared, kind, local), number);
            }
            let counted: u64 = entries.iter().map(|entry| u64::from(entry.visits)).sum();
            assert_eq!(counted, visits, "each visit is told of once");
            rows.clear();
            assert!(!rows.row(rows.hash(shares[0]), shares[0]).is_there());
        }
    }
}
