//! Which locks are held where: found by going through the code once for each set of locks that can be held at
//! an instruction, with what is known there of local variables, so that `if (mutex_trylock(&m))` is understood.
//!
//! Refused before anything runs: a lock that is not given back, one that is given back and not held, a wait
//! under a spinlock or in an RCU read-side critical section.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::code::{Action, Body, Cell, Held, Holding, Instr, Pc, Reg, Term};
use super::domain;
use super::liveness::Live;
use crate::text::wrong::Wrong;

/// So many situations are gone through.
const MOST: usize = 100_000;

/// So often may one lock be held.
const OFTEN: u8 = 3;

/// Gives a lock back, if it is held.
fn gives_back(held: &mut BTreeMap<Held, u8>, gives: Held) -> bool {
    match held.get_mut(&gives) {
        Some(1) => held.remove(&gives).is_some(),
        Some(times) => {
            *times -= 1;
            true
        }
        None => false,
    }
}

/// What is known on the way: locks held, how deep in read-side critical sections, and registers with one value.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Situation {
    pc: Pc,
    /// Each with how often.
    held: BTreeMap<Held, u8>,
    known: BTreeMap<Reg, i64>,
}

/// By instruction: the locks that are held whenever a process is there. Nothing for what is never come to.
///
/// # Errors
/// A rule of locks is broken.
pub(crate) fn held(
    body: &Body,
    live: &Live,
    cells: &[Cell],
) -> Result<Vec<Option<BTreeSet<Held>>>, Wrong> {
    let mut always: Vec<Option<BTreeSet<Held>>> = vec![None; body.code.len()];
    let known = live.at(0).filter(|reg| body.argument != Some(*reg)).map(|reg| (reg, 0)).collect();
    let first = Situation { pc: 0, held: BTreeMap::new(), known };
    let (mut seen, mut open) = (HashSet::from([first.clone()]), vec![first]);
    while let Some(now) = open.pop() {
        let before = &mut always[now.pc];
        let held = now.held.keys().copied();
        *before = Some(match before.take() {
            Some(before) => held.filter(|held| before.contains(held)).collect(),
            None => held.collect(),
        });
        if seen.len() > MOST {
            return Err(Wrong::new(
                body.spans[now.pc],
                format!("found more than {MOST} combinations of locks and values on the way here"),
                "expected code in which it is plain which locks are held",
            ));
        }
        for mut next in after(body, &now, cells)? {
            next.known.retain(|reg, _| live.is(next.pc, *reg));
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    Ok(always)
}

/// What can follow.
fn after(body: &Body, now: &Situation, cells: &[Cell]) -> Result<Vec<Situation>, Wrong> {
    let pc = now.pc;
    let to = |pc: Pc| Situation { pc, ..now.clone() };
    let mut next = Vec::new();
    match &body.code[pc] {
        Instr::Set(reg, term) => {
            let mut there = to(pc + 1);
            match value(term, &now.known) {
                Some(value) => there.known.insert(*reg, value),
                None => there.known.remove(reg),
            };
            next.push(there);
        }
        Instr::Branch(term, yes, no) => match value(term, &now.known) {
            Some(0) => next.push(to(*no)),
            Some(_) => next.push(to(*yes)),
            None => next.extend([to(*yes), to(*no)]),
        },
        Instr::Act(action) => {
            may_sleep(body, action, now, cells)?;
            for reg in action.written() {
                if action.alternatives.is_empty() {
                    let mut there = to(pc + 1);
                    there.known.remove(&reg);
                    next.push(there);
                }
            }
            if action.alternatives.is_empty() && action.written().next().is_none() {
                next.push(to(pc + 1));
            }
            for way in &action.alternatives {
                let mut there = to(way.then.unwrap_or(pc + 1));
                if let Some(gives) = way.gives
                    && !gives_back(&mut there.held, gives)
                {
                    let what = lock_in_words(gives, cells);
                    return Err(Wrong::new(
                        body.spans[pc],
                        format!("found {what} given back where it is not held"),
                        "expected it to be taken before, on every way here",
                    ));
                }
                if let Some(takes) = way.takes {
                    let times = there.held.entry(takes).or_default();
                    *times += 1;
                    if *times > OFTEN {
                        let what = lock_in_words(takes, cells);
                        let found = format!("found {what} taken more than {OFTEN} times");
                        let expected = "expected it to be given back before it is taken again";
                        return Err(Wrong::new(body.spans[pc], found, expected));
                    }
                }
                for (reg, term) in &way.results {
                    match value(term, &now.known) {
                        Some(value) => there.known.insert(*reg, value),
                        None => there.known.remove(reg),
                    };
                }
                next.push(there);
            }
        }
        Instr::Asleep { .. } => {
            sleeps(body, "a wait", now, cells)?;
            body.code[pc].next(pc, &mut |pc| next.push(to(pc)));
        }
        Instr::Exit | Instr::End => {
            if let Some(held) = now.held.keys().next() {
                let what = lock_in_words(*held, cells);
                return Err(Wrong::new(
                    body.spans[pc],
                    format!("found the end with {what} held"),
                    "expected it to be given back on every way here",
                ));
            }
        }
        Instr::Jump(_) | Instr::Fail(_) => body.code[pc].next(pc, &mut |pc| next.push(to(pc))),
    }
    Ok(next)
}

/// What may sleep is not done where nobody may.
fn may_sleep(body: &Body, action: &Action, now: &Situation, cells: &[Cell]) -> Result<(), Wrong> {
    action.sleeps.map_or(Ok(()), |what| sleeps(body, what, now, cells))
}

fn sleeps(body: &Body, what: &str, now: &Situation, cells: &[Cell]) -> Result<(), Wrong> {
    let forbids = |held: &&Held| matches!(held.how, Holding::Spinning | Holding::Rcu);
    let Some(held) = now.held.keys().find(forbids) else { return Ok(()) };
    let found = format!("found {what}, which may sleep, with {} held", lock_in_words(*held, cells));
    Err(Wrong::new(body.spans[now.pc], found, "expected no sleep there"))
}

pub(crate) fn lock_in_words(held: Held, cells: &[Cell]) -> String {
    let name = usize::try_from(held.lock - 1)
        .ok()
        .and_then(|i| cells.get(i))
        .map_or("", |cell| &cell.name);
    let name = name.split(" (").next().unwrap_or_default();
    match held.how {
        Holding::Mutex => format!("mutex '{name}'"),
        Holding::Spinning => format!("spinlock '{name}'"),
        Holding::Reading => format!("rw_semaphore '{name}' (for reading)"),
        Holding::Writing => format!("rw_semaphore '{name}' (for writing)"),
        Holding::Rcu => "rcu_read_lock()".to_owned(),
    }
}

/// The value of a term, if it is known.
fn value(term: &Term, known: &BTreeMap<Reg, i64>) -> Option<i64> {
    match term {
        Term::Const(value) => Some(*value),
        Term::Reg(reg) => known.get(reg).copied(),
        Term::At(_) => None,
        Term::Unary(operator, of) => domain::unary(*operator, value(of, known)?),
        Term::Binary(operator, left, right) => {
            domain::binary(*operator, value(left, known)?, value(right, known)?)
        }
    }
}
