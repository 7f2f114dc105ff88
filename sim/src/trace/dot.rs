//! The state graph around a trace in Graphviz' language: the trace as a spine, what else could have
//! been done beside it.

use std::fmt::Write;

use super::Story;
use super::neighbourhood::{Graph, caption};

/// `graph` as a `digraph`; ends in a newline.
pub fn render(story: &Story, graph: &Graph) -> String {
    let mut out = String::from(
        "digraph trace {\n  rankdir=TB;\n  node [shape=box fontname=monospace];\n  edge [fontname=monospace fontsize=10];\n",
    );
    let _ = writeln!(out, "  label={};", quote(&story.scenario));
    for (i, node) in graph.nodes.iter().enumerate() {
        let _ = match node.on_trace {
            Some(steps) => {
                let last = steps == story.steps.len() && story.violates.is_some();
                let style = if last { " color=red penwidth=2" } else { " penwidth=2" };
                let label = quote(&format!("{steps}: {}", caption(story, steps)));
                writeln!(out, "  s{i} [label={label}{style}];")
            }
            None => writeln!(out, "  s{i} [label=\"\" shape=point];"),
        };
    }
    for edge in &graph.edges {
        let cpu = story.actors.get(edge.actor).map_or("", |a| &a.cpu);
        let label = quote(&format!("{cpu} {}: {}", edge.function, edge.what));
        let style = if edge.taken { "penwidth=2" } else { "style=dashed" };
        let _ = writeln!(out, "  s{} -> s{} [label={label} {style}];", edge.from, edge.to);
    }
    if let Some(conclusion) = story.conclusion() {
        let _ = writeln!(out, "  v [shape=plaintext label={}];", quote(&conclusion));
        let _ = writeln!(out, "  s{} -> v [style=invis];", story.steps.len());
    }
    out.push_str("}\n");
    out
}

/// A double-quoted string.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
