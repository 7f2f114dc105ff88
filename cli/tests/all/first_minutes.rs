//! What goes wrong in the first minutes: a slip, a wrong file, a place that cannot be written to, Ctrl-C. Each
//! says what is meant, at once, and in a line that begins.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::common::{Run, fixture, run};

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/scenarios");
const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/traces");
const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/certificates");

fn race() -> String {
    format!("{SCENARIOS}/v19-race.toml")
}

/// The first file of a directory, by name.
fn some_file(directory: &str) -> String {
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    files[0].display().to_string()
}

/// Every command that writes, with the option that says where; nothing that it does takes long enough to be
/// worth losing, but it would be printed if it were done.
fn writers(trace: &str, part: &str) -> Vec<(Vec<String>, &'static str, bool)> {
    let race = race();
    let cell = "prove --kernel v4.9 --kmod v19 --env ok --naming plain";
    let files = [
        (format!("check {race}"), "--save-trace"),
        (format!("check {race} --witness 1=NULL"), "--save-trace"),
        (format!("check {race} --engine timely"), "--save-trace"),
        (format!("trace {trace}"), "--save"),
        ("sample race --executions 30".to_owned(), "--out"),
        ("sample race --only 3 --property no-false-success".to_owned(), "--save-trace"),
        (format!("merge {part}"), "--out"),
        ("report".to_owned(), "--out"),
        ("export race --format promela".to_owned(), "--out"),
        ("report race".to_owned(), "--out"),
    ];
    let directories = [
        (format!("check {race}"), "--checkpoint"),
        ("prove race".to_owned(), "--certificates"),
        (cell.to_owned(), "--certificates"),
        ("evidence".to_owned(), "--out"),
        ("evidence race".to_owned(), "--out"),
        ("man".to_owned(), ""),
    ];
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let files = files.into_iter().map(|(line, option)| (words(&line), option, false));
    let directories = directories.into_iter().map(|(line, option)| (words(&line), option, true));
    files.chain(directories).collect()
}

/// A place that cannot be written to is refused before anything is searched for, so that nothing is printed,
/// and by the name that was given: no other one is in the message. What is only made when it is needed (a
/// directory) is not refused.
#[test]
fn output_paths_are_tried_before_the_search() {
    // By a name that is not like those of temporary files.
    let directory = tempfile::Builder::new().prefix("places").tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let (trace, part) = (place("trace.json"), place("part.jsonl"));
    run(&["check", &race(), "--save-trace", &trace]).exits(0);
    run(&["sample", "race", "--executions", "30", "--out", &part]).exits(1);
    std::fs::write(place("file"), "").unwrap();
    std::fs::create_dir(place("directory")).unwrap();
    let there = || std::fs::read_dir(directory.path()).unwrap().count();
    let before = there();
    for (words, option, is_directory) in writers(&trace, &part) {
        let mut places = vec![place("file/below"), "/proc/kmodcheck".to_owned()];
        places.push(place(if is_directory { "file" } else { "directory" }));
        places.extend((!is_directory).then(|| place("no/such")));
        for to in places {
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.extend([option, &to].into_iter().filter(|word| !word.is_empty()));
            let found = run(&words).refuses(&[&format!("kmodcheck: {to}: ")]);
            assert_eq!(found.err.lines().count(), 1, "{words:?}: {}", found.err);
            assert!(!found.err.contains(".tmp"), "{words:?}: {}", found.err);
            assert_eq!(there(), before, "{words:?} has left something");
        }
    }
    // Recording needs programs that may not be there; this is asked first.
    let recorder = race();
    let out = place("file/below");
    let reproduce = ["reproduce", &trace, "--recorder", &recorder, "--out", &out];
    run(&reproduce).refuses(&[&format!("kmodcheck: {out}: ")]);
    // What could be written to is not there when nothing came of it, and is made when something did.
    let (cut, made) = (place("cut/certificates"), place("made/certificates"));
    run(&["evidence", "--out", &cut, "--states-limit", "5"]).exits(3);
    assert!(!Path::new(&place("cut")).exists());
    run(&["prove", "race", "--kmod", "v20", "--callers", "1", "--certificates", &made]).exits(0);
    assert_eq!(std::fs::read_dir(made).unwrap().count(), 1);
}

/// Every way to be refused begins with what is wrong, in its first line, and without colours on a pipe.
#[test]
fn an_error_begins_with_what_is_wrong() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let toml = at("wrong.toml", "[features]\nkernal = 'v4.9'\nkmod = 'v3'\n");
    let json = at("wrong.json", "{ \"format\": \"kmodcheck-trace\", \"version\": 2 }");
    let litmus = at("wrong.litmus", "C wrong\n{}\nP0(int *x) { srcu_read_lock(x); }\n");
    for words in [
        &["check", &toml][..],
        &["check", &litmus],
        &["step", &toml],
        &["serve", &toml],
        &["prove", &toml],
        &["trace", &toml],
        &["fixes", &toml],
        &["compare", &toml, "--kmod", "v19", "--kmod", "v20"],
        &["check", &json],
        &["trace", &json],
        &["verify", &json],
        &["merge", &json],
        &["check", "nosuch"],
        &["check", "no/such"],
        &["check", "--kernel", "v6.12"],
        &["nosuch"],
        &["check", "race", "--with", "nosuch"],
    ] {
        let found = run(words).refuses(&[]);
        let first = found.err.lines().next().unwrap_or_default();
        let begins = first.strip_prefix("kmodcheck: ").or(first.strip_prefix("error: "));
        assert!(begins.is_some_and(|what| what.len() > 10), "{words:?}: {}", found.err);
        assert!(!found.err.contains('\u{1b}'), "{words:?}: {}", found.err);
    }
    // Both faults of the file, in its order.
    let found = run(&["check", &toml]).refuses(&["did you mean 'kernel'?", "found kmod 'v3'"]);
    let at = |part: &str| found.err.find(part).unwrap();
    assert!(at("wrong.toml:2:1") < at("wrong.toml:3:8"), "{}", found.err);
}

/// A release that is no preset is answered with the nearest older one, anything else with what is spelled like
/// it; which there are is said, too.
#[test]
fn what_was_likely_meant_is_said() {
    let slips: [(&[&str], &[&str]); 14] = [
        (
            &["matrix", "--kernel", "v6.13"],
            &["nearest older preset is 'v6.12'", "v5.11, v5.17, v6.2"],
        ),
        (
            &["matrix", "--kmod", "v29"],
            &[
                "'v27'; 'v30', the next, differs from it in dependencies-not-builtin",
                "v5, v19, v20",
            ],
        ),
        (&["matrix", "--kernel", "v4.14"], &["'v4.13'"]),
        (&["mutants", "--kernel", "6.13"], &["'v6.12'"]),
        (&["fixes", "--pin", "v29"], &["'v27'"]),
        (&["fixes", "--env", "fial"], &["did you mean 'fail'?", "limit-2"]),
        (&["matrix", "--naming", "fs-modul"], &["did you mean 'fs-module'?"]),
        (&["check", "race", "--property", "no-false-alarms"], &["did you mean 'no-false-alarm'?"]),
        (
            &["check", "race", "--expect", "no-false-sucess=holds"],
            &["did you mean 'no-false-success'?", "nobody-sleeps-for-ever"],
        ),
        (
            &["check", "race", "--with", "alias-mop=exact"],
            &["did you mean 'alias-map'?", "bare-dir"],
        ),
        (&["check", "race", "--with", "alias-map=exakt"], &["did you mean 'exact'?", "prefix"]),
        (&["check", "race", "--without", "alredy-live"], &["did you mean 'already-live'?"]),
        (&["check", "rase"], &["did you mean 'race'?", "expected a file"]),
        (&["check", "fs-ext4 ok v19 none nome"], &["did you mean 'fs-ext4 ok v19 none none'?"]),
    ];
    for (words, parts) in slips {
        let found = run(words).refuses(parts);
        let once =
            ["did you mean", "similar", "nearest"].map(|part| found.err.matches(part).count());
        assert_eq!(once.iter().sum::<usize>(), 1, "{words:?}: {}", found.err);
    }
}

/// What a file is that a command does not take, and which one does.
#[test]
fn a_file_that_a_command_does_not_take_is_told_what_it_is() {
    let directory = TempDir::new().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let (trace, witness, part, json) =
        (place("trace.json"), place("witness.json"), place("part.jsonl"), place("check.json"));
    run(&["check", &race(), "--save-trace", &trace]).exits(0);
    run(&["check", &race(), "--witness", "1=NULL", "--save-trace", &witness]).exits(0);
    run(&["sample", "race", "--executions", "30", "--out", &part]).exits(1);
    std::fs::write(&json, run(&["check", &race(), "--json"]).out).unwrap();
    let (log, tracefs) = (place("log.jsonl"), place("tracefs.log"));
    std::fs::write(&log, "{\"format\":\"kmodcheck-events\",\"version\":1,\"hidden\":[]}\n")
        .unwrap();
    std::fs::write(&tracefs, "# tracer: nop\n#\n").unwrap();
    let files = [
        (race(), "a scenario", "kmodcheck check"),
        (trace, "a saved trace", "kmodcheck trace"),
        (some_file(TRACES), "a recorded trace", "kmodcheck trace"),
        (witness, "a witness", "kmodcheck trace"),
        (some_file(CERTIFICATES), "a certificate", "kmodcheck verify"),
        (part, "a part of a campaign", "kmodcheck merge"),
        (log, "a log of events", "--format events"),
        (tracefs, "a log of tracefs", "--format ftrace"),
        (json, "what --json prints", "no command reads that"),
    ];
    // What each of them takes, in the order above.
    let commands: [(&[&str], &str); 8] = [
        (&["check", "FILE"], "xxxx-----"),
        (&["step", "FILE"], "xxxx-----"),
        (&["trace", "FILE"], "-xxx-----"),
        (&["replay", "FILE"], "-xxx-----"),
        (&["steer", "FILE"], "-xxx-----"),
        (&["verify", "FILE"], "----x----"),
        (&["merge", "FILE"], "-----x---"),
        (&["accept", "FILE", "--format", "events", "--scenario", "race"], "------x--"),
    ];
    for (command, takes) in commands {
        for ((file, what, taker), takes) in files.iter().zip(takes.chars()) {
            let words: Vec<&str> =
                command.iter().map(|word| if *word == "FILE" { file } else { *word }).collect();
            if takes == '-' {
                run(&words)
                    .refuses(&[&format!("kmodcheck: {file}: found {what}, expected "), taker]);
            } else {
                let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
                let taken = Run::of(command.args(&words).write_stdin("").output().unwrap());
                assert!(matches!(taken.status, Some(0 | 1)), "{words:?}: {taken:?}");
            }
        }
    }
}

/// Of a file of another version the version is underlined, of one of another format the format.
#[test]
fn what_is_wrong_with_the_head_of_a_file_is_underlined() {
    let directory = TempDir::new().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let (trace, witness, part, log) =
        (place("trace.json"), place("witness.json"), place("part.jsonl"), place("log.jsonl"));
    run(&["check", &race(), "--save-trace", &trace]).exits(0);
    run(&["check", &race(), "--witness", "1=NULL", "--save-trace", &witness]).exits(0);
    run(&["sample", "race", "--executions", "30", "--out", &part]).exits(1);
    std::fs::write(&log, "{\"format\":\"kmodcheck-events\",\"version\":1,\"hidden\":[]}\n")
        .unwrap();
    let commands: [(&[&str], &str); 6] = [
        (&["trace"], &trace),
        (&["trace"], &witness),
        (&["trace"], &some_file(TRACES)),
        (&["verify"], &some_file(CERTIFICATES)),
        (&["merge"], &part),
        (&["accept", "--format", "events", "--scenario", "race"], &log),
    ];
    for (command, file) in commands {
        let text = std::fs::read_to_string(file).unwrap();
        let at = text.find("\"version\":").unwrap() + "\"version\":".len();
        let end = at + text[at..].find(',').unwrap();
        let other = place("other.json");
        std::fs::write(&other, format!("{} 4711{}", &text[..at], &text[end..])).unwrap();
        let found = run(&[command, &[&other]].concat()).refuses(&["version 4711, expected"]);
        let mut shown = found.err.lines().rev();
        let (mark, line) = (shown.next().unwrap(), shown.next().unwrap());
        let marked: String = (line.chars().zip(mark.chars()))
            .filter_map(|(c, mark)| (mark == '^').then_some(c))
            .collect();
        assert_eq!(marked, "4711", "{command:?}: {}", found.err);
    }
}

fn start(words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn press_ctrl_c(child: &Child) {
    let pressed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(pressed.unwrap().success());
}

/// Whether a process handles SIGINT itself by now.
#[cfg(target_os = "linux")]
fn is_listening(child: &Child) -> bool {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .is_some_and(|bits| bits & 2 > 0)
}

/// Ctrl-C leaves `step` while it waits for a line, also after a search, which it ends.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_the_prompt() {
    for script in ["", "w\n"] {
        let mut child = start(&["step", "race"]);
        let mut keys = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        keys.write_all(script.as_bytes()).unwrap();
        let mut line = String::new();
        let last = if script.is_empty() { "2) CPU1" } else { "from here" };
        while !line.contains(last) {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "'{script}': it has ended");
        }
        // From the answer to the prompt there is a moment.
        while !is_listening(&child) {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        press_ctrl_c(&child);
        // With its input still open, and without a second one.
        let mut ended = None;
        for _ in 0..600 {
            ended = ended.or(child.try_wait().unwrap());
            if ended.is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let _ = child.kill();
        assert_eq!(ended.and_then(|status| status.code()), Some(3), "'{script}'");
        drop(keys);
    }
}

/// What was interrupted says so, not that a budget was spent, and ends with 3, whatever was found by then.
#[cfg(target_os = "linux")]
#[test]
fn what_was_interrupted_says_so() {
    let indexes = fixture().display().to_string();
    let large = ["--modules", &indexes, "--fs", "btrfs", "--callers", "8", "--no-symmetry"];
    let commands: [(&[&str], &str); 4] = [
        (&[&["check"], &large[..]].concat(), "no-false-alarm "),
        (&["sample", "race", "--executions", "1000000000"], "violated in "),
        (&["prove"], "systems: "),
        (&["progress"], "systems: "),
    ];
    for (words, said) in commands {
        let mut patience = 500;
        loop {
            let child = start(words);
            while !is_listening(&child) {
                std::thread::yield_now();
            }
            std::thread::sleep(std::time::Duration::from_millis(patience));
            press_ctrl_c(&child);
            let found = Run::of(child.wait_with_output().unwrap()).exits(3);
            let all = format!("{}{}", found.out, found.err);
            assert!(all.contains("interrupted"), "{words:?}: {all}");
            assert!(!all.contains("out of budget"), "{words:?}: {all}");
            if all.contains(said) {
                break;
            }
            // A slow machine had not found anything yet.
            patience *= 2;
            assert!(patience < 60_000, "{words:?}: no '{said}' in {all}");
        }
    }
}

/// What is drawn on a terminal while something is searched for stays on its line.
#[test]
fn progress_lines_do_not_wrap() {
    let indexes = fixture().display().to_string();
    let large = format!("check --modules {indexes} --fs btrfs --callers 8 --memory-limit 300");
    for columns in [40, 60, 80] {
        for words in [&large, "sample race --executions 300000", "matrix --env ok"] {
            let command = format!(
                "stty cols {columns} rows 24; {} {words} --time-limit 2 >/dev/null",
                env!("CARGO_BIN_EXE_kmodcheck")
            );
            let words = words.replace(" --env ok", "");
            let mut script = Command::new("script");
            script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
            let output = script.env("TERM", "xterm").output().expect("util-linux has `script`");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // Each time the line is drawn anew.
            let mut drawn = 0;
            for line in text.split(['\r', '\n']) {
                let line = plain(line);
                let said = ["states", "walks", "systems"].iter().any(|what| line.contains(what));
                if said && !line.starts_with("kmodcheck: ") {
                    drawn += 1;
                    assert!(line.chars().count() <= columns, "{columns}: {words}: '{line}'");
                }
            }
            assert!(drawn > 0, "{columns}: {words}: nothing was drawn: {text:?}");
        }
    }
}

/// Without what a terminal is told to do.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let end = |c: char| c.is_ascii_alphabetic();
    first
        + &parts.map(|part| part.split_once(end).map_or("", |(_, after)| after)).collect::<String>()
}

/// What goes through many systems says so where no bar is seen; of one system nothing is said.
#[test]
fn what_takes_long_says_what_it_begins() {
    let cell = ["--kernel", "v4.9", "--kmod", "v19", "--env", "ok"];
    for command in ["prove", "progress", "matrix"] {
        let found = run(&[&[command], &cell[..]].concat()).exits(0);
        let said = format!("kmodcheck: {command}: 3 to go through, on ");
        assert!(found.err.starts_with(&said), "{command}: {}", found.err);
        let one = run(&[&[command], &cell[..], &["--naming", "plain"]].concat()).exits(0);
        assert_eq!(one.err, "", "{command}");
    }
    let found =
        run(&["fixes", "race", "--property", "no-false-success", "--max-size", "1"]).exits(0);
    assert!(found.err.starts_with("kmodcheck: fixes: "), "{}", found.err);
    assert!(found.err.contains(" to go through, on "), "{}", found.err);
}

/// Who is there is said in the words of the kernel and of the shell.
#[test]
fn bounds_name_who_is_there() {
    let found = run(&["progress", "race"]).exits(0);
    let out = found.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(out.contains("2 of get_fs_type(\"ext4\"), no more"), "{out}");
    let file = "../properties/scenarios/reports/h1-request-succeeded-but-no-fs.toml";
    let found = run(&["prove", file]);
    let out = found.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(out.contains("1 of rmmod ext4"), "{out}");
}

/// Every manual page has what a manual page has; what is typed is completed with properties and switches.
#[test]
fn manual_pages_and_completions_tell_all() {
    let directory = TempDir::new().unwrap();
    run(&["man", directory.path().to_str().unwrap()]).exits(0);
    let pages: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(pages.len() > 20, "{pages:?}");
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let mut sections = text.lines().filter_map(|line| line.strip_prefix(".SH "));
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "EXAMPLES",
            "\"SEE ALSO\"",
        ] {
            assert!(
                sections.any(|found| found == section),
                "{page:?} has no {section} there: {text}"
            );
        }
        let (_, see) = text.split_once("\"SEE ALSO\"").unwrap();
        assert!(see.contains("modprobe") && see.contains("kmodcheck"), "{page:?}: {see}");
        let (_, statuses) = text.split_once("\"EXIT STATUS\"").unwrap();
        assert_eq!(statuses.split_once(".SH").unwrap().0.matches(".TP").count(), 4, "{page:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).exits(0).out;
        for offered in [
            "no-false-success",
            "no-false-success=violated",
            "bare-directory=coming",
            "delete-module-wakes",
            "v6.5+dup",
            "self-request",
        ] {
            assert!(script.contains(offered), "{shell} does not offer {offered}");
        }
    }
    // Examples are with the long help, as well.
    for command in ["check", "trace", "merge"] {
        run(&[command, "--help"]).exits(0).says("Examples:\n  kmodcheck ");
    }
}
