//! Who has waited for an init does not run it again.

use kmodcheck_model::Event;

use super::view::{Decided, Definition, Reads, Says, View};

pub(super) const DEFINITION: Definition = Definition {
    name: "init-runs-once-per-request",
    letter: 'I',
    statement: "No finit_module() runs a module's init after it has waited for another's load of that \
                 module until its init returned.",
    source: "0254127ab977 ('module: Don't wait for GOING modules': every worker waits for the failing \
             init of the one before it, then runs it again)",
    branches: &["it did not run it again", "it ran it again"],
    applies: |model| !model.scenario().modules.is_empty(),
    built_in: true,
    reads: Reads::Failures,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    let Some(pc) = view.model.has_waited_for_init(view.local_before) else { return Says::Nothing };
    // What an init requests has waits of its own: the init is known to run by then.
    if view.init_returns().is_some() || matches!(view.event, Event::InitRequests { .. }) {
        Says::Violated(1)
    } else if !pc.in_finit_module() {
        Says::Holds(0)
    } else {
        Says::Nothing
    }
}
