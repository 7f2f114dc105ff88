//! The built-in scenarios: one module, three ways to ask for it, and what the environment does to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::features::Features;
use crate::scenario::{
    Action, Actor, BuiltIn, Helper, Init, Insert, Module, Name, Probe, Programs, Resolution,
    Scenario, Target,
};

/// How the callers ask.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// `request_module("ext4")`.
    Plain,
    /// `get_fs_type("ext4")`: the alias `fs-ext4` is `fs-` and the module's name.
    FsAndModule,
    /// `get_fs_type("ext3")`: the alias `fs-ext3` is served by ext4, too.
    FsAndOther,
}

impl Naming {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::FsAndModule, Self::FsAndOther];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::FsAndModule => "fs-module",
            Self::FsAndOther => "fs-other",
        }
    }

    /// The requested name.
    pub fn request(self) -> &'static str {
        match self {
            Self::Plain => "ext4",
            Self::FsAndModule => "fs-ext4",
            Self::FsAndOther => "fs-ext3",
        }
    }
}

/// What the environment allows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Every init succeeds.
    Ok,
    /// Every attempt's init may succeed or fail.
    Fail,
    /// Built in, with a directory under /sys/module.
    BuiltinDir,
    /// Built in, without one.
    BuiltinNodir,
    /// Every attempt's init may succeed, or return `-EEXIST`.
    InitEexist,
    /// Somebody unloads the module, once.
    Rmmod,
    /// Every attempt's init may fail, and somebody unloads the module, once.
    FailRmmod,
    /// The module needs another, whose init may fail; waits with a time limit may end by it.
    DepFails,
    /// Each caller may be killed while it waits for modprobe.
    Killed,
    /// Two requests may run at a time, and there are three callers; waits with a time limit may end
    /// by it.
    LimitTwo,
    /// The module's init requests the module, under the name that the callers use.
    SelfRequest,
    /// Setting up the module's sysfs entries may fail after the directory was made.
    SysfsFails,
    /// The module is blacklisted: it acts on aliases only.
    Blacklist,
    /// An `install` command that does nothing and exits 0 stands in for the module.
    Install,
}

impl Environment {
    /// Those of the main job's matrix.
    pub const MAIN: [Self; 4] = [Self::Ok, Self::Fail, Self::BuiltinDir, Self::BuiltinNodir];

    /// All of them, those of the grand matrix.
    pub const ALL: [Self; 14] = [
        Self::Ok,
        Self::Fail,
        Self::InitEexist,
        Self::Rmmod,
        Self::FailRmmod,
        Self::DepFails,
        Self::Killed,
        Self::LimitTwo,
        Self::SelfRequest,
        Self::SysfsFails,
        Self::Blacklist,
        Self::Install,
        Self::BuiltinDir,
        Self::BuiltinNodir,
    ];

    /// Its name, and what it assumes; what it does to a scenario, [`scenario`] says.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("ok", "every init succeeds"),
            Self::Fail => ("fail", "every attempt's init may fail"),
            Self::BuiltinDir => {
                ("builtin-dir", "the code is built in and has a directory under /sys/module")
            }
            Self::BuiltinNodir => {
                ("builtin-nodir", "the code is built in and has no directory under /sys/module")
            }
            Self::InitEexist => ("init-eexist", "every attempt's init may return -EEXIST"),
            Self::Rmmod => ("rmmod", "one rmmod at any moment"),
            Self::FailRmmod => {
                ("fail+rmmod", "every attempt's init may fail; one rmmod at any moment")
            }
            Self::DepFails => (
                "dep-fails",
                "a dependency's init may fail; the 30 s of resolve_symbol_wait() may be over",
            ),
            Self::Killed => ("killed", "each caller may be killed while modprobe runs"),
            Self::LimitTwo => {
                ("limit-2", "two requests may run at a time; the 5 s of a wait may be over")
            }
            Self::SelfRequest => ("self-request", "the module's init requests the module"),
            Self::SysfsFails => {
                ("sysfs-fails", "mod_sysfs_setup() may fail after the directory was made")
            }
            Self::Blacklist => ("blacklist", "the module is blacklisted"),
            Self::Install => ("install", "an install command that does nothing and exits 0"),
        }
    }

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What it assumes, in words.
    pub fn assumes(self) -> &'static str {
        self.words().1
    }

    /// How many callers the grand matrix gives it.
    pub fn callers(self) -> u8 {
        if self == Self::LimitTwo { 3 } else { 2 }
    }
}

/// The built-in scenario of that naming and environment.
pub fn scenario(
    naming: Naming,
    environment: Environment,
    features: Features,
    callers: u8,
) -> Scenario {
    let action = match naming {
        Naming::Plain => Action::RequestModule(0),
        Naming::FsAndModule | Naming::FsAndOther => Action::GetFsType(0),
    };
    let mut scenario = Scenario {
        name: format!("{} {}", naming.request(), environment.name()),
        modules: Vec::new(),
        names: Vec::new(),
        actors: vec![Actor { action, count: callers, killable: false }],
        helper: Helper::Present,
        lsm_refuses: false,
        exec_requests: None,
        patched: Default::default(),
        modprobe_killable: false,
        programs: Programs::default(),
        asks: Vec::new(),
        limit: None,
        timeouts: false,
        features,
    };
    let request = naming.request().to_owned();
    if let Environment::BuiltinDir | Environment::BuiltinNodir = environment {
        // modules.builtin lists names; before kmod v27 nobody looks up aliases of built-in code.
        let resolution =
            if naming == Naming::Plain { Resolution::Builtin } else { Resolution::NotFound };
        let directory = environment == Environment::BuiltinDir;
        let builtin = Some(BuiltIn { name: "ext4".to_owned(), directory, driver: false });
        scenario.names.push(Name { request, resolution, builtin });
        return scenario;
    }
    let mut module =
        Module { name: "ext4".to_owned(), registers: naming != Naming::Plain, ..Module::default() };
    let mut target =
        Target { module: 0, probe: vec![Probe::new(0, true, Insert::Finit)], blacklisted: false };
    let mut dependency = None;
    let rmmod = Actor { action: Action::Rmmod(0), count: 1, killable: false };
    match environment {
        Environment::Ok | Environment::BuiltinDir | Environment::BuiltinNodir => {}
        Environment::Fail => module.init = Init::MayFail,
        Environment::InitEexist => module.init = Init::MayReturnEexist,
        Environment::Rmmod => scenario.actors.push(rmmod),
        Environment::FailRmmod => {
            module.init = Init::MayFail;
            scenario.actors.push(rmmod);
        }
        Environment::DepFails => {
            module.dependencies.push(1);
            let init = Init::MayFail;
            dependency = Some(Module { name: "jbd2".to_owned(), init, ..Module::default() });
            target.probe.insert(0, Probe::new(1, true, Insert::Finit));
            scenario.timeouts = true;
        }
        Environment::Killed => scenario.actors[0].killable = true,
        Environment::LimitTwo => {
            scenario.limit = Some(2);
            scenario.timeouts = true;
        }
        Environment::SelfRequest => module.requests = Some(0),
        Environment::SysfsFails => module.sysfs_may_fail = true,
        Environment::Blacklist => {
            module.blocked = true;
            target.blacklisted = naming != Naming::Plain;
        }
        Environment::Install => {
            module.blocked = true;
            target.probe[0].insert = Insert::NoopCommand;
        }
    }
    scenario.modules.push(module);
    scenario.modules.extend(dependency);
    let resolution = Resolution::Modules(vec![target]);
    scenario.names.push(Name { request, resolution, builtin: None });
    scenario
}
