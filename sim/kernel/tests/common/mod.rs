//! What the tests need to hold the two descriptions against each other.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use kmodcheck_explore::{Configuration, Product};
use kmodcheck_model::{Event, Model, ModuleState, Scenario, Wakes};
use kmodcheck_properties::property::Says;
use kmodcheck_properties::{Property, View};
use kmodcheck_runtime::{Explored, LoomOptions, explore};
use kmodcheck_sim::Processes;
use kmodcheck_sim_kernel::{Entry, Fault, Returned, Run, run};

/// What one run came to: each caller's result, and the properties it violated, one bit each.
pub type Outcome = (Vec<Returned>, u64);

/// An event that the model does not have there.
#[derive(Debug)]
pub struct Refused {
    pub at: usize,
    pub entry: Entry,
    pub possible: Vec<Event>,
}

/// The model tells UNFORMED of a module being freed from UNFORMED of one being loaded, for history;
/// the kernel has one word for both.
fn as_the_kernel_says(event: Event) -> Event {
    let one = |state| match state {
        ModuleState::UnformedAgain => ModuleState::Unformed,
        other => other,
    };
    match event {
        Event::AlreadyLive { name, state } => Event::AlreadyLive { name, state: one(state) },
        Event::PreExists { name, state } => Event::PreExists { name, state: one(state) },
        Event::PreFinished { name, state } => Event::PreFinished { name, state: one(state) },
        Event::AddUnformed { module, state } => Event::AddUnformed { module, state: one(state) },
        Event::FinishedLoading { module, state } => {
            Event::FinishedLoading { module, state: one(state) }
        }
        Event::ResolveSymbol { module, dependency, state } => {
            Event::ResolveSymbol { module, dependency, state: one(state) }
        }
        Event::Check { name, state, judgement } => {
            Event::Check { name, state: one(state), judgement }
        }
        Event::CheckFinished { name, state, judgement } => {
            Event::CheckFinished { name, state: one(state), judgement }
        }
        other => other,
    }
}

/// Bits of the properties that a transition violates.
fn violated(view: &View<'_>) -> u64 {
    let mut bits = 0;
    for property in Property::ALL {
        if property.applies(view.model) && matches!(property.says(view), Says::Violated(_)) {
            bits |= 1 << property as u64;
        }
    }
    bits
}

/// Takes every event of `run` as a step of the model, any number of callers, and gives what the run
/// came to.
pub fn follow(model: &Model, run: &Run) -> Result<Outcome, Refused> {
    let mut shared = model.initial_shared();
    let mut locals = vec![model.initial_local(); run.returned.len()];
    let mut bits = 0;
    let mut choices = Vec::new();
    for (at, entry) in run.log.iter().enumerate() {
        let actor = usize::from(entry.actor);
        let local = locals[actor];
        choices.clear();
        model.step(shared, local, &mut choices);
        let Some(step) = choices.iter().find(|s| as_the_kernel_says(s.event) == entry.event) else {
            let possible = choices.iter().map(|step| step.event).collect();
            return Err(Refused { at, entry: *entry, possible });
        };
        let (before, after) = (shared, step.shared);
        bits |= violated(&View { model, before, after, local_before: local, event: step.event });
        shared = after;
        locals[actor] = step.local;
        if before != after {
            for local in &mut locals {
                *local = model.observe(before, after, *local);
            }
        }
        if step.wakes == Wakes::ModuleWq {
            for (i, local) in locals.iter_mut().enumerate() {
                if i != actor {
                    *local = model.wake(*local).unwrap_or(*local);
                }
            }
        }
    }
    let returned: Vec<_> = locals.iter().map(|local| returned(model, *local)).collect();
    assert_eq!(returned, run.returned, "the log and the results of one run differ");
    Ok((returned, bits))
}

fn returned(model: &Model, local: u64) -> Returned {
    if model.returned(local) { Returned::Ret(model.task(local).ret) } else { Returned::Stuck }
}

/// Everything that a run of the model can come to, by plain search.
pub fn outcomes(model: &Model) -> BTreeSet<Outcome> {
    let system = Processes { model };
    let product = Product::new(&system).expect("few callers");
    let start = (product.initial(), 0_u64);
    let mut seen: HashSet<(Configuration, u64)> = HashSet::from([start]);
    let mut todo = vec![start];
    let mut found = BTreeSet::new();
    let mut scratch = Vec::new();
    while let Some((state, bits)) = todo.pop() {
        let mut ended = true;
        product
            .successors(&state, &mut scratch, |t| {
                ended = false;
                let bits = bits
                    | violated(&View {
                        model,
                        before: t.before.shared,
                        after: t.after.shared,
                        local_before: t.local_before(),
                        event: t.label,
                    });
                let next = (*t.after, bits);
                if seen.insert(next) {
                    todo.push(next);
                }
                ControlFlow::Continue(())
            })
            .expect("nothing is spawned");
        if ended {
            let callers = &state.locals[..product.processes()];
            found.insert((callers.iter().map(|local| returned(model, *local)).collect(), bits));
        }
    }
    found
}

/// Everything that the runs under loom come to, each of them followed in the model.
pub fn under_loom(
    scenario: &Scenario,
    fault: Option<Fault>,
    options: LoomOptions,
) -> (Explored, BTreeSet<Outcome>) {
    let model = Arc::new(Model::new(scenario.clone(), None).unwrap());
    let scenario = Arc::new(scenario.clone());
    let found: Arc<Mutex<BTreeSet<Outcome>>> = Arc::default();
    let into = Arc::clone(&found);
    let explored = explore(options, move |rt| {
        let (model, into) = (Arc::clone(&model), Arc::clone(&into));
        run(rt, &scenario, fault, move |run| {
            let outcome = follow(&model, &run).unwrap();
            into.lock().unwrap().insert(outcome);
        });
    });
    let found = found.lock().unwrap().clone();
    (explored, found)
}
