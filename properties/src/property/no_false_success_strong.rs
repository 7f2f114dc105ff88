//! 0 means that it is there.

use kmodcheck_model::{Event, Ret};

use super::no_false_success::was_there;
use super::view::{Decided, Definition, Reads, Says, View, always};

pub(super) const DEFINITION: Definition = Definition {
    name: "no-false-success-strong",
    letter: 's',
    statement: "A waiting request_module() that returns 0: at the return every module the name \
                 resolves to is LIVE, or the name is built in, unless one of them entered GOING \
                 after having been LIVE during the call.",
    source: "the same RFC: 'the right to assert the module is loaded and live'",
    branches: &["a module", "built in", "neither"],
    applies: always,
    built_in: true,
    reads: Reads::Loads,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    match (view.event, view.waiting()) {
        (Event::RequestReturn { ret: Ret::Zero }, Some(_)) if view.task().going_after_live => {
            Says::Nothing
        }
        (Event::RequestReturn { ret: Ret::Zero }, Some(name)) => {
            was_there(view, name, view.model.live(name, view.after))
        }
        _ => Says::Nothing,
    }
}
