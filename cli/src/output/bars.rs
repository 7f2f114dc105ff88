//! Progress on a terminal; nothing where stderr is not one.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over a known number of explorations.
pub(crate) fn bar(cells: usize) -> ProgressBar {
    let bar = ProgressBar::new(cells as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} cells {elapsed}");
    bar.set_style(style.expect("the template is well formed"));
    tick(&bar);
    bar
}

/// A line for one exploration of unknown length.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    spinner.set_style(style.expect("the template is well formed"));
    tick(&spinner);
    spinner
}

/// Lets time go on where somebody sees it. It takes a thread, and is no reason to fail for lack of one.
fn tick(bar: &ProgressBar) {
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
}

/// What the spinner says of a search: also how much memory it takes and is about to take, so that a
/// search that will not fit is seen to before it ends.
pub(crate) fn describe(progress: kmodcheck_explore::Progress) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let mut line = format!(
        "{} states, {:.1} million/s, depth {}, {} in the queue, {} MiB ({:.0} B a state)",
        progress.states,
        progress.states_per_second() / 1e6,
        progress.depth,
        progress.queue,
        mib(progress.bytes),
        progress.bytes_per_state(),
    );
    if let Some(bytes) = progress.bytes_after_level() {
        line += &format!(", {} MiB after this level", mib(bytes));
    }
    if let Some(left) = progress.time_to_bytes_limit() {
        line += &format!(", memory limit in {} s", left.as_secs());
    }
    line
}
