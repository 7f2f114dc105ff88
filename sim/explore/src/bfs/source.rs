//! What a search asks of a system and a monitor: expanders, one for each worker, and a few rare questions.
//! All else is compiled once for each width of packed states, not once more for each system and each monitor;
//! it is called for thousands of states at a time.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use super::frame::{Found, Frame, framed};
use super::mix::Mix;
use super::packed::{Packed, Spare};
use super::recent::Recent;
use super::visited::{SHARDS, shard_of};
use crate::ask::{Monitor, Options, Tally, Unexplorable};
use crate::system::{Configuration, Fault, Product, System, WayOut};

/// Expands states, for one worker.
pub(crate) trait Expand<const W: usize>: Send {
    /// Expands stored states. `sink` is given each successor, canonical if symmetry is on, with its sleep set;
    /// equal ones as often as there are; not those that the processes lead to that are asleep, unless by
    /// special steps. And it is given the states in which processes are blocked of which it was not seen at
    /// once that they can run again by ordinary steps.
    fn expand(&mut self, stored: &[Packed<W>], sink: &mut Sink<'_, W>);

    /// What was found and counted.
    fn found(&mut self) -> &mut Found<W>;

    /// The least promise that the system was seen to break.
    fn fault(&self) -> Option<Fault>;

    /// Whether there were any time-outs and kills.
    fn way_outs(&self) -> bool;

    /// Bytes held.
    fn bytes(&self) -> usize;

    /// Tells the monitor of the steps taken since the last time, and adds what it has counted to the sums of
    /// all workers.
    fn settle(&mut self);

    /// From now on it is for the way back, with what it has learned.
    fn turn_back(&mut self);
}

/// What expanders are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To find every state, and to judge every transition.
    Search,
    /// To find again from where a state was reached: along all transitions, whoever slept. Nothing is judged, and
    /// nobody asks who is blocked.
    WayBack,
}

/// The same, whatever states are packed into: what takes this is compiled here, once.
pub(crate) trait AnyWidth: Source<1> + Source<2> + Source<4> + Source<8> {}

impl<A: Source<1> + Source<2> + Source<4> + Source<8>> AnyWidth for A {}

/// A process that steps: its number, whether its step was a way out, and the state after it.
pub(crate) type Went<'a> = (usize, WayOut, &'a Configuration);

/// A system, and what is asked of it.
pub(crate) trait Source<const W: usize>: Sync {
    /// How its states are laid out.
    fn frame(&self) -> &Frame;

    /// Another expander.
    fn expander(&self, purpose: Purpose) -> Box<dyn Expand<W> + '_>;

    /// The properties that are violated before any step.
    fn initially(&self) -> u64;

    /// Visits the transitions of a whole state.
    fn transitions(
        &self,
        before: &Configuration,
        visit: &mut dyn FnMut(Went<'_>) -> ControlFlow<()>,
    );
}

/// Where an expander puts what it finds.
pub(crate) enum Sink<'s, const W: usize> {
    /// Successors, but for those that were found just now, by shard, with their sleep sets; and states with
    /// those blocked in them.
    Outbox {
        mix: Mix,
        spare: Spare,
        recent: &'s mut Recent<W>,
        lists: &'s mut [Vec<Packed<W>>; SHARDS],
        unresolved: &'s mut Vec<(Packed<W>, u16)>,
    },
    /// Told of each by a call.
    Told(&'s mut dyn Visit<W>),
}

/// One of 64 bits for a shared state, so that few of them are told from almost all others.
#[inline]
pub(crate) fn shared_bit(shared: u128) -> u64 {
    let mixed = (shared as u64 ^ (shared >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    1 << (mixed >> 58)
}

/// Who is told of each successor.
pub(crate) trait Visit<const W: usize> {
    /// A state, and a successor with its sleep set.
    fn visit(&mut self, state: &Packed<W>, after: Packed<W>, in_sleep_set: u16);

    /// Of which shared states it wants to be told, by [`shared_bit`]: a set that may have more.
    fn sought(&self) -> u64 {
        u64::MAX
    }

    /// A state, and those blocked in it.
    fn left(&mut self, _state: Packed<W>, _blocked: u16) {}
}

impl<const W: usize> Sink<'_, W> {
    #[inline(always)]
    pub fn visit(&mut self, state: &Packed<W>, after: Packed<W>, in_sleep_set: u16) {
        match self {
            Self::Outbox { mix, spare, recent, lists, .. } => {
                let hash = mix.of_state(&after);
                if recent.is_new(&after, hash) {
                    lists[shard_of(hash)].push(spare.join(after, in_sleep_set));
                }
            }
            Self::Told(who) => who.visit(state, after, in_sleep_set),
        }
    }

    pub fn sought(&self) -> u64 {
        match self {
            Self::Outbox { .. } => u64::MAX,
            Self::Told(who) => who.sought(),
        }
    }

    pub fn left(&mut self, state: Packed<W>, blocked: u16) {
        match self {
            Self::Outbox { unresolved, .. } => unresolved.push((state, blocked)),
            Self::Told(who) => who.left(state, blocked),
        }
    }
}

/// A system and a monitor.
pub(crate) struct Asked<'a, S: System, M: Monitor<S::Label>> {
    pub product: Product<'a, S>,
    pub monitor: &'a M,
    pub frame: Frame,
    /// What the monitor has counted, of all expanders that have settled.
    counted: Mutex<M::Tally>,
}

impl<'a, S: System, M: Monitor<S::Label>> Asked<'a, S, M> {
    /// And the words of a packed state.
    pub fn new(
        system: &'a S,
        monitor: &'a M,
        options: &Options<'_>,
    ) -> Result<(Self, usize), Unexplorable> {
        let (product, frame, words) = framed(system, options)?;
        let counted = Mutex::default();
        Ok((Self { product, monitor, frame, counted }, words))
    }

    /// Adds to what the monitor has counted.
    pub fn add(&self, counted: M::Tally) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).add(counted);
    }

    /// What the monitor has counted, of all expanders that have settled.
    pub fn counted(self) -> M::Tally {
        self.counted.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked, and what has been counted of it.
#[cfg(any(feature = "checkpoint", feature = "distributed"))]
pub(crate) type Of<'a, const W: usize> = (&'a dyn Source<W>, &'a dyn Counted);

/// What a monitor has counted, as what is kept or sent.
#[cfg(any(feature = "checkpoint", feature = "distributed"))]
pub(crate) trait Counted: Sync {
    fn encoded(&self) -> Result<Vec<u8>, postcard::Error>;

    /// Adds what was counted elsewhere.
    fn add_encoded(&self, counted: &[u8]) -> Result<(), postcard::Error>;
}

#[cfg(any(feature = "checkpoint", feature = "distributed"))]
impl<S: System, M: Monitor<S::Label>> Counted for Asked<'_, S, M>
where
    M::Tally: serde::Serialize + serde::de::DeserializeOwned,
{
    fn encoded(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(&*self.counted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add_encoded(&self, counted: &[u8]) -> Result<(), postcard::Error> {
        self.add(postcard::from_bytes(counted)?);
        Ok(())
    }
}
