//! The model for any number of callers has every behaviour of the exact one with more callers than it
//! counts. What it cannot count it may take for more or for less, but it must not lose a step.
//!
//! And what proofs take for granted of processes whose history no property reads: that nothing depends
//! on it.

use std::collections::BTreeSet;

use kmodcheck_explore::{Choice, DORMANT, Effect, Kind, Local, Shared, System as _};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::scenario::{Action, Actor, Scenario};
use kmodcheck_model::view::SharedView;
use kmodcheck_model::{Event, Model, Role, presets};
use kmodcheck_sim::Processes;

fn features(kernel: &str, kmod: &str) -> Features {
    let kernel = presets::kernel(kernel).expect("a preset");
    Features { kernel, kmod: presets::kmod(kmod).expect("a preset") }
}

fn system(naming: Naming, environment: Environment, kernel: &str, callers: u8) -> Scenario {
    scenario(naming, environment, features(kernel, "v20"), callers)
}

/// A state of the exact model, and every shared state that the other may be in after the same steps.
struct Run<'m> {
    exact: Processes<'m>,
    any: Processes<'m>,
    shared: Shared,
    processes: Vec<(Kind, Local)>,
    may: BTreeSet<Shared>,
}

/// What both show: all but the counts.
fn shown(model: &Model, shared: Shared) -> SharedView {
    let mut view = model.shared_view(shared);
    view.slots = None;
    view.modules.iter_mut().for_each(|module| module.references = None);
    view
}

/// The greatest of what the model counts.
fn count(model: &Model, shared: Shared) -> u64 {
    let view = model.shared_view(shared);
    let slots = view.slots.map(|slots| slots.waiters.unwrap_or(slots.value));
    slots.into_iter().chain(view.modules.iter().filter_map(|m| m.references)).max().unwrap_or(0)
}

impl<'m> Run<'m> {
    fn new(exact: &'m Model, any: &'m Model) -> Self {
        let (exact, any) = (Processes { model: exact }, Processes { model: any });
        let initial = exact.initial();
        let may = BTreeSet::from([any.initial().shared]);
        Self { exact, any, shared: initial.shared, processes: initial.processes, may }
    }

    fn choices(system: &Processes<'_>, shared: Shared, of: (Kind, Local)) -> Vec<Choice<Event>> {
        let mut choices = Vec::new();
        if of.1 != DORMANT {
            system.step(of.0, shared, of.1, &mut choices);
        }
        choices
    }

    fn sees(system: &Processes<'_>, (kind, local): (Kind, Local), change: [Shared; 2]) -> Local {
        let [before, after] = change;
        if local == DORMANT || before == after {
            return local;
        }
        system.observe(kind, before, after, local)
    }

    /// Takes a step of process `i`, and the same steps of the other model.
    fn take(&mut self, i: usize, choice: &Choice<Event>) -> Result<(), String> {
        let of = self.processes[i];
        let before = self.shared;
        self.shared = choice.shared;
        self.processes[i].1 = choice.local;
        let same = |other: &Choice<Event>| {
            (other.local, other.effect, other.way_out, other.label)
                == (choice.local, choice.effect, choice.way_out, choice.label)
        };
        let view = shown(self.exact.model, self.shared);
        let mut seen = self.processes.clone();
        for process in &mut seen {
            process.1 = Self::sees(&self.exact, *process, [before, choice.shared]);
        }
        let mut may = BTreeSet::new();
        for from in &self.may {
            for other in Self::choices(&self.any, *from, of).iter().filter(|other| same(other)) {
                let sees = |p: &(Kind, Local)| Self::sees(&self.any, *p, [*from, other.shared]);
                let alike = self.processes.iter().map(sees).eq(seen.iter().map(|p| p.1));
                if alike && shown(self.any.model, other.shared) == view {
                    may.insert(other.shared);
                }
            }
        }
        let many = count(self.exact.model, before);
        if may.is_empty() {
            return Err(format!("{:?} where {many} are counted", choice.label));
        }
        self.may = may;
        self.processes = seen;
        match choice.effect {
            Effect::None => {}
            Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                let asleep = |(at, (kind, local)): (usize, &(Kind, Local))| {
                    let woken = (at != i && *local != DORMANT)
                        .then(|| self.exact.wake(*kind, *local, queue))
                        .flatten()?;
                    Some((at, woken))
                };
                let one = matches!(choice.effect, Effect::WakeOne(_));
                let woken: Vec<_> = (self.processes.iter().enumerate().filter_map(asleep))
                    .take(if one { 1 } else { usize::MAX })
                    .collect();
                woken.into_iter().for_each(|(at, local)| self.processes[at].1 = local);
            }
            Effect::Spawn(kind, local) => {
                let free = |(at, p): (usize, &(Kind, Local))| at != i && *p == (kind, DORMANT);
                let free = (0..).zip(&self.processes).position(free).expect("a large pool");
                self.processes[free].1 = local;
            }
        }
        Ok(())
    }
}

/// Random runs of the exact model with `callers`, each followed in the other; how many were counted at
/// most.
fn follow(scenario: &Scenario, callers: u8, runs: u64) -> u64 {
    let mut many = scenario.clone();
    many.actors[0].count = callers;
    let exact = Model::new(many, None).expect("a built-in scenario");
    let any = Model::for_any_number(scenario.clone(), None).expect("a built-in scenario");
    let mut most = 0;
    for seed in 0..runs {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut run = Run::new(&exact, &any);
        for _ in 0..400 {
            let mut all = Vec::new();
            for (i, process) in run.processes.iter().enumerate() {
                all.extend(
                    Run::choices(&run.exact, run.shared, *process).into_iter().map(|c| (i, c)),
                );
            }
            let Some((i, choice)) = rng.choice(&all) else { break };
            if let Err(why) = run.take(*i, choice) {
                panic!("{}, {callers} callers, seed {seed}: lost: {why}", scenario.name);
            }
            most = most.max(count(&exact, run.shared));
        }
    }
    most
}

#[test]
fn any_number_may_do_whatever_more_than_are_counted_do() {
    let limit = |kernel, limit| Scenario {
        limit: Some(limit),
        ..system(Naming::Plain, Environment::LimitTwo, kernel, 2)
    };
    // Requests that run beside the limit, waiters of the semaphore, and references beside an rmmod.
    // A limit of which the count is the greatest that its bits hold, and others.
    for wanted in [1, 2, 3, 4, 7] {
        let most = follow(&limit("v4.9", wanted), wanted + 4, 60);
        assert!(most > u64::from(wanted) + 1, "at most {most} run beside a limit of {wanted}");
    }
    for wanted in [1, 2] {
        let most = follow(&limit("v6.5", wanted), 7, 60);
        assert!(most > 3, "at most {most} wait");
    }
    let rmmod = system(Naming::FsAndModule, Environment::Rmmod, "v4.9", 2);
    let most = follow(&rmmod, 9, 300);
    assert!(most > 3, "at most {most} references");
}

/// Whether a property reads the history of processes of this kind.
fn is_followed(model: &Model, kind: Kind) -> bool {
    match model.role(kind.0) {
        Role::Actor {
            action: Action::Rmmod(_) | Action::Udev(_) | Action::ModprobeRemove(_),
            ..
        } => false,
        Role::Actor { .. } | Role::Orphan(_) => true,
        Role::Kworker(_) | Role::Started(_) => false,
    }
}

/// Steps of the exact model by those who are not followed, and what they see of all steps: the same with
/// their history as without. (Of those who are followed, the checker of certificates sees to that.)
#[test]
fn nothing_depends_on_the_history_of_those_who_are_not_followed() {
    let mut compared = 0;
    for environment in [Environment::Rmmod, Environment::FailRmmod, Environment::LimitTwo] {
        for kernel in ["v4.9", "v6.5", "v6.5+dup"] {
            for action in [Action::RequestModule(0), Action::RequestModuleNowait(0)] {
                let mut scenario = system(Naming::Plain, environment, kernel, 3);
                scenario.actors[0].action = action;
                let extra = [Action::Udev(0), Action::ModprobeRemove(0)];
                scenario.actors.extend(extra.map(|action| Actor {
                    action,
                    count: 1,
                    killable: false,
                }));
                compared += forgets(&scenario);
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

fn forgets(scenario: &Scenario) -> usize {
    let model = Model::new(scenario.clone(), None).expect("a built-in scenario");
    let system = Processes { model: &model };
    let plain =
        |kind, local| if local == DORMANT { DORMANT } else { system.anonymous(kind, local) };
    let mut compared = 0;
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut run = Run::new(&model, &model);
        for _ in 0..400 {
            let mut all = Vec::new();
            for (i, process) in run.processes.iter().enumerate() {
                let choices = Run::choices(&system, run.shared, *process);
                if !is_followed(&model, process.0) && process.1 != DORMANT {
                    let without = (process.0, plain(process.0, process.1));
                    let mut without = Run::choices(&system, run.shared, without);
                    let mut with = choices.clone();
                    for choice in with.iter_mut().chain(&mut without) {
                        choice.local = plain(process.0, choice.local);
                    }
                    assert_eq!(with, without, "{}", scenario.name);
                }
                all.extend(choices.into_iter().map(|c| (i, c)));
            }
            let Some((i, choice)) = rng.choice(&all) else { break };
            for (kind, local) in run.processes.iter().filter(|p| p.1 != DORMANT) {
                if is_followed(&model, *kind) {
                    continue;
                }
                let change = [run.shared, choice.shared];
                let with = Run::sees(&system, (*kind, *local), change);
                let without = Run::sees(&system, (*kind, plain(*kind, *local)), change);
                assert_eq!(plain(*kind, with), plain(*kind, without), "{}", scenario.name);
                if let Effect::WakeAll(queue) | Effect::WakeOne(queue) = choice.effect {
                    let wake = |local| system.wake(*kind, local, queue).map(|l| plain(*kind, l));
                    assert_eq!(wake(with), wake(without), "{}", scenario.name);
                }
                compared += 1;
            }
            run.take(*i, choice).expect("it is the same model");
        }
    }
    compared
}
