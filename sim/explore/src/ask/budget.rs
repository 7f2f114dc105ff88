//! What a search may use: one clock and one account of memory, for every explorer.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::limits::{End, Options, Progress};

/// Bytes that the machine has to have left after all that is taken: what a search has beside, and needs to say what it
/// covered, is had without asking, so that an end of memory would be an abort. Where that is more, it is said
/// ([`Budget::keep_free`]).
const ROOM: u64 = 4 << 20;

/// Bytes that are asked for beyond what is needed, so that the machine is not asked for each few: to map memory and to
/// give it back makes all other threads of the process forget what they know of where it is.
const AHEAD: u64 = 4 << 20;

/// Bytes up to which [`ROOM`] covers what is taken.
const FEW: usize = 1 << 10;

/// Bytes held, and how many may be.
#[derive(Debug)]
pub struct Budget {
    held: AtomicU64,
    peak: AtomicU64,
    most: u64,
    /// What has to be left on the machine.
    free: AtomicU64,
    /// So many bytes, held and to be left, the machine is known to have.
    known: AtomicU64,
}

impl Budget {
    /// At most so many bytes, if it is said how many.
    pub fn new(most: Option<u64>) -> Self {
        let most = most.unwrap_or(u64::MAX);
        let (held, peak) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { held, peak, most, free: AtomicU64::new(ROOM), known: AtomicU64::new(0) }
    }

    /// For what is had in any case: as many bytes as there are, and none kept free.
    pub fn boundless() -> Self {
        Self { free: AtomicU64::new(0), ..Self::new(None) }
    }

    /// As on a machine that has no memory left.
    #[cfg(test)]
    pub fn with_no_machine() -> Self {
        Self { free: AtomicU64::new(u64::MAX), ..Self::new(None) }
    }

    /// Has `bytes` kept free on the machine, where `noted` were until now: for what is had without asking.
    pub fn keep_free(&self, noted: &mut usize, bytes: usize) {
        let known = std::mem::replace(noted, bytes);
        // The sum wraps around, if it is less.
        let change = (bytes as u64).wrapping_sub(known as u64);
        self.free.fetch_add(change, Ordering::Relaxed);
    }

    /// Whether the machine has as many bytes, and those that are kept free: asked for and given back, untouched, unless it
    /// is known. (Another thread that needs some just then may find none: where there is hardly more, that can be an abort.)
    #[must_use]
    pub fn are_there(&self, bytes: usize) -> bool {
        self.are_there_beside(self.held(), bytes)
    }

    /// The same, where so many are held without these.
    fn are_there_beside(&self, held: u64, bytes: usize) -> bool {
        let more = self.free.load(Ordering::Relaxed).saturating_add(bytes as u64);
        let all = held.saturating_add(more);
        if all <= self.known.load(Ordering::Relaxed) {
            return true;
        }
        let has = |bytes: u64| {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            Vec::<u8>::new().try_reserve_exact(bytes).is_ok()
        };
        let ahead = [AHEAD, 0].into_iter().find(|ahead| has(more.saturating_add(*ahead)));
        if let Some(ahead) = ahead {
            self.known.fetch_max(all.saturating_add(ahead), Ordering::Relaxed);
        }
        ahead.is_some()
    }

    /// Takes `bytes`, unless they are too many, or the machine does not have them.
    ///
    /// # Errors
    /// [`Full::Bytes`]; nothing was taken.
    pub fn take(&self, bytes: usize) -> Result<(), Full> {
        let held = self.held.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let before = held - bytes as u64;
        if held > self.most || bytes > FEW && !self.are_there_beside(before, bytes) {
            self.give(bytes);
            return Err(Full::Bytes);
        }
        self.peak.fetch_max(held, Ordering::Relaxed);
        Ok(())
    }

    /// Takes `bytes` that are in use already.
    pub fn note(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        self.peak.fetch_max(held, Ordering::Relaxed);
    }

    /// Gives back what was taken or noted.
    pub fn give(&self, bytes: usize) {
        let held = self.held.fetch_sub(bytes as u64, Ordering::Relaxed) - bytes as u64;
        // Who is not asked may have taken it by the time that it is needed again.
        let known = held.saturating_add(self.free.load(Ordering::Relaxed)).saturating_add(AHEAD);
        self.known.fetch_min(known, Ordering::Relaxed);
    }

    /// Notes that of what `noted` bytes were known of there are `bytes` now.
    pub fn note_again(&self, noted: &mut usize, bytes: usize) {
        // The difference: both together were never there.
        let known = std::mem::replace(noted, bytes);
        self.note(bytes.saturating_sub(known));
        self.give(known.saturating_sub(bytes));
    }

    /// Appends, and takes the memory first: for a moment the old list is there beside the new one.
    ///
    /// # Errors
    /// [`Full::Bytes`]; nothing was appended.
    pub fn push<T>(&self, list: &mut Vec<T>, value: T) -> Result<(), Full> {
        let old = list.capacity();
        if list.len() == old {
            let new = (2 * old).max(4);
            self.take(new * size_of::<T>())?;
            list.try_reserve_exact(new - old).map_err(|_| Full::Bytes)?;
            self.give(old * size_of::<T>());
        }
        list.push(value);
        Ok(())
    }

    /// Takes what a table needs to hold one more, if it has to grow for it.
    ///
    /// # Errors
    /// [`Full::Bytes`]; the table is as it was.
    pub fn room_in_map<K: Eq + Hash, V, H: BuildHasher>(
        &self,
        map: &mut HashMap<K, V, H>,
    ) -> Result<(), Full> {
        let (held, old) = (map.len(), map.capacity());
        self.room(held, old, size_of::<(K, V)>(), || map.try_reserve(1).is_ok())
    }

    /// The same of a set.
    ///
    /// # Errors
    /// [`Full::Bytes`]; the set is as it was.
    pub fn room_in_set<K: Eq + Hash, H: BuildHasher>(
        &self,
        set: &mut HashSet<K, H>,
    ) -> Result<(), Full> {
        let (held, old) = (set.len(), set.capacity());
        self.room(held, old, size_of::<K>(), || set.try_reserve(1).is_ok())
    }

    fn room(
        &self,
        held: usize,
        capacity: usize,
        entry: usize,
        grow: impl FnOnce() -> bool,
    ) -> Result<(), Full> {
        if held < capacity {
            return Ok(());
        }
        self.take(table(capacity + 1, entry))?;
        if !grow() {
            return Err(Full::Bytes);
        }
        self.give(table(capacity, entry));
        Ok(())
    }

    /// Bytes in use.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// The most that were in use at a time.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Whether more is in use than may be.
    pub fn exceeded(&self) -> bool {
        self.held() > self.most
    }
}

/// Bytes of a hash table of the standard library with room for so many entries of so many bytes: a power of
/// two of slots, of which seven eighths are used, and a byte beside each.
pub(crate) fn table(room: usize, entry: usize) -> usize {
    if room == 0 { 0 } else { (room * 8).div_ceil(7).next_power_of_two().max(4) * (entry + 1) + 16 }
}

/// Why something was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There were as many states as there may be.
    States,
    /// It would have taken too many bytes, or more than there are.
    Bytes,
}

impl From<Full> for End {
    fn from(full: Full) -> Self {
        match full {
            Full::States => Self::StatesLimit,
            Full::Bytes => Self::MemoryLimit,
        }
    }
}

/// Looked at now and then: whether to go on, and whom to show how far a search is.
pub(crate) struct Clock<'o> {
    options: &'o Options<'o>,
    started: Instant,
}

impl<'o> Clock<'o> {
    /// Begins now.
    pub fn new(options: &'o Options<'o>) -> Self {
        Self { options, started: Instant::now() }
    }

    /// Time since the search began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows how far the search is, but for time and memory, which are known here; and says whether it
    /// has to end now.
    pub fn out_of_budget(
        &self,
        budget: &Budget,
        progress: impl FnOnce() -> Progress,
    ) -> Option<End> {
        self.show(|| Progress { bytes: budget.held(), ..progress() });
        self.over().or_else(|| budget.exceeded().then_some(End::MemoryLimit))
    }

    /// Shows how far the search is.
    pub fn show(&self, progress: impl FnOnce() -> Progress) {
        if let Some(show) = self.options.progress {
            let bytes_limit = self.options.limits.bytes;
            show(Progress { bytes_limit, elapsed: self.elapsed(), ..progress() });
        }
    }

    /// Whether somebody interrupts, or the time is over.
    pub fn over(&self) -> Option<End> {
        if self.options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed)) {
            Some(End::Interrupted)
        } else {
            self.options.limits.time.is_some_and(|t| self.elapsed() >= t).then_some(End::TimeLimit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the machine was once seen to have is not asked for again, unless it was given back or more has to be left.
    #[test]
    fn what_is_known_to_be_there_is_not_asked_for() {
        let budget = Budget::new(None);
        let known = || budget.known.load(Ordering::Relaxed);
        assert!(budget.are_there(0));
        assert_eq!(known(), ROOM + AHEAD);
        budget.take(AHEAD as usize).expect("no limit");
        assert_eq!(known(), ROOM + AHEAD, "it was asked for ahead");
        budget.take(FEW + 1).expect("no limit");
        assert_eq!(known(), ROOM + 2 * AHEAD + FEW as u64 + 1);
        budget.give(AHEAD as usize);
        assert_eq!(known(), ROOM + AHEAD + FEW as u64 + 1, "as far ahead as ever");
        let mut noted = 0;
        budget.keep_free(&mut noted, usize::MAX / 2);
        assert!(!budget.are_there(0), "so much no machine has");
        assert_eq!(budget.take(FEW + 1), Err(Full::Bytes));
        budget.keep_free(&mut noted, 0);
        assert!(budget.are_there(0) && budget.take(FEW + 1).is_ok());
    }
}
