//! The part of the state graph around a trace: its states, and what else could have been done in
//! each of them.
//!
//! Exact: every transition from a state of the trace is an edge; states that others lead to are
//! leaves, whose own transitions are left out. Costs one expansion for each step.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use kmodcheck_explore::{Configuration, Product};
use kmodcheck_model::Model;

use super::{Story, Trace};
use crate::Processes;

/// A state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// After how many steps of the trace; `None`: beside it.
    pub on_trace: Option<usize>,
}

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// From this node.
    pub from: usize,
    /// To this node.
    pub to: usize,
    /// Who steps.
    pub actor: usize,
    /// In which function.
    pub function: &'static str,
    /// What happens.
    pub what: String,
    /// Whether it is a step of the trace.
    pub taken: bool,
}

/// States and transitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The states, those of the trace first, in order.
    pub nodes: Vec<Node>,
    /// The transitions from states of the trace.
    pub edges: Vec<Edge>,
}

/// The graph around a trace that fits the model; `None` if it does not fit.
pub fn around(model: &Model, trace: &Trace) -> Option<Graph> {
    let system = Processes { model };
    let product = Product::new(&system)?;
    let mut states = vec![product.initial()];
    kmodcheck_explore::replay::replay(&product, trace, |_, t| states.push(*t.after)).ok()?;
    let mut graph = Graph::default();
    let mut known: BTreeMap<Configuration, usize> = BTreeMap::new();
    for (i, state) in states.iter().enumerate() {
        // A trace that comes back to a state it has been in has one node for both.
        known.entry(*state).or_insert(i);
        graph.nodes.push(Node { on_trace: Some(i) });
    }
    let mut scratch = Vec::new();
    for (i, state) in states.iter().enumerate() {
        let step = trace.get(i);
        let _ = product.successors(state, &mut scratch, |t| {
            let taken = step.is_some_and(|s| s.actor == t.actor && s.ordinal == t.ordinal);
            let to = if taken {
                i + 1
            } else {
                *known.entry(*t.after).or_insert_with(|| {
                    graph.nodes.push(Node { on_trace: None });
                    graph.nodes.len() - 1
                })
            };
            graph.edges.push(Edge {
                from: i,
                to,
                actor: t.actor,
                function: t.label.function(),
                what: t.label.describe(model.scenario()).to_string(),
                taken,
            });
            ControlFlow::Continue(())
        });
    }
    Some(graph)
}

/// The whole state of every node of the graph around `trace`.
///
/// # Panics
/// For a graph that is not the one around `trace`.
pub fn states(
    product: &Product<'_, Processes<'_>>,
    trace: &Trace,
    graph: &Graph,
) -> Vec<Configuration> {
    let mut on_trace = vec![product.initial()];
    let replayed =
        kmodcheck_explore::replay::replay(product, trace, |_, t| on_trace.push(*t.after));
    replayed.expect("the graph is of a trace that replays");
    let mut states = vec![product.initial(); graph.nodes.len()];
    states[..on_trace.len()].copy_from_slice(&on_trace);
    let mut scratch = Vec::new();
    for (i, state) in on_trace.iter().enumerate() {
        let mut edges = graph.edges.iter().filter(|e| e.from == i);
        let _ = product.successors(state, &mut scratch, |t| {
            let edge = edges.next().expect("the graph has every transition");
            states[edge.to] = *t.after;
            ControlFlow::Continue(())
        });
    }
    states
}

/// What a node of the trace shows of the shared state: each module's state and sysfs entries.
pub fn caption(story: &Story, steps: usize) -> String {
    let shared = match steps.checked_sub(1) {
        None => &story.initial,
        Some(last) => &story.steps[last].after,
    };
    let modules = shared.modules.iter().map(|m| {
        let sysfs = match (m.directory, m.initstate) {
            (true, true) => " dir initstate",
            (true, false) => " dir",
            (false, _) => "",
        };
        let fs = if m.registered == Some(true) { " fs" } else { "" };
        format!("{} {}{sysfs}{fs}", m.name, m.state)
    });
    modules.collect::<Vec<_>>().join("; ")
}
