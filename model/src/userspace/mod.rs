//! kmod's side: module indexes as depmod writes them, modprobe, and what it takes for 'in the kernel'.

pub mod glob;
pub mod index;
