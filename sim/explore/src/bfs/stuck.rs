//! Processes that nothing is sure to wake.
//!
//! - Decides: is there a reachable state in which a process is blocked and from which no path without
//!   a kill leads to a state where it can run again? A state without enabled steps in which somebody
//!   has not returned is the simplest case. (In CTL, over the steps that are no kills: not
//!   `AG(blocked(i) -> EF running(i))`.) A time-out comes at last, so it counts; a kill may never come,
//!   so it does not. Which of them would end each sleep is told apart: [`Sleep`].
//! - Needs: a completed breadth-first search.
//! - Costs: a table look-up for each blocked process of each state; where that does not settle it,
//!   the state once more, and its successors a few times. Nothing about transitions is stored.
//!
//! First by `Rescue`: can one other process, running alone while all others stand still, bring the
//! blocked one to where it can run? Standing still is a schedule like any other, so a 'yes' is exact,
//! and it depends only on the two processes' local states and the shared state. Almost every wait
//! ends like that. For the rest, a least fixpoint: a process can run from a state if it is not
//! blocked there, or if it can run from a successor, where it may stand in another place when
//! symmetry sorts the processes.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::bfs::TraceStep;
use crate::expand::Frame;
use crate::packed::Packed;
use crate::product::{Configuration, MAX_PROCESSES};
use crate::steps::{NONE, Pair, Steps, mix};
use crate::system::{Choice, DORMANT, Effect, Kind, Local, Shared, System, WayOut};
use crate::trace::Levels;

/// How long a process sleeps that no ordinary step wakes, of whomever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sleep {
    /// For ever.
    ForEver,
    /// Until somebody is killed: itself, or one whose death lets others go on.
    UntilKilled,
    /// Until a time limit is over.
    UntilTimeOut,
}

impl Sleep {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ForEver, Self::UntilKilled, Self::UntilTimeOut];
}

/// The shallowest of a kind of processes that sleeps so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sleeper<Label> {
    /// The kind.
    pub kind: Kind,
    /// How long it sleeps.
    pub sleep: Sleep,
    /// Which process, and how it comes to that. A shallower state may have one that sleeps in another
    /// way.
    pub stuck: Stuck<Label>,
}

/// A process that is blocked for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck<Label> {
    /// Which process.
    pub process: usize,
    /// The shortest trace to a state from which it never runs again.
    pub trace: Vec<TraceStep<Label>>,
    /// How many distinct states have such a process.
    pub states: u64,
}

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
            let helper = steps.more[entries[i] as usize].helper;
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
                steps.more[entries[i] as usize].helper = *entry;
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
            if local != DORMANT {
                system.step(helper.kind, shared, local, &mut choices);
            }
            for choice in choices.iter().filter(|choice| choice.way_out == WayOut::Ordinary) {
                let remember = |kind: Kind, local: Local| {
                    let changed = shared != choice.shared && local != DORMANT;
                    if changed { system.observe(kind, shared, choice.shared, local) } else { local }
                };
                let after = remember(helper.kind, choice.local);
                let mut woken = remember(blocked.kind, sleeper);
                // A wake-up of one sleeper may be the one of this process.
                if let Effect::WakeAll(queue) | Effect::WakeOne(queue) = choice.effect
                    && woken != DORMANT
                {
                    woken = system.wake(blocked.kind, woken, queue).unwrap_or(woken);
                }
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
    if local == DORMANT || system.returned(kind, local) {
        return true;
    }
    let mut choices = Vec::new();
    system.step(kind, shared, local, &mut choices);
    choices.iter().any(|choice| choice.way_out == WayOut::Ordinary)
}

/// A state with a process that is stuck, before there is a trace to it.
#[derive(Clone, Copy)]
pub(crate) struct Shallowest<const W: usize> {
    pub state: Packed<W>,
    pub level: u32,
    /// The processes that are stuck.
    mask: u16,
    /// States with such a process.
    states: u64,
}

/// Who is stuck.
pub(crate) struct Found<const W: usize> {
    /// The shallowest process that never runs again unless somebody is killed.
    pub stuck: Option<Shallowest<W>>,
    /// The shallowest that runs again by a time-out only.
    pub until_time_out: Option<Shallowest<W>>,
    /// By kind, then by [`Sleep`].
    pub sleepers: Vec<(Kind, Sleep, Shallowest<W>)>,
}

/// Looks for those who are stuck. `way_outs`: whether there are any time-outs and kills.
pub(crate) fn find<S: System, const W: usize>(
    frame: &Frame<'_, S>,
    unresolved: &[Unresolved<W>],
    way_outs: bool,
) -> Found<W> {
    let mut found = Found { stuck: None, until_time_out: None, sleepers: Vec::new() };
    if unresolved.is_empty() {
        return found;
    }
    let numbers: HashMap<[u64; W], u32, foldhash::fast::FixedState> =
        unresolved.iter().zip(0..).map(|(u, number)| (u.state.0, number)).collect();
    let runs_by = |last| fixpoint(frame, unresolved, &numbers, last);
    let by_time_outs = runs_by(WayOut::TimeOut);
    // Without any way out the three are the same.
    let (by_kills, by_ordinary_steps) = if way_outs {
        (runs_by(WayOut::Killed), runs_by(WayOut::Ordinary))
    } else {
        (by_time_outs.clone(), by_time_outs.clone())
    };
    let asleep = |number: usize, sleep| match sleep {
        Sleep::ForEver => !by_kills[number],
        Sleep::UntilKilled => by_kills[number] & !by_time_outs[number],
        Sleep::UntilTimeOut => by_time_outs[number] & !by_ordinary_steps[number],
    };
    found.stuck = shallowest(unresolved, |number| !by_time_outs[number]);
    found.until_time_out = shallowest(unresolved, |number| asleep(number, Sleep::UntilTimeOut));
    let processes = 0..frame.product.processes();
    let mut kinds: Vec<Kind> = processes.clone().map(|i| frame.product.kind(i)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of_kind = processes.clone().filter(|i| frame.product.kind(*i) == kind);
        let of_kind = of_kind.fold(0_u16, |mask, i| mask | 1 << i);
        for sleep in Sleep::ALL {
            let least = shallowest(unresolved, |number| asleep(number, sleep) & of_kind);
            found.sleepers.extend(least.map(|least| (kind, sleep, least)));
        }
    }
    found
}

/// By unresolved state: the processes that can run from there or later. `last`: the last kind of step,
/// in the order of [`WayOut`], that counts.
fn fixpoint<S: System, const W: usize>(
    frame: &Frame<'_, S>,
    unresolved: &[Unresolved<W>],
    numbers: &HashMap<[u64; W], u32, foldhash::fast::FixedState>,
    last: WayOut,
) -> Vec<u16> {
    let mut can_run: Vec<u16> = unresolved.iter().map(|u| !u.mask).collect();
    let mut open: Vec<u32> = (0..unresolved.len() as u32).rev().collect();
    let mut scratch = Vec::new();
    loop {
        let mut changed = false;
        open.retain(|&number| {
            let before = frame.layout.unpack(&unresolved[number as usize].state);
            let mut mask = can_run[number as usize];
            let _ = frame.product.successors(&before, &mut scratch, |transition| {
                if transition.way_out > last {
                    return ControlFlow::Continue(());
                }
                if transition.way_out != WayOut::Ordinary {
                    // The process that takes its way out runs by that very step.
                    mask |= 1 << transition.actor;
                }
                let mut after = *transition.after;
                let went = frame.symmetry.then(|| frame.product.canonicalize(&mut after));
                let packed = frame.layout.pack::<W>(&after);
                // A state that is not among them has nobody left to be resolved.
                let runs = numbers.get(&packed.0).map_or(u16::MAX, |n| can_run[*n as usize]);
                for i in 0..frame.product.processes() {
                    let place = went.map_or(i, |went| usize::from(went[i]));
                    mask |= (runs >> place & 1) << i;
                }
                if mask == u16::MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            changed |= mask != can_run[number as usize];
            can_run[number as usize] = mask;
            mask != u16::MAX
        });
        if !changed {
            return can_run;
        }
    }
}

/// Of the states of the shallowest level with a stuck process, the least. `stuck`: by unresolved
/// state, one bit for each process that is.
fn shallowest<const W: usize>(
    unresolved: &[Unresolved<W>],
    stuck: impl Fn(usize) -> u16,
) -> Option<Shallowest<W>> {
    let all = || (0..unresolved.len()).filter(|number| stuck(*number) != 0);
    let number = all().min_by_key(|n| (unresolved[*n].level, unresolved[*n].state))?;
    let Unresolved { state, level, .. } = unresolved[number];
    Some(Shallowest { state, level, mask: stuck(number), states: all().count() as u64 })
}

impl<const W: usize> Shallowest<W> {
    /// With the trace along `path`.
    pub fn with_trace<S: System>(
        &self,
        levels: &Levels<'_, '_, S, W>,
        path: &[Packed<W>],
    ) -> Stuck<S::Label> {
        let (trace, end) = levels.concrete(path);
        let process = process_of(levels.frame, &end, self.mask);
        Stuck { process, trace, states: self.states }
    }
}

/// Which process of the concrete state `end` is the stuck one of its canonical form.
fn process_of<S: System>(frame: &Frame<'_, S>, end: &Configuration, stuck: u16) -> usize {
    let mut canonical = *end;
    let went = frame.symmetry.then(|| frame.product.canonicalize(&mut canonical));
    (0..frame.product.processes())
        .find(|&i| stuck >> went.map_or(i, |went| usize::from(went[i])) & 1 != 0)
        .expect("a stuck state has a stuck process")
}
