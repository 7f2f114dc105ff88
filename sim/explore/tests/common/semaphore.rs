//! Processes that must not all be inside at once: a counter with a limit, beyond which they are
//! refused, and a door that only one can be in at a time.

use kmodcheck_explore::{
    Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};

/// Where a process is, or what it comes to by a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many steps outside are behind it.
    Outside(u8),
    InTheDoor,
    /// So many steps inside are behind it.
    Inside(u8),
    Done,
    Refused,
}

/// The low bit says whether somebody is in the door; above it, how many are inside.
const DOOR: Shared = 1;

#[derive(Clone, Copy, Debug)]
pub struct Semaphore {
    pub processes: usize,
    pub limit: u8,
    /// One at a time goes in.
    pub door: bool,
    /// The shared state says how many are inside; else nobody is refused.
    pub counter: bool,
    /// Steps before the door, and before leaving; at most 99 each.
    pub steps: (u8, u8),
}

const INSIDE: Local = 100;
const IN_THE_DOOR: Local = 200;
const DONE: Local = 201;
const REFUSED: Local = 202;

impl Place {
    pub fn of(local: Local) -> Self {
        match local {
            IN_THE_DOOR => Self::InTheDoor,
            DONE => Self::Done,
            REFUSED => Self::Refused,
            INSIDE.. => Self::Inside((local - INSIDE) as u8),
            _ => Self::Outside((local - 1) as u8),
        }
    }

    pub fn local(self) -> Local {
        match self {
            Self::Outside(behind) => 1 + Local::from(behind),
            Self::InTheDoor => IN_THE_DOOR,
            Self::Inside(behind) => INSIDE + Local::from(behind),
            Self::Done => DONE,
            Self::Refused => REFUSED,
        }
    }
}

impl System for Semaphore {
    type Label = Place;

    fn shared_bits(&self) -> u32 {
        9
    }

    fn local_bits(&self) -> u32 {
        8
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: vec![(Kind(0), Place::Outside(0).local()); self.processes] }
    }

    fn step(&self, _: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Place>>) {
        let one = if self.counter { 2 } else { 0 };
        let full = self.counter && shared >> 1 >= Shared::from(self.limit);
        let (before, inside) = self.steps;
        let go_in = || match full {
            true => (Place::Refused, shared & !DOOR),
            false => (Place::Inside(0), (shared & !DOOR) + one),
        };
        let (to, shared) = match Place::of(local) {
            Place::Outside(behind) if behind < before => (Place::Outside(behind + 1), shared),
            Place::Outside(_) if !self.door => go_in(),
            Place::Outside(_) if shared & DOOR != 0 => return,
            Place::Outside(_) => (Place::InTheDoor, shared | DOOR),
            Place::InTheDoor => go_in(),
            Place::Inside(behind) if behind < inside => (Place::Inside(behind + 1), shared),
            Place::Inside(_) => (Place::Done, shared - one),
            Place::Done | Place::Refused => return,
        };
        let footprint = Footprint { reads: 0x1ff, writes: 0x1ff };
        let (effect, way_out) = (Effect::None, WayOut::Ordinary);
        choices.push(Choice { shared, local: to.local(), effect, way_out, footprint, label: to });
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
        matches!(Place::of(local), Place::Done | Place::Refused)
    }
}
