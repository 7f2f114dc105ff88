//! tools/modprobe.c and libkmod/libkmod-module.c: `modprobe -q -- NAME`.

use kmodcheck_model::features::{BareDirectory, BuiltinIndex, FailedLookup};
use kmodcheck_model::scenario::{ModuleId, Resolution, Target};
use kmodcheck_model::{Event, ModuleState, Ret};
use kmodcheck_runtime::{Runtime, Stuck};

use crate::errno::{Errno, Int};
use crate::kernel::Current;
use crate::module::finit_module;
use crate::sysfs::{open_initstate, read_initstate, stat_directory};

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
    read_initstate(current, &file, true)?;
    match state {
        ModuleState::Live => Ok(Initstate::Live),
        ModuleState::Coming => Ok(Initstate::Coming),
        ModuleState::Going => Ok(Initstate::Going),
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

/// `module_is_inkernel()`.
fn module_is_inkernel<R: Runtime>(current: &Current<R>, module: ModuleId) -> bool {
    matches!(kmod_module_get_initstate(current, module), Ok(Initstate::Live | Initstate::Builtin))
}

/// `kmod_module_probe_insert_module()`.
fn kmod_module_probe_insert_module<R: Runtime>(current: &Current<R>, target: &Target) -> Int {
    if module_is_inkernel(current, target.module) {
        return Ok(Ok(()));
    }
    for m in &target.probe {
        let mut err = if module_is_inkernel(current, m.module) {
            Err(Errno::EEXIST)
        } else {
            // kmod_module_insert_module()
            finit_module(current, m.module)?
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

/// `handle_failed_lookup()`, up to kmod v19.
fn handle_failed_lookup<R: Runtime>(current: &Current<R>, name: &str) -> Result<(), Errno> {
    if current.scenario().features.kmod.failed_lookup == FailedLookup::Fails {
        return Err(Errno::ENOENT);
    }
    // kmod_module_new_from_name() makes underscores of dashes.
    let name = name.replace('-', "_");
    let stat = |found| Event::StatUnknown { found };
    match look_into_sysfs(current, &name, |_| Event::OpenUnknown, stat) {
        Ok(Initstate::Builtin) => Ok(()),
        _ => Err(Errno::ENOENT),
    }
}

/// `insmod()`: of several modules behind the name the last one's error counts.
fn insmod<R: Runtime>(current: &Current<R>, name: &str) -> Int {
    let scenario = std::sync::Arc::clone(&current.kernel.scenario);
    let mut err = Ok(());
    match &scenario.resolution {
        Resolution::NotFound => err = handle_failed_lookup(current, name),
        Resolution::Builtin => {}
        Resolution::Modules(list) => {
            for target in list {
                err = kmod_module_probe_insert_module(current, target)?;
            }
        }
    }
    Ok(err)
}

/// `do_modprobe()`: the wait status.
pub(crate) fn main<R: Runtime>(current: &Current<R>, name: &str) -> Result<Ret, Stuck> {
    let err = insmod(current, name)?;
    let status = if err.is_ok() { Ret::Zero } else { Ret::Status256 };
    current.emit(Event::Exit { status });
    Ok(status)
}
