//! A checkpoint's directory: what the files are, and how they are written and read.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ask::Budget;
use crate::bfs::frame::{Found, Frame};
use crate::bfs::keep::{CheckpointError, Keep, Sums};
use crate::bfs::packed::Packed;
use crate::bfs::rescue::Unresolved;
use crate::bfs::source::Counted;
use crate::bfs::visited::{LISTED, SHARDS, Shard, shard_of};

/// The first bytes of the file of sums; the last is the version.
const MAGIC: [u8; 8] = *b"kmodckp\x04";

const SUMS: &str = "sums";

/// What an executable was built of, as a digest of the sources of all that a result depends on;
/// [`crate::SOURCES`] is this crate's part.
pub type Build = [u8; 16];

/// Where to keep checkpoints.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The directory. It is made if it is not there; if it holds a checkpoint, the search goes on from
    /// there.
    pub directory: PathBuf,
    /// Write one after the first level that ends so long after the last one.
    pub every: Duration,
    /// What this executable was built of: half of the states of one build and half of another's are the
    /// states of no system.
    pub build: Build,
    /// A digest of all else that makes this search another than others, besides what the search knows.
    pub purpose: [u8; 32],
}

/// A checkpoint's directory.
pub(super) struct Directory<'f, const W: usize> {
    frame: &'f Frame,
    counted: &'f dyn Counted,
    checkpoint: &'f Checkpoint,
    /// What makes this search this one.
    purpose: [u8; 32],
    /// What was read, to be gone on with.
    pub written: Option<Written<W>>,
    /// The digests of the level files that are there.
    levels: Vec<[u8; 32]>,
    last: Instant,
}

/// The file of sums, but for its beginning and its digest.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct Written<const W: usize> {
    pub levels: Vec<[u8; 32]>,
    transitions: u64,
    followed: u64,
    blocked_states: u64,
    first: Vec<(u8, u32, Packed<W>)>,
    expanded: u64,
    unresolved: Vec<(Packed<W>, u32, u16)>,
    way_outs: bool,
    tally: Vec<u8>,
}

impl<const W: usize> Written<W> {
    pub fn new(
        levels: &[[u8; 32]],
        sums: &Sums<W>,
        counted: &dyn Counted,
    ) -> Result<Self, postcard::Error> {
        let found = &sums.found;
        Ok(Self {
            levels: levels.to_vec(),
            transitions: found.transitions,
            followed: found.followed,
            blocked_states: found.blocked_states,
            first: (found.first.iter().zip(0..))
                .filter_map(|(first, property)| first.map(|(level, s)| (property, level, s)))
                .collect(),
            expanded: sums.expanded,
            unresolved: sums.unresolved.iter().map(|u| (u.state, u.level, u.mask)).collect(),
            way_outs: sums.way_outs,
            tally: counted.encoded()?,
        })
    }

    /// What these sums say that cannot be, whatever the states are.
    fn impossible(&self, processes: usize) -> Option<&'static str> {
        // The last level has not been expanded, and a first level of that kind is never written.
        let expanded = (self.levels.len() as u32).checked_sub(1).filter(|levels| *levels > 0);
        let Some(levels) = expanded else { return Some("less than two levels") };
        // Each process has at most as many steps in a state as can be numbered.
        let most = u128::from(self.expanded) * processes as u128 * (1 << u32::BITS);
        let properties = self.first.iter().map(|(property, ..)| *property);
        let masks = self.unresolved.iter().map(|(.., mask)| *mask);
        let all = (1_u32 << processes) - 1;
        if u128::from(self.transitions) > most {
            Some("more transitions than the states can have")
        } else if self.followed > self.transitions {
            Some("more followed transitions than there are")
        } else if self.blocked_states > self.expanded {
            Some("more states with a blocked process than were expanded")
        } else if self.unresolved.len() as u64 > self.blocked_states {
            Some("more states to be looked at again than have a blocked process")
        } else if masks.clone().any(|mask| mask == 0 || u32::from(mask) & !all != 0) {
            Some("a blocked process that there is not")
        } else if properties.clone().any(|property| property > 63)
            || !properties.is_sorted_by(|one, next| one < next)
        {
            Some("properties that are not numbered in order up to 63")
        } else if self.named().any(|(level, _)| level >= levels) {
            Some("a level that was not expanded")
        } else {
            None
        }
    }

    /// The states that are named in the sums, and the levels that they should be in.
    fn named(&self) -> impl Iterator<Item = (u32, Packed<W>)> {
        let violating = self.first.iter().map(|(_, level, state)| (*level, *state));
        violating.chain(self.unresolved.iter().map(|(state, level, _)| (*level, *state)))
    }
}

fn io(file: &Path) -> impl Fn(std::io::Error) -> CheckpointError + use<> {
    let file = file.display().to_string();
    move |error| CheckpointError::Io { file: file.clone(), error }
}

pub(super) fn damaged(file: &Path, found: impl Into<String>, expected: &str) -> CheckpointError {
    let file = file.display().to_string();
    CheckpointError::Damaged { file, found: found.into(), expected: expected.to_owned() }
}

/// Opens a file to be read, and says how long it is. What is no file might never end, or never begin.
fn open(path: &Path) -> Result<(File, u64), CheckpointError> {
    if !fs::metadata(path).map_err(io(path))?.is_file() {
        return Err(damaged(path, "something else", "a file"));
    }
    let file = File::open(path).map_err(io(path))?;
    let len = file.metadata().map_err(io(path))?.len();
    Ok((file, len))
}

impl<'f, const W: usize> Directory<'f, W> {
    pub fn new(
        frame: &'f Frame,
        counted: &'f dyn Counted,
        checkpoint: &'f Checkpoint,
    ) -> Result<Self, CheckpointError> {
        let directory = &checkpoint.directory;
        fs::create_dir_all(directory).map_err(io(directory))?;
        let mut digest = Sha256::new();
        digest.update(checkpoint.purpose);
        let layout = &frame.layout;
        digest.update(format!(
            "{} {} {} {} {} {SHARDS}",
            frame.symmetry,
            frame.follow_all,
            layout.shared_bits,
            layout.local_bits,
            layout.processes
        ));
        let purpose = digest.finalize().into();
        let (written, levels, last) = (None, Vec::new(), Instant::now());
        Ok(Self { frame, counted, checkpoint, purpose, written, levels, last })
    }

    pub fn sums_file(&self) -> PathBuf {
        self.checkpoint.directory.join(SUMS)
    }

    pub fn level_file(&self, level: usize) -> PathBuf {
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
        // What a search that was killed has left there, or somebody else.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let file = File::create_new(&beside).map_err(&fail)?;
        let mut out = Digesting::new(BufWriter::with_capacity(1 << 20, file));
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

    /// What the file of sums says, if there is one.
    pub fn read_sums(&self) -> Result<Option<Written<W>>, CheckpointError> {
        let path = self.sums_file();
        let mut bytes = Vec::new();
        match open(&path) {
            Ok((mut file, _)) => file.read_to_end(&mut bytes).map_err(io(&path))?,
            Err(CheckpointError::Io { error, .. })
                if error.kind() == std::io::ErrorKind::NotFound =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let lens = [MAGIC.len(), size_of::<Build>(), self.purpose.len(), 32];
        if bytes.len() < lens.iter().sum() {
            return Err(damaged(&path, format!("{} bytes", bytes.len()), "a beginning and an end"));
        }
        let (rest, digest) = bytes.split_at(bytes.len() - 32);
        let (magic, after) = rest.split_at(MAGIC.len());
        if magic[..7] != MAGIC[..7] {
            return Err(damaged(&path, "another beginning", "a checkpoint of kmodcheck"));
        }
        if magic[7] != MAGIC[7] {
            let found = format!("version {}", magic[7]);
            return Err(damaged(&path, found, &format!("version {}", MAGIC[7])));
        }
        if Sha256::digest(rest)[..] != *digest {
            return Err(damaged(&path, "another content", "what was written"));
        }
        let (build, after) = after.split_at(size_of::<Build>());
        let (purpose, sums) = after.split_at(self.purpose.len());
        let file = path.display().to_string();
        if build != self.checkpoint.build {
            let (found, expected) = (crate::hex(build), crate::hex(&self.checkpoint.build));
            return Err(CheckpointError::OtherBuild { file, found, expected });
        }
        if purpose != self.purpose {
            return Err(CheckpointError::Different { file });
        }
        let unreadable =
            |error: postcard::Error| damaged(&path, error.to_string(), "what was written");
        let (written, more) = postcard::take_from_bytes::<Written<W>>(sums).map_err(unreadable)?;
        if !more.is_empty() {
            return Err(damaged(&path, format!("{} more bytes", more.len()), "its end"));
        }
        match written.impossible(self.frame.layout.processes) {
            Some(what) => Err(damaged(&path, what, "what can be")),
            None => Ok(Some(written)),
        }
    }

    /// Reads a level's states, shard by shard.
    fn read_level(
        &self,
        level: usize,
        digest: &[u8; 32],
        mut each: impl FnMut(usize, &[Packed<W>]) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        let path = self.level_file(level);
        let fail = io(&path);
        let (file, mut left) = open(&path)?;
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

    /// Puts the states of the level files into the shards. By level: where it begins in each shard.
    fn load_levels(
        &self,
        written: &Written<W>,
        shards: &mut [Shard<W>],
        budget: &Budget,
    ) -> Result<Vec<Vec<usize>>, CheckpointError> {
        let (frame, mix) = (self.frame, self.frame.mix());
        let all = |shards: &[Shard<W>]| shards.iter().map(Shard::len).sum::<usize>() as u64;
        let (mut starts, mut expanded) = (Vec::new(), 0);
        for (level, digest) in written.levels.iter().enumerate() {
            starts.push(shards.iter().map(Shard::len).collect());
            expanded = all(shards);
            let named = written.named().filter(|(of, _)| *of as usize == level);
            let mut named: HashSet<[u64; W]> = named.map(|(_, state)| state.0).collect();
            // The level before has been read: but for those that cannot be found again otherwise, it is done.
            let done: &Vec<usize> = &starts[level.min(LISTED as usize)];
            for (shard, done) in shards.iter_mut().zip(done) {
                shard.forget(*done, budget);
            }
            let file = self.level_file(level);
            self.read_level(level, digest, |number, states| {
                let shard = &mut shards[number];
                let before = shard.len();
                // Only what there is limits it.
                shard
                    .insert(states, level as u32, &mut u64::MAX.clone(), budget)
                    .map_err(|_| io(&file)(std::io::ErrorKind::OutOfMemory.into()))?;
                let new = shard.len() - before;
                let in_its_form = states.iter().all(|stored| {
                    let state = shard.without_sleep_set(stored);
                    named.remove(&state.0);
                    shard_of(mix.of_state(&state)) == number
                        && frame.packed::<W>(&frame.layout.unpack(&state)) == state
                });
                if new != states.len() || !in_its_form {
                    return Err(damaged(&file, "a state twice or out of place", "each state once"));
                }
                Ok(())
            })?;
            if all(shards) == expanded {
                return Err(damaged(&file, "no state", "the states of a level"));
            }
            if !named.is_empty() {
                let found = format!("a state of level {level} that is not in it");
                return Err(damaged(&self.sums_file(), found, "states that were written"));
            }
        }
        if expanded != written.expanded {
            let found = format!("{} expanded states", written.expanded);
            return Err(damaged(&self.sums_file(), found, &format!("{expanded}")));
        }
        Ok(starts)
    }
}

/// Writes the states of a level, shard by shard, each of which begins with their number.
pub(super) fn write_level<const W: usize>(
    out: &mut dyn Write,
    shards: &[&Shard<W>],
    starts: &[Vec<usize>],
    level: usize,
) -> std::io::Result<()> {
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
}

/// Writes on, and makes a digest of what goes through.
pub(super) struct Digesting<O> {
    out: O,
    pub digest: Sha256,
}

impl<O: Write> Digesting<O> {
    pub fn new(out: O) -> Self {
        Self { out, digest: Sha256::new() }
    }
}

impl<O: Write> Write for Digesting<O> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.digest.update(bytes);
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl<const W: usize> Keep<W> for Directory<'_, W> {
    fn load(
        &mut self,
        shards: &mut [Shard<W>],
        budget: &Budget,
    ) -> Result<Option<(Sums<W>, Vec<Vec<usize>>)>, CheckpointError> {
        let Some(written) = self.written.take() else { return Ok(None) };
        // What is there is loaded whatever the limit; the search looks at that next.
        let loading = Budget::new(None);
        let starts = self.load_levels(&written, shards, &loading)?;
        budget.note(loading.held() as usize);
        self.counted
            .add_encoded(&written.tally)
            .map_err(|error| damaged(&self.sums_file(), error.to_string(), "what was written"))?;
        self.levels = written.levels;
        let mut found = Found::new();
        found.transitions = written.transitions;
        found.followed = written.followed;
        found.blocked_states = written.blocked_states;
        for (property, level, state) in written.first {
            found.first[usize::from(property)] = Some((level, state));
        }
        let unresolved = written.unresolved.into_iter();
        let sums = Sums {
            found,
            expanded: written.expanded,
            unresolved: unresolved
                .map(|(state, level, mask)| Unresolved { state, level, mask })
                .collect(),
            way_outs: written.way_outs,
        };
        Ok(Some((sums, starts)))
    }

    fn first_to_save(&self) -> usize {
        self.levels.len()
    }

    fn is_due(&self) -> bool {
        self.last.elapsed() >= self.checkpoint.every
    }

    fn save(
        &mut self,
        shards: &[&Shard<W>],
        starts: &[Vec<usize>],
        sums: &Sums<W>,
    ) -> Result<(), CheckpointError> {
        for level in self.levels.len()..starts.len() {
            let file = self.level_file(level);
            let digest = self.write(&file, |out| write_level(out, shards, starts, level))?;
            self.levels.push(digest);
        }
        let path = self.sums_file();
        let encoded =
            |error: postcard::Error| damaged(&path, error.to_string(), "what can be written");
        let written = Written::new(&self.levels, sums, self.counted).map_err(encoded)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.checkpoint.build);
        bytes.extend(self.purpose);
        bytes.extend(postcard::to_allocvec(&written).map_err(encoded)?);
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        self.write(&path, |out| out.write_all(&bytes))?;
        self.last = Instant::now();
        Ok(())
    }
}
