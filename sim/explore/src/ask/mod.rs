//! What is asked, within which bounds, and what comes back: the same for every explorer.

mod budget;
mod explorer;
mod found;
mod limits;
mod monitor;

pub use budget::{Budget, Full};
pub(crate) use budget::{Clock, table};
pub use explorer::Explorer;
pub(crate) use found::violations;
pub use found::{Exploration, Method, Own, Sleep, Sleeper, Stuck, Unexplorable, Violation};
pub use limits::{End, Limits, Options, Progress};
pub use monitor::{Asks, CountOnly, Monitor, Properties, Tally};
pub(crate) use monitor::{beyond_step, initially, violated_by, violated_by_counts};
