//! What a host gives the programs that it runs: functions that it answers for, and names of its own.

use kmodcheck_explore::{Effect, Footprint, Shared, WayOut};

/// A function that programs may call and the host answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Its name.
    pub name: String,
    /// The text in quotes that it is called with before the numbers: what it means depends on that.
    pub text: Option<String>,
    /// How many numbers it takes.
    pub parameters: usize,
    /// The values that it can return; empty: none.
    pub results: Vec<i64>,
    /// Whether it may sleep: then it must not be called under a spinlock.
    pub sleeps: bool,
    /// Whether it returns the exit status of a command, of which 0 is the good one: it has to be compared, lest
    /// `&&` and `||` be taken for the shell's.
    pub status: bool,
}

/// One way for a call to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The host's shared state afterwards.
    pub shared: Shared,
    /// What it returns.
    pub result: i64,
    /// What happens to others. The queues of the program come first, the host's after them.
    pub effect: Effect,
    /// An ordinary step, or a way out.
    pub way_out: WayOut,
    /// The host's bits that were read and written.
    pub footprint: Footprint,
}

/// Who runs a program. Its own shared state lies above the program's in the shared state of the system.
pub trait Host: Send + Sync {
    /// What programs may call.
    fn externals(&self) -> &[External] {
        &[]
    }

    /// So many processes may run the programs, if that are more than are written there.
    fn processes(&self) -> usize {
        0
    }

    /// How many bits of shared state it has.
    fn shared_bits(&self) -> u32 {
        0
    }

    /// Where it begins.
    fn initial(&self) -> Shared {
        0
    }

    /// Appends every way in which a call can go now; none: the caller waits.
    fn call(
        &self,
        _external: usize,
        _arguments: &[i64],
        _shared: Shared,
        _ways: &mut Vec<Outcome>,
    ) {
    }
}

/// Nobody: a program by itself.
#[derive(Clone, Copy, Debug)]
pub struct NoHost;

impl Host for NoHost {}
