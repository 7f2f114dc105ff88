//! Which systems can be counted.

use crate::ask::{Asks, Monitor, Unexplorable};
use crate::system::concrete::State;
use crate::system::{System, fits};

/// Most processes of a counted state: a count is a byte.
pub const MAX_COUNTED: usize = 255;

/// The initial state, if the system fits and the monitor asks about no more than `most`.
pub(crate) fn check<S: System, M: Monitor<S::Label>>(
    system: &S,
    _: &M,
    most: Asks,
) -> Result<State, Unexplorable> {
    if M::ASKS > most {
        return Err(Unexplorable::Asks { found: M::ASKS, most });
    }
    let (shared, local) = (system.shared_bits(), system.local_bits());
    if shared > 128 || local > 64 {
        return Err(Unexplorable::WordTooWide { shared, local });
    }
    let initial = State::initial(system);
    let processes = &initial.processes;
    if processes.len() > MAX_COUNTED {
        return Err(Unexplorable::TooManyProcesses { found: processes.len(), most: MAX_COUNTED });
    }
    if !fits(initial.shared, shared) || !processes.iter().all(|p| fits(u128::from(p.1), local)) {
        return Err(Unexplorable::InitialOutOfBits);
    }
    Ok(initial)
}
