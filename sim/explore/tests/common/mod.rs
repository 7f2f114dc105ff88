//! What the test binaries of this crate share; each uses a part of it.
#![allow(dead_code)]

pub mod crowd;
pub mod hand;
pub mod naive;
pub mod random_bits;
pub mod random_system;
pub mod reference_model;
pub mod same;
pub mod semaphore;
