//! Verdicts in words and as JSON. The JSON is stable: a change of meaning changes `version`.

use kmodcheck_explore::{End, Sleep};
use kmodcheck_model::Model;
use kmodcheck_model::builtin::Naming;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::sleepers::in_words;
use kmodcheck_properties::verdict::{Answer, Decisions, Trace};
use kmodcheck_properties::{Property, Report, Verdict, told};
use kmodcheck_sim::trace::columns;
use kmodcheck_sim::trace::file::TraceFile;
use schemars::JsonSchema;
use serde::Serialize;

use super::rows::counted;
use super::screen;
use crate::interrupt;

/// One exploration.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReportJson {
    callers: usize,
    symmetry: bool,
    end: &'static str,
    states: u64,
    transitions: u64,
    depth: u32,
    unexpanded: u64,
    words_per_state: usize,
    properties: Vec<AnswerJson>,
    decisions_after_a_lie: DecisionsJson,
    /// Calls that no ordinary step wakes any more; none unless the search is complete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sleepers: Vec<SleeperJson>,
}

#[derive(Serialize, JsonSchema)]
struct SleeperJson {
    /// Until what: `sleeps for ever`, `returns only if somebody is killed`, `returns by a time-out only`.
    call: &'static str,
    /// Steps of the shortest trace to such a call.
    steps: usize,
}

#[derive(Serialize, JsonSchema)]
struct AnswerJson {
    property: &'static str,
    verdict: &'static str,
    /// Steps of the shortest violating trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    /// In how many distinct transitions the premise was met, by branch.
    premise: Vec<BranchJson>,
    /// Only for recorded cells: the mutant under which the same cell is violated.
    #[serde(skip_serializing_if = "Option::is_none")]
    mutant: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct BranchJson {
    branch: &'static str,
    met: u64,
}

#[derive(Serialize, JsonSchema)]
struct DecisionsJson {
    turned_into_an_error: u64,
    accepted_live: u64,
    accepted_absent: u64,
    accepted_going: u64,
    accepted_forming: u64,
    waited_first: u64,
}

impl From<&Decisions> for DecisionsJson {
    fn from(d: &Decisions) -> Self {
        Self {
            turned_into_an_error: d.turned_into_an_error,
            accepted_live: d.accepted_live,
            accepted_absent: d.accepted_absent,
            accepted_going: d.accepted_going,
            accepted_forming: d.accepted_forming,
            waited_first: d.waited_first,
        }
    }
}

/// What the answers of an engine mean.
#[derive(Serialize, JsonSchema)]
pub(crate) struct EngineJson {
    name: &'static str,
    /// Whether a complete search may say that a property holds.
    exhaustive: bool,
    /// Whether no shorter trace shows the same.
    shortest_traces: bool,
    /// Whether a complete search has found who sleeps for ever.
    decides_who_sleeps: bool,
}

/// None for the search that there is unless another is asked for, and for the one that says the same.
pub(crate) fn engine_json(report: &Report) -> Option<EngineJson> {
    let method = report.method;
    let is_usual = ["exhaustive", "timely"].contains(&method.engine);
    (!is_usual).then_some(EngineJson {
        name: method.engine,
        exhaustive: method.exhaustive,
        shortest_traces: method.shortest,
        decides_who_sleeps: method.decides_stuck,
    })
}

/// How a search ended, and how much of it there was.
pub(crate) fn searched(report: &Report) -> String {
    let Report { states, transitions, depth, queue, words, .. } = report;
    let end = match (report.end, report.method.exhaustive) {
        (End::Complete, false) => "nothing left to look at",
        _ => end_word(report),
    };
    let words = counted(*words as u64, "word");
    let counts =
        format!("{end}: {}, {}", counted(*states, "state"), counted(*transitions, "transition"));
    let Some(engine) = engine_json(report) else {
        return format!("{counts}, depth {depth}, {queue} not expanded, {words} a state\n");
    };
    let depth = match engine.exhaustive {
        true => format!(", depth {depth}"),
        false => String::new(),
    };
    let mut says = Vec::new();
    if !engine.exhaustive {
        says.push("it never says that a property holds");
    }
    says.push(match engine.shortest_traces {
        true => "traces are shortest",
        false => "traces need not be shortest",
    });
    let says = format!("engine {}: {}", engine.name, says.join("; "));
    format!("{counts}{depth}, {queue} not expanded\n{}\n", textwrap::fill(&says, columns::WIDTH))
}

/// What the callers of a built-in system call, and what serves the name.
pub(crate) fn call(naming: Naming) -> &'static str {
    match naming {
        Naming::Plain => "request_module(\"ext4\")",
        Naming::FsAndModule => "get_fs_type(\"ext4\"), alias fs-ext4 = fs- + module",
        Naming::FsAndOther => "get_fs_type(\"ext3\"), alias fs-ext3 of module ext4",
    }
}

/// The word for a verdict.
pub(crate) fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::NotApplicable => "not applicable",
        Verdict::NotAsked => "not asked",
        Verdict::Holds { premise_met: true } => "holds",
        Verdict::Holds { premise_met: false } => "vacuous",
        Verdict::Violated(_) => "violated",
        Verdict::OutOfBudget => "out of budget",
        Verdict::NoneFound => "no violation found",
    }
}

/// The word for a verdict of a report, for who reads it: what was cut says by whom. (In JSON the report
/// says that.)
pub(crate) fn said(report: &Report, verdict: &Verdict) -> &'static str {
    match (verdict, report.end) {
        (Verdict::OutOfBudget, End::Interrupted) => end_word(report),
        _ => word(verdict),
    }
}

/// What cut a search of which no more is known.
pub(crate) fn cut() -> &'static str {
    if interrupt::is_set() { "interrupted" } else { "out of budget" }
}

/// The word for how an exploration ended.
pub(crate) fn end_word(report: &Report) -> &'static str {
    how(report.end)
}

/// The same, of how it ended alone.
pub(crate) fn how(end: End) -> &'static str {
    match end {
        End::Complete => "complete",
        End::Violated => "stopped at a violation",
        End::StatesLimit => "states limit",
        End::MemoryLimit => "memory limit",
        End::TimeLimit => "time limit",
        End::Interrupted => "interrupted",
        End::PoolExhausted(_) => "too few helper processes",
    }
}

/// A report as JSON. `mutant`: the recorded mutant of a property, by letter.
pub(crate) fn report_json(
    report: &Report,
    callers: usize,
    mutant: impl Fn(char) -> Option<&'static str>,
) -> ReportJson {
    let properties = report
        .answers
        .iter()
        .map(|Answer { property, verdict, branches }| AnswerJson {
            property: property.name(),
            verdict: word(verdict),
            steps: match verdict {
                Verdict::Violated(trace) => Some(trace.len()),
                _ => None,
            },
            premise: property
                .branches()
                .iter()
                .zip(branches)
                .map(|(branch, met)| BranchJson { branch, met: *met })
                .collect(),
            mutant: mutant(property.letter()),
        })
        .collect();
    ReportJson {
        callers,
        symmetry: report.method.symmetry,
        end: end_word(report),
        states: report.states,
        transitions: report.transitions,
        depth: report.depth,
        unexpanded: report.queue,
        words_per_state: report.words,
        properties,
        decisions_after_a_lie: (&report.decisions).into(),
        sleepers: Sleep::ALL
            .into_iter()
            .filter_map(|sleep| report.asleep(sleep))
            .map(|s| SleeperJson { call: in_words(s.sleep), steps: s.stuck.trace.len() })
            .collect(),
    }
}

/// A trace as JSON: the same form as a saved trace.
pub(crate) fn trace_json(property: Property, scenario: &Scenario, trace: &Trace) -> TraceFile {
    TraceFile::new(property.name(), property.statement(), scenario, trace)
}

/// A trace in columns, with the violated statement under it.
pub(crate) fn trace_text(property: Property, scenario: &Scenario, trace: &Trace) -> String {
    let statement = format!("violates {}: {}", property.name(), property.statement());
    format!(
        "{}\n{}\n",
        columns::render(scenario, trace),
        textwrap::fill(&statement, columns::WIDTH)
    )
}

/// A trace of `width`: what went wrong in it, in a sentence; its columns; and the violated statement under it.
pub(crate) fn told_text(model: &Model, property: Property, trace: &Trace, width: usize) -> String {
    let story = told::violation(model, property, trace);
    let story = story.map_or(String::new(), |story| {
        format!("{}\n\n", screen::fold(&story, "", width).join("\n"))
    });
    let statement = format!("violates {}: {}", property.name(), property.statement());
    let shown = match property {
        Property::NobodySleepsForEver => told::until_seen(model, trace),
        _ => trace.clone(),
    };
    let onward = match shown.len() - trace.len() {
        0 => String::new(),
        more => {
            let steps = if more == 1 { "step".to_owned() } else { format!("{more} steps") };
            let words = format!(
                "(It cannot be undone from step {} on; the last {steps} show it.)",
                trace.len()
            );
            screen::fold(&words, "", width).join("\n") + "\n"
        }
    };
    format!(
        "{story}{}{onward}\n{}\n",
        columns::render_within(model.scenario(), &shown, width),
        screen::fold(&statement, "", width).join("\n")
    )
}
