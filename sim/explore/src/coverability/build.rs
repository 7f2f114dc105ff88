//! How the table of a family is filled.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::FixedState;

use super::family::{Family, MAX_SLOTS};
use super::question::{Bounds, Question, Undecided};
use super::table::{
    BLOCKS, Control, EXHAUSTED, GONE, Inner, Letter, MOST_LETTERS, NO_SLOT, NONE, NOT_HERE, Rule,
    Table, Tag, UNKNOWN,
};
use super::views::Views;
use crate::ask::{self, Monitor};
use crate::collections::bits::GrowingSet;
use crate::collections::interner::Interner;
use crate::system::successor::{is_dormant, remembered, woken};
use crate::system::{Choice, Effect, Kind, Local, Queue, Shared, Step, System};

/// What happens to letters that a step does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TransferKey {
    before: u32,
    after: u32,
    woken: Option<Queue>,
    /// Nobody may be asleep there.
    nobody_on: Option<Queue>,
}

/// What is known of the same family without any history.
#[derive(Clone, Copy)]
pub(crate) struct Guide<'g> {
    pub table: &'g Table,
    pub views: &'g Views,
}

/// What is tabulated.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'g> {
    /// Nobody is tagged.
    Anonymous,
    /// The tagged process with its history.
    Whole,
    /// The same, and only with letters beside each control state that the guide finds there. Without
    /// rules.
    Guided(Guide<'g>),
}

/// Who steps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Actor {
    Tag,
    Slot(usize),
    Letter(Letter),
}

/// A step that wakes one process, of which there is one rule for each that it can wake.
#[derive(Clone, Copy)]
struct WakesOne {
    actor: Actor,
    taken: Letter,
    put: Letter,
    /// The control state when nobody in it is woken.
    next: Control,
    key: TransferKey,
    queue: Queue,
}

/// A control state and what is known of it while the table is filled.
#[derive(Default)]
struct Filling {
    /// Whether the rules of its tagged process and of those in slots were made.
    followed: bool,
    /// The letters whose rules were made.
    expanded: GrowingSet,
    /// The letters that were moved along the first so many of its rules.
    moved: GrowingSet,
    moved_along: usize,
    wake_one: Vec<WakesOne>,
    dirty: bool,
    /// The guide's control state, and the tagged process as a letter beside it.
    guide: (u32, Option<Letter>),
}

/// A step of such a process, wherever others stand.
struct Taken<Label> {
    step: Step<Label>,
    /// The shared state after it.
    after: u32,
    /// What it violates, once that was asked.
    violated: Option<u64>,
}

/// Processes in a shared state whose steps are kept: some 200 bytes each. When there are more, it is begun anew.
const MOST_KNOWN: usize = 1 << 18;

/// The steps that the system was asked for: many control states have the same shared state.
struct Known<Label> {
    places: HashMap<(u32, Kind, Local), Range<u32>, FixedState>,
    taken: Vec<Taken<Label>>,
}

impl<Label> Known<Label> {
    fn bytes(&self) -> usize {
        ask::table(self.places.capacity(), size_of::<((u32, Kind, Local), Range<u32>)>())
            + self.taken.capacity() * size_of::<Taken<Label>>()
    }
}

struct Build<'b, 'a, S: System, M> {
    family: &'b Family<'a, S>,
    question: &'b Question<M>,
    scope: Scope<'b>,
    table: Table,
    transfers: Interner<TransferKey>,
    filling: Vec<Filling>,
    dirty: Vec<u32>,
    known: Known<S::Label>,
    /// By shared state: letters of which all steps were followed that can be, and change nothing but the process itself,
    /// and violate nothing: wherever else such a process stands beside that shared state, there is nothing to be done.
    quiet: Vec<GrowingSet>,
    /// By transfer: whether it leaves every letter as it is, for nobody remembers the change, and nobody is woken.
    plain: Vec<bool>,
    /// See [`System::remembered`].
    remembered: Shared,
    scratch: Vec<Choice<S::Label>>,
}

impl Table {
    /// The table of `family`, with what violates a property of `question`.
    pub fn new<S: System, M: Monitor<S::Label>>(
        family: &Family<'_, S>,
        question: &Question<M>,
        scope: Scope<'_>,
        bounds: &Bounds<'_>,
    ) -> Result<Self, Undecided> {
        let mut build = Build::new(family, question, scope);
        build.begin();
        build.fill(bounds)?;
        Ok(build.finish())
    }
}

impl<'b, 'a, S: System, M: Monitor<S::Label>> Build<'b, 'a, S, M> {
    fn new(family: &'b Family<'a, S>, question: &'b Question<M>, scope: Scope<'b>) -> Self {
        let letters = match scope {
            Scope::Guided(guide) => guide.table.letters.clone(),
            _ => Interner::new(),
        };
        let table = Table {
            shared: Interner::new(),
            letters,
            controls: Interner::new(),
            initials: 0,
            beside: Vec::new(),
            rules: Vec::new(),
            inner: Vec::new(),
            transfers: Vec::new(),
            identity: Vec::new(),
            bad: Vec::new(),
            bad_letters: Vec::new(),
            initial: GrowingSet::default(),
            guides: Vec::new(),
        };
        Self {
            family,
            question,
            scope,
            table,
            transfers: Interner::new(),
            filling: Vec::new(),
            dirty: Vec::new(),
            known: Known {
                places: HashMap::with_hasher(FixedState::with_seed(0)),
                taken: Vec::new(),
            },
            quiet: Vec::new(),
            plain: Vec::new(),
            remembered: family.system.remembered(),
            scratch: Vec::new(),
        }
    }

    fn begin(&mut self) {
        let family = self.family;
        let shared = self.shared_number(family.shared);
        for crowd in &family.crowds {
            if !self.is_dormant(crowd.kind, crowd.local) {
                let letter = self.anonymous_letter(crowd.kind, crowd.local);
                self.table.initial.add(letter);
            }
        }
        let mut slots = [NOT_HERE; MAX_SLOTS];
        for (to, (kind, local)) in slots.iter_mut().zip(&family.slots) {
            *to = family.system.anonymous(*kind, *local);
        }
        if matches!(self.scope, Scope::Anonymous) {
            self.initial_control(Control { shared, tag: Tag::NOBODY, slots });
        }
        let crowds = family.crowds.iter().map(|c| (NO_SLOT, c.kind, c.local));
        let singles = family.slots.iter().enumerate().map(|(i, (k, l))| (i as u8, *k, *l));
        for (slot, kind, local) in crowds.chain(singles) {
            let tagged = !self.is_dormant(kind, local) && !family.is_forgetful(kind);
            if !tagged || matches!(self.scope, Scope::Anonymous) {
                continue;
            }
            let mut slots = slots;
            if slot != NO_SLOT {
                slots[usize::from(slot)] = NOT_HERE;
            }
            self.initial_control(Control { shared, tag: Tag { kind, slot, local }, slots });
        }
        self.table.initials = self.table.controls.len();
    }

    fn initial_control(&mut self, control: Control) {
        let number = self.control(control);
        for letter in self.table.initial.iter() {
            self.table.beside[number as usize].add(letter);
        }
    }

    fn fill(&mut self, bounds: &Bounds<'_>) -> Result<(), Undecided> {
        let (mut looks, mut noted) = (0_u32, 0);
        while let Some(control) = self.dirty.pop() {
            looks += 1;
            // Adding up takes a time that grows with what there is.
            if looks.is_multiple_of(1 << 14) {
                bounds.note_again(&mut noted, self.bytes());
            }
            if looks.is_multiple_of(256) {
                bounds.check(self.table.controls.len())?;
            }
            self.filling[control as usize].dirty = false;
            self.expand(control);
            if !matches!(self.scope, Scope::Guided(_)) {
                self.propagate(control);
            }
            if self.table.letters.len() > MOST_LETTERS {
                return Err(Undecided::TooManyLetters);
            }
        }
        bounds.note_again(&mut noted, self.bytes());
        bounds.take(0)
    }

    fn bytes(&self) -> usize {
        let quiet: usize = self.quiet.iter().map(GrowingSet::bytes).sum();
        self.table.bytes() + self.known.bytes() + quiet
    }

    fn finish(mut self) -> Table {
        let letters = self.table.letters.len();
        for transfer in 0..self.table.transfers.len() as u32 {
            if self.plain[transfer as usize] {
                self.table.transfers[transfer as usize] = (0..letters as Letter).collect();
                continue;
            }
            for letter in 0..letters as Letter {
                // Only letters that stand beside a control state before the step matter; of the
                // others nothing is known, and nothing is asked.
                let _ = self.known_image(transfer, letter);
            }
        }
        let mut table = self.table;
        table.guides = self.filling.iter().map(|f| f.guide).collect();
        table.identity = table.transfers.iter().map(|image| is_identity(image)).collect();
        for rules in &mut table.rules {
            rules.sort_unstable();
            rules.dedup();
        }
        table
    }

    fn known_image(&mut self, transfer: u32, letter: Letter) -> Letter {
        let image = &mut self.table.transfers[transfer as usize];
        if image.len() <= usize::from(letter) {
            image.resize(self.table.letters.len(), UNKNOWN);
        }
        image[usize::from(letter)]
    }

    fn shared_number(&mut self, shared: Shared) -> u32 {
        let (number, new) = self.table.shared.number(shared);
        if new {
            self.table.inner.push(Vec::new());
            self.quiet.push(GrowingSet::default());
        }
        number
    }

    fn letter(&mut self, kind: Kind, local: Local) -> Letter {
        debug_assert!(!self.is_dormant(kind, local));
        // More than fit is noticed in `fill`.
        self.table.letters.number((kind, local)).0.min(u32::from(BLOCKS) - 1) as Letter
    }

    /// The letter of a process without its history; [`NONE`] of a dormant one.
    fn anonymous_letter(&mut self, kind: Kind, local: Local) -> Letter {
        if self.is_dormant(kind, local) {
            return NONE;
        }
        self.letter(kind, self.family.system.anonymous(kind, local))
    }

    fn control(&mut self, control: Control) -> u32 {
        let (number, new) = self.table.controls.number(control);
        if new {
            self.table.rules.push(Vec::new());
            self.table.bad.push(0);
            let mut filling = Filling::default();
            let mut beside = GrowingSet::default();
            if let Scope::Guided(guide) = self.scope {
                let Tag { kind, slot, local } = control.tag;
                let shared = self.table.shared[control.shared as usize];
                let shared = guide.table.shared.find(&shared).expect("the guide is closed");
                let mut nobody = Control { shared, tag: Tag::NOBODY, ..control };
                let anonymous = self.family.system.anonymous(kind, local);
                let letter = if slot == NO_SLOT {
                    guide.table.letters.find(&(kind, anonymous)).map(|l| l as Letter)
                } else {
                    nobody.slots[usize::from(slot)] = anonymous;
                    None
                };
                let at = guide.table.controls.find(&nobody).expect("the guide is closed");
                filling.guide = (at, letter);
                beside = guide.views.beside(at, letter);
            }
            self.table.beside.push(beside);
            self.filling.push(filling);
            self.mark(number);
        }
        number
    }

    fn mark(&mut self, control: u32) {
        if !std::mem::replace(&mut self.filling[control as usize].dirty, true) {
            self.dirty.push(control);
        }
    }

    /// Makes the rules of `control` that were not made yet: those of letters that have come to stand
    /// beside it since the last time, and at first those of its own processes.
    fn expand(&mut self, control: u32) {
        let here = control as usize;
        if !std::mem::replace(&mut self.filling[here].followed, true) {
            if self.table.controls[here].tag != Tag::NOBODY {
                self.steps(control, Actor::Tag);
            }
            for i in self.others(control) {
                self.steps(control, Actor::Slot(i));
            }
        }
        let shared = self.table.controls[here].shared as usize;
        let new = self.table.beside[here].without(&self.filling[here].expanded);
        for letter in new.iter() {
            self.filling[here].expanded.add(letter);
            for known in 0..self.filling[here].wake_one.len() {
                let known = self.filling[here].wake_one[known];
                self.wake_this_one(control, &known, letter);
            }
            if !self.quiet[shared].has(letter) {
                self.steps(control, Actor::Letter(letter));
            }
        }
    }

    /// Moves what stands beside `control` along its rules.
    fn propagate(&mut self, control: u32) {
        let here = control as usize;
        let shared = self.table.controls[here].shared as usize;
        let mut changed = false;
        for at in 0..self.table.inner[shared].len() {
            let Inner { takes, puts } = self.table.inner[shared][at];
            let beside = &mut self.table.beside[here];
            changed |= puts != NONE && beside.has(takes) && beside.add(puts);
        }
        // What a rule takes stands there since before it was made, and what was moved along it once has been
        // put where it leads.
        let standing = self.table.beside[here].clone();
        let moved = std::mem::replace(&mut self.filling[here].moved, standing.clone());
        let new = standing.without(&moved);
        let rules = self.table.rules[here].len();
        let known = std::mem::replace(&mut self.filling[here].moved_along, rules);
        for at in 0..rules {
            let rule = self.table.rules[here][at];
            let to = rule.to as usize;
            debug_assert!(rule.takes.iter().all(|l| *l == NONE || standing.has(*l)));
            let mut grew = false;
            if at >= known {
                for put in rule.puts {
                    grew |= put != NONE && self.table.beside[to].add(put);
                }
            }
            let moving = if at < known { &new } else { &standing };
            if self.plain[rule.transfer as usize] {
                grew |= self.table.beside[to].join(moving);
            } else {
                for letter in moving.iter() {
                    let image = self.image(rule.transfer, letter);
                    grew |= image < BLOCKS && self.table.beside[to].add(image);
                }
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
        let key = self.transfers[transfer as usize];
        let (kind, local) = self.table.letters[usize::from(letter)];
        let mut local = self.seen_between(kind, key.before, key.after, local);
        let system = self.family.system;
        let mut image = GONE;
        if !self.is_dormant(kind, local) {
            if let Some(woken) = key.woken.and_then(|queue| system.wake(kind, local, queue)) {
                local = woken;
            }
            if key.nobody_on.is_some_and(|queue| system.wake(kind, local, queue).is_some()) {
                image = BLOCKS;
            } else if !self.is_dormant(kind, local) {
                let anonymous = system.anonymous(kind, local);
                // Most of what is remembered is history.
                let same = anonymous == self.table.letters[usize::from(letter)].1;
                image = if same { letter } else { self.letter(kind, anonymous) };
            }
        }
        self.table.transfers[transfer as usize][usize::from(letter)] = image;
        image
    }

    /// What a process has in mind after a step that changed the shared state like this.
    fn seen_between(&self, kind: Kind, before: u32, after: u32, local: Local) -> Local {
        let change = (self.table.shared[before as usize], self.table.shared[after as usize]);
        if (change.0 ^ change.1) & self.remembered == 0 {
            return local;
        }
        remembered(self.family.system, kind, change, local)
    }

    fn transfer(&mut self, key: TransferKey) -> u32 {
        let (number, new) = self.transfers.number(key);
        if new {
            self.table.transfers.push(Vec::new());
            let TransferKey { before, after, woken, nobody_on } = key;
            let change = self.table.shared[before as usize] ^ self.table.shared[after as usize];
            let noticed = change & self.remembered != 0 || woken.is_some() || nobody_on.is_some();
            self.plain.push(!noticed);
        }
        number
    }

    fn is_dormant(&self, kind: Kind, local: Local) -> bool {
        is_dormant(self.family.system, kind, local)
    }

    /// The slots but that of the tagged process.
    fn others(&self, control: u32) -> impl Iterator<Item = usize> + use<'b, 'a, S, M> {
        let tagged = usize::from(self.table.controls[control as usize].tag.slot);
        (0..self.family.slots.len()).filter(move |i| *i != tagged)
    }

    fn slot_kind(&self, slot: usize) -> Kind {
        self.family.slots[slot].0
    }

    /// Makes the rules of one process at `control`.
    fn steps(&mut self, control: u32, actor: Actor) {
        let at = self.table.controls[control as usize];
        let (kind, local) = match actor {
            Actor::Tag => (at.tag.kind, at.tag.local),
            Actor::Slot(i) => (self.slot_kind(i), at.slots[i]),
            Actor::Letter(letter) => self.table.letters[usize::from(letter)],
        };
        if self.is_dormant(kind, local) {
            return;
        }
        let mut quiet = true;
        for taken in self.taken(at.shared, kind, local) {
            let Taken { ref step, after, .. } = self.known.taken[taken];
            let (own, effect) = (step.local_after, step.effect);
            let violated = self.judge(control, actor, taken);
            quiet &= effect == Effect::None && after == at.shared && violated == 0;
            self.rules_of(control, actor, kind, own, after, effect);
        }
        if let (Actor::Letter(letter), true) = (actor, quiet) {
            self.quiet[at.shared as usize].add(letter);
        }
    }

    /// The steps of such a process, among those that are known.
    fn taken(&mut self, shared: u32, kind: Kind, local: Local) -> Range<usize> {
        if let Some(range) = self.known.places.get(&(shared, kind, local)) {
            return range.start as usize..range.end as usize;
        }
        if self.known.places.len() >= MOST_KNOWN {
            self.known.places.clear();
            self.known.taken.clear();
        }
        let mut choices = std::mem::take(&mut self.scratch);
        choices.clear();
        let before = self.table.shared[shared as usize];
        self.family.system.step(kind, before, local, &mut choices);
        let first = self.known.taken.len();
        for choice in &choices {
            let after = self.shared_number(choice.shared);
            let own = self.seen_between(kind, shared, after, choice.local);
            let step = Step::of(kind, (before, local), choice, own);
            self.known.taken.push(Taken { step, after, violated: None });
        }
        self.scratch = choices;
        let range = first..self.known.taken.len();
        self.known.places.insert((shared, kind, local), range.start as u32..range.end as u32);
        range
    }

    /// Notes what the step violates, and says it. An anonymous process is asked only where none of its kind is
    /// ever tagged, and only about properties that read no history.
    fn judge(&mut self, control: u32, actor: Actor, taken: usize) -> u64 {
        let Taken { ref step, ref mut violated, .. } = self.known.taken[taken];
        let forgetful = self.family.is_forgetful(step.kind);
        if actor != Actor::Tag && !forgetful {
            return 0;
        }
        let asked = || self.question.monitor.step_violates(step) & !(1 << EXHAUSTED);
        let mut violated = *violated.get_or_insert_with(asked);
        if actor != Actor::Tag {
            violated &= self.question.without_history;
        }
        self.note(control, actor, violated);
        violated
    }

    fn note(&mut self, control: u32, actor: Actor, violated: u64) {
        match actor {
            Actor::Tag | Actor::Slot(_) => self.table.bad[control as usize] |= violated,
            Actor::Letter(letter) if violated != 0 => {
                self.table.bad_letters.push((control, letter, violated));
            }
            Actor::Letter(_) => {}
        }
    }

    /// The rules of one choice of `actor`, whose local state is `own` afterwards.
    fn rules_of(
        &mut self,
        control: u32,
        actor: Actor,
        kind: Kind,
        own: Local,
        after: u32,
        effect: Effect,
    ) {
        let at = self.table.controls[control as usize];
        let mut next = Control { shared: after, ..at };
        if at.tag != Tag::NOBODY {
            next.tag.local = self.seen_between(at.tag.kind, at.shared, after, at.tag.local);
        }
        for i in self.others(control) {
            let kind = self.slot_kind(i);
            let local = self.seen_between(kind, at.shared, after, at.slots[i]);
            next.slots[i] = self.family.system.anonymous(kind, local);
        }
        let (mut taken, mut put) = (NONE, NONE);
        match actor {
            Actor::Tag => next.tag.local = own,
            Actor::Slot(i) => next.slots[i] = self.family.system.anonymous(kind, own),
            Actor::Letter(letter) => {
                taken = letter;
                put = self.anonymous_letter(kind, own);
            }
        }
        let key = TransferKey { before: at.shared, after, woken: None, nobody_on: None };
        match effect {
            // The same for every control state with this shared state.
            Effect::None if taken != NONE && at.shared == after => {
                if matches!(self.scope, Scope::Guided(_)) {
                    // Without rules, and so without these.
                    return;
                }
                let inner = Inner { takes: taken, puts: put };
                let known = &mut self.table.inner[after as usize];
                if !known.contains(&inner) {
                    known.push(inner);
                }
            }
            Effect::None => self.rule(control, actor, next, key, [taken, NONE], [put, NONE]),
            Effect::WakeAll(queue) => {
                if let Some(woken) = self.wake_tag(&next, actor, queue) {
                    next.tag.local = woken;
                }
                for i in self.others(control) {
                    if let Some(woken) = self.wake_slot(&next, actor, i, queue) {
                        next.slots[i] = woken;
                    }
                }
                let key = TransferKey { woken: Some(queue), ..key };
                self.rule(control, actor, next, key, [taken, NONE], [put, NONE]);
            }
            Effect::WakeOne(queue) => self.wake_one(control, actor, next, key, [taken, put], queue),
            Effect::Spawn(spawned, local) => {
                let spawned = (spawned, local);
                self.spawn(control, actor, kind, own, next, key, [taken, put], spawned);
            }
        }
    }

    fn wake_one(
        &mut self,
        control: u32,
        actor: Actor,
        next: Control,
        key: TransferKey,
        [taken, put]: [Letter; 2],
        queue: Queue,
    ) {
        let mut sleeper = false;
        if let Some(woken) = self.wake_tag(&next, actor, queue) {
            sleeper = true;
            let tag = Tag { local: woken, ..next.tag };
            self.rule(control, actor, Control { tag, ..next }, key, [taken, NONE], [put, NONE]);
        }
        for i in self.others(control) {
            if let Some(woken) = self.wake_slot(&next, actor, i, queue) {
                sleeper = true;
                let mut next = next;
                next.slots[i] = woken;
                self.rule(control, actor, next, key, [taken, NONE], [put, NONE]);
            }
        }
        if !sleeper {
            let key = TransferKey { nobody_on: Some(queue), ..key };
            self.rule(control, actor, next, key, [taken, NONE], [put, NONE]);
        }
        let wakes = WakesOne { actor, taken, put, next, key, queue };
        self.filling[control as usize].wake_one.push(wakes);
        let standing: Vec<Letter> = self.filling[control as usize].expanded.iter().collect();
        for letter in standing {
            self.wake_this_one(control, &wakes, letter);
        }
    }

    /// The rules of a step that spawns.
    #[expect(clippy::too_many_arguments, reason = "one step, taken apart")]
    fn spawn(
        &mut self,
        control: u32,
        actor: Actor,
        kind: Kind,
        own: Local,
        next: Control,
        key: TransferKey,
        [taken, put]: [Letter; 2],
        (spawned, local): (Kind, Local),
    ) {
        let crowd = self.family.is_crowd(spawned);
        let forgetful = self.family.is_forgetful(spawned);
        // The first dormant one of the kind, as in the product.
        let free = (0..self.family.slots.len()).find(|&i| {
            actor != Actor::Slot(i)
                && usize::from(next.tag.slot) != i
                && self.slot_kind(i) == spawned
                && self.is_dormant(spawned, next.slots[i])
        });
        if !crowd && free.is_none() {
            return self.note(control, actor, 1 << EXHAUSTED);
        }
        // Whoever spawns a process that may be tagged could have been tagged itself.
        if !forgetful && self.family.is_forgetful(kind) {
            self.note(control, actor, 1 << EXHAUSTED);
        }
        // The new process is anonymous.
        let mut stays = next;
        let mut new = NONE;
        match free {
            Some(i) if !crowd => {
                stays.slots[i] = self.family.system.anonymous(spawned, local);
            }
            _ => new = self.anonymous_letter(spawned, local),
        }
        self.rule(control, actor, stays, key, [taken, NONE], [put, new]);
        // Or it is the tagged one from now on.
        if actor == Actor::Tag && !forgetful {
            let slot = if crowd { NO_SLOT } else { free.expect("there is one") as u8 };
            let mut moves = next;
            moves.tag = Tag { kind: spawned, slot, local };
            if !crowd {
                moves.slots[usize::from(slot)] = NOT_HERE;
            }
            let mut old = NONE;
            if next.tag.slot == NO_SLOT {
                old = self.anonymous_letter(kind, own);
            } else {
                moves.slots[usize::from(next.tag.slot)] = self.family.system.anonymous(kind, own);
            }
            self.rule(control, actor, moves, key, [NONE, NONE], [old, NONE]);
        }
    }

    fn wake_tag(&self, next: &Control, actor: Actor, queue: Queue) -> Option<Local> {
        let Tag { kind, local, .. } = next.tag;
        if actor == Actor::Tag || next.tag == Tag::NOBODY {
            return None;
        }
        woken(self.family.system, kind, local, queue)
    }

    fn wake_slot(&self, next: &Control, actor: Actor, i: usize, queue: Queue) -> Option<Local> {
        let (kind, local) = (self.slot_kind(i), next.slots[i]);
        if actor == Actor::Slot(i) {
            return None;
        }
        let woken = woken(self.family.system, kind, local, queue)?;
        Some(self.family.system.anonymous(kind, woken))
    }

    /// The rule by which `wakes` wakes a process at `letter`, if it is asleep there.
    fn wake_this_one(&mut self, control: u32, wakes: &WakesOne, letter: Letter) {
        let WakesOne { actor, taken, put, next, key, queue } = *wakes;
        if let Scope::Guided(guide) = self.scope {
            let (at, _) = self.filling[control as usize].guide;
            if taken != NONE && !guide.views.together(at, taken, letter) {
                return;
            }
        }
        let (kind, local) = self.table.letters[usize::from(letter)];
        let local = self.seen_between(kind, key.before, key.after, local);
        if let Some(woken) = woken(self.family.system, kind, local, queue) {
            let woken = self.anonymous_letter(kind, woken);
            self.rule(control, actor, next, key, [taken, letter], [put, woken]);
        }
    }

    fn rule(
        &mut self,
        control: u32,
        actor: Actor,
        next: Control,
        key: TransferKey,
        takes: [Letter; 2],
        puts: [Letter; 2],
    ) {
        // What follows the tagged process's end says nothing about it, and who else could violate a
        // property has been tagged from the beginning in another run; beside one who never steps, if
        // nobody ever is. That one must not end by the steps of others.
        if next.tag != Tag::NOBODY && self.is_dormant(next.tag.kind, next.tag.local) {
            if actor != Actor::Tag && !self.family.forgetful.is_empty() {
                self.note(control, actor, 1 << EXHAUSTED);
            }
            return;
        }
        let to = self.control(next);
        if matches!(self.scope, Scope::Guided(_)) {
            return;
        }
        let transfer = self.transfer(key);
        self.table.rules[control as usize].push(Rule { to, transfer, takes, puts });
    }
}

fn is_identity(image: &[Letter]) -> bool {
    image.iter().enumerate().all(|(from, to)| *to == UNKNOWN || usize::from(*to) == from)
}
