//! What a proof is about, and what comes of it.

use crate::ask::{Budget, Clock, End, Limits, Options, Progress};
use crate::system::{Kind, Local, Shared};

/// What a proof is about. Properties are numbered from 0 to 62, and speak of single steps.
#[derive(Clone, Copy, Debug)]
pub struct Question<M> {
    /// Which steps violate them.
    pub monitor: M,
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
pub(crate) struct Bounds<'o> {
    clock: Clock<'o>,
    budget: Budget,
    states: Option<u64>,
}

impl<'o> Bounds<'o> {
    pub fn new(options: &'o Options<'o>) -> Self {
        let Limits { states, bytes, .. } = options.limits;
        Self { clock: Clock::new(options), budget: Budget::new(bytes), states }
    }

    /// `held`: control states or elements so far.
    pub fn check(&self, held: usize) -> Result<(), Undecided> {
        let full =
            || self.states.is_some_and(|most| held as u64 > most).then_some(End::StatesLimit);
        let progress = || Progress { states: held as u64, ..Progress::default() };
        match self.clock.out_of_budget(&self.budget, progress).or_else(full) {
            Some(end) => Err(Undecided::Budget(end)),
            None => Ok(()),
        }
    }

    /// Takes memory before it is used.
    pub fn take(&self, bytes: usize) -> Result<(), Undecided> {
        self.budget.take(bytes).map_err(|full| Undecided::Budget(full.into()))
    }

    /// Takes note of what `noted` bytes were known of.
    pub fn note_again(&self, noted: &mut usize, bytes: usize) {
        self.budget.note_again(noted, bytes);
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
    /// The local states in the slots, in the order of [`Family::slots`](super::Family::slots); that of the tagged process
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
