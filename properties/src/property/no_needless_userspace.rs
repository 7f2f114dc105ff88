//! What is LIVE needs no modprobe.

use kmodcheck_model::{Event, Pc};

use super::view::{Decided, Definition, Reads, Says, View, says};

pub(super) const DEFINITION: Definition = Definition {
    name: "no-needless-userspace",
    letter: 'U',
    statement: "With the shortcut, no modprobe is started for a name whose modules are LIVE from \
                 the shortcut's look onward.",
    source: "the same RFC: 'if a module is already loaded we never bother userspace'",
    branches: &["LIVE at the shortcut"],
    applies: |model| model.scenario().features.kernel.already_live,
    built_in: true,
    reads: Reads::Loads,
    decided: Decided::BySteps(says_of),
};

fn says_of(view: &View<'_>) -> Says {
    if !view.model.scenario().features.kernel.already_live {
        return Says::Nothing;
    }
    let Some(name) = view.waiting() else { return Says::Nothing };
    match view.event {
        Event::Exec { .. } => says_if(view.task().live_since_shortcut, false),
        Event::AlreadyLive { .. } => {
            // Met and kept: the shortcut itself answers for modules that are all LIVE.
            let answered =
                view.task().pc == Pc::AlreadyLive && view.model.all_live(name, view.before);
            says_if(answered, true)
        }
        _ => Says::Nothing,
    }
}

fn says_if(premise: bool, holds: bool) -> Says {
    if premise { says(holds, 0) } else { Says::Nothing }
}
