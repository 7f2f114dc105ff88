//! What the command without a name says first.

use std::process::Command;

use crate::common::{Run, run};

/// The command in a terminal of so many columns, with `before` in its environment: `script` makes the terminal.
fn in_terminal(columns: usize, before: &str) -> Run {
    let command = format!(
        "stty cols {columns} rows 40; {before} {} 2>/dev/null",
        env!("CARGO_BIN_EXE_kmodcheck")
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("TERM", "xterm");
    Run::of(script.output().expect("util-linux has `script`"))
}

/// Without what colours it.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('m').map_or("", |(_, after)| after));
    (first + &rest.collect::<String>()).replace('\r', "")
}

fn longest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// One screen of 80 columns: the question, the answer for each reading and release, what follows, the end of
/// the race, where to go on.
#[test]
fn it_is_one_screen() {
    let found = run(&[]).exits(0);
    assert_eq!(found.err, "", "nothing to say on a pipe");
    let lines = found.out.lines().count();
    assert!(lines <= 40 && longest(&found.out) <= 80, "{lines}: {}", found.out);
    assert!(!found.out.contains('\u{1b}'), "no colour on a pipe");
    let rows = [
        "none, warn-only violated, in 20 steps holds if A",
        "author-tree holds if A holds if A",
        "author-mail, verify, wait-and-verify holds if A and B holds if A",
        "exact-builtin holds holds",
    ];
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: Vec<String> = found.out.lines().map(words).collect();
    for row in rows {
        assert!(said.iter().any(|line| line == row), "{row}: {}", found.out);
    }
    for part in [
        "all 392 explored to the end and as recorded",
        "A: no init fails. B: the alias map gives the module's own name.",
        "__get_fs_type: no file system: returns NULL",
        "kmodcheck --all",
    ] {
        assert!(words(&found.out).contains(part), "{part}: {}", found.out);
    }
    // README says what follows in the same words.
    let readme = words(&include_str!("../../../README.md").replace('`', ""));
    let all = words(&found.out);
    let (_, follows) = all.split_once("B: the alias map gives the module's own name. ").unwrap();
    let (follows, _) = follows.split_once(" The race with").unwrap();
    assert!(readme.contains(follows), "{follows}");
}

/// As wide as the terminal, and coloured there, unless somebody wants none; what is coloured is said in words,
/// too.
#[test]
fn it_fits_the_terminal() {
    let on_a_pipe = run(&[]).exits(0).out;
    for (columns, least, most) in [(80, 60, 80), (120, 81, 120), (40, 41, 60), (300, 121, 200)] {
        let found = in_terminal(columns, "").exits(0);
        assert!(found.out.contains("\u{1b}["), "no colour: {}", found.out);
        let text = plain(&found.out);
        assert!((least..=most).contains(&longest(&text)), "{columns}: {text}");
        let without = in_terminal(columns, "NO_COLOR=1").exits(0).out.replace('\r', "");
        assert_eq!(without, text, "the same words");
        if columns == 80 {
            assert_eq!(text, on_a_pipe);
        }
    }
    let forced = Command::new(env!("CARGO_BIN_EXE_kmodcheck")).env("CLICOLOR_FORCE", "1").output();
    assert!(Run::of(forced.unwrap()).out.contains("\u{1b}["));
}

/// What was cut is not answered, and said.
#[test]
fn what_was_cut_is_not_decided() {
    let cut = run(&["--states-limit", "30"]).exits(3);
    assert!(cut.out.contains("not decided") && longest(&cut.out) <= 80, "{}", cut.out);
    for part in ["as recorded", "holds", "stand", "The race"] {
        assert!(!cut.out.contains(part), "{part}: {}", cut.out);
    }
    assert!(cut.err.contains("out of budget"), "{}", cut.err);
    run(&["--all", "--json"]).refuses(&["cannot be used with"]);
}
