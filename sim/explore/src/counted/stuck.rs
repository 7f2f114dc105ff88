//! Processes that nothing can ever wake, among counted ones: as [`crate::stuck`], with one bit for
//! each local state that somebody is in, since all processes there are in the same position.

use super::countable::MAX_COUNTED;
use super::encoded::{Batch, Decoded};
use super::states::States;
use super::store::NONE;
use crate::ask::{Stuck, WatchNothing};
use crate::collections::bits::{flag, set_flag};
use crate::system::{System, WayOut};

/// The groups of a state, one bit each.
type Mask = [u8; MAX_COUNTED.div_ceil(8)];

/// The shallowest process that never runs again unless somebody is killed, and the shallowest that runs
/// again by a time-out only. `way_outs`: whether there is any time-out or kill.
pub(super) fn find<S: System>(
    states: &mut States<'_, S>,
    blocked: &[u32],
    way_outs: bool,
) -> [Option<Stuck<S::Label>>; 2] {
    let for_good = never_run(states, blocked, WayOut::TimeOut);
    let stuck = shallowest(states, &for_good);
    // Without any way out the two are the same.
    let until_time_out = way_outs.then(|| {
        forget(states, blocked);
        let mut without = never_run(states, blocked, WayOut::Ordinary);
        without.retain_mut(|(record, groups)| {
            if let Ok(i) = for_good.binary_search_by_key(record, |(r, _)| *r) {
                groups.iter_mut().zip(&for_good[i].1).for_each(|(a, b)| *a &= !b);
            }
            groups.iter().any(|byte| *byte != 0)
        });
        shallowest(states, &without)
    });
    [stuck, until_time_out.flatten()]
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
fn never_run<S: System>(
    states: &mut States<'_, S>,
    blocked: &[u32],
    last: WayOut,
) -> Vec<(u32, Mask)> {
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
                let _ = space.steps_of(record, &state, actor, &WatchNothing, &mut batch);
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
