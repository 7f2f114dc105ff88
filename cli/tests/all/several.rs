//! `kmodcheck check` of several subjects: files, directories, standard input, litmus tests, and what a CI reads.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Run, run};

const HOLDS: &str = "[features]\nkmod = 'v20'\n[[module]]\nname = 'a'\n\
                     [[actor]]\ncall = 'request_module'\nname = 'a'\ncount = 2\n\
                     [expect]\nno-false-success = 'holds'\n";

const LITMUS: &str = "C stores\n{}\n\
                      P0(int *x, int *y) { int r0; WRITE_ONCE(*x, 1); r0 = READ_ONCE(*y); }\n\
                      P1(int *x, int *y) { int r0; WRITE_ONCE(*y, 1); r0 = READ_ONCE(*x); }\n";

/// Files of which all is as expected, but for one that differs.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("b.toml", &HOLDS.replace("v20", "v19"));
        files.write("a.toml", HOLDS);
        files.write("c.litmus", &format!("{LITMUS}~exists (0:r0=0 /\\ 1:r0=0)\n"));
        files.write("notes.txt", "no scenario");
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn directory(&self) -> String {
        self.0.path().display().to_string()
    }
}

fn typed(words: &[&str], input: &str) -> Run {
    let mut program = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    Run::of(program.args(words).write_stdin(input).output().unwrap())
}

/// The files of a directory come in order of their names; only what differs is told whole.
#[test]
fn a_directory_is_its_files() {
    let files = Files::new();
    let found = run(&["check", &files.directory()]).exits(1);
    let at = |part: &str| found.out.find(part).unwrap_or_else(|| panic!("{part}: {}", found.out));
    assert!(at("as expected: ") < at("differs:\n") && at("differs:\n") < at("c.litmus: stores"));
    assert_eq!(found.out.matches("How no-false-success is violated").count(), 1);
    let last = found.out.lines().last().unwrap();
    assert_eq!(last, "3 subjects: 2 as expected, 1 different, 0 undecided");
    // One after the other is the same.
    let (a, b, c) = (files.at("a.toml"), files.at("b.toml"), files.at("c.litmus"));
    assert_eq!(run(&["check", &a, &b, &c]).exits(1).out, found.out);
    run(&["check", &a, &c]).exits(0).says("2 subjects: 2 as expected");
    // What is changed is changed in all of them, and one may be built in.
    run(&["check", &b, &a, "--kmod", "v20"]).exits(0);
    run(&["check", "race", &a]).exits(1).says("1 as expected, 1 different");
    // A difference counts for more than what was cut.
    run(&["check", &a, &b, "--states-limit", "3"]).exits(3).says("2 undecided");
    run(&["check", &a, "race", "--states-limit", "300"]).exits(1);
}

#[test]
fn json_of_several_has_that_of_each() {
    let files = Files::new();
    let all: Value =
        serde_json::from_str(&run(&["check", &files.directory(), "--json"]).exits(1).out).unwrap();
    assert_eq!((&all["format"], &all["version"]), (&"kmodcheck-checks".into(), &1.into()));
    let subjects = all["subjects"].as_array().unwrap();
    let ended: Vec<&str> = subjects.iter().map(|s| s["ended"].as_str().unwrap()).collect();
    assert_eq!(ended, ["as expected", "differs", "as expected"]);
    for (subject, key) in subjects.iter().zip(["check", "check", "litmus"]) {
        let file = subject["subject"].as_str().unwrap();
        let alone: Value = serde_json::from_str(&run(&["check", file, "--json"]).out).unwrap();
        assert_eq!(subject[key], alone, "{file}");
    }
    // Of one subject it is what it always was; of a directory with one file it is not.
    let one = TempDir::new().unwrap();
    std::fs::write(one.path().join("a.toml"), HOLDS).unwrap();
    let found = run(&["check", one.path().to_str().unwrap(), "--json"]).exits(0);
    found.says("kmodcheck-checks");
}

#[test]
fn standard_input_is_a_subject() {
    typed(&["check", "-"], HOLDS).exits(0).says("standard input\n");
    typed(&["check", "-"], LITMUS).exits(0).says("standard input: stores");
    let files = Files::new();
    typed(&["check", "-", &files.at("c.litmus")], HOLDS).exits(0).says("2 subjects");
    typed(&["check", "-", "-"], HOLDS).exits(0).says("2 subjects: 2 as expected");
    typed(&["check", "-"], "module = [{ name = 'a' }\n").refuses(&["standard input:1:"]);
}

/// All of them are read before any is searched, and what is wrong with each is said.
#[test]
fn what_is_wrong_with_each_is_said_at_once() {
    let files = Files::new();
    files.write("d.toml", "[features]\nkmod = 'v3'\n");
    files.write("e.toml", "no TOML");
    let found = run(&["check", &files.directory()]).refuses(&["d.toml:2:8", "e.toml:1:4"]);
    assert!(!found.err.contains("a.toml"), "{}", found.err);
    let empty = TempDir::new().unwrap();
    let empty = empty.path().to_str().unwrap();
    run(&["check", empty]).refuses(&[empty, "expected scenario files (*.toml)"]);
    let (a, b) = (files.at("a.toml"), files.at("b.toml"));
    let saved = files.at("saved.json");
    for flags in [
        &["--witness", "1=0"][..],
        &["--save-trace", &saved],
        &["--checkpoint", &saved],
        &["--engine", "timely"],
    ] {
        run(&[&["check", &a, &b], flags].concat()).refuses(&[&format!(
            "found {} ",
            flags[..flags.len() - usize::from(flags[0] != "--engine")].join(" ")
        )]);
    }
    run(&["check", &a, "--modules", "/"]).refuses(&["cannot be used with"]);
}

#[test]
fn a_ci_reads_junit() {
    let files = Files::new();
    let junit = files.at("junit.xml");
    run(&["check", &files.directory(), "--junit", &junit]).exits(1);
    let text = std::fs::read_to_string(&junit).unwrap();
    for part in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"kmodcheck\" tests=\"23\"",
        "<testsuite name=",
        "<testcase name=\"no-false-success\" classname=",
        "<failure message=\"violated (",
        "expected holds\"",
        "modprobe: exits 0",
        "<skipped message=\"not applicable, expected not violated\"/>",
        "<testcase name=\"~exists\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The same bytes each time; and of one subject, with the verdicts as they always were.
    run(&["check", &files.directory(), "--junit", &junit]).exits(1);
    assert_eq!(std::fs::read_to_string(&junit).unwrap(), text);
    let a = files.at("a.toml");
    let alone = run(&["check", &a]).exits(0).out;
    assert_eq!(run(&["check", &a, "--junit", &junit]).exits(0).out, alone);
    let text = std::fs::read_to_string(&junit).unwrap();
    assert!(text.contains("failures=\"0\" errors=\"0\"") && !text.contains("<failure"), "{text}");
    // Undecided is an error to a CI, and what cannot be written is refused first.
    run(&["check", "race", "--states-limit", "3", "--junit", &junit]).exits(3);
    assert!(std::fs::read_to_string(&junit).unwrap().contains("<error message=\"out of budget"));
    let nowhere = files.at("no/such.xml");
    run(&["check", &a, "--junit", &nowhere]).refuses(&[&format!("kmodcheck: {nowhere}: ")]);
    assert!(Path::new(&junit).exists());
}
