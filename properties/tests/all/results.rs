//! What each call can come to, against the naive explorer (sim/explore/tests/common/naive.rs): the same
//! results, up to exchanging actors or not, on any number of threads; and to each of them, and to each
//! branch of a premise that is met, a run as short as the naive graph has one.

use std::collections::{BTreeMap, BTreeSet};

use crate::naive::Naive;
use kmodcheck_explore::Sleep;
use kmodcheck_explore::{Kind, Limits, Options};
use kmodcheck_model::{Model, Pc};
use kmodcheck_properties::results::CallResult;
use kmodcheck_properties::verdict::{Unconfirmed, check_all};
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, check};
use kmodcheck_sim::{Processes, scenario_file};

fn models() -> Vec<(String, Model)> {
    let names = Property::ALL.map(Property::name);
    let load = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let loaded = scenario_file::load(&name, &text, &names).unwrap_or_else(|e| panic!("{e}"));
        (name, Model::new(loaded.scenario, None).unwrap())
    };
    crate::scenarios::files().into_iter().map(load).collect()
}

/// By actor and result, or by property and branch: how many steps it takes at least.
type Shortest = BTreeMap<String, usize>;

fn shortest(model: &Model) -> Option<Shortest> {
    let system = Processes { model };
    let naive = Naive::new(&system);
    let few = Limits { states: Some(12_000), ..Limits::default() };
    let options = Options { limits: few, ..Options::default() };
    if check(model, &options).unwrap().queue > 0 {
        return None;
    }
    let graph = naive.graph(false);
    let actors = model.scenario().actors.len();
    let mut shortest = Shortest::new();
    let mut found = |witness: Witness, steps: usize| {
        let least = shortest.entry(witness.asked(model)).or_insert(steps);
        *least = steps.min(*least);
    };
    for ((before, distance), moves) in graph.states.iter().zip(&graph.moves) {
        for (taken, _) in moves {
            let actor = usize::from(naive.kinds[taken.actor].0);
            let after = model.task(taken.after.1[taken.actor]);
            let was = model.task(before.1[taken.actor]);
            if actor < actors && was.pc != Pc::Done && after.pc == Pc::Done {
                let (kind, local) = (naive.kinds[taken.actor].0, taken.after.1[taken.actor]);
                let result = match model.program_result(kind, local) {
                    Some(value) => CallResult::Comes(i16::try_from(value).unwrap()),
                    None => CallResult::Returns(after.ret),
                };
                found(Witness::Result { actor, result }, distance + 1);
            }
        }
    }
    let stuck = naive.stuck(&graph);
    for ((_, distance), [for_ever, unless_killed, by_steps]) in graph.states.iter().zip(stuck) {
        let sets: [(Sleep, BTreeSet<usize>); 3] = [
            (Sleep::ForEver, for_ever.clone()),
            (Sleep::UntilKilled, &unless_killed - &for_ever),
            (Sleep::UntilTimeOut, &by_steps - &unless_killed),
        ];
        for (sleep, processes) in sets {
            for actor in processes.into_iter().map(|i| usize::from(naive.kinds[i].0)) {
                if actor < actors {
                    let result = CallResult::Sleeps(sleep);
                    found(Witness::Result { actor, result }, *distance);
                }
            }
        }
    }
    Some(shortest)
}

#[test]
fn results_are_those_of_the_naive_graph_and_each_has_a_shortest_run() {
    let (mut compared, mut runs, mut kinds) = (0, 0, BTreeSet::new());
    for (name, model) in models() {
        let Some(expected) = shortest(&model) else { continue };
        compared += 1;
        for (symmetry, threads) in [(true, 1), (false, 1), (true, 2)] {
            let options = Options { symmetry, threads, ..Options::default() };
            let report = check(&model, &options).unwrap();
            let mut found = Shortest::new();
            for (actor, results) in report.results.iter().enumerate() {
                for result in results {
                    let witness = Witness::Result { actor, result: *result };
                    let trace =
                        witness.find(&model, &report, &options).unwrap().expect("it is there");
                    assert_eq!(witness.confirm(&model, &trace), Ok(()), "{name}: {witness:?}");
                    let asked = witness.asked(&model);
                    assert_eq!(Witness::parse(&model, &asked, Some(&report)), Ok(witness));
                    found.insert(asked, trace.len());
                    kinds.insert(format!("{result:?}"));
                }
            }
            assert_eq!(found, expected, "{name}, symmetry {symmetry}, {threads} threads");
            runs += found.len();
        }
    }
    println!("{compared} scenarios, {runs} runs, {kinds:?}");
    assert!(compared > 8 && runs > 60 && kinds.len() > 6, "{compared} {runs} {kinds:?}");
    assert!(kinds.contains("Sleeps(ForEver)") && kinds.contains("Sleeps(UntilKilled)"));
}

/// A branch that is met has a run to it, one that is not has none, *asleep* among them.
#[test]
fn a_branch_is_shown_if_it_is_met() {
    let (mut met, mut asleep) = (0, 0);
    let options = Options { symmetry: true, ..Options::default() };
    for (name, model) in models() {
        let report = check_all(&model, &options).unwrap();
        for property in Property::ALL.into_iter().filter(|p| p.applies(&model)) {
            for (branch, times) in report.answer(property).branches.iter().enumerate() {
                let witness = Witness::Branch { property, branch };
                let found = witness.find(&model, &report, &options).unwrap();
                assert_eq!(found.is_some(), *times > 0, "{name}: {}", witness.asked(&model));
                let Some(mut trace) = found else { continue };
                assert_eq!(witness.confirm(&model, &trace), Ok(()), "{name}: {witness:?}");
                met += 1;
                asleep += usize::from(property == Property::NobodySleepsForEver);
                // Without its last step it does not show it.
                trace.pop();
                let shorter = witness.confirm(&model, &trace);
                assert_eq!(shorter, Err(Unconfirmed::NotViolated), "{name}: {witness:?}");
            }
        }
    }
    assert!(met > 80 && asleep > 8, "{met} {asleep}");
}

/// A sleeper is one of its own actor: the orphan of a killed caller is nobody's result.
#[test]
fn an_orphan_is_no_actor() {
    let text = "[features]\nkernel = \"v4.9\"\nkmod = \"v20\"\n[[module]]\nname = \"m\"\n\
                [[actor]]\ncall = \"request_module\"\nname = \"m\"\ncount = 2\nkillable = true\n\
                [[actor]]\ncall = \"rmmod\"\nname = \"m\"\n";
    let names = Property::ALL.map(Property::name);
    let scenario = scenario_file::load("case.toml", text, &names).unwrap().scenario;
    let model = Model::new(scenario, None).unwrap();
    let report = check(&model, &Options::default()).unwrap();
    let callers = &report.results[0];
    assert!(callers.contains(&CallResult::Sleeps(Sleep::UntilKilled)), "{callers:?}");
    assert!(!callers.contains(&CallResult::Sleeps(Sleep::ForEver)), "{callers:?}");
    let orphan = report.sleepers.iter().find(|s| s.sleep == Sleep::ForEver).expect("it sleeps on");
    assert!(orphan.kind > Kind(1), "{orphan:?}");
}
