//! Whom an outcome leaves as they are: what others remember of it, and whether it wakes them, is a function of the two
//! processes' places, asked once. Most often nobody is changed, and then the step is the actor's own alone.

use super::entry::NONE;
use super::sleep::Asked;
use super::steps::Steps;
use crate::ask::Monitor;
use crate::system::successor::{remembered, woken};
use crate::system::{Effect, Kind, Local, MAX_PROCESSES, Shared, System};

/// By outcome, for the first entries of its shared state by their ordinal: of which it is known, and who of those is left
/// as it is.
#[derive(Clone, Copy, Default)]
struct Others {
    known: u64,
    left: u64,
}

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

    /// Whether an outcome of the actor surely leaves all others as they are, but for who is started. `entries`: of one
    /// shared state, by process; none for who is dormant.
    #[inline]
    pub fn are_all<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &Steps<S::Label, W>,
        of: Asked<'_, S, M>,
        (actor, outcome): (usize, u32),
        entries: &[u32; MAX_PROCESSES],
    ) -> bool {
        let all = self.others.get(outcome as usize).copied().unwrap_or_default();
        let (mut unknown, mut left) = (0_u16, true);
        for (i, entry) in entries[..of.1.processes.min(MAX_PROCESSES)].iter().enumerate() {
            if i != actor && *entry != NONE {
                let ordinal = steps.entries[*entry as usize].ordinal();
                let known = ordinal >= u64::BITS || all.known >> ordinal & 1 != 0;
                unknown |= u16::from(!known) << i;
                left &= all.left.unbounded_shr(ordinal) & 1 != 0;
            }
        }
        left || unknown != 0 && self.find_out(steps, of, (outcome, unknown), entries)
    }

    /// Finds out about these processes, of which it is not known.
    #[cold]
    #[inline(never)]
    fn find_out<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &Steps<S::Label, W>,
        (system, ..): Asked<'_, S, M>,
        (outcome, mut unknown): (u32, u16),
        entries: &[u32; MAX_PROCESSES],
    ) -> bool {
        let at = outcome as usize;
        if self.others.len() <= at {
            self.others.resize(steps.outcomes.len(), Others::default());
        }
        let choice = &steps.outcomes[at].choice;
        let is_left = |kind: Kind, before: Shared, local: Local| {
            remembered(system, kind, (before, choice.shared), local) == local
                && match choice.effect {
                    Effect::None | Effect::Spawn(..) => true,
                    Effect::WakeAll(on) | Effect::WakeOne(on) => {
                        woken(system, kind, local, on).is_none()
                    }
                }
        };
        while unknown != 0 {
            let entry = entries[unknown.trailing_zeros() as usize % MAX_PROCESSES];
            unknown &= unknown - 1;
            let (pair, ordinal) = (steps.pair(entry), steps.entries[entry as usize].ordinal());
            let left = is_left(pair.kind, pair.shared, pair.local);
            self.others[at].known |= 1 << ordinal;
            self.others[at].left |= u64::from(left) << ordinal;
        }
        false // Who is changed is asked of each, once more.
    }
}
