//! A system with any number of processes: of one process the whole local state counts, of others only
//! how many there are in each anonymous local state.

use crate::system::successor::is_dormant;
use crate::system::{Choice, Initial, Kind, Local, Queue, Shared, System};

/// Most processes that are followed one by one.
pub const MAX_SLOTS: usize = 6;

/// A kind of which there can be any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// The kind.
    pub kind: Kind,
    /// Where each begins; [dormant](System::dormant): there is none at first, and any number can be spawned.
    pub local: Local,
}

/// Why a system cannot be taken for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFamily {
    /// Too many processes to follow.
    #[error("{0} processes to be followed one by one, expected at most {MAX_SLOTS}")]
    TooManySlots(usize),
    /// Nothing to multiply.
    #[error("no process of kind {} at first, and none of it to be spawned", .0.0)]
    Nobody(Kind),
    /// Processes of one kind that begin in different local states.
    #[error("the processes of kind {} begin in different local states", .0.0)]
    NotAlike(Kind),
    /// Nobody of whom a property could speak, and who may wait as long as it takes.
    #[error("expected a kind in any number that is there at first and is not forgetful")]
    NobodyTagged,
}

/// A system for every number of processes of some kinds.
///
/// Processes of these kinds are the *crowd*: only how many of them are in each anonymous local state
/// counts ([`System::anonymous`]). Processes of all other kinds have a *slot* each, and are anonymous,
/// too. One process is *tagged*: it keeps its whole local state, history included. Any process of a
/// kind that is not forgetful can be the tagged one. When it spawns another such process, either of
/// the two is tagged from then on: so every process is tagged in some choice, with the history that
/// its ancestors handed on to it.
#[derive(Clone, Debug)]
pub struct Family<'a, S: System> {
    pub(crate) system: &'a S,
    pub(crate) shared: Shared,
    pub(crate) slots: Vec<(Kind, Local)>,
    pub(crate) crowds: Vec<Crowd>,
    pub(crate) forgetful: Vec<Kind>,
}

impl<'a, S: System> Family<'a, S> {
    /// The system of `system.initial()` with any number of processes of the kinds in `any_number`.
    /// Of processes of the kinds in `forgetful` no property reads the history.
    ///
    /// # Errors
    /// See [`NoFamily`].
    pub fn new(system: &'a S, any_number: &[Kind], forgetful: &[Kind]) -> Result<Self, NoFamily> {
        let Initial { shared, processes } = system.initial();
        let mut crowds: Vec<Crowd> = Vec::new();
        for &kind in any_number {
            let mut of_kind = processes.iter().filter(|p| p.0 == kind).map(|p| p.1);
            let local = of_kind.next().ok_or(NoFamily::Nobody(kind))?;
            if of_kind.any(|other| other != local) {
                return Err(NoFamily::NotAlike(kind));
            }
            crowds.push(Crowd { kind, local });
        }
        let slots: Vec<(Kind, Local)> =
            processes.iter().filter(|p| !any_number.contains(&p.0)).copied().collect();
        if slots.len() > MAX_SLOTS {
            return Err(NoFamily::TooManySlots(slots.len()));
        }
        if crowds.iter().all(|c| is_dormant(system, c.kind, c.local) || forgetful.contains(&c.kind))
        {
            return Err(NoFamily::NobodyTagged);
        }
        Ok(Self { system, shared, slots, crowds, forgetful: forgetful.to_vec() })
    }

    /// The system.
    pub fn system(&self) -> &'a S {
        self.system
    }

    /// The processes that are followed one by one, with their initial local states.
    pub fn slots(&self) -> &[(Kind, Local)] {
        &self.slots
    }

    /// The kinds that come in any number.
    pub fn crowds(&self) -> &[Crowd] {
        &self.crowds
    }

    /// Whether processes of `kind` come in any number.
    pub fn is_crowd(&self, kind: Kind) -> bool {
        self.crowds.iter().any(|crowd| crowd.kind == kind)
    }

    /// Whether no property reads the history of processes of `kind`.
    pub fn is_forgetful(&self, kind: Kind) -> bool {
        self.forgetful.contains(&kind)
    }

    /// The member of the family with `callers` processes of each kind that is there from the
    /// beginning, and room for `pool` of each kind that is only spawned.
    pub fn member(&self, callers: usize, pool: usize) -> Member<'a, S> {
        let mut processes = Vec::new();
        let mut multiplied: Vec<Kind> = Vec::new();
        for (kind, local) in self.system.initial().processes {
            if !self.is_crowd(kind) {
                processes.push((kind, local));
            } else if !multiplied.contains(&kind) {
                multiplied.push(kind);
                let number = if is_dormant(self.system, kind, local) { pool } else { callers };
                processes.extend(std::iter::repeat_n((kind, local), number));
            }
        }
        Member { system: self.system, shared: self.shared, processes }
    }
}

/// A system with so many processes: the exact one, for the ordinary explorer.
#[derive(Clone, Debug)]
pub struct Member<'a, S> {
    system: &'a S,
    shared: Shared,
    processes: Vec<(Kind, Local)>,
}

impl<S: System> System for Member<'_, S> {
    type Label = S::Label;

    fn shared_bits(&self) -> u32 {
        self.system.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.system.local_bits()
    }

    fn initial(&self) -> Initial {
        Initial { shared: self.shared, processes: self.processes.clone() }
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<S::Label>>) {
        self.system.step(kind, shared, local, choices);
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.system.dormant(kind)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.system.observe(kind, before, after, local)
    }

    fn remembered(&self) -> Shared {
        self.system.remembered()
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        self.system.wake(kind, local, queue)
    }

    fn anonymous(&self, kind: Kind, local: Local) -> Local {
        self.system.anonymous(kind, local)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.system.returned(kind, local)
    }
}
