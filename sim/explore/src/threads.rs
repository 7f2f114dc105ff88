//! Work that any number of threads can share.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// What `work` makes of each of `items`, which is told its number, too: in their order, whoever came to it
/// first. Nothing further is begun once `over` says so; what was not begun is `None`.
///
/// # Panics
/// As [`on_threads`].
pub fn map_on_threads<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    over: impl Fn() -> bool + Sync,
    work: impl Fn(usize, &T) -> R + Sync,
) -> Vec<Option<R>> {
    let next = AtomicUsize::new(0);
    let parts = on_threads(threads, || {
        let mut mine = Vec::new();
        while !over()
            && let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(number)
        {
            mine.push((number, work(number, item)));
        }
        mine
    });
    let mut done: Vec<Option<R>> = items.iter().map(|_| None).collect();
    for (number, result) in parts.into_iter().flatten() {
        done[number] = Some(result);
    }
    done
}
