//! The commands that show and keep evidence, as a user runs them: trace, report, evidence, step,
//! completions, man.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Run, run};
use crate::sample::some_of;
use serde_json::Value;
use tempfile::TempDir;

/// The race, as recorded.
fn race() -> PathBuf {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../properties/traces");
    let mut files: Vec<PathBuf> = fs::read_dir(traces)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("get-fs-type-finds-it-21-"))
        .collect();
    files.sort();
    files.remove(0)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_trace_in_every_format() {
    let race = race();
    let drawn = |format: &str| run(&["trace", text(&race), "--format", format]).exits(0).out;
    let columns = drawn("text");
    assert!(columns.lines().all(|line| line.chars().count() <= 80), "{columns}");
    for part in ["CPU0", "CPU1", "what changed", "mod_sysfs_init", "+ext4/", "violates get-fs-type"]
    {
        assert!(columns.contains(part), "'{part}' is not in {columns}");
    }
    assert!(drawn("mermaid").starts_with("sequenceDiagram\n"));
    assert!(drawn("dot").starts_with("digraph trace {\n"));
    let svg = drawn("svg");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    let json: Value = serde_json::from_str(&drawn("json")).unwrap();
    assert_eq!(json["format"], "kmodcheck-story");
    assert_eq!(json["context_switches"], 1);
    assert_eq!(json["story"]["steps"].as_array().unwrap().len(), 21);
    assert_eq!(json["story"]["steps"][10]["after"]["modules"][0]["directory"], true);
    assert_eq!(json["story"]["steps"][10]["after"]["modules"][0]["initstate"], false);
}

#[test]
fn why_it_happened() {
    run(&["trace", text(&race()), "--why"])
        .exits(0)
        .says("Avoided if CPU0's module_add_modinfo_attrs (ext4/initstate appears) had come\n  before CPU1's modprobe (open ext4/initstate: ENOENT).");
}

#[test]
fn a_trace_is_made_minimal_and_kept() {
    let directory = TempDir::new().unwrap();
    let saved = directory.path().join("trace.json");
    // Somebody's run: CPU1 looks around first, then the race.
    let script = format!("2\n2\nf get-fs-type-finds-it\ns {}\n", saved.display());
    step(&["race"], &script).exits(0).says("violates get-fs-type-finds-it");
    let minimised = directory.path().join("minimised.json");
    let arguments = ["trace", text(&saved), "--minimise", "--save", text(&minimised)];
    let found = run(&arguments).exits(0);
    assert!(found.err.contains("21 steps, 1 context switch; no trace is shorter"), "{}", found.err);
    run(&["replay", text(&minimised)]).exits(0).says("replayed: 21 steps");
    let traces = directory.path().join("traces");
    let add = ["trace", text(&saved), "--add", "--shows", "A test.", "--traces", text(&traces)];
    run(&add).refuses(&["expected the directory of recorded traces"]);
    fs::create_dir(&traces).unwrap();
    let added = run(&add).exits(0);
    assert!(added.err.contains("added: possible under"), "{}", added.err);
    let files: Vec<_> = fs::read_dir(&traces).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let file = files[0].as_ref().unwrap().path();
    let json: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(json["shows"], "A test.");
    let closed = json["impossible"].as_array().unwrap();
    assert!(closed.iter().any(|c| c["with"] == "bare-directory=coming"), "{closed:?}");
    // A second time there is nothing to add.
    let again = run(&add).exits(0);
    assert!(again.err.contains("is recorded already"), "{}", again.err);
    run(&["trace", text(&file)]).exits(0);
}

#[test]
fn a_trace_that_fits_no_more() {
    let directory = TempDir::new().unwrap();
    let changed = directory.path().join("changed.json");
    let recorded = fs::read_to_string(race()).unwrap();
    fs::write(&changed, recorded.replace("mod_sysfs_init", "mod_sysfs_setup")).unwrap();
    let found = run(&["trace", text(&changed)]).exits(1);
    assert!(found.err.contains("step 11 is impossible"), "{}", found.err);
    fs::write(&changed, &recorded[..recorded.len() / 2]).unwrap();
    let found = run(&["trace", text(&changed)]).refuses(&["changed.json:"]);
    assert!(found.err.contains(" | ") && found.err.contains('^'), "{}", found.err);
}

/// Runs `step` with `script` on standard input.
fn step(arguments: &[&str], script: &str) -> Run {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    command.arg("step").args(arguments).write_stdin(script);
    Run::of(command.output().expect("the command can be run"))
}

#[test]
fn by_hand() {
    // CPU0 up to the directory, asked before and after initstate appears, undone, violated.
    let eleven = "1\n".repeat(11);
    let script = format!("{eleven}w\n1\nw\nu\nf get-fs-type-finds-it\nt\nw\nq\n");
    let found = step(&["race"], &script).exits(0);
    let yes = "yes: get-fs-type-finds-it can be violated in 10 more steps";
    assert_eq!(found.out.matches(yes).count(), 1, "{}", found.out);
    found
        .says("no: ")
        .says("11 CPU0 mod_sysfs_init: /sys/module/ext4 appears   [+ext4/]")
        .says("step 21 violates get-fs-type-finds-it")
        .says("what changed");
    // v20: it cannot go wrong from the start.
    step(&["fs-ext4/ok/v20/none/none"], "w\n").exits(0).says("no: ");
}

#[test]
fn by_hand_what_cannot_be_done() {
    let refused = |script: &str, part: &str| {
        let found = step(&["race"], script).exits(2);
        assert!(found.err.contains(part), "{script}: {}", found.err);
    };
    refused("7\n", "line 1: found '7', expected a step from 1 to 2, or h");
    refused("1\nx\n", "line 2: found 'x'");
    refused("u\n", "there is no step to undo");
    refused("s /tmp/none.json\n", "nothing is violated yet");
    refused("f no-such\n", "found property 'no-such', expected one of no-false-success");
    refused("f no-needless-userspace\n", "cannot be violated from here");
    let found = run(&["step", "no such scenario"]).exits(2);
    assert!(found.err.contains("expected a file"), "{}", found.err);
    let found = step(&["race", "--states-limit", "10"], "w\n").exits(3);
    assert!(found.out.contains("out of budget"), "{}", found.out);
}

/// Made from that folder.
fn report_from(folder: &Path, more: &[&str], out: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    command.current_dir(folder).arg("report").arg("--out").arg(out).args(more);
    Run::of(command.output().unwrap()).exits(0);
    fs::read_to_string(out).unwrap()
}

/// The same bytes wherever it is made, and on however many threads: certificates that happen to be there are not in it,
/// but for those that it is told of.
#[test]
fn the_report_is_one_small_file_the_same_each_time() {
    let directory = TempDir::new().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let html = report_from(&root, &[], &directory.path().join("one.html"));
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/certificates");
    let more = ["--certificates", own, "--threads", "1"];
    let told = report_from(directory.path(), &more, &directory.path().join("two.html"));
    // It lists certificates and says that it has not checked them.
    assert!(told.contains("This page has not checked them"));
    let (before, rest) =
        html.split_once("<p>No certificates (<code>--certificates DIR</code>)").unwrap();
    let (_, after) = rest.split_once("</p>").unwrap();
    assert!(told.starts_with(before) && told.ends_with(after), "it differs");
    let none = ["report", "--out", "/dev/null", "--certificates", "/no/such"];
    run(&none).refuses(&["/no/such: No such file"]);
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    for network in ["src=\"http", "href=\"http", "src=\"//", "@import", "url("] {
        assert!(!html.contains(network), "it asks the network: {network}");
    }
    assert_eq!(html.matches("data-cell=\"").count(), 392);
    let data = html.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["cells"].as_array().unwrap().len(), 392);
    let race = &data["traces"][data["race"].as_u64().unwrap() as usize];
    assert_eq!(race["run"]["steps"].as_array().unwrap().len(), 21);
    // kmod v20 goes its own way at the step after the stat.
    assert!(race["beside"]["diverges"].as_u64().unwrap() > 15, "{race}");
    // Every violated cell has a trace of as many steps as its verdict says.
    for cell in data["cells"].as_array().unwrap() {
        for (p, trace) in cell["traces"].as_array().unwrap().iter().enumerate() {
            let steps = cell["runs"]
                .as_array()
                .unwrap()
                .iter()
                .find_map(|run| run["answers"][p]["steps"].as_u64());
            let told = trace.as_u64().map(|t| {
                data["traces"][t as usize]["run"]["steps"].as_array().unwrap().len() as u64
            });
            assert_eq!(told, steps, "{cell}");
        }
    }
}

#[test]
fn no_report_without_every_cell() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("report.html");
    let found = run(&["report", "--out", text(&out), "--states-limit", "100"]).exits(3);
    assert!(found.err.contains("of 392 cells were explored completely"), "{}", found.err);
    assert!(!out.exists());
    let evidence = directory.path().join("evidence");
    run(&["evidence", "--out", text(&evidence), "--states-limit", "5"]).exits(3);
    assert!(!evidence.exists());
}

/// What is no certificate is refused.
#[test]
fn no_report_takes_anything_for_a_certificate() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("report.html");
    fs::write(directory.path().join("proof.json"), "{\"proves\": \"everything\"}").unwrap();
    let certificates = ["report", "--certificates", text(directory.path()), "--out", text(&out)];
    run(&certificates).refuses(&["proof.json:1:", "missing field `format`"]);
    assert!(!out.exists());
}

/// Every file under a directory, by its path.
fn files(directory: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>, root: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found, root);
        } else {
            found.push((path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
}

#[test]
fn the_evidence_is_the_same_bytes_each_time() {
    let directory = TempDir::new().unwrap();
    let one = directory.path().join("one");
    run(&["evidence", "--out", text(&one)]).exits(0);
    let mut first = Vec::new();
    files(&one, &mut first, &one);
    for threads in some_of(0, ["1"]) {
        let two = directory.path().join("two");
        run(&["evidence", "--out", text(&two), "--threads", threads]).exits(0);
        let mut second = Vec::new();
        files(&two, &mut second, &two);
        assert!(first == second, "the evidence differs");
    }
    let readme = fs::read_to_string(one.join("README.md")).unwrap();
    assert!(readme.contains("| SHA-256 of the model"), "{readme}");
    let theorems = fs::read_to_string(one.join("theorems.md")).unwrap();
    assert_eq!(theorems.matches("Stands: ").count(), 9, "{theorems}");
    // Every link leads somewhere, and every trace replays.
    for (name, bytes) in &first {
        let Ok(markdown) = std::str::from_utf8(bytes) else { panic!("{name:?}") };
        for link in markdown.split("](").skip(1) {
            let target = link.split_once(')').unwrap().0;
            assert!(one.join(target).exists(), "{name:?}: {target}");
        }
    }
    let trace = first.iter().find(|(name, _)| name.extension().is_some_and(|e| e == "json"));
    run(&["replay", text(&one.join(&trace.unwrap().0))]).exits(0);
}

/// Pages of one system end as `check` does, judge what it judges, and have what the scenario asks itself, with its run.
#[test]
fn pages_of_one_system_say_what_check_says() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (example, race) = (at("example.toml"), at("race.toml"));
    run(&["new", &example]).exits(0);
    run(&["new", &race, "--kind", "race"]).exits(0);
    let (page, evidence) = (at("page.html"), at("evidence"));
    // What is violated and not judged makes no difference; what differs does.
    for (file, changes, ends) in [
        (&example, &[][..], 0),
        (&example, &["--kmod", "v20"], 1),
        (&race, &[], 0),
        (&race, &["--states-limit", "3"], 3),
    ] {
        for words in [
            &["check", file][..],
            &["report", file, "--out", &page],
            &["evidence", file, "--out", &evidence],
        ] {
            run(&[words, changes].concat()).exits(ends);
        }
    }
    run(&["report", &example, "--out", &page]).exits(0);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("violated, in 30 steps (not judged)"), "{html}");
    assert!(
        html.contains("<strong>CPU1&#x27;s modprobe took &#x2f;sys&#x2f;module&#x2f;ext4"),
        "{html}"
    );
    run(&["report", &race, "--out", &page]).exits(0);
    let html = std::fs::read_to_string(&page).unwrap();
    for part in [
        "<a href=\"#opens-when-ready\">",
        "<h3 id=\"opens-when-ready\">",
        "Nobody uses the driver before it is LIVE.",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    run(&["evidence", &race, "--out", &evidence]).exits(0);
    let read =
        |name: &str| std::fs::read_to_string(directory.path().join("evidence").join(name)).unwrap();
    let readme = read("README.md");
    let (_, row) = readme.split_once("| opens-when-ready | violated, [in ").unwrap();
    let (_, link) = row.split_once('(').unwrap();
    let link = link.split(' ').next().unwrap();
    assert!(read(link).contains("Nobody uses the driver"), "{link}");
    let witness = directory.path().join("evidence").join(link.replace(".md", ".json"));
    run(&["replay", text(&witness)]).exits(0);
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        run(&["completions", shell]).exits(0).says("kmodcheck").says("minimise");
    }
    let directory = TempDir::new().unwrap();
    let man = directory.path().join("man");
    run(&["man", text(&man)]).exits(0);
    let page = fs::read_to_string(man.join("kmodcheck.1")).unwrap();
    assert!(page.contains(".TH kmodcheck 1"), "{page}");
    let trace = fs::read_to_string(man.join("kmodcheck-trace.1")).unwrap();
    assert!(trace.contains("context switches"), "{trace}");
}

#[test]
fn quiet_and_without_colours_when_piped() {
    let found = run(&["trace", text(&race())]).exits(0);
    assert_eq!(found.err, "");
    assert!(!found.out.contains('\u{1b}'));
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    command.args(["trace", "/no/such/file"]).env("NO_COLOR", "1");
    let found = Run::of(command.output().unwrap()).exits(2);
    assert!(!found.err.contains('\u{1b}'), "{}", found.err);
}
