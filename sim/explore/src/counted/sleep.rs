//! Sleep sets: transitions that need not be followed, because the state that they lead to was found before.
//!
//! - Paper: P. Godefroid, 'Partial-Order Methods for the Verification of Concurrent Systems', LNCS 1032, 1996, chapter 5.
//!   There a search that comes back to a state intersects its sleep sets. Here it need not, because it is breadth-first and
//!   has an order: the sleep set of the first transition into a state is right, whatever comes later.
//! - Guarantees: the same states are found, in the same order and each from the same one, as if every transition were followed.
//!   All are counted, and judged by every property of steps. So nothing that the search says depends on it, but for
//!   how many were followed.
//! - Needs: nothing declared. That two steps commute is read from the steps themselves, in both orders.
//! - Costs: 4 bytes for each state that waits to be expanded, and two bits for each choice and each local state beside it. Where
//!   the sleep set of such a state is kept, its flags come to be.
//!
//! # The rule
//!
//! Transitions have an order: that of the states they are taken from, of the groups in these, and of the choices. Let a state
//! *u* be found by a process *a* of the state *s* that takes the step A. A group *b* sleeps in *u* if it has other processes
//! than *a* in *s* already, A commutes there with each of its steps, and it comes before *a*'s group in *s*, or slept in *s*.
//!
//! Then each of its steps B leads from *u* to a state *t* that a state before *u* leads to as well. For B leads from *s* to some
//! *s'*, and A from *s'* to *t*; and *s'* comes before *u*: if *b* comes before *a*, then *s'* was found by B from *s* at the
//! latest, which is before A. If *b* slept in *s*, then by induction some state before *s* leads to *s'*, so that *s'* was
//! found before *s* was expanded. So the first of all transitions into *t* is none that sleeps, and all states are found by the
//! transition that finds them if all are followed.
//!
//! A and B do not commute where both change the shared state, or one of them wakes or starts others.

use super::encoded::{Parent, Went};
use super::space::Space;
use super::store::NONE;
use crate::system::System;

/// Which steps commute, as far as it was asked.
#[derive(Default)]
pub(super) struct Commuting {
    /// By choice, then by local state of the others: 64 of them known, and which of these commute.
    choices: Vec<Vec<[u64; 2]>>,
    /// Bytes of the inner lists.
    bytes: usize,
}

impl Commuting {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.choices.capacity() * size_of::<Vec<[u64; 2]>>() + self.bytes
    }

    /// Whether each step of a process in the local state `other` commutes with a `choice` that another process had beside
    /// it. Both states must have been expanded: the one in which it did, and the one that the other process's step leads to; of
    /// the one that the choice leads to, the steps of `other` must be known.
    #[inline]
    pub fn commute<S: System>(&mut self, space: &Space<'_, S>, choice: u32, other: u32) -> bool {
        let (word, bit) = ((other / 64) as usize, other % 64);
        let row = self.choices.get(choice as usize);
        match row.and_then(|row| row.get(word)) {
            Some([known, commute]) if known >> bit & 1 != 0 => commute >> bit & 1 != 0,
            _ => self.ask(space, choice, other),
        }
    }

    #[cold]
    #[inline(never)]
    fn ask<S: System>(&mut self, space: &Space<'_, S>, choice: u32, other: u32) -> bool {
        let (word, bit) = ((other / 64) as usize, other % 64);
        if self.choices.len() <= choice as usize {
            self.choices.resize(space.choices.len(), Vec::new());
        }
        let row = &mut self.choices[choice as usize];
        if row.len() <= word {
            self.bytes -= row.capacity() * size_of::<[u64; 2]>();
            row.resize(word + 1, [0; 2]);
            self.bytes += row.capacity() * size_of::<[u64; 2]>();
        }
        let answer = find_out(space, choice, other);
        row[word][0] |= 1 << bit;
        row[word][1] |= u64::from(answer) << bit;
        answer
    }
}

fn find_out<S: System>(space: &Space<'_, S>, choice: u32, other: u32) -> bool {
    let a = &space.choices[choice as usize];
    let before = if a.change == NONE { a.shared } else { space.before(a.change) };
    let Some(here) = space.known_steps(before, other) else { return false };
    debug_assert!(a.is_alone(), "else nobody may sleep");
    if !here.iter().all(|b| b.is_alone() && b.violated == 0) {
        return false;
    }
    if a.change == NONE {
        // A can be taken after each of them, and remembers nothing of it, before or after.
        here.iter().filter(|b| b.change != NONE).all(|b| {
            let there = space.known_steps(b.shared, a.from).unwrap_or_default();
            space.leaves(b.change, a.from)
                && space.leaves(b.change, a.local)
                && there.iter().any(|c| c.is_alone() && c.change == NONE && c.local == a.local)
        })
    } else {
        // What the other one can do there it can do here, and remembers nothing of A, before or after.
        let Some(there) = space.known_steps(a.shared, other) else { return false };
        debug_assert!(space.leaves(a.change, other), "else it would not be where it was");
        here.iter().all(|b| b.change == NONE && space.leaves(a.change, b.local))
            && there.iter().all(|b| {
                let same = here.iter().any(|here| here.local == b.local);
                b.is_alone() && b.violated == 0 && b.change == NONE && same
            })
    }
}

/// The groups, by their indices there, that sleep in a state if their steps commute with the one by which it was found, that of
/// a process of the group `actor`. Of those, one bit each, of which there is none for a group beyond the 64th.
#[inline]
pub(super) fn may_sleep(parent: &Parent, actor: u32, went: Option<Went>) -> u64 {
    let Some(went) = went else { return 0 };
    let before = |index: u32| 1_u64.unbounded_shl(index).wrapping_sub(1);
    let mut groups = (before(actor) | parent.asleep) & !1_u64.unbounded_shl(actor);
    if let Went::Elsewhere { from, last, to, first } = went {
        let (from, mut to) = (u32::from(from), u32::from(to));
        if last {
            groups = groups & before(from) | groups >> 1 & !before(from);
            to -= u32::from(from < to);
        }
        if first {
            groups = groups & before(to) | (groups & !before(to)) << 1;
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against lists of groups, moved about.
    #[test]
    fn groups_that_may_sleep_are_where_they_went() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..100_000 {
            let mut groups: Vec<(u32, u32)> = Vec::new();
            for _ in 0..rng.u32(1..90) {
                let local = groups.last().map_or(0, |last| last.0) + rng.u32(1..3);
                groups.push((local, rng.u32(1..3)));
            }
            let asleep = rng.u64(..) & rng.u64(..);
            let actor = rng.usize(..groups.len());
            let sleeps = |at: usize| at < actor || at < 64 && asleep >> at & 1 != 0;
            let slept: Vec<u32> = (0..groups.len())
                .filter(|at| *at != actor && sleeps(*at))
                .map(|at| groups[at].0)
                .collect();
            let (left, to) = (groups[actor].0, rng.u32(1..groups.len() as u32 * 2));
            let into = groups.iter().position(|group| group.0 >= to).unwrap_or(groups.len());
            let went = Went::Elsewhere {
                from: actor as u8,
                last: groups[actor].1 == 1,
                to: into as u8,
                first: groups.get(into).is_none_or(|group| group.0 != to),
            };
            let went = if left == to { Went::Nowhere } else { went };
            groups[actor].1 -= 1;
            match groups.iter_mut().find(|group| group.0 == to) {
                Some(group) => group.1 += 1,
                None => groups.push((to, 1)),
            }
            groups.retain(|group| group.1 > 0);
            groups.sort_unstable();
            let found = may_sleep(&Parent { record: 0, asleep }, actor as u32, Some(went));
            for (at, (local, _)) in groups.iter().enumerate() {
                let may = at < 64 && found >> at & 1 != 0;
                // One that came to be among the first 64 may have been asleep unnoticed.
                assert!(!may || slept.contains(local), "{local} {groups:?} {slept:?}");
                assert!(may || at >= 63 || !slept.contains(local), "{local} {groups:?} {slept:?}");
            }
        }
        assert_eq!(may_sleep(&Parent { record: 0, asleep: u64::MAX }, 3, None), 0);
    }
}
