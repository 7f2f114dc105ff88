//! `kmodcheck accept`, as a user runs it: logs of a real kernel, and event logs.

use std::fs;
use std::path::Path;

use crate::common::{Run, run};
use serde_json::{Value, json};
use tempfile::TempDir;

fn recorded(name: &str) -> String {
    let directory = "../sim/tests/fixtures/real-logs";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name);
    path.to_str().unwrap().to_owned()
}

fn ftrace(kmod: &str, more: &[&str]) -> Run {
    let log = recorded("kernel-6.1-kmod-19-delayed-vfat-ENODEV.log");
    run(&[&["accept", &log, "--format", "ftrace", "--kmod", kmod], more].concat())
}

#[test]
fn the_log_of_the_race_is_accepted_with_v19_and_refused_with_v20() {
    let accepted = ftrace("v19", &["--show"]).exits(0);
    accepted
        .says("accepted: all ")
        .says("exists: 'built in'")
        .says("violated, however it was: no-false-success");
    ftrace("v20", &[]).exits(1).says(".log:105: refused").says("vfat is COMING: has to wait");

    let json: Value = serde_json::from_str(&ftrace("v20", &["--json"]).exits(1).out).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&json!("kmodcheck-accept"), &json!(2)));
    assert_eq!((&json["accepted"], &json["refused_line"]), (&json!(false), &json!(105)));
}

/// The kernel and the indexes of the recorded log, and what it violates: a mount's modprobe joins a
/// loader whose module is unloaded before it is told.
#[test]
fn a_joined_mount_is_a_false_success() {
    let log = recorded("6.12-kmod30/joined-mount.log");
    let modules = recorded("6.12-modules");
    let arguments =
        ["accept", &log, "--format", "ftrace", "--kernel", "6.12-debian", "--kmod", "v30"];
    for more in [&["--json"][..], &["--json", "--modules", &modules]] {
        let json: Value =
            serde_json::from_str(&run(&[&arguments[..], more].concat()).exits(0).out).unwrap();
        assert_eq!(json["accepted"], json!(true));
        assert_eq!(
            json["violated_in_every_run"],
            json!([
                "no-false-success",
                "no-false-success-strong",
                "modprobe-tells-the-truth",
                "the-check-catches-it",
                "get-fs-type-finds-it"
            ])
        );
    }
}

/// An install command stands in for a module: without the configuration it would have been loaded.
#[test]
fn the_configuration_of_the_recorded_modprobe_is_heeded() {
    let accept = |log: &str, more: &[&str]| {
        let log = recorded(&format!("6.12-cover/{log}.log"));
        run(&[&["accept", &log, "--format", "ftrace", "--kernel", "6.12-debian"], more].concat())
    };
    let (modules, config) = (recorded("6.12-modules"), recorded("modprobe.conf"));
    accept("install", &["--modules", &modules, "--config", &config]).exits(0);
    accept("install", &["--modules", &modules, "--no-config"]).exits(1);
    accept("install", &["--config", &config]).refuses(&["--modules"]);
    // The caller is killed, not its modprobe.
    accept("killed", &["--modules", &modules, "--show"])
        .exits(0)
        .says("asked for fs-kmodcheck_plain by mount-")
        .says_words("+ mount-")
        .says("SIGKILL: ends the wait");
}

/// The tracer lost events. What comes before is decided where it can be, and exit status 3 says that this is not all.
#[test]
fn a_log_with_a_hole_is_decided_up_to_it_at_most() {
    let log = recorded("kernel-6.1-kmod-19-delayed-vfat-ENODEV.log");
    let text = fs::read_to_string(&log).unwrap();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("hole.log");
    let name = file.to_str().unwrap();
    let lines = |found: &str| text.lines().position(|line| line.contains(found)).unwrap() + 1;
    let hole = |after: usize, kmod: &str, json: bool| {
        let kept: Vec<&str> = text.lines().take(after).collect();
        fs::write(&file, kept.join("\n") + "\nCPU:1 [LOST 5 EVENTS]\n").unwrap();
        let json = if json { &["--json"][..] } else { &[] };
        run(&[&["accept", name, "--format", "ftrace", "--kmod", kmod], json].concat())
    };
    let end = text.lines().count();
    hole(end, "v19", false).exits(3).says(&format!("hole.log:{}: the tracer lost events", end + 1));
    hole(end, "v20", false).exits(1).says("hole.log:105: refused");
    // The process of line 105 is gone, others are in the midst of what the lost lines may tell more of.
    let json: Value = serde_json::from_str(&hole(106, "v20", true).exits(3).out).unwrap();
    assert_eq!((&json["lost_line"], &json["undecided_line"]), (&json!(107), &json!(105)));
    assert_eq!((&json["accepted"], &json["refused_line"]), (&json!(true), &Value::Null));
    hole(106, "v20", false).exits(3).says("hole.log:105: not decided from here on");
    // A call has begun, and nobody knows yet what it loads.
    hole(lines("sys_finit_module("), "v19", false).exits(3).says("accepted: all ");
    // Nothing is left.
    let nothing = hole(0, "v19", false).exits(3);
    assert!(
        nothing.err.contains("hole.log:2: undecided: the tracer lost events"),
        "{}",
        nothing.err
    );
}

/// What was not recorded is said; what the reader must have is named, and the exit status is that of
/// what cannot be read.
#[test]
fn logs_with_fewer_probes() {
    let log = recorded("6.1-kmod30/two-probes-fewer-vfat.log");
    let arguments = ["accept", &log, "--format", "ftrace"];
    run(&arguments).exits(0).says("taken not to have been recorded: mod_tree_insert");
    let json: Value =
        serde_json::from_str(&run(&[&arguments[..], &["--json"]].concat()).exits(0).out).unwrap();
    assert_eq!(json["not_recorded"], json!(["mod_tree_insert"]));
    let without = |name| [&arguments[..], &["--without-probe", name]].concat();
    run(&without("mkdir")).exits(0).says("taken not to have been recorded: mkdir, mod_tree_insert");
    run(&without("load_module")).refuses(&["nowhere in the log an event 'load_module'"]);
    run(&without("mod_tree")).refuses(&["found 'mod_tree' as the name of an event"]);
    let events = ["accept", &log, "--format", "events", "--scenario", "race"];
    for flag in [["--without-probe", "mkdir"], ["--blacklist", "minix"]] {
        run(&[&events[..], &flag].concat()).refuses(&[flag[0], "--format ftrace"]);
    }
    run(&[&events[..], &["--modules", "."]].concat())
        .refuses(&["--modules", "cannot be used with"]);
}

#[test]
fn a_search_that_is_cut_decides_nothing() {
    let cut = ftrace("v20", &["--states-limit", "3"]).exits(3);
    assert!(!cut.out.contains("accepted") && !cut.out.contains("refused"), "{}", cut.out);
}

#[test]
fn what_is_no_log_is_refused_with_its_line() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let name = path.to_str().unwrap();
    fs::write(&path, "mount: vfat\n").unwrap();
    run(&["accept", name, "--format", "ftrace"])
        .refuses(&["log:1: found 'mount: vfat', expected a line of tracefs"]);
    run(&["accept", name, "--format", "events"]).refuses(&["--scenario"]);
    let events = ["accept", name, "--format", "events", "--scenario", "race"];
    run(&events).refuses(&["log:1:"]);
    fs::write(&path, "{\"format\": \"kmodcheck-events\", \"version\": 7}\n").unwrap();
    run(&events).refuses(&["log:1:", "version 7, expected 'kmodcheck-events' version 1"]);
    fs::write(&path, "{\"format\": \"kmodcheck-events\", \"version\": 1}\n\n{\"actor\": 0}\n")
        .unwrap();
    run(&events).refuses(&["log:3:", "function"]);
    run(&["accept", name, "--format", "events", "--scenario", "nosuch"])
        .refuses(&["found scenario 'nosuch'"]);
}

/// The steps of a trace, as lines of an event log.
fn lines(trace: &str, hidden: &[&str]) -> Vec<Value> {
    let story = run(&["trace", trace, "--format", "json"]).exits(0).out;
    let story: Value = serde_json::from_str(&story).unwrap();
    let head = json!({"format": "kmodcheck-events", "version": 1, "hidden": hidden});
    let steps = story["story"]["steps"].as_array().unwrap().iter();
    let shown = steps.filter(|step| !hidden.contains(&step["function"].as_str().unwrap()));
    let line = |step: &Value| json!({"actor": step["actor"], "function": step["function"], "what": step["what"]});
    std::iter::once(head).chain(shown.map(line)).collect()
}

#[test]
fn an_event_log_is_accepted_or_refused_at_the_line_that_does_not_fit() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("events");
    let trace = recorded("steered-race.trace.json");
    let accept = |lines: &[Value], more: &[&str]| {
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs::write(&path, text.join("\n")).unwrap();
        let name = path.to_str().unwrap();
        run(&[&["accept", name, "--format", "events", "--scenario", &trace], more].concat())
    };
    let whole = lines(&trace, &[]);
    let events = whole.len() - 1;
    accept(&whole, &[]).exits(0).says(&format!("accepted: all {events} events"));

    // Without modprobe's looks, which are then filled in: '=' is in the log, '+' is not.
    let partly = lines(&trace, &["modprobe"]);
    assert!(partly.len() < whole.len());
    let shown = accept(&partly, &["--show"]).exits(0).says("accepted").out;
    let hidden = shown.lines().filter(|line| line.starts_with("+ ")).count();
    assert!(hidden > 0, "{shown}");
    assert!(shown.contains("exists: 'built in'"), "{shown}");

    // The look that decides it left out: what comes after it is refused, and it is what is allowed.
    let decides = whole.iter().position(|l| l["what"].to_string().contains("'built in'")).unwrap();
    let mut without = whole.clone();
    without.remove(decides);
    accept(&without, &[])
        .exits(1)
        .says(&format!("events:{}: refused", decides + 1))
        .says("exists: 'built in'");
}
