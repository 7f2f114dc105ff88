//! The scenario of a log: its modules, names and actors, and what was loaded before it begins.

use crate::scenario_file::{closure, rules};
use kmodcheck_indexes::{Modprobe, ModuleIndex, config};
use kmodcheck_model::features::{Features, RequestLimit};
use kmodcheck_model::model::{MAX_MODULES, MAX_NAMES};
use kmodcheck_model::scenario::{
    Action, Actor, BuiltIn, Helper, Init, Insert, Module, ModuleId, Name, NameId, Probe, Programs,
    Resolution, Scenario, Target,
};

use super::parse::{EBUSY, ENODEV, ENOENT, ENOMEM, ETIME};
use super::story::{Call, Does, Fate, Story};
use super::{About, FtraceError};

/// `MAX_KMOD_CONCURRENT`: so many requests may run at a time.
const REQUESTS: u8 = 50;

/// The scenario of a log, and what it takes to map names.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub scenario: Scenario,
    /// Loaded when the log begins.
    pub loaded: Vec<ModuleId>,
    /// References on dependencies of which the log has a line.
    pub resolved: Vec<(ModuleId, ModuleId)>,
    /// By call: its place among the processes of the model.
    pub places: Vec<usize>,
}

impl Setting {
    pub fn module(&self, name: &str) -> Option<ModuleId> {
        position(&self.scenario.modules, name)
    }

    /// Whether the module registers the file system, and somebody looks for it.
    pub fn registers(&self, module: ModuleId, fs: &str) -> bool {
        let serves = |name: &Name| {
            name.file_system() == fs && name.targets().iter().any(|t| t.module == module)
        };
        self.scenario.modules[usize::from(module)].registers
            && self.scenario.names.iter().any(serves)
    }

    fn name(&self, request: &str) -> NameId {
        let mut numbers = 0..=NameId::MAX;
        let found = self.scenario.names.iter().zip(&mut numbers);
        let found = found.into_iter().find(|(name, _)| name.request == request);
        found.expect("every requested name is in the scenario").1
    }

    pub fn action(&self, call: &Call) -> Action {
        let module = |name: &String| self.module(name).expect("it is in the scenario");
        match &call.does {
            Does::GetFsType(fs) => Action::GetFsType(self.name(&format!("fs-{fs}"))),
            Does::Request { name, wait: true } => Action::RequestModule(self.name(name)),
            Does::Request { name, wait: false } => Action::RequestModuleNowait(self.name(name)),
            Does::Delete(name) => Action::Rmmod(module(name)),
            Does::Modprobe(modules) => Action::Modprobe(self.name(&shell_name(modules))),
        }
    }

    /// Gives every call its actor, and its place: actors of one action stand together.
    fn act(&mut self, story: &Story) {
        let mut groups: Vec<((Action, bool), Vec<usize>)> = Vec::new();
        for (number, call) in story.calls.iter().enumerate() {
            let acts = (self.action(call), call.killed());
            match groups.iter_mut().find(|(known, _)| *known == acts) {
                Some((_, calls)) => calls.push(number),
                None => groups.push((acts, vec![number])),
            }
        }
        self.places = vec![0; story.calls.len()];
        let mut place = 0;
        for ((action, killable), calls) in groups {
            let count = u8::try_from(calls.len()).expect("calls were counted before");
            self.scenario.actors.push(Actor { action, count, killable });
            for call in calls {
                self.places[call] = place;
                place += 1;
            }
        }
    }
}

fn position(modules: &[Module], name: &str) -> Option<ModuleId> {
    let mut numbers = 0..=ModuleId::MAX;
    modules.iter().zip(&mut numbers).find(|(module, _)| module.name == name).map(|(_, id)| id)
}

/// The name under which a shell's modprobe asked, which the log does not say: that of the last module.
fn shell_name(modules: &[String]) -> String {
    modules.last().map_or("(nothing)", String::as_str).to_owned()
}

/// The modules of a scenario while it is made.
struct Modules<'f> {
    file: &'f str,
    list: Vec<Module>,
}

impl Modules<'_> {
    /// The module's number; a new one, if it has none.
    fn number(&mut self, name: &str) -> Result<ModuleId, FtraceError> {
        if let Some(known) = position(&self.list, name) {
            return Ok(known);
        }
        if self.list.len() == MAX_MODULES {
            return Err(FtraceError::TooMany {
                file: self.file.to_owned(),
                what: "modules",
                found: self.list.len() + 1,
                most: MAX_MODULES,
            });
        }
        self.list.push(Module { name: name.to_owned(), ..Module::default() });
        Ok(position(&self.list, name).expect("it was added"))
    }
}

/// Makes the scenario.
///
/// # Errors
/// More modules or names than the model takes.
pub(super) fn setting(
    file: &str,
    story: &Story,
    features: Features,
    about: About<'_>,
) -> Result<Setting, FtraceError> {
    let About { index, config, blacklist, .. } = about;
    let config = config.unwrap_or(&config::NONE);
    let mut modules = Modules { file, list: Vec::new() };
    let mut names: Vec<Name> = Vec::new();
    for call in &story.calls {
        let get_fs_type = matches!(call.does, Does::GetFsType(_));
        let (request, listed) = match (&call.does, call.name()) {
            (Does::Modprobe(listed), _) => {
                let last = shell_name(listed);
                let all = story.modules_of_shells(&last);
                (last, Some(all))
            }
            (_, Some(request)) => (request, None),
            _ => continue,
        };
        let known = names.iter_mut().find(|name| name.request == request);
        if let Some(name) = known {
            if get_fs_type {
                let targets: Vec<_> = name.targets().iter().map(|t| t.module).collect();
                let list = &mut modules.list;
                targets.iter().for_each(|id| list[usize::from(*id)].registers = true);
            }
            continue;
        }
        if names.len() == MAX_NAMES {
            return Err(FtraceError::TooMany {
                file: file.to_owned(),
                what: "requested names",
                found: names.len() + 1,
                most: MAX_NAMES,
            });
        }
        let indexed = match index {
            Some(index) => {
                let modprobe = Modprobe { index, config, rules: rules(&features.kmod) };
                of_index(modprobe, &request, get_fs_type, features, &mut modules)?
            }
            None => None,
        };
        let mut name = match indexed {
            Some(name) if file_is_missing(story, &name, &modules) => {
                Name { resolution: Resolution::NotFound, ..name }
            }
            Some(name) => name,
            None => of_log(story, call, &request, listed, blacklist, &mut modules)?,
        };
        if name.targets().is_empty() && found_at_once(story, &request) {
            let own = name.file_system().replace('-', "_");
            name.builtin.get_or_insert(BuiltIn { name: own, directory: true, driver: false });
        }
        names.push(name);
    }
    for (name, _) in &story.modules {
        modules.number(name)?;
    }
    let mut modules = modules.list;
    for name in &mut names {
        let request = name.request.replace('-', "_");
        let Resolution::Modules(targets) = &mut name.resolution else { continue };
        for target in targets {
            let module = &modules[usize::from(target.module)].name;
            target.blacklisted |= request != *module && blacklist.contains(module);
        }
    }
    for at in 0..modules.len() {
        let name = modules[at].name.clone();
        let Some(fate) = story.known(&name) else { continue };
        let dependencies = dependencies(&name, fate, index);
        let known = |name: &String| position(&modules, name);
        let dependencies = dependencies.iter().filter_map(known).collect();
        let module = &mut modules[at];
        module.dependencies = dependencies;
        module.init = match (fate.init_failed, fate.init_eexist) {
            (_, true) => Init::MayReturnEexist,
            (true, false) => Init::MayFail,
            (false, false) => module.init,
        };
        module.name_taken = fate.sysfs_failed && !fate.directory;
        module.failure = fate.failure;
        module.sysfs_may_fail = fate.sysfs_failed && fate.directory && fate.failure.is_none();
        // What the log says of the file is nearer than the index, which may be of an unpacked copy.
        module.compressed = fate.from_memory.unwrap_or(module.compressed);
    }
    let helper = helper_of(story);
    let limit = limit_of(story, features);
    let loaded = loaded(story, &modules, &names, features);
    let resolved = resolved(story, &modules);
    let scenario = Scenario {
        name: "recorded".to_owned(),
        modules,
        names,
        actors: Vec::new(),
        helper,
        lsm_refuses: false,
        exec_requests: None,
        patched: Default::default(),
        modprobe_killable: false,
        programs: Programs::default(),
        asks: Vec::new(),
        limit,
        timeouts: story.calls.iter().any(|call| call.returned == Some(-ETIME)),
        features,
    };
    let mut setting = Setting { scenario, loaded, resolved, places: Vec::new() };
    setting.act(story);
    Ok(setting)
}

/// What a module needs: first those of which the log has a reference, in its order, which is that of
/// the module's symbol table; then what else the index lists, which it does not need directly.
fn dependencies(name: &str, fate: &Fate, index: Option<&ModuleIndex>) -> Vec<String> {
    let indexed = index.and_then(|index| Some((index, index.id_of(name)?)));
    let Some((index, id)) = indexed else { return fate.dependencies.clone() };
    let listed: Vec<&str> = index.dependencies(id).iter().map(|d| index.name(*d)).collect();
    let seen = fate.dependencies.iter().filter(|d| listed.contains(&d.as_str()));
    let mut dependencies: Vec<String> = seen.cloned().collect();
    for dependency in listed.iter().rev() {
        if !dependencies.iter().any(|known| known == dependency) {
            dependencies.push((*dependency).to_owned());
        }
    }
    dependencies
}

/// What the index says of a name.
fn of_index(
    modprobe: Modprobe<'_>,
    request: &str,
    get_fs_type: bool,
    features: Features,
    modules: &mut Modules<'_>,
) -> Result<Option<Name>, FtraceError> {
    let setting = closure::Setting {
        get_fs_type,
        request: request.to_owned(),
        callers: 1,
        init: Init::Succeeds,
        timeouts: false,
        features,
    };
    let scenario = match closure::scenario(modprobe, &setting) {
        Ok(scenario) => scenario,
        Err(closure::ClosureError::NotFound(_)) => {
            let request = request.to_owned();
            return Ok(Some(Name { request, resolution: Resolution::NotFound, builtin: None }));
        }
        // More modules than the model takes, or a configuration of which it cannot be told what it does.
        Err(_) => return Ok(None),
    };
    let numbers: Vec<ModuleId> =
        scenario.modules.iter().map(|m| modules.number(&m.name)).collect::<Result<_, _>>()?;
    let map = |id: ModuleId| numbers[usize::from(id)];
    for (module, id) in scenario.modules.iter().zip(&numbers) {
        let known = &mut modules.list[usize::from(*id)];
        known.registers |= module.registers;
        known.listed_builtin |= module.listed_builtin;
        known.compressed |= module.compressed;
        known.dependencies = module.dependencies.iter().map(|d| map(*d)).collect();
    }
    let Some(mut name) = scenario.names.into_iter().next() else { return Ok(None) };
    if let Resolution::Modules(targets) = &mut name.resolution {
        for target in targets {
            target.module = map(target.module);
            for probe in &mut target.probe {
                probe.for_each(|probe| probe.module = map(probe.module));
            }
        }
    }
    Ok(Some(name))
}

/// What the log lets one guess of a name.
fn of_log(
    story: &Story,
    call: &Call,
    request: &str,
    listed: Option<Vec<String>>,
    blacklist: &[String],
    modules: &mut Modules<'_>,
) -> Result<Name, FtraceError> {
    let fs = request.strip_prefix("fs-").unwrap_or(request);
    let own = fs.replace('-', "_");
    let mut list = listed.unwrap_or_else(|| story.modules_for(request));
    if list.is_empty() && (story.known(&own).is_some() || blacklist.contains(&own)) {
        list.push(own.clone());
    }
    let pinned = story.calls.iter().filter(|c| c.name() == call.name());
    let pinned = pinned.filter_map(|c| c.pinned.as_ref()).next();
    if let Some(pinned) = pinned
        && !list.contains(pinned)
    {
        list.push(pinned.clone());
    }
    let registers =
        |name: &&String| story.known(name).is_some_and(|fate| fate.file_systems.contains(fs));
    let target = list.iter().find(|name| Some(*name) == pinned).or(list.iter().find(registers));
    let target = target.or(list.iter().find(|name| **name == own));
    let target = target.or(list.last()).cloned();
    let Some(target) = target else {
        let succeeds = |c: &Call| c.name() == call.name() && c.helper.is_some();
        let found = story.calls.iter().any(|c| succeeds(c) && c.returned == Some(0));
        let (resolution, builtin) = if found {
            (Resolution::Builtin, Some(BuiltIn { name: own, directory: true, driver: false }))
        } else {
            (Resolution::NotFound, None)
        };
        return Ok(Name { request: request.to_owned(), resolution, builtin });
    };
    // The target comes last in its own list.
    list.retain(|name| *name != target);
    list.push(target.clone());
    let mut probe = Vec::new();
    for name in &list {
        let module = modules.number(name)?;
        probe.push(Probe::new(module, true, Insert::Finit));
    }
    let module = modules.number(&target)?;
    modules.list[usize::from(module)].registers |= matches!(call.does, Does::GetFsType(_));
    let target = Target { module, probe, blacklisted: false };
    let resolution = Resolution::Modules(vec![target]);
    Ok(Name { request: request.to_owned(), resolution, builtin: None })
}

/// Whether every modprobe of this name failed and the log has nothing of any module that the index
/// gives it: their files are not there (an initramfs has not all that the index lists), so that
/// modprobe fails before it asks the kernel for anything.
fn file_is_missing(story: &Story, name: &Name, modules: &Modules<'_>) -> bool {
    let unseen = |target: &Target| {
        let module = &modules.list[usize::from(target.module)].name;
        story.known(module).is_none_or(|fate| fate.listed.is_none() && !fate.mentioned)
    };
    let request = Some(name.request.as_str());
    let mut calls = story.calls.iter().filter(|call| call.name().as_deref() == request).peekable();
    calls.peek().is_some()
        && calls.all(|call| call.helper.is_some() && call.returned == Some(256))
        && !name.targets().is_empty()
        && name.targets().iter().all(unseen)
}

/// Whether some `get_fs_type()` found its file system without a request, and no module's: so it is
/// built in.
fn found_at_once(story: &Story, request: &str) -> bool {
    story.calls.iter().any(|call| {
        matches!(call.does, Does::GetFsType(_))
            && call.name().as_deref() == Some(request)
            && !call.requested
            && call.pinned.is_none()
            && call.mounted.is_some_and(|ret| ret != -ENODEV)
    })
}

/// Whether helpers could be started at all.
fn helper_of(story: &Story) -> Helper {
    let requests = story.calls.iter().filter(|call| call.returned.is_some());
    let requests: Vec<&Call> = requests.collect();
    let all = |wanted: &dyn Fn(&Call) -> bool| {
        !requests.is_empty() && story.helpers.is_empty() && requests.iter().all(|c| wanted(c))
    };
    if all(&|call| call.started == Some(-ENOENT)) {
        Helper::Missing
    } else if all(&|call| call.started == Some(-EBUSY)) {
        Helper::Disabled
    } else if all(&|call| call.helper.is_none() && matches!(call.returned, Some(0 | -2))) {
        Helper::EmptyPath
    } else {
        Helper::Present
    }
}

/// How many requests may run at a time, where that may have mattered.
fn limit_of(story: &Story, features: Features) -> Option<u8> {
    let requests = story.calls.iter().filter(|call| call.requested);
    let refused = |call: &Call| call.helper.is_none() && call.returned == Some(-ENOMEM);
    let met = features.kernel.request_limit == RequestLimit::FailsAtOnce
        && story.calls.iter().any(refused);
    (met || requests.count() > usize::from(REQUESTS)).then_some(REQUESTS)
}

/// What must have been loaded before the log begins: what is unloaded before it is listed, and what is
/// never listed and was there all the same.
fn loaded(story: &Story, modules: &[Module], names: &[Name], features: Features) -> Vec<ModuleId> {
    let formed = |module: &Module| story.known(&module.name).is_some_and(|fate| fate.formed);
    let asks = |call: &Call, name: &Name| match &call.does {
        Does::Modprobe(listed) => shell_name(listed) == name.request,
        _ => call.name().as_deref() == Some(name.request.as_str()),
    };
    // A request that returns 0 without a modprobe is told so by the list only where the kernel looks.
    let succeeds = |call: &Call| {
        call.returned == Some(0) && (call.helper.is_some() || features.kernel.already_live)
    };
    let needed = |id: ModuleId| {
        modules.iter().any(|m| formed(m) && m.dependencies.contains(&id))
            || names.iter().any(|name| {
                let wanted = name.targets().iter().filter(|t| !t.blacklisted);
                // What a command stands in for is not loaded.
                let loads = |p: &&Probe| p.insert == Insert::Finit || p.insert.runs_modprobe();
                let mut probes =
                    wanted.flat_map(Target::entries).filter(|p| p.module == id).filter(loads);
                // modprobe passes over a softdep in silence if it is there; if it were not, somebody
                // would be seen to load it.
                let passed = |call: &Call| {
                    asks(call, name)
                        && (call.helper.is_some() || matches!(call.does, Does::Modprobe(_)))
                };
                probes.any(|probe| {
                    let calls = &story.calls;
                    calls.iter().any(|call| {
                        if probe.required {
                            asks(call, name) && succeeds(call)
                        } else {
                            passed(call)
                        }
                    })
                })
            })
    };
    let mut loaded: Vec<ModuleId> = Vec::new();
    for (module, id) in modules.iter().zip(0..) {
        let fate = story.known(&module.name);
        let listed = fate.and_then(|fate| fate.listed);
        let there = match (listed, fate.and_then(|fate| fate.deleted)) {
            (Some(listed), Some(deleted)) => deleted < listed,
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (None, None) => needed(id) || fate.is_some_and(|fate| fate.mentioned),
        };
        if there {
            loaded.push(id);
        }
    }
    // What is loaded holds its dependencies.
    loop {
        let missing: Vec<ModuleId> = loaded
            .iter()
            .flat_map(|id| &modules[usize::from(*id)].dependencies)
            .filter(|id| !loaded.contains(id))
            .copied()
            .collect();
        if missing.is_empty() {
            loaded.sort_unstable();
            return loaded;
        }
        loaded.extend(missing);
        loaded.sort_unstable();
        loaded.dedup();
    }
}

fn resolved(story: &Story, modules: &[Module]) -> Vec<(ModuleId, ModuleId)> {
    let mut resolved = Vec::new();
    for (name, fate) in &story.modules {
        for dependency in &fate.dependencies {
            if let (Some(by), Some(on)) = (position(modules, name), position(modules, dependency)) {
                resolved.push((by, on));
            }
        }
    }
    resolved
}
