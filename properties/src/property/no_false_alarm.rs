//! What is there passes the check.

use kmodcheck_model::Event;
use kmodcheck_model::event::Judgement;

use super::view::{Decided, Definition, Reads, Says, View, always, says};

pub(super) const DEFINITION: Definition = Definition {
    name: "no-false-alarm",
    letter: 'A',
    statement: "What is built in, or LIVE from modprobe's exit until the check, is not turned into \
                 an error by the check.",
    source: "the same RFC: built-in code must not be refused",
    branches: &["LIVE", "built in"],
    applies: always,
    built_in: true,
    reads: Reads::Loads,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    let judgement = match view.event {
        Event::Check { judgement, .. } | Event::CheckFinished { judgement, .. } => judgement,
        _ => return Says::Nothing,
    };
    let Some(name) = view.waiting() else { return Says::Nothing };
    let branch = if view.model.built_in(name) {
        1
    } else if view.task().live_since_exit {
        0
    } else {
        return Says::Nothing;
    };
    says(judgement != Judgement::Reject, branch)
}
