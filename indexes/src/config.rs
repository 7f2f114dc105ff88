//! modprobe's configuration: modprobe.d and what the kernel's command line adds to it, as libkmod reads them.
//!
//! Faithful to `libkmod/libkmod-config.c` of kmod v30 and v34.2; what is here is the same in v19, but that `weakdep` lines are
//! known from v33 on ([`Reader::weakdeps`]). Nothing here is an error: libkmod passes over a line that it cannot read, and
//! so does this, which keeps it ([`Configuration::ignored`]) for whoever asks.

mod cmdline;

use std::collections::BTreeMap;

use crate::glob;
use crate::index::{SourceFile, push_normalised, softdep_words};

/// What a release of kmod reads of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// Whether it knows `weakdep`: from v33 on. modprobe loads nothing because of such a line; before, the line is a bad one.
    pub weakdeps: bool,
}

/// A line of a file of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name, as it was given.
    pub file: String,
    /// Counted from 1; of a line that goes on after a backslash its first.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Two words of a line, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about: a module's name, or a pattern of names; of an alias the alias.
    pub name: String,
    /// What it says of that: a module, a command, options; empty of a blacklist.
    pub value: String,
    /// Where.
    pub place: Place,
}

/// A `softdep` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Softdep {
    pub name: String,
    pub pre: Vec<String>,
    pub post: Vec<String>,
    pub place: Place,
    /// Whether it is of a file that comes before the index's own lines (`modules.softdep`), which are read in their
    /// place among the files, by name.
    pub before_index: bool,
}

/// A line that libkmod passes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Where.
    pub place: Place,
    /// Its first word.
    pub word: String,
}

/// What modprobe is told by its administrator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    pub(crate) aliases: Vec<Line>,
    pub(crate) blacklist: Vec<Line>,
    pub(crate) install: Vec<Line>,
    pub(crate) remove: Vec<Line>,
    pub(crate) options: Vec<Line>,
    pub(crate) softdeps: Vec<Softdep>,
    ignored: Vec<Ignored>,
    /// The files that were read, in order.
    files: Vec<String>,
    /// What the kernel itself refuses to load (`module_blacklist=`).
    refused: Vec<String>,
}

/// No configuration at all, as with `--no-config`.
pub static NONE: Configuration = Configuration {
    aliases: Vec::new(),
    blacklist: Vec::new(),
    install: Vec::new(),
    remove: Vec::new(),
    options: Vec::new(),
    softdeps: Vec::new(),
    ignored: Vec::new(),
    files: Vec::new(),
    refused: Vec::new(),
};

/// Where kmod looks for its configuration, below the root, and since which release: of files of one name only the first is
/// read. `default_config_paths` of `libkmod.c`; a distribution's own directory is, as a rule, /usr/lib.
pub const DIRECTORIES: [(&str, u32); 5] = [
    ("etc/modprobe.d", 5),
    ("run/modprobe.d", 5),
    ("usr/local/lib/modprobe.d", 29),
    ("usr/lib/modprobe.d", 32),
    ("lib/modprobe.d", 5),
];

/// Whether kmod reads a file of that name in one of its directories (`conf_files_filter_out()`).
#[must_use]
pub fn is_read(name: &str) -> bool {
    name.len() > ".conf".len() && !name.starts_with('.') && name.ends_with(".conf")
}

impl Configuration {
    /// Reads what `directories` have, each in its place in kmod's list (a file that is given alone is a directory of its own):
    /// of two files of one name the first is read, and all in the order of their names. `cmdline`: the kernel's command
    /// line.
    #[must_use]
    pub fn read(
        directories: &[Vec<SourceFile<'_>>],
        cmdline: Option<SourceFile<'_>>,
        reader: Reader,
    ) -> Self {
        let mut files: BTreeMap<&str, SourceFile<'_>> = BTreeMap::new();
        for &file in directories.iter().flatten() {
            let name = file.name.rsplit('/').next().unwrap_or(file.name);
            files.entry(name).or_insert(file);
        }
        let mut config = Self::default();
        for (name, file) in files {
            config.files.push(file.name.to_owned());
            config.file(file, name < "modules.softdep", reader);
        }
        if let Some(file) = cmdline {
            config.files.push(file.name.to_owned());
            cmdline::read(&mut config, file);
        }
        config
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { aliases, blacklist, install, remove, options, softdeps, refused, .. } = self;
        [aliases, blacklist, install, remove, options].into_iter().all(Vec::is_empty)
            && softdeps.is_empty()
            && refused.is_empty()
    }

    /// The files that were read, in order.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The lines that kmod passes over, as it says itself (`ignoring bad line`).
    #[must_use]
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// The `install` lines.
    #[must_use]
    pub fn install(&self) -> &[Line] {
        &self.install
    }

    /// The `alias` lines.
    #[must_use]
    pub fn aliases(&self) -> &[Line] {
        &self.aliases
    }

    /// The `blacklist` lines, and what `modprobe.blacklist=` names.
    #[must_use]
    pub fn blacklist(&self) -> &[Line] {
        &self.blacklist
    }

    /// Whether the kernel refuses the module by its command line: `blacklisted()` of `kernel/module/main.c`, which
    /// `module_blacklist=` sets; names are compared as they are.
    #[must_use]
    pub fn is_refused(&self, name: &str) -> bool {
        self.refused.iter().any(|refused| refused == name)
    }

    /// `module_is_blacklisted()`: names are compared as they are, so what `modprobe.blacklist=` says with a dash is about
    /// no module.
    #[must_use]
    pub fn blacklisted(&self, name: &str) -> Option<&Line> {
        self.blacklist.iter().find(|line| line.name == name)
    }

    /// `kmod_module_get_install_commands()`: the first line whose pattern matches.
    #[must_use]
    pub fn install_command(&self, name: &str) -> Option<&Line> {
        self.install.iter().find(|line| glob::matches(line.name.as_bytes(), name.as_bytes()))
    }

    /// `kmod_config_parse()`.
    fn file(&mut self, file: SourceFile<'_>, before_index: bool, reader: Reader) {
        for (number, line) in wrapped_lines(file.text) {
            let place = Place { file: file.name.to_owned(), line: number };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = Words { rest: &line };
            let Some(command) = words.next() else { continue };
            if self.line(command, &mut words, &place, before_index, reader).is_none() {
                self.ignored.push(Ignored { place, word: command.to_owned() });
            }
        }
    }

    /// One line; `None`: a bad one.
    fn line(
        &mut self,
        command: &str,
        words: &mut Words<'_>,
        place: &Place,
        before_index: bool,
        reader: Reader,
    ) -> Option<()> {
        let list = match command {
            "alias" => {
                let (name, value) = (normalised(words.next()?)?, normalised(words.next()?)?);
                self.aliases.push(Line { name, value, place: place.clone() });
                return Some(());
            }
            "blacklist" => {
                let name = normalised(words.next()?)?;
                self.blacklist.push(Line { name, value: String::new(), place: place.clone() });
                return Some(());
            }
            "softdep" => {
                let name = normalised(words.next()?)?;
                let [pre, post] = softdep_words(words.all()?)
                    .map(|words| words.into_iter().map(str::to_owned).collect());
                let place = place.clone();
                self.softdeps.push(Softdep { name, pre, post, place, before_index });
                return Some(());
            }
            "weakdep" if reader.weakdeps => {
                normalised(words.next()?)?;
                words.all()?;
                return Some(());
            }
            "options" => &mut self.options,
            "install" => &mut self.install,
            "remove" => &mut self.remove,
            _ => return None,
        };
        let name = normalised(words.next()?)?;
        let value = words.all()?.to_owned();
        list.push(Line { name, value, place: place.clone() });
        Some(())
    }
}

/// `underscores()`.
fn normalised(word: &str) -> Option<String> {
    let mut text = String::new();
    push_normalised(&mut text, word).then_some(text)
}

/// `strtok_r()` with blank and tabulator.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let blank = [' ', '\t'];
        let rest = self.rest.trim_start_matches(blank);
        let (word, rest) = rest.split_once(blank).unwrap_or((rest, ""));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// All that is left, as it is.
    fn all(&mut self) -> Option<&'a str> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then_some(rest)
    }
}

/// `freadline_wrapped()`: a backslash takes the next byte as it is, and with the end of a line goes on with the next; lines
/// by the number of their first.
fn wrapped_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let (mut line, mut first, mut number) = (String::new(), 1, 1);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\n' => {
                lines.push((first, std::mem::take(&mut line)));
                number += 1;
                first = number;
            }
            '\\' => match characters.next() {
                Some('\n') => number += 1,
                Some(other) => line.push(other),
                None => {}
            },
            other => line.push(other),
        }
    }
    if !line.is_empty() {
        lines.push((first, line));
    }
    lines
}

#[cfg(test)]
mod tests;
