//! Campaigns of random walks, for systems too large to be explored: what was violated, how often, and
//! by which walk first. A campaign decides nothing but that there is a violation.
//!
//! The walks of a campaign are numbered, and each is made by its number, so a campaign can be taken in
//! parts, on several threads or machines; the parts add up to the whole, to the last digit. A campaign
//! over generated scenarios draws one for each walk; what violates is shrunk to the smallest scenario
//! that does.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kmodcheck_explore::walk::{self, Schedule, Walk, Walked, Walker};
use kmodcheck_explore::{Limits, Options, on_threads};
use kmodcheck_model::{Event, History, Model, ModelError, Scenario};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Trace;

use crate::judge::asked;
use crate::judge::safety::Safety;
use crate::judge::verdict::{Verdict, check_all};
use crate::property::Property;
use crate::systems::generate::Space;
use proptest::strategy::ValueTree;

/// The campaign that is taken unless another is asked for: its seed.
pub const SEED: u64 = 1;

/// Its walks.
pub const EXECUTIONS: u64 = 2000;

/// Most actors of its generated scenarios.
pub const ACTORS: u8 = 3;

/// What is walked on.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// One scenario.
    Model(&'a Model),
    /// A scenario for each walk, made of the campaign's seed and the walk's number.
    Generated(&'a Space),
}

/// The model of a scenario whose callers remember what any property reads.
///
/// # Errors
/// A scenario that cannot be modelled, or whose processes take too many bits then.
pub fn model(scenario: Scenario) -> Result<Model, ModelError> {
    Model::new(scenario, None)?.remembering(History::Both)
}

impl Subject<'_> {
    /// The model of a walk.
    ///
    /// # Panics
    /// If a generated scenario is not well formed: a fault of the generator.
    #[must_use]
    pub fn model(&self, seed: u64, number: u64) -> Cow<'_, Model> {
        match *self {
            Self::Model(model) => Cow::Borrowed(model),
            Self::Generated(space) => {
                let scenario = space.draw(walk::seed_of(seed, number)).current().scenario;
                Cow::Owned(model(scenario).expect("generated scenarios are well formed"))
            }
        }
    }
}

/// How processes are chosen in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choose {
    /// By this schedule.
    By(Schedule),
    /// By priorities, for each walk over as many steps as a random walk of the same number has.
    PctOfEach {
        /// Ordering constraints, at least 1.
        depth: u32,
    },
}

/// A campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// How the next process is chosen.
    pub choose: Choose,
    /// The seed.
    pub seed: u64,
    /// Walks.
    pub executions: u64,
    /// Most steps of one.
    pub longest: u32,
}

/// Which walks of a campaign: those whose number leaves `index` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 0.
    pub index: u64,
    /// At least 1.
    pub of: u64,
}

impl Part {
    /// All of them.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// How many of `all` walks are in it.
    #[must_use]
    pub fn executions(self, all: u64) -> u64 {
        all / self.of + u64::from(all % self.of > self.index)
    }
}

/// What walks came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Walks taken.
    pub executions: u64,
    /// Their steps.
    pub steps: u64,
    /// Walks that met the bound on steps.
    pub cut: u64,
    /// Walks that ended with somebody who has not returned, and nobody who could go on.
    pub asleep: u64,
    /// By property: in how many walks it was violated, and the first of these.
    pub violated: [(u64, Option<u64>); Property::ALL.len()],
    /// The same of what the scenario asks itself, by [`asked::questions`]; of what is to be so at some time, in how
    /// many it was.
    pub asked: Vec<(u64, Option<u64>)>,
}

impl Sampled {
    /// Adds other walks of the same campaign.
    pub fn add(&mut self, other: &Self) {
        self.executions += other.executions;
        self.steps += other.steps;
        self.cut += other.cut;
        self.asleep += other.asleep;
        self.asked.resize(self.asked.len().max(other.asked.len()), (0, None));
        let all = self.violated.iter_mut().chain(&mut self.asked);
        for ((times, first), (more, other)) in all.zip(other.violated.iter().chain(&other.asked)) {
            *times += more;
            *first = [*first, *other].into_iter().flatten().min();
        }
    }
}

/// Bounds, and who wants to know.
#[derive(Clone, Copy)]
pub struct Effort<'a> {
    /// Threads.
    pub threads: usize,
    /// Longest time.
    pub time: Option<Duration>,
    /// Set by somebody else to end it.
    pub interrupt: Option<&'a AtomicBool>,
    /// Told how many walks are done.
    pub progress: Option<&'a (dyn Fn(u64) + Sync)>,
}

/// Takes the walks of `part`. If a bound is met, what is returned has fewer of them.
///
/// # Panics
/// If the model runs out of processes to start: a fault of the model.
#[must_use]
pub fn sample(
    subject: Subject<'_>,
    campaign: &Campaign,
    part: Part,
    effort: Effort<'_>,
) -> Sampled {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let (started, all) = (Instant::now(), part.executions(campaign.executions));
    let over = || {
        effort.interrupt.is_some_and(|i| i.load(Ordering::Relaxed))
            || effort.time.is_some_and(|time| started.elapsed() >= time)
    };
    let worker = || {
        let mut sampled = Sampled::default();
        let turns = std::iter::from_fn(|| {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            (turn < all && !over()).then(|| part.index + turn * part.of)
        });
        let told = || {
            if let Some(progress) = effort.progress {
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            }
        };
        match subject {
            Subject::Model(model) => Watch::of(model).with_walker(|watch, walker| {
                for number in turns {
                    watch.note(take(walker, campaign, number), number, &mut sampled);
                    told();
                }
            }),
            Subject::Generated(_) => {
                for number in turns {
                    let model = subject.model(campaign.seed, number);
                    Watch::of(&model).with_walker(|watch, walker| {
                        watch.note(take(walker, campaign, number), number, &mut sampled);
                    });
                    told();
                }
            }
        }
        sampled
    };
    let mut sum = Sampled::default();
    for sampled in on_threads(effort.threads, worker) {
        sum.add(&sampled);
    }
    sum
}

/// What is looked for on a walk.
#[derive(Clone)]
struct Watch<'m> {
    model: &'m Model,
    safety: Safety<'m>,
    /// How much the scenario asks itself.
    asked: usize,
    /// What is met before the first step.
    at_first: u64,
}

impl<'m> Watch<'m> {
    fn of(model: &'m Model) -> Self {
        let questions = asked::questions(model);
        let at_first = questions.iter().enumerate().map(|(at, question)| {
            u64::from(question.shows_at_first(model)) << (Property::ALL.len() + at)
        });
        let (at_first, asked) = (at_first.fold(0, |all, bit| all | bit), questions.len());
        let safety = Safety::new(model, Property::ALL).with_asked();
        Self { model, safety, asked, at_first }
    }

    /// Has walks taken, with what is looked for on them.
    fn with_walker<T>(
        &self,
        walks: impl FnOnce(&Self, &mut Walker<'_, Processes<'m>, Safety<'m>>) -> T,
    ) -> T {
        walks(self, &mut Walker::new(&Processes { model: self.model }, &self.safety))
    }

    /// Adds a walk to what was sampled.
    fn note(&self, walked: &Walked<Event>, number: u64, sampled: &mut Sampled) {
        sampled.executions += 1;
        sampled.steps += walked.trace.len() as u64;
        sampled.cut += u64::from(walked.cut);
        sampled.asleep += u64::from(walked.stuck);
        // Of a walk that goes on nobody can tell whether a sleeper is woken later.
        let asleep = u64::from(walked.stuck) << Property::NobodySleepsForEver as u64;
        let met = walked.violated | asleep | self.at_first;
        sampled.asked.resize(self.asked.max(sampled.asked.len()), (0, None));
        let all = sampled.violated.iter_mut().chain(&mut sampled.asked);
        for (_, (times, first)) in all.enumerate().filter(|(bit, _)| met >> bit & 1 != 0) {
            *times += 1;
            *first = Some(first.map_or(number, |first| first.min(number)));
        }
    }
}

/// Takes a walk of a campaign.
fn take<'w>(
    walker: &'w mut Walker<'_, Processes<'_>, Safety<'_>>,
    campaign: &Campaign,
    number: u64,
) -> &'w Walked<Event> {
    let Campaign { choose, seed, longest, .. } = *campaign;
    let walk = |schedule| Walk { schedule, seed, number, longest };
    let schedule = match choose {
        Choose::By(schedule) => schedule,
        Choose::PctOfEach { depth } => {
            let walked = walker.walk(walk(Schedule::Random)).expect(ENOUGH);
            Schedule::Pct { depth, steps: steps(&walked.trace) }
        }
    };
    walker.walk(walk(schedule)).expect(ENOUGH)
}

/// What a model promises of its pool.
const ENOUGH: &str = "the model starts no more than it has";

/// How long a walk is: no longer than [`Campaign::longest`].
///
/// # Panics
/// If it is longer than any walk.
#[must_use]
pub fn steps(trace: &Trace) -> u32 {
    u32::try_from(trace.len()).expect("a walk is no longer than its bound")
}

/// One walk of a campaign, up to its first violation of `property`; whole, if it violates nothing of
/// the kind.
#[must_use]
pub fn one(model: &Model, campaign: &Campaign, number: u64, property: Option<Property>) -> Trace {
    Watch::of(model).with_walker(|_, walker| {
        let walked = take(walker, campaign, number);
        let mut trace = walked.trace.clone();
        if let Some(steps) = property.and_then(|p| walked.first[p as usize]) {
            trace.truncate(steps as usize);
        }
        trace
    })
}

/// States up to which a smaller scenario is explored; one that has more is not taken.
pub const SMALL: u64 = 200_000;

/// The smallest scenario that the one of walk `number` can be shrunk to, one simplification after the
/// other, so that `property` is still violated; with a shortest trace. Each is explored exhaustively.
/// `None` if the scenario of the walk itself does not violate it within [`SMALL`] states.
///
/// # Panics
/// As [`Subject::model`].
#[must_use]
pub fn smallest(
    space: &Space,
    seed: u64,
    number: u64,
    property: Property,
) -> Option<(Scenario, Trace)> {
    let violation = |scenario: &Scenario| {
        let model =
            Model::new(scenario.clone(), None).expect("generated scenarios are well formed");
        let limits = Limits { states: Some(SMALL), ..Limits::default() };
        let options = Options { symmetry: true, limits, ..Options::default() };
        let report = check_all(&model, &options).ok()?;
        let answer = report.answers.into_iter().find(|answer| answer.property == property)?;
        match answer.verdict {
            Verdict::Violated(trace) => Some(trace),
            _ => None,
        }
    };
    let mut tree = space.draw(walk::seed_of(seed, number));
    let first = tree.current().scenario;
    let mut found = violation(&first).map(|trace| (first, trace))?;
    while tree.simplify() {
        loop {
            let scenario = tree.current().scenario;
            if let Some(trace) = violation(&scenario) {
                found = (scenario, trace);
                break;
            }
            if !tree.complicate() {
                return Some(found);
            }
        }
    }
    Some(found)
}
