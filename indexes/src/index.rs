//! The module indexes as `depmod` writes them, and how kmod finds modules in them.
//!
//! Faithful to kmod v19; what is here did not change up to v34.2 unless noted. kmod reads the
//! binary indexes (`modules.dep.bin`, `modules.alias.bin`, `modules.builtin.bin`), which `depmod`
//! writes together with the text from one array of modules; here the text is read.
//! `modules.softdep` is read as text by kmod too.
//!
//! [`Modprobe`](crate::Modprobe) makes of a name what kmod makes of it; here is what it asks of the indexes:
//!
//! | source | what for |
//! |---|---|
//! | `modules.dep` | the module's own name, and what it needs |
//! | `modules.symbols` | names that begin with `symbol:`, if it was given |
//! | `modules.alias` | patterns |
//! | `modules.builtin` | the name of built-in code |
//! | `modules.builtin.modinfo` | aliases of built-in code, if it was given (kmod v27 on) |
//!
//! v19 and v20 ask in the same order. They differ in what they take for built in: in v19 only a
//! module that `modules.builtin` was asked for carries the mark, so a name that is in `modules.dep` and in
//! `modules.builtin` is an ordinary module; from v20 on (fd44a98ae2eb) every module is looked up in
//! `modules.builtin` when its state is asked for ([`ModuleIndex::is_builtin`]). `modules.weakdep` (v33 on) is not read:
//! modprobe does not load those.

pub mod binary;
mod parse;

use std::collections::HashMap;
use std::ops::Range;

use crate::glob;

pub(crate) use parse::softdep_words;
pub use parse::{IndexError, IndexText, SourceFile};

/// A module that has a line in `modules.dep`, by the number of that line among the modules: the
/// priority that `depmod` gives the module in its binary indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(u32);

impl ModuleId {
    /// The module's position in [`ModuleIndex::modules`].
    #[must_use]
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing: no index knows the name, or it is no valid name (a `]` without `[`, or the
    /// reverse). modprobe fails; but v19 still exits with 0 for a valid name whose
    /// `/sys/module/NAME` is a directory without `initstate` (`handle_failed_lookup()`).
    NotFound,
    /// A module of this normalised name is part of the kernel image.
    Builtin(String),
    /// The module of that name, found in `modules.dep`.
    Module(ModuleId),
    /// The modules whose aliases match. modprobe tries all of them, in this order, whatever
    /// becomes of each (`insmod()` in `tools/modprobe.c`), and exits with what the last one came
    /// to. The order is that of `modules.dep`: `depmod` gives each value its module's position as
    /// priority (`output_aliases_bin()`), `add_value()` of `libkmod-index.c` keeps the values of
    /// all matching keys sorted by it. A module is listed once for each of its aliases that match.
    Served(Vec<ModuleId>),
}

/// The parsed indexes of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleIndex {
    /// Names, paths, patterns and softdep words, one after the other.
    text: String,
    modules: Vec<Module>,
    by_name: Vec<ModuleId>,
    dependencies: Vec<ModuleId>,
    aliases: Vec<Alias>,
    /// Indices into `aliases`, sorted by literal prefix.
    by_prefix: Vec<u32>,
    softdeps: HashMap<ModuleId, Softdep>,
    /// Normalised names, sorted.
    builtin: Vec<Range<usize>>,
    /// Aliases of built-in code: the pattern, and the name of the code.
    builtin_aliases: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    name: Range<usize>,
    path: Range<usize>,
    dependencies: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alias {
    pattern: Range<usize>,
    /// End of what stands before the first wildcard; `pattern.end` if there is none.
    literal_end: usize,
    module: ModuleId,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Softdep {
    pre: Vec<Range<usize>>,
    post: Vec<Range<usize>>,
}

impl ModuleIndex {
    /// Reads the indexes of one kernel.
    ///
    /// Lines that kmod or `depmod` pass over without harm are passed over: comments, blank lines,
    /// softdep words before the first `pre:` or `post:`, and aliases with an unmatched bracket,
    /// which `depmod` leaves out of the binary index.
    ///
    /// # Errors
    ///
    /// The first line that `depmod` would not have written, with what was expected there.
    pub fn parse(source: &IndexText<'_>) -> Result<Self, IndexError> {
        parse::parse(source)
    }

    /// Number of modules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there is no module.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// All modules, in the order of `modules.dep`.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = ModuleId> + use<> {
        let modules =
            u32::try_from(self.modules.len()).expect("an index has fewer than 2^32 modules");
        (0..modules).map(ModuleId)
    }

    /// All aliases that the binary index has, in the order of `modules.alias`: the normalised
    /// pattern and the module that it belongs to.
    pub fn aliases(&self) -> impl ExactSizeIterator<Item = (&str, ModuleId)> {
        self.aliases.iter().map(|alias| (&self.text[alias.pattern.clone()], alias.module))
    }

    /// The module's normalised name.
    ///
    /// # Panics
    ///
    /// If `module` is of another index.
    #[must_use]
    pub fn name(&self, module: ModuleId) -> &str {
        &self.text[self.modules[module.position()].name.clone()]
    }

    /// The module's path as `modules.dep` has it.
    ///
    /// # Panics
    ///
    /// If `module` is of another index.
    #[must_use]
    pub fn path(&self, module: ModuleId) -> &str {
        &self.text[self.modules[module.position()].path.clone()]
    }

    /// What the module needs, directly or not, in the order of its line in `modules.dep`: what is
    /// needed by others comes last.
    ///
    /// # Panics
    ///
    /// If `module` is of another index.
    #[must_use]
    pub fn dependencies(&self, module: ModuleId) -> &[ModuleId] {
        &self.dependencies[self.modules[module.position()].dependencies.clone()]
    }

    /// The module of this name in `modules.dep`; `-` and `_` are the same.
    #[must_use]
    pub fn id_of(&self, name: &str) -> Option<ModuleId> {
        self.find(&name.replace('-', "_"))
    }

    /// Whether `modules.builtin` has a module of this name; `-` and `_` are the same. What kmod
    /// calls `kmod_module_is_builtin()` from v20 on.
    #[must_use]
    pub fn is_builtin(&self, name: &str) -> bool {
        self.listed_builtin(&name.replace('-', "_"))
    }

    /// What a name stands for in the indexes: `kmod_module_new_from_lookup()` without a configuration.
    ///
    /// Wildcards belong to the aliases. A name that itself contains `*`, `?` or `[` is no name
    /// that the kernel asks for; kmod may then list a match twice.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Lookup {
        let Some(name) = normalised(name) else { return Lookup::NotFound };
        if let Some(module) = self.find(&name) {
            return Lookup::Module(module);
        }
        let served = self.served(&name);
        if !served.is_empty() {
            return Lookup::Served(served);
        }
        if self.listed_builtin(&name) { Lookup::Builtin(name) } else { Lookup::NotFound }
    }

    /// The built-in code that has the name as an alias, the first one.
    #[must_use]
    pub fn builtin_alias(&self, name: &str) -> Option<&str> {
        let name = normalised(name)?;
        let mut aliases = self.builtin_aliases.iter();
        let matches = |(p, _): &&(String, String)| glob::matches(p.as_bytes(), name.as_bytes());
        aliases.find(matches).map(|(_, code)| code.as_str())
    }

    /// The aliases of built-in code: patterns, normalised.
    pub fn builtin_aliases(&self) -> impl Iterator<Item = &str> {
        self.builtin_aliases.iter().map(|(pattern, _)| pattern.as_str())
    }

    /// What `modules.softdep` says of the module: the names of what comes before it and after it.
    ///
    /// # Panics
    ///
    /// If `module` is of another index.
    #[must_use]
    pub fn softdep(&self, module: ModuleId) -> Option<[Vec<&str>; 2]> {
        let Softdep { pre, post } = self.softdeps.get(&module)?;
        Some([pre, post].map(|words| words.iter().map(|w| &self.text[w.clone()]).collect()))
    }

    fn find(&self, normalised: &str) -> Option<ModuleId> {
        let at = self.by_name.binary_search_by(|&id| self.name(id).cmp(normalised)).ok()?;
        Some(self.by_name[at])
    }

    fn listed_builtin(&self, normalised: &str) -> bool {
        self.builtin.binary_search_by(|name| self.text[name.clone()].cmp(normalised)).is_ok()
    }

    /// The modules whose aliases match, in the order of their positions.
    ///
    /// As in kmod's tree, all that stands before a pattern's first wildcard is compared byte by
    /// byte, and `fnmatch()` sees the rest.
    fn served(&self, name: &str) -> Vec<ModuleId> {
        let name = name.as_bytes();
        let mut found = Vec::new();
        let mut candidates = self.by_prefix.as_slice();
        for length in 0.. {
            // All candidates begin with `name[..length]`; sorted, those with no more than that
            // before their first wildcard come first.
            let here = candidates.partition_point(|&at| self.literal(at).len() == length);
            for &at in &candidates[..here] {
                let alias = &self.aliases[at as usize];
                // Without a wildcard nothing is left, and matches only if nothing is left of the
                // name.
                let rest = &self.text.as_bytes()[alias.literal_end..alias.pattern.end];
                if glob::matches(rest, &name[length..]) {
                    found.push(alias.module);
                }
            }
            let Some(&byte) = name.get(length) else { break };
            let longer = &candidates[here..];
            let start = longer.partition_point(|&at| self.literal(at)[length] < byte);
            let end =
                start + longer[start..].partition_point(|&at| self.literal(at)[length] == byte);
            candidates = &longer[start..end];
        }
        found.sort_unstable();
        found
    }

    fn literal(&self, alias: u32) -> &[u8] {
        let alias = &self.aliases[alias as usize];
        &self.text.as_bytes()[alias.pattern.start..alias.literal_end]
    }
}

/// `alias_normalize()`: dashes become underscores, but not between brackets; `None` for an
/// unmatched bracket.
pub(crate) fn normalised(name: &str) -> Option<String> {
    let mut normalised = String::with_capacity(name.len());
    push_normalised(&mut normalised, name).then_some(normalised)
}

/// Appends the normalised name, or nothing and returns false for an unmatched bracket.
pub(crate) fn push_normalised(text: &mut String, name: &str) -> bool {
    let start = text.len();
    let mut in_brackets = false;
    for character in name.chars() {
        text.push(match character {
            // A `[` between brackets is an ordinary member of the set.
            '[' => {
                in_brackets = true;
                '['
            }
            ']' if !in_brackets => {
                text.truncate(start);
                return false;
            }
            ']' => {
                in_brackets = false;
                ']'
            }
            '-' if !in_brackets => '_',
            other => other,
        });
    }
    if in_brackets {
        text.truncate(start);
    }
    !in_brackets
}

#[cfg(test)]
mod tests;
