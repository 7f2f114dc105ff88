//! The module indexes as `depmod` writes them, and how kmod finds modules in them.
//!
//! Faithful to kmod v19; what is here did not change up to v34.2 unless noted. kmod reads the
//! binary indexes (`modules.dep.bin`, `modules.alias.bin`, `modules.builtin.bin`), which `depmod`
//! writes together with the text from one array of modules; here the text is read.
//! `modules.softdep` is read as text by kmod too.
//!
//! `kmod_module_new_from_lookup()` asks, until one of them answers:
//!
//! | | source | here |
//! |---|---|---|
//! | 1 | `alias` lines of the configuration | not modelled |
//! | 2 | `modules.dep`: the module's own name | yes |
//! | 3 | `modules.symbols`, for names that begin with `symbol:` | not read |
//! | 4 | `install` and `remove` commands of the configuration | not modelled |
//! | 5 | `modules.alias` | yes |
//! | 6 | `modules.builtin`: the name itself | yes |
//! | 7 | `modules.builtin.alias.bin`: aliases of built-in modules, kmod v27 on | not read |
//!
//! v19 and v20 ask in the same order. They differ in what they take for built in: in v19 only a
//! module that step 6 found carries the mark, so a name that is in `modules.dep` and in
//! `modules.builtin` is an ordinary module; from v20 on (fd44a98ae2eb) every module is looked up in
//! `modules.builtin` when its state is asked for ([`ModuleIndex::is_builtin`]). Not modelled
//! either: blacklists, `softdep` lines of the configuration, and `modules.weakdep` (v33 on;
//! modprobe does not load those).

mod parse;

use std::collections::HashMap;
use std::ops::Range;

use crate::glob;

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

/// One step of inserting a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProbeEntry {
    /// What to insert unless it is in the kernel.
    pub module: ModuleId,
    /// Whether its failure ends the whole list: so for the module that was asked for and its
    /// dependencies. The error of any other entry is forgotten.
    pub required: bool,
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

    /// What a name stands for: `kmod_module_new_from_lookup()`, as far as the table above goes.
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

    /// What modprobe goes through to insert a module that was asked for by its own name:
    /// `kmod_module_get_probe_list()`.
    ///
    /// Dependencies come first, in the reverse order of [`Self::dependencies`]
    /// (`kmod_module_parse_depline()` prepends); around each entry stand the modules that its
    /// softdeps name. A softdep word is resolved like any name: it may be served by several
    /// modules, one that nothing serves is ignored, and one that is built in has no entry here,
    /// for kmod does nothing with it. The dependencies of a softdep are listed even if they were
    /// listed before.
    ///
    /// # Panics
    ///
    /// If `module` is of another index.
    #[must_use]
    pub fn probe_list(&self, module: ModuleId) -> Vec<ProbeEntry> {
        Probe::new(self).list(Object { module, alias: String::new() })
    }

    /// [`Self::probe_list`] for a module that was found through an alias.
    ///
    /// This makes a difference only where the list leads back to the module: kmod keeps the module
    /// by name and the module by alias as two objects (`kmod_module_new_from_alias()`), of which
    /// each can be visited once.
    ///
    /// # Panics
    ///
    /// If `module` is of another index.
    #[must_use]
    pub fn probe_list_via(&self, module: ModuleId, alias: &str) -> Vec<ProbeEntry> {
        let alias = normalised(alias).unwrap_or_default();
        Probe::new(self).list(Object { module, alias })
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
fn normalised(name: &str) -> Option<String> {
    let mut normalised = String::with_capacity(name.len());
    push_normalised(&mut normalised, name).then_some(normalised)
}

/// Appends the normalised name, or nothing and returns false for an unmatched bracket.
fn push_normalised(text: &mut String, name: &str) -> bool {
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

/// What kmod's pool of modules has one object of: a module as found by its name (no alias), or as
/// found by one alias.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Object {
    module: ModuleId,
    alias: String,
}

/// One run of `kmod_module_get_probe_list()`.
struct Probe<'a> {
    index: &'a ModuleIndex,
    pool: HashMap<Object, usize>,
    objects: Vec<ObjectState>,
    /// What the softdeps of a module stand for, before and after it.
    softdeps: HashMap<ModuleId, [Vec<usize>; 2]>,
}

struct ObjectState {
    module: ModuleId,
    visited: bool,
    required: bool,
}

/// What is left to do. kmod recurses; a stack of our own has no depth that an index could exceed.
enum Todo {
    /// `__kmod_module_get_probe_list()`: dependencies and module, unless visited.
    Visit(usize),
    /// `__kmod_module_fill_softdep()`: the module between its softdeps, visited or not.
    Surround(usize),
    Append(usize),
}

impl<'a> Probe<'a> {
    fn new(index: &'a ModuleIndex) -> Self {
        Self { index, pool: HashMap::new(), objects: Vec::new(), softdeps: HashMap::new() }
    }

    fn list(mut self, target: Object) -> Vec<ProbeEntry> {
        let mut list = Vec::new();
        let needed = self.index.dependencies(target.module);
        let target = self.object(target);
        self.objects[target].required = true;
        for &module in needed {
            let dependency = self.object(Object { module, alias: String::new() });
            self.objects[dependency].required = true;
        }
        // A stack: what is to be done first is pushed last.
        let mut todo = vec![Todo::Visit(target)];
        while let Some(next) = todo.pop() {
            match next {
                Todo::Visit(object) => {
                    if std::mem::replace(&mut self.objects[object].visited, true) {
                        continue;
                    }
                    todo.push(Todo::Surround(object));
                    // The first of the line is the last of kmod's list, so it is pushed first.
                    for &module in self.index.dependencies(self.objects[object].module) {
                        let dependency = self.object(Object { module, alias: String::new() });
                        todo.push(Todo::Surround(dependency));
                    }
                }
                Todo::Surround(object) => {
                    let [pre, post] = self.softdeps(self.objects[object].module);
                    todo.extend(post.iter().rev().map(|&object| Todo::Visit(object)));
                    todo.push(Todo::Append(object));
                    todo.extend(pre.iter().rev().map(|&object| Todo::Visit(object)));
                }
                Todo::Append(object) => {
                    let ObjectState { module, required, .. } = self.objects[object];
                    list.push(ProbeEntry { module, required });
                }
            }
        }
        list
    }

    fn object(&mut self, object: Object) -> usize {
        let module = object.module;
        *self.pool.entry(object).or_insert_with(|| {
            self.objects.push(ObjectState { module, visited: false, required: false });
            self.objects.len() - 1
        })
    }

    /// `kmod_module_get_softdeps()`.
    fn softdeps(&mut self, module: ModuleId) -> &[Vec<usize>; 2] {
        if !self.softdeps.contains_key(&module) {
            let found = match self.index.softdeps.get(&module) {
                Some(Softdep { pre, post }) => [pre, post].map(|words| self.looked_up(words)),
                None => Default::default(),
            };
            self.softdeps.insert(module, found);
        }
        &self.softdeps[&module]
    }

    /// `lookup_softdep()`.
    fn looked_up(&mut self, words: &[Range<usize>]) -> Vec<usize> {
        let mut objects = Vec::new();
        for word in words {
            let word = &self.index.text[word.clone()];
            match self.index.lookup(word) {
                Lookup::NotFound | Lookup::Builtin(_) => {}
                Lookup::Module(module) => {
                    objects.push(self.object(Object { module, alias: String::new() }));
                }
                Lookup::Served(modules) => {
                    let alias = normalised(word).unwrap_or_default();
                    for module in modules {
                        objects.push(self.object(Object { module, alias: alias.clone() }));
                    }
                }
            }
        }
        objects
    }
}

#[cfg(test)]
mod tests;
