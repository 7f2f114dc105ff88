//! Which ways out of which steps a kernel and a modprobe have: what a recorded log can show of them.
//!
//! A step is a function, a way out what the event says of how it went, without whom and which modules it was about.

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_explore::{Asks, Limits, Monitor, Options, Step, Tally, explore, map_on_threads};
use kmodcheck_model::Event;
use kmodcheck_sim::Processes;

use crate::systems::grand::{GrandCell, System};

/// A way out of a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WayOut {
    /// The function that takes it.
    pub function: &'static str,
    /// How it went.
    pub how: String,
}

impl WayOut {
    /// That of an event.
    pub fn of(event: &Event) -> Self {
        Self { function: event.function(), how: how(event) }
    }
}

/// What is left of an event without the numbers of modules, names and processes.
fn how(event: &Event) -> String {
    // `action: GetFsType(0)` is of a name, too.
    let text = without_numbers(&format!("{event:?}"));
    let Some((name, fields)) = text.split_once(" { ") else { return text };
    let fields = fields.strip_suffix(" }").unwrap_or(fields);
    let told = fields.split(", ").filter(|field| {
        let value = field.split_once(": ").map_or(*field, |(_, value)| value);
        !value.bytes().all(|byte| byte.is_ascii_digit())
    });
    let told: Vec<&str> = told.collect();
    if told.is_empty() { name.to_owned() } else { format!("{name}: {}", told.join(", ")) }
}

/// Without what stands in brackets and is a number.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        out += before;
        match after.split_once(')') {
            Some((inner, after)) if inner.bytes().all(|byte| byte.is_ascii_digit()) => rest = after,
            _ => {
                out.push('(');
                rest = after;
            }
        }
    }
    out + rest
}

/// The ways out that were met.
#[derive(Default)]
struct Met(BTreeSet<WayOut>);

impl Tally for Met {
    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

struct Labels;

impl Monitor<Event> for Labels {
    type Tally = Met;
    const ASKS: Asks = Asks::Steps;

    fn record_step(&self, met: &mut Met, step: &Step<Event>, _: u64, _: u64) {
        met.0.insert(WayOut::of(&step.label));
    }
}

/// Every way out of every step of the built-in systems of a kernel and a modprobe, each with the environment and the way to ask
/// of a system that has it; `None`: a search was cut.
///
/// # Panics
/// If the states of a built-in system do not fit the explorer.
pub fn ways_out(
    kernel: &str,
    kmod: &str,
    threads: usize,
    limits: Limits,
) -> Option<BTreeMap<WayOut, String>> {
    let wanted = |cell: &GrandCell| cell.kernel == kernel && cell.kmod == kmod;
    let systems: Vec<System> = System::of(&GrandCell::all())
        .into_iter()
        .filter(|system| system.cells.iter().any(wanted))
        .collect();
    let options = Options { symmetry: true, limits, ..Options::default() };
    let explored = map_on_threads(
        threads,
        &systems,
        || false,
        |_, system| {
            let cell = system.cells.iter().find(|cell| wanted(cell)).expect("it is wanted");
            let named = format!("{} {}", cell.environment.name(), cell.naming.name());
            let model = system.model(None);
            let found = explore(&Processes { model: &model }, &Labels, &options);
            let found = found.expect("the states of a built-in system fit");
            let whole = found.end == kmodcheck_explore::End::Complete;
            whole.then_some((named, found.tally.0))
        },
    );
    let mut ways = BTreeMap::new();
    for found in explored {
        let (name, met) = found.flatten()?;
        for way in met {
            ways.entry(way).or_insert_with(|| name.clone());
        }
    }
    Some(ways)
}
