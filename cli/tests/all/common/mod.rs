//! What the test binaries of this crate share; each uses a part of it.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;

use crate::schemas;

/// The indexes of a Debian kernel, trimmed.
pub fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../indexes/tests/fixtures/debian-6.1")
}

/// Runs the command; the exit status, and what it printed.
pub fn run(arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    Run::of(command.args(arguments).output().expect("the command can be run"))
}

/// The command in a terminal of so many columns, with 40 rows.
pub fn in_terminal(columns: usize, before: &str, words: &str) -> Run {
    on_screen(columns, 40, before, words)
}

/// The command in a terminal of so many columns and rows, with `before` in its environment: `script` makes the terminal.
pub fn on_screen(columns: usize, rows: usize, before: &str, words: &str) -> Run {
    let program = env!("CARGO_BIN_EXE_kmodcheck");
    let command =
        format!("stty cols {columns} rows {rows}; {before} {program} {words} 2>/dev/null");
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("TERM", "xterm");
    Run::of(script.output().expect("util-linux has `script`"))
}

/// Without what colours it.
pub fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').map_or("", |(_, after)| after));
    (first + &rest.collect::<String>()).replace('\r', "")
}

/// `check` on the fixture.
pub fn check(arguments: &[&str]) -> Run {
    let directory = fixture();
    let mut all = vec!["check", "--modules", directory.to_str().expect("the path is UTF-8")];
    all.extend(arguments);
    run(&all)
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// What it printed; JSON is what its schema says.
    #[track_caller]
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
        let run = Self {
            status: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        if let Some(value) = schemas::of_a_format(&run.out) {
            schemas::fits(&value);
        }
        run
    }

    /// Asserts the exit status, and shows everything if it is another.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Asserts that stderr is one message with all of `parts`, and that nothing was printed.
    #[track_caller]
    pub fn refuses(self, parts: &[&str]) -> Self {
        let run = self.exits(2);
        assert_eq!(run.out, "");
        for part in parts {
            assert!(run.err.contains(part), "'{part}' is not in: {}", run.err);
        }
        run
    }

    /// What was printed, wherever lines end.
    pub fn words(&self) -> String {
        self.out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Asserts that stdout has `part`, wherever lines end.
    #[track_caller]
    pub fn says_words(self, part: &str) -> Self {
        assert!(self.words().contains(part), "'{part}' is not in: {}", self.out);
        self
    }

    /// Asserts that stdout has `part`.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.out.contains(part), "'{part}' is not in: {}", self.out);
        self
    }
}
