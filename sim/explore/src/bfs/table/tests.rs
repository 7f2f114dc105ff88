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
pub mod sample;

/// How roots are drawn, so that tables are crowded in one way or another.
fn drawn(mix: Mix, bits: u32, shard: (usize, u32), rng: &mut fastrand::Rng) -> u64 {
    let mixed = mix.mixed_bits();
    let root = match rng.u8(..5) {
        0 => rng.u64(..) & u64::MAX.unbounded_shr(64 - bits),
        // Small numbers, as those of few processes in few states are.
        1 => rng.u64(..200) & u64::MAX.unbounded_shr(64 - bits),
        // Two numbers side by side.
        2 => (rng.u64(..40) | rng.u64(..40) << (bits / 2)) & u64::MAX.unbounded_shr(64 - bits),
        // Of a few hashes, the first or the last of all: many belong to one bucket.
        way => {
            let low = rng.u64(..2_000) << (64 - mixed);
            mix.root(if way == 3 { low } else { (u64::MAX << (64 - mixed)) - low })
        }
    };
    // Into the shard.
    let of = (shard.0 as u64).unbounded_shl(64 - shard.1);
    mix.root(mix.hash(root) & u64::MAX.unbounded_shr(shard.1) | of)
}

/// What was met in the tables that were compared.
#[derive(Debug, Default)]
struct Met {
    roots: usize,
    again: usize,
    far: usize,
    further: usize,
    wide: usize,
    narrow: usize,
    grown: usize,
    changed: usize,
    fullest: usize,
}

/// A root of so many bits made one of more: both halves move apart.
fn wider(root: u64, half: u32, by: u32) -> u64 {
    root & ((1 << half) - 1) | root >> half << (half + by)
}

fn compare(seed: u64, mut bits: u32, met: &mut Met) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut mix = Mix::new(bits);
    let shard = if rng.bool() { (rng.usize(..32), 5) } else { (0, 0) };
    let budget = Budget::new(None);
    let mut table = Table::new(&budget, mix, shard);
    let mut plain: HashMap<u64, u32> = HashMap::new();
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
            table.grow(&budget).expect("no limit");
            met.grown += 1;
        }
        // Of a whole visited set, roots may become others.
        if shard.1 == 0 && (24..60).contains(&bits) && rng.u32(..200) == 0 {
            let (half, by) = (bits / 2, rng.u32(1..4));
            (bits, mix) = (bits + by, Mix::new(bits + by));
            let changed = |root| wider(root, half, by);
            table.change_roots(mix, rng.bool(), &budget, changed).expect("no limit");
            plain = plain.into_iter().map(|(root, level)| (changed(root), level)).collect();
            met.changed += 1;
        }
        let root = drawn(mix, bits, shard, &mut rng);
        let hash = mix.hash(root);
        let wide = table.is_wide();
        let mut open = table.open();
        let vacancy = if wide { open.vacancy::<true>(hash) } else { open.vacancy::<false>(hash) };
        let what = || format!("seed {seed}: {root:x}, of {bits} bits, the {number}th");
        assert_eq!(vacancy.is_some(), !plain.contains_key(&root), "{}", what());
        let Some(vacancy) = vacancy else {
            met.again += 1;
            continue;
        };
        met.further += usize::from(vacancy.0.is_some_and(|place| place.distance > STEP));
        let put = if wide {
            open.put::<true>(vacancy, hash, level, &budget)
        } else {
            open.put::<false>(vacancy, hash, level, &budget)
        };
        put.expect("no limit");
        plain.insert(root, level);
    }
    assert_eq!(table.used + table.far.len(), plain.len(), "seed {seed}");
    assert_eq!(budget.held() as usize, table.bytes(), "seed {seed}");
    for level in 0..levels.min(LISTED) {
        let to = rng.u32(level..=(level + 3).min(levels).min(LISTED));
        let mut found = Vec::new();
        let parts = rng.usize(1..=table.buckets());
        for from in (0..table.buckets()).step_by(parts) {
            let part = from..(from + parts).min(table.buckets());
            table.of_levels(level..to, part, |level, root| found.push((level, root)));
        }
        found.sort_unstable();
        let of_it = plain.iter().filter(|(_, its)| (level..to).contains(*its));
        let mut expected: Vec<_> = of_it.map(|(root, its)| (*its, *root)).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "seed {seed}, levels {level} to {to}");
    }
    met.roots += plain.len();
    met.far += table.far.len();
    met.wide += usize::from(table.is_wide());
    met.narrow += usize::from(!table.is_wide());
}

/// Against a map of the standard library: whatever the bits of roots, where they belong, and how full a
/// table is, each is there once, on the level that it was put in with.
#[test]
fn holds_what_a_plain_map_holds() {
    let tables = long_sample(1_000, 10_000, 10_000);
    let mut met = Met::default();
    for seed in tables.seeds() {
        let bits = seed as u32 / 4;
        match seed % 2 {
            0 => compare(seed, bits % 65, &mut met),
            _ => compare(seed, 20 + bits % 16, &mut met),
        }
    }
    println!("{met:?}");
    let tables = tables.seeds().end as usize;
    assert!(met.roots > 100 * tables && met.again > 10 * tables, "{met:?}");
    assert!(met.far > tables && met.further > tables && met.grown > tables, "{met:?}");
    assert!(met.changed > tables / 4, "{met:?}");
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
    let mut table = Table::new(&budget, mix, (0, 0));
    let mut plain = Vec::new();
    loop {
        if table.room() == 0 && table.grow(&budget).is_err() {
            break;
        }
        let root = rng.u64(..1 << 40);
        let mut open = table.open();
        if let Some(vacancy) = open.vacancy::<true>(mix.hash(root)) {
            open.put::<true>(vacancy, mix.hash(root), 3, &budget).expect("no limit yet");
            plain.push(root);
        }
    }
    assert!(budget.peak() <= 400_000 && plain.len() > 10_000, "{}", plain.len());
    assert_eq!(budget.held() as usize, table.bytes());
    assert!(table.grow(&Budget::with_no_machine()).is_err());
    let mut found = Vec::new();
    table.of_levels(3..4, 0..table.buckets(), |_, root| found.push(root));
    found.sort_unstable();
    plain.sort_unstable();
    assert_eq!(found, plain);
}
