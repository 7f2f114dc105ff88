//! `kmodcheck check`: a scenario file, or a name resolved through module indexes.

use std::collections::BTreeMap;
use std::path::Path;

use kmodcheck_explore::stuck::Sleep;
use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::presets::SWITCHES;
use kmodcheck_model::scenario::{Init, Resolution, Scenario};
use kmodcheck_model::userspace::closure::{Setting, scenario};
use kmodcheck_model::{History, Model};
use kmodcheck_properties::check::{Answer, Trace};
use kmodcheck_properties::stuck::in_words;
use kmodcheck_properties::{Property, Report, Verdict};
use kmodcheck_sim::scenario_file::{self, Change, Choice, Expected};
use kmodcheck_sim::trace::witness::WitnessFile;
use serde::Serialize;

use crate::args::scale::Engine;
use crate::args::{Arguments, Check};
use crate::explore::engine;
use crate::input::{files, session};
use crate::output::{self, word};
use crate::output::{Ended, Failure, assumed, bars, results};

/// What is checked, and against what.
struct Subject {
    /// The file or directory.
    from: String,
    scenario: Scenario,
    choice: Choice,
    /// What a reader should know of how names were resolved.
    notes: Vec<String>,
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
    let subject = match (&check_args.file, &check_args.modules) {
        (Some(file), _) => from_file(check_args, file)?,
        (None, Some(modules)) => from_indexes(check_args, modules)?,
        (None, None) => return Err("expected a scenario file or --modules DIR".into()),
    };
    let mut model = Model::new(subject.scenario.clone(), None)?;
    if subject.judged.contains(&Property::NoFalseFailure) {
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
        ..Options::default()
    };
    if check_args.witness.is_some() && check_args.engine.engine == Engine::Timely {
        return Err("found --witness with --engine timely, expected --engine local".into());
    }
    // Only one of several processes has the result.
    let Some(report) = engine::check(&model, &search, &check_args.engine)? else {
        return Ok(Ended::AsExpected);
    };
    spinner.finish_and_clear();
    let shown = shown(check_args, &subject, &report);
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
        output::print_json(&json(&subject, &report, shown, witness));
    } else {
        print(&subject, &report, &limits);
        if let Some((_, witness, trace)) = witness {
            output::print(&format!("\n{}", results::text(&model, witness, &trace)));
        } else if let (Some((property, trace)), None) = (shown, &check_args.witness) {
            output::print(&format!("\n{}", output::trace_text(property, model.scenario(), &trace)));
        }
    }
    // The verdict was found, whether or not its trace could be saved.
    saved?;
    Ok(subject.ended(&report))
}

fn from_file(arguments: &Check, path: &Path) -> Result<Subject, Failure> {
    let from = path.display().to_string();
    let names = Property::ALL.map(Property::name);
    let text = files::read(path)?;
    // Where this ends in a file, stderr takes the colours out.
    let loaded = scenario_file::load(&from, &text, &names)
        .map_err(|error| format!("\n{}", error.styled()))?;
    let known = |name: &String| Property::from_name(name).expect("load() was told the names");
    let mut subject = Subject {
        from,
        scenario: loaded.scenario,
        choice: loaded.choice,
        notes: loaded.notes,
        judged: loaded
            .properties
            .map_or_else(unless_told, |names| names.iter().map(known).collect()),
        expected: loaded.expect.iter().map(|(name, e)| (known(name), *e)).collect(),
    };
    subject.judged.sort_unstable();
    subject.judged.dedup();
    subject.overridden(arguments)
}

fn from_indexes(arguments: &Check, modules: &Path) -> Result<Subject, Failure> {
    let from = modules.display().to_string();
    let choice = Choice {
        kernel: scenario_file::DEFAULT_KERNEL.to_owned(),
        kmod: scenario_file::DEFAULT_KMOD.to_owned(),
        changes: Vec::new(),
    };
    let (get_fs_type, request) = match (&arguments.name.fs, &arguments.name.module) {
        (Some(fs), _) => (true, format!("fs-{fs}")),
        (None, module) => (false, module.clone().unwrap_or_default()),
    };
    let setting = Setting {
        get_fs_type,
        request,
        callers: arguments.callers.unwrap_or(2),
        init: if arguments.init_may_fail { Init::MayFail } else { Init::Succeeds },
        timeouts: arguments.timeouts,
        features: choice.features()?,
    };
    let index = files::read_index(modules)?;
    let scenario = scenario(&index, &setting).map_err(|error| format!("{from}: {error}"))?;
    let subject = Subject {
        from,
        scenario,
        choice,
        notes: Vec::new(),
        judged: unless_told(),
        expected: BTreeMap::new(),
    };
    subject.overridden(arguments)
}

/// What is judged unless the file or the command line says more: not what makes more states for all
/// the others.
fn unless_told() -> Vec<Property> {
    Property::ALL.into_iter().filter(|p| *p != Property::NoFalseFailure).collect()
}

impl Subject {
    /// What the command line says counts for more than the file.
    fn overridden(mut self, arguments: &Check) -> Result<Self, Failure> {
        let choice = &mut self.choice;
        if let Some(kernel) = arguments.kernel {
            choice.kernel = kernel.name.to_owned();
        }
        if let Some(kmod) = arguments.kmod {
            choice.kmod = kmod.name.to_owned();
        }
        let map = arguments.alias_map.iter().map(|map| Change::With(format!("alias-map={map}")));
        choice.changes.extend(map);
        choice.changes.extend(arguments.with.iter().cloned().map(Change::With));
        choice.changes.extend(arguments.without.iter().cloned().map(Change::Without));
        self.scenario.features = choice.features()?;
        self.scenario.timeouts |= arguments.timeouts;
        self.scenario.limit = arguments.limit.or(self.scenario.limit);
        self.expected.extend(arguments.expect.iter().copied());
        // Those that the file itself lists are judged already, unless they have to be asked for.
        let failures = Property::NoFalseFailure;
        let asked = arguments.property == Some(failures) || self.expected.contains_key(&failures);
        self.judged.extend(arguments.expect.iter().map(|(property, _)| *property));
        self.judged.extend(asked.then_some(failures));
        self.judged.sort_unstable();
        self.judged.dedup();
        Ok(self)
    }

    /// Whether a property fared as expected; `None`: undecided.
    fn as_expected(&self, answer: &Answer) -> Option<bool> {
        answer.verdict.is_as_expected(self.expected.get(&answer.property).copied())
    }

    fn judged<'r>(&self, report: &'r Report) -> impl Iterator<Item = &'r Answer> {
        report.answers.iter().filter(|answer| self.judged.contains(&answer.property))
    }

    fn ended(&self, report: &Report) -> Ended {
        let mut verdicts = self.judged(report).map(|answer| self.as_expected(answer));
        Ended::of(verdicts.any(|v| v == Some(false)), report.end != End::Complete)
    }
}

/// The trace to show and save: of the property that was asked for, or the first judged one.
fn shown(arguments: &Check, subject: &Subject, report: &Report) -> Option<(Property, Trace)> {
    let wanted = |a: &&Answer| match arguments.property {
        Some(property) => a.property == property,
        None => subject.judged.contains(&a.property),
    };
    report.answers.iter().filter(wanted).find_map(|a| match &a.verdict {
        Verdict::Violated(trace) => Some((a.property, trace.clone())),
        _ => None,
    })
}

fn json<'a>(
    subject: &'a Subject,
    report: &Report,
    shown: Option<(Property, Trace)>,
    witness: Option<WitnessFile>,
) -> CheckJson<'a> {
    let scenario = &subject.scenario;
    let switches = SWITCHES.iter().map(|s| (s.name, s.get(&scenario.features))).collect();
    let expected = |answer: &Answer| ExpectedJson {
        property: answer.property.name(),
        expected: subject.expected.get(&answer.property).map(|e| e.name()),
        as_expected: subject.as_expected(answer),
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
        expected: subject.judged(report).map(expected).collect(),
        trace: shown.map(|(p, trace)| output::trace_json(p, scenario, &trace)),
        results: results::json(scenario, report),
        witness,
    }
}

fn print(subject: &Subject, report: &Report, limits: &Limits) {
    let scenario = &subject.scenario;
    if subject.from == scenario.name {
        output::print(&subject.from);
    } else {
        output::print(&format!("{}: {}", subject.from, scenario.name));
    }
    print_names(scenario);
    for note in &subject.notes {
        output::print(&format!("note: {note}"));
    }
    output::print(&format!("{}{}", subject.choice_in_words(), who(scenario, report)));
    let assumed = assumed::assumptions(scenario);
    output::print(&format!(
        "assumed: {}; limits: {}",
        assumed.join("; "),
        session::limits_in_words(limits)
    ));
    output::print(&format!("not modelled: {}", assumed::NOT_MODELLED.join("; ")));
    output::print(&format!(
        "{}: {} states, {} transitions, depth {}, {} not expanded, {} words a state\n",
        output::end_word(report),
        report.states,
        report.transitions,
        report.depth,
        report.queue,
        report.words
    ));
    for answer in subject.judged(report) {
        print_answer(subject, answer);
    }
    if subject.judged.len() < report.answers.len() {
        let left = report.answers.iter().map(|a| a.property);
        let left = left.filter(|p| !subject.judged.contains(p)).map(Property::name);
        output::print(&format!("not judged: {}", left.collect::<Vec<_>>().join(", ")));
    }
    results::print(scenario, report);
    if subject.judged(report).any(|a| matches!(a.verdict, Verdict::Holds { .. })) {
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
        if report.symmetry { ", counted up to exchanging those who do the same" } else { "" },
        assumed::actors(scenario).join(", ")
    )
}

impl Subject {
    fn choice_in_words(&self) -> String {
        let mut words = format!("kernel {}, kmod {}", self.choice.kernel, self.choice.kmod);
        for change in &self.choice.changes {
            words += &match change {
                Change::With(setting) => format!(", with {setting}"),
                Change::Without(name) => format!(", without {name}"),
            };
        }
        words
    }
}

fn print_answer(subject: &Subject, answer: &Answer) {
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
    let expected = match (subject.expected.get(&answer.property), subject.as_expected(answer)) {
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
