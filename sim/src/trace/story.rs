//! A trace told for readers: who steps, in which function, what it changes in the shared state, whom
//! it wakes. Every renderer that shows the shared state draws from this, so they all say the same.

use kmodcheck_explore::concrete::{self, State};
use kmodcheck_explore::{Impossible, WayOut};
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::view::{ModuleView, SharedView};
use kmodcheck_model::{Event, Model, Role};
use schemars::JsonSchema;
use serde::Serialize;

use super::Trace;
use crate::Processes;

/// One actor of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ActorLine {
    /// `CPU0`, `CPU1`, ...: its place among the processes.
    pub cpu: String,
    /// What it is there for: `get_fs_type("ext4")`, `rmmod ext4`, `modprobe (nobody waits)`.
    pub what: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StoryStep {
    /// Who steps: an index into [`Story::actors`].
    pub actor: usize,
    /// Which of its alternatives, from 0.
    pub choice: u32,
    /// The function of the kernel or of kmod.
    pub function: &'static str,
    /// What happens.
    pub what: String,
    /// `time-out` or `killed`, if the step is a way out that the scenario grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<&'static str>,
    /// What changed in the shared state, in words.
    pub changes: Vec<String>,
    /// Whom the step wakes or starts: indices into [`Story::actors`].
    pub wakes: Vec<usize>,
    /// The shared state after the step.
    pub after: SharedView,
}

/// A trace, told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Story {
    /// The scenario's name.
    pub scenario: String,
    /// The property that the last step violates, and its statement; `None`: just a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violates: Option<Violated>,
    /// What it shows instead, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// Those who step or are woken, and all callers; by place among the processes.
    pub actors: Vec<ActorLine>,
    /// The shared state at first.
    pub initial: SharedView,
    /// The steps.
    pub steps: Vec<StoryStep>,
}

/// What the last step of a story violates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Violated {
    /// The property's name.
    pub property: String,
    /// Its statement.
    pub statement: String,
}

impl Violated {
    /// In one sentence.
    pub fn sentence(&self) -> String {
        format!("violates {}: {}", self.property, self.statement)
    }
}

impl Story {
    /// Takes every step of `trace` in the exact model and notes what there is to see.
    ///
    /// # Errors
    /// The first step that cannot be taken.
    pub fn tell(
        model: &Model,
        trace: &Trace,
        violates: Option<Violated>,
    ) -> Result<Self, Impossible<Event>> {
        let scenario = model.scenario();
        let system = Processes { model };
        let processes = State::initial(&system).processes;
        let mut steps = Vec::new();
        let mut seen = scenario.processes().max(1);
        concrete::replay(&system, trace, |_, t| {
            let (before, after) =
                (model.shared_view(t.before.shared), model.shared_view(t.after.shared));
            let at = |state: &State, i: usize| model.task(state.processes[i].1).pc;
            let wakes: Vec<usize> = (0..processes.len())
                .filter(|&i| i != t.actor && at(t.before, i) != at(t.after, i))
                .collect();
            seen = seen.max(t.actor + 1).max(wakes.last().map_or(0, |i| i + 1));
            steps.push(StoryStep {
                actor: t.actor,
                choice: t.ordinal,
                function: t.step.label.function(),
                what: t.step.label.describe(scenario).to_string(),
                way_out: match t.step.way_out {
                    WayOut::Ordinary => None,
                    WayOut::TimeOut => Some("time-out"),
                    WayOut::Killed => Some("killed"),
                },
                changes: changes(&before, &after),
                wakes,
                after,
            });
        })?;
        let kinds = processes[..seen].iter().map(|(kind, _)| kind.0);
        Ok(Self {
            scenario: scenario.name.clone(),
            violates,
            shows: None,
            actors: kinds
                .enumerate()
                .map(|(i, kind)| ActorLine { cpu: format!("CPU{i}"), what: role(model, kind) })
                .collect(),
            initial: model.shared_view(model.initial_shared()),
            steps,
        })
    }

    /// What its end comes to, in a sentence, if it is more than just a run.
    pub fn conclusion(&self) -> Option<String> {
        let violates = self.violates.as_ref().map(Violated::sentence);
        violates.or_else(|| Some(format!("shows: {}", self.shows.as_ref()?)))
    }

    /// How often one actor's step is followed by another's.
    pub fn switches(&self) -> usize {
        self.steps.windows(2).filter(|pair| pair[0].actor != pair[1].actor).count()
    }
}

/// What the processes of a kind are there for.
pub fn role(model: &Model, kind: u8) -> String {
    let scenario: &Scenario = model.scenario();
    let request = |name: u8| &scenario.names[usize::from(name)].request;
    match model.role(kind) {
        Role::Actor { action, .. } => Event::Call { action }.describe(scenario).to_string(),
        Role::Orphan(name) => format!("modprobe {} (nobody waits)", request(name)),
        Role::Kworker(name) => format!("kworker for \"{}\"", request(name)),
        Role::Started(kind) => {
            let ready = scenario.programs.ready();
            ready.map_or_else(String::new, |ready| ready.programs.name(usize::from(kind)))
        }
    }
}

/// What is different, in words short enough to stand beside a step.
pub fn changes(before: &SharedView, after: &SharedView) -> Vec<String> {
    let mut words = Vec::new();
    for (was, is) in before.modules.iter().zip(&after.modules) {
        module_changes(was, is, &mut words);
    }
    for (was, is) in before.duplicates.iter().zip(&after.duplicates) {
        if was != is {
            let result = is.result.as_ref().map_or(String::new(), |r| format!(" {r}"));
            words.push(format!("dup {} {}{result}", is.name, is.entry));
        }
    }
    if let (Some(was), Some(is)) = (&before.slots, &after.slots) {
        if was.value != is.value {
            words.push(format!("{} {}", is.counter, is.value));
        }
        if let (true, Some(waiters)) = (was.waiters != is.waiters, is.waiters) {
            words.push(format!("slot waiters {waiters}"));
        }
    }
    words
}

fn module_changes(was: &ModuleView, is: &ModuleView, words: &mut Vec<String>) {
    let name = &is.name;
    let sign = |there: bool| if there { '+' } else { '-' };
    if was.listed && is.listed && was.state != is.state {
        words.push(format!("{name} {}", is.state));
    } else if !was.listed && is.listed {
        words.push(format!("+list {name} {}", is.state));
    } else if was.listed && !is.listed {
        words.push(format!("-list {name}"));
    }
    if was.directory != is.directory {
        words.push(format!("{}{name}/", sign(is.directory)));
    }
    if was.initstate != is.initstate {
        words.push(format!("{}{name}/initstate", sign(is.initstate)));
    }
    if let (true, Some(there)) = (was.registered != is.registered, is.registered) {
        words.push(format!("{}fs of {name}", sign(there)));
    }
    if let (true, Some(count)) = (was.references != is.references, is.references) {
        words.push(format!("{name} refcnt {count}"));
    }
    if let (true, Some(true)) = (was.initialised != is.initialised, is.initialised) {
        words.push(format!("{name} initialised"));
    }
    if let (true, Some(runs)) = (was.in_finit != is.in_finit, is.in_finit) {
        words.push(format!("{}finit {name}", sign(runs)));
    }
}
