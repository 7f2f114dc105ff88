//! The packed state: what is shared, and what one caller (with the modprobe it waits for) remembers.
//!
//! The offset of each field is computed for each scenario, so that a state is as small as the
//! scenario allows. Every write asserts, in debug builds, that the value fits its field, and every
//! read that the field holds a legal value.

mod layout;
mod task;
mod world;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

pub use layout::{COUNTED, MAX_DEPTH, NamedField};
pub(crate) use layout::{Counts, Field, Frames, LEAST_DEPTH, Layout};
pub(crate) use layout::{MADE, NOT_YET, PUT_THERE};
pub use task::{ErrorOf, Task};
pub(crate) use world::World;

/// `mod->state`, and whether the name is on the module list at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ModuleState {
    /// Not on the list.
    Absent = 0,
    /// MODULE_STATE_UNFORMED, claimed by `add_unformed_module()`.
    Unformed = 1,
    /// MODULE_STATE_COMING.
    Coming = 2,
    /// MODULE_STATE_LIVE.
    Live = 3,
    /// MODULE_STATE_GOING.
    Going = 4,
    /// MODULE_STATE_UNFORMED again, set by `free_module()`. The kernel does not tell it from
    /// [`ModuleState::Unformed`] and no step of the model does; history does, because leaving the
    /// list from here is not one more failed attempt to load.
    UnformedAgain = 5,
}

impl ModuleState {
    fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::Absent,
            1 => Self::Unformed,
            2 => Self::Coming,
            3 => Self::Live,
            4 => Self::Going,
            5 => Self::UnformedAgain,
            _ => unreachable!("module state {bits}"),
        }
    }

    /// UNFORMED or COMING: for `add_unformed_module()` of v4.9, a module that may yet fail to load.
    pub fn forming(self) -> bool {
        matches!(self, Self::Unformed | Self::Coming | Self::UnformedAgain)
    }
}

impl fmt::Display for ModuleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Absent => "absent",
            Self::Unformed | Self::UnformedAgain => "UNFORMED",
            Self::Coming => "COMING",
            Self::Live => "LIVE",
            Self::Going => "GOING",
        })
    }
}

macro_rules! results {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a call, a system call or a helper came to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Ret {
            $($(#[$doc])* $name,)*
        }

        impl Ret {
            /// Every result, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(crate) fn from_bits(bits: u64) -> Self {
                Self::ALL[place(bits)]
            }
        }

        impl fmt::Display for Ret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(Self::$name => $text,)*
                })
            }
        }

        impl Serialize for Ret {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for Ret {
            fn schema_name() -> Cow<'static, str> {
                "Ret".into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "enum": [$($text,)*] })
            }
        }

        impl<'de> Deserialize<'de> for Ret {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                match name.as_str() {
                    $($text => Ok(Self::$name),)*
                    _ => Err(serde::de::Error::unknown_variant(&name, &[$($text,)*])),
                }
            }
        }
    };
}

results! {
    /// 0.
    Zero = "0",
    /// Wait status 256: the helper exited 1.
    Status256 = "256",
    /// `-ENOENT`.
    Enoent = "-ENOENT",
    /// `-EBUSY`.
    Ebusy = "-EBUSY",
    /// `get_fs_type()` found it.
    Found = "the file system",
    /// `get_fs_type()` returned NULL.
    Null = "NULL",
    /// `-EEXIST`.
    Eexist = "-EEXIST",
    /// `-EWOULDBLOCK`.
    Ewouldblock = "-EWOULDBLOCK",
    /// `-ENOMEM`.
    Enomem = "-ENOMEM",
    /// `-ETIME`.
    Etime = "-ETIME",
    /// `-ERESTARTSYS`: killed.
    Erestartsys = "-ERESTARTSYS",
    /// `-EPERM`.
    Eperm = "-EPERM",
    /// `-ENAMETOOLONG`.
    Enametoolong = "-ENAMETOOLONG",
    /// The module was not initialised when it was used.
    NotReady = "not initialised",
    /// `-EACCES`.
    Eacces = "-EACCES",
    /// `-EINPROGRESS`.
    Einprogress = "-EINPROGRESS",
    /// `-EINTR`.
    Eintr = "-EINTR",
    /// `-ENOEXEC`.
    Enoexec = "-ENOEXEC",
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Where a caller, or the modprobe it waits for, is: the step it takes next.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Pc {
            /// Local word 0 is a process that does not exist.
            NotStarted = 0,
            $($(#[$doc])* $name,)*
        }

        impl Pc {
            /// Every place, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            fn from_bits(bits: u64) -> Self {
                match bits {
                    0 => Self::NotStarted,
                    _ => Self::ALL[place(bits) - 1],
                }
            }
        }

        impl fmt::Display for Pc {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    Self::NotStarted => "not-started",
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

places! {
    /// Before the call.
    Idle = "call",
    /// `get_fs_type()`: first `__get_fs_type()`.
    LookupFirst = "lookup-first",
    /// `__request_module()` begins.
    RequestModule = "request-module",
    /// v4.9's limit: counts itself.
    LimitCount = "limit-count",
    /// v4.9's limit: looks whether there are too many.
    LimitLook = "limit-look",
    /// v4.9's limit: there are; takes itself off again.
    LimitBack = "limit-back",
    /// The RFC's shortcut.
    AlreadyLive = "already-live",
    /// `finished_kmod_load()` before modprobe: `kmod_exists()`.
    PreExists = "pre-exists",
    /// The same: `finished_loading()`.
    PreFinished = "pre-finished",
    /// Asleep on `module_wq` before modprobe.
    PreAsleep = "pre-asleep",
    /// Takes a slot, or has to wait for one.
    TakeSlot = "take-slot",
    /// Asleep on `kmod_wq`, or in the semaphore's queue.
    SlotAsleep = "slot-asleep",
    /// Looks for an earlier request of the same name.
    Duplicate = "duplicate",
    /// Waits for that request's result.
    DuplicateAsleep = "duplicate-asleep",
    /// Takes that result over.
    DuplicateRead = "duplicate-read",
    /// The helper is queued.
    Exec = "exec",
    /// modprobe opens initstate.
    Open = "open",
    /// modprobe stats the directory.
    Stat = "stat",
    /// modprobe reads initstate.
    Read = "read",
    /// modprobe reads to the end of an initstate that said live.
    ReadEnd = "read-end",
    /// modprobe reads to the end of an initstate that said something else.
    ReadEndOther = "read-end-other",
    /// modprobe opens initstate of a name it does not know.
    OpenUnknown = "open-unknown",
    /// modprobe stats the directory of a name it does not know.
    StatUnknown = "stat-unknown",
    /// modprobe runs an `install` command.
    Install = "install-command",
    /// `idempotent()`: joins a `finit_module()` of the same file, or is the first.
    Idempotent = "idempotent",
    /// Waits for that `finit_module()`'s result.
    IdempotentAsleep = "idempotent-asleep",
    /// `early_mod_check()`: looks at the list.
    EarlyCheck = "early-check",
    /// `early_mod_check()`: `finished_loading()`, awake.
    EarlyWait = "early-wait",
    /// `early_mod_check()`: asleep on `module_wq`.
    EarlyAsleep = "early-asleep",
    /// `early_mod_check()`: looks again after its wait.
    EarlyRecheck = "early-recheck",
    /// `add_unformed_module()`.
    AddUnformed = "add-unformed-module",
    /// `finished_loading()`, awake.
    AddWait = "finished-loading",
    /// Asleep on `module_wq` in `add_unformed_module()`.
    AddAsleep = "add-asleep",
    /// `add_unformed_module()` looks again after its wait and does not retry.
    AddRecheck = "add-recheck",
    /// `resolve_symbol()`, awake.
    Resolve = "resolve-symbol",
    /// Asleep on `module_wq` in `resolve_symbol_wait()`.
    ResolveAsleep = "resolve-asleep",
    /// `load_module()`'s error path: GOING (from v5.10).
    FailGoing = "fail-going",
    /// `load_module()`'s error path: `module_unload_free()`.
    FailUnloadFree = "fail-unload-free",
    /// `load_module()`'s error path.
    Unlink = "unlink",
    /// `complete_formation()`.
    CompleteFormation = "complete-formation",
    /// `mod_sysfs_init()`.
    SysfsInit = "mod-sysfs-init",
    /// `module_add_modinfo_attrs()`.
    AddModinfoAttrs = "add-modinfo-attrs",
    /// `mod_sysfs_setup()` failed after the directory was made: it goes again.
    SysfsUndo = "sysfs-undo",
    /// `kobject_uevent(KOBJ_ADD)`.
    Uevent = "uevent",
    /// Init requests a module.
    InitRequest = "init-request",
    /// `do_one_initcall()`.
    Init = "init",
    /// A failing init takes its file system back.
    Unregister = "unregister",
    /// `mod->state = MODULE_STATE_LIVE`.
    SetLive = "set-live",
    /// The initial reference is dropped.
    DropInitial = "drop-initial-reference",
    /// `wake_up_all()` after LIVE.
    WakeLive = "wake-live",
    /// `mod->state = MODULE_STATE_GOING`.
    SetGoing = "set-going",
    /// `module_remove_modinfo_attrs()`.
    RemoveModinfoAttrs = "remove-modinfo-attrs",
    /// `mod_sysfs_fini()`.
    SysfsFini = "mod-sysfs-fini",
    /// `free_module()`: UNFORMED.
    SetUnformed = "set-unformed",
    /// `free_module()`: `module_unload_free()`.
    UnloadFree = "unload-free",
    /// `free_module()`: off the list.
    ListDel = "list-del",
    /// `wake_up_all()` after `free_module()`.
    WakeFreed = "wake-freed",
    /// `finit_module()` hands its result to those who joined it.
    IdempotentComplete = "idempotent-complete",
    /// modprobe exits.
    Exit = "exit",
    /// `call_usermodehelper_exec()` returns.
    HelperReturn = "helper-return",
    /// `kmod_dup_request_announce()`.
    Announce = "announce",
    /// The check after modprobe: `kmod_exists()`.
    CheckExists = "check-exists",
    /// The check after modprobe: `finished_loading()`.
    CheckFinished = "check-finished",
    /// Asleep on `module_wq` in the check.
    CheckAsleep = "check-asleep",
    /// The check after modprobe: one look.
    CheckLook = "check-look",
    /// Gives the slot back.
    GiveSlot = "give-slot",
    /// Wakes whoever waits for a slot.
    WakeSlot = "wake-slot",
    /// `__request_module()` returns.
    RequestReturn = "request-return",
    /// `get_fs_type()`: second `__get_fs_type()`.
    LookupSecond = "lookup-second",
    /// `put_filesystem()`.
    PutFilesystem = "put-filesystem",
    /// `delete_module()`.
    DeleteModule = "delete-module",
    /// `mod->exit()`.
    ModuleExit = "module-exit",
    /// udev's rule, waiting for the uevent.
    UdevIdle = "udev-idle",
    /// udev's rule uses the module.
    UdevUse = "udev-use",
    /// `kmod_dup_request_complete()`.
    DuplicateComplete = "duplicate-complete",
    /// `kmod_dup_request_delete()`.
    DuplicateDelete = "duplicate-delete",
    /// The call has returned.
    Done = "done",
    /// At a statement of its program.
    Program = "program",
    // Later ones come last, so that saved certificates keep their words.
    /// `prepare_coming_module()`, of a module whose notifier may fail.
    ComingNotifier = "coming-notifier",
    /// `parse_args()`, of a module whose parameters may be refused.
    ParseArgs = "parse-args",
    /// `add_usage_links()`, of a module for which that may fail.
    UsageLinks = "usage-links",
    /// `add_sect_attrs()`, of a module for which that may fail.
    SectAttrs = "sect-attrs",
    /// `codetag_load_module()`, of a module that it may refuse.
    Codetag = "codetag",
    /// `load_module()`'s error path: initstate goes, the directory is still there.
    FailRemoveAttrs = "fail-remove-attrs",
    /// `module_enable_rodata_ro()`, of a module for which that may fail.
    ReadOnly = "read-only",
    /// busybox's or toybox's modprobe reads /proc/modules.
    ProcModules = "proc-modules",
    /// busybox's small modprobe looks for one module in /proc/modules.
    ProcLook = "proc-look",
    /// `modprobe -r` opens refcnt (`kmod_module_get_refcnt()`).
    RefcntOpen = "refcnt-open",
    /// `modprobe -r` reads refcnt.
    RefcntRead = "refcnt-read",
    /// busybox's modprobe calls `init_module()` after `finit_module()` has failed.
    InitModule = "init-module",
    /// `queue_delayed_work()` of the deletion, by whoever has announced (from d258ed8a86bb on).
    DuplicateQueue = "duplicate-queue",
    /// `do_init_module()`: `async_synchronize_full()`.
    AsyncSynchronize = "async-synchronize",
    /// `delete_module()`: the same.
    UnloadSynchronize = "unload-synchronize",
    /// `param_sysfs_builtin_init()`.
    LateInitcalls = "late-initcalls",
}

impl Pc {
    /// A place of the same call, by which those that came later are found between others.
    fn beside(self) -> Self {
        if self <= Self::Program {
            return self;
        }
        match self {
            Self::DuplicateQueue => Self::Announce,
            Self::ProcModules | Self::ProcLook | Self::InitModule => Self::Open,
            Self::RefcntOpen | Self::RefcntRead => Self::Open,
            Self::UnloadSynchronize => Self::ModuleExit,
            Self::LateInitcalls => Self::UdevUse,
            _ => Self::CompleteFormation,
        }
    }

    /// In the interval from `__request_module()`'s beginning to its return, of a request that is not
    /// nested.
    pub fn in_request(self) -> bool {
        let here = self.beside();
        here > Self::RequestModule && here <= Self::RequestReturn
    }

    /// In the interval from modprobe's exec to its exit, of a modprobe that is not nested.
    pub fn in_modprobe(self) -> bool {
        let here = self.beside();
        here >= Self::Open && here <= Self::Exit
    }

    /// While the caller waits for the helper in `call_usermodehelper_exec()`.
    pub fn in_helper(self) -> bool {
        let here = self.beside();
        here >= Self::Exec && here <= Self::Exit
    }

    /// From the call of `finit_module()` to its return.
    pub fn in_finit_module(self) -> bool {
        let here = self.beside();
        here >= Self::Idempotent && here <= Self::IdempotentComplete
    }

    /// In a `finit_module()` that waits for what another's does to the same module.
    pub fn waits_for_another_load(self) -> bool {
        matches!(
            self,
            Self::IdempotentAsleep
                | Self::EarlyWait
                | Self::EarlyAsleep
                | Self::AddWait
                | Self::AddAsleep
        )
    }

    /// Asleep on `module_wq`, and where it goes on when woken.
    pub fn woken(self) -> Option<Self> {
        match self {
            Self::PreAsleep => Some(Self::PreFinished),
            Self::EarlyAsleep => Some(Self::EarlyWait),
            Self::AddAsleep => Some(Self::AddWait),
            Self::ResolveAsleep => Some(Self::Resolve),
            Self::CheckAsleep => Some(Self::CheckFinished),
            _ => None,
        }
    }
}

/// Which history the callers of a model carry. Each flag makes more states, so a model remembers no
/// more than is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum History {
    /// What was LIVE during a call, and what `get_fs_type()` needs to know beside it.
    Loads,
    /// The reasons that a call had to fail, and nothing else.
    Failures,
    /// Both.
    Both,
}

impl History {
    /// Whether it takes in [`History::Loads`].
    pub fn loads(self) -> bool {
        self != Self::Failures
    }

    /// Whether it takes in [`History::Failures`].
    pub fn failures(self) -> bool {
        self != Self::Loads
    }
}

/// The place that bits of a word stand for.
fn place(bits: u64) -> usize {
    usize::try_from(bits).expect("a field has a few bits")
}
