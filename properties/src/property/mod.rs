//! The properties. Each is a statement about single transitions and what a caller remembers, so that
//! any explorer can decide it; only [`Property::NobodySleepsForEver`] speaks of the whole state
//! graph. Each has a file, in which all of it stands.

mod blocked_is_never_loaded;
mod get_fs_type_finds_it;
mod init_runs_once_per_request;
mod lifecycle_and_sysfs;
mod modprobe_tells_the_truth;
mod no_false_alarm;
mod no_false_failure;
mod no_false_success;
mod no_false_success_strong;
mod no_needless_userspace;
mod nobody_sleeps_for_ever;
mod the_check_catches_it;
mod udev_finds_it_initialised;
mod view;

use std::borrow::Cow;

use kmodcheck_model::{History, Model};

use view::{Decided, Definition, Reads};
pub use view::{Says, View};

/// The enum, the list and the table of all properties, from one list of them.
macro_rules! properties {
    ($($(#[doc = $doc:literal])+ $name:ident: $file:ident,)+) => {
        /// A property.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Property {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Property {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            const fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$name => &$file::DEFINITION,)+
                }
            }
        }
    };
}

properties! {
    /// 0 means that it was there.
    NoFalseSuccess: no_false_success,
    /// 0 means that it is there.
    NoFalseSuccessStrong: no_false_success_strong,
    /// Exit 0 means that it was there.
    ModprobeTellsTheTruth: modprobe_tells_the_truth,
    /// A lie does not pass the check.
    TheCheckCatchesIt: the_check_catches_it,
    /// What is there passes the check.
    NoFalseAlarm: no_false_alarm,
    /// NULL has a reason.
    GetFsTypeFindsIt: get_fs_type_finds_it,
    /// What is LIVE needs no modprobe.
    NoNeedlessUserspace: no_needless_userspace,
    /// States, sysfs and list fit together.
    LifecycleAndSysfs: lifecycle_and_sysfs,
    /// Every sleeper can be woken.
    NobodySleepsForEver: nobody_sleeps_for_ever,
    /// Who reacts to the uevent finds the module ready.
    UdevFindsItInitialised: udev_finds_it_initialised,
    /// An error has a reason.
    NoFalseFailure: no_false_failure,
    /// What modprobe's configuration keeps out stays out.
    BlockedIsNeverLoaded: blocked_is_never_loaded,
    /// Who has waited for an init does not run it again.
    InitRunsOncePerRequest: init_runs_once_per_request,
}

impl Property {
    /// The one that is told first of a system.
    pub const HEADLINE: Self = Self::NoFalseSuccess;

    /// The name used on the command line and in machine output.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// One letter, for tables.
    pub fn letter(self) -> char {
        self.definition().letter
    }

    /// The property of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// What it says, in one sentence.
    pub fn statement(self) -> &'static str {
        self.definition().statement
    }

    /// Where the statement comes from.
    pub fn source(self) -> &'static str {
        self.definition().source
    }

    /// The cases in which its premise can be met.
    pub fn branches(self) -> &'static [&'static str] {
        self.definition().branches
    }

    /// Whether the property speaks of what this model does at all.
    pub fn applies(self, model: &Model) -> bool {
        (self.definition().applies)(model)
    }

    /// Those that speak of what some built-in system does: of these are the tables and the records of the
    /// matrices.
    pub fn of_built_in_systems() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.into_iter().filter(|p| p.definition().built_in)
    }

    /// Whether it speaks of single steps, so that it can be proved for any number of callers.
    pub fn is_safety(self) -> bool {
        matches!(self.definition().decided, Decided::BySteps(_))
    }

    /// Whether it is asked of what the process that steps remembers of others' steps, or only of the step.
    pub fn reads_history(self) -> bool {
        self.definition().reads != Reads::Nothing
    }

    /// Those that read why attempts to load failed, which makes more states for all the others: they
    /// are decided in a search of their own.
    pub fn of_failures() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.into_iter().filter(|p| p.reads_failures())
    }

    /// Whether it is one of [`Property::of_failures`].
    pub fn reads_failures(self) -> bool {
        self.definition().reads == Reads::Failures
    }

    /// Whether a certificate can be made of it: its model remembers what the property reads.
    pub fn is_certifiable(self) -> bool {
        self.is_safety() && self.definition().reads != Reads::Failures
    }

    /// Whether `model` remembers what the property reads; where not, it says nothing.
    pub fn is_remembered(self, model: &Model) -> bool {
        match self.definition().reads {
            Reads::Nothing => true,
            Reads::Loads => model.history().loads(),
            Reads::Failures => model.history().failures(),
        }
    }

    /// The model with callers that remember what the property reads.
    ///
    /// # Panics
    /// Never: either history alone fits where the model does.
    pub fn remembering(self, model: &Model) -> Cow<'_, Model> {
        if self.is_remembered(model) {
            return Cow::Borrowed(model);
        }
        let history = match self.definition().reads {
            Reads::Failures => History::Failures,
            Reads::Nothing | Reads::Loads => History::Loads,
        };
        Cow::Owned(model.remembering(history).expect("a model of either history fits"))
    }

    /// What the property says of one transition.
    pub fn says(self, view: &View<'_>) -> Says {
        match self.definition().decided {
            Decided::BySteps(says) if self.is_remembered(view.model) => says(view),
            Decided::BySteps(_) | Decided::OnTheGraph => Says::Nothing,
        }
    }
}

impl View<'_> {
    /// Those of `properties` that the step violates, one bit each; none of those that read what the
    /// model does not remember.
    pub fn violates<'p>(&self, properties: impl IntoIterator<Item = &'p Property>) -> u64 {
        let violated = |p: &&Property| matches!(p.says(self), Says::Violated(_));
        properties.into_iter().filter(violated).fold(0, |bits, p| bits | 1 << *p as u64)
    }
}
