//! A trace as kernel commit messages draw a race: a column for each CPU, time running down, beside it
//! the shared state that changed, under it the violated statement. At most [`WIDTH`] wide.
//!
//! With more than [`MOST_COLUMNS`] actors a column each would hold no function name any more: then
//! every step is a whole line, and a lane of one character each shows whose it is; with more than
//! [`MOST_LANES`] its number does.

use kmodcheck_model::scenario::Scenario;

use super::Trace;
use super::story::Story;

/// Widest line.
pub const WIDTH: usize = 80;

/// Most actors that get a column each.
pub const MOST_COLUMNS: usize = 3;

/// Most actors that get a lane each.
pub const MOST_LANES: usize = 16;

/// Before the continuation of a folded line.
const INDENT: &str = "  ";

/// Width of the column of changes.
pub const CHANGES: usize = 16;

/// `trace` in columns, without the shared state; ends in a newline.
pub fn render(scenario: &Scenario, trace: &Trace) -> String {
    let actors = trace.iter().map(|step| step.actor + 1).max().unwrap_or(1).max(2);
    let rows: Vec<Row> = trace
        .iter()
        .map(|step| Row {
            actor: step.actor,
            text: format!("{}: {}", step.label.function(), step.label.describe(scenario)),
            changes: String::new(),
        })
        .collect();
    draw(actors, &rows, 0)
}

/// `story` in columns with what changed beside each step, and the violated statement under the last;
/// ends in a newline.
pub fn render_story(story: &Story) -> String {
    let rows: Vec<Row> = story
        .steps
        .iter()
        .map(|step| {
            let mut text = format!("{}: {}", step.function, step.what);
            if let Some(way_out) = step.way_out {
                text.push_str(&format!(" ({way_out})"));
            }
            Row { actor: step.actor, text, changes: step.changes.join(", ") }
        })
        .collect();
    let mut out = draw(story.actors.len().max(2), &rows, CHANGES);
    if let Some(conclusion) = story.conclusion() {
        out.push('\n');
        out.push_str(&textwrap::fill(&conclusion, WIDTH));
        out.push('\n');
    }
    out
}

struct Row {
    actor: usize,
    text: String,
    changes: String,
}

/// `changes`: the width of the column of changes, 0 for none.
fn draw(actors: usize, rows: &[Row], changes: usize) -> String {
    let mut lines = Vec::new();
    if actors <= MOST_COLUMNS {
        let column = (WIDTH - changes) / actors;
        let heads = (0..actors).map(|actor| format!("CPU{actor}"));
        head(&mut lines, heads.map(|head| (head, column)), (WIDTH - column * actors, changes));
        for row in rows {
            let left = column * row.actor;
            put(&mut lines, row, (left, column), changes);
        }
    } else if actors > MOST_LANES {
        let left = format!("CPU{} ", actors - 1).len();
        let heads = [("who".to_owned(), left), ("what that CPU does".to_owned(), WIDTH - left)];
        head(&mut lines, heads.into_iter(), (changes, changes));
        for row in rows {
            let first = lines.len();
            put(&mut lines, row, (left, WIDTH - changes - left), changes);
            let who = format!("CPU{}", row.actor);
            lines[first].replace_range(..who.len(), &who);
        }
    } else {
        // `0 1 2 3` and then the text of whoever's star it is.
        let digits = (actors - 1).to_string().len();
        let lane = digits + 1;
        let left = lane * actors;
        let names = (0..actors).map(|actor| (actor.to_string(), lane));
        let text = WIDTH - changes - left;
        let heads = names.chain([("what that CPU does".to_owned(), text)]);
        head(&mut lines, heads, (changes, changes));
        for row in rows {
            let first = lines.len();
            put(&mut lines, row, (left, text), changes);
            lines[first].replace_range(lane * row.actor..=lane * row.actor, "*");
        }
    }
    let mut out = String::new();
    for line in lines {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Two lines: heads and rules; the last column is that of changes.
fn head(
    lines: &mut Vec<String>,
    heads: impl Iterator<Item = (String, usize)>,
    (_, changes): (usize, usize),
) {
    let (mut names, mut rules) = (String::new(), String::new());
    for (name, width) in heads {
        rules.push_str(&format!("{:<width$}", "-".repeat(name.len())));
        names.push_str(&format!("{name:<width$}"));
    }
    if changes > 0 {
        let (name, at) = ("what changed", WIDTH - changes);
        names = format!("{names:<at$}{name}");
        rules = format!("{rules:<at$}{}", "-".repeat(name.len()));
    }
    lines.extend([names, rules]);
}

/// One step, `width` wide at column `left`, and its changes beside it.
fn put(lines: &mut Vec<String>, row: &Row, (left, width): (usize, usize), changes: usize) {
    let fold = |text: &str, width: usize| -> Vec<String> {
        let options = textwrap::Options::new(width.max(2)).subsequent_indent(INDENT);
        textwrap::wrap(text, options).into_iter().map(|line| line.trim_end().to_owned()).collect()
    };
    let text = fold(&row.text, width - 1);
    let changed = if row.changes.is_empty() { Vec::new() } else { fold(&row.changes, changes) };
    for i in 0..text.len().max(changed.len()) {
        let mut line = " ".repeat(left);
        line.push_str(text.get(i).map_or("", String::as_str));
        if let Some(changed) = changed.get(i) {
            let at = WIDTH - changes;
            line = format!("{line:<at$}{changed}");
        }
        // A lane needs its characters.
        lines.push(format!("{line:<left$}"));
    }
}
