//! What the test binaries of this crate share; each uses a part of it.
#![allow(dead_code)]

use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use crate::sample::some_of;
use kmodcheck_explore::Limits;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{AliasMap, Features, SanityCheck};
use kmodcheck_model::scenario::{
    Action, Actor, BuiltIn, Insert, Module, Probe, Resolution, Scenario, Target,
};
use kmodcheck_model::{Model, Mutant, Pc};
use kmodcheck_properties::matrix::{self, Cell, CellReport, Kmod};

/// Tried in this order: the first that violates is recorded.
pub const CANDIDATES: [Mutant; 18] = [
    Mutant::OldRule,
    Mutant::CheckBeforeModprobe,
    Mutant::CheckAcceptsForming,
    Mutant::CheckRejectsAll,
    Mutant::ShortcutBlind,
    Mutant::NoSecondLook,
    Mutant::SwapLoad(3),
    Mutant::Skip(Pc::WakeLive),
    Mutant::Skip(Pc::WakeFreed),
    Mutant::NoModprobe,
    Mutant::ModprobeExitsZero,
    Mutant::Skip(Pc::SetLive),
    Mutant::Skip(Pc::DuplicateComplete),
    Mutant::FormingIsBusy,
    Mutant::ModprobeExitsOne,
    Mutant::ConfigurationIgnored,
    Mutant::LoadsAfterWait,
    Mutant::Skip(Pc::Announce),
];

/// Whether the records are to be rewritten.
pub fn recording() -> bool {
    std::env::var_os("KMODCHECK_RECORD").is_some()
}

/// The main job's matrix, or a sample of its cells.
pub static MATRIX: LazyLock<Vec<CellReport>> = LazyLock::new(|| {
    let cells = some_of(40, Cell::all());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    matrix::run(&cells, threads, Limits::default(), &AtomicBool::new(false), &|_| {})
});

/// A cell of the matrix.
pub const fn cell(
    naming: Naming,
    environment: Environment,
    kmod: Kmod,
    check: SanityCheck,
    map: AliasMap,
) -> Cell {
    Cell { naming, environment, kmod, check, map }
}

/// A system that no cell of the matrix has, so that every place of the model is reached somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// ext4 needs jbd2, which every caller's modprobe loads first.
    Dependency,
    /// The same, and the 30 s of a loader's wait may be over.
    DependencyTimesOut,
    /// ext4 and jbd2, asked for by a modprobe that does not load jbd2 first, so that it is missing.
    MissingDependency,
    /// Built-in code has taken the module's directory.
    NameTaken,
    /// Nothing knows the name, and built-in code has a directory of that name.
    UnknownWithDirectory,
    /// Nothing knows the name.
    Unknown,
    /// Two modules serve the name.
    ServedByTwo,
    /// A caller that does not wait; from shells a modprobe that may be killed, and a `modprobe -r`.
    Shells,
    /// udev waits for the module's uevent.
    Udev,
    /// ext4 needs jbd2, which somebody unloads, and may fail when it has a reference on it.
    DependencyUnloaded,
}

impl Special {
    pub const ALL: [Self; 10] = [
        Self::Dependency,
        Self::DependencyTimesOut,
        Self::MissingDependency,
        Self::NameTaken,
        Self::UnknownWithDirectory,
        Self::Unknown,
        Self::ServedByTwo,
        Self::Shells,
        Self::Udev,
        Self::DependencyUnloaded,
    ];

    /// This system, from a built-in one with a module of that naming, environment and switches.
    pub fn scenario(
        self,
        naming: Naming,
        environment: Environment,
        features: Features,
        callers: u8,
    ) -> Scenario {
        let mut s = scenario(naming, environment, features, callers);
        let probe = |module| Probe::new(module, true, Insert::Finit);
        let target = |module, probe| Target { module, probe, blacklisted: false };
        let actor = |action| Actor { action, count: 1, killable: false };
        match self {
            Self::Dependency
            | Self::DependencyTimesOut
            | Self::MissingDependency
            | Self::DependencyUnloaded => {
                let name = "jbd2".to_owned();
                s.modules.push(Module { name, registers: false, ..s.modules[0].clone() });
                s.modules[0].dependencies = vec![1];
                let probe = match self {
                    Self::MissingDependency => vec![probe(0)],
                    _ => vec![probe(1), probe(0)],
                };
                s.names[0].resolution = Resolution::Modules(vec![target(0, probe)]);
                s.timeouts = self == Self::DependencyTimesOut;
                if self == Self::DependencyUnloaded {
                    s.modules[0].sysfs_may_fail = true;
                    s.actors.push(actor(Action::Rmmod(1)));
                }
            }
            Self::NameTaken => s.modules[0].name_taken = true,
            Self::UnknownWithDirectory | Self::Unknown => {
                s.modules.clear();
                let name = &mut s.names[0];
                name.resolution = Resolution::NotFound;
                name.builtin = (self == Self::UnknownWithDirectory).then(|| BuiltIn {
                    name: name.request.replace('-', "_"),
                    directory: true,
                    driver: false,
                });
            }
            Self::ServedByTwo => {
                s.modules.push(Module { name: "ext4_too".to_owned(), ..s.modules[0].clone() });
                let targets = [0, 1].map(|m| target(m, vec![probe(m)]));
                s.names[0].resolution = Resolution::Modules(targets.into());
            }
            Self::Shells => {
                s.actors = [
                    Action::RequestModuleNowait(0),
                    Action::Modprobe(0),
                    Action::ModprobeRemove(0),
                ]
                .map(actor)
                .into();
                s.actors[1].killable = true;
            }
            Self::Udev => s.actors.push(actor(Action::Udev(0))),
        }
        s.name = format!("{} {self:?}", s.name);
        s
    }

    /// With two callers, on the switches of `cell`.
    pub fn model(self, cell: &Cell, mutant: Option<Mutant>) -> Model {
        let s = self.scenario(cell.naming, cell.environment, cell.features(), 2);
        Model::new(s, mutant).expect("special scenarios are well formed")
    }
}
