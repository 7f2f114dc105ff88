//! What the properties see of each statement of the texts: every fault that a machine can put into it, and which verdicts
//! of the built-in systems change by it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use kmodcheck_explore::{Options, map_on_threads};
use kmodcheck_model::Model;
use kmodcheck_model::features::Features;
use kmodcheck_model::text::{Decisions, Operator, TEXTS, mutations};
use kmodcheck_sim::scenario_file::Expected;

use super::grand::GrandCell;
use super::review::{Pair, ReviewError};
use crate::judge::verdict::{Report, check_all};
use crate::property::Property;

/// One fault of a text.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which text.
    pub path: &'static str,
    /// The line on which what is changed begins, from 1.
    pub line: usize,
    /// In which function.
    pub function: String,
    /// What is changed, on one line.
    pub what: String,
    /// How.
    pub operator: Operator,
    /// The texts with it.
    texts: [String; TEXTS.len()],
}

/// What comes of a fault.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The texts are refused, on every release: what is wrong.
    Refused(String),
    /// What is decided is what was, on every release that takes it.
    Same,
    /// Something else is decided.
    Changes(Vec<Changed>),
}

/// A verdict that a fault changes.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Of which property.
    pub property: Property,
    /// How it fared, and how it fares with the fault.
    pub fared: [Expected; 2],
    /// In which cells.
    pub cells: Vec<GrandCell>,
    /// The fewest states in which that is seen.
    pub states: u64,
}

/// Every fault of every text.
///
/// # Panics
/// Never: the texts that are shipped can be read.
pub fn faults() -> Vec<Fault> {
    let mut all = Vec::new();
    for (number, (path, text)) in TEXTS.into_iter().enumerate() {
        for mutation in mutations(number) {
            let mut texts = TEXTS.map(|(_, text)| text.to_owned());
            let words = text[mutation.span.start..mutation.span.end].split_whitespace();
            let what = words.collect::<Vec<_>>().join(" ");
            texts[number] = mutation.text;
            all.push(Fault {
                path,
                line: 1 + text[..mutation.span.start].matches('\n').count(),
                function: mutation.function,
                what,
                operator: mutation.operator,
                texts,
            });
        }
    }
    all
}

/// What comes of each fault in these cells, on `threads` threads, in their order; and how often each property holds there
/// without a fault, premise met. What was not begun when `options.interrupt` was set is left out.
///
/// # Errors
/// See [`ReviewError`].
pub fn outcomes(
    faults: &[Fault],
    cells: &[GrandCell],
    threads: usize,
    options: &Options<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Outcome>, ReviewError> {
    let over = || options.interrupt.is_some_and(|set| set.load(Ordering::Relaxed));
    let mut releases: Vec<(&str, &str, Features)> = Vec::new();
    for cell in cells {
        if !releases.iter().any(|(kernel, kmod, _)| (*kernel, *kmod) == (cell.kernel, cell.kmod)) {
            releases.push((cell.kernel, cell.kmod, cell.features()));
        }
    }
    // Without a fault each system is explored once.
    let own = Pair::of(cells, &|cell| Decisions::of_features(&cell.features()));
    let reports = map_on_threads(threads, &own, over, |_, pair| report(pair, options));
    let reports: Vec<Option<Report>> =
        reports.into_iter().map(Option::transpose).collect::<Result<_, _>>()?;
    let of_cell: BTreeMap<GrandCell, &Report> = own
        .iter()
        .zip(&reports)
        .filter_map(|(pair, report)| Some((pair, report.as_ref()?)))
        .flat_map(|(pair, report)| pair.system.cells.iter().map(move |cell| (*cell, report)))
        .collect();
    let outcomes = map_on_threads(threads, faults, over, |_, fault| {
        let outcome = outcome(fault, cells, &releases, &of_cell, options);
        done();
        outcome
    });
    outcomes.into_iter().flatten().collect()
}

fn report(pair: &Pair, options: &Options<'_>) -> Result<Report, ReviewError> {
    Ok(check_all(&Model::new(pair.patched.clone(), None)?, options)?)
}

fn outcome(
    fault: &Fault,
    cells: &[GrandCell],
    releases: &[(&str, &str, Features)],
    of_cell: &BTreeMap<GrandCell, &Report>,
    options: &Options<'_>,
) -> Result<Outcome, ReviewError> {
    let mut decided = Vec::new();
    let mut refused = None;
    for (kernel, kmod, features) in releases {
        match Decisions::of(&fault.texts, features) {
            Err(error) => {
                refused = refused.or(Some(format!("{}, {}", error.found, error.expected)))
            }
            Ok(decisions) => decided.push((*kernel, *kmod, decisions, features)),
        }
    }
    if decided.is_empty() {
        return Ok(Outcome::Refused(refused.unwrap_or_default()));
    }
    decided.retain(|(.., decisions, features)| *decisions != Decisions::of_features(features));
    if decided.is_empty() {
        return Ok(Outcome::Same);
    }
    let of = |cell: &GrandCell| {
        decided.iter().find(|(kernel, kmod, ..)| (*kernel, *kmod) == (cell.kernel, cell.kmod))
    };
    let changed: Vec<GrandCell> = cells.iter().filter(|cell| of(cell).is_some()).copied().collect();
    let pairs = Pair::of(&changed, &|cell| of(cell).expect("it is one of those").2.clone());
    let mut all: Vec<Changed> = Vec::new();
    for pair in &pairs {
        let Some(before) = of_cell.get(&pair.system.cells[0]) else { continue };
        let after = report(pair, options)?;
        for property in Property::ALL {
            let verdicts = [*before, &after].map(|report| report.answer(property).verdict.fared());
            let [Some(was), Some(is)] = verdicts else { continue };
            if was == is {
                continue;
            }
            let (cells, states) = (pair.system.cells.clone(), after.states);
            match all.iter_mut().find(|c| c.property == property && c.fared == [was, is]) {
                Some(known) => {
                    known.cells.extend(cells);
                    known.states = known.states.min(states);
                }
                None => all.push(Changed { property, fared: [was, is], cells, states }),
            }
        }
    }
    all.sort_by_key(|changed| changed.property as usize);
    Ok(Outcome::Changes(all))
}
