//! No step of the model reads history: what an anonymous caller does is what any caller does, with
//! its history forgotten.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use kmodcheck_explore::{Choice, Effect, Kind, Product, Queue, System};
use kmodcheck_model::{Event, History, Model, Mutant, Pc};
use kmodcheck_properties::grand;
use kmodcheck_properties::matrix::Cell;
use kmodcheck_sim::Processes;

/// The choices with their local states made anonymous.
fn anonymous(system: &Processes<'_>, kind: Kind, choices: &[Choice<Event>]) -> Vec<Choice<Event>> {
    let forget = |c: &Choice<Event>| Choice {
        local: system.anonymous(kind, c.local),
        effect: match c.effect {
            Effect::Spawn(kind, local) => Effect::Spawn(kind, system.anonymous(kind, local)),
            effect => effect,
        },
        ..*c
    };
    choices.iter().map(forget).collect()
}

/// Every transition of the model; returns how many local states had a history to forget.
fn holds_in(model: &Model) -> usize {
    let name = &model.scenario().name;
    let system = Processes { model };
    let product = Product::new(&system).expect("few processes");
    let mut seen = BTreeSet::from([product.initial()]);
    let mut queue: Vec<_> = seen.iter().copied().collect();
    let mut scratch = Vec::new();
    let mut with_history = BTreeSet::new();
    let processes: Vec<Kind> = (0..product.processes()).map(|i| product.kind(i)).collect();
    while let Some(state) = queue.pop() {
        for (&kind, &local) in processes.iter().zip(&state.locals) {
            let forget = |local| system.anonymous(kind, local);
            let (mut whole, mut without) = (Vec::new(), Vec::new());
            system.step(kind, state.shared, local, &mut whole);
            system.step(kind, state.shared, forget(local), &mut without);
            assert_eq!(
                anonymous(&system, kind, &whole),
                anonymous(&system, kind, &without),
                "{name}: a step of {:?} reads history",
                model.task(local)
            );
            for choice in &whole {
                if let Effect::WakeAll(queue) | Effect::WakeOne(queue) = choice.effect {
                    wakes(&system, kind, local, queue);
                }
            }
            let returned = |local| system.returned(kind, local);
            assert_eq!(returned(local), returned(forget(local)), "{name}");
            assert_eq!(forget(forget(local)), forget(local), "{name}");
            if forget(local) != local {
                with_history.insert(local);
            }
        }
        let _ = product.successors(&state, &mut scratch, |transition| {
            let (before, after) = (transition.before.shared, transition.after.shared);
            for (&kind, &local) in processes.iter().zip(&state.locals) {
                let forget = |local| system.anonymous(kind, local);
                if before != after && local != 0 {
                    let seen = |local| system.observe(kind, before, after, local);
                    assert_eq!(forget(seen(local)), forget(seen(forget(local))), "{name}");
                }
            }
            if seen.insert(*transition.after) {
                queue.push(*transition.after);
            }
            ControlFlow::Continue(())
        });
    }
    // Whoever is awake or asleep anywhere is woken alike, whatever it remembers.
    for state in &seen {
        for (&kind, &local) in processes.iter().zip(&state.locals) {
            for queue in 0..2 {
                wakes(&system, kind, local, Queue(queue));
            }
        }
    }
    with_history.len()
}

fn wakes(system: &Processes<'_>, kind: Kind, local: u64, queue: Queue) {
    let forget = |local| system.anonymous(kind, local);
    let wake = |local| system.wake(kind, local, queue);
    assert_eq!(wake(local).map(forget), wake(forget(local)).map(forget));
}

#[test]
fn no_step_reads_history() {
    let mut with_history = 0;
    for cell in Cell::all() {
        with_history += holds_in(&cell.model(2, None));
    }
    assert!(with_history > 10_000, "the histories were not forgotten: {with_history}");
}

#[test]
fn no_step_of_a_mutant_reads_history() {
    let mutants = [
        Mutant::OldRule,
        Mutant::CheckBeforeModprobe,
        Mutant::CheckAcceptsForming,
        Mutant::CheckRejectsAll,
        Mutant::ShortcutBlind,
        Mutant::NoSecondLook,
        Mutant::SwapLoad(3),
        Mutant::Skip(Pc::WakeLive),
        Mutant::NoModprobe,
        Mutant::ModprobeExitsZero,
        Mutant::Merge(Pc::Read),
    ];
    for (number, cell) in Cell::all().into_iter().enumerate() {
        holds_in(&cell.model(2, Some(mutants[number % mutants.len()])));
    }
}

/// The systems of the grand matrix, one in so many.
#[test]
fn no_step_of_the_whole_lifecycle_reads_history() {
    let systems = grand::System::of(&grand::GrandCell::all());
    let mut with_history = 0;
    for system in systems.iter().step_by(23) {
        let both = system.model(None).remembering(History::Both);
        with_history += holds_in(&both.expect("few bits"));
    }
    assert!(with_history > 1_000, "the histories were not forgotten: {with_history}");
}
