//! The reduced search against the full one of the naive explorer, on systems drawn at random: the
//! same properties violated, the same deadlocks. Of its own kind of systems, so that there is
//! something to reduce, a part declares too little of what it reads. A failure names the seed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::common::erased::{InNumbers, explore_counted, explore_reduced};
use crate::common::hand::{Hand, Remembers, Sets, StepsFrom};
use crate::common::naive::{Graph, Naive, State};
use crate::common::random_bits::{Label, RandomBits};
use crate::common::random_system::RandomSystem;
use crate::common::reference_model::{At, FAILED, ReferenceModel};
use crate::common::sample::{long_sample, sample};
use crate::common::seeds::for_every_seed;
use kmodcheck_explore::TraceStep;
use kmodcheck_explore::{
    Asks, CountOnly, DORMANT, Effect, End, Exploration, Kind, Limits, Monitor, Options, Own,
    Shared, Step, System, concrete,
};

/// Of so many systems, so many.
const SYSTEMS: (u64, u64) = (1_000, 20_000);

fn reduced<S: System<Label: InNumbers>>(
    system: &S,
    watch: &impl Monitor<S::Label, Tally = ()>,
    symmetry: bool,
) -> Exploration<S::Label> {
    let options = Options { symmetry, ..Options::default() };
    explore_reduced(system, watch, &options).expect("the system is small")
}

/// The states in which nobody can step and somebody has not returned.
fn deadlocks<S: System>(naive: &Naive<'_, S>, graph: &Graph<S::Label>) -> BTreeSet<State> {
    let waits = |state: &State, i: usize| {
        !naive.dormant(i, state.1[i]) && !naive.system.returned(naive.kinds[i], state.1[i])
    };
    let states = graph.states.iter().zip(&graph.moves);
    states
        .filter(|((state, _), moves)| {
            moves.is_empty() && (0..naive.kinds.len()).any(|i| waits(state, i))
        })
        .map(|((state, _), _)| state.clone())
        .collect()
}

/// The last state of a trace and the bits of what its last step violates.
fn retrace<S: System>(
    system: &S,
    watch: &impl Monitor<S::Label>,
    trace: &[TraceStep<S::Label>],
) -> (State, u64) {
    let mut violated = 0;
    let end =
        concrete::replay(system, trace, |_, taken| violated = watch.step_violates(&taken.step));
    let end = end.expect("the trace replays");
    ((end.shared, end.processes.into_iter().map(|(_, local)| local).collect()), violated)
}

/// Compares with the full search. `violated`: by a transition of the naive explorer.
fn check<S: System<Label: InNumbers>>(
    seed: u64,
    system: &S,
    watch: &impl Monitor<S::Label, Tally = ()>,
    violated: impl Fn(&State, &crate::common::naive::Move<S::Label>) -> u64,
    tally: &Tally,
) {
    let naive = Naive::new(system);
    for symmetry in [false, true] {
        let found = reduced(system, watch, symmetry);
        assert!(matches!(found.own, Own::Reduced { informed: true, .. }), "seed {seed}");
        let graph = naive.graph(symmetry);
        if let Some((_, kind)) = graph.exhausted.first() {
            assert!(matches!(found.end, End::PoolExhausted(_)), "seed {seed}: {kind:?} is empty");
            tally.exhausted.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        assert_eq!((found.end, found.queue), (End::Complete, 0), "seed {seed}");
        assert!(found.is_exhaustive() && !found.method.shortest && !found.method.decides_stuck);
        assert!(found.states as usize <= graph.states.len(), "seed {seed}: more states");
        assert!(found.transitions as usize <= graph.transitions(), "seed {seed}: more steps");
        let mut expected = 0;
        for ((state, _), moves) in graph.states.iter().zip(&graph.moves) {
            expected |= moves.iter().fold(0, |bits, (taken, _)| bits | violated(state, taken));
        }
        let leads = found.violations.iter().fold(0, |bits, lead| bits | 1_u64 << lead.property);
        assert_eq!(leads, expected, "seed {seed}: violated, with symmetry {symmetry}");
        for lead in &found.violations {
            let (_, violated) = retrace(system, watch, &lead.trace);
            assert_ne!(violated >> lead.property & 1, 0, "seed {seed}: harmless last step");
        }
        let deadlocks = deadlocks(&naive, &graph);
        let states = found.stuck.as_ref().map_or(0, |deadlock| deadlock.states);
        assert_eq!(states, deadlocks.len() as u64, "seed {seed}: deadlocks");
        if let Some(deadlock) = &found.stuck {
            let (end, _) = retrace(system, watch, &deadlock.trace);
            let sorted = if symmetry { naive.sorted(&end) } else { end.clone() };
            assert!(deadlocks.contains(&sorted), "seed {seed}: no deadlock");
            let local = end.1[deadlock.process];
            let kind = naive.kinds[deadlock.process];
            assert!(
                !naive.dormant(deadlock.process, local) && !system.returned(kind, local),
                "seed {seed}: returned"
            );
        }
        tally.add(symmetry, &found, graph.states.len() as u64, expected);
    }
}

#[derive(Debug, Default)]
struct Tally {
    exhausted: AtomicU64,
    full: [AtomicU64; 2],
    left: [AtomicU64; 2],
    reduced: AtomicU64,
    halved: AtomicU64,
    violated_and_reduced: AtomicU64,
    deadlocked_and_reduced: AtomicU64,
}

impl Tally {
    fn add<L>(&self, symmetry: bool, found: &Exploration<L>, full: u64, violated: u64) {
        let count = |counter: &AtomicU64, holds: bool| {
            counter.fetch_add(u64::from(holds), Ordering::Relaxed);
        };
        let smaller = found.states < full;
        self.full[usize::from(symmetry)].fetch_add(full, Ordering::Relaxed);
        self.left[usize::from(symmetry)].fetch_add(found.states, Ordering::Relaxed);
        count(&self.reduced, smaller);
        count(&self.halved, 2 * found.states <= full);
        count(&self.violated_and_reduced, smaller && violated != 0);
        count(&self.deadlocked_and_reduced, smaller && found.stuck.is_some());
    }
}

#[test]
fn agrees_with_the_full_search() {
    let (tally, lying) = (Tally::default(), Tally::default());
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    for_every_seed(systems, |seed| {
        let system = RandomBits::new(seed);
        let naive = Naive::new(&system);
        let violated = |state: &State, taken: &crate::common::naive::Move<Label>| {
            let (from, to) = (state.1[taken.actor], taken.after.1[taken.actor]);
            system.violated_by(naive.kinds[taken.actor], (from, to), [state.0, taken.after.0])
        };
        let tally = if system.lies() { &lying } else { &tally };
        check(seed, &system, &&system, violated, tally);
    });
    println!("{tally:#?} and of what declares too little {lying:#?}");
    for (counter, least) in [
        (&tally.exhausted, 50),
        (&tally.reduced, 2_500),
        (&tally.halved, 500),
        (&tally.violated_and_reduced, 1_500),
        (&tally.deadlocked_and_reduced, 1_500),
        (&lying.reduced, 50),
        (&lying.violated_and_reduced, 25),
    ] {
        let enough = systems.met_enough(counter.load(Ordering::Relaxed), least);
        assert!(enough, "too few: {tally:?} {lying:?}");
    }
}

/// Steps by name, in any shared state.
struct ByName([crate::common::random_system::Label; 3]);

impl Monitor<crate::common::random_system::Label> for ByName {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<crate::common::random_system::Label>) -> u64 {
        (0..3).fold(0, |bits, i| bits | u64::from(self.0[i] == step.label) << i)
    }
}

#[test]
fn agrees_where_everything_is_read() {
    let tally = Tally::default();
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    for_every_seed(systems, |seed| {
        if !seed.is_multiple_of(2) {
            return;
        }
        let system = RandomSystem::new(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        let watch = ByName(std::array::from_fn(|_| crate::common::random_system::Label {
            kind: rng.u8(0..2),
            local: rng.u8(1..6),
            choice: rng.u8(0..2),
        }));
        let violated = |_: &State, taken: &crate::common::naive::Move<_>| {
            (0..3).fold(0, |bits, i| bits | u64::from(watch.0[i] == taken.label) << i)
        };
        check(seed, &system, &watch, violated, &tally);
    });
    println!("{tally:#?}");
    assert!(systems.met_enough(tally.reduced.into_inner(), 50));
}

/// Somebody was told that all is well and finds nothing: and no load failed, or one did.
struct Fooled;

impl Monitor<At> for Fooled {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<At>) -> u64 {
        let fooled = At::of(step.local_after) == At::DoneNull;
        let failed = step.after & FAILED != 0;
        u64::from(fooled && !failed) | u64::from(fooled && failed) << 1
    }

    fn looks_at(&self, _: &Step<At>) -> Shared {
        FAILED
    }
}

#[test]
fn reference_model() {
    for callers in 1..=5 {
        for v19 in [false, true] {
            let model = ReferenceModel { callers, v19 };
            let full = explore_counted(&model, &CountedFooled, &Options::default());
            let full = full.expect("few callers");
            let violated: Vec<u32> = full.violations.iter().map(|v| v.property).collect();
            for symmetry in [false, true] {
                let found = reduced(&model, &Fooled, symmetry);
                assert_eq!(found.end, End::Complete);
                let leads: Vec<u32> = found.violations.iter().map(|lead| lead.property).collect();
                assert_eq!(leads, violated, "N = {callers}, {v19}, {symmetry}");
                assert_eq!(found.stuck, None);
                assert!(!symmetry || callers == 1 || found.states < full.states);
            }
        }
    }
}

struct CountedFooled;

impl Monitor<At> for CountedFooled {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<At>) -> u64 {
        Fooled.step_violates(step)
    }
}

#[test]
fn without_symmetry_nobody_is_exchanged() {
    // With everybody disturbed by everybody the reduced search is the full one.
    for seed in sample(100, 2_000).seeds() {
        let system = RandomSystem::new(seed);
        let found = reduced(&system, &CountOnly, false);
        let graph = Naive::new(&system).graph(false);
        if found.end == End::Complete && matches!(found.own, Own::Reduced { in_part: 0, .. }) {
            let counts = (found.states as usize, found.transitions as usize, found.depth as usize);
            assert_eq!(
                counts,
                (graph.states.len(), graph.transitions(), graph.depth()),
                "seed {seed}"
            );
        }
    }
}

/// Two steps that have no bit in common, and a third process that remembers their order.
#[test]
fn a_witness_keeps_two_steps_in_order() {
    let (first, second, witness) = ((Kind(0), 1), (Kind(1), 1), (Kind(2), 1));
    for processes in [[first, second, witness], [second, first, witness], [witness, second, first]]
    {
        let system = Hand {
            processes: processes.to_vec(),
            steps: vec![
                Sets(0, 1, 0b01, 7, Effect::None),
                Sets(1, 1, 0b10, 8, Effect::None),
                Sets(2, 2, 0, 4, Effect::None),
                Sets(2, 3, 0, 4, Effect::None),
            ],
            remembers: vec![Remembers {
                kind: 2,
                local: 1,
                bit: 0b01,
                provided: 0b10,
                to: 2,
                otherwise: 3,
            }],
        };
        for symmetry in [false, true] {
            let found = reduced(&system, &StepsFrom, symmetry);
            let leads: Vec<u32> = found.violations.iter().map(|lead| lead.property).collect();
            assert_eq!(leads, [1, 2, 3], "both orders are told apart");
        }
    }
}

/// One process wants another one to be started, and there is none unless a third has ended before:
/// by a step of its own, or by what it remembers.
#[test]
fn an_empty_pool_is_met() {
    let (ends, starts, passes) = ((Kind(0), 1), (Kind(1), 1), (Kind(2), 1));
    let spawn = Sets(1, 1, 0, 2, Effect::Spawn(Kind(0), 3));
    let by_itself = vec![Sets(0, 1, 0, DORMANT, Effect::None), spawn];
    let by_another = vec![Sets(2, 1, 0b01, 2, Effect::None), spawn];
    let (kind, local, bit, provided) = (0, 1, 0b01, 0);
    let (to, otherwise) = (DORMANT, DORMANT);
    let remembers = vec![Remembers { kind, local, bit, provided, to, otherwise }];
    for (processes, steps, remembers) in [
        (vec![ends, starts], by_itself.clone(), vec![]),
        (vec![starts, ends], by_itself, vec![]),
        (vec![passes, ends, starts], by_another.clone(), remembers.clone()),
        (vec![starts, passes, ends], by_another, remembers),
    ] {
        let system = Hand { processes, steps, remembers };
        let full = explore_counted(&system, &CountOnly, &Options::default());
        assert_eq!(full.expect("it is small").end, End::PoolExhausted(Kind(0)));
        for symmetry in [false, true] {
            let found = reduced(&system, &StepsFrom, symmetry);
            assert_eq!(found.end, End::PoolExhausted(Kind(0)));
        }
    }
}

#[test]
fn limits_are_kept() {
    let model = ReferenceModel { callers: 7, v19: true };
    let run = |limits, interrupt| {
        let options = Options { limits, interrupt, ..Options::default() };
        explore_reduced(&model, &Fooled, &options).expect("it fits")
    };
    let found = run(Limits { states: Some(5_000), ..Limits::default() }, None);
    assert_eq!((found.end, found.states), (End::StatesLimit, 5_000));
    let found = run(Limits { bytes: Some(1 << 20), ..Limits::default() }, None);
    assert_eq!(found.end, End::MemoryLimit);
    let found = run(Limits { time: Some(Duration::ZERO), ..Limits::default() }, None);
    assert_eq!(found.end, End::TimeLimit);
    let interrupt = AtomicBool::new(true);
    assert_eq!(run(Limits::default(), Some(&interrupt)).end, End::Interrupted);
    let options = Options { stop_when_violated: 1, ..Options::default() };
    let found = explore_reduced(&model, &Fooled, &options).expect("it fits");
    assert_eq!((found.end, found.violations[0].property), (End::Violated, 0));
}
