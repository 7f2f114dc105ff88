//! Systems as other checkers read them: the table does in every reachable state what the model does (an
//! export asserts that of itself), and has the states and transitions that the explorer counts.

use kmodcheck_explore::{End, Limits, Options};
use kmodcheck_model::Model;
use kmodcheck_properties::generate::Space;
use kmodcheck_properties::grand::{GrandCell, System as GrandSystem};
use kmodcheck_properties::programs;
use kmodcheck_properties::property::View;
use kmodcheck_properties::{Property, check};
use kmodcheck_sim::export::{Affects, table};

use crate::sample::{for_all, long_sample, sample};

#[test]
fn tables_count_what_the_explorer_counts() {
    const MOST: u64 = 20_000;
    let limits = Limits { states: Some(MOST), ..Limits::default() };
    let all = GrandSystem::of(&GrandCell::all());
    let everything = all.len();
    let taken = long_sample(40, 200, everything as u64).seeds().count();
    let systems: Vec<_> = all.into_iter().step_by(everything / taken).collect();
    let found = for_all(&systems, |system| {
        let model = system.model(None);
        let found = check(&model, &Options { limits, ..Options::default() }).expect("it fits");
        if found.end != End::Complete {
            return [0; 4];
        }
        let violates = |step: &_| View::of(&model, step).violates(&Property::ALL);
        let most = usize::try_from(MOST).expect("a small number");
        let table = table(&model, most, &violates).expect("it is small");
        let counts = (table.states as u64, table.transitions as u64);
        assert_eq!(counts, (found.states, found.transitions), "{:?}", system.cells);
        let commands = || table.kinds.iter().flat_map(|kind| &kind.commands);
        let wakes = commands().filter(|c| matches!(c.affects, Affects::WakesOne(_))).count();
        let spawns = commands().filter(|c| matches!(c.affects, Affects::Spawns(..))).count();
        [1, wakes, spawns, commands().filter(|c| c.violates != 0).count()]
    });
    let sum = |i: usize| found.iter().map(|found| found[i]).sum::<usize>();
    let (systems, violate) = (sum(0), sum(3));
    println!("{systems} systems, {} wake one, {} start one, {violate} violate", sum(1), sum(2));
    // Few systems of all wake one: a sample may have none.
    let wake_one = sum(1) > 0 || systems < everything / 2;
    assert!(systems > 10 && wake_one && sum(2) > 0 && violate > 0);
}

/// Programs: what they share, and what they wait for, is in the table, too.
#[test]
fn tables_of_programs_count_what_the_explorer_counts() {
    const MOST: u64 = 5_000;
    let limits = Limits { states: Some(MOST), ..Limits::default() };
    let sample = sample(20, 200);
    let seeds: Vec<u64> = sample.seeds().collect();
    let found = for_all(&seeds, |seed| {
        let scenario = programs::draw(&Space::of(2), *seed).scenario;
        let model = Model::new(scenario, None).expect("it fits");
        let options = Options { limits, symmetry: false, ..Options::default() };
        let found = check(&model, &options).expect("it fits");
        if found.end != End::Complete {
            return 0;
        }
        let violates = |step: &_| View::of(&model, step).violates(&Property::ALL);
        let table = table(&model, usize::try_from(MOST).expect("a small number"), &violates);
        let table = table.expect("it is small");
        let counts = (table.states as u64, table.transitions as u64);
        assert_eq!(counts, (found.states, found.transitions), "seed {seed}");
        1_u64
    });
    assert!(sample.met_enough(found.iter().sum::<u64>(), 60), "{found:?}");
}
