//! kernel/kmod.c: `__request_module()`, and what the RFC 'kmod: add a sanity check on module
//! loading' puts around modprobe, in each of its readings.

use kmodcheck_model::event::{Judgement, Listed};
use kmodcheck_model::features::{AliasMap, RequestLimit, SanityCheck};
use kmodcheck_model::scenario::{Helper, MODULE_NAME_LEN, NameId, Scenario};
use kmodcheck_model::{Event, ModuleState, Ret};
use kmodcheck_runtime::{Runtime, Slept, Stuck};

use crate::dups::{kmod_dup_request_announce, kmod_dup_request_exists_wait};
use crate::fault::Fault;
use crate::kernel::{Current, KMOD_WQ, Waited, WaysOut, module_of_name};
use crate::module::{finished_loading_now, state_of, wait_until_finished_loading};
use crate::umh::{Ended, call_usermodehelper_exec};

/// `kmod_concurrent` (v4.9: how many requests run) or `kmod_concurrent_max` (how many more may).
#[derive(Debug)]
pub(crate) struct Slots {
    count: u8,
    /// The tasks in the semaphore's wait list that have been handed a slot.
    handed_over: usize,
    waiting: usize,
}

impl Slots {
    pub fn new(scenario: &Scenario) -> Self {
        let count = match scenario.features.kernel.request_limit {
            RequestLimit::FailsAtOnce => 0,
            RequestLimit::AllWaitersRace | RequestLimit::Semaphore => scenario.limit.unwrap_or(0),
        };
        Self { count, handed_over: 0, waiting: 0 }
    }
}

/// `__request_module(wait, name)`.
pub(crate) fn __request_module<R: Runtime>(
    current: &Current<R>,
    wait: bool,
    name: NameId,
) -> Result<Ret, Stuck> {
    current.emit(Event::RequestModule { name });
    let ret = request(current, wait, name)?;
    current.emit(Event::RequestReturn { ret });
    Ok(ret)
}

/// `__request_module()` without its first and last moment.
fn request<R: Runtime>(current: &Current<R>, wait: bool, id: NameId) -> Result<Ret, Stuck> {
    let scenario = current.scenario();
    let features = scenario.features.kernel;

    if scenario.helper == Helper::EmptyPath {
        return Ok(if features.empty_path_fails { Ret::Enoent } else { Ret::Zero });
    }
    if current.name(id).request.len() >= MODULE_NAME_LEN {
        return Ok(Ret::Enametoolong);
    }
    // security_kernel_module_request()
    if scenario.lsm_refuses {
        return Ok(Ret::Eperm);
    }

    let names = alias_map(scenario, id);
    if features.already_live && names.iter().all(|name| already_live(current, id, name)) {
        return Ok(Ret::Zero);
    }
    let author = matches!(features.sanity_check, SanityCheck::AuthorTree | SanityCheck::AuthorMail);
    if author && finished_kmod_load_before(current, wait, id, &names)? {
        return Ok(Ret::Zero);
    }

    if scenario.limit.is_some()
        && let Err(ret) = take_slot(current)?
    {
        return Ok(ret);
    }
    let duplicate = match features.duplicate_requests {
        true => kmod_dup_request_exists_wait(current, id, wait)?,
        false => None,
    };
    let ret = match duplicate {
        Some(ret) => ret,
        None => {
            // call_modprobe()
            let ended = call_usermodehelper_exec(current, id, wait)?;
            if features.duplicate_requests && (wait || !features.nowait_announces_nothing) {
                let ret = match ended {
                    Ended::Killed => Ret::Erestartsys,
                    Ended::Status(ret) => ret,
                };
                kmod_dup_request_announce(current, id, ret);
            }
            match ended {
                Ended::Killed => Ret::Erestartsys,
                Ended::Status(Ret::Zero) if author || wait => check(current, wait, id, &names)?,
                Ended::Status(ret) => ret,
            }
        }
    };
    if scenario.limit.is_some() {
        give_slot(current);
    }
    Ok(ret)
}

/// The limit of running requests.
fn take_slot<R: Runtime>(current: &Current<R>) -> Result<Result<(), Ret>, Stuck> {
    match current.scenario().features.kernel.request_limit {
        RequestLimit::FailsAtOnce => Ok(count_itself(current)),
        RequestLimit::AllWaitersRace => {
            // wait_event_killable_timeout(kmod_wq, atomic_dec_if_positive(...) >= 0, 5 * HZ)
            let ways =
                WaysOut { killable: current.killable(), time_limit: Some(Event::SlotTimedOut) };
            let waited = current.wait_event(KMOD_WQ, ways, || {
                let mut slots = current.kernel.slots.lock();
                let taken = slots.count > 0;
                if taken {
                    slots.count -= 1;
                }
                let place = current.emit(Event::TakeSlot { taken });
                if taken { Ok(place) } else { Err(place) }
            })?;
            Ok(match waited {
                Waited::Met => Ok(()),
                Waited::TimedOut => Err(Ret::Etime),
                Waited::Killed => Err(Ret::Erestartsys),
            })
        }
        RequestLimit::Semaphore => down_timeout(current),
    }
}

/// v4.9: more than so many running is a runaway loop.
fn count_itself<R: Runtime>(current: &Current<R>) -> Result<(), Ret> {
    let max_modprobes = current.scenario().limit.expect("there is a limit");
    {
        let mut kmod_concurrent = current.kernel.slots.lock();
        kmod_concurrent.count += 1;
        current.emit(Event::LimitCount);
    }
    let exceeded = {
        let kmod_concurrent = current.kernel.slots.lock();
        let exceeded = kmod_concurrent.count > max_modprobes;
        current.emit(Event::LimitLook { exceeded });
        exceeded
    };
    if exceeded {
        let mut kmod_concurrent = current.kernel.slots.lock();
        kmod_concurrent.count -= 1;
        current.emit(Event::LimitBack);
        return Err(Ret::Enomem);
    }
    Ok(())
}

/// `down_timeout(&kmod_concurrent_max, 5 * HZ)` (kernel/locking/semaphore.c): under `sem->lock`, one
/// less, or onto the wait list.
fn down_timeout<R: Runtime>(current: &Current<R>) -> Result<Result<(), Ret>, Stuck> {
    let sched = &current.kernel.sched;
    {
        let mut sem = current.kernel.slots.lock();
        let taken = sem.count > 0;
        current.emit(Event::TakeSlot { taken });
        if taken {
            sem.count -= 1;
            return Ok(Ok(()));
        }
        sem.waiting += 1;
        sched.prepare_to_wait(KMOD_WQ, current.task);
    }
    // __down_common()
    let timed_out = current.scenario().timeouts && current.choose(2) == 1;
    if timed_out {
        let mut sem = current.kernel.slots.lock();
        let left = sched.leave(KMOD_WQ, current.task, || {
            current.emit(Event::SlotTimedOut);
        });
        if left {
            sem.waiting -= 1;
            return Ok(Err(Ret::Etime));
        }
    } else {
        let slept = sched.schedule(KMOD_WQ, current.task)?;
        debug_assert!(matches!(slept, Slept::Yes | Slept::No), "woken by up() either way");
    }
    let mut sem = current.kernel.slots.lock();
    sem.handed_over -= 1;
    Ok(Ok(()))
}

/// `atomic_dec(&kmod_concurrent)`, `atomic_inc(&kmod_concurrent_max)` and `wake_up(&kmod_wq)`, or
/// `up()`.
fn give_slot<R: Runtime>(current: &Current<R>) {
    let mut slots = current.kernel.slots.lock();
    match current.scenario().features.kernel.request_limit {
        RequestLimit::FailsAtOnce => {
            slots.count -= 1;
            current.emit(Event::GiveSlot { handed_over: false });
        }
        RequestLimit::AllWaitersRace => {
            slots.count += 1;
            current.emit(Event::GiveSlot { handed_over: false });
            drop(slots);
            current.kernel.sched.wake_up_all(KMOD_WQ, || {
                current.emit(Event::WakeSlot);
            });
        }
        RequestLimit::Semaphore => {
            let handed_over = slots.waiting > 0;
            current.emit(Event::GiveSlot { handed_over });
            if handed_over {
                // __up()
                slots.waiting -= 1;
                slots.handed_over += 1;
                let woke = current.kernel.sched.wake_up(KMOD_WQ);
                debug_assert!(woke, "who waits is on the wait list");
            } else {
                slots.count += 1;
            }
        }
    }
}

/// The RFC's alias map: the names to look up on the module list for a requested name.
fn alias_map(scenario: &Scenario, id: NameId) -> Vec<String> {
    let name = &scenario.names[usize::from(id)];
    let as_module = |name: &str| name.replace('-', "_");
    match scenario.features.kernel.alias_map {
        AliasMap::Prefix => {
            vec![as_module(name.request.strip_prefix("fs-").unwrap_or(&name.request))]
        }
        AliasMap::Exact if !name.targets().is_empty() => {
            let name_of = |id| scenario.modules[usize::from(id)].name.clone();
            name.targets().iter().map(|target| name_of(target.module)).collect()
        }
        AliasMap::Exact | AliasMap::None => vec![as_module(&name.request)],
    }
}

/// A name in the words of events.
fn listed(scenario: &Scenario, id: NameId, name: &str) -> Listed {
    module_of_name(scenario, name).map_or(Listed::NeverListed(id), Listed::Module)
}

/// The shortcut.
fn already_live<R: Runtime>(current: &Current<R>, id: NameId, name: &str) -> bool {
    let listed = listed(current.scenario(), id, name);
    let event = |state| Event::AlreadyLive { name: listed, state };
    state_of(current, name, event) == ModuleState::Live
}

/// `finished_kmod_load()` before modprobe, for each name: whether it is on the list at all
/// (`kmod_exists()`), and until it is finished (`wait_for_kmod()`); who does not wait gets
/// `-EINPROGRESS`. `false`: modprobe is needed.
fn finished_kmod_load_before<R: Runtime>(
    current: &Current<R>,
    wait: bool,
    id: NameId,
    names: &[String],
) -> Result<bool, Stuck> {
    for name in names {
        let listed = listed(current.scenario(), id, name);
        let exists = |state| Event::PreExists { name: listed, state };
        if state_of(current, name, exists) == ModuleState::Absent {
            return Ok(false);
        }
        let finished = |state, _| Event::PreFinished { name: listed, state };
        if wait {
            wait_until_finished_loading(current, name, finished)?;
        } else if !finished_loading_now(current, name, finished) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is done once modprobe has returned 0.
fn check<R: Runtime>(
    current: &Current<R>,
    wait: bool,
    id: NameId,
    names: &[String],
) -> Result<Ret, Stuck> {
    let sanity_check = current.scenario().features.kernel.sanity_check;
    for (number, name) in names.iter().enumerate() {
        let last = number + 1 == names.len();
        let ret = match sanity_check {
            SanityCheck::None | SanityCheck::WarnOnly => Ret::Zero,
            _ if current.faulty(Fault::NoCheck) => Ret::Zero,
            SanityCheck::AuthorTree | SanityCheck::AuthorMail => {
                finished_kmod_load_after(current, wait, id, name, last)?
            }
            SanityCheck::WaitAndVerify => {
                let listed = listed(current.scenario(), id, name);
                wait_until_finished_loading(current, name, |state, _| Event::CheckFinished {
                    name: listed,
                    state,
                    judgement: Judgement::GoOn,
                })?;
                verify(current, id, name, last)
            }
            SanityCheck::Verify | SanityCheck::ExactBuiltin => verify(current, id, name, last),
        };
        if ret != Ret::Zero {
            return Ok(ret);
        }
    }
    Ok(Ret::Zero)
}

/// `finished_kmod_load()` after modprobe, for one name.
fn finished_kmod_load_after<R: Runtime>(
    current: &Current<R>,
    wait: bool,
    id: NameId,
    name: &str,
    last: bool,
) -> Result<Ret, Stuck> {
    let listed = listed(current.scenario(), id, name);
    let mail = current.scenario().features.kernel.sanity_check == SanityCheck::AuthorMail;
    let accept = if last { Judgement::Accept } else { Judgement::GoOn };
    let exists = |state| Event::Check {
        name: listed,
        state,
        judgement: match state {
            ModuleState::Absent if mail => accept,
            ModuleState::Absent => Judgement::Reject,
            _ => Judgement::GoOn,
        },
    };
    if state_of(current, name, exists) == ModuleState::Absent {
        return Ok(if mail { Ret::Zero } else { Ret::Enoent });
    }
    let finished = |state, finished| Event::CheckFinished {
        name: listed,
        state,
        judgement: match finished {
            true => accept,
            false if wait => Judgement::GoOn,
            false => Judgement::Reject,
        },
    };
    if wait {
        wait_until_finished_loading(current, name, finished)?;
    } else if !finished_loading_now(current, name, finished) {
        return Ok(Ret::Einprogress);
    }
    Ok(Ret::Zero)
}

/// One look: LIVE passes, absent passes as built in (ExactBuiltin: only if it is), anything else is
/// an error.
fn verify<R: Runtime>(current: &Current<R>, id: NameId, name: &str, last: bool) -> Ret {
    let scenario = current.scenario();
    let listed = listed(scenario, id, name);
    let exact = scenario.features.kernel.sanity_check == SanityCheck::ExactBuiltin;
    let built_in = current.name(id).builtin.as_ref().is_some_and(|b| b.name == name);
    let decide = |state| match state {
        ModuleState::Live => Ret::Zero,
        ModuleState::Absent if exact && !built_in => Ret::Enoent,
        ModuleState::Absent => Ret::Zero,
        _ => Ret::Ebusy,
    };
    let event = |state| {
        let judgement = match (decide(state), last) {
            (Ret::Zero, true) => Judgement::Accept,
            (Ret::Zero, false) => Judgement::GoOn,
            _ => Judgement::Reject,
        };
        Event::Check { name: listed, state, judgement }
    };
    decide(state_of(current, name, event))
}
