//! The kernel's side and modprobe once more, as straight-line concurrent code.
//!
//! The same system as `kmodcheck-model`, written the other way: functions with the kernel's names,
//! in the kernel's files and order, top to bottom, with locks and wait queues, generic over a
//! [`Runtime`](kmodcheck_runtime::Runtime). It shares with the model the scenario, the switches and
//! the vocabulary of events, and nothing else: that what one does the other does, too, is evidence
//! only as long as neither knows the other.
//!
//! | file | of the kernel, or of kmod |
//! |---|---|
//! | `kmod` | kernel/kmod.c, and the proposed check |
//! | `dups` | kernel/module/dups.c |
//! | `umh` | kernel/umh.c (kernel/kmod.c in v4.9) |
//! | `module` | kernel/module.c, kernel/module/main.c |
//! | `sysfs` | kernel/module/sysfs.c, fs/kernfs |
//! | `filesystems` | fs/filesystems.c |
//! | `modprobe` | tools/modprobe.c, libkmod/libkmod-module.c |
//!
//! [`run`] runs a scenario once and gives what everybody came to, and the log of events. The order
//! of events in the log is the order in which they happened: each is written while the lock is held
//! that protects what it tells of.

mod dups;
mod errno;
mod fault;
mod filesystems;
mod kernel;
mod kmod;
mod log;
mod modprobe;
mod module;
mod sysfs;
mod umh;

pub use crate::fault::Fault;
pub use crate::kernel::{Returned, Run, run};
pub use crate::log::Entry;
