//! The reference model's counts, as measured with SPIN 6.5.2, stateright 0.31 and rumur 2022.08, all
//! without reductions other than the symmetry named. A transition is one alternative of one caller
//! in one state; a caller without an enabled step has none, and there are no self-loops for it.

use std::collections::BTreeSet;

use crate::common::erased::explore;
use crate::common::naive::Naive;
use crate::common::reference_model::{At, ReferenceModel};
use crate::common::sample::long_some_of;
use kmodcheck_explore::replay::replay;
use kmodcheck_explore::{Configuration, End, Exploration, Options, Product, Transition};
use kmodcheck_explore::{Monitor, Tally};

/// Collects violating states: a state is counted once, however many transitions lead there.
struct Collect;

#[derive(Clone, Debug, Default)]
struct Collected {
    states: BTreeSet<Configuration>,
    transitions_into: u64,
}

impl Tally for Collected {
    fn add(&mut self, other: Self) {
        self.states.extend(other.states);
        self.transitions_into += other.transitions_into;
    }
}

impl Monitor<At> for Collect {
    type Tally = Collected;

    fn violates(&self, transition: &Transition<'_, At>) -> u64 {
        u64::from(ReferenceModel::enters_violating(transition))
    }

    fn record(&self, tally: &mut Collected, transition: &Transition<'_, At>, violated: u64) {
        if violated != 0 {
            tally.transitions_into += 1;
            tally.states.insert(*transition.after);
        }
    }
}

fn run(callers: usize, v19: bool, symmetry: bool) -> (Exploration<At, Collected>, Collected) {
    let options = Options { symmetry, ..Options::default() };
    let model = ReferenceModel { callers, v19 };
    let found = explore(&model, &Collect, &options).expect("fits");
    assert_eq!(found.end, End::Complete);
    assert_eq!(found.stuck, None, "every waiter is released at last");
    let collected = found.tally.clone();
    (found, collected)
}

#[test]
fn full_space() {
    for (callers, states, transitions) in [(4, 63_973, 202_420), (5, 878_304, 3_421_320)] {
        let (found, _) = run(callers, true, false);
        assert_eq!((found.states, found.transitions), (states, transitions), "N = {callers}");
    }
}

#[test]
fn up_to_symmetry() {
    for (callers, states) in [(4, 3_615), (5, 12_678), (6, 38_413), (7, 103_798)] {
        assert_eq!(run(callers, true, true).0.states, states, "N = {callers}");
    }
}

#[test]
fn violating_states() {
    for (callers, violating) in [(2, 10), (3, 255), (4, 4_372), (5, 62_985)] {
        let (_, collect) = run(callers, true, false);
        assert_eq!(collect.states.len(), violating, "N = {callers}");
        assert!(collect.transitions_into >= violating as u64, "each was entered");
    }
}

#[test]
fn v20_is_not_violated() {
    for callers in 1..=5 {
        let (found, collect) = run(callers, false, false);
        assert!(collect.states.is_empty() && found.violations.is_empty(), "N = {callers}");
        if callers == 5 {
            assert_eq!(found.states, 768_194);
        }
    }
}

#[test]
fn shortest_trace_at_any_number_of_callers() {
    let mut lengths = BTreeSet::new();
    for callers in 2..=7 {
        for symmetry in [false, true] {
            if callers > 5 && !symmetry {
                continue;
            }
            let (found, _) = run(callers, true, symmetry);
            let trace = &found.violations.first().expect("v19 is violated").trace;
            lengths.insert(trace.len());
            let model = ReferenceModel { callers, v19: true };
            let product = Product::new(&model).expect("few callers");
            let mut violating = false;
            let replayed =
                replay(&product, trace, |_, t| violating = ReferenceModel::enters_violating(t));
            assert!(replayed.is_ok() && violating, "N = {callers}");
        }
    }
    // One caller creates the directory: Idle, Check, Open, Stat, Add, SetComing, MkDir; the other
    // passes Idle, Check, Open, Stat, and finds nothing at Exit0.
    assert_eq!(lengths, BTreeSet::from([12]));
}

#[test]
fn naive_agrees() {
    for callers in [2, 3] {
        for v19 in [true, false] {
            for symmetry in [false, true] {
                let model = ReferenceModel { callers, v19 };
                let graph = Naive::new(&model).graph(symmetry);
                let (found, collect) = run(callers, v19, symmetry);
                let counts = (found.states as usize, found.transitions as usize, found.depth);
                let naive = (graph.states.len(), graph.transitions(), graph.depth() as u32);
                assert_eq!(counts, naive, "N = {callers}, {v19}, {symmetry}");
                let states = graph.states.iter().map(|((shared, locals), _)| (*shared, locals));
                let violating = states.filter(|(s, l)| ReferenceModel::violating(*s, l)).count();
                if !symmetry {
                    assert_eq!(collect.states.len(), violating);
                }
            }
        }
    }
}

/// The largest figures that every run can afford; most take one of the two.
#[test]
fn full_space_of_six() {
    for v19 in long_some_of(1, 1, [false, true]) {
        let (found, collect) = run(6, v19, false);
        if v19 {
            assert_eq!((found.states, found.transitions), (11_692_207, 54_089_874));
            assert_eq!(collect.states.len(), 823_222);
        } else {
            assert_eq!(found.states, 10_307_895);
        }
    }
}
