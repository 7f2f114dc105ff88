//! Work that any number of threads can share.

use std::panic::resume_unwind;
use std::thread::Builder;

/// Has `work` done by this thread and by others, `threads` in all, or as many as can be had: what is shared
/// out like that must come out the same on one. What each gives, this thread's first.
///
/// # Panics
/// If `work` does, once all have ended.
pub fn on_threads<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..threads).map_while(|_| Builder::new().spawn_scoped(scope, &work).ok()).collect();
        let mut all = vec![work()];
        for other in others {
            all.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    })
}
