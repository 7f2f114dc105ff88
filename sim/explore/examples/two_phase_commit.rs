//! Two-phase commit, J. Gray and L. Lamport, 'Consensus on transaction commit', 2006: resource managers that
//! all commit or all abort, as a transaction manager tells them. Messages are never lost and never taken back.
//!
//! The checker stateright has the same example, and asserts 288 states for three resource managers and 8,832
//! for five: as many as here. With symmetry it asserts 665 for five, and here there are 314: what it takes for
//! the representative of a state sorts the resource managers by their own state only, not by what the
//! transaction manager knows of them, so equal states keep several representatives, and how many it meets
//! depends on the order of its search. The test counts them that way, too.
//!
//! `cargo run -p kmodcheck-explore --example two_phase_commit`

use kmodcheck_explore::{
    Census, Choice, Exploration, Initial, Kind, Local, Options, Properties, Shared, System, explore,
};

/// So many resource managers.
#[derive(Clone, Copy, Debug)]
pub struct TwoPhaseCommit(pub usize);

/// The one who decides; its local state is its decision.
const MANAGER: Kind = Kind(0);
/// One who has a part of the transaction.
const RESOURCE: Kind = Kind(1);

/// The decision.
const OPEN: Local = 0;
const COMMIT: Local = 1;
const ABORT: Local = 2;

/// Where a resource manager is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Working,
    Prepared,
    Committed,
    Aborted,
}

const PLACES: [At; 4] = [At::Working, At::Prepared, At::Committed, At::Aborted];

/// A resource manager: where it is, whether it has sent that it is prepared, whether that was received.
fn resource(at: At, sent: bool, received: bool) -> Local {
    at as Local + 4 * Local::from(sent) + 8 * Local::from(received)
}

fn place(local: Local) -> At {
    PLACES[(local % 4) as usize]
}

/// What everybody sees: the decision that was sent, and how many are known to be prepared.
fn seen(decision: Local, prepared: usize) -> Shared {
    Shared::from(decision) + 4 * prepared as Shared
}

impl System for TwoPhaseCommit {
    type Label = &'static str;

    fn shared_bits(&self) -> u32 {
        5
    }

    fn local_bits(&self) -> u32 {
        4
    }

    fn initial(&self) -> Initial {
        let mut processes = vec![(MANAGER, OPEN)];
        processes.resize(1 + self.0, (RESOURCE, resource(At::Working, false, false)));
        Initial::new(seen(OPEN, 0), processes)
    }

    fn step(&self, kind: Kind, shared: Shared, at: Local, choices: &mut Vec<Choice<&'static str>>) {
        let (decision, prepared) = ((shared % 4) as Local, (shared / 4) as usize);
        if kind == MANAGER {
            if at == OPEN && prepared == self.0 {
                choices.push(Choice::new(seen(COMMIT, prepared), COMMIT, "decides to commit"));
            }
            if at == OPEN {
                choices.push(Choice::new(seen(ABORT, prepared), ABORT, "decides to abort"));
            }
            return;
        }
        let (sent, received) = (at / 4 % 2 == 1, at / 8 == 1);
        if decision == OPEN && sent {
            let now = seen(OPEN, prepared + usize::from(!received));
            choices.push(Choice::new(now, resource(place(at), sent, true), "is heard"));
        }
        if place(at) == At::Working {
            let prepared = resource(At::Prepared, true, received);
            choices.push(Choice::new(shared, prepared, "says that it is prepared"));
            choices.push(Choice::new(shared, resource(At::Aborted, sent, received), "aborts"));
        }
        if decision == COMMIT {
            let committed = resource(At::Committed, sent, received);
            choices.push(Choice::new(shared, committed, "is told to commit"));
        }
        if decision == ABORT {
            let aborted = resource(At::Aborted, sent, received);
            choices.push(Choice::new(shared, aborted, "is told to abort"));
        }
    }

    fn returned(&self, kind: Kind, at: Local) -> bool {
        if kind == MANAGER { at != OPEN } else { place(at) >= At::Committed }
    }
}

/// How many resource managers are there.
fn how_many(at: At, processes: &dyn Census) -> usize {
    let all = [false, true].map(|sent| [false, true].map(|received| resource(at, sent, received)));
    all.as_flattened().iter().map(|local| processes.count(RESOURCE, *local)).sum()
}

/// The name of the property.
pub const CONSISTENT: &str = "never has one committed and another one aborted";

/// And of two that say what is possible: they are violated.
pub const NEVER_ALL: [&str; 2] = ["never have all committed", "never have all aborted"];

/// Searches all states.
pub fn search(system: TwoPhaseCommit, symmetry: bool) -> Exploration<&'static str> {
    let properties = Properties::new()
        .never(CONSISTENT, |_, all| {
            how_many(At::Committed, all) > 0 && how_many(At::Aborted, all) > 0
        })
        .never(NEVER_ALL[0], |_, all| how_many(At::Committed, all) == system.0)
        .never(NEVER_ALL[1], |_, all| how_many(At::Aborted, all) == system.0);
    let options = Options { symmetry, ..Options::default() };
    explore(&system, &properties, &options).expect("it is small")
}

fn main() {
    for resources in [3, 5, 7] {
        for symmetry in [false, true] {
            let found = search(TwoPhaseCommit(resources), symmetry);
            let alike = if symmetry { ", equal ones taken for one" } else { "" };
            println!("{resources} resource managers: {} states{alike}", found.states);
            for name in [CONSISTENT, NEVER_ALL[0], NEVER_ALL[1]] {
                let steps = found.violation(name).map(|violation| violation.trace.len());
                match steps {
                    None => println!("  holds: {name}"),
                    Some(steps) => println!("  violated after {steps} steps: {name}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::ops::ControlFlow;

    use kmodcheck_explore::concrete::{State, transitions};

    use super::*;

    #[test]
    fn as_many_states_as_in_stateright() {
        for (resources, states, up_to_symmetry) in [(3, 288, 80), (5, 8_832, 314)] {
            let system = TwoPhaseCommit(resources);
            for (symmetry, states) in [(false, states), (true, up_to_symmetry)] {
                let found = search(system, symmetry);
                assert!(found.is_exhaustive() && found.stuck.is_none());
                assert_eq!(found.states, states, "{resources}, {symmetry}");
                assert_eq!(found.violation(CONSISTENT), None);
                let steps = NEVER_ALL.map(|name| found.violation(name).map(|v| v.trace.len()));
                assert_eq!(steps, [Some(3 * resources + 1), Some(resources)]);
            }
        }
    }

    /// Depth first, with the resource managers of each state sorted by their own state only.
    #[test]
    fn and_with_its_representatives_as_many_too() {
        let system = TwoPhaseCommit(5);
        let representative = |state: &State| {
            let mut state = state.clone();
            state.processes[1..].sort_by_key(|(_, local)| place(*local));
            state
        };
        let initial = State::initial(&system);
        let (mut seen, mut open) = (HashSet::from([representative(&initial)]), vec![initial]);
        while let Some(state) = open.pop() {
            let all = transitions(&system, &state, |taken| {
                if seen.insert(representative(taken.after)) {
                    open.push(taken.after.clone());
                }
                ControlFlow::Continue(())
            });
            assert_eq!(all, Ok(()), "nobody is started");
        }
        assert_eq!(seen.len(), 665);
    }
}
