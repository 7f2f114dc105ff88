//! Traces: saved and loaded ([`mod@file`]), kept as regressions ([`regression`]), told for readers
//! ([`story`]), and shown: the way kernel people draw a race ([`columns`]), as diagrams
//! ([`mermaid`], [`svg`]), with the state graph around them ([`neighbourhood`], [`dot`]). Logs from
//! elsewhere, held against the model ([`accept`]).

pub mod accept;
pub mod columns;
pub mod dot;
pub mod events;
pub mod file;
pub mod ftrace;
pub mod graph_svg;
pub mod mermaid;
pub mod neighbourhood;
pub mod regression;
pub mod steer;
pub mod story;
pub mod svg;
pub mod witness;

use kmodcheck_explore::TraceStep;
use kmodcheck_model::Event;

pub use story::Story;

/// A trace of the model.
pub type Trace = Vec<TraceStep<Event>>;
