//! The smallest violation, found by the ordinary explorer.

use super::family::Family;
use crate::ask::{End, Monitor, Options, Unexplorable, violated_by};
use crate::bfs::explore::explore;
use crate::system::successor::is_dormant;
use crate::system::{Kind, MAX_PROCESSES, Product, System, TraceStep, replay};

/// What the members of a family do, from the smallest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Smallest<Label> {
    /// So many callers violate the property, and no fewer.
    Violated {
        /// Processes of each kind that is there from the beginning.
        callers: usize,
        /// A shortest trace; its last step violates. It was replayed.
        trace: Vec<TraceStep<Label>>,
    },
    /// No member up to the limit violates it.
    NotUpTo(usize),
    /// A search was cut.
    Cut {
        /// With so many callers.
        callers: usize,
        /// How it ended.
        end: End,
    },
}

/// Explores the members of `family` with 1, 2, ... callers, each exhaustively up to the first
/// violation of `property`, and gives the shortest trace of the first one that violates it.
///
/// # Errors
/// A member that cannot be explored at all.
///
/// # Panics
/// If a found trace does not replay: a fault of the explorer.
pub fn smallest<S: System, M: Monitor<S::Label>>(
    family: &Family<'_, S>,
    monitor: &M,
    property: u32,
    most: usize,
    options: &Options<'_>,
) -> Result<Smallest<S::Label>, Unexplorable> {
    for callers in 1..=most {
        let mut pool = 1;
        let (member, found) = loop {
            let member = family.member(callers, pool);
            let options = Options { stop_when_violated: 1 << property, symmetry: true, ..*options };
            let found = explore(&member, monitor, &options)?;
            let full = Product::new(&member).is_none_or(|p| p.processes() == MAX_PROCESSES);
            match found.end {
                End::PoolExhausted(kind) if has_pool(family, kind) && !full => pool += 1,
                _ => break (member, found),
            }
        };
        if let Some(violation) = found.violations.into_iter().find(|v| v.property == property) {
            let product = Product::new(&member).expect("it was explored");
            let mut last = 0;
            let replayed = replay(&product, &violation.trace, |_, taken| {
                last = violated_by(monitor, &product, taken);
            });
            assert!(replayed.is_ok() && last >> property & 1 != 0, "a found trace replays");
            return Ok(Smallest::Violated { callers, trace: violation.trace });
        }
        if found.end != End::Complete {
            return Ok(Smallest::Cut { callers, end: found.end });
        }
    }
    Ok(Smallest::NotUpTo(most))
}

/// Whether more processes of `kind` can be had.
fn has_pool<S: System>(family: &Family<'_, S>, kind: Kind) -> bool {
    family.crowds().iter().any(|c| c.kind == kind && is_dormant(family.system(), kind, c.local))
}
