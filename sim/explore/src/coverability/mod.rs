//! Safety for any number of processes.
//!
//! A [`Family`] is a system with any number of interchangeable processes of some kinds. What each
//! of them may do depends on the shared state and its own local state only, so more processes can do
//! whatever fewer can: the family is a well-structured transition system, and it is decidable
//! whether any number of processes can violate a property of single transitions.
//!
//! [`Setup::new`] tabulates the family once for all its properties (`table`) and over-approximates
//! forward what can be reached (`views`); [`Setup::prove`] closes the set of bad configurations
//! backward (`backward`). What it finds is a [`Proof`], which is checked without any of this; or that
//! some number of processes may violate the property, which counts only when [`smallest`] has found
//! the violation with the ordinary explorer.
//!
//! Nothing is over-approximated in the verdict: histories are forgotten only of processes of whom no
//! property speaks, and a wake-up of all sleepers is a broadcast.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

mod backward;
mod counted;
mod family;
mod smallest;
mod table;
mod views;

pub use family::{Crowd, Family, MAX_CROWDS, MAX_TRACKED, Member, NoFamily, Tracked};
pub use smallest::{Smallest, smallest};

use backward::{Backward, Closure};
use table::{Letter, Table};
use views::Views;

use crate::limits::{End, Options};
use crate::system::{Kind, Local, Shared, System, WayOut};

/// One step, without the processes that do not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<Label> {
    /// The kind of the process that steps.
    pub kind: Kind,
    /// The shared state before.
    pub before: Shared,
    /// The shared state after.
    pub after: Shared,
    /// The process's local state before.
    pub local_before: Local,
    /// The process's local state after its own step, before it observes that.
    pub local_after: Local,
    /// What the step is called.
    pub label: Label,
    /// Ordinary step or way out.
    pub way_out: WayOut,
}

/// What a proof is about. Properties are numbered from 0 to 62.
pub trait Watch<S: System> {
    /// The properties that this step violates, one bit each.
    fn violated(&self, step: &Step<S::Label>) -> u64;

    /// The properties that do not read the history of the process that steps. Only these are asked
    /// about processes that carry none.
    fn without_history(&self) -> u64 {
        0
    }
}

/// Why nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// A limit was met, or somebody interrupted.
    #[error("ended by a limit: {0:?}")]
    Budget(End),
    /// Too many anonymous local states.
    #[error("more anonymous local states than the table holds")]
    TooManyLetters,
    /// A minimal element of too many processes.
    #[error("a minimal configuration of more processes than an element holds")]
    TooManyTogether,
    /// A process may be spawned for whom the family has no place: of a kind that is followed one by
    /// one, and all of them are running, or whose history its parent does not know.
    #[error("a process may be spawned for which there is no place")]
    NoPlace,
    /// The bad configurations can be reached backward, and no member of the family up to the limit
    /// violates the property.
    #[error(
        "the backward search reaches an initial configuration with {0} anonymous processes, and no violation was found"
    )]
    NotConfirmed(usize),
}

/// How far a proof may go.
pub(crate) struct Budget<'o> {
    started: Instant,
    options: &'o Options<'o>,
    interrupt: Option<&'o AtomicBool>,
}

impl<'o> Budget<'o> {
    fn new(options: &'o Options<'o>) -> Self {
        Self { started: Instant::now(), options, interrupt: options.interrupt }
    }

    /// `held`: control states or elements so far.
    fn check(&self, held: usize) -> Result<(), Undecided> {
        let limits = &self.options.limits;
        if self.interrupt.is_some_and(|i| i.load(Ordering::Relaxed)) {
            Err(Undecided::Budget(End::Interrupted))
        } else if limits.time.is_some_and(|t| self.started.elapsed() >= t) {
            Err(Undecided::Budget(End::TimeLimit))
        } else if limits.states.is_some_and(|most| held as u64 > most) {
            Err(Undecided::Budget(End::StatesLimit))
        } else {
            Ok(())
        }
    }

    fn bytes(&self, wanted: u64) -> Result<(), Undecided> {
        if self.options.limits.bytes.is_some_and(|most| wanted > most) {
            Err(Undecided::Budget(End::MemoryLimit))
        } else {
            Ok(())
        }
    }
}

/// The sizes of what a proof was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Control states of the table.
    pub controls: usize,
    /// Anonymous local states.
    pub letters: usize,
    /// Rules that change the control state or others.
    pub rules: usize,
    /// Views of at most two anonymous processes that may be reachable.
    pub views: u64,
}

/// A minimal element: every configuration with this control state, these anonymous processes and
/// any others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minimal {
    /// The shared state.
    pub shared: Shared,
    /// The local states of the tracked processes, in the order of [`Family::tracked`].
    pub tracked: Vec<Local>,
    /// Anonymous processes.
    pub others: Vec<(Kind, Local)>,
}

/// That no number of processes violates the properties: the minimal elements of an upward-closed set
/// of configurations that contains each from which a violating step can be taken, contains no
/// initial one, and into which no step leads from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The minimal elements, in ascending order.
    pub basis: Vec<Minimal>,
}

/// What the backward search says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No number of processes violates any of the properties.
    Holds(Proof),
    /// The tagged processes with so many anonymous ones may violate one of them.
    Reaches {
        /// How many.
        others: usize,
    },
}

/// A family, tabulated.
pub struct Setup {
    table: Table,
    views: Views,
    tracked: usize,
}

impl Setup {
    /// Tabulates `family`.
    ///
    /// # Errors
    /// A limit of `options`, or more anonymous local states than the table holds.
    pub fn new<S: System, W: Watch<S>>(
        family: &Family<'_, S>,
        watch: &W,
        options: &Options<'_>,
    ) -> Result<Self, Undecided> {
        let budget = Budget::new(options);
        let table = Table::new(family, watch, &budget)?;
        let views = Views::new(&table, &budget)?;
        Ok(Self { table, views, tracked: family.tracked.len() })
    }

    /// How large the tables are.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            controls: self.table.controls.len(),
            letters: self.table.letters.len(),
            rules: self.table.rules.iter().map(Vec::len).sum::<usize>()
                + self.table.inner.iter().map(Vec::len).sum::<usize>(),
            views: self.views.count(),
        }
    }

    /// The properties that the forward over-approximation does not exclude.
    pub fn possibly_violated(&self) -> u64 {
        let reached = |control: u32| self.views.reached(control);
        let alone = self.table.bad.iter().enumerate().filter(|(c, _)| reached(*c as u32));
        let beside = (self.table.bad_letters.iter())
            .filter(|(c, letter, _)| reached(*c) && self.views.alone(*c, *letter));
        alone.map(|(_, bad)| *bad).chain(beside.map(|b| b.2)).fold(0, |all, bad| all | bad)
    }

    /// Decides whether any number of processes can violate one of `properties`.
    ///
    /// # Errors
    /// A limit of `options`, an element that is too large, or a spawned process without a place.
    pub fn prove(&self, properties: u64, options: &Options<'_>) -> Result<Outcome, Undecided> {
        self.prove_with(Some(&self.views), properties, options)
    }

    /// The same by the backward search alone, without the views: slower, with larger elements.
    ///
    /// # Errors
    /// As [`Setup::prove`].
    pub fn prove_backward_only(
        &self,
        properties: u64,
        options: &Options<'_>,
    ) -> Result<Outcome, Undecided> {
        self.prove_with(None, properties, options)
    }

    fn prove_with(
        &self,
        views: Option<&Views>,
        properties: u64,
        options: &Options<'_>,
    ) -> Result<Outcome, Undecided> {
        let budget = Budget::new(options);
        let backward = Backward::new(&self.table, views);
        if self.possibly_violated() >> table::EXHAUSTED & 1 != 0
            && let Closure::Initial { .. } = backward.close(0, &budget)?
        {
            return Err(Undecided::NoPlace);
        }
        match backward.close(properties, &budget)? {
            Closure::Initial { others } => Ok(Outcome::Reaches { others }),
            Closure::Closed(antichains) => {
                let mut basis = Vec::new();
                for (control, elements) in antichains.iter().enumerate() {
                    let letters = elements.iter().map(backward::Element::letters);
                    basis.extend(letters.map(|letters| self.minimal(control, letters)));
                }
                basis.sort_unstable();
                Ok(Outcome::Holds(Proof { basis }))
            }
        }
    }

    /// Every configuration that the tagged processes reach with exactly so many anonymous ones at
    /// first of each kind that is there from the beginning, explored forward one by one. `None`
    /// beyond `most` configurations.
    pub fn configurations(
        &self,
        others: usize,
        most: usize,
    ) -> Option<std::collections::BTreeSet<Minimal>> {
        let mut letters: Vec<Letter> = Vec::new();
        for letter in self.table.initial.iter() {
            letters.extend(std::iter::repeat_n(letter, others));
        }
        let reached = counted::reachable(&self.table, (0, letters), most)?;
        let minimal =
            |(control, letters): &counted::Configuration| self.minimal(*control as usize, letters);
        Some(reached.iter().map(minimal).collect())
    }

    fn minimal(&self, control: usize, letters: &[Letter]) -> Minimal {
        let control = &self.table.controls[control];
        let mut others: Vec<(Kind, Local)> =
            letters.iter().map(|l| self.table.letters[usize::from(*l)]).collect();
        others.sort_unstable();
        Minimal {
            shared: self.table.shared[control.shared as usize],
            tracked: control.tracked[..self.tracked].to_vec(),
            others,
        }
    }
}
