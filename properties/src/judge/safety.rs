//! What is asked of any number of callers: the properties of single steps, which processes of a model come
//! in any number, and what a proof about that assumes.

use kmodcheck_explore::{Asks, Kind, Monitor, Step};
use kmodcheck_model::scenario::{Action, Scenario};
use kmodcheck_model::{Event, Model, Role};
use kmodcheck_sim::certificate::{About, Proved};

use super::asked::{self, Asked};
use crate::property::{Property, View};

/// What reads no history of the process that steps, one bit each: some properties, and all that a scenario asks
/// itself, which speaks of what is shared, of statements and of results.
pub(super) fn without_history() -> u64 {
    let without = Property::ALL.into_iter().filter(|p| p.is_safety() && !p.reads_history());
    without.fold(u64::MAX << Property::ALL.len(), |bits, p| bits | 1 << p as u64)
}

/// Which steps of a model violate which safety properties.
#[derive(Clone, Debug)]
pub struct Safety<'m> {
    model: &'m Model,
    properties: Vec<Property>,
    asked: Vec<Asked>,
}

impl<'m> Safety<'m> {
    /// Those of `properties` that speak of what the model does, and of what it remembers.
    pub fn new(model: &'m Model, properties: impl IntoIterator<Item = Property>) -> Self {
        let asked = |p: &Property| p.is_safety() && p.applies(model) && p.is_remembered(model);
        Self {
            model,
            properties: properties.into_iter().filter(asked).collect(),
            asked: Vec::new(),
        }
    }

    /// And what the scenario asks itself, each from the number after the last property on. (Of what shall be so
    /// at some time it is told which steps show it.)
    #[must_use]
    pub fn with_asked(self) -> Self {
        Self { asked: asked::questions(self.model), ..self }
    }
}

impl Monitor<Event> for Safety<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        let asked = asked::shown(&self.asked, self.model, step, Property::ALL.len());
        View::of(self.model, step).violates(&self.properties) | asked
    }
}

/// Which kinds of a model's processes come in any number, and of which no property reads the
/// history.
pub(super) fn kinds(model: &Model) -> (Vec<Kind>, Vec<Kind>) {
    let (mut any_number, mut forgetful) = (Vec::new(), Vec::new());
    for (kind, _) in model.processes() {
        let many = match model.role(kind) {
            Role::Actor { action, .. } => is_caller(action),
            Role::Orphan(_) => true,
            Role::Kworker(_) | Role::Started(_) => false,
        };
        let remembers = match model.role(kind) {
            Role::Actor { action, .. } => {
                is_caller(action) || matches!(action, Action::Modprobe(_) | Action::Program(_))
            }
            Role::Orphan(_) | Role::Started(_) => true,
            Role::Kworker(_) => false,
        };
        for (list, belongs) in [(&mut any_number, many), (&mut forgetful, !remembers)] {
            if belongs && !list.contains(&Kind(kind)) {
                list.push(Kind(kind));
            }
        }
    }
    (any_number, forgetful)
}

pub(super) fn is_caller(action: Action) -> bool {
    matches!(
        action,
        Action::RequestModule(_) | Action::RequestModuleNowait(_) | Action::GetFsType(_)
    )
}

/// The scenario with so many of each caller.
pub fn with_callers(scenario: &Scenario, callers: u8) -> Scenario {
    let mut scenario = scenario.clone();
    for actor in scenario.actors.iter_mut().filter(|a| is_caller(a.action)) {
        actor.count = callers;
    }
    scenario
}

/// What a proof about `model` assumes and over-approximates, in words.
pub(super) fn assumptions(model: &Model) -> Vec<String> {
    let scenario = model.scenario();
    let callers = if scenario.actors.iter().any(|a| is_caller(a.action)) {
        "any number of callers, each calls once; any number of modprobes that outlive them"
    } else {
        "no callers: nothing is there in any number"
    };
    let mut words = vec![
        "sequentially consistent".to_owned(),
        callers.to_owned(),
        "a wake-up is an exact broadcast".to_owned(),
    ];
    let others = scenario.actors.iter().filter(|a| !is_caller(a.action));
    words.extend(others.map(|a| format!("{} of {}", a.count, scenario.in_words(a.action))));
    if scenario.nests() {
        words.push(format!("requests of inits nest {} deep at most", model.nests_at_most()));
    }
    if let Some(most) = model.counts_up_to() {
        words.push(format!(
            "references on a module and requests at the limit are counted up to {most}; of more, one \
             less may be as many as before (more behaviours than the exact model has)"
        ));
    }
    words
}

/// What a certificate of `properties` says beside its invariant: all of it follows from the model.
pub(super) fn about(model: &Model, properties: &[Property]) -> About {
    let line =
        |p: &Property| Proved { name: p.name().to_owned(), statement: p.statement().to_owned() };
    let (any_number, forgetful) = kinds(model);
    About {
        properties: properties.iter().map(line).collect(),
        assumes: assumptions(model),
        any_number,
        forgetful,
    }
}
