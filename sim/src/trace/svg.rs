//! A trace as a picture: a lane for each CPU, time running down, the shared state beside it. Plain
//! SVG with its styles inside; dark and light by `prefers-color-scheme`.

use std::fmt::Write;

use super::story::Story;

/// Width of an actor's lane.
const LANE: usize = 250;
/// Width of the lane of the shared state.
const STATE: usize = 190;
/// Height of a line of text.
const LINE: usize = 15;
/// Around everything.
const MARGIN: usize = 14;
/// Characters that fit a lane, at 11 pixels monospaced.
const FIT: usize = 34;
/// Characters that fit the lane of the shared state.
const FIT_STATE: usize = 26;

const STYLE: &str = "text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#1b1f24}\
.h{font-weight:bold}.f{font-weight:bold}.s{fill:#0b5cad}.v{fill:#b3261e;font-weight:bold}\
.b{fill:#eef2f7;stroke:#b6c2cf}.l{stroke:#b6c2cf;stroke-dasharray:3 3}.w{stroke:#0b5cad;fill:none}\
.bg{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6e6e6}.s{fill:#7cb7ff}.v{fill:#ff9a92}\
.b{fill:#242a31;stroke:#4a5562}.l{stroke:#4a5562}.w{stroke:#7cb7ff}.bg{fill:#14171a}}";

/// `story` as an SVG document; ends in a newline.
pub fn render(story: &Story) -> String {
    let lanes = story.actors.len().max(1);
    let width = 2 * MARGIN + LANE * lanes + STATE;
    let mut body = String::new();
    let mut y = MARGIN + LINE;
    for (i, actor) in story.actors.iter().enumerate() {
        let head = format!("{} {}", actor.cpu, actor.what);
        for (n, line) in fold(&head, FIT).iter().enumerate() {
            text(&mut body, MARGIN + LANE * i + 6, y + LINE * n, "h", line);
        }
    }
    text(&mut body, MARGIN + LANE * lanes + 6, y, "h", "what changed");
    y += 3 * LINE;
    let top = y - LINE;
    for step in &story.steps {
        let mut lines = fold(&step.what, FIT);
        if let Some(way_out) = step.way_out {
            lines.push(format!("({way_out})"));
        }
        let changes: Vec<String> = step.changes.iter().flat_map(|c| fold(c, FIT_STATE)).collect();
        let rows = (1 + lines.len()).max(changes.len());
        let x = MARGIN + LANE * step.actor;
        let height = (1 + lines.len()) * LINE + 6;
        let _ = writeln!(
            body,
            r#"<rect class="b" x="{x}" y="{}" width="{}" height="{height}" rx="3"/>"#,
            y - LINE + 2,
            LANE - 8,
        );
        text(&mut body, x + 6, y, "f", step.function);
        for (n, line) in lines.iter().enumerate() {
            text(&mut body, x + 6, y + LINE * (n + 1), "", line);
        }
        for (n, line) in changes.iter().enumerate() {
            text(&mut body, MARGIN + LANE * lanes + 6, y + LINE * n, "s", line);
        }
        for woken in &step.wakes {
            let to = MARGIN + LANE * woken + (LANE - 8) / 2;
            let from = if *woken > step.actor { x + LANE - 8 } else { x };
            let _ = writeln!(body, r#"<path class="w" d="M{from} {y}H{to}v8"/>"#);
        }
        y += rows * LINE + 12;
    }
    let bottom = y;
    if let Some(conclusion) = story.conclusion() {
        y += LINE;
        for line in fold(&conclusion, (width - 2 * MARGIN) / 7) {
            text(&mut body, MARGIN + 6, y, "v", &line);
            y += LINE;
        }
    }
    let height = y + MARGIN;
    let mut rails = String::new();
    for i in 0..=lanes {
        let x = MARGIN + LANE * i + if i == lanes { 0 } else { (LANE - 8) / 2 };
        let _ = writeln!(rails, r#"<line class="l" x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"/>"#);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n<rect class=\"bg\" width=\"{width}\" height=\"{height}\"/>\n\
         {rails}{body}</svg>\n",
        escape(&story.scenario),
    )
}

fn text(out: &mut String, x: usize, y: usize, class: &str, text: &str) {
    let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
    let _ = writeln!(out, r#"<text{class} x="{x}" y="{y}">{}</text>"#, escape(text));
}

fn fold(text: &str, width: usize) -> Vec<String> {
    textwrap::wrap(text, width).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// `text` as XML character data or attribute value.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}
