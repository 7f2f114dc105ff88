//! What a step is, said once, for every form of whole states with numbered processes.
//!
//! 1. *Step*: one of the ways that [`System::step`] offers the process, its *actor*: the shared state and
//!    the actor's own local state become those of the [`Choice`]. Dormant processes are not asked.
//! 2. *Observe*: if the shared state is another one now, everybody who is not dormant remembers that
//!    ([`System::observe`]), the actor from its new local state.
//! 3. *Effect*: then others are woken, or one is started ([`Effect`]). Not the actor.
//! 4. *Alternatives*: each way is one of the actor's alternatives; one that wakes a single process is as
//!    many as there are processes asleep on the queue, and one if there are none; one that starts a process
//!    is none where no dormant one of the kind is left. They are numbered from 0, in the order of the ways,
//!    and of the processes woken.
//!
//! The forms that work in numbers (`counted`, `coverability`) do the third and the fourth part their own way;
//! `forms.rs` holds each of them to this one, transition by transition.

use std::ops::ControlFlow;

use super::interface::{Choice, Effect, Footprint, Kind, Local, Queue, Shared, System, WayOut};

/// The part of a transition that the actor alone decides, wherever the others stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<Label> {
    /// The actor's kind.
    pub kind: Kind,
    /// The shared state before.
    pub before: Shared,
    /// The shared state after.
    pub after: Shared,
    /// The actor's local state before.
    pub local_before: Local,
    /// The actor's local state after, with what it remembers of its own change.
    pub local_after: Local,
    /// What the step is called.
    pub label: Label,
    /// Ordinary step or way out.
    pub way_out: WayOut,
    /// What was read and written.
    pub footprint: Footprint,
    /// What the step does to others.
    pub effect: Effect,
}

/// What the successor function can report besides transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolExhausted(pub Kind);

/// The processes of a whole state, in whichever form.
pub(crate) trait Processes: Clone {
    /// How many there are.
    fn count(&self) -> usize;

    /// The kind of a process.
    fn kind(&self, i: usize) -> Kind;

    /// The local state of a process.
    fn local(&self, i: usize) -> Local;

    /// Gives a process that is in the local state `from` the local state `to`.
    fn change(&mut self, i: usize, from: Local, to: Local);

    /// Whether it is known that the step that is taken leaves a process as it is: it remembers nothing of it, and is not
    /// woken by it.
    #[inline]
    fn is_left(&self, _: usize) -> bool {
        false
    }
}

/// Whether a process has not been started.
#[inline]
pub(crate) fn is_dormant<S: System>(system: &S, kind: Kind, local: Local) -> bool {
    system.dormant(kind) == Some(local)
}

/// Whether nobody waits for such a process to run.
#[inline]
pub(crate) fn is_at_rest<S: System>(system: &S, kind: Kind, local: Local) -> bool {
    is_dormant(system, kind, local) || system.returned(kind, local)
}

/// What a process has in mind once it has observed a change of the shared state.
#[inline]
pub(crate) fn remembered<S: System>(
    system: &S,
    kind: Kind,
    (before, after): (Shared, Shared),
    local: Local,
) -> Local {
    if before == after || is_dormant(system, kind, local) {
        return local;
    }
    system.observe(kind, before, after, local)
}

/// The local state of a process once somebody else has woken `queue`, if it is asleep there.
#[inline]
pub(crate) fn woken<S: System>(
    system: &S,
    kind: Kind,
    local: Local,
    queue: Queue,
) -> Option<Local> {
    if is_dormant(system, kind, local) { None } else { system.wake(kind, local, queue) }
}

/// Everybody but the actor observes a change of the shared state. `after`: those of `before`, but for the
/// actor.
#[inline]
pub(crate) fn others_remember<S: System, P: Processes>(
    system: &S,
    actor: usize,
    change: (Shared, Shared),
    before: &P,
    after: &mut P,
) {
    for i in (0..before.count()).filter(|i| *i != actor && !before.is_left(*i)) {
        let local = before.local(i);
        let remembered = remembered(system, before.kind(i), change, local);
        if remembered != local {
            after.change(i, local, remembered);
        }
    }
}

/// The alternatives of a step that has been taken and observed (`seen`), by its effect on others.
///
/// # Errors
/// No dormant process is left to be started.
pub(crate) fn affect<S: System, P: Processes>(
    system: &S,
    actor: usize,
    effect: Effect,
    seen: &P,
    mut emit: impl FnMut(&P) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, PoolExhausted> {
    let wake = |seen: &P, i: usize, queue: Queue| {
        let local = seen.local(i);
        let left = i == actor || seen.is_left(i);
        let to = if left { None } else { woken(system, seen.kind(i), local, queue) };
        to.map(|to| (local, to))
    };
    let mut after;
    match effect {
        Effect::None => return Ok(emit(seen)),
        Effect::WakeAll(queue) => {
            after = seen.clone();
            for i in 0..seen.count() {
                if let Some((from, to)) = wake(seen, i, queue) {
                    after.change(i, from, to);
                }
            }
        }
        Effect::WakeOne(queue) => {
            let mut nobody = true;
            for i in 0..seen.count() {
                if let Some((from, to)) = wake(seen, i, queue) {
                    nobody = false;
                    let mut after = seen.clone();
                    after.change(i, from, to);
                    if emit(&after).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            return Ok(if nobody { emit(seen) } else { ControlFlow::Continue(()) });
        }
        Effect::Spawn(kind, local) => {
            let free = |i: &usize| {
                *i != actor && seen.kind(*i) == kind && is_dormant(system, kind, seen.local(*i))
            };
            let free = (0..seen.count()).find(free).ok_or(PoolExhausted(kind))?;
            after = seen.clone();
            after.change(free, seen.local(free), local);
        }
    }
    Ok(emit(&after))
}

/// Visits every alternative of one process: its number, the step, and the processes afterwards. Whether to
/// go on, and what was wanted of a pool and not there.
pub(crate) fn alternatives<S: System, P: Processes>(
    system: &S,
    (shared, before): (Shared, &P),
    actor: usize,
    ways: &mut Vec<Choice<S::Label>>,
    mut visit: impl FnMut(u32, &Step<S::Label>, &P) -> ControlFlow<()>,
) -> (ControlFlow<()>, Result<(), PoolExhausted>) {
    let (kind, local) = (before.kind(actor), before.local(actor));
    let mut exhausted = Ok(());
    ways.clear();
    if !is_dormant(system, kind, local) {
        system.step(kind, shared, local, ways);
    }
    let mut ordinal = 0;
    for way in ways.iter() {
        let change = (shared, way.shared);
        let own = remembered(system, kind, change, way.local);
        let step = Step::of(kind, (shared, local), way, own);
        let mut seen = before.clone();
        seen.change(actor, local, own);
        others_remember(system, actor, change, before, &mut seen);
        let affected = affect(system, actor, way.effect, &seen, |after| {
            ordinal += 1;
            visit(ordinal - 1, &step, after)
        });
        match affected {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return (ControlFlow::Break(()), Ok(())),
            Err(kind) => exhausted = exhausted.and(Err(kind)),
        }
    }
    (ControlFlow::Continue(()), exhausted)
}

/// How many alternatives a step has, before it is taken: as many as [`alternatives`] visits of it.
///
/// # Errors
/// No dormant process is left to be started.
#[inline]
pub(crate) fn how_many<S: System, P: Processes>(
    system: &S,
    actor: usize,
    step: &Step<S::Label>,
    before: &P,
) -> Result<usize, PoolExhausted> {
    let mut others = (0..before.count()).filter(|i| *i != actor).map(|i| {
        let kind = before.kind(i);
        (kind, remembered(system, kind, (step.before, step.after), before.local(i)))
    });
    match step.effect {
        Effect::None | Effect::WakeAll(_) => Ok(1),
        Effect::WakeOne(queue) => {
            let asleep = others.filter(|(kind, at)| woken(system, *kind, *at, queue).is_some());
            Ok(asleep.count().max(1))
        }
        Effect::Spawn(kind, _) => {
            let free = others.any(|(of, at)| of == kind && is_dormant(system, kind, at));
            if free { Ok(1) } else { Err(PoolExhausted(kind)) }
        }
    }
}

/// Takes the alternative of a step that has this number among the step's own, in place: the processes
/// are then what [`alternatives`] shows of it.
#[inline]
pub(crate) fn take<S: System, P: Processes>(
    system: &S,
    actor: usize,
    step: &Step<S::Label>,
    mut number: usize,
    processes: &mut P,
) {
    let change = (step.before, step.after);
    processes.change(actor, step.local_before, step.local_after);
    let others = (0..processes.count()).filter(|i| *i != actor);
    if step.before != step.after {
        for i in others.clone() {
            let local = processes.local(i);
            processes.change(i, local, remembered(system, processes.kind(i), change, local));
        }
    }
    for i in others {
        let (kind, local) = (processes.kind(i), processes.local(i));
        match step.effect {
            Effect::None => return,
            Effect::WakeAll(queue) => {
                if let Some(to) = woken(system, kind, local, queue) {
                    processes.change(i, local, to);
                }
            }
            Effect::WakeOne(queue) => {
                if let Some(to) = woken(system, kind, local, queue) {
                    if number == 0 {
                        return processes.change(i, local, to);
                    }
                    number -= 1;
                }
            }
            Effect::Spawn(spawned, to) => {
                if kind == spawned && is_dormant(system, kind, local) {
                    return processes.change(i, local, to);
                }
            }
        }
    }
}

impl<Label: Clone> Step<Label> {
    /// The part of a transition that the actor alone decides: from a shared and a local state by one of its
    /// ways; `own`: its local state afterwards, with what it remembers of its own change.
    pub fn of(
        kind: Kind,
        (before, local_before): (Shared, Local),
        way: &Choice<Label>,
        own: Local,
    ) -> Self {
        Self {
            kind,
            before,
            after: way.shared,
            local_before,
            local_after: own,
            label: way.label.clone(),
            way_out: way.way_out,
            footprint: way.footprint,
            effect: way.effect,
        }
    }
}
