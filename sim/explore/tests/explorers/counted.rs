//! The search by counting against the product with sorted processes and against the naive explorer,
//! on systems drawn at random and on the reference model: same counts, same verdicts, traces of the
//! same length that replay. A failure names the seed of the system.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::common::crowd::{Crowd, Slots};
use crate::common::erased::{explore, explore_counted};
use crate::common::naive::{Graph, Naive, State};
use crate::common::random_system::{Label, RandomSystem};
use crate::common::reference_model::{At, ReferenceModel};
use crate::common::sample::long_sample;
use crate::common::seeds::for_every_seed;
use kmodcheck_explore::Stuck;
use kmodcheck_explore::counted::MAX_COUNTED;
use kmodcheck_explore::replay::replay;
use kmodcheck_explore::{
    Asks, CountOnly, End, Exploration, Limits, Options, Product, Step, System, Transition,
    Unexplorable, concrete,
};
use kmodcheck_explore::{Monitor, TraceStep, Violation};

/// Of so many systems, so many.
const SYSTEMS: (u64, u64) = (400, 10_000);

/// The properties of a random system, asked by the product.
struct Properties<'a>(&'a RandomSystem);

impl Monitor<Label> for Properties<'_> {
    type Tally = ();

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        self.0.violated_by(transition)
    }
}

fn sorted(system: &RandomSystem) -> Exploration<Label> {
    let options = Options { symmetry: true, ..Options::default() };
    explore(system, &Properties(system), &options).expect("the system is small")
}

fn lengths<L>(violations: &[Violation<L>], most: usize) -> Vec<(u32, usize)> {
    let short = violations.iter().filter(|v| v.trace.len() <= most);
    short.map(|v| (v.property, v.trace.len())).collect()
}

fn outline<L>(stuck: Option<&Stuck<L>>) -> Option<(usize, u64)> {
    stuck.map(|stuck| (stuck.trace.len(), stuck.states))
}

/// Takes the steps of a trace with three replayers that share nothing; the states must be the same.
fn retrace(seed: u64, system: &RandomSystem, trace: &[TraceStep<Label>]) -> (Vec<State>, u64) {
    let naive = Naive::new(system);
    let mut states = vec![naive.initial.clone()];
    for step in trace {
        let moves = naive.moves(states.last().expect("never empty")).0;
        let taken = moves.iter().find(|m| (m.actor, m.ordinal) == (step.actor, step.ordinal));
        let taken = taken.unwrap_or_else(|| panic!("seed {seed}: {step:?} is not possible"));
        assert_eq!(taken.label, step.label, "seed {seed}");
        states.push(taken.after.clone());
    }
    let product = Product::new(system).expect("few processes");
    let mut violated = 0;
    replay(&product, trace, |number, transition| {
        let (shared, locals) = &states[number + 1];
        assert_eq!(transition.after.shared, *shared, "seed {seed}");
        assert_eq!(transition.after.locals[..locals.len()], **locals, "seed {seed}");
        violated = system.violated_by(transition);
    })
    .unwrap_or_else(|e| panic!("seed {seed}: the trace does not replay: {e:?}"));
    concrete::replay(system, trace, |number, taken| {
        let locals: Vec<u64> = taken.after.processes.iter().map(|(_, local)| *local).collect();
        assert_eq!((taken.after.shared, locals), states[number + 1], "seed {seed}");
    })
    .unwrap_or_else(|e| panic!("seed {seed}: the trace does not replay: {e:?}"));
    (states, violated)
}

fn check_traces(seed: u64, system: &RandomSystem, found: &Exploration<Label>) {
    for violation in &found.violations {
        let (_, violated) = retrace(seed, system, &violation.trace);
        assert_ne!(violated >> violation.property & 1, 0, "seed {seed}: harmless last step");
    }
    let [with, without] = [&found.stuck, &found.stuck_until_time_out];
    if with.is_none() && without.is_none() {
        return;
    }
    let naive = Naive::new(system);
    let graph = naive.graph(false);
    let stuck = naive.stuck(&graph);
    let at_the_end = |trace: &[TraceStep<Label>]| {
        let end = retrace(seed, system, trace).0.pop().expect("never empty");
        let end = graph.states.iter().position(|(state, _)| *state == end);
        &stuck[end.expect("reachable")]
    };
    if let Some(found) = with {
        let [_, always, _] = at_the_end(&found.trace);
        assert!(always.contains(&found.process), "seed {seed}: {} is not stuck", found.process);
    }
    if let Some(found) = without {
        let [_, always, ordinary] = at_the_end(&found.trace);
        assert!(
            ordinary.contains(&found.process) && !always.contains(&found.process),
            "seed {seed}: {} is not stuck until a time-out",
            found.process
        );
    }
}

#[test]
fn agrees_with_the_sorted_product() {
    let (exhausted, together) = (AtomicU64::new(0), AtomicU64::new(0));
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    for_every_seed(systems, |seed| {
        let system = RandomSystem::new(seed);
        let expected = sorted(&system);
        let found = explore_counted(&system, &Slots::of(&system), &Options::default())
            .expect("the system is small");
        check_traces(seed, &system, &found);
        if let End::PoolExhausted(_) = expected.end {
            exhausted.fetch_add(1, Ordering::Relaxed);
            let graph = Naive::new(&system).graph(true);
            let (level, _) = *graph.exhausted.first().expect("the pool was empty");
            let End::PoolExhausted(kind) = found.end else {
                panic!("seed {seed}: {:?} and the pool was empty", found.end)
            };
            assert!(graph.exhausted.contains(&(level, kind)), "seed {seed}: {kind:?} has some");
            assert!(found.stuck.is_none() && found.stuck_until_time_out.is_none());
            let short = |violations| lengths(violations, level);
            assert_eq!(short(&found.violations), short(&expected.violations), "seed {seed}");
            return;
        }
        together.fetch_add(u64::from(!found.violations.is_empty()), Ordering::Relaxed);
        let counts = |end, states, transitions, depth, queue, blocked| {
            (end, states, transitions, depth, queue, blocked)
        };
        assert_eq!(
            counts(
                found.end,
                found.states,
                found.transitions,
                found.depth,
                found.queue,
                found.blocked_states
            ),
            counts(
                expected.end,
                expected.states,
                expected.transitions,
                expected.depth,
                expected.queue,
                expected.blocked_states
            ),
            "seed {seed}"
        );
        let all = |violations| lengths(violations, usize::MAX);
        assert_eq!(all(&found.violations), all(&expected.violations), "seed {seed}");
        for (found, expected) in [
            (&found.stuck, &expected.stuck),
            (&found.stuck_until_time_out, &expected.stuck_until_time_out),
        ] {
            assert_eq!(outline(found.as_ref()), outline(expected.as_ref()), "seed {seed}");
        }
    });
    let (exhausted, violated) = (exhausted.into_inner(), together.into_inner());
    let enough = systems.met_enough(exhausted, 50) && systems.met_enough(violated, 2_000);
    assert!(enough, "{exhausted} {violated}");
}

/// One local state of many, to be reached by a step; speaks of no process's number.
struct Arrives {
    labels: [Label; 3],
}

impl Arrives {
    fn at(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let labels = std::array::from_fn(|_| Label {
            kind: rng.u8(0..2),
            local: rng.u8(1..6),
            choice: rng.u8(0..2),
        });
        Self { labels }
    }

    fn violated_by(&self, label: Label) -> u64 {
        (0..3).fold(0, |bits, i| bits | u64::from(self.labels[i] == label) << i)
    }
}

impl Monitor<Label> for Arrives {
    type Tally = u64;
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        self.violated_by(step.label)
    }

    fn record_step(&self, tally: &mut u64, _: &Step<Label>, _: u64, times: u64) {
        *tally += times;
    }
}

/// States of a crowd that are still worth the naive explorer's time.
const FEW: u64 = 400;

fn crowd_of(
    seed: u64,
    system: &RandomSystem,
    most: usize,
) -> Option<(Crowd<'_>, Exploration<Label, u64>)> {
    let crowd = Crowd::new(seed, system, most);
    let watch = Arrives::at(seed);
    let limits = Limits { states: Some(FEW), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let found = explore_counted(&crowd, &watch, &options).expect("few processes");
    assert_eq!(found.tally, found.transitions, "seed {seed}: each is recorded once");
    (found.end == End::Complete).then_some((crowd, found))
}

#[test]
fn crowds_agree_with_the_sorted_product() {
    let (crowds, stuck, violated) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    for_every_seed(systems, |seed| {
        let system = RandomSystem::new(seed);
        let Some((crowd, found)) = crowd_of(seed, &system, 16) else { return };
        let options = Options { symmetry: true, ..Options::default() };
        let watch = Arrives::at(seed);
        let expected = explore(&crowd, &watch, &options).expect("it fits");
        assert_eq!(expected.tally, expected.transitions, "seed {seed}");
        let counts = (found.states, found.transitions, found.depth, found.blocked_states);
        assert_eq!(
            counts,
            (expected.states, expected.transitions, expected.depth, expected.blocked_states),
            "seed {seed}"
        );
        let all = |violations| lengths(violations, usize::MAX);
        assert_eq!(all(&found.violations), all(&expected.violations), "seed {seed}");
        for (found, expected) in [
            (&found.stuck, &expected.stuck),
            (&found.stuck_until_time_out, &expected.stuck_until_time_out),
        ] {
            assert_eq!(outline(found.as_ref()), outline(expected.as_ref()), "seed {seed}");
        }
        crowds.fetch_add(1, Ordering::Relaxed);
        stuck.fetch_add(u64::from(found.stuck.is_some()), Ordering::Relaxed);
        violated.fetch_add(u64::from(!found.violations.is_empty()), Ordering::Relaxed);
    });
    println!("{crowds:?} crowds, {stuck:?} stuck, {violated:?} violated");
    for (met, in_all) in [(crowds, 2_000), (stuck, 500), (violated, 500)] {
        assert!(systems.met_enough(met.into_inner(), in_all));
    }
}

#[test]
fn larger_crowds_agree_with_the_naive_explorer() {
    let (crowds, large) = (AtomicU64::new(0), AtomicU64::new(0));
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    for_every_seed(systems, |seed| {
        if !seed.is_multiple_of(4) {
            return;
        }
        let system = RandomSystem::new(seed);
        let Some((crowd, found)) = crowd_of(seed, &system, 80) else { return };
        let processes = crowd.initial().processes.len();
        let naive = Naive::new(&crowd);
        let graph: Graph<Label> = naive.graph(true);
        let counts = (found.states as usize, found.transitions as usize, found.depth as usize);
        assert_eq!(
            counts,
            (graph.states.len(), graph.transitions(), graph.depth()),
            "seed {seed}: {processes} processes"
        );
        let watch = Arrives::at(seed);
        for property in 0..3 {
            let least =
                graph.least_violation(|_, m| watch.violated_by(m.label) >> property & 1 != 0);
            let shortest = least.map(|(state, _)| graph.states[state].1 + 1);
            let violation = found.violations.iter().find(|v| v.property == property);
            assert_eq!(violation.map(|v| v.trace.len()), shortest, "seed {seed}");
            let Some(violation) = violation else { continue };
            let mut last = None;
            concrete::replay(&crowd, &violation.trace, |_, taken| last = Some(taken.step.label))
                .unwrap_or_else(|e| panic!("seed {seed}: the trace does not replay: {e:?}"));
            assert_ne!(watch.violated_by(last.expect("a step")) >> property & 1, 0, "seed {seed}");
        }
        crowds.fetch_add(1, Ordering::Relaxed);
        large.fetch_add(u64::from(processes > 58), Ordering::Relaxed);
    });
    let (crowds, large) = (crowds.into_inner(), large.into_inner());
    println!("{crowds} crowds, {large} of more than 58");
    assert!(systems.met_enough(crowds, 250) && systems.met_enough(large, 50));
}

/// Somebody was told that all is well, finds nothing, and no load ever failed.
struct Fooled;

impl Monitor<At> for Fooled {
    type Tally = u64;
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<At>) -> u64 {
        u64::from(ReferenceModel::violating(step.after, &[step.local_after]))
    }

    fn record_step(&self, tally: &mut u64, _: &Step<At>, _: u64, times: u64) {
        *tally += times;
    }
}

#[test]
fn reference_model_up_to_symmetry() {
    for (callers, states) in
        [(4, 3_615), (5, 12_678), (6, 38_413), (7, 103_798), (10, 1_251_835), (12, 4_921_618)]
    {
        let model = ReferenceModel { callers, v19: true };
        let found = explore_counted(&model, &Fooled, &Options::default()).expect("few callers");
        assert_eq!((found.end, found.states), (End::Complete, states), "N = {callers}");
        assert_eq!(found.violations[0].trace.len(), 12, "N = {callers}");
        assert!(found.stuck.is_none(), "every waiter is released at last");
    }
}

#[test]
fn reference_model_agrees_with_the_sorted_product() {
    for callers in 1..=6 {
        for v19 in [true, false] {
            let model = ReferenceModel { callers, v19 };
            let found = explore_counted(&model, &Fooled, &Options::default()).expect("few callers");
            assert_eq!(found.tally, found.transitions);
            let options = Options { symmetry: true, ..Options::default() };
            let expected = explore(&model, &Fooled, &options).expect("few callers");
            assert_eq!(
                (found.end, found.states, found.transitions, found.depth, found.blocked_states),
                (
                    expected.end,
                    expected.states,
                    expected.transitions,
                    expected.depth,
                    expected.blocked_states
                ),
                "N = {callers}, {v19}"
            );
            assert_eq!(expected.tally, expected.transitions);
            let all = |violations| lengths(violations, usize::MAX);
            assert_eq!(all(&found.violations), all(&expected.violations));
            assert_eq!(found.violations.is_empty(), !v19 || callers == 1);
            assert_eq!(outline(found.stuck.as_ref()), outline(expected.stuck.as_ref()));
        }
    }
}

#[test]
fn a_violation_among_eighty_callers_is_found_on_the_way() {
    let model = ReferenceModel { callers: 80, v19: true };
    let options = Options { stop_when_violated: 1, ..Options::default() };
    let found = explore_counted(&model, &Fooled, &options).expect("it fits");
    assert_eq!(found.end, End::Violated);
    let trace = &found.violations[0].trace;
    assert_eq!(trace.len(), 12);
    let mut fooled = 0;
    concrete::replay(&model, trace, |_, taken| fooled = Fooled.step_violates(&taken.step))
        .expect("it replays");
    assert_eq!(fooled, 1);
}

#[test]
fn limits_end_in_limits() {
    let model = ReferenceModel { callers: 9, v19: true };
    let run =
        |options: &Options<'_>| explore_counted(&model, &CountOnly, options).expect("few callers");
    let limited = |limits| run(&Options { limits, ..Options::default() });
    for states in [1, 2, 777, 20_000] {
        let found = limited(Limits { states: Some(states), ..Limits::default() });
        assert_eq!((found.end, found.states), (End::StatesLimit, states));
        assert!(found.stuck.is_none() && found.queue > 0);
        let sorted = Options {
            symmetry: true,
            limits: Limits { states: Some(states), ..Limits::default() },
            ..Options::default()
        };
        let sorted = explore(&model, &CountOnly, &sorted).expect("few");
        assert_eq!((found.end, found.states), (sorted.end, sorted.states));
    }
    let found = limited(Limits { bytes: Some(1 << 20), ..Limits::default() });
    assert_eq!(found.end, End::MemoryLimit);
    // States have their room before they are there; of the system's answers note is taken now and then.
    assert!(found.bytes <= (1 << 20) + (1 << 16), "{} bytes", found.bytes);
    assert!(found.states > 1_000, "{} states", found.states);
    let found = limited(Limits { time: Some(Duration::ZERO), ..Limits::default() });
    assert_eq!(found.end, End::TimeLimit);
    let interrupt = AtomicBool::new(true);
    let found = run(&Options { interrupt: Some(&interrupt), ..Options::default() });
    assert_eq!(found.end, End::Interrupted);
    let seen = std::sync::Mutex::new(Vec::new());
    let progress = |progress: kmodcheck_explore::Progress| {
        assert!(progress.level_left <= progress.level && progress.level_left <= progress.queue);
        seen.lock().expect("no panic").push((progress.states, progress.queue));
    };
    let found = run(&Options { progress: Some(&progress), ..Options::default() });
    let seen = seen.into_inner().expect("no panic");
    assert_eq!(found.end, End::Complete);
    assert!(seen.len() > 100 && seen.is_sorted_by_key(|(states, _)| *states));
    assert!(seen.iter().all(|(states, queue)| *queue > 0 && queue <= states));
}

#[test]
fn the_result_is_the_same_each_time() {
    let seeds: BTreeSet<u64> = (0..200).collect();
    for seed in seeds {
        let system = RandomSystem::new(seed);
        let run = || {
            let found = explore_counted(&system, &Slots::of(&system), &Options::default());
            format!("{found:?}")
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}

#[test]
fn too_many_processes() {
    let model = |callers| ReferenceModel { callers, v19: true };
    let count = |callers| {
        let limits = Limits { states: Some(10), ..Limits::default() };
        explore_counted(&model(callers), &CountOnly, &Options { limits, ..Options::default() })
    };
    assert_eq!(
        count(MAX_COUNTED + 1).err(),
        Some(Unexplorable::TooManyProcesses { found: 256, most: MAX_COUNTED })
    );
    assert_eq!(count(MAX_COUNTED).expect("it fits").end, End::StatesLimit);
    assert_eq!(count(0).expect("it fits").end, End::Complete);
}
