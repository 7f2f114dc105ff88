//! Generated scenarios: module graphs, outcomes, actors, switches. Written so that what a shrunk value
//! is built from is the plainest: one module, one caller, v4.9, no environment.
//!
//! Tests hold descriptions and explorers against each other on them; campaigns of random walks look on
//! them for violations that nobody thought of ([`crate::sample`]).

use kmodcheck_model::Scenario;
use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_model::scenario::{
    Action, Actor, Helper, Init, Insert, Module, ModuleId, Name, Probe, Resolution, Target,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[derive(Clone, Debug)]
struct Spec {
    init: Init,
    /// Bit 0: needs the next module; bit 1: the one after it.
    needs: u8,
    sysfs_may_fail: bool,
    name_taken: bool,
    required: bool,
}

fn module() -> impl Strategy<Value = Spec> {
    let init = prop_oneof![
        4 => Just(Init::Succeeds),
        2 => Just(Init::MayFail),
        1 => Just(Init::MayReturnEexist),
        1 => Just(Init::Fails),
    ];
    let rarely = || prop::bool::weighted(0.15);
    (init, 0..4_u8, rarely(), rarely(), prop::bool::weighted(0.8)).prop_map(
        |(init, needs, sysfs_may_fail, name_taken, required)| Spec {
            init,
            needs,
            sysfs_may_fail,
            name_taken,
            required,
        },
    )
}

fn action() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0_u8), 2 => Just(1), 2 => Just(2), 1 => Just(3)]
}

/// One of these. They have no order in which a failure would go away, so the first is tried by itself
/// when the others are shrunk.
fn preset(all: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
    prop_oneof![1 => Just(all[0]), all.len() as u32 => prop::sample::select(all.to_vec())]
}

/// Dependencies first, each once.
fn closure(modules: &[Module], of: ModuleId, list: &mut Vec<ModuleId>) {
    for dependency in &modules[usize::from(of)].dependencies {
        closure(modules, *dependency, list);
    }
    if !list.contains(&of) {
        list.push(of);
    }
}

/// What is drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Most actors, at least 1.
    pub actors: usize,
    /// Kernel presets, by name.
    pub kernels: Vec<&'static str>,
    /// kmod presets, by name.
    pub kmods: Vec<&'static str>,
}

impl Space {
    /// Every preset, and so many actors at most.
    #[must_use]
    pub fn of(actors: usize) -> Self {
        Self { actors, kernels: presets::KERNELS.to_vec(), kmods: presets::KMODS.to_vec() }
    }

    /// The scenario of this seed, with all that it can be shrunk to.
    ///
    /// # Panics
    /// If there is nothing to be drawn from.
    #[must_use]
    pub fn draw(&self, seed: u64) -> impl ValueTree<Value = Scenario> + use<> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, rng);
        scenarios_of(self).new_tree(&mut runner).expect("nothing is filtered out")
    }
}

/// Small scenarios of every preset with `actors` actors at most, without those that leave a modprobe
/// behind.
pub fn scenarios(actors: usize) -> impl Strategy<Value = Scenario> {
    scenarios_of(&Space::of(actors))
}

/// The scenarios of a space.
///
/// # Panics
/// If its presets are none.
pub fn scenarios_of(space: &Space) -> impl Strategy<Value = Scenario> + use<> {
    (
        preset(&space.kernels),
        preset(&space.kmods),
        prop::collection::vec(module(), 1..=3),
        prop::collection::vec(action(), 1..=space.actors),
        any::<bool>(),
        prop::bool::weighted(0.3),
        prop_oneof![4 => Just(None), 1 => (1..=2_u8).prop_map(Some)],
        any::<bool>(),
        prop_oneof![8 => Just(Helper::Present), 1 => Just(Helper::Missing)],
    )
        .prop_map(
            |(kernel, kmod, specs, actions, fs, two_targets, limit, timeouts, helper)| {
                let count = specs.len() as u8;
                let modules: Vec<Module> = (0..count)
                    .map(|id| {
                        let spec = &specs[usize::from(id)];
                        let needs = |n: &u8| spec.needs & 1 << (n - id - 1) != 0;
                        Module {
                            name: format!("m{id}"),
                            dependencies: (id + 1..count.min(id + 3)).filter(needs).collect(),
                            init: spec.init,
                            registers: fs && id < 2 && (id == 0 || two_targets),
                            sysfs_may_fail: spec.sysfs_may_fail,
                            name_taken: spec.name_taken,
                            ..Module::default()
                        }
                    })
                    .collect();
                let target = |module: ModuleId| {
                    let mut list = Vec::new();
                    closure(&modules, module, &mut list);
                    let probe = list.into_iter().map(|m| Probe {
                        module: m,
                        required: m == module || specs[usize::from(m)].required,
                        insert: Insert::Finit,
                    });
                    Target { module, probe: probe.collect(), blacklisted: false }
                };
                let targets = if two_targets && count > 1 { vec![0, 1] } else { vec![0] };
                let resolution = Resolution::Modules(targets.into_iter().map(target).collect());
                let request = if fs { "fs-m0" } else { "m0" }.to_owned();
                let calls = if fs { Action::GetFsType(0) } else { Action::RequestModule(0) };
                let actors = actions.iter().enumerate().map(|(number, action)| {
                    let action = match action {
                        _ if number == 0 => calls,
                        0 => calls,
                        1 => Action::Modprobe(0),
                        2 => Action::Rmmod(0),
                        _ => Action::ModprobeRemove(0),
                    };
                    Actor { action, count: 1, killable: false }
                });
                // Those who do the same are interchangeable.
                let mut grouped: Vec<Actor> = Vec::new();
                for actor in actors {
                    match grouped.iter_mut().find(|g| g.action == actor.action) {
                        Some(group) => group.count += 1,
                        None => grouped.push(actor),
                    }
                }
                Scenario {
                    name: format!("generated, on {kernel} with kmod {kmod}"),
                    modules: modules.clone(),
                    names: vec![Name { request, resolution, builtin: None }],
                    actors: grouped,
                    helper,
                    lsm_refuses: false,
                    limit,
                    timeouts,
                    features: Features {
                        kernel: presets::kernel(kernel).expect("a preset"),
                        kmod: presets::kmod(kmod).expect("a preset"),
                    },
                }
            },
        )
}
