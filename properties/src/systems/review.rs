//! What a patch changes in the built-in systems of one kernel.

use std::collections::BTreeMap;

use kmodcheck_explore::{Options, Unexplorable, map_on_threads};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::text::Decisions;
use kmodcheck_model::{Model, ModelError};

use super::grand::{GrandCell, System, normal};
use crate::judge::any_number::{self, AnyNumber, Effort, Unprovable, prove_all};
use crate::judge::compare::{Judged, Side};
use crate::judge::results::CallResult;
use crate::property::Property;
use crate::verdict::{Answer, check_all};

/// Cells that are one system without the patch, and one with it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The cells, and the system without the patch.
    pub system: System,
    /// The system with it.
    pub patched: Scenario,
}

/// What a pair is known by: what no step of it reads set aside, on both sides; and its place.
type Known = ([Scenario; 2], usize);

impl Pair {
    /// The pairs of these cells, in the order of their first cells. `decisions`: what the patch makes of a cell's releases.
    pub fn of(cells: &[GrandCell], decisions: &dyn Fn(&GrandCell) -> Decisions) -> Vec<Self> {
        let mut pairs: Vec<Self> = Vec::new();
        let mut known: BTreeMap<(Environment, Naming), Vec<Known>> = BTreeMap::new();
        for cell in cells {
            let scenario = cell.scenario();
            let mut patched = scenario.clone();
            decisions(cell).apply(&mut patched);
            let key = [normal(&scenario), normal(&patched)];
            let known = known.entry((cell.environment, cell.naming)).or_default();
            match known.iter().find(|(pair, _)| *pair == key) {
                Some((_, pair)) => pairs[*pair].system.cells.push(*cell),
                None => {
                    known.push((key, pairs.len()));
                    pairs.push(Self { system: System { cells: vec![*cell], scenario }, patched });
                }
            }
        }
        pairs
    }
}

/// One system without the patch and with it.
#[derive(Debug)]
pub struct Reviewed {
    /// The cells that it is.
    pub system: System,
    /// Without the patch, and with it, and what was found of each.
    pub sides: [Judged; 2],
}

/// A system that could not be explored: a fault of ours, since built-in systems fit.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The model does not take it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The explorer does not.
    #[error(transparent)]
    Unexplorable(#[from] Unexplorable),
}

/// Explores each system as it is and with the patch, on `threads` threads, in their order.
/// What was not begun when `options.interrupt` was set is left out.
///
/// # Errors
/// See [`ReviewError`].
pub fn review(
    pairs: &[Pair],
    threads: usize,
    options: &Options<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Reviewed>, ReviewError> {
    let over =
        || options.interrupt.is_some_and(|set| set.load(std::sync::atomic::Ordering::Relaxed));
    let reviewed = map_on_threads(threads, pairs, over, |_, Pair { system, patched }| {
        let judged = |scenario: &Scenario| -> Result<Judged, ReviewError> {
            let model = Model::new(scenario.clone(), None)?;
            let report = check_all(&model, options)?;
            Ok(Judged { model, report })
        };
        let sides = [judged(&system.scenario)?, judged(patched)?];
        done();
        Ok(Reviewed { system: system.clone(), sides })
    });
    reviewed.into_iter().flatten().collect()
}

impl Reviewed {
    /// What is said of a property without the patch and with it.
    pub fn answers(&self, property: Property) -> [&Answer; 2] {
        self.sides.each_ref().map(|side| side.report.answer(property))
    }

    /// Whether both searches have seen everything.
    pub fn complete(&self) -> bool {
        self.sides.iter().all(|side| side.report.has_all_results())
    }

    /// What calls can come to on one side only: whose call, what it comes to, and on which side.
    pub fn results(&self) -> Vec<(usize, CallResult, Side)> {
        let [before, after] = self.sides.each_ref().map(|side| &side.report.results);
        let mut changes = Vec::new();
        for (actor, (before, after)) in before.iter().zip(after).enumerate() {
            for (these, others, side) in
                [(before, after, Side::Before), (after, before, Side::After)]
            {
                let only = these.iter().filter(|result| !others.contains(result));
                changes.extend(only.map(|result| (actor, *result, side)));
            }
        }
        changes
    }
}

/// The same for any number of callers: what is proved of each pair, without the patch and with it. What was not begun when
/// the interrupt of `effort` was set is left out.
///
/// # Errors
/// See [`Unprovable`].
pub fn any_number(
    pairs: &[Pair],
    threads: usize,
    effort: &Effort<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Proved>, Unprovable> {
    let both = |pair: &Pair| [pair.system.scenario.clone(), pair.patched.clone()];
    let scenarios: Vec<Scenario> = pairs.iter().flat_map(both).collect();
    let reports = prove_all(&scenarios, threads, effort, &|_| done());
    let mut proved = Vec::new();
    for (pair, reports) in pairs.iter().zip(reports.chunks(2)) {
        let [Some(before), Some(after)] = reports else { continue };
        // What went wrong is told once.
        let taken = |report: &Result<any_number::Report, Unprovable>| match report {
            Ok(report) => Ok(report.answers.clone()),
            Err(why) => {
                Err(Unprovable::Unexplorable { scenario: pair.system.name(), why: why.to_string() })
            }
        };
        proved.push(Proved {
            cells: pair.system.cells.clone(),
            answers: [taken(before)?, taken(after)?],
        });
    }
    Ok(proved)
}

/// What is proved of one system without the patch and with it.
#[derive(Debug)]
pub struct Proved {
    /// The cells that it is.
    pub cells: Vec<GrandCell>,
    /// By property, in order.
    pub answers: [Vec<AnyNumber>; 2],
}
