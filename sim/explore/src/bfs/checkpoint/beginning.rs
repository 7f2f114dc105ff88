//! The first levels of a checkpoint, explored anew and compared: a checkpoint whose states this build would
//! not have found is refused, whatever its digests say.
//!
//! A search stores the same states in the same order on any number of threads, so a level that is found
//! again has the same bytes. A checkpoint that is small is compared whole, with its sums.

use std::io::sink;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::Digest;

use super::directory::{Digesting, Directory, Written, damaged, write_level};
use crate::ask::{Limits, Options};
use crate::bfs::keep::{CheckpointError, Keep, Sums};
use crate::bfs::search::Search;
use crate::bfs::source::{Counted, Of};
use crate::bfs::visited::Shard;

/// States after which it is enough: what is explored in a moment.
const ENOUGH: usize = 1 << 14;

/// Explores the first levels, and compares them with those that were written.
pub(super) fn compare<const W: usize>(
    (source, counted): Of<'_, W>,
    options: &Options<'_>,
    directory: &Directory<'_, W>,
    written: &Written<W>,
) -> Result<(), CheckpointError> {
    let over = AtomicBool::new(false);
    let mut beginning = Beginning { counted, directory, written, compared: 0, over: &over };
    let again = Options {
        limits: Limits::default(),
        interrupt: Some(&over),
        progress: None,
        stop_when_violated: 0,
        threads: 1,
        ..*options
    };
    Search::run(source, &again, &mut beginning)?;
    let compared = beginning.compared;
    if over.into_inner() {
        return Ok(());
    }
    let (found, expected) = (written.levels.len(), format!("at most {compared}"));
    Err(damaged(&directory.sums_file(), format!("{found} levels"), &expected))
}

struct Beginning<'d, 'f, const W: usize> {
    counted: &'d dyn Counted,
    directory: &'d Directory<'f, W>,
    written: &'d Written<W>,
    /// Levels that were compared.
    compared: usize,
    /// Set when it is enough.
    over: &'d AtomicBool,
}

impl<const W: usize> Keep<W> for Beginning<'_, '_, W> {
    fn first_to_save(&self) -> usize {
        self.compared
    }

    fn is_due(&self) -> bool {
        true
    }

    fn save(
        &mut self,
        shards: &[&Shard<W>],
        starts: &[Vec<usize>],
        sums: &Sums<W>,
    ) -> Result<(), CheckpointError> {
        let (directory, levels) = (self.directory, &self.written.levels);
        for (level, expected) in levels.iter().enumerate().take(starts.len()).skip(self.compared) {
            let mut digest = Digesting::new(sink());
            let file = directory.level_file(level);
            let same = write_level(&mut digest, shards, starts, level).is_ok()
                && digest.digest.finalize()[..] == *expected;
            if !same {
                return Err(damaged(&file, "other states", "those that the search finds"));
            }
        }
        self.compared = starts.len();
        let enough = shards.iter().map(|shard| shard.len()).sum::<usize>() > ENOUGH;
        if self.compared == levels.len() {
            if !Written::new(levels, sums, self.counted).is_ok_and(|again| again == *self.written) {
                let (file, expected) = (directory.sums_file(), "those that the search counts");
                return Err(damaged(&file, "other sums", expected));
            }
        } else if !enough {
            return Ok(());
        }
        self.over.store(true, Ordering::Relaxed);
        Ok(())
    }
}
