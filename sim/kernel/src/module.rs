//! kernel/module.c of v4.9 (kernel/module/main.c from v5.19 on).

use std::sync::Arc;

use kmodcheck_model::event::InitOutcome;
use kmodcheck_model::scenario::{Init, ModuleId};
use kmodcheck_model::{Event, ModuleState};
use kmodcheck_runtime::{Runtime, Stuck};

use crate::errno::{Errno, Int};
use crate::fault::Fault;
use crate::filesystems::{FileSystemType, register_filesystem, unregister_filesystem};
use crate::kernel::{Current, MODULE_WQ};
use crate::log::Place;
use crate::sysfs::{mod_sysfs_setup, mod_sysfs_teardown};

/// `enum module_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Live,
    Coming,
    Going,
    Unformed,
}

impl From<State> for ModuleState {
    fn from(state: State) -> Self {
        match state {
            State::Live => Self::Live,
            State::Coming => Self::Coming,
            State::Going => Self::Going,
            State::Unformed => Self::Unformed,
        }
    }
}

/// `struct module`: one for each attempt to load.
#[derive(Debug)]
pub(crate) struct Module {
    pub id: ModuleId,
    pub name: String,
}

/// What `module_mutex` protects, and `mod->state`, which it does not protect: some write it and some
/// read it without. Here they take the mutex for that one access. A load or store in the midst of
/// somebody's critical section is as good as one before or after it, because none accesses the state
/// of a module twice.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// `modules`, each with its `state`.
    list: Vec<(Arc<Module>, State)>,
}

impl Modules {
    /// `find_module_all(name, len, true)`: UNFORMED ones, too.
    fn find_module_all(&self, name: &str) -> Option<&Arc<Module>> {
        self.list.iter().map(|(mod_, _)| mod_).find(|mod_| mod_.name == name)
    }

    /// `mod->state`. Nobody looks at a module that is not on the list.
    pub fn state(&self, mod_: &Arc<Module>) -> State {
        let listed = self.list.iter().find(|(listed, _)| Arc::ptr_eq(listed, mod_));
        listed.map_or(State::Unformed, |(_, state)| *state)
    }

    fn set_state(&mut self, mod_: &Arc<Module>, new: State) {
        for (listed, state) in &mut self.list {
            if Arc::ptr_eq(listed, mod_) {
                *state = new;
            }
        }
    }

    fn list_add_rcu(&mut self, mod_: &Arc<Module>) {
        self.list.push((Arc::clone(mod_), State::Unformed));
    }

    fn list_del_rcu(&mut self, mod_: &Arc<Module>) {
        self.list.retain(|(listed, _)| !Arc::ptr_eq(listed, mod_));
    }
}

/// `find_module_all()` under module_mutex and a look at what it finds, in the words of events.
fn look_up<R: Runtime>(
    current: &Current<R>,
    name: &str,
    mut event: impl FnMut(ModuleState) -> Event,
) -> (ModuleState, Place) {
    let modules = current.kernel.module_mutex.lock();
    let state = match modules.find_module_all(name) {
        None => ModuleState::Absent,
        Some(mod_) => modules.state(mod_).into(),
    };
    (state, current.emit(event(state)))
}

/// What the proposed check sees under a name.
pub(crate) fn state_of<R: Runtime>(
    current: &Current<R>,
    name: &str,
    event: impl FnMut(ModuleState) -> Event,
) -> ModuleState {
    look_up(current, name, event).0
}

/// `try_module_get()`: refused once the module is GOING. `event` says what to write down.
pub(crate) fn try_module_get<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
    event: impl FnOnce(bool) -> Event,
) -> bool {
    let modules = current.kernel.module_mutex.lock();
    let got = modules.state(mod_) != State::Going;
    current.emit(event(got));
    got
}

/// `finished_loading()`: gone, LIVE or GOING.
fn finished_loading<R: Runtime>(current: &Current<R>, mod_: &Module) -> Result<Place, Place> {
    let module = mod_.id;
    let (state, place) =
        look_up(current, &mod_.name, |state| Event::FinishedLoading { module, state });
    match state {
        ModuleState::Absent | ModuleState::Live | ModuleState::Going => Ok(place),
        _ => Err(place),
    }
}

/// `resolve_symbol()`, for the symbols of one module: `find_symbol()` does not see UNFORMED ones,
/// `ref_module()` is refused by COMING ones (`-EBUSY`) and by GOING ones (`-ENOENT`).
fn resolve_symbol<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
    dependency: ModuleId,
) -> (Result<(), Errno>, Place) {
    let name = &current.scenario().modules[usize::from(dependency)].name;
    let module = mod_.id;
    let (state, place) =
        look_up(current, name, |state| Event::ResolveSymbol { module, dependency, state });
    let got = match state {
        ModuleState::Live => Ok(()),
        ModuleState::Coming => Err(Errno::EBUSY),
        _ => Err(Errno::ENOENT),
    };
    (got, place)
}

/// `resolve_symbol_wait()`.
fn resolve_symbol_wait<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
    dependency: ModuleId,
) -> Int {
    let mut ksym = Err(Errno::ENOENT);
    current.wait_event_module_wq(|| {
        let (got, place) = resolve_symbol(current, mod_, dependency);
        ksym = got;
        if got == Err(Errno::EBUSY) { Err(place) } else { Ok(place) }
    })?;
    Ok(ksym)
}

/// `simplify_symbols()`: goes through all of them, and fails at the end if one was not found.
fn simplify_symbols<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) -> Int {
    let mut ret = Ok(());
    for dependency in &current.scenario().modules[usize::from(mod_.id)].dependencies {
        let ksym = resolve_symbol_wait(current, mod_, *dependency)?;
        if let Err(err) = ksym {
            ret = Err(err);
        }
    }
    Ok(ret)
}

/// `free_module()`.
fn free_module<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) {
    mod_sysfs_teardown(current, mod_);

    // It stays on the list so that nobody loads it again meanwhile.
    {
        let mut modules = current.kernel.module_mutex.lock();
        modules.set_state(mod_, State::Unformed);
        current.emit(Event::SetUnformed { module: mod_.id });
    }

    let mut modules = current.kernel.module_mutex.lock();
    modules.list_del_rcu(mod_);
    current.emit(Event::ListDel { module: mod_.id });
}

/// `mod->init()`.
fn do_one_initcall<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) -> Result<(), Errno> {
    let module = mod_.id;
    let init = &current.scenario().modules[usize::from(module)];
    let outcomes: &[InitOutcome] = match (init.init, init.registers) {
        (Init::Succeeds, _) => &[InitOutcome::Succeeds],
        (Init::MayFail, false) => &[InitOutcome::Succeeds, InitOutcome::FailsEarly],
        (Init::MayFail, true) => {
            &[InitOutcome::Succeeds, InitOutcome::FailsEarly, InitOutcome::FailsLate]
        }
    };
    let outcome = outcomes[current.choose(outcomes.len())];
    if outcome == InitOutcome::FailsEarly || !init.registers {
        current.emit(Event::Init { module, outcome });
        return if outcome == InitOutcome::Succeeds { Ok(()) } else { Err(Errno::EINVAL) };
    }
    let fs = FileSystemType {
        name: current.scenario().file_system().to_owned(),
        owner: Some(Arc::clone(mod_)),
    };
    register_filesystem(current, fs, |registered| Event::Init {
        module,
        outcome: if registered { outcome } else { InitOutcome::FailsEarly },
    })?;
    if outcome == InitOutcome::FailsLate {
        unregister_filesystem(current, mod_, Event::Unregister { module });
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// `do_init_module()`.
fn do_init_module<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) -> Result<(), Errno> {
    let module = mod_.id;
    let wake_up_all = |loaded| {
        current.kernel.sched.wake_up_all(MODULE_WQ, || {
            current.emit(Event::WakeUpAll { module, loaded });
        });
    };

    let ret = do_one_initcall(current, mod_);
    if ret.is_err() {
        {
            let mut modules = current.kernel.module_mutex.lock();
            modules.set_state(mod_, State::Going);
            current.emit(Event::SetGoing { module });
        }
        free_module(current, mod_);
        wake_up_all(false);
        return ret;
    }

    {
        let mut modules = current.kernel.module_mutex.lock();
        modules.set_state(mod_, State::Live);
        current.emit(Event::SetLive { module });
    }
    if !current.faulty(Fault::NoWakeWhenLive) {
        wake_up_all(true);
    }
    Ok(())
}

/// `add_unformed_module()`.
fn add_unformed_module<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) -> Int {
    let module = mod_.id;
    loop {
        let mut modules = current.kernel.module_mutex.lock();
        let Some(old) = modules.find_module_all(&mod_.name) else {
            modules.list_add_rcu(mod_);
            current.emit(Event::AddUnformed { module, state: ModuleState::Absent });
            return Ok(Ok(()));
        };
        let state = modules.state(old);
        current.emit(Event::AddUnformed { module, state: state.into() });
        if state != State::Coming && state != State::Unformed {
            return Ok(Err(Errno::EEXIST));
        }
        // Wait in case it fails to load.
        drop(modules);
        current.wait_event_module_wq(|| finished_loading(current, mod_))?;
    }
}

/// `complete_formation()`.
fn complete_formation<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) {
    let mut modules = current.kernel.module_mutex.lock();
    modules.set_state(mod_, State::Coming);
    current.emit(Event::CompleteFormation { module: mod_.id });
}

/// `layout_and_allocate()`. Nobody else sees it before it is listed.
fn layout_and_allocate<R: Runtime>(current: &Current<R>, id: ModuleId) -> Arc<Module> {
    let name = current.scenario().modules[usize::from(id)].name.clone();
    Arc::new(Module { id, name })
}

/// `load_module()`.
fn load_module<R: Runtime>(current: &Current<R>, id: ModuleId) -> Int {
    let mod_ = layout_and_allocate(current, id);

    // Reserve the place in the list.
    if let Err(err) = add_unformed_module(current, &mod_)? {
        return Ok(Err(err));
    }

    if let Err(err) = simplify_symbols(current, &mod_)? {
        unlink_mod(current, &mod_);
        return Ok(Err(err));
    }

    complete_formation(current, &mod_);

    if let Err(err) = mod_sysfs_setup(current, &mod_) {
        unlink_mod(current, &mod_);
        return Ok(Err(err));
    }

    Ok(do_init_module(current, &mod_))
}

/// `load_module()`, `unlink_mod:`.
fn unlink_mod<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) {
    let mut modules = current.kernel.module_mutex.lock();
    modules.list_del_rcu(mod_);
    current.emit(Event::Unlink { module: mod_.id });
    current.kernel.sched.wake_up_all(MODULE_WQ, || {});
}

/// `finit_module()`.
pub(crate) fn finit_module<R: Runtime>(current: &Current<R>, id: ModuleId) -> Int {
    load_module(current, id)
}

/// Whether a name is done loading, for the proposed check, with the event of the test.
pub(crate) fn wait_until_finished_loading<R: Runtime>(
    current: &Current<R>,
    name: &str,
    mut event: impl FnMut(ModuleState) -> Event,
) -> Result<(), Stuck> {
    current.wait_event_module_wq(|| {
        let (state, place) = look_up(current, name, &mut event);
        match state {
            ModuleState::Absent | ModuleState::Live | ModuleState::Going => Ok(place),
            _ => Err(place),
        }
    })
}
