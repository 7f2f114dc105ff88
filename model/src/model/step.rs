//! One step of one process, as the functions named after the kernel's and kmod's take it.

use super::{Effect, Model, NameModel, Outcome, Role, WaitQueue, Way};
use crate::event::{Event, Listed};
use crate::kernel;
use crate::mutant::Mutant;
use crate::scenario::{Action, ModuleId, NameId};
use crate::state::{ModuleState, Pc, Ret, Task, World};
use crate::userspace::modprobe::PlanEntry;

/// A process, without the state that changes.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub model: &'a Model,
    pub role: Role,
}

impl<'a> Who<'a> {
    /// The requested name that modprobe is at, nested requests included.
    ///
    /// # Panics
    /// For an actor that requests none.
    pub fn name(&self, task: &Task) -> NameId {
        if task.execs > 0 {
            return self
                .model
                .scenario
                .exec_requests
                .expect("only then an exec requests something");
        }
        let mut name = self.role.name().expect("only those who request a name ask for it");
        for (depth, outer) in task.outer[..usize::from(task.depth)].iter().enumerate() {
            let module = self.model.names[usize::from(name)].plan[usize::from(*outer)].module;
            let inner = task.inner[depth];
            name = self.model.init_requests(module, inner);
        }
        name
    }

    /// The name's model.
    pub fn name_model(&self, task: &Task) -> &'a NameModel {
        &self.model.names[usize::from(self.name(task))]
    }

    /// What modprobe goes through.
    pub fn plan(&self, task: &Task) -> &'a [PlanEntry] {
        let name = self.name_model(task);
        match self.role {
            Role::Actor { action: Action::ModprobeRemove(_), .. } if task.depth == 0 => {
                &name.removal
            }
            Role::Actor { action: Action::Insmod(_), .. } if task.depth == 0 => &name.insertion,
            _ => &name.plan,
        }
    }

    /// The plan entry that modprobe is at.
    pub fn entry(&self, task: &Task) -> PlanEntry {
        self.plan(task)[usize::from(task.pos)]
    }

    /// The module that modprobe, or `rmmod`, is at.
    pub fn module(&self, task: &Task) -> ModuleId {
        match self.role {
            Role::Actor { action: Action::Rmmod(module) | Action::Udev(module), .. } => module,
            _ => self.entry(task).module,
        }
    }

    /// The switches of the kernel.
    pub fn kernel(&self) -> &'a crate::features::KernelFeatures {
        &self.model.scenario.features.kernel
    }
}

/// One step being taken.
pub(crate) struct Step<'a> {
    pub who: Who<'a>,
    /// Of the process.
    pub kind: u8,
    pub(super) before: u128,
    pub world: World<'a>,
    pub task: Task,
    pub(super) outcomes: &'a mut Vec<Outcome>,
}

impl<'a> Step<'a> {
    /// One way to step, doing nothing to others.
    pub fn to(&mut self, event: Event, task: Task) {
        self.emit(event, task, Effect::None, Way::Ordinary);
    }

    /// One way to step, with a `wake_up_all(&module_wq)`.
    pub fn wake_up_all(&mut self, event: Event, task: Task) {
        self.emit(event, task, Effect::WakeAll(WaitQueue::ModuleWq), Way::Ordinary);
    }

    /// One way to step, with an effect.
    pub fn with(&mut self, effect: Effect, event: Event, task: Task) {
        self.emit(event, task, effect, Way::Ordinary);
    }

    /// The way that a time-out or a signal opens.
    pub fn way_out(&mut self, way: Way, effect: Effect, event: Event, task: Task) {
        self.emit(event, task, effect, way);
    }

    fn emit(&mut self, event: Event, mut task: Task, effect: Effect, way: Way) {
        if self.model().layout.programs_run {
            kernel::program::keep(self, &mut task);
        }
        self.push(event, task, effect, way);
    }

    /// As it is, whatever becomes of programs.
    pub fn push(&mut self, event: Event, task: Task, mut effect: Effect, way: Way) {
        let mut shared = self.world.word;
        if self.model().mutant == Some(Mutant::Skip(self.task.pc)) {
            shared = self.before;
            effect = Effect::None;
        }
        self.outcomes.push(Outcome {
            shared,
            local: self.model().layout.pack(&task),
            effect,
            way,
            reads: self.world.reads,
            writes: self.world.writes,
            event,
        });
    }

    /// Takes back what an alternative wrote, so that the next one starts from the same state.
    pub fn undo_writes(&mut self) {
        self.world.word = self.before;
    }

    /// The model.
    pub fn model(&self) -> &'a Model {
        self.who.model
    }

    /// The module that modprobe, or `rmmod`, is at.
    pub fn module(&self) -> ModuleId {
        self.who.module(&self.task)
    }

    /// What the scenario says of it.
    pub fn spec(&self) -> &'a crate::scenario::Module {
        &self.model().scenario.modules[usize::from(self.module())]
    }

    /// The requested name.
    pub fn name(&self) -> NameId {
        self.who.name(&self.task)
    }

    /// Whether this is a request made by a module's init, or by exec of a modprobe.
    pub fn nested(&self) -> bool {
        self.task.is_nested()
    }

    /// One bit for each target of the name: those that are in `state`.
    pub fn targets_in(&mut self, state: ModuleState) -> u16 {
        let (model, name) = (self.model(), self.name());
        model.targets_in(name, &mut self.world, state)
    }

    /// Whether every module that the name resolves to is LIVE.
    pub fn all_live(&mut self) -> bool {
        let live = self.targets_in(ModuleState::Live);
        live != 0 && live == self.model().all_targets(self.name())
    }

    /// The state under which a checked name is listed.
    pub fn listed_state(&mut self, name: Listed) -> ModuleState {
        match name {
            Listed::Module(id) => self.world.state(id),
            Listed::NeverListed(_) => ModuleState::Absent,
        }
    }

    /// `self.task` at another place.
    pub fn at(&self, pc: Pc) -> Task {
        Task { pc, ..self.task }
    }

    /// `self.task` at the request's return, with `ret`: before it has taken a slot.
    pub fn returning(&self, ret: Ret) -> Task {
        Task { pc: Pc::RequestReturn, ret, index: 0, ..self.task }
    }

    /// `self.task` on the way to the request's return, with `ret`: gives its slot back first.
    pub fn finishing(&self, ret: Ret) -> Task {
        kernel::kmod::finishing(&self.who, Task { ret, index: 0, ..self.task })
    }
}
