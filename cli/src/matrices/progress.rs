//! `kmodcheck progress`: does every call return, when actors start over for ever?

use kmodcheck_explore::Options;
use kmodcheck_explore::Sleep;
use kmodcheck_model::builtin::Naming;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_properties::hard_cases::{HARD_CASES, HardCase};
use kmodcheck_properties::progress::{self, Progress, Report, Run};
use kmodcheck_properties::recorded::{self, Compared, PROGRESS};
use kmodcheck_properties::sleepers::in_words;
use kmodcheck_sim::trace::columns;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::values::are_presets;
use crate::args::{self, Arguments};
use crate::input::session;
use crate::input::subject::{Asked, Subject};
use crate::output::layout::{Layout, verdict};
use crate::output::{self, Ended, Failure, assumed, bars, presets_table};

/// A scenario and how it fared.
struct Found {
    name: String,
    scenario: Scenario,
    report: Report,
    /// What was recorded or is expected of it.
    expected: Option<&'static str>,
    /// `None`: a limit ended the search.
    as_expected: Option<bool>,
}

/// Whether every call returns.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ProgressJson {
    format: &'static str,
    version: u32,
    statement: &'static str,
    systems: Vec<SystemJson>,
}

#[derive(Serialize, JsonSchema)]
struct SystemJson {
    name: String,
    verdict: &'static str,
    states: u64,
    transitions: u64,
    bounds: Vec<String>,
    /// A run to the loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    stem: Option<Vec<StepJson>>,
    /// The loop, in which somebody never returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<Vec<StepJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'static str>,
    /// `null`: not decided.
    as_expected: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct StepJson {
    process: usize,
    function: &'static str,
    what: String,
}

pub(crate) fn run(arguments: &Arguments, asked: &args::Progress) -> Result<Ended, Failure> {
    let layout = Layout::of(asked.layout.wide);
    let search = Options {
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        ..Options::default()
    };
    let one = Asked {
        name: asked.subject.as_deref(),
        indexes: &asked.indexes,
        env: None,
        naming: None,
        kernel: asked.kernel,
        kmod: asked.kmod,
        changes: &asked.changes,
        callers: asked.callers.callers,
    };
    if one.is_none() {
        one.changes_nothing()?;
        are_presets(asked.kernel, asked.kmod)?;
    } else {
        if arguments.threads.is_some() {
            return Err("found --threads with one system, expected it with the grand matrix".into());
        }
        let scenario = Subject::load(&one)?.small_model()?.scenario().clone();
        let reports = progress::progress_all(std::slice::from_ref(&scenario), 1, &search, &|_| ());
        let mut found = Vec::new();
        for report in reports.into_iter().flatten() {
            let (name, scenario, report) = (scenario.name.clone(), scenario.clone(), report?);
            let as_expected = decided(&report).then_some(true);
            found.push(Found { name, scenario, report, expected: None, as_expected });
        }
        return Ok(show(arguments, layout, &found, 1, None));
    }
    if asked.hard_cases {
        return hard_cases(arguments, layout, &search);
    }
    let wanted = |cell: &GrandCell| {
        asked.kernel.is_none_or(|kernel| kernel.name == cell.kernel)
            && asked.kmod.is_none_or(|kmod| kmod.name == cell.kmod)
            && asked.env.is_none_or(|environment| environment == cell.environment)
            && asked.naming.is_none_or(|naming| naming == cell.naming)
    };
    let systems: Vec<System> = System::of(&GrandCell::all())
        .into_iter()
        .filter(|system| system.cells.iter().any(wanted))
        .collect();
    let scenarios: Vec<Scenario> = systems.iter().map(|s| s.scenario.clone()).collect();
    let bar = bars::bar(systems.len(), "systems");
    let threads = session::threads(arguments);
    bars::announce("progress", systems.len(), threads);
    let reports = progress::progress_all(&scenarios, threads, &search, &|_| bar.inc(1));
    bar.finish_and_clear();
    let count = systems.len();
    let mut found = Vec::new();
    let mut of = Vec::new();
    for (system, report) in systems.into_iter().zip(reports) {
        let Some(report) = report else { continue };
        let (name, report) = (system.name(), report?);
        let expected = PROGRESS.find(&name);
        let as_expected = match PROGRESS.compare(&recorded::progress(&name, &report)) {
            Compared::AsRecorded => Some(true),
            Compared::Cut => None,
            Compared::Differs(_) => Some(false),
        };
        let scenario = system.scenario.clone();
        found.push(Found { name, scenario, report, expected, as_expected });
        of.push(system);
    }
    Ok(show(arguments, layout, &found, count, Some((&of, &wanted))))
}

fn decided(report: &Report) -> bool {
    !matches!(report.progress, Progress::OutOfBudget(_))
}

fn hard_cases(
    arguments: &Arguments,
    layout: Layout,
    search: &Options<'_>,
) -> Result<Ended, Failure> {
    let mut found = Vec::new();
    let bar = bars::bar(HARD_CASES.len(), "cases");
    for case in HARD_CASES {
        let report = progress::progress(&case.model()?, search)?;
        bar.inc(1);
        let as_found = report.progress.short().split(' ').next() == Some(case.expected);
        let as_expected = decided(&report).then_some(as_found);
        let HardCase { name, words, mutant, expected, .. } = case;
        let fault = mutant.map_or(String::new(), |mutant| format!(" ({mutant})"));
        let name = format!("{name}: {words}{fault}");
        let scenario = case.scenario();
        found.push(Found { name, scenario, report, expected: Some(expected), as_expected });
    }
    bar.finish_and_clear();
    Ok(show(arguments, layout, &found, HARD_CASES.len(), None))
}

/// Which cells are asked for.
type Wanted<'w> = &'w dyn Fn(&GrandCell) -> bool;

/// Prints what was found of `count` systems; `of`: the systems, and which of their cells are asked for.
fn show(
    arguments: &Arguments,
    layout: Layout,
    found: &[Found],
    count: usize,
    of: Option<(&[System], Wanted<'_>)>,
) -> Ended {
    if arguments.json {
        let systems = found.iter().map(json).collect();
        output::print_json(&ProgressJson {
            format: "kmodcheck-progress",
            version: 2,
            statement: progress::STATEMENT,
            systems,
        });
    } else {
        layout.print(progress::STATEMENT);
        layout.print(
            "'returns'; 'time-out S+L': by a time-out only; 'asleep S+L': a call may sleep for ever, nobody\n\
             wakes it; 'killed S+L': likewise, unless somebody is killed; 'overtaken S+L': nobody may sleep for ever, but a call looks again and again, and each\n\
             time others were faster. S steps lead to a loop of L steps that may go on for ever; L = 0:\n\
             nobody has to step any more. Steps of callers that start over are not counted.",
        );
        match of {
            Some((systems, wanted)) if systems.len() > 1 => {
                print_tables(layout, systems, found, wanted)
            }
            _ => found.iter().for_each(|found| print_one(layout, found)),
        }
    }
    let differs = |f: &&Found| f.as_expected == Some(false);
    for f in found.iter().filter(differs) {
        let expected = f.expected.unwrap_or("nothing");
        let line = recorded::progress(&f.name, &f.report).found();
        crate::output::note!("kmodcheck: {}: found {line}, expected {expected}", f.name);
    }
    let complete = found.iter().filter(|f| decided(&f.report)).count();
    presets_table::ended(count, count - complete, found.iter().any(|f| differs(&f)))
}

fn print_tables(layout: Layout, systems: &[System], found: &[Found], wanted: Wanted<'_>) {
    layout.print("");
    let environments =
        presets_table::environments(layout, systems.iter().map(|s| &s.cells[..]), true);
    layout.print(
        "\nFor N callers and no others: not a safety property, so nothing follows for more.",
    );
    let of =
        presets_table::by_cell(systems.iter().map(|system| &system.cells[..]).zip(found), wanted);
    for naming in Naming::ALL {
        let entry = |cell: &GrandCell| Some(of.get(cell)?.report.progress.short());
        if let Some(tables) = presets_table::of_naming(layout, &entry, &environments, naming) {
            let before = if layout == Layout::Wide { "\n" } else { "" };
            output::print(&format!("{before}{tables}"));
        }
    }
    let count = |word: &str| {
        found.iter().filter(|f| f.report.progress.short().split(' ').next() == Some(word)).count()
    };
    layout.print(&format!(
        "\n{} systems: in {} every call returns, in {} some by a time-out only, in {} a call may sleep for\n\
         ever, in {} until somebody is killed, in {} it may be overtaken for ever, {} not decided. For the\n\
         run of one cell: --kernel K --kmod M --env E --naming N.",
        found.len(),
        count("returns"),
        count("time-out"),
        count("asleep"),
        count("killed"),
        count("overtaken"),
        count("?")
    ));
}

fn print_one(layout: Layout, found: &Found) {
    let Found { name, scenario, report, .. } = found;
    layout.print(&format!("\n{name}"));
    layout.print(&format!(
        "{} ({} states, {} transitions)",
        verdict(&report.progress.short()),
        report.states,
        report.transitions
    ));
    layout.print(&format!("actors: {}", assumed::actors(scenario).join("; ")));
    layout.print(&format!("bounds: {}", report.bounds.join("; ")));
    match &report.progress {
        Progress::Asleep(run) => print_run(layout, scenario, run, in_words(Sleep::ForEver)),
        Progress::OnlyIfKilled(run) => {
            print_run(layout, scenario, run, in_words(Sleep::UntilKilled))
        }
        Progress::Overtaken(run) => print_run(layout, scenario, run, "is overtaken for ever"),
        Progress::ByTimeOutOnly(run) => {
            print_run(layout, scenario, run, in_words(Sleep::UntilTimeOut))
        }
        Progress::Returns => {}
        Progress::OutOfBudget(end) => {
            layout.print(&format!("not decided: {}", output::how(*end)));
        }
    }
}

fn print_run(layout: Layout, scenario: &Scenario, run: &Run, what: &str) {
    layout.print(&format!("The call of CPU{} {what}. The way to the loop:\n", run.process));
    output::print(&columns::render(scenario, &progress::steps(&run.stem)));
    if run.cycle.is_empty() {
        output::print("There nobody has to step any more.");
    } else {
        output::print("The loop, for ever:\n");
        output::print(&columns::render(scenario, &progress::steps(&run.cycle)));
    }
}

fn json(found: &Found) -> SystemJson {
    let Found { name, scenario, report, expected, as_expected } = found;
    let steps = |part: &[_]| {
        let own = progress::steps(part);
        own.iter()
            .map(|step| StepJson {
                process: step.actor,
                function: step.label.function(),
                what: step.label.describe(scenario).to_string(),
            })
            .collect::<Vec<_>>()
    };
    let (verdict, run) = match &report.progress {
        Progress::Returns => ("returns", None),
        Progress::ByTimeOutOnly(run) => (in_words(Sleep::UntilTimeOut), Some(run)),
        Progress::Asleep(run) => ("may sleep for ever", Some(run)),
        Progress::OnlyIfKilled(run) => ("may sleep until somebody is killed", Some(run)),
        Progress::Overtaken(run) => ("may be overtaken for ever", Some(run)),
        Progress::OutOfBudget(_) => ("not decided", None),
    };
    SystemJson {
        name: name.clone(),
        verdict,
        states: report.states,
        transitions: report.transitions,
        bounds: report.bounds.clone(),
        stem: run.map(|run| steps(&run.stem)),
        cycle: run.map(|run| steps(&run.cycle)),
        expected: *expected,
        as_expected: *as_expected,
    }
}
