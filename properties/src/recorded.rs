//! Recorded verdicts: one line for each cell of the matrix, compared with what the explorer finds.
//!
//! `ext4 ok v19 none exact | N=2 372 686 25 S18 s18 T16 C18 A0 F- U+ L+ W+ | N=3 ...`: the cell; for
//! each number of callers the states, transitions and depth, then each property's letter with `+`
//! (holds), `0` (holds, but its premise never occurred), `-` (does not apply) or the number of steps
//! of the shortest trace that violates it.

use std::fmt::Write;

use kmodcheck_explore::End;

use crate::check::{Report, Verdict};
use crate::matrix::CellReport;
use crate::property::Property;

/// The recorded lines of the whole matrix.
pub const MATRIX: &str = include_str!("../recorded/matrix.txt");

/// For each cell, the mutant that violates each property that holds there.
pub const MUTANTS: &str = include_str!("../recorded/mutants.txt");

/// What [`MUTANTS`] says where no mutant violates a property.
pub const NO_MUTANT: &str = "none";

/// Does not apply to any cell: nobody listens for uevents here.
const NOT_HERE: Property = Property::UdevFindsItInitialised;

/// What a report comes to, in the recorded form.
pub fn summary(report: &Report, callers: u8) -> String {
    let mut line = format!("N={callers} {} {} {}", report.states, report.transitions, report.depth);
    for answer in report.answers.iter().filter(|a| a.property != NOT_HERE) {
        write!(line, " {}", answer.property.letter()).expect("writing to a string succeeds");
        match &answer.verdict {
            Verdict::NotApplicable => line.push('-'),
            Verdict::Holds { premise_met: true } => line.push('+'),
            Verdict::Holds { premise_met: false } => line.push('0'),
            Verdict::Violated(trace) => {
                write!(line, "{}", trace.len()).expect("writing to a string succeeds");
            }
            Verdict::OutOfBudget | Verdict::NoneFound | Verdict::NotAsked => line.push('?'),
        }
    }
    line
}

/// The recorded form of one cell.
pub fn line(report: &CellReport) -> String {
    let mut line = report.cell.to_string();
    for (callers, report) in &report.reports {
        line.push_str(" | ");
        line.push_str(&summary(report, *callers));
    }
    line
}

/// The recorded line of that cell.
pub fn find(cell: &str) -> Option<&'static str> {
    MATRIX.lines().find(|line| line.split(" | ").next() == Some(cell))
}

/// How a cell compares with its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It is as recorded.
    AsRecorded,
    /// A search was cut; what it found until then is as recorded.
    Cut,
    /// It differs.
    Differs(Difference),
}

/// A difference between what is recorded and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The cell.
    pub cell: String,
    /// The recorded line; `None`: nothing is recorded.
    pub recorded: Option<&'static str>,
    /// The line found.
    pub found: String,
}

/// Compares a cell with its record. Of a search that was cut only the verdicts that it reached count:
/// the first violations of a breadth-first search are the shortest, cut or not.
pub fn compare(report: &CellReport) -> Compared {
    let cell = report.cell.to_string();
    let recorded = find(&cell);
    let ends: Vec<End> = report.reports.iter().map(|(_, r)| r.end).collect();
    compare_lines(cell, recorded, line(report), &ends)
}

/// Compares a line with the recorded one. `ends`: how the search behind each of its parts ended.
pub(crate) fn compare_lines(
    cell: String,
    recorded: Option<&'static str>,
    found: String,
    ends: &[End],
) -> Compared {
    if recorded == Some(&found) {
        return Compared::AsRecorded;
    }
    let cut = ends.iter().any(|end| *end != End::Complete);
    let agrees = cut
        && recorded.is_some_and(|recorded| {
            let (mut old, mut new) = (recorded.split(" | "), found.split(" | "));
            old.next();
            new.next();
            old.clone().count() == new.clone().count()
                && ends.iter().zip(old.zip(new)).all(|(end, (old, new))| {
                    if *end == End::Complete { old == new } else { reached_the_same(old, new) }
                })
        });
    if agrees { Compared::Cut } else { Compared::Differs(Difference { cell, recorded, found }) }
}

/// Whether the verdicts of `found` are those of `recorded`, but for the ones that were not reached.
fn reached_the_same(recorded: &str, found: &str) -> bool {
    // After the number of callers, the states, the transitions and the depth.
    let (old, new) = (recorded.split(' ').skip(4), found.split(' ').skip(4));
    old.clone().count() == new.clone().count()
        && old.zip(new).all(|(old, new)| new.ends_with('?') || old == new)
}

/// Every cell that differs from the record.
pub fn differences(reports: &[CellReport]) -> Vec<Difference> {
    let differs = |report| match compare(report) {
        Compared::Differs(difference) => Some(difference),
        Compared::AsRecorded | Compared::Cut => None,
    };
    reports.iter().filter_map(differs).collect()
}

/// The mutants recorded for `cell`: the property's letter and the mutant's name, [`NO_MUTANT`]
/// where none violates it.
pub fn mutants(cell: &str) -> impl Iterator<Item = (char, &'static str)> {
    MUTANTS
        .lines()
        .filter_map(move |line| line.strip_prefix(cell)?.strip_prefix(" | "))
        .flat_map(|mutants| mutants.split(' '))
        .filter_map(|pair| {
            let (letter, mutant) = pair.split_once('=')?;
            Some((letter.chars().next()?, mutant))
        })
}
