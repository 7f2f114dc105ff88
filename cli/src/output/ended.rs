//! How a run ends, and why it may not begin.

use std::process::ExitCode;

/// How a run ended, as the exit status says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All as expected.
    AsExpected,
    /// A verdict that differs, a violation where none was declared, a trace that does not fit.
    Differs,
    /// Out of budget or interrupted.
    OutOfBudget,
}

impl Ended {
    /// The one rule for every command: a difference is said, whatever was cut beside it; what was cut
    /// is no difference.
    pub(crate) fn of(differs: bool, cut: bool) -> Self {
        match (differs, cut) {
            (true, _) => Self::Differs,
            (false, true) => Self::OutOfBudget,
            (false, false) => Self::AsExpected,
        }
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(match ended {
            Ended::AsExpected => 0,
            Ended::Differs => 1,
            Ended::OutOfBudget => 3,
        })
    }
}

/// Bad input or arguments: said on stderr, exit status 2.
pub(crate) type Failure = Box<dyn std::error::Error>;
