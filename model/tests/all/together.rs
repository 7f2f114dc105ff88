//! Steps that take several words of a scenario together, each where it once could go wrong unseen.

use kmodcheck_model::event::{Claim, Event};
use kmodcheck_model::features::{Features, ListedName};
use kmodcheck_model::scenario::{
    Action, Actor, Helper, Insert, Module, Name, Probe, Resolution, Scenario, Target,
};
use kmodcheck_model::{Model, ModuleState, Pc, Role, Task, WaitQueue, presets};

/// `modules` modules `m0`, `m1`, ..., each asked for by one caller by its own name.
fn scenario(modules: u8) -> Scenario {
    let all = || 0..modules;
    let name = |id| Name {
        request: format!("m{id}"),
        resolution: Resolution::Modules(vec![Target {
            module: id,
            probe: vec![Probe::new(id, true, Insert::Finit)],
            blacklisted: false,
        }]),
        builtin: None,
    };
    Scenario {
        name: "together".to_owned(),
        modules: all().map(|id| Module { name: format!("m{id}"), ..Module::default() }).collect(),
        names: all().map(name).collect(),
        actors: all()
            .map(|id| Actor { action: Action::RequestModule(id), count: 1, killable: false })
            .collect(),
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
            kernel: presets::kernel("v6.5").unwrap(),
            kmod: presets::kmod("v19").unwrap(),
        },
    }
}

/// The steps of a process of that kind with that task, by what they are, and what it then is.
fn steps(model: &Model, kind: u8, shared: u128, task: Task) -> Vec<(Event, u64)> {
    let mut outcomes = Vec::new();
    model.step(kind, shared, model.pack(&task), &mut outcomes);
    outcomes.into_iter().map(|outcome| (outcome.event, outcome.local)).collect()
}

const STATES: [ModuleState; 6] = [
    ModuleState::Absent,
    ModuleState::Unformed,
    ModuleState::Coming,
    ModuleState::Live,
    ModuleState::Going,
    ModuleState::UnformedAgain,
];

/// `early_mod_check()` and `add_unformed_module()` ask the same `module_patient_check_exists()`: they make
/// the same of a name in each state, before and in the wait, in every kernel, whether or not calls of
/// `finit_module()` for the file are one.
#[test]
fn the_early_check_takes_a_state_for_what_the_late_one_does() {
    let mut compared = 0;
    for listed_name in [ListedName::GoingExists, ListedName::WaitsForGoing, ListedName::WaitsOnce] {
        for (compressed, idempotent) in [(false, true), (true, true), (false, false)] {
            let mut scenario = scenario(1);
            scenario.features.kernel.listed_name = listed_name;
            scenario.features.kernel.idempotent_finit = idempotent;
            scenario.modules[0].compressed = compressed;
            let model = Model::new(scenario, None).unwrap();
            // The second look of its modprobe is the one that it loads after.
            let at = |pc| Task { pc, pos: 1, ..Task::IDLE };
            for state in STATES {
                let shared = model.with_module(model.initial_shared(), 0, state, (false, false));
                let claimed = |pc| match steps(&model, 0, shared, at(pc))[..] {
                    [(Event::AddUnformed { state, then, .. }, _)] => (state, then),
                    ref other => panic!("{other:?}"),
                };
                let (early, late) = (claimed(Pc::EarlyCheck), claimed(Pc::AddUnformed));
                assert_eq!(early, late, "{listed_name:?} {compressed} {idempotent}");
                let going = match listed_name {
                    ListedName::GoingExists => Claim::Exists,
                    ListedName::WaitsForGoing => Claim::Wait,
                    ListedName::WaitsOnce => Claim::Busy,
                };
                let expected = match state {
                    ModuleState::Absent => Claim::Free,
                    ModuleState::Live => Claim::Exists,
                    ModuleState::Going => going,
                    _ => Claim::Wait,
                };
                assert_eq!(early, (state, expected), "{listed_name:?} {compressed} {idempotent}");
                let finished = |pc| match steps(&model, 0, shared, at(pc))[..] {
                    [(Event::FinishedLoading { state, finished, .. }, _)] => (state, finished),
                    ref other => panic!("{other:?}"),
                };
                assert_eq!(finished(Pc::EarlyWait), finished(Pc::AddWait));
                let again = |pc| match steps(&model, 0, shared, at(pc))[..] {
                    [(Event::AddUnformed { state, then, .. }, _)] => (state, then),
                    ref other => panic!("{other:?}"),
                };
                assert_eq!(again(Pc::EarlyRecheck), again(Pc::AddRecheck));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 54);
}

/// `first_req_done` belongs to one entry of `dup_kmod_reqs`: who waits for the request of a name is woken
/// by that name's completion alone, also in a modprobe that an init waits for.
#[test]
fn a_duplicate_is_woken_by_its_own_name_alone() {
    let mut scenario = scenario(2);
    scenario.features.kernel.duplicate_requests = true;
    scenario.modules[0].requests = Some(1);
    let model = Model::new(scenario, None).unwrap();
    let asleep = Task { pc: Pc::DuplicateAsleep, ..Task::IDLE };
    let nested =
        Task { depth: 1, outer: std::array::from_fn(|level| u8::from(level == 0)), ..asleep };
    for (kind, task, own) in [(0, asleep, 0), (1, asleep, 1), (0, nested, 1)] {
        for name in 0..2 {
            let woken = model.wake(kind, model.pack(&task), WaitQueue::Duplicate(name));
            let expected = Task { pc: Pc::DuplicateRead, ..task };
            assert_eq!(woken, (name == own).then(|| model.pack(&expected)), "{kind} {name}");
        }
    }
}

/// A caller is killed before its helper execs, and exec fails: nobody is told. Once the helper took the
/// caller's way back, and gave a slot back that the caller gives back, too.
#[test]
fn a_helper_that_was_left_behind_and_cannot_exec_just_ends() {
    for (limit, duplicates) in [(None, false), (Some(1), false), (None, true), (Some(1), true)] {
        let mut scenario = scenario(1);
        (scenario.helper, scenario.limit) = (Helper::Missing, limit);
        scenario.features.kernel.duplicate_requests = duplicates;
        scenario.actors[0].killable = true;
        let model = Model::new(scenario, None).unwrap();
        let (orphan, _) = *model
            .processes()
            .iter()
            .find(|(kind, _)| matches!(model.role(*kind), Role::Orphan(_)))
            .unwrap();
        let exec = Task { pc: Pc::Exec, ..Task::IDLE };
        let found = steps(&model, orphan, model.initial_shared(), exec);
        assert!(matches!(found[..], [(Event::ExecFailed { .. }, 0)]), "{found:?}");
    }
}
