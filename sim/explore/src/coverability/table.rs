//! A family in counted form: control states, letters, and the rules that lead from one to the next.
//!
//! A *control state* is the shared state with the processes in slots and the tagged process; a
//! *letter* is an anonymous local state of one kind. A configuration is a control state and a
//! multiset of letters. Every step is a [`Rule`]: it takes one or two letters (or none, when the
//! tagged process or one in a slot steps), puts up to two, and moves all other letters by one
//! function, since everybody observes a change of the shared state and a wake-up wakes all who sleep.
//! The rules come from [`System::step`], `observe` and `wake` alone.
//!
//! - Decides: an over-approximation of what can be reached, to bound the table: which letters can
//!   stand beside which control state, each letter taken for itself and in any number; or, with a
//!   [`Guide`], which control states are reached when only these letters stand beside them.
//! - Needs: finitely many control states and letters.
//! - Costs: a rule of 16 bytes for each control state and letter beside it that can change the
//!   control state or others; steps that change nothing but the process are stored once for each
//!   shared state. With a guide: no rules.

use super::family::MAX_SLOTS;
use crate::collections::bits::GrowingSet;
use crate::collections::interner::Interner;
use crate::system::{Kind, Local, Shared};

/// A letter, by number.
pub(crate) type Letter = u16;

/// No letter.
pub(crate) const NONE: Letter = u16::MAX;
/// Not computed yet.
pub(crate) const UNKNOWN: Letter = u16::MAX - 1;
/// A process that became dormant.
pub(crate) const GONE: Letter = u16::MAX - 2;
/// The step cannot be taken beside such a process.
pub(crate) const BLOCKS: Letter = u16::MAX - 3;
/// Most letters.
pub(crate) const MOST_LETTERS: usize = 4096;

/// The number of the property 'a process was spawned and there was no place for it, or nobody may be left
/// beside whom a forgetful one could be judged'.
pub(crate) const EXHAUSTED: u32 = 63;

/// The tagged process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag {
    pub kind: Kind,
    /// Its slot; [`NO_SLOT`] for one of the crowd.
    pub slot: u8,
    pub local: Local,
}

/// What stands in a slot whose process is the tagged one.
pub(crate) const NOT_HERE: Local = 0;

/// The slot of the crowd.
pub(crate) const NO_SLOT: u8 = u8::MAX;

impl Tag {
    /// Nobody is tagged.
    pub const NOBODY: Self = Self { kind: Kind(u8::MAX), slot: NO_SLOT - 1, local: 0 };
}

/// A control state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Control {
    /// Index into [`Table::shared`].
    pub shared: u32,
    pub tag: Tag,
    /// The local states in the slots; [`NOT_HERE`] in that of the tagged process.
    pub slots: [Local; MAX_SLOTS],
}

/// A step that changes the control state or others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Rule {
    /// The control state afterwards.
    pub to: u32,
    /// What happens to all letters that are not taken.
    pub transfer: u32,
    /// The letters it takes: the process that steps, and one that it alone wakes.
    pub takes: [Letter; 2],
    /// What became of them, who was spawned, or who was tagged before.
    pub puts: [Letter; 2],
}

/// A step of an anonymous process that changes only itself. Puts [`NONE`] if it becomes dormant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inner {
    pub takes: Letter,
    pub puts: Letter,
}

/// A family in counted form.
pub(crate) struct Table {
    pub shared: Interner<Shared>,
    pub letters: Interner<(Kind, Local)>,
    /// The first [`Table::initials`] of them are the initial ones.
    pub controls: Interner<Control>,
    pub initials: usize,
    /// By control state: the letters that the over-approximation finds beside it.
    pub beside: Vec<GrowingSet>,
    /// By control state.
    pub rules: Vec<Vec<Rule>>,
    /// By shared state.
    pub inner: Vec<Vec<Inner>>,
    /// By transfer and letter.
    pub transfers: Vec<Vec<Letter>>,
    /// By transfer: whether it leaves every letter as it is.
    pub identity: Vec<bool>,
    /// By control state: the properties that some step of the tagged process, or of one in a slot,
    /// violates.
    pub bad: Vec<u64>,
    /// Control state, letter, and the properties that some step of such a process violates.
    pub bad_letters: Vec<(u32, Letter, u64)>,
    /// The letters of anonymous processes at first.
    pub initial: GrowingSet,
    /// By control state, with a [`Guide`]: the guide's control state, and the tagged process as a
    /// letter beside it, if it has no slot.
    pub guides: Vec<(u32, Option<Letter>)>,
}

impl Table {
    /// Bytes held by what grows with control states and letters.
    pub fn bytes(&self) -> usize {
        fn rows<T>(rows: &[Vec<T>]) -> usize {
            let row = |row: &Vec<T>| size_of::<Vec<T>>() + row.capacity() * size_of::<T>();
            rows.iter().map(row).sum()
        }
        self.shared.bytes()
            + self.letters.bytes()
            + self.controls.bytes()
            + self.beside.iter().map(GrowingSet::bytes).sum::<usize>()
            + rows(&self.rules)
            + rows(&self.inner)
            + rows(&self.transfers)
            + self.identity.capacity()
            + self.bad.capacity() * size_of::<u64>()
            + self.bad_letters.capacity() * size_of::<(u32, Letter, u64)>()
            + self.guides.capacity() * size_of::<(u32, Option<Letter>)>()
    }
}
