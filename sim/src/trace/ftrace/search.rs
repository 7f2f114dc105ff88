//! The search for a run of the model that gives a log.
//!
//! - Paper: M. O. Rabin and D. Scott, 'Finite automata and their decision problems', 1959 (the subset
//!   construction), here on the fly, along one word; the sets are products, as in cartesian
//!   abstraction (T. Ball, A. Podelski, S. K. Rajamani, 2001), but nothing is lost by it.
//! - Decides: as [`crate::trace::accept`] does, whether some run gives the observations in their order.
//! - Why a product: as long as a hidden step changes nothing that is shared and wakes nobody, it
//!   matters to nobody else whether it has been taken. So each process has a set of its own of what it
//!   may be; a state is the shared word and these sets, and stands for every choice of one from each.
//!   A step that does change something is a transition between such states; what it does to the
//!   others it does to each of theirs alone.
//! - Who is who: a modprobe may belong to any caller that waits for one. Callers that are in every
//!   respect alike are not told apart before one of them is seen again.
//! - Costs: for each observation, as many states as the steps that change something can be ordered
//!   in; not the product of what sixty modprobes may have looked at.

mod answer;

use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use kmodcheck_explore::Step;
use kmodcheck_explore::{Choice, DORMANT, Effect, Kind, Local, Queue, Shared, System};
use kmodcheck_model::scenario::Action;
use kmodcheck_model::{Event, Model, Pc};

use super::cast::{Cast, Meaning, Observation, Who};
use super::play::{Inside, Play};
use super::{Undecided, Watch};
use crate::Processes;

/// One thing that a process may be.
#[derive(Clone, Copy, Debug)]
struct Element {
    local: Local,
    inside: Inside,
    /// What the watch said of this process's steps so far.
    watched: u64,
    /// Hidden steps of this process so far.
    hidden: u32,
    origin: Origin,
}

/// How a process came to be so.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// It was that element of the state before, or what others made of it.
    Was(usize),
    /// It was that one, and took the step that led to this state.
    Took(usize, Event),
    /// By a hidden step from that element of the same set.
    Hidden(usize, Event),
}

type Key = (Local, Inside, u64);

impl Element {
    fn key(&self) -> Key {
        (self.local, self.inside, self.watched)
    }
}

/// A process of the model, as far as it is known.
#[derive(Clone, Debug)]
struct Process {
    kind: Kind,
    /// The calls of the log that it may be, one bit each.
    calls: u128,
    /// The modprobe of the log that it runs.
    helper: Option<u8>,
    elements: Rc<Vec<Element>>,
    /// What tells the sets apart, sorted.
    keys: Rc<Vec<Key>>,
}

impl Process {
    fn identity(&self) -> (Kind, &[Key], u128, Option<u8>) {
        (self.kind, &self.keys, self.calls, self.helper)
    }

    /// The element with the fewest hidden steps, and its number.
    fn least(&self) -> (usize, &Element) {
        let elements = self.elements.iter().enumerate();
        elements.min_by_key(|(_, element)| element.hidden).expect("no set is empty")
    }

    fn alike(&self, other: &Self) -> bool {
        self.kind == other.kind && self.helper == other.helper && self.keys == other.keys
    }
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Process {}

impl Hash for Process {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    shared: Shared,
    /// Processes that look like a modprobe of a request and are none, one bit each.
    strangers: u128,
    processes: Vec<Process>,
}

impl State {
    /// The same for all that differ in which of several like processes is which.
    fn canonical(&self) -> Self {
        let mut canonical = self.clone();
        canonical.processes.sort_by(|a, b| a.identity().cmp(&b.identity()));
        canonical
    }

    /// Makes the process the one that plays `call`; `None` if that leaves another one without.
    fn bound(mut self, process: usize, call: u8) -> Option<Self> {
        let bit = 1 << call;
        for (at, other) in self.processes.iter_mut().enumerate() {
            if at == process {
                other.calls = bit;
            } else if other.calls & bit != 0 {
                other.calls &= !bit;
                if other.calls == 0 {
                    return None;
                }
            }
        }
        Some(self)
    }

    /// Whether every process can be one call of its own (H. W. Kuhn's augmenting paths).
    fn can_be_told_apart(&self) -> bool {
        let mut of_call = [usize::MAX; 128];
        fn place(state: &State, at: usize, of_call: &mut [usize; 128], tried: &mut u128) -> bool {
            let mut open = state.processes[at].calls & !*tried;
            while open != 0 {
                let call = open.trailing_zeros() as usize;
                *tried |= 1 << call;
                if of_call[call] == usize::MAX || place(state, of_call[call], of_call, tried) {
                    of_call[call] = at;
                    return true;
                }
                open = state.processes[at].calls & !*tried;
            }
            false
        }
        let named = (0..self.processes.len()).filter(|at| self.processes[*at].calls != 0);
        named.into_iter().all(|at| place(self, at, &mut of_call, &mut 0))
    }
}

/// How a state was reached.
struct Node {
    state: State,
    parent: usize,
    /// The process that stepped, or whose state explains the observation.
    process: usize,
    observation: Option<usize>,
    /// Hidden steps that changed something so far.
    hidden: u32,
}

/// One entry of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Who, in the words of the log.
    pub actor: String,
    /// The step; none for a line that is explained by the state alone.
    pub step: Option<Event>,
    /// The observation that it explains; none for a hidden step.
    pub observation: Option<usize>,
}

/// What a decision took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// States held, each with a set for every process.
    pub nodes: usize,
    /// The most states between two observations.
    pub widest: usize,
}

/// What became of a log.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    /// The first observation that no run can give after the ones before it.
    pub refused: Option<usize>,
    /// In how many states of the model all may be at the end, or before what is refused; counted up
    /// to [`COUNTED_STATES`].
    pub states: usize,
    /// What the watch said in every such run, and in some.
    pub watched: (u64, u64),
    pub run: Vec<Entry>,
    /// Of each modprobe that the kernel started the calls that it may belong to in that run, one bit each; none of
    /// what is no modprobe of a request.
    pub whose: Vec<u128>,
    /// What could have been noticed instead.
    pub possible: Vec<(String, Event)>,
    pub cost: Cost,
}

/// States at the end are not counted further.
pub const COUNTED_STATES: usize = 10_000;

/// What several elements of one process do alike: whether it is seen, and what it does to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doing {
    seen: bool,
    shared: Shared,
    effect: Effect,
    /// What those who joined a `finit_module()` are told.
    told: Option<i32>,
    /// A signal ends the process's wait for its modprobe, which was in this and goes on by itself.
    leaves: Option<Inside>,
}

pub(super) struct Search<'a> {
    model: &'a Model,
    system: Processes<'a>,
    cast: &'a Cast,
    play: Play<'a>,
    watch: Watch<'a>,
    limit: usize,
    nodes: Vec<Node>,
    cost: Cost,
    choices: Vec<Choice<Event>>,
}

impl<'a> Search<'a> {
    pub fn new(model: &'a Model, cast: &'a Cast, watch: Watch<'a>, limit: u64) -> Self {
        Self {
            model,
            system: Processes { model },
            cast,
            play: Play::new(model, cast),
            watch,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            nodes: Vec::new(),
            cost: Cost::default(),
            choices: Vec::new(),
        }
    }

    /// # Errors
    /// The limit was met, or a step wanted to start a process and there is none left.
    pub fn decide(mut self) -> Result<Decided, Undecided> {
        let mut level = vec![self.root()];
        let end = self.cast.observations.len();
        for at in 0..=end {
            let mut next = Vec::new();
            let whole = self.level(at, &mut level, &mut next)?;
            self.cost.widest = self.cost.widest.max(whole.len());
            if at == end {
                let told_apart = |n: &usize| self.nodes[*n].state.can_be_told_apart();
                let possible: Vec<usize> = whole.iter().copied().filter(told_apart).collect();
                return Ok(match possible.is_empty() {
                    false => self.decided(None, &possible),
                    // Some modprobe can belong to nobody.
                    true => self.decided(Some(end.saturating_sub(1)), &whole),
                });
            }
            if next.is_empty() {
                return Ok(self.decided(Some(at), &whole));
            }
            level = next;
        }
        unreachable!("the last turn of the loop returns")
    }

    fn root(&mut self) -> usize {
        let initial = self.system.initial();
        let shared = self.play.begin(initial.shared);
        let processes = initial
            .processes
            .iter()
            .enumerate()
            .map(|(place, (kind, local))| {
                let element = Element {
                    local: *local,
                    inside: Inside::NOTHING,
                    watched: 0,
                    hidden: 0,
                    origin: Origin::Was(0),
                };
                let calls = if place < self.cast.players.len() { 1 << place } else { 0 };
                self.process(*kind, calls, None, shared, vec![element])
            })
            .collect();
        let state = State { shared, strangers: 0, processes };
        self.nodes.push(Node { state, parent: 0, process: 0, observation: None, hidden: 0 });
        0
    }

    /// A process that may be any of these, and whatever hidden steps of its own make of them.
    fn process(
        &mut self,
        kind: Kind,
        calls: u128,
        helper: Option<u8>,
        shared: Shared,
        mut elements: Vec<Element>,
    ) -> Process {
        let mut known: HashSet<Key> = HashSet::new();
        elements.retain(|element| known.insert(element.key()));
        let mut choices = std::mem::take(&mut self.choices);
        let mut at = 0;
        while let Some(element) = elements.get(at).copied() {
            choices.clear();
            if element.local != DORMANT {
                self.system.step(kind, shared, element.local, &mut choices);
            }
            for choice in &choices {
                if choice.shared != shared || choice.effect != Effect::None {
                    continue;
                }
                let step = taken(kind, shared, element.local, choice, choice.local);
                let mut inside = element.inside;
                if self.play.step(None, &step, &mut inside) != Some(false) {
                    continue;
                }
                self.play.afterwards(shared, choice.local, &mut inside);
                let next = Element {
                    local: choice.local,
                    inside,
                    watched: element.watched | (self.watch)(&step),
                    hidden: element.hidden + 1,
                    origin: Origin::Hidden(at, choice.label),
                };
                if known.insert(next.key()) {
                    elements.push(next);
                }
            }
            at += 1;
        }
        self.choices = choices;
        let mut keys: Vec<Key> = known.into_iter().collect();
        keys.sort_unstable();
        Process { kind, calls, helper, elements: Rc::new(elements), keys: Rc::new(keys) }
    }

    /// Everything that hidden steps reach from `level` before observation `at`, and in `next` what the
    /// observation leads to.
    fn level(
        &mut self,
        at: usize,
        level: &mut Vec<usize>,
        next: &mut Vec<usize>,
    ) -> Result<Vec<usize>, Undecided> {
        let mut known: HashSet<State> = HashSet::new();
        let mut known_next: HashSet<State> = HashSet::new();
        let mut whole = Vec::new();
        let mut open: VecDeque<usize> = VecDeque::new();
        for node in level.drain(..) {
            known.insert(self.nodes[node].state.canonical());
            open.push_back(node);
        }
        while let Some(number) = open.pop_front() {
            whole.push(number);
            let mut children = Vec::new();
            self.expand(at, number, &mut children)?;
            for child in children {
                let hidden = child.observation.is_none();
                let known = if hidden { &mut known } else { &mut known_next };
                if !known.insert(child.state.canonical()) {
                    continue;
                }
                if self.nodes.len() >= self.limit {
                    let (limit, widest) = (self.limit, whole.len());
                    return Err(Undecided::TooMany { limit, at, widest });
                }
                self.nodes.push(child);
                self.cost.nodes = self.nodes.len();
                match hidden {
                    true => open.push_back(self.nodes.len() - 1),
                    false => next.push(self.nodes.len() - 1),
                }
            }
        }
        Ok(whole)
    }

    /// The processes that the observation may be about.
    fn candidates(&self, state: &State, who: Who) -> Vec<usize> {
        let fits = |process: &Process| match who {
            Who::Actor(call) => process.calls >> call & 1 != 0,
            Who::Helper(helper) => process.helper == Some(helper),
        };
        (0..state.processes.len()).filter(|at| fits(&state.processes[*at])).collect()
    }

    fn expand(
        &mut self,
        at: usize,
        number: usize,
        children: &mut Vec<Node>,
    ) -> Result<(), Undecided> {
        let observation = self.cast.observations.get(at).copied();
        let state = self.nodes[number].state.clone();
        let hidden = self.nodes[number].hidden;
        let child = |state, process, observation: Option<usize>| Node {
            state,
            parent: number,
            process,
            observation,
            hidden: hidden + u32::from(observation.is_none()),
        };
        let mine = observation.map(|o| self.candidates(&state, o.who)).unwrap_or_default();
        if let Some(o) = observation {
            if let Some(state) = self.strange(&o, &state) {
                children.push(child(state, 0, Some(at)));
            }
            if o.meaning == Meaning::Exec {
                for (state, process) in self.exec(&o, &state)? {
                    children.push(child(state, process, Some(at)));
                }
            }
            for process in &mine {
                if let Some(state) = self.line(&o, &state, *process) {
                    children.push(child(state, *process, Some(at)));
                }
            }
        }
        for process in 0..state.processes.len() {
            let meaning = observation.filter(|_| mine.contains(&process));
            for (doing, elements) in self.doings(&state, process, meaning) {
                for (after, _) in self.apply(&state, process, &doing, elements)? {
                    let after = match meaning.filter(|_| doing.seen).map(|o| (o.who, o.meaning)) {
                        Some((Who::Actor(call), _)) => after.bound(process, call),
                        Some((Who::Helper(_), Meaning::Exit)) => {
                            // Nothing more is seen of it.
                            let mut after = after;
                            after.processes[process].helper = None;
                            Some(after)
                        }
                        _ => Some(after),
                    };
                    if let Some(after) = after {
                        children.push(child(after, process, doing.seen.then_some(at)));
                    }
                }
            }
        }
        Ok(())
    }

    /// What a process may do that is seen, or that others notice.
    fn doings(
        &mut self,
        state: &State,
        process: usize,
        observation: Option<Observation>,
    ) -> Vec<(Doing, Vec<Element>)> {
        let Process { kind, elements, .. } = &state.processes[process];
        let shared = state.shared;
        let mut doings: Vec<(Doing, Vec<Element>)> = Vec::new();
        let mut choices = std::mem::take(&mut self.choices);
        for (from, element) in elements.iter().enumerate() {
            choices.clear();
            if element.local != DORMANT {
                self.system.step(*kind, shared, element.local, &mut choices);
            }
            for choice in choices.iter().filter(|c| !matches!(c.label, Event::Exec { .. })) {
                let after = self.observed(*kind, shared, choice.shared, choice.local);
                let step = taken(*kind, shared, element.local, choice, after);
                let mut inside = element.inside;
                let Some(seen) = self.play.step(observation.as_ref(), &step, &mut inside) else {
                    continue;
                };
                if !seen && choice.shared == shared && choice.effect == Effect::None {
                    continue;
                }
                let told = self.play.told(&step, &element.inside);
                let spawns = matches!(choice.effect, Effect::Spawn(..));
                let killed = matches!(choice.label, Event::Killed) && spawns;
                let leaves = killed.then_some(element.inside);
                let doing =
                    Doing { seen, shared: choice.shared, effect: choice.effect, told, leaves };
                let element = self.took(from, element, &step, inside);
                match doings.iter_mut().find(|(known, _)| *known == doing) {
                    Some((_, elements)) => elements.push(element),
                    None => doings.push((doing, vec![element])),
                }
            }
        }
        self.choices = choices;
        doings
    }

    fn took(&self, from: usize, element: &Element, step: &Step<Event>, inside: Inside) -> Element {
        let mut inside = inside;
        self.play.afterwards(step.after, step.local_after, &mut inside);
        Element {
            local: step.local_after,
            inside,
            watched: element.watched | (self.watch)(step),
            hidden: element.hidden,
            origin: Origin::Took(from, step.label),
        }
    }

    fn observed(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        match local == DORMANT || before == after {
            true => local,
            false => self.system.observe(kind, before, after, local),
        }
    }

    /// The states after what `process` does: several, if one of several others is woken. Each with
    /// the process that is started by it.
    fn apply(
        &mut self,
        before: &State,
        process: usize,
        doing: &Doing,
        elements: Vec<Element>,
    ) -> Result<Vec<(State, Option<usize>)>, Undecided> {
        let others = (0..before.processes.len()).filter(|at| *at != process);
        let wakes: Vec<Wakes> = match doing.effect {
            Effect::None | Effect::Spawn(..) => vec![Wakes::Nobody],
            Effect::WakeAll(queue) => vec![Wakes::All(queue)],
            Effect::WakeOne(queue) => {
                others.map(|at| Wakes::One(queue, at)).chain([Wakes::NobodySleeps(queue)]).collect()
            }
        };
        let Process { kind, calls, helper, .. } = before.processes[process];
        let own = self.process(kind, calls, helper, doing.shared, elements);
        let mut states = Vec::new();
        for wakes in wakes {
            let Some(mut after) = self.others(before, process, doing, wakes) else { continue };
            after.processes[process] = own.clone();
            let mut started = None;
            if let Effect::Spawn(kind, local) = doing.effect {
                let free =
                    |p: &Process| p.kind == kind && p.keys.iter().all(|key| key.0 == DORMANT);
                let free = (0..after.processes.len())
                    .find(|at| *at != process && free(&after.processes[*at]))
                    .ok_or(Undecided::PoolExhausted(kind))?;
                let first = after.processes[free].elements[0];
                let inside = doing.leaves.unwrap_or(first.inside);
                let element = Element { local, inside, origin: Origin::Was(0), ..first };
                let left = doing.leaves.and_then(|_| after.processes[process].helper.take());
                after.processes[free] = self.process(kind, 0, left, doing.shared, vec![element]);
                started = Some(free);
            }
            states.push((after, started));
        }
        Ok(states)
    }

    /// What a step does to the processes that did not take it; `None` if they cannot all be as it says.
    fn others(
        &mut self,
        before: &State,
        process: usize,
        doing: &Doing,
        wakes: Wakes,
    ) -> Option<State> {
        // First of all: who is to sleep there does, or nobody does.
        let sleeps = |element: &Element, kind: Kind, queue: Queue| {
            let seen = self.observed(kind, before.shared, doing.shared, element.local);
            seen != DORMANT && self.system.wake(kind, seen, queue).is_some()
        };
        let fits = match wakes {
            Wakes::One(queue, chosen) => {
                let Process { kind, elements, .. } = &before.processes[chosen];
                elements.iter().any(|element| sleeps(element, *kind, queue))
            }
            Wakes::NobodySleeps(queue) => {
                let awake = |p: &Process| p.elements.iter().any(|e| !sleeps(e, p.kind, queue));
                let mut others = before.processes.iter().enumerate();
                others.all(|(at, other)| at == process || awake(other))
            }
            Wakes::Nobody | Wakes::All(_) => true,
        };
        if !fits {
            return None;
        }
        let mut after = State { shared: doing.shared, ..before.clone() };
        for at in (0..before.processes.len()).filter(|at| *at != process) {
            let Process { kind, calls, helper, elements, .. } = &before.processes[at];
            let mut changed = before.shared != after.shared;
            let mut mapped = Vec::new();
            for (number, element) in elements.iter().enumerate() {
                let seen = self.observed(*kind, before.shared, after.shared, element.local);
                let woken = wakes.queue().filter(|_| seen != DORMANT);
                let woken = woken.and_then(|queue| self.system.wake(*kind, seen, queue));
                let woken = match wakes {
                    Wakes::One(_, chosen) if chosen == at && woken.is_none() => continue,
                    Wakes::NobodySleeps(_) if woken.is_some() => continue,
                    Wakes::One(_, chosen) if chosen != at => None,
                    _ => woken,
                };
                let mut inside = element.inside;
                if woken.is_some() {
                    changed = true;
                    self.play.woken(doing.told, &mut inside);
                }
                let local = woken.unwrap_or(seen);
                self.play.afterwards(after.shared, local, &mut inside);
                mapped.push(Element { local, inside, origin: Origin::Was(number), ..*element });
            }
            if mapped.is_empty() {
                return None;
            }
            if changed || mapped.len() < elements.len() {
                after.processes[at] = self.process(*kind, *calls, *helper, after.shared, mapped);
            }
        }
        Some(after)
    }

    /// The caller's modprobe begins: the log does not say whose it is.
    fn exec(
        &mut self,
        observation: &Observation,
        state: &State,
    ) -> Result<Vec<(State, usize)>, Undecided> {
        let Who::Helper(helper) = observation.who else { return Ok(Vec::new()) };
        let callers = self.cast.helpers[usize::from(helper)].callers;
        let killed = self.cast.killed & callers;
        let mut state = state.clone();
        // Those that wait alike for their modprobes are not told apart until one is seen again.
        let waits = |process: &Process| {
            let at_exec = |key: &Key| self.model.task(key.0).pc == Pc::Exec;
            process.calls != 0 && process.helper.is_none() && process.keys.iter().all(at_exec)
        };
        for at in 0..state.processes.len() {
            let first = state.processes[at].clone();
            if !waits(&first) {
                continue;
            }
            let alike: Vec<usize> = (0..state.processes.len())
                .filter(|other| state.processes[*other].alike(&first))
                .collect();
            let calls = alike.iter().fold(0, |calls, other| calls | state.processes[*other].calls);
            alike.iter().for_each(|other| state.processes[*other].calls = calls);
        }
        let mut states = Vec::new();
        for process in 0..state.processes.len() {
            let here = state.processes[process].clone();
            let again = state.processes[..process].contains(&here);
            // One whose caller was killed before it began is nobody's any more.
            let left = here.calls == 0 && self.left_by(killed, here.kind);
            if !left && here.calls & callers == 0 || here.helper.is_some() || again {
                continue;
            }
            let mut choices = std::mem::take(&mut self.choices);
            let mut doings: Vec<(Doing, Vec<Element>)> = Vec::new();
            for (from, element) in here.elements.iter().enumerate() {
                choices.clear();
                if element.local != DORMANT {
                    self.system.step(here.kind, state.shared, element.local, &mut choices);
                }
                for choice in choices.iter().filter(|c| matches!(c.label, Event::Exec { .. })) {
                    let after = self.observed(here.kind, state.shared, choice.shared, choice.local);
                    let step = taken(here.kind, state.shared, element.local, choice, after);
                    let Choice { shared, effect, .. } = *choice;
                    let doing = Doing { seen: true, shared, effect, told: None, leaves: None };
                    let element = self.took(from, element, &step, element.inside);
                    match doings.iter_mut().find(|(known, _)| *known == doing) {
                        Some((_, elements)) => elements.push(element),
                        None => doings.push((doing, vec![element])),
                    }
                }
            }
            self.choices = choices;
            for (doing, elements) in doings {
                for (mut after, started) in self.apply(&state, process, &doing, elements)? {
                    after.processes[process].calls &= callers;
                    // modprobe is the caller's process, or one that nobody waits for.
                    after.processes[started.unwrap_or(process)].helper = Some(helper);
                    states.push((after, process));
                }
            }
        }
        Ok(states)
    }

    /// Whether one of these callers may have left a modprobe of that kind behind.
    fn left_by(&self, callers: u128, kind: Kind) -> bool {
        let name = self.model.role(kind.0).name();
        let players = self.cast.players.iter().enumerate();
        players.filter(|(at, _)| callers >> at & 1 != 0).any(|(_, player)| match player.action {
            Action::GetFsType(asked) | Action::RequestModule(asked) => name == Some(asked),
            _ => false,
        })
    }

    /// A process that looks like a modprobe of some request and is none: where there are more of them
    /// than requests.
    fn strange(&self, observation: &Observation, state: &State) -> Option<State> {
        let Who::Helper(helper) = observation.who else { return None };
        let bit = 1 << helper;
        let strangers = match observation.meaning {
            Meaning::Exec if self.cast.strangers => state.strangers | bit,
            Meaning::Exit if state.strangers & bit != 0 => state.strangers,
            _ => return None,
        };
        Some(State { strangers, ..state.clone() })
    }

    /// The state, if it explains the line as one of this process.
    fn line(&mut self, observation: &Observation, state: &State, at: usize) -> Option<State> {
        let Process { kind, calls, helper, elements, .. } = state.processes[at].clone();
        let mut explain = Vec::new();
        for (number, element) in elements.iter().enumerate() {
            let mut inside = element.inside;
            if self.play.line(observation, kind, state.shared, element.local, &mut inside) {
                explain.push(Element { inside, origin: Origin::Was(number), ..*element });
            }
        }
        if explain.is_empty() {
            return None;
        }
        let mut after = state.clone();
        after.processes[at] = self.process(kind, calls, helper, state.shared, explain);
        match observation.who {
            Who::Actor(call) => after.bound(at, call),
            Who::Helper(_) => Some(after),
        }
    }
}

/// Who is woken.
#[derive(Clone, Copy)]
enum Wakes {
    Nobody,
    All(Queue),
    /// One process that sleeps there: this one.
    One(Queue, usize),
    /// One process, if there were one.
    NobodySleeps(Queue),
}

impl Wakes {
    fn queue(self) -> Option<Queue> {
        match self {
            Self::Nobody => None,
            Self::All(queue) | Self::One(queue, _) | Self::NobodySleeps(queue) => Some(queue),
        }
    }
}

/// One process's part of a step, after which it is `local_after`.
fn taken(
    kind: Kind,
    before: Shared,
    local_before: Local,
    choice: &Choice<Event>,
    local_after: Local,
) -> Step<Event> {
    Step {
        kind,
        before,
        after: choice.shared,
        local_before,
        local_after,
        label: choice.label,
        way_out: choice.way_out,
        footprint: choice.footprint,
        effect: choice.effect,
    }
}
