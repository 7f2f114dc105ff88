//! kernel/module.c (kernel/module/main.c from v5.18 on): `load_module()`, `do_init_module()`,
//! `free_module()`, `delete_module()`, each step a function with the kernel's name for it.

use crate::event::{Claim, Event, Finit, InitOutcome, Refcnt, Woken};
use crate::kernel::{after, kmod, program};
use crate::model::{Effect, Role, Step, WaitQueue, Way, Who};
use crate::mutant::Mutant;
use crate::scenario::{Action, FailsAt, Failure, Init, MODULE_NAME_LEN, ModuleId, NameId};
use crate::state::{ErrorOf, ModuleState, Pc, Ret, Task};
use crate::userspace::modprobe;

const _: () = assert!(MODULE_NAME_LEN == 56);

/// `finit_module()` is entered: the first place of loading. Signature, ELF checks and layout have no
/// effect that another CPU can see.
pub(crate) fn finit_module(who: &Who<'_>, task: Task) -> Task {
    let task = Task { waited_for_init: false, error_of: ErrorOf::Itself, ..task };
    if claims_file(who, &task) {
        Task { pc: Pc::Idempotent, index: 0, ..task }
    } else {
        load_module(who, task)
    }
}

/// Whether the call at hand asks first whether another loads the file: no `init_module()` does.
fn claims_file(who: &Who<'_>, task: &Task) -> bool {
    !modprobe::calls_init_module(who, task) && who.model.claims_file(who.module(task))
}

/// `idempotent()` (9b9879fc0327): under `idem_lock`, the first call for an inode goes on, the others
/// join it. Before (9828ed3f695a), `exclusive_deny_write_access()`: the others get `-ETXTBSY`.
pub(crate) fn idempotent(mut step: Step<'_>) {
    let module = step.module();
    let running = step.world.fields(module).in_finit;
    let joined = step.world.flag(running);
    let joins = step.who.kernel().idempotent_finit;
    let busy = !joins || step.model().mutant == Some(Mutant::FormingIsBusy);
    let task = if joined && busy {
        modprobe::finit_result(&step.who, Finit::Failed, step.task)
    } else if joined {
        step.at(Pc::IdempotentAsleep)
    } else {
        step.world.set_flag(running, true);
        load_module(&step.who, step.task)
    };
    let event = match joins {
        true => Event::Idempotent { module, joined },
        false => Event::DenyWrite { module, busy: joined },
    };
    step.to(event, task);
}

/// `idempotent_complete()`: everybody who joined gets the result and is woken, under `idem_lock`.
pub(crate) fn idempotent_complete(mut step: Step<'_>) {
    let module = step.module();
    let running = step.world.fields(module).in_finit;
    step.world.set_flag(running, false);
    let result = finit_from(step.task.result);
    let task = Task { result: 0, ..step.task };
    let task = modprobe::finit_result(&step.who, result, task);
    if !step.who.kernel().idempotent_finit {
        return step.to(Event::AllowWrite { module }, task);
    }
    let wake = Effect::WakeAll(WaitQueue::Idempotent(module, result));
    step.with(wake, Event::IdempotentComplete { module, result }, task);
}

/// Asleep in the wait for the `finit_module()` that was joined: from 2124d84db293 on interruptible, so SIGKILL to a
/// modprobe that may be killed ends it, and takes it off the list of those who joined.
pub(crate) fn idempotent_asleep(mut step: Step<'_>) {
    if step.who.kernel().join_interruptible && modprobe_killable(&step) {
        let task = Task { error_of: ErrorOf::Signal, ..step.task };
        let task = modprobe::finit_result(&step.who, Finit::Failed, task);
        step.way_out(Way::Killed, Effect::None, Event::Killed, task);
    }
}

fn finit_from(result: u8) -> Finit {
    match result {
        0 => Finit::Loaded,
        1 => Finit::Exists,
        _ => Finit::Failed,
    }
}

/// `load_module()` comes to `result`: back to modprobe, by way of those who joined.
fn returned(who: &Who<'_>, result: Finit, task: Task) -> Task {
    if claims_file(who, &task) {
        Task { pc: Pc::IdempotentComplete, index: 0, result: result as u8, ..task }
    } else {
        modprobe::finit_result(who, result, Task { result: 0, ..task })
    }
}

/// `load_module()` begins: with `early_mod_check()`, where there is one.
fn load_module(who: &Who<'_>, task: Task) -> Task {
    let task = Task { index: 0, ..task };
    if who.kernel().early_mod_check {
        Task { pc: Pc::EarlyCheck, ..task }
    } else {
        enter_load(who, who.model.orders.load[0], task)
    }
}

/// A place of loading; some are no step for this module.
fn enter_load(who: &Who<'_>, pc: Pc, mut task: Task) -> Task {
    let module = who.module(&task);
    let spec = &who.model.scenario.modules[usize::from(module)];
    let place = |part: FailsAt| spec.failure.is_some_and(|failure| failure.at == part);
    let nothing = match pc {
        Pc::ComingNotifier => !place(FailsAt::ComingNotifier),
        Pc::ParseArgs => !place(FailsAt::Arguments),
        Pc::UsageLinks => !place(FailsAt::UsageLinks),
        Pc::SectAttrs => !place(FailsAt::Sections),
        Pc::Codetag => !place(FailsAt::Codetag),
        Pc::ReadOnly => !place(FailsAt::ReadOnly),
        Pc::Resolve => spec.dependencies.is_empty(),
        Pc::InitRequest => spec.requests.is_none(),
        Pc::AsyncSynchronize => spec.async_probe || !waits_for_async(who, &task),
        _ => false,
    };
    // PF_USED_ASYNC is cleared before the init, and of no use after the wait.
    if task.used_async != 0 && matches!(pc, Pc::Init | Pc::DropInitial | Pc::WakeLive) {
        task.used_async &= !(1 << task.depth);
    }
    if nothing { load_done(who, pc, task) } else { Task { pc, index: 0, ..task } }
}

/// The step at `pc` has succeeded: goes on with loading, or returns 0 to modprobe.
fn load_done(who: &Who<'_>, pc: Pc, task: Task) -> Task {
    match after(&who.model.orders.load, pc) {
        Some(next) => enter_load(who, next, task),
        None => returned(who, Finit::Loaded, task),
    }
}

/// The step at `pc` of `free_module()` is done: goes on, or returns init's error to modprobe, or 0
/// to whoever unloads.
fn free_done(who: &Who<'_>, pc: Pc, task: Task) -> Task {
    let unloads = removes(who, &task);
    let order = &who.model.orders.free;
    // A module that is unloaded has become GOING before.
    let next = match pc {
        Pc::SetGoing if !order.contains(&pc) => order.first().copied(),
        pc => after(order, pc),
    };
    let next = match next {
        Some(Pc::UnloadFree) if dependencies(who, &task).is_empty() => {
            return free_done(who, Pc::UnloadFree, task);
        }
        Some(Pc::WakeFreed) if unloads && !who.kernel().delete_module_wakes => {
            return free_done(who, Pc::WakeFreed, task);
        }
        Some(Pc::WakeFreed) if !unloads && !who.model.orders.failure_wakes => {
            return free_done(who, Pc::WakeFreed, task);
        }
        next => next,
    };
    match next {
        Some(next) => Task { pc: next, index: 0, ..task },
        None if unloads => delete_returned(who, Ret::Zero, task),
        None => {
            let remembers = who.model.layout.remembers_results();
            let result = if remembers { finit_from(task.result) } else { Finit::Failed };
            returned(who, result, Task { result: 0, ..task })
        }
    }
}

fn dependencies<'a>(who: &Who<'a>, task: &Task) -> &'a [ModuleId] {
    &who.model.scenario.modules[usize::from(who.module(task))].dependencies
}

/// Whether this process is in `delete_module()` when it frees a module, not in `load_module()`.
fn removes(who: &Who<'_>, task: &Task) -> bool {
    let removes = matches!(
        who.role,
        Role::Actor { action: Action::Rmmod(_) | Action::ModprobeRemove(_), .. }
    );
    removes && task.depth == 0
}

/// What `add_unformed_module()` makes of a name in this state; `waited`: when it has waited for it.
fn claim(who: &Who<'_>, state: ModuleState, waited: bool) -> Claim {
    if who.model.mutant == Some(Mutant::FormingIsBusy) && state.forming() && !waited {
        return Claim::Busy;
    }
    who.model.listed.claim(state, waited)
}

/// `early_mod_check()` (064f4536d139): `module_patient_check_exists()` before the module is laid out.
/// It claims nothing.
pub(crate) fn early_mod_check(step: Step<'_>) {
    looks(step, true, false);
}

/// `add_unformed_module()`: one critical section under module_mutex.
pub(crate) fn add_unformed_module(step: Step<'_>) {
    looks(step, false, false);
}

/// The look after the wait, where it is another than the first one: from 0254127ab977 on LIVE is `-EEXIST`, anything
/// else `-EBUSY`, also a name that is free by now.
pub(crate) fn recheck(step: Step<'_>) {
    let early = step.task.pc == Pc::EarlyRecheck;
    looks(step, early, true);
}

/// A look at the list of modules, and what comes of it: see [`crate::text::ListedRules`].
fn looks(mut step: Step<'_>, early: bool, waited: bool) {
    let module = step.module();
    let state = step.world.state(module);
    let then = claim(&step.who, state, waited);
    let task = match then {
        Claim::Free if early => enter_load(&step.who, step.model().orders.load[0], step.task),
        Claim::Free => {
            step.world.set_state(module, ModuleState::Unformed);
            let initial = step.world.fields(module).initial_reference;
            if initial.exists() {
                step.world.set_flag(initial, true);
            }
            load_done(&step.who, Pc::AddUnformed, step.task)
        }
        Claim::Wait => step.at(if early { Pc::EarlyWait } else { Pc::AddWait }),
        Claim::Exists => returned(&step.who, Finit::Exists, step.task),
        Claim::Busy => returned(&step.who, Finit::Failed, step.task),
    };
    step.to(Event::AddUnformed { module, state, early, then }, task);
}

/// `wait_event_interruptible(module_wq, finished_loading(name))`. Queueing comes before the test, so
/// test and going to sleep are one step towards wake-ups. Then kernels up to v6.1 look again from the
/// start; from 0254127ab977 on they look once more and do not retry.
pub(crate) fn finished_loading(mut step: Step<'_>) {
    let module = step.module();
    let state = step.world.state(module);
    let early = step.task.pc == Pc::EarlyWait;
    let rules = &step.model().listed;
    let (finished, once) = (rules.finished(state), rules.again.is_some());
    let pc = match (finished, once, early) {
        (false, _, false) => Pc::AddAsleep,
        (false, _, true) => Pc::EarlyAsleep,
        (true, false, false) => Pc::AddUnformed,
        (true, false, true) => Pc::EarlyCheck,
        (true, true, false) => Pc::AddRecheck,
        (true, true, true) => Pc::EarlyRecheck,
    };
    let task = match step.model().mutant {
        Some(Mutant::LoadsAfterWait) if finished => load_after_wait(&step.who, step.task),
        _ => step.at(pc),
    };
    step.to(Event::FinishedLoading { module, state, finished }, task);
}

/// The fault [`Mutant::LoadsAfterWait`]: it goes on as if it had claimed the name.
pub(crate) fn load_after_wait(who: &Who<'_>, task: Task) -> Task {
    load_done(who, Pc::AddUnformed, task)
}

/// Asleep in the wait for a listed name: the loader's sleep is interruptible, so SIGKILL to a
/// modprobe that may be killed ends it.
pub(crate) fn interrupted(mut step: Step<'_>) {
    if modprobe_killable(&step) {
        let task = Task { error_of: ErrorOf::Signal, ..step.task };
        let task = returned(&step.who, Finit::Failed, task);
        step.way_out(Way::Killed, Effect::None, Event::Killed, task);
    }
}

/// Only a shell's modprobe or insmod is killed itself, and a caller's modprobe is left to go on; unless whatever modprobe
/// waits here may be killed.
fn modprobe_killable(step: &Step<'_>) -> bool {
    if step.model().scenario.modprobe_killable {
        return true;
    }
    let loads = |action| matches!(action, Action::Modprobe(_) | Action::Insmod(_));
    kmod::killable(step) && matches!(step.who.role, Role::Actor { action, .. } if loads(action))
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
        ModuleState::Live => {
            let holds = step.world.fields(module).holds[usize::from(step.task.index)];
            if holds.exists() {
                step.world.set_flag(holds, true);
            }
            resolved(&step, step.task.unresolved)
        }
        ModuleState::Coming => step.at(Pc::ResolveAsleep),
        _ => resolved(&step, true),
    };
    step.to(Event::ResolveSymbol { module, dependency, state }, task);
}

/// Asleep in `resolve_symbol_wait()`: the 30 s may be over, where the scenario has time-outs; a
/// signal ends it, where modprobe may be killed.
pub(crate) fn resolve_asleep(mut step: Step<'_>) {
    let (module, dependency) = (step.module(), dependency(&step));
    let task = resolved(&step, true);
    if step.model().scenario.timeouts {
        let event = Event::ResolveTimedOut { module, dependency };
        step.way_out(Way::TimeOut, Effect::None, event, task);
    }
    if modprobe_killable(&step) {
        step.way_out(Way::Killed, Effect::None, Event::Killed, task);
    }
}

fn dependency(step: &Step<'_>) -> ModuleId {
    step.spec().dependencies[usize::from(step.task.index)]
}

/// `simplify_symbols()` goes on to the next symbol whether or not this one was found, and fails only
/// at the end: a load that is bound to fail may still sleep on another dependency.
fn resolved(step: &Step<'_>, unresolved: bool) -> Task {
    let index = step.task.index + 1;
    if usize::from(index) < step.spec().dependencies.len() {
        Task { index, unresolved, ..step.at(Pc::Resolve) }
    } else if unresolved {
        failed_to_load(&step.who, Task { unresolved: false, ..step.task })
    } else {
        load_done(&step.who, Pc::Resolve, Task { unresolved: false, ..step.task })
    }
}

/// `load_module()`'s error path, `free_unload:`.
fn failed_to_load(who: &Who<'_>, task: Task) -> Task {
    let pc = if who.model.scenario.unloads() && !dependencies(who, &task).is_empty() {
        Pc::FailUnloadFree
    } else {
        Pc::Unlink
    };
    Task { pc, index: 0, ..task }
}

/// `load_module()`'s error path after `complete_formation()`: from 885a78d4a5b3 on it sets GOING (`coming_cleanup:`).
fn failed_to_set_up(who: &Who<'_>, task: Task) -> Task {
    match who.kernel().failure_sets_going {
        true => Task { pc: Pc::FailGoing, index: 0, ..task },
        false => failed_to_load(who, task),
    }
}

/// What is remembered on the error path of what `load_module()` will return, where it can be more than an error: of a
/// codetag's refusal nothing sets `err`, so it is 0.
const RETURNS_0: u8 = 3;

/// What `load_module()` returns at the end of its error path.
fn failure_of(who: &Who<'_>, result: u8) -> Finit {
    match result {
        1 if who.kernel().load_eexist_is_busy => Finit::Failed,
        1 => Finit::Exists,
        RETURNS_0 => Finit::Loaded,
        _ => Finit::Failed,
    }
}

/// A place at which a load may fail, and that does nothing else which others can see: goes on, or into the error path
/// of that place.
pub(crate) fn may_fail(mut step: Step<'_>) {
    let module = step.module();
    let pc = step.task.pc;
    let failure = step.spec().failure.expect("only such a module comes here");
    let at = failure.at;
    let task = load_done(&step.who, pc, step.task);
    step.to(Event::MayFail { module, at, failed: false }, task);
    let result = match at {
        FailsAt::Codetag if step.who.kernel().codetag_error_counts => 0,
        FailsAt::Codetag => RETURNS_0,
        _ => u8::from(failure.eexist),
    };
    let task = Task { result, index: 0, ..step.task };
    let kernel = step.who.kernel();
    let task = match at {
        // bug_cleanup:
        FailsAt::ComingNotifier if kernel.notifier_failure_sets_going => {
            Task { pc: Pc::FailGoing, ..task }
        }
        FailsAt::ComingNotifier => failed_to_load(&step.who, task),
        FailsAt::Arguments => failed_to_set_up(&step.who, task),
        // sysfs_cleanup: mod_sysfs_teardown(); and out_unreg_modinfo_attrs:, where there is such a label.
        FailsAt::Codetag => Task { pc: Pc::FailRemoveAttrs, ..task },
        _ if kernel.undo_removes_attributes => Task { pc: Pc::FailRemoveAttrs, ..task },
        _ => Task { pc: Pc::SysfsUndo, ..task },
    };
    step.to(Event::MayFail { module, at, failed: true }, task);
}

/// `module_remove_modinfo_attrs()` on `load_module()`'s error path.
pub(crate) fn fail_remove_attrs(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_initstate(module, false);
    let task = step.at(Pc::SysfsUndo);
    step.to(Event::RemoveModinfoAttrs { module }, task);
}

/// `module_enable_rodata_ro()`, in one critical section with the `module_put()` of the reference that a module is born
/// with: where it fails, the module is freed as if its init had failed.
pub(crate) fn module_enable_rodata_ro(mut step: Step<'_>) {
    let module = step.module();
    let at = FailsAt::ReadOnly;
    let task = load_done(&step.who, Pc::ReadOnly, step.task);
    step.to(Event::MayFail { module, at, failed: false }, task);
    let free = step.model().orders.free[0];
    let task = Task { result: error(&step, Finit::Failed), ..step.at(free) };
    step.to(Event::MayFail { module, at, failed: true }, task);
}

/// `load_module()`'s error path after `complete_formation()`, from 885a78d4a5b3 on: GOING, without a
/// lock, waking nobody.
pub(crate) fn fail_going(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Going);
    let task = failed_to_load(&step.who, step.task);
    step.to(Event::FailGoing { module }, task);
}

/// `load_module()`'s error path: `module_unload_free()`.
pub(crate) fn fail_unload_free(mut step: Step<'_>) {
    let module = step.module();
    step.world.release_dependencies(module);
    let task = step.at(Pc::Unlink);
    step.to(Event::UnloadFree { module }, task);
}

/// `load_module()`'s error path: `list_del_rcu()` and `wake_up_all()` in one critical section.
pub(crate) fn unlink_mod(mut step: Step<'_>) {
    let module = step.module();
    unlist(&mut step, module);
    let task = returned(&step.who, failure_of(&step.who, step.task.result), step.task);
    step.wake_up_all(Event::Unlink { module }, task);
}

/// The module leaves the list, and its reference count with it.
fn unlist(step: &mut Step<'_>, module: ModuleId) {
    step.world.set_state(module, ModuleState::Absent);
    let fields = step.world.fields(module);
    for field in [fields.initial_reference, fields.file_system_references, fields.initialised] {
        if field.exists() {
            step.world.set(field, 0);
        }
    }
}

/// `complete_formation()`: COMING, under module_mutex.
pub(crate) fn complete_formation(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Coming);
    let task = load_done(&step.who, Pc::CompleteFormation, step.task);
    step.to(Event::CompleteFormation { module }, task);
}

/// `mod_sysfs_init()`: the directory appears, still without initstate. `kset_find_obj()` before it
/// refuses a name that is taken.
pub(crate) fn mod_sysfs_init(mut step: Step<'_>) {
    let module = step.module();
    let made = !step.who.model.name_taken(&mut step.world, module);
    let task = if made {
        step.world.set_directory(module, true);
        load_done(&step.who, Pc::SysfsInit, step.task)
    } else {
        failed_to_set_up(&step.who, step.task)
    };
    step.to(Event::SysfsInit { module, made }, task);
}

/// `module_add_modinfo_attrs()`: initstate appears; or `mod_sysfs_setup()` fails between the
/// directory and it.
pub(crate) fn module_add_modinfo_attrs(mut step: Step<'_>) {
    let module = step.module();
    if step.spec().sysfs_may_fail {
        let task = step.at(Pc::SysfsUndo);
        step.to(Event::AddModinfoAttrs { module, made: false }, task);
    }
    if let Some(Failure { at: at @ FailsAt::Parameters, eexist }) = step.spec().failure {
        let task = Task { result: u8::from(eexist), ..step.at(Pc::SysfsUndo) };
        step.to(Event::MayFail { module, at, failed: true }, task);
    }
    step.world.set_initstate(module, true);
    let task = load_done(&step.who, Pc::AddModinfoAttrs, step.task);
    step.to(Event::AddModinfoAttrs { module, made: true }, task);
}

/// `mod_sysfs_setup()`'s error path: the directory goes again.
pub(crate) fn mod_sysfs_undo(mut step: Step<'_>) {
    let module = step.module();
    if step.spec().failure.is_some() {
        // What is in it goes with it.
        step.world.set_initstate(module, false);
    }
    step.world.set_directory(module, false);
    let task = failed_to_set_up(&step.who, step.task);
    step.to(Event::SysfsUndo { module }, task);
}

/// `kobject_uevent(KOBJ_ADD)`: whoever listens may react from now on.
pub(crate) fn kobject_uevent(mut step: Step<'_>) {
    let module = step.module();
    let task = load_done(&step.who, Pc::Uevent, step.task);
    step.with(Effect::WakeAll(WaitQueue::Uevent(module)), Event::Uevent { module }, task);
}

/// A udev rule uses the module whose uevent it got.
pub(crate) fn udev_use(mut step: Step<'_>) {
    let module = step.module();
    let initialised = step.world.flag(step.world.fields(module).initialised);
    let ret = if initialised { Ret::Zero } else { Ret::NotReady };
    step.to(Event::UdevUse { module, initialised }, Task::done(ret));
}

/// The module's init calls `request_module()` and waits for it.
pub(crate) fn init_request(step: Step<'_>) {
    let name = step.spec().requests.expect("it requests a module");
    nested_request(step, name);
}

/// An init requests a module: it goes on when that has come to something.
pub(crate) fn nested_request(mut step: Step<'_>, name: NameId) {
    let module = step.module();
    let mut outer = step.task.outer;
    // How deep requests nest is known of a scenario: a module whose init runs is not loaded once more meanwhile. Of
    // callers in any number it is not known whose init runs, and a fault may load it: what comes only so is no run.
    let deep = step.world.layout.deep;
    let Some(here) = outer[..deep].get_mut(usize::from(step.task.depth)) else {
        debug_assert!(!step.world.layout.strict, "deeper than requests of inits nest");
        return;
    };
    *here = step.task.pos;
    let mut outer_marks = step.task.outer_marks;
    outer_marks[usize::from(step.task.depth)] = step.task.marks;
    let task = Task {
        pc: Pc::RequestModule,
        depth: step.task.depth + 1,
        outer,
        outer_marks,
        marks: 0,
        pos: 0,
        index: 0,
        ret: Ret::Zero,
        waited_for_init: false,
        ..step.task
    };
    step.to(Event::InitRequests { module, name }, task);
}

/// `do_one_initcall(mod->init)`: a file system registers while its module is still COMING.
/// `register_filesystem()` of a name that another module has registered is `-EBUSY`, which the init
/// returns.
pub(crate) fn do_one_initcall(mut step: Step<'_>) {
    if let Some(program) = step.spec().init_program {
        return program::init(step, program);
    }
    let module = step.module();
    let spec = step.spec();
    let rivals = step.model().rivals(module);
    let taken = rivals.iter().any(|rival| step.world.registered(*rival));
    let free = step.model().orders.free[0];
    if !taken && spec.init != Init::Fails {
        if spec.registers {
            step.world.set_registered(module, true);
        }
        let initialised = step.world.fields(module).initialised;
        if initialised.exists() {
            step.world.set_flag(initialised, true);
        }
        let task = load_done(&step.who, Pc::Init, step.task);
        step.to(Event::Init { module, outcome: InitOutcome::Succeeds }, task);
    }
    let failed = Task { result: error(&step, Finit::Failed), ..step.at(free) };
    if !taken && spec.registers && spec.init == Init::MayFail {
        step.undo_writes();
        step.world.set_registered(module, true);
        let task = Task { pc: Pc::Unregister, ..failed };
        step.to(Event::Init { module, outcome: InitOutcome::FailsLate }, task);
    }
    step.undo_writes();
    if taken || matches!(spec.init, Init::MayFail | Init::Fails) {
        step.to(Event::Init { module, outcome: InitOutcome::FailsEarly }, failed);
    }
    if spec.init == Init::MayReturnEexist {
        let net = step.who.kernel().eexist_safety_net;
        let result = error(&step, if net { Finit::Failed } else { Finit::Exists });
        let task = Task { result, ..step.at(free) };
        step.to(Event::Init { module, outcome: InitOutcome::Eexist }, task);
    }
}

/// An init that is a program has returned: goes on with loading, or frees the module.
pub(crate) fn init_returned(step: &mut Step<'_>, event: Event, outcome: InitOutcome) {
    let module = step.module();
    if outcome == InitOutcome::Succeeds {
        let initialised = step.world.fields(module).initialised;
        if initialised.exists() {
            step.world.set_flag(initialised, true);
        }
        let task = load_done(&step.who, Pc::Init, step.task);
        return step.to(event, task);
    }
    let result = program::failed(outcome, step.who.kernel().eexist_safety_net);
    let used_async = step.task.used_async & !(1 << step.task.depth);
    let result = error(step, result);
    let task = Task { result, used_async, ..step.at(step.model().orders.free[0]) };
    step.to(event, task);
}

/// An exit that is a program has returned.
pub(crate) fn exit_returned(step: &mut Step<'_>, event: Event) {
    let task = exit_done(&step.who, step.task);
    step.to(event, task);
}

/// What `load_module()` will return, as it is remembered while the module is freed: only where it can
/// be more than one thing.
fn error(step: &Step<'_>, result: Finit) -> u8 {
    if step.model().layout.remembers_results() { result as u8 } else { 0 }
}

/// A failing init takes back what it had registered.
pub(crate) fn unregister_filesystem(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_registered(module, false);
    let task = step.at(step.model().orders.free[0]);
    step.to(Event::Unregister { module }, task);
}

/// `do_init_module()`: LIVE, without a lock.
pub(crate) fn set_live(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Live);
    let task = load_done(&step.who, Pc::SetLive, step.task);
    step.to(Event::SetLive { module }, task);
}

/// Whether `do_init_module()` waits for what is asynchronous, of a module that has not asked for another way to probe.
fn waits_for_async(who: &Who<'_>, task: &Task) -> bool {
    who.kernel().waits_for_all_async || task.used_async >> task.depth & 1 == 1
}

/// `async_synchronize_full()` in `do_init_module()` and in `delete_module()`: over once nothing is scheduled, whoever has
/// scheduled it.
pub(crate) fn async_synchronize_full(mut step: Step<'_>) {
    let module = step.module();
    if program::scheduled(&mut step) {
        return;
    }
    let unloads = step.task.pc == Pc::UnloadSynchronize;
    let task = match unloads {
        true => free_done(&step.who, Pc::SetGoing, step.task),
        false => load_done(&step.who, Pc::AsyncSynchronize, step.task),
    };
    step.to(Event::AsyncSynchronize { module, unloads }, task);
}

/// `delete_module()` after the module's exit.
fn exit_done(who: &Who<'_>, task: Task) -> Task {
    match who.model.scenario.is_asynchronous() {
        true => Task { pc: Pc::UnloadSynchronize, index: 0, ..task },
        false => free_done(who, Pc::SetGoing, task),
    }
}

/// `do_init_module()`: `module_put()` of the reference that a module is born with.
pub(crate) fn drop_initial_reference(mut step: Step<'_>) {
    let module = step.module();
    let initial = step.world.fields(module).initial_reference;
    step.world.set_flag(initial, false);
    let task = load_done(&step.who, Pc::DropInitial, step.task);
    step.to(Event::DropInitial { module }, task);
}

/// `do_init_module()`: `wake_up_all(&module_wq)`, and 0 to modprobe.
pub(crate) fn wake_live(mut step: Step<'_>) {
    let module = step.module();
    let task = load_done(&step.who, Pc::WakeLive, step.task);
    step.wake_up_all(Event::WakeUpAll { module, after: Woken::Loaded }, task);
}

/// `do_init_module()`, init failed: GOING, without a lock, waking nobody.
pub(crate) fn set_going(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::Going);
    let task = free_done(&step.who, Pc::SetGoing, step.task);
    step.to(Event::SetGoing { module }, task);
}

/// `mod_sysfs_teardown()`: the attributes go before the directory.
pub(crate) fn module_remove_modinfo_attrs(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_initstate(module, false);
    let task = free_done(&step.who, Pc::RemoveModinfoAttrs, step.task);
    step.to(Event::RemoveModinfoAttrs { module }, task);
}

/// `mod_sysfs_teardown()`: the directory goes last.
pub(crate) fn mod_sysfs_fini(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_directory(module, false);
    let task = free_done(&step.who, Pc::SysfsFini, step.task);
    step.to(Event::SysfsFini { module }, task);
}

/// `free_module()`: UNFORMED under module_mutex, still on the list.
pub(crate) fn set_unformed(mut step: Step<'_>) {
    let module = step.module();
    step.world.set_state(module, ModuleState::UnformedAgain);
    let task = free_done(&step.who, Pc::SetUnformed, step.task);
    step.to(Event::SetUnformed { module }, task);
}

/// `free_module()`: `module_unload_free()`, under module_mutex.
pub(crate) fn module_unload_free(mut step: Step<'_>) {
    let module = step.module();
    step.world.release_dependencies(module);
    let task = free_done(&step.who, Pc::UnloadFree, step.task);
    step.to(Event::UnloadFree { module }, task);
}

/// `free_module()`: off the list, under module_mutex.
pub(crate) fn list_del(mut step: Step<'_>) {
    let module = step.module();
    unlist(&mut step, module);
    let task = free_done(&step.who, Pc::ListDel, step.task);
    step.to(Event::ListDel { module }, task);
}

/// `wake_up_all()` after `free_module()`: `do_init_module()` returns init's error to modprobe;
/// `delete_module()` wakes from 5d603311615f on.
pub(crate) fn wake_freed(mut step: Step<'_>) {
    let module = step.module();
    let after = if removes(&step.who, &step.task) { Woken::Unloaded } else { Woken::Failed };
    let task = free_done(&step.who, Pc::WakeFreed, step.task);
    step.wake_up_all(Event::WakeUpAll { module, after }, task);
}

/// Whether a file system's user or a program has taken a reference.
fn has_taken_references(step: &mut Step<'_>, module: ModuleId) -> bool {
    let fields = step.world.fields(module);
    let taken =
        step.world.get(fields.file_system_references) + step.world.get(fields.program_references);
    taken > 0
}

/// `module_refcount()`.
pub(crate) fn module_refcount(step: &mut Step<'_>, module: ModuleId) -> Refcnt {
    let fields = step.world.fields(module);
    let own = step.world.flag(fields.initial_reference);
    let others = has_taken_references(step, module)
        | step.world.has_dependents(&step.model().scenario, module);
    match (step.world.state(module), own) {
        _ if others => Refcnt::Used,
        // `do_init_module()` drops its own after a failed init, after GOING and before anything is removed: one step here.
        (ModuleState::Going, true) => Refcnt::Unused,
        (ModuleState::Going | ModuleState::UnformedAgain, _) => Refcnt::Unloading,
        (_, true) => Refcnt::Used,
        (_, false) => Refcnt::Unused,
    }
}

/// `delete_module()` up to GOING, under module_mutex: what `find_module()` does not find is
/// `-ENOENT`; other modules that use it `-EWOULDBLOCK`; not LIVE, or an init without an exit,
/// `-EBUSY`; references, its own included, `-EWOULDBLOCK`.
pub(crate) fn delete_module(mut step: Step<'_>) {
    let module = step.module();
    let ret = match step.world.state(module) {
        ModuleState::Absent | ModuleState::Unformed | ModuleState::UnformedAgain => Ret::Enoent,
        _ if step.world.has_dependents(&step.model().scenario, module) => Ret::Ewouldblock,
        ModuleState::Coming | ModuleState::Going => Ret::Ebusy,
        ModuleState::Live if step.spec().no_exit => Ret::Ebusy,
        ModuleState::Live => {
            let own = step.world.fields(module).initial_reference;
            if step.world.flag(own) || has_taken_references(&mut step, module) {
                Ret::Ewouldblock
            } else {
                step.world.set_state(module, ModuleState::Going);
                Ret::Zero
            }
        }
    };
    let task = match ret {
        Ret::Zero if step.spec().registers || step.spec().exit_program.is_some() => {
            step.at(Pc::ModuleExit)
        }
        Ret::Zero => exit_done(&step.who, step.task),
        ret => delete_returned(&step.who, ret, step.task),
    };
    step.to(Event::DeleteModule { module, ret }, task);
}

/// `mod->exit()`: the file system is unregistered, so until here it is registered while GOING.
pub(crate) fn module_exit(mut step: Step<'_>) {
    if let Some(program) = step.spec().exit_program {
        return program::exit(step, program);
    }
    let module = step.module();
    step.world.set_registered(module, false);
    let task = exit_done(&step.who, step.task);
    step.to(Event::ModuleExit { module }, task);
}

/// `delete_module()` returns to `rmmod`, which is done, or to `modprobe -r`.
fn delete_returned(who: &Who<'_>, ret: Ret, task: Task) -> Task {
    match who.role {
        Role::Actor { action: Action::ModprobeRemove(_), .. } => {
            modprobe::delete_returned(who, ret, task)
        }
        _ => Task::done(ret),
    }
}
