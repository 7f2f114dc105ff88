//! Progress under weak fairness against a naive check of the same formula, on systems drawn at random
//! whose processes start over.

use std::collections::BTreeSet;

use crate::common::naive::{Graph, Naive};
use crate::common::random_system::RandomSystem;
use crate::common::sample::sample;
use kmodcheck_explore::liveness::{Comes, Fairness, Restarting, fairness, is_lasso};
use kmodcheck_explore::{
    Choice, Effect, End, Footprint, Initial, Kind, Local, Options, Queue, Shared, System, WayOut,
};

/// Which runs are looked for: with time-outs that must come or never do, with kills that must or may,
/// and of a process that steps in them or does not.
#[derive(Clone, Copy)]
struct Runs {
    time_outs_fire: bool,
    kills_come: bool,
    steps: bool,
}

/// Whether `process` may never return: everybody is free again and again of what weak fairness demands
/// of it; and each other way out that must come is strongly fair, so for some set of processes none is
/// possible any more, and the others return or take theirs again and again. Each such set is tried.
fn may_never_return<S: System>(
    naive: &Naive<'_, S>,
    graph: &Graph<S::Label>,
    process: usize,
    runs: Runs,
) -> bool {
    let sets = if runs.time_outs_fire || runs.kills_come { 1_u32 << naive.kinds.len() } else { 1 };
    (0..sets).any(|never| !never_returns(naive, graph, process, runs, never).is_empty())
}

/// The greatest set of states in which `process` has not returned and nobody of `without` could time
/// out, and from each of which, within the set, everybody is served again and again: by a step of its
/// own, or by a state in which it is not obliged to step; and everybody else returns or times out again
/// and again. (E. A. Emerson, C.-L. Lei, 1986.)
fn never_returns<S: System>(
    naive: &Naive<'_, S>,
    graph: &Graph<S::Label>,
    process: usize,
    Runs { time_outs_fire, kills_come, steps }: Runs,
    without: u32,
) -> BTreeSet<usize> {
    let returned = |state: usize, i: usize| {
        let local = graph.states[state].0.1[i];
        naive.dormant(i, local) || naive.system.returned(naive.kinds[i], local)
    };
    let fires = |way: WayOut| way != WayOut::TimeOut || time_outs_fire;
    let obliged = |state: usize, i: usize| {
        let must = |way: WayOut| (way != WayOut::Killed || kills_come) && fires(way);
        !returned(state, i)
            && graph.moves[state].iter().any(|(taken, _)| taken.actor == i && must(taken.way_out))
    };
    let ends = |way: WayOut| match way {
        WayOut::Ordinary => false,
        WayOut::TimeOut => time_outs_fire,
        WayOut::Killed => kills_come,
    };
    let could_end = |state: usize, i: usize| {
        let mut moves = graph.moves[state].iter();
        moves.any(|(taken, _)| taken.actor == i && ends(taken.way_out))
    };
    let possible = |way: WayOut, actor: usize| fires(way) && (steps || actor != process);
    let processes = 0..naive.kinds.len();
    let mut set: BTreeSet<usize> = (0..graph.states.len())
        .filter(|s| !returned(*s, process))
        .filter(|s| !processes.clone().any(|i| without >> i & 1 == 1 && could_end(*s, i)))
        .collect();
    // By process: weak fairness, and that it returns or times out.
    let demands: Vec<(usize, bool)> = processes
        .flat_map(|i| [(i, false), (i, true)])
        .filter(|(i, end)| !end || ((time_outs_fire || kills_come) && without >> i & 1 == 0))
        .collect();
    loop {
        let mut next = set.clone();
        for &(i, end) in &demands {
            let serves = |s: &usize| {
                let steps = graph.moves[*s].iter().any(|(taken, to)| {
                    let counts = !end || ends(taken.way_out);
                    let possible = possible(taken.way_out, taken.actor);
                    taken.actor == i && counts && possible && set.contains(to)
                });
                steps || if end { returned(*s, i) } else { !obliged(*s, i) }
            };
            let mut reaches: BTreeSet<usize> = set.iter().copied().filter(serves).collect();
            loop {
                let leads = |s: &usize| {
                    graph.moves[*s].iter().any(|(taken, to)| {
                        possible(taken.way_out, taken.actor) && reaches.contains(to)
                    })
                };
                let more: Vec<usize> =
                    (set.iter().copied()).filter(|s| !reaches.contains(s) && leads(s)).collect();
                if more.is_empty() {
                    break;
                }
                reaches.extend(more);
            }
            next.retain(|s| reaches.contains(s));
        }
        if next == set {
            return set;
        }
        set = next;
    }
}

#[test]
fn agrees_with_the_fixpoint_on_generated_systems() {
    let (mut asleep, mut overtaken, mut by_time_out, mut always, mut loops) = (0, 0, 0, 0, 0);
    let mut only_if_killed = 0;
    let systems = sample(400, 4_000);
    for seed in systems.seeds() {
        let inner = RandomSystem::new(seed);
        let kinds = [Kind(0), Kind(1)];
        let system = Restarting::new(&inner, &kinds[..(seed % 3) as usize]);
        if system.initial().processes.len() > 3 {
            continue;
        }
        let naive = Naive::new(&system);
        let graph = naive.graph(false);
        if !graph.exhausted.is_empty() || graph.states.len() > 2_000 {
            continue;
        }
        let found: Fairness<_> = fairness(&system, &Options::default()).expect("few processes");
        assert_eq!(found.end, End::Complete, "seed {seed}");
        assert_eq!(found.states as usize, graph.states.len(), "seed {seed}");
        assert_eq!(found.transitions as usize, graph.transitions(), "seed {seed}");
        let with =
            |runs: Runs| (0..naive.kinds.len()).any(|i| may_never_return(&naive, &graph, i, runs));
        let expected =
            |time_outs_fire, steps| with(Runs { time_outs_fire, kills_come: false, steps });
        let though_killed = with(Runs { time_outs_fire: true, kills_come: true, steps: false });
        let (sleeps, fire, stay) =
            (expected(true, false), expected(true, true), expected(false, true));
        assert_eq!(found.asleep.is_some(), sleeps, "seed {seed}: {:?}", found.asleep);
        assert_eq!(found.only_if_killed, sleeps && !though_killed, "seed {seed}");
        assert_eq!(
            found.overtaken.is_some(),
            fire && !sleeps,
            "seed {seed}: {:?}",
            found.overtaken
        );
        assert_eq!(found.by_time_out_only.is_some(), !fire && stay, "seed {seed}");
        let asleep_though = match found.only_if_killed {
            true => Comes::TimeOuts,
            false => Comes::TimeOutsAndKills,
        };
        for (lasso, comes) in [
            (&found.asleep, asleep_though),
            (&found.overtaken, Comes::TimeOuts),
            (&found.by_time_out_only, Comes::Nothing),
        ] {
            let Some(lasso) = lasso else { continue };
            assert!(is_lasso(&system, lasso, comes), "seed {seed}: {lasso:?}");
            loops += usize::from(!lasso.cycle.is_empty());
        }
        if let Some(lasso) = &found.asleep {
            assert!(lasso.cycle.iter().all(|step| step.actor != lasso.process), "seed {seed}");
        }
        asleep += usize::from(sleeps);
        only_if_killed += usize::from(found.only_if_killed);
        overtaken += usize::from(found.overtaken.is_some());
        by_time_out += usize::from(found.by_time_out_only.is_some());
        always += usize::from(!fire && !stay);
    }
    println!("{only_if_killed} {asleep} {overtaken} {by_time_out} {always} {loops}");
    for (number, in_all) in [
        (only_if_killed, 10),
        (asleep, 300),
        (overtaken, 30),
        (by_time_out, 10),
        (always, 300),
        (loops, 100),
    ] {
        assert!(systems.met_enough(number, in_all), "{number}, of all {in_all}");
    }
}

/// Two processes that take turns, unless one of them has the choice to go on alone.
struct Turns {
    polite: bool,
}

const WAIT: Local = 1;
const WORK: Local = 2;
const REST: Local = 3;

impl System for Turns {
    type Label = &'static str;

    fn shared_bits(&self) -> u32 {
        1 // somebody works
    }

    fn local_bits(&self) -> u32 {
        2
    }

    fn initial(&self) -> Initial {
        Initial { shared: 0, processes: vec![(Kind(0), WAIT); 2] }
    }

    fn step(&self, _: Kind, busy: Shared, at: Local, choices: &mut Vec<Choice<Self::Label>>) {
        let (shared, local, label) = match at {
            WAIT if busy == 1 => return,
            WAIT => (1, WORK, "begin"),
            WORK => (0, if self.polite { REST } else { WAIT }, "end"),
            _ => return,
        };
        choices.push(Choice {
            shared,
            local,
            effect: Effect::None,
            way_out: WayOut::Ordinary,
            footprint: Footprint { reads: 1, writes: 1 },
            label,
        });
    }

    fn observe(&self, _: Kind, _: Shared, _: Shared, local: Local) -> Local {
        local
    }

    fn wake(&self, _: Kind, _: Local, _: Queue) -> Option<Local> {
        None
    }

    fn returned(&self, _: Kind, local: Local) -> bool {
        local == REST
    }
}

/// Weak fairness does not help who is able to step only now and then.
#[test]
fn who_never_rests_starves_and_is_starved() {
    let found = fairness(&Turns { polite: false }, &Options::default()).expect("two processes");
    let lasso = found.asleep.expect("one can work for ever while the other waits");
    assert!(is_lasso(&Turns { polite: false }, &lasso, Comes::TimeOuts));
    assert_eq!((lasso.stem.len(), lasso.cycle.len()), (0, 2), "{lasso:?}");
    let found = fairness(&Turns { polite: true }, &Options::default()).expect("two processes");
    assert_eq!((found.asleep, found.overtaken), (None, None));
}
