//! Whom an outcome leaves as they are: what others remember of it, and whether it wakes them, is a function of the two
//! processes' places, asked once. Most often nobody is changed, and then the step is the actor's own alone.

use super::entry::NONE;
use super::packed::Packed;
use super::sleep::Asked;
use super::steps::{Pair, Patch, Steps};
use crate::ask::Monitor;
use crate::system::successor::{remembered, woken};
use crate::system::{MAX_PROCESSES, System};

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
            left |= self.find_out(steps, of, (outcome, patch, unknown), (before, entries));
        }
        left
    }

    /// Whether all others are left as they are.
    #[inline]
    pub fn leaves_all<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &Steps<S::Label, W>,
        of: Asked<'_, S, M>,
        taken: (usize, u32, &Patch<W>),
        (before, entries): (&Packed<W>, &[u32; MAX_PROCESSES]),
    ) -> bool {
        let left = self.of(steps, of, taken, (before, entries));
        left == ALL || {
            // Of those that are too many for a bit it is not known.
            let (_, outcome, patch) = taken;
            let leaves = leaves(steps, of, (outcome, patch), before);
            (0..MAX_PROCESSES).filter(|i| left >> i & 1 == 0).all(|i| {
                let too_many = steps.entries[entries[i] as usize].ordinal() >= u64::BITS;
                too_many && leaves(entries[i])
            })
        }
    }

    /// Finds out about these processes, of which it is not known; who of them is left.
    #[cold]
    #[inline(never)]
    fn find_out<S: System, M: Monitor<S::Label>, const W: usize>(
        &mut self,
        steps: &Steps<S::Label, W>,
        of: Asked<'_, S, M>,
        (outcome, patch, mut unknown): (u32, &Patch<W>, u16),
        (before, entries): (&Packed<W>, &[u32; MAX_PROCESSES]),
    ) -> u16 {
        let (at, mut all_left) = (outcome as usize, 0);
        if self.others.len() <= at {
            self.others.resize(steps.outcomes.len(), Others::default());
        }
        let leaves = leaves(steps, of, (outcome, patch), before);
        while unknown != 0 {
            let process = unknown.trailing_zeros() as usize % MAX_PROCESSES;
            let entry = entries[process];
            unknown &= unknown - 1;
            let ordinal = steps.entries[entry as usize].ordinal();
            let left = leaves(entry);
            self.others[at].known |= 1 << ordinal;
            self.others[at].left |= u64::from(left) << ordinal;
            all_left |= u16::from(left) << process;
        }
        all_left
    }
}

/// Whether an outcome leaves as it is who has an entry of the shared state `before` it: by what they remember of it, and by
/// whom it wakes.
fn leaves<S: System, M: Monitor<S::Label>, const W: usize>(
    steps: &Steps<S::Label, W>,
    (system, layout, _): Asked<'_, S, M>,
    (outcome, patch): (u32, &Patch<W>),
    before: &Packed<W>,
) -> impl Fn(u32) -> bool {
    let shared = layout.shared(before);
    let after = shared ^ layout.shared(&patch.shared);
    let queue = steps.queue(outcome, patch);
    move |entry| {
        let Pair { kind, local, .. } = steps.pair_of(shared, entry);
        let is_woken = |queue| woken(system, kind, local, queue).is_some();
        remembered(system, kind, (shared, after), local) == local && !queue.is_some_and(is_woken)
    }
}
