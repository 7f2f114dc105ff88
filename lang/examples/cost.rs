//! What a program costs that was compiled, beside the same written for the explorer by hand: two-phase commit, in turn, each
//! several times.
//!
//! `cargo run --release -p kmodcheck-lang --example cost`

use std::time::{Duration, Instant};

use kmodcheck_explore::{CountOnly, Options, explore};
use kmodcheck_lang::Program;

#[path = "../../sim/explore/examples/two_phase_commit.rs"]
#[allow(dead_code, missing_docs, reason = "an example of its own")]
mod by_hand;

/// Two-phase commit of so many resource managers, as a program.
pub fn two_phase_commit(resources: usize) -> String {
    format!(
        "C two-phase-commit
{{}}
enum {{ RESOURCES = {resources} }};
enum decision {{ OPEN, COMMIT, ABORT }};
enum place {{ WORKING, PREPARED, COMMITTED, ABORTED }};
DEFINE_SPINLOCK(lock);
enum decision decision;
int __range(0, RESOURCES) prepared;
P0()
{{
        while (1) {{
                spin_lock(&lock);
                if (decision == OPEN) {{
                        if (choose(0, 1))
                                decision = ABORT;
                        else if (prepared == RESOURCES)
                                decision = COMMIT;
                }}
                spin_unlock(&lock);
        }}
}}
P1 ... P{resources}()
{{
        enum place at = WORKING;
        bool sent;
        bool received;
        while (1) {{
                spin_lock(&lock);
                switch (choose(0, 1, 2, 3)) {{
                case 0:
                        if (decision == OPEN && sent) {{
                                if (!received)
                                        prepared++;
                                received = true;
                        }}
                        break;
                case 1:
                        if (at == WORKING) {{
                                at = PREPARED;
                                sent = true;
                        }}
                        break;
                case 2:
                        if (at == WORKING)
                                at = ABORTED;
                        break;
                default:
                        if (decision == COMMIT)
                                at = COMMITTED;
                        else if (decision == ABORT)
                                at = ABORTED;
                }}
                spin_unlock(&lock);
        }}
}}
"
    )
}

/// The shortest of several runs, and how many states each has.
fn best(run: impl Fn() -> u64) -> (Duration, u64) {
    let timed = (0..7).map(|_| {
        let begun = Instant::now();
        let states = run();
        (begun.elapsed(), states)
    });
    timed.min().expect("there are several")
}

fn main() {
    for resources in [5, 6, 7] {
        let text = two_phase_commit(resources);
        let begun = Instant::now();
        let compiled = Program::read("two-phase-commit", &text).expect("it is a program");
        let set_up = begun.elapsed();
        let options = Options { symmetry: false, ..Options::default() };
        let system = by_hand::TwoPhaseCommit(resources);
        let count = CountOnly;
        let (hand, states) =
            best(|| explore(&system, &count, &options).expect("it is small").states);
        let (program, same) =
            best(|| explore(&compiled, &count, &options).expect("it is small").states);
        println!(
            "{resources} resource managers: by hand {states} states in {hand:?}, compiled {same} states in {program:?} \
             ({:.1} times), set up in {set_up:?}",
            program.as_secs_f64() / hand.as_secs_f64()
        );
    }
}
