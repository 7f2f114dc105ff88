//! Every interleaving, under loom (its paper: Norris and Demsky, 'CDSChecker', OOPSLA 2013).
//!
//! loom re-runs the code once for each class of interleavings that differ in the order of dependent
//! operations, two operations being dependent if they are on the same lock. So what an outcome
//! depends on must be behind a lock; two independent steps whose order matters must share one.
//!
//! It explores schedules and no data. Choices come from a script, a value for each choice of each
//! task, and the scripts are enumerated here: an exploration begins with the script that chooses 0
//! everywhere, notes which choices were made in any of its executions and out of how many
//! alternatives, and goes on until every combination of them was explored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::{At, Runtime};

type Choices = BTreeMap<At, usize>;

/// One execution under loom.
#[derive(Clone, Debug)]
pub struct Loom {
    script: Arc<Choices>,
    /// The choices met, each with its number of alternatives.
    met: Arc<Mutex<Choices>>,
}

impl Runtime for Loom {
    type RawMutex<T: Send + 'static> = loom::sync::Mutex<T>;
    type Guard<'a, T: Send + 'static> = loom::sync::MutexGuard<'a, T>;
    type Condvar = loom::sync::Condvar;
    type Atomic = loom::sync::atomic::AtomicUsize;
    type JoinHandle<T: Send + 'static> = loom::thread::JoinHandle<T>;

    /// loom follows at most five threads, the first one included, and reuses none.
    const SPAWNS: Option<usize> = Some(loom::MAX_THREADS - 1);

    fn spawn<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Self::JoinHandle<T> {
        loom::thread::spawn(run)
    }

    fn join<T: Send + 'static>(&self, thread: Self::JoinHandle<T>) -> T {
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn yield_now(&self) {
        loom::thread::yield_now();
    }

    fn choose(&self, at: At, n: usize) -> usize {
        let known = self.met.lock().expect("no panic in here").insert(at, n);
        assert!(known.is_none_or(|m| m == n), "choice {at:?} is one of {known:?}, and one of {n}");
        self.script.get(&at).copied().unwrap_or(0)
    }

    fn raw_mutex<T: Send + 'static>(value: T) -> Self::RawMutex<T> {
        loom::sync::Mutex::new(value)
    }

    fn raw_lock<T: Send + 'static>(mutex: &Self::RawMutex<T>) -> Self::Guard<'_, T> {
        mutex.lock().expect("loom does not poison")
    }

    fn condvar() -> Self::Condvar {
        loom::sync::Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
    ) -> Self::Guard<'a, T> {
        condvar.wait(guard).expect("loom does not poison")
    }

    fn notify(condvar: &Self::Condvar) {
        condvar.notify_all();
    }

    fn atomic(value: usize) -> Self::Atomic {
        loom::sync::atomic::AtomicUsize::new(value)
    }

    fn load(atomic: &Self::Atomic, ordering: Ordering) -> usize {
        atomic.load(ordering)
    }

    fn store(atomic: &Self::Atomic, value: usize, ordering: Ordering) {
        atomic.store(value, ordering);
    }
}

/// How far to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoomOptions {
    /// At most so many preemptions in an execution; `None`: any number.
    pub preemption_bound: Option<usize>,
    /// At most so many executions of a script; `None`: all.
    pub max_executions: Option<u64>,
}

/// How far was looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explored {
    /// Executions.
    pub executions: u64,
    /// Scripts of choices.
    pub scripts: u64,
    /// What was asked for.
    pub options: LoomOptions,
    /// An exploration ended at its limit of executions.
    pub cut: bool,
}

impl Explored {
    /// Whether every interleaving under every script was covered: no preemption bound, and no limit
    /// met.
    pub fn exhaustive(&self) -> bool {
        self.options.preemption_bound.is_none() && !self.cut
    }
}

impl std::fmt::Display for Explored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} executions under {} scripts, ", self.executions, self.scripts)?;
        match (self.options.preemption_bound, self.cut) {
            (None, false) => f.write_str("exhaustive"),
            (None, true) => f.write_str("cut, so not exhaustive"),
            (Some(bound), false) => {
                write!(f, "at most {bound} preemptions each, so not exhaustive")
            }
            (Some(bound), true) => {
                write!(f, "at most {bound} preemptions each and cut, so not exhaustive")
            }
        }
    }
}

/// Thread switches in one execution, at most: far more than any execution here has, and loom panics
/// beyond it rather than to give up silently.
const MAX_BRANCHES: usize = 100_000;

/// Runs `run` once for every interleaving under every script, as far as `options` go. loom's
/// environment variables do not count.
pub fn explore(options: LoomOptions, run: impl Fn(&Loom) + Send + Sync + 'static) -> Explored {
    let run = Arc::new(run);
    let met: Arc<Mutex<Choices>> = Arc::default();
    let mut done: BTreeSet<Choices> = BTreeSet::new();
    let mut explored = Explored { executions: 0, scripts: 0, options, cut: false };
    loop {
        let known = met.lock().expect("no panic in here").clone();
        let Some(script) = scripts(&known).find(|script| !done.contains(script)) else {
            return explored;
        };
        let executions = Arc::new(AtomicU64::new(0));
        let mut builder = loom::model::Builder::new();
        builder.max_threads = loom::MAX_THREADS;
        builder.max_branches = MAX_BRANCHES;
        builder.preemption_bound = options.preemption_bound;
        builder.max_permutations = options.max_executions.map(|n| n as usize + 1);
        builder.max_duration = None;
        builder.checkpoint_file = None;
        builder.checkpoint_interval = 1;
        builder.location = false;
        builder.log = false;
        let (loom, count, run) = (
            Loom { script: Arc::new(script.clone()), met: Arc::clone(&met) },
            Arc::clone(&executions),
            Arc::clone(&run),
        );
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            run(&loom);
        });
        let executions = executions.load(Ordering::Relaxed);
        explored.executions += executions;
        explored.scripts += 1;
        explored.cut |= options.max_executions.is_some_and(|most| executions >= most);
        done.insert(script);
    }
}

/// Every script for these choices, each value at its place; 0 is left out, so that a script does
/// not change when a choice becomes known.
fn scripts(known: &Choices) -> impl Iterator<Item = Choices> {
    let total: usize = known.values().product();
    (0..total).map(move |mut number| {
        let mut script = Choices::new();
        for (at, n) in known {
            if !number.is_multiple_of(*n) {
                script.insert(*at, number % n);
            }
            number /= n;
        }
        script
    })
}
