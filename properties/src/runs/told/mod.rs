//! What happened in a run, in a sentence for each who wants to know: why its last step violates a property
//! ([`violation`]), and for whom a sleeper waits ([`sleeper`]).
//!
//! All of it is read off the steps of the run, whatever system it is of: who relied on what, and how things stood then.
//! Processes are called as columns are, `CPU0`, `CPU1`.

mod cause;
mod waits;

use kmodcheck_explore::concrete::{self, State};
use kmodcheck_explore::{Kind, Local, Sleep, Step};
use kmodcheck_model::event::Listed;
use kmodcheck_model::features::AliasMap;
use kmodcheck_model::scenario::{Action, ModuleId, NameId};
use kmodcheck_model::{Event, Model, ModuleState, Ret, Role, Task};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Trace;

use crate::judge::results::CallResult;
use crate::judge::sleepers;
use crate::judge::witness::Witness;
use crate::property::Property;

/// Why the last step of `trace` violates `property`; for [`Property::NobodySleepsForEver`], who sleeps after it, and for
/// whom it waits. `None`: it does not replay, or violates nothing.
pub fn violation(model: &Model, property: Property, trace: &Trace) -> Option<String> {
    let model = &*property.remembering(model);
    let run = Run::of(model, trace)?;
    if property != Property::NobodySleepsForEver {
        return cause::sentence(&run, property);
    }
    let system = Processes { model };
    let stuck = sleepers::asleep(&system, &run.end, Sleep::ForEver);
    let (stuck, sleep) = match stuck.is_empty() {
        true => (sleepers::asleep(&system, &run.end, Sleep::UntilKilled), Sleep::UntilKilled),
        false => (stuck, Sleep::ForEver),
    };
    let process = run.end.processes.iter().position(|process| stuck.contains(process))?;
    waits::sentence(&run, process, sleep)
}

/// For what and for whom `process` waits at the end of `trace`, where it sleeps so. `None`: the trace does not replay, or
/// the process has not gone to sleep in it.
pub fn sleeper(model: &Model, trace: &Trace, process: usize, sleep: Sleep) -> Option<String> {
    waits::sentence(&Run::of(model, trace)?, process, sleep)
}

/// For whom the sleeper waits that `witness` asks for, at the end of `trace`; `None` for what is no sleep.
pub fn witness(model: &Model, witness: Witness, trace: &Trace) -> Option<String> {
    let Witness::Result { actor, result: CallResult::Sleeps(sleep) } = witness else { return None };
    let run = Run::of(model, trace)?;
    let asleep = sleepers::asleep(&Processes { model }, &run.end, sleep);
    let is_it =
        |process: &(Kind, Local)| usize::from(process.0.0) == actor && asleep.contains(process);
    let process = run.end.processes.iter().position(is_it)?;
    waits::sentence(&run, process, sleep)
}

/// A step of a run.
#[derive(Clone)]
struct Moment {
    actor: usize,
    step: Step<Event>,
}

/// A run, replayed.
struct Run<'m> {
    model: &'m Model,
    moments: Vec<Moment>,
    end: State,
}

impl<'m> Run<'m> {
    fn of(model: &'m Model, trace: &Trace) -> Option<Self> {
        let mut moments = Vec::with_capacity(trace.len());
        let end = concrete::replay(&Processes { model }, trace, |_, taken| {
            moments.push(Moment { actor: taken.actor, step: taken.step });
        });
        Some(Self { model, moments, end: end.ok()? })
    }

    fn role(&self, actor: usize) -> Role {
        self.model.role(self.end.processes[actor].0.0)
    }

    /// Before the step of that moment.
    fn task(&self, at: usize) -> Task {
        self.model.task(self.moments[at].step.local_before)
    }

    /// Whether the step is one of a request that a module's init makes.
    fn nested(&self, at: usize) -> bool {
        self.task(at).depth > 0
    }

    fn module(&self, id: ModuleId) -> &str {
        self.model.scenario().module_name(id)
    }

    fn request(&self, name: NameId) -> &str {
        &self.model.scenario().names[usize::from(name)].request
    }

    /// A name as the check and the shortcut look it up.
    fn listed(&self, name: Listed) -> &str {
        match name {
            Listed::Module(id) => self.module(id),
            Listed::NeverListed(name) => match self.model.scenario().features.kernel.alias_map {
                AliasMap::Prefix => self.model.scenario().names[usize::from(name)].file_system(),
                AliasMap::None | AliasMap::Exact => self.request(name),
            },
        }
    }

    /// The moments of `actor` up to `last`, the latest first.
    fn back(&self, actor: usize, last: usize) -> impl Iterator<Item = (usize, Event)> {
        let moments = self.moments[..=last].iter().enumerate().rev();
        moments.filter(move |(_, m)| m.actor == actor).map(|(at, m)| (at, m.step.label))
    }

    fn state(&self, shared: u128, module: ModuleId) -> ModuleState {
        self.model.module_state(shared, module)
    }

    /// How `module` came to the state in which it is after `last`: the last step that changed it.
    fn changed(&self, module: ModuleId, last: usize) -> Option<usize> {
        let changed = |at: &usize| {
            let step = &self.moments[*at].step;
            self.state(step.before, module) != self.state(step.after, module)
        };
        (0..=last).rev().find(changed)
    }

    /// Why `module` is going away, or has gone, after `last`: who does it, and what it is.
    fn removal(&self, module: ModuleId, last: usize) -> Option<(usize, &'static str)> {
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
    fn doing(&self, module: ModuleId, last: usize) -> Option<(usize, String)> {
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
fn cpu(actor: usize) -> String {
    format!("CPU{actor}")
}

/// What the actor has called, in words; of a process that a step started, what it is.
fn call(run: &Run<'_>, actor: usize) -> String {
    match run.role(actor) {
        Role::Actor { action: Action::Udev(module), .. } => {
            format!("udev's rule for {}", run.module(module))
        }
        Role::Actor { action, .. } => {
            Event::Call { action }.describe(run.model.scenario()).to_string()
        }
        Role::Orphan(name) => format!("modprobe {}", run.request(name)),
        Role::Kworker(name) => format!("the kworker for \"{}\"", run.request(name)),
    }
}
