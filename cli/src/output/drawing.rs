//! A run in each form in which it is drawn.

use kmodcheck_model::Model;
use kmodcheck_sim::trace::{self, Story, columns, dot, mermaid, neighbourhood, svg};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::evidence::TraceFormat;

/// A run, with the shared state after each step.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StoryJson<'a> {
    format: &'static str,
    version: u32,
    story: &'a Story,
    context_switches: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    avoided_if: Vec<String>,
}

/// A story of `trace` in that form; `why`: which reorderings would have avoided it.
///
/// # Panics
/// If `trace` is none of `model`.
pub(crate) fn drawn(
    format: TraceFormat,
    story: &Story,
    model: &Model,
    trace: &trace::Trace,
    why: &[String],
) -> String {
    match format {
        TraceFormat::Text => columns::render_story(story, columns::WIDTH),
        TraceFormat::Mermaid => mermaid::render(story),
        TraceFormat::Svg => svg::render(story),
        TraceFormat::Dot => {
            let graph = neighbourhood::around(model, trace).expect("a confirmed trace replays");
            dot::render(story, &graph)
        }
        TraceFormat::Json => {
            let json = StoryJson {
                format: "kmodcheck-story",
                version: 1,
                story,
                context_switches: story.switches(),
                avoided_if: why.to_vec(),
            };
            serde_json::to_string_pretty(&json).expect("nothing in it that JSON lacks") + "\n"
        }
    }
}
