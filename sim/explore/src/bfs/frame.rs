//! What every worker of a search shares about the system, and what each finds and counts.

use super::packed::{Layout, Packed, Spare};
use crate::ask::{Options, Unexplorable};
use crate::system::{Configuration, Kind, Product, System, fits};

/// What every worker of a search shares about the system.
pub(crate) struct Frame<'a, S: System> {
    pub product: Product<'a, S>,
    pub layout: Layout,
    pub symmetry: bool,
    /// Nobody sleeps.
    pub follow_all: bool,
    /// See [`crate::Options::steps_kept`].
    pub steps_kept: usize,
}

impl<S: System> Frame<'_, S> {
    /// Where the sleep set of a stored state is.
    pub fn spare<const W: usize>(&self) -> Spare {
        Spare::of::<W>(&self.layout)
    }

    /// The packed state of which all that differ by exchanging processes are taken for one.
    pub fn canonical<const W: usize>(&self, c: &Configuration) -> Packed<W> {
        let mut c = *c;
        if self.symmetry {
            self.product.canonicalize(&mut c);
        }
        self.layout.pack(&c)
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
        let product = &self.product;
        if !alone || !product.contiguous() {
            return (self.sorted_anew(&after), None);
        }
        let local = layout.local(&after, actor);
        let mut to = actor;
        while product.previous(to) != to && layout.local(&after, product.previous(to)) > local {
            to = product.previous(to);
        }
        if to == actor {
            while product.next(to) != to && layout.local(&after, product.next(to)) < local {
                to = product.next(to);
            }
        }
        layout.reinsert(&mut after, actor, to, local);
        (after, Some(to))
    }

    /// The same, however much was changed.
    #[inline(never)]
    fn sorted_anew<const W: usize>(&self, after: &Packed<W>) -> Packed<W> {
        self.canonical(&self.layout.unpack(after))
    }

    #[inline]
    pub fn kind(&self, i: usize) -> Kind {
        self.product.kind_of(i)
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

/// The system laid out, and the words of a packed state.
pub(crate) fn framed<'s, S: System>(
    system: &'s S,
    options: &Options<'_>,
) -> Result<(Frame<'s, S>, usize), Unexplorable> {
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
        product,
        layout,
        symmetry: options.symmetry,
        follow_all: options.follow_all,
        steps_kept: options.steps_kept,
    };
    Ok((frame, words))
}
