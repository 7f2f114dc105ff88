//! The `kmodcheck` command: arguments, progress, tables. What is decided here is only how to say it.

mod aliases;
mod args;
mod check;
mod fixes;
mod grand;
mod main_job;
mod options;
mod output;
mod progress;
mod prove;
mod replay;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

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
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        None => main_job::run(&arguments),
        Some(Command::Check(check)) => check::run(&arguments, check),
        Some(Command::Fixes(asked)) => fixes::run(&arguments, asked),
        Some(Command::Aliases(asked)) => aliases::run(&arguments, asked),
        Some(Command::Matrix(matrix)) => grand::run(&arguments, matrix),
        Some(Command::Prove(asked)) => prove::run(&arguments, asked),
        Some(Command::Verify(asked)) => verify::run(&arguments, asked),
        Some(Command::Replay(replay)) => replay::run(&arguments, replay),
    };
    match ended {
        Ok(ended) => ended.into(),
        Err(failure) => {
            anstream::eprintln!("kmodcheck: {failure}");
            ExitCode::from(2)
        }
    }
}
