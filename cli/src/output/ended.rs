//! How a run ends, and why it may not begin.

use std::process::ExitCode;

use crate::interrupt;

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
    /// The one rule for every command: a difference is said, whatever a limit cut beside it; what was cut
    /// is no difference. A limit was asked for; who presses Ctrl-C has not let the command answer, whatever
    /// it had found by then, so that no script takes what it left for an answer.
    pub(crate) fn of(differs: bool, cut: bool) -> Self {
        match (differs, cut) {
            (_, true) if interrupt::is_set() => Self::OutOfBudget,
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
