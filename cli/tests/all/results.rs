//! What each call can come to, and `check --witness`, as a user runs it.

use crate::common::run;
use serde_json::Value;

const RACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/scenarios/v19-race.toml");
const KILLED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/scenarios/only-a-kill-ends-it.toml");
const RMMOD: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/scenarios/rmmod-beside-get-fs-type.toml");

#[test]
fn results_are_listed_by_actor() {
    let list = "what each call can come to (--witness ACTOR=RESULT shows a run to it):\n\
                actor  calls ";
    run(&["check", RACE])
        .says(list)
        .says("\n1      2 x get_fs_type(\"ext4\")  the file system; NULL\n");
    let killed = run(&["check", KILLED]).exits(0).says(list);
    let killed = killed
        .says_words(
            "1 2 x modprobe m, who may be killed exit 0; exit 1; returns only if somebody is ",
        )
        .says("\n2      1 x rmmod m                        0; ");
    assert!(!killed.out.contains("sleeps for ever\n"), "{}", killed.out);
    let json: Value =
        serde_json::from_str(&run(&["check", KILLED, "--json"]).exits(0).out).unwrap();
    let actors = json["results"].as_array().unwrap();
    assert_eq!(actors.len(), 2);
    assert_eq!((&actors[0]["actor"], &actors[0]["count"]), (&1.into(), &2.into()));
    assert_eq!(actors[0]["call"], "modprobe m");
    let results = actors[0]["results"].as_array().unwrap();
    assert_eq!(results[..2], ["exit 0", "exit 1"]);
    assert_eq!(results[2], "returns only if somebody is killed");
    assert_eq!(json["report"]["sleepers"][0]["call"], "returns only if somebody is killed");
    assert_eq!(json.get("witness"), None);
    // What was cut has seen some.
    let cut = run(&["check", RACE, "--states-limit", "300"]);
    cut.says("what each call can come to, seen so far (");
    let none = run(&["check", KILLED, "--states-limit", "10"]).exits(3);
    none.says("\n1      2 x modprobe m, who may be killed  nothing\n");
}

/// Whatever names the actor and the result, one run is shown, saved, replayed and drawn.
#[test]
fn a_witness_is_shown_saved_and_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("witness.json");
    let file = file.to_str().unwrap();
    for (scenario, asked, shows) in [
        (RACE, "1=NULL", "shows: get_fs_type(\"ext4\") comes to 'NULL'"),
        (RACE, "get_fs_type(ext4)=null", "shows: get_fs_type(\"ext4\") comes to 'NULL'"),
        (RACE, "get_fs_type(\"ext4\") = the file system", "comes to 'the file system'"),
        (KILLED, "modprobe m=exit 1", "shows: modprobe m comes to 'exit 1'"),
        (KILLED, "1=returns only if somebody is killed", "m returns only if somebody is killed"),
        (
            KILLED,
            "nobody-sleeps-for-ever:asleep",
            "shows: the premise of nobody-sleeps-for-ever is",
        ),
        (
            RMMOD,
            "get-fs-type-finds-it:NULL, GOING",
            "shows: the premise of get-fs-type-finds-it is",
        ),
    ] {
        let command = ["check", scenario, "--witness", asked, "--save-trace", file];
        let shown = run(&command);
        let lanes = shown.out.rsplit_once("\n0 1 2 what");
        let (_, drawn) = shown.out.rsplit_once("\nCPU0").or(lanes).expect("a run is drawn");
        assert!(drawn.replace('\n', " ").contains(shows), "{asked}: {drawn}");
        assert!(!shown.out.contains("violates "), "{asked}: only what was asked for is drawn");
        let again = run(&["replay", file]).exits(0).says("it comes to that");
        assert!(again.out.contains(drawn.trim_end()), "{asked}: {}", again.out);
        let saved: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!((&saved["format"], &saved["version"]), (&"kmodcheck-witness".into(), &1.into()));
        let steps = saved["steps"].as_array().unwrap().len();
        for format in ["text", "mermaid", "svg", "dot", "json"] {
            run(&["trace", file, "--format", format]).exits(0).says("shows");
        }
        run(&["trace", file, "--minimise"]).refuses(&["found a witness", "--minimise"]);
        // JSON has the explorer's own run.
        let printed = run(&[&command[..4], &["--json"]].concat());
        let printed: Value = serde_json::from_str(&printed.out).unwrap();
        run(&[&command[..], &["--raw-trace"]].concat());
        let raw: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(printed["witness"], raw, "{asked}");
        assert_eq!((&raw["shows"], &raw["witness"]), (&saved["shows"], &saved["witness"]));
        // A shorter one of these steps shows nothing.
        let mut cut = saved.clone();
        cut["steps"].as_array_mut().unwrap().pop();
        std::fs::write(file, cut.to_string()).unwrap();
        let cut = run(&["replay", file]).exits(1);
        assert!(cut.err.contains(&format!("all {} steps can be taken", steps - 1)), "{}", cut.err);
        for (key, value, says) in [
            ("version", Value::from(2), "found format 'kmodcheck-witness' version 2"),
            ("witness", "1=42".into(), "found result '42' of actor 1"),
            ("shows", "nothing".into(), "found 'nothing', expected '"),
        ] {
            let mut changed = saved.clone();
            changed[key] = value;
            std::fs::write(file, changed.to_string()).unwrap();
            run(&["replay", file]).refuses(&[says]);
        }
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_what_can() {
    for (asked, parts) in [
        ("1=-EBUSY", &["found result '-EBUSY' of actor 1 (get_fs_type(\"ext4\"))", "'NULL'"][..]),
        ("1=sleeps for ever", &["'sleeps for ever'", "'the file system', 'NULL'"]),
        ("3=0", &["found actor '3'", "1 or get_fs_type(\"ext4\")"]),
        ("0=0", &["found actor '0'"]),
        ("rmmod ext4=0", &["found actor 'rmmod ext4'", "1 or get_fs_type"]),
        ("NULL", &["expected ACTOR=RESULT or PROPERTY:BRANCH"]),
        ("get-fs-type-finds-it:NULL, GOING", &["found branch 'NULL, GOING'", "'found', 'NULL'"]),
        ("udev-finds-it-initialised:used", &["found branch 'used'", ": none"]),
        ("nonsense:used", &["expected ACTOR=RESULT or PROPERTY:BRANCH", "no-false-success"]),
    ] {
        run(&["check", RACE, "--witness", asked]).refuses(parts);
    }
    let timely = ["check", RACE, "--witness", "1=NULL", "--engine", "timely"];
    run(&timely).refuses(&["found --witness with --engine timely"]);
    let both = ["check", RACE, "--witness", "1=NULL", "--property", "no-false-success"];
    run(&both).refuses(&["cannot be used with"]);
}
