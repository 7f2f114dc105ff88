//! Arguments of the commands for what is too large for one exploration.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use kmodcheck_properties::Property;
use kmodcheck_properties::sample::{ACTORS, EXECUTIONS, Part, SEED};

use super::flags::{Json, Walking};
use super::subject::Subject;
use super::values::property;

/// What explores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Every state, each process with a number: at most 16.
    #[value(alias = "local")]
    Exhaustive,
    /// Every state, of which it is counted how many processes are where: at most 255.
    Counted,
    /// Looks for violations where exhausting is out of reach, and never says that a property holds: at most 255
    /// processes.
    Directed,
    /// Every state, by several processes, on this machine or on many, as a timely dataflow.
    Timely,
}

impl Engine {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exhaustive => "exhaustive",
            Self::Counted => "counted",
            Self::Directed => "directed",
            Self::Timely => "timely",
        }
    }
}

/// Where a check is explored.
#[derive(Debug, Args)]
pub(crate) struct EngineArguments {
    /// What explores.
    #[arg(long, value_enum, default_value_t = Engine::Exhaustive)]
    pub engine: Engine,

    /// Processes, all on this machine (timely). --threads and --memory-limit are for each.
    #[arg(long, value_name = "N", conflicts_with = "hosts", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub processes: Option<u16>,

    /// A file with HOST:PORT of each process, one a line, the same on every machine (timely).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "process")]
    pub hosts: Option<PathBuf>,

    /// Which line of --hosts this process is, from 0; the first has the result.
    #[arg(long, value_name = "I", requires = "hosts")]
    pub process: Option<usize>,

    /// A file with a secret of at least 32 bytes, the same on every machine, which nobody else can read:
    /// processes that do not have it are not believed, and nothing on the way is altered unnoticed. Needed
    /// with addresses that other machines can reach.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "hosts")]
    pub secret_file: Option<PathBuf>,

    /// How long to wait for the other processes to be there (timely); 60 unless given.
    #[arg(long, value_name = "SECONDS")]
    pub connect_timeout: Option<u64>,

    /// Leave checkpoints in this directory, and go on from the one that is there (exhaustive).
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub checkpoint: Option<PathBuf>,

    /// Write one after the first level that ends so long after the last.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "checkpoint")]
    pub checkpoint_every: u64,
}

/// How the next process is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schedule {
    /// Each process that has a step is as likely.
    Random,
    /// By priorities that change a few times.
    Pct,
}

#[derive(Debug, Args)]
pub(crate) struct Sample {
    #[command(flatten)]
    pub subject: Subject,

    /// Draw a scenario for each walk: module graphs, outcomes, actors, presets (--kernel and --kmod: only
    /// this one). With --only and --property: shrink it to the smallest that still violates.
    #[arg(long, conflicts_with_all = [
        "subject", "modules", "env", "naming", "with", "without", "alias_map", "limit", "timeouts", "callers", "patch", "text",
        "modprobe",
    ])]
    pub generated: bool,

    /// With --generated: most actors.
    #[arg(long, value_name = "N", default_value_t = ACTORS, conflicts_with_all = ["subject", "modules", "env", "naming"], value_parser = clap::value_parser!(u8).range(1..=8))]
    pub actors: u8,

    /// Walks of the whole campaign.
    #[arg(long, value_name = "N", default_value_t = EXECUTIONS, value_parser = clap::value_parser!(u64).range(1..))]
    pub executions: u64,

    /// How the next process is chosen.
    #[arg(long, value_enum, default_value_t = Schedule::Random)]
    pub schedule: Schedule,

    /// Ordering constraints that a schedule by priorities aims at.
    #[arg(long, value_name = "D", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub depth: u32,

    /// Seed of the campaign.
    #[arg(long, value_name = "N", default_value_t = SEED)]
    pub seed: u64,

    /// Most steps of a walk.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub longest: u32,

    /// Only this part of the campaign, as 3/8: the third of eight, from 1. The parts add up to the whole,
    /// to the last digit.
    #[arg(long, value_name = "I/N", value_parser = part)]
    pub shard: Option<Part>,

    /// Also write the result to this file, as lines of JSON for `kmodcheck merge`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,

    /// Take this walk of the campaign only, and draw it.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["shard", "out", "json", "time_limit", "threads"])]
    pub only: Option<u64>,

    /// With --only: up to the first violation of this property.
    #[arg(long, value_name = "NAME", requires = "only", value_parser = property())]
    pub property: Option<Property>,

    /// With --property: save the trace.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "property")]
    pub save_trace: Option<PathBuf>,

    #[command(flatten)]
    pub flags: Walking,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// What `sample --out` wrote, one file for each part.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Join what is there although parts are missing or incomplete: then it says so, and the exit status
    /// is 3 unless something is violated.
    #[arg(long)]
    pub partial: bool,

    /// Also write the joined result to this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub flags: Json,
}

fn part(text: &str) -> Result<Part, String> {
    let expected = || format!("found '{text}', expected I/N with I from 1 to N, as 3/8");
    let (index, of) = text.split_once('/').ok_or_else(expected)?;
    let (index, of): (u64, u64) =
        (index.parse().map_err(|_| expected())?, of.parse().map_err(|_| expected())?);
    if index == 0 || index > of {
        return Err(expected());
    }
    Ok(Part { index: index - 1, of })
}
