//! What the tests share; those of other crates use parts of it.

pub mod crowd;
pub mod erased;
pub mod hand;
pub mod naive;
pub mod random_bits;
pub mod random_system;
pub mod reference_model;
#[allow(dead_code, reason = "the claims are for the checker of certificates")]
pub mod refuted;
pub mod same;
#[allow(dead_code, reason = "each crate uses a part of it")]
pub mod sample;
pub mod seeds;
pub mod semaphore;
