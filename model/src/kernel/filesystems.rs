//! fs/filesystems.c: `get_fs_type()`.

use crate::event::Event;
use crate::features::SanityCheck;
use crate::model::Step;
use crate::mutant::Mutant;
use crate::state::{ModuleState, Pc, Ret, Task};

/// `__get_fs_type()`: the file system is registered and `try_module_get()` of its owner succeeds,
/// which target it is. COMING is good enough for that; GOING is not, nor is an owner without any
/// reference left, which `try_stop_module()` makes GOING in the same breath. Built-in code has no
/// owner.
enum Looked {
    BuiltIn,
    Owner(u8),
    Nothing,
}

fn get_fs_type(step: &mut Step<'_>) -> Looked {
    let (model, name) = (step.model(), step.name());
    if model.built_in(name) {
        return Looked::BuiltIn;
    }
    for (number, target) in (0..).zip(model.targets(name)) {
        if model.scenario.modules[usize::from(*target)].registers
            && step.world.registered(*target)
            && step.world.state(*target) != ModuleState::Going
        {
            let count = step.world.fields(*target).file_system_references;
            if count.exists() {
                step.world.one_more(count);
            }
            return Looked::Owner(number);
        }
    }
    Looked::Nothing
}

/// The file system was found: it is given back at once, which is a step where references matter.
fn found(step: &Step<'_>, looked: &Looked) -> Option<Task> {
    match looked {
        Looked::Nothing => None,
        Looked::Owner(index) if step.model().scenario.unloads() => {
            Some(Task { pc: Pc::PutFilesystem, index: *index, ret: Ret::Found, ..Task::IDLE })
        }
        Looked::Owner(_) | Looked::BuiltIn => Some(Task::done(Ret::Found)),
    }
}

/// `get_fs_type()` before it requests anything.
pub(crate) fn lookup_first(mut step: Step<'_>) {
    let looked = get_fs_type(&mut step);
    let task = found(&step, &looked);
    let event = Event::LookUp { second: false, found: task.is_some(), warned: false };
    let task = task.unwrap_or_else(|| step.at(Pc::RequestModule));
    step.to(event, task);
}

/// `get_fs_type()` after the request returned 0. v4.13 (41124db869b7) warns if there is still
/// nothing.
pub(crate) fn lookup_second(mut step: Step<'_>) {
    let looked = match step.model().mutant {
        Some(Mutant::NoSecondLook) => Looked::Nothing,
        _ => get_fs_type(&mut step),
    };
    let task = found(&step, &looked);
    let warns = step.who.kernel().sanity_check == SanityCheck::WarnOnly;
    let event =
        Event::LookUp { second: true, found: task.is_some(), warned: warns && task.is_none() };
    step.to(event, task.unwrap_or(Task::done(Ret::Null)));
}

/// `put_filesystem()` → `module_put()`.
pub(crate) fn put_filesystem(mut step: Step<'_>) {
    let module = step.model().targets(step.name())[usize::from(step.task.index)];
    // A failing init frees its module without waiting for references; another module of that name is
    // not the one that was pinned. What `stale` remembers is the state of the module.
    step.world.state(module);
    let event = Event::PutFilesystem { module };
    let done = Task::done(Ret::Found);
    if step.task.stale {
        return step.to(event, done);
    }
    let count = step.world.fields(module).file_system_references;
    for references in step.world.one_less(count) {
        step.world.set(count, references);
        step.to(event, done);
    }
}
