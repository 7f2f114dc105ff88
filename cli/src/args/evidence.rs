//! Arguments of the commands that show and keep evidence.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::flags::{Json, Limits, Search, Width};
use super::subject::Subject;

#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[command(flatten)]
    pub subject: Subject,

    /// How to draw it; `dot` is the state graph around it.
    #[arg(long, value_enum, default_value_t = TraceFormat::Text, conflicts_with = "json")]
    pub format: TraceFormat,

    /// First make it as short as it gets, with the fewest context switches of that length.
    #[arg(long)]
    pub minimise: bool,

    /// First make it minimal, then say which single reordering of two steps would have avoided it, or which two of
    /// them together.
    #[arg(long)]
    pub why: bool,

    /// Save the (minimised) trace.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub save: Option<PathBuf>,

    /// Keep it, made minimal, as a regression that `cargo test` replays.
    #[arg(long)]
    pub add: bool,

    /// With --add: what it shows, in a sentence.
    #[arg(long, value_name = "TEXT", requires = "add")]
    pub shows: Option<String>,

    /// With --add: where the regressions are.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "properties/traces")]
    pub traces: PathBuf,

    /// Of text.
    #[command(flatten)]
    pub width: Width,

    #[command(flatten)]
    pub flags: Json,
}

/// How a trace is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceFormat {
    /// Columns, one for each CPU.
    Text,
    /// A Mermaid sequence diagram.
    Mermaid,
    /// A picture.
    Svg,
    /// Steps with the shared state after each.
    Json,
    /// The state graph around the trace, for Graphviz.
    Dot,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Of one system; of the main matrix unless one is given.
    #[command(flatten)]
    pub subject: Subject,

    /// The file to write.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: PathBuf,

    /// Plot times, too. They differ from run to run; without them the file is the same each time.
    #[arg(long)]
    pub times: bool,

    /// Proofs for any number of callers to show beside the counts, as `prove --certificates` writes them.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub certificates: Option<PathBuf>,

    #[command(flatten)]
    pub flags: Search,
}

#[derive(Debug, Args)]
pub(crate) struct Step {
    #[command(flatten)]
    pub subject: Subject,

    #[command(flatten)]
    pub flags: Limits,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub subject: Subject,

    /// Port on 127.0.0.1; 0: any free one.
    #[arg(long, default_value_t = 8049)]
    pub port: u16,

    #[command(flatten)]
    pub flags: Limits,
}

#[derive(Debug, Args)]
pub(crate) struct Evidence {
    /// Of one system; of the main matrix unless one is given.
    #[command(flatten)]
    pub subject: Subject,

    /// The directory to write to, made if it is not there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,

    #[command(flatten)]
    pub flags: Search,
}
