//! Safety for any number of processes.
//!
//! A [`Family`] is a system with any number of interchangeable processes of some kinds. What each
//! of them may do depends on the shared state and its own local state only, so more processes can do
//! whatever fewer can: the family is a well-structured transition system, and it is decidable
//! whether any number of processes can violate a property of single transitions.
//!
//! [`Setup::new`] over-approximates once, for all properties, what can be reached, without history
//! (`table`, `views`); with that as a guide it follows the history of one tagged process.
//! [`Setup::possibly_violated`] says what this forward method cannot exclude; for what it does
//! exclude, [`Setup::invariant`] gives an [`Invariant`] that can be checked without any of this.
//! [`Setup::prove`] closes the set of bad configurations backward (`backward`), which decides in any
//! case: it finds a [`Proof`], or that some number of processes may violate the property, which
//! counts only when [`smallest`] has found the violation with the ordinary explorer.
//!
//! Nothing is over-approximated in the verdict: histories are forgotten only of processes of whom no
//! property speaks, and a wake-up of all sleepers is a broadcast.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Instant;

mod backward;
mod counted;
mod family;
mod invariant;
mod smallest;
mod table;
mod views;

pub use family::{Crowd, Family, MAX_SLOTS, Member, NoFamily};
pub use invariant::{Excluded, Invariant, Tagged};
pub use smallest::{Smallest, smallest};

use backward::{Backward, Closure};
use table::{EXHAUSTED, Guide, Letter, NO_SLOT, Scope, Table};
use views::Views;

use crate::limits::{End, Options};
use crate::system::{Kind, Local, Shared, System};
use crate::watch::Watch;

/// What a proof is about. Properties are numbered from 0 to 62, and speak of single steps.
#[derive(Clone, Copy, Debug)]
pub struct Question<W> {
    /// Which steps violate them.
    pub watch: W,
    /// The properties that do not read the history of the process that steps: only these are asked
    /// about processes of forgetful kinds.
    pub without_history: u64,
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
    /// one, and all of them are running; or one whose history counts, by one whose does not. Or nobody
    /// may be left whose history counts, beside whom others are judged: they end by others' steps.
    #[error(
        "a process may be spawned for which there is no place, or all whose history counts may end by \
         the steps of others"
    )]
    NoPlace,
    /// The bad configurations can be reached backward, and no member of the family up to the limit
    /// violates the property.
    #[error(
        "an initial configuration with {0} anonymous processes may lead to a violation, and none was \
         found"
    )]
    NotConfirmed(usize),
}

/// How far a proof may go.
pub(crate) struct Budget<'o> {
    started: Instant,
    options: &'o Options<'o>,
}

impl<'o> Budget<'o> {
    fn new(options: &'o Options<'o>) -> Self {
        Self { started: Instant::now(), options }
    }

    /// `held`: control states or elements so far.
    fn check(&self, held: usize) -> Result<(), Undecided> {
        let limits = &self.options.limits;
        if self.options.interrupt.is_some_and(|i| i.load(Ordering::Relaxed)) {
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

/// How large an inductive over-approximation of the reachable configurations is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Control states in which nobody is tagged.
    pub anonymous_controls: usize,
    /// Anonymous local states.
    pub letters: usize,
    /// Views: control states in which nobody is tagged, with at most two anonymous local states
    /// beside them.
    pub views: u64,
    /// Control states with a tagged process and its history.
    pub controls: usize,
}

/// A configuration, or a minimal element: every configuration with this control state, these
/// anonymous processes and any others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minimal {
    /// The shared state.
    pub shared: Shared,
    /// The kind of the tagged process.
    pub tag_kind: Kind,
    /// Its slot, if it has one.
    pub tag_slot: Option<u8>,
    /// Its local state.
    pub tag: Local,
    /// The local states in the slots, in the order of [`Family::slots`]; that of the tagged process
    /// is left at 0.
    pub slots: Vec<Local>,
    /// Anonymous processes, in ascending order.
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
    /// The tagged process with so many anonymous ones may violate one of them.
    Reaches {
        /// How many.
        others: usize,
    },
}

/// A family, tabulated.
pub struct Setup<'f, 'a, S: System, W> {
    family: &'f Family<'a, S>,
    question: &'f Question<W>,
    anonymous: Table,
    views: Views,
    guided: Table,
    possible: u64,
    whole: OnceCell<(Table, Views)>,
}

impl<'f, 'a, S: System, W: Watch<S::Label>> Setup<'f, 'a, S, W> {
    /// Tabulates `family`.
    ///
    /// # Errors
    /// A limit of `options`, or more anonymous local states than the table holds.
    pub fn new(
        family: &'f Family<'a, S>,
        question: &'f Question<W>,
        options: &Options<'_>,
    ) -> Result<Self, Undecided> {
        let budget = Budget::new(options);
        let anonymous = Table::new(family, question, Scope::Anonymous, &budget)?;
        let views = Views::new(&anonymous, &budget)?;
        let guide = Guide { table: &anonymous, views: &views };
        let guided = Table::new(family, question, Scope::Guided(guide), &budget)?;
        let possible = guided.bad.iter().copied().chain(guided.bad_letters.iter().map(|b| b.2));
        let possible = possible.fold(0, |all, bad| all | bad);
        Ok(Self { family, question, anonymous, views, guided, possible, whole: OnceCell::new() })
    }

    /// How large the forward over-approximation is.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            anonymous_controls: (0..self.anonymous.controls.len() as u32)
                .filter(|c| self.views.reached(*c))
                .count(),
            letters: self.anonymous.letters.len(),
            views: self.views.count(),
            controls: self.guided.controls.len(),
        }
    }

    /// The properties that the forward over-approximation does not exclude. All others hold for any
    /// number of processes, if not [`Setup::lacks_place`].
    pub fn possibly_violated(&self) -> u64 {
        self.possible & !(1 << EXHAUSTED)
    }

    /// Whether the forward over-approximation does not exclude that a process is spawned for whom the
    /// family has no place, or that nobody is left to be tagged ([`Undecided::NoPlace`]).
    pub fn lacks_place(&self) -> bool {
        self.possible >> EXHAUSTED & 1 != 0
    }

    /// An invariant that excludes every violation of the properties that are not
    /// [possibly violated](Setup::possibly_violated).
    ///
    /// # Errors
    /// A limit of `options`.
    pub fn invariant(&self, options: &Options<'_>) -> Result<Invariant, Undecided> {
        let (budget, slots) = (Budget::new(options), self.family.slots.len());
        invariant::invariant(&self.anonymous, &self.views, &self.guided, slots, &budget)
    }

    /// Decides whether any number of processes can violate one of `properties`.
    ///
    /// # Errors
    /// A limit of `options`, an element that is too large, or a spawned process without a place.
    pub fn prove(&self, properties: u64, options: &Options<'_>) -> Result<Outcome, Undecided> {
        self.prove_with(true, properties, options)
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
        self.prove_with(false, properties, options)
    }

    fn whole(&self, budget: &Budget<'_>) -> Result<&(Table, Views), Undecided> {
        if self.whole.get().is_none() {
            let table = Table::new(self.family, self.question, Scope::Whole, budget)?;
            let views = Views::new(&table, budget)?;
            let _ = self.whole.set((table, views));
        }
        Ok(self.whole.get().expect("it was set"))
    }

    fn prove_with(
        &self,
        with_views: bool,
        properties: u64,
        options: &Options<'_>,
    ) -> Result<Outcome, Undecided> {
        let budget = Budget::new(options);
        let (table, views) = self.whole(&budget)?;
        let backward = Backward::new(table, with_views.then_some(views));
        if self.lacks_place()
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
                    basis.extend(letters.map(|letters| self.minimal(table, control, letters)));
                }
                basis.sort_unstable();
                Ok(Outcome::Holds(Proof { basis }))
            }
        }
    }

    /// Every configuration that is reached with so many processes beside the tagged one of each kind
    /// that is there from the beginning (one more of the kinds that the tagged one is not of), while
    /// the tagged one lives; explored forward one by one. `None` beyond `most` configurations, and
    /// where the table cannot be filled.
    pub fn configurations(&self, others: usize, most: usize) -> Option<BTreeSet<Minimal>> {
        let options = Options::default();
        let (table, _) = self.whole(&Budget::new(&options)).ok()?;
        let initial: Vec<counted::Configuration> = (0..table.initials as u32)
            .map(|control| {
                let tag = table.controls[control as usize].tag;
                let mut letters: Vec<Letter> = Vec::new();
                for letter in table.initial.iter() {
                    let same =
                        tag.slot == NO_SLOT && tag.kind == table.letters[usize::from(letter)].0;
                    letters.extend(std::iter::repeat_n(letter, others + usize::from(!same)));
                }
                (control, letters)
            })
            .collect();
        let reached = counted::reachable(table, &initial, most)?;
        let minimal = |(control, letters): &counted::Configuration| {
            self.minimal(table, *control as usize, letters)
        };
        Some(reached.iter().map(minimal).collect())
    }

    fn minimal(&self, table: &Table, control: usize, letters: &[Letter]) -> Minimal {
        let control = &table.controls[control];
        let mut others: Vec<(Kind, Local)> =
            letters.iter().map(|l| table.letters[usize::from(*l)]).collect();
        others.sort_unstable();
        Minimal {
            shared: table.shared[control.shared as usize],
            tag_kind: control.tag.kind,
            tag_slot: Some(control.tag.slot).filter(|slot| *slot != NO_SLOT),
            tag: control.tag.local,
            slots: control.slots[..self.family.slots.len()].to_vec(),
            others,
        }
    }
}
