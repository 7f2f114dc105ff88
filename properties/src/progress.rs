//! Does every call return? On finite instances in which the actors start over for ever, under weak
//! fairness ([`kmodcheck_explore::fair`] says what that is).
//!
//! This is no property of single steps: it is decided for so many actors and no others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmodcheck_explore::fair::{Comes, Fairness, Lasso, Restarting, fairness, is_lasso};
use kmodcheck_explore::{End, Kind, Options, on_threads};
use kmodcheck_explore::{TraceStep, Unexplorable};
use kmodcheck_model::builtin::Environment;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, Model, ModelError, Mutant, Pc, Role};
use kmodcheck_sim::Processes;

use crate::check::Trace;
use crate::grand::GrandCell;

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
    let system = Restarting { system: &processes, kinds: &kinds };
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
    words.extend(actors.map(|a| format!("{} of {:?}, no more", a.count, a.action)));
    if scenario.nests() {
        let deep = kmodcheck_model::state::MAX_DEPTH;
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

/// A case that is known to be hard.
#[derive(Clone, Copy, Debug)]
pub struct HardCase {
    /// Its name.
    pub name: &'static str,
    /// Why it is hard.
    pub words: &'static str,
    /// The system that it begins with.
    pub cell: GrandCell,
    /// What else is changed in its scenario.
    pub change: fn(&mut Scenario),
    /// A fault in the model.
    pub mutant: Option<Mutant>,
    /// The first word of [`Progress::short`].
    pub expected: &'static str,
}

impl HardCase {
    /// Its scenario.
    pub fn scenario(&self) -> Scenario {
        let mut scenario = self.cell.scenario();
        (self.change)(&mut scenario);
        scenario
    }

    /// Its model.
    ///
    /// # Errors
    /// Never for those of [`HARD_CASES`].
    pub fn model(&self) -> Result<Model, ModelError> {
        Model::new(self.scenario(), self.mutant)
    }
}

const fn plain(environment: Environment, kernel: &'static str, kmod: &'static str) -> GrandCell {
    GrandCell { environment, naming: kmodcheck_model::builtin::Naming::Plain, kernel, kmod }
}

fn as_it_is(_: &mut Scenario) {}

/// The dependency's init requests the module that needs it.
fn dependency_requests_its_user(scenario: &mut Scenario) {
    scenario.name = "ext4 needs jbd2, whose init requests ext4".to_owned();
    scenario.modules[1].requests = Some(0);
}

/// The same cell, as it is.
const fn case(
    name: &'static str,
    words: &'static str,
    cell: GrandCell,
    expected: &'static str,
) -> HardCase {
    HardCase { name, words, cell, change: as_it_is, mutant: None, expected }
}

const fn without(
    name: &'static str,
    words: &'static str,
    cell: GrandCell,
    skipped: Pc,
) -> HardCase {
    let mutant = Some(Mutant::Skip(skipped));
    HardCase { name, words, cell, change: as_it_is, mutant, expected: "asleep" }
}

/// The cases that are known to be hard, and what is expected of each.
pub const HARD_CASES: [HardCase; 13] = [
    case(
        "unload-v4.9",
        "an unload beside waiting loaders: delete_module() wakes nobody before v5.5",
        plain(Environment::Rmmod, "v4.9", "v20"),
        "asleep",
    ),
    case(
        "unload-v5.3",
        "the same, where 6e6de3dee51a waits for GOING, too, and nobody wakes who does",
        plain(Environment::Rmmod, "v5.3", "v20"),
        "asleep",
    ),
    case(
        "unload-v5.5",
        "the same, with the wake-up of 5d603311615f",
        plain(Environment::Rmmod, "v5.5", "v20"),
        "overtaken",
    ),
    case(
        "self-request",
        "a module whose init requests the module waits for itself",
        plain(Environment::SelfRequest, "v4.9", "v20"),
        "asleep",
    ),
    case(
        "self-request-v5",
        "the same with kmod v5, which takes 'coming' for loaded",
        plain(Environment::SelfRequest, "v4.9", "v5"),
        "returns",
    ),
    HardCase {
        name: "user-request",
        words: "a module whose init requests a module that needs it, with no time limit: each waits \
                for the other",
        cell: plain(Environment::DepFails, "v4.9", "v20"),
        change: |scenario| {
            dependency_requests_its_user(scenario);
            scenario.timeouts = false;
        },
        mutant: None,
        expected: "asleep",
    },
    HardCase {
        name: "user-request-30-s",
        words: "the same; the 30 s of resolve_symbol_wait() may be over, but nobody gets that far",
        cell: plain(Environment::DepFails, "v4.9", "v20"),
        change: dependency_requests_its_user,
        mutant: None,
        expected: "asleep",
    },
    case(
        "throttle-v4.9",
        "two requests may run at a time, of three: over the limit is an error",
        plain(Environment::LimitTwo, "v4.9", "v20"),
        "returns",
    ),
    case(
        "throttle-v4.13",
        "the same: over the limit waits, and whoever is woken races for the slot",
        plain(Environment::LimitTwo, "v4.13", "v20"),
        "time-out",
    ),
    case(
        "throttle-v6.5",
        "the same: a semaphore hands a slot on to who waits for it",
        plain(Environment::LimitTwo, "v6.5", "v20"),
        "returns",
    ),
    without(
        "no-wake-after-live",
        "do_init_module() without its wake_up_all()",
        plain(Environment::Ok, "v4.9", "v20"),
        Pc::WakeLive,
    ),
    without(
        "no-wake-after-failure",
        "do_init_module()'s error path without its wake_up_all()",
        plain(Environment::Fail, "v5.3", "v20"),
        Pc::WakeFreed,
    ),
    without(
        "no-wake-after-unload",
        "delete_module() without its wake_up_all()",
        plain(Environment::Rmmod, "v5.5", "v20"),
        Pc::WakeFreed,
    ),
];

/// The recorded verdicts of the whole grand matrix.
pub const RECORDED: &str = include_str!("../recorded/progress.txt");

/// The recorded verdict on the system of that name.
pub fn recorded(name: &str) -> Option<&'static str> {
    RECORDED.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" | "))
}

/// A report in the recorded form.
pub fn summary(report: &Report) -> String {
    format!("{} {} {}", report.states, report.transitions, report.progress.short())
}

/// Whether a report of the system of that name is as recorded; `None`: a limit ended the search.
pub fn as_recorded(name: &str, report: &Report) -> Option<bool> {
    match report.progress {
        Progress::OutOfBudget(_) => None,
        _ => Some(recorded(name) == Some(summary(report).as_str())),
    }
}

/// The progress of each of `scenarios`, on `threads` threads; `done` is told of each. The result does
/// not depend on their number. Scenarios that nobody got to because of an interrupt are missing.
pub fn progress_all(
    scenarios: &[Scenario],
    threads: usize,
    options: &Options<'_>,
    done: &(dyn Fn(usize) + Sync),
) -> Vec<Option<Result<Report, String>>> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(scenarios.iter().map(|_| None).collect::<Vec<_>>());
    let interrupted = || options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed));
    let one = |scenario: &Scenario| -> Result<Report, String> {
        let model = Model::new(scenario.clone(), None).map_err(|error| error.to_string())?;
        progress(&model, options).map_err(|error| format!("'{}': {error}", scenario.name))
    };
    on_threads(threads, || {
        while !interrupted() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(index) else { break };
            let report = one(scenario);
            if !interrupted() {
                reports.lock().expect("no worker panicked")[index] = Some(report);
            }
            done(index);
        }
    });
    reports.into_inner().expect("no worker panicked")
}
