//! Shell completions and manual pages, made from the arguments themselves.

use std::path::Path;

use clap::CommandFactory;

use crate::args::CommandLine;
use crate::input::files;
use crate::output::{self, Ended, Failure};

/// Prints the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Ended, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "kmodcheck", &mut script);
    output::print(String::from_utf8(script)?.trim_end());
    Ok(Ended::AsExpected)
}

/// Writes a manual page for the command and one for each of its commands.
pub(crate) fn man(directory: &Path) -> Result<Ended, Failure> {
    std::fs::create_dir_all(directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut command = CommandLine::command();
    command.build();
    page(directory, &command, "kmodcheck")?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        page(directory, sub, &format!("kmodcheck-{}", sub.get_name()))?;
    }
    Ok(Ended::AsExpected)
}

fn page(directory: &Path, command: &clap::Command, name: &str) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut text)?;
    files::write(&directory.join(format!("{name}.1")), &String::from_utf8(text)?)
}
