//! What each call can come to, and for any of it, or for any branch of a premise, a shortest run.
//!
//! Results are read off the steps by which a process becomes done, in the same exhaustive search that
//! gives the verdicts; how long a call can sleep that no ordinary step wakes is [`kmodcheck_explore::Sleep`].

use std::borrow::Cow;

use kmodcheck_explore::{
    Asks, Choice, End, Kind, Monitor, Options, Step, System, Unexplorable, WayOut, concrete,
    explore,
};
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::Processes;

use super::asked::{self, Asked};
use super::results::{CallResult, call, returns};
use super::sleepers::asleep;
use super::verdict::{Report, Trace, Unconfirmed, confirm};
use crate::property::{Property, Says, View};

/// What a run is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// A call of an actor, by its place in the scenario, comes to that.
    Result {
        /// The actor.
        actor: usize,
        /// The result.
        result: CallResult,
    },
    /// The premise of a property is met, in that one of [`Property::branches`].
    Branch {
        /// The property.
        property: Property,
        /// The branch.
        branch: usize,
    },
    /// What the scenario itself asks is so, or is violated: by its place among [`asked::questions`].
    Asked(usize),
}

impl Witness {
    /// Reads `ACTOR=RESULT` or `PROPERTY:BRANCH`. An actor is its number, from 1, or its call and name,
    /// as `get_fs_type(ext4)`. With a report, only what occurs in it.
    ///
    /// # Errors
    /// What was found, and what there is.
    pub fn parse(model: &Model, text: &str, report: Option<&Report>) -> Result<Self, String> {
        if let Some((name, branch)) = text.split_once(':')
            && let Some(property) = Property::from_name(name.trim())
        {
            return branch_of(model, property, branch.trim(), report);
        }
        if let Some(at) = asked::questions(model).iter().position(|a| a.name == text.trim()) {
            return Ok(Self::Asked(at));
        }
        let Some((actor, result)) = text.split_once('=') else {
            let names = Property::ALL.map(Property::name).join(", ");
            return Err(format!(
                "found witness '{text}', expected ACTOR=RESULT or PROPERTY:BRANCH; actors: {}; \
                 properties: {names}",
                actors(model)
            ));
        };
        let actor = actor_of(model, actor.trim())?;
        let action = model.scenario().actors[actor].action;
        let can: Vec<CallResult> = match report {
            Some(report) => report.results[actor].clone(),
            None => CallResult::all(model, actor).collect(),
        };
        let result = result.trim();
        let found = can.iter().find(|r| r.in_words(action).eq_ignore_ascii_case(result));
        let found = found.copied().ok_or_else(|| {
            format!(
                "found result '{result}' of actor {} ({}), expected one that it can have{}: {}",
                actor + 1,
                call(model.scenario(), actor),
                so_far(report),
                listed(can.iter().map(|r| r.in_words(action)))
            )
        })?;
        Ok(Self::Result { actor, result: found })
    }

    /// As [`Witness::parse`] reads it.
    pub fn asked(self, model: &Model) -> String {
        match self {
            Self::Result { actor, result } => {
                let action = model.scenario().actors[actor].action;
                format!("{}={}", actor + 1, result.in_words(action))
            }
            Self::Branch { property, branch } => {
                format!("{}:{}", property.name(), property.branches()[branch])
            }
            Self::Asked(at) => asked::questions(model).swap_remove(at).name,
        }
    }

    /// What a run that ends there shows, in a sentence.
    pub fn sentence(self, model: &Model) -> String {
        match self {
            Self::Result { actor, result } => {
                let call = call(model.scenario(), actor);
                let words = result.in_words(model.scenario().actors[actor].action);
                match result {
                    CallResult::Returns(_) | CallResult::Comes(_) => {
                        format!("{call} comes to '{words}'")
                    }
                    CallResult::Sleeps(_) => format!("{call} {words}"),
                }
            }
            Self::Branch { property, branch } => format!(
                "the premise of {} is met, '{}': {}",
                property.name(),
                property.branches()[branch],
                property.statement()
            ),
            Self::Asked(at) => {
                let asked = asked::questions(model).swap_remove(at);
                let comes = if asked.exists { "is so" } else { "is violated" };
                format!("{} {comes}: {}", asked.name, asked.statement)
            }
        }
    }

    /// A model that remembers what is asked for.
    fn remembering(self, model: &Model) -> Cow<'_, Model> {
        match self {
            Self::Branch { property, .. } => property.remembering(model),
            Self::Result { .. } | Self::Asked(_) => Cow::Borrowed(model),
        }
    }

    /// A shortest run to it, by an exhaustive search within the limits of `options`; `None`: it found
    /// none. `report`: of the same model.
    ///
    /// # Errors
    /// A state that does not fit the explorer.
    pub fn find(
        self,
        model: &Model,
        report: &Report,
        options: &Options<'_>,
    ) -> Result<Option<Trace>, Unexplorable> {
        if let Self::Result { actor, result: CallResult::Sleeps(sleep) } = self {
            // That search has it already: who sleeps is known only in the end.
            let kind = Kind(u8::try_from(actor).expect("kinds fit a byte"));
            let wanted = report.sleepers.iter().find(|s| (s.kind, s.sleep) == (kind, sleep));
            return Ok(wanted.map(|sleeper| sleeper.stuck.trace.clone()));
        }
        if let Self::Asked(at) = self
            && asked::questions(model)[at].shows_at_first(model)
        {
            return Ok(Some(Trace::new()));
        }
        let options = Options { stop_when_violated: 1, ..*options };
        let model = &*self.remembering(model);
        let looking = Looking::new(model, self);
        let found = explore(&Processes { model }, &looking, &options)?;
        Ok(found.violations.into_iter().next().map(|violation| violation.trace))
    }

    /// Takes every step of `trace` in the exact model and looks whether it shows that.
    ///
    /// # Errors
    /// See [`Unconfirmed`].
    pub fn confirm(self, model: &Model, trace: &Trace) -> Result<(), Unconfirmed> {
        let model = &*self.remembering(model);
        let system = Processes { model };
        let looking = Looking::new(model, self);
        let mut last = looking.asked.as_ref().is_some_and(|asked| asked.shows_at_first(model));
        let end = concrete::replay(&system, trace, |_, taken| last = looking.meets(&taken.step))
            .map_err(Unconfirmed::Impossible)?;
        let shown = match self {
            Self::Result { actor, result: CallResult::Sleeps(sleep) } => {
                let asleep = asleep(&system, &end, sleep);
                asleep.iter().any(|(kind, _)| usize::from(kind.0) == actor)
            }
            _ => last,
        };
        if shown { Ok(()) } else { Err(Unconfirmed::NotViolated) }
    }
}

/// What a saved trace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// That the property is violated.
    Violation(Property),
    /// That something can happen.
    Witness(Witness),
}

impl Shown {
    /// Takes every step of `trace` in the exact model and looks whether it shows that.
    ///
    /// # Errors
    /// See [`Unconfirmed`].
    pub fn confirm(self, model: &Model, trace: &Trace) -> Result<(), Unconfirmed> {
        match self {
            Self::Violation(property) => confirm(model, property, trace),
            Self::Witness(witness) => witness.confirm(model, trace),
        }
    }
}

/// Looks for the steps that show it.
struct Looking<'m> {
    model: &'m Model,
    witness: Witness,
    asked: Option<Asked>,
}

impl<'m> Looking<'m> {
    fn new(model: &'m Model, witness: Witness) -> Self {
        let asked = match witness {
            Witness::Asked(at) => Some(asked::questions(model).swap_remove(at)),
            _ => None,
        };
        Self { model, witness, asked }
    }

    fn meets(&self, step: &Step<Event>) -> bool {
        match self.witness {
            Witness::Result { actor, result } => returns(self.model, step) == Some((actor, result)),
            Witness::Asked(_) => {
                self.asked.as_ref().is_some_and(|asked| asked.shows(self.model, step))
            }
            Witness::Branch { property: Property::NobodySleepsForEver, .. } => {
                self.falls_asleep(step)
            }
            Witness::Branch { property, branch } => {
                let says = property.says(&View::of(self.model, step));
                matches!(says, Says::Holds(met) | Says::Violated(met) if met == branch)
            }
        }
    }

    /// Whether whoever steps is blocked afterwards: in this model one goes to sleep by a step of one's
    /// own.
    fn falls_asleep(&self, step: &Step<Event>) -> bool {
        let system = Processes { model: self.model };
        let mut choices: Vec<Choice<Event>> = Vec::new();
        if step.local_after == 0 || system.returned(step.kind, step.local_after) {
            return false;
        }
        system.step(step.kind, step.after, step.local_after, &mut choices);
        choices.iter().all(|choice| choice.way_out != WayOut::Ordinary)
    }
}

impl Monitor<Event> for Looking<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        u64::from(self.meets(step))
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn so_far(report: Option<&Report>) -> &'static str {
    let complete = report.is_none_or(|report| report.end == End::Complete);
    if complete { "" } else { " (seen so far: the search was cut)" }
}

/// All actors, as an argument may name them.
fn actors(model: &Model) -> String {
    let scenario = model.scenario();
    let name = |actor: usize| format!("{} or {}", actor + 1, call(scenario, actor));
    (0..scenario.actors.len()).map(name).collect::<Vec<_>>().join(", ")
}

fn actor_of(model: &Model, text: &str) -> Result<usize, String> {
    let scenario = model.scenario();
    let count = scenario.actors.len();
    if let Ok(number) = text.parse::<usize>()
        && (1..=count).contains(&number)
    {
        return Ok(number - 1);
    }
    let plain = |text: &str| {
        let words = text.replace(['(', ')', '"'], " ");
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let wanted = plain(text);
    let mut named = (0..count).filter(|actor| plain(&call(scenario, *actor)) == wanted);
    match (named.next(), named.next()) {
        (Some(actor), None) => Ok(actor),
        (first, _) => Err(format!(
            "found {}actor '{text}', expected one of {}",
            if first.is_some() { "more than one " } else { "" },
            actors(model)
        )),
    }
}

fn branch_of(
    model: &Model,
    property: Property,
    text: &str,
    report: Option<&Report>,
) -> Result<Witness, String> {
    let met = |branch: usize| match report {
        Some(report) => report.answer(property).branches[branch] > 0,
        None => property.applies(model),
    };
    let branches = property.branches();
    let can = || (0..branches.len()).filter(|branch| met(*branch));
    let found = can().find(|branch| branches[*branch].eq_ignore_ascii_case(text));
    let found = found.ok_or_else(|| {
        format!(
            "found branch '{text}' of {}, expected one that is met{}: {}",
            property.name(),
            so_far(report),
            listed(can().map(|branch| branches[branch].to_owned()))
        )
    })?;
    Ok(Witness::Branch { property, branch: found })
}
