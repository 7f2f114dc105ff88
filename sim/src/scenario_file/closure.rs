//! From an index to a scenario: the requested name, what it resolves to, and every module that
//! modprobe may touch on the way. Modules outside this closure are left out: no step of a caller of
//! this name reads or writes anything of theirs.

use std::collections::BTreeMap;

use kmodcheck_indexes::{self as index, Lookup, ModuleIndex};
use kmodcheck_model::features::Features;
use kmodcheck_model::model::MAX_MODULES;
use kmodcheck_model::scenario::{
    self, Action, Actor, BuiltIn, Helper, Init, Insert, Module, Name, Probe, Programs, Resolution,
    Scenario, Target,
};

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
}

/// The scenario of `setting` on a system with this index.
///
/// A module's dependencies are all that modules.dep lists for it, indirect ones included: the index
/// does not say which are direct. In the order in which modprobe loads them an indirect dependency
/// is LIVE and referenced by the direct one as long as that is LIVE, so resolving it too changes no
/// result.
///
/// # Errors
/// A name that the indexes do not know, or more modules than the model takes.
pub fn scenario(index: &ModuleIndex, setting: &Setting) -> Result<Scenario, ClosureError> {
    let lists: Vec<(index::ModuleId, Vec<index::ProbeEntry>)> = match index.lookup(&setting.request)
    {
        Lookup::NotFound | Lookup::Builtin(_) => Vec::new(),
        Lookup::Module(id) => vec![(id, index.probe_list(id))],
        Lookup::Served(ids) => {
            ids.into_iter().map(|id| (id, index.probe_list_via(id, &setting.request))).collect()
        }
    };
    let mut numbers = BTreeMap::new();
    let mut order: Vec<index::ModuleId> = Vec::new();
    let probed = lists.iter().flat_map(|(_, list)| list).map(|entry| entry.module);
    // depmod lists indirect dependencies, too, so this adds none to those that are probed; it does
    // where somebody else wrote the index.
    let needed = probed.clone().flat_map(|id| index.dependencies(id).iter().copied());
    for id in probed.chain(needed) {
        numbers.entry(id).or_insert_with(|| {
            order.push(id);
            order.len() - 1
        });
    }
    // What those need in turn is never loaded, so it is no dependency here either.
    if order.len() > MAX_MODULES {
        return Err(ClosureError::TooLarge {
            name: setting.request.clone(),
            modules: order.len(),
            limit: MAX_MODULES,
        });
    }
    let number = |id: &index::ModuleId| scenario::number(numbers[id]);
    let targets: Vec<Target> = lists
        .iter()
        .map(|(id, list)| Target {
            module: number(id),
            probe: list
                .iter()
                .map(|e| Probe {
                    module: number(&e.module),
                    required: e.required,
                    insert: Insert::Finit,
                })
                .collect(),
            blacklisted: false,
        })
        .collect();
    let modules = order
        .iter()
        .map(|id| {
            let is_target = targets.iter().any(|t| t.module == number(id));
            Module {
                name: index.name(*id).to_owned(),
                // The order of a module's symbols is not in the index; modprobe's order stands for it.
                dependencies: index
                    .dependencies(*id)
                    .iter()
                    .rev()
                    .filter(|id| numbers.contains_key(id))
                    .map(number)
                    .collect(),
                init: setting.init,
                registers: is_target && setting.get_fs_type,
                listed_builtin: index.is_builtin(index.name(*id)),
                compressed: !index.path(*id).ends_with(".ko"),
                ..Module::default()
            }
        })
        .collect();
    let (resolution, builtin) = if targets.is_empty() {
        built_in(index, setting)?
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

/// A name that no module serves: built-in code of that name, or (a file system) of the name without
/// `fs-`. Assumed to have parameters or a version, and so a directory: v19 looks at that.
fn built_in(
    index: &ModuleIndex,
    setting: &Setting,
) -> Result<(Resolution, Option<BuiltIn>), ClosureError> {
    let built_in = |name: String| Some(BuiltIn { name, directory: true });
    if let Lookup::Builtin(name) = index.lookup(&setting.request) {
        return Ok((Resolution::Builtin, built_in(name)));
    }
    let file_system = setting.request.strip_prefix("fs-").unwrap_or(&setting.request);
    match index.lookup(file_system) {
        Lookup::Builtin(name) => Ok((Resolution::NotFound, built_in(name))),
        _ => Err(ClosureError::NotFound(setting.request.clone())),
    }
}
