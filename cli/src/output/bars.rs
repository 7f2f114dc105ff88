//! Progress on a terminal; where stderr is none, what takes long says what it begins.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// A bar over a known number of `what`.
pub(crate) fn bar(count: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    // What does not fit is left to the bar, which takes what is left of the line.
    let template = format!("{{pos}}/{{len}} {what} {{elapsed}} {{wide_bar}}");
    bar.set_style(ProgressStyle::with_template(&template).expect("the template is well formed"));
    tick(&bar);
    bar
}

/// A line for one exploration of unknown length.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    // A message that is too long is cut, not continued on the next line.
    let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
    spinner.set_style(style.expect("the template is well formed"));
    tick(&spinner);
    spinner
}

/// Says what is begun where no bar is seen; of one system there is nothing to wait for.
pub(crate) fn announce(command: &str, count: usize, threads: usize) {
    if count > 1 && ProgressDrawTarget::stderr().is_hidden() {
        let threads = threads.min(count);
        let s = if threads == 1 { "" } else { "s" };
        note!("kmodcheck: {command}: {count} to go through, on {threads} thread{s}");
    }
}

/// Lets time go on where somebody sees it. It takes a thread, and is no reason to fail for lack of one.
fn tick(bar: &ProgressBar) {
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
}

/// What the spinner says of a search: first how large it is, then how much memory it takes and is about to
/// take, so that a search that will not fit is seen to before it ends. The end is cut where a line is short.
pub(crate) fn describe(progress: kmodcheck_explore::Progress) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let mut line = format!("{} states, {} in the queue", progress.states, progress.queue);
    if let Some(left) = progress.time_to_bytes_limit() {
        line += &format!(", memory limit in {} s", left.as_secs());
    }
    line += &format!(", {} MiB", mib(progress.bytes));
    if let Some(bytes) = progress.bytes_after_level() {
        line += &format!(", {} MiB after this level", mib(bytes));
    }
    line + &format!(
        ", depth {}, {:.1} million/s, {:.0} B a state",
        progress.depth,
        progress.states_per_second() / 1e6,
        progress.bytes_per_state(),
    )
}
