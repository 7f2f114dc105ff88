//! The system of a certificate as tables, for verifiers that do not share this program's code
//! (`docs/certificates.md`).
//!
//! What is in it comes from [`System::step`], `observe`, `wake` and `anonymous`, and from what the scenario
//! and the properties say; nothing of a proof. Which states are asked about is worked out here, more
//! generously than any verifier needs: everybody who can be somewhere is taken to be there together with
//! everybody else. A verifier that finds something missing must refuse.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kmodcheck_explore::{
    Choice, DORMANT, Effect, Kind, Local, Queue, Shared, Step, System, WayOut,
};
use kmodcheck_model::scenario::Scenario;
use schemars::JsonSchema;
use serde::Serialize;

use super::{About, Proved};

/// What `format` says.
pub const FORMAT: &str = "kmodcheck-steps";

/// The version written.
pub const VERSION: u32 = 1;

/// Most pairs of a shared and a local state that are tabulated.
const MOST: usize = 1_000_000;

/// Which local states can be met in which shared state.
pub type Met = BTreeMap<Shared, BTreeSet<(Kind, Local)>>;

/// A system that is too large to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST} pairs of a shared and a local state: its steps are not written")]
pub struct TooLarge;

/// What an effect names: a queue, or the number of the local state that is started in.
type EffectLine = Option<(&'static str, usize)>;

/// The number of the shared state afterwards; of the own local state afterwards, before and after it saw the
/// step; what happens to others; the way out; the label's number; which properties it violates, with history
/// and without.
type ChoiceLine =
    (usize, usize, usize, EffectLine, &'static str, usize, BTreeSet<usize>, BTreeSet<usize>);

/// The steps of a system.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Steps {
    format: &'static str,
    version: u32,
    properties: Vec<Proved>,
    assumes: Vec<String>,
    any_number: Vec<u8>,
    forgetful: Vec<u8>,
    scenario: Scenario,
    initial: Start,
    shared: Vec<String>,
    locals: Vec<(u8, Local)>,
    anonymous: Vec<usize>,
    wake: Vec<(u8, Vec<Option<usize>>)>,
    labels: Vec<String>,
    from: Vec<FromLine>,
}

/// Where it begins, by number.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Start {
    shared: usize,
    processes: Vec<usize>,
}

/// What is asked about one shared state, by number. `choices` are of the first of `locals`, `sees` of all.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct FromLine {
    locals: Vec<usize>,
    choices: Vec<Vec<ChoiceLine>>,
    sees: Vec<(usize, Vec<usize>)>,
}

fn sees<S: System>(system: &S, who: (Kind, Local), before: Shared, after: Shared) -> Local {
    if before == after || who.1 == DORMANT {
        return who.1;
    }
    system.observe(who.0, before, after, who.1)
}

fn ways<S: System>(system: &S, who: (Kind, Local), shared: Shared) -> Vec<Choice<S::Label>> {
    let mut choices = Vec::new();
    if who.1 != DORMANT {
        system.step(who.0, shared, who.1, &mut choices);
    }
    choices
}

/// All that can be met: whoever can be in a shared state is taken to be there with everybody else who can,
/// with and without history.
///
/// # Errors
/// There is too much of it.
pub fn met<S: System>(system: &S) -> Result<Met, TooLarge> {
    let plain = |(kind, local): (Kind, Local)| (kind, system.anonymous(kind, local));
    let initial = system.initial();
    let mut met = Met::new();
    let mut queue = VecDeque::from([initial.shared]);
    let somebody = initial.processes.iter().copied().filter(|who| who.1 != DORMANT);
    let somebody = somebody.flat_map(|who| [who, plain(who)]).filter(|who| who.1 != DORMANT);
    met.entry(initial.shared).or_default().extend(somebody);
    while let Some(shared) = queue.pop_front() {
        let here = met[&shared].clone();
        let (mut arrive, mut passages) = (Met::new(), BTreeSet::new());
        for who in &here {
            for choice in ways(system, *who, shared) {
                let there = arrive.entry(choice.shared).or_default();
                there.insert((who.0, sees(system, (who.0, choice.local), shared, choice.shared)));
                let woken = match choice.effect {
                    Effect::WakeAll(queue) | Effect::WakeOne(queue) => Some(queue),
                    Effect::Spawn(kind, local) => {
                        there.insert((kind, local));
                        None
                    }
                    Effect::None => None,
                };
                passages.insert((choice.shared, woken));
            }
        }
        for (after, woken) in passages {
            for (kind, local) in &here {
                let seen = sees(system, (*kind, *local), shared, after);
                let woken = woken.and_then(|queue| match seen {
                    DORMANT => None,
                    seen => system.wake(*kind, seen, queue),
                });
                let there = arrive.entry(after).or_default();
                there.extend([seen, woken.unwrap_or(seen)].map(|local| (*kind, local)));
            }
        }
        for (after, arrive) in arrive {
            let new = !met.contains_key(&after);
            let there = met.entry(after).or_default();
            let before = there.len();
            let somebody = arrive.into_iter().filter(|who| who.1 != DORMANT);
            there.extend(somebody.flat_map(|who| [who, plain(who)]).filter(|who| who.1 != DORMANT));
            if (new || there.len() > before) && !queue.contains(&after) {
                queue.push_back(after);
            }
        }
        if met.values().map(BTreeSet::len).sum::<usize>() > MOST {
            return Err(TooLarge);
        }
    }
    Ok(met)
}

/// One shared state, asked about.
struct From<Label> {
    /// First those who have choices.
    locals: Vec<(Kind, Local)>,
    /// Each with the own local state after it saw the step.
    choices: Vec<Vec<(Choice<Label>, Local)>>,
    sees: BTreeMap<Shared, Vec<Local>>,
}

impl<Label: Clone> From<Label> {
    fn new<S: System<Label = Label>>(
        system: &S,
        shared: Shared,
        here: &BTreeSet<(Kind, Local)>,
    ) -> Self {
        let mut locals: Vec<(Kind, Local)> = here.iter().copied().collect();
        let mut more = BTreeSet::new();
        let mut after = BTreeSet::new();
        let choices = locals.iter().map(|who| {
            let own = |choice: Choice<Label>| {
                let own = (who.0, choice.local);
                more.extend((choice.local != DORMANT && !here.contains(&own)).then_some(own));
                after.extend((choice.shared != shared).then_some(choice.shared));
                let seen = sees(system, own, shared, choice.shared);
                (choice, seen)
            };
            ways(system, *who, shared).into_iter().map(own).collect()
        });
        let choices = choices.collect();
        locals.extend(more);
        let all = |after| locals.iter().map(|who| sees(system, *who, shared, after)).collect();
        let sees = after.into_iter().map(|after| (after, all(after))).collect();
        Self { locals, choices, sees }
    }
}

/// Numbers from 0 in ascending order.
fn numbers<T: Ord>(of: &BTreeSet<T>) -> BTreeMap<&T, usize> {
    of.iter().zip(0..).collect()
}

impl Steps {
    /// What `system` does in all that is `met`. `violates`: which of the properties of `about` a step
    /// violates, as bits in their order; it is also told whether the history of the process that steps is known.
    pub fn new<S: System>(
        system: &S,
        met: &Met,
        scenario: &Scenario,
        about: &About,
        violates: impl Fn(&Step<S::Label>, bool) -> u64,
    ) -> Self {
        let initial = system.initial();
        let from: BTreeMap<Shared, From<S::Label>> =
            met.iter().map(|(shared, here)| (*shared, From::new(system, *shared, here))).collect();
        let (mut shared, mut locals) = (BTreeSet::from([initial.shared]), BTreeSet::new());
        let (mut queues, mut labels) = (BTreeSet::new(), BTreeSet::new());
        locals.extend(initial.processes.iter().flat_map(|who| [*who, (who.0, DORMANT)]));
        for (before, here) in &from {
            shared.insert(*before);
            locals.extend(&here.locals);
            for (who, choices) in here.locals.iter().zip(&here.choices) {
                for (choice, own) in choices {
                    shared.insert(choice.shared);
                    locals.extend([choice.local, *own, DORMANT].map(|local| (who.0, local)));
                    labels.insert(format!("{:?}", choice.label));
                    match choice.effect {
                        Effect::None => {}
                        Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                            queues.insert(queue);
                        }
                        Effect::Spawn(kind, local) => {
                            locals.extend([(kind, local), (kind, DORMANT)]);
                        }
                    }
                }
            }
            let seen = here.sees.values().flat_map(|seen| here.locals.iter().zip(seen));
            locals.extend(seen.map(|(who, local)| (who.0, *local)));
        }
        let anonymous = |(kind, local): (Kind, Local)| match local {
            DORMANT => DORMANT,
            local => system.anonymous(kind, local),
        };
        let wake = |(kind, local): (Kind, Local), queue: Queue| match local {
            DORMANT => None,
            local => system.wake(kind, local, queue),
        };
        let mut open: Vec<(Kind, Local)> = locals.iter().copied().collect();
        while let Some(who) = open.pop() {
            let woken = queues.iter().filter_map(|queue| wake(who, *queue));
            for local in woken.chain([anonymous(who)]) {
                if locals.insert((who.0, local)) {
                    open.push((who.0, local));
                }
            }
        }
        let (states, who) = (numbers(&shared), numbers(&locals));
        let named = numbers(&labels);
        let of = |kind: Kind, local: Local| who[&(kind, local)];
        let line = |before: Shared, who: (Kind, Local), choice: &Choice<S::Label>, own: Local| {
            let step = Step {
                kind: who.0,
                before,
                after: choice.shared,
                effect: choice.effect,
                local_before: who.1,
                local_after: own,
                label: choice.label.clone(),
                way_out: choice.way_out,
                footprint: choice.footprint,
            };
            let effect = match choice.effect {
                Effect::None => None,
                Effect::WakeAll(queue) => Some(("wake-all", usize::from(queue.0))),
                Effect::WakeOne(queue) => Some(("wake-one", usize::from(queue.0))),
                Effect::Spawn(kind, local) => Some(("spawn", of(kind, local))),
            };
            let way = match choice.way_out {
                WayOut::Ordinary => "ordinary",
                WayOut::TimeOut => "time-out",
                WayOut::Killed => "killed",
            };
            let judged = |history: bool| {
                let bits = violates(&step, history);
                (0..about.properties.len()).filter(|at| bits >> at & 1 != 0).collect()
            };
            let label = named[&format!("{:?}", choice.label)];
            let (local, own) = (of(who.0, choice.local), of(who.0, own));
            (states[&choice.shared], local, own, effect, way, label, judged(true), judged(false))
        };
        let lines = shared.iter().map(|before| {
            let Some(here) = from.get(before) else {
                return FromLine { locals: Vec::new(), choices: Vec::new(), sees: Vec::new() };
            };
            let choices = here.locals.iter().zip(&here.choices).map(|(who, choices)| {
                choices.iter().map(|(choice, own)| line(*before, *who, choice, *own)).collect()
            });
            let seen = |seen: &Vec<Local>| {
                here.locals.iter().zip(seen).map(|(who, local)| of(who.0, *local)).collect()
            };
            FromLine {
                locals: here.locals.iter().map(|(kind, local)| of(*kind, *local)).collect(),
                choices: choices.collect(),
                sees: here.sees.iter().map(|(after, all)| (states[after], seen(all))).collect(),
            }
        });
        let woken = |queue: &Queue| {
            let woken = locals.iter().map(|who| wake(*who, *queue).map(|local| of(who.0, local)));
            (queue.0, woken.collect())
        };
        let processes = initial.processes.iter().map(|(kind, local)| of(*kind, *local));
        Self {
            format: FORMAT,
            version: VERSION,
            properties: about.properties.clone(),
            assumes: about.assumes.clone(),
            any_number: about.any_number.iter().map(|kind| kind.0).collect(),
            forgetful: about.forgetful.iter().map(|kind| kind.0).collect(),
            scenario: scenario.clone(),
            initial: Start { shared: states[&initial.shared], processes: processes.collect() },
            shared: shared.iter().map(|shared| format!("{shared:#x}")).collect(),
            locals: locals.iter().map(|(kind, local)| (kind.0, *local)).collect(),
            anonymous: locals.iter().map(|who| of(who.0, anonymous(*who))).collect(),
            wake: queues.iter().map(woken).collect(),
            from: lines.collect(),
            labels: labels.iter().cloned().collect(),
        }
    }

    /// As text to be saved. The scenario's fields stand in the order that the digest of a certificate takes.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string(self).expect("steps have nothing JSON lacks");
        text + "\n"
    }

    /// How many shared states, local states and ways to step it has.
    pub fn size(&self) -> (usize, usize, usize) {
        let choices = self.from.iter().flat_map(|from| &from.choices).map(Vec::len).sum();
        (self.shared.len(), self.locals.len(), choices)
    }
}
