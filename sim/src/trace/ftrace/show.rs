//! A run beside its log: each line that the model explained, with the hidden steps in their places.

use std::fmt::Write;

use kmodcheck_model::Event;

use super::cast::Player;
use super::search::Entry;
use super::{Answer, COUNTED_STATES, Recording};

/// A modprobe that the kernel started, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Its command and process.
    pub modprobe: String,
    /// The calls, by command and process, that it belongs to in the run that is shown: one of these; none, if it
    /// belongs to no request.
    pub here: Vec<String>,
    /// The calls that it may belong to by the order of the lines alone, of which one run shows one.
    pub may_be: Vec<String>,
    /// What it was asked for.
    pub name: String,
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { modprobe, here, may_be, name } = self;
        match (here.as_slice(), may_be.as_slice()) {
            ([], _) => write!(f, "{modprobe}: belongs to no request"),
            ([caller], [_]) => write!(f, "{modprobe}: asked for {name} by {caller}"),
            ([caller], _) => {
                let others: Vec<&str> =
                    may_be.iter().filter(|other| *other != caller).map(String::as_str).collect();
                write!(
                    f,
                    "{modprobe}: asked for {name} by {caller} in the run that is shown; it may have been {}",
                    others.join(", ")
                )
            }
            _ => write!(f, "{modprobe}: asked for {name} by one of {}", here.join(", ")),
        }
    }
}

/// Of so many modprobes it is told without being asked for whose they are.
const TOLD: usize = 16;

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

    fn step(&self, event: &Event) -> String {
        format!("{}: {}", event.function(), event.describe(self.model.scenario()))
    }

    fn shown(&self, entry: &Entry) -> Option<Shown> {
        let step = entry.step.as_ref().map(|step| self.step(step));
        match entry.observation {
            Some(at) => self.cast.line_of(at).map(|line| Shown::Line {
                number: line.number,
                text: line.text.clone(),
                step,
            }),
            None => step.map(|step| Shown::Hidden { actor: entry.actor.clone(), step }),
        }
    }
}

impl Answer {
    /// A run that gives the log, or its part before the line that is refused.
    pub fn run(&self, recording: &Recording) -> Vec<Shown> {
        self.decided.run.iter().filter_map(|entry| recording.shown(entry)).collect()
    }

    /// The steps of that run, each with whether a line of the log shows it.
    pub fn steps(&self) -> impl Iterator<Item = (bool, &Event)> {
        let steps = self.decided.run.iter();
        steps.filter_map(|entry| Some((entry.observation.is_some(), entry.step.as_ref()?)))
    }

    /// What the model allows where the log is refused, by process.
    pub fn allowed(&self, recording: &Recording) -> Vec<(String, String)> {
        let possible = self.decided.possible.iter();
        possible.map(|(actor, event)| (actor.clone(), recording.step(event))).collect()
    }

    /// Whose each modprobe is that the kernel started, in the order in which they begin.
    pub fn whose(&self, recording: &Recording) -> Vec<Whose> {
        let cast = self.cast(recording);
        let players = |calls: u128| {
            cast.players
                .iter()
                .enumerate()
                .filter(move |(at, _)| calls >> at & 1 != 0)
                .map(|(_, p)| p)
        };
        let requests = |player: &Player| player.action.name();
        let tasks = |calls| players(calls).map(|player| player.task.clone()).collect();
        let whose = &self.decided.whose;
        let mut may_be: Vec<u128> = Vec::new();
        for (helper, here) in cast.helpers.iter().zip(whose) {
            let name = players(*here).find_map(requests);
            let same = |at: &usize| requests(&cast.players[*at]) == name;
            let bits = (0..cast.players.len()).filter(same).fold(0, |bits, at| bits | 1 << at);
            may_be.push(helper.callers & bits);
        }
        // A call starts one modprobe: what is one's for sure is no other's.
        let mut told = 0_u128;
        while let Some(sure) = (!cast.strangers)
            .then(|| may_be.iter().find(|calls| calls.count_ones() == 1 && **calls & told == 0))
            .flatten()
            .copied()
        {
            told |= sure;
            may_be.iter_mut().filter(|calls| **calls != sure).for_each(|calls| *calls &= !sure);
        }
        (cast.helpers.iter().zip(whose).zip(may_be))
            .map(|((helper, here), may_be)| Whose {
                modprobe: helper.task.clone(),
                here: tasks(*here),
                may_be: tasks(may_be),
                name: players(*here)
                    .find_map(requests)
                    .map(|name| cast.name(name).to_owned())
                    .unwrap_or_default(),
            })
            .collect()
    }

    /// The events of which the log has none although this run does what they tell of: they are taken
    /// not to have been recorded.
    pub fn not_recorded(&self, recording: &Recording) -> Vec<&'static str> {
        let mut missing: Vec<&'static str> = Vec::new();
        for entry in self.decided.run.iter().filter(|entry| entry.observation.is_none()) {
            let event = entry.step.as_ref().and_then(|step| recording.cast.would_tell(step));
            missing.extend(event.filter(|event| !missing.contains(event)));
        }
        missing.sort_unstable();
        missing
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
        let file = &recording.file;
        match self.decided.refused {
            None => {
                let states = match self.states() {
                    1 => "1 state".to_owned(),
                    COUNTED_STATES => format!("{COUNTED_STATES} states or more"),
                    states => format!("{states} states"),
                };
                let _ = writeln!(
                    out,
                    "{file}: accepted: all {} events are a behaviour of the model, which may be in \
                     {states} at the end",
                    self.cast(recording).observations.len(),
                );
                let whose = self.whose(recording);
                if whole || whose.len() <= TOLD {
                    for whose in whose {
                        let _ = writeln!(out, "    {whose}");
                    }
                } else {
                    let _ = writeln!(
                        out,
                        "    of {} modprobes, --show tells whose they are",
                        whose.len()
                    );
                }
                let hidden = self.steps().filter(|(seen, _)| !seen).count();
                if !whole && hidden > 0 {
                    let _ = writeln!(
                        out,
                        "    {hidden} steps that no line shows: --show puts them in their places"
                    );
                }
                let missing = self.not_recorded(recording);
                if !missing.is_empty() {
                    let missing = missing.join(", ");
                    let _ = writeln!(out, "{file}: taken not to have been recorded: {missing}");
                }
                if let Some(line) = self.undecided_line(recording) {
                    let _ = writeln!(
                        out,
                        "{file}:{line}: not decided from here on: what the lost events told may explain it",
                    );
                }
                if let Some(line) = recording.lost_at() {
                    let _ = writeln!(
                        out,
                        "{file}:{line}: the tracer lost events here: what follows is not decided",
                    );
                }
            }
            Some(at) => {
                if let Some(line) = recording.cast.line_of(at) {
                    let _ = writeln!(
                        out,
                        "{file}:{}: refused: no run of the model goes on with\n    {}\nThe model allows there:",
                        line.number, line.text
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
