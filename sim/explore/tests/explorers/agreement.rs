//! The explorer against a naive one, on systems drawn at random: same counts, same verdicts, same
//! shortest traces. A failure names the seed of the system.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::erased::explore;
use crate::common::naive::{Graph, Move, Naive, State};
use crate::common::random_system::{Label, PROPERTIES, RandomSystem};
use crate::common::sample::{Sample, long_sample};
use crate::common::seeds::for_every_seed;
use kmodcheck_explore::replay::replay;
use kmodcheck_explore::{
    Effect, End, Exploration, Kind, Options, Product, Step, Transition, WayOut,
};
use kmodcheck_explore::{Monitor, Tally, TraceStep};
use kmodcheck_explore::{Sleep, Sleeper, Stuck};

/// Of so many systems, so many.
const SYSTEMS: (u64, u64) = (400, 10_000);

/// In states of every width usually so many.
const WIDE: u64 = 3_000;

/// Asks the system's own properties, and checks what every transition must keep to.
struct Properties<'a>(&'a RandomSystem);

#[derive(Default)]
struct Recorded {
    transitions: u64,
    /// The same, told by steps.
    steps: u64,
}

impl Tally for Recorded {
    fn add(&mut self, other: Self) {
        self.transitions += other.transitions;
        self.steps += other.steps;
    }
}

impl Monitor<Label> for Properties<'_> {
    type Tally = Recorded;

    fn violates(&self, transition: &Transition<'_, Label>) -> u64 {
        self.0.violated_by(transition)
    }

    fn record(&self, tally: &mut Recorded, transition: &Transition<'_, Label>, _: u64) {
        let changed = transition.before.shared ^ transition.after.shared;
        assert_eq!(changed & !transition.footprint.writes, 0, "written and not declared");
        tally.transitions += 1;
    }

    fn record_step(&self, tally: &mut Recorded, _: &Step<Label>, _: u64, times: u64) {
        tally.steps += times;
    }
}

fn run(system: &RandomSystem, symmetry: bool) -> Exploration<Label, Recorded> {
    let options = Options { symmetry, ..Options::default() };
    let found = explore(system, &Properties(system), &options).expect("the system is small");
    assert_eq!(found.tally.transitions, found.transitions, "every transition is recorded once");
    assert_eq!(found.tally.steps, found.transitions, "and every step");
    found
}

/// What the naive explorer knows of one system.
struct Expected<'a> {
    seed: u64,
    naive: Naive<'a, RandomSystem>,
    system: &'a RandomSystem,
    graph: Graph<Label>,
    sorted: Graph<Label>,
    /// By state of `graph`: its stuck processes, as [`Naive::stuck`] says.
    stuck: Vec<[BTreeSet<usize>; 3]>,
}

impl<'a> Expected<'a> {
    fn of(seed: u64, system: &'a RandomSystem) -> Self {
        let naive = Naive::new(system);
        let (graph, sorted) = (naive.graph(false), naive.graph(true));
        let stuck = naive.stuck(&graph);
        Self { seed, naive, system, graph, sorted, stuck }
    }

    fn violates(&self, before: &State, taken: &Move<Label>, property: u32) -> bool {
        let violated = self.system.violated(
            (before.0, &before.1),
            (taken.after.0, &taken.after.1),
            taken.actor,
            taken.label,
        );
        violated >> property & 1 != 0
    }

    fn is_stuck(&self, state: usize, only_until_time_out: bool) -> bool {
        let [_, with, without] = &self.stuck[state];
        if only_until_time_out { without != with } else { !with.is_empty() }
    }

    /// The processes of a kind that sleep so.
    fn asleep(&self, state: usize, kind: Kind, sleep: Sleep) -> BTreeSet<usize> {
        let [for_ever, unless_killed, by_steps] = &self.stuck[state];
        let asleep = match sleep {
            Sleep::ForEver => for_ever.clone(),
            Sleep::UntilKilled => unless_killed - for_ever,
            Sleep::UntilTimeOut => by_steps - unless_killed,
        };
        asleep.into_iter().filter(|i| self.naive.kinds[*i] == kind).collect()
    }

    fn check_sleepers(&self, found: &[Sleeper<Label>]) {
        let seed = self.seed;
        let graph = &self.graph;
        let mut rest: Vec<&Sleeper<Label>> = found.iter().collect();
        for kind in self.naive.kinds.iter().copied().collect::<BTreeSet<_>>() {
            for sleep in Sleep::ALL {
                let all =
                    (0..graph.states.len()).filter(|s| !self.asleep(*s, kind, sleep).is_empty());
                let nearest = all.map(|state| graph.states[state].1).min();
                let at = rest.iter().position(|s| (s.kind, s.sleep) == (kind, sleep));
                let found = at.map(|at| rest.remove(at));
                let steps = found.map(|found| found.stuck.trace.len());
                assert_eq!(steps, nearest, "seed {seed}: {kind:?} {sleep:?}");
                let Some(Sleeper { stuck, .. }) = found else { continue };
                let end = self.retrace(&stuck.trace).0.pop().expect("never empty");
                let end = graph.states.iter().position(|(state, _)| *state == end);
                let asleep = self.asleep(end.expect("reachable"), kind, sleep);
                assert!(asleep.contains(&stuck.process), "seed {seed}: {stuck:?} {sleep:?}");
            }
        }
        assert!(rest.is_empty(), "seed {seed}: {rest:?}");
    }

    /// The states along a trace, as the naive explorer takes its steps, and the last step.
    fn retrace(&self, trace: &[TraceStep<Label>]) -> (Vec<State>, Option<Move<Label>>) {
        let seed = self.seed;
        let mut states = vec![self.naive.initial.clone()];
        let mut last = None;
        for step in trace {
            let now = states.last().expect("never empty");
            let taken = self
                .naive
                .moves(now)
                .0
                .into_iter()
                .find(|taken| (taken.actor, taken.ordinal) == (step.actor, step.ordinal));
            let taken = taken.unwrap_or_else(|| panic!("seed {seed}: {step:?} is not possible"));
            assert_eq!(taken.label, step.label, "seed {seed}: a step by another name");
            states.push(taken.after.clone());
            last = Some(taken);
        }
        (states, last)
    }

    /// The crate's own replay takes the same steps.
    fn replays(&self, trace: &[TraceStep<Label>], states: &[State], property: Option<u32>) {
        let seed = self.seed;
        let product = Product::new(self.system).expect("few processes");
        let mut violated = 0;
        let end = replay(&product, trace, |number, transition| {
            let (shared, locals) = &states[number + 1];
            assert_eq!(transition.after.shared, *shared, "seed {seed}");
            assert_eq!(transition.after.locals[..locals.len()], **locals, "seed {seed}");
            violated = self.system.violated_by(transition);
        })
        .unwrap_or_else(|e| panic!("seed {seed}: the trace does not replay: {e:?}"));
        assert_eq!(end.shared, states.last().expect("never empty").0, "seed {seed}");
        if let Some(property) = property {
            assert_ne!(violated >> property & 1, 0, "seed {seed}: the last step is harmless");
        }
    }

    fn canonical(&self, states: &[State], symmetry: bool) -> Vec<State> {
        states
            .iter()
            .map(|state| if symmetry { self.naive.sorted(state) } else { state.clone() })
            .collect()
    }

    /// Violations found, against those there are within `levels` levels.
    fn check_violations(
        &self,
        found: &Exploration<Label, Recorded>,
        symmetry: bool,
        levels: usize,
    ) {
        let seed = self.seed;
        let graph = if symmetry { &self.sorted } else { &self.graph };
        let predecessors = graph.least_predecessors();
        for property in 0..PROPERTIES {
            let least = graph.least_violation(|before, m| self.violates(before, m, property));
            let violation = found.violations.iter().find(|v| v.property == property);
            let shortest = least.map(|(state, _)| graph.states[state].1 + 1);
            let Some(violation) = violation else {
                let missed = shortest.is_some_and(|shortest| shortest <= levels);
                assert!(!missed, "seed {seed}: property {property} is violated");
                continue;
            };
            assert_eq!(Some(violation.trace.len()), shortest, "seed {seed}: length of a trace");
            let exact = self.graph.least_violation(|before, m| self.violates(before, m, property));
            let exact = exact.map(|(state, _)| self.graph.states[state].1 + 1);
            assert_eq!(shortest, exact, "seed {seed}: symmetry changes the shortest trace");
            let (states, last) = self.retrace(&violation.trace);
            self.replays(&violation.trace, &states, Some(property));
            let before = &states[states.len() - 2];
            let last = last.expect("not empty");
            assert!(self.violates(before, &last, property), "seed {seed}: harmless last step");
            if violation.trace.len() <= levels {
                // Of all the shortest the documented one.
                let (state, taken) = least.expect("there is one");
                let path = self.canonical(&states[..states.len() - 1], symmetry);
                assert_eq!(
                    path,
                    graph.least_path(&predecessors, state),
                    "seed {seed}: not the least path"
                );
                if !symmetry {
                    let step = (last.actor, last.ordinal);
                    assert_eq!(step, (taken.actor, taken.ordinal), "seed {seed}: not the least");
                }
            }
        }
    }

    fn check_stuck(&self, found: Option<&Stuck<Label>>, symmetry: bool, way_out: bool) {
        let seed = self.seed;
        let graph = &self.graph;
        let all: Vec<usize> =
            (0..graph.states.len()).filter(|state| self.is_stuck(*state, way_out)).collect();
        let distinct: BTreeSet<State> = self
            .canonical(
                &all.iter().map(|s| graph.states[*s].0.clone()).collect::<Vec<_>>(),
                symmetry,
            )
            .into_iter()
            .collect();
        let count = found.map_or(0, |stuck| stuck.states);
        assert_eq!(count, distinct.len() as u64, "seed {seed}: stuck states ({way_out})");
        let Some(stuck) = found else { return };
        let (states, _) = self.retrace(&stuck.trace);
        self.replays(&stuck.trace, &states, None);
        let end = states.last().expect("never empty");
        let end = graph.states.iter().position(|(state, _)| state == end).expect("reachable");
        let [_, with, without] = &self.stuck[end];
        let named = if way_out {
            without.contains(&stuck.process) && !with.contains(&stuck.process)
        } else {
            with.contains(&stuck.process)
        };
        assert!(named, "seed {seed}: process {} is not stuck ({way_out})", stuck.process);
        let shallowest = all.iter().map(|state| graph.states[*state].1).min();
        assert_eq!(Some(stuck.trace.len()), shallowest, "seed {seed}: not the shallowest");
        let sorted = if symmetry { &self.sorted } else { graph };
        let least = sorted
            .least((0..sorted.states.len()).filter(|s| distinct.contains(&sorted.states[*s].0)));
        let least_path = sorted.least_path(&sorted.least_predecessors(), least.expect("one is"));
        let path = self.canonical(&states, symmetry);
        assert_eq!(path, least_path, "seed {seed}: not the least");
    }

    fn check(&self, found: &Exploration<Label, Recorded>, symmetry: bool) {
        let seed = self.seed;
        let graph = if symmetry { &self.sorted } else { &self.graph };
        if let Some((levels, _)) = graph.exhausted.first() {
            let End::PoolExhausted(kind) = found.end else {
                panic!("seed {seed}: {:?} and the pool was empty", found.end)
            };
            assert!(graph.exhausted.contains(&(*levels, kind)), "seed {seed}: {kind:?} has some");
            assert!(found.stuck.is_none() && found.stuck_until_time_out.is_none());
            assert!(found.sleepers.is_empty());
            self.check_violations(found, symmetry, *levels);
            return;
        }
        assert_eq!(found.end, End::Complete, "seed {seed}");
        let counts = (found.states as usize, found.transitions as usize, found.depth as usize);
        let expected = (graph.states.len(), graph.transitions(), graph.depth());
        assert_eq!(counts, expected, "seed {seed}: states, transitions, depth");
        assert_eq!(found.queue, 0, "seed {seed}");
        let blocked = |state: &&(State, usize)| {
            (0..self.naive.kinds.len()).any(|i| self.naive.blocked(&state.0, i))
        };
        let blocked = graph.states.iter().filter(blocked).count();
        assert_eq!(found.blocked_states, blocked as u64, "seed {seed}: blocked states");
        self.check_violations(found, symmetry, usize::MAX);
        self.check_stuck(found.stuck.as_ref(), symmetry, false);
        self.check_stuck(found.stuck_until_time_out.as_ref(), symmetry, true);
        self.check_sleepers(&found.sleepers);
    }
}

/// And of the systems enough have something worth agreeing on.
#[test]
fn agrees_with_the_naive_explorer() {
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    let worth = Worth::default();
    for_every_seed(systems, |seed| {
        let system = RandomSystem::new(seed);
        let expected = Expected::of(seed, &system);
        worth.count(&expected);
        let orbits: BTreeSet<State> =
            expected.graph.states.iter().map(|(state, _)| expected.naive.sorted(state)).collect();
        if expected.graph.exhausted.is_empty() {
            assert_eq!(orbits.len(), expected.sorted.states.len(), "seed {seed}: naive symmetry");
        }
        for symmetry in [false, true] {
            expected.check(&run(&system, symmetry), symmetry);
        }
    });
    worth.is_enough(systems);
}

#[test]
fn every_width_gives_the_same() {
    let filled: [AtomicU64; 4] = Default::default();
    let systems = long_sample(SYSTEMS.0, WIDE, SYSTEMS.1);
    for_every_seed(systems, |seed| {
        let system = RandomSystem::new(seed);
        for symmetry in [false, true] {
            let narrow = run(&system, symmetry);
            assert_eq!(narrow.words, 1, "seed {seed}");
            for (words, filled) in [1, 2, 4, 8].into_iter().zip(&filled) {
                let Some(wide) = system.widened(words) else { continue };
                let wide = run(&wide, symmetry);
                assert_eq!(wide.words, words as usize, "seed {seed}");
                filled.fetch_add(1, Ordering::Relaxed);
                assert_eq!(summary(&narrow), summary(&wide), "seed {seed}: {words} words");
            }
        }
    });
    let half = |f: &AtomicU64| systems.met_enough(f.load(Ordering::Relaxed), WIDE / 2);
    assert!(filled.iter().all(half), "{filled:?}");
}

/// All of a result that must not depend on the width.
fn summary(found: &Exploration<Label, Recorded>) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (found.end, found.states, found.transitions, found.depth, found.queue),
        found.violations.clone(),
        (found.stuck.clone(), found.stuck_until_time_out.clone(), found.blocked_states),
        found.sleepers.clone(),
    )
}

/// How many of the random systems have something worth agreeing on.
#[derive(Debug, Default)]
struct Worth {
    many_states: AtomicU64,
    more_than_one_process: AtomicU64,
    smaller_by_symmetry: AtomicU64,
    interleaved_kinds: AtomicU64,
    violated: AtomicU64,
    violated_late: AtomicU64,
    stuck: AtomicU64,
    stuck_beside_runners: AtomicU64,
    stuck_until_time_out: AtomicU64,
    stuck_until_killed: AtomicU64,
    way_out: AtomicU64,
    history: AtomicU64,
    wakes_all: AtomicU64,
    wakes_one_of_several: AtomicU64,
    wakes_nobody: AtomicU64,
    spawns: AtomicU64,
    ends_dormant: AtomicU64,
    pool_exhausted: AtomicU64,
}

impl Worth {
    fn count(&self, expected: &Expected<'_>) {
        let Expected { graph, sorted, naive, .. } = expected;
        let count = |counter: &AtomicU64, holds: bool| {
            counter.fetch_add(u64::from(holds), Ordering::Relaxed);
        };
        let any = |holds: &dyn Fn(&State, &Move<Label>) -> bool| {
            let states = graph.states.iter().zip(&graph.moves);
            states.into_iter().any(|((state, _), moves)| moves.iter().any(|(m, _)| holds(state, m)))
        };
        let mut kinds = naive.kinds.clone();
        kinds.dedup();
        let blocks = kinds.len();
        kinds.sort_unstable();
        kinds.dedup();
        let shortest = |property| {
            let least = graph.least_violation(|before, m| expected.violates(before, m, property));
            least.map(|(state, _)| graph.states[state].1 + 1)
        };
        let shortest: Vec<usize> = (0..PROPERTIES).filter_map(shortest).collect();
        let all = || 0..graph.states.len();
        count(&self.many_states, graph.states.len() > 50);
        count(&self.more_than_one_process, naive.kinds.len() > 1);
        count(&self.smaller_by_symmetry, sorted.states.len() < graph.states.len());
        count(&self.interleaved_kinds, blocks > kinds.len());
        count(&self.violated, !shortest.is_empty());
        count(&self.violated_late, shortest.iter().any(|length| *length > 3));
        count(&self.stuck, all().any(|state| expected.is_stuck(state, false)));
        count(
            &self.stuck_beside_runners,
            all().any(|s| expected.is_stuck(s, false) && !graph.moves[s].is_empty()),
        );
        count(&self.stuck_until_time_out, all().any(|state| expected.is_stuck(state, true)));
        count(&self.stuck_until_killed, expected.stuck.iter().any(|s| s[0] != s[1]));
        count(&self.way_out, any(&|_, m| m.way_out != WayOut::Ordinary));
        count(
            &self.history,
            any(&|before, m| {
                m.effect == Effect::None
                    && (0..naive.kinds.len()).any(|i| i != m.actor && before.1[i] != m.after.1[i])
            }),
        );
        count(
            &self.wakes_all,
            any(&|_, m| matches!(m.effect, Effect::WakeAll(_)) && m.sleepers > 1),
        );
        let wakes_one = |m: &Move<Label>| matches!(m.effect, Effect::WakeOne(_));
        count(&self.wakes_one_of_several, any(&|_, m| wakes_one(m) && m.sleepers > 1));
        count(&self.wakes_nobody, any(&|_, m| wakes_one(m) && m.sleepers == 0));
        count(&self.spawns, any(&|_, m| matches!(m.effect, Effect::Spawn(Kind(_), _))));
        count(&self.ends_dormant, any(&|_, m| m.after.1[m.actor] == 0));
        count(&self.pool_exhausted, !graph.exhausted.is_empty());
    }

    fn is_enough(&self, systems: Sample) {
        println!("{self:#?}");
        let Self {
            many_states,
            more_than_one_process,
            smaller_by_symmetry,
            interleaved_kinds,
            violated,
            violated_late,
            stuck,
            stuck_beside_runners,
            stuck_until_time_out,
            stuck_until_killed,
            way_out,
            history,
            wakes_all,
            wakes_one_of_several,
            wakes_nobody,
            spawns,
            ends_dormant,
            pool_exhausted,
        } = self;
        for (counter, least) in [
            (many_states, 1_500),
            (more_than_one_process, 5_000),
            (smaller_by_symmetry, 2_000),
            (interleaved_kinds, 500),
            (violated, 5_000),
            (violated_late, 1_000),
            (stuck, 5_000),
            (stuck_beside_runners, 3_000),
            (stuck_until_time_out, 1_000),
            (stuck_until_killed, 1_000),
            (way_out, 1_000),
            (history, 750),
            (wakes_all, 750),
            (wakes_one_of_several, 750),
            (wakes_nobody, 1_000),
            (spawns, 500),
            (ends_dormant, 1_000),
            (pool_exhausted, 100),
        ] {
            let enough = systems.met_enough(counter.load(Ordering::Relaxed), least / 2);
            assert!(enough, "too few: {self:#?}");
        }
    }
}
