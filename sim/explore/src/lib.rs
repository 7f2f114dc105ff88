//! Explorers of systems of interchangeable processes: what can happen when several of them share a state and
//! step in any order? This crate decides *how* to search. What is searched is a [`System`]: what they share,
//! kinds of processes with a local state each, and one step function.
//!
//! # A first search
//!
//! Two processes increment one counter, each by reading it and writing back what it read plus one. When both
//! are done, is the counter 2? The system and the question, in twenty lines:
//!
//! ```
//! use kmodcheck_explore::*;
//!
//! struct LostUpdate;
//! const READ: Local = 0; // about to read; 1, 2 and so on: about to write that
//! const DONE: Local = 9;
//! impl System for LostUpdate {
//!     type Label = &'static str;
//!     fn initial(&self) -> Initial {
//!         Initial::new(0, [(Kind(0), READ), (Kind(0), READ)])
//!     }
//!     fn step(&self, _: Kind, counter: Shared, at: Local, choices: &mut Vec<Choice<&'static str>>) {
//!         choices.extend(match at {
//!             READ => Some(Choice::new(counter, 1 + counter as Local, "reads")),
//!             DONE => None,
//!             sum => Some(Choice::new(Shared::from(sum), DONE, "writes")),
//!         });
//!     }
//! }
//! let lost = |counter, all: &dyn Census| all.count(Kind(0), DONE) == 2 && counter != 2;
//! let properties = Properties::new().never("an update is lost", lost);
//! let found = explore(&LostUpdate, &properties, &Options::default())?;
//!
//! assert!(found.is_exhaustive());
//! let lost = found.violation("an update is lost").expect("one can be");
//! let trace: Vec<_> = (lost.trace.iter())
//!     .map(|step| format!("process {} {}", step.actor, step.label))
//!     .collect();
//! // The shortest way to lose one.
//! assert_eq!(
//!     trace,
//!     ["process 0 reads", "process 1 reads", "process 0 writes", "process 1 writes"]
//! );
//! # Ok::<(), Unexplorable>(())
//! ```
//!
//! A process that has no step and has not [returned](System::returned) is blocked, and the search says who is
//! blocked for good: here both, once they are done, because the system does not say that they have returned.
//! Waiting and waking, processes that start others, and what a process remembers of changes by others are the
//! other functions of [`System`]. Fewer bits ([`System::shared_bits`]) make states smaller and a search faster.
//! `examples/` has Peterson's algorithm, two-phase commit, and a semaphore that loses a wake-up.
//!
//! # Which search
//!
//! - [`explore`]: all states of up to [`MAX_PROCESSES`] processes, breadth first, on all processors; with
//!   checkpoints (`checkpoint`), or over several machines (`distributed`).
//! - [`counted`]: many processes of one kind, counted instead of numbered: exhaustively, in search of a
//!   violation, or leaving out orders of steps that commute.
//! - [`liveness`]: does everybody come to an end? [`coverability`]: with any number of processes?
//!   [`walk`]: what random runs find.
//! - [`counterexample`]: a trace made short, and what one step in another place would change; [`replay()`]
//!   takes it again, without packing, hashing or symmetry.
//!
//! # Words
//!
//! - *actor*: the process that steps; its *alternatives* in a state are numbered from 0 (the *ordinal*).
//! - *anonymous*: a process of whose history nothing is known; *tagged*: the one whose history is followed.
//! - *at rest*: has returned, or is *dormant*: was not started yet, or has ended. Nobody waits for it to step.
//! - *blocked*: not at rest, and without an ordinary step; *stuck*: blocked, whatever others do.
//! - *canonical*: of the states that differ only by exchanging processes of one kind (an *orbit*) the one in
//!   which these are in ascending order of their local states. With symmetry it is stored for all.
//! - *census*: how many processes are where.
//! - *control state*, *letter*: in proofs for any number, what is followed one by one, and the anonymous local
//!   state of one of the others.
//! - *effect*: what a step does to other processes; *history*: what they remember of it ([`System::observe`]).
//! - *footprint*: what a step declares to read and write; *interference*: what is found out about that.
//! - *followed*: a transition whose end is looked up among the *stored* states. All are counted and judged.
//! - *lasso*: a run that ends in a loop: a stem, and a cycle.
//! - *level*: the states at one distance from the initial one. *Shard*: one of the tables that have them.
//! - *monitor*: what is asked of steps, states and transitions, and what is counted on the way.
//! - *product*: a system with a fixed number of numbered processes.
//! - *rescue*: one process, running alone, brings a blocked one to where it can step.
//! - *sleep set*: the processes whose steps need not be followed from a state, since another order is.
//! - *way out*: a step that ends a wait and is not the system's doing: a time-out, or a kill.
//! - *word*: 64 bits of a packed state.

#[cfg(test)]
extern crate self as kmodcheck_explore;

pub mod ask;
pub mod bfs;
mod collections;
pub mod counted;
pub mod counterexample;
pub mod coverability;
#[cfg(feature = "distributed")]
pub mod distributed;
#[cfg(test)]
mod forms;
mod hex;
pub mod liveness;
pub mod system;
mod threads;
pub mod walk;

pub use ask::{
    Asks, CountOnly, End, Exploration, Explorer, Limits, Method, Monitor, Options, Own, Progress,
    Properties, Sleep, Sleeper, Stuck, Tally, Unexplorable, Violation,
};
#[cfg(feature = "checkpoint")]
pub use bfs::checkpoint;
pub use bfs::{Exhaustive, explore};
pub use counted::{Counted, Directed, Reduced, explore_counted, explore_directed, explore_reduced};
pub use counterexample::{fewest_switches, reduce, reorder};
pub use hex::hex;
pub use system::{
    Census, Choice, Configuration, DORMANT, Effect, Fault, Footprint, Impossible, Initial, Kind,
    Local, MAX_PROCESSES, PoolExhausted, Product, Queue, Shared, Step, System, TraceStep,
    Transition, WayOut, Wrong, concrete, replay,
};
pub use threads::{map_on_threads, on_threads};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
