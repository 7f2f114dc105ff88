//! Every sleeper can be woken: of the whole state graph, so that an explorer decides it.

use super::view::{Decided, Definition, Reads, always};

pub(super) const DEFINITION: Definition = Definition {
    name: "nobody-sleeps-for-ever",
    letter: 'W',
    statement: "Whoever sleeps can run again although nobody is killed: some path without a kill leads \
                 from there to a state in which it is awake.",
    source: "kernel/sched/wait.c; every wait_event on module_wq",
    branches: &["asleep"],
    applies: always,
    built_in: true,
    reads: Reads::Nothing,
    decided: Decided::OnTheGraph,
};
