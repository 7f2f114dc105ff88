//! The product of a fixed number of processes: whole states and their transitions, derived from
//! [`System::step`].

use std::ops::{ControlFlow, Deref};

use super::interface::{Choice, Initial, Kind, Local, Shared, System};
use super::successor::{PoolExhausted, Processes, Step, alternatives, is_at_rest};

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

/// One transition between two whole states. What the actor alone decides of it, its [`Step`], can be read
/// as if it stood here.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a, Label, State = Configuration> {
    /// The state before.
    pub before: &'a State,
    /// The state after.
    pub after: &'a State,
    /// Which process stepped.
    pub actor: usize,
    /// Which of its alternatives in `before` this is, counted from 0.
    pub ordinal: u32,
    /// What it did.
    pub step: Step<Label>,
}

impl<Label, State> Deref for Transition<'_, Label, State> {
    type Target = Step<Label>;

    fn deref(&self) -> &Step<Label> {
        &self.step
    }
}

/// A system with the number of processes that its initial state names.
pub struct Product<'a, S: System> {
    /// The system.
    pub system: &'a S,
    roster: Roster,
}

/// The processes of a product: of which kind each is, who stands beside it, and where all begin. What can be
/// said of states without asking the system is said here, compiled once for all systems.
#[derive(Clone)]
pub(crate) struct Roster {
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

impl Roster {
    /// That of an initial state; `None` if it has more than [`MAX_PROCESSES`].
    fn new(Initial { shared, processes }: &Initial) -> Option<Self> {
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
        let initial = Configuration { shared: *shared, locals };
        let contiguous = (0..processes.len()).all(|i| next[i] <= i + 1);
        Some(Self { kinds, previous, next, contiguous, processes: processes.len(), initial })
    }

    /// How many there are.
    #[inline]
    pub fn processes(&self) -> usize {
        self.processes
    }

    /// The kind of each.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds[..self.processes]
    }

    /// The kind of process `i`, which there is: the remainder tells that to the compiler.
    #[inline]
    pub fn kind(&self, i: usize) -> Kind {
        self.kinds[i % MAX_PROCESSES]
    }

    /// The process before `i` of the same kind; `i` itself, if it is the first.
    #[inline]
    pub fn previous(&self, i: usize) -> usize {
        self.previous[i % MAX_PROCESSES]
    }

    /// The process after `i` of the same kind; `i` itself, if it is the last.
    #[inline]
    pub fn next(&self, i: usize) -> usize {
        self.next[i % MAX_PROCESSES]
    }

    /// Whether the processes of each kind stand together.
    #[inline]
    pub fn contiguous(&self) -> bool {
        self.contiguous
    }

    /// The initial state.
    pub fn initial(&self) -> Configuration {
        self.initial
    }

    /// See [`Product::canonicalize`].
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
}

impl<'a, S: System> Product<'a, S> {
    /// The product for `system.initial()`; `None` if that has more than [`MAX_PROCESSES`].
    pub fn new(system: &'a S) -> Option<Self> {
        let roster = Roster::new(&system.initial())?;
        Some(Self { system, roster })
    }

    /// Its processes.
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// How many processes there are.
    pub fn processes(&self) -> usize {
        self.roster.processes
    }

    /// The kind of process `i`.
    pub fn kind(&self, i: usize) -> Kind {
        self.roster.kinds[i]
    }

    /// The initial state.
    pub fn initial(&self) -> Configuration {
        self.roster.initial
    }

    /// Whether process `i` has nothing more to do.
    pub fn returned(&self, configuration: &Configuration, i: usize) -> bool {
        let local = configuration.locals[i];
        is_at_rest(self.system, self.kind(i), local)
    }

    /// Sorts the local states of the processes of each kind. Returns where each process went, so
    /// that process `i` of the argument is process `result[i]` of the sorted one.
    pub fn canonicalize(&self, configuration: &mut Configuration) -> [u8; MAX_PROCESSES] {
        self.roster.canonicalize(configuration)
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
        for actor in 0..self.processes() {
            let (flow, all) = self.successors_of(configuration, actor, scratch, &mut visit);
            exhausted = exhausted.and(all);
            if flow.is_break() {
                return Ok(());
            }
        }
        exhausted
    }

    /// The same for one process. Whoever visits is called through a pointer: this is compiled once for a
    /// system, not once for each caller.
    pub(crate) fn successors_of(
        &self,
        before: &Configuration,
        actor: usize,
        scratch: &mut Vec<Choice<S::Label>>,
        visit: &mut dyn FnMut(&Transition<'_, S::Label>) -> ControlFlow<()>,
    ) -> (ControlFlow<()>, Result<(), PoolExhausted>) {
        let processes = Numbered { kinds: self.roster.kinds(), locals: before.locals };
        let from = (before.shared, &processes);
        alternatives(self.system, from, actor, scratch, |ordinal, step, after| {
            let after = &Configuration { shared: step.after, locals: after.locals };
            visit(&Transition { before, after, actor, ordinal, step: step.clone() })
        })
    }
}

/// The processes of a product.
#[derive(Clone)]
struct Numbered<'a> {
    kinds: &'a [Kind],
    locals: [Local; MAX_PROCESSES],
}

impl Processes for Numbered<'_> {
    fn count(&self) -> usize {
        self.kinds.len()
    }

    fn kind(&self, i: usize) -> Kind {
        self.kinds[i]
    }

    fn local(&self, i: usize) -> Local {
        self.locals[i]
    }

    fn change(&mut self, i: usize, _: Local, to: Local) {
        self.locals[i] = to;
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
