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

/// The shallowest stuck process. `way_outs`: whether time-outs and kills count as steps.
pub(crate) fn find<S: System, const W: usize>(
    search: &Search<'_, S, W>,
    way_outs: bool,
) -> Option<Stuck<S::Label>> {
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
            break;
        }
    }
    // What is left is stuck; of the shallowest level, the least state.
    let level = |index: u32| search.levels.partition_point(|first| *first <= index);
    let index = open.iter().copied().min_by_key(|i| (level(*i), *search.visited.state(*i)))?;
    let (trace, end) = search.trace_to(index);
    let process = blocked_for_good(search, &end, can_run[index as usize]);
    Some(Stuck { process, trace, states: open.len() as u64 })
}

/// Which process of the concrete state `end` is the stuck one of its canonical form.
fn blocked_for_good<S: System, const W: usize>(
    search: &Search<'_, S, W>,
    end: &crate::product::Configuration,
    can_run: u16,
) -> usize {
    let mut canonical = *end;
    let went = search.symmetry.then(|| search.product.canonicalize(&mut canonical));
    (0..search.product.processes())
        .find(|&i| can_run >> went.map_or(i, |went| usize::from(went[i])) & 1 == 0)
        .expect("a stuck state has a stuck process")
}
