//! The one vocabulary of visible steps, shared by model, simulation, traces and logs.

use std::fmt;

use crate::scenario::{ModuleId, Scenario};
use crate::state::{ModuleState, Ret};

/// What init does in this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InitOutcome {
    /// Registers what it has to register; will return 0.
    Succeeds,
    /// Returns an error before registering anything.
    FailsEarly,
    /// Registers, and will take it back and return an error.
    FailsLate,
}

/// A name that the kernel's check or shortcut looks up on the module list: a module of the
/// scenario, or a name under which nothing is ever listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listed {
    /// This module.
    Module(ModuleId),
    /// The requested name, as [`crate::features::AliasMap`] maps it.
    NeverListed,
}

/// What a look of the check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Judgement {
    /// Accepted.
    Accept,
    /// Turned into an error.
    Reject,
    /// Undecided: looks again after a wake-up, or at the next name.
    GoOn,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The caller calls `request_module()` or `get_fs_type()`.
    Call,
    /// `__get_fs_type()`: whether the file system was found and its owner pinned.
    LookUp {
        /// The look after the request.
        second: bool,
        /// Found.
        found: bool,
        /// v4.13's warning: the request succeeded and there is no file system.
        warned: bool,
    },
    /// `__request_module()` begins.
    RequestModule,
    /// The RFC's shortcut looks at the module list.
    AlreadyLive {
        /// The name looked up.
        name: Listed,
        /// Its state there.
        state: ModuleState,
    },
    /// `finished_kmod_load()` before modprobe: `kmod_exists()`.
    PreExists {
        /// The name looked up.
        name: Listed,
        /// Its state there.
        state: ModuleState,
    },
    /// `finished_kmod_load()` before modprobe: `finished_loading()`; false puts the caller to sleep.
    PreFinished {
        /// The module.
        name: Listed,
        /// Its state.
        state: ModuleState,
    },
    /// The helper's work item execs modprobe.
    Exec,
    /// `open("/sys/module/NAME/initstate")`.
    Open {
        /// The module.
        module: ModuleId,
        /// Whether the file is there.
        found: bool,
    },
    /// `stat("/sys/module/NAME")` after the open failed.
    Stat {
        /// The module.
        module: ModuleId,
        /// Whether the directory is there.
        found: bool,
    },
    /// First `read()` of initstate.
    Read {
        /// The module.
        module: ModuleId,
        /// What the file says; `None`: `-ENODEV`, the attribute is gone.
        content: Option<ModuleState>,
    },
    /// `read()` to the end of the file.
    ReadEnd {
        /// The module.
        module: ModuleId,
        /// `false`: `-ENODEV`.
        ok: bool,
    },
    /// An unknown name: `open()` of its initstate, which is never there.
    OpenUnknown,
    /// An unknown name: `stat()` of its directory.
    StatUnknown {
        /// Whether the directory is there.
        found: bool,
    },
    /// `finit_module()` up to `add_unformed_module()`'s look at the list, in state `state`.
    AddUnformed {
        /// The module.
        module: ModuleId,
        /// Absent: the name is claimed. UNFORMED, COMING: it will wait. Else `-EEXIST`.
        state: ModuleState,
    },
    /// `finished_loading()` in `add_unformed_module()`'s wait; false puts the loader to sleep.
    FinishedLoading {
        /// The module.
        module: ModuleId,
        /// Its state.
        state: ModuleState,
    },
    /// `resolve_symbol()` for the symbols of one dependency.
    ResolveSymbol {
        /// The module being loaded.
        module: ModuleId,
        /// The module that exports the symbols.
        dependency: ModuleId,
        /// Its state. LIVE: a reference is taken. COMING: sleeps. Else `-ENOENT`.
        state: ModuleState,
    },
    /// `resolve_symbol_wait()` gives up after 30 s.
    ResolveTimedOut {
        /// The module being loaded.
        module: ModuleId,
        /// The module that it waited for.
        dependency: ModuleId,
    },
    /// `load_module()`'s error path: `list_del_rcu()` and `wake_up_all()` in one critical section.
    Unlink {
        /// The module.
        module: ModuleId,
    },
    /// `complete_formation()`: COMING.
    CompleteFormation {
        /// The module.
        module: ModuleId,
    },
    /// `mod_sysfs_init()`: the directory appears; `false`: that name is taken, `-EINVAL`.
    SysfsInit {
        /// The module.
        module: ModuleId,
        /// Made.
        made: bool,
    },
    /// `module_add_modinfo_attrs()`: initstate appears.
    AddModinfoAttrs {
        /// The module.
        module: ModuleId,
    },
    /// `do_one_initcall(mod->init)`.
    Init {
        /// The module.
        module: ModuleId,
        /// What this attempt comes to.
        outcome: InitOutcome,
    },
    /// A failing init takes back its file system (`unregister_filesystem()`).
    Unregister {
        /// The module.
        module: ModuleId,
    },
    /// `do_init_module()`: `mod->state = MODULE_STATE_LIVE`.
    SetLive {
        /// The module.
        module: ModuleId,
    },
    /// `do_init_module()`: `wake_up_all(&module_wq)`; the system call returns.
    WakeUpAll {
        /// The module.
        module: ModuleId,
        /// Whether init succeeded.
        loaded: bool,
    },
    /// `do_init_module()`, init failed: `mod->state = MODULE_STATE_GOING`.
    SetGoing {
        /// The module.
        module: ModuleId,
    },
    /// `mod_sysfs_teardown()`: initstate disappears.
    RemoveModinfoAttrs {
        /// The module.
        module: ModuleId,
    },
    /// `mod_sysfs_teardown()`: the directory disappears.
    SysfsFini {
        /// The module.
        module: ModuleId,
    },
    /// `free_module()`: UNFORMED again, under module_mutex.
    SetUnformed {
        /// The module.
        module: ModuleId,
    },
    /// `free_module()`: `list_del_rcu()`.
    ListDel {
        /// The module.
        module: ModuleId,
    },
    /// modprobe exits.
    Exit {
        /// [`Ret::Zero`] or [`Ret::Status256`].
        status: Ret,
    },
    /// `call_usermodehelper_exec()` returns to the caller.
    HelperReturn {
        /// modprobe's wait status.
        status: Ret,
    },
    /// The check after modprobe looks at the list.
    Check {
        /// The name looked up.
        name: Listed,
        /// Its state there.
        state: ModuleState,
        /// What follows from it.
        judgement: Judgement,
    },
    /// The check after modprobe tests whether to wait; false puts the caller to sleep.
    CheckFinished {
        /// The name looked up.
        name: Listed,
        /// Its state there.
        state: ModuleState,
        /// What follows from it.
        judgement: Judgement,
    },
    /// `__request_module()` returns.
    RequestReturn {
        /// What it returns.
        ret: Ret,
    },
}

impl Event {
    /// The function of the kernel or of kmod in which a reader finds the step.
    pub fn function(&self) -> &'static str {
        match self {
            Self::Call => "caller",
            Self::LookUp { .. } => "__get_fs_type",
            Self::RequestModule | Self::RequestReturn { .. } => "__request_module",
            Self::AlreadyLive { .. } => "already_live (RFC)",
            Self::PreExists { .. } | Self::PreFinished { .. } => "finished_kmod_load",
            Self::Exec => "call_usermodehelper_exec_async",
            Self::Open { .. }
            | Self::Stat { .. }
            | Self::Read { .. }
            | Self::ReadEnd { .. }
            | Self::OpenUnknown
            | Self::StatUnknown { .. }
            | Self::Exit { .. } => "modprobe",
            Self::AddUnformed { .. } => "add_unformed_module",
            Self::FinishedLoading { .. } => "finished_loading",
            Self::ResolveSymbol { .. } | Self::ResolveTimedOut { .. } => "resolve_symbol_wait",
            Self::Unlink { .. } => "load_module",
            Self::CompleteFormation { .. } => "complete_formation",
            Self::SysfsInit { .. } => "mod_sysfs_init",
            Self::AddModinfoAttrs { .. } => "module_add_modinfo_attrs",
            Self::Init { .. } => "do_one_initcall",
            Self::Unregister { .. } => "unregister_filesystem",
            Self::SetLive { .. } | Self::WakeUpAll { .. } | Self::SetGoing { .. } => {
                "do_init_module"
            }
            Self::RemoveModinfoAttrs { .. } => "module_remove_modinfo_attrs",
            Self::SysfsFini { .. } => "mod_sysfs_fini",
            Self::SetUnformed { .. } | Self::ListDel { .. } => "free_module",
            Self::HelperReturn { .. } => "call_usermodehelper_exec",
            Self::Check { .. } | Self::CheckFinished { .. } => "sanity check (RFC)",
        }
    }

    /// The event in words, with the scenario's names.
    pub fn describe<'a>(&'a self, scenario: &'a Scenario) -> impl fmt::Display + 'a {
        Described { event: self, scenario }
    }
}

struct Described<'a> {
    event: &'a Event,
    scenario: &'a Scenario,
}

impl Described<'_> {
    fn module(&self, id: ModuleId) -> &str {
        self.scenario.modules.get(usize::from(id)).map_or("?", |m| &m.name)
    }

    fn listed(&self, name: Listed) -> String {
        match name {
            Listed::Module(id) => self.module(id).to_owned(),
            Listed::NeverListed => {
                let features = &self.scenario.features.kernel;
                match features.alias_map {
                    crate::features::AliasMap::Prefix => self.scenario.file_system().to_owned(),
                    _ => self.scenario.request.clone(),
                }
            }
        }
    }
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = |id: &ModuleId| self.module(*id);
        match self.event {
            Event::Call => match self.scenario.caller {
                crate::scenario::Caller::GetFsType => {
                    write!(f, "get_fs_type(\"{}\")", self.scenario.file_system())
                }
                crate::scenario::Caller::RequestModule => {
                    write!(f, "request_module(\"{}\")", self.scenario.request)
                }
            },
            Event::LookUp { found: true, .. } => write!(f, "file system found"),
            Event::LookUp { second: false, .. } => write!(f, "no such file system yet"),
            Event::LookUp { warned, .. } => {
                let warned = if *warned { "; warns" } else { "" };
                write!(f, "no file system: returns NULL{warned}")
            }
            Event::RequestModule => write!(f, "\"{}\" is requested", self.scenario.request),
            Event::AlreadyLive { name, state } => {
                write!(f, "{} on the list: {state}", self.listed(*name))
            }
            Event::PreExists { name, state } => {
                write!(f, "kmod_exists({}): {state}", self.listed(*name))
            }
            Event::PreFinished { name, state } => {
                let then = if state.finished_loading() { "returns 0" } else { "sleeps" };
                write!(f, "finished_loading({}): {state}, {then}", self.listed(*name))
            }
            Event::Exec => write!(f, "execs modprobe -q -- {}", self.scenario.request),
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
            Event::OpenUnknown => write!(f, "open {}/initstate: ENOENT", self.scenario.request),
            Event::StatUnknown { found } => {
                let what = if *found { "exists" } else { "ENOENT" };
                write!(f, "stat /sys/module/{}: {what}", self.scenario.request)
            }
            Event::AddUnformed { module, state } => match state {
                ModuleState::Absent => write!(f, "{} listed, UNFORMED", m(module)),
                s if s.forming() => write!(f, "{} is {state}: has to wait", m(module)),
                _ => write!(f, "{} is {state}: -EEXIST", m(module)),
            },
            Event::FinishedLoading { module, state } => {
                let then = if state.finished_loading() { "looks again" } else { "sleeps" };
                write!(f, "{} is {state}: {then}", m(module))
            }
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
            Event::AddModinfoAttrs { module } => write!(f, "{}/initstate appears", m(module)),
            Event::Init { module, outcome } => {
                let registers = self.scenario.modules[usize::from(*module)].registers;
                match (outcome, registers) {
                    (InitOutcome::Succeeds, true) => {
                        write!(f, "{}'s init registers the file system", m(module))
                    }
                    (InitOutcome::Succeeds, false) => write!(f, "{}'s init returns 0", m(module)),
                    (InitOutcome::FailsEarly, _) => write!(f, "{}'s init fails", m(module)),
                    (InitOutcome::FailsLate, _) => {
                        write!(f, "{}'s init registers, but will fail", m(module))
                    }
                }
            }
            Event::Unregister { module } => {
                write!(f, "{}'s init takes its file system back", m(module))
            }
            Event::SetLive { module } => write!(f, "{} is LIVE", m(module)),
            Event::WakeUpAll { module, loaded } => {
                let result = if *loaded { "0" } else { "an error" };
                write!(f, "wake_up_all; loading {} returned {result}", m(module))
            }
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
                    Judgement::GoOn if state.finished_loading() => "goes on",
                    Judgement::GoOn => "sleeps",
                };
                write!(f, "finished_loading({}): {state}: {what}", self.listed(*name))
            }
            Event::RequestReturn { ret } => write!(f, "returns {ret}"),
        }
    }
}
