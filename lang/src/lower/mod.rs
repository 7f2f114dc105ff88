//! A syntax tree becomes code: names are looked up, types are compared, every call is expanded, every access
//! to what is shared becomes an action.

mod builder;
mod calls;
mod constants;
mod expressions;
mod memory;
mod primitives;
mod scan;
mod statements;
mod work;
mod world;

pub(crate) use primitives::PRIMITIVES;
use std::collections::HashMap;

use builder::Builder;
pub(crate) use constants::{constant, error_name};
use memory::{Made, Memory, Type};
use scan::Scan;
use world::{Rcu, Slot, World};

use crate::graph::code::{Body, Cell, Runs, Term};
use crate::graph::domain::Domain;
use crate::host::External;
use crate::text::syntax::{
    Declaration, Entry, Expr, ExprKind, File, Initial, Item, Name, Process, Span,
};
use crate::text::wrong::Wrong;

/// Most processes, work items and runs of asynchronous functions included, that are numbered one by one.
const MOST_PROCESSES: usize = 255;

/// Most runs of one asynchronous function at a time.
const MOST_RUNS: usize = 8;

/// What was made of a file.
pub(crate) struct Lowered {
    pub cells: Vec<Cell>,
    /// One for each process.
    pub bodies: Vec<Body>,
    /// The addresses of shared variables, with the types as far as conditions need them.
    pub names: Names,
    /// The queue that each grace period wakes when it begins.
    pub grace_periods: Vec<u8>,
    /// The cell that counts asynchronous functions that are scheduled, where there are any.
    pub asynchronous: Option<usize>,
}

/// How conditions find what they are about.
pub(crate) struct Names {
    memory: Memory,
}

impl Names {
    /// The address of the one cell that an expression names.
    pub fn cell(&self, of: &Expr) -> Made<i64> {
        let (address, found) = self.memory.address(of)?;
        if address > 0 && (found.is_scalar() || found == Type::Atomic) {
            return Ok(address);
        }
        let found = format!("found {}", self.memory.in_words(&found));
        Err(Wrong::new(of.span, found, "expected a number or a pointer"))
    }

    /// A value in a condition: a constant, or the address of a shared variable.
    pub fn value(&self, of: &Expr) -> Made<i64> {
        match self.memory.constant(of) {
            Ok(value) => Ok(value),
            Err(_) => self.memory.address(of).map(|(address, _)| address).map_err(|wrong| {
                let expected = "expected a number, a constant or the name of a shared variable";
                Wrong { expected: expected.to_owned(), ..wrong }
            }),
        }
    }

    /// The name of the variable at an address, if a variable begins there.
    pub fn at(&self, address: i64) -> Option<&str> {
        let is = |name: &&String| self.memory.globals[*name].address == address;
        self.memory.order.iter().find(is).map(String::as_str)
    }
}

/// Compiles a file, as far as one process does not depend on the others. `at_most`: so many may run what is
/// written there, if that are more than there are processes in it.
pub(crate) fn lower(file: &File, externals: &[External], at_most: usize) -> Made<Lowered> {
    let processes = processes(file)?;
    let mut memory = Memory::default();
    let functions = shared(file, &processes, &mut memory)?;
    let works = works(file, &memory, &functions)?;
    let mut world = World::new(memory, externals);
    world.functions = functions;
    let scan = Scan { functions: &world.functions };
    primitives_of(file, &processes, &works, &scan)?.add(&mut world)?;

    let mut bodies = Vec::new();
    for (process, number) in &processes {
        bodies.push(process_body(file, process, *number, &mut world)?);
    }
    for (name, address, function, span) in &works {
        let mut builder = Builder::new(&mut world, None);
        builder.enter(&format!("the worker of {name}"), Type::Void, *span)?;
        builder.worker(*address, function, *span)?;
        builder.leave()?;
        builder.emit(crate::graph::code::Instr::Exit, *span)?;
        bodies.push(builder.finish(Runs::Worker(name.clone())));
    }
    // Asynchronous functions may schedule others.
    let mut next = 0;
    while let Some((name, span, _)) = world.started.get(next).cloned() {
        next += 1;
        let of = world.async_types[&name].clone();
        let mut builder = Builder::new(&mut world, None);
        builder.enter(&format!("the run of {name}"), Type::Void, span)?;
        builder.asynchronous(&name, &of, span)?;
        builder.leave()?;
        builder.emit(crate::graph::code::Instr::End, span)?;
        bodies.push(builder.finish(Runs::Async(name, 0)));
    }
    let started = world.started.clone();
    for body in &mut bodies {
        if let Runs::Async(name, runs) = &mut body.runs {
            let times = started.iter().find(|(other, ..)| other == name).map_or(1, |(.., n)| *n);
            *runs = times.clamp(1, MOST_RUNS);
        }
    }
    unused(file, &world)?;
    let all: usize = bodies.iter().map(Body::runs_at_once).sum();
    if all > MOST_PROCESSES {
        let found = format!("found {all} processes");
        let expected = format!("expected at most {MOST_PROCESSES}");
        return Err(Wrong::new(Span::default(), found, expected));
    }
    let grace_periods =
        world.rcu.map_or_else(Vec::new, |rcu| rcu.slots.iter().map(|s| s.queue).collect());
    let mut cells = world.memory.cells.clone();
    bound_counts(&mut cells, all.max(at_most));
    let asynchronous = world.asynchronous.and_then(|address| usize::try_from(address - 1).ok());
    let names = Names { memory: world.memory };
    Ok(Lowered { cells, bodies, names, grace_periods, asynchronous })
}

impl Body {
    /// How many processes run it.
    pub(crate) fn runs_at_once(&self) -> usize {
        if let Runs::Async(_, runs) = &self.runs { *runs } else { 1 }
    }
}

/// The processes of the text by their numbers, which begin with 0 and leave none out.
fn processes(file: &File) -> Made<Vec<(&Process, usize)>> {
    let mut all: Vec<(&Process, usize)> = Vec::new();
    for item in &file.items {
        let Item::Process(process) = item else { continue };
        for number in process.first..=process.last {
            if number != all.len() {
                let found = format!("found P{number}");
                return Err(Wrong::new(process.span, found, format!("expected P{}", all.len())));
            }
            if all.len() == MOST_PROCESSES {
                let expected = format!("expected at most {MOST_PROCESSES} processes");
                return Err(Wrong::new(process.span, "found one more process", expected));
            }
            all.push((process, number));
        }
    }
    if all.is_empty() {
        let end = Span::default();
        return Err(Wrong::new(end, "found no process", "expected at least P0"));
    }
    Ok(all)
}

/// What is shared, with its initial values; and the functions.
fn shared<'f>(
    file: &'f File,
    processes: &[(&Process, usize)],
    memory: &mut Memory,
) -> Made<HashMap<&'f str, &'f crate::text::syntax::Function>> {
    let mut functions = HashMap::new();
    for item in &file.items {
        match item {
            Item::Type(defined) => memory.define(defined)?,
            Item::Function(function) => {
                let name = function.name.text.as_str();
                if functions.insert(name, function).is_some() {
                    return Err(memory::again("function", &function.name));
                }
            }
            _ => {}
        }
    }
    let mut initial: Vec<(i64, Type, &Initial)> = Vec::new();
    let declare = |memory: &mut Memory, declaration: &'f Declaration| -> Made<_> {
        let of = memory.declared(declaration)?;
        let address = memory.allocate(&declaration.name, of.clone())?;
        Ok(declaration.initial.as_ref().map(|initial| (address, of, initial)))
    };
    for entry in &file.initial {
        if let Entry::Declared(declaration) = entry {
            initial.extend(declare(memory, declaration)?);
        }
    }
    for item in &file.items {
        match item {
            Item::Shared(all) => {
                for declaration in all {
                    initial.extend(declare(memory, declaration)?);
                }
            }
            Item::Macro(name, arguments) => defined_by_macro(memory, name, arguments)?,
            _ => {}
        }
    }
    // Processes name what nobody has declared.
    for (process, _) in processes {
        for parameter in &process.parameters {
            pointed_by(memory, parameter)?;
        }
    }
    for entry in &file.initial {
        let Entry::Shared(name, value) = entry else { continue };
        if !memory.globals.contains_key(&name.text) {
            memory.allocate(name, Type::Int)?;
        }
        // `p = y` for a pointer p: there is a y, too.
        if let (Type::Pointer(of), ExprKind::Name(to)) =
            (memory.globals[&name.text].of.clone(), &value.kind)
            && !memory.globals.contains_key(to)
            && to != "NULL"
        {
            memory.allocate(&Name { text: to.clone(), span: value.span }, *of)?;
        }
    }
    for (address, of, value) in initial {
        memory.initialise(address, &of, value)?;
    }
    for entry in &file.initial {
        if let Entry::Shared(name, value) = entry {
            let global = memory.globals[&name.text].clone();
            memory.initialise(global.address, &global.of, &Initial::Value(value.clone()))?;
        }
    }
    for name in &memory.order {
        let global = &memory.globals[name];
        let first = usize::try_from(global.address - 1).unwrap_or_default();
        let cells = &memory.cells[first..first + memory.size(&global.of)];
        if let Some(cell) = cells.iter().find(|c| c.fixed && !c.domain.contains(c.initial)) {
            let found = format!("found '{}' without an initial value", cell.name);
            let expected = "expected one: 0 is not in its range";
            return Err(Wrong::new(global.span, found, expected));
        }
    }
    Ok(functions)
}

/// `P0(int *x)`: there is a shared `int x`.
fn pointed_by(memory: &mut Memory, parameter: &Declaration) -> Made<()> {
    let of = match memory.named(&parameter.of)? {
        Type::Pointer(of) => *of,
        of => {
            let found = format!("found a parameter of {}", memory.in_words(&of));
            let expected = "expected a pointer: the address of a shared variable";
            return Err(Wrong::new(parameter.of.span, found, expected));
        }
    };
    match memory.globals.get(&parameter.name.text) {
        None => memory.allocate(&parameter.name, of).map(drop),
        Some(global) if global.of == of || (global.of.is_number() && of.is_number()) => Ok(()),
        // herd takes any integer for an atomic_t.
        Some(global) if global.of == Type::Atomic && of.is_number() => Ok(()),
        Some(global) if of == Type::Atomic && global.of.is_number() => Ok(()),
        Some(global) => {
            let found = format!("found a pointer to {}", memory.in_words(&of));
            let expected = format!("expected one to {}", memory.in_words(&global.of));
            Err(Wrong::new(parameter.of.span, found, expected)
                .and(global.span, "it is declared here"))
        }
    }
}

/// `DEFINE_MUTEX(m);` and its kin.
fn defined_by_macro(memory: &mut Memory, name: &Name, arguments: &[Expr]) -> Made<()> {
    let (of, wanted) = match name.text.as_str() {
        "DEFINE_MUTEX" => (Type::Mutex, 1),
        "DEFINE_SPINLOCK" | "DEFINE_RAW_SPINLOCK" => (Type::Spinlock, 1),
        "DECLARE_RWSEM" => (Type::RwSemaphore, 1),
        "DEFINE_SEMAPHORE" => (Type::Semaphore, 2),
        "DECLARE_COMPLETION" => (Type::Completion, 1),
        "DECLARE_WAIT_QUEUE_HEAD" => (Type::WaitQueue, 1),
        "DECLARE_WORK" => (Type::Work, 2),
        _ => {
            let found = format!("found '{}'", name.text);
            return Err(Wrong::new(
                name.span,
                found,
                "expected a function or a variable, or DEFINE_MUTEX, DEFINE_SPINLOCK, DECLARE_RWSEM, \
                 DEFINE_SEMAPHORE, DECLARE_COMPLETION, DECLARE_WAIT_QUEUE_HEAD or DECLARE_WORK",
            ));
        }
    };
    let (Some(ExprKind::Name(text)), true) =
        (arguments.first().map(|a| &a.kind), arguments.len() == wanted)
    else {
        let expected = format!("expected {wanted}, the name first");
        let found = format!("found {} arguments", arguments.len());
        return Err(Wrong::new(name.span, found, expected));
    };
    let declared = Name { text: text.clone(), span: arguments[0].span };
    let address = memory.allocate(&declared, of.clone())?;
    if of == Type::Semaphore {
        memory.initialise(address, &of, &Initial::Value(arguments[1].clone()))?;
    }
    Ok(())
}

/// A work item: its name, its address, the function that it runs, and where that is said.
type WorkItem = (String, i64, String, Span);

/// Work items, each with what it runs.
fn works(
    file: &File,
    memory: &Memory,
    functions: &HashMap<&str, &crate::text::syntax::Function>,
) -> Made<Vec<WorkItem>> {
    let mut works: Vec<WorkItem> = Vec::new();
    for item in &file.items {
        let Item::Macro(name, arguments) = item else { continue };
        if name.text != "DECLARE_WORK" {
            continue;
        }
        let [work, function] = &arguments[..] else { continue };
        let (ExprKind::Name(work), ExprKind::Name(runs)) = (&work.kind, &function.kind) else {
            let found = "found something else";
            return Err(Wrong::new(function.span, found, "expected the name of a function"));
        };
        if !functions.contains_key(runs.as_str()) {
            let found = format!("found '{runs}'");
            return Err(Wrong::new(function.span, found, "expected a function of this file"));
        }
        works.push((work.clone(), memory.globals[work].address, runs.clone(), name.span));
    }
    // Whose worker nobody knows is never run.
    for name in &memory.order {
        let global = &memory.globals[name];
        if has_work(&global.of, memory) && !works.iter().any(|(work, ..)| work == name) {
            return Err(Wrong::new(
                global.span,
                format!("found the work item '{name}' without a function"),
                "expected DECLARE_WORK(NAME, FUNCTION)",
            ));
        }
    }
    Ok(works)
}

fn has_work(of: &Type, memory: &Memory) -> bool {
    match of {
        Type::Work => true,
        Type::Array(of, _) => has_work(of, memory),
        Type::Struct(id) => memory.structures[*id].fields.iter().any(|f| has_work(&f.of, memory)),
        _ => false,
    }
}

/// Which of the primitives that need something shared are used.
struct Primitives {
    grace_periods: usize,
    asynchronous: bool,
    span: Span,
}

fn primitives_of(
    file: &File,
    processes: &[(&Process, usize)],
    works: &[WorkItem],
    scan: &Scan<'_, '_>,
) -> Made<Primitives> {
    let waits = |name: &str| name.starts_with("synchronize_rcu");
    let of_processes = processes.iter().filter(|(p, _)| scan.calls(&p.body, &waits)).count();
    let of_works = works.iter().filter(|(.., function, _)| scan.function_calls(function, &waits));
    let mut grace_periods = of_processes + of_works.count();
    let schedules = |name: &str| name.starts_with("async_");
    let asynchronous = processes.iter().any(|(p, _)| scan.calls(&p.body, &schedules))
        || file
            .items
            .iter()
            .any(|item| matches!(item, Item::Function(f) if scan.calls(&f.body, &schedules)));
    if asynchronous
        && file
            .items
            .iter()
            .any(|item| matches!(item, Item::Function(f) if scan.calls(&f.body, &waits)))
    {
        grace_periods += 1;
    }
    let span = processes.first().map_or(Span::default(), |(p, _)| p.span);
    if grace_periods > 4 {
        let found = format!("found {grace_periods} processes that wait for grace periods");
        return Err(Wrong::new(span, found, "expected at most 4"));
    }
    Ok(Primitives { grace_periods, asynchronous, span })
}

impl Primitives {
    fn add(&self, world: &mut World<'_>) -> Made<()> {
        let most = MOST_PROCESSES as i64;
        if self.grace_periods > 0 {
            let readers = world.hidden("RCU readers", most);
            let mut slots = Vec::new();
            for number in 0..self.grace_periods {
                slots.push(Slot {
                    taken: world.hidden(&format!("grace period {number}"), 1),
                    waits_for: world.hidden(&format!("readers of grace period {number}"), most),
                    queue: world.new_queue(self.span)?,
                });
            }
            world.rcu = Some(Rcu { readers, slots });
        }
        if self.asynchronous {
            world.asynchronous = Some(world.hidden("asynchronous functions", most));
        }
        Ok(())
    }
}

fn process_body(
    file: &File,
    process: &Process,
    number: usize,
    world: &mut World<'_>,
) -> Made<Body> {
    // Which of a host's processes runs a program, nobody knows.
    let mut builder = Builder::new(world, (!process.returns).then_some(number));
    let returns = if process.returns { Type::Int } else { Type::Void };
    builder.enter(&format!("P{number}"), returns, process.span)?;
    for parameter in &process.parameters {
        let of = builder.memory().named(&parameter.of)?;
        let address = builder.memory().globals[&parameter.name.text].address;
        builder.bind(&parameter.name, builder::Binding::Constant(address, of))?;
    }
    builder.statements(&process.body)?;
    let result = match builder.leave()?.term {
        Term::Reg(reg) if process.returns => Some(reg),
        _ => None,
    };
    builder.emit(crate::graph::code::Instr::Exit, process.span)?;
    let mut body = builder.finish(Runs::Process(number));
    body.result = result;
    if let Some(reg) = result {
        body.registers[reg].observed = true;
    }
    for entry in &file.initial {
        if let Entry::Local(process, name, value) = entry
            && *process == number
        {
            let reg = body.local(name)?;
            let value = world.memory.constant(value)?;
            body.begins_with(reg, value);
        }
    }
    Ok(body)
}

impl Body {
    /// The register of a variable of the process's own text.
    pub(crate) fn local(&self, name: &Name) -> Made<usize> {
        let mut found = self.named.iter().filter(|(other, ..)| *other == name.text);
        match (found.next(), found.next()) {
            (Some((_, reg, _)), None) => Ok(*reg),
            (None, _) => Err(Wrong::new(
                name.span,
                format!("found '{}'", name.text),
                "expected a local variable of the process",
            )),
            _ => Err(Wrong::new(
                name.span,
                format!("found '{}', which the process declares twice", name.text),
                "expected a name that it declares once",
            )),
        }
    }

    /// What a variable holds when its declaration is come to.
    fn begins_with(&mut self, reg: usize, value: i64) {
        use crate::graph::code::{Instr, Term};
        let declares = |instr: &&mut Instr| matches!(instr, Instr::Set(to, _) if *to == reg);
        if let Some(Instr::Set(_, term)) = self.code.iter_mut().find(declares) {
            *term = Term::Const(value);
        }
    }
}

/// A function that nobody calls was not looked at.
fn unused(file: &File, world: &World<'_>) -> Made<()> {
    for item in &file.items {
        if let Item::Function(function) = item
            && !world.called.contains(&function.name.text)
        {
            let found = format!("found the function '{}', which nobody calls", function.name.text);
            return Err(Wrong::new(function.name.span, found, "expected a call of it"));
        }
    }
    Ok(())
}

/// The most that a hidden count can be, once it is known how many processes there are.
fn bound_counts(cells: &mut [Cell], processes: usize) {
    for cell in cells.iter_mut().filter(|cell| cell.hidden) {
        if cell.domain == Domain::Range(0, MOST_PROCESSES as i64) {
            cell.domain = Domain::Range(0, processes as i64);
        }
        if cell.name.ends_with("(readers)") || cell.name.ends_with("(writers that wait)") {
            cell.domain = Domain::Range(0, processes as i64);
        }
    }
}
