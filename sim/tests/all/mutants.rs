//! Logs of a real kernel, altered: a model that accepts everything would explain the real ones, too.
//!
//! Every alteration of a kind is made (under `KMODCHECK_ALL`), not a sample. What is accepted all the same must be told, with
//! its reason, in `docs/reality.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::sample::{for_all, some_of};
use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_sim::trace::ftrace::{About, Recording};

const LIMIT: u64 = 100_000;

/// Folder, kernel, kmod.
const FOLDERS: [(&str, &str, &str); 5] = [
    (".", "6.1-debian", "v30"),
    ("v4.9-kmod19", "v4.9", "v19"),
    ("v4.9-kmod20", "v4.9", "v20"),
    ("6.12-kmod30", "v6.5", "v30"),
    ("6.1-kmod30", "6.1-debian", "v30"),
];

/// A recorded log.
struct Log {
    /// Its path below the folder of all of them.
    name: String,
    features: Features,
    lines: Vec<String>,
}

fn logs() -> Vec<Log> {
    let mut logs = Vec::new();
    for (folder, kernel, kmod) in FOLDERS {
        let directory = Path::new("tests/fixtures/real-logs").join(folder);
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "log")) {
            let name = path.strip_prefix("tests/fixtures/real-logs").unwrap();
            let name = name.display().to_string().trim_start_matches("./").to_owned();
            // Two have v19, or a stand-in for it, as their helper; one a blacklisted module, which
            // cli/tests/all/steered.rs knows of.
            let kmod = match name.contains("kmod-19") || name == "steered-race.log" {
                true => "v19",
                false => kmod,
            };
            if name == "steered-blacklist.log" {
                continue;
            }
            // Of what else followed a plan.
            let newer = ["joined", "argument", "notifier", "sections", "signalled"];
            let newer = newer.iter().any(|of| name.starts_with(&format!("steered-{of}")));
            let kernel = if newer { "6.12-debian" } else { kernel };
            let features = Features {
                kernel: presets::kernel(kernel).unwrap(),
                kmod: presets::kmod(kmod).unwrap(),
            };
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().map(str::to_owned).collect();
            logs.push(Log { name, features, lines });
        }
    }
    logs
}

/// An altered log.
struct Mutant {
    /// Which log, which alteration, which line.
    name: String,
    log: usize,
    text: String,
}

/// The event's name and its module, as the text has them.
fn event(line: &str) -> (&str, Option<&str>) {
    let rest = line.split(": ").nth(1).unwrap_or("").trim();
    let name = rest.split(['(', ' ', ':']).next().unwrap_or("");
    let after = line.split(&format!("{name}: ")).nth(1).unwrap_or("");
    let quoted = ["name=\"", "kobj=\""]
        .iter()
        .find_map(|key| after.split(key).nth(1).and_then(|value| value.split('"').next()));
    let first = after.split_whitespace().next();
    let first = first.filter(|_| name.starts_with("module_") && name != "module_request");
    (name, quoted.or(first))
}

/// A line without its CPU, flags and time: what is compared.
fn timeless(line: &str) -> Option<(&str, &str)> {
    Some((line.split(" [").next()?.trim(), line.split_once(": ")?.1))
}

fn pid(line: &str) -> Option<(&str, &str)> {
    line.trim().split(" [").next()?.trim().rsplit_once('-')
}

fn mutants(logs: &[Log]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (log, Log { name, features, lines }) in logs.iter().enumerate() {
        let text = lines.join("\n");
        let recording = Recording::new(name, &text, *features, About::default()).unwrap();
        let cast = recording.cast();
        // The lines that are compared, from 0.
        let visible: Vec<usize> =
            cast.observations.iter().map(|o| cast.lines[o.line].number - 1).collect();
        let mut add = |what: &str, line: usize, changed: Vec<String>| {
            let (event, _) = event(&lines[line]);
            let name = format!("{name}:{} {what} {event}", line + 1);
            mutants.push(Mutant { name, log, text: changed.join("\n") });
        };
        for (at, &line) in visible.iter().enumerate() {
            let mut dropped = lines.clone();
            dropped.remove(line);
            add("drop", line, dropped);
            // The next line of the same module, whoever it is of.
            let module = event(&lines[line]).1;
            let next = visible[at + 1..].iter().find(|other| event(&lines[**other]).1 == module);
            if let (Some(&next), Some(_)) = (next, module)
                && timeless(&lines[line]) != timeless(&lines[next])
            {
                let mut swapped = lines.clone();
                swapped.swap(line, next);
                add(&format!("swap-with-{}", next + 1), line, swapped);
            }
            for (from, to) in [
                ("ret=0", "ret=1"),
                ("ret=0", "ret=-17"),
                ("ret=0", "ret=256"),
                ("ret=1", "ret=0"),
                ("ret=-17", "ret=0"),
                ("ret=-17", "ret=-16"),
                ("ret=256", "ret=0"),
                ("-> 0x0", "-> 0xffffffffffffffef"),
                ("-> 0x0", "-> 0xfffffffffffffff5"),
                ("-> 0xffffffffffffffef", "-> 0x0"),
                ("-> 0xffffffffffffffed", "-> 0xfffffffffffffffe"),
                ("-> 0xfffffffffffffffe", "-> 0xffffffffffffffed"),
            ] {
                let boolean = event(&lines[line]).0 == "finished_loading_ret";
                let fits = boolean == matches!((from, to), ("ret=0", "ret=1") | ("ret=1", _));
                if fits && lines[line].ends_with(from) {
                    let mut changed = lines.clone();
                    let keep = changed[line].len() - from.len();
                    changed[line].truncate(keep);
                    changed[line].push_str(to);
                    add(&format!("change-to-{}", to.trim_start_matches("-> ")), line, changed);
                }
            }
        }
        let processes: BTreeSet<(&str, &str)> =
            visible.iter().filter_map(|line| pid(&lines[*line])).collect();
        // Another process of the same command does it.
        for &line in &visible {
            let Some(mine) = pid(&lines[line]) else { continue };
            let mut others = processes.iter().filter(|p| p.0 == mine.0 && p.1 != mine.1);
            let Some(other) = others
                .find(|p| p.1 > mine.1)
                .or(processes.iter().find(|p| p.0 == mine.0 && p.1 != mine.1))
            else {
                continue;
            };
            let mut changed = lines.clone();
            changed[line] =
                changed[line].replacen(&format!("-{}", mine.1), &format!("-{}", other.1), 1);
            add(&format!("give-to-{}", other.1), line, changed);
        }
        // Two processes of one command become one.
        for one in &processes {
            for other in processes.iter().filter(|other| one < other && one.0 == other.0) {
                let (from, to) = (format!("-{}", other.1), format!("-{}", one.1));
                let first = visible.iter().find(|line| pid(&lines[**line]) == Some(*other));
                let merged = lines
                    .iter()
                    .map(|line| match pid(line) {
                        Some(process) if process == *other => line
                            .replacen(&from, &to, 1)
                            .replace(&format!("pid={}", other.1), &format!("pid={}", one.1)),
                        _ => line.clone(),
                    })
                    .collect();
                add(&format!("merge-{}-into-{}", other.1, one.1), *first.unwrap(), merged);
            }
        }
    }
    mutants
}

/// Where the altered logs that are accepted are listed, each with the name of its reason, which
/// `docs/reality.md` tells.
const ACCEPTED: &str = "tests/fixtures/real-logs/altered-and-accepted.txt";

#[test]
fn every_altered_log_is_refused_or_told_why_not() {
    let logs = logs();
    let all = mutants(&logs);
    let number = all.len();
    let mutants = some_of(300, all);
    let whole = mutants.len() == number;
    // By mutant: refused, unreadable, accepted, undecided.
    let results = for_all(&mutants, |mutant| {
        let log = &logs[mutant.log];
        match Recording::new(&log.name, &mutant.text, log.features, About::default()) {
            Err(_) => 'u',
            Ok(recording) => match recording.decide(LIMIT) {
                Err(_) => '?',
                Ok(answer) if answer.is_accepted() => 'a',
                Ok(_) => 'r',
            },
        }
    });
    let count = |wanted: char| results.iter().filter(|result| **result == wanted).count();
    let named = |wanted: char| -> Vec<&str> {
        let named = mutants.iter().zip(&results).filter(|(_, result)| **result == wanted);
        named.map(|(mutant, _)| &*mutant.name).collect()
    };
    println!(
        "{} mutants: {} refused, {} unreadable, {} accepted, {} undecided",
        mutants.len(),
        count('r'),
        count('u'),
        count('a'),
        count('?')
    );
    let list = std::fs::read_to_string(ACCEPTED).unwrap();
    let listed: Vec<(&str, &str)> = list.lines().filter_map(|l| l.split_once(": ")).collect();
    let mut wrong = Vec::new();
    for name in named('a') {
        if !listed.iter().any(|(_, known)| *known == name) {
            wrong.push(format!("accepted, and not listed: {name}"));
        }
    }
    let accepted: BTreeSet<&str> = named('a').into_iter().collect();
    for (_, name) in &listed {
        if whole && !accepted.contains(name) {
            wrong.push(format!("listed, and not accepted: {name}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(named('?'), Vec::<&str>::new());
    if !whole {
        return;
    }
    let told = std::fs::read_to_string("../docs/reality.md").unwrap();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let reasons: BTreeSet<&str> = listed.iter().map(|(reason, _)| *reason).collect();
    for reason in reasons {
        let count = listed.iter().filter(|(known, _)| *known == reason).count();
        let row = format!("| {reason} | {count} |");
        assert!(told.contains(&row), "not in docs/reality.md: {row}");
    }
    let counts = format!(
        "{} altered logs: {} are refused by the model or by the order within a process, {} cannot be \
         read, {} are accepted",
        mutants.len(),
        count('r'),
        count('u'),
        accepted.len()
    );
    assert!(told.contains(&counts), "not in docs/reality.md: {counts}");
}
