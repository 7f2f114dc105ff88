//! Which systems there are: the matrices, the kernel's own stress cases, changes of switches, and those
//! that are drawn.

pub mod covered;
pub mod fixes;
pub mod generate;
pub mod grand;
pub mod hard_cases;
pub mod kmod_sh;
pub mod machine;
pub mod matrix;
pub mod mutants;
pub mod programs;
pub mod review;
