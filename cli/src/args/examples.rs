//! An example of each command or more, for `--help` and for the manual pages. Tests parse all of them.

use clap::{Command, CommandFactory, FromArgMatches};

use super::CommandLine;

/// What is typed, and what it does.
pub(crate) type Example = (&'static str, &'static str);

/// By command; without a name the main job.
const EXAMPLES: [(&str, &[Example]); 34] = [
    (
        "",
        &[
            ("kmodcheck", "what was found, on one screen"),
            ("kmodcheck --all", "every table, the race, and a trace for each assumption"),
            ("kmodcheck check race", "the race, step by step"),
        ],
    ),
    (
        "check",
        &[
            ("kmodcheck check my.toml", "a scenario file"),
            ("kmodcheck check race --kernel v6.2 --kmod v30", "the race, with other releases"),
            (
                "kmodcheck check --modules /lib/modules/$(uname -r) --fs ext4",
                "the modules of this machine",
            ),
            ("kmodcheck check my.toml --save-trace trace.json", "and keep the shortest trace"),
            ("kmodcheck check scenarios --junit junit.xml", "all files of a directory, for a CI"),
        ],
    ),
    (
        "covered",
        &[(
            "kmodcheck covered *.log --kernel 6.1-debian --kmod v30",
            "which steps of the model real kernels have shown",
        )],
    ),
    (
        "machine",
        &[
            ("kmodcheck machine", "which requests can go wrong on this machine, and why"),
            ("kmodcheck machine --root image --all", "every name of an unpacked image"),
        ],
    ),
    (
        "compare",
        &[
            ("kmodcheck compare race --kmod v19 --kmod v20", "what kmod v20 changes"),
            ("kmodcheck compare my.toml --kernel v6.2 --kernel v6.5", "what a new kernel changes"),
            ("kmodcheck compare my.toml --kernel v6.2 --patch fix.diff", "what a patch changes"),
        ],
    ),
    (
        "review",
        &[(
            "kmodcheck review fix.diff --kernel v6.2",
            "what a patch changes, as a page for a mail",
        )],
    ),
    (
        "mutants",
        &[
            (
                "kmodcheck mutants",
                "what the properties see of each statement of the functions that are texts",
            ),
            (
                "kmodcheck mutants tools/modprobe.c --kmod v19",
                "of one text, as another release has it",
            ),
        ],
    ),
    (
        "text",
        &[
            ("kmodcheck text", "the functions that a patch can change, as it has to find them"),
            ("kmodcheck text --kernel v6.2", "the same as a release has them"),
        ],
    ),
    (
        "schema",
        &[
            ("kmodcheck schema", "which formats there are"),
            ("kmodcheck schema check", "what check --json prints, as a JSON Schema"),
        ],
    ),
    ("export", &[("kmodcheck export race --format promela --out race.pml", "the race, for SPIN")]),
    ("new", &[("kmodcheck new my.toml", "a commented scenario file to begin with")]),
    ("features", &[("kmodcheck features", "every switch of every release")]),
    (
        "matrix",
        &[
            ("kmodcheck matrix --property no-false-success", "one property of every system"),
            (
                "kmodcheck matrix --kernel v6.5 --kmod v30 --env fail --naming plain",
                "one system, with its traces",
            ),
        ],
    ),
    (
        "prove",
        &[
            ("kmodcheck prove race", "from how many callers on the race is there"),
            ("kmodcheck prove --env ok --certificates proofs", "with proofs to be checked"),
        ],
    ),
    (
        "verify",
        &[
            ("kmodcheck verify proofs/ok_plain_v4.9_v20.json", "a proof, without the prover"),
            (
                "kmodcheck verify proofs/ok_plain_v4.9_v20.json --steps steps.json",
                "and what another verifier needs",
            ),
        ],
    ),
    (
        "progress",
        &[
            ("kmodcheck progress my.toml", "does every call return?"),
            ("kmodcheck progress --hard-cases", "the cases that are known to be hard"),
        ],
    ),
    (
        "fixes",
        &[
            ("kmodcheck fixes my.toml", "what would make no-false-success hold"),
            ("kmodcheck fixes --env fail --pin v19", "in the kernel alone"),
        ],
    ),
    (
        "kmod-sh",
        &[
            ("kmodcheck kmod-sh --kernel v4.9 --kmod v19 --case 0009", "one case, with its trace"),
            (
                "kmodcheck kmod-sh --kernel 6.12-debian --kmod v30 --observed FILE",
                "what threads got on a real kernel: can they?",
            ),
        ],
    ),
    (
        "modprobe",
        &[
            (
                "kmodcheck modprobe learn /sbin/modprobe --modules DIR --fs vfat",
                "what this machine's modprobe asks and does",
            ),
            (
                "kmodcheck modprobe compare v30 /sbin/modprobe --modules DIR --fs vfat",
                "whether it does what the modelled one does",
            ),
        ],
    ),
    (
        "aliases",
        &[("kmodcheck aliases --modules /lib/modules/$(uname -r)", "the maps, on this machine")],
    ),
    ("replay", &[("kmodcheck replay trace.json", "every step again")]),
    (
        "accept",
        &[(
            "kmodcheck accept trace.log --format ftrace --kernel v6.5 --kmod v30",
            "is what tracefs recorded a behaviour of the model?",
        )],
    ),
    (
        "record",
        &[
            (
                "kmodcheck record -- modprobe vfat",
                "as root: what this kernel does, and is it a behaviour?",
            ),
            ("kmodcheck record --print", "a shell script that records, for another machine"),
            ("kmodcheck record --clean", "takes away what a killed recorder has left behind"),
        ],
    ),
    ("steer", &[("kmodcheck steer trace.json", "how to hold a real kernel up")]),
    (
        "reproduce",
        &[("kmodcheck reproduce trace.json --out recorded", "in an emulator, and judged")],
    ),
    (
        "trace",
        &[
            ("kmodcheck trace trace.json --why", "drawn, and what would have avoided it"),
            ("kmodcheck trace trace.json --format svg", "as a picture"),
        ],
    ),
    (
        "report",
        &[
            ("kmodcheck report --out report.html", "the matrix, in one file"),
            ("kmodcheck report my.toml --out page.html", "a system of your own"),
        ],
    ),
    ("step", &[("kmodcheck step race", "choose the steps yourself; w: can it still go wrong?")]),
    ("serve", &[("kmodcheck serve race", "the same in a browser, on this machine only")]),
    ("evidence", &[("kmodcheck evidence my.toml --out review", "Markdown for a design review")]),
    (
        "completions",
        &[("kmodcheck completions bash", "to be read by the shell, as with `source <(...)`")],
    ),
    ("man", &[("kmodcheck man ~/.local/share/man/man1", "where `man kmodcheck` finds them")]),
    (
        "sample",
        &[
            ("kmodcheck sample my.toml --executions 1000000", "random walks"),
            ("kmodcheck sample my.toml --shard 3/8 --out part-3.jsonl", "the third part of eight"),
        ],
    ),
    ("merge", &[("kmodcheck merge part-1.jsonl part-2.jsonl", "the parts of a campaign, joined")]),
];

/// The examples of a command; of the main job, which has no name, those of `kmodcheck`.
pub(crate) fn of(command: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == command).map_or(&[], |(_, examples)| examples)
}

/// All arguments, with the examples below the help of each command.
pub(crate) fn command() -> Command {
    let below = |name: &str| {
        let lines: Vec<String> =
            of(name).iter().map(|(typed, what)| format!("  {typed}\n      {what}")).collect();
        if lines.is_empty() { String::new() } else { format!("Examples:\n{}", lines.join("\n")) }
    };
    let command = CommandLine::command();
    let all = below("");
    command.after_long_help(all).mut_subcommands(|sub| {
        let examples = below(sub.get_name());
        sub.after_long_help(examples)
    })
}

/// What was typed.
pub(crate) fn typed() -> CommandLine {
    let matches = command().get_matches();
    CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

#[cfg(test)]
mod tests {
    use super::{EXAMPLES, command, of};

    #[test]
    fn every_command_has_examples_and_each_can_be_typed() {
        for sub in command().get_subcommands() {
            assert!(!of(sub.get_name()).is_empty(), "{} has no example", sub.get_name());
        }
        for (name, examples) in EXAMPLES {
            for (typed, what) in examples {
                // As the shell has it.
                let words = typed.replace("$(uname -r)", "6.1.0");
                let matches = command().try_get_matches_from(words.split_whitespace());
                let matches = matches.unwrap_or_else(|error| panic!("{typed}: {error}"));
                let of = matches.subcommand_name().unwrap_or_default();
                assert!(name.is_empty() || of == name, "{typed}");
                assert!(!what.is_empty() && typed.len() <= 78, "{typed}");
            }
        }
    }
}
