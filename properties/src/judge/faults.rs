//! Whether a 'holds' can fail: faults in the model and in a scenario's own programs, put in by machine, and which of
//! what held each of them violates.

use std::fmt;

use kmodcheck_explore::{End, Options, Unexplorable};
use kmodcheck_model::program::deletions;
use kmodcheck_model::{Model, Mutant, Scenario};

use super::verdict::{Report, Verdict, check};
use crate::property::Property;

/// A fault that is put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Into the model.
    Model(Mutant),
    /// Into a program: what is left out.
    Program(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(mutant) => write!(f, "fault '{mutant}' of the model"),
            Self::Program(what) => f.write_str(what),
        }
    }
}

/// Something that held, and the first fault that violates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What held: a property, or what the scenario itself asks.
    pub name: String,
    /// The first fault that violates it; `None`: none of them does.
    pub violated_by: Option<Fault>,
}

/// What came of all faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// By what held, in its order.
    pub tried: Vec<Tried>,
    /// How many faults were put in.
    pub faults: usize,
    /// Whether all that were put in were searched to the end, or to a violation of all that was left.
    pub complete: bool,
}

/// The scenario with each fault; those in its own programs first, which say most of it.
fn faulty(model: &Model) -> Vec<(Fault, Model)> {
    let scenario = model.scenario();
    let mut all = Vec::new();
    for (what, programs) in deletions(&scenario.programs) {
        // What is no program without it is no fault.
        if let Ok(model) = Model::new(Scenario { programs, ..scenario.clone() }, None) {
            all.push((Fault::Program(what), model));
        }
    }
    for mutant in Mutant::named() {
        if let Ok(model) = Model::new(scenario.clone(), Some(mutant)) {
            all.push((Fault::Model(mutant), model));
        }
    }
    all
}

/// What holds in a report, and not for want of a case, as [`Tried`] names it, with its bit in a search.
fn held(report: &Report) -> Vec<(String, u64)> {
    let properties =
        report.answers.iter().filter(|a| matches!(a.verdict, Verdict::Holds { premise_met: true }));
    let properties = properties.map(|a| (a.property.name().to_owned(), 1 << a.property as u64));
    let asked = report.asked.iter().enumerate();
    let asked = asked.filter(|(_, a)| {
        !a.asked.exists && matches!(a.verdict, Verdict::Holds { premise_met: true })
    });
    let first = Property::ALL.len();
    let asked = asked.map(|(at, a)| (a.asked.name.clone(), 1 << (first + at)));
    properties.chain(asked).collect()
}

/// Puts every fault into `model`, whose `report` is at hand, until each of what held is violated by one.
///
/// # Errors
/// A state that does not fit the explorer.
///
/// # Panics
/// As [`check`].
pub fn faults(
    model: &Model,
    report: &Report,
    options: &Options<'_>,
) -> Result<Faults, Unexplorable> {
    let held = held(report);
    let mut tried: Vec<Tried> =
        held.iter().map(|(name, _)| Tried { name: name.clone(), violated_by: None }).collect();
    let (mut faults, mut complete) = (0, true);
    for (fault, with) in faulty(model) {
        let open = held.iter().zip(&tried).filter(|(_, tried)| tried.violated_by.is_none());
        let wanted = open.fold(0, |bits, ((_, bit), _)| bits | bit);
        if wanted == 0 {
            break;
        }
        faults += 1;
        let found = check(&with, &Options { stop_when_violated: wanted, ..*options })?;
        complete &= matches!(found.end, End::Complete | End::Violated);
        let violated = |name: &str| {
            let of = Property::from_name(name).map(|property| &found.answer(property).verdict);
            let asked = || found.asked.iter().find(|a| a.asked.name == name).map(|a| &a.verdict);
            matches!(of.or_else(asked), Some(Verdict::Violated(_)))
        };
        for tried in tried.iter_mut().filter(|tried| tried.violated_by.is_none()) {
            if violated(&tried.name) {
                tried.violated_by = Some(fault.clone());
            }
        }
        if options.interrupt.is_some_and(|i| i.load(std::sync::atomic::Ordering::Relaxed)) {
            break;
        }
    }
    Ok(Faults { tried, faults, complete })
}
