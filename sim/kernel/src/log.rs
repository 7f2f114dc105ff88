//! The log of events, and the one word that orders those whose order decides a property.

use std::sync::Mutex as PlainMutex;

use kmodcheck_model::Event;
use kmodcheck_runtime::{Runtime, RwLock, TaskId};

/// One event of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Who: the number of the caller, from 0.
    pub actor: u8,
    /// What.
    pub event: Event,
}

/// An event's place in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

/// The log of one run. No thread gives way between taking the plain lock and returning it, so loom
/// and shuttle need not know of it, and must not: it would make every two steps dependent.
#[derive(Debug)]
pub(crate) struct Log<R: Runtime> {
    entries: PlainMutex<Vec<Option<Entry>>>,
    /// Orders what becomes LIVE with the ends of intervals.
    arrivals: RwLock<R, ()>,
    /// Orders what stops being LIVE, or fails to become it, with the beginnings and ends.
    departures: RwLock<R, ()>,
}

impl<R: Runtime> Log<R> {
    pub fn new(tasks: usize) -> Self {
        Self {
            entries: PlainMutex::new(Vec::new()),
            arrivals: RwLock::new(tasks, ()),
            departures: RwLock::new(tasks, ()),
        }
    }

    /// Writes an event down, in the name of `actor`. The caller, `task`, holds the lock that protects
    /// what the event tells of.
    pub fn write(&self, actor: u8, task: TaskId, event: Event) -> Place {
        if R::SPAWNS.is_none() {
            // Not loom: the order of the log is the order, and nobody explores the other one.
            return self.push(actor, event);
        }
        match role(&event) {
            Role::Arrival => {
                let _order = self.arrivals.write();
                self.push(actor, event)
            }
            Role::Departure => {
                let _order = self.departures.write();
                self.push(actor, event)
            }
            Role::Begin => {
                let _order = self.departures.read(task);
                self.push(actor, event)
            }
            Role::End => {
                let _order = (self.arrivals.read(task), self.departures.read(task));
                self.push(actor, event)
            }
            Role::None => self.push(actor, event),
        }
    }

    fn push(&self, actor: u8, event: Event) -> Place {
        let mut entries = self.entries.lock().expect("no panic in here");
        entries.push(Some(Entry { actor, event }));
        Place(entries.len() - 1)
    }

    /// Takes back a test that came out false and did not put its task to sleep, because a wake-up
    /// had come first: it is made again, so it is as if it had not been made.
    pub fn take_back(&self, place: Place) {
        self.entries.lock().expect("no panic in here")[place.0] = None;
    }

    /// What was written.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().expect("no panic in here").iter().flatten().copied().collect()
    }
}

/// What an event is to properties. They speak of intervals in one actor's life, and of the states
/// that modules were in meanwhile. So where an interval begins and ends is ordered with the changes
/// of state, whatever locks the two steps take: loom explores both orders, because they share a lock,
/// the changes taking it for writing and the intervals for reading.
///
/// One pair is left out. Whether an interval begins just before or just after a module becomes LIVE
/// makes no difference to 'LIVE at some moment of it': it is LIVE in it either way, or the module has
/// stopped being LIVE before, and that is ordered with the beginning.
enum Role {
    /// A module becomes LIVE.
    Arrival,
    /// A module stops being LIVE, or an attempt to load it fails.
    Departure,
    /// An interval begins.
    Begin,
    /// An interval ends, or something is judged.
    End,
    /// Properties do not care when it happens, beyond what its own locks order.
    None,
}

fn role(event: &Event) -> Role {
    match event {
        Event::SetLive { .. } => Role::Arrival,
        Event::SetGoing { .. } | Event::ListDel { .. } | Event::Unlink { .. } => Role::Departure,
        Event::Call | Event::RequestModule | Event::Exec => Role::Begin,
        Event::AlreadyLive { .. }
        | Event::Exit { .. }
        | Event::Check { .. }
        | Event::CheckFinished { .. }
        | Event::RequestReturn { .. }
        | Event::LookUp { second: true, .. } => Role::End,
        Event::LookUp { second: false, .. }
        | Event::PreExists { .. }
        | Event::PreFinished { .. }
        | Event::Open { .. }
        | Event::Stat { .. }
        | Event::Read { .. }
        | Event::ReadEnd { .. }
        | Event::OpenUnknown
        | Event::StatUnknown { .. }
        | Event::AddUnformed { .. }
        | Event::FinishedLoading { .. }
        | Event::ResolveSymbol { .. }
        | Event::ResolveTimedOut { .. }
        | Event::CompleteFormation { .. }
        | Event::SysfsInit { .. }
        | Event::AddModinfoAttrs { .. }
        | Event::Init { .. }
        | Event::Unregister { .. }
        | Event::WakeUpAll { .. }
        | Event::RemoveModinfoAttrs { .. }
        | Event::SysfsFini { .. }
        | Event::SetUnformed { .. }
        | Event::HelperReturn { .. } => Role::None,
    }
}
