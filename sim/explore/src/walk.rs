//! Random walks: sampling, for systems that are too large for anything else.
//!
//! - Papers: C. H. West, 'Protocol validation by random state exploration', 1986; the schedules by
//!   priorities are S. Burckhardt, P. Kothari, M. Musuvathi and S. Nagarakatte, 'A randomized scheduler
//!   with probabilistic guarantees of finding bugs', 2010 (PCT).
//! - Decides: nothing but that there is a violation. Walks that find none are no verdict.
//! - Needs: nothing; there is no limit on processes.
//! - Costs: for each step what the steps of one process cost, as [`crate::concrete`] takes them.
//!
//! Each walk has a seed of its own, made of the campaign's and of the walk's number: walk 17 is the same
//! walk whoever takes it, so a campaign can be split over machines by number, and what is found comes
//! out the same however it was split.

use std::ops::ControlFlow;

use fastrand::Rng;

use crate::ask::{Monitor, violated_by_counts};
use crate::system::concrete::{State, transitions_of_one};
use crate::system::successor::is_at_rest;
use crate::system::{PoolExhausted, Step, System, TraceStep};

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
    /// Takes note of what is violated after as many steps as there are.
    fn take(&mut self, violated: u64) {
        for property in 0..64 {
            if violated >> property & 1 != 0 {
                self.first[property].get_or_insert(self.trace.len() as u32);
            }
        }
        self.violated |= violated;
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

/// Where a step leads, and which it is.
type Alternative<Label> = (State, TraceStep<Label>, Step<Label>);

/// Takes a walk from the initial state until nobody has a step.
///
/// # Errors
/// A step wanted a dormant process and found none.
pub fn walk<S: System, M: Monitor<S::Label>>(
    system: &S,
    monitor: &M,
    walk: Walk,
) -> Result<Walked<S::Label>, PoolExhausted> {
    let mut rng = Rng::with_seed(seed_of(walk.seed, walk.number));
    let mut state = State::initial(system);
    let processes = state.processes.len();
    let mut order = Order::new(walk.schedule, processes, &mut rng);
    let mut walked =
        Walked { violated: 0, trace: Vec::new(), first: [None; 64], stuck: false, cut: false };
    if M::ASKS.beyond_steps() {
        walked.take(monitor.state_violates(state.shared, &state));
    }
    let mut asked = Vec::new();
    let mut alternatives: Vec<Alternative<S::Label>> = Vec::new();
    loop {
        let number = walked.trace.len() as u32;
        if number >= walk.longest {
            walked.cut = true;
            return Ok(walked);
        }
        order.write(processes, &mut rng, &mut asked);
        alternatives.clear();
        for &actor in &asked {
            transitions_of_one(system, &state, actor, |taken| {
                alternatives.push((taken.after.clone(), taken.as_trace_step(), taken.step.clone()));
                ControlFlow::Continue(())
            })?;
            if !alternatives.is_empty() {
                break;
            }
        }
        if alternatives.is_empty() {
            walked.stuck =
                state.processes.iter().any(|(kind, local)| !is_at_rest(system, *kind, *local));
            return Ok(walked);
        }
        let chosen = rng.usize(0..alternatives.len());
        let (after, taken, step) = alternatives.swap_remove(chosen);
        let bits = violated_by_counts(monitor, &step, &state, &after);
        order.took(taken.actor, number);
        walked.trace.push(taken);
        walked.take(bits);
        state = after;
    }
}
