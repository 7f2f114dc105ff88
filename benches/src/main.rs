//! The reference model side by side in this explorer, stateright, SPIN, rumur and a plain loop: one
//! process for each run, in turn, medians, counts compared exactly.
//!
//! SPIN and rumur are Debian's packages of these names, and gcc compiles what they write; what is not
//! installed is named as missing.

mod external;
mod growth;
mod measure;
mod ours;
mod plain;
mod real;
mod table;
mod with_stateright;

use std::process::ExitCode;

use clap::Parser;
use measure::{Contestant, Effort, measure};
use with_stateright::Strategy;

/// Runs the reference model in several checkers side by side.
#[derive(Debug, Parser)]
struct Arguments {
    /// Callers, every state counted; several with commas.
    #[arg(long, value_delimiter = ',', default_value = "6", conflicts_with_all = ["real", "growth"])]
    callers: Vec<usize>,
    /// Callers, counted up to exchanging them; several with commas.
    #[arg(long, value_delimiter = ',', default_value = "8,10", conflicts_with_all = ["real", "growth"])]
    symmetric: Vec<usize>,
    /// Runs of each, in turn. What takes more than `--once` seconds is run once.
    #[arg(long, default_value_t = 3, conflicts_with_all = ["real_memory", "real_system", "growth"])]
    rounds: usize,
    /// Seconds after which a checker's first run is its only one.
    #[arg(long, default_value_t = 60, conflicts_with_all = ["real_memory", "real_system", "growth"])]
    once: u64,
    /// Seconds after which a run is ended, and named as not done.
    #[arg(long, default_value_t = 900, conflicts_with_all = ["real_memory", "real_system"])]
    most: u64,
    /// Only checkers whose name contains one of these words, besides this explorer; several with
    /// commas. Of --real-systems and --real-memory: only such systems.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["real_system", "growth"])]
    only: Vec<String>,
    /// Instead: how each search of this explorer grows with the callers, from 2 on until a run takes
    /// more than `--most` seconds; as tables, and drawn into this file.
    #[arg(long, value_name = "SVG", conflicts_with = "real")]
    growth: Option<std::path::PathBuf>,
    /// Instead: systems as users have them, checked by the `kmodcheck` beside this program.
    #[arg(long, group = "real")]
    real_systems: bool,
    /// Another build of `kmodcheck`, in turn with that one.
    #[arg(long, value_name = "KMODCHECK", requires = "real_systems", conflicts_with_all = ["real_memory", "real_system"])]
    other: Option<std::path::PathBuf>,
    /// States after which a search of such a system ends.
    #[arg(long, default_value_t = 2_000_000, value_name = "N", requires = "real")]
    states_limit: u64,
    /// And SPIN on those that can be exported whole.
    // A group's other members are no match for what is required: they have to be named.
    #[arg(long, requires = "real_systems", conflicts_with_all = ["real_memory", "real_system"])]
    spin: bool,
    /// Instead: the bytes of a state in the tables, of large systems as users have them, on one thread.
    #[arg(long, group = "real")]
    real_memory: bool,
    /// One search of one such system, by its name, on one thread: for a profiler.
    #[arg(long, value_name = "NAME", group = "real")]
    real_system: Option<String>,
    /// Used by the program itself: one run, counted on standard output.
    #[arg(long, hide = true, num_args = 3, value_names = ["WHAT", "CALLERS", "THREADS"])]
    run: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (&arguments.run, &arguments.growth, &arguments.real_system) {
        (Some(run), ..) => child(run),
        (None, Some(file), _) => growth::grow(file, arguments.most),
        (None, None, Some(name)) => real::search(name, arguments.states_limit),
        (None, None, None) if arguments.real_memory => {
            real::memory(arguments.states_limit, &arguments.only)
        }
        (None, None, None) if arguments.real_systems => real::compare(&real::Compared {
            limit: arguments.states_limit,
            only: &arguments.only,
            other: arguments.other.as_deref(),
            spin: arguments.spin,
            effort: effort(&arguments),
        }),
        (None, None, None) => compare(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::from(2)
        }
    }
}

type Failure = Box<dyn std::error::Error>;

/// Searches, and says how many states and transitions there were.
fn child(run: &[String]) -> Result<bool, Failure> {
    let [what, callers, threads] = run else { return Err("--run takes three values".into()) };
    let (callers, threads) = (callers.parse()?, threads.parse()?);
    let explored = |symmetry, follow_all| -> Result<(u64, u64), Failure> {
        let found = ours::run(callers, (symmetry, follow_all), threads, None)?;
        // What was found on the way is part of the work.
        if found.violations.len() != 1 || found.stuck.is_some() {
            return Err("the race was not found, or somebody is stuck".into());
        }
        Ok((found.states, found.transitions))
    };
    let (states, transitions) = match what.as_str() {
        "kmodcheck" => explored(false, false)?,
        "kmodcheck-all" => explored(false, true)?,
        "kmodcheck-symmetry" => explored(true, false)?,
        "kmodcheck-symmetry-all" => explored(true, true)?,
        "kmodcheck-counted" => ours::counted(callers)?,
        "kmodcheck-reduced" => ours::reduced(callers, false)?,
        "kmodcheck-reduced-symmetry" => ours::reduced(callers, true)?,
        "kmodcheck-first" => {
            let steps = ours::first_violation(callers, true)?.ok_or("no violation")?;
            (0, steps as u64)
        }
        "plain" => plain::count(callers)?,
        "stateright-bfs" => with_stateright::count(callers, Strategy::Bfs, threads),
        "stateright-dfs" => with_stateright::count(callers, Strategy::Dfs, threads),
        "stateright-symmetry" => with_stateright::count(callers, Strategy::DfsSymmetry, threads),
        other => return Err(format!("nothing is called '{other}'").into()),
    };
    println!("{states} {transitions}");
    Ok(true)
}

fn effort(arguments: &Arguments) -> Effort {
    let Arguments { rounds, once, most, .. } = *arguments;
    Effort { rounds, once, most }
}

fn compare(arguments: &Arguments) -> Result<bool, Failure> {
    table::print_head();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = tempfile::tempdir()?;
    let effort = effort(arguments);
    let rounds = effort.rounds;
    let mut same = true;
    for (symmetry, callers) in [(false, &arguments.callers), (true, &arguments.symmetric)] {
        for &callers in callers {
            let (mut contestants, mut missing) = field(callers, threads, symmetry, folder.path())?;
            let wanted = |c: &Contestant| {
                c.name.starts_with("kmodcheck") || arguments.only.iter().any(|o| c.name.contains(o))
            };
            if !arguments.only.is_empty() {
                contestants.retain(wanted);
            }
            let (measured, late) = measure(&contestants, effort)?;
            missing.extend(late);
            same &= table::print(callers, symmetry, &measured, &missing);
        }
    }
    let first: Result<Vec<_>, _> = (2..=6)
        .map(|callers| Contestant::own("kmodcheck-first", &callers.to_string(), callers, 1))
        .collect();
    table::print_first(&measure(&first?, Effort { rounds: rounds.max(5), ..effort })?.0);
    let (commands, absent) = external::commands()?;
    let (measured, late) = measure(&commands, Effort { rounds, ..effort })?;
    table::print_commands(&measured, absent.iter().chain(&late));
    Ok(same)
}

/// Who runs, this explorer on one thread first, and who cannot.
fn field(
    callers: usize,
    threads: usize,
    symmetry: bool,
    folder: &std::path::Path,
) -> Result<(Vec<Contestant>, Vec<String>), Failure> {
    let mut contestants = Vec::new();
    let mut missing = Vec::new();
    let some = if threads > 1 { vec![1, threads] } else { vec![1] };
    let mut own = |what: &str, name: &str, threads: &[usize]| -> Result<(), Failure> {
        for &threads in threads {
            contestants.push(Contestant::own(what, name, callers, threads)?);
        }
        Ok(())
    };
    if symmetry {
        own("kmodcheck-symmetry", "kmodcheck, sorted", &some)?;
        own("kmodcheck-symmetry-all", "kmodcheck, sorted, all followed", &[1])?;
        own("kmodcheck-counted", "kmodcheck, counted", &[1])?;
        own("stateright-symmetry", "stateright DFS, symmetry", &some)?;
    } else {
        own("kmodcheck", "kmodcheck", &some)?;
        own("kmodcheck-all", "kmodcheck, all followed", &[1])?;
        if plain::fits(callers) {
            own("plain", "plain loop with prefetch, no trace", &[1])?;
        }
        own("stateright-dfs", "stateright DFS", &some)?;
        own("stateright-bfs", "stateright BFS", &some)?;
        match external::spin(folder, callers)? {
            Ok(contestant) => contestants.push(contestant),
            Err(why) => missing.push(why),
        }
    }
    match external::rumur(folder, callers, &some, symmetry)? {
        Ok(several) => contestants.extend(several),
        Err(why) => missing.push(why),
    }
    Ok((contestants, missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is not heeded beside another option is refused.
    #[test]
    fn options_that_are_not_heeded_are_refused() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        for refused in [
            "peers --real-memory --rounds 2",
            "peers --real-memory --most 2",
            "peers --real-memory --spin",
            "peers --real-memory --real-systems",
            "peers --real-systems --callers 3",
            "peers --real-systems --growth g.svg",
            "peers --real-system x --only ext4",
            "peers --real-system x --once 1",
            "peers --growth g.svg --symmetric 3",
            "peers --growth g.svg --rounds 3",
            "peers --states-limit 3",
            "peers --other kmodcheck",
        ] {
            assert!(parse(refused).is_err(), "{refused}");
        }
        for taken in [
            "peers --callers 6 --symmetric 8 --rounds 3 --once 10 --most 60 --only plain",
            "peers --growth g.svg --most 20",
            "peers --real-systems --rounds 3 --only ext4 --spin --other kmodcheck --states-limit 9",
            "peers --real-memory --states-limit 20 --only ext4",
            "peers --real-system x --states-limit 9",
        ] {
            assert!(parse(taken).is_ok(), "{taken}");
        }
    }
}
