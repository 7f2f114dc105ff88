//! From an index to a scenario: the requested name, what it resolves to, and every module that
//! modprobe may touch on the way. Modules outside this closure are left out: no step of a caller of
//! this name reads or writes anything of theirs.

use std::collections::BTreeMap;

use kmodcheck_indexes::{Found, Lookup, Modprobe, ModuleId as Indexed, ModuleIndex, Resolved};
use kmodcheck_model::features::{Features, Program};
use kmodcheck_model::model::MAX_MODULES;
use kmodcheck_model::scenario::{
    Action, Actor, BuiltIn, Helper, Init, Module, ModuleId, Name, Programs, Resolution, Scenario,
    Target,
};

use super::targets::{self, Recursion};

/// What a scenario needs besides the index.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Whether the callers call `get_fs_type()`, not `request_module()`.
    pub get_fs_type: bool,
    /// The name that is requested.
    pub request: String,
    /// How many callers.
    pub callers: u8,
    /// How every module's init can end.
    pub init: Init,
    /// Whether waits with a time limit may end by it.
    pub timeouts: bool,
    /// The switches.
    pub features: Features,
}

/// Why an index gives no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClosureError {
    /// No index knows the name.
    #[error("found no module, alias or built-in entry for '{0}' in the indexes, expected one")]
    NotFound(String),
    /// The model's limits.
    #[error("'{name}' needs {modules} modules, expected at most {limit}")]
    TooLarge {
        /// The name.
        name: String,
        /// How many it needs.
        modules: usize,
        /// How many the model takes.
        limit: usize,
    },
    /// A configuration that does not come to an end.
    #[error(transparent)]
    Recursion(#[from] Recursion),
    /// A configuration of kmod's, and another modprobe.
    #[error(
        "found a configuration of kmod beside another modprobe, which reads it another way; expected kmod's, or none"
    )]
    NotKmods,
}

/// Numbers for modules, by their names, in the order in which they are met.
struct Numbers<'a> {
    index: &'a ModuleIndex,
    by_name: BTreeMap<String, ModuleId>,
    order: Vec<(String, Option<Indexed>)>,
}

impl Numbers<'_> {
    /// The number of a module; `None`: there are more than a number counts.
    fn of(&mut self, name: &str, module: Option<Indexed>) -> Option<ModuleId> {
        if let Some(&number) = self.by_name.get(name) {
            return Some(number);
        }
        let number = u8::try_from(self.order.len()).ok()?;
        self.order.push((name.to_owned(), module));
        self.by_name.insert(name.to_owned(), number);
        Some(number)
    }

    /// What those need that have numbers. depmod lists indirect dependencies, too, so this adds none to those that are
    /// probed; it does where somebody else wrote the index, or where a command stands in for what would need them.
    fn with_dependencies(&mut self) {
        // What those need in turn is never loaded, so it is no dependency here either.
        for (_, module) in self.order.clone() {
            for &id in module.map_or(&[][..], |id| self.index.dependencies(id)) {
                self.of(self.index.name(id), Some(id));
            }
        }
    }
}

/// The scenario of `setting` on a system with these indexes and this configuration.
///
/// A module's dependencies are all that modules.dep lists for it, indirect ones included: the index
/// does not say which are direct. In the order in which modprobe loads them an indirect dependency
/// is LIVE and referenced by the direct one as long as that is LIVE, so resolving it too changes no
/// result.
///
/// # Errors
/// A name that the indexes do not know, or more modules than the model takes.
pub fn scenario(modprobe: Modprobe<'_>, setting: &Setting) -> Result<Scenario, ClosureError> {
    let Modprobe { index, config, .. } = modprobe;
    if !config.is_empty() && setting.features.kmod.modprobe != Program::Kmod {
        return Err(ClosureError::NotKmods);
    }
    let resolved = modprobe.resolve(&setting.request);
    let mut numbers = Numbers { index, by_name: BTreeMap::new(), order: Vec::new() };
    let mut number = |found: &Found| numbers.of(&found.name, found.module).unwrap_or(u8::MAX);
    let targets: Vec<Target> = match &resolved {
        Resolved::Modules(targets) => targets::targets(modprobe, targets, &mut number)?,
        _ => Vec::new(),
    };
    numbers.with_dependencies();
    let Numbers { by_name, order, .. } = numbers;
    if order.len() > MAX_MODULES {
        return Err(ClosureError::TooLarge {
            name: setting.request.clone(),
            modules: order.len(),
            limit: MAX_MODULES,
        });
    }
    let modules = order
        .iter()
        .map(|(name, module)| {
            let is_target = targets.iter().any(|t| Some(&t.module) == by_name.get(name));
            let dependencies = module.map_or(&[][..], |id| index.dependencies(id));
            Module {
                name: name.clone(),
                // The order of a module's symbols is not in the index; modprobe's order stands for it.
                dependencies: dependencies
                    .iter()
                    .rev()
                    .filter_map(|id| by_name.get(index.name(*id)).copied())
                    .collect(),
                init: setting.init,
                registers: is_target && module.is_some() && setting.get_fs_type,
                listed_builtin: index.is_builtin(name),
                compressed: module.is_some_and(|id| !index.path(id).ends_with(".ko")),
                blocked: targets::is_blocked(modprobe, name),
                ..Module::default()
            }
        })
        .collect();
    let (resolution, builtin) = if targets.is_empty() {
        built_in(index, &resolved, setting)?
    } else {
        (Resolution::Modules(targets), None)
    };
    Ok(Scenario {
        name: setting.request.clone(),
        modules,
        names: vec![Name { request: setting.request.clone(), resolution, builtin }],
        actors: vec![Actor {
            action: if setting.get_fs_type {
                Action::GetFsType(0)
            } else {
                Action::RequestModule(0)
            },
            count: setting.callers,
            killable: false,
        }],
        helper: Helper::Present,
        lsm_refuses: false,
        exec_requests: None,
        patched: Default::default(),
        modprobe_killable: false,
        programs: Programs::default(),
        asks: Vec::new(),
        limit: None,
        timeouts: setting.timeouts,
        features: setting.features,
    })
}

/// A name that no module serves: built-in code of that name, or that has it as an alias, or (a file system) of the name
/// without `fs-`. Assumed to have parameters or a version, and so a directory: v19 looks at that.
fn built_in(
    index: &ModuleIndex,
    resolved: &Resolved,
    setting: &Setting,
) -> Result<(Resolution, Option<BuiltIn>), ClosureError> {
    let built_in =
        |name: &str| Some(BuiltIn { name: name.to_owned(), directory: true, driver: false });
    match (resolved, index.builtin_alias(&setting.request)) {
        (Resolved::Builtin(name), _) => return Ok((Resolution::Builtin, built_in(name))),
        // Whether its modprobe looks for that, the switches say.
        (_, Some(code)) => return Ok((Resolution::NotFound, built_in(code))),
        _ => {}
    }
    let file_system = setting.request.strip_prefix("fs-").unwrap_or(&setting.request);
    match index.lookup(file_system) {
        Lookup::Builtin(name) => Ok((Resolution::NotFound, built_in(&name))),
        _ => Err(ClosureError::NotFound(setting.request.clone())),
    }
}
