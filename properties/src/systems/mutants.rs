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

/// A kernel and a kmod that faults are put into.
struct Release {
    presets: [&'static str; 2],
    features: Features,
}

impl Release {
    fn is_of(&self, cell: &GrandCell) -> bool {
        self.presets == [cell.kernel, cell.kmod]
    }
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
    let mut releases: Vec<Release> = Vec::new();
    for cell in cells {
        if !releases.iter().any(|release| release.is_of(cell)) {
            let presets = [cell.kernel, cell.kmod];
            releases.push(Release { presets, features: cell.features() });
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
    let decided = map_on_threads(threads, faults, over, |_, fault| {
        let decided = decided(fault, &releases);
        if !matches!(decided, Decided::Otherwise(_)) {
            done();
        }
        decided
    });
    // Faults by which the same is decided come to the same systems.
    let mut distinct: Vec<(&[(usize, Decisions)], usize)> = Vec::new();
    for otherwise in decided.iter().flatten().filter_map(Decided::otherwise) {
        match distinct.iter_mut().find(|(known, _)| *known == otherwise) {
            Some((_, faults)) => *faults += 1,
            None => distinct.push((otherwise, 1)),
        }
    }
    let changes = map_on_threads(threads, &distinct, over, |_, (decided, faults)| {
        let changed = changes(decided, cells, &releases, &of_cell, options);
        (0..*faults).for_each(|_| done());
        changed
    });
    let changes: Vec<Option<Vec<Changed>>> =
        changes.into_iter().map(Option::transpose).collect::<Result<_, _>>()?;
    let of = |otherwise: &[(usize, Decisions)]| {
        changes[distinct.iter().position(|(known, _)| *known == otherwise)?].clone()
    };
    // Of what was begun in order, that is where it ends.
    let outcomes = decided.iter().map_while(|decided| match decided.as_ref()? {
        Decided::Refused(why) => Some(Outcome::Refused(why.clone())),
        Decided::Same => Some(Outcome::Same),
        Decided::Otherwise(otherwise) => of(otherwise).map(Outcome::Changes),
    });
    Ok(outcomes.collect())
}

/// What is decided with a fault.
enum Decided {
    /// The texts are refused, on every release: what is wrong.
    Refused(String),
    /// What was, on every release that takes it.
    Same,
    /// Something else on these releases, by their numbers.
    Otherwise(Vec<(usize, Decisions)>),
}

impl Decided {
    fn otherwise(&self) -> Option<&[(usize, Decisions)]> {
        if let Self::Otherwise(decisions) = self { Some(decisions) } else { None }
    }
}

fn decided(fault: &Fault, releases: &[Release]) -> Decided {
    let mut taken = Vec::new();
    let mut refused = None;
    for (number, release) in releases.iter().enumerate() {
        match Decisions::of(&fault.texts, &release.features) {
            Err(error) => {
                refused = refused.or(Some(format!("{}, {}", error.found, error.expected)))
            }
            Ok(decisions) => taken.push((number, decisions)),
        }
    }
    if taken.is_empty() {
        return Decided::Refused(refused.unwrap_or_default());
    }
    taken.retain(|(release, decisions)| {
        *decisions != Decisions::of_features(&releases[*release].features)
    });
    if taken.is_empty() { Decided::Same } else { Decided::Otherwise(taken) }
}

fn report(pair: &Pair, options: &Options<'_>) -> Result<Report, ReviewError> {
    Ok(check_all(&Model::new(pair.patched.clone(), None)?, options)?)
}

/// The verdicts that change where this is decided on these releases.
fn changes(
    decided: &[(usize, Decisions)],
    cells: &[GrandCell],
    releases: &[Release],
    of_cell: &BTreeMap<GrandCell, &Report>,
    options: &Options<'_>,
) -> Result<Vec<Changed>, ReviewError> {
    let of = |cell: &GrandCell| {
        let (_, decisions) = decided.iter().find(|(release, _)| releases[*release].is_of(cell))?;
        Some(decisions)
    };
    let changed: Vec<GrandCell> = cells.iter().filter(|cell| of(cell).is_some()).copied().collect();
    let pairs = Pair::of(&changed, &|cell| of(cell).expect("it is one of those").clone());
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
    Ok(all)
}
