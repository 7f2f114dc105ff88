//! The log of events, and the words that order those whose order decides a property.

use std::sync::Mutex as PlainMutex;

use kmodcheck_model::Event;
use kmodcheck_runtime::{Runtime, RwLock, TaskId};

/// One event of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Who: the number of the actor, from 0, for the actor and the modprobe it waits for; that
    /// number plus the number of actors for the modprobe that it left behind; twice the number of
    /// actors plus the number of a name for that name's kworker.
    pub process: u8,
    /// What.
    pub event: Event,
}

/// In whose name a task acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The actor itself.
    Actor(u8),
    /// That actor's helper, or the helper's.
    Helper(u8),
    /// The kworker of a name's entry in `dup_kmod_reqs`.
    Kworker(u8),
}

/// An event's place in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(usize);

/// One place of the log.
#[derive(Debug)]
struct Slot {
    /// None if it was taken back.
    entry: Option<Entry>,
    /// What follows it with nothing in between.
    decided: Option<Entry>,
}

#[derive(Debug)]
struct Written {
    entries: Vec<Slot>,
    /// By actor: its helper is on its own.
    left_behind: Vec<bool>,
    /// By actor: the modprobe that it waits for has exited.
    exited: Vec<bool>,
}

/// The log of one run. No thread gives way between taking the plain lock and returning it, so loom
/// and shuttle need not know of it, and must not: it would make every two steps dependent.
#[derive(Debug)]
pub(crate) struct Log<R: Runtime> {
    written: PlainMutex<Written>,
    ordered: bool,
    /// Orders what becomes LIVE with the ends of intervals.
    arrivals: RwLock<R, ()>,
    /// Orders what stops being LIVE, or fails to become it, with the beginnings and ends.
    departures: RwLock<R, ()>,
}

impl<R: Runtime> Log<R> {
    pub fn new(actors: usize, ordered: bool) -> Self {
        Self {
            ordered,
            written: PlainMutex::new(Written {
                entries: Vec::new(),
                left_behind: vec![false; actors],
                exited: vec![false; actors],
            }),
            arrivals: RwLock::new(actors, ()),
            departures: RwLock::new(actors, ()),
        }
    }

    /// Writes an event down, in the name of `who`. The caller, `task`, holds the lock that protects
    /// what the event tells of. `leaves`: from here on the actor's helper is on its own.
    pub fn write(&self, who: Who, task: TaskId, event: Event, leaves: bool) -> Place {
        let push = || {
            let mut written = self.written.lock().expect("no panic in here");
            let actors = written.left_behind.len() as u8;
            let process = match who {
                Who::Helper(actor) if written.left_behind[usize::from(actor)] => actors + actor,
                Who::Actor(actor) | Who::Helper(actor) => actor,
                Who::Kworker(name) => 2 * actors + name,
            };
            if let Who::Actor(actor) | Who::Helper(actor) = who {
                written.left_behind[usize::from(actor)] |= leaves;
                // What an init requests is waited for by the helper itself.
                let ends = matches!(event, Event::Exit { .. } | Event::ExecFailed { .. });
                written.exited[usize::from(actor)] = ends;
            }
            written.entries.push(Slot { entry: Some(Entry { process, event }), decided: None });
            Place(written.entries.len() - 1)
        };
        if R::SPAWNS.is_none() || !self.ordered {
            // Not loom: the order of the log is the order, and nobody explores the other one.
            return push();
        }
        match role(&event) {
            Role::Arrival => {
                let _order = self.arrivals.write();
                push()
            }
            Role::Departure => {
                let _order = self.departures.write();
                push()
            }
            Role::Begin => {
                let _order = self.departures.read(task);
                push()
            }
            Role::End => {
                let _order = (self.arrivals.read(task), self.departures.read(task));
                push()
            }
            Role::None => push(),
        }
    }

    /// Writes down that SIGKILL ends an actor's wait for its modprobe, which is on its own from here
    /// on; `false`, and nothing is written, if modprobe has exited: the result is on its way then.
    pub fn kill(&self, process: u8) -> bool {
        let mut written = self.written.lock().expect("no panic in here");
        let actor = usize::from(process);
        if written.exited[actor] {
            return false;
        }
        written.left_behind[actor] = true;
        let killed = Entry { process, event: Event::Killed };
        written.entries.push(Slot { entry: Some(killed), decided: None });
        true
    }

    /// Takes back a test that came out false and did not put its task to sleep, because a wake-up
    /// had come first: it is made again, so it is as if it had not been made.
    pub fn take_back(&self, place: Place) {
        self.written.lock().expect("no panic in here").entries[place.0].entry = None;
    }

    /// Writes down what the test at that place decided at once, before anything that came after it.
    pub fn write_after(&self, place: Place, event: Event) {
        let mut written = self.written.lock().expect("no panic in here");
        let slot = &mut written.entries[place.0];
        let test = slot.entry.expect("it was not taken back");
        slot.decided = Some(Entry { event, ..test });
    }

    /// What was written.
    pub fn entries(&self) -> Vec<Entry> {
        let written = self.written.lock().expect("no panic in here");
        written.entries.iter().flat_map(|slot| [slot.entry, slot.decided]).flatten().collect()
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
        Event::SetGoing { .. }
        | Event::FailGoing { .. }
        | Event::DeleteModule { .. }
        | Event::ListDel { .. }
        | Event::Unlink { .. } => Role::Departure,
        Event::Call { .. } | Event::RequestModule { .. } | Event::Exec { .. } => Role::Begin,
        Event::AlreadyLive { .. }
        | Event::Exit { .. }
        | Event::Check { .. }
        | Event::CheckFinished { .. }
        | Event::RequestReturn { .. }
        | Event::LookUp { second: true, .. } => Role::End,
        _ => Role::None,
    }
}
