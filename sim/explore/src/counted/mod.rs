//! Many interchangeable processes: how many are where, not who.
//!
//! [`explore_counted`] is exhaustive, [`explore_directed`] looks for violations and gives no verdict,
//! [`explore_reduced`] leaves out what commutes; one form of states serves all three.

pub(crate) mod countable;
pub(crate) mod directed;
pub(crate) mod encoded;
pub(crate) mod exhaustive;
pub(crate) mod footprint;
pub(crate) mod reduced;
mod sleep;
pub(crate) mod space;
pub(crate) mod states;
pub(crate) mod store;
mod stuck;

pub use countable::MAX_COUNTED;
pub use directed::{Directed, GROWTH, explore_directed};
pub use exhaustive::{Counted, explore_counted};
pub use reduced::{PASS, Reduced, explore_reduced};
