//! The tests of this crate, as one program: what they share is compiled and linked once.

mod accept;
mod any_number;
mod ftrace;
mod mutants;
#[path = "../../../sim/explore/tests/common/naive.rs"]
#[allow(dead_code)]
mod naive;
mod programs;
#[path = "../../../sim/explore/tests/common/random_system.rs"]
#[allow(dead_code)]
mod random_system;
mod real_logs;
mod renderers;
#[path = "../../../sim/explore/tests/common/sample.rs"]
#[allow(dead_code)]
mod sample;
mod scenario_file;
mod steer;
