//! What **must** hold: each property with its statement, its source and its predicate, and the
//! verdict of one system on all of them.

pub mod certified;
pub mod check;
pub mod fixes;
pub mod grand;
pub mod matrix;
pub mod progress;
pub mod property;
pub mod prove;
pub mod recorded;
mod stuck;
pub mod theorem;

pub use check::{Answer, Report, Verdict, check};
pub use property::{Property, View};
