//! The file of a witness: a trace that shows what can happen, and violates nothing by that. JSON like a
//! trace file, with the same steps; what it shows takes the place of the property.

use kmodcheck_model::Model;
use kmodcheck_model::scenario::Scenario;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Trace;
use super::file::{StepLine, TraceError, lines, model, resolve};
use crate::versioned;

/// What `format` says.
pub const FORMAT: &str = "kmodcheck-witness";

/// The version written, and the only one read.
pub const VERSION: u32 = 1;

/// A saved witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessFile {
    /// [`FORMAT`].
    #[schemars(extend("const" = FORMAT))]
    pub format: String,
    /// [`VERSION`].
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// What it was asked for: `ACTOR=RESULT` or `PROPERTY:BRANCH`.
    pub witness: String,
    /// What it shows, in a sentence.
    pub shows: String,
    /// The system.
    pub scenario: Scenario,
    /// The steps from the initial state.
    pub steps: Vec<StepLine>,
}

impl WitnessFile {
    /// `trace`, which shows that, ready to be saved.
    pub fn new(witness: String, shows: String, scenario: &Scenario, trace: &Trace) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            witness,
            shows,
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
        let mut text =
            serde_json::to_string_pretty(self).expect("a witness has nothing JSON lacks");
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
