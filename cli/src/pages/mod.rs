//! The commands that write whole pages.

pub(crate) mod evidence;
mod one_system;
pub(crate) mod report;
