//! What a program finds under each path: the kernel's modules, which are asked about; indexes, configuration and
//! libraries, which are read for real; and what the system that it is on says of itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::question::Entry;
use crate::trie;

/// The system that a program is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// What `uname -r` says; the indexes are found below `/lib/modules/` under that name.
    pub release: String,
    /// The directory that holds the indexes.
    pub indexes: PathBuf,
    /// What stands in for `/`, for all that is not said here; this machine's unless given.
    pub root: Option<PathBuf>,
    /// What is `/etc/modprobe.d`; nothing unless given, or below `root`.
    pub configuration: Option<PathBuf>,
    /// `/proc/cmdline`.
    pub command_line: String,
    /// What `/sys/module/compression` says; `None`: there is no such file.
    pub compression: Option<String>,
    /// The modules that may be in `/proc/modules`.
    pub modules: Vec<String>,
}

/// What is under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Absent,
    /// A file of this machine.
    File(PathBuf),
    /// A directory of this machine.
    Directory(PathBuf),
    /// A directory of which no more is known than that it is there.
    Bare,
    /// What this text says.
    Text(Vec<u8>),
    /// `/dev/null`.
    Null,
    /// Below `/sys/module`.
    Module(String, Entry),
    /// `/proc/modules`.
    List,
    /// Nothing that can be said.
    Unknown,
}

/// The system, with what is made for it.
pub(crate) struct View {
    pub system: System,
    program: PathBuf,
    /// Indexes that are there as text only, and module files that are not there at all.
    made: TempDir,
    /// Paths of modules, below the indexes.
    modules: BTreeSet<String>,
    /// What was read, and what it was.
    read: RefCell<BTreeMap<PathBuf, String>>,
}

/// Where a distribution's configuration may be.
const CONFIGURATION: [&str; 6] = [
    "/etc/modprobe.conf",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/etc/modprobe.d",
];

/// How the files of modules end.
const SUFFIXES: [&str; 4] = [".ko", ".ko.gz", ".ko.xz", ".ko.zst"];

impl View {
    pub fn new(system: System, program: PathBuf) -> io::Result<Self> {
        let made = TempDir::with_prefix("kmodcheck-binary-")?;
        let read = |name| fs::read_to_string(system.indexes.join(name));
        let mut modules = BTreeSet::new();
        if let Ok(dependencies) = read("modules.dep") {
            let paths = dependencies.lines().filter_map(|line| line.split_once(':'));
            modules.extend(paths.map(|(path, _)| path.trim().to_owned()));
            let make = |name: &str, content: Vec<u8>| match system.indexes.join(name).exists() {
                true => Ok(()),
                false => fs::write(made.path().join(name), content),
            };
            make("modules.dep.bin", trie::dependencies(&dependencies))?;
            make("modules.alias.bin", trie::aliases(&read("modules.alias").unwrap_or_default()))?;
            make(
                "modules.symbols.bin",
                trie::aliases(&read("modules.symbols").unwrap_or_default()),
            )?;
            make(
                "modules.builtin.bin",
                trie::builtin(&read("modules.builtin").unwrap_or_default()),
            )?;
        }
        Ok(Self { system, program, made, modules, read: RefCell::default() })
    }

    /// What is under a path that is absolute and has neither `.` nor `..` in it.
    pub fn find(&self, path: &str) -> Found {
        let found = self.lookup(path);
        match &found {
            Found::File(real) => self.note(real),
            Found::Absent | Found::Directory(_) => {
                if let Some(real) = self.real(path) {
                    self.note(&real);
                }
            }
            _ => {}
        }
        found
    }

    fn lookup(&self, path: &str) -> Found {
        if let Some(rest) = below(path, "/sys") {
            return match below(rest, "/module") {
                _ if rest.is_empty() => Found::Bare,
                Some("") => Found::Bare,
                Some("/compression") => match &self.system.compression {
                    Some(text) => Found::Text(format!("{text}\n").into_bytes()),
                    None => Found::Absent,
                },
                Some(rest) => module(rest),
                None => Found::Unknown,
            };
        }
        if let Some(rest) = below(path, "/proc") {
            return match rest {
                "" => Found::Bare,
                "/modules" => Found::List,
                "/cmdline" => Found::Text(format!("{}\n", self.system.command_line).into_bytes()),
                "/self/exe" => Found::File(self.program.clone()),
                "/sys/kernel/osrelease" => {
                    Found::Text(format!("{}\n", self.system.release).into_bytes())
                }
                "/sys/kernel/modprobe" => Found::Text(b"/sbin/modprobe\n".to_vec()),
                _ => Found::Unknown,
            };
        }
        if path == "/dev/null" {
            return Found::Null;
        }
        if below(path, "/dev").is_some() {
            return Found::Unknown;
        }
        for folder in ["/lib/modules", "/usr/lib/modules"] {
            if let Some(rest) = below(path, folder) {
                let Some(file) = below(rest, &format!("/{}", self.system.release)) else {
                    return if rest.is_empty() { Found::Bare } else { Found::Absent };
                };
                return self.index(file.trim_start_matches('/'));
            }
        }
        if self.system.root.is_none()
            && let Some(rest) = CONFIGURATION.iter().find_map(|folder| below(path, folder))
        {
            let configured = below(path, "/etc/modprobe.d").and(self.system.configuration.as_ref());
            return configured
                .map_or(Found::Absent, |real| on_disk(&real.join(rest.trim_start_matches('/'))));
        }
        self.real(path).map_or(Found::Unknown, |real| on_disk(&real))
    }

    /// Where a path is on this machine, if it is anywhere there.
    fn real(&self, path: &str) -> Option<PathBuf> {
        let outside = ["/sys", "/proc", "/dev", "/lib/modules", "/usr/lib/modules"];
        if outside.iter().any(|folder| below(path, folder).is_some()) {
            return None;
        }
        Some(match &self.system.root {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => PathBuf::from(path),
        })
    }

    /// A file beside the indexes.
    fn index(&self, file: &str) -> Found {
        if file.is_empty() {
            return Found::Bare;
        }
        let real = self.system.indexes.join(file);
        self.note(&real);
        match on_disk(&real) {
            Found::Absent => {}
            found => return found,
        }
        let made = self.made.path().join(file);
        if !file.contains('/') && made.is_file() {
            return Found::File(made);
        }
        if self.modules.contains(file) && SUFFIXES.iter().any(|suffix| file.ends_with(suffix)) {
            let name = module_name(file);
            let made = self.made.path().join(file.replace('/', "%"));
            let written = made.is_file() || fs::write(&made, stand_in(&name, file)).is_ok();
            return if written { Found::File(made) } else { Found::Unknown };
        }
        let folder = self.modules.range(file.to_owned()..).next();
        match folder.is_some_and(|first| below(first, file).is_some()) {
            true => Found::Bare,
            false => Found::Absent,
        }
    }

    /// Remembers what was read, for who asks later whether it is still that.
    fn note(&self, path: &Path) {
        if !path.starts_with(self.made.path()) {
            let mut read = self.read.borrow_mut();
            read.entry(path.to_owned()).or_insert_with(|| content(path));
        }
    }

    /// What was read, or looked for, with a digest of what it was.
    pub fn read(&self) -> BTreeMap<PathBuf, String> {
        self.read.borrow().clone()
    }
}

/// A digest of a file's content, or of what is in a directory, or that there is nothing.
pub(crate) fn content(path: &Path) -> String {
    if path.is_dir() {
        let mut names: Vec<String> = fs::read_dir(path)
            .map(|entries| {
                let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
                names.map(|name| name.to_string_lossy().into_owned()).collect()
            })
            .unwrap_or_default();
        names.sort();
        return format!("directory {}", names.join("/"));
    }
    match fs::read(path) {
        Ok(content) => hexadecimal(&Sha256::digest(content)),
        Err(error) => format!("{:?}", error.kind()),
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The rest of a path that is, or is below, that folder.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn on_disk(path: &Path) -> Found {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Found::Directory(path.to_owned()),
        Ok(found) if found.is_file() => Found::File(path.to_owned()),
        Ok(_) => Found::Unknown,
        Err(_) => Found::Absent,
    }
}

/// `/NAME` or `/NAME/ENTRY`.
fn module(rest: &str) -> Found {
    let (name, entry) = rest[1..].split_once('/').unwrap_or((&rest[1..], ""));
    let entry = match entry {
        "" => Entry::Directory,
        "initstate" => Entry::Initstate,
        "refcnt" => Entry::Refcnt,
        "holders" => Entry::Holders,
        _ => return Found::Unknown,
    };
    Found::Module(name.to_owned(), entry)
}

/// A module's name, by the path of its file.
pub(crate) fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

/// The file of a module that is not there: enough of one for who asks which it is.
fn stand_in(name: &str, _file: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    // ET_REL, EM_X86_64, EV_CURRENT.
    bytes.extend([1, 0, 62, 0, 1, 0, 0, 0]);
    bytes.resize(64, 0);
    bytes.extend(format!("\0name={name}\0").bytes());
    bytes.resize(4096, 0);
    bytes
}

/// The name of the module that these bytes are.
pub(crate) fn name_in(bytes: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"\0name=";
    let at = bytes.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let rest = &bytes[at..];
    let name = std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == 0)?]).ok()?;
    Some(name.replace('-', "_"))
}
