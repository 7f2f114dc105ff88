//! What drives the model: its processes as the explorer wants them, and traces that can be saved,
//! loaded, replayed and shown.

pub mod certificate;
pub mod processes;
pub mod scenario_file;
pub mod trace;
pub mod versioned;

pub use processes::Processes;
