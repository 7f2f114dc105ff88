//! `kmodcheck matrix`: the grand matrix.

use kmodcheck_explore::End;
use kmodcheck_model::builtin::Naming;
use kmodcheck_properties::Verdict;
use kmodcheck_properties::grand::{self, GrandCell, System, SystemReport};
use kmodcheck_properties::recorded::{self, Compared, GRAND};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::values::are_presets;
use crate::args::{Arguments, Matrix};
use crate::input::session;
use crate::output::layout::Layout;
use crate::output::presets_table::{by_cell, ended, environments, of_naming, short};
use crate::output::{self, Ended, Failure, bars};

pub(crate) fn run(arguments: &Arguments, matrix: &Matrix) -> Result<Ended, Failure> {
    are_presets(matrix.kernel, matrix.kmod)?;
    let wanted = |cell: &GrandCell| matrix.wants(cell);
    // Systems are those of the whole matrix, so that the record has a line for each.
    let systems: Vec<System> = System::of(&GrandCell::all())
        .into_iter()
        .filter(|system| system.cells.iter().any(wanted))
        .collect();
    let count = systems.len();
    let limits = session::limits(arguments);
    let bar = bars::bar(count, "systems");
    let threads = session::threads(arguments);
    bars::announce("matrix", count, threads);
    let reports = grand::run(systems, threads, limits, session::interrupt(), &|_| bar.inc(1));
    let covered = bar.position();
    bar.finish_and_clear();
    let Some(reports) = reports else {
        crate::output::note!("kmodcheck: interrupted after {covered} of {count} systems");
        return Ok(Ended::OutOfBudget);
    };
    let differs =
        |r: &&SystemReport| matches!(GRAND.compare(&recorded::system(r)), Compared::Differs(_));
    let differences: Vec<String> =
        (reports.iter().filter(differs)).map(|r| recorded::system(r).to_string()).collect();
    let cut = reports.iter().filter(|r| r.report.end != End::Complete).count();
    if arguments.json {
        output::print_json(&json(matrix, &reports, &wanted, &differences));
    } else {
        print(matrix, &reports, &wanted);
        for line in &differences {
            Layout::of(matrix.layout.wide).print(&format!("differs from the record: {line}"));
        }
    }
    Ok(ended(count, cut, !differences.is_empty()))
}

fn print(matrix: &Matrix, reports: &[SystemReport], wanted: &impl Fn(&GrandCell) -> bool) {
    let layout = Layout::of(matrix.layout.wide);
    let environments = environments(layout, reports.iter().map(|r| &r.system.cells[..]), true);
    layout.print(
        "\nEvery state of every system, up to exchanging callers; sequentially consistent. A number\n\
         of steps is that of the shortest trace that violates the property; 'vacuous': its premise\n\
         never occurred; '?': out of budget. Presets that come to the same share a row.",
    );
    let single = reports.len() == 1;
    let of = by_cell(reports.iter().map(|report| (&report.system.cells[..], report)), wanted);
    for property in matrix.properties() {
        layout.print(&format!("\n{}: {}", property.name(), property.statement()));
        for naming in Naming::ALL {
            let entry =
                |cell: &GrandCell| Some(short(&of.get(cell)?.report.answer(property).verdict));
            if let Some(tables) = of_naming(layout, &entry, &environments, naming) {
                output::print(&tables);
            }
        }
    }
    if single {
        for answer in &reports[0].report.answers {
            if let Verdict::Violated(trace) = &answer.verdict
                && matrix.properties().contains(&answer.property)
            {
                let text = output::trace_text(answer.property, &reports[0].system.scenario, trace);
                output::print(&format!("\n{text}"));
            }
        }
    } else {
        layout.print(
            "\nFor the traces of one cell: --kernel K --kmod M --env E --naming N [--property P]",
        );
    }
}

/// Every kernel, modprobe and environment, on every property.
#[derive(Serialize, JsonSchema)]
pub(crate) struct GrandJson {
    format: &'static str,
    version: u32,
    systems: Vec<SystemJson>,
    differences_from_the_record: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct SystemJson {
    environment: &'static str,
    assumes: &'static str,
    naming: &'static str,
    /// The presets, kernel and kmod, that are this system.
    presets: Vec<[&'static str; 2]>,
    report: output::ReportJson,
    traces: Vec<TraceJson>,
}

#[derive(Serialize, JsonSchema)]
struct TraceJson {
    property: &'static str,
    steps: Vec<String>,
}

fn json(
    matrix: &Matrix,
    reports: &[SystemReport],
    wanted: &impl Fn(&GrandCell) -> bool,
    differences: &[String],
) -> GrandJson {
    let properties = matrix.properties();
    let systems = reports
        .iter()
        .map(|r| {
            let first = r.system.cells[0];
            let recorded: Vec<(char, &str)> = GRAND.mutants(&r.system.name()).collect();
            let mutant =
                |letter| recorded.iter().find(|(l, _)| *l == letter).map(|(_, name)| *name);
            let traces = r
                .report
                .answers
                .iter()
                .filter(|a| properties.contains(&a.property))
                .filter_map(|a| match &a.verdict {
                    Verdict::Violated(trace) => Some(TraceJson {
                        property: a.property.name(),
                        steps: trace
                            .iter()
                            .map(|step| {
                                let what = step.label.describe(&r.system.scenario);
                                format!("{} {}: {what}", step.actor, step.label.function())
                            })
                            .collect(),
                    }),
                    _ => None,
                })
                .collect();
            SystemJson {
                environment: first.environment.name(),
                assumes: first.environment.assumes(),
                naming: first.naming.name(),
                presets: r
                    .system
                    .cells
                    .iter()
                    .filter(|c| wanted(c))
                    .map(|c| [c.kernel, c.kmod])
                    .collect(),
                report: output::report_json(
                    &r.report,
                    usize::from(first.environment.callers()),
                    mutant,
                ),
                traces,
            }
        })
        .collect();
    GrandJson {
        format: "kmodcheck-grand-matrix",
        version: 1,
        systems,
        differences_from_the_record: differences.to_vec(),
    }
}
