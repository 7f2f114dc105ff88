//! A program as it is, run with its system calls held, and what it does for every answer that it can get.
//!
//! What a program asks of the kernel's modules is answered by who runs it ([`question`]); its files it reads for real
//! ([`view`]); whatever else it tries is refused by name. At each question its process is compared with all that were
//! held before: equal registers, memory and descriptors have the same future, so that what a program does is a finite
//! automaton ([`automaton`]), learned without a conjecture ([`learn`]).

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod arch;
pub mod automaton;
pub mod cache;
mod calls;
mod digest;
pub mod launch;
pub mod learn;
mod process;
pub mod question;
pub mod trie;
pub mod view;

pub use automaton::Automaton;
pub use process::{HeldError, Launcher, Program};
pub use question::{Answer, Question};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What another build has
/// learned is learned anew.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
