//! kernel/module/dups.c (8660484ed1cf, v6.4; CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS): requests of one name
//! share the first waiting one's result.

use std::sync::Arc;

use kmodcheck_model::scenario::NameId;
use kmodcheck_model::{Event, Ret};
use kmodcheck_runtime::{Queue, Runtime, Stuck};

use crate::fault::Fault;
use crate::kernel::{Current, Waited, WaysOut};
use crate::log::Who;

/// `queue_work()`: a kworker does it.
fn queue_work<R: Runtime>(current: &Current<R>, name: NameId, work: fn(&Current<R>, NameId)) {
    let kernel = Arc::clone(&current.kernel);
    let task = kernel.sched.add_task();
    let worker = current.kernel.rt.spawn(move || {
        work(&Current::new(&kernel, Who::Kworker(name), task), name);
        kernel.sched.exit();
    });
    current.helpers.borrow_mut().push(worker);
}

/// `kmod_dup_request_announce()` since d258ed8a86bb: the first result counts and completes.
fn announce_first<R: Runtime>(current: &Current<R>, name: NameId, ret: Ret) {
    let complete = {
        let mut reqs = current.kernel.dup_kmod_reqs.lock();
        let req = reqs.lookup(name).filter(|req| !req.done);
        let found = req.is_some();
        let complete = req.map(|req| {
            req.dup_ret = ret;
            req.done = true;
            req.number
        });
        let event = Event::Announce { name, ret, found };
        match complete {
            Some(_) => current.kernel.sched.wake_up_all(first_req_done(current, name), || {
                current.emit(event);
            }),
            None => {
                current.emit(event);
            }
        }
        complete
    };
    if complete.is_some() && current.scenario().timeouts {
        current.emit(Event::QueueDelete { name });
        queue_work(current, name, may_delete);
    }
}

/// `struct kmod_dup_req`, and what is known of its work.
#[derive(Debug)]
struct KmodDupReq {
    name: NameId,
    /// Its own, so that who counts on it can tell it from a later one of that name.
    number: usize,
    dup_ret: Ret,
    /// `complete_work` was queued.
    queued: bool,
    /// `first_req_done`.
    done: bool,
    /// Off the list and freed. Who still waits reads it all the same, or what has taken its place: the
    /// next entry of its name.
    freed: bool,
}

/// `dup_kmod_reqs`, under `kmod_dup_mutex`.
#[derive(Debug, Default)]
pub(crate) struct DupKmodReqs {
    list: Vec<KmodDupReq>,
    made: usize,
}

impl DupKmodReqs {
    fn lookup(&mut self, name: NameId) -> Option<&mut KmodDupReq> {
        self.list.iter_mut().find(|req| req.name == name && !req.freed)
    }

    /// `kmod_dup_request_delete()`'s `list_del_rcu()` and `kfree()`.
    fn delete(&mut self, name: NameId) {
        self.lookup(name).expect("its work deletes it once").freed = true;
    }

    /// `kzalloc()` and `list_add_rcu()`.
    fn add(&mut self, name: NameId, counted: bool) {
        // What is counted is not freed while somebody has it.
        self.list.retain(|req| counted || req.name != name);
        let (queued, done, freed) = (false, false, false);
        let number = self.made;
        self.made += 1;
        self.list.push(KmodDupReq { name, number, dup_ret: Ret::Zero, queued, done, freed });
    }

    /// `kmod_req->dup_ret`, of a waiter's pointer: to that entry (`counted`), or to what is there now.
    fn dup_ret(&self, name: NameId, number: usize, counted: bool) -> Ret {
        let is = |req: &&KmodDupReq| match counted {
            true => req.number == number,
            false => req.name == name,
        };
        self.list.iter().find(is).expect("it was there").dup_ret
    }
}

/// `first_req_done` of a name's entry.
fn first_req_done<R: Runtime>(current: &Current<R>, name: NameId) -> Queue {
    let of = if current.faulty(Fault::OneCompletionForAllNames) { 0 } else { name };
    Queue(500 + usize::from(of))
}

/// `kmod_dup_request_exists_wait()`: the result to return without a modprobe, if there is an entry of
/// that name; else this request becomes it, if it waits.
pub(crate) fn kmod_dup_request_exists_wait<R: Runtime>(
    current: &Current<R>,
    name: NameId,
    wait: bool,
) -> Result<Option<Ret>, Stuck> {
    let counted = current.scenario().features.kernel.first_result_counts;
    let found = {
        let mut reqs = current.kernel.dup_kmod_reqs.lock();
        let found = reqs.lookup(name).map(|req| (req.number, req.done));
        current.emit(Event::Duplicate { name, found: found.is_some() });
        match found {
            None if wait => reqs.add(name, counted),
            Some((_, false)) if wait => {
                current.kernel.sched.prepare_to_wait(first_req_done(current, name), current.task);
            }
            _ => {}
        }
        found
    };
    let Some((number, done)) = found else { return Ok(None) };
    match done {
        // There is no way to know.
        _ if !wait => return Ok(Some(Ret::Zero)),
        true => {}
        // wait_for_completion_state(..., TASK_KILLABLE)
        false => {
            let ways = WaysOut { killable: current.killable(), time_limit: None };
            if current.sleep(first_req_done(current, name), ways)? == Waited::Killed {
                return Ok(Some(Ret::Erestartsys));
            }
        }
    }
    let reqs = current.kernel.dup_kmod_reqs.lock();
    let ret = reqs.dup_ret(name, number, counted);
    current.emit(Event::DuplicateResult { name, ret });
    Ok(Some(ret))
}

/// `kmod_dup_request_announce()`: stores the result in the name's entry and queues its completion.
pub(crate) fn kmod_dup_request_announce<R: Runtime>(current: &Current<R>, name: NameId, ret: Ret) {
    if current.scenario().features.kernel.first_result_counts {
        return announce_first(current, name, ret);
    }
    let mut reqs = current.kernel.dup_kmod_reqs.lock();
    let req = reqs.lookup(name);
    let found = req.is_some();
    let mut queues = false;
    if let Some(req) = req {
        req.dup_ret = ret;
        queues = !std::mem::replace(&mut req.queued, true);
    }
    current.emit(Event::Announce { name, ret, found });
    drop(reqs);
    if queues {
        queue_work(current, name, kmod_dup_request_complete);
    }
}

/// `kmod_dup_request_complete()`, and 60 s later `kmod_dup_request_delete()`.
fn kmod_dup_request_complete<R: Runtime>(current: &Current<R>, name: NameId) {
    {
        let mut reqs = current.kernel.dup_kmod_reqs.lock();
        reqs.lookup(name).expect("its work deletes it").done = true;
        current.kernel.sched.wake_up_all(first_req_done(current, name), || {
            current.emit(Event::DuplicateComplete { name });
        });
    }
    may_delete(current, name);
}

/// `kmod_dup_request_delete()`, 60 s later, where the scenario has time-outs.
fn may_delete<R: Runtime>(current: &Current<R>, name: NameId) {
    if current.scenario().timeouts && current.choose(2) == 1 {
        let mut reqs = current.kernel.dup_kmod_reqs.lock();
        reqs.delete(name);
        current.emit(Event::DuplicateDelete { name });
    }
}
