//! Texts and what comes of them.

#[path = "../../../sim/explore/tests/common/sample.rs"]
#[allow(dead_code)]
mod sample;

mod constructs;
mod engines;
mod errors;
mod generate;
mod generated;
mod naive;
mod textbook;
