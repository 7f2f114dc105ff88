//! Programs that a host runs beside steps of its own: it decides when a process is at one of them, lays their
//! states into its own, and answers for what they call, in as many steps as it takes.

use std::fmt;
use std::ops::Range;

use kmodcheck_explore::{Effect, Footprint, Queue, Shared, WayOut};

use crate::graph::code::{ActionKind, Instr, Runs};
use crate::graph::domain::Domain;
use crate::graph::locks::lock_in_words;
use crate::host::{External, Host};
use crate::litmus::{excerpt, in_words};
use crate::machine::{FAILED, Machine, Tale};
use crate::text::syntax::{File, Item, Span};
use crate::text::wrong::Wrong;
use crate::text::{Macro, TextError, calls_with_text, declarations, program};

/// A text with what a reader calls it: `init of aes`.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'t> {
    /// What it is called in errors.
    pub name: &'t str,
    /// The text.
    pub text: &'t str,
}

/// Texts of a host's programs.
#[derive(Clone, Debug)]
pub struct Sources<'t> {
    /// What the programs share (types, variables, locks, functions), then the statements of each.
    pub pieces: Vec<Piece<'t>>,
    /// What the host has words for that are several others.
    pub macros: &'static [Macro],
}

/// What is wrong with one of the pieces of a host's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceError {
    /// Which: 0 is what they share, the first program is 1.
    pub piece: usize,
    /// What, with places of that piece.
    pub error: Box<TextError>,
}

impl fmt::Display for PieceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for PieceError {}

/// A call that begins with a text in quotes: `request_module("fs-ext4")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The piece in which it stands.
    pub piece: usize,
    /// The function.
    pub function: String,
    /// The text.
    pub text: String,
    /// Where the text stands in the piece, quotes included.
    pub at: Range<usize>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The program's: it steps, or waits.
    Own,
    /// The host's: it has to answer a call, with [`Programs::answered`].
    Calls {
        /// The number of what is called.
        external: usize,
        /// The statement.
        statement: u16,
    },
    /// Nobody's: the program has come to that.
    Over(i64),
    /// Nobody's: an assertion failed, or a value was beyond its range.
    Failed,
}

/// What came of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    /// It was done.
    Done,
    /// It came to a value.
    To(i16),
    /// Its time was over.
    TimedOut,
    /// A signal ended it.
    Signalled,
    /// It fell asleep.
    Asleep,
    /// It cannot be done.
    Failed,
}

/// One way for a program to step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What the programs share, afterwards.
    pub shared: Shared,
    /// The program's own state afterwards.
    pub local: u64,
    /// What it does to others: queues of the programs, and kinds as of [`Programs::started`].
    pub effect: Effect,
    /// An ordinary step, or a way out.
    pub way_out: WayOut,
    /// What was read and written of what they share.
    pub footprint: Footprint,
    /// The statement.
    pub statement: u16,
    /// What came of it.
    pub came: Came,
}

/// A process that programs start: of a work item, or an asynchronous function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its kind.
    pub kind: usize,
    /// What it is called.
    pub name: String,
    /// Where it is at first; `None`: it is not there until it is started.
    pub local: Option<u64>,
}

/// Programs and what they share, compiled.
pub struct Programs {
    machine: Machine,
    text: Text,
    programs: usize,
}

/// All pieces in one.
struct Text {
    all: String,
    pieces: Vec<(String, Range<usize>)>,
}

impl Text {
    fn new(pieces: &[Piece<'_>]) -> Self {
        let (mut all, mut places) = (String::new(), Vec::new());
        for piece in pieces {
            let start = all.len();
            all.push_str(piece.text);
            places.push((piece.name.to_owned(), start..all.len()));
            all.push('\n');
        }
        Self { all, pieces: places }
    }

    /// The piece of a place; of none, the first.
    fn piece(&self, at: usize) -> usize {
        self.pieces.iter().position(|(_, of)| (of.start..=of.end).contains(&at)).unwrap_or(0)
    }

    fn error(&self, wrong: Wrong) -> PieceError {
        let piece = self.piece(wrong.span.start);
        let (name, of) = &self.pieces[piece];
        let here = |span: Span| Span {
            start: span.start.saturating_sub(of.start).min(of.len()),
            end: span.end.saturating_sub(of.start).min(of.len()),
        };
        let also = wrong.also.into_iter().filter(|(span, _)| self.piece(span.start) == piece);
        let wrong = Wrong {
            also: also.map(|(span, what)| (here(span), what)).collect(),
            span: here(wrong.span),
            ..wrong
        };
        PieceError { piece, error: wrong.of(name, &self.all[of.clone()]) }
    }
}

/// A host of which a program knows no more than what it can call.
struct Answering {
    externals: Vec<External>,
    processes: usize,
}

impl Host for Answering {
    fn externals(&self) -> &[External] {
        &self.externals
    }

    fn processes(&self) -> usize {
        self.processes
    }
}

/// The calls in some texts that begin with a text in quotes, those that macros make included.
///
/// # Errors
/// A piece that has no words of C.
pub fn calls(sources: &Sources<'_>) -> Result<Vec<Called>, PieceError> {
    let text = Text::new(&sources.pieces);
    let mut calls = Vec::new();
    for (piece, (_, of)) in text.pieces.iter().enumerate() {
        let found = calls_with_text(&text.all, of.clone(), sources.macros)
            .map_err(|wrong| text.error(wrong))?;
        for (function, called, span) in found {
            let at = span.start - of.start..span.end - of.start;
            let call = Called { piece, function, text: called, at };
            // A macro may say the same twice.
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
    }
    Ok(calls)
}

impl Programs {
    /// The state of a program that has failed.
    pub const FAILED: u64 = FAILED;

    /// Compiles programs. `processes`: at most so many run them at a time.
    ///
    /// # Errors
    /// The first thing that is wrong, in which piece, and where.
    pub fn compile(
        sources: &Sources<'_>,
        externals: Vec<External>,
        processes: usize,
    ) -> Result<Self, PieceError> {
        let text = Text::new(&sources.pieces);
        let macros = sources.macros;
        let made = || {
            let mut file = File {
                name: String::new(),
                stated: None,
                initial: Vec::new(),
                items: Vec::new(),
                locations: Vec::new(),
                filter: None,
                condition: None,
            };
            for (number, (_, of)) in text.pieces.iter().enumerate() {
                match number.checked_sub(1) {
                    None => file.items = declarations(&text.all, of.clone(), macros)?,
                    Some(number) => {
                        let process = program(&text.all, of.clone(), number, macros)?;
                        file.items.push(Item::Process(process));
                    }
                }
            }
            let host = Answering { externals, processes };
            let (mut machine, _) = Machine::new(&file, &[], Box::new(host))?;
            machine.merges = false;
            if !machine.grace_periods.is_empty() {
                let found = "found a wait for a grace period of RCU";
                let expected = "expected none: which readers it waits for is known of processes \
                                that are there once only";
                return Err(Wrong::new(Span::default(), found, expected));
            }
            Ok(machine)
        };
        let machine = made().map_err(|wrong| text.error(wrong))?;
        Ok(Self { machine, programs: sources.pieces.len() - 1, text })
    }

    /// How many programs there are; those are the first kinds.
    pub fn len(&self) -> usize {
        self.programs
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.programs == 0
    }

    /// Bits of what they share.
    pub fn shared_bits(&self) -> u32 {
        self.machine.own_bits
    }

    /// Bits of a process that is at one of them.
    pub fn local_bits(&self) -> u32 {
        self.machine.kinds.iter().map(|kind| kind.bits).max().unwrap_or_default()
    }

    /// Where what they share begins.
    pub fn initial(&self) -> Shared {
        self.machine.initial_cells()
    }

    /// Where a process begins that is of a kind.
    pub fn begins(&self, kind: usize) -> u64 {
        self.machine.begins(kind)
    }

    /// Processes that programs start, one for each that there may be at a time.
    pub fn started(&self) -> Vec<Started> {
        let kinds = self.machine.processes[self.programs..].iter();
        let started = |kind: &usize| {
            let dormant = self.machine.is_function(*kind);
            let local = (!dormant).then(|| self.begins(*kind));
            Started { kind: *kind, name: self.name(*kind), local }
        };
        kinds.map(started).collect()
    }

    /// What a kind of processes is called.
    pub fn name(&self, kind: usize) -> String {
        match &self.machine.kinds[kind].body.runs {
            Runs::Process(number) => self.text.pieces[number + 1].0.clone(),
            Runs::Worker(work) => format!("worker of {work}"),
            Runs::Async(function, _) => format!("{function}()"),
        }
    }

    /// The values that a program may come to; `None`: any from the least to the most of a range.
    pub fn results(&self, kind: usize) -> Option<Vec<i64>> {
        let body = &self.machine.kinds[kind].body;
        match body.result.map(|reg| &body.registers[reg].domain) {
            Some(Domain::Listed(values)) => Some(values.clone()),
            Some(Domain::Range(..)) => None,
            None => Some(vec![0]),
        }
    }

    /// Whose turn it is.
    pub fn turn(&self, kind: usize, local: u64) -> Turn {
        if local == FAILED {
            return Turn::Failed;
        }
        let of = &self.machine.kinds[kind];
        let Some(rest) = of.rest(local) else { return Turn::Over(0) };
        match &of.body.code[rest.pc] {
            Instr::Act(action) => match action.kind {
                ActionKind::External(external, ..) => {
                    let statement = u16::try_from(rest.pc).unwrap_or(u16::MAX);
                    Turn::Calls { external, statement }
                }
                _ => Turn::Own,
            },
            Instr::Exit | Instr::End if of.body.result.is_some() => {
                let result = of.body.result.unwrap_or_default();
                Turn::Over(of.registers(rest, local)[result])
            }
            _ => Turn::Own,
        }
    }

    /// Whether a process need not go on.
    pub fn at_rest(&self, kind: usize, local: u64) -> bool {
        self.machine.is_at_rest(kind, local)
    }

    /// Appends every way in which a process can step, if it is its turn.
    pub fn step(&self, kind: usize, shared: Shared, local: u64, ways: &mut Vec<Way>) {
        let told = self.machine.ways(kind, shared, local);
        ways.extend(told.into_iter().map(|way| {
            let told = way.told.last();
            let statement = told.map_or(0, |told| u16::try_from(told.pc).unwrap_or(u16::MAX));
            let came = told.map_or(Came::Done, |told| match told.what {
                Tale::Did(None) => Came::Done,
                Tale::Did(Some(value)) => Came::To(i16::try_from(value).unwrap_or(i16::MAX)),
                Tale::Ended(WayOut::TimeOut) => Came::TimedOut,
                Tale::Ended(_) => Came::Signalled,
                Tale::Sleeps => Came::Asleep,
                Tale::Failed(_) => Came::Failed,
            });
            Way {
                shared: way.shared,
                local: way.local,
                effect: way.effect,
                way_out: way.way_out,
                footprint: way.footprint,
                statement,
                came,
            }
        }));
    }

    /// Where a process goes on whose call has come to a value: the host has answered it.
    pub fn answered(&self, kind: usize, local: u64, result: i64) -> u64 {
        self.machine.answered(kind, local, result)
    }

    /// Where a process goes on that a queue of the programs has woken; `None`: it does not sleep there.
    pub fn woken(&self, kind: usize, local: u64, Queue(queue): Queue) -> Option<u64> {
        self.machine.woken(kind, local, queue)
    }

    /// A statement as it is written, and what came of it.
    pub fn in_words(&self, kind: usize, statement: u16, came: Came) -> String {
        let body = &self.machine.kinds[kind].body;
        let Some(span) = body.spans.get(usize::from(statement)) else { return "?".to_owned() };
        let text = excerpt(&self.text.all, *span);
        let pc = usize::from(statement);
        match came {
            Came::Done => in_words(text, &body.code[pc]),
            Came::To(value) => {
                let pointer = body.code[pc].gives_address(&self.machine.cells);
                match usize::try_from(value - 1).ok().and_then(|at| self.machine.cells.get(at)) {
                    Some(cell) if pointer => format!("{text} == &{}", cell.name),
                    _ => format!("{text} == {value}"),
                }
            }
            Came::TimedOut => format!("{text}: the time is over"),
            Came::Signalled => format!("{text}: a signal"),
            Came::Asleep => format!("{text}: falls asleep"),
            Came::Failed => format!("{text}: fails"),
        }
    }

    /// The statement at which a process is, as it is written, in which line of its piece, and how a process
    /// waits there: asleep, or for a lock, by its address.
    pub fn stands(&self, kind: usize, local: u64) -> Option<Standing> {
        let of = &self.machine.kinds[kind];
        let pc = of.rest(local)?.pc;
        let span = of.body.spans[pc];
        let (asleep, lock) = match &of.body.code[pc] {
            Instr::Asleep { .. } => (true, None),
            Instr::Act(action) => (false, action.lock()),
            _ => (false, None),
        };
        Some(Standing { text: excerpt(&self.text.all, span), asleep, lock })
    }

    /// The locks that a process holds, by address, each in words.
    pub fn holds(&self, kind: usize, local: u64) -> Vec<(i64, String)> {
        let held = self.machine.held(kind, local).into_iter().flatten();
        held.map(|held| (held.lock, lock_in_words(*held, &self.machine.cells))).collect()
    }

    /// Whether some variable counts processes, as that of a semaphore does: then how many there may be has to be known.
    pub fn counts_processes(&self) -> bool {
        let counts = |domain: &Domain| matches!(domain, Domain::Range(0, most) if *most > 1);
        self.machine.cells.iter().any(|cell| cell.hidden && counts(&cell.domain))
    }

    /// The variables that they share: name, place in the shared bits, and how many bits.
    pub fn shared_fields(&self) -> Vec<(String, u32, u32)> {
        let fields = self.machine.cells.iter().zip(&self.machine.shared);
        let fields = fields.filter(|(_, bits)| bits.width > 0);
        fields.map(|(cell, bits)| (cell.name.clone(), bits.shift, bits.width)).collect()
    }

    /// The variables that they share and somebody else may read, with their values.
    pub fn values(&self, shared: Shared) -> Vec<(&str, i64)> {
        let cells = self.machine.cells.iter().enumerate();
        let cells = cells.filter(|(_, cell)| !cell.hidden);
        cells.map(|(at, cell)| (cell.name.as_str(), self.machine.value(at, shared))).collect()
    }

    /// The count of asynchronous functions that are scheduled and have not ended, by the number of its cell and its bits;
    /// `None`: nobody schedules any.
    pub fn asynchronous(&self) -> Option<(usize, Shared)> {
        let cell = self.machine.asynchronous?;
        Some((cell, self.machine.bits(cell)))
    }

    /// The value of a cell, by its number.
    pub fn cell(&self, cell: usize, shared: Shared) -> i64 {
        self.machine.value(cell, shared)
    }

    /// The value of a shared variable, by its name (`x`, `a[1]`, `s.f`).
    pub fn value(&self, name: &str, shared: Shared) -> Option<i64> {
        let cell = self.machine.cells.iter().position(|cell| cell.name == name)?;
        Some(self.machine.value(cell, shared))
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programs").field("programs", &self.programs).finish_non_exhaustive()
    }
}

/// Where a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The statement, as it is written.
    pub text: String,
    /// It sleeps until it is woken.
    pub asleep: bool,
    /// It waits for that lock, by address.
    pub lock: Option<i64>,
}
