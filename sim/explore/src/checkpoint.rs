//! Long searches that can be stopped at any moment, also by a power cut, and gone on with.
//!
//! - After a level, if it is time, the states found since the last time are written, one file a level, and
//!   then one file with the sums: counts, first violations, what the monitor has counted, and the digests
//!   of all level files. Each file is written beside its place, flushed, and renamed; the sums last. So
//!   at any moment the directory holds one whole checkpoint, and perhaps the beginning of the next.
//! - Nothing is believed: a file that is not, byte for byte, what was written is refused by name, and so is a
//!   checkpoint of another system, or of the same one searched otherwise.
//! - Costs: the packed states once on disk; about the time to write them. A level is the least that is
//!   lost.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bfs::{Exploration, Monitor, Unexplorable, conclude, framed};
use crate::expand::{Found, Frame};
use crate::limits::Options;
use crate::packed::Packed;
use crate::search::Search;
use crate::stuck::Unresolved;
use crate::system::{Kind, System};
use crate::visited::{Budget, SHARDS, Shard, shard_of};

/// The first bytes of the file of sums; the last is the version.
const MAGIC: [u8; 8] = *b"kmodckp\x03";

const SUMS: &str = "sums";

/// Where to keep checkpoints.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The directory. It is made if it is not there; if it holds a checkpoint, the search goes on from
    /// there.
    pub directory: PathBuf,
    /// Write one after the first level that ends so long after the last one.
    pub every: Duration,
    /// A digest of all that makes this search another than others, besides what the search knows.
    pub purpose: [u8; 32],
}

/// Why a checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system cannot be explored at all.
    #[error(transparent)]
    Unexplorable(#[from] Unexplorable),
    /// The file system said no.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// What it said.
        error: std::io::Error,
    },
    /// The file is not what was written.
    #[error("{file}: damaged: found {found}, expected {expected}")]
    Damaged {
        /// The file.
        file: String,
        /// What is there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// It is of another search.
    #[error("{file}: a checkpoint of another scenario, version, or way to search")]
    Different {
        /// The file.
        file: String,
    },
}

/// Explores as [`crate::explore`] does, from the checkpoint in the directory if there is one, and leaves
/// checkpoints there. A search that is gone on with has the same result as one that never stopped.
///
/// # Errors
/// See [`CheckpointError`].
pub fn explore_from_checkpoint<S: System, M: Monitor<S>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
    checkpoint: &Checkpoint,
) -> Result<Exploration<S::Label, M::Tally>, CheckpointError>
where
    M::Tally: Serialize + DeserializeOwned,
{
    let (frame, words) = framed(system, options)?;
    match words {
        1 => run::<S, M, 1>(&frame, monitor, options, checkpoint),
        2 => run::<S, M, 2>(&frame, monitor, options, checkpoint),
        4 => run::<S, M, 4>(&frame, monitor, options, checkpoint),
        _ => run::<S, M, 8>(&frame, monitor, options, checkpoint),
    }
}

fn run<S: System, M: Monitor<S>, const W: usize>(
    frame: &Frame<'_, S>,
    monitor: &M,
    options: &Options<'_>,
    checkpoint: &Checkpoint,
) -> Result<Exploration<S::Label, M::Tally>, CheckpointError>
where
    M::Tally: Serialize + DeserializeOwned,
{
    let mut directory = Directory::new(frame, checkpoint)?;
    let searched = Search::<S, M, W>::run(frame, monitor, options, &mut directory)?;
    Ok(conclude(searched, monitor, |levels, ends| levels.paths(ends)))
}

/// What a search has besides its states.
pub(crate) struct Sums<T, const W: usize> {
    pub found: Found<W>,
    pub tally: T,
    pub expanded: u64,
    pub unresolved: Vec<Unresolved<W>>,
    pub way_outs: bool,
}

/// Where a search leaves what it would not like to lose.
pub(crate) trait Keep<T, const W: usize> {
    /// What was left, with the states put into the shards: the sums, and by level where it begins in
    /// each shard.
    #[expect(clippy::type_complexity, reason = "named in the words above")]
    fn load(
        &mut self,
        shards: &mut [Shard<W>],
        budget: &Budget,
    ) -> Result<Option<(Sums<T, W>, Vec<Vec<usize>>)>, CheckpointError>;

    /// Whether it is time.
    fn is_due(&self) -> bool;

    /// Keeps the states of all levels that begin as in `starts`, of which the last has not been expanded.
    fn save(
        &mut self,
        shards: &[&Shard<W>],
        starts: &[Vec<usize>],
        sums: &Sums<T, W>,
    ) -> Result<(), CheckpointError>;
}

/// Keeps nothing.
pub(crate) struct Nowhere;

impl<T, const W: usize> Keep<T, W> for Nowhere {
    fn load(
        &mut self,
        _: &mut [Shard<W>],
        _: &Budget,
    ) -> Result<Option<(Sums<T, W>, Vec<Vec<usize>>)>, CheckpointError> {
        Ok(None)
    }

    fn is_due(&self) -> bool {
        false
    }

    fn save(
        &mut self,
        _: &[&Shard<W>],
        _: &[Vec<usize>],
        _: &Sums<T, W>,
    ) -> Result<(), CheckpointError> {
        Ok(())
    }
}

/// A checkpoint's directory.
struct Directory<'c> {
    checkpoint: &'c Checkpoint,
    /// What makes this search this one.
    purpose: [u8; 32],
    /// The digests of the level files that are there.
    levels: Vec<[u8; 32]>,
    last: Instant,
}

/// The file of sums, but for its beginning and its digest.
#[derive(Serialize, Deserialize)]
struct Written<T, const W: usize> {
    levels: Vec<[u8; 32]>,
    transitions: u64,
    followed: u64,
    blocked_states: u64,
    first: Vec<(u8, u32, Packed<W>)>,
    exhausted: Option<(Packed<W>, u8)>,
    expanded: u64,
    unresolved: Vec<(Packed<W>, u32, u16)>,
    way_outs: bool,
    tally: Vec<u8>,
    #[serde(skip)]
    of: std::marker::PhantomData<T>,
}

fn io(file: &Path) -> impl Fn(std::io::Error) -> CheckpointError + use<> {
    let file = file.display().to_string();
    move |error| CheckpointError::Io { file: file.clone(), error }
}

fn damaged(file: &Path, found: impl Into<String>, expected: &str) -> CheckpointError {
    let file = file.display().to_string();
    CheckpointError::Damaged { file, found: found.into(), expected: expected.to_owned() }
}

impl<'c> Directory<'c> {
    fn new<S: System>(
        frame: &Frame<'_, S>,
        checkpoint: &'c Checkpoint,
    ) -> Result<Self, CheckpointError> {
        let directory = &checkpoint.directory;
        fs::create_dir_all(directory).map_err(io(directory))?;
        let mut digest = Sha256::new();
        digest.update(checkpoint.purpose);
        let layout = &frame.layout;
        digest.update(format!(
            "{} {} {} {} {SHARDS}",
            frame.symmetry, layout.shared_bits, layout.local_bits, layout.processes
        ));
        let purpose = digest.finalize().into();
        Ok(Self { checkpoint, purpose, levels: Vec::new(), last: Instant::now() })
    }

    fn level_file(&self, level: usize) -> PathBuf {
        self.checkpoint.directory.join(format!("level-{level:05}"))
    }

    /// Writes a file whole, or not at all; gives its digest.
    fn write(
        &self,
        path: &Path,
        contents: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<[u8; 32], CheckpointError> {
        let beside = path.with_extension("part");
        let fail = io(&beside);
        let mut out = Digesting {
            out: BufWriter::with_capacity(1 << 20, File::create(&beside).map_err(&fail)?),
            digest: Sha256::new(),
        };
        contents(&mut out).map_err(&fail)?;
        let digest = out.digest.finalize().into();
        let file = out.out.into_inner().map_err(|error| fail(error.into_error()))?;
        file.sync_all().map_err(&fail)?;
        fs::rename(&beside, path).map_err(io(path))?;
        // The new name is on disk once the directory is.
        let directory = &self.checkpoint.directory;
        File::open(directory).and_then(|d| d.sync_all()).map_err(io(directory))?;
        Ok(digest)
    }

    /// Reads a level's states, shard by shard.
    fn read_level<const W: usize>(
        &self,
        level: usize,
        digest: &[u8; 32],
        mut each: impl FnMut(usize, &[Packed<W>]) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        let path = self.level_file(level);
        let fail = io(&path);
        let file = File::open(&path).map_err(&fail)?;
        let mut left = file.metadata().map_err(&fail)?.len();
        let mut input = BufReader::with_capacity(1 << 20, file);
        let mut sha = Sha256::new();
        for shard in 0..SHARDS {
            let mut count = [0; 8];
            let short = || damaged(&path, format!("its end in shard {shard}"), "more states");
            if left < 8 {
                return Err(short());
            }
            input.read_exact(&mut count).map_err(&fail)?;
            sha.update(count);
            left -= 8;
            let count = u64::from_le_bytes(count);
            // A count that is damaged must not be believed.
            if count > left / size_of::<Packed<W>>() as u64 {
                return Err(short());
            }
            left -= count * size_of::<Packed<W>>() as u64;
            let mut states = Vec::with_capacity((count as usize).min(1 << 16));
            let mut bytes = vec![0; size_of::<Packed<W>>()];
            for number in 0..count {
                input.read_exact(&mut bytes).map_err(&fail)?;
                sha.update(&bytes);
                let mut words = [0; W];
                for (word, eight) in words.iter_mut().zip(bytes.chunks_exact(8)) {
                    *word = u64::from_le_bytes(eight.try_into().expect("8 bytes"));
                }
                states.push(Packed(words));
                if states.len() == 1 << 16 || number + 1 == count {
                    each(shard, &states)?;
                    states.clear();
                }
            }
        }
        if left > 0 {
            return Err(damaged(&path, format!("{left} more bytes"), "its end"));
        }
        if sha.finalize()[..] != digest[..] {
            return Err(damaged(&path, "another content", "what was written"));
        }
        Ok(())
    }
}

struct Digesting {
    out: BufWriter<File>,
    digest: Sha256,
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.digest.update(bytes);
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl<T: Serialize + DeserializeOwned, const W: usize> Keep<T, W> for Directory<'_> {
    fn load(
        &mut self,
        shards: &mut [Shard<W>],
        budget: &Budget,
    ) -> Result<Option<(Sums<T, W>, Vec<Vec<usize>>)>, CheckpointError> {
        let path = self.checkpoint.directory.join(SUMS);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(&path)(error)),
        };
        let head = MAGIC.len() + self.purpose.len();
        if bytes.len() < head + 32 {
            return Err(damaged(&path, format!("{} bytes", bytes.len()), "a beginning and an end"));
        }
        let (rest, digest) = bytes.split_at(bytes.len() - 32);
        if rest[..7] != MAGIC[..7] {
            return Err(damaged(&path, "another beginning", "a checkpoint of kmodcheck"));
        }
        if rest[7] != MAGIC[7] {
            let found = format!("version {}", rest[7]);
            return Err(damaged(&path, found, &format!("version {}", MAGIC[7])));
        }
        if Sha256::digest(rest)[..] != *digest {
            return Err(damaged(&path, "another content", "what was written"));
        }
        if rest[MAGIC.len()..head] != self.purpose {
            return Err(CheckpointError::Different { file: path.display().to_string() });
        }
        let unreadable =
            |error: postcard::Error| damaged(&path, error.to_string(), "what was written");
        let written: Written<T, W> = postcard::from_bytes(&rest[head..]).map_err(unreadable)?;
        let tally = postcard::from_bytes(&written.tally).map_err(unreadable)?;
        let mut starts = Vec::new();
        // What is there is loaded whatever the limit; the search looks at that next.
        let loading = Budget::new(None);
        for (level, digest) in written.levels.iter().enumerate() {
            starts.push(shards.iter().map(Shard::len).collect());
            let file = self.level_file(level);
            self.read_level::<W>(level, digest, |shard, states| {
                let before = shards[shard].len();
                shards[shard]
                    .insert(states, &mut u64::MAX.clone(), &loading)
                    .expect("nothing limits it");
                let new = shards[shard].len() - before;
                let all_here = (states.iter()).all(|stored| {
                    shard_of(shards[shard].without_sleep_set(stored).hash()) == shard
                });
                if new != states.len() || !all_here {
                    return Err(damaged(&file, "a state twice or out of place", "each state once"));
                }
                Ok(())
            })?;
        }
        budget.note(loading.held() as usize);
        self.levels = written.levels;
        let mut found = Found::new();
        found.transitions = written.transitions;
        found.followed = written.followed;
        found.blocked_states = written.blocked_states;
        for (property, level, state) in written.first {
            let slot = found.first.get_mut(usize::from(property));
            *slot.ok_or_else(|| damaged(&path, "a property above 63", "what was written"))? =
                Some((level, state));
        }
        found.exhausted = written.exhausted.map(|(state, kind)| (state, Kind(kind)));
        let unresolved = written.unresolved.into_iter();
        let sums = Sums {
            found,
            tally,
            expanded: written.expanded,
            unresolved: unresolved
                .map(|(state, level, mask)| Unresolved { state, level, mask })
                .collect(),
            way_outs: written.way_outs,
        };
        Ok(Some((sums, starts)))
    }

    fn is_due(&self) -> bool {
        self.last.elapsed() >= self.checkpoint.every
    }

    fn save(
        &mut self,
        shards: &[&Shard<W>],
        starts: &[Vec<usize>],
        sums: &Sums<T, W>,
    ) -> Result<(), CheckpointError> {
        for level in self.levels.len()..starts.len() {
            let digest = self.write(&self.level_file(level), |out| {
                for (number, shard) in shards.iter().enumerate() {
                    let from = starts[level][number];
                    let to = starts.get(level + 1).map_or(shard.len(), |next| next[number]);
                    out.write_all(&((to - from) as u64).to_le_bytes())?;
                    for state in shard.pieces(from, to).flatten() {
                        for word in state.0 {
                            out.write_all(&word.to_le_bytes())?;
                        }
                    }
                }
                Ok(())
            })?;
            self.levels.push(digest);
        }
        let path = self.checkpoint.directory.join(SUMS);
        let found = &sums.found;
        let encoded =
            |error: postcard::Error| damaged(&path, error.to_string(), "what can be written");
        let written = Written::<T, W> {
            levels: self.levels.clone(),
            transitions: found.transitions,
            followed: found.followed,
            blocked_states: found.blocked_states,
            first: (found.first.iter().zip(0..))
                .filter_map(|(first, property)| first.map(|(level, s)| (property, level, s)))
                .collect(),
            exhausted: found.exhausted.map(|(state, kind)| (state, kind.0)),
            expanded: sums.expanded,
            unresolved: sums.unresolved.iter().map(|u| (u.state, u.level, u.mask)).collect(),
            way_outs: sums.way_outs,
            tally: postcard::to_allocvec(&sums.tally).map_err(encoded)?,
            of: std::marker::PhantomData,
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.purpose);
        bytes.extend(postcard::to_allocvec(&written).map_err(encoded)?);
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        self.write(&path, |out| out.write_all(&bytes))?;
        self.last = Instant::now();
        Ok(())
    }
}
