//! An error has a reason.

use kmodcheck_model::event::{Claim, Judgement};
use kmodcheck_model::scenario::{Helper, Resolution};
use kmodcheck_model::{ErrorOf, Event, ModuleState, Ret, Role};

use super::view::{Decided, Definition, Reads, Says, View, always};

pub(super) const DEFINITION: Definition = Definition {
    name: "no-false-failure",
    letter: 'f',
    statement: "A waiting request, a get_fs_type(), a modprobe or its finit_module() fails only if, \
                 since its call, an attempt failed to load a module that the name resolves to or that \
                 is needed for it, or one of them entered GOING, or was GOING when the call began; or \
                 if it met a limit, was killed itself, or is configured to fail.",
    source: "ac2263b588df (revert of 9828ed3f695a, which failed loads that raced with another)",
    branches: &[
        "it succeeded",
        "a limit or time-out",
        "killed",
        "configured so",
        "an attempt failed",
        "GOING",
        "-EBUSY for the listed name",
        "a symbol is not there",
        "the error of another finit_module()",
        "modprobe exits 1",
        "a duplicate request's stored result",
        "the check after modprobe",
        "NULL after a request that returned 0",
    ],
    applies: always,
    built_in: true,
    reads: Reads::Failures,
    decided: Decided::BySteps(says_of),
};

/// The branches: what came of a call; the reasons that count; and where an
/// error came from that has none of them.
mod failure {
    pub const SUCCEEDED: usize = 0;
    pub const LIMIT: usize = 1;
    pub const KILLED: usize = 2;
    pub const CONFIGURED: usize = 3;
    pub const ATTEMPT_FAILED: usize = 4;
    pub const GOING: usize = 5;
    pub const BUSY: usize = 6;
    pub const SYMBOL: usize = 7;
    pub const ANOTHER: usize = 8;
    pub const EXIT: usize = 9;
    pub const STORED: usize = 10;
    pub const CHECK: usize = 11;
    pub const NULL: usize = 12;
}

fn says_of(view: &View<'_>) -> Says {
    let role = view.role();
    let Some(name) = view.name().filter(|_| role.may_fail()) else { return Says::Nothing };
    let (model, task) = (view.model, view.task());
    let helper = model.scenario().helper;
    let unknown = model.scenario().names[usize::from(name)].resolution == Resolution::NotFound;
    let killable = matches!(role, Role::Actor { killable: true, .. });
    let from = |origin: usize, configured: bool| {
        if configured {
            Says::Holds(failure::CONFIGURED)
        } else if task.attempt_failed {
            Says::Holds(failure::ATTEMPT_FAILED)
        } else if task.was_going {
            Says::Holds(failure::GOING)
        } else {
            Says::Violated(origin)
        }
    };
    let configured = unknown || model.made_to_fail(name);
    let exited = || match task.error_of {
        ErrorOf::Itself => from(failure::EXIT, configured),
        ErrorOf::Another => from(failure::ANOTHER, configured),
        ErrorOf::Signal => Says::Holds(failure::KILLED),
    };
    match view.event {
        Event::AddUnformed { then: Claim::Busy, .. } => from(failure::BUSY, false),
        Event::ResolveSymbol { dependency, state, .. } => match state {
            ModuleState::Live | ModuleState::Coming => Says::Nothing,
            _ => from(failure::SYMBOL, !model.inserts(name, dependency)),
        },
        Event::ResolveTimedOut { .. } | Event::LimitBack | Event::SlotTimedOut => {
            Says::Holds(failure::LIMIT)
        }
        Event::Killed => Says::Holds(failure::KILLED),
        Event::Exit { status: Ret::Zero } => Says::Holds(failure::SUCCEEDED),
        Event::Exit { .. } => exited(),
        // What a request that does not wait returns says nothing of the module.
        _ if !role.waits_for_modprobe() => Says::Nothing,
        Event::LookUp { found: true, .. } | Event::RequestReturn { ret: Ret::Zero } => {
            Says::Holds(failure::SUCCEEDED)
        }
        Event::LookUp { second: true, .. } => {
            from(failure::NULL, model.kept_away(name) || !model.registers(name))
        }
        Event::ExecFailed { .. } => Says::Holds(failure::CONFIGURED),
        Event::DuplicateResult { ret, .. } if ret != Ret::Zero => {
            from(failure::STORED, configured || helper != Helper::Present)
        }
        Event::Check { judgement: Judgement::Reject, .. }
        | Event::CheckFinished { judgement: Judgement::Reject, .. } => {
            from(failure::CHECK, model.kept_away(name))
        }
        Event::RequestReturn { ret } => match ret {
            Ret::Enomem | Ret::Etime => Says::Holds(failure::LIMIT),
            // Who was killed itself; else it is what a duplicate request was handed.
            Ret::Erestartsys if killable => Says::Holds(failure::KILLED),
            Ret::Erestartsys => from(failure::STORED, false),
            Ret::Status256 => exited(),
            Ret::Enoent | Ret::Ebusy if helper == Helper::Present => {
                from(failure::CHECK, model.kept_away(name))
            }
            Ret::Einprogress => from(failure::CHECK, model.kept_away(name)),
            // The LSM, the name's length, the helper.
            _ => Says::Holds(failure::CONFIGURED),
        },
        _ => Says::Nothing,
    }
}
