//! A table that does something else than the model is noticed, whatever it is.

use super::*;
use crate::scenario_file;

/// A module whose init may fail, an unload beside, and a kernel that wakes one waiter: all that a command has.
const BUSY: &str = r#"
name = "busy"
[features]
kernel = "v6.5"
kmod = "v19"
[environment]
limit = 1
[[module]]
name = "ext4"
aliases = ["fs-ext4"]
init = "may-fail"
[[actor]]
call = "get_fs_type"
name = "ext4"
count = 2
killable = true
"#;

fn model() -> Model {
    let loaded = scenario_file::load("busy", BUSY, &[]).expect("well formed");
    Model::new(loaded.scenario, None).expect("it fits")
}

/// Which fault is put into a copy of a command; whether there was something to break.
type Fault = fn(&mut Command) -> bool;

/// What can be broken in a command. A guard that is one test shorter may mean the same: what it asks can be
/// sure there.
const FAULTS: [(&str, Fault); 6] = [
    ("a test less", |c| c.guard.pop().is_some()),
    ("an assignment less", |c| c.assigns.pop().is_some()),
    ("somebody forgets", |c| c.others.pop_first().is_some()),
    ("it does not get on", |c| {
        let gets_on = c.to != c.from;
        c.to = c.from;
        gets_on
    }),
    ("nobody is woken", |c| match &mut c.affects {
        Affects::WakesOne(wakes) => wakes.pop_first().is_some(),
        _ => false,
    }),
    ("nobody is started", |c| {
        let spawns = matches!(c.affects, Affects::Spawns(..));
        c.affects = Affects::Nobody;
        spawns
    }),
];

#[test]
fn whatever_is_broken_is_noticed() {
    let model = model();
    let system = Processes { model: &model };
    let mut builder = Builder::new(&model, &system).expect("a few processes");
    let states = reachable(&builder.product, usize::MAX).expect("no limit");
    let table = builder.build(&states, &|_| 0);
    assert!(builder.differences(&table, &states).is_empty(), "what is read is enough here");
    for (what, fault) in FAULTS {
        let (mut tried, mut noticed) = (0, 0);
        let commands = table
            .kinds
            .iter()
            .enumerate()
            .flat_map(|(kind, of)| (0..of.commands.len()).map(move |number| (kind, number)));
        for (kind, number) in commands {
            let mut copy = table.clone();
            if tried == 6 || !fault(&mut copy.kinds[kind].commands[number]) {
                continue;
            }
            tried += 1;
            let from = copy.kinds[kind].commands[number].from;
            noticed += usize::from(builder.differences(&copy, &states).contains(&(kind, from)));
        }
        let enough = if what == "a test less" { 1 } else { tried };
        assert!(tried > 0 && noticed >= enough, "{what}: {noticed} of {tried}");
    }
}

#[test]
fn a_system_that_is_too_large_is_refused() {
    let model = model();
    let most = table(&model, usize::MAX, &|_| 0).expect("it fits").states;
    assert!(table(&model, most, &|_| 0).is_ok());
    let refused = Err(ExportError::TooManyStates { most: most - 1 });
    assert_eq!(table(&model, most - 1, &|_| 0), refused);
}
