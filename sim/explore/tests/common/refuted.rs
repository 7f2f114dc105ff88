//! Small systems in which a step is bad, and each would not be but for one thing that a step does. Of
//! each a claim is made that is false, and would be believed by whoever forgets that one thing.
//!
//! Written for the checker of certificates, whose rules they show; an explorer that decides for any number
//! of processes must not say of any of them that it holds, either.

use kmodcheck_explore::{
    Asks, Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Monitor, Queue, Shared, Step,
    System, WayOut,
};

/// A kind, in a shared state and from a local state, goes to a shared and a local state.
#[derive(Clone, Copy)]
pub struct Goes(pub u8, pub Shared, pub Local, pub Shared, pub Local, pub Effect);

/// A kind that sees the shared state become this in a local state goes to another one.
#[derive(Clone, Copy)]
pub struct Sees(pub u8, pub Shared, pub Local, pub Local);

/// A kind asleep in a local state is woken to another one.
#[derive(Clone, Copy)]
pub struct Wakes(pub u8, pub Local, pub Local);

/// History, in a local state. What is said of a local state without it is true of it with history,
/// too, which is kept; what is said of one with history is true of that one only.
pub const HISTORY: Local = 8;

/// Whoever gets here has taken a bad step.
pub const BAD: Local = 7;

/// And whoever gets here with history.
pub const BAD_WITH_HISTORY: Local = 6;

pub const NONE: Effect = Effect::None;
pub const ALL: Effect = Effect::WakeAll(Queue(0));
pub const ONE: Effect = Effect::WakeOne(Queue(0));

pub const fn spawn(kind: u8, local: Local) -> Effect {
    Effect::Spawn(Kind(kind), local)
}

/// What a claim excludes: a shared state, the local states in slots, and others.
pub type Element = (Shared, &'static [Local], &'static [(u8, Local)]);

/// A system that takes a bad step, and a claim that it does not.
#[derive(Clone, Copy)]
pub struct Refuted {
    /// The rule of the checker that refuses the claim, and no other does.
    pub rule: &'static str,
    /// What is wrong with the claim, in the checker's words.
    pub says: &'static str,
    /// The processes: kind and local state.
    pub processes: &'static [(u8, Local)],
    /// The kinds in any number.
    pub any_number: &'static [u8],
    /// The kinds without history.
    pub forgetful: &'static [u8],
    pub goes: &'static [Goes],
    pub sees: &'static [Sees],
    pub wakes: &'static [Wakes],
    /// What the claim excludes.
    pub excluded: &'static [Element],
}

/// Callers of kind 0, in any number.
pub const CALLERS: Refuted = Refuted {
    rule: "TagJudged",
    says: "",
    processes: &[(0, 1), (0, 1)],
    any_number: &[0],
    forgetful: &[],
    goes: &[],
    sees: &[],
    wakes: &[],
    excluded: &[],
};

/// Beside them one of kind 1, who forgets.
pub const ONE_FORGETS: Refuted =
    Refuted { processes: &[(0, 1), (0, 1), (1, 1)], forgetful: &[1], ..CALLERS };

/// Beside them any number of kind 1, who forget.
pub const MANY_FORGET: Refuted = Refuted { any_number: &[0, 1], ..ONE_FORGETS };

impl Refuted {
    /// The local state after `to`, from `local` by an entry that speaks of `from`.
    fn carry(from: Local, local: Local, to: Local) -> Local {
        if to == 0 { 0 } else { to | ((local ^ from) & HISTORY) }
    }

    /// Of entries that speak of these local states those that are true of `local`.
    fn applies(mut froms: impl Iterator<Item = Local>, local: Local) -> impl Fn(Local) -> bool {
        let exact = froms.any(|from| from == local);
        move |from| from == if exact { local } else { local & !HISTORY }
    }
}

/// The kind, where an entry starts and where it ends.
pub type Label = (u8, Local, Local);

impl System for Refuted {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        2
    }

    fn local_bits(&self) -> u32 {
        4
    }

    fn initial(&self) -> Initial {
        let processes = self.processes.iter().map(|(kind, local)| (Kind(*kind), *local));
        Initial { shared: 0, processes: processes.collect() }
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        let here = self.goes.iter().filter(move |g| (g.0, g.1) == (kind.0, shared));
        let applies = Self::applies(here.clone().map(|g| g.2), local);
        choices.extend(here.filter(|g| applies(g.2)).map(|Goes(_, _, from, after, to, effect)| {
            Choice {
                shared: *after,
                local: Self::carry(*from, local, *to),
                effect: *effect,
                way_out: WayOut::Ordinary,
                footprint: Footprint { reads: 3, writes: 3 },
                label: (kind.0, *from, *to),
            }
        }));
    }

    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(DORMANT)
    }

    fn observe(&self, kind: Kind, _: Shared, after: Shared, local: Local) -> Local {
        let here = self.sees.iter().filter(|s| (s.0, s.1) == (kind.0, after));
        let applies = Self::applies(here.clone().map(|s| s.2), local);
        let seen = here.clone().find(|s| applies(s.2));
        seen.map_or(local, |Sees(_, _, from, to)| Self::carry(*from, local, *to))
    }

    fn wake(&self, kind: Kind, local: Local, _: Queue) -> Option<Local> {
        let here = self.wakes.iter().filter(|w| w.0 == kind.0);
        let applies = Self::applies(here.clone().map(|w| w.1), local);
        let woken = here.clone().find(|w| applies(w.1));
        woken.map(|Wakes(_, from, to)| Self::carry(*from, local, *to))
    }

    fn anonymous(&self, _: Kind, local: Local) -> Local {
        local & !HISTORY
    }

    fn returned(&self, _: Kind, _: Local) -> bool {
        true
    }
}

/// Property 0: who gets to [`BAD`]. Property 1: who gets to [`BAD_WITH_HISTORY`] with history.
#[derive(Clone, Debug)]
pub struct Bad;

impl Monitor<Label> for Bad {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        let (_, _, to) = step.label;
        let remembers = step.local_before & HISTORY != 0;
        u64::from(to == BAD) | u64::from(to == BAD_WITH_HISTORY && remembers) << 1
    }
}

/// One caller sees the shared state become 1 while it makes it so, and is the only one in 4; others
/// remember that they saw it. There are never two in 4, of whom one could wake the other.
pub const FIRST: [Goes; 3] =
    [Goes(0, 0, 1, 1, 3, NONE), Goes(0, 2, 4, 2, 5, ONE), Goes(0, 2, 6, 2, BAD, NONE)];
pub const FIRST_SEES: [Sees; 2] = [Sees(0, 1, 3, 4), Sees(0, 1, 1, 2 | HISTORY)];
pub const TWICE: &[(u8, Local)] = &[(0, 4), (0, 4)];
pub const NEVER_TWICE: &[Element] = &[(1, &[], TWICE), (2, &[], TWICE)];

pub const REFUTED: &[Refuted] = &[
    Refuted {
        rule: "BeginsAlike",
        says: "any number: Kind(0) does not begin in one local state",
        processes: &[(0, 1), (0, 2)],
        goes: &[Goes(0, 0, 1, 0, BAD, NONE)],
        ..CALLERS
    },
    // The one who is tagged ends, and nobody is left beside whom the forgetful would be judged.
    Refuted {
        rule: "SomebodyWaits",
        says: "nobody of whom a property speaks comes in any number",
        processes: &[(0, 1), (1, 1), (2, 0)],
        any_number: &[2],
        forgetful: &[1],
        goes: &[Goes(0, 0, 1, 1, 0, NONE), Goes(1, 1, 1, 1, BAD, NONE)],
        ..CALLERS
    },
    // All callers end together.
    Refuted {
        rule: "EndsByItself",
        says: "of another process ends its tagged process",
        goes: &[Goes(1, 0, 1, 1, 2, NONE), Goes(1, 1, 2, 1, BAD, NONE)],
        sees: &[Sees(0, 1, 1, 0)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "PutsArrive",
        says: "is a violation",
        goes: &[Goes(1, 0, 1, 0, 2, NONE), Goes(1, 0, 2, 0, BAD, NONE)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "BystandersArrive",
        says: "is a violation",
        goes: &[Goes(0, 0, 1, 1, 2, NONE), Goes(0, 1, 2, 1, 1, NONE), Goes(1, 1, 1, 1, BAD, NONE)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "TableIsClosed",
        says: "is a violation",
        goes: &[Goes(1, 0, 1, 0, 2, NONE), Goes(1, 0, 2, 0, 3, NONE), Goes(1, 0, 3, 0, BAD, NONE)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "NotInitial",
        says: "excluded element 0: it contains an initial configuration",
        goes: &[Goes(0, 0, 1, 0, BAD, NONE)],
        excluded: &[(0, &[], &[])],
        ..CALLERS
    },
    Refuted {
        rule: "NotInitial",
        says: "excluded element 0: it contains an initial configuration",
        goes: &[Goes(0, 0, 1, 0, 2, ONE), Goes(0, 0, 3, 0, BAD, NONE)],
        wakes: &[Wakes(0, 1, 3)],
        excluded: &[(0, &[], &[(0, 1), (0, 1)])],
        ..CALLERS
    },
    Refuted {
        rule: "Closed",
        says: "excluded element 0: a step leads into it from Place { shared: 0",
        goes: &[Goes(0, 0, 1, 1, 2, NONE), Goes(0, 1, 2, 1, BAD, NONE)],
        excluded: &[(1, &[], &[(0, 2)])],
        ..CALLERS
    },
    // From the same place.
    Refuted {
        rule: "Closed",
        says: "excluded element 0: a step leads into it from Place { shared: 0",
        goes: &[Goes(0, 0, 1, 0, 2, NONE), Goes(0, 0, 2, 0, BAD, NONE)],
        excluded: &[(0, &[], &[(0, 2)])],
        ..CALLERS
    },
    // From the same place with one of the same less.
    Refuted {
        rule: "Closed",
        says: "excluded element 0: a step leads into it from Place { shared: 0",
        goes: &[Goes(0, 0, 1, 0, 2, NONE), Goes(0, 0, 2, 0, 3, ONE), Goes(0, 0, 4, 0, BAD, NONE)],
        wakes: &[Wakes(0, 2, 4)],
        excluded: &[(0, &[], &[(0, 2), (0, 2)])],
        ..CALLERS
    },
    // By a step of one in a slot.
    Refuted {
        rule: "Closed",
        says: "excluded element 0: a step leads into it from Place { shared: 0",
        goes: &[Goes(1, 0, 1, 1, 2, NONE), Goes(0, 1, 1, 1, BAD, NONE)],
        excluded: &[(1, &[2], &[(0, 1)])],
        ..ONE_FORGETS
    },
    // What a wake-up puts is the second.
    Refuted {
        rule: "EveryPut",
        says: "excluded element 0: a step leads into it from Place { shared: 0",
        processes: &[(0, 1), (0, 1), (1, 0), (1, 0)],
        goes: &[
            Goes(0, 0, 1, 0, 2, spawn(1, 5)),
            Goes(0, 0, 2, 0, 3, ONE),
            Goes(1, 0, 6, 0, BAD, NONE),
        ],
        wakes: &[Wakes(1, 5, 6)],
        excluded: &[(0, &[], &[(1, 6)])],
        ..MANY_FORGET
    },
    // Who is in 3 was there, or was in 4.
    Refuted {
        rule: "EveryOrigin",
        says: "excluded element",
        processes: &[(0, 4), (0, 4), (1, 1)],
        goes: &[Goes(1, 0, 1, 1, 2, NONE), Goes(1, 1, 2, 0, 1, NONE), Goes(0, 1, 3, 1, BAD, NONE)],
        sees: &[Sees(0, 1, 4, 3)],
        excluded: &[(0, &[1], &[(0, 3)]), (1, &[2], &[(0, 3)])],
        ..CALLERS
    },
    Refuted {
        rule: "InitialOfCrowd",
        says: "tagged: the initial",
        goes: &[Goes(0, 0, 1, 0, BAD, NONE)],
        ..CALLERS
    },
    Refuted {
        rule: "InitialInSlot",
        says: "tagged: the initial",
        goes: &[Goes(1, 0, 1, 0, BAD, NONE)],
        forgetful: &[],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "Listed",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 0, 2, NONE), Goes(0, 0, 2, 0, BAD, NONE)],
        ..CALLERS
    },
    Refuted {
        rule: "TagJudged",
        says: "is a violation",
        goes: &[Goes(0, 0, 1, 0, BAD, NONE)],
        ..CALLERS
    },
    Refuted {
        rule: "ForgetfulJudged",
        says: "is a violation",
        goes: &[Goes(1, 0, 1, 0, BAD, NONE)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "ForgetfulJudged",
        says: "is a violation",
        goes: &[Goes(1, 0, 1, 0, BAD, NONE)],
        ..MANY_FORGET
    },
    // There is one of kind 1, and he is there already.
    Refuted {
        rule: "SpawnHasPlace",
        says: "spawns a process without a place",
        goes: &[Goes(0, 0, 1, 0, 2, spawn(1, 2)), Goes(1, 0, 2, 0, BAD, NONE)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "ForgetfulSpawnsForgetful",
        says: "spawns a process without a place",
        processes: &[(0, 1), (1, 1), (2, 0)],
        any_number: &[0, 2],
        goes: &[Goes(1, 0, 1, 0, 2, spawn(2, 1)), Goes(2, 0, 1, 0, BAD, NONE)],
        ..ONE_FORGETS
    },
    // Nobody but a process that is nobody without its history wakes who sleeps in 3.
    Refuted {
        rule: "AnonymousIsSomebody",
        says: "its tagged process is nobody without its history",
        goes: &[
            Goes(0, 0, 1, 0, HISTORY, NONE),
            Goes(0, 0, 0, 0, 2, ALL),
            Goes(0, 0, 1, 0, 2, NONE),
            Goes(0, 0, 1, 0, 3, NONE),
            Goes(0, 0, 4, 0, BAD, NONE),
        ],
        wakes: &[Wakes(0, 3, 4)],
        ..CALLERS
    },
    // Nobody but a process with history wakes who sleeps in 4.
    Refuted {
        rule: "StepForgets",
        says: "a step of its tagged process depends on history",
        goes: &[
            Goes(0, 0, 1, 0, 2 | HISTORY, NONE),
            Goes(0, 0, 2 | HISTORY, 0, 3, ALL),
            Goes(0, 0, 1, 0, 3, NONE),
            Goes(0, 0, 1, 0, 4, NONE),
            Goes(0, 0, 5, 0, BAD, NONE),
        ],
        wakes: &[Wakes(0, 4, 5)],
        ..CALLERS
    },
    // With history, another one gets to 4: by what he sees of his own step,
    Refuted {
        rule: "StepForgets",
        says: "a step of its tagged process depends on history",
        goes: &[FIRST[0], FIRST[1], FIRST[2], Goes(0, 1, 2, 2, 3, NONE)],
        sees: &[FIRST_SEES[0], FIRST_SEES[1], Sees(0, 2, 3, 5), Sees(0, 2, 3 | HISTORY, 4)],
        wakes: &[Wakes(0, 4, 6)],
        excluded: NEVER_TWICE,
        ..CALLERS
    },
    // by what he sees of another's step,
    Refuted {
        rule: "SightForgets",
        says: "depends on history",
        goes: &[FIRST[0], FIRST[1], FIRST[2], Goes(0, 1, 4, 2, 4, NONE)],
        sees: &[FIRST_SEES[0], FIRST_SEES[1], Sees(0, 2, 2, 5), Sees(0, 2, 2 | HISTORY, 4)],
        wakes: &[Wakes(0, 4, 6)],
        excluded: NEVER_TWICE,
        ..CALLERS
    },
    // or as another one wakes him.
    Refuted {
        rule: "WakeForgets",
        says: "depends on history",
        goes: &[FIRST[0], FIRST[1], FIRST[2], Goes(0, 1, 4, 2, 4, ALL)],
        sees: &FIRST_SEES,
        wakes: &[Wakes(0, 4, 6), Wakes(0, 2, 5), Wakes(0, 2 | HISTORY, 4)],
        excluded: NEVER_TWICE,
        ..CALLERS
    },
    Refuted {
        rule: "TagSteps",
        says: "is a violation",
        goes: &[Goes(0, 0, 1, 0, BAD, NONE)],
        ..CALLERS
    },
    Refuted {
        rule: "SlotsStep",
        says: "is a violation",
        goes: &[Goes(1, 0, 1, 0, BAD, NONE)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "CrowdSteps",
        says: "is a violation",
        goes: &[Goes(1, 0, 1, 0, BAD, NONE)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "ActorSees",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 1, 2, NONE), Goes(0, 1, 3, 1, BAD, NONE)],
        sees: &[Sees(0, 1, 2, 3)],
        ..CALLERS
    },
    Refuted {
        rule: "TagSees",
        says: "which is not listed",
        goes: &[Goes(1, 0, 1, 1, 2, NONE), Goes(0, 1, 1, 1, BAD_WITH_HISTORY, NONE)],
        sees: &[Sees(0, 1, 1, 1 | HISTORY)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "SlotsSee",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 1, 2, NONE), Goes(1, 1, 3, 1, BAD, NONE)],
        sees: &[Sees(1, 1, 1, 3)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "CrowdSees",
        says: "is a violation",
        goes: &[Goes(0, 0, 1, 1, 2, NONE), Goes(1, 1, 3, 1, BAD, NONE)],
        sees: &[Sees(1, 1, 1, 3)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "AllWakesTag",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 0, 2, NONE), Goes(0, 0, 1, 0, 4, ALL), Goes(0, 0, 3, 0, BAD, NONE)],
        wakes: &[Wakes(0, 2, 3)],
        ..CALLERS
    },
    Refuted {
        rule: "AllWakesSlots",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 0, 2, ALL), Goes(1, 0, 3, 0, BAD, NONE)],
        wakes: &[Wakes(1, 1, 3)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "AllWakesCrowd",
        says: "is a violation",
        goes: &[Goes(0, 0, 1, 0, 2, ALL), Goes(1, 0, 3, 0, BAD, NONE)],
        wakes: &[Wakes(1, 1, 3)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "OneWakesTag",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 0, 2, NONE), Goes(0, 0, 1, 0, 4, ONE), Goes(0, 0, 3, 0, BAD, NONE)],
        wakes: &[Wakes(0, 2, 3)],
        ..CALLERS
    },
    Refuted {
        rule: "OneWakesSlot",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 0, 2, ONE), Goes(1, 0, 3, 0, BAD, NONE)],
        wakes: &[Wakes(1, 1, 3)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "OneWakesCrowd",
        says: "is a violation",
        goes: &[Goes(0, 0, 1, 0, 2, ONE), Goes(1, 0, 3, 0, BAD, NONE)],
        wakes: &[Wakes(1, 1, 3)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "OneWakesNobody",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 0, 2, ONE), Goes(0, 0, 2, 0, BAD, NONE)],
        ..CALLERS
    },
    Refuted {
        rule: "TagSleepsOn",
        says: "which is not listed",
        goes: &[Goes(0, 0, 1, 0, 2, ALL), Goes(0, 0, 2, 0, BAD, NONE)],
        wakes: &[Wakes(0, 2, 3)],
        ..CALLERS
    },
    Refuted {
        rule: "SlotSleepsOn",
        says: "which is not listed",
        goes: &[Goes(1, 0, 1, 0, 2, ALL), Goes(1, 0, 2, 0, BAD, NONE)],
        wakes: &[Wakes(1, 2, 3)],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "SpawnsIntoCrowd",
        says: "is a violation",
        processes: &[(0, 1), (1, 0)],
        goes: &[Goes(0, 0, 1, 0, 2, spawn(1, 1)), Goes(1, 0, 1, 0, BAD, NONE)],
        ..MANY_FORGET
    },
    Refuted {
        rule: "SpawnsIntoSlot",
        says: "which is not listed",
        processes: &[(0, 1), (1, 0)],
        goes: &[Goes(0, 0, 1, 0, 2, spawn(1, 1)), Goes(1, 0, 1, 0, BAD, NONE)],
        ..ONE_FORGETS
    },
    // Who ends by a step is not the one whom that step starts: that would depend on the order.
    Refuted {
        rule: "ActorHoldsSlot",
        says: "spawns a process without a place",
        goes: &[Goes(1, 0, 1, 0, 0, spawn(1, 2))],
        ..ONE_FORGETS
    },
    Refuted {
        rule: "HeirIsTagged",
        says: "which is not listed",
        processes: &[(0, 1), (1, 0)],
        any_number: &[0, 1],
        goes: &[Goes(0, 0, 1, 0, 2, spawn(1, 1)), Goes(1, 0, 1, 0, BAD, NONE)],
        ..CALLERS
    },
    Refuted {
        rule: "ParentStaysInSlot",
        says: "which is not listed",
        processes: &[(0, 1), (1, 0), (2, 1)],
        any_number: &[2, 1],
        goes: &[
            Goes(0, 0, 1, 0, 2, spawn(1, 1)),
            Goes(0, 0, 2, 0, 0, NONE),
            Goes(0, 0, 2, 1, 3, NONE),
            Goes(1, 1, 1, 1, BAD, NONE),
        ],
        ..CALLERS
    },
];
