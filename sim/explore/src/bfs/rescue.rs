//! Whether one process, running alone, brings a blocked one to where it can run.
//!
//! Standing still is a schedule like any other, so a 'yes' is exact, and it depends only on the two
//! processes' local states and the shared state.

use super::packed::Packed;
use super::steps::{NONE, Pair, Steps, mix};
use crate::system::successor::{is_at_rest, is_dormant, remembered, woken};
use crate::system::{Choice, Effect, Kind, Local, MAX_PROCESSES, Shared, System, WayOut};

/// A state with a process of which it is not known whether it can run again.
#[derive(Clone, Copy)]
pub(crate) struct Unresolved<const W: usize> {
    pub state: Packed<W>,
    pub level: u32,
    /// These processes.
    pub mask: u16,
}

/// Steps that one process may take alone before the attempt is given up.
const ALONE: usize = 1 << 9;

/// By pairs of entries: whether the second, running alone, unblocks the first.
#[derive(Default)]
pub(crate) struct Rescue {
    /// Open addressing: both entries, and the answer in the lowest bit; 0 is empty.
    table: Vec<u64>,
    used: usize,
    /// Where one process has got to while it runs alone: the shared state, its own local state and
    /// that of the blocked one.
    open: Vec<(Shared, Local, Local)>,
}

impl Rescue {
    pub fn bytes(&self) -> usize {
        self.table.capacity() * size_of::<u64>()
    }

    pub fn clear(&mut self) {
        self.table.clear();
        self.used = 0;
    }

    /// Those of the `blocked` processes that no other process, running alone, unblocks. `entries`: by
    /// process.
    #[inline]
    pub fn unresolved<S: System, const W: usize>(
        &mut self,
        system: &S,
        steps: &mut Steps<S::Label, W>,
        entries: &[u32; MAX_PROCESSES],
        blocked: u16,
    ) -> u16 {
        let mut unresolved = 0;
        let mut rest = blocked;
        while rest != 0 {
            let i = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            // Whoever helped last time often helps again.
            let helper = steps.entries[entries[i] as usize].helper;
            let there = helper != NONE && entries.contains(&helper);
            if !there && !self.find_helper(system, steps, entries, (i, blocked)) {
                unresolved |= 1 << i;
            }
        }
        unresolved
    }

    /// Looks for a process that unblocks process `i`.
    #[inline(never)]
    fn find_helper<S: System, const W: usize>(
        &mut self,
        system: &S,
        steps: &mut Steps<S::Label, W>,
        entries: &[u32; MAX_PROCESSES],
        (i, blocked): (usize, u16),
    ) -> bool {
        for (j, entry) in entries.iter().enumerate() {
            let other = *entry != NONE && blocked & 1 << j == 0;
            if other && self.helps(system, steps, entries[i], *entry) {
                steps.entries[entries[i] as usize].helper = *entry;
                return true;
            }
        }
        false
    }

    fn helps<S: System, const W: usize>(
        &mut self,
        system: &S,
        steps: &Steps<S::Label, W>,
        blocked: u32,
        helper: u32,
    ) -> bool {
        let key = (u64::from(blocked) << 32 | u64::from(helper)) + 1;
        let slot = |table: &[u64]| {
            let mask = table.len() - 1;
            let mut at = mix(key) as usize & mask;
            while table[at] != 0 && table[at] >> 1 != key {
                at = (at + 1) & mask;
            }
            at
        };
        if !self.table.is_empty() {
            let found = self.table[slot(&self.table)];
            if found != 0 {
                return found & 1 != 0;
            }
        }
        let answer = self.try_alone(system, steps.pair(blocked), steps.pair(helper));
        if self.used >= self.table.len() / 2 {
            let old = std::mem::take(&mut self.table);
            self.table = vec![0; (old.len() * 2).max(1 << 8)];
            let mask = self.table.len() - 1;
            for entry in old.into_iter().filter(|entry| *entry != 0) {
                let mut at = mix(entry >> 1) as usize & mask;
                while self.table[at] != 0 {
                    at = (at + 1) & mask;
                }
                self.table[at] = entry;
            }
        }
        let at = slot(&self.table);
        self.table[at] = key << 1 | u64::from(answer);
        self.used += 1;
        answer
    }

    /// Lets `helper` run alone, by ordinary steps, until the process in the pair `blocked` is not
    /// blocked any more. `false` if that never happens or takes too long to find out.
    #[cold]
    fn try_alone<S: System>(&mut self, system: &S, blocked: Pair, helper: Pair) -> bool {
        let mut choices: Vec<Choice<S::Label>> = Vec::new();
        self.open.clear();
        self.open.push((blocked.shared, helper.local, blocked.local));
        let mut next = 0;
        while next < self.open.len() && next < ALONE {
            let (shared, local, sleeper) = self.open[next];
            next += 1;
            choices.clear();
            if !is_dormant(system, helper.kind, local) {
                system.step(helper.kind, shared, local, &mut choices);
            }
            for choice in choices.iter().filter(|choice| choice.way_out == WayOut::Ordinary) {
                let change = (shared, choice.shared);
                let after = remembered(system, helper.kind, change, choice.local);
                let seen = remembered(system, blocked.kind, change, sleeper);
                // A wake-up of one sleeper may be the one of this process.
                let to = match choice.effect {
                    Effect::WakeAll(queue) | Effect::WakeOne(queue) => {
                        woken(system, blocked.kind, seen, queue)
                    }
                    Effect::None | Effect::Spawn(..) => None,
                };
                let woken = to.unwrap_or(seen);
                if can_run(system, blocked.kind, choice.shared, woken) {
                    return true;
                }
                let reached = (choice.shared, after, woken);
                if !self.open.contains(&reached) {
                    self.open.push(reached);
                }
            }
        }
        false
    }
}

/// Whether a process has an ordinary step, or needs none.
fn can_run<S: System>(system: &S, kind: Kind, shared: Shared, local: Local) -> bool {
    if is_at_rest(system, kind, local) {
        return true;
    }
    let mut choices = Vec::new();
    system.step(kind, shared, local, &mut choices);
    choices.iter().any(|choice| choice.way_out == WayOut::Ordinary)
}
