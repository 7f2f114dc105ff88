//! What changes between two systems that differ in their switches: which verdicts, and what a call can
//! come to, each with a shortest run that shows it on the side where it can happen.
//!
//! A search that was cut has no verdict but the violations that it found, and has not seen every result:
//! what follows from that neither way is undecided, and never a change.

use kmodcheck_explore::{End, Options, Unexplorable};
use kmodcheck_model::Model;

use super::results::CallResult;
use super::verdict::{Report, Trace, Verdict};
use super::witness::{Shown, Witness};
use crate::property::Property;

/// A system and its verdicts, as [`check_all`](super::verdict::check_all) gives them.
#[derive(Debug)]
pub struct Judged {
    /// The system.
    pub model: Model,
    /// Its verdicts.
    pub report: Report,
}

impl Judged {
    /// A shortest run to it, confirmed in the exact model; `None`: the search for it was cut.
    fn run_to(
        &self,
        witness: Witness,
        options: &Options<'_>,
    ) -> Result<Option<Trace>, Unexplorable> {
        let found = witness.find(&self.model, &self.report, options)?;
        if let Some(trace) = &found {
            witness.confirm(&self.model, trace).expect("a found run replays and shows it");
        }
        Ok(found)
    }
}

/// One of the two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Before,
    /// The second.
    After,
}

/// How the two compare in one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It is the same in both.
    Same,
    /// A search was cut before that was decided.
    Undecided,
    /// It is not.
    Changes(Change),
}

/// What only one of them can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which of them.
    pub side: Side,
    /// What it can do.
    pub shown: Shown,
    /// A shortest run of it; `None`: the search for it was cut.
    pub trace: Option<Trace>,
}

/// A result of a call that at least one of them can come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultOf {
    /// Whose call, by its place in the scenario.
    pub actor: usize,
    /// What it comes to.
    pub result: CallResult,
    /// Whether each can, before and after; `None`: a search was cut that had not seen it.
    pub can: [Option<bool>; 2],
    /// How they compare.
    pub compared: Compared,
}

/// How the verdicts on a property compare. The trace is the violation, or else a run that meets the
/// premise, which is met in one of them only.
///
/// # Errors
/// A state that does not fit the explorer.
///
/// # Panics
/// If a run does not replay: a fault of the explorer, never of the input.
pub fn verdict(
    property: Property,
    systems: &[Judged; 2],
    options: &Options<'_>,
) -> Result<Compared, Unexplorable> {
    let [before, after] = systems.each_ref().map(|system| &system.report.answer(property).verdict);
    let (Some(was), Some(is)) = (before.fared(), after.fared()) else {
        return Ok(Compared::Undecided);
    };
    if was == is {
        return Ok(Compared::Same);
    }
    for (side, verdict) in [(Side::Before, before), (Side::After, after)] {
        if let Verdict::Violated(trace) = verdict {
            let (shown, trace) = (Shown::Violation(property), Some(trace.clone()));
            return Ok(Compared::Changes(Change { side, shown, trace }));
        }
    }
    // It holds in both, vacuously in one of them.
    let met = |verdict: &Verdict| *verdict == Verdict::Holds { premise_met: true };
    let (side, system) =
        if met(before) { (Side::Before, &systems[0]) } else { (Side::After, &systems[1]) };
    let branches = system.report.answer(property).branches.iter().enumerate();
    let mut shortest: Option<Change> = None;
    for (branch, _) in branches.filter(|(_, met)| **met > 0) {
        let witness = Witness::Branch { property, branch };
        let trace = system.run_to(witness, options)?;
        let steps = |trace: &Option<Trace>| trace.as_ref().map_or(usize::MAX, Vec::len);
        if shortest.as_ref().is_none_or(|other| steps(&trace) < steps(&other.trace)) {
            shortest = Some(Change { side, shown: Shown::Witness(witness), trace });
        }
    }
    Ok(shortest.map_or(Compared::Undecided, Compared::Changes))
}

/// How what both ask themselves compares, by place among [`super::asked::questions`]. The trace is the violation; of
/// what is to be so at some time, a run to it.
pub fn asked(systems: &[Judged; 2]) -> Vec<Compared> {
    let [before, after] = systems.each_ref().map(|system| &system.report.asked);
    let both = before.iter().zip(after).enumerate();
    both.map(|(at, (before, after))| {
        let (Some(was), Some(is)) = (before.verdict.fared(), after.verdict.fared()) else {
            return Compared::Undecided;
        };
        if was == is {
            return Compared::Same;
        }
        let (side, trace) = match (before.run_shown(), after.run_shown()) {
            (Some(trace), _) => (Side::Before, trace),
            (None, Some(trace)) => (Side::After, trace),
            (None, None) => unreachable!("one of two different answers has a run"),
        };
        let shown = Shown::Witness(Witness::Asked(at));
        Compared::Changes(Change { side, shown, trace: Some(trace.clone()) })
    })
    .collect()
}

/// How all that calls can come to compares, by actor.
///
/// # Errors
/// A state that does not fit the explorer.
///
/// # Panics
/// If a run does not replay: a fault of the explorer, never of the input.
pub fn results(
    systems: &[Judged; 2],
    options: &Options<'_>,
) -> Result<Vec<ResultOf>, Unexplorable> {
    let actors = systems[0].report.results.len().min(systems[1].report.results.len());
    let mut all = Vec::new();
    for actor in 0..actors {
        let of = systems.each_ref().map(|system| &system.report.results[actor]);
        let mut results: Vec<CallResult> = of.into_iter().flatten().copied().collect();
        results.sort_unstable();
        results.dedup();
        for result in results {
            let can = systems.each_ref().map(|system| {
                let seen = system.report.results[actor].contains(&result);
                (seen || system.report.end == End::Complete).then_some(seen)
            });
            let compared = match can {
                [Some(true), Some(true)] | [Some(false), Some(false)] => Compared::Same,
                [None, _] | [_, None] => Compared::Undecided,
                [Some(before), Some(_)] => {
                    let (side, system) = match before {
                        true => (Side::Before, &systems[0]),
                        false => (Side::After, &systems[1]),
                    };
                    let witness = Witness::Result { actor, result };
                    let trace = system.run_to(witness, options)?;
                    Compared::Changes(Change { side, shown: Shown::Witness(witness), trace })
                }
            };
            all.push(ResultOf { actor, result, can, compared });
        }
    }
    Ok(all)
}
