//! Processes that nothing can ever wake.
//!
//! - Decides: is there a reachable state in which a process is blocked and from which no path leads
//!   to a state where it can run again? A state without enabled steps in which somebody has not
//!   returned is the simplest case. (In CTL: not `AG(blocked(i) -> EF running(i))`.)
//! - Needs: a completed breadth-first search.
//! - Costs: the successors of the states with a blocked process once more, a few times; 2 bytes for
//!   each state. Nothing about transitions is stored.
//!
//! A least fixpoint: a process can run from a state if it is not blocked there, or if it can run
//! from a successor, where it may stand in another place when symmetry sorts the processes.

use std::ops::ControlFlow;

use crate::bfs::{Search, TraceStep};
use crate::system::{System, WayOut};

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

/// The shallowest process that never runs again, and the shallowest that runs again by a time-out or
/// a kill only.
pub(crate) fn find<S: System, const W: usize>(
    search: &Search<'_, S, W>,
) -> [Option<Stuck<S::Label>>; 2] {
    let by_any_step = can_run(search, true);
    let stuck = shallowest(search, |index| !by_any_step[index as usize]);
    // Without any way out the two are the same.
    let but_for_way_out = search.way_outs.then(|| {
        let by_ordinary_steps = can_run(search, false);
        shallowest(search, |index| by_any_step[index as usize] & !by_ordinary_steps[index as usize])
    });
    [stuck, but_for_way_out.flatten()]
}

/// By state: the processes that can run from there or later. `way_outs`: whether time-outs and kills
/// count as steps.
fn can_run<S: System, const W: usize>(search: &Search<'_, S, W>, way_outs: bool) -> Vec<u16> {
    let mut can_run: Vec<u16> = search.blocked.iter().map(|blocked| !blocked).collect();
    let mut open: Vec<u32> = (0..search.blocked.len() as u32)
        .rev()
        .filter(|index| search.blocked[*index as usize] != 0)
        .collect();
    let mut scratch = Vec::new();
    loop {
        let mut changed = false;
        open.retain(|&index| {
            let before = search.layout.unpack(search.visited.state(index));
            let mut mask = can_run[index as usize];
            let _ = search.product.successors(&before, &mut scratch, |transition| {
                if transition.way_out != WayOut::Ordinary {
                    if !way_outs {
                        return ControlFlow::Continue(());
                    }
                    // The process that takes its way out runs by that very step.
                    mask |= 1 << transition.actor;
                }
                let mut after = *transition.after;
                let went = search.symmetry.then(|| search.product.canonicalize(&mut after));
                let successor = search.visited.find(&search.layout.pack(&after));
                let runs = can_run[successor.expect("the search was complete") as usize];
                for i in 0..search.product.processes() {
                    let place = went.map_or(i, |went| usize::from(went[i]));
                    mask |= (runs >> place & 1) << i;
                }
                if mask == u16::MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            changed |= mask != can_run[index as usize];
            can_run[index as usize] = mask;
            mask != u16::MAX
        });
        if !changed {
            return can_run;
        }
    }
}

/// Of the states of the shallowest level with a stuck process, the least. `stuck`: by state, one bit
/// for each process that is.
fn shallowest<S: System, const W: usize>(
    search: &Search<'_, S, W>,
    stuck: impl Fn(u32) -> u16,
) -> Option<Stuck<S::Label>> {
    let all = || (0..search.blocked.len() as u32).filter(|index| stuck(*index) != 0);
    let level = |index: u32| search.levels.partition_point(|first| *first <= index);
    let index = all().min_by_key(|i| (level(*i), *search.visited.state(*i)))?;
    let (trace, end) = search.trace_to(index);
    let process = process_of(search, &end, stuck(index));
    Some(Stuck { process, trace, states: all().count() as u64 })
}

/// Which process of the concrete state `end` is the stuck one of its canonical form.
fn process_of<S: System, const W: usize>(
    search: &Search<'_, S, W>,
    end: &crate::product::Configuration,
    stuck: u16,
) -> usize {
    let mut canonical = *end;
    let went = search.symmetry.then(|| search.product.canonicalize(&mut canonical));
    (0..search.product.processes())
        .find(|&i| stuck >> went.map_or(i, |went| usize::from(went[i])) & 1 != 0)
        .expect("a stuck state has a stuck process")
}
