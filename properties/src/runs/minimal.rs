//! The trace of a violation that reads best, and why it happened.

use kmodcheck_explore::concrete::State;
use kmodcheck_explore::fewest_switches::{Bounds, Fewest, fewest_switches};
use kmodcheck_explore::reduce::{Reduced, reduce};
use kmodcheck_explore::reorder::{Reordering, avoiding};
use kmodcheck_explore::{Options, Product, Transition};
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::Trace;

use crate::judge::sleepers::somebody_is_stuck;
use crate::judge::verdict::{Verdict, check};
use crate::property::{Property, Says, View};

/// Pairs of a state and a last process that a search may keep: some 100 MB.
pub const NODES: usize = 500_000;

/// Whether a transition violates `property`; for [`Property::NobodySleepsForEver`], whether somebody
/// is stuck in the state after it. The model remembers what the property reads.
pub fn violates<'a>(
    model: &'a Model,
    property: Property,
    product: &'a Product<'a, Processes<'a>>,
) -> impl FnMut(&Transition<'_, Event>) -> bool + 'a {
    move |t| match property {
        Property::NobodySleepsForEver => {
            let locals = t.after.locals.iter();
            let processes = locals.take(product.processes()).enumerate();
            let processes = processes.map(|(i, local)| (product.kind(i), *local)).collect();
            let after = State { shared: t.after.shared, processes };
            somebody_is_stuck(product.system, &after)
        }
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
    crate::judge::verdict::confirm(model, property, trace).ok()?;
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

/// Which single reorderings of `trace` would have avoided the violation of `property` at its end.
pub fn why(model: &Model, property: Property, trace: &Trace) -> Vec<Reordering<Event>> {
    let model = &*property.remembering(model);
    let system = Processes { model };
    let Some(product) = Product::new(&system) else { return Vec::new() };
    avoiding(&product, trace, &mut violates(model, property, &product))
}

/// A reordering in words.
pub fn in_words(model: &Model, trace: &Trace, reordering: &Reordering<Event>) -> String {
    let scenario = model.scenario();
    let step = |label: &Event| format!("{} ({})", label.function(), label.describe(scenario));
    let other = &trace[reordering.other];
    format!(
        "Avoided if CPU{}'s {} had come {} CPU{}'s {}.",
        reordering.moved.actor,
        step(&reordering.moved.label),
        if reordering.earlier { "before" } else { "after" },
        other.actor,
        step(&other.label)
    )
}
