//! Which changes of switches make a property hold: every set of at most so many is tried, and of the
//! sufficient ones those are reported no proper subset of which suffices.
//!
//! Sufficient means: the property holds in every way to ask, no built-in or LIVE module is turned into
//! an error (no false alarm), and nobody sleeps for ever who did not before. Switches are not
//! monotone, so no set is left out because a smaller one failed.
//!
//! A search that was cut decides nothing but the violations that it had found: what follows from it
//! neither way is said to be undecided, here by `None`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use kmodcheck_explore::{End, Limits, Options, Unexplorable, map_on_threads};
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::Features;
use kmodcheck_model::presets::{SWITCHES, Side, Switch};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Model, ModelError};

use crate::judge::verdict::{Report, Verdict, check, check_all};
use crate::property::Property;
use crate::systems::grand::normal;

/// One change: a switch, and the value that it gets.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// The switch.
    pub switch: &'static Switch,
    /// The value.
    pub value: &'static str,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The switches to start from.
    pub base: Features,
    /// Whether kmod's switches may change.
    pub kmod_may_change: bool,
    /// The systems, with whichever switches; the property has to hold in each.
    pub systems: Vec<Scenario>,
    /// Whether they are built in. Of those a test says that [`normal`] knows which switches their steps
    /// read; of another, every set of switches is explored.
    pub built_in: bool,
    /// What has to hold.
    pub wanted: Wanted,
    /// Most changes in a set.
    pub max_size: usize,
}

/// What has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A property.
    Property(Property),
    /// What the systems ask themselves, by its name.
    Asked(String),
}

impl Wanted {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Property(property) => property.name(),
            Self::Asked(name) => name,
        }
    }

    /// How it fared. What some state is to be so holds where it is found.
    fn verdict<'r>(&self, report: &'r Report) -> &'r Verdict {
        match self {
            Self::Property(property) => &report.answer(*property).verdict,
            Self::Asked(name) => {
                let asked = report.asked.iter().find(|answer| answer.asked.name == *name);
                asked.map_or(&Verdict::NotAsked, |answer| &answer.verdict)
            }
        }
    }
}

/// Why a set of switches could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum Untried {
    /// Its system is beyond the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its states are beyond the explorer.
    #[error(transparent)]
    Search(#[from] Unexplorable),
}

impl Question {
    /// Of an environment of the grand matrix, asked in these ways.
    pub fn built_in(
        base: Features,
        environment: Environment,
        namings: &[Naming],
        property: Property,
        max_size: usize,
    ) -> Self {
        let wanted = Wanted::Property(property);
        let callers = environment.callers();
        let system = |naming: &Naming| scenario(*naming, environment, base, callers);
        let systems = namings.iter().map(system).collect();
        Self { base, kmod_may_change: true, systems, built_in: true, wanted, max_size }
    }
}

/// How one set of switches fared in all the ways to ask. `None`: undecided, a search was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fared {
    /// The property holds in each.
    pub holds: Option<bool>,
    /// Its premise occurred in some, as far as was seen.
    pub premise_met: bool,
    /// Something that was there was turned into an error.
    pub false_alarm: Option<bool>,
    /// Somebody sleeps for ever.
    pub stuck: Option<bool>,
}

impl Fared {
    /// Of no system at all.
    const NOTHING: Self = Self {
        holds: Some(true),
        premise_met: false,
        false_alarm: Some(false),
        stuck: Some(false),
    };

    /// How two systems fared together.
    fn and(self, other: Self) -> Self {
        Self {
            holds: all([self.holds, other.holds]),
            premise_met: self.premise_met || other.premise_met,
            false_alarm: any([self.false_alarm, other.false_alarm]),
            stuck: any([self.stuck, other.stuck]),
        }
    }

    /// Whether that is enough, where `base` is what there was before.
    fn suffices(self, base: Self) -> Option<bool> {
        let not = |value: Option<bool>| value.map(|value| !value);
        let no_new_sleeper = any([not(self.stuck), base.stuck]);
        all([self.holds, not(self.false_alarm), no_new_sleeper])
    }
}

/// Whether all are true, as far as that is decided.
fn all(values: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for value in values {
        match value {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Whether any is true, as far as that is decided.
fn any(values: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(values.into_iter().map(|value| value.map(|value| !value))).map(|none| !none)
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How the base fared.
    pub base: Fared,
    /// The sufficient sets no proper subset of which was found to suffice, smaller ones first, each
    /// with how it fared.
    pub sufficient: Vec<(Vec<Change>, Fared)>,
    /// Sets that make the property hold and are not sufficient: how many.
    pub rejected: usize,
    /// Sets of which it was not decided whether they suffice: how many.
    pub undecided: usize,
    /// Sets tried.
    pub sets: usize,
    /// Distinct systems explored.
    pub systems: usize,
    /// Switches that may change and that no step of any tried system reads.
    pub unread: Vec<&'static str>,
    /// Of these systems, those whose search was cut.
    pub cut: usize,
}

/// Every change of one switch from `base`.
fn changes(question: &Question) -> Vec<Change> {
    SWITCHES
        .iter()
        .filter(|s| question.kmod_may_change || s.side == Side::Kernel)
        .flat_map(|switch| {
            let now = switch.get(&question.base);
            // Another program than kmod's is nothing that somebody changes in what is there.
            let changes = move |value: &&&str| switch.name != "modprobe" || **value == "kmod";
            let others = switch.values.iter().filter(move |v| **v != now).filter(changes);
            others.map(move |value| Change { switch, value })
        })
        .collect()
}

/// Every set of at most `most` of `changes`, at most one for each switch, smaller ones first, by index.
fn sets(changes: &[Change], most: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..most {
        let mut next = Vec::new();
        for set in &last {
            let from = set.last().map_or(0, |i: &usize| i + 1);
            for i in from..changes.len() {
                let switch = changes[i].switch.name;
                if set.iter().all(|j| changes[*j].switch.name != switch) {
                    let mut larger = set.clone();
                    larger.push(i);
                    next.push(larger);
                }
            }
        }
        all.extend(next.iter().cloned());
        last = next;
    }
    all
}

/// Tries every set. `None` if `interrupt` was set before the end.
///
/// # Errors
/// A system that the model or the explorer does not take; none that is built in.
pub fn fixes(
    question: &Question,
    threads: usize,
    limits: Limits,
    interrupt: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Option<Answer>, Untried> {
    let changes = changes(question);
    let sets = sets(&changes, question.max_size);
    // Each set's systems, one for each way to ask; equal ones are explored once.
    let mut systems: Vec<Scenario> = Vec::new();
    let mut known: HashMap<Scenario, usize> = HashMap::new();
    let of_set: Vec<Vec<usize>> = sets
        .iter()
        .map(|set| {
            let mut features = question.base;
            for i in set {
                changes[*i].switch.set(&mut features, changes[*i].value);
            }
            question
                .systems
                .iter()
                .map(|system| {
                    let system = Scenario { features, ..system.clone() };
                    let key = if question.built_in { normal(&system) } else { system };
                    *known.entry(key.clone()).or_insert_with(|| {
                        systems.push(key);
                        systems.len() - 1
                    })
                })
                .collect()
        })
        .collect();
    let explored = explore(question, &systems, threads, limits, interrupt, progress)?;
    let Some((fared, cut)) = explored else { return Ok(None) };
    let together =
        |set: usize| of_set[set].iter().map(|s| fared[*s]).fold(Fared::NOTHING, Fared::and);
    let base = together(0);
    let mut sufficient: Vec<Vec<usize>> = Vec::new();
    let (mut rejected, mut undecided) = (0, 0);
    for (number, set) in sets.iter().enumerate() {
        let fared = together(number);
        match fared.suffices(base) {
            None => undecided += 1,
            Some(false) => rejected += usize::from(fared.holds == Some(true)),
            Some(true) => {
                if !sufficient.iter().any(|s| s.iter().all(|i| set.contains(i))) {
                    sufficient.push(set.clone());
                }
            }
        }
    }
    let unread = unread(&changes, &sets, &of_set);
    let sufficient = sufficient
        .into_iter()
        .map(|set| {
            let number = sets.iter().position(|s| *s == set).expect("it was tried");
            (set.iter().map(|i| changes[*i]).collect(), together(number))
        })
        .collect();
    let (sets, systems) = (sets.len(), systems.len());
    Ok(Some(Answer { base, sufficient, rejected, undecided, sets, systems, unread, cut }))
}

/// Switches whose change never changes the system.
fn unread(changes: &[Change], sets: &[Vec<usize>], of_set: &[Vec<usize>]) -> Vec<&'static str> {
    let number: HashMap<&[usize], usize> =
        sets.iter().enumerate().map(|(number, set)| (set.as_slice(), number)).collect();
    let mut read = vec![false; changes.len()];
    for (with, set) in sets.iter().enumerate() {
        for i in set {
            let without: Vec<usize> = set.iter().copied().filter(|j| j != i).collect();
            read[*i] |= of_set[with] != of_set[number[without.as_slice()]];
        }
    }
    let mut names: Vec<&'static str> = Vec::new();
    for change in changes {
        let name = change.switch.name;
        let any = changes.iter().zip(&read).any(|(c, read)| c.switch.name == name && *read);
        if !any && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn explore(
    question: &Question,
    systems: &[Scenario],
    threads: usize,
    limits: Limits,
    interrupt: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Option<(Vec<Fared>, usize)>, Untried> {
    let over = || interrupt.load(Ordering::Relaxed);
    let results = map_on_threads(threads, systems, over, |number, scenario| {
        let fared = one(question, scenario, limits, interrupt);
        progress(number, systems.len());
        fared
    });
    let Some(results) = results.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
    let results: Vec<(Fared, bool)> = results.into_iter().collect::<Result<_, _>>()?;
    let cut = results.iter().filter(|r| r.1).count();
    Ok(Some((results.into_iter().map(|r| r.0).collect(), cut)))
}

/// How one system fared, and whether its search was cut.
fn one(
    question: &Question,
    scenario: &Scenario,
    limits: Limits,
    interrupt: &AtomicBool,
) -> Result<(Fared, bool), Untried> {
    let model = Model::new(scenario.clone(), None)?;
    let interrupt = Some(interrupt);
    let options = Options { symmetry: true, limits, interrupt, ..Options::default() };
    let report = match &question.wanted {
        Wanted::Property(property) if property.reads_failures() => check_all(&model, &options),
        _ => check(&model, &options),
    }?;
    let holds = |verdict: &Verdict| match verdict {
        Verdict::Holds { .. } | Verdict::NotApplicable => Some(true),
        Verdict::Violated(_) => Some(false),
        Verdict::OutOfBudget | Verdict::NoneFound | Verdict::NotAsked => None,
    };
    let violated = |p| holds(&report.answer(p).verdict).map(|holds| !holds);
    let met = question.wanted.verdict(&report);
    let fared = Fared {
        holds: holds(met),
        premise_met: matches!(met, Verdict::Holds { premise_met: true }),
        false_alarm: violated(Property::NoFalseAlarm),
        stuck: violated(Property::NobodySleepsForEver),
    };
    Ok((fared, report.end != End::Complete))
}
