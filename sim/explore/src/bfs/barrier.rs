//! A barrier for threads that wait for one another again and again, most often for some microseconds.
//!
//! - Paper: J. M. Mellor-Crummey and M. L. Scott, 'Algorithms for scalable synchronization on shared-memory
//!   multiprocessors', 1991: the centralized barrier, with a number of the round for its sense.
//! - Who comes early looks for a while whether all have come, and sleeps only then: to fall asleep and to be woken takes
//!   as long as some hundred states do, and a level may have no more.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

/// How often who comes early looks: some tens of microseconds.
const LOOKS: u32 = 2_000;

/// Where a number of threads meet.
pub(super) struct Barrier {
    all: usize,
    looks: u32,
    here: AtomicUsize,
    round: AtomicUsize,
    asleep: Mutex<usize>,
    bell: Condvar,
}

impl Barrier {
    /// For so many threads.
    pub fn new(all: usize) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        // With fewer cores who looks might keep the one from running whom it waits for.
        Self::with_looks(all, if all <= cores { LOOKS } else { 0 })
    }

    fn with_looks(all: usize, looks: u32) -> Self {
        let (here, round) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { all, looks, here, round, asleep: Mutex::new(0), bell: Condvar::new() }
    }

    /// Waits until all threads have come. What any of them did before, all see after.
    pub fn wait(&self) {
        // It cannot end before this thread has come.
        let round = self.round.load(Ordering::Relaxed);
        let asleep = || self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        if self.here.fetch_add(1, Ordering::AcqRel) + 1 == self.all {
            self.here.store(0, Ordering::Relaxed);
            // Who is about to fall asleep does so before, and is woken, or sees that the round is over.
            let asleep = asleep();
            self.round.store(round.wrapping_add(1), Ordering::Release);
            if *asleep > 0 {
                self.bell.notify_all();
            }
            return;
        }
        let over = || self.round.load(Ordering::Acquire) != round;
        for _ in 0..self.looks {
            if over() {
                return;
            }
            spin_loop();
        }
        let mut asleep = asleep();
        *asleep += 1;
        while !over() {
            asleep = self.bell.wait(asleep).unwrap_or_else(PoisonError::into_inner);
        }
        *asleep -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Nobody leaves before all have come, whoever is late, whether they look or sleep, and more than there are cores.
    #[test]
    fn nobody_leaves_before_all_have_come() {
        for (all, looks) in [(1, 0), (2, LOOKS), (2, 0), (3, 5), (9, 0), (9, 50)] {
            let barrier = Barrier::with_looks(all, looks);
            let came: Vec<AtomicUsize> = (0..all).map(|_| AtomicUsize::new(0)).collect();
            std::thread::scope(|scope| {
                for thread in 0..all {
                    let (barrier, came) = (&barrier, &came);
                    scope.spawn(move || {
                        for round in 1..=300 {
                            if round % 50 == thread {
                                std::thread::sleep(Duration::from_micros(300));
                            }
                            came[thread].store(round, Ordering::Relaxed);
                            barrier.wait();
                            // Somebody may have come to the next one.
                            let of_others = came.iter().map(|c| c.load(Ordering::Relaxed));
                            assert!(of_others.into_iter().all(|c| c == round || c == round + 1));
                        }
                    });
                }
            });
        }
    }
}
