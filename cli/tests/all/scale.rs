//! Campaigns of random walks, in parts and joined, as a user runs them.

use std::fs;
use std::path::Path;

use crate::common::{Run, run};
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
    // One in which the first false success is not that of a toybox, which needs no module for it.
    let campaign = [&GENERATED[..], &["--seed", "8"]].concat();
    let whole = run(&[&campaign[..], &["--json"]].concat()).exits(1).out;
    let line = whole.lines().find(|line| line.contains("\"no-false-success\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let first = line["first"].as_u64().expect("some scenario has a false success").to_string();
    let one = [&campaign[..], &["--only", &first]].concat();
    let walk = run(&one).exits(0).out;
    let saved = directory.path().join("saved.json").display().to_string();
    let more = ["--property", "no-false-success", "--save-trace", &saved];
    let shrunk = run(&[&one[..], &more].concat()).exits(1).out;
    // One module, two callers, the plainest presets: the walk's own scenario has more in it.
    let least = "generated, on v4.9 with kmod v5\nmodules: m0\nactors: 2 x ";
    assert!(!walk.contains(least), "{walk}");
    assert!(shrunk.starts_with(&format!("shrunk to: {least}")), "{shrunk}");
    run(&["replay", &saved]).exits(0);
    // The scenario that was saved violates by itself.
    run(&["sample", &saved]).exits(1).says("no-false-success           violated in");
    run(&[&one[..], &["--property", "no-false-alarm"]].concat()).refuses(&["does not violate"]);
}

#[test]
fn a_campaign_is_of_a_scenario_or_of_generated_ones() {
    run(&["sample"]).refuses(&["SUBJECT"]);
    run(&["sample", "race", "--generated"]).refuses(&["cannot be used with"]);
    run(&["sample", "--generated", "--timeouts"]).refuses(&["cannot be used with"]);
    run(&["sample", "race", "--actors", "2"]).refuses(&["cannot be used with", "--actors"]);
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
    merge(&files, &[]).refuses(&["part-1.jsonl:15: found the end of the file"]);
    write(&text.replace("\"done\":101", "\"done\":100"));
    merge(&files, &[]).refuses(&["100 of 101 walks"]);
    write(&text.replace("\"done\":101", "\"done\":102"));
    merge(&files, &[]).refuses(&["part-1.jsonl:15: found 102 walks, expected at most 101"]);
    write(&text.replace("no-false-alarm", "no-alarm"));
    merge(&files, &[]).refuses(&["part-1.jsonl:6: found no-alarm", "expected no-false-alarm"]);
    write(&text.replace("kmodcheck-sample", "kmodcheck-trace"));
    merge(&files, &[])
        .refuses(&["part-1.jsonl: found a saved trace, expected a part of a campaign"]);
    let first_version = text.replace("\"version\":2", "\"version\":1");
    let build = &first_version[first_version.find("\"build\"").unwrap()..];
    let build = &build[..build.find("\"scenario\"").unwrap()];
    write(&first_version.replace(build, ""));
    merge(&files, &[]).refuses(&[
        "part-1.jsonl:1:",
        "found format",
        "version 1, expected",
        "version 2",
    ]);
    let of_many = text.replace("\"shard\":[1,3]", "\"shard\":[1,18446744073709551615]");
    write(&of_many);
    merge(&files[..1], &[]).refuses(&["expected one of part 1 of 18446744073709551615"]);
    write(&format!("{text}{{}}\n"));
    merge(&files, &[]).refuses(&["part-1.jsonl:16: found another line"]);
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

/// A part with one number or word altered is refused in the line where it is: each of what the lines say
/// is held against what the others say. Part 2 of 3 of 301 walks has the numbers 1, 4, ..., 298.
#[test]
fn what_a_part_cannot_say_is_refused() {
    let directory = TempDir::new().unwrap();
    let files = parts(directory.path(), 3);
    let whole = merge(&files, &["--json"]).exits(1).out;
    let text = fs::read_to_string(&files[1]).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let violated = lines.iter().position(|l| l["property"] == "no-false-success").unwrap();
    let asleep = lines.iter().position(|l| l["property"] == "nobody-sleeps-for-ever").unwrap();
    let (times, first) = (&lines[violated]["violated"], &lines[violated]["first"]);
    let (times, first) = (times.as_u64().unwrap(), first.as_u64().unwrap());
    assert!(times > 1 && first % 3 == 1 && lines[asleep]["violated"] == 0, "{text}");
    let (head, tail) = (0, lines.len() - 1);
    let (done, steps) = (&lines[tail]["done"], lines[tail]["steps"].as_u64().unwrap());
    assert_eq!((done, steps > 1000), (&100.into(), true), "{text}");
    let most = u64::MAX;
    // Which line, what in it, what it says instead, and what is said of it.
    let altered: [(usize, &str, serde_json::Value, &str); 33] = [
        (head, "format", "kmodcheck-trace".into(), "found a saved trace"),
        (head, "version", 1.into(), "version 1, expected 'kmodcheck-sample' version 2"),
        (head, "version", 3.into(), "version 3, expected 'kmodcheck-sample' version 2"),
        (head, "tool", "0.0.9".into(), "a part of another campaign"),
        (head, "build", "0".repeat(32).into(), "found a part of build 000"),
        (head, "scenario", "another".into(), "a part of another campaign"),
        (head, "digest", "0".repeat(64).into(), "a part of another campaign"),
        (head, "schedule", "random".into(), "a part of another campaign"),
        (head, "seed", 2.into(), "a part of another campaign"),
        (head, "executions", 0.into(), "found 0 walks"),
        (head, "executions", 300.into(), "a part of another campaign"),
        (head, "executions", 9.into(), "found"),
        (head, "longest", 0.into(), "found 0 steps at most"),
        (head, "longest", 1.into(), "expected"),
        (head, "shard", vec![0, 3].into(), "found part 0 of 3"),
        (head, "shard", vec![4, 3].into(), "found part 4 of 3"),
        (head, "shard", vec![1, 3].into(), "expected one of part 1 of 3"),
        (head, "shard", vec![2, 2].into(), "expected"),
        (head, "more", 1.into(), "unknown field `more`"),
        (violated, "property", "no-false-alarm".into(), "expected no-false-success"),
        (violated, "property", "no-such-property".into(), "expected no-false-success"),
        (violated, "violated", 101.into(), "found 101 violating walks, expected at most the 100"),
        (violated, "violated", most.into(), "violating walks, expected at most the 100 taken"),
        (violated, "violated", 0.into(), "with a first walk if there is one"),
        (violated, "violated", (-1).into(), "invalid value"),
        (violated, "first", serde_json::Value::Null, "with a first walk if there is one"),
        (violated, "first", (first + 1).into(), "expected one of part 2 of 3 of 301 walks"),
        (violated, "first", 301.into(), "expected one of part 2 of 3 of 301 walks"),
        (violated, "first", 298.into(), "expected at most the 1 from number 298 on"),
        (tail, "done", 101.into(), "found 101 walks, expected at most 100"),
        (tail, "steps", most.into(), "to 10000000: 100 walks, 0 of them cut"),
        (tail, "cut", 1.into(), "expected 100000 to 10000000: 100 walks, 1 of them cut"),
        (tail, "asleep", 1.into(), "expected the 1 asleep"),
    ];
    let write = |lines: &[serde_json::Value]| {
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&files[1], lines.concat()).unwrap();
    };
    for (line, field, value, said) in altered {
        let mut lines = lines.clone();
        lines[line][field] = value.clone();
        write(&lines);
        let refused = merge(&files, &[]).refuses(&["part-2.jsonl:"]);
        assert!(refused.err.contains(said), "{field} {value}: {}", refused.err);
    }
    // Several at a time, so that one does not contradict the other.
    for (fields, said) in [
        (
            &[(tail, "cut", most), (tail, "asleep", most)][..],
            "expected the 18446744073709551615 asleep",
        ),
        (
            &[(tail, "cut", 101), (tail, "steps", 10_000_000)],
            "found 101 walks cut and 0 that ended asleep",
        ),
        (&[(tail, "done", 0)], "expected at most the 0 taken"),
        (&[(tail, "done", times - 1)], "violating walks, expected at most the"),
        (&[(tail, "steps", times - 1)], "steps, expected "),
    ] {
        let mut lines = lines.clone();
        for (line, field, value) in fields {
            lines[*line][*field] = (*value).into();
        }
        write(&lines);
        let refused = merge(&files, &[]).refuses(&["part-2.jsonl:"]);
        assert!(refused.err.contains(said), "{fields:?}: {}", refused.err);
    }
    // Lines twice, left out, or in another order.
    for (lines, said) in [
        ([&lines[..2], &lines[1..]].concat(), ":3: found no-false-success"),
        ([&lines[..1], &lines[2..]].concat(), ":2: found no-false-success-strong"),
        ([&lines[..], &lines[tail..]].concat(), "found another line"),
        (lines[1..].to_vec(), ":1:"),
        (Vec::new(), ":1: found the end of the file"),
    ] {
        write(&lines);
        let refused = merge(&files, &[]).refuses(&["part-2.jsonl:"]);
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
    }
    // Sums that are more than can be counted, of parts that could each be.
    let mut huge = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let text = fs::read_to_string(if number == 1 { &files[0] } else { file }).unwrap();
        let mut lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines[head]["shard"][0] = (number + 1).into();
        lines[head]["executions"] = (u64::MAX / 3 * 3).into();
        lines[head]["longest"] = u32::MAX.into();
        for line in &mut lines[1..tail] {
            line["violated"] = 0.into();
            line.as_object_mut().unwrap().remove("first");
        }
        lines[tail]["done"] = (u64::MAX / 3).into();
        lines[tail]["steps"] = (u64::MAX / 2).into();
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        let file = directory.path().join(format!("huge-{number}.jsonl")).display().to_string();
        fs::write(&file, lines.concat()).unwrap();
        huge.push(file);
    }
    merge(&huge, &[]).refuses(&["huge-2.jsonl: found 9223372036854775807 steps, expected fewer"]);
    merge(&huge[..2], &["--partial"]).exits(3);

    fs::write(&files[1], &text).unwrap();
    assert_eq!(merge(&files, &["--json"]).exits(1).out, whole, "restored");
    let endless = ["/dev/zero".to_owned()];
    merge(&endless, &[]).refuses(&["/dev/zero: found more than 1073741824 bytes"]);
}
