//! Every trace of properties/traces is replayed: it must still be possible, under the recorded
//! changes of switches too, and impossible under the others. A trace that no longer fits is reported
//! with the first step that differs.
//!
//! `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all traces::` writes those of the main
//! matrix that are not there yet and rewrites those that are; `kmodcheck trace FILE --add` adds one
//! more. Never without a reason, which belongs into the commit.

use std::path::{Path, PathBuf};

use crate::common::{MATRIX, recording};
use kmodcheck_properties::matrix::Cell;
use kmodcheck_properties::regressions::{self, file_name};
use kmodcheck_sim::trace::regression::Regression;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces")
}

/// By file name.
pub fn recorded() -> Vec<(String, Regression)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory())
        .expect("there is a directory of traces")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("it can be read");
            let regression = Regression::parse(&name, &text).unwrap_or_else(|e| panic!("{e}"));
            (name, regression)
        })
        .collect()
}

#[test]
fn every_distinct_violation_of_the_matrix_is_recorded() {
    let found = regressions::of_matrix(&MATRIX);
    if recording() {
        std::fs::create_dir_all(directory()).expect("the directory can be made");
        for regression in &found {
            let path = directory().join(file_name(regression));
            std::fs::write(path, regression.to_json()).expect("it can be written");
        }
        return;
    }
    let (recorded, whole) = (recorded(), MATRIX.len() == Cell::all().len());
    for regression in &found {
        let name = file_name(regression);
        let known = recorded.iter().find(|(file, _)| *file == name);
        let (_, known) = known.unwrap_or_else(|| panic!("{name} is not recorded"));
        if whole {
            assert_eq!(known.seen_in, regression.seen_in, "{name}");
            assert_eq!(known.trace.steps, regression.trace.steps, "{name}");
        } else {
            // The first cell of a sample that shows it may be another one, with other words.
            let unknown = regression.seen_in.iter().find(|cell| !known.seen_in.contains(cell));
            assert_eq!(unknown, None, "{name}");
        }
    }
    if !whole {
        return;
    }
    let from_matrix = recorded.iter().filter(|(_, r)| !r.seen_in.is_empty()).count();
    assert_eq!(from_matrix, found.len(), "a recorded violation is not in the matrix any more");
}

#[test]
fn every_recorded_trace_is_possible_where_it_was_and_nowhere_else() {
    if recording() {
        return;
    }
    let recorded = recorded();
    let mut differences = Vec::new();
    for (name, regression) in &recorded {
        assert_eq!(*name, file_name(regression), "a file's name follows from its trace");
        let found = regressions::differences(name, regression);
        differences.extend(found.unwrap_or_else(|error| vec![error]));
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(!recorded.is_empty());
    let closed = recorded.iter().filter(|(_, r)| !r.impossible.is_empty()).count();
    assert_eq!(closed, recorded.len(), "a trace that no switch closes shows nothing");
}

#[test]
fn a_trace_that_no_longer_fits_names_the_first_step_that_differs() {
    let (name, regression) = recorded().into_iter().next().expect("there are traces");
    // As if the model had changed: a step by another name.
    let mut changed = regression.clone();
    changed.trace.steps[4].what = "something else".to_owned();
    let found = regressions::differences(&name, &changed).unwrap();
    assert!(found[0].contains("step 5 is impossible"), "{found:#?}");
    // As if a switch did not matter any more.
    let mut changed = regression.clone();
    let closed = changed.impossible.remove(0);
    changed.possible.push(closed.with.clone());
    let found = regressions::differences(&name, &changed).unwrap();
    let wanted = format!("with {}: recorded possible, found impossible", closed.with);
    assert!(found.len() == 1 && found[0].contains(&wanted), "{found:#?}");
    // One step less: everything can be taken, and nothing is violated.
    let mut changed = regression;
    changed.trace.steps.pop();
    let found = regressions::differences(&name, &changed).unwrap();
    assert!(found[0].contains("does not violate"), "{found:#?}");
}
