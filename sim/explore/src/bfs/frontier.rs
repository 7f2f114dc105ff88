//! States in the order found, of which the first are forgotten once nobody needs them.

use std::collections::VecDeque;

use super::packed::Packed;
use crate::ask::{Budget, Full};

/// States of a piece of the list.
const PIECE: usize = 1 << 10;

/// Bytes of a piece.
const fn bytes<const W: usize>() -> usize {
    PIECE * size_of::<Packed<W>>()
}

/// The list.
pub(super) struct Frontier<const W: usize> {
    /// All full.
    pieces: VecDeque<Vec<Packed<W>>>,
    /// The piece after these, with room for one more or full.
    last: Vec<Packed<W>>,
    /// Pieces that were forgotten.
    forgotten: usize,
    /// States that were ever put in.
    len: usize,
}

impl<const W: usize> Frontier<W> {
    /// An empty list.
    pub fn new() -> Self {
        Self { pieces: VecDeque::new(), last: Vec::new(), forgotten: 0, len: 0 }
    }

    /// States that were ever put in.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The states from the `from`th on, none of them forgotten, in pieces.
    pub fn pieces(&self, from: usize, to: usize) -> impl Iterator<Item = &[Packed<W>]> {
        let mut from = from;
        std::iter::from_fn(move || {
            if from >= to {
                return None;
            }
            let first = from % PIECE;
            let piece = (from / PIECE).checked_sub(self.forgotten).expect("it is still needed");
            let piece = self.pieces.get(piece).unwrap_or(&self.last);
            let last = (first + (to - from)).min(PIECE);
            from += last - first;
            Some(&piece[first..last])
        })
    }

    /// Makes room for one more, unless there is some.
    ///
    /// # Errors
    /// If there is no room.
    #[inline]
    pub fn reserve(&mut self, budget: &Budget) -> Result<(), Full> {
        if self.last.len() < self.last.capacity().min(PIECE) {
            return Ok(());
        }
        self.add_piece(budget)
    }

    #[cold]
    fn add_piece(&mut self, budget: &Budget) -> Result<(), Full> {
        budget.take(bytes::<W>())?;
        let mut piece = Vec::new();
        if self.pieces.try_reserve(1).is_err() || piece.try_reserve_exact(PIECE).is_err() {
            budget.give(bytes::<W>());
            return Err(Full::Bytes);
        }
        let full = std::mem::replace(&mut self.last, piece);
        if self.len > 0 {
            self.pieces.push_back(full);
        }
        Ok(())
    }

    /// Puts one in, for which there is room.
    #[inline]
    pub fn push(&mut self, state: Packed<W>) {
        self.last.push(state);
        self.len += 1;
    }

    /// Forgets what comes before the `to`th, but for a part of a piece.
    pub fn forget(&mut self, to: usize, budget: &Budget) {
        while self.forgotten < to.min(self.len) / PIECE && self.pieces.pop_front().is_some() {
            self.forgotten += 1;
            budget.give(bytes::<W>());
        }
    }
}
