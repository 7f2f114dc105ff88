//! What a machine is made of.

use super::layout::{Bits, Compiled};
use crate::graph::code::Cell;
use crate::host::Host;
use crate::text::syntax::Span;

/// Which step of a process it is: where it was, and which of its ways it took. What happened, the
/// runs of an [`Answer`](crate::Answer) tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The instruction that the process was at.
    pub at: u32,
    /// Which of its ways it took.
    pub way: u32,
}

/// All processes of a program, compiled.
pub(crate) struct Machine {
    pub cells: Vec<Cell>,
    pub shared: Vec<Bits>,
    pub own_bits: u32,
    /// By kind.
    pub kinds: Vec<Compiled>,
    /// By process: its kind. Processes of one kind do the same, and nothing that is asked tells them apart.
    pub processes: Vec<usize>,
    /// By process: where each instruction comes from, which differs between processes that do the same.
    pub spans: Vec<Vec<Span>>,
    pub grace_periods: Vec<u8>,
    /// The cell that counts asynchronous functions that are scheduled.
    pub asynchronous: Option<usize>,
    /// The kind of each asynchronous function.
    pub functions: Vec<usize>,
    pub host: Box<dyn Host>,
    /// Steps are merged where nobody can tell.
    pub merges: bool,
}
