//! Campaigns of random walks, in parts and joined, as a user runs them.

mod common;

use std::fs;
use std::path::Path;

use common::{Run, run};
use tempfile::TempDir;

const CAMPAIGN: [&str; 8] =
    ["sample", "race", "--callers", "3", "--executions", "301", "--schedule", "pct"];

const GENERATED: [&str; 4] = ["sample", "--generated", "--executions", "301"];

fn sample(more: &[&str]) -> Run {
    run(&[&CAMPAIGN, more].concat())
}

/// Writes the parts, and gives their files.
fn parts(directory: &Path, of: u32) -> Vec<String> {
    parts_of(&CAMPAIGN, directory, of)
}

fn parts_of(campaign: &[&str], directory: &Path, of: u32) -> Vec<String> {
    (1..=of)
        .map(|part| {
            let file = directory.join(format!("part-{part}.jsonl")).display().to_string();
            run(&[campaign, &["--shard", &format!("{part}/{of}"), "--out", &file]].concat());
            file
        })
        .collect()
}

fn merge(files: &[String], more: &[&str]) -> Run {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    run(&[&["merge"], &files[..], more].concat())
}

#[test]
fn the_parts_add_up_to_the_whole_to_the_last_digit() {
    let directory = TempDir::new().unwrap();
    let whole = sample(&["--json"]).exits(1).out;
    assert_eq!(whole, sample(&["--json", "--threads", "1"]).exits(1).out);
    assert!(whole.contains("\"property\":\"no-false-success\",\"violated\":"), "{whole}");
    for of in [1, 2, 7] {
        let mut files = parts(directory.path(), of);
        files.reverse();
        assert_eq!(merge(&files, &["--json"]).exits(1).out, whole, "{of} parts, in any order");
    }
    let other = sample(&["--json", "--seed", "2"]).exits(1).out;
    assert_ne!(other.replace("\"seed\":2", "\"seed\":1"), whole, "the seed matters");
}

#[test]
fn generated_scenarios_add_up_likewise() {
    let directory = TempDir::new().unwrap();
    for schedule in ["random", "pct"] {
        let campaign = [&GENERATED[..], &["--schedule", schedule]].concat();
        let whole = run(&[&campaign[..], &["--json"]].concat()).exits(1).out;
        for of in [2, 5] {
            let files = parts_of(&campaign, directory.path(), of);
            assert_eq!(merge(&files, &["--json"]).exits(1).out, whole, "{schedule}, {of} parts");
        }
    }
    // Another space is another campaign.
    let elsewhere = TempDir::new().unwrap();
    let files = parts_of(&GENERATED, directory.path(), 2);
    let other = parts_of(&[&GENERATED[..], &["--actors", "2"]].concat(), elsewhere.path(), 2);
    let mixed = [files[0].clone(), other[1].clone()];
    merge(&mixed, &[]).refuses(&["a part of another campaign", "up to 2 actors"]);
}

/// What is shown of a walk that violates is a smaller scenario, which violates as well, by itself.
#[test]
fn what_violates_on_a_generated_scenario_is_shrunk() {
    let directory = TempDir::new().unwrap();
    let whole = run(&[&GENERATED[..], &["--json"]].concat()).exits(1).out;
    let line = whole.lines().find(|line| line.contains("\"no-false-success\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let first = line["first"].as_u64().expect("some scenario has a false success").to_string();
    let one = [&GENERATED[..], &["--only", &first]].concat();
    let walk = run(&one).exits(0).out;
    let saved = directory.path().join("saved.json").display().to_string();
    let more = ["--property", "no-false-success", "--save-trace", &saved];
    let shrunk = run(&[&one[..], &more].concat()).exits(1).out;
    // One module, two callers, the plainest presets: the walk's own scenario has more in it.
    let least = "generated, on v4.9 with kmod v5\nmodules: m0\nactors: 2 x request_module";
    assert!(!walk.contains(least), "{walk}");
    assert!(shrunk.starts_with(&format!("shrunk to: {least}")), "{shrunk}");
    run(&["replay", &saved]).exits(0);
    // The scenario that was saved violates by itself.
    run(&["sample", &saved]).exits(1).says("no-false-success           violated in");
    run(&[&one[..], &["--property", "no-false-alarm"]].concat()).refuses(&["does not violate"]);
}

#[test]
fn a_campaign_is_of_a_scenario_or_of_generated_ones() {
    run(&["sample"]).refuses(&["SCENARIO"]);
    run(&["sample", "race", "--generated"]).refuses(&["cannot be used with"]);
    for only in [["--kmod", "v20"], ["--kernel", "v4.9"], ["--actors", "2"]] {
        run(&[&["sample", "race"], &only[..]].concat()).refuses(&["cannot be used with", only[0]]);
    }
    run(&["sample", "--generated", "--actors", "9"]).refuses(&["9"]);
}

#[test]
fn what_is_no_whole_campaign_is_refused() {
    let directory = TempDir::new().unwrap();
    let files = parts(directory.path(), 3);
    merge(&files[..2], &[]).refuses(&["part 3 of 3 is missing"]);
    merge(&files[1..2], &[]).refuses(&["part 1 of 3 is missing, and 1 others"]);
    // A violation is said, whatever is missing beside it.
    merge(&files[..2], &["--partial"]).exits(1).says("walks");
    let twice = [files[0].clone(), files[0].clone()];
    merge(&twice, &[]).refuses(&["part-1.jsonl:1: found part 1 again"]);

    let text = fs::read_to_string(&files[0]).unwrap();
    let write = |text: &str| fs::write(&files[0], text).unwrap();
    write(&text.replace("\"seed\":1", "\"seed\":2"));
    merge(&files, &[]).refuses(&["a part of another campaign", "\"seed\":2"]);
    let lines: Vec<&str> = text.lines().collect();
    write(&lines[..lines.len() - 1].join("\n"));
    merge(&files, &[]).refuses(&["part-1.jsonl:12: found the end of the file"]);
    write(&text.replace("\"done\":101", "\"done\":100"));
    merge(&files, &[]).refuses(&["100 of 101 walks"]);
    write(&text.replace("\"done\":101", "\"done\":102"));
    merge(&files, &[]).refuses(&["part-1.jsonl:12: found 102 walks, expected at most 101"]);
    write(&text.replace("no-false-alarm", "no-alarm"));
    merge(&files, &[]).refuses(&["part-1.jsonl:6: found no-alarm", "expected no-false-alarm"]);
    write(&text.replace("kmodcheck-sample", "kmodcheck-trace"));
    merge(&files, &[]).refuses(&["part-1.jsonl:1: found format 'kmodcheck-trace'"]);
    let of_many = text.replace("\"shard\":[1,3]", "\"shard\":[1,18446744073709551615]");
    write(&of_many);
    merge(&files[..1], &[]).refuses(&["found 101 walks, expected at most 1"]);
    write(&of_many.replace("\"done\":101", "\"done\":1"));
    merge(&files[..1], &[]).refuses(&["is missing, and 18446744073709551613 others"]);
    write(&format!("{text}{{}}\n"));
    merge(&files, &[]).refuses(&["part-1.jsonl:13: found another line"]);
    for shard in ["0/3", "4/3", "3", "a/b"] {
        sample(&["--shard", shard]).refuses(&["expected I/N"]);
    }
}

#[test]
fn a_walk_is_drawn_saved_and_replayed() {
    let directory = TempDir::new().unwrap();
    let whole = sample(&[]).exits(1).out;
    let line = whole.lines().find(|line| line.starts_with("get-fs-type-finds-it")).unwrap();
    let number = line.rsplit(' ').next().unwrap();
    let saved = directory.path().join("trace.json").display().to_string();
    let only = ["--only", number, "--property", "get-fs-type-finds-it", "--save-trace", &saved];
    sample(&only).exits(1).says("returns NULL").says("violates get-fs-type-finds-it");
    run(&["replay", &saved]).exits(0).says("replayed: ");
    sample(&["--only", "301"]).refuses(&["found --only 301, expected 0 to 300"]);
    sample(&["--only", number, "--property", "lifecycle-and-sysfs"])
        .refuses(&["does not violate lifecycle-and-sysfs"]);
}

#[test]
fn a_campaign_that_is_cut_is_no_campaign() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("cut.jsonl").display().to_string();
    let cut = sample(&["--time-limit", "0", "--out", &file]).exits(3);
    assert!(cut.err.contains("out of budget: 0 of 301 walks"), "{}", cut.err);
    merge(&[file], &[]).refuses(&["0 of 301 walks"]);
}
