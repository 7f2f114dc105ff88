//! The tests of this crate, as one program: what they share is compiled and linked once.

mod index_fixture;
mod kmod_observed;
mod small_systems;
mod together;
