//! `kmodcheck compare`: what changes between two releases. The verdicts and steps that are expected are
//! those of the record (properties/recorded/grand.txt), written down before the command was run.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Run, run};

/// A comparison, by what differs: the arguments, the verdicts that change (before, after, the steps of the
/// trace), and the results that only one side can come to.
struct Case {
    arguments: &'static [&'static str],
    verdicts: &'static [(&'static str, &'static str, &'static str, usize)],
    results: &'static [(&'static str, &'static str)],
}

const RMMOD_AND_NEW_KMOD: &[&str] =
    &["--env", "rmmod", "--kmod", "v30", "--kernel", "v6.2", "--kernel", "v6.5"];

const CASES: [Case; 6] = [
    // The race, and what mended it.
    Case {
        arguments: &["race", "--kmod", "v19", "--kmod", "v20"],
        verdicts: &[
            ("no-false-success", "violated", "holds", 20),
            ("no-false-success-strong", "violated", "holds", 20),
            ("modprobe-tells-the-truth", "violated", "holds", 18),
            ("the-check-catches-it", "violated", "vacuous", 20),
            ("get-fs-type-finds-it", "violated", "holds", 21),
            ("no-false-failure", "violated", "holds", 21),
        ],
        results: &[("NULL", "before")],
    },
    // No step of the race reads the switch that came with v5.5.
    Case {
        arguments: &["race", "--kernel", "v5.3", "--kernel", "v5.5"],
        verdicts: &[],
        results: &[],
    },
    // Beside rmmod one does: who waits for a module that goes is woken.
    Case {
        arguments: &["--env", "rmmod", "--kernel", "v5.3", "--kernel", "v5.5"],
        verdicts: &[("nobody-sleeps-for-ever", "violated", "holds", 28)],
        results: &[("sleeps for ever", "before")],
    },
    // v6.5 shares one result among all who load a module at a time: a false success is back.
    Case {
        arguments: RMMOD_AND_NEW_KMOD,
        verdicts: &[
            ("no-false-success", "holds", "violated", 35),
            ("no-false-success-strong", "holds", "violated", 35),
            ("modprobe-tells-the-truth", "holds", "violated", 33),
            ("the-check-catches-it", "vacuous", "violated", 35),
            ("get-fs-type-finds-it", "holds", "violated", 38),
        ],
        results: &[],
    },
    Case {
        arguments: &["race", "--kernel", "v6.5", "--kernel", "v6.5+dup"],
        verdicts: &[
            ("no-false-success", "violated", "holds", 22),
            ("no-false-success-strong", "violated", "holds", 22),
            ("modprobe-tells-the-truth", "violated", "holds", 20),
            ("the-check-catches-it", "violated", "vacuous", 22),
            ("get-fs-type-finds-it", "violated", "holds", 23),
            ("no-false-failure", "violated", "holds", 23),
            // Nobody waits for another's load where there is one modprobe.
            ("init-runs-once-per-request", "holds", "vacuous", 0),
        ],
        results: &[("NULL", "before")],
    },
    // Where an init may fail, both lie: of the verdicts, two change.
    Case {
        arguments: &["--env", "fail", "--kmod", "v19", "--kmod", "v20"],
        verdicts: &[
            ("get-fs-type-finds-it", "violated", "holds", 21),
            ("no-false-failure", "violated", "holds", 21),
        ],
        results: &[],
    },
];

fn compare(arguments: &[&str], more: &[&str]) -> Run {
    run(&[&["compare"], arguments, more].concat())
}

fn json(run: &Run) -> Value {
    let json: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-compare".into(), &1.into()));
    json
}

fn of(json: &Value, list: &str, changes: &Value) -> Vec<Value> {
    let all = json[list].as_array().unwrap().iter();
    all.filter(|one| one["changes"] == *changes).cloned().collect()
}

/// The same, the other way round.
fn turned(arguments: &[&'static str]) -> Vec<&'static str> {
    let mut arguments = arguments.to_vec();
    let flags = arguments.iter().filter(|a| a.starts_with("--ke")).count();
    let twice = if flags == 2 { "--kernel" } else { "--kmod" };
    let at: Vec<usize> = (0..arguments.len()).filter(|i| arguments[*i] == twice).collect();
    arguments.swap(at[0] + 1, at[1] + 1);
    arguments
}

#[test]
fn what_changes_between_two_releases() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("run.json").display().to_string();
    for Case { arguments, verdicts, results } in CASES {
        let status = i32::from(!verdicts.is_empty());
        let found = json(&compare(arguments, &["--json"]).exits(status));
        let changed = of(&found, "verdicts", &true.into());
        let said: Vec<_> = changed
            .iter()
            .map(|v| {
                let steps = v["trace"]["steps"].as_array().map_or(0, Vec::len);
                let word = |what: &str| v[what].as_str().unwrap();
                (word("property"), word("before"), word("after"), steps)
            })
            .collect();
        assert_eq!(said, verdicts, "{arguments:?}");
        assert_eq!(of(&found, "verdicts", &Value::Null).len(), 0, "{arguments:?}");
        let only = of(&found, "results", &true.into());
        let said: Vec<_> = only
            .iter()
            .map(|r| (r["result"].as_str().unwrap(), r["only"].as_str().unwrap()))
            .collect();
        assert_eq!(said, results, "{arguments:?}");
        // What is shown is possible on the side where it is said to be, and on no other.
        let releases = |side: &str| {
            let of = |what: &str| found[side][what].as_str().unwrap().to_owned();
            [of("kernel"), of("kmod")]
        };
        for change in changed.iter().chain(&only) {
            // What holds on both sides, on one for want of a case, has no run.
            let Some(run_of) = change.get("trace").or(change.get("witness")) else {
                assert_eq!(change["after"], "vacuous", "{change}");
                continue;
            };
            std::fs::write(&file, run_of.to_string()).unwrap();
            run(&["replay", &file]).exits(0);
            let other = if change["only"] == "before" { "after" } else { "before" };
            let [kernel, kmod] = releases(other);
            run(&["replay", &file, "--kernel", &kernel, "--kmod", &kmod]).exits(1);
        }
        // In words, and the other way round.
        let text = compare(arguments, &[]).exits(status).out;
        for (name, before, after, steps) in verdicts {
            let violated = format!("violated ({steps} steps)");
            let words = |verdict: &&str| verdict.replace("violated", &violated);
            let line = format!("  {name:26} {} -> {} [", words(before), words(after));
            assert!(text.contains(&line), "no '{line}' in {text}");
        }
        let back = json(&compare(&turned(arguments), &["--json"]).exits(status));
        let said: Vec<_> = of(&back, "verdicts", &true.into())
            .iter()
            .map(|v| (v["property"].clone(), v["after"].clone(), v["before"].clone()))
            .collect();
        let expected: Vec<_> = changed
            .iter()
            .map(|v| (v["property"].clone(), v["before"].clone(), v["after"].clone()))
            .collect();
        assert_eq!(said, expected, "{arguments:?}");
    }
}

/// A premise that is met on one side only is a change, and the run meets it.
#[test]
fn vacuous_on_one_side_is_a_change() {
    let arguments = ["race", "--kernel", "v4.9+verify", "--kmod", "v19", "--kmod", "v20"];
    let found = json(&compare(&arguments, &["--json"]).exits(1));
    let changed = of(&found, "verdicts", &true.into());
    let catches = changed.iter().find(|v| v["property"] == "the-check-catches-it").unwrap();
    assert_eq!((&catches["before"], &catches["after"]), (&"holds".into(), &"vacuous".into()));
    assert_eq!(catches["only"], "before");
    let asked = catches["witness"]["witness"].as_str().unwrap();
    assert!(asked.starts_with("the-check-catches-it:"), "{asked}");
    compare(&arguments, &[]).exits(1).says("shows: the premise of the-check-catches-it is met");
}

/// A search that was cut changes nothing but what it has found.
#[test]
fn what_was_cut_is_undecided() {
    let race = ["race", "--kmod", "v19", "--kmod", "v20"];
    let cut = compare(&race, &["--states-limit", "10", "--json"]).exits(3);
    let found = json(&cut);
    for list in ["verdicts", "results"] {
        assert_eq!(of(&found, list, &true.into()).len(), 0, "{list}");
    }
    assert!(!of(&found, "verdicts", &Value::Null).is_empty());
    compare(&race, &["--states-limit", "10"])
        .exits(3)
        .says("out of budget -> out of budget: undecided")
        .says("Out of budget: more states may show more changes.");
    // v20 is explored to the end, and v19 not beyond the violation: that is a change.
    let found = json(&compare(&race, &["--states-limit", "245", "--json"]).exits(1));
    assert_eq!(found["before"]["report"]["end"], "states limit");
    assert_eq!(found["after"]["report"]["end"], "complete");
    let changed = of(&found, "verdicts", &true.into());
    assert!(changed.iter().any(|v| v["property"] == "no-false-success"), "{changed:?}");
    let undecided = of(&found, "verdicts", &Value::Null);
    assert!(undecided.iter().any(|v| v["property"] == "lifecycle-and-sysfs"), "{undecided:?}");
    // Who sleeps for ever is known only in the end: v5.3 is explored to it, v5.5 not.
    let rmmod = ["--env", "rmmod", "--kernel", "v5.3", "--kernel", "v5.5"];
    let found = json(&compare(&rmmod, &["--states-limit", "4000", "--json"]).exits(3));
    let [result] = &of(&found, "results", &Value::Null)[..] else { panic!("{found}") };
    assert_eq!((&result["result"], &result["before"]), (&"sleeps for ever".into(), &true.into()));
    assert_eq!(result["after"], Value::Null);
}

#[test]
fn one_release_is_given_twice() {
    for arguments in [
        &["race"][..],
        &["race", "--kernel", "v6.2"],
        &["race", "--kernel", "v6.2", "--kmod", "v20"],
        &["race", "--kernel", "v6.2", "--kernel", "v6.5", "--kmod", "v19", "--kmod", "v20"],
        &["race", "--kmod", "v19", "--kmod", "v20", "--kmod", "v30"],
    ] {
        compare(arguments, &[]).refuses(&["--kernel", "--kmod", "expected one of them twice"]);
    }
}
