//! The search as its users call it, and its result.

use std::ops::ControlFlow;

use super::frame::{Frame, framed};
use super::keep::Nowhere;
use super::levels::Levels;
use super::packed::Packed;
use super::search::{Search, Searched};
use super::stuck;
use crate::ask::{
    End, Exploration, Monitor, Options, Sleeper, Unexplorable, Violation, violated_by,
};
use crate::system::System;

/// Explores every reachable state of `system`, breadth first.
pub fn explore<S: System, M: Monitor<S>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
    let (frame, words) = framed(system, options)?;
    Ok(match words {
        1 => run::<S, M, 1>(&frame, monitor, options),
        2 => run::<S, M, 2>(&frame, monitor, options),
        4 => run::<S, M, 4>(&frame, monitor, options),
        _ => run::<S, M, 8>(&frame, monitor, options),
    })
}

fn run<S: System, M: Monitor<S>, const W: usize>(
    frame: &Frame<'_, S>,
    monitor: &M,
    options: &Options<'_>,
) -> Exploration<S::Label, M::Tally> {
    let searched = Search::<S, M, W>::run(frame, monitor, options, &mut Nowhere)
        .expect("nothing is kept that could fail");
    conclude(searched, monitor, |levels, ends| levels.paths(ends))
}

/// What was found, with a trace for each violation. `paths`: for each of these states and their levels,
/// the states on the way there.
pub(crate) fn conclude<S: System, M: Monitor<S>, const W: usize>(
    searched: Searched<'_, S, M, W>,
    monitor: &M,
    paths: impl FnOnce(&Levels<'_, '_, S, W>, &[(Packed<W>, u32)]) -> Vec<Vec<Packed<W>>>,
) -> Exploration<S::Label, M::Tally> {
    let frame = searched.levels.frame;
    let unresolved: &[_] = match searched.end {
        End::Complete => &searched.unresolved,
        _ => &[],
    };
    let stuck = stuck::find(frame, unresolved, searched.way_outs);
    let violated: Vec<(u32, (Packed<W>, u32))> = (searched.found.first.iter().zip(0..))
        .filter_map(|(first, property)| first.map(|(level, state)| (property, (state, level))))
        .collect();
    // Every end of a trace, and then the paths in the same order.
    let ends = violated.iter().map(|(_, end)| *end);
    let sleepers = stuck.sleepers.iter().map(|(.., shallowest)| shallowest);
    let stuck_at = stuck.stuck.iter().chain(&stuck.until_time_out).chain(sleepers);
    let ends: Vec<_> = ends.chain(stuck_at.map(|s| (s.state, s.level))).collect();
    let levels = &searched.levels;
    let mut paths = paths(levels, &ends).into_iter();
    let mut path = || paths.next().expect("one for each end");
    let violations = violated
        .iter()
        .map(|(property, _)| violation(levels, &path(), *property, monitor))
        .collect();
    let mut traced = |shallowest: stuck::Shallowest<W>| shallowest.with_trace(levels, &path());
    let stuck::Found { stuck, until_time_out, sleepers } = stuck;
    let (stuck, stuck_until_time_out) = (stuck.map(&mut traced), until_time_out.map(&mut traced));
    let sleepers = sleepers
        .into_iter()
        .map(|(kind, sleep, shallowest)| Sleeper { kind, sleep, stuck: traced(shallowest) })
        .collect();
    Exploration {
        end: searched.end,
        states: searched.states,
        transitions: searched.found.transitions,
        followed: searched.found.followed,
        depth: searched.depth,
        queue: searched.states - searched.expanded,
        violations,
        stuck,
        stuck_until_time_out,
        sleepers,
        blocked_states: searched.found.blocked_states,
        words: W,
        bytes: searched.bytes,
        tally: searched.tally,
    }
}

/// The trace along `path` and one violating step.
fn violation<S: System, M: Monitor<S>, const W: usize>(
    levels: &Levels<'_, '_, S, W>,
    path: &[Packed<W>],
    property: u32,
    monitor: &M,
) -> Violation<S::Label> {
    let (mut trace, before) = levels.concrete(path);
    let mut last = None;
    let _ = levels.frame.product.successors(&before, &mut Vec::new(), |transition| {
        if violated_by(monitor, transition) & 1 << property != 0 {
            last = Some(transition.as_trace_step());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    trace.push(last.expect("the least violating state has a violating transition"));
    Violation { property, trace }
}
