//! Random systems with more processes than they were drawn with, and their properties asked without
//! process numbers.

use super::random_system::{Label, PROPERTIES, RandomSystem};
use kmodcheck_explore::{
    Asks, Census, Choice, Initial, Kind, Local, Monitor, Queue, Shared, Step, System,
};

/// A random system with its processes repeated.
pub struct Crowd<'a> {
    system: &'a RandomSystem,
    initial: Initial,
}

impl<'a> Crowd<'a> {
    /// With at most so many processes.
    pub fn new(seed: u64, system: &'a RandomSystem, most: usize) -> Self {
        let mut initial = system.initial();
        let drawn = initial.processes.clone();
        // No two processes of a spawning system share a pool that grows with them: keep it as drawn.
        let spawns = drawn.iter().any(|(kind, local)| system.dormant(*kind) == Some(*local));
        let many = if spawns { drawn.len() + 2 } else { 1 + seed as usize % most };
        let awake: Vec<_> =
            drawn.iter().filter(|(k, local)| system.dormant(*k) != Some(*local)).collect();
        let mut again = awake.iter().cycle();
        while initial.processes.len() < many {
            initial.processes.push(**again.next().expect("somebody is awake"));
        }
        Self { system, initial }
    }
}

impl System for Crowd<'_> {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.system.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.system.local_bits()
    }

    fn initial(&self) -> Initial {
        self.initial.clone()
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        self.system.step(kind, shared, local, choices);
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.system.dormant(kind)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.system.observe(kind, before, after, local)
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        self.system.wake(kind, local, queue)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.system.returned(kind, local)
    }
}

/// The properties of a random system, asked with processes put into slots by kind.
pub struct Slots<'a> {
    system: &'a RandomSystem,
    kinds: Vec<Kind>,
}

impl<'a> Slots<'a> {
    pub fn of(system: &'a RandomSystem) -> Self {
        let processes = system.initial().processes;
        Self { system, kinds: processes.into_iter().map(|(kind, _)| kind).collect() }
    }

    /// Everybody's local state, the actor's in the first slot of its kind.
    fn fill(&self, kind: Kind, local: Local, census: &dyn Census) -> Vec<Local> {
        let actor = self.actor(kind);
        let mut locals = vec![0; self.kinds.len()];
        locals[actor] = local;
        for of in [Kind(0), Kind(1)] {
            let mut slots = (0..self.kinds.len()).filter(|i| self.kinds[*i] == of && *i != actor);
            // Both copies of a value of three bits.
            for value in 0..8 {
                let value: Local = value | value << 3;
                let actors = usize::from((of, value) == (kind, local));
                for _ in 0..census.count(of, value) - actors {
                    locals[slots.next().expect("as many slots as processes")] = value;
                }
            }
            assert_eq!(slots.next(), None, "as many processes as slots");
        }
        locals
    }

    fn actor(&self, kind: Kind) -> usize {
        self.kinds.iter().position(|k| *k == kind).expect("there is such a process")
    }
}

impl Monitor<Label> for Slots<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Counts;

    fn counts_violate(&self, step: &Step<Label>, before: &dyn Census, after: &dyn Census) -> u64 {
        let before = self.fill(step.kind, step.local_before, before);
        let after = self.fill(step.kind, step.local_after, after);
        let violated = self.system.violated(
            (step.before, &before),
            (step.after, &after),
            self.actor(step.kind),
            step.label,
        );
        assert!(violated < 1 << PROPERTIES);
        violated
    }
}
