//! What a process can do in one pair of a shared and a local state, as it is looked up.

use crate::system::{Kind, Local, MAX_PROCESSES};

/// No entry.
pub const NONE: u32 = u32::MAX;

/// What a process can do in one pair, but for its outcomes. Half of a cache line, so that it is never on two.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub struct Entry {
    /// In four lanes of 16 bits, as many as there can be processes, the flags [`STILL`], [`CHANGES`],
    /// [`BLOCKED`] and [`SPECIAL`], each in the lowest bit of its lane: so shifted by its process, those
    /// of all processes of a state fit side by side. Above them in the first lane, how many outcomes there are,
    /// unless they are special; in the second, how many there are in any case; in the third, how many entries of
    /// its shared state were known before it, up to 255; in the fourth the kind. [`UNKNOWN`] if the system was not
    /// asked yet.
    pub(super) word: u64,
    /// The local state; 0 where the number of the entry says it.
    pub(super) local: Local,
    /// How often it was in this pair, since the last time the monitor was told.
    pub visits: u32,
    /// Its first outcome.
    pub first: u32,
    /// The patch of its first outcome; those of the others follow.
    pub(super) patches: u32,
    /// If it is blocked: an entry of another process that can unblock it, the last one found.
    pub helper: u32,
}

const _: () = assert!(size_of::<Entry>() == 32);

/// Visits that can be counted before the monitor is told.
pub const MOST_VISITS: u32 = u32::MAX;

/// Flag of an entry: there are outcomes, and none changes the shared state, has an effect on others, or
/// violates a property.
pub const STILL: u64 = 1;

/// Flag of an entry: some outcome changes the shared state; none has an effect on others, or violates a
/// property.
pub const CHANGES: u64 = 1 << MAX_PROCESSES;

/// Flag of an entry: the process has not returned and has no ordinary step.
pub const BLOCKED: u64 = 1 << (2 * MAX_PROCESSES);

/// Flag of an entry: some outcome has an effect on others, or violates some property.
pub const SPECIAL: u64 = 1 << (3 * MAX_PROCESSES);

const FLAGS: u64 = STILL | CHANGES | BLOCKED | SPECIAL;
const _: () = assert!(4 * MAX_PROCESSES == u64::BITS as usize);

/// More outcomes than that no entry has.
pub(super) const MOST_OUTCOMES: u64 = (1 << (MAX_PROCESSES - 1)) - 1;

const UNKNOWN: u64 = u64::MAX;

/// Where in an entry's word the number of all outcomes begins.
pub(super) const OUTCOMES: u32 = 17;
/// Where the number of entries that were known before begins.
pub(super) const ORDINAL: u32 = 33;
/// Where the kind begins.
pub(super) const KIND: u32 = 49;

impl Entry {
    /// Of which the system was not asked.
    pub const NEW: Self =
        Self { word: UNKNOWN, local: 0, visits: 0, first: 0, patches: 0, helper: NONE };

    /// Of a process with no steps.
    #[cfg(test)]
    pub fn known_of(kind: Kind, local: Local) -> Self {
        Self { word: u64::from(kind.0) << KIND, local, ..Self::NEW }
    }

    /// The system was asked, or need not be.
    #[inline]
    pub fn is_known(&self) -> bool {
        self.word != UNKNOWN
    }

    /// Whether it is found by hash, and is that of a process of the kind in that local state.
    #[inline]
    pub fn is_of(&self, kind: Kind, local: Local) -> bool {
        self.local == local && self.kind() == kind && self.is_known()
    }

    /// If it is found by hash: the kind.
    #[inline]
    pub fn kind(&self) -> Kind {
        Kind((self.word >> KIND) as u8)
    }

    /// If it is found by hash: the local state.
    #[inline]
    pub fn local(&self) -> Local {
        self.local
    }

    /// Its flags; if it is not to be expanded, without those that say it has steps.
    #[inline]
    pub fn flags(&self, expanded: bool) -> u64 {
        self.word & if expanded { FLAGS } else { BLOCKED | SPECIAL }
    }

    /// Whether the process has not returned and has no ordinary step.
    pub fn is_blocked(&self) -> bool {
        self.word & BLOCKED != 0
    }

    /// How many outcomes there are, unless they are special.
    #[inline]
    pub fn ordinary_outcomes(&self) -> u64 {
        self.word >> 1 & MOST_OUTCOMES
    }

    /// How many outcomes there are.
    #[inline]
    pub fn outcomes(&self) -> u32 {
        (self.word >> OUTCOMES & MOST_OUTCOMES) as u32
    }

    /// How many entries of its shared state were known before it, up to 255.
    #[inline]
    pub fn ordinal(&self) -> u32 {
        (self.word >> ORDINAL) as u8 as u32
    }
}

/// A hash of one word of which the low bits can be used.
#[inline]
pub fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ 0x243F_6A88_85A3_08D3) * 0x9E37_79B9_7F4A_7C15;
    (product >> 64) as u64 ^ product as u64
}
