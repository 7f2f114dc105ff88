//! The transition system of one scenario: `step`, `observe`, `wake`.

use crate::event::{Event, Finit, Listed};
use crate::features::{AliasMap, BareDirectory, BuiltinIndex};
use crate::kernel::{self, Orders};
use crate::mutant::Mutant;
use crate::scenario::{Action, ModuleId, NameId, Resolution, Scenario};
use crate::state::{COUNTED, Counts, Layout, MAX_DEPTH, ModuleState, Pc, Ret, Task, World};
use crate::userspace::modprobe::{self, PlanEntry};

/// A wait queue or completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitQueue {
    /// `module_wq`.
    ModuleWq,
    /// `kmod_wq`, or the queue of the semaphore `kmod_concurrent_max`.
    KmodWq,
    /// `first_req_done` of a name's entry in `dup_kmod_reqs`.
    Duplicate(NameId),
    /// Those who listen for a module's ADD uevent.
    Uevent(ModuleId),
    /// `idempotent.complete` of those who joined a `finit_module()`, with what it came to.
    Idempotent(ModuleId, Finit),
}

/// Most modules in a scenario.
pub const MAX_MODULES: usize = 21;

/// Most requested names in a scenario.
pub const MAX_NAMES: usize = 16;

/// Most modules that a name is served by.
pub const MAX_TARGETS: usize = 6;

impl WaitQueue {
    /// A number of its own.
    pub fn number(self) -> u8 {
        match self {
            Self::ModuleWq => 0,
            Self::KmodWq => 1,
            Self::Duplicate(name) => 2 + name,
            Self::Uevent(module) => 2 + MAX_NAMES as u8 + module,
            Self::Idempotent(module, result) => {
                2 + MAX_NAMES as u8 + MAX_MODULES as u8 + 3 * module + result as u8
            }
        }
    }

    /// The queue of that number.
    pub fn from_number(number: u8) -> Self {
        let (names, modules) = (MAX_NAMES as u8, MAX_MODULES as u8);
        match number {
            0 => Self::ModuleWq,
            1 => Self::KmodWq,
            n if n < 2 + names => Self::Duplicate(n - 2),
            n if n < 2 + names + modules => Self::Uevent(n - 2 - names),
            n => {
                let rest = n - 2 - names - modules;
                let result = [Finit::Loaded, Finit::Exists, Finit::Failed][usize::from(rest % 3)];
                Self::Idempotent(rest / 3, result)
            }
        }
    }
}

const _: () = assert!(2 + MAX_NAMES + 4 * MAX_MODULES <= u8::MAX as usize);

/// What a step does to other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Wakes everybody asleep there.
    WakeAll(WaitQueue),
    /// Wakes one of those asleep there.
    WakeOne(WaitQueue),
    /// Starts a process of that kind in that state.
    Spawn(u8, u64),
}

/// Whether a step is the system's own, or a way out that the scenario grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its own.
    Ordinary,
    /// A time-out fires.
    TimeOut,
    /// A signal kills.
    Killed,
}

/// One way for a process to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The shared word afterwards.
    pub shared: u128,
    /// The process's own word afterwards.
    pub local: u64,
    /// What it does to others.
    pub effect: Effect,
    /// The system's own step, or a way out.
    pub way: Way,
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

/// Who a process is, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of the scenario's actors.
    Actor {
        /// What it does.
        action: Action,
        /// Whether it may be killed.
        killable: bool,
    },
    /// A modprobe of that name that nobody waits for (any more).
    Orphan(NameId),
    /// The kworker of a name's entry in `dup_kmod_reqs`.
    Kworker(NameId),
}

impl Role {
    /// The requested name that its history is about.
    pub fn name(self) -> Option<NameId> {
        match self {
            Self::Actor { action, .. } => action.name(),
            Self::Orphan(name) | Self::Kworker(name) => Some(name),
        }
    }

    /// Whether it calls `request_module()` or `get_fs_type()` and gets its result.
    pub fn waits_for_modprobe(self) -> bool {
        matches!(self, Self::Actor { action: Action::RequestModule(_) | Action::GetFsType(_), .. })
    }

    fn is_fs_caller(self) -> bool {
        matches!(self, Self::Actor { action: Action::GetFsType(_), .. })
    }
}

/// A requested name, ready to step.
#[derive(Clone, Debug)]
pub(crate) struct NameModel {
    /// What modprobe does for it, looks and insertions in order.
    pub plan: Vec<PlanEntry>,
    /// What `modprobe -r` does for it.
    pub removal: Vec<PlanEntry>,
    /// The names that check and shortcut look up, as the alias map gives them.
    pub checked: Vec<CheckedName>,
    /// `/sys/module/NAME/` of a name that the indexes do not know.
    pub unknown_directory: bool,
    targets: Vec<ModuleId>,
}

/// A name on which the check acts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedName {
    pub listed: Listed,
    /// Whether it is in the table of what is really built in.
    pub built_in: bool,
}

/// A scenario, ready to step.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) scenario: Scenario,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) layout: Layout,
    pub(crate) names: Vec<NameModel>,
    pub(crate) orders: Orders,
    roles: Vec<Role>,
    rivals: Vec<Vec<ModuleId>>,
    /// Bits whose change somebody may remember.
    remembered: u128,
}

impl Model {
    /// A model of `scenario`, faithful unless `mutant` is some deliberate fault.
    ///
    /// # Errors
    /// A reference to a module or name that is not there, or a scenario beyond the model's limits.
    pub fn new(scenario: Scenario, mutant: Option<Mutant>) -> Result<Self, ModelError> {
        Self::counting(scenario, mutant, Counts::Exact)
    }

    /// The model for proofs about any number of actors. What it counts of them in the shared word,
    /// for the limit of running requests and for the references on a module, it counts up to
    /// [`Model::counts_up_to`]; beyond, one less may be as many as before. So it can do more than the
    /// exact model, and nothing less.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn for_any_number(scenario: Scenario, mutant: Option<Mutant>) -> Result<Self, ModelError> {
        Self::counting(scenario, mutant, Counts::OrMore)
    }

    fn counting(
        scenario: Scenario,
        mutant: Option<Mutant>,
        counts: Counts,
    ) -> Result<Self, ModelError> {
        let error = |what: String| ModelError { scenario: scenario.name.clone(), what };
        validate(&scenario).map_err(error)?;
        let names: Vec<NameModel> =
            (0..scenario.names.len() as NameId).map(|id| name_model(&scenario, id)).collect();
        let longest = names.iter().map(|n| n.plan.len().max(n.removal.len())).max().unwrap_or(0);
        let checked = names.iter().map(|n| n.checked.len()).max().unwrap_or(0);
        let mut layout = Layout::new(&scenario, longest, checked, counts);
        layout.strict &= mutant.is_none();
        if layout.local_bits > 64 || layout.shared_bits > 128 || longest > 255 {
            return Err(error(format!(
                "a process takes {} bits and the shared state {}, expected at most 64 and 128",
                layout.local_bits, layout.shared_bits
            )));
        }
        let states = names.iter().flat_map(|n| &n.targets);
        let remembered = layout.modules.iter().fold(0, |mask, m| mask | m.initstate.mask())
            | states.fold(0, |mask, t| mask | layout.modules[usize::from(*t)].state.mask());
        let mut roles: Vec<Role> = scenario
            .actors
            .iter()
            .map(|a| Role::Actor { action: a.action, killable: a.killable })
            .collect();
        let all = 0..scenario.names.len() as NameId;
        roles.extend(all.clone().map(Role::Orphan));
        roles.extend(all.map(Role::Kworker));
        Ok(Self {
            orders: Orders::new(&scenario, mutant),
            rivals: rivals(&scenario),
            scenario,
            mutant,
            layout,
            names,
            roles,
            remembered,
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

    /// Up to which number actors are counted exactly, where not all of them are.
    pub fn counts_up_to(&self) -> Option<usize> {
        self.layout.counts_or_more().then_some(COUNTED - 1)
    }

    /// Bits of the shared word.
    pub fn shared_bits(&self) -> u32 {
        self.layout.shared_bits
    }

    /// Bits of a process's word.
    pub fn local_bits(&self) -> u32 {
        self.layout.local_bits
    }

    /// The shared word at first: nothing loaded; what is built in has registered itself at boot; all
    /// slots free.
    pub fn initial_shared(&self) -> u128 {
        let mut world = World::new(&self.layout, 0);
        kernel::kmod::all_slots_free(&self.scenario, &mut world);
        world.word
    }

    /// The processes at first, each with its kind: the actors in order, then a pool of processes
    /// (word 0) that a step may start.
    pub fn processes(&self) -> Vec<(u8, u64)> {
        let mut processes = Vec::new();
        for (kind, actor) in self.scenario.actors.iter().enumerate() {
            let pc = match actor.action {
                Action::Udev(_) => Pc::UdevIdle,
                _ => Pc::Idle,
            };
            let local = self.layout.pack(&Task { pc, ..Task::IDLE });
            processes.extend((0..actor.count).map(|_| (kind as u8, local)));
        }
        for name in 0..self.scenario.names.len() as NameId {
            let leaves = |a: &&crate::scenario::Actor| match a.action {
                Action::RequestModuleNowait(n) => n == name,
                Action::RequestModule(n) | Action::GetFsType(n) => n == name && a.killable,
                _ => false,
            };
            let pool: u8 = self.scenario.actors.iter().filter(leaves).map(|a| a.count).sum();
            processes.extend((0..pool).map(|_| (self.orphan(name), 0)));
        }
        if self.scenario.features.kernel.duplicate_requests {
            let names = 0..self.scenario.names.len() as NameId;
            processes.extend(names.map(|name| (self.kworker(name), 0)));
        }
        processes
    }

    /// The kind of a modprobe of `name` that nobody waits for.
    pub(crate) fn orphan(&self, name: NameId) -> u8 {
        self.scenario.actors.len() as u8 + name
    }

    /// The kind of the kworker of `name`'s entry in `dup_kmod_reqs`.
    pub(crate) fn kworker(&self, name: NameId) -> u8 {
        (self.scenario.actors.len() + self.scenario.names.len()) as u8 + name
    }

    /// Who the processes of a kind are.
    pub fn role(&self, kind: u8) -> Role {
        self.roles[usize::from(kind)]
    }

    /// A process's word, readable.
    pub fn task(&self, local: u64) -> Task {
        self.layout.unpack(local)
    }

    /// A readable state as a word: the inverse of [`Model::task`].
    pub fn pack(&self, task: &Task) -> u64 {
        self.layout.pack(task)
    }

    /// Whether the process has nothing more to do: its call has returned, or it is a daemon that
    /// waits for work.
    pub fn returned(&self, local: u64) -> bool {
        matches!(self.layout.pc(local), Pc::Done | Pc::UdevIdle | Pc::DuplicateDelete)
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

    /// The shared word with a module in that state, with or without its directory and its initstate:
    /// where a test or a log begins that does not begin with nothing loaded.
    pub fn with_module(
        &self,
        shared: u128,
        module: ModuleId,
        state: ModuleState,
        sysfs: (bool, bool),
    ) -> u128 {
        let mut world = World::new(&self.layout, shared);
        world.set_state(module, state);
        world.set_directory(module, sysfs.0);
        world.set_initstate(module, sysfs.1);
        let spec = &self.scenario.modules[usize::from(module)];
        if spec.registers {
            world.set_registered(module, state == ModuleState::Live);
        }
        let fields = world.fields(module);
        if state == ModuleState::Live {
            for holds in &fields.holds {
                world.set(*holds, holds.one());
            }
        }
        world.word
    }

    /// Whether the module has registered its file system.
    pub fn registered(&self, shared: u128, module: ModuleId) -> bool {
        World::new(&self.layout, shared).registered(module)
    }

    /// The modules that a name resolves to.
    pub fn targets(&self, name: NameId) -> &[ModuleId] {
        &self.names[usize::from(name)].targets
    }

    /// The other modules that register a file system that `module` registers.
    pub(crate) fn rivals(&self, module: ModuleId) -> &[ModuleId] {
        &self.rivals[usize::from(module)]
    }

    /// Whether the name is served by built-in code and by no module.
    pub fn built_in(&self, name: NameId) -> bool {
        self.scenario.names[usize::from(name)].builtin.is_some() && self.targets(name).is_empty()
    }

    /// Whether every module that the name resolves to is LIVE; `false` if it resolves to none.
    pub fn all_live(&self, name: NameId, shared: u128) -> bool {
        !self.targets(name).is_empty() && self.live(name, shared) == self.all_targets(name)
    }

    /// One bit for each target: all of them.
    pub fn all_targets(&self, name: NameId) -> u16 {
        (1 << self.targets(name).len()) - 1
    }

    /// One bit for each target: those that are LIVE.
    pub fn live(&self, name: NameId, shared: u128) -> u16 {
        self.targets_in(name, &mut World::new(&self.layout, shared), ModuleState::Live)
    }

    pub(crate) fn targets_in(
        &self,
        name: NameId,
        world: &mut World<'_>,
        state: ModuleState,
    ) -> u16 {
        let mut mask = 0;
        for (bit, target) in self.targets(name).iter().enumerate() {
            mask |= u16::from(world.state(*target) == state) << bit;
        }
        mask
    }

    /// Bits of the shared word that hold the states of the name's targets and what sysfs shows of
    /// them: what the properties of its callers read.
    pub fn visible_bits(&self) -> u128 {
        let modules = &self.layout.modules;
        modules.iter().fold(0, |mask, m| {
            mask | m.state.mask() | m.directory.mask() | m.initstate.mask() | m.initialised.mask()
        })
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

    /// Whether `finit_module()` of this module goes through `idempotent()`.
    pub(crate) fn idempotent(&self, module: ModuleId) -> bool {
        let compressed = self.scenario.modules[usize::from(module)].compressed;
        self.scenario.features.kernel.idempotent_finit
            && !(compressed && self.scenario.features.kmod.unpacks_itself)
    }

    /// Appends every way in which a process of that kind in state `local` can step.
    pub fn step(&self, kind: u8, shared: u128, local: u64, outcomes: &mut Vec<Outcome>) {
        let first = outcomes.len();
        self.step_once(kind, shared, local, outcomes);
        let Some(Mutant::Merge(pc)) = self.mutant else { return };
        if self.layout.pc(local) != pc {
            return;
        }
        // The fault: what follows belongs to the same step. History sees only both together.
        let mut merged = Vec::new();
        for outcome in outcomes.drain(first..) {
            let mut next = Vec::new();
            if !self.returned(outcome.local) {
                self.step_once(kind, outcome.shared, outcome.local, &mut next);
            }
            // A time-out or a kill that may follow is no part of a step.
            next.retain(|n| n.way == Way::Ordinary);
            // One step has one effect: two steps that both have one stay apart.
            let both = |n: &Outcome| n.effect != Effect::None && outcome.effect != Effect::None;
            if next.is_empty() || next.iter().any(both) {
                merged.push(outcome);
                continue;
            }
            merged.extend(next.into_iter().map(|n| Outcome {
                effect: if n.effect == Effect::None { outcome.effect } else { n.effect },
                way: outcome.way,
                reads: n.reads | outcome.reads,
                writes: n.writes | outcome.writes,
                ..n
            }));
        }
        outcomes.append(&mut merged);
    }

    fn step_once(&self, kind: u8, shared: u128, local: u64, outcomes: &mut Vec<Outcome>) {
        let task = self.layout.unpack(local);
        let who = Who { model: self, role: self.role(kind) };
        let step =
            Step { who, before: shared, world: World::new(&self.layout, shared), task, outcomes };
        let killable = matches!(who.role, Role::Actor { killable: true, .. });
        if !killable {
            return kernel::dispatch(step);
        }
        kernel::dispatch(Step { outcomes: &mut *step.outcomes, ..step });
        kernel::kmod::killed(step);
    }

    /// The word of a modprobe that is about to call `finit_module()`, once that call has come to
    /// `result`: modprobe alone, with somebody else's answers for the kernel's.
    ///
    /// # Panics
    /// For a process that is in no modprobe.
    pub fn answer_finit(&self, kind: u8, local: u64, result: Finit) -> u64 {
        let who = Who { model: self, role: self.role(kind) };
        self.layout.pack(&modprobe::finit_result(&who, result, self.layout.unpack(local)))
    }

    /// What a process of that kind in state `local` remembers of a change of the shared state.
    pub fn observe(&self, kind: u8, before: u128, after: u128, local: u64) -> u64 {
        if (before ^ after) & self.remembered == 0 {
            return local;
        }
        let pc = self.layout.pc(local);
        if matches!(pc, Pc::NotStarted | Pc::Idle | Pc::Done | Pc::UdevIdle) {
            return local;
        }
        let role = self.role(kind);
        let Some(name) = role.name() else { return local };
        let mut task = self.layout.unpack(local);
        let (mut old, mut new) =
            (World::new(&self.layout, before), World::new(&self.layout, after));
        if matches!(pc, Pc::Read | Pc::ReadEnd | Pc::ReadEndOther) {
            let module = Who { model: self, role }.module(&task);
            task.stale |= old.initstate(module) && !new.initstate(module);
        }
        if pc == Pc::PutFilesystem {
            let module = self.targets(name)[usize::from(task.index)];
            task.stale |= new.state(module) == ModuleState::Absent;
        }
        let nested = task.depth > 0;
        let in_request = role.waits_for_modprobe() && (nested || pc.in_request());
        let in_modprobe = nested || pc.in_modprobe();
        for (bit, target) in self.targets(name).iter().enumerate() {
            let bit = 1 << bit;
            let (was, is) = (old.state(*target), new.state(*target));
            let live = is == ModuleState::Live;
            if in_request {
                if live {
                    task.request_live |= bit;
                }
                task.going_after_live |= is == ModuleState::Going
                    && was != ModuleState::Going
                    && task.request_live & bit != 0;
            }
            if in_modprobe && live {
                task.modprobe_live |= bit;
            }
            task.live_since_exit &= live;
            task.live_since_shortcut &= live;
            if role.is_fs_caller() {
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

    /// A process's word once `queue` has woken it; `None` if it is not asleep there.
    pub fn wake(&self, kind: u8, local: u64, queue: WaitQueue) -> Option<u64> {
        let pc = self.layout.pc(local);
        let who = || Who { model: self, role: self.role(kind) };
        let woken = match queue {
            WaitQueue::ModuleWq => pc.woken()?,
            WaitQueue::KmodWq if pc == Pc::SlotAsleep => {
                return Some(kernel::kmod::slot_woken(&who(), local));
            }
            WaitQueue::Duplicate(name) if pc == Pc::DuplicateAsleep => {
                let task = self.layout.unpack(local);
                if who().name(&task) != name {
                    return None;
                }
                Pc::DuplicateRead
            }
            WaitQueue::Uevent(module) if pc == Pc::UdevIdle => {
                let action = Action::Udev(module);
                matches!(self.role(kind), Role::Actor { action: a, .. } if a == action)
                    .then_some(Pc::UdevUse)?
            }
            WaitQueue::Idempotent(module, result) if pc == Pc::IdempotentAsleep => {
                let task = self.layout.unpack(local);
                if who().module(&task) != module {
                    return None;
                }
                return Some(self.layout.pack(&modprobe::finit_result(&who(), result, task)));
            }
            _ => return None,
        };
        Some(self.layout.with_pc(local, woken))
    }

    /// A process's word with what only properties read forgotten.
    pub fn without_history(&self, local: u64) -> u64 {
        self.layout.without_history(local)
    }

    /// Whether modprobe may say 0 for `name`, having seen the targets of `live` LIVE.
    pub(crate) fn truthful(&self, name: NameId, live: u16) -> bool {
        if self.targets(name).is_empty() {
            self.scenario.names[usize::from(name)].builtin.is_some()
        } else {
            live == self.all_targets(name)
        }
    }
}

/// What is wrong with a scenario.
fn validate(scenario: &Scenario) -> Result<(), String> {
    let modules = scenario.modules.len();
    let known = |id: ModuleId| usize::from(id) < modules;
    if modules > MAX_MODULES {
        return Err(format!("{modules} modules, expected at most {MAX_MODULES}"));
    }
    if scenario.names.len() > MAX_NAMES {
        return Err(format!("{} names, expected at most {MAX_NAMES}", scenario.names.len()));
    }
    let known_name = |id: NameId| usize::from(id) < scenario.names.len();
    for module in &scenario.modules {
        if let Some(id) = module.dependencies.iter().find(|id| !known(**id)) {
            return Err(format!(
                "module '{}' depends on module number {id}, expected a number below {modules}",
                module.name
            ));
        }
        if let Some(id) = module.requests.filter(|id| !known_name(*id)) {
            return Err(format!(
                "module '{}' requests name number {id}, expected a number below {}",
                module.name,
                scenario.names.len()
            ));
        }
    }
    for name in &scenario.names {
        let probes = name.targets().iter().flat_map(|t| &t.probe).map(|p| p.module);
        let targets = name.targets().iter().map(|t| t.module);
        if let Some(id) = probes.chain(targets).find(|id| !known(*id)) {
            return Err(format!(
                "'{}' resolves to module number {id}, expected a number below {modules}",
                name.request
            ));
        }
        if matches!(&name.resolution, Resolution::Modules(targets) if targets.is_empty()) {
            return Err("the name resolves to an empty list of modules".to_owned());
        }
        if name.targets().iter().any(|t| t.probe.is_empty()) {
            return Err("a target's probe list is empty".to_owned());
        }
        if name.targets().len() > MAX_TARGETS {
            return Err(format!(
                "'{}' is served by {} modules, expected at most {MAX_TARGETS}",
                name.request,
                name.targets().len()
            ));
        }
    }
    for actor in &scenario.actors {
        if let Some(id) = actor.action.name().filter(|id| !known_name(*id)) {
            return Err(format!(
                "an actor asks for name number {id}, expected a number below {}",
                scenario.names.len()
            ));
        }
        if let Some(id) = actor.action.module().filter(|id| !known(*id)) {
            return Err(format!(
                "an actor acts on module number {id}, expected a number below {modules}"
            ));
        }
        if let Action::GetFsType(name) = actor.action {
            let request = &scenario.names[usize::from(name)].request;
            if !request.starts_with("fs-") {
                return Err(format!(
                    "get_fs_type() requests a name that begins with 'fs-', found '{request}'"
                ));
            }
        }
    }
    if scenario.processes() == 0 {
        return Err("no callers, expected at least 1".to_owned());
    }
    if scenario.limit == Some(0) {
        return Err("a limit of 0 running requests, expected at least 1".to_owned());
    }
    let depth = nesting(scenario);
    if depth > MAX_DEPTH {
        return Err(format!(
            "inits that request modules nest {depth} deep, expected at most {MAX_DEPTH}"
        ));
    }
    Ok(())
}

/// How deep inits can request modules: a module whose init runs is not loaded once more meanwhile.
///
/// # Panics
/// If a name, target or request refers to what is not there.
pub fn nesting(scenario: &Scenario) -> usize {
    fn below(scenario: &Scenario, name: NameId, running: &mut Vec<ModuleId>) -> usize {
        let mut deepest = 0;
        let probes = scenario.names[usize::from(name)].targets().iter().flat_map(|t| &t.probe);
        for probe in probes {
            let id = probe.module;
            let Some(next) = scenario.modules[usize::from(id)].requests else { continue };
            // Two levels beyond the limit say enough.
            if running.contains(&id) || running.len() > MAX_DEPTH {
                continue;
            }
            running.push(id);
            deepest = deepest.max(1 + below(scenario, next, running));
            running.pop();
        }
        deepest
    }
    let names = 0..scenario.names.len() as NameId;
    let asked = names.filter(|n| scenario.actors.iter().any(|a| a.action.name() == Some(*n)));
    asked.map(|name| below(scenario, name, &mut Vec::new())).max().unwrap_or(0)
}

/// By module, those that register the same file system: of one name `fs-FS` both are targets.
fn rivals(scenario: &Scenario) -> Vec<Vec<ModuleId>> {
    let registers = |id: &ModuleId| scenario.modules[usize::from(*id)].registers;
    let mut rivals = vec![Vec::new(); scenario.modules.len()];
    for name in scenario.names.iter().filter(|name| name.request.starts_with("fs-")) {
        let targets: Vec<ModuleId> =
            name.targets().iter().map(|t| t.module).filter(registers).collect();
        for module in &targets {
            let others = targets.iter().filter(|other| *other != module);
            let mine: &mut Vec<ModuleId> = &mut rivals[usize::from(*module)];
            for other in others {
                if !mine.contains(other) {
                    mine.push(*other);
                }
            }
        }
    }
    rivals
}

fn name_model(scenario: &Scenario, id: NameId) -> NameModel {
    let name = &scenario.names[usize::from(id)];
    // The empty name's directory is /sys/module/ itself: `modprobe -q -- ""` of kmod v19 exits 0.
    let unknown_directory = name.request.is_empty()
        || name.builtin.as_ref().is_some_and(|builtin| {
            builtin.directory && builtin.name == name.request.replace('-', "_")
        });
    NameModel {
        plan: modprobe::plan(name),
        removal: modprobe::removal(name),
        checked: checked_names(scenario, id),
        unknown_directory,
        targets: name.targets().iter().map(|t| t.module).collect(),
    }
}

/// The names that `AliasMap` gives for the request; the request itself where it gives none.
fn checked_names(scenario: &Scenario, id: NameId) -> Vec<CheckedName> {
    let name = &scenario.names[usize::from(id)];
    let exact: Vec<ModuleId> = name.targets().iter().map(|t| t.module).collect();
    let name_of = |text: &str| {
        let text = text.replace('-', "_");
        let module = scenario.modules.iter().position(|m| m.name == text);
        CheckedName {
            listed: module.map_or(Listed::NeverListed(id), |m| Listed::Module(m as ModuleId)),
            built_in: name.builtin.as_ref().is_some_and(|b| b.name == text),
        }
    };
    match scenario.features.kernel.alias_map {
        AliasMap::Exact if !exact.is_empty() => exact
            .into_iter()
            .map(|id| CheckedName { listed: Listed::Module(id), built_in: false })
            .collect(),
        AliasMap::Prefix => vec![name_of(name.file_system())],
        AliasMap::None | AliasMap::Exact => vec![name_of(&name.request)],
    }
}

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
        let mut name = self.role.name().expect("only those who request a name ask for it");
        for outer in &task.outer[..usize::from(task.depth)] {
            let module = self.model.names[usize::from(name)].plan[usize::from(*outer)].module;
            let requests = self.model.scenario.modules[usize::from(module)].requests;
            name = requests.expect("a nested request has an init that made it");
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
    before: u128,
    pub world: World<'a>,
    pub task: Task,
    outcomes: &'a mut Vec<Outcome>,
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

    fn emit(&mut self, event: Event, task: Task, mut effect: Effect, way: Way) {
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

    /// Whether this is a request made by a module's init.
    pub fn nested(&self) -> bool {
        self.task.depth > 0
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
