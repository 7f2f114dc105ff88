//! The grand matrix against its record.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test grand` rewrites the record. Never
//! without a reason, which belongs into the commit.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use kmodcheck_explore::{Limits, Options};
use kmodcheck_model::{Model, builtin::Environment};
use kmodcheck_properties::grand::{self, GrandCell, System};
use kmodcheck_properties::{check, recorded};

#[test]
fn grand_matrix_is_as_recorded() {
    let systems = System::of(&GrandCell::all());
    let reports = grand::run(systems, 2, Limits::default(), &AtomicBool::new(false), &|_| {})
        .expect("nobody interrupts");
    let found: Vec<String> = reports.iter().map(grand::SystemReport::line).collect();
    if std::env::var_os("KMODCHECK_RECORD").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded/grand.txt");
        std::fs::write(path, found.join("\n") + "\n").expect("the record can be written");
        return;
    }
    let recorded: Vec<&str> = grand::RECORDED.lines().collect();
    for (found, recorded) in found.iter().zip(&recorded) {
        assert_eq!(found, recorded);
    }
    assert_eq!(found.len(), recorded.len());
}

/// Cells that count as one system come to the same, explored each by itself.
#[test]
fn switches_that_nothing_reads_change_nothing() {
    let systems = System::of(&GrandCell::all());
    let mut compared = 0;
    for system in systems.iter().filter(|s| s.cells.len() > 1) {
        if system.cells[0].environment == Environment::LimitTwo && system.cells.len() > 4 {
            continue; // Large, and nothing special about it.
        }
        let summary = |cell: &GrandCell| {
            let model = Model::new(cell.scenario(), None).unwrap();
            let options = Options { symmetry: true, ..Options::default() };
            recorded::summary(&check(&model, &options).unwrap(), 2)
        };
        let first = summary(&system.cells[0]);
        let last = summary(system.cells.last().unwrap());
        assert_eq!(first, last, "{}", system.name());
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}
