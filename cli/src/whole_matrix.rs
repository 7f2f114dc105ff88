//! The whole main matrix, for commands that are worth nothing with a part of it.

use kmodcheck_explore::End;
use kmodcheck_properties::matrix::{self, Cell, CellReport};

use crate::args::Arguments;
use crate::{options, progress};

/// Explores every cell. `None` if that was interrupted or cut: how far it came is then said on
/// stderr.
pub(crate) fn explored(arguments: &Arguments, wanted: &str) -> Option<Vec<CellReport>> {
    let cells = Cell::all();
    let bar = progress::bar(cells.len());
    let threads = options::threads(arguments);
    let limits = options::limits(arguments);
    let reports = matrix::run(&cells, threads, limits, options::interrupt(), &|_| bar.inc(1));
    bar.finish_and_clear();
    let complete = |r: &&CellReport| r.reports.iter().all(|(_, r)| r.end == End::Complete);
    let complete = reports.iter().filter(complete).count();
    if complete == cells.len() {
        return Some(reports);
    }
    anstream::eprintln!(
        "kmodcheck: no {wanted}: {complete} of {} cells were explored completely, limits: {}",
        cells.len(),
        options::limits_in_words(&limits)
    );
    None
}
