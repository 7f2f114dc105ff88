//! What commutes with the steps of others, after R. J. Lipton, 'Reduction: a method of proving properties of
//! parallel programs', 1975: an acquisition can be taken later past any step of another process, a release
//! earlier, an access that is protected either way. Everything else has its moment.

use std::collections::BTreeSet;

use super::code::{Action, ActionKind, Body, Cell, Held, Holding, Instr};
use super::values::addresses;

/// Which way an action can be moved past steps of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mover {
    /// Either way.
    Both,
    /// Later: it takes a lock.
    Right,
    /// Earlier: it gives a lock back.
    Left,
    /// Not at all.
    None,
}

/// What is known of the accesses to one cell.
#[derive(Default)]
struct Accesses {
    written: bool,
    /// By which processes, and the locks that all of them hold.
    processes: BTreeSet<usize>,
    locks: Option<BTreeSet<i64>>,
}

/// By process and instruction, how an action can be moved. `held`: the locks that are held there, of what is
/// ever come to.
pub(crate) fn movers(
    bodies: &[Body],
    cells: &[Cell],
    held: &[Vec<Option<BTreeSet<Held>>>],
) -> Vec<Vec<Mover>> {
    let mut all: Vec<Accesses> = cells.iter().map(|_| Accesses::default()).collect();
    // Locks that somebody looks at: whether one is held can be seen.
    let mut watched: BTreeSet<i64> = BTreeSet::new();
    for (number, body) in bodies.iter().enumerate() {
        for (pc, instr) in body.code.iter().enumerate() {
            let (Instr::Act(action), Some(held)) = (instr, &held[number][pc]) else { continue };
            if let ActionKind::Look(lock) = action.kind {
                watched.insert(lock);
            }
            let exclusive = |held: &&Held| matches!(held.how, Holding::Mutex | Holding::Spinning);
            let locks: BTreeSet<i64> =
                held.iter().filter(exclusive).map(|held| held.lock).collect();
            for (cell, writes) in touched(action, body, cells) {
                let cell = &mut all[cell];
                cell.written |= writes;
                cell.processes.insert(number);
                // Several runs of one body are several processes.
                cell.processes.extend((body.runs_at_once() > 1).then_some(bodies.len() + number));
                cell.locks = Some(match cell.locks.take() {
                    Some(before) => before.intersection(&locks).copied().collect(),
                    None => locks.clone(),
                });
            }
        }
    }
    let protected = |cell: usize| {
        let cell = &all[cell];
        !cell.written
            || cell.processes.len() == 1
            || cell.locks.as_ref().is_some_and(|locks| !locks.is_empty())
    };
    let mover = |body: &Body, pc: usize| {
        let Instr::Act(action) = &body.code[pc] else { return Mover::None };
        // Whoever evaluates the condition of a wait can be woken meanwhile.
        let evaluates = |e: &super::code::Evaluation| (e.code.0..e.code.1).contains(&pc);
        if body.evaluations.iter().any(evaluates) {
            return Mover::None;
        }
        match action.kind {
            ActionKind::Access => {
                match touched(action, body, cells).iter().all(|(cell, _)| protected(*cell)) {
                    true => Mover::Both,
                    false => Mover::None,
                }
            }
            ActionKind::Choose | ActionKind::Turn => Mover::Both,
            ActionKind::Acquire(lock) if !watched.contains(&lock) => Mover::Right,
            ActionKind::Release(lock) if !watched.contains(&lock) => Mover::Left,
            _ => Mover::None,
        }
    };
    bodies.iter().map(|body| (0..body.code.len()).map(|pc| mover(body, pc)).collect()).collect()
}

/// The cells that an action may touch, and whether it writes them.
fn touched(action: &Action, body: &Body, cells: &[Cell]) -> Vec<(usize, bool)> {
    let mut all = Vec::new();
    for term in action.terms() {
        term.addresses(&mut |address| {
            let cells = addresses(address, &body.registers, cells);
            all.extend(cells.into_iter().map(|cell| (cell, false)));
        });
    }
    for way in &action.alternatives {
        for (address, _) in &way.updates {
            let cells = addresses(address, &body.registers, cells);
            all.extend(cells.into_iter().map(|cell| (cell, true)));
        }
    }
    all
}
