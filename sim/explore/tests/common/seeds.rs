//! Systems drawn by seed, on all processors.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::sample::Sample;

/// Calls `check` with every seed of `systems`, on as many threads as there are processors.
pub fn for_every_seed(systems: Sample, check: impl Fn(u64) + Sync) {
    let end = systems.seeds().end;
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    // A failure ends the other threads too.
                    if let Err(failure) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
                        next.store(end, Ordering::Relaxed);
                        resume_unwind(failure);
                    }
                }
            });
        }
    });
}
