//! loom's runs against the model's, in every preset that matters: exhaustive ones come to exactly
//! what the model comes to, bounded ones to part of it. How far each goes is in `loom-bounds.txt`.

use crate::common::{outcomes, under_loom};
use crate::sample::sample;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{Action, Actor};
use kmodcheck_model::{Model, Scenario, presets};
use kmodcheck_runtime::LoomOptions;
use kmodcheck_sim_kernel::Fault;

/// The table, each line with the scenario that it speaks of; with `KMODCHECK_LOOM_ROWS`, the rows in
/// that in its place: for explorations that take too long for every day.
fn table() -> Vec<(Scenario, LoomOptions)> {
    let own = std::env::var("KMODCHECK_LOOM_ROWS");
    let lines = own.as_deref().unwrap_or(include_str!("../loom-bounds.txt")).lines();
    let rows = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    rows.map(|row| {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [kernel, kmod, name, environment, callers, bound] = columns[..] else {
            panic!("six columns: {row}")
        };
        let features = Features {
            kernel: presets::kernel(kernel).expect(row),
            kmod: presets::kmod(kmod).expect(row),
        };
        let naming = Naming::ALL.into_iter().find(|n| n.request() == name).expect(row);
        let environment = Environment::ALL.into_iter().find(|e| e.name() == environment);
        let (requests, by_hand) = callers.split_once('+').unwrap_or((callers, "0"));
        let (requests, by_hand) = (requests.parse().expect(row), by_hand.parse().expect(row));
        let mut scenario = scenario(naming, environment.expect(row), features, requests);
        if by_hand > 0 {
            let (action, killable) = (Action::Modprobe(0), false);
            scenario.actors.push(Actor { action, count: by_hand, killable });
        }
        scenario.name = format!("{kernel} {kmod} {}, {callers} callers", scenario.name);
        let preemption_bound = match bound {
            "all" => None,
            bound => Some(bound.parse().expect(row)),
        };
        (scenario, LoomOptions { preemption_bound, max_executions: None })
    })
    .collect()
}

/// Every second row, so that the tests can share the processors.
fn rows(remainder: usize) {
    let rows = table().into_iter().enumerate().filter(|(number, _)| number % 2 == remainder);
    let executions = sample(300, u64::MAX);
    for (_, (scenario, mut options)) in rows {
        if !executions.is_whole() {
            options.max_executions = Some(300);
        }
        let all = outcomes(&Model::new(scenario.clone(), None).unwrap());
        let (explored, found) = under_loom(&scenario, None, options);
        println!("{}: {explored}: {} of {} outcomes", scenario.name, found.len(), all.len());
        if executions.is_whole() {
            assert_eq!(explored.exhaustive(), options.preemption_bound.is_none());
        }
        if explored.exhaustive() {
            assert_eq!(found, all, "{}", scenario.name);
        } else {
            assert!(found.is_subset(&all), "{}", scenario.name);
        }
    }
}

#[test]
fn odd_rows_of_the_table() {
    rows(0);
}

#[test]
fn even_rows_of_the_table() {
    rows(1);
}

/// The exhaustive exploration is what catches a fault that only takes behaviours away: with one
/// modprobe at a time there is no race, and each run is one of the model's.
#[test]
fn too_few_behaviours_are_caught() {
    let (scenario, options) = table().into_iter().next().expect("v19 is the first row");
    let all = outcomes(&Model::new(scenario.clone(), None).unwrap());
    let (_, found) = under_loom(&scenario, Some(Fault::OneModprobeAtATime), options);
    assert!(found.is_subset(&all) && found.len() < all.len(), "{found:?} of {all:?}");
}

/// Two steps that take no lock in common, a request's return and another's `mod->state = LIVE`, in an
/// order that decides 'no false success': unless loom is made to see that, it explores one order.
#[test]
fn an_order_that_decides_a_property_is_seen() {
    let (scenario, mut options) = table().into_iter().next().expect("v19 is the first row");
    let all = outcomes(&Model::new(scenario.clone(), None).unwrap());
    if !sample(0, 1).is_whole() {
        // Enough to come to everything where the order is seen.
        options.preemption_bound = Some(3);
        assert_eq!(under_loom(&scenario, None, options).1, all);
    }
    let (explored, found) = under_loom(&scenario, Some(Fault::OrderUnseen), options);
    println!("unseen: {explored}: {} of {} outcomes", found.len(), all.len());
    assert!(found.is_subset(&all) && found.len() < all.len(), "{found:?} of {all:?}");
}
