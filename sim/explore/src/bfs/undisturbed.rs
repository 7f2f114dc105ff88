//! Whom an outcome leaves as they are: what others remember of it, and whether it wakes them, is a function of the two
//! processes' places, asked once. Most often nobody is changed, and then the step is the actor's own alone.

use super::entry::NONE;
use super::packed::Packed;
use super::sleep::Asked;
use super::steps::{Patch, Steps};
use crate::ask::Monitor;
use crate::system::successor::{remembered, woken};
use crate::system::{Effect, Kind, Local, MAX_PROCESSES, System};

/// By outcome, for the first entries of its shared state by their ordinal: of which it is known, and who of those is left
/// as it is.
#[derive(Clone, Copy, Default)]
struct Others {
    known: u64,
    left: u64,
}

/// Everybody.
pub(crate) const ALL: u16 = u16::MAX;
const _: () = assert!(MAX_PROCESSES == u16::BITS as usize);

/// The answers.
pub(crate) struct Undisturbed {
    /// By outcome.
    others: Vec<Others>,
}

impl Undisturbed {
    /// No answers.
    pub fn new() -> Self {
        Self { others: Vec::new() }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.others.capacity() * size_of::<Others>()
    }

    /// Forgets all answers.
    pub fn clear(&mut self) {
        self.others.clear();
    }

    /// Those whom an outcome of the actor surely leaves as they are, but for who is started: [`ALL`], if nobody is changed.
    /// `entries`: of the state `before` it, by process; none for who is dormant.
    #[inline]
    pub fn of<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &Steps<S::Label, W>,
        of: Asked<'_, S, M>,
        (actor, outcome, patch): (usize, u32, &Patch<W>),
        (before, entries): (&Packed<W>, &[u32; MAX_PROCESSES]),
    ) -> u16 {
        let all = self.others.get(outcome as usize).copied().unwrap_or_default();
        let (mut unknown, mut left) = (0_u16, ALL);
        for (i, entry) in entries[..of.1.processes.min(MAX_PROCESSES)].iter().enumerate() {
            if i != actor && *entry != NONE {
                let ordinal = steps.entries[*entry as usize].ordinal();
                let known = ordinal >= u64::BITS || all.known >> ordinal & 1 != 0;
                unknown |= u16::from(!known) << i;
                let is_left = all.left.unbounded_shr(ordinal) & 1 != 0;
                left &= !(u16::from(!is_left) << i);
            }
        }
        if unknown != 0 {
            self.find_out(steps, of, (outcome, patch, unknown), (before, entries));
        }
        left // Of who was not known it is asked once more what becomes of them.
    }

    /// Finds out about these processes, of which it is not known.
    #[cold]
    #[inline(never)]
    fn find_out<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &Steps<S::Label, W>,
        (system, layout, _): Asked<'_, S, M>,
        (outcome, patch, mut unknown): (u32, &Patch<W>, u16),
        (before, entries): (&Packed<W>, &[u32; MAX_PROCESSES]),
    ) {
        let (at, shared) = (outcome as usize, layout.shared(before));
        if self.others.len() <= at {
            self.others.resize(steps.outcomes.len(), Others::default());
        }
        let after = shared ^ layout.shared(&patch.shared);
        // What else is known of an outcome is seldom at hand.
        let effect = if patch.wakes { steps.outcomes[at].choice.effect } else { Effect::None };
        let is_left = |kind: Kind, local: Local| {
            remembered(system, kind, (shared, after), local) == local
                && match effect {
                    Effect::None | Effect::Spawn(..) => true,
                    Effect::WakeAll(on) | Effect::WakeOne(on) => {
                        woken(system, kind, local, on).is_none()
                    }
                }
        };
        while unknown != 0 {
            let entry = entries[unknown.trailing_zeros() as usize % MAX_PROCESSES];
            unknown &= unknown - 1;
            let pair = steps.pair_of(shared, entry);
            let ordinal = steps.entries[entry as usize].ordinal();
            let left = is_left(pair.kind, pair.local);
            self.others[at].known |= 1 << ordinal;
            self.others[at].left |= u64::from(left) << ordinal;
        }
    }
}
