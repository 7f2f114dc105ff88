//! The explorer against the naive one (sim/explore/tests/common/naive.rs, which shares no code with it)
//! on the model itself: states, transitions, depth, every verdict with the length of its shortest
//! trace, every count of premises and decisions.

use crate::common::{Special, cell};
use crate::naive::{Graph, Naive};
use kmodcheck_explore::Sleep;
use kmodcheck_explore::{End, Options};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::event::Judgement;
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_model::scenario::{
    Action, Actor, Init, Insert, Module, Probe, Resolution, Scenario, Target,
};
use kmodcheck_model::{Event, History, Model, ModuleState, Mutant, Pc};
use kmodcheck_properties::grand::GrandCell;
use kmodcheck_properties::matrix::{Cell, Kmod};
use kmodcheck_properties::property::Says;
use kmodcheck_properties::verdict::{Decisions, check_all};
use kmodcheck_properties::{Property, Verdict, View, check};
use kmodcheck_sim::Processes;
use proptest::prelude::*;

/// What either explorer says of one property.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    /// Steps of the shortest violating trace.
    violated: Option<usize>,
    /// By branch, in how many transitions the premise was met.
    branches: Vec<u64>,
}

fn decide(model: &Model, local: u64, event: Event, d: &mut Decisions) {
    let (Event::Check { state, judgement, .. } | Event::CheckFinished { state, judgement, .. }) =
        event
    else {
        return;
    };
    let task = model.task(local);
    // A request that a module's init makes is judged by nobody.
    if !task.lied || judgement == Judgement::GoOn || task.depth > 0 {
        return;
    }
    d.waited_first += u64::from(task.slept);
    if judgement == Judgement::Reject {
        d.turned_into_an_error += 1;
    } else if state == ModuleState::Live {
        d.accepted_live += 1;
    } else if state == ModuleState::Absent {
        d.accepted_absent += 1;
    } else if state == ModuleState::Going {
        d.accepted_going += 1;
    } else {
        d.accepted_forming += 1;
    }
}

/// Every property but the one on sleepers, on the naive graph.
fn fates(naive: &Naive<'_, Processes<'_>>, graph: &Graph<Event>) -> (Vec<Fate>, Decisions) {
    let model = naive.system.model;
    let mut fates: Vec<Fate> = Property::ALL
        .iter()
        .map(|p| Fate { violated: None, branches: vec![0; p.branches().len()] })
        .collect();
    let mut decisions = Decisions::default();
    for ((state, distance), moves) in graph.states.iter().zip(&graph.moves) {
        for (taken, _) in moves {
            let local_before = state.1[taken.actor];
            let (before, after, event) = (state.0, taken.after.0, taken.label);
            let kind = naive.kinds[taken.actor].0;
            let view = View::new(model, (kind, local_before), (before, after), event);
            for (property, fate) in Property::ALL.into_iter().zip(&mut fates) {
                if !property.applies(model) || !property.is_remembered(model) {
                    continue;
                }
                match property.says(&view) {
                    Says::Nothing => {}
                    Says::Holds(branch) => fate.branches[branch] += 1,
                    Says::Violated(branch) => {
                        fate.branches[branch] += 1;
                        let steps = distance + 1;
                        fate.violated = Some(fate.violated.map_or(steps, |old| old.min(steps)));
                    }
                }
            }
            decide(model, local_before, event, &mut decisions);
        }
    }
    (fates, decisions)
}

/// The shortest distance to somebody who never runs again, to one who does if somebody is killed, and to
/// one who does by a time-out.
fn sleepers(naive: &Naive<'_, Processes<'_>>, graph: &Graph<Event>) -> [Option<usize>; 3] {
    let stuck = naive.stuck(graph);
    [0, 1, 2].map(|i| {
        let found = |sets: &[std::collections::BTreeSet<usize>; 3]| match i {
            0 => !sets[0].is_empty(),
            i => sets[i] != sets[i - 1],
        };
        let states = graph.states.iter().zip(&stuck).filter(|(_, s)| found(s));
        states.map(|((_, distance), _)| *distance).min()
    })
}

/// Whatever the callers remember.
#[track_caller]
fn agree(model: &Model, symmetry: bool) {
    agrees(model, symmetry);
    agrees(&Property::NoFalseFailure.remembering(model), symmetry);
}

#[track_caller]
fn agrees(model: &Model, symmetry: bool) {
    let name = format!("{} {:?} symmetry {symmetry}", model.scenario().name, model.mutant());
    let report = check(model, &Options { symmetry, ..Options::default() }).unwrap();
    assert_eq!(report.end, End::Complete, "{name}");
    let system = Processes { model };
    let naive = Naive::new(&system);
    let graph = naive.graph(symmetry);
    assert_eq!(
        (report.states, report.transitions, report.depth as usize),
        (graph.states.len() as u64, graph.transitions() as u64, graph.depth()),
        "{name}: states, transitions, depth"
    );
    let (mut expected, decisions) = fates(&naive, &graph);
    assert_eq!(report.decisions, decisions, "{name}");
    let asleep = graph
        .states
        .iter()
        .filter(|(state, _)| (0..naive.kinds.len()).any(|i| naive.blocked(state, i)));
    let sleepers_fate = &mut expected[Property::NobodySleepsForEver as usize];
    sleepers_fate.branches[0] = asleep.count() as u64;
    // Who sleeps cannot be followed through a graph up to exchanging processes, and the whole graph of
    // more than two is large: there, the whole one is compared in runs without symmetry.
    let followed = !symmetry || naive.kinds.len() == 2;
    if followed {
        let whole = if symmetry { naive.graph(false) } else { graph };
        let expected = sleepers(&naive, &whole);
        let found = Sleep::ALL.map(|sleep| Some(report.asleep(sleep)?.stuck.trace.len()));
        assert_eq!(found, expected, "{name}");
        let [for_ever, until_killed, _] = expected;
        sleepers_fate.violated = [for_ever, until_killed].into_iter().flatten().min();
    }
    for (answer, expected) in report.answers.iter().zip(expected) {
        if answer.property == Property::NobodySleepsForEver && !followed {
            assert_eq!(answer.branches, expected.branches, "{name}");
            continue;
        }
        let violated = match &answer.verdict {
            Verdict::Violated(trace) => Some(trace.len()),
            Verdict::Holds { premise_met } => {
                assert_eq!(*premise_met, answer.branches.iter().any(|n| *n > 0), "{name}");
                None
            }
            Verdict::NotApplicable => {
                assert!(!answer.property.applies(model), "{name}");
                continue;
            }
            Verdict::NotAsked => {
                assert!(!answer.property.is_remembered(model), "{name}");
                continue;
            }
            Verdict::OutOfBudget => panic!("{name}: nothing was bounded"),
        };
        let found = Fate { violated, branches: answer.branches.clone() };
        assert_eq!(found, expected, "{name}: {:?}", answer.property);
    }
}

/// Both histories together are neither more nor less than each by itself.
#[test]
fn both_histories_at_once() {
    let cells = GrandCell::all();
    for cell in cells.iter().filter(|c| c.environment != Environment::LimitTwo).step_by(97) {
        let model = Model::new(cell.scenario(), None).unwrap();
        let both = model.remembering(History::Both).unwrap();
        agrees(&both, true);
        let options = Options { symmetry: true, ..Options::default() };
        let (apart, both) = (check_all(&model, &options).unwrap(), check(&both, &options).unwrap());
        for (apart, both) in apart.answers.iter().zip(&both.answers) {
            let length = |verdict: &Verdict| match verdict {
                Verdict::Violated(trace) => Some(trace.len()),
                _ => None,
            };
            assert_eq!(
                length(&apart.verdict),
                length(&both.verdict),
                "{cell:?} {:?}",
                apart.property
            );
        }
    }
}

#[test]
fn two_callers_in_every_cell() {
    for cell in Cell::all() {
        agree(&cell.model(2, None), false);
    }
}

#[test]
fn two_callers_up_to_exchanging_them() {
    for cell in Cell::all().into_iter().filter(|c| c.naming == Naming::FsAndModule) {
        agree(&cell.model(2, None), true);
    }
}

const RACE: Cell =
    cell(Naming::FsAndModule, Environment::Ok, Kmod::V19, SanityCheck::None, AliasMap::None);

/// Each reading of the check, where a load may fail and where it does not.
#[test]
fn three_callers_in_chosen_cells() {
    for check in kmodcheck_properties::matrix::CHECKS {
        let map = AliasMap::Exact;
        agree(&Cell { check, map, environment: Environment::Fail, ..RACE }.model(3, None), true);
    }
    for kmod in Kmod::ALL {
        agree(&Cell { kmod, ..RACE }.model(3, None), true);
        agree(&Cell { kmod, ..RACE }.model(3, None), false);
    }
    agree(
        &Cell { naming: Naming::Plain, environment: Environment::Fail, ..RACE }.model(3, None),
        false,
    );
    agree(&Cell { naming: Naming::Plain, ..RACE }.model(4, None), true);
}

#[test]
fn systems_that_no_cell_has() {
    for special in Special::ALL {
        for environment in [Environment::Ok, Environment::Fail] {
            for kmod in Kmod::ALL {
                let cell = Cell { environment, kmod, ..RACE };
                for symmetry in [false, true] {
                    agree(&special.model(&cell, None), symmetry);
                }
            }
        }
    }
}

/// exec of modprobe requests a module, whose modprobe's exec does, on every kernel.
#[test]
fn exec_that_requests_a_module() {
    for kernel in kmodcheck_model::presets::KERNELS {
        for (environment, limit) in
            [(Environment::Ok, 1), (Environment::Ok, 3), (Environment::Killed, 2)]
        {
            let mut scenario =
                GrandCell { environment, naming: Naming::FsAndModule, kernel, kmod: "v30" }
                    .scenario();
            scenario.names.push(kmodcheck_model::scenario::Name {
                request: "binfmt-464c".to_owned(),
                resolution: Resolution::NotFound,
                builtin: None,
            });
            scenario.exec_requests = Some(1);
            (scenario.limit, scenario.timeouts) = (Some(limit), limit > 1);
            agree(&Model::new(scenario, None).unwrap(), true);
        }
    }
}

/// Who loads a file that another loads is refused, or joins it, and may be killed while it waits.
#[test]
fn claims_of_a_file() {
    for (kernel, exclusive, interruptible) in [
        ("v4.9", false, false),
        ("v6.2", true, false),
        ("v6.5", false, false),
        ("v6.5", false, true),
    ] {
        for environment in [Environment::Ok, Environment::Fail, Environment::Rmmod] {
            let mut scenario =
                GrandCell { environment, naming: Naming::FsAndModule, kernel, kmod: "v30" }
                    .scenario();
            scenario.features.kernel.exclusive_finit = exclusive;
            scenario.features.kernel.join_interruptible = interruptible;
            scenario.modprobe_killable = true;
            agree(&Model::new(scenario, None).unwrap(), true);
        }
    }
}

/// Unloading, killed callers, limits, requests of an init's own, old and new kernels.
#[test]
fn two_callers_in_the_grand_matrix() {
    let chosen =
        [("v4.9", "v19"), ("v4.13", "v20"), ("v6.2", "v5"), ("v6.5", "v30"), ("v6.5+dup", "v20")];
    for cell in GrandCell::all() {
        let large = matches!(cell.environment, Environment::LimitTwo);
        if chosen.contains(&(cell.kernel, cell.kmod)) && cell.naming != Naming::FsAndOther && !large
        {
            agree(&Model::new(cell.scenario(), None).unwrap(), true);
        }
    }
}

/// Where something is violated that holds otherwise, sleepers included.
#[test]
fn faults() {
    let fail = Cell { environment: Environment::Fail, ..RACE };
    for pc in [Pc::WakeLive, Pc::WakeFreed, Pc::Unlink, Pc::SetLive, Pc::ListDel, Pc::SysfsFini] {
        for cell in [RACE, fail] {
            agree(&cell.model(2, Some(Mutant::Skip(pc))), false);
            agree(&cell.model(2, Some(Mutant::Merge(pc))), false);
        }
        agree(&Special::Dependency.model(&fail, Some(Mutant::Skip(pc))), false);
    }
    let skipped = fail.model(2, Some(Mutant::Skip(Pc::WakeFreed)));
    let report = check(&skipped, &Options::default()).unwrap();
    let answer = report.answer(Property::NobodySleepsForEver);
    assert!(matches!(answer.verdict, Verdict::Violated(_)), "somebody sleeps for ever");
}

/// Any module of a system of three.
fn any_module() -> impl Strategy<Value = Module> {
    let init = proptest::sample::select(vec![
        Init::Succeeds,
        Init::MayFail,
        Init::MayReturnEexist,
        Init::Fails,
    ]);
    let rare = || proptest::bool::weighted(0.2);
    (
        (proptest::collection::vec(0..3_u8, 0..3), init, any::<bool>(), rare(), rare()),
        (rare(), rare(), rare(), rare()),
    )
        .prop_map(|((dependencies, init, registers, listed_builtin, name_taken), rare)| {
            Module {
                name: String::new(),
                dependencies,
                init,
                registers,
                listed_builtin,
                name_taken,
                requests: rare.0.then_some(0),
                sysfs_may_fail: rare.1,
                compressed: rare.2,
                no_exit: rare.3,
            }
        })
}

/// Any system of up to three modules, what modprobe does for a name that they serve, and who else is
/// there.
fn any_scenario() -> impl Strategy<Value = Scenario> {
    let cells = proptest::sample::select(GrandCell::all());
    let modules = proptest::collection::vec(any_module(), 1..=3);
    let probe = (0..3_u8, any::<bool>());
    let targets = proptest::collection::vec(
        (0..3_u8, proptest::collection::vec(probe, 1..=3), proptest::bool::weighted(0.1)),
        1..=2,
    );
    let flags = (any::<bool>(), proptest::bool::weighted(0.2), proptest::bool::weighted(0.2));
    let third = proptest::sample::select(vec![
        None,
        Some(Action::Rmmod(0)),
        Some(Action::Modprobe(0)),
        Some(Action::ModprobeRemove(0)),
        Some(Action::RequestModuleNowait(0)),
        Some(Action::Udev(0)),
    ]);
    (cells, modules, targets, flags, third).prop_map(|(cell, modules, targets, flags, third)| {
        let cell = GrandCell { environment: Environment::Ok, ..cell };
        let mut s = cell.scenario();
        let n = modules.len() as u8;
        s.modules = modules;
        for (i, module) in s.modules.iter_mut().enumerate() {
            module.name = format!("m{i}");
            module.dependencies.iter_mut().for_each(|d| *d %= n);
        }
        let targets = targets.into_iter().map(|(module, probe, blacklisted)| Target {
            module: module % n,
            probe: probe
                .into_iter()
                .map(|(module, required)| {
                    let insert = Insert::Finit;
                    Probe::new(module % n, required, insert)
                })
                .collect(),
            blacklisted,
        });
        s.names[0].resolution = Resolution::Modules(targets.collect());
        (s.timeouts, s.actors[0].killable) = (flags.0, flags.1);
        s.limit = flags.2.then_some(1);
        if let Some(action) = third {
            s.actors[0].count = 1;
            s.actors.push(Actor { action, count: 1, killable: false });
        }
        s.name = format!("{s:?}");
        s
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Dependencies may form rings, and targets need not be in their own probe lists: whatever it
    /// means, both explorers say the same of it.
    #[test]
    fn generated_scenarios(scenario in any_scenario(), symmetry in any::<bool>()) {
        // What the model does not take (a caller that would need too many bits, ...) it says.
        let Ok(model) = Model::new(scenario, None) else { return Err(TestCaseError::reject("")) };
        agree(&model, symmetry);
    }
}
