//! Every command heeds the flags that it has, and refuses the others.

use serde_json::{Value, json};

use crate::common::{Run, fixture, run};
use crate::serve::Server;

/// The flags that several commands have, with a value.
const FLAGS: [&[&str]; 5] = [
    &["--json"],
    &["--time-limit", "1"],
    &["--states-limit", "10"],
    &["--memory-limit", "1"],
    &["--threads", "1"],
];

/// Each command, and which of [`FLAGS`] it has, `x` or `-`.
pub const COMMANDS: [(&str, &str); 36] = [
    ("check", "xxxxx"),
    ("compare", "xxxxx"),
    ("export", "--x--"),
    ("new", "-----"),
    ("features", "x----"),
    ("review", "xxxxx"),
    ("mutants", "xxxxx"),
    ("text", "-----"),
    ("schema", "-----"),
    ("matrix", "xxxxx"),
    ("prove", "xxxxx"),
    ("verify", "x----"),
    ("progress", "xxxxx"),
    ("fixes", "xxxxx"),
    ("kmod-sh", "xxxxx"),
    ("machine", "xxxxx"),
    ("modprobe", "xxx--"),
    ("aliases", "x----"),
    ("replay", "x----"),
    ("accept", "x-x--"),
    ("covered", "xxxxx"),
    ("record", "x-x--"),
    ("steer", "-----"),
    ("reproduce", "xxx--"),
    ("trace", "x----"),
    ("report", "-xxxx"),
    ("step", "-xxx-"),
    ("serve", "-xxx-"),
    ("evidence", "-xxxx"),
    ("completions", "-----"),
    ("man", "-----"),
    ("sample", "xx--x"),
    ("merge", "x----"),
    ("", "xxxxx"),
    // Not in every use of it.
    ("progress race", "xxxx-"),
    ("progress --hard-cases", "xxxx-"),
];

#[test]
fn a_command_refuses_the_flags_that_it_does_not_have() {
    let help = run(&["--help"]).exits(0).out;
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    for line in list.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   ")) {
        let command = line.split_whitespace().next().unwrap();
        let listed = command == "help" || COMMANDS.iter().any(|(name, _)| *name == command);
        assert!(listed, "'{command}' is not in the table");
    }
    for (command, has) in COMMANDS {
        let words: Vec<&str> = command.split_whitespace().collect();
        let help = run(&[&words[..], &["--help"]].concat()).exits(0).out;
        for (flag, has) in FLAGS.iter().zip(has.chars()) {
            let told = help.lines().any(|line| line.trim_start().starts_with(flag[0]));
            assert!(told || has == '-', "'{command}' does not tell of {}", flag[0]);
            if has == 'x' {
                continue;
            }
            let refused = run(&[&words[..], flag].concat()).exits(2);
            let unexpected = format!("unexpected argument '{}'", flag[0]);
            let conflicts = refused.err.contains("cannot be used with");
            let refuses = refused.err.contains(&unexpected) || (words.len() > 1 && conflicts);
            assert!(refuses, "{command} {flag:?}: {}", refused.err);
        }
    }
}

/// A flag before the command would be the main job's.
#[test]
fn flags_follow_their_command() {
    for flag in FLAGS {
        run(&[flag, &["features"]].concat()).refuses(&["cannot be used with"]);
    }
    run(&["sample", "race", "--only", "0", "--json"]).refuses(&["cannot be used with"]);
    run(&["trace", "t.json", "--format", "svg", "--json"]).refuses(&["cannot be used with"]);
}

/// Each use of a command that heeds flags, short enough to be run; `OUT` is written to. What it is called
/// in [`COMMANDS`].
const USES: [(&str, &str); 19] = [
    ("check", "check race"),
    ("compare", "compare race --kmod v19 --kmod v20"),
    ("export", "export race --format promela --out OUT"),
    ("matrix", "matrix --kernel v4.9 --kmod v19 --env ok --naming plain"),
    ("prove", "prove --kernel v4.9 --kmod v19 --env ok --naming plain"),
    ("progress", "progress --kernel v4.9 --kmod v19 --env ok --naming plain"),
    ("fixes", "fixes --max-size 1"),
    ("kmod-sh", "kmod-sh --kernel v4.9 --kmod v19"),
    ("accept", "accept LOG --format events --scenario race"),
    ("report", "report --out OUT"),
    ("step", "step race"),
    ("evidence", "evidence --out OUT"),
    ("sample", "sample race"),
    ("", ""),
    ("features", "features"),
    ("aliases", "aliases --modules INDEXES"),
    ("replay", "replay TRACE"),
    ("trace", "trace TRACE"),
    ("progress race", "progress race"),
];

/// `-` refuses, and `x` is heeded: a search is cut, JSON is JSON. (`verify`, `merge`, `record` and `reproduce` have
/// tests of their own for their flags, `serve` in [`a_server_heeds_its_limits`].)
#[test]
fn a_command_heeds_the_flags_that_it_has() {
    let directory = tempfile::TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (trace, log) = (at("trace.json"), at("log"));
    run(&["check", "race", "--save-trace", &trace]).exits(1);
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(&trace).unwrap()).unwrap();
    let line =
        |s: &Value| json!({"actor": s["actor"], "function": s["function"], "what": s["what"]});
    let head = json!({"format": "kmodcheck-events", "version": 1, "hidden": ["modprobe"]});
    let steps = saved["steps"].as_array().unwrap().iter();
    let steps = steps.filter(|step| step["function"] != "modprobe").map(line);
    let lines: Vec<String> = [head].into_iter().chain(steps).map(|l| l.to_string()).collect();
    std::fs::write(&log, lines.join("\n")).unwrap();
    let has = |command: &str| COMMANDS.iter().find(|(name, _)| *name == command).unwrap().1;
    for (command, words) in USES {
        let words: Vec<String> = words
            .split_whitespace()
            .map(|word| match word {
                "OUT" => at("out"),
                "LOG" => log.clone(),
                "TRACE" => trace.clone(),
                "INDEXES" => fixture().display().to_string(),
                word => word.to_owned(),
            })
            .collect();
        let with = |flag: &[&str]| {
            let words = words.iter().map(String::as_str).chain(flag.iter().copied());
            let mut program = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
            // `step`: can it go wrong from here?
            Run::of(program.args(words).write_stdin("w\n").output().unwrap())
        };
        let limits = [&["--time-limit", "0"], &["--states-limit", "1"], &["--memory-limit", "0"]];
        for (limit, heeds) in limits.iter().zip(has(command).chars().skip(1)) {
            if heeds == 'x' {
                let cut = with(*limit);
                assert_eq!(cut.status, Some(3), "'{command}' {limit:?}: {cut:?}");
            }
        }
        if has(command).starts_with('x') {
            let json = with(&["--json"]);
            let lines = if command == "sample" { json.out.lines().count() } else { 1 };
            let values = serde_json::Deserializer::from_str(&json.out).into_iter::<Value>();
            let values: Vec<Value> = values.map(Result::unwrap).collect();
            assert_eq!(values.len(), lines, "'{command}' --json: {json:?}");
        }
    }
}

#[test]
fn a_server_heeds_its_limits() {
    for limit in [["--time-limit", "0"], ["--states-limit", "1"], ["--memory-limit", "0"]] {
        let words = [&["serve", "race", "--port", "0"][..], &limit].concat();
        let (_, ahead) = Server::of(&words).ahead();
        assert!(ahead.contains("\"complete\":false"), "{limit:?}: {ahead}");
    }
}

/// So many threads are at work: looked at from outside, until they are seen or the command ends.
#[cfg(target_os = "linux")]
#[test]
fn as_many_threads_work_as_are_asked_for() {
    let directory = tempfile::TempDir::new().unwrap();
    let out = directory.path().join("out").display().to_string();
    let indexes = fixture().display().to_string();
    let large = ["--modules", &indexes, "--fs", "btrfs", "--callers", "8"];
    let uses = [
        [&["check"], &large[..]].concat(),
        [&["compare", "--kmod", "v19", "--kmod", "v20"], &large[..]].concat(),
        vec!["sample", "race", "--executions", "100000000"],
        vec!["matrix"],
        vec!["prove"],
        vec!["progress"],
        vec!["fixes"],
        vec!["kmod-sh"],
        vec!["report", "--out", &out],
        vec!["evidence", "--out", &out],
        vec![],
    ];
    for words in uses {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kmodcheck"))
            .args(&words)
            // Long enough for any of them; none waits for its end.
            .args(["--threads", "9", "--time-limit", "20"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let tasks = format!("/proc/{}/task", child.id());
        let seen = loop {
            let at_work = std::fs::read_dir(&tasks).map_or(0, Iterator::count);
            if at_work >= 9 {
                break true;
            }
            if child.try_wait().unwrap().is_some() {
                break false;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        let _ = child.kill();
        let _ = child.wait();
        assert!(seen, "{words:?} has ended, and never had 9 threads");
    }
}
