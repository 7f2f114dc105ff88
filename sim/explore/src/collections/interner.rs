//! Values with numbers.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::FixedState;

use crate::ask::table;

/// The values with their numbers, in the order in which they were met.
#[derive(Clone)]
pub(crate) struct Interner<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32, FixedState>,
}

impl<T: Copy + Eq + Hash> Interner<T> {
    pub fn new() -> Self {
        Self { values: Vec::new(), numbers: HashMap::with_hasher(FixedState::with_seed(0)) }
    }

    /// The number, and whether it is a new one.
    pub fn number(&mut self, value: T) -> (u32, bool) {
        let next = self.values.len() as u32;
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        (number, number == next)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>()
            + table(self.numbers.capacity(), size_of::<(T, u32)>())
    }

    pub fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }
}

impl<T> std::ops::Deref for Interner<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values
    }
}
