//! The one vocabulary of visible steps, shared by model, simulation, traces and logs.

mod place;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

pub use self::place::Place;
pub use kmodcheck_lang::Came;

use crate::scenario::{Action, FailsAt, LateDirectory, ModuleId, NameId, Scenario};
use crate::state::{ModuleState, Ret};

use self::words::Described;

/// What init does in this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InitOutcome {
    /// Registers what it has to register; will return 0.
    Succeeds,
    /// Returns an error before registering anything.
    FailsEarly,
    /// Registers, and will take it back and return an error.
    FailsLate,
    /// Returns `-EEXIST`, having registered nothing.
    Eexist,
}

/// A name that the kernel's check or shortcut looks up on the module list: a module of the
/// scenario, or a name under which nothing is ever listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listed {
    /// This module.
    Module(ModuleId),
    /// This requested name, as [`crate::features::AliasMap`] maps it.
    NeverListed(NameId),
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

/// What a look at a listed name means for a load.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The name is free: claimed (or, early, the load goes on).
    Free,
    /// It has to wait.
    Wait,
    /// `-EEXIST`.
    Exists,
    /// `-EBUSY`.
    Busy,
}

/// How `finit_module()` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Finit {
    /// 0.
    Loaded = 0,
    /// `-EEXIST`, which kmod takes for success.
    Exists = 1,
    /// Any other error.
    Failed = 2,
}

/// What a `wake_up_all(&module_wq)` comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Woken {
    /// Init succeeded.
    Loaded,
    /// Init failed; the module is freed.
    Failed,
    /// The module was unloaded.
    Unloaded,
}

/// What `/sys/module/NAME/refcnt` says (`show_refcnt()`, `module_refcount()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refcnt {
    /// Nothing, -ENODEV: the attribute has gone since the file was opened.
    Gone,
    /// -1: the module is being unloaded (`try_release_module_ref()` has taken MODULE_REF_BASE away).
    Unloading,
    /// 0.
    Unused,
    /// More: somebody holds a reference, or its load has not ended.
    Used,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// An actor begins what it does.
    Call {
        /// What that is.
        action: Action,
    },
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
    RequestModule {
        /// The name.
        name: NameId,
    },
    /// `__request_module()` refuses or gives up before it starts modprobe.
    Refused {
        /// What it will return.
        ret: Ret,
    },
    /// `atomic_inc(&kmod_concurrent)` (v4.9).
    LimitCount,
    /// `atomic_read(&kmod_concurrent)` (v4.9).
    LimitLook {
        /// Whether too many requests run.
        exceeded: bool,
    },
    /// `atomic_dec(&kmod_concurrent)` of a request over the limit (v4.9).
    LimitBack,
    /// `atomic_dec_if_positive(&kmod_concurrent_max)`, or `down_timeout()`.
    TakeSlot {
        /// Whether there was a slot; else the caller sleeps.
        taken: bool,
    },
    /// The wait for a slot ends after 5 s.
    SlotTimedOut,
    /// `kmod_dup_request_exists_wait()`: looks for an earlier request of the name.
    Duplicate {
        /// The name.
        name: NameId,
        /// Whether there is one.
        found: bool,
    },
    /// `kmod_dup_request_exists_wait()` takes over the first request's result.
    DuplicateResult {
        /// The name.
        name: NameId,
        /// The result.
        ret: Ret,
    },
    /// `kmod_dup_request_announce()`: stores the result, and queues the completion.
    Announce {
        /// The name.
        name: NameId,
        /// The result.
        ret: Ret,
        /// Whether there was an entry for the name.
        found: bool,
    },
    /// `kmod_dup_request_complete()` in a kworker: `complete_all()`.
    DuplicateComplete {
        /// The name.
        name: NameId,
    },
    /// `kmod_dup_request_delete()`, 60 s later.
    DuplicateDelete {
        /// The name.
        name: NameId,
    },
    /// SIGKILL ends a wait. A caller that waits for modprobe leaves it behind.
    Killed,
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
    Exec {
        /// The name.
        name: NameId,
    },
    /// The helper cannot be started.
    ExecFailed {
        /// Why.
        ret: Ret,
    },
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
    OpenUnknown {
        /// The name.
        name: NameId,
    },
    /// An unknown name: `stat()` of its directory.
    StatUnknown {
        /// The name.
        name: NameId,
        /// Whether the directory is there.
        found: bool,
    },
    /// exec of modprobe finds no format that knows it, and requests one.
    ExecRequests {
        /// The requested name.
        name: NameId,
    },
    /// modprobe runs an `install` command in place of the module.
    InstallCommand {
        /// The module.
        module: ModuleId,
        /// It exits 1, not 0.
        fails: bool,
    },
    /// That command runs `modprobe --ignore-install` of the module.
    CommandRunsModprobe {
        /// The module.
        module: ModuleId,
    },
    /// A command of which nothing is known ends after that modprobe.
    CommandEnds {
        /// The module.
        module: ModuleId,
        /// It exits with another status than 0.
        fails: bool,
    },
    /// There is no file of the module: `-ENOENT`.
    NoFile {
        /// The module.
        module: ModuleId,
    },
    /// `blacklisted()`: the kernel refuses the module by its command line, `-EPERM`.
    LoadRefused {
        /// The module.
        module: ModuleId,
    },
    /// `idempotent()`: joins a `finit_module()` of the same file, or is the first.
    Idempotent {
        /// The module.
        module: ModuleId,
        /// Whether one is running, whose result this call will get.
        joined: bool,
    },
    /// `exclusive_deny_write_access()`, on the file that `finit_module()` is to load.
    DenyWrite {
        /// The module.
        module: ModuleId,
        /// Another one loads it: `-ETXTBSY`.
        busy: bool,
    },
    /// `allow_write_access()`: the file has been loaded, or could not be.
    AllowWrite {
        /// The module.
        module: ModuleId,
    },
    /// `idempotent_complete()`.
    IdempotentComplete {
        /// The module.
        module: ModuleId,
        /// What those who joined get.
        result: Finit,
    },
    /// `add_unformed_module()` (or, `early`, `early_mod_check()`) looks at the list.
    AddUnformed {
        /// The module.
        module: ModuleId,
        /// Its state there.
        state: ModuleState,
        /// In `early_mod_check()`.
        early: bool,
        /// What follows from it.
        then: Claim,
    },
    /// `finished_loading()` in the wait of `add_unformed_module()` or `early_mod_check()`; false
    /// puts the loader to sleep.
    FinishedLoading {
        /// The module.
        module: ModuleId,
        /// Its state.
        state: ModuleState,
        /// What `finished_loading()` says of it.
        finished: bool,
    },
    /// The module's init requests a module, and waits.
    InitRequests {
        /// The module whose init it is.
        module: ModuleId,
        /// The requested name.
        name: NameId,
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
    /// `load_module()`'s error path: GOING, without a lock.
    FailGoing {
        /// The module.
        module: ModuleId,
    },
    /// `module_unload_free()`: the references on dependencies are given back.
    UnloadFree {
        /// The module.
        module: ModuleId,
    },
    /// A place at which the load may fail, of a module for which it may: whether it does.
    MayFail {
        /// The module.
        module: ModuleId,
        /// Where.
        at: FailsAt,
        /// It fails.
        failed: bool,
    },
    /// busybox's or toybox's modprobe reads /proc/modules.
    ProcModules {
        /// One bit for each module that is in it.
        listed: u32,
    },
    /// busybox's small modprobe looks for one module in /proc/modules.
    ProcLook {
        /// The module.
        module: ModuleId,
        /// The state under which it is there; absent, or UNFORMED: it is not.
        state: ModuleState,
        /// Whether it looks once more, 20 ms later.
        again: bool,
    },
    /// `modprobe -r` opens a module's refcnt.
    RefcntOpen {
        /// The module.
        module: ModuleId,
        /// Whether it is there.
        found: bool,
    },
    /// `modprobe -r` reads a module's refcnt.
    RefcntRead {
        /// The module.
        module: ModuleId,
        /// What it says.
        says: Refcnt,
    },
    /// busybox's modprobe: `init_module()` follows a `finit_module()` that has failed.
    InitModule {
        /// The module.
        module: ModuleId,
    },
    /// `kmod_dup_request_announce()`: in 60 s the name's entry is deleted.
    QueueDelete {
        /// The name.
        name: NameId,
    },
    /// `mod_sysfs_setup()` failed after the directory was made: it disappears.
    SysfsUndo {
        /// The module.
        module: ModuleId,
    },
    /// `kobject_uevent(KOBJ_ADD)`.
    Uevent {
        /// The module.
        module: ModuleId,
    },
    /// `async_synchronize_full()` is over: nothing asynchronous is scheduled.
    AsyncSynchronize {
        /// The module.
        module: ModuleId,
        /// Whether `delete_module()` has waited, not `do_init_module()`.
        unloads: bool,
    },
    /// `do_init_module()`: the initial reference is dropped.
    DropInitial {
        /// The module.
        module: ModuleId,
    },
    /// `delete_module()`, the part under module_mutex.
    DeleteModule {
        /// The module.
        module: ModuleId,
        /// [`Ret::Zero`]: it is GOING now.
        ret: Ret,
    },
    /// `mod->exit()`: its file system is unregistered.
    ModuleExit {
        /// The module.
        module: ModuleId,
    },
    /// `put_filesystem()`.
    PutFilesystem {
        /// The module that owns it.
        module: ModuleId,
    },
    /// A udev rule uses the module.
    UdevUse {
        /// The module.
        module: ModuleId,
        /// Whether its init has returned 0.
        initialised: bool,
    },
    /// `param_sysfs_builtin_init()`: a directory of built-in code appears, and its ADD uevent goes out.
    BuiltinDirectory {
        /// Which.
        of: LateDirectory,
        /// `false`: a module has a directory of that name, and what is built in is put there.
        made: bool,
    },
    /// `param_sysfs_builtin_init()` returns.
    BuiltinDirectoriesMade,
    /// `mod_sysfs_init()`: the directory appears; `false`: that name is taken, `-EINVAL`.
    SysfsInit {
        /// The module.
        module: ModuleId,
        /// Made.
        made: bool,
    },
    /// `module_add_modinfo_attrs()`: initstate appears; `false`: it fails.
    AddModinfoAttrs {
        /// The module.
        module: ModuleId,
        /// Made.
        made: bool,
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
    /// `wake_up_all(&module_wq)` at the end of `do_init_module()` or `delete_module()`; the system
    /// call returns.
    WakeUpAll {
        /// The module.
        module: ModuleId,
        /// After what.
        after: Woken,
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
    /// The slot is given back: `atomic_dec(&kmod_concurrent)`, `atomic_inc(&kmod_concurrent_max)`,
    /// or `up()`.
    GiveSlot {
        /// Whether it went to a waiter directly (`up()`).
        handed_over: bool,
    },
    /// `wake_up(&kmod_wq)`.
    WakeSlot,
    /// `__request_module()` returns.
    RequestReturn {
        /// What it returns.
        ret: Ret,
    },
    /// A statement of a program.
    Statement {
        /// The program, or the kind of what programs start.
        program: u8,
        /// Which of its statements.
        statement: u16,
        /// What came of it.
        came: Came,
    },
    /// An init or exit that is a program returns.
    Returns {
        /// The program.
        program: u8,
        /// What it returns.
        result: i16,
    },
}

impl Event {
    /// The function of the kernel or of kmod in which a reader finds the step.
    pub fn function(&self) -> &'static str {
        match self {
            Self::Call { action } => match action {
                Action::RequestModule(_)
                | Action::RequestModuleNowait(_)
                | Action::GetFsType(_) => "caller",
                Action::Modprobe(_)
                | Action::ModprobeRemove(_)
                | Action::Insmod(_)
                | Action::Rmmod(_) => "shell",
                Action::Udev(_) => "udev",
                Action::LateInitcalls => "do_initcalls",
                Action::Program(_) => "program",
            },
            Self::LookUp { .. } => "__get_fs_type",
            Self::RequestModule { .. }
            | Self::Refused { .. }
            | Self::LimitCount
            | Self::LimitLook { .. }
            | Self::LimitBack
            | Self::TakeSlot { .. }
            | Self::SlotTimedOut
            | Self::GiveSlot { .. }
            | Self::WakeSlot
            | Self::RequestReturn { .. } => "__request_module",
            Self::Duplicate { .. } | Self::DuplicateResult { .. } => "kmod_dup_request_exists_wait",
            Self::Announce { .. } | Self::QueueDelete { .. } => "kmod_dup_request_announce",
            Self::MayFail { at, .. } => at.function(),
            Self::DuplicateComplete { .. } => "kmod_dup_request_complete",
            Self::DuplicateDelete { .. } => "kmod_dup_request_delete",
            Self::Killed => "SIGKILL",
            Self::AlreadyLive { .. } => "already_live (RFC)",
            Self::PreExists { .. } | Self::PreFinished { .. } => "finished_kmod_load",
            Self::Exec { .. } => "call_usermodehelper_exec_async",
            Self::ExecRequests { .. } => "search_binary_handler",
            Self::ExecFailed { .. } => "call_usermodehelper_exec",
            Self::LoadRefused { .. } => "blacklisted",
            Self::InstallCommand { .. }
            | Self::CommandRunsModprobe { .. }
            | Self::CommandEnds { .. }
            | Self::NoFile { .. }
            | Self::ProcModules { .. }
            | Self::ProcLook { .. }
            | Self::RefcntOpen { .. }
            | Self::RefcntRead { .. }
            | Self::InitModule { .. }
            | Self::Open { .. }
            | Self::Stat { .. }
            | Self::Read { .. }
            | Self::ReadEnd { .. }
            | Self::OpenUnknown { .. }
            | Self::StatUnknown { .. }
            | Self::Exit { .. } => "modprobe",
            Self::AddUnformed { early: true, .. } => "early_mod_check",
            Self::AddUnformed { .. } => "add_unformed_module",
            Self::Idempotent { .. } => "idempotent",
            Self::DenyWrite { .. } => "exclusive_deny_write_access",
            Self::AllowWrite { .. } => "allow_write_access",
            Self::IdempotentComplete { .. } => "idempotent_complete",
            Self::FinishedLoading { .. } => "finished_loading",
            Self::ResolveSymbol { .. } | Self::ResolveTimedOut { .. } => "resolve_symbol_wait",
            Self::Unlink { .. } | Self::FailGoing { .. } => "load_module",
            Self::UnloadFree { .. } => "module_unload_free",
            Self::SysfsUndo { .. } => "mod_sysfs_setup",
            Self::Uevent { .. } => "kobject_uevent",
            Self::InitRequests { .. } => "do_one_initcall",
            Self::AsyncSynchronize { unloads: false, .. } => "do_init_module",
            Self::AsyncSynchronize { unloads: true, .. } => "delete_module",
            Self::DropInitial { .. } => "do_init_module",
            Self::DeleteModule { .. } => "delete_module",
            Self::ModuleExit { .. } => "delete_module",
            Self::PutFilesystem { .. } => "put_filesystem",
            Self::UdevUse { .. } => "udev",
            Self::BuiltinDirectory { .. } | Self::BuiltinDirectoriesMade => {
                "param_sysfs_builtin_init"
            }
            Self::WakeUpAll { after: Woken::Unloaded, .. } => "delete_module",
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
            Self::Statement { .. } | Self::Returns { .. } => "program",
        }
    }

    /// The event in words, with the scenario's names.
    pub fn describe<'a>(&'a self, scenario: &'a Scenario) -> impl fmt::Display + 'a {
        Described { event: self, scenario }
    }
}
