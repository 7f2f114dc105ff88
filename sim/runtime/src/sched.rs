//! Who is awake, and the wait queues: the kernel's `prepare_to_wait()`, `schedule()`, `wake_up()`.
//!
//! A sleeper queues itself first ([`Sched::prepare_to_wait`]), tests its condition next, and goes to
//! sleep last ([`Sched::schedule`]); a wake-up in between is not lost, because it takes the sleeper
//! off the queue and `schedule` then returns at once (include/linux/wait.h, `___wait_event()`;
//! kernel/sched/wait.c, `autoremove_wake_function()`).
//!
//! Everybody who goes to sleep or ends looks whether anybody is left awake, so that 'everybody is
//! asleep' is a fact that some task can state. Who is awake is counted behind a plain lock that loom
//! and shuttle do not see: whether the last one awake ends before or after the last sleeper falls
//! asleep, one of the two notices, and nobody can tell which. A lock that loom sees would have it
//! explore both, at the end of every execution.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as PlainMutex, MutexGuard};

use crate::{Mutex, Runtime};

/// A task, by number: those a run begins with first, then those it adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub usize);

/// A wait queue, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue(pub usize);

/// Every task that has not ended is asleep: the run is over, and this is how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("everybody is asleep")]
pub struct Stuck;

/// Whether [`Sched::schedule`] slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slept {
    /// It did.
    Yes,
    /// A wake-up had come since the task queued itself.
    No,
}

struct RunQueue<R: Runtime> {
    /// By task: what it sleeps on.
    wakeups: Vec<Arc<R::Condvar>>,
    queues: BTreeMap<Queue, Vec<TaskId>>,
    asleep: BTreeSet<TaskId>,
    stuck: bool,
}

impl<R: Runtime> RunQueue<R> {
    fn queued(&self, queue: Queue, task: TaskId) -> bool {
        self.queues.get(&queue).is_some_and(|waiters| waiters.contains(&task))
    }

    fn declare_stuck(&mut self) {
        self.stuck = true;
        for task in &self.asleep {
            R::notify(&self.wakeups[task.0]);
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    tasks: usize,
    asleep: usize,
    ended: usize,
}

impl Counts {
    fn nobody_is_awake(&self) -> bool {
        self.asleep > 0 && self.asleep + self.ended == self.tasks
    }
}

/// The wait queues of one run, and who is awake in it.
pub struct Sched<R: Runtime> {
    runqueue: Mutex<R, RunQueue<R>>,
    counts: PlainMutex<Counts>,
}

impl<R: Runtime> std::fmt::Debug for Sched<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sched").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl<R: Runtime> Sched<R> {
    /// A run that begins with `tasks` tasks, all awake.
    pub fn new(tasks: usize) -> Self {
        let runqueue = RunQueue {
            wakeups: (0..tasks).map(|_| Arc::new(R::condvar())).collect(),
            queues: BTreeMap::new(),
            asleep: BTreeSet::new(),
            stuck: false,
        };
        let counts = Counts { tasks, asleep: 0, ended: 0 };
        Self { runqueue: Mutex::new(runqueue), counts: PlainMutex::new(counts) }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no panic in here")
    }

    /// One more task, awake.
    pub fn add_task(&self) -> TaskId {
        let mut runqueue = self.runqueue.lock();
        self.counts().tasks += 1;
        runqueue.wakeups.push(Arc::new(R::condvar()));
        TaskId(runqueue.wakeups.len() - 1)
    }

    /// A task has ended.
    pub fn exit(&self) {
        let stuck = {
            let mut counts = self.counts();
            counts.ended += 1;
            counts.nobody_is_awake()
        };
        if stuck {
            self.runqueue.lock().declare_stuck();
        }
    }

    /// `prepare_to_wait()`: from here on a wake-up of `queue` is meant for `task`, too.
    pub fn prepare_to_wait(&self, queue: Queue, task: TaskId) {
        let mut runqueue = self.runqueue.lock();
        let waiters = runqueue.queues.entry(queue).or_default();
        if !waiters.contains(&task) {
            waiters.push(task);
        }
    }

    /// `schedule()`, by a task that has queued itself on `queue`: sleeps until woken, unless that has
    /// happened already.
    ///
    /// # Errors
    /// [`Stuck`], to every sleeper, once nobody is awake.
    pub fn schedule(&self, queue: Queue, task: TaskId) -> Result<Slept, Stuck> {
        let mut runqueue = self.runqueue.lock();
        if !runqueue.queued(queue, task) {
            return Ok(Slept::No);
        }
        // What it waited for elsewhere has come, so it has left there ([`Sched::finish_wait`]).
        for (_, waiters) in runqueue.queues.iter_mut().filter(|(other, _)| **other != queue) {
            waiters.retain(|waiter| *waiter != task);
        }
        runqueue.asleep.insert(task);
        let stuck = {
            let mut counts = self.counts();
            counts.asleep += 1;
            counts.nobody_is_awake()
        };
        if stuck {
            runqueue.declare_stuck();
        }
        let wakeup = Arc::clone(&runqueue.wakeups[task.0]);
        while runqueue.asleep.contains(&task) && !runqueue.stuck {
            runqueue = R::wait(&wakeup, runqueue);
        }
        if runqueue.stuck { Err(Stuck) } else { Ok(Slept::Yes) }
    }

    /// `finish_wait()`: a task that leaves without having been woken takes itself off the queue. On
    /// a queue that only [`Sched::wake_up_all`] wakes, it may be left out: a wake-up of who is not asleep
    /// does nothing, and who goes to sleep on another queue leaves this one.
    pub fn finish_wait(&self, queue: Queue, task: TaskId) {
        let mut runqueue = self.runqueue.lock();
        runqueue.queues.entry(queue).or_default().retain(|waiter| *waiter != task);
    }

    /// Leaves `queue` for another reason than a wake-up, with something done at that moment; `false`,
    /// and nothing is done, if a wake-up came first.
    pub fn leave(&self, queue: Queue, task: TaskId, meanwhile: impl FnOnce()) -> bool {
        let mut runqueue = self.runqueue.lock();
        let waiters = runqueue.queues.entry(queue).or_default();
        let Some(place) = waiters.iter().position(|waiter| *waiter == task) else { return false };
        waiters.remove(place);
        meanwhile();
        true
    }

    fn wake(&self, runqueue: &mut RunQueue<R>, task: TaskId) {
        if runqueue.asleep.remove(&task) {
            self.counts().asleep -= 1;
            R::notify(&runqueue.wakeups[task.0]);
        }
    }

    /// `wake_up_all()`, with something done while nobody can queue or leave.
    pub fn wake_up_all(&self, queue: Queue, meanwhile: impl FnOnce()) {
        let mut runqueue = self.runqueue.lock();
        meanwhile();
        for task in runqueue.queues.remove(&queue).unwrap_or_default() {
            self.wake(&mut runqueue, task);
        }
    }

    /// `wake_up()` of exclusive waiters: the one that has waited longest. Says whether there was one.
    pub fn wake_up(&self, queue: Queue) -> bool {
        let mut runqueue = self.runqueue.lock();
        let waiters = runqueue.queues.entry(queue).or_default();
        if waiters.is_empty() {
            return false;
        }
        let task = waiters.remove(0);
        self.wake(&mut runqueue, task);
        true
    }

    /// `wait_event()`: the whole of it, for a condition that is a plain test.
    ///
    /// # Errors
    /// [`Stuck`], as [`Sched::schedule`].
    pub fn wait_event(
        &self,
        queue: Queue,
        task: TaskId,
        mut condition: impl FnMut() -> bool,
    ) -> Result<(), Stuck> {
        if condition() {
            return Ok(());
        }
        loop {
            self.prepare_to_wait(queue, task);
            if condition() {
                self.finish_wait(queue, task);
                return Ok(());
            }
            self.schedule(queue, task)?;
        }
    }
}
