//! kmod's side: modprobe, and the module indexes it reads.

pub(crate) mod modprobe;
