//! tools/modprobe.c and libkmod/libkmod-module.c: `modprobe -q -- NAME`, and `modprobe -r NAME`.

use std::sync::Arc;

use kmodcheck_model::features::{BareDirectory, BuiltinIndex, FailedLookup, Program};
use kmodcheck_model::scenario::{Insert, ModuleId, Name, NameId, Probe, Resolution, Target};
use kmodcheck_model::{Event, ModuleState, Ret};
use kmodcheck_runtime::{Runtime, Stuck};

use crate::errno::{Errno, Int};
use crate::fault::Fault;
use crate::kernel::Current;
use crate::module::{delete_module, finit_module, init_module, listed_state, proc_modules};
use crate::sysfs::{open_initstate, read_initstate, read_refcnt, stat_directory};

/// `enum kmod_module_initstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Initstate {
    Builtin,
    Live,
    Coming,
    Going,
}

/// `kmod_module_get_initstate()` below its look into the builtin index: sysfs.
fn look_into_sysfs<R: Runtime>(
    current: &Current<R>,
    name: &str,
    open: impl FnOnce(bool) -> Event,
    stat: impl FnOnce(bool) -> Event,
) -> Result<Initstate, Errno> {
    let Some(file) = open_initstate(current, name, open) else {
        if stat_directory(current, name, stat) {
            return Ok(match current.scenario().features.kmod.bare_directory {
                BareDirectory::Builtin => Initstate::Builtin,
                BareDirectory::Coming => Initstate::Coming,
            });
        }
        return Err(Errno::ENOENT);
    };
    // read_str_safe(): to the end of the file, in two reads.
    let state = read_initstate(current, &file, false)?;
    if !current.faulty(Fault::OneRead) {
        read_initstate(current, &file, true)?;
    }
    match state {
        ModuleState::Live => Ok(Initstate::Live),
        ModuleState::Coming => Ok(Initstate::Coming),
        ModuleState::Going => Ok(Initstate::Going),
        // show_initstate() has BUG() there; of the faulty kernel any answer will do.
        _ if current.faulty(Fault::UnlistedBeforeTeardown) => Ok(Initstate::Going),
        other => unreachable!("initstate of a module that is {other}"),
    }
}

/// `kmod_module_get_initstate()`.
fn kmod_module_get_initstate<R: Runtime>(
    current: &Current<R>,
    module: ModuleId,
) -> Result<Initstate, Errno> {
    let spec = &current.scenario().modules[usize::from(module)];
    let index_first = current.scenario().features.kmod.builtin_index == BuiltinIndex::BeforeSysfs;
    if index_first && spec.listed_builtin {
        return Ok(Initstate::Builtin);
    }
    let open = |found| Event::Open { module, found };
    let stat = |found| Event::Stat { module, found };
    look_into_sysfs(current, &spec.name, open, stat)
}

/// `module_is_inkernel()`; up to kmod v5 'coming' was good enough.
fn module_is_inkernel<R: Runtime>(current: &Current<R>, module: ModuleId) -> bool {
    match kmod_module_get_initstate(current, module) {
        Ok(Initstate::Live | Initstate::Builtin) => true,
        Ok(Initstate::Coming) => current.scenario().features.kmod.coming_is_loaded,
        Ok(Initstate::Going) | Err(_) => false,
    }
}

/// The same of an entry: what `kmod_module_new_from_path()` has made is not built in, since 4e391ac92d1b.
fn entry_is_inkernel<R: Runtime>(current: &Current<R>, m: &Probe) -> bool {
    if !(m.by_path && current.scenario().features.kmod.dependencies_not_builtin) {
        return module_is_inkernel(current, m.module);
    }
    let module = m.module;
    let name = &current.scenario().modules[usize::from(module)].name;
    let open = |found| Event::Open { module, found };
    let stat = |found| Event::Stat { module, found };
    match look_into_sysfs(current, name, open, stat) {
        Ok(Initstate::Live | Initstate::Builtin) => true,
        Ok(Initstate::Coming) => current.scenario().features.kmod.coming_is_loaded,
        Ok(Initstate::Going) | Err(_) => false,
    }
}

/// `kmod_module_probe_insert_module()`.
fn kmod_module_probe_insert_module<R: Runtime>(current: &Current<R>, target: &Target) -> Int {
    if !current.faulty(Fault::NoFirstLook) && module_is_inkernel(current, target.module) {
        return Ok(Ok(()));
    }
    // KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY: no error for insmod().
    if target.blacklisted {
        return Ok(Ok(()));
    }
    insert_list(current, &target.probe)
}

/// The loop of `kmod_module_probe_insert_module()`.
fn insert_list<R: Runtime>(current: &Current<R>, list: &[Probe]) -> Int {
    for m in list {
        let mut err = if entry_is_inkernel(current, m) {
            Err(Errno::EEXIST)
        } else {
            match m.insert {
                // kmod_module_get_path() has none.
                Insert::NoFile => {
                    current.emit(Event::NoFile { module: m.module });
                    Err(Errno::ENOENT)
                }
                // blacklisted(), before the kernel has made anything of it.
                Insert::Refused => {
                    current.emit(Event::LoadRefused { module: m.module });
                    Err(Errno::EPERM)
                }
                // kmod_module_insert_module()
                Insert::Finit => finit_module(current, m.module)?,
                _ => install_command(current, m)?,
            }
        };
        // Loaded already is no error, and a softdep's error is none.
        if err == Err(Errno::EEXIST) || !m.required {
            err = Ok(());
        }
        if err.is_err() {
            return Ok(err);
        }
    }
    Ok(Ok(()))
}

/// `module_do_install_commands()`.
fn install_command<R: Runtime>(current: &Current<R>, m: &Probe) -> Int {
    let module = m.module;
    let exits = |fails: bool| if fails { Err(Errno::EPERM) } else { Ok(()) };
    Ok(match m.insert {
        Insert::NoopCommand => {
            current.emit(Event::InstallCommand { module, fails: false });
            Ok(())
        }
        // -WEXITSTATUS
        Insert::FailingCommand => {
            current.emit(Event::InstallCommand { module, fails: true });
            Err(Errno::EPERM)
        }
        // Since 81dbf2bee644 -EINVAL, whatever the status was.
        Insert::Exit17Command => {
            let fails = current.scenario().features.kmod.exit_17_fails;
            current.emit(Event::InstallCommand { module, fails });
            Err(if fails { Errno::EINVAL } else { Errno::EEXIST })
        }
        Insert::ModprobeCommand => ignoring_install(current, m)?,
        Insert::ModprobeForgiven => {
            let _ = ignoring_install(current, m)?;
            Ok(())
        }
        // Whatever a shell script may do about its module.
        Insert::UnknownCommand => match current.choose(3) {
            0 => {
                current.emit(Event::InstallCommand { module, fails: false });
                Ok(())
            }
            1 => {
                current.emit(Event::InstallCommand { module, fails: true });
                exits(true)
            }
            _ => {
                let _ = ignoring_install(current, m)?;
                let fails = current.choose(2) == 1;
                current.emit(Event::CommandEnds { module, fails });
                exits(fails)
            }
        },
        Insert::Finit | Insert::NoFile | Insert::Refused => {
            unreachable!("no command takes its place")
        }
    })
}

/// `modprobe --ignore-install MODULE`, as a process of its own: with KMOD_PROBE_IGNORE_COMMAND.
fn ignoring_install<R: Runtime>(current: &Current<R>, m: &Probe) -> Int {
    current.emit(Event::CommandRunsModprobe { module: m.module });
    if module_is_inkernel(current, m.module) {
        return Ok(Ok(()));
    }
    insert_list(current, &m.nested)
}

/// `handle_failed_lookup()`, up to kmod v19.
fn handle_failed_lookup<R: Runtime>(current: &Current<R>, name: NameId) -> Result<(), Errno> {
    if current.scenario().features.kmod.failed_lookup == FailedLookup::Fails {
        return Err(Errno::ENOENT);
    }
    // kmod_module_new_from_name() makes underscores of dashes.
    let module = current.name(name).request.replace('-', "_");
    let open = |_| Event::OpenUnknown { name };
    let stat = |found| Event::StatUnknown { name, found };
    match look_into_sysfs(current, &module, open, stat) {
        Ok(Initstate::Builtin) => Ok(()),
        _ => Err(Errno::ENOENT),
    }
}

/// Whether the name is an alias of built-in code, not its own name.
fn has_alias(name: &Name) -> bool {
    let own = name.request.replace('-', "_");
    name.builtin.as_ref().is_some_and(|code| code.name != own)
}

/// `insmod()`: of several modules behind the name the last one's error counts.
fn insmod<R: Runtime>(current: &Current<R>, id: NameId) -> Int {
    let scenario = Arc::clone(&current.kernel.scenario);
    let name = &scenario.names[usize::from(id)];
    let mut err = Ok(());
    match &name.resolution {
        // kmod_module_new_from_lookup(): modules.builtin.alias is its last look-up. Its lines are of
        // aliases; the name of code that modules.builtin does not list is none.
        Resolution::NotFound if scenario.features.kmod.builtin_aliases && has_alias(name) => {}
        Resolution::NotFound => err = handle_failed_lookup(current, id),
        Resolution::Builtin => {}
        Resolution::Modules(list) => {
            for target in list {
                err = kmod_module_probe_insert_module(current, target)?;
            }
        }
    }
    Ok(err)
}

fn program<R: Runtime>(current: &Current<R>) -> Program {
    current.scenario().features.kmod.modprobe
}

/// busybox's `bb_init_module()`: `finit_module()`, and after any error of it `init_module()`. Flags are 0, so of a
/// compressed file the first is -ENOEXEC.
fn bb_init_module<R: Runtime>(current: &Current<R>, module: ModuleId) -> Int {
    if !current.scenario().modules[usize::from(module)].compressed {
        let first = finit_module(current, module)?;
        if first.is_ok() {
            return Ok(first);
        }
    }
    current.emit(Event::InitModule { module });
    init_module(current, module)
}

/// busybox's `modprobe_main()`: what /proc/modules had at its start, and what it has loaded itself, is loaded to it.
fn busybox_modprobe<R: Runtime>(current: &Current<R>, id: NameId) -> Int {
    let scenario = Arc::clone(&current.kernel.scenario);
    let name = &scenario.names[usize::from(id)];
    let mut loaded = proc_modules(current);
    let targets = match &name.resolution {
        Resolution::NotFound => return Ok(Err(Errno::ENOENT)),
        Resolution::Builtin => return Ok(Ok(())),
        Resolution::Modules(targets) => targets,
    };
    let mut rc = Ok(());
    // Each alias is put in front of those before it.
    for target in targets.iter().rev() {
        let builtin = scenario.modules[usize::from(target.module)].listed_builtin;
        if loaded.contains(&target.module) || builtin || target.blacklisted {
            continue;
        }
        // do_modprobe()
        for m in target.probe.iter().filter(|m| m.required) {
            if loaded.contains(&m.module) {
                continue;
            }
            match bb_init_module(current, m.module)? {
                Ok(()) | Err(Errno::EEXIST) => {
                    loaded.insert(m.module);
                }
                Err(err) => {
                    rc = Err(err);
                    break;
                }
            }
        }
    }
    Ok(rc)
}

/// `already_loaded()` of modprobe-small.c.
fn already_loaded<R: Runtime>(current: &Current<R>, module: ModuleId) -> bool {
    let mut ret = 5 * 2;
    loop {
        let state = listed_state(current, module);
        let listed = matches!(state, ModuleState::Coming | ModuleState::Live | ModuleState::Going);
        let live = state == ModuleState::Live;
        if listed && !live {
            ret -= 2;
        }
        let again = listed && !live && ret > 0;
        let state = if listed { state } else { ModuleState::Absent };
        current.emit(Event::ProcLook { module, state, again });
        if !again {
            return live;
        }
    }
}

/// `process_module()` of modprobe-small.c, of one that is found: what it returns is of itself alone.
fn process_module<R: Runtime>(current: &Current<R>, module: ModuleId, by_name: bool) -> Int {
    if by_name && already_loaded(current, module) {
        return Ok(Ok(()));
    }
    let scenario = Arc::clone(&current.kernel.scenario);
    for dep in &scenario.modules[usize::from(module)].dependencies {
        let _ = process_module(current, *dep, true)?;
    }
    bb_init_module(current, module)
}

/// `modprobe_main()` of modprobe-small.c: every target, whatever becomes of the others.
fn small_modprobe<R: Runtime>(current: &Current<R>, id: NameId) -> Int {
    let scenario = Arc::clone(&current.kernel.scenario);
    let name = &scenario.names[usize::from(id)];
    let targets = name.targets();
    let mut exitcode = if targets.is_empty() { Err(Errno::ENOENT) } else { Ok(()) };
    for target in targets {
        let own = &scenario.modules[usize::from(target.module)].name;
        let by_name = *own == name.request.replace('-', "_");
        if let Err(err) = process_module(current, target.module, by_name)? {
            exitcode = Err(err);
        }
    }
    Ok(exitcode)
}

/// `modprobe_main()` of toybox. `quiet`: -q, which keeps quiet about a name that modules.dep does not have, and exits 0.
fn toybox_modprobe<R: Runtime>(current: &Current<R>, id: NameId, quiet: bool) -> Int {
    let scenario = Arc::clone(&current.kernel.scenario);
    let name = &scenario.names[usize::from(id)];
    let mut loaded = proc_modules(current);
    let mut exitval = Ok(());
    if name.targets().is_empty() && !quiet {
        exitval = Err(Errno::ENOENT);
    }
    for target in name.targets().iter().rev() {
        if target.blacklisted || loaded.contains(&target.module) {
            continue;
        }
        // go_probe()
        for m in target.probe.iter().filter(|m| m.required) {
            if loaded.contains(&m.module) {
                continue;
            }
            match ins_mod(current, m.module)? {
                Ok(()) | Err(Errno::EEXIST) => loaded.insert(m.module),
                Err(err) => {
                    exitval = Err(err);
                    break;
                }
            };
        }
    }
    Ok(exitval)
}

/// toybox's `ins_mod()`, and its `insmod_main()`: no MODULE_INIT_COMPRESSED_FILE, and no other try.
fn ins_mod<R: Runtime>(current: &Current<R>, module: ModuleId) -> Int {
    if current.scenario().modules[usize::from(module)].compressed {
        current.emit(Event::LoadRefused { module });
        return Ok(Err(Errno::EINVAL));
    }
    finit_module(current, module)
}

/// `do_modprobe()`: the wait status. `quiet`: it is called with -q, as the kernel does.
pub(crate) fn main<R: Runtime>(
    current: &Current<R>,
    name: NameId,
    quiet: bool,
) -> Result<Ret, Stuck> {
    let err = match program(current) {
        Program::Kmod => insmod(current, name)?,
        Program::Busybox => busybox_modprobe(current, name)?,
        Program::BusyboxSmall => small_modprobe(current, name)?,
        Program::Toybox => toybox_modprobe(current, name, quiet)?,
    };
    Ok(exit(current, err))
}

fn exit<R: Runtime>(current: &Current<R>, err: Result<(), Errno>) -> Ret {
    let status = if err.is_ok() { Ret::Zero } else { Ret::Status256 };
    current.emit(Event::Exit { status });
    status
}

/// `insmod FILE`: `kmod_module_insert_module()`, of which every error is one.
pub(crate) fn main_insmod<R: Runtime>(current: &Current<R>, name: NameId) -> Result<Ret, Stuck> {
    let target = current.name(name).targets().first().map(|target| target.module);
    let target = target.expect("it is the name of a module");
    let err = match program(current) {
        Program::Busybox | Program::BusyboxSmall => bb_init_module(current, target)?,
        Program::Toybox => ins_mod(current, target)?,
        Program::Kmod => finit_module(current, target)?,
    };
    Ok(exit(current, err))
}

/// `kmod_module_get_refcnt()`.
fn kmod_module_get_refcnt<R: Runtime>(
    current: &Current<R>,
    module: ModuleId,
) -> Result<i64, Errno> {
    let name = current.scenario().modules[usize::from(module)].name.clone();
    let open = |found| Event::RefcntOpen { module, found };
    let file = open_initstate(current, &name, open).ok_or(Errno::ENOENT)?;
    read_refcnt(current, &file)
}

/// `rmmod_do_remove_module()`; up to v29 with what became unused by it, and by that in turn.
fn rmmod_do_remove_module<R: Runtime>(
    current: &Current<R>,
    target: &Target,
    module: ModuleId,
) -> Result<(), Errno> {
    let err = delete_module(current, module);
    if !current.scenario().features.kmod.removes_listed_dependencies {
        remove_unused(current, target, module);
    }
    err
}

/// Up to v29, after a module: what it needed and nobody uses.
fn remove_unused<R: Runtime>(current: &Current<R>, target: &Target, module: ModuleId) {
    for dep in kmod_module_get_dependencies(current, target, module) {
        if kmod_module_get_refcnt(current, dep) == Ok(0) {
            let _ = rmmod_do_remove_module(current, target, dep);
        }
    }
}

/// `kmod_module_get_dependencies()`: what `modules.dep` lists for a target, or for one of those.
fn kmod_module_get_dependencies<R: Runtime>(
    current: &Current<R>,
    target: &Target,
    module: ModuleId,
) -> Vec<ModuleId> {
    fn needs(modules: &[kmodcheck_model::scenario::Module], of: ModuleId, what: ModuleId) -> bool {
        let dependencies = &modules[usize::from(of)].dependencies;
        dependencies.iter().any(|dep| *dep == what || needs(modules, *dep, what))
    }
    let listed = target.probe.iter().filter(|m| m.required && m.module != target.module);
    let listed = listed.map(|m| m.module);
    let modules = &current.scenario().modules;
    listed.filter(|dep| module == target.module || needs(modules, module, *dep)).collect()
}

/// `rmmod_do_module()`, without softdeps and holders: what is not there is no error, what is built in is one.
fn rmmod_do_module<R: Runtime>(current: &Current<R>, target: &Target) -> Result<(), Errno> {
    let module = target.module;
    match kmod_module_get_initstate(current, module) {
        Ok(Initstate::Builtin) => return Err(Errno::ENOENT),
        Ok(Initstate::Live | Initstate::Coming | Initstate::Going) => {}
        Err(_) => return Ok(()),
    }
    if kmod_module_get_refcnt(current, module).is_ok_and(|usage| usage > 0) {
        return Err(Errno::EBUSY);
    }
    let kmod = current.scenario().features.kmod;
    let gone =
        kmod.looks_before_removing && kmod_module_get_refcnt(current, module) == Err(Errno::ENOENT);
    match gone {
        false => rmmod_do_remove_module(current, target, module)?,
        true if !kmod.removes_listed_dependencies => remove_unused(current, target, module),
        true => {}
    }
    if kmod.removes_listed_dependencies {
        for dep in kmod_module_get_dependencies(current, target, module) {
            if kmod_module_get_refcnt(current, dep) == Ok(0) {
                let _ = delete_module(current, dep);
            }
        }
    }
    Ok(())
}

/// `modprobe -r NAME`; others than kmod's are taken to leave alone what becomes unused by it.
pub(crate) fn main_remove<R: Runtime>(current: &Current<R>, name: NameId) -> Result<Ret, Stuck> {
    let targets = current.name(name).targets();
    let mut err = if targets.is_empty() { Err(Errno::ENOENT) } else { Ok(()) };
    if program(current) == Program::BusyboxSmall {
        // It exits 0 whatever becomes of it.
        for target in targets {
            if delete_module(current, target.module).is_err() {
                break;
            }
        }
        return Ok(exit(current, Ok(())));
    }
    let reads = matches!(program(current), Program::Busybox | Program::Toybox);
    let listed = reads.then(|| proc_modules(current));
    for target in targets {
        err = match &listed {
            Some(listed) if !listed.contains(&target.module) => Ok(()),
            Some(_) => delete_module(current, target.module),
            None => rmmod_do_module(current, target),
        };
        if err.is_err() {
            break;
        }
    }
    Ok(exit(current, err))
}
