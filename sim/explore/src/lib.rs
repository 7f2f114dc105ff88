//! Explorers of systems of interchangeable processes. This crate decides *how* to search; it knows
//! no kernel, no module and no property, and depends on nothing else of this workspace.
//!
//! A [`System`] describes processes: shared state, kinds of processes with a local state each, and
//! one step function. Everything that speaks of whole states is derived from it here:
//! [`Product`] is the system with a fixed number of processes, [`bfs`] explores it exhaustively,
//! its [`Stuck`] processes are those that nothing can ever wake, [`replay()`] re-executes a found trace
//! without packing, hashing or symmetry.
//!
//! # A first search
//!
//! Two processes increment one counter, each by reading it and writing back what it read plus one.
//! When both are done, is the counter 2?
//!
//! ```
//! use kmodcheck_explore::*;
//!
//! struct LostUpdate;
//!
//! const READ: Local = 1; // 0 is for processes not started
//! const WRITE: Local = 2; // 2, 3, 4: about to write back 0, 1 or 2, plus one
//! const DONE: Local = 5;
//!
//! impl System for LostUpdate {
//!     type Label = &'static str;
//!     fn shared_bits(&self) -> u32 {
//!         2 // the counter
//!     }
//!     fn local_bits(&self) -> u32 {
//!         3
//!     }
//!     fn initial(&self) -> Initial {
//!         Initial { shared: 0, processes: vec![(Kind(0), READ), (Kind(0), READ)] }
//!     }
//!     fn step(&self, _: Kind, counter: Shared, at: Local, choices: &mut Vec<Choice<Self::Label>>) {
//!         let (shared, local, label, reads, writes) = match at {
//!             READ => (counter, WRITE + counter as Local, "read", 0b11, 0),
//!             DONE => return,
//!             _ => (Shared::from(at - WRITE) + 1, DONE, "write", 0, 0b11),
//!         };
//!         let footprint = Footprint { reads, writes };
//!         let (effect, way_out) = (Effect::None, WayOut::Ordinary);
//!         choices.push(Choice { shared, local, effect, way_out, footprint, label });
//!     }
//!     fn observe(&self, _: Kind, _: Shared, _: Shared, at: Local) -> Local {
//!         at // remembers nothing of what others do
//!     }
//!     fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
//!         None // nobody ever sleeps
//!     }
//!     fn returned(&self, _: Kind, at: Local) -> bool {
//!         at == DONE
//!     }
//! }
//!
//! let properties = Properties::new().never("an update is lost", |counter, processes| {
//!     processes.count(Kind(0), DONE) == 2 && counter != 2
//! });
//! let found = explore(&LostUpdate, &properties, &Options::default())?;
//! assert_eq!(found.end, End::Complete);
//! assert_eq!(found.states, 12);
//! let lost = found.violation("an update is lost").expect("it can be");
//! let trace: Vec<String> = (lost.trace.iter())
//!     .map(|step| format!("process {} {}s", step.actor, step.label))
//!     .collect();
//! println!("{}", trace.join("\n")); // the shortest way to lose an update
//! assert_eq!(
//!     trace,
//!     ["process 0 reads", "process 1 reads", "process 0 writes", "process 1 writes"]
//! );
//! assert_eq!(found.stuck, None);
//! # Ok::<(), kmodcheck_explore::bfs::Unexplorable>(())
//! ```

pub mod ask;
pub mod bfs;
mod collections;
pub mod counted;
pub mod counterexample;
pub mod coverability;
#[cfg(feature = "distributed")]
pub mod distributed;
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

// Where things were before; to be taken away once no other crate says so.
#[doc(hidden)]
pub use ask as stuck;
#[doc(hidden)]
pub use liveness as fair;
#[doc(hidden)]
pub use system as product;

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
