//! Which systems can be counted.

use crate::system::concrete::State;
use crate::system::{System, fits};

/// Most processes of a counted state: a count is a byte.
pub const MAX_COUNTED: usize = 255;

/// Why a system cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncountable {
    /// Too many processes.
    #[error("{0} processes, more than {MAX_COUNTED}")]
    TooManyProcesses(usize),
    /// The shared state or a local state does not fit its word.
    #[error("{shared} shared bits and {local} local bits, more than 128 and 64")]
    WordTooWide {
        /// [`System::shared_bits`].
        shared: u32,
        /// [`System::local_bits`].
        local: u32,
    },
    /// The initial state uses more bits than the system declares.
    #[error("the initial state does not fit the bits that the system declares")]
    InitialOutOfBits,
}

/// The initial state, if the system fits.
pub(crate) fn check<S: System>(system: &S) -> Result<State, Uncountable> {
    let (shared, local) = (system.shared_bits(), system.local_bits());
    if shared > 128 || local > 64 {
        return Err(Uncountable::WordTooWide { shared, local });
    }
    let initial = State::initial(system);
    let processes = &initial.processes;
    if processes.len() > MAX_COUNTED {
        return Err(Uncountable::TooManyProcesses(processes.len()));
    }
    if !fits(initial.shared, shared) || !processes.iter().all(|p| fits(u128::from(p.1), local)) {
        return Err(Uncountable::InitialOutOfBits);
    }
    Ok(initial)
}
