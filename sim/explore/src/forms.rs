//! The forms of states that do a step their own way, each held to what a step is (`system/successor.rs`),
//! transition by transition, on generated systems.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::ControlFlow;

use crate::ask::{Budget, Clock, CountOnly, Options};
use crate::bfs::expand::Expander;
use crate::bfs::packed::Packed;
use crate::bfs::source::{Asked, Expand, Purpose, Sink, Visit};
use crate::counted::encoded::{Batch, Decoded};
use crate::counted::footprint::{Resources, interferences};
use crate::counted::space::Space;
use crate::coverability::build::Scope;
use crate::coverability::forward::{self, successors};
use crate::coverability::question::Bounds;
use crate::coverability::table::{BLOCKS, Control, NO_SLOT, NONE, NOT_HERE, Table, Tag};
use crate::coverability::{Family, MAX_SLOTS, Question};
use crate::system::concrete::{State, transitions};
use crate::system::successor::{how_many, is_dormant, remembered, take};
use crate::system::{
    Choice, Configuration, Effect, Initial, Kind, Local, Queue, Shared, Step, System,
};

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../tests/common/random_system.rs"]
mod random_system;

use random_system::{Label, RandomSystem};

/// Systems that are drawn, and states of each that are looked at.
const SYSTEMS: u64 = 600;
const STATES: usize = 150;

/// A transition, in the plainest form: who, what, and where everybody is then.
type Taken<L> = (usize, Step<L>, State);

/// A state, its transitions, and whether these are all: somebody may have wanted to start a process, and there
/// was none.
type Reached<L> = (State, Vec<Taken<L>>, bool);

/// The first states that a system reaches.
fn reached<S: System>(system: &S) -> Vec<Reached<S::Label>> {
    let initial = State::initial(system);
    let (mut seen, mut open) = (BTreeSet::from([initial.clone()]), VecDeque::from([initial]));
    let mut reached = Vec::new();
    while let Some(state) = open.pop_front().filter(|_| reached.len() < STATES) {
        let mut all = Vec::new();
        let whole = transitions(system, &state, |taken| {
            all.push((taken.actor, taken.step.clone(), taken.after.clone()));
            if seen.insert(taken.after.clone()) {
                open.push_back(taken.after.clone());
            }
            ControlFlow::Continue(())
        });
        reached.push((state, all, whole.is_ok()));
    }
    reached
}

impl Visit<1> for BTreeSet<[u64; 1]> {
    fn visit(&mut self, _: &Packed<1>, after: Packed<1>, _: u16) {
        self.insert(after.0);
    }
}

/// The search of packed states: the same successors, and as many transitions.
#[test]
fn packed() {
    for seed in 0..SYSTEMS {
        let system = RandomSystem::new(seed);
        let options = Options { follow_all: true, ..Options::default() };
        let (asked, words) = Asked::new(&system, &CountOnly, &options).expect("it is small");
        assert_eq!(words, 1, "few bits");
        let mut expander = Expander::<_, _, 1>::new(&asked, Purpose::Search);
        let pack = |state: &State| -> Packed<1> {
            let mut locals = [0; crate::MAX_PROCESSES];
            for (to, (_, local)) in locals.iter_mut().zip(&state.processes) {
                *to = *local;
            }
            asked.frame.layout.pack(&Configuration { shared: state.shared, locals })
        };
        for (state, all, whole) in reached(&system) {
            let before = (expander.found.transitions, expander.found.exhausted.is_some());
            let (mut found, whole_before) = (BTreeSet::new(), !before.1);
            expander.expand(&[pack(&state)], &mut Sink::Told(&mut found));
            let expected: BTreeSet<_> = all.iter().map(|(.., after)| pack(after).0).collect();
            assert_eq!(found, expected, "seed {seed}: {state:?}");
            let count = expander.found.transitions - before.0;
            assert_eq!(count, all.len() as u64, "seed {seed}: {state:?}");
            assert!(whole || expander.found.exhausted.is_some(), "seed {seed}: {state:?}");
            assert!(!whole || expander.found.exhausted.is_none() || !whole_before, "seed {seed}");
        }
    }
}

/// Steps taken in place, as walks are: the same alternatives in the same order, to the same states.
#[test]
fn in_place() {
    for seed in 0..SYSTEMS {
        let system = RandomSystem::new(seed);
        for (state, all, whole) in reached(&system) {
            let (mut found, mut whole_here) = (Vec::new(), true);
            for (actor, &(kind, local)) in state.processes.iter().enumerate() {
                let mut ways = Vec::new();
                if !is_dormant(&system, kind, local) {
                    system.step(kind, state.shared, local, &mut ways);
                }
                for way in &ways {
                    let own = remembered(&system, kind, (state.shared, way.shared), way.local);
                    let step = Step::of(kind, (state.shared, local), way, own);
                    let many = how_many(&system, actor, &step, &state.processes);
                    whole_here &= many.is_ok();
                    for number in 0..many.unwrap_or(0) {
                        let mut processes = state.processes.clone();
                        take(&system, actor, &step, number, &mut processes);
                        let after = State { shared: step.after, processes };
                        found.push((actor, step, after));
                    }
                }
            }
            assert_eq!(found, all, "seed {seed}: {state:?}");
            assert_eq!(whole_here, whole, "seed {seed}: {state:?}");
        }
    }
}

/// Counted states: the same steps to the same states, each as often.
#[test]
fn counted() {
    for seed in 0..SYSTEMS {
        let system = RandomSystem::new(seed);
        let processes = system.initial().processes.len() as u32;
        for symmetry in [false, true] {
            let mut space = Space::new(&system, processes, symmetry);
            let (mut decoded, mut batch) = (Decoded::default(), Batch::default());
            for (state, all, whole) in reached(&system) {
                let mut number = |state: &State| {
                    let mut body = Vec::new();
                    space.number(state.shared, &state.processes, &mut body);
                    body
                };
                let mut expected: BTreeMap<(Vec<u8>, String), u64> = BTreeMap::new();
                for (_, step, after) in &all {
                    *expected.entry((number(after), format!("{step:?}"))).or_default() += 1;
                }
                let body = number(&state);
                space.decode(&body, &mut decoded);
                batch.clear();
                let mut runs = vec![0; decoded.flags()];
                let result = space.expand(0, &decoded, &CountOnly, &mut batch, &mut runs);
                let mut found: BTreeMap<(Vec<u8>, String), u64> = BTreeMap::new();
                for candidate in &batch.candidates {
                    let step = &space.choices[candidate.choice as usize].step;
                    let key = (batch.body(candidate).to_vec(), format!("{step:?}"));
                    *found.entry(key).or_default() += u64::from(candidate.times);
                }
                assert_eq!(found, expected, "seed {seed}: {state:?}, symmetry {symmetry}");
                assert_eq!(result.is_ok(), whole, "seed {seed}: {state:?}");
            }
        }
    }
}

/// What partial-order reduction knows of who interferes with whom: whatever a step changes it is known to
/// write; whom it changes is known to read that; and what is to come is known before.
#[test]
fn footprints() {
    for seed in 0..SYSTEMS {
        let system = RandomSystem::new(seed);
        let options = Options::default();
        let (clock, budget) = (Clock::new(&options), Budget::new(None));
        let known = interferences(&system, &CountOnly, u64::MAX, (&clock, &budget));
        let known = known.expect("no limit").expect("no limit");
        for (state, all, _) in reached(&system) {
            for (actor, step, after) in all {
                let own = known.of(step.kind, step.local_before, step.before);
                let changed = Resources::bits(step.before ^ step.after);
                let others = match step.effect {
                    Effect::None => Resources::bits(0),
                    Effect::WakeAll(queue) | Effect::WakeOne(queue) => Resources::queue(queue),
                    Effect::Spawn(kind, _) => Resources::pool(kind),
                };
                let written = changed.is_in(own.writes) && others.is_in(own.writes);
                assert!(written, "seed {seed}: {step:?}");
                let both = state.processes.iter().zip(&after.processes);
                for (i, ((kind, before), (_, then))) in both.enumerate() {
                    let here = known.of(*kind, *before, step.before);
                    let there = known.of(*kind, *then, step.after);
                    let who = format!("seed {seed}: process {i} at {step:?}");
                    assert!(i == actor || before == then || here.reads.meets(own.writes), "{who}");
                    assert!(here.writes.is_in(here.all_writes), "{who}");
                    assert!(there.all_writes.is_in(here.all_writes), "{who}");
                    assert!(there.all_reads.is_in(here.all_reads), "{who}");
                }
            }
        }
    }
}

/// A system whose processes remember, besides, whether the shared state has been so; nothing depends on it.
struct Remembering {
    inner: RandomSystem,
    seen: Shared,
}

impl Remembering {
    fn split(&self, local: Local) -> (Local, Local) {
        let inner = local & ((1 << self.inner.local_bits()) - 1);
        (inner, local ^ inner)
    }

    /// Who becomes dormant remembers nothing.
    fn join(&self, kind: Kind, inner: Local, memory: Local) -> Local {
        if is_dormant(&self.inner, kind, inner) { inner } else { inner | memory }
    }
}

impl System for Remembering {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.inner.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.inner.local_bits() + 1
    }

    fn initial(&self) -> Initial {
        self.inner.initial()
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        let (inner, memory) = self.split(local);
        self.inner.step(kind, shared, inner, choices);
        for choice in choices {
            choice.local = self.join(kind, choice.local, memory);
        }
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.inner.dormant(kind)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        let (inner, memory) = self.split(local);
        let seen = Local::from(after == self.seen) << self.inner.local_bits();
        self.join(kind, self.inner.observe(kind, before, after, inner), memory | seen)
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        let (inner, memory) = self.split(local);
        Some(self.join(kind, self.inner.wake(kind, inner, queue)?, memory))
    }

    fn anonymous(&self, _: Kind, local: Local) -> Local {
        self.split(local).0
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.inner.returned(kind, self.split(local).0)
    }
}

/// A state in the form of the proofs for any number of processes, one of which is the tagged one.
fn projected<S: System>(
    table: &Table,
    family: &Family<'_, S>,
    state: &State,
    tagged: usize,
) -> forward::Configuration {
    let system = family.system();
    let (mut slots, mut letters) = ([NOT_HERE; MAX_SLOTS], Vec::new());
    let (kind, local) = state.processes[tagged];
    let mut tag = Tag { kind, slot: NO_SLOT, local };
    let mut next = 0;
    for (i, (kind, local)) in state.processes.iter().enumerate() {
        let anonymous = system.anonymous(*kind, *local);
        if family.is_crowd(*kind) {
            if i != tagged && !is_dormant(system, *kind, *local) {
                let letter = table.letters.find(&(*kind, anonymous)).expect("it is reached");
                letters.push(letter as u16);
            }
            continue;
        }
        if i == tagged {
            tag.slot = next as u8;
        } else {
            slots[next] = anonymous;
        }
        next += 1;
    }
    letters.sort_unstable();
    let shared = table.shared.find(&state.shared).expect("it is reached");
    let control = table.controls.find(&Control { shared, tag, slots });
    (control.expect("it is reached"), letters)
}

/// A system drawn, whose processes remember something of it.
fn remembering(seed: u64) -> Remembering {
    let inner = RandomSystem::new(seed);
    let seen = inner.shared_word(seed as u8 % inner.shapes().shared);
    Remembering { inner, seen }
}

/// The rules of the proofs for any number: whoever is tagged, they lead where steps lead.
#[test]
fn any_number() {
    let (mut compared, mut started) = (0, 0);
    for seed in 0..SYSTEMS {
        let system = remembering(seed);
        let Ok(family) = Family::new(&system, &[Kind(0)], &[]) else { continue };
        let question = Question { monitor: CountOnly, without_history: 0 };
        let options = Options::default();
        let bounds = Bounds::new(&options);
        let Ok(table) = Table::new(&family, &question, Scope::Whole, &bounds) else { continue };
        let member = family.member(2, 2);
        for (state, all, whole) in reached(&member) {
            let mut expected: HashMap<usize, BTreeSet<_>> = HashMap::new();
            let dormant = |state: &State, i: usize| {
                let (kind, local) = state.processes[i];
                is_dormant(&system, kind, local)
            };
            let tagged: Vec<usize> =
                (0..state.processes.len()).filter(|i| !dormant(&state, *i)).collect();
            for (actor, step, after) in &all {
                for &tag in &tagged {
                    let into = expected.entry(tag).or_default();
                    if !dormant(after, tag) {
                        into.insert(projected(&table, &family, after, tag));
                    }
                    // Who starts another one hands the tag on to it, or keeps it.
                    if tag == *actor && matches!(step.effect, Effect::Spawn(..)) {
                        let new = (0..after.processes.len())
                            .find(|i| i != actor && dormant(&state, *i) && !dormant(after, *i));
                        into.extend(new.map(|new| projected(&table, &family, after, new)));
                        started += 1;
                    }
                }
            }
            for tag in tagged {
                let from = projected(&table, &family, &state, tag);
                let found: BTreeSet<_> = successors(&table, &from).into_iter().collect();
                let expected = expected.remove(&tag).unwrap_or_default();
                let what = format!("seed {seed}: {state:?}, {tag} tagged");
                // In the family there is always one to be started.
                let same = if whole { found == expected } else { found.is_superset(&expected) };
                assert!(same, "{what}: found {found:?}, expected {expected:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 10_000 && started > 50, "too little: {compared}, {started}");
}

/// What stands beside the control states of a family: what all its rules lead to, each applied again and again
/// until nothing is new.
#[test]
fn what_stands_beside_control_states() {
    let (mut controls, mut moved) = (0, 0);
    for seed in 0..SYSTEMS {
        let system = remembering(seed);
        let Ok(family) = Family::new(&system, &[Kind(0)], &[]) else { continue };
        let question = Question { monitor: CountOnly, without_history: 0 };
        let options = Options::default();
        for scope in [Scope::Anonymous, Scope::Whole] {
            let bounds = Bounds::new(&options);
            let Ok(table) = Table::new(&family, &question, scope, &bounds) else { continue };
            let initial = BTreeSet::from_iter(table.initial.iter());
            let mut beside: Vec<BTreeSet<u16>> = vec![BTreeSet::new(); table.controls.len()];
            beside[..table.initials].fill(initial);
            let mut grew = true;
            while std::mem::take(&mut grew) {
                for (from, rules) in table.rules.iter().enumerate() {
                    for inner in &table.inner[table.controls[from].shared as usize] {
                        if beside[from].contains(&inner.takes) && inner.puts != NONE {
                            grew |= beside[from].insert(inner.puts);
                        }
                    }
                    for rule in rules {
                        let there = |letter: &u16| *letter == NONE || beside[from].contains(letter);
                        if !rule.takes.iter().all(there) {
                            continue;
                        }
                        let image = |letter: &u16| {
                            table.transfers[rule.transfer as usize][usize::from(*letter)]
                        };
                        let stay: Vec<u16> =
                            beside[from].iter().map(image).filter(|to| *to < BLOCKS).collect();
                        moved += stay.len();
                        for letter in
                            stay.into_iter().chain(rule.puts).filter(|letter| *letter != NONE)
                        {
                            grew |= beside[rule.to as usize].insert(letter);
                        }
                    }
                }
            }
            for (control, expected) in beside.iter().enumerate() {
                let found = BTreeSet::from_iter(table.beside[control].iter());
                assert_eq!(found, *expected, "seed {seed}: control state {control}");
                controls += 1;
            }
        }
    }
    assert!(controls > 10_000 && moved > 10_000, "too little: {controls}, {moved}");
}
