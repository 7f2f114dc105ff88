//! kernel/module/dups.c (8660484ed1cf, v6.4; CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS): requests of one name
//! share the first waiting one's result, also for 60 s after it. From d258ed8a86bb (v7.3) on the first result that is
//! announced counts, whoever announces it completes who waits, and an entry lives as long as somebody reads it.

use crate::event::Event;
use crate::kernel::kmod;
use crate::model::{Effect, Step, WaitQueue, Way};
use crate::state::{Pc, Ret, Task};

/// `kmod_dup_request_exists_wait()` up to its wait: the list under `kmod_dup_mutex`. A nowait request
/// does not become an entry, and does not wait for one.
pub(crate) fn exists_wait(mut step: Step<'_>) {
    let name = step.name();
    let fields = step.world.name(name);
    let found = step.world.flag(fields.dup_listed);
    let waits = step.nested() || step.who.role.waits_for_modprobe();
    let task = if !found {
        if waits {
            step.world.set_flag(fields.dup_listed, true);
            // `kzalloc()`: who reads the entry that was freed here reads this.
            step.world.set(fields.dup_ret, Ret::Zero as u64);
        }
        step.at(Pc::Exec)
    } else if !waits {
        step.finishing(Ret::Zero)
    } else if step.world.flag(fields.dup_done) {
        step.at(Pc::DuplicateRead)
    } else {
        step.at(Pc::DuplicateAsleep)
    };
    step.to(Event::Duplicate { name, found }, task);
}

/// `wait_for_completion_state(TASK_KILLABLE)`: SIGKILL is the only other way out.
pub(crate) fn asleep(mut step: Step<'_>) {
    if kmod::killable(&step) {
        let task = step.finishing(Ret::Erestartsys);
        step.way_out(Way::Killed, Effect::None, Event::Killed, task);
    }
}

/// `*dup_ret = kmod_req->dup_ret`. What is read of an entry that is counted is its own, also when another has taken its
/// place on the list: `stale` then, and its result was kept.
pub(crate) fn read(mut step: Step<'_>) {
    let name = step.name();
    let ret = match step.task.stale {
        true => step.task.ret,
        false => dup_ret(&mut step),
    };
    step.task.stale = false;
    let task = step.finishing(ret);
    step.to(Event::DuplicateResult { name, ret }, task);
}

fn dup_ret(step: &mut Step<'_>) -> Ret {
    let field = step.world.name(step.name()).dup_ret;
    Ret::from_bits(step.world.get(field))
}

/// `kmod_dup_request_announce()`: whoever called modprobe stores its result in the name's entry, if
/// there is one, and queues the completion: also a nowait request, whose result is only that of exec,
/// and a killed one.
pub(crate) fn announce(mut step: Step<'_>) {
    let name = step.name();
    let fields = step.world.name(name);
    let ret = step.task.ret;
    if step.who.kernel().first_result_counts {
        return announce_first(step);
    }
    let found = step.world.flag(fields.dup_listed);
    let mut effect = Effect::None;
    if found {
        step.world.set(fields.dup_ret, ret as u64);
        // `queue_work()` of work that is queued does nothing; of work that is done it completes once
        // more what is completed for all time.
        if !step.world.flag(fields.dup_queued) {
            step.world.set_flag(fields.dup_queued, true);
            let task = Task { pc: Pc::DuplicateComplete, ..Task::IDLE };
            let model = step.model();
            effect = Effect::Spawn(model.kworker(name), model.layout.pack(&task));
        }
    }
    let task = kmod::helper_returned(&step, step.task);
    step.with(effect, Event::Announce { name, ret, found }, task);
}

/// The same from d258ed8a86bb on: under `kmod_dup_mutex`, the first result is stored and `complete_all()` called; a later
/// one finds that `completion_done()`.
fn announce_first(mut step: Step<'_>) {
    let name = step.name();
    let fields = step.world.name(name);
    let ret = step.task.ret;
    let found = step.world.flag(fields.dup_listed) && !step.world.flag(fields.dup_done);
    if !found {
        let task = kmod::helper_returned(&step, step.task);
        return step.to(Event::Announce { name, ret, found }, task);
    }
    step.world.set(fields.dup_ret, ret as u64);
    step.world.set_flag(fields.dup_done, true);
    let task = match step.model().scenario.timeouts {
        true => step.at(Pc::DuplicateQueue),
        false => kmod::helper_returned(&step, step.task),
    };
    let wake = Effect::WakeAll(WaitQueue::Duplicate(name));
    step.with(wake, Event::Announce { name, ret, found }, task);
}

/// `kmod_dup_request_announce()`, after it has given the mutex back: `queue_delayed_work()` of the deletion.
pub(crate) fn queue_delete(mut step: Step<'_>) {
    let name = step.name();
    let model = step.model();
    let worker = Task { pc: Pc::DuplicateDelete, ..Task::IDLE };
    let spawn = Effect::Spawn(model.kworker(name), model.layout.pack(&worker));
    let task = kmod::helper_returned(&step, step.task);
    step.with(spawn, Event::QueueDelete { name }, task);
}

/// `kmod_dup_request_complete()`: `complete_all()`, then the deletion is queued for 60 s later.
pub(crate) fn complete(mut step: Step<'_>) {
    let name = step.name();
    let fields = step.world.name(name);
    step.world.set_flag(fields.dup_done, true);
    let task = step.at(Pc::DuplicateDelete);
    let wake = Effect::WakeAll(WaitQueue::Duplicate(name));
    step.with(wake, Event::DuplicateComplete { name }, task);
}

/// `kmod_dup_request_delete()`: where the scenario has time-outs.
pub(crate) fn delete(mut step: Step<'_>) {
    if !step.model().scenario.timeouts {
        return;
    }
    let name = step.name();
    let fields = step.world.name(name);
    for field in [fields.dup_listed, fields.dup_queued, fields.dup_done] {
        step.world.set_flag(field, false);
    }
    step.way_out(Way::TimeOut, Effect::None, Event::DuplicateDelete { name }, Task::NONE);
}
