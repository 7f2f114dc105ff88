//! A search says the same at any number of threads, however it ends, and whether its monitor asks for
//! whole transitions or for steps alone.

use crate::common::crowd::Crowd;
use crate::common::erased::explore;
use crate::common::naive::Naive;
use crate::common::random_system::{Label, RandomSystem};
use crate::common::reference_model::{At, ReferenceModel, Violations};
use crate::common::sample::long_sample;
use kmodcheck_explore::{Asks, CountOnly, Monitor, Tally};
use kmodcheck_explore::{
    End, Exploration, Limits, Local, MAX_PROCESSES, Options, Step, System, Transition,
};

/// Everything of a result that must not depend on threads; the memory may.
fn said<L: Clone + PartialEq + std::fmt::Debug, T: Clone + PartialEq + std::fmt::Debug>(
    found: &Exploration<L, T>,
) -> impl PartialEq + std::fmt::Debug + use<L, T> {
    (
        (found.end, found.states, found.transitions, found.depth, found.queue, found.words),
        (found.violations.clone(), found.stuck.clone(), found.stuck_until_time_out.clone()),
        (found.sleepers.clone(), found.blocked_states, found.tally.clone()),
    )
}

/// The reference model's violation, asked of whole transitions.
struct ByTransitions;

impl Monitor<At> for ByTransitions {
    type Tally = u64;

    fn violates(&self, transition: &Transition<'_, At>) -> u64 {
        Violations.step_violates(&transition.step)
    }

    fn record(&self, tally: &mut u64, _: &Transition<'_, At>, violated: u64) {
        *tally += violated;
    }
}

/// Five callers: levels of tens of thousands of states, many blocks each.
#[test]
fn any_number_of_threads_says_the_same() {
    let model = ReferenceModel { callers: 5, v19: true };
    let limits = |states| Limits { states, ..Limits::default() };
    let cases = [
        (false, limits(None), 0),
        (true, limits(None), 0),
        (false, limits(Some(500_001)), 0),
        (false, limits(None), 1),
    ];
    let mut ends = Vec::new();
    for (symmetry, limits, stop_when_violated) in cases {
        let run = |threads| {
            let options =
                Options { symmetry, limits, stop_when_violated, threads, ..Options::default() };
            explore(&model, &Violations, &options).expect("fits")
        };
        let one = run(1);
        ends.push(one.end);
        for threads in [2, 3] {
            assert_eq!(said(&one), said(&run(threads)), "{threads} threads, {:?}", one.end);
        }
        let options = Options { symmetry, limits, stop_when_violated, ..Options::default() };
        let whole = explore(&model, &ByTransitions, &options).expect("fits");
        assert_eq!(said(&one), said(&whole), "asked of whole transitions, {:?}", one.end);
    }
    assert_eq!(ends, [End::Complete, End::Complete, End::StatesLimit, End::Violated]);
}

/// Told of each distinct step how often it was taken; asked the properties that steps can decide.
struct Steps;

/// By step, written out: how often.
#[derive(Clone, Debug, Default, PartialEq)]
struct Taken(std::collections::BTreeMap<String, u64>);

impl Tally for Taken {
    fn add(&mut self, other: Self) {
        for (step, times) in other.0 {
            *self.0.entry(step).or_default() += times;
        }
    }
}

impl Monitor<Label> for Steps {
    type Tally = Taken;
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        u64::from(step.label.choice == 1) | u64::from(step.before == step.after) << 5
    }

    fn record_step(&self, tally: &mut Taken, step: &Step<Label>, violated: u64, times: u64) {
        assert_eq!(violated, self.step_violates(step));
        assert_ne!(times, 0);
        *tally.0.entry(format!("{step:?}")).or_default() += times;
    }
}

/// The same, by way of whole transitions.
struct Whole;

impl Monitor<Label> for Whole {
    type Tally = Taken;

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        Steps.step_violates(&transition.step)
    }

    fn record(&self, tally: &mut Taken, transition: &Transition<'_, Label>, _: u64) {
        *tally.0.entry(format!("{:?}", transition.step)).or_default() += 1;
    }
}

/// Steps alone and whole transitions are two ways through the explorer: the second one is compared
/// with the naive explorer elsewhere.
#[test]
fn steps_alone_say_what_whole_transitions_say() {
    let mut complete = 0;
    let systems = long_sample(150, 800, 3_000);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let wide = [1, 2, 4, 8].into_iter().filter_map(|words| system.widened(words));
        for system in wide.chain([system.clone()]) {
            for symmetry in [false, true] {
                let options = |threads| Options { symmetry, threads, ..Options::default() };
                let steps = explore(&system, &Steps, &options(1)).expect("small");
                let whole = explore(&system, &Whole, &options(1)).expect("small");
                assert_eq!(said(&steps), said(&whole), "seed {seed}, {symmetry}");
                let two = explore(&system, &Steps, &options(2)).expect("small");
                assert_eq!(said(&steps), said(&two), "seed {seed}, {symmetry}: two threads");
                complete += u64::from(steps.end == End::Complete);
            }
        }
    }
    assert!(systems.met_enough(complete, 2_600), "{complete}");
}

/// Properties of steps, whatever the system is made of.
struct ByLabel;

impl Monitor<Label> for ByLabel {
    type Tally = u64;
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        u64::from(step.label.choice == 1) | u64::from(step.before == step.after) << 5
    }

    fn record_step(&self, tally: &mut u64, _: &Step<Label>, violated: u64, times: u64) {
        *tally += violated * times;
    }
}

/// Generated systems with so many processes that levels are divided between threads; also cut in
/// the middle of a level.
#[test]
fn generated_crowds_say_the_same_on_any_number_of_threads() {
    let (mut complete, mut cut) = (0, 0);
    for seed in 0..400 {
        let system = RandomSystem::new(seed);
        let crowd = Crowd::new(seed, &system, 8);
        let states = Some(if seed % 2 == 0 { 40_000 } else { 400_000 });
        let limits = Limits { states, ..Limits::default() };
        let run = |threads| {
            let options = Options { threads, limits, ..Options::default() };
            explore(&crowd, &ByLabel, &options).expect("small")
        };
        let one = run(1);
        // In a level of so many states there is work for more than one thread.
        if one.states / u64::from(one.depth + 1) < 3_000 {
            continue;
        }
        for threads in [2, 3] {
            assert_eq!(said(&one), said(&run(threads)), "seed {seed}, {threads} threads");
        }
        match one.end {
            End::StatesLimit => cut += 1,
            _ => complete += 1,
        }
    }
    println!("{complete} complete, {cut} cut");
    assert!(complete > 0 && cut > 0, "{complete} complete, {cut} cut");
}

/// A state costs what `bfs/visited.rs` says: a slot of 4 bytes divided by the load, and about one level whole; and
/// the workers need something for themselves.
#[test]
fn a_state_takes_few_bytes() {
    let model = ReferenceModel { callers: 5, v19: true };
    let found = explore(&model, &Violations, &Options::default()).expect("fits");
    assert_eq!((found.end, found.words), (End::Complete, 1));
    let most = found.states * 12 + (3 << 20);
    assert!(found.bytes <= most, "{} bytes for {} states", found.bytes, found.states);
    assert!(found.bytes >= found.states * 4, "not all of it was counted");
}

/// Whatever the limit, no more is held, and what was found until then is said and true.
#[test]
fn memory_limits_are_kept() {
    let model = ReferenceModel { callers: 5, v19: true };
    for threads in [1, 3] {
        let mut last = 0;
        for mebibytes in [1, 2, 3, 4] {
            let bytes = Some(mebibytes << 20);
            let limits = Limits { bytes, ..Limits::default() };
            let options = Options { limits, threads, ..Options::default() };
            let cut = explore(&model, &Violations, &options).expect("fits");
            assert_eq!(cut.end, End::MemoryLimit, "{mebibytes} MiB");
            assert!(cut.states > last && cut.states < 878_304 && cut.queue > 0);
            assert_eq!(cut.stuck, None);
            last = cut.states;
            // Beside tables and lists, there is what each worker needs: a few MiB.
            assert!(cut.bytes <= (mebibytes + 12) << 20, "{mebibytes} MiB: {}", cut.bytes);
        }
        assert!(last > 100_000, "{last}");
    }
}

/// A panic of the system's own reaches the caller at any number of threads.
#[test]
fn a_panic_is_passed_on() {
    struct Panics(ReferenceModel);
    impl System for Panics {
        type Label = At;
        fn shared_bits(&self) -> u32 {
            self.0.shared_bits()
        }
        fn local_bits(&self) -> u32 {
            self.0.local_bits()
        }
        fn initial(&self) -> kmodcheck_explore::Initial {
            self.0.initial()
        }
        fn step(
            &self,
            kind: kmodcheck_explore::Kind,
            shared: kmodcheck_explore::Shared,
            local: Local,
            choices: &mut Vec<kmodcheck_explore::Choice<At>>,
        ) {
            assert_ne!(At::of(local), At::Exit1, "the system's own panic");
            self.0.step(kind, shared, local, choices);
        }
        fn observe(
            &self,
            _: kmodcheck_explore::Kind,
            _: kmodcheck_explore::Shared,
            _: kmodcheck_explore::Shared,
            local: Local,
        ) -> Local {
            local
        }
        fn wake(
            &self,
            _: kmodcheck_explore::Kind,
            _: Local,
            _: kmodcheck_explore::Queue,
        ) -> Option<Local> {
            None
        }
        fn returned(&self, kind: kmodcheck_explore::Kind, local: Local) -> bool {
            self.0.returned(kind, local)
        }
    }
    for threads in [1, 3] {
        let panicked = std::panic::catch_unwind(|| {
            let model = Panics(ReferenceModel { callers: 7, v19: true });
            let options = Options { threads, ..Options::default() };
            explore(&model, &CountOnly, &options).map(|found| found.states)
        });
        let panic = panicked.expect_err("it does not find its way round a panic");
        let words = panic.downcast_ref::<String>().expect("words");
        assert!(words.contains("the system's own panic"), "{threads} threads: {words}");
    }
}

/// The widest product is explored with every process in its place.
#[test]
fn most_processes() {
    let model = ReferenceModel { callers: MAX_PROCESSES, v19: true };
    let naive = Naive::new(&model);
    let limits = Limits { states: Some(2_000), ..Limits::default() };
    let options = Options { symmetry: true, limits, ..Options::default() };
    let cut = explore(&model, &Violations, &options).expect("fits");
    assert_eq!((cut.end, cut.states), (End::StatesLimit, 2_000));
    // Its first levels, one after the other.
    let mut level = std::collections::BTreeSet::from([naive.sorted(&naive.initial)]);
    let mut seen = level.clone();
    let mut depth = 0;
    while seen.len() < 2_000 {
        let moves = level.iter().flat_map(|state| naive.moves(state).0);
        let next: std::collections::BTreeSet<_> = moves.map(|m| naive.sorted(&m.after)).collect();
        level = next.difference(&seen).cloned().collect();
        seen.extend(level.iter().cloned());
        depth += 1;
    }
    assert_eq!(cut.depth, depth);
}
