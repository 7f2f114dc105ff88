//! The main job, as a user runs it.

use std::path::Path;
use std::sync::LazyLock;

use crate::common::run;
use crate::sample::long_some_of;
use serde_json::Value;

/// All that it prints.
static PRINTED: LazyLock<String> = LazyLock::new(|| {
    let found = run(&["--all"]).exits(0);
    assert_eq!(found.err, "", "nothing to say on a pipe");
    found.out
});

/// What it prints with `--json`.
static JSON: LazyLock<String> = LazyLock::new(|| run(&["--json"]).exits(0).out);

#[test]
fn it_finds_the_race_and_is_as_recorded() {
    for part in [
        "The race on v4.9 with kmod v19, as short as it gets:",
        "The theorem, for two and three callers on v4.9",
        "All 392 cells are as recorded.",
        "\nrequest_module(\"ext4\")\n",
        "\nget_fs_type(\"ext4\"), alias fs-ext4 = fs- + module\n",
        "\nget_fs_type(\"ext3\"), alias fs-ext3 of module ext4\n",
    ] {
        assert!(PRINTED.contains(part), "{part}");
    }
    for part in ["FALLS", "NOT NEEDED", "undecided", "not explored", "out of budget"] {
        assert!(!PRINTED.contains(part), "{part}");
    }
}

/// The text between `from` and the next blank line of what it prints.
fn printed_after(from: &str) -> &'static str {
    let (_, rest) = PRINTED.split_once(from).expect("that is printed");
    rest.split_once("\n\n").expect("a blank line follows").0
}

/// The one block of a page. `KMODCHECK_RECORD=1` brings it up to date.
fn shows(page: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut parts: Vec<&str> = text.split("```\n").collect();
    assert_eq!(parts.len(), 3, "{page}: one block");
    if std::env::var_os("KMODCHECK_RECORD").is_some() {
        let block = format!("{shown}\n");
        parts[1] = &block;
        std::fs::write(path, parts.join("```\n")).unwrap();
        return;
    }
    assert_eq!(parts[1].trim_end(), shown, "{page}");
}

#[test]
fn the_pages_show_what_the_command_prints() {
    shows("README.md", crate::first_screen::ON_A_PIPE.trim_end());
    shows("docs/matrix.md", printed_after("\nrequest_module(\"ext4\")\n"));
    shows("docs/mutants.md", run(&["mutants"]).exits(0).out.trim_end());
}

#[test]
fn the_page_of_commands_has_all_of_them() {
    let help = run(&["--help"]).exits(0).out;
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let commands: Vec<&str> = (list.lines())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    let page = include_str!("../../../docs/commands.md");
    for command in commands {
        assert!(page.contains(&format!("    kmodcheck {command} ")), "{command}");
    }
}

#[test]
fn json_is_byte_identical_at_any_number_of_threads() {
    let printed = [("2", "--json", &JSON), ("1", "--all", &PRINTED), ("1", "--json", &JSON)];
    for (threads, form, before) in long_some_of(0, 1, printed) {
        let again = run(&[form, "--threads", threads]).exits(0).out;
        assert!(**before == again, "{threads} threads give other bytes than all");
    }

    let json: Value = serde_json::from_str(&JSON).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-matrix".into(), &1.into()));
    let cells = json["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 392);
    for cell in cells {
        let reports = cell["reports"].as_array().unwrap();
        let counted: Vec<_> =
            reports.iter().map(|r| (r["callers"].as_u64(), r["symmetry"].as_bool())).collect();
        assert_eq!(counted, [(Some(2), Some(false)), (Some(3), Some(true))]);
        for report in reports {
            assert_eq!(report["end"], "complete");
            assert_eq!(report["properties"].as_array().unwrap().len(), 13);
        }
    }
    let steps = json["race"]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["what"], "no file system: returns NULL");
    assert!(json["claims"].as_array().unwrap().iter().all(|c| c["outcome"] == "stands"));
    assert_eq!(json["differences_from_the_record"], Value::Array(Vec::new()));
}

#[test]
fn a_budget_that_is_too_small_is_no_verdict() {
    for limit in [["--states-limit", "100"], ["--time-limit", "0"], ["--memory-limit", "0"]] {
        let cut = run(&[&["--all"], &limit[..]].concat()).exits(3);
        assert!(cut.err.contains("out of budget"), "{limit:?}: {}", cut.err);
        assert!(cut.err.contains(" of 392 cells explored to the end"), "{limit:?}: {}", cut.err);
        let cut = cut.says("out of budget").says("undecided").says("0 differ");
        assert!(!cut.out.contains("FALLS") && !cut.out.contains("NOT NEEDED"), "{limit:?}");
        assert!(!cut.out.contains("All 392 cells are as recorded"), "{limit:?}");
    }
}

/// What is found before the budget ends is compared with the record: the race of 20 steps is there.
#[test]
fn violations_that_a_cut_search_found_are_said() {
    let cut = run(&["--states-limit", "300", "--json"]).exits(3);
    let json: Value = serde_json::from_str(&cut.out).unwrap();
    let cells = json["cells"].as_array().unwrap();
    let ends = |end: &str| cells.iter().filter(|c| c["reports"][1]["end"] == end).count();
    assert!(ends("states limit") > 100 && ends("complete") > 100);
    let violated = cells
        .iter()
        .filter(|c| c["reports"][1]["end"] == "states limit")
        .flat_map(|c| c["reports"][1]["properties"].as_array().unwrap())
        .filter(|p| p["verdict"] == "violated")
        .count();
    assert!(violated > 0, "no cut search had found a violation");
    let holds = cells
        .iter()
        .filter(|c| c["reports"][1]["end"] != "complete")
        .flat_map(|c| c["reports"][1]["properties"].as_array().unwrap())
        .any(|p| p["verdict"] == "holds" || p["verdict"] == "vacuous");
    assert!(!holds, "a search that was cut says 'holds'");
}

#[test]
fn bad_arguments() {
    for (arguments, parts) in [
        (&["--threads", "0"][..], &["--threads"][..]),
        (&["--threads", "many"], &["many"]),
        (&["--states-limit", "-1"], &["-1"]),
        (&["--time-limit", "soon"], &["soon", "expected a number of seconds"]),
        (&["--time-limit=-1"], &["--time-limit"]),
        (&["--time-limit", "NaN"], &["--time-limit"]),
        (&["--memory-limit", "1e3"], &["1e3"]),
        (&["explain"], &["explain"]),
        (&["--no-such-option"], &["--no-such-option"]),
    ] {
        run(arguments).refuses(parts);
    }
    // More than there is address space for is no limit at all.
    crate::common::check(&[
        "--module",
        "loop",
        "--kmod",
        "v20",
        "--memory-limit",
        "18446744073709551615",
    ])
    .exits(0);
}

#[test]
fn help_and_version() {
    run(&["--help"]).exits(0).says("Exit status: 0 all as expected; 1 ");
    run(&["--version"]).exits(0).says("kmodcheck ");
}

/// A reader that has seen enough does not change the exit status, and nobody panics.
#[test]
fn a_closed_pipe_ends_the_output_quietly() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_kmodcheck"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = crate::common::Run::of(child.wait_with_output().unwrap()).exits(0);
    assert_eq!(run.err, "");
}

/// Output that is lost is no success.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_kmodcheck")).stdout(full).output().unwrap();
    let run = crate::common::Run::of(output).exits(2);
    assert!(run.err.contains("standard output"), "{}", run.err);
}

/// Ctrl-C: what was covered, and exit status 3.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_run_says_what_it_covered() {
    let run = interrupted(&["--all", "--threads", "1"]).exits(3);
    assert!(run.err.contains("interrupted: "), "{}", run.err);
    assert!(run.err.contains(" of 392 cells explored to the end"), "{}", run.err);
    assert!(run.out.contains("not explored"), "{}", run.out);

    let fixture = crate::common::fixture();
    let modules = fixture.to_str().unwrap();
    let endless =
        ["check", "--modules", modules, "--fs", "btrfs", "--callers", "15", "--no-symmetry"];
    let run = interrupted(&[&endless[..], &["--kmod", "v20"]].concat()).exits(3);
    let run = run.says("interrupted: ").says(" not expanded").says(" interrupted\n");
    assert!(!run.out.contains("holds "), "{}", run.out);
    assert!(!run.out.contains("out of budget"), "{}", run.out);
}

/// Starts the command and interrupts it as soon as it listens.
#[cfg(target_os = "linux")]
fn interrupted(arguments: &[&str]) -> crate::common::Run {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    let child = Command::new(env!("CARGO_BIN_EXE_kmodcheck"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    // SIGINT is bit 1 of the mask of caught signals.
    let listens = || {
        let text = std::fs::read_to_string(&status).unwrap();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        u64::from_str_radix(mask, 16).unwrap() & 2 != 0
    };
    while !listens() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    crate::common::Run::of(child.wait_with_output().unwrap())
}
