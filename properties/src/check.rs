//! The verdict of one model on every property.

use kmodcheck_explore::bfs::{Monitor, TraceStep};
use kmodcheck_explore::{
    End, Options, Product, Transition, explore,
    replay::{Impossible, replay},
};
use kmodcheck_model::event::Judgement;
use kmodcheck_model::{Event, Model, ModuleState};
use kmodcheck_sim::Processes;

use crate::property::{Property, Says, View};

/// A trace of the model.
pub type Trace = Vec<TraceStep<Event>>;

/// How one property fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The property does not speak of what this system does.
    NotApplicable,
    /// In every reachable state. `false`: its premise never occurred, so it holds vacuously.
    Holds {
        /// Whether its premise occurred.
        premise_met: bool,
    },
    /// Violated by the last step of this trace (for stuck processes: in its last state), which was
    /// replayed in the exact model. No shorter trace violates it.
    Violated(Trace),
    /// The search ended before it was complete, and had found no violation.
    OutOfBudget,
}

/// One property's verdict and how often its premise was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The property.
    pub property: Property,
    /// The verdict.
    pub verdict: Verdict,
    /// For each of [`Property::branches`]: in how many distinct transitions it was met.
    pub branches: Vec<u64>,
}

/// What the check after modprobe decided when modprobe had lied, in distinct transitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// The lie became an error.
    pub turned_into_an_error: u64,
    /// Accepted because the module was LIVE by then.
    pub accepted_live: u64,
    /// Accepted because nothing of the name was on the list.
    pub accepted_absent: u64,
    /// Accepted although GOING (the author's readings).
    pub accepted_going: u64,
    /// Accepted although forming: only under a mutant.
    pub accepted_forming: u64,
    /// Of all these, the caller had slept in the check first.
    pub waited_first: u64,
}

/// One system's verdicts.
#[derive(Clone, Debug)]
pub struct Report {
    /// How the exploration ended.
    pub end: End,
    /// Distinct states.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
    /// Steps to the farthest state.
    pub depth: u32,
    /// States found and not expanded.
    pub queue: u64,
    /// Words of a packed state.
    pub words: usize,
    /// Whether states were counted up to exchanging callers.
    pub symmetry: bool,
    /// Every property, in order.
    pub answers: Vec<Answer>,
    /// Decisions about lies.
    pub decisions: Decisions,
    /// A process that runs again by a time-out only, and the trace to where it sleeps.
    pub by_time_out_only: Option<Trace>,
}

impl Report {
    /// The answer on `property`.
    pub fn answer(&self, property: Property) -> &Answer {
        &self.answers[property as usize]
    }
}

/// Counts premises and decisions while the explorer runs.
struct Watch<'m> {
    model: &'m Model,
    applicable: Vec<Property>,
    branches: Vec<Vec<u64>>,
    decisions: Decisions,
}

impl<'m> Watch<'m> {
    fn view<'v>(&self, transition: &'v Transition<'_, Event>) -> View<'v>
    where
        'm: 'v,
    {
        View {
            model: self.model,
            kind: transition.kind.0,
            before: transition.before.shared,
            after: transition.after.shared,
            local_before: transition.local_before(),
            event: transition.label,
        }
    }

    fn decide(&mut self, view: &View<'_>) {
        let (state, judgement) = match view.event {
            Event::Check { state, judgement, .. }
            | Event::CheckFinished { state, judgement, .. } => (state, judgement),
            _ => return,
        };
        let task = view.model.task(view.local_before);
        if judgement == Judgement::GoOn || !task.lied || task.depth > 0 {
            return;
        }
        let d = &mut self.decisions;
        d.waited_first += u64::from(task.slept);
        *match (judgement, state) {
            (Judgement::Reject, _) => &mut d.turned_into_an_error,
            (_, ModuleState::Live) => &mut d.accepted_live,
            (_, ModuleState::Absent) => &mut d.accepted_absent,
            (_, ModuleState::Going) => &mut d.accepted_going,
            _ => &mut d.accepted_forming,
        } += 1;
    }
}

impl<'m> Monitor<Processes<'m>> for Watch<'m> {
    fn violated(&self, transition: &Transition<'_, Event>) -> u64 {
        let view = self.view(transition);
        let mut bits = 0;
        for property in &self.applicable {
            if let Says::Violated(_) = property.says(&view) {
                bits |= 1 << *property as u64;
            }
        }
        bits
    }

    fn record(&mut self, transition: &Transition<'_, Event>, _: u64) {
        let view = self.view(transition);
        for property in &self.applicable {
            if let Says::Holds(branch) | Says::Violated(branch) = property.says(&view) {
                self.branches[*property as usize][branch] += 1;
            }
        }
        self.decide(&view);
    }
}

/// Explores `model` and gives the verdict on every property. The search is exhaustive unless
/// `options` bounds it.
///
/// # Errors
/// A state that does not fit the explorer.
///
/// # Panics
/// If a trace does not replay: a fault of the explorer, never of the input.
pub fn check(
    model: &Model,
    options: &Options<'_>,
) -> Result<Report, kmodcheck_explore::bfs::Unexplorable> {
    let system = Processes { model };
    let mut watch = Watch {
        model,
        applicable: Property::ALL.into_iter().filter(|p| p.applies(model)).collect(),
        branches: Property::ALL.iter().map(|p| vec![0; p.branches().len()]).collect(),
        decisions: Decisions::default(),
    };
    let exploration = explore(&system, &mut watch, options)?;
    watch.branches[Property::NobodySleepsForEver as usize][0] = exploration.blocked_states;
    let mut violated: Vec<Option<Trace>> = vec![None; Property::ALL.len()];
    for violation in exploration.violations {
        violated[violation.property as usize] = Some(violation.trace);
    }
    if let Some(stuck) = exploration.stuck {
        violated[Property::NobodySleepsForEver as usize] = Some(stuck.trace);
    }
    let complete = exploration.end == End::Complete;
    let answers = Property::ALL
        .into_iter()
        .map(|property| {
            let branches = watch.branches[property as usize].clone();
            let verdict = match violated[property as usize].take() {
                _ if !property.applies(model) => Verdict::NotApplicable,
                Some(trace) => {
                    confirm(model, property, &trace).expect("a found trace replays and violates");
                    Verdict::Violated(trace)
                }
                None if !complete => Verdict::OutOfBudget,
                None => Verdict::Holds { premise_met: branches.iter().any(|n| *n > 0) },
            };
            Answer { property, verdict, branches }
        })
        .collect();
    Ok(Report {
        end: exploration.end,
        states: exploration.states,
        transitions: exploration.transitions,
        depth: exploration.depth,
        queue: exploration.queue,
        words: exploration.words,
        symmetry: options.symmetry,
        answers,
        decisions: watch.decisions,
        by_time_out_only: exploration.stuck_but_for_way_out.map(|s| s.trace),
    })
}

/// Why a trace shows no violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// A step cannot be taken.
    Impossible(Impossible<Event>),
    /// Every step can be taken, and the last one violates nothing.
    NotViolated,
}

/// Takes every step of `trace` in the exact model and looks whether the last one violates
/// `property`; for [`Property::NobodySleepsForEver`], whether somebody is asleep at the end for whom
/// an exhaustive search from there finds no way to run again.
///
/// # Errors
/// See [`Unconfirmed`].
pub fn confirm(model: &Model, property: Property, trace: &Trace) -> Result<(), Unconfirmed> {
    let system = Processes { model };
    let product = Product::new(&system).ok_or(Unconfirmed::NotViolated)?;
    let mut last = Says::Nothing;
    let end = replay(&product, trace, |_, transition| {
        let view = View {
            model,
            kind: transition.kind.0,
            before: transition.before.shared,
            after: transition.after.shared,
            local_before: transition.local_before(),
            event: transition.label,
        };
        last = property.says(&view);
    })
    .map_err(Unconfirmed::Impossible)?;
    let violated = match property {
        Property::NobodySleepsForEver => crate::stuck::somebody_is_stuck(&product, end),
        _ => matches!(last, Says::Violated(_)),
    };
    if violated { Ok(()) } else { Err(Unconfirmed::NotViolated) }
}
