//! A recorded trace that must stay possible under some switches, and impossible under others.
//!
//! JSON like a trace file, which it contains: `shows` says what a reader learns from it, `seen_in`
//! where it was found, `possible` and `impossible` under which single changes of a switch the very
//! same steps can, or cannot, be taken to the violation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::TraceFile;
use crate::versioned::{self, FileError};

/// What `format` says.
pub const FORMAT: &str = "kmodcheck-regression";

/// The version written, and the only one read. Version 2 holds a trace file of version 3.
pub const VERSION: u32 = 2;

/// A recorded trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// What it shows.
    pub shows: String,
    /// The cells of the matrix in which a trace of this shape is the shortest, if it comes from there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen_in: Vec<String>,
    /// `SWITCH=VALUE`: with this one switch changed, the same steps still end in the violation.
    pub possible: Vec<String>,
    /// With this one switch changed, they do not.
    pub impossible: Vec<Impossible>,
    /// The trace.
    pub trace: TraceFile,
}

/// A switch that closes a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impossible {
    /// `SWITCH=VALUE`.
    pub with: String,
    /// The first step that differs, from 1; one more than there are steps: all can be taken, and the
    /// last one violates nothing.
    pub differs_at: usize,
}

impl Regression {
    /// Reads `text`, the content of `file`.
    ///
    /// # Errors
    /// Malformed JSON, or another format or version.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        versioned::read(file, text, FORMAT, VERSION)
    }

    /// As text to be saved.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("nothing in it that JSON lacks");
        text.push('\n');
        text
    }
}
