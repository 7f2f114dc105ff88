//! The shared state for readers: what there is to see at one moment, field by field.

use schemars::JsonSchema;
use serde::Serialize;

use crate::features::RequestLimit;
use crate::model::Model;
use crate::scenario::{ModuleId, NameId};
use crate::state::{ModuleState, Ret, World};

/// One module, as others can see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct ModuleView {
    /// Its name.
    pub name: String,
    /// `mod->state`; `absent`: not on the module list.
    pub state: &'static str,
    /// Whether its name is on the module list.
    pub listed: bool,
    /// `/sys/module/NAME/`.
    pub directory: bool,
    /// `/sys/module/NAME/initstate`.
    pub initstate: bool,
    /// Whether its file system is registered; `None`: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered: Option<bool>,
    /// References held on it, its own initial one included; `None`: nobody unloads, so nobody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<u64>,
    /// Whether its init has returned 0; `None`: nobody listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initialised: Option<bool>,
    /// Whether a `finit_module()` of its file runs; `None`: those are not idempotent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_finit: Option<bool>,
}

/// One name's entry in `dup_kmod_reqs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct DuplicateView {
    /// The name.
    pub name: String,
    /// `none`, `listed`, `queued` or `done`.
    pub entry: &'static str,
    /// The result stored for duplicates, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// How many requests run, or may still.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct SlotsView {
    /// The kernel's variable.
    pub counter: &'static str,
    /// Its value.
    pub value: u64,
    /// Waiters in the semaphore's queue; `None`: there is no such queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiters: Option<u64>,
}

/// The shared state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct SharedView {
    /// By module of the scenario.
    pub modules: Vec<ModuleView>,
    /// By requested name; empty: duplicates are not merged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<DuplicateView>,
    /// `None`: nobody meets the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsView>,
}

fn state_name(state: ModuleState) -> &'static str {
    match state {
        ModuleState::Absent => "absent",
        ModuleState::Unformed | ModuleState::UnformedAgain => "UNFORMED",
        ModuleState::Coming => "COMING",
        ModuleState::Live => "LIVE",
        ModuleState::Going => "GOING",
    }
}

impl Model {
    /// `shared`, readable.
    pub fn shared_view(&self, shared: u128) -> SharedView {
        let mut world = World::new(&self.layout, shared);
        let modules =
            self.scenario.module_ids().map(|id| self.module_view(&mut world, id)).collect();
        let duplicates = if self.scenario.features.kernel.duplicate_requests {
            let names = self.scenario.name_ids();
            names.map(|name| self.duplicate_view(&mut world, name)).collect()
        } else {
            Vec::new()
        };
        let slots = self.layout.slots.exists().then(|| {
            let (counter, queue) = match self.scenario.features.kernel.request_limit {
                RequestLimit::FailsAtOnce => ("kmod_concurrent", false),
                RequestLimit::AllWaitersRace => ("kmod_concurrent_max", false),
                RequestLimit::Semaphore => ("kmod_concurrent_max.count", true),
            };
            let value = world.get(self.layout.slots);
            let waiters = queue.then(|| world.get(self.layout.slot_waiters));
            SlotsView { counter, value, waiters }
        });
        SharedView { modules, duplicates, slots }
    }

    fn module_view(&self, world: &mut World<'_>, id: ModuleId) -> ModuleView {
        let spec = &self.scenario.modules[usize::from(id)];
        let fields = world.fields(id);
        let state = world.state(id);
        let references = fields.initial_reference.exists().then(|| {
            let mut count =
                world.get(fields.initial_reference) + world.get(fields.file_system_references);
            for (dependent, holder) in self.scenario.modules.iter().zip(&self.layout.modules) {
                for (dependency, holds) in dependent.dependencies.iter().zip(&holder.holds) {
                    if *dependency == id {
                        count += world.get(*holds);
                    }
                }
            }
            count
        });
        ModuleView {
            name: spec.name.clone(),
            state: state_name(state),
            listed: state != ModuleState::Absent,
            directory: self.has_directory(world, id),
            initstate: world.initstate(id),
            registered: spec.registers.then(|| world.registered(id)),
            references,
            initialised: fields.initialised.exists().then(|| world.flag(fields.initialised)),
            in_finit: fields.in_finit.exists().then(|| world.flag(fields.in_finit)),
        }
    }

    fn duplicate_view(&self, world: &mut World<'_>, id: NameId) -> DuplicateView {
        let fields = world.name(id);
        let (listed, queued, done) = (
            world.flag(fields.dup_listed),
            world.flag(fields.dup_queued),
            world.flag(fields.dup_done),
        );
        let entry = match (listed, queued, done) {
            (false, ..) => "none",
            (true, _, true) => "done",
            (true, true, false) => "queued",
            (true, false, false) => "listed",
        };
        let result = (listed && (queued || done))
            .then(|| Ret::from_bits(world.get(fields.dup_ret)).to_string());
        DuplicateView { name: self.scenario.names[usize::from(id)].request.clone(), entry, result }
    }
}
