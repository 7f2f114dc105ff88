//! Small systems written by hand.

use kmodcheck_explore::{
    Asks, Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Monitor, Queue, Shared, Step,
    System, WayOut,
};

/// A step: of a kind, from a local state, sets bits, to a local state.
#[derive(Clone, Copy)]
pub struct Sets(pub u8, pub Local, pub Shared, pub Local, pub Effect);

/// A kind in a local state remembers that a bit is set, as one local state if another bit is set
/// then, and as another one if not.
#[derive(Clone, Copy)]
pub struct Remembers {
    pub kind: u8,
    pub local: Local,
    pub bit: Shared,
    pub provided: Shared,
    pub to: Local,
    pub otherwise: Local,
}

/// A system of that. A step is called by where it starts.
pub struct Hand {
    pub processes: Vec<(Kind, Local)>,
    pub steps: Vec<Sets>,
    pub remembers: Vec<Remembers>,
}

impl System for Hand {
    type Label = (u8, Local);

    fn shared_bits(&self) -> u32 {
        4
    }

    fn local_bits(&self) -> u32 {
        4
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: self.processes.clone() }
    }

    fn step(
        &self,
        kind: Kind,
        shared: Shared,
        local: Local,
        choices: &mut Vec<Choice<(u8, Local)>>,
    ) {
        let mine = self.steps.iter().filter(|step| (step.0, step.1) == (kind.0, local));
        choices.extend(mine.map(|Sets(_, _, bits, to, effect)| Choice {
            shared: shared | bits,
            local: *to,
            effect: *effect,
            way_out: WayOut::Ordinary,
            footprint: Footprint { reads: 0, writes: *bits },
            label: (kind.0, local),
        }));
    }

    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(DORMANT)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        let memory = self.remembers.iter().find(|memory| {
            (memory.kind, memory.local) == (kind.0, local) && (before ^ after) & memory.bit != 0
        });
        let of = |memory: &Remembers| {
            if after & memory.provided != 0 { memory.to } else { memory.otherwise }
        };
        memory.map_or(local, of)
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, _: Local) -> bool {
        true
    }
}

/// Property `i`: a step was taken from local state `i`, by whomever.
pub struct StepsFrom;

impl Monitor<(u8, Local)> for StepsFrom {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<(u8, Local)>) -> u64 {
        1 << step.local_before
    }

    fn looks_at(&self, _: &Step<(u8, Local)>) -> Shared {
        0
    }
}
