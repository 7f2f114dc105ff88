//! What `kmodcheck check` prints for people: the system, what was assumed, the verdicts, what calls can come to, how
//! often premises were met, and the run that explains it.

use anstyle::{AnsiColor, Style};
use kmodcheck_explore::{Limits, Sleep, Sleeper};
use kmodcheck_model::scenario::{Resolution, Scenario};
use kmodcheck_model::{Event, Model};
use kmodcheck_properties::faults::{Faults, Tried};
use kmodcheck_properties::sleepers::in_words;
use kmodcheck_properties::verdict::{Answer, AskedAnswer, Trace};
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, Report, Verdict, told};

use super::checked::Checked;
use crate::input::session;
use crate::output::rows::{Cell, counted, plain, rows};
use crate::output::{self, assumed, results, said, screen};

/// Widths of the columns of properties and of verdicts, whichever there are.
const LEAST: [usize; 2] = [25, 21];

/// The run that is drawn.
pub(super) enum Run<'a> {
    /// What --witness has asked for.
    Shows(Witness, &'a Trace),
    Violates(Property, &'a Trace),
}

/// What is said, and how wide.
pub(super) struct Text<'a> {
    pub checked: &'a Checked,
    pub report: &'a Report,
    pub model: &'a Model,
    pub run: Option<Run<'a>>,
    pub faults: Option<&'a Faults>,
    pub width: usize,
}

impl Text<'_> {
    fn fold(&self, text: &str) {
        for line in screen::fold(text, "  ", self.width) {
            output::print(&line);
        }
    }

    fn lines(lines: &[String]) {
        lines.iter().for_each(|line| output::print(line));
    }

    /// `assumptions`: also what no scenario can have.
    pub(super) fn print(&self, limits: &Limits, assumptions: bool) {
        self.print_system(limits, assumptions);
        self.fold(output::searched(self.report).trim_end());
        output::print("");
        self.print_verdicts();
        output::print("");
        Self::lines(&results::table(&self.checked.subject.scenario, self.report, self.width));
        output::print("");
        self.print_premises();
        if let Some(faults) = self.faults {
            output::print("");
            self.print_faults(faults);
        } else if self.answers().any(|answer| matches!(answer.verdict, Verdict::Holds { .. })) {
            output::print("");
            self.fold(
                "No fault in the model is recorded for this scenario: unlike those of the main job, a \
                 'holds' here was not seen to fail. --faults puts faults in, one after the other, until it does.",
            );
        }
        self.print_sleepers();
        self.print_run();
    }

    fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.checked.judged(self.report)
    }

    fn print_system(&self, limits: &Limits, assumptions: bool) {
        let subject = &self.checked.subject;
        let scenario = &subject.scenario;
        self.fold(&subject.named());
        self.print_names();
        for note in &subject.notes {
            self.fold(&format!("note: {note}"));
        }
        self.fold(&format!("{}{}", subject.releases(), who(scenario, self.report)));
        self.fold(&format!(
            "assumed: {}; limits: {}",
            assumed::assumptions(scenario).join("; "),
            session::limits_in_words(limits)
        ));
        if assumptions {
            output::print("not modelled:");
            for line in assumed::NOT_MODELLED {
                Self::lines(&screen::fold(&format!("  - {line}"), "    ", self.width));
            }
        } else {
            self.fold(&assumed::not_modelled_in_short());
        }
    }

    /// What modprobe makes of the requested names.
    fn print_names(&self) {
        let scenario = &self.checked.subject.scenario;
        let names = |ids: &mut dyn Iterator<Item = u8>| {
            let names: Vec<&str> = ids.map(|id| scenario.module_name(id)).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        for name in &scenario.names {
            let resolved = match &name.resolution {
                Resolution::NotFound => "nothing in the indexes".to_owned(),
                Resolution::Builtin => "an entry of modules.builtin".to_owned(),
                Resolution::Modules(targets) => names(&mut targets.iter().map(|t| t.module)),
            };
            self.fold(&format!("{} resolves to {resolved}", name.request));
            for target in name.targets() {
                self.fold(&format!(
                    "modprobe tries, in order: {}",
                    names(&mut target.probed().into_iter())
                ));
            }
        }
    }

    fn print_verdicts(&self) {
        let table: Vec<[Cell; 3]> = self
            .answers()
            .map(|answer| {
                [
                    plain(answer.property.name()),
                    verdict(self.report, &answer.verdict),
                    self.expected(answer),
                ]
            })
            .collect();
        let asked = self.report.asked.iter().map(|answer| self.asked(answer));
        let table: Vec<[Cell; 3]> = table.into_iter().chain(asked).collect();
        Self::lines(&rows(["property", "verdict", ""], &table, &LEAST, self.width));
        if self.checked.judged.len() < self.report.answers.len() {
            let left = self.report.answers.iter().map(|a| a.property);
            let left = left.filter(|p| !self.checked.judged.contains(p)).map(Property::name);
            self.fold(&format!("not judged: {}", left.collect::<Vec<_>>().join(", ")));
        }
    }

    /// A row for what the scenario itself asks.
    fn asked(&self, answer: &AskedAnswer) -> [Cell; 3] {
        let found = match (&answer.verdict, &answer.run) {
            (Verdict::Violated(_), _) if answer.asked.exists => {
                ("not to be found".to_owned(), AnsiColor::Red.on_default().bold())
            }
            (Verdict::Holds { .. }, Some(run)) => {
                let steps = counted(run.len() as u64, "step");
                (format!("found ({steps})"), AnsiColor::Green.on_default())
            }
            (verdict, _) => self::verdict(self.report, verdict),
        };
        let expected = self.checked.expected_of(answer);
        let expected = match (expected, self.checked.asked_as_expected(answer)) {
            (expected, Some(false)) if !self.checked.subject.expected_of_asked.is_empty() => {
                let words = expected.map_or("not violated", |e| e.name());
                (format!("DIFFERS: expected {words}"), AnsiColor::Red.on_default().bold())
            }
            (Some(_), Some(true)) => plain("as expected"),
            (Some(expected), None) => plain(format!("expected {}", expected.name())),
            _ => plain(""),
        };
        [plain(answer.asked.name.clone()), found, expected]
    }

    /// Whether it is what was expected; nothing where nobody has expected anything of this system.
    fn expected(&self, answer: &Answer) -> Cell {
        let expected = self.checked.expected.get(&answer.property);
        match (expected, self.checked.as_expected(answer)) {
            _ if self.checked.expected.is_empty() => plain(""),
            (expected, Some(false)) => {
                let words = expected.map_or("not violated", |e| e.name());
                (format!("DIFFERS: expected {words}"), AnsiColor::Red.on_default().bold())
            }
            (Some(_), Some(true)) => plain("as expected"),
            (Some(expected), None) => plain(format!("expected {}", expected.name())),
            (None, _) => plain(""),
        }
    }

    fn print_premises(&self) {
        let row = |answer: &Answer| {
            let branches = answer.property.branches().iter().zip(&answer.branches);
            let met = branches.filter(|(_, met)| **met > 0);
            let met: Vec<String> = met.map(|(branch, met)| format!("{branch}: {met}")).collect();
            let met = if met.is_empty() { "never".to_owned() } else { met.join("; ") };
            [plain(answer.property.name()), plain(met)]
        };
        let speaks = |answer: &&Answer| {
            !matches!(answer.verdict, Verdict::NotApplicable | Verdict::NotAsked)
        };
        let table: Vec<[Cell; 2]> = self.answers().filter(speaks).map(row).collect();
        if !table.is_empty() {
            let head = ["property", "transitions in which its premise was met"];
            Self::lines(&rows(head, &table, &LEAST[..1], self.width));
        }
    }

    /// By what held: the first fault that violates it.
    fn print_faults(&self, found: &Faults) {
        let row = |tried: &Tried| {
            let by = match &tried.violated_by {
                Some(fault) => plain(fault.to_string()),
                None => ("by none of them".to_owned(), AnsiColor::Yellow.on_default()),
            };
            [plain(tried.name.clone()), by]
        };
        let table: Vec<[Cell; 2]> = found.tried.iter().map(row).collect();
        let cut = if found.complete { "" } else { "; some searches were cut" };
        let head = format!("{} were put in{cut}; violated", counted(found.faults as u64, "fault"));
        Self::lines(&rows(["what held", &head], &table, &LEAST[..1], self.width));
    }

    /// Those whom no ordinary step wakes. Of the one whose run is drawn that is told there.
    fn print_sleepers(&self) {
        let stuck = Property::NobodySleepsForEver;
        let drawn = match (&self.run, &self.report.answer(stuck).verdict) {
            (Some(Run::Violates(property, _)), Verdict::Violated(trace)) if *property == stuck => {
                Some(trace)
            }
            _ => None,
        };
        let is_drawn = |sleeper: &Sleeper<Event>| drawn == Some(&sleeper.stuck.trace);
        let sleepers = Sleep::ALL.into_iter().filter_map(|sleep| self.report.asleep(sleep));
        for sleeper in sleepers.filter(|sleeper| !is_drawn(sleeper)) {
            let (trace, process) = (&sleeper.stuck.trace, sleeper.stuck.process);
            let story = told::sleeper(self.model, trace, process, sleeper.sleep);
            let steps = counted(trace.len() as u64, "step");
            let story = story.map_or(String::new(), |story| format!(": {story}"));
            self.fold(&format!("after {steps} somebody {}{story}", in_words(sleeper.sleep)));
        }
    }

    /// The run, with what is to be seen in it.
    fn print_run(&self) {
        let text = match &self.run {
            Some(Run::Shows(witness, trace)) => {
                results::text(self.model, *witness, trace, self.width)
            }
            Some(Run::Violates(property, trace)) => {
                let property = *property;
                let steps = counted(trace.len() as u64, "step");
                let head = format!("How {} is violated, in {steps}:", property.name());
                let head = screen::styled(&head, Style::new().bold());
                let told = output::told_text(self.model, property, trace, self.width);
                let violated = |answer: &&Answer| {
                    answer.property != property && matches!(answer.verdict, Verdict::Violated(_))
                };
                let others: Vec<&str> =
                    self.answers().filter(violated).map(|answer| answer.property.name()).collect();
                let others = match &others[..] {
                    [] => String::new(),
                    names => {
                        let words =
                            format!("--property NAME shows how others are: {}", names.join(", "));
                        screen::fold(&words, "  ", self.width).join("\n") + "\n"
                    }
                };
                format!("{head}\n{told}{others}").trim_end().to_owned()
            }
            None => return,
        };
        output::print(&format!("\n{text}"));
    }
}

/// N, and who they are.
fn who(scenario: &Scenario, report: &Report) -> String {
    let processes = scenario.processes();
    format!(
        ", N = {processes}{}: {}",
        if report.method.symmetry {
            ", counted up to exchanging those who do the same"
        } else {
            ""
        },
        assumed::actors(scenario).join(", ")
    )
}

fn verdict(report: &Report, verdict: &Verdict) -> Cell {
    let colour = |colour: AnsiColor| colour.on_default();
    match verdict {
        Verdict::Violated(trace) => {
            let steps = counted(trace.len() as u64, "step");
            (format!("violated ({steps})"), colour(AnsiColor::Red).bold())
        }
        Verdict::Holds { premise_met: true } => {
            (said(report, verdict).to_owned(), colour(AnsiColor::Green))
        }
        verdict => plain(said(report, verdict)),
    }
}
