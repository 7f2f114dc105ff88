//! One system, checked: what was found, for people and for machines.

use std::collections::BTreeMap;

use kmodcheck_explore::{Limits, Options};
use kmodcheck_model::presets::SWITCHES;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{History, Model};
use kmodcheck_properties::faults::{self, Faults};
use kmodcheck_properties::verdict::{Answer, AskedAnswer, Trace};
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, Report, Verdict, minimal};
use kmodcheck_sim::scenario_file::Expected;
use kmodcheck_sim::trace::witness::WitnessFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::scale::Engine;
use crate::args::{Arguments, Check};
use crate::explore::check_text::{Run, Text};
use crate::explore::checked::Checked;
use crate::explore::engine;
use crate::explore::junit::{Case, Fared};
use crate::input::{files, session};
use crate::output::rows::counted;
use crate::output::{self, Ended, Failure, assumed, bars, results, screen};

/// What `check` has found of one system.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CheckJson<'a> {
    format: &'static str,
    version: u32,
    /// The system, resolved.
    scenario: &'a Scenario,
    /// The release that its switches come from.
    kernel: &'a str,
    kmod: &'a str,
    /// Every switch and its value.
    switches: BTreeMap<&'static str, &'static str>,
    /// What every verdict takes for granted, in words.
    assumed: Vec<String>,
    /// What no scenario can have.
    not_modelled: &'static [&'static str],
    /// What a reader should know of how names were resolved.
    notes: &'a [String],
    report: output::ReportJson,
    /// What the answers of the engine mean; not of the search that there is without --engine, nor of timely,
    /// which says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<output::EngineJson>,
    /// Each judged property, and whether it fared as expected.
    expected: Vec<ExpectedJson>,
    /// What the scenario itself asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked: Vec<AskedJson>,
    /// Of the first judged property that is violated, or of --property: as the explorer has found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<kmodcheck_sim::trace::file::TraceFile>,
    /// With --faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<FaultsJson>,
    /// For each actor what its call can come to; unless `report.end` is `complete`, what was seen.
    results: Vec<results::ResultsJson>,
    /// What --witness asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessFile>,
}

#[derive(Serialize, JsonSchema)]
struct FaultsJson {
    /// How many were put in.
    faults: usize,
    /// Whether none of these searches was cut.
    complete: bool,
    held: Vec<HeldJson>,
}

#[derive(Serialize, JsonSchema)]
struct HeldJson {
    property: String,
    /// `null`: none violates it.
    violated_by: Option<String>,
}

impl From<&Faults> for FaultsJson {
    fn from(found: &Faults) -> Self {
        let held = found.tried.iter().map(|tried| HeldJson {
            property: tried.name.clone(),
            violated_by: tried.violated_by.as_ref().map(ToString::to_string),
        });
        Self { faults: found.faults, complete: found.complete, held: held.collect() }
    }
}

#[derive(Serialize, JsonSchema)]
struct AskedJson {
    property: String,
    statement: String,
    /// `holds`, `violated` or `out of budget`; of one that some state is so, whether that is so.
    verdict: &'static str,
    /// Steps of a shortest run that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    /// `null`: that it holds.
    expected: Option<&'static str>,
    /// `null`: undecided.
    as_expected: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct ExpectedJson {
    property: &'static str,
    /// `null`: not violated.
    expected: Option<&'static str>,
    /// `null`: undecided.
    as_expected: Option<bool>,
}

/// One system, and what was found of it.
pub(super) struct One {
    checked: Checked,
    model: Model,
    report: Report,
    /// The trace that is shown, and saved.
    shown: Option<(Property, Trace)>,
    /// What --witness asks for, or what shows what the scenario asks itself.
    witness: Option<(WitnessFile, Witness, Trace)>,
    faults: Option<Faults>,
}

/// Reads a system, with all that has to be remembered of it.
pub(super) fn read(asked: &Check, name: Option<&str>) -> Result<(Checked, Model), Failure> {
    let checked = Checked::new(asked, name)?;
    let mut model = checked.subject.model()?;
    // What is asked for is remembered, too.
    let premise = asked.witness.as_deref().and_then(|witness| witness.split_once(':'));
    let premise = premise.and_then(|(name, _)| Property::from_name(name.trim()));
    if checked.judged.iter().chain(&premise).any(|property| property.reads_failures()) {
        model = model.remembering(History::Both)?;
    }
    Ok((checked, model))
}

/// Searches it; none in a process that only helps another.
pub(super) fn search(
    arguments: &Arguments,
    asked: &Check,
    (checked, model): (Checked, Model),
) -> Result<Option<One>, Failure> {
    let limits = session::limits(arguments);
    let spinner = bars::spinner();
    let describe = |p| spinner.set_message(bars::describe(p));
    let search = Options {
        symmetry: !asked.no_symmetry,
        follow_all: asked.follow_all,
        limits,
        interrupt: Some(session::interrupt()),
        progress: Some(&describe),
        threads: session::threads(arguments),
        // Who only looks for violations looks for what was asked, and ends when it has that.
        stop_when_violated: match asked.engine.engine {
            Engine::Directed => checked.wanted(asked.property),
            _ => 0,
        },
        ..Options::default()
    };
    // Only one of several processes has the result.
    let Some(report) = engine::check(&model, &search, &asked.engine)? else { return Ok(None) };
    spinner.finish_and_clear();
    // JSON has what the explorer has found.
    let raw = asked.raw_trace || arguments.json;
    let nodes = nodes(&limits);
    let shown = shown(asked, &checked, &report).map(|(property, trace)| match raw {
        true => (property, trace),
        false => {
            let shortest = report.method.shortest;
            (property, minimal::with_few_switches(&model, property, &trace, shortest, nodes))
        }
    });
    let search = Options { progress: None, ..search };
    let witness = match &asked.witness {
        Some(text) => results::witness(&model, &report, text, &search)?,
        // What a scenario asks itself is what its writer wants to know.
        None if asked.property.is_none() => by_itself(&report),
        None => None,
    };
    let witness = witness.map(|(witness, trace)| match raw {
        true => (witness, trace),
        false => (witness, minimal::run_with_few_switches(&model, &trace, nodes)),
    });
    let witness =
        witness.map(|(witness, trace)| (results::file(&model, witness, &trace), witness, trace));
    let faults = match asked.faults {
        true => Some(faults::faults(&model, &report, &search)?),
        false => None,
    };
    Ok(Some(One { checked, model, report, shown, witness, faults }))
}

impl One {
    /// Saves what is shown, if that is asked for.
    pub(super) fn save(&self, asked: &Check) -> Result<(), Failure> {
        let Some(path) = &asked.save_trace else { return Ok(()) };
        match (&self.witness, &self.shown) {
            (Some((file, ..)), _) => files::write(path, &file.to_json()),
            (None, _) if asked.witness.is_some() => {
                output::note!("kmodcheck: {} not written", path.display());
                Ok(())
            }
            (None, Some((property, trace))) => {
                let file = output::trace_json(*property, self.model.scenario(), trace);
                files::write(path, &file.to_json())
            }
            (None, None) => {
                output::note!("kmodcheck: no violation to save: {} not written", path.display());
                Ok(())
            }
        }
    }

    /// For people.
    pub(super) fn print(&self, arguments: &Arguments, asked: &Check) {
        let run = match (&self.witness, &self.shown) {
            (Some((_, witness, trace)), _) => Some(Run::Shows(*witness, trace)),
            (None, Some((property, trace))) if asked.witness.is_none() => {
                Some(Run::Violates(*property, trace))
            }
            _ => None,
        };
        let Self { checked, model, report, faults, .. } = self;
        let width = screen::width_or(asked.width.width);
        let said = Text { checked, report, model, run, faults: faults.as_ref(), width };
        said.print(&session::limits(arguments), asked.assumptions);
        // Who asks for one run has it.
        if asked.witness.is_none() {
            let words = "All of it as a page, for a mail: kmodcheck report, with the same SUBJECT and changes, and --out page.html";
            output::print(&format!("\n{}", screen::fold(words, "  ", width).join("\n")));
        }
    }

    /// What it is called.
    pub(super) fn named(&self) -> String {
        self.checked.subject.named()
    }

    pub(super) fn ended(&self) -> Ended {
        self.checked.ended(&self.report)
    }

    /// What is judged, each with how it fared.
    pub(super) fn cases(&self) -> Vec<Case> {
        let Self { checked, model, report, .. } = self;
        let of = |answer: &Answer| Case {
            name: answer.property.name().to_owned(),
            fared: fared(checked.as_expected(answer), &answer.verdict),
            message: said_of(report, &answer.verdict, checked.expected.get(&answer.property)),
            run: match &answer.verdict {
                Verdict::Violated(trace) => {
                    Some(output::told_text(model, answer.property, trace, MAIL))
                }
                _ => None,
            },
        };
        let of_asked = |(at, answer): (usize, &AskedAnswer)| Case {
            name: answer.asked.name.clone(),
            fared: fared(checked.asked_as_expected(answer), &answer.verdict),
            message: said_of(report, &answer.verdict, checked.expected_of(answer).as_ref()),
            run: (answer.run_shown())
                .map(|run| results::text(model, Witness::Asked(at), run, MAIL)),
        };
        let asked = report.asked.iter().enumerate().map(of_asked);
        checked.judged(report).map(of).chain(asked).collect()
    }
}

/// Columns of a run in a file that others show.
const MAIL: usize = 72;

fn fared(as_expected: Option<bool>, verdict: &Verdict) -> Fared {
    match (as_expected, verdict) {
        (Some(true), Verdict::NotApplicable | Verdict::NotAsked) => Fared::NotAsked,
        (Some(true), _) => Fared::AsExpected,
        (Some(false), _) => Fared::Differs,
        (None, _) => Fared::Undecided,
    }
}

fn said_of(report: &Report, verdict: &Verdict, expected: Option<&Expected>) -> String {
    let steps = match verdict {
        Verdict::Violated(trace) => format!(" ({})", counted(trace.len() as u64, "step")),
        _ => String::new(),
    };
    let expected = expected.map_or("not violated", |expected| expected.name());
    format!("{}{steps}, expected {expected}", output::said(report, verdict))
}

/// How many states are kept while a trace is made to read well: no more than may be kept at all, and none where so much
/// memory is not to be had; then what was found is good enough.
fn nodes(limits: &Limits) -> usize {
    /// Bytes of one, with what finds it again, while a table grows.
    const NODE: usize = 1024;
    let bytes = limits.bytes.map_or(u64::MAX, |bytes| bytes / NODE as u64);
    let most = limits.states.map_or(bytes, |states| bytes.min(states));
    let most = usize::try_from(most).unwrap_or(usize::MAX).min(minimal::FEW_NODES);
    let there_is_room = Vec::<u8>::new().try_reserve_exact(most * NODE).is_ok();
    if there_is_room { most } else { 0 }
}

/// A run that violates what the scenario itself asks; else, where nothing is violated, one to what it asks for.
fn by_itself(report: &Report) -> Option<(Witness, Trace)> {
    let violated =
        |answer: &AskedAnswer| answer.run_shown().filter(|_| !answer.asked.exists).cloned();
    let first = |run: &dyn Fn(&AskedAnswer) -> Option<Trace>| {
        let all = report.asked.iter().enumerate();
        all.clone().find_map(|(at, answer)| Some((Witness::Asked(at), run(answer)?)))
    };
    let is_violated = |answer: &Answer| matches!(answer.verdict, Verdict::Violated(_));
    first(&violated).or_else(|| {
        let anything = report.answers.iter().any(is_violated);
        if anything { None } else { first(&|answer| answer.run.clone()) }
    })
}

/// The trace to show and save: of the property that was asked for, or the first judged one.
fn shown(arguments: &Check, checked: &Checked, report: &Report) -> Option<(Property, Trace)> {
    let wanted = |a: &&Answer| match arguments.property {
        Some(property) => a.property == property,
        None => checked.judged.contains(&a.property),
    };
    report.answers.iter().filter(wanted).find_map(|a| match &a.verdict {
        Verdict::Violated(trace) => Some((a.property, trace.clone())),
        _ => None,
    })
}

fn asked_json(checked: &Checked, answer: &AskedAnswer) -> AskedJson {
    AskedJson {
        property: answer.asked.name.clone(),
        statement: answer.asked.statement.clone(),
        verdict: output::word(&answer.verdict),
        steps: answer.run_shown().map(Vec::len),
        expected: checked.expected_of(answer).map(|expected| expected.name()),
        as_expected: checked.asked_as_expected(answer),
    }
}

/// For machines.
pub(super) fn json(one: &One) -> CheckJson<'_> {
    let One { checked, report, shown, witness, faults, .. } = one;
    let Checked { subject, expected: known, .. } = checked;
    let scenario = &subject.scenario;
    let switches = SWITCHES.iter().map(|s| (s.name, s.get(&scenario.features))).collect();
    let expected = |answer: &Answer| ExpectedJson {
        property: answer.property.name(),
        expected: known.get(&answer.property).map(|e| e.name()),
        as_expected: checked.as_expected(answer),
    };
    CheckJson {
        format: "kmodcheck-check",
        version: 1,
        scenario,
        kernel: &subject.choice.kernel,
        kmod: &subject.choice.kmod,
        switches,
        assumed: assumed::assumptions(scenario),
        not_modelled: &assumed::NOT_MODELLED,
        notes: &subject.notes,
        report: output::report_json(report, scenario.callers(), |_| None),
        engine: output::engine_json(report),
        expected: checked.judged(report).map(expected).collect(),
        asked: report.asked.iter().map(|answer| asked_json(checked, answer)).collect(),
        trace: shown.as_ref().map(|(p, trace)| output::trace_json(*p, scenario, trace)),
        faults: faults.as_ref().map(FaultsJson::from),
        results: results::json(scenario, report),
        witness: witness.as_ref().map(|(file, ..)| file.clone()),
    }
}
