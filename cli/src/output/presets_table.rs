//! The tables of systems that are made of presets: a row for each class of presets that come to the same, a
//! column for each environment.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::presets::{KERNELS, KMODS};
use kmodcheck_properties::Verdict;
use kmodcheck_properties::grand::GrandCell;

use crate::output::layout::{Layout, coloured};
use crate::output::{self, Ended, screen};

/// How a command ends that compares systems with a record; says how many were cut.
pub(crate) fn ended(systems: usize, cut: usize, differs: bool) -> Ended {
    if cut > 0 {
        let complete = systems - cut;
        crate::output::note!(
            "kmodcheck: {}: {complete} of {systems} systems explored to the end, {cut} cut",
            output::cut()
        );
    }
    Ended::of(differs, cut > 0)
}

/// The environments of some systems, after a word on what each assumes. `counted`: with how many callers.
pub(crate) fn environments<'a>(
    layout: Layout,
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
        layout.print(&format!("  {name:13} {callers}{assumes}"));
    }
    if layout != Layout::Wide {
        layout.print(
            "\nIn the tables 'a .. b' is every preset from a to b, as `kmodcheck features` lists them. What is the \
             same everywhere is in no table; --wide prints all.",
        );
    }
    environments
}

/// What was found of each cell that is wanted, where it was found of all cells of a system together.
pub(crate) fn by_cell<'a, T>(
    systems: impl IntoIterator<Item = (&'a [GrandCell], &'a T)>,
    wanted: impl Fn(&GrandCell) -> bool,
) -> HashMap<&'a GrandCell, &'a T> {
    let cells = |(cells, found): (&'a [GrandCell], &'a T)| cells.iter().map(move |c| (c, found));
    systems.into_iter().flat_map(cells).filter(|(cell, _)| wanted(cell)).collect()
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

/// What is said in one column of each kernel with each kmod, in their order; nothing of those that are not asked for.
pub(crate) type Column = Vec<Option<String>>;

fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
    KERNELS.into_iter().flat_map(|kernel| KMODS.map(|kmod| (kernel, kmod)))
}

/// A column with these entries.
pub(crate) fn column(entry: impl Fn(&'static str, &'static str) -> Option<String>) -> Column {
    presets().map(|(kernel, kmod)| entry(kernel, kmod)).collect()
}

/// The systems of one way to ask: the call, and what was found of each. None if nothing was asked for.
pub(crate) fn of_naming(
    layout: Layout,
    entry: &impl Fn(&GrandCell) -> Option<String>,
    environments: &[Environment],
    naming: Naming,
) -> Option<String> {
    let names: Vec<&str> = environments.iter().map(|e| e.name()).collect();
    let columns: Vec<Column> = environments
        .iter()
        .map(|&environment| {
            column(|kernel, kmod| entry(&GrandCell { environment, naming, kernel, kmod }))
        })
        .collect();
    let tables = match layout {
        Layout::Wide => {
            let rows = rows(&columns.iter().collect::<Vec<_>>());
            if rows.is_empty() {
                Vec::new()
            } else {
                vec![table(rows, &names, one_a_line, usize::MAX)]
            }
        }
        Layout::Fitted(width) => {
            let (lines, rest) = everywhere(&columns, &names, width);
            let names: Vec<&str> = rest.iter().map(|column| names[*column]).collect();
            let columns: Vec<&Column> = rest.iter().map(|column| &columns[*column]).collect();
            let mut tables = fitted(&columns, &names, width);
            tables.extend(lines);
            tables
        }
    };
    // Where there are several tables it is seen which go together.
    let before = if layout == Layout::Wide { "" } else { "\n" };
    let call = output::call(naming);
    (!tables.is_empty()).then(|| format!("{before}{call}\n{}", tables.join("\n\n")))
}

/// Of the columns that say one thing whatever the presets, that, in lines; and the others, which are worth a table. What is
/// asked of one kernel with one kmod is told in a table.
fn everywhere(columns: &[Column], names: &[&str], width: usize) -> (Option<String>, Vec<usize>) {
    let mut same: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut rest = Vec::new();
    for (number, (column, name)) in columns.iter().zip(names).enumerate() {
        let said: Vec<&String> = column.iter().flatten().collect();
        match said[..] {
            [one, _, ..] if said.iter().all(|says| *says == one) => {
                same.entry(one).or_default().push(name);
            }
            _ => rest.push(number),
        }
    }
    let line = |(says, names): (&&str, &Vec<&str>)| {
        let line = format!("everywhere '{says}': {}", names.join(", "));
        screen::fold(&line, "  ", width).join("\n")
    };
    let lines: Vec<String> = same.iter().map(line).collect();
    ((!lines.is_empty()).then(|| lines.join("\n")), rest)
}

/// As many tables as it takes so that each has room on the screen: some columns each, in which presets that come
/// to the same share a row. Of columns that say the same there is one, with all their names.
pub(crate) fn fitted(columns: &[&Column], names: &[&str], width: usize) -> Vec<String> {
    // Columns that say the same of all presets are one.
    let mut distinct: Vec<(&Column, String)> = Vec::new();
    for (column, name) in columns.iter().zip(names) {
        match distinct.iter_mut().find(|(other, _)| other == column) {
            Some((_, names)) => *names += &format!("\n{name}"),
            None => distinct.push((column, (*name).to_owned())),
        }
    }
    let (columns, names): (Vec<&Column>, Vec<String>) = distinct.into_iter().unzip();
    let mut tables = Vec::new();
    let mut from = 0;
    while from < names.len() {
        let some = |many: usize, room: usize| {
            let rows = rows(&columns[from..from + many]);
            (!rows.is_empty()).then(|| table(rows, &names[from..from + many], in_ranges, room))
        };
        let over = |table: &Option<String>| {
            let first = table.as_ref().and_then(|table| table.lines().next());
            first.map_or(0, |line| line.chars().count().saturating_sub(width))
        };
        let mut many = names.len() - from;
        let mut table = some(many, usize::MAX);
        while many > 1 && over(&table) > 0 {
            many -= 1;
            table = some(many, usize::MAX);
        }
        if over(&table) > 0 {
            // Not even one has room as it is.
            let entries = columns.iter().copied().flatten().flatten();
            let longest = entries.map(String::len).max().unwrap_or(0);
            table = some(1, longest.saturating_sub(over(&table)).max(LEAST));
        }
        tables.extend(table);
        from += many;
    }
    tables
}

/// Presets, kernel and kmod, with their entry in each column.
type Row = (Vec<(&'static str, &'static str)>, Vec<String>);

/// How the presets of a row are written, and which there are of their side.
type Written = fn(&[&'static str], &[&'static str]) -> String;

fn one_a_line(presets: &[&'static str], _: &[&'static str]) -> String {
    presets.join("\n")
}

/// Widest column of presets: 'v4.9+wait-and-verify,' is the widest word in it.
const PRESETS: usize = 21;

/// Into less no entry is folded.
const LEAST: usize = 10;

fn in_ranges(presets: &[&'static str], all: &[&'static str]) -> String {
    let ranges = ranges(all, |preset| presets.contains(&preset)).join(", ");
    screen::fold(&ranges, "", PRESETS).join("\n")
}

/// The presets of a side that are wanted, in their order; runs of three or more shortened.
pub(crate) fn ranges(all: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let run = all[at..].iter().take_while(|preset| wanted(preset)).count();
        match run {
            0 => {}
            1 | 2 => words.extend(all[at..at + run].iter().map(|preset| (*preset).to_owned())),
            _ => words.push(format!("{} .. {}", all[at], all[at + run - 1])),
        }
        at += run.max(1);
    }
    words
}

/// A table of some columns, with entries at most `room` wide.
fn table(rows: Vec<Row>, names: &[impl AsRef<str>], written: Written, room: usize) -> String {
    let mut table =
        output::table(["kernel", "kmod"].into_iter().chain(names.iter().map(AsRef::as_ref)));
    for (presets, entries) in rows {
        let mut kernels: Vec<&str> = presets.iter().map(|p| p.0).collect();
        let kmods: BTreeSet<usize> =
            presets.iter().filter_map(|p| KMODS.iter().position(|k| *k == p.1)).collect();
        kernels.dedup();
        let kmods: Vec<&str> = kmods.into_iter().map(|k| KMODS[k]).collect();
        let mut row = vec![written(&kernels, &KERNELS), written(&kmods, &KMODS)];
        row.extend(entries.into_iter().map(|entry| match room {
            usize::MAX => entry,
            room => screen::fold(&entry, "", room).join("\n"),
        }));
        table.add_row(row);
    }
    coloured(&table.to_string())
}

/// Presets whose entries are the same in each of some columns, with those entries. Kernels and kmods of
/// one row are every combination of the two.
fn rows(columns: &[&Column]) -> Vec<Row> {
    let entries = |at: usize| -> Option<Vec<String>> {
        columns.iter().map(|column| column[at].clone()).collect()
    };
    // First kmods that agree on a kernel, then kernels that agree on all of these.
    type Class = (Vec<&'static str>, Vec<String>);
    let mut by_kernel: Vec<(&'static str, Vec<Class>)> =
        KERNELS.map(|kernel| (kernel, Vec::new())).into();
    for (at, (_, kmod)) in presets().enumerate() {
        let Some(entries) = entries(at) else { continue };
        let classes = &mut by_kernel[at / KMODS.len()].1;
        match classes.iter_mut().find(|(_, e)| *e == entries) {
            Some((kmods, _)) => kmods.push(kmod),
            None => classes.push((vec![kmod], entries)),
        }
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
