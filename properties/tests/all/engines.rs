//! Every engine of every system: the same verdicts, and traces of the same length where that is promised;
//! and none says what it cannot. The systems are generated ones, the scenario files, and cells of the
//! main matrix.

use std::path::Path;

use kmodcheck_explore::checkpoint::Checkpoint;
use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::scenario::{Action, Actor};
use kmodcheck_model::{History, Model, Scenario};
use kmodcheck_properties::generate::{self, Space};
use kmodcheck_properties::matrix::Cell;
use kmodcheck_properties::programs;
use kmodcheck_properties::verdict::{Engine, Report, Verdict, check_by};
use kmodcheck_properties::{Property, check};
use kmodcheck_sim::scenario_file;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::sample::sample;

/// How often something was there to be compared.
#[derive(Debug, Default)]
struct Met {
    systems: u32,
    violated: u32,
    held: u32,
    sleepers: u32,
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Violated(trace) => format!("violated in {} steps", trace.len()),
        other => format!("{other:?}"),
    }
}

/// All that is counted, and every verdict with the length of its trace.
fn summary(report: &Report) -> impl PartialEq + std::fmt::Debug + use<> {
    let sleepers = report.sleepers.iter();
    let sleepers = sleepers.map(|s| (s.kind, s.sleep, s.stuck.trace.len(), s.stuck.states));
    let answers = report.answers.iter().map(|a| (a.property, said(&a.verdict), a.branches.clone()));
    (
        (report.end, report.states, report.transitions, report.depth, report.queue),
        answers.collect::<Vec<_>>(),
        sleepers.collect::<Vec<_>>(),
        (report.decisions, report.results.clone()),
    )
}

/// The properties that were violated, one bit each.
fn violated(report: &Report) -> u64 {
    let violated = report.answers.iter().filter(|a| matches!(a.verdict, Verdict::Violated(_)));
    violated.fold(0, |bits, a| bits | 1 << a.property as u64)
}

/// Compares what the engines find of one system, if it is small.
fn compare(name: &str, model: &Model, met: &mut Met) {
    let limits = Limits { states: Some(12_000), ..Limits::default() };
    let by = |symmetry| Options { symmetry, limits, ..Options::default() };
    let sorted = check(model, &by(true)).expect("it fits");
    if sorted.end != End::Complete {
        return;
    }
    met.systems += 1;
    met.sleepers += sorted.sleepers.len() as u32;
    let counted = check_by(model, &by(true), Engine::Counted).expect("it fits");
    assert_eq!(summary(&counted), summary(&sorted), "{name}: counted");
    let numbered = check_by(model, &by(false), Engine::Exhaustive).expect("it fits");
    if numbered.end == End::Complete {
        let verdicts = |r: &Report| r.answers.iter().map(|a| said(&a.verdict)).collect::<Vec<_>>();
        assert_eq!(verdicts(&numbered), verdicts(&sorted), "{name}: numbered");
    }
    let stuck = 1 << Property::NobodySleepsForEver as u64;
    let wanted = violated(&sorted) & !stuck;
    for stop_when_violated in [wanted, 0] {
        let options = Options { stop_when_violated, ..by(true) };
        let directed = check_by(model, &options, Engine::Directed).expect("it fits");
        assert_eq!(violated(&directed), wanted, "{name}: directed, {stop_when_violated:b}");
        for (answer, expected) in directed.answers.iter().zip(&sorted.answers) {
            match (&answer.verdict, &expected.verdict) {
                (Verdict::Violated(trace), Verdict::Violated(shortest)) => {
                    assert!(trace.len() >= shortest.len(), "{name}: shorter");
                }
                (Verdict::NoneFound, _) => {}
                (found, expected) => {
                    assert_eq!(found, expected, "{name}");
                    assert!(!matches!(found, Verdict::Holds { .. }), "{name}: a directed search");
                }
            }
        }
    }
    met.violated += violated(&sorted).count_ones();
    let held = sorted.answers.iter().filter(|a| matches!(a.verdict, Verdict::Holds { .. }));
    met.held += held.count() as u32;
}

#[test]
fn engines_agree_on_generated_systems() {
    let config = Config { cases: 330, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let met = std::cell::RefCell::new(Met::default());
    let systems = generate::scenarios(3);
    let result = TestRunner::new_with_rng(config, rng).run(&systems, |scenario: Scenario| {
        let model = Model::new(scenario, None).expect("well formed");
        // Every property, where both histories fit.
        let model = model.remembering(History::Both).unwrap_or(model);
        compare(&model.scenario().name, &model, &mut met.borrow_mut());
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let met = met.into_inner();
    println!("{met:?}");
    assert!(met.systems > 60 && met.violated > 60 && met.held > 60, "{met:?}");
    assert!(met.sleepers > 5, "{met:?}");
}

#[test]
fn engines_agree_on_drawn_programs() {
    let mut met = Met::default();
    let sample = sample(60, 400);
    for seed in sample.seeds() {
        let scenario = programs::draw(&Space::of(2), seed).scenario;
        compare(&format!("seed {seed}"), &Model::new(scenario, None).expect("it fits"), &mut met);
    }
    println!("{met:?}");
    assert!(sample.met_enough(met.systems, 200) && sample.met_enough(met.sleepers, 40), "{met:?}");
}

#[test]
fn engines_agree_on_scenario_files_and_cells() {
    let mut met = Met::default();
    let names = Property::ALL.map(Property::name);
    for path in crate::scenarios::files() {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let scenario = scenario_file::load(&name, &text, &names).expect("well formed").scenario;
        compare(&name, &Model::new(scenario, None).expect("it fits"), &mut met);
    }
    assert!(met.systems > 10 && met.sleepers > 3, "{met:?}");
    for cell in Cell::all().iter().step_by(23) {
        compare(&cell.to_string(), &cell.model(2, None), &mut met);
    }
    println!("{met:?}");
    assert!(met.systems > 30 && met.violated > 40 && met.held > 150, "{met:?}");
}

/// The same search in another way: over processes, and from a checkpoint.
#[test]
fn ways_to_search_everything_agree() {
    for cell in Cell::all().iter().step_by(190) {
        let model = cell.model(2, None);
        let options = Options { symmetry: true, threads: 2, ..Options::default() };
        let local = check(&model, &options).expect("it fits");
        let far = check_by(&model, &options, Engine::OverProcesses(Net::alone())).expect("it fits");
        assert_eq!((summary(&far), far.words), (summary(&local), local.words), "{cell}");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engines-agree");
        let _ = std::fs::remove_dir_all(&directory);
        let every = std::time::Duration::ZERO;
        let kept = Checkpoint { directory, every, build: [0; 16], purpose: [0; 32] };
        let limits = Limits { states: Some(local.states / 2), ..Limits::default() };
        let cut = check_by(&model, &Options { limits, ..options }, Engine::Checkpointed(&kept))
            .expect("it fits");
        assert_eq!(cut.end, End::StatesLimit, "{cell}");
        let on = check_by(&model, &options, Engine::Checkpointed(&kept)).expect("it fits");
        assert_eq!(summary(&on), summary(&local), "{cell}");
    }
}

/// A hundred callers of one kind, whom nothing can tell apart but by what they do.
#[test]
fn a_hundred_callers_are_counted() {
    let mut scenario = Cell::all()[0].model(2, None).scenario().clone();
    scenario.actors = vec![Actor { action: Action::RequestModule(0), count: 100, killable: false }];
    scenario.limit = Some(1);
    let model = Model::new(scenario, None).expect("it fits");
    let limits = Limits { states: Some(3_000), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    assert!(check(&model, &options).is_err(), "sixteen are told apart");
    let counted = check_by(&model, &options, Engine::Counted).expect("up to 255");
    assert!(counted.states == 3_000 && counted.end == End::StatesLimit, "{:?}", counted.end);
    let options = Options { stop_when_violated: 1, ..options };
    let directed = check_by(&model, &options, Engine::Directed).expect("up to 255");
    assert!(!directed.answers.iter().any(|a| matches!(a.verdict, Verdict::Holds { .. })));
}

/// What is found is kept within the limit, whichever engine finds it.
#[test]
fn memory_is_counted() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/rmmod-beside-get-fs-type.toml");
    let text = std::fs::read_to_string(path).expect("it can be read");
    let names = Property::ALL.map(Property::name);
    let three = text.replace("count = 2", "count = 3");
    let scenario = scenario_file::load("three", &three, &names).expect("well formed").scenario;
    let model = Model::new(scenario, None).expect("it fits");
    let limits = Limits { bytes: Some(1 << 20), ..Limits::default() };
    let options = Options { symmetry: true, limits, ..Options::default() };
    let ends = [
        check_by(&model, &options, Engine::Exhaustive).map(|r| r.end),
        check_by(&model, &options, Engine::Counted).map(|r| r.end),
        check_by(&model, &options, Engine::Directed).map(|r| r.end),
    ];
    for end in ends {
        assert_eq!(end.expect("it fits"), End::MemoryLimit);
    }
}
