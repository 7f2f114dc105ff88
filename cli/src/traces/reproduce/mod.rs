//! `kmodcheck reproduce TRACE`: from a counterexample to a real kernel, in one command.
//!
//! The plan is that of `steer`, the recording that of `tools/real-kernel/record`, and what is said of
//! the log is what `accept` says. Nothing is taken for reproduced but a log that is a behaviour of the
//! model, all of it, of which every run violates the property.

mod record;

use std::path::Path;

use kmodcheck_explore::Step;
use kmodcheck_model::features::Features;
use kmodcheck_model::{Event, Model, presets};
use kmodcheck_properties::Property;
use kmodcheck_properties::property::View;
use kmodcheck_properties::witness::Shown;
use kmodcheck_sim::trace::ftrace::{About, Recording};
use kmodcheck_sim::trace::steer::{Arrival, Hold, Plan};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Arguments, Reproduce};
use crate::input::files;
use crate::input::subject::Asked;
use crate::output::{self, Ended, Failure};
use crate::traces::{accept, steer};
use record::{Job, Recorded};

/// The recording is ended after this time, unless --time-limit says otherwise: the emulator ends
/// itself after 200 s, and packages may have to be fetched.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(600);

/// Whether a real kernel did what a trace says.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReproduceJson {
    format: &'static str,
    version: u32,
    trace: String,
    kernel: &'static str,
    property: &'static str,
    outcome: Outcome,
    holds: Vec<HoldJson>,
    /// The line of the log at which the model does not follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_line: Option<usize>,
    /// The line at which the tracer lost events; what follows is not decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_line: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
struct HoldJson {
    hold: String,
    outcome: String,
}

/// What a real kernel did with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// Every run of the model that gives the log violates the property.
    Reproduced,
    /// Only some do: the log does not tell.
    NotTold,
    /// None does.
    NotViolated,
    /// The log is no behaviour of the model.
    Refused,
    /// The log has a hole, or the search met its limit.
    Undecided,
}

/// What a log tells.
struct Told {
    outcome: Outcome,
    refused_line: Option<usize>,
    lost_line: Option<usize>,
    /// What the acceptor says.
    text: String,
}

pub(crate) fn run(arguments: &Arguments, asked: &Reproduce) -> Result<Ended, Failure> {
    let subject = Asked::from(&asked.subject);
    let name = subject.name.unwrap_or_default().to_owned();
    let series = asked.series;
    let mut property = None;
    let wanted = |model: &Model, shown| {
        property = Some(judged(model, shown).map_err(|error| format!("{name}: {error}"))?);
        Ok(())
    };
    let Some(planned) = steer::planned(&subject, asked.longest, wanted)? else {
        return Ok(Ended::Differs);
    };
    let property = property.expect("what is planned was wanted");
    asked.out.as_deref().map_or(Ok(()), files::try_directory)?;
    record::is_there(&asked.recorder)?;
    files::try_directory(&std::env::temp_dir())?;
    let temporary = tempfile::Builder::new().prefix("kmodcheck-reproduce.").tempdir()?;
    let out = asked.out.clone().unwrap_or_else(|| temporary.path().join("out"));
    let kernel = presets::kernel(series.preset).expect("it is a preset");
    let planned_for = planned.model.scenario();
    if planned_for.features.kernel != kernel || !planned_for.patched.is_none() {
        let patched = if !planned_for.patched.is_none() { "patched, or " } else { "" };
        output::note!(
            "kmodcheck: {name}: is of a kernel {patched}with other switches than {}, which this one has",
            series.preset
        );
    }
    let plan = temporary.path().join("plan");
    files::write(&plan, &planned.plan.to_string())?;
    let job = Job {
        recorder: &asked.recorder,
        kernel: series.version,
        plan: &plan,
        out: &out,
        temporary: temporary.path(),
        within: arguments.time_limit.unwrap_or(WITHIN),
    };
    match record::record(&job)? {
        Recorded::Done => {}
        Recorded::TooLong => {
            let within = job.within.as_secs_f64();
            output::note!("kmodcheck: no log within {within} s; nothing is left running");
            return Ok(Ended::OutOfBudget);
        }
        Recorded::Interrupted => {
            output::note!("kmodcheck: interrupted; nothing is left running");
            return Ok(Ended::OutOfBudget);
        }
    }
    let limit = arguments.states_limit.unwrap_or(accept::STATES);
    let judged = || {
        let held = held(&planned.plan, &out.join("held.txt"))?;
        let features = Features { kernel, kmod: kmod(&planned.plan, &out)? };
        Ok((held, told(&out, &planned.plan, features, property, limit)?))
    };
    let (held, told) = judged().map_err(|error: Failure| match &asked.out {
        Some(_) => error,
        // Nobody can look there any more.
        None => {
            let error = error.to_string().replace(&format!("{}/", out.display()), "");
            format!("{error} (--out DIR keeps what was recorded)").into()
        }
    })?;
    let outcome = told.outcome;
    let about =
        Reproduced { name, kernel: series.version, property, plan: &planned.plan, held: &held };
    say(arguments, about, told);
    Ok(match outcome {
        Outcome::Reproduced => Ended::AsExpected,
        Outcome::Undecided => Ended::OutOfBudget,
        _ => Ended::Differs,
    })
}

/// The property that a log can show to be violated. The acceptor keeps no history of failures.
fn judged(model: &Model, shown: Shown) -> Result<Property, String> {
    let judged = |p: &Property| *p != Property::NobodySleepsForEver && !p.reads_failures();
    let found = match shown {
        Shown::Violation(property) if judged(&property) => return Ok(property),
        Shown::Violation(property) => property.name().to_owned(),
        Shown::Witness(witness) => witness.asked(model),
    };
    let names: Vec<_> = Property::ALL.iter().filter(|p| judged(p)).map(|p| p.name()).collect();
    Err(format!(
        "found a trace of '{found}', expected one of a property that a step violates, since a log \
         has only steps: {}",
        names.join(", ")
    ))
}

/// What became of each hold, as the module that holds has written it down: in the order of the plan.
fn held(plan: &Plan, path: &Path) -> Result<Vec<String>, Failure> {
    let text = files::read(path)?;
    let name = path.display();
    let mut lines = text.lines().zip(1..);
    let mut held = Vec::new();
    let rules = plan.holds.iter().map(|hold| &hold.held).chain(&plan.kills);
    for arrival in rules {
        let expected = format!("{arrival}: ");
        let Some((line, number)) = lines.next() else {
            let (found, all) = (held.len(), plan.holds.len() + plan.kills.len());
            return Err(format!("{name}: found {found} holds, expected {all}").into());
        };
        match line.strip_prefix(&expected) {
            Some(outcome) if OUTCOMES.contains(&outcome) => held.push(outcome.to_owned()),
            _ => {
                let words = OUTCOMES.join("', '");
                return Err(format!(
                    "{name}:{number}: found '{line}', expected '{expected}' and one of '{words}'"
                )
                .into());
            }
        }
    }
    if let Some((line, number)) = lines.next() {
        return Err(format!("{name}:{number}: found '{line}', expected no more holds").into());
    }
    Ok(held)
}

/// Somebody was held until what the plan says had come.
const IN_TIME: &str = "let go in time";
/// What can become of a hold (tools/real-kernel/steer).
const OUTCOMES: [&str; 5] = ["nobody came", "held", IN_TIME, "held for its longest time", KILLED];
/// Somebody was killed where the plan says.
const KILLED: &str = "killed";

/// The kmod that the guest had.
fn kmod(plan: &Plan, out: &Path) -> Result<kmodcheck_model::features::KmodFeatures, Failure> {
    if plan.old_rule {
        return Ok(presets::kmod("v19").expect("it is a preset"));
    }
    let path = out.join("kmod-version.txt");
    let text = files::read(&path)?;
    // 'kmod version 30'.
    let version = text.split_whitespace().nth(2).map(|version| format!("v{version}"));
    version.as_deref().and_then(presets::kmod).ok_or_else(|| {
        let found = text.lines().next().unwrap_or_default();
        let known = presets::KMODS.join(", ");
        format!("{}:1: found '{found}', expected a kmod of: {known}", path.display()).into()
    })
}

/// Holds the log against the model of the kernel that was booted.
fn told(
    out: &Path,
    plan: &Plan,
    features: Features,
    property: Property,
    limit: u64,
) -> Result<Told, Failure> {
    let path = out.join("steered.log");
    let index = files::read_index(&out.join("modules"))?;
    let name = path.display().to_string();
    let text = files::read(&path)?;
    let about = About { index: Some(&index), blacklist: &plan.blacklisted, ..About::default() };
    let decided = Recording::new(&name, &text, features, about).and_then(|recording| {
        let watch = |step: &Step<Event>| {
            u64::from(View::of(recording.model(), step).violates([&property]) != 0)
        };
        let answer = recording.decide_watching(limit, &watch)?;
        Ok((recording, answer))
    });
    let (recording, answer) = match decided {
        Ok(decided) => decided,
        Err(error) if error.is_undecided() => {
            let text = error.to_string();
            let outcome = Outcome::Undecided;
            return Ok(Told { outcome, refused_line: None, lost_line: None, text });
        }
        Err(error) => return Err(error.into()),
    };
    let lost_line = recording.lost_at();
    let outcome = match (answer.is_accepted(), lost_line, answer.watched()) {
        (false, ..) => Outcome::Refused,
        // What has happened has happened, whatever follows.
        (true, _, (1.., _)) => Outcome::Reproduced,
        (true, Some(_), _) => Outcome::Undecided,
        (true, None, (0, 0)) => Outcome::NotViolated,
        (true, None, (0, 1..)) => Outcome::NotTold,
    };
    let refused_line = answer.refused_line(&recording);
    Ok(Told { outcome, refused_line, lost_line, text: answer.text(&recording, false) })
}

/// What was reproduced, or not.
struct Reproduced<'a> {
    name: String,
    kernel: &'static str,
    property: Property,
    plan: &'a Plan,
    held: &'a [String],
}

fn say(arguments: &Arguments, about: Reproduced<'_>, told: Told) {
    let Reproduced { name, kernel, property, plan, held } = about;
    let hold = |hold: &Hold| format!("{} until {}", hold.held, hold.until);
    let kill = |arrival: &Arrival| format!("kill {arrival}");
    let rules = plan.holds.iter().map(hold).chain(plan.kills.iter().map(kill));
    let holds: Vec<(String, &String)> = rules.zip(held).collect();
    if arguments.json {
        output::print_json(&ReproduceJson {
            format: "kmodcheck-reproduce",
            version: 1,
            trace: name,
            kernel,
            property: property.name(),
            outcome: told.outcome,
            holds: holds
                .into_iter()
                .map(|(hold, outcome)| HoldJson { hold, outcome: outcome.clone() })
                .collect(),
            refused_line: told.refused_line,
            lost_line: told.lost_line,
        });
        return;
    }
    for ((hold, outcome), number) in holds.iter().zip(1..) {
        output::print(&format!("hold {number}, {hold}: {outcome}"));
    }
    output::print(told.text.trim_end());
    let property = property.name();
    let away =
        holds.iter().zip(1..).find(|((_, outcome), _)| *outcome != IN_TIME && *outcome != KILLED);
    let way = match away {
        None => "it took every hold".to_owned(),
        Some(((hold, outcome), number)) => {
            format!("at hold {number} ({hold}) it went another way: {outcome}")
        }
    };
    output::print(&match told.outcome {
        Outcome::Reproduced => {
            format!(
                "reproduced: kernel {kernel} violates {property}, however the log came about; {way}"
            )
        }
        Outcome::NotTold => format!(
            "not reproduced: {property} is violated in some runs that give this log of kernel {kernel}, \
             not in all; {way}"
        ),
        Outcome::NotViolated => {
            format!("not reproduced: kernel {kernel} did not violate {property}; {way}")
        }
        Outcome::Refused => format!(
            "not reproduced: what kernel {kernel} did is no behaviour of the model, so nothing is said \
             of {property}; {way}"
        ),
        Outcome::Undecided => {
            format!("undecided: whether kernel {kernel} violated {property}; {way}")
        }
    });
}
