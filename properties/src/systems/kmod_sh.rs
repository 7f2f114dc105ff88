//! The kernel's own stress cases: `tools/testing/selftests/kmod/kmod.sh` with `lib/test_kmod.c`, cases
//! 0001 to 0011, at their thread counts, with the results that they ask of a healthy system.
//!
//! `D` is `request_module()` of a driver, `F` is `get_fs_type()` of a file system. A round first
//! unloads the module (`modprobe -r`), and begins when that is done: rounds are the same system again.
//! Case 0007 runs 0005 and 0006, and is those. Cases 0012 and 0013 test who may see addresses.

use std::time::Duration;

use kmodcheck_explore::concrete::replay;
use kmodcheck_explore::{
    Asks, End, Limits, Monitor, Options, Step, explore_counted, explore_directed,
};
use kmodcheck_model::scenario::{
    Action, Actor, Helper, Insert, Module, Name, Probe, Programs, Resolution, Scenario, Target,
};
use kmodcheck_model::text::Decisions;
use kmodcheck_model::{Event, Model, Mutant, Pc, Ret};
use kmodcheck_sim::Processes;

use crate::judge::verdict::Trace;
use crate::systems::grand::normal;

/// What the threads of a case call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `request_module()` of a driver.
    Driver,
    /// `get_fs_type()`.
    FileSystem,
}

/// One case, or one half of a case that makes both calls.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its number in kmod.sh.
    pub number: &'static str,
    /// What the threads call.
    pub call: Call,
    /// How many threads, `T` of the script.
    pub threads: u8,
    /// How many rounds the script runs.
    pub rounds: u32,
    /// Whether a module serves the name.
    pub served: bool,
    /// What `modprobe_path` names.
    pub helper: Helper,
    /// What each thread's call has to come to.
    pub expected: Ret,
    /// Whether the script allows the case to fail where the limit fails at once.
    pub may_fail: bool,
    /// In words.
    pub words: &'static str,
}

/// The limit of running requests: `min(max_threads / 2, 50)` of kernel/kmod.c.
pub const LIMIT: u8 = 50;

const fn case(
    number: &'static str,
    call: Call,
    threads: u8,
    rounds: u32,
    expected: Ret,
    words: &'static str,
) -> Case {
    let (served, helper, may_fail) = (true, Helper::Present, false);
    Case { number, call, threads, rounds, served, helper, expected, may_fail, words }
}

/// Every case.
pub const CASES: [Case; 14] = [
    Case {
        served: false,
        ..case("0001", Call::Driver, 1, 3, Ret::Status256, "an empty name: modprobe exits 1")
    },
    Case {
        served: false,
        ..case("0001", Call::FileSystem, 1, 3, Ret::Null, "an empty name: NULL")
    },
    Case {
        served: false,
        ..case("0002", Call::Driver, 1, 3, Ret::Status256, "a name that does not exist")
    },
    Case {
        served: false,
        ..case("0002", Call::FileSystem, 50, 3, Ret::Null, "a name that does not exist")
    },
    case("0003", Call::FileSystem, 1, 1, Ret::Found, "one thread"),
    case("0004", Call::FileSystem, 2, 1, Ret::Found, "two threads"),
    case("0005", Call::Driver, 50, 10, Ret::Zero, "many threads"),
    case("0006", Call::FileSystem, 50, 10, Ret::Found, "many threads"),
    case("0007", Call::Driver, 50, 5, Ret::Zero, "0005, then 0006"),
    case("0007", Call::FileSystem, 50, 5, Ret::Found, "0005, then 0006"),
    Case {
        may_fail: true,
        ..case("0008", Call::Driver, LIMIT + LIMIT / 6, 150, Ret::Zero, "more than the limit")
    },
    Case {
        may_fail: true,
        ..case("0009", Call::FileSystem, LIMIT + LIMIT / 4, 150, Ret::Found, "more than the limit")
    },
    Case {
        helper: Helper::Missing,
        ..case("0010", Call::Driver, 1, 1, Ret::Enoent, "modprobe_path names no file")
    },
    Case {
        helper: Helper::EmptyPath,
        ..case("0011", Call::Driver, 1, 1, Ret::Enoent, "modprobe_path is empty")
    },
];

impl Case {
    /// Whether the script allows this failure: the limit failed at once.
    pub fn allows(&self, trace: &Trace) -> bool {
        self.may_fail && trace.iter().any(|step| step.label == Event::LimitBack)
    }

    /// The case with that many threads and that limit. `does`: what kernel and kmod do.
    pub fn scenario(&self, does: &Decisions, threads: u8, limit: u8) -> Scenario {
        let fs = self.call == Call::FileSystem;
        let request = match (self.number, self.served, fs) {
            ("0001", _, false) => "",
            ("0001", _, true) => "fs-",
            (_, false, false) => "nope",
            (_, false, true) => "fs-nope",
            (_, true, false) => "test_module",
            (_, true, true) => "fs-xfs",
        };
        let module = Module {
            name: if fs { "xfs" } else { "test_module" }.to_owned(),
            registers: fs,
            ..Module::default()
        };
        let probe = vec![Probe::new(0, true, Insert::Finit)];
        let target = Target { module: 0, probe, blacklisted: false };
        let resolution =
            if self.served { Resolution::Modules(vec![target]) } else { Resolution::NotFound };
        let mut scenario = Scenario {
            name: format!("kmod.sh {}", self.number),
            modules: if self.served { vec![module] } else { Vec::new() },
            names: vec![Name { request: request.to_owned(), resolution, builtin: None }],
            actors: vec![Actor {
                action: if fs { Action::GetFsType(0) } else { Action::RequestModule(0) },
                count: threads,
                killable: false,
            }],
            helper: self.helper,
            lsm_refuses: false,
            exec_requests: None,
            patched: Default::default(),
            modprobe_killable: false,
            programs: Programs::default(),
            asks: Vec::new(),
            limit: Some(limit),
            timeouts: false,
            features: does.features,
        };
        does.apply(&mut scenario);
        scenario
    }
}

/// What is looked for: a call that comes to it.
#[derive(Clone, Copy)]
enum Wanted {
    Is(Ret),
    IsNot(Ret),
}

/// Whether some thread's call came to what is looked for.
struct Calls<'m> {
    model: &'m Model,
    wanted: Wanted,
}

impl Monitor<Event> for Calls<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        let (before, after) =
            (self.model.task(step.local_before), self.model.task(step.local_after));
        let returned = after.pc == Pc::Done && before.pc != Pc::Done;
        let found = match self.wanted {
            Wanted::Is(answer) => after.ret == answer,
            Wanted::IsNot(answer) => after.ret != answer,
        };
        u64::from(returned && found)
    }
}

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Most states of one exhaustive search.
    pub exhaustive: u64,
    /// Most states of a directed search.
    pub directed: u64,
    /// Longest time of one search.
    pub time: Option<Duration>,
    /// Most bytes of one search.
    pub bytes: Option<u64>,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Every call comes to what is expected, and nobody sleeps for ever: in every state, for each
    /// number of threads up to this one; beyond it nothing else was found.
    Passes {
        /// Exhausted for 1 up to so many threads.
        exhaustive_to: u8,
        /// If that is fewer than the case has: how many states of the case itself were seen.
        seen: Option<u64>,
        /// States of the largest exhaustive search.
        states: u64,
    },
    /// Some call comes to something else.
    Fails {
        /// With so many threads.
        threads: u8,
        /// The way there, replayed in the exact model.
        trace: Trace,
        /// Whether no shorter way exists with so many threads, and none with fewer threads.
        shortest: bool,
    },
    /// Somebody sleeps for ever.
    Stuck {
        /// With so many threads.
        threads: u8,
        /// The way there.
        trace: Trace,
    },
    /// Not even one thread was exhausted.
    OutOfBudget,
}

/// Runs one case: exhaustively for 1, 2, ... threads as far as `effort` goes, then, if that is fewer
/// than the case has, a directed search at the case's own number.
///
/// # Panics
/// If a found trace does not replay: a fault of an explorer, never of the input.
pub fn run(
    case: &Case,
    does: &Decisions,
    limit: u8,
    effort: Effort,
    mutant: Option<Mutant>,
    options: &Options<'_>,
) -> Outcome {
    let model = |threads| {
        Model::new(case.scenario(does, threads, limit), mutant).expect("the cases are well formed")
    };
    search(case.threads, &model, Wanted::IsNot(case.expected), effort, options)
}

/// Whether a call of a case can come to `answer`, which [`Outcome::Fails`] then has a way to; looked for as [`run`] looks for
/// failures. `timeouts`: a wait for a place may last the five seconds after which the kernel gives up.
///
/// # Panics
/// If a found trace does not replay: a fault of an explorer, never of the input.
pub fn comes_to(
    case: &Case,
    does: &Decisions,
    answer: Ret,
    timeouts: bool,
    effort: Effort,
    options: &Options<'_>,
) -> Outcome {
    let model = |threads| {
        let scenario = Scenario { timeouts, ..case.scenario(does, threads, LIMIT) };
        Model::new(scenario, None).expect("the cases are well formed")
    };
    search(case.threads, &model, Wanted::Is(answer), effort, options)
}

fn search(
    most: u8,
    model: &dyn Fn(u8) -> Model,
    wanted: Wanted,
    effort: Effort,
    options: &Options<'_>,
) -> Outcome {
    let (mut exhaustive_to, mut largest) = (0, 0);
    for threads in 1..=most {
        let model = model(threads);
        let system = Processes { model: &model };
        let watch = Calls { model: &model, wanted };
        let limits =
            Limits { states: Some(effort.exhaustive), time: effort.time, bytes: effort.bytes };
        let options = Options { limits, stop_when_violated: 1, ..*options };
        let found = explore_counted(&system, &watch, &options).expect("the cases fit");
        if let Some(violation) = found.violations.into_iter().next() {
            confirm(&model, wanted, &violation.trace);
            return Outcome::Fails { threads, trace: violation.trace, shortest: true };
        }
        if found.end != End::Complete {
            break;
        }
        if let Some(stuck) = found.stuck {
            return Outcome::Stuck { threads, trace: stuck.trace };
        }
        (exhaustive_to, largest) = (threads, found.states);
    }
    if exhaustive_to == most {
        return Outcome::Passes { exhaustive_to, seen: None, states: largest };
    }
    let model = model(most);
    let system = Processes { model: &model };
    let watch = Calls { model: &model, wanted };
    let limits = Limits { states: Some(effort.directed), time: effort.time, bytes: effort.bytes };
    let options = Options { limits, stop_when_violated: 1, ..*options };
    let found = explore_directed(&system, &watch, &options).expect("the cases fit");
    match (found.violations.into_iter().next(), found.end) {
        (Some(lead), _) => {
            confirm(&model, wanted, &lead.trace);
            Outcome::Fails { threads: most, trace: lead.trace, shortest: false }
        }
        (None, End::Interrupted) => Outcome::OutOfBudget,
        (None, _) if exhaustive_to == 0 => Outcome::OutOfBudget,
        (None, _) => Outcome::Passes { exhaustive_to, seen: Some(found.states), states: largest },
    }
}

/// The case's system with every switch that no step of it reads at its oldest value: two presets with
/// the same are one system.
pub fn key(case: &Case, does: &Decisions, limit: u8) -> Scenario {
    normal(&case.scenario(does, case.threads, limit))
}

/// Takes every step of `trace` in the exact model.
fn confirm(model: &Model, wanted: Wanted, trace: &Trace) {
    let watch = Calls { model, wanted };
    let mut violated = false;
    replay(&Processes { model }, trace, |_, taken| {
        violated = watch.step_violates(&taken.step) != 0
    })
    .expect("a found trace replays");
    assert!(violated, "the last step of a found trace violates");
}
