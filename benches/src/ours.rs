//! The reference model for this project's explorer, as its own tests have it.

#[path = "../../sim/explore/tests/common/reference_model.rs"]
#[allow(dead_code, missing_docs, reason = "written for the tests of the explorer")]
mod reference_model;

use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::distributed::{DistributedError, explore_distributed};
use kmodcheck_explore::{
    End, Exploration, Limits, Options, Unexplorable, explore, explore_counted, explore_reduced,
};
use reference_model::{At, ReferenceModel, Violations};

/// Explores everything; looks for the violation, counts it, rebuilds its shortest trace, and decides
/// whether anybody is stuck.
pub fn run(
    callers: usize,
    (symmetry, follow_all): (bool, bool),
    threads: usize,
    bytes: Option<u64>,
) -> Result<Exploration<At, u64>, Unexplorable> {
    let model = ReferenceModel { callers, v19: true };
    let limits = Limits { bytes, ..Limits::default() };
    let options = Options { symmetry, follow_all, threads, limits, ..Options::default() };
    explore(&model, &Violations, &options)
}

/// The same, together with other processes; none in all but the first.
#[allow(dead_code, reason = "only one of the programs uses it")]
pub fn run_distributed(
    callers: usize,
    threads: usize,
    net: Net,
) -> Result<Option<Exploration<At, u64>>, DistributedError> {
    let model = ReferenceModel { callers, v19: true };
    explore_distributed(&model, &Violations, &Options { threads, ..Options::default() }, net)
}

/// Only up to the first violation; returns the steps of its trace.
pub fn first_violation(callers: usize, symmetry: bool) -> Result<Option<usize>, Unexplorable> {
    let model = ReferenceModel { callers, v19: true };
    let options = Options { symmetry, stop_when_violated: 1, ..Options::default() };
    let found = explore(&model, &Violations, &options)?;
    Ok((found.end == End::Violated).then(|| found.violations[0].trace.len()))
}

/// States and transitions when callers are counted instead of numbered.
pub fn counted(callers: usize) -> Result<(u64, u64), crate::Failure> {
    let model = ReferenceModel { callers, v19: true };
    let found = explore_counted(&model, &Violations, &Options::default())?;
    if found.end != End::Complete || found.violations.len() != 1 {
        return Err("the race was not found".into());
    }
    Ok((found.states, found.transitions))
}

/// States and transitions that partial order leaves, with symmetry or without.
pub fn reduced(callers: usize, symmetry: bool) -> Result<(u64, u64), crate::Failure> {
    let model = ReferenceModel { callers, v19: true };
    let found = explore_reduced(&model, &Violations, &Options { symmetry, ..Options::default() })?;
    if found.end != End::Complete || found.violations.len() != 1 {
        return Err("the race was not found".into());
    }
    Ok((found.states, found.transitions))
}
