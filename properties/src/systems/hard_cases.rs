//! The systems of which it is known to be hard to say whether every call returns.

use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Model, ModelError, Mutant, Pc};

use super::grand::GrandCell;

/// A case that is known to be hard.
#[derive(Clone, Copy, Debug)]
pub struct HardCase {
    /// Its name.
    pub name: &'static str,
    /// Why it is hard.
    pub words: &'static str,
    /// The system that it begins with.
    pub cell: GrandCell,
    /// What else is changed in its scenario.
    pub change: fn(&mut Scenario),
    /// A fault in the model.
    pub mutant: Option<Mutant>,
    /// The first word of [`crate::judge::progress::Progress::short`].
    pub expected: &'static str,
}

impl HardCase {
    /// Its scenario.
    pub fn scenario(&self) -> Scenario {
        let mut scenario = self.cell.scenario();
        (self.change)(&mut scenario);
        scenario
    }

    /// Its model.
    ///
    /// # Errors
    /// Never for those of [`HARD_CASES`].
    pub fn model(&self) -> Result<Model, ModelError> {
        Model::new(self.scenario(), self.mutant)
    }
}

const fn plain(environment: Environment, kernel: &'static str, kmod: &'static str) -> GrandCell {
    GrandCell { environment, naming: Naming::Plain, kernel, kmod }
}

fn as_it_is(_: &mut Scenario) {}

/// The dependency's init requests the module that needs it.
fn dependency_requests_its_user(scenario: &mut Scenario) {
    scenario.name = "ext4 needs jbd2, whose init requests ext4".to_owned();
    scenario.modules[1].requests = Some(0);
}

/// The same cell, as it is.
const fn case(
    name: &'static str,
    words: &'static str,
    cell: GrandCell,
    expected: &'static str,
) -> HardCase {
    HardCase { name, words, cell, change: as_it_is, mutant: None, expected }
}

const fn without(
    name: &'static str,
    words: &'static str,
    cell: GrandCell,
    skipped: Pc,
) -> HardCase {
    let mutant = Some(Mutant::Skip(skipped));
    HardCase { name, words, cell, change: as_it_is, mutant, expected: "asleep" }
}

/// The cases that are known to be hard, and what is expected of each.
pub const HARD_CASES: [HardCase; 13] = [
    case(
        "unload-v4.9",
        "an unload beside waiting loaders: delete_module() wakes nobody before v5.5",
        plain(Environment::Rmmod, "v4.9", "v20"),
        "asleep",
    ),
    case(
        "unload-v5.3",
        "the same, where 6e6de3dee51a waits for GOING, too, and nobody wakes who does",
        plain(Environment::Rmmod, "v5.3", "v20"),
        "asleep",
    ),
    case(
        "unload-v5.5",
        "the same, with the wake-up of 5d603311615f",
        plain(Environment::Rmmod, "v5.5", "v20"),
        "overtaken",
    ),
    case(
        "self-request",
        "a module whose init requests the module waits for itself",
        plain(Environment::SelfRequest, "v4.9", "v20"),
        "asleep",
    ),
    case(
        "self-request-v5",
        "the same with kmod v5, which takes 'coming' for loaded",
        plain(Environment::SelfRequest, "v4.9", "v5"),
        "returns",
    ),
    HardCase {
        name: "user-request",
        words: "a module whose init requests a module that needs it, with no time limit: each waits \
                for the other",
        cell: plain(Environment::DepFails, "v4.9", "v20"),
        change: |scenario| {
            dependency_requests_its_user(scenario);
            scenario.timeouts = false;
        },
        mutant: None,
        expected: "asleep",
    },
    HardCase {
        name: "user-request-30-s",
        words: "the same; the 30 s of resolve_symbol_wait() may be over, but nobody gets that far",
        cell: plain(Environment::DepFails, "v4.9", "v20"),
        change: dependency_requests_its_user,
        mutant: None,
        expected: "asleep",
    },
    case(
        "throttle-v4.9",
        "two requests may run at a time, of three: over the limit is an error",
        plain(Environment::LimitTwo, "v4.9", "v20"),
        "returns",
    ),
    case(
        "throttle-v4.13",
        "the same: over the limit waits, and whoever is woken races for the slot",
        plain(Environment::LimitTwo, "v4.13", "v20"),
        "time-out",
    ),
    case(
        "throttle-v6.5",
        "the same: a semaphore hands a slot on to who waits for it",
        plain(Environment::LimitTwo, "v6.5", "v20"),
        "returns",
    ),
    without(
        "no-wake-after-live",
        "do_init_module() without its wake_up_all()",
        plain(Environment::Ok, "v4.9", "v20"),
        Pc::WakeLive,
    ),
    without(
        "no-wake-after-failure",
        "do_init_module()'s error path without its wake_up_all()",
        plain(Environment::Fail, "v5.3", "v20"),
        Pc::WakeFreed,
    ),
    without(
        "no-wake-after-unload",
        "delete_module() without its wake_up_all()",
        plain(Environment::Rmmod, "v5.5", "v20"),
        Pc::WakeFreed,
    ),
];
