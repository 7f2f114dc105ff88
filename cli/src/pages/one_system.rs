//! The pages of one system: judged on every property, and each violation as short as it gets.

use kmodcheck_explore::reduce::Reduced;
use kmodcheck_explore::{End, Options};
use kmodcheck_model::{Event, Model};
use kmodcheck_properties::verdict::{Answer, AskedAnswer, Trace, check_all};
use kmodcheck_properties::witness::{Shown, Witness};
use kmodcheck_properties::{Property, Report, Verdict, minimal, told};
use kmodcheck_sim::scenario_file::Expected;
use kmodcheck_sim::trace::Story;
use serde::Serialize;

use crate::args::Arguments;
use crate::args::evidence::TraceFormat;
use crate::input::session;
use crate::input::subject::{Asked, Subject};
use crate::input::trace::{Taken, shown, tell};
use crate::output::rows::counted;
use crate::output::{self, Ended, Failure, assumed, bars, results, said};
use crate::pages::player::{MOST_TRANSITIONS, NoPlayer, Releases, Run, System};

/// A system and what was found.
pub(super) struct OneSystem {
    pub subject: Subject,
    pub model: Model,
    pub report: Report,
    /// Of each property that is violated, the trace.
    pub violations: Vec<(Property, Reduced<Event>)>,
    /// Of what the scenario asks itself, by its place there, the run that shows the answer.
    pub asked: Vec<(usize, Trace)>,
    /// The run that the file has, or why it is none of this system.
    pub given: Option<Result<Taken, String>>,
}

/// Judges it on every property.
///
/// # Errors
/// A subject that cannot be read, or has more processes than can be numbered.
pub(super) fn judge(arguments: &Arguments, asked: &Asked<'_>) -> Result<OneSystem, Failure> {
    let subject = Subject::load(asked)?;
    let given = subject.given()?;
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
    Ok(OneSystem { subject, model, report, violations, asked, given })
}

/// What the pages show of it.
#[derive(Serialize)]
pub(super) struct View {
    pub version: &'static str,
    pub name: String,
    pub releases: String,
    /// The same without what is known of them.
    pub releases_in_short: String,
    /// Whether a program is in modprobe's place.
    pub program: bool,
    /// What was looked at, in a sentence.
    pub looked: String,
    /// Whether that was all.
    pub complete: bool,
    pub short: Short,
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

/// What came out, by verdict.
#[derive(Default, Serialize)]
pub(super) struct Short {
    /// What is violated and is judged: name, statement, and what happens.
    pub violated: Vec<ShortViolation>,
    /// What is violated and is not judged, by name.
    pub not_judged: Vec<String>,
    /// What holds, by name.
    pub holds: Vec<String>,
    /// What came never into question, by name.
    pub vacuous: Vec<String>,
    /// What was not decided, by name.
    pub undecided: Vec<String>,
    /// What the scenario wants to be so at some time: name, and whether it is.
    pub looked_for: Vec<(String, &'static str)>,
}

#[derive(Serialize)]
pub(super) struct ShortViolation {
    pub property: String,
    pub statement: String,
    pub steps: Option<usize>,
    pub told: Option<String>,
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
    /// Whether it is the run of the file.
    pub given: bool,
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
                given: false,
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
                given: false,
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
        let given = self.given.iter().flatten().map(|taken| self.given_run(taken));
        given.chain(own).chain(violations).collect()
    }

    /// The run of the file, as it is there.
    fn given_run(&self, taken: &Taken) -> ViolationView {
        let Taken { shown: shows, model, trace } = taken;
        let (story, told, property, statement) = match shows {
            Shown::Violation(property) => (
                tell(model, *property, trace),
                told::violation(model, *property, trace),
                property.name().to_owned(),
                property.statement().to_owned(),
            ),
            Shown::Witness(witness) => {
                let (asked, sentence) = (witness.asked(model), witness.sentence(model));
                (
                    shown(model, *witness, trace),
                    told::witness(model, *witness, trace),
                    asked,
                    sentence,
                )
            }
        };
        let draw = |format| output::drawn(format, &story, model, trace, &[]);
        ViolationView {
            property,
            given: true,
            statement,
            source: None,
            told,
            steps: trace.len(),
            switches: story.switches(),
            proved: false,
            text: draw(TraceFormat::Text),
            svg: draw(TraceFormat::Svg),
            why: None,
        }
    }

    /// What was looked at, in a sentence.
    fn looked(&self) -> String {
        let Report { end, states, transitions, method, .. } = &self.report;
        let counts = format!(
            "{} and {}{}",
            counted(*states, "state"),
            counted(*transitions, "transition"),
            if method.symmetry { ", counted up to exchanging those who do the same" } else { "" }
        );
        if *end == End::Complete {
            format!("Every order in which they can take their steps, to the end: {counts}.")
        } else {
            let cut = output::end_word(&self.report);
            format!(
                "Not all of it: the search ended early ({cut}), after {counts}. What is said to be violated is; \
                 nothing is said to hold."
            )
        }
    }

    fn short(&self, answers: &[AnswerView], runs: &[ViolationView]) -> Short {
        let mut short = Short::default();
        for answer in answers {
            let name = answer.property.clone();
            match answer.verdict {
                "violated" if answer.judged => {
                    let run = runs.iter().find(|run| run.property == name && !run.given);
                    short.violated.push(ShortViolation {
                        property: name,
                        statement: answer.statement.clone(),
                        steps: answer.steps,
                        told: run.and_then(|run| run.told.clone()),
                    });
                }
                "violated" => short.not_judged.push(name),
                "holds" => short.holds.push(name),
                "vacuous" | "not applicable" => short.vacuous.push(name),
                "found" | "not to be found" => short.looked_for.push((name, answer.verdict)),
                _ => short.undecided.push(name),
            }
        }
        short
    }

    /// The runs that are shown, for the player.
    fn player_runs(&self) -> Vec<Run> {
        let given = self.given.iter().flatten().map(|taken| {
            let shows = match taken.shown {
                Shown::Violation(property) => property.name().to_owned(),
                Shown::Witness(witness) => witness.asked(&taken.model),
            };
            Run::new(format!("the run of {}", self.subject.from), shows, &taken.trace)
        });
        let named = |name: &str, trace| Run::new(name.to_owned(), name.to_owned(), trace);
        let asked = self.asked.iter();
        let asked = asked.map(|(at, trace)| named(&self.report.asked[*at].asked.name, trace));
        let violations = self.violations.iter();
        let violations = violations.map(|(of, reduced)| named(of.name(), &reduced.trace));
        given.chain(asked).chain(violations).collect()
    }

    /// The whole state graph for the player; why there is none, in words.
    ///
    /// # Errors
    /// A system that cannot be searched.
    pub(super) fn player(
        &self,
        name: &str,
        systems: usize,
    ) -> Result<Result<System, NoPlayer>, Failure> {
        let choice = &self.subject.choice;
        let releases = Releases { kernel: &choice.kernel, kmod: &choice.kmod };
        let (runs, most) = (self.player_runs(), MOST_TRANSITIONS / systems);
        System::of(&self.model, name.to_owned(), &releases, runs, most)
    }

    pub(super) fn view(&self, arguments: &Arguments) -> View {
        let scenario = self.model.scenario();
        let (answers, violations) = (self.answers(), self.runs());
        let mut notes = self.subject.notes.clone();
        notes.extend(self.given.iter().filter_map(|given| match given {
            Ok(_) => None,
            Err(why) => {
                Some(format!("the run of {} is none of this system: {why}", self.subject.from))
            }
        }));
        View {
            version: crate::sources::version(),
            name: self.subject.named(),
            releases: self.subject.releases(),
            releases_in_short: self.subject.releases_in_short(),
            program: !scenario.patched.binaries.is_empty(),
            looked: self.looked(),
            complete: self.report.end == End::Complete,
            short: self.short(&answers, &violations),
            searched: output::searched(&self.report).trim_end().to_owned(),
            limits: session::limits_in_words(&session::limits(arguments)),
            answers,
            results: results::json(scenario, &self.report),
            all_results: self.report.has_all_results(),
            actors: assumed::actors(scenario),
            assumed: assumed::assumptions(scenario),
            not_modelled: &assumed::NOT_MODELLED,
            notes,
            violations,
        }
    }
}
