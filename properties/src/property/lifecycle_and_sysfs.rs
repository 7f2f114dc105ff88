//! States, sysfs and list fit together.

use kmodcheck_model::{Model, ModuleState};

use super::view::{Decided, Definition, Reads, Says, View, always};

pub(super) const DEFINITION: Definition = Definition {
    name: "lifecycle-and-sysfs",
    letter: 'L',
    statement: "Module states change only as the kernel changes them, one listed instance per \
                 name; initstate is only inside a directory; a directory belongs only to a listed \
                 module or to built-in code.",
    source: "include/linux/module.h, enum module_state; kernel/module.c",
    branches: &["state changes", "sysfs changes", "list changes"],
    applies: always,
    built_in: true,
    reads: Reads::Nothing,
    decided: Decided::BySteps(says_of),
};

/// Legal changes of `mod->state`, absence from the list included: from include/linux/module.h and
/// the functions that assign it. A table of its own, so that a fault in the model's steps shows.
const LEGAL: [(ModuleState, ModuleState); 9] = {
    use ModuleState::{Absent, Coming, Going, Live, Unformed, UnformedAgain};
    [
        (Absent, Unformed),      // add_unformed_module()
        (Unformed, Coming),      // complete_formation()
        (Unformed, Absent),      // load_module(), before complete_formation()
        (Coming, Absent),        // load_module(), after it
        (Coming, Live),          // do_init_module()
        (Coming, Going), // do_init_module(), init failed; load_module() from 885a78d4a5b3 on
        (Live, Going),   // delete_module()
        (Going, UnformedAgain), // free_module()
        (UnformedAgain, Absent), // free_module(), list_del_rcu()
    ]
};

/// Legal changes as the scenario's kernel and actors have them: without unloading LIVE is for ever;
/// `load_module()`'s error path takes GOING off the list from 885a78d4a5b3 on.
fn legal(model: &Model, change: (ModuleState, ModuleState)) -> bool {
    match change {
        (ModuleState::Live, ModuleState::Going) => model.scenario().unloads(),
        (ModuleState::Going, ModuleState::Absent) => {
            model.scenario().features.kernel.failure_sets_going
        }
        change => LEGAL.contains(&change),
    }
}

fn says_of(view: &View<'_>) -> Says {
    if view.before == view.after {
        return Says::Nothing;
    }
    let model = view.model;
    let mut result = Says::Nothing;
    for id in model.scenario().module_ids() {
        let (was, is) = (model.module_state(view.before, id), model.module_state(view.after, id));
        let sysfs_before = model.sysfs(view.before, id);
        let sysfs = model.sysfs(view.after, id);
        if was != is {
            let listing = was == ModuleState::Absent || is == ModuleState::Absent;
            let branch = if listing { 2 } else { 0 };
            if !legal(model, (was, is)) {
                return Says::Violated(branch);
            }
            result = Says::Holds(branch);
        }
        if was != is || sysfs != sysfs_before {
            let (directory, initstate) = sysfs;
            let owner = is != ModuleState::Absent || model.taken_by_builtin(view.after, id);
            if (initstate && !directory) || (directory && !owner) {
                return Says::Violated(1);
            }
            if sysfs != sysfs_before {
                result = Says::Holds(1);
            }
        }
    }
    result
}
