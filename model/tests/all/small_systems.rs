//! Small systems explored to the end here, by the plainest search there can be: what the kernel and kmod
//! say of them, for faults that would change no more than counts elsewhere. What is expected is read in
//! the kernel's and kmod's source and written down by hand.

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_model::presets;
use kmodcheck_model::scenario::{
    Action, Actor, Helper, Init, Insert, Module, Name, Probe, Resolution, Scenario, Target,
};
use kmodcheck_model::{
    Effect, Event, Features, History, Model, ModuleState, Outcome, Pc, Ret, Way,
};

/// One step as it was taken: by whom, from which state of everybody to which.
struct Taken {
    actor: usize,
    before: State,
    after: State,
    event: Event,
}

type State = (u128, Vec<u64>);

/// Everything that can happen, and the states in which nothing can.
struct All {
    states: BTreeSet<State>,
    taken: Vec<Taken>,
    ends: Vec<State>,
}

fn explore(model: &Model) -> All {
    let processes = model.processes();
    let kinds: Vec<u8> = processes.iter().map(|(kind, _)| *kind).collect();
    let first = (model.initial_shared(), processes.iter().map(|(_, local)| *local).collect());
    let mut all = All { states: BTreeSet::from([first]), taken: Vec::new(), ends: Vec::new() };
    let mut open: Vec<State> = all.states.iter().cloned().collect();
    while let Some(before) = open.pop() {
        let mut went_on = false;
        for actor in (0..kinds.len()).filter(|i| before.1[*i] != 0) {
            let mut outcomes = Vec::new();
            model.step(kinds[actor], before.0, before.1[actor], &mut outcomes);
            for outcome in outcomes {
                went_on |= outcome.way == Way::Ordinary;
                for after in led_to(model, &kinds, &before, actor, &outcome) {
                    if all.states.insert(after.clone()) {
                        open.push(after.clone());
                    }
                    let (before, event) = (before.clone(), outcome.event);
                    all.taken.push(Taken { actor, before, after, event });
                }
            }
        }
        if !went_on {
            all.ends.push(before);
        }
    }
    all
}

fn led_to(
    model: &Model,
    kinds: &[u8],
    before: &State,
    actor: usize,
    outcome: &Outcome,
) -> Vec<State> {
    let mut locals = before.1.clone();
    locals[actor] = outcome.local;
    if outcome.shared != before.0 {
        for (kind, local) in kinds.iter().zip(&mut locals).filter(|(_, local)| **local != 0) {
            *local = model.observe(*kind, before.0, outcome.shared, *local);
        }
    }
    let woken = |locals: &[u64], queue| -> Vec<(usize, u64)> {
        let others = (0..kinds.len()).filter(|i| *i != actor && locals[*i] != 0);
        others.filter_map(|i| Some((i, model.wake(kinds[i], locals[i], queue)?))).collect()
    };
    let with = |places: &[(usize, u64)]| {
        let mut locals = locals.clone();
        places.iter().for_each(|(i, local)| locals[*i] = *local);
        (outcome.shared, locals)
    };
    match outcome.effect {
        Effect::None => vec![with(&[])],
        Effect::WakeAll(queue) => vec![with(&woken(&locals, queue))],
        Effect::WakeOne(queue) => match woken(&locals, queue) {
            sleepers if sleepers.is_empty() => vec![with(&[])],
            sleepers => sleepers.iter().map(|one| with(&[*one])).collect(),
        },
        Effect::Spawn(kind, local) => {
            let free = (0..kinds.len()).find(|i| kinds[*i] == kind && locals[*i] == 0);
            vec![with(&[(free.expect("there is one"), local)])]
        }
    }
}

fn features(kernel: &str, kmod: &str) -> Features {
    Features {
        kernel: presets::kernel(kernel).expect("a preset"),
        kmod: presets::kmod(kmod).expect("a preset"),
    }
}

fn module(name: &str, dependencies: &[u8]) -> Module {
    let dependencies = dependencies.to_vec();
    Module { name: name.to_owned(), dependencies, ..Module::default() }
}

/// A name whose targets are tried one after the other, each after these.
fn name(request: &str, targets: &[(u8, &[u8])]) -> Name {
    let probe = |module: &u8| Probe::new(*module, true, Insert::Finit);
    let target = |(module, before): &(u8, &[u8])| Target {
        module: *module,
        probe: before.iter().chain([module]).map(probe).collect(),
        blacklisted: false,
    };
    let resolution = Resolution::Modules(targets.iter().map(target).collect());
    Name { request: request.to_owned(), resolution, builtin: None }
}

fn system(
    features: Features,
    modules: Vec<Module>,
    names: Vec<Name>,
    actions: &[Action],
) -> Scenario {
    let mut actors: Vec<Actor> = Vec::new();
    for action in actions {
        match actors.iter_mut().find(|actor| actor.action == *action) {
            Some(actor) => actor.count += 1,
            None => actors.push(Actor { action: *action, count: 1, killable: false }),
        }
    }
    Scenario {
        name: "small".to_owned(),
        modules,
        names,
        actors,
        helper: Helper::Present,
        lsm_refuses: false,
        exec_requests: None,
        patched: Default::default(),
        modprobe_killable: false,
        programs: kmodcheck_model::scenario::Programs::default(),
        asks: Vec::new(),
        limit: None,
        timeouts: false,
        features,
    }
}

fn model(scenario: Scenario) -> Model {
    Model::new(scenario, None).expect("a small system")
}

const A: u8 = 0;
const B: u8 = 1;
const TOP: u8 = 2;

/// resolve_symbol() takes a reference on each module of which it uses a symbol, the second one as the
/// first, and each is given back: delete_module() of the second says -EWOULDBLOCK just as long as that of
/// the first.
#[test]
fn each_dependency_has_a_reference_of_its_own() {
    let counts = |removed: u8, init: Init| {
        let modules =
            vec![module("a", &[]), module("b", &[]), Module { init, ..module("top", &[A, B]) }];
        let names = vec![name("top", &[(TOP, &[A, B])])];
        let actions = [Action::Modprobe(0), Action::Rmmod(TOP), Action::Rmmod(removed)];
        let model = model(system(features("v5.3", "v20"), modules, names, &actions));
        let all = explore(&model);
        let mut said: BTreeMap<(ModuleState, Ret), usize> = BTreeMap::new();
        for taken in &all.taken {
            let Event::DeleteModule { module, ret } = taken.event else { continue };
            if module == removed && model.module_state(taken.before.0, removed) == ModuleState::Live
            {
                *said.entry((model.module_state(taken.before.0, TOP), ret)).or_default() += 1;
            }
        }
        said
    };
    for init in [Init::Succeeds, Init::Fails] {
        let (of_a, of_b) = (counts(A, init), counts(B, init));
        for said in [&of_a, &of_b] {
            let held = |top| said.get(&(top, Ret::Ewouldblock)).copied().unwrap_or(0);
            let freed = |top| said.get(&(top, Ret::Zero)).copied().unwrap_or(0);
            // From complete_formation() on both are held; when it is gone, neither is.
            for top in [ModuleState::Coming, ModuleState::Live, ModuleState::Going] {
                assert_eq!(freed(top), 0, "{init:?} {top}: {said:?}");
            }
            assert!(held(ModuleState::Coming) > 0, "{init:?}: {said:?}");
            assert_eq!(held(ModuleState::Live) > 0, init == Init::Succeeds, "{said:?}");
            assert!(held(ModuleState::Going) > 0 && freed(ModuleState::Absent) > 0, "{said:?}");
            // free_module() gives them back while it is UNFORMED again.
            let again = ModuleState::UnformedAgain;
            assert!(held(again) > 0 && freed(again) > 0, "{init:?}: {said:?}");
        }
        // While top loads, the first is held a little longer than the second is; then both alike.
        for top in [ModuleState::Live, ModuleState::Going, ModuleState::UnformedAgain] {
            for ret in [Ret::Zero, Ret::Ewouldblock] {
                assert_eq!(of_a.get(&(top, ret)), of_b.get(&(top, ret)), "{init:?} {top} {ret}");
            }
        }
    }
}

/// A request that an init makes waits for a slot like any other: whoever gives one back wakes it.
#[test]
fn a_nested_request_that_waits_for_a_slot_is_woken() {
    // Two slots, two callers of a module whose init requests another: both may have taken one when the
    // init asks for a third.
    for (kernel, woken_to) in [("v4.13", Pc::TakeSlot), ("v6.2", Pc::TakeSlot), ("v6.5", Pc::Exec)]
    {
        let modules =
            vec![Module { requests: Some(1), ..module("outer", &[]) }, module("inner", &[])];
        let names = vec![name("outer", &[(0, &[])]), name("inner", &[(1, &[])])];
        let actions =
            [Action::RequestModule(0), Action::RequestModule(1), Action::RequestModule(1)];
        let mut scenario = system(features(kernel, "v20"), modules, names, &actions);
        scenario.limit = Some(2);
        let model = model(scenario);
        let all = explore(&model);
        let place = |state: &State, i: usize| {
            let task = model.task(state.1[i]);
            (task.pc, task.depth)
        };
        let woken: Vec<&Taken> = all
            .taken
            .iter()
            .filter(|t| t.actor != 0 && place(&t.before, 0) == (Pc::SlotAsleep, 1))
            .filter(|t| place(&t.after, 0).0 != Pc::SlotAsleep)
            .collect();
        assert!(!woken.is_empty(), "{kernel}: nobody wakes it");
        for taken in &woken {
            assert_eq!(place(&taken.after, 0), (woken_to, 1), "{kernel}");
        }
        // Every end is one in which everybody has returned.
        assert!(!all.ends.is_empty(), "{kernel}");
        for end in &all.ends {
            assert!(
                end.1.iter().all(|local| model.returned(0, *local)),
                "{kernel}: somebody sleeps"
            );
        }
    }
}

/// What a caller remembers of its targets it remembers of the second as of the first.
#[test]
fn a_second_target_is_remembered_like_the_first() {
    let modules = || vec![module("first", &[]), module("second", &[])];
    let names = || vec![name("fs-x", &[(0, &[]), (1, &[])])];
    for target in [0, 1] {
        let other = 1 - target;
        let actions = [Action::GetFsType(0), Action::Rmmod(target)];
        let plain = model(system(features("v4.9", "v19"), modules(), names(), &actions));
        let model = plain.remembering(History::Both).expect("few bits");
        let with = |state| {
            let live = model.with_module(0, other, ModuleState::Live, (true, true));
            model.with_module(live, target, state, (true, true))
        };
        let word = with(ModuleState::Going);
        // One of the targets is GOING when the call begins.
        let mut outcomes = Vec::new();
        let (kind, idle) = model.processes()[0];
        model.step(kind, word, idle, &mut outcomes);
        let begun = model.task(outcomes[0].local);
        assert!(begun.went_going && begun.was_going, "target {target}: {begun:?}");
        // It becomes GOING, having been LIVE, and having been COMING, while modprobe runs.
        for (state, failed) in [(ModuleState::Live, false), (ModuleState::Coming, true)] {
            let mut calm = Vec::new();
            model.step(kind, with(state), idle, &mut calm);
            let before = kmodcheck_model::Task {
                pc: Pc::Open,
                request_live: if failed { 0 } else { 1 << target },
                ..model.task(calm[0].local)
            };
            assert!(!before.went_going && !before.was_going, "{before:?}");
            let after = model.observe(kind, with(state), word, model.pack(&before));
            let after = model.task(after);
            assert!(after.went_going && after.was_going, "target {target}: {after:?}");
            assert_eq!(after.going_after_live, !failed, "target {target}: {after:?}");
            assert_eq!((after.load_failed, after.attempt_failed), (failed, failed), "{after:?}");
            assert_eq!(after.request_live & 1 << other, 1 << other, "target {target}: {after:?}");
        }
    }
}

/// rmmod() of kmod's tools/modprobe.c goes through the targets until the first error, which it exits
/// with: what comes after it is not touched.
#[test]
fn modprobe_r_ends_at_the_first_error() {
    // Which of the three have no exit, what is left, and the exit status.
    let cases: [(&[u8], &[u8], Ret); 4] = [
        (&[], &[], Ret::Zero),
        (&[0], &[0, 1, 2], Ret::Status256),
        (&[1], &[1, 2], Ret::Status256),
        (&[2], &[2], Ret::Status256),
    ];
    for (no_exit, left, status) in cases {
        let modules: Vec<Module> = (0..3)
            .map(|i| Module { no_exit: no_exit.contains(&i), ..module(&format!("m{i}"), &[]) })
            .collect();
        let names = vec![name("all", &[(0, &[]), (1, &[]), (2, &[])])];
        let model =
            model(system(features("v5.3", "v20"), modules, names, &[Action::ModprobeRemove(0)]));
        let live = |word, module| model.with_module(word, module, ModuleState::Live, (true, true));
        let (kind, mut local) = model.processes()[0];
        let mut word = (0..3).fold(0, live);
        let mut asked = Vec::new();
        // Nobody else is there, so each step leads on in one way.
        loop {
            let mut outcomes = Vec::new();
            model.step(kind, word, local, &mut outcomes);
            let Some(outcome) = outcomes.pop() else { break };
            assert!(outcomes.is_empty(), "alone it has one way to go");
            if let Event::DeleteModule { module, ret } = outcome.event {
                asked.push((module, ret));
            }
            local = model.observe(kind, word, outcome.shared, outcome.local);
            word = outcome.shared;
        }
        let gone = |m: &u8| model.module_state(word, *m) == ModuleState::Absent;
        let found: Vec<u8> = (0..3).filter(|m| !gone(m)).collect();
        assert_eq!(found, left, "without an exit: {no_exit:?}");
        assert_eq!(model.task(local).ret, status, "without an exit: {no_exit:?}");
        let until = no_exit.first().map_or(2, |m| *m);
        let expected: Vec<(u8, Ret)> = (0..=until)
            .map(|m| (m, if no_exit.contains(&m) { Ret::Ebusy } else { Ret::Zero }))
            .collect();
        assert_eq!(asked, expected, "without an exit: {no_exit:?}");
    }
}

/// Takes the steps of the first process as long as it has some: nobody else steps.
fn alone(model: &Model, mut word: u128) -> (u128, u64, Vec<Event>) {
    let (kind, mut local) = model.processes()[0];
    let mut events = Vec::new();
    loop {
        let mut outcomes = Vec::new();
        model.step(kind, word, local, &mut outcomes);
        let Some(outcome) = outcomes.pop() else { return (word, local, events) };
        assert!(outcomes.is_empty(), "alone it has one way to go");
        assert!(events.len() < 100, "it goes round in circles: {events:?}");
        events.push(outcome.event);
        local = model.observe(kind, word, outcome.shared, outcome.local);
        word = outcome.shared;
    }
}

/// What is gone already is no error of `modprobe -r`, which goes on to the next.
#[test]
fn modprobe_r_passes_over_what_is_gone() {
    let modules = (0..3).map(|i| module(&format!("m{i}"), &[])).collect();
    let names = vec![name("all", &[(0, &[]), (1, &[]), (2, &[])])];
    let model =
        model(system(features("v5.3", "v20"), modules, names, &[Action::ModprobeRemove(0)]));
    let live = |word, module| model.with_module(word, module, ModuleState::Live, (true, true));
    for gone in 0..3 {
        let word = (0..3).filter(|m| *m != gone).fold(0, live);
        let (word, local, events) = alone(&model, word);
        assert_eq!((word, model.task(local).ret), (0, Ret::Zero), "{gone} is gone");
        let asked = events.iter().filter(|e| matches!(e, Event::DeleteModule { .. })).count();
        assert_eq!(asked, 2, "{gone} is gone");
    }
}

/// Where a test or a log begins with a module that is LIVE, everything is as loading leaves it.
#[test]
fn what_begins_loaded_is_as_loading_leaves_it() {
    let modules = vec![module("a", &[]), Module { registers: true, ..module("top", &[A]) }];
    let names = vec![name("fs-top", &[(1, &[A])])];
    let actions = [Action::GetFsType(0), Action::Rmmod(1)];
    let model = model(system(features("v4.9", "v20"), modules, names, &actions));
    let (loaded, local, _) = alone(&model, model.initial_shared());
    assert_eq!(model.task(local).ret, Ret::Found);
    let live = |word, module| model.with_module(word, module, ModuleState::Live, (true, true));
    assert_eq!([A, 1].into_iter().fold(model.initial_shared(), live), loaded);
    // And nothing of it is there of a module that is not.
    let absent =
        |word, module| model.with_module(word, module, ModuleState::Absent, (false, false));
    assert_eq!(absent(model.initial_shared(), 1), model.initial_shared());
}

/// The numbers of states and steps of one caller alone, and of two, counted by hand on v4.9 with kmod
/// v20 where every init succeeds.
#[test]
fn one_caller_alone_takes_the_steps_of_the_source() {
    let names = vec![name("m", &[(0, &[])])];
    let scenario =
        system(features("v4.9", "v20"), vec![module("m", &[])], names, &[Action::RequestModule(0)]);
    let model = model(scenario);
    let all = explore(&model);
    // call, __request_module(), exec, the first look (open, stat), the second (open, stat), then
    // add_unformed_module(), complete_formation(), mod_sysfs_init(), module_add_modinfo_attrs(), init,
    // LIVE, wake_up_all(), exit, the helper's return, and the request's.
    assert_eq!(all.taken.len(), 17);
    assert_eq!(all.states.len(), 18);
    assert_eq!(all.ends.len(), 1);
}

/// What `modprobe -r` removes besides has an end, also where modules need each other, as a log may say of a machine, and is counted
/// before it is laid out: up to v29 it may be looked at more often than a place can count.
#[test]
fn what_modprobe_r_looks_at_has_an_end() {
    // In a circle, and each of 8 all before it.
    let circle = || vec![module("a", &[B]), module("b", &[A]), module("top", &[A, B])];
    let many = || (0..8).map(|i| module(&format!("m{i}"), &(0..i).collect::<Vec<_>>())).collect();
    let before: Vec<u8> = (0..7).collect();
    for kmod in presets::KMODS {
        for removes in [false, true] {
            let action = if removes { Action::ModprobeRemove(0) } else { Action::Modprobe(0) };
            let of = |modules: Vec<Module>, target: u8, before: &[u8]| {
                let names = vec![name("top", &[(target, before)])];
                Model::new(system(features("v5.3", kmod), modules, names, &[action]), None)
            };
            // The small busybox goes from module to module, and here it does not come to an end.
            let circles = of(circle(), TOP, &[A, B]);
            assert_eq!(circles.is_ok(), kmod != "busybox-small", "{kmod} {removes}");
            let recursive = ["v5", "v19", "v20", "v27"].contains(&kmod) && removes;
            let fits = !recursive && kmod != "busybox-small";
            match of(many(), 7, &before) {
                Ok(_) => assert!(fits, "{kmod} {removes}"),
                Err(error) => {
                    assert!(!fits && error.what.contains("modprobe looks"), "{kmod}: {error}");
                }
            }
        }
    }
}
