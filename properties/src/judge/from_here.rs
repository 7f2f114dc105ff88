//! Can it still go wrong from here? An exhaustive search from any one state.

use kmodcheck_explore::{
    Asks, Choice, Configuration, End, Initial, Kind, Local, MAX_PROCESSES, Monitor, Options,
    Product, Queue, Shared, Step, System, TraceStep, Unexplorable, explore,
};
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::Processes;

use crate::property::{Property, View};

/// The model's processes, begun in some state of theirs.
struct Begun<'m> {
    processes: Processes<'m>,
    initial: Initial,
}

// Begun anywhere, the processes are the same system: no method is left to its default.
#[deny(clippy::missing_trait_methods)]
impl System for Begun<'_> {
    type Label = Event;

    fn shared_bits(&self) -> u32 {
        self.processes.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.processes.local_bits()
    }

    fn initial(&self) -> Initial {
        self.initial.clone()
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Event>>) {
        self.processes.step(kind, shared, local, choices);
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.processes.dormant(kind)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.processes.observe(kind, before, after, local)
    }

    fn remembered(&self) -> Shared {
        self.processes.remembered()
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        self.processes.wake(kind, local, queue)
    }

    fn anonymous(&self, kind: Kind, local: Local) -> Local {
        self.processes.anonymous(kind, local)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.processes.returned(kind, local)
    }
}

struct Violations<'m> {
    model: &'m Model,
    properties: &'m [Property],
}

impl Monitor<Event> for Violations<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        View::of(self.model, step).violates(self.properties)
    }
}

/// What can still happen.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// How the search ended: only a complete one says that something cannot happen any more.
    pub end: End,
    /// Distinct states from there on, up to exchanging callers if that was on.
    pub states: u64,
    /// The properties that can still be violated, each with the shortest way from there.
    pub violated: Vec<(Property, Vec<TraceStep<Event>>)>,
}

/// Which of `properties` can still be violated from `state` of the model's product.
///
/// # Errors
/// A state that does not fit the explorer.
pub fn ahead(
    model: &Model,
    state: &Configuration,
    properties: &[Property],
    options: &Options<'_>,
) -> Result<Ahead, Unexplorable> {
    let processes = Processes { model };
    let product = Product::new(&processes).ok_or_else(|| {
        let found = processes.initial().processes.len();
        Unexplorable::TooManyProcesses { found, most: MAX_PROCESSES }
    })?;
    let now = (0..product.processes()).map(|i| (product.kind(i), state.locals[i])).collect();
    let begun = Begun { processes, initial: Initial { shared: state.shared, processes: now } };
    let applicable: Vec<Property> =
        properties.iter().copied().filter(|p| p.applies(model)).collect();
    let monitor = Violations { model, properties: &applicable };
    let found = explore(&begun, &monitor, options)?;
    let mut violated: Vec<(Property, Vec<TraceStep<Event>>)> = found
        .violations
        .into_iter()
        .filter_map(|v| {
            let property = Property::ALL.into_iter().find(|p| *p as u32 == v.property)?;
            Some((property, v.trace))
        })
        .collect();
    if let (true, Some(stuck)) = (applicable.contains(&Property::NobodySleepsForEver), found.stuck)
    {
        violated.push((Property::NobodySleepsForEver, stuck.trace));
    }
    violated.sort_by_key(|(property, _)| *property);
    Ok(Ahead { end: found.end, states: found.states, violated })
}
