//! Drawn interleavings, under shuttle: uniformly at random, or by PCT (Burckhardt, Kothari,
//! Musuvathi and Nagarakatti, 'A Randomized Scheduler with Probabilistic Guarantees of Finding
//! Bugs', ASPLOS 2010). What is drawn can be kept and run again.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use shuttle::rand::RngCore;
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Schedule as ShuttleSchedule,
    Scheduler as ShuttleScheduler, Task, TaskId,
};

use crate::{At, Runtime};

/// One execution under shuttle.
#[derive(Clone, Copy, Debug)]
pub struct Shuttle {
    _only_here: (),
}

impl Runtime for Shuttle {
    type RawMutex<T: Send + 'static> = shuttle::sync::Mutex<T>;
    type Guard<'a, T: Send + 'static> = shuttle::sync::MutexGuard<'a, T>;
    type Condvar = shuttle::sync::Condvar;
    type Atomic = shuttle::sync::atomic::AtomicUsize;
    type JoinHandle<T: Send + 'static> = shuttle::thread::JoinHandle<T>;

    const SPAWNS: Option<usize> = None;

    fn spawn<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Self::JoinHandle<T> {
        shuttle::thread::spawn(run)
    }

    fn join<T: Send + 'static>(&self, thread: Self::JoinHandle<T>) -> T {
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn yield_now(&self) {
        shuttle::thread::yield_now();
    }

    fn choose(&self, _: At, n: usize) -> usize {
        (shuttle::rand::thread_rng().next_u64() % n as u64) as usize
    }

    fn raw_mutex<T: Send + 'static>(value: T) -> Self::RawMutex<T> {
        shuttle::sync::Mutex::new(value)
    }

    fn raw_lock<T: Send + 'static>(mutex: &Self::RawMutex<T>) -> Self::Guard<'_, T> {
        mutex.lock().expect("a panic ends the execution")
    }

    fn condvar() -> Self::Condvar {
        shuttle::sync::Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
    ) -> Self::Guard<'a, T> {
        condvar.wait(guard).expect("a panic ends the execution")
    }

    fn notify(condvar: &Self::Condvar) {
        condvar.notify_all();
    }

    fn atomic(value: usize) -> Self::Atomic {
        shuttle::sync::atomic::AtomicUsize::new(value)
    }

    fn load(atomic: &Self::Atomic, ordering: Ordering) -> usize {
        atomic.load(ordering)
    }

    fn store(atomic: &Self::Atomic, value: usize, ordering: Ordering) {
        atomic.store(value, ordering);
    }
}

/// How interleavings are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// Each runnable task is as likely as the others, at each step.
    Random,
    /// By priorities, with so many minus one points at which one is lowered.
    Pct {
        /// PCT's depth, at least 1.
        depth: usize,
    },
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Pct { depth } => write!(f, "PCT, depth {depth}"),
        }
    }
}

/// One interleaving, with the seed of its choices: enough to run it again, as long as the code is
/// the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    seed: u64,
    /// Which task ran next; `None`: a choice was drawn.
    steps: Vec<Option<usize>>,
}

/// First word of a saved schedule, and its version.
const HEADER: &str = "kmodcheck-schedule 1";

impl fmt::Display for Schedule {
    /// A header, the seed, and the steps: `T` or `TxN` for task T once or N times in a row, `?` for a
    /// choice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nseed {}", self.seed)?;
        let mut at = 0;
        while at < self.steps.len() {
            let step = self.steps[at];
            let run = self.steps[at..].iter().take_while(|next| **next == step).count();
            match step {
                None => write!(f, "?")?,
                Some(task) => write!(f, "{task}")?,
            }
            if run > 1 {
                write!(f, "x{run}")?;
            }
            at += run;
            f.write_str(if at < self.steps.len() { " " } else { "\n" })?;
        }
        Ok(())
    }
}

/// A text that is no saved schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: found '{found}', expected {expected}")]
pub struct BadSchedule {
    /// The line, counted from 1.
    pub line: usize,
    /// What is there.
    pub found: String,
    /// What should be.
    pub expected: &'static str,
}

/// Steps of a saved schedule, at most.
const MAX_STEPS: usize = 10_000_000;

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let mut lines = text.lines().chain(std::iter::repeat(""));
        let bad = |line, found: &str, expected| BadSchedule { line, found: found.into(), expected };
        let header = lines.next().unwrap_or_default();
        if header != HEADER {
            return Err(bad(1, header, "'kmodcheck-schedule 1'"));
        }
        let line = lines.next().unwrap_or_default();
        let seed = line.strip_prefix("seed ").and_then(|seed| seed.parse().ok());
        let seed = seed.ok_or_else(|| bad(2, line, "'seed' and a number"))?;
        let mut steps = Vec::new();
        for word in lines.next().unwrap_or_default().split_whitespace() {
            let wrong = || bad(3, word, "a task's number or '?', and 'xN' for N times in a row");
            let (step, run) = word.split_once('x').unwrap_or((word, "1"));
            let run: usize = run.parse().map_err(|_| wrong())?;
            let step = match step {
                "?" => None,
                task => Some(task.parse().map_err(|_| wrong())?),
            };
            if run > MAX_STEPS - steps.len() {
                return Err(bad(3, word, "at most 10000000 steps"));
            }
            steps.resize(steps.len() + run, step);
        }
        Ok(Self { seed, steps })
    }
}

/// What was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Executions, the one that ended it included.
    pub executions: u64,
    /// The schedule of the execution that ended it, if one did.
    pub ended_by: Option<Schedule>,
}

/// Passes every decision of a scheduler on, and keeps those of the current execution.
struct Recorder<S> {
    inner: S,
    current: Arc<Mutex<Schedule>>,
    stop: Arc<AtomicBool>,
}

impl<S: ShuttleScheduler> ShuttleScheduler for Recorder<S> {
    fn new_execution(&mut self) -> Option<ShuttleSchedule> {
        if self.stop.load(Ordering::Relaxed) {
            // To its end: a scheduler that is dropped before thinks that something failed.
            while self.inner.new_execution().is_some() {}
            return None;
        }
        let begun = self.inner.new_execution()?;
        *self.current.lock().expect("no panic in here") =
            Schedule { seed: begun.seed, steps: Vec::new() };
        Some(begun)
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let next = self.inner.next_task(runnable, current, is_yielding)?;
        let step = Some(usize::from(next));
        self.current.lock().expect("no panic in here").steps.push(step);
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        self.current.lock().expect("no panic in here").steps.push(None);
        self.inner.next_u64()
    }
}

/// Room for a task's stack.
const STACK: usize = 0x4_0000;

fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    config.stack_size = STACK;
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.silence_warnings = true;
    config
}

/// Draws up to `executions` interleavings of `run` from `seed`; ends with the first whose run says
/// `true`, and gives its schedule.
pub fn draw(
    scheduler: Scheduler,
    seed: u64,
    executions: usize,
    run: impl Fn(&Shuttle) -> bool + Send + Sync + 'static,
) -> Drawn {
    match scheduler {
        Scheduler::Random => drive(RandomScheduler::new_from_seed(seed, executions), run),
        Scheduler::Pct { depth } => {
            drive(PctScheduler::new_from_seed(seed, depth, executions), run)
        }
    }
}

fn drive<S: ShuttleScheduler + 'static>(
    inner: S,
    run: impl Fn(&Shuttle) -> bool + Send + Sync + 'static,
) -> Drawn {
    let current = Arc::new(Mutex::new(Schedule { seed: 0, steps: Vec::new() }));
    let stop = Arc::new(AtomicBool::new(false));
    let recorder = Recorder { inner, current: Arc::clone(&current), stop: Arc::clone(&stop) };
    let stopping = Arc::clone(&stop);
    let executions = shuttle::Runner::new(recorder, config()).run(move || {
        if run(&Shuttle { _only_here: () }) {
            stopping.store(true, Ordering::Relaxed);
        }
    });
    let ended = stop.load(Ordering::Relaxed);
    let schedule = current.lock().expect("no panic in here").clone();
    Drawn { executions: executions as u64, ended_by: ended.then_some(schedule) }
}

/// Runs `run` once, by `schedule`, and gives what it says.
///
/// # Panics
/// If the schedule is not one of this code: it names a task that cannot run, or ends early.
pub fn replay(schedule: &Schedule, run: impl Fn(&Shuttle) -> bool + Send + Sync + 'static) -> bool {
    let mut steps = ShuttleSchedule::new(schedule.seed);
    for step in &schedule.steps {
        match step {
            Some(task) => steps.push_task(TaskId::from(*task)),
            None => steps.push_random(),
        }
    }
    drive(ReplayScheduler::new_from_schedule(steps), run).ended_by.is_some()
}
