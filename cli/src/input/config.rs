//! modprobe's configuration, read from where kmod reads it.

use std::fs;
use std::path::{Path, PathBuf};

use kmodcheck_indexes::config::{DIRECTORIES, Reader, is_read};
use kmodcheck_indexes::{Configuration, SourceFile};
use kmodcheck_model::releases::Release;

use super::root::inside;
use crate::args::subject::Configured;
use crate::output::Failure;

/// What is read, and what a reader should know of that.
pub(crate) struct Read {
    pub config: Configuration,
    pub notes: Vec<String>,
}

/// The configuration of what is asked for: as it is said; or else that of `root`; or else that of the root that `modules`
/// is in, which is the directory of a release's modules.
pub(crate) fn read(
    asked: &Configured,
    root: Option<&Path>,
    modules: &Path,
    kmod: &str,
) -> Result<Read, Failure> {
    let mut notes = Vec::new();
    let root = root.map(Path::to_owned).or_else(|| root_of(modules));
    let directories = match (&asked.config, &root) {
        _ if asked.no_config => Vec::new(),
        (None, _) if kmod.starts_with("busybox") || kmod == "toybox" => {
            notes.push(format!(
                "no modprobe.d is read: {kmod}'s modprobe reads it in its own way, or not at all"
            ));
            Vec::new()
        }
        (Some(path), _) => vec![one(path)?],
        (None, Some(root)) => of_root(root, kmod)?,
        (None, None) => {
            notes.push(format!(
                "no modprobe.d is read: {} is not below lib/modules of a root (--config says which one, \
                 --no-config that there is none)",
                modules.display()
            ));
            Vec::new()
        }
    };
    let cmdline = match &asked.cmdline {
        Some(path) => Some((path.display().to_string(), text(path)?)),
        None if !asked.no_config && asked.config.is_none() => {
            root.as_deref().and_then(|root| running(root, modules))
        }
        None => None,
    };
    let directories: Vec<Vec<SourceFile<'_>>> = directories
        .iter()
        .map(|files| files.iter().map(|(name, text)| SourceFile { name, text }).collect())
        .collect();
    let cmdline = cmdline.as_ref().map(|(name, text)| SourceFile { name, text });
    let config =
        Configuration::read(&directories, cmdline, Reader { weakdeps: is_since(kmod, 33) });
    if !config.files().is_empty() {
        notes.push(format!("configuration: {}", config.files().join(", ")));
    }
    for ignored in config.ignored() {
        notes.push(format!(
            "{}: kmod passes over this line, which begins with '{}'",
            ignored.place,
            ignored.word.escape_debug()
        ));
    }
    let dashed = config.blacklist().iter().filter(|line| line.name.contains('-'));
    for line in dashed {
        notes.push(format!(
            "{}: 'modprobe.blacklist={}' is about no module: kmod compares it as it is, and names have '_' there",
            line.place, line.name
        ));
    }
    Ok(Read { config, notes })
}

/// What `modprobe -C PATH` of a kmod reads.
pub(crate) fn given(path: &Path, kmod: &str) -> Result<Configuration, Failure> {
    let files = one(path)?;
    let files = files.iter().map(|(name, text)| SourceFile { name, text }).collect();
    Ok(Configuration::read(&[files], None, Reader { weakdeps: is_since(kmod, 33) }))
}

/// Whether a kmod is that release or a later one; `false` of what is none of kmod's.
fn is_since(kmod: &str, major: u32) -> bool {
    Release::kmod(kmod).is_ok_and(|release| release.is_since([major, 0]))
}

/// The root that a directory of modules is in: what stands before `lib/modules/RELEASE` or `usr/lib/modules/RELEASE`.
pub(crate) fn root_of(modules: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(modules).ok()?;
    let lib = whole.parent().filter(|path| path.ends_with("lib/modules"))?.parent()?;
    let above = lib.parent()?;
    let root = if above.ends_with("usr") { above.parent()? } else { above };
    Some(root.to_owned())
}

/// The kernel's command line, if these are the modules of the kernel that runs here.
fn running(root: &Path, modules: &Path) -> Option<(String, String)> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    if root != Path::new("/") || modules.file_name()?.to_str()? != release.trim() {
        return None;
    }
    let name = "/proc/cmdline";
    Some((name.to_owned(), fs::read_to_string(name).ok()?))
}

type Files = Vec<(String, String)>;

/// What `modprobe -C PATH` reads: a file, or a directory.
fn one(path: &Path) -> Result<Files, Failure> {
    if !path.is_dir() {
        return Ok(vec![(path.display().to_string(), text(path)?)]);
    }
    directory(path, |file| Some(file.to_owned()))
}

/// What modprobe of a root reads when nothing is said.
fn of_root(root: &Path, kmod: &str) -> Result<Vec<Files>, Failure> {
    let mut read = Vec::new();
    for (name, since) in DIRECTORIES {
        if !is_since(kmod, since) {
            continue;
        }
        let Some(there) = inside(root, Path::new(name)) else { continue };
        let shown = root.join(name);
        let of_root = |file: &Path| {
            let inner = Path::new("/").join(file.strip_prefix(root).unwrap_or(file));
            inside(root, &inner)
        };
        let files = directory(&there, of_root)?;
        let named = |(path, text): (String, String)| {
            let name = Path::new(&path).file_name().unwrap_or_default();
            (shown.join(name).display().to_string(), text)
        };
        read.push(files.into_iter().map(named).collect());
    }
    Ok(read)
}

/// The files of a directory that kmod reads. `find`: where one is, links followed; one that leads nowhere, as those do that
/// hide another's file, says nothing.
fn directory(path: &Path, find: impl Fn(&Path) -> Option<PathBuf>) -> Result<Files, Failure> {
    let failed = |error: std::io::Error| Failure::from(format!("{}: {error}", path.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !is_read(name) || file.is_dir() {
            continue;
        }
        let text = match find(&file) {
            Some(found) => text(&found)?,
            None => String::new(),
        };
        files.push((file.display().to_string(), text));
    }
    files.sort();
    Ok(files)
}

/// A file's text; other bytes than UTF-8, as comments may have, stand for nothing.
fn text(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
