//! The verdict of one model on every property.

use kmodcheck_explore::checkpoint::{Checkpoint, CheckpointError};
use kmodcheck_explore::distributed::net::Net;
use kmodcheck_explore::distributed::{DistributedError, OverProcesses};
use kmodcheck_explore::system::Impossible;
use kmodcheck_explore::{
    Asks, Counted, Directed, End, Exhaustive, Explorer, Method, Monitor, Options, Own, Sleep,
    Sleeper, Step, Tally, TraceStep, Unexplorable, concrete,
};
use kmodcheck_model::event::Judgement;
use kmodcheck_model::{Event, Model, ModuleState, Ret};
use kmodcheck_sim::Processes;
use kmodcheck_sim::scenario_file::Expected;
use serde::{Deserialize, Serialize};

use super::asked::{self, Asked};
use super::results::{CallResult, possible, returns};
use crate::property::{Property, Says, View};

/// A trace of the model.
pub type Trace = Vec<TraceStep<Event>>;

/// How one property fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The property does not speak of what this system does.
    NotApplicable,
    /// The model does not remember what the property reads: see [`check_all`].
    NotAsked,
    /// In every reachable state. `false`: its premise never occurred, so it holds vacuously.
    Holds {
        /// Whether its premise occurred.
        premise_met: bool,
    },
    /// Violated by the last step of this trace (for stuck processes: in its last state), which was
    /// replayed in the exact model. No shorter trace violates it, if [`Method::shortest`].
    Violated(Trace),
    /// The search ended before it was complete, and had found no violation.
    OutOfBudget,
    /// The search found no violation, and cannot say that there is none ([`Method`]).
    NoneFound,
}

impl Verdict {
    /// What it is, in the words of an expectation; `None`: undecided.
    pub fn fared(&self) -> Option<Expected> {
        match self {
            Self::OutOfBudget | Self::NoneFound | Self::NotAsked => None,
            Self::Violated(_) => Some(Expected::Violated),
            Self::Holds { premise_met: true } => Some(Expected::Holds),
            Self::Holds { premise_met: false } | Self::NotApplicable => Some(Expected::Vacuous),
        }
    }

    /// Whether it is what was expected; `None`: undecided. Without an expectation, that it is not
    /// violated is expected.
    pub fn is_as_expected(&self, expected: Option<Expected>) -> Option<bool> {
        let fared = self.fared()?;
        Some(expected.map_or(fared != Expected::Violated, |expected| fared == expected))
    }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedAnswer {
    /// The question.
    pub asked: Asked,
    /// What was found. Of one that some state is so, [`Verdict::Violated`] says that there is none, without a trace,
    /// and [`Verdict::Holds`] that there is one.
    pub verdict: Verdict,
    /// A shortest run to such a state, of a question whether there is one.
    pub run: Option<Trace>,
}

impl AskedAnswer {
    /// The run that there is: to a violation, or to what is to be so at some time.
    pub fn run_shown(&self) -> Option<&Trace> {
        match &self.verdict {
            Verdict::Violated(trace) if !self.asked.exists => Some(trace),
            _ => self.run.as_ref(),
        }
    }
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
    /// Most bytes that the search held at once.
    pub bytes: u64,
    /// What the engine can say at all.
    pub method: Method,
    /// What only this engine has to say.
    pub own: Own,
    /// Every property, in order.
    pub answers: Vec<Answer>,
    /// Decisions about lies.
    pub decisions: Decisions,
    /// By kind and by how long they sleep: those whom no ordinary step wakes, each with a trace to the
    /// first of them.
    pub sleepers: Vec<Sleeper<Event>>,
    /// By actor of the scenario: what its call can come to, each once; of a search that was cut, what
    /// was seen of it.
    pub results: Vec<Vec<CallResult>>,
    /// What the scenario asks besides, in its order.
    pub asked: Vec<AskedAnswer>,
}

impl Report {
    /// The answer on `property`.
    pub fn answer(&self, property: Property) -> &Answer {
        &self.answers[property as usize]
    }

    /// Whether [`Report::results`] are all that there are, sleeping included.
    pub fn has_all_results(&self) -> bool {
        self.end == End::Complete && self.method.exhaustive && self.method.decides_stuck
    }

    /// The first that sleeps so, of whichever kind.
    pub fn asleep(&self, sleep: Sleep) -> Option<&Sleeper<Event>> {
        let so = self.sleepers.iter().filter(|sleeper| sleeper.sleep == sleep);
        so.min_by_key(|sleeper| sleeper.stuck.trace.len())
    }
}

/// Asks every property of every step.
pub struct AllProperties<'m> {
    model: &'m Model,
    applicable: Vec<Property>,
    asked: Vec<Asked>,
}

/// How often premises were met and what was decided.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// By property, by branch.
    branches: Vec<Vec<u64>>,
    decisions: Decisions,
    /// By actor, by [`Ret`]: how often a call returned that.
    results: Vec<Vec<u64>>,
}

/// Adds numbers to those in the same places.
fn add_up(sums: &mut Vec<Vec<u64>>, more: Vec<Vec<u64>>) {
    sums.resize(sums.len().max(more.len()), Vec::new());
    for (sums, more) in sums.iter_mut().zip(more) {
        sums.resize(sums.len().max(more.len()), 0);
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
}

impl Tally for Counts {
    fn add(&mut self, other: Self) {
        add_up(&mut self.branches, other.branches);
        add_up(&mut self.results, other.results);
        let (d, more) = (&mut self.decisions, other.decisions);
        d.turned_into_an_error += more.turned_into_an_error;
        d.accepted_live += more.accepted_live;
        d.accepted_absent += more.accepted_absent;
        d.accepted_going += more.accepted_going;
        d.accepted_forming += more.accepted_forming;
        d.waited_first += more.waited_first;
    }
}

impl AllProperties<'_> {
    fn view(&self, step: &Step<Event>) -> View<'_> {
        View::of(self.model, step)
    }

    /// The questions that a step is asked and answers, one bit each.
    fn shown(&self, step: &Step<Event>) -> u64 {
        match &self.asked[..] {
            [] => 0,
            asked => asked::shown(asked, self.model, step, Property::ALL.len()),
        }
    }

    /// The number of a result among what the actor's call can come to.
    fn place(&self, actor: usize, result: CallResult) -> Option<usize> {
        match result {
            CallResult::Returns(ret) => Some(ret as usize),
            result => possible(self.model, actor).iter().position(|other| *other == result),
        }
    }
}

/// Which of the counts of [`Decisions`] a step belongs to, and whether the caller had slept in the check first.
fn decided(view: &View<'_>) -> Option<(Decided, bool)> {
    let (state, judgement) = match view.event {
        Event::Check { state, judgement, .. } | Event::CheckFinished { state, judgement, .. } => {
            (state, judgement)
        }
        _ => return None,
    };
    let task = view.model.task(view.local_before);
    if judgement == Judgement::GoOn || !task.lied || task.is_nested() {
        return None;
    }
    let decided = match (judgement, state) {
        (Judgement::Reject, _) => Decided::TurnedIntoAnError,
        (_, ModuleState::Live) => Decided::AcceptedLive,
        (_, ModuleState::Absent) => Decided::AcceptedAbsent,
        (_, ModuleState::Going) => Decided::AcceptedGoing,
        _ => Decided::AcceptedForming,
    };
    Some((decided, task.slept))
}

/// The counts of [`Decisions`], but for the last one.
#[derive(Clone, Copy)]
enum Decided {
    TurnedIntoAnError,
    AcceptedLive,
    AcceptedAbsent,
    AcceptedGoing,
    AcceptedForming,
}

impl Decisions {
    fn count(&mut self, (decided, slept): (Decided, bool), times: u64) {
        self.waited_first += u64::from(slept) * times;
        *match decided {
            Decided::TurnedIntoAnError => &mut self.turned_into_an_error,
            Decided::AcceptedLive => &mut self.accepted_live,
            Decided::AcceptedAbsent => &mut self.accepted_absent,
            Decided::AcceptedGoing => &mut self.accepted_going,
            Decided::AcceptedForming => &mut self.accepted_forming,
        } += times;
    }
}

/// A number that is made of several; `None` if it has too many bits, or one of them is not less than its base.
struct MixedRadix(Option<u64>);

impl MixedRadix {
    fn add(&mut self, digit: Option<usize>, base: usize) {
        let digit = digit.filter(|digit| *digit < base).map(|digit| digit as u64);
        let all = self.0.and_then(|all| all.checked_mul(base as u64));
        self.0 = all.zip(digit).and_then(|(all, digit)| all.checked_add(digit));
    }
}

impl Monitor<Event> for AllProperties<'_> {
    type Tally = Counts;
    const ASKS: Asks = Asks::Steps;

    fn name(&self, property: u32) -> String {
        match Property::ALL.get(property as usize) {
            Some(property) => property.name().to_owned(),
            None => {
                let at = property as usize - Property::ALL.len();
                self.asked
                    .get(at)
                    .map_or_else(|| format!("question {at}"), |asked| asked.name.clone())
            }
        }
    }

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        self.view(step).violates(&self.applicable) | self.shown(step)
    }

    fn judge_step(&self, step: &Step<Event>) -> (u64, Option<u64>) {
        let view = self.view(step);
        let (mut violated, mut recorded_as) = (self.shown(step), MixedRadix(Some(0)));
        for property in &self.applicable {
            let says = property.says(&view);
            if let Says::Violated(_) = says {
                violated |= 1 << *property as u64;
            }
            let digit = match says {
                Says::Nothing => 0,
                Says::Holds(branch) | Says::Violated(branch) => 1 + branch,
            };
            recorded_as.add(Some(digit), 1 + property.branches().len());
        }
        let decided = decided(&view);
        let digit = decided.map_or(0, |(d, slept)| 1 + 2 * d as usize + usize::from(slept));
        recorded_as.add(Some(digit), 3 + 2 * Decided::AcceptedForming as usize);
        let actors = self.model.scenario().actors.len();
        let digit = match returns(self.model, step) {
            None => Some(0),
            Some((actor, result)) => {
                self.place(actor, result).map(|place| 1 + actor * Ret::ALL.len() + place)
            }
        };
        recorded_as.add(digit, 1 + actors * Ret::ALL.len());
        (violated, recorded_as.0)
    }

    fn record_step(&self, counts: &mut Counts, step: &Step<Event>, _: u64, times: u64) {
        let view = self.view(step);
        if counts.branches.is_empty() {
            counts.branches = no_branches();
        }
        for property in &self.applicable {
            if let Says::Holds(branch) | Says::Violated(branch) = property.says(&view) {
                counts.branches[*property as usize][branch] += times;
            }
        }
        if let Some(decided) = decided(&view) {
            counts.decisions.count(decided, times);
        }
        if let Some((actor, result)) = returns(self.model, step) {
            let actors = self.model.scenario().actors.len();
            counts.results.resize(actors, vec![0; Ret::ALL.len()]);
            let place = self.place(actor, result).expect("a call comes to what it can come to");
            counts.results[actor][place] += times;
        }
    }
}

/// For each property's branches, met 0 times.
fn no_branches() -> Vec<Vec<u64>> {
    Property::ALL.iter().map(|p| vec![0; p.branches().len()]).collect()
}

/// Explores `model` and gives the verdict on every property that reads no more than it remembers. The
/// search is exhaustive unless `options` bounds it.
///
/// # Errors
/// A state that does not fit the explorer.
///
/// # Panics
/// If a trace does not replay: a fault of the explorer, never of the input.
pub fn check(model: &Model, options: &Options<'_>) -> Result<Report, Unexplorable> {
    explored(model, options, Exhaustive)
}

/// The same of every property. What those of [`Property::of_failures`] have to remember would make more
/// states for the others, so they are decided in an exploration of their own, within the same bounds; the
/// counts are those of the others'. If either is cut, both are: nothing is said to hold. Under
/// `options.stop_when_violated` what is not wanted is not explored for.
///
/// # Errors
/// A state that does not fit the explorer.
///
/// # Panics
/// As [`check`].
pub fn check_all(model: &Model, options: &Options<'_>) -> Result<Report, Unexplorable> {
    let failures = Property::of_failures().fold(0, |bits, p| bits | 1 << p as u64);
    let wanted = options.stop_when_violated;
    let remembering = Property::NoFalseFailure.remembering(model);
    if wanted != 0 && wanted & !failures == 0 {
        return check(&remembering, options);
    }
    let first = Options { stop_when_violated: wanted & !failures, ..*options };
    let mut report = check(model, &first)?;
    if wanted == 0 || wanted & failures != 0 {
        let second = Options { stop_when_violated: wanted & failures, ..*options };
        let own = check(&remembering, &second)?;
        for (answer, of_failures) in report.answers.iter_mut().zip(own.answers) {
            if answer.property.reads_failures() {
                *answer = of_failures;
            }
        }
        if report.end == End::Complete && wanted == 0 && own.end != End::Complete {
            report.end = own.end;
            for answer in &mut report.answers {
                if matches!(answer.verdict, Verdict::Holds { .. }) {
                    answer.verdict = Verdict::OutOfBudget;
                }
            }
        }
    }
    Ok(report)
}

/// Which search decides. What one cannot say is not said: see [`Verdict::NoneFound`].
#[derive(Debug)]
pub enum Engine<'c> {
    /// Every state, breadth first.
    Exhaustive,
    /// The same, going on from what is kept.
    Checkpointed(&'c Checkpoint),
    /// Every state, as how many processes are where.
    Counted,
    /// What is new first, to find a violation.
    Directed,
    /// Every state, over several processes.
    OverProcesses(Net),
}

/// Why an engine has no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system does not fit it.
    #[error(transparent)]
    Unexplorable(#[from] Unexplorable),
    /// What was kept cannot be gone on with.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// The processes do not come together.
    #[error(transparent)]
    Distributed(DistributedError),
}

impl From<CheckpointError> for EngineError {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Unexplorable(error) => Self::Unexplorable(error),
            error => Self::Checkpoint(error),
        }
    }
}

impl From<DistributedError> for EngineError {
    fn from(error: DistributedError) -> Self {
        match error {
            DistributedError::Unexplorable(error) => Self::Unexplorable(error),
            error => Self::Distributed(error),
        }
    }
}

/// [`check`] by any engine. Each is compiled here, once, and not where it is called from.
///
/// # Errors
/// Those of the engine.
///
/// # Panics
/// If a trace does not replay: a fault of the engine, never of the input.
pub fn check_by(
    model: &Model,
    options: &Options<'_>,
    engine: Engine<'_>,
) -> Result<Report, EngineError> {
    Ok(match engine {
        Engine::Exhaustive => check(model, options)?,
        Engine::Checkpointed(checkpoint) => explored(model, options, checkpoint)?,
        Engine::Counted => explored(model, options, Counted)?,
        Engine::Directed => explored(model, options, Directed)?,
        Engine::OverProcesses(net) => explored(model, options, OverProcesses(net))?,
    })
}

fn explored<E, X>(model: &Model, options: &Options<'_>, explorer: X) -> Result<Report, E>
where
    X: for<'m> Explorer<Processes<'m>, AllProperties<'m>, Error = E>,
{
    let system = Processes { model };
    let method = explorer.method(options);
    let applicable = Property::ALL.into_iter();
    let applicable = applicable.filter(|p| p.applies(model) && p.is_remembered(model)).collect();
    let questions = asked::questions(model);
    let properties = AllProperties { model, applicable, asked: questions.clone() };
    let exploration = explorer.explore(&system, &properties, options)?;
    let mut counts = Counts { branches: no_branches(), ..Counts::default() };
    counts.add(exploration.tally);
    counts.branches[Property::NobodySleepsForEver as usize][0] = exploration.blocked_states;
    let mut violated: Vec<Option<Trace>> = vec![None; Property::ALL.len() + questions.len()];
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
            let branches = counts.branches[property as usize].clone();
            let verdict = match violated[property as usize].take() {
                _ if !property.applies(model) => Verdict::NotApplicable,
                _ if !property.is_remembered(model) => Verdict::NotAsked,
                Some(trace) => {
                    confirm(model, property, &trace).expect("a found trace replays and violates");
                    Verdict::Violated(trace)
                }
                None if !method.exhaustive => Verdict::NoneFound,
                None if !complete => Verdict::OutOfBudget,
                None if property == Property::NobodySleepsForEver && !method.decides_stuck => {
                    Verdict::NoneFound
                }
                None => Verdict::Holds { premise_met: branches.iter().any(|n| *n > 0) },
            };
            Answer { property, verdict, branches }
        })
        .collect();
    let none = || match (method.exhaustive, complete) {
        (false, _) => Verdict::NoneFound,
        (true, false) => Verdict::OutOfBudget,
        (true, true) => Verdict::Holds { premise_met: true },
    };
    let runs = violated.split_off(Property::ALL.len());
    let asked = questions.iter().zip(runs).map(|(asked, run)| answered(model, asked, run, none));
    let asked = asked.collect();
    Ok(Report {
        asked,
        end: exploration.end,
        states: exploration.states,
        transitions: exploration.transitions,
        depth: exploration.depth,
        queue: exploration.queue,
        words: exploration.words,
        bytes: exploration.bytes,
        method,
        own: exploration.own,
        answers,
        decisions: counts.decisions,
        results: results(model, &counts.results, &exploration.sleepers),
        sleepers: exploration.sleepers,
    })
}

/// What is to be said of a question, by a run that shows it, or none in a search that could tell or not.
fn answered(
    model: &Model,
    asked: &Asked,
    run: Option<Trace>,
    none: impl Fn() -> Verdict,
) -> AskedAnswer {
    let run = if asked.shows_at_first(model) { Some(Trace::new()) } else { run };
    if let Some(run) = &run {
        confirm_asked(model, asked, run).expect("a found run replays and shows it");
    }
    let (verdict, run) = match (run, asked.exists) {
        (Some(run), true) => (Verdict::Holds { premise_met: true }, Some(run)),
        (Some(run), false) => (Verdict::Violated(run), None),
        (None, true) => match none() {
            Verdict::Holds { .. } => (Verdict::Violated(Trace::new()), None),
            undecided => (undecided, None),
        },
        (None, false) => (none(), None),
    };
    AskedAnswer { asked: asked.clone(), verdict, run }
}

/// Takes every step of `trace` in the exact model and looks whether its end shows what is asked.
fn confirm_asked(model: &Model, asked: &Asked, trace: &Trace) -> Result<(), Unconfirmed> {
    let mut last = asked.shows_at_first(model);
    concrete::replay(&Processes { model }, trace, |_, taken| {
        last = asked.shows(model, &taken.step);
    })
    .map_err(Unconfirmed::Impossible)?;
    if last { Ok(()) } else { Err(Unconfirmed::NotViolated) }
}

/// By actor: what its call can come to.
fn results(
    model: &Model,
    returned: &[Vec<u64>],
    sleepers: &[Sleeper<Event>],
) -> Vec<Vec<CallResult>> {
    let of = |actor: usize| {
        let times = |place: usize| returned.get(actor).map_or(0, |times| times[place]);
        let possible = possible(model, actor).into_iter().enumerate();
        let returned = possible.filter(move |(at, _)| times(*at) > 0).map(|(_, result)| result);
        let asleep = sleepers.iter().filter(move |s| usize::from(s.kind.0) == actor);
        returned.chain(asleep.map(|s| CallResult::Sleeps(s.sleep))).collect()
    };
    (0..model.scenario().actors.len()).map(of).collect()
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
/// an exhaustive search from there finds no way to run again without a kill.
///
/// # Errors
/// See [`Unconfirmed`].
pub fn confirm(model: &Model, property: Property, trace: &Trace) -> Result<(), Unconfirmed> {
    let model = &*property.remembering(model);
    let system = Processes { model };
    let mut last = Says::Nothing;
    let end = concrete::replay(&system, trace, |_, taken| {
        last = property.says(&View::of(model, &taken.step));
    })
    .map_err(Unconfirmed::Impossible)?;
    let violated = match property {
        Property::NobodySleepsForEver => super::sleepers::somebody_is_stuck(&system, &end),
        _ => matches!(last, Says::Violated(_)),
    };
    if violated { Ok(()) } else { Err(Unconfirmed::NotViolated) }
}
