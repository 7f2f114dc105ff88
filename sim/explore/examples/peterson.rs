//! G. L. Peterson, 'Myths about the mutual exclusion problem', 1981: two processes, two flags, one turn.
//!
//! Three questions to it: are both ever in the critical section (a search of all states), can somebody wait for
//! ever because nobody can step (the same search), and does whoever tries come in at last, if nobody is treated
//! unfairly (a search for loops). And to what is left when one thing is left out.
//!
//! `cargo run -p kmodcheck-explore --example peterson`

use kmodcheck_explore::liveness::{Fairness, fairness};
use kmodcheck_explore::{
    Choice, Exploration, Initial, Kind, Local, Options, Properties, Shared, System, explore,
};

/// The algorithm, or what somebody made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// As published.
    Published,
    /// Nobody gives way: each waits for the other's flag alone.
    NobodyGivesWay,
    /// Each gives way before it raises its flag.
    GivesWayFirst,
}

/// Where a process is.
const OUTSIDE: Local = 0;
const RAISED: Local = 1;
const WAITING: Local = 2;
const CRITICAL: Local = 3;

/// What both see.
#[derive(Clone, Copy)]
struct Seen {
    flags: [bool; 2],
    turn: usize,
}

impl Seen {
    fn unpack(shared: Shared) -> Self {
        Self { flags: [shared % 2 == 1, shared / 2 % 2 == 1], turn: (shared / 4) as usize }
    }

    fn pack(self) -> Shared {
        let [a, b] = self.flags.map(Shared::from);
        a + 2 * b + 4 * self.turn as Shared
    }
}

impl System for Version {
    type Label = &'static str;

    fn shared_bits(&self) -> u32 {
        3
    }

    fn local_bits(&self) -> u32 {
        2
    }

    /// A step is told the kind of who takes it, not the number: so each of the two is a kind of its own.
    fn initial(&self) -> Initial {
        Initial::new(0, [(Kind(0), OUTSIDE), (Kind(1), OUTSIDE)])
    }

    fn step(&self, me: Kind, shared: Shared, at: Local, choices: &mut Vec<Choice<&'static str>>) {
        let (me, other) = (usize::from(me.0), usize::from(1 - me.0));
        let mut seen = Seen::unpack(shared);
        let early = *self == Self::GivesWayFirst;
        let (to, label) = match at {
            OUTSIDE if early => {
                seen.turn = other;
                (RAISED, "gives way")
            }
            OUTSIDE => {
                seen.flags[me] = true;
                (RAISED, "raises its flag")
            }
            RAISED if early => {
                seen.flags[me] = true;
                (WAITING, "raises its flag")
            }
            RAISED => {
                seen.turn = other;
                (WAITING, "gives way")
            }
            WAITING => {
                let my_turn = seen.turn == me && *self != Self::NobodyGivesWay;
                if seen.flags[other] && !my_turn {
                    return;
                }
                (CRITICAL, "enters")
            }
            _ => {
                seen.flags[me] = false;
                (OUTSIDE, "leaves")
            }
        };
        choices.push(Choice::new(seen.pack(), to, label));
    }

    /// Nobody is obliged to try.
    fn returned(&self, _: Kind, at: Local) -> bool {
        at == OUTSIDE
    }
}

/// The name of the property.
pub const EXCLUSION: &str = "never are both in the critical section";

/// Searches all states.
pub fn all_states(version: Version) -> Exploration<&'static str> {
    let properties = Properties::new().never(EXCLUSION, |_, processes| {
        processes.count(Kind(0), CRITICAL) + processes.count(Kind(1), CRITICAL) == 2
    });
    explore(&version, &properties, &Options::default()).expect("it is small")
}

/// Searches all runs.
pub fn all_runs(version: Version) -> Fairness<&'static str> {
    fairness(&version, &Options::default()).expect("it is small")
}

fn main() {
    for version in [Version::Published, Version::NobodyGivesWay, Version::GivesWayFirst] {
        let (found, fair) = (all_states(version), all_runs(version));
        println!("{version:?}: {} states", found.states);
        match found.violation(EXCLUSION) {
            None => println!("  holds: {EXCLUSION}"),
            Some(violation) => {
                println!("  violated: {EXCLUSION}");
                for step in &violation.trace {
                    println!("    process {} {}", step.actor, step.label);
                }
            }
        }
        match &found.stuck {
            None => println!("  nobody waits for what cannot come"),
            Some(stuck) => println!("  process {} may wait for ever", stuck.process),
        }
        if fair.asleep.is_none() && fair.overtaken.is_none() {
            println!("  whoever tries comes in");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_published() {
        let found = all_states(Version::Published);
        assert!(found.is_exhaustive() && found.violations.is_empty() && found.stuck.is_none());
        let fair = all_runs(Version::Published);
        assert_eq!((fair.states, &fair.asleep, &fair.overtaken), (found.states, &None, &None));
    }

    #[test]
    fn who_gives_way_too_early_meets_the_other() {
        let found = all_states(Version::GivesWayFirst);
        let trace = &found.violation(EXCLUSION).expect("it is violated").trace;
        let steps: Vec<_> = trace.iter().map(|step| (step.actor, step.label)).collect();
        let last = [(1, "raises its flag"), (1, "enters")];
        assert_eq!((steps.len(), &steps[4..]), (6, &last[..]), "{steps:?}");
    }

    #[test]
    fn if_nobody_gives_way_both_wait() {
        let found = all_states(Version::NobodyGivesWay);
        assert!(found.is_exhaustive() && found.violations.is_empty());
        assert_eq!(found.stuck.expect("both wait").trace.len(), 3);
        assert!(all_runs(Version::NobodyGivesWay).asleep.is_some());
    }
}
