//! What each call can come to, as `check` prints it, and the run that `--witness` asks for.

use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::Report;
use kmodcheck_properties::verdict::Trace;
use kmodcheck_properties::{results::call, told, witness::Witness};
use kmodcheck_sim::trace::columns;
use kmodcheck_sim::trace::witness::WitnessFile;
use schemars::JsonSchema;
use serde::Serialize;

use crate::output::rows::{plain, rows};
use crate::output::{Failure, screen};

/// The results of an actor's call. Of a search that was cut, those that were seen.
#[derive(Serialize, JsonSchema)]
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

/// A table of at most `width` of what each call can come to.
pub(crate) fn table(scenario: &Scenario, report: &Report, width: usize) -> Vec<String> {
    let so_far = if report.has_all_results() { "" } else { ", seen so far" };
    let title =
        format!("what each call can come to{so_far} (--witness ACTOR=RESULT shows a run to it):");
    let mut lines = screen::fold(&title, "  ", width);
    let row = |actor: ResultsJson| {
        let (who, results) = (actor.who(), actor.results_in_words());
        [plain(actor.actor.to_string()), plain(who), plain(results)]
    };
    let table: Vec<_> = json(scenario, report).into_iter().map(row).collect();
    lines.extend(rows(["actor", "calls", "results"], &table, &[], width));
    lines
}

impl ResultsJson {
    /// How many call what, and what that can come to.
    pub(crate) fn in_words(&self) -> String {
        format!("{}: {}", self.who(), self.results_in_words())
    }

    fn who(&self) -> String {
        let killable = if self.killable { ", who may be killed" } else { "" };
        format!("{} x {}{killable}", self.count, self.call)
    }

    fn results_in_words(&self) -> String {
        match &self.results[..] {
            [] => "nothing".to_owned(),
            results => results.join("; "),
        }
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

/// The run in columns of `width`, for whom a sleeper in it waits above them, and what it shows under them.
pub(crate) fn text(model: &Model, witness: Witness, trace: &Trace, width: usize) -> String {
    let story = told::witness(model, witness, trace)
        .map(|story| screen::fold(&story, "", width).join("\n") + "\n\n");
    let shows = format!("shows: {}", witness.sentence(model));
    format!(
        "{}{}\n{}\n",
        story.unwrap_or_default(),
        columns::render_within(model.scenario(), trace, width),
        screen::fold(&shows, "", width).join("\n")
    )
}
