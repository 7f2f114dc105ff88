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

use super::packed::Packed;
use super::rescue::Unresolved;
use super::source::Source;
use crate::ask::Sleep;
use crate::system::{Kind, WayOut};

/// A state with a process that is stuck, before there is a trace to it.
#[derive(Clone, Copy)]
pub(crate) struct Shallowest<const W: usize> {
    pub state: Packed<W>,
    pub level: u32,
    /// The processes that are stuck.
    pub mask: u16,
    /// States with such a process.
    pub states: u64,
}

/// Who is stuck.
pub(crate) struct Blocked<const W: usize> {
    /// The shallowest process that never runs again unless somebody is killed.
    pub stuck: Option<Shallowest<W>>,
    /// The shallowest that runs again by a time-out only.
    pub until_time_out: Option<Shallowest<W>>,
    /// By kind, then by [`Sleep`].
    pub sleepers: Vec<(Kind, Sleep, Shallowest<W>)>,
}

/// Looks for those who are stuck. `way_outs`: whether there are any time-outs and kills.
pub(crate) fn find<const W: usize>(
    source: &dyn Source<W>,
    unresolved: &[Unresolved<W>],
    way_outs: bool,
) -> Blocked<W> {
    let mut found = Blocked { stuck: None, until_time_out: None, sleepers: Vec::new() };
    if unresolved.is_empty() {
        return found;
    }
    let numbers: HashMap<[u64; W], u32, foldhash::fast::FixedState> =
        unresolved.iter().zip(0..).map(|(u, number)| (u.state.0, number)).collect();
    let runs_by = |last| fixpoint(source, unresolved, &numbers, last);
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
    let all = source.frame().roster.kinds();
    let mut kinds: Vec<Kind> = all.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of_kind = all.iter().enumerate().filter(|(_, its)| **its == kind);
        let of_kind = of_kind.fold(0_u16, |mask, (i, _)| mask | 1 << i);
        for sleep in Sleep::ALL {
            let least = shallowest(unresolved, |number| asleep(number, sleep) & of_kind);
            found.sleepers.extend(least.map(|least| (kind, sleep, least)));
        }
    }
    found
}

/// By unresolved state: the processes that can run from there or later. `last`: the last kind of step,
/// in the order of [`WayOut`], that counts.
fn fixpoint<const W: usize>(
    source: &dyn Source<W>,
    unresolved: &[Unresolved<W>],
    numbers: &HashMap<[u64; W], u32, foldhash::fast::FixedState>,
    last: WayOut,
) -> Vec<u16> {
    let mut can_run: Vec<u16> = unresolved.iter().map(|u| !u.mask).collect();
    let mut open: Vec<u32> = (0..unresolved.len() as u32).rev().collect();
    let frame = source.frame();
    loop {
        let mut changed = false;
        open.retain(|&number| {
            let before = frame.layout.unpack(&unresolved[number as usize].state);
            let mut mask = can_run[number as usize];
            source.transitions(&before, &mut |(actor, way_out, after)| {
                if way_out > last {
                    return ControlFlow::Continue(());
                }
                if way_out != WayOut::Ordinary {
                    // The process that takes its way out runs by that very step.
                    mask |= 1 << actor;
                }
                let (after, went) = frame.canonical(after);
                let packed = frame.layout.pack::<W>(&after);
                // A state that is not among them has nobody left to be resolved.
                let runs = numbers.get(&packed.0).map_or(u16::MAX, |n| can_run[*n as usize]);
                for (i, place) in went.iter().enumerate().take(frame.roster.processes()) {
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
