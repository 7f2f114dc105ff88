//! What generated scenarios have in them: every key and word that a scenario file can have, every value
//! of every switch, and every two of these together. What there is, is asked of the code that reads
//! files, so a new word or switch has to be drawn, or stand below with the reason why it is not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kmodcheck_explore::walk::seed_of;
use kmodcheck_model::presets::{KERNELS, KMODS, SWITCHES};
use kmodcheck_properties::generate::{Generated, Space};
use kmodcheck_properties::sample::{ACTORS, EXECUTIONS, SEED};
use kmodcheck_sim::scenario_file;
use proptest::strategy::ValueTree;
use toml::{Table, Value};

/// Where it stands; keys of `softdeps` stand in their module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    /// Once in a file.
    File,
    /// In a `[[module]]`.
    Module,
    /// In an `[[actor]]`.
    Actor,
    /// In a `[[property]]`.
    Property,
}

/// A key, a key with one of its values, or a switch with its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Item {
    place: Place,
    key: String,
    value: Option<String>,
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            None => write!(f, "{}", self.key),
            Some(value) => write!(f, "{}={value}", self.key),
        }
    }
}

fn place(heading: &str) -> Place {
    match heading {
        "the file" | "[features]" | "[environment]" => Place::File,
        "[[module]]" | "softdeps" => Place::Module,
        "[[actor]]" => Place::Actor,
        "[[property]]" => Place::Property,
        other => panic!("a table that this test does not know: {other}"),
    }
}

/// Keys that are not drawn.
const NOT_DRAWN: [(&str, &str); 9] = [
    (
        "modprobe-killable",
        "would change what every seed draws: see sim/kernel's presets.rs and naive.rs",
    ),
    ("exec-requests", "no modprobe runs where it is, so it meets nothing else: see exec.rs"),
    ("properties", "says what is judged, nothing of the system"),
    ("expect", "says what is expected, nothing of the system"),
    ("property", "says what is asked, nothing of the system; so do its keys"),
    ("results", "likewise"),
    ("program", "drawn by themselves: see programs.rs"),
    ("exit", "likewise"),
    ("shared", "likewise"),
];

/// The words that some key takes.
fn words(key: &str) -> Option<&'static [&'static str]> {
    scenario_file::words().into_iter().find(|(_, k, _)| *k == key).map(|(_, _, words)| words)
}

/// The items of a table.
fn items(place: Place, table: &Table) -> BTreeSet<Item> {
    let mut found = BTreeSet::new();
    for (key, value) in table {
        let item = |value: Option<String>| Item { place, key: key.clone(), value };
        match value {
            Value::Boolean(value) => found.insert(item(Some(value.to_string()))),
            Value::String(word) if words(key).is_some() => found.insert(item(Some(word.clone()))),
            Value::Array(list) if list.is_empty() => false,
            _ => found.insert(item(None)),
        };
        if key == "softdeps" {
            found.extend(items(place, value.as_table().unwrap()));
        }
    }
    found
}

/// What a scenario has in it: once, by module, by actor. Modules that nobody touches are no part of it.
fn drawn(generated: &Generated) -> [Vec<BTreeSet<Item>>; 3] {
    let file: Table = generated.text.parse().unwrap();
    let scenario = &generated.scenario;
    let mut once = BTreeSet::new();
    for (key, value) in &file {
        let item = Item { place: Place::File, key: key.clone(), value: None };
        match value {
            Value::Table(table) => {
                once.insert(item);
                once.extend(items(Place::File, table));
            }
            Value::Array(list) if list.is_empty() => {}
            _ => {
                once.insert(item);
            }
        }
    }
    for switch in SWITCHES {
        let value = Some(switch.get(&scenario.features).to_owned());
        once.insert(Item { place: Place::File, key: switch.name.to_owned(), value });
    }
    let touched = |table: &&Value| {
        let name = table["name"].as_str().unwrap();
        let behind = scenario.names.iter().filter_map(|n| n.builtin.as_ref());
        scenario.module_of_name(name).is_some() || behind.into_iter().any(|b| b.name == name)
    };
    let tables = |key: &str| file.get(key).and_then(Value::as_array).into_iter().flatten();
    let of = |place, table: &Value| items(place, table.as_table().unwrap());
    let modules = tables("module").filter(touched).map(|t| of(Place::Module, t)).collect();
    let actors = tables("actor").map(|t| of(Place::Actor, t)).collect();
    [vec![once], modules, actors]
}

/// How often each item was drawn, and each two of them together: those of one table in one table, two
/// values of one key in two tables, else anywhere.
#[derive(Default)]
struct Counts {
    numbers: BTreeMap<Item, usize>,
    places: Vec<(Place, String)>,
    /// By the numbers of both, the smaller first; of one item twice, in how many scenarios it is.
    together: HashMap<(usize, usize), u64>,
}

impl Counts {
    fn number(&mut self, item: Item) -> usize {
        let new = self.numbers.len();
        *self.numbers.entry(item).or_insert_with_key(|item| {
            self.places.push((item.place, item.key.clone()));
            new
        })
    }

    fn add(&mut self, drawn: [Vec<BTreeSet<Item>>; 3]) {
        let tables: Vec<Vec<usize>> = drawn
            .into_iter()
            .flatten()
            .map(|table| table.into_iter().map(|item| self.number(item)).collect())
            .collect();
        let mut found = HashSet::new();
        for (number, one) in tables.iter().enumerate() {
            for &a in one {
                found.extend(one.iter().filter(|b| a <= **b).map(|b| (a, *b)));
                for &b in tables[number + 1..].iter().flatten() {
                    let ((place, key), (other, other_key)) = (&self.places[a], &self.places[b]);
                    if place != other || key == other_key {
                        found.insert((a.min(b), a.max(b)));
                    }
                }
            }
        }
        for pair in found {
            *self.together.entry(pair).or_default() += 1;
        }
    }

    fn of(&self, a: &Item, b: &Item) -> u64 {
        let (Some(a), Some(b)) = (self.numbers.get(a), self.numbers.get(b)) else { return 0 };
        self.together.get(&(*a.min(b), *a.max(b))).copied().unwrap_or(0)
    }
}

/// Keys of a module that can be loaded, and of no built-in code.
const LOADABLE: [&str; 15] = [
    "name-taken",
    "init",
    "dependencies",
    "softdeps",
    "pre",
    "post",
    "blacklisted",
    "install",
    "requests",
    "sysfs-may-fail",
    "fails-at",
    "fails-with",
    "compressed",
    "async-probe",
    "no-exit",
];

/// Keys of built-in code alone.
const BUILT_IN: [&str; 3] = ["parameters", "version", "driver"];

/// Why two things never stand together.
fn cannot_be(a: &Item, b: &Item) -> Option<&'static str> {
    let is = |item: &Item, key: &str, value: &str| {
        item.key == key && item.value.as_deref() == Some(value)
    };
    if a.key == b.key && (a.place, b.place) == (Place::File, Place::File) {
        return Some("a file has one value for it");
    }
    if a == b && a.value.as_deref() == Some("late_initcalls") {
        return Some("the kernel boots once");
    }
    if a.key == b.key && BUILT_IN.contains(&a.key.as_str()) {
        return Some("one piece of built-in code is drawn: two have nothing to do with each other");
    }
    for (a, b) in [(a, b), (b, a)] {
        let (loadable, built_in) =
            (LOADABLE.contains(&a.key.as_str()), BUILT_IN.contains(&b.key.as_str()));
        if a.place == Place::Module && loadable && (built_in || is(b, "built-in", "true")) {
            return Some(
                "only a module that can be loaded has the one, only built-in code the other",
            );
        }
        if built_in && is(a, "built-in", "false") {
            return Some("only built-in code has it");
        }
        let never = ["rmmod", "udev", "modprobe -r", "late_initcalls"]
            .iter()
            .any(|call| is(a, "call", call));
        if never && is(b, "killable", "true") {
            return Some("it has no wait that a kill ends");
        }
        let boots = |item: &Item| is(item, "call", "late_initcalls");
        if boots(a) && (a.place, b.key.as_str()) == (b.place, "name") {
            return Some("they are those of all that is built in");
        }
    }
    None
}

/// All that there is, as far as the code that reads files can be asked. Whether a key takes true and false
/// is seen from what is drawn.
fn all(drawn: &BTreeMap<Item, usize>) -> BTreeSet<Item> {
    let mut all = BTreeSet::new();
    let of_systems = |heading: &&str| place(heading) != Place::Property;
    for (heading, keys) in scenario_file::keys().into_iter().filter(|(h, _)| of_systems(h)) {
        for key in keys {
            let item = |value: Option<&str>| Item {
                place: place(heading),
                key: (*key).to_owned(),
                value: value.map(str::to_owned),
            };
            let flag = drawn.keys().any(|i| {
                i.place == place(heading)
                    && i.key == *key
                    && matches!(i.value.as_deref(), Some("true" | "false"))
            });
            match words(key) {
                Some(words) => all.extend(words.iter().map(|word| item(Some(word)))),
                None if flag => all.extend(["true", "false"].map(|value| item(Some(value)))),
                None => {
                    all.insert(item(None));
                }
            }
        }
    }
    for switch in SWITCHES {
        all.extend(switch.values.iter().map(|value| Item {
            place: Place::File,
            key: switch.name.to_owned(),
            value: Some((*value).to_owned()),
        }));
    }
    all
}

#[test]
fn every_word_and_switch_and_every_two_of_them_are_drawn() {
    let space = Space::of(usize::from(ACTORS));
    let mut counts = Counts::default();
    let mut presets = BTreeMap::<String, u64>::new();
    for number in 0..EXECUTIONS {
        let generated = space.draw(seed_of(SEED, number)).current();
        let name = generated.scenario.name.strip_prefix("generated, on ").unwrap();
        let (kernel, kmod) = name.split_once(" with kmod ").unwrap();
        for preset in [format!("kernel {kernel}"), format!("kmod {kmod}")] {
            *presets.entry(preset).or_default() += 1;
        }
        counts.add(drawn(&generated));
    }
    let kernels = KERNELS.iter().map(|name| format!("kernel {name}"));
    for preset in kernels.chain(KMODS.iter().map(|name| format!("kmod {name}"))) {
        let times = presets.get(&preset).copied().unwrap_or(0);
        println!("{times:5} {preset}");
        assert!(times > 0, "{preset} is never drawn");
    }
    let not_drawn = |item: &Item| NOT_DRAWN.iter().find(|(key, _)| *key == item.key);
    let all: Vec<Item> = all(&counts.numbers).into_iter().collect();
    let mut never = Vec::new();
    for item in &all {
        let count = counts.of(item, item);
        match not_drawn(item) {
            Some((_, why)) => {
                println!("    - {item}: {why}");
                assert_eq!(count, 0, "{item} is drawn");
            }
            None => {
                println!("{count:5} {item}");
                if count == 0 {
                    never.push(item.to_string());
                }
            }
        }
    }
    let unknown: Vec<_> = counts.numbers.keys().filter(|item| !all.contains(item)).collect();
    assert!(unknown.is_empty(), "drawn, and not of a file: {unknown:?}");

    let (mut pairs, mut reasons) = (Vec::new(), BTreeMap::<&str, u64>::new());
    let items: Vec<&Item> = all.iter().filter(|item| not_drawn(item).is_none()).collect();
    for (number, a) in items.iter().enumerate() {
        for b in &items[number + 1..] {
            let count = counts.of(a, b);
            match cannot_be(a, b) {
                Some(why) => {
                    *reasons.entry(why).or_default() += 1;
                    assert_eq!(count, 0, "{a} and {b} are drawn together");
                }
                None => pairs.push((count, format!("{a} and {b}"))),
            }
        }
    }
    pairs.sort();
    for (why, times) in reasons {
        println!("{times:5} pairs cannot be: {why}");
    }
    println!("{} pairs; the rarest:", pairs.len());
    for (count, pair) in pairs.iter().take(12) {
        println!("{count:5} {pair}");
    }
    never.extend(pairs.into_iter().filter(|(count, _)| *count == 0).map(|(_, pair)| pair));
    assert!(never.is_empty(), "{} are never drawn: {}", never.len(), never.join("; "));
}

/// As many actors as can be asked for fit the explorer, and the model.
#[test]
fn what_is_drawn_is_well_formed() {
    for actors in 1..=8 {
        let space = Space::of(actors);
        for seed in 0..50 {
            let scenario = space.draw(seed).current().scenario;
            assert!((1..=actors).contains(&scenario.processes()), "{scenario:?}");
            let model = kmodcheck_model::Model::new(scenario, None).unwrap();
            assert!(model.processes().len() <= kmodcheck_explore::MAX_PROCESSES);
        }
    }
}
