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
    /// The program returns that number.
    Comes(i16),
    /// No ordinary step wakes it any more.
    Sleeps(Sleep),
}

impl CallResult {
    /// Every result that an actor's call could have.
    pub(super) fn all(model: &Model, actor: usize) -> impl Iterator<Item = Self> {
        possible(model, actor).into_iter().chain(Sleep::ALL.map(Self::Sleeps))
    }

    /// In the words of whoever calls: a shell sees modprobe's exit status.
    pub fn in_words(self, action: Action) -> String {
        match (self, action) {
            (Self::Sleeps(sleep), _) => in_words(sleep).to_owned(),
            (Self::Comes(value), _) => kmodcheck_model::program::result_in_words(i64::from(value)),
            (
                Self::Returns(ret),
                Action::Modprobe(_) | Action::ModprobeRemove(_) | Action::Insmod(_),
            ) => match ret {
                Ret::Zero => "exit 0".to_owned(),
                Ret::Status256 => "exit 1".to_owned(),
                ret => ret.to_string(),
            },
            (Self::Returns(Ret::Zero), Action::Udev(_)) => "initialised".to_owned(),
            (Self::Returns(ret), _) => ret.to_string(),
        }
    }
}

/// Every value that an actor's call could come to, in the order in which they are counted.
pub(super) fn possible(model: &Model, actor: usize) -> Vec<CallResult> {
    let scenario = model.scenario();
    match (scenario.actors[actor].action, scenario.programs.ready()) {
        (Action::Program(program), Some(ready)) => {
            let values = ready.programs.results(usize::from(program)).unwrap_or_default();
            values
                .into_iter()
                .filter_map(|v| i16::try_from(v).ok())
                .map(CallResult::Comes)
                .collect()
        }
        _ => Ret::ALL.iter().copied().map(CallResult::Returns).collect(),
    }
}

/// The actor whose call returns by that step, and what it returns.
pub(crate) fn returns(model: &Model, step: &Step<Event>) -> Option<(usize, CallResult)> {
    let actor = usize::from(step.kind.0);
    if actor >= model.scenario().actors.len() || !model.returned(step.kind.0, step.local_after) {
        return None;
    }
    let after = model.task(step.local_after);
    if after.pc != Pc::Done {
        return None;
    }
    if let Some(value) = model.program_result(step.kind.0, step.local_after) {
        return Some((actor, CallResult::Comes(i16::try_from(value).unwrap_or(i16::MAX))));
    }
    Some((actor, CallResult::Returns(after.ret)))
}

/// What an actor of the scenario calls, in words.
pub fn call(scenario: &Scenario, actor: usize) -> String {
    match scenario.actors[actor].action {
        Action::Udev(module) => format!("udev {}", scenario.module_name(module)),
        Action::Program(program) => scenario.programs.all[usize::from(program)].name.clone(),
        action => Event::Call { action }.describe(scenario).to_string(),
    }
}
