//! The commands about many systems: presets, environments, theorems.

mod first_screen;
pub(crate) mod fixes;
pub(crate) mod kmod_sh;
pub(crate) mod machine;
pub(crate) mod main_job;
pub(crate) mod matrix;
pub(crate) mod mutants;
pub(crate) mod progress;
pub(crate) mod prove;
pub(crate) mod review;
pub(crate) mod verify;
