//! What the page shows, as data: traces told once, words and shared states numbered.

use std::collections::HashMap;

use kmodcheck_explore::reduce::{Reduced, follow};
use kmodcheck_explore::reorder::to_the_end;
use kmodcheck_explore::{Options, Product, map_on_threads};
use kmodcheck_model::Event;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::view::SharedView;
use kmodcheck_properties::from_here::ahead;
use kmodcheck_properties::grand::normal;
use kmodcheck_properties::matrix::{Cell, CellReport, Kmod, check_name, map_name};
use kmodcheck_properties::{Property, Verdict, minimal, recorded, theorem};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::graph_svg::{self, Ahead};
use kmodcheck_sim::trace::{Story, Trace, columns, neighbourhood};
use serde::Serialize;

use super::certificates::Certificates;
use super::growth::Growth;
use crate::input::trace::tell;

/// Everything.
pub(super) struct Data {
    pub app: App,
    /// The race as text, or that it is not found.
    pub race: String,
    pub graph: String,
    pub properties: Vec<PropertyData>,
    pub claims: Vec<ClaimData>,
    pub growth: Growth,
    pub certificates: Certificates,
}

/// What the script reads.
#[derive(Serialize)]
pub(super) struct App {
    version: u32,
    /// Every text that occurs, once.
    words: Vec<String>,
    /// Every shared state that occurs, once.
    states: Vec<SharedView>,
    properties: Vec<PropertyData>,
    cells: Vec<CellData>,
    traces: Vec<TraceData>,
    /// The trace to begin with: the race, or whatever is found in its place; `null`: nothing is.
    race: Option<usize>,
}

#[derive(Clone, Serialize)]
pub(super) struct PropertyData {
    letter: char,
    name: &'static str,
    statement: &'static str,
    source: &'static str,
    branches: &'static [&'static str],
}

#[derive(Serialize)]
struct CellData {
    request: &'static str,
    environment: &'static str,
    kmod: &'static str,
    check: &'static str,
    map: &'static str,
    /// Whether the shortcut is on.
    live: bool,
    runs: Vec<RunData>,
    /// By property: the mutant that violates it, where it holds.
    mutants: Vec<Option<&'static str>>,
    /// By property: its trace.
    traces: Vec<Option<usize>>,
}

#[derive(Serialize)]
struct RunData {
    callers: u8,
    symmetry: bool,
    states: u64,
    transitions: u64,
    depth: u32,
    /// By property.
    answers: Vec<AnswerData>,
}

#[derive(Serialize)]
struct AnswerData {
    verdict: &'static str,
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    premise: Vec<u64>,
}

/// A run, with numbers in place of words: by step the actor, function, what, changes, the shared
/// state after it.
#[derive(Serialize)]
struct RunWords {
    initial: usize,
    steps: Vec<[usize; 5]>,
}

#[derive(Serialize)]
struct TraceData {
    property: usize,
    scenario: String,
    actors: Vec<String>,
    switches: usize,
    proved: bool,
    run: RunWords,
    why: Vec<usize>,
    /// The same schedule with the other kmod, to the same caller's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<Beside>,
}

#[derive(Serialize)]
struct Beside {
    kmod: &'static str,
    run: RunWords,
    /// The first step that differs.
    diverges: usize,
}

#[derive(Serialize)]
pub(super) struct ClaimData {
    words: &'static str,
    stands: bool,
    cells: usize,
    vacuous: usize,
    assumptions: Vec<AssumptionData>,
}

#[derive(Serialize)]
struct AssumptionData {
    words: &'static str,
    needed_in: String,
    cell: usize,
    letter: char,
}

/// How a verdict is coloured.
pub(super) fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds { premise_met: true } => "holds",
        Verdict::Holds { premise_met: false } => "vacuous",
        Verdict::Violated(_) => "violated",
        Verdict::NotApplicable | Verdict::NotAsked => "na",
        Verdict::OutOfBudget | Verdict::NoneFound => "cut",
    }
}

/// Texts and states, numbered in the order in which they occur.
#[derive(Default)]
struct Numbered {
    words: Vec<String>,
    by_word: HashMap<String, usize>,
    states: Vec<SharedView>,
}

impl Numbered {
    fn word(&mut self, word: &str) -> usize {
        if let Some(number) = self.by_word.get(word) {
            return *number;
        }
        self.words.push(word.to_owned());
        self.by_word.insert(word.to_owned(), self.words.len() - 1);
        self.words.len() - 1
    }

    fn state(&mut self, state: &SharedView) -> usize {
        self.states.iter().position(|s| s == state).unwrap_or_else(|| {
            self.states.push(state.clone());
            self.states.len() - 1
        })
    }

    fn run(&mut self, story: &Story) -> RunWords {
        let initial = self.state(&story.initial);
        let steps = story
            .steps
            .iter()
            .map(|step| {
                let what = match step.way_out {
                    Some(way_out) => self.word(&format!("{} ({way_out})", step.what)),
                    None => self.word(&step.what),
                };
                let changes = self.word(&step.changes.join(", "));
                [step.actor, self.word(step.function), what, changes, self.state(&step.after)]
            })
            .collect();
        RunWords { initial, steps }
    }
}

/// One distinct violation, told.
struct Told {
    property: Property,
    reduced: Reduced<Event>,
    story: Story,
    why: Vec<String>,
    beside: Option<(&'static str, Story, usize)>,
}

/// The violations of two callers (of three, where two do not do it), one for each system and
/// property; by cell and property, which one.
fn violations(reports: &[CellReport], threads: usize) -> (Vec<Told>, Vec<Vec<Option<usize>>>) {
    let mut jobs: Vec<(Cell, u8, Property, &Trace)> = Vec::new();
    let mut known: HashMap<(Scenario, Property), usize> = HashMap::new();
    let mut by_cell = Vec::new();
    for report in reports {
        let mut mine = vec![None; Property::ALL.len()];
        for property in Property::ALL {
            let violated =
                report.reports.iter().find_map(|(callers, r)| match &r.answer(property).verdict {
                    Verdict::Violated(trace) => Some((*callers, trace)),
                    _ => None,
                });
            let Some((callers, trace)) = violated else { continue };
            // The alias map shows in words only where somebody looks a name up.
            let scenario = normal(report.cell.model(callers, None).scenario());
            let number = *known.entry((scenario, property)).or_insert_with(|| {
                jobs.push((report.cell, callers, property, trace));
                jobs.len() - 1
            });
            mine[property as usize] = Some(number);
        }
        by_cell.push(mine);
    }
    let told = map_on_threads(threads, &jobs, || false, |_, job| tell_one(*job));
    (told.into_iter().flatten().collect(), by_cell)
}

fn tell_one((cell, callers, property, trace): (Cell, u8, Property, &Trace)) -> Told {
    let model = cell.model(callers, None);
    let reduced = minimal::minimal(&model, property, trace, minimal::NODES)
        .expect("a found violation is one");
    let why = minimal::why(&model, property, &reduced.trace);
    let why = why.iter().map(|r| minimal::in_words(&model, &reduced.trace, r)).collect();
    let story = tell(&model, property, &reduced.trace);
    let beside = beside(cell, callers, &reduced.trace, &story);
    Told { property, reduced, story, why, beside }
}

/// The same schedule with the other kmod: its name, what happens, and the first step that differs.
fn beside(
    cell: Cell,
    callers: u8,
    trace: &Trace,
    mine: &Story,
) -> Option<(&'static str, Story, usize)> {
    let kmod = match cell.kmod {
        Kmod::V19 => Kmod::V20,
        Kmod::V20 => Kmod::V19,
    };
    let model = Cell { kmod, ..cell }.model(callers, None);
    let system = Processes { model: &model };
    let product = Product::new(&system)?;
    let mut nothing = |_: &kmodcheck_explore::Transition<'_, Event>| false;
    let followed = follow(&product, trace, &mut nothing);
    let victim = trace.last()?.actor;
    let ended = to_the_end(&product, followed.clone(), victim, &mut nothing).unwrap_or(followed);
    let story = Story::tell(&model, &ended.trace, None).expect("it was just taken");
    // In words: both may make the same system call and take its answer for different things.
    let told = |story: &Story| {
        let steps = story.steps.iter();
        steps.map(|s| (s.actor, s.function, s.what.clone())).collect::<Vec<_>>()
    };
    let diverges = told(mine).iter().zip(&told(&story)).position(|(a, b)| a != b)?;
    Some((kmod.name(), story, diverges))
}

/// The race that the page begins with: `get_fs_type()` on v4.9 with kmod v19.
const RACE: (Cell, Property) = (crate::input::subject::RACE, Property::GetFsTypeFindsIt);

pub(super) fn collect(
    reports: &[CellReport],
    threads: usize,
    growth: Growth,
    certificates: Certificates,
) -> Data {
    let (told, by_cell) = violations(reports, threads);
    let properties: Vec<PropertyData> = Property::ALL
        .into_iter()
        .map(|p| PropertyData {
            letter: p.letter(),
            name: p.name(),
            statement: p.statement(),
            source: p.source(),
            branches: p.branches(),
        })
        .collect();
    let mut numbered = Numbered::default();
    let traces = told.iter().map(|told| trace_data(told, &mut numbered)).collect();
    let cells = reports.iter().zip(&by_cell).map(|(report, traces)| cell_data(report, traces));
    let race_cell = reports.iter().position(|r| r.cell == RACE.0).expect("it is in the matrix");
    let race = by_cell[race_cell][RACE.1 as usize];
    let app = App {
        version: 1,
        cells: cells.collect(),
        traces,
        properties: properties.clone(),
        words: numbered.words,
        states: numbered.states,
        race: race.or((!told.is_empty()).then_some(0)),
    };
    let (text, graph) = match race {
        Some(race) => {
            (columns::render_story(&told[race].story, columns::WIDTH), graph(&told[race]))
        }
        None => ("It is not found.".to_owned(), String::new()),
    };
    Data { app, race: text, graph, properties, claims: claims(reports), growth, certificates }
}

/// The states around the race, with what can still go wrong from each.
fn graph(told: &Told) -> String {
    let model = RACE.0.model(2, None);
    let system = Processes { model: &model };
    let product = Product::new(&system).expect("two callers");
    let trace = &told.reduced.trace;
    let around = neighbourhood::around(&model, trace).expect("the trace replays");
    let options = Options { symmetry: true, ..Options::default() };
    let wrong: Vec<Ahead> = neighbourhood::states(&product, trace, &around)
        .iter()
        .enumerate()
        .map(|(i, state)| {
            if around.nodes[i].on_trace == Some(trace.len()) {
                return Ahead::CanGoWrong; // It has.
            }
            match ahead(&model, state, &[RACE.1], &options) {
                Ok(found) if !found.violated.is_empty() => Ahead::CanGoWrong,
                Ok(found) if found.end == kmodcheck_explore::End::Complete => Ahead::Safe,
                _ => Ahead::Unknown,
            }
        })
        .collect();
    graph_svg::render(&told.story, &around, |i| wrong[i])
}

fn trace_data(told: &Told, numbered: &mut Numbered) -> TraceData {
    TraceData {
        property: told.property as usize,
        scenario: told.story.scenario.clone(),
        actors: told.story.actors.iter().map(|a| a.what.clone()).collect(),
        switches: told.reduced.switches,
        proved: told.reduced.proved,
        run: numbered.run(&told.story),
        why: told.why.iter().map(|why| numbered.word(why)).collect(),
        beside: told.beside.as_ref().map(|(kmod, story, diverges)| Beside {
            kmod,
            run: numbered.run(story),
            diverges: *diverges,
        }),
    }
}

fn cell_data(report: &CellReport, traces: &[Option<usize>]) -> CellData {
    let cell = &report.cell;
    let mutants: Vec<(char, &str)> = recorded::MAIN.mutants(&cell.to_string()).collect();
    let mutant = |p: Property| mutants.iter().find(|(l, _)| *l == p.letter()).map(|(_, m)| *m);
    let runs = report
        .reports
        .iter()
        .map(|(callers, r)| RunData {
            callers: *callers,
            symmetry: r.method.symmetry,
            states: r.states,
            transitions: r.transitions,
            depth: r.depth,
            answers: r
                .answers
                .iter()
                .map(|a| AnswerData {
                    verdict: crate::output::word(&a.verdict),
                    class: class(&a.verdict),
                    steps: match &a.verdict {
                        Verdict::Violated(trace) => Some(trace.len()),
                        _ => None,
                    },
                    premise: a.branches.clone(),
                })
                .collect(),
        })
        .collect();
    CellData {
        request: cell.naming.request(),
        environment: cell.environment.name(),
        kmod: cell.kmod.name(),
        check: check_name(cell.check),
        map: map_name(cell.map),
        live: cell.features().kernel.already_live,
        runs,
        mutants: Property::ALL.into_iter().map(mutant).collect(),
        traces: traces.to_vec(),
    }
}

fn claims(reports: &[CellReport]) -> Vec<ClaimData> {
    theorem::standings(reports)
        .iter()
        .map(|standing| ClaimData {
            words: standing.claim.words,
            stands: standing.outcome() == theorem::Outcome::Stands,
            cells: standing.cells,
            vacuous: standing.vacuous,
            assumptions: standing
                .claim
                .assumptions
                .iter()
                .map(|a| AssumptionData {
                    words: a.words,
                    needed_in: a.needed_in.to_string(),
                    cell: reports
                        .iter()
                        .position(|r| r.cell == a.needed_in)
                        .expect("claims are about cells of the matrix"),
                    letter: a.property.letter(),
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use kmodcheck_explore::Limits;
    use kmodcheck_properties::matrix;

    use super::*;

    /// The day the race is fixed in the model, or nothing at all is violated, the page says so.
    #[test]
    fn a_page_without_the_race() {
        let none = Limits { states: Some(10), ..Limits::default() };
        let growth = || Growth { lines: Vec::new(), states: String::new(), times: None, most: 0 };
        let proofs = || super::super::certificates::read(None).unwrap();
        let reports = matrix::run(&Cell::all(), 2, none, &AtomicBool::new(false), &|_| ());
        let data = collect(&reports, 2, growth(), proofs());
        assert_eq!((data.app.race, &data.race[..]), (None, "It is not found."));
        // Another violation is shown in its place.
        let mut reports = reports;
        let other = Cell { environment: kmodcheck_model::builtin::Environment::Fail, ..RACE.0 };
        let at = reports.iter().position(|r| r.cell == other).unwrap();
        let all = Limits::default();
        reports[at] = matrix::run(&[other], 1, all, &AtomicBool::new(false), &|_| ()).remove(0);
        let data = collect(&reports, 2, growth(), proofs());
        assert_eq!((data.app.race, &data.race[..]), (Some(0), "It is not found."));
        assert!(!data.app.traces.is_empty());
    }
}
