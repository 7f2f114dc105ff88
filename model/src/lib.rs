//! What **can** happen: the life of a kernel module, and everyone who looks at it, as a transition
//! system. Pure: no I/O, no threads, no explorer.

pub mod features;
pub mod userspace;
