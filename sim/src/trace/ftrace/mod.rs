//! Logs of a real kernel, in the text of tracefs: is what it did a behaviour of the model?
//!
//! `parse` reads lines; `cast` finds out who plays whom (which process of the log is which actor,
//! which modules there are, what was loaded before the log begins); `play` says for each line what
//! it means for the model: a step, a state, or a window in which a step that nobody saw must lie.
//! [`super::accept`] decides, and `show` puts the hidden steps in their places.
//!
//! What is compared and what is not is told in `docs/reality.md`.

pub mod cast;
mod order;
pub mod parse;
mod play;
mod roles;
mod show;

pub use show::Shown;

use kmodcheck_explore::{Product, Transition};
use kmodcheck_model::features::Features;
use kmodcheck_model::userspace::index::ModuleIndex;
use kmodcheck_model::{Event, Model, ModelError};

use self::cast::Cast;
use self::play::{Memory, Play};
use super::accept::{AcceptError, Cost, Verdict, accept};
use crate::Processes;

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
    /// There is nothing in it.
    #[error("{file}: found no event about modules, expected at least one")]
    Nothing {
        /// The file.
        file: String,
    },
    /// More actors than a product has.
    #[error(
        "{file}: found {calls} calls (of get_fs_type(), request_module(), modprobe, rmmod), expected \
         at most {most}: cut the log"
    )]
    TooMany {
        /// The file.
        file: String,
        /// How many calls there are.
        calls: usize,
        /// How many there may be.
        most: usize,
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
        error: AcceptError,
    },
}

/// What somebody wants to know of the steps of a run, one bit for each thing.
pub type Watch<'a> = &'a dyn Fn(&Transition<'_, Event>) -> u64;

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
    verdict: Verdict<Event, Memory>,
}

impl Recording {
    /// Reads `text`, the content of `file`, and makes the scenario: with the module indexes of the
    /// kernel that was recorded, if there are any, else with what the log itself tells. `blacklist`:
    /// the modules that modprobe's configuration blacklists.
    ///
    /// # Errors
    /// Text that is not of tracefs, or a log that tells too little.
    pub fn new(
        file: &str,
        text: &str,
        features: Features,
        index: Option<&ModuleIndex>,
        blacklist: &[String],
    ) -> Result<Self, FtraceError> {
        let lines = parse::parse(file, text)?;
        let cast = Cast::new(file, lines, features, index, blacklist)?;
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
        let system = Processes { model: &self.model };
        let product = Product::new(&system).ok_or_else(|| FtraceError::TooMany {
            file: self.file.clone(),
            calls: self.model.processes().len(),
            most: kmodcheck_explore::MAX_PROCESSES,
        })?;
        let play = Play::new(&self.model, &self.cast, watch);
        match accept(&product, &play, limit) {
            Ok(verdict) => Ok(Answer { verdict }),
            Err(error) => {
                let line = match error {
                    AcceptError::TooMany { at, .. } => self.cast.line_of(at),
                    AcceptError::PoolExhausted(_) => None,
                };
                let line = line.map_or(0, |line| line.number);
                Err(FtraceError::Undecided { file: self.file.clone(), line, error })
            }
        }
    }
}

impl Answer {
    /// Whether the log is a behaviour of the model.
    pub fn is_accepted(&self) -> bool {
        self.verdict.is_accepted()
    }

    /// In how many states the model may be at the end, or before the line that is refused.
    pub fn states(&self) -> usize {
        match &self.verdict {
            Verdict::Accepted { states, .. } | Verdict::Refused { states, .. } => {
                let mut distinct: Vec<_> = states.iter().map(|(state, _)| state).collect();
                distinct.sort_unstable();
                distinct.dedup();
                distinct.len()
            }
        }
    }

    /// What the watch said in every run that gives the log, and in some.
    pub fn watched(&self) -> (u64, u64) {
        match &self.verdict {
            Verdict::Accepted { states, .. } | Verdict::Refused { states, .. } => {
                let bits = states.iter().map(|(_, memory)| memory.watched);
                bits.fold((u64::MAX, 0), |(every, some), bits| (every & bits, some | bits))
            }
        }
    }

    /// What the decision took.
    pub fn cost(&self) -> Cost {
        match &self.verdict {
            Verdict::Accepted { cost, .. } | Verdict::Refused { cost, .. } => *cost,
        }
    }

    /// The number of the line that is refused, in its file.
    pub fn refused_line(&self, recording: &Recording) -> Option<usize> {
        match &self.verdict {
            Verdict::Accepted { .. } => None,
            Verdict::Refused { at, .. } => recording.cast.line_of(*at).map(|line| line.number),
        }
    }
}
