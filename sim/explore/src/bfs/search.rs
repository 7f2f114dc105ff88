//! The levels of a breadth-first search, on any number of threads.
//!
//! - Paper: level-synchronous search with states owned by hash, U. Stern and D. L. Dill,
//!   'Parallelizing the Murphi verifier', 1997; here in one address space.
//! - A level is taken in chunks. First the workers expand blocks of the chunk, and write each
//!   successor that they have not written lately to the outbox of its block, by shard. Then they take
//!   whole shards and insert what the outboxes have for them, in the order of blocks. So no two
//!   threads ever write to one table. A worker takes blocks in their order, so what it leaves out
//!   stands in an earlier one: what is stored, and in which order, depends on the chunks and shards
//!   alone, not on the threads.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::barrier::Barrier;
use super::frame::Found;
use super::keep::{CheckpointError, Keep, Sums};
use super::levels::{BLOCK, Levels, WAYS_BACK, before, block, few, place};
use super::packed::Packed;
use super::recent::Recent;
use super::rescue::Unresolved;
use super::source::{Expand, Purpose, Sink, Source};
use super::visited::{LISTED, SHARD_BITS, SHARDS, Shard, shard_of};
use crate::ask::{Budget, Clock, End, Full, Options, Progress, Unexplorable};
use crate::system::{Fault, Kind};

/// Blocks of a chunk: what is done between two looks at clock and limits. All chunks of a level have as many, so that
/// there is work for every thread, and none waits long for the last.
const CHUNK: usize = 16;

/// States of the smallest block, unless a level has fewer.
const LEAST: usize = 1 << 10;

/// Blocks up to which one thread does it alone: to wait for others would take longer, and each would learn the same.
const ALONE: usize = 3;

/// States of each block of a level with so many.
fn block_of(count: usize) -> usize {
    let chunks = count.div_ceil(CHUNK * BLOCK).max(1);
    count.div_ceil(chunks * CHUNK).max(LEAST)
}

const EXPAND: u8 = 0;
const INSERT: u8 = 1;
const QUIT: u8 = 2;
const GATHER: u8 = 3;

/// The successors of one block.
struct Outbox<const W: usize> {
    lists: [Vec<Packed<W>>; SHARDS],
    unresolved: Vec<(Packed<W>, u16)>,
    /// Bytes that the budget knows of.
    noted: usize,
}

impl<const W: usize> Outbox<W> {
    fn new() -> Self {
        Self { lists: [const { Vec::new() }; SHARDS], unresolved: Vec::new(), noted: 0 }
    }

    fn take_note(&mut self, budget: &Budget) {
        let states: usize = self.lists.iter().map(Vec::capacity).sum();
        let bytes = states * size_of::<Packed<W>>()
            + self.unresolved.capacity() * size_of::<(Packed<W>, u16)>();
        budget.note(bytes);
        budget.give(std::mem::replace(&mut self.noted, bytes));
    }
}

/// States that a worker remembers having put into an outbox, in bytes: they stay in its caches.
const RECENT: usize = 1 << 16;

/// As many times what an expander holds have to be free: its lists may all become twice as large, one of them stands
/// twice while it does, and for the way back there may be another expander.
const EXPANDERS: usize = 4;

/// One thread's own part of a search.
struct Worker<'f, const W: usize> {
    expander: Box<dyn Expand<W> + 'f>,
    recent: Recent<W>,
    /// Bytes that the budget knows of.
    noted: usize,
    /// Bytes that it keeps free for the expander.
    free: usize,
}

impl<const W: usize> Worker<'_, W> {
    /// Has as much kept free as the expander may need before this is asked the next time, and thereafter. Returns
    /// whether that is there.
    fn keeps_free(&mut self, budget: &Budget) -> bool {
        let bytes = EXPANDERS * self.expander.bytes();
        if bytes == self.free {
            return true;
        }
        budget.keep_free(&mut self.free, bytes);
        budget.are_there(0)
    }
}

/// The chunk that is being worked on.
#[derive(Clone, Default)]
struct Job {
    /// Where the level begins and ends in each shard.
    starts: Vec<usize>,
    ends: Vec<usize>,
    level: u32,
    /// The chunk's first state in the level, of so many, and its blocks, of so many states each.
    from: usize,
    count: usize,
    blocks: usize,
    block: usize,
    /// The shards that take their successors from the outboxes next.
    shards: Range<usize>,
}

/// A search, as all its threads see it.
pub(crate) struct Search<'f, 'o, const W: usize> {
    source: &'f dyn Source<W>,
    options: &'f Options<'o>,
    shards: Vec<RwLock<Shard<W>>>,
    outboxes: Vec<RwLock<Outbox<W>>>,
    budget: Budget,
    job: RwLock<Job>,
    /// The next block or shard to be taken by a worker.
    next: AtomicUsize,
    phase: AtomicU8,
    /// For all threads, once there is more than one.
    barrier: OnceLock<Barrier>,
    /// Properties violated so far.
    violated: AtomicU64,
    transitions: AtomicU64,
    /// The least state in which a step found no dormant process to start, and the kind.
    exhausted: Mutex<Option<(Packed<W>, Kind)>>,
    /// The least promise that the system was seen to break.
    fault: Mutex<Option<Fault>>,
    out_of_bytes: AtomicBool,
    panicked: Mutex<Option<Box<dyn Any + Send>>>,
    /// What the workers have found and counted, when it is asked for.
    gathered: Mutex<(Found<W>, bool)>,
    clock: Clock<'f>,
}

/// What is left of a search.
pub(crate) struct Searched<'f, const W: usize> {
    pub end: End,
    pub states: u64,
    pub depth: u32,
    pub expanded: u64,
    pub bytes: u64,
    pub found: Found<W>,
    pub unresolved: Vec<Unresolved<W>>,
    pub way_outs: bool,
    pub levels: Levels<'f, W>,
}

/// What only the thread that leads knows.
struct Led<const W: usize> {
    /// A checkpoint could not be written.
    failed: Option<CheckpointError>,
    /// By level: where it begins in each shard; and where the last of these ends.
    starts: Vec<Vec<usize>>,
    ends: Vec<usize>,
    expanded: u64,
    /// There were time-outs or kills.
    way_outs: bool,
    unresolved: Vec<Unresolved<W>>,
    /// Bytes that the budget keeps free for outboxes and ways back.
    free: usize,
}

impl<'f, const W: usize> Search<'f, '_, W> {
    pub fn run(
        source: &'f dyn Source<W>,
        options: &'f Options<'_>,
        keep: &mut dyn Keep<W>,
    ) -> Result<Searched<'f, W>, CheckpointError> {
        let frame = source.frame();
        let threads = options.threads.max(1);
        let budget = Budget::new(options.limits.bytes);
        let mut shards: Vec<Shard<W>> =
            Shard::all(&budget, frame.spare::<W>(), frame.mix(), SHARD_BITS);
        let loaded = keep.load(&mut shards, &budget)?;
        let search = Search {
            source,
            options,
            shards: shards.into_iter().map(RwLock::new).collect(),
            outboxes: (0..CHUNK).map(|_| RwLock::new(Outbox::new())).collect(),
            budget,
            job: RwLock::default(),
            next: AtomicUsize::new(0),
            phase: AtomicU8::new(EXPAND),
            barrier: OnceLock::new(),
            violated: AtomicU64::new(source.initially()),
            transitions: AtomicU64::new(0),
            exhausted: Mutex::new(None),
            fault: Mutex::new(None),
            out_of_bytes: AtomicBool::new(false),
            panicked: Mutex::new(None),
            gathered: Mutex::new((Found::new(), false)),
            clock: Clock::new(options),
        };
        let mut led = Led {
            failed: None,
            starts: vec![vec![0; SHARDS]],
            ends: Vec::new(),
            expanded: 0,
            way_outs: false,
            unresolved: Vec::new(),
            free: 0,
        };
        let mut worker = search.worker();
        if let Some((sums, starts)) = loaded {
            search.transitions.store(sums.found.transitions, Ordering::Relaxed);
            search.violated.fetch_or(sums.found.violated(), Ordering::Relaxed);
            *worker.expander.found() = sums.found;
            led.way_outs = sums.way_outs;
            (led.expanded, led.unresolved) = (sums.expanded, sums.unresolved);
            // Given back when the list grows.
            search.budget.note(led.unresolved.capacity() * size_of::<Unresolved<W>>());
            led.starts = starts;
        } else {
            let initial = frame.packed::<W>(&frame.roster.initial());
            let shard = search.shards[shard_of(frame.mix().of_state(&initial))].write();
            let mut shard = shard.expect("no panic");
            let first = Budget::boundless();
            shard.insert(&[initial], 0, &mut 1, &first).expect("room for one");
            search.budget.note(first.held() as usize);
        }
        let (end, mut workers) = std::thread::scope(|scope| {
            let mut helpers = Vec::new();
            // A panic must not leave the helpers waiting.
            let end = catch_unwind(AssertUnwindSafe(|| {
                search.lead(scope, &mut helpers, &mut worker, &mut led, keep)
            }));
            if !helpers.is_empty() {
                search.phase.store(QUIT, Ordering::Relaxed);
                search.barrier.wait().wait();
            }
            search.keep_panic(|| worker.expander.settle());
            let workers: Vec<_> = helpers
                .into_iter()
                .map(|h| h.join().expect("a panic was kept for later"))
                .collect();
            let end = end.unwrap_or_else(|panic| resume_unwind(panic));
            search.pass_on_panic();
            (end, workers)
        });
        led.way_outs |= worker.expander.way_outs();
        for other in &mut workers {
            worker.expander.found().add(other.expander.found());
            led.way_outs |= other.expander.way_outs();
        }
        if let Some(failed) = led.failed {
            return Err(failed);
        }
        let found = std::mem::replace(worker.expander.found(), Found::new());
        let mut idle: Vec<_> = workers.into_iter().map(|worker| worker.expander).collect();
        idle.push(worker.expander);
        idle.iter_mut().for_each(|expander| expander.turn_back());
        let lens = search.lens();
        let depth = led.starts.len() as u32 - u32::from(lens == led.ends);
        led.starts.push(led.ends);
        Ok(Searched {
            end,
            states: lens.iter().sum::<usize>() as u64,
            depth,
            expanded: led.expanded,
            bytes: search.budget.peak(),
            found,
            unresolved: led.unresolved,
            way_outs: led.way_outs,
            levels: Levels {
                source,
                shards: search.shards.into_iter().map(unpoisoned).collect(),
                starts: led.starts,
                threads,
                idle: Mutex::new(idle),
                together: Mutex::default(),
            },
        })
    }

    fn worker(&self) -> Worker<'f, W> {
        let expander = self.source.expander(Purpose::Search);
        Worker { expander, recent: Recent::new(RECENT), noted: 0, free: 0 }
    }

    /// States in each shard.
    fn lens(&self) -> Vec<usize> {
        self.shards.iter().map(|shard| shard.read().expect("no panic").len()).collect()
    }

    /// Takes level after level; at the end, `led.starts` has where the last level that was begun
    /// begins.
    fn lead<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        helpers: &mut Vec<ScopedJoinHandle<'scope, Worker<'f, W>>>,
        worker: &mut Worker<'f, W>,
        led: &mut Led<W>,
        keep: &mut dyn Keep<W>,
    ) -> End {
        loop {
            let starts = led.starts.last().expect("there is a first level").clone();
            let ends = self.lens();
            led.ends.clone_from(&ends);
            let level = led.starts.len() as u32 - 1;
            let count = ends.iter().zip(&starts).map(|(end, start)| end - start).sum();
            let mut job = Job {
                starts,
                ends: ends.clone(),
                level,
                count,
                block: block_of(count),
                ..Job::default()
            };
            while job.from < count {
                job.blocks = (count - job.from).div_ceil(job.block).min(CHUNK);
                if let Some(end) = self.out_of_budget(led, &job) {
                    return end;
                }
                if job.blocks > ALONE && self.barrier.get().is_none() {
                    // As many as can be had: fewer find the same.
                    let spawn = || Builder::new().spawn_scoped(scope, || self.help());
                    helpers.extend((1..self.options.threads).map_while(|_| spawn().ok()));
                    self.barrier.get_or_init(|| Barrier::new(1 + helpers.len()));
                }
                let together = job.blocks > ALONE && !helpers.is_empty();
                *self.job.write().expect("no panic") = job.clone();
                self.keep_free(led, &job);
                self.in_phase(EXPAND, together, worker);
                if let Some(fault) = *self.fault.lock().expect("no panic") {
                    led.failed = Some(CheckpointError::Unexplorable(Unexplorable::Fault(fault)));
                    return End::Interrupted;
                }
                if let Some((_, kind)) = *self.exhausted.lock().expect("no panic") {
                    return End::PoolExhausted(kind);
                }
                if self.out_of_bytes.load(Ordering::Relaxed) {
                    return End::MemoryLimit;
                }
                if let Err(end) = self.insert(&job, together, worker) {
                    return end;
                }
                let to = count.min(job.from + job.blocks * job.block);
                let done = |to| before(&job.starts, &job.ends, to) as u64;
                led.expanded += done(to) - done(job.from);
                job.from = to;
                if self.collect(led, &job).is_err() {
                    return End::MemoryLimit;
                }
                self.forget(led, &job, keep.first_to_save());
            }
            let more = self.lens() != ends;
            if !more {
                return End::Complete;
            }
            led.starts.push(ends);
            self.budget.note(SHARDS * size_of::<usize>());
            let wanted = self.options.stop_when_violated;
            if wanted != 0 && self.violated.load(Ordering::Relaxed) & wanted == wanted {
                led.ends = self.lens();
                return End::Violated;
            }
            if keep.is_due()
                && let Err(failed) = self.keep(led, !helpers.is_empty(), worker, keep)
            {
                led.ends = self.lens();
                led.failed = Some(failed);
                return End::Interrupted;
            }
        }
    }

    /// Writes a checkpoint: a level has just ended.
    fn keep(
        &self,
        led: &mut Led<W>,
        together: bool,
        worker: &mut Worker<'f, W>,
        keep: &mut dyn Keep<W>,
    ) -> Result<(), CheckpointError> {
        *self.gathered.lock().expect("no panic") = (Found::new(), led.way_outs);
        self.in_phase(GATHER, together, worker);
        let empty = (Found::new(), false);
        let (found, way_outs) =
            std::mem::replace(&mut *self.gathered.lock().expect("no panic"), empty);
        let shards: Vec<_> = self.shards.iter().map(|s| s.read().expect("no panic")).collect();
        let shards: Vec<&Shard<W>> = shards.iter().map(|shard| &**shard).collect();
        let sums = Sums {
            found,
            expanded: led.expanded,
            unresolved: std::mem::take(&mut led.unresolved),
            way_outs,
        };
        let saved = keep.save(&shards, &led.starts, &sums);
        led.unresolved = sums.unresolved;
        saved
    }

    /// Whether to end before `job`.
    fn out_of_budget(&self, led: &Led<W>, job: &Job) -> Option<End> {
        self.clock.out_of_budget(&self.budget, || {
            let states = self.states();
            Progress {
                states,
                transitions: self.transitions.load(Ordering::Relaxed),
                depth: job.level,
                queue: states - led.expanded,
                level: job.count as u64,
                level_left: (job.count - job.from) as u64,
                ..Progress::default()
            }
        })
    }

    fn states(&self) -> u64 {
        self.lens().iter().sum::<usize>() as u64
    }

    /// Inserts what is in the outboxes.
    fn insert(&self, job: &Job, together: bool, worker: &mut Worker<'f, W>) -> Result<(), End> {
        let limit = self.options.limits.states;
        // Without a limit nobody has to know.
        let offered = limit.map_or([0; SHARDS], |_| self.offered(job));
        let mut from = 0;
        while from < SHARDS {
            // A checkpoint may have more than this search may.
            let mut room = limit.map_or(u64::MAX, |most| most.max(1).saturating_sub(self.states()));
            // As many as fit in any case: one shard after the other it would be the same.
            let mut left = room;
            let fits = |offered: &&u64| {
                left.checked_sub(**offered).is_some_and(|less| {
                    left = less;
                    true
                })
            };
            let shards = from..from + offered[from..].iter().take_while(fits).count();
            if shards.is_empty() {
                self.insert_into(from, job, &mut room).map_err(End::from)?;
                from += 1;
                continue;
            }
            from = shards.end;
            self.job.write().expect("no panic").shards = shards;
            self.in_phase(INSERT, together, worker);
            if self.out_of_bytes.load(Ordering::Relaxed) {
                return Err(End::MemoryLimit);
            }
        }
        Ok(())
    }

    /// How many successors are in the outboxes, by shard.
    fn offered(&self, job: &Job) -> [u64; SHARDS] {
        let mut offered = [0; SHARDS];
        for outbox in &self.outboxes[..job.blocks] {
            let outbox = outbox.read().expect("no panic");
            for (offered, list) in offered.iter_mut().zip(&outbox.lists) {
                *offered += list.len() as u64;
            }
        }
        offered
    }

    fn insert_into(&self, shard: usize, job: &Job, room: &mut u64) -> Result<(), Full> {
        let mut to = self.shards[shard].write().expect("no panic");
        for outbox in &self.outboxes[..job.blocks] {
            let outbox = outbox.read().expect("no panic");
            to.insert(&outbox.lists[shard], job.level + 1, room, &self.budget)?;
        }
        Ok(())
    }

    /// Has as much of the machine's memory kept free as the outboxes of the next blocks may need, and the way back from
    /// what was found so far.
    fn keep_free(&self, led: &mut Led<W>, job: &Job) {
        let processes = self.source.frame().roster.processes();
        // A few successors of each process; lists that grow are twice as large as what is in them.
        let outbox = 2 * processes * job.count.min(job.block);
        let states = self.lens().iter().sum();
        let way_back = WAYS_BACK * few(states).min(states);
        // What it takes to find out who of them can run later: two tables, one of them by state.
        let unresolved = 5 * led.unresolved.capacity();
        let states = self.options.threads.max(1) * outbox + way_back + unresolved;
        self.budget.keep_free(&mut led.free, states * size_of::<Packed<W>>());
    }

    /// Takes note of the states whose blocked processes are still to be looked at.
    fn collect(&self, led: &mut Led<W>, job: &Job) -> Result<(), Full> {
        for outbox in &self.outboxes[..job.blocks] {
            for &(state, mask) in &outbox.read().expect("no panic").unresolved {
                let unresolved = Unresolved { state, level: job.level, mask };
                self.budget.push(&mut led.unresolved, unresolved)?;
            }
        }
        Ok(())
    }

    /// Forgets the states that have been expanded, unless there is something left to be done with them: the
    /// levels that a checkpoint still has to write, and those that cannot be found in the tables again.
    fn forget(&self, led: &Led<W>, job: &Job, first_to_save: usize) {
        let kept = led.starts.get(first_to_save.min(LISTED as usize));
        for (number, shard) in self.shards.iter().enumerate() {
            let expanded = place(job.starts[number], job.ends[number], job.from, job.count);
            let to = kept.map_or(expanded, |kept| expanded.min(kept[number]));
            shard.write().expect("no panic").forget(to, &self.budget);
        }
    }

    /// Has a phase done, by all threads or by this one.
    fn in_phase(&self, phase: u8, together: bool, worker: &mut Worker<'f, W>) {
        self.phase.store(phase, Ordering::Relaxed);
        self.next.store(0, Ordering::Relaxed);
        if !together {
            self.work(worker);
            return;
        }
        let barrier = self.barrier.wait();
        barrier.wait();
        self.keep_panic(|| self.work(worker));
        barrier.wait();
        self.pass_on_panic();
    }

    /// What a helper thread does.
    fn help(&self) -> Worker<'f, W> {
        let mut worker = self.worker();
        let barrier = self.barrier.wait();
        loop {
            barrier.wait();
            if self.phase.load(Ordering::Relaxed) == QUIT {
                self.keep_panic(|| worker.expander.settle());
                return worker;
            }
            self.keep_panic(|| self.work(&mut worker));
            barrier.wait();
        }
    }

    /// A panic is for the leading thread to pass on, once nobody waits for this one.
    fn keep_panic(&self, work: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            self.panicked.lock().expect("not held in a panic").get_or_insert(panic);
        }
    }

    fn pass_on_panic(&self) {
        if let Some(panic) = self.panicked.lock().expect("not held in a panic").take() {
            resume_unwind(panic);
        }
    }

    fn work(&self, worker: &mut Worker<'f, W>) {
        // In a phase that panics elsewhere there is nothing left to do here.
        let Ok(job) = self.job.read() else { return };
        let phase = self.phase.load(Ordering::Relaxed);
        if phase == EXPAND {
            self.expand(worker, &job);
        } else if phase == GATHER {
            worker.expander.settle();
            let mut gathered = self.gathered.lock().expect("no panic");
            gathered.0.add(worker.expander.found());
            gathered.1 |= worker.expander.way_outs();
        } else {
            while let shard = job.shards.start + self.next.fetch_add(1, Ordering::Relaxed)
                && shard < job.shards.end
            {
                if self.insert_into(shard, &job, &mut { u64::MAX }).is_err() {
                    self.out_of_bytes.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn expand(&self, worker: &mut Worker<'f, W>, job: &Job) {
        let shards: Vec<_> = self.shards.iter().map(|s| s.read().expect("no panic")).collect();
        let shards: Vec<&Shard<W>> = shards.iter().map(|shard| &**shard).collect();
        let (mix, spare) = (self.source.frame().mix(), self.source.frame().spare::<W>());
        worker.expander.found().enter(job.level);
        let before = worker.expander.found().transitions;
        'blocks: while let number = self.next.fetch_add(1, Ordering::Relaxed)
            && number < job.blocks
        {
            let mut outbox = self.outboxes[number].write().expect("no panic");
            let Outbox { lists, unresolved, .. } = &mut *outbox;
            lists.iter_mut().for_each(Vec::clear);
            unresolved.clear();
            let from = job.from + number * job.block;
            for stored in block(&shards, &job.starts, &job.ends, from, job.block) {
                if !worker.keeps_free(&self.budget) {
                    self.out_of_bytes.store(true, Ordering::Relaxed);
                    break 'blocks;
                }
                let recent = &mut worker.recent;
                let mut sink = Sink::Outbox { mix, spare, recent, lists, unresolved };
                worker.expander.expand(stored, &mut sink);
            }
            outbox.take_note(&self.budget);
            if !self.budget.are_there(0) {
                self.out_of_bytes.store(true, Ordering::Relaxed);
                break;
            }
        }
        let found = worker.expander.found();
        self.transitions.fetch_add(found.transitions - before, Ordering::Relaxed);
        self.violated.fetch_or(found.violated(), Ordering::Relaxed);
        if found.exhausted.is_some() {
            let mut all = self.exhausted.lock().expect("no panic");
            *all = [*all, found.exhausted].into_iter().flatten().min();
        }
        if let Some(fault) = worker.expander.fault() {
            let mut all = self.fault.lock().expect("no panic");
            *all = [*all, Some(fault)].into_iter().flatten().min();
        }
        let bytes = worker.expander.bytes() + RECENT;
        self.budget.note_again(&mut worker.noted, bytes);
    }
}

fn unpoisoned<T>(lock: RwLock<T>) -> T {
    lock.into_inner().unwrap_or_else(PoisonError::into_inner)
}
