//! A family in counted form: control states, letters, and the rules that lead from one to the next.
//!
//! A *control state* is the shared state with the local states of the tracked processes; a *letter*
//! is an anonymous local state of one kind. A configuration is a control state and a multiset of
//! letters. Every step is a [`Rule`]: it takes one or two letters (or none, when a tracked process
//! steps), puts up to three, and moves all other letters by one function, since everybody observes
//! a change of the shared state and a wake-up wakes all who sleep. The rules come from
//! [`System::step`], `observe` and `wake` alone.
//!
//! - Decides: an over-approximation of what can be reached, to bound the table: which letters can
//!   stand beside which control state, each letter taken for itself and in any number.
//! - Needs: finitely many control states and letters.
//! - Costs: a rule of 20 bytes for each control state and letter beside it that can change the
//!   control state or others; steps that change nothing but the process are stored once for each
//!   shared state.

use foldhash::fast::FixedState;

use super::family::{Family, MAX_TRACKED};
use super::{Budget, Step, Undecided, Watch};
use crate::system::{Choice, DORMANT, Effect, Kind, Local, Queue, Shared, System};

/// A letter, by number.
pub(crate) type Letter = u16;

/// No letter.
pub(crate) const NONE: Letter = u16::MAX;
/// Not computed yet.
const UNKNOWN: Letter = u16::MAX - 1;
/// A process that became dormant.
pub(crate) const GONE: Letter = u16::MAX - 2;
/// The step cannot be taken beside such a process.
pub(crate) const BLOCKS: Letter = u16::MAX - 3;
/// Most letters.
const MOST_LETTERS: usize = 4096;

/// The number of the property 'a process was spawned and there was no place for it'.
pub(crate) const EXHAUSTED: u32 = 63;

/// A control state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Control {
    /// Index into [`Table::shared`].
    pub shared: u32,
    /// The tracked processes' local states.
    pub tracked: [Local; MAX_TRACKED],
}

/// A step that changes the control state or others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Rule {
    /// The control state afterwards.
    pub to: u32,
    /// What happens to all letters that are not taken.
    pub transfer: u32,
    /// The letters it takes: the process that steps, and one that it alone wakes.
    pub takes: [Letter; 2],
    /// What became of them, and who was spawned.
    pub puts: [Letter; 3],
}

/// A step of an anonymous process that changes only itself. Puts [`NONE`] if it becomes dormant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inner {
    pub takes: Letter,
    pub puts: Letter,
}

/// What happens to letters that a step does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TransferKey {
    before: u32,
    after: u32,
    woken: Option<Queue>,
    /// Nobody may be asleep there.
    nobody_on: Option<Queue>,
}

/// A growing set of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LetterSet(Vec<u64>);

impl LetterSet {
    pub fn has(&self, letter: Letter) -> bool {
        self.0.get(usize::from(letter / 64)).is_some_and(|word| word >> (letter % 64) & 1 != 0)
    }

    /// Whether it was not there.
    pub fn add(&mut self, letter: Letter) -> bool {
        let word = usize::from(letter / 64);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let old = self.0[word];
        self.0[word] |= 1 << (letter % 64);
        self.0[word] != old
    }

    pub fn iter(&self) -> impl Iterator<Item = Letter> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                (word != 0).then(|| {
                    word &= word - 1;
                    at as Letter * 64 + bit as Letter
                })
            })
        })
    }
}

/// The values with their numbers, in the order in which they were met.
struct Numbered<T> {
    values: Vec<T>,
    numbers: std::collections::HashMap<T, u32, FixedState>,
}

impl<T: Copy + Eq + std::hash::Hash> Numbered<T> {
    fn new() -> Self {
        let numbers = std::collections::HashMap::with_hasher(FixedState::with_seed(0));
        Self { values: Vec::new(), numbers }
    }

    /// The number, and whether it is a new one.
    fn number(&mut self, value: T) -> (u32, bool) {
        let next = self.values.len() as u32;
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        (number, number == next)
    }
}

/// A family in counted form.
pub(crate) struct Table {
    pub shared: Vec<Shared>,
    pub letters: Vec<(Kind, Local)>,
    pub controls: Vec<Control>,
    /// By control state: the letters that the over-approximation finds beside it.
    pub beside: Vec<LetterSet>,
    /// By control state.
    pub rules: Vec<Vec<Rule>>,
    /// By shared state.
    pub inner: Vec<Vec<Inner>>,
    /// By transfer and letter.
    pub transfers: Vec<Vec<Letter>>,
    /// By transfer: whether it leaves every letter as it is.
    pub identity: Vec<bool>,
    /// By control state: the properties that some step of a tracked process violates.
    pub bad: Vec<u64>,
    /// Control state, letter, and the properties that some step of such a process violates.
    pub bad_letters: Vec<(u32, Letter, u64)>,
    /// The letters of anonymous processes at first.
    pub initial: LetterSet,
}

/// Who steps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Actor {
    Tracked(usize),
    Letter(Letter),
}

/// A step that wakes one process, of which there is one rule for each that it can wake.
#[derive(Clone, Copy)]
struct WakesOne {
    taken: Letter,
    put: Letter,
    /// The control state when no tracked process is woken.
    to: u32,
    transfer: u32,
    queue: Queue,
}

struct Build<'f, 'a, S: System, W> {
    family: &'f Family<'a, S>,
    watch: &'f W,
    shared: Numbered<Shared>,
    letters: Numbered<(Kind, Local)>,
    controls: Numbered<Control>,
    transfers: Numbered<TransferKey>,
    images: Vec<Vec<Letter>>,
    beside: Vec<LetterSet>,
    /// By control state: whether the rules of its tracked processes were made.
    followed: Vec<bool>,
    /// By control state: the letters whose rules were made.
    expanded: Vec<LetterSet>,
    rules: Vec<Vec<Rule>>,
    wake_one: Vec<Vec<WakesOne>>,
    inner: Vec<Vec<Inner>>,
    bad: Vec<u64>,
    bad_letters: Vec<(u32, Letter, u64)>,
    dirty: Vec<u32>,
    is_dirty: Vec<bool>,
    scratch: Vec<Choice<S::Label>>,
}

impl Table {
    /// The table of `family`, with what `watch` finds bad.
    pub fn new<S: System, W: Watch<S>>(
        family: &Family<'_, S>,
        watch: &W,
        budget: &Budget<'_>,
    ) -> Result<Self, Undecided> {
        let mut build = Build::new(family, watch);
        let initial = build.begin();
        build.fill(budget)?;
        Ok(build.finish(initial))
    }
}

impl<'f, 'a, S: System, W: Watch<S>> Build<'f, 'a, S, W> {
    fn new(family: &'f Family<'a, S>, watch: &'f W) -> Self {
        Self {
            family,
            watch,
            shared: Numbered::new(),
            letters: Numbered::new(),
            controls: Numbered::new(),
            transfers: Numbered::new(),
            images: Vec::new(),
            beside: Vec::new(),
            followed: Vec::new(),
            expanded: Vec::new(),
            rules: Vec::new(),
            wake_one: Vec::new(),
            inner: Vec::new(),
            bad: Vec::new(),
            bad_letters: Vec::new(),
            dirty: Vec::new(),
            is_dirty: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn begin(&mut self) -> LetterSet {
        let shared = self.shared_number(self.family.shared);
        let mut tracked = [DORMANT; MAX_TRACKED];
        for (to, from) in tracked.iter_mut().zip(&self.family.tracked) {
            *to = from.local;
        }
        let first = self.control(Control { shared, tracked });
        debug_assert_eq!(first, 0);
        let mut initial = LetterSet::default();
        for crowd in &self.family.crowds {
            if crowd.local != DORMANT {
                let local = self.family.system.anonymous(crowd.kind, crowd.local);
                initial.add(self.letter(crowd.kind, local));
            }
        }
        self.beside[0] = initial.clone();
        initial
    }

    fn fill(&mut self, budget: &Budget<'_>) -> Result<(), Undecided> {
        let mut looks = 0_u32;
        while let Some(control) = self.dirty.pop() {
            looks += 1;
            if looks.is_multiple_of(256) {
                budget.check(self.controls.values.len())?;
            }
            self.is_dirty[control as usize] = false;
            self.expand(control);
            self.propagate(control);
            if self.letters.values.len() > MOST_LETTERS {
                return Err(Undecided::TooManyLetters);
            }
        }
        Ok(())
    }

    fn finish(mut self, initial: LetterSet) -> Table {
        let letters = self.letters.values.len();
        for transfer in 0..self.images.len() as u32 {
            for letter in 0..letters as Letter {
                // Only letters that stand beside a control state before the step matter; of the
                // others nothing is known, and nothing is asked.
                let _ = self.known_image(transfer, letter);
            }
        }
        let identity = self.images.iter().map(|image| is_identity(image)).collect();
        for rules in &mut self.rules {
            rules.sort_unstable();
            rules.dedup();
        }
        for inner in &mut self.inner {
            inner.sort_unstable();
            inner.dedup();
        }
        Table {
            shared: self.shared.values,
            letters: self.letters.values,
            controls: self.controls.values,
            beside: self.beside,
            rules: self.rules,
            inner: self.inner,
            transfers: self.images,
            identity,
            bad: self.bad,
            bad_letters: self.bad_letters,
            initial,
        }
    }

    fn known_image(&mut self, transfer: u32, letter: Letter) -> Letter {
        let image = &mut self.images[transfer as usize];
        if image.len() <= usize::from(letter) {
            image.resize(usize::from(letter) + 1, UNKNOWN);
        }
        image[usize::from(letter)]
    }

    fn shared_number(&mut self, shared: Shared) -> u32 {
        let (number, new) = self.shared.number(shared);
        if new {
            self.inner.push(Vec::new());
        }
        number
    }

    fn letter(&mut self, kind: Kind, local: Local) -> Letter {
        debug_assert_ne!(local, DORMANT);
        // More than fit is noticed in `fill`.
        self.letters.number((kind, local)).0.min(u32::from(BLOCKS) - 1) as Letter
    }

    fn control(&mut self, control: Control) -> u32 {
        let (number, new) = self.controls.number(control);
        if new {
            self.beside.push(LetterSet::default());
            self.expanded.push(LetterSet::default());
            self.rules.push(Vec::new());
            self.wake_one.push(Vec::new());
            self.bad.push(0);
            self.is_dirty.push(false);
            self.followed.push(false);
            self.mark(number);
        }
        number
    }

    fn mark(&mut self, control: u32) {
        if !std::mem::replace(&mut self.is_dirty[control as usize], true) {
            self.dirty.push(control);
        }
    }

    /// Makes the rules of `control` that were not made yet: those of letters that have come to stand
    /// beside it since the last time, and at first those of its tracked processes.
    fn expand(&mut self, control: u32) {
        let here = control as usize;
        if !std::mem::replace(&mut self.followed[here], true) {
            for i in 0..self.family.tracked.len() {
                self.steps(control, Actor::Tracked(i));
            }
        }
        let new: Vec<Letter> =
            self.beside[here].iter().filter(|l| !self.expanded[here].has(*l)).collect();
        for letter in new {
            self.expanded[here].add(letter);
            for known in self.wake_one[here].clone() {
                self.wake_this_one(control, &known, letter);
            }
            self.steps(control, Actor::Letter(letter));
        }
    }

    /// Moves what stands beside `control` along its rules.
    fn propagate(&mut self, control: u32) {
        let here = control as usize;
        let shared = self.controls.values[here].shared as usize;
        let mut changed = false;
        for at in 0..self.inner[shared].len() {
            let Inner { takes, puts } = self.inner[shared][at];
            let goes_on = puts != NONE && self.beside[here].has(takes);
            changed |= goes_on && self.beside[here].add(puts);
        }
        for at in 0..self.rules[here].len() {
            let rule = self.rules[here][at];
            if rule.takes.iter().any(|l| *l != NONE && !self.beside[here].has(*l)) {
                continue;
            }
            let mut grew = false;
            for put in rule.puts {
                grew |= put != NONE && self.beside[rule.to as usize].add(put);
            }
            let standing: Vec<Letter> = self.beside[here].iter().collect();
            for letter in standing {
                let image = self.image(rule.transfer, letter);
                grew |= image < BLOCKS && self.beside[rule.to as usize].add(image);
            }
            if grew {
                self.mark(rule.to);
            }
        }
        if changed {
            self.mark(control);
        }
    }

    /// Where `letter` goes by `transfer`.
    fn image(&mut self, transfer: u32, letter: Letter) -> Letter {
        let known = self.known_image(transfer, letter);
        if known != UNKNOWN {
            return known;
        }
        let key = self.transfers.values[transfer as usize];
        let (kind, local) = self.letters.values[usize::from(letter)];
        let (before, after) =
            (self.shared.values[key.before as usize], self.shared.values[key.after as usize]);
        let mut local = self.seen(kind, before, after, local);
        let system = self.family.system;
        let mut image = GONE;
        if local != DORMANT {
            if let Some(woken) = key.woken.and_then(|queue| system.wake(kind, local, queue)) {
                local = woken;
            }
            if key.nobody_on.is_some_and(|queue| system.wake(kind, local, queue).is_some()) {
                image = BLOCKS;
            } else if local != DORMANT {
                image = self.letter(kind, system.anonymous(kind, local));
            }
        }
        self.images[transfer as usize][usize::from(letter)] = image;
        image
    }

    /// What a process has in mind after a step from `before` to `after`.
    fn seen(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        if before == after || local == DORMANT {
            local
        } else {
            self.family.system.observe(kind, before, after, local)
        }
    }

    fn transfer(&mut self, key: TransferKey) -> u32 {
        let (number, new) = self.transfers.number(key);
        if new {
            self.images.push(Vec::new());
        }
        number
    }

    /// A tracked local state, without history where the process carries none.
    fn kept(&self, i: usize, local: Local) -> Local {
        let tracked = self.family.tracked[i];
        if tracked.history { local } else { self.family.system.anonymous(tracked.kind, local) }
    }

    /// Makes the rules of one process at `control`.
    fn steps(&mut self, control: u32, actor: Actor) {
        let at = self.controls.values[control as usize];
        let before = self.shared.values[at.shared as usize];
        let (kind, local) = match actor {
            Actor::Tracked(i) => (self.family.tracked[i].kind, at.tracked[i]),
            Actor::Letter(letter) => self.letters.values[usize::from(letter)],
        };
        if local == DORMANT {
            return;
        }
        let mut choices = std::mem::take(&mut self.scratch);
        choices.clear();
        self.family.system.step(kind, before, local, &mut choices);
        for choice in &choices {
            self.judge(control, actor, kind, before, local, choice);
            self.rules_of(control, actor, kind, choice);
        }
        self.scratch = choices;
    }

    fn judge(
        &mut self,
        control: u32,
        actor: Actor,
        kind: Kind,
        before: Shared,
        local: Local,
        choice: &Choice<S::Label>,
    ) {
        let step = Step {
            kind,
            before,
            after: choice.shared,
            local_before: local,
            local_after: choice.local,
            label: choice.label,
            way_out: choice.way_out,
        };
        let mut violated = self.watch.violated(&step) & !(1 << EXHAUSTED);
        match actor {
            Actor::Tracked(i) => {
                if !self.family.tracked[i].history {
                    violated &= self.watch.without_history();
                }
                self.bad[control as usize] |= violated;
            }
            Actor::Letter(letter) => {
                violated &= self.watch.without_history();
                // Where one of the kind is tagged, it violates whatever an anonymous one does.
                let tagged = self.family.tracked.iter().any(|t| t.kind == kind && t.history);
                if violated != 0 && !tagged {
                    self.bad_letters.push((control, letter, violated));
                }
            }
        }
    }

    fn rules_of(&mut self, control: u32, actor: Actor, kind: Kind, choice: &Choice<S::Label>) {
        let at = self.controls.values[control as usize];
        let before = self.shared.values[at.shared as usize];
        let after = choice.shared;
        let own = self.seen(kind, before, after, choice.local);
        let shared = self.shared_number(after);
        let mut next = Control { shared, ..at };
        for i in 0..self.family.tracked.len() {
            let kind = self.family.tracked[i].kind;
            let local = if actor == Actor::Tracked(i) {
                own
            } else {
                self.seen(kind, before, after, at.tracked[i])
            };
            next.tracked[i] = self.kept(i, local);
        }
        let (taken, put) = match actor {
            Actor::Tracked(_) => (NONE, NONE),
            Actor::Letter(letter) if own == DORMANT => (letter, NONE),
            Actor::Letter(letter) => {
                let own = self.family.system.anonymous(kind, own);
                (letter, self.letter(kind, own))
            }
        };
        let key = TransferKey { before: at.shared, after: shared, woken: None, nobody_on: None };
        match choice.effect {
            // The same for every control state with this shared state.
            Effect::None if taken != NONE && before == after => {
                let inner = Inner { takes: taken, puts: put };
                if !self.inner[shared as usize].contains(&inner) {
                    self.inner[shared as usize].push(inner);
                }
            }
            Effect::None => self.rule(control, next, key, [taken, NONE], [put, NONE, NONE]),
            Effect::WakeAll(queue) => {
                for i in 0..self.family.tracked.len() {
                    if let Some(woken) = self.wake_tracked(&next, actor, i, queue) {
                        next.tracked[i] = woken;
                    }
                }
                let key = TransferKey { woken: Some(queue), ..key };
                self.rule(control, next, key, [taken, NONE], [put, NONE, NONE]);
            }
            Effect::WakeOne(queue) => {
                let mut sleeper = false;
                for i in 0..self.family.tracked.len() {
                    if let Some(woken) = self.wake_tracked(&next, actor, i, queue) {
                        sleeper = true;
                        let mut next = next;
                        next.tracked[i] = woken;
                        self.rule(control, next, key, [taken, NONE], [put, NONE, NONE]);
                    }
                }
                if !sleeper {
                    let key = TransferKey { nobody_on: Some(queue), ..key };
                    self.rule(control, next, key, [taken, NONE], [put, NONE, NONE]);
                }
                let to = self.control(next);
                let transfer = self.transfer(key);
                let wakes = WakesOne { taken, put, to, transfer, queue };
                self.wake_one[control as usize].push(wakes);
                let standing: Vec<Letter> = self.expanded[control as usize].iter().collect();
                for letter in standing {
                    self.wake_this_one(control, &wakes, letter);
                }
            }
            Effect::Spawn(spawned, local) => {
                self.spawn(control, actor, next, key, [taken, put], spawned, local);
            }
        }
    }

    /// The rules of a step that spawns.
    #[expect(clippy::too_many_arguments, reason = "one step, taken apart")]
    fn spawn(
        &mut self,
        control: u32,
        actor: Actor,
        next: Control,
        key: TransferKey,
        [taken, put]: [Letter; 2],
        kind: Kind,
        local: Local,
    ) {
        let crowd = self.family.is_crowd(kind);
        let knows = matches!(actor, Actor::Tracked(i) if self.family.tracked[i].history);
        if crowd {
            let spawned = if local == DORMANT {
                NONE
            } else {
                let anonymous = self.family.system.anonymous(kind, local);
                self.letter(kind, anonymous)
            };
            self.rule(control, next, key, [taken, NONE], [put, spawned, NONE]);
        }
        // The first dormant one of the kind, as in the product. Of a kind in any number the tagged
        // one is taken only where its history is known.
        let free = (0..self.family.tracked.len()).find(|&i| {
            actor != Actor::Tracked(i)
                && self.family.tracked[i].kind == kind
                && next.tracked[i] == DORMANT
                && (knows || !crowd)
        });
        let mut no_place = free.is_none() && !crowd;
        if let Some(i) = free {
            if knows || !self.family.tracked[i].history {
                let mut next = next;
                next.tracked[i] = self.kept(i, local);
                self.rule(control, next, key, [taken, NONE], [put, NONE, NONE]);
            } else {
                no_place = true;
            }
        }
        let parent = match actor {
            Actor::Tracked(i) => self.family.tracked[i].kind,
            Actor::Letter(letter) => self.letters.values[usize::from(letter)].0,
        };
        if no_place || (crowd && !self.family.follows(parent, kind)) {
            match actor {
                Actor::Tracked(_) => self.bad[control as usize] |= 1 << EXHAUSTED,
                Actor::Letter(letter) => self.bad_letters.push((control, letter, 1 << EXHAUSTED)),
            }
        }
    }

    fn wake_tracked(&self, next: &Control, actor: Actor, i: usize, queue: Queue) -> Option<Local> {
        let local = next.tracked[i];
        let woken = (actor != Actor::Tracked(i) && local != DORMANT)
            .then(|| self.family.system.wake(self.family.tracked[i].kind, local, queue))
            .flatten()?;
        Some(self.kept(i, woken))
    }

    /// The rule by which `wakes` wakes a process at `letter`, if it is asleep there.
    fn wake_this_one(&mut self, control: u32, wakes: &WakesOne, letter: Letter) {
        let key = self.transfers.values[wakes.transfer as usize];
        let (before, after) =
            (self.shared.values[key.before as usize], self.shared.values[key.after as usize]);
        let (kind, local) = self.letters.values[usize::from(letter)];
        let local = self.seen(kind, before, after, local);
        if local == DORMANT {
            return;
        }
        if let Some(woken) = self.family.system.wake(kind, local, wakes.queue) {
            let woken = if woken == DORMANT {
                NONE
            } else {
                let woken = self.family.system.anonymous(kind, woken);
                self.letter(kind, woken)
            };
            let rule = Rule {
                to: wakes.to,
                transfer: wakes.transfer,
                takes: [wakes.taken, letter],
                puts: [wakes.put, woken, NONE],
            };
            self.rules[control as usize].push(rule);
        }
    }

    fn rule(
        &mut self,
        control: u32,
        next: Control,
        key: TransferKey,
        takes: [Letter; 2],
        puts: [Letter; 3],
    ) {
        let to = self.control(next);
        let transfer = self.transfer(key);
        self.rules[control as usize].push(Rule { to, transfer, takes, puts });
    }
}

fn is_identity(image: &[Letter]) -> bool {
    image.iter().enumerate().all(|(from, to)| *to == UNKNOWN || usize::from(*to) == from)
}
