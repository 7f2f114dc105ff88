//! The RFC's check after modprobe returned 0, in each of its readings
//! ([`SanityCheck`]). Each look at the list is one critical section under module_mutex.

use crate::event::{Event, Judgement};
use crate::features::SanityCheck;
use crate::kernel::kmod::{checked_name, limit, waits};
use crate::model::{Step, Who};
use crate::mutant::Mutant;
use crate::state::{ModuleState, Pc, Ret, Task};

/// The check's first place for the name at `task.index`; `None` where there is no check.
pub(crate) fn begin(who: &Who<'_>, task: Task) -> Option<Task> {
    let pc = match who.kernel().sanity_check {
        SanityCheck::None | SanityCheck::WarnOnly => return None,
        SanityCheck::AuthorTree | SanityCheck::AuthorMail => Pc::CheckExists,
        SanityCheck::Verify | SanityCheck::ExactBuiltin => Pc::CheckLook,
        SanityCheck::WaitAndVerify => Pc::CheckFinished,
    };
    Some(Task { pc, ..task })
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

/// `finished_kmod_load()`: `kmod_exists()`. UNFORMED counts as listed.
pub(crate) fn exists(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let mail = step.who.kernel().sanity_check == SanityCheck::AuthorMail;
    let (judgement, task) = match state {
        ModuleState::Absent if mail => accept(&step),
        ModuleState::Absent => reject(&step, Ret::Enoent),
        _ => (Judgement::GoOn, step.at(Pc::CheckFinished)),
    };
    step.to(Event::Check { name, state, judgement }, task);
}

/// `wait_event(module_wq, finished_loading(name))`: the author's readings then return 0 without
/// another look, [`SanityCheck::WaitAndVerify`] looks.
pub(crate) fn finished(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let verifies = step.who.kernel().sanity_check == SanityCheck::WaitAndVerify;
    let (judgement, task) = if !step.model().listed.finished(state) {
        if step.model().mutant == Some(Mutant::CheckAcceptsForming) {
            accept(&step)
        } else if waits(&step) {
            let slept = !step.nested() || step.task.slept;
            (Judgement::GoOn, Task { slept, ..step.at(Pc::CheckAsleep) })
        } else {
            reject(&step, Ret::Einprogress)
        }
    } else if verifies {
        (Judgement::GoOn, step.at(Pc::CheckLook))
    } else {
        accept(&step)
    };
    step.to(Event::CheckFinished { name, state, judgement }, task);
}

/// One look: LIVE is accepted, absent is taken for built in, anything else is an error.
pub(crate) fn look(mut step: Step<'_>) {
    let name = checked_name(&step);
    let state = step.listed_state(name);
    let exact = step.who.kernel().sanity_check == SanityCheck::ExactBuiltin;
    let built_in = step.who.name_model(&step.task).checked[usize::from(step.task.index)].built_in;
    let accepts_forming = step.model().mutant == Some(Mutant::CheckAcceptsForming);
    let (judgement, task) = match state {
        ModuleState::Live => accept(&step),
        ModuleState::Absent if !exact || built_in => accept(&step),
        ModuleState::Absent => reject(&step, Ret::Enoent),
        state if accepts_forming && state.forming() => accept(&step),
        _ => reject(&step, Ret::Ebusy),
    };
    step.to(Event::Check { name, state, judgement }, task);
}
