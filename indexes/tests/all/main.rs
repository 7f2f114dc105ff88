//! The tests of this crate, as one program: what they share is compiled and linked once.

mod binary;
mod configuration;
mod fixture;
