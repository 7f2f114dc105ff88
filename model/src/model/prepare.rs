//! What is made of a scenario before any step: whether it can be modelled, and what each requested name
//! comes to.

use std::collections::BTreeSet;

use super::{
    CheckedName, MAX_ACTORS, MAX_ASKS, MAX_DEPENDENCIES, MAX_GROUPS, MAX_LOOKS, MAX_MODULES,
    MAX_NAMES, MAX_PROGRAMS, MAX_TARGETS, NameModel,
};
use crate::event::{Claim, Listed};
use crate::features::{AliasMap, Program};
use crate::mutant::Mutant;
use crate::scenario::{
    Action, FailsAt, Failure, Insert, Module, ModuleId, Name, NameId, Probe, ProgramId, Resolution,
    Scenario, Target,
};
use crate::state::{MAX_DEPTH, ModuleState};
use crate::text::{CHECK_ERRORS, OrderRules, Part, STATES, Then};
use crate::userspace::modprobe;

/// Whether a scenario can be modelled, whatever it was read from: that it is within the model's limits,
/// then that what refers to something refers to what is there.
///
/// # Errors
/// What was found, and what was expected.
pub fn validate(scenario: &Scenario) -> Result<(), String> {
    within_limits(scenario)?;
    references(scenario)?;
    told_apart(scenario)?;
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

/// The limits: everything after this may take numbers of modules, names and kinds for bytes, and a time
/// that grows with their squares.
fn within_limits(scenario: &Scenario) -> Result<(), String> {
    let at_most = |found: usize, most: usize, what: &dyn Fn() -> String| match found > most {
        true => Err(format!("{}, expected at most {most}", what())),
        false => Ok(()),
    };
    let modules = scenario.modules.len();
    at_most(modules, MAX_MODULES, &|| format!("{modules} modules"))?;
    let names = scenario.names.len();
    at_most(names, MAX_NAMES, &|| format!("{names} names"))?;
    for module in &scenario.modules {
        let found = module.dependencies.len();
        at_most(found, MAX_DEPENDENCIES, &|| {
            format!("module '{}' has {found} dependencies", module.name)
        })?;
    }
    for name in &scenario.names {
        let found = name.targets().len();
        at_most(found, MAX_TARGETS, &|| {
            format!("'{}' is served by {found} modules", name.request)
        })?;
        let kmod = &scenario.features.kmod;
        let looks = modprobe::looks(name, &scenario.modules, kmod, scenario.unloads());
        at_most(looks, MAX_LOOKS, &|| {
            format!("modprobe looks {looks} times for '{}'", name.request)
        })?;
    }
    let groups = scenario.actors.len();
    at_most(groups, MAX_GROUPS, &|| format!("{groups} groups of actors"))?;
    if let Some(group) = scenario.actors.iter().position(|actor| actor.count == 0) {
        let number = group + 1;
        return Err(format!("0 actors in group {number} of {groups}, expected at least 1"));
    }
    let asks = scenario.asks.len();
    at_most(asks, MAX_ASKS, &|| format!("{asks} properties and results of its own"))?;
    let actors = scenario.processes();
    at_most(actors, MAX_ACTORS, &|| format!("{actors} actors"))?;
    if actors == 0 {
        return Err("no callers, expected at least 1".to_owned());
    }
    Ok(())
}

/// Whether it is a failure that can be, and whose end the model has.
fn failure(scenario: &Scenario, module: &Module) -> Result<(), String> {
    let Some(Failure { at, eexist }) = module.failure else { return Ok(()) };
    let (name, function) = (&module.name, at.function());
    if eexist && !at.may_say_eexist() {
        return Err(format!(
            "module '{name}': -EEXIST of {function}(), expected one whose error it can be: not codetag, not read-only"
        ));
    }
    // Who unloads it may come between LIVE and the failure, and both free it; and what its init has registered stays
    // registered: from there on the kernel reads freed memory.
    if at == FailsAt::ReadOnly && (scenario.unloads() || module.registers) {
        let what = if module.registers { "of a file system" } else { "beside an unload" };
        return Err(format!(
            "module '{name}': {function}() fails {what}, expected neither: the kernel then uses freed memory, \
             which the model does not have"
        ));
    }
    Ok(())
}

/// Whether what has a number of a module or a name has the number of one.
fn references(scenario: &Scenario) -> Result<(), String> {
    let modules = scenario.modules.len();
    let known = |id: ModuleId| usize::from(id) < modules;
    let known_name = |id: NameId| usize::from(id) < scenario.names.len();
    for module in &scenario.modules {
        if let Some(id) = module.dependencies.iter().find(|id| !known(**id)) {
            return Err(format!(
                "module '{}' depends on module number {id}, expected a number below {modules}",
                module.name
            ));
        }
        failure(scenario, module)?;
        if let Some(id) = module.requests.filter(|id| !known_name(*id)) {
            return Err(format!(
                "module '{}' requests name number {id}, expected a number below {}",
                module.name,
                scenario.names.len()
            ));
        }
    }
    for name in &scenario.names {
        let probes = name.targets().iter().flat_map(Target::probed);
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
        let of_kmod = |p: &&Probe| matches!(p.insert, Insert::NoFile | Insert::Refused);
        let is_kmod = scenario.features.kmod.modprobe == Program::Kmod;
        if !is_kmod && name.targets().iter().flat_map(Target::entries).any(|p| of_kmod(&p)) {
            return Err(format!(
                "'{}': a configuration as kmod reads it beside another modprobe, which reads it another way; \
                 expected kmod's",
                name.request
            ));
        }
        let runs_another = |p: &&Probe| p.nested.is_empty() == p.insert.runs_modprobe();
        let entries = name.targets().iter().flat_map(Target::entries);
        if let Some(entry) = entries.clone().find(runs_another) {
            return Err(format!(
                "'{}': an entry of module number {} that lists what its command's modprobe goes through, or does not, \
                 expected it just where the command runs one",
                name.request, entry.module
            ));
        }
    }
    programs(scenario)?;
    exec_requests(scenario, &known_name)?;
    listed(scenario)?;
    checked(scenario)?;
    ordered(scenario)?;
    if scenario.patched.look.is_some() && scenario.features.kmod.modprobe != Program::Kmod {
        return Err(
            "another modprobe than kmod's, whose look is patched, expected kmod's".to_owned()
        );
    }
    for (at, binary) in scenario.patched.binaries.iter().enumerate() {
        binary.validate(scenario)?;
        if scenario.patched.binaries[..at].iter().any(|other| other.name == binary.name) {
            return Err(format!(
                "{}: is the second program for one name, expected one",
                binary.program
            ));
        }
    }
    let actors = scenario.actors.len();
    if let Some(ask) = scenario.asks.iter().find(|ask| usize::from(ask.actor) >= actors) {
        return Err(format!(
            "'{}' asks for actor number {}, expected a number below {actors}",
            ask.name, ask.actor
        ));
    }
    for actor in &scenario.actors {
        if let Some(id) = actor.action.name().filter(|id| !known_name(*id)) {
            return Err(format!(
                "an actor asks for name number {id}, expected a number below {}",
                scenario.names.len()
            ));
        }
        if let Action::Insmod(id) = actor.action
            && scenario.names[usize::from(id)].targets().is_empty()
        {
            let name = &scenario.names[usize::from(id)].request;
            return Err(format!("an insmod of '{name}', expected the name of a module"));
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
    Ok(())
}

/// Whether what a patch says of listed names lists none a second time.
fn listed(scenario: &Scenario) -> Result<(), String> {
    let Some(rules) = &scenario.patched.listed else { return Ok(()) };
    for (at, state) in STATES.into_iter().enumerate().filter(|(_, s)| *s != ModuleState::Absent) {
        let again = rules.again.map(|again| again[at]);
        if rules.claim[at] == Claim::Free || again == Some(Claim::Free) {
            return Err(format!(
                "a name that is {state} is listed once more, expected 'free' only of one that is absent"
            ));
        }
    }
    Ok(())
}

/// Whether what a patch looks at after modprobe begins with a look or a wait, and ends with 0 or an error.
fn checked(scenario: &Scenario) -> Result<(), String> {
    let Some(rules) = &scenario.patched.check else { return Ok(()) };
    for of in &rules.of {
        if let Some(first @ (Then::Accept | Then::Error(_))) = of.first {
            return Err(format!("a check begins with {first:?}, expected exists, waits or looks"));
        }
        let all = of.exists.iter().chain(&of.looks).chain([&of.over]).chain(&of.forming);
        for then in all {
            if let Then::Error(ret) = then
                && !CHECK_ERRORS.contains(ret)
            {
                let known: Vec<String> = CHECK_ERRORS.iter().map(ToString::to_string).collect();
                return Err(format!("a check returns {ret}, expected one of {}", known.join(", ")));
            }
        }
    }
    Ok(())
}

/// Whether in the order that a patch has a name is claimed before an init runs, each step is there once, and what is freed
/// leaves the list.
fn ordered(scenario: &Scenario) -> Result<(), String> {
    let Some(OrderRules { load, free, .. }) = &scenario.patched.orders else { return Ok(()) };
    for (parts, frees, what) in [(load, false, "loading"), (free, true, "freeing")] {
        for (at, part) in parts.iter().enumerate() {
            if part.frees() != frees {
                return Err(format!(
                    "{} is a step of {what}, expected one of the other order",
                    part.pc()
                ));
            }
            if parts[..at].contains(part) {
                return Err(format!("{} is there twice in {what}, expected it once", part.pc()));
            }
        }
    }
    let place = |part: Part| load.iter().position(|p| *p == part);
    match (place(Part::AddUnformed), place(Part::Init)) {
        (Some(claimed), Some(init)) if claimed < init => {}
        _ => {
            let (claim, init) = (Part::AddUnformed.pc(), Part::Init.pc());
            return Err(format!("loading has no {claim} with {init} after it, expected both"));
        }
    }
    if !free.contains(&Part::ListDel) {
        return Err(format!("freeing has no {}, expected it", Part::ListDel.pc()));
    }
    Ok(())
}

/// Whether what exec of modprobe requests can be requested, and comes to an end.
fn exec_requests(scenario: &Scenario, known: &dyn Fn(NameId) -> bool) -> Result<(), String> {
    let Some(id) = scenario.exec_requests else { return Ok(()) };
    if !known(id) {
        return Err(format!(
            "exec of modprobe requests name number {id}, expected a number below {}",
            scenario.names.len()
        ));
    }
    let name = &scenario.names[usize::from(id)].request;
    if scenario.limit.is_none() {
        return Err(format!(
            "exec of modprobe requests '{name}', for which modprobe is execed: expected a limit of running \
             requests, which alone ends that (the kernel's is 50)"
        ));
    }
    let typed = |word: &str| {
        format!(
            "exec of modprobe requests '{name}', and a shell runs {word}, which is the same program: expected none"
        )
    };
    let shells = scenario.actors.iter().find(|actor| actor.action.is_a_shells());
    if let Some(actor) = shells {
        return Err(typed(&scenario.in_words(actor.action)));
    }
    let commands = ["modprobe", "modprobe_remove", "insmod", "rmmod"];
    match commands.iter().find(|command| scenario.programs.call(command)) {
        Some(command) => Err(typed(command)),
        None => Ok(()),
    }
}

/// Whether who runs a program runs one that is there, and inits and exits call what they can.
fn programs(scenario: &Scenario) -> Result<(), String> {
    let all = scenario.programs.all.len();
    let known = |id: &ProgramId| usize::from(*id) < all;
    at_most_programs(all)?;
    let of_actors = scenario.actors.iter().filter_map(|actor| match actor.action {
        Action::Program(program) => Some(program),
        _ => None,
    });
    let of_modules = || scenario.modules.iter().flat_map(|m| [m.init_program, m.exit_program]);
    if let Some(id) = of_actors.chain(of_modules().flatten()).find(|id| !known(id)) {
        return Err(format!("program number {id}, expected a number below {all}"));
    }
    let inner: Vec<usize> = of_modules().flatten().map(|id| usize::from(id) + 1).collect();
    let Ok(called) = kmodcheck_lang::calls(&scenario.programs.sources()) else { return Ok(()) };
    for call in called.iter().filter(|call| crate::program::is_for_actors(call)) {
        if inner.contains(&call.piece) {
            let name = &scenario.programs.all[call.piece - 1].name;
            return Err(format!(
                "the {name} calls {}(\"{}\"), expected request_module() or what takes one step",
                call.function, call.text
            ));
        }
    }
    Ok(())
}

fn at_most_programs(programs: usize) -> Result<(), String> {
    match programs > MAX_PROGRAMS {
        true => Err(format!("{programs} programs, expected at most {MAX_PROGRAMS}")),
        false => Ok(()),
    }
}

/// Whether what is one thing is there once: `prove` counts the callers of a group, and the kernel knows
/// modules and requests by their names.
fn told_apart(scenario: &Scenario) -> Result<(), String> {
    fn twice<T: PartialEq>(all: &[T]) -> Option<&T> {
        all.iter().enumerate().find(|(at, one)| all[..*at].contains(one)).map(|(_, one)| one)
    }
    let modules: Vec<&str> = scenario.modules.iter().map(|m| m.name.as_str()).collect();
    if let Some(name) = twice(&modules) {
        return Err(format!("module '{name}' twice, expected each once"));
    }
    let requests: Vec<&str> = scenario.names.iter().map(|n| n.request.as_str()).collect();
    if let Some(request) = twice(&requests) {
        return Err(format!("the requested name '{request}' twice, expected each once"));
    }
    let groups: Vec<_> = scenario.actors.iter().map(|a| (a.action, a.killable)).collect();
    if let Some((action, _)) = twice(&groups) {
        return Err(format!(
            "two groups of actors that do the same ({action:?}), expected one with both counts"
        ));
    }
    Ok(())
}

/// How deep inits can request modules: a module whose init runs is not loaded once more meanwhile.
///
/// # Panics
/// If a name, target or request refers to what is not there.
pub fn nesting(scenario: &Scenario) -> usize {
    /// By name: the modules that modprobe may insert for it and whose inits request something, with what.
    type Requesting = Vec<Vec<(ModuleId, NameId)>>;
    fn below(requesting: &Requesting, name: NameId, running: &mut Vec<ModuleId>) -> usize {
        let mut deepest = 0;
        for (id, next) in &requesting[usize::from(name)] {
            // One level beyond the limit says enough; no more ways are tried then.
            if deepest > MAX_DEPTH {
                break;
            }
            if running.contains(id) || running.len() > MAX_DEPTH {
                continue;
            }
            running.push(*id);
            deepest = deepest.max(1 + below(requesting, *next, running));
            running.pop();
        }
        deepest
    }
    let of = |name: &Name| {
        let probed: BTreeSet<ModuleId> = name.targets().iter().flat_map(Target::probed).collect();
        let requests = |id: &ModuleId| {
            let id = *id;
            scenario.init_requests(id).into_iter().map(move |name| (id, name))
        };
        probed.iter().flat_map(requests).collect()
    };
    let requesting: Requesting = scenario.names.iter().map(of).collect();
    let mut asked: BTreeSet<NameId> =
        scenario.actors.iter().filter_map(|a| a.action.name()).collect();
    if !scenario.programs.is_empty() {
        asked.extend(scenario.name_ids());
    }
    asked.into_iter().map(|name| below(&requesting, name, &mut Vec::new())).max().unwrap_or(0)
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

pub(super) fn name_model(scenario: &Scenario, mutant: Option<Mutant>, id: NameId) -> NameModel {
    let name = &scenario.names[usize::from(id)];
    let kmod = &scenario.features.kmod;
    let learned = scenario.patched.binaries.iter().find(|binary| binary.name == id).cloned();
    let plan = match (&learned, mutant) {
        (Some(learned), _) => modprobe::learned_plan(learned),
        (None, Some(Mutant::ConfigurationIgnored)) => {
            modprobe::plan(&unblocked(name), &scenario.modules, kmod)
        }
        (None, _) => modprobe::plan(name, &scenario.modules, kmod),
    };
    // The empty name's directory is /sys/module/ itself: `modprobe -q -- ""` of kmod v19 exits 0.
    let of_code = |code| name.is_its_codes() && scenario.has_directory(code);
    let unknown_directory = name.request.is_empty() || name.builtin.as_ref().is_some_and(of_code);
    NameModel {
        plan,
        learned,
        // Only then its places have been counted.
        removal: match scenario.unloads() {
            true => modprobe::removal(name, &scenario.modules, kmod),
            false => Vec::new(),
        },
        insertion: modprobe::insertion(name, &scenario.modules, kmod),
        checked: checked_names(scenario, id),
        unknown_directory,
        targets: name.targets().iter().map(|t| t.module).collect(),
        concerned: concerned(scenario, id),
    }
}

/// The name as it would be without a configuration that blocks modules.
fn unblocked(name: &Name) -> Name {
    let mut name = name.clone();
    if let Resolution::Modules(targets) = &mut name.resolution {
        for target in targets {
            target.blacklisted = false;
            for probe in &mut target.probe {
                probe.insert = Insert::Finit;
                probe.nested.clear();
            }
        }
    }
    name
}

/// The modules on which it depends what a request of the name comes to: its targets, what modprobe
/// tries for them, the modules that those need, and what their inits request.
fn concerned(scenario: &Scenario, id: NameId) -> Vec<ModuleId> {
    let of_name = |id: NameId| {
        let targets = scenario.names[usize::from(id)].targets().iter();
        targets.flat_map(|t| t.probed().into_iter().chain([t.module]))
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
        open.extend(scenario.init_requests(module).into_iter().flat_map(of_name));
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
        let module = scenario.module_of_name(&text);
        CheckedName {
            listed: module.map_or(Listed::NeverListed(id), Listed::Module),
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
