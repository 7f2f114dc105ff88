//! `check --engine`: every engine is reached, says what it may say and no more, and refuses what it does not
//! heed.

use std::fs;
use std::path::Path;

use crate::common::run;
use serde_json::Value;
use tempfile::TempDir;

fn scenario(name: &str) -> String {
    let directory = "../properties/scenarios";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name);
    path.to_str().unwrap().to_owned()
}

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let found = run(&[arguments, &["--json"]].concat());
    let value = serde_json::from_str(&found.out);
    (found.status, value.unwrap_or_else(|error| panic!("{error}: {}", found.err)))
}

/// Property and verdict, without what is counted.
fn verdicts(found: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let all = found["report"]["properties"].as_array().expect("a list").iter();
    all.map(|one| (text(&one["property"]), text(&one["verdict"]))).collect()
}

#[test]
fn each_says_what_it_may() {
    for name in ["v19-race.toml", "rmmod-beside-get-fs-type.toml", "only-a-kill-ends-it.toml"] {
        let file = scenario(name);
        let (status, usual) = json(&["check", &file]);
        assert_eq!(usual.get("engine"), None, "{name}");
        // Its older name, and the name that it has.
        for engine in ["local", "exhaustive"] {
            assert_eq!(json(&["check", &file, "--engine", engine]), (status, usual.clone()));
        }

        let (counted_status, mut counted) = json(&["check", &file, "--engine", "counted"]);
        assert_eq!(counted_status, status, "{name}");
        let engine = counted.as_object_mut().expect("an object").remove("engine");
        let engine = engine.expect("the engine is named");
        assert_eq!((&engine["name"], &engine["exhaustive"]), (&"counted".into(), &true.into()));
        // All else is the same, but for the words of a packed state and which of several traces it is.
        let same = |of: &Value| {
            let mut report = of["report"].clone();
            report.as_object_mut().expect("an object").remove("words_per_state");
            (report, of["expected"].clone(), of["results"].clone())
        };
        assert_eq!(same(&counted), same(&usual), "{name}");

        let (directed_status, directed) = json(&["check", &file, "--engine", "directed"]);
        assert_eq!(directed["engine"]["exhaustive"], false, "{name}");
        for (found, expected) in verdicts(&directed).into_iter().zip(verdicts(&usual)) {
            assert!(found == expected || found.1 == "no violation found", "{name}: {found:?}");
            assert!(!["holds", "vacuous"].contains(&&*found.1), "{name}: {found:?}");
        }
        // It may find what differs; it never finds that nothing does.
        assert!(directed_status == Some(3) || directed_status == Some(1), "{directed_status:?}");
    }
}

#[test]
fn text_names_the_engine_and_no_directed_search_says_holds() {
    let file = scenario("v19-race.toml");
    let usual = run(&["check", &file]);
    assert!(!usual.out.contains("engine"), "{}", usual.out);
    let counted = run(&["check", &file, "--engine", "counted"]);
    assert_eq!(counted.status, usual.status);
    assert!(counted.out.contains("engine counted: traces are shortest"), "{}", counted.out);
    let directed = run(&["check", &file, "--engine", "directed"]).exits(3);
    assert!(directed.out.contains("it never says that a property holds"), "{}", directed.out);
    let verdicts = directed.out.lines().skip_while(|line| !line.starts_with("property ")).skip(1);
    for line in verdicts.take_while(|line| !line.is_empty()) {
        assert!(!line.contains("  holds") && !line.contains("  vacuous"), "{line}");
    }
    assert!(directed.out.contains("violated ("), "{}", directed.out);
    // What is looked for is enough.
    let one = ["check", &file, "--engine", "directed", "--property", "no-false-success"];
    let one = run(&one);
    assert!(one.out.contains("stopped at a violation"), "{}", one.out);
}

/// A hundred callers: the exhaustive engine has no room for them, and says who has.
#[test]
fn a_hundred_callers() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("hundred.toml");
    // Every request is refused: each goes through four places, so there are as many states as ways to spread a hundred
    // over four, 103! / (100! 3!).
    let text = "unknown-names = [\"nope\"]\n\
                [environment]\nlsm-refuses = true\n\
                [[actor]]\ncall = \"request_module\"\nname = \"nope\"\ncount = 100\n";
    fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    run(&["check", file]).refuses(&[
        "found 100 processes, expected at most 16",
        "--engine counted takes up to 255",
        "--engine directed",
    ]);
    run(&["check", file, "--engine", "timely"]).refuses(&["--engine counted takes up to 255"]);
    run(&["step", file]).refuses(&["100 processes, expected at most 16"]);
    let counted = run(&["check", file, "--engine", "counted"]).exits(0);
    assert!(counted.out.contains("complete: "), "{}", counted.out);
    assert!(counted.out.contains("N = 100"), "{}", counted.out);
    let (_, counted) = json(&["check", file, "--engine", "counted"]);
    assert_eq!(counted["report"]["callers"], 100);
    assert_eq!(counted["report"]["states"], 176_851);
    let (_, all) = json(&["check", file, "--engine", "counted", "--follow-all"]);
    assert_eq!(all, counted);
    // And what only many can do is found, saved, and can be taken again.
    let text = fs::read_to_string(scenario("v19-race.toml")).unwrap();
    fs::write(&path, text.replace("count = 2", "count = 40")).unwrap();
    let trace = directory.path().join("trace.json");
    let trace = trace.to_str().unwrap();
    let directed = ["check", file, "--engine", "directed", "--property", "no-false-success"];
    let found =
        run(&[&directed[..], &["--save-trace", trace, "--states-limit", "200000"]].concat());
    assert!(found.out.contains("violated ("), "{}{}", found.out, found.err);
    let again = run(&["replay", trace]);
    assert!(again.out.contains("violates no-false-success"), "{}{}", again.out, again.err);
}

#[test]
fn what_an_engine_does_not_heed_is_refused() {
    let file = scenario("v19-race.toml");
    for (engine, flags) in [
        ("counted", &["--checkpoint x", "--threads 2", "--no-symmetry"][..]),
        ("counted", &["--processes 2", "--connect-timeout 1", "--witness 1=NULL"]),
        ("directed", &["--checkpoint x", "--threads 2", "--no-symmetry", "--follow-all"]),
        ("timely", &["--checkpoint x", "--witness 1=NULL"]),
        ("exhaustive", &["--processes 2", "--connect-timeout 1"]),
        ("local", &["--processes 2"]),
    ] {
        for flag in flags {
            let flag: Vec<&str> = flag.split(' ').collect();
            let refused = run(&[&["check", &file, "--engine", engine], &flag[..]].concat());
            let name = if engine == "local" { "exhaustive" } else { engine };
            let found = format!("found {} with --engine {name}, expected --engine ", flag[0]);
            refused.refuses(&[&found]);
        }
    }
}
