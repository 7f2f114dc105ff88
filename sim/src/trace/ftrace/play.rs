//! What each line of a log means for the model.
//!
//! A probe at the entry of a function says that its step has not been taken, one at the return that it
//! has: between the two lies a window in which it must be. What has no probe is hidden, and may be
//! anywhere between the lines before and after it of the same process. What a process is in (a
//! system call, a window) is remembered beside the model's state.

use kmodcheck_explore::Step;
use kmodcheck_explore::{Effect, Kind, Local, Shared};
use kmodcheck_model::event::{Claim, InitOutcome, Woken};
use kmodcheck_model::scenario::{Action, FailsAt, ModuleId};
use kmodcheck_model::{Event, Model, ModuleState, Pc, Ret, Role};

use super::cast::{Cast, Meaning, Observation};
use super::order::Place;
use super::parse;

const EBUSY: i32 = -parse::EBUSY;
const EEXIST: i32 = -parse::EEXIST;

/// No module.
const NONE: ModuleId = ModuleId::MAX;

/// What a process is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Inside {
    call: Call,
    /// The last line of this call.
    last: Place,
    /// The module that is being loaded or unloaded.
    module: ModuleId,
    result: Outcome,
    /// What `do_init_module()` returned.
    init_returned: Option<i32>,
    /// How often `finished_loading()` was called in this wait; two stand for more.
    tests: u8,
    test: Test,
    /// A reference was taken of which the log has a line.
    took: bool,
    /// References on dependencies were given back in this `free_module()`.
    gave_back: bool,
    /// A failed init's module is freed, and waiters are woken.
    freed: bool,
}

impl Inside {
    pub const NOTHING: Self = Self {
        call: Call::None,
        last: Place::Outside,
        module: NONE,
        result: Outcome::None,
        init_returned: None,
        tests: 0,
        test: Test::None,
        took: false,
        gave_back: false,
        freed: false,
    };
}

/// The system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Call {
    None,
    /// `finit_module()`, before `load_module()`, or asleep until another one that it has joined is
    /// done.
    Finit,
    /// `load_module()`.
    Load,
    /// `load_module()` has returned this, and those who joined are not told yet.
    Loaded(i32),
    /// `finit_module()`, about to return this.
    Returns(i32),
    /// `delete_module()`.
    Delete,
}

/// What `load_module()` or `delete_module()` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Outcome {
    None,
    Loaded,
    Exists,
    Busy,
    InitFailed,
    InitEexist,
    /// A load has failed between COMING and init; whether with `-EEXIST`.
    Refused {
        eexist: bool,
    },
    Unlinked {
        eexist: bool,
    },
    /// A signal has ended the wait for a listed name.
    Interrupted,
}

/// A `finished_loading()` that has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A log, as the search wants it.
pub(super) struct Play<'a> {
    model: &'a Model,
    cast: &'a Cast,
}

impl<'a> Play<'a> {
    pub fn new(model: &'a Model, cast: &'a Cast) -> Self {
        Self { model, cast }
    }

    /// The shared word when the log begins.
    pub fn begin(&self, initial: Shared) -> Shared {
        self.cast.loaded.iter().fold(initial, |shared, module| {
            self.model.with_module(shared, *module, ModuleState::Live, (true, true))
        })
    }

    fn finished(&self, shared: Shared, module: ModuleId) -> bool {
        let state = self.model.module_state(shared, module);
        self.model.scenario().listed_rules().finished(state)
    }

    fn probed(&self, place: Place) -> bool {
        self.cast.probed.contains(&place)
    }

    /// Whether the process is right after `place`: that was its last line, or would have been if it
    /// were probed.
    fn right_after(&self, inside: &Inside, place: Place) -> bool {
        inside.last == place || !self.probed(place) && place.follows(inside.last, &self.cast.probed)
    }

    fn depends(&self, module: ModuleId, dependency: Option<ModuleId>) -> bool {
        let modules = &self.model.scenario().modules;
        let module = modules.get(usize::from(module));
        dependency.is_some_and(|on| module.is_some_and(|m| m.dependencies.contains(&on)))
    }

    /// Whether the log has a line wherever `module` takes its reference on `dependency`.
    fn resolved(&self, module: ModuleId, dependency: ModuleId) -> bool {
        self.probed(Place::Resolved) && self.cast.resolved.contains(&(module, dependency))
    }

    /// Whether the log has a line where this process gives the references of `module` back.
    fn gives_back(&self, inside: &Inside, module: ModuleId) -> bool {
        let holds = match inside.call {
            Call::Delete => self.cast.resolved.iter().any(|(by, _)| *by == module),
            _ => inside.took,
        };
        holds && self.probed(Place::GivesBack)
    }

    /// Whether the log has a line wherever a modprobe of this kind reads an initstate that is gone.
    fn tells_of_reads(&self, kind: Kind) -> bool {
        let role = self.model.role(kind.0);
        let shell = matches!(role, Role::Actor { action: Action::Modprobe(_), .. });
        self.cast.reads && !shell
    }

    /// What every step makes of what any process is in: `local` is where that one is afterwards.
    pub fn afterwards(&self, shared: Shared, local: Local, inside: &mut Inside) {
        // A test that has been called and has not looked sees what everybody does meanwhile.
        if let Test::Called { unfinished } = &mut inside.test {
            *unfinished |= !self.finished(shared, inside.module);
        }
        if self.model.returned(0, local) {
            let Inside { call, last, .. } = *inside;
            *inside = Inside { call, last, ..Inside::NOTHING };
        }
    }

    /// What `finit_module()` returns to those who joined the one of which this step is.
    pub fn told(&self, step: &Step<Event>, inside: &Inside) -> Option<i32> {
        match (step.label, inside.call) {
            (Event::IdempotentComplete { .. }, Call::Loaded(ret)) => Some(ret),
            _ => None,
        }
    }

    /// A process was woken, and told this.
    pub fn woken(&self, told: Option<i32>, inside: &mut Inside) {
        if let Some(ret) = told {
            inside.call = Call::Returns(ret);
        }
    }

    /// Whether the step is the process's next line (`Some(true)`), hidden (`Some(false)`) or neither.
    pub fn step(
        &self,
        next: Option<&Observation>,
        step: &Step<Event>,
        inside: &mut Inside,
    ) -> Option<bool> {
        let mine = next.map(|o| o.meaning);
        let fit = self.caller_step(mine, step, inside);
        if let (Some(true), Some(place)) = (fit, next.and_then(|o| o.place)) {
            inside.last = place;
        }
        fit
    }

    fn caller_step(
        &self,
        mine: Option<Meaning>,
        step: &Step<Event>,
        inside: &mut Inside,
    ) -> Option<bool> {
        let seen = |meaning: Meaning| if mine == Some(meaning) { Some(true) } else { None };
        let hidden = |may: bool| if may { Some(false) } else { None };
        match step.label {
            Event::Call { action } => match action {
                // The events of these come with the first thing that they do.
                Action::RequestModule(_) | Action::RequestModuleNowait(_) | Action::Modprobe(_) => {
                    Some(false)
                }
                Action::Rmmod(module) => {
                    inside.call = Call::Delete;
                    inside.module = module;
                    seen(Meaning::Call)
                }
                _ => seen(Meaning::Call),
            },
            Event::LookUp { found, .. } => {
                // What is built in has no module of which a reference could be taken.
                let name = self.model.role(step.kind.0).name();
                let built_in = name.is_some_and(|name| self.model.built_in(name));
                if found && !built_in && self.probed(Place::Pinned) {
                    seen(Meaning::Pinned)
                } else {
                    Some(false)
                }
            }
            Event::PutFilesystem { .. } if self.cast.unpins => seen(Meaning::Unpinned),
            Event::RequestModule { .. } => seen(Meaning::Request),
            Event::Read { module, content: None } | Event::ReadEnd { module, ok: false }
                if self.tells_of_reads(step.kind) =>
            {
                seen(Meaning::InitstateGone(Some(module)))
            }
            Event::Open { .. }
            | Event::Stat { .. }
            | Event::Read { .. }
            | Event::ReadEnd { .. }
            | Event::OpenUnknown { .. }
            | Event::StatUnknown { .. }
            | Event::InstallCommand { .. }
            | Event::CommandRunsModprobe { .. }
            | Event::CommandEnds { .. }
            | Event::NoFile { .. } => hidden(inside.call == Call::None),
            Event::Exit { .. } => match inside.call {
                Call::None => seen(Meaning::Exit),
                _ => None,
            },
            Event::HelperReturn { .. } if !self.probed(Place::HelperReturns) => Some(false),
            Event::HelperReturn { status } => match mine {
                Some(Meaning::HelperReturns(ret)) if returns(status, ret) => Some(true),
                _ => None,
            },
            Event::RequestReturn { ret } => match mine {
                Some(Meaning::RequestReturns(wanted)) if returns(ret, wanted) => Some(true),
                _ => None,
            },
            // Only who is told -ERESTARTSYS in the log may be killed. Its modprobe goes on without it, and nobody sees
            // when that begins: so it is as late as it can be, before the process is seen to go on or its modprobe exits.
            Event::Killed if matches!(step.effect, Effect::Spawn(..)) => match mine {
                Some(Meaning::HelperReturns(_) | Meaning::RequestReturns(_) | Meaning::Exit) => {
                    *inside = Inside::NOTHING;
                    Some(false)
                }
                _ => None,
            },
            // It has tested once more, and gives up.
            Event::Killed if inside.call == Call::Load => {
                let waited = self.model.task(step.local_before).pc;
                if matches!(waited, Pc::EarlyAsleep | Pc::AddAsleep) {
                    inside.result = Outcome::Interrupted;
                }
                hidden(inside.test == Test::None)
            }
            Event::Killed => Some(false),
            // What it returns tells the log.
            Event::SlotTimedOut => Some(false),
            // Nothing of it is in a log.
            Event::BuiltinDirectory { .. } | Event::BuiltinDirectoriesMade => Some(false),
            // Which modprobe begins is for the search to say.
            Event::Exec { .. }
            | Event::ResolveTimedOut { .. }
            | Event::UdevUse { .. }
            | Event::ExecRequests { .. }
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
            // Before `load_module()`, of which whoever joins another call has none.
            Event::Idempotent { .. } => hidden(inside.call == Call::Finit),
            // After it, before `finit_module()` returns to anybody.
            Event::IdempotentComplete { .. } => match inside.call {
                Call::Loaded(ret) => {
                    inside.call = Call::Returns(ret);
                    Some(false)
                }
                _ => None,
            },
            Event::AddUnformed { module, early, then, .. } => {
                // finished_loading() has returned before the list is looked at again.
                let tests = inside.test != Test::None && self.probed(Place::Tested);
                if inside.call != Call::Load || tests {
                    return None;
                }
                inside.module = module;
                inside.tests = 0;
                match then {
                    Claim::Free if early || !self.probed(Place::Listed) => Some(false),
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
                _ if !self.probed(Place::Tests) => Some(false),
                // The test before the process is queued is no step of its own if it comes out false.
                Test::Called { .. } if finished || inside.tests > 1 => {
                    inside.test = Test::Looked { finished };
                    Some(false)
                }
                _ => None,
            },
            Event::ResolveSymbol { module, dependency, state } => {
                if state == ModuleState::Live && self.resolved(module, dependency) {
                    inside.took = true;
                    seen(Meaning::Resolved(Some(dependency)))
                } else {
                    Some(false)
                }
            }
            Event::SysfsInit { made: true, .. } => {
                hidden(self.right_after(inside, Place::MakesDirectory))
            }
            Event::SysfsInit { made: false, .. } => {
                hidden(self.right_after(inside, Place::SysfsSetup))
            }
            Event::AddModinfoAttrs { made, .. } => hidden(
                self.right_after(inside, Place::MakesInitstate)
                    || !made && self.right_after(inside, Place::MakesDirectory),
            ),
            Event::MayFail { module, at, failed: true } => {
                let after = match at {
                    FailsAt::ComingNotifier | FailsAt::Arguments => Place::Coming,
                    FailsAt::Parameters => Place::MakesDirectory,
                    FailsAt::UsageLinks | FailsAt::Sections => Place::MakesInitstate,
                    // Nothing of the log makes a module fail there.
                    FailsAt::Codetag | FailsAt::ReadOnly => return None,
                };
                let scenario = self.model.scenario();
                let failure = scenario.modules[usize::from(module)].failure;
                let eexist = failure.is_some_and(|failure| failure.eexist)
                    && !scenario.features.kernel.load_eexist_is_busy;
                let right_after = self.right_after(inside, after);
                inside.result = Outcome::Refused { eexist };
                hidden(right_after)
            }
            // On the error path of mod_sysfs_setup(), which comes before it returns.
            Event::RemoveModinfoAttrs { .. }
                if matches!(inside.result, Outcome::Refused { .. }) =>
            {
                hidden(self.right_after(inside, Place::MakesInitstate))
            }
            Event::Init { module, outcome } => {
                let registers = self.model.scenario().modules[usize::from(module)].registers;
                let place = match outcome {
                    InitOutcome::Succeeds | InitOutcome::FailsLate if registers => Place::Registers,
                    _ => Place::Inits,
                };
                match outcome {
                    InitOutcome::Succeeds => {}
                    InitOutcome::FailsEarly | InitOutcome::FailsLate => {
                        inside.result = Outcome::InitFailed;
                    }
                    InitOutcome::Eexist => inside.result = Outcome::InitEexist,
                }
                hidden(self.right_after(inside, place))
            }
            Event::DropInitial { .. } if self.probed(Place::DropsInitial) => {
                seen(Meaning::DropsInitial).filter(|_| self.right_after(inside, Place::Live))
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
                let eexist = inside.result == Outcome::Refused { eexist: true };
                inside.result = Outcome::Unlinked { eexist };
                Some(false)
            }
            Event::RemoveModinfoAttrs { .. } | Event::SysfsFini { .. } => {
                hidden(self.right_after(inside, Place::TearsDown))
            }
            Event::UnloadFree { module } => {
                if !self.gives_back(inside, module) {
                    return Some(false);
                }
                inside.gave_back = true;
                match mine {
                    Some(Meaning::GivesBack(on)) if self.depends(module, on) => Some(true),
                    _ => None,
                }
            }
            Event::DeleteModule { .. } => hidden(inside.call == Call::Delete),
            // Nothing is probed there.
            _ => Some(false),
        }
    }

    /// Whether a process that is like this explains the line; what it opens or closes.
    pub fn line(
        &self,
        observation: &Observation,
        kind: Kind,
        shared: Shared,
        local: Local,
        inside: &mut Inside,
    ) -> bool {
        let fits = self.explains(observation.meaning, kind, shared, local, inside);
        if let Some(place) = observation.place
            && inside.call != Call::None
        {
            inside.last = place;
        }
        fits
    }

    fn explains(
        &self,
        meaning: Meaning,
        kind: Kind,
        shared: Shared,
        local: Local,
        inside: &mut Inside,
    ) -> bool {
        let task = self.model.task(local);
        let unloads = self.model.scenario().unloads();
        let state = match inside.module {
            NONE => ModuleState::Absent,
            module => self.model.module_state(shared, module),
        };
        let is = |module: Option<ModuleId>| module.is_some() && module == Some(inside.module);
        let right_after = |place| self.right_after(inside, place);
        match meaning {
            Meaning::StartsHelper => task.pc == Pc::Exec,
            Meaning::HelperReturns(ret) => {
                // The helper could not be started, or the wait for it is over by a signal.
                matches!(task.pc, Pc::RequestReturn | Pc::GiveSlot) && returns(task.ret, ret)
            }
            Meaning::Mounted(found) => task.pc == Pc::Done && (task.ret == Ret::Found) == found,
            Meaning::Unpinned => task.pc == Pc::Done && !unloads,
            Meaning::Finit { from_memory } => {
                // What is read from a file goes through idempotent(), where there is one.
                let place = match self.model.scenario().features.kernel.idempotent_finit {
                    true => from_memory != (task.pc == Pc::Idempotent),
                    false => true,
                };
                let begins = matches!(task.pc, Pc::AddUnformed | Pc::EarlyCheck | Pc::Idempotent);
                let free = inside.call == Call::None;
                *inside = Inside { call: Call::Finit, ..Inside::NOTHING };
                begins && place && free
            }
            Meaning::File(module) => {
                let file = |event: &Event| match event {
                    Event::Idempotent { module, .. } => Some(*module),
                    _ => None,
                };
                task.pc == Pc::Idempotent && self.next_is_about(kind, shared, local, module, file)
            }
            Meaning::InitstateRead(module) => {
                let file = |event: &Event| match event {
                    Event::ReadEnd { module, .. } => Some(*module),
                    _ => None,
                };
                matches!(task.pc, Pc::ReadEnd | Pc::ReadEndOther)
                    && self.next_is_about(kind, shared, local, module, file)
            }
            Meaning::LoadModule => {
                let before = inside.call == Call::Finit;
                inside.call = Call::Load;
                before && matches!(task.pc, Pc::AddUnformed | Pc::EarlyCheck)
            }
            Meaning::Tests(module) => {
                // Whoever is woken by a signal tests once more, and sleeps for the model until it is killed.
                let killable =
                    matches!(self.model.role(kind.0), Role::Actor { killable: true, .. });
                let woken = killable && matches!(task.pc, Pc::AddAsleep | Pc::EarlyAsleep);
                let fits = is(module)
                    && (woken || matches!(task.pc, Pc::AddWait | Pc::EarlyWait))
                    && inside.test == Test::None;
                if fits {
                    inside.tests = if woken { 1 } else { (inside.tests + 1).min(2) };
                    let unfinished = !self.finished(shared, inside.module);
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
                is(module)
                    && state == ModuleState::Coming
                    && matches!(task.pc, Pc::SysfsInit | Pc::ComingNotifier | Pc::ParseArgs)
            }
            Meaning::SysfsSetup(module) => is(module) && task.pc == Pc::SysfsInit,
            Meaning::MakesDirectory(module) => is(module) && task.pc == Pc::SysfsInit,
            Meaning::MakesInitstate(module) => {
                is(module) && task.pc == Pc::AddModinfoAttrs && right_after(Place::MakesDirectory)
            }
            Meaning::SysfsReturns(true) => {
                right_after(Place::MakesInitstate)
                    && matches!(task.pc, Pc::Uevent | Pc::InitRequest | Pc::Init)
            }
            Meaning::SysfsReturns(false) => {
                matches!(task.pc, Pc::FailGoing | Pc::FailUnloadFree | Pc::Unlink)
            }
            Meaning::SetUp(module) => {
                is(module) && matches!(task.pc, Pc::Uevent | Pc::InitRequest | Pc::Init)
            }
            Meaning::Inits(module) => is(module) && matches!(task.pc, Pc::InitRequest | Pc::Init),
            Meaning::Registers => {
                task.pc == Pc::Init && (right_after(Place::Inits) || right_after(Place::Registers))
            }
            Meaning::Live(module) => {
                is(module)
                    && state == ModuleState::Live
                    && (right_after(Place::Inits) || right_after(Place::Registers))
                    && matches!(task.pc, Pc::Uevent | Pc::DropInitial | Pc::WakeLive)
            }
            Meaning::DropsInitial => {
                inside.call == Call::Load
                    && match state {
                        // Where nobody unloads, references are no steps.
                        ModuleState::Live => !unloads && right_after(Place::Live),
                        // Init has failed.
                        ModuleState::Going => {
                            right_after(Place::Inits) || right_after(Place::Registers)
                        }
                        _ => false,
                    }
            }
            Meaning::Going(module) => {
                is(module)
                    && state == ModuleState::Going
                    && matches!(task.pc, Pc::RemoveModinfoAttrs | Pc::FailUnloadFree | Pc::Unlink)
            }
            Meaning::Frees(module) => {
                is(module) && state == ModuleState::Going && task.pc == Pc::RemoveModinfoAttrs
            }
            Meaning::Unformed(module) => {
                is(module) && matches!(state, ModuleState::Unformed | ModuleState::UnformedAgain)
            }
            Meaning::TearsDown(module) => is(module) && task.pc == Pc::RemoveModinfoAttrs,
            Meaning::GivesBack(on) => {
                self.depends(inside.module, on) && (inside.gave_back || !unloads)
            }
            Meaning::InitReturns(ret) => {
                inside.init_returned = Some(ret);
                match inside.result {
                    // An init that returns more than 0 counts as one that succeeded: 0 is returned.
                    Outcome::Loaded => ret == 0,
                    // `free_module()` and the wake-up are over.
                    Outcome::InitFailed => ret < 0 && ret != EEXIST && inside.freed,
                    Outcome::InitEexist => ret == self.init_eexist() && inside.freed,
                    _ => false,
                }
            }
            Meaning::LoadReturns(ret) => {
                let fits = inside.call == Call::Load
                    && inside.test == Test::None
                    && inside.init_returned.is_none_or(|init| init == ret)
                    && match inside.result {
                        Outcome::None => false,
                        Outcome::Loaded => ret == 0,
                        Outcome::Exists => ret == EEXIST,
                        Outcome::InitEexist => ret == self.init_eexist(),
                        Outcome::Busy => ret == EBUSY,
                        Outcome::Interrupted => returns(Ret::Erestartsys, ret),
                        Outcome::Refused { .. } => false,
                        Outcome::Unlinked { eexist: true } => ret == EEXIST,
                        Outcome::InitFailed | Outcome::Unlinked { .. } => ret < 0 && ret != EEXIST,
                    };
                inside.call = match task.pc {
                    Pc::IdempotentComplete => Call::Loaded(ret),
                    _ => Call::Returns(ret),
                };
                fits
            }
            Meaning::FinitReturns(ret) => {
                let fits = inside.call == Call::Returns(ret);
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
            | Meaning::InitstateGone(_)
            | Meaning::Listed(_)
            | Meaning::Resolved(_)
            | Meaning::Exec
            | Meaning::Exit => false,
        }
    }

    /// Whether what the process does next is about this module.
    fn next_is_about(
        &self,
        kind: Kind,
        shared: Shared,
        local: Local,
        module: Option<ModuleId>,
        of: impl Fn(&Event) -> Option<ModuleId>,
    ) -> bool {
        let mut next = Vec::new();
        self.model.step(kind.0, shared, local, &mut next);
        module.is_some() && next.iter().any(|outcome| of(&outcome.event) == module)
    }

    /// What an init's `-EEXIST` is to whoever called `finit_module()`.
    fn init_eexist(&self) -> i32 {
        match self.model.scenario().features.kernel.eexist_safety_net {
            true => EBUSY,
            false => EEXIST,
        }
    }
}

/// Whether what the model returns is this number of the log.
fn returns(ret: Ret, number: i32) -> bool {
    match ret {
        Ret::Zero => number == 0,
        Ret::Status256 => number == 256,
        Ret::Enoent => number == -2,
        Ret::Eperm => number == -1,
        Ret::Ebusy => number == EBUSY,
        Ret::Eexist => number == EEXIST,
        Ret::Ewouldblock => number == -11,
        Ret::Enomem => number == -12,
        Ret::Eacces => number == -13,
        Ret::Etime => number == -62,
        Ret::Eintr => number == -4,
        Ret::Erestartsys => number == -512 || number == -4,
        Ret::Enametoolong => number == -36,
        _ => false,
    }
}
