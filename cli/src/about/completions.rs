//! Shell completions and manual pages, made from the arguments themselves.

use std::path::Path;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::examples;
use crate::input::files;
use crate::output::{self, Ended, Failure};

/// Prints the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Ended, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut examples::command(), "kmodcheck", &mut script);
    output::print(String::from_utf8(script)?.trim_end());
    Ok(Ended::AsExpected)
}

/// Writes a manual page for the command and one for each of its commands.
pub(crate) fn man(directory: &Path) -> Result<Ended, Failure> {
    files::make_directory(directory)?;
    let mut command = examples::command();
    command.build();
    let subs = || command.get_subcommands().filter(|sub| sub.get_name() != "help");
    let pages: Vec<String> = subs().map(|sub| format!("kmodcheck-{}", sub.get_name())).collect();
    page(directory, &command, "kmodcheck", &pages)?;
    for (sub, name) in subs().zip(&pages) {
        page(directory, sub, name, &["kmodcheck".to_owned()])?;
    }
    Ok(Ended::AsExpected)
}

/// The statuses, in the words of docs/commands.md.
const STATUSES: [(&str, &str); 4] = [
    ("0", "All is as expected."),
    (
        "1",
        "A verdict differs from the recorded or expected one, a property is violated of which nobody \
         expected it, or a trace no longer fits; also where a limit cut something else.",
    ),
    ("2", "Bad input or arguments, or output that could not be written."),
    (
        "3",
        "Out of budget, and nothing that was decided differs; or interrupted, whatever was found by then.",
    ),
];

/// A manual page. `see`: the others that it names.
fn page(
    directory: &Path,
    command: &clap::Command,
    name: &str,
    see: &[String],
) -> Result<(), Failure> {
    let of = command.get_name();
    let shown = if of == "kmodcheck" { "" } else { of };
    // The examples have a section of their own.
    let man = Man::new(command.clone().after_long_help("").after_help(""))
        .title(name)
        .source(concat!("kmodcheck ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    for (status, what) in STATUSES {
        more.control("TP", []).text([bold(status)]).text([roman(what)]);
    }
    more.control("SH", ["EXAMPLES"]);
    for (typed, what) in examples::of(shown) {
        more.control("TP", []).text([bold(*typed)]).text([roman(*what)]);
    }
    more.control("SH", ["SEE ALSO"]);
    let (of_system, last) = (["depmod", "modprobe"].map(|name| (name, "(8)")), see.len() + 1);
    let all = see.iter().map(|name| (name.as_str(), "(1)")).chain(of_system);
    for (number, (name, section)) in all.enumerate() {
        let comma = if number == last { "" } else { "," };
        more.text([bold(name), roman(format!("{section}{comma}"))]);
    }
    more.to_writer(&mut text)?;
    if command.get_version().is_some() {
        man.render_version_section(&mut text)?;
    }
    files::write(&directory.join(format!("{name}.1")), &String::from_utf8(text)?)
}
