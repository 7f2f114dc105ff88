//! What is said, and how a run ends.

pub(crate) mod assumed;
pub(crate) mod bars;
mod ended;
pub(crate) mod matrix_tables;
pub(crate) mod presets_table;
pub(crate) mod results;
mod say;
pub(crate) mod source_line;
mod verdicts;

pub(crate) use ended::{Ended, Failure};
pub(crate) use say::{is_lost, note, print, print_json, say};
pub(crate) use verdicts::{ReportJson, end_word, report_json, trace_json, trace_text, word};
