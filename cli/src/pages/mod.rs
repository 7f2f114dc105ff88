//! The commands that write whole pages.

mod compared;
pub(crate) mod evidence;
mod one_system;
mod player;
pub(crate) mod report;
