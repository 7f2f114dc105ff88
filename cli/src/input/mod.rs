//! What is read: a session's limits, files, scenarios, traces.

pub(crate) mod files;
pub(crate) mod scenario;
pub(crate) mod session;
pub(crate) mod trace;
