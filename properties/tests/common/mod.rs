//! What the test binaries of this crate share; each uses a part of it.
#![allow(dead_code)]

use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_model::scenario::{Module, Probe, Resolution, Scenario, Target};
use kmodcheck_model::{Model, Mutant};
use kmodcheck_properties::matrix::{Cell, Kmod};

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
}

impl Special {
    pub const ALL: [Self; 7] = [
        Self::Dependency,
        Self::DependencyTimesOut,
        Self::MissingDependency,
        Self::NameTaken,
        Self::UnknownWithDirectory,
        Self::Unknown,
        Self::ServedByTwo,
    ];

    /// The switches and callers of `cell`, on this system.
    pub fn scenario(self, cell: &Cell, callers: u8) -> Scenario {
        let mut s = scenario(cell.naming, cell.environment, cell.features(), callers);
        let probe = |module| Probe { module, required: true };
        match self {
            Self::Dependency | Self::DependencyTimesOut | Self::MissingDependency => {
                let jbd2 =
                    Module { name: "jbd2".to_owned(), registers: false, ..s.modules[0].clone() };
                s.modules.push(jbd2);
                s.modules[0].dependencies = vec![1];
                let probe = match self {
                    Self::MissingDependency => vec![probe(0)],
                    _ => vec![probe(1), probe(0)],
                };
                s.resolution = Resolution::Modules(vec![Target { module: 0, probe }]);
                s.timeouts = self == Self::DependencyTimesOut;
            }
            Self::NameTaken => s.modules[0].name_taken = true,
            Self::UnknownWithDirectory | Self::Unknown => {
                s.modules.clear();
                s.resolution = Resolution::NotFound;
                s.builtin = (self == Self::UnknownWithDirectory).then(|| {
                    kmodcheck_model::scenario::BuiltIn {
                        name: s.request.replace('-', "_"),
                        directory: true,
                    }
                });
            }
            Self::ServedByTwo => {
                let other = Module { name: "ext4_too".to_owned(), ..s.modules[0].clone() };
                s.modules.push(other);
                s.resolution = Resolution::Modules(
                    [0, 1].map(|m| Target { module: m, probe: vec![probe(m)] }).into(),
                );
            }
        }
        s.name = format!("{cell} {self:?}");
        s
    }

    pub fn model(self, cell: &Cell, callers: u8, mutant: Option<Mutant>) -> Model {
        Model::new(self.scenario(cell, callers), mutant).expect("special scenarios are well formed")
    }
}
