//! What is said, and how a run ends.

pub(crate) mod assumed;
pub(crate) mod bars;
mod drawing;
mod ended;
mod failed;
pub(crate) mod layout;
pub(crate) mod matrix_tables;
pub(crate) mod presets_table;
pub(crate) mod results;
pub(crate) mod rows;
mod say;
pub(crate) mod screen;
pub(crate) mod source_line;
mod table;
mod verdicts;

pub(crate) use drawing::{StoryJson, drawn};
pub(crate) use ended::{Ended, Failure};
pub(crate) use failed::note_failure;
pub(crate) use say::{is_lost, note, print, print_json, say};
pub(crate) use table::table;
pub(crate) use verdicts::{
    EngineJson, ReportJson, call, cut, end_word, engine_json, how, report_json, said, searched,
    told_text, trace_json, trace_text, word,
};
