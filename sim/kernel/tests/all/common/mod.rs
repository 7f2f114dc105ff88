//! What the tests need to hold the two descriptions against each other.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use kmodcheck_explore::{Configuration, Product, WayOut};
use kmodcheck_model::scenario::{Action, ModuleId, NameId};
use kmodcheck_model::{Effect, Event, Model, ModuleState, Ret, Role, Scenario};
use kmodcheck_properties::property::Says;
use kmodcheck_properties::{Property, View};
use kmodcheck_runtime::{Explored, LoomOptions, explore};
use kmodcheck_sim::Processes;
use kmodcheck_sim_kernel::{Entry, Fault, Returned, Run, run};

/// What one run came to: each caller's result, and the properties it violated, one bit each.
pub type Outcome = (Vec<Returned>, u64);

/// An event that the model does not have there; none if it is the end that it does not have there.
#[derive(Debug)]
pub struct Refused {
    pub at: usize,
    pub entry: Option<Entry>,
    pub possible: Vec<Event>,
}

/// The model tells UNFORMED of a module being freed from UNFORMED of one being loaded, for history;
/// the kernel has one word for both.
fn as_the_kernel_says(mut event: Event) -> Event {
    if let Event::AlreadyLive { state, .. }
    | Event::PreExists { state, .. }
    | Event::PreFinished { state, .. }
    | Event::AddUnformed { state, .. }
    | Event::FinishedLoading { state, .. }
    | Event::ResolveSymbol { state, .. }
    | Event::Check { state, .. }
    | Event::CheckFinished { state, .. } = &mut event
        && *state == ModuleState::UnformedAgain
    {
        *state = ModuleState::Unformed;
    }
    event
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

/// The model after some of a log.
#[derive(Clone, PartialEq, Eq)]
struct Now {
    shared: u128,
    locals: Vec<u64>,
    /// By process of the log: which of the model's it is; 0 where there is none yet.
    cast: Vec<usize>,
    bits: u64,
}

/// Follows a log in the model, event by event, with any number of processes.
struct Follower<'m> {
    model: &'m Model,
    kinds: Vec<u8>,
    actors: usize,
    scratch: Vec<kmodcheck_model::Outcome>,
}

impl Follower<'_> {
    /// What `now` may become by the event; nothing if the model does not have it there.
    fn take(&mut self, now: &Now, entry: &Entry, possible: &mut Vec<Event>) -> Vec<Now> {
        let model = self.model;
        let process = now.cast[usize::from(entry.process)];
        let (kind, local) = (self.kinds[process], now.locals[process]);
        if local == 0 {
            return Vec::new();
        }
        self.scratch.clear();
        model.step(kind, now.shared, local, &mut self.scratch);
        let mut reached = Vec::new();
        for step in &self.scratch {
            if as_the_kernel_says(step.event) != entry.event {
                possible.push(step.event);
                continue;
            }
            let (before, after) = (now.shared, step.shared);
            let local_before = local;
            let mut next = now.clone();
            next.bits |=
                violated(&View::new(model, (kind, local_before), (before, after), step.event));
            next.shared = after;
            next.locals[process] = step.local;
            if before != after {
                for (local, kind) in next.locals.iter_mut().zip(&self.kinds) {
                    if *local != 0 {
                        *local = model.observe(*kind, before, after, *local);
                    }
                }
            }
            let sleepers = |next: &Now, on| {
                let all = (0..next.locals.len()).filter(|i| *i != process && next.locals[*i] != 0);
                all.filter_map(|i| Some((i, model.wake(self.kinds[i], next.locals[i], on)?)))
                    .collect::<Vec<_>>()
            };
            match step.effect {
                Effect::None => reached.push(next),
                Effect::WakeAll(queue) => {
                    for (i, woken) in sleepers(&next, queue) {
                        next.locals[i] = woken;
                    }
                    reached.push(next);
                }
                Effect::WakeOne(queue) => {
                    let asleep = sleepers(&next, queue);
                    for (i, woken) in &asleep {
                        let mut next = next.clone();
                        next.locals[*i] = *woken;
                        reached.push(next);
                    }
                    if asleep.is_empty() {
                        reached.push(next);
                    }
                }
                Effect::Spawn(kind, local) => {
                    let free = (0..self.kinds.len())
                        .find(|i| self.kinds[*i] == kind && next.locals[*i] == 0 && *i != process);
                    let free = free.expect("the pool is large enough");
                    next.locals[free] = local;
                    let new = match (model.role(kind), step.event) {
                        (Role::Kworker(name), _) => 2 * self.actors + usize::from(name),
                        _ => self.actors + usize::from(entry.process),
                    };
                    next.cast[new] = free;
                    reached.push(next);
                }
            }
        }
        reached
    }
}

/// Takes every event of `run` as a step of the model, any number of actors, and gives what the run
/// came to.
pub fn follow(model: &Model, run: &Run) -> Result<Outcome, Refused> {
    let processes = model.processes();
    let actors = run.returned.len();
    let mut follower = Follower {
        model,
        kinds: processes.iter().map(|(kind, _)| *kind).collect(),
        actors,
        scratch: Vec::new(),
    };
    let mut cast: Vec<usize> = (0..actors).collect();
    cast.resize(2 * actors + model.scenario().names.len(), processes.len() - 1);
    let mut now = vec![Now {
        shared: model.initial_shared(),
        locals: processes.iter().map(|(_, local)| *local).collect(),
        cast,
        bits: 0,
    }];
    for (at, entry) in run.log.iter().enumerate() {
        let mut possible = Vec::new();
        let mut next: Vec<Now> = Vec::new();
        for state in &now {
            for reached in follower.take(state, entry, &mut possible) {
                if !next.contains(&reached) {
                    next.push(reached);
                }
            }
        }
        if next.is_empty() {
            return Err(Refused { at, entry: Some(*entry), possible });
        }
        now = next;
    }
    let outcome = |now: &Now| {
        let returned = now.locals[..actors].iter().map(|local| returned(model, *local)).collect();
        (returned, now.bits)
    };
    let first: Outcome = outcome(&now[0]);
    assert!(now.iter().all(|other| outcome(other) == first), "one log, two outcomes");
    if first.0 != run.returned {
        return Err(Refused { at: run.log.len(), entry: None, possible: Vec::new() });
    }
    Ok(first)
}

fn returned(model: &Model, local: u64) -> Returned {
    if model.returned(0, local) { Returned::Ret(model.task(local).ret) } else { Returned::Stuck }
}

/// Everything that a run of the model can come to, by plain search. Nobody has to be killed and no
/// time has to be over, so a run may end where only that could happen.
pub fn outcomes(model: &Model) -> BTreeSet<Outcome> {
    outcomes_within(model, usize::MAX).expect("there is no bound")
}

/// The same; `None` if there are more than `most` states.
pub fn outcomes_within(model: &Model, most: usize) -> Option<BTreeSet<Outcome>> {
    let system = Processes { model };
    let product = Product::new(&system).expect("few processes");
    let actors = model.scenario().processes();
    let start = (product.initial(), 0_u64);
    let mut seen: HashSet<(Configuration, u64)> = HashSet::from([start]);
    let mut todo = vec![start];
    let mut found = BTreeSet::new();
    let mut scratch = Vec::new();
    while let Some((state, bits)) = todo.pop() {
        if seen.len() > most {
            return None;
        }
        let mut ended = true;
        product
            .successors(&state, &mut scratch, |t| {
                ended &= t.way_out != WayOut::Ordinary;
                let bits = bits | violated(&View::of(model, &t.step));
                let next = (*t.after, bits);
                if seen.insert(next) {
                    todo.push(next);
                }
                ControlFlow::Continue(())
            })
            .expect("the pool is large enough");
        if ended {
            let locals = &state.locals[..actors];
            found.insert((locals.iter().map(|local| returned(model, *local)).collect(), bits));
        }
    }
    Some(found)
}

/// *modprobe tells the truth* once more, from the log of a run and nothing of the model: whether some
/// modprobe that no init had started exited 0 without having seen every module of its name LIVE, or the
/// name being built in.
pub fn a_modprobe_lied(scenario: &Scenario, run: &Run) -> bool {
    /// An actor's modprobe.
    #[derive(Clone, Default)]
    struct Modprobe {
        /// Its name, and what was LIVE at some moment since it began.
        running: Option<(NameId, BTreeSet<ModuleId>)>,
        /// How many inits, each with a request, are between it and what its process does now.
        depth: usize,
        /// Its caller has gone on.
        left_behind: bool,
    }
    let actors = run.returned.len();
    let mut modprobes = vec![Modprobe::default(); actors];
    let mut live: BTreeSet<ModuleId> = BTreeSet::new();
    for Entry { process, event } in &run.log {
        match event {
            Event::SetLive { module } => {
                live.insert(*module);
                for (_, seen) in modprobes.iter_mut().filter_map(|m| m.running.as_mut()) {
                    seen.insert(*module);
                }
            }
            Event::DeleteModule { module, ret: Ret::Zero } => _ = live.remove(module),
            _ => {}
        }
        let process = usize::from(*process);
        if process >= 2 * actors {
            continue;
        }
        let itself = process < actors;
        let modprobe = &mut modprobes[process % actors];
        match event {
            Event::InitRequests { .. } => modprobe.depth += 1,
            Event::RequestReturn { .. } if modprobe.depth > 0 => {
                modprobe.depth -= usize::from(!(itself && modprobe.left_behind));
            }
            Event::Call { action: Action::RequestModuleNowait(_) } => modprobe.left_behind = true,
            Event::Killed => modprobe.left_behind = true,
            Event::Call { action: Action::Modprobe(name) } | Event::Exec { name }
                if modprobe.depth == 0 =>
            {
                modprobe.running = Some((*name, live.clone()));
            }
            Event::Exit { status } if modprobe.depth == 0 => {
                let Some((name, seen)) = modprobe.running.take() else { continue };
                let name = &scenario.names[usize::from(name)];
                let all = name.targets().iter().all(|target| seen.contains(&target.module));
                let there = all && !name.targets().is_empty()
                    || name.targets().is_empty() && name.builtin.is_some();
                if *status == Ret::Zero && !there {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
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
