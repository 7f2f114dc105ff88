//! What each step of the model is good for: a fault at every place, and for each fault the verdict
//! that changes, or else the length of a shortest trace, or else a count.
//!
//! A fault merges a step with the next one of the same process, leaves out what it does to others,
//! or takes two neighbouring steps of loading or of `free_module()` in the other order. The record
//! names one system where it shows; where it says that no verdict changes, none does in any system
//! tried here. `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test all steps::` rewrites it: never
//! without a reason, which belongs into the commit.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::common::{Special, recording};
use crate::sample::{for_all, long_some_of};
use kmodcheck_explore::{Asks, Monitor, Tally};
use kmodcheck_explore::{End, Limits, Options, Step, explore};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::AliasMap;
use kmodcheck_model::scenario::{Action, Actor, FailsAt, Failure, Scenario};
use kmodcheck_model::{Event, Model, Mutant, Pc};
use kmodcheck_properties::grand::GrandCell;
use kmodcheck_properties::matrix::{CHECKS, Cell, Kmod};
use kmodcheck_properties::{Report, Verdict, check};
use kmodcheck_sim::Processes;

/// The recorded effects.
const RECORDED: &str = include_str!("../../recorded/steps.txt");

/// A system to try a fault on, and the places at which somebody steps in it.
struct Tried {
    name: String,
    scenario: Scenario,
    reached: BTreeSet<Pc>,
    without: Report,
}

impl Tried {
    fn of((name, scenario): &(String, Scenario)) -> Self {
        let (name, scenario) = (name.clone(), scenario.clone());
        let model = Model::new(scenario.clone(), None).expect("built-in scenarios are well formed");
        let system = Processes { model: &model };
        let found = explore(&system, &Reached { model: &model }, &OPTIONS).expect("the states fit");
        let (reached, without) = (found.tally.0, explored(&scenario, None));
        Self { name, scenario, reached, without }
    }

    /// Whether somebody steps where the fault is.
    fn has(&self, fault: Mutant) -> bool {
        let reached = |pc| self.reached.contains(&pc);
        match fault {
            Mutant::Merge(pc) | Mutant::Skip(pc) => reached(pc),
            Mutant::Swap(a, b) => reached(a) || reached(b),
            _ => true,
        }
    }
}

/// The places at which somebody stepped.
#[derive(Default)]
struct Places(BTreeSet<Pc>);

impl Tally for Places {
    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

struct Reached<'m> {
    model: &'m Model,
}

impl Monitor<Event> for Reached<'_> {
    type Tally = Places;
    const ASKS: Asks = Asks::Steps;

    fn record_step(&self, places: &mut Places, step: &Step<Event>, _: u64, _: u64) {
        places.0.insert(self.model.task(step.local_before).pc);
    }
}

/// Counted up to exchanging callers.
const OPTIONS: Options<'static> = Options {
    symmetry: true,
    follow_all: false,
    limits: Limits { states: None, bytes: None, time: None },
    interrupt: None,
    progress: None,
    stop_when_violated: 0,
    threads: 1,
    steps_kept: 0,
};

fn explored(scenario: &Scenario, mutant: Option<Mutant>) -> Report {
    let model = Model::new(scenario.clone(), mutant).expect("built-in scenarios are well formed");
    let report = check(&model, &OPTIONS).expect("the states fit");
    assert_eq!(report.end, End::Complete, "{}", scenario.name);
    report
}

/// The race first, so that what shows there is recorded there.
fn systems() -> Vec<Tried> {
    let mut scenarios = Vec::new();
    for (naming, maps) in [
        (Naming::FsAndModule, &[AliasMap::None, AliasMap::Exact][..]),
        (Naming::Plain, &[AliasMap::Exact]),
    ] {
        for environment in [Environment::Ok, Environment::Fail] {
            for kmod in Kmod::ALL {
                for check in CHECKS {
                    for &map in maps {
                        let cell = Cell { naming, environment, kmod, check, map };
                        let scenario = cell.model(2, None).scenario().clone();
                        scenarios.push((cell.to_string(), scenario));
                    }
                }
            }
        }
    }
    // Each kernel that has steps of its own, in the environments that lead to them.
    let naming = Naming::FsAndModule;
    let everywhere =
        Environment::ALL.into_iter().filter(|e| *e != Environment::FailRmmod).collect();
    for (kernel, kmod, environments) in [
        ("v4.9", "v19", everywhere),
        ("v4.13", "v20", vec![Environment::LimitTwo]),
        ("v5.11", "v20", vec![Environment::SysfsFails, Environment::DepFails]),
        ("v6.2", "v20", vec![Environment::Fail]),
        (
            "v6.5",
            "v20",
            vec![
                Environment::Fail,
                Environment::Killed,
                Environment::Rmmod,
                Environment::SysfsFails,
            ],
        ),
        ("v6.5+dup", "v20", vec![Environment::Fail, Environment::Killed, Environment::LimitTwo]),
    ] {
        for environment in environments {
            let cell = GrandCell { environment, naming, kernel, kmod };
            let scenario = cell.scenario();
            scenarios.push((format!("{} {kernel} {kmod}", scenario.name), scenario));
        }
    }
    for (kernel, kmod) in [("v4.9", "v19"), ("v6.5", "v20")] {
        for special in Special::ALL {
            let environment = match special {
                Special::Shells => Environment::Ok,
                _ => Environment::Fail,
            };
            let cell = GrandCell { environment, naming, kernel, kmod };
            let scenario = special.scenario(naming, environment, cell.features(), 2);
            scenarios.push((format!("{} {kernel} {kmod}", scenario.name), scenario));
        }
    }
    // Each place at which a load may fail, with an error that is success to modprobe where that can be.
    for (word, at) in FailsAt::ALL {
        let kernel = if at == FailsAt::ReadOnly { "v6.12" } else { "v7.3" };
        let cell = GrandCell { environment: Environment::Ok, naming, kernel, kmod: "v20" };
        let mut scenario = cell.scenario();
        scenario.modules[0].registers &= at != FailsAt::ReadOnly;
        scenario.modules[0].failure = Some(Failure { at, eexist: at.may_say_eexist() });
        scenarios.push((format!("fails at {word} {kernel} v20"), scenario));
    }
    // busybox looks elsewhere, and calls init_module() after finit_module().
    // The small one takes no look at what an alias stands for.
    for (kmod, naming) in [("busybox", naming), ("busybox-small", Naming::Plain)] {
        let cell = GrandCell { environment: Environment::Fail, naming, kernel: "v6.5", kmod };
        let scenario = cell.scenario();
        scenarios.push((format!("{} v6.5 {kmod}", scenario.name), scenario));
    }
    // modprobe -r looks at refcnt, and removes what is not used any more.
    for kmod in ["v20", "after-v34.2"] {
        let cell = GrandCell { environment: Environment::DepFails, naming, kernel: "v6.2", kmod };
        let mut scenario = cell.scenario();
        scenario.actors[0].count = 1;
        let action = Action::ModprobeRemove(0);
        scenario.actors.push(Actor { action, count: 1, killable: false });
        scenarios.push((format!("{} and modprobe -r v6.2 {kmod}", scenario.name), scenario));
    }
    // The late initcalls make the directory of built-in code of the same name.
    let cell = GrandCell { environment: Environment::Ok, naming, kernel: "v6.2", kmod: "v19" };
    let mut scenario = cell.scenario();
    scenario.actors[0].count = 1;
    scenario.modules[0].name_taken = true;
    let actors = [Action::LateInitcalls, Action::Udev(0)];
    scenario.actors.extend(actors.map(|action| Actor { action, count: 1, killable: false }));
    let late = (format!("{} and late initcalls v6.2 v19", scenario.name), scenario);
    // The entry of a request is forgotten 60 s after whoever has announced first.
    let cell =
        GrandCell { environment: Environment::Fail, naming, kernel: "v7.3+dup", kmod: "v20" };
    let mut scenario = cell.scenario();
    scenario.timeouts = true;
    scenarios.push((format!("{} and time-outs v7.3+dup v20", scenario.name), scenario));
    scenarios.push(late);
    for_all(&scenarios, Tried::of)
}

/// Places at which nobody steps: asleep until woken, not in the call at all, or at a program or waiting for what only programs
/// schedule, which these systems do not have.
const STEPLESS: [Pc; 7] = [
    Pc::PreAsleep,
    Pc::CheckAsleep,
    Pc::UdevIdle,
    Pc::Done,
    Pc::Program,
    Pc::AsyncSynchronize,
    Pc::UnloadSynchronize,
];

/// Faults that show nowhere: a merge with nothing. What follows is no step of the same process, or a
/// time-out or a kill, which is never part of another step.
const INVISIBLE: [Mutant; 7] = [
    // What is in the directory goes with it.
    Mutant::Skip(Pc::FailRemoveAttrs),
    // Ends by a kill only; the modprobe that gets the error exits with it either way.
    Mutant::Merge(Pc::IdempotentAsleep),
    Mutant::Merge(Pc::EarlyAsleep),
    // The last steps of a caller, of udev's rule and of a kworker.
    Mutant::Merge(Pc::PutFilesystem),
    Mutant::Merge(Pc::UdevUse),
    Mutant::Merge(Pc::DuplicateDelete),
    // The minute before the entry is deleted follows.
    Mutant::Merge(Pc::DuplicateComplete),
];

/// What is recorded of them.
const NOTHING: &str = "no system | nothing";

/// Loading, each place beside its neighbours; a scenario has those that it needs.
const LOADING: &[Pc] = &[
    Pc::AddUnformed,
    Pc::Resolve,
    Pc::CompleteFormation,
    Pc::SysfsInit,
    Pc::AddModinfoAttrs,
    Pc::Init,
    Pc::SetLive,
    Pc::DropInitial,
    Pc::WakeLive,
];

/// `free_module()`, likewise.
const FREEING: &[Pc] = &[
    Pc::SetGoing,
    Pc::RemoveModinfoAttrs,
    Pc::SysfsFini,
    Pc::SetUnformed,
    Pc::UnloadFree,
    Pc::ListDel,
    Pc::WakeFreed,
];

/// Other places whose step changes what others see, or wakes them.
const CHANGING: &[Pc] = &[
    Pc::Unlink,
    Pc::FailGoing,
    Pc::FailUnloadFree,
    Pc::SysfsUndo,
    Pc::Unregister,
    Pc::Uevent,
    Pc::ModuleExit,
    Pc::PutFilesystem,
    Pc::LimitCount,
    Pc::LimitBack,
    Pc::GiveSlot,
    Pc::WakeSlot,
    Pc::Announce,
    Pc::FailRemoveAttrs,
    Pc::DuplicateQueue,
    Pc::DuplicateComplete,
    Pc::DuplicateDelete,
    Pc::IdempotentComplete,
];

fn faults() -> Vec<Mutant> {
    let mut faults = vec![
        Mutant::NewRule,
        Mutant::OldRule,
        Mutant::CheckBeforeModprobe,
        Mutant::NoModprobe,
        Mutant::NoSecondLook,
    ];
    for order in [LOADING, FREEING] {
        faults.extend(order.windows(2).map(|pair| Mutant::Swap(pair[0], pair[1])));
    }
    for places in [LOADING, FREEING, CHANGING] {
        let changing = places.iter().filter(|pc| **pc != Pc::Resolve);
        faults.extend(changing.map(|pc| Mutant::Skip(*pc)));
    }
    faults.extend(Pc::ALL.iter().filter(|pc| !STEPLESS.contains(pc)).map(|pc| Mutant::Merge(*pc)));
    faults
}

/// How much a fault shows, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    Nothing,
    Counts,
    Lengths,
    Verdicts,
    /// What held is violated.
    Violated,
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds { premise_met: true } => "+".to_owned(),
        Verdict::Holds { premise_met: false } => "0".to_owned(),
        Verdict::NotApplicable => "-".to_owned(),
        Verdict::Violated(trace) => trace.len().to_string(),
        Verdict::OutOfBudget | Verdict::NoneFound => panic!("nothing was bounded"),
        Verdict::NotAsked => "?".to_owned(),
    }
}

/// What a fault changes in one system, in words: as much of it as shows most.
fn effect(without: &Report, with: &Report) -> (Shows, String) {
    let (mut verdicts, mut lengths) = (String::new(), String::new());
    let mut violated = false;
    for (old, new) in without.answers.iter().zip(&with.answers) {
        if old.verdict == new.verdict {
            continue;
        }
        let (from, to) = (verdict(&old.verdict), verdict(&new.verdict));
        let both =
            matches!((&old.verdict, &new.verdict), (Verdict::Violated(_), Verdict::Violated(_)));
        if !both {
            violated |= matches!(new.verdict, Verdict::Violated(_));
            write!(verdicts, " {}{from}>{to}", old.property.letter()).unwrap();
        } else if from != to {
            write!(lengths, " {}{from}>{to}", old.property.letter()).unwrap();
        }
    }
    let counts = |r: &Report| format!("{}/{}/{}", r.states, r.transitions, r.depth);
    if !verdicts.is_empty() {
        let shows = if violated { Shows::Violated } else { Shows::Verdicts };
        (shows, format!("verdicts{verdicts}"))
    } else if !lengths.is_empty() {
        (Shows::Lengths, format!("lengths{lengths}"))
    } else if counts(without) != counts(with) {
        (Shows::Counts, format!("counts {}>{}", counts(without), counts(with)))
    } else {
        (Shows::Nothing, "nothing".to_owned())
    }
}

/// The first system in which the fault shows most.
fn most(fault: Mutant, systems: &[Tried]) -> (Shows, usize, String) {
    let mut best = (Shows::Nothing, 0, String::new());
    for (i, system) in systems.iter().enumerate().filter(|(_, system)| system.has(fault)) {
        let (shows, words) = effect(&system.without, &explored(&system.scenario, Some(fault)));
        if shows > best.0 {
            best = (shows, i, words);
        }
        if best.0 == Shows::Violated {
            break;
        }
    }
    best
}

#[test]
fn every_fault_shows_as_recorded() {
    let (systems, faults) = (systems(), faults());
    let reached = |pc: &&Pc| systems.iter().any(|s| s.reached.contains(pc));
    let stepless: Vec<&Pc> = Pc::ALL.iter().filter(|pc| !reached(pc)).collect();
    assert_eq!(stepless, STEPLESS.iter().collect::<Vec<_>>(), "places at which nobody steps");
    if recording() {
        let lines = for_all(&faults, |fault| {
            let (_, at, words) = most(*fault, &systems);
            if words.is_empty() {
                return format!("{fault} | {NOTHING}");
            }
            format!("{fault} | {} | {words}", systems[at].name)
        });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded/steps.txt");
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
        return;
    }
    let lines: Vec<&str> = RECORDED.lines().collect();
    let recorded: Vec<&str> = lines.iter().map(|l| l.split(" | ").next().unwrap()).collect();
    let expected: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(recorded, expected, "one line for each fault");
    for_all(&long_some_of(25, 70, faults.into_iter().zip(lines)), |(fault, line)| {
        let fault = *fault;
        let invisible = line.ends_with(NOTHING);
        assert_eq!(invisible, INVISIBLE.contains(&fault), "{fault}");
        if invisible {
            let (shows, at, words) = most(fault, &systems);
            assert_eq!(shows, Shows::Nothing, "{fault} in {}: {words}", systems[at].name);
            return;
        }
        let [_, name, words] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not three parts: {line}")
        };
        let system = systems.iter().find(|s| s.name == name).expect("one of those tried");
        let (shows, found) = effect(&system.without, &explored(&system.scenario, Some(fault)));
        assert_eq!(found, words, "{fault} in {name}");
        if shows < Shows::Verdicts {
            let (most, at, words) = most(fault, &systems);
            assert_eq!(most, shows, "{fault} shows more in {}: {words}", systems[at].name);
        }
    });
}
