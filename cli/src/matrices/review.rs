//! `kmodcheck review DIFF --kernel K`: what a patch of the texts changes in the built-in systems, as a page for a mail.

use kmodcheck_explore::Options;
use kmodcheck_model::builtin::Environment;
use kmodcheck_model::event::Claim;
use kmodcheck_model::presets::KMODS;
use kmodcheck_model::text::{Decisions, STATES};
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_properties::review::{Reviewed, review};
use kmodcheck_properties::verdict::Trace;
use kmodcheck_properties::{Property, Verdict};
use serde::Serialize;

use crate::args::{Arguments, Review};
use crate::input::{files, session};
use crate::output::{self, Ended, Failure, bars, screen, word};

/// As wide as a mail.
const WIDTH: usize = 72;

/// One verdict that changes in the same way in some systems.
struct Change<'r> {
    property: Property,
    words: [&'static str; 2],
    systems: Vec<&'r Reviewed>,
}

#[derive(Serialize)]
struct ReviewJson<'a> {
    format: &'static str,
    version: u32,
    kernel: &'a str,
    kmods: Vec<&'a str>,
    /// How many systems there are, and how many were explored.
    systems: usize,
    explored: usize,
    before: &'a Decisions,
    after: &'a Decisions,
    changes: Vec<ChangeJson<'a>>,
    /// Properties that are undecided in some system, a search having been cut.
    undecided: Vec<&'static str>,
}

#[derive(Serialize)]
struct ChangeJson<'a> {
    property: &'static str,
    before: &'static str,
    after: &'static str,
    /// Environment, way to ask, and kmod of each cell.
    cells: Vec<[&'a str; 3]>,
    /// Of the shortest run, where one of them is violated.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Review) -> Result<Ended, Failure> {
    let kernel = asked.kernel;
    let texts = files::patched(&asked.patch)?;
    let before = Decisions::of_kernel(&kernel.features);
    let names: Vec<String> = asked.patch.iter().map(|path| path.display().to_string()).collect();
    let names = names.join(", ");
    let after = texts.decisions(&kernel.features)?;
    let kmods: Vec<&str> =
        KMODS.into_iter().filter(|name| asked.kmod.is_none_or(|kmod| kmod.name == *name)).collect();
    let cells: Vec<GrandCell> = GrandCell::all()
        .into_iter()
        .filter(|cell| cell.kernel == kernel.name && kmods.contains(&cell.kmod))
        .collect();
    let systems = System::of(&cells);
    let bar = bars::bar(systems.len(), "systems");
    let search = Options {
        symmetry: true,
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        ..Options::default()
    };
    let threads = session::threads(arguments);
    bars::announce("review", systems.len(), threads);
    let reviewed = review(&systems, &after, threads, &search, &|| bar.inc(1))?;
    bar.finish_and_clear();

    let cut = |v: &Verdict| matches!(v, Verdict::OutOfBudget | Verdict::NoneFound);
    let mut changes: Vec<Change<'_>> = Vec::new();
    let mut undecided = Vec::new();
    for property in Property::ALL {
        for one in &reviewed {
            let verdicts = one.answers(property).map(|answer| &answer.verdict);
            let words = verdicts.map(word);
            if verdicts.into_iter().any(cut) {
                undecided.push(property.name());
            } else if words[0] != words[1] {
                let same = |c: &&mut Change<'_>| c.property == property && c.words == words;
                match changes.iter_mut().find(same) {
                    Some(change) => change.systems.push(one),
                    None => changes.push(Change { property, words, systems: vec![one] }),
                }
            }
        }
    }
    undecided.dedup();
    let worse = changes.iter().any(|change| change.words[1] == "violated");
    let partly = reviewed.len() < systems.len() || !undecided.is_empty();
    if arguments.json {
        output::print_json(&ReviewJson {
            format: "kmodcheck-review",
            version: 1,
            kernel: kernel.name,
            kmods,
            systems: systems.len(),
            explored: reviewed.len(),
            before: &before,
            after: &after,
            changes: changes.iter().map(Change::json).collect(),
            undecided,
        });
        return Ok(Ended::of(worse, partly));
    }
    let fold = |text: &str| screen::fold(text, "  ", WIDTH).join("\n");
    let of = kmods.join(", ");
    output::print(&fold(&format!(
        "{names} on kernel {}: {} of {} systems of two callers explored, {} cells, kmod {of}",
        kernel.name,
        reviewed.len(),
        systems.len(),
        cells.len(),
    )));
    output::print(&format!("\n{}", tables(&before, &after)));
    if before == after {
        output::print(&fold(
            "\nThe patch changes nothing that this kernel does in the model: every answer is what it was.",
        ));
        return Ok(Ended::of(false, partly));
    }
    if changes.is_empty() {
        output::print("No verdict changes.");
    }
    for (number, change) in (1..).zip(&changes) {
        let [was, is] = change.words;
        output::print(&fold(&format!("[{number}] {}: {was} -> {is}", change.property.name())));
        output::print(&fold(&format!("  {}", change.places())));
    }
    if !undecided.is_empty() {
        output::print(&fold(&format!("undecided, a search was cut: {}", undecided.join(", "))));
    }
    for (number, change) in (1..).zip(&changes) {
        let Some((one, side, trace)) = change.shortest() else { continue };
        let cell = one.system.cells[0];
        let when = if side == 0 { "without the patch" } else { "with the patch" };
        output::print(&format!("\n[{number}] {when}, in {} steps:", trace.len()));
        output::print(&fold(&format!(
            "--env {} --naming {} --kernel {} --kmod {}",
            cell.environment.name(),
            cell.naming.name(),
            cell.kernel,
            cell.kmod
        )));
        let drawn = output::told_text(&one.models[side], change.property, trace, WIDTH);
        output::print(&format!("\n{}", drawn.trim_end()));
    }
    output::print("");
    output::print(&fold(
        "Two callers each, every interleaving; of any number of callers: kmodcheck prove with \
         --patch. The same of one system, with what calls can come to: kmodcheck compare.",
    ));
    Ok(Ended::of(worse, partly))
}

impl<'r> Change<'r> {
    fn cells(&self) -> impl Iterator<Item = &'r GrandCell> + '_ {
        self.systems.iter().flat_map(|one| &one.system.cells)
    }

    /// In which cells, by environment.
    fn places(&self) -> String {
        let all: Vec<String> = Environment::ALL
            .into_iter()
            .filter_map(|environment| {
                let of = self.cells().filter(|cell| cell.environment == environment).count();
                (of > 0).then(|| format!("{} ({of} cells)", environment.name()))
            })
            .collect();
        all.join(", ")
    }

    /// The shortest run to a violation, in which system, and whether it is without the patch (0) or with it.
    fn shortest(&self) -> Option<(&'r Reviewed, usize, &'r Trace)> {
        let runs = self.systems.iter().filter_map(|one| {
            let answers = one.answers(self.property);
            let of = |side: usize| match &answers[side].verdict {
                Verdict::Violated(trace) => Some((*one, side, trace)),
                _ => None,
            };
            of(1).or_else(|| of(0))
        });
        runs.min_by_key(|(.., trace)| trace.len())
    }

    fn json(&self) -> ChangeJson<'r> {
        let [before, after] = self.words;
        let cells = self.cells().map(|c| [c.environment.name(), c.naming.name(), c.kmod]);
        ChangeJson {
            property: self.property.name(),
            before,
            after,
            cells: cells.collect(),
            steps: self.shortest().map(|(.., trace)| trace.len()),
        }
    }
}

/// What is decided otherwise, without the patch and with it.
fn tables(before: &Decisions, after: &Decisions) -> String {
    let claim = |claim: Claim| match claim {
        Claim::Free => "lists its module",
        Claim::Wait => "waits",
        Claim::Exists => "-EEXIST",
        Claim::Busy => "-EBUSY",
    };
    let waited = |of: &Decisions, at: usize| match &of.listed.again {
        None => "as at first",
        Some(again) => claim(again[at]),
    };
    let over = |finished: bool| if finished { "over" } else { "goes on" };
    let mut lines = Vec::new();
    let mut row = |what: String, was: &str, is: &str| {
        if was != is {
            lines.push(format!("  {what:28}{was:21}{is}\n"));
        }
    };
    for (at, state) in STATES.into_iter().enumerate() {
        row(format!("{state}"), claim(before.listed.claim[at]), claim(after.listed.claim[at]));
    }
    for (at, state) in STATES.into_iter().enumerate() {
        row(format!("{state}, after a wait"), waited(before, at), waited(after, at));
    }
    for (at, state) in STATES.into_iter().enumerate() {
        row(
            format!("the wait for {state}"),
            over(before.listed.finished[at]),
            over(after.listed.finished[at]),
        );
    }
    let eexist = |of: &Decisions| if of.eexist_is_error { "another error" } else { "-EEXIST" };
    row("an init's -EEXIST".to_owned(), eexist(before), eexist(after));
    let head = format!("{:30}{:21}after\n", "what is decided", "before");
    if lines.is_empty() { String::new() } else { head + &lines.concat() }
}
