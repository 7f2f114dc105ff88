//! What a process can do, tabulated: [`System::step`] is pure, so each pair of shared and local state
//! is asked once, and the answer kept as the bits that it flips in a packed state.
//!
//! - Costs: some 200 bytes for each distinct pair that occurs, of which there are few where there are
//!   many states; when there are more than [`MOST`], the table is begun anew.

use crate::bfs::Monitor;
use crate::packed::{Layout, Packed};
use crate::product::{Step, fits};
use crate::system::{Choice, DORMANT, Effect, Kind, Local, Shared, System, WayOut};

/// Pairs of shared and local state that are kept.
const MOST: usize = 1 << 18;

/// Bits of kind, shared and local state up to which a table of all their values is used.
const DENSE_BITS: u32 = 14;

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;

/// A kind, a shared and a local state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub kind: Kind,
    pub shared: Shared,
    pub local: Local,
}

/// What a process can do in one pair.
pub(crate) struct Entry {
    /// Its first outcome and how many there are.
    pub first: u32,
    pub outcomes: u32,
    /// It has not returned and has no ordinary step.
    pub blocked: bool,
    /// How often it was in this pair.
    pub visits: u64,
    /// If it is blocked: an entry of another process that can unblock it, the last one found.
    pub helper: u32,
}

/// One outcome as it is taken in the innermost loop.
#[derive(Clone, Copy)]
pub(crate) struct Patch<const W: usize> {
    /// The shared bits that it flips, in place.
    pub shared: Packed<W>,
    /// The bits of the actor's local state that it flips.
    pub local: Local,
    /// The shared state changes, so that others may remember something.
    pub changed: bool,
    /// It has an effect on others, or violates some property.
    pub special: bool,
}

/// The rest of an outcome.
pub(crate) struct Outcome<Label> {
    pub choice: Choice<Label>,
    /// The actor's local state afterwards, with what it remembers of its own change.
    pub local_after: Local,
    pub violated: u64,
    /// How often it was taken, where that is not the entry's visits.
    pub taken: u64,
}

impl<Label> Outcome<Label> {
    /// Whether one visit can be any number of transitions.
    pub fn counted_apart(&self) -> bool {
        matches!(self.choice.effect, Effect::WakeOne(_) | Effect::Spawn(..))
    }
}

/// The entry of each pair.
enum Index {
    /// By value.
    Dense { table: Vec<u32>, shared_bits: u32, local_bits: u32 },
    /// By hash; open addressing.
    Hashed(Vec<u32>),
}

pub(crate) struct Steps<Label, const W: usize> {
    index: Index,
    pub entries: Vec<Entry>,
    /// By entry.
    pairs: Vec<Pair>,
    pub patches: Vec<Patch<W>>,
    pub outcomes: Vec<Outcome<Label>>,
    /// Some step was a way out.
    pub way_outs: bool,
    scratch: Vec<Choice<Label>>,
}

/// What of the index all processes of one state share.
#[derive(Clone, Copy)]
pub(crate) struct Row(u64);

impl<Label: Copy + Eq + std::fmt::Debug, const W: usize> Steps<Label, W> {
    pub fn new(layout: &Layout, kinds: impl Iterator<Item = Kind>) -> Self {
        let kinds = kinds.map(|kind| u32::from(kind.0) + 1).max().unwrap_or(0);
        let kind_bits = kinds.next_power_of_two().trailing_zeros();
        let bits = kind_bits + layout.shared_bits + layout.local_bits;
        let index = if bits <= DENSE_BITS {
            Index::Dense {
                table: vec![NONE; 1 << bits],
                shared_bits: layout.shared_bits,
                local_bits: layout.local_bits,
            }
        } else {
            Index::Hashed(vec![NONE; 1 << 10])
        };
        Self {
            index,
            entries: Vec::new(),
            pairs: Vec::new(),
            patches: Vec::new(),
            outcomes: Vec::new(),
            way_outs: false,
            scratch: Vec::new(),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let index = match &self.index {
            Index::Dense { table, .. } | Index::Hashed(table) => table,
        };
        index.capacity() * size_of::<u32>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.pairs.capacity() * size_of::<Pair>()
            + self.patches.capacity() * size_of::<Patch<W>>()
            + self.outcomes.capacity() * size_of::<Outcome<Label>>()
    }

    /// Whether there is no room for `more` entries.
    pub fn is_full(&self, more: usize) -> bool {
        self.entries.len() + more > MOST
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        let (Index::Dense { table, .. } | Index::Hashed(table)) = &mut self.index;
        table.fill(NONE);
        self.entries.clear();
        self.pairs.clear();
        self.patches.clear();
        self.outcomes.clear();
    }

    /// Tells `monitor` of the steps taken since the last time.
    pub fn record<S: System<Label = Label>, M: Monitor<S>>(
        &mut self,
        monitor: &M,
        tally: &mut M::Tally,
    ) {
        for (entry, pair) in self.entries.iter_mut().zip(&self.pairs) {
            let first = entry.first as usize;
            for outcome in &mut self.outcomes[first..first + entry.outcomes as usize] {
                let times = if outcome.counted_apart() {
                    std::mem::take(&mut outcome.taken)
                } else {
                    entry.visits
                };
                if times != 0 {
                    let step = step(*pair, &outcome.choice, outcome.local_after);
                    monitor.record_step(tally, &step, outcome.violated, times);
                }
            }
            entry.visits = 0;
        }
    }

    /// The pair of an entry.
    pub fn pair(&self, entry: u32) -> Pair {
        self.pairs[entry as usize]
    }

    /// The part of the index that belongs to one shared state.
    #[inline]
    pub fn row(&self, shared: Shared) -> Row {
        Row(match &self.index {
            Index::Dense { local_bits, .. } => (shared as u64) << local_bits,
            Index::Hashed(_) => mix(shared as u64 ^ mix((shared >> 64) as u64)),
        })
    }

    /// The entry of a pair whose shared state is that of `row`.
    #[inline]
    pub fn entry<S: System<Label = Label>, M: Monitor<S>>(
        &mut self,
        row: Row,
        pair: Pair,
        (system, layout, monitor): (&S, &Layout, &M),
    ) -> u32 {
        match &self.index {
            Index::Dense { table, shared_bits, local_bits } => {
                let kind = u64::from(pair.kind.0) << (shared_bits + local_bits);
                let at = (kind | row.0 | pair.local) as usize;
                let entry = table[at];
                if entry != NONE {
                    return entry;
                }
                self.fill(pair, at, (system, layout, monitor))
            }
            Index::Hashed(table) => {
                let mask = table.len() - 1;
                let mut at = mix(row.0 ^ pair.local ^ u64::from(pair.kind.0) << 56) as usize & mask;
                loop {
                    match table[at] {
                        NONE => return self.fill(pair, at, (system, layout, monitor)),
                        entry if self.pairs[entry as usize] == pair => return entry,
                        _ => at = (at + 1) & mask,
                    }
                }
            }
        }
    }

    /// Asks the system about a pair that has no entry, and gives it the one at `at` of the index.
    #[cold]
    fn fill<S: System<Label = Label>, M: Monitor<S>>(
        &mut self,
        pair: Pair,
        at: usize,
        (system, layout, monitor): (&S, &Layout, &M),
    ) -> u32 {
        let Pair { kind, shared, local } = pair;
        self.scratch.clear();
        system.step(kind, shared, local, &mut self.scratch);
        let first = self.outcomes.len() as u32;
        let mut running = false;
        for choice in &self.scratch {
            check(choice, shared, layout);
            running |= choice.way_out == WayOut::Ordinary;
            self.way_outs |= choice.way_out != WayOut::Ordinary;
            let mut local_after = choice.local;
            let changed = shared != choice.shared;
            if changed && local_after != DORMANT {
                local_after = system.observe(kind, shared, choice.shared, local_after);
                assert!(fits(u128::from(local_after), layout.local_bits));
            }
            let violated = monitor.step_violates(&step(pair, choice, local_after));
            self.patches.push(Patch {
                shared: layout.shared_bits_of(shared ^ choice.shared),
                local: local ^ local_after,
                changed,
                special: choice.effect != Effect::None || violated != 0,
            });
            self.outcomes.push(Outcome { choice: *choice, local_after, violated, taken: 0 });
        }
        let entry = self.entries.len() as u32;
        self.entries.push(Entry {
            first,
            outcomes: self.outcomes.len() as u32 - first,
            blocked: !running && !system.returned(kind, local),
            visits: 0,
            helper: NONE,
        });
        self.pairs.push(pair);
        match &mut self.index {
            Index::Dense { table, .. } => table[at] = entry,
            Index::Hashed(table) => {
                table[at] = entry;
                if self.entries.len() > table.len() / 2 {
                    self.grow();
                }
            }
        }
        entry
    }

    fn grow(&mut self) {
        let Index::Hashed(table) = &self.index else { return };
        let mask = table.len() * 2 - 1;
        let mut new = vec![NONE; mask + 1];
        for (number, pair) in self.pairs.iter().enumerate() {
            let Pair { kind, shared, local } = *pair;
            let row = self.row(shared).0;
            let mut at = mix(row ^ local ^ u64::from(kind.0) << 56) as usize & mask;
            while new[at] != NONE {
                at = (at + 1) & mask;
            }
            new[at] = number as u32;
        }
        self.index = Index::Hashed(new);
    }
}

/// What a process can do, as a monitor sees it.
fn step<Label: Copy>(pair: Pair, choice: &Choice<Label>, local_after: Local) -> Step<Label> {
    Step {
        kind: pair.kind,
        before: pair.shared,
        after: choice.shared,
        local_before: pair.local,
        local_after,
        label: choice.label,
        way_out: choice.way_out,
        footprint: choice.footprint,
        effect: choice.effect,
    }
}

/// What a step promises.
fn check<Label: std::fmt::Debug>(choice: &Choice<Label>, shared: Shared, layout: &Layout) {
    assert!(fits(choice.shared, layout.shared_bits), "shared state out of its bits");
    assert!(fits(u128::from(choice.local), layout.local_bits), "local state out of its bits");
    assert_eq!(
        (shared ^ choice.shared) & !choice.footprint.writes,
        0,
        "a step changed bits that it did not declare: {:?}",
        choice.label
    );
}

/// A hash of one word of which the low bits can be used.
#[inline]
pub(crate) fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ 0x243F_6A88_85A3_08D3) * 0x9E37_79B9_7F4A_7C15;
    (product >> 64) as u64 ^ product as u64
}
