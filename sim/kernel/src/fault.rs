//! Deliberate faults in this description. They are there so that the comparison with the model can
//! be seen to fail; nothing else uses them.

/// One deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// `do_init_module()` wakes nobody once the module is LIVE.
    NoWakeWhenLive,
    /// `call_usermodehelper_exec()` runs one modprobe at a time.
    OneModprobeAtATime,
    /// `do_init_module()` sets LIVE before init.
    LiveBeforeInit,
    /// `free_module()` leaves the list before it takes the directory away.
    UnlistedBeforeTeardown,
    /// `add_unformed_module()` does not wait for a module that is forming.
    NoWaitForForming,
    /// `get_fs_type()` does not look again.
    NoSecondLook,
    /// modprobe reads initstate once, not to its end.
    OneRead,
    /// modprobe looks at its target once, in its turn.
    NoFirstLook,
    /// A wait tests its condition before it queues itself, and not again.
    TestBeforeQueueing,
    /// A wait whose time is over does not test its condition once more.
    NoLastTest,
    /// The check after modprobe is left out.
    NoCheck,
    /// `call_usermodehelper_exec()` returns 0 whatever modprobe's status was.
    StatusLost,
    /// Not of the kernel: loom is not told of the order of steps that decides a property.
    OrderUnseen,
    /// `delete_module()` does not look at references.
    NoReferenceCheck,
    /// `early_mod_check()` takes GOING for finished where `finit_module()` is not idempotent.
    EarlyCheckPassesGoing,
    /// Duplicate requests of all names wait for one completion.
    OneCompletionForAllNames,
}
