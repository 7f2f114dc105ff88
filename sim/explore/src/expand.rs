//! The successors of one packed state, by flipping bits of it.
//!
//! Says the same as [`Product::successors`], which works on whole states and is the plainer of the
//! two; traces are rebuilt and replayed with that one. Only what a step changes is touched: the
//! actor's field, the shared bits, and other processes' fields where they remember the change or are
//! woken. With symmetry on, processes of one kind in one local state are expanded once and counted as
//! often as there are.

use crate::bfs::Monitor;
use crate::packed::{Layout, Packed};
use crate::product::{Configuration, MAX_PROCESSES, Product, Transition};
use crate::sleep::{Commuting, Spare};
use crate::steps::{NONE, Pair, Patch, SPECIAL, STILL, Steps};
use crate::stuck::Rescue;
use crate::system::{DORMANT, Effect, Kind, Local, Queue, System};

/// What every worker of a search shares about the system.
pub(crate) struct Frame<'a, S: System> {
    pub product: Product<'a, S>,
    pub layout: Layout,
    pub symmetry: bool,
    /// Nobody sleeps.
    pub follow_all: bool,
}

impl<S: System> Frame<'_, S> {
    /// Where the sleep set of a stored state is.
    pub fn spare<const W: usize>(&self) -> Spare {
        Spare::of::<W>(&self.layout)
    }

    /// The packed state of which all that differ by exchanging processes are taken for one.
    pub fn canonical<const W: usize>(&self, c: &Configuration) -> Packed<W> {
        let mut c = *c;
        if self.symmetry {
            self.product.canonicalize(&mut c);
        }
        self.layout.pack(&c)
    }

    /// The canonical form of a successor of a canonical state, and where the actor is in it, if the
    /// others closed up around it. `alone`: of the processes other than the actor nothing was changed.
    #[inline]
    fn sorted<const W: usize>(
        &self,
        layout: &Layout,
        actor: usize,
        mut after: Packed<W>,
        alone: bool,
    ) -> (Packed<W>, Option<usize>) {
        let product = &self.product;
        if !alone || !product.contiguous() {
            return (self.sorted_anew(&after), None);
        }
        let local = layout.local(&after, actor);
        let mut to = actor;
        while product.previous(to) != to && layout.local(&after, product.previous(to)) > local {
            to = product.previous(to);
        }
        if to == actor {
            while product.next(to) != to && layout.local(&after, product.next(to)) < local {
                to = product.next(to);
            }
        }
        layout.reinsert(&mut after, actor, to, local);
        (after, Some(to))
    }

    /// The same, however much was changed.
    #[inline(never)]
    fn sorted_anew<const W: usize>(&self, after: &Packed<W>) -> Packed<W> {
        self.canonical(&self.layout.unpack(after))
    }

    #[inline]
    fn kind(&self, i: usize) -> Kind {
        self.product.kind_of(i)
    }
}

/// What a worker finds and counts while it expands.
pub(crate) struct Found<const W: usize> {
    pub transitions: u64,
    /// Of these, those that were followed.
    pub followed: u64,
    pub blocked_states: u64,
    /// The least state of the first level in which a step found no dormant process to start, and the
    /// kind; likewise the states in which each property was first violated.
    pub exhausted: Option<(Packed<W>, Kind)>,
    pub first: [Option<(u32, Packed<W>)>; 64],
    /// Properties of `first` that were violated on an earlier level than the present one.
    settled: u64,
    pub level: u32,
}

impl<const W: usize> Found<W> {
    pub fn new() -> Self {
        Self {
            transitions: 0,
            followed: 0,
            blocked_states: 0,
            exhausted: None,
            first: [None; 64],
            settled: 0,
            level: 0,
        }
    }

    /// The properties that were violated.
    pub fn violated(&self) -> u64 {
        (0..64).filter(|p| self.first[*p].is_some()).fold(0, |mask, p| mask | 1 << p)
    }

    /// Begins a level.
    pub fn enter(&mut self, level: u32) {
        self.settled = self.violated();
        self.level = level;
    }

    /// Adds what another worker found.
    pub fn add(&mut self, other: &Self) {
        self.transitions += other.transitions;
        self.followed += other.followed;
        self.blocked_states += other.blocked_states;
        self.exhausted = [self.exhausted, other.exhausted].into_iter().flatten().min();
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            *mine = [*mine, *theirs].into_iter().flatten().min();
        }
    }

    fn offer(&mut self, violated: u64, state: &Packed<W>) {
        let mut bits = violated & !self.settled;
        while bits != 0 {
            let slot = &mut self.first[bits.trailing_zeros() as usize];
            *slot = [*slot, Some((self.level, *state))].into_iter().flatten().min();
            bits &= bits - 1;
        }
    }
}

/// Expands states.
pub(crate) struct Expander<'a, S: System, M: Monitor<S>, const W: usize> {
    frame: &'a Frame<'a, S>,
    monitor: &'a M,
    pub steps: Steps<S::Label, W>,
    rescue: Rescue,
    commuting: Commuting,
    pub tally: M::Tally,
    pub found: Found<W>,
}

/// The state that is being expanded.
struct Before<const W: usize> {
    packed: Packed<W>,
    /// Only if the monitor asks for whole states.
    whole: Option<Configuration>,
}

/// What the processes of a state can do.
struct Gathered {
    /// By process.
    entries: [u32; MAX_PROCESSES],
    /// Of process i, bit i: BLOCKED and SPECIAL.
    flags: u32,
    /// Those with steps that leave the shared state as it is, and those of which some step does not; of
    /// equal ones the first; none with special steps.
    still: u16,
    changing: u16,
}

/// One process of that state that takes one outcome.
#[derive(Clone, Copy)]
struct Taken {
    actor: usize,
    outcome: u32,
    /// How many transitions this one stands for.
    times: u64,
}

impl<'a, S: System, M: Monitor<S>, const W: usize> Expander<'a, S, M, W> {
    pub fn new(frame: &'a Frame<'a, S>, monitor: &'a M) -> Self {
        let kinds = (0..frame.product.processes()).map(|i| frame.kind(i));
        Self {
            frame,
            monitor,
            steps: Steps::new(&frame.layout, kinds),
            rescue: Rescue::default(),
            commuting: Commuting::new(),
            tally: M::Tally::default(),
            found: Found::new(),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.steps.bytes() + self.rescue.bytes() + self.commuting.bytes()
    }

    /// Tells the monitor of the steps taken since the last time.
    pub fn record(&mut self) {
        self.steps.record(self.monitor, &mut self.tally);
    }

    /// Calls `visit` with the successors, canonical if symmetry is on, and the sleep set of each; with
    /// equal ones as often as it likes; not with those that the processes lead to that are `asleep`,
    /// unless by special steps. Returns the processes that are blocked and for which it was not seen at once that
    /// they can run again by ordinary steps.
    #[inline]
    pub fn expand(
        &mut self,
        packed: Packed<W>,
        asleep: u16,
        visit: impl FnMut(Packed<W>, u16),
    ) -> u16 {
        if self.steps.is_full(MAX_PROCESSES) {
            self.record();
            self.steps.clear();
            self.rescue.clear();
            self.commuting.clear();
        }
        if self.frame.symmetry {
            self.expand_by::<true>(packed, asleep, visit)
        } else {
            self.expand_by::<false>(packed, asleep, visit)
        }
    }

    #[inline]
    fn expand_by<const SYMMETRY: bool>(
        &mut self,
        packed: Packed<W>,
        asleep: u16,
        mut visit: impl FnMut(Packed<W>, u16),
    ) -> u16 {
        let frame = self.frame;
        let layout = frame.layout;
        let all_times = if SYMMETRY { self.times(&layout, &packed) } else { [1; MAX_PROCESSES] };
        let all = self.gather::<SYMMETRY>(&layout, &packed, &all_times);
        let entries = &all.entries;
        let mut followed = 0;
        let mut awake = (all.still | all.changing) & !asleep;
        while awake != 0 {
            let actor = awake.trailing_zeros() as usize;
            awake &= awake - 1;
            let place = layout.place(actor);
            let before = (1 << actor) - 1;
            let before =
                if frame.follow_all { (0, 0) } else { (all.still & before, all.changing & before) };
            // Others' history and wake-ups aside, a step is bits to be flipped.
            let entry = &self.steps.entries[entries[actor] as usize];
            followed += u64::from(all_times[actor]) * u64::from(entry.outcomes);
            for outcome in entry.first..entry.first + u32::from(entry.outcomes) {
                let patch = self.steps.patches[outcome as usize];
                let (after, alone) = own_step(frame, &layout, &packed, (actor, place), &patch);
                let sleepers = self.sleepers(entries, (actor, outcome, patch.changed), before);
                if SYMMETRY {
                    let (after, to) = frame.sorted(&layout, actor, after, alone);
                    visit(after, to.map_or(0, |to| moved_up(sleepers, to)));
                } else {
                    visit(after, sleepers);
                }
            }
        }
        let (entries, flags) = (all.entries, all.flags);
        self.found.followed += followed;
        if M::WHOLE || flags >= SPECIAL {
            self.take_special(&packed, &entries, &all_times, &mut |after| visit(after, 0));
        }
        let blocked = flags as u16;
        if blocked == 0 {
            return 0;
        }
        self.found.blocked_states += 1;
        self.rescue.unresolved(frame.product.system, &mut self.steps, &entries, blocked)
    }

    /// Looks up what each process can do, and counts what is taken step by step, whoever sleeps.
    #[inline(always)]
    fn gather<const SYMMETRY: bool>(
        &mut self,
        layout: &Layout,
        packed: &Packed<W>,
        times: &[u8; MAX_PROCESSES],
    ) -> Gathered {
        let shared = layout.shared(packed);
        let row = self.steps.row(shared);
        let mut all = Gathered { entries: [NONE; MAX_PROCESSES], flags: 0, still: 0, changing: 0 };
        let mut transitions = 0;
        let mut next = layout.shared_bits;
        for actor in 0..layout.processes {
            let local = layout.local_at(packed, next);
            next += layout.local_bits;
            if local == DORMANT {
                continue;
            }
            let mut number = self.steps.entry(&row, self.frame.kind(actor), shared, local);
            if number == NONE {
                number = self.ask(actor, packed);
            }
            all.entries[actor % MAX_PROCESSES] = number;
            let entry = &mut self.steps.entries[number as usize];
            all.flags |= entry.flags << actor;
            if M::WHOLE {
                continue;
            }
            let times = if SYMMETRY { times[actor % MAX_PROCESSES] } else { 1 };
            let (moves, counted) =
                if entry.moves == 0 || times == 0 { (0, 0) } else { (entry.moves, times) };
            entry.visits += u64::from(counted);
            transitions += u64::from(counted) * u64::from(entry.outcomes);
            all.still |= u16::from(moves & STILL) << actor;
            all.changing |= u16::from(moves >> 1) << actor;
        }
        self.found.transitions += transitions;
        all
    }

    /// The processes before the actor that sleep after its step. `still`, `changing`: those of them that
    /// have steps.
    #[inline]
    fn sleepers(
        &mut self,
        entries: &[u32; MAX_PROCESSES],
        (actor, outcome, changed): (usize, u32, bool),
        (still, changing): (u16, u16),
    ) -> u16 {
        // Of two steps that change nothing shared, both orders are the same.
        let (mut sleepers, mut asked) = if changed { (0, still) } else { (still, changing) };
        while asked != 0 {
            let other = asked.trailing_zeros() as usize;
            asked &= asked - 1;
            let pair = (entries[actor % MAX_PROCESSES], outcome, entries[other % MAX_PROCESSES]);
            let of = (self.frame.product.system, &self.frame.layout, self.monitor);
            sleepers |= u16::from(self.commuting.commute(&mut self.steps, of, pair)) << other;
        }
        sleepers
    }

    /// Asks the system what a process can do.
    #[cold]
    #[inline(never)]
    fn ask(&mut self, actor: usize, packed: &Packed<W>) -> u32 {
        let layout = &self.frame.layout;
        let (shared, local) = (layout.shared(packed), layout.local(packed, actor));
        let pair = Pair { kind: self.frame.kind(actor), shared, local };
        self.steps.ask(pair, (self.frame.product.system, layout, self.monitor))
    }

    /// By process of a sorted state: for how many it is expanded.
    #[inline]
    fn times(&self, layout: &Layout, packed: &Packed<W>) -> [u8; MAX_PROCESSES] {
        let mut times = [1; MAX_PROCESSES];
        if M::WHOLE {
            // Each transition is told of by itself.
            return times;
        }
        let product = &self.frame.product;
        for i in (1..layout.processes).rev() {
            let previous = product.previous(i);
            if previous != i && layout.local(packed, previous) == layout.local(packed, i) {
                times[previous % MAX_PROCESSES] += times[i % MAX_PROCESSES];
                times[i % MAX_PROCESSES] = 0;
            }
        }
        times
    }

    /// Takes all outcomes of the processes of which some are special, or that are to be told of one
    /// by one.
    #[inline(never)]
    fn take_special(
        &mut self,
        packed: &Packed<W>,
        entries: &[u32; MAX_PROCESSES],
        times: &[u8; MAX_PROCESSES],
        visit: &mut impl FnMut(Packed<W>),
    ) {
        let whole = M::WHOLE.then(|| self.frame.layout.unpack(packed));
        let before = Before { packed: *packed, whole };
        for (actor, (&entry, &times)) in entries.iter().zip(times).enumerate() {
            if entry == NONE || times == 0 {
                continue;
            }
            let entry = &mut self.steps.entries[entry as usize];
            if !M::WHOLE && entry.flags & SPECIAL == 0 {
                continue;
            }
            let times = u64::from(times);
            entry.visits += times;
            let mut ordinal = 0;
            for outcome in entry.first..entry.first + u32::from(entry.outcomes) {
                self.take(&before, Taken { actor, outcome, times }, &mut ordinal, visit);
            }
        }
    }

    /// Takes one outcome.
    fn take(
        &mut self,
        before: &Before<W>,
        taken: Taken,
        ordinal: &mut u32,
        visit: &mut impl FnMut(Packed<W>),
    ) {
        let frame = self.frame;
        let processes = frame.product.processes();
        let actor = taken.actor;
        let choice = self.steps.outcomes[taken.outcome as usize].choice;
        let patch = self.steps.patches[taken.outcome as usize];
        let place = frame.layout.place(actor);
        let (mut after, mut alone) =
            own_step(frame, &frame.layout, &before.packed, (actor, place), &patch);
        match choice.effect {
            Effect::None => {}
            Effect::WakeAll(queue) => {
                for i in 0..processes {
                    if let Some(flipped) = self.woken(&after, actor, i, queue) {
                        alone &= flipped == 0;
                        frame.layout.flip(&mut after, i, flipped);
                    }
                }
            }
            Effect::WakeOne(queue) => {
                let mut nobody = true;
                for i in 0..processes {
                    if let Some(flipped) = self.woken(&after, actor, i, queue) {
                        nobody = false;
                        let mut woken = after;
                        frame.layout.flip(&mut woken, i, flipped);
                        self.emit(before, taken, &woken, alone && flipped == 0, ordinal, visit);
                    }
                }
                if nobody {
                    self.emit(before, taken, &after, alone, ordinal, visit);
                }
                return;
            }
            Effect::Spawn(kind, local) => {
                let free = (0..processes).find(|&i| {
                    i != actor && frame.kind(i) == kind && frame.layout.local(&after, i) == DORMANT
                });
                let Some(free) = free else {
                    let found = Some((before.packed, kind));
                    let least = [self.found.exhausted, found].into_iter().flatten().min();
                    self.found.exhausted = least;
                    return;
                };
                alone &= local == DORMANT;
                frame.layout.flip(&mut after, free, local);
            }
        }
        self.emit(before, taken, &after, alone, ordinal, visit);
    }

    /// What waking `queue` flips of process `i`, if it is asleep there.
    fn woken(&self, c: &Packed<W>, actor: usize, i: usize, queue: Queue) -> Option<Local> {
        let local = self.frame.layout.local(c, i);
        if i == actor || local == DORMANT {
            return None;
        }
        Some(local ^ self.frame.product.system.wake(self.frame.kind(i), local, queue)?)
    }

    /// Counts a transition and visits its end. `alone`: of the other processes nothing was changed.
    fn emit(
        &mut self,
        before: &Before<W>,
        taken: Taken,
        after: &Packed<W>,
        alone: bool,
        ordinal: &mut u32,
        visit: &mut impl FnMut(Packed<W>),
    ) {
        let frame = self.frame;
        self.found.transitions += taken.times;
        self.found.followed += taken.times;
        let outcome = &mut self.steps.outcomes[taken.outcome as usize];
        outcome.taken += taken.times;
        let mut violated = outcome.violated;
        if let Some(whole) = &before.whole {
            let transition = Transition {
                before: whole,
                after: &frame.layout.unpack(after),
                actor: taken.actor,
                kind: frame.kind(taken.actor),
                ordinal: *ordinal,
                label: outcome.choice.label,
                way_out: outcome.choice.way_out,
                footprint: outcome.choice.footprint,
                effect: outcome.choice.effect,
            };
            violated |= self.monitor.violates(&transition);
            self.monitor.record(&mut self.tally, &transition, violated);
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

/// The own step of the actor, whose local state is at `place`, and everybody's history; not the
/// effect. Also whether all the other processes are as they were.
#[inline]
fn own_step<S: System, const W: usize>(
    frame: &Frame<'_, S>,
    layout: &Layout,
    before: &Packed<W>,
    (actor, place): (usize, u32),
    patch: &Patch<W>,
) -> (Packed<W>, bool) {
    let product = &frame.product;
    let mut after = *before ^ patch.shared;
    layout.flip_at(&mut after, place, patch.local);
    let mut alone = true;
    if patch.changed {
        let (old, new) = (layout.shared(before), layout.shared(&after));
        for i in 0..product.processes() {
            let local = layout.local(before, i);
            if i == actor || local == DORMANT {
                continue;
            }
            let remembered = product.system.observe(product.kind_of(i), old, new, local);
            if remembered != local {
                alone = false;
                layout.flip(&mut after, i, local ^ remembered);
            }
        }
    }
    (after, alone)
}
