//! Steps in the words of the text.

use kmodcheck_explore::{Configuration, Kind, Local, Shared, WayOut};

use super::Program;
use super::question::kinds;
use crate::graph::code::{ActionKind, Instr, Runs};
use crate::graph::locks::lock_in_words;
use crate::machine::{Label, Tale, Told};
use crate::text::syntax::Span;
use crate::text::wrong::position;

/// Most characters of the text that a line shows.
const SHOWN: usize = 70;

/// A part of a text in one line.
pub(crate) fn excerpt(text: &str, span: Span) -> String {
    let text = text.get(span.start..span.end).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}

/// An instruction that came to no value, by its text.
pub(crate) fn in_words(text: String, instr: &Instr) -> String {
    match instr {
        Instr::Act(action) if action.kind == ActionKind::Turn => format!("{text}: goes round"),
        _ => text,
    }
}

/// Something that a process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who: `P0`, or whoever runs a work item.
    pub process: String,
    /// In which line of the text, from 1.
    pub line: usize,
    /// The text there, and what came of it.
    pub what: String,
}

impl Program {
    /// What a process is called.
    pub(super) fn process_in_words(&self, process: usize) -> String {
        let kind = self.machine.processes[process];
        match &self.machine.kinds[kind].body.runs {
            // Those of one kind have the code of the first.
            Runs::Process(_) => format!("P{process}"),
            Runs::Worker(work) => format!("worker of {work}"),
            Runs::Async(function, _) => format!("{function}()"),
        }
    }

    fn text_of(&self, span: Span) -> String {
        excerpt(&self.text, span)
    }

    /// One step: a line for each action.
    pub(super) fn step_in_words(
        &self,
        process: usize,
        shared: Shared,
        local: Local,
        label: Label,
    ) -> Vec<Line> {
        let kind = self.machine.processes[process];
        let told = self.machine.told(Kind(kind as u8), shared, local, label);
        told.iter().map(|told| self.line(process, kind, told)).collect()
    }

    fn line(&self, process: usize, kind: usize, told: &Told) -> Line {
        let body = &self.machine.kinds[kind].body;
        let span = self.machine.spans[process][told.pc];
        let text = self.text_of(span);
        let what = match &told.what {
            Tale::Did(None) => in_words(text, &body.code[told.pc]),
            Tale::Did(Some(value)) => {
                let pointer = body.code[told.pc].gives_address(&self.machine.cells);
                format!("{text} == {}", self.value_in_words(*value, pointer))
            }
            Tale::Ended(WayOut::TimeOut) => format!("{text}: the time is over"),
            Tale::Ended(_) => format!("{text}: a signal"),
            Tale::Sleeps => format!("{text}: falls asleep"),
            Tale::Failed(why) => format!("{text}: {why}"),
        };
        let (line, _) = position(&self.text, span.start);
        Line { process: self.process_in_words(process), line, what }
    }

    pub(super) fn value_in_words(&self, value: i64, pointer: bool) -> String {
        let name = usize::try_from(value - 1).ok().and_then(|i| self.addresses.get(i));
        match name {
            Some(name) if pointer => format!("&{name}"),
            _ if pointer && value == 0 => "NULL".to_owned(),
            _ => value.to_string(),
        }
    }

    /// Where everybody stands who has not come to an end, and who holds what is waited for.
    pub(super) fn waits(&self, state: &Configuration) -> Vec<Line> {
        let mut lines = Vec::new();
        for (process, kind) in kinds(&self.machine).enumerate() {
            let kind = usize::from(kind.0);
            let local = state.locals[process];
            let Some((instr, span)) = self.machine.at(process, local) else { continue };
            let doing = match instr {
                Instr::Exit | Instr::End => continue,
                Instr::Asleep { .. } => "asleep".to_owned(),
                Instr::Act(action) => match action.lock() {
                    Some(lock) => match self.holder(state, lock) {
                        Some(holder) => format!("held by {holder}"),
                        None => "waits".to_owned(),
                    },
                    None => "waits".to_owned(),
                },
                _ => "goes on".to_owned(),
            };
            let idle = matches!(self.machine.kinds[kind].body.runs, Runs::Worker(_))
                && self.machine.is_at_rest(kind, local);
            if idle {
                continue;
            }
            let (line, _) = position(&self.text, span.start);
            let what = format!("{}: {doing}", self.text_of(span));
            lines.push(Line { process: self.process_in_words(process), line, what });
        }
        lines
    }

    /// Who holds a lock, and how.
    fn holder(&self, state: &Configuration, lock: i64) -> Option<String> {
        kinds(&self.machine).enumerate().find_map(|(process, kind)| {
            let held = self.machine.held(usize::from(kind.0), state.locals[process]);
            let held = held?.iter().find(|held| held.lock == lock)?;
            let what = lock_in_words(*held, &self.machine.cells);
            Some(format!("{} ({what})", self.process_in_words(process)))
        })
    }

    /// Where the program was read from.
    pub fn file(&self) -> &str {
        &self.file
    }
}
