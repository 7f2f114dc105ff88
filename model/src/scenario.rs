//! What is loaded by whom: modules, the requested name, the callers, the environment.

use serde::{Deserialize, Serialize};

use crate::features::Features;

/// A module, by its place in [`Scenario::modules`].
pub type ModuleId = u8;

/// How `mod->init()` can end. Chosen anew at every attempt to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// It returns 0.
    Succeeds,
    /// It returns 0, or an error: before it has registered anything, or after it has registered
    /// its file system and taken it back.
    MayFail,
}

/// A loadable module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its name, as on the module list.
    pub name: String,
    /// The modules whose symbols it needs, in the order in which they are resolved.
    pub dependencies: Vec<ModuleId>,
    /// How its init can end.
    pub init: Init,
    /// Whether its init registers the file system that the callers look for.
    pub registers: bool,
    /// Whether `modules.builtin` lists its name although there is a module of that name.
    pub listed_builtin: bool,
    /// Whether built-in code of the same name has made `/sys/module/NAME/` at boot.
    pub name_taken: bool,
}

/// One entry of the list that `kmod_module_probe_insert_module()` goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The module.
    pub module: ModuleId,
    /// Whether an error ends the list; a softdep's error does not.
    pub required: bool,
}

/// One of the modules that a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The module.
    pub module: ModuleId,
    /// What modprobe tries in order to insert it: its dependencies first, itself among them.
    pub probe: Vec<Probe>,
}

/// What modprobe finds in the indexes under the requested name (`kmod_module_new_from_lookup()`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// Nothing.
    NotFound,
    /// An entry of `modules.builtin`.
    Builtin,
    /// These modules, tried one after the other.
    Modules(Vec<Target>),
}

/// Built-in code behind the requested name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltIn {
    /// The name of the code, as a module would have it.
    pub name: String,
    /// Whether it has parameters or a version, and so a directory `/sys/module/NAME/` from boot on
    /// (`param_sysfs_builtin()`, `version_sysfs_builtin()`), never with an initstate.
    pub directory: bool,
}

/// What every caller does, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// `request_module(NAME)`.
    RequestModule,
    /// `get_fs_type(FS)`, which looks, requests `fs-FS`, and looks again.
    GetFsType,
}

/// One closed system to explore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What a reader calls it.
    pub name: String,
    /// The modules of the requested name's closure.
    pub modules: Vec<Module>,
    /// The requested name; for [`Caller::GetFsType`] it begins with `fs-`.
    pub request: String,
    /// What the indexes say of it.
    pub resolution: Resolution,
    /// Whether the request is served by built-in code.
    pub builtin: Option<BuiltIn>,
    /// What the callers do.
    pub caller: Caller,
    /// How many callers.
    pub callers: u8,
    /// Whether waits with a time limit may end by it.
    pub timeouts: bool,
    /// The switches.
    pub features: Features,
}

impl Scenario {
    /// The file system that [`Caller::GetFsType`] looks for.
    pub fn file_system(&self) -> &str {
        self.request.strip_prefix("fs-").unwrap_or(&self.request)
    }

    /// The modules that the name resolves to.
    pub fn targets(&self) -> &[Target] {
        match &self.resolution {
            Resolution::Modules(targets) => targets,
            Resolution::NotFound | Resolution::Builtin => &[],
        }
    }
}
