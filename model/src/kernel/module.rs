//! kernel/module.c of v4.9: `load_module()`, `do_init_module()`, `free_module()`, each step a
//! function with the kernel's name for it.

use crate::event::{Event, InitOutcome};
use crate::kernel::after;
use crate::model::Step;
use crate::scenario::{Init, ModuleId};
use crate::state::{ModuleState, Pc, Task};
use crate::userspace::modprobe::{self, Finit};

/// `finit_module()` is entered: the first place of loading. Signature, ELF checks and layout come
/// before it; they have no effect that another CPU can see.
pub(crate) fn load_module(step: &Step<'_>, task: Task) -> Task {
    let first = step.model.orders.load[0];
    enter_load(step, first, task)
}

/// A place of loading; resolving is no step for a module without dependencies.
fn enter_load(step: &Step<'_>, pc: Pc, task: Task) -> Task {
    let module = step.model.plan[usize::from(task.pos)].module;
    let nothing_to_resolve =
        step.model.scenario.modules[usize::from(module)].dependencies.is_empty();
    if pc == Pc::Resolve && nothing_to_resolve {
        return load_done(step, pc, task);
    }
    Task { pc, index: 0, ..task }
}

/// The step at `pc` has succeeded: goes on with loading, or returns 0 to modprobe.
fn load_done(step: &Step<'_>, pc: Pc, task: Task) -> Task {
    match after(&step.model.orders.load, pc) {
        Some(next) => enter_load(step, next, task),
        None => modprobe::finit_returned(step, Finit::Loaded, task),
    }
}

/// The step at `pc` of `free_module()` is done: goes on, or returns init's error to modprobe.
fn free_done(step: &Step<'_>, pc: Pc, task: Task) -> Task {
    match after(&step.model.orders.free, pc) {
        Some(next) => Task { pc: next, index: 0, ..task },
        None => modprobe::finit_returned(step, Finit::Failed, task),
    }
}

/// `add_unformed_module()`: one critical section under module_mutex. v4.9 waits for UNFORMED and
/// COMING and answers `-EEXIST` at once for GOING and LIVE.
pub(crate) fn add_unformed_module(mut step: Step<'_>) {
    let module = step.module();
    let state = step.world.state(module);
    let event = Event::AddUnformed { module, state };
    let task = match state {
        ModuleState::Absent => {
            step.world.set_state(module, ModuleState::Unformed);
            load_done(&step, Pc::AddUnformed, step.task)
        }
        ModuleState::Live | ModuleState::Going => {
            modprobe::finit_returned(&step, Finit::Exists, step.task)
        }
        ModuleState::Unformed | ModuleState::Coming | ModuleState::UnformedAgain => {
            step.at(Pc::AddWait)
        }
    };
    step.to(event, task);
}

/// `wait_event_interruptible(module_wq, finished_loading(name))`. Queueing comes before the test, so
/// test and going to sleep are one step towards wake-ups.
pub(crate) fn finished_loading(mut step: Step<'_>) {
    let module = step.module();
    let state = step.world.state(module);
    let task = step.at(if state.finished_loading() { Pc::AddUnformed } else { Pc::AddAsleep });
    step.to(Event::FinishedLoading { module, state }, task);
}

/// `resolve_symbol()` under module_mutex, for the symbols of one dependency: `ref_module()` takes a
/// reference with the first of them, the others find it taken. `strong_try_module_get()` says
/// `-EBUSY` for COMING, and `resolve_symbol_wait()` sleeps on it; UNFORMED symbols are not seen; the
/// reference of a GOING module is refused.
pub(crate) fn resolve_symbol(mut step: Step<'_>) {
    let module = step.module();
    let dependency = dependency(&step);
    let state = step.world.state(dependency);
    let task = match state {
        ModuleState::Live => resolved(&step, step.task.unresolved),
        ModuleState::Coming => step.at(Pc::ResolveAsleep),
        _ => resolved(&step, true),
    };
    step.to(Event::ResolveSymbol { module, dependency, state }, task);
}

/// Asleep in `resolve_symbol_wait()`: the 30 s may be over, where the scenario has time-outs.
pub(crate) fn resolve_symbol_timed_out(mut step: Step<'_>) {
    if step.model.scenario.timeouts {
        let (module, dependency) = (step.module(), dependency(&step));
        let task = resolved(&step, true);
        step.timed_out(Event::ResolveTimedOut { module, dependency }, task);
    }
}

fn dependency(step: &Step<'_>) -> ModuleId {
    let module = &step.model.scenario.modules[usize::from(step.module())];
    module.dependencies[usize::from(step.task.index)]
}

/// `simplify_symbols()` goes on to the next symbol whether or not this one was found, and fails only
/// at the end: a load that is bound to fail may still sleep on another dependency.
fn resolved(step: &Step<'_>, unresolved: bool) -> Task {
    let index = step.task.index + 1;
    let module = &step.model.scenario.modules[usize::from(step.module())];
    if usize::from(index) < module.dependencies.len() {
        Task { index, unresolved, ..step.at(Pc::Resolve) }
    } else if unresolved {
        Task { index: 0, unresolved: false, ..step.at(Pc::Unlink) }
    } else {
        load_done(step, Pc::Resolve, Task { unresolved: false, ..step.task })
    }
}

/// `load_module()`'s error path: `list_del_rcu()` and `wake_up_all()` in one critical section. v4.9
/// leaves the state as it is until then.
pub(crate) fn unlink_mod(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Absent);
    let task = modprobe::finit_returned(&step, Finit::Failed, step.task);
    step.wake_up_all(Event::Unlink { module }, task);
}

/// `complete_formation()`: COMING, under module_mutex.
pub(crate) fn complete_formation(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Coming);
    let task = load_done(&step, Pc::CompleteFormation, step.task);
    step.to(Event::CompleteFormation { module }, task);
}

/// `mod_sysfs_init()`: the directory appears, still without initstate. `kset_find_obj()` before it
/// refuses a name that is taken.
pub(crate) fn mod_sysfs_init(mut step: Step<'_>) {
    let module = step.module();
    let made = !step.model.scenario.modules[usize::from(module)].name_taken;
    let task = if made {
        step.world.set_directory(module, true);
        load_done(&step, Pc::SysfsInit, step.task)
    } else {
        step.at(Pc::Unlink)
    };
    step.to(Event::SysfsInit { module, made }, task);
}

/// `module_add_modinfo_attrs()`: initstate appears.
pub(crate) fn module_add_modinfo_attrs(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_initstate(module, true);
    let task = load_done(&step, Pc::AddModinfoAttrs, step.task);
    step.to(Event::AddModinfoAttrs { module }, task);
}

/// `do_one_initcall(mod->init)`: a file system registers while its module is still COMING.
/// `register_filesystem()` of a name that another module has registered is `-EBUSY`, which the init
/// returns.
pub(crate) fn do_one_initcall(mut step: Step<'_>) {
    let module = step.module();
    let spec = &step.model.scenario.modules[usize::from(module)];
    let registers = spec.registers;
    let may_fail = spec.init == Init::MayFail;
    let taken = registers
        && step
            .model
            .scenario
            .targets()
            .iter()
            .any(|t| t.module != module && step.world.registered(t.module));
    if !taken {
        if registers {
            step.world.set_registered(module, true);
        }
        let task = load_done(&step, Pc::Init, step.task);
        step.to(Event::Init { module, outcome: InitOutcome::Succeeds }, task);
        if registers && may_fail {
            let task = step.at(Pc::Unregister);
            step.to(Event::Init { module, outcome: InitOutcome::FailsLate }, task);
        }
    }
    if taken || may_fail {
        step.undo_writes();
        let task = step.at(step.model.orders.free[0]);
        step.to(Event::Init { module, outcome: InitOutcome::FailsEarly }, task);
    }
}

/// A failing init takes back what it had registered.
pub(crate) fn unregister_filesystem(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_registered(module, false);
    let task = step.at(step.model.orders.free[0]);
    step.to(Event::Unregister { module }, task);
}

/// `do_init_module()`: LIVE, without a lock.
pub(crate) fn set_live(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Live);
    let task = load_done(&step, Pc::SetLive, step.task);
    step.to(Event::SetLive { module }, task);
}

/// `do_init_module()`: `wake_up_all(&module_wq)`, and 0 to modprobe. The initial reference is
/// dropped before it; nobody unloads here, so nobody sees it.
pub(crate) fn wake_live(mut step: Step<'_>) {
    let module = step.module();
    let task = load_done(&step, Pc::WakeLive, step.task);
    step.wake_up_all(Event::WakeUpAll { module, loaded: true }, task);
}

/// `do_init_module()`, init failed: GOING, without a lock, waking nobody.
pub(crate) fn set_going(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Going);
    let task = free_done(&step, Pc::SetGoing, step.task);
    step.to(Event::SetGoing { module }, task);
}

/// `mod_sysfs_teardown()`: the attributes go before the directory.
pub(crate) fn module_remove_modinfo_attrs(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_initstate(module, false);
    let task = free_done(&step, Pc::RemoveModinfoAttrs, step.task);
    step.to(Event::RemoveModinfoAttrs { module }, task);
}

/// `mod_sysfs_teardown()`: the directory goes last.
pub(crate) fn mod_sysfs_fini(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_directory(module, false);
    let task = free_done(&step, Pc::SysfsFini, step.task);
    step.to(Event::SysfsFini { module }, task);
}

/// `free_module()`: UNFORMED under module_mutex, still on the list.
pub(crate) fn set_unformed(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::UnformedAgain);
    let task = free_done(&step, Pc::SetUnformed, step.task);
    step.to(Event::SetUnformed { module }, task);
}

/// `free_module()`: off the list, under module_mutex.
pub(crate) fn list_del(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Absent);
    let task = free_done(&step, Pc::ListDel, step.task);
    step.to(Event::ListDel { module }, task);
}

/// `do_init_module()`, init failed: `wake_up_all()` after `free_module()`, and init's error to
/// modprobe.
pub(crate) fn wake_freed(mut step: Step<'_>) {
    let module = step.module();
    let task = free_done(&step, Pc::WakeFreed, step.task);
    step.wake_up_all(Event::WakeUpAll { module, loaded: false }, task);
}
