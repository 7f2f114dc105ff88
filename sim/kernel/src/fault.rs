//! Deliberate faults in this description. They are there so that the comparison with the model can
//! be seen to fail; nothing else uses them.

/// One deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// `do_init_module()` wakes nobody once the module is LIVE.
    NoWakeWhenLive,
}
