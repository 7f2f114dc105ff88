//! Where a search leaves what it would not like to lose.

#![cfg_attr(not(feature = "checkpoint"), expect(dead_code, reason = "nothing is kept then"))]

use super::frame::Found;
use super::rescue::Unresolved;
use super::visited::Shard;
use crate::ask::Budget;
use crate::ask::Unexplorable;

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
    /// Another build has written it.
    #[error(
        "{file}: found a checkpoint of another build, {found}, expected one of this build, {expected}"
    )]
    OtherBuild {
        /// The file.
        file: String,
        /// The build that wrote it, in hexadecimal digits.
        found: String,
        /// This build, likewise.
        expected: String,
    },
    /// It is of another search.
    #[error(
        "{file}: found a checkpoint of another scenario or way to search, expected one of this"
    )]
    Different {
        /// The file.
        file: String,
    },
    /// What was loaded has made the search panic: it has states that the system cannot be in, or there is
    /// a fault in this program.
    #[error("{directory}: the search that went on from this checkpoint failed: {what}")]
    Failed {
        /// The directory.
        directory: String,
        /// What the panic said.
        what: String,
    },
}

/// What a search has besides its states and what the monitor has counted.
pub(crate) struct Sums<const W: usize> {
    pub found: Found<W>,
    pub expanded: u64,
    pub unresolved: Vec<Unresolved<W>>,
    pub way_outs: bool,
}

/// Where a search leaves what it would not like to lose.
pub(crate) trait Keep<const W: usize> {
    /// What was left, with the states put into the shards: the sums, and by level where it begins in
    /// each shard. What the monitor had counted is added to what it counts.
    #[expect(clippy::type_complexity, reason = "named in the words above")]
    fn load(
        &mut self,
        _shards: &mut [Shard<W>],
        _budget: &Budget,
    ) -> Result<Option<(Sums<W>, Vec<Vec<usize>>)>, CheckpointError> {
        Ok(None)
    }

    /// The first level that has not been saved; the states of earlier ones are not asked for again.
    fn first_to_save(&self) -> usize;

    /// Whether it is time.
    fn is_due(&self) -> bool;

    /// Keeps the states of all levels that begin as in `starts`, of which the last has not been expanded.
    fn save(
        &mut self,
        shards: &[&Shard<W>],
        starts: &[Vec<usize>],
        sums: &Sums<W>,
    ) -> Result<(), CheckpointError>;
}

/// Keeps nothing.
pub(crate) struct Nowhere;

impl<const W: usize> Keep<W> for Nowhere {
    fn first_to_save(&self) -> usize {
        usize::MAX
    }

    fn is_due(&self) -> bool {
        false
    }

    fn save(
        &mut self,
        _: &[&Shard<W>],
        _: &[Vec<usize>],
        _: &Sums<W>,
    ) -> Result<(), CheckpointError> {
        Ok(())
    }
}
