//! Code, and what is found out about it before anything runs.

pub(crate) mod code;
pub(crate) mod domain;
mod liveness;
pub(crate) mod locks;
mod movers;
mod turns;
mod values;

pub(crate) use liveness::{Live, live};
pub(crate) use movers::{Mover, movers};
pub(crate) use turns::without_needless_turns;
pub(crate) use values::infer;
