//! The product of a fixed number of processes: whole states and their transitions, derived from
//! [`System::step`].

use std::ops::ControlFlow;

use super::interface::{
    Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};

/// Most processes in a product. (More callers of one kind are for the counted form.)
pub const MAX_PROCESSES: usize = 16;

/// A whole state: the shared state and the local state of each process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Configuration {
    /// The shared state.
    pub shared: Shared,
    /// The local states; those at and beyond the number of processes are 0.
    pub locals: [Local; MAX_PROCESSES],
}

/// One transition between two whole states.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a, Label> {
    /// The state before.
    pub before: &'a Configuration,
    /// The state after.
    pub after: &'a Configuration,
    /// Which process stepped.
    pub actor: usize,
    /// Its kind.
    pub kind: Kind,
    /// Which of its alternatives in `before` this is, counted from 0.
    pub ordinal: u32,
    /// What the step is called.
    pub label: Label,
    /// Ordinary step or way out.
    pub way_out: WayOut,
    /// What the actor's own step read and wrote.
    pub footprint: Footprint,
    /// What the step did to others.
    pub effect: Effect,
}

/// The part of a transition that the actor alone decides, wherever the others stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<Label> {
    /// The actor's kind.
    pub kind: Kind,
    /// The shared state before.
    pub before: Shared,
    /// The shared state after.
    pub after: Shared,
    /// The actor's local state before.
    pub local_before: Local,
    /// The actor's local state after, with what it remembers of its own change.
    pub local_after: Local,
    /// What the step is called.
    pub label: Label,
    /// Ordinary step or way out.
    pub way_out: WayOut,
    /// What was read and written.
    pub footprint: Footprint,
    /// What the step does to others.
    pub effect: Effect,
}

impl<Label: Copy> Transition<'_, Label> {
    /// What the actor alone decided.
    pub fn step(&self) -> Step<Label> {
        Step {
            kind: self.kind,
            before: self.before.shared,
            after: self.after.shared,
            local_before: self.local_before(),
            local_after: self.local_after(),
            label: self.label,
            way_out: self.way_out,
            footprint: self.footprint,
            effect: self.effect,
        }
    }

    /// The actor's local state before.
    pub fn local_before(&self) -> Local {
        self.before.locals[self.actor]
    }

    /// The actor's local state after.
    pub fn local_after(&self) -> Local {
        self.after.locals[self.actor]
    }
}

/// What the successor function can report besides transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolExhausted(pub Kind);

/// A system with the number of processes that its initial state names.
pub struct Product<'a, S: System> {
    /// The system.
    pub system: &'a S,
    kinds: [Kind; MAX_PROCESSES],
    /// By process: the one before it of the same kind; itself, if it is the first of its kind.
    previous: [usize; MAX_PROCESSES],
    /// Likewise the one after it.
    next: [usize; MAX_PROCESSES],
    /// The processes of each kind stand together.
    contiguous: bool,
    processes: usize,
    initial: Configuration,
}

impl<'a, S: System> Product<'a, S> {
    /// The product for `system.initial()`; `None` if that has more than [`MAX_PROCESSES`].
    pub fn new(system: &'a S) -> Option<Self> {
        let Initial { shared, processes } = system.initial();
        if processes.len() > MAX_PROCESSES {
            return None;
        }
        let mut kinds = [Kind(0); MAX_PROCESSES];
        let mut locals = [0; MAX_PROCESSES];
        for (i, (kind, local)) in processes.iter().enumerate() {
            kinds[i] = *kind;
            locals[i] = *local;
        }
        let previous = std::array::from_fn(|i| {
            let same = |j: &usize| *j < processes.len() && kinds[*j] == kinds[i];
            (0..i).rev().find(same).unwrap_or(i)
        });
        let next = std::array::from_fn(|i| {
            (i + 1..processes.len()).find(|j| kinds[*j] == kinds[i]).unwrap_or(i)
        });
        let initial = Configuration { shared, locals };
        let contiguous = (0..processes.len()).all(|i| next[i] <= i + 1);
        let processes = processes.len();
        Some(Self { system, kinds, previous, next, contiguous, processes, initial })
    }

    /// How many processes there are.
    pub fn processes(&self) -> usize {
        self.processes
    }

    /// The kind of process `i`, which there is: the remainder tells that to the compiler.
    #[inline]
    pub(crate) fn kind_of(&self, i: usize) -> Kind {
        self.kinds[i % MAX_PROCESSES]
    }

    /// The kind of process `i`.
    pub fn kind(&self, i: usize) -> Kind {
        self.kinds[i]
    }

    /// The process before `i` of the same kind; `i` itself, if it is the first.
    #[inline]
    pub(crate) fn previous(&self, i: usize) -> usize {
        self.previous[i % MAX_PROCESSES]
    }

    /// The process after `i` of the same kind; `i` itself, if it is the last.
    #[inline]
    pub(crate) fn next(&self, i: usize) -> usize {
        self.next[i % MAX_PROCESSES]
    }

    /// Whether the processes of each kind stand together.
    #[inline]
    pub(crate) fn contiguous(&self) -> bool {
        self.contiguous
    }

    /// The initial state.
    pub fn initial(&self) -> Configuration {
        self.initial
    }

    /// Whether process `i` has nothing more to do.
    pub fn returned(&self, configuration: &Configuration, i: usize) -> bool {
        let local = configuration.locals[i];
        local == DORMANT || self.system.returned(self.kinds[i], local)
    }

    /// Sorts the local states of the processes of each kind. Returns where each process went, so
    /// that process `i` of the argument is process `result[i]` of the sorted one.
    pub fn canonicalize(&self, configuration: &mut Configuration) -> [u8; MAX_PROCESSES] {
        let mut origin: [u8; MAX_PROCESSES] = std::array::from_fn(|i| i as u8);
        // Insertion sort: a handful of elements, nearly sorted, because one step changes one local.
        for i in 1..self.processes {
            let mut j = i;
            let mut previous = self.previous[j];
            while configuration.locals[previous] > configuration.locals[j] {
                configuration.locals.swap(previous, j);
                origin.swap(previous, j);
                j = previous;
                previous = self.previous[j];
            }
        }
        let mut went = [0; MAX_PROCESSES];
        for (to, from) in origin.iter().enumerate() {
            went[usize::from(*from)] = to as u8;
        }
        went
    }

    /// Visits every transition from `configuration`, process by process. `scratch` is only there to
    /// be reused.
    ///
    /// # Errors
    /// The first step that wanted a dormant process and found none. The other transitions are
    /// visited all the same, so that what is found does not depend on the order of processes.
    pub fn successors(
        &self,
        configuration: &Configuration,
        scratch: &mut Vec<Choice<S::Label>>,
        mut visit: impl FnMut(&Transition<'_, S::Label>) -> ControlFlow<()>,
    ) -> Result<(), PoolExhausted> {
        let mut exhausted = Ok(());
        for actor in 0..self.processes {
            let local = configuration.locals[actor];
            if local == DORMANT {
                continue;
            }
            scratch.clear();
            self.system.step(self.kinds[actor], configuration.shared, local, scratch);
            let mut ordinal = 0;
            for choice in scratch.iter() {
                let mut emit = |after: &Configuration| {
                    let transition = Transition {
                        before: configuration,
                        after,
                        actor,
                        kind: self.kinds[actor],
                        ordinal,
                        label: choice.label,
                        way_out: choice.way_out,
                        footprint: choice.footprint,
                        effect: choice.effect,
                    };
                    ordinal += 1;
                    visit(&transition)
                };
                let mut after = self.apply(configuration, actor, choice);
                let flow = match choice.effect {
                    Effect::None => emit(&after),
                    Effect::WakeAll(queue) => {
                        for i in 0..self.processes {
                            if let Some(woken) = self.wake(&after, actor, i, queue) {
                                after.locals[i] = woken;
                            }
                        }
                        emit(&after)
                    }
                    Effect::WakeOne(queue) => {
                        let asleep = after;
                        let mut woke_one = false;
                        let mut flow = ControlFlow::Continue(());
                        for i in 0..self.processes {
                            if let Some(woken) = self.wake(&asleep, actor, i, queue) {
                                woke_one = true;
                                after = asleep;
                                after.locals[i] = woken;
                                flow = emit(&after);
                                if flow.is_break() {
                                    break;
                                }
                            }
                        }
                        if woke_one { flow } else { emit(&asleep) }
                    }
                    Effect::Spawn(kind, local) => {
                        let free = (0..self.processes).find(|&i| {
                            i != actor && self.kinds[i] == kind && after.locals[i] == DORMANT
                        });
                        let Some(free) = free else {
                            exhausted = exhausted.and(Err(PoolExhausted(kind)));
                            continue;
                        };
                        after.locals[free] = local;
                        emit(&after)
                    }
                };
                if flow.is_break() {
                    return Ok(());
                }
            }
        }
        exhausted
    }

    /// The local state of process `i` once `actor` has woken `queue`, if it was asleep there.
    fn wake(&self, c: &Configuration, actor: usize, i: usize, queue: Queue) -> Option<Local> {
        (i != actor && c.locals[i] != DORMANT)
            .then(|| self.system.wake(self.kinds[i], c.locals[i], queue))
            .flatten()
    }

    /// The actor's own step and everybody's history; not the effect.
    fn apply(
        &self,
        before: &Configuration,
        actor: usize,
        choice: &Choice<S::Label>,
    ) -> Configuration {
        debug_assert!(
            fits(choice.shared, self.system.shared_bits()),
            "shared state out of its bits"
        );
        debug_assert!(
            fits(u128::from(choice.local), self.system.local_bits()),
            "local state out of its bits"
        );
        debug_assert_eq!(
            (before.shared ^ choice.shared) & !choice.footprint.writes,
            0,
            "a step changed bits that it did not declare: {:?}",
            choice.label
        );
        let mut after = *before;
        after.shared = choice.shared;
        after.locals[actor] = choice.local;
        if before.shared != after.shared {
            for i in 0..self.processes {
                if after.locals[i] != DORMANT {
                    after.locals[i] = self.system.observe(
                        self.kinds[i],
                        before.shared,
                        after.shared,
                        after.locals[i],
                    );
                }
            }
        }
        after
    }
}

/// How many processes are where.
pub trait Census {
    /// How many processes of the kind are in the local state.
    fn count(&self, kind: Kind, local: Local) -> usize;
}

/// Whether `word` uses only its low `bits` bits.
pub(crate) fn fits(word: u128, bits: u32) -> bool {
    bits >= 128 || word >> bits == 0
}
