//! What each call can come to, as `check` prints it, and the run that `--witness` asks for.

use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::Report;
use kmodcheck_properties::verdict::Trace;
use kmodcheck_properties::{results::call, witness::Witness};
use kmodcheck_sim::trace::columns;
use kmodcheck_sim::trace::witness::WitnessFile;
use serde::Serialize;

use crate::output::{self, Failure};

/// The results of an actor's call. Of a search that was cut, those that were seen.
#[derive(Serialize)]
pub(crate) struct ResultsJson {
    /// From 1.
    actor: usize,
    call: String,
    /// How many such actors there are.
    count: u8,
    killable: bool,
    results: Vec<String>,
}

pub(crate) fn json(scenario: &Scenario, report: &Report) -> Vec<ResultsJson> {
    let actors = scenario.actors.iter().zip(&report.results).enumerate();
    actors
        .map(|(at, (actor, results))| ResultsJson {
            actor: at + 1,
            call: call(scenario, at),
            count: actor.count,
            killable: actor.killable,
            results: results.iter().map(|r| r.in_words(actor.action)).collect(),
        })
        .collect()
}

pub(crate) fn print(scenario: &Scenario, report: &Report) {
    let so_far = if report.has_all_results() { "" } else { ", seen so far" };
    output::print(&format!(
        "what each call can come to{so_far} (--witness ACTOR=RESULT shows it):"
    ));
    for actor in json(scenario, report) {
        output::print(&format!("  {}: {}", actor.actor, actor.in_words()));
    }
}

impl ResultsJson {
    /// How many call what, and what that can come to.
    pub(crate) fn in_words(&self) -> String {
        let killable = if self.killable { ", who may be killed" } else { "" };
        let results = match &self.results[..] {
            [] => "nothing".to_owned(),
            results => results.join("; "),
        };
        let Self { call, count, .. } = self;
        format!("{count} x {call}{killable}: {results}")
    }
}

/// The run that is asked for; `None`: the search was cut before it was found.
pub(crate) fn witness(
    model: &Model,
    report: &Report,
    text: &str,
    options: &Options<'_>,
) -> Result<Option<(Witness, Trace)>, Failure> {
    let witness = Witness::parse(model, text, Some(report))?;
    let Some(trace) = witness.find(model, report, options)? else {
        crate::output::note!(
            "kmodcheck: {}: no run to '{}' was found again",
            crate::output::cut(),
            witness.asked(model)
        );
        return Ok(None);
    };
    witness.confirm(model, &trace).expect("a found run replays and shows it");
    Ok(Some((witness, trace)))
}

pub(crate) fn file(model: &Model, witness: Witness, trace: &Trace) -> WitnessFile {
    let (asked, shows) = (witness.asked(model), witness.sentence(model));
    WitnessFile::new(asked, shows, model.scenario(), trace)
}

/// The run in columns, with what it shows under it.
pub(crate) fn text(model: &Model, witness: Witness, trace: &Trace) -> String {
    let shows = format!("shows: {}", witness.sentence(model));
    format!(
        "{}\n{}\n",
        columns::render(model.scenario(), trace),
        textwrap::fill(&shows, columns::WIDTH)
    )
}
