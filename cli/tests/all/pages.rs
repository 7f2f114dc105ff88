//! `kmodcheck report SUBJECT`: what kinds of subjects it takes, what it says of them, and the state graph in the page.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{fixture, run};

/// Larger than any distance.
const NEVER: u64 = u64::MAX;

/// The page of the words, and how it ended.
fn page(directory: &Path, words: &[&str], ends: i32) -> String {
    let out = directory.join("page.html");
    run(&[&["report"], words, &["--out", out.to_str().unwrap()]].concat()).exits(ends);
    let html = fs::read_to_string(&out).unwrap();
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    for network in ["src=\"http", "href=\"http", "src=\"//", "@import", "url(", "fetch("] {
        assert!(!html.contains(network), "it asks the network: {network}");
    }
    html
}

/// What its player reads.
fn player(html: &str) -> Value {
    let (_, data) = html.split_once("id=\"states\">").expect("it has a player");
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

/// As a browser shows it, but for what stands in scripts.
fn words(html: &str) -> String {
    let (_, body) = html.split_once("<body").unwrap();
    let (text, _) = body.split_once("<script").unwrap();
    let mut words = String::new();
    for part in text.split('<').skip(1) {
        words.push_str(part.split_once('>').map_or("", |(_, text)| text));
        words.push(' ');
    }
    let words = words.replace("&quot;", "\"").replace("&#x27;", "'").replace("&#x2f;", "/");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn numbers(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect()
}

/// By number of a state or a transition: what it shows.
fn shown(list: &Value) -> BTreeMap<usize, Vec<i64>> {
    let pairs = list.as_array().unwrap().iter();
    pairs.map(|pair| (pair[0].as_u64().unwrap() as usize, numbers(&pair[1]))).collect()
}

/// In how many steps each question is shown at least, by its name: counted from what the page has.
fn distances(system: &Value) -> BTreeMap<String, u64> {
    let (states, edges) = (numbers(&system["states"]), numbers(&system["edges"]));
    let (shows, wrong) = (shown(&system["shows"]), shown(&system["wrong"]));
    let mut transitions = Vec::new();
    for (state, pair) in states.chunks(2).enumerate() {
        for _ in 0..pair[1] {
            let by = edges[2 * transitions.len() + 1];
            transitions.push((state, usize::try_from(state as i64 + by).unwrap()));
        }
    }
    assert_eq!(transitions.len() * 2, edges.len());
    let asked = system["asked"].as_array().unwrap();
    let of = |question: i64| {
        let has = |all: Option<&Vec<i64>>| all.is_some_and(|all| all.contains(&question));
        let first = |state| if has(wrong.get(&state)) { 0 } else { NEVER };
        let mut steps: Vec<u64> = (0..states.len() / 2).map(first).collect();
        loop {
            let mut changed = false;
            for (at, (from, to)) in transitions.iter().enumerate().rev() {
                let over = if has(shows.get(&at)) { 0 } else { steps[*to] };
                if over.saturating_add(1) < steps[*from] {
                    steps[*from] = over + 1;
                    changed = true;
                }
            }
            if !changed {
                return steps[0];
            }
        }
    };
    let numbered = asked.iter().zip(0..);
    numbered.map(|(asked, at)| (asked["name"].as_str().unwrap().to_owned(), of(at))).collect()
}

/// What the page counts from its graph is what `check` says of each property, whatever kind of system it is.
#[test]
fn the_graph_in_the_page_says_what_check_says() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    for (kind, ends) in [("race", 0), ("hang", 0), ("module-init", 0), ("script", 0)] {
        let file = at(&format!("{kind}.toml"));
        run(&["new", &file, "--kind", kind]).exits(0);
        let player = player(&page(directory.path(), &[&file], ends));
        let found = distances(&player["systems"][0]);
        let json = run(&["check", &file, "--json"]).exits(ends).out;
        let json: Value = serde_json::from_str(&json).unwrap();
        let properties = json["report"]["properties"].as_array().unwrap().iter();
        let own = json["asked"].as_array().into_iter().flatten();
        let mut compared = 0;
        for answer in properties.chain(own) {
            let name = answer["property"].as_str().unwrap();
            let steps = answer["steps"].as_u64().unwrap_or(NEVER);
            // (What does not apply is not asked of the graph.)
            match found.get(name) {
                Some(graph) => assert_eq!(*graph, steps, "{kind}: {name}"),
                None => assert_eq!(answer["verdict"], "not applicable", "{kind}: {name}"),
            }
            compared += usize::from(found.contains_key(name));
        }
        assert_eq!(compared, found.len(), "{kind}");
    }
}

/// A saved trace is shown as it is, one that fits no more is said to, and its steps are in the graph.
#[test]
fn the_page_of_a_saved_trace() {
    let directory = TempDir::new().unwrap();
    let trace = directory.path().join("null.json").display().to_string();
    let property = ["--property", "get-fs-type-finds-it", "--save-trace", &trace];
    run(&[&["check", "race"][..], &property].concat()).exits(1);
    let html = page(directory.path(), &[&trace], 1);
    let text = words(&html);
    assert!(text.contains("The run of the file: get-fs-type-finds-it, in 21 steps"), "{text}");
    let system = &player(&html)["systems"][0];
    assert_eq!(system["runs"][0]["steps"].as_array().unwrap().len(), 21);
    let text = words(&page(directory.path(), &[&trace, "--kmod", "v20"], 0));
    assert!(text.contains("null.json is none of this system"), "{text}");
    assert!(!text.contains("The run of the file:"), "{text}");
}

/// A patch: both sides, what changes, and a graph of each.
#[test]
fn the_page_of_a_patch() {
    let directory = TempDir::new().unwrap();
    let patch = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/patches/0254127ab977.diff");
    #[rustfmt::skip]
    let system = ["--env", "fail", "--naming", "plain", "--kernel", "v5.11", "--kmod", "v30", "--patch", patch];
    let html = page(directory.path(), &system, 0);
    let text = words(&html);
    for part in [
        "Before and after",
        "no-false-failure",
        "broken",
        "kernel v5.11, kmod v30",
        "kmodcheck check --env",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let player = player(&html);
    let [with, without] = &player["systems"].as_array().unwrap()[..] else { panic!("two systems") };
    let of = |system| distances(system)["no-false-failure"];
    assert!(of(with) < NEVER && of(without) == NEVER);
    assert!(with["name"].as_str().unwrap().starts_with("with "), "{with}");
}

/// The indexes of a kernel, and a program in modprobe's place: kernel and modprobe are named, and what was typed.
#[test]
fn the_page_of_a_machine_and_of_a_program() {
    let directory = TempDir::new().unwrap();
    let modules = fixture().display().to_string();
    let system = ["--modules", &modules, "--fs", "vfat", "--kernel", "6.1.192", "--kmod", "30"];
    let text = words(&page(directory.path(), &system, 0));
    for part in [
        "Of kernel 6.1.192, kmod 30 : 2 x",
        "get_fs_type(\"vfat\")",
        "Proved to hold",
        "--fs vfat --kernel 6.1.192",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut program = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    let out = directory.path().join("program.html");
    let program = program.args(["report", "race", "--modprobe", "/usr/sbin/modprobe", "--out"]);
    let ended = program.arg(&out).env("XDG_CACHE_HOME", directory.path()).output().unwrap();
    assert!(ended.status.code().is_some_and(|code| code < 2), "{ended:?}");
    let text = words(&fs::read_to_string(&out).unwrap());
    for part in [
        "Of kernel v4.9, kmod v19, with modprobe /usr/sbin/modprobe : 2 x",
        "Before and after the program /usr/sbin/modprobe",
        "modprobe is",
        "what changes",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A graph that is too large is left out, and the page says so.
#[test]
fn the_page_of_a_system_that_is_too_large_for_its_graph() {
    let directory = TempDir::new().unwrap();
    let html = page(directory.path(), &["--env", "ok", "--callers", "4"], 1);
    assert!(!html.contains("id=\"states\""));
    let text = words(&html);
    assert!(text.contains("more than 60000 transitions"), "{text}");
    let cut = words(&page(directory.path(), &["race", "--states-limit", "50"], 3));
    assert!(cut.contains("nothing is said to hold") && !cut.contains("Proved to hold"), "{cut}");
}

/// Each step of the page is in the file of its release.
#[test]
fn steps_are_in_the_files_of_their_release() {
    let directory = TempDir::new().unwrap();
    let files = |kernel: &str| {
        let html = page(directory.path(), &["race", "--kernel", kernel], 1);
        let player = player(&html);
        let functions = player["systems"][0]["functions"].as_array().unwrap().clone();
        let file = |name: &str| {
            let found = functions.iter().find(|function| function[0] == name).unwrap();
            let place = &found[1];
            let file = place[0].as_str().unwrap_or("none");
            place[2].as_u64().map_or(file.to_owned(), |line| format!("{file}:{line}"))
        };
        ["mod_sysfs_init", "__request_module", "caller"].map(file)
    };
    assert_eq!(files("v4.9"), ["kernel/module.c", "kernel/kmod.c", "none"]);
    assert_eq!(
        files("6.12-debian"),
        ["kernel/module/sysfs.c:339", "kernel/module/kmod.c:131", "none"]
    );
}

/// Of a run that is a system's, the evidence has the runs to what the scenario asks, not that one.
#[test]
fn the_evidence_of_a_witness_is_that_of_its_system() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (file, witness, evidence) = (at("race.toml"), at("witness.json"), at("evidence"));
    run(&["new", &file, "--kind", "race"]).exits(0);
    run(&["check", &file, "--witness", "1=0", "--save-trace", &witness]).exits(0);
    run(&["evidence", &witness, "--out", &evidence]).exits(1);
    let own = fs::read_to_string(Path::new(&evidence).join("traces/opens-when-ready-12.md"));
    assert!(own.unwrap().contains("Nobody uses the driver before it is LIVE."));
}
