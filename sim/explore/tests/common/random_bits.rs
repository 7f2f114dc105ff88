//! Small systems drawn at random whose steps look at some bits of the shared state and assign some:
//! so that there are steps that commute. Each is named by a seed.

use kmodcheck_explore::{
    Asks, Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Monitor, Queue, Shared, Step,
    System, WayOut,
};

/// A step's name: whose table entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub kind: u8,
    pub local: u8,
    pub choice: u8,
}

/// How many properties each system comes with.
pub const PROPERTIES: u32 = 6;

const QUEUES: u8 = 2;

/// One entry of the step table: taken if the bits of `mask` are as in `value`.
#[derive(Clone, Copy, Debug)]
struct Entry {
    mask: Shared,
    value: Shared,
    writes: Shared,
    written: Shared,
    /// Copies this bit to the bits written, instead of `written`.
    copies: Option<u32>,
    local: u8,
    effect: Effect,
    way_out: WayOut,
}

/// What a process in a local state remembers: this bit coming to have this value.
#[derive(Clone, Copy, Debug)]
struct Memory {
    bit: u32,
    set: bool,
    local: u8,
    /// Only while this bit is set: something that no step need have read.
    provided: Option<u32>,
}

#[derive(Clone, Debug)]
struct Table {
    /// By local state.
    steps: Vec<Vec<Entry>>,
    memory: Vec<Option<Memory>>,
    wake: Vec<Option<(Queue, u8)>>,
    returned: Vec<bool>,
}

/// A step of that name or to that local state was taken while these bits were so, before or after.
#[derive(Clone, Copy, Debug)]
struct Property {
    kind: u8,
    from: Option<u8>,
    to: Option<u8>,
    mask: Shared,
    value: Shared,
    before: bool,
}

/// A system drawn at random.
#[derive(Clone, Debug)]
pub struct RandomBits {
    bits: u32,
    tables: Vec<Table>,
    initial: Initial,
    properties: Vec<Property>,
    /// Bits that steps read and do not declare.
    hidden: Shared,
    /// Bits that properties depend on and do not declare.
    unseen: Shared,
    /// Whether properties say nothing about what they depend on.
    silent: bool,
}

impl RandomBits {
    /// The system of that seed: the same one each time.
    pub fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let bits = rng.u32(2..=7);
        let kinds = rng.u8(1..=3);
        let locals = rng.u8(4..=7);
        let processes = rng.usize(2..=4);
        let mut initial = Initial { shared: rng.u128(0..1 << bits), processes: Vec::new() };
        for _ in 0..processes {
            initial.processes.push((Kind(rng.u8(0..kinds)), Local::from(rng.u8(1..locals))));
        }
        if rng.bool() {
            let (first, _) = initial.processes.split_at_mut(processes / 2 + 1);
            first.fill(first[0]);
        }
        let mut pools = Vec::new();
        if rng.u8(0..3) == 0 {
            for _ in 0..rng.usize(1..=2) {
                let kind = rng.u8(0..kinds);
                pools.push(kind);
                let at = rng.usize(0..=initial.processes.len());
                initial.processes.insert(at, (Kind(kind), DORMANT));
            }
        }
        let remembers = rng.bool();
        let tables = (0..kinds).map(|_| table(&mut rng, bits, locals, remembers, &pools)).collect();
        let properties = (0..PROPERTIES).map(|_| property(&mut rng, bits, kinds, locals)).collect();
        let mut lie = |often| if rng.u8(0..often) == 0 { 1 << rng.u32(0..bits) } else { 0 };
        let (hidden, unseen) = (lie(8), lie(8));
        let silent = rng.u8(0..8) == 0;
        Self { bits, tables, initial, properties, hidden, unseen, silent }
    }

    pub fn lies(&self) -> bool {
        self.hidden != 0
    }

    /// The properties that a step violates.
    pub fn violated_by(&self, kind: Kind, (from, to): (Local, Local), shared: [Shared; 2]) -> u64 {
        let mut violated = 0;
        for (number, property) in self.properties.iter().enumerate() {
            let at = if property.before { shared[0] } else { shared[1] };
            let holds = property.kind == kind.0
                && property.from.is_none_or(|local| Local::from(local) == from)
                && property.to.is_none_or(|local| Local::from(local) == to)
                && at & property.mask == property.value;
            violated |= u64::from(holds) << number;
        }
        violated
    }
}

fn property(rng: &mut fastrand::Rng, bits: u32, kinds: u8, locals: u8) -> Property {
    let mask = match rng.u8(0..4) {
        0 => 0,
        1 => 1 << rng.u32(0..bits) | 1 << rng.u32(0..bits),
        _ => 1 << rng.u32(0..bits),
    };
    let one = rng.u8(0..3);
    Property {
        kind: rng.u8(0..kinds),
        from: (one != 0).then(|| rng.u8(1..locals)),
        to: (one != 1).then(|| rng.u8(0..locals)),
        mask,
        value: rng.u128(..) & mask,
        before: rng.bool(),
    }
}

fn table(rng: &mut fastrand::Rng, bits: u32, locals: u8, remembers: bool, pools: &[u8]) -> Table {
    let few = |rng: &mut fastrand::Rng| match rng.u8(0..8) {
        0..4 => 0,
        4..7 => 1 << rng.u32(0..bits),
        _ => 1 << rng.u32(0..bits) | 1 << rng.u32(0..bits),
    };
    // Mostly on and on, so that not everything is a loop.
    let forward = rng.u8(0..4) != 0;
    let mut table = Table {
        steps: vec![Vec::new()],
        memory: vec![None],
        wake: vec![None],
        returned: vec![false],
    };
    for local in 1..locals {
        let sleeps = rng.u8(0..8) == 0;
        let returned = !sleeps && (local == locals - 1 || rng.u8(0..10) == 0);
        let many = match (sleeps, returned) {
            (true, _) => usize::from(rng.u8(0..6) == 0),
            (_, true) => usize::from(rng.u8(0..6) == 0),
            _ => [1, 1, 1, 1, 1, 1, 2, 3][rng.usize(0..8)],
        };
        let mut entry = || {
            let (mask, writes) = (few(rng), few(rng));
            let to = match rng.u8(0..20) {
                0 => 0,
                _ if forward && rng.u8(0..8) != 0 => (local + 1).min(locals - 1),
                _ => rng.u8(1..locals),
            };
            Entry {
                mask,
                value: rng.u128(..) & mask,
                writes,
                written: rng.u128(..) & writes,
                copies: (rng.u8(0..6) == 0).then(|| rng.u32(0..bits)),
                local: to,
                effect: match rng.u8(0..100) {
                    0..5 => Effect::WakeAll(Queue(rng.u8(0..QUEUES))),
                    5..10 => Effect::WakeOne(Queue(rng.u8(0..QUEUES))),
                    10..20 if !pools.is_empty() => Effect::Spawn(
                        Kind(pools[rng.usize(0..pools.len())]),
                        Local::from(rng.u8(1..locals)),
                    ),
                    _ => Effect::None,
                },
                way_out: match rng.u8(0..30) {
                    0 => WayOut::TimeOut,
                    1 => WayOut::Killed,
                    _ => WayOut::Ordinary,
                },
            }
        };
        let steps = (0..many).map(|_| entry()).collect();
        table.steps.push(steps);
        table.memory.push((remembers && rng.u8(0..3) == 0).then(|| Memory {
            bit: rng.u32(0..bits),
            set: rng.bool(),
            local: if rng.u8(0..12) == 0 { 0 } else { rng.u8(1..locals) },
            provided: (rng.u8(0..4) == 0).then(|| rng.u32(0..bits)),
        }));
        table.wake.push(sleeps.then(|| {
            let to = if rng.u8(0..12) == 0 { 0 } else { rng.u8(1..locals) };
            (Queue(rng.u8(0..QUEUES)), to)
        }));
        table.returned.push(returned);
    }
    table
}

impl System for RandomBits {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.bits
    }

    fn local_bits(&self) -> u32 {
        3
    }

    fn initial(&self) -> Initial {
        self.initial.clone()
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        assert_ne!(local, DORMANT, "a dormant process was asked for a step");
        let entries = &self.tables[usize::from(kind.0)].steps[local as usize];
        // Whoever is offered a choice has looked at the guards of all.
        let guards = entries.iter().fold(0, |reads, entry| reads | entry.mask);
        for (number, entry) in entries.iter().enumerate() {
            if shared & entry.mask != entry.value {
                continue;
            }
            let (written, more) = match entry.copies {
                Some(bit) if shared >> bit & 1 != 0 => (entry.writes, 1 << bit),
                Some(bit) => (0, 1 << bit),
                None => (entry.written, 0),
            };
            choices.push(Choice {
                shared: shared & !entry.writes | written,
                local: Local::from(entry.local),
                effect: entry.effect,
                way_out: entry.way_out,
                footprint: Footprint {
                    reads: (guards | more) & !self.hidden,
                    writes: entry.writes,
                },
                label: Label { kind: kind.0, local: local as u8, choice: number as u8 },
            });
        }
    }

    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(DORMANT)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        assert_ne!(local, DORMANT, "a dormant process was shown a change");
        assert_ne!(before, after, "a process was shown a change that was none");
        match self.tables[usize::from(kind.0)].memory[local as usize] {
            Some(Memory { bit, set, local, provided })
                if (before ^ after) >> bit & 1 != 0
                    && (after >> bit & 1 != 0) == set
                    && provided.is_none_or(|bit| after >> bit & 1 != 0) =>
            {
                Local::from(local)
            }
            _ => local,
        }
    }

    fn remembered(&self) -> Shared {
        let memories = self.tables.iter().flat_map(|table| &table.memory).flatten();
        memories.fold(0, |bits, memory| bits | 1 << memory.bit)
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        let (asleep_on, to) = self.tables[usize::from(kind.0)].wake[local as usize]?;
        (asleep_on == queue).then(|| Local::from(to))
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.tables[usize::from(kind.0)].returned[local as usize]
    }
}

impl Monitor<Label> for &RandomBits {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        let locals = (step.local_before, step.local_after);
        self.violated_by(step.kind, locals, [step.before, step.after])
    }

    fn looks_at(&self, step: &Step<Label>) -> Shared {
        let (from, to) = (step.local_before, step.local_after);
        let of_such_a_step = self.properties.iter().filter(|property| {
            property.kind == step.kind.0
                && property.from.is_none_or(|local| Local::from(local) == from)
                && property.to.is_none_or(|local| Local::from(local) == to)
        });
        let bits = of_such_a_step.fold(0, |bits, property| bits | property.mask);
        if self.silent { Shared::MAX } else { bits & !self.unseen }
    }
}
