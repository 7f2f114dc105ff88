//! kernel/umh.c (kernel/kmod.c in v4.9): the usermode helper.

use std::sync::Arc;

use kmodcheck_model::scenario::{Helper, NameId};
use kmodcheck_model::{Event, Ret};
use kmodcheck_runtime::{Mutex, Queue, Runtime, Stuck};

use crate::fault::Fault;
use crate::kernel::{COMPLETIONS, Current, Kernel};
use crate::kmod::__request_module;
use crate::log::Who;
use crate::modprobe;

/// What a `struct subprocess_info` has that changes.
#[derive(Debug, Default)]
struct Progress {
    /// It was execed, or ended, as far as the caller waits for that: `retval`.
    retval: Option<Ret>,
    /// The caller has gone.
    abandoned: bool,
}

/// `struct subprocess_info`.
struct SubprocessInfo<R: Runtime> {
    /// argv[3] of `modprobe -q -- NAME`.
    name: NameId,
    /// UMH_WAIT_PROC, else UMH_WAIT_EXEC.
    wait_proc: bool,
    progress: Mutex<R, Progress>,
    /// The completion's wait queue.
    complete: Queue,
}

/// `call_usermodehelper_exec_async()` up to exec.
fn call_usermodehelper_exec_async<R: Runtime>(
    current: &Current<R>,
    name: NameId,
    wait_proc: bool,
) -> Result<Result<(), Ret>, Stuck> {
    let scenario = Arc::clone(&current.kernel.scenario);
    let failed = match scenario.helper {
        Helper::Present | Helper::EmptyPath => match scenario.exec_requests {
            // search_binary_handler()
            Some(format) => {
                current.emit(Event::ExecRequests { name: format });
                let outer = current.nested.replace(true);
                __request_module(current, true, format)?;
                current.nested.set(outer);
                Some(Ret::Enoexec)
            }
            None => None,
        },
        Helper::Missing => Some(Ret::Enoent),
        Helper::NotExecutable => Some(Ret::Eacces),
        Helper::Disabled => Some(Ret::Ebusy),
    };
    Ok(match failed {
        Some(ret) => {
            current.emit(Event::ExecFailed { ret });
            Err(ret)
        }
        None if wait_proc => {
            current.emit(Event::Exec { name });
            Ok(())
        }
        None => {
            current.emit_and_leave(Event::Exec { name });
            Ok(())
        }
    })
}

/// `umh_complete()`.
fn umh_complete<R: Runtime>(current: &Current<R>, sub_info: &SubprocessInfo<R>, retval: Ret) {
    let mut progress = sub_info.progress.lock();
    progress.retval = Some(retval);
    if !progress.abandoned {
        current.kernel.sched.wake_up_all(sub_info.complete, || {});
    }
}

/// `call_usermodehelper_exec_work()`, and modprobe.
fn call_usermodehelper_exec_work<R: Runtime>(current: &Current<R>, sub_info: &SubprocessInfo<R>) {
    match call_usermodehelper_exec_async(current, sub_info.name, sub_info.wait_proc) {
        // Nobody is woken by a helper that sleeps when everybody does.
        Err(Stuck) => {}
        Ok(Err(retval)) => umh_complete(current, sub_info, retval),
        Ok(Ok(())) => {
            if !sub_info.wait_proc {
                umh_complete(current, sub_info, Ret::Zero);
            }
            // A modprobe that sleeps when everybody does completes nothing.
            if let Ok(status) = modprobe::main(current, sub_info.name, true)
                && sub_info.wait_proc
            {
                umh_complete(current, sub_info, status);
            }
        }
    }
    current.kernel.sched.exit();
    for helper in current.helpers.take() {
        current.kernel.rt.join(helper);
    }
}

/// How `call_usermodehelper_exec()` ends.
pub(crate) enum Ended {
    /// With modprobe's wait status, or the error that kept it from running.
    Status(Ret),
    /// The caller was killed, and has left modprobe behind.
    Killed,
}

/// `call_usermodehelper_exec()`.
///
/// The helper is a thread of its own, unless threads are few: caller and helper take turns, so that
/// one thread can be both. What that leaves out is the hand-overs, which nobody else sees.
pub(crate) fn call_usermodehelper_exec<R: Runtime>(
    current: &Current<R>,
    name: NameId,
    wait_proc: bool,
) -> Result<Ended, Stuck> {
    let status = if R::SPAWNS.is_some() {
        // Any lock will do that nothing takes meanwhile: this one, without a limit of requests.
        let alone = current.faulty(Fault::OneModprobeAtATime);
        let _alone = alone.then(|| current.kernel.slots.lock());
        match call_usermodehelper_exec_async(current, name, wait_proc)? {
            Err(ret) => ret,
            Ok(()) => modprobe::main(current, name, true)?,
        }
    } else {
        let kernel: &Arc<Kernel<R>> = &current.kernel;
        let task = kernel.sched.add_task();
        let sub_info = Arc::new(SubprocessInfo {
            name,
            wait_proc,
            progress: Mutex::new(Progress::default()),
            complete: Queue(COMPLETIONS.0 + task.0),
        });
        let who = Who::Helper(current.number());
        let (in_kernel, work) = (Arc::clone(kernel), Arc::clone(&sub_info));
        let nested = current.nested.get();
        // queue_work()
        let worker = kernel.rt.spawn(move || {
            let helper = Current::new(&in_kernel, who, task);
            helper.nested.set(nested);
            call_usermodehelper_exec_work(&helper, &work);
        });
        current.helpers.borrow_mut().push(worker);
        // UMH_KILLABLE
        if wait_proc && current.killable() && current.choose(2) == 1 {
            let mut progress = sub_info.progress.lock();
            // xchg(&sub_info->complete, NULL)
            if progress.retval.is_none() && kernel.log.kill(current.number()) {
                progress.abandoned = true;
                return Ok(Ended::Killed);
            }
        }
        let done = || sub_info.progress.lock().retval.is_some();
        kernel.sched.wait_event(sub_info.complete, current.task, done)?;
        let retval = sub_info.progress.lock().retval;
        retval.expect("completed")
    };
    let status = if current.faulty(Fault::StatusLost) { Ret::Zero } else { status };
    current.emit(Event::HelperReturn { status });
    Ok(Ended::Status(status))
}
