//! tools/modprobe.c and libkmod/libkmod-module.c: `modprobe -q -- NAME`, and `modprobe -r NAME`.
//!
//! modprobe looks at its target before anything else, and again in its turn in the probe list; at
//! each dependency once, in its turn. A look is up to three system calls, and others run in between:
//! open initstate; if that fails, stat the directory; else read the file, to its end.
//!
//! Other modprobes ([`Program`]) go through the same places another way.

use crate::event::{Event, Finit, Refcnt};
use crate::features::{FailedLookup, KmodFeatures, Program};
use crate::kernel::module::{finit_module, module_refcount};
use crate::learned::{self, Learned};
use crate::model::{Role, Step, Who};
use crate::mutant::Mutant;
use crate::scenario::{
    Action, BuiltIn, Insert, Module, ModuleId, Name, Probe, Resolution, Target, number,
};
use crate::state::{ModuleState, Pc, Ret, Task};
use crate::text::Looked;

/// One look (and, for a probe, the insertion that may follow it).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanEntry {
    pub module: ModuleId,
    purpose: Purpose,
    pub insert: Insert,
    /// Whether it is known by the path of its file, and so none of what `modules.builtin` lists.
    by_path: bool,
    /// Where modprobe goes on when it is done with the entry, and with what its command runs: of a first look, where its
    /// target ends.
    next: u8,
    /// Where it goes on after an error.
    on_error: u8,
    /// Whether that error is modprobe's own; a softdep's is forgotten, as is one of a modprobe that nobody heeds.
    error_counts: bool,
}

impl PlanEntry {
    /// Whether it hands its module to the kernel, if a look says that it is not there.
    pub fn inserts(&self) -> bool {
        matches!(self.purpose, Purpose::Probe | Purpose::Insert) && self.insert == Insert::Finit
    }

    /// Whether what is configured in its module's stead may make modprobe fail; of a softdep it does not.
    pub fn fails_by_configuration(&self) -> bool {
        use Insert::{FailingCommand, NoFile, Refused, UnknownCommand};
        self.error_counts
            && matches!(self.insert, FailingCommand | NoFile | Refused | UnknownCommand)
    }

    /// Whether what is configured may keep its module away, and modprobe exits 0.
    pub fn keeps_away(&self) -> bool {
        use Insert::{ModprobeForgiven, NoopCommand, UnknownCommand};
        matches!(self.insert, NoopCommand | UnknownCommand | ModprobeForgiven)
    }
}

/// What a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The look at a target before anything else (`kmod_module_probe_insert_module()`'s first).
    First {
        /// If it is not there, it is left alone: blacklisted, and found through an alias.
        blacklisted: bool,
    },
    /// The look in its turn in the probe list.
    Probe,
    /// No look: it is inserted.
    Insert,
    /// No look: the command ends that ran another modprobe.
    CommandEnds,
    /// The look of `modprobe -r` (`rmmod_do_module()`).
    Remove,
    /// Its look at refcnt: what is in use is an error.
    InUse,
    /// Its second look at refcnt: what has none is gone.
    IsThere,
    /// `delete_module()`.
    Delete,
    /// The look at the refcnt of a module that was needed: what is not 0 is left alone.
    Unused,
    /// `delete_module()` of a module that was needed; an error is none.
    DeleteUnused,
}

/// Everything modprobe does for the requested name, in order: for each target (`insmod()`), the
/// first look, then each entry of its probe list.
///
/// busybox's and toybox's put each alias in front of those before it (`config_file_action()`; `config_action()`), and know neither
/// softdeps nor commands.
pub(crate) fn plan(name: &Name, modules: &[Module], kmod: &KmodFeatures) -> Vec<PlanEntry> {
    let mut plan = Vec::new();
    if kmod.modprobe == Program::BusyboxSmall {
        for target in name.targets() {
            // `already_loaded()` is asked of the name.
            let looks = modules[usize::from(target.module)].name == underscored(&name.request);
            small(&mut plan, modules, target.module, looks, true);
        }
        return plan;
    }
    let mut targets: Vec<Target> = name.targets().to_vec();
    let exit_17 = match kmod.exit_17_fails {
        true => Insert::FailingCommand,
        false => Insert::NoopCommand,
    };
    for probe in targets.iter_mut().flat_map(|target| &mut target.probe) {
        probe.for_each(|probe| {
            if probe.insert == Insert::Exit17Command {
                probe.insert = exit_17;
            }
        });
    }
    if kmod.modprobe.reads_the_list() {
        targets.reverse();
        for target in &mut targets {
            target.probe.retain(|probe| probe.required);
            for probe in &mut target.probe {
                probe.nested.clear();
                let compressed = modules[usize::from(probe.module)].compressed;
                probe.insert = match kmod.modprobe {
                    Program::Toybox if compressed => Insert::Refused,
                    _ if probe.insert.is_a_command() => Insert::Finit,
                    _ => probe.insert,
                };
            }
        }
    }
    for target in &targets {
        let looks: usize = target.probe.iter().map(Probe::looks).sum();
        let end = number(plan.len() + 1 + looks);
        let purpose = Purpose::First { blacklisted: target.blacklisted };
        plan.push(first(target.module, purpose, end));
        entries(&mut plan, &target.probe, (end, true));
    }
    plan
}

fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

/// `process_module()` of busybox's small modprobe: a look, if the module is called by its name, then its dependencies, of which
/// no error counts, then it.
fn small(
    plan: &mut Vec<PlanEntry>,
    modules: &[Module],
    module: ModuleId,
    looks: bool,
    error_counts: bool,
) {
    let look = plan.len();
    if looks {
        plan.push(first(module, Purpose::First { blacklisted: false }, 0));
    }
    for dependency in &modules[usize::from(module)].dependencies {
        small(plan, modules, *dependency, true, false);
    }
    let next = number(plan.len() + 1);
    let insert = PlanEntry { error_counts, ..first(module, Purpose::Insert, next) };
    plan.push(insert);
    if looks {
        (plan[look].next, plan[look].on_error) = (next, next);
    }
}

/// How many places [`plan`] has for a name, or [`removal`], where somebody `removes`, if those are more; also where they are more
/// than can be.
pub(crate) fn looks(name: &Name, modules: &[Module], kmod: &KmodFeatures, removes: bool) -> usize {
    /// More than any number that is allowed.
    const MANY: usize = 1 << 16;
    fn small(modules: &[Module], module: ModuleId, deep: usize) -> usize {
        let Some(module) = modules.get(usize::from(module)) else { return 0 };
        if deep > modules.len() {
            return MANY;
        }
        let below = module.dependencies.iter();
        let mut all = 2;
        for dependency in below {
            all += small(modules, *dependency, deep + 1);
            if all >= MANY {
                return MANY;
            }
        }
        all
    }
    fn below(modules: &[Module], listed: &[ModuleId]) -> usize {
        let mut places = 0;
        for module in listed {
            let below_it = needed(modules, *module);
            let its: Vec<ModuleId> =
                listed.iter().copied().filter(|id| below_it.contains(id)).collect();
            places += 2 + below(modules, &its);
            if places >= MANY {
                return MANY;
            }
        }
        places
    }
    let of = |target: &Target| match kmod.modprobe {
        Program::BusyboxSmall => small(modules, target.module, 0),
        _ => 1 + target.probe.iter().map(Probe::looks).sum::<usize>(),
    };
    let removed = |target: &Target| {
        let listed = listed_dependencies(target);
        4 + match kmod.removes_listed_dependencies {
            true => 2 * listed.len(),
            false => below(modules, &listed),
        }
    };
    let plan: usize = name.targets().iter().map(of).sum();
    let removal: usize = match removes && kmod.modprobe == Program::Kmod {
        true => name.targets().iter().map(removed).sum(),
        false => 0,
    };
    plan.max(removal)
}

/// The first look at a target, or at the module of a modprobe that a command runs.
fn first(module: ModuleId, purpose: Purpose, end: u8) -> PlanEntry {
    let insert = Insert::Finit;
    let by_path = false;
    PlanEntry { module, purpose, insert, by_path, next: end, on_error: end, error_counts: true }
}

/// A list, and what its commands run in the place where they run it. `on_error`: where an error of what is required leads,
/// and whether it counts.
fn entries(plan: &mut Vec<PlanEntry>, list: &[Probe], on_error: (u8, bool)) {
    for probe in list {
        let next = number(plan.len() + probe.looks());
        let on_error = if probe.required { on_error } else { (next, false) };
        let entry = |purpose| PlanEntry {
            module: probe.module,
            purpose,
            insert: probe.insert,
            by_path: probe.by_path,
            next,
            on_error: on_error.0,
            error_counts: on_error.1,
        };
        plan.push(entry(Purpose::Probe));
        if !probe.insert.runs_modprobe() {
            continue;
        }
        let ends = probe.insert == Insert::UnknownCommand;
        let exit = if ends { next - 1 } else { next };
        plan.push(first(probe.module, Purpose::First { blacklisted: false }, exit));
        let failed = if probe.insert == Insert::ModprobeCommand { on_error } else { (exit, false) };
        entries(plan, &probe.nested, failed);
        if ends {
            plan.push(entry(Purpose::CommandEnds));
        }
    }
}

/// The places of a program that was learned: where it hands a module to the kernel, and where it asks.
pub(crate) fn learned_plan(learned: &Learned) -> Vec<PlanEntry> {
    let end = number(learned.nodes.len());
    let entry = |node: &learned::Node| PlanEntry {
        module: node.ask.module().unwrap_or(0),
        purpose: match node.ask.inserts() {
            true => Purpose::Probe,
            false => Purpose::First { blacklisted: false },
        },
        insert: Insert::Finit,
        by_path: false,
        next: end,
        on_error: end,
        error_counts: true,
    };
    learned.nodes.iter().map(entry).collect()
}

/// What `modprobe -r` does for the name: each target, until the first error (`rmmod()`). kmod looks at refcnt before it removes
/// a module, and then removes those that it needed and nobody uses any more; others remove the module alone.
pub(crate) fn removal(name: &Name, modules: &[Module], kmod: &KmodFeatures) -> Vec<PlanEntry> {
    let mut plan = Vec::new();
    for target in name.targets() {
        let entry = |purpose| first(target.module, purpose, 0);
        if kmod.modprobe != Program::Kmod {
            plan.push(entry(Purpose::Remove));
            continue;
        }
        let begins = plan.len();
        plan.extend([entry(Purpose::Remove), entry(Purpose::InUse)]);
        if kmod.looks_before_removing {
            plan.push(entry(Purpose::IsThere));
        }
        plan.push(entry(Purpose::Delete));
        let dependencies = plan.len();
        let listed = listed_dependencies(target);
        unused(&mut plan, modules, kmod, &listed);
        let end = number(plan.len());
        plan[begins].next = end;
        for entry in &mut plan[begins..dependencies] {
            if entry.purpose == Purpose::IsThere {
                entry.next = number(dependencies);
            }
            // Up to v29 what was needed is looked at whatever became of the module.
            if entry.purpose == Purpose::Delete && !kmod.removes_listed_dependencies {
                entry.on_error = number(dependencies);
            }
        }
    }
    let end = number(plan.len());
    for entry in plan.iter_mut().filter(|entry| entry.on_error == 0) {
        entry.on_error = end;
    }
    plan
}

/// What `modules.dep` lists for a target, in the order in which modprobe loads it.
fn listed_dependencies(target: &Target) -> Vec<ModuleId> {
    let probed = target.probe.iter().filter(|probe| probe.required).map(|probe| probe.module);
    probed.filter(|module| *module != target.module).collect()
}

/// `kmod_module_get_dependencies()`, each removed if its refcnt is 0; up to v29 those that it needs in turn after it
/// (`rmmod_do_remove_module()`).
fn unused(plan: &mut Vec<PlanEntry>, modules: &[Module], kmod: &KmodFeatures, listed: &[ModuleId]) {
    for &module in listed {
        let look = plan.len();
        plan.push(first(module, Purpose::Unused, 0));
        plan.push(first(module, Purpose::DeleteUnused, 0));
        if !kmod.removes_listed_dependencies {
            let below = needed(modules, module);
            // Of what a log says of a machine it is not known that nothing needs itself: there are fewer each time.
            let its: Vec<ModuleId> =
                listed.iter().copied().filter(|id| below.contains(id)).collect();
            unused(plan, modules, kmod, &its);
        }
        plan[look].next = number(plan.len());
    }
}

/// Every module that one needs, directly or not.
fn needed(modules: &[Module], module: ModuleId) -> Vec<ModuleId> {
    let mut found: Vec<ModuleId> = Vec::new();
    let mut open = vec![module];
    while let Some(next) = open.pop() {
        let all = modules.get(usize::from(next)).into_iter().flat_map(|m| &m.dependencies);
        for dependency in all {
            if !found.contains(dependency) && *dependency != module {
                found.push(*dependency);
                open.push(*dependency);
            }
        }
    }
    found
}

/// What `insmod` does with the first module behind the name: it hands its file to the kernel.
pub(crate) fn insertion(name: &Name, modules: &[Module], kmod: &KmodFeatures) -> Vec<PlanEntry> {
    let file = |target: &Target| PlanEntry {
        module: target.module,
        purpose: Purpose::Probe,
        insert: match kmod.modprobe {
            // No MODULE_INIT_COMPRESSED_FILE, and no other try.
            Program::Toybox if modules[usize::from(target.module)].compressed => Insert::Refused,
            _ => Insert::Finit,
        },
        by_path: false,
        next: 1,
        on_error: 1,
        error_counts: true,
    };
    name.targets().first().map(file).into_iter().collect()
}

/// modprobe has read its indexes.
pub(crate) fn begin(who: &Who<'_>, task: Task) -> Task {
    if let Some(task) = learned::begin(who, task) {
        return task;
    }
    let name = &who.model.scenario.names[usize::from(who.name(&task))];
    let kmod = &who.model.scenario.features.kmod;
    // An alias of built-in code. Code that `modules.builtin` does not list has no alias line, and its
    // own name is none.
    let own = |builtin: &BuiltIn| builtin.name == name.request.replace('-', "_");
    let builtin_alias = kmod.builtin_aliases && name.builtin.as_ref().is_some_and(|b| !own(b));
    // Not in modules.dep, and no alias of built-in code is in modules.alias.
    let nothing = match name.resolution {
        Resolution::NotFound => true,
        Resolution::Builtin => kmod.modprobe != Program::Busybox,
        Resolution::Modules(_) => false,
    };
    let failed = |fails: bool| if fails { Ret::Status256 } else { Ret::Zero };
    match kmod.modprobe {
        Program::Kmod => {}
        Program::Busybox => return Task { pc: Pc::ProcModules, ret: failed(nothing), ..task },
        Program::Toybox => {
            // Only a shell's is not called with -q.
            let shells = matches!(who.role, Role::Actor { action: Action::Modprobe(_), .. })
                && task.depth == 0;
            return Task { pc: Pc::ProcModules, ret: failed(nothing && shells), ..task };
        }
        Program::BusyboxSmall => return look(who, 0, Task { ret: failed(nothing), ..task }),
    }
    match name.resolution {
        Resolution::Modules(_) => look(who, 0, Task { ret: Ret::Zero, ..task }),
        // `kmod_module_is_builtin()`, or v19's `mod->builtin`: in the kernel without a look.
        Resolution::Builtin => Task { pc: Pc::Exit, ret: Ret::Zero, ..task },
        Resolution::NotFound if builtin_alias => Task { pc: Pc::Exit, ret: Ret::Zero, ..task },
        Resolution::NotFound => match kmod.failed_lookup {
            FailedLookup::LooksInSysfs => Task { pc: Pc::OpenUnknown, ..task },
            FailedLookup::Fails => Task { pc: Pc::Exit, ret: Ret::Status256, ..task },
        },
    }
}

/// `modprobe -r` has read its indexes: a name that resolves to nothing, or is built in, is an error.
pub(crate) fn begin_removal(who: &Who<'_>, task: Task) -> Task {
    let nothing = who.model.targets(who.name(&task)).is_empty();
    let ret = if nothing { Ret::Status256 } else { Ret::Zero };
    match who.model.scenario.features.kmod.modprobe {
        Program::Busybox | Program::Toybox => Task { pc: Pc::ProcModules, ret, ..task },
        // It exits 0 whatever becomes of it.
        Program::BusyboxSmall => look(who, 0, Task { ret: Ret::Zero, ..task }),
        Program::Kmod => look(who, 0, Task { ret, ..task }),
    }
}

/// busybox's modprobe reads /proc/modules, all of it, before it looks at its argument: what is in it is loaded to it, whatever its
/// state. `m_show()` leaves out what is UNFORMED. The list is taken to be read at once, as one of a page or less is.
pub(crate) fn proc_modules(mut step: Step<'_>) {
    let (mut listed, mut says) = (0, 0);
    for module in step.model().scenario.module_ids() {
        let state = step.world.state(module);
        says = says << 2 | learned::listed(state);
        let shown = matches!(state, ModuleState::Coming | ModuleState::Live | ModuleState::Going);
        listed |= u32::from(shown) << module;
    }
    let task = Task { marks: listed << 1, ..step.task };
    let task = match learned::after(&step.who, says, step.task) {
        Some(task) => task,
        // With nothing to do, with what was known before.
        None => look(&step.who, 0, task),
    };
    step.to(Event::ProcModules { listed }, task);
}

/// How often busybox's small modprobe looks for a module that is in /proc/modules and not 'Live'.
pub(crate) const MOST_LOOKS: u8 = 5;

/// `already_loaded()` of busybox's small modprobe: 'Live' is loaded, and for any other state it looks again, 20 ms later, until it
/// has looked so often that it takes it for not loaded. In between anything may happen.
pub(crate) fn proc_look(mut step: Step<'_>) {
    let module = step.module();
    let state = step.world.state(module);
    let looks = step.task.index + 1;
    let again = matches!(state, ModuleState::Coming | ModuleState::Going) && looks < MOST_LOOKS;
    let task = if again {
        Task { index: looks, ..step.task }
    } else {
        let says = if state == ModuleState::Live { Looked::Live } else { Looked::Nothing };
        let task = Task { index: 0, ..step.task };
        came_to(&step.who, says, says == Looked::Live, task)
    };
    // What is UNFORMED is not in it.
    let shown = matches!(state, ModuleState::Coming | ModuleState::Live | ModuleState::Going);
    let state = if shown { state } else { ModuleState::Absent };
    step.to(Event::ProcLook { module, state, again }, task);
}

/// The bit of `Task::marks` that says that busybox's `finit_module()` has failed.
const SECOND: u32 = 1;

/// Whether the load at hand is that of an `init_module()`, which knows no file.
pub(crate) fn calls_init_module(who: &Who<'_>, task: &Task) -> bool {
    learned::calls_init_module(who, task).unwrap_or(task.marks & SECOND != 0)
}

/// `bb_init_module()` after `finit_module()` has failed, whatever it said: `init_module()`.
pub(crate) fn init_module(mut step: Step<'_>) {
    let module = step.module();
    let task = finit_module(&step.who, step.task);
    step.to(Event::InitModule { module }, task);
}

/// `insmod`: its file alone, without a look before.
pub(crate) fn insmod(who: &Who<'_>, task: Task) -> Task {
    if who.entry(&task).insert == Insert::Refused {
        return Task { pc: Pc::Install, ..task };
    }
    match who.model.reads_file_itself(who.module(&task)) {
        true => tries_again(task),
        false => finit_module(who, task),
    }
}

/// `init_module()` is what follows; it has a step of its own, so that a trace shows it.
fn tries_again(task: Task) -> Task {
    Task { pc: Pc::InitModule, marks: task.marks | SECOND, result: 0, index: 0, ..task }
}

/// Goes to plan entry `pos`: `kmod_module_get_initstate()` begins, unless the index answers for it.
fn look(who: &Who<'_>, pos: u8, task: Task) -> Task {
    let Some(entry) = who.plan(&task).get(usize::from(pos)) else {
        return Task { pc: Pc::Exit, pos: 0, stale: false, marks: 0, ..task };
    };
    let task = Task { pc: Pc::Open, pos, stale: false, index: 0, ..task };
    if entry.purpose == Purpose::CommandEnds {
        return Task { pc: Pc::Install, ..task };
    }
    let kmod = &who.model.scenario.features.kmod;
    match (kmod.modprobe, entry.purpose) {
        (Program::Kmod, Purpose::InUse | Purpose::IsThere | Purpose::Unused) => {
            return Task { pc: Pc::RefcntOpen, ..task };
        }
        (Program::Kmod, Purpose::Delete | Purpose::DeleteUnused) => {
            return Task { pc: Pc::DeleteModule, ..task };
        }
        // `rmmod()`: the first error ends it.
        (Program::Kmod, Purpose::Remove) if task.ret != Ret::Zero => {
            return look(who, entry.on_error, task);
        }
        (Program::Kmod, _) => {}
        (Program::BusyboxSmall, Purpose::Remove) => return Task { pc: Pc::DeleteModule, ..task },
        (Program::BusyboxSmall, Purpose::First { .. }) => {
            return Task { pc: Pc::ProcLook, ..task };
        }
        (Program::BusyboxSmall, _) => return came_to(who, Looked::Nothing, false, task),
        (program @ (Program::Busybox | Program::Toybox), purpose) => {
            let marked = task.marks >> (entry.module + 1) & 1 == 1;
            // `add_probe()`: of built-in code there is nothing to do; a dependency is one only if modules.dep has it.
            let builtin = matches!(purpose, Purpose::First { .. })
                && program == Program::Busybox
                && who.model.scenario.modules[usize::from(entry.module)].listed_builtin;
            let says = if marked || builtin { Looked::Live } else { Looked::Nothing };
            return came_to(who, says, marked || builtin, task);
        }
    }
    let by_path = entry.by_path && kmod.dependencies_not_builtin;
    if !by_path && who.model.index_says_builtin(entry.module) {
        looked(who, Looked::Builtin, task)
    } else {
        task
    }
}

/// The look is done.
fn looked(who: &Who<'_>, looked: Looked, task: Task) -> Task {
    came_to(who, looked, who.model.look.in_kernel(looked), task)
}

/// The same, with whether it counts as in the kernel.
fn came_to(who: &Who<'_>, looked: Looked, in_kernel: bool, task: Task) -> Task {
    let entry = who.entry(&task);
    let task = Task { stale: false, ..task };
    match entry.purpose {
        // This target is done.
        Purpose::First { .. } if in_kernel => look(who, entry.next, fine(who, task)),
        Purpose::First { blacklisted: true } => look(who, entry.next, fine(who, task)),
        Purpose::First { blacklisted: false } => look(who, task.pos + 1, task),
        // `-EEXIST`, which is no error.
        Purpose::Probe if in_kernel => look(who, entry.next, fine(who, task)),
        Purpose::Probe | Purpose::Insert => match entry.insert {
            Insert::Finit if who.model.reads_file_itself(entry.module) => tries_again(task),
            Insert::Finit => finit_module(who, task),
            _ => Task { pc: Pc::Install, ..task },
        },
        Purpose::Remove => match looked {
            Looked::Builtin => removal_failed(who, task),
            Looked::Nothing => look(who, entry.next.max(task.pos + 1), task),
            _ if who.model.scenario.features.kmod.modprobe == Program::Kmod => {
                look(who, task.pos + 1, task)
            }
            Looked::Live | Looked::Coming | Looked::Going => Task { pc: Pc::DeleteModule, ..task },
        },
        Purpose::CommandEnds
        | Purpose::InUse
        | Purpose::IsThere
        | Purpose::Delete
        | Purpose::Unused
        | Purpose::DeleteUnused => unreachable!("it does not look whether it is in the kernel"),
    }
}

/// `kmod_module_get_refcnt()` has come to that; none: there is no such file.
fn counted(who: &Who<'_>, says: Option<Refcnt>, task: Task) -> Task {
    let entry = who.entry(&task);
    let task = Task { stale: false, ..task };
    match (entry.purpose, says) {
        (Purpose::InUse, Some(Refcnt::Used)) => removal_failed(who, task),
        (Purpose::IsThere, None) => look(who, entry.next, task),
        (Purpose::Unused, says) if says != Some(Refcnt::Unused) => look(who, entry.next, task),
        _ => look(who, task.pos + 1, task),
    }
}

/// `open("/sys/module/NAME/refcnt")`: it is made and removed with initstate.
pub(crate) fn refcnt_open(mut step: Step<'_>) {
    let module = step.module();
    let found = step.world.initstate(module);
    let task = match found {
        true => step.at(Pc::RefcntRead),
        false => counted(&step.who, None, step.task),
    };
    step.to(Event::RefcntOpen { module, found }, task);
}

/// It is read: `show_refcnt()`, without a lock. Its second `read()`, for the end of the file, is one step with the first.
pub(crate) fn refcnt_read(mut step: Step<'_>) {
    let module = step.module();
    step.world.initstate(module);
    let says = match step.task.stale {
        true => Refcnt::Gone,
        false => module_refcount(&mut step, module),
    };
    let task = counted(&step.who, Some(says), step.task);
    step.to(Event::RefcntRead { module, says }, task);
}

/// Nothing has failed just now: to kmod the last of several targets counts, to others each.
fn fine(who: &Who<'_>, task: Task) -> Task {
    match who.model.scenario.features.kmod.modprobe {
        Program::Kmod => Task { ret: Ret::Zero, ..task },
        Program::Busybox | Program::BusyboxSmall | Program::Toybox => task,
    }
}

fn removal_failed(who: &Who<'_>, task: Task) -> Task {
    let end = who.entry(&task).on_error;
    let ret = match who.model.scenario.features.kmod.modprobe {
        Program::BusyboxSmall => Ret::Zero,
        _ => Ret::Status256,
    };
    look(who, end, Task { ret, ..task })
}

/// `delete_module()` has returned to `modprobe -r`.
pub(crate) fn delete_returned(who: &Who<'_>, ret: Ret, task: Task) -> Task {
    match ret {
        Ret::Zero => look(who, task.pos + 1, task),
        // What nobody uses any more may have gone, or have found a user.
        _ if who.entry(&task).purpose == Purpose::DeleteUnused => look(who, task.pos + 1, task),
        _ => removal_failed(who, task),
    }
}

/// What takes the place of the insertion: an `install` command runs (`module_do_install_commands()`), whose exit status
/// other than 0 is an error like the kernel's; or there is no file, or the kernel refuses it.
pub(crate) fn install_command(mut step: Step<'_>) {
    let module = step.module();
    let entry = step.who.entry(&step.task);
    let after = |step: &Step<'_>, fails: bool| {
        let result = if fails { Finit::Failed } else { Finit::Loaded };
        finit_result(&step.who, result, step.task)
    };
    if entry.purpose == Purpose::CommandEnds {
        for fails in [false, true] {
            let task = after(&step, fails);
            step.to(Event::CommandEnds { module, fails }, task);
        }
        return;
    }
    let does_nothing = match entry.insert {
        Insert::NoFile => {
            let task = after(&step, true);
            return step.to(Event::NoFile { module }, task);
        }
        Insert::Refused => {
            let task = after(&step, true);
            return step.to(Event::LoadRefused { module }, task);
        }
        Insert::NoopCommand => &[false][..],
        Insert::FailingCommand => &[true],
        Insert::UnknownCommand => &[false, true],
        Insert::ModprobeCommand | Insert::ModprobeForgiven => &[],
        Insert::Finit | Insert::Exit17Command => unreachable!("plan() has made another of it"),
    };
    for &fails in does_nothing {
        let task = after(&step, fails);
        step.to(Event::InstallCommand { module, fails }, task);
    }
    if entry.insert.runs_modprobe() {
        let task = look(&step.who, step.task.pos + 1, step.task);
        step.to(Event::CommandRunsModprobe { module }, task);
    }
}

/// `finit_module()` has returned: a required module's error ends the target with exit status 1; if
/// there are several targets, the last one's counts.
pub(crate) fn finit_result(who: &Who<'_>, result: Finit, task: Task) -> Task {
    if let Some(task) = learned::after(who, learned::result(result), task) {
        return task;
    }
    let program = who.model.scenario.features.kmod.modprobe;
    let first = !calls_init_module(who, &task) && !who.model.reads_file_itself(who.module(&task));
    if program.tries_init_module() && result != Finit::Loaded && first {
        return tries_again(task);
    }
    let task = Task { marks: task.marks & !SECOND, ..task };
    // tools/insmod.c: to insmod, that it is there already is an error, too.
    if let (Role::Actor { action: Action::Insmod(_), .. }, 0) = (who.role, task.depth) {
        let ret = if result == Finit::Loaded { Ret::Zero } else { Ret::Status256 };
        return Task { pc: Pc::Exit, pos: 0, stale: false, marks: 0, ret, ..task };
    }
    let entry = who.entry(&task);
    let result = match result {
        Finit::Exists if program == Program::BusyboxSmall => Finit::Failed,
        result => result,
    };
    if result != Finit::Failed || who.model.mutant == Some(Mutant::ModprobeExitsZero) {
        let loaded = if program.reads_the_list() { 1 << (entry.module + 1) } else { 0 };
        look(who, entry.next, fine(who, Task { marks: task.marks | loaded, ..task }))
    } else if entry.error_counts {
        look(who, entry.on_error, Task { ret: Ret::Status256, ..task })
    } else {
        look(who, entry.on_error, fine(who, task))
    }
}

/// `open("/sys/module/NAME/initstate")`.
pub(crate) fn open(mut step: Step<'_>) {
    let module = step.module();
    let found = step.world.initstate(module);
    let task = match learned::after(&step.who, usize::from(found), step.task) {
        Some(task) => task,
        None => step.at(if found { Pc::Read } else { Pc::Stat }),
    };
    step.to(Event::Open { module, found }, task);
}

/// `stat("/sys/module/NAME")`: the heuristic that the versions differ in.
pub(crate) fn stat(mut step: Step<'_>) {
    let module = step.module();
    let found = step.who.model.has_directory(&mut step.world, module);
    let result = if found { step.model().look.bare } else { Looked::Nothing };
    let task = match learned::after(&step.who, usize::from(found), step.task) {
        Some(task) => task,
        None => looked(&step.who, result, step.task),
    };
    step.to(Event::Stat { module, found }, task);
}

/// The first `read()`: `show_initstate()`, without a lock. A file whose attribute was removed since
/// it was opened gives `-ENODEV`; any error means not in the kernel.
pub(crate) fn read(mut step: Step<'_>) {
    let module = step.module();
    // What `stale` remembers is the attribute's life, so a read depends on that.
    step.world.initstate(module);
    let content = if step.task.stale { None } else { Some(step.world.state(module)) };
    let says = |state| match state {
        ModuleState::Live => Looked::Live,
        ModuleState::Coming => Looked::Coming,
        _ => Looked::Going,
    };
    let answer = match content.map(says) {
        Some(Looked::Live) => 0,
        Some(Looked::Coming) => 1,
        Some(_) => 2,
        None => 3,
    };
    if let Some(task) = learned::after(&step.who, answer, step.task) {
        return step.to(Event::Read { module, content }, task);
    }
    let task = match content.map(says) {
        Some(says) if says == Looked::Live || !removing(&step) => {
            step.at(if step.model().look.in_kernel(says) { Pc::ReadEnd } else { Pc::ReadEndOther })
        }
        Some(_) => step.at(Pc::ReadEndOther),
        None => looked(&step.who, Looked::Nothing, step.task),
    };
    step.to(Event::Read { module, content }, task);
}

fn removing(step: &Step<'_>) -> bool {
    matches!(step.who.role, Role::Actor { action: Action::ModprobeRemove(_), .. }) && !step.nested()
}

/// What follows when the file has been read, and whether what it said counts as in the kernel; `None`: it could not be
/// read to its end.
fn read_to_the_end(step: &Step<'_>, in_kernel: Option<bool>) -> Task {
    match in_kernel {
        Some(in_kernel) => came_to(&step.who, Looked::Live, in_kernel, step.task),
        None => looked(&step.who, Looked::Nothing, step.task),
    }
}

/// `read()` until the end, after `live` (or what else counts as that): in the kernel, unless this
/// read fails.
pub(crate) fn read_end(mut step: Step<'_>) {
    let module = step.module();
    step.world.initstate(module);
    let ok = !step.task.stale;
    let task = match learned::after(&step.who, usize::from(!ok), step.task) {
        Some(task) => task,
        None => read_to_the_end(&step, ok.then_some(true)),
    };
    step.to(Event::ReadEnd { module, ok }, task);
}

/// `read()` until the end, after `coming` or `going`: not in the kernel, whatever this read gives.
pub(crate) fn read_end_other(mut step: Step<'_>) {
    let module = step.module();
    step.world.initstate(module);
    let ok = !step.task.stale;
    let task = read_to_the_end(&step, ok.then_some(false));
    step.to(Event::ReadEnd { module, ok }, task);
}

/// `handle_failed_lookup()`, a name that the indexes do not know: `open()`, which never finds an
/// initstate, because nothing of that name is ever listed.
pub(crate) fn open_unknown(mut step: Step<'_>) {
    let name = step.name();
    let task = learned::after(&step.who, 0, step.task);
    let task = task.unwrap_or_else(|| step.at(Pc::StatUnknown));
    step.to(Event::OpenUnknown { name }, task);
}

/// `handle_failed_lookup()`: a bare directory is built in for v19, so exit 0.
pub(crate) fn stat_unknown(mut step: Step<'_>) {
    let name = step.name();
    let found = step.who.model.unknown_directory(&mut step.world, name);
    let builtin = found && step.model().look.bare == Looked::Builtin;
    let ret = if builtin { Ret::Zero } else { Ret::Status256 };
    let task = match learned::after(&step.who, usize::from(found), step.task) {
        Some(task) => task,
        None => Task { ret, ..step.at(Pc::Exit) },
    };
    step.to(Event::StatUnknown { name, found }, task);
}

/// modprobe exits: the moment that decides whether it told the truth.
pub(crate) fn exit(mut step: Step<'_>) {
    let status = match step.model().mutant {
        Some(Mutant::ModprobeExitsOne) if !removing(&step) => Ret::Status256,
        _ => step.task.ret,
    };
    step.task.ret = status;
    let event = Event::Exit { status };
    if step.nested() {
        let task = step.at(Pc::HelperReturn);
        step.to(event, task);
        return;
    }
    let waits = step.who.role.waits_for_modprobe();
    let task = match step.who.role {
        Role::Orphan(_) => Task::NONE,
        _ if !waits => Task::done(status),
        _ => {
            let said_yes = status == Ret::Zero;
            let name = step.name();
            let lied = said_yes && !step.model().truthful(name, step.task.modprobe_live);
            let live_since_exit = said_yes && step.all_live();
            let pc = Pc::HelperReturn;
            Task { pc, lied, modprobe_live: 0, live_since_exit, ..step.task }
        }
    };
    step.to(event, task);
}
