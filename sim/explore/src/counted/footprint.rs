//! What each local state has to do with the others: an over-approximation that holds in every
//! reachable state, whatever the number of processes.
//!
//! - Paper: C. Flanagan and S. Qadeer, 'Thread-modular model checking', 2003, for the pairs of a
//!   shared and a local state that may occur together: closed under the process's own steps and
//!   under every change that a process in some other such pair can make. That different processes
//!   are where they are at the same time is forgotten, so the pairs are too many, never too few.
//! - Decides: for each local state, which bits, queues and pools its steps and the steps of its
//!   future read and write. What a system declares is not believed: over all pairs, two shared
//!   states that agree in the bits declared as read must offer the same steps, with the same bits
//!   written to the same values and the same violations. A local state of which that is not true is
//!   taken to read and write everything.
//! - Costs: the number of pairs, times what may happen beside each.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;

use crate::ask::{Budget, Clock, End, Monitor, Progress, table};
use crate::system::successor::{is_dormant, remembered, woken};
use crate::system::{Choice, Effect, Kind, Local, Queue, Shared, Step, System, WayOut};

/// Bits of the shared state, queues and pools of dormant processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    bits: Shared,
    /// Queues in the low half, pools in the high half, by number modulo 64.
    others: u128,
}

impl Resources {
    const NOTHING: Self = Self { bits: 0, others: 0 };
    const EVERYTHING: Self = Self { bits: Shared::MAX, others: u128::MAX };

    pub fn bits(bits: Shared) -> Self {
        Self { bits, others: 0 }
    }

    pub fn queue(queue: Queue) -> Self {
        Self { bits: 0, others: 1 << (queue.0 % 64) }
    }

    pub fn pool(kind: Kind) -> Self {
        Self { bits: 0, others: 1 << (64 + kind.0 % 64) }
    }

    fn add(&mut self, more: Self) {
        self.bits |= more.bits;
        self.others |= more.others;
    }

    /// Whether all of it is in the other one.
    #[cfg(test)]
    pub fn is_in(self, other: Self) -> bool {
        self.bits & !other.bits == 0 && self.others & !other.others == 0
    }

    pub fn meets(self, other: Self) -> bool {
        self.bits & other.bits != 0 || self.others & other.others != 0
    }
}

/// What a process in one local state has to do with others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Interference {
    /// What its steps from here read, in any shared state; what is remembered, or who is woken, of
    /// it here and one step from here counts as read.
    pub reads: Resources,
    /// What its steps from here write, in any shared state.
    pub writes: Resources,
    /// What it reads from here on.
    pub all_reads: Resources,
    /// What it writes from here on.
    pub all_writes: Resources,
}

impl Interference {
    const EVERYTHING: Self = Self {
        reads: Resources::EVERYTHING,
        writes: Resources::EVERYTHING,
        all_reads: Resources::EVERYTHING,
        all_writes: Resources::EVERYTHING,
    };

    /// Whether some step from here on of a process with interference `other` might not commute with each of
    /// the next steps of a process with this one.
    pub fn disturbed_by(&self, other: &Self) -> bool {
        self.writes.meets(other.all_reads)
            || self.writes.meets(other.all_writes)
            || self.reads.meets(other.all_writes)
    }
}

/// One way to step, as far as it must not depend on what is not read.
#[derive(Clone, Debug, PartialEq)]
struct Normal<Label> {
    writes: Shared,
    written: Shared,
    local: Local,
    effect: Effect,
    way_out: WayOut,
    label: Label,
    violated: u64,
}

/// The ways to step from one local state in one shared state.
struct Steps<Label> {
    shared: Shared,
    /// Declared.
    reads: Shared,
    writes: Resources,
    normal: Vec<Normal<Label>>,
}

/// A step that some process may take in a shared state.
#[derive(Clone, Copy)]
struct Move {
    /// Number of the local state it is taken from.
    from: usize,
    /// Which of the choices there.
    choice: usize,
    /// What these choices read, as declared.
    reads: Shared,
    /// The shared state afterwards.
    after: Shared,
    effect: Effect,
}

/// What happens beside each other in one shared state.
#[derive(Default)]
struct Here {
    locals: Vec<usize>,
    moves: Vec<Move>,
}

/// What is known of one local state.
struct Known<Label> {
    who: (Kind, Local),
    /// For each shared state that occurs with it.
    steps: Vec<Steps<Label>>,
    /// What can change it without a step of its own: bits of changes that it remembers, queues that
    /// it is asleep on, the pool that it is in.
    passive: Resources,
    /// Local states it can come to, by own steps or by what others do.
    next: BTreeSet<usize>,
    /// Bits besides those read that a monitor depends on.
    looks_at: Shared,
}

/// What every local state has to do with others.
pub(crate) struct InterferenceTable {
    by_local: HashMap<(Kind, Local), Interference, FixedState>,
    /// What the steps from a local state read and write in one shared state, where there are any.
    /// Not there: everything that they do somewhere.
    here: HashMap<(Kind, Local, Shared), (Resources, Resources), FixedState>,
}

impl InterferenceTable {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        table(self.by_local.capacity(), size_of::<((Kind, Local), Interference)>())
            + table(
                self.here.capacity(),
                size_of::<((Kind, Local, Shared), (Resources, Resources))>(),
            )
    }

    /// The interference of a process in a local state, with its next steps as they are in a shared state.
    pub fn of(&self, kind: Kind, local: Local, shared: Shared) -> Interference {
        // Every local state that is reachable is there.
        let one = self.by_local.get(&(kind, local)).copied().unwrap_or(Interference::EVERYTHING);
        match self.here.get(&(kind, local, shared)) {
            Some((reads, writes)) => Interference { reads: *reads, writes: *writes, ..one },
            None => one,
        }
    }
}

/// By the local state, choice and reads of a step, what it reads there, and an observer: what that
/// becomes.
type Seen = HashMap<(usize, usize, Shared, Shared, usize), usize, FixedState>;

struct Closure<'a, S: System, M> {
    system: &'a S,
    monitor: &'a M,
    numbers: HashMap<(Kind, Local), usize, FixedState>,
    known: Vec<Known<S::Label>>,
    here: HashMap<Shared, Here, FixedState>,
    pairs: HashSet<(Shared, usize), FixedState>,
    work: Vec<(Shared, usize)>,
    seen: Seen,
    queues: BTreeSet<Queue>,
    /// Questions asked about one step beside one process.
    asked: u64,
    /// Pairs visited, and steps found there.
    visited: usize,
    taken: usize,
}

/// Pairs between two looks at the clock.
const CLOCK: usize = 1 << 8;

/// The table for a system and what is asked about it; `None` if more than `most` questions would have to be
/// asked.
///
/// # Errors
/// How the search ends before it has begun: there is no time or no memory left.
pub(crate) fn interferences<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    most: u64,
    (clock, budget): (&Clock<'_>, &Budget),
) -> Result<Option<InterferenceTable>, End> {
    let mut closure = Closure {
        system,
        monitor,
        numbers: HashMap::default(),
        known: Vec::new(),
        here: HashMap::default(),
        pairs: HashSet::default(),
        work: Vec::new(),
        seen: HashMap::default(),
        queues: BTreeSet::new(),
        asked: 0,
        visited: 0,
        taken: 0,
    };
    let initial = system.initial();
    for (kind, local) in initial.processes {
        let number = closure.number(kind, local);
        closure.pair(initial.shared, number);
    }
    let mut noted = 0;
    while let Some((shared, number)) = closure.work.pop() {
        closure.visit(shared, number);
        if closure.asked > most {
            budget.give(noted);
            return Ok(None);
        }
        if closure.visited.is_multiple_of(CLOCK) {
            budget.note_again(&mut noted, closure.bytes());
            if let Some(end) = clock.out_of_budget(budget, Progress::default) {
                budget.give(noted);
                return Err(end);
            }
        }
    }
    let table = closure.finish();
    budget.give(noted);
    Ok(Some(table))
}

impl<S: System, M: Monitor<S::Label>> Closure<'_, S, M> {
    /// Bytes held at most: a list may have twice the room that it uses.
    fn bytes(&self) -> usize {
        let lists = self.visited * (size_of::<Steps<S::Label>>() + size_of::<usize>())
            + self.taken * (size_of::<Normal<S::Label>>() + size_of::<Move>());
        2 * lists
            + self.known.capacity() * size_of::<Known<S::Label>>()
            + self.work.capacity() * size_of::<(Shared, usize)>()
            + table(self.numbers.capacity(), size_of::<((Kind, Local), usize)>())
            + table(self.here.capacity(), size_of::<(Shared, Here)>())
            + table(self.pairs.capacity(), size_of::<(Shared, usize)>())
            + table(
                self.seen.capacity(),
                size_of::<((usize, usize, Shared, Shared, usize), usize)>(),
            )
    }

    fn number(&mut self, kind: Kind, local: Local) -> usize {
        let fresh = self.known.len();
        let number = *self.numbers.entry((kind, local)).or_insert(fresh);
        if number == fresh {
            // So whoever comes to be dormant one step from here reads the pool: enough, because two
            // that do commute.
            let dormant = is_dormant(self.system, kind, local);
            let passive = if dormant { Resources::pool(kind) } else { Resources::NOTHING };
            self.known.push(Known {
                who: (kind, local),
                steps: Vec::new(),
                passive,
                next: BTreeSet::new(),
                looks_at: 0,
            });
        }
        number
    }

    fn pair(&mut self, shared: Shared, number: usize) {
        if self.pairs.insert((shared, number)) {
            self.work.push((shared, number));
        }
    }

    /// A process in a local state, in a shared state: what is done to it, and what it does.
    fn visit(&mut self, shared: Shared, number: usize) {
        self.visited += 1;
        let here = self.here.entry(shared).or_default();
        here.locals.push(number);
        for beside in here.moves.clone() {
            self.interfere(shared, beside, number);
        }
        let (kind, local) = self.known[number].who;
        let mut choices = Vec::new();
        if !is_dormant(self.system, kind, local) {
            self.system.step(kind, shared, local, &mut choices);
        }
        let reads = choices.iter().fold(0, |reads, choice| reads | choice.footprint.reads);
        let mut steps = Steps { shared, reads, writes: Resources::NOTHING, normal: Vec::new() };
        for (index, choice) in choices.iter().enumerate() {
            self.own(number, index, choice, &mut steps);
        }
        self.known[number].steps.push(steps);
    }

    /// A step that a process may take itself.
    fn own(
        &mut self,
        number: usize,
        index: usize,
        choice: &Choice<S::Label>,
        steps: &mut Steps<S::Label>,
    ) {
        let (kind, local_before) = self.known[number].who;
        let Choice { shared: after, effect, way_out, footprint, .. } = *choice;
        let label = choice.label.clone();
        let before = steps.shared;
        let local = remembered(self.system, kind, (before, after), choice.local);
        let step = Step::of(kind, (before, local_before), choice, local);
        let violated = self.monitor.step_violates(&step);
        self.known[number].looks_at |= self.monitor.looks_at(&step);
        // Whatever was changed was written, declared or not.
        let writes = footprint.writes | before ^ after;
        steps.writes.add(Resources::bits(writes));
        match effect {
            Effect::None => {}
            Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                self.queues.insert(queue);
                steps.writes.add(Resources::queue(queue));
            }
            Effect::Spawn(kind, _) => steps.writes.add(Resources::pool(kind)),
        }
        let written = after & writes;
        steps.normal.push(Normal { writes, written, local, effect, way_out, label, violated });
        let to = self.number(kind, local);
        self.known[number].next.insert(to);
        self.pair(after, to);
        let taken = Move { from: number, choice: index, reads: steps.reads, after, effect };
        let here = self.here.get_mut(&before).expect("it is visited");
        here.moves.push(taken);
        self.taken += 1;
        for other in here.locals.clone() {
            self.interfere(before, taken, other);
        }
    }

    /// What a step does to a process beside the one that takes it.
    fn interfere(&mut self, shared: Shared, taken: Move, number: usize) {
        self.asked += 1;
        let (kind, local) = self.known[number].who;
        if is_dormant(self.system, kind, local) {
            self.pair(taken.after, number);
            if let Effect::Spawn(started, to) = taken.effect
                && started == kind
            {
                let to = self.number(kind, to);
                self.known[number].next.insert(to);
                self.pair(taken.after, to);
            }
            return;
        }
        let mut seen = local;
        if taken.after != shared {
            seen = self.system.observe(kind, shared, taken.after, local);
            let to = self.number(kind, seen);
            if to != number {
                self.known[number].passive.add(Resources::bits(shared ^ taken.after));
                self.known[number].next.insert(to);
            }
            // A step must be remembered in the same way wherever what it reads is the same.
            let key = (taken.from, taken.choice, taken.reads, shared & taken.reads, number);
            if *self.seen.entry(key).or_insert(to) != to {
                self.known[number].passive = Resources::EVERYTHING;
            }
        }
        let to = self.number(kind, seen);
        let woken = match taken.effect {
            Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                woken(self.system, kind, seen, queue)
            }
            _ => None,
        };
        if woken.is_none() || matches!(taken.effect, Effect::WakeOne(_)) {
            self.pair(taken.after, to);
        }
        if let Some(woken) = woken {
            let woken = self.number(kind, woken);
            self.known[number].next.insert(woken);
            self.pair(taken.after, woken);
        }
    }

    fn finish(mut self) -> InterferenceTable {
        for known in &mut self.known {
            let (kind, local) = known.who;
            for queue in &self.queues {
                if woken(self.system, kind, local, *queue).is_some() {
                    known.passive.add(Resources::queue(*queue));
                }
            }
        }
        let own: Vec<Own> = self.known.iter().map(Known::own).collect();
        let mut table =
            InterferenceTable { by_local: HashMap::default(), here: HashMap::default() };
        for (number, known) in self.known.iter().enumerate() {
            let (kind, local) = known.who;
            // Here, and where one step leads.
            let mut passive = known.passive;
            known.next.iter().for_each(|next| passive.add(self.known[*next].passive));
            let mut one = Interference {
                reads: own[number].reads,
                writes: own[number].writes,
                ..Interference::default()
            };
            one.reads.add(passive);
            let mut reached = BTreeSet::from([number]);
            let mut open = vec![number];
            while let Some(now) = open.pop() {
                one.all_reads.add(own[now].reads);
                one.all_reads.add(self.known[now].passive);
                one.all_writes.add(own[now].writes);
                open.extend(self.known[now].next.iter().filter(|next| reached.insert(**next)));
            }
            table.by_local.insert((kind, local), one);
            let Some(looks_at) = own[number].looks_at else { continue };
            for steps in known.steps.iter().filter(|steps| !steps.normal.is_empty()) {
                let mut reads = Resources::bits(steps.reads | looks_at);
                reads.add(passive);
                table.here.insert((kind, local, steps.shared), (reads, steps.writes));
            }
        }
        table
    }
}

/// What the steps from a local state read and write, in any shared state.
struct Own {
    reads: Resources,
    writes: Resources,
    /// Bits that they read besides those declared; `None`: the declared ones are not to be believed.
    looks_at: Option<Shared>,
}

impl<Label: PartialEq> Known<Label> {
    fn own(&self) -> Own {
        let Some(looks_at) = [0, self.looks_at].into_iter().find(|bits| self.keeps_to(*bits))
        else {
            return Own {
                reads: Resources::EVERYTHING,
                writes: Resources::EVERYTHING,
                looks_at: None,
            };
        };
        let (mut reads, mut writes) = (Resources::bits(looks_at), Resources::NOTHING);
        for steps in &self.steps {
            reads.add(Resources::bits(steps.reads));
            writes.add(steps.writes);
        }
        Own { reads, writes, looks_at: Some(looks_at) }
    }

    /// Whether shared states that agree in the bits that the steps in one of them read, and in
    /// `more`, offer the same steps.
    fn keeps_to(&self, more: Shared) -> bool {
        let acting = || self.steps.iter().filter(|steps| !steps.normal.is_empty());
        let masks: BTreeSet<Shared> = acting().map(|steps| steps.reads | more).collect();
        masks.into_iter().all(|mask| {
            let mut known: HashMap<Shared, &Steps<Label>, FixedState> = HashMap::default();
            for steps in acting().filter(|steps| steps.reads | more == mask) {
                known.entry(steps.shared & mask).or_insert(steps);
            }
            self.steps.iter().all(|steps| {
                let same = known.get(&(steps.shared & mask));
                same.is_none_or(|same| same.normal == steps.normal)
            })
        })
    }
}
