//! What each call can come to: read off the steps by which a process becomes done.

use kmodcheck_explore::Sleep;
use kmodcheck_explore::Step;
use kmodcheck_model::scenario::{Action, Scenario};
use kmodcheck_model::{Event, Model, Pc, Ret};

use super::sleepers::in_words;

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallResult {
    /// It returns that.
    Returns(Ret),
    /// No ordinary step wakes it any more.
    Sleeps(Sleep),
}

impl CallResult {
    /// Every result that there is.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let returns = Ret::ALL.iter().copied().map(Self::Returns);
        returns.chain(Sleep::ALL.map(Self::Sleeps))
    }

    /// In the words of whoever calls: a shell sees modprobe's exit status.
    pub fn in_words(self, action: Action) -> String {
        match (self, action) {
            (Self::Sleeps(sleep), _) => in_words(sleep).to_owned(),
            (Self::Returns(ret), Action::Modprobe(_) | Action::ModprobeRemove(_)) => match ret {
                Ret::Zero => "exit 0".to_owned(),
                Ret::Status256 => "exit 1".to_owned(),
                ret => ret.to_string(),
            },
            (Self::Returns(Ret::Zero), Action::Udev(_)) => "initialised".to_owned(),
            (Self::Returns(ret), _) => ret.to_string(),
        }
    }
}

/// The actor whose call returns by that step, and what it returns.
pub(crate) fn returns(model: &Model, step: &Step<Event>) -> Option<(usize, Ret)> {
    let actor = usize::from(step.kind.0);
    if actor >= model.scenario().actors.len() || !model.returned(step.local_after) {
        return None;
    }
    let after = model.task(step.local_after);
    (after.pc == Pc::Done).then_some((actor, after.ret))
}

/// What an actor of the scenario calls, in words.
pub fn call(scenario: &Scenario, actor: usize) -> String {
    match scenario.actors[actor].action {
        Action::Udev(module) => format!("udev {}", scenario.module_name(module)),
        action => Event::Call { action }.describe(scenario).to_string(),
    }
}
