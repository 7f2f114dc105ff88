//! An inductive invariant small enough to be written down and checked by somebody else.
//!
//! - Paper: the certificate is that of A. R. Bradley, 'SAT-based model checking without unrolling',
//!   2011, for well-structured systems as in J. Kloos, R. Majumdar, F. Niksic, R. Piskac,
//!   'Incremental, inductive coverability', 2013: an inductive set, given by what it excludes.
//! - Decides: nothing that the views have not decided; it says so in a checkable form.
//! - Needs: the table and the views without tag, and the control states that they lead to with one.
//! - Costs: a backward search through the table without tag, with elements of at most two letters.
//!
//! The invariant has two parts. *Excluded* are upward-closed sets of configurations in which nobody
//! is tagged: no step leads into them from outside. *Tagged* are control states with one tagged
//! process: every step that is possible with processes that are not excluded beside it leads to
//! another one. Only as much is excluded as that takes.

use super::backward::{Backward, Closure, Element};
use super::question::{Bounds, Undecided};
use super::table::{NO_SLOT, NONE, Table};
use super::views::Views;
use crate::system::{Kind, Local, Shared};

/// Configurations that cannot be reached: those with this shared state, these processes in slots,
/// and all of `others`, each in as many processes as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excluded {
    /// The shared state.
    pub shared: Shared,
    /// The anonymous local states in the slots.
    pub slots: Vec<Local>,
    /// Anonymous processes, the tagged one among them, in ascending order.
    pub others: Vec<(Kind, Local)>,
}

/// A control state with one tagged process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tagged {
    /// The shared state.
    pub shared: Shared,
    /// The anonymous local states in the slots; 0 in that of the tagged process.
    pub slots: Vec<Local>,
    /// The kind of the tagged process.
    pub kind: Kind,
    /// Its slot, if it has one.
    pub slot: Option<u8>,
    /// Its local state.
    pub local: Local,
}

/// An inductive invariant of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// What is excluded, in ascending order.
    pub excluded: Vec<Excluded>,
    /// The control states with a tagged process, in ascending order.
    pub tagged: Vec<Tagged>,
}

/// The invariant of `views`. `guided`: the control states that they lead to.
pub(crate) fn invariant(
    table: &Table,
    views: &Views,
    guided: &Table,
    slots: usize,
    bounds: &Bounds<'_>,
) -> Result<Invariant, Undecided> {
    let closure =
        Backward::new(table, Some(views)).close_from(&wanted(table, views, guided), bounds)?;
    let Closure::Closed(antichains) = closure else {
        unreachable!("what the views exclude is not initial, and closed");
    };
    let mut excluded = Vec::new();
    for (control, elements) in table.controls.iter().zip(&antichains) {
        for element in elements {
            let mut others: Vec<(Kind, Local)> =
                element.letters().iter().map(|l| table.letters[usize::from(*l)]).collect();
            others.sort_unstable();
            let shared = table.shared[control.shared as usize];
            excluded.push(Excluded { shared, slots: control.slots[..slots].to_vec(), others });
        }
    }
    excluded.sort_unstable();
    let mut tagged: Vec<Tagged> = (guided.controls.iter())
        .map(|control| Tagged {
            shared: guided.shared[control.shared as usize],
            slots: control.slots[..slots].to_vec(),
            kind: control.tag.kind,
            slot: Some(control.tag.slot).filter(|slot| *slot != NO_SLOT),
            local: control.tag.local,
        })
        .collect();
    tagged.sort_unstable();
    Ok(Invariant { excluded, tagged })
}

/// What must be excluded, so that no step leads from a tagged control state to one that is not
/// listed, or violates a property.
fn wanted(table: &Table, views: &Views, guided: &Table) -> Vec<(u32, Element)> {
    let mut wanted = Vec::new();
    let mut exclude = |control: u32, letters: &[u16]| {
        let with = |element: Element, letter: &u16| element.with(*letter);
        wanted.push((control, letters.iter().try_fold(Element::EMPTY, with).expect("three fit")));
    };
    for &(control, tag) in &guided.guides {
        // Whether these can stand beside the control state, with the tagged process.
        let possible = |letters: &[u16]| {
            letters.iter().all(|l| views.alone(control, *l))
                && tag.is_none_or(|t| letters.iter().all(|l| views.together(control, t, *l)))
                && (letters.len() < 2 || views.together(control, letters[0], letters[1]))
        };
        let beside = &table.beside[control as usize];
        let rules = table.rules[control as usize].iter().map(|rule| rule.takes);
        let bad = table.bad_letters.iter().filter(|b| b.0 == control).map(|b| [b.1, NONE]);
        for takes in rules.chain(bad) {
            let letters: Vec<u16> = takes.into_iter().filter(|l| *l != NONE).collect();
            if letters.iter().all(|l| beside.has(*l)) && !possible(&letters) {
                let all: Vec<u16> = letters.into_iter().chain(tag).collect();
                exclude(control, &all);
            }
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
