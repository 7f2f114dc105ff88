//! The recorded verdicts, and for each recorded 'holds' the mutant that violates it.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all recorded::` rewrites the records.
//! Never without a reason, which belongs into the commit.

use std::fmt::Write;
use std::path::Path;

use crate::common::{CANDIDATES, MATRIX, recording};
use crate::sample::for_all;
use kmodcheck_explore::Options;
use kmodcheck_model::Mutant;
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_properties::matrix::{Cell, CellReport};
use kmodcheck_properties::{Property, Verdict, check, recorded, theorem};

fn record(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded").join(name);
    std::fs::write(path, text).expect("the record can be written");
}

/// The properties that hold with their premise met, and with how many callers that shows first.
fn holding(report: &CellReport) -> impl Iterator<Item = (Property, u8)> {
    Property::ALL.into_iter().filter_map(|property| {
        let verdicts = report.reports.iter().map(|(n, r)| (*n, &r.answer(property).verdict));
        if verdicts.clone().any(|(_, v)| !matches!(v, Verdict::Holds { .. })) {
            return None;
        }
        let met = |v: &Verdict| *v == Verdict::Holds { premise_met: true };
        verdicts.clone().find(|(_, v)| met(v)).map(|(n, _)| (property, n))
    })
}

fn violates(cell: Cell, callers: u8, property: Property, mutant: Mutant) -> bool {
    let model = cell.model(callers, Some(mutant));
    let options = Options { symmetry: callers > 2, ..Options::default() };
    let report = check(&property.remembering(&model), &options).expect("built-in states fit");
    matches!(report.answer(property).verdict, Verdict::Violated(_))
}

#[test]
fn matrix_is_as_recorded() {
    let reports = &*MATRIX;
    if recording() {
        let lines: Vec<String> =
            reports.iter().map(|report| recorded::cell(report).to_string()).collect();
        record("matrix.txt", &(lines.join("\n") + "\n"));
        return;
    }
    let differences = recorded::differences(reports);
    assert!(differences.is_empty(), "{differences:#?}");
    let cells: Vec<String> = Cell::all().iter().map(ToString::to_string).collect();
    assert!(recorded::MAIN.names().eq(cells));
}

/// The mutant of each property that holds in a cell, with its name in the record: the first one of
/// [`CANDIDATES`] that violates it there. Of what is recorded that is believed, but that it violates it.
fn mutants(report: &CellReport) -> Vec<(Property, String)> {
    let cell = report.cell.to_string();
    let named = |(property, callers): (Property, u8)| {
        let violates = |m: &Mutant| violates(report.cell, callers, property, *m);
        if recording() {
            let found = CANDIDATES.into_iter().find(violates);
            return (property, found.map_or("none".to_owned(), |m| m.to_string()));
        }
        let (_, name) = recorded::MAIN
            .mutants(&cell)
            .find(|(letter, _)| *letter == property.letter())
            .unwrap_or_else(|| panic!("{cell}: no mutant recorded for {property:?}"));
        if name == "none" {
            // What no mutant violates is true by the meaning of 'built in': a request for built-in code
            // may return 0, and get_fs_type() finds it at its first look.
            assert!(report.cell.model(2, None).built_in(0), "{cell}: {property:?}");
        } else {
            let mutant = CANDIDATES.into_iter().find(|m| m.to_string() == name);
            let mutant = mutant.unwrap_or_else(|| panic!("{cell}: unknown mutant {name}"));
            assert!(violates(&mutant), "{cell}: {property:?} holds under {name}, too");
        }
        (property, name.to_owned())
    };
    holding(report).map(named).collect()
}

#[test]
fn every_recorded_holds_is_violated_under_its_mutant() {
    let found = for_all(&MATRIX, mutants);
    if recording() {
        let mut text = String::new();
        for (report, found) in MATRIX.iter().zip(found) {
            write!(text, "{} |", report.cell).unwrap();
            for (property, name) in found {
                write!(text, " {}={name}", property.letter()).unwrap();
            }
            text.push('\n');
        }
        record("mutants.txt", &text);
    }
}

/// Of a sample of the cells no claim may fall.
#[test]
fn every_claim_stands_and_needs_its_assumptions() {
    let whole = MATRIX.len() == Cell::all().len();
    for standing in theorem::standings(&MATRIX) {
        let stands = standing.outcome() == theorem::Outcome::Stands;
        let falls = !standing.against.is_empty() || standing.needed.contains(&theorem::Needed::No);
        assert!(if whole { stands } else { !falls }, "{standing:#?}");
    }
}

/// The records have the properties that speak of what some built-in system does, and each by a letter of its
/// own.
#[test]
fn records_have_what_some_built_in_system_does() {
    let models: Vec<_> = System::of(&GrandCell::all()).iter().map(|s| s.model(None)).collect();
    let applies = |p: &Property| models.iter().any(|model| p.applies(model));
    let expected: Vec<Property> = Property::ALL.into_iter().filter(applies).collect();
    assert_eq!(Property::of_built_in_systems().collect::<Vec<_>>(), expected);
    let distinct = |of: fn(Property) -> String| {
        Property::ALL.map(of).into_iter().collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(distinct(|p| p.letter().to_string()), Property::ALL.len());
    assert_eq!(distinct(|p| p.name().to_owned()), Property::ALL.len());
    assert_eq!(distinct(|p| p.statement().to_owned()), Property::ALL.len());
}
