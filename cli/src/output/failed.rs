//! Why a command cannot do what was asked.

use kmodcheck_lang::text::TextError;
use kmodcheck_sim::scenario_file::ScenarioError;

use super::{Failure, note, source_line};

/// Says it on standard error, with the line that it is about.
pub(crate) fn note_failure(failure: &Failure) {
    // These begin with a word of their own, and stderr takes the colours out where it has none.
    let scenario = failure.downcast_ref::<ScenarioError>().map(ScenarioError::styled);
    match scenario.or_else(|| failure.downcast_ref::<TextError>().map(TextError::styled)) {
        Some(shown) => note!("{shown}"),
        None => note!("kmodcheck: {failure}"),
    }
    if let Some(line) = source_line::shown(&failure.to_string()) {
        note!("{line}");
    }
}
