//! Logs of events in the shared vocabulary, from anywhere: lines of JSON.
//!
//! ```text
//! {"format": "kmodcheck-events", "version": 1, "hidden": ["modprobe"]}
//! {"actor": 0, "function": "caller", "what": "get_fs_type(\"ext4\")"}
//! ```
//!
//! The first line names format and version, and the functions whose steps the log leaves out. Each
//! other line is a step: the process, from 0, in the order of the scenario's actors; the function and
//! the words that a trace of the same scenario has for it. Empty lines are skipped.

use kmodcheck_explore::{Product, Transition};
use kmodcheck_model::{Event, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accept::{AcceptError, Fit, Log, Verdict, accept};
use crate::Processes;
use crate::versioned::{self, FileError};

/// What `format` says.
pub const FORMAT: &str = "kmodcheck-events";

/// The version written, and the only one read.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The functions ([`Event::function`]) whose steps are not in the log.
    #[serde(default)]
    pub hidden: Vec<String>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    /// Which process, from 0.
    pub actor: usize,
    /// [`Event::function`].
    pub function: String,
    /// [`Event::describe`].
    pub what: String,
}

/// A line, for the schema: the first one, and all others.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Line {
    /// The first.
    Head(Head),
    /// Any other.
    Event(EventLine),
}

/// A log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLog {
    /// What it leaves out.
    pub hidden: Vec<String>,
    /// The steps, each with the number of its line, from 1.
    pub events: Vec<(usize, EventLine)>,
}

impl EventLog {
    /// Reads `text`, the content of `file`.
    ///
    /// # Errors
    /// Malformed lines, or another format or version.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let malformed = |line, error| FileError::malformed(file, line, &error);
        let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let mut lines = numbered.filter(|(_, line)| !line.is_empty());
        let (number, first) = lines.next().unwrap_or((1, ""));
        let head: Head = serde_json::from_str(first).map_err(|error| malformed(number, error))?;
        if head.format != FORMAT || head.version != VERSION {
            let (format, version) = (head.format, head.version);
            let (expected, known) = (FORMAT, VERSION);
            let file = file.to_owned();
            // The head may stand below empty lines.
            let (below, column) = versioned::wrong_at(first, &format, expected);
            let line = number - 1 + below;
            return Err(FileError::Version {
                file,
                line,
                column,
                format,
                version,
                expected,
                known,
            });
        }
        let events = lines
            .map(|(number, line)| match serde_json::from_str(line) {
                Ok(event) => Ok((number, event)),
                Err(error) => Err(malformed(number, error)),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { hidden: head.hidden, events })
    }

    /// As text to be saved.
    pub fn to_text(&self) -> String {
        let head =
            Head { format: FORMAT.to_owned(), version: VERSION, hidden: self.hidden.clone() };
        let mut text = serde_json::to_string(&head).expect("strings and numbers");
        for (_, event) in &self.events {
            text.push('\n');
            text.push_str(&serde_json::to_string(event).expect("strings and numbers"));
        }
        text.push('\n');
        text
    }

    /// Decides whether the log is a behaviour of the model, holding at most `limit` states.
    ///
    /// # Errors
    /// The limit was met, or the scenario has too many processes (`None`).
    pub fn decide(
        &self,
        model: &Model,
        limit: u64,
    ) -> Option<Result<Verdict<Event, ()>, AcceptError>> {
        let system = Processes { model };
        let product = Product::new(&system)?;
        Some(accept(&product, &Words { log: self, model }, limit))
    }
}

/// Compares by words.
struct Words<'a> {
    log: &'a EventLog,
    model: &'a Model,
}

impl<'m> Log<Processes<'m>> for Words<'_> {
    type Memory = ();

    fn observations(&self) -> usize {
        self.log.events.len()
    }

    fn start(&self) {}

    fn fit(&self, at: usize, (): &(), transition: &Transition<'_, Event>) -> Fit<()> {
        let function = transition.label.function();
        if self.log.hidden.iter().any(|hidden| hidden == function) {
            return Fit::Hidden(());
        }
        match self.log.events.get(at) {
            Some((_, event))
                if event.actor == transition.actor
                    && event.function == function
                    && event.what
                        == transition.label.describe(self.model.scenario()).to_string() =>
            {
                Fit::Seen(())
            }
            _ => Fit::Forbidden,
        }
    }
}
