//! What the systems were found to be, and what follows.

pub mod certified;
pub mod recorded;
pub mod regressions;
pub mod theorem;
