//! Explorers of systems of interchangeable processes. This crate decides *how* to search; it knows
//! no kernel, no module and no property, and depends on nothing else of this workspace.
//!
//! A [`System`] describes processes: shared state, kinds of processes with a local state each, and
//! one step function. Everything that speaks of whole states is derived from it here:
//! [`Product`] is the system with a fixed number of processes, [`bfs`] explores it exhaustively,
//! [`stuck`] finds processes that nothing can ever wake, [`replay`] re-executes a found trace
//! without packing, hashing or symmetry.

pub mod bfs;
pub mod limits;
mod packed;
pub mod product;
pub mod replay;
pub mod stuck;
pub mod system;
mod visited;

pub use bfs::{Exploration, Violation, explore};
pub use limits::{End, Limits, Options, Progress};
pub use product::{Configuration, MAX_PROCESSES, Product, Transition};
pub use system::{
    Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};
