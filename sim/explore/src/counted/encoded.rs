//! Counted states as bytes.
//!
//! The number of the shared state, then each group: how far the number of its local state is from the
//! one before, and how many processes unless one.

/// So many processes of one kind are in one local state. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Number of the kind and local state.
    pub local: u32,
    pub count: u32,
}

/// A counted state, decoded: groups in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Number of the shared state.
    pub shared: u32,
    pub groups: Vec<Group>,
    /// Bytes that it takes encoded.
    pub bytes: usize,
    /// These bytes, and [`BLOCK`] more.
    pub body: Vec<u8>,
    /// Where each group begins in them, and where the last one ends.
    pub begins: Vec<u16>,
}

impl Decoded {
    /// Bytes of flags: one bit for each group.
    pub fn flags(&self) -> usize {
        self.groups.len().div_ceil(8)
    }
}

/// A successor of the state expanded last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub parent: u32,
    pub tag: u32,
    /// Index of the choice.
    pub choice: u32,
    /// The group of the parent that the actor came from.
    pub actor: u32,
    /// Number of the local state from which a process was woken by [`Effect::WakeOne`].
    pub woken: u32,
    /// For how many transitions it stands.
    pub times: u32,
    pub start: u32,
    pub len: u16,
    pub groups: u16,
    /// Where the actor went, if nobody else went anywhere.
    pub went: Option<Went>,
}

/// Where in the list of groups a process went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// It stays where it is.
    Nowhere,
    /// From a group to another one, by their indices before. `last`: nobody stays behind. `first`: nobody
    /// was there, and the group that was at that index, if any, comes after it.
    Elsewhere { from: u8, last: bool, to: u8, first: bool },
}

/// A state that was expanded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent {
    pub record: u32,
    /// Its groups, one bit each, whose steps are not followed.
    pub asleep: u64,
}

/// Successors of some states, to be looked up together.
#[derive(Default)]
pub(crate) struct Batch {
    pub candidates: Vec<Candidate>,
    /// The states expanded, those without successors too.
    pub parents: Vec<Parent>,
    /// How many transitions of these are not followed.
    pub asleep: u64,
    /// And how many candidates they would have been.
    pub left_out: usize,
    /// Encoded states in its first `end` bytes, and room.
    pub bytes: Vec<u8>,
    pub end: usize,
}

impl Batch {
    pub fn clear(&mut self) {
        self.candidates.clear();
        self.parents.clear();
        self.asleep = 0;
        self.left_out = 0;
        self.end = 0;
    }

    /// Writes behind the states there are, with room for so many groups.
    #[inline]
    pub(super) fn writer(&mut self, groups: usize) -> Writer<'_> {
        let most = self.end + Writer::most(groups) + BLOCK;
        if self.bytes.len() < most {
            self.bytes.resize(2 * most, 0);
        }
        Writer { bytes: &mut self.bytes[self.end..most], at: 0, before: u32::MAX, groups: 0 }
    }

    #[inline]
    pub fn body(&self, candidate: &Candidate) -> &[u8] {
        &self.bytes[candidate.start as usize..][..usize::from(candidate.len)]
    }
}

/// One process joins those in a local state.
#[inline]
pub(super) fn add(groups: &mut Vec<Group>, local: u32) {
    let at = groups.iter().position(|group| group.local >= local).unwrap_or(groups.len());
    match groups.get_mut(at) {
        Some(group) if group.local == local => group.count += 1,
        _ => groups.insert(at, Group { local, count: 1 }),
    }
}

/// One process leaves the group at an index.
#[inline]
pub(super) fn take(groups: &mut Vec<Group>, at: usize) {
    if groups[at].count == 1 {
        groups.remove(at);
    } else {
        groups[at].count -= 1;
    }
}

/// Seven bits a byte, low ones first; the top bit says that more follow.
#[inline]
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> u32 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
        shift += 7;
    }
}

/// Where a state is encoded.
pub(super) struct Writer<'a> {
    pub bytes: &'a mut [u8],
    pub at: usize,
    /// The local state written last.
    before: u32,
    pub groups: u16,
}

impl<'a> Writer<'a> {
    /// Most bytes of a state with so many groups.
    pub const fn most(groups: usize) -> usize {
        VARINT + groups * (VARINT + 1)
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    #[inline]
    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline]
    fn group(&mut self, local: u32, count: u32) {
        let gap = local.wrapping_sub(self.before) - 1;
        self.varint(gap << 1 | u32::from(count > 1));
        if count > 1 {
            self.byte(count as u8);
        }
        self.before = local;
        self.groups += 1;
    }

    /// The shared state, then each group: how far its number is from the one before, and how many
    /// processes unless one. The number of processes ends it, so no state is the beginning of
    /// another.
    pub fn state(&mut self, shared: u32, groups: &[Group]) {
        self.varint(shared);
        for group in groups {
            self.group(group.local, group.count);
        }
    }

    /// The same for `state`, after one process has gone from the group at index `from` to local
    /// state `to`. What is unchanged is copied.
    #[inline]
    pub fn step(&mut self, shared: u32, state: &Decoded, from: usize, to: u32) -> Went {
        self.varint(shared);
        let groups = &state.groups;
        let left = groups[from].local;
        if left == to {
            self.copy(state, 0..groups.len());
            return Went::Nowhere;
        }
        let into = groups.iter().position(|g| g.local >= to).unwrap_or(groups.len());
        let (low, high) = (from.min(into), from.max(into));
        self.copy(state, 0..low);
        // The first and the second place that change.
        let at_low =
            if from < into { self.leave(state, from) } else { self.arrive(state, into, to) };
        if at_low < high {
            // The gap to the one before may be another one.
            self.group(groups[at_low].local, groups[at_low].count);
            self.copy(state, at_low + 1..high);
        }
        let at_high =
            if from < into { self.arrive(state, into, to) } else { self.leave(state, from) };
        if at_high < groups.len() {
            self.group(groups[at_high].local, groups[at_high].count);
            self.copy(state, at_high + 1..groups.len());
        }
        let first = groups.get(into).is_none_or(|group| group.local != to);
        // There are at most as many groups as processes, and their number is a byte.
        Went::Elsewhere { from: from as u8, last: groups[from].count == 1, to: into as u8, first }
    }

    /// Writes the group at an index less one process. Returns the index of the next one.
    #[inline]
    fn leave(&mut self, state: &Decoded, from: usize) -> usize {
        let Group { local, count } = state.groups[from];
        if count > 1 {
            self.group(local, count - 1);
        }
        from + 1
    }

    /// Writes one process more in `to`, where `into` is the index of the first group from there.
    /// Returns the index of the next one.
    #[inline]
    fn arrive(&mut self, state: &Decoded, into: usize, to: u32) -> usize {
        let there = state.groups.get(into).filter(|group| group.local == to);
        self.group(to, there.map_or(0, |group| group.count) + 1);
        into + usize::from(there.is_some())
    }

    /// Copies groups as they are; the one before them must have been written.
    #[inline]
    fn copy(&mut self, state: &Decoded, groups: std::ops::Range<usize>) {
        if groups.is_empty() {
            return;
        }
        let (begin, end) = (state.begins[groups.start], state.begins[groups.end]);
        let (begin, end) = (usize::from(begin), usize::from(end));
        // In whole blocks: most often it is one, and how many bytes of it are meant need not be known.
        for from in (begin..end).step_by(BLOCK) {
            let block = &state.body[from..from + BLOCK];
            self.bytes[self.at + from - begin..][..BLOCK].copy_from_slice(block);
        }
        self.at += end - begin;
        self.before = state.groups[groups.end - 1].local;
        self.groups += groups.len() as u16;
    }
}

/// Most bytes of a number.
const VARINT: usize = 5;

/// Bytes that are copied at once.
pub(super) const BLOCK: usize = 16;

pub(super) fn encode(shared: u32, groups: &[Group], into: &mut Vec<u8>) {
    let mut bytes = vec![0; Writer::most(groups.len())];
    let mut writer = Writer { bytes: &mut bytes, at: 0, before: u32::MAX, groups: 0 };
    writer.state(shared, groups);
    into.extend_from_slice(&writer.bytes[..writer.at]);
}
