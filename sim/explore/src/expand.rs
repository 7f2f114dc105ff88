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
use crate::steps::{NONE, Pair, Patch, Steps};
use crate::stuck::Rescue;
use crate::system::{DORMANT, Effect, Kind, Local, Queue, System};

/// What every worker of a search shares about the system.
pub(crate) struct Frame<'a, S: System> {
    pub product: Product<'a, S>,
    pub layout: Layout,
    pub symmetry: bool,
}

impl<S: System> Frame<'_, S> {
    /// The packed state of which all that differ by exchanging processes are taken for one.
    pub fn canonical<const W: usize>(&self, c: &Configuration) -> Packed<W> {
        let mut c = *c;
        if self.symmetry {
            self.product.canonicalize(&mut c);
        }
        self.layout.pack(&c)
    }

    fn kind(&self, i: usize) -> Kind {
        self.product.kind(i)
    }
}

/// What a worker finds and counts while it expands.
pub(crate) struct Found<const W: usize> {
    pub transitions: u64,
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
    fn new() -> Self {
        Self {
            transitions: 0,
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
    pub tally: M::Tally,
    pub found: Found<W>,
}

/// The state that is being expanded.
struct Before<const W: usize> {
    packed: Packed<W>,
    locals: [Local; MAX_PROCESSES],
    /// Only if the monitor asks for whole states.
    whole: Option<Configuration>,
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
            tally: M::Tally::default(),
            found: Found::new(),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.steps.bytes() + self.rescue.bytes()
    }

    /// Tells the monitor of the steps taken since the last time.
    pub fn record(&mut self) {
        self.steps.record(self.monitor, &mut self.tally);
    }

    /// Calls `visit` with every successor, canonical if symmetry is on; with equal ones as often as
    /// it likes. Returns the processes that are blocked and for which it was not seen at once that
    /// they can run again by ordinary steps.
    #[inline]
    pub fn expand(&mut self, packed: Packed<W>, mut visit: impl FnMut(Packed<W>)) -> u16 {
        let frame = self.frame;
        let processes = frame.product.processes();
        if self.steps.is_full(processes) {
            self.record();
            self.steps.clear();
            self.rescue.clear();
        }
        let layout = frame.layout;
        let shared = layout.shared(&packed);
        let mut before = Before { packed, locals: [0; MAX_PROCESSES], whole: None };
        for (i, local) in before.locals[..processes].iter_mut().enumerate() {
            *local = layout.local(&packed, i);
        }
        if M::WHOLE {
            before.whole = Some(Configuration { shared, locals: before.locals });
        }
        let all_times = self.times(&before.locals);
        let row = self.steps.row(shared);
        let mut entries = [NONE; MAX_PROCESSES];
        let mut blocked = 0_u16;
        for actor in 0..processes {
            let local = before.locals[actor];
            if local == DORMANT {
                continue;
            }
            let pair = Pair { kind: frame.kind(actor), shared, local };
            let context = (frame.product.system, &frame.layout, self.monitor);
            let number = self.steps.entry(row, pair, context);
            entries[actor] = number;
            let entry = &mut self.steps.entries[number as usize];
            blocked |= u16::from(entry.blocked) << actor;
            let times = all_times.map_or(1, |times| times[actor]);
            if times == 0 {
                continue;
            }
            entry.visits += times;
            let outcomes = entry.first..entry.first + entry.outcomes;
            let mut ordinal = 0;
            for outcome in outcomes {
                let patch = self.steps.patches[outcome as usize];
                if M::WHOLE || patch.special {
                    let taken = Taken { actor, outcome, times };
                    self.take(&before, taken, &patch, &mut ordinal, &mut visit);
                    continue;
                }
                self.found.transitions += times;
                let (after, alone) = self.own_step(&layout, &before, actor, &patch);
                visit(self.canonical(&layout, &before, actor, after, alone));
            }
        }
        if blocked == 0 {
            return 0;
        }
        self.found.blocked_states += 1;
        let steps = &mut self.steps;
        self.rescue.unresolved(frame.product.system, steps, &entries[..processes], blocked)
    }

    /// By process: for how many it is expanded. `None`: for itself alone.
    #[inline]
    fn times(&self, locals: &[Local; MAX_PROCESSES]) -> Option<[u64; MAX_PROCESSES]> {
        if !self.frame.symmetry || M::WHOLE {
            return None;
        }
        let mut times = [1; MAX_PROCESSES];
        for i in (1..self.frame.product.processes()).rev() {
            let previous = self.frame.product.previous(i);
            if previous != i && locals[previous] == locals[i] {
                times[previous] += times[i];
                times[i] = 0;
            }
        }
        Some(times)
    }

    /// The actor's own step and everybody's history; not the effect. Also whether all the other
    /// processes are as they were.
    #[inline]
    fn own_step(
        &self,
        layout: &Layout,
        before: &Before<W>,
        actor: usize,
        patch: &Patch<W>,
    ) -> (Packed<W>, bool) {
        let product = &self.frame.product;
        let mut after = before.packed ^ patch.shared;
        layout.flip(&mut after, actor, patch.local);
        let mut alone = true;
        if patch.changed {
            let (old, new) = (layout.shared(&before.packed), layout.shared(&after));
            for i in 0..product.processes() {
                let local = before.locals[i];
                if i == actor || local == DORMANT {
                    continue;
                }
                let remembered = product.system.observe(product.kind(i), old, new, local);
                if remembered != local {
                    alone = false;
                    layout.flip(&mut after, i, local ^ remembered);
                }
            }
        }
        (after, alone)
    }

    /// The canonical form of a successor. `alone`: of the other processes nothing was changed.
    #[inline]
    fn canonical(
        &self,
        layout: &Layout,
        before: &Before<W>,
        actor: usize,
        mut after: Packed<W>,
        alone: bool,
    ) -> Packed<W> {
        if !self.frame.symmetry {
            after
        } else if alone {
            let local = layout.local(&after, actor);
            self.reinsert(&mut after, &before.locals, actor, local);
            after
        } else {
            self.frame.canonical(&layout.unpack(&after))
        }
    }

    /// Gives process `actor` of a sorted state the local state `local` and sorts again.
    #[inline]
    fn reinsert(
        &self,
        packed: &mut Packed<W>,
        locals: &[Local; MAX_PROCESSES],
        actor: usize,
        local: Local,
    ) {
        let product = &self.frame.product;
        let mut to = actor;
        while product.previous(to) != to && locals[product.previous(to)] > local {
            to = product.previous(to);
        }
        while product.next(to) != to && locals[product.next(to)] < local {
            to = product.next(to);
        }
        if product.contiguous() {
            self.frame.layout.reinsert(packed, actor, to, local);
        } else {
            let mut c = self.frame.layout.unpack(packed);
            c.locals[actor] = local;
            product.canonicalize(&mut c);
            *packed = self.frame.layout.pack(&c);
        }
    }

    /// Takes an outcome that is not plain.
    fn take(
        &mut self,
        before: &Before<W>,
        taken: Taken,
        patch: &Patch<W>,
        ordinal: &mut u32,
        visit: &mut impl FnMut(Packed<W>),
    ) {
        let frame = self.frame;
        let processes = frame.product.processes();
        let actor = taken.actor;
        let choice = self.steps.outcomes[taken.outcome as usize].choice;
        let (mut after, mut alone) = self.own_step(&frame.layout, before, actor, patch);
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
        visit(self.canonical(&frame.layout, before, taken.actor, *after, alone));
    }
}
