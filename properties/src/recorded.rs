//! Recorded verdicts: one line for each cell of the matrix, compared with what the explorer finds.
//!
//! `ext4 ok v19 none exact | N=2 372 686 25 S18 s18 T16 C18 A0 F- U+ L+ W+ | N=3 ...`: the cell; for
//! each number of callers the states, transitions and depth, then each property's letter with `+`
//! (holds), `0` (holds, but its premise never occurred), `-` (does not apply) or the number of steps
//! of the shortest trace that violates it.

use std::fmt::Write;

use crate::check::{Report, Verdict};
use crate::matrix::CellReport;
use crate::property::Property;

/// The recorded lines of the whole matrix.
pub const MATRIX: &str = include_str!("../recorded/matrix.txt");

/// For each cell, the mutant that violates each property that holds there.
pub const MUTANTS: &str = include_str!("../recorded/mutants.txt");

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
            Verdict::OutOfBudget => line.push('?'),
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

/// Every cell that differs from the record.
pub fn differences(reports: &[CellReport]) -> Vec<Difference> {
    reports
        .iter()
        .filter_map(|report| {
            let (cell, found) = (report.cell.to_string(), line(report));
            let recorded = find(&cell);
            (recorded != Some(&found)).then_some(Difference { cell, recorded, found })
        })
        .collect()
}

/// The mutants recorded for `cell`: the property's letter and the mutant's name, `none` where no
/// mutant violates it.
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
