//! The tests of this crate, as one program: what they share is compiled and linked once.

mod kmod_observed;
mod releases;
mod small_systems;
mod text;
mod together;
