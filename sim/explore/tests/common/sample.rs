//! How much a test goes through of what it could: a sample, so that `cargo test` says within a minute what
//! a change has broken, and everything where `KMODCHECK_ALL` is set, as it is in `.ci/run`, and where records are
//! rewritten. What takes longer than a CI run may is all there with `KMODCHECK_ALL=everything`.

use std::ops::Range;

use kmodcheck_explore::map_on_threads;

/// So many of so many.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    taken: u64,
    all: u64,
}

/// `few` of `all`, or all of them.
pub fn sample(few: u64, all: u64) -> Sample {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let whole = is_set("KMODCHECK_ALL") || is_set("KMODCHECK_RECORD");
    let taken = if whole { all } else { few.min(all) };
    println!("{taken} of {all}{}", if taken < all { "; KMODCHECK_ALL=1 takes all" } else { "" });
    Sample { taken, all }
}

/// As [`sample`]; `usual` with `KMODCHECK_ALL=1`, all of them with `KMODCHECK_ALL=everything`.
pub fn long_sample(few: u64, usual: u64, all: u64) -> Sample {
    let everything = std::env::var_os("KMODCHECK_ALL").is_some_and(|value| value == "everything");
    if everything { sample(few, all) } else { sample(few, usual) }
}

impl Sample {
    /// A number for each.
    pub fn seeds(self) -> Range<u64> {
        0..self.taken
    }

    /// Whether something was met often enough: more often than `in_all` times in all of them, half as often
    /// in a sample, by its size.
    pub fn met_enough(self, times: impl TryInto<u64>, in_all: u64) -> bool {
        let least = if self.is_whole() { in_all } else { in_all * self.taken / self.all / 2 };
        times.try_into().is_ok_and(|times| times > least)
    }

    /// Whether none is left out.
    pub fn is_whole(self) -> bool {
        self.taken == self.all
    }
}

/// `few` of `items`, from all over, or all of them.
pub fn some_of<T>(few: usize, items: impl IntoIterator<Item = T>) -> Vec<T> {
    long_some_of(few, usize::MAX, items)
}

/// As [`some_of`], of what takes long: `usual` with `KMODCHECK_ALL=1`.
pub fn long_some_of<T>(few: usize, usual: usize, items: impl IntoIterator<Item = T>) -> Vec<T> {
    let items: Vec<T> = items.into_iter().collect();
    let all = items.len();
    let usual = usual.min(all);
    let taken = long_sample(few as u64, usual as u64, all as u64).taken as usize;
    let is_taken = |i: usize| i * taken / all != (i + 1) * taken / all;
    items.into_iter().enumerate().filter(|(i, _)| is_taken(*i)).map(|(_, item)| item).collect()
}

/// What `work` makes of each of `items`, on all processors.
pub fn for_all<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let done = map_on_threads(threads, items, || false, |_, item| work(item));
    done.into_iter().map(|result| result.expect("nothing ends it")).collect()
}
