//! kernel/module/sysfs.c (kernel/module.c in v4.9), and as much of fs/kernfs as it takes: one
//! directory for a module, and one file in it.
//!
//! kernfs has one lock for all of it; here each name in /sys/module has two of its own, for the
//! directory and for the file, because each operation is on one of them. Looking takes them for
//! reading.

use std::sync::Arc;

use kmodcheck_model::scenario::{Action, FailsAt, LateDirectory, ModuleId, NameId, Scenario};
use kmodcheck_model::{Event, ModuleState};
use kmodcheck_runtime::{Runtime, RwLock};

use crate::errno::Errno;
use crate::kernel::{Current, uevents};
use crate::module::{Module, kobject_uevent, may_fail, module_refcount};

/// What may be at one name in /sys/module/.
struct Place<R: Runtime> {
    name: String,
    /// Whether the directory is there.
    directory: RwLock<R, bool>,
    /// The attribute, with the module that it belongs to.
    initstate: RwLock<R, Option<Arc<Module>>>,
}

/// `module_kset`.
pub(crate) struct ModuleKset<R: Runtime> {
    places: Vec<Place<R>>,
}

/// An open initstate.
pub(crate) struct File {
    place: usize,
    module: Arc<Module>,
}

impl<R: Runtime> ModuleKset<R> {
    /// As it is after the device initcalls: `param_sysfs_builtin()` and `version_sysfs_builtin()` have made directories of
    /// built-in code, unless they are late, and `module_add_driver()` those of drivers.
    pub fn new(scenario: &Scenario, tasks: usize) -> Self {
        let place = |name: &str, directory| Place {
            name: name.to_owned(),
            directory: RwLock::new(tasks, directory),
            initstate: RwLock::new(tasks, None),
        };
        let kernel = &scenario.features.kernel;
        let boots = scenario.actors.iter().any(|actor| actor.action == Action::LateInitcalls);
        // 96a1a2412acb: a subsys initcall before, a late one since.
        let builtin_init = !kernel.late_builtin_directories || !boots;
        let mut places: Vec<_> =
            scenario.modules.iter().map(|m| place(&m.name, m.name_taken && builtin_init)).collect();
        for builtin in scenario.names.iter().filter_map(|name| name.builtin.as_ref()) {
            if !places.iter().any(|place| place.name == builtin.name) {
                // f95bbfe18512: module_add_driver() makes it, if nobody has.
                let driver = builtin.driver && kernel.driver_directories;
                places.push(place(&builtin.name, driver || builtin.directory && builtin_init));
            }
        }
        Self { places }
    }

    fn find(&self, name: &str) -> Option<(usize, &Place<R>)> {
        self.places.iter().enumerate().find(|(_, place)| place.name == name)
    }

    fn of(&self, id: ModuleId) -> &Place<R> {
        &self.places[usize::from(id)]
    }
}

/// `param_sysfs_builtin_init()`, a late initcall since 96a1a2412acb: the directory of each built-in code, in any order, which
/// is that of the image.
pub(crate) fn param_sysfs_builtin_init<R: Runtime>(current: &Current<R>) {
    let scenario = current.scenario();
    let mut names = Vec::new();
    if scenario.features.kernel.late_builtin_directories {
        let taken = scenario.modules.iter().enumerate().filter(|(_, module)| module.name_taken);
        names.extend(
            taken.map(|(id, module)| (LateDirectory::Module(id as ModuleId), &module.name)),
        );
        for (id, name) in scenario.names.iter().enumerate() {
            let Some(code) = &name.builtin else { continue };
            let early = code.driver && scenario.features.kernel.driver_directories;
            // Nobody asks for the others.
            if code.directory && !early && code.name == name.request.replace('-', "_") {
                names.push((LateDirectory::Name(id as NameId), &code.name));
            }
        }
    }
    while !names.is_empty() {
        let (of, name) = names.remove(current.choose(names.len()));
        let (_, place) = current.kernel.module_kset.find(name).expect("it has a place");
        let mut directory = place.directory.write();
        // lookup_or_create_module_kobject()
        let made = !*directory;
        *directory = true;
        let done = || {
            current.emit(Event::BuiltinDirectory { of, made });
        };
        match of {
            // kobject_uevent(KOBJ_ADD)
            LateDirectory::Module(id) if scenario.listens() => {
                current.kernel.sched.wake_up_all(uevents(id), done);
            }
            _ => done(),
        }
    }
    current.emit(Event::BuiltinDirectoriesMade);
}

/// `mod_sysfs_init()`: the directory, unless an object of that name is there.
fn mod_sysfs_init<R: Runtime>(current: &Current<R>, mod_: &Module) -> Result<(), Errno> {
    let module = mod_.id;
    let mut directory = current.kernel.module_kset.of(module).directory.write();
    // kset_find_obj()
    if *directory {
        current.emit(Event::SysfsInit { module, made: false });
        return Err(Errno::EINVAL);
    }
    // kobject_init_and_add()
    *directory = true;
    current.emit(Event::SysfsInit { module, made: true });
    Ok(())
}

/// `module_add_modinfo_attrs()`.
fn module_add_modinfo_attrs<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
) -> Result<(), Errno> {
    let module = mod_.id;
    let spec = &current.scenario().modules[usize::from(module)];
    // module_param_sysfs_setup(), just before
    let own = spec.failure.filter(|failure| failure.at == FailsAt::Parameters);
    let mut outcomes = vec![None];
    outcomes.extend(spec.sysfs_may_fail.then_some(Some(None)));
    outcomes.extend(own.map(|failure| Some(Some(failure.eexist))));
    match outcomes[current.choose(outcomes.len())] {
        None => {}
        Some(None) => {
            current.emit(Event::AddModinfoAttrs { module, made: false });
            return Err(Errno::EINVAL);
        }
        Some(Some(eexist)) => {
            current.emit(Event::MayFail { module, at: FailsAt::Parameters, failed: true });
            return Err(if eexist { Errno::EEXIST } else { Errno::EINVAL });
        }
    }
    let mut initstate = current.kernel.module_kset.of(module).initstate.write();
    *initstate = Some(Arc::clone(mod_));
    current.emit(Event::AddModinfoAttrs { module, made: true });
    Ok(())
}

/// `mod_sysfs_setup()`.
pub(crate) fn mod_sysfs_setup<R: Runtime>(
    current: &Current<R>,
    mod_: &Arc<Module>,
) -> Result<(), Errno> {
    mod_sysfs_init(current, mod_)?;
    if let Err(err) = module_add_modinfo_attrs(current, mod_) {
        undo(current, mod_);
        return Err(err);
    }
    for place in [FailsAt::UsageLinks, FailsAt::Sections] {
        if let Err(err) = may_fail(current, mod_, place) {
            // out_unreg_modinfo_attrs: (bc6f2a757d52)
            if current.scenario().features.kernel.undo_removes_attributes {
                module_remove_modinfo_attrs(current, mod_);
            }
            undo(current, mod_);
            return Err(err);
        }
    }
    if !current.scenario().features.kernel.uevent_after_init {
        kobject_uevent(current, mod_.id);
    }
    Ok(())
}

/// `out_unreg:`, `mod_kobject_put()`: the directory goes, with what is in it.
fn undo<R: Runtime>(current: &Current<R>, mod_: &Module) {
    let place = current.kernel.module_kset.of(mod_.id);
    let mut directory = place.directory.write();
    *directory = false;
    if current.scenario().modules[usize::from(mod_.id)].failure.is_some() {
        *place.initstate.write() = None;
    }
    current.emit(Event::SysfsUndo { module: mod_.id });
}

/// `mod_sysfs_teardown()` of a module whose code tags are refused.
pub(crate) fn mod_sysfs_teardown_unloaded<R: Runtime>(current: &Current<R>, mod_: &Module) {
    module_remove_modinfo_attrs(current, mod_);
    undo(current, mod_);
}

/// `module_remove_modinfo_attrs()`. `kernfs_drain()` lets reads that have begun end; none begins
/// afterwards.
fn module_remove_modinfo_attrs<R: Runtime>(current: &Current<R>, mod_: &Module) {
    let mut initstate = current.kernel.module_kset.of(mod_.id).initstate.write();
    *initstate = None;
    current.emit(Event::RemoveModinfoAttrs { module: mod_.id });
}

/// `mod_sysfs_fini()`.
fn mod_sysfs_fini<R: Runtime>(current: &Current<R>, mod_: &Module) {
    let mut directory = current.kernel.module_kset.of(mod_.id).directory.write();
    *directory = false;
    current.emit(Event::SysfsFini { module: mod_.id });
}

/// `mod_sysfs_teardown()`.
pub(crate) fn mod_sysfs_teardown<R: Runtime>(current: &Current<R>, mod_: &Module) {
    module_remove_modinfo_attrs(current, mod_);
    mod_sysfs_fini(current, mod_);
}

/// `open("/sys/module/NAME/initstate")`. `event` says what to write down.
pub(crate) fn open_initstate<R: Runtime>(
    current: &Current<R>,
    name: &str,
    event: impl FnOnce(bool) -> Event,
) -> Option<File> {
    let Some((number, place)) = current.kernel.module_kset.find(name) else {
        current.emit(event(false));
        return None;
    };
    let initstate = place.initstate.read(current.task);
    let file = initstate.as_ref().map(|module| File { place: number, module: Arc::clone(module) });
    current.emit(event(file.is_some()));
    file
}

/// `stat("/sys/module/NAME")`.
pub(crate) fn stat_directory<R: Runtime>(
    current: &Current<R>,
    name: &str,
    event: impl FnOnce(bool) -> Event,
) -> bool {
    let Some((_, place)) = current.kernel.module_kset.find(name) else {
        current.emit(event(false));
        return false;
    };
    let directory = place.directory.read(current.task);
    current.emit(event(*directory));
    *directory
}

/// `read()` of refcnt, which is made and removed with initstate: `show_refcnt()`.
pub(crate) fn read_refcnt<R: Runtime>(current: &Current<R>, file: &File) -> Result<i64, Errno> {
    let reads = || {
        let place = &current.kernel.module_kset.places[file.place];
        let initstate = place.initstate.read(current.task);
        initstate.as_ref().is_some_and(|owner| Arc::ptr_eq(owner, &file.module))
    };
    module_refcount(current, &file.module, reads).ok_or(Errno::ENODEV)
}

/// `read()`: `kernfs_get_active()`, and `show_initstate()` if the attribute is still there.
pub(crate) fn read_initstate<R: Runtime>(
    current: &Current<R>,
    file: &File,
    at_end: bool,
) -> Result<ModuleState, Errno> {
    let module = file.module.id;
    let initstate = current.kernel.module_kset.places[file.place].initstate.read(current.task);
    let active = initstate.as_ref().is_some_and(|owner| Arc::ptr_eq(owner, &file.module));
    if !active {
        current.emit(if at_end {
            Event::ReadEnd { module, ok: false }
        } else {
            Event::Read { module, content: None }
        });
        return Err(Errno::ENODEV);
    }
    if at_end {
        current.emit(Event::ReadEnd { module, ok: true });
        return Ok(ModuleState::Absent);
    }
    // show_initstate(): one load, without a lock.
    let modules = current.kernel.module_mutex.lock();
    let state = modules.state(&file.module).into();
    current.emit(Event::Read { module, content: Some(state) });
    Ok(state)
}
