//! What is asked, within which bounds, and what comes back: the same for every explorer.

mod found;
mod limits;
mod monitor;
mod watch;

pub use found::{Deadlock, Exploration, Lead, Sleep, Sleeper, Stuck, Unexplorable, Violation};
pub use limits::{End, Limits, Options, Progress};
pub(crate) use monitor::violated_by;
pub use monitor::{CountOnly, Monitor, Tally};
pub use watch::{EachStep, Watch, WatchNothing};
