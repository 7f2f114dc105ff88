//! Scenarios beyond the model's limits, in every form and for every command that takes one: refused with
//! what was found and what the limit is, before anything is made of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{Run, run};
use assert_cmd::Command;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{Action, Actor, Probe, Resolution, Scenario};
use kmodcheck_model::{model, presets};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The race.
fn good() -> Scenario {
    let features =
        Features { kernel: presets::kernel("v4.9").unwrap(), kmod: presets::kmod("v19").unwrap() };
    scenario(Naming::FsAndModule, Environment::Ok, features, 2)
}

/// A scenario that is refused, and with what words.
struct Bad {
    name: &'static str,
    scenario: Scenario,
    says: &'static str,
}

fn bad() -> Vec<Bad> {
    let actors = |action, killable, counts: &[u8]| -> Vec<Actor> {
        counts.iter().map(|count| Actor { action, count: *count, killable }).collect()
    };
    let of = |name, says, change: &dyn Fn(&mut Scenario)| {
        let mut scenario = good();
        change(&mut scenario);
        Bad { name, scenario, says }
    };
    let probes = |s: &mut Scenario, n: usize| {
        let Resolution::Modules(targets) = &mut s.names[0].resolution else { unreachable!() };
        targets[0].probe = vec![Probe { required: false, ..targets[0].probe[0].clone() }; n];
    };
    vec![
        of(
            "257 groups, all but the last of nobody",
            "257 groups of actors, expected at most 224",
            &|s| {
                s.actors = actors(Action::Modprobe(0), false, &[0; 256]);
                s.actors.extend(actors(Action::GetFsType(0), false, &[2]));
            },
        ),
        of(
            "a module that requests itself, 256 groups of nobody first",
            "257 groups of actors",
            &|s| {
                s.modules[0].requests = Some(0);
                s.actors = actors(Action::Udev(0), false, &[0; 256]);
                s.actors.extend(actors(Action::GetFsType(0), false, &[2]));
            },
        ),
        of("225 groups", "225 groups of actors, expected at most 224", &|s| {
            s.actors = actors(Action::GetFsType(0), false, &[1; 225]);
        }),
        of("a group of nobody", "0 actors in group 1 of 2, expected at least 1", &|s| {
            s.actors = actors(Action::GetFsType(0), false, &[0, 2]);
        }),
        of("765 callers that may be killed", "765 actors, expected at most 255", &|s| {
            s.actors = actors(Action::GetFsType(0), true, &[255; 3]);
        }),
        of("256 callers that may be killed", "256 actors, expected at most 255", &|s| {
            s.actors = actors(Action::GetFsType(0), true, &[255]);
            s.actors.extend(actors(Action::GetFsType(0), false, &[1]));
        }),
        of("one group in two", "two groups of actors that do the same", &|s| {
            s.actors = actors(Action::GetFsType(0), false, &[1, 1]);
        }),
        of("nobody", "no callers, expected at least 1", &|s| s.actors.clear()),
        of("22 modules", "22 modules, expected at most 21", &|s| {
            s.modules = vec![s.modules[0].clone(); 22];
        }),
        of("one module twice", "module 'ext4' twice, expected each once", &|s| {
            s.modules = vec![s.modules[0].clone(); 2];
        }),
        of("17 names", "17 names, expected at most 16", &|s| {
            s.names = vec![s.names[0].clone(); 17]
        }),
        of("one name twice", "the requested name 'fs-ext4' twice, expected each once", &|s| {
            s.names = vec![s.names[0].clone(); 2];
        }),
        of("22 dependencies", "'ext4' has 22 dependencies, expected at most 21", &|s| {
            s.modules[0].dependencies = vec![0; 22];
        }),
        of("7 modules behind a name", "is served by 7 modules, expected at most 6", &|s| {
            let Resolution::Modules(targets) = &mut s.names[0].resolution else { unreachable!() };
            *targets = vec![targets[0].clone(); 7];
        }),
        of("256 looks", "modprobe looks 256 times for 'fs-ext4', expected at most 255", &|s| {
            probes(s, 255);
        }),
        of("a limit of 0", "a limit of 0 running requests, expected at least 1", &|s| {
            s.limit = Some(0);
        }),
    ]
}

/// `.json` files that hold a scenario: it alone, a trace, a recorded trace, a certificate.
struct Files {
    scenario: PathBuf,
    trace: PathBuf,
    recorded: PathBuf,
    certificate: PathBuf,
    log: PathBuf,
}

fn some_file_of(directory: &str) -> Value {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties").join(directory);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    serde_json::from_str(&std::fs::read_to_string(&files[0]).unwrap()).unwrap()
}

fn write(directory: &TempDir, scenario: &Scenario) -> Files {
    let file = |name: &str, value: &Value| {
        let path = directory.path().join(name);
        std::fs::write(&path, serde_json::to_string(value).unwrap()).unwrap();
        path
    };
    let scenario = serde_json::to_value(scenario).unwrap();
    let trace = json!({
        "format": "kmodcheck-trace", "version": 3, "property": "no-false-success", "statement": "",
        "scenario": scenario, "steps": [],
    });
    let mut recorded = some_file_of("traces");
    recorded["trace"]["scenario"] = scenario.clone();
    let mut certificate = some_file_of("certificates");
    certificate["scenario"] = scenario.clone();
    Files {
        trace: file("trace.json", &trace),
        recorded: file("recorded.json", &recorded),
        certificate: file("certificate.json", &certificate),
        log: file("log.jsonl", &json!({ "format": "kmodcheck-events", "version": 1 })),
        scenario: file("scenario.json", &scenario),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every command that takes a scenario, on each form in which it takes one.
fn commands(files: &Files) -> Vec<Vec<&str>> {
    let mut all = Vec::new();
    for file in [&files.scenario, &files.trace, &files.recorded].map(|path| text(path)) {
        all.extend([
            vec!["check", file],
            vec!["compare", file, "--kmod", "v19", "--kmod", "v20"],
            vec!["export", file, "--format", "promela"],
            vec!["fixes", file, "--max-size", "1"],
            vec!["step", file],
            vec!["serve", file, "--port", "0"],
            vec!["prove", file],
            vec!["progress", file],
            vec!["sample", file],
            vec!["sample", file, "--schedule", "pct"],
            vec!["accept", text(&files.log), "--format", "events", "--scenario", file],
        ]);
    }
    all.extend([
        vec!["replay", text(&files.trace)],
        vec!["steer", text(&files.trace)],
        vec!["reproduce", text(&files.trace)],
        vec!["trace", text(&files.trace)],
        vec!["trace", text(&files.recorded)],
        vec!["verify", text(&files.certificate)],
    ]);
    all
}

#[track_caller]
fn refuses(arguments: &[&str], parts: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    // A server, or a search, that was begun on what should have been refused does not end by itself.
    let output = command.args(arguments).timeout(Duration::from_secs(60)).output().unwrap();
    let run = Run::of(output).refuses(parts);
    assert!(!run.err.contains("panicked"), "{arguments:?}: {}", run.err);
}

#[test]
fn a_scenario_beyond_the_limits_is_refused_by_every_command() {
    for Bad { name, scenario, says } in bad() {
        println!("{name}");
        let directory = TempDir::new().unwrap();
        let files = write(&directory, &scenario);
        for arguments in commands(&files) {
            let file = arguments.iter().find(|a| a.ends_with(".json")).unwrap();
            refuses(&arguments, &[*file, says, "expected"]);
        }
    }
}

/// What a file in TOML can say of them; the places are in the messages.
#[test]
fn so_is_a_scenario_file() {
    let module = "module = [{ name = \"ext4\" }]\n";
    let actor =
        |keys: &str| format!("[[actor]]\ncall = \"request_module\"\nname = \"ext4\"\n{keys}\n");
    let modules: String = (0..22).map(|i| format!("[[module]]\nname = \"m{i}\"\n")).collect();
    let asked: String =
        (0..22).map(|i| format!("[[actor]]\ncall = \"rmmod\"\nname = \"m{i}\"\n")).collect();
    let cases = [
        (format!("{module}{}", actor("count = 0")), "a count of 0", "from 1 to 255"),
        (format!("{module}{}", actor("count = 256")), "a count of 256", "from 1 to 255"),
        (format!("{module}{}", actor("").repeat(257)), "256 actors in all", "at most 255"),
        (format!("{modules}{asked}"), "found 22 modules", "at most 21"),
        (module.to_owned(), "no [[actor]]", "at least one"),
    ];
    for (text, found, limit) in cases {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("my.toml");
        std::fs::write(&path, text).unwrap();
        let file = path.to_str().unwrap();
        for command in ["check", "step", "serve", "prove", "progress", "sample"] {
            refuses(&[command, file], &[file, found, limit]);
        }
    }
}

/// What the model takes and an explorer does not is refused by name, too, or taken.
#[test]
fn more_than_an_explorer_takes_is_said() {
    let mut scenario = good();
    scenario.actors[0].count = 200;
    scenario.actors[0].killable = true;
    let directory = TempDir::new().unwrap();
    let files = write(&directory, &scenario);
    for arguments in commands(&files) {
        match arguments[0] {
            "sample" => {
                let run = run(&[&arguments[..], &["--executions", "1"]].concat());
                assert!(!run.err.contains("panicked") && run.status != Some(101), "{run:?}");
            }
            // These take any number of callers.
            "prove" | "verify" => {}
            // These, too; what is written here is no violation.
            "replay" | "trace" | "steer" | "reproduce" => {
                let run = run(&arguments);
                assert!(run.status < Some(2) && !run.err.contains("panicked"), "{run:?}");
            }
            _ if arguments.contains(&text(&files.scenario)) => {
                refuses(&arguments, &["400 processes", "at most 16"]);
            }
            // A file with a run is asked first whether that fits.
            _ => {}
        }
    }
}

/// Every command either takes a scenario, and is among those above, or takes none.
#[test]
fn no_command_is_forgotten() {
    // `matrix` and `kmod-sh` have theirs built in, as the job without a command has.
    let without = [
        "aliases",
        "completions",
        "covered",
        "evidence",
        "features",
        "help",
        "kmod-sh",
        "machine",
        "man",
        "matrix",
        "merge",
        "modprobe",
        "mutants",
        "new",
        "record",
        "report",
        "review",
        "schema",
        "text",
    ];
    let directory = TempDir::new().unwrap();
    let files = write(&directory, &good());
    let mut known: BTreeSet<&str> = commands(&files).iter().map(|c| c[0]).collect();
    known.extend(without);
    let help = run(&["help"]).exits(0).out;
    let listed = help.split_once("Commands:").unwrap().1.split_once("\n\n").unwrap().0;
    let listed: BTreeSet<&str> = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(listed, known);
}

/// The numbers in the messages are the constants.
#[test]
fn the_limits_are_those_of_the_model() {
    assert_eq!((model::MAX_GROUPS, model::MAX_ACTORS, model::MAX_LOOKS), (224, 255, 255));
    assert_eq!((model::MAX_MODULES, model::MAX_NAMES, model::MAX_TARGETS), (21, 16, 6));
    let kinds = model::MAX_GROUPS + 2 * model::MAX_NAMES;
    assert_eq!(kinds, 256, "kinds are numbered by a byte");
}
