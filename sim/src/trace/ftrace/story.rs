//! What the processes of a log do, line by line.

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_model::scenario::{FailsAt, Failure};

use super::FtraceError;
use super::order::Place;
use super::parse::{EEXIST, EINTR, ENOENT, ERESTARTSYS, Line, What};

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
    /// For `mount()`'s return: its file system's module was seen to be found.
    pub found: bool,
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
    pub helper: Option<(usize, usize)>,
    /// What `__request_module()` returned.
    pub returned: Option<i32>,
    /// What `call_usermodehelper_exec()` returned.
    pub started: Option<i32>,
    /// The module of which `__get_fs_type()` took a reference.
    pub pinned: Option<String>,
    /// What `mount()` returned.
    pub mounted: Option<i32>,
    /// Whether `__request_module()` was called.
    pub requested: bool,
    /// Whether a signal has ended its `load_module()`.
    interrupted: bool,
}

impl Call {
    fn new(task: String, does: Does) -> Self {
        Self {
            task,
            does,
            helper: None,
            returned: None,
            started: None,
            pinned: None,
            mounted: None,
            requested: false,
            interrupted: false,
        }
    }

    /// Whether a signal has ended its wait.
    pub fn killed(&self) -> bool {
        let by_signal = |ret: i32| ret == -ERESTARTSYS || ret == -EINTR;
        self.interrupted
            || self.started.is_some_and(by_signal)
            || self.returned.is_some_and(by_signal)
    }

    /// The name that it requests, or would.
    pub fn name(&self) -> Option<String> {
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

/// One `finit_module()` or `init_module()`.
#[derive(Clone, Debug)]
struct Load {
    who: Who,
    from: usize,
    to: usize,
    module: Option<String>,
    /// `init_module()`: the file was unpacked in user space.
    from_memory: bool,
    /// `load_module()` was called: it did not join another one.
    entered: bool,
    returned: Option<i32>,
    /// References on dependencies, in the order in which they were taken.
    resolved: Vec<String>,
    /// Where it was seen while the module took form.
    seen: BTreeSet<Place>,
    /// What `mod_sysfs_setup()` returned.
    sysfs: Option<i32>,
}

/// What happened to a module.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// The first line that lists it.
    pub listed: Option<usize>,
    /// The first line that unloads it.
    pub deleted: Option<usize>,
    pub formed: bool,
    pub mentioned: bool,
    /// Those of which references were taken, in the order of the symbol table, then those of which
    /// some were only given back.
    pub dependencies: Vec<String>,
    pub file_systems: BTreeSet<String>,
    pub init_failed: bool,
    pub init_eexist: bool,
    pub sysfs_failed: bool,
    /// Where its load failed between COMING and init.
    pub failure: Option<Failure>,
    pub directory: bool,
    /// Whether it was given to `init_module()`, or to `finit_module()`.
    pub from_memory: Option<bool>,
}

/// Who did what.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub parts: Vec<Part>,
    pub calls: Vec<Call>,
    pub helpers: Vec<HelperStory>,
    /// By name, in the order of their first line.
    pub modules: Vec<(String, Fate)>,
    loads: Vec<Load>,
    /// Where a probe was set: those of which the log has a line.
    pub probed: BTreeSet<Place>,
    /// Whether the log tells of reads of an initstate that was gone.
    pub reads: bool,
    /// The line at which events were lost. Nobody knows afterwards where anybody is: nothing more is read.
    pub cut: Option<usize>,
    /// The first line of whoever is still at something where the reading ends. Up to here, all that is of this
    /// log is told by it.
    pub whole: usize,
}

/// What a process is in.
#[derive(Clone, Debug, Default)]
struct Now {
    /// The line with which it began what it is at.
    since: Option<usize>,
    /// The `get_fs_type()` of its `mount()`.
    mount: Option<usize>,
    /// The call whose request it is in.
    request: Option<usize>,
    /// References of the mount on the module that `__get_fs_type()` found.
    references: u32,
    player: Option<Who>,
    /// The `finit_module()` that it is in.
    load: Option<usize>,
    loading: Option<String>,
    deletes: Option<usize>,
    /// Its last line was `delete_module()`'s without a name.
    unnamed: bool,
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

    pub fn known(&self, module: &str) -> Option<&Fate> {
        self.modules.iter().find(|(name, _)| name == module).map(|(_, fate)| fate)
    }

    /// Goes through the lines.
    ///
    /// # Errors
    /// A line about modules of a process that is in no call that is in the log.
    pub fn read(file: &str, lines: &[Line]) -> Result<Self, FtraceError> {
        let mut story = Self {
            cut: lines.iter().position(|line| line.what == What::Lost),
            // What is probed the rest of the log tells as well.
            probed: lines.iter().filter_map(|l| Place::of(&l.what)).collect(),
            reads: lines.iter().any(|l| matches!(l.what, What::InitstateGone(_))),
            ..Self::default()
        };
        let lines = story.cut.map_or(lines, |lost| before_a_hole(&lines[..lost]));
        let paths = helpers_of_requests(lines);
        // One probe sees all notifications of a chain.
        if [Place::Live, Place::Coming, Place::Going].iter().any(|p| story.probed.contains(p)) {
            story.probed.extend([Place::Live, Place::Coming, Place::Going]);
        }
        let mut processes: BTreeMap<u32, Now> = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            let now = processes.entry(line.pid).or_default();
            let mut out_of_order = false;
            let foreign = now.request.is_none()
                && matches!(line.what, What::Helper { .. } | What::HelperReturns(_));
            if let Some(place) = Place::of(&line.what).filter(|_| !foreign) {
                // The probe at delete_module() comes after the system call's own event.
                let probe = matches!(line.what, What::DeleteModule(Some(_)));
                let again = probe && now.last == Place::Delete && now.unnamed;
                now.unnamed = matches!(line.what, What::DeleteModule(None));
                out_of_order = !again && !place.follows(now.last, &story.probed);
                if place == Place::Exit {
                    // Nobody exits in the middle of a system call.
                    let mounts = now.mount.is_some() && story.probed.contains(&Place::MountReturns);
                    out_of_order |= now.load.is_some() || now.deletes.is_some() || mounts;
                }
                now.last = place;
            }
            let mut reader = Reader { story: &mut story, file, lines, at, out_of_order };
            reader.line(now, &paths)?;
            let idle = now.mount.is_none() && now.request.is_none() && now.load.is_none();
            let idle = idle && now.player.is_none() && now.deletes.is_none();
            now.since = if idle { None } else { now.since.or(Some(at)) };
        }
        let begun = processes.values().filter_map(|now| now.since).min();
        story.whole = begun.unwrap_or(lines.len());
        for helper in &mut story.helpers {
            let runs = |call: &&Call| {
                call.helper.is_some_and(|(from, to)| {
                    // Who is killed leaves its modprobe behind.
                    let nowait = matches!(call.does, Does::Request { wait: false, .. });
                    let waits = !nowait && !call.killed();
                    let last = to > helper.exit || to == usize::MAX;
                    from < helper.exec && (last || !waits)
                })
            };
            let calls = story.calls.iter().enumerate();
            helper.callers = calls.filter(|(_, call)| runs(call)).map(|(at, _)| at).collect();
        }
        story.settle(file, lines)?;
        Ok(story)
    }

    /// What only the whole log tells: what nameless calls load, what needs what, in which order.
    fn settle(&mut self, file: &str, lines: &[Line]) -> Result<(), FtraceError> {
        for at in 0..self.loads.len() {
            if self.loads[at].module.is_none() && matches!(self.loads[at].who, Who::Call(_)) {
                self.loads[at].module = self.nameless(file, lines, at)?;
            }
        }
        for load in std::mem::take(&mut self.loads) {
            let Some(module) = &load.module else { continue };
            let modules = match load.who {
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
            let fate = self.fate(module);
            fate.from_memory.get_or_insert(load.from_memory);
            // A load that found no symbols of some dependency tells nothing of that one's place.
            let mut place = 0;
            for dependency in &load.resolved {
                match fate.dependencies.iter().position(|known| known == dependency) {
                    Some(known) => place = place.max(known + 1),
                    None => {
                        fate.dependencies.insert(place, dependency.clone());
                        place += 1;
                    }
                }
            }
        }
        // Those of which only the giving back is in the log were taken before it begins.
        let backs = self.parts.iter().filter_map(|part| match &lines[part.line].what {
            What::Put { module, site } if site == "module_unload_free" => {
                Some((part.module.clone()?, module.clone()))
            }
            _ => None,
        });
        for (by, on) in backs.collect::<Vec<_>>() {
            let fate = self.fate(&by);
            if !fate.dependencies.contains(&on) {
                fate.dependencies.push(on);
            }
        }
        Ok(())
    }

    /// Which module a shell's `finit_module()` is of that no line names: it joined another one, or
    /// found its module LIVE.
    fn nameless(
        &self,
        file: &str,
        lines: &[Line],
        at: usize,
    ) -> Result<Option<String>, FtraceError> {
        let mine = &self.loads[at];
        let Some(returned) = mine.returned else { return Ok(None) };
        let joins = |other: &Load| {
            other.entered
                && other.from < mine.to
                && other.to > mine.from
                && other.returned.is_none_or(|ret| ret == returned)
        };
        let mut modules: BTreeSet<&String> = BTreeSet::new();
        if !mine.entered {
            modules
                .extend(self.loads.iter().filter(|l| joins(l)).filter_map(|l| l.module.as_ref()));
        } else if returned == -EEXIST {
            let there = |fate: &Fate| {
                let before = fate.listed.is_none() && fate.mentioned;
                before || fate.listed.is_some_and(|listed| listed < mine.to)
            };
            modules.extend(self.modules.iter().filter(|(_, f)| there(f)).map(|(name, _)| name));
        }
        match modules.len() {
            0 => Ok(None),
            1 => Ok(modules.first().map(|name| (*name).clone())),
            _ => {
                let line = &lines[mine.from];
                let names: Vec<&str> = modules.iter().map(|name| name.as_str()).collect();
                Err(FtraceError::Line {
                    file: file.to_owned(),
                    line: line.number,
                    found: line.text.clone(),
                    expected: format!(
                        "a line that says which module this is of ({}): on v6.5 and later the probe \
                         'finit_file' at idempotent_init_module() does",
                        names.join(" or ")
                    ),
                })
            }
        }
    }

    /// The modules that modprobe goes through for a name, as far as the log shows it, in the order in
    /// which they were first listed.
    pub fn modules_for(&self, request: &str) -> Vec<String> {
        let mut modules: Vec<&String> = Vec::new();
        for helper in &self.helpers {
            // The caller that went on first after this modprobe was gone.
            let went_on = |call: &&usize| self.calls[**call].helper.map(|(_, to)| to);
            let natural = helper.callers.iter().min_by_key(went_on);
            let natural = natural.map(|call| &self.calls[*call]);
            if natural.and_then(Call::name).as_deref() == Some(request) {
                modules.extend(&helper.modules);
            }
        }
        self.in_order(&modules)
    }

    /// The modules that shells' modprobes of this last module went through.
    pub fn modules_of_shells(&self, last: &str) -> Vec<String> {
        let mut modules: Vec<&String> = Vec::new();
        for call in &self.calls {
            if let Does::Modprobe(listed) = &call.does
                && listed.last().is_some_and(|module| module == last)
            {
                modules.extend(listed);
            }
        }
        self.in_order(&modules)
    }

    fn in_order(&self, wanted: &[&String]) -> Vec<String> {
        let names = self.modules.iter().map(|(name, _)| name);
        let mut ordered: Vec<String> = names.filter(|n| wanted.contains(n)).cloned().collect();
        ordered.sort_by_key(|name| self.known(name).and_then(|f| f.listed).unwrap_or(usize::MAX));
        ordered
    }
}

/// One line, and where it is read into.
struct Reader<'a> {
    story: &'a mut Story,
    file: &'a str,
    lines: &'a [Line],
    at: usize,
    out_of_order: bool,
}

impl Reader<'_> {
    fn error(&self, expected: &str) -> FtraceError {
        let line = &self.lines[self.at];
        FtraceError::Line {
            file: self.file.to_owned(),
            line: line.number,
            found: line.text.clone(),
            expected: expected.to_owned(),
        }
    }

    fn part(&mut self, who: Who, module: Option<&String>) {
        self.story.parts.push(Part {
            line: self.at,
            who,
            module: module.cloned(),
            last_reference: false,
            found: false,
            out_of_order: self.out_of_order,
        });
    }

    fn call(&mut self, does: Does) -> usize {
        let line = &self.lines[self.at];
        let task = format!("{}-{}", line.command, line.pid);
        self.story.calls.push(Call::new(task, does));
        self.story.calls.len() - 1
    }

    /// Who is in `load_module()` or `free_module()`.
    fn loader(&self, now: &Now) -> Result<Who, FtraceError> {
        let loader = now.player.filter(|_| now.load.is_some()).or(now.deletes.map(Who::Call));
        loader.ok_or_else(|| {
            self.error(
                "a finit_module() or delete_module() call of the same process before this line",
            )
        })
    }

    fn line(&mut self, now: &mut Now, paths: &BTreeSet<&str>) -> Result<(), FtraceError> {
        let lines = self.lines;
        let line = &lines[self.at];
        match &line.what {
            What::Lost | What::Unrelated => {}
            What::Exec { file } if paths.contains(file.as_str()) => self.exec(now),
            What::Exec { .. } => {}
            What::Exit => {
                let left = now.deletes.or(now.mount).filter(|_| self.out_of_order).map(Who::Call);
                if let Some(player) = now.player.or(left) {
                    self.part(player, None);
                    if let Who::Helper(helper) = player {
                        self.story.helpers[helper].exit = self.at;
                    }
                }
                *now = Now::default();
            }
            What::GetFsType { .. }
            | What::RequestModule
            | What::ModuleRequest { .. }
            | What::Helper { .. }
            | What::HelperReturns(_)
            | What::RequestReturns { .. }
            | What::MountReturns(_) => self.request(now, &line.what)?,
            What::Finit { .. }
            | What::FinitFile(_)
            | What::FinitReturns(_)
            | What::LoadModule
            | What::LoadModuleReturns(_)
            | What::Listed(_)
            | What::FinishedLoading(_)
            | What::FinishedLoadingReturns(_) => self.load(now, &line.what)?,
            What::Unformed(module) => {
                let player = self.loader(now)?;
                self.part(player, Some(module));
            }
            What::InitstateGone(module) | What::InitstateRead(module) => {
                // A shell's modprobe is not known for one yet.
                if let Some(helper @ Who::Helper(_)) = now.player {
                    self.part(helper, Some(module));
                    self.story.fate(module).mentioned = true;
                }
            }
            What::Get { module, site } => self.get(now, module, site)?,
            What::Put { module, site } => self.put(now, module, site)?,
            What::DeleteModule(module) => {
                // The system call's own event comes first and has no name; the probe's may follow.
                if let Some(call) = now.deletes.filter(|_| self.out_of_order) {
                    self.part(Who::Call(call), None);
                } else if now.deletes.is_none() {
                    let module = match module {
                        Some(module) => module.clone(),
                        None => deleted(lines, self.at).ok_or_else(|| {
                            self.error("an event that names the module before the call returns")
                        })?,
                    };
                    let call = self.call(Does::Delete(module.clone()));
                    self.part(Who::Call(call), Some(&module));
                    now.deletes = Some(call);
                    self.story.fate(&module);
                    now.loading = Some(module);
                }
            }
            What::DeleteModuleReturns(ret) => {
                let call = now.deletes.take();
                let call = call.ok_or_else(|| self.error("a delete_module() call before it"))?;
                self.part(Who::Call(call), None);
                if let Does::Delete(module) = self.story.calls[call].does.clone() {
                    let at = self.at;
                    let fate = self.story.fate(&module);
                    fate.mentioned |= *ret != -ENOENT;
                    if *ret == 0 {
                        fate.deleted.get_or_insert(at);
                    }
                }
            }
            What::Notified { .. }
            | What::SysfsSetup(_)
            | What::SysfsSetupReturns(_)
            | What::MakesDirectory(_)
            | What::MakesInitstate(_)
            | What::Loaded(_)
            | What::DoInit(_)
            | What::DoInitReturns(_)
            | What::FreeModule(_)
            | What::Freed(_)
            | What::SysfsTeardown(_) => self.forming(now, &line.what)?,
            What::Registers { fs } => {
                if let (Ok(player), Some(module)) = (self.loader(now), now.loading.clone()) {
                    self.part(player, Some(&module));
                    self.story.fate(&module).file_systems.insert(fs.clone());
                }
            }
        }
        Ok(())
    }

    fn exec(&mut self, now: &mut Now) {
        let helper = self.story.helpers.len();
        self.part(Who::Helper(helper), None);
        *now = Now { player: Some(Who::Helper(helper)), ..Now::default() };
        let line = &self.lines[self.at];
        self.story.helpers.push(HelperStory {
            task: format!("{}-{}", line.command, line.pid),
            callers: Vec::new(),
            exec: self.at,
            exit: usize::MAX,
            modules: Vec::new(),
        });
    }

    /// `get_fs_type()` and `__request_module()`.
    fn request(&mut self, now: &mut Now, what: &What) -> Result<(), FtraceError> {
        match what {
            What::GetFsType { fs } => {
                let call = self.call(Does::GetFsType(fs.clone()));
                self.part(Who::Call(call), None);
                (now.mount, now.request, now.references) = (Some(call), None, 0);
                return Ok(());
            }
            What::MountReturns(ret) => {
                if let Some(call) = now.mount.take() {
                    // What failed keeps no reference.
                    let gives = |l: &Line| matches!(l.what, What::Put { .. });
                    let kept = now.references != 0 && self.lines.iter().any(gives);
                    self.out_of_order |= *ret != 0 && kept;
                    self.part(Who::Call(call), None);
                    let found = self.story.calls[call].pinned.is_some();
                    if let Some(part) = self.story.parts.last_mut() {
                        part.found = found;
                    }
                    self.story.calls[call].mounted = Some(*ret);
                }
                return Ok(());
            }
            What::RequestModule => {
                let later = self.lines[self.at + 1..].iter();
                let mut later = later.filter(|l| l.pid == self.lines[self.at].pid);
                let request = later
                    .by_ref()
                    .take_while(|l| !matches!(l.what, What::RequestReturns { .. }))
                    .find_map(|l| match &l.what {
                        What::ModuleRequest { name, wait } => Some((name.clone(), *wait)),
                        What::Helper { name, .. } => Some((name.clone(), true)),
                        _ => None,
                    });
                // What mount() requests once it has its file system is another request.
                let own = now.mount.filter(|mount| {
                    let mount = &self.story.calls[*mount];
                    let same = |(name, _): &(String, bool)| mount.name().as_ref() == Some(name);
                    !mount.requested && mount.pinned.is_none() && request.as_ref().is_none_or(same)
                });
                let call = match (own, request) {
                    (Some(mount), _) => mount,
                    (None, Some((name, wait))) => self.call(Does::Request { name, wait }),
                    (None, None) => {
                        let expected = "a module_request event with the name that is requested";
                        return Err(self.error(expected));
                    }
                };
                self.story.calls[call].requested = true;
                now.request = Some(call);
                self.part(Who::Call(call), None);
                return Ok(());
            }
            _ => {}
        }
        let call = match (now.request, what) {
            (Some(call), _) => call,
            // Some other helper of the kernel's.
            (None, What::Helper { .. } | What::HelperReturns(_)) => return Ok(()),
            (None, _) => {
                let expected = "a __request_module() call of the same process before this line";
                return Err(self.error(expected));
            }
        };
        self.part(Who::Call(call), None);
        let at = self.at;
        let story = &mut self.story.calls[call];
        match what {
            What::Helper { .. } => story.helper = Some((at, usize::MAX)),
            What::HelperReturns(ret) => {
                story.started = Some(*ret);
                if let Some((_, to)) = &mut story.helper {
                    *to = at;
                }
            }
            What::RequestReturns { ret, to_get_fs_type } => {
                story.returned = Some(*ret);
                if let Some((_, to)) = &mut story.helper {
                    *to = (*to).min(at);
                }
                if *to_get_fs_type && !matches!(story.does, Does::GetFsType(_)) {
                    let expected = "the get_fs_type() call that this is in, before it";
                    return Err(self.error(expected));
                }
                now.request = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// `finit_module()` up to the list.
    fn load(&mut self, now: &mut Now, what: &What) -> Result<(), FtraceError> {
        if let What::Finit { from_memory } = what {
            let player = match now.player {
                Some(player) => player,
                None => Who::Call(self.call(Does::Modprobe(Vec::new()))),
            };
            now.player = Some(player);
            now.load = Some(self.story.loads.len());
            now.loading = None;
            self.part(player, None);
            self.story.loads.push(Load {
                who: player,
                from: self.at,
                to: usize::MAX,
                module: None,
                from_memory: *from_memory,
                entered: false,
                returned: None,
                resolved: Vec::new(),
                seen: BTreeSet::new(),
                sysfs: None,
            });
            return Ok(());
        }
        let player = self.loader(now)?;
        let load = now.load;
        match what {
            What::FinitReturns(ret) => {
                self.part(player, None);
                now.load = None;
                if let Some(load) = load {
                    self.story.loads[load].to = self.at;
                    self.story.loads[load].returned = Some(*ret);
                }
            }
            What::LoadModule => {
                self.part(player, None);
                if let Some(load) = load {
                    self.story.loads[load].entered = true;
                }
            }
            What::FinitFile(module) => {
                self.part(player, Some(module));
                self.names(now, module);
            }
            What::Listed(module) => {
                self.part(player, Some(module));
                self.names(now, module);
                let at = self.at;
                self.story.fate(module).listed.get_or_insert(at);
            }
            What::FinishedLoading(module) => {
                self.part(player, Some(module));
                self.names(now, module);
            }
            What::LoadModuleReturns(ret) => {
                self.part(player, now.loading.as_ref());
                self.fails(now, *ret);
                // Of its own wait for a listed name; what whoever joined another one is told is that one's.
                if let Who::Call(call) = player {
                    self.story.calls[call].interrupted |= *ret == -ERESTARTSYS;
                }
            }
            _ => self.part(player, now.loading.as_ref()),
        }
        Ok(())
    }

    /// Where a load that returns this has failed, if that was between COMING and init.
    fn fails(&mut self, now: &Now, ret: i32) {
        let (Some(load), Some(module)) = (now.load, &now.loading) else { return };
        let load = &self.story.loads[load];
        let has = |place| load.seen.contains(&place);
        let came_to_init = load.seen.range(Place::SetUp..=Place::InitReturns).next().is_some();
        if ret >= 0 || !has(Place::Coming) || came_to_init {
            return;
        }
        // load_module() returns what mod_sysfs_setup() did.
        if load.sysfs.is_some_and(|sysfs| sysfs != ret) {
            return;
        }
        // Where the log has no line the load may have been, too, if such lines were not recorded; then this is one
        // explanation of several.
        let eexist = ret == -EEXIST;
        let at = if has(Place::MakesInitstate) && has(Place::SysfsReturns) {
            if eexist { FailsAt::Sections } else { FailsAt::UsageLinks }
        } else if has(Place::MakesDirectory) && has(Place::SysfsReturns) && eexist {
            FailsAt::Parameters
        } else if has(Place::SysfsSetup) {
            return;
        } else if has(Place::Going) {
            FailsAt::Arguments
        } else {
            FailsAt::ComingNotifier
        };
        let module = module.clone();
        self.story.fate(&module).failure = Some(Failure { at, eexist });
    }

    /// The module that is being loaded.
    fn names(&mut self, now: &mut Now, module: &str) {
        now.loading = Some(module.to_owned());
        self.story.fate(module);
        if let Some(load) = now.load {
            self.story.loads[load].module.get_or_insert_with(|| module.to_owned());
        }
    }

    fn get(&mut self, now: &mut Now, module: &str, site: &str) -> Result<(), FtraceError> {
        match site {
            "resolve_symbol" | "ref_module" => {
                let player = self.loader(now)?;
                self.part(player, now.loading.as_ref());
                self.story.fate(module).mentioned = true;
                // Which module needs it, a later line may say.
                if let Some(load) = now.load {
                    self.story.loads[load].resolved.push(module.to_owned());
                }
            }
            "__get_fs_type" | "get_filesystem" => {
                let Some(call) = now.mount else {
                    return match site {
                        "__get_fs_type" => {
                            Err(self.error("the get_fs_type() call that this is in, before it"))
                        }
                        _ => Ok(()),
                    };
                };
                if site == "__get_fs_type" {
                    self.part(Who::Call(call), None);
                    self.story.calls[call].pinned = Some(module.to_owned());
                }
                now.references += 1;
                self.story.fate(module).mentioned = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, now: &mut Now, module: &str, site: &str) -> Result<(), FtraceError> {
        match site {
            "do_init_module" => {
                let player = self.loader(now)?;
                self.part(player, Some(&module.to_owned()));
            }
            "module_unload_free" => {
                let player = self.loader(now)?;
                self.part(player, now.loading.as_ref());
                self.story.fate(module).mentioned = true;
            }
            _ => {
                let Some(call) = now.mount.filter(|_| now.references > 0) else { return Ok(()) };
                if self.story.calls[call].pinned.as_deref().is_some_and(|pinned| pinned != module) {
                    return Ok(());
                }
                now.references -= 1;
                self.part(Who::Call(call), Some(&module.to_owned()));
                if let Some(part) = self.story.parts.last_mut() {
                    part.last_reference = now.references == 0;
                }
            }
        }
        Ok(())
    }

    /// A module takes form, or is taken apart.
    fn forming(&mut self, now: &mut Now, what: &What) -> Result<(), FtraceError> {
        let player = self.loader(now)?;
        let at = self.at;
        if let (Some(load), Some(place)) = (now.load, Place::of(what)) {
            self.story.loads[load].seen.insert(place);
            if let What::SysfsSetupReturns(ret) = what {
                self.story.loads[load].sysfs = Some(*ret);
            }
        }
        match what {
            What::SysfsSetupReturns(ret) => {
                self.part(player, now.loading.as_ref());
                if let (true, Some(module)) = (*ret != 0, &now.loading) {
                    self.story.fate(module).sysfs_failed = true;
                }
            }
            What::DoInitReturns(ret) => {
                self.part(player, now.loading.as_ref());
                if let (true, Some(module)) = (*ret < 0, &now.loading) {
                    let fate = self.story.fate(module);
                    *(if *ret == -EEXIST {
                        &mut fate.init_eexist
                    } else {
                        &mut fate.init_failed
                    }) = true;
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
                self.part(player, Some(module));
                let forms = matches!(
                    what,
                    What::Notified { state: 1, .. }
                        | What::SysfsSetup(_)
                        | What::MakesDirectory(_)
                        | What::MakesInitstate(_)
                        | What::Loaded(_)
                        | What::DoInit(_)
                );
                if forms {
                    // Where nobody probes the list itself, this is the first that is seen of it.
                    self.names(now, module);
                }
                let fate = self.story.fate(module);
                if forms {
                    fate.formed = true;
                    fate.listed.get_or_insert(at);
                }
                fate.directory |= matches!(what, What::MakesDirectory(_));
                if matches!(what, What::FreeModule(_)) && now.deletes.is_some() {
                    fate.deleted.get_or_insert(at);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Of the lines before a hole, those that tell what they are about without those that were lost. A call that has
/// begun, and of which no line has said yet which module or name it is of, is none of them; what others did
/// from there on may be because of it.
fn before_a_hole(lines: &[Line]) -> &[Line] {
    let mut open: BTreeMap<u32, usize> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        match line.what {
            What::Finit { .. } | What::DeleteModule(None) | What::RequestModule => {
                open.insert(line.pid, at);
            }
            What::LoadModule | What::Get { .. } | What::Put { .. } => {}
            _ => {
                open.remove(&line.pid);
            }
        }
    }
    match open.into_values().min() {
        None => lines,
        Some(first) => before_a_hole(&lines[..first]),
    }
}

/// What requests run as their helper. The kernel has other helpers, too.
fn helpers_of_requests(lines: &[Line]) -> BTreeSet<&str> {
    let mut requesting = BTreeSet::new();
    let mut paths = BTreeSet::new();
    for line in lines {
        match &line.what {
            What::RequestModule => {
                requesting.insert(line.pid);
            }
            What::RequestReturns { .. } => {
                requesting.remove(&line.pid);
            }
            What::Helper { path, .. } if requesting.contains(&line.pid) => {
                paths.insert(path.as_str());
            }
            _ => {}
        }
    }
    paths
}

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
