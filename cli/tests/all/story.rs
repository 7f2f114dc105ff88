//! What `check`, `trace` and `replay` say of a run: a sentence before its columns, as few context switches as there can
//! be, as wide as told, and nothing in the wrong number.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Run, fixture, run};

fn scenario(name: &str) -> String {
    let file = format!("../properties/scenarios/{name}.toml");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file).display().to_string()
}

fn scenarios() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties/scenarios");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| path.display().to_string()).collect()
}

fn kept(name: &str) -> String {
    let file = format!("../properties/traces/{name}.json");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file).display().to_string()
}

/// The race, of which nobody expects anything.
const RACE: &str = "[[module]]\nname = \"ext4\"\naliases = [\"fs-ext4\"]\n\
                    [[actor]]\ncall = \"get_fs_type\"\nname = \"ext4\"\ncount = 2\n";

fn written(directory: &TempDir, text: &str) -> String {
    let path = directory.path().join("my.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// From its columns on.
fn columns(run: &Run) -> &str {
    let at = run.out.find("\nCPU0").expect("a run is drawn");
    &run.out[at..]
}

/// How often another one steps in columns: by where its lines begin.
fn turns(columns: &str) -> usize {
    let steps = columns.trim_start().lines().skip(2).take_while(|line| !line.is_empty());
    let right: Vec<bool> = steps.map(|line| line.starts_with("          ")).collect();
    right.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[test]
fn a_sentence_tells_the_race_before_its_columns() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("my.toml").display().to_string();
    run(&["new", &file]).exits(0);
    let shown = run(&["check", &file]).exits(0);
    let (before, _) = shown.out.split_once("\nCPU0").unwrap();
    let told = before.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = "How no-false-success is violated, in 30 steps: CPU1's modprobe took /sys/module/ext4, with no \
                    initstate in it yet, for built-in code, and exited 0; __request_module() returned 0, while CPU0 \
                    was still loading ext4 (COMING).";
    assert!(told.ends_with(sentence), "{told}");
    assert_eq!(turns(columns(&shown)), 1, "{}", shown.out);
    shown.says_words("--property NAME shows how others are: get-fs-type-finds-it");
    let other = run(&["check", &file, "--property", "get-fs-type-finds-it"]).exits(0);
    other.says_words(
        "get_fs_type() then found no file system and returned NULL, while CPU0 was still loading",
    );
}

#[test]
fn what_is_shown_is_saved_and_the_explorers_own_where_asked() {
    let directory = TempDir::new().unwrap();
    let file = written(&directory, RACE);
    let saved = directory.path().join("trace.json").display().to_string();
    let json: Value = serde_json::from_str(&run(&["check", &file, "--json"]).exits(1).out).unwrap();
    let save = ["check", &file, "--save-trace", &saved];
    let read = || -> Value { serde_json::from_str(&fs::read_to_string(&saved).unwrap()).unwrap() };
    let shown = run(&save).exits(1);
    let minimal = read();
    assert_ne!(minimal, json["trace"]);
    assert_eq!(
        minimal["steps"].as_array().unwrap().len(),
        json["trace"]["steps"].as_array().unwrap().len()
    );
    let again = run(&["replay", &saved]).exits(0);
    assert!(
        again.out.contains(columns(&shown).split("\n--property").next().unwrap().trim_end()),
        "{}",
        again.out
    );
    let raw = run(&[&save[..], &["--raw-trace"]].concat()).exits(1);
    assert_eq!(read(), json["trace"]);
    assert!(turns(columns(&raw)) > turns(columns(&shown)), "{}", raw.out);
    // JSON is what the explorer has found, printed or saved.
    run(&[&save[..], &["--json"]].concat()).exits(1);
    assert_eq!(read(), json["trace"]);
    for flag in ["--raw-trace", "--assumptions"] {
        run(&["check", &file, "--json", flag]).refuses(&["cannot be used with"]);
    }
}

#[test]
fn nothing_differs_where_nobody_expected_anything() {
    let directory = TempDir::new().unwrap();
    let found = run(&["check", &written(&directory, RACE)]).exits(1);
    let verdict = "no-false-success           violated (20 steps)\n";
    assert!(!found.out.contains("DIFFERS") && !found.out.contains("expected"), "{}", found.out);
    found.says(verdict);
    let expects = format!("{RACE}[expect]\nno-false-success = \"violated\"\n");
    let found = run(&["check", &written(&directory, &expects)]).exits(1);
    found
        .says("no-false-success           violated (20 steps)    as expected\n")
        .says("get-fs-type-finds-it       violated (21 steps)    DIFFERS: expected not violated\n");
    let holds = ["--expect", "no-false-success=holds"];
    run(&[&["check", "race"][..], &holds].concat()).exits(1).says("DIFFERS: expected holds\n");
}

#[test]
fn one_is_singular_everywhere() {
    let mut found = Vec::new();
    let mut ones = 0;
    for file in scenarios() {
        for more in [&[][..], &["--timeouts", "--limit", "1"], &["--states-limit", "1"]] {
            let text = run(&[&["check", &file][..], more].concat()).out;
            let words: Vec<&str> = text.split_whitespace().collect();
            for pair in words.windows(2) {
                let one = pair[0].trim_start_matches('(') == "1";
                let many = [
                    "states",
                    "states,",
                    "transitions,",
                    "words",
                    "steps",
                    "steps)",
                    "steps:",
                    "requests",
                ];
                ones += usize::from(one);
                if one && many.contains(&pair[1]) {
                    found.push(format!("{file} {more:?}: {pair:?}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(ones > 30, "{ones}");
}

#[test]
fn lines_are_as_wide_as_told() {
    let directory = TempDir::new().unwrap();
    let saved = directory.path().join("trace.json").display().to_string();
    let race = kept("the-check-catches-it-27-076e56");
    let three = scenario("only-a-kill-ends-it");
    run(&["check", &scenario("duplicates-and-rmmod"), "--save-trace", &saved]).exits(0);
    let witness = directory.path().join("witness.json").display().to_string();
    let sleeps = "1=returns only if somebody is killed";
    run(&["check", &three, "--witness", sleeps, "--save-trace", &witness]).exits(0);
    for command in [
        &["check", "race"][..],
        &["check", &three],
        &["check", &three, "--assumptions", "--witness", sleeps],
        &["replay", &saved],
        &["replay", &witness],
        &["trace", &race, "--why"],
        &["trace", &saved],
        &["trace", &witness],
    ] {
        let at = |width: &str| run(&[command, &["--width", width]].concat()).out;
        let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
        for width in [60, 72, 80, 120] {
            let text = at(&width.to_string());
            // A path is not broken: whoever copies it has to find the file.
            let several = |line: &&str| line.trim().contains(' ');
            let wide = text.lines().filter(several).find(|line| line.chars().count() > width);
            assert_eq!(wide, None, "{command:?} {width}");
        }
        assert!(widest(&at("120")) > 80, "{command:?}");
        assert_eq!(run(command).out, at("80"), "{command:?}: on a pipe there are 80");
    }
    run(&["check", "race", "--width", "39"]).refuses(&["39"]);
    run(&["replay", &saved, "--width", "72", "--json"]).refuses(&["cannot be used with"]);
    for format in ["svg", "mermaid", "dot", "json"] {
        run(&["trace", &saved, "--width", "72", "--format", format]).refuses(&["--width"]);
    }
}

#[test]
fn a_process_that_is_alone_has_one_column() {
    let alone = run(&["check", &scenario("self-request")]).exits(0);
    assert!(alone.out.contains("\nCPU0\n----\ncaller: "), "{}", alone.out);
    // Its longest step is in one line.
    alone.says("call_usermodehelper_exec_async: execs modprobe -q -- driver\n");
}

#[test]
fn a_hang_says_who_waits_for_whom() {
    let killed = scenario("only-a-kill-ends-it");
    let story = "CPU1's modprobe sleeps in finit_module(m) until m is LIVE, GOING or off the list. CPU2, which is \
                 unloading m, will bring that about, with free_module (m off the list), without waking CPU1. CPU1's \
                 modprobe m returns only if somebody is killed.";
    run(&["check", &killed]).exits(0).says_words(story);
    let witness = ["--witness", "1=returns only if somebody is killed"];
    run(&[&["check", &killed][..], &witness].concat()).exits(0).says_words(story);
    // One that is not drawn is told all the same; one that is, once.
    let slots = ["check", &scenario("limit-2"), "--timeouts"];
    let told = "after 18 steps somebody returns by a time-out only: CPU0 sleeps in __request_module() until a slot";
    run(&slots).exits(1).says_words(told);
    let once = run(&["check", &scenario("self-request")]).exits(0);
    assert_eq!(once.words().matches("waits for this very modprobe").count(), 1, "{}", once.out);
    assert!(!once.out.contains("\nafter "), "{}", once.out);
    let rmmod = scenario("rmmod-beside-get-fs-type");
    for (more, times) in [(&[][..], 1), (&["--property", "nobody-sleeps-for-ever"], 1)] {
        let told = run(&[&["check", &rmmod][..], more].concat()).exits(0);
        let sleeps = "CPU1's modprobe sleeps in finit_module(ext4)";
        assert_eq!(told.words().matches(sleeps).count(), times, "{more:?}: {}", told.out);
    }
}

#[test]
fn why_makes_it_minimal_first_and_names_pairs() {
    let directory = TempDir::new().unwrap();
    let saved = directory.path().join("trace.json").display().to_string();
    let file = written(&directory, RACE);
    // What the explorer has found itself has many switches, and no single one of them decides.
    let raw = ["--raw-trace", "--property", "get-fs-type-finds-it", "--save-trace", &saved];
    run(&[&["check", &file][..], &raw].concat()).exits(1);
    let why = run(&["trace", &saved, "--why"]).exits(0);
    assert!(why.err.contains("21 steps, 1 context switch; no trace is shorter"), "{}", why.err);
    assert_eq!(turns(columns(&why)), 1, "{}", why.out);
    why.says_words(
        "Avoided if CPU0's module_add_modinfo_attrs (ext4/initstate appears) had come before CPU1's modprobe (open \
         ext4/initstate: ENOENT).",
    );
    let pairs = run(&["trace", &kept("the-check-catches-it-27-076e56"), "--why"]).exits(0);
    let pairs = pairs.says_words(
        "No single reordering of two steps would have avoided it; two of them together",
    );
    let first = "Avoided if CPU1's modprobe (stat /sys/module/ext4: ENOENT) had come before CPU0's mod_sysfs_init \
                 (/sys/module/ext4 appears), and CPU0's do_init_module (ext4 is GOING) had come after CPU1's";
    pairs.says_words(first);
    run(&[
        "check",
        &scenario("self-request"),
        "--property",
        "nobody-sleeps-for-ever",
        "--save-trace",
        &saved,
    ])
    .exits(0);
    run(&["trace", &saved, "--why"])
        .exits(0)
        .says("One process steps alone: there is nothing to reorder.\n");
}

#[test]
fn what_no_scenario_has_is_listed_where_asked() {
    let short = run(&["check", "race"]).exits(1);
    let short = short.says("not modelled: weak memory, and 5 more (--assumptions lists them)\n");
    assert!(!short.out.contains("signature, ELF"), "{}", short.out);
    let listed = run(&["check", "race", "--assumptions"]).exits(1);
    let json: Value =
        serde_json::from_str(&run(&["check", "race", "--json"]).exits(1).out).unwrap();
    let all = json["not_modelled"].as_array().unwrap();
    assert_eq!(all.len(), 6);
    for line in all {
        assert!(listed.words().contains(line.as_str().unwrap()), "{line}");
    }
}

/// Real modules have more processes, more steps and longer names.
#[test]
fn a_real_module_is_told_too() {
    let modules = fixture().display().to_string();
    let found = run(&["check", "--modules", &modules, "--fs", "ext4"]).exits(1);
    assert_eq!(turns(columns(&found)), 1, "{}", found.out);
    found.says_words(
        "CPU1's modprobe took /sys/module/ext4, with no initstate in it yet, for built-in code",
    );
}
