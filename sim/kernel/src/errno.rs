//! include/uapi/asm-generic/errno-base.h: the errors that occur here.

use kmodcheck_runtime::Stuck;

/// An error, without its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::upper_case_acronyms, reason = "the kernel's names")]
pub(crate) enum Errno {
    ENOENT,
    EBUSY,
    EEXIST,
    EINVAL,
    ENODEV,
}

/// What a function that sleeps gives: the kernel's `int`, unless everybody is asleep, which ends the
/// run.
pub(crate) type Int = Result<Result<(), Errno>, Stuck>;
