//! A trace as a Mermaid sequence diagram (<https://mermaid.js.org/syntax/sequenceDiagram.html>): a
//! participant for each CPU and one for the kernel's shared state.

use super::story::Story;

/// `story` as a `sequenceDiagram`; ends in a newline.
pub fn render(story: &Story) -> String {
    let mut out = String::from("sequenceDiagram\n");
    for actor in &story.actors {
        let (cpu, what) = (&actor.cpu, escape(&actor.what));
        out.push_str(&format!("    participant {cpu} as {cpu}: {what}\n"));
    }
    out.push_str("    participant K as shared state\n");
    for step in &story.steps {
        let cpu = &story.actors[step.actor].cpu;
        let mut text = format!("{}: {}", escape(step.function), escape(&step.what));
        if let Some(way_out) = step.way_out {
            text.push_str(&format!(" ({way_out})"));
        }
        if step.changes.is_empty() {
            out.push_str(&format!("    Note over {cpu}: {text}\n"));
        } else {
            out.push_str(&format!("    {cpu}->>K: {text}\n"));
            out.push_str(&format!("    Note over K: {}\n", escape(&step.changes.join(", "))));
        }
        for woken in &step.wakes {
            out.push_str(&format!("    {cpu}-->>{}: wakes\n", story.actors[*woken].cpu));
        }
    }
    if let Some(conclusion) = story.conclusion() {
        let last = story.actors.last().map_or("CPU0", |actor| &actor.cpu);
        let sentence = textwrap::fill(&conclusion, 60).replace('\n', "<br/>");
        let sentence = sentence.split("<br/>").map(escape).collect::<Vec<_>>().join("<br/>");
        if last == "CPU0" {
            out.push_str(&format!("    Note over CPU0: {sentence}\n"));
        } else {
            out.push_str(&format!("    Note over CPU0,{last}: {sentence}\n"));
        }
    }
    out
}

/// Characters that mean something in Mermaid's messages, as its entity codes.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '#' => out.push_str("#35;"),
            ';' => out.push_str("#59;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '"' => out.push_str("#quot;"),
            _ => out.push(c),
        }
    }
    out
}
