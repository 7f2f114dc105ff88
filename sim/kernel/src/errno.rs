//! include/uapi/asm-generic/errno-base.h: the errors that occur here.

use kmodcheck_model::Ret;
use kmodcheck_runtime::Stuck;

/// An error, without its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::upper_case_acronyms, reason = "the kernel's names")]
pub(crate) enum Errno {
    EPERM,
    ENOENT,
    EINTR,
    EBUSY,
    EEXIST,
    EINVAL,
    EWOULDBLOCK,
    ENODEV,
    ETXTBSY,
}

impl From<Errno> for Ret {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EPERM => Self::Eperm,
            Errno::ENOENT => Self::Enoent,
            Errno::EINTR => Self::Eintr,
            Errno::EBUSY => Self::Ebusy,
            Errno::EEXIST => Self::Eexist,
            Errno::EWOULDBLOCK => Self::Ewouldblock,
            Errno::EINVAL | Errno::ENODEV | Errno::ETXTBSY => {
                unreachable!("no actor gets {errno:?}")
            }
        }
    }
}

/// What a function that sleeps gives: the kernel's `int`, unless everybody is asleep, which ends the
/// run.
pub(crate) type Int = Result<Result<(), Errno>, Stuck>;
