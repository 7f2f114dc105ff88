//! What the tests share; those of other crates use parts of it.

pub mod crowd;
pub mod hand;
pub mod naive;
pub mod random_bits;
pub mod random_system;
pub mod reference_model;
pub mod same;
pub mod seeds;
pub mod semaphore;
