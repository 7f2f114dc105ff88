//! Deliberate faults in either description, and that the comparison with the other one sees them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::common::{follow, outcomes};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::Resolution;
use kmodcheck_model::{Model, Mutant, Pc, Scenario, presets};
use kmodcheck_runtime::{Scheduler, draw};
use kmodcheck_sim::scenario_file;
use kmodcheck_sim_kernel::{Fault, Returned, run};

fn on(kernel: &str, kmod: &str, naming: Naming, environment: Environment, callers: u8) -> Scenario {
    let features =
        Features { kernel: presets::kernel(kernel).unwrap(), kmod: presets::kmod(kmod).unwrap() };
    let mut scenario = scenario(naming, environment, features, callers);
    scenario.name = format!("{} on {kernel} with kmod {kmod}", scenario.name);
    scenario
}

/// `m0` needs `m1`, whose load always fails, which modprobe does not mind: so the loader of `m0` may wait
/// in `resolve_symbol_wait()` for the `m1` of the other modprobe, and its time may be over as that fails.
fn waits_for_a_symbol() -> Scenario {
    let text = r#"
        name = "a dependency fails while the loader of what needs it waits for its symbols"
        features = { kernel = "v4.9", kmod = "v20" }
        environment = { timeouts = true }
        module = [{ name = "m0", dependencies = ["m1"] }, { name = "m1", name-taken = true }]
        actor = [{ call = "request_module", name = "m0", count = 2 }]
    "#;
    let mut scenario = scenario_file::load("symbol.toml", text, &[]).expect("well formed").scenario;
    let Resolution::Modules(targets) = &mut scenario.names[0].resolution else { unreachable!() };
    targets[0].probe[0].required = false;
    scenario
}

/// What drawn runs of the one description, with or without a fault, are to the other one.
#[derive(Debug, Default)]
struct Compared {
    /// The first difference.
    caught: Option<String>,
    /// What the actors got, whatever the model says of it.
    results: BTreeSet<Vec<Returned>>,
}

const EXECUTIONS: usize = 400;

fn compare(scenario: &Scenario, fault: Option<Fault>, mutant: Option<Mutant>) -> Compared {
    let model = Arc::new(Model::new(scenario.clone(), mutant).unwrap());
    let expected = Arc::new(outcomes(&model));
    let scenario = Arc::new(scenario.clone());
    let compared: Arc<Mutex<Compared>> = Arc::default();
    for scheduler in [Scheduler::Random, Scheduler::Pct { depth: 3 }] {
        let (model, expected, scenario, into) = (
            Arc::clone(&model),
            Arc::clone(&expected),
            Arc::clone(&scenario),
            Arc::clone(&compared),
        );
        draw(scheduler, 1, EXECUTIONS, move |rt| {
            let (model, expected, into) =
                (Arc::clone(&model), Arc::clone(&expected), Arc::clone(&into));
            run(rt, &scenario, fault, move |run| {
                let difference = match follow(&model, &run) {
                    Err(refused) => Some(format!(
                        "{:?} is refused, expected one of {:?}",
                        refused.entry, refused.possible
                    )),
                    Ok(outcome) if !expected.contains(&outcome) => {
                        Some(format!("it comes to {outcome:?}"))
                    }
                    Ok(_) => None,
                };
                let mut into = into.lock().unwrap();
                into.results.insert(run.returned);
                if into.caught.is_none() {
                    into.caught = difference;
                }
            });
            false
        });
    }
    Arc::try_unwrap(compared).unwrap().into_inner().unwrap()
}

/// Faults of the straight-line code, each where it can be seen; those that no actor's result shows are
/// caught by the model alone.
#[test]
fn the_model_catches_faults_of_the_code() {
    use Environment as E;
    let plain = |environment| on("v4.9", "v20", Naming::Plain, environment, 2);
    let cases = [
        (Fault::NoWakeWhenLive, plain(E::Ok)),
        (Fault::LiveBeforeInit, on("v4.9", "v20", Naming::FsAndModule, E::Ok, 2)),
        (Fault::UnlistedBeforeTeardown, plain(E::Fail)),
        (Fault::NoWaitForForming, plain(E::Ok)),
        (Fault::NoSecondLook, on("v4.9", "v20", Naming::FsAndModule, E::Ok, 2)),
        (Fault::OneRead, plain(E::Ok)),
        (Fault::NoFirstLook, plain(E::Ok)),
        (Fault::TestBeforeQueueing, plain(E::Ok)),
        (Fault::NoLastTest, waits_for_a_symbol()),
        (Fault::NoCheck, on("v4.9+verify", "v19", Naming::Plain, E::Ok, 2)),
        (Fault::StatusLost, plain(E::Fail)),
        (Fault::NoReferenceCheck, on("v4.9", "v20", Naming::FsAndModule, E::Rmmod, 2)),
    ];
    let mut by_the_model_alone = 0;
    for (fault, scenario) in cases {
        let healthy = compare(&scenario, None, None);
        assert_eq!(healthy.caught, None, "{}", scenario.name);
        let faulty = compare(&scenario, Some(fault), None);
        let alone = faulty.results.is_subset(&healthy.results);
        by_the_model_alone += u32::from(alone);
        println!(
            "{fault:?} ({}): {}{}",
            scenario.name,
            faulty.caught.as_deref().unwrap_or("NOT CAUGHT"),
            if alone { "; no result shows it" } else { "" }
        );
        assert!(faulty.caught.is_some(), "{fault:?} is not caught");
    }
    assert!(by_the_model_alone >= 2, "{by_the_model_alone}");
}

/// Faults of the model: the straight-line code does what it does not have. Those under which the model
/// still comes to the same results and verdicts are caught by the code alone.
#[test]
fn the_code_catches_faults_of_the_model() {
    use Environment as E;
    let plain = |kmod, environment| on("v4.9", kmod, Naming::Plain, environment, 2);
    let cases = [
        (Mutant::OldRule, plain("v20", E::Ok)),
        (Mutant::NewRule, plain("v19", E::Ok)),
        (Mutant::Merge(Pc::SysfsInit), plain("v20", E::Ok)),
        (Mutant::Merge(Pc::Open), plain("v20", E::Ok)),
        (Mutant::Merge(Pc::SetLive), plain("v20", E::Ok)),
        (Mutant::Skip(Pc::WakeLive), plain("v20", E::Ok)),
        (Mutant::SwapLoad(3), plain("v20", E::Ok)),
        (Mutant::SwapFree(1), plain("v20", E::Fail)),
        (Mutant::ModprobeExitsZero, plain("v20", E::Fail)),
        (Mutant::NoSecondLook, on("v4.9", "v20", Naming::FsAndModule, E::Ok, 2)),
        (Mutant::CheckAcceptsForming, on("v4.9+verify", "v19", Naming::Plain, E::Ok, 2)),
        (Mutant::CheckBeforeModprobe, on("v4.9+verify", "v19", Naming::Plain, E::Ok, 2)),
    ];
    let mut by_the_code_alone = 0;
    for (mutant, scenario) in cases {
        let healthy = outcomes(&Model::new(scenario.clone(), None).unwrap());
        let alone = outcomes(&Model::new(scenario.clone(), Some(mutant)).unwrap()) == healthy;
        by_the_code_alone += u32::from(alone);
        let faulty = compare(&scenario, None, Some(mutant));
        println!(
            "{mutant} ({}): {}{}",
            scenario.name,
            faulty.caught.as_deref().unwrap_or("NOT CAUGHT"),
            if alone { "; the model's own results and verdicts do not show it" } else { "" }
        );
        assert!(faulty.caught.is_some(), "{mutant} is not caught");
    }
    assert!(by_the_code_alone >= 2, "{by_the_code_alone}");
}
