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

/// What was found of each cell, where it was found of all cells of a system together.
pub(crate) fn by_cell<'a, T>(
    systems: impl IntoIterator<Item = (&'a [GrandCell], &'a T)>,
) -> HashMap<&'a GrandCell, &'a T> {
    let cells = |(cells, found): (&'a [GrandCell], &'a T)| cells.iter().map(move |c| (c, found));
    systems.into_iter().flat_map(cells).collect()
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

/// The systems of one way to ask: the call, and what was found of each. None if nothing was asked for.
pub(crate) fn of_naming(
    layout: Layout,
    entry: &impl Fn(&GrandCell) -> Option<String>,
    environments: &[Environment],
    naming: Naming,
) -> Option<String> {
    let names: Vec<&str> = environments.iter().map(|e| e.name()).collect();
    let entry = |kernel, kmod, column: usize| {
        entry(&GrandCell { environment: environments[column], naming, kernel, kmod })
    };
    let tables = match layout {
        Layout::Wide => {
            let columns: Vec<usize> = (0..names.len()).collect();
            let rows = rows(&entry, &columns);
            if rows.is_empty() {
                Vec::new()
            } else {
                vec![table(rows, &names, one_a_line, usize::MAX)]
            }
        }
        Layout::Fitted(width) => {
            let (lines, columns) = everywhere(&entry, &names, width);
            let names: Vec<&str> = columns.iter().map(|column| names[*column]).collect();
            let entry = |kernel, kmod, column: usize| entry(kernel, kmod, columns[column]);
            let mut tables = fitted(&entry, &names, width);
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
fn everywhere(
    entry: &impl Fn(&'static str, &'static str, usize) -> Option<String>,
    names: &[&str],
    width: usize,
) -> (Option<String>, Vec<usize>) {
    let pairs = || KERNELS.into_iter().flat_map(|kernel| KMODS.map(|kmod| (kernel, kmod)));
    let mut same: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut rest = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let mut said: Vec<String> = Vec::new();
        let mut asked = 0;
        for says in pairs().filter_map(|(kernel, kmod)| entry(kernel, kmod, column)) {
            asked += 1;
            if !said.contains(&says) {
                said.push(says);
            }
        }
        match (&said[..], asked) {
            ([one], 2..) => same.entry(one.clone()).or_default().push(name),
            _ => rest.push(column),
        }
    }
    let line = |(says, names): (&String, &Vec<&str>)| {
        let line = format!("everywhere '{says}': {}", names.join(", "));
        screen::fold(&line, "  ", width).join("\n")
    };
    let lines: Vec<String> = same.iter().map(line).collect();
    ((!lines.is_empty()).then(|| lines.join("\n")), rest)
}

/// As many tables as it takes so that each has room on the screen: some columns each, in which presets that come
/// to the same share a row. Of columns that say the same there is one, with all their names.
pub(crate) fn fitted(
    entry: &impl Fn(&'static str, &'static str, usize) -> Option<String>,
    names: &[&str],
    width: usize,
) -> Vec<String> {
    // Each is asked once, however often the columns are counted.
    let mut known = HashMap::new();
    for kernel in KERNELS {
        for kmod in KMODS {
            for column in 0..names.len() {
                known.insert((kernel, kmod, column), entry(kernel, kmod, column));
            }
        }
    }
    // Columns that say the same of all presets are one.
    let mut columns: Vec<Vec<usize>> = Vec::new();
    for column in 0..names.len() {
        let says = |other: usize| {
            let mut presets = KERNELS.iter().flat_map(|kernel| KMODS.map(|kmod| (*kernel, kmod)));
            presets.all(|(kernel, kmod)| {
                known[&(kernel, kmod, column)] == known[&(kernel, kmod, other)]
            })
        };
        match columns.iter_mut().find(|others| says(others[0])) {
            Some(others) => others.push(column),
            None => columns.push(vec![column]),
        }
    }
    let name = |columns: &Vec<usize>| {
        columns.iter().map(|column| names[*column]).collect::<Vec<_>>().join("\n")
    };
    let names: Vec<String> = columns.iter().map(name).collect();
    let entry = |kernel, kmod, column: usize| known[&(kernel, kmod, columns[column][0])].clone();
    let mut tables = Vec::new();
    let mut from = 0;
    while from < names.len() {
        let some = |many: usize, room: usize| {
            let columns: Vec<usize> = (from..from + many).collect();
            let rows = rows(&entry, &columns);
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
            let longest = known.values().flatten().map(String::len).max().unwrap_or(0);
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
fn rows(
    entry: &impl Fn(&'static str, &'static str, usize) -> Option<String>,
    columns: &[usize],
) -> Vec<Row> {
    let entries = |kernel: &'static str, kmod: &'static str| -> Option<Vec<String>> {
        columns.iter().map(|column| entry(kernel, kmod, *column)).collect()
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
