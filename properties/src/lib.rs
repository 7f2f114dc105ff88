//! What **must** hold: each property with its statement, its source and its predicate, and the
//! verdict of one system on all of them.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

pub mod judge;
pub mod property;
pub mod record;
pub mod runs;
pub mod systems;

pub use judge::{
    any_number, asked, certificate, compare, faults, from_here, progress, results, safety,
    sleepers, state_graph, verdict, witness,
};
pub use record::{certified, recorded, regressions, theorem};
pub use runs::{by_hand, minimal, sample, told};
pub use systems::{
    covered, fixes, generate, grand, hard_cases, kmod_sh, machine, matrix, mutants, programs,
    review,
};

pub use judge::verdict::{Answer, Report, Verdict, check};
pub use property::{Property, View};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
