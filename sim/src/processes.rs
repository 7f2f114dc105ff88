//! The model as a system of processes: a thin wrapper around its step function.

use kmodcheck_explore::{
    Choice, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};
use kmodcheck_model::{Event, Model, Wakes};
use std::cell::RefCell;

/// The kind of every caller.
pub const CALLER: Kind = Kind(0);

/// `module_wq`.
pub const MODULE_WQ: Queue = Queue(0);

/// The callers of a model's scenario.
#[derive(Clone, Copy, Debug)]
pub struct Processes<'m> {
    /// The model.
    pub model: &'m Model,
}

thread_local! {
    /// Reused, so that a step allocates nothing.
    static OUTCOMES: RefCell<Vec<kmodcheck_model::Outcome>> = const { RefCell::new(Vec::new()) };
}

impl System for Processes<'_> {
    type Label = Event;

    fn shared_bits(&self) -> u32 {
        self.model.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.model.local_bits()
    }

    fn initial(&self) -> Initial {
        let callers = usize::from(self.model.scenario().callers);
        Initial {
            shared: self.model.initial_shared(),
            processes: vec![(CALLER, self.model.initial_local()); callers],
        }
    }

    fn step(&self, _: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Event>>) {
        OUTCOMES.with_borrow_mut(|outcomes| {
            outcomes.clear();
            self.model.step(shared, local, outcomes);
            choices.extend(outcomes.iter().map(|outcome| Choice {
                shared: outcome.shared,
                local: outcome.local,
                effect: match outcome.wakes {
                    Wakes::Nobody => Effect::None,
                    Wakes::ModuleWq => Effect::WakeAll(MODULE_WQ),
                },
                way_out: if outcome.timed_out { WayOut::TimeOut } else { WayOut::Ordinary },
                footprint: Footprint { reads: outcome.reads, writes: outcome.writes },
                label: outcome.event,
            }));
        });
    }

    fn observe(&self, _: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.model.observe(before, after, local)
    }

    fn wake(&self, _: Kind, local: Local, _: Queue) -> Option<Local> {
        self.model.wake(local)
    }

    fn anonymous(&self, _: Kind, local: Local) -> Local {
        self.model.without_history(local)
    }

    fn returned(&self, _: Kind, local: Local) -> bool {
        self.model.returned(local)
    }
}
