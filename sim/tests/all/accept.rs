//! The acceptor against one that first builds the whole graph and then marks, observation by
//! observation, which of its states are possible; on systems drawn at random.

use std::collections::BTreeSet;

use crate::naive::{Graph, Naive};
use crate::random_system::{Label, RandomSystem};
use crate::sample::sample;
use kmodcheck_explore::Monitor;
use kmodcheck_explore::replay::replay;
use kmodcheck_explore::{Configuration, Options, Product, Shared, System, Transition, explore};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures};
use kmodcheck_model::{Event, Model, Ret};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::accept::{AcceptError, Fit, Log, RunStep, Steps, Verdict, accept};

/// Of so many systems, so many.
const SYSTEMS: (u64, u64) = (150, 1_500);
const LIMIT: u64 = 1_000_000;

/// An observation of a random system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A process took a step.
    Step(usize, Label),
    /// A process took a step, nobody saw which.
    Somehow(usize),
    /// The shared state was this.
    Shared(Shared),
}

/// What is hidden, and what was seen.
#[derive(Clone, Debug)]
struct Observed {
    seen: Vec<Seen>,
    hides: u8,
    /// While this observation is awaited, everything is hidden: events were lost.
    gap: Option<usize>,
}

impl Observed {
    fn hidden(&self, at: usize, label: &Label) -> bool {
        self.gap == Some(at) || (label.kind + label.local + label.choice) % 4 < self.hides
    }
}

impl Log<RandomSystem> for Observed {
    // How many steps process 0 has taken, up to 3: something that hidden steps change.
    type Memory = u8;

    fn observations(&self) -> usize {
        self.seen.len()
    }

    fn start(&self) -> u8 {
        0
    }

    fn fit(&self, at: usize, memory: &u8, transition: &Transition<'_, Label>) -> Fit<u8> {
        let memory = (memory + u8::from(transition.actor == 0)).min(3);
        let seen = match self.seen.get(at) {
            Some(Seen::Step(actor, label)) => {
                (*actor, *label) == (transition.actor, transition.label)
            }
            Some(Seen::Somehow(actor)) => *actor == transition.actor,
            _ => false,
        };
        if self.hidden(at, &transition.label) {
            Fit::Hidden(memory)
        } else if seen {
            Fit::Seen(memory)
        } else {
            Fit::Forbidden
        }
    }

    fn holds(&self, at: usize, memory: &u8, state: &Configuration) -> Option<u8> {
        (self.seen[at] == Seen::Shared(state.shared)).then_some(*memory)
    }
}

/// What the naive acceptor says: how many observations can be explained, the states (with memory)
/// possible then, and the steps that would have been noticed there.
struct Marked {
    explained: usize,
    states: BTreeSet<(usize, u8)>,
    possible: BTreeSet<(usize, [u8; 3])>,
}

fn key(label: &Label) -> [u8; 3] {
    [label.kind, label.local, label.choice]
}

fn mark(graph: &Graph<Label>, log: &Observed) -> Marked {
    let mut states = BTreeSet::from([(0, 0)]);
    let mut at = 0;
    loop {
        // Hidden steps, until nothing is added.
        loop {
            let mut more = states.clone();
            for (state, memory) in &states {
                for (taken, target) in &graph.moves[*state] {
                    if log.hidden(at, &taken.label) {
                        let counted = memory + u8::from(taken.actor == 0);
                        more.insert((*target, counted.min(3)));
                    }
                }
            }
            if more == states {
                break;
            }
            states = more;
        }
        let mut next = BTreeSet::new();
        let mut possible = BTreeSet::new();
        for (state, memory) in &states {
            if at < log.seen.len() && log.seen[at] == Seen::Shared(graph.states[*state].0.0) {
                next.insert((*state, *memory));
            }
            for (taken, target) in &graph.moves[*state] {
                if log.hidden(at, &taken.label) {
                    continue;
                }
                let seen = match log.seen.get(at) {
                    Some(Seen::Step(actor, label)) => {
                        *actor == taken.actor && key(label) == key(&taken.label)
                    }
                    Some(Seen::Somehow(actor)) => *actor == taken.actor,
                    Some(Seen::Shared(_)) | None => false,
                };
                if seen {
                    let counted = memory + u8::from(taken.actor == 0);
                    next.insert((*target, counted.min(3)));
                } else {
                    possible.insert((taken.actor, key(&taken.label)));
                }
            }
        }
        if at == log.seen.len() || next.is_empty() {
            return Marked { explained: at, states, possible };
        }
        states = next;
        at += 1;
    }
}

/// Walks at random, and looks at the shared state now and then.
fn walk(rng: &mut fastrand::Rng, graph: &Graph<Label>) -> Vec<(Seen, Option<Label>)> {
    let mut state = 0;
    let mut seen = Vec::new();
    for _ in 0..rng.usize(0..12) {
        if rng.u8(0..5) == 0 {
            seen.push((Seen::Shared(graph.states[state].0.0), None));
        }
        let moves = &graph.moves[state];
        if moves.is_empty() {
            break;
        }
        let (taken, target) = &moves[rng.usize(0..moves.len())];
        let what = if rng.u8(0..6) == 0 {
            Seen::Somehow(taken.actor)
        } else {
            Seen::Step(taken.actor, taken.label)
        };
        seen.push((what, Some(taken.label)));
        state = *target;
    }
    seen
}

/// The log of that walk under what is hidden.
fn observed(rng: &mut fastrand::Rng, walked: &[(Seen, Option<Label>)]) -> Observed {
    let mut log = Observed { seen: Vec::new(), hides: rng.u8(0..4), gap: None };
    log.seen = walked
        .iter()
        .filter(|(_, label)| label.is_none_or(|label| !log.hidden(usize::MAX, &label)))
        .map(|(seen, _)| *seen)
        .collect();
    log
}

/// Some change to a log.
fn altered(rng: &mut fastrand::Rng, log: &Observed) -> Observed {
    let mut log = log.clone();
    let n = log.seen.len();
    if n == 0 {
        return log;
    }
    let i = rng.usize(0..n);
    match rng.u8(0..6) {
        0 => log.seen.swap(i, (i + 1) % n),
        1 => drop(log.seen.remove(i)),
        2 => log.seen.insert(rng.usize(0..=n), log.seen[i]),
        3 => {
            if let Seen::Step(actor, _) | Seen::Somehow(actor) = &mut log.seen[i] {
                *actor ^= 1;
            }
        }
        4 => {
            let other = log.seen[rng.usize(0..n)];
            log.seen[i] = other;
        }
        // What was lost is at least not seen in a false place.
        _ => {
            log.gap = Some(i);
            drop(log.seen.splice(i..rng.usize(i..n), []));
        }
    }
    log
}

/// The states and memories of the acceptor, by their number in the graph.
fn numbered(
    naive: &Naive<'_, RandomSystem>,
    graph: &Graph<Label>,
    states: &[(Configuration, u8)],
) -> BTreeSet<(usize, u8)> {
    let n = naive.kinds.len();
    let numbers: BTreeSet<(usize, u8)> = states
        .iter()
        .map(|(state, memory)| {
            let state = (state.shared, state.locals[..n].to_vec());
            let number = graph.states.iter().position(|(known, _)| *known == state);
            (number.expect("the acceptor reached a state of the graph"), *memory)
        })
        .collect();
    assert_eq!(numbers.len(), states.len(), "a state was given twice");
    numbers
}

/// The run is a run of the system and gives exactly these observations.
fn gives(product: &Product<'_, RandomSystem>, log: &Observed, run: &[RunStep<Label>], to: usize) {
    let trace: Vec<_> = run.iter().filter_map(|step| step.step).collect();
    let mut states = vec![product.initial().shared];
    replay(product, &trace, |_, transition| states.push(transition.after.shared)).unwrap();
    let mut observations = 0;
    let mut steps = 0;
    for entry in run {
        steps += usize::from(entry.step.is_some());
        let Some(number) = entry.observation else { continue };
        assert_eq!(number, observations);
        observations += 1;
        match (log.seen[number], entry.step) {
            (Seen::Step(actor, label), Some(step)) => {
                assert_eq!((actor, label), (step.actor, step.label));
            }
            (Seen::Somehow(actor), Some(step)) => assert_eq!(actor, step.actor),
            (Seen::Shared(shared), None) => assert_eq!(shared, states[steps]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(observations, to);
}

#[test]
fn agrees_with_the_naive_acceptor() {
    let (mut accepted, mut refused, mut hidden) = (0, 0, 0);
    let systems = sample(SYSTEMS.0, SYSTEMS.1);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let naive = Naive::new(&system);
        let graph = naive.graph(false);
        if !graph.exhausted.is_empty() {
            continue;
        }
        let product = Product::new(&system).unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let walked = walk(&mut rng, &graph);
        let log = observed(&mut rng, &walked);
        let verdict = accept(&product, &log, LIMIT).unwrap();
        assert!(verdict.is_accepted(), "seed {seed}: a walk was refused: {log:?} {verdict:?}");
        let mut logs = vec![log.clone()];
        logs.extend((0..6).map(|_| altered(&mut rng, &log)));
        for log in logs {
            let wanted = mark(&graph, &log);
            let verdict = accept(&product, &log, LIMIT).unwrap();
            let (explained, states, run, cost) = match &verdict {
                Verdict::Accepted { states, run, cost } => {
                    accepted += 1;
                    (log.seen.len(), states, run, cost)
                }
                Verdict::Refused { at, states, possible, run, cost } => {
                    refused += 1;
                    let sorted = possible.is_sorted_by_key(|(actor, _)| *actor);
                    assert!(sorted, "seed {seed}");
                    let count = possible.len();
                    let possible: BTreeSet<_> =
                        possible.iter().map(|(actor, label)| (*actor, key(label))).collect();
                    assert_eq!(possible, wanted.possible, "seed {seed}: {log:?}");
                    assert_eq!(possible.len(), count, "seed {seed}");
                    (*at, states, run, cost)
                }
            };
            assert_eq!(explained, wanted.explained, "seed {seed}: {log:?}");
            assert_eq!(numbered(&naive, &graph, states), wanted.states, "seed {seed}: {log:?}");
            gives(&product, &log, run, explained);
            hidden += run.iter().filter(|step| step.observation.is_none()).count();
            // One state fewer than needed is no answer, and is said so.
            let limit = cost.nodes - 1;
            assert!(
                matches!(accept(&product, &log, limit), Err(AcceptError::TooMany { limit: l, .. }) if l == limit)
            );
            assert_eq!(accept(&product, &log, cost.nodes), Ok(verdict));
        }
    }
    println!("{accepted} logs accepted, {refused} refused, {hidden} hidden steps found");
    for times in [accepted, refused, hidden] {
        assert!(systems.met_enough(times, 1_000));
    }
}

/// Length of a shortest run for the log, by breadth-first search over (state, observation, memory):
/// the number of hidden steps is what is left after the observations.
#[test]
fn no_run_has_fewer_hidden_steps() {
    let mut compared = 0;
    let systems = sample(SYSTEMS.0, SYSTEMS.1);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let naive = Naive::new(&system);
        let graph = naive.graph(false);
        if !graph.exhausted.is_empty() {
            continue;
        }
        let product = Product::new(&system).unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let walked = walk(&mut rng, &graph);
        let log = observed(&mut rng, &walked);
        let Verdict::Accepted { run, .. } = accept(&product, &log, LIMIT).unwrap() else {
            panic!("seed {seed}: a walk was refused");
        };
        // By observations explained and state: whether reached with so many hidden steps or fewer.
        let mut reached = BTreeSet::from([(0, 0)]);
        let mut fewest = 0;
        loop {
            // Observations cost nothing: close under them.
            loop {
                let mut more = reached.clone();
                for (at, state) in &reached {
                    match log.seen.get(*at) {
                        Some(Seen::Shared(shared)) if graph.states[*state].0.0 == *shared => {
                            more.insert((at + 1, *state));
                        }
                        Some(Seen::Step(..) | Seen::Somehow(_)) => {
                            for (taken, target) in &graph.moves[*state] {
                                let fits = match log.seen[*at] {
                                    Seen::Step(actor, label) => {
                                        (actor, label) == (taken.actor, taken.label)
                                    }
                                    Seen::Somehow(actor) => actor == taken.actor,
                                    Seen::Shared(_) => unreachable!(),
                                };
                                if fits && !log.hidden(*at, &taken.label) {
                                    more.insert((at + 1, *target));
                                }
                            }
                        }
                        _ => {}
                    }
                }
                if more == reached {
                    break;
                }
                reached = more;
            }
            if reached.iter().any(|(at, _)| *at == log.seen.len()) {
                break;
            }
            for (at, state) in reached.clone() {
                for (taken, target) in &graph.moves[state] {
                    if log.hidden(at, &taken.label) {
                        reached.insert((at, *target));
                    }
                }
            }
            fewest += 1;
        }
        let hidden = run.iter().filter(|step| step.observation.is_none()).count();
        assert_eq!(hidden, fewest, "seed {seed}: {log:?}");
        compared += usize::from(fewest > 0);
    }
    assert!(systems.met_enough(compared, 100), "only {compared} logs had hidden steps");
}

/// The log of steps: what the explorer finds is accepted, with nothing and with much hidden.
#[test]
fn steps_of_a_walk_are_accepted() {
    let systems = sample(SYSTEMS.0, SYSTEMS.1);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let naive = Naive::new(&system);
        let graph = naive.graph(false);
        if !graph.exhausted.is_empty() {
            continue;
        }
        let product = Product::new(&system).unwrap();
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xacce);
        let mut steps: Vec<(usize, Label)> = Vec::new();
        let mut state = 0;
        while steps.len() < 10 && !graph.moves[state].is_empty() {
            let moves = &graph.moves[state];
            let (taken, target) = &moves[rng.usize(0..moves.len())];
            steps.push((taken.actor, taken.label));
            state = *target;
        }
        let all = Steps { steps: &steps, hidden: |_, _: &Label| false };
        let Verdict::Accepted { run, .. } = accept(&product, &all, LIMIT).unwrap() else {
            panic!("seed {seed}: a walk was refused")
        };
        assert_eq!(run.len(), steps.len());
        let hidden = |actor: usize, label: &Label| actor == 0 || label.choice == 1;
        let visible: Vec<_> = steps.iter().filter(|(a, l)| !hidden(*a, l)).copied().collect();
        let some = Steps { steps: &visible, hidden };
        assert!(accept(&product, &some, LIMIT).unwrap().is_accepted(), "seed {seed}");
        if let Some(first) = steps.first() {
            // A process that is not there took a step.
            let wrong = [(system.initial().processes.len(), first.1)];
            let wrong = Steps { steps: &wrong, hidden: |_, _: &Label| false };
            let verdict = accept(&product, &wrong, LIMIT).unwrap();
            assert!(matches!(verdict, Verdict::Refused { at: 0, .. }), "seed {seed}");
        }
    }
}

/// Somebody is told that all is well and finds nothing.
struct Race<'m>(&'m Model);

impl Monitor<Event> for Race<'_> {
    type Tally = ();

    fn violates(&self, transition: &Transition<'_, Event>) -> u64 {
        u64::from(self.0.task(transition.local_after).ret == Ret::Null)
    }
}

/// The race that the explorer finds with kmod v19: accepted as it is and without what modprobe
/// does under /sys, refused by the model of v20, at the lie if that is seen, else at the exit.
#[test]
fn the_race_is_a_behaviour_of_v19_only() {
    let model = |kmod| {
        let features = Features { kernel: KernelFeatures::V4_9, kmod };
        let scenario = scenario(Naming::FsAndModule, Environment::Ok, features, 2);
        Model::new(scenario, None).unwrap()
    };
    let (v19, v20) = (model(KmodFeatures::V19), model(KmodFeatures::V20));
    let (old, new) = (Processes { model: &v19 }, Processes { model: &v20 });
    let (old, new) = (Product::new(&old).unwrap(), Product::new(&new).unwrap());
    let found = explore(old.system, &Race(&v19), &Options::default()).unwrap();
    let trace = &found.violations[0].trace;
    let all: Vec<(usize, Event)> = trace.iter().map(|step| (step.actor, step.label)).collect();
    let looks = |_: usize, event: &Event| event.function() == "modprobe";
    let visible: Vec<_> = all.iter().filter(|(a, e)| !looks(*a, e)).copied().collect();
    assert!(visible.len() < all.len());

    let nothing = Steps { steps: &all, hidden: |_, _: &Event| false };
    let Verdict::Accepted { states, run, .. } = accept(&old, &nothing, LIMIT).unwrap() else {
        panic!("refused what the explorer found")
    };
    assert_eq!((states.len(), run.len()), (1, all.len()));
    let Verdict::Refused { at, possible, .. } = accept(&new, &nothing, LIMIT).unwrap() else {
        panic!("v20 told the old lie")
    };
    assert_eq!(all[at].1, Event::Exit { status: Ret::Zero });
    let allowed = possible.iter().filter(|(actor, _)| *actor == all[at].0);
    let allowed: Vec<Event> = allowed.map(|(_, event)| *event).collect();
    // v20 looks again, in the probe list, before it calls the kernel.
    assert_eq!(allowed, [Event::Open { module: 0, found: false }]);

    let some = Steps { steps: &visible, hidden: looks };
    let Verdict::Accepted { run, .. } = accept(&old, &some, LIMIT).unwrap() else {
        panic!("refused what the explorer found, with modprobe's looks hidden")
    };
    let hidden = run.iter().filter(|step| step.observation.is_none()).count();
    assert_eq!(hidden, all.len() - visible.len());
    let Verdict::Refused { at, .. } = accept(&new, &some, LIMIT).unwrap() else {
        panic!("v20 told the old lie")
    };
    assert!(matches!(visible[at].1, Event::HelperReturn { status: Ret::Zero }));

    // Any two neighbours of one process, the other way round, and any step twice.
    let mut refused = 0;
    for i in 1..visible.len() {
        let mut swapped = visible.clone();
        swapped.swap(i - 1, i);
        let mut twice = visible.clone();
        twice.insert(i, visible[i - 1]);
        for steps in [swapped, twice] {
            let steps = Steps { steps: &steps, hidden: looks };
            refused += usize::from(!accept(&old, &steps, LIMIT).unwrap().is_accepted());
        }
        if visible[i - 1].0 == visible[i].0 {
            let mut swapped = visible.clone();
            swapped.swap(i - 1, i);
            let steps = Steps { steps: &swapped, hidden: looks };
            assert!(!accept(&old, &steps, LIMIT).unwrap().is_accepted(), "{:?}", &swapped[i - 1..]);
        }
    }
    assert!(refused > visible.len());
}
