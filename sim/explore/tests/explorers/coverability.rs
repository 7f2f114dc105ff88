//! Proofs for any number of processes against exhaustive exploration of 1 to 5, on the reference
//! model and on systems drawn at random, with history and without.

use std::collections::BTreeSet;

use crate::common::erased::smallest;
use crate::common::naive::{Naive, State};
use crate::common::random_system::{Label, RandomSystem};
use crate::common::reference_model::{At, ReferenceModel};
use crate::common::sample::long_sample;
use kmodcheck_explore::coverability::{
    Family, Minimal, Outcome, Question, Setup, Smallest, Undecided,
};
use kmodcheck_explore::{
    Asks, Choice, DORMANT, End, Initial, Kind, Limits, Local, Monitor, Options, Queue, Shared,
    Step, System,
};

/// Callers of the first kind, and of the second kind as the family wants them.
const CALLER: Kind = Kind(0);
const OTHER: Kind = Kind(1);

/// What becomes of processes of the second kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Second {
    /// There is none.
    Nobody,
    /// One, that may be tagged.
    One,
    /// One, without history.
    Forgetful,
    /// Any number.
    Any,
    /// Any number, spawned only.
    Spawned,
    /// Two of them, spawned only, without history.
    Pool,
}

/// A random system of interchangeable callers who remember two things that no step reads: that the
/// shared state has been `seen`, and that they have taken a step called `done`.
struct Remembering {
    inner: RandomSystem,
    bits: u32,
    start: [Local; 2],
    second: Second,
    seen: Shared,
    done: Label,
    /// What each property is about: taken in this shared state, with these memories at least.
    bad: [(Label, Shared, Local); 3],
}

impl Remembering {
    fn new(seed: u64) -> Self {
        let inner = RandomSystem::new(seed);
        let mut rng = fastrand::Rng::with_seed(!seed);
        let bits = inner.local_bits();
        let shapes = inner.shapes();
        let second = if shapes.kinds == 1 {
            Second::Nobody
        } else {
            *rng.choice(&[
                Second::One,
                Second::Forgetful,
                Second::Any,
                Second::Spawned,
                Second::Pool,
            ])
            .expect("not empty")
        };
        let shared = |rng: &mut fastrand::Rng| inner.shared_word(rng.u8(0..shapes.shared));
        let label = |rng: &mut fastrand::Rng| Label {
            kind: rng.u8(0..shapes.kinds),
            local: rng.u8(1..shapes.local),
            choice: rng.u8(0..2),
        };
        let bad =
            std::array::from_fn(|_| (label(&mut rng), shared(&mut rng), rng.u64(0..4) << bits));
        let start = std::array::from_fn(|_| inner.local_word(rng.u8(1..shapes.local)));
        let (seen, done) = (shared(&mut rng), label(&mut rng));
        Self { bits, start, second, seen, done, bad, inner }
    }

    fn violated_by(&self, label: Label, before: Shared, local_before: Local) -> u64 {
        let mut violated = 0;
        for (number, (wanted, shared, memory)) in self.bad.iter().enumerate() {
            let remembers = local_before >> self.bits << self.bits & memory == *memory;
            violated |= u64::from(*wanted == label && *shared == before && remembers) << number;
        }
        violated
    }

    fn any_number(&self) -> &'static [Kind] {
        match self.second {
            Second::Any | Second::Spawned => &[CALLER, OTHER],
            _ => &[CALLER],
        }
    }

    fn forgetful(&self) -> &'static [Kind] {
        match self.second {
            Second::Forgetful | Second::Pool => &[OTHER],
            _ => &[],
        }
    }

    /// The inner local state and the memories.
    fn split(&self, local: Local) -> (Local, Local) {
        let inner = local & ((1 << self.bits) - 1);
        (inner, local ^ inner)
    }

    /// Who becomes dormant remembers nothing.
    fn join(&self, inner: Local, memory: Local) -> Local {
        let dormant = self.inner.dormant(CALLER) == Some(inner);
        if dormant { inner } else { inner | memory }
    }
}

impl System for Remembering {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.inner.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.bits + 2
    }

    fn initial(&self) -> Initial {
        let mut processes = vec![(CALLER, self.start[0]); 2];
        match self.second {
            Second::Nobody => {}
            Second::One | Second::Forgetful | Second::Any => {
                processes.push((OTHER, self.start[1]));
            }
            Second::Spawned => processes.push((OTHER, self.inner.local_word(0))),
            Second::Pool => processes.extend([(OTHER, self.inner.local_word(0)); 2]),
        }
        Initial { shared: self.inner.initial().shared, processes }
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        let (inner, memory) = self.split(local);
        let first = choices.len();
        self.inner.step(kind, shared, inner, choices);
        for choice in &mut choices[first..] {
            let done = Local::from(choice.label == self.done) << self.bits;
            choice.local = self.join(choice.local, memory | done);
            // A caller hands its memories on to whom it spawns.
            if let kmodcheck_explore::Effect::Spawn(_, spawned) = &mut choice.effect {
                *spawned = self.join(*spawned, memory);
            }
        }
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.inner.dormant(kind)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        let (inner, memory) = self.split(local);
        let seen = Local::from(after == self.seen) << (self.bits + 1);
        self.join(self.inner.observe(kind, before, after, inner), memory | seen)
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        let (inner, memory) = self.split(local);
        Some(self.join(self.inner.wake(kind, inner, queue)?, memory))
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.inner.returned(kind, self.split(local).0)
    }

    fn anonymous(&self, _: Kind, local: Local) -> Local {
        self.split(local).0
    }
}

#[derive(Clone)]
struct Watching<'s>(&'s Remembering);

impl Watching<'_> {
    fn without_history(&self) -> u64 {
        (0..3).filter(|p| self.0.bad[*p].2 == 0).fold(0, |mask, p| mask | 1 << p)
    }
}

impl Monitor<Label> for Watching<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Label>) -> u64 {
        let violated = self.0.violated_by(step.label, step.before, step.local_before);
        // Of the forgetful no property reads the history.
        let forgetful = self.0.forgetful().contains(&step.kind);
        if forgetful { violated & self.without_history() } else { violated }
    }
}

/// What a state of the product is in the counted form, for each choice of the tagged process.
fn counted(family: &Family<'_, Remembering>, kinds: &[Kind], state: &State) -> Vec<Minimal> {
    let system = family.system();
    let anonymous = |i: usize| system.anonymous(kinds[i], state.1[i]);
    let dormant = |i: usize| system.dormant(kinds[i]) == Some(state.1[i]);
    let crowd = |i: &usize| family.is_crowd(kinds[*i]);
    let in_slots: Vec<usize> = (0..kinds.len()).filter(|i| !crowd(i)).collect();
    (0..kinds.len())
        .filter(|i| !dormant(*i) && !family.is_forgetful(kinds[*i]))
        .map(|tagged| {
            let mut others: Vec<(Kind, Local)> = (0..kinds.len())
                .filter(|i| crowd(i) && *i != tagged && !dormant(*i))
                .map(|i| (kinds[i], anonymous(i)))
                .collect();
            others.sort_unstable();
            let slot = in_slots.iter().position(|i| *i == tagged);
            let local = |i: &usize| if *i == tagged { 0 } else { anonymous(*i) };
            Minimal {
                shared: state.0,
                tag_kind: kinds[tagged],
                tag_slot: slot.map(|slot| slot as u8),
                tag: state.1[tagged],
                slots: in_slots.iter().map(local).collect(),
                others,
            }
        })
        .collect()
}

/// Every proof and refutation of one random system, and what each came to.
#[derive(Default, Debug)]
struct Tally {
    holds: u32,
    violated: u32,
    configurations: u32,
    not_confirmed: u32,
    no_place: u32,
    undecided: u32,
    largest: usize,
}

fn check(seed: u64, tally: &mut Tally) {
    let system = Remembering::new(seed);
    let family = Family::new(&system, system.any_number(), system.forgetful())
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let watch = Watching(&system);
    let question = Question { without_history: watch.without_history(), monitor: watch };
    let limits = Limits { states: Some(20_000), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let setup = match Setup::new(&family, &question, &options) {
        Ok(setup) => setup,
        Err(error) => panic!("seed {seed}: {error}"),
    };
    for property in 0..3 {
        let proved = setup.prove(1 << property, &options);
        let slowly = setup.prove_backward_only(1 << property, &options);
        let possible = setup.possibly_violated() >> property & 1 != 0;
        let (proved, slowly) = match (proved, slowly) {
            (Ok(proved), Ok(slowly)) => (proved, slowly),
            (Err(Undecided::NoPlace), Err(Undecided::NoPlace)) => {
                tally.no_place += 1;
                continue;
            }
            (Err(Undecided::TooManyTogether | Undecided::Budget(_)), _)
            | (_, Err(Undecided::TooManyTogether | Undecided::Budget(_))) => {
                tally.undecided += 1;
                continue;
            }
            (a, b) => panic!("seed {seed}: {a:?} {b:?}"),
        };
        let few =
            Options { limits: Limits { states: Some(1_000), ..limits }, ..Options::default() };
        let found = smallest(&family, &question.monitor, property, 4, &few)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        match (&proved, &slowly) {
            (Outcome::Holds(proof), Outcome::Holds(_)) => {
                tally.holds += 1;
                tally.largest =
                    proof.basis.iter().map(|m| m.others.len()).fold(tally.largest, usize::max);
                assert!(
                    !matches!(found, Smallest::Violated { .. }),
                    "seed {seed}: property {property} is proved and violated: {found:?}"
                );
            }
            (Outcome::Reaches { others }, Outcome::Reaches { .. }) => {
                assert!(possible, "seed {seed}: the views exclude what is reached");
                match found {
                    Smallest::Violated { callers, .. } => {
                        assert!(callers <= others + 1, "seed {seed}: {callers} and not {others}");
                        tally.violated += 1;
                    }
                    Smallest::Cut { end: End::PoolExhausted(_) | End::StatesLimit, .. } => {
                        tally.not_confirmed += 1;
                    }
                    found => assert!(
                        *others >= 4,
                        "seed {seed}: property {property} with {others} others: {found:?}"
                    ),
                }
            }
            disagree => panic!("seed {seed}: property {property}: {disagree:?}"),
        }
    }
    compare_histories(seed, &system, &setup, &options);
    compare_configurations(seed, &system, &family, &setup, tally);
}

/// Of the same processes, remembering something else, is found what is found anew.
fn compare_histories(
    seed: u64,
    system: &Remembering,
    setup: &Setup<'_, '_, Remembering, Watching<'_>>,
    options: &Options<'_>,
) {
    let drawn = Remembering::new(seed ^ 1 << 40);
    let seen = system.inner.shared_word(drawn.start[0] as u8 % system.inner.shapes().shared);
    let other = Remembering { seen, done: system.bad[0].0, ..Remembering::new(seed) };
    let family = Family::new(&other, other.any_number(), other.forgetful()).expect("as before");
    let watch = Watching(&other);
    let question = Question { without_history: watch.without_history(), monitor: watch };
    let told = |setup: &Setup<'_, '_, _, _>| {
        let (possible, lacks) = (setup.possibly_violated(), setup.lacks_place());
        (possible, lacks, setup.sizes(), setup.invariant(options))
    };
    let anew = Setup::new(&family, &question, options).map(|anew| told(&anew));
    let beside = setup.remembering(&family, &question, options).map(|beside| told(&beside));
    assert_eq!(beside, anew, "seed {seed}");
}

/// The counted form reaches what exhaustive exploration reaches, for 1 to 3 callers.
fn compare_configurations(
    seed: u64,
    system: &Remembering,
    family: &Family<'_, Remembering>,
    setup: &Setup<'_, '_, Remembering, Watching<'_>>,
    tally: &mut Tally,
) {
    if system.inner.shapes().spawns {
        return; // The product's pool has an end, the family's has none.
    }
    for callers in 1..=3 {
        let member = family.member(callers, 1);
        let naive = Naive::new(&member);
        let mut expected = BTreeSet::new();
        let graph = naive.graph(false);
        for (state, _) in &graph.states {
            expected.extend(counted(family, &naive.kinds, state));
        }
        let found = setup.configurations(callers - 1, 1_000_000).expect("small");
        let differs = found.symmetric_difference(&expected).next();
        assert_eq!(differs, None, "seed {seed}: {callers} callers");
        tally.configurations += 1;
    }
}

#[test]
fn proofs_agree_with_exhaustive_exploration_on_generated_systems() {
    let mut tally = Tally::default();
    let systems = long_sample(40, 350, 700);
    for seed in systems.seeds() {
        check(seed, &mut tally);
    }
    println!("{tally:?}");
    let least = |number: u32, in_all| systems.met_enough(number, in_all);
    assert!(least(tally.holds, 500) && least(tally.violated, 50), "{tally:?}");
    assert!(least(tally.configurations, 500), "{tally:?}");
    // What is rare need not be in a sample.
    let rare = tally.no_place > 25 && tally.largest > 1;
    assert!(rare || !systems.is_whole(), "{tally:?}");
    assert!(
        tally.undecided * 100 < tally.holds && tally.not_confirmed * 2 < tally.violated,
        "{tally:?}"
    );
}

/// `done-null` without a failure, as a property of steps.
#[derive(Clone)]
struct Lost;

impl Monitor<At> for Lost {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<At>) -> u64 {
        u64::from(ReferenceModel::violating(step.after, &[step.local_after]))
    }
}

const LOST: Question<Lost> = Question { monitor: Lost, without_history: 0 };

fn reference(v19: bool) -> (Outcome, Smallest<At>, u64) {
    let system = ReferenceModel { callers: 2, v19 };
    let family = Family::new(&system, &[CALLER], &[]).expect("callers are alike");
    let options = Options::default();
    let setup = Setup::new(&family, &LOST, &options).expect("a small system");
    let found = smallest(&family, &Lost, 0, 3, &options).expect("small states");
    (setup.prove(1, &options).expect("no limits"), found, setup.possibly_violated())
}

#[test]
fn old_userspace_loses_the_file_system_from_two_callers_on() {
    let (outcome, found, possible) = reference(true);
    assert_eq!(outcome, Outcome::Reaches { others: 1 });
    assert_eq!(possible, 1);
    let Smallest::Violated { callers, trace } = found else { panic!("{found:?}") };
    assert_eq!(callers, 2);
    assert!(trace.len() > 8, "{trace:?}");
}

#[test]
fn new_userspace_does_not_with_any_number_of_callers() {
    let (outcome, found, possible) = reference(false);
    assert!(matches!(outcome, Outcome::Holds(_)), "{outcome:?}");
    assert_eq!(found, Smallest::NotUpTo(3));
    assert_eq!(possible, 0);
}

#[test]
fn reference_model_reaches_the_same_for_one_to_five_callers() {
    for v19 in [false, true] {
        let system = ReferenceModel { callers: 1, v19 };
        let family = Family::new(&system, &[CALLER], &[]).expect("callers are alike");
        let setup = Setup::new(&family, &LOST, &Options::default()).expect("a small system");
        for callers in 1..=5 {
            let member = family.member(callers, 0);
            let naive = Naive::new(&member);
            let mut expected = BTreeSet::new();
            for (state, _) in naive.graph(true).states {
                for tagged in 0..callers {
                    let mut others: Vec<(Kind, Local)> = (state.1.iter().enumerate())
                        .filter(|(i, _)| *i != tagged)
                        .map(|(_, local)| (CALLER, *local))
                        .collect();
                    others.sort_unstable();
                    expected.insert(Minimal {
                        shared: state.0,
                        tag_kind: CALLER,
                        tag_slot: None,
                        tag: state.1[tagged],
                        slots: Vec::new(),
                        others,
                    });
                }
            }
            let found = setup.configurations(callers - 1, 10_000_000).expect("small");
            let differs = found.symmetric_difference(&expected).next();
            assert_eq!(differs, None, "{callers} callers, v19: {v19}");
        }
    }
}

/// Callers take a permit and give it back, for ever; whoever gives back one too many has a permit
/// that was never given out.
struct Semaphore {
    permits: u8,
    /// Gives out a permit that is not there.
    generous: bool,
}

const OUTSIDE: Local = 1;
const INSIDE: Local = 2;

impl System for Semaphore {
    /// Where it leads.
    type Label = (u8, Local);

    fn shared_bits(&self) -> u32 {
        8
    }

    fn local_bits(&self) -> u32 {
        2
    }

    fn initial(&self) -> Initial {
        Initial { shared: Shared::from(self.permits), processes: vec![(CALLER, OUTSIDE); 2] }
    }

    fn step(&self, _: Kind, free: Shared, at: Local, choices: &mut Vec<Choice<Self::Label>>) {
        let none_left = free == 0;
        let (shared, local) = match at {
            OUTSIDE if none_left && self.generous => (0, INSIDE),
            OUTSIDE if none_left => return,
            OUTSIDE => (free - 1, INSIDE),
            // What is too many is forgotten, so that there are finitely many shared states.
            _ => ((free + 1).min(Shared::from(self.permits)), OUTSIDE),
        };
        let footprint = kmodcheck_explore::Footprint { reads: 0xff, writes: 0xff };
        let (effect, way_out) =
            (kmodcheck_explore::Effect::None, kmodcheck_explore::WayOut::Ordinary);
        choices.push(Choice { shared, local, effect, way_out, footprint, label: (0, local) });
    }

    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(DORMANT)
    }

    fn observe(&self, _: Kind, _: Shared, _: Shared, local: Local) -> Local {
        local
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, local: Local) -> bool {
        local == OUTSIDE
    }
}

#[derive(Clone)]
struct OneTooMany(Shared);

impl Monitor<(u8, Local)> for OneTooMany {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<(u8, Local)>) -> u64 {
        u64::from(step.local_after == OUTSIDE && step.before == self.0)
    }
}

fn one_too_many(permits: u8) -> Question<OneTooMany> {
    Question { monitor: OneTooMany(Shared::from(permits)), without_history: 0 }
}

/// Any two of three may hold a permit together, and all three may not: pairs do not tell.
#[test]
fn what_pairs_cannot_tell_the_backward_search_decides() {
    for permits in 1..=6 {
        let system = Semaphore { permits, generous: false };
        let family = Family::new(&system, &[CALLER], &[]).expect("callers are alike");
        let question = one_too_many(permits);
        let setup = Setup::new(&family, &question, &Options::default()).expect("small");
        assert_eq!(setup.possibly_violated() != 0, permits > 1, "{permits} permits");
        let outcome = setup.prove(1, &Options::default()).expect("small");
        let Outcome::Holds(proof) = outcome else { panic!("{permits} permits: {outcome:?}") };
        let largest = proof.basis.iter().map(|m| m.others.len()).max();
        if permits > 1 {
            // The tagged caller outside, and one more inside than there are permits.
            assert_eq!(largest, Some(usize::from(permits) + 1));
        }
        let found = smallest(&family, &question.monitor, 0, 7, &Options::default());
        assert_eq!(found, Ok(Smallest::NotUpTo(7)));
    }
}

/// With n permits and one that is not there, n + 1 callers inside show it.
#[test]
fn the_least_number_of_callers_grows_with_the_permits() {
    for permits in 1..=6 {
        let system = Semaphore { permits, generous: true };
        let family = Family::new(&system, &[CALLER], &[]).expect("callers are alike");
        let question = one_too_many(permits);
        let setup = Setup::new(&family, &question, &Options::default()).expect("small");
        let outcome = setup.prove(1, &Options::default()).expect("small");
        assert_eq!(outcome, Outcome::Reaches { others: usize::from(permits) });
        let found = smallest(&family, &question.monitor, 0, 7, &Options::default());
        let Ok(Smallest::Violated { callers, trace }) = found else { panic!("{found:?}") };
        assert_eq!(callers, usize::from(permits) + 1);
        assert_eq!(trace.len(), 2 * callers, "{trace:?}");
    }
}

/// Users of two permits, whom nobody remembers, and one who takes both permits at once, gives them back, and changes
/// the mode when he takes them: he cannot have them while a user has one.
struct TakesAll;

/// Of [`TakesAll`]: the mode beside the number of free permits.
const MODE: Shared = 4;

const USER: Kind = Kind(1);
const TAKER: Kind = Kind(2);

impl System for TakesAll {
    /// Who, and where it leads.
    type Label = (u8, Local);

    fn shared_bits(&self) -> u32 {
        3
    }

    fn local_bits(&self) -> u32 {
        2
    }

    fn initial(&self) -> Initial {
        Initial { shared: 2, processes: vec![(CALLER, 1), (USER, OUTSIDE), (TAKER, 1)] }
    }

    fn step(&self, kind: Kind, shared: Shared, at: Local, choices: &mut Vec<Choice<Self::Label>>) {
        let (mode, free) = (shared & MODE, shared & 3);
        let mut to = |shared, local| {
            choices.push(Choice::new(shared, local, (kind.0, local)));
        };
        match (kind, at) {
            (USER, OUTSIDE) if free > 0 => to(mode | (free - 1), INSIDE),
            // Can do nothing but look.
            (USER, INSIDE) if shared == MODE => to(MODE, INSIDE),
            (USER, INSIDE) => to(mode | (free + 1).min(2), OUTSIDE),
            (TAKER, 1) if shared == 2 => to(MODE, 2),
            (TAKER, 2) if shared == MODE => to(MODE | 2, 3),
            _ => {}
        }
    }

    fn returned(&self, _: Kind, _: Local) -> bool {
        true
    }
}

/// A user who has a permit looks that none is free, in the second mode.
#[derive(Clone)]
struct Looks;

impl Monitor<(u8, Local)> for Looks {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<(u8, Local)>) -> u64 {
        u64::from(step.before == MODE && step.local_before == INSIDE && step.after == MODE)
    }
}

/// Pairs do not tell that nobody has a permit beside the taker who has both, and there the same step of the same user in
/// the same shared state is found first: it has to be found again where it can be.
#[test]
fn a_step_that_changes_nothing_is_judged_wherever_it_can_be_taken() {
    let system = TakesAll;
    let family = Family::new(&system, &[CALLER, USER], &[USER]).expect("kinds are alike");
    let question = Question { monitor: Looks, without_history: 1 };
    let options = Options::default();
    let setup = Setup::new(&family, &question, &options).expect("small");
    for outcome in [setup.prove(1, &options), setup.prove_backward_only(1, &options)] {
        assert_eq!(outcome, Ok(Outcome::Reaches { others: 2 }));
    }
    let found = smallest(&family, &Looks, 0, 3, &options);
    let Ok(Smallest::Violated { callers: 2, trace }) = found else { panic!("{found:?}") };
    assert_eq!(trace.len(), 5, "{trace:?}");
}
