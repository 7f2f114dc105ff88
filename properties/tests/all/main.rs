//! The tests of this crate, as one program: what they share is compiled and linked once.

mod anonymous;
mod asynchronous;
mod common;
mod covered;
mod drawn;
mod engines;
mod expectations;
mod export;
mod fixes;
mod generated;
mod grand;
mod kmod_sh;
mod learned;
mod machine;
#[path = "../../../sim/explore/tests/common/naive.rs"]
#[allow(dead_code)]
mod naive;
mod only_if_killed;
mod orphans;
mod patches;
mod programs;
mod progress;
mod prove;
mod race;
mod recorded;
mod results;
#[path = "../../../sim/explore/tests/common/sample.rs"]
#[allow(dead_code)]
mod sample;
mod saved_traces;
mod scenarios;
mod second;
mod state_graph;
mod steps;
mod switches;
mod theorems;
mod told;
mod traces;
mod twins;
