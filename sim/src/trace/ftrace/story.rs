//! What the processes of a log do, line by line.

mod reader;

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_model::scenario::Failure;

use super::FtraceError;
use super::order::Place;
use super::parse::{EEXIST, EINTR, ENOENT, ERESTARTSYS, Line, What};
use reader::Reader;

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
