//! A second reading of the language: an interpreter that walks over the syntax tree, written from
//! docs/language.md alone and as plainly as possible. It shares nothing with the compiler but the parser.
//!
//! A process is what its requests have been answered: to find out what it does next it is run again from the
//! beginning, with the same answers. That is slow, and leaves nothing to be got wrong about where it was.

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_lang::text::syntax::{
    Base, Declaration, Defined, Entry, Expr, ExprKind, File, Function, Initial, Item, Location,
    Process, Unary,
};

mod answers;
mod walk;

use walk::Walker;

/// Pointers are numbers beyond all others.
const POINTERS: i64 = 1_000_000;

/// Something that a process asks of what is shared.
#[derive(Clone, Debug)]
enum Request {
    Read(String),
    Write(String, i64),
    /// Reads, and writes by the operator of that name; answered by the old value.
    Change(String, String, Vec<i64>),
    Choose(Vec<i64>),
    Lock {
        lock: String,
        signal: bool,
    },
    TryLock(String),
    Unlock(String),
    IsLocked(String),
    ReadLock {
        lock: String,
        signal: bool,
    },
    ReadUnlock(String),
    TryReadLock(String),
    WriteLock {
        lock: String,
    },
    WriteLockInLine {
        lock: String,
        signal: bool,
    },
    WriteUnlock(String),
    TryWriteLock(String),
    Downgrade(String),
    Down {
        semaphore: String,
        signal: bool,
        time: bool,
    },
    TryDown(String),
    Up(String),
    Complete(String),
    CompleteAll(String),
    Reinit(String),
    TryComplete(String),
    Completed(String),
    WaitCompletion {
        completion: String,
        signal: bool,
        time: bool,
    },
    Enqueue(String),
    Sleep {
        signal: bool,
        time: bool,
    },
    Wake(String),
    ReadSection(bool),
    GracePeriodBegins,
    GracePeriodEnds,
    Queue(String),
    Flush(String),
    FlushEnds(String),
    Cancel(String),
    Take(String),
    Done(String),
    Schedule(String, i64),
    AllAsynchronous,
}

/// Why the walk over the tree stops.
enum Stop {
    Wants(Request),
    Fails,
    Break,
    Continue,
    Return(i64),
    Goto(String),
}

type Walk<T> = Result<T, Stop>;

/// How a step comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Itself,
    Time,
    Signal,
}

/// Who runs what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    Process(usize),
    Work(String),
    Async(String, i64),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct One {
    runs: Runs,
    answers: Vec<i64>,
    /// The queue that it is on, and whether it was woken there.
    queue: Option<(String, bool)>,
    /// How many read-side critical sections it has entered, and whether it is in one.
    sections: u32,
    reading: bool,
    /// The readers that its grace period waits for.
    waits_for: Vec<(usize, u32)>,
    /// The run of a work item that it waits for.
    run: u32,
}

impl One {
    /// It has done nothing yet.
    fn new(runs: Runs) -> Self {
        Self {
            runs,
            answers: Vec::new(),
            queue: None,
            sections: 0,
            reading: false,
            waits_for: Vec::new(),
            run: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    cells: BTreeMap<String, i64>,
    /// Writers in line, by rw_semaphore.
    line: BTreeMap<String, BTreeSet<usize>>,
    /// By work item: how often it was queued, which run is pending, which is running, which was the last to end.
    works: BTreeMap<String, (u32, u32, u32, u32)>,
    all: Vec<One>,
}

/// What is known of a variable: the values that it may have, if that is declared.
#[derive(Clone, Copy, Debug)]
enum Holds {
    Any,
    Bool,
    Range(i64, i64),
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Found {
    /// The values of `locations`, of every final state.
    pub outcomes: BTreeSet<Vec<String>>,
    /// Somebody is blocked although all time limits are over and nobody else goes on; and: unless a time limit
    /// is over.
    pub blocked: bool,
    pub blocked_until_time_out: bool,
    pub fails: bool,
    pub states: usize,
}

/// A file, ready to be run.
pub struct Naive<'f> {
    file: &'f File,
    functions: BTreeMap<String, &'f Function>,
    processes: Vec<&'f Process>,
    works: Vec<(String, String)>,
    constants: BTreeMap<String, i64>,
    holds: BTreeMap<String, Holds>,
    cells: Vec<String>,
    initial: BTreeMap<String, i64>,
}

impl<'f> Naive<'f> {
    pub fn new(file: &'f File) -> Self {
        let mut naive = Self {
            file,
            functions: BTreeMap::new(),
            processes: Vec::new(),
            works: Vec::new(),
            constants: [("NULL", 0), ("HZ", 100)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            holds: BTreeMap::new(),
            cells: Vec::new(),
            initial: BTreeMap::new(),
        };
        for item in &file.items {
            match item {
                Item::Type(Defined::Enum(_, members)) => {
                    let mut next = 0;
                    for (name, value) in members {
                        next = value.as_ref().map_or(next, |value| naive.constant(value));
                        naive.constants.insert(name.text.clone(), next);
                        next += 1;
                    }
                }
                Item::Function(function) => {
                    naive.functions.insert(function.name.text.clone(), function);
                }
                Item::Process(process) => {
                    for _ in process.first..=process.last {
                        naive.processes.push(process);
                    }
                }
                Item::Macro(name, arguments) => {
                    let ExprKind::Name(declared) = &arguments[0].kind else { unreachable!() };
                    match (name.text.as_str(), &arguments[1..]) {
                        ("DEFINE_SEMAPHORE", [count]) => {
                            naive.cell(declared, naive.constant(count), Holds::Any);
                        }
                        ("DECLARE_WORK", [function]) => {
                            let ExprKind::Name(function) = &function.kind else { unreachable!() };
                            naive.works.push((declared.clone(), function.clone()));
                        }
                        _ => naive.cell(declared, 0, Holds::Any),
                    }
                }
                _ => {}
            }
        }
        for entry in &file.initial {
            if let Entry::Declared(declaration) = entry {
                naive.declare(declaration);
            }
        }
        for item in &file.items {
            if let Item::Shared(all) = item {
                all.iter().for_each(|declaration| naive.declare(declaration));
            }
        }
        for process in naive.processes.clone() {
            for parameter in &process.parameters {
                if !naive.initial.contains_key(&parameter.name.text) {
                    naive.cell(&parameter.name.text, 0, Holds::Any);
                }
            }
        }
        for entry in &file.initial {
            if let Entry::Shared(name, value) = entry {
                let value = naive.constant(value);
                naive.initial.insert(name.text.clone(), value);
            }
        }
        naive
    }

    fn cell(&mut self, name: &str, value: i64, holds: Holds) {
        self.cells.push(name.to_owned());
        self.initial.insert(name.to_owned(), value);
        self.holds.insert(name.to_owned(), holds);
    }

    fn declare(&mut self, declaration: &Declaration) {
        let holds = self.holds_of(declaration);
        let name = &declaration.name.text;
        let value = |this: &Self, initial: &Initial| match initial {
            Initial::Value(value) => this.constant(value),
            Initial::List(..) => unreachable!("no lists are generated"),
        };
        let initial = declaration.initial.as_ref().map_or(0, |initial| value(self, initial));
        match &declaration.elements {
            Some(elements) => {
                for i in 0..self.constant(elements) {
                    self.cell(&format!("{name}[{i}]"), 0, holds);
                }
            }
            None => self.cell(name, initial, holds),
        }
    }

    fn holds_of(&self, declaration: &Declaration) -> Holds {
        match &declaration.of.base {
            _ if declaration.of.pointers > 0 => Holds::Any,
            Base::Bool => Holds::Bool,
            Base::Bounded(least, most) => Holds::Range(*least, *most),
            Base::Int(Some((least, most))) => {
                Holds::Range(self.constant(least), self.constant(most))
            }
            _ => Holds::Any,
        }
    }

    fn constant(&self, of: &Expr) -> i64 {
        match &of.kind {
            ExprKind::Number(number) => *number,
            ExprKind::Name(name) => match self.constants.get(name) {
                Some(value) => *value,
                None => POINTERS + self.cells.iter().position(|cell| cell == name).unwrap() as i64,
            },
            ExprKind::Unary(Unary::Minus, of) => -self.constant(of),
            ExprKind::Address(of) => self.constant(of),
            ExprKind::Call(_, arguments) => self.constant(&arguments[0]),
            _ => unreachable!("no other constants are generated"),
        }
    }

    /// Goes through all states, unless there are more than `most`.
    pub fn search(&self, most: usize) -> Option<Found> {
        let processes = (0..self.processes.len()).map(|number| One::new(Runs::Process(number)));
        let works = self.works.iter().map(|(work, _)| One::new(Runs::Work(work.clone())));
        let first = State {
            cells: self.initial.clone(),
            line: BTreeMap::new(),
            works: self.works.iter().map(|(work, _)| (work.clone(), (0, 0, 0, 0))).collect(),
            all: processes.chain(works).collect(),
        };
        let (mut seen, mut open) = (BTreeSet::from([first.clone()]), vec![first]);
        let mut found = Found::default();
        while let Some(state) = open.pop() {
            let (mut goes_on, mut times_out, mut unfinished, mut failed) =
                (false, false, false, false);
            let mut locals = Vec::new();
            for who in 0..state.all.len() {
                let stopped = self.run(&state, who);
                match stopped {
                    Err(Stop::Wants(request)) => {
                        let idle = match &request {
                            Request::Take(work) => state.works[work].1 == 0,
                            _ => false,
                        };
                        unfinished |= !idle;
                        for (by, next) in self.answered(&state, who, &request) {
                            goes_on |= by == By::Itself;
                            times_out |= by == By::Time;
                            if seen.insert(next.clone()) {
                                open.push(next);
                            }
                        }
                    }
                    Err(Stop::Fails) => failed = true,
                    Ok(mine) => locals.push(mine),
                    Err(_) => unreachable!("everything else stops in the process"),
                }
            }
            if seen.len() > most {
                return None;
            }
            found.fails |= failed;
            found.blocked |= unfinished && !goes_on && !times_out;
            found.blocked_until_time_out |= unfinished && !goes_on;
            if !unfinished && !goes_on && !failed {
                found.outcomes.insert(self.shown(&state, &locals));
            }
        }
        found.states = seen.len();
        Some(found)
    }

    fn shown(&self, state: &State, locals: &[BTreeMap<String, i64>]) -> Vec<String> {
        let value = |location: &Location| {
            let name = match &location.place.kind {
                ExprKind::Name(name) => name.clone(),
                ExprKind::Index(of, index) => match (&of.kind, &index.kind) {
                    (ExprKind::Name(name), ExprKind::Number(index)) => format!("{name}[{index}]"),
                    _ => unreachable!(),
                },
                _ => unreachable!(),
            };
            let value = match location.process {
                Some(process) => locals[process][&name],
                None => state.cells[&name],
            };
            match value {
                POINTERS.. => format!("&{}", self.cells[(value - POINTERS) as usize]),
                value => value.to_string(),
            }
        };
        self.file.locations.iter().map(value).collect()
    }

    /// Runs a process with the answers that it has had; its local variables, if it has returned.
    fn run(&self, state: &State, who: usize) -> Walk<BTreeMap<String, i64>> {
        let one = &state.all[who];
        let mut walker =
            Walker { naive: self, answers: &one.answers, number: None, frames: Vec::new() };
        match &one.runs {
            Runs::Process(number) => {
                walker.number = Some(*number as i64);
                let process = self.processes[*number];
                let pointer = |parameter: &Declaration| {
                    let at = self.cells.iter().position(|cell| *cell == parameter.name.text);
                    let at = POINTERS + at.unwrap() as i64;
                    (parameter.name.text.clone(), (at, Holds::Any))
                };
                walker.frames.push(vec![process.parameters.iter().map(pointer).collect()]);
                walker.frames[0].push(BTreeMap::new());
                walker.body(&process.body)?;
                let scopes = &walker.frames[0];
                Ok(scopes[1].iter().map(|(name, (value, _))| (name.clone(), *value)).collect())
            }
            Runs::Work(work) => loop {
                walker.ask(Request::Take(work.clone()))?;
                let function = &self.works.iter().find(|(other, _)| other == work).unwrap().1;
                walker.call_function(self.functions[function], &[0])?;
                walker.ask(Request::Done(work.clone()))?;
            },
            Runs::Async(function, data) => {
                walker.call_function(self.functions[function], &[*data, 0])?;
                Ok(BTreeMap::new())
            }
        }
    }
}
