//! The commands that explore or sample one system.

pub(crate) mod check;
pub(crate) mod check_one;
mod check_text;
mod checked;
pub(crate) mod compare;
mod engine;
pub(crate) mod export;
mod junit;
pub(crate) mod litmus;
pub(crate) mod merge;
pub(crate) mod modprobe;
pub(crate) mod sample;
pub(crate) mod sample_file;
