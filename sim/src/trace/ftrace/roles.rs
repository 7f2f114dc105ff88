//! What the processes of a log do, line by line, and the scenario that this makes.

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{
    Action, Actor, BuiltIn, Helper, Init, Insert, Module, ModuleId, Name, NameId, Probe,
    Resolution, Scenario, Target,
};
use kmodcheck_model::userspace::closure;
use kmodcheck_model::userspace::index::ModuleIndex;

use super::FtraceError;
use super::order::Place;
use super::parse::{Line, What};

/// Who a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A call, by its place in [`Story::calls`].
    Call(usize),
    /// A modprobe that the kernel started, by its place in [`Story::helpers`].
    Helper(usize),
}

/// A line that is about somebody.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub line: usize,
    pub who: Who,
    /// The module that is being loaded or unloaded by that process.
    pub module: Option<String>,
    /// For a `module_put`: the last reference of a `get_fs_type()`.
    pub last_reference: bool,
    /// The process cannot come here from where it was last seen.
    pub out_of_order: bool,
}

/// What a call is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Does {
    GetFsType(String),
    Request { name: String, wait: bool },
    Delete(String),
    Modprobe(Vec<String>),
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub task: String,
    pub does: Does,
    /// The lines between which its modprobe runs.
    helper: Option<(usize, usize)>,
    /// What `__request_module()` returned.
    returned: Option<i64>,
    started: Option<i64>,
}

impl Call {
    /// The name that it requests, or would.
    fn name(&self) -> Option<String> {
        match &self.does {
            Does::GetFsType(fs) => Some(format!("fs-{fs}")),
            Does::Request { name, .. } => Some(name.clone()),
            Does::Delete(_) | Does::Modprobe(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct HelperStory {
    pub task: String,
    /// The calls that it may belong to.
    pub callers: Vec<usize>,
    exec: usize,
    exit: usize,
    /// The modules that it lists or waits for, in order.
    modules: Vec<String>,
}

/// What happened to a module.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// The first line that lists it.
    listed: Option<usize>,
    /// The first line that unloads it.
    deleted: Option<usize>,
    formed: bool,
    mentioned: bool,
    dependencies: Vec<String>,
    file_systems: BTreeSet<String>,
    init_failed: bool,
    init_eexist: bool,
    sysfs_failed: bool,
    directory: bool,
}

/// Who did what.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub parts: Vec<Part>,
    pub calls: Vec<Call>,
    pub helpers: Vec<HelperStory>,
    /// By name, in the order of their first line.
    modules: Vec<(String, Fate)>,
    /// The line at which events were lost, after which nothing is read.
    pub cut: Option<usize>,
}

/// What a process is in.
#[derive(Clone, Debug, Default)]
struct Now {
    call: Option<usize>,
    requested: bool,
    references: u32,
    player: Option<Who>,
    in_finit: bool,
    loading: Option<String>,
    deletes: Option<usize>,
    last: Place,
}

impl Story {
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many calls started a modprobe.
    pub fn requests(&self) -> usize {
        self.calls.iter().filter(|call| call.helper.is_some()).count()
    }

    fn fate(&mut self, module: &str) -> &mut Fate {
        let at = match self.modules.iter().position(|(name, _)| name == module) {
            Some(at) => at,
            None => {
                self.modules.push((module.to_owned(), Fate::default()));
                self.modules.len() - 1
            }
        };
        &mut self.modules[at].1
    }

    fn known(&self, module: &str) -> Option<&Fate> {
        self.modules.iter().find(|(name, _)| name == module).map(|(_, fate)| fate)
    }

    /// Goes through the lines.
    ///
    /// # Errors
    /// A line about modules of a process that is in no call that is in the log.
    pub fn read(file: &str, lines: &[Line]) -> Result<Self, FtraceError> {
        let mut story = Self::default();
        let paths: BTreeSet<&str> = lines
            .iter()
            .filter_map(|line| match &line.what {
                What::Helper { path, .. } => Some(path.as_str()),
                _ => None,
            })
            .collect();
        let mut probed: BTreeSet<Place> = lines.iter().filter_map(|l| Place::of(&l.what)).collect();
        // One probe sees all notifications of a chain.
        if [Place::Live, Place::Coming, Place::Going].iter().any(|p| probed.contains(p)) {
            probed.extend([Place::Live, Place::Coming, Place::Going]);
        }
        let mut processes: BTreeMap<u32, Now> = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            if line.what == What::Lost {
                // Nobody knows any more where anybody is.
                story.cut = Some(at);
                break;
            }
            let now = processes.entry(line.pid).or_default();
            let mut out_of_order = false;
            if let Some(place) = Place::of(&line.what) {
                // The probe at delete_module() comes after the system call's own event.
                let again = place == Place::Delete && now.last == Place::Delete;
                out_of_order = !again && !place.follows(now.last, &probed);
                if place == Place::Exit {
                    // Nobody exits in the middle of a system call.
                    let mounts = now.call.is_some() && probed.contains(&Place::MountReturns);
                    out_of_order |= now.in_finit || now.deletes.is_some() || mounts;
                }
                now.last = place;
            }
            story.line(file, lines, at, now, &paths, out_of_order)?;
        }
        for helper in &mut story.helpers {
            let runs = |call: &&Call| {
                call.helper.is_some_and(|(from, to)| {
                    let waits = !matches!(call.does, Does::Request { wait: false, .. });
                    let last = to > helper.exit || to == usize::MAX;
                    from < helper.exec && (last || !waits)
                })
            };
            let calls = story.calls.iter().enumerate();
            helper.callers = calls.filter(|(_, call)| runs(call)).map(|(at, _)| at).collect();
        }
        Ok(story)
    }

    fn line(
        &mut self,
        file: &str,
        lines: &[Line],
        at: usize,
        now: &mut Now,
        paths: &BTreeSet<&str>,
        out_of_order: bool,
    ) -> Result<(), FtraceError> {
        let line = &lines[at];
        let task = || format!("{}-{}", line.command, line.pid);
        let error = |expected: &str| FtraceError::Line {
            file: file.to_owned(),
            line: line.number,
            found: line.text.clone(),
            expected: expected.to_owned(),
        };
        let mut part = |who, module: Option<&String>| {
            self.parts.push(Part {
                line: at,
                who,
                module: module.cloned(),
                last_reference: false,
                out_of_order,
            });
        };
        // Who is in load_module() or free_module().
        let loader = || now.player.filter(|_| now.in_finit).or(now.deletes.map(Who::Call));
        let in_finit = "a finit_module() call of the same process before this line";
        match &line.what {
            What::Lost | What::Unrelated => {}
            What::Exec { file } if paths.contains(file.as_str()) => {
                part(Who::Helper(self.helpers.len()), None);
                *now = Now { player: Some(Who::Helper(self.helpers.len())), ..Now::default() };
                self.helpers.push(HelperStory {
                    task: task(),
                    callers: Vec::new(),
                    exec: at,
                    exit: usize::MAX,
                    modules: Vec::new(),
                });
            }
            What::Exec { .. } => {}
            What::Exit => {
                let left = now.deletes.or(now.call).filter(|_| out_of_order).map(Who::Call);
                if let Some(player) = now.player.or(left) {
                    part(player, None);
                    if let Who::Helper(helper) = player {
                        self.helpers[helper].exit = at;
                    }
                }
                *now = Now::default();
            }
            What::GetFsType { fs } => {
                part(Who::Call(self.calls.len()), None);
                now.call = Some(self.calls.len());
                (now.requested, now.references) = (false, 0);
                self.calls.push(Call {
                    task: task(),
                    does: Does::GetFsType(fs.clone()),
                    helper: None,
                    returned: None,
                    started: None,
                });
            }
            What::RequestModule => {
                if now.requested || now.call.is_none() {
                    let mut later = lines[at..].iter().filter(|l| l.pid == line.pid);
                    let request = later.find_map(|l| match &l.what {
                        What::ModuleRequest { name, wait } => Some((name.clone(), *wait)),
                        What::Helper { name, .. } => Some((name.clone(), true)),
                        _ => None,
                    });
                    let (name, wait) = request.ok_or_else(|| {
                        error("a module_request event with the name that is requested")
                    })?;
                    now.call = Some(self.calls.len());
                    self.calls.push(Call {
                        task: task(),
                        does: Does::Request { name, wait },
                        helper: None,
                        returned: None,
                        started: None,
                    });
                }
                now.requested = true;
                part(Who::Call(now.call.expect("set above")), None);
            }
            What::ModuleRequest { .. }
            | What::Helper { .. }
            | What::HelperReturns(_)
            | What::RequestReturns { .. } => {
                let expected = "a __request_module() call of the same process before this line";
                let call = now.call.filter(|_| now.requested).ok_or_else(|| error(expected))?;
                part(Who::Call(call), None);
                let story = &mut self.calls[call];
                match &line.what {
                    What::Helper { .. } => story.helper = Some((at, usize::MAX)),
                    What::HelperReturns(ret) => {
                        story.started = Some(*ret);
                        if let Some((_, to)) = &mut story.helper {
                            *to = at;
                        }
                    }
                    What::RequestReturns { ret, to_get_fs_type } => {
                        story.returned = Some(*ret);
                        if *to_get_fs_type && !matches!(story.does, Does::GetFsType(_)) {
                            let expected = "the get_fs_type() call that this is in, before it";
                            return Err(error(expected));
                        }
                        if !matches!(story.does, Does::GetFsType(_)) {
                            now.call = None;
                            now.requested = false;
                        }
                    }
                    _ => {}
                }
            }
            What::MountReturns(ret) => {
                if let Some(call) = now.call.take() {
                    // What failed keeps no reference.
                    let out_of_order = out_of_order || *ret != 0 && now.references != 0;
                    self.parts.push(Part {
                        line: at,
                        who: Who::Call(call),
                        module: None,
                        last_reference: false,
                        out_of_order,
                    });
                }
            }
            What::Finit => {
                if now.player.is_none() {
                    now.player = Some(Who::Call(self.calls.len()));
                    self.calls.push(Call {
                        task: task(),
                        does: Does::Modprobe(Vec::new()),
                        helper: None,
                        returned: None,
                        started: None,
                    });
                }
                now.in_finit = true;
                now.loading = None;
                self.parts.push(Part {
                    line: at,
                    who: now.player.expect("set above"),
                    module: None,
                    last_reference: false,
                    out_of_order,
                });
            }
            What::FinitReturns(_) => {
                let player = loader().ok_or_else(|| error(in_finit))?;
                part(player, None);
                now.in_finit = false;
            }
            What::LoadModule | What::LoadModuleReturns(_) => {
                let player = loader().ok_or_else(|| error(in_finit))?;
                part(player, None);
            }
            What::Listed(module) | What::FinishedLoading(module) => {
                let player = loader().ok_or_else(|| error(in_finit))?;
                now.loading = Some(module.clone());
                part(player, Some(module));
                let modules = match player {
                    Who::Helper(helper) => Some(&mut self.helpers[helper].modules),
                    Who::Call(call) => match &mut self.calls[call].does {
                        Does::Modprobe(modules) => Some(modules),
                        _ => None,
                    },
                };
                if let Some(modules) = modules
                    && !modules.contains(module)
                {
                    modules.push(module.clone());
                }
                let listed = matches!(line.what, What::Listed(_));
                let fate = self.fate(module);
                if listed && fate.listed.is_none() {
                    fate.listed = Some(at);
                }
            }
            What::FinishedLoadingReturns(_) => {
                let player = loader().ok_or_else(|| error(in_finit))?;
                part(player, now.loading.as_ref());
            }
            What::Get { module, site } => match site.as_str() {
                "resolve_symbol" => {
                    let player = loader().ok_or_else(|| error(in_finit))?;
                    part(player, now.loading.as_ref());
                    if let Some(by) = now.loading.clone() {
                        self.depends(&by, module);
                    }
                }
                "__get_fs_type" | "get_filesystem" if now.call.is_some() => {
                    if site == "__get_fs_type" {
                        part(Who::Call(now.call.expect("tested")), None);
                    }
                    now.references += 1;
                    self.fate(module).mentioned = true;
                }
                _ => {}
            },
            What::Put { module, site } => match site.as_str() {
                "do_init_module" => {
                    let player = loader().ok_or_else(|| error(in_finit))?;
                    part(player, Some(module));
                }
                "module_unload_free" => {
                    let player = loader().ok_or_else(|| error("a call that unloads a module"))?;
                    part(player, now.loading.as_ref());
                    if let Some(by) = now.loading.clone() {
                        self.depends(&by, module);
                    }
                }
                _ if now.references > 0 => {
                    now.references -= 1;
                    if let Some(call) = now.call {
                        self.parts.push(Part {
                            line: at,
                            who: Who::Call(call),
                            module: Some(module.clone()),
                            last_reference: now.references == 0,
                            out_of_order,
                        });
                    }
                }
                _ => {}
            },
            What::DeleteModule(module) => {
                // The system call's own event comes first and has no name; the probe's may follow.
                if now.deletes.is_none() {
                    let module = match module {
                        Some(module) => module.clone(),
                        None => deleted(lines, at).ok_or_else(|| {
                            error("an event that names the module before the call returns")
                        })?,
                    };
                    part(Who::Call(self.calls.len()), Some(&module));
                    now.deletes = Some(self.calls.len());
                    now.loading = Some(module.clone());
                    self.calls.push(Call {
                        task: task(),
                        does: Does::Delete(module.clone()),
                        helper: None,
                        returned: None,
                        started: None,
                    });
                    self.fate(&module).mentioned = true;
                }
            }
            What::DeleteModuleReturns(ret) => {
                let call = now.deletes.take();
                let call = call.ok_or_else(|| error("a delete_module() call before this line"))?;
                part(Who::Call(call), None);
                if let (0, Does::Delete(module)) = (ret, self.calls[call].does.clone()) {
                    let fate = self.fate(&module);
                    fate.deleted = fate.deleted.or(Some(at));
                }
            }
            What::Notified { module, .. }
            | What::SysfsSetup(module)
            | What::MakesDirectory(module)
            | What::MakesInitstate(module)
            | What::Loaded(module)
            | What::DoInit(module)
            | What::FreeModule(module)
            | What::Freed(module)
            | What::SysfsTeardown(module) => {
                let player = loader().ok_or_else(|| error(in_finit))?;
                part(player, Some(module));
                let fate = self.fate(module);
                fate.formed |= matches!(line.what, What::Notified { state: 1, .. });
                fate.directory |= matches!(line.what, What::MakesDirectory(_));
                if matches!(line.what, What::FreeModule(_)) && now.deletes.is_some() {
                    fate.deleted = fate.deleted.or(Some(at));
                }
            }
            What::SysfsSetupReturns(ret) => {
                let player = loader().ok_or_else(|| error(in_finit))?;
                part(player, now.loading.as_ref());
                if let (true, Some(module)) = (*ret != 0, now.loading.clone()) {
                    self.fate(&module).sysfs_failed = true;
                }
            }
            What::DoInitReturns(ret) => {
                let player = loader().ok_or_else(|| error(in_finit))?;
                part(player, now.loading.as_ref());
                if let (true, Some(module)) = (*ret < 0, now.loading.clone()) {
                    let fate = self.fate(&module);
                    *(if *ret == -EEXIST {
                        &mut fate.init_eexist
                    } else {
                        &mut fate.init_failed
                    }) = true;
                }
            }
            What::Registers { fs } => {
                if let (Some(player), Some(module)) = (loader(), now.loading.clone()) {
                    part(player, Some(&module));
                    self.fate(&module).file_systems.insert(fs.clone());
                }
            }
        }
        Ok(())
    }

    fn depends(&mut self, by: &str, on: &str) {
        self.fate(on).mentioned = true;
        let fate = self.fate(by);
        if !fate.dependencies.iter().any(|known| known == on) {
            fate.dependencies.push(on.to_owned());
        }
    }

    /// The modules that modprobe goes through for a name, as far as the log shows it, in the order in
    /// which they were first listed.
    fn modules_for(&self, request: &str) -> Vec<String> {
        let mut modules: Vec<&String> = Vec::new();
        for helper in &self.helpers {
            // The caller that went on first after this modprobe was gone.
            let natural = helper.callers.iter().min_by_key(|call| self.calls[**call].helper);
            let natural = natural.map(|call| &self.calls[*call]);
            if natural.and_then(Call::name).as_deref() == Some(request) {
                modules.extend(&helper.modules);
            }
        }
        let mut ordered: Vec<String> = self
            .modules
            .iter()
            .map(|(name, _)| name)
            .filter(|name| modules.contains(name))
            .cloned()
            .collect();
        ordered.sort_by_key(|name| self.known(name).and_then(|f| f.listed).unwrap_or(usize::MAX));
        ordered
    }
}

const EEXIST: i64 = 17;
const ENOENT: i64 = 2;
const EBUSY: i64 = 16;

/// Which module the `delete_module()` call of this line is about.
fn deleted(lines: &[Line], at: usize) -> Option<String> {
    let same = lines[at + 1..].iter().filter(|line| line.pid == lines[at].pid);
    same.take_while(|line| !matches!(line.what, What::DeleteModuleReturns(_))).find_map(|line| {
        match &line.what {
            What::DeleteModule(Some(module))
            | What::FreeModule(module)
            | What::Notified { module, state: 2 } => Some(module.clone()),
            _ => None,
        }
    })
}

/// The scenario of a log, and what it takes to map names.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub scenario: Scenario,
    /// Loaded when the log begins.
    pub loaded: Vec<ModuleId>,
    /// References on dependencies of which the log has a line.
    pub resolved: Vec<(ModuleId, ModuleId)>,
}

impl Setting {
    pub fn module(&self, name: &str) -> Option<ModuleId> {
        self.scenario.modules.iter().position(|m| m.name == name).map(|at| at as ModuleId)
    }

    pub fn depends(&self, by: ModuleId, on: ModuleId) -> bool {
        self.scenario.modules[usize::from(by)].dependencies.contains(&on)
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
        let at = self.scenario.names.iter().position(|name| name.request == request);
        at.expect("every requested name is in the scenario") as NameId
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

    /// By call: its place in the product.
    pub fn places(&self, story: &Story) -> Vec<u8> {
        let mut used = vec![0; self.scenario.actors.len()];
        let place = |call: &Call| {
            let action = self.action(call);
            let actors = &self.scenario.actors;
            let at = actors.iter().position(|a| a.action == action).expect("every call is there");
            let before: u8 = actors[..at].iter().map(|a| a.count).sum();
            used[at] += 1;
            before + used[at] - 1
        };
        story.calls.iter().map(place).collect()
    }
}

/// The name under which a shell's modprobe asked, which the log does not say: that of the last module.
fn shell_name(modules: &[String]) -> String {
    modules.last().map_or("(nothing)", String::as_str).to_owned()
}

/// Makes the scenario.
pub(super) fn setting(
    story: &Story,
    features: Features,
    index: Option<&ModuleIndex>,
    blacklist: &[String],
) -> Setting {
    let mut modules: Vec<Module> = Vec::new();
    let mut names: Vec<Name> = Vec::new();
    for call in &story.calls {
        let get_fs_type = matches!(call.does, Does::GetFsType(_));
        let (request, listed) = match (&call.does, call.name()) {
            (Does::Modprobe(listed), _) => (shell_name(listed), Some(listed)),
            (_, Some(request)) => (request, None),
            _ => continue,
        };
        let known = names.iter_mut().find(|name| name.request == request);
        if let Some(name) = known {
            if get_fs_type {
                let targets: Vec<_> = name.targets().iter().map(|t| t.module).collect();
                targets.iter().for_each(|id| modules[usize::from(*id)].registers = true);
            }
            continue;
        }
        let name = index
            .and_then(|index| of_index(index, &request, get_fs_type, features, &mut modules))
            .unwrap_or_else(|| of_log(story, call, &request, listed, blacklist, &mut modules));
        names.push(name);
    }
    for (name, _) in &story.modules {
        number(&mut modules, name);
    }
    for name in &mut names {
        let request = name.request.replace('-', "_");
        let Resolution::Modules(targets) = &mut name.resolution else { continue };
        for target in targets {
            let module = &modules[usize::from(target.module)].name;
            target.blacklisted = request != *module && blacklist.contains(module);
        }
    }
    for at in 0..modules.len() {
        let name = modules[at].name.clone();
        let Some(fate) = story.known(&name) else { continue };
        let indexed = index.and_then(|index| {
            let id = index.id_of(&name)?;
            Some(index.dependencies(id).iter().map(|d| index.name(*d).to_owned()).collect())
        });
        let mut dependencies: Vec<String> = indexed.unwrap_or_else(|| fate.dependencies.clone());
        if index.is_some() {
            dependencies.reverse();
        }
        let known =
            |name: &String| modules.iter().position(|m| m.name == *name).map(|at| at as ModuleId);
        modules[at].dependencies = dependencies.iter().filter_map(known).collect();
        modules[at].init = match (fate.init_failed, fate.init_eexist) {
            (_, true) => Init::MayReturnEexist,
            (true, false) => Init::MayFail,
            (false, false) => modules[at].init,
        };
        modules[at].name_taken = fate.sysfs_failed && !fate.directory;
        modules[at].sysfs_may_fail = fate.sysfs_failed && fate.directory;
    }
    let helper = helper_of(story);
    let loaded = loaded(story, &modules, &names);
    let resolved = resolved(story, &modules);
    let mut setting = Setting {
        scenario: Scenario {
            name: "recorded".to_owned(),
            modules,
            names,
            actors: Vec::new(),
            helper,
            lsm_refuses: false,
            limit: None,
            timeouts: false,
            features,
        },
        loaded,
        resolved,
    };
    for call in &story.calls {
        let action = setting.action(call);
        let actors = &mut setting.scenario.actors;
        match actors.iter_mut().find(|a| a.action == action) {
            Some(actor) => actor.count += 1,
            None => actors.push(Actor { action, count: 1, killable: false }),
        }
    }
    setting
}

/// The module's number; a new one, if it has none.
fn number(modules: &mut Vec<Module>, name: &str) -> ModuleId {
    let at = modules.iter().position(|m| m.name == name).unwrap_or_else(|| {
        modules.push(Module { name: name.to_owned(), ..Module::default() });
        modules.len() - 1
    });
    at as ModuleId
}

/// What the index says of a name.
fn of_index(
    index: &ModuleIndex,
    request: &str,
    get_fs_type: bool,
    features: Features,
    modules: &mut Vec<Module>,
) -> Option<Name> {
    let setting = closure::Setting {
        get_fs_type,
        request: request.to_owned(),
        callers: 1,
        init: Init::Succeeds,
        timeouts: false,
        features,
    };
    let scenario = match closure::scenario(index, &setting) {
        Ok(scenario) => scenario,
        Err(closure::ClosureError::NotFound(_)) => {
            let request = request.to_owned();
            return Some(Name { request, resolution: Resolution::NotFound, builtin: None });
        }
        Err(closure::ClosureError::TooLarge { .. }) => return None,
    };
    let numbers: Vec<ModuleId> =
        scenario.modules.iter().map(|m| number(modules, &m.name)).collect();
    let map = |id: ModuleId| numbers[usize::from(id)];
    for (module, id) in scenario.modules.iter().zip(&numbers) {
        let known = &mut modules[usize::from(*id)];
        known.registers |= module.registers;
        known.listed_builtin |= module.listed_builtin;
        known.dependencies = module.dependencies.iter().map(|d| map(*d)).collect();
    }
    let mut name = scenario.names.into_iter().next()?;
    if let Resolution::Modules(targets) = &mut name.resolution {
        for target in targets {
            target.module = map(target.module);
            target.probe.iter_mut().for_each(|probe| probe.module = map(probe.module));
        }
    }
    Some(name)
}

/// What the log lets one guess of a name.
fn of_log(
    story: &Story,
    call: &Call,
    request: &str,
    listed: Option<&Vec<String>>,
    blacklist: &[String],
    modules: &mut Vec<Module>,
) -> Name {
    let fs = request.strip_prefix("fs-").unwrap_or(request);
    let own = fs.replace('-', "_");
    let mut list = listed.cloned().unwrap_or_else(|| story.modules_for(request));
    if list.is_empty() && (story.known(&own).is_some() || blacklist.contains(&own)) {
        list.push(own.clone());
    }
    let registers =
        |name: &&String| story.known(name).is_some_and(|fate| fate.file_systems.contains(fs));
    let target = list.iter().find(registers).or(list.iter().find(|name| **name == own));
    let target = target.or(list.last()).cloned();
    let Some(target) = target else {
        let found = story.calls.iter().any(|c| c.name() == call.name() && c.returned == Some(0));
        let (resolution, builtin) = if found {
            (Resolution::Builtin, Some(BuiltIn { name: own, directory: true }))
        } else {
            (Resolution::NotFound, None)
        };
        return Name { request: request.to_owned(), resolution, builtin };
    };
    // The target comes last in its own list.
    list.retain(|name| *name != target);
    list.push(target.clone());
    let probe = list
        .iter()
        .map(|name| Probe { module: number(modules, name), required: true, insert: Insert::Finit })
        .collect();
    let module = number(modules, &target);
    modules[usize::from(module)].registers |= matches!(call.does, Does::GetFsType(_));
    let target = Target { module, probe, blacklisted: false };
    let resolution = Resolution::Modules(vec![target]);
    Name { request: request.to_owned(), resolution, builtin: None }
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

/// What must have been loaded before the log begins: what is unloaded before it is listed, and what is
/// never listed and was there all the same.
fn loaded(story: &Story, modules: &[Module], names: &[Name]) -> Vec<ModuleId> {
    let formed = |module: &Module| story.known(&module.name).is_some_and(|fate| fate.formed);
    let needed = |id: ModuleId| {
        modules.iter().any(|m| formed(m) && m.dependencies.contains(&id))
            || names.iter().any(|name| {
                let success = |call: &Call| {
                    call.name().as_deref() == Some(name.request.as_str())
                        && call.returned == Some(0)
                };
                let wanted = name.targets().iter().filter(|t| !t.blacklisted);
                let mut probes = wanted.flat_map(|t| &t.probe);
                probes.any(|probe| probe.module == id && probe.required)
                    && story.calls.iter().any(success)
            })
    };
    let mut loaded: Vec<ModuleId> = Vec::new();
    for (id, module) in modules.iter().enumerate() {
        let id = id as ModuleId;
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
    let number = |name: &str| modules.iter().position(|m| m.name == name).map(|at| at as ModuleId);
    let mut resolved = Vec::new();
    for (name, fate) in &story.modules {
        for dependency in &fate.dependencies {
            if let (Some(by), Some(on)) = (number(name), number(dependency)) {
                resolved.push((by, on));
            }
        }
    }
    resolved
}
