//! Saved traces: written, read back, and read when they were damaged.

use std::sync::LazyLock;

use kmodcheck_explore::Options;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_properties::matrix::{Cell, Kmod};
use kmodcheck_properties::verdict::confirm;
use kmodcheck_properties::{Property, Verdict, check};
use kmodcheck_sim::trace::file::{TraceError, TraceFile};
use kmodcheck_sim::versioned::FileError;
use proptest::prelude::*;

const NAME: &str = "trace.json";

const CELL: Cell = Cell {
    naming: Naming::FsAndOther,
    environment: Environment::Fail,
    kmod: Kmod::V19,
    check: SanityCheck::AuthorMail,
    map: AliasMap::Exact,
};

/// A trace of every property that this cell violates.
static SAVED: LazyLock<Vec<(Property, String)>> = LazyLock::new(|| {
    let model = CELL.model(2, None);
    let report = check(&model, &Options::default()).unwrap();
    report
        .answers
        .iter()
        .filter_map(|answer| {
            let Verdict::Violated(trace) = &answer.verdict else { return None };
            let p = answer.property;
            let file = TraceFile::new(p.name(), p.statement(), model.scenario(), trace);
            Some((p, file.to_json()))
        })
        .collect()
});

#[test]
fn what_is_written_is_read_back_and_replays() {
    assert!(SAVED.len() >= 5);
    for (property, text) in SAVED.iter() {
        let file = TraceFile::parse(NAME, text).unwrap();
        assert_eq!(file.to_json(), *text);
        let model = file.model(NAME).unwrap();
        assert_eq!(model.scenario(), CELL.model(2, None).scenario());
        let trace = file.resolve(NAME, &model).unwrap();
        assert_eq!(trace.len(), file.steps.len());
        assert_eq!(confirm(&model, *property, &trace), Ok(()));
        // A step fewer, and the last one violates nothing.
        assert!(confirm(&model, *property, &trace[..trace.len() - 1].to_vec()).is_err());
    }
}

proptest! {
    /// A few characters replaced: an error that says where, or a trace whose every step is judged.
    #[test]
    fn a_damaged_trace_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0..30_usize,
        put in r#"([0-9]{1,20}|true|null|"[a-z-]*"|[\[\]{}:,"\\]|\PC){0,3}"#,
    ) {
        let (_, text) = which.get(&SAVED);
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = format!("{}{put}{}", &text[..start], &text[end..]);
        let file = match TraceFile::parse(NAME, &damaged) {
            Ok(file) => file,
            Err(TraceError::File(FileError::Malformed { line, column, .. })) => {
                prop_assert!((1..=damaged.split('\n').count()).contains(&line));
                prop_assert!(column >= 1);
                return Ok(());
            }
            Err(TraceError::File(FileError::Version { .. })) => return Ok(()),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let Ok(model) = file.model(NAME) else { return Ok(()) };
        match file.resolve(NAME, &model) {
            Ok(trace) => {
                for property in Property::ALL {
                    let _ = confirm(&model, property, &trace);
                }
            }
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.starts_with("trace.json"), "{}", message);
            }
        }
    }
}
