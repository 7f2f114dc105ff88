//! Recorded verdicts: of each matrix one line for each system, compared with what is found.
//!
//! `ext4 ok v19 none exact | N=2 372 686 25 S18 s18 T16 C18 A0 F- U+ L+ W+ | N=3 ...`: the system; for
//! each number of callers the states, transitions and depth, then each property's letter with `+`
//! (holds), `0` (holds, but its premise never occurred), `-` (does not apply) or the number of steps
//! of the shortest trace that violates it. For any number of callers `+` and `0` are for all of them (`0`:
//! the premise did not occur with as many as were explored), `3x28` is the least number of callers and the
//! steps of the shortest trace, `W2x40` what is no safety property, with the number of callers that were
//! explored. Of progress: states, transitions, and what was found. `?` is not decided.

use std::fmt;

use kmodcheck_explore::End;

use crate::judge::any_number::{self, AnyNumber};
use crate::judge::progress::{self, Progress};
use crate::judge::verdict::{Report, Verdict};
use crate::property::Property;
use crate::systems::grand::SystemReport;
use crate::systems::matrix::CellReport;

/// The record of a matrix.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its lines.
    pub text: &'static str,
    /// For each system, the mutant that violates each property that holds there.
    pub mutants: &'static str,
}

/// The main job's matrix.
pub const MAIN: Record = Record {
    text: include_str!("../../recorded/matrix.txt"),
    mutants: include_str!("../../recorded/mutants.txt"),
};

/// The grand matrix.
pub const GRAND: Record = Record {
    text: include_str!("../../recorded/grand.txt"),
    mutants: include_str!("../../recorded/grand-mutants.txt"),
};

/// The grand matrix for any number of callers.
pub const ANY_NUMBER: Record =
    Record { text: include_str!("../../recorded/any-number.txt"), ..GRAND };

/// The grand matrix, whether every call returns.
pub const PROGRESS: Record = Record { text: include_str!("../../recorded/progress.txt"), ..GRAND };

/// What a record says where no mutant violates a property.
pub const NO_MUTANT: &str = "none";

/// The line of the system of that name: after the name.
fn after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" | "))
}

impl Record {
    /// What is recorded of the system of that name.
    pub fn find(&self, name: &str) -> Option<&'static str> {
        after(self.text, name)
    }

    /// The systems, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.text.lines().map(|line| line.split(" | ").next().unwrap_or(line))
    }

    /// The mutants recorded for the system of that name: the property's letter and the mutant's name,
    /// [`NO_MUTANT`] where none violates it.
    pub fn mutants(&self, name: &str) -> impl Iterator<Item = (char, &'static str)> {
        let pairs = after(self.mutants, name).unwrap_or_default().split(' ');
        pairs.filter_map(|pair| {
            let (letter, mutant) = pair.split_once('=')?;
            Some((letter.chars().next()?, mutant))
        })
    }

    /// Compares a system with its record. What a limit kept from being found is not compared: the first
    /// violations of a breadth-first search are the shortest, cut or not.
    pub fn compare(&self, line: &Line) -> Compared {
        let (recorded, found) = (self.find(&line.name), line.found());
        if recorded == Some(&found) {
            return Compared::AsRecorded;
        }
        let is_cut = line.words.iter().any(|word| word.is_cut);
        let agrees = recorded.is_some_and(|recorded| {
            // The last word may have spaces in it.
            let old = recorded.splitn(line.words.len(), ' ');
            old.clone().count() == line.words.len()
                && old.zip(&line.words).all(|(old, new)| new.is_cut || old == new.text)
        });
        if is_cut && agrees {
            return Compared::Cut;
        }
        let recorded = recorded.map(|recorded| format!("{} | {recorded}", line.name));
        Compared::Differs(Difference { cell: line.name.clone(), recorded, found: line.to_string() })
    }
}

/// What was found of a system, in the recorded form.
#[derive(Clone, Debug)]
pub struct Line {
    name: String,
    words: Vec<Word>,
}

/// One number, or one answer.
#[derive(Clone, Debug)]
struct Word {
    text: String,
    /// A limit kept it from being found.
    is_cut: bool,
}

impl Line {
    /// Of what was found; the name is not in it.
    pub fn found(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.name, self.found())
    }
}

/// How a system compares with its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It is as recorded.
    AsRecorded,
    /// A search was cut; what it found until then is as recorded.
    Cut,
    /// It differs.
    Differs(Difference),
}

/// A difference between what is recorded and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The system.
    pub cell: String,
    /// The recorded line; `None`: nothing is recorded.
    pub recorded: Option<String>,
    /// The line found.
    pub found: String,
}

/// A verdict in one word; of a violation the number of steps.
fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::NotApplicable => "-".to_owned(),
        Verdict::Holds { premise_met: true } => "+".to_owned(),
        Verdict::Holds { premise_met: false } => "0".to_owned(),
        Verdict::Violated(trace) => trace.len().to_string(),
        Verdict::OutOfBudget | Verdict::NoneFound | Verdict::NotAsked => "?".to_owned(),
    }
}

fn words(report: &Report, callers: u8) -> Vec<Word> {
    let cut = report.end != End::Complete;
    let numbers = [report.states, report.transitions, report.depth.into()];
    let mut words = vec![Word { text: format!("N={callers}"), is_cut: false }];
    words.extend(numbers.map(|number| Word { text: number.to_string(), is_cut: cut }));
    words.extend(Property::of_built_in_systems().map(|property| {
        let verdict = &report.answer(property).verdict;
        let text = format!("{}{}", property.letter(), short(verdict));
        Word { text, is_cut: *verdict == Verdict::OutOfBudget }
    }));
    words
}

/// What a report comes to, in the recorded form.
pub fn summary(report: &Report, callers: u8) -> String {
    Line { name: String::new(), words: words(report, callers) }.found()
}

/// A cell of the main job's matrix.
pub fn cell(report: &CellReport) -> Line {
    let mut all = Vec::new();
    for (callers, report) in &report.reports {
        if !all.is_empty() {
            all.push(Word { text: "|".to_owned(), is_cut: false });
        }
        all.extend(words(report, *callers));
    }
    Line { name: report.cell.to_string(), words: all }
}

/// A system of the grand matrix.
pub fn system(report: &SystemReport) -> Line {
    let callers = report.system.cells[0].environment.callers();
    Line { name: report.system.name(), words: words(&report.report, callers) }
}

/// The system of that name, with any number of callers.
pub fn any_number(name: &str, report: &any_number::Report) -> Line {
    let words = Property::ALL.iter().zip(&report.answers).map(|(property, answer)| {
        let text = match answer {
            AnyNumber::NotApplicable => "-".to_owned(),
            AnyNumber::Holds { premise_met: true } => "+".to_owned(),
            AnyNumber::Holds { premise_met: false } => "0".to_owned(),
            AnyNumber::Violated { callers, trace } => format!("{callers}x{}", trace.len()),
            AnyNumber::Bounded { callers, verdict, .. } => {
                let times = if matches!(verdict, Verdict::Violated(_)) { "x" } else { "" };
                format!("{callers}{times}{}", short(verdict))
            }
            AnyNumber::NotDecided(_) => "?".to_owned(),
        };
        Word { text: format!("{}{text}", property.letter()), is_cut: answer.is_cut() }
    });
    Line { name: name.to_owned(), words: words.collect() }
}

/// The system of that name, and whether its calls return.
pub fn progress(name: &str, report: &progress::Report) -> Line {
    let is_cut = matches!(report.progress, Progress::OutOfBudget(_));
    let short = report.progress.short();
    // What was found is one word, however it is written: cut short it is another one.
    let words = [report.states.to_string(), report.transitions.to_string(), short];
    Line { name: name.to_owned(), words: words.map(|text| Word { text, is_cut }).into() }
}

/// Every cell that differs from the record.
pub fn differences(reports: &[CellReport]) -> Vec<Difference> {
    let differs = |report| match MAIN.compare(&cell(report)) {
        Compared::Differs(difference) => Some(difference),
        Compared::AsRecorded | Compared::Cut => None,
    };
    reports.iter().filter_map(differs).collect()
}
