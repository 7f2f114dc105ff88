//! Whether somebody has ended what runs, by Ctrl-C, SIGTERM or SIGHUP.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static AT_PROMPT: AtomicBool = AtomicBool::new(false);
static TIDIES_UP: AtomicBool = AtomicBool::new(false);
static TWICE: AtomicBool = AtomicBool::new(false);

/// Set by Ctrl-C and the like, from the first call on.
pub(crate) fn flag() -> &'static AtomicBool {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // Without a handler Ctrl-C ends the process at once, which is no worse.
        let _ = ctrlc::set_handler(|| {
            // Who presses it twice does not want to wait for what was covered, and at a prompt there is
            // nothing to wait for.
            let again = INTERRUPTED.swap(true, Ordering::Relaxed);
            if again && TIDIES_UP.load(Ordering::Relaxed) {
                TWICE.store(true, Ordering::Relaxed);
            } else if again || AT_PROMPT.load(Ordering::Relaxed) {
                std::process::exit(3);
            }
        });
    });
    &INTERRUPTED
}

/// Whether it was pressed.
pub(crate) fn is_set() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// From here on the process takes away what it has set before it ends, however often it is told to end.
pub(crate) fn tidies_up() {
    flag();
    TIDIES_UP.store(true, Ordering::Relaxed);
}

/// Whether it was pressed again, by somebody who does not want to wait.
pub(crate) fn is_set_twice() -> bool {
    TWICE.load(Ordering::Relaxed)
}

/// While somebody is asked for a line, Ctrl-C ends the command.
pub(crate) fn at_prompt(at: bool) {
    flag();
    AT_PROMPT.store(at, Ordering::Relaxed);
}
