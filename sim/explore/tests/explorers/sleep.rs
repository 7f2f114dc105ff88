//! Transitions that are not followed change nothing of what a search says: against a naive explorer, and
//! against the same search following all, on systems drawn at random and on the reference model.

use std::time::Duration;

use crate::common::crowd::Crowd;
use crate::common::erased::{
    InNumbers, explore, explore_counted, explore_distributed, explore_from_checkpoint,
};
use crate::common::naive::{Graph, Naive};
use crate::common::random_bits::RandomBits;
use crate::common::random_system::RandomSystem;
use crate::common::reference_model::ReferenceModel;
use crate::common::same::same;
use crate::common::sample::{long_sample, sample};
use kmodcheck_explore::checkpoint::Checkpoint;
use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::{Asks, CountOnly, Monitor};
use kmodcheck_explore::{
    Choice, Effect, End, Exploration, Footprint, Initial, Kind, Limits, Local, Options, Queue,
    Shared, Step, System, WayOut,
};

/// Of so many systems, so many.
const SYSTEMS: (u64, u64) = (400, 10_000);

/// Asked of steps only, as nobody sleeps where whole transitions are asked for. What violates depends on
/// who steps from where to where, so that a step may be special in one shared state and not in the next.
struct SomeSteps;

/// By shared and local state before and after.
fn some_violate(shared: [Shared; 2], local: [Local; 2]) -> u64 {
    let mut word = shared[0] as u64 ^ (shared[0] >> 64) as u64;
    for part in [local[0], shared[1] as u64, local[1]] {
        word = (word ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    }
    if word.is_multiple_of(8) { 1 << (word >> 60) } else { 0 }
}

/// What one of those steps adds to the tally.
fn counts_for(local_after: Local, violated: u64) -> u64 {
    1 + (local_after << 8 & 0xFFFF) + (violated << 20)
}

impl<Label> Monitor<Label> for SomeSteps {
    type Tally = u64;
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        some_violate([step.before, step.after], [step.local_before, step.local_after])
    }

    /// Of some steps it is not said by a number as what they are recorded.
    fn judge_step(&self, step: &Step<Label>) -> (u64, Option<u64>) {
        let number = (!step.local_after.is_multiple_of(3)).then_some(step.local_after);
        (<Self as Monitor<Label>>::step_violates(self, step), number)
    }

    fn record_step(&self, tally: &mut u64, step: &Step<Label>, violated: u64, times: u64) {
        *tally += times * counts_for(step.local_after, violated);
    }
}

/// The tally of a whole graph, transition by transition.
fn tally<L: Clone>(graph: &Graph<L>) -> u64 {
    let mut sum = 0;
    for ((before, _), moves) in graph.states.iter().zip(&graph.moves) {
        for (taken, _) in moves {
            let local = [before.1[taken.actor], taken.after.1[taken.actor]];
            let violated = some_violate([before.0, taken.after.0], local);
            sum += counts_for(local[1], violated);
        }
    }
    sum
}

fn both<S: System<Label: InNumbers>, M: Monitor<S::Label, Tally: 'static>>(
    system: &S,
    monitor: &M,
    symmetry: bool,
) -> [Exploration<S::Label, M::Tally>; 2] {
    [false, true].map(|follow_all| {
        let options = Options { symmetry, follow_all, threads: 2, ..Options::default() };
        explore(system, monitor, &options).expect("the system is small")
    })
}

/// What came of many systems.
#[derive(Debug, Default)]
struct Worth {
    /// Searches in which somebody slept, and the transitions not followed.
    searches: u64,
    transitions: u64,
    violations: usize,
    stuck: usize,
}

/// `kept`: of how many pairs the steps are kept in one more search.
fn nothing_is_lost<S: System<Label: InNumbers>>(
    system: &S,
    what: &str,
    kept: usize,
    worth: &mut Worth,
) {
    let naive = Naive::new(system);
    for symmetry in [false, true] {
        let [found, all] = both(system, &SomeSteps, symmetry);
        let what = format!("{what}, symmetry {symmetry}");
        same(&what, &found, &all);
        let options = Options { symmetry, steps_kept: kept, ..Options::default() };
        let forgot = explore(system, &SomeSteps, &options).expect("the system is small");
        same(&format!("{what}, {kept} kept"), &forgot, &all);
        assert_eq!(forgot.followed, found.followed, "{what}, {kept} kept");
        assert_eq!(all.followed, all.transitions, "{what}");
        worth.searches += u64::from(found.followed < found.transitions);
        worth.transitions += found.transitions - found.followed;
        worth.violations += found.violations.len();
        worth.stuck += usize::from(found.stuck.is_some());
        if found.end == End::Complete {
            let graph = naive.graph(symmetry);
            let counts = (found.states as usize, found.transitions as usize);
            assert_eq!(counts, (graph.states.len(), graph.transitions()), "{what}");
            assert_eq!(found.depth as usize, graph.depth(), "{what}");
            assert_eq!(found.tally, tally(&graph), "{what}");
        }
    }
}

#[test]
fn whoever_sleeps_nothing_is_lost() {
    let (mut tables, mut bits) = (Worth::default(), Worth::default());
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    for seed in systems.seeds() {
        // From one that forgets whenever it can to one that forgets now and then.
        let kept = 1 << (seed % 11);
        nothing_is_lost(&RandomSystem::new(seed), &format!("system {seed}"), kept, &mut tables);
        nothing_is_lost(&RandomBits::new(seed), &format!("bits {seed}"), kept, &mut bits);
    }
    for worth in [tables, bits] {
        println!("{worth:?}");
        assert!(systems.met_enough(worth.searches, SYSTEMS.1 / 10), "{worth:?}");
        let often = systems.met_enough(worth.violations, 2_500);
        assert!(often && systems.met_enough(worth.stuck, 250), "{worth:?}");
    }
}

/// What a search by counting says, but for how many transitions were followed and the memory that it took; and how many were
/// not followed.
fn counted<S: System<Label: InNumbers>>(
    system: &S,
    (follow_all, states): (bool, Option<u64>),
) -> (String, u64) {
    let limits = Limits { states, ..Limits::default() };
    let options = Options { follow_all, limits, ..Options::default() };
    let mut found = explore_counted(system, &SomeSteps, &options).expect("the system is small");
    let not_followed = found.transitions - found.followed;
    (found.followed, found.bytes) = (0, 0);
    (format!("{found:?}"), not_followed)
}

/// There the order of all states is kept, so that what is said is the same to the last trace, and wherever a limit cuts it off.
fn nothing_is_lost_by_counting<S: System<Label: InNumbers>>(
    system: &S,
    what: &str,
    limit: u64,
) -> u64 {
    let mut sum = 0;
    for limit in [None, Some(limit)] {
        let (all, none) = counted(system, (true, limit));
        let (found, not_followed) = counted(system, (false, limit));
        assert_eq!(none, 0, "{what}");
        assert_eq!(found, all, "{what}, limit {limit:?}");
        sum += not_followed;
    }
    sum
}

#[test]
fn whoever_sleeps_among_counted_ones_nothing_is_lost() {
    let (mut slept, mut crowded) = (0, 0);
    let systems = long_sample(SYSTEMS.0, SYSTEMS.1 / 2, SYSTEMS.1);
    for seed in systems.seeds() {
        let (limit, most) = (1 + seed * 7 % 300, 3 + seed as usize * 11 % 90);
        let table = RandomSystem::new(seed);
        slept += nothing_is_lost_by_counting(&table, &format!("system {seed}"), limit);
        let bits = RandomBits::new(seed);
        slept += nothing_is_lost_by_counting(&bits, &format!("bits {seed}"), limit);
        let crowd = Crowd::new(seed, &table, most);
        if counted(&crowd, (true, Some(FEW))).0.contains("end: Complete") {
            crowded += nothing_is_lost_by_counting(&crowd, &format!("crowd {seed}"), limit);
        }
    }
    for callers in 1..=9 {
        let model = ReferenceModel { callers, v19: true };
        let what = format!("{callers} callers");
        for limit in [2, 777, 20_000] {
            let slept = nothing_is_lost_by_counting(&model, &what, limit);
            assert!(slept > 0 || callers == 1, "{what}");
        }
    }
    println!("{slept} transitions not followed, and {crowded} of crowds");
    assert!(systems.met_enough(slept, 20_000) && systems.met_enough(crowded, 50_000));
}

/// One sets the bit. One walks to 0 while the bit is not set, and on to 1; if it is set while that one is at 0, it goes to 2
/// instead. Another one of its kind comes to 0 once the bit is set.
struct LooksUp;

impl System for LooksUp {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        1
    }

    fn local_bits(&self) -> u32 {
        3
    }

    fn initial(&self) -> Initial {
        let processes = [(Kind(0), 0), (Kind(1), 5), (Kind(1), 3)].to_vec();
        Initial { shared: 0, processes }
    }

    fn step(&self, kind: Kind, bit: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        let (shared, local) = match (kind.0, bit, local) {
            (0, 0, 0) => (1, 1),
            (1, _, 5) => (bit, 4),
            (1, 0, 4) | (1, 1, 3) => (bit, 0),
            (1, _, 0) => (bit, 1),
            _ => return,
        };
        let footprint = Footprint { reads: 1, writes: 1 };
        let (effect, way_out) = (Effect::None, WayOut::Ordinary);
        choices.push(Choice { shared, local, effect, way_out, footprint, label: () });
    }

    fn observe(&self, kind: Kind, _: Shared, _: Shared, local: Local) -> Local {
        if kind == Kind(1) && local == 0 { 2 } else { local }
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, _: Local) -> bool {
        true
    }
}

/// A process that would remember a step is not where it was, even if others can do there what it could.
#[test]
fn who_remembers_a_step_does_not_commute_with_it() {
    nothing_is_lost_by_counting(&LooksUp, "looks up", 7);
    nothing_is_lost(&LooksUp, "looks up", 1, &mut Worth::default());
}

/// One goes to a local state, and on to the next one when the bit is set while it is there, if it remembers that. The other one
/// sets the bit.
struct SetsTheBit {
    to: Local,
    remembers: bool,
    /// Whether the first one clears the bit, if it is set.
    clears: bool,
}

impl System for SetsTheBit {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        1
    }

    fn local_bits(&self) -> u32 {
        8
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: [0, 1].map(|kind| (Kind(kind), 0)).to_vec() }
    }

    fn step(&self, kind: Kind, bit: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        if local == 0 {
            let shared = match kind {
                Kind(1) => 1,
                _ => {
                    if self.clears {
                        0
                    } else {
                        bit
                    }
                }
            };
            let footprint = Footprint { reads: 0, writes: 1 };
            let (effect, way_out) = (Effect::None, WayOut::Ordinary);
            let local = if kind == Kind(0) { self.to } else { 1 };
            choices.push(Choice { shared, local, effect, way_out, footprint, label: () });
        }
    }

    fn observe(&self, kind: Kind, _: Shared, _: Shared, local: Local) -> Local {
        let remembers = self.remembers && kind == Kind(0) && local == self.to;
        local + Local::from(remembers)
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, _: Local) -> bool {
        true
    }
}

#[test]
fn who_remembers_a_step_where_it_goes_does_not_commute_with_it() {
    let system = SetsTheBit { to: 1, remembers: true, clears: false };
    nothing_is_lost_by_counting(&system, "remembers there", 3);
    nothing_is_lost(&system, "remembers there", 1, &mut Worth::default());
}

#[test]
fn who_clears_what_was_set_does_not_commute() {
    let system = SetsTheBit { to: 1, remembers: false, clears: true };
    nothing_is_lost_by_counting(&system, "clears", 3);
    nothing_is_lost(&system, "clears", 1, &mut Worth::default());
}

/// A step that violates a property only where the bit is set is judged there, too.
#[test]
fn what_violates_after_another_step_is_judged() {
    let violate = |bit: Shared, to: Local| some_violate([bit; 2], [0, to]) != 0;
    let all = (1..200).filter(|to| violate(1, *to) && !violate(0, *to));
    let all: Vec<_> = all.collect();
    assert!(!all.is_empty());
    for to in all {
        let system = SetsTheBit { to, remembers: false, clears: false };
        nothing_is_lost_by_counting(&system, "violates there", 3);
        nothing_is_lost(&system, "violates there", 1, &mut Worth::default());
    }
}

/// States of a crowd that are worth the time.
const FEW: u64 = 4_000;

/// Sleep sets travel with the states, to other workers and to a checkpoint and back.
#[test]
fn whoever_sleeps_sleeps_elsewhere_too() {
    let (mut slept, mut far_slept) = (0, 0);
    let systems = sample(60, 400);
    for seed in systems.seeds() {
        let system = RandomBits::new(seed);
        let options = Options { symmetry: seed % 2 == 0, threads: 3, ..Options::default() };
        let [found, all] = both(&system, &SomeSteps, options.symmetry);
        if all.end != End::Complete {
            continue;
        }
        slept += u64::from(found.followed < all.transitions);
        let far = explore_distributed(&system, &SomeSteps, &options, Net::alone());
        let far = far.expect("it fits").expect("this is the first");
        same(&format!("bits {seed}, distributed"), &far, &all);
        // Whose way into a state was first depends on when it arrived.
        far_slept += u64::from(far.followed < far.transitions);
        let directory = tempfile::TempDir::new().expect("a directory");
        let directory = directory.path().to_owned();
        let kept =
            Checkpoint { directory, every: Duration::ZERO, build: [1; 16], purpose: [7; 32] };
        let limits = Limits { states: Some(all.states / 2), ..Limits::default() };
        let limited = Options { limits, ..options };
        explore_from_checkpoint(&system, &SomeSteps, &limited, &kept).expect("it fits");
        let on = explore_from_checkpoint(&system, &SomeSteps, &options, &kept).expect("it fits");
        same(&format!("bits {seed}, gone on with"), &on, &all);
        assert_eq!(on.followed, found.followed, "bits {seed}");
    }
    let both = [slept, far_slept].map(|times| systems.met_enough(times, 50));
    assert!(both == [true; 2], "{slept} {far_slept}");
}

/// One process sets the bit; one remembers that, and so comes to stand behind the others; the step of the
/// third commutes with setting it, but where it stood the first one stands then.
struct Overtaking;

impl System for Overtaking {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        1
    }

    fn local_bits(&self) -> u32 {
        3
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: [1, 2, 3].map(|local| (Kind(0), local)).to_vec() }
    }

    fn step(&self, _: Kind, bit: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        let (shared, local) = match local {
            2 => (bit, 6),
            3 => (1, 4),
            4 => (bit, 7),
            _ => return,
        };
        let footprint = Footprint { reads: 0, writes: 1 };
        let (effect, way_out) = (Effect::None, WayOut::Ordinary);
        choices.push(Choice { shared, local, effect, way_out, footprint, label: () });
    }

    fn observe(&self, _: Kind, _: Shared, _: Shared, local: Local) -> Local {
        if local == 1 { 5 } else { local }
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, local: Local) -> bool {
        matches!(local, 1 | 5 | 6 | 7)
    }
}

#[test]
fn who_sleeps_is_found_again_in_its_new_place_or_wakes() {
    for symmetry in [false, true] {
        let [found, all] = both(&Overtaking, &CountOnly, symmetry);
        same(&format!("symmetry {symmetry}"), &found, &all);
        let graph = Naive::new(&Overtaking).graph(symmetry);
        assert_eq!((found.states as usize, found.depth as usize), (graph.states.len(), 3));
    }
}

/// One process sets the bit. Another one goes on as it does in any case, but wakes the third one only if the bit is set.
struct WakesWhereItIsSet {
    /// Who sets it, the first or the second one.
    setter: u8,
}

impl System for WakesWhereItIsSet {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        1
    }

    fn local_bits(&self) -> u32 {
        1
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: [0, 1, 2].map(|kind| (Kind(kind), 0)).to_vec() }
    }

    fn step(&self, kind: Kind, bit: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        let (shared, effect) = match (kind.0, local) {
            (2, _) | (_, 1..) => return,
            (kind, _) if kind == self.setter => (1, Effect::None),
            _ if bit == 1 => (bit, Effect::WakeAll(Queue(0))),
            _ => (bit, Effect::None),
        };
        let footprint = Footprint { reads: 1, writes: 1 };
        let way_out = WayOut::Ordinary;
        choices.push(Choice { shared, local: 1, effect, way_out, footprint, label: () });
    }

    fn wake(&self, kind: Kind, local: Local, _: Queue) -> Option<Local> {
        (kind == Kind(2) && local == 0).then_some(1)
    }

    fn returned(&self, _: Kind, local: Local) -> bool {
        local == 1
    }
}

/// So which of them comes first is not the same: both ends are found.
#[test]
fn who_wakes_others_where_the_other_one_was_is_not_asleep() {
    for setter in 0..2 {
        let system = WakesWhereItIsSet { setter };
        let [found, all] = both(&system, &CountOnly, false);
        same("wakes where it is set", &found, &all);
        let graph = Naive::new(&system).graph(false);
        assert_eq!((found.states as usize, graph.states.len()), (5, 5));
        for limit in 1..6 {
            nothing_is_lost_by_counting(&system, "wakes where it is set", limit);
        }
    }
}

/// Who comes first writes its number, and who comes later leaves it as it is: nobody changes what is shared once somebody has.
struct WritesFirst;

impl System for WritesFirst {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        2
    }

    fn local_bits(&self) -> u32 {
        1
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: [0, 1].map(|kind| (Kind(kind), 0)).to_vec() }
    }

    fn step(&self, kind: Kind, first: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        if local == 0 {
            let shared = if first == 0 { Shared::from(kind.0) + 1 } else { first };
            let footprint = Footprint { reads: 3, writes: 3 };
            let (effect, way_out) = (Effect::None, WayOut::Ordinary);
            choices.push(Choice { shared, local: 1, effect, way_out, footprint, label: () });
        }
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, _: Local) -> bool {
        true
    }
}

#[test]
fn who_writes_first_does_not_commute() {
    let [found, all] = both(&WritesFirst, &CountOnly, false);
    same("writes first", &found, &all);
    assert_eq!(found.states as usize, Naive::new(&WritesFirst).graph(false).states.len());
    nothing_is_lost_by_counting(&WritesFirst, "writes first", 3);
}

/// Some processes that walk so far, and wake whoever is asleep on a queue at each step. A last one walks as far first, and
/// then is asleep there: in a local state that is one of many of the only shared state.
struct Heralds {
    heralds: usize,
    steps: Local,
    sleeper: bool,
}

const SLEEPER: Kind = Kind(1);

impl System for Heralds {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        1
    }

    fn local_bits(&self) -> u32 {
        8
    }

    fn initial(&self) -> Initial {
        let heralds = std::iter::repeat_n((Kind(0), 0), self.heralds);
        let sleeper = self.sleeper.then_some((SLEEPER, 0));
        Initial { shared: 0, processes: heralds.chain(sleeper).collect() }
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        if local < self.steps {
            let wakes = if kind == SLEEPER { Effect::None } else { Effect::WakeAll(Queue(0)) };
            let (local, effect, way_out) = (local + 1, wakes, WayOut::Ordinary);
            let footprint = Footprint::default();
            choices.push(Choice { shared, local, effect, way_out, footprint, label: () });
        }
    }

    fn wake(&self, kind: Kind, local: Local, _: Queue) -> Option<Local> {
        (kind == SLEEPER && local == self.steps).then_some(local + 1)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        local == self.steps + Local::from(kind == SLEEPER)
    }
}

/// Who would wake others, but wakes nobody, is left out as all others are: each state is led to once.
#[test]
fn who_wakes_nobody_sleeps() {
    let system = Heralds { heralds: 4, steps: 3, sleeper: false };
    let [found, all] = both(&system, &CountOnly, false);
    same("heralds", &found, &all);
    assert_eq!((found.states, found.transitions, found.followed), (256, 768, 255));
}

/// Whom it is to wake is found among more local states than there are bits, too.
#[test]
fn who_wakes_one_of_many_does_not_sleep() {
    let system = Heralds { heralds: 1, steps: 100, sleeper: true };
    let [found, all] = both(&system, &CountOnly, false);
    same("a herald and a sleeper", &found, &all);
    // Wherever the herald is, the sleeper is on its way, and awake again where it has taken a step since.
    assert_eq!(found.states, 101 * 101 + 100);
    assert_eq!(found.states as usize, Naive::new(&system).graph(false).states.len());
}

/// Of the reference model, few transitions lead to a state a second time.
#[test]
fn most_second_ways_are_left_out() {
    for callers in 1..=5 {
        let model = ReferenceModel { callers, v19: true };
        for symmetry in [false, true] {
            let [found, all] = both(&model, &CountOnly, symmetry);
            let what = format!("{callers} callers, symmetry {symmetry}");
            same(&what, &found, &all);
            println!("{what}: {} of {}", found.followed, found.transitions);
            // Each state but the first is led to once at least.
            assert!(found.followed >= found.states - 1, "{what}");
            if callers == 5 {
                let most = if symmetry { found.transitions * 2 / 3 } else { found.states * 2 };
                assert!(found.followed < most, "{what}: {}", found.followed);
            }
        }
    }
}

/// Two processes, or three of which two are alike, that walk, each along so many local states, past two bits: a step goes
/// on, sets a bit or waits for one, as a random number says.
struct Walks {
    steps: Vec<u64>,
    length: Local,
    alike: usize,
}

impl Walks {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (alike, length) = if seed % 4 == 3 { (2, rng.u64(35..45)) } else { (1, 63) };
        Self { steps: (0..2 * length).map(|_| rng.u64(..)).collect(), length, alike }
    }
}

impl System for Walks {
    type Label = ();

    fn shared_bits(&self) -> u32 {
        2
    }

    fn local_bits(&self) -> u32 {
        6
    }

    fn initial(&self) -> Initial {
        let mut processes = vec![(Kind(0), 0); self.alike];
        processes.push((Kind(1), 0));
        Initial { shared: 0, processes }
    }

    fn step(&self, kind: Kind, bits: Shared, local: Local, choices: &mut Vec<Choice<()>>) {
        if self.returned(kind, local) {
            return;
        }
        let word = self.steps[usize::from(kind.0) * self.length as usize + local as usize];
        let bit = 1 << (word >> 8 & 1);
        let after = match word % 8 {
            0 | 1 => bits ^ bit,
            2 if bits & bit == 0 => return,
            _ => bits,
        };
        let jump = (word % 8 == 7).then_some(local + 2).filter(|to| *to <= self.length);
        for local in [Some(local + 1), jump].into_iter().flatten() {
            choices.push(Choice::new(after, local, ()));
        }
    }

    fn returned(&self, _: Kind, local: Local) -> bool {
        local == self.length
    }
}

/// So too where there are more pairs of a shared state than have their answers side by side.
#[test]
fn whoever_sleeps_among_many_nothing_is_lost() {
    let mut worth = Worth::default();
    let systems = sample(12, 60);
    for seed in systems.seeds() {
        // Neither a table of all pairs nor one of those that there are forgets any.
        nothing_is_lost(&Walks::new(seed), &format!("walks {seed}"), 1 << 12, &mut worth);
    }
    println!("{worth:?}");
    assert!(systems.met_enough(worth.searches, 90), "{worth:?}");
}
