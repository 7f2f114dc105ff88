//! Steps in words, with the names of a scenario.

use std::fmt;

use super::{Claim, Event, Finit, InitOutcome, Judgement, Listed, Refcnt, Woken};
use crate::scenario::{Action, LateDirectory, ModuleId, NameId, Scenario};
use crate::state::{ModuleState, Ret};

/// A step, to be printed.
pub(super) struct Described<'a> {
    pub event: &'a Event,
    pub scenario: &'a Scenario,
}

impl Described<'_> {
    fn module(&self, id: ModuleId) -> &str {
        self.scenario.module_name(id)
    }

    fn request(&self, name: NameId) -> &str {
        self.scenario.names.get(usize::from(name)).map_or("?", |n| &n.request)
    }

    fn program(&self, kind: u8) -> String {
        self.scenario.program_name(usize::from(kind))
    }

    /// Whether it is an init or exit, which whoever loads or unloads the module runs.
    fn is_of_a_module(&self, program: u8) -> bool {
        let of = |m: &crate::scenario::Module| [m.init_program, m.exit_program];
        self.scenario.modules.iter().flat_map(of).any(|p| p == Some(program))
    }

    fn listed(&self, name: Listed) -> String {
        match name {
            Listed::Module(id) => self.module(id).to_owned(),
            Listed::NeverListed(name) => {
                let request = self.request(name);
                match self.scenario.features.kernel.alias_map {
                    crate::features::AliasMap::Prefix => {
                        request.strip_prefix("fs-").unwrap_or(request).to_owned()
                    }
                    _ => request.to_owned(),
                }
            }
        }
    }
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = |id: &ModuleId| self.module(*id);
        match self.event {
            Event::Call { action: Action::Udev(module) } => write!(f, "waits for {}", m(module)),
            Event::Call { action } => f.write_str(&self.scenario.in_words(*action)),
            Event::LookUp { found: true, .. } => write!(f, "file system found"),
            Event::LookUp { second: false, .. } => write!(f, "no such file system yet"),
            Event::LookUp { warned, .. } => {
                let warned = if *warned { "; warns" } else { "" };
                write!(f, "no file system: returns NULL{warned}")
            }
            Event::RequestModule { name } => {
                write!(f, "\"{}\" is requested", self.request(*name))
            }
            Event::Refused { ret } => write!(f, "gives up: {ret}"),
            Event::LimitCount => write!(f, "atomic_inc(&kmod_concurrent)"),
            Event::LimitLook { exceeded: true } => write!(f, "kmod_concurrent: too many"),
            Event::LimitLook { .. } => write!(f, "kmod_concurrent: within the limit"),
            Event::LimitBack => write!(f, "atomic_dec(&kmod_concurrent): -ENOMEM"),
            Event::TakeSlot { taken: true } => write!(f, "takes a slot"),
            Event::TakeSlot { .. } => write!(f, "no slot is free: sleeps"),
            Event::SlotTimedOut => write!(f, "5 s without a slot: -ETIME"),
            Event::Duplicate { name, found: true } => {
                write!(f, "\"{}\" is requested already", self.request(*name))
            }
            Event::Duplicate { name, .. } => {
                write!(f, "\"{}\": no earlier request", self.request(*name))
            }
            Event::DuplicateResult { ret, .. } => write!(f, "the first request's result: {ret}"),
            Event::Announce { ret, found: true, .. } => write!(f, "stores {ret} for duplicates"),
            Event::ProcModules { listed: 0 } => write!(f, "read /proc/modules: nothing"),
            Event::ProcModules { listed } => {
                let all = (0..).zip(&self.scenario.modules);
                let found = all.filter(|(id, _)| listed >> id & 1 == 1);
                let names: Vec<&str> = found.map(|(_, module)| module.name.as_str()).collect();
                write!(f, "read /proc/modules: {}", names.join(", "))
            }
            Event::ProcLook { module, state, again } => {
                let then = if *again { ": looks again in 20 ms" } else { "" };
                match state {
                    ModuleState::Coming | ModuleState::Live | ModuleState::Going => {
                        write!(f, "read /proc/modules: {} is {state}{then}", m(module))
                    }
                    _ => write!(f, "read /proc/modules: {} is not in it", m(module)),
                }
            }
            Event::RefcntOpen { module, found } => {
                let error = if *found { "" } else { ": ENOENT" };
                write!(f, "open {}/refcnt{error}", m(module))
            }
            Event::RefcntRead { module, says } => {
                let says = match says {
                    Refcnt::Gone => "ENODEV",
                    Refcnt::Unloading => "-1",
                    Refcnt::Unused => "0",
                    Refcnt::Used => "in use",
                };
                write!(f, "read {}/refcnt: {says}", m(module))
            }
            Event::InitModule { module } => write!(f, "tries init_module({})", m(module)),
            Event::QueueDelete { name } => {
                write!(f, "\"{}\" is forgotten 60 s from now", self.request(*name))
            }
            Event::MayFail { module, failed: false, .. } => write!(f, "{}: succeeds", m(module)),
            Event::MayFail { module, at, failed: true } => {
                let eexist = self.scenario.modules[usize::from(*module)]
                    .failure
                    .is_some_and(|failure| failure.eexist && failure.at == *at);
                let error = if eexist { "-EEXIST" } else { "an error" };
                write!(f, "{}: {error}", m(module))
            }
            Event::Announce { .. } if self.scenario.features.kernel.first_result_counts => {
                write!(f, "no entry that waits for a result")
            }
            Event::Announce { .. } => write!(f, "no entry"),
            Event::DuplicateComplete { name } => {
                write!(f, "complete_all for \"{}\"", self.request(*name))
            }
            Event::DuplicateDelete { name } => {
                write!(f, "60 s later: forgets \"{}\"", self.request(*name))
            }
            Event::Killed => write!(f, "ends the wait"),
            Event::AlreadyLive { name, state } => {
                write!(f, "{} on the list: {state}", self.listed(*name))
            }
            Event::PreExists { name, state } => {
                write!(f, "kmod_exists({}): {state}", self.listed(*name))
            }
            Event::PreFinished { name, state } => {
                let then = if self.scenario.listed_rules().finished(*state) {
                    "returns 0"
                } else {
                    "sleeps"
                };
                write!(f, "finished_loading({}): {state}, {then}", self.listed(*name))
            }
            Event::Exec { name } => write!(f, "execs modprobe -q -- {}", self.request(*name)),
            Event::ExecRequests { name } => {
                write!(f, "exec of modprobe requests \"{}\"", self.request(*name))
            }
            Event::ExecFailed { ret } => write!(f, "the helper cannot be started: {ret}"),
            Event::InstallCommand { module, fails: false } => {
                write!(f, "{}: runs its install command", m(module))
            }
            Event::InstallCommand { module, .. } => {
                write!(f, "{}: runs its install command, which fails", m(module))
            }
            Event::CommandRunsModprobe { module } => {
                write!(f, "{}: its install command runs modprobe --ignore-install", m(module))
            }
            Event::CommandEnds { module, fails: false } => {
                write!(f, "{}: its install command exits 0", m(module))
            }
            Event::CommandEnds { module, .. } => {
                write!(f, "{}: its install command fails", m(module))
            }
            Event::NoFile { module } => write!(f, "{}: there is no file of it, -ENOENT", m(module)),
            Event::LoadRefused { module } => {
                write!(f, "finit_module({}): module_blacklist= names it, -EPERM", m(module))
            }
            Event::Idempotent { module, joined: true } => {
                write!(f, "finit_module({}) runs already: joins it", m(module))
            }
            Event::Idempotent { module, .. } => {
                write!(f, "finit_module({}) is the first", m(module))
            }
            Event::DenyWrite { module, busy: true } => {
                write!(f, "finit_module({}): another loads the file, -ETXTBSY", m(module))
            }
            Event::DenyWrite { module, .. } => {
                write!(f, "finit_module({}): nobody else loads the file", m(module))
            }
            Event::AllowWrite { module } => {
                write!(f, "finit_module({}): the file may be loaded again", m(module))
            }
            Event::IdempotentComplete { module, result } => {
                let result = match result {
                    Finit::Loaded => "0",
                    Finit::Exists => "-EEXIST",
                    Finit::Failed => "an error",
                };
                write!(f, "finit_module({}): {result} for all", m(module))
            }
            Event::Open { module, found: true } => write!(f, "open {}/initstate", m(module)),
            Event::Open { module, .. } => write!(f, "open {}/initstate: ENOENT", m(module)),
            Event::Stat { module, found } => {
                let what = match (found, self.scenario.features.kmod.bare_directory) {
                    (true, crate::features::BareDirectory::Builtin) => "exists: 'built in'",
                    (true, crate::features::BareDirectory::Coming) => "exists: coming",
                    (false, _) => "ENOENT",
                };
                write!(f, "stat /sys/module/{}: {what}", m(module))
            }
            Event::Read { module, content: Some(state) } => {
                let shown = state.to_string().to_lowercase();
                write!(f, "read {}/initstate: {shown}", m(module))
            }
            Event::Read { module, content: None } => {
                write!(f, "read {}/initstate: ENODEV", m(module))
            }
            Event::ReadEnd { module, ok: true } => write!(f, "read {}/initstate: end", m(module)),
            Event::ReadEnd { module, .. } => write!(f, "read {}/initstate: ENODEV", m(module)),
            Event::OpenUnknown { name } => {
                write!(f, "open {}/initstate: ENOENT", self.request(*name))
            }
            Event::StatUnknown { name, found } => {
                let what = if *found { "exists" } else { "ENOENT" };
                write!(f, "stat /sys/module/{}: {what}", self.request(*name))
            }
            Event::AddUnformed { module, state, early, then } => match then {
                Claim::Free if *early => write!(f, "{} is not listed", m(module)),
                Claim::Free => write!(f, "{} listed, UNFORMED", m(module)),
                Claim::Wait => write!(f, "{} is {state}: has to wait", m(module)),
                Claim::Exists => write!(f, "{} is {state}: -EEXIST", m(module)),
                Claim::Busy => write!(f, "{} is {state}: -EBUSY", m(module)),
            },
            Event::FinishedLoading { module, state, finished } => {
                let then = if *finished { "looks again" } else { "sleeps" };
                write!(f, "{} is {state}: {then}", m(module))
            }
            Event::InitRequests { module, name } => {
                write!(f, "{}'s init requests \"{}\"", m(module), self.request(*name))
            }
            Event::FailGoing { module } => write!(f, "{} failed to load: GOING", m(module)),
            Event::UnloadFree { module } => {
                write!(f, "{} gives its references back", m(module))
            }
            Event::SysfsUndo { module } => {
                write!(f, "fails: /sys/module/{} disappears", m(module))
            }
            Event::Uevent { module } => write!(f, "ADD uevent of {}", m(module)),
            Event::AsyncSynchronize { module, .. } => {
                write!(f, "{}: nothing asynchronous is scheduled", m(module))
            }
            Event::DropInitial { module } => {
                write!(f, "{}'s initial reference is dropped", m(module))
            }
            Event::DeleteModule { module, ret: Ret::Zero } => write!(f, "{} is GOING", m(module)),
            Event::DeleteModule { module, ret } => write!(f, "{}: {ret}", m(module)),
            Event::ModuleExit { module } => {
                write!(f, "{}'s exit unregisters its file system", m(module))
            }
            Event::PutFilesystem { module } => write!(f, "module_put({})", m(module)),
            Event::UdevUse { module, initialised: true } => {
                write!(f, "a rule uses {}", m(module))
            }
            Event::UdevUse { module, .. } => {
                write!(f, "a rule uses {}: not initialised", m(module))
            }
            Event::BuiltinDirectory { of, made } => {
                let name = match of {
                    LateDirectory::Module(id) => m(id),
                    LateDirectory::Name(id) => self.request(*id),
                };
                match made {
                    true => write!(f, "/sys/module/{name} of built-in code appears"),
                    false => write!(f, "built-in {name} is put into the module's directory"),
                }
            }
            Event::BuiltinDirectoriesMade => write!(f, "all that is built in has its directory"),
            Event::ResolveSymbol { module, dependency, state } => match state {
                ModuleState::Live => write!(f, "{} gets {}", m(module), m(dependency)),
                ModuleState::Coming => {
                    write!(f, "{}: {} is COMING, sleeps", m(module), m(dependency))
                }
                _ => write!(f, "{}: {} is {state}: -ENOENT", m(module), m(dependency)),
            },
            Event::ResolveTimedOut { module, dependency } => {
                write!(f, "{}: gives up waiting for {}", m(module), m(dependency))
            }
            Event::Unlink { module } => write!(f, "{} off the list, wake_up_all", m(module)),
            Event::CompleteFormation { module } => write!(f, "{} is COMING", m(module)),
            Event::SysfsInit { module, made: true } => {
                write!(f, "/sys/module/{} appears", m(module))
            }
            Event::SysfsInit { module, .. } => {
                write!(f, "/sys/module/{} is taken: -EINVAL", m(module))
            }
            Event::AddModinfoAttrs { module, made: true } => {
                write!(f, "{}/initstate appears", m(module))
            }
            Event::AddModinfoAttrs { module, .. } => {
                write!(f, "{}/initstate cannot be made", m(module))
            }
            Event::Init { module, outcome } => {
                let registers = self.scenario.modules[usize::from(*module)].registers;
                match (outcome, registers) {
                    (InitOutcome::Succeeds, true) => {
                        write!(f, "{}'s init registers the file system", m(module))
                    }
                    (InitOutcome::Succeeds, false) => write!(f, "{}'s init returns 0", m(module)),
                    (InitOutcome::FailsEarly, _) => write!(f, "{}'s init fails", m(module)),
                    (InitOutcome::Eexist, _) => write!(f, "{}'s init returns -EEXIST", m(module)),
                    (InitOutcome::FailsLate, _) => {
                        write!(f, "{}'s init registers, but will fail", m(module))
                    }
                }
            }
            Event::Unregister { module } => {
                write!(f, "{}'s init takes its file system back", m(module))
            }
            Event::SetLive { module } => write!(f, "{} is LIVE", m(module)),
            Event::WakeUpAll { module, after } => match after {
                Woken::Loaded => write!(f, "wake_up_all; loading {} returned 0", m(module)),
                Woken::Failed => write!(f, "wake_up_all; loading {} returned an error", m(module)),
                Woken::Unloaded => write!(f, "wake_up_all; {} is unloaded", m(module)),
            },
            Event::SetGoing { module } => write!(f, "{} is GOING", m(module)),
            Event::RemoveModinfoAttrs { module } => {
                write!(f, "{}/initstate disappears", m(module))
            }
            Event::SysfsFini { module } => write!(f, "/sys/module/{} disappears", m(module)),
            Event::SetUnformed { module } => write!(f, "{} is UNFORMED again", m(module)),
            Event::ListDel { module } => write!(f, "{} off the list", m(module)),
            Event::Exit { status: Ret::Zero } => write!(f, "exits 0"),
            Event::Exit { .. } => write!(f, "exits 1"),
            Event::HelperReturn { status } => write!(f, "returns {status}"),
            Event::Check { name, state, judgement } => {
                let what = match judgement {
                    Judgement::Accept => "accepted",
                    Judgement::Reject => "rejected",
                    Judgement::GoOn => "next",
                };
                write!(f, "{} on the list: {state}: {what}", self.listed(*name))
            }
            Event::CheckFinished { name, state, judgement } => {
                let what = match judgement {
                    Judgement::Accept => "accepted",
                    Judgement::Reject => "rejected",
                    Judgement::GoOn if self.scenario.listed_rules().finished(*state) => "goes on",
                    Judgement::GoOn => "sleeps",
                };
                write!(f, "finished_loading({}): {state}: {what}", self.listed(*name))
            }
            Event::GiveSlot { handed_over: true } => write!(f, "hands its slot to a waiter"),
            Event::GiveSlot { .. } => write!(f, "gives its slot back"),
            Event::WakeSlot => write!(f, "wake_up(&kmod_wq)"),
            Event::RequestReturn { ret } => write!(f, "returns {ret}"),
            Event::Statement { program, statement, came } => {
                if self.is_of_a_module(*program) {
                    write!(f, "{}: ", self.program(*program))?;
                }
                match self.scenario.programs.ready() {
                    Some(ready) => {
                        let kind = usize::from(*program);
                        f.write_str(&ready.programs.in_words(kind, *statement, *came))
                    }
                    None => write!(f, "statement {statement}"),
                }
            }
            Event::Returns { program, result } => {
                let result = crate::program::result_in_words(i64::from(*result));
                write!(f, "{} returns {result}", self.program(*program))
            }
        }
    }
}
