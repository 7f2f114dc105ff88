//! What a patch, or a program in modprobe's place, changes: the same system without it, beside it.

use kmodcheck_explore::{End, Options};
use kmodcheck_properties::compare::{self, Compared, Judged, ResultOf};
use kmodcheck_properties::results::call;
use kmodcheck_properties::{Property, Report, Verdict};
use kmodcheck_sim::scenario_file::Expected;
use serde::Serialize;

use crate::args::Arguments;
use crate::args::subject::{Binary, Changes};
use crate::input::session;
use crate::input::subject::Asked;
use crate::output::{Failure, said};
use crate::pages::one_system::{self, OneSystem};

/// Both, compared.
#[derive(Serialize)]
pub(super) struct ComparedView {
    /// What is different, in words.
    what: String,
    before: String,
    after: String,
    /// How the search of the one before ended, if it was cut.
    cut: bool,
    changed: Vec<RowView>,
    same: Vec<String>,
    results: Vec<ResultView>,
}

#[derive(Serialize)]
struct RowView {
    name: String,
    before: String,
    after: String,
    /// In a word or two.
    change: &'static str,
}

#[derive(Serialize)]
struct ResultView {
    call: String,
    result: String,
    before: &'static str,
    after: &'static str,
    changes: bool,
}

/// The system without its patches; where it has none, without its program. `None`: it has neither.
///
/// # Errors
/// As [`one_system::judge`].
pub(super) fn without(
    arguments: &Arguments,
    asked: &Asked<'_>,
) -> Result<Option<OneSystem>, Failure> {
    let changes = asked.changes;
    let bare = if changes.patches() {
        Changes { patch: Vec::new(), text: None, ..changes.clone() }
    } else if changes.binary.modprobe.is_some() {
        Changes { binary: Binary { modprobe: None, root: None }, ..changes.clone() }
    } else {
        return Ok(None);
    };
    one_system::judge(arguments, &Asked { changes: &bare, ..*asked }).map(Some)
}

/// What is different.
///
/// # Errors
/// A system that cannot be searched.
pub(super) fn compared(
    arguments: &Arguments,
    asked: &Asked<'_>,
    [before, after]: [&OneSystem; 2],
) -> Result<ComparedView, Failure> {
    let options = Options {
        symmetry: true,
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        threads: session::threads(arguments),
        ..Options::default()
    };
    let judged =
        |system: &OneSystem| Judged { model: system.model.clone(), report: system.report.clone() };
    let systems = [judged(before), judged(after)];
    let (mut changed, mut same) = (Vec::new(), Vec::new());
    let mut row = |name: &str, compared: &Compared, [before, after]: [&Verdict; 2]| {
        if *compared == Compared::Same {
            same.push(name.to_owned());
            return;
        }
        let words = |report: &Report, verdict: &Verdict| match verdict {
            Verdict::Violated(trace) => format!("violated, in {} steps", trace.len()),
            verdict => said(report, verdict).to_owned(),
        };
        let change = match (compared, before.fared(), after.fared()) {
            (Compared::Undecided, ..) => "undecided",
            (_, Some(Expected::Violated), _) => "mended",
            (_, _, Some(Expected::Violated)) => "broken",
            _ => "differs",
        };
        let (before, after) = (words(&systems[0].report, before), words(&systems[1].report, after));
        changed.push(RowView { name: name.to_owned(), before, after, change });
    };
    for property in Property::ALL {
        let found = compare::verdict(property, &systems, &options)?;
        let verdicts = systems.each_ref().map(|system| &system.report.answer(property).verdict);
        row(property.name(), &found, verdicts);
    }
    for (at, found) in compare::asked(&systems).iter().enumerate() {
        let answers = systems.each_ref().map(|system| &system.report.asked[at]);
        row(&answers[0].asked.name, found, answers.map(|answer| &answer.verdict));
    }
    let scenario = after.model.scenario();
    let results = compare::results(&systems, &options)?;
    let result = |found: &ResultOf| {
        let [before, after] = found.can.map(|can| match can {
            Some(true) => "can be",
            Some(false) => "cannot be",
            None => "not seen",
        });
        ResultView {
            call: call(scenario, found.actor),
            result: found.result.in_words(scenario.actors[found.actor].action),
            before,
            after,
            changes: found.compared != Compared::Same,
        }
    };
    let results = results.iter().map(result).collect();
    Ok(ComparedView {
        what: what(asked),
        before: before.subject.releases(),
        after: after.subject.releases(),
        cut: before.report.end != End::Complete,
        changed,
        same,
        results,
    })
}

/// What is different between the two, in words.
pub(super) fn what(asked: &Asked<'_>) -> String {
    let Changes { patch, text, binary, .. } = asked.changes;
    let mut words: Vec<String> = patch.iter().map(|file| file.display().to_string()).collect();
    words.extend(text.iter().map(|directory| directory.display().to_string()));
    if words.is_empty() {
        words.extend(binary.modprobe.iter().map(|typed| format!("the program {typed}")));
    }
    words.join(", ")
}
