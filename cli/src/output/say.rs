//! The only places that write to standard output and standard error.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

/// Prints machine output.
pub(crate) fn print_json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("the output has nothing JSON lacks");
    print(&text);
}

/// Whether standard output could not be written to.
static OUTPUT_LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line. A closed pipe ends the output quietly and changes no exit status; any other failure
/// to write (a full disk) is said, and is no success in the end ([`is_lost`]): what is still to be saved
/// is saved first.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(_) if OUTPUT_LOST.swap(true, Ordering::Relaxed) => {}
        Err(error) => note!("kmodcheck: standard output: {error}"),
    }
}

/// Whether something was printed and is lost.
pub(crate) fn is_lost() -> bool {
    OUTPUT_LOST.load(Ordering::Relaxed)
}

/// Says something on standard error, like `eprintln!`, which panics where nobody can be told.
macro_rules! note {
    ($($words:tt)*) => { $crate::output::say(format_args!($($words)*)) };
}
pub(crate) use note;

/// What [`note!`] does.
pub(crate) fn say(words: Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{words}");
}
