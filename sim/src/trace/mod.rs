//! Traces: saved and loaded ([`file`]), shown the way kernel people draw a race ([`columns`]), and
//! logs from elsewhere, held against the model ([`accept`]).

pub mod accept;
pub mod columns;
pub mod file;
pub mod ftrace;

use kmodcheck_explore::bfs::TraceStep;
use kmodcheck_model::Event;

/// A trace of the model.
pub type Trace = Vec<TraceStep<Event>>;
