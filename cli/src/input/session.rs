//! What all commands share: limits, threads, Ctrl-C.

use std::sync::atomic::AtomicBool;

use kmodcheck_explore::Limits;

use crate::args::flags::Arguments;
use crate::interrupt;
use crate::output::rows::counted;

/// The bounds that the arguments set.
pub(crate) fn limits(arguments: &Arguments) -> Limits {
    Limits {
        states: arguments.states_limit,
        bytes: arguments.memory_limit.map(|mib| mib.saturating_mul(1 << 20)),
        time: arguments.time_limit,
    }
}

/// The bounds in words, for what a verdict assumed.
pub(crate) fn limits_in_words(limits: &Limits) -> String {
    let mut words = Vec::new();
    words.extend(limits.states.map(|n| counted(n, "state")));
    words.extend(limits.bytes.map(|n| format!("{} MiB", n >> 20)));
    words.extend(limits.time.map(|t| format!("{} s", t.as_secs_f64())));
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// How many worker threads.
pub(crate) fn threads(arguments: &Arguments) -> usize {
    arguments.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        usize::from,
    )
}

/// Set by Ctrl-C.
pub(crate) fn interrupt() -> &'static AtomicBool {
    interrupt::flag()
}
