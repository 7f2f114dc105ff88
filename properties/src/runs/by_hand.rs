//! A run chosen step by step: what can be done now, what was done, what it violated, and back again.

use std::ops::ControlFlow;

use kmodcheck_explore::{Configuration, Options, Product, WayOut};
use kmodcheck_explore::{TraceStep, Unexplorable};
use kmodcheck_model::{Event, Model};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::{Story, Trace, story};

use crate::judge::from_here::{Ahead, ahead};
use crate::property::{Property, Says, View};

/// A step that can be taken now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enabled {
    /// The step.
    pub step: TraceStep<Event>,
    /// In which function.
    pub function: &'static str,
    /// What it does.
    pub what: String,
    /// `time-out` or `killed`, if it is a way out that the scenario grants.
    pub way_out: Option<&'static str>,
    /// What it would violate.
    pub violates: Vec<Property>,
}

/// A run so far.
pub struct Walk<'m> {
    model: &'m Model,
    product: Product<'m, Processes<'m>>,
    states: Vec<Configuration>,
    trace: Trace,
    /// By step: what it violated.
    violated: Vec<Vec<Property>>,
}

impl<'m> Walk<'m> {
    /// The run without steps; its steps are judged by the properties that read no more than the model
    /// remembers. `None` if the model has more processes than a product takes.
    pub fn new(model: &'m Model, system: &'m Processes<'m>) -> Option<Self> {
        let product = Product::new(system)?;
        let states = vec![product.initial()];
        Some(Self { model, product, states, trace: Vec::new(), violated: Vec::new() })
    }

    /// The state that the run is in.
    pub fn now(&self) -> &Configuration {
        self.states.last().expect("there is a first state")
    }

    /// The steps so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The steps that violated something: how many steps the run had then, and what.
    pub fn violations(&self) -> impl Iterator<Item = (usize, &[Property])> {
        let numbered = self.violated.iter().enumerate();
        numbered.filter(|(_, v)| !v.is_empty()).map(|(i, v)| (i + 1, v.as_slice()))
    }

    /// Everything that can be done now.
    pub fn enabled(&self) -> Vec<Enabled> {
        let mut enabled = Vec::new();
        let scenario = self.model.scenario();
        let _ = self.product.successors(self.now(), &mut Vec::new(), |t| {
            let view = View::of(self.model, &t.step);
            let violates =
                |p: &Property| p.applies(self.model) && matches!(p.says(&view), Says::Violated(_));
            enabled.push(Enabled {
                step: TraceStep { actor: t.actor, ordinal: t.ordinal, label: t.label },
                function: t.label.function(),
                what: t.label.describe(scenario).to_string(),
                way_out: match t.way_out {
                    WayOut::Ordinary => None,
                    WayOut::TimeOut => Some("time-out"),
                    WayOut::Killed => Some("killed"),
                },
                violates: Property::ALL.into_iter().filter(violates).collect(),
            });
            ControlFlow::Continue(())
        });
        enabled
    }

    /// Takes a step: that alternative of that process. `false` if it cannot be taken now.
    pub fn take(&mut self, actor: usize, ordinal: u32) -> bool {
        let enabled = self.enabled();
        let Some(chosen) =
            enabled.into_iter().find(|e| (e.step.actor, e.step.ordinal) == (actor, ordinal))
        else {
            return false;
        };
        let mut after = None;
        let _ = self.product.successors(self.now(), &mut Vec::new(), |t| {
            if (t.actor, t.ordinal) == (actor, ordinal) {
                after = Some(*t.after);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        self.states.push(after.expect("it is enabled"));
        self.trace.push(chosen.step);
        self.violated.push(chosen.violates);
        true
    }

    /// Takes the last step back; `false` if there is none.
    pub fn undo(&mut self) -> bool {
        if self.trace.pop().is_none() {
            return false;
        }
        self.states.pop();
        self.violated.pop();
        true
    }

    /// Whether every process has returned or does not exist.
    pub fn finished(&self) -> bool {
        (0..self.product.processes()).all(|i| self.product.returned(self.now(), i))
    }

    /// The processes that have not returned and cannot step.
    pub fn asleep(&self) -> Vec<usize> {
        let enabled = self.enabled();
        (0..self.product.processes())
            .filter(|&i| !self.product.returned(self.now(), i))
            .filter(|&i| enabled.iter().all(|e| e.step.actor != i))
            .collect()
    }

    /// What can still go wrong from here.
    ///
    /// # Errors
    /// A state that does not fit the explorer.
    pub fn ahead(&self, options: &Options<'_>) -> Result<Ahead, Unexplorable> {
        ahead(self.model, self.now(), &Property::ALL, options)
    }

    /// The run so far, told; with what its last step violated, if it did.
    pub fn story(&self) -> Story {
        let last = self.violated.last().and_then(|v| v.first());
        let violates = last.map(|p| story::Violated {
            property: p.name().to_owned(),
            statement: p.statement().to_owned(),
        });
        Story::tell(self.model, &self.trace, violates).expect("every step was just taken")
    }
}
