//! Explorers of systems of interchangeable processes. This crate decides *how* to search; it knows
//! no kernel, no module and no property, and depends on nothing else of this workspace.
//!
//! A [`System`] describes processes: shared state, kinds of processes with a local state each, and
//! one step function. Everything that speaks of whole states is derived from it here:
//! [`Product`] is the system with a fixed number of processes, [`bfs`] explores it exhaustively,
//! [`stuck`] finds processes that nothing can ever wake, [`replay`] re-executes a found trace
//! without packing, hashing or symmetry. What the search of the product is made of can be used by
//! itself: [`packed`] states, the tabulated step function in [`steps`], the [`visited`] set.
//!
//! # A first search
//!
//! Two processes increment one counter, each by reading it and writing back what it read plus one.
//! When both are done, is the counter 2?
//!
//! ```
//! use kmodcheck_explore::bfs::Monitor;
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
//! struct BothCounted;
//!
//! impl Monitor<LostUpdate> for BothCounted {
//!     type Tally = (); // counts nothing
//!     fn violates(&self, transition: &Transition<'_, &'static str>) -> u64 {
//!         let after = transition.after;
//!         u64::from(after.locals[..2] == [DONE, DONE] && after.shared != 2)
//!     }
//! }
//!
//! let found = explore(&LostUpdate, &BothCounted, &Options::default())?;
//! assert_eq!(found.end, End::Complete);
//! assert_eq!(found.states, 12);
//! let trace: Vec<String> = (found.violations[0].trace.iter())
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

pub mod bfs;
pub mod checkpoint;
pub mod concrete;
pub mod counted;
pub mod coverability;
pub mod directed;
pub mod distributed;
mod expand;
pub mod fair;
pub mod fewest_switches;
pub mod limits;
pub mod packed;
pub mod por;
pub mod product;
mod recent;
pub mod reduce;
pub mod reorder;
pub mod replay;
mod search;
pub mod sleep;
pub mod steps;
pub mod stuck;
pub mod system;
mod threads;
mod trace;
pub mod visited;
pub mod walk;
pub mod watch;

pub use bfs::{Exploration, Violation, explore};
pub use counted::{Counted, explore_counted};
pub use directed::{Directed, Lead, Stopped, explore_directed};
pub use limits::{End, Limits, Options, Progress};
pub use por::{Deadlock, Reduced, explore_reduced};
pub use product::{Configuration, MAX_PROCESSES, Product, Step, Transition};
pub use system::{
    Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};
pub use threads::{map_on_threads, on_threads};
pub use watch::{Census, EachStep, Watch, WatchNothing};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
