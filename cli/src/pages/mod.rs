//! The commands that write whole pages.

pub(crate) mod evidence;
pub(crate) mod report;
