//! A run beside its log: each line that the model explained, with the hidden steps in their places.

use std::fmt::Write;

use kmodcheck_model::Event;

use super::{Answer, Recording};
use crate::trace::accept::{RunStep, Verdict};

/// What the model does in one place of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A line, and the step that it is, if it is one.
    Line {
        /// Its number in the file.
        number: usize,
        /// The line.
        text: String,
        /// The step.
        step: Option<String>,
    },
    /// A step that the log does not show.
    Hidden {
        /// Which actor.
        actor: String,
        /// What it does.
        step: String,
    },
}

impl Recording {
    /// The number of the line at which the tracer lost events.
    pub fn lost_at(&self) -> Option<usize> {
        self.cast.cut.map(|line| self.cast.lines[line].number)
    }

    /// The actor in the words of the log.
    pub fn actor(&self, place: usize) -> String {
        match self.cast.players.iter().find(|p| usize::from(p.place) == place) {
            Some(player) => player.task.clone(),
            None => format!("process {place}"),
        }
    }

    fn step(&self, event: &Event) -> String {
        format!("{}: {}", event.function(), event.describe(self.model.scenario()))
    }

    fn shown(&self, run: &[RunStep<Event>]) -> Vec<Shown> {
        run.iter()
            .filter_map(|entry| {
                let step = entry.step.as_ref().map(|step| self.step(&step.label));
                match entry.observation {
                    Some(at) => self.cast.line_of(at).map(|line| Shown::Line {
                        number: line.number,
                        text: line.text.clone(),
                        step,
                    }),
                    None => step.map(|step| Shown::Hidden {
                        actor: self.actor(entry.step.map_or(0, |step| step.actor)),
                        step,
                    }),
                }
            })
            .collect()
    }
}

impl Answer {
    /// A run that gives the log, or its part before the line that is refused.
    pub fn run(&self, recording: &Recording) -> Vec<Shown> {
        match &self.verdict {
            Verdict::Accepted { run, .. } | Verdict::Refused { run, .. } => recording.shown(run),
        }
    }

    /// What the model allows where the log is refused: by actor, first the one of the line.
    pub fn allowed(&self, recording: &Recording) -> Vec<(String, String)> {
        let Verdict::Refused { possible, .. } = &self.verdict else { return Vec::new() };
        possible
            .iter()
            .map(|(actor, event)| (recording.actor(*actor), recording.step(event)))
            .collect()
    }

    /// All of it in words.
    pub fn text(&self, recording: &Recording, whole: bool) -> String {
        let mut out = String::new();
        if whole {
            for shown in self.run(recording) {
                match shown {
                    Shown::Line { number, text, step } => {
                        let _ = writeln!(out, "{number:5} {text}");
                        if let Some(step) = step {
                            let _ = writeln!(out, "      = {step}");
                        }
                    }
                    Shown::Hidden { actor, step } => {
                        let _ = writeln!(out, "      + {actor}: {step}");
                    }
                }
            }
        }
        match &self.verdict {
            Verdict::Accepted { .. } => {
                let states = self.states();
                let _ = writeln!(
                    out,
                    "{}: accepted: all {} events are a behaviour of the model, which may be in {states} \
                     state{} at the end",
                    recording.file,
                    recording.cast.observations.len(),
                    if states == 1 { "" } else { "s" }
                );
                if let Some(line) = recording.lost_at() {
                    let _ = writeln!(
                        out,
                        "{}:{line}: the tracer lost events here: what follows is not decided",
                        recording.file
                    );
                }
            }
            Verdict::Refused { at, .. } => {
                if let Some(line) = recording.cast.line_of(*at) {
                    let _ = writeln!(
                        out,
                        "{}:{}: refused: no run of the model goes on with\n    {}\nThe model allows there:",
                        recording.file, line.number, line.text
                    );
                }
                for (actor, step) in self.allowed(recording) {
                    let _ = writeln!(out, "    {actor}: {step}");
                }
            }
        }
        out
    }
}
