//! A family, tabulated, and what can be decided with that.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::backward::{self, Backward, Closure};
use super::build::{Guide, Scope};
use super::family::Family;
use super::forward;
use super::invariant::{self, Invariant};
use super::question::{Bounds, Minimal, Outcome, Proof, Question, Sizes, Undecided};
use super::table::{EXHAUSTED, Letter, NO_SLOT, Table};
use super::views::Views;
use crate::ask::{Monitor, Options};
use crate::system::{Kind, Local, System};

/// A family in which nobody is tagged: what does not depend on what anybody remembers.
struct Nobody {
    anonymous: Table,
    views: Views,
}

/// A family, tabulated.
pub struct Setup<'f, 'a, S: System, M> {
    family: &'f Family<'a, S>,
    question: &'f Question<M>,
    nobody: Arc<Nobody>,
    guided: Table,
    possible: u64,
    whole: OnceCell<(Table, Views)>,
}

impl<'f, 'a, S: System, M: Monitor<S::Label>> Setup<'f, 'a, S, M> {
    /// Tabulates `family`.
    ///
    /// # Errors
    /// A limit of `options`, or more anonymous local states than the table holds.
    pub fn new(
        family: &'f Family<'a, S>,
        question: &'f Question<M>,
        options: &Options<'_>,
    ) -> Result<Self, Undecided> {
        let bounds = Bounds::new(options);
        let anonymous = Table::new(family, question, Scope::Anonymous, &bounds)?;
        let views = Views::new(&anonymous, &bounds)?;
        Self::beside(Arc::new(Nobody { anonymous, views }), family, question, &bounds)
    }

    /// Tabulates a family that is this one but for what processes remember, and of which the same is asked but for
    /// what reads that: what nobody's history is needed for is not done again.
    ///
    /// # Errors
    /// As [`Setup::new`].
    ///
    /// # Panics
    /// If [anonymous](System::anonymous) processes of the two families are not the same.
    pub fn remembering<'g, 'b, T: System, N: Monitor<T::Label>>(
        &self,
        family: &'g Family<'b, T>,
        question: &'g Question<N>,
        options: &Options<'_>,
    ) -> Result<Setup<'g, 'b, T, N>, Undecided> {
        Setup::beside(Arc::clone(&self.nobody), family, question, &Bounds::new(options))
    }

    fn beside(
        nobody: Arc<Nobody>,
        family: &'f Family<'a, S>,
        question: &'f Question<M>,
        bounds: &Bounds<'_>,
    ) -> Result<Self, Undecided> {
        let guide = Guide { table: &nobody.anonymous, views: &nobody.views };
        let guided = Table::new(family, question, Scope::Guided(guide), bounds)?;
        let possible = guided.bad.iter().copied().chain(guided.bad_letters.iter().map(|b| b.2));
        let possible = possible.fold(0, |all, bad| all | bad);
        Ok(Self { family, question, nobody, guided, possible, whole: OnceCell::new() })
    }

    /// How large the forward over-approximation is.
    pub fn sizes(&self) -> Sizes {
        let Nobody { anonymous, views } = &*self.nobody;
        Sizes {
            anonymous_controls: (0..anonymous.controls.len() as u32)
                .filter(|c| views.reached(*c))
                .count(),
            letters: anonymous.letters.len(),
            views: views.count(),
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
        let (bounds, slots) = (Bounds::new(options), self.family.slots.len());
        let Nobody { anonymous, views } = &*self.nobody;
        invariant::invariant(anonymous, views, &self.guided, slots, &bounds)
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

    fn whole(&self, bounds: &Bounds<'_>) -> Result<&(Table, Views), Undecided> {
        if self.whole.get().is_none() {
            let table = Table::new(self.family, self.question, Scope::Whole, bounds)?;
            let views = Views::new(&table, bounds)?;
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
        let bounds = Bounds::new(options);
        let (table, views) = self.whole(&bounds)?;
        let backward = Backward::new(table, with_views.then_some(views));
        if self.lacks_place()
            && let Closure::Initial { .. } = backward.close(0, &bounds)?
        {
            return Err(Undecided::NoPlace);
        }
        match backward.close(properties, &bounds)? {
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
        let (table, _) = self.whole(&Bounds::new(&options)).ok()?;
        let initial: Vec<forward::Configuration> = (0..table.initials as u32)
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
        let reached = forward::reachable(table, &initial, most)?;
        let minimal = |(control, letters): &forward::Configuration| {
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
