//! What `kmodcheck check` checks, and against what.

use std::collections::BTreeMap;

use kmodcheck_explore::End;
use kmodcheck_model::scenario::When;
use kmodcheck_properties::asked;
use kmodcheck_properties::verdict::{Answer, AskedAnswer};
use kmodcheck_properties::{Property, Report, Verdict};
use kmodcheck_sim::scenario_file::Expected;

use crate::args::Check;
use crate::input::subject::{Asked, Subject};
use crate::output::{Ended, Failure};

/// A system, the properties that are judged, and what is expected of them.
pub(super) struct Checked {
    pub subject: Subject,
    pub judged: Vec<Property>,
    pub expected: BTreeMap<Property, Expected>,
}

impl Checked {
    /// `name`: of a file or a system. What the command line says counts for more than the file.
    pub(super) fn new(arguments: &Check, name: Option<&str>) -> Result<Self, Failure> {
        let of = &arguments.subject;
        let subject = Subject::load(&Asked::of(name, &of.system, of.callers.callers))?;
        let model = subject.model()?;
        for ask in subject.scenario.asks.iter().filter(|ask| ask.when == When::Returns) {
            for words in &ask.results {
                asked::is_result(&model, usize::from(ask.actor), words)
                    .map_err(|error| format!("{}: {}: {error}", subject.from, ask.name))?;
            }
        }
        let mut judged = subject.judges();
        let mut expected: BTreeMap<Property, Expected> = subject.expected.iter().copied().collect();
        expected.extend(arguments.expect.iter().copied());
        // Those that the file itself lists are judged already, unless they have to be asked for.
        let asked = |p: &Property| arguments.property == Some(*p) || expected.contains_key(p);
        judged.extend(arguments.expect.iter().map(|(property, _)| *property));
        judged.extend(Property::of_failures().filter(asked));
        judged.sort_unstable();
        judged.dedup();
        Ok(Self { subject, judged, expected })
    }

    /// Whether a property fared as expected; `None`: undecided.
    pub(super) fn as_expected(&self, answer: &Answer) -> Option<bool> {
        answer.verdict.is_as_expected(self.expected.get(&answer.property).copied())
    }

    /// Whether what the scenario itself asks fared as expected; `None`: undecided.
    pub(super) fn asked_as_expected(&self, answer: &AskedAnswer) -> Option<bool> {
        answer.verdict.is_as_expected(self.expected_of(answer))
    }

    /// What the file expects of something that it asks.
    pub(super) fn expected_of(&self, answer: &AskedAnswer) -> Option<Expected> {
        self.subject.expects_of(&answer.asked.name)
    }

    /// The properties that are looked for, one bit each: one, or all that are judged.
    pub(super) fn wanted(&self, property: Option<Property>) -> u64 {
        let all = property.as_ref().map_or(&self.judged[..], std::slice::from_ref);
        all.iter().fold(0, |bits, property| bits | 1 << *property as u64)
    }

    pub(super) fn judged<'r>(&self, report: &'r Report) -> impl Iterator<Item = &'r Answer> {
        report.answers.iter().filter(|answer| self.judged.contains(&answer.property))
    }

    pub(super) fn ended(&self, report: &Report) -> Ended {
        let mut verdicts = self.judged(report).map(|answer| self.as_expected(answer));
        let asked = report.asked.iter().map(|answer| self.asked_as_expected(answer));
        let differs = verdicts.any(|v| v == Some(false)) || asked.clone().any(|v| v == Some(false));
        let undecided = self.judged(report).any(|answer| answer.verdict == Verdict::NoneFound);
        let undecided = undecided || asked.clone().any(|v| v.is_none());
        Ended::of(differs, report.end != End::Complete || undecided)
    }
}
