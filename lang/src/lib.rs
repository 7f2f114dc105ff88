//! Small concurrent programs in the C of the Linux kernel's litmus tests, compiled to a
//! [`System`](kmodcheck_explore::System): several processes, the kernel's locks, waits and atomics, and a question
//! about the states in which they end. `docs/language.md` has the grammar and what each construct means.
//!
//! ```
//! use kmodcheck_explore::Options;
//! use kmodcheck_lang::{Observation, Program};
//!
//! let program = Program::read(
//!     "lost.litmus",
//!     "C lost-update
//!      {}
//!      P0(int *x) { int r = READ_ONCE(*x); WRITE_ONCE(*x, r + 1); }
//!      P1(int *x) { int r = READ_ONCE(*x); WRITE_ONCE(*x, r + 1); }
//!      exists (x=1)",
//! )?;
//! let answer = program.answer(&Options::default())?;
//! assert_eq!(answer.observation, Observation::Sometimes);
//! let trace: Vec<String> = (answer.to_positive.unwrap().iter())
//!     .map(|line| format!("{}: {}", line.process, line.what))
//!     .collect();
//! // A shortest run: both read before either writes.
//! assert_eq!(
//!     trace,
//!     [
//!         "P0: READ_ONCE(*x) == 0",
//!         "P1: READ_ONCE(*x) == 0",
//!         "P1: WRITE_ONCE(*x, r + 1)",
//!         "P0: WRITE_ONCE(*x, r + 1)",
//!     ]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sequentially consistent: every access is seen by everybody in one order. What the kernel's memory model allows
//! beyond that does not come out here; what it forbids is not here either.
//!
//! # From text to steps
//!
//! - `text`: words, syntax tree, errors. The parser is written by hand, recursive descent: a litmus test is three
//!   languages in one file (initial values, C, propositions), in which `(*` begins a comment or follows a pointer,
//!   and every error has to say what was expected there, which is what parsers that are made from a grammar are
//!   worst at; it is a quarter of this crate and needs no dependency.
//! - `lower`: names, types, and code in which every access to what is shared is an *action*; calls are expanded.
//! - `graph`: what is found out before anything runs: the values that variables can have, those that somebody may
//!   still read, locks that are held, what commutes.
//! - `machine`: packed states, steps, and what a step did.
//! - `litmus`: the question, and the answer as herd gives it.
//!
//! Invariant: a step is one action that others can observe. Several are one step only where R. J. Lipton's rule
//! (1975) says that nobody can tell: right movers, at most one action that has its moment, left movers; never
//! across anything that may wait. [`Program::every_access_a_step`] turns it off, and a test compares.
//!
//! Invariant: what a process has no use for any more is not in its state.
//!
//! Invariant: no text makes it panic.
//!
//! A host can give programs functions that it answers for ([`Host`]), with a shared state of its own above theirs.

mod deletions;
mod embedded;
mod graph;
mod host;
mod litmus;
mod lower;
mod machine;
mod mutations;
mod predicate;
pub mod text;

pub use kmodcheck_explore::{Effect, Kind, Queue, WayOut};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");

/// The name of an error, of the negative number that a function returns: `ENOENT` of -2.
pub fn error_name(value: i64) -> Option<&'static str> {
    lower::error_name(value)
}

/// The number that a name of the kernel stands for: 17 for `EEXIST`.
pub fn constant(name: &str) -> Option<i64> {
    lower::constant(name)
}

/// The kernel's functions that the language knows, but for atomics and accesses of memory.
pub const PRIMITIVES: &[&str] = lower::PRIMITIVES;

pub use deletions::{Deletion, deletions};
pub use embedded::{
    Called, Came, Piece, PieceError, Programs, Sources, Standing, Started, Turn, Way, calls,
};
pub use host::{External, Host, NoHost, Outcome as HostOutcome};
pub use litmus::{Agreement, Answer, Blocked, Failing, Line, Observation, Outcome, Program};
pub use machine::Label;
pub use mutations::{Mutation, Operator, mutations};
pub use predicate::{Naming, Predicate};
pub use text::Macro;
