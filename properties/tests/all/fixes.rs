//! The changes that suffice, recomputed for two pairs of property and environment, as
//! docs/findings.md has them.

use std::sync::atomic::AtomicBool;

use crate::sample::sample;
use kmodcheck_explore::Limits;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_properties::Property;
use kmodcheck_properties::fixes::{Answer, Question, fixes};

fn answer(kmod: &str, pinned: bool, environment: Environment, property: Property) -> Answer {
    answer_within(Limits::default(), kmod, pinned, environment, property)
}

fn answer_within(
    limits: Limits,
    kmod: &str,
    pinned: bool,
    environment: Environment,
    property: Property,
) -> Answer {
    let base =
        Features { kernel: presets::kernel("v4.9").unwrap(), kmod: presets::kmod(kmod).unwrap() };
    let most = sample(2, 3).seeds().end as usize;
    let question = Question::built_in(base, environment, &Naming::ALL, property, most);
    let question = Question { kmod_may_change: !pinned, ..question };
    let interrupt = AtomicBool::new(false);
    let answer = fixes(&question, 2, limits, &interrupt, &|_, _| {});
    answer.expect("built-in systems are explored").expect("nobody interrupts")
}

fn sets(answer: &Answer) -> Vec<String> {
    let one = |set: &Vec<kmodcheck_properties::fixes::Change>| {
        let changes: Vec<String> =
            set.iter().map(|c| format!("{}={}", c.switch.name, c.value)).collect();
        changes.join(" + ")
    };
    answer.sufficient.iter().map(|(set, _)| one(set)).collect()
}

/// `docs/findings.md` tells each set in these words.
fn told(answer: &Answer) {
    let text = include_str!("../../../docs/findings.md");
    for set in sets(answer) {
        assert!(text.contains(&format!("`{set}`")), "docs/findings.md does not tell of '{set}'");
    }
}

#[test]
fn against_false_success_beside_a_failing_init() {
    let answer = answer("v19", false, Environment::Fail, Property::NoFalseSuccess);
    assert_eq!((answer.base.holds, answer.cut, answer.undecided), (Some(false), 0, 0));
    assert_eq!(
        sets(&answer),
        [
            "duplicate-requests=on",
            "sanity-check=exact-builtin + alias-map=exact",
            "listed-name=waits-for-going + bare-directory=coming",
            "listed-name=waits-once + bare-directory=coming",
            "idempotent-finit=on + bare-directory=coming",
            "exclusive-finit=on + bare-directory=coming",
        ]
    );
    // A check that always says no would make the property hold, and is no fix.
    assert!(answer.rejected > 0);
    told(&answer);
}

#[test]
fn against_sleeping_for_ever_beside_rmmod() {
    let answer = answer("v19", true, Environment::Rmmod, Property::NobodySleepsForEver);
    assert_eq!((answer.base.stuck, answer.cut, answer.undecided), (Some(true), 0, 0));
    assert_eq!(sets(&answer), ["delete-module-wakes=on", "duplicate-requests=on"]);
    assert!(answer.unread.contains(&"uevent-after-init"));
    told(&answer);
}

/// A search that was cut says neither that something is violated nor that nothing helps.
#[test]
fn what_was_cut_is_undecided() {
    let limits = |states| Limits { states: Some(states), ..Limits::default() };
    let (environment, property) = (Environment::Fail, Property::NoFalseSuccess);
    let cut = answer_within(limits(10), "v19", true, environment, property);
    assert_eq!(cut.base.holds, None);
    assert_eq!((cut.undecided, cut.cut), (cut.sets, cut.systems));
    assert!(cut.sufficient.is_empty() && cut.rejected == 0);
    // With more, violations are found before the end: they count, cut or not.
    let cut = answer_within(limits(400), "v19", true, environment, property);
    assert_eq!(cut.base.holds, Some(false));
    assert!(cut.cut > 0 && cut.undecided > 0 && cut.undecided < cut.sets, "{cut:?}");
}
