//! `kmodcheck covered`: which steps of the model, and which ways out of them, logs of a real kernel have shown.

use std::collections::BTreeMap;

use kmodcheck_properties::covered::{WayOut, ways_out};
use kmodcheck_sim::scenario_file::Choice;
use kmodcheck_sim::trace::ftrace::{About, Recording};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Arguments, Covered};
use crate::input::{config, files, session};
use crate::output::layout::Layout;
use crate::output::rows::{plain, rows};
use crate::output::{self, Ended, Failure, bars};

/// States of the acceptor for each log.
const STATES: u64 = 200_000;

/// What logs have of a way out.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The log, and how often, where a line shows it.
    shown: Option<(String, usize)>,
    /// A log that has it as a hidden step of the run that explains it.
    filled_in: Option<String>,
}

/// Which steps of the model logs have shown.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CoveredJson<'a> {
    format: &'static str,
    version: u32,
    kernel: &'a str,
    kmod: &'a str,
    logs: Vec<&'a str>,
    /// Logs that are no behaviour of the model.
    refused: &'a [String],
    ways_out: Vec<WayJson<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct WayJson<'a> {
    function: &'static str,
    /// The step, and which way out of it.
    how: &'a str,
    /// A log with a line that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<&'a str>,
    /// A log that has it as a hidden step.
    #[serde(skip_serializing_if = "Option::is_none")]
    filled_in: Option<&'a str>,
    /// A built-in system in which it is taken; none: only a log has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
}

pub(crate) fn run(arguments: &Arguments, asked: &Covered) -> Result<Ended, Failure> {
    let (kernel, kmod) = (asked.kernel.name, asked.kmod.name);
    let choice = Choice { kernel: kernel.to_owned(), kmod: kmod.to_owned(), changes: Vec::new() };
    let features = choice.features()?;
    let index = asked.modules.as_deref().map(files::read_index).transpose()?;
    let config = asked.config.as_deref().map(|path| config::given(path, kmod)).transpose()?;
    let threads = session::threads(arguments);
    let Some(ways) = ways_out(kernel, kmod, threads, session::limits(arguments)) else {
        return Err("out of budget, expected the limits to hold every built-in system".into());
    };
    let mut seen: BTreeMap<WayOut, Seen> = BTreeMap::new();
    let mut refused = Vec::new();
    let names: Vec<String> = asked.logs.iter().map(|path| path.display().to_string()).collect();
    let bar = bars::bar(names.len(), "logs");
    let states = arguments.states_limit.unwrap_or(STATES);
    for (name, path) in names.iter().zip(&asked.logs) {
        let text = files::read(path)?;
        let about = About { index: index.as_ref(), config: config.as_ref(), ..About::default() };
        match Recording::new(name, &text, features, about).and_then(|log| log.decide(states)) {
            Ok(answer) if answer.is_accepted() => {
                for (shown, event) in answer.steps() {
                    let seen = seen.entry(WayOut::of(event)).or_default();
                    match (shown, &mut seen.shown) {
                        (true, Some((_, count))) => *count += 1,
                        (true, none) => *none = Some((name.clone(), 1)),
                        (false, _) => {
                            seen.filled_in.get_or_insert_with(|| name.clone());
                        }
                    }
                }
            }
            Ok(_) => refused.push(format!("{name}: refused")),
            Err(error) if error.is_undecided() => refused.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if arguments.json {
        output::print_json(&json(asked, &names, &refused, &ways, &seen));
    } else {
        print(asked, &names, &refused, &ways, &seen);
    }
    Ok(Ended::of(false, !refused.is_empty()))
}

fn print(
    asked: &Covered,
    names: &[String],
    refused: &[String],
    ways: &BTreeMap<WayOut, String>,
    seen: &BTreeMap<WayOut, Seen>,
) {
    let layout = Layout::of(asked.layout.wide);
    let of = |way: &WayOut| seen.get(way).cloned().unwrap_or_default();
    let shown = ways.keys().filter(|way| of(way).shown.is_some()).count();
    let filled = ways.keys().map(of).filter(|s| s.shown.is_none() && s.filled_in.is_some()).count();
    layout.print(&format!(
        "kernel {}, kmod {}: of {} pairs of a step and a way out of it, which its built-in systems have, {shown} are shown \
         by a line of {} logs, {filled} more are steps that such a log hides, {} were never seen.",
        asked.kernel.name,
        asked.kmod.name,
        ways.len(),
        names.len() - refused.len(),
        ways.len() - shown - filled
    ));
    for refused in refused {
        layout.print(&format!("not counted: {refused}"));
    }
    let mut lines = Vec::new();
    for (way, system) in ways {
        let said = match of(way) {
            Seen { shown: Some((log, 1)), .. } => format!("in {}", short(&log)),
            Seen { shown: Some((log, count)), .. } => {
                format!("{count} times, as in {}", short(&log))
            }
            Seen { filled_in: Some(log), .. } => format!("hidden, as in {}", short(&log)),
            Seen { .. } => format!("never; {system} has it"),
        };
        lines.push([way.function.to_owned(), way.how.clone(), said].map(plain));
    }
    let width = match layout {
        Layout::Wide => usize::MAX,
        Layout::Fitted(width) => width,
    };
    output::print("");
    for line in rows(["step", "way out", "seen"], &lines, &[], width) {
        output::print(&line);
    }
    let only: Vec<&WayOut> = seen.keys().filter(|way| !ways.contains_key(way)).collect();
    if !only.is_empty() {
        layout.print("\nIn logs, and in no built-in system of these releases:");
        for way in only {
            layout.print(&format!("- {}: {}", way.function, way.how));
        }
    }
}

/// A file's name alone.
fn short(log: &str) -> &str {
    log.rsplit('/').next().unwrap_or(log)
}

fn json<'a>(
    asked: &'a Covered,
    names: &'a [String],
    refused: &'a [String],
    ways: &'a BTreeMap<WayOut, String>,
    seen: &'a BTreeMap<WayOut, Seen>,
) -> CoveredJson<'a> {
    let all: std::collections::BTreeSet<&WayOut> = ways.keys().chain(seen.keys()).collect();
    let way = |way: &'a WayOut| {
        let found = seen.get(way);
        WayJson {
            function: way.function,
            how: &way.how,
            shown: found.and_then(|seen| seen.shown.as_ref()).map(|(log, _)| log.as_str()),
            filled_in: found.and_then(|seen| seen.filled_in.as_deref()),
            system: ways.get(way).map(String::as_str),
        }
    };
    CoveredJson {
        format: "kmodcheck-covered",
        version: 1,
        kernel: asked.kernel.name,
        kmod: asked.kmod.name,
        logs: names.iter().map(String::as_str).collect(),
        refused,
        ways_out: all.into_iter().map(way).collect(),
    }
}
