//! No step of the model reads history: what an anonymous caller does is what any caller does, with
//! its history forgotten.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use kmodcheck_explore::{Choice, Product, System};
use kmodcheck_model::{Event, Mutant, Pc};
use kmodcheck_properties::matrix::Cell;
use kmodcheck_sim::Processes;
use kmodcheck_sim::processes::{CALLER, MODULE_WQ};

/// The choices with their local states made anonymous.
fn anonymous(system: &Processes<'_>, choices: &[Choice<Event>]) -> Vec<Choice<Event>> {
    let forget = |c: &Choice<Event>| Choice { local: system.anonymous(CALLER, c.local), ..*c };
    choices.iter().map(forget).collect()
}

/// Every transition of two callers; returns how many local states had a history to forget.
fn holds_in(cell: Cell, mutant: Option<Mutant>) -> usize {
    let model = cell.model(2, mutant);
    let system = Processes { model: &model };
    let product = Product::new(&system).expect("two callers");
    let mut seen = BTreeSet::from([product.initial()]);
    let mut queue: Vec<_> = seen.iter().copied().collect();
    let mut scratch = Vec::new();
    let mut with_history = BTreeSet::new();
    let forget = |local| system.anonymous(CALLER, local);
    while let Some(state) = queue.pop() {
        for &local in &state.locals[..2] {
            let (mut whole, mut without) = (Vec::new(), Vec::new());
            system.step(CALLER, state.shared, local, &mut whole);
            system.step(CALLER, state.shared, forget(local), &mut without);
            assert_eq!(
                anonymous(&system, &whole),
                anonymous(&system, &without),
                "{cell}: a step of {:?} reads history",
                model.task(local)
            );
            let wake = |local| system.wake(CALLER, local, MODULE_WQ);
            assert_eq!(wake(local).map(forget), wake(forget(local)).map(forget), "{cell}");
            let returned = |local| system.returned(CALLER, local);
            assert_eq!(returned(local), returned(forget(local)), "{cell}");
            assert_eq!(forget(forget(local)), forget(local), "{cell}");
            if forget(local) != local {
                with_history.insert(local);
            }
        }
        let _ = product.successors(&state, &mut scratch, |transition| {
            let (before, after) = (transition.before.shared, transition.after.shared);
            if before != after {
                for &local in &state.locals[..2] {
                    let seen = |local| system.observe(CALLER, before, after, local);
                    assert_eq!(forget(seen(local)), forget(seen(forget(local))), "{cell}");
                }
            }
            if seen.insert(*transition.after) {
                queue.push(*transition.after);
            }
            ControlFlow::Continue(())
        });
    }
    with_history.len()
}

#[test]
fn no_step_reads_history() {
    let mut with_history = 0;
    for cell in Cell::all() {
        with_history += holds_in(cell, None);
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
        holds_in(cell, Some(mutants[number % mutants.len()]));
    }
}
