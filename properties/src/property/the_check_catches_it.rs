//! A lie does not pass the check.

use kmodcheck_model::{Event, Ret};

use super::no_false_success::was_there;
use super::view::{Decided, Definition, Reads, Says, View, always};

pub(super) const DEFINITION: Definition = Definition {
    name: "the-check-catches-it",
    letter: 'C',
    statement: "A caller whose modprobe lied and whose request returned 0 had every module the \
                 name resolves to LIVE during the call.",
    source: "RFC 'kmod: add a sanity check on module loading', 8 Dec 2016",
    branches: &["lied, returned 0"],
    applies: always,
    built_in: true,
    reads: Reads::Loads,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    match (view.event, view.waiting()) {
        (Event::RequestReturn { ret: Ret::Zero }, Some(name)) if view.task().lied => {
            match was_there(view, name, view.task().request_live) {
                Says::Violated(_) => Says::Violated(0),
                _ => Says::Holds(0),
            }
        }
        _ => Says::Nothing,
    }
}
