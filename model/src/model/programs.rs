//! Programs of a scenario, as far as a model is asked about them: how many bits they take, as whom a process steps that
//! is in a call of one, where it stands, and what conditions of the scenario speak of.

use super::{Model, ModuleState, Role, kernel};
use crate::scenario::{Action, ModuleId, NameId, Scenario, number};
use crate::state::{Counts, Frames, LEAST_DEPTH, Pc, Ret, Task, World};

/// Compiles the programs of a scenario; how many bits they take.
pub(super) fn frames(
    scenario: &mut Scenario,
    counts: Counts,
    deep: usize,
) -> Result<Frames, String> {
    if scenario.programs.is_empty() {
        return Ok(Frames::default());
    }
    // Each process may be in one of its own, and in as many inits as requests nest, and one more.
    let processes = (scenario.processes() * (deep.max(LEAST_DEPTH) + 2)).min(255);
    let compiled = crate::program::compile(scenario, processes);
    scenario.programs.compiled = compiled.map_err(|error| error.to_string())?;
    let Some(ready) = scenario.programs.ready() else { return Ok(Frames::default()) };
    let programs = &ready.programs;
    if counts == Counts::OrMore && programs.counts_processes() {
        return Err(
            "programs count processes (a semaphore, an rwsem), so how many there may be has to be \
                    known, expected a number of actors"
                .to_owned(),
        );
    }
    let bits = programs.local_bits();
    if bits > 32 {
        return Err(format!(
            "the variables of a program take {bits} bits, expected at most 32: declare narrower ones, as \
             'int __range(0, 3) x'"
        ));
    }
    let most = Ret::ALL.len();
    let many =
        (0..programs.len()).find(|p| programs.results(*p).is_none_or(|all| all.len() > most));
    if let Some(program) = many {
        let name = programs.name(program);
        return Err(format!(
            "{name} can come to more than {most} results, expected fewer: return a constant"
        ));
    }
    let acts = |a: &crate::scenario::Actor| matches!(a.action, Action::Program(_));
    let own = scenario.actors.iter().any(acts) || !programs.started().is_empty();
    let inner =
        scenario.modules.iter().any(|m| m.init_program.is_some() || m.exit_program.is_some());
    let modules = |function: &dyn Fn(&crate::program::Call) -> Option<ModuleId>| {
        let found = ready.calls.iter().filter_map(function);
        found.map(|module| scenario.module_name(module).to_owned()).collect()
    };
    use crate::program::Call;
    Ok(Frames {
        shared: programs.shared_bits(),
        own: if own { bits } else { 0 },
        inner: std::array::from_fn(|level| if inner && level <= deep { bits } else { 0 }),
        schedules: inner && programs.asynchronous().is_some(),
        processes,
        taken: modules(&|call| match call {
            Call::TryModuleGet(module) | Call::SymbolGet(module) | Call::ModulePut(module) => {
                Some(*module)
            }
            _ => None,
        }),
        entered: modules(&|call| match call {
            Call::Enter(module) | Call::Leave(module) => Some(*module),
            _ => None,
        }),
    })
}

/// What conditions speak of, in one state.
pub(super) struct Known<'m> {
    pub model: &'m Model,
    pub shared: u128,
}

impl kmodcheck_lang::Naming for Known<'_> {
    fn value(&self, name: &str) -> Option<i64> {
        let state = match name {
            "ABSENT" => ModuleState::Absent,
            "UNFORMED" => ModuleState::Unformed,
            "COMING" => ModuleState::Coming,
            "LIVE" => ModuleState::Live,
            "GOING" => ModuleState::Going,
            _ => {
                let programs = &self.model.scenario.programs.ready()?.programs;
                let shared = World::new(&self.model.layout, self.shared).programs();
                return programs.value(name, shared);
            }
        };
        Some(i64::from(state as u8))
    }

    fn called(&self, function: &str, name: &str) -> Option<i64> {
        let module = self.model.scenario.module_of_name(name)?;
        match function {
            "state" => Some(match self.model.module_state(self.shared, module) {
                ModuleState::UnformedAgain => i64::from(ModuleState::Unformed as u8),
                state => i64::from(state as u8),
            }),
            "inside" => i64::try_from(self.model.inside(self.shared, module)).ok(),
            _ => None,
        }
    }
}

impl Model {
    /// As whom a process steps that is in `task`: one that is in a call of its program as one that calls
    /// nothing else.
    pub fn acts_as(&self, kind: u8, task: &Task) -> Role {
        let role = self.role(kind);
        if !self.layout.programs_run
            || task.program == 0
            || matches!(task.pc, Pc::Program | Pc::Done)
        {
            return role;
        }
        kernel::program::caller(self, role, task).unwrap_or(role)
    }

    /// The same of a process in that state.
    pub fn acting(&self, kind: u8, local: u64) -> Role {
        match self.layout.programs_run {
            true => self.acts_as(kind, &self.task(local)),
            false => self.role(kind),
        }
    }

    /// The kind of a process among those of the programs, of one that runs a program of its own.
    pub fn program_of(&self, kind: u8) -> Option<usize> {
        match self.role(kind) {
            Role::Actor { action: Action::Program(program), .. } => Some(usize::from(program)),
            Role::Started(kind) => Some(usize::from(kind)),
            _ => None,
        }
    }

    /// Whether a condition of [`Scenario::asks`], by its place, is so in a shared state.
    pub fn is_so(&self, ask: usize, shared: u128) -> bool {
        self.asks[ask].holds(&Known { model: self, shared })
    }

    /// What is wrong with a condition of a scenario, and where in it; `None`: nothing.
    pub fn wrong_with(&self, condition: &str) -> Option<Box<kmodcheck_lang::text::TextError>> {
        let known = Known { model: self, shared: self.initial_shared() };
        kmodcheck_lang::Predicate::read("", condition, &known).err()
    }

    /// What the init of a module requests; `inner`: its state, where it is a program.
    pub(crate) fn init_requests(&self, module: ModuleId, inner: u32) -> NameId {
        let spec = &self.scenario.modules[usize::from(module)];
        match spec.init_program {
            Some(program) => kernel::program::requests(self, program, inner),
            None => spec.requests.expect("a nested request has an init that made it"),
        }
    }

    /// What a process's own program has come to, once it is over.
    pub fn program_result(&self, kind: u8, local: u64) -> Option<i64> {
        let kind = self.program_of(kind)?;
        let task = self.task(local);
        let ready = self.scenario.programs.ready()?;
        match ready.programs.turn(kind, u64::from(task.program)) {
            kmodcheck_lang::Turn::Over(result) if task.pc == Pc::Done => Some(result),
            _ => None,
        }
    }

    /// Whether a program of a process has failed: an assertion, or a variable beyond its range.
    pub fn has_failed(&self, kind: u8, local: u64) -> bool {
        let Some(ready) = self.scenario.programs.ready() else { return false };
        let frames = kernel::program::frames(self, kind, &self.task(local));
        let failed = |(of, local)| ready.programs.turn(of, local) == kmodcheck_lang::Turn::Failed;
        frames.into_iter().any(failed)
    }

    /// The locks of programs that a process holds: the address of each, and what it is called.
    pub fn locks(&self, kind: u8, local: u64) -> Vec<(i64, String)> {
        let Some(ready) = self.scenario.programs.ready() else { return Vec::new() };
        let frames = kernel::program::frames(self, kind, &self.task(local));
        frames.into_iter().flat_map(|(of, local)| ready.programs.holds(of, local)).collect()
    }

    /// The statement of a program that a process is at, and what program it is; `None`: it is at none.
    pub fn statement(&self, kind: u8, local: u64) -> Option<(String, kmodcheck_lang::Standing)> {
        let task = self.task(local);
        if !matches!(task.pc, Pc::Program | Pc::Init | Pc::ModuleExit) {
            return None;
        }
        let programs = &self.scenario.programs.ready()?.programs;
        let (of, local) = *kernel::program::frames(self, kind, &task).last()?;
        Some((programs.name(of), programs.stands(of, local)?))
    }

    /// How many programs are in a module's code.
    pub fn inside(&self, shared: u128, module: ModuleId) -> u64 {
        self.layout.modules[usize::from(module)].inside.get(shared)
    }

    /// The kind of the processes that programs start and that are of that kind there.
    pub(crate) fn started(&self, kind: usize) -> u8 {
        let first = self.scenario.actors.len() + 2 * self.scenario.names.len();
        let is = |role: &Role| *role == Role::Started(number(kind));
        let among = self.roles[first..].iter().position(is);
        number(first + among.expect("programs start no others"))
    }
}
