//! The main job: the matrix, the race, the theorem.

use std::sync::atomic::Ordering;

use kmodcheck_explore::{End, Limits};
use kmodcheck_model::builtin::Naming;
use kmodcheck_properties::Property;
use kmodcheck_properties::matrix::{self, Cell, CellReport, check_name, map_name};
use kmodcheck_properties::recorded::{self, Compared, Difference};
use kmodcheck_properties::theorem::{self, Needed, Outcome, Standing};
use kmodcheck_properties::verdict::Trace;
use kmodcheck_sim::trace::file::TraceFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Arguments;
use crate::input::session;
use crate::input::subject::RACE;
use crate::matrices::first_screen;
use crate::output::matrix_tables::HEADLINE;
use crate::output::{self, Ended, Failure, bars, matrix_tables as tables, screen};

/// The matrix, or what was explored of it.
struct Found {
    reports: Vec<CellReport>,
    standings: Vec<Standing>,
    differences: Vec<Difference>,
    /// Cells of which a search was cut, and those that were not begun.
    undecided: usize,
    interrupted: bool,
    limits: Limits,
}

impl Found {
    fn ended(&self) -> Ended {
        let falls = self.standings.iter().any(|s| s.outcome() == Outcome::Falls);
        let cut = self.undecided > 0 || self.interrupted;
        Ended::of(!self.differences.is_empty() || falls, cut)
    }
}

/// Explores every cell: what was explored, and how many cells to the end.
fn explore(arguments: &Arguments) -> (Vec<CellReport>, usize) {
    let cells = Cell::all();
    let bar = bars::bar(cells.len(), "cells");
    let (threads, limits) = (session::threads(arguments), session::limits(arguments));
    let reports = matrix::run(&cells, threads, limits, session::interrupt(), &|_| bar.inc(1));
    bar.finish_and_clear();
    let complete = |r: &&CellReport| r.reports.iter().all(|(_, r)| r.end == End::Complete);
    let complete = reports.iter().filter(complete).count();
    (reports, complete)
}

/// Whether what was explored differs from the record, or a claim falls.
pub(crate) fn differs(reports: &[CellReport]) -> bool {
    !recorded::differences(reports).is_empty()
        || theorem::standings(reports).iter().any(|s| s.outcome() == Outcome::Falls)
}

/// The whole matrix, for commands that are worth nothing with a part of it. How the command ends, if that
/// was interrupted or cut: how far it came is then said on stderr.
pub(crate) fn explored(arguments: &Arguments, wanted: &str) -> Result<Vec<CellReport>, Ended> {
    let (reports, complete) = explore(arguments);
    let all = Cell::all().len();
    if complete == all {
        return Ok(reports);
    }
    output::note!(
        "kmodcheck: {}: no {wanted}: {complete} of {all} cells were explored completely, limits: {}",
        output::cut(),
        session::limits_in_words(&session::limits(arguments))
    );
    Err(Ended::of(differs(&reports), true))
}

/// `whole`: every table and trace, not one screen.
pub(crate) fn run(arguments: &Arguments, whole: bool) -> Result<Ended, Failure> {
    let (reports, complete) = explore(arguments);
    let all = Cell::all().len();
    let found = Found {
        undecided: all - complete,
        standings: theorem::standings(&reports),
        differences: recorded::differences(&reports),
        interrupted: session::interrupt().load(Ordering::Relaxed),
        limits: session::limits(arguments),
        reports,
    };
    if arguments.json {
        output::print_json(&json(&found));
    } else if whole {
        print(&found);
    } else {
        let same = same(&found.reports) == all;
        let lines = first_screen::render(&found.reports, &found.standings, same, screen::size());
        output::print(&lines.join("\n"));
    }
    if found.undecided > 0 || found.interrupted {
        let begun = found.reports.len();
        output::note!(
            "kmodcheck: {}: {complete} of {all} cells explored to the end, {} cut, {} not begun",
            if found.interrupted { "interrupted" } else { "out of budget" },
            begun - complete,
            all - begun
        );
    }
    Ok(found.ended())
}

fn print(found: &Found) {
    let reports = &found.reports;
    output::print(&format!(
        "Kernel v4.9 with each reading of the proposed check, kmod v19 and v20, one module, nothing\n\
         unloaded, no init that requests a module, no signals, sequentially consistent; limits: {}.\n\
         2: two callers, every state; 3: three callers, up to exchanging them. The already-live\n\
         shortcut is on wherever there is an alias map.\n\
         No false success: 'holds (states, depth)', 'violated (steps of the shortest trace)',\n\
         'vacuous': no request returned 0. Below it the other violated properties, for three\n\
         callers, with the steps of their shortest traces, and the properties that hold and that\n\
         no named fault of the model violates in this cell:",
        session::limits_in_words(&found.limits)
    ));
    for property in Property::ALL {
        if property != HEADLINE {
            output::print(&format!("  {}  {}", property.letter(), property.name()));
        }
    }
    for naming in Naming::ALL {
        output::print(&format!(
            "\n{}\n{}",
            output::call(naming),
            tables::verdicts(reports, naming)
        ));
    }
    print_faults(reports);
    if let Some(trace) = theorem::violation(reports, RACE, Property::GetFsTypeFindsIt) {
        output::print("\nThe race on v4.9 with kmod v19, as short as it gets:\n");
        let model = RACE.model(2, None);
        output::print(&output::trace_text(Property::GetFsTypeFindsIt, model.scenario(), &trace));
    }
    let traces = print_theorem(&found.standings);
    print_decisions(reports);
    print_vacuous(reports);
    for (number, (cell, property, trace)) in traces.iter().enumerate() {
        let model = cell.model(2, None);
        output::print(&format!(
            "\n[{}] {cell}, {} steps:\n\n{}",
            number + 1,
            trace.len(),
            output::trace_text(*property, model.scenario(), trace)
        ));
    }
    print_differences(found);
}

fn print_faults(reports: &[CellReport]) {
    let holding = reports.iter().flat_map(|r| recorded_mutants(&r.cell)).collect::<Vec<_>>();
    let without = holding.iter().filter(|(_, m)| *m == recorded::NO_MUTANT).count();
    output::print(&format!(
        "\nA named fault in the model violates the same cell for {} of {} recorded 'holds'\n\
         (`--json` names the fault of each); for the other {without} no named fault does: they are about\n\
         built-in code, which no fault makes absent.",
        holding.len() - without,
        holding.len()
    ));
}

fn print_decisions(reports: &[CellReport]) {
    output::print(
        "\nWhat the check makes of a modprobe that lied, in distinct transitions, for two callers:\n\
         turned into an error; accepted because LIVE by then; accepted because absent; accepted\n\
         although GOING or forming; of all these, the caller had slept in the check first.\n\
         Without a check there is nothing to decide.",
    );
    for naming in Naming::ALL {
        output::print(&format!(
            "\n{}\n{}",
            output::call(naming),
            tables::decisions(reports, naming)
        ));
    }
}

fn print_vacuous(reports: &[CellReport]) {
    output::print(
        "\nWhat is vacuous: properties whose premise never occurred, and below them the branches\n\
         that never did of those whose premise occurred otherwise. Of a search that was cut nothing is\n\
         said.",
    );
    for property in Property::ALL {
        let branches = property.branches().iter().enumerate();
        let names: Vec<String> = branches
            .map(|(i, branch)| format!("{} {branch}", tables::branch_name(property, i)))
            .collect();
        output::print(&format!("  {}: {}", property.name(), names.join("; ")));
    }
    let omitted = tables::branches_of_no_cell(reports);
    let all = reports.iter().flat_map(|r| &r.reports).all(|(_, r)| r.end == End::Complete);
    output::print(&format!(
        "Not listed below, because in no cell {}: {}.",
        if all { "at all" } else { "that was explored to the end" },
        omitted.join(", ")
    ));
    for naming in Naming::ALL {
        let table = tables::vacuous(reports, naming, &omitted);
        output::print(&format!("\n{}\n{table}", output::call(naming)));
    }
}

/// How many are as recorded.
fn same(reports: &[CellReport]) -> usize {
    let compared = reports.iter().map(|r| recorded::MAIN.compare(&recorded::cell(r)));
    compared.filter(|c| *c == Compared::AsRecorded).count()
}

fn print_differences(found: &Found) {
    let same = same(&found.reports);
    if !found.differences.is_empty() {
        output::print("Cells that differ from the record:");
        for d in &found.differences {
            let recorded = d.recorded.as_deref().unwrap_or("nothing recorded");
            output::print(&format!("recorded {recorded}\nfound    {}", d.found));
        }
    }
    let all = Cell::all().len();
    if same == all {
        output::print(&format!("All {all} cells are as recorded."));
    } else {
        output::print(&format!(
            "{same} of {all} cells are as recorded, {} differ, {} were not explored to the end.",
            found.differences.len(),
            found.undecided
        ));
    }
}

/// Prints the claims; returns the traces behind their assumptions, in the order of the references.
fn print_theorem(standings: &[Standing]) -> Vec<(Cell, Property, Trace)> {
    let mut traces = Vec::new();
    output::print(
        "The theorem, for two and three callers on v4.9 (nothing unloaded, one module):\n",
    );
    for standing in standings {
        let claim = standing.claim;
        let outcome = match standing.outcome() {
            Outcome::Stands => "stands",
            Outcome::Falls => "FALLS",
            Outcome::Undecided => "undecided",
        };
        output::print(&format!(
            "- {}. {outcome}: {} cells, {} of them vacuous.",
            claim.words, standing.cells, standing.vacuous
        ));
        for cell in &standing.against {
            output::print(&format!("    against it: {cell}"));
        }
        if !standing.undecided.is_empty() {
            output::print(&format!("    not decided: {} cells", standing.undecided.len()));
        }
        for (assumption, needed) in claim.assumptions.iter().zip(&standing.needed) {
            let shown = match needed {
                Needed::Shown(trace) => {
                    traces.push((assumption.needed_in, assumption.property, trace.clone()));
                    format!("needed, see [{}]", traces.len())
                }
                Needed::No => "NOT NEEDED: it holds without".to_owned(),
                Needed::Undecided => "whether that is needed was not decided".to_owned(),
            };
            output::print(&format!("    provided that {}: {shown}.", assumption.words));
        }
    }
    traces
}

fn recorded_mutants(cell: &Cell) -> Vec<(char, &'static str)> {
    recorded::MAIN.mutants(&cell.to_string()).collect()
}

/// The main job: every cell, the race, and the theorem.
#[derive(Serialize, JsonSchema)]
pub(crate) struct MainJson {
    format: &'static str,
    version: u32,
    kernel: &'static str,
    cells: Vec<CellJson>,
    race: Option<TraceFile>,
    claims: Vec<ClaimJson>,
    differences_from_the_record: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct CellJson {
    request: &'static str,
    environment: &'static str,
    kmod: &'static str,
    check: &'static str,
    alias_map: &'static str,
    already_live: bool,
    reports: Vec<output::ReportJson>,
}

#[derive(Serialize, JsonSchema)]
struct ClaimJson {
    claim: &'static str,
    property: &'static str,
    outcome: &'static str,
    cells: usize,
    vacuous: usize,
    against: Vec<String>,
    undecided: Vec<String>,
    assumptions: Vec<AssumptionJson>,
}

#[derive(Serialize, JsonSchema)]
struct AssumptionJson {
    assumption: &'static str,
    needed_in: String,
    needed: Option<bool>,
    trace: Option<TraceFile>,
}

fn json(found: &Found) -> MainJson {
    let Found { reports, standings, differences, .. } = found;
    let cells = reports
        .iter()
        .map(|report| {
            let cell = &report.cell;
            let mutants = recorded_mutants(cell);
            let mutant = |letter| mutants.iter().find(|(l, _)| *l == letter).map(|(_, m)| *m);
            CellJson {
                request: cell.naming.request(),
                environment: cell.environment.name(),
                kmod: cell.kmod.name(),
                check: check_name(cell.check),
                alias_map: map_name(cell.map),
                already_live: cell.features().kernel.already_live,
                reports: report
                    .reports
                    .iter()
                    .map(|(callers, r)| output::report_json(r, usize::from(*callers), mutant))
                    .collect(),
            }
        })
        .collect();
    let trace_file = |cell: Cell, property: Property, trace: &Trace| {
        output::trace_json(property, cell.model(2, None).scenario(), trace)
    };
    let race = theorem::violation(reports, RACE, Property::GetFsTypeFindsIt)
        .map(|trace| trace_file(RACE, Property::GetFsTypeFindsIt, &trace));
    let claims = standings
        .iter()
        .map(|standing| ClaimJson {
            claim: standing.claim.words,
            property: standing.claim.property.name(),
            outcome: match standing.outcome() {
                Outcome::Stands => "stands",
                Outcome::Falls => "falls",
                Outcome::Undecided => "undecided",
            },
            cells: standing.cells,
            vacuous: standing.vacuous,
            against: standing.against.iter().map(ToString::to_string).collect(),
            undecided: standing.undecided.iter().map(ToString::to_string).collect(),
            assumptions: standing
                .claim
                .assumptions
                .iter()
                .zip(&standing.needed)
                .map(|(a, needed)| AssumptionJson {
                    assumption: a.words,
                    needed_in: a.needed_in.to_string(),
                    needed: match needed {
                        Needed::Shown(_) => Some(true),
                        Needed::No => Some(false),
                        Needed::Undecided => None,
                    },
                    trace: match needed {
                        Needed::Shown(t) => Some(trace_file(a.needed_in, a.property, t)),
                        Needed::No | Needed::Undecided => None,
                    },
                })
                .collect(),
        })
        .collect();
    MainJson {
        format: "kmodcheck-matrix",
        version: 1,
        kernel: "v4.9",
        cells,
        race,
        claims,
        differences_from_the_record: differences.iter().map(|d| d.found.clone()).collect(),
    }
}
