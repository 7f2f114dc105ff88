//! Progress on a terminal; nothing where stderr is not one.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over a known number of explorations.
pub(crate) fn bar(cells: usize) -> ProgressBar {
    let bar = ProgressBar::new(cells as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} cells {elapsed}");
    bar.set_style(style.expect("the template is well formed"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A line for one exploration of unknown length.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    spinner.set_style(style.expect("the template is well formed"));
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}

/// What the spinner says of a search.
pub(crate) fn describe(progress: kmodcheck_explore::Progress) -> String {
    format!("{} states, depth {}, {} in the queue", progress.states, progress.depth, progress.queue)
}
