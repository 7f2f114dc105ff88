//! The trace file: JSON, with the whole scenario in it, so that it needs nothing else to be replayed.
//!
//! `format` and `version` come first; a reader refuses what it does not know. Each step says who
//! steps, which of its alternatives it takes, and in words what happens: the words are compared on
//! replay, so a trace recorded before a change of the model cannot quietly mean something else.

use std::ops::ControlFlow;

use kmodcheck_explore::concrete::{self, State};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Model, ModelError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Trace;
use crate::Processes;
use crate::versioned::{self, FileError};

/// What `format` says.
pub const FORMAT: &str = "kmodcheck-trace";

/// The version written, and the only one read. Version 3 says every switch; in version 2 some were
/// left to defaults, and `delete_module_wakes` followed from `listed_name`. A switch that came after version 3 is said where
/// it is on: what was written before is what it was.
pub const VERSION: u32 = 3;

/// A saved trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceFile {
    /// [`FORMAT`].
    #[schemars(extend("const" = FORMAT))]
    pub format: String,
    /// [`VERSION`].
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// The property that the last step violates, by name.
    pub property: String,
    /// The property's statement, for readers.
    pub statement: String,
    /// The system.
    pub scenario: Scenario,
    /// The steps from the initial state.
    pub steps: Vec<StepLine>,
}

/// One step of a saved trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepLine {
    /// Which caller, from 0.
    pub actor: usize,
    /// Which of its alternatives, from 0.
    pub choice: u32,
    /// The function in which a reader finds the step.
    pub function: String,
    /// What happens.
    pub what: String,
}

/// Why a trace file could not be read or does not fit.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// Not such a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A scenario that cannot be modelled.
    #[error("{file}: {error}")]
    Scenario {
        /// The file.
        file: String,
        /// Why.
        error: ModelError,
    },
    /// A step that the model does not have.
    #[error(
        "{file}: step {step} is impossible: caller {actor} was to take choice {choice}, '{wanted}'; \
         the model allows {allowed}"
    )]
    Impossible {
        /// The file.
        file: String,
        /// From 1.
        step: usize,
        /// Which caller.
        actor: usize,
        /// Which alternative.
        choice: u32,
        /// The step's function and words.
        wanted: String,
        /// What that caller can do there.
        allowed: String,
    },
}

impl TraceError {
    /// Whether the file was well formed and only does not fit the model any more.
    pub fn no_longer_fits(&self) -> bool {
        matches!(self, Self::Impossible { .. })
    }
}

impl TraceFile {
    /// `trace`, which violates `property`, ready to be saved.
    pub fn new(property: &str, statement: &str, scenario: &Scenario, trace: &Trace) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            property: property.to_owned(),
            statement: statement.to_owned(),
            scenario: scenario.clone(),
            steps: lines(scenario, trace),
        }
    }

    /// Reads `text`, the content of `file`.
    ///
    /// # Errors
    /// Malformed JSON, or another format or version.
    pub fn parse(file: &str, text: &str) -> Result<Self, TraceError> {
        Ok(versioned::read(file, text, FORMAT, VERSION)?)
    }

    /// As text to be saved.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a trace has nothing JSON lacks");
        text.push('\n');
        text
    }

    /// The model of its scenario.
    ///
    /// # Errors
    /// A scenario that cannot be modelled.
    pub fn model(&self, file: &str) -> Result<Model, TraceError> {
        model(file, &self.scenario)
    }

    /// Takes every step in the exact model.
    ///
    /// # Errors
    /// The first step that the model does not have.
    pub fn resolve(&self, file: &str, model: &Model) -> Result<Trace, TraceError> {
        resolve(file, &self.steps, model)
    }
}

/// `trace` as lines of a file.
pub(super) fn lines(scenario: &Scenario, trace: &Trace) -> Vec<StepLine> {
    let steps = trace.iter().map(|step| StepLine {
        actor: step.actor,
        choice: step.ordinal,
        function: step.label.function().to_owned(),
        what: step.label.describe(scenario).to_string(),
    });
    steps.collect()
}

/// The model of a scenario in `file`.
pub(super) fn model(file: &str, scenario: &Scenario) -> Result<Model, TraceError> {
    let error = |error| TraceError::Scenario { file: file.to_owned(), error };
    Model::new(scenario.clone(), None).map_err(error)
}

/// Takes every step in the exact model.
pub(super) fn resolve(file: &str, steps: &[StepLine], model: &Model) -> Result<Trace, TraceError> {
    let scenario = model.scenario();
    let system = Processes { model };
    let mut now = State::initial(&system);
    let mut trace = Vec::new();
    for (number, line) in steps.iter().enumerate() {
        let mut allowed = Vec::new();
        let mut taken = None;
        let exhausted = match line.actor < now.processes.len() {
            true => concrete::transitions_of_one(&system, &now, line.actor, |t| {
                let (ordinal, label) = (t.ordinal, t.step.label);
                let what = label.describe(scenario).to_string();
                let fits = ordinal == line.choice
                    && what == line.what
                    && label.function() == line.function;
                allowed.push(format!("'{}: {what}'", label.function()));
                if fits {
                    taken = Some((t.as_trace_step(), t.after.clone()));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }),
            false => Ok(()),
        };
        let (Ok(()), Some((step, after))) = (exhausted, taken) else {
            let nothing = "no step of that caller there".to_owned();
            return Err(TraceError::Impossible {
                file: file.to_owned(),
                step: number + 1,
                actor: line.actor,
                choice: line.choice,
                wanted: format!("{}: {}", line.function, line.what),
                allowed: if allowed.is_empty() { nothing } else { allowed.join(" or ") },
            });
        };
        trace.push(step);
        now = after;
    }
    Ok(trace)
}
