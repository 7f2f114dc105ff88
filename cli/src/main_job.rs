//! The main job: the matrix, the race, the theorem.

use comfy_table::{ContentArrangement, Table, presets};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_properties::check::Trace;
use kmodcheck_properties::matrix::{self, Cell, CellReport, Kmod, check_name, map_name};
use kmodcheck_properties::recorded::{self, Difference};
use kmodcheck_properties::theorem::{self, Standing};
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::trace::file::TraceFile;
use serde::Serialize;

use crate::args::Arguments;
use crate::{Ended, Failure, options, output, progress};

/// The property of the matrix's first line.
const HEADLINE: Property = Property::NoFalseSuccess;

/// The race itself: `get_fs_type()` on v4.9 with kmod v19.
pub(crate) const RACE: Cell = Cell {
    naming: Naming::FsAndModule,
    environment: Environment::Ok,
    kmod: Kmod::V19,
    check: SanityCheck::None,
    map: AliasMap::None,
};

pub(crate) fn run(arguments: &Arguments) -> Result<Ended, Failure> {
    let cells = Cell::all();
    let bar = progress::bar(cells.len());
    let limits = options::limits(arguments);
    let reports =
        matrix::run(&cells, options::threads(arguments), limits, options::interrupt(), &|_| {
            bar.inc(1);
        });
    let covered = bar.position();
    bar.finish_and_clear();
    let Some(reports) = reports else {
        anstream::eprintln!("kmodcheck: interrupted after {covered} of {} cells", cells.len());
        return Ok(Ended::OutOfBudget);
    };
    let cut = reports
        .iter()
        .flat_map(|r| &r.reports)
        .any(|(_, r)| r.end != kmodcheck_explore::End::Complete);
    let differences = recorded::differences(&reports);
    let standings = theorem::standings(&reports);
    if arguments.json {
        output::print_json(&json(&reports, &standings, &differences));
    } else {
        print(&reports, &standings, &differences);
    }
    // A search that was cut differs from the record by that alone: only a violation then says more.
    let contradicted = reports.iter().any(contradicts_the_record);
    Ok(if (!cut && !differences.is_empty()) || contradicted {
        Ended::Differs
    } else if cut {
        Ended::OutOfBudget
    } else if standings.iter().all(Standing::stands) {
        Ended::AsExpected
    } else {
        Ended::Differs
    })
}

/// Whether something was violated that is recorded as holding.
fn contradicts_the_record(report: &CellReport) -> bool {
    let cell = report.cell.to_string();
    let Some(line) = recorded::find(&cell) else { return true };
    report.reports.iter().any(|(callers, report)| {
        let prefix = format!("N={callers} ");
        let Some(recorded) = line.split(" | ").find(|part| part.starts_with(&prefix)) else {
            return true;
        };
        report.answers.iter().any(|answer| {
            let letter = answer.property.letter();
            let holds = recorded
                .split(' ')
                .any(|w| w.starts_with(letter) && matches!(&w[1..], "+" | "0" | "-"));
            holds && matches!(answer.verdict, Verdict::Violated(_))
        })
    })
}

/// One entry of the matrix: the headline property for each number of callers, then the other
/// properties that are violated.
fn entry(report: &CellReport) -> String {
    let mut lines = Vec::new();
    for (callers, r) in &report.reports {
        let verdict = &r.answer(HEADLINE).verdict;
        let detail = match verdict {
            Verdict::Violated(trace) => format!("({})", trace.len()),
            _ => format!("({}, {})", r.states, r.depth),
        };
        lines.push(format!("{callers}: {} {detail}", output::word(verdict)));
    }
    let Some((_, most)) = report.reports.last() else { return String::new() };
    let others: Vec<String> = most
        .answers
        .iter()
        .filter(|a| a.property != HEADLINE)
        .filter_map(|a| match &a.verdict {
            Verdict::Violated(trace) => Some(format!("{}{}", a.property.letter(), trace.len())),
            _ => None,
        })
        .collect();
    if !others.is_empty() {
        lines.push(others.join(" "));
    }
    lines.join("\n")
}

/// Rows of one naming, with readings and maps that come to the same merged into one row.
fn table(reports: &[CellReport], naming: Naming) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let mut header = vec!["kmod".to_owned(), "check".to_owned(), "alias map".to_owned()];
    header.extend(Environment::MAIN.map(|e| e.name().to_owned()));
    table.set_header(header);
    type Row = (Kmod, Vec<(SanityCheck, AliasMap)>, Vec<String>);
    let mut rows: Vec<Row> = Vec::new();
    for kmod in Kmod::ALL {
        for check in matrix::CHECKS {
            for map in [AliasMap::None, AliasMap::Prefix, AliasMap::Exact] {
                let of = |environment| Cell { naming, environment, kmod, check, map };
                let entries: Vec<String> = Environment::MAIN
                    .into_iter()
                    .filter_map(|e| reports.iter().find(|r| r.cell == of(e)))
                    .map(entry)
                    .collect();
                if entries.is_empty() {
                    continue;
                }
                match rows.iter_mut().find(|(k, _, e)| *k == kmod && *e == entries) {
                    Some((_, readings, _)) => readings.push((check, map)),
                    None => rows.push((kmod, vec![(check, map)], entries)),
                }
            }
        }
    }
    for (kmod, readings, entries) in rows {
        let mut checks = Vec::new();
        let mut maps = Vec::new();
        for (check, map) in readings {
            checks.push(check_name(check));
            maps.push(map_name(map));
        }
        let mut row = vec![kmod.name().to_owned(), checks.join("\n"), maps.join("\n")];
        row.extend(entries);
        table.add_row(row);
    }
    table
}

fn print(reports: &[CellReport], standings: &[Standing], differences: &[Difference]) {
    output::print(
        "Kernel v4.9 with each reading of the proposed check, kmod v19 and v20, one module, nothing\n\
         unloaded, sequentially consistent. 2: two callers, every state; 3: three callers, up to\n\
         exchanging them. The already-live shortcut is on wherever there is an alias map.\n\
         No false success: 'holds (states, depth)', 'violated (steps of the shortest trace)',\n\
         'vacuous': no request returned 0. Below it the other violated properties, for three\n\
         callers, with the steps of their shortest traces:",
    );
    for property in Property::ALL {
        if property != HEADLINE {
            output::print(&format!("  {}  {}", property.letter(), property.name()));
        }
    }
    for naming in Naming::ALL {
        let call = match naming {
            Naming::Plain => "request_module(\"ext4\")",
            Naming::FsAndModule => "get_fs_type(\"ext4\"), alias fs-ext4 = fs- + module",
            Naming::FsAndOther => "get_fs_type(\"ext3\"), alias fs-ext3 of module ext4",
        };
        output::print(&format!("\n{call}\n{}", table(reports, naming)));
    }
    let holding = reports.iter().flat_map(|r| recorded_mutants(&r.cell)).collect::<Vec<_>>();
    let without = holding.iter().filter(|(_, mutant)| *mutant == "none").count();
    output::print(&format!(
        "\nEach 'holds' is believed because a named fault in the model violates the same cell: {} of\n\
         {} recorded ones; the other {without} are about built-in code, which no fault makes absent.\n\
         (`--json` names the fault of each.)",
        holding.len() - without,
        holding.len()
    ));
    output::print("\nThe race on v4.9 with kmod v19, as short as it gets:\n");
    if let Some(trace) = theorem::violation(reports, RACE, Property::GetFsTypeFindsIt) {
        let model = RACE.model(2, None);
        output::print(&output::trace_text(Property::GetFsTypeFindsIt, model.scenario(), &trace));
    }
    let traces = print_theorem(standings);
    for (number, (cell, property, trace)) in traces.iter().enumerate() {
        let model = cell.model(2, None);
        output::print(&format!(
            "\n[{}] {cell}, {} steps:\n\n{}",
            number + 1,
            trace.len(),
            output::trace_text(*property, model.scenario(), trace)
        ));
    }
    if differences.is_empty() {
        output::print(&format!("All {} cells are as recorded.", reports.len()));
    } else {
        output::print("Cells that differ from the record:");
        for d in differences {
            let recorded = d.recorded.unwrap_or("nothing recorded");
            output::print(&format!("recorded {recorded}\nfound    {}", d.found));
        }
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
        let verdict = if standing.stands() { "stands" } else { "FALLS" };
        output::print(&format!(
            "- {}. {verdict}: {} cells, {} of them vacuous.",
            claim.words, standing.cells, standing.vacuous
        ));
        for cell in &standing.against {
            output::print(&format!("    against it: {cell}"));
        }
        for (assumption, trace) in claim.assumptions.iter().zip(&standing.needed) {
            let shown = match trace {
                Some(trace) => {
                    traces.push((assumption.needed_in, assumption.property, trace.clone()));
                    format!("needed, see [{}]", traces.len())
                }
                None => "NOT NEEDED: no trace violates it without".to_owned(),
            };
            output::print(&format!("    provided that {}: {shown}.", assumption.words));
        }
    }
    traces
}

fn recorded_mutants(cell: &Cell) -> Vec<(char, &'static str)> {
    recorded::mutants(&cell.to_string()).collect()
}

#[derive(Serialize)]
struct MainJson {
    format: &'static str,
    version: u32,
    kernel: &'static str,
    cells: Vec<CellJson>,
    race: Option<TraceFile>,
    claims: Vec<ClaimJson>,
    differences_from_the_record: Vec<String>,
}

#[derive(Serialize)]
struct CellJson {
    request: &'static str,
    environment: &'static str,
    kmod: &'static str,
    check: &'static str,
    alias_map: &'static str,
    already_live: bool,
    reports: Vec<output::ReportJson>,
}

#[derive(Serialize)]
struct ClaimJson {
    claim: &'static str,
    property: &'static str,
    stands: bool,
    cells: usize,
    vacuous: usize,
    against: Vec<String>,
    assumptions: Vec<AssumptionJson>,
}

#[derive(Serialize)]
struct AssumptionJson {
    assumption: &'static str,
    needed_in: String,
    trace: Option<TraceFile>,
}

fn json(reports: &[CellReport], standings: &[Standing], differences: &[Difference]) -> MainJson {
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
                    .map(|(callers, r)| output::report_json(r, *callers, mutant))
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
            stands: standing.stands(),
            cells: standing.cells,
            vacuous: standing.vacuous,
            against: standing.against.iter().map(ToString::to_string).collect(),
            assumptions: standing
                .claim
                .assumptions
                .iter()
                .zip(&standing.needed)
                .map(|(a, trace)| AssumptionJson {
                    assumption: a.words,
                    needed_in: a.needed_in.to_string(),
                    trace: trace.as_ref().map(|t| trace_file(a.needed_in, a.property, t)),
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
