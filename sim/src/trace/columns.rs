//! A trace as kernel commit messages draw a race: a column for each CPU, time running down, beside it
//! the shared state that changed, under it the violated statement. At most [`WIDTH`] wide unless told.
//!
//! Where columns would be narrower than [`NARROWEST`] they would hold no function name any more: then
//! every step is a whole line, and a lane of one character each shows whose it is; with more than
//! [`MOST_LANES`] actors, or where lanes would leave no room, its number does.

use std::collections::BTreeSet;

use kmodcheck_explore::TraceStep;
use kmodcheck_model::Event;
use kmodcheck_model::scenario::Scenario;

use super::Trace;
use super::story::Story;

/// Widest line unless told: of a screen that is no terminal.
pub const WIDTH: usize = 80;

/// Least width of a column.
pub const NARROWEST: usize = 28;

/// Most actors that get a lane each.
pub const MOST_LANES: usize = 16;

/// Before the continuation of a folded line.
const INDENT: &str = "  ";

/// Width of the column of changes.
pub const CHANGES: usize = 16;

/// `trace` in columns, without the shared state; ends in a newline. There are two columns at least, as where a race is
/// expected, and nothing is wider than [`WIDTH`].
pub fn render(scenario: &Scenario, trace: &Trace) -> String {
    let actors = 0..trace.iter().map(|step| step.actor + 1).max().unwrap_or(1).max(2);
    draw(&Page { actors: actors.collect(), width: WIDTH, changes: 0 }, &bare(scenario, trace))
}

/// The same in lines of at most `width`, with a column for each process that steps: one that is alone has the
/// whole width.
pub fn render_within(scenario: &Scenario, trace: &Trace, width: usize) -> String {
    let actors = stepping(trace.iter().map(|step| step.actor));
    draw(&Page { actors, width, changes: 0 }, &bare(scenario, trace))
}

fn bare(scenario: &Scenario, trace: &Trace) -> Vec<Row> {
    let row = |step: &TraceStep<Event>| Row {
        actor: step.actor,
        text: format!("{}: {}", step.label.function(), step.label.describe(scenario)),
        changes: String::new(),
    };
    trace.iter().map(row).collect()
}

/// Those who step, each once, in order.
fn stepping(actors: impl Iterator<Item = usize>) -> Vec<usize> {
    let actors: BTreeSet<usize> = actors.collect();
    if actors.is_empty() { vec![0] } else { actors.into_iter().collect() }
}

/// `story` in columns with what changed beside each step, and the violated statement under the last, in lines of at
/// most `width`; ends in a newline.
pub fn render_story(story: &Story, width: usize) -> String {
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
    let actors = stepping(story.steps.iter().map(|step| step.actor));
    let mut out = draw(&Page { actors, width, changes: CHANGES }, &rows);
    if let Some(conclusion) = story.conclusion() {
        out.push('\n');
        out.push_str(&textwrap::fill(&conclusion, width));
        out.push('\n');
    }
    out
}

/// What is drawn on.
struct Page {
    /// Who has a column or a lane, in order.
    actors: Vec<usize>,
    /// Of a line.
    width: usize,
    /// Of the column of changes, 0 for none.
    changes: usize,
}

impl Page {
    /// The column or lane of an actor.
    fn place(&self, actor: usize) -> usize {
        self.actors.iter().position(|a| *a == actor).expect("whoever steps has a place")
    }
}

struct Row {
    actor: usize,
    text: String,
    changes: String,
}

fn draw(page: &Page, rows: &[Row]) -> String {
    let mut lines = Vec::new();
    let (count, left) = (page.actors.len(), page.width.saturating_sub(page.changes));
    let column = left / count;
    let most = page.actors.last().map_or(0, |last| last.to_string().len());
    let lane = most + 1;
    if count == 1 || column >= NARROWEST {
        let heads = page.actors.iter().map(|actor| (format!("CPU{actor}"), column));
        head(&mut lines, heads, page);
        for row in rows {
            put(&mut lines, row, (column * page.place(row.actor), column), page);
        }
    } else if count > MOST_LANES || left < lane * count + NARROWEST {
        let who = "CPU ".len() + most;
        let heads = [("who".to_owned(), who), ("what that CPU does".to_owned(), left - who)];
        head(&mut lines, heads.into_iter(), page);
        for row in rows {
            let first = lines.len();
            put(&mut lines, row, (who, left - who), page);
            let who = format!("CPU{}", row.actor);
            lines[first].replace_range(..who.len(), &who);
        }
    } else {
        // `0 1 2 3` and then the text of whoever's star it is.
        let text = left - lane * count;
        let names = page.actors.iter().map(|actor| (actor.to_string(), lane));
        head(&mut lines, names.chain([("what that CPU does".to_owned(), text)]), page);
        for row in rows {
            let first = lines.len();
            put(&mut lines, row, (lane * count, text), page);
            let at = lane * page.place(row.actor);
            lines[first].replace_range(at..=at, "*");
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
fn head(lines: &mut Vec<String>, heads: impl Iterator<Item = (String, usize)>, page: &Page) {
    let (mut names, mut rules) = (String::new(), String::new());
    for (name, width) in heads {
        rules.push_str(&format!("{:<width$}", "-".repeat(name.len())));
        names.push_str(&format!("{name:<width$}"));
    }
    if page.changes > 0 {
        let (name, at) = ("what changed", page.width - page.changes);
        names = format!("{names:<at$}{name}");
        rules = format!("{rules:<at$}{}", "-".repeat(name.len()));
    }
    lines.extend([names, rules]);
}

/// One step, `width` wide at column `left`, and its changes beside it.
fn put(lines: &mut Vec<String>, row: &Row, (left, width): (usize, usize), page: &Page) {
    let fold = |text: &str, width: usize| -> Vec<String> {
        let options = textwrap::Options::new(width.max(2)).subsequent_indent(INDENT);
        textwrap::wrap(text, options).into_iter().map(|line| line.trim_end().to_owned()).collect()
    };
    let text = fold(&row.text, width - 1);
    let changed =
        if row.changes.is_empty() { Vec::new() } else { fold(&row.changes, page.changes) };
    for i in 0..text.len().max(changed.len()) {
        let mut line = " ".repeat(left);
        line.push_str(text.get(i).map_or("", String::as_str));
        if let Some(changed) = changed.get(i) {
            let at = page.width - page.changes;
            line = format!("{line:<at$}{changed}");
        }
        // A lane needs its characters.
        lines.push(format!("{line:<left$}"));
    }
}
