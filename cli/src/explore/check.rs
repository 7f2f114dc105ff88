//! `kmodcheck check`: one system, all properties.

use std::collections::BTreeMap;

use kmodcheck_explore::Sleep;
use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::History;
use kmodcheck_model::presets::SWITCHES;
use kmodcheck_model::scenario::{Resolution, Scenario};
use kmodcheck_properties::sleepers::in_words;
use kmodcheck_properties::verdict::{Answer, Trace};
use kmodcheck_properties::{Property, Report, Verdict};
use kmodcheck_sim::scenario_file::Expected;
use kmodcheck_sim::trace::witness::WitnessFile;
use serde::Serialize;

use crate::args::scale::Engine;
use crate::args::{Arguments, Check};
use crate::explore::{engine, litmus};
use crate::input::subject::Subject;
use crate::input::{files, session};
use crate::output::{self, word};
use crate::output::{Ended, Failure, assumed, bars, results};

/// What is checked, and against what.
struct Checked {
    subject: Subject,
    judged: Vec<Property>,
    expected: BTreeMap<Property, Expected>,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    format: &'static str,
    version: u32,
    scenario: &'a Scenario,
    kernel: &'a str,
    kmod: &'a str,
    /// Every switch and its value.
    switches: BTreeMap<&'static str, &'static str>,
    assumed: Vec<String>,
    not_modelled: &'static [&'static str],
    notes: &'a [String],
    report: output::ReportJson,
    /// What the answers of the engine mean; not of the search that there is without --engine, nor of timely,
    /// which says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<output::EngineJson>,
    expected: Vec<ExpectedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<kmodcheck_sim::trace::file::TraceFile>,
    /// By actor: what its call can come to.
    results: Vec<results::ResultsJson>,
    /// The run that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessFile>,
}

#[derive(Serialize)]
struct ExpectedJson {
    property: &'static str,
    /// `null`: not violated.
    expected: Option<&'static str>,
    /// `null`: undecided.
    as_expected: Option<bool>,
}

pub(crate) fn run(arguments: &Arguments, check_args: &Check) -> Result<Ended, Failure> {
    let given = engine::Given {
        threads: arguments.threads.is_some(),
        no_symmetry: check_args.no_symmetry,
        follow_all: check_args.follow_all,
        witness: check_args.witness.is_some(),
    };
    if let Some(text) = litmus::text(check_args)? {
        return litmus::run(arguments, check_args, &text);
    }
    if check_args.every_access {
        return Err("found --every-access, expected a litmus test with it".into());
    }
    engine::heeds(&check_args.engine, &given)?;
    let checked = Checked::new(check_args)?;
    let mut model = checked.subject.model()?;
    if checked.judged.contains(&Property::NoFalseFailure) {
        model = model.remembering(History::Both)?;
    }
    let limits = session::limits(arguments);
    let spinner = bars::spinner();
    let describe = |p| spinner.set_message(bars::describe(p));
    let search = Options {
        symmetry: !check_args.no_symmetry,
        follow_all: check_args.follow_all,
        limits,
        interrupt: Some(session::interrupt()),
        progress: Some(&describe),
        threads: session::threads(arguments),
        // Who only looks for violations looks for what was asked, and ends when it has that.
        stop_when_violated: match check_args.engine.engine {
            Engine::Directed => checked.wanted(check_args.property),
            _ => 0,
        },
        ..Options::default()
    };
    // Only one of several processes has the result.
    let Some(report) = engine::check(&model, &search, &check_args.engine)? else {
        return Ok(Ended::AsExpected);
    };
    spinner.finish_and_clear();
    let shown = shown(check_args, &checked, &report);
    let search = Options { progress: None, ..search };
    let witness = match &check_args.witness {
        Some(text) => results::witness(&model, &report, text, &search)?,
        None => None,
    };
    let witness =
        witness.map(|(witness, trace)| (results::file(&model, witness, &trace), witness, trace));
    let saved = match (&check_args.save_trace, &shown) {
        (Some(path), _) if check_args.witness.is_some() => match &witness {
            Some((file, ..)) => files::write(path, &file.to_json()),
            None => {
                crate::output::note!("kmodcheck: {} not written", path.display());
                Ok(())
            }
        },
        (Some(path), Some((property, trace))) => {
            let file = output::trace_json(*property, model.scenario(), trace);
            files::write(path, &file.to_json())
        }
        (Some(path), None) => {
            crate::output::note!("kmodcheck: no violation to save: {} not written", path.display());
            Ok(())
        }
        (None, _) => Ok(()),
    };
    if arguments.json {
        let witness = witness.map(|(file, ..)| file);
        output::print_json(&json(&checked, &report, shown, witness));
    } else {
        print(&checked, &report, &limits);
        if let Some((_, witness, trace)) = witness {
            output::print(&format!("\n{}", results::text(&model, witness, &trace)));
        } else if let (Some((property, trace)), None) = (shown, &check_args.witness) {
            output::print(&format!("\n{}", output::trace_text(property, model.scenario(), &trace)));
        }
    }
    // The verdict was found, whether or not its trace could be saved.
    saved?;
    Ok(checked.ended(&report))
}

/// What is judged unless the file or the command line says more: not what makes more states for all
/// the others.
fn unless_told() -> Vec<Property> {
    Property::ALL.into_iter().filter(|p| *p != Property::NoFalseFailure).collect()
}

impl Checked {
    /// What the command line says counts for more than the file.
    fn new(arguments: &Check) -> Result<Self, Failure> {
        let subject = Subject::load(&(&arguments.subject).into())?;
        let mut judged = subject.judged.clone().unwrap_or_else(unless_told);
        let mut expected: BTreeMap<Property, Expected> = subject.expected.iter().copied().collect();
        expected.extend(arguments.expect.iter().copied());
        // Those that the file itself lists are judged already, unless they have to be asked for.
        let failures = Property::NoFalseFailure;
        let asked = arguments.property == Some(failures) || expected.contains_key(&failures);
        judged.extend(arguments.expect.iter().map(|(property, _)| *property));
        judged.extend(asked.then_some(failures));
        judged.sort_unstable();
        judged.dedup();
        Ok(Self { subject, judged, expected })
    }

    /// Whether a property fared as expected; `None`: undecided.
    fn as_expected(&self, answer: &Answer) -> Option<bool> {
        answer.verdict.is_as_expected(self.expected.get(&answer.property).copied())
    }

    /// The properties that are looked for, one bit each: one, or all that are judged.
    fn wanted(&self, property: Option<Property>) -> u64 {
        let all = property.as_ref().map_or(&self.judged[..], std::slice::from_ref);
        all.iter().fold(0, |bits, property| bits | 1 << *property as u64)
    }

    fn judged<'r>(&self, report: &'r Report) -> impl Iterator<Item = &'r Answer> {
        report.answers.iter().filter(|answer| self.judged.contains(&answer.property))
    }

    fn ended(&self, report: &Report) -> Ended {
        let mut verdicts = self.judged(report).map(|answer| self.as_expected(answer));
        let differs = verdicts.any(|v| v == Some(false));
        let undecided = self.judged(report).any(|answer| answer.verdict == Verdict::NoneFound);
        Ended::of(differs, report.end != End::Complete || undecided)
    }
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

fn json<'a>(
    checked: &'a Checked,
    report: &Report,
    shown: Option<(Property, Trace)>,
    witness: Option<WitnessFile>,
) -> CheckJson<'a> {
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
        trace: shown.map(|(p, trace)| output::trace_json(p, scenario, &trace)),
        results: results::json(scenario, report),
        witness,
    }
}

fn print(checked: &Checked, report: &Report, limits: &Limits) {
    let subject = &checked.subject;
    let scenario = &subject.scenario;
    output::print(&subject.named());
    print_names(scenario);
    for note in &subject.notes {
        output::print(&format!("note: {note}"));
    }
    output::print(&format!("{}{}", subject.releases(), who(scenario, report)));
    let assumed = assumed::assumptions(scenario);
    output::print(&format!(
        "assumed: {}; limits: {}",
        assumed.join("; "),
        session::limits_in_words(limits)
    ));
    output::print(&format!("not modelled: {}", assumed::NOT_MODELLED.join("; ")));
    output::print(&output::searched(report));
    for answer in checked.judged(report) {
        print_answer(checked, answer);
    }
    if checked.judged.len() < report.answers.len() {
        let left = report.answers.iter().map(|a| a.property);
        let left = left.filter(|p| !checked.judged.contains(p)).map(Property::name);
        output::print(&format!("not judged: {}", left.collect::<Vec<_>>().join(", ")));
    }
    results::print(scenario, report);
    if checked.judged(report).any(|a| matches!(a.verdict, Verdict::Holds { .. })) {
        output::print(
            "No fault in the model is recorded for this scenario: unlike those of the main job, a\n\
             'holds' here was not seen to fail.",
        );
    }
    for sleeper in Sleep::ALL.into_iter().filter_map(|sleep| report.asleep(sleep)) {
        let (words, steps) = (in_words(sleeper.sleep), sleeper.stuck.trace.len());
        output::print(&format!("after {steps} steps somebody {words}"));
    }
}

/// What modprobe makes of the requested names.
fn print_names(scenario: &Scenario) {
    let names = |ids: &mut dyn Iterator<Item = u8>| {
        let names: Vec<&str> = ids.map(|id| scenario.module_name(id)).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    for name in &scenario.names {
        let resolved = match &name.resolution {
            Resolution::NotFound => "nothing in the indexes".to_owned(),
            Resolution::Builtin => "an entry of modules.builtin".to_owned(),
            Resolution::Modules(targets) => names(&mut targets.iter().map(|t| t.module)),
        };
        output::print(&format!("{} resolves to {resolved}", name.request));
        for target in name.targets() {
            output::print(&format!(
                "modprobe tries, in order: {}",
                names(&mut target.probe.iter().map(|p| p.module))
            ));
        }
    }
}

/// N, and who they are.
fn who(scenario: &Scenario, report: &Report) -> String {
    let processes = scenario.processes();
    format!(
        ", N = {processes}{}: {}",
        if report.method.symmetry {
            ", counted up to exchanging those who do the same"
        } else {
            ""
        },
        assumed::actors(scenario).join(", ")
    )
}

fn print_answer(checked: &Checked, answer: &Answer) {
    let steps = match &answer.verdict {
        Verdict::Violated(trace) => format!(" ({} steps)", trace.len()),
        _ => String::new(),
    };
    let met: Vec<String> = answer
        .property
        .branches()
        .iter()
        .zip(&answer.branches)
        .map(|(branch, met)| format!("{branch}: {met}"))
        .collect();
    let expected = match (checked.expected.get(&answer.property), checked.as_expected(answer)) {
        (expected, Some(false)) => {
            format!("; DIFFERS: expected {}", expected.map_or("not violated", |e| e.name()))
        }
        (Some(expected), _) => format!("; expected {}", expected.name()),
        (None, _) => String::new(),
    };
    output::print(&format!(
        "{:26} {:22} premise met: {}{expected}",
        answer.property.name(),
        format!("{}{steps}", word(&answer.verdict)),
        met.join(", ")
    ));
}
