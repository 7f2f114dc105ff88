//! The properties. Each is a statement about single transitions and what a caller remembers, so that
//! any explorer can decide it; only [`Property::NobodySleepsForEver`] speaks of the whole state
//! graph.

use std::borrow::Cow;

use kmodcheck_explore::Step;
use kmodcheck_model::event::{Claim, Judgement};
use kmodcheck_model::scenario::{Action, Helper, NameId, Resolution};
use kmodcheck_model::{ErrorOf, Event, History, Model, ModuleState, Pc, Ret, Role, Task};

/// A property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Property {
    /// 0 means that it was there.
    NoFalseSuccess,
    /// 0 means that it is there.
    NoFalseSuccessStrong,
    /// Exit 0 means that it was there.
    ModprobeTellsTheTruth,
    /// A lie does not pass the check.
    TheCheckCatchesIt,
    /// What is there passes the check.
    NoFalseAlarm,
    /// NULL has a reason.
    GetFsTypeFindsIt,
    /// What is LIVE needs no modprobe.
    NoNeedlessUserspace,
    /// States, sysfs and list fit together.
    LifecycleAndSysfs,
    /// Every sleeper can be woken.
    NobodySleepsForEver,
    /// Who reacts to the uevent finds the module ready.
    UdevFindsItInitialised,
    /// An error has a reason.
    NoFalseFailure,
}

/// One transition, as a property sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The model.
    pub model: &'a Model,
    /// The kind of the process that steps.
    pub kind: u8,
    /// The shared word before.
    pub before: u128,
    /// The shared word after.
    pub after: u128,
    /// The stepping caller's word before.
    pub local_before: u64,
    /// The step.
    pub event: Event,
}

impl<'a> View<'a> {
    /// A step of an explorer, of whichever kind.
    pub fn of(model: &'a Model, step: &Step<Event>) -> Self {
        Self {
            model,
            kind: step.kind.0,
            before: step.before,
            after: step.after,
            local_before: step.local_before,
            event: step.label,
        }
    }
}

impl View<'_> {
    /// Those of `properties` that the step violates, one bit each; none of those that read what the
    /// model does not remember.
    pub fn violates<'p>(&self, properties: impl IntoIterator<Item = &'p Property>) -> u64 {
        let violated = |p: &&Property| matches!(p.says(self), Says::Violated(_));
        properties.into_iter().filter(violated).fold(0, |bits, p| bits | 1 << *p as u64)
    }

    fn task(&self) -> Task {
        self.model.task(self.local_before)
    }

    fn role(&self) -> Role {
        self.model.role(self.kind)
    }

    /// The requested name, of a process that has requested it itself: what a module's init requests
    /// is not judged.
    fn name(&self) -> Option<NameId> {
        (self.task().depth == 0).then(|| self.role().name()).flatten()
    }

    /// The same, of a caller that gets its modprobe's result.
    fn waiting(&self) -> Option<NameId> {
        self.role().waits_for_modprobe().then(|| self.name()).flatten()
    }

    fn is_fs_caller(&self) -> bool {
        matches!(self.role(), Role::Actor { action: Action::GetFsType(_), .. })
    }
}

/// What a property says of one transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Nothing: its premise is not met.
    Nothing,
    /// Its premise is met, in this branch of [`Property::branches`], and it holds.
    Holds(usize),
    /// It is violated, in this branch.
    Violated(usize),
}

fn says(holds: bool, branch: usize) -> Says {
    if holds { Says::Holds(branch) } else { Says::Violated(branch) }
}

impl Property {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::NoFalseSuccess,
        Self::NoFalseSuccessStrong,
        Self::ModprobeTellsTheTruth,
        Self::TheCheckCatchesIt,
        Self::NoFalseAlarm,
        Self::GetFsTypeFindsIt,
        Self::NoNeedlessUserspace,
        Self::LifecycleAndSysfs,
        Self::NobodySleepsForEver,
        Self::UdevFindsItInitialised,
        Self::NoFalseFailure,
    ];

    /// The name used on the command line and in machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFalseSuccess => "no-false-success",
            Self::NoFalseSuccessStrong => "no-false-success-strong",
            Self::ModprobeTellsTheTruth => "modprobe-tells-the-truth",
            Self::TheCheckCatchesIt => "the-check-catches-it",
            Self::NoFalseAlarm => "no-false-alarm",
            Self::GetFsTypeFindsIt => "get-fs-type-finds-it",
            Self::NoNeedlessUserspace => "no-needless-userspace",
            Self::LifecycleAndSysfs => "lifecycle-and-sysfs",
            Self::NobodySleepsForEver => "nobody-sleeps-for-ever",
            Self::UdevFindsItInitialised => "udev-finds-it-initialised",
            Self::NoFalseFailure => "no-false-failure",
        }
    }

    /// One letter, for tables.
    pub fn letter(self) -> char {
        match self {
            Self::NoFalseSuccess => 'S',
            Self::NoFalseSuccessStrong => 's',
            Self::ModprobeTellsTheTruth => 'T',
            Self::TheCheckCatchesIt => 'C',
            Self::NoFalseAlarm => 'A',
            Self::GetFsTypeFindsIt => 'F',
            Self::NoNeedlessUserspace => 'U',
            Self::LifecycleAndSysfs => 'L',
            Self::NobodySleepsForEver => 'W',
            Self::UdevFindsItInitialised => 'E',
            Self::NoFalseFailure => 'f',
        }
    }

    /// The property of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// What it says, in one sentence.
    pub fn statement(self) -> &'static str {
        match self {
            Self::NoFalseSuccess => {
                "A waiting request_module() that returns 0: every module the name resolves to was \
                 LIVE at some moment between call and return, or the name is built in."
            }
            Self::NoFalseSuccessStrong => {
                "A waiting request_module() that returns 0: at the return every module the name \
                 resolves to is LIVE, or the name is built in, unless one of them entered GOING \
                 after having been LIVE during the call."
            }
            Self::ModprobeTellsTheTruth => {
                "A modprobe that exits 0: every module the name resolves to was LIVE at some moment \
                 while it ran, or the name is built in."
            }
            Self::TheCheckCatchesIt => {
                "A caller whose modprobe lied and whose request returned 0 had every module the \
                 name resolves to LIVE during the call."
            }
            Self::NoFalseAlarm => {
                "What is built in, or LIVE from modprobe's exit until the check, is not turned into \
                 an error by the check."
            }
            Self::GetFsTypeFindsIt => {
                "get_fs_type() returns NULL only if, during the call, an attempt to load the module \
                 failed, or the module entered GOING, or was GOING when the call began, or the \
                 request returned an error."
            }
            Self::NoNeedlessUserspace => {
                "With the shortcut, no modprobe is started for a name whose modules are LIVE from \
                 the shortcut's look onward."
            }
            Self::LifecycleAndSysfs => {
                "Module states change only as the kernel changes them, one listed instance per \
                 name; initstate is only inside a directory; a directory belongs only to a listed \
                 module or to built-in code."
            }
            Self::NobodySleepsForEver => {
                "Whoever sleeps can run again although nobody is killed: some path without a kill leads \
                 from there to a state in which it is awake."
            }
            Self::UdevFindsItInitialised => {
                "Who reacts to a module's ADD uevent finds that its init has returned 0."
            }
            Self::NoFalseFailure => {
                "A waiting request, a get_fs_type(), a modprobe or its finit_module() fails only if, \
                 since its call, an attempt failed to load a module that the name resolves to or that \
                 is needed for it, or one of them entered GOING, or was GOING when the call began; or \
                 if it met a limit, was killed itself, or is configured to fail."
            }
        }
    }

    /// Where the statement comes from.
    pub fn source(self) -> &'static str {
        match self {
            Self::NoFalseSuccess | Self::TheCheckCatchesIt => {
                "RFC 'kmod: add a sanity check on module loading', 8 Dec 2016"
            }
            Self::NoFalseSuccessStrong => {
                "the same RFC: 'the right to assert the module is loaded and live'"
            }
            Self::ModprobeTellsTheTruth => "kmod fd44a98ae2eb",
            Self::NoFalseAlarm => "the same RFC: built-in code must not be refused",
            Self::GetFsTypeFindsIt => "kernel 41124db869b7 (WARN_ONCE in get_fs_type())",
            Self::NoNeedlessUserspace => {
                "the same RFC: 'if a module is already loaded we never bother userspace'"
            }
            Self::LifecycleAndSysfs => "include/linux/module.h, enum module_state; kernel/module.c",
            Self::NobodySleepsForEver => "kernel/sched/wait.c; every wait_event on module_wq",
            Self::UdevFindsItInitialised => {
                "38dc717e9715 ('module: delay kobject uevent until after module init call')"
            }
            Self::NoFalseFailure => {
                "ac2263b588df (revert of 9828ed3f695a, which failed loads that raced with another)"
            }
        }
    }

    /// The cases in which its premise can be met.
    pub fn branches(self) -> &'static [&'static str] {
        match self {
            Self::NoFalseSuccess | Self::NoFalseSuccessStrong | Self::ModprobeTellsTheTruth => {
                &["a module", "built in", "neither"]
            }
            Self::TheCheckCatchesIt => &["lied, returned 0"],
            Self::NoFalseAlarm => &["LIVE", "built in"],
            Self::GetFsTypeFindsIt => {
                &["found", "NULL, request failed", "NULL, load failed", "NULL, GOING", "NULL"]
            }
            Self::NoNeedlessUserspace => &["LIVE at the shortcut"],
            Self::LifecycleAndSysfs => &["state changes", "sysfs changes", "list changes"],
            Self::NobodySleepsForEver => &["asleep"],
            Self::UdevFindsItInitialised => &["used"],
            Self::NoFalseFailure => &[
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
        }
    }

    /// Whether the property speaks of what this model does at all.
    pub fn applies(self, model: &Model) -> bool {
        match self {
            Self::GetFsTypeFindsIt => {
                let calls = |a: &Action| matches!(a, Action::GetFsType(_));
                model.scenario().actors.iter().any(|a| calls(&a.action))
            }
            Self::UdevFindsItInitialised => model.scenario().listens(),
            Self::NoNeedlessUserspace => model.scenario().features.kernel.already_live,
            _ => true,
        }
    }

    /// Whether `model` remembers what the property reads; where not, it says nothing.
    pub fn is_remembered(self, model: &Model) -> bool {
        match self {
            Self::NoFalseFailure => model.history().failures(),
            Self::LifecycleAndSysfs | Self::NobodySleepsForEver | Self::UdevFindsItInitialised => {
                true
            }
            _ => model.history().loads(),
        }
    }

    /// The model with callers that remember what the property reads.
    ///
    /// # Panics
    /// Never: either history alone fits where the model does.
    pub fn remembering(self, model: &Model) -> Cow<'_, Model> {
        if self.is_remembered(model) {
            return Cow::Borrowed(model);
        }
        let history = match self {
            Self::NoFalseFailure => History::Failures,
            _ => History::Loads,
        };
        Cow::Owned(model.remembering(history).expect("a model of either history fits"))
    }

    /// What the property says of one transition.
    pub fn says(self, view: &View<'_>) -> Says {
        if !self.is_remembered(view.model) {
            return Says::Nothing;
        }
        match self {
            Self::NoFalseSuccess => no_false_success(view),
            Self::NoFalseSuccessStrong => no_false_success_strong(view),
            Self::ModprobeTellsTheTruth => modprobe_tells_the_truth(view),
            Self::TheCheckCatchesIt => the_check_catches_it(view),
            Self::NoFalseAlarm => no_false_alarm(view),
            Self::GetFsTypeFindsIt => get_fs_type_finds_it(view),
            Self::NoNeedlessUserspace => no_needless_userspace(view),
            Self::LifecycleAndSysfs => lifecycle_and_sysfs(view),
            Self::UdevFindsItInitialised => match view.event {
                Event::UdevUse { initialised, .. } => says(initialised, 0),
                _ => Says::Nothing,
            },
            Self::NoFalseFailure => no_false_failure(view),
            Self::NobodySleepsForEver => Says::Nothing,
        }
    }
}

/// `seen`: the targets that were LIVE.
fn was_there(view: &View<'_>, name: NameId, seen: u16) -> Says {
    if view.model.built_in(name) {
        Says::Holds(1)
    } else if view.model.targets(name).is_empty() {
        Says::Violated(2)
    } else {
        says(seen == view.model.all_targets(name), 0)
    }
}

fn no_false_success(view: &View<'_>) -> Says {
    match (view.event, view.waiting()) {
        (Event::RequestReturn { ret: Ret::Zero }, Some(name)) => {
            was_there(view, name, view.task().request_live)
        }
        _ => Says::Nothing,
    }
}

fn no_false_success_strong(view: &View<'_>) -> Says {
    match (view.event, view.waiting()) {
        (Event::RequestReturn { ret: Ret::Zero }, Some(_)) if view.task().going_after_live => {
            Says::Nothing
        }
        (Event::RequestReturn { ret: Ret::Zero }, Some(name)) => {
            was_there(view, name, view.model.live(name, view.after))
        }
        _ => Says::Nothing,
    }
}

fn modprobe_tells_the_truth(view: &View<'_>) -> Says {
    let removes = matches!(view.role(), Role::Actor { action: Action::ModprobeRemove(_), .. });
    match (view.event, view.name()) {
        (Event::Exit { status: Ret::Zero }, Some(name)) if !removes => {
            was_there(view, name, view.task().modprobe_live)
        }
        _ => Says::Nothing,
    }
}

fn the_check_catches_it(view: &View<'_>) -> Says {
    match (view.event, view.waiting()) {
        (Event::RequestReturn { ret: Ret::Zero }, Some(name)) if view.task().lied => {
            match was_there(view, name, view.task().request_live) {
                Says::Violated(_) => Says::Violated(0),
                _ => Says::Holds(0),
            }
        }
        _ => Says::Nothing,
    }
}

fn no_false_alarm(view: &View<'_>) -> Says {
    let judgement = match view.event {
        Event::Check { judgement, .. } | Event::CheckFinished { judgement, .. } => judgement,
        _ => return Says::Nothing,
    };
    let Some(name) = view.waiting() else { return Says::Nothing };
    let branch = if view.model.built_in(name) {
        1
    } else if view.task().live_since_exit {
        0
    } else {
        return Says::Nothing;
    };
    says(judgement != Judgement::Reject, branch)
}

fn get_fs_type_finds_it(view: &View<'_>) -> Says {
    if !view.is_fs_caller() || view.task().depth > 0 {
        return Says::Nothing;
    }
    match view.event {
        Event::LookUp { found: true, .. } => Says::Holds(0),
        Event::RequestReturn { ret } if ret != Ret::Zero => Says::Holds(1),
        Event::LookUp { second: true, found: false, .. } => {
            let task = view.task();
            if task.load_failed {
                Says::Holds(2)
            } else if task.went_going {
                Says::Holds(3)
            } else {
                Says::Violated(4)
            }
        }
        _ => Says::Nothing,
    }
}

fn no_needless_userspace(view: &View<'_>) -> Says {
    if !view.model.scenario().features.kernel.already_live {
        return Says::Nothing;
    }
    let Some(name) = view.waiting() else { return Says::Nothing };
    match view.event {
        Event::Exec { .. } => says_if(view.task().live_since_shortcut, false),
        Event::AlreadyLive { .. } => {
            // Met and kept: the shortcut itself answers for modules that are all LIVE.
            let answered =
                view.task().pc == Pc::AlreadyLive && view.model.all_live(name, view.before);
            says_if(answered, true)
        }
        _ => Says::Nothing,
    }
}

/// Branches of [`Property::NoFalseFailure`]: what came of a call; the reasons that count; and where an
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

fn no_false_failure(view: &View<'_>) -> Says {
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
    let exited = || match task.error_of {
        ErrorOf::Itself => from(failure::EXIT, unknown),
        ErrorOf::Another => from(failure::ANOTHER, unknown),
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
            from(failure::STORED, unknown || helper != Helper::Present)
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

fn says_if(premise: bool, holds: bool) -> Says {
    if premise { says(holds, 0) } else { Says::Nothing }
}

/// Legal changes of `mod->state`, absence from the list included: from include/linux/module.h and
/// the functions that assign it. A table of its own, so that a fault in the model's steps shows.
const LEGAL: [(ModuleState, ModuleState); 9] = {
    use ModuleState::{Absent, Coming, Going, Live, Unformed, UnformedAgain};
    [
        (Absent, Unformed),      // add_unformed_module()
        (Unformed, Coming),      // complete_formation()
        (Unformed, Absent),      // load_module(), before complete_formation()
        (Coming, Absent),        // load_module(), after it
        (Coming, Live),          // do_init_module()
        (Coming, Going), // do_init_module(), init failed; load_module() from 885a78d4a5b3 on
        (Live, Going),   // delete_module()
        (Going, UnformedAgain), // free_module()
        (UnformedAgain, Absent), // free_module(), list_del_rcu()
    ]
};

/// Legal changes as the scenario's kernel and actors have them: without unloading LIVE is for ever;
/// `load_module()`'s error path takes GOING off the list from 885a78d4a5b3 on.
fn legal(model: &Model, change: (ModuleState, ModuleState)) -> bool {
    match change {
        (ModuleState::Live, ModuleState::Going) => model.scenario().unloads(),
        (ModuleState::Going, ModuleState::Absent) => {
            model.scenario().features.kernel.failure_sets_going
        }
        change => LEGAL.contains(&change),
    }
}

fn lifecycle_and_sysfs(view: &View<'_>) -> Says {
    if view.before == view.after {
        return Says::Nothing;
    }
    let model = view.model;
    let mut result = Says::Nothing;
    for id in model.scenario().module_ids() {
        let (was, is) = (model.module_state(view.before, id), model.module_state(view.after, id));
        let sysfs_before = model.sysfs(view.before, id);
        let sysfs = model.sysfs(view.after, id);
        if was != is {
            let listing = was == ModuleState::Absent || is == ModuleState::Absent;
            let branch = if listing { 2 } else { 0 };
            if !legal(model, (was, is)) {
                return Says::Violated(branch);
            }
            result = Says::Holds(branch);
        }
        if was != is || sysfs != sysfs_before {
            let (directory, initstate) = sysfs;
            let owner =
                is != ModuleState::Absent || model.scenario().modules[usize::from(id)].name_taken;
            if (initstate && !directory) || (directory && !owner) {
                return Says::Violated(1);
            }
            if sysfs != sysfs_before {
                result = Says::Holds(1);
            }
        }
    }
    result
}
