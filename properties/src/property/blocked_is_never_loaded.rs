//! What is blocked is never loaded.

use kmodcheck_model::{Event, Model, ModuleState};

use super::view::{Decided, Definition, Reads, Says, View};

pub(super) const DEFINITION: Definition = Definition {
    name: "blocked-is-never-loaded",
    letter: 'B',
    statement: "The init of a module that modprobe's configuration blocks, by a blacklist or by an \
                 install command in its stead, never runs.",
    source: "kmod issue 446 ('install X /bin/false' without effect); modprobe.d(5)",
    branches: &["a command ran in its stead", "modprobe left it alone", "its init ran"],
    applies: blocks,
    built_in: true,
    reads: Reads::Nothing,
    decided: Decided::BySteps(says_of),
};

fn blocks(model: &Model) -> bool {
    model.scenario().modules.iter().any(|module| module.blocked)
}

fn says_of(view: &View<'_>) -> Says {
    let modules = &view.model.scenario().modules;
    let blocked = |module: u8| modules[usize::from(module)].blocked;
    if view.init_returns().is_some_and(blocked) {
        return Says::Violated(2);
    }
    match view.event {
        Event::InstallCommand { module, .. } if blocked(module) => Says::Holds(0),
        Event::Exit { .. } => {
            let absent =
                |module: &u8| view.model.module_state(view.after, *module) == ModuleState::Absent;
            let targets = view.name().map_or(&[][..], |name| view.model.targets(name));
            let left = targets.iter().any(|module| blocked(*module) && absent(module));
            if left { Says::Holds(1) } else { Says::Nothing }
        }
        _ => Says::Nothing,
    }
}
