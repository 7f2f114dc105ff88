//! What is made of a scenario before any step: whether it can be modelled, and what each requested name
//! comes to.

use super::{CheckedName, MAX_MODULES, MAX_NAMES, MAX_TARGETS, NameModel};
use crate::event::Listed;
use crate::features::AliasMap;
use crate::scenario::{Action, ModuleId, NameId, Resolution, Scenario};
use crate::state::MAX_DEPTH;
use crate::userspace::modprobe;

/// What is wrong with a scenario.
pub(super) fn validate(scenario: &Scenario) -> Result<(), String> {
    let modules = scenario.modules.len();
    let known = |id: ModuleId| usize::from(id) < modules;
    if modules > MAX_MODULES {
        return Err(format!("{modules} modules, expected at most {MAX_MODULES}"));
    }
    if scenario.names.len() > MAX_NAMES {
        return Err(format!("{} names, expected at most {MAX_NAMES}", scenario.names.len()));
    }
    let known_name = |id: NameId| usize::from(id) < scenario.names.len();
    for module in &scenario.modules {
        if let Some(id) = module.dependencies.iter().find(|id| !known(**id)) {
            return Err(format!(
                "module '{}' depends on module number {id}, expected a number below {modules}",
                module.name
            ));
        }
        if let Some(id) = module.requests.filter(|id| !known_name(*id)) {
            return Err(format!(
                "module '{}' requests name number {id}, expected a number below {}",
                module.name,
                scenario.names.len()
            ));
        }
    }
    for name in &scenario.names {
        let probes = name.targets().iter().flat_map(|t| &t.probe).map(|p| p.module);
        let targets = name.targets().iter().map(|t| t.module);
        if let Some(id) = probes.chain(targets).find(|id| !known(*id)) {
            return Err(format!(
                "'{}' resolves to module number {id}, expected a number below {modules}",
                name.request
            ));
        }
        if matches!(&name.resolution, Resolution::Modules(targets) if targets.is_empty()) {
            return Err("the name resolves to an empty list of modules".to_owned());
        }
        if name.targets().iter().any(|t| t.probe.is_empty()) {
            return Err("a target's probe list is empty".to_owned());
        }
        if name.targets().len() > MAX_TARGETS {
            return Err(format!(
                "'{}' is served by {} modules, expected at most {MAX_TARGETS}",
                name.request,
                name.targets().len()
            ));
        }
    }
    for actor in &scenario.actors {
        if let Some(id) = actor.action.name().filter(|id| !known_name(*id)) {
            return Err(format!(
                "an actor asks for name number {id}, expected a number below {}",
                scenario.names.len()
            ));
        }
        if let Some(id) = actor.action.module().filter(|id| !known(*id)) {
            return Err(format!(
                "an actor acts on module number {id}, expected a number below {modules}"
            ));
        }
        if let Action::GetFsType(name) = actor.action {
            let request = &scenario.names[usize::from(name)].request;
            if !request.starts_with("fs-") {
                return Err(format!(
                    "get_fs_type() requests a name that begins with 'fs-', found '{request}'"
                ));
            }
        }
    }
    if scenario.processes() == 0 {
        return Err("no callers, expected at least 1".to_owned());
    }
    if scenario.limit == Some(0) {
        return Err("a limit of 0 running requests, expected at least 1".to_owned());
    }
    let depth = nesting(scenario);
    if depth > MAX_DEPTH {
        return Err(format!(
            "inits that request modules nest {depth} deep, expected at most {MAX_DEPTH}"
        ));
    }
    Ok(())
}

/// How deep inits can request modules: a module whose init runs is not loaded once more meanwhile.
///
/// # Panics
/// If a name, target or request refers to what is not there.
pub fn nesting(scenario: &Scenario) -> usize {
    fn below(scenario: &Scenario, name: NameId, running: &mut Vec<ModuleId>) -> usize {
        let mut deepest = 0;
        let probes = scenario.names[usize::from(name)].targets().iter().flat_map(|t| &t.probe);
        for probe in probes {
            let id = probe.module;
            let Some(next) = scenario.modules[usize::from(id)].requests else { continue };
            // Two levels beyond the limit say enough.
            if running.contains(&id) || running.len() > MAX_DEPTH {
                continue;
            }
            running.push(id);
            deepest = deepest.max(1 + below(scenario, next, running));
            running.pop();
        }
        deepest
    }
    let names = 0..scenario.names.len() as NameId;
    let asked = names.filter(|n| scenario.actors.iter().any(|a| a.action.name() == Some(*n)));
    asked.map(|name| below(scenario, name, &mut Vec::new())).max().unwrap_or(0)
}

/// By module, those that register the same file system: of one name `fs-FS` both are targets.
pub(super) fn rivals(scenario: &Scenario) -> Vec<Vec<ModuleId>> {
    let registers = |id: &ModuleId| scenario.modules[usize::from(*id)].registers;
    let mut rivals = vec![Vec::new(); scenario.modules.len()];
    for name in scenario.names.iter().filter(|name| name.request.starts_with("fs-")) {
        let targets: Vec<ModuleId> =
            name.targets().iter().map(|t| t.module).filter(registers).collect();
        for module in &targets {
            let others = targets.iter().filter(|other| *other != module);
            let mine: &mut Vec<ModuleId> = &mut rivals[usize::from(*module)];
            for other in others {
                if !mine.contains(other) {
                    mine.push(*other);
                }
            }
        }
    }
    rivals
}

pub(super) fn name_model(scenario: &Scenario, id: NameId) -> NameModel {
    let name = &scenario.names[usize::from(id)];
    // The empty name's directory is /sys/module/ itself: `modprobe -q -- ""` of kmod v19 exits 0.
    let unknown_directory = name.request.is_empty()
        || name.builtin.as_ref().is_some_and(|builtin| {
            builtin.directory && builtin.name == name.request.replace('-', "_")
        });
    NameModel {
        plan: modprobe::plan(name),
        removal: modprobe::removal(name),
        checked: checked_names(scenario, id),
        unknown_directory,
        targets: name.targets().iter().map(|t| t.module).collect(),
        concerned: concerned(scenario, id),
    }
}

/// The modules on which it depends what a request of the name comes to: its targets, what modprobe
/// tries for them, the modules that those need, and what their inits request.
fn concerned(scenario: &Scenario, id: NameId) -> Vec<ModuleId> {
    let of_name = |id: NameId| {
        let targets = scenario.names[usize::from(id)].targets().iter();
        targets.flat_map(|t| t.probe.iter().map(|p| p.module).chain([t.module]))
    };
    let mut found: Vec<ModuleId> = Vec::new();
    let mut open: Vec<ModuleId> = of_name(id).collect();
    while let Some(module) = open.pop() {
        if found.contains(&module) {
            continue;
        }
        found.push(module);
        let spec = &scenario.modules[usize::from(module)];
        open.extend(&spec.dependencies);
        open.extend(spec.requests.iter().flat_map(|name| of_name(*name)));
    }
    found.sort_unstable();
    found
}

/// The names that `AliasMap` gives for the request; the request itself where it gives none.
fn checked_names(scenario: &Scenario, id: NameId) -> Vec<CheckedName> {
    let name = &scenario.names[usize::from(id)];
    let exact: Vec<ModuleId> = name.targets().iter().map(|t| t.module).collect();
    let name_of = |text: &str| {
        let text = text.replace('-', "_");
        let module = scenario.modules.iter().position(|m| m.name == text);
        CheckedName {
            listed: module.map_or(Listed::NeverListed(id), |m| Listed::Module(m as ModuleId)),
            built_in: name.builtin.as_ref().is_some_and(|b| b.name == text),
        }
    };
    match scenario.features.kernel.alias_map {
        AliasMap::Exact if !exact.is_empty() => exact
            .into_iter()
            .map(|id| CheckedName { listed: Listed::Module(id), built_in: false })
            .collect(),
        AliasMap::Prefix => vec![name_of(name.file_system())],
        AliasMap::None | AliasMap::Exact => vec![name_of(&name.request)],
    }
}
