//! The pages of one system: judged on every property, and each violation as short as it gets.

use kmodcheck_explore::reduce::Reduced;
use kmodcheck_explore::{End, Options};
use kmodcheck_model::{Event, Model};
use kmodcheck_properties::verdict::{Answer, check_all};
use kmodcheck_properties::{Property, Report, Verdict, minimal};
use serde::Serialize;

use crate::args::Arguments;
use crate::args::evidence::TraceFormat;
use crate::input::session;
use crate::input::subject::{Asked, Subject};
use crate::input::trace::tell;
use crate::output::{self, Ended, Failure, assumed, bars, results, said};

/// A system and what was found.
pub(super) struct OneSystem {
    pub subject: Subject,
    pub model: Model,
    pub report: Report,
    /// Of each property that is violated, the trace.
    pub violations: Vec<(Property, Reduced<Event>)>,
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
    Ok(OneSystem { subject, model, report, violations })
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
    pub property: &'static str,
    pub statement: &'static str,
    pub verdict: &'static str,
    /// Steps of the trace.
    pub steps: Option<usize>,
    pub premise: String,
    /// What the file says, if it says something.
    pub expected: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct ViolationView {
    pub property: &'static str,
    pub statement: &'static str,
    pub source: &'static str,
    pub steps: usize,
    pub switches: usize,
    /// Whether no trace is shorter, and none as short has fewer switches.
    pub proved: bool,
    pub text: String,
    pub svg: String,
    pub why: Vec<String>,
}

impl OneSystem {
    /// As `check` ends: 1 where a verdict is not what the file expects, or a property is violated of which
    /// it says nothing.
    pub(super) fn ended(&self) -> Ended {
        let differs = |a: &Answer| a.verdict.is_as_expected(self.expected(a)) == Some(false);
        Ended::of(self.report.answers.iter().any(differs), self.report.end != End::Complete)
    }

    fn expected(&self, answer: &Answer) -> Option<kmodcheck_sim::scenario_file::Expected> {
        let said = self.subject.expected.iter().find(|(property, _)| *property == answer.property);
        said.map(|(_, expected)| *expected)
    }

    pub(super) fn view(&self, arguments: &Arguments) -> View {
        let scenario = self.model.scenario();
        let answers = self.report.answers.iter().map(|answer| {
            let found = self.violations.iter().find(|(property, _)| *property == answer.property);
            let branches = answer.property.branches().iter().zip(&answer.branches);
            let premise: Vec<String> = branches.map(|(b, met)| format!("{b}: {met}")).collect();
            AnswerView {
                property: answer.property.name(),
                statement: answer.property.statement(),
                verdict: said(&self.report, &answer.verdict),
                steps: found.map(|(_, reduced)| reduced.trace.len()),
                premise: premise.join(", "),
                expected: self.expected(answer).map(|expected| expected.name()),
            }
        });
        let violations = self.violations.iter().map(|(property, reduced)| {
            let story = tell(&self.model, *property, &reduced.trace);
            let draw = |format| output::drawn(format, &story, &self.model, &reduced.trace, &[]);
            let why = minimal::why(&self.model, *property, &reduced.trace);
            let why = why.iter().map(|r| minimal::in_words(&self.model, &reduced.trace, r));
            ViolationView {
                property: property.name(),
                statement: property.statement(),
                source: property.source(),
                steps: reduced.trace.len(),
                switches: reduced.switches,
                proved: reduced.proved,
                text: draw(TraceFormat::Text),
                svg: draw(TraceFormat::Svg),
                why: why.collect(),
            }
        });
        View {
            version: crate::sources::version(),
            name: self.subject.named(),
            releases: self.subject.releases(),
            searched: output::searched(&self.report).trim_end().to_owned(),
            limits: session::limits_in_words(&session::limits(arguments)),
            answers: answers.collect(),
            results: results::json(scenario, &self.report),
            all_results: self.report.has_all_results(),
            actors: assumed::actors(scenario),
            assumed: assumed::assumptions(scenario),
            not_modelled: &assumed::NOT_MODELLED,
            notes: self.subject.notes.clone(),
            violations: violations.collect(),
        }
    }
}
