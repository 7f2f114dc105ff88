//! The pages of one system: judged on every property, and each violation as short as it gets.

use kmodcheck_explore::reduce::Reduced;
use kmodcheck_explore::{End, Options};
use kmodcheck_model::{Event, Model};
use kmodcheck_properties::verdict::{Answer, AskedAnswer, Trace, check_all};
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, Report, Verdict, minimal, told};
use kmodcheck_sim::scenario_file::Expected;
use kmodcheck_sim::trace::Story;
use serde::Serialize;

use crate::args::Arguments;
use crate::args::evidence::TraceFormat;
use crate::input::session;
use crate::input::subject::{Asked, Subject};
use crate::input::trace::{shown, tell};
use crate::output::{self, Ended, Failure, assumed, bars, results, said};

/// A system and what was found.
pub(super) struct OneSystem {
    pub subject: Subject,
    pub model: Model,
    pub report: Report,
    /// Of each property that is violated, the trace.
    pub violations: Vec<(Property, Reduced<Event>)>,
    /// Of what the scenario asks itself, by its place there, the run that shows the answer.
    pub asked: Vec<(usize, Trace)>,
}

/// Judges it on every property.
///
/// # Errors
/// A subject that cannot be read, or has more processes than can be numbered.
pub(super) fn judge(arguments: &Arguments, asked: &Asked<'_>) -> Result<OneSystem, Failure> {
    let subject = Subject::load(asked)?;
    let model = subject.small_model()?;
    let spinner = bars::spinner();
    let describe = |p| spinner.set_message(bars::describe(p));
    let options = Options {
        symmetry: true,
        threads: session::threads(arguments),
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        progress: Some(&describe),
        ..Options::default()
    };
    let report = check_all(&model, &options)?;
    spinner.finish_and_clear();
    let violations = report.answers.iter().filter_map(|answer| match &answer.verdict {
        Verdict::Violated(trace) => {
            let reduced = minimal::minimal(&model, answer.property, trace, minimal::NODES);
            Some((answer.property, reduced.expect("a found violation is one")))
        }
        _ => None,
    });
    let violations = violations.collect();
    let run = |(at, answer): (usize, &AskedAnswer)| {
        let run = answer.run_shown()?;
        Some((at, minimal::run_with_few_switches(&model, run, minimal::FEW_NODES)))
    };
    let asked = report.asked.iter().enumerate().filter_map(run).collect();
    Ok(OneSystem { subject, model, report, violations, asked })
}

/// What the pages show of it.
#[derive(Serialize)]
pub(super) struct View {
    pub version: &'static str,
    pub name: String,
    pub releases: String,
    pub searched: String,
    pub limits: String,
    pub answers: Vec<AnswerView>,
    pub results: Vec<results::ResultsJson>,
    /// Whether these are all that there are.
    pub all_results: bool,
    pub actors: Vec<String>,
    pub assumed: Vec<String>,
    pub not_modelled: &'static [&'static str],
    pub notes: Vec<String>,
    pub violations: Vec<ViolationView>,
}

#[derive(Serialize)]
pub(super) struct AnswerView {
    pub property: String,
    pub statement: String,
    pub verdict: &'static str,
    /// Steps of the trace.
    pub steps: Option<usize>,
    pub premise: String,
    /// What the file says, if it says something.
    pub expected: Option<&'static str>,
    /// Whether the exit status depends on it.
    pub judged: bool,
}

#[derive(Serialize)]
pub(super) struct ViolationView {
    pub property: String,
    pub statement: String,
    /// Of a property of the model.
    pub source: Option<&'static str>,
    /// What happens, in a sentence.
    pub told: Option<String>,
    pub steps: usize,
    pub switches: usize,
    /// Whether no trace is shorter, and none as short has fewer switches.
    pub proved: bool,
    pub text: String,
    pub svg: String,
    /// Which reorderings would have avoided it; of a run that only shows something it is not asked.
    pub why: Option<Vec<String>>,
}

impl OneSystem {
    /// As `check` ends: 1 where something that is judged is not what the file expects, or is violated and the file says
    /// nothing of it.
    pub(super) fn ended(&self) -> Ended {
        let judged = self.subject.judges();
        let judged = self.report.answers.iter().filter(|a| judged.contains(&a.property));
        let mut fared = judged.map(|a| a.verdict.is_as_expected(self.expected(a)));
        let own =
            |a: &AskedAnswer| a.verdict.is_as_expected(self.subject.expects_of(&a.asked.name));
        let asked: Vec<Option<bool>> = self.report.asked.iter().map(own).collect();
        let differs = fared.any(|fared| fared == Some(false)) || asked.contains(&Some(false));
        Ended::of(differs, self.report.end != End::Complete || asked.contains(&None))
    }

    fn expected(&self, answer: &Answer) -> Option<Expected> {
        let said = self.subject.expected.iter().find(|(property, _)| *property == answer.property);
        said.map(|(_, expected)| *expected)
    }

    /// What was found of each property, the scenario's own first.
    fn answers(&self) -> Vec<AnswerView> {
        let own = self.report.asked.iter().enumerate().map(|(at, answer)| AnswerView {
            property: answer.asked.name.clone(),
            statement: answer.asked.statement.clone(),
            verdict: match (&answer.verdict, answer.asked.exists) {
                (Verdict::Violated(_), true) => "not to be found",
                (Verdict::Holds { .. }, true) => "found",
                (verdict, _) => said(&self.report, verdict),
            },
            steps: self.asked.iter().find(|(of, _)| *of == at).map(|(_, run)| run.len()),
            premise: String::new(),
            expected: self.subject.expects_of(&answer.asked.name).map(|expected| expected.name()),
            judged: true,
        });
        let judged = self.subject.judges();
        let of = |answer: &Answer| {
            let found = self.violations.iter().find(|(property, _)| *property == answer.property);
            let branches = answer.property.branches().iter().zip(&answer.branches);
            let premise: Vec<String> = branches.map(|(b, met)| format!("{b}: {met}")).collect();
            AnswerView {
                property: answer.property.name().to_owned(),
                statement: answer.property.statement().to_owned(),
                verdict: said(&self.report, &answer.verdict),
                steps: found.map(|(_, reduced)| reduced.trace.len()),
                premise: premise.join(", "),
                expected: self.expected(answer).map(|expected| expected.name()),
                judged: judged.contains(&answer.property),
            }
        };
        own.chain(self.report.answers.iter().map(of)).collect()
    }

    /// Each run, the scenario's own first.
    fn runs(&self) -> Vec<ViolationView> {
        let model = &self.model;
        let draw = |story: &Story, trace, format| output::drawn(format, story, model, trace, &[]);
        let own = self.asked.iter().map(|(at, trace)| {
            let witness = Witness::Asked(*at);
            let story = shown(model, witness, trace);
            let asked = &self.report.asked[*at].asked;
            ViolationView {
                property: asked.name.clone(),
                statement: asked.statement.clone(),
                source: None,
                told: told::witness(model, witness, trace),
                steps: trace.len(),
                switches: story.switches(),
                proved: false,
                text: draw(&story, trace, TraceFormat::Text),
                svg: draw(&story, trace, TraceFormat::Svg),
                why: None,
            }
        });
        let violations = self.violations.iter().map(|(property, reduced)| {
            let story = tell(model, *property, &reduced.trace);
            let why = minimal::why(model, *property, &reduced.trace);
            let why = why.iter().map(|r| minimal::in_words(model, &reduced.trace, r));
            ViolationView {
                property: property.name().to_owned(),
                statement: property.statement().to_owned(),
                source: Some(property.source()),
                told: told::violation(model, *property, &reduced.trace),
                steps: reduced.trace.len(),
                switches: reduced.switches,
                proved: reduced.proved,
                text: draw(&story, &reduced.trace, TraceFormat::Text),
                svg: draw(&story, &reduced.trace, TraceFormat::Svg),
                why: Some(why.collect()),
            }
        });
        own.chain(violations).collect()
    }

    pub(super) fn view(&self, arguments: &Arguments) -> View {
        let scenario = self.model.scenario();
        View {
            version: crate::sources::version(),
            name: self.subject.named(),
            releases: self.subject.releases(),
            searched: output::searched(&self.report).trim_end().to_owned(),
            limits: session::limits_in_words(&session::limits(arguments)),
            answers: self.answers(),
            results: results::json(scenario, &self.report),
            all_results: self.report.has_all_results(),
            actors: assumed::actors(scenario),
            assumed: assumed::assumptions(scenario),
            not_modelled: &assumed::NOT_MODELLED,
            notes: self.subject.notes.clone(),
            violations: self.runs(),
        }
    }
}
