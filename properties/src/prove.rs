//! Verdicts for any number of callers.
//!
//! Callers of `request_module()` and `get_fs_type()`, and the modprobes that outlive them, come in any
//! number; every other actor is followed by itself. Whatever is violated by some number of callers is
//! shown by the least such number, explored exhaustively in the exact model; whatever is said to hold
//! has an invariant that can be written down as a certificate.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmodcheck_explore::coverability::{
    Family, NoFamily, Outcome, Question, Setup, Sizes, Undecided,
};
use kmodcheck_explore::{Asks, End, Kind, Monitor, Options, Step, on_threads};
use kmodcheck_model::scenario::{Action, Scenario};
use kmodcheck_model::{Event, Model, ModelError, Mutant, Role};
use kmodcheck_sim::Processes;
use kmodcheck_sim::certificate::verify::{Refused, Verified};
use kmodcheck_sim::certificate::{About, Certificate, CertificateError, Proved};

use crate::check::{Trace, Verdict, check_all};
use crate::property::{Property, Says, View};
use crate::recorded::{Compared, Difference};

/// The properties that speak of single steps, so that they can be proved for any number of callers.
pub fn is_safety(property: Property) -> bool {
    property != Property::NobodySleepsForEver
}

/// The properties that read no history of the process that steps.
const WITHOUT_HISTORY: u64 =
    1 << Property::LifecycleAndSysfs as u64 | 1 << Property::UdevFindsItInitialised as u64;

/// Those of them of which a certificate can be made: its model remembers what they read.
pub fn is_certifiable(property: Property) -> bool {
    is_safety(property) && property != Property::NoFalseFailure
}

/// Which steps of a model violate which safety properties.
#[derive(Clone, Debug)]
pub struct Safety<'m> {
    model: &'m Model,
    properties: Vec<Property>,
}

impl<'m> Safety<'m> {
    /// Those of `properties` that speak of what the model does, and of what it remembers.
    pub fn new(model: &'m Model, properties: impl IntoIterator<Item = Property>) -> Self {
        let asked = |p: &Property| is_safety(*p) && p.applies(model) && p.is_remembered(model);
        Self { model, properties: properties.into_iter().filter(asked).collect() }
    }
}

impl Monitor<Event> for Safety<'_> {
    type Tally = ();
    const ASKS: Asks = Asks::Steps;

    fn step_violates(&self, step: &Step<Event>) -> u64 {
        View::of(self.model, step).violates(&self.properties)
    }
}

/// Which kinds of a model's processes come in any number, and of which no property reads the
/// history.
fn kinds(model: &Model) -> (Vec<Kind>, Vec<Kind>) {
    let (mut any_number, mut forgetful) = (Vec::new(), Vec::new());
    for (kind, _) in model.processes() {
        let many = match model.role(kind) {
            Role::Actor { action, .. } => is_caller(action),
            Role::Orphan(_) => true,
            Role::Kworker(_) => false,
        };
        let remembers = match model.role(kind) {
            Role::Actor { action, .. } => {
                is_caller(action) || matches!(action, Action::Modprobe(_))
            }
            Role::Orphan(_) => true,
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

fn is_caller(action: Action) -> bool {
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

/// Why a verdict is about so many callers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// The property speaks of more than single steps.
    #[error("not a safety property: not upward-closed")]
    NotSafety,
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
    let failing = match &failing {
        Ok(family) => Setup::new(family, &of_failures, &effort.options).map_err(Bound::from),
        Err(none) => Err(Bound::from(*none)),
    };
    let mut answers = Vec::new();
    let mut proved = Vec::new();
    for property in Property::ALL {
        let verdict = &bounded.answer(property).verdict;
        let setup = if property == Property::NoFalseFailure { &failing } else { &setup };
        let answer = match (verdict, setup) {
            (Verdict::NotApplicable, _) => AnyNumber::NotApplicable,
            (verdict, _) if !is_safety(property) => {
                AnyNumber::Bounded { callers, verdict: verdict.clone(), why: Bound::NotSafety }
            }
            // Nobody is there in any number, so nothing follows from fewer.
            (verdict, Err(why @ Bound::NoFamily(_))) => {
                AnyNumber::Bounded { callers, verdict: verdict.clone(), why: *why }
            }
            (Verdict::Violated(trace), _) => exploring.least(property, callers, trace)?,
            (_, Ok(setup)) => {
                let excluded = setup.possibly_violated() >> property as u64 & 1 == 0;
                if excluded && !setup.lacks_place() {
                    if is_certifiable(property) {
                        proved.push(property);
                    }
                    let met = &bounded.answer(property).branches;
                    let premise_met = met.iter().any(|times| *times > 0);
                    // Of a search that was cut nobody knows what else it would have met.
                    if premise_met || bounded.end == End::Complete {
                        AnyNumber::Holds { premise_met }
                    } else {
                        AnyNumber::NotDecided(Undecided::Budget(bounded.end))
                    }
                } else {
                    exploring.more(property, callers, setup, effort)?
                }
            }
            (_, Err(Bound::Undecided(budget @ Undecided::Budget(_)))) => {
                AnyNumber::NotDecided(*budget)
            }
            (verdict, Err(why)) => {
                AnyNumber::Bounded { callers, verdict: verdict.clone(), why: *why }
            }
        };
        answers.push(answer);
    }
    let certificate = match &setup {
        Ok(setup) if effort.certificate && !proved.is_empty() => {
            let invariant = setup.invariant(&effort.options).ok();
            invariant.map(|i| Certificate::new(scenario, &about(&model, &proved), &i))
        }
        _ => None,
    };
    Ok(Report {
        answers,
        sizes: setup.ok().map(|setup| setup.sizes()),
        counts_up_to: model.counts_up_to(),
        assumes: assumptions(&model),
        certificate,
    })
}

fn every_property(model: &Model) -> Question<Safety<'_>> {
    Question { monitor: Safety::new(model, Property::ALL), without_history: WITHOUT_HISTORY }
}

/// What a proof about `model` assumes and over-approximates, in words.
fn assumptions(model: &Model) -> Vec<String> {
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
    words.extend(others.map(|a| format!("{} of {:?}", a.count, a.action)));
    if scenario.nests() {
        words.push(format!(
            "requests of inits nest {} deep at most",
            kmodcheck_model::state::MAX_DEPTH
        ));
    }
    if let Some(most) = model.counts_up_to() {
        words.push(format!(
            "references on a module and requests at the limit are counted up to {most}; of more, one \
             less may be as many as before (more behaviours than the exact model has)"
        ));
    }
    words
}

/// The exact model with several numbers of callers.
struct Exploring<'s> {
    scenario: &'s Scenario,
    mutant: Option<Mutant>,
    options: &'s Options<'s>,
}

impl Exploring<'_> {
    /// Everything with so many callers; up to the first violation of all of `wanted` unless that is 0.
    fn explore(&self, callers: u8, wanted: u64) -> Result<crate::check::Report, Unprovable> {
        let model = Model::new(with_callers(self.scenario, callers), self.mutant)?;
        let options = Options { symmetry: true, stop_when_violated: wanted, ..*self.options };
        check_all(&model, &options).map_err(|error| Unprovable::Unexplorable {
            scenario: self.scenario.name.clone(),
            why: error.to_string(),
        })
    }

    /// The least number of callers that violates what `callers` of them violate by `trace`.
    fn least(
        &self,
        property: Property,
        callers: u8,
        trace: &Trace,
    ) -> Result<AnyNumber, Unprovable> {
        for fewer in 1..callers {
            let report = self.explore(fewer, 1 << property as u64)?;
            match &report.answer(property).verdict {
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
        property: Property,
        callers: u8,
        setup: &Setup<'_, '_, Processes<'_>, Safety<'_>>,
        effort: &Effort<'_>,
    ) -> Result<AnyNumber, Unprovable> {
        let wanted = 1 << property as u64;
        let mut cut = None;
        for callers in callers + 1..=effort.callers {
            let report = self.explore(callers, wanted)?;
            match &report.answer(property).verdict {
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
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(scenarios.iter().map(|_| None).collect::<Vec<_>>());
    let interrupted = || effort.options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed));
    on_threads(threads, || {
        while !interrupted() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(index) else { break };
            let report = prove(scenario, None, effort);
            reports.lock().expect("no worker panicked")[index] = Some(report);
            done(index);
        }
    });
    reports.into_inner().expect("no worker panicked")
}

/// Whether nothing of a report was cut by a limit.
pub fn is_complete(report: &Report) -> bool {
    report.answers.iter().all(|answer| !is_cut(answer))
}

/// Whether a limit ended the search for an answer.
fn is_cut(answer: &AnyNumber) -> bool {
    match answer {
        AnyNumber::NotDecided(Undecided::Budget(end)) => *end != End::Complete,
        AnyNumber::Bounded { verdict, .. } => *verdict == Verdict::OutOfBudget,
        _ => false,
    }
}

/// Compares the report on the system of that name with the record. Answers that were cut are not
/// compared.
pub fn compare(name: &str, report: &Report) -> Compared {
    let (recorded, found) = (recorded(name), summary(report));
    if recorded == Some(&found) {
        return Compared::AsRecorded;
    }
    let agrees = !is_complete(report)
        && recorded.is_some_and(|recorded| {
            let words = recorded.split(' ').zip(found.split(' ')).zip(&report.answers);
            recorded.split(' ').count() == report.answers.len()
                && words.clone().all(|((old, new), answer)| old == new || is_cut(answer))
        });
    if agrees {
        Compared::Cut
    } else {
        Compared::Differs(Difference { cell: name.to_owned(), recorded, found })
    }
}

/// Why a certificate was not checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A property that there is not.
    #[error("{file}: found property '{found}', expected one of {expected}")]
    Property {
        /// The file.
        file: String,
        /// What it says.
        found: String,
        /// All of them.
        expected: String,
    },
}

/// What a certificate was found to prove, in this program's own words: the file is not quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// What holds for any number of callers, and whether any step that is possible meets its premise.
    pub properties: Vec<(Property, bool)>,
    /// What that assumes, as [`Report::assumes`].
    pub assumes: Vec<String>,
    /// What was gone through.
    pub verified: Verified,
}

/// Checks `certificate`, the content of `file`, with the checker of
/// [`kmodcheck_sim::certificate::verify`], which knows nothing of how it was found. From the
/// certificate come the scenario, the names of the properties and the invariant; all else that it says
/// must be what the scenario and the properties say.
///
/// # Errors
/// The outer one: it cannot be read; the inner one: the first element that fails, or the first thing
/// said that is not so.
pub fn verify(
    file: &str,
    certificate: &Certificate,
) -> Result<Result<Confirmed, Refused>, VerifyError> {
    let model = certificate.model(file)?;
    let properties = match proved(file, certificate, &model)? {
        Ok(properties) => properties,
        Err(why) => return Ok(Err(Refused { element: "properties".to_owned(), why })),
    };
    let (about, met) = (about(&model, &properties), Cell::new(0));
    let bad = |step: &Step<Event>, history: bool| {
        let view = View::of(&model, step);
        let asked = if history { u64::MAX } else { WITHOUT_HISTORY };
        let mut bad = false;
        for property in properties.iter().filter(|p| asked >> **p as u64 & 1 != 0) {
            match property.says(&view) {
                Says::Nothing => {}
                Says::Holds(_) => met.set(met.get() | 1 << *property as u64),
                Says::Violated(_) => bad = true,
            }
        }
        bad
    };
    let verified = certificate.check(file, &model, &about, bad)?;
    let met = |p: &Property| (*p, met.get() >> *p as u64 & 1 != 0);
    let properties = properties.iter().map(met).collect();
    Ok(verified.map(|verified| Confirmed { properties, assumes: about.assumes, verified }))
}

/// The properties that a certificate names, in order; the inner error: what cannot be said of `model`.
fn proved(
    file: &str,
    certificate: &Certificate,
    model: &Model,
) -> Result<Result<Vec<Property>, String>, VerifyError> {
    let all = || Property::ALL.into_iter().filter(|p| is_certifiable(*p));
    let mut properties = Vec::new();
    for line in &certificate.properties {
        let name = &line.name;
        let Some(property) = all().find(|p| p.name() == name) else {
            let expected = all().map(Property::name).collect::<Vec<_>>().join(", ");
            let (file, found) = (file.to_owned(), name.clone());
            return Err(VerifyError::Property { file, found, expected });
        };
        if properties.contains(&property) {
            return Ok(Err(format!("found {name} twice, expected each at most once")));
        }
        if !property.applies(model) {
            let why = "expected only what speaks of something that this scenario does";
            return Ok(Err(format!("found {name}, {why}")));
        }
        properties.push(property);
    }
    if properties.is_empty() {
        return Ok(Err("found none, expected at least one that is proved".to_owned()));
    }
    properties.sort_unstable();
    Ok(Ok(properties))
}

/// What a certificate of `properties` says beside its invariant: all of it follows from the model.
fn about(model: &Model, properties: &[Property]) -> About {
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

/// The recorded verdicts of the whole grand matrix for any number of callers.
pub const RECORDED: &str = include_str!("../recorded/any-number.txt");

/// A report in the recorded form: each property's letter with `+` (holds for any number), `0` (holds,
/// but its premise did not occur with as many callers as were explored), `-` (does not apply), the
/// least number of callers and the steps of the shortest trace (`3x28`), `?` (not decided); what is no
/// safety property with the number of callers that were explored (`W2+`, `W2x40`).
pub fn summary(report: &Report) -> String {
    let short = |verdict: &Verdict| match verdict {
        Verdict::NotApplicable => "-".to_owned(),
        Verdict::Holds { premise_met: true } => "+".to_owned(),
        Verdict::Holds { premise_met: false } => "0".to_owned(),
        Verdict::Violated(trace) => format!("x{}", trace.len()),
        Verdict::OutOfBudget | Verdict::NoneFound | Verdict::NotAsked => "?".to_owned(),
    };
    let line = Property::ALL.iter().zip(&report.answers).map(|(property, answer)| {
        let answer = match answer {
            AnyNumber::NotApplicable => "-".to_owned(),
            AnyNumber::Holds { premise_met: true } => "+".to_owned(),
            AnyNumber::Holds { premise_met: false } => "0".to_owned(),
            AnyNumber::Violated { callers, trace } => format!("{callers}x{}", trace.len()),
            AnyNumber::Bounded { callers, verdict, .. } => format!("{callers}{}", short(verdict)),
            AnyNumber::NotDecided(_) => "?".to_owned(),
        };
        format!("{}{answer}", property.letter())
    });
    line.collect::<Vec<_>>().join(" ")
}

/// The recorded summary of the system of that name.
pub fn recorded(name: &str) -> Option<&'static str> {
    RECORDED.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" | "))
}
