//! `kmodcheck sample`: campaigns of random walks.

use kmodcheck_explore::walk::Schedule;
use kmodcheck_model::Model;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::Property;
use kmodcheck_properties::asked::{self, Asked};
use kmodcheck_properties::generate::Space;
use kmodcheck_properties::sample::{
    self, Campaign, Choose, Effort, Part, SMALL, Sampled, Subject as Sampling, one, sample,
    smallest, steps,
};
use kmodcheck_sim::trace::columns;
use sha2::{Digest, Sha256};

use super::sample_file::{FORMAT, Head, Question, VERSION, lines, named};
use crate::args::Arguments;
use crate::args::scale::{Sample, Schedule as Named};
use crate::args::subject::Releases;
use crate::input::subject::Subject;
use crate::input::{files, session};
use crate::output::{self, Ended, Failure, assumed, bars};
use crate::sources;

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
    for (number, (name, (times, first))) in named(head, sampled).into_iter().enumerate() {
        let question = number.checked_sub(Property::ALL.len()).map(|at| &head.asked[at]);
        let what = if question.is_some_and(|q| q.exists) { "found" } else { "violated" };
        let said = match first {
            Some(first) => format!("{what} in {times} walks, first in number {first}"),
            None => "not met".to_owned(),
        };
        text.push_str(&format!("{name:<26} {said}\n"));
    }
    text.push_str("\nSampled, not explored: 'not met' is no verdict.");
    text
}

/// How a result ends the command. `cut`: walks are missing.
pub(crate) fn ended(head: &Head, sampled: &Sampled, cut: bool) -> Ended {
    let asked = head.asked.iter().zip(&sampled.asked);
    let asked = asked.filter(|(question, _)| !question.exists).map(|(_, met)| met);
    Ended::of(sampled.violated.iter().chain(asked).any(|(violated, _)| *violated > 0), cut)
}

/// What walks are taken on, and what names it.
enum On {
    Scenario(Box<Model>),
    Generated(Space),
}

impl On {
    fn new(asked: &Sample) -> Result<Self, Failure> {
        if asked.generated {
            let mut space = Space::of(usize::from(asked.actors));
            let Releases { kernel, kmod } = asked.subject.system.releases;
            space.kernels.retain(|name| kernel.is_none_or(|only| only.name == *name));
            space.kmods.retain(|name| kmod.is_none_or(|only| only.name == *name));
            return Ok(Self::Generated(space));
        }
        let subject = Subject::load(&(&asked.subject).into())?;
        Ok(Self::Scenario(Box::new(sample::model(subject.scenario)?)))
    }

    fn subject(&self) -> Sampling<'_> {
        match self {
            Self::Scenario(model) => Sampling::Model(model),
            Self::Generated(space) => Sampling::Generated(space),
        }
    }

    /// What is asked besides the properties.
    fn asked(&self) -> Vec<Question> {
        let questions = match self {
            Self::Scenario(model) => asked::questions(model),
            Self::Generated(_) => Vec::new(),
        };
        let question = |asked: Asked| Question { name: asked.name, exists: asked.exists };
        questions.into_iter().map(question).collect()
    }

    /// What is shown, and what must be the same for parts to be of one campaign.
    fn named(&self) -> Result<(String, Vec<u8>), Failure> {
        Ok(match self {
            Self::Scenario(model) => {
                let scenario = model.scenario();
                (scenario.name.clone(), serde_json::to_vec(scenario)?)
            }
            Self::Generated(Space { actors, kernels, kmods }) => {
                let of = |presets: &[&str], all| match presets {
                    [one] => (*one).to_owned(),
                    _ => format!("any {all}"),
                };
                let (kernel, kmod) = (of(kernels, "kernel"), of(kmods, "kmod"));
                let name = format!("generated, up to {actors} actors, {kernel}, {kmod}");
                (name.clone(), name.into_bytes())
            }
        })
    }
}

pub(crate) fn run(arguments: &Arguments, asked: &Sample) -> Result<Ended, Failure> {
    for path in [&asked.out, &asked.save_trace].into_iter().flatten() {
        files::try_file(path)?;
    }
    let on = On::new(asked)?;
    let (choose, schedule) = choose(asked, &on);
    let campaign =
        Campaign { choose, seed: asked.seed, executions: asked.executions, longest: asked.longest };
    if let Some(number) = asked.only {
        return draw(asked, &on, &campaign, number);
    }
    let part = asked.shard.unwrap_or(Part::WHOLE);
    let all = part.executions(campaign.executions);
    let bar = bars::bar(usize::try_from(all).unwrap_or(usize::MAX), "walks");
    let done = |walks: u64| bar.set_position(walks);
    let effort = Effort {
        threads: session::threads(arguments),
        time: arguments.time_limit,
        interrupt: Some(session::interrupt()),
        progress: Some(&done),
    };
    let sampled = sample(on.subject(), &campaign, part, effort);
    bar.finish_and_clear();
    let (scenario, bytes) = on.named()?;
    let head = Head {
        format: FORMAT.to_owned(),
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        build: sources::build_in_words().to_owned(),
        scenario,
        digest: kmodcheck_explore::hex(&Sha256::digest(bytes)),
        schedule,
        seed: campaign.seed,
        executions: campaign.executions,
        longest: campaign.longest,
        shard: [part.index + 1, part.of],
        asked: on.asked(),
    };
    let written = lines(&head, &sampled);
    let saved = asked.out.as_ref().map_or(Ok(()), |path| files::write(path, &written));
    if arguments.json {
        output::print(written.trim_end());
    } else {
        output::print(&text(&head, &sampled));
    }
    saved?;
    let cut = sampled.executions < all;
    if cut {
        let (cut, done) = (output::cut(), sampled.executions);
        crate::output::note!("kmodcheck: {cut}: {done} of {all} walks");
    }
    Ok(ended(&head, &sampled, cut))
}

/// How processes are chosen, in two forms: to do it, and in words.
fn choose(asked: &Sample, on: &On) -> (Choose, String) {
    let depth = asked.depth;
    let random = Choose::By(Schedule::Random);
    match (asked.schedule, on) {
        (Named::Random, _) => (random, "random".to_owned()),
        (Named::Pct, On::Generated(_)) => {
            (Choose::PctOfEach { depth }, format!("pct, depth {depth} of each scenario's steps"))
        }
        (Named::Pct, On::Scenario(model)) => {
            // As long as a random walk: the same for every part.
            let campaign = Campaign {
                choose: random,
                seed: asked.seed,
                executions: 1,
                longest: asked.longest,
            };
            let steps = steps(&one(model, &campaign, 0, None));
            let schedule = Schedule::Pct { depth, steps };
            (Choose::By(schedule), format!("pct, depth {depth} of {steps} steps"))
        }
    }
}

/// Draws one walk, or what it is shrunk to.
fn draw(asked: &Sample, on: &On, campaign: &Campaign, number: u64) -> Result<Ended, Failure> {
    if number >= campaign.executions {
        let last = campaign.executions - 1;
        return Err(format!("found --only {number}, expected 0 to {last}").into());
    }
    let subject = on.subject();
    let model = subject.model(campaign.seed, number);
    let mut scenario = model.scenario().clone();
    let mut trace = one(&model, campaign, number, asked.property);
    let Some(property) = asked.property else {
        if asked.generated {
            output::print(&described(&scenario));
        }
        output::print(&columns::render(&scenario, &trace));
        return Ok(Ended::AsExpected);
    };
    if kmodcheck_properties::verdict::confirm(&model, property, &trace).is_err() {
        return Err(format!("walk {number} does not violate {}", property.name()).into());
    }
    if let On::Generated(space) = on {
        let smaller = smallest(space, campaign.seed, number, property);
        output::print(&match &smaller {
            Some((smaller, _)) => format!("shrunk to: {}", described(smaller)),
            None => format!("not shrunk, more than {SMALL} states: {}", described(&scenario)),
        });
        (scenario, trace) = smaller.unwrap_or((scenario, trace));
    }
    output::print(&output::trace_text(property, &scenario, &trace));
    if let Some(path) = &asked.save_trace {
        files::write(path, &output::trace_json(property, &scenario, &trace).to_json())?;
    }
    Ok(Ended::Differs)
}

/// What a generated scenario has in it.
fn described(scenario: &Scenario) -> String {
    let modules = scenario.modules.iter().map(|module| {
        let needs = module.dependencies.iter().map(|id| scenario.module_name(*id));
        match needs.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => module.name.clone(),
            needs => format!("{}, which needs {needs}", module.name),
        }
    });
    format!(
        "{}\nmodules: {}\nactors: {}\nassumed: {}\n",
        scenario.name,
        modules.collect::<Vec<_>>().join("; "),
        assumed::actors(scenario).join("; "),
        assumed::assumptions(scenario).join("; ")
    )
}
