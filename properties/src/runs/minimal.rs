//! The trace of a violation that reads best, and why it happened.

use std::collections::HashMap;

use kmodcheck_explore::concrete::State;
use kmodcheck_explore::fewest_switches::{Bounds, Fewest, fewest_switches};
use kmodcheck_explore::reduce::{Reduced, reduce};
use kmodcheck_explore::reorder::{Reordering, avoiding, avoiding_in_pairs};
use kmodcheck_explore::{Configuration, Options, Product, Transition};
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Trace;

use crate::judge::sleepers::somebody_is_stuck;
use crate::judge::verdict::{Verdict, check, confirm};
use crate::property::{Property, Says, View};

/// Pairs of a state and a last process that a search may keep: some 100 MB.
pub const NODES: usize = 500_000;

/// The same for what is made of a trace that is shown in passing: a fraction of a second, and some 20 MB.
pub const FEW_NODES: usize = 50_000;

/// Most pairs of reorderings that are named.
const PAIRS: usize = 3;

/// Most pairs of reorderings that are tried.
const TRIES: usize = 20_000;

/// The same where each step of each of them asks whether somebody is stuck.
const FEW_TRIES: usize = 2_000;

/// Whether a transition violates `property`; for [`Property::NobodySleepsForEver`], whether somebody
/// is stuck in the state after it. The model remembers what the property reads.
pub fn violates<'a>(
    model: &'a Model,
    property: Property,
    product: &'a Product<'a, Processes<'a>>,
) -> impl FnMut(&Transition<'_, Event>) -> bool + 'a {
    // Whether somebody is stuck takes a search of its own, and is asked of the same states again and again.
    let mut stuck: HashMap<Configuration, bool> = HashMap::new();
    move |t| match property {
        Property::NobodySleepsForEver => *stuck.entry(*t.after).or_insert_with(|| {
            let locals = t.after.locals.iter();
            let processes = locals.take(product.processes()).enumerate();
            let processes = processes.map(|(i, local)| (product.kind(i), *local)).collect();
            let after = State { shared: t.after.shared, processes };
            somebody_is_stuck(product.system, &after)
        }),
        _ => matches!(property.says(&View::of(model, &t.step)), Says::Violated(_)),
    }
}

/// Makes `trace`, a violation of `property`, as short as it gets, with as few context switches as
/// that length allows; by its steps alone if the search takes more than `nodes`. `None` if it is no
/// violation.
pub fn minimal(
    model: &Model,
    property: Property,
    trace: &Trace,
    nodes: usize,
) -> Option<Reduced<Event>> {
    let model = &*property.remembering(model);
    let system = Processes { model };
    let product = Product::new(&system)?;
    let mut wanted = violates(model, property, &product);
    if property != Property::NobodySleepsForEver {
        return reduce(&product, trace, nodes, &mut wanted);
    }
    // Whether somebody is stuck takes a search of its own, so it is asked only where it can be true.
    confirm(model, property, trace).ok()?;
    let options = Options { symmetry: true, ..Options::default() };
    let report = check(model, &options).ok()?;
    let Verdict::Violated(shortest) = &report.answer(property).verdict else { return None };
    let bounds = Bounds { skip: shortest.len().saturating_sub(1), nodes };
    match fewest_switches(&product, product.initial(), bounds, &mut wanted) {
        Fewest::Trace { trace, switches } => Some(Reduced { trace, switches, proved: true }),
        Fewest::Nothing | Fewest::Cut => {
            let switches = kmodcheck_explore::fewest_switches::switches(shortest);
            Some(Reduced { trace: shortest.clone(), switches, proved: false })
        }
    }
}

/// `trace` with as few context switches as a run has that ends in the very same state, or, of a property that single
/// steps violate, in a violation that takes no more steps. `shortest`: no trace is shorter, so that none is looked for.
/// It is the trace itself where there are too many processes to tell apart, or too many states on the way; see
/// [`FEW_NODES`].
///
/// # Panics
/// If what was found does not replay: a fault of the search, never of the input.
pub fn with_few_switches(
    model: &Model,
    property: Property,
    trace: &Trace,
    shortest: bool,
    nodes: usize,
) -> Trace {
    let model = &*property.remembering(model);
    let system = Processes { model };
    let Some(product) = Product::new(&system) else { return trace.clone() };
    let found = match property {
        Property::NobodySleepsForEver => same_end(&product, trace, nodes),
        _ if shortest => {
            let bounds = Bounds { skip: trace.len().saturating_sub(1), nodes };
            let wanted = violates(model, property, &product);
            match fewest_switches(&product, product.initial(), bounds, wanted) {
                Fewest::Trace { trace, .. } => Some(trace),
                Fewest::Nothing | Fewest::Cut => None,
            }
        }
        _ => {
            let mut wanted = violates(model, property, &product);
            reduce(&product, trace, nodes, &mut wanted).map(|reduced| reduced.trace)
        }
    };
    let Some(found) = found else { return trace.clone() };
    confirm(model, property, &found).expect("what was found replays and violates");
    found
}

/// Any run with as few context switches as one has that ends in the very same state after no more steps; itself, where
/// the search takes more than `nodes`.
pub fn run_with_few_switches(model: &Model, trace: &Trace, nodes: usize) -> Trace {
    let system = Processes { model };
    let found = Product::new(&system).and_then(|product| same_end(&product, trace, nodes));
    found.unwrap_or_else(|| trace.clone())
}

fn same_end(product: &Product<'_, Processes<'_>>, trace: &Trace, nodes: usize) -> Option<Trace> {
    let mut end = product.initial();
    kmodcheck_explore::replay::replay(product, trace, |_, t| end = *t.after).ok()?;
    let bounds = Bounds { skip: 0, nodes };
    match fewest_switches(product, product.initial(), bounds, |t| *t.after == end) {
        Fewest::Trace { trace, .. } => Some(trace),
        Fewest::Nothing | Fewest::Cut => None,
    }
}

/// What would have avoided a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Each of these reorderings alone.
    Single(Vec<Reordering<Event>>),
    /// No single one; each of these pairs.
    Pairs(Vec<[Reordering<Event>; 2]>),
    /// Neither. `true`: not all pairs were tried.
    Nothing(bool),
    /// There is nobody else whose steps could have come at other moments.
    Alone,
}

/// What would have avoided the violation of `property` at the end of `trace`: single reorderings of two steps, or else
/// pairs of them.
pub fn what_avoids(model: &Model, property: Property, trace: &Trace) -> Why {
    let single = why(model, property, trace);
    if !single.is_empty() {
        return Why::Single(single);
    }
    let model = &*property.remembering(model);
    let system = Processes { model };
    let Some(product) = Product::new(&system) else { return Why::Nothing(true) };
    if product.processes() == 1 {
        return Why::Alone;
    }
    let tries = match property {
        Property::NobodySleepsForEver => FEW_TRIES,
        _ => TRIES,
    };
    let mut wanted = violates(model, property, &product);
    match avoiding_in_pairs(&product, trace, PAIRS, tries, &mut wanted) {
        (pairs, cut) if pairs.is_empty() => Why::Nothing(cut),
        (pairs, _) => Why::Pairs(pairs),
    }
}

impl Why {
    /// A sentence for each way to avoid it.
    pub fn ways(&self, model: &Model, trace: &Trace) -> Vec<String> {
        match self {
            Self::Single(single) => single.iter().map(|r| in_words(model, trace, r)).collect(),
            Self::Pairs(pairs) => {
                let words = |[one, two]: &[Reordering<Event>; 2]| {
                    let clause = |r| clause(model, trace, r);
                    format!("Avoided if {}, and {}.", clause(one), clause(two))
                };
                pairs.iter().map(words).collect()
            }
            Self::Nothing(_) | Self::Alone => Vec::new(),
        }
    }

    /// What is to be said before that, or in its place; `None`: nothing.
    pub fn remark(&self) -> Option<&'static str> {
        match self {
            Self::Single(_) => None,
            Self::Pairs(_) => Some(
                "No single reordering of two steps would have avoided it; two of them together would have:",
            ),
            Self::Nothing(false) => Some(
                "No single reordering of two steps would have avoided it, nor any two of them together.",
            ),
            Self::Nothing(true) => Some(
                "No single reordering of two steps would have avoided it, nor any two of the least of them \
                 together; not all were tried.",
            ),
            Self::Alone => Some("One process steps alone: there is nothing to reorder."),
        }
    }
}

/// Which single reorderings of `trace` would have avoided the violation of `property` at its end.
pub fn why(model: &Model, property: Property, trace: &Trace) -> Vec<Reordering<Event>> {
    let model = &*property.remembering(model);
    let system = Processes { model };
    let Some(product) = Product::new(&system) else { return Vec::new() };
    avoiding(&product, trace, &mut violates(model, property, &product))
}

/// A reordering in words.
pub fn in_words(model: &Model, trace: &Trace, reordering: &Reordering<Event>) -> String {
    format!("Avoided if {}.", clause(model, trace, reordering))
}

fn clause(model: &Model, trace: &Trace, reordering: &Reordering<Event>) -> String {
    let scenario = model.scenario();
    let step = |label: &Event| format!("{} ({})", label.function(), label.describe(scenario));
    let other = &trace[reordering.other];
    format!(
        "CPU{}'s {} had come {} CPU{}'s {}",
        reordering.moved.actor,
        step(&reordering.moved.label),
        if reordering.earlier { "before" } else { "after" },
        other.actor,
        step(&other.label)
    )
}
