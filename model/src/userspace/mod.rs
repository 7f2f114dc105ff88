//! kmod's side: modprobe, and the module indexes it reads.

pub mod closure;
pub mod coverage;
pub mod glob;
pub mod index;
pub(crate) mod modprobe;
