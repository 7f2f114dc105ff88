//! The tables of systems that are made of presets: a row for each class of presets that come to the same, a
//! column for each environment.

use std::collections::BTreeSet;

use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::presets::{KERNELS, KMODS};
use kmodcheck_properties::Verdict;
use kmodcheck_properties::grand::GrandCell;

use crate::output::{self, Ended};

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

/// Presets, kernel and kmod, with their entry in each environment.
pub(crate) type Row = (Vec<(&'static str, &'static str)>, Vec<String>);

/// The rows of one way to ask, as a table with the call above it.
pub(crate) fn table(rows: Vec<Row>, environments: &[Environment], naming: Naming) -> String {
    let mut header = vec!["kernel".to_owned(), "kmod".to_owned()];
    header.extend(environments.iter().map(|e| e.name().to_owned()));
    let mut table = output::table(header);
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
    format!("{}\n{table}", output::call(naming))
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
