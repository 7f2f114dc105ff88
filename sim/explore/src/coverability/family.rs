//! A system with any number of processes: some are followed one by one, of the others only the
//! number in each anonymous local state counts.

use crate::system::{Choice, DORMANT, Initial, Kind, Local, Queue, Shared, System};

/// Most processes that are followed one by one.
pub const MAX_TRACKED: usize = 6;

/// Most kinds that come in any number.
pub const MAX_CROWDS: usize = 4;

/// A process that is followed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// Its kind.
    pub kind: Kind,
    /// Where it begins.
    pub local: Local,
    /// Whether its whole local state is kept; otherwise it is anonymous.
    pub history: bool,
}

/// A kind of which there can be any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// The kind.
    pub kind: Kind,
    /// Where each begins; [`DORMANT`]: there is none at first, and any number can be spawned.
    pub local: Local,
}

/// Why a system cannot be taken for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFamily {
    /// Too many processes to follow.
    #[error("{0} processes to be followed one by one, expected at most {MAX_TRACKED}")]
    TooManyTracked(usize),
    /// Too many kinds in any number.
    #[error("{0} kinds of any number, expected at most {MAX_CROWDS}")]
    TooManyCrowds(usize),
    /// Nothing to multiply.
    #[error("no process of kind {} at first, and none of it to be spawned", .0.0)]
    Nobody(Kind),
    /// Processes of one kind that begin in different local states.
    #[error("the processes of kind {} begin in different local states", .0.0)]
    NotAlike(Kind),
}

/// A system for every number of processes of some kinds.
///
/// Of each such kind one process is *tagged*: it is followed with its whole local state, history
/// included. What is true of the tagged one is true of each, since processes of a kind are
/// interchangeable. The others of the kind have an anonymous local state each
/// ([`System::anonymous`]). Of a kind that is only spawned the tagged one is a process that the
/// tagged process of a kind before it in the list spawns; its other spawns, and those of anonymous
/// processes, are anonymous. Processes of all other kinds are followed one by one.
#[derive(Clone, Debug)]
pub struct Family<'a, S: System> {
    pub(crate) system: &'a S,
    pub(crate) shared: Shared,
    pub(crate) tracked: Vec<Tracked>,
    pub(crate) crowds: Vec<Crowd>,
}

impl<'a, S: System> Family<'a, S> {
    /// The system of `system.initial()` with any number of processes of the kinds in `any_number`.
    /// Processes of the kinds in `forgetful` are followed without their history.
    ///
    /// # Errors
    /// See [`NoFamily`].
    pub fn new(system: &'a S, any_number: &[Kind], forgetful: &[Kind]) -> Result<Self, NoFamily> {
        let Initial { shared, processes } = system.initial();
        let mut tracked = Vec::new();
        let mut crowds: Vec<Crowd> = Vec::new();
        for &kind in any_number {
            let mut of_kind = processes.iter().filter(|p| p.0 == kind).map(|p| p.1);
            let local = of_kind.next().ok_or(NoFamily::Nobody(kind))?;
            if of_kind.any(|other| other != local) {
                return Err(NoFamily::NotAlike(kind));
            }
            crowds.push(Crowd { kind, local });
        }
        let mut tagged: Vec<Kind> = Vec::new();
        for (kind, local) in processes {
            let history = !forgetful.contains(&kind);
            let crowd = any_number.contains(&kind);
            if crowd && (tagged.contains(&kind) || !history) {
                continue;
            }
            if crowd {
                tagged.push(kind);
            }
            let local = if history { local } else { system.anonymous(kind, local) };
            tracked.push(Tracked { kind, local, history });
        }
        if tracked.len() > MAX_TRACKED {
            return Err(NoFamily::TooManyTracked(tracked.len()));
        }
        if crowds.len() > MAX_CROWDS {
            return Err(NoFamily::TooManyCrowds(crowds.len()));
        }
        Ok(Self { system, shared, tracked, crowds })
    }

    /// The system.
    pub fn system(&self) -> &'a S {
        self.system
    }

    /// The processes that are followed one by one.
    pub fn tracked(&self) -> &[Tracked] {
        &self.tracked
    }

    /// The kinds that come in any number.
    pub fn crowds(&self) -> &[Crowd] {
        &self.crowds
    }

    /// Whether processes of `kind` come in any number.
    pub(crate) fn is_crowd(&self, kind: Kind) -> bool {
        self.crowds.iter().any(|crowd| crowd.kind == kind)
    }

    /// Whether the history of any process of `kind`, which comes in any number, that one of `parent`
    /// spawns is followed in some choice of who is tagged: the tagged one must be there to be
    /// spawned, by a process that could have been tagged itself.
    pub(crate) fn follows(&self, parent: Kind, kind: Kind) -> bool {
        let tagged = |kind| self.tracked.iter().any(|t| t.kind == kind && t.history);
        let place = |kind| self.crowds.iter().position(|c| c.kind == kind);
        let spawned_only = |kind| self.crowds.iter().any(|c| c.kind == kind && c.local == DORMANT);
        // Who spawns its own kind, in a circle or not, would need a tagged one for each generation.
        !tagged(kind)
            || (spawned_only(kind)
                && tagged(parent)
                && (!spawned_only(parent) || place(parent) < place(kind)))
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
                let number = if local == DORMANT { pool } else { callers };
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

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.system.observe(kind, before, after, local)
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
