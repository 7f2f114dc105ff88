//! `kmodcheck check FILE`, `new` and `features`, as a user runs them.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

struct Run {
    status: i32,
    out: String,
    err: String,
}

fn run(arguments: &[&str]) -> Run {
    let Output { status, stdout, stderr } =
        Command::cargo_bin("kmodcheck").unwrap().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { status: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

impl Run {
    #[track_caller]
    fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        self
    }

    /// Asserts that stdout has all of `parts`, wherever lines end.
    #[track_caller]
    fn says(self, parts: &[&str]) -> Self {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(words(&self.out).contains(&words(part)), "no '{part}' in\n{}", self.out);
        }
        self
    }

    #[track_caller]
    fn refuses(self, parts: &[&str]) {
        let run = self.exits(2);
        assert!(run.out.is_empty() && !run.err.contains('\u{1b}'), "{}{}", run.out, run.err);
        for part in parts {
            assert!(run.err.contains(part), "no '{part}' in\n{}", run.err);
        }
    }
}

fn file(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties/scenarios");
    directory.join(name).to_str().unwrap().to_owned()
}

fn written(directory: &TempDir, text: &str) -> PathBuf {
    let path = directory.path().join("my.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn new_writes_a_file_that_passes_and_leaves_others_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("my.toml");
    let path = path.to_str().unwrap();
    run(&["new", path]).exits(0).says(&["kmodcheck check"]);
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(run(&["new"]).exits(0).out, text);
    run(&["check", path]).exits(0).says(&["violated", "two mounts of ext4"]);
    std::fs::write(path, "mine").unwrap();
    run(&["new", path]).refuses(&["found a file"]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "mine");
}

#[test]
fn the_file_says_what_is_expected_and_the_command_line_overrides_it() {
    let udev = file("udev-before-init.toml");
    run(&["check", &udev]).exits(0);
    run(&["check", &udev, "--kernel", "v5.11"])
        .exits(1)
        .says(&["DIFFERS: expected violated", "kernel v5.11"]);
    let holds = ["--expect", "udev-finds-it-initialised=holds"];
    run(&[&["check", &udev, "--kernel", "v5.11"][..], &holds].concat()).exits(0);
    run(&[&["check", &udev, "--with", "uevent-after-init"][..], &holds].concat()).exits(0);
    let without = ["--kernel", "v5.11", "--without", "uevent-after-init"];
    run(&[&["check", &udev][..], &without].concat()).exits(0);
    // 'holds' is not said of what was never put to the test.
    run(&["check", &file("install.toml"), "--expect", "lifecycle-and-sysfs=holds"])
        .exits(1)
        .says(&["DIFFERS: expected holds"]);
    // What makes more states for all the others is judged where it is asked for.
    let race = file("v19-race.toml");
    run(&["check", &race]).exits(0).says(&["not judged: no-false-failure"]);
    run(&["check", &race, "--property", "no-false-failure"])
        .exits(1)
        .says(&["DIFFERS: expected not violated", "NULL after a request that returned 0: "]);
    run(&["check", &race, "--expect", "no-false-failure=violated"]).exits(0);
    // A limit ends the search before anything is decided.
    run(&["check", &udev, "--states-limit", "3"]).exits(3).says(&["out of budget"]);
}

#[test]
fn what_was_assumed_is_printed() {
    run(&[
        "check",
        &file("limit-2.toml"),
        "--timeouts",
        "--expect",
        "nobody-sleeps-for-ever=holds",
    ])
    .exits(0)
    .says(&[
        "kernel v4.13, kmod v20, N = 2, counted up to exchanging",
        "1 x request_module(\"left\"), 1 x request_module(\"right\")",
        "at most 2 requests run at a time",
        "the 5 s of the limit",
        "limits: none",
        "not modelled: weak memory",
        "not judged: ",
        "steps somebody returns by a time-out only: ",
    ]);
    run(&["check", &file("limit-2.toml"), "--limit", "3"])
        .exits(1)
        .says(&["at most 3 requests run at a time"]);
    run(&["check", &file("install-with-softdeps.toml")]).exits(0).says(&[
        "note: driver: kmod ignores the install command",
        "modprobe tries, in order: helper",
    ]);
    run(&["check", &file("blacklist.toml"), "--no-symmetry"])
        .exits(0)
        .says(&["exotic is blacklisted", "N = 1: 1 x get_fs_type(\"exotic\")"]);
}

#[test]
fn symmetry_changes_no_verdict() {
    let verdicts = |arguments: &[&str]| {
        let json: Value = serde_json::from_str(&run(arguments).exits(0).out).unwrap();
        (json["report"]["states"].as_u64(), json["expected"].clone(), json["switches"].clone())
    };
    let race = file("v19-race.toml");
    let with = verdicts(&["check", &race, "--json"]);
    let without = verdicts(&["check", &race, "--json", "--no-symmetry"]);
    assert!(with.0 < without.0, "{with:?}");
    assert_eq!((&with.1, &with.2), (&without.1, &without.2));
    assert!(with.1.as_array().unwrap().iter().all(|e| e["as_expected"] == true));
    assert_eq!(with.2["bare-directory"], "builtin");
}

#[test]
fn a_saved_trace_replays() {
    let directory = TempDir::new().unwrap();
    let trace = directory.path().join("trace.json");
    let trace = trace.to_str().unwrap();
    let property = ["--property", "nobody-sleeps-for-ever", "--save-trace", trace];
    run(&[&["check", &file("self-request.toml")][..], &property].concat()).exits(0);
    run(&["replay", trace]).exits(0).says(&["the violation is there"]);
}

#[test]
fn a_wrong_file_is_refused_where_it_is_wrong() {
    let directory = TempDir::new().unwrap();
    let path = written(&directory, "[features]\nkernel = 'v4.8'\n");
    let path = path.to_str().unwrap();
    run(&["check", path]).refuses(&[
        &format!("{path}:2:10"),
        "found kernel 'v4.8'",
        "kernel = 'v4.8'",
        "^^^^^^ expected v4.9 or a later one",
        "found no [[actor]]",
    ]);
    let missing = directory.path().join("missing.toml");
    run(&["check", missing.to_str().unwrap()]).refuses(&["missing.toml", "No such file"]);
    std::fs::write(path, b"name = '\xff'").unwrap();
    run(&["check", path]).refuses(&["my.toml:1: expected UTF-8"]);
}

#[test]
fn bad_arguments_are_refused() {
    let race = file("v19-race.toml");
    run(&["check"]).refuses(&["found no SUBJECT, expected a file", "--modules DIR"]);
    run(&["check", &race, "--modules", "/"]).refuses(&["cannot be used with"]);
    run(&["check", "--modules", "/"]).refuses(&["--fs", "--module"]);
    run(&["check", "--fs", "ext4"]).refuses(&["--modules"]);
    run(&["check", &race, "--fs", "ext4"]).refuses(&["cannot be used with"]);
    run(&["check", &race, "--callers", "3"]).refuses(&["--callers", "which says who calls"]);
    run(&["check", &race, "--init-may-fail"]).refuses(&["cannot be used with"]);
    run(&["check", &race, "--with", "nonsense"]).refuses(&["nonsense", "sanity-check"]);
    run(&["check", &race, "--with", "alias-map=all"]).refuses(&["'all'", "prefix"]);
    run(&["check", &race, "--without", "nonsense"]).refuses(&["nonsense"]);
    run(&["check", &race, "--limit", "0"]).refuses(&["--limit"]);
    run(&["check", &race, "--expect", "no-false-success=true"]).refuses(&["holds or violated"]);
}

#[test]
fn switches_apply_to_real_modules_too() {
    let modules =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../indexes/tests/fixtures/debian-6.1");
    let check = ["check", "--modules", modules.to_str().unwrap(), "--fs", "ext3"];
    let verify = ["--kernel", "v4.9+verify", "--property", "no-false-success"];
    let violated = |more: &[&str]| {
        let found = run(&[&check[..], &verify, more].concat());
        found.out.contains("no-false-success           violated")
    };
    assert!(!violated(&[]));
    assert!(violated(&["--with", "alias-map=prefix"]));
    assert!(violated(&["--alias-map", "prefix"]));
    run(&[&check[..], &["--limit", "1", "--kmod", "v20"]].concat())
        .exits(0)
        .says(&["at most 1 request runs at a time"]);
}

#[test]
fn features_lists_every_switch() {
    let text = run(&["features"]).exits(0).out;
    let json: Value = serde_json::from_str(&run(&["features", "--json"]).exits(0).out).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-features".into(), &1.into()));
    let switches = json["switches"].as_array().unwrap();
    assert_eq!(switches.len(), kmodcheck_model::presets::SWITCHES.len());
    for switch in switches {
        let all = match switch["side"].as_str().unwrap() {
            "kernel" => &json["kernels"],
            _ => &json["kmods"],
        };
        // Each preset has one value of each switch.
        let values = switch["values"].as_array().unwrap();
        let mut presets: Vec<&Value> =
            values.iter().flat_map(|v| v["presets"].as_array().unwrap()).collect();
        let place = |p: &&Value| all.as_array().unwrap().iter().position(|a| a == *p);
        presets.sort_by_key(place);
        assert_eq!(presets, all.as_array().unwrap().iter().collect::<Vec<_>>(), "{switch}");
        for word in [&switch["name"], &values[0]["value"]] {
            assert!(text.contains(word.as_str().unwrap()), "{word}");
        }
        // Long ones are folded.
        let commit = switch["commit"].as_str().unwrap();
        let hex = commit.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 12);
        let named = hex.chain(commit.split_whitespace().take(1));
        for word in named {
            assert!(text.contains(word), "{commit}: {word}");
        }
    }
    let value = |name: &str, preset: &str| {
        let switch = switches.iter().find(|s| s["name"] == name).unwrap();
        let has = |v: &&Value| v["presets"].as_array().unwrap().contains(&preset.into());
        switch["values"].as_array().unwrap().iter().find(has).unwrap()["value"].clone()
    };
    assert_eq!(value("listed-name", "v5.3"), "waits-for-going");
    assert_eq!(value("listed-name", "6.1-debian"), "waits-once");
    assert_eq!(value("uevent-after-init", "v5.7"), "off");
    assert_eq!(value("bare-directory", "v19"), "builtin");
    assert!(text.contains("v5.3 .. v5.17"));
}
