//! A saved trace, a recorded one or a witness: read, taken again, and told.

use kmodcheck_model::Model;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::Property;
use kmodcheck_properties::verdict::Unconfirmed;
use kmodcheck_properties::witness::{Shown, Witness};
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::regression::{self, Regression};
use kmodcheck_sim::trace::story::{Story, Violated};
use kmodcheck_sim::trace::witness::{self, WitnessFile};
use kmodcheck_sim::trace::{self};

use crate::output::Failure;

/// A run, as a file has it.
#[derive(Clone)]
pub(crate) enum Run {
    Violation(TraceFile),
    Witness(WitnessFile),
}

/// A run of which every step was taken: what it shows, its model, its steps.
pub(crate) struct Taken {
    pub shown: Shown,
    pub model: Model,
    pub trace: trace::Trace,
}

impl Run {
    /// Reads a trace, a regression with one in it, or a witness.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        let says = serde_json::from_str::<serde_json::Value>(text).ok();
        let says = says.as_ref().and_then(|value| value.get("format")?.as_str());
        Ok(match says {
            Some(witness::FORMAT) => Self::Witness(WitnessFile::parse(name, text)?),
            Some(regression::FORMAT) => Self::Violation(Regression::parse(name, text)?.trace),
            _ => Self::Violation(TraceFile::parse(name, text)?),
        })
    }

    /// The system that it is a run of.
    pub(crate) fn scenario(&self) -> &Scenario {
        match self {
            Self::Violation(file) => &file.scenario,
            Self::Witness(file) => &file.scenario,
        }
    }

    /// Takes every step in that system, its own or a changed one, and looks whether it shows what it says.
    /// `Ok(Err)`: it is well formed and fits no more.
    pub(crate) fn take(
        &self,
        name: &str,
        scenario: &Scenario,
    ) -> Result<Result<Taken, String>, Failure> {
        let (shown, model, trace) = match self {
            Self::Violation(file) => {
                let file = TraceFile { scenario: scenario.clone(), ..file.clone() };
                let property = Property::from_name(&file.property).ok_or_else(|| {
                    let names = Property::ALL.map(Property::name).join(", ");
                    format!("{name}: found property '{}', expected one of {names}", file.property)
                })?;
                let model = file.model(name)?;
                let trace = file.resolve(name, &model);
                (Shown::Violation(property), model, trace)
            }
            Self::Witness(file) => {
                let file = WitnessFile { scenario: scenario.clone(), ..file.clone() };
                let model = file.model(name)?;
                let asked = Witness::parse(&model, &file.witness, None)
                    .map_err(|error| format!("{name}: {error}"))?;
                let shows = asked.sentence(&model);
                if file.shows != shows {
                    return Err(
                        format!("{name}: found '{}', expected '{shows}'", file.shows).into()
                    );
                }
                let trace = file.resolve(name, &model);
                (Shown::Witness(asked), model, trace)
            }
        };
        let trace = match trace {
            Ok(trace) => trace,
            Err(error) if error.no_longer_fits() => return Ok(Err(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        Ok(match shown.confirm(&model, &trace) {
            Ok(()) => Ok(Taken { shown, model, trace }),
            Err(Unconfirmed::NotViolated) => Err(format!(
                "{name}: all {} steps can be taken, and the last one does not {}",
                trace.len(),
                match shown {
                    Shown::Violation(property) => format!("violate {}", property.name()),
                    Shown::Witness(witness) => format!("come to '{}'", witness.asked(&model)),
                }
            )),
            Err(Unconfirmed::Impossible(step)) => {
                Err(format!("{name}: step {} is impossible", step.step + 1))
            }
        })
    }
}

/// What a violation violates, for readers.
pub(crate) fn violated(property: Property) -> Violated {
    Violated { property: property.name().to_owned(), statement: property.statement().to_owned() }
}

/// A run that shows what can happen, told.
pub(crate) fn shown(model: &Model, witness: Witness, trace: &trace::Trace) -> Story {
    let told = Story::tell(model, trace, None).expect("a confirmed trace replays");
    Story { shows: Some(witness.sentence(model)), ..told }
}

/// A trace that replays, told.
pub(crate) fn tell(model: &Model, property: Property, trace: &trace::Trace) -> Story {
    Story::tell(model, trace, Some(violated(property))).expect("a confirmed trace replays")
}
