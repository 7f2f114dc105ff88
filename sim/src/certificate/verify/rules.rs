//! What the checker insists on, rule by rule.

/// Declares the rules and lists them all.
macro_rules! rules {
    ($($(#[doc = $says:literal])+ $rule:ident,)+) => {
        /// A rule without which a claim that is false would be believed. Each is switched off by
        /// itself in `tests`, to see that it is needed; nothing but a test can switch one off.
        ///
        /// What is refused beyond these says something about nothing (an element that the table does
        /// not have, processes out of order): believed, it would do no harm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Rule {
            $($(#[doc = $says])+ $rule,)+
        }

        #[cfg(test)]
        impl Rule {
            /// All of them.
            pub(super) const ALL: &[Self] = &[$(Self::$rule,)+];
        }
    };
}

rules! {
    /// The processes of a kind in any number begin in one local state.
    BeginsAlike,
    /// Somebody of whom a property speaks comes in any number, so that he can wait while all others
    /// run: what the forgetful do is judged beside him.
    SomebodyWaits,
    /// A tagged process ends by its own steps only, if somebody forgets: or nobody may be left to wait.
    EndsByItself,

    /// The table has whoever comes from a step in any number.
    PutsArrive,
    /// The table has whoever stood by.
    BystandersArrive,
    /// The table goes on from everybody who arrives.
    TableIsClosed,

    /// No excluded element contains an initial configuration.
    NotInitial,
    /// No step leads into an excluded element from outside.
    Closed,
    /// Of what a step puts, only as much is not asked for before it as it puts.
    EveryPut,
    /// Whoever becomes one of an element's by a step may be whoever becomes that.
    EveryOrigin,

    /// The tagged process begins as one of those in any number.
    InitialOfCrowd,
    /// The tagged process begins in a slot.
    InitialInSlot,
    /// A step from a control state leads to one that is listed.
    Listed,
    /// No step of the tagged process is bad.
    TagJudged,
    /// No step of a forgetful process is bad.
    ForgetfulJudged,
    /// Whoever is spawned has a place.
    SpawnHasPlace,
    /// Whoever forgets spawns nobody whose history counts: that one would be tagged in no run.
    ForgetfulSpawnsForgetful,

    /// Without its history the tagged process is still somebody.
    AnonymousIsSomebody,
    /// What it does, and what it sees of that, does not depend on history.
    StepForgets,
    /// What it sees of the steps of others does not.
    SightForgets,
    /// Whether it is woken, and where it goes then, does not.
    WakeForgets,

    /// The tagged process steps.
    TagSteps,
    /// Those in slots step.
    SlotsStep,
    /// Those in any number step.
    CrowdSteps,
    /// Whoever steps sees what he has changed.
    ActorSees,
    /// The tagged process sees what others change.
    TagSees,
    /// Those in slots do.
    SlotsSee,
    /// Those in any number do.
    CrowdSees,
    /// A wake-up of all wakes the tagged process.
    AllWakesTag,
    /// It wakes those in slots.
    AllWakesSlots,
    /// It wakes those in any number.
    AllWakesCrowd,
    /// A wake-up of one may wake the tagged process.
    OneWakesTag,
    /// It may wake one in a slot.
    OneWakesSlot,
    /// It may wake one of those in any number.
    OneWakesCrowd,
    /// It wakes nobody where nobody sleeps.
    OneWakesNobody,
    /// The tagged process does not wake itself.
    TagSleepsOn,
    /// Whoever is in a slot does not wake himself.
    SlotSleepsOn,
    /// A spawned process is one more of those in any number.
    SpawnsIntoCrowd,
    /// A spawned process takes a slot.
    SpawnsIntoSlot,
    /// The slot of whoever spawns is not free, even if he ends by that.
    ActorHoldsSlot,
    /// Whom the tagged process spawns may be the tagged one from then on.
    HeirIsTagged,
    /// Then whoever was tagged before goes on in its slot.
    ParentStaysInSlot,
}
