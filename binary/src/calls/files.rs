//! What a held program does with files: opening, reading, asking whether they are there.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::rc::Rc;

use nix::libc;
use syscalls::Sysno;

use super::stat::Stat;
use super::{Asks, CHUNK, Held, Is, LONGEST, Open, Outcome, Pending, error, int};
use crate::process::HeldError;
use crate::question::{Entry, Question};
use crate::view::Found;

impl Held {
    pub(super) fn open(&self, descriptor: u64) -> Option<&Open> {
        self.local.descriptors.get(&int(descriptor))
    }

    pub(super) fn string(&self, at: u64) -> Option<String> {
        self.process.string(at, LONGEST).map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    /// An absolute path without `.` and `..`; `Err`: an error number.
    pub(super) fn path(&self, folder: u64, at: u64, empty: bool) -> Result<String, i64> {
        let Some(text) = self.string(at) else { return Err(error(libc::EFAULT)) };
        if text.is_empty() && !empty {
            return Err(error(libc::ENOENT));
        }
        let base = match (text.starts_with('/'), int(folder)) {
            (true, _) => String::new(),
            (false, libc::AT_FDCWD) => self.local.folder.clone(),
            (false, _) => match self.open(folder).map(Open::path) {
                Some(Some(path)) => path,
                Some(None) => "/dev/null".to_owned(),
                None => return Err(error(libc::EBADF)),
            },
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in base.split('/').chain(text.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Ok(format!("/{}", parts.join("/")))
    }

    pub(super) fn unknown(&self, path: &str) -> HeldError {
        self.refused(format!("it looks at {path}"))
    }

    /// Opens something of this machine in its place, so that it has a descriptor of the right number.
    pub(super) fn place(&mut self, real: &Path, flags: u64) -> Result<i64, HeldError> {
        use std::os::unix::ffi::OsStrExt;
        let mut path = real.as_os_str().as_bytes().to_vec();
        path.push(0);
        if path.len() > LONGEST || !self.process.write(self.local.scratch, &path) {
            return Ok(error(libc::ENAMETOOLONG));
        }
        let close = flags & u64::from(libc::O_CLOEXEC.cast_unsigned());
        let folder = i64::from(libc::AT_FDCWD).cast_unsigned();
        let result =
            self.process.call(Sysno::openat, [folder, self.local.scratch, close, 0, 0, 0])?;
        self.process.write(self.local.scratch, &vec![0; path.len()]);
        Ok(result)
    }

    pub(super) fn opened(&mut self, real: &Path, flags: u64, open: Open) -> Result<i64, HeldError> {
        let descriptor = self.place(real, flags)?;
        if let Ok(number) = i32::try_from(descriptor)
            && number >= 0
        {
            self.local.descriptors.insert(number, open);
        }
        Ok(descriptor)
    }

    pub(super) fn opens(&mut self, folder: u64, at: u64, flags: u64) -> Result<Outcome, HeldError> {
        let path = match self.path(folder, at, false) {
            Ok(path) => path,
            Err(error) => return Ok(Is(error)),
        };
        let writing = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
        let found = self.view.find(&path);
        if flags & u64::from(writing.cast_unsigned()) != 0 && found != Found::Null {
            return Err(self.refused(format!("it opens {path} for writing")));
        }
        if flags & u64::from(libc::O_PATH.cast_unsigned()) != 0 {
            return Err(self.refused(format!("it opens {path} as a path")));
        }
        let folder_only = flags & u64::from(libc::O_DIRECTORY.cast_unsigned()) != 0;
        let null = Path::new("/dev/null");
        Ok(Is(match found {
            Found::Absent => error(libc::ENOENT),
            Found::File(_) | Found::Text(_) | Found::Null | Found::List if folder_only => {
                error(libc::ENOTDIR)
            }
            Found::File(real) => {
                let Ok(file) = File::open(&real) else { return Ok(Is(error(libc::EACCES))) };
                self.opened(&real, flags, Open::File { path, file: Rc::new(file), at: 0 })?
            }
            Found::Directory(real) => {
                let names = Rc::new(names(&real)?);
                self.opened(null, flags, Open::Directory { path, names, at: 0 })?
            }
            Found::Text(text) => {
                self.opened(null, flags, Open::Text { path, text: Rc::new(text), at: 0 })?
            }
            Found::Null => self.opened(null, flags, Open::Null)?,
            Found::List => self.opened(null, flags, Open::List { text: None, at: 0 })?,
            Found::Module(_, Entry::Initstate | Entry::Refcnt) if folder_only => {
                return Err(self.unknown(&path));
            }
            Found::Module(module, entry @ (Entry::Initstate | Entry::Refcnt)) => {
                return Ok(Asks(Question::Open { module, entry }, Pending::Open { flags }));
            }
            Found::Bare | Found::Unknown | Found::Module(..) => return Err(self.unknown(&path)),
        }))
    }

    pub(super) fn stats(
        &mut self,
        path: &str,
        to: u64,
        extended: bool,
    ) -> Result<Outcome, HeldError> {
        let entry = |mode: u32, size: usize| Stat { mode, size: size as u64, ..Stat::default() };
        let stat = match self.view.find(path) {
            Found::Absent => return Ok(Is(error(libc::ENOENT))),
            Found::File(real) | Found::Directory(real) => match fs::metadata(real) {
                Ok(found) => Stat {
                    device: found.dev(),
                    inode: found.ino(),
                    mode: found.mode(),
                    links: found.nlink(),
                    size: found.size(),
                },
                Err(_) => return Ok(Is(error(libc::ENOENT))),
            },
            Found::Bare => entry(libc::S_IFDIR | 0o755, 0),
            Found::Text(text) => entry(libc::S_IFREG | 0o444, text.len()),
            Found::List => entry(libc::S_IFREG | 0o444, 0),
            Found::Null => entry(libc::S_IFCHR | 0o666, 0),
            Found::Module(module, entry) => {
                let pending = Pending::Stat { to, extended, entry };
                return Ok(Asks(Question::Stat { module, entry }, pending));
            }
            Found::Unknown => return Err(self.unknown(path)),
        };
        Ok(Is(self.write_stat(to, extended, &stat)))
    }

    pub(super) fn write_stat(&self, to: u64, extended: bool, stat: &Stat) -> i64 {
        let bytes = if extended { stat.extended() } else { stat.bytes() };
        if self.process.write(to, &bytes) { 0 } else { error(libc::EFAULT) }
    }

    pub(super) fn stats_open(
        &mut self,
        descriptor: u64,
        to: u64,
        extended: bool,
    ) -> Result<Outcome, HeldError> {
        let Some(open) = self.open(descriptor) else { return Ok(Is(error(libc::EBADF))) };
        let known = |mode, size: usize| Stat { mode, size: size as u64, ..Stat::default() };
        let stat = match open {
            Open::Null => known(libc::S_IFCHR | 0o666, 0),
            Open::Text { text, .. } => known(libc::S_IFREG | 0o444, text.len()),
            Open::List { .. } => known(libc::S_IFREG | 0o444, 0),
            // An open attribute stays what it is.
            Open::Module { .. } => known(libc::S_IFREG | 0o444, 4096),
            Open::File { path, .. } | Open::Directory { path, .. } => {
                let path = path.clone();
                return self.stats(&path, to, extended);
            }
        };
        Ok(Is(self.write_stat(to, extended, &stat)))
    }

    pub(super) fn accesses(
        &mut self,
        path: Result<String, i64>,
        mode: u64,
    ) -> Result<Outcome, HeldError> {
        let path = match path {
            Ok(path) => path,
            Err(error) => return Ok(Is(error)),
        };
        Ok(match self.view.find(&path) {
            Found::Absent => Is(error(libc::ENOENT)),
            Found::Module(module, entry) => Asks(Question::Stat { module, entry }, Pending::Result),
            Found::Unknown => return Err(self.unknown(&path)),
            // Nothing here can be written to.
            _ if mode & 2 != 0 => Is(error(libc::EROFS)),
            _ => Is(0),
        })
    }

    pub(super) fn reads(
        &mut self,
        descriptor: u64,
        to: u64,
        most: u64,
        from: Option<u64>,
    ) -> Result<Outcome, HeldError> {
        let number = int(descriptor);
        let most = most.min(CHUNK);
        let Some(open) = self.open(descriptor).cloned() else { return Ok(Is(error(libc::EBADF))) };
        let pending = Pending::Read { descriptor: number, to, most, at: from };
        let bytes = match &open {
            Open::Null => Vec::new(),
            Open::File { file, at, .. } => {
                let mut buffer = vec![0; usize::try_from(most).unwrap_or_default()];
                let mut done = 0;
                while done < buffer.len() {
                    match file.read_at(&mut buffer[done..], from.unwrap_or(*at) + done as u64) {
                        Ok(0) => break,
                        Ok(more) => done += more,
                        Err(_) => return Ok(Is(error(libc::EIO))),
                    }
                }
                buffer.truncate(done);
                buffer
            }
            Open::Directory { .. } => return Ok(Is(error(libc::EISDIR))),
            Open::Text { text, at, .. } => part(text, from.unwrap_or(*at), most),
            Open::List { text: Some(text), at } => part(text, from.unwrap_or(*at), most),
            Open::List { text: None, .. } if from.is_none_or(|at| at == 0) => {
                return Ok(Asks(Question::List, pending));
            }
            Open::Module { module, entry, text, at } => {
                let (module, entry) = (module.clone(), *entry);
                match (text, from) {
                    (None, None | Some(0)) => {
                        return Ok(Asks(Question::Read { module, entry }, pending));
                    }
                    (Some(text), None) if *at < text.len() as u64 => part(text, *at, most),
                    (Some(_), None) => {
                        return Ok(Asks(Question::ReadEnd { module, entry }, pending));
                    }
                    _ => return Err(self.refused("it reads an attribute from its middle")),
                }
            }
            Open::List { .. } => return Err(self.refused("it reads /proc/modules from its middle")),
        };
        Ok(Is(self.gives(number, to, &bytes, from.is_none())))
    }

    /// Writes what was read, and remembers how far that was.
    pub(super) fn gives(&mut self, descriptor: i32, to: u64, bytes: &[u8], moves: bool) -> i64 {
        if !bytes.is_empty() && !self.process.write(to, bytes) {
            return error(libc::EFAULT);
        }
        if let (true, Some(open)) = (moves, self.local.descriptors.get_mut(&descriptor)) {
            match open {
                Open::File { at, .. }
                | Open::Text { at, .. }
                | Open::Module { at, .. }
                | Open::List { at, .. } => *at += bytes.len() as u64,
                Open::Null | Open::Directory { .. } => {}
            }
        }
        bytes.len().cast_signed() as i64
    }

    pub(super) fn seeks(
        &mut self,
        descriptor: u64,
        to: i64,
        whence: u64,
    ) -> Result<i64, HeldError> {
        let size = match self.open(descriptor) {
            None => return Ok(error(libc::EBADF)),
            Some(Open::File { file, .. }) => file.metadata()?.len(),
            Some(Open::Text { text, .. }) => text.len() as u64,
            Some(Open::List { text, .. } | Open::Module { text, .. }) if whence != 2 => {
                // From the beginning it is read anew; how far it was can be asked.
                if whence == 0 && to != 0 && text.is_some() {
                    return Err(self.refused("it reads an attribute from its middle"));
                }
                0
            }
            Some(Open::Null) => return Ok(0),
            Some(_) => return Err(self.refused("it moves in what is no file")),
        };
        let descriptor = int(descriptor);
        let (at, volatile) = match self.local.descriptors.get_mut(&descriptor) {
            Some(Open::File { at, .. } | Open::Text { at, .. }) => (at, None),
            Some(Open::Module { at, text, .. } | Open::List { at, text }) => (at, Some(text)),
            _ => return Ok(error(libc::EBADF)),
        };
        let base = match whence {
            0 => 0,
            1 => at.cast_signed(),
            2 => size.cast_signed(),
            _ => return Ok(error(libc::EINVAL)),
        };
        let Some(now) = base.checked_add(to).filter(|now| *now >= 0) else {
            return Ok(error(libc::EINVAL));
        };
        if now == 0
            && let Some(text) = volatile
        {
            *text = None;
        }
        *at = now.cast_unsigned();
        Ok(now)
    }

    pub(super) fn lists(&mut self, descriptor: u64, to: u64, most: u64) -> i64 {
        let number = int(descriptor);
        let Some(Open::Directory { names, at, .. }) = self.local.descriptors.get_mut(&number)
        else {
            return error(libc::ENOTDIR);
        };
        let mut bytes = Vec::new();
        let mut place = *at;
        for (name, kind) in names.iter().skip(usize::try_from(place).unwrap_or(usize::MAX)) {
            // d_ino, d_off, d_reclen, d_type, d_name.
            let length = (19 + name.len() + 1).next_multiple_of(8);
            if (bytes.len() + length) as u64 > most {
                break;
            }
            let end = bytes.len() + length;
            place += 1;
            bytes.extend((place + 1).to_le_bytes());
            bytes.extend(place.to_le_bytes());
            bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
            bytes.push(*kind);
            bytes.extend(name.bytes());
            bytes.resize(end, 0);
        }
        *at = place;
        if bytes.is_empty() || self.process.write(to, &bytes) {
            bytes.len().cast_signed() as i64
        } else {
            error(libc::EFAULT)
        }
    }

    pub(super) fn writes(&mut self, descriptor: u64, text: &[u8]) -> Result<i64, HeldError> {
        match self.open(descriptor) {
            None => Ok(error(libc::EBADF)),
            Some(Open::Null) => {
                if self.local.said.len() < LONGEST {
                    self.local.said += &String::from_utf8_lossy(text);
                }
                Ok(text.len().cast_signed() as i64)
            }
            Some(_) => Err(self.refused("it writes to what it has opened for reading")),
        }
    }
}

pub(super) fn part(text: &[u8], at: u64, most: u64) -> Vec<u8> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    text.iter().skip(usize::try_from(at).unwrap_or(usize::MAX)).take(most).copied().collect()
}

/// The names in a directory, in alphabetical order, with what they are.
fn names(path: &Path) -> std::io::Result<Vec<(String, u8)>> {
    let mut names = vec![(".".to_owned(), libc::DT_DIR), ("..".to_owned(), libc::DT_DIR)];
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = match fs::metadata(entry.path()) {
            Ok(found) if found.is_dir() => libc::DT_DIR,
            Ok(found) if found.is_file() => libc::DT_REG,
            _ => libc::DT_UNKNOWN,
        };
        names.push((entry.file_name().to_string_lossy().into_owned(), kind));
    }
    names.sort();
    Ok(names)
}
