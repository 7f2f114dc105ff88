//! What a property sees of a step, and what it is.

use kmodcheck_explore::Step;
use kmodcheck_model::scenario::{Action, ModuleId, NameId};
use kmodcheck_model::{Event, Model, Role, Task};

/// Everything about a property, in one place.
pub(super) struct Definition {
    /// The name used on the command line and in machine output.
    pub name: &'static str,
    /// One letter, for tables.
    pub letter: char,
    /// What it says, in one sentence.
    pub statement: &'static str,
    /// Where the statement comes from.
    pub source: &'static str,
    /// The cases in which its premise can be met.
    pub branches: &'static [&'static str],
    /// Whether it speaks of what a model does at all.
    pub applies: fn(&Model) -> bool,
    /// Whether it speaks of what some built-in system does.
    pub built_in: bool,
    /// What it reads of what the process that steps remembers.
    pub reads: Reads,
    /// Who decides it.
    pub decided: Decided,
}

/// What a property reads of what the process that steps remembers of others' steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// Nothing.
    Nothing,
    /// What was loaded and freed during its calls.
    Loads,
    /// Which attempts to load failed during its calls.
    Failures,
}

/// Who decides a property.
pub(super) enum Decided {
    /// This predicate, on every step.
    BySteps(fn(&View<'_>) -> Says),
    /// An explorer, on the whole state graph.
    OnTheGraph,
}

/// What a property says of one transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Nothing: its premise is not met.
    Nothing,
    /// Its premise is met, in this branch of [`super::Property::branches`], and it holds.
    Holds(usize),
    /// It is violated, in this branch.
    Violated(usize),
}

/// Its premise is met in that branch.
pub(super) fn says(holds: bool, branch: usize) -> Says {
    if holds { Says::Holds(branch) } else { Says::Violated(branch) }
}

/// It speaks of what every model does.
pub(super) fn always(_: &Model) -> bool {
    true
}

/// One transition, as a property sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The model.
    pub model: &'a Model,
    /// The kind of the process that steps.
    pub kind: u8,
    /// The shared word before.
    pub before: u128,
    /// The shared word after.
    pub after: u128,
    /// The stepping caller's word before.
    pub local_before: u64,
    /// The step.
    pub event: Event,
    /// `local_before`, readable: many properties look at it.
    task: Task,
}

impl<'a> View<'a> {
    /// The step of a process of that kind in state `local_before` that takes the shared word `before` to `after`.
    pub fn new(
        model: &'a Model,
        (kind, local_before): (u8, u64),
        (before, after): (u128, u128),
        event: Event,
    ) -> Self {
        Self { model, kind, before, after, local_before, event, task: model.task(local_before) }
    }

    /// A step of an explorer, of whichever kind.
    pub fn of(model: &'a Model, step: &Step<Event>) -> Self {
        let (process, shared) = ((step.kind.0, step.local_before), (step.before, step.after));
        Self::new(model, process, shared, step.label)
    }
}

impl View<'_> {
    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    pub(super) fn role(&self) -> Role {
        self.model.acting(self.kind, self.local_before)
    }

    /// The requested name, of a process that has requested it itself: what a module's init requests
    /// is not judged.
    pub(super) fn name(&self) -> Option<NameId> {
        (!self.task().is_nested()).then(|| self.role().name()).flatten()
    }

    /// The same, of a caller that gets its modprobe's result.
    pub(super) fn waiting(&self) -> Option<NameId> {
        self.role().waits_for_modprobe().then(|| self.name()).flatten()
    }

    /// The module whose init returns with this step.
    pub(super) fn init_returns(&self) -> Option<ModuleId> {
        let returns = matches!(self.event, Event::Init { .. } | Event::Returns { .. });
        returns.then(|| self.model.runs_init_of(self.kind, self.local_before)).flatten()
    }

    pub(super) fn is_fs_caller(&self) -> bool {
        matches!(self.role(), Role::Actor { action: Action::GetFsType(_), .. })
    }
}
