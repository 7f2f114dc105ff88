//! What one caller remembers, with the modprobe it waits for.

use super::{History, MAX_DEPTH, Pc, Ret};

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
    /// In the exec of how many modprobes this request is made, each in the request of the one before; see
    /// [`crate::scenario::Scenario::exec_requests`].
    pub execs: u8,
    /// Where the modprobes are whose `finit_module()` runs those inits.
    pub outer: [u8; MAX_DEPTH],
    /// What a modprobe that is not kmod's remembers: bit 0: it has tried `finit_module()` and calls `init_module()` now; then
    /// one bit for each module that it has found in /proc/modules or loaded itself.
    pub marks: u32,
    /// The same of the modprobes whose `finit_module()` runs those inits.
    pub outer_marks: [u32; MAX_DEPTH],
    /// Its own program, in the state in which it is; 0: it has none.
    pub program: u32,
    /// By depth, the program of an init or exit that runs there; 0: none has begun.
    pub inner: [u32; MAX_DEPTH + 1],
    /// By depth, one bit: whether the init that runs there, or has just returned, has scheduled an asynchronous function
    /// itself (PF_USED_ASYNC).
    pub used_async: u16,
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
    /// While the last `finit_module()` waited for another attempt to load its module, that module's
    /// init has returned; until modprobe exits.
    pub waited_for_init: bool,
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
    pub(super) fn from_bits(bits: u64) -> Self {
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
        execs: 0,
        outer: [0; MAX_DEPTH],
        marks: 0,
        outer_marks: [0; MAX_DEPTH],
        program: 0,
        inner: [0; MAX_DEPTH + 1],
        used_async: 0,
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
        waited_for_init: false,
        error_of: ErrorOf::Itself,
    };

    /// Whether this is a request that a request of the process itself waits for.
    pub fn is_nested(&self) -> bool {
        self.depth > 0 || self.execs > 0
    }

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
        Self {
            attempt_failed: false,
            was_going: false,
            waited_for_init: false,
            error_of: ErrorOf::Itself,
            ..self
        }
    }

    /// What a caller who carries that history would be in.
    pub(super) fn remembering(self, history: History) -> Self {
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
