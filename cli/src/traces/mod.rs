//! The commands about one run.

pub(crate) mod accept;
pub(crate) mod covered;
mod http;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod reproduce;
pub(crate) mod serve;
pub(crate) mod steer;
pub(crate) mod step;
pub(crate) mod trace;
