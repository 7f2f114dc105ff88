//! `kmodcheck matrix`: the grand matrix.

use std::collections::BTreeSet;

use comfy_table::{ContentArrangement, Table, presets as styles};
use kmodcheck_explore::End;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::presets::{KERNELS, KMODS};
use kmodcheck_properties::grand::{self, GrandCell, System, SystemReport};
use kmodcheck_properties::recorded::{self, Compared, GRAND};
use kmodcheck_properties::{Property, Verdict};
use serde::Serialize;

use crate::args::{Arguments, Matrix};
use crate::{Ended, Failure, options, output, progress};

pub(crate) fn run(arguments: &Arguments, matrix: &Matrix) -> Result<Ended, Failure> {
    let wanted = |cell: &GrandCell| wants(matrix, cell);
    // Systems are those of the whole matrix, so that the record has a line for each.
    let systems: Vec<System> = System::of(&GrandCell::all())
        .into_iter()
        .filter(|system| system.cells.iter().any(wanted))
        .collect();
    let count = systems.len();
    let limits = options::limits(arguments);
    let bar = progress::bar(count);
    let threads = options::threads(arguments);
    let reports = grand::run(systems, threads, limits, options::interrupt(), &|_| bar.inc(1));
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
            output::print(&format!("differs from the record: {line}"));
        }
    }
    Ok(ended(count, cut, !differences.is_empty()))
}

/// How a command ends that compares systems with a record; says how many were cut.
pub(crate) fn ended(systems: usize, cut: usize, differs: bool) -> Ended {
    if cut > 0 {
        let complete = systems - cut;
        crate::output::note!(
            "kmodcheck: out of budget: {complete} of {systems} systems explored to the end, {cut} cut"
        );
    }
    Ended::of(differs, cut > 0)
}

/// The environments of some systems, after a word on what each assumes. `counted`: with how many callers.
pub(crate) fn environments<'a>(
    systems: impl Iterator<Item = &'a [GrandCell]> + Clone,
    counted: bool,
) -> Vec<Environment> {
    let environments: Vec<Environment> = Environment::ALL
        .into_iter()
        .filter(|e| systems.clone().any(|cells| cells[0].environment == *e))
        .collect();
    output::print("The environments, and what each assumes:");
    for environment in &environments {
        let callers =
            if counted { format!("N={}  ", environment.callers()) } else { String::new() };
        let (name, assumes) = (environment.name(), environment.assumes());
        output::print(&format!("  {name:13} {callers}{assumes}"));
    }
    environments
}

/// Whether the arguments ask for the cell.
pub(crate) fn wants(matrix: &Matrix, cell: &GrandCell) -> bool {
    matrix.kernel.as_ref().is_none_or(|k| k == cell.kernel)
        && matrix.kmod.as_ref().is_none_or(|k| k == cell.kmod)
        && matrix.env.as_ref().is_none_or(|e| e == cell.environment.name())
        && matrix.naming.as_ref().is_none_or(|n| n == cell.naming.name())
}

/// The properties asked for.
pub(crate) fn properties(matrix: &Matrix) -> Vec<Property> {
    match matrix.property {
        Some(property) => vec![property],
        // Nobody listens for uevents in these environments.
        None => Property::of_built_in_systems().collect(),
    }
}

/// A verdict as an entry of a table.
pub(crate) fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::NotApplicable => "-".to_owned(),
        Verdict::Holds { premise_met: true } => "holds".to_owned(),
        Verdict::Holds { premise_met: false } => "vacuous".to_owned(),
        Verdict::Violated(trace) => format!("{} steps", trace.len()),
        Verdict::OutOfBudget | Verdict::NoneFound | Verdict::NotAsked => "?".to_owned(),
    }
}

fn print(matrix: &Matrix, reports: &[SystemReport], wanted: &impl Fn(&GrandCell) -> bool) {
    let environments = environments(reports.iter().map(|r| &r.system.cells[..]), true);
    output::print(
        "\nEvery state of every system, up to exchanging callers; sequentially consistent. A number\n\
         of steps is that of the shortest trace that violates the property; 'vacuous': its premise\n\
         never occurred; '?': out of budget. Presets that come to the same share a row.",
    );
    let single = reports.len() == 1;
    for property in properties(matrix) {
        output::print(&format!("\n{}: {}", property.name(), property.statement()));
        for naming in Naming::ALL {
            let entry = |cell: &GrandCell| {
                let report = reports.iter().find(|r| r.system.cells.contains(cell))?;
                wanted(cell).then(|| short(&report.report.answer(property).verdict))
            };
            let rows = rows(&entry, &environments, naming);
            if rows.is_empty() {
                continue;
            }
            output::print(&table(rows, &environments, naming));
        }
    }
    if single {
        for answer in &reports[0].report.answers {
            if let Verdict::Violated(trace) = &answer.verdict
                && properties(matrix).contains(&answer.property)
            {
                let text = output::trace_text(answer.property, &reports[0].system.scenario, trace);
                output::print(&format!("\n{text}"));
            }
        }
    } else {
        output::print(
            "\nFor the traces of one cell: --kernel K --kmod M --env E --naming N [--property P]",
        );
    }
}

/// Presets, kernel and kmod, with their entry in each environment.
pub(crate) type Row = (Vec<(&'static str, &'static str)>, Vec<String>);

/// The rows of one way to ask, as a table with the call above it.
pub(crate) fn table(rows: Vec<Row>, environments: &[Environment], naming: Naming) -> String {
    let call = match naming {
        Naming::Plain => "request_module(\"ext4\")",
        Naming::FsAndModule => "get_fs_type(\"ext4\"), alias fs-ext4 = fs- + module",
        Naming::FsAndOther => "get_fs_type(\"ext3\"), alias fs-ext3 of module ext4",
    };
    let mut table = Table::new();
    table.load_preset(styles::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let mut header = vec!["kernel".to_owned(), "kmod".to_owned()];
    header.extend(environments.iter().map(|e| e.name().to_owned()));
    table.set_header(header);
    for (presets, entries) in rows {
        let mut kernels: Vec<&str> = presets.iter().map(|p| p.0).collect();
        let kmods: BTreeSet<usize> =
            presets.iter().filter_map(|p| KMODS.iter().position(|k| *k == p.1)).collect();
        kernels.dedup();
        let kmods: Vec<&str> = kmods.into_iter().map(|k| KMODS[k]).collect();
        let mut row = vec![kernels.join("\n"), kmods.join("\n")];
        row.extend(entries);
        table.add_row(row);
    }
    format!("{call}\n{table}")
}

/// Presets whose entries are the same in every environment, with those entries. Kernels and kmods of
/// one row are every combination of the two.
pub(crate) fn rows(
    entry: &impl Fn(&GrandCell) -> Option<String>,
    environments: &[Environment],
    naming: Naming,
) -> Vec<Row> {
    let entries = |kernel: &'static str, kmod: &'static str| -> Option<Vec<String>> {
        let cells =
            environments.iter().map(|&environment| GrandCell { environment, naming, kernel, kmod });
        cells.map(|cell| entry(&cell)).collect()
    };
    // First kmods that agree on a kernel, then kernels that agree on all of these.
    type Class = (Vec<&'static str>, Vec<String>);
    let mut by_kernel: Vec<(&'static str, Vec<Class>)> = Vec::new();
    for kernel in KERNELS {
        let mut classes: Vec<Class> = Vec::new();
        for kmod in KMODS {
            let Some(entries) = entries(kernel, kmod) else { continue };
            match classes.iter_mut().find(|(_, e)| *e == entries) {
                Some((kmods, _)) => kmods.push(kmod),
                None => classes.push((vec![kmod], entries)),
            }
        }
        by_kernel.push((kernel, classes));
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for (kernel, classes) in &by_kernel {
        if done.contains(kernel) {
            continue;
        }
        let same: Vec<&'static str> =
            by_kernel.iter().filter(|(_, c)| c == classes).map(|(k, _)| *k).collect();
        done.extend(&same);
        for (kmods, entries) in classes {
            let presets = same.iter().flat_map(|k| kmods.iter().map(move |m| (*k, *m))).collect();
            rows.push((presets, entries.clone()));
        }
    }
    rows
}

#[derive(Serialize)]
struct GrandJson {
    format: &'static str,
    version: u32,
    systems: Vec<SystemJson>,
    differences_from_the_record: Vec<String>,
}

#[derive(Serialize)]
struct SystemJson {
    environment: &'static str,
    assumes: &'static str,
    naming: &'static str,
    /// The presets, kernel and kmod, that are this system.
    presets: Vec<[&'static str; 2]>,
    report: output::ReportJson,
    traces: Vec<TraceJson>,
}

#[derive(Serialize)]
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
    let properties = properties(matrix);
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
