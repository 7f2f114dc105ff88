//! The state graph around a trace as a picture: the trace down the left, what else could have been
//! done in each of its states to the right. Plain SVG, coloured by the page it stands in.

use std::fmt::Write;

use super::Story;
use super::neighbourhood::{Graph, caption};
use super::svg::escape;

/// What lies ahead of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// The violation can still be reached.
    CanGoWrong,
    /// It cannot.
    Safe,
    /// Not known.
    Unknown,
}

impl Ahead {
    fn class(self) -> &'static str {
        match self {
            Self::CanGoWrong => "wrong",
            Self::Safe => "safe",
            Self::Unknown => "unknown",
        }
    }
}

/// Height of a row, in pixels.
const ROW: usize = 19;
/// Where the trace runs down.
const SPINE: usize = 190;
/// Where the other states are.
const OTHER: usize = 560;
/// The whole width.
const WIDTH: usize = 980;

/// `graph` as an `<svg>` element to stand inside HTML. `ahead`: what lies ahead of a node. Classes:
/// `wrong`, `safe`, `unknown` for circles, `taken` and `other` for edges.
pub fn render(story: &Story, graph: &Graph, ahead: impl Fn(usize) -> Ahead) -> String {
    let mut body = String::new();
    let mut y = 2 * ROW;
    let mut at = vec![(0, 0); graph.nodes.len()];
    let mut placed = vec![false; graph.nodes.len()];
    let on_trace = graph.nodes.iter().filter(|n| n.on_trace.is_some()).count();
    // Places first: every row holds one edge that leaves the state of the trace above it.
    for i in 0..on_trace {
        at[i] = (SPINE, y);
        placed[i] = true;
        for edge in graph.edges.iter().filter(|e| e.from == i && !e.taken) {
            y += ROW;
            if !placed[edge.to] {
                at[edge.to] = (OTHER, y);
                placed[edge.to] = true;
            }
        }
        y += 2 * ROW;
    }
    for i in 0..on_trace {
        let (x, y) = at[i];
        let text = format!("{i}: {}", caption(story, i));
        let _ = writeln!(
            body,
            r#"<text x="{}" y="{}" text-anchor="end">{}</text>"#,
            x - 12,
            y + 4,
            escape(&text)
        );
        let mut row = y;
        for edge in graph.edges.iter().filter(|e| e.from == i) {
            let (tx, ty) = at[edge.to];
            let class = if edge.taken { "taken" } else { "other" };
            let label = format!("CPU{} {}", edge.actor, edge.function);
            let what = escape(&format!("{label}: {}", edge.what));
            if edge.taken {
                let _ = writeln!(
                    body,
                    r#"<path class="taken" d="M{x} {}V{}"><title>{what}</title></path><text class="{class}" x="{}" y="{}">{}</text>"#,
                    y + 6,
                    ty - 6,
                    x + 10,
                    ty - ROW + 8,
                    escape(&label)
                );
            } else {
                row += ROW;
                let _ = writeln!(
                    body,
                    r#"<path class="other" d="M{x} {y}C{} {row} {} {row} {} {ty}"><title>{what}</title></path><text class="{class}" x="{}" y="{}">{}</text>"#,
                    x + 90,
                    x + 120,
                    tx - 6,
                    tx + 12,
                    row + 4,
                    escape(&label),
                );
            }
        }
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        let (x, y) = at[i];
        let class = ahead(i).class();
        let r = if node.on_trace.is_some() { 6 } else { 4 };
        let _ = writeln!(body, r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"/>"#);
    }
    format!(
        "<svg class=\"graph\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">\n{body}</svg>",
        y + ROW,
        escape(&format!("States around the trace of {}", story.scenario)),
    )
}
