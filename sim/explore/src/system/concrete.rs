//! Any number of numbered processes, as plainly as possible: the states that traces of large systems
//! go through.
//!
//! - Decides: whether a trace is one of the system, and what it does ([`replay`]).
//! - Needs: nothing; there is no limit on processes, and no packing, hashing or symmetry.
//! - Costs: a copy of all local states for each transition. Not for searching.
//!
//! It numbers alternatives as [`crate::product::Product`] does, so that a trace means the same in
//! both.

use std::ops::ControlFlow;

use super::interface::{Choice, DORMANT, Effect, Initial, Kind, Local, Queue, Shared, System};
use super::product::{Census, PoolExhausted, Step};
use super::replay::Impossible;
use super::trace::TraceStep;

/// A whole state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Everybody {
    /// The shared state.
    pub shared: Shared,
    /// The kind and the local state of each process.
    pub processes: Vec<(Kind, Local)>,
}

impl Census for Everybody {
    fn count(&self, kind: Kind, local: Local) -> usize {
        self.processes.iter().filter(|process| **process == (kind, local)).count()
    }
}

impl Everybody {
    /// The initial state of a system.
    pub fn initial<S: System>(system: &S) -> Self {
        let Initial { shared, processes } = system.initial();
        Self { shared, processes }
    }
}

/// One transition between two whole states.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a, Label> {
    /// The state before.
    pub before: &'a Everybody,
    /// The state after.
    pub after: &'a Everybody,
    /// Which process stepped.
    pub actor: usize,
    /// Which of its alternatives in `before` this is, counted from 0.
    pub ordinal: u32,
    /// What it did.
    pub step: Step<Label>,
}

impl<Label: Copy> Taken<'_, Label> {
    /// The transition as a step of a trace.
    pub fn as_trace_step(&self) -> TraceStep<Label> {
        TraceStep { actor: self.actor, ordinal: self.ordinal, label: self.step.label }
    }
}

/// Visits every transition from `before`, process by process.
///
/// # Errors
/// The first step that wanted a dormant process and found none. The other transitions are visited
/// all the same.
pub fn transitions<S: System>(
    system: &S,
    before: &Everybody,
    mut visit: impl FnMut(&Taken<'_, S::Label>) -> ControlFlow<()>,
) -> Result<(), PoolExhausted> {
    let mut exhausted = Ok(());
    for actor in 0..before.processes.len() {
        let flow = transitions_of(system, before, actor, &mut exhausted, &mut visit);
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
    before: &Everybody,
    actor: usize,
    mut visit: impl FnMut(&Taken<'_, S::Label>) -> ControlFlow<()>,
) -> Result<(), PoolExhausted> {
    let mut exhausted = Ok(());
    let flow = transitions_of(system, before, actor, &mut exhausted, &mut visit);
    if flow.is_break() { Ok(()) } else { exhausted }
}

fn transitions_of<S: System>(
    system: &S,
    before: &Everybody,
    actor: usize,
    exhausted: &mut Result<(), PoolExhausted>,
    visit: &mut impl FnMut(&Taken<'_, S::Label>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (kind, local) = before.processes[actor];
    if local == DORMANT {
        return ControlFlow::Continue(());
    }
    let mut choices = Vec::new();
    system.step(kind, before.shared, local, &mut choices);
    let mut ordinal = 0;
    for choice in &choices {
        let mut emit = |after: &Everybody| {
            let step = Step {
                kind,
                before: before.shared,
                after: after.shared,
                local_before: local,
                local_after: after.processes[actor].1,
                label: choice.label,
                way_out: choice.way_out,
                footprint: choice.footprint,
                effect: choice.effect,
            };
            let taken = Taken { before, after, actor, ordinal, step };
            ordinal += 1;
            visit(&taken)
        };
        let mut after = seen_by_all(system, before, actor, choice);
        let wake = |after: &Everybody, i: usize, queue: Queue| {
            let (kind, local) = after.processes[i];
            (i != actor && local != DORMANT).then(|| system.wake(kind, local, queue)).flatten()
        };
        let all = 0..after.processes.len();
        match choice.effect {
            Effect::None => emit(&after)?,
            Effect::WakeAll(queue) => {
                for i in all {
                    if let Some(woken) = wake(&after, i, queue) {
                        after.processes[i].1 = woken;
                    }
                }
                emit(&after)?;
            }
            Effect::WakeOne(queue) => {
                let asleep = after.clone();
                let mut woke_one = false;
                for i in all {
                    if let Some(woken) = wake(&asleep, i, queue) {
                        woke_one = true;
                        after.processes[i].1 = woken;
                        emit(&after)?;
                        after.processes[i].1 = asleep.processes[i].1;
                    }
                }
                if !woke_one {
                    emit(&asleep)?;
                }
            }
            Effect::Spawn(kind, local) => {
                let free =
                    all.into_iter().find(|i| *i != actor && after.processes[*i] == (kind, DORMANT));
                match free {
                    Some(free) => {
                        after.processes[free].1 = local;
                        emit(&after)?;
                    }
                    None => *exhausted = exhausted.and(Err(PoolExhausted(kind))),
                }
            }
        }
    }
    ControlFlow::Continue(())
}

/// The actor's own step and everybody's history; not the effect.
fn seen_by_all<S: System>(
    system: &S,
    before: &Everybody,
    actor: usize,
    choice: &Choice<S::Label>,
) -> Everybody {
    let mut after = Everybody { shared: choice.shared, processes: before.processes.clone() };
    after.processes[actor].1 = choice.local;
    if after.shared != before.shared {
        for (kind, local) in after.processes.iter_mut().filter(|process| process.1 != DORMANT) {
            *local = system.observe(*kind, before.shared, after.shared, *local);
        }
    }
    after
}

/// Takes the steps of `trace` from the initial state, calling `visit` for each, and returns the last
/// state.
///
/// # Errors
/// The first step whose process has no alternative of that number with that label.
pub fn replay<S: System>(
    system: &S,
    trace: &[TraceStep<S::Label>],
    mut visit: impl FnMut(usize, &Taken<'_, S::Label>),
) -> Result<Everybody, Impossible<S::Label>> {
    let mut now = Everybody::initial(system);
    for (number, wanted) in trace.iter().enumerate() {
        let mut possible = Vec::new();
        let mut next = None;
        if wanted.actor < now.processes.len() {
            let mut exhausted = Ok(());
            let _ = transitions_of(system, &now, wanted.actor, &mut exhausted, &mut |taken| {
                possible.push(taken.step.label);
                if (taken.ordinal, taken.step.label) == (wanted.ordinal, wanted.label) {
                    visit(number, taken);
                    next = Some(taken.after.clone());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
        }
        now = next.ok_or(Impossible { step: number, possible })?;
    }
    Ok(now)
}

/// The trace whose `i`-th step is the first transition for which `wanted(i, ..)` holds, if there is
/// one each time. `symmetry`: exchanging processes of one kind does not change what is wanted.
pub(crate) fn follow<S: System>(
    system: &S,
    steps: usize,
    symmetry: bool,
    mut wanted: impl FnMut(usize, &Taken<'_, S::Label>) -> bool,
) -> Option<(Vec<TraceStep<S::Label>>, Everybody)> {
    let mut now = Everybody::initial(system);
    let mut trace = Vec::with_capacity(steps);
    for number in 0..steps {
        let mut next = None;
        for actor in 0..now.processes.len() {
            // The first in a local state stands for the others.
            if symmetry && now.processes[..actor].contains(&now.processes[actor]) {
                continue;
            }
            let flow = transitions_of(system, &now, actor, &mut Ok(()), &mut |taken| {
                if wanted(number, taken) {
                    trace.push(taken.as_trace_step());
                    next = Some(taken.after.clone());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            if flow.is_break() {
                break;
            }
        }
        now = next?;
    }
    Some((trace, now))
}
