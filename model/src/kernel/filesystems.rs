//! fs/filesystems.c: `get_fs_type()`.

use crate::event::Event;
use crate::features::SanityCheck;
use crate::model::Step;
use crate::mutant::Mutant;
use crate::state::{ModuleState, Pc, Ret, Task};

/// `__get_fs_type()`: the file system is registered and `try_module_get()` of its owner succeeds.
/// COMING is good enough for that; GOING is not. Built-in code has no owner.
fn get_fs_type(step: &mut Step<'_>) -> bool {
    if step.model.scenario.builtin.is_some() {
        return true;
    }
    let model = step.model;
    model.scenario.targets().iter().any(|target| {
        model.scenario.modules[usize::from(target.module)].registers
            && step.world.registered(target.module)
            && step.world.state(target.module) != ModuleState::Going
    })
}

/// `get_fs_type()` before it requests anything.
pub(crate) fn lookup_first(mut step: Step<'_>) {
    let found = get_fs_type(&mut step);
    let task = if found { Task::done(Ret::Found) } else { step.at(Pc::RequestModule) };
    step.to(Event::LookUp { second: false, found, warned: false }, task);
}

/// `get_fs_type()` after the request returned 0. v4.13 (41124db869b7) warns if there is still
/// nothing.
pub(crate) fn lookup_second(mut step: Step<'_>) {
    let found = step.model.mutant != Some(Mutant::NoSecondLook) && get_fs_type(&mut step);
    let warns = step.model.scenario.features.kernel.sanity_check == SanityCheck::WarnOnly;
    let task = Task::done(if found { Ret::Found } else { Ret::Null });
    step.to(Event::LookUp { second: true, found, warned: warns && !found }, task);
}
