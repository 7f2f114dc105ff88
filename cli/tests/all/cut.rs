//! A search that was cut gives no verdict, whichever command runs it, and is no difference from what
//! was recorded; a difference is said, whatever was cut beside it.

use crate::common::run;
use serde_json::Value;

/// So few that no search ends by itself, and none finds anything.
const FEW: [&str; 2] = ["--states-limit", "10"];

/// The part of the matrix that is asked for.
const CELL: [&str; 8] = ["--kernel", "v4.9", "--kmod", "v19", "--env", "ok", "--naming", "plain"];

/// Every command that searches, with its output as JSON or not.
fn searches() -> Vec<Vec<&'static str>> {
    let with = |command: &[&'static str]| [command, &FEW].concat();
    let cell = |command: &'static str| [&[command][..], &CELL, &FEW].concat();
    let scenario =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/scenarios/self-request.toml");
    vec![
        FEW.to_vec(),
        with(&["check", scenario]),
        cell("matrix"),
        cell("prove"),
        with(&["prove", "race"]),
        cell("progress"),
        with(&["progress", "race"]),
        with(&["progress", "--hard-cases"]),
        with(&["fixes", "--max-size", "1"]),
        with(&["fixes", "--max-size", "1", "--property", "nobody-sleeps-for-ever"]),
        with(&["kmod-sh", "--kernel", "v4.9", "--kmod", "v19"]),
        with(&["report", "--out", concat!(env!("CARGO_TARGET_TMPDIR"), "/cut.html")]),
        with(&["evidence", "--out", concat!(env!("CARGO_TARGET_TMPDIR"), "/cut")]),
    ]
}

/// Every verdict in the output, wherever it is.
fn verdicts(value: &Value, found: &mut Vec<String>) {
    match value {
        // Some are so small that so few states are all.
        Value::Object(fields) if fields.get("end").is_some_and(|end| end == "complete") => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let says = matches!(&name[..], "verdict" | "outcome" | "holds" | "as_expected");
                if says || matches!(&name[..], "stuck" | "false_alarm") {
                    found.push(value.to_string());
                }
                verdicts(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| verdicts(value, found)),
        _ => {}
    }
}

#[test]
fn no_command_gives_a_verdict_of_what_was_cut() {
    for command in searches() {
        let text = run(&command).exits(3);
        for word in ["differs", "DIFFERS", "expected returns", "FALLS", "NOT NEEDED", "suffices."] {
            let said = text.out.contains(word) || text.err.contains(word);
            assert!(!said, "{command:?} says '{word}': {}{}", text.out, text.err);
        }
        let said = text.out.lines().find(|line| {
            let word = line.split_once(": ").map_or("", |(_, rest)| rest);
            *line == "as it is: violated" || word.starts_with("violated") || word == "holds"
        });
        assert_eq!(said, None, "{command:?}");
        if matches!(command[0], "report" | "evidence") {
            continue; // They write files.
        }
        let json = run(&[&command[..], &["--json"]].concat()).exits(3);
        let json: Value = serde_json::from_str(&json.out).unwrap();
        let mut found = Vec::new();
        verdicts(&json, &mut found);
        assert!(!found.is_empty(), "{command:?}: {json}");
        found.retain(|word| {
            // A case of one thread may end, or fail, within so few states.
            let kmod_sh =
                command[0] == "kmod-sh" && ["\"passes\"", "\"fails\""].contains(&&word[..]);
            let none = ["out of budget", "not decided", "not applicable", "not asked", "undecided"];
            !kmod_sh && word != "null" && !none.contains(&word.trim_matches('"'))
        });
        assert_eq!(found, Vec::<String>::new(), "{command:?}");
        let differences = json.get("differences_from_the_record");
        assert!(differences.is_none_or(|d| *d == Value::Array(Vec::new())), "{command:?}");
    }
}

/// A violation that nobody expected is found before the limit: both at once are a difference.
#[test]
fn a_difference_is_said_whatever_was_cut_beside_it() {
    let check = ["--fs", "ext4", "--states-limit", "2400"];
    let both = crate::common::check(&check).exits(1);
    both.says("violated (69 steps)").says("out of budget");
    // Of two walks one is left out, and the other violates.
    let directory = tempfile::tempdir().unwrap();
    let part = directory.path().join("part.jsonl");
    let part = part.to_str().unwrap();
    run(&["sample", "race", "--shard", "1/2", "--out", part]).exits(1);
    let both = run(&["merge", "--partial", part]).exits(1);
    assert!(both.err.contains("out of budget"), "{}", both.err);
}

/// Each limit is heeded by every command that has it.
#[test]
fn every_limit_cuts() {
    for limit in [["--time-limit", "0"], ["--memory-limit", "0"]] {
        for mut command in searches() {
            let at = command.iter().position(|word| *word == FEW[0]).expect("it has one");
            command.splice(at..at + 2, limit);
            run(&command).exits(3);
        }
    }
}
