//! A search that was stopped and gone on with has the result of one that was not; a checkpoint that is
//! not what was written is refused.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::common::random_system::RandomSystem;
use crate::common::reference_model::ReferenceModel;
use crate::common::same::{Properties, same};
use kmodcheck_explore::bfs::CountOnly;
use kmodcheck_explore::checkpoint::{Checkpoint, CheckpointError, explore_from_checkpoint};
use kmodcheck_explore::{End, Limits, Options, explore};
use tempfile::TempDir;

fn in_directory(directory: &Path) -> Checkpoint {
    Checkpoint { directory: directory.to_owned(), every: Duration::ZERO, purpose: [7; 32] }
}

#[test]
fn random_systems_stopped_anywhere_and_gone_on_with() {
    let (mut violated, mut stuck, mut stops) = (0, 0, 0);
    for seed in 0..120 {
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
    assert!(violated > 80 && stuck > 50 && stops > 100, "{violated} {stuck} {stops}");
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
    let symmetric = Options { symmetry: true, ..options };
    let error = explore_from_checkpoint(&system, &CountOnly, &symmetric, &in_directory(directory));
    assert!(matches!(error, Err(CheckpointError::Different { .. })));
    assert_eq!(go_on(&system, directory).unwrap(), whole);

    let file = directory.join("sums").join("inside");
    let error = go_on(&system, &file).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { .. }), "{error}");
}
