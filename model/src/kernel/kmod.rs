//! kernel/kmod.c: `__request_module()` and the helper, with the RFC's additions before modprobe. The
//! check after it is in [`crate::kernel::check`].

use crate::event::{Event, Listed};
use crate::features::RequestLimit;
use crate::kernel::{check, program};
use crate::model::{Effect, Role, Step, WaitQueue, Way, Who};
use crate::mutant::Mutant;
use crate::scenario::{Action, Helper, MODULE_NAME_LEN, Scenario};
use crate::state::{ModuleState, Pc, Ret, Task, World};
use crate::userspace::modprobe;

/// What the actor does begins.
pub(crate) fn call(mut step: Step<'_>) {
    let Role::Actor { action, .. } = step.who.role else { unreachable!("only actors are idle") };
    if step.who.role.may_fail() {
        let name = step.name();
        step.task.was_going = step.model().concerned_going(name, &mut step.world);
    }
    let task = match action {
        Action::GetFsType(_) => {
            let went_going = step.targets_in(ModuleState::Going) != 0;
            Task { pc: Pc::LookupFirst, went_going, ..step.task }
        }
        Action::RequestModule(_) | Action::RequestModuleNowait(_) => step.at(Pc::RequestModule),
        Action::Modprobe(_) => {
            let modprobe_live = step.targets_in(ModuleState::Live);
            modprobe::begin(&step.who, Task { modprobe_live, ..step.task })
        }
        Action::ModprobeRemove(_) => modprobe::begin_removal(&step.who, step.task),
        Action::Insmod(_) => modprobe::insmod(&step.who, Task { ret: Ret::Zero, ..step.task }),
        Action::Rmmod(_) => step.at(Pc::DeleteModule),
        Action::LateInitcalls => step.at(Pc::LateInitcalls),
        Action::Udev(_) | Action::Program(_) => unreachable!("it waits for its event, or its turn"),
    };
    step.to(Event::Call { action }, task);
}

/// `__request_module()` up to the limit: path, name and LSM, as the scenario wants them.
pub(crate) fn request_module(mut step: Step<'_>) {
    let mut task = Task { ret: Ret::Zero, ..step.task };
    if !step.nested() && step.who.role.waits_for_modprobe() {
        task.request_live = step.targets_in(ModuleState::Live);
    }
    let name = step.name();
    let scenario = &step.model().scenario;
    let refused = if scenario.helper == Helper::EmptyPath {
        Some(if step.who.kernel().empty_path_fails { Ret::Enoent } else { Ret::Zero })
    } else if scenario.names[usize::from(name)].request.len() >= MODULE_NAME_LEN {
        Some(Ret::Enametoolong)
    } else if scenario.lsm_refuses {
        Some(Ret::Eperm)
    } else {
        None
    };
    let task = match (refused, step.model().mutant) {
        (Some(ret), _) => Task { pc: Pc::RequestReturn, ret, ..task },
        (None, Some(Mutant::NoModprobe)) => Task { pc: Pc::RequestReturn, ret: Ret::Zero, ..task },
        _ if step.who.kernel().already_live => Task { pc: Pc::AlreadyLive, ..task },
        _ => after_shortcut(&step.who, task),
    };
    step.to(Event::RequestModule { name }, task);
}

/// The RFC's shortcut: every mapped name LIVE returns 0 without userspace.
pub(crate) fn already_live(mut step: Step<'_>) {
    let mut task = step.task;
    if task.index == 0 && !step.nested() {
        task.live_since_shortcut = step.who.role.waits_for_modprobe() && step.all_live();
    }
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let blind = step.model().mutant == Some(Mutant::ShortcutBlind);
    let task = if state != ModuleState::Live || blind {
        after_shortcut(&step.who, Task { index: 0, ..task })
    } else if usize::from(task.index) + 1 < step.who.name_model(&task).checked.len() {
        Task { index: task.index + 1, ..task }
    } else {
        over(&step, Task { pc: Pc::RequestReturn, ret: Ret::Zero, index: 0, ..task })
    };
    step.to(Event::AlreadyLive { name, state }, task);
}

/// The shortcut has done its duty: what it remembers is forgotten.
fn over(step: &Step<'_>, task: Task) -> Task {
    if step.nested() { task } else { Task { live_since_shortcut: false, ..task } }
}

/// What comes after the shortcut and before the limit.
fn after_shortcut(who: &Who<'_>, task: Task) -> Task {
    if who.model.mutant == Some(Mutant::CheckBeforeModprobe)
        && let Some(task) = check::begin(who, task)
    {
        return task;
    }
    if who.model.mutant == Some(Mutant::ShortcutBlind) {
        return limit(who, task);
    }
    if who.model.check.before { Task { pc: Pc::PreExists, ..task } } else { limit(who, task) }
}

/// `finished_kmod_load()` before modprobe: `kmod_exists()`. Not listed: `-ENOENT`, so on to modprobe.
pub(crate) fn pre_exists(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let task = match state {
        ModuleState::Absent => limit(&step.who, Task { index: 0, ..step.task }),
        _ => step.at(Pc::PreFinished),
    };
    step.to(Event::PreExists { name, state }, task);
}

/// `finished_kmod_load()` before modprobe: finished loading is 0; else a caller that waits sleeps
/// until then and returns 0 without another look, one that does not gets `-EINPROGRESS` and goes on to
/// modprobe. Its three tests in a row of the same predicate are one here: a test that comes out true
/// leads to the same 0 as a later one would.
pub(crate) fn pre_finished(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let task = if !step.model().listed.finished(state) {
        if waits(&step) {
            step.at(Pc::PreAsleep)
        } else {
            limit(&step.who, Task { index: 0, ..step.task })
        }
    } else if usize::from(step.task.index) + 1 < step.who.name_model(&step.task).checked.len() {
        Task { index: step.task.index + 1, ..step.at(Pc::PreExists) }
    } else {
        over(&step, step.returning(Ret::Zero))
    };
    step.to(Event::PreFinished { name, state }, task);
}

/// Whether this request waits for its modprobe.
pub(crate) fn waits(step: &Step<'_>) -> bool {
    step.nested() || step.who.role.waits_for_modprobe()
}

/// Whether a signal can end this wait.
pub(crate) fn killable(step: &Step<'_>) -> bool {
    !step.nested() && matches!(step.who.role, Role::Actor { killable: true, .. })
}

/// The shared word at first: `kmod_concurrent` is 0, `kmod_concurrent_max` the limit.
pub(crate) fn all_slots_free(scenario: &Scenario, world: &mut World<'_>) {
    if let Some(limit) = scenario.limit
        && scenario.features.kernel.request_limit != RequestLimit::FailsAtOnce
    {
        world.set(world.layout.slots, u64::from(limit));
    }
}

/// The limit of running requests, where the scenario has one.
pub(crate) fn limit(who: &Who<'_>, task: Task) -> Task {
    let pc = match (who.model.scenario.limit, who.kernel().request_limit) {
        (None, _) => return slot_taken(who, task),
        (Some(_), RequestLimit::FailsAtOnce) => Pc::LimitCount,
        (Some(_), RequestLimit::AllWaitersRace | RequestLimit::Semaphore) => Pc::TakeSlot,
    };
    Task { pc, ..task }
}

/// v4.9: `atomic_inc(&kmod_concurrent)`.
pub(crate) fn limit_count(mut step: Step<'_>) {
    let field = step.world.layout.slots;
    step.world.one_more(field);
    let task = step.at(Pc::LimitLook);
    step.to(Event::LimitCount, task);
}

/// v4.9: `atomic_read(&kmod_concurrent) > max_modprobes`.
pub(crate) fn limit_look(mut step: Step<'_>) {
    let running = step.world.get(step.world.layout.slots);
    let limit = u64::from(step.model().scenario.limit.expect("there is a limit"));
    let exceeded = running > limit;
    let task = if exceeded { step.at(Pc::LimitBack) } else { slot_taken(&step.who, step.task) };
    step.to(Event::LimitLook { exceeded }, task);
}

/// One slot more; only a fault in the model can make it more than there are.
fn one_more_slot(step: &Step<'_>, free: u64) -> u64 {
    let limit = u64::from(step.model().scenario.limit.expect("there is a limit"));
    debug_assert!(free < limit || !step.world.layout.strict, "more slots than there are");
    limit.min(free + 1)
}

/// v4.9: `atomic_dec(&kmod_concurrent)`, `-ENOMEM`.
pub(crate) fn limit_back(mut step: Step<'_>) {
    let field = step.world.layout.slots;
    let task = over(&step, step.returning(Ret::Enomem));
    for running in step.world.one_less(field) {
        step.world.set(field, running);
        step.to(Event::LimitBack, task);
    }
}

/// v4.13: `wait_event_killable_timeout(kmod_wq, atomic_dec_if_positive() >= 0)`; v6.4:
/// `down_timeout()`. Queueing comes before the test, so test and going to sleep are one step.
pub(crate) fn take_slot(mut step: Step<'_>) {
    let (slots, waiters) = (step.world.layout.slots, step.world.layout.slot_waiters);
    let free = step.world.get(slots);
    let taken = free > 0;
    let task = if taken {
        step.world.set(slots, free - 1);
        slot_taken(&step.who, step.task)
    } else {
        if step.who.kernel().request_limit == RequestLimit::Semaphore {
            step.world.one_more(waiters);
        }
        step.at(Pc::SlotAsleep)
    };
    step.to(Event::TakeSlot { taken }, task);
}

/// Asleep until there is a slot: 5 s may be over; SIGKILL ends the wait on `kmod_wq`, not that of the
/// semaphore.
pub(crate) fn slot_asleep(mut step: Step<'_>) {
    let semaphore = step.who.kernel().request_limit == RequestLimit::Semaphore;
    if step.model().scenario.timeouts {
        let waiters = step.world.layout.slot_waiters;
        let task = over(&step, step.returning(Ret::Etime));
        if semaphore {
            for waiting in step.world.one_less(waiters) {
                step.world.set(waiters, waiting);
                step.way_out(Way::TimeOut, Effect::None, Event::SlotTimedOut, task);
            }
        } else {
            step.way_out(Way::TimeOut, Effect::None, Event::SlotTimedOut, task);
        }
    }
    if !semaphore && killable(&step) {
        step.undo_writes();
        let task = over(&step, step.returning(Ret::Erestartsys));
        step.way_out(Way::Killed, Effect::None, Event::Killed, task);
    }
}

/// The local word of a waiter that was woken: by `up()` it has the slot, by `wake_up(&kmod_wq)` it
/// races for one.
pub(crate) fn slot_woken(who: &Who<'_>, local: u64) -> u64 {
    let layout = &who.model.layout;
    match who.kernel().request_limit {
        RequestLimit::Semaphore => layout.pack(&slot_taken(who, layout.unpack(local))),
        _ => layout.with_pc(local, Pc::TakeSlot),
    }
}

/// The request may go on to modprobe.
fn slot_taken(who: &Who<'_>, task: Task) -> Task {
    let pc = if who.kernel().duplicate_requests { Pc::Duplicate } else { Pc::Exec };
    Task { pc, ..task }
}

/// On the way to the request's return: a slot that was taken is given back first.
pub(crate) fn finishing(who: &Who<'_>, task: Task) -> Task {
    let pc = match who.model.scenario.limit {
        Some(_) => Pc::GiveSlot,
        None => Pc::RequestReturn,
    };
    Task { pc, ..task }
}

/// `atomic_dec(&kmod_concurrent)` (v4.9), `atomic_inc(&kmod_concurrent_max)` (v4.13), `up()` (v6.4),
/// which gives the slot to a waiter if there is one.
pub(crate) fn give_slot(mut step: Step<'_>) {
    let (slots, waiters) = (step.world.layout.slots, step.world.layout.slot_waiters);
    let now = step.world.get(slots);
    let returns = step.at(Pc::RequestReturn);
    match step.who.kernel().request_limit {
        RequestLimit::FailsAtOnce => {
            for running in step.world.one_less(slots) {
                step.world.set(slots, running);
                step.to(Event::GiveSlot { handed_over: false }, returns);
            }
        }
        RequestLimit::AllWaitersRace => {
            let more = one_more_slot(&step, now);
            step.world.set(slots, more);
            let task = step.at(Pc::WakeSlot);
            step.to(Event::GiveSlot { handed_over: false }, task);
        }
        RequestLimit::Semaphore if step.world.get(waiters) > 0 => {
            for waiting in step.world.one_less(waiters) {
                step.world.set(waiters, waiting);
                let effect = Effect::WakeOne(WaitQueue::KmodWq);
                step.with(effect, Event::GiveSlot { handed_over: true }, returns);
            }
        }
        RequestLimit::Semaphore => {
            let more = one_more_slot(&step, now);
            step.world.set(slots, more);
            step.to(Event::GiveSlot { handed_over: false }, returns);
        }
    }
}

/// `wake_up(&kmod_wq)`: those who wait there are not exclusive, so all of them wake.
pub(crate) fn wake_slot(mut step: Step<'_>) {
    let task = step.at(Pc::RequestReturn);
    step.with(Effect::WakeAll(WaitQueue::KmodWq), Event::WakeSlot, task);
}

/// The helper's work item execs modprobe; what modprobe reads first are its indexes. A request that
/// does not wait goes on, and modprobe runs without it.
pub(crate) fn exec(mut step: Step<'_>) {
    let name = step.name();
    let scenario = &step.model().scenario;
    let failed = match scenario.helper {
        Helper::Present | Helper::EmptyPath if scenario.exec_requests.is_some() => {
            if step.task.ret != Ret::Enoexec {
                return search_binary_handler(step);
            }
            Some(Ret::Enoexec)
        }
        Helper::Present | Helper::EmptyPath => None,
        Helper::Missing => Some(Ret::Enoent),
        Helper::NotExecutable => Some(Ret::Eacces),
        Helper::Disabled => Some(Ret::Ebusy),
    };
    if let Some(ret) = failed {
        // Where the caller was killed before, `umh_complete()` finds nobody to tell.
        let left_behind = matches!(step.who.role, Role::Orphan(_)) && !step.nested();
        let task = match left_behind {
            true => Task::NONE,
            false => over(&step, Task { ret, ..step.at(Pc::HelperReturn) }),
        };
        step.to(Event::ExecFailed { ret }, task);
        return;
    }
    let task = step.task;
    if step.nested() {
        let task = modprobe::begin(&step.who, task);
        step.to(Event::Exec { name }, task);
        return;
    }
    let modprobe_live = step.targets_in(ModuleState::Live);
    let begun =
        modprobe::begin(&step.who, Task { modprobe_live, live_since_shortcut: false, ..task });
    if matches!(step.who.role, Role::Actor { action: Action::RequestModuleNowait(_), .. }) {
        let effect = orphaned(&step, begun);
        let task = Task { ret: Ret::Zero, ..step.at(Pc::HelperReturn) };
        step.with(effect, Event::Exec { name }, task);
    } else {
        step.to(Event::Exec { name }, begun);
    }
}

/// `search_binary_handler()` of modprobe (fs/exec.c): no format that is there knows the file, so it requests one, and
/// looks once more, in vain again: exec comes back with `-ENOEXEC` whatever the request said.
fn search_binary_handler(mut step: Step<'_>) {
    let name = step.model().scenario.exec_requests.expect("it requests something");
    let execs = step.task.execs + 1;
    let task = Task { pc: Pc::RequestModule, execs, index: 0, ret: Ret::Zero, ..step.task };
    step.to(Event::ExecRequests { name }, task);
}

/// modprobe as a process that nobody waits for: of its history only its own part is left, and why it
/// may fail, since it was asked for.
fn orphaned(step: &Step<'_>, task: Task) -> Effect {
    let Task { modprobe_live, attempt_failed, was_going, waited_for_init, error_of, .. } = task;
    let task = Task {
        modprobe_live,
        attempt_failed,
        was_going,
        waited_for_init,
        error_of,
        program: 0,
        ..task.without_history()
    };
    let model = step.model();
    let name = step.who.role.name().expect("it has requested a name");
    Effect::Spawn(model.orphan(name), model.layout.pack(&task))
}

/// SIGKILL may end the wait of `call_usermodehelper_exec()` (`UMH_KILLABLE`) at any moment: the caller
/// leaves with `-ERESTARTSYS`, modprobe goes on.
pub(crate) fn killed(mut step: Step<'_>) {
    let waits = step.who.role.waits_for_modprobe();
    let killable = matches!(step.who.role, Role::Actor { killable: true, .. });
    if !(waits && killable) || !(step.nested() || step.task.pc.in_helper()) {
        return;
    }
    let effect = orphaned(&step, step.task);
    let task = Task {
        pos: 0,
        index: 0,
        depth: 0,
        execs: 0,
        outer: Task::IDLE.outer,
        marks: 0,
        outer_marks: Task::IDLE.outer_marks,
        result: 0,
        stale: false,
        unresolved: false,
        modprobe_live: 0,
        live_since_exit: false,
        live_since_shortcut: false,
        ret: Ret::Erestartsys,
        ..step.task
    };
    let task = if step.who.kernel().duplicate_requests {
        Task { pc: Pc::Announce, ..task }
    } else {
        finishing(&step.who, task)
    };
    step.way_out(Way::Killed, effect, Event::Killed, task);
}

/// `call_usermodehelper_exec()` returns modprobe's wait status.
pub(crate) fn helper_return(mut step: Step<'_>) {
    let status = step.task.ret;
    let kernel = step.who.kernel();
    let waits = step.nested() || step.who.role.waits_for_modprobe();
    let announces = kernel.duplicate_requests && (waits || !kernel.nowait_announces_nothing);
    let task = if announces { step.at(Pc::Announce) } else { helper_returned(&step, step.task) };
    step.to(Event::HelperReturn { status }, task);
}

/// After `call_modprobe()`: the check, or out.
pub(crate) fn helper_returned(step: &Step<'_>, task: Task) -> Task {
    let checked_already = step.model().mutant == Some(Mutant::CheckBeforeModprobe);
    if task.ret == Ret::Zero && !checked_already {
        check::begin(&step.who, task).unwrap_or_else(|| finishing(&step.who, task))
    } else {
        finishing(&step.who, Task { index: 0, ..task })
    }
}

/// `__request_module()` returns; `get_fs_type()` looks again only after 0; an init that had requested
/// a module goes on, whatever came of it.
pub(crate) fn request_return(mut step: Step<'_>) {
    let ret = step.task.ret;
    let task = if step.task.execs > 0 {
        let execs = step.task.execs - 1;
        Task { execs, index: 0, ret: Ret::Enoexec, ..step.at(Pc::Exec) }
    } else if step.nested() {
        let depth = step.task.depth - 1;
        let mut outer = step.task.outer;
        let pos = std::mem::take(&mut outer[usize::from(depth)]);
        let mut outer_marks = step.task.outer_marks;
        let marks = std::mem::take(&mut outer_marks[usize::from(depth)]);
        let outer_modprobe = Task { outer, outer_marks, pos, marks, ..step.task };
        let task = Task { pc: Pc::Init, depth, index: 0, ret: Ret::Zero, ..outer_modprobe };
        program::request_returned(&step, task, ret)
    } else {
        match step.who.role {
            Role::Actor { action: Action::GetFsType(_), .. } if ret == Ret::Zero => Task {
                load_failed: step.task.load_failed,
                went_going: step.task.went_going,
                attempt_failed: step.task.attempt_failed,
                was_going: step.task.was_going,
                pc: Pc::LookupSecond,
                ..Task::IDLE
            },
            Role::Actor { action: Action::GetFsType(_), .. } => Task::done(Ret::Null),
            _ => Task::done(ret),
        }
    };
    step.to(Event::RequestReturn { ret }, task);
}

/// The name that shortcut or check is at.
pub(crate) fn checked_name(step: &Step<'_>) -> Listed {
    step.who.name_model(&step.task).checked[usize::from(step.task.index)].listed
}
