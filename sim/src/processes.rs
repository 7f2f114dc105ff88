//! The model as a system of processes: a thin wrapper around its step function.

use std::cell::RefCell;

use kmodcheck_explore::{
    Choice, DORMANT, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};
use kmodcheck_model::{Event, Model, WaitQueue, Way};

/// The processes of a model's scenario: its actors, and a pool of those that a step may start.
#[derive(Clone, Copy, Debug)]
pub struct Processes<'m> {
    /// The model.
    pub model: &'m Model,
}

thread_local! {
    /// Reused, so that a step allocates nothing.
    static OUTCOMES: RefCell<Vec<kmodcheck_model::Outcome>> = const { RefCell::new(Vec::new()) };
}

fn queue(queue: WaitQueue) -> Queue {
    Queue(queue.number())
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
        let processes = self.model.processes();
        Initial {
            shared: self.model.initial_shared(),
            processes: processes.into_iter().map(|(kind, local)| (Kind(kind), local)).collect(),
        }
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Event>>) {
        OUTCOMES.with_borrow_mut(|outcomes| {
            outcomes.clear();
            self.model.step(kind.0, shared, local, outcomes);
            choices.extend(outcomes.iter().map(|outcome| Choice {
                shared: outcome.shared,
                local: outcome.local,
                effect: match outcome.effect {
                    kmodcheck_model::Effect::None => Effect::None,
                    kmodcheck_model::Effect::WakeAll(on) => Effect::WakeAll(queue(on)),
                    kmodcheck_model::Effect::WakeOne(on) => Effect::WakeOne(queue(on)),
                    kmodcheck_model::Effect::Spawn(kind, local) => Effect::Spawn(Kind(kind), local),
                },
                way_out: match outcome.way {
                    Way::Ordinary => WayOut::Ordinary,
                    Way::TimeOut => WayOut::TimeOut,
                    Way::Killed => WayOut::Killed,
                },
                footprint: Footprint { reads: outcome.reads, writes: outcome.writes },
                label: outcome.event,
            }));
        });
    }

    #[inline]
    fn dormant(&self, _: Kind) -> Option<Local> {
        Some(DORMANT)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.model.observe(kind.0, before, after, local)
    }

    fn remembered(&self) -> Shared {
        self.model.remembered()
    }

    fn wake(&self, kind: Kind, local: Local, on: Queue) -> Option<Local> {
        self.model.wake(kind.0, local, WaitQueue::from_number(on.0))
    }

    fn anonymous(&self, _: Kind, local: Local) -> Local {
        self.model.without_history(local)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.model.returned(kind.0, local)
    }
}
