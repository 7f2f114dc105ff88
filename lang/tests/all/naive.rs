//! A second reading of the language: an interpreter that walks over the syntax tree, written from
//! docs/language.md alone and as plainly as possible. It shares nothing with the compiler but the parser.
//!
//! A process is what its requests have been answered: to find out what it does next it is run again from the
//! beginning, with the same answers. That is slow, and leaves nothing to be got wrong about where it was.

use std::collections::{BTreeMap, BTreeSet};

use kmodcheck_lang::text::syntax::{
    Base, Binary, Declaration, Defined, Entry, Expr, ExprKind, File, Function, Initial, Item, Location, Name, Process,
    Statement, StatementKind, Unary,
};

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
    Lock { lock: String, signal: bool },
    TryLock(String),
    Unlock(String),
    IsLocked(String),
    ReadLock { lock: String, signal: bool },
    ReadUnlock(String),
    TryReadLock(String),
    WriteLock { lock: String },
    WriteLockInLine { lock: String, signal: bool },
    WriteUnlock(String),
    TryWriteLock(String),
    Downgrade(String),
    Down { semaphore: String, signal: bool, time: bool },
    TryDown(String),
    Up(String),
    Complete(String),
    CompleteAll(String),
    Reinit(String),
    TryComplete(String),
    Completed(String),
    WaitCompletion { completion: String, signal: bool, time: bool },
    Enqueue(String),
    Sleep { signal: bool, time: bool },
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
            constants: [("NULL", 0), ("HZ", 100)].map(|(name, value)| (name.to_owned(), value)).into(),
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
        let one = |runs| One {
            runs,
            answers: Vec::new(),
            queue: None,
            sections: 0,
            reading: false,
            waits_for: Vec::new(),
            run: 0,
        };
        let processes = (0..self.processes.len()).map(|number| one(Runs::Process(number)));
        let works = self.works.iter().map(|(work, _)| one(Runs::Work(work.clone())));
        let first = State {
            cells: self.initial.clone(),
            line: BTreeMap::new(),
            works: self.works.iter().map(|(work, _)| (work.clone(), (0, 0, 0, 0))).collect(),
            all: processes.chain(works).collect(),
        };
        let (mut seen, mut open) = (BTreeSet::from([first.clone()]), vec![first]);
        let mut found = Found::default();
        while let Some(state) = open.pop() {
            let (mut goes_on, mut times_out, mut unfinished, mut failed) = (false, false, false, false);
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
        let mut walker = Walker { naive: self, answers: &one.answers, number: None, frames: Vec::new() };
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

    /// What a request may be answered, each with the state afterwards.
    fn answered(&self, state: &State, who: usize, request: &Request) -> Vec<(By, State)> {
        let mut all = Vec::new();
        let mut answer = |by: By, value: i64, change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            next.all[who].answers.push(value);
            all.push((by, next));
        };
        let cell = |name: &str| state.cells[name];
        let set = |name: &str, value: i64| {
            let name = name.to_owned();
            move |next: &mut State| drop(next.cells.insert(name.clone(), value))
        };
        let me = &state.all[who];
        let in_line = |lock: &str| state.line.get(lock).is_some_and(|line| !line.is_empty());
        match request {
            Request::Read(name) => answer(By::Itself, cell(name), &|_| {}),
            Request::Write(name, value) => answer(By::Itself, 0, &set(name, *value)),
            Request::Change(name, how, with) => {
                let old = cell(name);
                let new = changed(how, old, with);
                answer(By::Itself, old, &set(name, new.unwrap_or(old)));
            }
            Request::Choose(values) => {
                values.iter().for_each(|value| answer(By::Itself, *value, &|_| {}));
            }
            Request::Lock { lock, signal } => match cell(lock) {
                0 => answer(By::Itself, 0, &set(lock, 1)),
                _ if *signal => answer(By::Signal, -4, &|_| {}),
                _ => {}
            },
            Request::TryLock(lock) => match cell(lock) {
                0 => answer(By::Itself, 1, &set(lock, 1)),
                _ => answer(By::Itself, 0, &|_| {}),
            },
            Request::Unlock(lock) => answer(By::Itself, 0, &set(lock, 0)),
            Request::IsLocked(lock) => answer(By::Itself, i64::from(cell(lock) != 0), &|_| {}),
            // A rw_semaphore is -1 with a writer, else the number of readers.
            Request::ReadLock { lock, signal } => {
                if cell(lock) >= 0 && !in_line(lock) {
                    answer(By::Itself, 0, &set(lock, cell(lock) + 1));
                } else if *signal {
                    answer(By::Signal, -4, &|_| {});
                }
            }
            Request::TryReadLock(lock) => {
                if cell(lock) >= 0 && !in_line(lock) {
                    answer(By::Itself, 1, &set(lock, cell(lock) + 1));
                } else {
                    answer(By::Itself, 0, &|_| {});
                }
            }
            Request::ReadUnlock(lock) => answer(By::Itself, 0, &set(lock, cell(lock) - 1)),
            Request::WriteLock { lock } => {
                if cell(lock) == 0 {
                    answer(By::Itself, 1, &set(lock, -1));
                } else {
                    answer(By::Itself, 0, &|next: &mut State| {
                        next.line.entry(lock.clone()).or_default().insert(who);
                    });
                }
            }
            Request::WriteLockInLine { lock, signal } => {
                let leaves = |next: &mut State| drop(next.line.get_mut(lock).unwrap().remove(&who));
                if cell(lock) == 0 {
                    answer(By::Itself, 0, &|next: &mut State| {
                        leaves(next);
                        next.cells.insert(lock.clone(), -1);
                    });
                } else if *signal {
                    answer(By::Signal, -4, &leaves);
                }
            }
            Request::TryWriteLock(lock) => {
                if cell(lock) == 0 && !in_line(lock) {
                    answer(By::Itself, 1, &set(lock, -1));
                } else {
                    answer(By::Itself, 0, &|_| {});
                }
            }
            Request::WriteUnlock(lock) => answer(By::Itself, 0, &set(lock, 0)),
            Request::Downgrade(lock) => answer(By::Itself, 0, &set(lock, 1)),
            Request::Down { semaphore, signal, time } => match cell(semaphore) {
                1.. => answer(By::Itself, 0, &set(semaphore, cell(semaphore) - 1)),
                _ => {
                    if *signal {
                        answer(By::Signal, -4, &|_| {});
                    }
                    if *time {
                        answer(By::Time, -62, &|_| {});
                    }
                }
            },
            Request::TryDown(semaphore) => match cell(semaphore) {
                1.. => answer(By::Itself, 0, &set(semaphore, cell(semaphore) - 1)),
                _ => answer(By::Itself, 1, &|_| {}),
            },
            Request::Up(semaphore) => {
                answer(By::Itself, 0, &set(semaphore, cell(semaphore) + 1));
            }
            // More than can be counted: for all who ever wait.
            Request::Complete(completion) => match cell(completion) {
                1_000 => answer(By::Itself, 0, &|_| {}),
                done => answer(By::Itself, 0, &set(completion, done + 1)),
            },
            Request::CompleteAll(completion) => answer(By::Itself, 0, &set(completion, 1_000)),
            Request::Reinit(completion) => answer(By::Itself, 0, &set(completion, 0)),
            Request::Completed(completion) => {
                answer(By::Itself, i64::from(cell(completion) > 0), &|_| {});
            }
            Request::TryComplete(completion) => match cell(completion) {
                0 => answer(By::Itself, 0, &|_| {}),
                1_000 => answer(By::Itself, 1, &|_| {}),
                done => answer(By::Itself, 1, &set(completion, done - 1)),
            },
            Request::WaitCompletion { completion, signal, time } => match cell(completion) {
                0 => {
                    if *signal {
                        answer(By::Signal, -512, &|_| {});
                    }
                    if *time {
                        answer(By::Time, 0, &|_| {});
                    }
                }
                1_000 => answer(By::Itself, 1, &|_| {}),
                done => answer(By::Itself, 1, &set(completion, done - 1)),
            },
            Request::Enqueue(queue) => answer(By::Itself, 0, &|next: &mut State| {
                next.all[who].queue = Some((queue.clone(), false));
            }),
            Request::Sleep { signal, time } => {
                let leaves = |next: &mut State| next.all[who].queue = None;
                if me.queue.as_ref().is_some_and(|(_, woken)| *woken) {
                    answer(By::Itself, 0, &leaves);
                } else {
                    if *time {
                        answer(By::Time, 2, &leaves);
                    }
                    if *signal {
                        answer(By::Signal, 3, &leaves);
                    }
                }
            }
            Request::Wake(queue) => answer(By::Itself, 0, &|next: &mut State| {
                for (other, one) in next.all.iter_mut().enumerate() {
                    if let Some((its, woken)) = &mut one.queue
                        && other != who
                        && its == queue
                    {
                        *woken = true;
                    }
                }
            }),
            Request::ReadSection(enters) => answer(By::Itself, 0, &|next: &mut State| {
                next.all[who].reading = *enters;
                next.all[who].sections += u32::from(*enters);
            }),
            Request::GracePeriodBegins => answer(By::Itself, 0, &|next: &mut State| {
                let readers = next.all.iter().enumerate().filter(|(_, one)| one.reading);
                let readers = readers.map(|(other, one)| (other, one.sections)).collect();
                next.all[who].waits_for = readers;
            }),
            Request::GracePeriodEnds => {
                let reads = |(other, section): &(usize, u32)| {
                    let other = &state.all[*other];
                    other.reading && other.sections == *section
                };
                if !me.waits_for.iter().any(reads) {
                    answer(By::Itself, 0, &|next: &mut State| next.all[who].waits_for.clear());
                }
            }
            Request::Queue(work) => {
                let (queued, pending, running, ended) = state.works[work];
                if pending > 0 {
                    answer(By::Itself, 0, &|_| {});
                } else {
                    answer(By::Itself, 1, &|next: &mut State| {
                        let now = (queued + 1, queued + 1, running, ended);
                        next.works.insert(work.clone(), now);
                    });
                }
            }
            Request::Flush(work) => {
                let (_, pending, running, _) = state.works[work];
                let run = if pending > 0 { pending } else { running };
                answer(By::Itself, i64::from(run > 0), &|next: &mut State| next.all[who].run = run);
            }
            Request::FlushEnds(work) => {
                let (_, pending, running, ended) = state.works[work];
                let waits = me.run > ended && (pending == me.run || running == me.run);
                if !waits {
                    answer(By::Itself, 0, &|next: &mut State| next.all[who].run = 0);
                }
            }
            Request::Cancel(work) => {
                let (queued, pending, running, ended) = state.works[work];
                answer(By::Itself, i64::from(pending > 0), &|next: &mut State| {
                    next.works.insert(work.clone(), (queued, 0, running, ended));
                    next.all[who].run = running;
                });
            }
            Request::Take(work) => {
                let (queued, pending, _, ended) = state.works[work];
                if pending > 0 {
                    answer(By::Itself, 0, &|next: &mut State| {
                        next.works.insert(work.clone(), (queued, 0, pending, ended));
                    });
                }
            }
            Request::Done(work) => {
                let (queued, pending, running, _) = state.works[work];
                answer(By::Itself, 0, &|next: &mut State| {
                    next.works.insert(work.clone(), (queued, pending, 0, running));
                });
            }
            Request::Schedule(function, data) => answer(By::Itself, 0, &|next: &mut State| {
                next.all.push(One {
                    runs: Runs::Async(function.clone(), *data),
                    answers: Vec::new(),
                    queue: None,
                    sections: 0,
                    reading: false,
                    waits_for: Vec::new(),
                    run: 0,
                });
            }),
            Request::AllAsynchronous => {
                let runs = |other: &usize| {
                    let is = matches!(state.all[*other].runs, Runs::Async(..));
                    is && self.run(state, *other).is_err()
                };
                if !(0..state.all.len()).any(|other| runs(&other)) {
                    answer(By::Itself, 0, &|_| {});
                }
            }
        }
        all
    }
}

/// What an atomic operation writes, if it writes.
fn changed(how: &str, old: i64, with: &[i64]) -> Option<i64> {
    match (how, with) {
        ("add", [by]) => Some(old + by),
        ("sub", [by]) => Some(old - by),
        ("and", [by]) => Some(old & by),
        ("or", [by]) => Some(old | by),
        ("xor", [by]) => Some(old ^ by),
        ("xchg", [new]) => Some(*new),
        ("cmpxchg", [expected, new]) => (old == *expected).then_some(*new),
        ("add_unless", [by, not]) => (old != *not).then_some(old + by),
        _ => unreachable!("{how} is not generated"),
    }
}

/// Somebody walks over the tree.
struct Walker<'n, 'f> {
    naive: &'n Naive<'f>,
    answers: &'n [i64],
    number: Option<i64>,
    frames: Vec<Vec<BTreeMap<String, (i64, Holds)>>>,
}

enum Place {
    Local(String),
    Shared(String),
}

impl Walker<'_, '_> {
    fn ask(&mut self, request: Request) -> Walk<i64> {
        match self.answers.split_first() {
            Some((answer, rest)) => {
                self.answers = rest;
                Ok(*answer)
            }
            None => Err(Stop::Wants(request)),
        }
    }

    /// The statements of a process or a function, up to a return.
    fn body(&mut self, all: &[Statement]) -> Walk<i64> {
        match self.statements(all) {
            Ok(()) => Ok(0),
            Err(Stop::Return(value)) => Ok(value),
            Err(stop) => Err(stop),
        }
    }

    fn call_function(&mut self, function: &Function, arguments: &[i64]) -> Walk<i64> {
        let parameter = |(parameter, value): (&Declaration, &i64)| {
            (parameter.name.text.clone(), (*value, self.naive.holds_of(parameter)))
        };
        let scope = function.parameters.iter().zip(arguments).map(parameter).collect();
        self.frames.push(vec![scope, BTreeMap::new()]);
        let value = self.body(&function.body)?;
        self.frames.pop();
        Ok(value)
    }

    fn block(&mut self, all: &[Statement]) -> Walk<()> {
        self.frames.last_mut().unwrap().push(BTreeMap::new());
        let depth = self.frames.last().unwrap().len();
        let done = self.statements(all);
        self.frames.last_mut().unwrap().truncate(depth - 1);
        done
    }

    /// From the first one on; a jump to a label among them goes on there.
    fn statements(&mut self, all: &[Statement]) -> Walk<()> {
        let mut at = 0;
        while at < all.len() {
            match self.statement(&all[at]) {
                Ok(()) => at += 1,
                Err(Stop::Goto(label)) => {
                    let is = |s: &Statement| matches!(&s.kind, StatementKind::Label(l) if l.text == label);
                    at = all.iter().position(is).ok_or(Stop::Goto(label))?;
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// A turn of a loop; whether it goes on.
    fn turn(&mut self, body: &Statement) -> Walk<bool> {
        match self.block(std::slice::from_ref(body)) {
            Ok(()) | Err(Stop::Continue) => Ok(true),
            Err(Stop::Break) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    fn statement(&mut self, statement: &Statement) -> Walk<()> {
        use StatementKind as S;
        match &statement.kind {
            S::Nothing | S::Label(_) | S::Case(_) | S::Default => {}
            S::Block(all) => self.block(all)?,
            S::Declare(all) => {
                for declaration in all {
                    let value = match &declaration.initial {
                        Some(Initial::Value(value)) => self.value(value)?,
                        _ => 0,
                    };
                    let holds = self.naive.holds_of(declaration);
                    let value = held(holds, value)?;
                    let scope = self.frames.last_mut().unwrap().last_mut().unwrap();
                    scope.insert(declaration.name.text.clone(), (value, holds));
                }
            }
            S::Expression(value) => drop(self.value(value)?),
            S::If(condition, then, otherwise) => {
                if self.value(condition)? != 0 {
                    self.block(std::slice::from_ref(&**then))?;
                } else if let Some(otherwise) = otherwise {
                    self.block(std::slice::from_ref(&**otherwise))?;
                }
            }
            S::While(condition, body) => while self.value(condition)? != 0 && self.turn(body)? {},
            S::DoWhile(body, condition) => while self.turn(body)? && self.value(condition)? != 0 {},
            S::For(begin, condition, turn, body) => {
                self.frames.last_mut().unwrap().push(BTreeMap::new());
                if let Some(begin) = begin {
                    self.statement(begin)?;
                }
                loop {
                    if let Some(condition) = condition
                        && self.value(condition)? == 0
                    {
                        break;
                    }
                    if !self.turn(body)? {
                        break;
                    }
                    if let Some(turn) = turn {
                        self.value(turn)?;
                    }
                }
                self.frames.last_mut().unwrap().pop();
            }
            S::Switch(value, body) => {
                let value = self.value(value)?;
                let case = |s: &Statement| match &s.kind {
                    S::Case(of) => self.naive.constant(of) == value,
                    _ => false,
                };
                let default = |s: &Statement| matches!(s.kind, S::Default);
                let from = body.iter().position(case).or(body.iter().position(default));
                match from.map_or(Ok(()), |from| self.block(&body[from..])) {
                    Err(Stop::Break) => {}
                    other => other?,
                }
            }
            S::Break => return Err(Stop::Break),
            S::Continue => return Err(Stop::Continue),
            S::Goto(label) => return Err(Stop::Goto(label.text.clone())),
            S::Return(value) => {
                let value = value.as_ref().map_or(Ok(0), |value| self.value(value))?;
                return Err(Stop::Return(value));
            }
        }
        Ok(())
    }

    fn variable(&mut self, name: &str) -> Option<&mut (i64, Holds)> {
        self.frames.last_mut()?.iter_mut().rev().find_map(|scope| scope.get_mut(name))
    }

    fn place(&mut self, of: &Expr) -> Walk<Place> {
        Ok(match &of.kind {
            ExprKind::Name(name) if self.variable(name).is_some() => Place::Local(name.clone()),
            ExprKind::Name(name) => Place::Shared(name.clone()),
            ExprKind::Dereference(pointer) => Place::Shared(self.pointed(pointer)?),
            ExprKind::Index(array, index) => {
                let ExprKind::Name(name) = &array.kind else { unreachable!() };
                let cell = format!("{name}[{}]", self.value(index)?);
                if !self.naive.initial.contains_key(&cell) {
                    return Err(Stop::Fails);
                }
                Place::Shared(cell)
            }
            _ => unreachable!("no other places are generated"),
        })
    }

    /// The cell that a pointer points to.
    fn pointed(&mut self, pointer: &Expr) -> Walk<String> {
        match self.value(pointer)? {
            0 => Err(Stop::Fails),
            value => Ok(self.naive.cells[(value - POINTERS) as usize].clone()),
        }
    }

    fn read(&mut self, place: &Place) -> Walk<i64> {
        match place {
            Place::Local(name) => Ok(self.variable(name).unwrap().0),
            Place::Shared(cell) => self.ask(Request::Read(cell.clone())),
        }
    }

    fn write(&mut self, place: &Place, value: i64) -> Walk<i64> {
        match place {
            Place::Local(name) => {
                let variable = self.variable(name).unwrap();
                variable.0 = held(variable.1, value)?;
                Ok(variable.0)
            }
            Place::Shared(cell) => {
                let value = held(self.naive.holds[cell], value)?;
                self.ask(Request::Write(cell.clone(), value))?;
                Ok(value)
            }
        }
    }

    fn value(&mut self, of: &Expr) -> Walk<i64> {
        match &of.kind {
            ExprKind::Number(number) => Ok(*number),
            ExprKind::Name(name) => {
                if let Some((value, _)) = self.variable(name) {
                    return Ok(*value);
                }
                match self.naive.constants.get(name) {
                    Some(value) => Ok(*value),
                    None => self.ask(Request::Read(name.clone())),
                }
            }
            ExprKind::Dereference(_) | ExprKind::Index(..) => {
                let place = self.place(of)?;
                self.read(&place)
            }
            ExprKind::Address(of) => match self.place(of)? {
                Place::Shared(cell) => {
                    let at = self.naive.cells.iter().position(|other| *other == cell);
                    Ok(POINTERS + at.unwrap() as i64)
                }
                Place::Local(_) => unreachable!(),
            },
            ExprKind::Unary(operator, of) => {
                let value = self.value(of)?;
                Ok(match operator {
                    Unary::Minus => -value,
                    Unary::Not => i64::from(value == 0),
                    Unary::Complement => !value,
                })
            }
            ExprKind::Binary(Binary::AndThen, left, right) => {
                Ok(i64::from(self.value(left)? != 0 && self.value(right)? != 0))
            }
            ExprKind::Binary(Binary::OrElse, left, right) => {
                Ok(i64::from(self.value(left)? != 0 || self.value(right)? != 0))
            }
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                computed(*operator, left, right)
            }
            ExprKind::Conditional(condition, yes, no) => {
                if self.value(condition)? != 0 { self.value(yes) } else { self.value(no) }
            }
            ExprKind::Assign(operator, to, value) => {
                let place = self.place(to)?;
                let old = match operator {
                    Some(_) => self.read(&place)?,
                    None => 0,
                };
                let value = self.value(value)?;
                let value = operator.map_or(Ok(value), |operator| computed(operator, old, value))?;
                self.write(&place, value)
            }
            ExprKind::Increment { place, by, after } => {
                let place = self.place(place)?;
                let old = self.read(&place)?;
                let new = self.write(&place, old + by)?;
                Ok(if *after { old } else { new })
            }
            ExprKind::Cast(_, of) => self.value(of),
            ExprKind::Call(name, arguments) => self.call(name, arguments),
            _ => unreachable!("no other expressions are generated"),
        }
    }

    /// What a pointer argument points to.
    fn object(&mut self, of: &Expr) -> Walk<String> {
        match &of.kind {
            ExprKind::Address(inner) => match &inner.kind {
                ExprKind::Name(name) => Ok(name.clone()),
                _ => self.pointed(of),
            },
            ExprKind::Name(name) if self.variable(name).is_none() => Ok(name.clone()),
            _ => self.pointed(of),
        }
    }

    fn call(&mut self, name: &Name, arguments: &[Expr]) -> Walk<i64> {
        let name = name.text.as_str();
        if let Some(function) = self.naive.functions.get(name).copied() {
            let mut values = Vec::new();
            for argument in arguments {
                values.push(self.value(argument)?);
            }
            return self.call_function(function, &values);
        }
        let signal = name.contains("interruptible") || name.contains("killable");
        let time = name.ends_with("timeout");
        match name {
            "smp_mb" | "smp_rmb" | "smp_wmb" | "barrier" => Ok(0),
            "smp_processor_id" => Ok(self.number.unwrap()),
            "READ_ONCE" => self.value(&arguments[0]),
            "WRITE_ONCE" => {
                let place = self.place(&arguments[0])?;
                let value = self.value(&arguments[1])?;
                self.write(&place, value)
            }
            "smp_load_acquire" => {
                let cell = self.pointed(&arguments[0])?;
                self.ask(Request::Read(cell))
            }
            "smp_store_release" => {
                let cell = self.pointed(&arguments[0])?;
                let value = self.value(&arguments[1])?;
                self.ask(Request::Write(cell, value))
            }
            "assert" | "BUG_ON" => {
                let is = self.value(&arguments[0])? != 0;
                if is == (name == "assert") { Ok(0) } else { Err(Stop::Fails) }
            }
            "choose" => {
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.value(argument)?);
                }
                self.ask(Request::Choose(values))
            }
            "wait_event" | "wait_event_interruptible" | "wait_event_killable" | "wait_event_timeout"
            | "wait_event_interruptible_timeout" | "wait_event_killable_timeout" => {
                let queue = self.object(&arguments[0])?;
                let mut how = 0;
                loop {
                    // A signal or the end of the time has taken it off the queue; the condition is looked at once more.
                    if how == 0 {
                        self.ask(Request::Enqueue(queue.clone()))?;
                    }
                    if self.value(&arguments[1])? != 0 {
                        return Ok(i64::from(time));
                    }
                    match how {
                        0 => how = self.ask(Request::Sleep { signal, time })?,
                        2 => return Ok(0),
                        _ => return Ok(-512),
                    }
                }
            }
            "queue_work" | "schedule_work" => {
                let work = self.object(arguments.last().unwrap())?;
                self.ask(Request::Queue(work))
            }
            "flush_work" | "cancel_work_sync" => {
                let work = self.object(&arguments[0])?;
                let cancels = name == "cancel_work_sync";
                let ask = if cancels { Request::Cancel } else { Request::Flush };
                let answer = self.ask(ask(work.clone()))?;
                if answer != 0 || cancels {
                    self.ask(Request::FlushEnds(work))?;
                }
                Ok(answer)
            }
            "async_schedule" => {
                let ExprKind::Name(function) = &arguments[0].kind else { unreachable!() };
                let data = self.value(&arguments[1])?;
                self.ask(Request::Schedule(function.clone(), data))
            }
            "async_synchronize_full" => self.ask(Request::AllAsynchronous),
            "rcu_read_lock" => self.ask(Request::ReadSection(true)),
            "rcu_read_unlock" => self.ask(Request::ReadSection(false)),
            "synchronize_rcu" => {
                self.ask(Request::GracePeriodBegins)?;
                self.ask(Request::GracePeriodEnds)
            }
            _ => self.primitive(name, arguments, signal, time),
        }
    }

    fn primitive(&mut self, name: &str, arguments: &[Expr], signal: bool, time: bool) -> Walk<i64> {
        if let Some(rest) = name.strip_prefix("atomic_") {
            return self.atomic(rest, arguments);
        }
        if name == "cmpxchg" || name == "xchg" {
            let cell = self.pointed(&arguments[0])?;
            let mut with = Vec::new();
            for argument in &arguments[1..] {
                with.push(self.value(argument)?);
            }
            return self.ask(Request::Change(cell, name.to_owned(), with));
        }
        let object = self.object(&arguments[0])?;
        let request = match name {
            "mutex_lock" | "spin_lock" | "mutex_lock_interruptible" | "mutex_lock_killable" => {
                Request::Lock { lock: object, signal }
            }
            "mutex_trylock" | "spin_trylock" => Request::TryLock(object),
            "mutex_unlock" | "spin_unlock" => Request::Unlock(object),
            "mutex_is_locked" | "spin_is_locked" => Request::IsLocked(object),
            "down_read" | "down_read_killable" | "down_read_interruptible" => {
                Request::ReadLock { lock: object, signal }
            }
            "down_read_trylock" => Request::TryReadLock(object),
            "up_read" => Request::ReadUnlock(object),
            "down_write" | "down_write_killable" => {
                if self.ask(Request::WriteLock { lock: object.clone() })? == 1 {
                    return Ok(0);
                }
                Request::WriteLockInLine { lock: object, signal }
            }
            "down_write_trylock" => Request::TryWriteLock(object),
            "up_write" => Request::WriteUnlock(object),
            "downgrade_write" => Request::Downgrade(object),
            "down" | "down_interruptible" | "down_killable" | "down_timeout" => {
                Request::Down { semaphore: object, signal, time }
            }
            "down_trylock" => Request::TryDown(object),
            "up" => Request::Up(object),
            "complete" => Request::Complete(object),
            "complete_all" => Request::CompleteAll(object),
            "reinit_completion" => Request::Reinit(object),
            "completion_done" => Request::Completed(object),
            "try_wait_for_completion" => Request::TryComplete(object),
            "wait_for_completion"
            | "wait_for_completion_interruptible"
            | "wait_for_completion_killable" => {
                let request = Request::WaitCompletion { completion: object, signal, time: false };
                // 0, not 1: there is no time that could be left.
                return Ok(self.ask(request)?.min(0));
            }
            "wait_for_completion_timeout"
            | "wait_for_completion_interruptible_timeout"
            | "wait_for_completion_killable_timeout" => {
                Request::WaitCompletion { completion: object, signal, time: true }
            }
            "wake_up" | "wake_up_all" => Request::Wake(object),
            _ => unreachable!("{name} is not generated"),
        };
        self.ask(request)
    }

    fn atomic(&mut self, name: &str, arguments: &[Expr]) -> Walk<i64> {
        let (how, pointer, with): (&str, &Expr, Vec<&Expr>) = match (name, arguments) {
            ("read", [pointer]) => {
                let cell = self.pointed(pointer)?;
                return self.ask(Request::Read(cell));
            }
            ("set", [pointer, value]) => {
                let cell = self.pointed(pointer)?;
                let value = self.value(value)?;
                return self.ask(Request::Write(cell, value));
            }
            ("xchg" | "cmpxchg" | "add_unless", [pointer, with @ ..]) => {
                (name, pointer, with.iter().collect())
            }
            (_, [pointer]) => ("", pointer, Vec::new()),
            (_, [value, pointer]) => ("", pointer, vec![value]),
            _ => unreachable!(),
        };
        if !how.is_empty() {
            let cell = self.pointed(pointer)?;
            let mut values = Vec::new();
            for with in with {
                values.push(self.value(with)?);
            }
            let old = self.ask(Request::Change(cell, how.to_owned(), values.clone()))?;
            return Ok(if how == "add_unless" { i64::from(old != values[1]) } else { old });
        }
        let value = match with[..] {
            [value] => self.value(value)?,
            _ => 1,
        };
        let cell = self.pointed(pointer)?;
        let operator = ["add", "sub", "and", "or", "xor", "inc", "dec"];
        let operator = name.split('_').find(|part| operator.contains(part)).unwrap();
        let operator = match operator {
            "inc" => "add",
            "dec" => "sub",
            operator => operator,
        };
        let old = self.ask(Request::Change(cell, operator.to_owned(), vec![value]))?;
        let new = changed(operator, old, &[value]).unwrap();
        Ok(if name.starts_with("fetch_") {
            old
        } else if name.ends_with("_and_test") {
            i64::from(new == 0)
        } else {
            new
        })
    }
}

fn held(holds: Holds, value: i64) -> Walk<i64> {
    match holds {
        Holds::Any => Ok(value),
        Holds::Bool => Ok(i64::from(value != 0)),
        Holds::Range(least, most) if (least..=most).contains(&value) => Ok(value),
        Holds::Range(..) => Err(Stop::Fails),
    }
}

fn computed(operator: Binary, a: i64, b: i64) -> Walk<i64> {
    let is = |truth: bool| Ok(i64::from(truth));
    match operator {
        Binary::Add => Ok(a + b),
        Binary::Subtract => Ok(a - b),
        Binary::Multiply => Ok(a * b),
        Binary::Divide => a.checked_div(b).ok_or(Stop::Fails),
        Binary::Remainder => a.checked_rem(b).ok_or(Stop::Fails),
        Binary::ShiftLeft => Ok(a << b),
        Binary::ShiftRight => Ok(a >> b),
        Binary::And => Ok(a & b),
        Binary::Or => Ok(a | b),
        Binary::Xor => Ok(a ^ b),
        Binary::Equal => is(a == b),
        Binary::NotEqual => is(a != b),
        Binary::Less => is(a < b),
        Binary::LessOrEqual => is(a <= b),
        Binary::Greater => is(a > b),
        Binary::GreaterOrEqual => is(a >= b),
        Binary::AndThen | Binary::OrElse => unreachable!(),
    }
}
