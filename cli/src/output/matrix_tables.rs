//! The tables of the main job. Rows are the readings of the check under each alias map, columns the
//! environments; readings that come to the same in every environment share a row.

use comfy_table::Table;
use kmodcheck_explore::End;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_properties::matrix::{self, Cell, CellReport, Kmod, check_name, map_name};
use kmodcheck_properties::verdict::Decisions;
use kmodcheck_properties::{Property, Report, Verdict, recorded};

use crate::output;

/// The property of an entry's first lines.
pub(crate) const HEADLINE: Property = Property::HEADLINE;

/// Said of a cell that a run ended before.
const NOT_EXPLORED: &str = "not explored";

/// The matrix of one naming: the headline property for each number of callers; below it the other
/// properties that are violated, and those that no recorded fault of the model violates.
pub(crate) fn verdicts(reports: &[CellReport], naming: Naming) -> Table {
    table(reports, naming, &matrix::CHECKS, |report| {
        let mut lines: Vec<String> =
            report.reports.iter().map(|(callers, r)| headline(*callers, r)).collect();
        if let Some((_, most)) = report.reports.last() {
            let others = most.answers.iter().filter(|a| a.property != HEADLINE);
            let violated: Vec<String> = others
                .filter_map(|a| match &a.verdict {
                    Verdict::Violated(t) => Some(format!("{}{}", a.property.letter(), t.len())),
                    _ => None,
                })
                .collect();
            lines.push(violated.join(" "));
        }
        let cell = report.cell.to_string();
        let unviolated: Vec<String> = recorded::MAIN
            .mutants(&cell)
            .filter(|(_, mutant)| *mutant == recorded::NO_MUTANT)
            .map(|(letter, _)| letter.to_string())
            .collect();
        if !unviolated.is_empty() {
            lines.push(format!("no fault: {}", unviolated.join(" ")));
        }
        lines
    })
}

fn headline(callers: u8, report: &Report) -> String {
    let verdict = &report.answer(HEADLINE).verdict;
    let detail = match verdict {
        Verdict::Violated(trace) => format!("({})", trace.len()),
        _ => format!("({}, {})", report.states, report.depth),
    };
    format!("{callers}: {} {detail}", output::said(report, verdict))
}

/// What the check after modprobe makes of modprobe's lies, for two callers counted one by one, in
/// distinct transitions.
pub(crate) fn decisions(reports: &[CellReport], naming: Naming) -> Table {
    let checks: Vec<SanityCheck> = matrix::CHECKS
        .into_iter()
        .filter(|c| !matches!(c, SanityCheck::None | SanityCheck::WarnOnly))
        .collect();
    table(reports, naming, &checks, |report| {
        let Some((_, two)) = report.reports.first() else { return Vec::new() };
        let so_far =
            (two.end != End::Complete).then(|| format!("{}, until then:", output::end_word(two)));
        so_far.into_iter().chain([decided(&two.decisions)]).collect()
    })
}

fn decided(d: &Decisions) -> String {
    if *d == Decisions::default() {
        return "no lie decided".to_owned();
    }
    let mut words = vec![
        format!("error {}", d.turned_into_an_error),
        format!("LIVE {}", d.accepted_live),
        format!("absent {}", d.accepted_absent),
    ];
    for (word, n) in [("GOING", d.accepted_going), ("forming", d.accepted_forming)] {
        if n > 0 {
            words.push(format!("{word} {n}"));
        }
    }
    words.push(format!("waited {}", d.waited_first));
    words.join(", ")
}

/// Branches whose premise occurred in no cell, as `S3`.
pub(crate) fn branches_of_no_cell(reports: &[CellReport]) -> Vec<String> {
    let occurs = |property: Property, branch: usize| {
        let mut all = reports.iter().flat_map(|r| &r.reports);
        all.any(|(_, r)| r.end == End::Complete && r.answer(property).branches[branch] > 0)
    };
    every_branch().filter(|(p, b)| !occurs(*p, *b)).map(|(p, b)| branch_name(p, b)).collect()
}

/// A branch of a property, as `S3`.
pub(crate) fn branch_name(property: Property, branch: usize) -> String {
    format!("{}{}", property.letter(), branch + 1)
}

fn every_branch() -> impl Iterator<Item = (Property, usize)> {
    Property::ALL.into_iter().flat_map(|p| (0..p.branches().len()).map(move |b| (p, b)))
}

/// What holds vacuously, by cell: the properties whose premise never occurred, and of the others the
/// branches that never did. `omitted` says what occurs in no cell at all.
pub(crate) fn vacuous(reports: &[CellReport], naming: Naming, omitted: &[String]) -> Table {
    table(reports, naming, &matrix::CHECKS, |report| {
        let by_callers: Vec<(u8, Vec<String>)> =
            report.reports.iter().map(|(n, r)| (*n, never_met(r, omitted))).collect();
        let same = by_callers.windows(2).all(|pair| pair[0].1 == pair[1].1);
        if let (true, Some((_, lines))) = (same, by_callers.first()) {
            return lines.clone();
        }
        let with_callers = |(n, lines): (u8, Vec<String>)| format!("{n}: {}", lines.join(" "));
        by_callers.into_iter().map(with_callers).collect()
    })
}

fn never_met(report: &Report, omitted: &[String]) -> Vec<String> {
    if report.end != End::Complete {
        return vec![output::said(report, &Verdict::OutOfBudget).to_owned()];
    }
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    for answer in &report.answers {
        let property = answer.property;
        match answer.verdict {
            Verdict::NotApplicable
            | Verdict::NotAsked
            | Verdict::OutOfBudget
            | Verdict::NoneFound => {}
            Verdict::Holds { premise_met: false } => whole.push(property.letter().to_string()),
            Verdict::Holds { premise_met: true } | Verdict::Violated(_) => {
                let never = answer.branches.iter().enumerate().filter(|(_, met)| **met == 0);
                let names = never.map(|(branch, _)| branch_name(property, branch));
                part.extend(names.filter(|name| !omitted.contains(name)));
            }
        }
    }
    vec![whole.join(" "), part.join(" ")]
}

/// One entry for each cell of `naming` under one of `checks`; empty lines are left out.
fn table(
    reports: &[CellReport],
    naming: Naming,
    checks: &[SanityCheck],
    entry: impl Fn(&CellReport) -> Vec<String>,
) -> Table {
    type Row = (Kmod, Vec<(SanityCheck, AliasMap)>, Vec<String>);
    let every = Cell::all();
    let mut rows: Vec<Row> = Vec::new();
    for kmod in Kmod::ALL {
        for &check in checks {
            for map in [AliasMap::None, AliasMap::Prefix, AliasMap::Exact] {
                let of = |environment| Cell { naming, environment, kmod, check, map };
                if !every.contains(&of(Environment::Ok)) {
                    continue;
                }
                let entry = |environment| {
                    let Some(report) = reports.iter().find(|r| r.cell == of(environment)) else {
                        return NOT_EXPLORED.to_owned();
                    };
                    let mut lines = entry(report);
                    lines.retain(|line| !line.is_empty());
                    if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
                };
                let entries: Vec<String> = Environment::MAIN.map(entry).into();
                match rows.iter_mut().find(|(k, _, e)| *k == kmod && *e == entries) {
                    Some((_, readings, _)) => readings.push((check, map)),
                    None => rows.push((kmod, vec![(check, map)], entries)),
                }
            }
        }
    }
    let mut header = vec!["kmod".to_owned(), "check".to_owned(), "alias map".to_owned()];
    header.extend(Environment::MAIN.map(|e| e.name().to_owned()));
    let mut table = output::table(header);
    for (kmod, readings, entries) in rows {
        let (checks, maps): (Vec<_>, Vec<_>) =
            readings.into_iter().map(|(check, map)| (check_name(check), map_name(map))).unzip();
        let mut row = vec![kmod.name().to_owned(), checks.join("\n"), maps.join("\n")];
        row.extend(entries);
        table.add_row(row);
    }
    table
}
