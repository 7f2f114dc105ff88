//! The changes that suffice, recomputed for two pairs of property and environment, as
//! docs/findings.md has them.

use std::sync::atomic::AtomicBool;

use kmodcheck_explore::Limits;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_properties::Property;
use kmodcheck_properties::fixes::{Answer, Question, fixes};

fn answer(kmod: &str, pinned: bool, environment: Environment, property: Property) -> Answer {
    let question = Question {
        base: Features {
            kernel: presets::kernel("v4.9").unwrap(),
            kmod: presets::kmod(kmod).unwrap(),
        },
        kmod_may_change: !pinned,
        environment,
        namings: Naming::ALL.to_vec(),
        property,
        max_size: 3,
    };
    let interrupt = AtomicBool::new(false);
    fixes(&question, 2, Limits::default(), &interrupt, &|_, _| {}).expect("nobody interrupts")
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
    let text = include_str!("../../docs/findings.md");
    for set in sets(answer) {
        assert!(text.contains(&format!("`{set}`")), "docs/findings.md does not tell of '{set}'");
    }
}

#[test]
fn against_false_success_beside_a_failing_init() {
    let answer = answer("v19", false, Environment::Fail, Property::NoFalseSuccess);
    assert!(!answer.base.holds && answer.complete);
    assert_eq!(
        sets(&answer),
        [
            "duplicate-requests=on",
            "sanity-check=exact-builtin + alias-map=exact",
            "listed-name=waits-for-going + bare-directory=coming",
            "listed-name=waits-once + bare-directory=coming",
            "idempotent-finit=on + bare-directory=coming",
        ]
    );
    // A check that always says no would make the property hold, and is no fix.
    assert!(answer.rejected > 0);
    told(&answer);
}

#[test]
fn against_sleeping_for_ever_beside_rmmod() {
    let answer = answer("v19", true, Environment::Rmmod, Property::NobodySleepsForEver);
    assert!(answer.base.stuck && answer.complete);
    assert_eq!(sets(&answer), ["delete-module-wakes=on", "duplicate-requests=on"]);
    assert!(answer.unread.contains(&"uevent-after-init"));
    told(&answer);
}
