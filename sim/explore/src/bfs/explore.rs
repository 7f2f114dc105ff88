//! The search as its users call it, and its result.

use std::ops::ControlFlow;

use super::keep::{CheckpointError, Nowhere};
use super::levels::Levels;
use super::packed::Packed;
use super::search::{Search, Searched};
use super::source::{AnyWidth, Asked, Source};
use super::stuck::{self, Shallowest};
use super::visited::Shard;
use crate::ask::{
    End, Exploration, Explorer, Method, Monitor, Options, Own, Sleep, Sleeper, Stuck, Unexplorable,
    Violation, initially, violated_by, violations,
};
use crate::system::{Configuration, Kind, System, TraceStep};

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
    let (asked, words) = Asked::new(system, monitor, options)?;
    Ok(conclude(run_packed(words, &asked, options)?, asked))
}

fn run_packed(
    words: usize,
    asked: &dyn AnyWidth,
    options: &Options<'_>,
) -> Result<Outcome, Unexplorable> {
    match words {
        1 => run::<1>(asked, options),
        2 => run::<2>(asked, options),
        4 => run::<4>(asked, options),
        _ => run::<8>(asked, options),
    }
}

fn run<const W: usize>(
    source: &dyn Source<W>,
    options: &Options<'_>,
) -> Result<Outcome, Unexplorable> {
    match Search::run(source, options, &mut Nowhere) {
        Ok(searched) => Ok(outcome(searched, &mut |levels, ends| levels.paths(ends))),
        Err(CheckpointError::Unexplorable(why)) => Err(why),
        Err(_) => unreachable!("nothing is kept that could fail"),
    }
}

/// The states from the initial one to some other, each the least predecessor of the next, in their canonical
/// form.
type Path = Vec<Configuration>;

/// Who is stuck at the end of a path: the processes, and how many states have such a process.
struct StuckThere {
    path: Path,
    mask: u16,
    states: u64,
}

/// What a search has found, whatever its states were packed into, with a path for each trace.
pub(crate) struct Outcome {
    end: End,
    states: u64,
    transitions: u64,
    followed: u64,
    depth: u32,
    queue: u64,
    blocked_states: u64,
    words: usize,
    bytes: u64,
    tables: u64,
    /// By property: the way to a state from which it is violated.
    violated: Vec<(u32, Path)>,
    stuck: Option<StuckThere>,
    stuck_until_time_out: Option<StuckThere>,
    sleepers: Vec<(Kind, Sleep, StuckThere)>,
}

/// Ends of paths, and their levels.
type Ends<const W: usize> = [(Packed<W>, u32)];

/// Gives the paths to some ends.
type Paths<'p, const W: usize> = &'p mut dyn FnMut(&Levels<'_, W>, &Ends<W>) -> Vec<Vec<Packed<W>>>;

/// What was found, with a path for each violation.
pub(crate) fn outcome<const W: usize>(searched: Searched<'_, W>, paths: Paths<'_, W>) -> Outcome {
    let levels = &searched.levels;
    let unresolved: &[_] = match searched.end {
        End::Complete => &searched.unresolved,
        _ => &[],
    };
    let blocked = stuck::find(levels.source, unresolved, searched.way_outs);
    let initially = levels.source.initially();
    let violated: Vec<(u32, (Packed<W>, u32))> = (searched.found.first.iter().zip(0..))
        .filter(|(_, property)| initially >> property & 1 == 0)
        .filter_map(|(first, property)| first.map(|(level, state)| (property, (state, level))))
        .collect();
    // Every end of a path, and then the paths in the same order.
    let ends = violated.iter().map(|(_, end)| *end);
    let sleepers = blocked.sleepers.iter().map(|(.., shallowest)| shallowest);
    let stuck_at = blocked.stuck.iter().chain(&blocked.until_time_out).chain(sleepers);
    let ends: Vec<_> = ends.chain(stuck_at.map(|s| (s.state, s.level))).collect();
    let mut paths = paths(levels, &ends).into_iter();
    let layout = &levels.source.frame().layout;
    let mut path = || -> Path {
        let path = paths.next().expect("one for each end");
        path.iter().map(|state| layout.unpack(state)).collect()
    };
    let violated = violated.into_iter().map(|(property, _)| (property, path())).collect();
    let mut there =
        |Shallowest { mask, states, .. }: Shallowest<W>| StuckThere { path: path(), mask, states };
    let stuck::Blocked { stuck, until_time_out, sleepers } = blocked;
    let (stuck, stuck_until_time_out) = (stuck.map(&mut there), until_time_out.map(&mut there));
    let sleepers = sleepers
        .into_iter()
        .map(|(kind, sleep, shallowest)| (kind, sleep, there(shallowest)))
        .collect();
    Outcome {
        end: searched.end,
        states: searched.states,
        transitions: searched.found.transitions,
        followed: searched.found.followed,
        depth: searched.depth,
        queue: searched.states - searched.expanded,
        blocked_states: searched.found.blocked_states,
        words: W,
        bytes: searched.bytes,
        tables: Shard::bytes_of_tables(&levels.shards) as u64,
        violated,
        stuck,
        stuck_until_time_out,
        sleepers,
    }
}

/// What was found, with a trace for each violation.
pub(crate) fn conclude<S: System, M: Monitor<S::Label>>(
    outcome: Outcome,
    asked: Asked<'_, S, M>,
) -> Exploration<S::Label, M::Tally> {
    let initially = initially(asked.monitor, &asked.product);
    let later = outcome.violated.iter().map(|(property, path)| violation(&asked, path, *property));
    let violations = violations(asked.monitor, initially, later);
    let stuck = |there: StuckThere| with_trace(&asked, &there);
    let sleepers = (outcome.sleepers.into_iter())
        .map(|(kind, sleep, there)| Sleeper { kind, sleep, stuck: stuck(there) })
        .collect();
    Exploration {
        method: method(asked.frame.symmetry),
        own: Own::Nothing,
        end: outcome.end,
        states: outcome.states,
        transitions: outcome.transitions,
        followed: outcome.followed,
        depth: outcome.depth,
        queue: outcome.queue,
        violations,
        stuck: outcome.stuck.map(stuck),
        stuck_until_time_out: outcome.stuck_until_time_out.map(stuck),
        sleepers,
        blocked_states: outcome.blocked_states,
        words: outcome.words,
        bytes: outcome.bytes,
        tables: outcome.tables,
        tally: asked.counted(),
    }
}

/// A trace in the exact system, without symmetry, along states whose canonical forms are those of `path`.
/// Returns the last one, too.
fn concrete<S: System, M: Monitor<S::Label>>(
    asked: &Asked<'_, S, M>,
    path: &[Configuration],
) -> (Vec<TraceStep<S::Label>>, Configuration) {
    let mut scratch = Vec::new();
    let mut now = asked.product.initial();
    let mut trace = Vec::with_capacity(path.len());
    for wanted in &path[1..] {
        let mut found = None;
        let _ = asked.product.successors(&now, &mut scratch, |transition| {
            if asked.frame.canonical(transition.after).0 == *wanted {
                found = Some((transition.as_trace_step(), *transition.after));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let (step, after) = found.expect("a stored state is a successor of its parent");
        trace.push(step);
        now = after;
    }
    (trace, now)
}

/// The trace along `path` and one violating step.
fn violation<S: System, M: Monitor<S::Label>>(
    asked: &Asked<'_, S, M>,
    path: &[Configuration],
    property: u32,
) -> Violation<S::Label> {
    let (mut trace, before) = concrete(asked, path);
    let Asked { product, monitor, .. } = asked;
    let mut last = None;
    let _ = product.successors(&before, &mut Vec::new(), |transition| {
        if violated_by(*monitor, product, transition) & 1 << property != 0 {
            last = Some(transition.as_trace_step());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    trace.push(last.expect("the least violating state has a violating transition"));
    Violation { property, name: monitor.name(property), trace }
}

/// The trace to somebody who is stuck: one of the concrete state whose canonical form has it.
fn with_trace<S: System, M: Monitor<S::Label>>(
    asked: &Asked<'_, S, M>,
    there: &StuckThere,
) -> Stuck<S::Label> {
    let (trace, end) = concrete(asked, &there.path);
    let (_, went) = asked.frame.canonical(&end);
    let process = (0..asked.product.processes())
        .find(|i| there.mask >> went[*i] & 1 != 0)
        .expect("a stuck state has a stuck process");
    Stuck { process, trace, states: there.states }
}
