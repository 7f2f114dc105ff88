//! The flags that several commands have. Each command has those that it heeds, so that clap refuses the
//! others.

use std::time::Duration;

use clap::Args;

/// What was given of them; what a command does not have was not given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arguments {
    pub json: bool,
    pub time_limit: Option<Duration>,
    pub states_limit: Option<u64>,
    pub memory_limit: Option<u64>,
    pub threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Print the result as JSON (versioned, byte-identical from run to run).
    #[arg(long)]
    pub json: bool,
}

/// Of a command that prints about many systems.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Wide {
    /// Print as wide as it is; otherwise what is printed is fitted to the terminal (60 to 200 columns; 80 where
    /// there is none).
    #[arg(long, conflicts_with = "json")]
    pub wide: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct TimeLimit {
    /// End each exploration after this many seconds, out of budget.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub time_limit: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct StatesLimit {
    /// End each exploration beyond this many distinct states, out of budget.
    #[arg(long, value_name = "N")]
    pub states_limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct MemoryLimit {
    /// End each exploration beyond this many MiB of states, out of budget.
    #[arg(long, value_name = "MIB")]
    pub memory_limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Threads {
    /// Worker threads; the result does not depend on it. All cores unless told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Of a command that draws runs in columns.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Width {
    /// Columns to fill, 72 for a mail; the terminal's unless given, between 60 and 200, and 80 where there is none.
    #[arg(long, value_name = "COLUMNS", conflicts_with = "json", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,
}

/// Of a command that explores.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Limits {
    #[command(flatten)]
    pub time: TimeLimit,
    #[command(flatten)]
    pub states: StatesLimit,
    #[command(flatten)]
    pub memory: MemoryLimit,
}

/// Of a command that explores on threads.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub threads: Threads,
}

/// Of a command that explores on threads and prints what it found.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct All {
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub search: Search,
}

/// Of `accept`, whose search is of its own kind.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Accepting {
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub states: StatesLimit,
}

/// Of `modprobe`, which learns programs.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Learning {
    #[command(flatten)]
    pub json: Json,

    /// End after this many seconds, out of budget; 600 unless given.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub time_limit: Option<Duration>,

    /// End beyond this many states of a program's process, out of budget; 200000 unless given.
    #[arg(long, value_name = "N")]
    pub states_limit: Option<u64>,
}

/// Of `reproduce`: as `accept`, and the recording takes time.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Reproducing {
    #[command(flatten)]
    pub accepting: Accepting,

    /// End the recording after this many seconds, out of budget; 600 unless given.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub time_limit: Option<Duration>,
}

/// Of `sample`, which keeps no states.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Walking {
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub time: TimeLimit,
    #[command(flatten)]
    pub threads: Threads,
}

impl From<Json> for Arguments {
    fn from(Json { json }: Json) -> Self {
        Self { json, ..Self::default() }
    }
}

impl From<StatesLimit> for Arguments {
    fn from(StatesLimit { states_limit }: StatesLimit) -> Self {
        Self { states_limit, ..Self::default() }
    }
}

impl From<Limits> for Arguments {
    fn from(Limits { time, states, memory }: Limits) -> Self {
        Self {
            time_limit: time.time_limit,
            states_limit: states.states_limit,
            memory_limit: memory.memory_limit,
            ..Self::default()
        }
    }
}

impl From<Search> for Arguments {
    fn from(Search { limits, threads }: Search) -> Self {
        Self { threads: threads.threads, ..limits.into() }
    }
}

impl From<All> for Arguments {
    fn from(All { json, search }: All) -> Self {
        Self { json: json.json, ..search.into() }
    }
}

impl From<Accepting> for Arguments {
    fn from(Accepting { json, states }: Accepting) -> Self {
        Self { states_limit: states.states_limit, ..json.into() }
    }
}

impl From<Reproducing> for Arguments {
    fn from(Reproducing { accepting, time_limit }: Reproducing) -> Self {
        Self { time_limit, ..accepting.into() }
    }
}

impl From<Learning> for Arguments {
    fn from(Learning { json, time_limit, states_limit }: Learning) -> Self {
        Self { time_limit, states_limit, ..json.into() }
    }
}

impl From<Walking> for Arguments {
    fn from(Walking { json, time, threads }: Walking) -> Self {
        Self { time_limit: time.time_limit, threads: threads.threads, ..json.into() }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
