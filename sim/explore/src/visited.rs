//! The visited set: states in the order found, an open-addressing table of their indices, and a
//! parent index each. Exact: states are compared, not fingerprints.

use std::hash::BuildHasher;

use crate::packed::Packed;

/// Stands for 'no entry' in the table and for 'no parent'.
pub(crate) const NONE: u32 = u32::MAX;

pub(crate) struct Visited<const W: usize> {
    states: Vec<Packed<W>>,
    parents: Vec<u32>,
    /// Index of the state in each slot; power-of-two length, at most 3/4 full.
    slots: Vec<u32>,
    /// Most states to hold.
    most: usize,
    hasher: foldhash::fast::FixedState,
}

/// What became of a state that was offered.
pub(crate) enum Inserted {
    /// It was not there: now it is, with the highest index.
    New,
    /// It was there already.
    Old(u32),
    /// There is no room left for it.
    Full,
}

impl<const W: usize> Visited<W> {
    /// An empty set for at most so many states, and no more than there are indices.
    pub fn new(most: u64) -> Self {
        Self {
            states: Vec::new(),
            parents: Vec::new(),
            slots: vec![NONE; 1 << 10],
            most: most.min(u64::from(NONE - 1)) as usize,
            hasher: foldhash::fast::FixedState::with_seed(0),
        }
    }

    pub fn len(&self) -> usize {
        self.states.len()
    }

    pub fn state(&self, index: u32) -> &Packed<W> {
        &self.states[index as usize]
    }

    pub fn parent(&self, index: u32) -> u32 {
        self.parents[index as usize]
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        (self.states.capacity() * size_of::<Packed<W>>()
            + self.parents.capacity() * size_of::<u32>()
            + self.slots.capacity() * size_of::<u32>()) as u64
    }

    /// Adds `state`, reached from the state at index `parent`.
    pub fn insert(&mut self, state: Packed<W>, parent: u32) -> Inserted {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash(&state) & mask;
        loop {
            match self.slots[slot] {
                NONE => break,
                index if self.states[index as usize] == state => return Inserted::Old(index),
                _ => slot = (slot + 1) & mask,
            }
        }
        if self.states.len() >= self.most {
            return Inserted::Full;
        }
        let index = self.states.len() as u32;
        self.slots[slot] = index;
        self.states.push(state);
        self.parents.push(parent);
        if self.states.len() > self.slots.len() / 4 * 3 {
            self.grow();
        }
        Inserted::New
    }

    /// Where `state` is, if it is there.
    pub fn find(&self, state: &Packed<W>) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash(state) & mask;
        loop {
            match self.slots[slot] {
                NONE => return None,
                index if self.states[index as usize] == *state => return Some(index),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// Makes `parent` the parent of `index` if it is the lesser state: so traces do not depend on
    /// the order in which a level was expanded.
    pub fn offer_parent(&mut self, index: u32, parent: u32) {
        let old = self.parents[index as usize];
        if self.states[parent as usize] < self.states[old as usize] {
            self.parents[index as usize] = parent;
        }
    }

    fn hash(&self, state: &Packed<W>) -> usize {
        self.hasher.hash_one(state.0) as usize
    }

    fn grow(&mut self) {
        let len = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(len, NONE);
        let mask = len - 1;
        for (index, state) in self.states.iter().enumerate() {
            let mut slot = self.hash(state) & mask;
            while self.slots[slot] != NONE {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = index as u32;
        }
    }
}
