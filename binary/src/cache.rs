//! Behaviours that were learned, kept on disk: under a digest of the program and of the system that it is on, with
//! digests of all that it has read, which are compared before one is believed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::SOURCES;
use crate::automaton::Automaton;
use crate::learn::{self, Learned, Limits, Progress};
use crate::process::{HeldError, Launcher, Program};
use crate::view::{self, System};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    program: String,
    read: BTreeMap<String, String>,
    states: usize,
    answers: usize,
    replayed: usize,
    automaton: Automaton,
}

const FORMAT: &str = "kmodcheck learned program";
/// The version of what is kept, and of how an automaton is written.
pub const VERSION: u32 = 1;

/// Under which name a behaviour is kept.
fn key(program: &Program, system: &System) -> String {
    let mut hash = Sha256::new();
    hash.update(SOURCES);
    hash.update(view::content(&program.path));
    hash.update(format!("{program:?} {system:?}"));
    view::hexadecimal(&hash.finalize())
}

/// What was kept, if everything is still as it was.
fn kept(path: &Path) -> Option<Learned> {
    let file: File = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    if (file.format.as_str(), file.version) != (FORMAT, VERSION) {
        return None;
    }
    let nodes = file.automaton.nodes.len();
    let whole = file.automaton.nodes.iter().flat_map(|node| &node.next).all(|edge| edge.to < nodes);
    let same = |(path, was): (&String, &String)| view::content(Path::new(path)) == *was;
    if nodes == 0 || !whole || !file.read.iter().all(same) {
        return None;
    }
    let File { automaton, states, answers, replayed, read, .. } = file;
    let read = read.into_iter().map(|(path, was)| (PathBuf::from(path), was)).collect();
    Some(Learned { automaton, states, answers, replayed, read })
}

/// As [`learn::learn`], unless it is known already. `directory`: where behaviours are kept; what cannot be kept there is
/// learned all the same. Whether it was known.
///
/// # Errors
/// As [`learn::learn`].
pub fn learned(
    directory: Option<&Path>,
    launcher: &Launcher,
    program: &Program,
    system: &System,
    limits: Limits,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<(Learned, bool), HeldError> {
    let path = directory.map(|directory| directory.join(key(program, system) + ".json"));
    if let Some(learned) = path.as_deref().and_then(kept) {
        return Ok((learned, true));
    }
    let learned = learn::learn(launcher, program, system, limits, progress)?;
    if let (Some(directory), Some(path)) = (directory, path) {
        // Another run may do the same: each writes a file of its own, and the last one stays.
        let _ = keep(directory, &path, program, &learned);
    }
    Ok((learned, false))
}

fn keep(
    directory: &Path,
    path: &Path,
    program: &Program,
    learned: &Learned,
) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let read = learned.read.iter().map(|(path, was)| (path.display().to_string(), was.clone()));
    let file = File {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: program.called(),
        read: read.collect(),
        states: learned.states,
        answers: learned.answers,
        replayed: learned.replayed,
        automaton: learned.automaton.clone(),
    };
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(serde_json::to_string(&file)?.as_bytes())?;
    temporary.persist(path)?;
    Ok(())
}
