//! Exhaustive breadth-first search.
//!
//! - Paper: E. F. Moore, 'The shortest path through a maze', 1959; as explicit-state model
//!   checking, C. H. West, 'General technique for communications protocol validation', 1978.
//!   Symmetry by canonical representatives: C. N. Ip and D. L. Dill, 'Better verification through
//!   symmetry', 1996.
//! - Decides: every property of single transitions, with a shortest counterexample each; which
//!   processes can get stuck ([`crate::Stuck`]).
//! - Needs of the system: a finite state space, nothing else.
//! - Costs: of each state what its place in a table does not say (`visited.rs`); a level or two whole; nothing
//!   for traces (`levels.rs`).
//!
//! The result depends neither on the order within a level nor on the number of threads: of the
//! violating transitions of the first level that has one, the one from the least packed state is
//! taken, and each state on the way there is the least predecessor of the next.

mod barrier;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
pub(crate) mod entry;
pub(crate) mod expand;
pub(crate) mod explore;
pub(crate) mod frame;
mod frontier;
pub(crate) mod keep;
pub(crate) mod levels;
pub(crate) mod mix;
mod numbers;
pub(crate) mod packed;
pub(crate) mod recent;
pub(crate) mod rescue;
mod roots;
mod rows;
pub(crate) mod search;
pub(crate) mod sleep;
mod slots;
pub(crate) mod source;
pub(crate) mod steps;
pub(crate) mod stuck;
mod table;
mod undisturbed;
pub(crate) mod visited;

pub use explore::{Exhaustive, explore};

// Where things were before.
#[doc(hidden)]
pub use crate::ask::{CountOnly, Monitor, Tally, Unexplorable, Violation};
#[doc(hidden)]
pub use crate::system::TraceStep;
