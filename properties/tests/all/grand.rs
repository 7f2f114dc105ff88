//! The grand matrix against its record.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all grand::` rewrites the record. Never
//! without a reason, which belongs into the commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::common::{CANDIDATES, recording};
use crate::sample::{for_all, long_some_of, some_of};
use kmodcheck_explore::{Limits, Options};
use kmodcheck_model::{Model, Mutant, builtin::Environment};
use kmodcheck_properties::grand::{self, GrandCell, System, SystemReport};
use kmodcheck_properties::recorded::{self, Compared, GRAND};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Report, Verdict};

#[test]
fn grand_matrix_is_as_recorded() {
    let systems = System::of(&GrandCell::all());
    let names: Vec<String> = systems.iter().map(System::name).collect();
    assert!(recording() || GRAND.names().eq(names));
    let systems = some_of(100, systems);
    let reports = grand::run(systems, 2, Limits::default(), &AtomicBool::new(false), &|_| {})
        .expect("nobody interrupts");
    let found: Vec<recorded::Line> = reports.iter().map(recorded::system).collect();
    if recording() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded/grand.txt");
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        std::fs::write(path, lines.join("\n") + "\n").expect("the record can be written");
        return;
    }
    for line in found {
        assert_eq!(GRAND.compare(&line), Compared::AsRecorded);
    }
}

/// Of what was cut only the verdicts that were reached are compared: none of them is no difference, and
/// one that is recorded otherwise is.
#[test]
fn what_was_cut_is_no_difference_and_hides_none() {
    let systems = System::of(&GrandCell::all());
    let race = |s: &&System| s.cells[0].environment == Environment::Ok && s.name().contains("v20");
    let system = systems.iter().find(race).expect("v20 holds there").clone();
    let compared = |mutant, states| {
        let limits = Limits { states: Some(states), ..Limits::default() };
        let options = Options { symmetry: true, limits, ..Options::default() };
        let report = check_all(&system.model(mutant), &options).unwrap();
        GRAND.compare(&recorded::system(&SystemReport { system: system.clone(), report }))
    };
    assert_eq!(compared(None, 1 << 20), Compared::AsRecorded);
    assert_eq!(compared(None, 100), Compared::Cut);
    let old_rule = Some(Mutant::OldRule);
    assert_eq!(compared(old_rule, 10), Compared::Cut);
    assert!(matches!(compared(old_rule, 300), Compared::Differs(_)));
}

/// The properties of `report` that hold with their premise met.
fn holding(report: &Report) -> impl Iterator<Item = Property> {
    let met = |a: &&kmodcheck_properties::Answer| a.verdict == Verdict::Holds { premise_met: true };
    report.answers.iter().filter(met).map(|a| a.property)
}

/// Which of `properties` are violated in `system` under `mutant`.
fn violated_under(system: &System, mutant: Mutant, properties: &[Property]) -> Vec<Property> {
    let wanted = properties.iter().fold(0, |mask, p| mask | 1 << *p as u64);
    // Whether somebody is stuck takes the whole search.
    let whole = wanted & 1 << Property::NobodySleepsForEver as u64 != 0;
    let stop_when_violated = if whole { 0 } else { wanted };
    let options = Options { symmetry: true, stop_when_violated, ..Options::default() };
    let report = check_all(&system.model(Some(mutant)), &options).expect("the states fit");
    let violated = |p: &Property| matches!(report.answer(*p).verdict, Verdict::Violated(_));
    properties.iter().copied().filter(violated).collect()
}

/// The mutants of one system, as recorded: each property's letter and the mutant's name.
fn mutants(system: &System, report: &Report) -> String {
    let mut open: Vec<Property> = holding(report).collect();
    let mut found: Vec<(Property, String)> = Vec::new();
    for mutant in CANDIDATES {
        if open.is_empty() {
            break;
        }
        let violated = violated_under(system, mutant, &open);
        open.retain(|p| !violated.contains(p));
        found.extend(violated.into_iter().map(|p| (p, mutant.to_string())));
    }
    found.extend(open.into_iter().map(|p| (p, "none".to_owned())));
    found.sort();
    let pairs: Vec<String> =
        found.iter().map(|(p, name)| format!("{}={name}", p.letter())).collect();
    format!("{} | {}", system.name(), pairs.join(" "))
}

#[test]
fn every_recorded_holds_is_violated_under_its_mutant() {
    let systems = System::of(&GrandCell::all());
    if recording() {
        let lines = for_all(&systems, |system| {
            let options = Options { symmetry: true, ..Options::default() };
            mutants(system, &check_all(&system.model(None), &options).unwrap())
        });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded/grand-mutants.txt");
        std::fs::write(path, lines.join("\n") + "\n").expect("the record can be written");
        return;
    }
    let recorded: Vec<&str> = GRAND.mutants.lines().collect();
    assert_eq!(recorded.len(), systems.len());
    let systems = long_some_of(100, 500, systems.iter().zip(recorded));
    let without: Vec<Vec<char>> = for_all(&systems, |(system, recorded)| {
        let (name, pairs) = recorded.split_once(" | ").unwrap();
        assert_eq!(name, system.name());
        // Every property that is recorded as holding has one.
        let line = GRAND.find(name).unwrap();
        let mut holding: Vec<char> =
            line.split(' ').filter_map(|word| word.strip_suffix('+')?.chars().next()).collect();
        let mut by_mutant: BTreeMap<&str, Vec<Property>> = BTreeMap::new();
        for (letter, mutant) in pairs.split(' ').filter_map(|pair| pair.split_once('=')) {
            let letter = letter.chars().next().unwrap();
            holding.retain(|l| *l != letter);
            let property = Property::ALL.into_iter().find(|p| p.letter() == letter).unwrap();
            by_mutant.entry(mutant).or_default().push(property);
        }
        assert!(holding.is_empty(), "{name}: no mutant for {holding:?}");
        let none = by_mutant.remove("none").unwrap_or_default();
        for (mutant, properties) in by_mutant {
            let mutant = CANDIDATES.into_iter().find(|m| m.to_string() == mutant).unwrap();
            let violated = violated_under(system, mutant, &properties);
            assert_eq!(violated, properties, "{name} under {mutant}");
        }
        none.iter().map(|p| p.letter()).collect()
    });
    // What no mutant violates is true by the meaning of 'built in' (a request for built-in code may
    // return 0, and get_fs_type() finds it at its first look).
    for ((system, _), letters) in systems.iter().zip(without) {
        let built_in = system.model(None).built_in(0);
        assert!(letters.is_empty() || built_in, "{}: {letters:?}", system.name());
    }
}

/// Cells that count as one system come to the same, explored each by itself.
#[test]
fn switches_that_nothing_reads_change_nothing() {
    let several = |system: &System| {
        // Of the limit's only the small ones: the others are large, and nothing special.
        let limit = system.cells[0].environment == Environment::LimitTwo;
        system.cells.len() > 1 && !(limit && system.cells.len() > 4)
    };
    let systems: Vec<_> = System::of(&GrandCell::all()).into_iter().filter(several).collect();
    assert!(systems.len() > 100, "{}", systems.len());
    for_all(&long_some_of(40, 100, systems), |system| {
        let summary = |cell: &GrandCell| {
            let model = Model::new(cell.scenario(), None).unwrap();
            let options = Options { symmetry: true, ..Options::default() };
            recorded::summary(&check_all(&model, &options).unwrap(), 2)
        };
        let first = summary(&system.cells[0]);
        let last = summary(system.cells.last().unwrap());
        assert_eq!(first, last, "{}", system.name());
    });
}
