//! kernel/params.c: the late initcall that makes `/sys/module/NAME/` of built-in code.

use crate::event::Event;
use crate::model::{Effect, Step, WaitQueue};
use crate::scenario::LateDirectory;
use crate::state::{MADE, NOT_YET, PUT_THERE, Ret, Task};

/// `param_sysfs_builtin_init()`, one directory after the other. By which it goes, the order in which the kernel was linked,
/// no scenario says; so any may be next.
///
/// `lookup_or_create_module_kobject()` takes the object of that name where there is one, also a module's: then the
/// directory is the module's, and goes with it. In both cases the name's ADD uevent goes out
/// (`kernel_add_sysfs_param()`, `version_sysfs_builtin()`).
pub(crate) fn param_sysfs_builtin_init(mut step: Step<'_>) {
    let mut left = false;
    for of in step.model().scenario.late_directories() {
        step.undo_writes();
        let (field, module) = match of {
            LateDirectory::Module(id) => (step.world.fields(id).built_in, Some(id)),
            LateDirectory::Name(id) => (step.world.name(id).built_in, None),
        };
        if step.world.get(field) != NOT_YET {
            continue;
        }
        left = true;
        let made = module.is_none_or(|id| !step.world.directory(id));
        step.world.set(field, if made { MADE } else { PUT_THERE });
        let uevent = match module {
            Some(id) => Effect::WakeAll(WaitQueue::Uevent(id)),
            None => Effect::None,
        };
        step.with(uevent, Event::BuiltinDirectory { of, made }, step.task);
    }
    step.undo_writes();
    if !left {
        step.to(Event::BuiltinDirectoriesMade, Task::done(Ret::Zero));
    }
}
