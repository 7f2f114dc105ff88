//! The whole state graph of a small system: every state that can be reached, every transition, and what each of them
//! violates. Neither symmetry nor partial order: who reads it may choose any step.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use kmodcheck_explore::{
    Configuration, MAX_PROCESSES, PoolExhausted, Product, System, Unexplorable, WayOut,
};
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::Processes;

use super::asked::{self, Asked};
use crate::property::{Property, View};

/// A transition.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Who steps.
    pub actor: usize,
    /// Which of its alternatives, from 0.
    pub ordinal: u32,
    /// What it does.
    pub event: Event,
    /// Whether it is a way out that the scenario grants.
    pub way_out: WayOut,
    /// The state that it leads to.
    pub to: usize,
    /// What the step shows: a bit for each of [`StateGraph::asked_of`], by place.
    pub shows: u64,
}

/// What is asked of every step and state.
#[derive(Clone, Debug)]
pub enum Question {
    /// That a property holds.
    Property(Property),
    /// What the scenario asks itself.
    Own(Asked),
}

impl Question {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Property(property) => property.name(),
            Self::Own(asked) => &asked.name,
        }
    }

    /// What it says, in a sentence.
    pub fn statement(&self) -> &str {
        match self {
            Self::Property(property) => property.statement(),
            Self::Own(asked) => &asked.statement,
        }
    }

    /// Whether it is that some state is so: what shows it violates nothing.
    pub fn exists(&self) -> bool {
        matches!(self, Self::Own(asked) if asked.exists)
    }
}

/// States and transitions, in the order of a breadth-first search from the initial state, which is number 0.
#[derive(Clone, Debug)]
pub struct StateGraph {
    /// What is asked: the properties that speak of what the model does, then what the scenario asks.
    pub asked_of: Vec<Question>,
    /// The states.
    pub states: Vec<Configuration>,
    /// By state: what it shows without a step, as [`Edge::shows`]: that somebody sleeps for ever; of the first, what the
    /// scenario asks of it.
    pub shows: Vec<u64>,
    /// By state: where its transitions begin.
    begins: Vec<usize>,
    edges: Vec<Edge>,
}

/// Why there is no graph.
#[derive(Debug, thiserror::Error)]
pub enum NoGraph {
    /// There are more transitions than were wanted.
    #[error("more than {0} transitions")]
    TooLarge(usize),
    /// A step has started a process, and there was none left.
    #[error("a step starts a helper and no room is left for one")]
    PoolExhausted,
    /// The search cannot be made at all.
    #[error(transparent)]
    Unexplorable(#[from] Unexplorable),
}

impl StateGraph {
    /// That of `model`, if it has at most `most` transitions. It is judged by the properties that read no more than the
    /// model remembers: of one that remembers all ([`kmodcheck_model::History::Both`]) by all of them.
    ///
    /// # Errors
    /// There are more, or the search cannot be made at all.
    pub fn of(model: &Model, most: usize) -> Result<Self, NoGraph> {
        let system = Processes { model };
        let product = Product::new(&system).ok_or_else(|| Unexplorable::TooManyProcesses {
            found: system.initial().processes.len(),
            most: MAX_PROCESSES,
        })?;
        let applicable = Property::ALL.into_iter();
        let applicable = applicable.filter(|p| p.applies(model) && p.is_remembered(model));
        let properties: Vec<Property> = applicable.collect();
        let own = asked::questions(model);
        let mut graph = Self {
            states: vec![product.initial()],
            shows: Vec::new(),
            begins: vec![0],
            edges: Vec::new(),
            asked_of: Vec::new(),
        };
        let mut known = HashMap::from([(product.initial(), 0)]);
        let mut scratch = Vec::new();
        let mut at = 0;
        while let Some(state) = graph.states.get(at).copied() {
            let (states, edges) = (&mut graph.states, &mut graph.edges);
            let all = product.successors(&state, &mut scratch, |t| {
                let to = *known.entry(*t.after).or_insert_with(|| {
                    states.push(*t.after);
                    states.len() - 1
                });
                let view = View::of(model, &t.step);
                let violated = properties.iter().enumerate();
                let violated = violated.filter(|(_, p)| view.violates([*p]) != 0);
                let shows = violated.fold(0, |bits, (at, _)| bits | 1 << at)
                    | asked::shown(&own, model, &t.step, properties.len());
                let (event, way_out) = (t.label, t.way_out);
                edges.push(Edge { actor: t.actor, ordinal: t.ordinal, event, way_out, to, shows });
                match edges.len() > most {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            all.map_err(|PoolExhausted(_)| NoGraph::PoolExhausted)?;
            if graph.edges.len() > most {
                return Err(NoGraph::TooLarge(most));
            }
            graph.begins.push(graph.edges.len());
            at += 1;
        }
        graph.shows = vec![0; graph.states.len()];
        if let Some(sleeps) = properties.iter().position(|p| *p == Property::NobodySleepsForEver) {
            let stuck = stuck(&graph, &product);
            for (shows, stuck) in graph.shows.iter_mut().zip(stuck) {
                *shows |= u64::from(stuck) << sleeps;
            }
        }
        for (at, asked) in own.iter().enumerate() {
            graph.shows[0] |= u64::from(asked.shows_at_first(model)) << (properties.len() + at);
        }
        let properties = properties.into_iter().map(Question::Property);
        graph.asked_of = properties.chain(own.into_iter().map(Question::Own)).collect();
        Ok(graph)
    }

    /// The transitions from a state, process by process.
    pub fn from(&self, state: usize) -> &[Edge] {
        &self.edges[self.numbers(state)]
    }

    /// Their numbers.
    pub fn numbers(&self, state: usize) -> Range<usize> {
        self.begins[state]..self.begins[state + 1]
    }

    /// All transitions.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }
}

/// By state: whether some process that is blocked there is blocked in all that can be reached without a kill.
fn stuck<S: System>(graph: &StateGraph, product: &Product<'_, S>) -> Vec<bool> {
    let states = graph.states.len();
    // By state: the states from which one step, not a kill, leads there.
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); states];
    for state in 0..states {
        for edge in graph.from(state).iter().filter(|e| e.way_out <= WayOut::TimeOut) {
            before[edge.to].push(state);
        }
    }
    let mut stuck = vec![false; states];
    for process in 0..product.processes() {
        // Where it is at rest, or can step; and whatever leads there.
        let runs = |state: usize| {
            product.returned(&graph.states[state], process)
                || graph
                    .from(state)
                    .iter()
                    .any(|e| e.actor == process && e.way_out <= WayOut::TimeOut)
        };
        let mut reaches: Vec<bool> = (0..states).map(runs).collect();
        let mut queue: Vec<usize> = (0..states).filter(|state| reaches[*state]).collect();
        while let Some(state) = queue.pop() {
            for &from in &before[state] {
                if !std::mem::replace(&mut reaches[from], true) {
                    queue.push(from);
                }
            }
        }
        for (stuck, reaches) in stuck.iter_mut().zip(reaches) {
            *stuck |= !reaches;
        }
    }
    stuck
}
