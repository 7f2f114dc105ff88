//! What a certificate proves, by the checker that knows nothing of how it was found.

use std::cell::Cell;

use kmodcheck_explore::Step;
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::Processes;
use kmodcheck_sim::certificate::steps::{Steps, TooLarge, met};
use kmodcheck_sim::certificate::verify::{Refused, Verified};
use kmodcheck_sim::certificate::{Certificate, CertificateError};

use super::safety::{about, without_history};
use crate::property::{Property, Says, View};

/// Why a certificate was not checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A property that there is not.
    #[error("{file}: found property '{found}', expected one of {expected}")]
    Property {
        /// The file.
        file: String,
        /// What it says.
        found: String,
        /// All of them.
        expected: String,
    },
    /// Its system is too large to be written down for other verifiers.
    #[error("{file}: {error}")]
    Steps {
        /// The file.
        file: String,
        /// How large.
        error: TooLarge,
    },
}

/// What a certificate was found to prove, in this program's own words: the file is not quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// What holds for any number of callers, and whether any step that is possible meets its premise.
    pub properties: Vec<(Property, bool)>,
    /// What that assumes, as [`super::any_number::Report::assumes`].
    pub assumes: Vec<String>,
    /// What was gone through.
    pub verified: Verified,
}

/// Checks `certificate`, the content of `file`, with the checker of
/// [`kmodcheck_sim::certificate::verify`], which knows nothing of how it was found. From the
/// certificate come the scenario, the names of the properties and the invariant; all else that it says
/// must be what the scenario and the properties say.
///
/// # Errors
/// The outer one: it cannot be read; the inner one: the first element that fails, or the first thing
/// said that is not so.
pub fn verify(
    file: &str,
    certificate: &Certificate,
) -> Result<Result<Confirmed, Refused>, VerifyError> {
    let model = certificate.model(file)?;
    let properties = match proved(file, certificate, &model)? {
        Ok(properties) => properties,
        Err(why) => return Ok(Err(Refused { element: "properties".to_owned(), why })),
    };
    let (about, met) = (about(&model, &properties), Cell::new(0));
    let bad = |step: &Step<Event>, history: bool| {
        let view = View::of(&model, step);
        let asked = if history { u64::MAX } else { without_history() };
        let mut bad = false;
        for property in properties.iter().filter(|p| asked >> **p as u64 & 1 != 0) {
            match property.says(&view) {
                Says::Nothing => {}
                Says::Holds(_) => met.set(met.get() | 1 << *property as u64),
                Says::Violated(_) => bad = true,
            }
        }
        bad
    };
    let verified = certificate.check(file, &model, &about, bad)?;
    let met = |p: &Property| (*p, met.get() >> *p as u64 & 1 != 0);
    let properties = properties.iter().map(met).collect();
    Ok(verified.map(|verified| Confirmed { properties, assumes: about.assumes, verified }))
}

/// The steps of the system that `certificate`, the content of `file`, is about, for verifiers in other
/// languages: from the certificate come the scenario and the names of the properties, and nothing of the proof.
///
/// # Errors
/// The outer one: it cannot be read, or the system is too large; the inner one: the properties cannot be
/// proved of it.
pub fn steps(file: &str, certificate: &Certificate) -> Result<Result<Steps, Refused>, VerifyError> {
    let model = certificate.model(file)?;
    let properties = match proved(file, certificate, &model)? {
        Ok(properties) => properties,
        Err(why) => return Ok(Err(Refused { element: "properties".to_owned(), why })),
    };
    let violates = |step: &Step<Event>, history: bool| {
        let view = View::of(&model, step);
        let asked = if history { u64::MAX } else { without_history() };
        let violated = |(at, property): (usize, &Property)| {
            let bad = asked >> *property as u64 & 1 != 0
                && matches!(property.says(&view), Says::Violated(_));
            u64::from(bad) << at
        };
        properties.iter().enumerate().map(violated).fold(0, |all, bit| all | bit)
    };
    let system = Processes { model: &model };
    let met = met(&system).map_err(|error| VerifyError::Steps { file: file.to_owned(), error })?;
    let about = about(&model, &properties);
    Ok(Ok(Steps::new(&system, &met, &certificate.scenario, &about, violates)))
}

/// The properties that a certificate names, in order; the inner error: what cannot be said of `model`.
fn proved(
    file: &str,
    certificate: &Certificate,
    model: &Model,
) -> Result<Result<Vec<Property>, String>, VerifyError> {
    let all = || Property::ALL.into_iter().filter(|p| p.is_certifiable());
    let mut properties = Vec::new();
    for line in &certificate.properties {
        let name = &line.name;
        let Some(property) = all().find(|p| p.name() == name) else {
            let expected = all().map(Property::name).collect::<Vec<_>>().join(", ");
            let (file, found) = (file.to_owned(), name.clone());
            return Err(VerifyError::Property { file, found, expected });
        };
        if properties.contains(&property) {
            return Ok(Err(format!("found {name} twice, expected each at most once")));
        }
        if !property.applies(model) {
            let why = "expected only what speaks of something that this scenario does";
            return Ok(Err(format!("found {name}, {why}")));
        }
        properties.push(property);
    }
    if properties.is_empty() {
        return Ok(Err("found none, expected at least one that is proved".to_owned()));
    }
    properties.sort_unstable();
    Ok(Ok(properties))
}
