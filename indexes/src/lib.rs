//! What kmod reads of a system before it loads anything: the indexes that `depmod` writes. Pure: who calls
//! has read the files. No step of the model looks here; a scenario is made from what is found.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

pub mod command;
pub mod config;
pub mod coverage;
pub mod glob;
mod index;
mod modprobe;

pub use command::Command;
pub use config::Configuration;
pub use index::binary;
pub use index::{IndexError, IndexText, Lookup, ModuleId, ModuleIndex, SourceFile};
pub use modprobe::{Found, Modprobe, Resolved, Rules, Step, Target};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
