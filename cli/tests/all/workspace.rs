//! The workspace is what docs/architecture.md says: which crate may know which, what they depend on
//! and why, and that `cargo run` and `cargo test` from a bare clone mean what the README says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

const ARCHITECTURE: &str = include_str!("../../../docs/architecture.md");

/// The arrows of docs/architecture.md: what each crate may depend on of ours, tests included.
const ARROWS: [(&str, &[&str]); 12] = [
    ("binary", &[]),
    ("explore", &[]),
    ("indexes", &[]),
    ("lang", &["explore"]),
    ("model", &["lang"]),
    ("runtime", &[]),
    ("sim-kernel", &["model", "runtime"]),
    ("sim", &["explore", "indexes", "lang", "model"]),
    ("properties", &["explore", "indexes", "model", "sim"]),
    ("cli", &["binary", "explore", "indexes", "lang", "model", "properties", "sim"]),
    ("benches", &["explore", "indexes", "model", "properties", "runtime", "sim", "sim-kernel"]),
    ("strangers", &["explore", "model", "properties", "sim"]),
];

/// What measures and compares is for who works on this.
const FOR_NOBODY_ELSE: [&str; 2] = ["benches", "strangers"];

static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
});

/// How this workspace calls its crates.
fn short(name: &str) -> Option<&str> {
    if name == "kmodcheck" { Some("cli") } else { name.strip_prefix("kmodcheck-") }
}

fn packages() -> impl Iterator<Item = (&'static str, &'static Value)> {
    METADATA["packages"].as_array().unwrap().iter().map(|package| {
        let name = package["name"].as_str().unwrap();
        (short(name).unwrap_or_else(|| panic!("{name} is not called kmodcheck-...")), package)
    })
}

/// The dependencies of a package: name, and whether only its tests have it.
fn dependencies(package: &'static Value) -> impl Iterator<Item = (&'static str, bool)> {
    package["dependencies"].as_array().unwrap().iter().map(|dependency| {
        let kind = dependency["kind"].as_str();
        assert_ne!(kind, Some("build"), "{dependency}");
        (dependency["name"].as_str().unwrap(), kind == Some("dev"))
    })
}

#[test]
fn arrows_point_one_way() {
    let found: BTreeMap<&str, BTreeSet<&str>> = packages()
        .map(|(name, package)| {
            // The two descriptions meet in the tests of the second one, and only there.
            let counts = |d: &(&str, bool)| !(d.1 && name == "sim-kernel");
            (name, dependencies(package).filter(counts).filter_map(|d| short(d.0)).collect())
        })
        .collect();
    for (name, allowed) in ARROWS {
        let found = found.get(name).unwrap_or_else(|| panic!("there is no crate {name}"));
        let more: Vec<_> = found.iter().filter(|d| !allowed.contains(d)).collect();
        assert!(more.is_empty(), "{name} depends on {more:?}, expected at most {allowed:?}");
    }
    assert_eq!(found.len(), ARROWS.len(), "a crate without arrows: {:?}", found.keys());
}

#[test]
fn the_explorer_depends_on_nothing_of_ours() {
    let (_, explore) = packages().find(|(name, _)| *name == "explore").unwrap();
    assert_eq!(dependencies(explore).filter_map(|d| short(d.0)).count(), 0);
    let manifest = include_str!("../../../sim/explore/Cargo.toml");
    assert!(!manifest.contains("path ="), "a path is a dependency on something here");
}

#[test]
fn every_crate_has_its_paragraph() {
    for (_, package) in packages() {
        let name = package["name"].as_str().unwrap();
        let heading = ARCHITECTURE
            .lines()
            .filter(|line| line.starts_with("## "))
            .any(|line| line.contains(&format!("({name})")));
        assert!(heading, "docs/architecture.md has no heading with ({name})");
        let description = package["description"].as_str().unwrap_or_default();
        assert!(!description.is_empty(), "{name} does not say what it is for");
    }
}

/// What cargo wants to know of a crate that others can install; whatever depends on nothing else is not for
/// others.
#[test]
fn manifests_are_complete() {
    for (name, package) in packages() {
        for dependency in package["dependencies"].as_array().unwrap() {
            let (of, version) = (&dependency["name"], dependency["req"].as_str().unwrap());
            assert_ne!(version, "*", "{name}: {of} has no version");
        }
        if FOR_NOBODY_ELSE.contains(&name) {
            assert_eq!(package["publish"], serde_json::json!([]), "{name} is for nobody else");
            continue;
        }
        for key in ["description", "license", "repository", "readme"] {
            assert!(package[key].is_string(), "{name} has no {key}");
        }
        for key in ["authors", "keywords", "categories"] {
            let values = package[key].as_array().unwrap();
            assert!((1..=5).contains(&values.len()), "{name}: {key}: {values:?}");
        }
        assert!(package["publish"].is_null(), "{name} cannot be published");
    }
}

/// A crate that is packaged by itself has every file that its sources are compiled with.
#[test]
fn crates_include_files_of_their_own() {
    let mut included = 0;
    for (name, package) in packages().filter(|(name, _)| !FOR_NOBODY_ELSE.contains(name)) {
        let root = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        for (file, text) in code(&root.join("src")) {
            let file = Path::new(&file);
            for macro_name in ["include_str!(\"", "include_bytes!(\"", "include!(\"", "#[path = \""]
            {
                for rest in text.split(macro_name).skip(1) {
                    let path = file.parent().unwrap().join(rest.split('"').next().unwrap());
                    let path = path.canonicalize().unwrap_or_else(|_| panic!("{}", path.display()));
                    let inside = path.starts_with(root.canonicalize().unwrap());
                    assert!(inside, "{name}: {} has {}", file.display(), path.display());
                    included += 1;
                }
            }
        }
    }
    assert!(included > 10, "{included}");
}

#[test]
fn each_dependency_has_its_reason() {
    let table = ARCHITECTURE.split_once("## Dependencies").unwrap().1;
    let mut documented = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, places, reason] = cells[..] else { panic!("not three cells: {row}") };
        assert!(!reason.is_empty(), "no reason: {row}");
        for place in places.split(", ") {
            documented.insert((name.to_owned(), place.to_owned()));
        }
    }
    let mut found = BTreeSet::new();
    for (name, package) in packages() {
        for (dependency, tests) in dependencies(package).filter(|d| short(d.0).is_none()) {
            let place = if tests { format!("{name} (tests)") } else { name.to_owned() };
            found.insert((dependency.to_owned(), place));
        }
    }
    let missing: Vec<_> = found.difference(&documented).collect();
    let untrue: Vec<_> = documented.difference(&found).collect();
    assert!(missing.is_empty() && untrue.is_empty(), "missing {missing:?}, untrue {untrue:?}");
}

/// `cargo test` without arguments tests every package, and `.ci/run` runs just that.
#[test]
fn every_package_is_tested() {
    let names = |key: &str| -> BTreeSet<&str> {
        METADATA[key].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
    };
    assert_eq!(names("workspace_default_members"), names("workspace_members"));
    for (name, package) in packages() {
        for target in package["targets"].as_array().unwrap() {
            // A bench is measured; what a build script does, cli/tests/all/builds.rs tests.
            let untested = ["bench", "custom-build"];
            let tested = !untested.contains(&target["kind"][0].as_str().unwrap());
            if tested && target["test"] == false {
                // A library that has nothing to test in itself.
                assert_eq!(target["kind"][0], "lib", "{name}: {target}");
                assert_eq!(target["doctest"], true, "{name}: {target}");
                let root = Path::new(target["src_path"].as_str().unwrap());
                let mut all = String::new();
                for (_, text) in files(root.parent().unwrap()) {
                    all.push_str(&text);
                }
                let has_tests = all.contains("#[test]") || all.contains("#[cfg(test)]");
                assert!(!has_tests, "{name}: tests in src that are not run");
                continue;
            }
            assert_eq!(target["test"], tested, "{name}: a target that is not tested: {target}");
        }
    }
    let ci = include_str!("../../../.ci/run");
    let tests: Vec<&str> = ci.lines().filter(|l| l.starts_with("cargo test")).collect();
    let all = ["cargo test --quiet --no-run", "cargo test --quiet"];
    assert_eq!(tests, all, ".ci/run tests something else");
    let (before, _) = ci.split_once("\ncargo test").expect("it tests");
    assert!(before.contains("\nexport KMODCHECK_ALL=1\n"), ".ci/run tests a sample");
    assert!(
        !ci.contains("unset") && ci.matches("KMODCHECK_ALL=").count() == 1,
        ".ci/run: a sample"
    );
    assert!(include_str!("../../../README.md").contains("    cargo test "));
}

/// Whether everything is gone through is asked in one place.
#[test]
fn one_function_takes_samples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all =
        ["benches", "cli", "indexes", "lang", "model", "properties", "sim", "tools/strangers"]
            .map(|folder| files(&root.join(folder)));
    let asks = |(file, code): &(String, String)| {
        code.contains(concat!("(\"KMODCHECK", "_ALL\")")).then(|| file.clone())
    };
    let asking: Vec<String> = all.iter().flatten().filter_map(asks).collect();
    let only = root.join("sim/explore/tests/common/sample.rs").display().to_string();
    assert_eq!(asking, [only]);
}

/// What `.ci/run` runs is what was compiled for tests: in release that is the same, but for assertions.
#[test]
fn in_release_the_same_is_compiled() {
    let asks = concat!("debug", "_assertions");
    let mut looked_at = 0;
    for (_, package) in packages() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        for (file, text) in files(manifest.parent().unwrap()) {
            assert!(!text.contains(asks), "{file} asks for {asks}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 100, "{looked_at}");
}

/// `cargo run` without arguments runs the command, also once there is a second binary.
#[test]
fn cargo_run_knows_what_to_run() {
    let defaults: Vec<&str> = packages().filter_map(|(_, p)| p["default_run"].as_str()).collect();
    assert_eq!(defaults, ["kmodcheck"]);
    assert!(include_str!("../../../README.md").contains("    cargo run --release "));
}

/// Every Rust file below a folder, and what is in it.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
    found
}

/// The same, but for comments and tests, which may be a file of their own.
fn code(folder: &Path) -> Vec<(String, String)> {
    let is_code = |path: &String| !Path::new(path).ends_with("tests.rs");
    let without = |(path, text): (String, String)| {
        // Tests stand at the end of a file, and may panic.
        let lines = text.lines().take_while(|line| !line.starts_with("mod tests"));
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        (path, lines.collect::<Vec<_>>().join("\n"))
    };
    files(folder).into_iter().map(without).filter(|(path, _)| is_code(path)).collect()
}

/// What panics where a stream is full or no thread can be had is not called: `output::print`, `note!`,
/// `on_threads` and `Builder` are there for it.
#[test]
fn no_stream_and_no_thread_is_taken_for_granted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = 0;
    for folder in [
        "cli/src",
        "properties/src",
        "sim/src",
        "sim/explore/src",
        "model/src",
        "indexes/src",
        "lang/src",
    ] {
        for (file, code) in code(&root.join(folder)) {
            for what in ["println!(", "print!(", "thread::spawn(", "scope.spawn("] {
                assert!(!code.contains(what), "{file}: {what}");
            }
            files += 1;
        }
    }
    assert!(files > 100, "{files}");
}
