//! The check after modprobe returned 0, as the RFC's readings ([`crate::features::SanityCheck`]) or a patch have it:
//! [`crate::text::CheckRules`]. Each look at the list is one critical section under module_mutex.

use crate::event::{Event, Judgement};
use crate::kernel::kmod::{checked_name, limit};
use crate::model::{Step, Who};
use crate::mutant::Mutant;
use crate::state::{Pc, Ret, Task};
use crate::text::{OfCaller, Then};

/// The check's first place for the name at `task.index`; `None` where there is no check.
pub(crate) fn begin(who: &Who<'_>, task: Task) -> Option<Task> {
    let first = rules(who, &task).first?;
    Some(Task { pc: place(first).expect("it begins with a look or a wait"), ..task })
}

/// What is done about the name at `task.index`.
fn rules<'a>(who: &Who<'a>, task: &Task) -> &'a OfCaller {
    let waits = task.depth > 0 || who.role.waits_for_modprobe();
    let built_in = who.name_model(task).checked[usize::from(task.index)].built_in;
    who.model.check.of(waits, built_in)
}

/// Where it goes on.
fn place(then: Then) -> Option<Pc> {
    match then {
        Then::Exists => Some(Pc::CheckExists),
        Then::Waits => Some(Pc::CheckFinished),
        Then::Looks => Some(Pc::CheckLook),
        Then::Accept | Then::Error(_) => None,
    }
}

/// What a look comes to.
fn then(step: &Step<'_>, then: Then) -> (Judgement, Task) {
    match then {
        Then::Accept => accept(step),
        Then::Error(ret) => reject(step, ret),
        _ => (Judgement::GoOn, step.at(place(then).expect("it is a place"))),
    }
}

/// The name at hand is accepted: on to the next, or out with 0.
fn accept(step: &Step<'_>) -> (Judgement, Task) {
    if step.model().mutant == Some(Mutant::CheckRejectsAll) {
        return reject(step, Ret::Ebusy);
    }
    let next = step.task.index + 1;
    if usize::from(next) < step.who.name_model(&step.task).checked.len() {
        let task = begin(&step.who, Task { index: next, ..step.task }).expect("there is a check");
        return (Judgement::GoOn, task);
    }
    let task = if step.model().mutant == Some(Mutant::CheckBeforeModprobe) {
        limit(&step.who, Task { index: 0, ..step.task })
    } else {
        decided(step, Ret::Zero)
    };
    (Judgement::Accept, task)
}

/// The request is turned into an error.
fn reject(step: &Step<'_>, ret: Ret) -> (Judgement, Task) {
    (Judgement::Reject, decided(step, ret))
}

/// On the way out with `ret`.
fn decided(step: &Step<'_>, ret: Ret) -> Task {
    // The fault: before modprobe there is no slot yet to be given back.
    let before = step.model().mutant == Some(Mutant::CheckBeforeModprobe);
    let task = if before { step.returning(ret) } else { step.finishing(ret) };
    if step.nested() { task } else { Task { live_since_exit: false, ..task } }
}

/// A look that a wait may follow: `kmod_exists()` of `finished_kmod_load()`.
pub(crate) fn exists(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let (judgement, task) = then(&step, rules(&step.who, &step.task).exists[state.place()]);
    step.to(Event::Check { name, state, judgement }, task);
}

/// `wait_event(module_wq, finished_loading(name))`, or `finished_loading()` of a request that does not wait.
pub(crate) fn finished(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let rules = rules(&step.who, &step.task);
    let (judgement, task) = if step.model().listed.finished(state) {
        then(&step, rules.over)
    } else if step.model().mutant == Some(Mutant::CheckAcceptsForming) {
        accept(&step)
    } else if let Some(forming) = rules.forming {
        then(&step, forming)
    } else {
        let slept = !step.nested() || step.task.slept;
        (Judgement::GoOn, Task { slept, ..step.at(Pc::CheckAsleep) })
    };
    step.to(Event::CheckFinished { name, state, judgement }, task);
}

/// A look that no wait follows.
pub(crate) fn look(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let accepts_forming = step.model().mutant == Some(Mutant::CheckAcceptsForming);
    let (judgement, task) = match state {
        state if accepts_forming && state.forming() => accept(&step),
        state => then(&step, rules(&step.who, &step.task).looks[state.place()]),
    };
    step.to(Event::Check { name, state, judgement }, task);
}
