//! Random runs of the race side by side: walks of `kmodcheck sample` beside executions of the same scenario
//! under shuttle (`sim/kernel`, the same system as straight-line code with threads): how many a second, and how
//! many until the race is found.
//!
//! Each run is a process of its own, the two in turn; medians. Of kmodcheck it is what the command does: every
//! property is looked for on each walk. Of shuttle only whether the log of events has the race in it.

#[allow(dead_code, reason = "the other benches use the rest")]
mod measure;
#[allow(dead_code, reason = "the other benches use the rest")]
mod table;

use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use kmodcheck_explore::walk::{Schedule, Walk, Walker};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, Ret};
use kmodcheck_properties::Property;
use kmodcheck_properties::safety::Safety;
use kmodcheck_properties::sample::{
    self, Campaign, Choose, Effort, Part, Subject, one, sample as take_walks,
};
use kmodcheck_runtime::{Scheduler, Shuttle, draw};
use kmodcheck_sim::Processes;
use kmodcheck_sim_kernel::{Run, run};

type Failure = Box<dyn std::error::Error>;

/// Draws runs of the race by walks and under shuttle, side by side.
#[derive(Debug, Parser)]
struct Arguments {
    /// Callers; several with commas.
    #[arg(long, value_delimiter = ',', default_value = "2,3,8")]
    callers: Vec<u8>,
    /// Walks of a run that is timed.
    #[arg(long, default_value_t = 200_000)]
    walks: u64,
    /// Executions of a run under shuttle that is timed.
    #[arg(long, default_value_t = 10_000)]
    executions: u64,
    /// Runs of each, in turn.
    #[arg(long, default_value_t = 5)]
    rounds: u64,
    /// Seeds, from 1 on, with each of which the race is looked for.
    #[arg(long, default_value_t = 21)]
    seeds: u64,
    /// Most executions of a run that looks for the race.
    #[arg(long, default_value_t = 100_000)]
    most: u64,
    /// Used by the program itself: one run, told on standard output.
    #[arg(long, hide = true, num_args = 6,
        value_names = ["CHECKER", "SCHEDULE", "WHAT", "CALLERS", "SEED", "EXECUTIONS"])]
    run: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.run {
        Some(words) => child(words),
        None => compare(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sampling: {error}");
            ExitCode::from(2)
        }
    }
}

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Checker {
    Kmodcheck,
    Shuttle,
}

impl Checker {
    /// Shuttle at its place, [`SHUTTLE`].
    const ALL: [Self; 2] = [Self::Kmodcheck, Self::Shuttle];
}

/// Its place among all checkers.
const SHUTTLE: usize = 1;

/// How the next process is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Random,
    Pct,
}

/// Ordering constraints that PCT aims at: as many as `sample` does unless told otherwise.
const DEPTH: u32 = 3;

/// Most steps of a walk: as many as `sample` takes unless told otherwise.
const LONGEST: u32 = 100_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// All executions are made.
    Rate,
    /// Executions until the first that has the race.
    Until,
}

/// One run, which one thread makes.
#[derive(Clone, Copy, Debug)]
struct Asked {
    checker: Checker,
    by: By,
    what: What,
    callers: u8,
    seed: u64,
    executions: u64,
}

/// What came of a run.
#[derive(Clone, Copy, Debug)]
struct Made {
    executions: u64,
    /// Of these, how many had the race in them.
    races: u64,
    seconds: f64,
}

/// Callers of `request_module("ext4")` on v4.9 with kmod v19: whoever finds the module COMING is told 0 too early.
fn the_race(callers: u8) -> Scenario {
    let features = Features { kernel: KernelFeatures::V4_9, kmod: KmodFeatures::V19 };
    scenario(Naming::Plain, Environment::Ok, features, callers)
}

/// Makes one run, the set-up included.
fn make(asked: Asked) -> Result<Made, Failure> {
    let started = Instant::now();
    let ((executions, races), ended) = match (asked.checker, asked.what) {
        (Checker::Kmodcheck, What::Rate) => (walks(asked)?, Instant::now()),
        (Checker::Kmodcheck, What::Until) => (walks_until(asked)?, Instant::now()),
        (Checker::Shuttle, _) => under_shuttle(asked)?,
    };
    Ok(Made { executions, races, seconds: (ended - started).as_secs_f64() })
}

/// What `kmodcheck sample` chooses by.
fn schedule(asked: Asked, model: &kmodcheck_model::Model) -> Schedule {
    match asked.by {
        By::Random => Schedule::Random,
        By::Pct => {
            let (choose, seed) = (Choose::By(Schedule::Random), asked.seed);
            let campaign = Campaign { choose, seed, executions: 1, longest: LONGEST };
            let steps = sample::steps(&one(model, &campaign, 0, None));
            Schedule::Pct { depth: DEPTH, steps }
        }
    }
}

/// A campaign as the command takes it.
fn walks(asked: Asked) -> Result<(u64, u64), Failure> {
    let model = sample::model(the_race(asked.callers))?;
    let choose = Choose::By(schedule(asked, &model));
    let Asked { seed, executions, .. } = asked;
    let campaign = Campaign { choose, seed, executions, longest: LONGEST };
    let effort = Effort { threads: 1, time: None, interrupt: None, progress: None };
    let sampled = take_walks(Subject::Model(&model), &campaign, Part::WHOLE, effort);
    Ok((sampled.executions, sampled.violated[Property::NoFalseSuccess as usize].0))
}

/// The walks of the same campaign up to the first that has the race.
fn walks_until(asked: Asked) -> Result<(u64, u64), Failure> {
    let model = sample::model(the_race(asked.callers))?;
    let schedule = schedule(asked, &model);
    let safety = Safety::new(&model, Property::ALL);
    let system = Processes { model: &model };
    let mut walker = Walker::new(&system, &safety);
    for number in 0..asked.executions {
        let walk = Walk { schedule, seed: asked.seed, number, longest: LONGEST };
        let walked = walker.walk(walk).map_err(|wanted| format!("{wanted:?}"))?;
        if walked.violated >> Property::NoFalseSuccess as u64 & 1 != 0 {
            return Ok((number + 1, 1));
        }
    }
    Ok((asked.executions, 0))
}

/// Whether some caller is told 0 before the module is LIVE. (Nobody removes it.)
fn is_a_race(run: &Run) -> bool {
    for entry in &run.log {
        match entry.event {
            Event::SetLive { .. } => return false,
            Event::RequestReturn { ret: Ret::Zero } => return true,
            _ => {}
        }
    }
    false
}

/// Executions and how many of them had the race in them, and when they were over: shuttle's schedulers are run to
/// their end after that, which counts for nothing.
fn under_shuttle(asked: Asked) -> Result<((u64, u64), Instant), Failure> {
    let scenario = Arc::new(the_race(asked.callers));
    let races = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&races);
    let scheduler = match asked.by {
        By::Random => Scheduler::Random,
        By::Pct => Scheduler::Pct { depth: DEPTH as usize },
    };
    let ends = asked.what == What::Until;
    let ended = Arc::new(OnceLock::new());
    let ending = Arc::clone(&ended);
    let executions = usize::try_from(asked.executions)?;
    let drawn = draw(scheduler, asked.seed, executions, move |rt: &Shuttle| {
        let (before, races) = (counted.load(Ordering::Relaxed), Arc::clone(&counted));
        run(rt, &scenario, None, move |run| {
            races.fetch_add(u64::from(is_a_race(&run)), Ordering::Relaxed);
        });
        let found = ends && counted.load(Ordering::Relaxed) > before;
        if found {
            ending.get_or_init(Instant::now);
        }
        found
    });
    let ended = ended.get().copied().unwrap_or_else(Instant::now);
    Ok(((drawn.executions, races.load(Ordering::Relaxed)), ended))
}

/// Its name on the command line.
fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("none is left out");
    value.get_name().to_owned()
}

/// Makes the run of these words, and says what came of it.
fn child(words: &[String]) -> Result<bool, Failure> {
    let [checker, by, what, callers, seed, executions] = words else {
        return Err("--run takes six values".into());
    };
    let made = make(Asked {
        checker: Checker::from_str(checker, false)?,
        by: By::from_str(by, false)?,
        what: What::from_str(what, false)?,
        callers: callers.parse()?,
        seed: seed.parse()?,
        executions: executions.parse()?,
    })?;
    println!("{} {} {}", made.executions, made.races, made.seconds);
    Ok(true)
}

/// Makes one run in a process of its own.
fn apart(asked: Asked) -> Result<Made, Failure> {
    let Asked { checker, by, what, callers, seed, executions } = asked;
    let output = Command::new(std::env::current_exe()?)
        .args(["--run", &name(checker), &name(by), &name(what)])
        .args([u64::from(callers), seed, executions].map(|number| number.to_string()))
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = || format!("{asked:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let words: Vec<&str> = said.split_whitespace().collect();
    let [executions, races, seconds] = words[..] else { return Err(wrong().into()) };
    Ok(Made { executions: executions.parse()?, races: races.parse()?, seconds: seconds.parse()? })
}

/// What both came to, in turn. By checker: each run.
fn in_turn(
    runs: u64,
    ask: impl Fn(Checker, u64) -> Asked,
    make: impl Fn(Asked) -> Result<Made, Failure>,
) -> Result<[Vec<Made>; 2], Failure> {
    let mut made = [Vec::new(), Vec::new()];
    for number in 0..runs {
        for (checker, made) in Checker::ALL.into_iter().zip(&mut made) {
            made.push(make(ask(checker, number))?);
        }
    }
    Ok(made)
}

/// The median of an odd number of runs, or the lower middle one.
fn median(made: &[Made], of: impl Fn(&Made) -> f64) -> f64 {
    measure::median(&made.iter().map(of).collect::<Vec<_>>())
}

/// Both, for each number of callers and each way to choose, as one table; whether both found the race each time.
fn compare(arguments: &Arguments) -> Result<bool, Failure> {
    table::print_head();
    let mut table = table::numbers([
        "callers, chosen by",
        "checker",
        "executions a second",
        "to shuttle's",
        "% with the race",
        "found by seeds",
        "executions until then",
        "ms until then",
        "shuttle's to it",
    ]);
    let mut all_found = true;
    for &callers in &arguments.callers {
        for by in [By::Random, By::Pct] {
            let asked = |checker, what, seed, executions| Asked {
                checker,
                by,
                what,
                callers,
                seed,
                executions,
            };
            let many = |checker| match checker {
                Checker::Kmodcheck => arguments.walks,
                Checker::Shuttle => arguments.executions,
            };
            let rate = |checker, number| asked(checker, What::Rate, number + 1, many(checker));
            let until = |checker, number| asked(checker, What::Until, number + 1, arguments.most);
            let rates = in_turn(arguments.rounds.max(1), rate, apart)?;
            let untils = in_turn(arguments.seeds.max(1), until, apart)?;
            for (at, checker) in Checker::ALL.into_iter().enumerate() {
                let rate = |at: usize| median(&rates[at], |m| m.executions as f64 / m.seconds);
                let seconds = |at: usize| median(&untils[at], |m| m.seconds);
                let sum = |of: fn(&Made) -> u64| rates[at].iter().map(of).sum::<u64>() as f64;
                let found = untils[at].iter().filter(|m| m.races > 0).count();
                all_found &= found == untils[at].len();
                table.add_row([
                    format!("{callers}, {}", name(by)),
                    name(checker),
                    format!("{:.0}", rate(at)),
                    format!("{:.1}", rate(at) / rate(SHUTTLE)),
                    format!("{:.3}", 100.0 * sum(|m| m.races) / sum(|m| m.executions)),
                    format!("{found} of {}", untils[at].len()),
                    format!("{:.0}", median(&untils[at], |m| m.executions as f64)),
                    format!("{:.2}", 1e3 * seconds(at)),
                    format!("{:.1}", seconds(SHUTTLE) / seconds(at)),
                ]);
            }
        }
    }
    println!("{table}");
    Ok(all_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few executions, in this process: both find the race, as often as they say, and in no more than they made.
    #[test]
    fn both_find_the_race() {
        for callers in [2, 3] {
            for by in [By::Random, By::Pct] {
                for checker in Checker::ALL {
                    let asked = |what, executions| Asked {
                        checker,
                        by,
                        what,
                        callers,
                        seed: 1,
                        executions,
                    };
                    let until = make(asked(What::Until, 10_000)).unwrap();
                    assert_eq!(until.races, 1, "{checker:?} by {by:?}, {callers} callers");
                    let rate = make(asked(What::Rate, until.executions)).unwrap();
                    assert_eq!(rate.executions, until.executions, "{checker:?}, {by:?}, {callers}");
                    assert_eq!(rate.races, 1, "the last of them is the first that has it");
                }
            }
        }
    }

    #[test]
    fn the_middle_one_is_taken() {
        let made = [3.0, 1.0, 2.0, 9.0].map(|seconds| Made { executions: 1, races: 0, seconds });
        assert_eq!(median(&made, |made| made.seconds), 2.0);
        assert_eq!(median(&made[..3], |made| made.seconds), 2.0);
    }
}
