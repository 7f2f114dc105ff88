//! What **must** hold: each property with its statement, its source and its predicate, and the
//! verdict of one system on all of them.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

pub mod by_hand;
pub mod certified;
pub mod check;
pub mod compare;
pub mod fixes;
pub mod from_here;
pub mod generate;
pub mod grand;
pub mod kmod_sh;
pub mod matrix;
pub mod minimal;
pub mod progress;
pub mod property;
pub mod prove;
pub mod recorded;
pub mod regressions;
pub mod sample;
pub mod stuck;
pub mod theorem;
pub mod witness;

pub use check::{Answer, Report, Verdict, check};
pub use property::{Property, View};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
