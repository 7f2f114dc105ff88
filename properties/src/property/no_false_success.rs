//! 0 means that it was there.

use kmodcheck_model::scenario::NameId;
use kmodcheck_model::{Event, Ret};

use super::view::{Decided, Definition, Reads, Says, View, always, says};

pub(super) const DEFINITION: Definition = Definition {
    name: "no-false-success",
    letter: 'S',
    statement: "A waiting request_module() that returns 0: every module the name resolves to was \
                 LIVE at some moment between call and return, or the name is built in.",
    source: "RFC 'kmod: add a sanity check on module loading', 8 Dec 2016",
    branches: &["a module", "built in", "neither"],
    applies: always,
    built_in: true,
    reads: Reads::Loads,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    match (view.event, view.waiting()) {
        (Event::RequestReturn { ret: Ret::Zero }, Some(name)) => {
            was_there(view, name, view.task().request_live)
        }
        _ => Says::Nothing,
    }
}

/// `seen`: the targets that were LIVE.
pub(super) fn was_there(view: &View<'_>, name: NameId, seen: u16) -> Says {
    if view.model.built_in(name) {
        Says::Holds(1)
    } else if view.model.targets(name).is_empty() {
        Says::Violated(2)
    } else {
        says(seen == view.model.all_targets(name), 0)
    }
}
