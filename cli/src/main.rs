//! The `kmodcheck` command: arguments, progress, tables, and how to say what was found.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod accept;
mod aliases;
mod args;
mod assumed;
mod check;
mod design_review;
mod engine;
mod evidence_args;
mod features;
mod fixes;
mod flags;
mod generated;
mod grand;
mod http;
mod kmod_sh;
mod liveness;
mod main_job;
mod merge;
mod new;
mod options;
mod output;
mod progress;
mod prove;
mod replay;
mod report;
mod reproduce;
mod results;
mod sample;
mod sample_file;
mod scale_args;
mod scenario_arg;
mod serve;
mod source_line;
mod sources;
mod steer;
mod step;
mod tables;
mod trace;
mod verify;
mod whole_matrix;

use std::process::ExitCode;

use clap::Parser;

use args::{Command, CommandLine};

/// How a run ended, as the exit status says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All as expected.
    AsExpected,
    /// A verdict that differs, a violation where none was declared, a trace that does not fit.
    Differs,
    /// Out of budget or interrupted.
    OutOfBudget,
}

impl Ended {
    /// The one rule for every command: a difference is said, whatever was cut beside it; what was cut
    /// is no difference.
    pub(crate) fn of(differs: bool, cut: bool) -> Self {
        match (differs, cut) {
            (true, _) => Self::Differs,
            (false, true) => Self::OutOfBudget,
            (false, false) => Self::AsExpected,
        }
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(match ended {
            Ended::AsExpected => 0,
            Ended::Differs => 1,
            Ended::OutOfBudget => 3,
        })
    }
}

/// Bad input or arguments: said on stderr, exit status 2.
pub(crate) type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let arguments = line.arguments();
    let ended = match &line.command {
        None => main_job::run(&arguments),
        Some(Command::Check(check)) => check::run(&arguments, check),
        Some(Command::New(new)) => new::run(new),
        Some(Command::Features(_)) => features::run(&arguments),
        Some(Command::Fixes(asked)) => fixes::run(&arguments, asked),
        Some(Command::Aliases(asked)) => aliases::run(&arguments, asked),
        Some(Command::KmodSh(asked)) => kmod_sh::run(&arguments, asked),
        Some(Command::Matrix(matrix)) => grand::run(&arguments, matrix),
        Some(Command::Prove(asked)) => prove::run(&arguments, asked),
        Some(Command::Verify(asked)) => verify::run(&arguments, asked),
        Some(Command::Progress(asked)) => liveness::run(&arguments, asked),
        Some(Command::Replay(replay)) => replay::run(&arguments, replay),
        Some(Command::Accept(accept)) => accept::run(&arguments, accept),
        Some(Command::Steer(steer)) => steer::run(steer),
        Some(Command::Reproduce(asked)) => reproduce::run(&arguments, asked),
        Some(Command::Evidence(asked)) => evidence_args::run(&arguments, asked),
        Some(Command::Scale(asked)) => scale_args::run(&arguments, asked),
    };
    match ended {
        Ok(_) if output::is_lost() => ExitCode::from(2),
        Ok(ended) => ended.into(),
        Err(failure) => {
            crate::output::note!("kmodcheck: {failure}");
            if let Some(line) = source_line::shown(&failure.to_string()) {
                crate::output::note!("{line}");
            }
            ExitCode::from(2)
        }
    }
}
