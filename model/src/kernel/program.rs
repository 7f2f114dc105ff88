//! Programs beside the model's own steps: an actor's, and the inits and exits of modules. A statement is a step,
//! but for a call of what the model does, which takes the steps that it takes.

use kmodcheck_lang::{Came, Kind, Programs, Queue, Turn};

use crate::event::{Event, Finit, InitOutcome};
use crate::kernel::{kmod, module};
use crate::model::{Effect, Model, Role, Step, WaitQueue, Way, Who};
use crate::program::{Call, Ready};
use crate::scenario::{Action, ModuleId, NameId, ProgramId, number};
use crate::state::{ModuleState, Pc, Ret, Task};

/// `-EEXIST`.
const EEXIST: i64 = -17;

fn ready(model: &Model) -> &Ready {
    model.scenario.programs.ready().expect("who runs a program has one")
}

fn packed(local: u64) -> u32 {
    u32::try_from(local).expect("the state of a program takes at most 32 bits")
}

/// A process that runs a program of its own, which is in that state.
fn at(model: &Model, kind: usize, local: u64) -> Task {
    let program = packed(local);
    let pc = match ready(model).programs.turn(kind, local) {
        // An asynchronous function that is over is gone.
        _ if local == 0 => Pc::NotStarted,
        Turn::Over(_) => Pc::Done,
        // Who has come to that listens.
        Turn::Calls { external, .. }
            if matches!(ready(model).calls[external], Call::Action(Action::Udev(_))) =>
        {
            Pc::UdevIdle
        }
        Turn::Own | Turn::Calls { .. } | Turn::Failed => Pc::Program,
    };
    Task { pc, program, ..Task::IDLE }
}

/// A process that begins its own program.
pub(crate) fn begins(model: &Model, kind: usize) -> Task {
    at(model, kind, ready(model).programs.begins(kind))
}

fn kind_of(role: Role) -> Option<usize> {
    match role {
        Role::Actor { action: Action::Program(program), .. } => Some(usize::from(program)),
        Role::Started(kind) => Some(usize::from(kind)),
        _ => None,
    }
}

/// The call that a program is at.
fn called(model: &Model, kind: usize, local: u64) -> Option<(Call, u16)> {
    match ready(model).programs.turn(kind, local) {
        Turn::Calls { external, statement } => Some((ready(model).calls[external], statement)),
        _ => None,
    }
}

/// As whom a process steps whose program is in a call.
pub(crate) fn caller(model: &Model, role: Role, task: &Task) -> Option<Role> {
    let (call, _) = called(model, kind_of(role)?, u64::from(task.program))?;
    let Call::Action(action) = call else { return None };
    let killable = matches!(role, Role::Actor { killable: true, .. });
    Some(Role::Actor { action, killable })
}

/// What the init of a module requests, which is a program in that state.
pub(crate) fn requests(model: &Model, program: ProgramId, inner: u32) -> NameId {
    let call = called(model, usize::from(program), u64::from(inner));
    let name = call.and_then(|(call, _)| match call {
        Call::Action(action) => action.name(),
        _ => None,
    });
    name.expect("a nested request has an init that made it")
}

/// Whether a process at a statement need not go on.
pub(crate) fn at_rest(model: &Model, kind: u8, local: u64) -> bool {
    let Some(kind) = model.program_of(kind) else { return false };
    let local = u64::from(model.task(local).program);
    let programs = &ready(model).programs;
    programs.at_rest(kind, local) || programs.turn(kind, local) == Turn::Failed
}

/// What becomes of programs by a step that is none of theirs: those of inits that are over are forgotten, and
/// what a call came to is what the caller's program goes on with.
pub(crate) fn keep(step: &Step<'_>, task: &mut Task) {
    let depth = usize::from(task.depth);
    let runs = matches!(task.pc, Pc::Init | Pc::ModuleExit);
    for inner in &mut task.inner[depth + usize::from(runs)..] {
        *inner = 0;
    }
    if step.task.program == 0 {
        return;
    }
    task.program = step.task.program;
    let model = step.model();
    if task.pc == Pc::Done
        && let Role::Actor { action, .. } = step.who.role
        && let Some(kind) = model.program_of(step.kind)
    {
        let result = task.ret.number(action);
        let local = ready(model).programs.answered(kind, u64::from(task.program), result);
        *task = at(model, kind, local);
    }
}

/// The statement that a process's own program is at.
pub(crate) fn step(mut step: Step<'_>) {
    let model = step.model();
    let Some(kind) = model.program_of(step.kind) else { return };
    let local = u64::from(step.task.program);
    let killable = matches!(step.who.role, Role::Actor { killable: true, .. });
    let Some((call, statement)) = called(model, kind, local) else {
        return statements(step, kind, local, killable, |_, local| at(model, kind, local));
    };
    if let Call::Action(action) = call {
        step.who.role = Role::Actor { action, killable };
        step.task.pc = Pc::Idle;
        return kmod::call(step);
    }
    answer(step, kind, (call, statement), |_, result| {
        at(model, kind, answered(model, kind, local, result))
    });
}

/// Whether an asynchronous function is scheduled that has not ended.
pub(crate) fn scheduled(step: &mut Step<'_>) -> bool {
    let programs = &ready(step.model()).programs;
    let (count, bits) = programs.asynchronous().expect("only then somebody waits for it");
    step.world.reads |= step.world.of_programs(bits);
    programs.cell(count, step.world.programs()) != 0
}

/// Every way in which a program steps that is at a statement of its own.
fn statements(
    mut step: Step<'_>,
    kind: usize,
    local: u64,
    killable: bool,
    then: impl Fn(&Task, u64) -> Task,
) {
    let model = step.model();
    let mut ways = Vec::new();
    ready(model).programs.step(kind, step.world.programs(), local, &mut ways);
    for taken in ways {
        let way = match taken.way_out {
            kmodcheck_lang::WayOut::Ordinary => Way::Ordinary,
            kmodcheck_lang::WayOut::TimeOut => Way::TimeOut,
            kmodcheck_lang::WayOut::Killed if killable => Way::Killed,
            kmodcheck_lang::WayOut::Killed => continue,
        };
        let effect = match taken.effect {
            kmodcheck_lang::Effect::None => Effect::None,
            kmodcheck_lang::Effect::WakeAll(Queue(queue)) => {
                Effect::WakeAll(WaitQueue::Programs(queue))
            }
            kmodcheck_lang::Effect::WakeOne(Queue(queue)) => {
                Effect::WakeOne(WaitQueue::Programs(queue))
            }
            kmodcheck_lang::Effect::Spawn(Kind(started), local) => {
                let task = at(model, usize::from(started), local);
                Effect::Spawn(model.started(usize::from(started)), model.pack(&task))
            }
        };
        step.undo_writes();
        step.world.reads |= step.world.of_programs(taken.footprint.reads);
        step.world.writes |= step.world.of_programs(taken.footprint.writes);
        step.world.set_programs(taken.shared);
        let event = Event::Statement {
            program: number(kind),
            statement: taken.statement,
            came: taken.came,
        };
        let mut task = then(&step.task, taken.local);
        let by_init = step.task.pc == Pc::Init && matches!(effect, Effect::Spawn(..));
        if by_init && model.layout.used_async.exists() {
            task.used_async |= 1 << task.depth;
        }
        step.push(event, task, effect, way);
    }
}

/// Where a program goes on whose call has come to that; `None`: it cannot be made.
fn answered(model: &Model, kind: usize, local: u64, result: Option<i64>) -> u64 {
    let programs = &ready(model).programs;
    result.map_or(Programs::FAILED, |result| programs.answered(kind, local, result))
}

/// A call that is one step: `then` says where the program goes on that it came to, or that it cannot be made.
fn answer(
    mut step: Step<'_>,
    kind: usize,
    (call, statement): (Call, u16),
    then: impl Fn(&Task, Option<i64>) -> Task,
) {
    let program = number(kind);
    let gives = |result: i64| Event::Statement {
        program,
        statement,
        came: Came::To(i16::try_from(result).unwrap_or(i16::MAX)),
    };
    let done = Event::Statement { program, statement, came: Came::Done };
    let to = |step: &mut Step<'_>, event: Event, result: i64| {
        let task = then(&step.task, Some(result));
        step.push(event, task, Effect::None, Way::Ordinary);
    };
    // More than are counted: more than each process has one.
    let fails = |step: &mut Step<'_>| {
        let task = then(&step.task, None);
        let event = Event::Statement { program, statement, came: Came::Failed };
        step.push(event, task, Effect::None, Way::Ordinary);
    };
    match call {
        Call::Action(_) => unreachable!("what takes several steps is no answer"),
        Call::IsLive(module) => {
            let live = i64::from(step.world.state(module) == ModuleState::Live);
            to(&mut step, gives(live), live);
        }
        Call::TryModuleGet(module) | Call::SymbolGet(module) => {
            // find_symbol() passes over what is UNFORMED, strong_try_module_get() refuses what is COMING.
            let state = step.world.state(module);
            let there = state == ModuleState::Live
                || matches!(call, Call::TryModuleGet(_)) && state == ModuleState::Coming;
            let count = step.world.fields(module).program_references;
            if there && count.exists() {
                if step.world.is_full(count) {
                    return fails(&mut step);
                }
                step.world.one_more(count);
            }
            to(&mut step, gives(i64::from(there)), i64::from(there));
        }
        Call::Enter(module) => {
            let absent = matches!(
                step.world.state(module),
                ModuleState::Absent | ModuleState::Unformed | ModuleState::UnformedAgain
            );
            if !absent {
                let inside = step.world.fields(module).inside;
                if step.world.is_full(inside) {
                    return fails(&mut step);
                }
                step.world.one_more(inside);
            }
            to(&mut step, gives(i64::from(!absent)), i64::from(!absent));
        }
        Call::ModulePut(module) | Call::Leave(module) => {
            let fields = step.world.fields(module);
            let count = match call {
                Call::Leave(_) => fields.inside,
                _ => fields.program_references,
            };
            if !count.exists() {
                return to(&mut step, done, 0);
            }
            // What was never taken cannot be given back.
            if step.world.get(count) == 0 {
                return fails(&mut step);
            }
            for less in step.world.one_less(count) {
                step.world.set(count, less);
                to(&mut step, done, 0);
            }
        }
        Call::RegisterFilesystem => {
            let module = step.module();
            let rivals = step.model().rivals(module);
            let taken = rivals.iter().any(|rival| step.world.registered(*rival))
                || step.world.registered(module);
            if !taken {
                step.world.set_registered(module, true);
            }
            let result = if taken { -16 } else { 0 };
            to(&mut step, gives(result), result);
        }
        Call::UnregisterFilesystem => {
            let module = step.module();
            step.world.set_registered(module, false);
            to(&mut step, done, 0);
        }
    }
}

/// The state of the init or exit that runs at this depth.
fn inner(step: &Step<'_>, kind: usize) -> u64 {
    match step.task.inner[usize::from(step.task.depth)] {
        0 => ready(step.model()).programs.begins(kind),
        inner => u64::from(inner),
    }
}

fn with_inner(task: &Task, local: u64) -> Task {
    let mut inner = task.inner;
    inner[usize::from(task.depth)] = packed(local);
    Task { inner, ..*task }
}

/// A statement of an init or exit. What it returns, once it is over.
fn statement_of_module(mut step: Step<'_>, program: ProgramId) {
    let model = step.model();
    let kind = usize::from(program);
    let local = inner(&step, kind);
    // A signal to whoever gets modprobe's exit status is none to modprobe.
    let killable = matches!(step.who.role, Role::Actor { killable: true, .. })
        && !step.who.role.waits_for_modprobe()
        && step.task.depth == 0;
    let Some((call, statement)) = called(model, kind, local) else {
        return statements(step, kind, local, killable, with_inner);
    };
    if let Call::Action(action) = call {
        let Action::RequestModule(name) = action else {
            unreachable!("an init calls request_module() and nothing else that takes time")
        };
        step.task = with_inner(&step.task, local);
        return module::nested_request(step, name);
    }
    answer(step, kind, (call, statement), |task, result| {
        with_inner(task, answered(model, kind, local, result))
    });
}

/// What the program has returned, if it is over.
fn over(step: &Step<'_>, program: ProgramId) -> Option<i64> {
    let kind = usize::from(program);
    match ready(step.model()).programs.turn(kind, inner(step, kind)) {
        Turn::Over(result) => Some(result),
        _ => None,
    }
}

/// `do_one_initcall()` of an init that is a program.
pub(crate) fn init(mut step: Step<'_>, program: ProgramId) {
    let Some(result) = over(&step, program) else { return statement_of_module(step, program) };
    let event = Event::Returns { program, result: i16::try_from(result).unwrap_or(i16::MAX) };
    let outcome = match result {
        // do_init_module() warns of what is more than 0, and goes on.
        0.. => InitOutcome::Succeeds,
        EEXIST => InitOutcome::Eexist,
        _ => InitOutcome::FailsEarly,
    };
    module::init_returned(&mut step, event, outcome);
}

/// `mod->exit()`, which is a program.
pub(crate) fn exit(mut step: Step<'_>, program: ProgramId) {
    if over(&step, program).is_none() {
        return statement_of_module(step, program);
    }
    module::exit_returned(&mut step, Event::Returns { program, result: 0 });
}

/// What an init requested has come to something, and it is at its init again, in `task`.
pub(crate) fn request_returned(step: &Step<'_>, task: Task, ret: Ret) -> Task {
    let model = step.model();
    let module = step.who.module(&task);
    let Some(program) = model.scenario.modules[usize::from(module)].init_program else {
        return task;
    };
    let local = u64::from(task.inner[usize::from(task.depth)]);
    let result = ret.number(Action::RequestModule(0));
    with_inner(&task, ready(model).programs.answered(usize::from(program), local, result))
}

/// A process once a queue of programs has woken it; `None`: it does not sleep there.
pub(crate) fn woken(model: &Model, kind: u8, task: &Task, queue: u8) -> Option<Task> {
    let programs = &ready(model).programs;
    match task.pc {
        Pc::Program => {
            let kind = model.program_of(kind)?;
            let local = programs.woken(kind, u64::from(task.program), Queue(queue))?;
            Some(at(model, kind, local))
        }
        Pc::Init | Pc::ModuleExit => {
            let who = Who { model, role: model.acts_as(kind, task) };
            let module: ModuleId = who.module(task);
            let spec = &model.scenario.modules[usize::from(module)];
            let program = if task.pc == Pc::Init { spec.init_program } else { spec.exit_program };
            let inner = task.inner[usize::from(task.depth)];
            let local = u64::from(inner);
            let local = programs.woken(usize::from(program?), local, Queue(queue))?;
            Some(with_inner(task, local))
        }
        _ => None,
    }
}

/// The programs that a process is in, the outermost first: what each is, and its state.
pub(crate) fn frames(model: &Model, kind: u8, task: &Task) -> Vec<(usize, u64)> {
    let mut frames = Vec::new();
    if task.program != 0 {
        frames.extend(model.program_of(kind).map(|kind| (kind, u64::from(task.program))));
    }
    let here = usize::from(task.depth);
    for (depth, inner) in task.inner.iter().enumerate() {
        // One that has not begun is at its beginning.
        let begins = depth == here && matches!(task.pc, Pc::Init | Pc::ModuleExit);
        if *inner == 0 && !begins {
            continue;
        }
        // As it is once what is nested deeper has returned.
        let outer = Task {
            depth: number(depth),
            pos: if depth < here { task.outer[depth] } else { task.pos },
            ..*task
        };
        let who = Who { model, role: model.acts_as(kind, task) };
        let module = &model.scenario.modules[usize::from(who.module(&outer))];
        let exits = depth == here && task.pc == Pc::ModuleExit;
        let program = if exits { module.exit_program } else { module.init_program };
        let programs = &ready(model).programs;
        let local = |kind| if *inner == 0 { programs.begins(kind) } else { u64::from(*inner) };
        frames.extend(program.map(usize::from).map(|kind| (kind, local(kind))));
    }
    frames
}

/// What init's error is to those who load: `-EEXIST` is taken for success by kmod.
pub(crate) const fn failed(outcome: InitOutcome, net: bool) -> Finit {
    match outcome {
        InitOutcome::Eexist if !net => Finit::Exists,
        _ => Finit::Failed,
    }
}
