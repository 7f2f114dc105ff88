//! A model small enough to be written down in every checker's language, so that counts can be
//! compared: callers of one module whose user space decides by the sysfs directory (kmod v19) or by
//! `initstate` alone (v20). A yardstick, too coarse to say anything about a kernel.

use kmodcheck_explore::Monitor;
use kmodcheck_explore::{
    Asks, Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Queue, Shared, Step, System,
    Transition, WayOut,
};

/// What the module list says of the module.
const MODULE: Shared = 0b111;
const ABSENT: Shared = 0;
const UNFORMED: Shared = 1;
const COMING: Shared = 2;
const LIVE: Shared = 3;
const GOING: Shared = 4;
/// The module's directory in sysfs is there.
const DIR: Shared = 1 << 3;
/// Its `initstate` is there.
const INI: Shared = 1 << 4;
/// The file system is registered.
const FS: Shared = 1 << 5;
/// Some load has failed.
pub const FAILED: Shared = 1 << 6;

/// Where a caller is. A step is named by where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum At {
    Dormant,
    Idle,
    Check,
    Open,
    Stat,
    Read,
    Add,
    Wait,
    SetComing,
    MkDir,
    MkInitstate,
    RunInit,
    SetLive,
    SetGoing,
    RmInitstate,
    RmDir,
    RmList,
    Exit0,
    Exit1,
    DoneOk,
    DoneNull,
    DoneErr,
}

const ALL: [At; 22] = [
    At::Dormant,
    At::Idle,
    At::Check,
    At::Open,
    At::Stat,
    At::Read,
    At::Add,
    At::Wait,
    At::SetComing,
    At::MkDir,
    At::MkInitstate,
    At::RunInit,
    At::SetLive,
    At::SetGoing,
    At::RmInitstate,
    At::RmDir,
    At::RmList,
    At::Exit0,
    At::Exit1,
    At::DoneOk,
    At::DoneNull,
    At::DoneErr,
];

impl At {
    /// The place that a local state stands for.
    pub fn of(local: Local) -> Self {
        ALL[local as usize]
    }
}

/// The model with a number of callers.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceModel {
    /// How many.
    pub callers: usize,
    /// User space takes a directory without `initstate` for a loaded module, as kmod v19 does.
    pub v19: bool,
}

impl ReferenceModel {
    /// Whether some caller was told that all is well, finds nothing, and no load ever failed.
    pub fn violating(shared: Shared, locals: &[Local]) -> bool {
        shared & FAILED == 0 && locals.iter().any(|local| At::of(*local) == At::DoneNull)
    }

    /// Whether a transition leads to a violating state. More transitions do than there are such
    /// states.
    pub fn enters_violating(transition: &Transition<'_, At>) -> bool {
        Self::violating(transition.after.shared, &transition.after.locals)
    }
}

impl System for ReferenceModel {
    type Label = At;

    fn shared_bits(&self) -> u32 {
        7
    }

    fn local_bits(&self) -> u32 {
        5
    }

    fn initial(&self) -> Initial {
        Initial { shared: ABSENT, processes: vec![(Kind(0), At::Idle as Local); self.callers] }
    }

    fn step(&self, _: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<At>>) {
        let at = At::of(local);
        let module = shared & MODULE;
        // Which bits the guard looks at, which are assigned, and to what.
        let mut go = |reads: Shared, writes: Shared, value: Shared, next: At| {
            choices.push(Choice {
                shared: shared & !writes | value,
                local: next as Local,
                effect: Effect::None,
                way_out: WayOut::Ordinary,
                footprint: Footprint { reads, writes },
                label: at,
            });
        };
        let has = |bit: Shared| shared & bit != 0;
        match at {
            At::Idle => go(0, 0, 0, At::Check),
            At::Check => go(FS, 0, 0, if has(FS) { At::DoneOk } else { At::Open }),
            At::Open => go(INI, 0, 0, if has(INI) { At::Read } else { At::Stat }),
            At::Stat if self.v19 => go(DIR, 0, 0, if has(DIR) { At::Exit0 } else { At::Add }),
            At::Stat => go(0, 0, 0, At::Add),
            At::Read => go(MODULE, 0, 0, if module == LIVE { At::Exit0 } else { At::Add }),
            At::Add => match module {
                ABSENT => go(MODULE, MODULE, UNFORMED, At::SetComing),
                LIVE | GOING => go(MODULE, 0, 0, At::Exit0),
                _ => go(MODULE, 0, 0, At::Wait),
            },
            At::Wait if matches!(module, LIVE | ABSENT) => go(MODULE, 0, 0, At::Add),
            At::SetComing => go(0, MODULE, COMING, At::MkDir),
            At::MkDir => go(0, DIR, DIR, At::MkInitstate),
            At::MkInitstate => go(0, INI, INI, At::RunInit),
            At::RunInit => {
                go(0, FS, FS, At::SetLive);
                go(0, FAILED, FAILED, At::SetGoing);
            }
            At::SetLive => go(0, MODULE, LIVE, At::Exit0),
            At::SetGoing => go(0, MODULE, GOING, At::RmInitstate),
            At::RmInitstate => go(0, INI, 0, At::RmDir),
            At::RmDir => go(0, DIR, 0, At::RmList),
            At::RmList => go(0, MODULE, ABSENT, At::Exit1),
            At::Exit0 => go(FS, 0, 0, if has(FS) { At::DoneOk } else { At::DoneNull }),
            At::Exit1 => go(0, 0, 0, At::DoneErr),
            At::Wait | At::Dormant | At::DoneOk | At::DoneNull | At::DoneErr => {}
        }
    }

    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(DORMANT)
    }

    fn observe(&self, _: Kind, _: Shared, _: Shared, local: Local) -> Local {
        local
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, local: Local) -> bool {
        matches!(At::of(local), At::DoneOk | At::DoneNull | At::DoneErr)
    }
}

/// Counts the steps into a violation.
pub struct Violations;

impl Monitor<At> for Violations {
    type Tally = u64;
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<At>) -> u64 {
        u64::from(ReferenceModel::violating(step.after, &[step.local_after]))
    }

    fn looks_at(&self, _: &Step<At>) -> Shared {
        FAILED
    }

    fn record_step(&self, tally: &mut u64, _: &Step<At>, violated: u64, times: u64) {
        *tally += violated * times;
    }
}
