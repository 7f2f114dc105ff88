//! How much a test goes through of what it could: a sample, so that `cargo test` says within a minute what
//! a change has broken; an eighth of it where `KMODCHECK_ALL` is set, as it is in `.ci/run`, which has twenty minutes; and all of
//! it with `KMODCHECK_ALL=everything`, and where records are rewritten.

use std::ops::Range;

use kmodcheck_explore::map_on_threads;

/// So many of so many.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    taken: u64,
    all: u64,
}

/// `few` of `all`; an eighth of them with `KMODCHECK_ALL=1`, and all of them with `KMODCHECK_ALL=everything`.
pub fn sample(few: u64, all: u64) -> Sample {
    taking(few, few.max(all.div_ceil(8)).min(all), all, all)
}

/// As [`sample`]; `usual` with `KMODCHECK_ALL=1`, which is what is looked for in it measured by.
pub fn long_sample(few: u64, usual: u64, all: u64) -> Sample {
    taking(few, usual, usual, all)
}

/// `few`, `usual` or `all`; the first two are parts of `whole`.
fn taking(few: u64, usual: u64, whole: u64, all: u64) -> Sample {
    let asked = std::env::var_os("KMODCHECK_ALL");
    let everything = asked.as_ref().is_some_and(|value| value == "everything");
    let (taken, whole) = match (everything, asked) {
        (true, _) => (all, all),
        _ if std::env::var_os("KMODCHECK_RECORD").is_some() => (whole, whole),
        (false, Some(_)) => (usual, whole),
        (false, None) => (few.min(whole), whole),
    };
    let more = if taken < all { "; KMODCHECK_ALL=everything takes all" } else { "" };
    println!("{taken} of {all}{more}");
    Sample { taken, all: whole }
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

/// `few` of `items`, from all over, or an eighth of them, or all, as [`sample`] says.
pub fn some_of<T>(few: usize, items: impl IntoIterator<Item = T>) -> Vec<T> {
    let items: Vec<T> = items.into_iter().collect();
    let taken = sample(few as u64, items.len() as u64);
    spread(items, taken)
}

/// As [`some_of`], of what takes long: `usual` with `KMODCHECK_ALL=1`.
pub fn long_some_of<T>(few: usize, usual: usize, items: impl IntoIterator<Item = T>) -> Vec<T> {
    let items: Vec<T> = items.into_iter().collect();
    let usual = usual.min(items.len());
    let taken = long_sample(few as u64, usual as u64, items.len() as u64);
    spread(items, taken)
}

/// So many of them, from all over.
fn spread<T>(items: Vec<T>, sample: Sample) -> Vec<T> {
    let (all, taken) = (items.len(), sample.taken as usize);
    let is_taken = |i: usize| i * taken / all != (i + 1) * taken / all;
    items.into_iter().enumerate().filter(|(i, _)| is_taken(*i)).map(|(_, item)| item).collect()
}

/// What `work` makes of each of `items`, on all processors.
pub fn for_all<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let done = map_on_threads(threads, items, || false, |_, item| work(item));
    done.into_iter().map(|result| result.expect("nothing ends it")).collect()
}
