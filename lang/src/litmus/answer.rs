//! The answer to a litmus test.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use kmodcheck_explore::{
    Configuration, End, MAX_PROCESSES, Options, Product, Sleep, TraceStep, Unexplorable, WayOut,
    explore, replay,
};

use super::Program;
use super::ends::{Ends, FAILS, MEETS, MISSES};
use super::words::Line;
use crate::machine::Label;
use crate::text::syntax::{Quantifier, Stated};

/// What can be said of the condition over all final states, as herd says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Some final states meet it and others do not.
    Sometimes,
    /// All do.
    Always,
    /// None does.
    Never,
}

/// Final states that look alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is shown, each with its value.
    pub values: Vec<(String, String)>,
    /// How many final states look so.
    pub states: u64,
    /// Whether they meet the condition.
    pub meets: bool,
}

/// A state in which somebody waits for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// A shortest run there.
    pub trace: Vec<Line>,
    /// Where everybody stands then, and what each waits for.
    pub waits: Vec<Line>,
    /// What ends the wait, if anything.
    pub sleep: Sleep,
}

impl Blocked {
    /// Whether nothing but the end of a time limit ends the wait.
    #[must_use]
    pub fn until_time_out(&self) -> bool {
        self.sleep == Sleep::UntilTimeOut
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether all of it was found; if not, the counts are of what was found, and nothing is never.
    pub end: End,
    /// What can be said of the condition.
    pub observation: Observation,
    /// Final states that meet the condition.
    pub positive: u64,
    /// And those that do not.
    pub negative: u64,
    /// Final states that the filter leaves out.
    pub filtered: u64,
    /// What final states look like.
    pub outcomes: Vec<Outcome>,
    /// A shortest run to a final state that meets the condition.
    pub to_positive: Option<Vec<Line>>,
    /// A shortest run to one that does not.
    pub to_negative: Option<Vec<Line>>,
    /// Somebody may wait for ever.
    pub blocked: Option<Blocked>,
    /// An assertion fails, or a value is beyond its range: a shortest run there, which ends in saying so.
    pub failure: Option<Vec<Line>>,
    /// Distinct states.
    pub states: u64,
    /// Steps between them.
    pub transitions: u64,
    /// Steps to the farthest state.
    pub depth: u32,
    quantifier: Option<Quantifier>,
}

/// How an answer relates to what the file says comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It is that.
    Agrees,
    /// The file says 'Sometimes', and not all of that comes out where everybody sees all accesses in one
    /// order: it needs a weaker memory.
    WeakMemoryOnly,
    /// It is not that.
    Differs,
}

impl Answer {
    /// Whether what the file asks is so, in the sense of herd: some final state is as `exists` says, none is
    /// as `~exists` says, all are as `forall` says. Nothing, if it asks nothing or not all was found.
    #[must_use]
    pub fn is_so(&self) -> Option<bool> {
        let complete = self.end == End::Complete;
        match self.quantifier? {
            Quantifier::Exists if self.positive > 0 => Some(true),
            Quantifier::NotExists if self.positive > 0 => Some(false),
            Quantifier::Forall if self.negative > 0 => Some(false),
            Quantifier::Exists => complete.then_some(false),
            Quantifier::NotExists | Quantifier::Forall => complete.then_some(true),
        }
    }

    /// How it relates to what the file says. Nothing, if that cannot be told yet.
    #[must_use]
    pub fn compared(&self, stated: Stated) -> Option<Agreement> {
        let complete = self.end == End::Complete;
        let ends = self.positive + self.negative > 0;
        let agrees =
            |agrees: bool| Some(if agrees { Agreement::Agrees } else { Agreement::Differs });
        match stated {
            Stated::Never if self.positive > 0 => Some(Agreement::Differs),
            Stated::Always if self.negative > 0 => Some(Agreement::Differs),
            Stated::Deadlock if ends => Some(Agreement::Differs),
            Stated::Sometimes if self.observation == Observation::Sometimes => {
                Some(Agreement::Agrees)
            }
            _ if !complete => None,
            Stated::Sometimes if ends => Some(Agreement::WeakMemoryOnly),
            Stated::Never | Stated::Always => agrees(ends),
            Stated::Deadlock => agrees(true),
            Stated::Sometimes => agrees(false),
        }
    }
}

impl Program {
    /// Searches all states, and answers.
    ///
    /// # Errors
    /// More processes than this search has room for.
    pub fn answer(&self, options: &Options<'_>) -> Result<Answer, Unexplorable> {
        let ends = Ends(self);
        let found = explore(self, &ends, options)?;
        let product = Product::new(self).ok_or(Unexplorable::TooManyProcesses {
            found: self.processes(),
            most: MAX_PROCESSES,
        })?;
        let initial = product.initial();
        let mut finals = found.tally.0;
        if ends.is_final(&initial) {
            finals.insert(initial);
        }
        let at_once = ends.judged(&initial);
        let trace_to = |property: u32| {
            if at_once >> property & 1 != 0 {
                return Some(Vec::new());
            }
            let violation = found.violations.iter().find(|v| v.property == property)?;
            Some(self.told_of(&product, &violation.trace))
        };
        let mut outcomes: BTreeMap<Vec<(String, String)>, (u64, bool)> = BTreeMap::new();
        let (mut positive, mut negative, mut filtered) = (0, 0, 0);
        for state in &finals {
            let judged = ends.judged(state);
            match judged {
                _ if judged >> MEETS & 1 != 0 => positive += 1,
                _ if judged >> MISSES & 1 != 0 => negative += 1,
                _ => {
                    filtered += 1;
                    continue;
                }
            }
            let outcome = outcomes.entry(self.shown(state)).or_default();
            outcome.0 += 1;
            outcome.1 = judged >> MEETS & 1 != 0;
        }
        // Who waits longest is worst off.
        let shallowest = |sleep: Sleep| {
            let such = found.sleepers.iter().filter(|sleeper| sleeper.sleep == sleep);
            such.min_by_key(|sleeper| sleeper.stuck.trace.len())
        };
        let blocked = Sleep::ALL.into_iter().find_map(shallowest).map(|sleeper| {
            let (trace, end) = until_all_wait(&product, &sleeper.stuck.trace);
            let (trace, waits) = (self.told_of(&product, &trace), self.waits(&end));
            Blocked { trace, waits, sleep: sleeper.sleep }
        });
        Ok(Answer {
            end: found.end,
            observation: match (positive, negative) {
                (0, _) => Observation::Never,
                (_, 0) => Observation::Always,
                _ => Observation::Sometimes,
            },
            positive,
            negative,
            filtered,
            outcomes: (outcomes.into_iter())
                .map(|(values, (states, meets))| Outcome { values, states, meets })
                .collect(),
            to_positive: trace_to(MEETS),
            to_negative: trace_to(MISSES),
            blocked,
            failure: trace_to(FAILS),
            states: found.states,
            transitions: found.transitions,
            depth: found.depth,
            quantifier: self.question.quantifier,
        })
    }

    /// What is shown of a final state.
    fn shown(&self, state: &Configuration) -> Vec<(String, String)> {
        let local = |process: usize| state.locals[process];
        let value = |shown: &super::question::Shown| {
            let value = shown.place.value(&self.machine, state.shared, local);
            (shown.name.clone(), self.value_in_words(value, shown.pointer))
        };
        self.question.shown.iter().map(value).collect()
    }

    /// A trace in words.
    fn told_of(&self, product: &Product<'_, Self>, trace: &[TraceStep<Label>]) -> Vec<Line> {
        let mut lines = Vec::new();
        let taken = replay(product, trace, |_, step| {
            let local = step.before.locals[step.actor];
            lines.extend(self.step_in_words(step.actor, step.before.shared, local, step.label));
        });
        debug_assert!(taken.is_ok(), "what was found can be taken again");
        lines
    }
}

/// So many more steps may others take until a hang can be seen.
const LONGEST: usize = 500;

/// The run that leads to where somebody is stuck, and on, until nobody can step, if it comes to that.
fn until_all_wait(
    product: &Product<'_, Program>,
    trace: &[TraceStep<Label>],
) -> (Vec<TraceStep<Label>>, Configuration) {
    let stuck = replay(product, trace, |_, _| {}).unwrap_or_else(|_| product.initial());
    let (mut now, mut longer, mut ways) = (stuck, trace.to_vec(), Vec::new());
    let mut seen = BTreeSet::from([now]);
    for _ in 0..LONGEST {
        let mut next = None;
        let all = product.successors(&now, &mut ways, |step| {
            if step.way_out == WayOut::Ordinary && !seen.contains(step.after) {
                next = Some((step.as_trace_step(), *step.after));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let Some((step, after)) = next else {
            let mut goes_on = all.is_err();
            let _ = product.successors(&now, &mut ways, |step| {
                goes_on |= step.way_out == WayOut::Ordinary;
                ControlFlow::Continue(())
            });
            return if goes_on { (trace.to_vec(), stuck) } else { (longer, now) };
        };
        longer.push(step);
        now = after;
        seen.insert(now);
    }
    (trace.to_vec(), stuck)
}
