//! Who reacts to the uevent finds the module ready.

use kmodcheck_model::Event;

use super::view::{Decided, Definition, Reads, Says, View, says};

pub(super) const DEFINITION: Definition = Definition {
    name: "udev-finds-it-initialised",
    letter: 'E',
    statement: "Who reacts to a module's ADD uevent finds that its init has returned 0.",
    source: "38dc717e9715 ('module: delay kobject uevent until after module init call')",
    branches: &["used"],
    applies: |model| model.scenario().listens(),
    built_in: false,
    reads: Reads::Nothing,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    match view.event {
        Event::UdevUse { initialised, .. } => says(initialised, 0),
        _ => Says::Nothing,
    }
}
