//! A search that was stopped and gone on with has the result of one that was not; a checkpoint that is
//! not what was written is refused.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::common::erased::{InNumbers, explore, explore_from_checkpoint};
use crate::common::random_system::RandomSystem;
use crate::common::reference_model::{ReferenceModel, Violations};
use crate::common::same::{Properties, same};
use crate::common::sample::sample;
use kmodcheck_explore::checkpoint::{Checkpoint, CheckpointError};
use kmodcheck_explore::{CountOnly, Monitor};
use kmodcheck_explore::{End, Exploration, Limits, Options, System};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn in_directory(directory: &Path) -> Checkpoint {
    let (directory, every) = (directory.to_owned(), Duration::ZERO);
    Checkpoint { directory, every, build: [1; 16], purpose: [7; 32] }
}

#[test]
fn random_systems_stopped_anywhere_and_gone_on_with() {
    let (mut violated, mut stuck, mut stops) = (0, 0, 0);
    let systems = sample(30, 120);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let monitor = Properties(&system);
        let threads = 1 + seed as usize % 3;
        let options = Options { symmetry: seed % 2 == 0, threads, ..Options::default() };
        let expected = explore(&system, &monitor, &options).expect("it fits");
        if expected.end != End::Complete {
            continue;
        }
        violated += expected.violations.len();
        stuck += usize::from(expected.stuck.is_some());
        let directory = TempDir::new().unwrap();
        let checkpoint = in_directory(directory.path());
        // A little farther each time.
        for part in 1..4 {
            let states = Some(expected.states * part / 4);
            let limited = Options { limits: Limits { states, ..Limits::default() }, ..options };
            let cut = explore_from_checkpoint(&system, &monitor, &limited, &checkpoint).unwrap();
            stops += usize::from(cut.end == End::StatesLimit);
            assert!(cut.states <= expected.states);
        }
        // With less room than the checkpoint needs: no verdict, and no harm.
        let states = Limits { states: Some(1), ..Limits::default() };
        let bytes = Limits { bytes: Some(1), ..Limits::default() };
        for (limits, end) in [(states, End::StatesLimit), (bytes, End::MemoryLimit)] {
            let little = Options { limits, ..options };
            let cut = explore_from_checkpoint(&system, &monitor, &little, &checkpoint).unwrap();
            assert!(cut.end == end || cut.states <= 1, "seed {seed}: {:?}", cut.end);
        }
        let found = explore_from_checkpoint(&system, &monitor, &options, &checkpoint).unwrap();
        same(&format!("seed {seed}"), &found, &expected);
    }
    for (met, in_all) in [(violated, 80), (stuck, 50), (stops, 100)] {
        assert!(systems.met_enough(met, in_all), "{violated} {stuck} {stops}");
    }
}

#[test]
fn many_states_on_several_threads() {
    let system = ReferenceModel { callers: 4, v19: true };
    let expected = explore(&system, &CountOnly, &Options::default()).unwrap();
    let directory = TempDir::new().unwrap();
    let checkpoint = in_directory(directory.path());
    for (threads, states) in [(1, Some(5_000)), (3, Some(40_000)), (2, None)] {
        let limits = Limits { states, ..Limits::default() };
        let options = Options { threads, limits, ..Options::default() };
        let found = explore_from_checkpoint(&system, &CountOnly, &options, &checkpoint).unwrap();
        if states.is_none() {
            same("N = 4", &found, &expected);
        }
    }
}

/// The checkpoint of a search that was cut.
fn cut(directory: &Path) -> ReferenceModel {
    let system = ReferenceModel { callers: 3, v19: true };
    let limits = Limits { states: Some(2_000), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let found = explore_from_checkpoint(&system, &CountOnly, &options, &in_directory(directory));
    assert_eq!(found.unwrap().end, End::StatesLimit);
    system
}

fn go_on(system: &ReferenceModel, directory: &Path) -> Result<u64, CheckpointError> {
    let options = Options::default();
    explore_from_checkpoint(system, &CountOnly, &options, &in_directory(directory))
        .map(|e| e.states)
}

#[test]
fn what_is_damaged_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let system = cut(directory);
    let whole = explore(&system, &CountOnly, &Options::default()).unwrap().states;
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5);
    let mut refused = 0;
    for file in &files {
        let before = fs::read(file).unwrap();
        let mut others: Vec<Option<Vec<u8>>> = vec![None, Some(Vec::new())];
        others.push(Some(before[..before.len() - 1].to_vec()));
        others.push(Some([&before[..], &[0]].concat()));
        // One bit, in each of some places.
        for at in (0..before.len()).step_by(1 + before.len() / 40) {
            let mut bytes = before.clone();
            bytes[at] ^= 1 << (at % 8);
            others.push(Some(bytes));
        }
        for other in others {
            match &other {
                None => fs::remove_file(file).unwrap(),
                Some(bytes) => fs::write(file, bytes).unwrap(),
            }

            if other.is_none() && file.ends_with("sums") {
                // Without its sums there is no checkpoint.
                assert_eq!(go_on(&system, directory).unwrap(), whole);
                cut_again(directory, &files);
            } else {
                let error = go_on(&system, directory).unwrap_err().to_string();
                assert!(error.starts_with(&file.display().to_string()), "{error}");
                refused += 1;
            }
            fs::write(file, &before).unwrap();
        }
    }
    assert!(refused > 200, "{refused}");
    assert_eq!(go_on(&system, directory).unwrap(), whole, "restored");
}

/// Puts the directory back to what a search that was cut leaves.
fn cut_again(directory: &Path, files: &[std::path::PathBuf]) {
    for entry in fs::read_dir(directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    cut(directory);
    assert!(files.iter().all(|file| file.exists()));
}

#[test]
fn what_was_being_written_is_no_harm_and_another_search_is_refused() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let system = cut(directory);
    let whole = explore(&system, &CountOnly, &Options::default()).unwrap().states;
    fs::write(directory.join("sums.part"), b"half").unwrap();
    fs::write(directory.join("level-00999.part"), b"half").unwrap();
    fs::write(directory.join("level-00998"), b"of a checkpoint whose sums were not written")
        .unwrap();
    let other = Checkpoint { purpose: [8; 32], ..in_directory(directory) };
    let options = Options::default();
    let error = explore_from_checkpoint(&system, &CountOnly, &options, &other).unwrap_err();
    assert!(matches!(error, CheckpointError::Different { .. }), "{error}");
    for other in [
        Options { symmetry: true, ..options },
        // Counts more transitions as followed.
        Options { follow_all: true, ..options },
    ] {
        let error = explore_from_checkpoint(&system, &CountOnly, &other, &in_directory(directory));
        assert!(matches!(error, Err(CheckpointError::Different { .. })));
    }
    let other = Checkpoint { build: [2; 16], ..in_directory(directory) };
    let error = explore_from_checkpoint(&system, &CountOnly, &options, &other).unwrap_err();
    assert!(matches!(error, CheckpointError::OtherBuild { .. }), "{error}");
    for build in ["01", "02"] {
        assert!(error.to_string().contains(&build.repeat(16)), "{error}");
    }
    assert_eq!(go_on(&system, directory).unwrap(), whole);

    let file = directory.join("sums").join("inside");
    let error = go_on(&system, &file).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { .. }), "{error}");
}

/// Half of the states of one system and half of another's are the states of none: a checkpoint of a system
/// with one step that is another is refused, though nothing that was said of it differs.
#[test]
fn what_another_step_has_found_is_refused() {
    let directory = TempDir::new().unwrap();
    let system = cut(directory.path());
    let another_step = ReferenceModel { v19: !system.v19, ..system };
    let error = go_on(&another_step, directory.path()).unwrap_err().to_string();
    assert!(error.contains("found other states, expected those that the search finds"), "{error}");
    let whole = explore(&system, &CountOnly, &Options::default()).unwrap().states;
    assert_eq!(go_on(&system, directory.path()).unwrap(), whole);
}

/// A checkpoint as its files are, to be altered and put back.
struct Files {
    directory: TempDir,
    sums: Vec<u8>,
    levels: Vec<Vec<u8>>,
}

/// Where the sums begin: after the beginning, the build and the purpose.
const BODY: usize = 8 + 16 + 32;

impl Files {
    /// What a search leaves that was cut at so many states; none if it came to its end, or not far enough.
    fn of<S: System<Label: InNumbers>, M: Monitor<S::Label, Tally: 'static>>(
        (system, monitor): (&S, &M),
        options: &Options<'_>,
        states: u64,
    ) -> Option<Self>
    where
        M::Tally: serde::Serialize + serde::de::DeserializeOwned,
    {
        let directory = TempDir::new().unwrap();
        let limits = Limits { states: Some(states), ..Limits::default() };
        let limited = Options { limits, ..*options };
        let kept = in_directory(directory.path());
        let cut = explore_from_checkpoint(system, monitor, &limited, &kept).unwrap();
        let sums = fs::read(directory.path().join("sums")).ok()?;
        let level = |n| fs::read(directory.path().join(format!("level-{n:05}"))).ok();
        let levels = (0..).map_while(level).collect();
        (cut.end == End::StatesLimit).then_some(Self { directory, sums, levels })
    }

    /// Where the digest of a level is: the sums begin with their number, and then they follow.
    fn digest_of(&self, level: usize) -> usize {
        BODY + if self.levels.len() < 128 { 1 } else { 2 } + 32 * level
    }

    /// Writes the checkpoint with one file altered, and every digest made anew. What was done, for who
    /// wants to know.
    fn forge(&self, rng: &mut fastrand::Rng, from: usize) -> String {
        let (mut sums, mut levels) = (self.sums.clone(), self.levels.clone());
        let which = rng.usize(from..=levels.len());
        let (bytes, first) = match levels.get_mut(which) {
            Some(level) => (level, 0),
            None => (&mut sums, 8),
        };
        let last = if which == self.levels.len() { bytes.len() - 32 } else { bytes.len() };
        let (at, other) = (rng.usize(first..last), rng.u8(1..));
        let how = rng.usize(0..6);
        match how {
            0 => bytes[at] ^= 1 << rng.u8(0..8),
            1 => bytes[at] ^= other,
            2 => bytes[at] = if bytes[at] == 0xff { 0 } else { 0xff },
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, other),
            _ => {
                let to = rng.usize(at..last);
                bytes.drain(at..=to);
            }
        }
        if let Some(level) = levels.get(which) {
            let at = self.digest_of(which);
            sums[at..at + 32].copy_from_slice(&Sha256::digest(level));
            fs::write(self.directory.path().join(format!("level-{which:05}")), level).unwrap();
        }
        let end = sums.len() - 32;
        let digest = Sha256::digest(&sums[..end]);
        sums[end..].copy_from_slice(&digest);
        fs::write(self.directory.path().join("sums"), &sums).unwrap();
        format!("file {which} of {}, at {at}, alteration {how}", levels.len())
    }

    /// To be gone on with, and not written anew.
    fn kept(&self) -> Checkpoint {
        Checkpoint { every: Duration::MAX, ..in_directory(self.directory.path()) }
    }

    fn restore(&self) {
        for (number, level) in self.levels.iter().enumerate() {
            let file = self.directory.path().join(format!("level-{number:05}"));
            fs::write(file, level).unwrap();
        }
        fs::write(self.directory.path().join("sums"), &self.sums).unwrap();
    }
}

/// Thousands of alterations of real checkpoints, with all digests made anew. These are small enough to be
/// compared whole: each ends in an error, or in the very result of a search that never stopped.
#[test]
fn a_small_forged_checkpoint_is_refused_or_harmless() {
    let (mut refused, mut harmless) = (0, 0);
    let systems = sample(6, 60);
    for seed in systems.seeds() {
        let system = RandomSystem::new(seed);
        let monitor = Properties(&system);
        let options = Options { symmetry: seed % 2 == 0, ..Options::default() };
        let whole = explore(&system, &monitor, &options).expect("it fits");
        let cut = Files::of((&system, &monitor), &options, whole.states * 3 / 4);
        let Some(files) = cut.filter(|_| whole.end == End::Complete) else { continue };
        let mut rng = fastrand::Rng::with_seed(seed);
        for number in 0..150 {
            let what = files.forge(&mut rng, 0);
            let kept = files.kept();
            match explore_from_checkpoint(&system, &monitor, &options, &kept) {
                Ok(found) => {
                    same(&format!("seed {seed}, number {number}: {what}"), &found, &whole);
                    harmless += 1;
                }
                Err(CheckpointError::Failed { what: panic, .. }) => {
                    panic!("seed {seed}, number {number}: {what}: {panic}");
                }
                Err(_) => refused += 1,
            }
            files.restore();
        }
        let kept = files.kept();
        let found = explore_from_checkpoint(&system, &monitor, &options, &kept).unwrap();
        same(&format!("seed {seed}, restored"), &found, &whole);
    }
    assert!(
        systems.met_enough(refused, 3_000) && harmless < refused / 100,
        "{refused} refused, {harmless} harmless"
    );
}

/// Of a larger one only the beginning is explored anew. What is forged behind it ends in an error or in an
/// answer, and no violation is made up: a trace is taken again from the initial state.
#[test]
fn a_large_forged_checkpoint_is_no_panic() {
    let system = ReferenceModel { callers: 4, v19: true };
    let options = Options::default();
    let files = Files::of((&system, &Violations), &options, 50_000).expect("it has more states");
    let whole = explore(&system, &Violations, &options).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut refused = 0;
    // Files of levels that are not explored anew, or the sums.
    let last = files.levels.len();
    let forged = sample(20, 160);
    for number in forged.seeds() {
        let what = files.forge(&mut rng, if number % 2 == 0 { last - 4 } else { last });
        let kept = files.kept();
        match explore_from_checkpoint(&system, &Violations, &options, &kept) {
            Ok(found) => {
                let violated = |e: &Exploration<_, _>| e.violations.len();
                let near = found.states.abs_diff(whole.states);
                assert!(
                    violated(&found) <= violated(&whole) && near < whole.states / 10,
                    "number {number}: {what}: {} states",
                    found.states
                );
            }
            Err(_) => refused += 1,
        }
        files.restore();
    }
    assert!(forged.met_enough(refused, 110), "{refused}");
}

/// What the sums say, after the build and the purpose; states of one word.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Sums {
    levels: Vec<[u8; 32]>,
    transitions: u64,
    followed: u64,
    blocked_states: u64,
    first: Vec<(u8, u32, (u64,))>,
    expanded: u64,
    unresolved: Vec<((u64,), u32, u16)>,
    way_outs: bool,
    tally: Vec<u8>,
}

/// Each of the sums is held against the others and against the states, also in a checkpoint that is too large
/// to be explored anew.
#[test]
fn sums_that_cannot_be_are_refused() {
    let system = ReferenceModel { callers: 4, v19: true };
    let options = Options::default();
    let files = Files::of((&system, &Violations), &options, 50_000).expect("it has more states");
    let end = files.sums.len() - 32;
    let sums: Sums = postcard::from_bytes(&files.sums[BODY..end]).expect("as it was written");
    let (property, level, state) = *sums.first.first().expect("the race is found by then");
    let last = sums.levels.len() as u32 - 1;
    let nowhere = (u64::MAX >> 8,);
    let expanded = sums.expanded;
    type Alter<'a> = &'a dyn Fn(&mut Sums);
    let cases: [(&str, Alter<'_>); 20] = [
        ("less than two levels", &|s| s.levels.clear()),
        ("less than two levels", &|s| s.levels.truncate(1)),
        // The last level that is left has been expanded.
        ("expanded states", &|s| s.levels.truncate(last as usize)),
        ("a level that was not expanded", &|s| s.levels.truncate(level as usize + 1)),
        ("level-00", &|s| s.levels.push([0; 32])),
        ("expanded states, expected", &|s| s.expanded += 1),
        ("expanded states, expected", &|s| s.expanded = u64::MAX),
        ("more transitions than", &|s| s.transitions = u64::MAX),
        ("more transitions than", &|s| s.expanded = 0),
        ("more followed transitions", &|s| s.followed = s.transitions + 1),
        ("with a blocked process", &|s| s.blocked_states = expanded + 1),
        ("to be looked at again", &|s| {
            s.unresolved = vec![(state, level, 1); 1 + expanded as usize]
        }),
        ("a blocked process that there is not", &|s| s.unresolved = vec![(state, level, 0)]),
        ("a blocked process that there is not", &|s| s.unresolved = vec![(state, level, 1 << 4)]),
        ("a level that was not expanded", &|s| s.unresolved = vec![(state, last, 1)]),
        ("that is not in it", &|s| s.unresolved = vec![(nowhere, level, 1)]),
        ("that is not in it", &|s| s.first = vec![(property, level - 1, state)]),
        ("a level that was not expanded", &|s| s.first = vec![(property, u32::MAX, state)]),
        ("numbered in order up to 63", &|s| s.first = vec![(64, level, state)]),
        ("numbered in order up to 63", &|s| s.first = vec![(property, level, state); 2]),
    ];
    let refused = |number: usize, alter: Alter<'_>| {
        let mut altered = sums.clone();
        // So many can be blocked, unless that is the case.
        altered.blocked_states = expanded;
        alter(&mut altered);
        let mut bytes = files.sums[..BODY].to_vec();
        bytes.extend(postcard::to_allocvec(&altered).expect("it has lengths"));
        bytes.extend(Sha256::digest(&bytes));
        fs::write(files.directory.path().join("sums"), bytes).unwrap();
        match explore_from_checkpoint(&system, &Violations, &options, &files.kept()) {
            Err(CheckpointError::Damaged { found, expected, file }) => {
                format!("{file}: {found}, expected {expected}")
            }
            Err(CheckpointError::Io { file, .. }) => file,
            other => panic!("case {number}: {other:?}"),
        }
    };
    for (number, (said, alter)) in cases.into_iter().enumerate() {
        let error = refused(number, alter);
        assert!(error.contains(said), "case {number}: {error}");
    }
}
