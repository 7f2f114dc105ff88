//! What we depend on is what deny.toml allows: licences, duplicates, sources. `cargo deny check` asks
//! more (advisories), and cannot be had everywhere; so that deny.toml is believed, this holds it, too,
//! against `cargo metadata`, and refuses what is in it and of no use.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// deny.toml, as JSON has it.
static DENY: LazyLock<Value> = LazyLock::new(|| {
    let deny: toml::Table = include_str!("../../../deny.toml").parse().unwrap();
    serde_json::to_value(deny).unwrap()
});

/// Every package of Cargo.lock that the target of deny.toml may need.
static PACKAGES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let [target] = &texts(&DENY["graph"]["targets"])[..] else { panic!("expected one target") };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", target])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    packages
});

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// Whether the allowed licences satisfy an expression of SPDX (OR, AND, brackets; WITH belongs to the
/// name before it; `/` is the OR of old).
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let found = either(&mut words, allowed);
    assert_eq!(words.next(), None, "'{expression}' goes on");
    found
}

type Words<'e> = std::iter::Peekable<std::str::SplitWhitespace<'e>>;

fn either(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut found = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        found |= both(words, allowed);
    }
    found
}

fn both(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut found = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        found &= one(words, allowed);
    }
    found
}

fn one(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let word = words.next().expect("a licence");
    if word == "(" {
        let found = either(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return found;
    }
    let mut name = word.to_owned();
    while words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().expect("an exception"));
    }
    allowed.contains(&name.as_str())
}

#[test]
fn expressions_are_understood() {
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-2.0-only OR MIT", true),
        ("Unlicense/MIT", true),
        ("(MIT OR GPL-2.0-only) AND Zlib", true),
        ("MIT AND GPL-2.0-only OR Zlib", true),
        ("GPL-2.0-only", false),
        ("MIT AND GPL-2.0-only", false),
        ("GPL-2.0-only AND MIT", false),
        ("(MIT OR Zlib) AND GPL-2.0-only", false),
        ("MIT WITH LLVM-exception", false),
    ] {
        assert_eq!(satisfied(expression, &["MIT", "Zlib"]), expected, "{expression}");
    }
}

#[test]
fn every_licence_is_allowed_and_every_allowed_one_needed() {
    let allowed = texts(&DENY["licenses"]["allow"]);
    assert!(PACKAGES.len() > 100, "{} packages", PACKAGES.len());
    let refused = |allowed: &[&str]| -> Vec<String> {
        let refused = PACKAGES.iter().filter(|p| !satisfied(text(p, "license"), allowed));
        refused.map(|p| format!("{}: {}", text(p, "name"), text(p, "license"))).collect()
    };
    assert_eq!(refused(&allowed), [""; 0]);
    for licence in &allowed {
        let others: Vec<_> = allowed.iter().copied().filter(|other| other != licence).collect();
        assert!(!refused(&others).is_empty(), "nobody needs {licence}");
    }
}

/// `NAME:<VERSION`: what deny.toml says of older versions of a crate.
fn older(spec: &str) -> (&str, Vec<u64>) {
    let (name, version) =
        spec.split_once(":<").unwrap_or_else(|| panic!("found {spec}, expected NAME:<VERSION"));
    (name, numbers(version))
}

fn numbers(version: &str) -> Vec<u64> {
    let numbers = version.split(['-', '+']).next().unwrap_or_default().split('.');
    numbers.map(|number| number.parse().unwrap()).collect()
}

#[test]
fn a_second_version_of_a_crate_has_its_reason() {
    let mut versions: BTreeMap<&str, Vec<Vec<u64>>> = BTreeMap::new();
    for package in PACKAGES.iter() {
        versions.entry(text(package, "name")).or_default().push(numbers(text(package, "version")));
    }
    let skipped: Vec<(&str, Vec<u64>)> = DENY["bans"]["skip"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skip| {
            assert!(text(skip, "reason").len() > 10, "no reason: {skip}");
            older(text(skip, "crate"))
        })
        .collect();
    let is_skipped = |name: &str, version: &Vec<u64>| {
        skipped.iter().any(|(skipped, below)| *skipped == name && version < below)
    };
    for (name, versions) in &versions {
        let counted: Vec<_> = versions.iter().filter(|v| !is_skipped(name, v)).collect();
        assert!(counted.len() <= 1, "{name}: {counted:?}, and deny.toml has no reason for it");
    }
    for (name, below) in &skipped {
        let found = versions.get(name).is_some_and(|versions| versions.iter().any(|v| v < below));
        assert!(found, "{name}: there is no such version any more");
    }
}

#[test]
fn everything_comes_from_where_it_may() {
    let allowed = texts(&DENY["sources"]["allow-registry"]);
    for package in PACKAGES.iter() {
        // Ours have none.
        let Some(source) = package["source"].as_str() else {
            assert!(text(package, "name").starts_with("kmodcheck"), "{}", package["id"]);
            continue;
        };
        let registry = source.strip_prefix("registry+").unwrap_or(source);
        assert!(allowed.contains(&registry), "{}: {source}", text(package, "name"));
    }
}

#[test]
fn what_is_unmaintained_is_said_with_its_reason() {
    let ignored = DENY["advisories"]["ignore"].as_array().unwrap();
    assert!(!ignored.is_empty());
    for advisory in ignored {
        let (id, reason) = (text(advisory, "id"), text(advisory, "reason"));
        assert!(id.starts_with("RUSTSEC-"), "{id}");
        // The reason begins with the crate, which has to be there.
        let name = reason.split([' ', ',']).next().unwrap();
        assert!(PACKAGES.iter().any(|p| p["name"] == name), "{id}: there is no {name} any more");
    }
}
