//! Does every call return? On finite instances in which the actors start over for ever, under weak
//! fairness ([`kmodcheck_explore::fair`] says what that is).
//!
//! This is no property of single steps: it is decided for so many callers and no others.

use kmodcheck_explore::bfs::Unexplorable;
use kmodcheck_explore::fair::{Fairness, Lasso, Restarting, fairness, is_lasso};
use kmodcheck_explore::{End, Kind, Options};
use kmodcheck_model::{Event, Model, Role};
use kmodcheck_sim::Processes;

use crate::check::Trace;

/// A run in which a call never returns: the way to a loop, and the loop. `None` in place of a step: an
/// actor starts over.
pub type Run = Lasso<Option<Event>>;

/// How one model fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every call returns.
    Returns,
    /// Every call returns, but some by a time-out only: without it, this run has no end.
    ByTimeOutOnly(Run),
    /// A call may never return.
    Never(Run),
    /// The search ended before it was complete.
    OutOfBudget(End),
}

/// A model's progress, with the size of what was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was found.
    pub progress: Progress,
    /// Distinct states, callers told apart.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
}

/// Whether every call of `model` returns, when its actors start over for ever.
///
/// # Errors
/// Too many actors.
///
/// # Panics
/// If a found run is none: a fault of the search, never of the input.
pub fn progress(model: &Model, options: &Options<'_>) -> Result<Report, Unexplorable> {
    let processes = Processes { model };
    let mut kinds: Vec<Kind> = model.processes().into_iter().map(|(kind, _)| Kind(kind)).collect();
    kinds.retain(|kind| matches!(model.role(kind.0), Role::Actor { .. }));
    kinds.dedup();
    let system = Restarting { system: &processes, kinds: &kinds };
    let Fairness { end, states, transitions, never, by_time_out_only } =
        fairness(&system, options)?;
    for (run, time_outs_fire) in [(&never, true), (&by_time_out_only, false)] {
        let fair = run.as_ref().is_none_or(|run| is_lasso(&system, run, time_outs_fire));
        assert!(fair, "a found run is fair, and its call never returns");
    }
    let progress = match (end, never, by_time_out_only) {
        (End::Complete, Some(run), _) => Progress::Never(run),
        (End::Complete, None, Some(run)) => Progress::ByTimeOutOnly(run),
        (End::Complete, None, None) => Progress::Returns,
        (end, _, _) => Progress::OutOfBudget(end),
    };
    Ok(Report { progress, states, transitions })
}

/// The steps of a run that are the model's own: its way to the loop, and the loop.
pub fn steps(run: &Run) -> (Trace, Trace) {
    let own = |steps: &[kmodcheck_explore::bfs::TraceStep<Option<Event>>]| {
        let own = steps.iter().filter_map(|step| {
            let label = step.label?;
            let (actor, ordinal) = (step.actor, step.ordinal);
            Some(kmodcheck_explore::bfs::TraceStep { actor, ordinal, label })
        });
        own.collect()
    };
    (own(&run.stem), own(&run.cycle))
}
