//! Many callers: shuttle at 3 to 62, and the stress cases of tools/testing/selftests/kmod/kmod.sh on
//! real threads.

use std::sync::{Arc, Mutex};

use crate::common::follow;
use crate::sample::some_of;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::{Model, Ret, Scenario, presets};
use kmodcheck_properties::Property;
use kmodcheck_runtime::{Schedule, Scheduler, Shuttle, Threads, draw, replay};
use kmodcheck_sim_kernel::{Returned, Run, run};

fn on(kernel: &str, kmod: &str, naming: Naming, callers: u8) -> Scenario {
    let features =
        Features { kernel: presets::kernel(kernel).unwrap(), kmod: presets::kmod(kmod).unwrap() };
    scenario(naming, Environment::Ok, features, callers)
}

/// Whether a run violates 'no false success', or some `get_fs_type()` returned NULL; panics if it is
/// none of the model's.
fn goes_wrong(scenario: &Scenario) -> impl Fn(&Shuttle) -> bool + Send + Sync + use<> {
    let model = Arc::new(Model::new(scenario.clone(), None).unwrap());
    let scenario = Arc::new(scenario.clone());
    move |rt| {
        let wrong = Arc::new(Mutex::new(false));
        let (into, model) = (Arc::clone(&wrong), Arc::clone(&model));
        run(rt, &scenario, None, move |run| {
            let (returned, violated) = follow(&model, &run).unwrap();
            *into.lock().unwrap() = violated & 1 << Property::NoFalseSuccess as u64 != 0
                || returned.contains(&Returned::Ret(Ret::Null));
        });
        *wrong.lock().unwrap()
    }
}

/// Executions until the race was found, with this seed: what `docs/agreement.md` tells. They change
/// when the code does.
#[test]
fn shuttle_finds_the_race_among_many_callers_and_replays_it() {
    for callers in some_of(2, [3, 8, 20, 62]) {
        for naming in [Naming::Plain, Naming::FsAndModule] {
            let scenario = on("v4.9", "v19", naming, callers);
            for scheduler in [Scheduler::Random, Scheduler::Pct { depth: 3 }] {
                let most = 6000;
                let drawn = draw(scheduler, 1, most, goes_wrong(&scenario));
                let found = match &drawn.ended_by {
                    Some(_) => format!("found at execution {}", drawn.executions),
                    None => format!("not found in {} executions", drawn.executions),
                };
                println!("{} {callers} callers, {scheduler}: {found}", naming.request());
                if let Some(schedule) = drawn.ended_by {
                    let saved: Schedule = schedule.to_string().parse().unwrap();
                    assert!(replay(&saved, goes_wrong(&scenario)));
                } else {
                    assert_ne!(scheduler, Scheduler::Random, "random finds it");
                }
            }
        }
    }
}

#[test]
fn shuttle_finds_nothing_with_v20() {
    for (callers, executions) in some_of(1, [(62, 5), (3, 500)]) {
        for naming in [Naming::Plain, Naming::FsAndModule] {
            let scenario = on("v4.9", "v20", naming, callers);
            for scheduler in [Scheduler::Random, Scheduler::Pct { depth: 3 }] {
                let drawn = draw(scheduler, 1, executions, goes_wrong(&scenario));
                assert_eq!(drawn.ended_by, None, "{callers} callers, {scheduler}");
            }
        }
    }
}

/// How many requests may run at a time (`MAX_KMOD_CONCURRENT`).
const LIMIT: u8 = 50;

/// kmod.sh 0008 (58 `request_module()`) and 0009 (62 `get_fs_type()`), with fewer rounds: every caller
/// gets what it asked for, or, where the limit fails at once, may be told that too many run.
#[test]
fn stress_on_threads_is_a_behaviour_of_the_model() {
    for (case, naming, callers, good) in [
        ("0008", Naming::Plain, LIMIT + LIMIT / 6, Ret::Zero),
        ("0009", Naming::FsAndModule, LIMIT + LIMIT / 4, Ret::Found),
    ] {
        for kernel in ["v4.9", "v4.13", "v6.5"] {
            let mut scenario = on(kernel, "v30", naming, callers);
            scenario.limit = Some(LIMIT);
            let model = Arc::new(Model::new(scenario.clone(), None).unwrap());
            let scenario = Arc::new(scenario);
            let runs: Arc<Mutex<Vec<Run>>> = Arc::default();
            for seed in 0..5 {
                let into = Arc::clone(&runs);
                run(&Threads { seed }, &scenario, None, move |run| {
                    into.lock().unwrap().push(run);
                });
            }
            let mut refused = 0;
            for run in runs.lock().unwrap().iter() {
                let (returned, violated) = follow(&model, run).unwrap();
                assert_eq!(violated, 0, "{case} on {kernel}");
                for returned in returned {
                    let at_once = kernel == "v4.9"
                        && matches!(returned, Returned::Ret(Ret::Enomem | Ret::Null));
                    refused += u32::from(at_once);
                    assert!(at_once || returned == Returned::Ret(good), "{case}: {returned:?}");
                }
            }
            assert_eq!(runs.lock().unwrap().len(), 5);
            println!("{case} on {kernel}: 5 rounds of {callers}, {refused} told that too many run");
        }
    }
}
