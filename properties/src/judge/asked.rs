//! What a scenario asks besides the built-in properties: conditions of its own, which results its actors may have,
//! and of programs that their assertions hold and that no code is freed in which one of them is.

use kmodcheck_explore::Step;
use kmodcheck_model::event::Came;
use kmodcheck_model::program::Call;
use kmodcheck_model::scenario::{Action, ModuleId, When};
use kmodcheck_model::{Event, Model};

use super::results::{call, possible, returns};

/// Something that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    /// [`kmodcheck_model::scenario::Scenario::asks`], by place.
    Own(usize),
    /// No assertion of a program fails, and no variable leaves its range.
    Assertions,
    /// Nobody is in a module's code when it is freed.
    Inside,
}

/// A question and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    question: Question,
    /// What it is called.
    pub name: String,
    /// What it says, in a sentence.
    pub statement: String,
    /// Whether it is that some state is so: then a run to one is no violation, and its absence is.
    pub exists: bool,
    /// Whether it reads how many programs are in a module's code, which is counted up to a limit where there is any
    /// number of callers: of more than that many, nothing could be proved by it.
    pub counts: bool,
}

/// Everything that is asked of a model.
pub fn questions(model: &Model) -> Vec<Asked> {
    let scenario = model.scenario();
    let mut all: Vec<Asked> = Vec::new();
    for (at, ask) in scenario.asks.iter().enumerate() {
        let statement = match (ask.statement.is_empty(), ask.when) {
            (false, _) => ask.statement.clone(),
            (true, When::Never) => format!("Never: {}", ask.condition),
            (true, When::Always) => format!("Always: {}", ask.condition),
            (true, When::Exists) => format!("At some time: {}", ask.condition),
            (true, When::Returns) => format!(
                "{} comes to nothing but {}",
                call(scenario, usize::from(ask.actor)),
                ask.results.join(", ")
            ),
        };
        let exists = ask.when == When::Exists;
        let counts = ask.condition.contains("inside");
        let (question, name) = (Question::Own(at), ask.name.clone());
        all.push(Asked { question, name, statement, exists, counts });
    }
    let mut built_in = |question: Question, name: &str, statement: &str| {
        let (name, statement) = (name.to_owned(), statement.to_owned());
        // (Whether anybody is inside, it is known of any number.)
        all.push(Asked { question, name, statement, exists: false, counts: false });
    };
    if let Some(ready) = scenario.programs.ready() {
        built_in(
            Question::Assertions,
            "assertions-hold",
            "No assertion of a program fails, and no variable leaves its range.",
        );
        if ready.calls().iter().any(|call| matches!(call, Call::Enter(_))) {
            built_in(
                Question::Inside,
                "nobody-is-inside-when-freed",
                "No module is freed while somebody is in its code.",
            );
        }
    }
    all
}

impl Asked {
    /// Whether a step shows it: that it is violated, or of one that some state is so, that it is.
    pub(super) fn shows(&self, model: &Model, step: &Step<Event>) -> bool {
        let scenario = model.scenario();
        match self.question {
            Question::Own(at) => match scenario.asks[at].when {
                When::Returns => {
                    let ask = &scenario.asks[at];
                    let actor = usize::from(ask.actor);
                    returns(model, step).is_some_and(|(who, result)| {
                        let words = result.in_words(scenario.actors[actor].action);
                        who == actor && !ask.results.contains(&words)
                    })
                }
                When::Always => !model.is_so(at, step.after),
                When::Exists | When::Never => model.is_so(at, step.after),
            },
            Question::Assertions => {
                matches!(step.label, Event::Statement { came: Came::Failed, .. })
                    || failed(model, step)
            }
            Question::Inside => {
                freed(&step.label).is_some_and(|module| model.inside(step.before, module) > 0)
            }
        }
    }

    /// Whether the state in which everything begins shows it.
    pub(crate) fn shows_at_first(&self, model: &Model) -> bool {
        let Question::Own(at) = self.question else { return false };
        let initial = model.initial_shared();
        match model.scenario().asks[at].when {
            When::Returns => false,
            When::Always => !model.is_so(at, initial),
            When::Exists | When::Never => model.is_so(at, initial),
        }
    }
}

/// The questions that a step shows, one bit each, from `first` on.
pub(super) fn shown(all: &[Asked], model: &Model, step: &Step<Event>, first: usize) -> u64 {
    let numbered = all.iter().enumerate();
    numbered.fold(0, |bits, (at, asked)| bits | u64::from(asked.shows(model, step)) << (first + at))
}

/// The module that a step takes off the list.
fn freed(event: &Event) -> Option<ModuleId> {
    match event {
        Event::ListDel { module } | Event::Unlink { module } => Some(*module),
        _ => None,
    }
}

/// Whether a program fails by going on after a call, which is no statement of its own.
fn failed(model: &Model, step: &Step<Event>) -> bool {
    model.has_failed(step.kind.0, step.local_after)
        && !model.has_failed(step.kind.0, step.local_before)
}

/// Whether an actor's call could come to a result in these words; which it may come to, a scenario says so.
///
/// # Errors
/// What was found, and what there is.
pub fn is_result(model: &Model, actor: usize, words: &str) -> Result<(), String> {
    let action = model.scenario().actors[actor].action;
    let all = possible(model, actor).into_iter();
    let all: Vec<String> = all.map(|result| result.in_words(action)).collect();
    if all.iter().any(|result| result == words) {
        return Ok(());
    }
    let what = match action {
        Action::Program(_) => "one that the program can return",
        _ => "one of",
    };
    Err(format!("found result '{words}', expected {what}: {}", all.join(", ")))
}
