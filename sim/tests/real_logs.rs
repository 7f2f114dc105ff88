//! Every recorded log with the kernel and the kmod that it was recorded of, and with others.
//!
//! `KMODCHECK_LOG=PART` in the environment looks only at logs with that in their name, and prints.

use std::path::{Path, PathBuf};

use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_model::userspace::index::{IndexText, ModuleIndex, SourceFile};
use kmodcheck_sim::trace::ftrace::{About, Answer, FtraceError, Recording};

const LIMIT: u64 = 200_000;

/// A folder of logs of one kernel and one kmod.
struct Folder {
    name: &'static str,
    modules: &'static str,
    kernel: &'static str,
    kmod: &'static str,
    logs: usize,
}

const FOLDERS: [Folder; 4] = [
    Folder {
        name: "v4.9-kmod19",
        modules: "v4.9-modules",
        kernel: "v4.9",
        kmod: "v19",
        logs: 12,
    },
    Folder {
        name: "v4.9-kmod20",
        modules: "v4.9-modules",
        kernel: "v4.9",
        kmod: "v20",
        logs: 8,
    },
    Folder {
        name: "6.12-kmod30",
        modules: "6.12-modules",
        kernel: "v6.5",
        kmod: "v30",
        logs: 14,
    },
    Folder {
        name: "6.1-kmod30",
        modules: "6.1-modules",
        kernel: "6.1-debian",
        kmod: "v30",
        logs: 6,
    },
];

fn folder(name: &str) -> PathBuf {
    Path::new("tests/fixtures/real-logs").join(name)
}

fn index(name: &str) -> ModuleIndex {
    let files: Vec<(String, String)> =
        ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"]
            .into_iter()
            .map(|file| {
                let path = folder(name).join(file);
                (file.to_owned(), std::fs::read_to_string(path).unwrap())
            })
            .collect();
    let file = |at: usize| SourceFile { name: &files[at].0, text: &files[at].1 };
    let text = IndexText { dep: file(0), alias: file(1), softdep: file(2), builtin: file(3) };
    ModuleIndex::parse(&text).unwrap()
}

fn features(kernel: &str, kmod: &str) -> Features {
    Features { kernel: presets::kernel(kernel).unwrap(), kmod: presets::kmod(kmod).unwrap() }
}

fn decide(
    text: &str,
    name: &str,
    features: Features,
    about: About<'_>,
) -> Result<(Recording, Answer), FtraceError> {
    let recording = Recording::new(name, text, features, about)?;
    let answer = recording.decide(LIMIT)?;
    Ok((recording, answer))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(folder(path)).unwrap()
}

/// Whether the log is accepted with this kernel and kmod, without indexes.
fn accepted(path: &str, kernel: &str, kmod: &str) -> bool {
    decide(&read(path), path, features(kernel, kmod), About::default()).unwrap().1.is_accepted()
}

#[test]
fn every_log_is_accepted_with_its_kernel_and_kmod() {
    let wanted = std::env::var("KMODCHECK_LOG").unwrap_or_default();
    let mut wrong = Vec::new();
    for Folder { name, modules, kernel, kmod, logs } in FOLDERS {
        let index = index(modules);
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert_eq!(paths.len(), logs, "{name}");
        for path in paths {
            let path_name = path.display().to_string();
            if !path_name.contains(&wanted) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for index in [None, Some(&index)] {
                let about = About { index, ..About::default() };
                let with = if index.is_some() { "with indexes" } else { "without" };
                let began = std::time::Instant::now();
                match decide(&text, &path_name, features(kernel, kmod), about) {
                    Ok((recording, answer)) => {
                        let cost = answer.cost();
                        println!(
                            "{path_name} {with}: {} states, {} at most, {} ms",
                            cost.nodes,
                            cost.widest,
                            began.elapsed().as_millis()
                        );
                        if !answer.is_accepted() || answer.states() != 1 {
                            let whole = !wanted.is_empty();
                            wrong.push(format!("{with}: {}", answer.text(&recording, whole)));
                        }
                    }
                    Err(error) => wrong.push(format!("{with}: {error}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
