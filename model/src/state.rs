//! The packed state: what is shared, and what one caller (with the modprobe it waits for) remembers.
//!
//! The offset of each field is computed for each scenario, so that a state is as small as the
//! scenario allows. Every write asserts, in debug builds, that the value fits its field, and every
//! read that the field holds a legal value.

use std::fmt;

use crate::scenario::{Init, ModuleId, NameId, Scenario, number};

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
}

impl Pc {
    /// In the interval from `__request_module()`'s beginning to its return, of a request that is not
    /// nested.
    pub fn in_request(self) -> bool {
        self > Self::RequestModule && self <= Self::RequestReturn
    }

    /// In the interval from modprobe's exec to its exit, of a modprobe that is not nested.
    pub fn in_modprobe(self) -> bool {
        self >= Self::Open && self <= Self::Exit
    }

    /// While the caller waits for the helper in `call_usermodehelper_exec()`.
    pub fn in_helper(self) -> bool {
        self >= Self::Exec && self <= Self::Exit
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

/// One field of a packed word.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field {
    at: u32,
    bits: u32,
    /// Its greatest value means 'so many or more'.
    or_more: bool,
}

/// How far the processes that are in some place are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// All of the scenario's.
    Exact,
    /// Up to [`COUNTED`], whatever the scenario says: more are taken for any number.
    OrMore,
}

/// How far `Counts::OrMore` counts, at least.
pub const COUNTED: usize = 3;

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

impl Field {
    /// Whether the scenario needs it.
    pub fn exists(self) -> bool {
        self.bits > 0
    }

    /// 1, or 0 for a field without bits.
    pub fn one(self) -> u64 {
        u64::from(self.exists())
    }

    pub fn mask(self) -> u128 {
        ((1_u128 << self.bits) - 1) << self.at
    }

    pub fn get(self, word: u128) -> u64 {
        debug_assert!(self.bits < 64, "a field of {} bits", self.bits);
        #[allow(clippy::cast_possible_truncation, reason = "a field has fewer than 64 bits")]
        let from_here = (word >> self.at) as u64;
        from_here & ((1 << self.bits) - 1)
    }

    /// As [`Field::set`]; nothing where there is no such field.
    fn note(self, word: &mut u128, value: u64) {
        if self.exists() {
            self.set(word, value);
        }
    }

    pub fn set(self, word: &mut u128, value: u64) {
        debug_assert!(value < 1 << self.bits, "{value} does not fit {} bits", self.bits);
        *word = *word & !self.mask() | u128::from(value) << self.at;
        debug_assert_eq!(self.get(*word), value);
    }
}

/// Lays fields out one after the other.
#[derive(Default)]
struct Fields {
    at: u32,
}

impl Fields {
    fn next(&mut self, bits: u32) -> Field {
        let field = Field { at: self.at, bits, or_more: false };
        self.at += bits;
        field
    }

    /// A number of processes: of `processes` at most, or of any, so that `exactly` so many are
    /// counted.
    fn count(&mut self, counts: Counts, processes: usize, exactly: usize) -> Field {
        match counts {
            Counts::Exact => self.next(bits_for(processes)),
            Counts::OrMore => Field { or_more: true, ..self.next(bits_for(exactly.max(COUNTED))) },
        }
    }
}

/// A process's word, of a layout that a model was made of.
fn local_word(word: u128) -> u64 {
    u64::try_from(word).expect("a process takes at most 64 bits")
}

/// The place that bits of a word stand for.
fn place(bits: u64) -> usize {
    usize::try_from(bits).expect("a field has a few bits")
}

/// How many bits hold `0..=max`.
fn bits_for(max: usize) -> u32 {
    usize::BITS - max.leading_zeros()
}

/// The shared fields of one module; a field that the scenario does not need has no bits.
#[derive(Clone, Debug)]
pub(crate) struct ModuleFields {
    pub state: Field,
    pub directory: Field,
    pub initstate: Field,
    /// Of a module that registers a file system.
    pub registered: Field,
    /// The reference that a module holds on itself until its init is done; where somebody unloads.
    pub initial_reference: Field,
    /// By dependency: whether this module holds a reference on it; where somebody unloads.
    pub holds: Vec<Field>,
    /// References that `get_fs_type()` took; where somebody unloads.
    pub file_system_references: Field,
    /// Its init has returned 0; where somebody listens.
    pub initialised: Field,
    /// A `finit_module()` of its file runs; where those are idempotent.
    pub in_finit: Field,
}

/// The shared fields of one requested name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameFields {
    /// There is an entry in `dup_kmod_reqs`.
    pub dup_listed: Field,
    /// Its completion is queued, or done.
    pub dup_queued: Field,
    /// `first_req_done`.
    pub dup_done: Field,
    /// `dup_ret`.
    pub dup_ret: Field,
}

/// Some bits of a word, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedField {
    /// What it is of, a dot, and what it is: `ext4.state`.
    pub name: String,
    /// Its lowest bit.
    pub at: u32,
    /// How many bits it has.
    pub bits: u32,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub modules: Vec<ModuleFields>,
    pub names: Vec<NameFields>,
    /// Running requests (v4.9), or free slots.
    pub slots: Field,
    /// Waiters in the semaphore's queue.
    pub slot_waiters: Field,
    pub shared_bits: u32,
    pc: Field,
    pos: Field,
    index: Field,
    ret: Field,
    depth: Field,
    outer: [Field; MAX_DEPTH],
    stale: Field,
    unresolved: Field,
    result: Field,
    request_live: Field,
    modprobe_live: Field,
    going_after_live: Field,
    lied: Field,
    slept: Field,
    live_since_exit: Field,
    live_since_shortcut: Field,
    load_failed: Field,
    went_going: Field,
    attempt_failed: Field,
    was_going: Field,
    error_of: Field,
    pub local_bits: u32,
    pub remembers: History,
    /// The bits of a caller's word that are history: `request_live` and all that follow it.
    history: u64,
    /// Whether every count is right: in a model that is exact and has no fault.
    pub strict: bool,
}

/// Bits of a [`Ret`].
const RET_BITS: u32 = 5;

const _: () = assert!(Ret::ALL.len() <= 1 << RET_BITS);
const _: () = assert!(Pc::ALL.len() < 1 << 7);

/// How deep a module's init can request a module whose init requests a module.
pub const MAX_DEPTH: usize = 2;

impl Layout {
    /// `plan`: the number of entries of the longest plan of modprobe; `checked`: the most names that
    /// a check looks up.
    pub fn new(
        scenario: &Scenario,
        plan: usize,
        checked: usize,
        counts: Counts,
        remembers: History,
    ) -> Self {
        use crate::features::RequestLimit;
        let mut shared = Fields::default();
        let unloads = u32::from(scenario.unloads());
        let listens = u32::from(scenario.listens());
        let processes = scenario.processes();
        let kernel = &scenario.features.kernel;
        let modules = scenario
            .modules
            .iter()
            .map(|module| ModuleFields {
                state: shared.next(3),
                directory: shared.next(1),
                initstate: shared.next(1),
                registered: shared.next(u32::from(module.registers)),
                initial_reference: shared.next(unloads),
                holds: module.dependencies.iter().map(|_| shared.next(unloads)).collect(),
                file_system_references: if module.registers && unloads > 0 {
                    shared.count(counts, processes, 0)
                } else {
                    shared.next(0)
                },
                initialised: shared.next(listens),
                in_finit: shared.next(u32::from(kernel.idempotent_finit)),
            })
            .collect();
        let duplicates = u32::from(kernel.duplicate_requests);
        let names = scenario
            .names
            .iter()
            .map(|_| NameFields {
                dup_listed: shared.next(duplicates),
                dup_queued: shared.next(duplicates),
                dup_done: shared.next(duplicates),
                dup_ret: shared.next(RET_BITS * duplicates),
            })
            .collect();
        let limit = scenario.limit.map(usize::from);
        // Everybody counts itself before it looks, once for each request that it is nested in.
        let levels = if scenario.nests() { 1 + MAX_DEPTH } else { 1 };
        let slots = match (limit, kernel.request_limit) {
            (None, _) => shared.next(0),
            (Some(limit), RequestLimit::FailsAtOnce) => {
                shared.count(counts, processes * levels, limit + 1)
            }
            (Some(limit), _) => shared.next(bits_for(limit)),
        };
        let slot_waiters = match (limit, kernel.request_limit) {
            (Some(_), RequestLimit::Semaphore) => shared.count(counts, processes, 0),
            _ => shared.next(0),
        };
        let targets = scenario.names.iter().map(|n| n.targets().len()).max().unwrap_or(0);
        let dependencies = scenario.modules.iter().map(|m| m.dependencies.len()).max();
        let nests = scenario.nests();
        let eexist = scenario.modules.iter().any(|m| m.init == Init::MayReturnEexist);
        let pos = bits_for(plan);
        let loads = u32::from(remembers.loads());
        let failures = u32::from(remembers.failures());
        let target_bits = u32::from(number(targets));
        let mut local = Fields::default();
        let mut layout = Self {
            modules,
            names,
            slots,
            slot_waiters,
            shared_bits: shared.at,
            pc: local.next(7),
            pos: local.next(pos),
            index: local.next(bits_for(dependencies.unwrap_or(0).max(checked).max(targets))),
            ret: local.next(RET_BITS),
            depth: local.next(if nests { bits_for(MAX_DEPTH) } else { 0 }),
            outer: std::array::from_fn(|_| local.next(if nests { pos } else { 0 })),
            stale: local.next(1),
            unresolved: local.next(u32::from(dependencies > Some(0))),
            result: local.next(if kernel.idempotent_finit || eexist { 2 } else { 0 }),
            request_live: local.next(target_bits * loads),
            modprobe_live: local.next(target_bits * loads),
            going_after_live: local.next(loads),
            lied: local.next(loads),
            slept: local.next(loads),
            live_since_exit: local.next(loads),
            live_since_shortcut: local.next(loads),
            load_failed: local.next(loads),
            went_going: local.next(loads),
            attempt_failed: local.next(failures),
            was_going: local.next(failures),
            error_of: local.next(2 * failures),
            remembers,
            local_bits: local.at,
            history: 0,
            strict: counts == Counts::Exact,
        };
        let end = 1_u128 << layout.local_bits.min(64);
        layout.history = local_word(end - (1 << layout.request_live.at.min(64)));
        layout
    }

    /// The same local state with all history forgotten.
    pub fn without_history(&self, local: u64) -> u64 {
        local & !self.history
    }

    /// The fields of the shared word that this scenario has, by name.
    pub fn shared_fields(&self, scenario: &Scenario) -> Vec<NamedField> {
        let mut named = Vec::new();
        let mut add = |name: String, field: Field| {
            if field.exists() {
                named.push(NamedField { name, at: field.at, bits: field.bits });
            }
        };
        for (fields, module) in self.modules.iter().zip(&scenario.modules) {
            let of = |what: &str| format!("{}.{what}", module.name);
            add(of("state"), fields.state);
            add(of("directory"), fields.directory);
            add(of("initstate"), fields.initstate);
            add(of("registered"), fields.registered);
            add(of("initial_reference"), fields.initial_reference);
            for (holds, dependency) in fields.holds.iter().zip(&module.dependencies) {
                add(of(&format!("holds.{}", scenario.module_name(*dependency))), *holds);
            }
            add(of("file_system_references"), fields.file_system_references);
            add(of("initialised"), fields.initialised);
            add(of("in_finit"), fields.in_finit);
        }
        for (fields, name) in self.names.iter().zip(&scenario.names) {
            let of = |what: &str| format!("{}.{what}", name.request);
            add(of("dup_listed"), fields.dup_listed);
            add(of("dup_queued"), fields.dup_queued);
            add(of("dup_done"), fields.dup_done);
            add(of("dup_ret"), fields.dup_ret);
        }
        add("slots".to_owned(), self.slots);
        add("slot_waiters".to_owned(), self.slot_waiters);
        named
    }

    pub fn unpack(&self, local: u64) -> Task {
        let word = u128::from(local);
        let flag = |field: Field| field.get(word) != 0;
        let byte =
            |field: Field| u8::try_from(field.get(word)).expect("a field of 8 bits or fewer");
        Task {
            pc: Pc::from_bits(self.pc.get(word)),
            pos: byte(self.pos),
            index: byte(self.index),
            ret: Ret::from_bits(self.ret.get(word)),
            depth: byte(self.depth),
            outer: self.outer.map(byte),
            result: byte(self.result),
            stale: flag(self.stale),
            unresolved: flag(self.unresolved),
            request_live: u16::from(byte(self.request_live)),
            modprobe_live: u16::from(byte(self.modprobe_live)),
            going_after_live: flag(self.going_after_live),
            lied: flag(self.lied),
            slept: flag(self.slept),
            live_since_exit: flag(self.live_since_exit),
            live_since_shortcut: flag(self.live_since_shortcut),
            load_failed: flag(self.load_failed),
            went_going: flag(self.went_going),
            attempt_failed: flag(self.attempt_failed),
            was_going: flag(self.was_going),
            error_of: ErrorOf::from_bits(self.error_of.get(word)),
        }
    }

    pub fn pack(&self, task: &Task) -> u64 {
        let mut word = 0;
        self.pc.set(&mut word, task.pc as u64);
        self.pos.set(&mut word, u64::from(task.pos));
        self.index.set(&mut word, u64::from(task.index));
        self.ret.set(&mut word, task.ret as u64);
        self.depth.set(&mut word, u64::from(task.depth));
        for (field, pos) in self.outer.iter().zip(task.outer) {
            field.set(&mut word, u64::from(pos));
        }
        self.result.set(&mut word, u64::from(task.result));
        self.stale.set(&mut word, u64::from(task.stale));
        self.unresolved.set(&mut word, u64::from(task.unresolved));
        self.request_live.note(&mut word, u64::from(task.request_live));
        self.modprobe_live.note(&mut word, u64::from(task.modprobe_live));
        self.going_after_live.note(&mut word, u64::from(task.going_after_live));
        self.lied.note(&mut word, u64::from(task.lied));
        self.slept.note(&mut word, u64::from(task.slept));
        self.live_since_exit.note(&mut word, u64::from(task.live_since_exit));
        self.live_since_shortcut.note(&mut word, u64::from(task.live_since_shortcut));
        self.load_failed.note(&mut word, u64::from(task.load_failed));
        self.went_going.note(&mut word, u64::from(task.went_going));
        self.attempt_failed.note(&mut word, u64::from(task.attempt_failed));
        self.was_going.note(&mut word, u64::from(task.was_going));
        self.error_of.note(&mut word, task.error_of as u64);
        let word = local_word(word);
        debug_assert_eq!(self.unpack(word), task.remembering(self.remembers));
        word
    }

    /// Whether some number of processes is counted up to a limit only.
    pub fn counts_or_more(&self) -> bool {
        let references = self.modules.iter().map(|m| m.file_system_references);
        references.chain([self.slots, self.slot_waiters]).any(|field| field.or_more)
    }

    /// Whether what a load came to is kept for later.
    pub fn remembers_results(&self) -> bool {
        self.result.exists()
    }

    /// The place alone.
    pub fn pc(&self, local: u64) -> Pc {
        Pc::from_bits(self.pc.get(u128::from(local)))
    }

    /// The same local state at another place.
    pub fn with_pc(&self, local: u64, pc: Pc) -> u64 {
        let mut word = u128::from(local);
        self.pc.set(&mut word, pc as u64);
        local_word(word)
    }
}

/// One caller and the modprobe it waits for. The flags from `request_live` on are history: they
/// guard no step, only properties read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its next step.
    pub pc: Pc,
    /// modprobe's place in its plan.
    pub pos: u8,
    /// Which dependency is being resolved, or which mapped name the check is at.
    pub index: u8,
    /// Exit status, return value, or the call's result.
    pub ret: Ret,
    /// How many inits, each with a request, this request is nested in.
    pub depth: u8,
    /// Where the modprobes are whose `finit_module()` runs those inits.
    pub outer: [u8; MAX_DEPTH],
    /// What `finit_module()` came to, until others have been told; see
    /// [`crate::event::Finit`].
    pub result: u8,
    /// The open initstate file belongs to an attribute that was removed since; for
    /// [`Pc::PutFilesystem`], the module is not the one of which a reference is held.
    pub stale: bool,
    /// A symbol of the module being loaded was not found.
    pub unresolved: bool,
    /// Targets that were LIVE at some moment of this request, one bit each.
    pub request_live: u16,
    /// Targets that were LIVE at some moment while modprobe ran.
    pub modprobe_live: u16,
    /// A target entered GOING after having been LIVE during this request.
    pub going_after_live: bool,
    /// modprobe exited 0 although some target was never LIVE while it ran and is not built in.
    pub lied: bool,
    /// The check after modprobe slept.
    pub slept: bool,
    /// All targets have been LIVE ever since modprobe exited 0.
    pub live_since_exit: bool,
    /// All targets have been LIVE ever since the shortcut's first look.
    pub live_since_shortcut: bool,
    /// During this `get_fs_type()`, an attempt to load a target failed.
    pub load_failed: bool,
    /// During this `get_fs_type()`, a target entered GOING, or was GOING when it began.
    pub went_going: bool,
    /// During this call, an attempt failed to load a module that the name concerns.
    pub attempt_failed: bool,
    /// During this call, a module that the name concerns entered GOING, or was GOING when it began.
    pub was_going: bool,
    /// Whose error the last `finit_module()` came to, if it came to one.
    pub error_of: ErrorOf,
}

/// Whose error a `finit_module()` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ErrorOf {
    /// Its own, or it came to none.
    Itself = 0,
    /// That of a running `finit_module()` which it had joined.
    Another = 1,
    /// A signal's.
    Signal = 2,
}

impl ErrorOf {
    fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::Itself,
            1 => Self::Another,
            _ => Self::Signal,
        }
    }
}

impl Task {
    /// No process: its word is 0.
    pub const NONE: Self = Self { pc: Pc::NotStarted, ..Self::IDLE };

    /// Before the call.
    pub const IDLE: Self = Self {
        pc: Pc::Idle,
        pos: 0,
        index: 0,
        ret: Ret::Zero,
        depth: 0,
        outer: [0; MAX_DEPTH],
        result: 0,
        stale: false,
        unresolved: false,
        request_live: 0,
        modprobe_live: 0,
        going_after_live: false,
        lied: false,
        slept: false,
        live_since_exit: false,
        live_since_shortcut: false,
        load_failed: false,
        went_going: false,
        attempt_failed: false,
        was_going: false,
        error_of: ErrorOf::Itself,
    };

    /// What a caller who carries no history would be in.
    pub fn without_history(self) -> Self {
        self.without_loads().without_failures()
    }

    fn without_loads(self) -> Self {
        Self {
            request_live: 0,
            modprobe_live: 0,
            going_after_live: false,
            lied: false,
            slept: false,
            live_since_exit: false,
            live_since_shortcut: false,
            load_failed: false,
            went_going: false,
            ..self
        }
    }

    fn without_failures(self) -> Self {
        Self { attempt_failed: false, was_going: false, error_of: ErrorOf::Itself, ..self }
    }

    /// What a caller who carries that history would be in.
    fn remembering(self, history: History) -> Self {
        match history {
            History::Loads => self.without_failures(),
            History::Failures => self.without_loads(),
            History::Both => self,
        }
    }

    /// The call has returned `ret`: nothing else is remembered.
    pub fn done(ret: Ret) -> Self {
        Self { pc: Pc::Done, ret, ..Self::IDLE }
    }
}

/// The shared state as a step sees it; notes what the step reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'m> {
    pub layout: &'m Layout,
    pub word: u128,
    pub reads: u128,
    pub writes: u128,
}

impl<'m> World<'m> {
    pub fn new(layout: &'m Layout, word: u128) -> Self {
        Self { layout, word, reads: 0, writes: 0 }
    }

    pub fn get(&mut self, field: Field) -> u64 {
        self.reads |= field.mask();
        field.get(self.word)
    }

    pub fn set(&mut self, field: Field, value: u64) {
        self.writes |= field.mask();
        field.set(&mut self.word, value);
    }

    /// One more, in a field that counts processes.
    pub fn one_more(&mut self, field: Field) {
        let now = self.get(field);
        let most = (1 << field.bits) - 1;
        self.set(field, if field.or_more { most.min(now + 1) } else { now + 1 });
    }

    /// What one less is, in a field that counts processes: of many and more, either as many and more
    /// or one less than many. Below 0 only in a model with a fault, or where more were counted.
    pub fn one_less(&mut self, field: Field) -> impl Iterator<Item = u64> + use<> {
        let now = self.get(field);
        debug_assert!(now > 0 || !self.layout.strict, "below 0");
        let many = field.or_more && now == (1 << field.bits) - 1;
        [Some(now.saturating_sub(1)), many.then_some(now)].into_iter().flatten()
    }

    pub fn state(&mut self, module: ModuleId) -> ModuleState {
        ModuleState::from_bits(self.get(self.layout.modules[usize::from(module)].state))
    }

    pub fn set_state(&mut self, module: ModuleId, state: ModuleState) {
        self.set(self.layout.modules[usize::from(module)].state, state as u64);
    }

    pub fn directory(&mut self, module: ModuleId) -> bool {
        self.get(self.layout.modules[usize::from(module)].directory) != 0
    }

    pub fn set_directory(&mut self, module: ModuleId, there: bool) {
        self.set(self.layout.modules[usize::from(module)].directory, u64::from(there));
    }

    pub fn initstate(&mut self, module: ModuleId) -> bool {
        self.get(self.layout.modules[usize::from(module)].initstate) != 0
    }

    pub fn set_initstate(&mut self, module: ModuleId, there: bool) {
        self.set(self.layout.modules[usize::from(module)].initstate, u64::from(there));
    }

    pub fn registered(&mut self, module: ModuleId) -> bool {
        self.get(self.layout.modules[usize::from(module)].registered) != 0
    }

    pub fn set_registered(&mut self, module: ModuleId, there: bool) {
        self.set(self.fields(module).registered, u64::from(there));
    }

    pub fn name(&self, name: NameId) -> NameFields {
        self.layout.names[usize::from(name)]
    }

    pub fn flag(&mut self, field: Field) -> bool {
        self.get(field) != 0
    }

    pub fn set_flag(&mut self, field: Field, value: bool) {
        self.set(field, u64::from(value));
    }

    pub fn fields(&self, module: ModuleId) -> &'m ModuleFields {
        &self.layout.modules[usize::from(module)]
    }

    /// Whether a module other than `module` holds a reference on it.
    pub fn has_dependents(&mut self, scenario: &Scenario, module: ModuleId) -> bool {
        let mut held = false;
        for (dependent, fields) in scenario.modules.iter().zip(&self.layout.modules) {
            for (dependency, holds) in dependent.dependencies.iter().zip(&fields.holds) {
                held |= *dependency == module && self.get(*holds) != 0;
            }
        }
        held
    }

    /// `module_unload_free()`: gives back every reference that `module` holds.
    pub fn release_dependencies(&mut self, module: ModuleId) {
        for holds in &self.fields(module).holds {
            self.set(*holds, 0);
        }
    }
}
