//! Plans by which a real kernel is made to take the steps of a trace, and traces of which there is none.

use std::ops::ControlFlow;

use kmodcheck_explore::TraceStep;
use kmodcheck_explore::{Configuration, Product};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{
    Action, Actor, Helper, Insert, Module, Name, Probe, Resolution, Scenario, Target,
};
use kmodcheck_model::{Event, Model, Pc, presets};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::file::TraceFile;
use kmodcheck_sim::trace::steer::{SteerError, gather, plan};

/// Two processes mount minix, and one unloads it.
fn scenario(kernel: &str) -> Scenario {
    let probe = vec![Probe::new(0, true, Insert::Finit)];
    let target = Target { module: 0, probe, blacklisted: false };
    Scenario {
        name: "steered".to_owned(),
        modules: vec![Module { name: "minix".to_owned(), registers: true, ..Module::default() }],
        names: vec![Name {
            request: "fs-minix".to_owned(),
            resolution: Resolution::Modules(vec![target]),
            builtin: None,
        }],
        actors: vec![
            Actor { action: Action::GetFsType(0), count: 2, killable: false },
            Actor { action: Action::Rmmod(0), count: 1, killable: false },
        ],
        helper: Helper::Present,
        lsm_refuses: false,
        exec_requests: None,
        patched: Default::default(),
        modprobe_killable: false,
        programs: kmodcheck_model::scenario::Programs::default(),
        asks: Vec::new(),
        limit: None,
        timeouts: false,
        features: Features {
            kernel: presets::kernel(kernel).unwrap(),
            kmod: presets::kmod("v30").unwrap(),
        },
    }
}

/// A run by hand.
struct Hand<'a, 'm> {
    model: &'m Model,
    product: Product<'a, Processes<'m>>,
    now: Configuration,
    trace: Vec<TraceStep<Event>>,
}

impl Hand<'_, '_> {
    /// The process goes on until it is before this step, or cannot.
    fn until(&mut self, actor: usize, stop: &dyn Fn(&Event) -> bool) {
        while let Some((step, after)) = self.next(actor).filter(|(step, _)| !stop(&step.label)) {
            self.trace.push(step);
            self.now = after;
        }
    }

    fn next(&self, actor: usize) -> Option<(TraceStep<Event>, Configuration)> {
        let mut taken = None;
        let _ = self.product.successors(&self.now, &mut Vec::new(), |t| {
            if t.actor == actor {
                let (ordinal, label) = (t.ordinal, t.label);
                taken = Some((TraceStep { actor, ordinal, label }, *t.after));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        taken
    }

    fn done(&self, actor: usize) -> bool {
        self.model.task(self.now.locals[actor]).pc == Pc::Done
    }
}

fn by_hand(kernel: &str, run: &dyn Fn(&mut Hand<'_, '_>)) -> (Model, Vec<TraceStep<Event>>) {
    by_hand_in(scenario(kernel), run)
}

fn by_hand_in(
    scenario: Scenario,
    run: &dyn Fn(&mut Hand<'_, '_>),
) -> (Model, Vec<TraceStep<Event>>) {
    let model = Model::new(scenario, None).unwrap();
    let trace = {
        let system = Processes { model: &model };
        let product = Product::new(&system).unwrap();
        let now = product.initial();
        let mut hand = Hand { model: &model, product, now, trace: Vec::new() };
        run(&mut hand);
        hand.trace
    };
    (model, trace)
}

/// Whoever joined a `finit_module()` is told 0 after the module was unloaded: its loader is held when
/// `init_module_from_file()` has returned. 6.12-kmod30/joined-mount.log is what a kernel did.
#[test]
fn a_loader_is_held_before_those_who_joined_are_told() {
    let never = |_: &Event| false;
    let completes = |event: &Event| matches!(event, Event::IdempotentComplete { .. });
    let (model, trace) = by_hand("v6.5", &|hand| {
        hand.until(0, &completes);
        hand.until(2, &never);
        assert!(hand.done(2));
        hand.until(1, &never);
        assert!(!hand.done(1), "it has joined");
        hand.until(0, &never);
        hand.until(1, &never);
        assert!(hand.done(1));
    });
    let joined =
        |step: &TraceStep<Event>| matches!(step.label, Event::Idempotent { joined: true, .. });
    assert!(trace.iter().any(joined));
    let plan = plan(&model, &trace, 20_000).unwrap().to_string();
    for hold in [
        "hold delete minix 1 20000 until returned minix 1",
        "hold returned minix 1 20000 until finit minix 2",
    ] {
        assert!(plan.contains(hold), "{plan}");
    }
    // Nobody may wait for what comes only when the loader goes on.
    assert!(!plan.contains("hold returned minix 1 20000 until exit"), "{plan}");
}

/// The second caller finds minix on the list and has to wait, and the loader becomes COMING after
/// that: nothing holds it between its place on the list and COMING.
#[test]
fn a_step_without_a_place_to_be_held_is_named() {
    let never = |_: &Event| false;
    let forms = |event: &Event| matches!(event, Event::CompleteFormation { .. });
    let (model, trace) = by_hand("6.1-debian", &|hand| {
        hand.until(0, &forms);
        let waits = |event: &Event| matches!(event, Event::FinishedLoading { .. });
        hand.until(1, &waits);
        hand.until(0, &never);
        hand.until(1, &never);
        hand.until(2, &never);
    });
    let formed = trace.iter().position(|step| forms(&step.label)).unwrap();
    match plan(&model, &trace, 20_000) {
        Err(SteerError::Unheld { step, what, after, .. }) => {
            assert_eq!(step, formed + 1, "{what}");
            assert!(after < step);
        }
        other => panic!("{other:?}"),
    }
}

/// Who waits for a listed name is known by its call of finished_loading(); who has joined another call is known by nothing.
#[test]
fn a_kill_in_a_sleep_that_nobody_can_tell_is_named() {
    let never = |_: &Event| false;
    let completes = |event: &Event| matches!(event, Event::IdempotentComplete { .. });
    let mut scenario = scenario("v7.1");
    scenario.actors[1] = Actor { action: Action::Insmod(0), count: 1, killable: true };
    let (model, trace) = by_hand_in(scenario, &|hand| {
        hand.until(0, &completes);
        hand.until(2, &never);
        assert!(hand.done(2), "it was killed");
    });
    let killed = trace.iter().position(|step| step.label == Event::Killed).unwrap();
    match plan(&model, &trace, 20_000) {
        Err(SteerError::Step { step, .. }) => assert_eq!(step, killed + 1),
        other => panic!("{other:?}"),
    }
}

/// modprobe unpacks what is compressed and calls init_module(), in which nobody can be held.
#[test]
fn a_compressed_module_is_not_held_in_finit_module() {
    let never = |_: &Event| false;
    let adds = |event: &Event| matches!(event, Event::AddUnformed { .. });
    let plan_of = |compressed: bool| {
        let mut scenario = scenario("6.1-debian");
        scenario.modules[0].compressed = compressed;
        let (model, trace) = by_hand_in(scenario, &|hand| {
            hand.until(0, &adds);
            hand.until(1, &never);
            hand.until(0, &never);
        });
        plan(&model, &trace, 20_000)
    };
    let plain = plan_of(false).unwrap().to_string();
    assert!(plain.contains("hold finit minix 1 20000 until"), "{plain}");
    match plan_of(true) {
        Err(SteerError::Unheld { what, .. }) => assert!(what.contains("minix"), "{what}"),
        other => panic!("{other:?}"),
    }
}

/// A waiter that begins to wait before the module is off the list, and looks when it is; and one after it,
/// whose calls of finished_loading() nobody can tell from the first one's.
#[test]
fn who_waits_beside_an_unload_is_held_once() {
    let never = |_: &Event| false;
    let off = |event: &Event| matches!(event, Event::ListDel { .. });
    let looks = |event: &Event| matches!(event, Event::FinishedLoading { .. });
    let (model, trace) = by_hand("6.1-debian", &|hand| {
        hand.until(0, &never);
        hand.until(2, &off);
        hand.until(1, &looks);
        hand.until(2, &never);
        hand.until(1, &never);
    });
    let text = plan(&model, &trace, 20_000).unwrap().to_string();
    for hold in [
        "hold unformed minix 1 20000 until finished minix 1",
        "hold finished minix 1 20000 until unformed minix 1",
    ] {
        assert!(text.contains(hold), "{text}");
    }
    let mut scenario = scenario("6.1-debian");
    scenario.actors[0].count = 3;
    let (model, trace) = by_hand_in(scenario, &|hand| {
        hand.until(0, &never);
        hand.until(3, &off);
        hand.until(1, &looks);
        hand.until(2, &looks);
        hand.until(3, &never);
        hand.until(1, &never);
        hand.until(2, &never);
    });
    match plan(&model, &trace, 20_000) {
        Err(SteerError::Uncounted { module, .. }) => assert_eq!(module, "minix"),
        other => panic!("{other:?}"),
    }
}

/// Who has nothing to do first arrives first: an insmod is in finit_module() before a mount's modprobe is.
#[test]
fn arrivals_are_counted_in_the_order_in_which_they_come() {
    let never = |_: &Event| false;
    let completes = |event: &Event| matches!(event, Event::IdempotentComplete { .. });
    let mut scenario = scenario("6.12-debian");
    scenario.actors = vec![(Action::GetFsType(0), 1), (Action::Insmod(0), 1)]
        .into_iter()
        .map(|(action, count)| Actor { action, count, killable: false })
        .collect();
    let (model, trace) = by_hand_in(scenario, &|hand| {
        hand.until(0, &never);
        hand.until(1, &completes);
        hand.until(1, &never);
    });
    let text = plan(&model, &trace, 20_000).unwrap().to_string();
    assert!(text.contains("start 1 insmod minix\n"), "{text}");
    assert!(text.contains("hold finit minix 1 20000 until lookup minix 2\n"), "{text}");
}

/// Plans that a kernel has followed are made of their traces still.
#[test]
fn the_plans_that_were_followed_are_made_again() {
    for name in [
        "race",
        "eexist",
        "blacklist",
        "joined",
        "joined-eexist",
        "argument",
        "notifier",
        "sections",
        "busy",
    ] {
        let path = format!("tests/fixtures/real-logs/steered-{name}");
        let read = |end: &str| std::fs::read_to_string(format!("{path}.{end}")).unwrap();
        let file = TraceFile::parse(name, &read("trace.json")).unwrap();
        let model = file.model(name).unwrap();
        let trace = gather(&model, &file.resolve(name, &model).unwrap()).unwrap();
        assert_eq!(plan(&model, &trace, 20_000).unwrap().to_string(), read("plan"), "{name}");
    }
}
