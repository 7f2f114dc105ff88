//! `kmodcheck replay FILE`, as a user runs it.

use std::path::PathBuf;

use crate::common::{Run, check, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A saved trace of the race.
struct Saved {
    directory: TempDir,
    text: String,
}

impl Saved {
    fn of(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("trace.json");
        check(&[arguments, &["--save-trace", path.to_str().unwrap()]].concat()).exits(1);
        Self { text: std::fs::read_to_string(path).unwrap(), directory }
    }

    fn race() -> Self {
        Self::of(&["--fs", "ext4", "--property", "get-fs-type-finds-it"])
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("changed.json")
    }

    /// Replays `text`.
    fn replay(&self, text: impl AsRef<[u8]>) -> Run {
        std::fs::write(self.path(), text).unwrap();
        run(&["replay", self.path().to_str().unwrap()])
    }

    /// Replays the trace with a change.
    fn changed(&self, change: impl FnOnce(&mut Value)) -> Run {
        let mut json: Value = serde_json::from_str(&self.text).unwrap();
        change(&mut json);
        self.replay(json.to_string())
    }
}

#[test]
fn a_saved_trace_replays() {
    let race = Saved::race();
    race.replay(&race.text).exits(0).says("replayed: 69 steps, the violation is there");
    let json = run(&["replay", "--json", race.path().to_str().unwrap()]).exits(0);
    assert_eq!(json.out, race.text, "the same trace, in the same form");
}

#[test]
fn every_violated_property_saves_a_trace_that_replays() {
    for property in [
        "no-false-success",
        "no-false-success-strong",
        "modprobe-tells-the-truth",
        "the-check-catches-it",
        "get-fs-type-finds-it",
    ] {
        let saved = Saved::of(&["--fs", "vfat", "--init-may-fail", "--property", property]);
        let replayed = saved.replay(&saved.text).exits(0);
        assert!(replayed.out.contains(&format!("violates {property}:")), "{}", replayed.out);
    }
}

#[test]
fn a_step_that_no_longer_fits_is_named() {
    let race = Saved::race();
    let impossible = |run: Run, step: &str| {
        let run = run.exits(1);
        assert!(run.err.contains(step), "'{step}' is not in: {}", run.err);
        assert!(run.err.contains("is impossible") && run.out.is_empty(), "{}", run.err);
    };
    impossible(race.changed(|j| j["steps"][6]["what"] = json!("exits 0")), "step 7 is impossible");
    impossible(race.changed(|j| j["steps"][0]["function"] = json!("panic")), "step 1 is");
    impossible(race.changed(|j| j["steps"][3]["actor"] = json!(1)), "step 4 is");
    impossible(race.changed(|j| j["steps"][3]["actor"] = json!(77)), "step 4 is");
    impossible(race.changed(|j| j["steps"][3]["choice"] = json!(1)), "step 4 is");
    let swap = |j: &mut Value| j["steps"].as_array_mut().unwrap().swap(10, 11);
    impossible(race.changed(swap), "step 11 is");
    let drop = |j: &mut Value| drop(j["steps"].as_array_mut().unwrap().remove(20));
    impossible(race.changed(drop), "step 21 is");
    let again = |j: &mut Value| {
        let steps = j["steps"].as_array_mut().unwrap();
        let last = steps.last().unwrap().clone();
        steps.push(last);
    };
    impossible(race.changed(again), "step 70 is");
    // The same steps on a system that works: kmod v20 takes a bare directory for coming.
    let v20 = |j: &mut Value| {
        j["scenario"]["features"]["kmod"]["bare_directory"] = json!("coming");
    };
    let run = race.changed(v20).exits(1);
    assert!(run.err.contains("'modprobe: stat /sys/module/"), "{}", run.err);
}

#[test]
fn a_trace_that_violates_nothing() {
    let race = Saved::race();
    let cut = |j: &mut Value| drop(j["steps"].as_array_mut().unwrap().pop());
    let run = race.changed(cut).exits(1);
    assert!(run.err.contains("all 68 steps can be taken"), "{}", run.err);
    assert!(run.err.contains("does not violate get-fs-type-finds-it"), "{}", run.err);
    let other = |j: &mut Value| j["property"] = json!("lifecycle-and-sysfs");
    let run = race.changed(other).exits(1);
    assert!(run.err.contains("does not violate lifecycle-and-sysfs"), "{}", run.err);
    let stuck = |j: &mut Value| j["property"] = json!("nobody-sleeps-for-ever");
    race.changed(stuck).exits(1);
    race.changed(|j| j["steps"] = json!([])).exits(1);
}

#[test]
fn malformed_files_are_located() {
    let race = Saved::race();
    let at = |line: usize, column: usize| format!("changed.json:{line}:{column}: ");
    race.replay("").refuses(&[&at(1, 1)]);
    race.replay("{\n  \"format\": \n").refuses(&["changed.json:3:", "EOF"]);
    race.replay(&race.text.as_bytes()[..race.text.len() / 2]).refuses(&["changed.json:", "EOF"]);
    race.replay(format!("{}x", race.text)).refuses(&["changed.json:", "trailing"]);
    race.replay([b'{', b'\n', 0xff]).refuses(&["changed.json:2: expected UTF-8"]);
    let lines = race.text.lines().count();
    let line = race.text.lines().position(|l| l.contains("\"actor\": 0")).unwrap() + 1;
    let wrong = race.text.replacen("\"actor\": 0", "\"actor\": \"zero\"", 1);
    race.replay(wrong).refuses(&[&format!("changed.json:{line}:"), "zero"]);
    assert!(lines > line);
    race.changed(|j| j["colour"] = json!("red")).refuses(&["changed.json:1:", "colour"]);
    race.changed(|j| drop(j.as_object_mut().unwrap().remove("steps")))
        .refuses(&["changed.json:1:", "steps"]);
}

#[test]
fn what_is_no_trace_of_this_version() {
    let race = Saved::race();
    race.changed(|j| j["version"] = json!(2)).refuses(&["version 2", "version 3", "make it again"]);
    race.changed(|j| j["format"] = json!("tale")).refuses(&["'tale'", "'kmodcheck-trace'"]);
    race.changed(|j| j["property"] = json!("beauty")).refuses(&["'beauty'", "no-false-success"]);
    // A kept trace, which has another in it, of before some switches were said.
    let kept = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../properties/traces/no-false-success-20-ee3b15.json"
    );
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(kept).unwrap()).unwrap();
    kept["version"] = json!(1);
    std::fs::write(race.path(), kept.to_string()).unwrap();
    run(&["trace", race.path().to_str().unwrap()]).refuses(&[
        "found format 'kmodcheck-regression' version 1",
        "version 2",
        "make it again",
    ]);
}

/// A file says every switch: one that does not is refused, not read as if it said what an older release did.
#[test]
fn no_switch_is_guessed() {
    let race = Saved::race();
    let json: Value = serde_json::from_str(&race.text).unwrap();
    let mut switches = 0;
    for side in ["kernel", "kmod"] {
        for switch in json["scenario"]["features"][side].as_object().unwrap().keys() {
            let without = |j: &mut Value| {
                j["scenario"]["features"][side].as_object_mut().unwrap().remove(switch);
            };
            let missing = format!("missing field `{switch}`");
            race.changed(without).refuses(&["changed.json:1:", &missing]);
            switches += 1;
        }
    }
    // At their first value, these are not said: there were files before there were they.
    let later = [
        "exclusive-finit",
        "join-interruptible",
        "waits-for-all-async",
        "late-builtin-directories",
        "driver-directories",
        "undo-removes-attributes",
        "notifier-can-fail",
        "notifier-failure-sets-going",
        "sections-can-fail",
        "fails-after-live",
        "codetag-can-fail",
        "first-result-counts",
        "codetag-error-counts",
        "load-eexist-is-busy",
        "joiners-try-again",
        "nowait-announces-nothing",
        "exit-17-fails",
        "dependencies-not-builtin",
        "removes-listed-dependencies",
        "looks-before-removing",
        "modprobe",
    ];
    let said = |switch: &&kmodcheck_model::presets::Switch| !later.contains(&switch.name);
    assert_eq!(switches, kmodcheck_model::presets::SWITCHES.iter().filter(said).count());
}

#[test]
fn scenarios_that_cannot_be_modelled() {
    let race = Saved::race();
    race.changed(|j| j["scenario"]["modules"][0]["dependencies"] = json!([200])).refuses(&[
        "changed.json",
        "200",
        "expected",
    ]);
    race.changed(|j| j["scenario"]["modules"] = json!([])).refuses(&["changed.json", "expected"]);
    let none = json!({"modules": []});
    race.changed(|j| j["scenario"]["names"][0]["resolution"] = none)
        .refuses(&["changed.json", "empty"]);
    let probe = json!({"module": 0, "required": true});
    let long = json!({"modules": [{"module": 0, "probe": vec![probe; 300]}]});
    race.changed(|j| j["scenario"]["names"][0]["resolution"] = long)
        .refuses(&["changed.json", "expected"]);
}

#[test]
fn a_file_that_cannot_be_read() {
    run(&["replay", "/no/such/trace.json"]).refuses(&["/no/such/trace.json", "No such file"]);
    run(&["replay"]).refuses(&["SUBJECT"]);
    run(&["replay", env!("CARGO_MANIFEST_DIR")]).refuses(&[env!("CARGO_MANIFEST_DIR")]);
}
