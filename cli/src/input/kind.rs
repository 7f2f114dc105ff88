//! What a file is that was given to a command which does not take it, and which command does.

use kmodcheck_sim::certificate;
use kmodcheck_sim::trace::{events, file, regression, witness};

use crate::output::Failure;

/// What the files of a format are, and who takes them.
type Kind = (&'static str, &'static str, &'static str);

const SCENARIO: (&str, &str) = ("a scenario", "kmodcheck check FILE");

/// By what `format` says.
const KINDS: [Kind; 6] = [
    (file::FORMAT, "a saved trace", "kmodcheck trace FILE"),
    (regression::FORMAT, "a recorded trace", "kmodcheck trace FILE"),
    (witness::FORMAT, "a witness", "kmodcheck trace FILE"),
    (certificate::FORMAT, "a certificate", "kmodcheck verify FILE"),
    (events::FORMAT, "a log of events", "kmodcheck accept FILE --format events --scenario SUBJECT"),
    ("kmodcheck-sample", "a part of a campaign", "kmodcheck merge FILE"),
];

/// What the file is, and the command that takes it; `None` if it looks like nothing that is known.
fn of(text: &str) -> Option<(&'static str, &'static str)> {
    let begins = |line: &str, words: &[&str]| words.iter().any(|word| line.starts_with(word));
    if !text.trim_start().starts_with('{') {
        let mut lines = text.lines().map(str::trim_start);
        if text.trim_start().starts_with("# tracer:") {
            return Some(("a log of tracefs", "kmodcheck accept FILE --format ftrace"));
        }
        let tables = ["[[module]]", "[[actor]]", "module = [{", "actor = [{"];
        return lines.any(|line| begins(line, &tables)).then_some(SCENARIO);
    }
    // Of lines of JSON the first one says it.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let first = values.next()?.ok()?;
    match first.get("format").and_then(|format| format.as_str()) {
        None => first.get("actors").map(|_| SCENARIO),
        Some(says) => match KINDS.iter().find(|(format, ..)| *format == says) {
            Some((_, what, command)) => Some((what, command)),
            None => says.starts_with("kmodcheck-").then_some(("what --json prints", "")),
        },
    }
}

/// `error`, or, of a file that is something else than what was expected, what that is. `expected`: what it
/// should have been, as here.
pub(crate) fn instead(name: &str, text: &str, expected: &[&str], error: Failure) -> Failure {
    match of(text) {
        Some((what, command)) if !expected.contains(&what) => {
            let takes = match command {
                "" => "no command reads that".to_owned(),
                command => format!("`{}` takes it", command.replace("FILE", name)),
            };
            format!("{name}: found {what}, expected {}; {takes}", expected.join(" or ")).into()
        }
        _ => error,
    }
}
