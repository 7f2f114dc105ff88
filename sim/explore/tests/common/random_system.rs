//! Small systems drawn at random, as tables, each named by a seed.

use kmodcheck_explore::{
    Choice, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, Transition, WayOut,
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

/// Queues that systems use.
const QUEUES: u8 = 2;

/// What is bad about a transition: speaks of kinds and local states, never of a process's number.
#[derive(Clone, Copy, Debug)]
enum Property {
    /// A process of a kind went from one local state to another by a step of its own.
    Step { kind: u8, from: u8, to: u8 },
    /// The shared state changed like this.
    Shared { before: u8, after: u8 },
    /// So many processes of a kind are in one local state afterwards, with the shared state such.
    Together { kind: u8, local: u8, count: usize, shared: u8 },
    /// A step of that name was taken in that shared state.
    Taken { label: Label, shared: u8 },
}

/// One entry of the step table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    shared: u8,
    local: u8,
    effect: Effect,
    way_out: WayOut,
    /// Leaves out what it reads and writes.
    generous: bool,
}

/// One kind's tables.
#[derive(Clone, Debug)]
struct Table {
    /// By shared and local state.
    steps: Vec<Vec<Vec<Entry>>>,
    /// By local state: the queue it sleeps on and where it wakes.
    wake: Vec<Option<(Queue, u8)>>,
    /// By local state, shared state before and after.
    observe: Vec<Vec<Vec<u8>>>,
    /// By local state.
    returned: Vec<bool>,
}

/// Where the values are in the words: twice, at the low end and at the high end, so that any width
/// can be filled. The order of values is kept, unless `swaps` is not 0: bits that are flipped in each local
/// state, so that some other word than 0 is dormant.
#[derive(Clone, Copy, Debug)]
struct Placement {
    shared_bits: u32,
    local_bits: u32,
    swaps: u8,
}

/// Bits of one copy of a value.
const BITS: u32 = 3;

impl Placement {
    fn shared(self, value: u8) -> Shared {
        let value = Shared::from(value);
        value | value << (self.shared_bits - BITS)
    }

    fn local(self, value: u8) -> Local {
        let value = Local::from(value ^ self.swaps);
        value | value << (self.local_bits - BITS)
    }

    fn shared_value(self, word: Shared) -> u8 {
        let value = (word >> (self.shared_bits - BITS)) as u8;
        assert_eq!(self.shared(value), word, "not a shared state of this system");
        value
    }

    fn local_value(self, word: Local) -> u8 {
        let value = (word >> (self.local_bits - BITS)) as u8 ^ self.swaps;
        assert_eq!(self.local(value), word, "not a local state of this system");
        value
    }
}

/// How many values of each there are in a system.
#[derive(Clone, Copy, Debug)]
pub struct Shapes {
    pub kinds: u8,
    pub shared: u8,
    pub local: u8,
    /// Whether some step spawns a process.
    pub spawns: bool,
}

/// A system drawn at random.
#[derive(Clone, Debug)]
pub struct RandomSystem {
    tables: Vec<Table>,
    shared: u8,
    processes: Vec<(u8, u8)>,
    properties: Vec<Property>,
    placement: Placement,
}

impl RandomSystem {
    /// The system of that seed: the same one each time.
    pub fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let kinds = rng.u8(1..=2);
        let shared_values = rng.u8(2..=5);
        let local_values = rng.u8(3..=6);
        let pool = if rng.u8(0..3) == 0 { rng.usize(1..=2) } else { 0 };
        let most = if pool == 0 { 4 } else { 3 };
        let mut processes: Vec<(u8, u8)> =
            (0..rng.u8(1..=most)).map(|_| (rng.u8(0..kinds), rng.u8(1..local_values))).collect();
        if rng.bool() {
            // Mostly alike, as callers are.
            let local = rng.u8(1..local_values);
            processes.iter_mut().for_each(|process| process.1 = local);
        }
        let mut pools: Vec<u8> = Vec::new();
        for _ in 0..pool {
            let kind = rng.u8(0..kinds);
            pools.push(kind);
            processes.insert(rng.usize(0..=processes.len()), (kind, 0));
        }
        if pool == 0 && rng.u8(0..40) == 0 {
            pools.push(rng.u8(0..kinds));
        }
        let tables =
            (0..kinds).map(|_| table(&mut rng, shared_values, local_values, &pools)).collect();
        let properties = (0..PROPERTIES)
            .map(|number| match number % 4 {
                0 => Property::Step {
                    kind: rng.u8(0..kinds),
                    from: rng.u8(1..local_values),
                    to: rng.u8(0..local_values),
                },
                1 => Property::Shared {
                    before: rng.u8(0..shared_values),
                    after: rng.u8(0..shared_values),
                },
                2 => Property::Together {
                    kind: rng.u8(0..kinds),
                    local: rng.u8(1..local_values),
                    count: rng.usize(1..=3),
                    shared: rng.u8(0..shared_values),
                },
                _ => Property::Taken {
                    label: Label {
                        kind: rng.u8(0..kinds),
                        local: rng.u8(1..local_values),
                        choice: rng.u8(0..2),
                    },
                    shared: rng.u8(0..shared_values),
                },
            })
            .collect();
        Self {
            tables,
            shared: rng.u8(0..shared_values),
            processes,
            properties,
            placement: Placement {
                shared_bits: 2 * BITS,
                local_bits: 2 * BITS,
                swaps: if seed.is_multiple_of(2) { 0 } else { 3 },
            },
        }
    }

    /// How many values there are of each.
    pub fn shapes(&self) -> Shapes {
        Shapes {
            kinds: self.tables.len() as u8,
            shared: self.tables[0].steps.len() as u8,
            local: self.tables[0].wake.len() as u8,
            spawns: (self.tables.iter().flat_map(|t| &t.steps).flatten().flatten())
                .any(|entry| matches!(entry.effect, Effect::Spawn(..))),
        }
    }

    /// The word for a shared value.
    pub fn shared_word(&self, value: u8) -> Shared {
        self.placement.shared(value)
    }

    /// The word for a local value.
    pub fn local_word(&self, value: u8) -> Local {
        self.placement.local(value)
    }

    /// The same system with states that fill `words` words, if fields can be that wide.
    pub fn widened(&self, words: u32) -> Option<Self> {
        let processes = self.processes.len() as u32;
        let local_bits = ((64 * words - 2 * BITS) / processes).min(64);
        let shared_bits = (64 * words - processes * local_bits).min(128);
        let bits = shared_bits + processes * local_bits;
        let fills = words == 1 || bits > 32 * words;
        (local_bits >= 2 * BITS && fills).then(|| Self {
            placement: Placement { shared_bits, local_bits, ..self.placement },
            ..self.clone()
        })
    }

    /// The properties that a transition violates, one bit each.
    pub fn violated(
        &self,
        (shared_before, before): (Shared, &[Local]),
        (shared_after, after): (Shared, &[Local]),
        actor: usize,
        step: Label,
    ) -> u64 {
        let at = self.placement;
        let (shared_before, shared_after) =
            (at.shared_value(shared_before), at.shared_value(shared_after));
        let actor_kind = self.processes[actor].0;
        let mut bits = 0;
        for (number, property) in self.properties.iter().enumerate() {
            let violated = match *property {
                Property::Step { kind, from, to } => {
                    kind == actor_kind
                        && at.local_value(before[actor]) == from
                        && at.local_value(after[actor]) == to
                }
                Property::Shared { before, after } => {
                    (before, after) == (shared_before, shared_after)
                }
                Property::Together { kind, local, count, shared } => {
                    let with = self.processes.iter().zip(after);
                    shared == shared_after
                        && with.filter(|(p, l)| p.0 == kind && at.local_value(**l) == local).count()
                            == count
                }
                Property::Taken { label, shared } => label == step && shared == shared_before,
            };
            bits |= u64::from(violated) << number;
        }
        bits
    }

    /// The properties that a transition of the crate violates.
    pub fn violated_by(&self, transition: &Transition<'_, Label>) -> u64 {
        let n = self.processes.len();
        self.violated(
            (transition.before.shared, &transition.before.locals[..n]),
            (transition.after.shared, &transition.after.locals[..n]),
            transition.actor,
            transition.label,
        )
    }
}

/// One kind's tables. `pools`: the kinds that may be spawned.
fn table(rng: &mut fastrand::Rng, shared_values: u8, local_values: u8, pools: &[u8]) -> Table {
    let mut wake = vec![None; usize::from(local_values)];
    let mut returned = vec![false; usize::from(local_values)];
    let mut idle = vec![false; usize::from(local_values)];
    for local in 1..usize::from(local_values) {
        match rng.u8(0..100) {
            0..30 => {
                // Now and then a wake-up ends the process, or leaves it asleep.
                let to = if rng.u8(0..12) == 0 { 0 } else { rng.u8(1..local_values) };
                wake[local] = Some((Queue(rng.u8(0..QUEUES)), to));
                idle[local] = rng.u8(0..8) != 0;
            }
            30..42 => {
                returned[local] = true;
                idle[local] = rng.u8(0..8) != 0;
            }
            _ => {}
        }
    }
    let entry = |rng: &mut fastrand::Rng, shared: u8| Entry {
        shared: if rng.u8(0..5) < 2 { shared } else { rng.u8(0..shared_values) },
        local: if rng.u8(0..25) == 0 { 0 } else { rng.u8(1..local_values) },
        effect: match rng.u8(0..100) {
            0..15 => Effect::WakeAll(Queue(rng.u8(0..QUEUES))),
            15..35 => Effect::WakeOne(Queue(rng.u8(0..QUEUES))),
            35..45 if !pools.is_empty() => {
                // Placed when the step is asked for: see `System::step`.
                Effect::Spawn(
                    Kind(pools[rng.usize(0..pools.len())]),
                    Local::from(rng.u8(1..local_values)),
                )
            }
            _ => Effect::None,
        },
        way_out: match rng.u8(0..30) {
            0 => WayOut::TimeOut,
            1 => WayOut::Killed,
            _ => WayOut::Ordinary,
        },
        generous: rng.bool(),
    };
    let mut steps = Vec::new();
    for shared in 0..shared_values {
        let mut by_local = vec![Vec::new()];
        for local in 1..usize::from(local_values) {
            let mut entries: Vec<Entry> = Vec::new();
            if !idle[local] {
                let many = [0, 1, 1, 1, 1, 1, 2, 2, 2, 3][rng.usize(0..10)];
                entries.extend((0..many).map(|_| entry(rng, shared)));
            } else if wake[local].is_some() && rng.u8(0..6) == 0 {
                let way_out = if rng.bool() { WayOut::TimeOut } else { WayOut::Killed };
                entries.push(Entry { way_out, ..entry(rng, shared) });
            }
            by_local.push(entries);
        }
        steps.push(by_local);
    }
    let remembers = rng.bool();
    let observe = (0..local_values)
        .map(|local| {
            let mut remembered = || match rng.u8(0..100) {
                0..10 if remembers => rng.u8(1..local_values),
                10 if remembers => 0,
                _ => local,
            };
            let mut row = || (0..shared_values).map(|_| remembered()).collect();
            (0..shared_values).map(|_| row()).collect()
        })
        .collect();
    Table { steps, wake, observe, returned }
}

impl System for RandomSystem {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.placement.shared_bits
    }

    fn local_bits(&self) -> u32 {
        self.placement.local_bits
    }

    fn initial(&self) -> Initial {
        let at = self.placement;
        Initial {
            shared: at.shared(self.shared),
            processes: self.processes.iter().map(|(k, l)| (Kind(*k), at.local(*l))).collect(),
        }
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        assert_ne!(local, self.placement.local(0), "a dormant process was asked for a step");
        let at = self.placement;
        let all = at.shared((1 << BITS) - 1);
        let (from, value) = (at.shared_value(shared), at.local_value(local));
        let entries =
            &self.tables[usize::from(kind.0)].steps[usize::from(from)][usize::from(value)];
        choices.extend(entries.iter().enumerate().map(|(number, entry)| {
            let after = at.shared(entry.shared);
            Choice {
                shared: after,
                local: at.local(entry.local),
                effect: match entry.effect {
                    Effect::Spawn(kind, value) => Effect::Spawn(kind, at.local(value as u8)),
                    effect => effect,
                },
                way_out: entry.way_out,
                footprint: if entry.generous {
                    Footprint::EVERYTHING
                } else {
                    Footprint { reads: all, writes: shared ^ after }
                },
                label: Label { kind: kind.0, local: value, choice: number as u8 },
            }
        }));
    }

    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(self.placement.local(0))
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        assert_ne!(local, self.placement.local(0), "a dormant process was shown a change");
        assert_ne!(before, after, "a process was shown a change that was none");
        let at = self.placement;
        let table = &self.tables[usize::from(kind.0)].observe[usize::from(at.local_value(local))];
        at.local(table[usize::from(at.shared_value(before))][usize::from(at.shared_value(after))])
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        let at = self.placement;
        let (asleep_on, to) =
            self.tables[usize::from(kind.0)].wake[usize::from(at.local_value(local))]?;
        (asleep_on == queue).then(|| at.local(to))
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.tables[usize::from(kind.0)].returned[usize::from(self.placement.local_value(local))]
    }
}
