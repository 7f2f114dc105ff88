//! Small collections that several explorers use.

pub(crate) mod bits;
pub(crate) mod interner;
pub(crate) mod prefetch;
