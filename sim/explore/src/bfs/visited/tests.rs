//! The visited set beside sets and maps of the standard library.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::bfs::packed::Layout;
use crate::bfs::table::tests::sample::long_sample;

fn states(count: u64, values: u64, seed: u64) -> Vec<Packed<2>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| Packed([rng.u64(0..values), rng.u64(0..2) << 63])).collect()
}

fn shard() -> (Budget, Shard<2>) {
    let budget = Budget::new(None);
    let mut all = Shard::all(&budget, Spare::NONE, Mix::new(128), 0);
    let shard = all.pop().expect("one");
    (budget, shard)
}

/// Against a set of the standard library, through every size up to huge pages.
#[test]
fn holds_what_was_inserted_once_and_in_order() {
    let (budget, mut shard) = shard();
    let mut seen = HashSet::new();
    let (mut order, mut grown) = (Vec::new(), false);
    for round in 0..40 {
        let offered = states(10_000, 150_000, round);
        order.extend(offered.iter().filter(|state| seen.insert(state.0)).copied());
        shard.insert(&offered, 1, &mut u64::MAX.clone(), &budget).expect("no limit");
        assert_eq!(shard.len(), order.len());
        grown |= budget.peak() > budget.held();
    }
    assert!(seen.contains(&[0; 2]) && order.len() > 200_000);
    let listed: Vec<_> = shard.pieces(0, shard.len()).flatten().copied().collect();
    assert!(listed == order);
    let part: Vec<_> = shard.pieces(1_000, 5_000).flatten().copied().collect();
    assert!(part == order[1_000..5_000]);
    // What is held is given account of: the list, and a table with more than 12 bytes a state.
    let bytes = |states: usize| states as u64 * 16;
    assert!(budget.held() >= bytes(order.len()) + order.len() as u64 * 14);
    assert!(budget.held() < bytes(order.len()) * 4);
    assert!(grown, "a table that grew was there twice");
    // What is forgotten is given back, and the rest is where it was.
    let (held, to) = (budget.held(), order.len() - 2_500);
    shard.forget(to, &budget);
    assert!(held - budget.held() > bytes(to - 1_024) && held - budget.held() <= bytes(to));
    let rest: Vec<_> = shard.pieces(to, shard.len()).flatten().copied().collect();
    assert!(rest == order[to..] && shard.len() == order.len());
    // Nor does it come again.
    shard.insert(&order, 2, &mut u64::MAX.clone(), &budget).expect("no limit");
    assert_eq!(shard.len(), order.len());
    let mut again = Vec::new();
    let mut found_on = |level, state| {
        assert_eq!(level, 1, "it was there");
        again.push(state);
    };
    (0..shard.parts()).for_each(|part| shard.of_levels(0..4, part, &mut found_on));
    again.sort_unstable();
    order.sort_unstable();
    assert!(again == order);
}

#[test]
fn stores_no_more_than_it_may() {
    let offered = states(5_000, 1_000, 1);
    let distinct = offered.iter().map(|s| s.0).collect::<HashSet<_>>().len();
    for most in [0, 1, 100, distinct as u64 - 1, distinct as u64] {
        let (budget, mut shard) = shard();
        let mut left = most;
        let end = shard.insert(&offered, 0, &mut left, &budget);
        let full = most < distinct as u64;
        assert_eq!(end, if full { Err(Full::States) } else { Ok(()) }, "{most}");
        assert_eq!((shard.len() as u64, left), (most, 0));
    }
    for bytes in [1, 10_000, 20_000, 30_000] {
        let budget = Budget::new(Some(bytes));
        let mut all = Shard::<2>::all(&budget, Spare::NONE, Mix::new(128), 0);
        let shard = &mut all[0];
        let first = budget.held();
        let end = shard.insert(&offered, 0, &mut u64::MAX.clone(), &budget);
        assert_eq!(end, Err(Full::Bytes), "{bytes}");
        assert!(budget.peak() <= bytes.max(first), "{bytes}: {}", budget.peak());
    }
}

/// What was met in the visited sets that were compared.
#[derive(Debug, Default)]
struct Met {
    states: usize,
    again: usize,
    /// Shards whose roots are made of the numbers of each floor.
    floors: [usize; 3],
    /// Changes of how numbers lie in roots.
    changed: usize,
    full: usize,
}

/// States as those of a system, which are made of few parts, or of many, so that roots get wide.
struct Drawn<const W: usize> {
    words: Vec<Vec<u64>>,
}

impl<const W: usize> Drawn<W> {
    /// Of states of so many bits; the parts of each word are its own.
    fn new(bits: u32, rng: &mut fastrand::Rng) -> Self {
        let of_word = |i| {
            let mask = u64::MAX.unbounded_shr(64 - bits.saturating_sub(64 * i).min(64));
            let (many, low) = (1 << rng.usize(0..14), rng.bool());
            // Some differ in their lowest bits only, some in their highest.
            let word = |n: u64| if low { n } else { n.reverse_bits() };
            let word = |n| if rng.bool() { rng.u64(..) } else { word(n) };
            (0..many).map(word).map(|word| word & mask).collect()
        };
        Self { words: (0..W as u32).map(of_word).collect() }
    }

    fn state(&self, rng: &mut fastrand::Rng) -> Packed<W> {
        Packed(std::array::from_fn(|i| self.words[i][rng.usize(..self.words[i].len())]))
    }
}

fn compare<const W: usize>(seed: u64, met: &mut Met) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let bits = rng.u32(if W == 1 { 20..=60 } else { 32 * W as u32 + 1..=64 * W as u32 - 4 });
    let (mix, spare) = (Mix::new(bits), Spare::of::<W>(&Layout::new(bits - 4, 1, 4)));
    let shard_bits = rng.u32(0..3);
    let drawn = Drawn::<W>::new(bits, &mut rng);
    // One in some cannot have all.
    let most = (rng.u32(..8) == 0).then(|| rng.u64(1_000..200_000));
    let budget = Budget::new(most);
    let mut shards = Shard::<W>::all(&budget, spare, mix, shard_bits);
    assert_eq!(shards.len(), 1 << shard_bits);
    let mut plain: HashMap<[u64; W], u32> = HashMap::new();
    let mut order = vec![Vec::new(); shards.len()];
    let (rounds, count) = (rng.u32(1..20), 1 << rng.u32(1..11));
    'rounds: for level in 0..rounds {
        let mut offered = vec![Vec::new(); shards.len()];
        for _ in 0..count {
            let state = drawn.state(&mut rng);
            let shard = mix.of_state(&state).unbounded_shr(64 - shard_bits) as usize;
            offered[shard].push(spare.join(state, rng.u16(..) & 15));
        }
        for ((shard, offered), order) in shards.iter_mut().zip(&offered).zip(&mut order) {
            let lie = shard.lie;
            let end = shard.insert(offered, level, &mut u64::MAX.clone(), &budget);
            met.changed += usize::from(shard.lie != lie);
            let before = order.len();
            for stored in offered {
                let state = spare.split(*stored).0;
                if order.len() == shard.len() && end.is_err() {
                    break;
                }
                if plain.contains_key(&state.0) {
                    met.again += 1;
                    continue;
                }
                plain.insert(state.0, level);
                order.push(*stored);
            }
            let listed: Vec<_> = shard.pieces(before, shard.len()).flatten().copied().collect();
            assert!(listed == order[before..], "seed {seed}");
            if end.is_err() {
                assert!(most.is_some(), "seed {seed}");
                met.full += 1;
                break 'rounds;
            }
        }
    }
    assert_eq!(shards.iter().map(Shard::len).sum::<usize>(), plain.len(), "seed {seed}");
    let mut found = HashMap::new();
    for shard in &shards {
        for part in 0..shard.parts() {
            shard.of_levels(0..rounds, part, |level, state| {
                assert_eq!(found.insert(state.0, level), None, "seed {seed}: {state:?} twice");
            });
        }
        met.floors[shard.lie.floor] += usize::from(shard.len() > 0);
    }
    assert!(found == plain, "seed {seed}: other states, or other levels");
    met.states += plain.len();
}

/// Against a map of the standard library: states of every width, made of few parts or of many, with all of their bits; in
/// the order in which they came, on the level that they came on, also when memory ends.
#[test]
fn holds_what_a_plain_map_holds() {
    let sets = long_sample(1_000, 10_000, 10_000);
    let mut met = Met::default();
    for seed in sets.seeds() {
        match seed % 4 {
            0 => compare::<1>(seed, &mut met),
            1 => compare::<2>(seed, &mut met),
            2 => compare::<4>(seed, &mut met),
            _ => compare::<8>(seed, &mut met),
        }
    }
    println!("{met:?}");
    let sets = sets.seeds().end as usize;
    assert!(met.states > 100 * sets && met.again > 100 * sets && met.changed > sets, "{met:?}");
    assert!(met.floors[0] > sets && met.floors[1] > sets / 200 && met.full > sets / 50, "{met:?}");
}

/// Of states of eight words with so many parts that roots are made of numbers of numbers of numbers.
#[test]
fn climbs_as_high_as_it_has_to() {
    let (budget, mut rng) = (Budget::new(None), fastrand::Rng::with_seed(1));
    let mut shards = Shard::<8>::all(&budget, Spare::NONE, Mix::new(512), 1);
    let states: Vec<Packed<8>> =
        (0..150_000).map(|_| Packed(std::array::from_fn(|_| rng.u64(..)))).collect();
    for (level, states) in states.chunks(40_000).enumerate() {
        for (number, shard) in shards.iter_mut().enumerate() {
            let is_its = |state: &&Packed<8>| Mix::new(512).of_state(state) >> 63 == number as u64;
            let its: Vec<_> = states.iter().filter(is_its).copied().collect();
            for _ in 0..2 {
                shard.insert(&its, level as u32, &mut u64::MAX.clone(), &budget).expect("no limit");
            }
        }
    }
    let mut found = Vec::new();
    for shard in &shards {
        assert_eq!(shard.lie.floor, 2);
        let mut each = |level, state| found.push((level, state));
        (0..shard.parts()).for_each(|part| shard.of_levels(0..LISTED, part, &mut each));
    }
    found.sort_unstable();
    let levels = states.chunks(40_000).zip(0..);
    let mut all: Vec<_> =
        levels.flat_map(|(c, level)| c.iter().map(move |s| (level, *s))).collect();
    all.sort_unstable();
    assert!(found == all);
    let tables = Shard::bytes_of_tables(&shards) as u64;
    let lists = states.len() as u64 * 64;
    assert!((tables + lists..tables + lists + 400_000).contains(&budget.held()));
}
