//! A trace made short, with few switches, and why it happened.

pub mod fewest_switches;
pub mod reduce;
pub mod reorder;
pub(crate) mod shorten;
