//! The table beside a plain map.

use std::collections::HashMap;

use sample::long_sample;

use super::*;

#[path = "../../../tests/common/sample.rs"]
#[allow(
    dead_code,
    missing_docs,
    clippy::cast_possible_truncation,
    reason = "shared with the tests of the crate"
)]
mod sample;

/// How states are drawn, so that tables are crowded in one way or another.
fn drawn<const W: usize>(
    mix: Mix,
    bits: u32,
    shard: (usize, u32),
    rng: &mut fastrand::Rng,
) -> Packed<W> {
    let random = |rng: &mut fastrand::Rng| {
        Packed::<W>(std::array::from_fn(|i| {
            let here = bits.saturating_sub(64 * i as u32).min(64);
            rng.u64(..) & u64::MAX.unbounded_shr(64 - here)
        }))
    };
    let mixed = mix.mixed_bits();
    let state = match rng.u8(..4) {
        0 => random(rng),
        // Small numbers, as those of few processes in few states are.
        1 => {
            let mut state = Packed([0; W]);
            state.0[rng.usize(..W)] = rng.u64(..200) & u64::MAX.unbounded_shr(64 - bits.min(64));
            if W > 1 {
                state.0[W - 1] &= u64::MAX.unbounded_shr(64 - (bits - 64 * (W as u32 - 1)));
            }
            state
        }
        // Of a few hashes, the first or the last of all: many belong to one bucket.
        way => {
            let low = rng.u64(..2_000) << (64 - mixed);
            let hash = if way == 2 { low } else { (u64::MAX << (64 - mixed)) - low };
            let mut others = random(rng);
            others.0[1..].iter_mut().for_each(|word| *word &= 1);
            mix.state(hash, others)
        }
    };
    // Into the shard.
    let hash = mix.hash(&state);
    let of = (shard.0 as u64).unbounded_shl(64 - shard.1);
    let hash = hash & u64::MAX.unbounded_shr(shard.1) | of;
    mix.state(hash, state)
}

/// Whether a state of so many bits has a state's bits alone.
fn fits<const W: usize>(bits: u32, state: &Packed<W>) -> bool {
    (0..W as u32).all(|i| {
        let here = bits.max(24).saturating_sub(64 * i).min(64);
        state.0[i as usize] & !u64::MAX.unbounded_shr(64 - here) == 0
    })
}

/// What was met in the tables that were compared.
#[derive(Debug, Default)]
struct Met {
    states: usize,
    again: usize,
    far: usize,
    further: usize,
    wide: usize,
    narrow: usize,
    grown: usize,
    fullest: usize,
}

fn compare<const W: usize>(seed: u64, bits: u32, met: &mut Met) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mix = Mix::new(bits);
    let shard = if rng.bool() { (rng.usize(..32), 5) } else { (0, 0) };
    let budget = Budget::new(None);
    let mut table = Table::<W>::new(&budget, mix, shard);
    let mut plain: HashMap<[u64; W], u32> = HashMap::new();
    // Some fuller than a search would have them.
    let most = if rng.bool() { None } else { Some(rng.usize(90..=99)) };
    let (count, levels) = (1 << rng.usize(2..11), rng.u32(1..200));
    for number in 0..count {
        let level = number * levels / count;
        let full = most.map_or(table.room() == 0, |most| {
            let slots = table.buckets() * SLOTS;
            table.used >= (slots * most / 100).min(slots - 1)
        });
        if full {
            met.fullest = met.fullest.max(100 * table.used / (table.buckets() * SLOTS));
            table.grow(&budget, |_| true).expect("no limit");
            met.grown += 1;
        }
        let state = drawn::<W>(mix, bits, shard, &mut rng);
        assert!(fits(bits, &state), "seed {seed}: {state:?} of {bits} bits");
        let hash = mix.hash(&state);
        let wide = table.is_wide();
        let mut open = table.open();
        let vacancy = if wide {
            open.vacancy::<true>(hash, &state)
        } else {
            open.vacancy::<false>(hash, &state)
        };
        let what = || format!("seed {seed}: {state:?}, of {bits} bits, the {number}th");
        assert_eq!(vacancy.is_some(), !plain.contains_key(&state.0), "{}", what());
        let Some(vacancy) = vacancy else {
            met.again += 1;
            continue;
        };
        met.further += usize::from(vacancy.0.is_some_and(|place| place.distance > STEP));
        let put = if wide {
            open.put::<true>(vacancy, (hash, &state), level, &budget)
        } else {
            open.put::<false>(vacancy, (hash, &state), level, &budget)
        };
        put.expect("no limit");
        plain.insert(state.0, level);
    }
    assert_eq!(table.used + table.far.len(), plain.len(), "seed {seed}");
    assert_eq!(budget.held() as usize, table.bytes(), "seed {seed}");
    for level in 0..levels.min(LISTED) {
        let to = rng.u32(level..=(level + 3).min(levels).min(LISTED));
        let mut found = Vec::new();
        let parts = rng.usize(1..=table.buckets());
        for from in (0..table.buckets()).step_by(parts) {
            let part = from..(from + parts).min(table.buckets());
            table.of_levels(level..to, part, |level, state| found.push((level, state)));
        }
        found.sort_unstable();
        let of_it = plain.iter().filter(|(_, its)| (level..to).contains(*its));
        let mut expected: Vec<_> = of_it.map(|(state, its)| (*its, Packed(*state))).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "seed {seed}, levels {level} to {to}");
    }
    met.states += plain.len();
    met.far += table.far.len();
    met.wide += usize::from(table.is_wide());
    met.narrow += usize::from(!table.is_wide());
}

/// Against a map of the standard library: whatever the width of states, where they belong, and how full a
/// table is, each is there once, on the level that it was put in with.
#[test]
fn holds_what_a_plain_map_holds() {
    let tables = long_sample(1_000, 10_000, 10_000);
    let mut met = Met::default();
    for seed in tables.seeds() {
        let bits = seed as u32 / 4;
        match seed % 4 {
            0 => compare::<1>(seed, bits % 65, &mut met),
            1 => compare::<1>(seed, 20 + bits % 16, &mut met),
            2 => compare::<2>(seed, 65 + bits % 64, &mut met),
            _ if seed % 8 == 3 => compare::<4>(seed, 193 + bits % 64, &mut met),
            _ => compare::<8>(seed, 449 + bits % 64, &mut met),
        }
    }
    println!("{met:?}");
    let tables = tables.seeds().end as usize;
    assert!(met.states > 100 * tables && met.again > 10 * tables, "{met:?}");
    assert!(met.far > tables && met.further > tables && met.grown > tables, "{met:?}");
    assert!(met.wide > tables / 4 && met.narrow > tables / 20, "{met:?}");
    assert!(met.fullest >= 98, "{met:?}");
}

/// Where the numbers of each bucket begin is the same one by one as by division, and the bucket of each
/// number begins at or before it.
#[test]
fn numbers_say_their_buckets() {
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..500 {
        let (bits, shard_bits) = (rng.u32(24..=64), if rng.bool() { 5 } else { 0 });
        let shape = Shape::new(Mix::new(bits), (0, shard_bits), rng.usize(1..5_000));
        let firsts: Vec<u64> = shape.firsts().collect();
        assert!((0..shape.buckets).map(|home| shape.first(home)).eq(firsts.iter().copied()));
        for _ in 0..100 {
            let number = rng.u64(..) >> shape.left;
            let home = shape.home_of(number);
            assert!(firsts[home] <= number);
            assert!(firsts.get(home + 1).is_none_or(|next| number < *next));
            assert_eq!(shape.number(firsts[home], number & shape.rest), number);
            assert_eq!(shape.home(shape.hash(number)), home);
        }
    }
}

/// There is no more in a large table than its budget gives, and what is there stays if it cannot grow.
#[test]
fn grows_within_its_budget_or_not_at_all() {
    let mix = Mix::new(40);
    let mut rng = fastrand::Rng::with_seed(1);
    let budget = Budget::new(Some(400_000));
    let mut table = Table::<1>::new(&budget, mix, (0, 0));
    let mut plain = Vec::new();
    loop {
        if table.room() == 0 && table.grow(&budget, |_| true).is_err() {
            break;
        }
        let state = Packed([rng.u64(..1 << 40)]);
        let hash = mix.hash(&state);
        let mut open = table.open();
        if let Some(vacancy) = open.vacancy::<true>(hash, &state) {
            open.put::<true>(vacancy, (hash, &state), 3, &budget).expect("no limit yet");
            plain.push(state);
        }
    }
    assert!(budget.peak() <= 400_000 && plain.len() > 10_000, "{}", plain.len());
    assert_eq!(budget.held() as usize, table.bytes());
    assert!(table.grow(&Budget::new(None), |_| false).is_err());
    let mut found = Vec::new();
    table.of_levels(3..4, 0..table.buckets(), |_, state| found.push(state));
    found.sort_unstable();
    plain.sort_unstable();
    assert_eq!(found, plain);
}
