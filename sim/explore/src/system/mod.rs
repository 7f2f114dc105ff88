//! What is explored: the interface to a system, its whole states with their transitions, and traces.

pub mod concrete;
mod fault;
mod interface;
mod product;
pub mod replay;
pub(crate) mod successor;
mod trace;

pub(crate) use fault::ways;
pub use fault::{Fault, Wrong};
pub use interface::{
    Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};
pub use product::{Census, Configuration, MAX_PROCESSES, Product, Transition};
pub(crate) use product::{Roster, fits};
pub use replay::{Impossible, replay};
pub use successor::{PoolExhausted, Step};
pub use trace::TraceStep;
