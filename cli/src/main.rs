//! The `kmodcheck` command: which command is which, and with which status it ends.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod about;
mod args;
mod explore;
mod input;
mod interrupt;
mod matrices;
mod output;
mod pages;
mod sources;
mod traces;

use std::process::ExitCode;

use kmodcheck_binary::HeldError;

use about::{aliases, completions, features, new, schema, text};
use args::flags::Arguments;
use args::{Command, CommandLine, examples};
use explore::{check, compare, export, merge, modprobe, sample};
use input::binary;
use matrices::{
    fixes, kmod_sh, machine, main_job, matrix, mutants, progress, prove, review, verify,
};
use output::{Ended, Failure};
use pages::{evidence, report};
use traces::{accept, covered, record, replay, reproduce, serve, steer, step, trace};

fn main() -> ExitCode {
    // In this process a program is about to be started that is held.
    if std::env::args_os().nth(1).is_some_and(|word| word == binary::LAUNCH) {
        let status = kmodcheck_binary::launch::launch(std::env::args_os().skip(2));
        return ExitCode::from(u8::try_from(status).unwrap_or(2));
    }
    let line = examples::typed();
    match run(&line.arguments(), &line) {
        Ok(_) if output::is_lost() => ExitCode::from(2),
        Ok(ended) => ended.into(),
        Err(failure) => {
            output::note_failure(&failure);
            if let Some(HeldError::OutOfBudget { .. }) = failure.downcast_ref() {
                return Ended::OutOfBudget.into();
            }
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments, line: &CommandLine) -> Result<Ended, Failure> {
    let Some(command) = &line.command else { return main_job::run(arguments, line.all) };
    match command {
        Command::Check(asked) => check::run(arguments, asked),
        Command::Compare(asked) => compare::run(arguments, asked),
        Command::Export(asked) => export::run(arguments, asked),
        Command::New(asked) => new::run(asked),
        Command::Features(asked) => features::run(arguments, asked),
        Command::Review(asked) => review::run(arguments, asked),
        Command::Mutants(asked) => mutants::run(arguments, asked),
        Command::Text(asked) => text::run(asked),
        Command::Schema(asked) => schema::run(asked),
        Command::Fixes(asked) => fixes::run(arguments, asked),
        Command::Modprobe(asked) => modprobe::run(arguments, asked),
        Command::Aliases(asked) => aliases::run(arguments, asked),
        Command::KmodSh(asked) => kmod_sh::run(arguments, asked),
        Command::Machine(asked) => machine::run(arguments, asked),
        Command::Matrix(asked) => matrix::run(arguments, asked),
        Command::Prove(asked) => prove::run(arguments, asked),
        Command::Verify(asked) => verify::run(arguments, asked),
        Command::Progress(asked) => progress::run(arguments, asked),
        Command::Replay(asked) => replay::run(arguments, asked),
        Command::Accept(asked) => accept::run(arguments, asked),
        Command::Covered(asked) => covered::run(arguments, asked),
        Command::Record(asked) => record::run(arguments, asked),
        Command::Steer(asked) => steer::run(asked),
        Command::Reproduce(asked) => reproduce::run(arguments, asked),
        Command::Trace(asked) => trace::run(arguments, asked),
        Command::Report(asked) => report::run(arguments, asked),
        Command::Step(asked) => step::run(arguments, asked),
        Command::Serve(asked) => serve::run(arguments, asked),
        Command::Evidence(asked) => evidence::run(arguments, asked),
        Command::Completions { shell } => completions::completions(*shell),
        Command::Man { directory } => completions::man(directory),
        Command::Sample(asked) => sample::run(arguments, asked),
        Command::Merge(asked) => merge::run(arguments, asked),
    }
}
