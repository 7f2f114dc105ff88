//! Threads, locks and wait queues behind one trait: std, loom, shuttle.
//!
//! Code written against [`Runtime`] runs on real threads ([`Threads`]), under loom, which explores
//! every interleaving of few threads ([`Loom`]), and under shuttle, which draws interleavings of many
//! ([`Shuttle`]): all three in one build, without a `--cfg`.
//!
//! What the code below may assume of a runtime:
//! - shared words are behind a [`Mutex`]. Raw atomics ([`Runtime::Atomic`]) are for tests about weak
//!   memory only: loom explores their weak orderings, the others do not;
//! - data is chosen with [`Runtime::choose`], a time-out fires if [`Runtime::timeout`] says so. Under
//!   loom both are scripts, enumerated outside of an exploration, each script an exploration of its
//!   own;
//! - sleeping is for [`Sched`] alone, so that it can notice that everybody is asleep and say so
//!   ([`Stuck`]): neither loom (which panics) nor threads (which hang) can report that as an outcome.

mod loom;
mod rwlock;
mod sched;
mod shuttle;
mod threads;

pub use crate::loom::{Explored, Loom, LoomOptions, explore};
pub use crate::rwlock::{ReadGuard, RwLock, WriteGuard};
pub use crate::sched::{Queue, Sched, Slept, Stuck, TaskId};
pub use crate::shuttle::{BadSchedule, Drawn, Schedule, Scheduler, Shuttle, draw, replay};
pub use crate::threads::Threads;

use std::ops::DerefMut;
use std::sync::atomic::Ordering;

/// One choice of one task: its name must not depend on what other tasks do, so it is the task and
/// how many choices that task made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// The task.
    pub task: usize,
    /// Its choices before this one.
    pub nth: usize,
}

/// What concurrent code needs. A value of it is cheap to clone and belongs to one run.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A lock, see [`Mutex`].
    type RawMutex<T: Send + 'static>: Send + Sync + 'static;
    /// Its guard.
    type Guard<'a, T: Send + 'static>: DerefMut<Target = T>;
    /// What a sleeper waits on, see [`Sched`].
    type Condvar: Send + Sync + 'static;
    /// A shared word without a lock.
    type Atomic: Send + Sync + 'static;
    /// A started thread.
    type JoinHandle<T: Send + 'static>;

    /// How many threads a run may start besides the one it begins on; `None`: as many as it likes.
    const SPAWNS: Option<usize>;

    /// Starts a thread.
    fn spawn<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Self::JoinHandle<T>;

    /// Waits for a thread's end. A panic of that thread is passed on.
    fn join<T: Send + 'static>(&self, thread: Self::JoinHandle<T>) -> T;

    /// Lets others run.
    fn yield_now(&self);

    /// One of `0..n`, `n` at least 1.
    fn choose(&self, at: At, n: usize) -> usize;

    /// Whether the time limit of the wait that begins here is met.
    fn timeout(&self, at: At) -> bool {
        self.choose(at, 2) == 1
    }

    /// A lock around `value`.
    fn raw_mutex<T: Send + 'static>(value: T) -> Self::RawMutex<T>;
    /// Takes the lock.
    fn raw_lock<T: Send + 'static>(mutex: &Self::RawMutex<T>) -> Self::Guard<'_, T>;
    /// A condition variable.
    fn condvar() -> Self::Condvar;
    /// Gives up the lock, sleeps until notified, takes the lock again.
    fn wait<'a, T: Send + 'static>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
    ) -> Self::Guard<'a, T>;
    /// Wakes whoever waits.
    fn notify(condvar: &Self::Condvar);
    /// A word.
    fn atomic(value: usize) -> Self::Atomic;
    /// Reads it.
    fn load(atomic: &Self::Atomic, ordering: Ordering) -> usize;
    /// Writes it.
    fn store(atomic: &Self::Atomic, value: usize, ordering: Ordering);
}

/// A lock of whichever runtime.
pub struct Mutex<R: Runtime, T: Send + 'static> {
    raw: R::RawMutex<T>,
}

impl<R: Runtime, T: Send + 'static> Mutex<R, T> {
    /// A lock around `value`.
    pub fn new(value: T) -> Self {
        Self { raw: R::raw_mutex(value) }
    }

    /// Takes it.
    pub fn lock(&self) -> R::Guard<'_, T> {
        R::raw_lock(&self.raw)
    }
}

impl<R: Runtime, T: Send + 'static> std::fmt::Debug for Mutex<R, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}
