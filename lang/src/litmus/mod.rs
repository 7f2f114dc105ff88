//! Litmus tests: a program, a question about its final states, and the answer, as herd gives it.

mod answer;
mod ends;
mod question;
mod words;

use kmodcheck_explore::{Choice, Initial, Kind, Local, Queue, Shared, System};

pub use answer::{Agreement, Answer, Blocked, Observation, Outcome};
pub use ends::Failing;
pub use words::Line;
pub(crate) use words::{excerpt, in_words};

use crate::host::{Host, NoHost};
use crate::machine::{Label, Machine};
use crate::text::syntax::{Quantifier, Stated};
use crate::text::{TextError, parse};
use question::Question;

/// A program, compiled, with the question of its file. As a [`System`] it can be explored by any engine.
pub struct Program {
    /// What it is called.
    pub name: String,
    /// What the file says comes out.
    pub stated: Option<Stated>,
    file: String,
    text: String,
    machine: Machine,
    question: Question,
    addresses: Vec<String>,
}

impl Program {
    /// Reads and compiles a text. `file`: how it is called in errors.
    ///
    /// # Errors
    /// The first thing that is wrong, where it is, and what was expected.
    pub fn read(file: &str, text: &str) -> Result<Self, Box<TextError>> {
        Self::read_for(file, text, Box::new(NoHost))
    }

    /// The same, with a host that answers for functions of its own.
    ///
    /// # Errors
    /// As of [`Program::read`].
    pub fn read_for(file: &str, text: &str, host: Box<dyn Host>) -> Result<Self, Box<TextError>> {
        let parsed = parse(file, text)?;
        let made = || {
            let observed = question::observed(&parsed)?;
            let (machine, names) = Machine::new(&parsed, &observed, host)?;
            let question = Question::new(&parsed, &machine, &names)?;
            let addresses = (1..=machine.cells.len() as i64).map(|address| {
                let cell = &machine.cells[(address - 1) as usize].name;
                names.at(address).unwrap_or(cell).to_owned()
            });
            let addresses = addresses.collect();
            Ok((machine, question, addresses))
        };
        let (machine, question, addresses) =
            made().map_err(|wrong: crate::text::wrong::Wrong| wrong.of(file, text))?;
        Ok(Self {
            name: parsed.name.clone(),
            stated: parsed.stated,
            file: file.to_owned(),
            text: text.to_owned(),
            machine,
            question,
            addresses,
        })
    }

    /// With every access as a step of its own, also where steps could be merged because nobody can tell.
    #[must_use]
    pub fn every_access_a_step(mut self) -> Self {
        self.machine.merges = false;
        self
    }

    /// What the file asks, if it asks.
    pub fn quantifier(&self) -> Option<Quantifier> {
        self.question.quantifier
    }

    /// How many processes there are, work items and runs of asynchronous functions included.
    pub fn processes(&self) -> usize {
        self.machine.processes.len()
    }

    /// How many kinds of processes: those of one kind can be exchanged.
    pub fn kinds(&self) -> usize {
        self.machine.kinds.len()
    }

    /// The value of a shared variable, by its name (`x`, `a[1]`, `s.f`), in a shared state.
    pub fn value(&self, name: &str, shared: Shared) -> Option<i64> {
        let cell = self.machine.cells.iter().position(|cell| cell.name == name)?;
        Some(self.machine.value(cell, shared))
    }
}

impl System for Program {
    type Label = Label;

    fn shared_bits(&self) -> u32 {
        self.machine.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.machine.local_bits()
    }

    fn initial(&self) -> Initial {
        self.machine.initial()
    }

    fn step(&self, kind: Kind, shared: Shared, local: Local, choices: &mut Vec<Choice<Label>>) {
        self.machine.step(kind, shared, local, choices);
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.machine.dormant(kind)
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        self.machine.wake(kind, local, queue)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.machine.returned(kind, local)
    }
}
