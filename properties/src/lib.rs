//! What **must** hold: each property with its statement, its source and its predicate, and the
//! verdict of one system on all of them.

pub mod check;
pub mod matrix;
pub mod property;
mod stuck;

pub use check::{Answer, Report, Verdict, check};
pub use property::{Property, View};
