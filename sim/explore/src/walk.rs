//! Random walks: sampling, for systems that are too large for anything else.
//!
//! - Papers: C. H. West, 'Protocol validation by random state exploration', 1986; the schedules by
//!   priorities are S. Burckhardt, P. Kothari, M. Musuvathi and S. Nagarakatte, 'A randomized scheduler
//!   with probabilistic guarantees of finding bugs', 2010 (PCT).
//! - Decides: nothing but that there is a violation. Walks that find none are no verdict.
//! - Needs: nothing; there is no limit on processes.
//! - Costs: for each step a look-up of what a process can do, which the system is asked once for each kind,
//!   shared and local state, and a look at every process. A [`Walker`] keeps what it was told from walk to walk.
//!
//! Each walk has a seed of its own, made of the campaign's and of the walk's number: walk 17 is the same
//! walk whoever takes it, so a campaign can be split over machines by number, and what is found comes
//! out the same however it was split.

use std::collections::HashMap;
use std::ops::Range;

use fastrand::Rng;
use foldhash::fast::FixedState;

use crate::ask::Monitor;
use crate::system::concrete::State;
use crate::system::successor::{how_many, is_at_rest, is_dormant, remembered, take};
use crate::system::{Choice, Kind, Local, PoolExhausted, Shared, Step, System, TraceStep};

/// How the next process is chosen. Of its alternatives, each is as likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Each process that has a step is as likely.
    Random,
    /// The process with the highest priority that has a step; at `depth` - 1 of the first `steps`
    /// steps, drawn beforehand, the running one gets the lowest. An ordering that needs `depth`
    /// constraints is met by a walk with a probability of at least 1 / (n * steps ^ (depth - 1)), for
    /// n processes.
    Pct {
        /// Ordering constraints, at least 1.
        depth: u32,
        /// About how many steps a walk has.
        steps: u32,
    },
}

/// A walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// How the next process is chosen.
    pub schedule: Schedule,
    /// The campaign's seed.
    pub seed: u64,
    /// Which walk of the campaign, from 0.
    pub number: u64,
    /// Most steps.
    pub longest: u32,
}

/// What a walk came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked<Label> {
    /// The properties violated on the way, one bit each.
    pub violated: u64,
    /// Every step.
    pub trace: Vec<TraceStep<Label>>,
    /// By property: how many steps had been taken when it was first violated, the violating one
    /// included.
    pub first: [Option<u32>; 64],
    /// No process has a step, and some have not returned. (A step of a time-out or a kill is a step.)
    pub stuck: bool,
    /// The walk was cut at its longest.
    pub cut: bool,
}

impl<Label> Walked<Label> {
    /// Nothing yet.
    fn new() -> Self {
        Self { violated: 0, trace: Vec::new(), first: [None; 64], stuck: false, cut: false }
    }

    /// Takes note of what is violated after as many steps as there are.
    fn take(&mut self, violated: u64) {
        let mut new = violated & !self.violated;
        self.violated |= new;
        while new != 0 {
            self.first[new.trailing_zeros() as usize] = Some(self.trace.len() as u32);
            new &= new - 1;
        }
    }
}

/// The seed of a walk (the finaliser of splitmix64: G. Steele, D. Lea and C. Flood, 'Fast splittable
/// pseudorandom number generators', 2014).
#[must_use]
pub fn seed_of(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add((number.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// In which order processes are asked for a step.
enum Order {
    Random,
    Pct {
        /// The highest first.
        priorities: Vec<usize>,
        /// Steps at which the running process is put last.
        changes: Vec<u32>,
    },
}

impl Order {
    fn new(schedule: Schedule, processes: usize, rng: &mut Rng) -> Self {
        match schedule {
            Schedule::Random => Self::Random,
            Schedule::Pct { depth, steps } => {
                let mut priorities: Vec<usize> = (0..processes).collect();
                rng.shuffle(&mut priorities);
                let changes = (1..depth).map(|_| rng.u32(0..steps.max(1))).collect();
                Self::Pct { priorities, changes }
            }
        }
    }

    /// Writes the processes, in the order in which they are asked.
    fn write(&self, processes: usize, rng: &mut Rng, into: &mut Vec<usize>) {
        into.clear();
        match self {
            Self::Random => {
                into.extend(0..processes);
                rng.shuffle(into);
            }
            Self::Pct { priorities, .. } => into.extend(priorities),
        }
    }

    fn took(&mut self, actor: usize, step: u32) {
        if let Self::Pct { priorities, changes } = self
            && changes.contains(&step)
        {
            priorities.retain(|process| *process != actor);
            priorities.push(actor);
        }
    }
}

/// A step, and the properties of single steps that it violates.
struct Way<Label> {
    step: Step<Label>,
    violated: u64,
}

/// Kinds with a shared and a local state of which the ways are kept: some 200 bytes each.
const MOST: usize = 1 << 16;

/// What processes can do, as far as it was asked.
struct Known<Label> {
    /// Whose ways are where.
    places: HashMap<(Kind, Shared, Local), Range<u32>, FixedState>,
    ways: Vec<Way<Label>>,
    most: usize,
    scratch: Vec<Choice<Label>>,
}

impl<Label: Clone> Known<Label> {
    fn new(most: usize) -> Self {
        let places = HashMap::with_hasher(FixedState::with_seed(0));
        Self { places, ways: Vec::new(), most, scratch: Vec::new() }
    }

    /// Where the ways are of a process that is not dormant.
    fn place<S: System<Label = Label>, M: Monitor<Label>>(
        &mut self,
        (system, monitor): (&S, &M),
        kind: Kind,
        shared: Shared,
        local: Local,
    ) -> Range<usize> {
        let known = self.places.get(&(kind, shared, local)).cloned();
        let place = known.unwrap_or_else(|| {
            if self.places.len() >= self.most {
                // Begun anew: what was kept says nothing that the system would not say again.
                self.places.clear();
                self.ways.clear();
            }
            self.scratch.clear();
            system.step(kind, shared, local, &mut self.scratch);
            let first = self.ways.len() as u32;
            self.ways.extend(self.scratch.iter().map(|choice| {
                let own = remembered(system, kind, (shared, choice.shared), choice.local);
                let step = Step::of(kind, (shared, local), choice, own);
                Way { violated: monitor.step_violates(&step), step }
            }));
            let place = first..self.ways.len() as u32;
            self.places.insert((kind, shared, local), place.clone());
            place
        });
        place.start as usize..place.end as usize
    }
}

/// Takes walks of one system, one after the other. Which were taken before makes no difference to a walk.
pub struct Walker<'s, S: System, M> {
    system: &'s S,
    monitor: &'s M,
    initial: State,
    known: Known<S::Label>,
    /// Of the walk that is taken, so that none allocates what the one before has.
    state: State,
    asked: Vec<usize>,
    walked: Walked<S::Label>,
}

impl<'s, S: System, M: Monitor<S::Label>> Walker<'s, S, M> {
    /// Walks of `system`, on which `monitor` looks for violations.
    pub fn new(system: &'s S, monitor: &'s M) -> Self {
        Self::keeping(MOST, system, monitor)
    }

    /// The same; keeps what processes can do of at most so many kinds with a shared and a local state.
    pub fn keeping(most: usize, system: &'s S, monitor: &'s M) -> Self {
        let initial = State::initial(system);
        Self {
            system,
            monitor,
            state: initial.clone(),
            initial,
            known: Known::new(most),
            asked: Vec::new(),
            walked: Walked::new(),
        }
    }

    /// Takes a walk from the initial state until nobody has a step.
    ///
    /// # Errors
    /// A step wanted a dormant process and found none.
    pub fn walk(&mut self, walk: Walk) -> Result<&Walked<S::Label>, PoolExhausted> {
        let Self { system, monitor, initial, known, state, asked, walked } = self;
        let (system, monitor): (&S, &M) = (system, monitor);
        let mut rng = Rng::with_seed(seed_of(walk.seed, walk.number));
        state.clone_from(initial);
        let processes = state.processes.len();
        let mut order = Order::new(walk.schedule, processes, &mut rng);
        let mut trace = std::mem::take(&mut walked.trace);
        trace.clear();
        *walked = Walked { trace, ..Walked::new() };
        if M::ASKS.beyond_steps() {
            walked.take(monitor.state_violates(state.shared, state));
        }
        loop {
            let number = walked.trace.len() as u32;
            if number >= walk.longest {
                walked.cut = true;
                return Ok(walked);
            }
            order.write(processes, &mut rng, asked);
            let mut found = None;
            for &actor in &*asked {
                let (kind, local) = state.processes[actor];
                if is_dormant(system, kind, local) {
                    continue;
                }
                let place = known.place((system, monitor), kind, state.shared, local);
                let mut alternatives = 0;
                for way in &known.ways[place.clone()] {
                    alternatives += how_many(system, actor, &way.step, &state.processes)?;
                }
                if alternatives > 0 {
                    found = Some((actor, place, alternatives));
                    break;
                }
            }
            let Some((actor, place, alternatives)) = found else {
                let rests = |(kind, local): &(Kind, Local)| is_at_rest(system, *kind, *local);
                walked.stuck = !state.processes.iter().all(rests);
                return Ok(walked);
            };
            let ordinal = rng.usize(0..alternatives);
            let ways = &known.ways[place];
            // Which of the alternatives of which way that is.
            let (mut way, mut rest) = (&ways[0], ordinal);
            for next in ways {
                way = next;
                let many = how_many(system, actor, &way.step, &state.processes)?;
                if rest < many {
                    break;
                }
                rest -= many;
            }
            let before = M::ASKS.beyond_steps().then(|| state.clone());
            take(system, actor, &way.step, rest, &mut state.processes);
            state.shared = way.step.after;
            let mut violated = way.violated;
            if let Some(before) = before {
                violated |= monitor.state_violates(state.shared, state);
                violated |= monitor.counts_violate(&way.step, &before, state);
            }
            order.took(actor, number);
            let (ordinal, label) = (ordinal as u32, way.step.label.clone());
            walked.trace.push(TraceStep { actor, ordinal, label });
            walked.take(violated);
        }
    }
}

/// Takes one walk, as [`Walker::walk`] does.
///
/// # Errors
/// A step wanted a dormant process and found none.
pub fn walk<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    walk: Walk,
) -> Result<Walked<S::Label>, PoolExhausted> {
    Walker::new(system, monitor).walk(walk).cloned()
}
