//! What the command without a name says first.

use std::process::Command;
use std::sync::LazyLock;

use crate::common::{Run, in_terminal, on_screen, plain, run};
use crate::sample::long_some_of;

/// What it says on a pipe.
pub static ON_A_PIPE: LazyLock<String> = LazyLock::new(|| {
    let found = run(&[]).exits(0);
    assert_eq!(found.err, "", "nothing to say on a pipe");
    found.out
});

fn longest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// One screen of 80 columns: the question, the answer for each reading and release, what follows, the end of
/// the race, where to go on.
#[test]
fn it_is_one_screen() {
    let found: &str = &ON_A_PIPE;
    let lines = found.lines().count();
    assert!(lines <= 40 && longest(found) <= 80, "{lines}: {found}");
    assert!(!found.contains('\u{1b}'), "no colour on a pipe");
    let rows = [
        "none, warn-only violated, in 20 steps holds if A",
        "author-tree holds if A holds if A",
        "author-mail, verify, wait-and-verify holds if A and B holds if A",
        "exact-builtin holds holds",
    ];
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: Vec<String> = found.lines().map(words).collect();
    for row in rows {
        assert!(said.iter().any(|line| line == row), "{row}: {found}");
    }
    for part in [
        "all 392 explored to the end and as recorded",
        "A: no init fails. B: the alias map gives the module's own name.",
        "__get_fs_type: no file system: returns NULL",
        "kmodcheck --all",
    ] {
        assert!(words(found).contains(part), "{part}: {found}");
    }
}

/// As wide as the terminal, and coloured there, unless somebody wants none; what is coloured is said in words,
/// too.
#[test]
fn it_fits_the_terminal() {
    // (Of 80 and 120 columns there is more below.)
    for (columns, least, most) in
        long_some_of(1, 1, [(120, 81, 120), (300, 121, 200), (40, 41, 60), (80, 60, 80)])
    {
        let found = in_terminal(columns, "", "").exits(0);
        assert!(found.out.contains("\u{1b}["), "no colour: {}", found.out);
        let text = plain(&found.out);
        assert!((least..=most).contains(&longest(&text)), "{columns}: {text}");
        if columns == 80 {
            assert_eq!(text, *ON_A_PIPE);
        }
    }
    // Of colours it does not matter how much there is to say.
    let cut = ["--states-limit", "30"];
    let on_a_pipe = run(&cut).exits(3).out;
    let without = in_terminal(80, "NO_COLOR=1", &cut.join(" ")).exits(3).out;
    assert!(without.replace('\r', "").contains(&on_a_pipe), "the same words: {without}");
    assert!(!without.contains('\u{1b}'), "{without}");
    let mut forced = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    let forced = Run::of(forced.args(cut).env("CLICOLOR_FORCE", "1").output().unwrap()).exits(3);
    assert!(forced.out.contains("\u{1b}["), "{}", forced.out);
    assert_eq!(plain(&forced.out), on_a_pipe);
}

/// Nothing of it has scrolled away when it is there, and the prompt has its line: where all has no room it is the
/// steps of the race that are fewer, or left to the command that shows them.
#[test]
fn nothing_scrolls_away() {
    for (columns, rows, steps) in long_some_of(1, 2, [(80, 24, 0), (80, 33, 7), (120, 40, 11)]) {
        let text = plain(&on_screen(columns, rows, "", "").exits(0).out);
        assert!(text.lines().count() < rows, "{columns}x{rows}: {text}");
        assert!(longest(&text) <= columns, "{columns}x{rows}: {text}");
        let shown = text.lines().filter(|line| line.starts_with("  CPU")).count();
        assert_eq!(shown, steps, "{columns}x{rows}: {text}");
        for part in
            ["Does a request", "exact-builtin", "kmodcheck check race", "kmodcheck new my.toml"]
        {
            assert!(text.contains(part), "{columns}x{rows}: {part}: {text}");
        }
    }
}

/// What is said to come next can be typed as it stands, one after the other.
#[test]
fn what_comes_next_can_be_typed() {
    let directory = tempfile::tempdir().unwrap();
    let screen: &str = &ON_A_PIPE;
    let typed = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
        let words = words.split_whitespace().skip(1);
        Run::of(command.args(words).current_dir(directory.path()).output().unwrap())
    };
    let (_, next) = screen.split_once("kmodcheck new ").unwrap();
    let file = next.split_whitespace().next().unwrap();
    let (_, then) = next.split_once("for: ").unwrap();
    typed(&format!("kmodcheck new {file}")).exits(0);
    typed(then.lines().next().unwrap()).exits(0).says("two mounts of ext4");
    typed("kmodcheck check race").exits(1);
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
