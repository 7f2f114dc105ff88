//! Exit 0 means that it was there.

use kmodcheck_model::scenario::Action;
use kmodcheck_model::{Event, Ret, Role};

use super::no_false_success::was_there;
use super::view::{Decided, Definition, Reads, Says, View, always};

pub(super) const DEFINITION: Definition = Definition {
    name: "modprobe-tells-the-truth",
    letter: 'T',
    statement: "A modprobe that exits 0: every module the name resolves to was LIVE at some moment \
                 while it ran, or the name is built in.",
    source: "kmod fd44a98ae2eb",
    branches: &["a module", "built in", "neither"],
    applies: always,
    built_in: true,
    reads: Reads::Loads,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    let other = |action| matches!(action, Action::ModprobeRemove(_) | Action::Insmod(_));
    let is_other = matches!(view.role(), Role::Actor { action, .. } if other(action));
    match (view.event, view.name()) {
        (Event::Exit { status: Ret::Zero }, Some(name)) if !is_other => {
            was_there(view, name, view.task().modprobe_live)
        }
        _ => Says::Nothing,
    }
}
