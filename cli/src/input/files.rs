//! Reading and writing files: whole, by name, or an error that says which.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use kmodcheck_indexes::binary::{self, Kind};
use kmodcheck_indexes::{IndexText, ModuleIndex, SourceFile};
use kmodcheck_model::text::TEXTS;
use kmodcheck_sim::patch::Texts;
use tempfile::NamedTempFile;

use crate::output::Failure;

/// Most bytes of a file that is read: some have no end.
const LONGEST_FILE: u64 = 1 << 30;

/// Reads a text file; the error names it.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let name = path.display().to_string();
    let file = fs::File::open(path).map_err(|error| format!("{name}: {error}"))?;
    read_text(&name, file)
}

/// Reads all of standard input; whoever asks again gets the same.
pub(crate) fn read_standard_input() -> Result<String, Failure> {
    static READ: OnceLock<Result<String, String>> = OnceLock::new();
    let read = || read_text("standard input", std::io::stdin().lock());
    Ok(READ.get_or_init(|| read().map_err(|failure| failure.to_string())).clone()?)
}

fn read_text(name: &str, from: impl Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    from.take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{name}: {error}"))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(format!("{name}: found more than {LONGEST_FILE} bytes, expected less").into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|b| **b == b'\n').count() + 1;
        format!("{name}:{line}: expected UTF-8 text, found other bytes").into()
    })
}

/// The texts of the kernel's functions and kmod's: as they are shipped, or as a directory has them; with patches applied,
/// one after the other.
pub(crate) fn texts(directory: Option<&Path>, patches: &[PathBuf]) -> Result<Texts, Failure> {
    let mut texts = Texts::default();
    if let Some(directory) = directory {
        let mut found = false;
        for (path, _) in TEXTS {
            let file = directory.join(path);
            if file.exists() {
                texts.set(path, read(&file)?);
                found = true;
            }
        }
        if !found {
            let known = TEXTS.map(|(path, _)| path).join(", ");
            return Err(format!(
                "{}: found no text in it, expected one or more of {known} (`kmodcheck text --out DIR` writes them)",
                directory.display()
            )
            .into());
        }
    }
    for path in patches {
        texts.apply(&path.display().to_string(), &read(path)?)?;
    }
    Ok(texts)
}

/// What texts are called that are not those that are shipped.
pub(crate) fn named(directory: Option<&Path>, patches: &[PathBuf]) -> String {
    let all = directory.into_iter().chain(patches.iter().map(PathBuf::as_path));
    all.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Reads the module indexes in a directory: the binary ones, which are what kmod asks, where they are, or else the texts.
/// Only `modules.dep` has to be there; without one of the others kmod finds nothing in it.
pub(crate) fn read_index(modules: &Path) -> Result<ModuleIndex, Failure> {
    let mut texts: Vec<(String, String)> = Vec::new();
    for (name, binary) in [
        ("modules.dep", Some(Kind::Dep)),
        ("modules.alias", Some(Kind::Alias)),
        ("modules.softdep", None),
        ("modules.builtin", Some(Kind::Builtin)),
        ("modules.symbols", Some(Kind::Alias)),
    ] {
        texts.push(index_text(modules, name, name, binary)?);
    }
    texts.push(index_text(
        modules,
        "modules.builtin.modinfo",
        "modules.builtin.alias",
        Some(Kind::BuiltinAlias),
    )?);
    let file = |i: usize| SourceFile { name: &texts[i].0, text: &texts[i].1 };
    let text = IndexText {
        dep: file(0),
        alias: file(1),
        softdep: file(2),
        builtin: file(3),
        symbols: Some(file(4)),
        builtin_modinfo: Some(file(5)),
    };
    Ok(ModuleIndex::parse(&text)?)
}

/// An index, and what it was read from.
fn index_text(
    modules: &Path,
    text: &str,
    binary: &str,
    kind: Option<Kind>,
) -> Result<(String, String), Failure> {
    let path = modules.join(format!("{binary}.bin"));
    if let Some(kind) = kind.filter(|_| path.exists()) {
        let named = path.display().to_string();
        let bytes = fs::read(&path).map_err(|error| format!("{named}: {error}"))?;
        let text = binary::as_text(&bytes, kind).map_err(|error| format!("{named}: {error}"))?;
        return Ok((named, text));
    }
    let path = modules.join(text);
    if path.exists() {
        return Ok((path.display().to_string(), read(&path)?));
    }
    if text == "modules.dep" && modules.is_dir() {
        let modules = modules.display();
        return Err(format!(
            "{modules}: found neither modules.dep nor modules.dep.bin, expected one: depmod writes them"
        )
        .into());
    }
    if text == "modules.dep" {
        return Ok((path.display().to_string(), read(&path)?));
    }
    Ok((path.display().to_string(), String::new()))
}

/// Writes a file whole or not at all, with the permissions that it has or that new files get. What is no
/// file (a terminal, a pipe, a link) is written to as it is, and stays what it is.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => replace(path, text, Some(there.permissions())),
        Ok(_) => fs::write(path, text),
        Err(error) if error.kind() == ErrorKind::NotFound => replace(path, text, None),
        Err(error) => Err(error),
    };
    written.map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Whether a file can be written there, asked before what is to be in it is searched for: who has to wait for
/// that should not learn then that there is no such directory. Leaves nothing behind.
pub(crate) fn try_file(path: &Path) -> Result<(), Failure> {
    let tried = match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(there) if there.is_file() && !path.is_symlink() => new_in(parent(path)).map(drop),
        Ok(there) if there.is_file() => fs::OpenOptions::new().write(true).open(path).map(drop),
        // To open a pipe is to wait for who reads it.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
            // The file that a link names is made where that says.
            Ok(target) => return try_file(&parent(path).join(target)),
            Err(_) => new_in(parent(path)).map(drop),
        },
        Err(error) => Err(error),
    };
    tried.map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The same of a directory, which is made when it is needed.
pub(crate) fn try_directory(path: &Path) -> Result<(), Failure> {
    let there = path.ancestors().find(|path| path.exists() || path.is_symlink());
    let there = there.unwrap_or(Path::new("."));
    let tried =
        if there.is_dir() { new_in(there).map(drop) } else { Err(ErrorKind::NotADirectory.into()) };
    tried.map_err(|error: std::io::Error| format!("{}: {error}", path.display()).into())
}

/// Makes a directory, and those that it is in.
pub(crate) fn make_directory(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Where a file is.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A new file with a name that nobody has to know: it is in no message.
fn new_in(directory: &Path) -> std::io::Result<NamedTempFile> {
    let new = |path: &Path| fs::OpenOptions::new().write(true).create_new(true).open(path);
    tempfile::Builder::new().make_in(directory, new)
}

/// Writes beside the file, and puts that in its place.
fn replace(path: &Path, text: &str, permissions: Option<Permissions>) -> std::io::Result<()> {
    let directory = parent(path);
    let mut file = new_in(directory)?;
    file.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    // The content is on disk before the name is, and the name once the directory is.
    file.as_file().sync_all()?;
    file.persist(path)?;
    #[cfg(unix)]
    fs::File::open(directory)?.sync_all()?;
    Ok(())
}
