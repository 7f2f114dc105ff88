//! Long searches that can be stopped at any moment, also by a power cut, and gone on with.
//!
//! - After a level, if it is time, the states found since the last time are written, one file a level, and
//!   then one file with the sums: counts, first violations, what the monitor has counted, and the digests
//!   of all level files. Each file is written beside its place, flushed, and renamed; the sums last. So
//!   at any moment the directory holds one whole checkpoint, and perhaps the beginning of the next.
//! - A file that is not, byte for byte, what was written is refused by name, and so is a checkpoint of
//!   another build, of another system, or of the same one searched otherwise.
//! - The first levels are explored anew and compared (`beginning`), and the rest must be consistent: each
//!   state once, in its form and place, the sums in accord with the states. What is no damage but a
//!   forgery, with all digests made anew, can still lie about the later levels: to know better is to
//!   explore them. It ends in an error or an answer, not in a panic.
//! - Costs: the packed states once on disk; about the time to write them. A level is the least that is
//!   lost.

mod beginning;
mod directory;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use directory::{Build, Checkpoint};

use crate::ask::{Exploration, Explorer, Method, Monitor, Options};
use crate::bfs::explore::{Outcome, conclude, outcome};
pub use crate::bfs::keep::CheckpointError;
use crate::bfs::search::Search;
use crate::bfs::source::{AnyWidth, Asked, Counted, Of};
use crate::system::System;
use directory::Directory;

/// Explores as [`crate::explore`] does, from the checkpoint in the directory if there is one, and leaves
/// checkpoints there. A search that is gone on with has the same result as one that never stopped. What
/// the monitor counts must be serialized alike whenever it is equal.
///
/// # Errors
/// See [`CheckpointError`].
pub fn explore_from_checkpoint<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    options: &Options<'_>,
    checkpoint: &Checkpoint,
) -> Result<Exploration<S::Label, M::Tally>, CheckpointError>
where
    M::Tally: Serialize + DeserializeOwned,
{
    let (asked, words) = Asked::new(system, monitor, options)?;
    // Asked anew of the first levels, so that nothing is counted twice.
    let (again, _) = Asked::new(system, monitor, options)?;
    let outcome = run_packed(words, (&asked, &asked), (&again, &again), options, checkpoint)?;
    Ok(conclude(outcome, asked))
}

impl<S: System, M: Monitor<S::Label>> Explorer<S, M> for &Checkpoint
where
    M::Tally: Serialize + DeserializeOwned,
{
    type Error = CheckpointError;

    fn method(&self, options: &Options<'_>) -> Method {
        super::explore::method(options.symmetry)
    }

    fn explore(
        self,
        system: &S,
        monitor: &M,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, CheckpointError> {
        explore_from_checkpoint(system, monitor, options, self)
    }
}

fn run_packed(
    words: usize,
    (asked, counted): (&dyn AnyWidth, &dyn Counted),
    (again, counted_again): (&dyn AnyWidth, &dyn Counted),
    options: &Options<'_>,
    checkpoint: &Checkpoint,
) -> Result<Outcome, CheckpointError> {
    match words {
        1 => run::<1>((asked, counted), (again, counted_again), options, checkpoint),
        2 => run::<2>((asked, counted), (again, counted_again), options, checkpoint),
        4 => run::<4>((asked, counted), (again, counted_again), options, checkpoint),
        _ => run::<8>((asked, counted), (again, counted_again), options, checkpoint),
    }
}

fn run<const W: usize>(
    (source, counted): Of<'_, W>,
    again: Of<'_, W>,
    options: &Options<'_>,
    checkpoint: &Checkpoint,
) -> Result<Outcome, CheckpointError> {
    let mut directory = Directory::<W>::new(source.frame(), counted, checkpoint)?;
    let written = directory.read_sums()?;
    if let Some(written) = &written {
        beginning::compare(again, options, &directory, written)?;
    }
    let goes_on = written.is_some();
    directory.written = written;
    let mut search = || {
        let searched = Search::run(source, options, &mut directory)?;
        Ok(outcome(searched, &mut |levels, ends| levels.paths(ends)))
    };
    if !goes_on {
        return search();
    }
    catch_unwind(AssertUnwindSafe(search)).unwrap_or_else(|panic| {
        let directory = checkpoint.directory.display().to_string();
        Err(CheckpointError::Failed { directory, what: message(&*panic) })
    })
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
