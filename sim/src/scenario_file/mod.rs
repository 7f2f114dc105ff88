//! Scenario files: a [`Scenario`] in TOML, in names instead of numbers.
//!
//! A file says which modules there are, what the indexes and modprobe's configuration say of them,
//! who asks for what, under which switches, and which verdicts are expected. [`load`] resolves its
//! names as modprobe would: through the same [`ModuleIndex`](kmodcheck_indexes) that
//! reads a real kernel's indexes, so an alias may have wildcards and a softdep may name an alias.
//! `docs/scenarios.md` documents every key.
//!
//! What a file could say and the model cannot do is refused where it stands, never left out.

mod asks;
pub mod closure;
mod error;
mod index;
mod modules;
mod names;
mod parse;
mod programs;
mod resolve;
mod schema;
mod spanned;
mod targets;

use kmodcheck_model::features::Features;
use kmodcheck_model::presets::{self, Switch};
use kmodcheck_model::releases::Release;
use kmodcheck_model::scenario::Scenario;

use crate::suggest;

pub use error::{Finding, ScenarioError};
pub use schema::{calls, keys, schema, words};
pub use targets::rules;

/// A commented scenario file to begin with.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The kernel preset of a file that names none.
pub const DEFAULT_KERNEL: &str = "v4.9";

/// The kmod preset of a file that names none.
pub const DEFAULT_KMOD: &str = "v19";

/// What a file expects of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expected {
    /// It holds, and its premise is met.
    Holds,
    /// Its premise is never met, or it does not speak of this system.
    Vacuous,
    /// It is violated.
    Violated,
}

impl Expected {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Holds, Self::Vacuous, Self::Violated];

    /// The word in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Vacuous => "vacuous",
            Self::Violated => "violated",
        }
    }

    /// The expectation of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|expected| expected.name() == name)
    }
}

/// Which switches a system has: presets, and what is changed in them, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The kernel preset.
    pub kernel: String,
    /// The kmod preset.
    pub kmod: String,
    /// What is changed in them, in order.
    pub changes: Vec<Change>,
}

/// A change of one switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `SWITCH` (on) or `SWITCH=VALUE`.
    With(String),
    /// `SWITCH`: its oldest value.
    Without(String),
}

impl Choice {
    /// The switches.
    ///
    /// # Errors
    /// An unknown preset, switch or value, with what was expected.
    pub fn features(&self) -> Result<Features, String> {
        let mut features = Features { kernel: kernel(&self.kernel)?, kmod: kmod(&self.kmod)? };
        for change in &self.changes {
            match change {
                Change::With(setting) => presets::with(&mut features, setting),
                Change::Without(name) => presets::without(&mut features, name),
            }
            .map_err(|error| error + &also(meant(change)))?;
        }
        Ok(features)
    }
}

fn kernel(name: &str) -> Result<kmodcheck_model::features::KernelFeatures, String> {
    presets::kernel(name).ok_or_else(|| {
        let expected = presets::KERNELS.join(", ");
        let why =
            Release::kernel(name).err().filter(|_| name.contains(|c: char| c.is_ascii_digit()));
        let why = why.unwrap_or_else(|| format!("found kernel '{name}', expected a release"));
        format!("{why}; or one of {expected}{}", also(suggest::kernel(name)))
    })
}

fn kmod(name: &str) -> Result<kmodcheck_model::features::KmodFeatures, String> {
    presets::kmod(name).ok_or_else(|| {
        let expected = presets::KMODS.join(", ");
        let why = Release::kmod(name).err().filter(|_| name.contains(|c: char| c.is_ascii_digit()));
        let why = why.unwrap_or_else(|| format!("found kmod '{name}', expected a release"));
        format!("{why}; or one of {expected}{}", also(suggest::kmod(name)))
    })
}

/// What was likely meant by a change of a switch, or a value, that there is not.
fn meant(change: &Change) -> Option<String> {
    let (Change::With(text) | Change::Without(text)) = change;
    let (name, value) = text.split_once('=').unwrap_or((text, "on"));
    match Switch::find(name) {
        None => suggest::did_you_mean(name, presets::SWITCHES.iter().map(|switch| switch.name)),
        Some(switch) => suggest::did_you_mean(value, switch.values.iter().copied()),
    }
}

fn also(meant: Option<String>) -> String {
    meant.map_or(String::new(), |meant| format!("; {meant}"))
}

/// A file, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The system, which [`Model::new`](kmodcheck_model::Model::new) takes.
    pub scenario: Scenario,
    /// Where its switches come from.
    pub choice: Choice,
    /// The properties that are judged, by name; `None`: all.
    pub properties: Option<Vec<String>>,
    /// What is expected of properties, by name. Any other judged one is expected not to be violated.
    pub expect: Vec<(String, Expected)>,
    /// What a reader of the verdict should know of how the names were resolved.
    pub notes: Vec<String>,
}

/// Reads `text`, the content of `file`. `properties`: the names of the properties there are.
///
/// # Errors
/// Everything that is wrong with it: not TOML, unknown keys, wrong types, names that nothing bears,
/// cycles of dependencies, unknown switches, presets or properties, bad counts, and whatever the
/// model does not do.
pub fn load(file: &str, text: &str, properties: &[&str]) -> Result<Loaded, ScenarioError> {
    let parse::Parsed { file: parsed, mut findings, left_out } = parse::parse(text);
    if let Some(parsed) = parsed {
        match resolve::resolve(file, text, &parsed, properties, &left_out) {
            Ok(loaded) if findings.is_empty() => return Ok(loaded),
            // What was left out does not make the rest a file.
            Ok(_) => {}
            Err(more) => findings.extend(more),
        }
    }
    findings.sort_by_key(|finding| finding.span.start);
    Err(ScenarioError { file: file.to_owned(), text: text.to_owned(), findings })
}
