//! Who plays whom: processes of a log and actors of a scenario.
//!
//! Every call of `get_fs_type()`, `request_module()`, `delete_module()`, and every modprobe that the
//! kernel did not start, is an actor. A modprobe that the kernel did start belongs to a caller, and
//! the log does not say to which: the search tries every one that it may belong to.

use std::collections::BTreeSet;

use kmodcheck_model::Event;
use kmodcheck_model::event::Claim;
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{Action, ModuleId, NameId, Scenario};

use super::order::Place;
use super::parse::{ENODEV, Line, What};
use super::{About, FtraceError};
use super::{probes, setting, story};

/// Most calls, and most modprobes that the kernel starts, in one log.
pub const MAX_CALLS: usize = 128;

/// Who a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This actor, by its place in [`Cast::players`].
    Actor(u8),
    /// This modprobe that the kernel started, by its place in [`Cast::helpers`].
    Helper(u8),
}

/// What a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The process cannot come here from where it was last seen.
    OutOfOrder,
    /// The call begins: `get_fs_type()`, `delete_module()`.
    Call,
    /// `__request_module()` is called.
    Request,
    /// The caller is about to start modprobe.
    StartsHelper,
    /// modprobe begins.
    Exec,
    /// `call_usermodehelper_exec()` returns this.
    HelperReturns(i32),
    /// `__request_module()` returns this.
    RequestReturns(i32),
    /// `__get_fs_type()` found the file system and took a reference on its owner.
    Pinned,
    /// The last of these references is given back.
    Unpinned,
    /// `mount()` returns: whether `get_fs_type()` had found the file system.
    Mounted(bool),
    /// `finit_module()` is called.
    Finit {
        /// It is `init_module()`, which no other call joins.
        from_memory: bool,
    },
    /// It is about this module's file.
    File(Option<ModuleId>),
    /// `load_module()` is called.
    LoadModule,
    /// The module is on the list, UNFORMED.
    Listed(Option<ModuleId>),
    /// `finished_loading()` is called.
    Tests(Option<ModuleId>),
    /// `finished_loading()` returns this.
    Tested(bool),
    /// A reference on this dependency was taken.
    Resolved(Option<ModuleId>),
    /// The notifiers are told COMING.
    Coming(Option<ModuleId>),
    /// `mod_sysfs_setup()` is called.
    SysfsSetup(Option<ModuleId>),
    /// The directory is about to be made.
    MakesDirectory(Option<ModuleId>),
    /// initstate is about to be made.
    MakesInitstate(Option<ModuleId>),
    /// `mod_sysfs_setup()` returns: whether all went well.
    SysfsReturns(bool),
    /// `read()` of initstate says that it is gone.
    InitstateGone(Option<ModuleId>),
    /// `read()` of initstate has given something, and the file is not read to its end.
    InitstateRead(Option<ModuleId>),
    /// The module is UNFORMED, and on the list.
    Unformed(Option<ModuleId>),
    /// Tracepoint `module_load`: all is set up.
    SetUp(Option<ModuleId>),
    /// init is about to be called.
    Inits(Option<ModuleId>),
    /// init is about to register the file system that callers look for.
    Registers,
    /// The notifiers are told LIVE.
    Live(Option<ModuleId>),
    /// The reference that the module was born with is dropped.
    DropsInitial,
    /// The notifiers are told GOING.
    Going(Option<ModuleId>),
    /// `free_module()` is called, or its tracepoint.
    Frees(Option<ModuleId>),
    /// `mod_sysfs_teardown()` is called.
    TearsDown(Option<ModuleId>),
    /// A reference on this dependency was given back.
    GivesBack(Option<ModuleId>),
    /// `do_init_module()` returns this.
    InitReturns(i32),
    /// `load_module()` returns this.
    LoadReturns(i32),
    /// `finit_module()` returns this.
    FinitReturns(i32),
    /// `delete_module()` returns this.
    DeleteReturns(i32),
    /// modprobe exits.
    Exit,
}

/// One line that the model must explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Its place in [`Cast::lines`].
    pub line: usize,
    /// Who.
    pub who: Who,
    /// What.
    pub meaning: Meaning,
    /// Where it is in the kernel's text.
    pub(super) place: Option<Place>,
}

/// An actor of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// Its command and process in the log.
    pub task: String,
    /// What it does.
    pub action: Action,
}

/// A modprobe that the kernel started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Its command and process in the log.
    pub task: String,
    /// The callers it may belong to, one bit for each place in [`Cast::players`].
    pub callers: u128,
}

/// A log with its parts given out.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Every event.
    pub lines: Vec<Line>,
    /// Those that the model must explain, in order.
    pub observations: Vec<Observation>,
    /// The actors, in the order of the scenario.
    pub players: Vec<Player>,
    /// The modprobes that the kernel started, in order.
    pub helpers: Vec<Helper>,
    /// The callers whose wait a signal has ended, one bit for each place in [`Cast::players`].
    pub killed: u128,
    /// Whether some of the processes that look like such a modprobe are none.
    pub strangers: bool,
    /// What was loaded when the log begins.
    pub loaded: Vec<ModuleId>,
    /// The references on dependencies of which the log has a line: module, dependency.
    pub resolved: Vec<(ModuleId, ModuleId)>,
    /// The places of the kernel's text of which the log has lines; what lies at others is hidden.
    pub(super) probed: BTreeSet<Place>,
    /// Whether the log has lines where an initstate that is read is gone.
    pub reads: bool,
    /// Whether the log has lines where such references are given back.
    pub unpins: bool,
    /// The line at which the tracer lost events, by its place in [`Cast::lines`]: what follows is not
    /// decided, because nobody knows what happened in between.
    pub cut: Option<usize>,
    /// The first line, by its place in [`Cast::lines`], of whoever is still at something where the log ends or events
    /// were lost.
    pub(super) whole: usize,
    /// The scenario.
    pub scenario: Scenario,
}

impl Cast {
    /// Gives out the parts.
    ///
    /// # Errors
    /// A log that tells too little, or has too many actors.
    pub fn new(
        file: &str,
        lines: Vec<Line>,
        features: Features,
        about: About<'_>,
    ) -> Result<Self, FtraceError> {
        probes::all_that_must_be(file, &lines)?;
        let story = story::Story::read(file, &lines)?;
        if story.is_empty() {
            let file = file.to_owned();
            return Err(match story.cut {
                Some(lost) => FtraceError::Lost { file, line: lines[lost].number },
                None => FtraceError::Nothing { file },
            });
        }
        let too_many = |what, found| {
            let file = file.to_owned();
            Err(FtraceError::TooMany { file, what, found, most: MAX_CALLS })
        };
        if story.calls.len() > MAX_CALLS {
            return too_many(
                "calls (of get_fs_type(), request_module(), modprobe, rmmod)",
                story.calls.len(),
            );
        }
        if story.helpers.len() > MAX_CALLS {
            return too_many("modprobes that the kernel started", story.helpers.len());
        }
        let setting = setting::setting(file, &story, features, about)?;
        let place = |call: usize| setting.places[call];
        let small = |number: usize| u8::try_from(number).expect("there are at most MAX_CALLS");
        let module = |name: &str| setting.module(name);
        let mut observations = Vec::new();
        for part in &story.parts {
            let who = match part.who {
                story::Who::Call(call) => Who::Actor(small(place(call))),
                story::Who::Helper(helper) => Who::Helper(small(helper)),
            };
            if let Some(meaning) = meaning(part, &lines[part.line], &module, &setting) {
                let place = Place::of(&lines[part.line].what);
                observations.push(Observation { line: part.line, who, meaning, place });
            }
        }
        let helpers = story
            .helpers
            .iter()
            .map(|helper| Helper {
                task: helper.task.clone(),
                callers: helper.callers.iter().fold(0, |mask, call| mask | 1 << place(*call)),
            })
            .collect();
        let mut players: Vec<(usize, Player)> = story
            .calls
            .iter()
            .enumerate()
            .map(|(number, call)| {
                let player = Player { task: call.task.clone(), action: setting.action(call) };
                (place(number), player)
            })
            .collect();
        players.sort_by_key(|(place, _)| *place);
        let killed = story.calls.iter().enumerate().filter(|(_, call)| call.killed());
        Ok(Self {
            killed: killed.fold(0, |mask, (number, _)| mask | 1 << place(number)),
            strangers: story.helpers.len() > story.requests(),
            unpins: observations.iter().any(|o| o.meaning == Meaning::Unpinned),
            loaded: setting.loaded.clone(),
            resolved: setting.resolved.clone(),
            scenario: setting.scenario,
            observations,
            players: players.into_iter().map(|(_, player)| player).collect(),
            helpers,
            probed: story.probed,
            reads: story.reads,
            cut: story.cut,
            whole: story.whole,
            lines,
        })
    }

    /// Whether what was lost may explain that this observation is refused. What an init comes to, and what a module
    /// needs, is taken from the whole log; where events were lost, this is known for sure only as long as all that
    /// had begun is told to its end.
    pub(super) fn may_be_explained(&self, observation: usize) -> bool {
        let line = self.observations.get(observation).map_or(usize::MAX, |o| o.line);
        self.cut.is_some() && line >= self.whole
    }

    /// What comes before an observation.
    pub(super) fn before(&self, observation: usize) -> Self {
        let mut before = self.clone();
        before.observations.truncate(observation);
        let begun = before.observations.iter().filter(|o| o.meaning == Meaning::Exec).count();
        before.helpers.truncate(begun);
        before
    }

    /// The line of an observation.
    pub fn line_of(&self, observation: usize) -> Option<&Line> {
        self.observations.get(observation).map(|o| &self.lines[o.line])
    }

    /// The event that would have told of a step, if it is one that the log has nowhere.
    pub(super) fn would_tell(&self, step: &Event) -> Option<&'static str> {
        let (place, event) = match step {
            Event::AddUnformed { then: Claim::Free, early: false, .. } => {
                (Place::Listed, "mod_tree_insert")
            }
            Event::FinishedLoading { .. } => (Place::Tests, "finished_loading"),
            Event::LookUp { found: true, .. } => (Place::Pinned, "module_get"),
            Event::SysfsInit { .. } => (Place::MakesDirectory, "mkdir"),
            Event::AddModinfoAttrs { .. } => (Place::MakesInitstate, "mkfile"),
            Event::CompleteFormation { .. } => (Place::Coming, "notify_robust"),
            Event::SetLive { .. } => (Place::Live, "notify"),
            Event::SysfsFini { .. } => (Place::TearsDown, "sysfs_teardown"),
            Event::DropInitial { .. } => (Place::DropsInitial, "module_put"),
            Event::HelperReturn { .. } => (Place::HelperReturns, "umh_exec_ret"),
            _ => return None,
        };
        (!self.probed.contains(&place)).then_some(event)
    }

    /// The requested names.
    pub fn name(&self, name: NameId) -> &str {
        &self.scenario.names[usize::from(name)].request
    }
}

/// What the line means for the model; `None`: nothing.
fn meaning(
    part: &story::Part,
    line: &Line,
    module: &dyn Fn(&str) -> Option<ModuleId>,
    setting: &setting::Setting,
) -> Option<Meaning> {
    let loading = part.module.as_deref().and_then(module);
    if part.out_of_order {
        return Some(Meaning::OutOfOrder);
    }
    Some(match &line.what {
        What::Lost | What::Unrelated => return None,
        What::Exec { .. } => Meaning::Exec,
        What::Exit => Meaning::Exit,
        What::GetFsType { .. } => Meaning::Call,
        What::RequestModule => Meaning::Request,
        What::ModuleRequest { .. } | What::Helper { .. } => Meaning::StartsHelper,
        What::HelperReturns(ret) => Meaning::HelperReturns(*ret),
        What::RequestReturns { ret, .. } => Meaning::RequestReturns(*ret),
        // A file system that was found may have no device itself.
        What::MountReturns(ret) => Meaning::Mounted(*ret != -ENODEV || part.found),
        What::Finit { from_memory } => Meaning::Finit { from_memory: *from_memory },
        What::FinitFile(name) => Meaning::File(module(name)),
        What::FinitReturns(ret) => Meaning::FinitReturns(*ret),
        What::LoadModule => Meaning::LoadModule,
        What::LoadModuleReturns(ret) => Meaning::LoadReturns(*ret),
        What::Listed(name) => Meaning::Listed(module(name)),
        What::FinishedLoading(name) => Meaning::Tests(module(name)),
        What::FinishedLoadingReturns(finished) => Meaning::Tested(*finished),
        What::Get { module: name, site } => match site.as_str() {
            "resolve_symbol" | "ref_module" => Meaning::Resolved(module(name)),
            "__get_fs_type" => Meaning::Pinned,
            _ => return None,
        },
        What::Put { module: name, site } => match site.as_str() {
            "do_init_module" => Meaning::DropsInitial,
            "module_unload_free" => Meaning::GivesBack(module(name)),
            _ if part.last_reference => Meaning::Unpinned,
            _ => return None,
        },
        What::Notified { module: name, state } => match state {
            0 => Meaning::Live(module(name)),
            1 => Meaning::Coming(module(name)),
            2 => Meaning::Going(module(name)),
            _ => return None,
        },
        What::SysfsSetup(name) => Meaning::SysfsSetup(module(name)),
        What::SysfsSetupReturns(ret) => Meaning::SysfsReturns(*ret == 0),
        What::MakesDirectory(name) => Meaning::MakesDirectory(module(name)),
        What::MakesInitstate(name) => Meaning::MakesInitstate(module(name)),
        What::InitstateRead(name) => Meaning::InitstateRead(module(name)),
        What::InitstateGone(name) => Meaning::InitstateGone(module(name)),
        What::Unformed(name) => Meaning::Unformed(module(name)),
        What::Loaded(name) => Meaning::SetUp(module(name)),
        What::DoInit(name) => Meaning::Inits(module(name)),
        What::DoInitReturns(ret) => Meaning::InitReturns(*ret),
        What::Registers { fs } => {
            loading.filter(|by| setting.registers(*by, fs))?;
            Meaning::Registers
        }
        What::FreeModule(name) | What::Freed(name) => Meaning::Frees(module(name)),
        What::SysfsTeardown(name) => Meaning::TearsDown(module(name)),
        What::DeleteModule(_) => Meaning::Call,
        What::DeleteModuleReturns(ret) => Meaning::DeleteReturns(*ret),
    })
}
