//! Does every call return? On finite instances in which the actors start over for ever, under weak
//! fairness ([`kmodcheck_explore::liveness`] says what that is).
//!
//! This is no property of single steps: it is decided for so many actors and no others.

use std::sync::atomic::Ordering;

use kmodcheck_explore::liveness::{Comes, Fairness, Lasso, Restarting, fairness, is_lasso};
use kmodcheck_explore::{End, Kind, Options, TraceStep, Unexplorable, map_on_threads};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, Model, Role};
use kmodcheck_sim::Processes;

use super::verdict::Trace;

/// What is decided, in one sentence.
pub const STATEMENT: &str =
    "Every call returns, although nobody is killed: of a request, of a modprobe, of an unload.";

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
    /// A call may sleep for ever: in the loop nobody wakes it.
    Asleep(Run),
    /// A call may sleep until somebody is killed, and a kill may come or not; none sleeps for ever
    /// whoever is killed.
    OnlyIfKilled(Run),
    /// No call may sleep for ever, but one may be overtaken for ever: it looks again and again, and each
    /// time somebody was faster.
    Overtaken(Run),
    /// The search ended before it was complete.
    OutOfBudget(End),
}

impl Progress {
    /// In the fewest words, for records and tables.
    pub fn short(&self) -> String {
        let run = |word: &str, run: &Run| {
            format!("{word} {}+{}", steps(&run.stem).len(), steps(&run.cycle).len())
        };
        match self {
            Self::Returns => "returns".to_owned(),
            Self::ByTimeOutOnly(lasso) => run("time-out", lasso),
            Self::Asleep(lasso) => run("asleep", lasso),
            Self::OnlyIfKilled(lasso) => run("killed", lasso),
            Self::Overtaken(lasso) => run("overtaken", lasso),
            Self::OutOfBudget(_) => "?".to_owned(),
        }
    }
}

/// A model's progress, with the size of what was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was found.
    pub progress: Progress,
    /// Distinct states, actors told apart.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
    /// What was left out or taken for more than the kernel does, in words.
    pub bounds: Vec<String>,
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
    let system = Restarting::new(&processes, &kinds);
    let found = fairness(&system, options)?;
    let asleep_though =
        if found.only_if_killed { Comes::TimeOuts } else { Comes::TimeOutsAndKills };
    for (run, comes) in [
        (&found.asleep, asleep_though),
        (&found.overtaken, Comes::TimeOuts),
        (&found.by_time_out_only, Comes::Nothing),
    ] {
        let fair = run.as_ref().is_none_or(|run| is_lasso(&system, run, comes));
        assert!(fair, "a found run is fair, and its call never returns");
    }
    let bounds = bounds(model, &found);
    let Fairness { end, states, transitions, asleep, overtaken, by_time_out_only, .. } = found;
    let progress = match (end, asleep, overtaken, by_time_out_only) {
        (End::Complete, Some(run), _, _) if found.only_if_killed => Progress::OnlyIfKilled(run),
        (End::Complete, Some(run), _, _) => Progress::Asleep(run),
        (End::Complete, None, Some(run), _) => Progress::Overtaken(run),
        (End::Complete, None, None, Some(run)) => Progress::ByTimeOutOnly(run),
        (End::Complete, None, None, None) => Progress::Returns,
        (end, ..) => Progress::OutOfBudget(end),
    };
    Ok(Report { progress, states, transitions, bounds })
}

/// What a verdict about `model` is bounded by, in words.
fn bounds(model: &Model, found: &Fairness<Option<Event>>) -> Vec<String> {
    let scenario = model.scenario();
    let mut words = vec![
        "sequentially consistent".to_owned(),
        "weak fairness: who can step from some moment on without interruption does; who never \
         returns and could time out again and again does; a kill may come or not"
            .to_owned(),
        "whoever has returned may start over, for ever".to_owned(),
    ];
    let actors = scenario.actors.iter();
    words
        .extend(actors.map(|a| format!("{} of {}, no more", a.count, scenario.in_words(a.action))));
    if scenario.nests() {
        let deep = model.nests_at_most();
        words.push(format!("requests of inits nest {deep} deep at most"));
    }
    if found.kills_left_out {
        words.push(
            "nobody is killed while as many modprobes as there are callers outlive theirs"
                .to_owned(),
        );
    }
    if found.chose_whom_to_wake {
        words.push(
            "a wake-up of one may wake any of several sleepers, where the kernel's semaphore wakes \
             the first: 'returns' holds there, too; a run that does not need not be possible"
                .to_owned(),
        );
    }
    words
}

/// The model's own steps of a part of a run: who starts over is seen by its next call.
pub fn steps(part: &[TraceStep<Option<Event>>]) -> Trace {
    let own = part.iter().filter_map(|step| {
        let (actor, ordinal) = (step.actor, step.ordinal);
        Some(TraceStep { actor, ordinal, label: step.label? })
    });
    own.collect()
}

/// The progress of each of `scenarios`, on `threads` threads; `done` is told of each. The result does
/// not depend on their number. Scenarios that nobody got to because of an interrupt are missing.
pub fn progress_all(
    scenarios: &[Scenario],
    threads: usize,
    options: &Options<'_>,
    done: &(dyn Fn(usize) + Sync),
) -> Vec<Option<Result<Report, String>>> {
    let over = || options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed));
    let one = |scenario: &Scenario| -> Result<Report, String> {
        let model = Model::new(scenario.clone(), None).map_err(|error| error.to_string())?;
        progress(&model, options).map_err(|error| format!("'{}': {error}", scenario.name))
    };
    let reports = map_on_threads(threads, scenarios, over, |number, scenario| {
        let report = one(scenario);
        done(number);
        // An interrupted search says nothing.
        (!over()).then_some(report)
    });
    reports.into_iter().map(Option::flatten).collect()
}
