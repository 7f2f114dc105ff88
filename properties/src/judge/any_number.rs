//! Verdicts for any number of callers.
//!
//! Callers of `request_module()` and `get_fs_type()`, and the modprobes that outlive them, come in any
//! number; every other actor is followed by itself. Whatever is violated by some number of callers is
//! shown by the least such number, explored exhaustively in the exact model; whatever is said to hold
//! has an invariant that can be written down as a certificate.

use std::cell::LazyCell;
use std::sync::atomic::Ordering;

use kmodcheck_explore::coverability::{
    Family, NoFamily, Outcome, Question, Setup, Sizes, Undecided,
};
use kmodcheck_explore::{End, Options, map_on_threads};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Model, ModelError, Mutant};
use kmodcheck_sim::Processes;
use kmodcheck_sim::certificate::Certificate;

use super::asked::Asked;
use super::safety::{Safety, about, assumptions, is_caller, kinds, with_callers, without_history};
use super::verdict::{self, Trace, Verdict, check_all};
use crate::property::Property;

/// How one property fares with any number of callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyNumber {
    /// The property does not speak of what this system does.
    NotApplicable,
    /// For any number of callers.
    Holds {
        /// Whether its premise occurred with as many callers as were explored.
        premise_met: bool,
    },
    /// By so many callers, and by no fewer; then by any greater number. The trace is shortest, and
    /// was replayed in the exact model.
    Violated {
        /// How many.
        callers: u8,
        /// A shortest trace with so many.
        trace: Trace,
    },
    /// Explored for so many callers only.
    Bounded {
        /// How many; 0: the scenario has none.
        callers: u8,
        /// The verdict for these.
        verdict: Verdict,
        /// Why no more is said.
        why: Bound,
    },
    /// Nothing was decided.
    NotDecided(Undecided),
}

impl AnyNumber {
    /// Whether a limit ended the search for it.
    pub fn is_cut(&self) -> bool {
        match self {
            Self::NotDecided(Undecided::Budget(end)) => *end != End::Complete,
            Self::Bounded { verdict, .. } => *verdict == Verdict::OutOfBudget,
            _ => false,
        }
    }
}

/// Why a verdict is about so many callers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// The property speaks of more than single steps.
    #[error("not a safety property: not upward-closed")]
    NotSafety,
    /// That something is so at some time: what more callers come to says nothing of fewer.
    #[error("asked of these callers")]
    AtSomeTime,
    /// What it counts is counted up to a limit only, where there is any number.
    #[error("it counts who is inside: asked of these callers")]
    Counts,
    /// The scenario is no family.
    #[error(transparent)]
    NoFamily(#[from] NoFamily),
    /// The family is more than the tables hold.
    #[error(transparent)]
    Undecided(#[from] Undecided),
}

/// One system's verdicts for any number of callers.
#[derive(Clone, Debug)]
pub struct Report {
    /// By [`Property::ALL`].
    pub answers: Vec<AnyNumber>,
    /// What the scenario asks itself.
    pub asked: Vec<(Asked, AnyNumber)>,
    /// How large the invariant is, before it is cut down to a certificate. `None` if there is none.
    pub sizes: Option<Sizes>,
    /// Up to how many processes the model counts exactly, if it does not count all of them.
    pub counts_up_to: Option<usize>,
    /// What it assumes, in words.
    pub assumes: Vec<String>,
    /// What holds, as a file.
    pub certificate: Option<Certificate>,
}

impl Report {
    /// The answer on `property`.
    pub fn answer(&self, property: Property) -> &AnyNumber {
        &self.answers[property as usize]
    }

    /// Whether no answer was cut by a limit.
    pub fn is_complete(&self) -> bool {
        let asked = self.asked.iter().map(|(_, answer)| answer);
        self.answers.iter().chain(asked).all(|answer| !answer.is_cut())
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Unprovable {
    /// The scenario cannot be modelled.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A state does not fit the explorer.
    #[error("scenario '{scenario}': {why}")]
    Unexplorable {
        /// Its name.
        scenario: String,
        /// Why.
        why: String,
    },
}

/// So many callers are explored, if the scenario has so many, whatever the effort.
const FEW: u8 = 3;

/// How far to look.
#[derive(Clone, Copy)]
pub struct Effort<'o> {
    /// Limits, interrupt and progress of each search.
    pub options: Options<'o>,
    /// Explores up to so many callers for violations that the invariant does not exclude.
    pub callers: u8,
    /// Makes a certificate of what holds.
    pub certificate: bool,
}

/// Gives the verdict on every property of `scenario` for any number of callers. The scenario's own
/// number of callers, if it is small enough for `effort`, is explored for what is not a safety
/// property, and for what cannot be decided for any number.
///
/// # Errors
/// See [`Unprovable`].
pub fn prove(
    scenario: &Scenario,
    mutant: Option<Mutant>,
    effort: &Effort<'_>,
) -> Result<Report, Unprovable> {
    let model = Model::for_any_number(scenario.clone(), mutant)?;
    let failures = Property::NoFalseFailure.remembering(&model);
    let (system, failing) = (Processes { model: &model }, Processes { model: &failures });
    // The same for both: who there is does not depend on what they remember.
    let (any_number, forgetful) = kinds(&model);
    let family = Family::new(&system, &any_number, &forgetful);
    let failing = Family::new(&failing, &any_number, &forgetful);
    let (question, of_failures) = (every_property(&model), every_property(&failures));
    let exploring = Exploring { scenario, mutant, options: &effort.options };
    let callers = scenario.actors.iter().filter(|a| is_caller(a.action)).map(|a| a.count).max();
    let callers = callers.map_or(0, |callers| callers.clamp(1, effort.callers.max(FEW)));
    let bounded = exploring.explore(callers, 0)?;
    let setup = match &family {
        Ok(family) => Setup::new(family, &question, &effort.options).map_err(Bound::from),
        Err(none) => Err(Bound::from(*none)),
    };
    // Asked only of what so many callers do not violate. Who remembers nothing is the same for both.
    let failing = LazyCell::new(|| match (&setup, &failing) {
        (Ok(setup), Ok(family)) => {
            setup.remembering(family, &of_failures, &effort.options).map_err(Bound::from)
        }
        (Err(_), Ok(family)) => {
            Setup::new(family, &of_failures, &effort.options).map_err(Bound::from)
        }
        (_, Err(none)) => Err(Bound::from(*none)),
    });
    let mut excluded_all = Vec::new();
    let mut decide = |what: What| -> Result<AnyNumber, Unprovable> {
        let verdict = what.verdict(&bounded);
        let reads_failures = matches!(what, What::Property(p) if p.reads_failures());
        let setup = match (reads_failures, verdict) {
            // Of what is violated only whether this is a family matters, and so both are or none is.
            (true, verdict)
                if !matches!(verdict, Verdict::Violated(_) | Verdict::NotApplicable) =>
            {
                &*failing
            }
            _ => &setup,
        };
        let as_explored = |why| AnyNumber::Bounded { callers, verdict: verdict.clone(), why };
        Ok(match (verdict, setup) {
            (Verdict::NotApplicable, _) => AnyNumber::NotApplicable,
            (_, _) if let Some(why) = what.is_bounded(&bounded) => as_explored(why),
            // Nobody is there in any number, so nothing follows from fewer.
            (_, Err(why @ Bound::NoFamily(_))) => as_explored(*why),
            (Verdict::Violated(trace), _) => exploring.least(what, callers, trace)?,
            (_, Ok(setup)) => {
                let excluded = setup.possibly_violated() >> what.bit() & 1 == 0;
                if excluded && !setup.lacks_place() {
                    excluded_all.push(what);
                    let premise_met = what.premise_met(&bounded);
                    // Of a search that was cut nobody knows what else it would have met.
                    if premise_met || bounded.end == End::Complete {
                        AnyNumber::Holds { premise_met }
                    } else {
                        AnyNumber::NotDecided(Undecided::Budget(bounded.end))
                    }
                } else {
                    exploring.more(what, callers, setup, effort)?
                }
            }
            (_, Err(Bound::Undecided(budget @ Undecided::Budget(_)))) => {
                AnyNumber::NotDecided(*budget)
            }
            (_, Err(why)) => as_explored(*why),
        })
    };
    let mut answers = Vec::new();
    for property in Property::ALL {
        answers.push(decide(What::Property(property))?);
    }
    let mut asked = Vec::new();
    for (at, answer) in bounded.asked.iter().enumerate() {
        asked.push((answer.asked.clone(), decide(What::Asked(at))?));
    }
    let certifiable = excluded_all.into_iter().filter_map(|what| match what {
        What::Property(property) => property.is_certifiable().then_some(property),
        What::Asked(_) => None,
    });
    let proved: Vec<Property> = certifiable.collect();
    let certificate = match &setup {
        Ok(setup) if effort.certificate && !proved.is_empty() => {
            let invariant = setup.invariant(&effort.options).ok();
            invariant.map(|i| Certificate::new(scenario, &about(&model, &proved), &i))
        }
        _ => None,
    };
    Ok(Report {
        answers,
        asked,
        sizes: setup.ok().map(|setup| setup.sizes()),
        counts_up_to: model.counts_up_to(),
        assumes: assumptions(&model),
        certificate,
    })
}

fn every_property(model: &Model) -> Question<Safety<'_>> {
    let monitor = Safety::new(model, Property::ALL).with_asked();
    Question { monitor, without_history: without_history() }
}

/// What is decided.
#[derive(Clone, Copy)]
enum What {
    /// A property.
    Property(Property),
    /// What the scenario asks itself, by its place among [`asked::questions`].
    Asked(usize),
}

impl What {
    /// Its number in a search.
    fn bit(self) -> u64 {
        match self {
            Self::Property(property) => property as u64,
            Self::Asked(at) => (Property::ALL.len() + at) as u64,
        }
    }

    fn verdict(self, report: &verdict::Report) -> &Verdict {
        match self {
            Self::Property(property) => &report.answer(property).verdict,
            Self::Asked(at) => &report.asked[at].verdict,
        }
    }

    /// Why it is decided only for so many as are explored, whatever there is.
    fn is_bounded(self, report: &verdict::Report) -> Option<Bound> {
        match self {
            Self::Property(property) => (!property.is_safety()).then_some(Bound::NotSafety),
            Self::Asked(at) if report.asked[at].asked.exists => Some(Bound::AtSomeTime),
            Self::Asked(at) => report.asked[at].asked.counts.then_some(Bound::Counts),
        }
    }

    /// Whether it could have been violated in what was explored.
    fn premise_met(self, report: &verdict::Report) -> bool {
        match self {
            Self::Property(property) => report.answer(property).branches.iter().any(|n| *n > 0),
            Self::Asked(_) => true,
        }
    }
}

/// The exact model with several numbers of callers.
struct Exploring<'s> {
    scenario: &'s Scenario,
    mutant: Option<Mutant>,
    options: &'s Options<'s>,
}

impl Exploring<'_> {
    /// Everything with so many callers; up to the first violation of all of `wanted` unless that is 0.
    fn explore(&self, callers: u8, wanted: u64) -> Result<verdict::Report, Unprovable> {
        let model = Model::new(with_callers(self.scenario, callers), self.mutant)?;
        let options = Options { symmetry: true, stop_when_violated: wanted, ..*self.options };
        check_all(&model, &options).map_err(|error| Unprovable::Unexplorable {
            scenario: self.scenario.name.clone(),
            why: error.to_string(),
        })
    }

    /// The least number of callers that violates what `callers` of them violate by `trace`.
    fn least(&self, what: What, callers: u8, trace: &Trace) -> Result<AnyNumber, Unprovable> {
        for fewer in 1..callers {
            let report = self.explore(fewer, 1 << what.bit())?;
            match what.verdict(&report) {
                Verdict::Violated(trace) => {
                    return Ok(AnyNumber::Violated { callers: fewer, trace: trace.clone() });
                }
                Verdict::OutOfBudget => {
                    return Ok(AnyNumber::NotDecided(Undecided::Budget(report.end)));
                }
                _ => {}
            }
        }
        Ok(AnyNumber::Violated { callers, trace: trace.clone() })
    }

    /// What the invariant does not exclude, and `callers` do not violate.
    fn more(
        &self,
        what: What,
        callers: u8,
        setup: &Setup<'_, '_, Processes<'_>, Safety<'_>>,
        effort: &Effort<'_>,
    ) -> Result<AnyNumber, Unprovable> {
        let wanted = 1 << what.bit();
        let mut cut = None;
        for callers in callers + 1..=effort.callers {
            let report = self.explore(callers, wanted)?;
            match what.verdict(&report) {
                Verdict::Violated(trace) => {
                    return Ok(AnyNumber::Violated { callers, trace: trace.clone() });
                }
                Verdict::OutOfBudget => cut = Some(Undecided::Budget(report.end)),
                _ => {}
            }
        }
        Ok(match setup.prove(wanted, &effort.options) {
            Ok(Outcome::Holds(_)) => AnyNumber::Holds { premise_met: true },
            Ok(Outcome::Reaches { others }) => {
                AnyNumber::NotDecided(cut.unwrap_or(Undecided::NotConfirmed(others)))
            }
            Err(undecided) => AnyNumber::NotDecided(undecided),
        })
    }
}

/// Proves each of `scenarios` on `threads` threads; `done` is told of each. The result does not
/// depend on their number. Scenarios that nobody got to because of an interrupt are missing.
pub fn prove_all(
    scenarios: &[Scenario],
    threads: usize,
    effort: &Effort<'_>,
    done: &(dyn Fn(usize) + Sync),
) -> Vec<Option<Result<Report, Unprovable>>> {
    let over = || effort.options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed));
    map_on_threads(threads, scenarios, over, |number, scenario| {
        let report = prove(scenario, None, effort);
        done(number);
        report
    })
}
