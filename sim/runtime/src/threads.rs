//! Real threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::{At, Runtime};

/// Real threads. Choices are drawn from `seed`, so that they do not depend on time.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// What choices are drawn from.
    pub seed: u64,
}

impl Runtime for Threads {
    type RawMutex<T: Send + 'static> = Mutex<T>;
    type Guard<'a, T: Send + 'static> = MutexGuard<'a, T>;
    type Condvar = Condvar;
    type Atomic = AtomicUsize;
    type JoinHandle<T: Send + 'static> = std::thread::JoinHandle<T>;

    const SPAWNS: Option<usize> = None;

    fn spawn<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Self::JoinHandle<T> {
        std::thread::spawn(run)
    }

    fn join<T: Send + 'static>(&self, thread: Self::JoinHandle<T>) -> T {
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn choose(&self, at: At, n: usize) -> usize {
        // splitmix64's finaliser: every choice of every task gets a number of its own.
        let mut z = self.seed ^ ((at.task as u64) << 32 | at.nth as u64);
        for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
            z = (z ^ z >> 30).wrapping_mul(factor);
        }
        ((z ^ z >> 31) % n as u64) as usize
    }

    fn raw_mutex<T: Send + 'static>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn raw_lock<T: Send + 'static>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        // A panic elsewhere is passed on by `join`.
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condvar() -> Condvar {
        Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        condvar: &Condvar,
        guard: Self::Guard<'a, T>,
    ) -> Self::Guard<'a, T> {
        condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(condvar: &Condvar) {
        condvar.notify_all();
    }

    fn atomic(value: usize) -> AtomicUsize {
        AtomicUsize::new(value)
    }

    fn load(atomic: &AtomicUsize, ordering: Ordering) -> usize {
        atomic.load(ordering)
    }

    fn store(atomic: &AtomicUsize, value: usize, ordering: Ordering) {
        atomic.store(value, ordering);
    }
}
