//! A search that is cut never reads like one that was not, and what it did find is true.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::common::erased::explore;
use crate::common::naive::Naive;
use crate::common::random_system::{Label, PROPERTIES, RandomSystem};
use crate::common::reference_model::{At, ReferenceModel};
use crate::common::sample::sample;
use kmodcheck_explore::replay::{Impossible, replay};
use kmodcheck_explore::{CountOnly, MAX_PROCESSES, Monitor, Unexplorable};
use kmodcheck_explore::{End, Exploration, Limits, Options, Product, Transition};

struct Properties<'a>(&'a RandomSystem);

impl Monitor<Label> for Properties<'_> {
    type Tally = ();

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        self.0.violated_by(transition)
    }
}

fn run(system: &RandomSystem, options: &Options<'_>) -> Exploration<Label> {
    explore(system, &Properties(system), options).expect("the system is small")
}

/// What a cut search says against the complete one.
fn check_cut(seed: u64, system: &RandomSystem, cut: &Exploration<Label>, all: &Exploration<Label>) {
    let product = Product::new(system).expect("few processes");
    assert_ne!(cut.end, End::Complete, "seed {seed}");
    assert!(cut.stuck.is_none() && cut.stuck_until_time_out.is_none(), "seed {seed}");
    assert!(cut.states <= all.states && cut.transitions <= all.transitions, "seed {seed}");
    assert!(cut.depth <= all.depth && cut.queue > 0, "seed {seed}");
    for violation in &cut.violations {
        let shortest = all.violations.iter().find(|v| v.property == violation.property);
        let shortest = shortest.unwrap_or_else(|| panic!("seed {seed}: invented a violation"));
        assert_eq!(violation.trace.len(), shortest.trace.len(), "seed {seed}");
        let mut last = 0;
        replay(&product, &violation.trace, |_, transition| last = system.violated_by(transition))
            .unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
        assert_ne!(last >> violation.property & 1, 0, "seed {seed}: the last step is harmless");
    }
}

#[test]
fn cut_searches_say_so() {
    let (mut cuts, mut violations) = (0, 0);
    let systems = sample(100, 2_000);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        for symmetry in [false, true] {
            let options = Options { symmetry, ..Options::default() };
            let all = run(&system, &options);
            if all.end != End::Complete {
                continue;
            }
            let graph = Naive::new(&system).graph(symmetry);
            let limited = |limits: Limits| run(&system, &Options { limits, ..options });
            // Just enough is enough.
            let enough = limited(Limits { states: Some(all.states), ..Limits::default() });
            assert_eq!((enough.end, enough.states), (End::Complete, all.states), "seed {seed}");
            for states in [1, all.states / 2, all.states - 1] {
                if states == 0 || states == all.states {
                    continue;
                }
                let cut = limited(Limits { states: Some(states), ..Limits::default() });
                assert_eq!((cut.end, cut.states), (End::StatesLimit, states), "seed {seed}");
                check_cut(seed, &system, &cut, &all);
                let farthest = graph.states[states as usize - 1].1;
                assert_eq!(cut.depth as usize, farthest, "seed {seed}: depth");
                // What is expanded without a new state does not miss a transition.
                let expanded = (cut.states - cut.queue) as usize;
                let moves: usize = graph.moves[..expanded].iter().map(Vec::len).sum();
                assert!(cut.transitions as usize > moves, "seed {seed}: transitions");
                cuts += 1;
                violations += cut.violations.len();
            }
            let time = Some(Duration::ZERO);
            let cut = limited(Limits { time, ..Limits::default() });
            assert_eq!((cut.end, cut.states, cut.transitions), (End::TimeLimit, 1, 0));
            check_cut(seed, &system, &cut, &all);
            let cut = limited(Limits { bytes: Some(1), ..Limits::default() });
            assert_eq!(cut.end, End::MemoryLimit, "seed {seed}");
            check_cut(seed, &system, &cut, &all);
            let interrupt = AtomicBool::new(true);
            let cut = run(&system, &Options { interrupt: Some(&interrupt), ..options });
            assert_eq!(cut.end, End::Interrupted, "seed {seed}");
            check_cut(seed, &system, &cut, &all);
        }
    }
    let enough = systems.met_enough(cuts, 4_000) && systems.met_enough(violations, 1_000);
    assert!(enough, "{cuts} cuts with {violations} violations");
}

#[test]
fn stops_after_the_level_with_the_last_wanted_violation() {
    let mut stopped = 0;
    let systems = sample(100, 2_000);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        for symmetry in [false, true] {
            let options = Options { symmetry, ..Options::default() };
            let all = run(&system, &options);
            if all.end != End::Complete {
                continue;
            }
            for wanted in (0..PROPERTIES).map(|p| 1 << p).chain([0b11, 0b1100, 0b11_1111]) {
                let options = Options { stop_when_violated: wanted, ..options };
                let found = run(&system, &options);
                let lengths: Vec<usize> = (all.violations.iter())
                    .filter(|v| wanted >> v.property & 1 != 0)
                    .map(|v| v.trace.len())
                    .collect();
                if found.end == End::Violated {
                    stopped += 1;
                    check_cut(seed, &system, &found, &all);
                    assert_eq!(lengths.len(), wanted.count_ones() as usize, "seed {seed}");
                    let longest = lengths.into_iter().max().expect("something was wanted");
                    assert_eq!(found.depth as usize, longest, "seed {seed}: stopped late");
                    // Of complete levels, the very traces of the complete search.
                    let same = |v| all.violations.contains(v);
                    assert!(found.violations.iter().all(same), "seed {seed}");
                } else {
                    assert_eq!(found.end, End::Complete, "seed {seed}");
                    assert_eq!(found.states, all.states, "seed {seed}");
                    assert_eq!(found.violations, all.violations, "seed {seed}");
                    let longest = lengths.iter().copied().max().unwrap_or(0) as u32;
                    let violated = lengths.len() == wanted.count_ones() as usize;
                    assert!(!violated || longest > all.depth, "seed {seed}: did not stop");
                }
            }
        }
    }
    assert!(systems.met_enough(stopped, 1_000), "{stopped}");
}

/// A search of several thousand states, cut in its middle.
#[test]
fn cut_in_the_middle() {
    let model = ReferenceModel { callers: 4, v19: true };
    let interrupt = AtomicBool::new(false);
    let looks = AtomicU64::new(0);
    struct SetAfter<'a>(&'a AtomicBool, &'a AtomicU64);
    impl Monitor<At> for SetAfter<'_> {
        type Tally = ();
        fn violates(&self, transition: &Transition<'_, At>) -> u64 {
            u64::from(ReferenceModel::enters_violating(transition))
        }
        fn record(&self, (): &mut (), _: &Transition<'_, At>, _: u64) {
            let before = self.1.fetch_add(1, Ordering::Relaxed);
            self.0.store(before >= 100_000, Ordering::Relaxed);
        }
    }
    let seen = std::sync::Mutex::new(Vec::new());
    let progress = |progress| seen.lock().expect("no panic elsewhere").push(progress);
    let options =
        Options { interrupt: Some(&interrupt), progress: Some(&progress), ..Options::default() };
    let cut = explore(&model, &SetAfter(&interrupt, &looks), &options).expect("small");
    assert_eq!(cut.end, End::Interrupted);
    assert!((100_000..202_420).contains(&cut.transitions), "{}", cut.transitions);
    assert!(cut.queue > 0 && cut.states < 63_973);
    assert_eq!(cut.transitions, looks.into_inner());
    let seen = seen.into_inner().expect("no panic elsewhere");
    assert!(seen.len() > 2 && seen.is_sorted_by_key(|p| (p.states, p.depth)));
    let last = seen.last().expect("several");
    assert_eq!((last.states, last.queue), (cut.states, cut.queue));
    let product = Product::new(&model).expect("few processes");
    let trace = &cut.violations.first().expect("found by then").trace;
    let mut violating = false;
    replay(&product, trace, |_, t| violating = ReferenceModel::enters_violating(t)).expect("exact");
    assert!(violating);
    // A trace that was tampered with does not replay.
    let mut wrong = trace.clone();
    let at = wrong.len() - 1;
    wrong[at].ordinal += 1;
    let label = wrong[at].label;
    let impossible = Impossible { step: at, possible: vec![label] };
    assert_eq!(replay(&product, &wrong, |_, _| {}), Err(impossible));
    wrong[at].ordinal -= 1;
    wrong[0].label = At::RmList;
    let impossible = Impossible { step: 0, possible: vec![At::Idle] };
    assert_eq!(replay(&product, &wrong, |_, _| {}), Err(impossible));
}

#[test]
fn too_many_processes_is_an_error() {
    let many = ReferenceModel { callers: 17, v19: true };
    let found = explore(&many, &CountOnly, &Options::default());
    assert_eq!(
        found.err(),
        Some(Unexplorable::TooManyProcesses { found: 17, most: MAX_PROCESSES })
    );
    // And 16 is not too many: three steps each, and cut.
    let most = ReferenceModel { callers: 16, v19: true };
    let limits = Limits { states: Some(10_000), ..Limits::default() };
    let options = Options { symmetry: true, limits, ..Options::default() };
    let found = explore(&most, &CountOnly, &options).expect("fits");
    assert_eq!((found.end, found.states, found.words), (End::StatesLimit, 10_000, 2));
}
