//! Programs run with their system calls held.

mod common;
mod debian;
mod honest;
mod hostile;
