//! Of all shortest ways to a transition that is looked for, one with the fewest context switches: the
//! one that reads best.
//!
//! - Paper: breadth-first layers as in [`crate::bfs`], and within them the dynamic programme of
//!   R. Bellman, 'On a routing problem', 1958, on pairs of a state and the process that stepped last.
//! - Decides: the least number of switches among the shortest traces, exactly.
//! - Needs of the system: nothing else than breadth-first search does. No symmetry: exchanging
//!   processes would hide who steps.
//! - Costs: as many nodes as there are pairs of a state within that depth and a process that can have
//!   stepped last; some 200 bytes each. Not for large systems.
//!
//! A state on a shortest trace is reached there as early as it can be, or the trace could be
//! shortened; so each state belongs to one layer, and only its last process is left to tell apart.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use foldhash::fast::FixedState;

use crate::system::{Configuration, Product, System, TraceStep, Transition};

/// Where to start and how far to go.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Transitions of the first so many layers are not asked: for a caller who knows that the
    /// shortest trace is longer.
    pub skip: usize,
    /// Most nodes to keep.
    pub nodes: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fewest<Label> {
    /// A shortest trace, none of the same length has fewer switches; its last step is the one looked
    /// for.
    Trace {
        /// The steps.
        trace: Vec<TraceStep<Label>>,
        /// How often a process's step is followed by another process's.
        switches: usize,
    },
    /// No such transition can be reached.
    Nothing,
    /// The bound on nodes was met first.
    Cut,
}

struct Node<Label> {
    state: Configuration,
    /// Who stepped last; nobody at the start.
    last: Option<usize>,
    switches: usize,
    parent: usize,
    step: Option<TraceStep<Label>>,
}

/// Searches from `start` for a transition that `wanted` accepts.
pub fn fewest_switches<S: System>(
    product: &Product<'_, S>,
    start: Configuration,
    bounds: Bounds,
    mut wanted: impl FnMut(&Transition<'_, S::Label>) -> bool,
) -> Fewest<S::Label> {
    let mut nodes =
        vec![Node { state: start, last: None, switches: 0, parent: usize::MAX, step: None }];
    let mut seen: HashSet<Configuration, FixedState> = HashSet::default();
    seen.insert(start);
    let mut layer = 0..1;
    let mut depth = 0;
    let mut scratch = Vec::new();
    loop {
        // The next layer: by state and last process, where its node is.
        let mut next: HashMap<(Configuration, usize), usize, FixedState> = HashMap::default();
        let mut best: Option<(usize, usize, TraceStep<S::Label>)> = None;
        let mut cut = false;
        for at in layer.clone() {
            let (before, last, switches) = (nodes[at].state, nodes[at].last, nodes[at].switches);
            // A pool that is exhausted ends no trace.
            let _ = product.successors(&before, &mut scratch, |t| {
                let switches = switches + usize::from(last.is_some_and(|last| last != t.actor));
                let step = t.as_trace_step();
                if depth >= bounds.skip
                    && best.as_ref().is_none_or(|(least, ..)| switches < *least)
                    && wanted(t)
                {
                    best = Some((switches, at, step.clone()));
                }
                if best.is_some() || seen.contains(t.after) {
                    return ControlFlow::Continue(());
                }
                match next.get(&(*t.after, t.actor)) {
                    Some(&old) => {
                        if switches < nodes[old].switches {
                            nodes[old].switches = switches;
                            nodes[old].parent = at;
                            nodes[old].step = Some(step);
                        }
                    }
                    None if nodes.len() >= bounds.nodes => cut = true,
                    None => {
                        next.insert((*t.after, t.actor), nodes.len());
                        nodes.push(Node {
                            state: *t.after,
                            last: Some(t.actor),
                            switches,
                            parent: at,
                            step: Some(step),
                        });
                    }
                }
                if cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if cut && best.is_none() {
                return Fewest::Cut;
            }
        }
        if let Some((switches, at, step)) = best {
            return Fewest::Trace { trace: path(&nodes, at, step), switches };
        }
        layer = layer.end..nodes.len();
        if layer.is_empty() {
            return Fewest::Nothing;
        }
        seen.extend(nodes[layer.clone()].iter().map(|node| node.state));
        depth += 1;
    }
}

fn path<Label: Clone>(
    nodes: &[Node<Label>],
    mut at: usize,
    last: TraceStep<Label>,
) -> Vec<TraceStep<Label>> {
    let mut trace = vec![last];
    while let Some(step) = &nodes[at].step {
        trace.push(step.clone());
        at = nodes[at].parent;
    }
    trace.reverse();
    trace
}

/// How often a process's step is followed by another process's.
pub fn switches<Label>(trace: &[TraceStep<Label>]) -> usize {
    trace.windows(2).filter(|pair| pair[0].actor != pair[1].actor).count()
}
