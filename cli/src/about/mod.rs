//! The commands that tell of the program itself, and of an index.

pub(crate) mod aliases;
pub(crate) mod completions;
pub(crate) mod features;
pub(crate) mod new;
pub(crate) mod schema;
pub(crate) mod text;
