//! The `kmodcheck` command.

fn main() {}
