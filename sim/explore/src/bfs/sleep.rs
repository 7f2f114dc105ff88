//! Sleep sets of one step: transitions that need not be followed, because another one that is followed
//! leads to the same state from the same level.
//!
//! - Paper: P. Godefroid, 'Partial-Order Methods for the Verification of Concurrent Systems', LNCS 1032,
//!   1996, chapter 5. Sleep sets leave out transitions, never states. There a search that comes back to a
//!   state intersects its sleep sets; here the set of the first transition into a state stays, and holds
//!   only what that one transition and the processes before its own allow.
//! - Guarantees: every state is found, and on the level where it is found without. Every transition is
//!   counted, judged by every property, and asked whether it blocks anybody. Traces are rebuilt along all
//!   transitions. So results do not depend on it.
//! - Needs: nothing declared. That two steps commute is found out by taking both, in both orders.
//! - Costs: no memory, where a stored state has bits that the state does not use: the set is there.
//!   Otherwise processes without a bit never sleep.
//!
//! # The rule
//!
//! Let process *a* take the step A from *s* to *u*, which was not found before. A process *b* of a lower
//! rank sleeps in *u* if A and each step B of *b* in *s* commute: *b* can take just those steps in *u*,
//! *a* can take A after each, and both orders end in the same state. Where nobody is exchanged, ranks are
//! the processes' numbers; up to symmetry, kind and local state, so that equal processes have one rank.
//! Steps that wake or start others, or violate a property, rank above all others: nobody asleep is kept
//! from them, and they put nobody to sleep.
//!
//! Of most steps that may wake others nobody is asleep who would be woken. A process is *quiet* in a state if all its steps
//! there start nobody, violate nothing, and leave all others as they are: there they are steps like any other. That is found out
//! in each state: who sleeps and is not quiet in *u* is not kept from its steps. If A may wake, it commutes with B only if B
//! does not have its own process sleep where A wakes.
//!
//! That *t*, at distance *d*, is found on level *d*: of the transitions into *t* from states at distance
//! *d* - 1, which by induction were found on that level, take one of the highest rank, a step B of *b* from
//! *u*. If *b* sleeps in *u*, then *u* was found from some *s* by a step A of higher rank, B leads
//! from *s* to some *s'*, and A from *s'* to *t*. Neither is *s'* nearer than *d* - 1, for then *t* would be
//! nearer than *d*; nor farther, for *s* is at *d* - 2. So A is a transition into *t* from distance *d* - 1 of a
//! higher rank than the highest (that of *a*, or above all if A has an effect there). So *b* does not sleep there.

use super::entry::mix;
use super::packed::{Layout, Packed};
use super::steps::{Pair, Patch, Steps};
use crate::ask::Monitor;
use crate::collections::prefetch::prefetch;
use crate::system::successor::{remembered, woken};
use crate::system::{Kind, Local, MAX_PROCESSES, Shared, System};

/// Answers that are kept, a power of two, unless told otherwise: half a MiB, beyond which they would be further away than
/// what it takes to find one out.
const ANSWERS: usize = 1 << 16;

/// What is asked when it is found out whether steps commute.
pub(crate) type Asked<'a, S, M> = (&'a S, &'a Layout, &'a M);

/// The processes of a state, of which some may sleep.
#[derive(Clone, Copy)]
pub(crate) struct Others<'s, const W: usize> {
    /// The state.
    pub before: &'s Packed<W>,
    /// By process.
    pub entries: &'s [u32; MAX_PROCESSES],
    /// Those with steps, none of them special unless they are quiet.
    pub with_steps: u16,
    /// The last bits of these entries' numbers, see [`Steps::ends_in`]: bit i if some number ends in i.
    pub ends: u64,
}

/// Which steps commute, as far as it was asked lately.
pub(crate) struct Commuting {
    /// By outcome.
    side_by_side: Vec<SideBySide>,
    /// If the numbers of entries of one shared state differ in their last bits, at most 6: these bits.
    ends_in: Option<u32>,
    /// Where there are more entries of one shared state. Each in a place of its own: outcome and entry, and in the lowest
    /// bit the answer; 0 is none.
    answers: Vec<u64>,
}

/// Answers for the first entries of one shared state, by the last bits of their numbers, or else by
/// [`Entry::ordinal`](super::entry::Entry::ordinal).
#[derive(Clone, Copy, Default)]
struct SideBySide {
    known: u64,
    commute: u64,
}

impl Commuting {
    /// No answers. `ends_in`: see [`Steps::ends_in`]; `kept`: see [`crate::Options::steps_kept`].
    pub fn new(ends_in: Option<u32>, kept: usize) -> Self {
        let answers = match (ends_in, kept) {
            (Some(_), _) => 0,
            (None, 0) => ANSWERS,
            (None, kept) => kept.next_power_of_two().min(ANSWERS),
        };
        Self { answers: vec![0; answers], ends_in, side_by_side: Vec::new() }
    }

    pub fn bytes(&self) -> usize {
        self.answers.len() * size_of::<u64>()
            + self.side_by_side.capacity() * size_of::<SideBySide>()
    }

    /// Forgets all answers.
    pub fn clear(&mut self) {
        self.answers.fill(0);
        self.side_by_side.clear();
    }

    /// Asks memory for what is known of an outcome.
    #[inline]
    pub fn ask_for(&self, outcome: u32) {
        prefetch(&self.side_by_side, outcome as usize);
    }

    /// Those of the processes `asked` with each outcome of whose entry commutes what was `taken`, an entry and
    /// one of its outcomes; all are of one shared state.
    #[inline]
    pub fn commuting<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &mut Steps<S::Label, W>,
        of: Asked<'_, S, M>,
        taken: (u32, u32),
        (others, mut asked): (Others<'_, W>, u16),
    ) -> u16 {
        if self.ends_in.is_none() && asked == 0 {
            return 0;
        }
        let all = self.side_by_side.get(taken.1 as usize).copied().unwrap_or_default();
        let Some(bits) = self.ends_in else {
            let (mut commute, mut unknown) = (0, 0);
            while asked != 0 {
                let other = asked.trailing_zeros();
                asked &= asked - 1;
                let entry = others.entries[other as usize % MAX_PROCESSES];
                let ordinal = steps.entries[entry as usize].ordinal();
                let known = all.known.unbounded_shr(ordinal) & 1 != 0;
                unknown |= u16::from(!known) << other;
                commute |= (all.commute.unbounded_shr(ordinal) as u16 & 1) << other;
            }
            if unknown == 0 {
                return commute;
            }
            return commute | self.one_by_one(steps, of, taken, (others, unknown));
        };
        if others.ends & !all.known != 0 {
            return self.one_by_one(steps, of, taken, (others, others.with_steps)) & asked;
        }
        let mut commute = 0;
        // A process that is not asked does no harm, and those that are asked are hard to foretell.
        let entries = &others.entries[..of.1.processes.min(MAX_PROCESSES)];
        for (i, entry) in entries.iter().enumerate() {
            commute |= (all.commute >> (entry & bits) & 1) << i;
        }
        commute as u16 & asked
    }

    /// The same.
    #[inline(never)]
    fn one_by_one<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &mut Steps<S::Label, W>,
        of: Asked<'_, S, M>,
        (a, outcome): (u32, u32),
        (others, mut asked): (Others<'_, W>, u16),
    ) -> u16 {
        let (mut commuting, shared) = (0, of.1.shared(others.before));
        while asked != 0 {
            let other = asked.trailing_zeros() as usize;
            asked &= asked - 1;
            let other = other % MAX_PROCESSES;
            let entry = others.entries[other];
            let ordinal = match self.ends_in {
                Some(bits) => entry & bits,
                None => steps.entries[entry as usize].ordinal(),
            };
            let triple = (a, outcome, entry);
            commuting |= u16::from(self.commute(steps, of, (triple, shared), ordinal)) << other;
        }
        commuting
    }

    fn commute<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &mut Steps<S::Label, W>,
        of: Asked<'_, S, M>,
        (triple, shared): ((u32, u32, u32), Shared),
        ordinal: u32,
    ) -> bool {
        let (_, outcome, b) = triple;
        if ordinal < u64::BITS {
            if self.side_by_side.len() <= outcome as usize {
                self.side_by_side.resize(outcome as usize + 1, SideBySide::default());
            }
            if self.side_by_side[outcome as usize].known >> ordinal & 1 == 0 {
                let answer = find_out(steps, of, triple, shared);
                let all = &mut self.side_by_side[outcome as usize];
                all.known |= 1 << ordinal;
                all.commute |= u64::from(answer) << ordinal;
            }
            return self.side_by_side[outcome as usize].commute >> ordinal & 1 != 0;
        }
        let key = (u64::from(outcome) << 32 | u64::from(b)) + 1;
        let place = place(outcome, b) & (self.answers.len() - 1);
        let answer = self.answers[place];
        if answer >> 1 == key {
            return answer & 1 != 0;
        }
        let answer = find_out(steps, of, triple, shared);
        self.answers[place] = key << 1 | u64::from(answer);
        answer
    }
}

/// Answers in a line of memory, as a power of two.
const LINE: u32 = 3;
const _: () = assert!(size_of::<u64>() << LINE == 64);

/// Where the answer is: those of one outcome and of entries with numbers that are close to one another, as they are where
/// processes came to one shared state, in one line of memory.
#[inline]
fn place(outcome: u32, b: u32) -> usize {
    let line = mix(u64::from(outcome) << 32 | u64::from(b >> LINE)) as usize;
    line << LINE | (b as usize & ((1 << LINE) - 1))
}

#[cold]
#[inline(never)]
fn find_out<S: System, M: Monitor<S::Label>, const W: usize>(
    steps: &mut Steps<S::Label, W>,
    asked: Asked<'_, S, M>,
    (a, outcome, b): (u32, u32, u32),
    shared: Shared,
) -> bool {
    debug_assert_eq!([a, b].map(|number| steps.pair(number).shared), [shared; 2]);
    let [entry_of_a, entry_of_b] = [a, b].map(|number| steps.entries[number as usize]);
    let [a, b] = [a, b].map(|number| steps.pair_of(shared, number));
    // What is flipped says where a step leads; the outcomes themselves are seldom at hand.
    let to = |by: &Patch<W>| shared ^ asked.1.shared(&by.shared);
    // Whether a change leaves a process as it is; of some changes it is known that nobody remembers them.
    let still = |by: &Patch<W>, kind: Kind, local: Local| {
        !by.remembered || remembered(asked.0, kind, (shared, to(by)), local) == local
    };
    let own = steps.patches_of(&entry_of_a)[(outcome - entry_of_a.first) as usize];
    let others = steps.patches_of(&entry_of_b);
    if own.changed && others.iter().any(|other| other.changed) {
        return false; // The system is not asked what would follow.
    }
    // Where A is quiet, it is after B if that does not have its process sleep where A would wake it.
    let queue = steps.queue(outcome, &own);
    let is_woken = |local| queue.is_some_and(|on| woken(asked.0, b.kind, local, on).is_some());
    if others.iter().any(|other| is_woken(b.local ^ other.local)) {
        return false;
    }
    if own.changed {
        // B can do there what it can do here, and remembers nothing of A, before or after. If it has an
        // effect there, it will be followed.
        if !still(&own, b.kind, b.local) {
            return false; // Nobody need ever be there as it is now.
        }
        let there = steps.entry_of(Pair { shared: to(&own), ..b }, asked);
        let there = steps.patches_of(&steps.entries[there as usize]);
        let here = steps.patches_of(&entry_of_b);
        let same = |here: &Patch<W>, there: &Patch<W>| !there.changed && here.local == there.local;
        here.len() == there.len()
            && here.iter().zip(there).all(|(here, there)| same(here, there))
            && here.iter().all(|here| still(&own, b.kind, b.local ^ here.local))
    } else {
        // A can be taken after each of them, and remembers nothing of it, before or after.
        (0..others.len()).all(|other| {
            let by = steps.patches_of(&entry_of_b)[other];
            if !by.changed {
                return true;
            }
            if !still(&by, a.kind, a.local) {
                return false;
            }
            let there = steps.entry_of(Pair { shared: to(&by), ..a }, asked);
            let patches = steps.patches_of(&steps.entries[there as usize]);
            still(&by, a.kind, a.local ^ own.local)
                && patches.iter().any(|patch| {
                    let alone = !patch.wakes && !patch.starts;
                    !patch.changed && patch.local == own.local && alone
                })
        })
    }
}
