//! The packed state: what is shared, and what one caller (with the modprobe it waits for) remembers.
//!
//! The offset of each field is computed for each scenario, so that a state is as small as the
//! scenario allows. Every write asserts, in debug builds, that the value fits its field, and every
//! read that the field holds a legal value.

use std::fmt;

use crate::scenario::{ModuleId, Scenario};

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

    /// `finished_loading()` of v4.9: gone, LIVE or GOING.
    pub fn finished_loading(self) -> bool {
        !self.forming()
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

/// What a call or a helper came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Ret {
    /// 0.
    Zero = 0,
    /// Wait status 256: the helper exited 1.
    Status256 = 1,
    /// `-ENOENT`.
    Enoent = 2,
    /// `-EBUSY`.
    Ebusy = 3,
    /// `get_fs_type()` found it.
    Found = 4,
    /// `get_fs_type()` returned NULL.
    Null = 5,
}

impl Ret {
    fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::Zero,
            1 => Self::Status256,
            2 => Self::Enoent,
            3 => Self::Ebusy,
            4 => Self::Found,
            5 => Self::Null,
            _ => unreachable!("result {bits}"),
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zero => "0",
            Self::Status256 => "256",
            Self::Enoent => "-ENOENT",
            Self::Ebusy => "-EBUSY",
            Self::Found => "the file system",
            Self::Null => "NULL",
        })
    }
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
                    $(b if b == Self::$name as u64 => Self::$name,)*
                    _ => unreachable!("place {bits}"),
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
    /// The RFC's shortcut.
    AlreadyLive = "already-live",
    /// `finished_kmod_load()` before modprobe: `kmod_exists()`.
    PreExists = "pre-exists",
    /// The same: `finished_loading()`.
    PreFinished = "pre-finished",
    /// Asleep on `module_wq` before modprobe.
    PreAsleep = "pre-asleep",
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
    /// `add_unformed_module()`.
    AddUnformed = "add-unformed-module",
    /// `finished_loading()`, awake.
    AddWait = "finished-loading",
    /// Asleep on `module_wq` in `add_unformed_module()`.
    AddAsleep = "add-asleep",
    /// `resolve_symbol()`, awake.
    Resolve = "resolve-symbol",
    /// Asleep on `module_wq` in `resolve_symbol_wait()`.
    ResolveAsleep = "resolve-asleep",
    /// `load_module()`'s error path.
    Unlink = "unlink",
    /// `complete_formation()`.
    CompleteFormation = "complete-formation",
    /// `mod_sysfs_init()`.
    SysfsInit = "mod-sysfs-init",
    /// `module_add_modinfo_attrs()`.
    AddModinfoAttrs = "add-modinfo-attrs",
    /// `do_one_initcall()`.
    Init = "init",
    /// A failing init takes its file system back.
    Unregister = "unregister",
    /// `mod->state = MODULE_STATE_LIVE`.
    SetLive = "set-live",
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
    /// `free_module()`: off the list.
    ListDel = "list-del",
    /// `wake_up_all()` after `free_module()`.
    WakeFreed = "wake-freed",
    /// modprobe exits.
    Exit = "exit",
    /// `call_usermodehelper_exec()` returns.
    HelperReturn = "helper-return",
    /// The check after modprobe: `kmod_exists()`.
    CheckExists = "check-exists",
    /// The check after modprobe: `finished_loading()`.
    CheckFinished = "check-finished",
    /// Asleep on `module_wq` in the check.
    CheckAsleep = "check-asleep",
    /// The check after modprobe: one look.
    CheckLook = "check-look",
    /// `__request_module()` returns.
    RequestReturn = "request-return",
    /// `get_fs_type()`: second `__get_fs_type()`.
    LookupSecond = "lookup-second",
    /// The call has returned.
    Done = "done",
}

impl Pc {
    /// In the interval from `__request_module()`'s beginning to its return.
    pub fn in_request(self) -> bool {
        self > Self::RequestModule && self <= Self::RequestReturn
    }

    /// In the interval from modprobe's exec to its exit.
    pub fn in_modprobe(self) -> bool {
        self >= Self::Open && self <= Self::Exit
    }

    /// After modprobe's exit, up to the check.
    pub fn before_check_ends(self) -> bool {
        self >= Self::HelperReturn && self <= Self::CheckLook
    }

    /// Asleep on `module_wq`, and where it goes on when woken.
    pub fn woken(self) -> Option<Self> {
        match self {
            Self::PreAsleep => Some(Self::PreFinished),
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
}

impl Field {
    pub fn mask(self) -> u128 {
        ((1_u128 << self.bits) - 1) << self.at
    }

    pub fn get(self, word: u128) -> u64 {
        ((word >> self.at) as u64) & ((1 << self.bits) - 1)
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
        let field = Field { at: self.at, bits };
        self.at += bits;
        field
    }
}

/// How many bits hold `0..=max`.
fn bits_for(max: usize) -> u32 {
    usize::BITS - max.leading_zeros()
}

/// The shared fields of one module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModuleFields {
    pub state: Field,
    pub directory: Field,
    pub initstate: Field,
    /// No bits for a module that registers nothing.
    pub registered: Field,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub modules: Vec<ModuleFields>,
    pub shared_bits: u32,
    pc: Field,
    pos: Field,
    index: Field,
    ret: Field,
    stale: Field,
    /// No bits where nothing has a dependency.
    unresolved: Field,
    request_live: Field,
    modprobe_live: Field,
    going_after_live: Field,
    lied: Field,
    slept: Field,
    live_since_exit: Field,
    live_since_shortcut: Field,
    load_failed: Field,
    went_going: Field,
    pub local_bits: u32,
    /// The bits of a caller's word that are history: `request_live` and all that follow it.
    history: u64,
}

impl Layout {
    /// `plan`: the number of entries of modprobe's plan.
    pub fn new(scenario: &Scenario, plan: usize, names: usize) -> Self {
        let mut shared = Fields::default();
        let modules = scenario
            .modules
            .iter()
            .map(|module| ModuleFields {
                state: shared.next(3),
                directory: shared.next(1),
                initstate: shared.next(1),
                registered: shared.next(u32::from(module.registers)),
            })
            .collect();
        let targets = scenario.targets().len() as u32;
        let dependencies = scenario.modules.iter().map(|m| m.dependencies.len()).max();
        let mut local = Fields::default();
        let mut layout = Self {
            modules,
            shared_bits: shared.at,
            pc: local.next(6),
            pos: local.next(bits_for(plan)),
            index: local.next(bits_for(dependencies.unwrap_or(0).max(names))),
            ret: local.next(3),
            stale: local.next(1),
            unresolved: local.next(u32::from(dependencies > Some(0))),
            request_live: local.next(targets),
            modprobe_live: local.next(targets),
            going_after_live: local.next(1),
            lied: local.next(1),
            slept: local.next(1),
            live_since_exit: local.next(1),
            live_since_shortcut: local.next(1),
            load_failed: local.next(1),
            went_going: local.next(1),
            local_bits: local.at,
            history: 0,
        };
        let end = 1_u128 << layout.local_bits.min(64);
        layout.history = (end - (1 << layout.request_live.at.min(64))) as u64;
        layout
    }

    /// The same local state with all history forgotten.
    pub fn without_history(&self, local: u64) -> u64 {
        local & !self.history
    }

    pub fn unpack(&self, local: u64) -> Task {
        let word = u128::from(local);
        let flag = |field: Field| field.get(word) != 0;
        Task {
            pc: Pc::from_bits(self.pc.get(word)),
            pos: self.pos.get(word) as u8,
            index: self.index.get(word) as u8,
            ret: Ret::from_bits(self.ret.get(word)),
            stale: flag(self.stale),
            unresolved: flag(self.unresolved),
            request_live: self.request_live.get(word) as u16,
            modprobe_live: self.modprobe_live.get(word) as u16,
            going_after_live: flag(self.going_after_live),
            lied: flag(self.lied),
            slept: flag(self.slept),
            live_since_exit: flag(self.live_since_exit),
            live_since_shortcut: flag(self.live_since_shortcut),
            load_failed: flag(self.load_failed),
            went_going: flag(self.went_going),
        }
    }

    pub fn pack(&self, task: &Task) -> u64 {
        let mut word = 0;
        self.pc.set(&mut word, task.pc as u64);
        self.pos.set(&mut word, u64::from(task.pos));
        self.index.set(&mut word, u64::from(task.index));
        self.ret.set(&mut word, task.ret as u64);
        self.stale.set(&mut word, u64::from(task.stale));
        self.unresolved.set(&mut word, u64::from(task.unresolved));
        self.request_live.set(&mut word, u64::from(task.request_live));
        self.modprobe_live.set(&mut word, u64::from(task.modprobe_live));
        self.going_after_live.set(&mut word, u64::from(task.going_after_live));
        self.lied.set(&mut word, u64::from(task.lied));
        self.slept.set(&mut word, u64::from(task.slept));
        self.live_since_exit.set(&mut word, u64::from(task.live_since_exit));
        self.live_since_shortcut.set(&mut word, u64::from(task.live_since_shortcut));
        self.load_failed.set(&mut word, u64::from(task.load_failed));
        self.went_going.set(&mut word, u64::from(task.went_going));
        debug_assert_eq!(self.unpack(word as u64), *task);
        word as u64
    }

    /// The place alone.
    pub fn pc(&self, local: u64) -> Pc {
        Pc::from_bits(self.pc.get(u128::from(local)))
    }

    /// The same local state at another place.
    pub fn with_pc(&self, local: u64, pc: Pc) -> u64 {
        let mut word = u128::from(local);
        self.pc.set(&mut word, pc as u64);
        word as u64
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
    /// Which dependency is being resolved, or which name the check is at.
    pub index: u8,
    /// Exit status, return value, or the call's result.
    pub ret: Ret,
    /// The open initstate file belongs to an attribute that was removed since.
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
}

impl Task {
    /// Before the call.
    pub const IDLE: Self = Self {
        pc: Pc::Idle,
        pos: 0,
        index: 0,
        ret: Ret::Zero,
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
    };

    /// The call has returned `ret`: nothing else is remembered.
    pub fn done(ret: Ret) -> Self {
        Self { pc: Pc::Done, ret, ..Self::IDLE }
    }
}

/// The shared state as a step sees it; notes what the step reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'m> {
    layout: &'m Layout,
    pub word: u128,
    pub reads: u128,
    pub writes: u128,
}

impl<'m> World<'m> {
    pub fn new(layout: &'m Layout, word: u128) -> Self {
        Self { layout, word, reads: 0, writes: 0 }
    }

    fn get(&mut self, field: Field) -> u64 {
        self.reads |= field.mask();
        field.get(self.word)
    }

    fn set(&mut self, field: Field, value: u64) {
        self.writes |= field.mask();
        field.set(&mut self.word, value);
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
        self.set(self.layout.modules[usize::from(module)].registered, u64::from(there));
    }
}
