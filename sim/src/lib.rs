//! What drives the model: its processes as the explorer wants them, and traces that can be saved,
//! loaded, replayed and shown.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

pub mod certificate;
pub mod export;
pub mod patch;
pub mod processes;
pub mod scenario_file;
pub mod suggest;
pub mod trace;
pub mod versioned;

pub use processes::Processes;

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
