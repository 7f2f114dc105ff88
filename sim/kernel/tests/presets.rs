//! Every preset and environment under shuttle: each run is a behaviour of the model, and what it
//! comes to is one of the things that the model's runs come to.

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use common::{Outcome, follow, outcomes};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::{Model, Scenario, presets};
use kmodcheck_runtime::{Scheduler, draw};
use kmodcheck_sim_kernel::run;

/// What that many drawn runs come to.
fn drawn(scenario: &Scenario, scheduler: Scheduler, executions: usize) -> BTreeSet<Outcome> {
    let model = Arc::new(Model::new(scenario.clone(), None).unwrap());
    let scenario = Arc::new(scenario.clone());
    let found: Arc<Mutex<BTreeSet<Outcome>>> = Arc::default();
    let into = Arc::clone(&found);
    draw(scheduler, 1, executions, move |rt| {
        let (model, into) = (Arc::clone(&model), Arc::clone(&into));
        let named = Arc::clone(&scenario);
        run(rt, &scenario, None, move |run| match follow(&model, &run) {
            Ok(outcome) => {
                into.lock().unwrap().insert(outcome);
            }
            Err(refused) => {
                let log: Vec<String> = run.log[..=refused.at]
                    .iter()
                    .map(|e| format!("{} {:?}", e.process, e.event))
                    .collect();
                panic!("{}: {refused:?}\n{}", named.name, log.join("\n"));
            }
        });
        false
    });
    let found = found.lock().unwrap().clone();
    found
}

/// Kernels with shared requests are not in this description.
fn kernels() -> impl Iterator<Item = &'static str> {
    presets::KERNELS.into_iter().filter(|name| *name != "v6.5+dup")
}

#[test]
fn what_shuttle_draws_is_a_behaviour_of_the_model() {
    let (mut reached, mut all) = (0, 0);
    for kernel in kernels() {
        for kmod in presets::KMODS {
            let features = Features {
                kernel: presets::kernel(kernel).unwrap(),
                kmod: presets::kmod(kmod).unwrap(),
            };
            for environment in Environment::ALL {
                for naming in Naming::ALL {
                    let mut scenario = scenario(naming, environment, features, 2);
                    scenario.name = format!("{} on {kernel} with kmod {kmod}", scenario.name);
                    let expected = outcomes(&Model::new(scenario.clone(), None).unwrap());
                    let mut found = drawn(&scenario, Scheduler::Random, 30);
                    found.extend(drawn(&scenario, Scheduler::Pct { depth: 3 }, 30));
                    let more: Vec<_> = found.difference(&expected).collect();
                    assert!(more.is_empty(), "{}: {more:?}", scenario.name);
                    reached += found.len();
                    all += expected.len();
                }
            }
        }
    }
    println!("{reached} of {all} outcomes");
}
