//! Logs of a real kernel, in the text of tracefs: is what it did a behaviour of the model?
//!
//! `parse` reads lines, and `probes` sees whether enough was recorded; `story` tells what each process
//! of the log does, `order` in which order one can; `setting` makes a scenario of it, `cast` finds out
//! who plays whom. `play` says for each line what it means for the model: a step, a state, or a window
//! in which a step that nobody saw must lie. `search` decides, and `show` puts the hidden steps in
//! their places.
//!
//! What is compared and what is not is told in `docs/reality.md`.

#![deny(clippy::cast_possible_truncation)]

pub mod cast;
mod order;
pub mod parse;
mod play;
mod probes;
mod search;
mod setting;
mod show;
mod story;

pub use search::{COUNTED_STATES, Cost};
pub use show::{Shown, Whose};

use kmodcheck_explore::Kind;
use kmodcheck_explore::Step;
use kmodcheck_indexes::{Configuration, ModuleIndex};
use kmodcheck_model::features::Features;
use kmodcheck_model::{Event, Model, ModelError};

use self::cast::Cast;
use self::search::{Decided, Search};

/// Why a log cannot be held against the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FtraceError {
    /// A line that cannot be read.
    #[error("{file}:{line}: found '{found}', expected {expected}")]
    Line {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// What is there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// A kernel of which no log was ever read.
    #[error("{file}: found switch '{name}', expected a kernel without: no release has it")]
    Switch {
        /// The file.
        file: String,
        /// The switch.
        name: &'static str,
    },
    /// There is nothing in it.
    #[error("{file}: found no event about modules, expected at least one")]
    Nothing {
        /// The file.
        file: String,
    },
    /// The tracer lost events before anything happened that can be decided without them.
    #[error(
        "{file}:{line}: undecided: the tracer lost events here, and nothing before it can be decided"
    )]
    Lost {
        /// The file.
        file: String,
        /// The line that says so.
        line: usize,
    },
    /// More of something than the model takes.
    #[error("{file}: found {found} {what}, expected at most {most}: cut the log")]
    TooMany {
        /// The file.
        file: String,
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The log was recorded without something that the reader cannot do without.
    #[error(
        "{file}:{line}: found '{found}' and nowhere in the log an event '{event}', expected one: \
         record it with that probe, see tools/real-kernel"
    )]
    Missing {
        /// The file.
        file: String,
        /// The line that shows that there was such an event.
        line: usize,
        /// That line.
        found: String,
        /// The event.
        event: &'static str,
    },
    /// `without` names an event that the reader does not know.
    #[error("found '{name}' as the name of an event, expected one of {}", parse::EVENTS.join(", "))]
    Event {
        /// What it names.
        name: String,
    },
    /// The scenario that was made of the log cannot be modelled.
    #[error("{file}: {error}")]
    Model {
        /// The file.
        file: String,
        /// Why.
        error: ModelError,
    },
    /// The search met its limit.
    #[error("{file}:{line}: {error}")]
    Undecided {
        /// The file.
        file: String,
        /// The line that came next.
        line: usize,
        /// Why.
        error: Undecided,
    },
}

impl FtraceError {
    /// Whether the log could be read, but not decided.
    pub fn is_undecided(&self) -> bool {
        matches!(self, Self::Undecided { .. } | Self::Lost { .. })
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The limit was met.
    #[error(
        "undecided: the limit of {limit} states was met before observation {}, of which {widest} \
         there", at + 1
    )]
    TooMany {
        /// The limit.
        limit: usize,
        /// The observation that came next, by number from 0.
        at: usize,
        /// How many of the states belong there.
        widest: usize,
    },
    /// A step wanted to start a process, and there is no further one of that kind.
    #[error("undecided: a step starts a process of kind {} and none is left", .0.0)]
    PoolExhausted(Kind),
}

/// What somebody wants to know of the steps of a run, one bit for each thing.
pub type Watch<'a> = &'a dyn Fn(&Step<Event>) -> u64;

/// What is known of a log besides its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The module indexes of the kernel that was recorded; without them, what modprobe goes through is
    /// inferred from the log.
    pub index: Option<&'a ModuleIndex>,
    /// modprobe's configuration, with the indexes; none is taken to be empty.
    pub config: Option<&'a Configuration>,
    /// The modules that modprobe's configuration blacklists.
    pub blacklist: &'a [String],
    /// Events that are not looked at, by the names of [`parse::EVENTS`]: what they tell is hidden.
    pub without: &'a [String],
}

/// A log, and the model that it is held against.
#[derive(Clone, Debug)]
pub struct Recording {
    file: String,
    cast: Cast,
    model: Model,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Answer {
    decided: Decided,
    /// Where events were lost, and less than what comes before is decided: so much.
    before: Option<Cast>,
}

impl Recording {
    /// Reads `text`, the content of `file`, and makes the scenario.
    ///
    /// # Errors
    /// Text that is not of tracefs, or a log that tells too little.
    pub fn new(
        file: &str,
        text: &str,
        features: Features,
        about: About<'_>,
    ) -> Result<Self, FtraceError> {
        if let Some(name) = about.without.iter().find(|n| !parse::EVENTS.contains(&n.as_str())) {
            return Err(FtraceError::Event { name: name.clone() });
        }
        if features.kernel.exclusive_finit {
            return Err(FtraceError::Switch { file: file.to_owned(), name: "exclusive-finit" });
        }
        let lines = parse::parse(file, text, about.without)?;
        let cast = Cast::new(file, lines, features, about)?;
        let model = Model::new(cast.scenario.clone(), None)
            .map_err(|error| FtraceError::Model { file: file.to_owned(), error })?;
        Ok(Self { file: file.to_owned(), cast, model })
    }

    /// Who plays whom.
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// The model of the scenario that was made of the log.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Decides whether the log is a behaviour of the model, holding at most `limit` states.
    ///
    /// # Errors
    /// The limit was met.
    pub fn decide(&self, limit: u64) -> Result<Answer, FtraceError> {
        self.decide_watching(limit, &|_| 0)
    }

    /// The same, remembering what `watch` says of the steps of each run.
    ///
    /// # Errors
    /// The limit was met.
    pub fn decide_watching(&self, limit: u64, watch: Watch<'_>) -> Result<Answer, FtraceError> {
        let mut before: Option<Cast> = None;
        loop {
            let cast = before.as_ref().unwrap_or(&self.cast);
            if cast.observations.is_empty() {
                let line = self.lost_at().unwrap_or_default();
                return Err(FtraceError::Lost { file: self.file.clone(), line });
            }
            let decided =
                Search::new(&self.model, cast, watch, limit).decide().map_err(|error| {
                    let line = match error {
                        Undecided::TooMany { at, .. } => cast.line_of(at),
                        Undecided::PoolExhausted(_) => None,
                    };
                    let line = line.map_or(0, |line| line.number);
                    FtraceError::Undecided { file: self.file.clone(), line, error }
                })?;
            match decided.refused {
                Some(at) if cast.may_be_explained(at) => before = Some(cast.before(at)),
                _ => return Ok(Answer { decided, before }),
            }
        }
    }
}

impl Answer {
    /// What was decided: the log, or as much of it as could be where events were lost.
    pub fn cast<'a>(&'a self, recording: &'a Recording) -> &'a Cast {
        self.before.as_ref().unwrap_or(&recording.cast)
    }

    /// Where events were lost, the first line before them that is not decided either, by its number in its file: no
    /// run of what is known goes on with it, but what was lost may explain it.
    pub fn undecided_line(&self, recording: &Recording) -> Option<usize> {
        let decided = self.before.as_ref()?.observations.len();
        recording.cast.line_of(decided).map(|line| line.number)
    }

    /// Whether the log, or what was decided of it, is a behaviour of the model.
    pub fn is_accepted(&self) -> bool {
        self.decided.refused.is_none()
    }

    /// In how many states the model may be at the end, or before the line that is refused; counted up
    /// to [`COUNTED_STATES`].
    pub fn states(&self) -> usize {
        self.decided.states
    }

    /// What the watch said in every run that gives the log, and in some.
    pub fn watched(&self) -> (u64, u64) {
        self.decided.watched
    }

    /// What the decision took.
    pub fn cost(&self) -> Cost {
        self.decided.cost
    }

    /// The number of the line that is refused, in its file.
    pub fn refused_line(&self, recording: &Recording) -> Option<usize> {
        self.cast(recording).line_of(self.decided.refused?).map(|line| line.number)
    }
}
