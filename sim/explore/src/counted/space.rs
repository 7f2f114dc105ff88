//! Counted states and their successors, derived from [`System::step`]. Every answer of the system is
//! asked for once and kept: steps by shared and local state, what is remembered by change of the
//! shared state, wake-ups by queue.

use crate::collections::interner::Interner;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

use super::encoded::{BLOCK, Batch, Candidate, Decoded, Group, Parent, add, encode, take, varint};
use super::store::NONE;
use crate::ask::{CountOnly, Monitor, table};
use crate::collections::bits::set_flag;
use crate::system::successor::{is_at_rest, is_dormant, remembered, woken};
use crate::system::{
    Census, Choice, Effect, Fault, Kind, Local, Queue, Shared, Step, System, WayOut, Wrong, fits,
    ways,
};

/// What a step does to others, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Nothing,
    WakeAll(Queue),
    WakeOne(Queue),
    Spawn(Kind, Local),
}

/// One way for a process in one local state to step in one shared state.
pub(crate) struct Cached<Label> {
    pub step: Step<Label>,
    /// [`Monitor::step_violates`].
    pub violated: u64,
    /// How often it was taken.
    pub taken: u64,
    /// The local state before.
    pub(super) from: u32,
    pub(super) shared: u32,
    pub(super) local: u32,
    /// The change of the shared state; `NONE` if it stays.
    pub(super) change: u32,
    pub(super) act: Act,
}

impl<Label> Cached<Label> {
    /// Whether it wakes and starts nobody.
    pub fn is_alone(&self) -> bool {
        matches!(self.act, Act::Nothing)
    }
}

/// The choices of a process in one local and one shared state.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    pub first: u32,
    pub many: u32,
    /// Whether one of them is not a way out, or nobody waits for such a process.
    runs: bool,
}

/// Where everybody is after a step.
enum After<'a> {
    /// Here.
    Groups(&'a [Group]),
    /// Where they were, but for the process that stepped.
    Step,
}

pub(crate) struct Space<'s, S: System> {
    pub system: &'s S,
    /// How many processes there are.
    processes: u32,
    shared: Interner<Shared>,
    /// Whether processes of a kind are of one class; else each is of its own.
    pub symmetry: bool,
    /// Kind, local state, class: only processes of one class are counted together.
    locals: Interner<(Kind, Local, u8)>,
    /// By local state: nobody waits for such a process to run.
    rests: Vec<bool>,
    steps: HashMap<u64, Steps, FixedState>,
    /// Some of `steps`, by a hash of the key: most questions are asked again soon.
    recent: Vec<(u64, Steps)>,
    pub choices: Vec<Cached<S::Label>>,
    /// By the first of the choices of a process: how often each of them was taken and not followed
    /// ([`Space::settle`]).
    slept: Vec<u64>,
    changes: Interner<(u32, u32)>,
    /// By change: the local states that it is known to leave as they are, one bit each.
    unmoved: Vec<Vec<u64>>,
    /// By change and local state: the other ones.
    moved: HashMap<u64, u32, FixedState>,
    /// By queue and local state: where it wakes. `None`: not asked yet.
    wakes: Vec<Vec<Option<u32>>>,
    hasher: FixedState,
    scratch: Vec<Choice<S::Label>>,
    /// The first promise that the system has broken: then every expansion ends the search.
    fault: Option<Fault>,
    others: Vec<Group>,
    after: Vec<Group>,
}

impl<'s, S: System> Space<'s, S> {
    /// For so many processes. `symmetry`: whether those of one kind are interchangeable.
    pub fn new(system: &'s S, processes: u32, symmetry: bool) -> Self {
        Self {
            system,
            processes,
            symmetry,
            shared: Interner::new(),
            locals: Interner::new(),
            rests: Vec::new(),
            steps: HashMap::default(),
            recent: vec![(u64::MAX, Steps { first: 0, many: 0, runs: false }); RECENT],
            choices: Vec::new(),
            slept: Vec::new(),
            changes: Interner::new(),
            unmoved: Vec::new(),
            moved: HashMap::default(),
            wakes: Vec::new(),
            hasher: FixedState::with_seed(0),
            scratch: Vec::new(),
            fault: None,
            others: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let rows = |rows: usize, row: usize| rows * size_of::<Vec<u64>>() + row;
        let unmoved = self.unmoved.iter().map(|row| row.capacity() * size_of::<u64>()).sum();
        let wakes = self.wakes.iter().map(|row| row.capacity() * size_of::<Option<u32>>()).sum();
        self.shared.bytes()
            + self.locals.bytes()
            + self.changes.bytes()
            + self.rests.capacity()
            + table(self.steps.capacity(), size_of::<(u64, Steps)>())
            + self.recent.capacity() * size_of::<(u64, Steps)>()
            + self.choices.capacity() * size_of::<Cached<S::Label>>()
            + self.slept.capacity() * size_of::<u64>()
            + rows(self.unmoved.capacity(), unmoved)
            + rows(self.wakes.capacity(), wakes)
            + table(self.moved.capacity(), size_of::<(u64, u32)>())
    }

    /// Takes back that the steps of a batch were taken.
    pub fn not_taken(&mut self, batch: &Batch) {
        debug_assert_eq!(batch.asleep, 0, "nobody sleeps where steps are taken back");
        for candidate in &batch.candidates {
            self.choices[candidate.choice as usize].taken -= u64::from(candidate.times);
        }
    }

    pub fn shared(&mut self, shared: Shared) -> u32 {
        self.shared.number(shared).0
    }

    pub fn shared_value(&self, number: u32) -> Shared {
        self.shared[number as usize]
    }

    pub fn local(&mut self, kind: Kind, local: Local, class: u8) -> u32 {
        let number = self.locals.number((kind, local, class)).0;
        if number as usize == self.rests.len() {
            self.rests.push(is_at_rest(self.system, kind, local));
        }
        number
    }

    pub fn local_value(&self, number: u32) -> (Kind, Local) {
        let (kind, local, _) = self.locals[number as usize];
        (kind, local)
    }

    /// The class of processes that the local state is one of.
    fn class(&self, number: u32) -> u8 {
        self.locals[number as usize].2
    }

    /// The class of the process with that number.
    fn class_of(&self, process: usize) -> u8 {
        if self.symmetry { 0 } else { process as u8 }
    }

    /// How many distinct local states there are so far.
    pub fn locals(&self) -> u32 {
        self.locals.len() as u32
    }

    pub fn tag(&self, body: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(body);
        (hasher.finish() >> 32) as u32
    }

    /// Numbers a state, and encodes it.
    pub fn number(
        &mut self,
        shared: Shared,
        processes: &[(Kind, Local)],
        into: &mut Vec<u8>,
    ) -> usize {
        let shared = self.shared(shared);
        let mut groups: Vec<Group> = Vec::new();
        for (i, (kind, local)) in processes.iter().enumerate() {
            let class = self.class_of(i);
            add(&mut groups, self.local(*kind, *local, class));
        }
        encode(shared, &groups, into);
        groups.len()
    }

    /// Whether `body` stands for that state.
    pub fn is(&self, body: &[u8], shared: Shared, processes: &[(Kind, Local)]) -> bool {
        let Some(shared) = self.shared.find(&shared) else { return false };
        let mut groups: Vec<Group> = Vec::new();
        for (i, (kind, local)) in processes.iter().enumerate() {
            match self.locals.find(&(*kind, *local, self.class_of(i))) {
                Some(local) => add(&mut groups, local),
                None => return false,
            }
        }
        let mut encoded = Vec::new();
        encode(shared, &groups, &mut encoded);
        encoded == body
    }

    /// Reads the state at the beginning of `bytes`.
    pub fn decode(&self, bytes: &[u8], into: &mut Decoded) {
        into.groups.clear();
        into.begins.clear();
        let mut at = 0;
        into.shared = varint(bytes, &mut at);
        let (mut sum, mut local) = (0, u32::MAX);
        while sum < self.processes {
            into.begins.push(at as u16);
            let code = varint(bytes, &mut at);
            local = local.wrapping_add((code >> 1) + 1);
            let mut count = 1;
            if code & 1 != 0 {
                count = u32::from(bytes[at]);
                at += 1;
            }
            sum += count;
            into.groups.push(Group { local, count });
        }
        debug_assert_eq!(sum, self.processes, "not a counted state");
        into.bytes = at;
        into.begins.push(at as u16);
        into.body.clear();
        into.body.extend_from_slice(&bytes[..at]);
        into.body.extend_from_slice(&[0; BLOCK]);
    }

    /// Appends the successors of `state`, and sets the flag of each group whose processes have
    /// nothing to do or can step.
    ///
    /// # Errors
    /// The kind of which a dormant process was wanted and none was left. The other successors are
    /// appended all the same. Some kind, too, once there is a [`fault`](Self::fault).
    pub fn expand<M: Monitor<S::Label>>(
        &mut self,
        parent: u32,
        state: &Decoded,
        monitor: &M,
        batch: &mut Batch,
        runs: &mut [u8],
    ) -> Result<(), Kind> {
        self.expand_awake(parent, state, monitor, batch, runs, |_, _| false)
    }

    /// The same but for groups that sleep, as is asked of each in turn: their transitions are counted and not followed. They are
    /// among the first 64, and their steps have no effect.
    ///
    /// # Errors
    /// As [`Space::expand`].
    pub fn expand_awake<M: Monitor<S::Label>>(
        &mut self,
        parent: u32,
        state: &Decoded,
        monitor: &M,
        batch: &mut Batch,
        runs: &mut [u8],
        mut sleeps: impl FnMut(&Self, usize) -> bool,
    ) -> Result<(), Kind> {
        let (mut exhausted, mut asleep) = (Ok(()), 0);
        for actor in 0..state.groups.len() {
            let steps = self.steps(state.shared, state.groups[actor].local, monitor);
            if steps.runs {
                set_flag(runs, actor);
            }
            if sleeps(self, actor) {
                asleep |= 1 << actor;
                let count = u64::from(state.groups[actor].count);
                if steps.many > 0 {
                    self.slept[steps.first as usize] += count;
                }
                batch.asleep += count * u64::from(steps.many);
                batch.left_out += steps.many as usize;
            } else {
                exhausted = exhausted.and(self.apply(parent, state, actor, steps, batch));
            }
        }
        batch.parents.push(Parent { record: parent, asleep });
        self.unless_at_fault(exhausted)
    }

    /// Takes back that groups from `first` on, as far as they are among those asleep, took steps. How many transitions that are.
    pub fn did_not_sleep(&mut self, state: &Decoded, asleep: u64, first: usize) -> u64 {
        let mut transitions = 0;
        for (at, group) in state.groups.iter().enumerate().take(64).skip(first) {
            if asleep >> at & 1 != 0 {
                let steps = self.steps[&pair(state.shared, group.local)];
                if steps.many > 0 {
                    self.slept[steps.first as usize] -= u64::from(group.count);
                }
                transitions += u64::from(group.count) * u64::from(steps.many);
            }
        }
        transitions
    }

    /// Has each choice know how often it was taken, also where that was not followed.
    pub fn settle(&mut self) {
        for steps in self.steps.values().filter(|steps| steps.many > 0) {
            let times = std::mem::take(&mut self.slept[steps.first as usize]);
            for choice in steps.first..steps.first + steps.many {
                self.choices[choice as usize].taken += times;
            }
        }
    }

    /// Appends the successors by steps of one group's processes.
    ///
    /// # Errors
    /// As [`Space::expand`].
    pub fn steps_of<M: Monitor<S::Label>>(
        &mut self,
        parent: u32,
        state: &Decoded,
        actor: usize,
        monitor: &M,
        batch: &mut Batch,
    ) -> Result<(), Kind> {
        let steps = self.steps(state.shared, state.groups[actor].local, monitor);
        let exhausted = self.apply(parent, state, actor, steps, batch);
        self.unless_at_fault(exhausted)
    }

    /// Whether the system has kept its promises so far.
    pub fn kept_to(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    fn unless_at_fault(&self, exhausted: Result<(), Kind>) -> Result<(), Kind> {
        self.fault.map_or(exhausted, |fault| Err(fault.kind))
    }

    fn apply(
        &mut self,
        parent: u32,
        state: &Decoded,
        actor: usize,
        steps: Steps,
        batch: &mut Batch,
    ) -> Result<(), Kind> {
        let mut exhausted = Ok(());
        let group = state.groups[actor];
        for choice in steps.first..steps.first + steps.many {
            let cached = &self.choices[choice as usize];
            let (shared, local, change, act) =
                (cached.shared, cached.local, cached.change, cached.act);
            let mut emit = |space: &mut Self, after: After<'_>, woken: u32, of: u32| {
                let start = batch.end;
                let mut writer = batch.writer(state.groups.len() + 2);
                let went = match after {
                    After::Groups(after) => {
                        writer.state(shared, after);
                        None
                    }
                    After::Step => Some(writer.step(shared, state, actor, local)),
                };
                let (len, groups) = (writer.at, writer.groups);
                batch.end += len;
                let times = group.count * of;
                space.choices[choice as usize].taken += u64::from(times);
                batch.candidates.push(Candidate {
                    parent,
                    tag: space.tag(&batch.bytes[start..start + len]),
                    choice,
                    actor: actor as u32,
                    woken,
                    times,
                    start: start as u32,
                    len: len as u16,
                    groups,
                    went,
                });
            };
            if matches!(act, Act::Nothing)
                && (self.unmoved_by(change, state, actor) || self.all_stay(change, state, actor))
            {
                emit(self, After::Step, NONE, 1);
                continue;
            }
            let mut others = std::mem::take(&mut self.others);
            others.clear();
            others.extend_from_slice(&state.groups);
            take(&mut others, actor);
            if change != NONE {
                self.remember(change, &mut others);
            }
            match act {
                Act::Nothing => {
                    add(&mut others, local);
                    emit(self, After::Groups(&others), NONE, 1);
                }
                Act::WakeAll(queue) => {
                    self.wake_all(queue, &mut others);
                    add(&mut others, local);
                    emit(self, After::Groups(&others), NONE, 1);
                }
                Act::WakeOne(queue) => {
                    let mut after = std::mem::take(&mut self.after);
                    let mut nobody = true;
                    for j in 0..others.len() {
                        let Group { local: asleep, count } = others[j];
                        let Some(woken) = self.wake(queue, asleep) else { continue };
                        nobody = false;
                        after.clear();
                        after.extend_from_slice(&others);
                        take(&mut after, j);
                        add(&mut after, woken);
                        add(&mut after, local);
                        emit(self, After::Groups(&after), asleep, count);
                    }
                    self.after = after;
                    if nobody {
                        add(&mut others, local);
                        emit(self, After::Groups(&others), NONE, 1);
                    }
                }
                Act::Spawn(kind, started) => {
                    let dormant = others.iter().enumerate().filter(|(_, other)| {
                        let (of, local) = self.local_value(other.local);
                        of == kind && is_dormant(self.system, kind, local)
                    });
                    // The first process of them.
                    match dormant.map(|(j, other)| (self.class(other.local), j)).min() {
                        Some((class, j)) => {
                            let started = self.local(kind, started, class);
                            take(&mut others, j);
                            add(&mut others, started);
                            add(&mut others, local);
                            emit(self, After::Groups(&others), NONE, 1);
                        }
                        None => exhausted = exhausted.and(Err(kind)),
                    }
                }
            }
            self.others = others;
        }
        exhausted
    }

    /// Whether nobody but the actor is changed by what they remember of a change, as far as is known.
    fn unmoved_by(&self, change: u32, state: &Decoded, actor: usize) -> bool {
        change == NONE || {
            let known = &self.unmoved[change as usize];
            state.groups.iter().enumerate().all(|(i, group)| {
                let word = known.get((group.local / 64) as usize);
                word.is_some_and(|word| word >> (group.local % 64) & 1 != 0)
                    || (i == actor && group.count == 1)
            })
        }
    }

    /// The same where it is not known of all of them.
    #[cold]
    #[inline(never)]
    fn all_stay(&mut self, change: u32, state: &Decoded, actor: usize) -> bool {
        let others = |(i, group): &(usize, &Group)| *i != actor || group.count > 1;
        let mut others = state.groups.iter().enumerate().filter(others);
        others.all(|(_, group)| self.observe(change, group.local) == group.local)
    }

    /// Where a process other than the actor, in local state `from` before, is after the transition:
    /// one place, or two if it may be the one woken and may not.
    pub fn places(&mut self, state: &Decoded, candidate: &Candidate, from: u32) -> [u32; 2] {
        let cached = &self.choices[candidate.choice as usize];
        let (change, act) = (cached.change, cached.act);
        let remembering = |space: &mut Self, from| {
            if change == NONE { from } else { space.observe(change, from) }
        };
        let seen = remembering(self, from);
        match act {
            Act::WakeAll(queue) => [self.wake(queue, seen).unwrap_or(seen), NONE],
            Act::WakeOne(queue) if candidate.woken == seen => {
                let woken = self.wake(queue, seen).expect("it was woken");
                // Others may have been asleep with it.
                let mut asleep = 0;
                for (i, group) in state.groups.iter().enumerate() {
                    if remembering(self, group.local) == seen {
                        asleep += group.count - u32::from(i as u32 == candidate.actor);
                    }
                }
                [woken, if asleep > 1 { seen } else { NONE }]
            }
            Act::Nothing | Act::WakeOne(_) | Act::Spawn(..) => [seen, NONE],
        }
    }

    /// The choices of a process in a local state. Asks the system the first time.
    #[inline]
    pub fn steps<M: Monitor<S::Label>>(&mut self, shared: u32, local: u32, monitor: &M) -> Steps {
        let key = pair(shared, local);
        let slot = (shared.wrapping_mul(61) ^ local) as usize % RECENT;
        if self.recent[slot].0 != key {
            self.recent[slot] = (key, self.steps_slowly(shared, local, monitor));
        }
        self.recent[slot].1
    }

    fn steps_slowly<M: Monitor<S::Label>>(
        &mut self,
        shared: u32,
        local: u32,
        monitor: &M,
    ) -> Steps {
        let key = pair(shared, local);
        if let Some(steps) = self.steps.get(&key) {
            return *steps;
        }
        let (kind, local_before) = self.local_value(local);
        let shared_before = self.shared_value(shared);
        let mut choices = std::mem::take(&mut self.scratch);
        choices.clear();
        if !is_dormant(self.system, kind, local_before)
            && let Err(fault) = ways(self.system, (kind, shared_before, local_before), &mut choices)
        {
            self.fault.get_or_insert(fault);
        }
        let first = self.choices.len() as u32;
        for choice in &choices {
            self.cache((shared, local), choice, monitor);
        }
        let ordinary = choices.iter().any(|choice| choice.way_out == WayOut::Ordinary);
        self.scratch = choices;
        let runs = ordinary || self.rests[local as usize];
        let steps = Steps { first, many: self.choices.len() as u32 - first, runs };
        self.slept.resize(self.choices.len(), 0);
        self.steps.insert(key, steps);
        steps
    }

    fn cache<M: Monitor<S::Label>>(
        &mut self,
        (before, actor): (u32, u32),
        choice: &Choice<S::Label>,
        monitor: &M,
    ) {
        let shared_before = self.shared_value(before);
        let ((kind, local_before), class) = (self.local_value(actor), self.class(actor));
        let shared = self.shared(choice.shared);
        let mut local = self.local(kind, choice.local, class);
        let mut change = NONE;
        if shared != before {
            change = self.changes.number((before, shared)).0;
            if change as usize == self.unmoved.len() {
                self.unmoved.push(Vec::new());
            }
            local = self.observe(change, local);
        }
        let act = match choice.effect {
            Effect::None => Act::Nothing,
            Effect::WakeAll(queue) => Act::WakeAll(queue),
            Effect::WakeOne(queue) => Act::WakeOne(queue),
            Effect::Spawn(kind, started) => Act::Spawn(kind, started),
        };
        let step = Step::of(kind, (shared_before, local_before), choice, self.local_value(local).1);
        let violated = monitor.step_violates(&step);
        let from = actor;
        self.choices.push(Cached { step, violated, taken: 0, from, shared, local, change, act });
    }

    /// The choices of a process, if the system was asked for them.
    pub(super) fn known_steps(&self, shared: u32, local: u32) -> Option<&[Cached<S::Label>]> {
        let steps = self.steps.get(&pair(shared, local))?;
        Some(&self.choices[steps.first as usize..][..steps.many as usize])
    }

    /// The shared state before a change.
    pub(super) fn before(&self, change: u32) -> u32 {
        self.changes[change as usize].0
    }

    /// Whether a process remembers nothing of a change. Gives no number to anything.
    pub(super) fn leaves(&self, change: u32, local: u32) -> bool {
        let known = self.unmoved[change as usize].get((local / 64) as usize);
        if known.is_some_and(|known| known >> (local % 64) & 1 != 0) {
            return true;
        }
        let (kind, value) = self.local_value(local);
        let (before, after) = self.changes[change as usize];
        let change = (self.shared_value(before), self.shared_value(after));
        remembered(self.system, kind, change, value) == value
    }

    /// What a process remembers of a change.
    #[inline]
    fn observe(&mut self, change: u32, local: u32) -> u32 {
        let (word, bit) = ((local / 64) as usize, local % 64);
        if self.unmoved[change as usize].get(word).is_some_and(|known| known >> bit & 1 != 0) {
            return local;
        }
        self.observe_slowly(change, local)
    }

    #[cold]
    fn ask_observe(&mut self, change: u32, local: u32) -> u32 {
        let (kind, value) = self.local_value(local);
        let (before, after) = self.changes[change as usize];
        let (before, after) = (self.shared_value(before), self.shared_value(after));
        let seen = remembered(self.system, kind, (before, after), value);
        if !fits(u128::from(seen), self.system.local_bits()) {
            let wrong = Wrong::Remembered(seen);
            self.fault.get_or_insert(Fault { kind, shared: before, local: value, wrong });
        }
        self.local(kind, seen, self.class(local))
    }

    fn observe_slowly(&mut self, change: u32, local: u32) -> u32 {
        if let Some(seen) = self.moved.get(&pair(change, local)) {
            return *seen;
        }
        let seen = self.ask_observe(change, local);
        if seen == local {
            let row = &mut self.unmoved[change as usize];
            let word = (local / 64) as usize;
            if row.len() <= word {
                row.resize(word + 1, 0);
            }
            row[word] |= 1 << (local % 64);
        } else {
            self.moved.insert(pair(change, local), seen);
        }
        seen
    }

    /// Everybody remembers a change.
    fn remember(&mut self, change: u32, groups: &mut Vec<Group>) {
        self.map(groups, |space, local| space.observe(change, local));
    }

    fn wake_all(&mut self, queue: Queue, groups: &mut Vec<Group>) {
        self.map(groups, |space, local| space.wake(queue, local).unwrap_or(local));
    }

    fn map(&mut self, groups: &mut Vec<Group>, mut to: impl FnMut(&mut Self, u32) -> u32) {
        let mut moved = false;
        for group in groups.iter_mut() {
            let local = to(self, group.local);
            moved |= local != group.local;
            group.local = local;
        }
        if moved {
            groups.sort_unstable_by_key(|group| group.local);
            groups.dedup_by(|from, into| {
                let same = from.local == into.local;
                into.count += if same { from.count } else { 0 };
                same
            });
        }
    }

    /// Where a process wakes, if it is asleep on the queue.
    fn wake(&mut self, queue: Queue, local: u32) -> Option<u32> {
        let row = usize::from(queue.0);
        if self.wakes.len() <= row {
            self.wakes.resize(row + 1, Vec::new());
        }
        let known = self.wakes[row].get(local as usize).copied().flatten();
        let woken = known.unwrap_or_else(|| {
            let (kind, value) = self.local_value(local);
            let woken = woken(self.system, kind, value, queue);
            if let Some(woken) = woken.filter(|w| !fits(u128::from(*w), self.system.local_bits())) {
                let (shared, wrong) = (0, Wrong::Woken { queue, woken });
                self.fault.get_or_insert(Fault { kind, shared, local: value, wrong });
            }
            let class = self.class(local);
            let woken = woken.map_or(NONE, |woken| self.local(kind, woken, class));
            let row = &mut self.wakes[row];
            if row.len() <= local as usize {
                row.resize(local as usize + 1, None);
            }
            row[local as usize] = Some(woken);
            woken
        });
        (woken != NONE).then_some(woken)
    }

    /// Sets the flag of each group whose processes have nothing to do or can step.
    pub fn running(&mut self, state: &Decoded, runs: &mut [u8]) {
        for (i, group) in state.groups.iter().enumerate() {
            let steps = self.steps(state.shared, group.local, &CountOnly);
            if steps.runs {
                set_flag(runs, i);
            }
        }
    }

    /// How many processes are where in the state at the beginning of `bytes`.
    pub fn census<'a>(&'a self, bytes: &'a [u8]) -> Counts<'a, 's, S> {
        Counts { space: self, bytes }
    }
}

/// An encoded state as a [`Census`]: decoded when it is asked.
pub(crate) struct Counts<'a, 's, S: System> {
    space: &'a Space<'s, S>,
    bytes: &'a [u8],
}

impl<S: System> Census for Counts<'_, '_, S> {
    fn count(&self, kind: Kind, local: Local) -> usize {
        let mut state = Decoded::default();
        self.space.decode(self.bytes, &mut state);
        let there = |group: &&Group| self.space.local_value(group.local) == (kind, local);
        state.groups.iter().filter(there).map(|group| group.count as usize).sum()
    }
}

/// Answers kept within easy reach.
const RECENT: usize = 1 << 12;

fn pair(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}

/// The choices that were taken, with how often.
pub(crate) fn taken<Label>(
    choices: &[Cached<Label>],
) -> impl Iterator<Item = (&Step<Label>, u64, u64)> {
    let taken = choices.iter().filter(|cached| cached.taken > 0);
    taken.map(|cached| (&cached.step, cached.violated, cached.taken))
}

/// What a monitor counts of the steps taken.
pub(crate) fn tally<Label, M: Monitor<Label>>(monitor: &M, choices: &[Cached<Label>]) -> M::Tally {
    let mut tally = M::Tally::default();
    for (step, violated, times) in taken(choices) {
        monitor.record_step(&mut tally, step, violated, times);
    }
    tally
}
