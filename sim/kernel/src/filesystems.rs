//! fs/filesystems.c.

use std::sync::Arc;

use kmodcheck_model::features::SanityCheck;
use kmodcheck_model::scenario::{NameId, Scenario};
use kmodcheck_model::{Event, Ret};
use kmodcheck_runtime::{Runtime, Stuck};

use crate::errno::Errno;
use crate::fault::Fault;
use crate::kernel::Current;
use crate::kmod::__request_module;
use crate::module::{Module, module_put, try_module_get};

/// `struct file_system_type`.
#[derive(Clone, Debug)]
pub(crate) struct FileSystemType {
    pub name: String,
    /// `None`: built in.
    pub owner: Option<Arc<Module>>,
}

/// What built-in code has registered.
pub(crate) fn registered_at_boot(scenario: &Scenario) -> Vec<FileSystemType> {
    let names = scenario.names.iter().filter(|name| name.builtin.is_some());
    names.map(|n| FileSystemType { name: n.file_system().to_owned(), owner: None }).collect()
}

/// `find_filesystem()`.
fn find_filesystem<'a>(
    file_systems: &'a [FileSystemType],
    name: &str,
) -> Option<&'a FileSystemType> {
    file_systems.iter().find(|fs| fs.name == name)
}

/// `register_filesystem()`, of all that an init registers, as one: it takes back what it has if the next
/// one's name is taken. `then` says what to write down, and whatever else happens with it.
pub(crate) fn register_filesystems<R: Runtime>(
    current: &Current<R>,
    all: Vec<FileSystemType>,
    then: impl FnOnce(bool),
) -> Result<(), Errno> {
    let mut file_systems = current.kernel.file_systems.write();
    let free = all.iter().all(|fs| find_filesystem(&file_systems, &fs.name).is_none());
    if free {
        file_systems.extend(all);
    }
    then(free);
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

/// A file system that was found, and whose owner was pinned.
struct Found {
    owner: Option<Arc<Module>>,
}

/// `__get_fs_type()`.
fn __get_fs_type<R: Runtime>(current: &Current<R>, name: &str, second: bool) -> Option<Found> {
    let warns = current.scenario().features.kernel.sanity_check == SanityCheck::WarnOnly;
    let event = |found: bool| Event::LookUp { second, found, warned: second && warns && !found };
    let file_systems = current.kernel.file_systems.read(current.task);
    match find_filesystem(&file_systems, name) {
        None => {
            current.emit(event(false));
            None
        }
        Some(FileSystemType { owner: None, .. }) => {
            current.emit(event(true));
            Some(Found { owner: None })
        }
        Some(FileSystemType { owner: Some(owner), .. }) => {
            let owner = Arc::clone(owner);
            try_module_get(current, &owner, event).then_some(Found { owner: Some(owner) })
        }
    }
}

/// `get_fs_type()`.
fn get_fs_type<R: Runtime>(current: &Current<R>, name: NameId) -> Result<Option<Found>, Stuck> {
    let file_system = current.name(name).file_system();
    let mut fs = __get_fs_type(current, file_system, false);
    if fs.is_none()
        && __request_module(current, true, name)? == Ret::Zero
        && !current.faulty(Fault::NoSecondLook)
    {
        fs = __get_fs_type(current, file_system, true);
    }
    Ok(fs)
}

/// `put_filesystem()`.
fn put_filesystem<R: Runtime>(current: &Current<R>, fs: &Found) {
    if let Some(owner) = &fs.owner {
        module_put(current, owner, Event::PutFilesystem { module: owner.id });
    }
}

/// A caller of `get_fs_type()`, which gives back at once what it gets.
pub(crate) fn mount<R: Runtime>(current: &Current<R>, name: NameId) -> Result<Ret, Stuck> {
    let fs = get_fs_type(current, name)?;
    if let Some(fs) = &fs {
        put_filesystem(current, fs);
    }
    Ok(if fs.is_some() { Ret::Found } else { Ret::Null })
}
