//! What each line of a log means for the model: a [`Log`] of observations.
//!
//! A probe at the entry of a function says that its step has not been taken, one at the return that it
//! has: between the two lies a window in which it must be. What has no probe is hidden, and may be
//! anywhere between the lines before and after it of the same process. What a process is in (a
//! system call, a window) is remembered beside the model's state, and so is which modprobe belongs to
//! which caller.

use kmodcheck_explore::{Configuration, DORMANT, MAX_PROCESSES, Transition};
use kmodcheck_model::event::{Claim, InitOutcome, Woken};
use kmodcheck_model::scenario::{Action, ModuleId};
use kmodcheck_model::{Event, Model, ModuleState, Pc, Ret, Task};

use super::Watch;
use super::cast::{Cast, MAX_HELPERS, Meaning, Observation, Who};
use crate::Processes;
use crate::trace::accept::{Fit, Log};

/// A modprobe that has not begun.
const NOT_BEGUN: u8 = 0xff;
/// A process that looked like a modprobe of a request and is none.
const STRANGER: u8 = 0xfe;
/// No module.
const NONE: ModuleId = ModuleId::MAX;

/// What is remembered of a run beside the model's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// By modprobe: the process of the product that it is.
    plays: [u8; MAX_HELPERS],
    /// By process of the product.
    inside: [Inside; MAX_PROCESSES],
    /// What the watch said of the steps so far.
    pub(super) watched: u64,
}

/// What a process is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Inside {
    call: Call,
    window: Window,
    /// The module that is being loaded or unloaded.
    module: ModuleId,
    result: Outcome,
    /// How often `finished_loading()` was called in this wait; two stand for more.
    tests: u8,
    test: Test,
    /// References on dependencies were given back in this `free_module()`.
    gave_back: bool,
    /// A failed init's module is freed, and waiters are woken.
    freed: bool,
}

impl Inside {
    const NOTHING: Self = Self {
        call: Call::None,
        window: Window::None,
        module: NONE,
        result: Outcome::None,
        tests: 0,
        test: Test::None,
        gave_back: false,
        freed: false,
    };
}

/// The system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    None,
    /// `finit_module()`, before `load_module()`.
    Finit,
    /// `load_module()`.
    Load,
    /// `finit_module()`, after `load_module()` returned an error number or 0.
    Loaded(u8),
    /// `delete_module()`.
    Delete,
}

/// What may be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Window {
    None,
    MakesDirectory,
    MakesInitstate,
    Inits,
    Registers,
    TearsDown,
}

/// What `load_module()` or `delete_module()` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    None,
    Loaded,
    Exists,
    Busy,
    InitFailed,
    InitEexist,
    Unlinked,
}

/// A `finished_loading()` that has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Test {
    None,
    /// Called; whether it may have seen the module unfinished.
    Called {
        unfinished: bool,
    },
    /// Has looked.
    Looked {
        finished: bool,
    },
}

/// A log as the model's acceptor wants it.
pub(super) struct Play<'a> {
    model: &'a Model,
    cast: &'a Cast,
    watch: Watch<'a>,
}

const EBUSY: i64 = -16;
const EEXIST: i64 = -17;

impl<'a> Play<'a> {
    pub fn new(model: &'a Model, cast: &'a Cast, watch: Watch<'a>) -> Self {
        Self { model, cast, watch }
    }

    fn actor(&self, memory: &Memory, who: Who) -> Option<usize> {
        match who {
            Who::Actor(place) => Some(usize::from(place)),
            Who::Helper(helper) => {
                let plays = memory.plays[usize::from(helper)];
                (plays < STRANGER).then_some(usize::from(plays))
            }
        }
    }

    fn task(&self, state: &Configuration, actor: usize) -> Task {
        self.model.task(state.locals[actor])
    }

    fn finished(&self, shared: u128, module: ModuleId) -> bool {
        let state = self.model.module_state(shared, module);
        self.model.scenario().features.kernel.finished_loading(state)
    }

    /// Whether the notifiers were told LIVE, if the log would say so.
    fn live_was_told(&self, inside: &Inside) -> bool {
        inside.window == Window::None || !self.cast.traced.live
    }

    /// Whether the log has a line wherever `module` takes its reference on `dependency`.
    fn resolved(&self, module: ModuleId, dependency: ModuleId) -> bool {
        self.cast.resolved.contains(&(module, dependency))
    }

    fn gives_back(&self, module: ModuleId) -> bool {
        let gives = |o: &Observation| o.meaning == Meaning::GivesBack;
        self.cast.resolved.iter().any(|(by, _)| *by == module)
            && self.cast.observations.iter().any(gives)
    }
}

impl<'m> Log<Processes<'m>> for Play<'_> {
    type Memory = Memory;

    fn observations(&self) -> usize {
        self.cast.observations.len()
    }

    fn begin(&self, mut initial: Configuration) -> Configuration {
        for module in &self.cast.loaded {
            initial.shared =
                self.model.with_module(initial.shared, *module, ModuleState::Live, (true, true));
        }
        initial
    }

    fn start(&self) -> Memory {
        Memory {
            plays: [NOT_BEGUN; MAX_HELPERS],
            inside: [Inside::NOTHING; MAX_PROCESSES],
            watched: 0,
        }
    }

    fn fit(&self, at: usize, memory: &Memory, transition: &Transition<'_, Event>) -> Fit<Memory> {
        let actor = transition.actor;
        let next = self.cast.observations.get(at);
        let mut after = *memory;
        let fit = self.step(next, &mut after, transition);
        // A test that has been called and has not looked sees what everybody does meanwhile.
        for inside in &mut after.inside {
            if let Test::Called { unfinished } = &mut inside.test {
                *unfinished |= !self.finished(transition.after.shared, inside.module);
            }
        }
        if self.model.returned(transition.after.locals[actor]) && fit.is_some() {
            after.inside[actor] = Inside { call: after.inside[actor].call, ..Inside::NOTHING };
        }
        if fit.is_some() {
            after.watched |= (self.watch)(transition);
        }
        match fit {
            Some(true) => Fit::Seen(after),
            Some(false) => Fit::Hidden(after),
            None => Fit::Forbidden,
        }
    }

    fn holds(&self, at: usize, memory: &Memory, state: &Configuration) -> Option<Memory> {
        let observation = &self.cast.observations[at];
        let mut after = *memory;
        self.line(observation, &mut after, state).then_some(after)
    }
}

impl Play<'_> {
    /// Whether the step is the next line (`Some(true)`), hidden (`Some(false)`) or neither.
    fn step(
        &self,
        next: Option<&Observation>,
        memory: &mut Memory,
        transition: &Transition<'_, Event>,
    ) -> Option<bool> {
        let actor = transition.actor;
        let mine = next.filter(|o| self.actor(memory, o.who) == Some(actor)).map(|o| o.meaning);
        let seen = |meaning: Meaning| if mine == Some(meaning) { Some(true) } else { None };
        let hidden = |may: bool| if may { Some(false) } else { None };
        let inside = &mut memory.inside[actor];
        match transition.label {
            Event::Call { action } => match action {
                // The events of these come with the first thing that they do.
                Action::RequestModule(_) | Action::RequestModuleNowait(_) => {
                    hidden(mine == Some(Meaning::Request))
                }
                Action::Modprobe(_) => hidden(next.is_some()),
                Action::Rmmod(module) => {
                    inside.call = Call::Delete;
                    inside.module = module;
                    seen(Meaning::Call)
                }
                _ => seen(Meaning::Call),
            },
            Event::LookUp { found, .. } => {
                if found && self.cast.traced.pins {
                    seen(Meaning::Pinned)
                } else {
                    hidden(true)
                }
            }
            Event::PutFilesystem { .. } if self.cast.traced.pins => seen(Meaning::Unpinned),
            Event::RequestModule { .. } => seen(Meaning::Request),
            Event::Exec { .. } => {
                let next = next.filter(|o| o.meaning == Meaning::Exec)?;
                let Who::Helper(helper) = next.who else { return None };
                let known = &self.cast.helpers[usize::from(helper)];
                if known.callers >> actor & 1 == 0 {
                    return None;
                }
                // modprobe is the caller's process, or one that nobody waits for.
                let spawned = (0..MAX_PROCESSES).find(|i| {
                    transition.before.locals[*i] == DORMANT
                        && transition.after.locals[*i] != DORMANT
                });
                memory.plays[usize::from(helper)] = spawned.unwrap_or(actor) as u8;
                Some(true)
            }
            Event::Open { .. }
            | Event::Stat { .. }
            | Event::Read { .. }
            | Event::ReadEnd { .. }
            | Event::OpenUnknown { .. }
            | Event::StatUnknown { .. }
            | Event::InstallCommand { .. } => hidden(inside.call == Call::None),
            Event::Exit { .. } => match inside.call {
                Call::None => seen(Meaning::Exit),
                _ => None,
            },
            Event::HelperReturn { status } => match mine {
                Some(Meaning::HelperReturns(ret)) if returns(status, ret) => Some(true),
                _ => None,
            },
            Event::RequestReturn { ret } => match mine {
                Some(Meaning::RequestReturns(wanted)) if returns(ret, wanted) => Some(true),
                _ => None,
            },
            Event::Killed
            | Event::ResolveTimedOut { .. }
            | Event::SlotTimedOut
            | Event::UdevUse { .. }
            | Event::InitRequests { .. } => None,
            event => self.kernel_step(mine, event, inside),
        }
    }

    /// The same, of the steps of `load_module()`, `free_module()` and `delete_module()`.
    fn kernel_step(
        &self,
        mine: Option<Meaning>,
        event: Event,
        inside: &mut Inside,
    ) -> Option<bool> {
        let seen = |meaning: Meaning| if mine == Some(meaning) { Some(true) } else { None };
        let hidden = |may: bool| if may { Some(false) } else { None };
        match event {
            Event::Idempotent { .. } | Event::IdempotentComplete { .. } => {
                hidden(matches!(inside.call, Call::Finit | Call::Load))
            }
            Event::AddUnformed { module, early, then, .. } => {
                if inside.call != Call::Load {
                    return None;
                }
                inside.module = module;
                inside.tests = 0;
                match then {
                    Claim::Free if early => Some(false),
                    Claim::Free => seen(Meaning::Listed(Some(module))),
                    Claim::Wait => Some(false),
                    Claim::Exists => {
                        inside.result = Outcome::Exists;
                        Some(false)
                    }
                    Claim::Busy => {
                        inside.result = Outcome::Busy;
                        Some(false)
                    }
                }
            }
            Event::FinishedLoading { finished, .. } => match inside.test {
                _ if !self.cast.traced.tests => Some(false),
                // The test before the process is queued is no step of its own if it comes out false.
                Test::Called { .. } if finished || inside.tests > 1 => {
                    inside.test = Test::Looked { finished };
                    Some(false)
                }
                _ => None,
            },
            Event::ResolveSymbol { module, dependency, state } => {
                if state == ModuleState::Live && self.resolved(module, dependency) {
                    seen(Meaning::Resolved(dependency))
                } else {
                    Some(false)
                }
            }
            Event::SysfsInit { made, .. } => {
                hidden(made == (inside.window == Window::MakesDirectory))
            }
            Event::AddModinfoAttrs { made, .. } => {
                hidden(!made || inside.window == Window::MakesInitstate)
            }
            Event::Init { module, outcome } => {
                let registers = self.model.scenario().modules[usize::from(module)].registers;
                let wanted = match outcome {
                    InitOutcome::Succeeds | InitOutcome::FailsLate if registers => {
                        Window::Registers
                    }
                    _ => Window::Inits,
                };
                match outcome {
                    InitOutcome::Succeeds => {}
                    InitOutcome::FailsEarly | InitOutcome::FailsLate => {
                        inside.result = Outcome::InitFailed;
                    }
                    InitOutcome::Eexist => inside.result = Outcome::InitEexist,
                }
                hidden(inside.window == wanted)
            }
            Event::DropInitial { .. } if self.cast.traced.initial => {
                seen(Meaning::DropsInitial).filter(|_| self.live_was_told(inside))
            }
            Event::WakeUpAll { after, .. } => {
                match after {
                    Woken::Loaded => inside.result = Outcome::Loaded,
                    Woken::Failed => inside.freed = true,
                    Woken::Unloaded => {}
                }
                Some(false)
            }
            Event::Unlink { .. } => {
                inside.result = Outcome::Unlinked;
                Some(false)
            }
            Event::RemoveModinfoAttrs { .. } | Event::SysfsFini { .. } => {
                hidden(inside.window == Window::TearsDown)
            }
            Event::UnloadFree { module } => {
                inside.gave_back = true;
                if self.gives_back(module) { seen(Meaning::GivesBack) } else { Some(false) }
            }
            Event::DeleteModule { .. } => hidden(inside.call == Call::Delete),
            // Nothing is probed there.
            _ => Some(false),
        }
    }

    /// Whether a state such as this one explains the line; what it opens or closes.
    fn line(&self, observation: &Observation, memory: &mut Memory, state: &Configuration) -> bool {
        if matches!(observation.meaning, Meaning::Exec | Meaning::Exit) {
            return self.strange(observation, memory);
        }
        let Some(actor) = self.actor(memory, observation.who) else { return false };
        let task = self.task(state, actor);
        let inside = &mut memory.inside[actor];
        let of = |module: ModuleId| match module {
            NONE => ModuleState::Absent,
            module => self.model.module_state(state.shared, module),
        };
        let is = |module: Option<ModuleId>| module.is_some() && module == Some(inside.module);
        match observation.meaning {
            Meaning::StartsHelper => task.pc == Pc::Exec,
            Meaning::HelperReturns(ret) => {
                // The helper could not be started.
                task.pc == Pc::RequestReturn && ret < 0
            }
            Meaning::Mounted(found) => task.pc == Pc::Done && (task.ret == Ret::Found) == found,
            Meaning::Unpinned => task.pc == Pc::Done && !self.model.scenario().unloads(),
            Meaning::Finit => {
                let begins = matches!(task.pc, Pc::AddUnformed | Pc::EarlyCheck | Pc::Idempotent);
                let free = inside.call == Call::None;
                *inside = Inside { call: Call::Finit, ..Inside::NOTHING };
                begins && free
            }
            Meaning::LoadModule => {
                let before = inside.call == Call::Finit;
                inside.call = Call::Load;
                before && matches!(task.pc, Pc::AddUnformed | Pc::EarlyCheck)
            }
            Meaning::Tests(module) => {
                let fits = is(module)
                    && matches!(task.pc, Pc::AddWait | Pc::EarlyWait)
                    && inside.test == Test::None;
                if fits {
                    inside.tests = (inside.tests + 1).min(2);
                    let unfinished = !self.finished(state.shared, inside.module);
                    inside.test = Test::Called { unfinished };
                }
                fits
            }
            Meaning::Tested(wanted) => {
                let fits = match inside.test {
                    Test::None => false,
                    Test::Called { unfinished } => inside.tests == 1 && unfinished && !wanted,
                    Test::Looked { finished } => finished == wanted,
                };
                inside.test = Test::None;
                fits
            }
            Meaning::Coming(module) => {
                is(module) && of(inside.module) == ModuleState::Coming && task.pc == Pc::SysfsInit
            }
            Meaning::SysfsSetup(module) => is(module) && task.pc == Pc::SysfsInit,
            Meaning::MakesDirectory(module) => {
                let fits = is(module) && task.pc == Pc::SysfsInit;
                inside.window = Window::MakesDirectory;
                fits
            }
            Meaning::MakesInitstate(module) => {
                let fits = is(module)
                    && task.pc == Pc::AddModinfoAttrs
                    && inside.window == Window::MakesDirectory;
                inside.window = Window::MakesInitstate;
                fits
            }
            Meaning::SysfsReturns(true) => {
                let fits = inside.window == Window::MakesInitstate
                    && matches!(task.pc, Pc::Uevent | Pc::InitRequest | Pc::Init);
                inside.window = Window::None;
                fits
            }
            Meaning::SysfsReturns(false) => {
                inside.window = Window::None;
                matches!(task.pc, Pc::FailGoing | Pc::FailUnloadFree | Pc::Unlink)
            }
            Meaning::SetUp(module) => {
                is(module)
                    && inside.window == Window::None
                    && matches!(task.pc, Pc::Uevent | Pc::InitRequest | Pc::Init)
            }
            Meaning::Inits(module) => {
                let fits = is(module)
                    && inside.window == Window::None
                    && matches!(task.pc, Pc::InitRequest | Pc::Init);
                inside.window = Window::Inits;
                fits
            }
            Meaning::Registers => {
                let fits = task.pc == Pc::Init && inside.window == Window::Inits;
                inside.window = Window::Registers;
                fits
            }
            Meaning::Live(module) => {
                let fits = is(module)
                    && of(inside.module) == ModuleState::Live
                    && matches!(inside.window, Window::Inits | Window::Registers)
                    && matches!(task.pc, Pc::Uevent | Pc::DropInitial | Pc::WakeLive);
                inside.window = Window::None;
                fits
            }
            Meaning::DropsInitial => {
                inside.call == Call::Load
                    && match of(inside.module) {
                        // Where nobody unloads, references are no steps.
                        ModuleState::Live => {
                            !self.model.scenario().unloads() && self.live_was_told(inside)
                        }
                        // Init has failed.
                        ModuleState::Going => {
                            matches!(inside.window, Window::Inits | Window::Registers)
                        }
                        _ => false,
                    }
            }
            Meaning::Going(module) => {
                let fits = is(module)
                    && of(inside.module) == ModuleState::Going
                    && matches!(task.pc, Pc::RemoveModinfoAttrs | Pc::FailUnloadFree | Pc::Unlink);
                inside.window = Window::None;
                fits
            }
            Meaning::Frees(module) => {
                is(module)
                    && of(inside.module) == ModuleState::Going
                    && inside.window == Window::None
                    && task.pc == Pc::RemoveModinfoAttrs
            }
            Meaning::TearsDown(module) => {
                let fits = is(module)
                    && inside.window == Window::None
                    && task.pc == Pc::RemoveModinfoAttrs;
                inside.window = Window::TearsDown;
                fits
            }
            Meaning::GivesBack => inside.gave_back || !self.model.scenario().unloads(),
            // An init that returns more than 0 counts as one that succeeded, and 0 is returned.
            Meaning::InitReturns(ret) => match inside.result {
                Outcome::Loaded => ret == 0,
                // `free_module()` and the wake-up are over.
                Outcome::InitFailed => ret < 0 && ret != EEXIST && inside.freed,
                Outcome::InitEexist => ret == EEXIST && inside.freed,
                _ => false,
            },
            Meaning::LoadReturns(ret) => {
                let fits = inside.call == Call::Load
                    && inside.test == Test::None
                    && match inside.result {
                        Outcome::None => false,
                        Outcome::Loaded => ret == 0,
                        Outcome::Exists | Outcome::InitEexist => ret == EEXIST,
                        Outcome::Busy => ret == EBUSY,
                        Outcome::InitFailed | Outcome::Unlinked => ret < 0 && ret != EEXIST,
                    };
                inside.call = Call::Loaded(ret.unsigned_abs() as u8);
                fits
            }
            Meaning::FinitReturns(ret) => {
                let fits = inside.call == Call::Loaded(ret.unsigned_abs() as u8);
                *inside = Inside::NOTHING;
                fits
            }
            Meaning::DeleteReturns(ret) => {
                let fits =
                    inside.call == Call::Delete && task.pc == Pc::Done && returns(task.ret, ret);
                *inside = Inside::NOTHING;
                fits
            }
            Meaning::OutOfOrder
            | Meaning::Call
            | Meaning::Request
            | Meaning::RequestReturns(_)
            | Meaning::Pinned
            | Meaning::Listed(_)
            | Meaning::Resolved(_)
            | Meaning::Exec
            | Meaning::Exit => false,
        }
    }

    /// A process that looks like a modprobe of some request and is none: where there are more of them
    /// than requests.
    fn strange(&self, observation: &Observation, memory: &mut Memory) -> bool {
        let Who::Helper(helper) = observation.who else { return false };
        let plays = &mut memory.plays[usize::from(helper)];
        match observation.meaning {
            Meaning::Exec if self.cast.strangers => {
                *plays = STRANGER;
                true
            }
            Meaning::Exit => *plays == STRANGER,
            _ => false,
        }
    }
}

/// Whether what the model returns is this number of the log.
fn returns(ret: Ret, number: i64) -> bool {
    match ret {
        Ret::Zero => number == 0,
        Ret::Status256 => number == 256,
        Ret::Enoent => number == -2,
        Ret::Eperm => number == -1,
        Ret::Ebusy => number == EBUSY,
        Ret::Eexist => number == EEXIST,
        Ret::Ewouldblock => number == -11,
        Ret::Enomem => number == -12,
        Ret::Etime => number == -62,
        Ret::Erestartsys => number == -512 || number == -4,
        Ret::Enametoolong => number == -36,
        _ => false,
    }
}
