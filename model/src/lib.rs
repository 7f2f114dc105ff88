//! What **can** happen: the life of a kernel module, and of everyone who looks at it, as a
//! transition system. Pure: no I/O, no threads, no explorer; programs of a scenario are compiled and stepped by
//! the crate `kmodcheck-lang`, and lie beside the model's own steps ([`program`]).
//!
//! One step is one thing that another CPU can observe: a critical section under `module_mutex`, one
//! sysfs change, one system call of modprobe, one wake-up, one hand-over between the kernel and its
//! helper. The functions that make the steps carry the kernel's and kmod's names:
//!
//! - [`kernel`]: `__request_module()` and the proposed checks around it, `load_module()` and
//!   `free_module()`, `get_fs_type()`;
//! - `userspace`: modprobe.
//!
//! A caller and the modprobe it waits for are one process: one of them is always waiting for the
//! other, so their product would have the same steps in the same order.

// Of this crate alone: tests count in small numbers.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

pub mod builtin;
pub mod event;
pub mod features;
pub mod kernel;
pub mod learned;
pub mod model;
pub mod mutant;
pub mod presets;
pub mod program;
pub mod releases;
pub mod scenario;
pub mod state;
pub mod text;
mod userspace;
pub mod view;

pub use event::Event;
pub use features::Features;
pub use model::{Effect, Model, ModelError, Outcome, Role, WaitQueue, Way};
pub use mutant::Mutant;
pub use scenario::Scenario;
pub use state::{ErrorOf, History, ModuleState, NamedField, Pc, Ret, Task};

/// A digest of this crate's sources, and of the versions of what they depend on (`build.rs`). What was
/// saved or sent by a build with another one is not believed.
pub const SOURCES: &str = env!("KMODCHECK_SOURCES");
