//! What every worker of a search shares about its states, and what each finds and counts.

use super::mix::Mix;
use super::packed::{Layout, Packed, Spare};
use crate::ask::{Options, Unexplorable};
use crate::system::{Configuration, Kind, MAX_PROCESSES, Product, Roster, System, fits};

/// What every worker of a search shares about its states, whatever the system is.
#[derive(Clone)]
pub(crate) struct Frame {
    pub roster: Roster,
    pub layout: Layout,
    pub symmetry: bool,
    /// Nobody sleeps.
    pub follow_all: bool,
    /// See [`crate::Options::steps_kept`].
    pub steps_kept: usize,
}

impl Frame {
    /// Where the sleep set of a stored state is.
    pub fn spare<const W: usize>(&self) -> Spare {
        Spare::of::<W>(&self.layout)
    }

    /// How states are mixed, without their sleep sets.
    pub fn mix(&self) -> Mix {
        Mix::new(self.layout.bits())
    }

    /// The state of which all that differ by exchanging processes are taken for one, and where each process
    /// is in it.
    pub fn canonical(&self, c: &Configuration) -> (Configuration, [u8; MAX_PROCESSES]) {
        let mut c = *c;
        let went = if self.symmetry {
            self.roster.canonicalize(&mut c)
        } else {
            std::array::from_fn(|i| i as u8)
        };
        (c, went)
    }

    /// That state, packed.
    pub fn packed<const W: usize>(&self, c: &Configuration) -> Packed<W> {
        self.layout.pack(&self.canonical(c).0)
    }

    /// The canonical form of a successor of a canonical state, and where the actor is in it, if the
    /// others closed up around it. `alone`: of the processes other than the actor nothing was changed.
    #[inline]
    pub fn sorted<const W: usize>(
        &self,
        layout: &Layout,
        actor: usize,
        mut after: Packed<W>,
        alone: bool,
    ) -> (Packed<W>, Option<usize>) {
        let roster = &self.roster;
        if !alone || !roster.contiguous() {
            return (self.sorted_anew(&after), None);
        }
        let local = layout.local(&after, actor);
        let mut to = actor;
        while roster.previous(to) != to && layout.local(&after, roster.previous(to)) > local {
            to = roster.previous(to);
        }
        if to == actor {
            while roster.next(to) != to && layout.local(&after, roster.next(to)) < local {
                to = roster.next(to);
            }
        }
        layout.reinsert(&mut after, actor, to, local);
        (after, Some(to))
    }

    /// The same, however much was changed.
    #[inline(never)]
    fn sorted_anew<const W: usize>(&self, after: &Packed<W>) -> Packed<W> {
        self.packed(&self.layout.unpack(after))
    }

    #[inline]
    pub fn kind(&self, i: usize) -> Kind {
        self.roster.kind(i)
    }
}

/// What a worker finds and counts while it expands.
pub(crate) struct Found<const W: usize> {
    pub transitions: u64,
    /// Of these, those that were followed.
    pub followed: u64,
    pub blocked_states: u64,
    /// The least state of the first level in which a step found no dormant process to start, and the
    /// kind; likewise the states in which each property was first violated.
    pub exhausted: Option<(Packed<W>, Kind)>,
    pub first: [Option<(u32, Packed<W>)>; 64],
    /// Properties of `first` that were violated on an earlier level than the present one.
    settled: u64,
    pub level: u32,
}

impl<const W: usize> Found<W> {
    pub fn new() -> Self {
        Self {
            transitions: 0,
            followed: 0,
            blocked_states: 0,
            exhausted: None,
            first: [None; 64],
            settled: 0,
            level: 0,
        }
    }

    /// The properties that were violated.
    pub fn violated(&self) -> u64 {
        (0..64).filter(|p| self.first[*p].is_some()).fold(0, |mask, p| mask | 1 << p)
    }

    /// Begins a level.
    pub fn enter(&mut self, level: u32) {
        self.settled = self.violated();
        self.level = level;
    }

    /// Adds what another worker found.
    pub fn add(&mut self, other: &Self) {
        self.transitions += other.transitions;
        self.followed += other.followed;
        self.blocked_states += other.blocked_states;
        self.exhausted = [self.exhausted, other.exhausted].into_iter().flatten().min();
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            *mine = [*mine, *theirs].into_iter().flatten().min();
        }
    }

    pub fn offer(&mut self, violated: u64, state: &Packed<W>) {
        let mut bits = violated & !self.settled;
        while bits != 0 {
            let slot = &mut self.first[bits.trailing_zeros() as usize];
            *slot = [*slot, Some((self.level, *state))].into_iter().flatten().min();
            bits &= bits - 1;
        }
    }
}

/// The product of the system, how its states are laid out, and the words of a packed one.
pub(crate) fn framed<'s, S: System>(
    system: &'s S,
    options: &Options<'_>,
) -> Result<(Product<'s, S>, Frame, usize), Unexplorable> {
    let product = Product::new(system).ok_or_else(|| Unexplorable::too_many(system))?;
    let layout = Layout::new(system.shared_bits(), system.local_bits(), product.processes());
    let (shared, local) = (layout.shared_bits, layout.local_bits);
    if shared > 128 || local > 64 {
        return Err(Unexplorable::WordTooWide { shared, local });
    }
    let initial = product.initial();
    if !fits(initial.shared, shared) || !initial.locals.iter().all(|l| fits(u128::from(*l), local))
    {
        return Err(Unexplorable::InitialOutOfBits);
    }
    let words = layout.words().ok_or(Unexplorable::TooWide(layout.bits()))?;
    let frame = Frame {
        roster: product.roster().clone(),
        layout,
        symmetry: options.symmetry,
        follow_all: options.follow_all,
        steps_kept: options.steps_kept,
    };
    Ok((product, frame, words))
}
