//! What actors and inits do as programs is what they do in the short form: states, transitions, verdicts, results.

use std::collections::BTreeSet;

use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::Model;
use kmodcheck_model::scenario::{Action, Init, Program, ProgramId, Programs, Scenario};
use kmodcheck_properties::generate::Space;
use kmodcheck_properties::results::CallResult;
use kmodcheck_properties::{Property, Report, Verdict, check};
use proptest::strategy::ValueTree;

use crate::sample::sample;

/// Adds a program.
fn program(scenario: &mut Scenario, name: String, text: String) -> ProgramId {
    scenario.programs.all.push(Program { name, text });
    ProgramId::try_from(scenario.programs.all.len() - 1).unwrap()
}

/// The same, each actor that calls something as a program that does nothing else.
fn actors_as_programs(scenario: &Scenario) -> Scenario {
    let mut with = scenario.clone();
    for at in 0..with.actors.len() {
        let name = |id: u8| scenario.names[usize::from(id)].request.as_str();
        let call = match scenario.actors[at].action {
            Action::RequestModule(id) => format!("request_module(\"{}\")", name(id)),
            Action::RequestModuleNowait(id) => format!("request_module_nowait(\"{}\")", name(id)),
            Action::GetFsType(id) => {
                format!("get_fs_type(\"{}\")", scenario.names[usize::from(id)].file_system())
            }
            Action::Modprobe(id) => format!("modprobe(\"{}\")", name(id)),
            Action::ModprobeRemove(id) => format!("modprobe_remove(\"{}\")", name(id)),
            Action::Insmod(id) => format!("insmod(\"{}\")", name(id)),
            Action::Rmmod(id) => format!("rmmod(\"{}\")", scenario.module_name(id)),
            Action::Udev(id) => format!("wait_for_uevent(\"{}\")", scenario.module_name(id)),
            Action::LateInitcalls | Action::Program(_) => continue,
        };
        let id = program(&mut with, format!("program {at}"), format!("return {call};"));
        with.actors[at].action = Action::Program(id);
    }
    with
}

/// The same, each init that does one thing as a program that does it; how many those are.
fn inits_as_programs(scenario: &Scenario) -> (Scenario, usize) {
    let mut with = scenario.clone();
    let mut changed = 0;
    for at in 0..with.modules.len() {
        let module = &scenario.modules[at];
        let text = match (module.init, module.requests) {
            (Init::Succeeds, Some(requests)) if !module.registers => {
                let request = &scenario.names[usize::from(requests)].request;
                format!("request_module(\"{request}\"); return 0;")
            }
            (Init::Succeeds, None) if !module.registers => "return 0;".to_owned(),
            (Init::Fails, None) => "return -ENOMEM;".to_owned(),
            _ => continue,
        };
        let id = program(&mut with, format!("init of {}", module.name), text);
        with.modules[at].init_program = Some(id);
        with.modules[at].requests = None;
        changed += 1;
    }
    (with, changed)
}

fn explored(scenario: Scenario) -> (Model, Report) {
    let model = Model::new(scenario, None).unwrap();
    let limits = Limits { states: Some(30_000), ..Limits::default() };
    let report = check(&model, &Options { limits, ..Options::default() }).unwrap();
    (model, report)
}

/// What a verdict says, and how often the cases of its premise were met, or whether they were.
fn said(report: &Report, exactly: bool) -> Vec<(Property, String, Vec<u64>)> {
    let says = |verdict: &Verdict| match verdict {
        Verdict::Violated(trace) => format!("violated in {} steps", trace.len()),
        other => format!("{other:?}"),
    };
    let answers = report.answers.iter();
    let met = |times: &u64| if exactly { *times } else { u64::from(*times > 0) };
    let branches = |branches: &[u64]| branches.iter().map(met).collect();
    let all = answers.map(|a| (a.property, says(&a.verdict), branches(&a.branches)));
    all.collect()
}

/// By actor: what its call comes to, as a number of C.
fn numbers(model: &Model, report: &Report, actions: &[Action]) -> Vec<BTreeSet<String>> {
    let number = |result: &CallResult, action: Action| match result {
        CallResult::Returns(ret) => ret.number(action).to_string(),
        CallResult::Comes(value) => value.to_string(),
        CallResult::Sleeps(sleep) => format!("{sleep:?}"),
    };
    assert_eq!(model.scenario().actors.len(), actions.len());
    let all = report.results.iter().zip(actions);
    all.map(|(results, action)| results.iter().map(|r| number(r, *action)).collect()).collect()
}

fn compared(plain: &Scenario, with: Scenario, what: &str) -> bool {
    let actions: Vec<Action> = plain.actors.iter().map(|actor| actor.action).collect();
    let (model, expected) = explored(plain.clone());
    if expected.end != End::Complete {
        return false;
    }
    let (of_programs, found) = explored(with);
    assert_eq!(found.end, End::Complete, "{what}");
    // Several errors of a removal are one exit status, so there are fewer states.
    let removes = |action: &Action| matches!(action, Action::Rmmod(_) | Action::ModprobeRemove(_));
    let exactly = !actions.iter().any(removes);
    assert_eq!(said(&found, exactly), said(&expected, exactly), "{what}");
    let results = numbers(&of_programs, &found, &actions);
    assert_eq!(results, numbers(&model, &expected, &actions), "{what}");
    let counts = |report: &Report| (report.states, report.transitions, report.depth);
    if exactly {
        assert_eq!(counts(&found), counts(&expected), "{what}");
    }
    for answer in &found.asked {
        assert_eq!(
            answer.verdict,
            Verdict::Holds { premise_met: true },
            "{what}: {}",
            answer.asked.name
        );
    }
    true
}

#[test]
fn an_actor_that_only_calls_is_its_call() {
    let sample = sample(60, 600);
    let space = Space::of(2);
    let mut met = 0;
    for seed in sample.seeds() {
        let scenario = space.draw(seed).current().scenario;
        let with = actors_as_programs(&scenario);
        met += u64::from(compared(&scenario, with, &format!("seed {seed}")));
    }
    assert!(sample.met_enough(met, 300), "{met} were small enough");
}

#[test]
fn an_init_that_does_one_thing_is_that_thing() {
    let sample = sample(200, 2_000);
    let space = Space::of(2);
    let mut met = 0;
    for seed in sample.seeds() {
        let scenario = space.draw(seed).current().scenario;
        let (with, changed) = inits_as_programs(&scenario);
        if changed > 0 {
            met += u64::from(compared(&scenario, with, &format!("seed {seed}")));
        }
    }
    assert!(sample.met_enough(met, 50), "{met} systems with such inits");
}

#[test]
fn what_is_shared_is_told_apart() {
    // The same texts, and one of them writes what the other reads: more states.
    let space = Space::of(1);
    let mut scenario = space.draw(1).current().scenario;
    scenario.actors.truncate(1);
    scenario.programs = Programs::new("int x;".to_owned(), Vec::new());
    let read = program(&mut scenario, "reader".to_owned(), "return READ_ONCE(x);".to_owned());
    let write =
        program(&mut scenario, "writer".to_owned(), "WRITE_ONCE(x, 1); return 0;".to_owned());
    let count = scenario.actors[0].count;
    scenario.actors = [read, write]
        .map(|id| kmodcheck_model::scenario::Actor {
            action: Action::Program(id),
            count,
            killable: false,
        })
        .into();
    let (_, report) = explored(scenario);
    let reads: BTreeSet<CallResult> = report.results[0].iter().copied().collect();
    assert_eq!(reads, BTreeSet::from([CallResult::Comes(0), CallResult::Comes(1)]));
    assert_eq!(report.results[1], [CallResult::Comes(0)]);
}
