//! `kmodcheck sample`: campaigns of random walks.

use kmodcheck_explore::walk::Schedule;
use kmodcheck_model::Model;
use kmodcheck_properties::Property;
use kmodcheck_properties::sample::{Campaign, Effort, Part, Sampled, one, sample};
use kmodcheck_sim::trace::columns;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::args::Arguments;
use crate::scale_args::{Sample, Schedule as Named};
use crate::{Ended, Failure, options, output, progress, scenario_arg};

pub(crate) const FORMAT: &str = "kmodcheck-sample";
pub(crate) const VERSION: u32 = 1;

/// The first line: what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub format: String,
    pub version: u32,
    /// Of this command: another may walk otherwise.
    pub tool: String,
    pub scenario: String,
    /// Of the scenario.
    pub digest: String,
    pub schedule: String,
    pub seed: u64,
    /// Walks of the whole campaign.
    pub executions: u64,
    pub longest: u32,
    /// Which part this is, from 1, and of how many; the whole is 1 of 1.
    pub shard: [u64; 2],
}

/// A line for each property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PropertyLine {
    pub property: String,
    /// In how many walks.
    pub violated: u64,
    /// The number of the first of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// The last line: what was done. Without it a file is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tail {
    /// Walks taken; fewer than the part has if it was cut.
    pub done: u64,
    pub steps: u64,
    /// Walks that met the bound on steps.
    pub cut: u64,
    /// Walks that ended with somebody asleep.
    pub asleep: u64,
}

/// A result as lines of JSON.
pub(crate) fn lines(head: &Head, sampled: &Sampled) -> String {
    let mut text = line(head);
    for (property, (violated, first)) in Property::ALL.iter().zip(sampled.violated) {
        let property = property.name().to_owned();
        text.push_str(&line(&PropertyLine { property, violated, first }));
    }
    let Sampled { executions, steps, cut, asleep, .. } = *sampled;
    text.push_str(&line(&Tail { done: executions, steps, cut, asleep }));
    text
}

fn line(value: &impl Serialize) -> String {
    format!("{}\n", serde_json::to_string(value).expect("strings and numbers"))
}

/// A result in words.
pub(crate) fn text(head: &Head, sampled: &Sampled) -> String {
    let Sampled { executions, steps, cut, .. } = *sampled;
    let mut text = format!("{}: {}, seed {}", head.scenario, head.schedule, head.seed);
    if head.shard[1] > 1 {
        text.push_str(&format!(", part {} of {}", head.shard[0], head.shard[1]));
    }
    text.push_str(&format!("\n{executions} walks, {steps} steps"));
    if cut > 0 {
        text.push_str(&format!("; {cut} cut after {} steps", head.longest));
    }
    text.push_str("\n\n");
    for (property, (violated, first)) in Property::ALL.iter().zip(sampled.violated) {
        let said = match first {
            Some(first) => format!("violated in {violated} walks, first in number {first}"),
            None => "not met".to_owned(),
        };
        text.push_str(&format!("{:<26} {said}\n", property.name()));
    }
    text.push_str("\nSampled, not explored: 'not met' is no verdict.");
    text
}

/// How a result ends the command.
pub(crate) fn ended(sampled: &Sampled) -> Ended {
    match sampled.violated.iter().any(|(violated, _)| *violated > 0) {
        true => Ended::Differs,
        false => Ended::AsExpected,
    }
}

pub(crate) fn run(arguments: &Arguments, asked: &Sample) -> Result<Ended, Failure> {
    let scenario = scenario_arg::scenario(&asked.scenario, asked.callers)?;
    let json = serde_json::to_vec(&scenario)?;
    let name = scenario.name.clone();
    let model = Model::new(scenario, None)?;
    let mut campaign = Campaign {
        schedule: Schedule::Random,
        seed: asked.seed,
        executions: asked.executions,
        longest: asked.longest,
    };
    if asked.schedule == Named::Pct {
        // As long as a random walk: the same for every part.
        let steps = one(&model, &campaign, 0, None).len() as u32;
        campaign.schedule = Schedule::Pct { depth: asked.depth, steps };
    }
    if let Some(number) = asked.only {
        return draw(asked, &model, &campaign, number);
    }
    let part = asked.shard.unwrap_or(Part::WHOLE);
    let all = part.executions(campaign.executions);
    let bar = progress::bar(all as usize);
    let done = |walks: u64| bar.set_position(walks);
    let effort = Effort {
        threads: options::threads(arguments),
        time: arguments.time_limit,
        interrupt: Some(options::interrupt()),
        progress: Some(&done),
    };
    let sampled = sample(&model, &campaign, part, effort);
    bar.finish_and_clear();
    let head = Head {
        format: FORMAT.to_owned(),
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: name,
        digest: Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect(),
        schedule: match campaign.schedule {
            Schedule::Random => "random".to_owned(),
            Schedule::Pct { depth, steps } => format!("pct, depth {depth} of {steps} steps"),
        },
        seed: campaign.seed,
        executions: campaign.executions,
        longest: campaign.longest,
        shard: [part.index + 1, part.of],
    };
    let written = lines(&head, &sampled);
    if let Some(path) = &asked.out {
        options::write(path, &written)?;
    }
    if arguments.json {
        output::print(written.trim_end());
    } else {
        output::print(&text(&head, &sampled));
    }
    if sampled.executions < all {
        anstream::eprintln!("kmodcheck: out of budget: {} of {all} walks", sampled.executions);
        return Ok(Ended::OutOfBudget);
    }
    Ok(ended(&sampled))
}

/// Draws one walk.
fn draw(asked: &Sample, model: &Model, campaign: &Campaign, number: u64) -> Result<Ended, Failure> {
    if number >= campaign.executions {
        let last = campaign.executions - 1;
        return Err(format!("found --only {number}, expected 0 to {last}").into());
    }
    let trace = one(model, campaign, number, asked.property);
    let scenario = model.scenario();
    let Some(property) = asked.property else {
        output::print(&columns::render(scenario, &trace));
        return Ok(Ended::AsExpected);
    };
    if kmodcheck_properties::check::confirm(model, property, &trace).is_err() {
        return Err(format!("walk {number} does not violate {}", property.name()).into());
    }
    output::print(&output::trace_text(property, scenario, &trace));
    if let Some(path) = &asked.save_trace {
        options::write(path, &output::trace_json(property, scenario, &trace).to_json())?;
    }
    Ok(Ended::Differs)
}
