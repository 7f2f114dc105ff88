//! What is read: a session's limits, files, the system or run that a command is about.

pub(crate) mod binary;
pub(crate) mod config;
pub(crate) mod files;
pub(crate) mod kind;
pub(crate) mod made_indexes;

pub(crate) mod of_root;
mod root;
pub(crate) mod session;
pub(crate) mod subject;
pub(crate) mod trace;
