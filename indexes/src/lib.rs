//! What kmod reads of a system before it loads anything: the indexes that `depmod` writes. Pure: who calls
//! has read the files. No step of the model looks here; a scenario is made from what is found.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

pub mod coverage;
pub mod glob;
mod index;

pub use index::{IndexError, IndexText, Lookup, ModuleId, ModuleIndex, ProbeEntry, SourceFile};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
