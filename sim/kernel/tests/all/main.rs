//! The tests of this crate, as one program: what they share is compiled and linked once.

mod agreement;
mod common;
mod crowd;
mod events;
mod generated;
mod mutants;
mod presets;
mod race;
#[path = "../../../explore/tests/common/sample.rs"]
#[allow(dead_code)]
mod sample;
