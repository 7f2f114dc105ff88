//! Texts and what comes of them.

#[path = "../../../sim/explore/tests/common/sample.rs"]
mod sample;

mod constructs;
mod errors;
mod generate;
mod generated;
mod naive;
mod textbook;
