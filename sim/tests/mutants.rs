//! Logs of a real kernel, altered: a model that accepts everything would explain the real ones, too.
//!
//! Every alteration of a kind is made, not a sample. What is accepted all the same must be told, with
//! its reason, in `docs/reality.md`.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_sim::trace::ftrace::Recording;

const LIMIT: u64 = 1_000_000;

const LOGS: [(&str, &str); 4] = [
    ("19-delayed-vfat-ENODEV", "v19"),
    ("30-parmount4-vfat", "v30"),
    ("30-nosuchfs", "v30"),
    ("30-rmmod", "v30"),
];

/// An altered log.
struct Mutant {
    /// Which log, which alteration, which line.
    name: String,
    log: usize,
    text: String,
}

fn features(kmod: &str) -> Features {
    Features { kernel: presets::kernel("6.1-debian").unwrap(), kmod: presets::kmod(kmod).unwrap() }
}

fn read(log: &str) -> Vec<String> {
    let file = format!("tests/fixtures/real-logs/kernel-6.1-kmod-{log}.log");
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
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

fn mutants() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (log, (name, kmod)) in LOGS.iter().enumerate() {
        let lines = read(name);
        let recording = Recording::new(name, &lines.join("\n"), features(kmod), None, &[]).unwrap();
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
        // Two processes of one command become one.
        let processes: BTreeSet<(&str, &str)> =
            visible.iter().filter_map(|line| pid(&lines[*line])).collect();
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

#[test]
fn every_altered_log_is_refused_or_told_why_not() {
    let mutants = mutants();
    let next = AtomicUsize::new(0);
    // By mutant: refused, unreadable, accepted, undecided.
    let results = Mutex::new(vec![' '; mutants.len()]);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutant) = mutants.get(number) else { break };
                    let (log, kmod) = LOGS[mutant.log];
                    let recording = Recording::new(log, &mutant.text, features(kmod), None, &[]);
                    let result = match recording {
                        Err(_) => 'u',
                        Ok(recording) => match recording.decide(LIMIT) {
                            Err(_) => '?',
                            Ok(answer) if answer.is_accepted() => 'a',
                            Ok(_) => 'r',
                        },
                    };
                    results.lock().unwrap()[number] = result;
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let count = |wanted: char| results.iter().filter(|result| **result == wanted).count();
    let survivors: Vec<&str> = mutants
        .iter()
        .zip(&results)
        .filter(|(_, result)| **result == 'a')
        .map(|(mutant, _)| &*mutant.name)
        .collect();
    println!(
        "{} mutants: {} refused, {} unreadable, {} accepted, {} undecided",
        mutants.len(),
        count('r'),
        count('u'),
        count('a'),
        count('?')
    );
    let told = std::fs::read_to_string("../docs/reality.md").unwrap();
    for survivor in &survivors {
        println!("    {survivor}");
        assert!(told.contains(&format!("`{survivor}`")), "not in docs/reality.md: {survivor}");
    }
    assert_eq!(count('?'), 0);
    assert!(count('r') >= 200);
    let counts = format!(
        "{} altered logs: {} are refused by the model or by the order within a process, {}\ncannot be \
         read (a call without its beginning), {} are accepted",
        mutants.len(),
        count('r'),
        count('u'),
        survivors.len()
    );
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&told).contains(&words(&counts)), "not in docs/reality.md: {counts}");
}
