//! The transition system of one scenario: `step`, `observe`, `wake`.

use crate::event::{Event, Listed};
use crate::features::{AliasMap, BareDirectory, BuiltinIndex};
use crate::kernel::{self, Orders};
use crate::mutant::Mutant;
use crate::scenario::{Caller, ModuleId, Resolution, Scenario};
use crate::state::{Layout, ModuleState, Pc, Ret, Task, World};
use crate::userspace::modprobe::{self, PlanEntry};

/// Whom a step wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakes {
    /// Nobody.
    Nobody,
    /// `wake_up_all(&module_wq)`.
    ModuleWq,
}

/// One way for a process to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The shared word afterwards.
    pub shared: u128,
    /// The process's own word afterwards.
    pub local: u64,
    /// Whom it wakes.
    pub wakes: Wakes,
    /// Whether the step is a time-out firing.
    pub timed_out: bool,
    /// Bits of the shared word that were read.
    pub reads: u128,
    /// Bits of the shared word that were assigned.
    pub writes: u128,
    /// What happened.
    pub event: Event,
}

/// Why a scenario cannot be modelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scenario '{scenario}': {what}")]
pub struct ModelError {
    /// The scenario's name.
    pub scenario: String,
    /// What was found and what was expected.
    pub what: String,
}

/// A scenario, ready to step.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) scenario: Scenario,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) layout: Layout,
    /// What modprobe does for the requested name, looks and insertions in order.
    pub(crate) plan: Vec<PlanEntry>,
    /// The names that check and shortcut look up, as the alias map gives them.
    pub(crate) names: Vec<CheckedName>,
    pub(crate) orders: Orders,
    /// Bits whose change somebody may remember.
    remembered: u128,
    /// `/sys/module/NAME/` of a name that the indexes do not know.
    pub(crate) unknown_directory: bool,
}

/// A name on which the check acts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedName {
    pub listed: Listed,
    /// Whether it is in the table of what is really built in.
    pub built_in: bool,
}

impl Model {
    /// A model of `scenario`, faithful unless `mutant` is some deliberate fault.
    ///
    /// # Errors
    /// A reference to a module that is not there, or a scenario beyond the model's limits.
    pub fn new(scenario: Scenario, mutant: Option<Mutant>) -> Result<Self, ModelError> {
        let error = |what: String| ModelError { scenario: scenario.name.clone(), what };
        let modules = scenario.modules.len();
        let known = |id: ModuleId| usize::from(id) < modules;
        if modules > 21 {
            return Err(error(format!("{modules} modules, expected at most 21")));
        }
        for module in &scenario.modules {
            if let Some(id) = module.dependencies.iter().find(|id| !known(**id)) {
                return Err(error(format!(
                    "module '{}' depends on module number {id}, expected a number below {modules}",
                    module.name
                )));
            }
        }
        let probes = scenario.targets().iter().flat_map(|t| &t.probe).map(|p| p.module);
        let targets = scenario.targets().iter().map(|t| t.module);
        if let Some(id) = probes.chain(targets).find(|id| !known(*id)) {
            return Err(error(format!(
                "'{}' resolves to module number {id}, expected a number below {modules}",
                scenario.request
            )));
        }
        if matches!(&scenario.resolution, Resolution::Modules(targets) if targets.is_empty()) {
            return Err(error("the name resolves to an empty list of modules".to_owned()));
        }
        if scenario.targets().iter().any(|t| t.probe.is_empty()) {
            return Err(error("a target's probe list is empty".to_owned()));
        }
        if scenario.targets().len() > 6 {
            return Err(error(format!(
                "'{}' is served by {} modules, expected at most 6",
                scenario.request,
                scenario.targets().len()
            )));
        }
        if scenario.caller == Caller::GetFsType && !scenario.request.starts_with("fs-") {
            return Err(error(format!(
                "get_fs_type() requests a name that begins with 'fs-', found '{}'",
                scenario.request
            )));
        }
        if scenario.callers == 0 {
            return Err(error("no callers, expected at least 1".to_owned()));
        }
        let plan = modprobe::plan(&scenario);
        let names = checked_names(&scenario);
        let layout = Layout::new(&scenario, plan.len(), names.len());
        if layout.local_bits > 64 || layout.shared_bits > 128 || plan.len() > 255 {
            return Err(error(format!(
                "a caller takes {} bits and the shared state {}, expected at most 64 and 128",
                layout.local_bits, layout.shared_bits
            )));
        }
        let remembered = layout.modules.iter().fold(0, |mask, m| mask | m.initstate.mask())
            | scenario
                .targets()
                .iter()
                .fold(0, |mask, t| mask | layout.modules[usize::from(t.module)].state.mask());
        let unknown_directory = scenario.builtin.as_ref().is_some_and(|builtin| {
            builtin.directory && builtin.name == scenario.request.replace('-', "_")
        });
        Ok(Self {
            orders: Orders::new(mutant),
            scenario,
            mutant,
            layout,
            plan,
            names,
            remembered,
            unknown_directory,
        })
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The deliberate fault, if there is one.
    pub fn mutant(&self) -> Option<Mutant> {
        self.mutant
    }

    /// Bits of the shared word.
    pub fn shared_bits(&self) -> u32 {
        self.layout.shared_bits
    }

    /// Bits of a caller's word.
    pub fn local_bits(&self) -> u32 {
        self.layout.local_bits
    }

    /// The shared word at first: nothing loaded; what is built in has registered itself at boot.
    pub fn initial_shared(&self) -> u128 {
        0
    }

    /// A caller's word at first.
    pub fn initial_local(&self) -> u64 {
        self.layout.pack(&Task::IDLE)
    }

    /// A caller's word, readable.
    pub fn task(&self, local: u64) -> Task {
        self.layout.unpack(local)
    }

    /// Whether the caller's call has returned.
    pub fn returned(&self, local: u64) -> bool {
        self.layout.pc(local) == Pc::Done
    }

    /// The state of a module.
    pub fn module_state(&self, shared: u128, module: ModuleId) -> ModuleState {
        World::new(&self.layout, shared).state(module)
    }

    /// Whether `/sys/module/NAME/` and the initstate in it are there. Built-in code of that name
    /// has the directory, too.
    pub fn sysfs(&self, shared: u128, module: ModuleId) -> (bool, bool) {
        let mut world = World::new(&self.layout, shared);
        let taken = self.scenario.modules[usize::from(module)].name_taken;
        (world.directory(module) || taken, world.initstate(module))
    }

    /// Whether the module has registered its file system.
    pub fn registered(&self, shared: u128, module: ModuleId) -> bool {
        World::new(&self.layout, shared).registered(module)
    }

    /// Whether every module that the name resolves to is LIVE; `false` if it resolves to none.
    pub fn all_live(&self, shared: u128) -> bool {
        let targets = self.scenario.targets();
        !targets.is_empty() && self.live(shared) == self.all_targets()
    }

    /// One bit for each target: all of them.
    pub fn all_targets(&self) -> u16 {
        (1 << self.scenario.targets().len()) - 1
    }

    /// One bit for each target: those that are LIVE.
    pub fn live(&self, shared: u128) -> u16 {
        self.targets_in(shared, ModuleState::Live)
    }

    pub(crate) fn targets_in(&self, shared: u128, state: ModuleState) -> u16 {
        let mut world = World::new(&self.layout, shared);
        let mut mask = 0;
        for (bit, target) in self.scenario.targets().iter().enumerate() {
            mask |= u16::from(world.state(target.module) == state) << bit;
        }
        mask
    }

    /// Whether modprobe takes a bare directory for built in.
    pub(crate) fn bare_directory_is_builtin(&self) -> bool {
        match self.mutant {
            Some(Mutant::OldRule) => true,
            Some(Mutant::NewRule) => false,
            _ => self.scenario.features.kmod.bare_directory == BareDirectory::Builtin,
        }
    }

    /// Whether modprobe knows from the index, without a look, that `module` is built in.
    pub(crate) fn index_says_builtin(&self, module: ModuleId) -> bool {
        self.scenario.modules[usize::from(module)].listed_builtin
            && self.scenario.features.kmod.builtin_index == BuiltinIndex::BeforeSysfs
    }

    /// Appends every way in which a caller in state `local` can step.
    pub fn step(&self, shared: u128, local: u64, outcomes: &mut Vec<Outcome>) {
        let first = outcomes.len();
        self.step_once(shared, local, outcomes);
        let Some(Mutant::Merge(pc)) = self.mutant else { return };
        if self.layout.pc(local) != pc {
            return;
        }
        // The fault: what follows belongs to the same step. History sees only both together.
        let mut merged = Vec::new();
        for outcome in outcomes.drain(first..) {
            let mut next = Vec::new();
            if !self.returned(outcome.local) {
                self.step_once(outcome.shared, outcome.local, &mut next);
            }
            if next.is_empty() {
                merged.push(outcome);
            }
            merged.extend(next.into_iter().map(|n| Outcome {
                wakes: if n.wakes == Wakes::Nobody { outcome.wakes } else { n.wakes },
                timed_out: n.timed_out || outcome.timed_out,
                reads: n.reads | outcome.reads,
                writes: n.writes | outcome.writes,
                ..n
            }));
        }
        outcomes.append(&mut merged);
    }

    fn step_once(&self, shared: u128, local: u64, outcomes: &mut Vec<Outcome>) {
        let step = Step {
            model: self,
            before: shared,
            world: World::new(&self.layout, shared),
            task: self.layout.unpack(local),
            outcomes,
        };
        match step.task.pc {
            Pc::NotStarted | Pc::Done => {}
            Pc::Idle => kernel::kmod::call(step),
            Pc::LookupFirst => kernel::filesystems::lookup_first(step),
            Pc::LookupSecond => kernel::filesystems::lookup_second(step),
            Pc::RequestModule => kernel::kmod::request_module(step),
            Pc::AlreadyLive => kernel::kmod::already_live(step),
            Pc::PreExists => kernel::kmod::pre_exists(step),
            Pc::PreFinished => kernel::kmod::pre_finished(step),
            Pc::Exec => kernel::kmod::exec(step),
            Pc::Open => modprobe::open(step),
            Pc::Stat => modprobe::stat(step),
            Pc::Read => modprobe::read(step),
            Pc::ReadEnd => modprobe::read_end(step),
            Pc::ReadEndOther => modprobe::read_end_other(step),
            Pc::OpenUnknown => modprobe::open_unknown(step),
            Pc::StatUnknown => modprobe::stat_unknown(step),
            Pc::AddUnformed => kernel::module::add_unformed_module(step),
            Pc::AddWait => kernel::module::finished_loading(step),
            Pc::Resolve => kernel::module::resolve_symbol(step),
            Pc::ResolveAsleep => kernel::module::resolve_symbol_timed_out(step),
            Pc::Unlink => kernel::module::unlink_mod(step),
            Pc::CompleteFormation => kernel::module::complete_formation(step),
            Pc::SysfsInit => kernel::module::mod_sysfs_init(step),
            Pc::AddModinfoAttrs => kernel::module::module_add_modinfo_attrs(step),
            Pc::Init => kernel::module::do_one_initcall(step),
            Pc::Unregister => kernel::module::unregister_filesystem(step),
            Pc::SetLive => kernel::module::set_live(step),
            Pc::WakeLive => kernel::module::wake_live(step),
            Pc::SetGoing => kernel::module::set_going(step),
            Pc::RemoveModinfoAttrs => kernel::module::module_remove_modinfo_attrs(step),
            Pc::SysfsFini => kernel::module::mod_sysfs_fini(step),
            Pc::SetUnformed => kernel::module::set_unformed(step),
            Pc::ListDel => kernel::module::list_del(step),
            Pc::WakeFreed => kernel::module::wake_freed(step),
            Pc::Exit => modprobe::exit(step),
            Pc::HelperReturn => kernel::kmod::helper_return(step),
            Pc::CheckExists => kernel::check::exists(step),
            Pc::CheckFinished => kernel::check::finished(step),
            Pc::CheckLook => kernel::check::look(step),
            Pc::RequestReturn => kernel::kmod::request_return(step),
            Pc::PreAsleep | Pc::AddAsleep | Pc::CheckAsleep => {}
        }
    }

    /// What a caller in state `local` remembers of a change of the shared state.
    pub fn observe(&self, before: u128, after: u128, local: u64) -> u64 {
        if (before ^ after) & self.remembered == 0 {
            return local;
        }
        let pc = self.layout.pc(local);
        if matches!(pc, Pc::Idle | Pc::Done) {
            return local;
        }
        let mut task = self.layout.unpack(local);
        let (mut old, mut new) =
            (World::new(&self.layout, before), World::new(&self.layout, after));
        if matches!(pc, Pc::Read | Pc::ReadEnd | Pc::ReadEndOther) {
            let module = self.plan[usize::from(task.pos)].module;
            task.stale |= old.initstate(module) && !new.initstate(module);
        }
        for (bit, target) in self.scenario.targets().iter().enumerate() {
            let bit = 1 << bit;
            let (was, is) = (old.state(target.module), new.state(target.module));
            let live = is == ModuleState::Live;
            if pc.in_request() {
                if live {
                    task.request_live |= bit;
                }
                task.going_after_live |= is == ModuleState::Going
                    && was != ModuleState::Going
                    && task.request_live & bit != 0;
            }
            if pc.in_modprobe() && live {
                task.modprobe_live |= bit;
            }
            task.live_since_exit &= live;
            task.live_since_shortcut &= live;
            if self.scenario.caller == Caller::GetFsType {
                task.load_failed |= matches!(
                    (was, is),
                    (ModuleState::Coming, ModuleState::Going)
                        | (ModuleState::Unformed | ModuleState::Coming, ModuleState::Absent)
                );
                task.went_going |= is == ModuleState::Going && was != ModuleState::Going;
            }
        }
        self.layout.pack(&task)
    }

    /// A caller's word once `module_wq` has woken it; `None` if it is not asleep.
    pub fn wake(&self, local: u64) -> Option<u64> {
        let woken = self.layout.pc(local).woken()?;
        Some(self.layout.with_pc(local, woken))
    }

    /// A caller's word with what only properties read forgotten.
    pub fn without_history(&self, local: u64) -> u64 {
        self.layout.without_history(local)
    }

    /// The modules whose outcome belongs to the requested name, or which is built in: whether
    /// modprobe may say 0 having seen the targets of `live` LIVE.
    pub(crate) fn truthful(&self, live: u16) -> bool {
        if self.scenario.targets().is_empty() {
            self.scenario.builtin.is_some()
        } else {
            live == self.all_targets()
        }
    }
}

/// The names that `AliasMap` gives for the request; the request itself where it gives none.
fn checked_names(scenario: &Scenario) -> Vec<CheckedName> {
    let exact: Vec<ModuleId> = scenario.targets().iter().map(|t| t.module).collect();
    let name_of = |name: String| {
        let id = scenario.modules.iter().position(|m| m.name == name.replace('-', "_"));
        CheckedName {
            listed: id.map_or(Listed::NeverListed, |id| Listed::Module(id as ModuleId)),
            built_in: scenario.builtin.as_ref().is_some_and(|b| b.name == name.replace('-', "_")),
        }
    };
    match scenario.features.kernel.alias_map {
        AliasMap::Exact if !exact.is_empty() => exact
            .into_iter()
            .map(|id| CheckedName { listed: Listed::Module(id), built_in: false })
            .collect(),
        AliasMap::Prefix => vec![name_of(scenario.file_system().to_owned())],
        AliasMap::None | AliasMap::Exact => vec![name_of(scenario.request.clone())],
    }
}

/// One step being taken.
pub(crate) struct Step<'a> {
    pub model: &'a Model,
    before: u128,
    pub world: World<'a>,
    pub task: Task,
    outcomes: &'a mut Vec<Outcome>,
}

impl<'a> Step<'a> {
    /// One way to step, waking nobody.
    pub fn to(&mut self, event: Event, task: Task) {
        self.emit(event, task, Wakes::Nobody, false);
    }

    /// One way to step, with a `wake_up_all(&module_wq)`.
    pub fn wake_up_all(&mut self, event: Event, task: Task) {
        self.emit(event, task, Wakes::ModuleWq, false);
    }

    /// The way that a time-out opens.
    pub fn timed_out(&mut self, event: Event, task: Task) {
        self.emit(event, task, Wakes::Nobody, true);
    }

    fn emit(&mut self, event: Event, task: Task, mut wakes: Wakes, timed_out: bool) {
        let mut shared = self.world.word;
        if self.model.mutant == Some(Mutant::Skip(self.task.pc)) {
            shared = self.before;
            wakes = Wakes::Nobody;
        }
        self.outcomes.push(Outcome {
            shared,
            local: self.model.layout.pack(&task),
            wakes,
            timed_out,
            reads: self.world.reads,
            writes: self.world.writes,
            event,
        });
    }

    /// Takes back what an alternative wrote, so that the next one starts from the same state.
    pub fn undo_writes(&mut self) {
        self.world.word = self.before;
    }

    /// The plan entry that modprobe is at.
    pub fn entry(&self) -> PlanEntry {
        self.model.plan[usize::from(self.task.pos)]
    }

    /// The module that modprobe is at.
    pub fn module(&self) -> ModuleId {
        self.entry().module
    }

    /// The shared word, for history.
    pub fn shared(&self) -> u128 {
        self.world.word
    }

    /// The state under which a checked name is listed.
    pub fn listed_state(&mut self, name: Listed) -> ModuleState {
        match name {
            Listed::Module(id) => self.world.state(id),
            Listed::NeverListed => ModuleState::Absent,
        }
    }

    /// `self.task` at another place.
    pub fn at(&self, pc: Pc) -> Task {
        Task { pc, ..self.task }
    }

    /// `self.task` at the request's return, with `ret`.
    pub fn returning(&self, ret: Ret) -> Task {
        Task { pc: Pc::RequestReturn, ret, index: 0, ..self.task }
    }
}
