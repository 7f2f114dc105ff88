//! One grammar of what a command is about: every command on every form of it, and with the same changes
//! beside it. What has no meaning says what was found and what was expected.

use std::path::Path;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Run, fixture, run};
use crate::serve::Server;

/// Releases without the race: what is said of it changes under them.
const NEWER: [&str; 4] = ["--kernel", "v6.2", "--kmod", "v30"];

/// The forms of a subject, in the order of the columns of [`COMMANDS`].
const FORMS: [&str; 9] = [
    "a scenario in TOML",
    "a scenario in JSON",
    "a saved trace",
    "a recorded trace",
    "a witness",
    "'race'",
    "a cell of the main matrix",
    "module indexes",
    "a cell of the grand matrix",
];

/// What each command does with each form: `x` it takes it, `r` it expects a run, `v` one that violates.
const COMMANDS: [(&str, &str); 15] = [
    ("check", "xxxxxxxxx"),
    ("export --format promela", "xxxxxxxxx"),
    ("step", "xxxxxxxxx"),
    ("serve --port 0", "xxxxxxxxx"),
    ("prove --callers 1", "xxxxxxxxx"),
    ("progress", "xxxxxxxxx"),
    ("sample --executions 40", "xxxxxxxxx"),
    ("fixes --max-size 1", "xxxxxxxxx"),
    ("accept LOG --format events --scenario", "xxxxxxxxx"),
    ("trace", "rrxxxrrrr"),
    ("replay", "rrxxxrrrr"),
    ("steer", "rrxxxrrrr"),
    ("reproduce --recorder /no/such/recorder", "rrxxvrrrr"),
    ("report --out OUT.html", "xxxxxxxxx"),
    ("evidence --out OUT", "xxxxxxxxx"),
];

struct Files {
    directory: TempDir,
    forms: Vec<Vec<String>>,
}

impl Files {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties");
        let toml = root.join("scenarios/v19-race.toml").display().to_string();
        let trace = at("trace.json");
        let finds_it = ["--property", "get-fs-type-finds-it"];
        run(&[&["check", &toml, "--save-trace", &trace][..], &finds_it].concat()).exits(0);
        let saved: Value = serde_json::from_str(&std::fs::read_to_string(&trace).unwrap()).unwrap();
        let json = at("scenario.json");
        std::fs::write(&json, saved["scenario"].to_string()).unwrap();
        let witness = at("witness.json");
        run(&["check", &toml, "--witness", "1=NULL", "--save-trace", &witness]).exits(0);
        let recorded = std::fs::read_dir(root.join("traces")).unwrap();
        let mut recorded: Vec<_> = recorded.map(|entry| entry.unwrap().path()).collect();
        recorded.retain(|path| path.to_str().unwrap().contains("get-fs-type-finds-it"));
        recorded.sort();
        let recorded = recorded[0].display().to_string();
        // A log of its first steps.
        let head = json!({"format": "kmodcheck-events", "version": 1, "hidden": []});
        let steps =
            saved["steps"].as_array().unwrap().iter().map(
                |s| json!({"actor": s["actor"], "function": s["function"], "what": s["what"]}),
            );
        let lines: Vec<String> =
            std::iter::once(head).chain(steps).map(|l| l.to_string()).collect();
        std::fs::write(at("log"), lines.join("\n")).unwrap();
        let modules = fixture().display().to_string();
        let forms = [
            &[toml.as_str()][..],
            &[&json],
            &[&trace],
            &[&recorded],
            &[&witness],
            &["race"],
            &["fs-ext4 ok v19 none none"],
            &["--modules", &modules, "--module", "loop"],
            &["--env", "ok", "--naming", "plain"],
        ];
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self { forms: forms.map(owned).to_vec(), directory }
    }

    /// The words of a command on a form.
    fn words(&self, command: &str, form: &[String], more: &[&str]) -> Vec<String> {
        let at = |name: &str| self.directory.path().join(name).display().to_string();
        let mut words: Vec<String> = command
            .split(' ')
            .map(|word| match word {
                "LOG" => at("log"),
                "OUT" => at("out"),
                "OUT.html" => at("out.html"),
                word => word.to_owned(),
            })
            .collect();
        if form[0].starts_with('-') && words.last().is_some_and(|word| word == "--scenario") {
            words.pop();
        }
        words.extend(form.iter().cloned());
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    }

    fn run(&self, command: &str, form: &[String], more: &[&str]) -> Run {
        let words = self.words(command, form, more);
        if command.starts_with("serve") {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (status, ahead) = Server::of(&words).ahead();
            assert_eq!(status, 200, "{words:?}: {ahead}");
            return Run { status: Some(0), out: ahead, err: String::new() };
        }
        let mut process = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
        // For `step`: can it go wrong from here?
        let mut found = Run::of(process.args(words).write_stdin("w\n").output().unwrap());
        // What is written counts as said.
        for (page, file) in [("report", "out.html"), ("evidence", "out/README.md")] {
            if command.starts_with(page) {
                let path = self.directory.path().join(file);
                found.out += &std::fs::read_to_string(&path).unwrap_or_default();
                let _ = std::fs::remove_file(path);
            }
        }
        found
    }
}

#[test]
fn every_command_reads_every_form_of_a_subject() {
    let files = Files::new();
    for (command, takes) in COMMANDS {
        for ((form, name), takes) in files.forms.iter().zip(FORMS).zip(takes.chars()) {
            let found = files.run(command, form, &[]);
            let said = format!("{command}, {name}: {found:?}");
            match takes {
                // Nothing is recorded here, but the run was read, and found to be one.
                'x' if command.starts_with("reproduce") => {
                    assert!(found.err.contains("/no/such/recorder"), "{said}");
                }
                'x' => {
                    assert!(matches!(found.status, Some(0 | 1)) && !found.out.is_empty(), "{said}");
                    // Of several systems it is said that there are several.
                    let several = found.err.contains(" to go through, on ")
                        && (name.contains("grand") || command.starts_with("fixes"));
                    assert!(found.err.is_empty() || several, "{said}");
                }
                'r' => {
                    let place = if form[0].starts_with("--env") { "--env ok" } else { &form[0] };
                    let place = if place == "--modules" { &form[1] } else { place };
                    let parts = [place, "found a scenario, expected a run: a saved trace"];
                    found.refuses(&parts);
                }
                'v' => {
                    found.refuses(&[&form[0], "expected one of a property that a step violates"]);
                }
                _ => unreachable!("a mark of the table"),
            }
        }
    }
}

/// A subject's own releases are replaced, whatever it is and whichever command reads it.
#[test]
fn every_command_heeds_the_switches_beside_it() {
    let files = Files::new();
    for (command, takes) in COMMANDS {
        for ((form, name), takes) in files.forms.iter().zip(FORMS).zip(takes.chars()) {
            if takes != 'x' || command.starts_with("reproduce") {
                continue;
            }
            let (own, newer) = (files.run(command, form, &[]), files.run(command, form, &NEWER));
            let said = format!("{command}, {name}: {newer:?}");
            // A log of another system is refused at its first line, whatever the releases.
            if command.starts_with("accept") && own.status == Some(1) {
                continue;
            }
            // A run of the one is none of the other.
            let is_run = ["trace", "replay", "steer"].contains(&command);
            if is_run {
                assert_eq!(newer.status, Some(1), "{said}");
                assert!(newer.err.contains("is impossible"), "{said}");
            } else {
                let several = newer.err.contains(" to go through, on ")
                    && (name.contains("grand") || command.starts_with("fixes"));
                let quiet = newer.err.is_empty() || several;
                assert!(matches!(newer.status, Some(0 | 1)) && quiet, "{said}");
            }
            assert_ne!(own.out, newer.out, "{said}");
        }
    }
    // What a switch alone changes.
    let race = "--with=bare-directory=coming";
    for form in &files.forms {
        let found = files.run("check", form, &[race]);
        assert!(found.out.contains(", with bare-directory=coming"), "{form:?}: {found:?}");
        let no_wait = files.run("check", form, &["--timeouts", "--limit", "1"]);
        assert!(no_wait.out.contains("at most 1 request runs at a time"), "{form:?}: {no_wait:?}");
        assert!(no_wait.words().contains("may be over at any moment"), "{form:?}: {no_wait:?}");
    }
}

/// What cannot stand together, or says nothing of the system, is refused, not left aside.
#[test]
fn what_has_no_meaning_beside_a_subject_is_refused() {
    let files = Files::new();
    let (toml, modules) = (&files.forms[0][0][..], fixture());
    let modules = ["--modules", modules.to_str().unwrap()];
    fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [words, more].concat()
    }
    for command in ["check", "step", "serve", "progress", "sample", "fixes"] {
        run(&[command, toml, "--callers", "3"]).refuses(&["--callers", toml, "which says who"]);
    }
    for command in ["check", "step", "prove", "progress", "sample", "fixes", "replay"] {
        run(&with(&[command, toml], &modules)).refuses(&["cannot be used with"]);
        run(&[command, toml, "--env", "ok"]).refuses(&["cannot be used with", "--env"]);
        run(&with(&with(&[command], &modules), &["--env", "ok"])).refuses(&["cannot be used with"]);
        run(&with(&[command], &modules)).refuses(&["alone, expected --fs FS or --module NAME"]);
        run(&[command, toml, "--fs", "ext4"]).refuses(&["cannot be used with", "--fs"]);
        run(&[command, "nosuch"]).refuses(&["found scenario 'nosuch', expected a file"]);
        run(&[command, "no/such.toml"]).refuses(&["no/such.toml", "No such file"]);
        run(&[command, toml, "--with", "nosuch"]).refuses(&["nosuch", "expected"]);
    }
    // Without a system there is nothing to change.
    for command in ["prove", "progress", "progress --hard-cases"] {
        let words: Vec<&str> = command.split(' ').collect();
        for flag in [&["--with", "already-live"][..], &["--limit", "2"], &["--timeouts"]] {
            run(&with(&words, flag)).refuses(&[flag[0], "no SUBJECT"]);
        }
    }
    let out = files.directory.path().join("pages").display().to_string();
    for page in ["report", "evidence"] {
        let page = [page, "--out", &out];
        for flag in
            [&["--kernel", "v6.2"][..], &["--kmod", "v30"], &["--limit", "2"], &["--timeouts"]]
        {
            run(&with(&page, flag)).refuses(&[flag[0], "no SUBJECT"]);
        }
    }
    for flag in [&["--times"][..], &["--certificates", "."]] {
        run(&with(&["report", "race", "--out", &out], flag)).refuses(&[flag[0], "beside a system"]);
    }
    for command in ["check", "replay", "trace", "steer", "sample"] {
        run(&[command]).refuses(&["SUBJECT", "expected a file", "--modules DIR", "--env E"]);
    }
    let log = files.directory.path().join("log");
    let log = ["accept", log.to_str().unwrap(), "--format"];
    run(&with(&log, &["events"])).refuses(&["expected --scenario SUBJECT"]);
    for flag in [&["--scenario", "race"][..], &["--env", "ok"], &["--limit", "2"], &["--timeouts"]]
    {
        run(&[&log[..], &["ftrace"], flag].concat()).refuses(&[flag[0], "--format events"]);
    }
}

/// The pages of one system: each verdict, each violation to be read and to be replayed, and the same bytes
/// each time. They end as `check` does.
#[test]
fn a_system_has_pages_of_its_own() {
    let files = Files::new();
    let at = |name: &str| files.directory.path().join(name).display().to_string();
    let (html, again) = (at("a.html"), at("b.html"));
    run(&["report", "race", "--out", &html]).exits(1);
    run(&["report", "race", "--out", &again, "--threads", "1"]).exits(1);
    let text = std::fs::read_to_string(&html).unwrap();
    assert_eq!(text, std::fs::read_to_string(&again).unwrap());
    for part in [
        "kernel v4.9, kmod v19",
        "<svg",
        "id=\"get-fs-type-finds-it\"",
        "in 21 steps",
        "no file system: returns NULL",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("http:") && !elsewhere.contains("https:"), "needs nothing else");
    let (directory, second) = (at("evidence"), at("second"));
    run(&["evidence", "race", "--out", &directory]).exits(1);
    run(&["evidence", "race", "--out", &second, "--threads", "1"]).exits(1);
    let page = std::fs::read_to_string(format!("{directory}/README.md")).unwrap();
    assert_eq!(page, std::fs::read_to_string(format!("{second}/README.md")).unwrap());
    let row = "| get-fs-type-finds-it | violated, [in 21 steps](traces/get-fs-type-finds-it-21.md";
    assert!(page.contains(row), "{page}");
    let trace = format!("{directory}/traces/get-fs-type-finds-it-21.json");
    run(&["replay", &trace]).exits(0);
    run(&["check", &format!("{directory}/scenario.json")]).says("violated (20 steps)");
    // What holds, and is expected to hold, is said, too; a search that was cut says so.
    run(&["evidence", "race", "--kmod", "v20", "--out", &second]).exits(0);
    let page = std::fs::read_to_string(format!("{second}/README.md")).unwrap();
    assert!(page.contains("| no-false-success | holds |"), "{page}");
    run(&["report", "race", "--kmod", "v20", "--states-limit", "50", "--out", &html]).exits(3);
    let text = std::fs::read_to_string(&html).unwrap();
    assert!(text.contains("out of budget") && !text.contains(">holds<"), "{text}");
}

/// A built-in system is the same under both its names, although only of one it is known which switches its
/// steps read.
#[test]
fn what_mends_a_system_does_not_depend_on_how_it_is_named() {
    let json = |more: &[&str]| -> Value {
        let words = [&["fixes", "--max-size", "2", "--json"], more].concat();
        serde_json::from_str(&run(&words).exits(0).out).unwrap()
    };
    let by_name = json(&["fs-ext4 fail v19 none none"]);
    let by_cell = json(&["--env", "fail", "--naming", "fs-module"]);
    assert!(!by_cell["sufficient"].as_array().unwrap().is_empty(), "{by_cell}");
    for field in ["base", "sufficient", "rejected", "sets", "kernel", "kmod"] {
        assert_eq!(by_name[field], by_cell[field], "{field}");
    }
    assert!(by_name["systems"].as_u64() > by_cell["systems"].as_u64());
    let unread = |json: &Value| json["unread_switches"].as_array().map_or(0, Vec::len);
    assert!(unread(&by_name) == 0 && unread(&by_cell) > 0);
}

/// `-` is what standard input has.
#[test]
fn a_subject_is_read_from_standard_input() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let given = |text: &[u8], arguments: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kmodcheck"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who is refused before it is read reads nothing.
        if let Err(error) = child.stdin.take().unwrap().write_all(text) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        Run::of(child.wait_with_output().unwrap())
    };
    let file = b"[[module]]\nname = 'ext4'\naliases = ['fs-ext4']\n\
                 [[actor]]\ncall = 'get_fs_type'\nname = 'ext4'\ncount = 2\n";
    given(file, &["check", "-"]).exits(1).says("standard input\n");
    given(file, &["check", "-", "--kmod", "v20"]).exits(0);
    given(b"[[module]]\nnome = 'x'\n", &["check", "-"]).refuses(&["standard input:2:1", "nome"]);
    given(b"\n\xff", &["check", "-"]).refuses(&["standard input:2: expected UTF-8"]);
    given(file, &["check", "-", "--callers", "2"]).refuses(&["--callers beside a file"]);
}
