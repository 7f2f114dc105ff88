//! The built-in scenarios: one module, three ways to ask for it, four environments.

use serde::{Deserialize, Serialize};

use crate::features::Features;
use crate::scenario::{
    Action, Actor, BuiltIn, Helper, Init, Insert, Module, Name, Probe, Resolution, Scenario, Target,
};

/// How the callers ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
}

impl Environment {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Fail, Self::BuiltinDir, Self::BuiltinNodir];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::BuiltinDir => "builtin-dir",
            Self::BuiltinNodir => "builtin-nodir",
        }
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
    let module = |init| Module {
        name: "ext4".to_owned(),
        init,
        registers: action == Action::GetFsType(0),
        ..Module::default()
    };
    let built_in = |directory| {
        // modules.builtin lists names; before kmod v27 nobody looks up aliases of built-in code.
        let resolution =
            if naming == Naming::Plain { Resolution::Builtin } else { Resolution::NotFound };
        (Vec::new(), resolution, Some(BuiltIn { name: "ext4".to_owned(), directory }))
    };
    let loadable = |init| {
        let probe = vec![Probe { module: 0, required: true, insert: Insert::Finit }];
        let target = Target { module: 0, probe, blacklisted: false };
        (vec![module(init)], Resolution::Modules(vec![target]), None)
    };
    let (modules, resolution, builtin) = match environment {
        Environment::Ok => loadable(Init::Succeeds),
        Environment::Fail => loadable(Init::MayFail),
        Environment::BuiltinDir => built_in(true),
        Environment::BuiltinNodir => built_in(false),
    };
    Scenario {
        name: format!("{} {}", naming.request(), environment.name()),
        modules,
        names: vec![Name { request: naming.request().to_owned(), resolution, builtin }],
        actors: vec![Actor { action, count: callers, killable: false }],
        helper: Helper::Present,
        lsm_refuses: false,
        limit: None,
        timeouts: false,
        features,
    }
}
