//! Texts and what comes of them.

#[path = "../../../sim/explore/tests/common/sample.rs"]
#[allow(dead_code)]
mod sample;

mod constructs;
#[path = "../../examples/cost.rs"]
#[allow(dead_code, missing_docs)]
mod cost;
mod engines;
mod errors;
mod generate;
mod generated;
mod mutations;
mod naive;
mod textbook;
