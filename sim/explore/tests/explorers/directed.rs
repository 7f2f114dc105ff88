//! The directed search: what it finds replays, it finds what needs dozens of processes, and where it
//! finds nothing it has seen what the exhaustive search sees.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::common::crowd::Slots;
use crate::common::erased::{InNumbers, explore_counted, explore_directed};
use crate::common::random_system::{PROPERTIES, RandomSystem};
use crate::common::reference_model::{At, FAILED, ReferenceModel};
use crate::common::sample::{long_sample, long_some_of};
use crate::common::semaphore::{Place, Semaphore};
use kmodcheck_explore::{
    Asks, Census, End, Kind, Limits, Monitor, Options, Own, Shared, Step, System, Unexplorable,
    Violation, concrete,
};

/// What the last step of a lead violates, replayed with numbered processes.
fn violated<S: System>(
    system: &S,
    watch: &impl Monitor<S::Label>,
    lead: &Violation<S::Label>,
) -> bool {
    let mut violated = 0;
    concrete::replay(system, &lead.trace, |_, taken| {
        violated = watch.step_violates(&taken.step)
            | watch.state_violates(taken.step.after, taken.after)
            | watch.counts_violate(&taken.step, taken.before, taken.after);
    })
    .expect("a lead replays");
    violated >> lead.property & 1 != 0
}

/// Somebody was refused.
struct Refused;

impl Monitor<Place> for Refused {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Place>) -> u64 {
        u64::from(step.label == Place::Refused)
    }
}

/// More than so many are inside.
struct Crowded(usize);

impl Monitor<Place> for Crowded {
    type Tally = ();
    const ASKS: Asks = Asks::Counts;

    fn state_violates(&self, _: Shared, processes: &dyn Census) -> u64 {
        let inside = |behind| processes.count(Kind(0), Place::Inside(behind).local());
        u64::from((0..100).map(inside).sum::<usize>() > self.0)
    }
}

fn found<S: System<Label: InNumbers>>(
    system: &S,
    watch: &impl Monitor<S::Label, Tally = ()>,
    most: u64,
) -> usize {
    let limits = Limits { states: Some(most), ..Limits::default() };
    let options = Options { limits, stop_when_violated: 1, ..Options::default() };
    let found = explore_directed(system, watch, &options).expect("it fits");
    assert_eq!(found.end, End::Violated, "{:?} of {} states", found.own, found.states);
    assert!(!found.is_exhaustive(), "a directed search says nothing of what it has not found");
    assert!(violated(system, watch, &found.violations[0]));
    println!("{} states, {:?}, {} bytes", found.states, found.own, found.bytes);
    found.violations[0].trace.len()
}

/// Few steps and many, outside and inside.
const STEPS: [(u8, u8); 4] = [(0, 0), (2, 1), (3, 20), (20, 20)];

#[test]
fn the_limit_of_fifty_is_broken_by_58() {
    for (steps, door) in STEPS.into_iter().flat_map(|steps| [(steps, false), (steps, true)]) {
        let semaphore = Semaphore { processes: 58, limit: 50, door, counter: true, steps };
        println!("{semaphore:?}");
        let length = found(&semaphore, &Refused, 10_000);
        // Fifty go in, and one more comes: nobody needs to do anything else.
        let steps = usize::from(steps.0) + 1 + usize::from(door);
        assert_eq!(length, 51 * steps, "not shortened");
    }
}

#[test]
fn a_crowd_that_nobody_counts_is_found() {
    let all = STEPS.into_iter().flat_map(|steps| [(steps, false), (steps, true)]);
    for (steps, door) in long_some_of(2, 4, all) {
        let semaphore = Semaphore { processes: 62, limit: 0, door, counter: false, steps };
        println!("{semaphore:?}");
        let length = found(&semaphore, &Crowded(50), 1_000_000);
        let steps = usize::from(steps.0) + 1 + usize::from(door);
        assert!(length >= 51 * steps, "shorter than the shortest");
    }
}

/// Somebody was told that all is well and finds nothing; no load ever failed, or some load did.
struct Fooled {
    failed: bool,
}

impl Monitor<At> for Fooled {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<At>) -> u64 {
        let failed = step.after & FAILED != 0;
        let fooled = At::of(step.local_after) == At::DoneNull;
        u64::from(fooled && failed == self.failed)
    }
}

#[test]
fn the_reference_model_is_violated_by_many() {
    for callers in [2, 16, 58, 80] {
        for failed in [false, true] {
            let model = ReferenceModel { callers, v19: true };
            let length = found(&model, &Fooled { failed }, 100_000);
            assert!(failed || length >= 12, "the shortest has 12 steps");
        }
    }
}

#[test]
fn agrees_with_the_exhaustive_search() {
    let (mut leads, mut longer) = (0, 0);
    let systems = long_sample(400, 4_000, 10_000);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let watch = Slots::of(&system);
        let all = explore_counted(&system, &Slots::of(&system), &Options::default())
            .expect("the system is small");
        if all.end != End::Complete {
            continue;
        }
        let wanted = all.violations.iter().fold(0, |bits, v| bits | 1 << v.property);
        let run = |wanted| {
            let options = Options { stop_when_violated: wanted, ..Options::default() };
            explore_directed(&system, &watch, &options).expect("it is small")
        };
        let properties =
            |leads: &[Violation<_>]| leads.iter().map(|l| l.property).collect::<Vec<_>>();
        let violated_ones: Vec<u32> = all.violations.iter().map(|v| v.property).collect();
        // With none wanted, all are: it goes on to the end.
        let some = run(wanted);
        let end = if wanted == 0 { End::Complete } else { End::Violated };
        assert_eq!((some.end, some.is_exhaustive()), (end, false), "seed {seed}");
        assert!(some.states <= all.states, "seed {seed}");
        assert_eq!(properties(&some.violations), violated_ones, "seed {seed}");
        for (lead, violation) in some.violations.iter().zip(&all.violations) {
            assert!(violated(&system, &watch, lead), "seed {seed}");
            assert!(lead.trace.len() >= violation.trace.len(), "seed {seed}: shorter");
            leads += 1;
            longer += u64::from(lead.trace.len() > violation.trace.len());
        }
        // A property that does not exist: it goes on to the end.
        let none = run(wanted | 1 << PROPERTIES);
        assert_eq!((none.end, none.states), (End::Complete, all.states), "seed {seed}");
        assert!(!none.is_exhaustive() && none.queue == 0, "seed {seed}");
        let Own::Directed { expanded } = none.own else { panic!("{:?}", none.own) };
        assert_eq!(expanded.iter().sum::<u64>(), all.states, "seed {seed}");
        assert_eq!(properties(&none.violations), violated_ones, "seed {seed}");
    }
    println!("{leads} leads, {longer} longer than the shortest");
    assert!(systems.met_enough(leads, 2_000));
}

#[test]
fn an_empty_pool_is_no_verdict() {
    let mut exhausted = 0;
    let systems = long_sample(400, 4_000, 10_000);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let all = explore_counted(&system, &Slots::of(&system), &Options::default())
            .expect("the system is small");
        if matches!(all.end, End::PoolExhausted(_)) {
            let unknown = Options { stop_when_violated: 1 << PROPERTIES, ..Options::default() };
            let found = explore_directed(&system, &Slots::of(&system), &unknown);
            let end = found.expect("it is small").end;
            assert!(matches!(end, End::PoolExhausted(_)), "seed {seed}");
            exhausted += 1;
        }
    }
    assert!(systems.met_enough(exhausted, 40));
}

#[test]
fn limits_are_kept() {
    let model = ReferenceModel { callers: 20, v19: false };
    let watch = Fooled { failed: false };
    let run = |limits, interrupt| {
        let options = Options { limits, interrupt, stop_when_violated: 1, ..Options::default() };
        explore_directed(&model, &watch, &options).expect("it fits")
    };
    let found = run(Limits { states: Some(5_000), ..Limits::default() }, None);
    assert_eq!((found.end, found.states), (End::StatesLimit, 5_000));
    assert!(found.violations.is_empty());
    let found = run(Limits { bytes: Some(4 << 20), ..Limits::default() }, None);
    assert_eq!(found.end, End::MemoryLimit);
    let found = run(Limits { time: Some(Duration::ZERO), ..Limits::default() }, None);
    assert_eq!(found.end, End::TimeLimit);
    let interrupt = AtomicBool::new(true);
    let found = run(Limits::default(), Some(&interrupt));
    assert_eq!(found.end, End::Interrupted);
    let many = ReferenceModel { callers: 300, v19: true };
    let found = explore_directed(&many, &watch, &Options::default());
    assert_eq!(found.err(), Some(Unexplorable::TooManyProcesses { found: 300, most: 255 }));
}
