//! A trace in columns, one for each CPU, time running down.

use kmodcheck_model::scenario::Scenario;

use super::Trace;

/// Widest line.
pub const WIDTH: usize = 80;

/// Before the continuation of a folded line.
const INDENT: &str = "  ";

/// `trace` in columns of at most [`WIDTH`] characters in all, ending in a newline.
pub fn render(scenario: &Scenario, trace: &Trace) -> String {
    let actors = trace.iter().map(|step| step.actor + 1).max().unwrap_or(1).max(2);
    let column = WIDTH / actors;
    let mut out = String::new();
    let mut heads = String::new();
    let mut rules = String::new();
    for actor in 0..actors {
        let head = format!("CPU{actor}");
        rules.push_str(&format!("{:<column$}", "-".repeat(head.len())));
        heads.push_str(&format!("{head:<column$}"));
    }
    for line in [heads, rules] {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    for step in trace {
        let text = format!("{}: {}", step.label.function(), step.label.describe(scenario));
        let options = textwrap::Options::new(column - 1).subsequent_indent(INDENT);
        for line in textwrap::wrap(&text, options) {
            out.push_str(&" ".repeat(column * step.actor));
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}
