//! kernel/umh.c (kernel/kmod.c in v4.9): the usermode helper.

use std::sync::Arc;

use kmodcheck_model::{Event, Ret};
use kmodcheck_runtime::{Mutex, Queue, Runtime, Stuck};

use crate::kernel::{Current, Kernel};
use crate::modprobe;

/// `struct subprocess_info`.
struct SubprocessInfo<R: Runtime> {
    /// argv[3] of `modprobe -q -- NAME`.
    name: String,
    /// `retval`, once `complete` is done.
    retval: Mutex<R, Option<Ret>>,
    /// The completion's wait queue.
    complete: Queue,
}

/// `call_usermodehelper_exec_async()`: execs modprobe. Its end is modprobe's.
fn call_usermodehelper_exec_async<R: Runtime>(
    current: &Current<R>,
    name: &str,
) -> Result<Ret, Stuck> {
    current.emit(Event::Exec);
    modprobe::main(current, name)
}

/// `call_usermodehelper_exec_work()`, for `UMH_WAIT_PROC`: waits for modprobe and completes.
fn call_usermodehelper_exec_work<R: Runtime>(current: &Current<R>, sub_info: &SubprocessInfo<R>) {
    // A helper that sleeps when everybody does completes nothing.
    if let Ok(status) = call_usermodehelper_exec_async(current, &sub_info.name) {
        *sub_info.retval.lock() = Some(status);
        current.kernel.sched.wake_up_all(sub_info.complete, || {});
    }
    current.kernel.sched.exit();
}

/// `call_usermodehelper_exec()`, for `UMH_WAIT_PROC`: modprobe's wait status.
///
/// The helper is a thread of its own, unless threads are few: caller and helper take turns, so that
/// one thread can be both. What that leaves out is the hand-overs, which nobody else sees.
pub(crate) fn call_usermodehelper_exec<R: Runtime>(
    current: &Current<R>,
    name: &str,
) -> Result<Ret, Stuck> {
    let status = if R::SPAWNS.is_some() {
        call_usermodehelper_exec_async(current, name)?
    } else {
        let kernel: &Arc<Kernel<R>> = &current.kernel;
        let task = kernel.sched.add_task();
        let sub_info = Arc::new(SubprocessInfo {
            name: name.to_owned(),
            retval: Mutex::new(None),
            complete: Queue(1 + task.0),
        });
        let (actor, in_kernel) = (current.actor, Arc::clone(kernel));
        let work = Arc::clone(&sub_info);
        // queue_work()
        let worker = kernel.rt.spawn(move || {
            let helper = Current::new(&in_kernel, actor, task);
            call_usermodehelper_exec_work(&helper, &work);
        });
        let done = || sub_info.retval.lock().is_some();
        current.helpers.borrow_mut().push(worker);
        kernel.sched.wait_event(sub_info.complete, current.task, done)?;
        let status = sub_info.retval.lock().take();
        status.expect("completed")
    };
    current.emit(Event::HelperReturn { status });
    Ok(status)
}
