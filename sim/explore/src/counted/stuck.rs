//! Processes that nothing can ever wake, among counted ones: as `bfs/stuck.rs`, with one bit for
//! each local state that somebody is in, since all processes there are in the same position.

use super::countable::MAX_COUNTED;
use super::encoded::{Batch, Decoded};
use super::states::States;
use super::store::NONE;
use crate::ask::{CountOnly, Sleep, Sleeper, Stuck};
use crate::collections::bits::{flag, set_flag};
use crate::system::{Kind, System, WayOut};

/// The groups of a state, one bit each.
type Mask = [u8; MAX_COUNTED.div_ceil(8)];

/// Records with groups that never run again, and which these are; in the order found.
type Never = Vec<(u32, Mask)>;

/// Who is stuck.
pub(super) struct Blocked<Label> {
    /// The shallowest process that never runs again unless somebody is killed.
    pub stuck: Option<Stuck<Label>>,
    /// The shallowest that runs again by a time-out only.
    pub until_time_out: Option<Stuck<Label>>,
    /// By kind, then by [`Sleep`].
    pub sleepers: Vec<Sleeper<Label>>,
}

impl<Label> Default for Blocked<Label> {
    fn default() -> Self {
        Self { stuck: None, until_time_out: None, sleepers: Vec::new() }
    }
}

/// Looks for those who are stuck. `way_outs`: whether there is any time-out or kill.
pub(super) fn find<S: System>(
    states: &mut States<'_, S>,
    blocked: &[u32],
    way_outs: bool,
) -> Blocked<S::Label> {
    let though_time_outs = never_run(states, blocked, WayOut::TimeOut);
    // Without any way out the three are the same.
    let (though_kills, ordinarily) = if way_outs {
        let mut again = |last| {
            forget(states, blocked);
            never_run(states, blocked, last)
        };
        (again(WayOut::Killed), again(WayOut::Ordinary))
    } else {
        (though_time_outs.clone(), though_time_outs.clone())
    };
    let until_killed = without(&though_time_outs, &though_kills);
    let until_time_out = without(&ordinarily, &though_time_outs);
    let mut kinds: Vec<Kind> =
        states.space.system.initial().processes.iter().map(|p| p.0).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut sleepers = Vec::new();
    for kind in kinds {
        let all = [&though_kills, &until_killed, &until_time_out];
        for (sleep, all) in Sleep::ALL.into_iter().zip(all) {
            let stuck = shallowest(states, &of_kind(states, all, kind));
            sleepers.extend(stuck.map(|stuck| Sleeper { kind, sleep, stuck }));
        }
    }
    Blocked {
        stuck: shallowest(states, &though_time_outs),
        until_time_out: shallowest(states, &until_time_out),
        sleepers,
    }
}

/// Those that are not among `others`.
fn without(never: &Never, others: &Never) -> Never {
    let mut rest = never.clone();
    rest.retain_mut(|(record, groups)| {
        if let Ok(i) = others.binary_search_by_key(record, |(r, _)| *r) {
            groups.iter_mut().zip(&others[i].1).for_each(|(a, b)| *a &= !b);
        }
        groups.iter().any(|byte| *byte != 0)
    });
    rest
}

/// Those of one kind.
fn of_kind<S: System>(states: &States<'_, S>, never: &Never, kind: Kind) -> Never {
    let mut state = Decoded::default();
    let of_kind = never.iter().filter_map(|(record, groups)| {
        states.space.decode(states.store.tail(*record), &mut state);
        let mut of_kind: Mask = [0; _];
        (0..state.groups.len())
            .filter(|i| flag(groups, *i))
            .filter(|i| states.space.local_value(state.groups[*i].local).0 == kind)
            .for_each(|i| set_flag(&mut of_kind, i));
        of_kind.iter().any(|byte| *byte != 0).then_some((*record, of_kind))
    });
    of_kind.collect()
}

/// Makes the flags of every record say who is not blocked.
fn forget<S: System>(states: &mut States<'_, S>, blocked: &[u32]) {
    let mut state = Decoded::default();
    for record in blocked {
        states.space.decode(states.store.tail(*record), &mut state);
        let mut runs: Mask = [0; _];
        states.space.running(&state, &mut runs);
        let flags = state.flags();
        states.store.flags_mut(*record, state.bytes, flags).copy_from_slice(&runs[..flags]);
    }
}

/// The records with groups that never run again, and which these are; in the order found.
/// `last`: the last kind of step, in the order of [`WayOut`], that counts. The flags of all records must
/// say who is not blocked, and then say who runs some time.
fn never_run<S: System>(states: &mut States<'_, S>, blocked: &[u32], last: WayOut) -> Never {
    // Later states first: nearly all of a state's successors are found after it.
    let mut open: Vec<u32> = blocked.iter().rev().copied().collect();
    let (mut state, mut next) = (Decoded::default(), Decoded::default());
    let mut batch = Batch::default();
    let (space, store) = (&mut states.space, &mut states.store);
    loop {
        let mut changed = false;
        open.retain(|&record| {
            space.decode(store.tail(record), &mut state);
            let (groups, flags) = (state.groups.len(), state.flags());
            let mut runs: Mask = [0; _];
            runs[..flags].copy_from_slice(store.flags(record, state.bytes, flags));
            let before = runs;
            for actor in 0..groups {
                if (0..groups).all(|i| flag(&runs, i)) {
                    break;
                }
                batch.clear();
                let _ = space.steps_of(record, &state, actor, &CountOnly, &mut batch);
                for candidate in &batch.candidates {
                    let way_out = space.choices[candidate.choice as usize].step.way_out;
                    if way_out > last {
                        continue;
                    }
                    if way_out != WayOut::Ordinary {
                        // The process that takes its way out runs by that very step.
                        set_flag(&mut runs, actor);
                    }
                    let successor = store.find(batch.body(candidate), candidate.tag);
                    let successor = successor.expect("the search was complete");
                    space.decode(store.tail(successor), &mut next);
                    let runs_there = store.flags(successor, next.bytes, next.flags());
                    for (i, group) in state.groups.iter().enumerate() {
                        if flag(&runs, i) || group.count == u32::from(i == actor) {
                            continue;
                        }
                        for place in space.places(&state, candidate, group.local) {
                            let there = next.groups.binary_search_by_key(&place, |g| g.local);
                            if place != NONE && flag(runs_there, there.expect("it went there")) {
                                set_flag(&mut runs, i);
                            }
                        }
                    }
                }
            }
            if runs != before {
                changed = true;
                let flags = store.flags_mut(record, state.bytes, flags);
                flags.copy_from_slice(&runs[..flags.len()]);
            }
            !(0..groups).all(|i| flag(&runs, i))
        });
        if !changed {
            break;
        }
    }
    let never = open.into_iter().rev().map(|record| {
        space.decode(store.tail(record), &mut state);
        let runs = store.flags(record, state.bytes, state.flags());
        let mut never: Mask = [0; _];
        (0..state.groups.len()).filter(|i| !flag(runs, *i)).for_each(|i| set_flag(&mut never, i));
        (record, never)
    });
    never.collect()
}

/// The first record with a stuck group, with a trace and the number of a process in that group.
fn shallowest<S: System>(states: &States<'_, S>, stuck: &[(u32, Mask)]) -> Option<Stuck<S::Label>> {
    let (record, groups) = stuck.first()?;
    let mut state = Decoded::default();
    states.space.decode(states.store.tail(*record), &mut state);
    let group = (0..state.groups.len()).find(|i| flag(groups, *i)).expect("a group is stuck");
    let wanted = states.space.local_value(state.groups[group].local);
    let (trace, end) = states.trace_to(*record);
    let process = end.processes.iter().position(|process| *process == wanted);
    let process = process.expect("the trace leads to a state with that group");
    Some(Stuck { process, trace, states: stuck.len() as u64 })
}
