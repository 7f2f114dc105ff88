//! A run, replayed, and what can be read off it: who did what to a module, and how it stood when.

use kmodcheck_explore::Step;
use kmodcheck_explore::concrete::{self, State};
use kmodcheck_model::event::Listed;
use kmodcheck_model::features::AliasMap;
use kmodcheck_model::scenario::{Action, ModuleId, NameId};
use kmodcheck_model::{Event, Model, ModuleState, Ret, Role, Task};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Trace;

/// A step of a run.
#[derive(Clone)]
pub(super) struct Moment {
    pub(super) actor: usize,
    pub(super) ordinal: u32,
    pub(super) step: Step<Event>,
}

/// A run, replayed.
pub(super) struct Run<'m> {
    pub(super) model: &'m Model,
    pub(super) moments: Vec<Moment>,
    pub(super) end: State,
}

impl<'m> Run<'m> {
    pub(super) fn of(model: &'m Model, trace: &Trace) -> Option<Self> {
        let mut moments = Vec::with_capacity(trace.len());
        let end = concrete::replay(&Processes { model }, trace, |_, taken| {
            let (actor, ordinal) = (taken.actor, taken.ordinal);
            moments.push(Moment { actor, ordinal, step: taken.step });
        });
        Some(Self { model, moments, end: end.ok()? })
    }

    pub(super) fn role(&self, actor: usize) -> Role {
        self.model.role(self.end.processes[actor].0.0)
    }

    /// As whom the process steps at that moment: one in a call of its program as one that calls nothing else.
    pub(super) fn acts_as(&self, at: usize) -> Role {
        let moment = &self.moments[at];
        self.model.acts_as(self.end.processes[moment.actor].0.0, &self.task(at))
    }

    /// Before the step of that moment.
    pub(super) fn task(&self, at: usize) -> Task {
        self.model.task(self.moments[at].step.local_before)
    }

    /// Whether the step is one of a request that a module's init makes.
    pub(super) fn nested(&self, at: usize) -> bool {
        self.task(at).is_nested()
    }

    pub(super) fn module(&self, id: ModuleId) -> &str {
        self.model.scenario().module_name(id)
    }

    pub(super) fn request(&self, name: NameId) -> &str {
        &self.model.scenario().names[usize::from(name)].request
    }

    /// A name as the check and the shortcut look it up.
    pub(super) fn listed(&self, name: Listed) -> &str {
        match name {
            Listed::Module(id) => self.module(id),
            Listed::NeverListed(name) => match self.model.scenario().features.kernel.alias_map {
                AliasMap::Prefix => self.model.scenario().names[usize::from(name)].file_system(),
                AliasMap::None | AliasMap::Exact => self.request(name),
            },
        }
    }

    /// The moments of `actor` up to `last`, the latest first.
    pub(super) fn back(&self, actor: usize, last: usize) -> impl Iterator<Item = (usize, Event)> {
        let moments = self.moments[..=last].iter().enumerate().rev();
        moments.filter(move |(_, m)| m.actor == actor).map(|(at, m)| (at, m.step.label))
    }

    pub(super) fn state(&self, shared: u128, module: ModuleId) -> ModuleState {
        self.model.module_state(shared, module)
    }

    /// How `module` came to the state in which it is after `last`: the last step that changed it.
    pub(super) fn changed(&self, module: ModuleId, last: usize) -> Option<usize> {
        let changed = |at: &usize| {
            let step = &self.moments[*at].step;
            self.state(step.before, module) != self.state(step.after, module)
        };
        (0..=last).rev().find(changed)
    }

    /// Why `module` is going away, or has gone, after `last`: who does it, and what it is.
    pub(super) fn removal(&self, module: ModuleId, last: usize) -> Option<(usize, &'static str)> {
        (0..=last).rev().find_map(|at| {
            let words = match self.moments[at].step.label {
                Event::DeleteModule { module: of, ret: Ret::Zero } if of == module => "unloaded",
                Event::SetGoing { module: of } | Event::FailGoing { module: of }
                    if of == module =>
                {
                    "failed to load"
                }
                Event::Unlink { module: of } if of == module => "failed to load",
                _ => return None,
            };
            Some((self.moments[at].actor, words))
        })
    }

    /// What somebody is doing to `module` after `last`, in words, and who; `None`: nothing, or it is done.
    pub(super) fn doing(&self, module: ModuleId, last: usize) -> Option<(usize, String)> {
        let changed = self.changed(module, last)?;
        let who = self.moments[changed].actor;
        let name = self.module(module);
        match self.state(self.moments[changed].step.after, module) {
            ModuleState::Absent | ModuleState::Live => None,
            ModuleState::Unformed | ModuleState::Coming => Some((who, format!("loading {name}"))),
            ModuleState::Going | ModuleState::UnformedAgain => {
                Some(match self.removal(module, last) {
                    Some((who, "unloaded")) => (who, format!("unloading {name}")),
                    _ => (who, format!("taking {name} away again, which failed to load")),
                })
            }
        }
    }
}

/// As its column is called.
pub(super) fn cpu(actor: usize) -> String {
    format!("CPU{actor}")
}

/// What the actor has called, in words; of a process that a step started, what it is.
pub(super) fn call(run: &Run<'_>, actor: usize) -> String {
    match run.role(actor) {
        Role::Actor { action: Action::Udev(module), .. } => {
            format!("udev's rule for {}", run.module(module))
        }
        Role::Actor { action, .. } => {
            Event::Call { action }.describe(run.model.scenario()).to_string()
        }
        Role::Orphan(name) => format!("modprobe {}", run.request(name)),
        Role::Kworker(name) => format!("the kworker for \"{}\"", run.request(name)),
        Role::Started(_) => {
            kmodcheck_sim::trace::story::role(run.model, run.end.processes[actor].0.0)
        }
    }
}
