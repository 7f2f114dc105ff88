//! `prove`, `verify` and `progress` from the command line.

use std::path::Path;

use crate::common::run;

const CELL: [&str; 8] = ["--kernel", "v4.9", "--kmod", "v20", "--env", "ok", "--naming", "plain"];

fn certificates() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties/certificates")
}

#[test]
fn proves_a_cell() {
    let all: Vec<&str> = ["prove", "--wide"].into_iter().chain(CELL).collect();
    run(&all)
        .exits(0)
        .says("no-false-success            holds, and not under the fault old-rule")
        .says("nobody-sleeps-for-ever      N=2: holds (not a safety property: not upward-closed)")
        .says("excluded elements")
        .says("Assumed: sequentially consistent; any number of callers")
        .says("0\ntimes it is violated, 0 times nothing was decided.");
}

#[test]
fn refutes_a_scenario_from_the_least_number_of_callers_on() {
    let race = run(&["prove", "race", "--property", "get-fs-type-finds-it"]);
    race.exits(0)
        .says("get-fs-type-finds-it        from 2: 21 steps")
        .says("2 callers:\nCPU0")
        .says("violates get-fs-type-finds-it");
    run(&["prove", "no-such-scenario"]).refuses(&["found scenario 'no-such-scenario', expected"]);
    run(&["prove", "race", "--env", "ok"]).refuses(&["cannot be used with"]);
}

/// A scenario without callers is explored, and says why.
#[test]
fn what_has_no_callers_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shells.json");
    let saved =
        run(&["prove", "race", "--certificates", directory.path().to_str().unwrap(), "--json"]);
    assert_eq!(saved.status, Some(0), "{}", saved.err);
    let certificate = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    let certificate: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(certificate).unwrap()).unwrap();
    let mut scenario = certificate["scenario"].clone();
    scenario["actors"][0]["action"] = serde_json::json!({ "modprobe": 0 });
    std::fs::write(&path, scenario.to_string()).unwrap();
    run(&["prove", "--wide", path.to_str().unwrap()])
        .exits(0)
        .says("modprobe-tells-the-truth    these actors: 12 steps")
        .says("no callers: nothing is there in any number")
        .says("(expected a kind in any number that is there at first and is not forgetful)");
}

#[test]
fn verifies_what_it_proves_and_refuses_what_was_changed() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let mut prove: Vec<&str> = ["prove"].into_iter().chain(CELL).collect();
    prove.extend(["--certificates", place]);
    run(&prove).exits(0);
    let path = directory.path().join("ok_plain_v4.9_v20.json");
    let recorded = std::fs::read_to_string(certificates().join("ok_plain_v4.9_v20.json")).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), recorded);
    let name = path.to_str().unwrap();
    run(&["verify", name, name])
        .exits(0)
        .says("no-false-success: A waiting request_module() that returns 0")
        .says("verified");
    // Its steps, for other verifiers: of one certificate, also of one that is refused.
    let steps = directory.path().join("steps.json");
    let out = steps.to_str().unwrap();
    run(&["verify", name, name, "--steps", out]).refuses(&["--steps and 2 certificates", "one"]);
    assert!(!steps.exists());
    let written = run(&["verify", name, "--steps", out]).exits(0);
    assert!(written.err.contains("6 shared states, 80 local states"), "{}", written.err);
    let text = std::fs::read_to_string(&steps).unwrap();
    assert!(text.starts_with("{\"format\":\"kmodcheck-steps\",\"version\":1,"), "{text}");
    std::fs::remove_file(&steps).unwrap();
    // One element less.
    let at = recorded.find("\"excluded\":[[").expect("an element") + "\"excluded\":[".len();
    let end = at + recorded[at..].find(']').unwrap() + 1;
    let comma = usize::from(recorded[end..].starts_with(','));
    let changed = format!("{}{}", &recorded[..at], &recorded[end + comma..]);
    std::fs::write(&path, changed).unwrap();
    let refused = run(&["verify", name, "--steps", out]).exits(1);
    assert_eq!(std::fs::read_to_string(&steps).unwrap(), text, "nothing in it is of the proof");
    assert!(refused.err.contains("refused: "), "{}", refused.err);
    assert!(
        refused.err.contains("excluded element") || refused.err.contains("tagged control state"),
        "{}",
        refused.err
    );
    // Of before every switch was said.
    let mut old: serde_json::Value = serde_json::from_str(&recorded).unwrap();
    old["version"] = 1.into();
    std::fs::write(&path, old.to_string()).unwrap();
    run(&["verify", name]).refuses(&[
        "found format 'kmodcheck-certificate' version 1",
        "version 2",
        "make it again",
    ]);
    std::fs::write(&path, "{}").unwrap();
    run(&["verify", name]).refuses(&["ok_plain_v4.9_v20.json:1:2", "missing field `format`"]);
}

#[test]
fn shows_a_call_that_never_returns_with_its_loop() {
    let cell = ["--kernel", "v4.9", "--kmod", "v20", "--env", "rmmod", "--naming", "plain"];
    let all: Vec<&str> = ["progress"].into_iter().chain(cell).collect();
    run(&all).exits(0).says("sleeps for ever. The way to the loop:").says("weak fairness");
    let cell = ["--kernel", "v4.9", "--kmod", "v20", "--env", "ok", "--naming", "plain"];
    let all: Vec<&str> = ["progress"].into_iter().chain(cell).collect();
    run(&all).exits(0).says("\nreturns (");
    let cut: Vec<&str> = all.iter().copied().chain(["--states-limit", "10"]).collect();
    run(&cut).exits(3).says("not decided: states limit");
    let json: Vec<&str> = ["progress", "race", "--json"].to_vec();
    let json = run(&json).exits(0);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["systems"][0]["verdict"], "returns");
    assert_eq!(value["version"], 2);
}

/// A system of one's own has any release; the built-in ones have the presets.
#[test]
fn any_release_of_one_system() {
    for command in ["prove", "progress"] {
        run(&[command, "race", "--kernel", "4.9.337", "--kmod", "20"]).exits(0);
        run(&[command, "--kernel", "4.9.337"]).refuses(&[
            "found kernel '4.9.337', expected a preset",
            "nearest older preset is 'v4.9'",
        ]);
        run(&[command, "--kmod", "29"]).refuses(&["found kmod '29'", "'v27'"]);
    }
    run(&["matrix", "--kmod", "busybox-1.36"]).refuses(&["found kmod 'busybox-1.36'", "busybox"]);
}
