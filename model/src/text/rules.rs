//! What texts come to: tables by which the steps go, one for each function that a patch may change freely.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Claim;
use crate::features::{BareDirectory, KernelFeatures, KmodFeatures, ListedName, SanityCheck};
use crate::learned::Learned;
use crate::scenario::FailsAt;
use crate::state::{ModuleState, Pc, Ret};

/// The states of a name that tables go by, in this order.
pub const STATES: [ModuleState; 5] = [
    ModuleState::Absent,
    ModuleState::Unformed,
    ModuleState::Coming,
    ModuleState::Live,
    ModuleState::Going,
];

/// What the kernel does about a name that is on the list of modules, by the state that it is in ([`STATES`]).
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListedRules {
    /// What `add_unformed_module()` makes of it at first; and `early_mod_check()`, where there is one.
    pub claim: [Claim; 5],
    /// The same when it has waited; `None`: it begins again.
    pub again: Option<[Claim; 5]>,
    /// Whether the wait for it is over: `finished_loading()`.
    pub finished: [bool; 5],
}

impl ModuleState {
    /// Its place in a table.
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Unformed | Self::UnformedAgain => 1,
            Self::Coming => 2,
            Self::Live => 3,
            Self::Going => 4,
        }
    }
}

impl ListedRules {
    /// What a load makes of a name in that state; `waited`: when it has waited for it.
    pub fn claim(&self, state: ModuleState, waited: bool) -> Claim {
        let table = if waited { self.again.as_ref().unwrap_or(&self.claim) } else { &self.claim };
        table[state.place()]
    }

    /// Whether the wait for a name in that state is over.
    pub fn finished(&self, state: ModuleState) -> bool {
        self.finished[state.place()]
    }
}

impl ListedName {
    /// The same as a table, written here once more: a test holds the text against it.
    pub fn rules(self) -> ListedRules {
        use Claim::{Busy, Exists, Free, Wait};
        let going = match self {
            Self::GoingExists => Exists,
            Self::WaitsForGoing => Wait,
            Self::WaitsOnce => Busy,
        };
        ListedRules {
            claim: [Free, Wait, Wait, Exists, going],
            again: (self == Self::WaitsOnce).then_some([Busy, Busy, Busy, Exists, Busy]),
            finished: [true, false, false, true, self != Self::WaitsForGoing],
        }
    }
}

/// What a look of the check comes to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// The name is accepted: on to the next one, or out with 0.
    Accept,
    /// The request is turned into that error.
    Error(Ret),
    /// On to the look that a wait may follow.
    Exists,
    /// On to the wait for the name's `finished_loading()`.
    Waits,
    /// On to the look that no wait follows.
    Looks,
}

/// The errors of a check that the model tells from each other.
pub const CHECK_ERRORS: [Ret; 7] =
    [Ret::Enoent, Ret::Ebusy, Ret::Einprogress, Ret::Eperm, Ret::Enomem, Ret::Eacces, Ret::Etime];

/// What is done about each name once modprobe has returned 0.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OfCaller {
    /// What is done first; `None`: there is no check.
    pub first: Option<Then>,
    /// The look that a wait may follow, by state ([`STATES`]).
    pub exists: [Then; 5],
    /// When the name has finished loading.
    pub over: Then,
    /// When it has not, and nobody waits for it; `None`: the caller sleeps.
    pub forming: Option<Then>,
    /// The look that no wait follows.
    pub looks: [Then; 5],
}

impl OfCaller {
    /// No check.
    pub const NONE: Self = Self {
        first: None,
        exists: [Then::Accept; 5],
        over: Then::Accept,
        forming: None,
        looks: [Then::Accept; 5],
    };
}

/// What `__request_module()` does about the list of modules, beside starting modprobe.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CheckRules {
    /// `finished_kmod_load()` before modprobe: a name that is listed is waited for, and then the request is 0.
    pub before: bool,
    /// After modprobe has returned 0: of a request that does not wait for it, for a name that is not built in and for one
    /// that is; and the same of one that waits.
    pub of: [OfCaller; 4],
}

impl CheckRules {
    /// What is done about a name.
    pub fn of(&self, waits: bool, built_in: bool) -> &OfCaller {
        &self.of[2 * usize::from(waits) + usize::from(built_in)]
    }

    /// Whether anything is looked at after modprobe.
    pub fn checks(&self) -> bool {
        self.of.iter().any(|of| of.first.is_some())
    }
}

impl SanityCheck {
    /// The same as a table, written here once more: a test holds the diffs of the readings against it.
    pub fn rules(self) -> CheckRules {
        use Then::{Accept, Error, Exists, Looks, Waits};
        let none = OfCaller::NONE;
        let author = |absent, forming| OfCaller {
            first: Some(Exists),
            exists: [absent, Waits, Waits, Waits, Waits],
            forming,
            ..none
        };
        let authors = |absent| {
            let nowait = author(absent, Some(Error(Ret::Einprogress)));
            let waits = author(absent, None);
            CheckRules { before: true, of: [nowait, nowait, waits, waits] }
        };
        let busy = Error(Ret::Ebusy);
        let looks = |absent| OfCaller {
            first: Some(Looks),
            looks: [absent, busy, busy, Accept, busy],
            ..none
        };
        let of_waiting =
            |of: [OfCaller; 2]| CheckRules { before: false, of: [none, none, of[0], of[1]] };
        match self {
            Self::None | Self::WarnOnly => of_waiting([none; 2]),
            Self::AuthorTree => authors(Error(Ret::Enoent)),
            Self::AuthorMail => authors(Accept),
            Self::Verify => of_waiting([looks(Accept); 2]),
            Self::ExactBuiltin => of_waiting([looks(Error(Ret::Enoent)), looks(Accept)]),
            Self::WaitAndVerify => {
                let first = OfCaller { first: Some(Waits), over: Looks, ..looks(Accept) };
                of_waiting([first; 2])
            }
        }
    }
}

/// What a look of modprobe comes to (`kmod_module_get_initstate()`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Looked {
    /// KMOD_MODULE_BUILTIN.
    Builtin,
    /// KMOD_MODULE_LIVE.
    Live,
    /// KMOD_MODULE_COMING.
    Coming,
    /// KMOD_MODULE_GOING, or anything else that initstate may say.
    Going,
    /// An error: not there.
    Nothing,
}

impl Looked {
    /// All, in the order in which tables have them.
    pub const ALL: [Self; 5] =
        [Self::Builtin, Self::Live, Self::Coming, Self::Going, Self::Nothing];
}

/// How modprobe finds out whether a module is in the kernel.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LookRules {
    /// What a directory without initstate is.
    pub bare: Looked,
    /// What it takes for in the kernel, in the order of [`Looked::ALL`].
    pub in_kernel: [bool; 5],
}

impl LookRules {
    /// Whether it takes that for in the kernel.
    pub fn in_kernel(&self, looked: Looked) -> bool {
        self.in_kernel[looked as usize]
    }
}

impl KmodFeatures {
    /// The same as a table, written here once more: a test holds the text against it.
    pub fn look_rules(&self) -> LookRules {
        let bare = match self.bare_directory {
            BareDirectory::Builtin => Looked::Builtin,
            BareDirectory::Coming => Looked::Coming,
        };
        LookRules { bare, in_kernel: [true, true, self.coming_is_loaded, false, false] }
    }
}

/// A step of loading a module, or of freeing one (from [`Part::SetGoing`] on), in the words of [`Pc`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is the place of that name")]
pub enum Part {
    AddUnformed,
    Resolve,
    CompleteFormation,
    ComingNotifier,
    ParseArgs,
    SysfsInit,
    AddModinfoAttrs,
    UsageLinks,
    SectAttrs,
    Codetag,
    Uevent,
    Init,
    SetLive,
    AsyncSynchronize,
    DropInitial,
    ReadOnly,
    WakeLive,
    SetGoing,
    RemoveModinfoAttrs,
    SysfsFini,
    SetUnformed,
    UnloadFree,
    ListDel,
    WakeFreed,
}

impl Part {
    /// Whether it is a step of freeing.
    pub fn frees(self) -> bool {
        self >= Self::SetGoing
    }

    /// The place at which a load may fail that it is, if it is only that.
    pub fn fails_at(self) -> Option<FailsAt> {
        Some(match self {
            Self::ComingNotifier => FailsAt::ComingNotifier,
            Self::ParseArgs => FailsAt::Arguments,
            Self::UsageLinks => FailsAt::UsageLinks,
            Self::SectAttrs => FailsAt::Sections,
            Self::Codetag => FailsAt::Codetag,
            Self::ReadOnly => FailsAt::ReadOnly,
            _ => return None,
        })
    }

    /// The step.
    pub fn pc(self) -> Pc {
        match self {
            Self::ComingNotifier => Pc::ComingNotifier,
            Self::ParseArgs => Pc::ParseArgs,
            Self::UsageLinks => Pc::UsageLinks,
            Self::SectAttrs => Pc::SectAttrs,
            Self::Codetag => Pc::Codetag,
            Self::ReadOnly => Pc::ReadOnly,
            Self::AddUnformed => Pc::AddUnformed,
            Self::Resolve => Pc::Resolve,
            Self::CompleteFormation => Pc::CompleteFormation,
            Self::SysfsInit => Pc::SysfsInit,
            Self::AddModinfoAttrs => Pc::AddModinfoAttrs,
            Self::Uevent => Pc::Uevent,
            Self::Init => Pc::Init,
            Self::SetLive => Pc::SetLive,
            Self::AsyncSynchronize => Pc::AsyncSynchronize,
            Self::DropInitial => Pc::DropInitial,
            Self::WakeLive => Pc::WakeLive,
            Self::SetGoing => Pc::SetGoing,
            Self::RemoveModinfoAttrs => Pc::RemoveModinfoAttrs,
            Self::SysfsFini => Pc::SysfsFini,
            Self::SetUnformed => Pc::SetUnformed,
            Self::UnloadFree => Pc::UnloadFree,
            Self::ListDel => Pc::ListDel,
            Self::WakeFreed => Pc::WakeFreed,
        }
    }
}

/// In which order a module is loaded and freed.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OrderRules {
    /// Loading; what a scenario does not need (uevents, references) is left out there.
    pub load: Vec<Part>,
    /// Freeing, after an init that has failed. Unloading begins after [`Part::SetGoing`], and wakes if the switch
    /// `delete-module-wakes` is on.
    pub free: Vec<Part>,
    /// Whether freeing after an init that has failed wakes those who wait.
    pub failure_wakes: bool,
}

impl KernelFeatures {
    /// The same of a release, written here once more: a test holds the text against it.
    pub fn order_rules(&self) -> OrderRules {
        use Part::{
            AddModinfoAttrs, AddUnformed, AsyncSynchronize, Codetag, ComingNotifier,
            CompleteFormation, DropInitial, Init, ListDel, ParseArgs, ReadOnly, RemoveModinfoAttrs,
            Resolve, SectAttrs, SetGoing, SetLive, SetUnformed, SysfsFini, SysfsInit, Uevent,
            UnloadFree, UsageLinks, WakeFreed, WakeLive,
        };
        let only = |is: bool, part| is.then_some(part);
        let mut load = vec![AddUnformed, Resolve, CompleteFormation];
        load.extend(only(self.notifier_can_fail, ComingNotifier));
        load.extend([ParseArgs, SysfsInit, AddModinfoAttrs, UsageLinks]);
        load.extend(only(self.sections_can_fail, SectAttrs));
        load.extend(only(!self.uevent_after_init, Uevent));
        load.extend(only(self.codetag_can_fail, Codetag));
        load.extend([Init, SetLive]);
        load.extend(only(self.uevent_after_init, Uevent));
        load.extend([AsyncSynchronize, DropInitial]);
        load.extend(only(self.fails_after_live, ReadOnly));
        load.push(WakeLive);
        let free = vec![
            SetGoing,
            RemoveModinfoAttrs,
            SysfsFini,
            SetUnformed,
            UnloadFree,
            ListDel,
            WakeFreed,
        ];
        OrderRules { load, free, failure_wakes: true }
    }
}

/// What texts come to where no switch says it.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Patched {
    /// About a listed name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<ListedRules>,
    /// About the list of modules, before and after modprobe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckRules>,
    /// How modprobe looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<LookRules>,
    /// In which order modules are loaded and freed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<OrderRules>,
    /// Programs that are called as modprobe, in place of the release's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<Learned>,
}

impl Patched {
    /// Whether switches say everything.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Which functions are as a patch has them.
    pub fn in_words(&self) -> String {
        let Self { listed, check, look, orders, binaries: _ } = self;
        let all = [
            (listed.is_some(), "add_unformed_module() and finished_loading()"),
            (check.is_some(), "__request_module()"),
            (look.is_some(), "modprobe's look at /sys/module"),
            (orders.is_some(), "the order in which a module is loaded and freed"),
        ];
        let which: Vec<&str> =
            all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
        which.join(", ")
    }
}
