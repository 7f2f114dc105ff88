//! kernel/kmod.c of v4.9: `__request_module()` and the helper, with the RFC's additions before
//! modprobe. The check after it is in [`crate::kernel::check`].

use crate::event::{Event, Listed};
use crate::features::SanityCheck;
use crate::kernel::check;
use crate::model::Step;
use crate::mutant::Mutant;
use crate::scenario::Caller;
use crate::state::{ModuleState, Pc, Ret, Task};
use crate::userspace::modprobe;

/// The call begins.
pub(crate) fn call(mut step: Step<'_>) {
    let task = match step.model.scenario.caller {
        Caller::GetFsType => Task {
            pc: Pc::LookupFirst,
            went_going: step.model.targets_in(step.shared(), ModuleState::Going) != 0,
            ..step.task
        },
        Caller::RequestModule => step.at(Pc::RequestModule),
    };
    step.to(Event::Call, task);
}

/// `__request_module()` up to its first look at anything: path, name, LSM and the count of running
/// requests are as the scenario wants them.
pub(crate) fn request_module(mut step: Step<'_>) {
    let task = Task { request_live: step.model.live(step.shared()), ..step.task };
    let task = match step.model.mutant {
        Some(Mutant::NoModprobe) => Task { pc: Pc::RequestReturn, ret: Ret::Zero, ..task },
        _ if step.model.scenario.features.kernel.already_live => {
            Task { pc: Pc::AlreadyLive, ..task }
        }
        _ => after_shortcut(&step, task),
    };
    step.to(Event::RequestModule, task);
}

/// The RFC's shortcut: every mapped name LIVE returns 0 without userspace.
pub(crate) fn already_live(mut step: Step<'_>) {
    let mut task = step.task;
    if task.index == 0 {
        task.live_since_shortcut = step.model.all_live(step.shared());
    }
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let blind = step.model.mutant == Some(Mutant::ShortcutBlind);
    let task = if state != ModuleState::Live || blind {
        after_shortcut(&step, Task { index: 0, ..task })
    } else if usize::from(task.index) + 1 < step.model.names.len() {
        Task { index: task.index + 1, ..task }
    } else {
        let live_since_shortcut = false;
        Task { pc: Pc::RequestReturn, ret: Ret::Zero, index: 0, live_since_shortcut, ..task }
    };
    step.to(Event::AlreadyLive { name, state }, task);
}

/// What comes after the shortcut and before modprobe.
fn after_shortcut(step: &Step<'_>, task: Task) -> Task {
    if step.model.mutant == Some(Mutant::CheckBeforeModprobe)
        && let Some(task) = check::begin(step, task)
    {
        return task;
    }
    if step.model.mutant == Some(Mutant::ShortcutBlind) {
        return Task { pc: Pc::Exec, ..task };
    }
    match step.model.scenario.features.kernel.sanity_check {
        SanityCheck::AuthorTree | SanityCheck::AuthorMail => Task { pc: Pc::PreExists, ..task },
        _ => Task { pc: Pc::Exec, ..task },
    }
}

/// `finished_kmod_load()` before modprobe: `kmod_exists()`. Not listed: `-ENOENT`, so on to modprobe.
pub(crate) fn pre_exists(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let task = match state {
        ModuleState::Absent => Task { pc: Pc::Exec, index: 0, ..step.task },
        _ => step.at(Pc::PreFinished),
    };
    step.to(Event::PreExists { name, state }, task);
}

/// `finished_kmod_load()` before modprobe: finished loading is 0; else it waits until then and
/// returns 0 without another look. Its three tests in a row of the same predicate are one here: a
/// test that comes out true leads to the same 0 as a later one would.
pub(crate) fn pre_finished(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let task = if !state.finished_loading() {
        step.at(Pc::PreAsleep)
    } else if usize::from(step.task.index) + 1 < step.model.names.len() {
        Task { index: step.task.index + 1, ..step.at(Pc::PreExists) }
    } else {
        Task { live_since_shortcut: false, ..step.returning(Ret::Zero) }
    };
    step.to(Event::PreFinished { name, state }, task);
}

/// The helper's work item execs modprobe; what modprobe reads first are its indexes.
pub(crate) fn exec(mut step: Step<'_>) {
    let modprobe_live = step.model.live(step.shared());
    let task = Task { modprobe_live, live_since_shortcut: false, ..step.task };
    let task = modprobe::begin(&step, task);
    step.to(Event::Exec, task);
}

/// `call_usermodehelper_exec()` returns modprobe's wait status.
pub(crate) fn helper_return(mut step: Step<'_>) {
    let status = step.task.ret;
    let checked_already = step.model.mutant == Some(Mutant::CheckBeforeModprobe);
    let task = match status {
        Ret::Zero if !checked_already => {
            check::begin(&step, step.task).unwrap_or_else(|| step.returning(Ret::Zero))
        }
        _ => step.returning(status),
    };
    step.to(Event::HelperReturn { status }, task);
}

/// `__request_module()` returns; `get_fs_type()` looks again only after 0.
pub(crate) fn request_return(mut step: Step<'_>) {
    let ret = step.task.ret;
    let task = match step.model.scenario.caller {
        Caller::RequestModule => Task::done(ret),
        Caller::GetFsType if ret != Ret::Zero => Task::done(Ret::Null),
        Caller::GetFsType => Task {
            load_failed: step.task.load_failed,
            went_going: step.task.went_going,
            pc: Pc::LookupSecond,
            ..Task::IDLE
        },
    };
    step.to(Event::RequestReturn { ret }, task);
}

/// The name that shortcut or check is at.
pub(crate) fn checked_name(step: &Step<'_>) -> Listed {
    step.model.names[usize::from(step.task.index)].listed
}
