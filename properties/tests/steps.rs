//! What each step of the model is good for: a fault at every place, and for each fault the verdict
//! that changes, or else the length of a shortest trace, or else a count.
//!
//! A fault merges a step with the next one of the same process, leaves out what it does to others,
//! or takes two neighbouring steps of loading or of `free_module()` in the other order. The record
//! names one system where it shows; where it says that no verdict changes, none does in any system
//! tried here. `KMODCHECK_RECORD=1 cargo test -p kmodcheck-properties --test steps` rewrites it: never
//! without a reason, which belongs into the commit.

mod common;

use std::fmt;
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Special;
use kmodcheck_explore::{End, Options};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::{AliasMap, SanityCheck};
use kmodcheck_model::kernel::{FREE_ORDER, LOAD_ORDER};
use kmodcheck_model::{Model, Mutant, Pc};
use kmodcheck_properties::matrix::{CHECKS, Cell, Kmod};
use kmodcheck_properties::{Report, Verdict, check};

/// The recorded effects.
const RECORDED: &str = include_str!("../recorded/steps.txt");

/// A system to try a fault on, with two callers.
#[derive(Clone, Copy)]
struct Tried {
    cell: Cell,
    special: Option<Special>,
}

impl Tried {
    fn model(&self, mutant: Option<Mutant>) -> Model {
        match self.special {
            None => self.cell.model(2, mutant),
            Some(special) => special.model(&self.cell, 2, mutant),
        }
    }

    fn explored(&self, mutant: Option<Mutant>) -> Report {
        let report = check(&self.model(mutant), &Options::default()).expect("the states fit");
        assert_eq!(report.end, End::Complete);
        report
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.special {
            None => write!(f, "{}", self.cell),
            Some(special) => write!(f, "{} {special:?}", self.cell),
        }
    }
}

/// The race first, so that what shows there is recorded there.
fn systems() -> Vec<Tried> {
    let mut systems = Vec::new();
    for (naming, maps) in [
        (Naming::FsAndModule, &[AliasMap::None, AliasMap::Exact][..]),
        (Naming::Plain, &[AliasMap::Exact]),
    ] {
        for environment in [Environment::Ok, Environment::Fail, Environment::BuiltinDir] {
            for kmod in Kmod::ALL {
                for check in CHECKS {
                    for &map in maps {
                        let cell = Cell { naming, environment, kmod, check, map };
                        systems.push(Tried { cell, special: None });
                    }
                }
            }
        }
    }
    for special in Special::ALL {
        for environment in [Environment::Ok, Environment::Fail] {
            for kmod in Kmod::ALL {
                for (check, map) in [
                    (SanityCheck::None, AliasMap::None),
                    (SanityCheck::AuthorMail, AliasMap::Exact),
                    (SanityCheck::WaitAndVerify, AliasMap::Exact),
                ] {
                    let naming = Naming::FsAndModule;
                    let cell = Cell { naming, environment, kmod, check, map };
                    systems.push(Tried { cell, special: Some(special) });
                }
            }
        }
    }
    systems
}

/// Places without a step that another one of the same process follows: asleep until woken, the last
/// step of a call ([`Mutant::NoSecondLook`] is its fault), and after it.
const UNMERGED: [Pc; 5] =
    [Pc::PreAsleep, Pc::AddAsleep, Pc::CheckAsleep, Pc::LookupSecond, Pc::Done];

/// Faults that show nowhere; docs/fidelity.md says why.
const INVISIBLE: [Mutant; 1] = [Mutant::Merge(Pc::AddWait)];

/// What is recorded of them.
const NOTHING: &str = "no system | nothing";

/// Places whose step changes what others see, or wakes them.
const CHANGING: [Pc; 15] = [
    Pc::AddUnformed,
    Pc::CompleteFormation,
    Pc::SysfsInit,
    Pc::AddModinfoAttrs,
    Pc::Init,
    Pc::SetLive,
    Pc::WakeLive,
    Pc::Unlink,
    Pc::Unregister,
    Pc::SetGoing,
    Pc::RemoveModinfoAttrs,
    Pc::SysfsFini,
    Pc::SetUnformed,
    Pc::ListDel,
    Pc::WakeFreed,
];

fn faults() -> Vec<Mutant> {
    let mut faults = vec![
        Mutant::NewRule,
        Mutant::OldRule,
        Mutant::CheckBeforeModprobe,
        Mutant::NoModprobe,
        Mutant::NoSecondLook,
    ];
    faults.extend((0..LOAD_ORDER.len() as u8 - 1).map(Mutant::SwapLoad));
    faults.extend((0..FREE_ORDER.len() as u8 - 1).map(Mutant::SwapFree));
    faults.extend(CHANGING.map(Mutant::Skip));
    faults.extend(Pc::ALL.iter().filter(|pc| !UNMERGED.contains(pc)).map(|pc| Mutant::Merge(*pc)));
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
        Verdict::OutOfBudget => panic!("nothing was bounded"),
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

/// Runs `job` for each number below `n`, on two threads.
fn parallel<T: Send>(n: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= n {
                        break;
                    }
                    let result = job(i);
                    done.lock().unwrap().push((i, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The first system in which the fault shows most.
fn most(fault: Mutant, systems: &[Tried], without: &[Report]) -> (Shows, usize, String) {
    let mut best = (Shows::Nothing, 0, String::new());
    for (i, (system, without)) in systems.iter().zip(without).enumerate() {
        let (shows, words) = effect(without, &system.explored(Some(fault)));
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
    let without = parallel(systems.len(), |i| systems[i].explored(None));
    if std::env::var_os("KMODCHECK_RECORD").is_some() {
        let lines = parallel(faults.len(), |i| {
            let (_, at, words) = most(faults[i], &systems, &without);
            if words.is_empty() {
                return format!("{} | {NOTHING}", faults[i]);
            }
            format!("{} | {} | {words}", faults[i], systems[at])
        });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded/steps.txt");
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
        return;
    }
    let lines: Vec<&str> = RECORDED.lines().collect();
    let recorded: Vec<&str> = lines.iter().map(|l| l.split(" | ").next().unwrap()).collect();
    let expected: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(recorded, expected, "one line for each fault");
    let names: Vec<String> = systems.iter().map(ToString::to_string).collect();
    parallel(faults.len(), |i| {
        let fault = faults[i];
        let invisible = lines[i].ends_with(NOTHING);
        assert_eq!(invisible, INVISIBLE.contains(&fault), "{fault}");
        if invisible {
            let (shows, at, words) = most(fault, &systems, &without);
            assert_eq!(shows, Shows::Nothing, "{fault} in {}: {words}", names[at]);
            return;
        }
        let [_, name, words] = lines[i].split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not three parts: {}", lines[i])
        };
        let at = names.iter().position(|n| n == name).expect("the system is one that is tried");
        let (shows, found) = effect(&without[at], &systems[at].explored(Some(fault)));
        assert_eq!(found, words, "{fault} in {name}");
        if shows < Shows::Verdicts {
            let (most, at, words) = most(fault, &systems, &without);
            assert_eq!(most, shows, "{fault} shows more in {}: {words}", names[at]);
        }
    });
}

/// Every place is reached, so that a fault there could show.
#[test]
fn every_place_has_a_fault() {
    let faults = faults();
    for pc in Pc::ALL.iter().filter(|pc| !UNMERGED.contains(pc)) {
        assert!(faults.contains(&Mutant::Merge(*pc)), "{pc}");
    }
    for order in [&LOAD_ORDER[..], &FREE_ORDER[..]] {
        for pc in order.iter().filter(|pc| **pc != Pc::Resolve) {
            assert!(faults.contains(&Mutant::Skip(*pc)), "{pc}");
        }
    }
    // Asleep, nobody steps, in any system.
    for system in systems().iter().step_by(7) {
        let report = system.explored(Some(Mutant::Merge(Pc::AddAsleep)));
        assert_eq!(effect(&system.explored(None), &report).0, Shows::Nothing, "{system}");
    }
}
