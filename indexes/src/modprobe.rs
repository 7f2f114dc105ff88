//! What modprobe makes of a name: `kmod_module_new_from_lookup()` and `kmod_module_get_probe_list()`, over the indexes of a
//! kernel and the configuration of its machine.

use std::collections::{BTreeSet, HashMap};

use crate::config::{Configuration, Line, Softdep};
use crate::glob;
use crate::index::{Lookup, ModuleId, ModuleIndex, normalised};

/// modprobe, with what it has read.
#[derive(Clone, Copy, Debug)]
pub struct Modprobe<'a> {
    /// The indexes of the kernel's modules.
    pub index: &'a ModuleIndex,
    /// What its administrator says.
    pub config: &'a Configuration,
    /// Whose rules it looks names up by.
    pub rules: Rules,
}

/// How modprobe looks names up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As kmod does.
    Kmod,
    /// As kmod does from v27 on: aliases of built-in code, too (`kmod_lookup_alias_from_kernel_builtin_file()`).
    KmodV27,
    /// As busybox does (modutils/modprobe.c, `add_probe()`, `config_file_action()`, of 1.35.0): what is built in is known first;
    /// names and aliases end at a dot, and in them every dash is an underscore, between brackets, too; of several modules that
    /// have an alias all, by the lines of modules.alias.
    Busybox,
    /// As busybox's small one (modutils/modprobe-small.c) and toybox (toys/pending/modprobe.c) do: the same, but that nothing is
    /// known of what is built in. (Where toybox reads modules.alias the small one reads the modules themselves, which say the
    /// same.)
    NoBuiltin,
}

/// What kmod's pool of modules has one object of: a module as found by its name, or as found by one alias.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// Its name, normalised.
    pub name: String,
    /// The module of that name in `modules.dep`, if there is one: only that has a file.
    pub module: Option<ModuleId>,
    /// The alias by which it was found: the pattern of an `alias` line of the configuration, the name itself of an index.
    pub alias: Option<String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Nothing: no index knows the name, nor does the configuration, or it is no valid name. modprobe fails; but v19 looks
    /// into /sys/module (`handle_failed_lookup()`).
    NotFound,
    /// A module of this normalised name is part of the kernel image.
    Builtin(String),
    /// Built-in code of this name has the name as an alias; kmod looks that up from v27 on.
    BuiltinAlias(String),
    /// These, tried one after the other, whatever becomes of each; the last one's error counts.
    Modules(Vec<Target>),
}

/// One of the modules that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The module.
    pub found: Found,
    /// The `blacklist` line that keeps it from being loaded by an alias (`KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY`).
    pub blacklisted: Option<Line>,
    /// What modprobe goes through to get it in.
    pub list: Vec<Step>,
}

/// One entry of the list that `kmod_module_probe_insert_module()` goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The module.
    pub found: Found,
    /// Whether its failure ends the list: so for the module that was asked for and its dependencies.
    pub required: bool,
    /// The `install` line whose command runs in its stead.
    pub command: Option<Line>,
    /// Whether it is known by the path of its file, as the dependency of something: `kmod_module_new_from_path()`.
    pub by_path: bool,
}

impl<'a> Modprobe<'a> {
    /// What `modprobe NAME` is about: `kmod_module_new_from_lookup()`. It asks, until one of them answers, the `alias` lines
    /// of the configuration, `modules.dep`, `modules.symbols` (for names that begin with `symbol:`), the `install` and
    /// `remove` lines, `modules.alias`, `modules.builtin`, and the aliases of what is built in.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Resolved {
        let looked = match self.rules {
            Rules::Kmod | Rules::KmodV27 => self.lookup(name),
            Rules::Busybox | Rules::NoBuiltin => self.lookup_of_busybox(name),
        };
        match looked {
            Looked::Nothing => Resolved::NotFound,
            Looked::Builtin(name) => Resolved::Builtin(name),
            Looked::BuiltinAlias(name) => Resolved::BuiltinAlias(name),
            Looked::Found(found) => {
                let target = |found: Found| Target {
                    blacklisted: match found.alias {
                        Some(_) => self.config.blacklisted(&found.name).cloned(),
                        None => None,
                    },
                    list: self.probe_list(&found, false),
                    found,
                };
                Resolved::Modules(found.into_iter().map(target).collect())
            }
        }
    }

    /// Every name without a wildcard that stands for something here: modules, their aliases, those of built-in code, and what
    /// the configuration names; in order.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&'a str> {
        let Self { index, config, .. } = *self;
        let modules = index.modules().map(|id| index.name(id));
        let aliases = index.aliases().map(|(pattern, _)| pattern);
        let aliases = aliases.chain(index.builtin_aliases());
        let lines = config.aliases.iter().chain(&config.install).map(|line| line.name.as_str());
        let all = modules.chain(aliases).chain(lines);
        all.filter(|name| !name.contains(['*', '?', '['])).collect()
    }

    /// What modprobe goes through for a module: `kmod_module_get_probe_list()`.
    ///
    /// Dependencies come first, in the reverse order of [`ModuleIndex::dependencies`] (`kmod_module_parse_depline()`
    /// prepends); around each entry stand the modules that its softdeps name. A softdep word is resolved like any name; one
    /// that nothing serves is ignored, and one that is built in has no entry here, for kmod does nothing with it. The
    /// dependencies of a softdep are listed even if they were listed before. `ignores_command`: as
    /// `modprobe --ignore-install` does, of the module itself alone, and of its softdeps.
    #[must_use]
    pub fn probe_list(&self, found: &Found, ignores_command: bool) -> Vec<Step> {
        Probe::new(*self).list(found, ignores_command)
    }

    /// The options with which it is loaded: `kmod_module_get_options()`, one for each line about its name or its alias.
    #[must_use]
    pub fn options(&self, found: &Found) -> Vec<&'a str> {
        let lines = self.config.options.iter();
        let about =
            |line: &&Line| line.name == found.name || Some(&line.name) == found.alias.as_ref();
        lines.filter(about).map(|line| line.value.as_str()).collect()
    }

    /// Whether the softdeps of a module stand for anything: such a one is inserted whatever an `install` line says
    /// (`ignorecmd`, which `__kmod_module_fill_softdep()` sets).
    #[must_use]
    pub fn has_softdeps(&self, name: &str) -> bool {
        Probe::new(*self).softdeps(name).any
    }

    /// The `softdep` lines about a module that kmod does not heed, because another one comes first; by their place.
    #[must_use]
    pub fn unheeded_softdeps(&self, name: &str) -> Vec<&'a crate::config::Place> {
        let mut matching = self.config.softdeps.iter().filter(|line| is_about(line, name));
        let index_has_one =
            self.index.id_of(name).is_some_and(|id| self.index.softdep(id).is_some());
        let heeded = matching.clone().next();
        if heeded.is_some_and(|line| line.before_index || !index_has_one) {
            matching.next();
        }
        matching.map(|line| &line.place).collect()
    }

    fn lookup(&self, name: &str) -> Looked {
        let Some(name) = normalised(name) else { return Looked::Nothing };
        let by_config = self.config.aliases.iter();
        let by_config = by_config.filter(|l| glob::matches(l.name.as_bytes(), name.as_bytes()));
        let found: Vec<Found> = by_config
            .map(|line| Found {
                module: self.index.id_of(&line.value),
                name: line.value.clone(),
                alias: Some(line.name.clone()),
            })
            .collect();
        if !found.is_empty() {
            return Looked::Found(found);
        }
        if let Some(module) = self.index.id_of(&name) {
            return Looked::Found(vec![Found { name, module: Some(module), alias: None }]);
        }
        let commands = || self.config.install.iter().chain(&self.config.remove);
        if commands().any(|line| line.name == name) {
            return Looked::Found(vec![Found { name, module: None, alias: None }]);
        }
        match self.index.lookup(&name) {
            Lookup::Served(modules) => {
                let found = |module| Found {
                    name: self.index.name(module).to_owned(),
                    module: Some(module),
                    alias: Some(name.clone()),
                };
                Looked::Found(modules.into_iter().map(found).collect())
            }
            Lookup::Builtin(name) => Looked::Builtin(name),
            Lookup::NotFound => match self.index.builtin_alias(&name) {
                Some(code) if self.rules == Rules::KmodV27 => Looked::BuiltinAlias(code.to_owned()),
                _ => Looked::Nothing,
            },
            Lookup::Module(_) => unreachable!("modules.dep was asked before"),
        }
    }
}

impl Modprobe<'_> {
    fn lookup_of_busybox(&self, name: &str) -> Looked {
        let name = modname(name);
        if self.rules == Rules::Busybox && self.index.is_builtin(&name) {
            return Looked::Builtin(name);
        }
        if let Some(module) = self.index.id_of(&name) {
            return Looked::Found(vec![Found { name, module: Some(module), alias: None }]);
        }
        let mut found: Vec<Found> = Vec::new();
        for (pattern, module) in self.index.aliases() {
            let known = found.iter().any(|found| found.module == Some(module));
            if !known && glob::matches(modname(pattern).as_bytes(), name.as_bytes()) {
                let own = self.index.name(module).to_owned();
                found.push(Found { name: own, module: Some(module), alias: Some(name.clone()) });
            }
        }
        if found.is_empty() { Looked::Nothing } else { Looked::Found(found) }
    }
}

/// busybox's `filename2modname()`, `MODULE_NAME_LEN` being 256.
fn modname(text: &str) -> String {
    let dot = text.find('.').unwrap_or(text.len());
    let mut end = dot.min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('-', "_")
}

/// [`Resolved`], before anything is made of it.
enum Looked {
    Nothing,
    Builtin(String),
    BuiltinAlias(String),
    Found(Vec<Found>),
}

fn is_about(line: &Softdep, name: &str) -> bool {
    glob::matches(line.name.as_bytes(), name.as_bytes())
}

/// One run of `kmod_module_get_probe_list()`.
struct Probe<'a> {
    modprobe: Modprobe<'a>,
    pool: HashMap<(String, Option<String>), usize>,
    objects: Vec<Object>,
    /// What the softdeps of a module stand for, before and after it.
    softdeps: HashMap<String, Surroundings>,
}

/// What the softdeps of a module stand for.
#[derive(Clone, Default)]
struct Surroundings {
    pre: Vec<usize>,
    post: Vec<usize>,
    /// Whether they stand for anything, built-in code included.
    any: bool,
}

struct Object {
    found: Found,
    visited: bool,
    required: bool,
    ignores_command: bool,
    by_path: bool,
}

/// What is left to do. kmod recurses; a stack of our own has no depth that an index could exceed.
enum Todo {
    /// `__kmod_module_get_probe_list()`: dependencies and module, unless visited.
    Visit {
        object: usize,
        ignores_command: bool,
    },
    /// `__kmod_module_fill_softdep()`: the module between its softdeps, visited or not.
    Surround(usize),
    Append {
        object: usize,
        ignores_command: bool,
    },
}

impl<'a> Probe<'a> {
    fn new(modprobe: Modprobe<'a>) -> Self {
        Self { modprobe, pool: HashMap::new(), objects: Vec::new(), softdeps: HashMap::new() }
    }

    fn list(mut self, target: &Found, ignores_command: bool) -> Vec<Step> {
        let mut list = Vec::new();
        let target = self.object(target.clone());
        self.objects[target].required = true;
        for dependency in self.dependencies(target) {
            self.objects[dependency].required = true;
        }
        // A stack: what is to be done first is pushed last.
        let mut todo = vec![Todo::Visit { object: target, ignores_command }];
        while let Some(next) = todo.pop() {
            match next {
                Todo::Visit { object, ignores_command } => {
                    if std::mem::replace(&mut self.objects[object].visited, true) {
                        continue;
                    }
                    todo.push(if ignores_command {
                        Todo::Append { object, ignores_command }
                    } else {
                        Todo::Surround(object)
                    });
                    // The first of the line is the last of kmod's list, so it is pushed first.
                    todo.extend(self.dependencies(object).into_iter().map(Todo::Surround));
                }
                Todo::Surround(object) => {
                    let name = self.objects[object].found.name.clone();
                    let Surroundings { pre, post, any } = self.softdeps(&name);
                    // A module that has softdeps is inserted, whatever an `install` line says.
                    let ignores_command = *any;
                    let visit = |&object| Todo::Visit { object, ignores_command: false };
                    todo.extend(post.iter().rev().map(visit));
                    let at = todo.len();
                    todo.extend(pre.iter().rev().map(visit));
                    todo.insert(at, Todo::Append { object, ignores_command });
                }
                Todo::Append { object, ignores_command } => {
                    self.objects[object].ignores_command = ignores_command;
                    list.push(object);
                }
            }
        }
        let config = self.modprobe.config;
        let step = |object: usize| {
            let Object { found, required, ignores_command, .. } = &self.objects[object];
            // What an `install` line made known by its very name has that line's command, although a pattern may come
            // first (`kmod_lookup_alias_from_commands()`).
            let known_by_it = found.module.is_none() && found.alias.is_none();
            let its_own = config.install.iter().find(|line| known_by_it && line.name == found.name);
            let command = its_own.or_else(|| config.install_command(&found.name));
            let command = command.filter(|_| !ignores_command).cloned();
            let by_path = self.objects[object].by_path;
            Step { found: found.clone(), required: *required, command, by_path }
        };
        list.into_iter().map(step).collect()
    }

    fn dependencies(&mut self, object: usize) -> Vec<usize> {
        let index = self.modprobe.index;
        let Some(module) = self.objects[object].found.module else { return Vec::new() };
        let found = |&id: &ModuleId| Found {
            name: index.name(id).to_owned(),
            module: Some(id),
            alias: None,
        };
        let needed: Vec<usize> =
            index.dependencies(module).iter().map(|id| self.object(found(id))).collect();
        for &object in &needed {
            self.objects[object].by_path = true;
        }
        needed
    }

    fn object(&mut self, found: Found) -> usize {
        let key = (found.name.clone(), found.alias.clone());
        *self.pool.entry(key).or_insert_with(|| {
            let object = Object {
                found,
                visited: false,
                required: false,
                ignores_command: false,
                by_path: false,
            };
            self.objects.push(object);
            self.objects.len() - 1
        })
    }

    /// `kmod_module_get_softdeps()`: the first line that is about the module; those of the index come in the place of its
    /// file among the files of the configuration.
    fn softdeps(&mut self, name: &str) -> &Surroundings {
        if !self.softdeps.contains_key(name) {
            let Modprobe { index, config, .. } = self.modprobe;
            let by_config = |before: bool| {
                let mut lines = config.softdeps.iter().filter(|line| line.before_index == before);
                lines.find(|line| is_about(line, name)).map(|l| [strings(&l.pre), strings(&l.post)])
            };
            let by_index = || index.id_of(name).and_then(|id| index.softdep(id));
            let words = by_config(true).or_else(by_index).or_else(|| by_config(false));
            let [pre, post] = words.unwrap_or_default();
            let mut found = Surroundings::default();
            found.pre = self.looked_up(&pre, &mut found.any);
            found.post = self.looked_up(&post, &mut found.any);
            self.softdeps.insert(name.to_owned(), found);
        }
        &self.softdeps[name]
    }

    /// `lookup_dep()`. `any`: set where a word stands for something.
    fn looked_up(&mut self, words: &[&str], any: &mut bool) -> Vec<usize> {
        let mut objects = Vec::new();
        for word in words {
            match self.modprobe.lookup(word) {
                Looked::Nothing => {}
                Looked::Builtin(_) | Looked::BuiltinAlias(_) => *any = true,
                Looked::Found(found) => {
                    *any = true;
                    objects.extend(found.into_iter().map(|found| self.object(found)));
                }
            }
        }
        objects
    }
}

fn strings(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
