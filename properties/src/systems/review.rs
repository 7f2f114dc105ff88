//! What a patch changes in the built-in systems of one kernel.

use kmodcheck_explore::{Options, Unexplorable, map_on_threads};
use kmodcheck_model::text::Decisions;
use kmodcheck_model::{Model, ModelError};

use super::grand::System;
use crate::property::Property;
use crate::verdict::{Answer, Report, check_all};

/// One system without the patch and with it.
#[derive(Debug)]
pub struct Reviewed {
    /// The cells that it is.
    pub system: System,
    /// Without the patch, and with it.
    pub models: [Model; 2],
    /// What was found of each.
    pub reports: [Report; 2],
}

/// A system that could not be explored: a fault of ours, since built-in systems fit.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The model does not take it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The explorer does not.
    #[error(transparent)]
    Unexplorable(#[from] Unexplorable),
}

/// Explores each system as it is and with what a patch decides, on `threads` threads, in their order.
/// What was not begun when `options.interrupt` was set is left out.
///
/// # Errors
/// See [`ReviewError`].
pub fn review(
    systems: &[System],
    patched: &Decisions,
    threads: usize,
    options: &Options<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Reviewed>, ReviewError> {
    let over =
        || options.interrupt.is_some_and(|set| set.load(std::sync::atomic::Ordering::Relaxed));
    let reviewed = map_on_threads(threads, systems, over, |_, system| {
        let mut with = system.scenario.clone();
        patched.apply(&mut with);
        let models = [Model::new(system.scenario.clone(), None)?, Model::new(with, None)?];
        let reports = [check_all(&models[0], options)?, check_all(&models[1], options)?];
        done();
        Ok(Reviewed { system: system.clone(), models, reports })
    });
    reviewed.into_iter().flatten().collect()
}

impl Reviewed {
    /// What is said of a property without the patch and with it.
    pub fn answers(&self, property: Property) -> [&Answer; 2] {
        self.reports.each_ref().map(|report| report.answer(property))
    }
}
