//! From text to [`ModuleIndex`].

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{Alias, Module, ModuleId, ModuleIndex, Softdep, push_normalised};

/// One index file.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// How errors call it: its path.
    pub name: &'a str,
    /// All of it.
    pub text: &'a str,
}

/// The index files of one kernel.
#[derive(Clone, Copy, Debug)]
pub struct IndexText<'a> {
    /// `modules.dep`
    pub dep: SourceFile<'a>,
    /// `modules.alias`
    pub alias: SourceFile<'a>,
    /// `modules.softdep`
    pub softdep: SourceFile<'a>,
    /// `modules.builtin`
    pub builtin: SourceFile<'a>,
    /// `modules.symbols`, whose lines are those of `modules.alias`.
    pub symbols: Option<SourceFile<'a>>,
    /// `modules.builtin.modinfo`: `MODULE.KEY=VALUE`, each with a final NUL.
    pub builtin_modinfo: Option<SourceFile<'a>>,
}

impl<'a> IndexText<'a> {
    /// The files that every kernel has, in the order of [`Self::of`].
    pub const FILES: [&'static str; 4] =
        ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"];

    /// The texts of [`Self::FILES`], called so, and nothing else.
    #[must_use]
    pub fn of(texts: [&'a str; 4]) -> Self {
        let file = |at: usize| SourceFile { name: Self::FILES[at], text: texts[at] };
        Self {
            dep: file(0),
            alias: file(1),
            softdep: file(2),
            builtin: file(3),
            symbols: None,
            builtin_modinfo: None,
        }
    }
}

/// What is wrong with an index file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: expected {expected}, found {found}")]
pub struct IndexError {
    /// The name of the [`SourceFile`].
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What stands there: quoted, escaped, and cut where it is long.
    pub found: String,
    /// What should stand there.
    pub expected: &'static str,
}

const DEP_LINE: &str = "'PATH: DEPENDENCIES'";
const ALIAS_LINE: &str = "'alias PATTERN MODULE'";
const SOFTDEP_LINE: &str = "'softdep MODULE pre: NAMES post: NAMES'";
const MODULE_PATH: &str = "a module's path, ending in .ko, .ko.gz, .ko.xz or .ko.zst";
const BUILTIN_PATH: &str = "a path beginning with 'kernel/'";
const FILE_NAME: &str = "a file name before the ending";
const OWN_LINE: &str = "a module that has a line of its own";
const FIRST_LINE: &str = "only one line for each module";
const LISTED_MODULE: &str = "a module of modules.dep";

const FOUND_LENGTH: usize = 60;

/// A line that is neither blank nor a comment.
#[derive(Clone, Copy)]
struct Line<'a> {
    file: &'a str,
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// The words, as `strtok()` with blank and tabulator finds them, and where they begin.
    fn words(self, from: usize) -> impl Iterator<Item = (usize, &'a str)> + Clone {
        let mut at = from;
        self.text[from..].split([' ', '\t']).filter_map(move |word| {
            let start = at;
            at += word.len() + 1;
            (!word.is_empty()).then_some((start, word))
        })
    }

    fn error(self, at: usize, found: &str, expected: &'static str) -> IndexError {
        let mut quoted = String::from("'");
        quoted.extend(found.chars().take(FOUND_LENGTH).flat_map(char::escape_debug));
        if found.chars().nth(FOUND_LENGTH).is_some() {
            quoted.push_str("...");
        }
        quoted.push('\'');
        IndexError {
            file: self.file.to_owned(),
            line: self.number,
            column: 1 + self.text[..at].chars().count(),
            found: quoted,
            expected,
        }
    }
}

fn lines<'a>(source: SourceFile<'a>) -> impl Iterator<Item = Line<'a>> {
    // Not `str::lines`, which hides a carriage return that is part of the last word.
    source.text.split('\n').zip(1..).filter_map(move |(text, number)| {
        let blank = text.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
        (!blank && !text.starts_with('#')).then_some(Line { file: source.name, number, text })
    })
}

pub(super) fn parse(source: &IndexText<'_>) -> Result<ModuleIndex, IndexError> {
    let mut index = ModuleIndex {
        text: String::with_capacity(source.alias.text.len() + source.dep.text.len() / 4),
        modules: Vec::new(),
        by_name: Vec::new(),
        dependencies: Vec::new(),
        aliases: Vec::new(),
        by_prefix: Vec::new(),
        softdeps: HashMap::new(),
        builtin: Vec::new(),
        builtin_aliases: Vec::new(),
    };
    let ids = dep(&mut index, source.dep)?;
    alias(&mut index, source.alias, &ids)?;
    if let Some(symbols) = source.symbols {
        alias(&mut index, symbols, &ids)?;
    }
    sort_aliases(&mut index);
    softdep(&mut index, source.softdep, &ids)?;
    builtin(&mut index, source.builtin)?;
    if let Some(modinfo) = source.builtin_modinfo {
        builtin_modinfo(&mut index, modinfo.text);
    }
    Ok(index)
}

/// Modules by their names as written: normalised.
type Ids = HashMap<String, ModuleId>;

fn dep(index: &mut ModuleIndex, source: SourceFile<'_>) -> Result<Ids, IndexError> {
    let mut ids = Ids::new();
    let mut by_path = HashMap::new();
    let mut pending = Vec::new();
    for line in lines(source) {
        let Some((path, _)) = line.text.split_once(':') else {
            return Err(line.error(0, line.text, DEP_LINE));
        };
        let name = push_name(index, line, 0, path)?;
        let id = ModuleId(u32::try_from(index.modules.len()).unwrap_or(u32::MAX));
        if ids.insert(index.text[name.clone()].to_owned(), id).is_some() {
            return Err(line.error(0, path, FIRST_LINE));
        }
        by_path.insert(path, id);
        let path = pushed(index, path);
        index.modules.push(Module { name, dependencies: 0..0, path: path.clone() });
        pending.push((line, path.len() + 1));
    }
    for (position, (line, from)) in pending.into_iter().enumerate() {
        let start = index.dependencies.len();
        for (at, path) in line.words(from) {
            let Some(&id) = by_path.get(path) else {
                return Err(line.error(at, path, OWN_LINE));
            };
            index.dependencies.push(id);
        }
        index.modules[position].dependencies = start..index.dependencies.len();
    }
    let mut by_name: Vec<_> = index.modules().collect();
    by_name.sort_unstable_by_key(|&id| index.name(id));
    index.by_name = by_name;
    Ok(ids)
}

fn alias(index: &mut ModuleIndex, source: SourceFile<'_>, ids: &Ids) -> Result<(), IndexError> {
    for line in lines(source) {
        let mut words = line.words(0);
        let (Some((_, "alias")), Some((_, pattern)), Some((at, module)), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(line.error(0, line.text, ALIAS_LINE));
        };
        let Some(&module) = ids.get(module) else {
            return Err(line.error(at, module, LISTED_MODULE));
        };
        let start = index.text.len();
        if !push_normalised(&mut index.text, pattern) {
            continue;
        }
        let end = index.text.len();
        let literal =
            index.text[start..].find(['*', '?', '[']).map_or(end, |length| start + length);
        index.aliases.push(Alias { pattern: start..end, literal_end: literal, module });
    }
    Ok(())
}

fn sort_aliases(index: &mut ModuleIndex) {
    let mut by_prefix: Vec<_> =
        (0..u32::try_from(index.aliases.len()).unwrap_or(u32::MAX)).collect();
    by_prefix.sort_unstable_by_key(|&alias| index.literal(alias));
    index.by_prefix = by_prefix;
}

/// What depmod makes `modules.builtin.alias.bin` of: the alias lines (`output_builtin_alias_bin()`).
fn builtin_modinfo(index: &mut ModuleIndex, text: &str) {
    for entry in text.split('\0') {
        let Some((code, alias)) = entry.split_once(".alias=") else { continue };
        let mut pattern = String::new();
        if !code.contains('=') && push_normalised(&mut pattern, alias) {
            index.builtin_aliases.push((pattern, code.replace('-', "_")));
        }
    }
}

fn softdep(index: &mut ModuleIndex, source: SourceFile<'_>, ids: &Ids) -> Result<(), IndexError> {
    let mut seen = HashSet::new();
    for line in lines(source) {
        let mut words = line.words(0);
        let (Some((_, "softdep")), Some((at, module)), Some(_)) =
            (words.next(), words.next(), words.clone().next())
        else {
            return Err(line.error(0, line.text, SOFTDEP_LINE));
        };
        let Some(&id) = ids.get(module) else {
            return Err(line.error(at, module, LISTED_MODULE));
        };
        // kmod_module_get_softdeps() ends at the first line that is about the module.
        if !seen.insert(id) {
            continue;
        }
        let [pre, post] = softdep_words(&line.text[at + module.len() + 1..]);
        let softdep = Softdep {
            pre: pre.into_iter().map(|word| pushed(index, word)).collect(),
            post: post.into_iter().map(|word| pushed(index, word)).collect(),
        };
        index.softdeps.insert(id, softdep);
    }
    Ok(())
}

/// What follows the module's name in a `softdep` line: the words after `pre:` and those after `post:`.
pub(crate) fn softdep_words(rest: &str) -> [Vec<&str>; 2] {
    let mut words = [Vec::new(), Vec::new()];
    let mut list = None;
    for (number, word) in rest.split(is_space).filter(|word| !word.is_empty()).enumerate() {
        // kmod_config_add_softdep() leaves a single leading blank in the first word, which so
        // is no keyword. (Up to v26 such a line overruns a buffer if it ends in a blank:
        // f975f6bfcc88.)
        let keyword = number > 0 || !begins_with_one_space(rest);
        match (word, list) {
            ("pre:", _) if keyword => list = Some(0),
            ("post:", _) if keyword => list = Some(1),
            (_, Some(list)) => words[list].push(word),
            (_, None) => {}
        }
    }
    words
}

/// `isspace()` in the C locale.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

fn begins_with_one_space(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next().is_some_and(is_space) && !characters.next().is_some_and(is_space)
}

fn builtin(index: &mut ModuleIndex, source: SourceFile<'_>) -> Result<(), IndexError> {
    let mut builtin = Vec::new();
    for line in lines(source) {
        if !line.text.starts_with("kernel/") {
            return Err(line.error(0, line.text, BUILTIN_PATH));
        }
        builtin.push(push_name(index, line, 0, line.text)?);
    }
    builtin.sort_unstable_by_key(|name| &index.text[name.clone()]);
    index.builtin = builtin;
    Ok(())
}

/// Appends the module's name: `path_to_modname()`, so up to the file name's first dot.
fn push_name(
    index: &mut ModuleIndex,
    line: Line<'_>,
    at: usize,
    path: &str,
) -> Result<Range<usize>, IndexError> {
    if ![".ko", ".ko.gz", ".ko.xz", ".ko.zst"].iter().any(|ending| path.ends_with(ending)) {
        return Err(line.error(at, path, MODULE_PATH));
    }
    let file = path.rsplit('/').next().unwrap_or(path);
    let name = file.split('.').next().unwrap_or(file);
    if name.is_empty() {
        return Err(line.error(at, path, FILE_NAME));
    }
    let start = index.text.len();
    index.text.extend(name.chars().map(|character| if character == '-' { '_' } else { character }));
    Ok(start..index.text.len())
}

fn pushed(index: &mut ModuleIndex, word: &str) -> Range<usize> {
    let start = index.text.len();
    index.text.push_str(word);
    start..index.text.len()
}
