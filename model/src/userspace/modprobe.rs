//! tools/modprobe.c and libkmod/libkmod-module.c: `modprobe -q -- NAME`, v19 and v20.
//!
//! modprobe looks at its target before anything else, and again in its turn in the probe list; at
//! each dependency once, in its turn. A look is up to three system calls, and others run in between:
//! open initstate; if that fails, stat the directory; else read the file, to its end.

use crate::event::Event;
use crate::features::FailedLookup;
use crate::kernel::module::load_module;
use crate::model::Step;
use crate::mutant::Mutant;
use crate::scenario::{ModuleId, Resolution, Scenario};
use crate::state::{ModuleState, Pc, Ret, Task};

/// One look (and, for a probe, the insertion that may follow it).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanEntry {
    pub module: ModuleId,
    /// The look at a target before anything else (`kmod_module_probe_insert_module()`'s first).
    first: bool,
    required: bool,
    /// Where the next target begins, or the plan's end.
    next_target: u8,
}

/// How `finit_module()` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finit {
    /// 0.
    Loaded,
    /// `-EEXIST`, which kmod takes for success.
    Exists,
    /// Any other error.
    Failed,
}

/// Everything modprobe does for the requested name, in order: for each target (`insmod()`), the
/// first look, then each entry of its probe list.
pub(crate) fn plan(scenario: &Scenario) -> Vec<PlanEntry> {
    let mut plan = Vec::new();
    for target in scenario.targets() {
        let next_target = (plan.len() + 1 + target.probe.len()) as u8;
        let module = target.module;
        plan.push(PlanEntry { module, first: true, required: true, next_target });
        for probe in &target.probe {
            let (module, required) = (probe.module, probe.required);
            plan.push(PlanEntry { module, first: false, required, next_target });
        }
    }
    plan
}

/// modprobe has read its indexes.
pub(crate) fn begin(step: &Step<'_>, task: Task) -> Task {
    match step.model.scenario.resolution {
        Resolution::Modules(_) => look(step, 0, Task { ret: Ret::Zero, ..task }),
        // `kmod_module_is_builtin()`, or v19's `mod->builtin`: in the kernel without a look.
        Resolution::Builtin => Task { pc: Pc::Exit, ret: Ret::Zero, ..task },
        Resolution::NotFound => match step.model.scenario.features.kmod.failed_lookup {
            FailedLookup::LooksInSysfs => Task { pc: Pc::OpenUnknown, ..task },
            FailedLookup::Fails => Task { pc: Pc::Exit, ret: Ret::Status256, ..task },
        },
    }
}

/// Goes to plan entry `pos`: `kmod_module_get_initstate()` begins, unless the index answers for it.
fn look(step: &Step<'_>, pos: u8, task: Task) -> Task {
    let Some(entry) = step.model.plan.get(usize::from(pos)) else {
        return Task { pc: Pc::Exit, pos: 0, stale: false, ..task };
    };
    let task = Task { pc: Pc::Open, pos, stale: false, index: 0, ..task };
    if step.model.index_says_builtin(entry.module) { in_kernel(step, task) } else { task }
}

/// The look says LIVE or built in. Before anything else: this target is done. In the probe list:
/// `-EEXIST`, on to the next entry.
fn in_kernel(step: &Step<'_>, task: Task) -> Task {
    let entry = step.model.plan[usize::from(task.pos)];
    let next = if entry.first { entry.next_target } else { task.pos + 1 };
    look(step, next, Task { ret: Ret::Zero, ..task })
}

/// The look says neither. Before anything else: on with the probe list. In it: `finit_module()`.
fn not_in_kernel(step: &Step<'_>, task: Task) -> Task {
    let entry = step.model.plan[usize::from(task.pos)];
    if entry.first {
        look(step, task.pos + 1, task)
    } else {
        load_module(step, Task { stale: false, ..task })
    }
}

/// `finit_module()` has returned: a required module's error ends the target with exit status 1; if
/// there are several targets, the last one's counts.
pub(crate) fn finit_returned(step: &Step<'_>, result: Finit, task: Task) -> Task {
    let entry = step.model.plan[usize::from(task.pos)];
    let forgiven = result != Finit::Failed
        || !entry.required
        || step.model.mutant == Some(Mutant::ModprobeExitsZero);
    if forgiven {
        look(step, task.pos + 1, Task { ret: Ret::Zero, ..task })
    } else {
        look(step, entry.next_target, Task { ret: Ret::Status256, ..task })
    }
}

/// `open("/sys/module/NAME/initstate")`.
pub(crate) fn open(mut step: Step<'_>) {
    let module = step.module();
    let found = step.world.initstate(module);
    let task = step.at(if found { Pc::Read } else { Pc::Stat });
    step.to(Event::Open { module, found }, task);
}

/// `stat("/sys/module/NAME")`: the heuristic that the two versions differ in.
pub(crate) fn stat(mut step: Step<'_>) {
    let module = step.module();
    let taken = step.model.scenario.modules[usize::from(module)].name_taken;
    let found = step.world.directory(module) || taken;
    let task = if found && step.model.bare_directory_is_builtin() {
        in_kernel(&step, step.task)
    } else {
        not_in_kernel(&step, step.task)
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
    let task = match content {
        Some(ModuleState::Live) => step.at(Pc::ReadEnd),
        Some(_) => step.at(Pc::ReadEndOther),
        None => not_in_kernel(&step, step.task),
    };
    step.to(Event::Read { module, content }, task);
}

/// `read()` until the end, after `live`: in the kernel, unless this read fails.
pub(crate) fn read_end(mut step: Step<'_>) {
    let module = step.module();
    step.world.initstate(module);
    let ok = !step.task.stale;
    let task = if ok { in_kernel(&step, step.task) } else { not_in_kernel(&step, step.task) };
    step.to(Event::ReadEnd { module, ok }, task);
}

/// `read()` until the end, after `coming` or `going`: not in the kernel, whatever this read gives.
pub(crate) fn read_end_other(mut step: Step<'_>) {
    let module = step.module();
    step.world.initstate(module);
    let ok = !step.task.stale;
    let task = not_in_kernel(&step, step.task);
    step.to(Event::ReadEnd { module, ok }, task);
}

/// `handle_failed_lookup()`, a name that the indexes do not know: `open()`, which never finds an
/// initstate, because nothing of that name is ever listed.
pub(crate) fn open_unknown(mut step: Step<'_>) {
    let task = step.at(Pc::StatUnknown);
    step.to(Event::OpenUnknown, task);
}

/// `handle_failed_lookup()`: a bare directory is built in for v19, so exit 0.
pub(crate) fn stat_unknown(mut step: Step<'_>) {
    let found = step.model.unknown_directory;
    let builtin = found && step.model.bare_directory_is_builtin();
    let ret = if builtin { Ret::Zero } else { Ret::Status256 };
    let task = Task { ret, ..step.at(Pc::Exit) };
    step.to(Event::StatUnknown { found }, task);
}

/// modprobe exits: the moment that decides whether it told the truth.
pub(crate) fn exit(mut step: Step<'_>) {
    let status = step.task.ret;
    let model = step.model;
    let said_yes = status == Ret::Zero;
    let task = Task {
        pc: Pc::HelperReturn,
        lied: said_yes && !model.truthful(step.task.modprobe_live),
        modprobe_live: 0,
        live_since_exit: said_yes && model.all_live(step.shared()),
        ..step.task
    };
    step.to(Event::Exit { status }, task);
}
