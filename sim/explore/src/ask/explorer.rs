//! What every engine is: something that is asked and answers.

use super::found::{Exploration, Method, Unexplorable};
use super::limits::Options;
use super::monitor::Monitor;
use crate::system::System;

/// An engine. What its answers mean it says with each of them ([`Exploration::method`]); what it cannot be
/// asked it refuses.
pub trait Explorer<S: System, M: Monitor<S::Label>> {
    /// Why there is no answer.
    type Error: From<Unexplorable>;

    /// What its answers mean, whatever it finds.
    fn method(&self, options: &Options<'_>) -> Method;

    /// Searches the states of `system` for what the monitor looks for.
    ///
    /// # Errors
    /// Why there is no answer, not even one of a search that was cut.
    fn explore(
        self,
        system: &S,
        monitor: &M,
        options: &Options<'_>,
    ) -> Result<Exploration<S::Label, M::Tally>, Self::Error>;
}
