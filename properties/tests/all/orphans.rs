//! A modprobe that nobody waits for is judged like any other: no predicate asks who started it.

use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::Action;
use kmodcheck_model::{Event, Model, Pc, Ret, Role, Task, presets};
use kmodcheck_properties::property::{Says, View};
use kmodcheck_properties::{Property, Verdict, check};

fn model(action: Action, killable: bool) -> Model {
    let features =
        Features { kernel: presets::kernel("v4.9").unwrap(), kmod: presets::kmod("v19").unwrap() };
    let mut scenario = scenario(Naming::Plain, Environment::Ok, features, 2);
    (scenario.actors[0].action, scenario.actors[0].killable) = (action, killable);
    Model::new(scenario, None).unwrap()
}

/// Of callers that do not wait, every modprobe is an orphan, so the race of v19 is one's.
#[test]
fn an_orphan_that_lies_violates_modprobe_tells_the_truth() {
    let model = model(Action::RequestModuleNowait(0), false);
    let report = check(&model, &Default::default()).unwrap();
    let answer = report.answer(Property::ModprobeTellsTheTruth);
    let Verdict::Violated(trace) = &answer.verdict else { panic!("{:?}", answer.verdict) };
    let last = trace.last().unwrap();
    assert_eq!(last.label, Event::Exit { status: Ret::Zero });
    let (kind, _) = model.processes()[last.actor];
    assert_eq!(model.role(kind), Role::Orphan(0));
    // Its caller got its 0 before.
    let returned = Verdict::Holds { premise_met: false };
    assert_eq!(report.answer(Property::NoFalseSuccess).verdict, returned);
}

/// The same of a caller that was killed, and of a modprobe by hand: an exit of 0 that has not seen the
/// module LIVE is a lie, one that has is none.
#[test]
fn whoever_started_it_an_exit_says_the_same() {
    let model = model(Action::RequestModule(0), true);
    let kinds = model.processes();
    let orphan = kinds.iter().find(|(kind, _)| model.role(*kind) == Role::Orphan(0)).unwrap().0;
    for kind in [kinds[0].0, orphan] {
        for (seen, expected) in [(0, Says::Violated(0)), (1, Says::Holds(0))] {
            let local_before =
                model.pack(&Task { pc: Pc::Exit, modprobe_live: seen, ..Task::IDLE });
            let (before, event) = (model.initial_shared(), Event::Exit { status: Ret::Zero });
            let view = View::new(&model, (kind, local_before), (before, before), event);
            assert_eq!(Property::ModprobeTellsTheTruth.says(&view), expected, "{kind} {seen}");
        }
    }
}
