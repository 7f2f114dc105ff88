//! `kmodcheck accept LOG --format FORMAT`.

use kmodcheck_explore::Step;
use kmodcheck_model::Event;
use kmodcheck_model::features::Features;
use kmodcheck_properties::Property;
use kmodcheck_properties::property::View;
use kmodcheck_sim::scenario_file::Choice;
use kmodcheck_sim::trace::accept::{RunStep, Verdict};
use kmodcheck_sim::trace::events::EventLog;
use kmodcheck_sim::trace::ftrace::{About, Recording, Shown, Whose};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::subject::System;
use crate::args::{Accept, Arguments, LogFormat};
use crate::input::subject::{Asked, Subject, switches};
use crate::input::{config, files, kind};
use crate::output::{self, Ended, Failure};

/// States held, unless --states-limit says otherwise: about 1 GiB.
pub(crate) const STATES: u64 = 8_000_000;

/// Of the JSON that is printed. 2: what is taken not to have been recorded.
const VERSION: u32 = 2;

/// Whether a log is a behaviour of the model.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AcceptJson {
    format: &'static str,
    version: u32,
    file: String,
    accepted: bool,
    /// In how many states the model may be at the end, or before the line that is refused; of a log
    /// of tracefs they are counted up to 10,000.
    states: usize,
    events: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_line: Option<usize>,
    /// The line at which the tracer lost events; what follows is not decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_line: Option<usize>,
    /// A line before that one from which on it is not decided either: what was lost may explain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided_line: Option<usize>,
    /// Events that are taken not to have been recorded, so that what they tell of is hidden.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_recorded: Vec<&'static str>,
    /// The modprobes that the kernel started, of a log that is accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    modprobes: Vec<ModprobeJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<StepJson>,
    /// Properties that every run violates that gives the log, and those that only some do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violated_in_every_run: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violated_in_some_run: Vec<&'static str>,
    run: Vec<EntryJson>,
}

#[derive(Serialize, JsonSchema)]
struct ModprobeJson {
    modprobe: String,
    /// What it was asked for; empty, if it belongs to no request.
    name: String,
    /// The callers to one of whom it belongs in `run`.
    here: Vec<String>,
    /// Those to whom it may belong by the order of the lines.
    may_be: Vec<String>,
}

impl From<Whose> for ModprobeJson {
    fn from(Whose { modprobe, here, may_be, name }: Whose) -> Self {
        Self { modprobe, name, here, may_be }
    }
}

#[derive(Serialize, JsonSchema)]
struct StepJson {
    actor: String,
    step: String,
}

#[derive(Serialize, JsonSchema)]
struct EntryJson {
    /// The line of the log; none for a hidden step.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, accept: &Accept) -> Result<Ended, Failure> {
    let name = accept.file.display().to_string();
    let text = files::read(&accept.file)?;
    let limit = arguments.states_limit.unwrap_or(STATES);
    let System { indexes, cell, changes, .. } = &accept.system;
    let (given, format, other) = match accept.format {
        LogFormat::Events => {
            let ftrace_only = [
                ("--blacklist", !accept.blacklist.is_empty()),
                ("--without-probe", !accept.without_probe.is_empty()),
            ];
            (ftrace_only.to_vec(), "events", "ftrace")
        }
        LogFormat::Ftrace => {
            let events_only = [
                ("--scenario", accept.subject.is_some()),
                ("--fs", indexes.fs.is_some()),
                ("--module", indexes.module.is_some()),
                ("--init-may-fail", indexes.init_may_fail),
                ("--env", cell.env.is_some()),
                ("--naming", cell.naming.is_some()),
                ("--limit", changes.limit.is_some()),
                ("--timeouts", changes.timeouts),
                ("--modprobe", changes.binary.modprobe.is_some()),
                ("--callers", accept.callers.callers.is_some()),
            ];
            (events_only.to_vec(), "ftrace", "events")
        }
    };
    if let Some((flag, _)) = given.iter().find(|(_, given)| *given) {
        return Err(
            format!("found {flag} with --format {format}, expected --format {other}").into()
        );
    }
    let (decided, expected) = match accept.format {
        LogFormat::Events => (events(&name, &text, limit, arguments, accept), "a log of events"),
        LogFormat::Ftrace => (ftrace(&name, &text, limit, arguments, accept), "a log of tracefs"),
    };
    decided.map_err(|error| {
        // What is wrong with the system is not the log's fault.
        let of_log = error.to_string().starts_with(&format!("{name}:"));
        if of_log { kind::instead(&name, &text, &[expected], error) } else { error }
    })
}

fn ftrace(
    name: &str,
    text: &str,
    limit: u64,
    arguments: &Arguments,
    accept: &Accept,
) -> Result<Ended, Failure> {
    let System { indexes, releases, changes, .. } = &accept.system;
    let recorded = Choice {
        kernel: releases.kernel.map_or("6.1-debian", |kernel| kernel.name).to_owned(),
        kmod: releases.kmod.map_or("v30", |kmod| kmod.name).to_owned(),
        changes: switches(changes).collect(),
    };
    let features = recorded.features()?;
    let index = indexes.modules.as_deref().map(files::read_index).transpose()?;
    let configured = &indexes.configured;
    let config = match &indexes.modules {
        Some(modules) => Some(config::read(configured, None, modules, &recorded.kmod)?.config),
        None => None,
    };
    let about = About {
        index: index.as_ref(),
        config: config.as_ref(),
        blacklist: &accept.blacklist,
        without: &accept.without_probe,
    };
    let log = Log { name, text, features, about, show: accept.show };
    decide(&log, limit, arguments.json)
}

/// A log of tracefs, and what is known of it.
pub(crate) struct Log<'a> {
    pub name: &'a str,
    pub text: &'a str,
    /// The releases that were recorded.
    pub features: Features,
    pub about: About<'a>,
    /// Whether every line is shown.
    pub show: bool,
}

/// Decides whether a log of tracefs is a behaviour of the model, and says so.
pub(crate) fn decide(log: &Log<'_>, limit: u64, json: bool) -> Result<Ended, Failure> {
    let Log { name, text, features, about, show } = *log;
    let decided = Recording::new(name, text, features, about).and_then(|recording| {
        let watch = |step: &Step<Event>| {
            let model = recording.model();
            View::of(model, step).violates(Property::ALL.iter().filter(|p| p.applies(model)))
        };
        let answer = recording.decide_watching(limit, &watch)?;
        Ok((recording, answer))
    });
    let (recording, answer) = match decided {
        Ok(decided) => decided,
        Err(error) if error.is_undecided() => {
            crate::output::note!("kmodcheck: {error}");
            return Ok(Ended::OutOfBudget);
        }
        Err(error) => return Err(error.into()),
    };
    let (every, some) = answer.watched();
    let named = |bits: u64| -> Vec<&'static str> {
        let in_bits = |p: &&Property| bits >> **p as u64 & 1 != 0;
        Property::ALL.iter().filter(in_bits).map(|p| p.name()).collect()
    };
    if json {
        let entry = |shown| match shown {
            Shown::Line { number, step, .. } => EntryJson { line: Some(number), actor: None, step },
            Shown::Hidden { actor, step } => {
                EntryJson { line: None, actor: Some(actor), step: Some(step) }
            }
        };
        output::print_json(&AcceptJson {
            format: "kmodcheck-accept",
            version: VERSION,
            file: name.to_owned(),
            accepted: answer.is_accepted(),
            states: answer.states(),
            events: answer.cast(&recording).observations.len(),
            refused_line: answer.refused_line(&recording),
            lost_line: recording.lost_at(),
            undecided_line: answer.undecided_line(&recording),
            not_recorded: if answer.is_accepted() {
                answer.not_recorded(&recording)
            } else {
                Vec::new()
            },
            modprobes: if answer.is_accepted() {
                answer.whose(&recording).into_iter().map(ModprobeJson::from).collect()
            } else {
                Vec::new()
            },
            allowed: answer
                .allowed(&recording)
                .into_iter()
                .map(|(actor, step)| StepJson { actor, step })
                .collect(),
            violated_in_every_run: named(every),
            violated_in_some_run: named(some & !every),
            run: answer.run(&recording).into_iter().map(entry).collect(),
        });
    } else {
        output::print(answer.text(&recording, show).trim_end());
        if answer.is_accepted() && every != 0 {
            output::print(&format!("violated, however it was: {}", named(every).join(", ")));
        }
        if answer.is_accepted() && some & !every != 0 {
            let some = named(some & !every).join(", ");
            output::print(&format!("violated in some runs that the log allows: {some}"));
        }
    }
    Ok(match (answer.is_accepted(), recording.lost_at()) {
        (false, _) => Ended::Differs,
        (true, None) => Ended::AsExpected,
        (true, Some(_)) => Ended::OutOfBudget,
    })
}

fn events(
    name: &str,
    text: &str,
    limit: u64,
    arguments: &Arguments,
    accept: &Accept,
) -> Result<Ended, Failure> {
    let whose = Asked::of(accept.subject.as_deref(), &accept.system, accept.callers.callers);
    if whose.is_none() {
        return Err("found --format events, expected --scenario SUBJECT with it".into());
    }
    let subject = Subject::load(&whose)?;
    let (whose, model) = (&subject.from, subject.model()?);
    let log = EventLog::parse(name, text)?;
    let verdict = match log.decide(&model, limit) {
        None => {
            return Err(format!(
                "{whose}: {} processes, expected at most {}",
                model.processes().len(),
                kmodcheck_explore::MAX_PROCESSES
            )
            .into());
        }
        Some(Err(error)) => {
            crate::output::note!("kmodcheck: {name}: {error}");
            return Ok(Ended::OutOfBudget);
        }
        Some(Ok(verdict)) => verdict,
    };
    let words =
        |event: &Event| format!("{}: {}", event.function(), event.describe(model.scenario()));
    let line = |at: usize| log.events.get(at).map(|(number, _)| *number);
    let (states, run) = match &verdict {
        Verdict::Accepted { states, run, .. } | Verdict::Refused { states, run, .. } => {
            (states.len(), run)
        }
    };
    let (refused, possible) = match &verdict {
        Verdict::Accepted { .. } => (None, &[][..]),
        Verdict::Refused { at, possible, .. } => (line(*at), &possible[..]),
    };
    let accepted = verdict.is_accepted();
    if arguments.json {
        let entry = |entry: &RunStep<Event>| EntryJson {
            line: entry.observation.and_then(line),
            actor: entry.step.as_ref().map(|step| step.actor.to_string()),
            step: entry.step.as_ref().map(|step| words(&step.label)),
        };
        output::print_json(&AcceptJson {
            format: "kmodcheck-accept",
            version: VERSION,
            file: name.to_owned(),
            accepted,
            states,
            events: log.events.len(),
            refused_line: refused,
            lost_line: None,
            undecided_line: None,
            not_recorded: Vec::new(),
            modprobes: Vec::new(),
            allowed: possible
                .iter()
                .map(|(actor, event)| StepJson { actor: actor.to_string(), step: words(event) })
                .collect(),
            violated_in_every_run: Vec::new(),
            violated_in_some_run: Vec::new(),
            run: run.iter().map(entry).collect(),
        });
    } else {
        if accept.show {
            for entry in run {
                let step = entry.step.as_ref().expect("every entry of such a run is a step");
                let mark = if entry.observation.is_some() { "=" } else { "+" };
                output::print(&format!("{mark} {} {}", step.actor, words(&step.label)));
            }
        }
        match refused {
            None => output::print(&format!(
                "{name}: accepted: all {} events are a behaviour of the model, which may be in \
                 {states} states at the end",
                log.events.len()
            )),
            Some(number) => {
                output::print(&format!("{name}:{number}: refused; the model allows there:"));
                for (actor, event) in possible {
                    output::print(&format!("    {actor} {}", words(event)));
                }
            }
        }
    }
    Ok(if accepted { Ended::AsExpected } else { Ended::Differs })
}
