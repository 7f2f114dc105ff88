//! The search as its users call it, and its result.

use std::ops::ControlFlow;

use super::frame::{Frame, framed};
use super::keep::{CheckpointError, Nowhere};
use super::levels::Levels;
use super::packed::Packed;
use super::search::{Search, Searched};
use super::stuck;
use crate::ask::{
    End, Exploration, Explorer, Method, Monitor, Options, Own, Sleeper, Unexplorable, Violation,
    initially, violated_by, violations,
};
use crate::system::System;

/// What it can say: everything.
pub(crate) const fn method(symmetry: bool) -> Method {
    Method {
        engine: "exhaustive",
        exhaustive: true,
        shortest: true,
        symmetry,
        partial_order: false,
        decides_stuck: true,
    }
}

/// The search of the product: every reachable state, breadth first ([`explore`]).
#[derive(Clone, Copy, Debug)]
pub struct Exhaustive;

impl<S: System, M: Monitor<S::Label>> Explorer<S, M> for Exhaustive {
    type Error = Unexplorable;

    fn method(&self, options: &Options<'_>) -> Method {
        method(options.symmetry)
    }

    fn explore(
        self,
        system: &S,
        monitor: &M,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
        explore(system, monitor, options)
    }
}

/// Explores every reachable state of `system`, breadth first.
pub fn explore<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
    let (frame, words) = framed(system, options)?;
    match words {
        1 => run::<S, M, 1>(&frame, monitor, options),
        2 => run::<S, M, 2>(&frame, monitor, options),
        4 => run::<S, M, 4>(&frame, monitor, options),
        _ => run::<S, M, 8>(&frame, monitor, options),
    }
}

fn run<S: System, M: Monitor<S::Label>, const W: usize>(
    frame: &Frame<'_, S>,
    monitor: &M,
    options: &Options<'_>,
) -> Result<Exploration<S::Label, M::Tally>, Unexplorable> {
    match Search::<S, M, W>::run(frame, monitor, options, &mut Nowhere) {
        Ok(searched) => Ok(conclude(searched, monitor, |levels, ends| levels.paths(ends))),
        Err(CheckpointError::Unexplorable(why)) => Err(why),
        Err(_) => unreachable!("nothing is kept that could fail"),
    }
}

/// What was found, with a trace for each violation. `paths`: for each of these states and their levels,
/// the states on the way there.
pub(crate) fn conclude<S: System, M: Monitor<S::Label>, const W: usize>(
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
    let initially = initially(monitor, &frame.product);
    let violated: Vec<(u32, (Packed<W>, u32))> = (searched.found.first.iter().zip(0..))
        .filter(|(_, property)| initially >> property & 1 == 0)
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
    let later = violated.iter().map(|(property, _)| violation(levels, &path(), *property, monitor));
    let violations = violations(monitor, initially, later);
    let mut traced = |shallowest: stuck::Shallowest<W>| shallowest.with_trace(levels, &path());
    let stuck::Blocked { stuck, until_time_out, sleepers } = stuck;
    let (stuck, stuck_until_time_out) = (stuck.map(&mut traced), until_time_out.map(&mut traced));
    let sleepers = sleepers
        .into_iter()
        .map(|(kind, sleep, shallowest)| Sleeper { kind, sleep, stuck: traced(shallowest) })
        .collect();
    Exploration {
        method: method(frame.symmetry),
        own: Own::Nothing,
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
fn violation<S: System, M: Monitor<S::Label>, const W: usize>(
    levels: &Levels<'_, '_, S, W>,
    path: &[Packed<W>],
    property: u32,
    monitor: &M,
) -> Violation<S::Label> {
    let (mut trace, before) = levels.concrete(path);
    let mut last = None;
    let _ = levels.frame.product.successors(&before, &mut Vec::new(), |transition| {
        if violated_by(monitor, &levels.frame.product, transition) & 1 << property != 0 {
            last = Some(transition.as_trace_step());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    trace.push(last.expect("the least violating state has a violating transition"));
    Violation { property, name: monitor.name(property), trace }
}
