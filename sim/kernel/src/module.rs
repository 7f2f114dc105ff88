//! kernel/module.c of v4.9 (kernel/module/main.c from v5.18 on).

use std::collections::BTreeSet;
use std::sync::Arc;

use kmodcheck_model::event::{Claim, Finit, InitOutcome, Refcnt, Woken};
use kmodcheck_model::features::ListedName;
use kmodcheck_model::scenario::{FailsAt, Init, ModuleId};
use kmodcheck_model::{Event, ModuleState};
use kmodcheck_runtime::{Queue, Runtime, Stuck};

use crate::errno::{Errno, Int};
use crate::fault::Fault;
use crate::filesystems::{FileSystemType, register_filesystems, unregister_filesystem};
use crate::kernel::{COMPLETIONS, Current, MODULE_WQ, Waited, WaysOut, uevents};
use crate::kmod::__request_module;
use crate::log::Place;
use crate::sysfs::{mod_sysfs_setup, mod_sysfs_teardown, mod_sysfs_teardown_unloaded};

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

/// A module on the list, with those of its words that change.
#[derive(Debug)]
struct Listed {
    mod_: Arc<Module>,
    state: State,
    /// `refcnt`, without its base: the reference that a module is born with, and others'.
    refcnt: u32,
    /// `target_list`: the modules that it uses.
    uses: Vec<Arc<Module>>,
    /// Its init has returned 0.
    initialised: bool,
}

impl Listed {
    /// `module_refcount()`: a module that is GOING has lost its own reference after a failed init, and its base while it is
    /// unloaded.
    pub fn shown_refcnt(&self) -> i64 {
        i64::from(self.refcnt) - i64::from(self.state == State::Going)
    }
}

/// What `module_mutex` protects, and `mod->state` and `mod->refcnt`, which it does not protect: some
/// write them and some read them without. Here they take the mutex for that one access. A load or
/// store in the midst of somebody's critical section is as good as one before or after it, because
/// none accesses the state of a module twice.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    list: Vec<Listed>,
}

impl Modules {
    /// `find_module_all(name, len, true)`: UNFORMED ones, too.
    fn find_module_all(&self, name: &str) -> Option<&Arc<Module>> {
        self.list.iter().map(|listed| &listed.mod_).find(|mod_| mod_.name == name)
    }

    /// `find_module()`: UNFORMED is not found.
    fn find_module(&self, name: &str) -> Option<&Listed> {
        self.list.iter().find(|l| l.mod_.name == name && l.state != State::Unformed)
    }

    fn listed(&self, mod_: &Arc<Module>) -> Option<&Listed> {
        self.list.iter().find(|listed| Arc::ptr_eq(&listed.mod_, mod_))
    }

    fn listed_mut(&mut self, mod_: &Arc<Module>) -> Option<&mut Listed> {
        self.list.iter_mut().find(|listed| Arc::ptr_eq(&listed.mod_, mod_))
    }

    /// `mod->state`. Nobody looks at a module that is not on the list.
    pub fn state(&self, mod_: &Arc<Module>) -> State {
        self.listed(mod_).map_or(State::Unformed, |listed| listed.state)
    }

    fn set_state(&mut self, mod_: &Arc<Module>, state: State) {
        if let Some(listed) = self.listed_mut(mod_) {
            listed.state = state;
        }
    }

    /// Whether the init of the module of that number has returned 0.
    pub fn initialised(&self, module: ModuleId) -> bool {
        self.list.iter().any(|listed| listed.mod_.id == module && listed.initialised)
    }

    fn list_add_rcu(&mut self, mod_: &Arc<Module>) {
        self.list.push(Listed {
            mod_: Arc::clone(mod_),
            state: State::Unformed,
            // module_unload_init(): a reference to itself until it is initialised.
            refcnt: 1,
            uses: Vec::new(),
            initialised: false,
        });
    }

    fn list_del_rcu(&mut self, mod_: &Arc<Module>) {
        self.list.retain(|listed| !Arc::ptr_eq(&listed.mod_, mod_));
    }

    /// Whether others use it: its `source_list`.
    fn has_users(&self, mod_: &Arc<Module>) -> bool {
        self.list.iter().flat_map(|l| &l.uses).any(|used| Arc::ptr_eq(used, mod_))
    }

    /// `ref_module()`: one use, one reference, however many symbols.
    fn ref_module(&mut self, mod_: &Arc<Module>, used: &Arc<Module>) {
        let user = self.listed_mut(mod_).expect("it is being loaded");
        if !user.uses.iter().any(|u| Arc::ptr_eq(u, used)) {
            user.uses.push(Arc::clone(used));
            self.listed_mut(used).expect("it is LIVE").refcnt += 1;
        }
    }

    /// `module_unload_free()`, under module_mutex.
    fn module_unload_free(&mut self, mod_: &Arc<Module>) {
        let Some(user) = self.listed_mut(mod_) else { return };
        for used in std::mem::take(&mut user.uses) {
            if let Some(used) = self.listed_mut(&used) {
                used.refcnt -= 1;
            }
        }
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
    let mut modules = current.kernel.module_mutex.lock();
    let got = modules.state(mod_) != State::Going;
    if got && let Some(listed) = modules.listed_mut(mod_) {
        listed.refcnt += 1;
    }
    current.emit(event(got));
    got
}

/// `module_put()`. Where nobody unloads, nobody looks at references, and nothing is written down.
pub(crate) fn module_put<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>, event: Event) {
    if current.scenario().unloads() {
        let mut modules = current.kernel.module_mutex.lock();
        if let Some(listed) = modules.listed_mut(mod_) {
            listed.refcnt -= 1;
        }
        current.emit(event);
    }
}

/// `finished_loading()`, in this kernel's version.
fn is_finished<R: Runtime>(current: &Current<R>, state: ModuleState) -> bool {
    let waits_for_going =
        current.scenario().features.kernel.listed_name == ListedName::WaitsForGoing;
    match state {
        ModuleState::Absent | ModuleState::Live => true,
        ModuleState::Going => !waits_for_going,
        _ => false,
    }
}

/// `finished_loading()` of the name of a module that is being loaded.
fn finished_loading<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) -> Result<Place, Place> {
    let module = mod_.id;
    let event =
        |state| Event::FinishedLoading { module, state, finished: is_finished(current, state) };
    let (state, place) = look_up(current, &mod_.name, event);
    if is_finished(current, state) { Ok(place) } else { Err(place) }
}

/// `resolve_symbol()`, for the symbols of one module: `find_symbol()` does not see UNFORMED ones,
/// `ref_module()` is refused by COMING ones (`-EBUSY`) and by GOING ones (`-ENOENT`).
fn resolve_symbol<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
    dependency: ModuleId,
) -> (Result<(), Errno>, Place) {
    let name = &current.scenario().modules[usize::from(dependency)].name;
    let mut modules = current.kernel.module_mutex.lock();
    let owner = modules.find_module_all(name).map(Arc::clone);
    let state = owner.as_ref().map(|owner| modules.state(owner));
    let got = match (&owner, state) {
        (Some(owner), Some(State::Live)) => {
            modules.ref_module(mod_, owner);
            Ok(())
        }
        (_, Some(State::Coming)) => Err(Errno::EBUSY),
        _ => Err(Errno::ENOENT),
    };
    let state = state.map_or(ModuleState::Absent, Into::into);
    (got, current.emit(Event::ResolveSymbol { module: mod_.id, dependency, state }))
}

/// `resolve_symbol_wait()`: at most 30 s, interruptible.
fn resolve_symbol_wait<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
    dependency: ModuleId,
) -> Int {
    let mut ksym = Err(Errno::ENOENT);
    let gives_up = Event::ResolveTimedOut { module: mod_.id, dependency };
    let ways = WaysOut { killable: current.loader_killable(), time_limit: Some(gives_up) };
    let waited = current.wait_event(MODULE_WQ, ways, || {
        let (got, place) = resolve_symbol(current, mod_, dependency);
        ksym = got;
        if got == Err(Errno::EBUSY) { Err(place) } else { Ok(place) }
    })?;
    Ok(if waited == Waited::Met { ksym } else { Err(Errno::EBUSY) })
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

/// `module_unload_free()`. Where nobody unloads, nobody looks at references.
fn module_unload_free<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) {
    let uses_others = !current.scenario().modules[usize::from(mod_.id)].dependencies.is_empty();
    if current.scenario().unloads() && uses_others {
        let mut modules = current.kernel.module_mutex.lock();
        modules.module_unload_free(mod_);
        current.emit(Event::UnloadFree { module: mod_.id });
    }
}

/// `free_module()`.
fn free_module<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) {
    if !current.faulty(Fault::UnlistedBeforeTeardown) {
        mod_sysfs_teardown(current, mod_);
    }

    // It stays on the list so that nobody loads it again meanwhile.
    {
        let mut modules = current.kernel.module_mutex.lock();
        modules.set_state(mod_, State::Unformed);
        current.emit(Event::SetUnformed { module: mod_.id });
    }

    module_unload_free(current, mod_);

    {
        let mut modules = current.kernel.module_mutex.lock();
        modules.list_del_rcu(mod_);
        current.emit(Event::ListDel { module: mod_.id });
    }
    if current.faulty(Fault::UnlistedBeforeTeardown) {
        mod_sysfs_teardown(current, mod_);
    }
}

/// `delete_module()`, without privileges and signals.
pub(crate) fn delete_module<R: Runtime>(
    current: &Current<R>,
    module: ModuleId,
) -> Result<(), Errno> {
    let spec = &current.scenario().modules[usize::from(module)];
    let mut modules = current.kernel.module_mutex.lock();
    let out = |ret: Result<(), Errno>| {
        let ret = ret.err().map_or(kmodcheck_model::Ret::Zero, Into::into);
        current.emit(Event::DeleteModule { module, ret });
    };
    let Some(listed) = modules.find_module(&spec.name) else {
        out(Err(Errno::ENOENT));
        return Err(Errno::ENOENT);
    };
    let (mod_, state, refcnt) = (Arc::clone(&listed.mod_), listed.state, listed.refcnt);
    let ret = if modules.has_users(&mod_) {
        // Other modules depend on us: get rid of them first.
        Err(Errno::EWOULDBLOCK)
    } else if state != State::Live || spec.no_exit {
        // Doing init or already dying; or it cannot be unloaded.
        Err(Errno::EBUSY)
    } else if refcnt > 0 && !current.faulty(Fault::NoReferenceCheck) {
        // try_stop_module()
        Err(Errno::EWOULDBLOCK)
    } else {
        modules.set_state(&mod_, State::Going);
        Ok(())
    };
    out(ret);
    drop(modules);
    ret?;

    // mod->exit()
    if spec.registers {
        unregister_filesystem(current, &mod_, Event::ModuleExit { module });
    }
    free_module(current, &mod_);
    // Someone could wait for the module in add_unformed_module() (5d603311615f).
    if current.scenario().features.kernel.delete_module_wakes {
        wake_up_all(current, module, Woken::Unloaded);
    }
    Ok(())
}

/// `wake_up_all(&module_wq)` at the end of a system call.
fn wake_up_all<R: Runtime>(current: &Current<R>, module: ModuleId, after: Woken) {
    current.kernel.sched.wake_up_all(MODULE_WQ, || {
        current.emit(Event::WakeUpAll { module, after });
    });
}

/// `mod->init()`: it may request a module first; a file system registers.
fn do_one_initcall<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) -> Int {
    let module = mod_.id;
    let scenario = Arc::clone(&current.kernel.scenario);
    let init = &scenario.modules[usize::from(module)];
    if let Some(name) = init.requests {
        current.emit(Event::InitRequests { module, name });
        let outer = current.nested.replace(true);
        __request_module(current, true, name)?;
        current.nested.set(outer);
    }
    let outcomes: &[InitOutcome] = match (init.init, init.registers) {
        (Init::Succeeds, _) => &[InitOutcome::Succeeds],
        (Init::MayFail, false) => &[InitOutcome::Succeeds, InitOutcome::FailsEarly],
        (Init::MayFail, true) => {
            &[InitOutcome::Succeeds, InitOutcome::FailsEarly, InitOutcome::FailsLate]
        }
        (Init::MayReturnEexist, _) => &[InitOutcome::Succeeds, InitOutcome::Eexist],
        (Init::Fails, _) => &[InitOutcome::FailsEarly],
    };
    let outcome = outcomes[current.choose(outcomes.len())];
    // Whether it is initialised is a word of the module's own, which only who listens asks for.
    let returned = |initialised: bool, outcome: InitOutcome| {
        let mut modules = scenario.listens().then(|| current.kernel.module_mutex.lock());
        if let Some(listed) = modules.as_mut().and_then(|modules| modules.listed_mut(mod_)) {
            listed.initialised = initialised;
        }
        current.emit(Event::Init { module, outcome });
    };
    let returns = match outcome {
        InitOutcome::Succeeds => Ok(()),
        InitOutcome::FailsEarly | InitOutcome::FailsLate => Err(Errno::EINVAL),
        InitOutcome::Eexist if scenario.features.kernel.eexist_safety_net => Err(Errno::EBUSY),
        InitOutcome::Eexist => Err(Errno::EEXIST),
    };
    let registers = matches!(outcome, InitOutcome::Succeeds | InitOutcome::FailsLate);
    if !registers || !init.registers {
        returned(returns.is_ok(), outcome);
        return Ok(returns);
    }
    let owned = |name| FileSystemType { name, owner: Some(Arc::clone(mod_)) };
    let all = file_systems_of(current, module).into_iter().map(owned).collect();
    let registered = register_filesystems(current, all, |registered| {
        let outcome = if registered { outcome } else { InitOutcome::FailsEarly };
        returned(registered && returns.is_ok(), outcome);
    });
    if registered.is_err() {
        return Ok(registered);
    }
    if outcome == InitOutcome::FailsLate {
        unregister_filesystem(current, mod_, Event::Unregister { module });
    }
    Ok(returns)
}

/// The file systems that the module registers: those of its names that somebody asks for, whichever name
/// brought it in.
fn file_systems_of<R: Runtime>(current: &Current<R>, module: ModuleId) -> Vec<String> {
    let served = current.scenario().names.iter().filter(|name| {
        name.request.starts_with("fs-") && name.targets().iter().any(|t| t.module == module)
    });
    served.map(|name| name.file_system().to_owned()).collect()
}

/// `kobject_uevent(KOBJ_ADD)`, for those who listen.
pub(crate) fn kobject_uevent<R: Runtime>(current: &Current<R>, module: ModuleId) {
    if current.scenario().listens() {
        current.kernel.sched.wake_up_all(uevents(module), || {
            current.emit(Event::Uevent { module });
        });
    }
}

/// `do_init_module()`.
fn do_init_module<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) -> Int {
    let module = mod_.id;
    let features = current.scenario().features.kernel;
    let set_state = |state, event| {
        let mut modules = current.kernel.module_mutex.lock();
        modules.set_state(mod_, state);
        current.emit(event);
    };

    if current.faulty(Fault::LiveBeforeInit) {
        set_state(State::Live, Event::SetLive { module });
    }
    let fail = |ret| {
        set_state(State::Going, Event::SetGoing { module });
        free_module(current, mod_);
        wake_up_all(current, module, Woken::Failed);
        Ok(ret)
    };
    let ret = do_one_initcall(current, mod_)?;
    if ret.is_err() {
        return fail(ret);
    }

    // Now it's a first class citizen!
    if !current.faulty(Fault::LiveBeforeInit) {
        set_state(State::Live, Event::SetLive { module });
    }
    if features.uevent_after_init {
        kobject_uevent(current, module);
    }
    // Drop initial reference.
    module_put(current, mod_, Event::DropInitial { module });
    if let Err(err) = may_fail(current, mod_, FailsAt::ReadOnly) {
        return fail(Err(err));
    }
    if !current.faulty(Fault::NoWakeWhenLive) {
        wake_up_all(current, module, Woken::Loaded);
    }
    Ok(Ok(()))
}

/// What becomes of a name that is listed in some state.
fn claim<R: Runtime>(current: &Current<R>, old: Option<State>) -> Claim {
    let listed_name = current.scenario().features.kernel.listed_name;
    match old {
        None => Claim::Free,
        Some(State::Live) => Claim::Exists,
        Some(State::Going) => match listed_name {
            ListedName::GoingExists => Claim::Exists,
            ListedName::WaitsForGoing => Claim::Wait,
            ListedName::WaitsOnce => Claim::Busy,
        },
        Some(State::Coming | State::Unformed) if current.faulty(Fault::NoWaitForForming) => {
            Claim::Exists
        }
        Some(State::Coming | State::Unformed) => Claim::Wait,
    }
}

/// `add_unformed_module()`; `early`: `module_patient_check_exists()` alone, which claims nothing.
fn add_unformed_module<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>, early: bool) -> Int {
    let module = mod_.id;
    let once = current.scenario().features.kernel.listed_name == ListedName::WaitsOnce;
    let mut waited = false;
    loop {
        let mut modules = current.kernel.module_mutex.lock();
        let old = modules.find_module_all(&mod_.name).map(|old| modules.state(old));
        let state = old.map_or(ModuleState::Absent, Into::into);
        let passes =
            early && current.faulty(Fault::EarlyCheckPassesGoing) && !claims_file(current, module);
        let old = old.filter(|old| !(passes && *old == State::Going));
        let then = match claim(current, old) {
            // The module might have gone in the meantime. Do not try to load it again right now.
            Claim::Exists => Claim::Exists,
            _ if once && waited => Claim::Busy,
            then => then,
        };
        if then == Claim::Free && !early {
            modules.list_add_rcu(mod_);
        }
        current.emit(Event::AddUnformed { module, state, early, then });
        drop(modules);
        match then {
            Claim::Free => return Ok(Ok(())),
            Claim::Exists => return Ok(Err(Errno::EEXIST)),
            Claim::Busy => return Ok(Err(Errno::EBUSY)),
            Claim::Wait => {}
        }
        // Wait in case it fails to load.
        let ways = WaysOut { killable: current.loader_killable(), time_limit: None };
        let met = current.wait_event(MODULE_WQ, ways, || finished_loading(current, mod_))?;
        if met != Waited::Met {
            return Ok(Err(Errno::EINTR));
        }
        waited = true;
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

/// A call that may fail for some modules, and that some kernels do not heed.
pub(crate) fn may_fail<R: Runtime>(
    current: &Current<R>,
    mod_: &Module,
    at: FailsAt,
) -> Result<(), Errno> {
    let scenario = current.scenario();
    let kernel = &scenario.features.kernel;
    let heeded = match at {
        FailsAt::ComingNotifier => kernel.notifier_can_fail,
        FailsAt::Arguments | FailsAt::Parameters | FailsAt::UsageLinks => true,
        FailsAt::Sections => kernel.sections_can_fail,
        FailsAt::Codetag => kernel.codetag_can_fail,
        FailsAt::ReadOnly => kernel.fails_after_live,
    };
    let failure = scenario.modules[usize::from(mod_.id)].failure;
    let Some(failure) = failure.filter(|failure| heeded && failure.at == at) else {
        return Ok(());
    };
    let failed = current.choose(2) == 1;
    current.emit(Event::MayFail { module: mod_.id, at, failed });
    match (failed, failure.eexist) {
        (false, _) => Ok(()),
        (true, true) => Err(Errno::EEXIST),
        (true, false) => Err(Errno::EINVAL),
    }
}

/// `load_module()`.
fn load_module<R: Runtime>(current: &Current<R>, id: ModuleId) -> Int {
    let features = current.scenario().features.kernel;
    let mod_ = layout_and_allocate(current, id);

    if features.early_mod_check
        && let Err(err) = add_unformed_module(current, &mod_, true)?
    {
        return Ok(Err(err));
    }

    // Reserve our place in the list.
    if let Err(err) = add_unformed_module(current, &mod_, false)? {
        return Ok(Err(err));
    }

    // Fix up syms, so that st_value is a pointer to location.
    if let Err(err) = simplify_symbols(current, &mod_)? {
        unlink_mod(current, &mod_);
        return Ok(Err(err));
    }

    // Finally it's fully formed, ready to start executing.
    complete_formation(current, &mod_);

    let told = |err| match err {
        Errno::EEXIST if features.load_eexist_is_busy => Errno::EBUSY,
        err => err,
    };
    let cleanup = |going: bool| {
        if going {
            let mut modules = current.kernel.module_mutex.lock();
            modules.set_state(&mod_, State::Going);
            current.emit(Event::FailGoing { module: id });
        }
        unlink_mod(current, &mod_);
    };

    // prepare_coming_module()
    if let Err(err) = may_fail(current, &mod_, FailsAt::ComingNotifier) {
        // bug_cleanup
        cleanup(features.notifier_failure_sets_going);
        return Ok(Err(told(err)));
    }

    // Module is ready to execute: parsing args may do that. Then: link in to sysfs.
    let set_up =
        may_fail(current, &mod_, FailsAt::Arguments).and_then(|()| mod_sysfs_setup(current, &mod_));
    if let Err(err) = set_up {
        // coming_cleanup
        cleanup(features.failure_sets_going);
        return Ok(Err(told(err)));
    }

    if let Err(err) = may_fail(current, &mod_, FailsAt::Codetag) {
        // sysfs_cleanup, and err is still 0
        mod_sysfs_teardown_unloaded(current, &mod_);
        cleanup(features.failure_sets_going);
        return Ok(if features.codetag_error_counts { Err(err) } else { Ok(()) });
    }

    do_init_module(current, &mod_)
}

/// `load_module()`, from `free_unload:` to `unlink_mod:`.
fn unlink_mod<R: Runtime>(current: &Current<R>, mod_: &Arc<Module>) {
    module_unload_free(current, mod_);
    let mut modules = current.kernel.module_mutex.lock();
    // Unlink carefully: kallsyms could be walking list.
    modules.list_del_rcu(mod_);
    current.emit(Event::Unlink { module: mod_.id });
    current.kernel.sched.wake_up_all(MODULE_WQ, || {});
}

/// `idem_hash`: the files whose `finit_module()` runs, with the completion of those who joined.
#[derive(Debug, Default)]
pub(crate) struct Idempotents {
    running: Vec<(ModuleId, Queue)>,
    /// What those got who joined, by completion.
    results: Vec<(Queue, Result<(), Errno>)>,
}

/// Whether calls for one file know of each other: not of `init_module()`, which knows no file.
fn claims_file<R: Runtime>(current: &Current<R>, id: ModuleId) -> bool {
    let scenario = current.scenario();
    let compressed = scenario.modules[usize::from(id)].compressed;
    let unpacked = compressed && scenario.features.kmod.unpacks_itself;
    let kernel = &scenario.features.kernel;
    (kernel.idempotent_finit || kernel.exclusive_finit) && !unpacked
}

/// /proc/modules, `m_show()`: what is not UNFORMED, by number; read at once.
pub(crate) fn proc_modules<R: Runtime>(current: &Current<R>) -> BTreeSet<ModuleId> {
    let modules = current.kernel.module_mutex.lock();
    let shown = modules.list.iter().filter(|listed| listed.state != State::Unformed);
    let all: BTreeSet<ModuleId> = shown.map(|listed| listed.mod_.id).collect();
    let listed = all.iter().fold(0, |mask, id| mask | 1 << id);
    current.emit(Event::ProcModules { listed });
    all
}

/// The same, of one module: the state under which it is listed.
pub(crate) fn listed_state<R: Runtime>(current: &Current<R>, id: ModuleId) -> ModuleState {
    let modules = current.kernel.module_mutex.lock();
    let listed = modules.list.iter().find(|listed| listed.mod_.id == id);
    listed.map_or(ModuleState::Absent, |listed| listed.state.into())
}

/// `show_refcnt()` of a module that is listed; it takes no lock.
pub(crate) fn module_refcount<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
    reads: impl FnOnce() -> bool,
) -> Option<i64> {
    let modules = current.kernel.module_mutex.lock();
    let count = reads().then(|| modules.listed(mod_).map_or(0, Listed::shown_refcnt));
    let says = match count {
        None => Refcnt::Gone,
        Some(..0) => Refcnt::Unloading,
        Some(0) => Refcnt::Unused,
        Some(_) => Refcnt::Used,
    };
    current.emit(Event::RefcntRead { module: mod_.id, says });
    count
}

/// `init_module()`: it knows no file, so it joins nobody.
pub(crate) fn init_module<R: Runtime>(current: &Current<R>, id: ModuleId) -> Int {
    load_module(current, id)
}

/// `finit_module()` (from v6.5 on `idempotent_init_module()`), or `init_module()` where libkmod
/// unpacks a compressed file.
pub(crate) fn finit_module<R: Runtime>(current: &Current<R>, id: ModuleId) -> Int {
    if !claims_file(current, id) {
        return load_module(current, id);
    }

    let joins = current.scenario().features.kernel.idempotent_finit;
    // idempotent(), or exclusive_deny_write_access()
    let complete = loop {
        let mut idem = current.kernel.idempotents.lock();
        let running =
            idem.running.iter().find(|(module, _)| *module == id).map(|(_, queue)| *queue);
        current.emit(match joins {
            true => Event::Idempotent { module: id, joined: running.is_some() },
            false => Event::DenyWrite { module: id, busy: running.is_some() },
        });
        if let Some(complete) = running {
            if !joins {
                return Ok(Err(Errno::ETXTBSY));
            }
            current.kernel.sched.prepare_to_wait(complete, current.task);
            drop(idem);
            // wait_for_completion(), or wait_for_completion_interruptible()
            let killable =
                current.scenario().features.kernel.join_interruptible && current.loader_killable();
            if current.sleep(complete, WaysOut { killable, time_limit: None })? == Waited::Killed {
                return Ok(Err(Errno::EINTR));
            }
            if current.scenario().features.kernel.joiners_try_again {
                continue;
            }
            let idem = current.kernel.idempotents.lock();
            let (_, ret) = idem.results.iter().find(|(queue, _)| *queue == complete).expect("done");
            return Ok(*ret);
        }
        // Its number is that of a task and a load, so that a later load has another.
        let complete = Queue(COMPLETIONS.0 + 1000 * (1 + current.task.0) + idem.results.len());
        idem.running.push((id, complete));
        break complete;
    };

    let ret = load_module(current, id)?;

    // idempotent_complete(), or allow_write_access()
    let mut idem = current.kernel.idempotents.lock();
    idem.running.retain(|(module, _)| *module != id);
    if !joins {
        current.emit(Event::AllowWrite { module: id });
        return Ok(ret);
    }
    idem.results.push((complete, ret));
    let result = match ret {
        Ok(()) => Finit::Loaded,
        Err(Errno::EEXIST) => Finit::Exists,
        Err(_) => Finit::Failed,
    };
    current.kernel.sched.wake_up_all(complete, || {
        current.emit(Event::IdempotentComplete { module: id, result });
    });
    Ok(ret)
}

/// The proposed check's wait: `wait_event(module_wq, finished_loading(name))`, with the event of each
/// test.
pub(crate) fn wait_until_finished_loading<R: Runtime>(
    current: &Current<R>,
    name: &str,
    mut event: impl FnMut(ModuleState, bool) -> Event,
) -> Result<(), Stuck> {
    current.wait_event(MODULE_WQ, WaysOut::default(), || {
        let (state, place) =
            look_up(current, name, |state| event(state, is_finished(current, state)));
        if is_finished(current, state) { Ok(place) } else { Err(place) }
    })?;
    Ok(())
}

/// The same test without a wait.
pub(crate) fn finished_loading_now<R: Runtime>(
    current: &Current<R>,
    name: &str,
    mut event: impl FnMut(ModuleState, bool) -> Event,
) -> bool {
    let (state, _) = look_up(current, name, |state| event(state, is_finished(current, state)));
    is_finished(current, state)
}
