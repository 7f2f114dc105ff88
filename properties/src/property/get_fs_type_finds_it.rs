//! NULL has a reason.

use kmodcheck_model::scenario::Action;
use kmodcheck_model::{Event, Ret};

use super::view::{Decided, Definition, Reads, Says, View};

pub(super) const DEFINITION: Definition = Definition {
    name: "get-fs-type-finds-it",
    letter: 'F',
    statement: "get_fs_type() returns NULL only if, during the call, an attempt to load the module \
                 failed, or the module entered GOING, or was GOING when the call began, or the \
                 request returned an error.",
    source: "kernel 41124db869b7 (WARN_ONCE in get_fs_type())",
    branches: &["found", "NULL, request failed", "NULL, load failed", "NULL, GOING", "NULL"],
    applies: |model| {
        let calls = |a: &Action| matches!(a, Action::GetFsType(_));
        model.scenario().actions().iter().any(calls)
    },
    built_in: true,
    reads: Reads::Loads,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    if !view.is_fs_caller() || view.task().is_nested() {
        return Says::Nothing;
    }
    match view.event {
        Event::LookUp { found: true, .. } => Says::Holds(0),
        Event::RequestReturn { ret } if ret != Ret::Zero => Says::Holds(1),
        Event::LookUp { second: true, found: false, .. } => {
            let task = view.task();
            if task.load_failed {
                Says::Holds(2)
            } else if task.went_going {
                Says::Holds(3)
            } else {
                Says::Violated(4)
            }
        }
        _ => Says::Nothing,
    }
}
