//! Exhaustive breadth-first search over several processes, on this machine or on many.
//!
//! - Paper: states owned by hash, U. Stern and D. L. Dill, 'Parallelizing the Murphi verifier', 1997.
//!   The exchange and the barrier between levels are a timely dataflow: D. G. Murray, F. McSherry,
//!   R. Isaacs, M. Isard, P. Barham and M. Abadi, 'Naiad: a timely dataflow system', 2013 (crate
//!   `timely`). A level is an epoch: it is over when no worker can send a state of it any more.
//! - Decides: what [`crate::bfs`] decides, with the same counts and the same traces: what is found does
//!   not depend on who owns which state.
//! - Needs: every worker has the same system, monitor and options; and connections to all others
//!   ([`net`]).
//! - Costs: a worker holds its own states, as `bfs/visited.rs` does, and what is on the way to it. The
//!   states whose blocked processes are still to be looked at are gathered in the first process.
//!
//! Every decision (go on, stop at a limit) is taken by all workers from the same messages, so no worker
//! waits for one that has stopped. Only the first process has a result.

use crate::ask::{
    Budget, Clock, End, Exploration, Explorer, Full, Method, Monitor, Options, Own, Progress,
    Unexplorable,
};
use crate::bfs::entry::mix;
use crate::bfs::explore::{Outcome, conclude, method, outcome};
use crate::bfs::frame::Found;
use crate::bfs::levels::{BLOCK, Levels};
use crate::bfs::packed::{Packed, Spare};
use crate::bfs::recent::Recent;
use crate::bfs::rescue::Unresolved;
use crate::bfs::search::Searched;
use crate::bfs::source::{AnyWidth, Asked, Counted, Expand, Of, Purpose, Sink, Source, Visit};
use crate::bfs::visited::{LISTED, Shard};
use crate::system::{Kind, System};
use comms::Comms;
use net::Net;

mod comms;
mod link;
pub mod net;
mod secret;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::allocator::TcpBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{Allocator, ProcessBuilder};
use timely::worker::{Config, Worker};

/// States that a worker remembers to have sent lately, so as not to send them again, in bytes.
const LATELY: usize = 1 << 18;

/// Why there is no distributed search.
#[derive(Debug, thiserror::Error)]
pub enum DistributedError {
    /// The system cannot be explored at all.
    #[error(transparent)]
    Unexplorable(#[from] Unexplorable),
    /// The system breaks a promise, as [`Unexplorable::Fault`] says in words.
    #[error("{0}")]
    Fault(String),
    /// This is not the first process.
    #[error("the first process has the result")]
    Elsewhere,
    /// Threads that the other processes count on cannot be had, or sockets not be served.
    #[error("no {threads} workers, and two threads for each other process: {error}")]
    NoWorkers {
        /// Workers that were wanted.
        threads: usize,
        /// What the operating system says.
        error: std::io::Error,
    },
}

/// What a worker says of itself at the end of a level, or at once if it has to stop.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    /// Why everybody has to stop.
    stop: Option<(Stop, String)>,
    /// States of the next level; all of its states.
    next: u64,
    states: u64,
    transitions: u64,
    expanded: u64,
    /// Properties violated so far.
    violated: u64,
    bytes: u64,
    exhausted: bool,
    /// The system has broken a promise.
    fault: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stop {
    Memory,
    Time,
    States,
    Interrupted,
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Memory => Self::MemoryLimit,
            Stop::Time => Self::TimeLimit,
            Stop::States => Self::StatesLimit,
            Stop::Interrupted => Self::Interrupted,
        }
    }
}

/// What a worker has in the end.
#[derive(Serialize, Deserialize)]
struct Summary<const W: usize> {
    states: u64,
    expanded: u64,
    transitions: u64,
    followed: u64,
    blocked_states: u64,
    first: Vec<(u8, u32, Packed<W>)>,
    exhausted: Option<(Packed<W>, u8)>,
    unresolved: Vec<(Packed<W>, u32, u16)>,
    way_outs: bool,
    bytes: u64,
    sent: u64,
    /// What the monitor has counted, encoded.
    counted: Vec<u8>,
}

/// What it can say: what the search in one process can.
fn method_of(symmetry: bool) -> Method {
    Method { engine: "timely", ..method(symmetry) }
}

/// The search over several processes ([`explore_distributed`]).
pub struct OverProcesses(pub Net);

impl<S: System, M: Monitor<S::Label>> Explorer<S, M> for OverProcesses
where
    M::Tally: Serialize + DeserializeOwned,
    S::Label: Send,
{
    type Error = DistributedError;

    fn method(&self, options: &Options<'_>) -> Method {
        method_of(options.symmetry)
    }

    fn explore(
        self,
        system: &S,
        monitor: &M,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, DistributedError> {
        explore_distributed(system, monitor, options, self.0)?.ok_or(DistributedError::Elsewhere)
    }
}

/// Explores every reachable state of `system`, together with the other processes of `net`, of which
/// each calls this with the same system, monitor and options. `None` in all processes but the first; there
/// [`Exploration::bytes`] is the largest of all workers, times the workers.
/// [`Options::threads`] is per process, the same in all; [`Limits::bytes`](crate::Limits::bytes) is for
/// this process, [`Limits::states`](crate::Limits::states) for all, looked at between levels.
///
/// # Errors
/// See [`DistributedError`].
///
/// # Panics
/// If a connection breaks, in a thread that serves it; see [`net::exit_when_a_process_is_gone`].
#[expect(clippy::type_complexity, reason = "one process has a result, the others have none")]
pub fn explore_distributed<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
    net: Net,
) -> Result<Option<Exploration<S::Label, M::Tally>>, DistributedError>
where
    M::Tally: Serialize + DeserializeOwned,
    S::Label: Send,
{
    let threads = options.threads.max(1);
    let (all, words) = Asked::new(system, monitor, options)?;
    // Each worker counts for itself.
    let each: Result<Vec<_>, Unexplorable> =
        (0..threads).map(|_| Ok(Asked::new(system, monitor, options)?.0)).collect();
    let each = each?;
    let workers: Vec<(&dyn AnyWidth, &dyn Counted)> =
        each.iter().map(|one| -> (&dyn AnyWidth, &dyn Counted) { (one, one) }).collect();
    let told = run_packed(words, &workers, &all, options, net);
    let told = told.map_err(|error| DistributedError::NoWorkers { threads, error })?;
    let Some(told) = told else { return Ok(None) };
    let (outcome, own) = told.map_err(DistributedError::Fault)?;
    let method = method_of(all.frame.symmetry);
    Ok(Some(Exploration { method, own, ..conclude(outcome, all) }))
}

/// What the first worker gives; or, as any of them, what the system has done that it must not.
type Told = Result<(Outcome, Own), String>;

fn run_packed(
    words: usize,
    each: &[(&dyn AnyWidth, &dyn Counted)],
    all: &dyn Counted,
    options: &Options<'_>,
    net: Net,
) -> std::io::Result<Option<Told>> {
    match words {
        1 => run::<1>(each, |any| any, all, options, net),
        2 => run::<2>(each, |any| any, all, options, net),
        4 => run::<4>(each, |any| any, all, options, net),
        _ => run::<8>(each, |any| any, all, options, net),
    }
}

/// `each`: by thread. `all`: what the monitor has counted of all workers of all processes, in the first one.
fn run<const W: usize>(
    each: &[(&dyn AnyWidth, &dyn Counted)],
    of_width: fn(&dyn AnyWidth) -> &dyn Source<W>,
    all: &dyn Counted,
    options: &Options<'_>,
    net: Net,
) -> std::io::Result<Option<Told>> {
    let threads = each.len();
    let hooks = Hooks::default();
    let local =
        ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone());
    let Net { process, sockets } = net;
    type Build = Box<dyn FnOnce() -> Allocator + Send>;
    let failed = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        // All threads are there before anything is begun: who has begun waits for all others.
        let mut workers: Vec<ScopedJoinHandle<'_, _>> = Vec::new();
        let mut begin = Vec::new();
        for (asked, counted) in each {
            let worker = (of_width(*asked), *counted);
            let (tell, told) = channel::<Build>();
            let failed = Arc::clone(&failed);
            workers.push(Builder::new().spawn_scoped(scope, move || {
                let builder = told.recv().ok()?;
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    let timely = Worker::new(Config::default(), builder(), Some(Instant::now()));
                    Member::new(worker, options, timely, &failed).work(all)
                }));
                outcome.unwrap_or_else(|panic| {
                    // Who waits for this worker waits no longer.
                    failed.store(true, Ordering::Relaxed);
                    std::panic::resume_unwind(panic)
                })
            })?);
            begin.push(tell);
        }
        let (builders, guard): (Vec<Build>, _) = if sockets.len() > 1 {
            let (builders, guard) =
                initialize_networking_from_sockets(local, sockets, process, threads, hooks)?;
            let build = |tcp: TcpBuilder| -> Build { Box::new(|| Allocator::Tcp(tcp.build())) };
            (builders.into_iter().map(build).collect(), Some(guard))
        } else {
            let build =
                |one: ProcessBuilder| -> Build { Box::new(|| Allocator::Process(one.build())) };
            (local.into_iter().map(build).collect(), None)
        };
        for (tell, builder) in begin.into_iter().zip(builders) {
            let _ = tell.send(builder);
        }
        // All are waited for before the first panic goes on.
        let joined: Vec<_> = workers.into_iter().map(ScopedJoinHandle::join).collect();
        let results =
            joined.into_iter().map(|r| r.unwrap_or_else(|p| std::panic::resume_unwind(p)));
        let first = results.collect::<Vec<_>>().swap_remove(0);
        drop(guard);
        Ok(first)
    })
}

/// Who owns a state.
fn owner<const W: usize>(state: &Packed<W>, peers: usize) -> usize {
    // Of other bits than the place in the owner's table is made of.
    ((u128::from(mix(state.hash())) * peers as u128) >> 64) as usize
}

/// One worker.
struct Member<'f, 'o, const W: usize> {
    source: &'f dyn Source<W>,
    counted: &'f dyn Counted,
    options: &'f Options<'o>,
    comms: Comms<W>,
    me: usize,
    peers: usize,
    expander: Box<dyn Expand<W> + 'f>,
    mine: Shard<W>,
    budget: Budget,
    starts: Vec<Vec<usize>>,
    unresolved: Vec<Unresolved<W>>,
    expanded: u64,
    sent: u64,
    lately: Recent<W>,
    /// Why this worker has to stop.
    stop: Option<(Stop, String)>,
    clock: Clock<'f>,
}

impl<'f, 'o, const W: usize> Member<'f, 'o, W> {
    fn new(
        (source, counted): Of<'f, W>,
        options: &'f Options<'o>,
        timely: Worker,
        failed: &Arc<AtomicBool>,
    ) -> Self {
        let (me, peers) = (timely.index(), timely.peers());
        let share = options.limits.bytes.map(|bytes| bytes / options.threads.max(1) as u64);
        let budget = Budget::new(share);
        budget.note(LATELY);
        let spare = source.frame().spare::<W>();
        Self {
            source,
            counted,
            options,
            comms: Comms::new(
                timely,
                move |stored| owner(&spare.split(*stored).0, peers) as u64,
                failed,
            ),
            me,
            peers,
            expander: source.expander(Purpose::Search),
            mine: Shard::all(&budget, spare, source.frame().mix(), 0).pop().expect("one shard"),
            budget,
            starts: vec![vec![0]],
            unresolved: Vec::new(),
            expanded: 0,
            sent: 0,
            lately: Recent::new(LATELY),
            stop: None,
            clock: Clock::new(options),
        }
    }

    fn work(mut self, counted: &dyn Counted) -> Option<Told> {
        let frame = self.source.frame();
        let initial = frame.packed::<W>(&frame.roster.initial());
        if owner(&initial, self.peers) == self.me {
            self.store(&[initial], 0);
        }
        let mut all = Vec::new();
        let (end, because, depth) = loop {
            let level = self.starts.len() as u32 - 1;
            let to = self.mine.len();
            self.expand(level, to, &all);
            all = self.agree(to);
            let next: u64 = all.iter().map(|said: &Said| said.next).sum();
            let deepest = level + u32::from(next > 0);
            if let Some(fault) = all.iter().find_map(|said| said.fault.clone()) {
                return Some(Err(fault));
            }
            if all.iter().any(|said| said.exhausted) {
                // Which kind, the summaries say.
                break (End::PoolExhausted(Kind(0)), None, deepest);
            }
            let stop = all.iter().enumerate().find_map(|(i, s)| Some((i, s.stop.clone()?)));
            if let Some((worker, (stop, what))) = stop {
                let process = worker / self.options.threads.max(1);
                break (stop.into(), Some(format!("process {process}: {what}")), deepest);
            }
            if next == 0 {
                break (End::Complete, None, deepest);
            }
            self.starts.push(vec![to]);
            let at_once = self.source.initially();
            let violated = all.iter().fold(at_once, |bits, said| bits | said.violated);
            let wanted = self.options.stop_when_violated;
            if wanted != 0 && violated & wanted == wanted {
                break (End::Violated, None, deepest);
            }
            let states: u64 = all.iter().map(|said| said.states).sum();
            if let Some(most) = self.options.limits.states.filter(|most| states > *most) {
                let what = format!("{states} states, at most {most} wanted");
                break (End::StatesLimit, Some(what), deepest);
            }
        };
        self.conclude(end, because, depth, counted).map(Ok)
    }

    /// Expands this worker's states of a level, and takes in what comes, unless somebody has to stop.
    fn expand(&mut self, level: u32, to: usize, last: &[Said]) {
        self.expander.found().enter(level);
        let mut from = self.starts.last().expect("there is a first level")[0];
        let first = from;
        let (mut own, mut away) = (Vec::new(), Vec::new());
        let mut stopped = false;
        while from < to && !stopped {
            let until = (from + BLOCK).min(to);
            let mut successors = Successors {
                me: self.me,
                peers: self.peers,
                level,
                spare: self.source.frame().spare::<W>(),
                lately: &mut self.lately,
                own: &mut own,
                away: &mut away,
                unresolved: &mut self.unresolved,
            };
            for piece in self.mine.pieces(from, until) {
                self.expander.expand(piece, &mut Sink::Told(&mut successors));
            }
            self.expanded += (until - from) as u64;
            from = until;
            // Those of later levels the table cannot tell apart.
            let kept = self.starts.get(LISTED as usize).map_or(from, |kept| kept[0].min(from));
            self.mine.forget(kept, &self.budget);
            self.sent += away.len() as u64;
            self.comms.send(&mut away);
            self.store(&own, level + 1);
            own.clear();
            self.comms.step();
            self.receive();
            self.look_at_limits();
            stopped = self.stop.is_some() || self.comms.told_to_stop();
            self.show(level, (from - first, to - first), last);
        }
        if self.stop.is_some() {
            self.comms.tell_to_stop();
        }
    }

    /// What everybody says of this level once all of its successors have arrived.
    fn agree(&mut self, to: usize) -> Vec<Said> {
        self.comms.end_level();
        while !self.comms.level_is_over() {
            self.comms.step_or_wait();
            self.receive();
        }
        self.receive();
        self.look_at_limits();
        let said = Said {
            stop: self.stop.clone(),
            next: (self.mine.len() - to) as u64,
            states: self.mine.len() as u64,
            transitions: self.expander.found().transitions,
            expanded: self.expanded,
            violated: self.expander.found().violated(),
            bytes: self.budget.held(),
            exhausted: self.expander.found().exhausted.is_some(),
            fault: self.expander.fault().map(|fault| fault.to_string()),
        };
        self.comms.all_to_all(&said)
    }

    fn receive(&mut self) {
        while let Some(states) = self.comms.received() {
            self.store(&states, self.starts.len() as u32);
        }
    }

    /// Stores those of `states` that are new, of a level; once there was no room, none.
    fn store(&mut self, states: &[Packed<W>], level: u32) {
        if self.stop.is_some() {
            return;
        }
        let room = &mut u64::MAX.clone();
        if let Err(Full::Bytes | Full::States) = self.mine.insert(states, level, room, &self.budget)
        {
            let most = self.options.limits.bytes.map_or(0, |bytes| bytes >> 20);
            let what = format!("no room for more states in {most} MiB");
            self.stop = Some((Stop::Memory, what));
        }
    }

    fn look_at_limits(&mut self) {
        let options = self.options;
        if self.stop.is_some() {
        } else if let Some(end) = self.clock.over() {
            self.stop = Some(match (end, options.limits.time) {
                (End::TimeLimit, Some(time)) => {
                    (Stop::Time, format!("{} s are over", time.as_secs()))
                }
                _ => (Stop::Interrupted, "interrupted".to_owned()),
            });
        } else if let Some(most) =
            options.limits.states.filter(|most| self.mine.len() as u64 > *most)
        {
            self.stop = Some((Stop::States, format!("more than {most} states")));
        }
    }

    fn show(&self, level: u32, (done, of): (usize, usize), last: &[Said]) {
        if self.me != 0 {
            return;
        }
        let sum = |of: fn(&Said) -> u64| last.iter().map(of).sum::<u64>();
        let states = sum(|s| s.states).max(self.mine.len() as u64);
        let size = sum(|s| s.next).max(of as u64);
        self.clock.show(|| Progress {
            states,
            transitions: sum(|s| s.transitions),
            depth: level,
            queue: states - sum(|s| s.expanded).min(states),
            level: size,
            // As far as this worker is.
            level_left: size * (of - done) as u64 / of.max(1) as u64,
            bytes: sum(|s| s.bytes),
            ..Progress::default()
        });
    }

    /// Gathers what all have found; the first worker gives it.
    fn conclude(
        mut self,
        end: End,
        because: Option<String>,
        depth: u32,
        counted: &dyn Counted,
    ) -> Option<(Outcome, Own)> {
        self.expander.settle();
        let found = std::mem::replace(self.expander.found(), Found::new());
        let summary = Summary::<W> {
            states: self.mine.len() as u64,
            expanded: self.expanded,
            transitions: found.transitions,
            followed: found.followed,
            blocked_states: found.blocked_states,
            first: (found.first.iter().zip(0..))
                .filter_map(|(first, property)| first.map(|(level, s)| (property, level, s)))
                .collect(),
            exhausted: found.exhausted.map(|(state, kind)| (state, kind.0)),
            unresolved: self.unresolved.iter().map(|u| (u.state, u.level, u.mask)).collect(),
            way_outs: self.expander.way_outs(),
            bytes: self.budget.peak(),
            sent: self.sent,
            counted: self.counted.encoded().expect("what is sent has lengths"),
        };
        let mut comms = self.comms;
        let summaries: Vec<Summary<W>> = comms.all_to_first(&summary);
        drop(summary);
        let mut starts = self.starts;
        starts.push(vec![self.mine.len()]);
        let mut expander = self.expander;
        expander.turn_back();
        let idle = Mutex::new(vec![expander]);
        let levels = Levels {
            source: self.source,
            shards: vec![self.mine],
            starts,
            threads: 1,
            idle,
            together: Mutex::default(),
        };
        if self.me != 0 {
            paths(&mut comms, &levels, None);
            comms.finish();
            return None;
        }
        let (mut sent, mut bytes, mut workers) = (0, 0, 0);
        let mut searched = Searched::<W> {
            end,
            states: 0,
            depth,
            expanded: 0,
            bytes: 0,
            found: Found::new(),
            unresolved: Vec::new(),
            way_outs: false,
            levels,
        };
        for summary in summaries {
            searched.states += summary.states;
            searched.expanded += summary.expanded;
            searched.found.transitions += summary.transitions;
            searched.found.followed += summary.followed;
            searched.found.blocked_states += summary.blocked_states;
            for (property, level, state) in summary.first {
                let slot = &mut searched.found.first[usize::from(property)];
                *slot = [*slot, Some((level, state))].into_iter().flatten().min();
            }
            let exhausted = summary.exhausted.map(|(state, kind)| (state, Kind(kind)));
            let slot = &mut searched.found.exhausted;
            *slot = [*slot, exhausted].into_iter().flatten().min();
            let unresolved = summary.unresolved.into_iter();
            searched.unresolved.extend(unresolved.map(|(state, level, mask)| Unresolved {
                state,
                level,
                mask,
            }));
            searched.way_outs |= summary.way_outs;
            counted.add_encoded(&summary.counted).expect("the processes are of one version");
            (sent, bytes, workers) = (sent + summary.sent, summary.bytes.max(bytes), workers + 1);
        }
        searched.bytes = bytes * workers;
        // Whatever went wrong, a part of the states is not all of them.
        assert!(end != End::Complete || searched.states == searched.expanded, "all were expanded");
        if let (End::PoolExhausted(_), Some((_, kind))) = (end, searched.found.exhausted) {
            searched.end = End::PoolExhausted(kind);
        }
        let outcome = outcome(searched, &mut |levels, ends| paths(&mut comms, levels, Some(ends)));
        comms.finish();
        Some((outcome, Own::Distributed { because, sent }))
    }
}

/// Where one worker's successors go.
struct Successors<'w, const W: usize> {
    me: usize,
    peers: usize,
    level: u32,
    spare: Spare,
    lately: &'w mut Recent<W>,
    own: &'w mut Vec<Packed<W>>,
    away: &'w mut Vec<Packed<W>>,
    unresolved: &'w mut Vec<Unresolved<W>>,
}

impl<const W: usize> Visit<W> for Successors<'_, W> {
    fn visit(&mut self, _: &Packed<W>, after: Packed<W>, in_sleep_set: u16) {
        if self.peers == 1 || owner(&after, self.peers) == self.me {
            self.own.push(self.spare.join(after, in_sleep_set));
        } else if self.lately.is_new(&after, after.hash()) {
            self.away.push(self.spare.join(after, in_sleep_set));
        }
    }

    fn left(&mut self, state: Packed<W>, mask: u16) {
        self.unresolved.push(Unresolved { state, level: self.level, mask });
    }
}

/// The paths to `ends`, which the first worker gives, each state the least predecessor of the next,
/// whoever owns it.
fn paths<const W: usize>(
    comms: &mut Comms<W>,
    levels: &Levels<'_, W>,
    ends: Option<&[(Packed<W>, u32)]>,
) -> Vec<Vec<Packed<W>>> {
    let ends: Vec<(Packed<W>, u32)> = comms.first_to_all(ends.map(<[_]>::to_vec));
    levels.paths_by(&ends, &mut |level, wanted| {
        let all: Vec<Vec<Option<Packed<W>>>> =
            comms.all_to_all(&levels.least_predecessors(level, wanted));
        let least = |i: usize| all.iter().filter_map(|theirs| theirs[i]).min();
        (0..wanted.len()).map(least).collect()
    })
}
