//! A text becomes a syntax tree, or an error that is shown where it is.

mod conditions;
pub(crate) mod error;
mod file;
mod lexer;
mod macros;
mod parser;
pub mod syntax;

pub(crate) use error as wrong;

pub use error::TextError;
pub(crate) use file::{calls_with_text, condition, declarations, program};
pub use file::{functions, is_litmus, parse};
pub use macros::Macro;
