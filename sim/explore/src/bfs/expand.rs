//! The successors of one packed state, by flipping bits of it.
//!
//! Says the same as [`Product::successors`], which works on whole states and is the plainer of the
//! two; traces are rebuilt and replayed with that one. Only what a step changes is touched: the
//! actor's field, the shared bits, and other processes' fields where they remember the change or are
//! woken. With symmetry on, processes of one kind in one local state are expanded once and counted as
//! often as there are.

use std::ops::ControlFlow;

use super::entry::{BLOCKED, CHANGES, Entry, MOST_VISITS, NONE, SPECIAL, STILL};
use super::frame::{Found, Frame};
use super::packed::{Layout, Packed, Spare};
use super::rescue::Rescue;
use super::rows::Row;
use super::sleep::{Commuting, Others};
use super::source::{Asked, Expand, Purpose, Sink, Source, Went, shared_bit};
use super::steps::{Pair, Patch, Steps};
use super::undisturbed::{ALL, Undisturbed};
use crate::ask::{Asks, Monitor, beyond_step, initially};
use crate::system::successor::{Processes, affect, is_dormant, others_remember, remembered, woken};
use crate::system::{
    Choice, Configuration, Effect, Fault, Kind, Local, MAX_PROCESSES, PoolExhausted, Product,
    Roster, System, Transition, Wrong,
};

/// Expands states.
pub(crate) struct Expander<'a, S: System, M: Monitor<S::Label>, const W: usize> {
    asked: &'a Asked<'a, S, M>,
    purpose: Purpose,
    spare: Spare,
    steps: Steps<S::Label, W>,
    rescue: Rescue<S::Label, W>,
    commuting: Commuting,
    undisturbed: Undisturbed,
    /// By process: the bits of its kind in the number of an entry.
    kind_bits: [u32; MAX_PROCESSES],
    /// The bits of the shared states that are sought: see [`super::source::Visit::sought`].
    sought: u64,
    /// So many states may have been looked at since the monitor was told.
    to_tell: u32,
    /// Not there while it is in use.
    batch: Option<Box<Batch<W>>>,
    tally: M::Tally,
    pub found: Found<W>,
}

/// The state that is being expanded.
struct Before<'a, const W: usize> {
    packed: Packed<W>,
    entries: &'a [u32; MAX_PROCESSES],
    /// Only if the monitor asks for whole states.
    whole: Option<Configuration>,
}

/// States that are looked at together.
const BATCH: usize = 32;

/// A state, and what its processes can do.
#[derive(Clone, Copy)]
struct Looked<const W: usize> {
    packed: Packed<W>,
    /// By process.
    entries: [u32; MAX_PROCESSES],
    /// Up to symmetry, unless transitions are told of one by one: the processes that are like the one before
    /// of their kind, with which they are expanded.
    like_previous: u16,
    /// The flags of each process, shifted by its number; of equal ones only the first has steps.
    flags: u64,
    /// Of the processes with steps, none of them special, and the quiet ones: in which bits the numbers of their entries
    /// end, if these are those of kind and local state.
    ends: u64,
    /// Those with special steps that have no effect here: they wake nobody, start nobody, are remembered by nobody, and
    /// violate nothing.
    quiet: u16,
    /// Those of them of which some step changes the shared state.
    quiet_changing: u16,
}

impl<const W: usize> Looked<W> {
    const NONE: Self = Self {
        packed: Packed::ZERO,
        entries: [NONE; MAX_PROCESSES],
        like_previous: 0,
        flags: 0,
        ends: 0,
        quiet: 0,
        quiet_changing: 0,
    };

    /// For how many processes, itself and those like it, one is expanded.
    #[inline]
    fn times(&self, roster: &Roster, actor: usize) -> u64 {
        if roster.contiguous() {
            return 1 + u64::from((u32::from(self.like_previous) >> (actor + 1)).trailing_ones());
        }
        let (mut times, mut last) = (1, actor);
        while roster.next(last) != last && self.like_previous >> roster.next(last) & 1 != 0 {
            last = roster.next(last);
            times += 1;
        }
        times
    }

    /// Looks up what each process can do, in the entries of this shared state by kind and local state, of
    /// which the first has the number `first`, and counts it.
    /// Returns the number of transitions; `None`, with nothing counted, if some entry is not known.
    #[inline(always)]
    fn look_up<S: System, const SYMMETRY: bool>(
        &mut self,
        product: &Product<'_, S>,
        layout: &Layout,
        row: &mut [Entry],
        first: u32,
        kind_bits: &[u32; MAX_PROCESSES],
        one_by_one: bool,
    ) -> Option<u64> {
        let (mut flags, mut transitions, mut like_previous, mut ends) = (0, 0, 0_u32, 0);
        let times = u32::from(!one_by_one);
        let mut previous = None;
        let mut place = layout.shared_bits;
        for (actor, bits) in kind_bits[..layout.processes.min(MAX_PROCESSES)].iter().enumerate() {
            let local = layout.local_at(&self.packed, place);
            place += layout.local_bits;
            let end = bits | local as u32;
            let entry = &mut row[end as usize];
            if !entry.is_known() {
                for earlier in 0..actor {
                    let entry = self.entries[earlier].wrapping_sub(first) as usize;
                    if let Some(entry) = row.get_mut(entry) {
                        entry.visits -= times;
                    }
                }
                return None;
            }
            let dormant = is_dormant(product.system, product.roster().kind(actor), local);
            self.entries[actor] = if dormant { NONE } else { first + end };
            let like = SYMMETRY && !one_by_one && previous == Some(end);
            previous = Some(end);
            like_previous |= u32::from(like) << actor;
            let here = entry.flags(!like && !one_by_one);
            flags |= here << actor;
            ends |= has_steps(here) << (end % u64::BITS);
            entry.visits += times;
            transitions += u64::from(times) * entry.ordinary_outcomes();
        }
        self.ends = ends;
        self.like_previous = like_previous as u16;
        self.flags = flags;
        Some(transitions)
    }

    /// The same where entries are found by hash, by `place`: of a process with this local state, if there is one. `seen` is
    /// told of each.
    #[inline(always)]
    fn look_up_by_hash<S: System, const SYMMETRY: bool>(
        &mut self,
        (product, layout): (&Product<'_, S>, &Layout),
        entries: &mut [Entry],
        one_by_one: bool,
        place: impl Fn(&[Entry], usize, Local) -> Option<u32>,
        seen: impl Fn(&Entry),
    ) -> Option<u64> {
        let processes = layout.processes.min(MAX_PROCESSES);
        let mut at = layout.shared_bits;
        for actor in 0..processes {
            let local = layout.local_at(&self.packed, at);
            at += layout.local_bits;
            let dormant = is_dormant(product.system, product.roster().kind(actor), local);
            self.entries[actor] = if dormant { NONE } else { place(entries, actor, local)? };
        }
        let (mut flags, mut transitions, mut like_previous) = (0, 0, 0_u32);
        let times = u32::from(!one_by_one);
        let mut previous = NONE;
        for (actor, number) in self.entries[..processes].iter().enumerate() {
            let like = SYMMETRY && !one_by_one && previous == *number;
            previous = *number;
            // There is none of who is dormant.
            let Some(entry) = entries.get_mut(*number as usize) else { continue };
            like_previous |= u32::from(like) << actor;
            flags |= entry.flags(!like && !one_by_one) << actor;
            entry.visits += times;
            transitions += u64::from(times) * entry.ordinary_outcomes();
            seen(entry);
        }
        (self.ends, self.like_previous, self.flags) = (0, like_previous as u16, flags);
        Some(transitions)
    }

    /// Those with steps that leave the shared state as it is; none with special steps, but the quiet ones.
    fn still(&self) -> u16 {
        (self.flags / STILL) as u16 | self.quiet & !self.quiet_changing
    }

    /// Those of which some step changes the shared state; none with special steps, but the quiet ones.
    fn changing(&self) -> u16 {
        (self.flags / CHANGES) as u16 | self.quiet_changing
    }

    fn blocked(&self) -> u16 {
        (self.flags / BLOCKED) as u16
    }

    fn special(&self) -> u16 {
        (self.flags / SPECIAL) as u16
    }

    /// Those with special steps, each for all that are like it.
    fn all_special(&self) -> u16 {
        self.special() & !self.like_previous
    }
}

/// 1 if the flags of one process say that it has steps, none of them special; else 0.
#[inline]
fn has_steps(flags: u64) -> u64 {
    ((flags / STILL) | (flags / CHANGES)) & 1
}

/// The states that are looked at together.
struct Batch<const W: usize> {
    states: [Looked<W>; BATCH],
    /// By state: where what its processes can do is found, if entries are found by hash and are many.
    rows: [Row; BATCH],
    /// Who of them is to be followed: the state's place, and the process. The last one is never read.
    awake: [(u8, u8); BATCH * MAX_PROCESSES + 1],
}

impl<const W: usize> Batch<W> {
    fn new() -> Box<Self> {
        let awake = [(0, 0); BATCH * MAX_PROCESSES + 1];
        Box::new(Self { states: [Looked::NONE; BATCH], rows: [Row::NONE; BATCH], awake })
    }
}

/// One process of that state that takes one outcome.
#[derive(Clone, Copy)]
struct Taken {
    actor: usize,
    entry: u32,
    outcome: u32,
    /// How many transitions this one stands for.
    times: u64,
}

impl<S: System, M: Monitor<S::Label>, const W: usize> Source<W> for Asked<'_, S, M> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn expander(&self, purpose: Purpose) -> Box<dyn Expand<W> + '_> {
        Box::new(Expander::new(self, purpose))
    }

    fn initially(&self) -> u64 {
        initially(self.monitor, &self.product)
    }

    fn transitions(
        &self,
        before: &Configuration,
        visit: &mut dyn FnMut(Went<'_>) -> ControlFlow<()>,
    ) {
        let _ = self
            .product
            .successors(before, &mut Vec::new(), |t| visit((t.actor, t.way_out, t.after)));
    }
}

impl<S: System, M: Monitor<S::Label>, const W: usize> Expand<W> for Expander<'_, S, M, W> {
    fn expand(&mut self, stored: &[Packed<W>], sink: &mut Sink<'_, W>) {
        let mut batch = self.batch.take().unwrap_or_else(Batch::new);
        self.sought = sink.sought();
        for stored in stored.chunks(BATCH) {
            // No pair is visited more often in one state than there are processes.
            if self.to_tell > MOST_VISITS - (BATCH * MAX_PROCESSES) as u32 {
                self.record();
            }
            self.to_tell += (BATCH * MAX_PROCESSES) as u32;
            if self.steps.is_full(BATCH * MAX_PROCESSES) {
                self.record();
                self.steps.clear();
                self.rescue.clear();
                self.commuting.clear();
                self.undisturbed.clear();
            }
            if self.asked.frame.symmetry {
                self.expand_batch::<true>(&mut batch, stored, sink);
            } else {
                self.expand_batch::<false>(&mut batch, stored, sink);
            }
        }
        self.batch = Some(batch);
    }

    fn found(&mut self) -> &mut Found<W> {
        &mut self.found
    }

    fn fault(&self) -> Option<Fault> {
        self.steps.fault
    }

    fn way_outs(&self) -> bool {
        self.steps.way_outs
    }

    fn bytes(&self) -> usize {
        let learned = self.rescue.bytes() + self.commuting.bytes() + self.undisturbed.bytes();
        size_of::<Batch<W>>() + self.steps.bytes() + learned
    }

    fn settle(&mut self) {
        self.record();
        self.asked.add(std::mem::take(&mut self.tally));
    }

    fn turn_back(&mut self) {
        self.purpose = Purpose::WayBack;
    }
}

impl<'a, S: System, M: Monitor<S::Label>, const W: usize> Expander<'a, S, M, W> {
    pub fn new(asked: &'a Asked<'a, S, M>, purpose: Purpose) -> Self {
        let Asked { frame, product, .. } = asked;
        let kinds = frame.roster.kinds().iter().map(|kind| (*kind, product.system.dormant(*kind)));
        let steps = Steps::new(&frame.layout, kinds, frame.steps_kept);
        Self {
            asked,
            purpose,
            spare: frame.spare::<W>(),
            rescue: Rescue::new(),
            commuting: Commuting::new(steps.ends_in(), frame.steps_kept),
            undisturbed: Undisturbed::new(),
            sought: u64::MAX,
            to_tell: 0,
            batch: Some(Batch::new()),
            kind_bits: std::array::from_fn(|i| {
                u32::from(frame.kind(i).0) << (frame.layout.local_bits % u32::BITS)
            }),
            steps,
            tally: M::Tally::default(),
            found: Found::new(),
        }
    }

    fn frame(&self) -> &'a Frame {
        &self.asked.frame
    }

    /// Whether transitions are told of one by one.
    #[inline(always)]
    fn whole(&self) -> bool {
        M::ASKS.beyond_steps() && self.purpose == Purpose::Search
    }

    /// Whether the shared state after a step may be one that is sought; no effect changes it.
    #[inline(always)]
    fn is_sought(&self, layout: &Layout, before: &Packed<W>, patch: &Patch<W>) -> bool {
        self.sought == u64::MAX
            || self.sought & shared_bit(layout.shared(&(*before ^ patch.shared))) != 0
    }

    fn record(&mut self) {
        self.to_tell = 0;
        self.steps.record(self.asked.monitor, &mut self.tally);
    }

    /// Round after round, so that within one the same is done again and again: how many steps a state has
    /// is hard to foretell for the processor, and what it takes up in vain costs more than the work.
    #[inline(always)]
    fn expand_batch<const SYMMETRY: bool>(
        &mut self,
        batch: &mut Batch<W>,
        stored: &[Packed<W>],
        sink: &mut Sink<'_, W>,
    ) {
        let (frame, whole) = (self.frame(), self.whole());
        let (layout, spare) = (frame.layout, self.spare);
        // On the way back nobody sleeps, and nobody asks who is blocked.
        let search = self.purpose == Purpose::Search;
        let asleep = if search { u16::MAX } else { 0 };
        let lower = if frame.follow_all || !search { 0 } else { u16::MAX };
        let far = self.steps.is_far();
        if far {
            self.look_ahead(&layout, stored, (&mut batch.states, &mut batch.rows));
        }
        let Batch { states, rows, awake } = batch;
        let (mut followed, mut special, mut blocked) = (0, 0_u32, 0_u32);
        for (i, (stored, looked)) in stored.iter().zip(&mut *states).enumerate() {
            let (packed, in_sleep_set) = spare.split(*stored);
            looked.packed = packed;
            self.look::<SYMMETRY>(&layout, looked, far.then_some(rows[i % BATCH]));
            (looked.quiet, looked.quiet_changing) = (0, 0);
            if !whole && looked.all_special() != 0 {
                self.listen(looked);
            }
            let up = (looked.still() | looked.changing()) & !(in_sleep_set & asleep);
            for actor in 0..layout.processes {
                awake[followed] = (i as u8, actor as u8);
                followed += usize::from(up >> actor & 1);
            }
            let loud = looked.all_special() & !looked.quiet;
            special |= u32::from(whole || loud != 0) << i;
            blocked |= u32::from(search && looked.blocked() != 0) << i;
        }
        for (i, actor) in &awake[..followed] {
            let looked = &states[usize::from(*i) % BATCH];
            let actor = usize::from(*actor) % MAX_PROCESSES;
            let place = layout.place(actor);
            let before = ((1 << actor) - 1) & lower;
            let (still, changing) = (looked.still() & before, looked.changing() & before);
            let entry = looked.entries[actor];
            let known = self.steps.entries[entry as usize];
            let times = if SYMMETRY { looked.times(&frame.roster, actor) } else { 1 };
            self.found.followed += times * u64::from(known.outcomes());
            for nth in 0..known.outcomes() {
                let outcome = known.first + nth;
                // Others' history and wake-ups aside, a step is bits to be flipped.
                let patch = self.steps.patches_of(&known)[nth as usize];
                if !self.is_sought(&layout, &looked.packed, &patch) {
                    continue;
                }
                let before = (&looked.packed, &looked.entries);
                let left = match patch.remembered {
                    true => self.undisturbed((actor, outcome, &patch), before),
                    false => ALL,
                };
                let (own, product) = ((actor, place), &self.asked.product);
                let seen = own_step(product, &layout, &looked.packed, own, &patch, left);
                if seen.too_wide != 0 {
                    self.blame(&looked.packed, actor, outcome);
                    continue;
                }
                let (after, alone) = (seen.packed, seen.alone);
                // Of two steps that change nothing shared and wake nobody, both orders are the same.
                let (sure, asked) = match (patch.changed, patch.wakes) {
                    (false, false) => (still, changing),
                    (false, true) => (0, still | changing),
                    (true, _) => (0, still),
                };
                let next_sleep_set = sure | self.commuting(looked, (entry, outcome), asked);
                if SYMMETRY {
                    let (after, to) = frame.sorted(&layout, actor, after, alone);
                    let asleep = to.map_or(0, |to| moved_up(next_sleep_set, to));
                    sink.visit(&looked.packed, after, asleep);
                } else {
                    sink.visit(&looked.packed, after, next_sleep_set);
                }
            }
        }
        while special != 0 {
            let looked = &states[special.trailing_zeros() as usize];
            special &= special - 1;
            self.take_special(looked, &mut |after| sink.visit(&looked.packed, after, 0));
        }
        while blocked != 0 {
            let looked = &states[blocked.trailing_zeros() as usize];
            blocked &= blocked - 1;
            self.found.blocked_states += 1;
            let Self { rescue, steps, .. } = self;
            let asked = (self.asked.product.system, &frame.layout);
            let unresolved = rescue.unresolved(asked, steps, &looked.entries, looked.blocked());
            if unresolved != 0 {
                sink.left(looked.packed, unresolved);
            }
        }
    }

    /// Where what the processes of some states can do is found, and memory asked for what is there: a table of many
    /// entries is in no cache, and would be waited for at each of them.
    #[inline(never)]
    fn look_ahead(
        &self,
        layout: &Layout,
        stored: &[Packed<W>],
        (states, rows): (&mut [Looked<W>; BATCH], &mut [Row; BATCH]),
    ) {
        let (roster, processes) = (&self.frame().roster, layout.processes.min(MAX_PROCESSES));
        let mut hashes = [0; BATCH];
        for (stored, hash) in stored.iter().zip(&mut hashes) {
            *hash = self.steps.ask_for_row(layout.shared(&self.spare.split(*stored).0));
        }
        let places = states.iter_mut().zip(rows).zip(hashes);
        for (stored, ((looked, row), hash)) in stored.iter().zip(places) {
            let packed = self.spare.split(*stored).0;
            *row = self.steps.row(hash, layout.shared(&packed));
            let mut at = layout.shared_bits;
            for (actor, likely) in looked.entries[..processes].iter_mut().enumerate() {
                let local = layout.local_at(&packed, at);
                at += layout.local_bits;
                *likely = row.ask_for(&self.steps.entries, roster.kind(actor), local);
            }
        }
    }

    /// Looks up what each process can do, and counts what is taken step by step, whoever sleeps. `far`: where, if there
    /// are many entries, as [`Expander::look_ahead`] gives it.
    #[inline(always)]
    fn look<const SYMMETRY: bool>(
        &mut self,
        layout: &Layout,
        looked: &mut Looked<W>,
        far: Option<Row>,
    ) {
        let (frame, whole) = (self.frame(), self.whole());
        if !SYMMETRY || frame.roster.contiguous() {
            let of = (&self.asked.product, layout);
            let shared = layout.shared(&looked.packed);
            let Self { steps, kind_bits, commuting, .. } = self;
            let transitions = if let Some((row, first)) = steps.of_shared(shared) {
                looked.look_up::<S, SYMMETRY>(of.0, layout, row, first, kind_bits, whole)
            } else if let Some(row) = far {
                let likely = looked.entries;
                let place = |entries: &_, actor: usize, local| {
                    row.find_from(likely[actor], entries, frame.roster.kind(actor), local).ok()
                };
                let ask_for = |entry: &Entry| commuting.ask_for(entry.first);
                let entries = &mut steps.entries;
                looked.look_up_by_hash::<S, SYMMETRY>(of, entries, whole, place, ask_for)
            } else {
                let row = steps.row_of(shared);
                let place = |entries: &_, actor, local| {
                    row.find(entries, frame.roster.kind(actor), local).ok()
                };
                let entries = &mut steps.entries;
                looked.look_up_by_hash::<S, SYMMETRY>(of, entries, whole, place, |_| {})
            };
            if let Some(transitions) = transitions {
                self.found.transitions += transitions;
                return;
            }
        }
        self.look_one_by_one::<SYMMETRY>(layout, looked, far);
    }

    /// The same, where not all entries are known, or they do not stand side by side.
    #[inline(never)]
    fn look_one_by_one<const SYMMETRY: bool>(
        &mut self,
        layout: &Layout,
        looked: &mut Looked<W>,
        far: Option<Row>,
    ) {
        let (packed, whole) = (looked.packed, self.whole());
        let (roster, system) = (&self.frame().roster, self.asked.product.system);
        let shared = layout.shared(&packed);
        // It may have moved since: who is not found there is looked for again.
        let row = far.unwrap_or_else(|| self.steps.row_of(shared));
        let ends_in = self.steps.ends_in();
        (looked.flags, looked.like_previous, looked.ends) = (0, 0, 0);
        for actor in 0..layout.processes {
            let local = layout.local(&packed, actor);
            let previous = roster.previous(actor);
            let like = SYMMETRY && !whole && previous != actor;
            let like = like && layout.local(&packed, previous) == local;
            looked.like_previous |= u16::from(like) << actor;
            let kind = roster.kind(actor);
            if is_dormant(system, kind, local) {
                looked.entries[actor % MAX_PROCESSES] = NONE;
                continue;
            }
            let number = if like {
                looked.entries[previous % MAX_PROCESSES]
            } else {
                let found = row.find(&self.steps.entries, kind, local);
                found.unwrap_or_else(|_| self.find(Pair { kind, shared, local }))
            };
            looked.entries[actor % MAX_PROCESSES] = number;
            let times = u32::from(!whole);
            let entry = &mut self.steps.entries[number as usize];
            let here = entry.flags(!like && !whole);
            looked.flags |= here << actor;
            if let Some(bits) = ends_in {
                looked.ends |= has_steps(here) << (number & bits);
            }
            entry.visits += times;
            self.found.transitions += u64::from(times) * entry.ordinary_outcomes();
            if far.is_some() {
                self.commuting.ask_for(entry.first);
            }
        }
    }

    /// Finds out which of those with special steps are quiet, and counts what these take.
    #[inline(never)]
    fn listen(&mut self, looked: &mut Looked<W>) {
        let (frame, ends_in) = (self.frame(), self.steps.ends_in());
        let of = (self.asked.product.system, &frame.layout, self.asked.monitor);
        let mut special = looked.all_special();
        while special != 0 {
            let actor = special.trailing_zeros() as usize;
            special &= special - 1;
            let entry = looked.entries[actor];
            let known = self.steps.entries[entry as usize];
            let (mut quiet, mut changing, mut counted_apart) = (true, false, false);
            for nth in 0..known.outcomes() {
                let patch = &self.steps.patches_of(&known)[nth as usize];
                let taken = (actor, known.first + nth, patch);
                let before = (&looked.packed, &looked.entries);
                quiet &= !patch.violates
                    && !patch.starts
                    && (!patch.touches_others()
                        || self.undisturbed.leaves_all(&self.steps, of, taken, before));
                changing |= patch.changed;
                counted_apart |= patch.counted_apart;
            }
            if !quiet {
                continue;
            }
            looked.quiet |= 1 << actor;
            looked.quiet_changing |= u16::from(changing) << actor;
            if let Some(bits) = ends_in {
                looked.ends |= 1 << (entry & bits);
            }
            let times = looked.times(&frame.roster, actor);
            self.found.transitions += times * u64::from(known.outcomes());
            if counted_apart {
                self.count_apart(&known, times);
            }
        }
    }

    /// Counts the outcomes of a quiet process that are counted one by one: each was taken once, if by so many.
    fn count_apart(&mut self, known: &Entry, times: u64) {
        for nth in 0..known.outcomes() {
            if self.steps.patches_of(known)[nth as usize].counted_apart {
                self.steps.outcomes[(known.first + nth) as usize].taken += times;
            }
        }
    }

    /// Those whom an actor's outcome surely leaves as they are, but for who is started.
    #[inline]
    fn undisturbed(
        &mut self,
        taken: (usize, u32, &Patch<W>),
        before: (&Packed<W>, &[u32; MAX_PROCESSES]),
    ) -> u16 {
        let of = (self.asked.product.system, &self.frame().layout, self.asked.monitor);
        self.undisturbed.of(&self.steps, of, taken, before)
    }

    /// Those of the processes `asked` with whose steps an outcome of an entry commutes.
    #[inline]
    fn commuting(&mut self, looked: &Looked<W>, taken: (u32, u32), asked: u16) -> u16 {
        let of = (self.asked.product.system, &self.frame().layout, self.asked.monitor);
        let Looked { packed, entries, ends, .. } = looked;
        let with_steps = looked.still() | looked.changing();
        let others = Others { before: packed, entries, with_steps, ends: *ends };
        self.commuting.commuting(&mut self.steps, of, taken, (others, asked))
    }

    /// The entry of a pair, for which the system is asked if need be.
    #[cold]
    #[inline(never)]
    fn find(&mut self, pair: Pair) -> u32 {
        let asked = self.asked;
        self.steps.entry_of(pair, (asked.product.system, &self.frame().layout, asked.monitor))
    }

    /// Takes all outcomes of the processes of which some are special, unless they are quiet; or of all, if they are to be
    /// told of one by one.
    #[inline(never)]
    fn take_special(&mut self, looked: &Looked<W>, visit: &mut dyn FnMut(Packed<W>)) {
        let (packed, frame, one_by_one) = (&looked.packed, self.frame(), self.whole());
        let whole = one_by_one.then(|| frame.layout.unpack(packed));
        let before = Before { packed: *packed, entries: &looked.entries, whole };
        let loud = looked.all_special() & !looked.quiet;
        let mut rest = if one_by_one { !looked.like_previous } else { loud };
        while rest != 0 {
            let actor = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let entry = looked.entries[actor];
            if entry == NONE {
                continue;
            }
            let times = looked.times(&frame.roster, actor);
            if one_by_one {
                self.steps.entries[entry as usize].visits += times as u32;
            }
            let known = self.steps.entries[entry as usize];
            let mut ordinal = 0;
            for nth in 0..known.outcomes() {
                let (outcome, patch) =
                    (known.first + nth, self.steps.patches_of(&known)[nth as usize]);
                let taken = Taken { actor, entry, outcome, times };
                self.take(&before, (taken, &patch), &mut ordinal, visit);
            }
        }
    }

    /// Takes one outcome.
    fn take(
        &mut self,
        before: &Before<'_, W>,
        (taken, patch): (Taken, &Patch<W>),
        ordinal: &mut u32,
        visit: &mut dyn FnMut(Packed<W>),
    ) {
        let (frame, product) = (self.frame(), &self.asked.product);
        let actor = taken.actor;
        if !self.is_sought(&frame.layout, &before.packed, patch) {
            return;
        }
        let place = frame.layout.place(actor);
        let left = match patch.touches_others() || patch.starts {
            true => {
                let before = (&before.packed, before.entries);
                self.undisturbed((actor, taken.outcome, patch), before)
            }
            false => ALL,
        };
        let own = (actor, place);
        let seen = own_step(product, &frame.layout, &before.packed, own, patch, left);
        if left == ALL && !patch.starts {
            return self.emit(before, (taken, patch), &seen.packed, true, ordinal, visit);
        }
        let effect = self.steps.outcomes[taken.outcome as usize].choice.effect;
        let affected = affect(product.system, actor, effect, &seen, |after| {
            if after.too_wide == 0 {
                self.emit(before, (taken, patch), &after.packed, after.alone, ordinal, visit);
            } else {
                self.blame(&before.packed, actor, taken.outcome);
            }
            ControlFlow::Continue(())
        });
        if let Err(PoolExhausted(kind)) = affected {
            let found = Some((before.packed, kind));
            self.found.exhausted = [self.found.exhausted, found].into_iter().flatten().min();
        }
    }

    /// Notes who came to a local state with too many bits when an outcome was taken.
    #[cold]
    #[inline(never)]
    fn blame(&mut self, before: &Packed<W>, actor: usize, outcome: u32) {
        let (frame, system) = (self.frame(), self.asked.product.system);
        let layout = &frame.layout;
        let Choice { shared: after, effect, .. } = self.steps.outcomes[outcome as usize].choice;
        let shared = layout.shared(before);
        for i in (0..layout.processes).filter(|i| *i != actor) {
            let (kind, local) = (frame.kind(i), layout.local(before, i));
            let seen = remembered(system, kind, (shared, after), local);
            let wrong = match effect {
                _ if layout.too_wide(seen) != 0 => Wrong::Remembered(seen),
                Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                    match woken(system, kind, seen, queue) {
                        Some(woken) if layout.too_wide(woken) != 0 => Wrong::Woken { queue, woken },
                        _ => continue,
                    }
                }
                Effect::None | Effect::Spawn(..) => continue,
            };
            self.steps.broken(Err(Fault { kind, shared, local, wrong }));
        }
    }

    /// Counts a transition and visits its end. `alone`: of the other processes nothing was changed.
    fn emit(
        &mut self,
        before: &Before<'_, W>,
        (taken, patch): (Taken, &Patch<W>),
        after: &Packed<W>,
        alone: bool,
        ordinal: &mut u32,
        visit: &mut dyn FnMut(Packed<W>),
    ) {
        let (frame, asked) = (self.frame(), self.asked);
        self.found.transitions += taken.times;
        self.found.followed += taken.times;
        // What else is known of an outcome is seldom at hand.
        if patch.counted_apart {
            self.steps.outcomes[taken.outcome as usize].taken += taken.times;
        }
        let mut violated = match patch.violates {
            true => self.steps.outcomes[taken.outcome as usize].violated,
            false => 0,
        };
        if let Some(whole) = &before.whole {
            let pair = self.steps.pair(taken.entry);
            let outcome = &self.steps.outcomes[taken.outcome as usize];
            let transition = Transition {
                before: whole,
                after: &frame.layout.unpack(after),
                actor: taken.actor,
                ordinal: *ordinal,
                step: pair.step(outcome),
            };
            violated |= beyond_step(asked.monitor, &asked.product, &transition);
            if M::ASKS == Asks::Whole {
                asked.monitor.record(&mut self.tally, &transition, violated);
            }
        }
        *ordinal += 1;
        if violated != 0 {
            self.found.offer(violated, &before.packed);
        }
        let symmetry = frame.symmetry;
        visit(if symmetry {
            frame.sorted(&frame.layout, taken.actor, *after, alone).0
        } else {
            *after
        });
    }
}

/// A set of processes before the actor, as they are when it has been moved to the place `to`: from there
/// on by one place.
#[inline]
fn moved_up(processes: u16, to: usize) -> u16 {
    let below = (1_u32 << to) as u16 - 1;
    processes & below | (processes & !below) << 1
}

/// The own step of the actor, whose local state is at `place`, and the history of all but those who are `left` as they
/// are; not the effect.
#[inline(always)]
fn own_step<'f, 'a, S: System, const W: usize>(
    product: &'f Product<'a, S>,
    layout: &'f Layout,
    before: &Packed<W>,
    (actor, place): (usize, u32),
    patch: &Patch<W>,
    left: u16,
) -> Fields<'f, 'a, S, W> {
    let mut packed = *before ^ patch.shared;
    layout.flip_at(&mut packed, place, patch.local);
    let mut seen = Fields { product, layout, packed, left, alone: true, too_wide: 0 };
    if left != ALL && patch.remembered {
        disturbed(before, actor, &mut seen);
    }
    seen
}

/// What the others remember of a change of the shared state.
#[inline(never)]
fn disturbed<S: System, const W: usize>(
    before: &Packed<W>,
    actor: usize,
    seen: &mut Fields<'_, '_, S, W>,
) {
    let change = (seen.layout.shared(before), seen.layout.shared(&seen.packed));
    let before = Fields { packed: *before, ..*seen };
    others_remember(seen.product.system, actor, change, &before, seen);
}

/// The processes of a packed state.
struct Fields<'f, 'a, S: System, const W: usize> {
    product: &'f Product<'a, S>,
    layout: &'f Layout,
    packed: Packed<W>,
    /// Those who are known to be left as they are.
    left: u16,
    /// Nobody was changed so far.
    alone: bool,
    /// Somebody came to a local state with more bits than there are; its bits beyond.
    too_wide: u64,
}

impl<S: System, const W: usize> Clone for Fields<'_, '_, S, W> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<S: System, const W: usize> Processes for Fields<'_, '_, S, W> {
    #[inline]
    fn count(&self) -> usize {
        self.product.processes()
    }

    #[inline]
    fn kind(&self, i: usize) -> Kind {
        self.product.roster().kind(i)
    }

    #[inline]
    fn local(&self, i: usize) -> Local {
        self.layout.local(&self.packed, i)
    }

    #[inline]
    fn is_left(&self, i: usize) -> bool {
        self.left >> i & 1 != 0
    }

    #[inline]
    fn change(&mut self, i: usize, from: Local, to: Local) {
        self.alone &= from == to;
        self.too_wide |= self.layout.too_wide(to);
        self.layout.flip(&mut self.packed, i, from ^ to);
    }
}
