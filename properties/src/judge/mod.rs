//! How one system is judged: by one exploration, for any number of callers, for calls that never return,
//! from one state on.

pub mod any_number;
pub mod asked;

pub mod certificate;
pub mod compare;
pub mod faults;
pub mod from_here;
pub mod progress;
pub mod results;
pub mod safety;
pub mod sleepers;
pub mod state_graph;
pub mod verdict;
pub mod witness;
