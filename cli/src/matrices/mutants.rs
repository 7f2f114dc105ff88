//! `kmodcheck mutants`: what the properties see of each statement of the texts.

use std::collections::BTreeMap;

use kmodcheck_explore::Options;
use kmodcheck_model::text::TEXTS;
use kmodcheck_properties::Property;
use kmodcheck_properties::grand::GrandCell;
use kmodcheck_properties::mutants::{Changed, Fault, Outcome, faults, outcomes};
use kmodcheck_sim::scenario_file::Expected;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Arguments, Mutants};
use crate::input::session;
use crate::output::{self, Ended, Failure, bars, screen};

/// As wide as a mail.
const WIDTH: usize = 72;

/// Who sees which fault of the functions that are texts.
#[derive(Serialize, JsonSchema)]
pub(crate) struct MutantsJson<'a> {
    format: &'static str,
    version: u32,
    kernels: Vec<&'a str>,
    kmods: Vec<&'a str>,
    /// How many faults there are, and how many were tried.
    faults: usize,
    tried: usize,
    mutants: Vec<MutantJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct MutantJson<'a> {
    text: &'static str,
    line: usize,
    function: &'a str,
    what: &'a str,
    how: &'static str,
    /// `refused`, `same`, `unseen` (something else is decided, and no verdict changes), `seen`.
    outcome: &'static str,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    changes: Vec<ChangeJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct ChangeJson<'a> {
    property: &'static str,
    before: &'static str,
    after: &'static str,
    /// Environment, way to ask, kernel and kmod of each cell.
    cells: Vec<[&'a str; 4]>,
    /// The fewest states in which that is seen.
    states: u64,
}

pub(crate) fn run(arguments: &Arguments, asked: &Mutants) -> Result<Ended, Failure> {
    let mut faults = faults();
    if let Some(file) = &asked.file {
        if !TEXTS.iter().any(|(path, _)| path == file) {
            let known = TEXTS.map(|(path, _)| path).join(", ");
            return Err(format!("found text '{file}', expected one of {known}").into());
        }
        faults.retain(|fault| fault.path == file);
    }
    let kernels: Vec<&str> = asked.kernel.iter().map(|kernel| kernel.name).collect();
    let kmods: Vec<&str> = asked.kmod.iter().map(|kmod| kmod.name).collect();
    let kernels = if kernels.is_empty() { vec!["v6.2", "v6.5"] } else { kernels };
    let kmods = if kmods.is_empty() { vec!["v34.2"] } else { kmods };
    let cells: Vec<GrandCell> = GrandCell::all()
        .into_iter()
        .filter(|cell| kernels.contains(&cell.kernel) && kmods.contains(&cell.kmod))
        .collect();
    let bar = bars::bar(faults.len(), "faults");
    let search = Options {
        symmetry: true,
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        ..Options::default()
    };
    let threads = session::threads(arguments);
    bars::announce("mutants", faults.len(), threads);
    let outcomes = outcomes(&faults, &cells, threads, &search, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let tried: Vec<(&Fault, &Outcome)> = faults.iter().zip(&outcomes).collect();
    let partly = tried.len() < faults.len();
    if arguments.json {
        output::print_json(&MutantsJson {
            format: "kmodcheck-mutants",
            version: 1,
            kernels,
            kmods,
            faults: faults.len(),
            tried: tried.len(),
            mutants: tried.iter().map(|(fault, outcome)| json(fault, outcome)).collect(),
        });
        return Ok(Ended::of(false, partly));
    }
    let fold = |text: &str| output::print(&screen::fold(text, "  ", WIDTH).join("\n"));
    fold(&format!(
        "{} of {} faults tried, each in {} cells: kernel {}, kmod {}",
        tried.len(),
        faults.len(),
        cells.len(),
        kernels.join(", "),
        kmods.join(", ")
    ));
    let count = |word: &str| tried.iter().filter(|(_, outcome)| kind(outcome) == word).count();
    fold(&format!(
        "{} change a verdict; {} decide something else that no property sees; {} decide what was decided; {} \
         have no place in the model and are refused",
        count("seen"),
        count("unseen"),
        count("same"),
        count("refused")
    ));
    for (path, _) in TEXTS {
        let shown = |outcome: &Outcome| asked.every || ["seen", "unseen"].contains(&kind(outcome));
        let of = tried.iter().filter(|(fault, outcome)| fault.path == path && shown(outcome));
        let of: Vec<_> = of.collect();
        if of.is_empty() {
            continue;
        }
        output::print(&format!("\n{path}"));
        for (fault, outcome) in of {
            fold(&format!(
                "  {}: {} {}: {}",
                fault.line,
                quoted(&fault.what),
                fault.operator.name(),
                in_words(outcome)
            ));
        }
    }
    output::print("\nwhat violates each property that holds, in the fewest states:");
    for (property, found) in cheapest(&tried) {
        let words = match found {
            Some((fault, changed)) => format!(
                "{}:{}: {} {} ({} states, {})",
                fault.path,
                fault.line,
                quoted(&fault.what),
                fault.operator.name(),
                changed.states,
                changed.cells[0].environment.name()
            ),
            None => "none of these".to_owned(),
        };
        fold(&format!("  {}: {words}", property.name()));
    }
    Ok(Ended::of(false, partly))
}

fn quoted(what: &str) -> String {
    let short: String = what.chars().take(40).collect();
    if short.len() < what.len() { format!("'{short}...'") } else { format!("'{what}'") }
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(_) => "refused",
        Outcome::Same => "same",
        Outcome::Changes(all) if all.is_empty() => "unseen",
        Outcome::Changes(_) => "seen",
    }
}

fn word(fared: Expected) -> &'static str {
    match fared {
        Expected::Holds => "holds",
        Expected::Violated => "violated",
        Expected::Vacuous => "vacuous",
    }
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(why) => format!("refused: {why}"),
        Outcome::Same => "decides the same".to_owned(),
        Outcome::Changes(all) if all.is_empty() => "none".to_owned(),
        Outcome::Changes(all) => {
            let violated = |side: usize| {
                let names = Property::ALL.into_iter().filter_map(|property| {
                    let so = |c: &&Changed| {
                        c.property == property && c.fared[side] == Expected::Violated
                    };
                    let cells: usize = all.iter().filter(so).map(|c| c.cells.len()).sum();
                    (cells > 0).then(|| format!("{} ({cells})", property.name()))
                });
                names.collect::<Vec<_>>().join(", ")
            };
            let (ends, violates) = (violated(0), violated(1));
            match (violates.is_empty(), ends.is_empty()) {
                (true, true) => "only premises are met more, or less".to_owned(),
                (false, true) => format!("violates {violates}"),
                (true, false) => format!("ends {ends}"),
                (false, false) => format!("violates {violates}; ends {ends}"),
            }
        }
    }
}

/// By property: the fault that violates it, where it held, in the fewest states.
fn cheapest<'t>(
    tried: &[(&'t Fault, &'t Outcome)],
) -> BTreeMap<Property, Option<(&'t Fault, &'t Changed)>> {
    let mut all: BTreeMap<Property, Option<(&Fault, &Changed)>> =
        Property::ALL.into_iter().map(|p| (p, None)).collect();
    for (fault, outcome) in tried {
        let Outcome::Changes(changes) = outcome else { continue };
        for changed in changes.iter().filter(|c| c.fared == [Expected::Holds, Expected::Violated]) {
            let known = all.entry(changed.property).or_default();
            if known.is_none_or(|(_, other)| changed.states < other.states) {
                *known = Some((fault, changed));
            }
        }
    }
    all
}

fn json<'a>(fault: &'a Fault, outcome: &'a Outcome) -> MutantJson<'a> {
    let changes: &[Changed] = match outcome {
        Outcome::Changes(all) => all,
        _ => &[],
    };
    let changes = changes.iter().map(|changed| {
        let [before, after] = changed.fared.map(word);
        let cells = changed.cells.iter().map(GrandCell::names);
        ChangeJson {
            property: changed.property.name(),
            before,
            after,
            cells: cells.collect(),
            states: changed.states,
        }
    });
    MutantJson {
        text: fault.path,
        line: fault.line,
        function: &fault.function,
        what: &fault.what,
        how: fault.operator.name(),
        outcome: kind(outcome),
        refused: match outcome {
            Outcome::Refused(why) => Some(why),
            _ => None,
        },
        changes: changes.collect(),
    }
}
