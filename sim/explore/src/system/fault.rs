//! What a system must not do.

use super::interface::{Choice, Effect, Kind, Local, Queue, Shared, System};
use super::product::fits;

/// A promise that a system has broken, and where. Whatever was found with it is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error(
    "a process of kind {} in local state {local:#x}, with shared state {shared:#x}, {wrong}", kind.0
)]
pub struct Fault {
    /// The kind of the process that broke it.
    pub kind: Kind,
    /// The shared state before.
    pub shared: Shared,
    /// Its local state before.
    pub local: Local,
    /// What is wrong.
    pub wrong: Wrong,
}

/// How a system breaks its promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Wrong {
    /// [`System::shared_bits`] are fewer.
    #[error(
        "steps to the shared state {0:#x}, expected one within the bits that the system declares"
    )]
    Shared(Shared),
    /// [`System::local_bits`] are fewer.
    #[error(
        "steps to the local state {0:#x}, expected one within the bits that the system declares"
    )]
    Local(Local),
    /// [`System::observe`] gives what has more bits.
    #[error(
        "comes to the local state {0:#x} by what it observes, expected one within the bits that the system \
         declares"
    )]
    Remembered(Local),
    /// [`System::wake`] gives what has more bits.
    #[error(
        "wakes from queue {} in the local state {woken:#x}, expected one within the bits that the system \
         declares", queue.0
    )]
    Woken {
        /// The queue.
        queue: Queue,
        /// The local state.
        woken: Local,
    },
    /// The local state in which a process is started has more bits.
    #[error(
        "starts a process of kind {} in the local state {started:#x}, expected one within the bits that the \
         system declares", kind.0
    )]
    Spawned {
        /// Its kind.
        kind: Kind,
        /// The local state.
        started: Local,
    },
    /// A step changes bits that it does not declare as written.
    #[error("changes bits {0:#x} of the shared state, expected them to be declared as written")]
    Undeclared(Shared),
    /// More ways than are counted.
    #[error("has {0} ways to step, expected at most {1}")]
    Ways(usize, usize),
}

/// Asks a system how a process can step, and holds it to its promises.
///
/// # Errors
/// The first promise that is broken.
pub(crate) fn ways<S: System>(
    system: &S,
    (kind, shared, local): (Kind, Shared, Local),
    ways: &mut Vec<Choice<S::Label>>,
) -> Result<(), Fault> {
    ways.clear();
    system.step(kind, shared, local, ways);
    let (shared_bits, local_bits) = (system.shared_bits(), system.local_bits());
    let narrow = |local: Local| fits(u128::from(local), local_bits);
    let wrong = ways.iter().find_map(|way| {
        let undeclared = (shared ^ way.shared) & !way.footprint.writes;
        match way.effect {
            _ if !fits(way.shared, shared_bits) => Some(Wrong::Shared(way.shared)),
            _ if !narrow(way.local) => Some(Wrong::Local(way.local)),
            _ if undeclared != 0 => Some(Wrong::Undeclared(undeclared)),
            Effect::Spawn(kind, local) if !narrow(local) => {
                Some(Wrong::Spawned { kind, started: local })
            }
            _ => None,
        }
    });
    wrong.map_or(Ok(()), |wrong| Err(Fault { kind, shared, local, wrong }))
}
