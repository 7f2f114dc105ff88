//! kernel/kmod.c: `__request_module()`, and what the RFC 'kmod: add a sanity check on module
//! loading' puts around modprobe, in each of its readings.

use kmodcheck_model::event::{Judgement, Listed};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, ModuleState, Ret};
use kmodcheck_runtime::{Runtime, Stuck};

use crate::kernel::{Current, module_of_name};
use crate::module::{state_of, wait_until_finished_loading};
use crate::umh::call_usermodehelper_exec;

/// `__request_module(true, name)`.
pub(crate) fn __request_module<R: Runtime>(current: &Current<R>, name: &str) -> Result<Ret, Stuck> {
    current.emit(Event::RequestModule);
    let ret = request(current, name)?;
    current.emit(Event::RequestReturn { ret });
    Ok(ret)
}

/// `__request_module()` without its first and last moment.
fn request<R: Runtime>(current: &Current<R>, name: &str) -> Result<Ret, Stuck> {
    let features = current.scenario().features.kernel;
    let names = alias_map(current.scenario(), name);

    if features.already_live && names.iter().all(|name| already_live(current, name)) {
        return Ok(Ret::Zero);
    }
    let author = matches!(features.sanity_check, SanityCheck::AuthorTree | SanityCheck::AuthorMail);
    if author && finished_kmod_load_before(current, &names)? {
        return Ok(Ret::Zero);
    }

    // call_modprobe()
    let ret = call_usermodehelper_exec(current, name)?;
    if ret != Ret::Zero {
        return Ok(ret);
    }

    for (number, name) in names.iter().enumerate() {
        let last = number + 1 == names.len();
        let ret = match features.sanity_check {
            SanityCheck::None | SanityCheck::WarnOnly => Ret::Zero,
            SanityCheck::AuthorTree | SanityCheck::AuthorMail => {
                finished_kmod_load_after(current, name, last)?
            }
            SanityCheck::WaitAndVerify => {
                let listed = listed(current.scenario(), name);
                wait_until_finished_loading(current, name, |state| Event::CheckFinished {
                    name: listed,
                    state,
                    judgement: Judgement::GoOn,
                })?;
                verify(current, name, last)
            }
            SanityCheck::Verify | SanityCheck::ExactBuiltin => verify(current, name, last),
        };
        if ret != Ret::Zero {
            return Ok(ret);
        }
    }
    Ok(Ret::Zero)
}

/// The RFC's alias map: the names to look up on the module list for a requested name.
fn alias_map(scenario: &Scenario, name: &str) -> Vec<String> {
    let as_module = |name: &str| name.replace('-', "_");
    match scenario.features.kernel.alias_map {
        AliasMap::Prefix => vec![as_module(name.strip_prefix("fs-").unwrap_or(name))],
        AliasMap::Exact if !scenario.targets().is_empty() => {
            let name = |id| scenario.modules[usize::from(id)].name.clone();
            scenario.targets().iter().map(|target| name(target.module)).collect()
        }
        AliasMap::Exact | AliasMap::None => vec![as_module(name)],
    }
}

/// A name in the words of events.
fn listed(scenario: &Scenario, name: &str) -> Listed {
    module_of_name(scenario, name).map_or(Listed::NeverListed, Listed::Module)
}

/// The shortcut.
fn already_live<R: Runtime>(current: &Current<R>, name: &str) -> bool {
    let listed = listed(current.scenario(), name);
    let event = |state| Event::AlreadyLive { name: listed, state };
    state_of(current, name, event) == ModuleState::Live
}

/// `finished_kmod_load()` before modprobe, for each name: whether it is on the list at all
/// (`kmod_exists()`), and until it is finished (`wait_for_kmod()`). `false`: modprobe is needed.
fn finished_kmod_load_before<R: Runtime>(
    current: &Current<R>,
    names: &[String],
) -> Result<bool, Stuck> {
    for name in names {
        let listed = listed(current.scenario(), name);
        let exists = |state| Event::PreExists { name: listed, state };
        if state_of(current, name, exists) == ModuleState::Absent {
            return Ok(false);
        }
        wait_until_finished_loading(current, name, |state| Event::PreFinished {
            name: listed,
            state,
        })?;
    }
    Ok(true)
}

/// `finished_kmod_load()` after modprobe, for one name.
fn finished_kmod_load_after<R: Runtime>(
    current: &Current<R>,
    name: &str,
    last: bool,
) -> Result<Ret, Stuck> {
    let listed = listed(current.scenario(), name);
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
    wait_until_finished_loading(current, name, |state| Event::CheckFinished {
        name: listed,
        state,
        judgement: match state {
            ModuleState::Absent | ModuleState::Live | ModuleState::Going => accept,
            _ => Judgement::GoOn,
        },
    })?;
    Ok(Ret::Zero)
}

/// One look: LIVE passes, absent passes as built in (ExactBuiltin: only if it is), anything else is
/// an error.
fn verify<R: Runtime>(current: &Current<R>, name: &str, last: bool) -> Ret {
    let scenario = current.scenario();
    let listed = listed(scenario, name);
    let exact = scenario.features.kernel.sanity_check == SanityCheck::ExactBuiltin;
    let built_in = scenario.builtin.as_ref().is_some_and(|builtin| builtin.name == name);
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
