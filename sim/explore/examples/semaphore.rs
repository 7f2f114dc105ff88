//! A semaphore with a lost wake-up: whoever waits looks at the count, and then goes to sleep. If somebody posts
//! in between, the wake-up comes too early, and the waiter sleeps for ever although the count is not 0. E. W.
//! Dijkstra, 'Cooperating sequential processes', 1965, is why looking and going to sleep are one step.
//!
//! `cargo run -p kmodcheck-explore --example semaphore`

use kmodcheck_explore::{
    Choice, CountOnly, Exploration, Initial, Kind, Local, Options, Queue, Shared, System, explore,
};

/// How a waiter goes to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semaphore {
    /// It looks, and if the count is 0 sleeps, in one step.
    Atomic,
    /// It looks, and goes to sleep in the next step.
    TwoSteps,
    /// The same, but it looks again after some time.
    TwoStepsAndATimeLimit,
}

const WAITER: Kind = Kind(0);
const POSTER: Kind = Kind(1);

/// Whoever sleeps here is woken by a post.
const SLEEPERS: Queue = Queue(0);

/// Where a process is.
const START: Local = 0;
const ABOUT_TO_SLEEP: Local = 1;
const ASLEEP: Local = 2;
const DONE: Local = 3;

impl System for Semaphore {
    type Label = &'static str;

    fn shared_bits(&self) -> u32 {
        2 // the count
    }

    fn local_bits(&self) -> u32 {
        2
    }

    fn initial(&self) -> Initial {
        Initial::new(0, [(WAITER, START), (WAITER, START), (POSTER, START), (POSTER, START)])
    }

    fn step(&self, kind: Kind, count: Shared, at: Local, choices: &mut Vec<Choice<&'static str>>) {
        let choice = match (kind, at) {
            (POSTER, START) => Choice::new(count + 1, DONE, "posts").wakes_one(SLEEPERS),
            (WAITER, START) if count > 0 => Choice::new(count - 1, DONE, "takes one"),
            (WAITER, START) if *self == Self::Atomic => Choice::new(count, ASLEEP, "goes to sleep"),
            (WAITER, START) => Choice::new(count, ABOUT_TO_SLEEP, "finds none"),
            (WAITER, ABOUT_TO_SLEEP) => Choice::new(count, ASLEEP, "goes to sleep"),
            (WAITER, ASLEEP) if *self == Self::TwoStepsAndATimeLimit => {
                Choice::new(count, START, "looks again").times_out()
            }
            _ => return,
        };
        choices.push(choice);
    }

    fn wake(&self, kind: Kind, at: Local, queue: Queue) -> Option<Local> {
        (kind == WAITER && at == ASLEEP && queue == SLEEPERS).then_some(START)
    }

    fn returned(&self, _: Kind, at: Local) -> bool {
        at == DONE
    }
}

/// Searches all states; waiters that differ in nothing but their number are taken for the same.
pub fn search(semaphore: Semaphore) -> Exploration<&'static str> {
    let options = Options { symmetry: true, ..Options::default() };
    explore(&semaphore, &CountOnly, &options).expect("it is small")
}

fn main() {
    for semaphore in [Semaphore::Atomic, Semaphore::TwoSteps, Semaphore::TwoStepsAndATimeLimit] {
        let found = search(semaphore);
        println!("{semaphore:?}: {} states", found.states);
        let (for_good, for_a_while) = (&found.stuck, &found.stuck_until_time_out);
        let Some(stuck) = for_good.as_ref().or(for_a_while.as_ref()) else {
            println!("  whoever sleeps is woken");
            continue;
        };
        let how_long = if for_good.is_some() { "for ever" } else { "until its time is over" };
        println!("  process {} sleeps {how_long}:", stuck.process);
        for step in &stuck.trace {
            println!("    process {} {}", step.actor, step.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_one_step_no_wake_up_is_lost() {
        let found = search(Semaphore::Atomic);
        assert!(found.is_exhaustive() && found.stuck.is_none() && found.blocked_states > 0);
    }

    #[test]
    fn in_two_steps_one_is_lost() {
        let found = search(Semaphore::TwoSteps);
        let trace = found.stuck.expect("somebody sleeps for ever").trace;
        let labels: Vec<_> = trace.iter().map(|step| step.label).collect();
        assert!(labels.contains(&"posts") && labels.last() == Some(&"goes to sleep"), "{labels:?}");
    }

    #[test]
    fn a_time_limit_ends_it() {
        let found = search(Semaphore::TwoStepsAndATimeLimit);
        assert!(found.is_exhaustive() && found.stuck.is_none());
        assert!(found.stuck_until_time_out.is_some());
    }
}
