//! Which two anonymous processes can stand together beside a control state.
//!
//! - Paper: P. A. Abdulla, F. Haziza, L. Holík, 'Parameterized verification through view
//!   abstraction', 2016 ('All for the price of few', VMCAI 2013): here with views of one control
//!   state and at most two letters.
//! - Decides: an inductive over-approximation of what can be reached with any number of processes.
//!   A configuration one of whose views is not in it cannot be reached; a bad configuration all of
//!   whose views are in it may or may not.
//! - Needs: the table of the family.
//! - Costs: a bit for each control state and pair of letters.
//!
//! A step of a process is taken beside any letters that can stand with it pairwise.

use std::collections::VecDeque;

use super::question::{Bounds, Undecided};
use super::table::{BLOCKS, Letter, NONE, Rule, Table};
use crate::collections::bits::{GrowingSet, join, members};

/// Pairs of letters, by control state.
pub(crate) struct Views {
    letters: usize,
    /// Words of a set of letters.
    words: usize,
    reached: Vec<bool>,
    /// By control state: the letters that can stand beside it.
    alone: Vec<u64>,
    /// By control state and letter: the letters that can stand beside both.
    pairs: Vec<u64>,
}

fn has(set: &[u64], letter: Letter) -> bool {
    set[usize::from(letter / 64)] >> (letter % 64) & 1 != 0
}

fn add(set: &mut [u64], letter: Letter) -> bool {
    let word = &mut set[usize::from(letter / 64)];
    let old = *word;
    *word |= 1 << (letter % 64);
    *word != old
}

impl Views {
    /// The views of everything that the table's family can reach, or more.
    pub fn new(table: &Table, bounds: &Bounds<'_>) -> Result<Self, Undecided> {
        let (controls, letters) = (table.controls.len(), table.letters.len());
        let words = letters.div_ceil(64);
        bounds.take(controls * (1 + (letters + 1) * words * size_of::<u64>()))?;
        let mut views = Self {
            letters,
            words,
            reached: vec![false; controls],
            alone: vec![0; controls * words],
            pairs: vec![0; controls * letters * words],
        };
        for control in 0..table.initials as u32 {
            views.reached[control as usize] = true;
            for one in table.initial.iter() {
                views.put_alone(control, one);
                for other in table.initial.iter() {
                    views.put_pair(control, one, other);
                }
            }
        }
        views.close(table, bounds)?;
        Ok(views)
    }

    /// Whether the control state can be reached.
    pub fn reached(&self, control: u32) -> bool {
        self.reached[control as usize]
    }

    /// Whether the letter can stand beside the control state.
    pub fn alone(&self, control: u32, letter: Letter) -> bool {
        has(self.alone_with(control), letter)
    }

    /// The letters that can stand beside the control state, together with that one if there is one.
    pub fn beside(&self, control: u32, with: Option<Letter>) -> GrowingSet {
        let mut beside = self.alone_with(control).to_vec();
        if let Some(letter) = with {
            beside
                .iter_mut()
                .zip(self.with(control, letter))
                .for_each(|(word, with)| *word &= with);
        }
        GrowingSet::of(beside)
    }

    /// Whether the two can stand together beside the control state.
    pub fn together(&self, control: u32, one: Letter, other: Letter) -> bool {
        has(self.with(control, one), other)
    }

    /// How many views there are.
    pub fn count(&self) -> u64 {
        let ones = |words: &[u64]| words.iter().map(|w| u64::from(w.count_ones())).sum::<u64>();
        let doubles = (0..self.reached.len() as u32)
            .flat_map(|c| (0..self.letters as Letter).map(move |l| (c, l)))
            .filter(|(c, l)| self.together(*c, *l, *l))
            .count() as u64;
        let reached = self.reached.iter().filter(|r| **r).count() as u64;
        reached + ones(&self.alone) + (ones(&self.pairs) + doubles) / 2
    }

    fn alone_with(&self, control: u32) -> &[u64] {
        let at = control as usize * self.words;
        &self.alone[at..at + self.words]
    }

    fn row(&self, control: u32, letter: Letter) -> std::ops::Range<usize> {
        let at = (control as usize * self.letters + usize::from(letter)) * self.words;
        at..at + self.words
    }

    fn with(&self, control: u32, letter: Letter) -> &[u64] {
        &self.pairs[self.row(control, letter)]
    }

    fn put_alone(&mut self, control: u32, letter: Letter) -> bool {
        let at = control as usize * self.words;
        add(&mut self.alone[at..at + self.words], letter)
    }

    fn put_pair(&mut self, control: u32, one: Letter, other: Letter) -> bool {
        let (row, column) = (self.row(control, one), self.row(control, other));
        add(&mut self.pairs[row], other) | add(&mut self.pairs[column], one)
    }

    /// Puts every pair of `letter` and one of `others`.
    fn put_pairs(&mut self, control: u32, letter: Letter, others: &[u64]) -> bool {
        let row = self.row(control, letter);
        let mut grew = join(&mut self.pairs[row], others);
        for other in members(others) {
            let row = self.row(control, other);
            grew |= add(&mut self.pairs[row], letter);
        }
        grew
    }

    fn close(&mut self, table: &Table, bounds: &Bounds<'_>) -> Result<(), Undecided> {
        let mut queue: VecDeque<u32> = (0..table.initials as u32).collect();
        let mut queued = vec![false; table.controls.len()];
        queued[..table.initials].fill(true);
        let mut looks = 0_u32;
        while let Some(control) = queue.pop_front() {
            queued[control as usize] = false;
            looks += 1;
            if looks.is_multiple_of(256) {
                bounds.check(0)?;
            }
            self.inner(table, control);
            for rule in &table.rules[control as usize] {
                let grew = self.apply(table, control, rule);
                if grew && !std::mem::replace(&mut queued[rule.to as usize], true) {
                    queue.push_back(rule.to);
                }
            }
        }
        Ok(())
    }

    /// Steps that change nothing but the process, as long as they lead to something new.
    fn inner(&mut self, table: &Table, control: u32) {
        let shared = table.controls[control as usize].shared as usize;
        let mut others = vec![0; self.words];
        loop {
            let mut grew = false;
            for inner in &table.inner[shared] {
                if inner.puts != NONE && self.alone(control, inner.takes) {
                    grew |= self.put_alone(control, inner.puts);
                    others.copy_from_slice(self.with(control, inner.takes));
                    grew |= self.put_pairs(control, inner.puts, &others);
                }
            }
            if !grew {
                return;
            }
        }
    }

    /// Whether the rule led to a view that was not there.
    fn apply(&mut self, table: &Table, control: u32, rule: &Rule) -> bool {
        let others = match rule.takes {
            [NONE, NONE] => self.alone_with(control).to_vec(),
            [one, NONE] | [NONE, one] if self.alone(control, one) => {
                self.with(control, one).to_vec()
            }
            [one, other] if one != NONE && other != NONE && self.together(control, one, other) => {
                let both = self.with(control, one).iter().zip(self.with(control, other));
                both.map(|(a, b)| a & b).collect()
            }
            _ => return false,
        };
        let to = rule.to;
        let mut grew = !std::mem::replace(&mut self.reached[to as usize], true);
        let image = &table.transfers[rule.transfer as usize];
        let mut moved = vec![0; self.words];
        for letter in members(&others) {
            let to = image[usize::from(letter)];
            if to < BLOCKS {
                add(&mut moved, to);
            }
        }
        let at = to as usize * self.words;
        grew |= join(&mut self.alone[at..at + self.words], &moved);
        for (number, put) in rule.puts.into_iter().enumerate() {
            if put != NONE {
                grew |= self.put_alone(to, put);
                grew |= self.put_pairs(to, put, &moved);
                for other in rule.puts.into_iter().take(number) {
                    grew |= other != NONE && self.put_pair(to, put, other);
                }
            }
        }
        let identity = table.identity[rule.transfer as usize];
        let mut partners = vec![0; self.words];
        for letter in members(&others) {
            let moved_letter = image[usize::from(letter)];
            if moved_letter >= BLOCKS {
                continue;
            }
            let both = self.with(control, letter).iter().zip(&others);
            if identity {
                for (to, (a, b)) in partners.iter_mut().zip(both) {
                    *to = a & b;
                }
            } else {
                let both: Vec<u64> = both.map(|(a, b)| a & b).collect();
                partners.fill(0);
                for partner in members(&both) {
                    let to = image[usize::from(partner)];
                    if to < BLOCKS {
                        add(&mut partners, to);
                    }
                }
            }
            let row = self.row(to, moved_letter);
            grew |= join(&mut self.pairs[row], &partners);
        }
        grew
    }
}
