//! Small systems on which one thing decides what is said for any number of processes: of each the answer
//! is held against exhaustive exploration of few.

use crate::common::erased::smallest;
use crate::common::refuted::{BAD, Bad, CALLERS, Goes, Label, NONE, ONE, REFUTED, Refuted, Wakes};
use kmodcheck_explore::coverability::{
    Family, NoFamily, Outcome, Question, Setup, Smallest, Undecided,
};
use kmodcheck_explore::{End, Kind, Options};

/// Neither property of a system that steps into [`BAD`] may be said to hold.
const PROPERTIES: [u32; 2] = [0, 1];

fn family(system: &Refuted) -> Result<Family<'_, Refuted>, NoFamily> {
    let kinds = |kinds: &[u8]| kinds.iter().map(|k| Kind(*k)).collect::<Vec<_>>();
    Family::new(system, &kinds(system.any_number), &kinds(system.forgetful))
}

/// What is said of one property, by the views, with them and without.
#[derive(Debug)]
struct Said {
    possible: bool,
    no_place: bool,
    proved: [Result<Outcome, Undecided>; 2],
    found: Smallest<Label>,
}

fn ask(family: &Family<'_, Refuted>, property: u32) -> Said {
    let (options, question) = (Options::default(), Question { monitor: Bad, without_history: 1 });
    let setup = Setup::new(family, &question, &options).expect("a small system");
    Said {
        possible: setup.possibly_violated() >> property & 1 != 0,
        no_place: setup.lacks_place(),
        proved: [
            setup.prove(1 << property, &options),
            setup.prove_backward_only(1 << property, &options),
        ],
        found: smallest(family, &Bad, property, 4, &options).expect("a small system"),
    }
}

/// What is found with few processes is excluded by nothing, and what is said to hold is not found.
fn agrees(name: &str, said: &Said) {
    let violated = matches!(said.found, Smallest::Violated { .. });
    let cut = matches!(said.found, Smallest::Cut { end: End::PoolExhausted(_), .. });
    assert!(violated || cut || said.found == Smallest::NotUpTo(4), "{name}: {said:?}");
    if violated {
        assert!(said.possible || said.no_place, "{name}: {said:?}");
    }
    for proved in &said.proved {
        match proved {
            Ok(Outcome::Holds(_)) => assert!(!violated && !cut, "{name}: {said:?}"),
            Ok(Outcome::Reaches { others }) => {
                let Smallest::Violated { callers, .. } = said.found else { continue };
                assert!(callers <= others + 1, "{name}: {said:?}");
            }
            Err(error) => assert_eq!(*error, Undecided::NoPlace, "{name}: {said:?}"),
        }
    }
}

/// What the explorer is told of a system's history must be true ([`kmodcheck_explore::System::anonymous`]):
/// these are not.
const UNTRUE: [&str; 4] = ["AnonymousIsSomebody", "StepForgets", "SightForgets", "WakeForgets"];

#[test]
fn nothing_is_said_to_hold_where_one_thing_makes_a_step_bad() {
    let (mut violated, mut no_place) = (0, 0);
    for system in REFUTED.iter().filter(|system| !UNTRUE.contains(&system.rule)) {
        let family = match (family(system), system.rule) {
            (Ok(family), _) => family,
            (Err(NoFamily::NotAlike(_)), "BeginsAlike") => continue,
            (Err(NoFamily::NobodyTagged), "SomebodyWaits") => continue,
            (Err(error), name) => panic!("{name}: {error}"),
        };
        let mut bad = 0;
        for property in PROPERTIES {
            let said = ask(&family, property);
            agrees(system.rule, &said);
            violated += usize::from(matches!(said.found, Smallest::Violated { .. }));
            no_place += usize::from(said.no_place);
            bad += usize::from(said.possible || said.no_place);
        }
        assert!(bad > 0, "{}", system.rule);
    }
    assert!(violated > 35 && no_place > 4, "{violated} are violated, {no_place} lack a place");
}

/// A system, and with how many others the tagged process may get to [`BAD`] at least: `None`: with no
/// number of them.
const DECIDED: &[(&str, Refuted, Option<usize>)] = &[
    (
        "who steps first goes on by itself",
        Refuted {
            goes: &[
                Goes(0, 0, 1, 0, 2, NONE),
                Goes(0, 0, 2, 1, 3, NONE),
                Goes(0, 1, 1, 1, BAD, NONE),
            ],
            ..CALLERS
        },
        Some(1),
    ),
    (
        "one wakes another one who is where it is",
        Refuted {
            goes: &[Goes(0, 0, 1, 0, 2, ONE), Goes(0, 0, 3, 0, BAD, NONE)],
            wakes: &[Wakes(0, 1, 3)],
            ..CALLERS
        },
        Some(1),
    ),
    (
        "the same, of others that the tagged process only sees",
        Refuted {
            goes: &[
                Goes(0, 0, 1, 0, 2, ONE),
                Goes(0, 0, 3, 1, 4, NONE),
                Goes(0, 1, 1, 1, BAD, NONE),
            ],
            wakes: &[Wakes(0, 1, 3)],
            ..CALLERS
        },
        Some(2),
    ),
];

#[test]
fn the_least_number_of_others_is_exact_where_a_rule_takes_it() {
    for (name, system, others) in DECIDED {
        let family = family(system).unwrap_or_else(|error| panic!("{name}: {error}"));
        let said = ask(&family, 0);
        agrees(name, &said);
        let expected = match others {
            None => Smallest::NotUpTo(4),
            Some(others) => {
                for proved in &said.proved {
                    assert_eq!(*proved, Ok(Outcome::Reaches { others: *others }), "{name}");
                }
                let Smallest::Violated { callers, .. } = said.found else {
                    panic!("{name}: {said:?}")
                };
                assert_eq!(callers, others + 1, "{name}");
                continue;
            }
        };
        assert_eq!(said.found, expected, "{name}");
    }
}
