//! Safety for any number of processes.
//!
//! A [`Family`] is a system with any number of interchangeable processes of some kinds. What each
//! of them may do depends on the shared state and its own local state only, so more processes can do
//! whatever fewer can: the family is a well-structured transition system, and it is decidable
//! whether any number of processes can violate a property of single transitions.
//!
//! [`Setup::new`] over-approximates once, for all properties, what can be reached, without history
//! (`table`, `views`); with that as a guide it follows the history of one tagged process.
//! [`Setup::possibly_violated`] says what this forward method cannot exclude; for what it does
//! exclude, [`Setup::invariant`] gives an [`Invariant`] that can be checked without any of this.
//! [`Setup::prove`] closes the set of bad configurations backward (`backward`), which decides in any
//! case: it finds a [`Proof`], or that some number of processes may violate the property, which
//! counts only when [`smallest`] has found the violation with the ordinary explorer.
//!
//! Nothing is over-approximated in the verdict: histories are forgotten only of processes of whom no
//! property speaks, and a wake-up of all sleepers is a broadcast.

mod backward;
pub(crate) mod build;
mod family;
pub(crate) mod forward;
mod invariant;
pub(crate) mod question;
mod setup;
mod smallest;
pub(crate) mod table;
mod views;

pub use family::{Crowd, Family, MAX_SLOTS, Member, NoFamily};
pub use invariant::{Excluded, Invariant, Tagged};
pub use question::{Minimal, Outcome, Proof, Question, Sizes, Undecided};
pub use setup::Setup;
pub use smallest::{Smallest, smallest};
