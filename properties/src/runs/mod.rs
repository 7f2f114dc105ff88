//! One run: chosen by hand, drawn, made as short as it gets, or told in a sentence.

pub mod by_hand;
pub mod minimal;
pub mod sample;
pub mod told;
