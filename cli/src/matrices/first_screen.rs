//! What the command without a name says first, on one screen: the question, the answer as one small table,
//! what follows from it, the end of the race, and where to go on.

use anstyle::{AnsiColor, Style};
use kmodcheck_explore::End;
use kmodcheck_model::builtin::Environment;
use kmodcheck_model::features::SanityCheck;
use kmodcheck_model::presets::{KERNELS, KMODS};
use kmodcheck_properties::matrix::{CHECKS, Cell, CellReport, Kmod, check_name};
use kmodcheck_properties::theorem::{self, Outcome, Standing};
use kmodcheck_properties::verdict::Trace;
use kmodcheck_properties::{Property, Verdict};

use crate::input::subject::RACE;
use crate::output::matrix_tables::HEADLINE;
use crate::output::screen;

/// How many steps of the race are shown, the last ones.
const SHOWN: usize = 11;

/// Fewer of them tell nothing.
const LEAST: usize = 6;

/// A letter for what may have to be assumed, in words, and whether a cell fulfils it.
type Assumed = (char, &'static str, fn(&Cell) -> bool);

/// In the order of the letters.
const ASSUMED: [Assumed; 2] = [
    ('A', "no init fails", |cell| cell.environment != Environment::Fail),
    ('B', "the alias map gives the module's own name", Cell::mapped),
];

/// How a reading fares with a release of kmod, over all its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fared {
    /// Under these of [`ASSUMED`], one bit each; 0: without any.
    Holds(usize),
    /// Whatever is assumed; steps of the shortest trace.
    Violated(usize),
    /// A search that it depends on was cut, or not begun.
    Undecided,
}

impl Fared {
    fn words(&self) -> (String, Style) {
        let colour = |colour: AnsiColor| colour.on_default();
        match self {
            Self::Holds(0) => ("holds".to_owned(), colour(AnsiColor::Green)),
            Self::Holds(set) => {
                let letters = (ASSUMED.iter().enumerate()).filter(|(bit, _)| set >> bit & 1 == 1);
                let letters: Vec<String> = letters.map(|(_, (c, ..))| c.to_string()).collect();
                (format!("holds if {}", letters.join(" and ")), colour(AnsiColor::Yellow))
            }
            Self::Violated(steps) => {
                (format!("violated, in {steps} steps"), colour(AnsiColor::Red).bold())
            }
            Self::Undecided => ("not decided".to_owned(), Style::new().bold()),
        }
    }
}

fn fared(reports: &[CellReport], check: SanityCheck, kmod: Kmod) -> Fared {
    let every = || Cell::all().into_iter().filter(move |c| (c.check, c.kmod) == (check, kmod));
    let mut sets: Vec<usize> = (0..1 << ASSUMED.len()).collect();
    sets.sort_by_key(|set| set.count_ones());
    let mut shortest = None;
    let mut undecided = false;
    for set in sets {
        let assumed = |cell: &Cell| {
            (ASSUMED.iter().enumerate()).all(|(bit, (.., is))| set >> bit & 1 == 0 || is(cell))
        };
        let (mut holds, mut violated, mut open) = (false, false, false);
        for cell in every().filter(assumed) {
            let Some(report) = reports.iter().find(|r| r.cell == cell) else {
                open = true;
                continue;
            };
            for (_, report) in &report.reports {
                match &report.answer(HEADLINE).verdict {
                    Verdict::Holds { premise_met } => holds |= premise_met,
                    Verdict::Violated(trace) => {
                        violated = true;
                        let steps = trace.len();
                        shortest = Some(shortest.map_or(steps, |s: usize| s.min(steps)));
                    }
                    Verdict::NotApplicable
                    | Verdict::NotAsked
                    | Verdict::OutOfBudget
                    | Verdict::NoneFound => open = true,
                }
            }
        }
        if !violated && !open && holds {
            // With fewer assumptions something was not decided: it may be that they suffice.
            return if undecided { Fared::Undecided } else { Fared::Holds(set) };
        }
        undecided |= open && !violated;
    }
    match shortest {
        Some(steps) if !undecided => Fared::Violated(steps),
        _ => Fared::Undecided,
    }
}

/// Lines of at most `width`, without a newline at the end. Of the race as many steps as leave the rest on a
/// screen of `height` lines; where that is not high enough for any, the command that shows it stands for it.
pub(crate) fn render(
    reports: &[CellReport],
    standings: &[Standing],
    same: bool,
    (width, height): (usize, Option<usize>),
) -> Vec<String> {
    let bold = Style::new().bold();
    let cells = Cell::all().len();
    let mut lines = Vec::new();
    let heading = "Does a request for a module return 0 before the module is there?";
    lines.extend(screen::fold(heading, "", width).iter().map(|l| screen::styled(l, bold)));
    let complete = |r: &&CellReport| r.reports.iter().all(|(_, r)| r.end == End::Complete);
    let complete = reports.iter().filter(complete).count();
    let said = if same {
        format!("all {cells} explored to the end and as recorded")
    } else if complete == cells {
        "explored to the end; some differ from the record, see kmodcheck --all".to_owned()
    } else {
        format!("{complete} explored to the end, see kmodcheck --all")
    };
    let systems = format!(
        "Kernel v4.9 with each reading of the check that was proposed for it; {cells} systems of two \
         and three callers, {said}."
    );
    lines.extend(screen::fold(&systems, "", width));
    lines.push(String::new());
    lines.extend(table(reports, width));
    let legend: Vec<String> = ASSUMED.iter().map(|(c, words, _)| format!("{c}: {words}")).collect();
    lines.extend(screen::fold(&format!("{}.", legend.join(". ")), "", width));
    lines.push(String::new());
    let came = |outcome| standings.iter().any(|s| s.outcome() == outcome);
    let follows = if came(Outcome::Falls) {
        "What was claimed to follow from it does not stand: see kmodcheck --all."
    } else if came(Outcome::Undecided) {
        "What follows from it was not decided: see kmodcheck --all."
    } else {
        theorem::IN_SHORT
    };
    lines.extend(screen::fold(follows, "", width));
    let next = next(width);
    if let Some(trace) = theorem::violation(reports, RACE, Property::GetFsTypeFindsIt) {
        // Below all of it stands the prompt.
        let most =
            height.map_or(usize::MAX, |height| height.saturating_sub(lines.len() + next.len() + 3));
        let steps = (LEAST..=SHOWN).rev().find(|steps| race(&trace, width, *steps).len() <= most);
        if let Some(steps) = steps {
            lines.push(String::new());
            lines.extend(race(&trace, width, steps));
        }
    }
    lines.push(String::new());
    lines.extend(next);
    lines
}

/// Where to go on, in lines of at most `width`.
fn next(width: usize) -> Vec<String> {
    let commands = commands();
    let column = commands.iter().map(|(command, _)| command.len()).max().unwrap_or(0) + 2;
    let line = |(command, what): &(&str, String)| {
        let text = screen::fold(&format!("{command:column$}{what}"), &" ".repeat(column), width);
        let bold = |line: &String| match line.strip_prefix(command) {
            Some(rest) => format!("{}{rest}", screen::styled(command, Style::new().bold())),
            None => line.clone(),
        };
        text.iter().map(bold).collect::<Vec<_>>()
    };
    commands.iter().flat_map(line).collect()
}

/// Commands, and what they show.
fn commands() -> [(&'static str, String); 5] {
    let (kernels, kmods, environments) = (KERNELS.len(), KMODS.len(), Environment::ALL.len());
    let all = format!("{kernels} kernels, {kmods} modprobes, {environments} environments");
    [
        ("kmodcheck check race", "the whole race in columns, and every property".to_owned()),
        ("kmodcheck --all", "every table, and a trace for each assumption".to_owned()),
        ("kmodcheck matrix", all),
        ("kmodcheck prove", "the same for any number of callers".to_owned()),
        (
            "kmodcheck new my.toml",
            "a scenario of your own, for: kmodcheck check my.toml".to_owned(),
        ),
    ]
}

/// A row for each reading; those that come to the same share one.
fn table(reports: &[CellReport], width: usize) -> Vec<String> {
    let mut rows: Vec<(String, [Fared; 2])> = Vec::new();
    for check in CHECKS {
        let found = Kmod::ALL.map(|kmod| fared(reports, check, kmod));
        match rows.last_mut() {
            Some((names, last)) if *last == found => {
                names.push_str(", ");
                names.push_str(check_name(check));
            }
            _ => rows.push((check_name(check).to_owned(), found)),
        }
    }
    let heads = Kmod::ALL.map(|kmod| format!("kmod {}", kmod.name()));
    let columns = [0, 1].map(|kmod: usize| {
        let words = rows.iter().map(|(_, found)| found[kmod].words().0.len());
        words.chain([heads[kmod].len()]).max().unwrap_or(0)
    });
    // Where all names of a row do not fit, they go on below.
    let most = width.saturating_sub(columns[0] + 2 + columns[1] + 2).max(12);
    let first = rows.iter().map(|(names, _)| names.len()).max().unwrap_or(0).min(most) + 2;
    let column = columns[0] + 2;
    let mut lines = vec![screen::styled(
        format!("{:first$}{:column$}{}", "check", heads[0], heads[1]).trim_end(),
        Style::new().underline(),
    )];
    for (names, found) in rows {
        let [(before, style), (after, other)] = found.map(|fared| fared.words());
        let blank = " ".repeat(column - before.len());
        let (before, after) = (screen::styled(&before, style), screen::styled(&after, other));
        let mut names = screen::fold(&names, "  ", first - 2).into_iter();
        let name = names.next().unwrap_or_default();
        lines.push(format!("{name:first$}{before}{blank}{after}"));
        lines.extend(names);
    }
    lines
}

/// The end of the race, its last `shown` steps.
fn race(trace: &Trace, width: usize, shown: usize) -> Vec<String> {
    let model = RACE.model(2, None);
    let before = trace.len().saturating_sub(shown);
    let head = format!(
        "The race with kmod v19, {} steps, no shorter one exists; its last {}:",
        trace.len(),
        trace.len() - before
    );
    let mut lines = screen::fold(&head, "", width);
    for step in &trace[before..] {
        let what = step.label.describe(model.scenario());
        let line = format!("  CPU{}  {}: {what}", step.actor, step.label.function());
        lines.extend(screen::fold(&line, "          ", width));
    }
    lines
}
