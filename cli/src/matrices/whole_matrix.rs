//! The whole main matrix, for commands that are worth nothing with a part of it.

use kmodcheck_explore::End;
use kmodcheck_properties::matrix::{self, Cell, CellReport};
use kmodcheck_properties::recorded;
use kmodcheck_properties::theorem::{self, Outcome};

use crate::args::Arguments;
use crate::input::session;
use crate::output::{Ended, bars};

/// Whether what was explored differs from the record, or a claim falls.
pub(crate) fn differs(reports: &[CellReport]) -> bool {
    !recorded::differences(reports).is_empty()
        || theorem::standings(reports).iter().any(|s| s.outcome() == Outcome::Falls)
}

/// Explores every cell. How the command ends, if that was interrupted or cut: how far it came is then
/// said on stderr.
pub(crate) fn explored(arguments: &Arguments, wanted: &str) -> Result<Vec<CellReport>, Ended> {
    let cells = Cell::all();
    let bar = bars::bar(cells.len());
    let threads = session::threads(arguments);
    let limits = session::limits(arguments);
    let reports = matrix::run(&cells, threads, limits, session::interrupt(), &|_| bar.inc(1));
    bar.finish_and_clear();
    let complete = |r: &&CellReport| r.reports.iter().all(|(_, r)| r.end == End::Complete);
    let complete = reports.iter().filter(complete).count();
    if complete == cells.len() {
        return Ok(reports);
    }
    crate::output::note!(
        "kmodcheck: no {wanted}: {complete} of {} cells were explored completely, limits: {}",
        cells.len(),
        session::limits_in_words(&limits)
    );
    Err(Ended::of(differs(&reports), true))
}
