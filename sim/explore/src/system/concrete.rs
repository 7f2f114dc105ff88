//! Any number of numbered processes, as plainly as possible: the states that traces of large systems
//! go through.
//!
//! - Decides: whether a trace is one of the system, and what it does ([`replay`]).
//! - Needs: nothing; there is no limit on processes, and no packing, hashing or symmetry.
//! - Costs: a copy of all local states for each transition. Not for searching.
//!
//! It numbers alternatives as [`Product`](super::Product) does, so that a trace means the same in
//! both.

use std::ops::ControlFlow;

use super::interface::{Choice, Initial, Kind, Local, Shared, System};
use super::product::{Census, Transition};
use super::replay::{Impossible, replay_by};
use super::successor::{PoolExhausted, Processes, alternatives};
use super::trace::TraceStep;

/// A whole state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The shared state.
    pub shared: Shared,
    /// The kind and the local state of each process.
    pub processes: Vec<(Kind, Local)>,
}

impl Census for State {
    fn count(&self, kind: Kind, local: Local) -> usize {
        self.processes.iter().filter(|process| **process == (kind, local)).count()
    }
}

impl State {
    /// The initial state of a system.
    pub fn initial<S: System>(system: &S) -> Self {
        let Initial { shared, processes } = system.initial();
        Self { shared, processes }
    }
}

impl Processes for Vec<(Kind, Local)> {
    fn count(&self) -> usize {
        self.len()
    }

    fn kind(&self, i: usize) -> Kind {
        self[i].0
    }

    fn local(&self, i: usize) -> Local {
        self[i].1
    }

    fn change(&mut self, i: usize, _: Local, to: Local) {
        self[i].1 = to;
    }
}

/// Visits every transition from `before`, process by process.
///
/// # Errors
/// The first step that wanted a dormant process and found none. The other transitions are visited
/// all the same.
pub fn transitions<S: System>(
    system: &S,
    before: &State,
    mut visit: impl FnMut(&Transition<'_, S::Label, State>) -> ControlFlow<()>,
) -> Result<(), PoolExhausted> {
    let (mut ways, mut exhausted) = (Vec::new(), Ok(()));
    for actor in 0..before.processes.len() {
        let (flow, all) = transitions_of(system, before, actor, &mut ways, &mut visit);
        exhausted = exhausted.and(all);
        if flow.is_break() {
            return Ok(());
        }
    }
    exhausted
}

/// Visits every transition of one process.
///
/// # Errors
/// The first step that wanted a dormant process and found none.
pub fn transitions_of_one<S: System>(
    system: &S,
    before: &State,
    actor: usize,
    visit: impl FnMut(&Transition<'_, S::Label, State>) -> ControlFlow<()>,
) -> Result<(), PoolExhausted> {
    transitions_of(system, before, actor, &mut Vec::new(), visit).1
}

fn transitions_of<S: System>(
    system: &S,
    before: &State,
    actor: usize,
    ways: &mut Vec<Choice<S::Label>>,
    mut visit: impl FnMut(&Transition<'_, S::Label, State>) -> ControlFlow<()>,
) -> (ControlFlow<()>, Result<(), PoolExhausted>) {
    let from = (before.shared, &before.processes);
    alternatives(system, from, actor, ways, |ordinal, step, processes| {
        let after = &State { shared: step.after, processes: processes.clone() };
        visit(&Transition { before, after, actor, ordinal, step: step.clone() })
    })
}

/// Takes the steps of `trace` from the initial state, calling `visit` for each, and returns the last
/// state.
///
/// # Errors
/// The first step whose process has no alternative of that number with that label.
pub fn replay<S: System>(
    system: &S,
    trace: &[TraceStep<S::Label>],
    visit: impl FnMut(usize, &Transition<'_, S::Label, State>),
) -> Result<State, Impossible<S::Label>> {
    let mut ways = Vec::new();
    let processes = system.initial().processes.len();
    replay_by(State::initial(system), trace, visit, |now, actor, visit| {
        if actor < processes {
            let _ = transitions_of(system, now, actor, &mut ways, visit);
        }
    })
}

/// The trace whose `i`-th step is the first transition for which `wanted(i, ..)` holds, if there is
/// one each time. `symmetry`: exchanging processes of one kind does not change what is wanted.
pub(crate) fn follow<S: System>(
    system: &S,
    steps: usize,
    symmetry: bool,
    mut wanted: impl FnMut(usize, &Transition<'_, S::Label, State>) -> bool,
) -> Option<(Vec<TraceStep<S::Label>>, State)> {
    let mut now = State::initial(system);
    let mut trace = Vec::with_capacity(steps);
    let mut ways = Vec::new();
    for number in 0..steps {
        let mut next = None;
        for actor in 0..now.processes.len() {
            // The first in a local state stands for the others.
            if symmetry && now.processes[..actor].contains(&now.processes[actor]) {
                continue;
            }
            let _ = transitions_of(system, &now, actor, &mut ways, |taken| {
                if wanted(number, taken) {
                    trace.push(taken.as_trace_step());
                    next = Some(taken.after.clone());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            if next.is_some() {
                break;
            }
        }
        now = next?;
    }
    Some((trace, now))
}
