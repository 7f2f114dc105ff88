//! The transition system of one scenario: `step`, `observe`, `wake`.

mod asked;
mod prepare;
mod programs;
mod step;

use crate::event::{Event, Finit, Listed};
use crate::kernel::{self, Orders};
use crate::mutant::Mutant;
use crate::scenario::{Action, ModuleId, NameId, Scenario, number};
use crate::state::{
    COUNTED, Counts, ErrorOf, History, Layout, ModuleState, NamedField, Pc, Task, World,
};
use crate::text::{CheckRules, ListedRules, LookRules, Looked};
use crate::userspace::modprobe::{self, PlanEntry};

use crate::learned::Learned;
use prepare::{name_model, rivals};
pub use prepare::{nesting, validate};
use programs::{Known, frames};
pub(crate) use step::{Step, Who};

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
    /// A queue of the scenario's programs.
    Programs(u8),
}

/// The first number of a queue of programs.
const PROGRAMS: u8 = 2 + NAMES + 4 * MODULES;

/// [`MAX_MODULES`] as numbers of modules have it.
const MODULES: ModuleId = 21;

/// [`MAX_NAMES`] as numbers of names have it.
const NAMES: NameId = 16;

/// Most modules in a scenario.
pub const MAX_MODULES: usize = MODULES as usize;

/// Most requested names in a scenario.
pub const MAX_NAMES: usize = NAMES as usize;

/// Most modules that a name is served by.
pub const MAX_TARGETS: usize = 6;

/// Most modules that a module depends on directly.
pub const MAX_DEPENDENCIES: usize = MAX_MODULES;

/// Most looks that modprobe takes for a name: one at each target, and one at each entry of its probe
/// list. A byte counts them.
pub const MAX_LOOKS: usize = 255;

/// Most groups of actors: the kinds of processes are these, and an orphan and a kworker for each name,
/// and a byte numbers them.
pub const MAX_GROUPS: usize = 256 - 2 * MAX_NAMES;

/// Most questions of a scenario itself: with the properties they are one bit each.
pub const MAX_ASKS: usize = 32;

/// Most programs, those of inits and exits included.
pub const MAX_PROGRAMS: usize = 64;

/// Most actors, those of all groups together.
pub const MAX_ACTORS: usize = 255;

impl WaitQueue {
    /// A number of its own.
    pub fn number(self) -> u8 {
        match self {
            Self::ModuleWq => 0,
            Self::KmodWq => 1,
            Self::Duplicate(name) => 2 + name,
            Self::Uevent(module) => 2 + NAMES + module,
            Self::Idempotent(module, result) => 2 + NAMES + MODULES + 3 * module + result as u8,
            Self::Programs(queue) => PROGRAMS + queue,
        }
    }

    /// The queue of that number.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Self::ModuleWq,
            1 => Self::KmodWq,
            n if n < 2 + NAMES => Self::Duplicate(n - 2),
            n if n < 2 + NAMES + MODULES => Self::Uevent(n - 2 - NAMES),
            n if n >= PROGRAMS => Self::Programs(n - PROGRAMS),
            n => {
                let rest = n - 2 - NAMES - MODULES;
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
    /// A process that programs start: a worker, or a run of an asynchronous function. Its kind among
    /// those of the programs.
    Started(u8),
}

impl Role {
    /// The requested name that its history is about.
    pub fn name(self) -> Option<NameId> {
        match self {
            Self::Actor { action, .. } => action.name(),
            Self::Orphan(name) | Self::Kworker(name) => Some(name),
            Self::Started(_) => None,
        }
    }

    /// Whether it calls `request_module()` or `get_fs_type()` and gets its result.
    pub fn waits_for_modprobe(self) -> bool {
        matches!(self, Self::Actor { action: Action::RequestModule(_) | Action::GetFsType(_), .. })
    }

    fn is_fs_caller(self) -> bool {
        matches!(self, Self::Actor { action: Action::GetFsType(_), .. })
    }

    /// Whether it is a call that may fail for want of a module: a request, or a modprobe.
    pub fn may_fail(self) -> bool {
        match self {
            Self::Actor { action, .. } => matches!(
                action,
                Action::RequestModule(_)
                    | Action::RequestModuleNowait(_)
                    | Action::GetFsType(_)
                    | Action::Modprobe(_)
            ),
            Self::Orphan(_) => true,
            Self::Kworker(_) | Self::Started(_) => false,
        }
    }
}

/// Whether a module that changes like that is one whose load fails.
fn failed_attempt(was: ModuleState, is: ModuleState) -> bool {
    matches!(
        (was, is),
        (ModuleState::Coming, ModuleState::Going)
            | (ModuleState::Unformed | ModuleState::Coming, ModuleState::Absent)
    )
}

/// A requested name, ready to step.
#[derive(Clone, Debug)]
pub(crate) struct NameModel {
    /// What modprobe does for it, looks and insertions in order.
    pub plan: Vec<PlanEntry>,
    /// The program that does it in place of the release's; `plan` has an entry for each of its nodes.
    pub learned: Option<Learned>,
    /// What `modprobe -r` does for it.
    pub removal: Vec<PlanEntry>,
    /// What `insmod` does with the file of the module of that name.
    pub insertion: Vec<PlanEntry>,
    /// The names that check and shortcut look up, as the alias map gives them.
    pub checked: Vec<CheckedName>,
    /// Whether there is a `/sys/module/NAME/` of a name that the indexes do not know, in the end.
    pub unknown_directory: bool,
    targets: Vec<ModuleId>,
    /// The targets, what modprobe tries for them, what those need, and what their inits request.
    concerned: Vec<ModuleId>,
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
    pub(crate) listed: ListedRules,
    pub(crate) check: CheckRules,
    pub(crate) look: LookRules,
    roles: Vec<Role>,
    rivals: Vec<Vec<ModuleId>>,
    counts: Counts,
    /// What the scenario asks, in its order.
    asks: Vec<kmodcheck_lang::Predicate>,
    /// Bits whose change somebody may remember.
    remembered: u128,
    /// Of these, those that say of a module that its initstate is there, and of a name that it is listed.
    falling: u128,
}

impl Model {
    /// A model of `scenario`, faithful unless `mutant` is some deliberate fault.
    ///
    /// # Errors
    /// A reference to a module or name that is not there, or a scenario beyond the model's limits.
    pub fn new(scenario: Scenario, mutant: Option<Mutant>) -> Result<Self, ModelError> {
        Self::counting(scenario, mutant, Counts::Exact, History::Loads)
    }

    /// The model for proofs about any number of actors. What it counts of them in the shared word,
    /// for the limit of running requests and for the references on a module, it counts up to
    /// [`Model::counts_up_to`]; beyond, one less may be as many as before. So it can do more than the
    /// exact model, and nothing less.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn for_any_number(scenario: Scenario, mutant: Option<Mutant>) -> Result<Self, ModelError> {
        Self::counting(scenario, mutant, Counts::OrMore, History::Loads)
    }

    /// The same system with callers that carry that history.
    ///
    /// # Errors
    /// [`History::Both`] may take more bits than a process has. The others never do.
    pub fn remembering(&self, history: History) -> Result<Self, ModelError> {
        Self::counting(self.scenario.clone(), self.mutant, self.counts, history)
    }

    /// Which history its callers carry.
    pub fn history(&self) -> History {
        self.layout.remembers
    }

    fn counting(
        mut scenario: Scenario,
        mutant: Option<Mutant>,
        counts: Counts,
        history: History,
    ) -> Result<Self, ModelError> {
        let name = scenario.name.clone();
        let error = |what: String| ModelError { scenario: name.clone(), what };
        validate(&scenario).map_err(error)?;
        let nesting = nesting(&scenario);
        let frames = frames(&mut scenario, counts, nesting).map_err(error)?;
        let names: Vec<NameModel> =
            scenario.name_ids().map(|id| name_model(&scenario, mutant, id)).collect();
        let longest = names.iter().map(|n| n.plan.len().max(n.removal.len())).max().unwrap_or(0);
        let checked = names.iter().map(|n| n.checked.len()).max().unwrap_or(0);
        let mut layout =
            Layout::new(&scenario, longest, checked, counts, history, &frames, nesting);
        layout.strict &= mutant.is_none();
        if layout.local_bits > 64 || layout.shared_bits > 128 {
            return Err(error(format!(
                "a process takes {} bits and the shared state {}, expected at most 64 and 128",
                layout.local_bits, layout.shared_bits
            )));
        }
        let own_entries = scenario.features.kernel.first_result_counts;
        let reasons = names.iter().flat_map(|n| &n.concerned).filter(|_| history.failures());
        let states = names.iter().flat_map(|n| &n.targets).chain(reasons);
        let remembered = layout.modules.iter().fold(0, |mask, m| mask | m.initstate.mask())
            | states.fold(0, |mask, t| mask | layout.modules[usize::from(*t)].state.mask())
            | layout.names.iter().fold(0, |mask, name| match own_entries {
                true => mask | name.dup_listed.mask(),
                false => mask,
            });
        let falling = layout.modules.iter().fold(0, |mask, m| mask | m.initstate.mask())
            | layout.names.iter().fold(0, |mask, name| mask | name.dup_listed.mask());
        let mut roles: Vec<Role> = scenario
            .actors
            .iter()
            .map(|a| Role::Actor { action: a.action, killable: a.killable })
            .collect();
        roles.extend(scenario.name_ids().map(Role::Orphan));
        roles.extend(scenario.name_ids().map(Role::Kworker));
        if let Some(ready) = scenario.programs.ready() {
            roles.extend(ready.programs.started().iter().map(|s| Role::Started(number(s.kind))));
        }
        let mut model = Self {
            orders: Orders::new(&scenario, mutant),
            listed: scenario.listed_rules(),
            check: scenario.check_rules(),
            look: LookRules {
                bare: match mutant {
                    Some(Mutant::OldRule) => Looked::Builtin,
                    Some(Mutant::NewRule) => Looked::Coming,
                    _ => scenario.look_rules().bare,
                },
                ..scenario.look_rules()
            },
            rivals: rivals(&scenario),
            counts,
            scenario,
            mutant,
            layout,
            names,
            roles,
            remembered,
            falling,
            asks: Vec::new(),
        };
        let initial = model.initial_shared();
        let known = Known { model: &model, shared: initial };
        let asks = model.scenario.asks.iter().map(|ask| {
            // What is asked of results is no condition.
            let condition = match ask.when {
                crate::scenario::When::Returns => "1",
                _ => &ask.condition,
            };
            let read = kmodcheck_lang::Predicate::read(&ask.name, condition, &known);
            read.map_err(|wrong| error(wrong.to_string()))
        });
        let asks: Result<_, _> = asks.collect();
        model.asks = asks?;
        Ok(model)
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The deliberate fault, if there is one.
    pub fn mutant(&self) -> Option<Mutant> {
        self.mutant
    }

    /// How deep requests of inits nest, at most; 0 where no init requests anything.
    pub fn nests_at_most(&self) -> usize {
        self.layout.deep
    }

    /// Up to which number actors are counted exactly, where not all of them are.
    pub fn counts_up_to(&self) -> Option<usize> {
        self.layout.counts_or_more().then_some(COUNTED - 1)
    }

    /// Bits of the shared word.
    pub fn shared_bits(&self) -> u32 {
        self.layout.shared_bits
    }

    /// The fields that the shared word is made of, in no particular order.
    pub fn shared_fields(&self) -> Vec<NamedField> {
        self.layout.shared_fields(&self.scenario)
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
        if let Some(ready) = self.scenario.programs.ready() {
            world.set_programs(ready.programs.initial());
        }
        world.word
    }

    /// The processes at first, each with its kind: the actors in order, then a pool of processes
    /// (word 0) that a step may start.
    pub fn processes(&self) -> Vec<(u8, u64)> {
        let mut processes = Vec::new();
        for (kind, actor) in (0..).zip(&self.scenario.actors) {
            let pc = match actor.action {
                Action::Udev(_) => Pc::UdevIdle,
                _ => Pc::Idle,
            };
            let task = match actor.action {
                Action::Program(program) => kernel::program::begins(self, usize::from(program)),
                _ => Task { pc, ..Task::IDLE },
            };
            let local = self.layout.pack(&task);
            processes.extend((0..actor.count).map(|_| (kind, local)));
        }
        for name in self.scenario.name_ids() {
            let leaves = |a: &&crate::scenario::Actor| match a.action {
                Action::RequestModuleNowait(n) => n == name,
                Action::RequestModule(n) | Action::GetFsType(n) => n == name && a.killable,
                _ => false,
            };
            let leaving = self.scenario.actors.iter().filter(leaves);
            let pool: usize = leaving.map(|a| usize::from(a.count)).sum();
            let programs = self.scenario.programs.ready();
            let calls = programs.map_or(0, |ready| ready.leaves[usize::from(name)]);
            let pool = pool + calls * self.scenario.processes();
            processes.extend((0..pool).map(|_| (self.orphan(name), 0)));
        }
        if self.scenario.features.kernel.duplicate_requests {
            let names = self.scenario.name_ids();
            processes.extend(names.map(|name| (self.kworker(name), 0)));
        }
        if let Some(ready) = self.scenario.programs.ready() {
            for started in ready.programs.started() {
                let kind = self.started(started.kind);
                let local = started.local.map(|_| kernel::program::begins(self, started.kind));
                processes.push((kind, local.map_or(0, |task| self.layout.pack(&task))));
            }
        }
        processes
    }

    /// The kind of a modprobe of `name` that nobody waits for.
    pub(crate) fn orphan(&self, name: NameId) -> u8 {
        number(self.scenario.actors.len() + usize::from(name))
    }

    /// The kind of the kworker of `name`'s entry in `dup_kmod_reqs`.
    pub(crate) fn kworker(&self, name: NameId) -> u8 {
        let (actors, names) = (self.scenario.actors.len(), self.scenario.names.len());
        number(actors + names + usize::from(name))
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
    pub fn returned(&self, kind: u8, local: u64) -> bool {
        match self.layout.pc(local) {
            Pc::Done | Pc::UdevIdle | Pc::DuplicateDelete => true,
            Pc::Program => kernel::program::at_rest(self, kind, local),
            _ => false,
        }
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
            if !self.returned(kind, outcome.local) {
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
        let mut task = self.layout.unpack(local);
        // What a finit_module() has waited for is nothing to what comes after it.
        task.waited_for_init &= task.pc.in_finit_module();
        let who = Who { model: self, role: self.acts_as(kind, &task) };
        let world = World::new(&self.layout, shared);
        let step = Step { who, kind, before: shared, world, task, outcomes };
        let killable = matches!(who.role, Role::Actor { killable: true, .. });
        if !killable {
            return kernel::dispatch(step);
        }
        kernel::dispatch(Step { outcomes: &mut *step.outcomes, ..step });
        kernel::kmod::killed(step);
    }

    /// Where a process is that has waited for another's load of the module that it loads, until that one's init had
    /// returned; `None` for all others, and where that is not remembered.
    pub fn has_waited_for_init(&self, local: u64) -> Option<Pc> {
        (self.layout.waited_for_init.of(local) != 0).then(|| self.layout.pc(local))
    }

    /// The word of a modprobe that is about to call `finit_module()`, once that call has come to
    /// `result`: modprobe alone, with somebody else's answers for the kernel's.
    ///
    /// # Panics
    /// For a process that is in no modprobe.
    pub fn answer_finit(&self, kind: u8, local: u64, result: Finit) -> u64 {
        let task = self.layout.unpack(local);
        let who = Who { model: self, role: self.acts_as(kind, &task) };
        self.layout.pack(&modprobe::finit_result(&who, result, task))
    }

    /// The bits of the shared word of which somebody may remember a change.
    pub fn remembered(&self) -> u128 {
        self.remembered
    }

    /// What a process of that kind in state `local` remembers of a change of the shared state.
    pub fn observe(&self, kind: u8, before: u128, after: u128, local: u64) -> u64 {
        if (before ^ after) & self.remembered == 0 {
            return local;
        }
        let pc = self.layout.pc(local);
        if matches!(pc, Pc::NotStarted | Pc::Idle | Pc::Done | Pc::UdevIdle | Pc::Program) {
            return local;
        }
        let role = self.acting(kind, local);
        let Some(name) = role.name() else { return local };
        // Some bits of the word change: it is not taken apart for that.
        let (layout, mut word) = (&self.layout, local);
        let (mut old, mut new) = (World::new(layout, before), World::new(layout, after));
        // That one of these goes is rare: only then the word is taken apart for whose it is.
        let falls = before & !after & self.falling != 0;
        if falls && matches!(pc, Pc::Read | Pc::ReadEnd | Pc::ReadEndOther | Pc::RefcntRead) {
            let module = Who { model: self, role }.module(&layout.unpack(local));
            let stale = old.initstate(module) && !new.initstate(module);
            layout.stale.raise(&mut word, u64::from(stale));
        }
        if falls && pc == Pc::DuplicateRead && self.scenario.features.kernel.first_result_counts {
            let name = Who { model: self, role }.name(&layout.unpack(local));
            let (was, is) = (old.name(name), new.name(name));
            if old.flag(was.dup_listed) && !new.flag(is.dup_listed) {
                layout.ret.put(&mut word, old.get(was.dup_ret));
                layout.stale.raise(&mut word, 1);
            }
        }
        if pc == Pc::PutFilesystem {
            let target =
                self.targets(name).iter().zip(0..).find(|(_, i)| *i == layout.index.of(local));
            let (module, _) = target.expect("it puts one of its targets");
            let freed = new.state(*module) == ModuleState::Absent;
            layout.stale.raise(&mut word, u64::from(freed));
        }
        let goes = |was, is| is == ModuleState::Going && was != ModuleState::Going;
        if self.history().failures() && pc.waits_for_another_load() {
            // initstate is there from before its init until after it.
            let mut ended = |module: ModuleId| {
                old.state(module) == ModuleState::Coming
                    && matches!(new.state(module), ModuleState::Live | ModuleState::Going)
                    && old.initstate(module)
            };
            // That an init ended is rare: only then the word is taken apart for the module that it is at.
            if self.scenario.module_ids().any(&mut ended) {
                let module = Who { model: self, role }.module(&layout.unpack(local));
                layout.waited_for_init.raise(&mut word, u64::from(ended(module)));
            }
        }
        if self.history().failures() && role.may_fail() {
            for module in &self.names[usize::from(name)].concerned {
                let (was, is) = (old.state(*module), new.state(*module));
                layout.attempt_failed.raise(&mut word, u64::from(failed_attempt(was, is)));
                layout.was_going.raise(&mut word, u64::from(goes(was, is)));
            }
        }
        if !self.history().loads() {
            return word;
        }
        let nested = layout.depth.of(local) > 0 || layout.execs.of(local) > 0;
        let in_request = role.waits_for_modprobe() && (nested || pc.in_request());
        let in_modprobe = nested || pc.in_modprobe();
        for (target, place) in self.targets(name).iter().zip(0..) {
            let (was, is) = (old.state(*target), new.state(*target));
            let live = u64::from(is == ModuleState::Live);
            if in_request {
                layout.request_live.raise(&mut word, live << place);
                let was_live = layout.request_live.of(word) >> place & 1;
                layout.going_after_live.raise(&mut word, was_live & u64::from(goes(was, is)));
            }
            if in_modprobe {
                layout.modprobe_live.raise(&mut word, live << place);
            }
            if live == 0 {
                layout.live_since_exit.clear(&mut word);
                layout.live_since_shortcut.clear(&mut word);
            }
            if role.is_fs_caller() {
                layout.load_failed.raise(&mut word, u64::from(failed_attempt(was, is)));
                layout.went_going.raise(&mut word, u64::from(goes(was, is)));
            }
        }
        word
    }

    /// The module whose init a process is in.
    pub fn runs_init_of(&self, kind: u8, local: u64) -> Option<ModuleId> {
        let task = self.layout.unpack(local);
        let who = Who { model: self, role: self.acts_as(kind, &task) };
        (task.pc == Pc::Init).then(|| who.module(&task))
    }

    /// A process's word once `queue` has woken it; `None` if it is not asleep there.
    pub fn wake(&self, kind: u8, local: u64, queue: WaitQueue) -> Option<u64> {
        let pc = self.layout.pc(local);
        let who = || Who { model: self, role: self.acting(kind, local) };
        let woken = match queue {
            WaitQueue::Programs(queue) => {
                let task = self.layout.unpack(local);
                let task = kernel::program::woken(self, kind, &task, queue)?;
                return Some(self.layout.pack(&task));
            }
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
                matches!(who().role, Role::Actor { action: a, .. } if a == action)
                    .then_some(Pc::UdevUse)?
            }
            WaitQueue::Idempotent(module, result) if pc == Pc::IdempotentAsleep => {
                let task = self.layout.unpack(local);
                if who().module(&task) != module {
                    return None;
                }
                if self.scenario.features.kernel.joiners_try_again {
                    return Some(self.layout.with_pc(local, Pc::Idempotent));
                }
                let error_of = match result {
                    Finit::Failed => ErrorOf::Another,
                    Finit::Loaded | Finit::Exists => ErrorOf::Itself,
                };
                let task = Task { error_of, ..task };
                let task = match self.mutant {
                    Some(Mutant::LoadsAfterWait) => kernel::module::load_after_wait(&who(), task),
                    _ => modprobe::finit_result(&who(), result, task),
                };
                return Some(self.layout.pack(&task));
            }
            _ => return None,
        };
        Some(self.layout.with_pc(local, woken))
    }

    /// A process's word with what only properties read forgotten.
    pub fn without_history(&self, local: u64) -> u64 {
        self.layout.without_history(local)
    }
}
