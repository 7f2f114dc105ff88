//! Shortest traces without stored parents.
//!
//! A state of one level has its predecessors in the level before: that level is looked for in the tables,
//! which say of each state when it was found, and expanded once more; the least of them is taken, and so
//! back to the initial state. All traces that are wanted are rebuilt in one pass.
//!
//! - Costs: a few bits of each state's slot; at most the expansion of all levels above the deepest end of a
//!   trace, without storing anything, and for each large one, or a few small ones
//!   together, one look at the tables from end to end. Only those successors are put together whose shared state is that of
//!   a wanted one, or seems to be.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::packed::Packed;
use super::source::{Expand, Purpose, Sink, Source, Visit, shared_bit};
use super::visited::{LISTED, Shard};
use crate::threads::on_threads;

/// States that one worker takes at a time.
pub(crate) const BLOCK: usize = 1 << 13;

/// How many of so many states may be looked up together, if there are as many.
pub(crate) fn few(all: usize) -> usize {
    (all / 256).max(1 << 16)
}

/// As many times what may be looked up together is in memory meanwhile: by each thread, in lists that grow, and then in
/// one that grows, too.
pub(crate) const WAYS_BACK: usize = 5;

/// The stored states, by level. Those of a level less than [`LISTED`] are in the tables alone; of the others the
/// shards have lists, too.
pub(crate) struct Levels<'f, const W: usize> {
    pub source: &'f dyn Source<W>,
    pub shards: Vec<Shard<W>>,
    /// By level: where it begins in each shard; and one more, where the last one ends.
    pub starts: Vec<Vec<usize>>,
    pub threads: usize,
    /// What expands, while nobody uses it: what it has learned, on the way there or of one level, is of use on the next.
    pub idle: Mutex<Vec<Box<dyn Expand<W> + 'f>>>,
    /// What was taken from the tables last.
    pub together: Mutex<Together<W>>,
}

/// Gives, for a level and states of the next one, in order, the least predecessor of each.
type LeastOf<'l, const W: usize> = dyn FnMut(usize, &[Packed<W>]) -> Vec<Option<Packed<W>>> + 'l;

impl<const W: usize> Levels<'_, W> {
    /// For each of `ends`, a state and its level: the states from the initial one to it, each the
    /// least predecessor of the next.
    pub fn paths(&self, ends: &[(Packed<W>, u32)]) -> Vec<Vec<Packed<W>>> {
        self.paths_by(ends, &mut |level, wanted| self.least_predecessors(level, wanted))
    }

    /// The same, if others have states too: `least` gives the least predecessors that anybody has.
    pub fn paths_by(
        &self,
        ends: &[(Packed<W>, u32)],
        least: &mut LeastOf<'_, W>,
    ) -> Vec<Vec<Packed<W>>> {
        let mut paths: Vec<Vec<_>> = ends.iter().map(|(end, _)| vec![*end]).collect();
        let deepest = ends.iter().map(|(_, level)| *level).max().unwrap_or(0);
        for level in (1..=deepest).rev() {
            // Paths that end deeper have come up to this level.
            let here = |i: &usize| ends[*i].1 >= level;
            let mut wanted: Vec<_> =
                (0..ends.len()).filter(here).map(|i| paths[i][paths[i].len() - 1]).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let least = least(level as usize - 1, &wanted);
            for i in (0..ends.len()).filter(here) {
                let path = &mut paths[i];
                let at = wanted.binary_search(&path[path.len() - 1]).expect("it is wanted");
                path.push(least[at].expect("a stored state has a predecessor in the level before"));
            }
        }
        paths.iter_mut().for_each(|path| path.reverse());
        paths
    }

    /// For states in order, the least of this store's states of a level from which each is reached.
    pub fn least_predecessors(&self, level: usize, wanted: &[Packed<W>]) -> Vec<Option<Packed<W>>> {
        let states = self.states(level);
        let mut together = self.together.lock().expect("no worker panicked");
        let listed = level >= LISTED as usize;
        if !listed && !together.has(level) && states <= self.few() {
            *together = self.look_up_together(level);
        }
        let next = AtomicUsize::new(0);
        let least = Mutex::new(vec![None; wanted.len()]);
        let mut few = [0_u64; 4];
        for state in wanted {
            let hash = state.hash();
            few[(hash >> 56 & 3) as usize] |= 1 << (hash >> 58);
        }
        let layout = &self.source.frame().layout;
        let sought = wanted.iter().map(|state| shared_bit(layout.shared(state)));
        let sought = sought.fold(0, |all, bit| all | bit);
        let shards: Vec<&Shard<W>> = self.shards.iter().collect();
        let parts = self.parts();
        let work = || {
            let idle = self.idle.lock().expect("no worker panicked").pop();
            // Along all transitions, so that it is the least one whatever slept.
            let mut expander = idle.unwrap_or_else(|| self.source.expander(Purpose::WayBack));
            let mut mine = Least { few, sought, wanted, found: vec![None; wanted.len()] };
            let mut there = Vec::new();
            loop {
                let taken = next.fetch_add(1, Ordering::Relaxed);
                if !listed && !together.has(level) {
                    let Some((shard, part)) = parts.get(taken) else { break };
                    there.clear();
                    let only = level as u32..level as u32 + 1;
                    shards[*shard].of_levels(only, *part, |_, state| there.push(state));
                    expander.expand(&there, &mut Sink::Told(&mut mine));
                    continue;
                }
                let from = taken * BLOCK;
                if from >= states {
                    break;
                }
                let mut expand = |stored: &[_]| expander.expand(stored, &mut Sink::Told(&mut mine));
                if listed {
                    let (starts, ends) = (&self.starts[level], &self.starts[level + 1]);
                    block(&shards, starts, ends, from, BLOCK).for_each(expand);
                } else {
                    let all = &together.levels[level - together.first];
                    expand(&all[from..(from + BLOCK).min(all.len())]);
                }
            }
            self.idle.lock().expect("no worker panicked").push(expander);
            let mine = mine.found;
            let mut least = least.lock().expect("no worker panicked");
            for (all, mine) in least.iter_mut().zip(mine) {
                *all = [*all, mine].into_iter().flatten().min();
            }
        };
        on_threads(if states <= 4 * BLOCK { 1 } else { self.threads }, work);
        least.into_inner().expect("no worker panicked")
    }

    /// How many states a level has.
    fn states(&self, level: usize) -> usize {
        let (starts, ends) = (&self.starts[level], &self.starts[level + 1]);
        starts.iter().zip(ends).map(|(start, end)| end - start).sum()
    }

    /// States that may be looked up together.
    fn few(&self) -> usize {
        few(self.shards.iter().map(Shard::len).sum())
    }

    /// The parts of all tables.
    fn parts(&self) -> Vec<(usize, usize)> {
        let shards = self.shards.iter().enumerate();
        shards.flat_map(|(i, shard)| (0..shard.parts()).map(move |part| (i, part))).collect()
    }

    /// The states of a level, and of as many before it as are few together.
    fn look_up_together(&self, level: usize) -> Together<W> {
        let (mut first, mut left) = (level, self.few());
        loop {
            left -= self.states(first);
            if first == 0 || self.states(first - 1) > left {
                break;
            }
            first -= 1;
        }
        let levels = first as u32..level as u32 + 1;
        let all = Mutex::new(vec![Vec::new(); levels.len()]);
        let (next, parts) = (AtomicUsize::new(0), self.parts());
        let work = || {
            let mut mine = vec![Vec::new(); levels.len()];
            while let Some((shard, part)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.shards[*shard].of_levels(levels.clone(), *part, |level, state| {
                    mine[level as usize - first].push(state);
                });
            }
            let mut all = all.lock().expect("no worker panicked");
            all.iter_mut().zip(mine).for_each(|(all, mine)| all.extend(mine));
        };
        on_threads(if parts.len() <= 4 * self.shards.len() { 1 } else { self.threads }, work);
        let levels: Vec<Vec<_>> = all.into_inner().expect("no worker panicked");
        let found = levels.iter().map(Vec::len);
        assert!(found.eq((first..=level).map(|level| self.states(level))), "the tables lost some");
        Together { first, levels }
    }
}

/// The states of some levels that follow one another, taken from the tables at once.
pub(crate) struct Together<const W: usize> {
    first: usize,
    levels: Vec<Vec<Packed<W>>>,
}

impl<const W: usize> Default for Together<W> {
    fn default() -> Self {
        Self { first: 0, levels: Vec::new() }
    }
}

impl<const W: usize> Together<W> {
    fn has(&self, level: usize) -> bool {
        (self.first..self.first + self.levels.len()).contains(&level)
    }
}

/// Of what is reached from some states: the least of these from which each wanted one is.
struct Least<'w, const W: usize> {
    /// A few bits of each one's hash: almost all others are told apart by them.
    few: [u64; 4],
    /// The bits of their shared states.
    sought: u64,
    /// In order.
    wanted: &'w [Packed<W>],
    found: Vec<Option<Packed<W>>>,
}

impl<const W: usize> Visit<W> for Least<'_, W> {
    fn sought(&self) -> u64 {
        self.sought
    }

    fn visit(&mut self, state: &Packed<W>, after: Packed<W>, _: u16) {
        let hash = after.hash();
        if self.few[(hash >> 56 & 3) as usize] >> (hash >> 58) & 1 != 0
            && let Ok(at) = self.wanted.binary_search(&after)
        {
            let slot = &mut self.found[at];
            *slot = [*slot, Some(*state)].into_iter().flatten().min();
        }
    }
}

/// Of the states of a level, which begins and ends in each shard as said, those from the `from`th on,
/// about `count`, in pieces: of every shard the same part of what it has. So what was found together is
/// expanded together, and many of its successors were just found. Blocks that follow one another leave no
/// state out and have none twice.
pub(crate) fn block<'s, const W: usize>(
    shards: &'s [&'s Shard<W>],
    starts: &'s [usize],
    ends: &'s [usize],
    from: usize,
    count: usize,
) -> impl Iterator<Item = &'s [Packed<W>]> {
    let all: usize = starts.iter().zip(ends).map(|(start, end)| end - start).sum();
    shards.iter().zip(starts).zip(ends).flat_map(move |((shard, start), end)| {
        shard.pieces(place(*start, *end, from, all), place(*start, *end, from + count, all))
    })
}

/// Where the blocks before `to`, of `all` states of a level, end in a shard in which it begins and ends so.
pub(crate) fn place(start: usize, end: usize, to: usize, all: usize) -> usize {
    start + part(end - start, to, all)
}

/// How many states the blocks before `to` have: `to`, but for what is rounded down in each shard.
pub(crate) fn before(starts: &[usize], ends: &[usize], to: usize) -> usize {
    let all: usize = starts.iter().zip(ends).map(|(start, end)| end - start).sum();
    starts.iter().zip(ends).map(|(start, end)| part(end - start, to, all)).sum()
}

/// The same part of `here` as `to` is of `all`.
fn part(here: usize, to: usize, all: usize) -> usize {
    (here as u128 * to.min(all) as u128 / (all.max(1)) as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Budget;
    use crate::bfs::mix::Mix;
    use crate::bfs::packed::Spare;

    /// Every state of the level is in one block, and `before` counts them.
    #[test]
    fn blocks_leave_nobody_out() {
        let mut rng = fastrand::Rng::with_seed(1);
        let budget = Budget::new(None);
        for round in 0..2_000 {
            let shards: Vec<_> = (0..rng.usize(1..6))
                .map(|_| {
                    let mut all = Shard::<1>::all(&budget, Spare::NONE, Mix::new(64), 0);
                    let mut shard = all.pop().expect("one");
                    let states = (0..rng.u64(0..40)).map(|_| Packed([rng.u64(..)]));
                    let states: Vec<_> = states.collect();
                    shard.insert(&states, 0, &mut u64::MAX.clone(), &budget).expect("no limit");
                    shard
                })
                .collect();
            let shards: Vec<_> = shards.iter().collect();
            let starts: Vec<_> = shards.iter().map(|shard| rng.usize(0..=shard.len())).collect();
            let ends: Vec<_> = shards
                .iter()
                .zip(&starts)
                .map(|(shard, start)| rng.usize(*start..=shard.len()))
                .collect();
            let sizes = starts.iter().zip(&ends).map(|(start, end)| end - start);
            let all: usize = sizes.sum();
            // Also so that the last block is a whole one.
            let count = if round % 2 == 0 { rng.usize(1..50) } else { all.div_ceil(3).max(1) };
            let mut seen = Vec::new();
            for from in (0..all).step_by(count) {
                assert_eq!(seen.len(), before(&starts, &ends, from));
                let block = block(&shards, &starts, &ends, from, count);
                seen.extend(block.flatten().map(|state| state.0));
            }
            let mut level: Vec<_> = shards
                .iter()
                .zip(starts.iter().zip(&ends))
                .flat_map(|(shard, (start, end))| shard.pieces(*start, *end).flatten())
                .map(|state| state.0)
                .collect();
            assert_eq!(seen.len(), before(&starts, &ends, all));
            seen.sort_unstable();
            level.sort_unstable();
            assert_eq!(seen, level, "{starts:?} to {ends:?}, {count} at a time");
        }
    }
}
