//! kmod's side: modprobe.

pub(crate) mod modprobe;
