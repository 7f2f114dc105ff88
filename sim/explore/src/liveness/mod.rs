//! Runs in which somebody never returns.

mod fair;
mod lasso;
mod restarting;

pub use fair::{Fairness, fairness};
pub use lasso::{Comes, Lasso, is_lasso};
pub use restarting::Restarting;
