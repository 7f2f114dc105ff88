//! The recorded verdicts, and for each recorded 'holds' the mutant that violates it.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all recorded::` rewrites the records.
//! Never without a reason, which belongs into the commit.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use kmodcheck_explore::{Limits, Options};
use kmodcheck_model::{Mutant, Pc};
use kmodcheck_properties::matrix::{self, Cell, CellReport};
use kmodcheck_properties::{Property, Verdict, check, recorded, theorem};

/// Tried in this order: the first that violates is recorded.
const CANDIDATES: [Mutant; 14] = [
    Mutant::OldRule,
    Mutant::CheckBeforeModprobe,
    Mutant::CheckAcceptsForming,
    Mutant::CheckRejectsAll,
    Mutant::ShortcutBlind,
    Mutant::NoSecondLook,
    Mutant::SwapLoad(3),
    Mutant::Skip(Pc::WakeLive),
    Mutant::Skip(Pc::WakeFreed),
    Mutant::NoModprobe,
    Mutant::ModprobeExitsZero,
    Mutant::Skip(Pc::SetLive),
    Mutant::FormingIsBusy,
    Mutant::ModprobeExitsOne,
];

fn explored() -> Vec<CellReport> {
    matrix::run(&Cell::all(), 2, Limits::default(), &AtomicBool::new(false), &|_| {})
}

fn recording() -> bool {
    std::env::var_os("KMODCHECK_RECORD").is_some()
}

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
    let reports = explored();
    if recording() {
        let lines: Vec<String> = reports.iter().map(recorded::line).collect();
        record("matrix.txt", &(lines.join("\n") + "\n"));
        return;
    }
    let differences = recorded::differences(&reports);
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(recorded::MATRIX.lines().count(), reports.len());
}

#[test]
fn every_recorded_holds_is_violated_under_its_mutant() {
    let reports = explored();
    let mut text = String::new();
    let mut without = Vec::new();
    for report in &reports {
        let cell = report.cell.to_string();
        let mut found = Vec::new();
        for (property, callers) in holding(report) {
            if recording() {
                let mutant =
                    CANDIDATES.into_iter().find(|m| violates(report.cell, callers, property, *m));
                found.push((property, mutant));
                continue;
            }
            let (_, name) = recorded::mutants(&cell)
                .find(|(letter, _)| *letter == property.letter())
                .unwrap_or_else(|| panic!("{cell}: no mutant recorded for {property:?}"));
            if name == "none" {
                without.push((report.cell, property));
                continue;
            }
            let mutant = CANDIDATES.into_iter().find(|m| m.to_string() == name);
            let mutant = mutant.unwrap_or_else(|| panic!("{cell}: unknown mutant {name}"));
            assert!(
                violates(report.cell, callers, property, mutant),
                "{cell}: {property:?} holds under {name}, too"
            );
        }
        if recording() {
            write!(text, "{cell} |").unwrap();
            for (property, mutant) in found {
                let name = mutant.map_or("none".to_owned(), |m| m.to_string());
                write!(text, " {}={name}", property.letter()).unwrap();
            }
            text.push('\n');
        }
    }
    if recording() {
        record("mutants.txt", &text);
        return;
    }
    // What no mutant violates is true by the meaning of 'built in': a request for built-in code may
    // return 0, and get_fs_type() finds it at its first look.
    for (cell, property) in without {
        assert!(cell.model(2, None).built_in(0), "{cell}: {property:?}");
    }
}

#[test]
fn every_claim_stands_and_needs_its_assumptions() {
    for standing in theorem::standings(&explored()) {
        assert_eq!(standing.outcome(), theorem::Outcome::Stands, "{standing:#?}");
    }
}
