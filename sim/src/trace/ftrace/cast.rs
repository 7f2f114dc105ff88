//! Who plays whom: processes of a log and actors of a scenario.
//!
//! Every call of `get_fs_type()`, `request_module()`, `delete_module()`, and every modprobe that the
//! kernel did not start, is an actor. A modprobe that the kernel did start belongs to a caller, and
//! the log does not say to which: the search tries every one that it may belong to.

use kmodcheck_explore::MAX_PROCESSES;
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{Action, ModuleId, NameId, Scenario};
use kmodcheck_model::userspace::index::ModuleIndex;

use super::FtraceError;
use super::parse::{Line, What};
use super::roles;

/// Most modprobes that the kernel starts in one log.
pub const MAX_HELPERS: usize = 32;

/// Who a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This actor, by its place in the product.
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
    HelperReturns(i64),
    /// `__request_module()` returns this.
    RequestReturns(i64),
    /// `__get_fs_type()` found the file system and took a reference on its owner.
    Pinned,
    /// The last of these references is given back.
    Unpinned,
    /// `mount()` returns: whether `get_fs_type()` had found the file system.
    Mounted(bool),
    /// `finit_module()` is called.
    Finit,
    /// `load_module()` is called.
    LoadModule,
    /// The module is on the list, UNFORMED.
    Listed(Option<ModuleId>),
    /// `finished_loading()` is called.
    Tests(Option<ModuleId>),
    /// `finished_loading()` returns this.
    Tested(bool),
    /// A reference on this dependency was taken.
    Resolved(ModuleId),
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
    /// A reference on a dependency was given back.
    GivesBack,
    /// `do_init_module()` returns this.
    InitReturns(i64),
    /// `load_module()` returns this.
    LoadReturns(i64),
    /// `finit_module()` returns this.
    FinitReturns(i64),
    /// `delete_module()` returns this.
    DeleteReturns(i64),
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
}

/// An actor of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// Its command and process in the log.
    pub task: String,
    /// What it does.
    pub action: Action,
    /// Its place among the processes of the product.
    pub place: u8,
}

/// A modprobe that the kernel started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Its command and process in the log.
    pub task: String,
    /// The places of the callers it may belong to, one bit each.
    pub callers: u16,
    /// The observation at which it begins.
    pub begins: usize,
}

/// Kinds of events that a recording may lack as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// `finished_loading()`.
    pub tests: bool,
    /// `__get_fs_type()`'s references.
    pub pins: bool,
    /// The drop of the initial reference.
    pub initial: bool,
    /// The notification of LIVE.
    pub live: bool,
}

/// A log with its parts given out.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Every event.
    pub lines: Vec<Line>,
    /// Those that the model must explain, in order.
    pub observations: Vec<Observation>,
    /// The actors, by place.
    pub players: Vec<Player>,
    /// The modprobes that the kernel started, in order.
    pub helpers: Vec<Helper>,
    /// Whether some of the processes that look like such a modprobe are none.
    pub strangers: bool,
    /// What was loaded when the log begins.
    pub loaded: Vec<ModuleId>,
    /// The references on dependencies of which the log has a line: module, dependency.
    pub resolved: Vec<(ModuleId, ModuleId)>,
    /// What is traced.
    pub traced: Traced,
    /// The line at which the tracer lost events, by its place in [`Cast::lines`]: what follows is not
    /// decided, because nobody knows what happened in between.
    pub cut: Option<usize>,
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
        index: Option<&ModuleIndex>,
        blacklist: &[String],
    ) -> Result<Self, FtraceError> {
        let story = roles::Story::read(file, &lines)?;
        if story.is_empty() {
            return Err(FtraceError::Nothing { file: file.to_owned() });
        }
        let setting = roles::setting(&story, features, index, blacklist);
        let places = setting.places(&story);
        if places.len() > MAX_PROCESSES || story.helpers.len() > MAX_HELPERS {
            let calls = places.len().max(story.helpers.len());
            return Err(FtraceError::TooMany { file: file.to_owned(), calls, most: MAX_PROCESSES });
        }
        let module = |name: &str| setting.module(name);
        let mut observations = Vec::new();
        for part in &story.parts {
            let who = match part.who {
                roles::Who::Call(call) => Who::Actor(places[call]),
                roles::Who::Helper(helper) => Who::Helper(helper as u8),
            };
            let Some(meaning) = meaning(part, &lines[part.line], &module, &setting) else {
                continue;
            };
            observations.push(Observation { line: part.line, who, meaning });
        }
        let begins = |helper: usize| {
            let exec =
                |o: &Observation| o.who == Who::Helper(helper as u8) && o.meaning == Meaning::Exec;
            observations.iter().position(exec).expect("every helper has its exec")
        };
        let helpers = story
            .helpers
            .iter()
            .enumerate()
            .map(|(number, helper)| Helper {
                task: helper.task.clone(),
                callers: helper.callers.iter().fold(0, |mask, call| mask | 1 << places[*call]),
                begins: begins(number),
            })
            .collect();
        let mut players: Vec<Player> = story
            .calls
            .iter()
            .zip(&places)
            .map(|(call, place)| Player {
                task: call.task.clone(),
                action: setting.action(call),
                place: *place,
            })
            .collect();
        players.sort_by_key(|player| player.place);
        let has = |wanted: fn(&Meaning) -> bool| observations.iter().any(|o| wanted(&o.meaning));
        let traced = Traced {
            tests: has(|m| matches!(m, Meaning::Tests(_))),
            pins: has(|m| *m == Meaning::Pinned),
            initial: has(|m| *m == Meaning::DropsInitial),
            live: has(|m| matches!(m, Meaning::Live(_) | Meaning::Coming(_) | Meaning::Going(_))),
        };
        Ok(Self {
            strangers: story.helpers.len() > story.requests(),
            loaded: setting.loaded.clone(),
            resolved: setting.resolved.clone(),
            scenario: setting.scenario,
            observations,
            players,
            helpers,
            traced,
            cut: story.cut,
            lines,
        })
    }

    /// The line of an observation.
    pub fn line_of(&self, observation: usize) -> Option<&Line> {
        self.observations.get(observation).map(|o| &self.lines[o.line])
    }

    /// The requested names.
    pub fn name(&self, name: NameId) -> &str {
        &self.scenario.names[usize::from(name)].request
    }
}

/// What the line means for the model; `None`: nothing.
fn meaning(
    part: &roles::Part,
    line: &Line,
    module: &dyn Fn(&str) -> Option<ModuleId>,
    setting: &roles::Setting,
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
        What::MountReturns(ret) => Meaning::Mounted(*ret != -ENODEV),
        What::Finit => Meaning::Finit,
        What::FinitReturns(ret) => Meaning::FinitReturns(*ret),
        What::LoadModule => Meaning::LoadModule,
        What::LoadModuleReturns(ret) => Meaning::LoadReturns(*ret),
        What::Listed(name) => Meaning::Listed(module(name)),
        What::FinishedLoading(name) => Meaning::Tests(module(name)),
        What::FinishedLoadingReturns(finished) => Meaning::Tested(*finished),
        What::Get { module: name, site } => match site.as_str() {
            "resolve_symbol" => match (loading, module(name)) {
                (Some(by), Some(on)) if setting.depends(by, on) => Meaning::Resolved(on),
                _ => return None,
            },
            "__get_fs_type" => Meaning::Pinned,
            _ => return None,
        },
        What::Put { module: name, site } => match site.as_str() {
            "do_init_module" => Meaning::DropsInitial,
            "module_unload_free" => match (loading, module(name)) {
                (Some(by), Some(on)) if setting.depends(by, on) => Meaning::GivesBack,
                _ => return None,
            },
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

/// `-ENODEV` is what `mount()` returns when `get_fs_type()` found nothing.
const ENODEV: i64 = 19;
