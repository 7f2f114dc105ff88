//! The grand matrix: every kernel preset, kmod preset, environment and naming, on every property.
//!
//! Presets that differ only in switches which no step of a scenario reads are one system there, and
//! explored once: [`normal`] says which switches those are, and a test compares.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use kmodcheck_explore::{Limits, Options, map_on_threads};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{
    AliasMap, BuiltinIndex, FailedLookup, Features, KmodFeatures, Program, RequestLimit,
    SanityCheck,
};
use kmodcheck_model::presets::{self, KERNELS, KMODS};
use kmodcheck_model::scenario::{
    Action, FailsAt, Helper, Init, Insert, Resolution, Scenario, Target,
};
use kmodcheck_model::{Model, Mutant};

use crate::judge::verdict::{Report, check_all};

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrandCell {
    /// What the environment allows.
    pub environment: Environment,
    /// How the callers ask.
    pub naming: Naming,
    /// The kernel preset.
    pub kernel: &'static str,
    /// The kmod preset.
    pub kmod: &'static str,
}

impl GrandCell {
    /// Every cell.
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for environment in Environment::ALL {
            for naming in Naming::ALL {
                for kernel in KERNELS {
                    for kmod in KMODS {
                        cells.push(Self { environment, naming, kernel, kmod });
                    }
                }
            }
        }
        cells
    }

    /// The switches of its presets.
    ///
    /// # Panics
    /// Never for presets that [`presets`] has.
    pub fn features(&self) -> Features {
        Features {
            kernel: presets::kernel(self.kernel).expect("the preset is one of KERNELS"),
            kmod: presets::kmod(self.kmod).expect("the preset is one of KMODS"),
        }
    }

    /// Environment, way to ask, kernel and kmod, by their names.
    pub fn names(&self) -> [&'static str; 4] {
        [self.environment.name(), self.naming.name(), self.kernel, self.kmod]
    }

    /// Its scenario.
    pub fn scenario(&self) -> Scenario {
        scenario(self.naming, self.environment, self.features(), self.environment.callers())
    }
}

/// The same system with every switch that no step of the scenario reads at its oldest value.
pub fn normal(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    let any_module =
        |f: fn(&kmodcheck_model::scenario::Module) -> bool| scenario.modules.iter().any(f);
    let calls = |f: fn(&Action) -> bool| scenario.actors.iter().any(|a| f(&a.action));
    let at = |f: fn(FailsAt) -> bool| {
        scenario.modules.iter().any(|m| m.failure.is_some_and(|failure| f(failure.at)))
    };
    let sysfs_fails = any_module(|m| m.sysfs_may_fail || m.name_taken)
        || at(|at| !matches!(at, FailsAt::ComingNotifier | FailsAt::ReadOnly));
    let fails_late = at(|at| matches!(at, FailsAt::UsageLinks | FailsAt::Sections));
    let fails = FailsAt::ALL.map(|(_, place)| {
        scenario.modules.iter().any(|m| m.failure.is_some_and(|failure| failure.at == place))
    });
    let load_eexist = any_module(|m| m.failure.is_some_and(|failure| failure.eexist));
    let nowait = calls(|a| matches!(a, Action::RequestModuleNowait(_)))
        || scenario.programs.call("request_module_nowait");
    let eexist = any_module(|m| m.init == Init::MayReturnEexist);
    let compressed = any_module(|m| m.compressed);
    let probes = scenario.names.iter().flat_map(|n| n.targets()).flat_map(Target::entries);
    let exit_17 = probes.clone().any(|p| p.insert == Insert::Exit17Command);
    let by_path = probes.into_iter().any(|p| p.by_path);
    let listed_builtin = any_module(|m| m.listed_builtin);
    let boots = !scenario.late_directories().is_empty();
    let drivers = scenario.names.iter().any(|name| name.builtin.as_ref().is_some_and(|b| b.driver));
    let looks_up = calls(|a| matches!(a, Action::GetFsType(_)));
    let not_found = scenario.names.iter().any(|n| n.resolution == Resolution::NotFound);
    let empty_path = scenario.helper == Helper::EmptyPath;
    let (listens, unloads, limit) = (scenario.listens(), scenario.unloads(), scenario.limit);
    let asynchronous = scenario.is_asynchronous();
    let removes = calls(|a| matches!(a, Action::ModprobeRemove(_)))
        || scenario.programs.call("modprobe_remove");
    let rules = scenario.check_rules();
    let looks_at_the_list = rules.checks() || rules.before;
    let Features { kernel, kmod } = &mut scenario.features;
    kernel.empty_path_fails &= empty_path;
    if limit.is_none() {
        kernel.request_limit = RequestLimit::FailsAtOnce;
    }
    kernel.delete_module_wakes &= unloads;
    kernel.failure_sets_going &= sysfs_fails;
    kernel.uevent_after_init &= listens;
    kernel.eexist_safety_net &= eexist;
    kernel.waits_for_all_async &= asynchronous;
    kernel.undo_removes_attributes &= fails_late;
    let [notifier, _, _, _, sections, codetag, read_only] = fails;
    kernel.notifier_can_fail &= notifier;
    kernel.notifier_failure_sets_going &= kernel.notifier_can_fail;
    kernel.sections_can_fail &= sections;
    kernel.codetag_can_fail &= codetag;
    kernel.codetag_error_counts &= kernel.codetag_can_fail;
    kernel.fails_after_live &= read_only;
    kernel.late_builtin_directories &= boots;
    kernel.driver_directories &= drivers;
    kernel.first_result_counts &= kernel.duplicate_requests;
    kernel.nowait_announces_nothing &= kernel.duplicate_requests && nowait;
    kernel.joiners_try_again &= kernel.idempotent_finit;
    kernel.load_eexist_is_busy &= load_eexist;
    kernel.join_interruptible &= kernel.idempotent_finit
        && (scenario.modprobe_killable
            || scenario.actors.iter().any(|actor| {
                actor.killable && matches!(actor.action, Action::Modprobe(_) | Action::Insmod(_))
            }));
    if kernel.sanity_check == SanityCheck::WarnOnly && !looks_up {
        kernel.sanity_check = SanityCheck::None;
    }
    if !looks_at_the_list && !kernel.already_live {
        kernel.alias_map = AliasMap::None;
    }
    // The other switches are kmod's.
    match kmod.modprobe {
        Program::Kmod => {}
        Program::Busybox => *kmod = KmodFeatures::BUSYBOX,
        Program::BusyboxSmall => *kmod = KmodFeatures::BUSYBOX_SMALL,
        Program::Toybox => *kmod = KmodFeatures::TOYBOX,
    }
    kmod.exit_17_fails &= exit_17;
    kmod.removes_listed_dependencies &= removes;
    kmod.looks_before_removing &= removes;
    kmod.dependencies_not_builtin &= by_path;
    kmod.unpacks_itself &= kernel.idempotent_finit && compressed;
    kmod.builtin_aliases &= not_found;
    if !listed_builtin {
        kmod.builtin_index = BuiltinIndex::LastLookup;
    }
    if !not_found {
        kmod.failed_lookup = FailedLookup::LooksInSysfs;
    }
    scenario
}

/// Cells that are one system.
#[derive(Clone, Debug)]
pub struct System {
    /// The cells, in order; all of one environment and naming.
    pub cells: Vec<GrandCell>,
    /// The scenario of the first.
    pub scenario: Scenario,
}

impl System {
    /// The systems of these cells, in the order of their first cells.
    pub fn of(cells: &[GrandCell]) -> Vec<Self> {
        let mut systems: Vec<Self> = Vec::new();
        let mut known: BTreeMap<(Environment, Naming), Vec<(Scenario, usize)>> = BTreeMap::new();
        for cell in cells {
            let key = normal(&cell.scenario());
            let known = known.entry((cell.environment, cell.naming)).or_default();
            match known.iter().find(|(scenario, _)| *scenario == key) {
                Some((_, system)) => systems[*system].cells.push(*cell),
                None => {
                    known.push((key, systems.len()));
                    systems.push(Self { cells: vec![*cell], scenario: cell.scenario() });
                }
            }
        }
        systems
    }

    /// The model, faithful unless `mutant` is some deliberate fault.
    ///
    /// # Panics
    /// Never for the environments here: a test builds all of them.
    pub fn model(&self, mutant: Option<Mutant>) -> Model {
        Model::new(self.scenario.clone(), mutant).expect("built-in scenarios are well formed")
    }

    /// Its name in the record: environment, naming, and the presets by kmod.
    pub fn name(&self) -> String {
        let first = self.cells[0];
        let mut kernels: Vec<&str> = self.cells.iter().map(|c| c.kernel).collect();
        let mut kmods: Vec<&str> = self.cells.iter().map(|c| c.kmod).collect();
        kernels.dedup();
        kmods.sort_by_key(|k| KMODS.iter().position(|m| m == k));
        kmods.dedup();
        format!(
            "{} {} {} {}",
            first.environment.name(),
            first.naming.name(),
            kernels.join(","),
            kmods.join(",")
        )
    }
}

/// One system's verdicts.
#[derive(Clone, Debug)]
pub struct SystemReport {
    /// The system.
    pub system: System,
    /// Its verdicts.
    pub report: Report,
}

/// Explores the systems of `cells` on `threads` threads, up to exchanging callers. The result does
/// not depend on their number. `None` if `interrupt` was set before the end.
///
/// # Panics
/// Never for built-in scenarios, whose states fit.
pub fn run(
    systems: Vec<System>,
    threads: usize,
    limits: Limits,
    interrupt: &AtomicBool,
    done: &(dyn Fn(usize) + Sync),
) -> Option<Vec<SystemReport>> {
    let over = || interrupt.load(Ordering::Relaxed);
    let reports = map_on_threads(threads, &systems, over, |number, system| {
        let interrupt = Some(interrupt);
        let options = Options { symmetry: true, limits, interrupt, ..Options::default() };
        let report = check_all(&system.model(None), &options).expect("the states fit");
        done(number);
        report
    });
    if over() {
        return None;
    }
    let together = systems.into_iter().zip(reports);
    together.map(|(system, report)| Some(SystemReport { system, report: report? })).collect()
}
