//! One run: chosen by hand, drawn, or made as short as it gets.

pub mod by_hand;
pub mod minimal;
pub mod sample;
