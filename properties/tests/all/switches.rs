//! Each switch changes what it says it changes: a scenario in which each of its values shows otherwise.
//! What each value shows was written down before it was run.

use std::collections::BTreeSet;

use kmodcheck_explore::{Asks, Monitor, Tally};
use kmodcheck_explore::{Options, Step, explore};
use kmodcheck_model::presets::{KERNELS, SWITCHES};
use kmodcheck_model::{Event, Model};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::Processes;
use kmodcheck_sim::scenario_file::{self, Change, Choice};

use Property::{NoFalseSuccess, NobodySleepsForEver};
use cases::Look::{self, Leads, Step as Does, Verdict as Says};
use cases::{CASES, Case, SYSFS_FAILS, TWO_REQUESTS_AND_RMMOD, UNLISTED_BUILT_IN};

mod cases;

/// The name of each step.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Tally for Names {
    fn add(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

struct Listens<'m>(&'m Model);

impl Monitor<Event> for Listens<'_> {
    type Tally = Names;
    const ASKS: Asks = Asks::Steps;

    fn record_step(&self, names: &mut Names, step: &Step<Event>, _: u64, _: u64) {
        let what = step.label.describe(self.0.scenario());
        names.0.insert(format!("{}: {what}", step.label.function()));
        let place = |local| self.0.task(local).pc;
        names.0.insert(format!("{:?} to {:?}", place(step.local_before), place(step.local_after)));
    }
}

fn model(file: &str, base: (&str, &str, &[&str]), change: Option<String>) -> Model {
    let mut scenario = scenario_file::load("a case", file, &[]).unwrap().scenario;
    let base_changes = base.2.iter().map(|c| (*c).to_owned());
    scenario.features = Choice {
        kernel: base.0.to_owned(),
        kmod: base.1.to_owned(),
        changes: base_changes.chain(change).map(Change::With).collect(),
    }
    .features()
    .unwrap();
    Model::new(scenario, None).unwrap()
}

fn steps(model: &Model) -> BTreeSet<String> {
    let options = Options { symmetry: true, ..Options::default() };
    explore(&Processes { model }, &Listens(model), &options).unwrap().tally.0
}

fn shown(case: &Case, value: &str) -> String {
    let model = model(case.file, case.base, Some(format!("{}={value}", case.switch)));
    let report = check_all(&model, &Options { symmetry: true, ..Options::default() }).unwrap();
    let steps = steps(&model);
    let look = |look: &Look| match look {
        Does(what) if steps.iter().any(|step| step.contains(what)) => 'y',
        Does(_) => 'n',
        Leads(from, to) => match steps.contains(&format!("{from:?} to {to:?}")) {
            true => 'y',
            false => 'n',
        },
        Says(property) => match report.answer(*property).verdict {
            Verdict::Holds { premise_met: true } => 'H',
            Verdict::Holds { premise_met: false } => '0',
            Verdict::Violated(_) => 'V',
            Verdict::NotApplicable => '-',
            Verdict::OutOfBudget | Verdict::NoneFound | Verdict::NotAsked => {
                unreachable!("no search is bounded")
            }
        },
    };
    case.looks.iter().map(look).collect()
}

#[test]
fn each_value_of_each_switch_shows() {
    let mut wrong = Vec::new();
    for case in CASES {
        for (value, expected) in case.shows {
            let found = shown(case, value);
            if found != *expected {
                wrong.push(format!("{}={value}: {found}, expected {expected}", case.switch));
            }
        }
        let distinct: BTreeSet<&str> = case.shows.iter().map(|(_, shows)| *shows).collect();
        assert_eq!(distinct.len(), case.shows.len(), "{}: two values show alike", case.switch);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_switch_and_no_value_is_left_out() {
    for switch in SWITCHES {
        let case = CASES.iter().find(|case| case.switch == switch.name);
        let case = case.unwrap_or_else(|| panic!("no case for {}", switch.name));
        let values: Vec<&str> = case.shows.iter().map(|(value, _)| *value).collect();
        assert_eq!(values, switch.values, "{}", switch.name);
    }
    assert_eq!(CASES.len(), SWITCHES.len());
}

/// docs/sources.md says of each switch what was read where, and of each commit that it names.
#[test]
fn each_switch_says_what_was_read() {
    let page = include_str!("../../../docs/sources.md");
    for switch in SWITCHES {
        let begin = format!("\n| `{}` |", switch.name);
        let rows =
            page.split_once(&begin).unwrap_or_else(|| panic!("no row for {}", switch.name)).1;
        // Further rows of the same switch have an empty first cell.
        let rows: Vec<&str> = rows
            .lines()
            .enumerate()
            .take_while(|(number, line)| *number == 0 || line.starts_with("| | "))
            .map(|(_, line)| line)
            .collect();
        let commits =
            switch.commit.split(|c: char| !c.is_ascii_hexdigit()).filter(|c| c.len() == 12);
        for commit in commits {
            assert!(rows.iter().any(|row| row.contains(commit)), "{}: no {commit}", switch.name);
        }
        for row in rows {
            let read = row.split('|').rev().nth(2).unwrap_or_default().trim();
            let known = ["diff", "diff of its successor", "source", "mail"];
            assert!(
                known.contains(&read),
                "{}: found read '{read}', expected {known:?}",
                switch.name
            );
        }
    }
}

/// The kernel presets, readings of the RFC aside, that violate a property with kmod v20.
fn violated_in(file: &str, property: Property) -> Vec<&'static str> {
    let violated = |kernel: &&str| {
        let model = model(file, (kernel, "v20", &[]), None);
        let report = check_all(&model, &Options { symmetry: true, ..Options::default() }).unwrap();
        matches!(report.answer(property).verdict, Verdict::Violated(_))
    };
    KERNELS.into_iter().filter(|kernel| !kernel.contains("v4.9+")).filter(violated).collect()
}

/// 6e6de3dee51a (v5.3) waits for a module that is being unloaded; only 5d603311615f (v5.5) wakes who does.
#[test]
fn from_v5_5_on_nobody_sleeps_for_ever_beside_an_rmmod() {
    let violated = violated_in(TWO_REQUESTS_AND_RMMOD, NobodySleepsForEver);
    assert_eq!(violated, ["v4.9", "v4.13", "v5.3"]);
}

/// A failed `mod_sysfs_setup()` shows GOING from 885a78d4a5b3 (v4.10) on, which is -EEXIST, so success for
/// kmod, until 6e6de3dee51a (v5.3).
#[test]
fn between_v4_10_and_v5_3_a_failed_sysfs_set_up_is_taken_for_success() {
    let violated = violated_in(SYSFS_FAILS, NoFalseSuccess);
    assert_eq!(violated, ["v4.13"]);
}

/// An alias line of built-in code comes from the same list as `modules.builtin`, and its own name is no
/// alias: kmod v27 on does not know code that is not listed.
#[test]
fn unlisted_built_in_code_is_not_its_own_alias() {
    for (kmod, vacuous) in [("v19", false), ("v20", true), ("v30", true), ("v34.2", true)] {
        let model = model(UNLISTED_BUILT_IN, ("v6.2", kmod, &[]), None);
        let report = check_all(&model, &Options::default()).unwrap();
        let verdict = &report.answer(NoFalseSuccess).verdict;
        assert_eq!(*verdict, Verdict::Holds { premise_met: !vacuous }, "{kmod}");
    }
}

/// Whether both modules of `RIVALS` are registered at once.
struct BothRegistered<'m>(&'m Model);

impl Monitor<Event> for BothRegistered<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        u64::from((0..2).all(|module| self.0.registered(step.after, module)))
    }
}

/// `register_filesystem()` refuses a name that is registered, whoever loads the second module and under
/// whatever name.
#[test]
fn one_file_system_is_registered_once() {
    let rivals = "
        [[module]]
        name = 'left'
        aliases = ['fs-x']
        [[module]]
        name = 'right'
        aliases = ['fs-x']
        [[actor]]
        call = 'modprobe'
        name = 'left'
        [[actor]]
        call = 'modprobe'
        name = 'right'
        [[actor]]
        call = 'get_fs_type'
        name = 'x'
    ";
    let model = model(rivals, ("v6.2", "v20", &[]), None);
    let processes = Processes { model: &model };
    let found = explore(&processes, &BothRegistered(&model), &Options::default()).unwrap();
    assert!(found.violations.is_empty());
    let steps = steps(&model);
    for expected in ["left's init fails", "right's init fails"] {
        assert!(steps.iter().any(|step| step.contains(expected)), "{expected}");
    }
}

/// docs/sources.md and the table of releases name the same stable releases of a commit; of one that is older than v4.9 the
/// table says nothing, and of one that was seen as a candidate only the page does not.
#[test]
fn the_page_and_the_table_of_releases_agree() {
    use kmodcheck_model::presets::Side;
    use kmodcheck_model::releases::COMMITS;
    let page = include_str!("../../../docs/sources.md");
    let mut compared = 0;
    for commit in COMMITS.iter().filter(|c| c.side == Side::Kernel && !c.sets.is_empty()) {
        let row = page.lines().find(|line| {
            line.starts_with('|')
                && line.split('|').nth(2).is_some_and(|cell| cell.contains(commit.id))
        });
        let row = row.unwrap_or_else(|| panic!("no row for {}", commit.id));
        let cell = row.split('|').nth(3).unwrap();
        let words = cell.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let mut told: Vec<[u32; 3]> = words
            .filter_map(|word| {
                let numbers: Vec<u32> =
                    word.split('.').map(|n| n.parse().ok()).collect::<Option<_>>()?;
                <[u32; 3]>::try_from(numbers).ok()
            })
            .filter(|of| [of[0], of[1]] >= [4, 9])
            .collect();
        let mut known = commit.stable.to_vec();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known, "{}: the page, the table", commit.id);
        let mainline = format!("v{}.{}", commit.since[0], commit.since[1]);
        assert!(cell.contains(&mainline), "{}: {cell}", commit.id);
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}
