//! Names that stand for numbers in the kernel.

/// The value of such a name.
pub(crate) fn constant(name: &str) -> Option<i64> {
    CONSTANTS.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
}

/// The name of an error, of the negative number that a function returns.
pub(crate) fn error_name(value: i64) -> Option<&'static str> {
    let error = |(name, number): &&(&str, i64)| name.starts_with('E') && *number == -value;
    CONSTANTS.iter().find(error).map(|(name, _)| *name)
}

/// Numbers of errors as in include/uapi/asm-generic/errno-base.h, errno.h and include/linux/errno.h; what only
/// says how memory is had or how long a jiffy is has no meaning here.
const CONSTANTS: [(&str, i64); 30] = [
    ("false", 0),
    ("true", 1),
    ("EPERM", 1),
    ("ENOENT", 2),
    ("EINTR", 4),
    ("EIO", 5),
    ("EAGAIN", 11),
    ("EWOULDBLOCK", 11),
    ("ENOMEM", 12),
    ("EACCES", 13),
    ("EFAULT", 14),
    ("EBUSY", 16),
    ("EEXIST", 17),
    ("ENODEV", 19),
    ("EINVAL", 22),
    ("ETXTBSY", 26),
    ("ENOSPC", 28),
    ("EPIPE", 32),
    ("EDEADLK", 35),
    ("ENAMETOOLONG", 36),
    ("ENOSYS", 38),
    ("ETIME", 62),
    ("EPROTO", 71),
    ("EOPNOTSUPP", 95),
    ("ETIMEDOUT", 110),
    ("EINPROGRESS", 115),
    ("ECANCELED", 125),
    ("ERESTARTSYS", 512),
    ("GFP_KERNEL", 0),
    ("HZ", 100),
];
