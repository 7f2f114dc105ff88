//! The tests of this crate, as one program: what they share is compiled and linked once.

mod accept;
#[allow(dead_code)]
#[path = "../../../model/build.rs"]
mod build;
mod builds;
mod certificates;
mod check;
mod common;
mod compare;
mod covered;
mod cut;
mod dependencies;
mod engine;
mod engines;
mod evidence;
mod export;
mod first_minutes;
mod first_screen;
mod fitted;
mod flags;
mod imports;
mod kmod_sh;
mod layout;
mod limits;
mod litmus;
mod machine;
mod main_job;
mod modprobe;
mod output;
mod pages;
mod patches;
mod programs;
mod prove;
mod record;
mod replay;
mod reproduce;
mod results;
#[path = "../../../sim/explore/tests/common/sample.rs"]
#[allow(dead_code)]
mod sample;
mod scale;
mod scenarios;
mod schemas;
mod serve;
mod several;
mod steered;
mod story;
mod subjects;
mod taught;
mod upstream;
mod workspace;
