//! The main job's matrix: every built-in scenario under every reading of the check, alias map and
//! kmod.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use kmodcheck_explore::{Limits, Options, map_on_threads};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{AliasMap, Features, KernelFeatures, KmodFeatures, SanityCheck};
use kmodcheck_model::{Model, Mutant};

use crate::judge::verdict::{Report, check_all};

/// kmod, by release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kmod {
    /// v19.
    V19,
    /// v20.
    V20,
}

impl Kmod {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V19, Self::V20];

    /// Its switches.
    pub fn features(self) -> KmodFeatures {
        match self {
            Self::V19 => KmodFeatures::V19,
            Self::V20 => KmodFeatures::V20,
        }
    }

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::V19 => "v19",
            Self::V20 => "v20",
        }
    }
}

/// Every reading of the check, in the order of the tables.
pub const CHECKS: [SanityCheck; 7] = [
    SanityCheck::None,
    SanityCheck::WarnOnly,
    SanityCheck::AuthorTree,
    SanityCheck::AuthorMail,
    SanityCheck::Verify,
    SanityCheck::WaitAndVerify,
    SanityCheck::ExactBuiltin,
];

/// The name of a reading on the command line.
pub fn check_name(check: SanityCheck) -> &'static str {
    match check {
        SanityCheck::None => "none",
        SanityCheck::WarnOnly => "warn-only",
        SanityCheck::AuthorTree => "author-tree",
        SanityCheck::AuthorMail => "author-mail",
        SanityCheck::Verify => "verify",
        SanityCheck::WaitAndVerify => "wait-and-verify",
        SanityCheck::ExactBuiltin => "exact-builtin",
    }
}

/// The name of an alias map on the command line.
pub fn map_name(map: AliasMap) -> &'static str {
    match map {
        AliasMap::None => "none",
        AliasMap::Prefix => "prefix",
        AliasMap::Exact => "exact",
    }
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// How the callers ask.
    pub naming: Naming,
    /// What the environment allows.
    pub environment: Environment,
    /// kmod.
    pub kmod: Kmod,
    /// The reading of the check.
    pub check: SanityCheck,
    /// The alias map.
    pub map: AliasMap,
}

impl Cell {
    /// Every cell: on a plain name no alias map acts, so it stands under [`AliasMap::Exact`] only.
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for naming in Naming::ALL {
            let maps: &[AliasMap] = match naming {
                Naming::Plain => &[AliasMap::Exact],
                _ => &[AliasMap::None, AliasMap::Prefix, AliasMap::Exact],
            };
            for environment in Environment::MAIN {
                for kmod in Kmod::ALL {
                    for check in CHECKS {
                        for &map in maps {
                            cells.push(Self { naming, environment, kmod, check, map });
                        }
                    }
                }
            }
        }
        cells
    }

    /// The switches: v4.9 with the reading; the shortcut stands and falls with a map.
    pub fn features(&self) -> Features {
        let kernel = KernelFeatures {
            sanity_check: self.check,
            alias_map: self.map,
            already_live: self.map != AliasMap::None,
            ..KernelFeatures::V4_9
        };
        Features { kernel, kmod: self.kmod.features() }
    }

    /// The cell's model with that many callers.
    ///
    /// # Panics
    /// Never for a built-in scenario: a test builds all of them.
    pub fn model(&self, callers: u8, mutant: Option<Mutant>) -> Model {
        let scenario = scenario(self.naming, self.environment, self.features(), callers);
        Model::new(scenario, mutant).expect("built-in scenarios are well formed")
    }

    /// Whether the alias map gives the module's own name, so that the check looks at the module.
    pub fn mapped(&self) -> bool {
        match (self.naming, self.map) {
            (Naming::Plain, _) | (_, AliasMap::Exact) => true,
            (_, AliasMap::None) => false,
            (Naming::FsAndModule, AliasMap::Prefix) => true,
            (Naming::FsAndOther, AliasMap::Prefix) => false,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {}",
            self.naming.request(),
            self.environment.name(),
            self.kmod.name(),
            check_name(self.check),
            map_name(self.map)
        )
    }
}

/// Two callers, counted one by one, and three, up to exchanging them: in every cell.
pub const EXPLORED: [(u8, bool); 2] = [(2, false), (3, true)];

/// One cell's verdicts.
#[derive(Clone, Debug)]
pub struct CellReport {
    /// The cell.
    pub cell: Cell,
    /// By number of callers, as in [`EXPLORED`].
    pub reports: Vec<(u8, Report)>,
}

/// Explores `cells` on `threads` threads. The result does not depend on their number. Once `interrupt`
/// is set no further cell is begun: what was explored until then is returned, in the order of `cells`.
///
/// # Panics
/// Never for built-in scenarios, whose states fit.
pub fn run(
    cells: &[Cell],
    threads: usize,
    limits: Limits,
    interrupt: &AtomicBool,
    done: &(dyn Fn(usize) + Sync),
) -> Vec<CellReport> {
    let over = || interrupt.load(Ordering::Relaxed);
    let reports = map_on_threads(threads, cells, over, |number, cell| {
        let report = explore_cell(*cell, limits, interrupt);
        done(number);
        report
    });
    reports.into_iter().flatten().collect()
}

fn explore_cell(cell: Cell, limits: Limits, interrupt: &AtomicBool) -> CellReport {
    let reports = EXPLORED
        .into_iter()
        .map(|(callers, symmetry)| {
            let interrupt = Some(interrupt);
            let options = Options { symmetry, limits, interrupt, ..Options::default() };
            let model = cell.model(callers, None);
            let report = check_all(&model, &options).expect("built-in states fit");
            (callers, report)
        })
        .collect();
    CellReport { cell, reports }
}
