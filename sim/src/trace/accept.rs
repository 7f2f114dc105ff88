//! Is a log a behaviour of a system?
//!
//! - Paper: M. O. Rabin and D. Scott, 'Finite automata and their decision problems', 1959 (the
//!   subset construction), here on the fly, along one word: after each observation, the set of all
//!   states in which the system may be.
//! - Decides: whether some run from the initial state gives exactly the observations of the log, in
//!   their order, with any number of hidden steps in between; where none does, the first
//!   observation that no run can give after the ones before it, and what would have been possible.
//! - Needs of the system: finitely many states reachable by hidden steps.
//! - Costs: for each observation, the successors of every state of its set. States are kept for two
//!   observations at a time; of the earlier ones, one step and a parent each.
//!
//! Deterministic: the run shown for an accepted log has the fewest hidden steps, and of those with
//! as few the one that was found first.

#![deny(clippy::cast_possible_truncation)]

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::ops::ControlFlow;

use kmodcheck_explore::PoolExhausted;
use kmodcheck_explore::TraceStep;
use kmodcheck_explore::{Configuration, Kind, Product, System, Transition};

/// What the next observation has to do with a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit<Memory> {
    /// The transition is what was observed.
    Seen(Memory),
    /// Nobody would have noticed the transition: it may be taken before the next observation.
    Hidden(Memory),
    /// The transition would have been noticed, or cannot be here.
    Forbidden,
}

/// A sequence of observations of a system.
pub trait Log<S: System> {
    /// What must be remembered of a run besides the system's state, such as which process of the log
    /// plays which process of the system; `()` where nothing must. Finitely many values may follow
    /// each other by hidden steps.
    type Memory: Clone + Eq + Hash;

    /// How many observations.
    fn observations(&self) -> usize;

    /// The state in which the log begins, if that is not the system's initial one.
    fn begin(&self, initial: Configuration) -> Configuration {
        initial
    }

    /// The memory before anything happens.
    fn start(&self) -> Self::Memory;

    /// How the next observation, number `at` from 0, takes `transition`. At the end of the log `at`
    /// is the number of observations, and nothing can be [`Fit::Seen`] any more.
    fn fit(
        &self,
        at: usize,
        memory: &Self::Memory,
        transition: &Transition<'_, S::Label>,
    ) -> Fit<Self::Memory>;

    /// The memory after observation `at`, if that says nothing but that the system is in a state
    /// such as this one: such an observation is explained without a step. `None` if it is not, or
    /// says more.
    fn holds(
        &self,
        _at: usize,
        _memory: &Self::Memory,
        _state: &Configuration,
    ) -> Option<Self::Memory> {
        None
    }
}

/// One entry of a run: a step, an observation, or a step that was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunStep<Label> {
    /// The step; `None` for an observation that is explained by the state alone.
    pub step: Option<TraceStep<Label>>,
    /// The observation that it explains, by number from 0; `None` for a hidden step.
    pub observation: Option<usize>,
}

/// The system's state and what the log remembers of the run.
pub type Reached<Memory> = (Configuration, Memory);

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<Label, Memory> {
    /// Some run gives the log.
    Accepted {
        /// Every state in which the system may be after the last observation and hidden steps.
        states: Vec<Reached<Memory>>,
        /// A run that gives the log, with as few hidden steps as any.
        run: Vec<RunStep<Label>>,
        /// What it took.
        cost: Cost,
    },
    /// No run does.
    Refused {
        /// The first observation that cannot be explained, by number from 0.
        at: usize,
        /// Every state in which the system may be before it.
        states: Vec<Reached<Memory>>,
        /// What could have been noticed there: every process and step that is possible in one of
        /// these states and not hidden, sorted by process, else in the order found.
        possible: Vec<(usize, Label)>,
        /// A run that gives the observations before it.
        run: Vec<RunStep<Label>>,
        /// What it took.
        cost: Cost,
    },
}

impl<Label, Memory> Verdict<Label, Memory> {
    /// Whether some run gives the log.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. })
    }
}

/// What a decision took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// States held, one for each observation after which it was reached.
    pub nodes: u64,
    /// The most states between two observations.
    pub widest: usize,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The limit was met.
    #[error(
        "undecided: the limit of {limit} states was met before observation {}, of which {widest} \
         there", at + 1
    )]
    TooMany {
        /// The limit.
        limit: u64,
        /// The observation that came next, by number from 0.
        at: usize,
        /// How many of the states belong there.
        widest: usize,
    },
    /// A step wanted to start a process, and there is no further one of that kind.
    #[error("undecided: a step starts a process of kind {} and none is left", .0.0)]
    PoolExhausted(Kind),
}

impl From<PoolExhausted> for AcceptError {
    fn from(PoolExhausted(kind): PoolExhausted) -> Self {
        Self::PoolExhausted(kind)
    }
}

/// Decides whether `log` is a behaviour of `product`, holding at most `limit` states in all.
///
/// # Errors
/// The limit was met, or a pool of processes was too small: there is no answer then.
pub fn accept<S: System, L: Log<S>>(
    product: &Product<'_, S>,
    log: &L,
    limit: u64,
) -> Result<Verdict<S::Label, L::Memory>, AcceptError> {
    let mut search = Search {
        product,
        log,
        limit,
        nodes: Vec::new(),
        cost: Cost::default(),
        scratch: Vec::new(),
    };
    let mut set = Set::new();
    let first = (log.begin(product.initial()), log.start());
    search.enter(&mut set, first, Node::ROOT, 0)?;
    for at in 0..=log.observations() {
        let mut next = Set::new();
        let possible = search.close(&mut set, &mut next, at)?;
        let cost = search.cost;
        if at == log.observations() {
            let run = search.run(&set);
            return Ok(Verdict::Accepted { states: set.into_states(), run, cost });
        }
        if next.members.is_empty() {
            let run = search.run(&set);
            return Ok(Verdict::Refused { at, states: set.into_states(), possible, run, cost });
        }
        set = next;
    }
    unreachable!("the last turn of the loop returns")
}

/// How a state was reached, without the state itself.
#[derive(Clone, Copy, Debug)]
struct Node<Label> {
    parent: usize,
    /// Hidden steps on the way.
    hidden: u32,
    entry: Option<RunStep<Label>>,
}

impl<Label> Node<Label> {
    const ROOT: Self = Self { parent: usize::MAX, hidden: 0, entry: None };
}

/// The states between two observations.
struct Set<Memory> {
    /// In the order found; the number of its node, and whether its successors were taken.
    members: Vec<(Reached<Memory>, usize, bool)>,
    places: HashMap<Reached<Memory>, usize>,
    /// Members to expand: hidden steps so far, then the order found.
    open: BinaryHeap<Reverse<(u32, usize)>>,
}

impl<Memory> Set<Memory> {
    fn new() -> Self {
        Self { members: Vec::new(), places: HashMap::new(), open: BinaryHeap::new() }
    }

    fn into_states(self) -> Vec<Reached<Memory>> {
        self.members.into_iter().map(|(state, ..)| state).collect()
    }
}

struct Search<'a, 's, S: System, L> {
    product: &'a Product<'s, S>,
    log: &'a L,
    limit: u64,
    nodes: Vec<Node<S::Label>>,
    cost: Cost,
    scratch: Vec<kmodcheck_explore::Choice<S::Label>>,
}

impl<S: System, L: Log<S>> Search<'_, '_, S, L> {
    /// Adds a state to `set`, or a way to it with fewer hidden steps.
    fn enter(
        &mut self,
        set: &mut Set<L::Memory>,
        state: Reached<L::Memory>,
        node: Node<S::Label>,
        at: usize,
    ) -> Result<(), AcceptError> {
        let hidden = node.hidden;
        let place = match set.places.entry(state) {
            Entry::Occupied(place) => {
                let place = *place.get();
                let (_, number, expanded) = &set.members[place];
                if *expanded || self.nodes[*number].hidden <= hidden {
                    return Ok(());
                }
                self.nodes[*number] = node;
                place
            }
            Entry::Vacant(vacant) => {
                if self.nodes.len() as u64 >= self.limit {
                    let widest = set.members.len();
                    return Err(AcceptError::TooMany { limit: self.limit, at, widest });
                }
                let place = set.members.len();
                set.members.push((vacant.key().clone(), self.nodes.len(), false));
                self.nodes.push(node);
                vacant.insert(place);
                self.cost.nodes += 1;
                self.cost.widest = self.cost.widest.max(set.members.len());
                place
            }
        };
        set.open.push(Reverse((hidden, place)));
        Ok(())
    }

    /// Adds to `set` what hidden steps reach from it, and to `next` what observation `at` leads to.
    /// Returns what could have been noticed instead, if that is nothing.
    fn close(
        &mut self,
        set: &mut Set<L::Memory>,
        next: &mut Set<L::Memory>,
        at: usize,
    ) -> Result<Vec<(usize, S::Label)>, AcceptError> {
        let log = self.log;
        let mut possible: Vec<(usize, S::Label)> = Vec::new();
        let mut found = Vec::new();
        while let Some(Reverse((hidden, place))) = set.open.pop() {
            let (state, number, expanded) = &mut set.members[place];
            if std::mem::replace(expanded, true) {
                continue;
            }
            let (state, parent) = (state.clone(), *number);
            let node = |step, observation: Option<usize>| Node {
                parent,
                hidden: hidden + u32::from(observation.is_none()),
                entry: Some(RunStep { step, observation }),
            };
            if at < log.observations()
                && let Some(memory) = log.holds(at, &state.1, &state.0)
            {
                self.enter(next, (state.0, memory), node(None, Some(at)), at)?;
            }
            let mut scratch = std::mem::take(&mut self.scratch);
            let taken = self.product.successors(&state.0, &mut scratch, |transition| {
                let step = Some(transition.as_trace_step());
                match log.fit(at, &state.1, transition) {
                    Fit::Seen(memory) => {
                        assert!(at < log.observations(), "seen after the log's end");
                        found.push((true, (*transition.after, memory), node(step, Some(at))));
                    }
                    Fit::Hidden(memory) => {
                        found.push((false, (*transition.after, memory), node(step, None)));
                    }
                    Fit::Forbidden => {
                        let way = (transition.actor, transition.label.clone());
                        if !possible.contains(&way) {
                            possible.push(way);
                        }
                    }
                }
                ControlFlow::Continue(())
            });
            self.scratch = scratch;
            taken?;
            for (seen, state, node) in found.drain(..) {
                self.enter(if seen { next } else { set }, state, node, at)?;
            }
        }
        possible.sort_by_key(|(actor, _)| *actor);
        Ok(possible)
    }

    /// A run to the set's state that was reached with the fewest hidden steps.
    fn run(&self, set: &Set<L::Memory>) -> Vec<RunStep<S::Label>> {
        let nodes = set.members.iter().map(|(_, number, _)| *number);
        let mut number = nodes
            .min_by_key(|number| (self.nodes[*number].hidden, *number))
            .expect("no set is empty before its log is refused");
        let mut run = Vec::new();
        while let Some(entry) = self.nodes[number].entry.clone() {
            run.push(entry);
            number = self.nodes[number].parent;
        }
        run.reverse();
        run
    }
}

/// A log of steps by process and label, such as another description of the same system writes.
#[derive(Clone, Debug)]
pub struct Steps<'l, Label, Hidden> {
    /// The observed steps, each with the process that took it.
    pub steps: &'l [(usize, Label)],
    /// Which steps the log leaves out wherever they are taken; all others must be in it.
    pub hidden: Hidden,
}

impl<S, Hidden> Log<S> for Steps<'_, S::Label, Hidden>
where
    S: System,
    Hidden: Fn(usize, &S::Label) -> bool,
{
    type Memory = ();

    fn observations(&self) -> usize {
        self.steps.len()
    }

    fn start(&self) -> Self::Memory {}

    fn fit(&self, at: usize, _: &(), transition: &Transition<'_, S::Label>) -> Fit<()> {
        if (self.hidden)(transition.actor, &transition.label) {
            Fit::Hidden(())
        } else if self.steps.get(at) == Some(&(transition.actor, transition.label.clone())) {
            Fit::Seen(())
        } else {
            Fit::Forbidden
        }
    }
}
