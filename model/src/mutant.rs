//! Deliberate faults in the model. They are there so that a 'holds' can be seen to fail: a recorded
//! 'holds' names the mutant under which the same cell is 'violated'.

use std::fmt;

use crate::state::Pc;

/// One deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// The step at this place and the next step of the same process become one.
    Merge(Pc),
    /// The step at this place leaves the shared state as it is and wakes nobody.
    Skip(Pc),
    /// Loading takes the step at this place of [`crate::kernel::LOAD_ORDER`] after the next one.
    SwapLoad(u8),
    /// `free_module()` takes the step at this place of [`crate::kernel::FREE_ORDER`] after the next.
    SwapFree(u8),
    /// Loading or freeing takes these two places in each other's place.
    Swap(Pc, Pc),
    /// kmod takes a bare directory for built in, whatever its version.
    OldRule,
    /// kmod takes a bare directory for coming, whatever its version.
    NewRule,
    /// The check is made before modprobe instead of after it.
    CheckBeforeModprobe,
    /// The check accepts a module that is still forming.
    CheckAcceptsForming,
    /// The check turns every answer into an error.
    CheckRejectsAll,
    /// Neither the shortcut nor the author's look keeps modprobe from being started.
    ShortcutBlind,
    /// `get_fs_type()` does not look again after the request.
    NoSecondLook,
    /// `__request_module()` returns 0 without starting modprobe.
    NoModprobe,
    /// modprobe exits 0 whatever the kernel answered.
    ModprobeExitsZero,
    /// Loading a module that somebody else is loading fails at once (9828ed3f695a had `-ETXTBSY`
    /// for it, in v6.4-rc4).
    FormingIsBusy,
    /// modprobe exits 1 whatever the kernel answered.
    ModprobeExitsOne,
    /// modprobe loads what its configuration blocks.
    ConfigurationIgnored,
    /// A `finit_module()` that has waited for another of the same module loads it itself, whatever
    /// came of that.
    LoadsAfterWait,
}

impl Mutant {
    /// Those that have a name of their own, and the steps of loading and freeing left out or taken in another order.
    pub fn named() -> Vec<Self> {
        use crate::kernel::{FREE_ORDER, LOAD_ORDER};
        let last = |order: &[Pc]| crate::scenario::number(order.len() - 1);
        let skipped =
            LOAD_ORDER.into_iter().chain(FREE_ORDER).chain([Pc::DeleteModule, Pc::ModuleExit]);
        let mut all = vec![
            Self::OldRule,
            Self::NewRule,
            Self::CheckBeforeModprobe,
            Self::CheckAcceptsForming,
            Self::CheckRejectsAll,
            Self::ShortcutBlind,
            Self::NoSecondLook,
            Self::NoModprobe,
            Self::ModprobeExitsZero,
            Self::ModprobeExitsOne,
            Self::FormingIsBusy,
        ];
        all.extend(skipped.filter(|pc| *pc != Pc::Resolve).map(Self::Skip));
        all.extend((0..last(&LOAD_ORDER)).map(Self::SwapLoad));
        all.extend((0..last(&FREE_ORDER)).map(Self::SwapFree));
        all.extend([Self::ConfigurationIgnored, Self::LoadsAfterWait]);
        all
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(pc) => write!(f, "merge-{pc}"),
            Self::Skip(pc) => write!(f, "skip-{pc}"),
            Self::SwapLoad(i) => {
                let order = crate::kernel::LOAD_ORDER;
                write!(f, "swap-{}-{}", order[usize::from(*i)], order[usize::from(*i) + 1])
            }
            Self::SwapFree(i) => {
                let order = crate::kernel::FREE_ORDER;
                write!(f, "swap-{}-{}", order[usize::from(*i)], order[usize::from(*i) + 1])
            }
            Self::Swap(a, b) => write!(f, "swap-{a}-{b}"),
            Self::OldRule => f.write_str("old-rule"),
            Self::NewRule => f.write_str("new-rule"),
            Self::CheckBeforeModprobe => f.write_str("check-before-modprobe"),
            Self::CheckAcceptsForming => f.write_str("check-accepts-forming"),
            Self::CheckRejectsAll => f.write_str("check-rejects-all"),
            Self::ShortcutBlind => f.write_str("shortcut-blind"),
            Self::NoSecondLook => f.write_str("no-second-look"),
            Self::NoModprobe => f.write_str("no-modprobe"),
            Self::ModprobeExitsZero => f.write_str("modprobe-exits-zero"),
            Self::FormingIsBusy => f.write_str("forming-is-busy"),
            Self::ModprobeExitsOne => f.write_str("modprobe-exits-one"),
            Self::ConfigurationIgnored => f.write_str("configuration-ignored"),
            Self::LoadsAfterWait => f.write_str("loads-after-wait"),
        }
    }
}
