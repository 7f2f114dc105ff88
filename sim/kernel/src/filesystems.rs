//! fs/filesystems.c.

use std::sync::Arc;

use kmodcheck_model::features::SanityCheck;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::{Event, Ret};
use kmodcheck_runtime::{Runtime, Stuck};

use crate::errno::Errno;
use crate::kernel::Current;
use crate::kmod::__request_module;
use crate::module::{Module, try_module_get};

/// `struct file_system_type`.
#[derive(Clone, Debug)]
pub(crate) struct FileSystemType {
    pub name: String,
    /// `None`: built in.
    pub owner: Option<Arc<Module>>,
}

/// What built-in code has registered.
pub(crate) fn registered_at_boot(scenario: &Scenario) -> Vec<FileSystemType> {
    let name = scenario.file_system().to_owned();
    scenario.builtin.iter().map(|_| FileSystemType { name: name.clone(), owner: None }).collect()
}

/// `find_filesystem()`.
fn find_filesystem<'a>(
    file_systems: &'a [FileSystemType],
    name: &str,
) -> Option<&'a FileSystemType> {
    file_systems.iter().find(|fs| fs.name == name)
}

/// `register_filesystem()`. `event` says what to write down when it works.
pub(crate) fn register_filesystem<R: Runtime>(
    current: &Current<R>,
    fs: FileSystemType,
    event: impl FnOnce(bool) -> Event,
) -> Result<(), Errno> {
    let mut file_systems = current.kernel.file_systems.write();
    let free = find_filesystem(&file_systems, &fs.name).is_none();
    if free {
        file_systems.push(fs);
    }
    current.emit(event(free));
    if free { Ok(()) } else { Err(Errno::EBUSY) }
}

/// `unregister_filesystem()`.
pub(crate) fn unregister_filesystem<R: Runtime>(
    current: &Current<R>,
    owner: &Arc<Module>,
    event: Event,
) {
    let mut file_systems = current.kernel.file_systems.write();
    let of_owner = |fs: &FileSystemType| fs.owner.as_ref().is_some_and(|o| Arc::ptr_eq(o, owner));
    file_systems.retain(|fs| !of_owner(fs));
    current.emit(event);
}

/// `__get_fs_type()`: whether there is one, and its owner lets itself be pinned.
fn __get_fs_type<R: Runtime>(current: &Current<R>, name: &str, second: bool) -> bool {
    let warns = current.scenario().features.kernel.sanity_check == SanityCheck::WarnOnly;
    let event = |found: bool| Event::LookUp { second, found, warned: second && warns && !found };
    let file_systems = current.kernel.file_systems.read(current.task);
    match find_filesystem(&file_systems, name) {
        None => {
            current.emit(event(false));
            false
        }
        Some(FileSystemType { owner: None, .. }) => {
            current.emit(event(true));
            true
        }
        Some(FileSystemType { owner: Some(owner), .. }) => try_module_get(current, owner, event),
    }
}

/// `get_fs_type()`: whether it finds the file system.
pub(crate) fn get_fs_type<R: Runtime>(current: &Current<R>, name: &str) -> Result<bool, Stuck> {
    let mut fs = __get_fs_type(current, name, false);
    if !fs && __request_module(current, &format!("fs-{name}"))? == Ret::Zero {
        fs = __get_fs_type(current, name, true);
    }
    Ok(fs)
}
