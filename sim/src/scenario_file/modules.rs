//! The modules of a scenario file: what each says of itself, checked against the others.

use std::collections::HashMap;
use std::ops::Range;

use super::spanned::Spanned;
use kmodcheck_model::scenario::{BuiltIn, MODULE_NAME_LEN};

use super::error::Finding;
use super::index::Entry;
use super::schema::{self, FailsWith};
use crate::suggest;

/// Most modules in a file, those that nobody touches included.
const MOST: usize = 255;

/// A module of the file, its name normalised.
pub(super) struct Module<'f> {
    pub name: String,
    pub spec: &'f schema::Module,
    /// What it needs directly, as places in the file, built-in code left out.
    pub needs: Vec<usize>,
}

impl<'f> Module<'f> {
    pub fn built_in(&self) -> bool {
        on(&self.spec.built_in)
    }

    /// Whether `modules.builtin` lists it.
    pub fn listed_builtin(&self) -> bool {
        self.spec.listed_builtin.as_ref().map_or(self.built_in(), |listed| *listed.get_ref())
    }

    /// The same as built-in code.
    pub fn as_builtin(&self) -> BuiltIn {
        BuiltIn {
            name: self.name.clone(),
            directory: on(&self.spec.parameters) || on(&self.spec.version),
            driver: on(&self.spec.driver),
        }
    }

    /// Whether its init registers the file systems that its aliases name.
    pub fn registers(&self) -> bool {
        let named = || self.spec.aliases.iter().any(|a| a.get_ref().starts_with("fs-"));
        if let Some(init) = self.init_program() {
            return init.contains("register_filesystem");
        }
        self.spec.registers.as_ref().map_or_else(named, |registers| *registers.get_ref())
    }

    /// The statements of its init, if those are given.
    pub fn init_program(&self) -> Option<&'f str> {
        match self.spec.init.as_ref()?.get_ref() {
            schema::ModuleInit::Program(text) => Some(text),
            schema::ModuleInit::Word(_) => None,
        }
    }
}

/// Whether a key is there and true.
pub(super) fn on(key: &Option<Spanned<bool>>) -> bool {
    key.as_ref().is_some_and(|value| *value.get_ref())
}

/// `-` and `_` are the same in module names.
pub(super) fn normalised(name: &str) -> String {
    name.replace('-', "_")
}

/// The modules, or what is wrong with them.
pub(super) fn modules<'f>(file: &'f schema::File, findings: &mut Vec<Finding>) -> Vec<Module<'f>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut modules = Vec::new();
    for (place, spec) in file.module.iter().enumerate() {
        let (name, span) = (normalised(spec.name.get_ref()), spec.name.span());
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(named) {
            findings.push(Finding::new(
                span,
                format!("found module name '{}'", spec.name.get_ref()),
                "expected letters, digits, '_' and '-'",
            ));
        } else if name.len() >= MODULE_NAME_LEN {
            findings.push(Finding::new(
                span,
                format!("found a module name of {} characters", name.len()),
                &format!("expected at most {}", MODULE_NAME_LEN - 1),
            ));
        } else if let Some(first) = places.get(&name) {
            let first = file.module[*first].name.span();
            findings.push(Finding {
                also: vec![(first, "the first one".to_owned())],
                ..Finding::new(
                    span,
                    format!("found module '{name}' twice"),
                    "expected each module once ('-' and '_' are the same)",
                )
            });
        } else {
            places.insert(name.clone(), place);
        }
        alone(spec, findings);
        modules.push(Module { name, spec, needs: Vec::new() });
    }
    if let Some(beyond) = file.module.get(MOST) {
        findings.push(Finding::new(
            beyond.name.span(),
            format!("found {} modules", file.module.len()),
            &format!("expected at most {MOST}; this is the first beyond"),
        ));
    }
    needs(&mut modules, &places, findings);
    cycles(&modules, findings);
    modules
}

/// A key, and where its value is, if it is there.
type Key = (&'static str, Option<Range<usize>>);

/// An error needs a place, and not each place can have it.
fn failing_with(spec: &schema::Module, findings: &mut Vec<Finding>) {
    let Some(error) = &spec.fails_with else { return };
    match &spec.fails_at {
        None => findings.push(Finding::new(
            error.span(),
            "found 'fails-with' without 'fails-at'",
            "expected where the load fails, too",
        )),
        Some(at) if *error.get_ref() == FailsWith::Eexist && !at.get_ref().may_say_eexist() => {
            findings.push(Finding::new(
                error.span(),
                format!("found -EEXIST of {}()", at.get_ref().function()),
                "expected another error, or a place whose error it can be",
            ));
        }
        Some(_) => {}
    }
}

/// What can be seen to be wrong with a module by looking at it alone.
fn alone(spec: &schema::Module, findings: &mut Vec<Finding>) {
    let loadable_only: [Key; 14] = [
        ("name-taken", spec.name_taken.as_ref().map(Spanned::span)),
        ("init", spec.init.as_ref().map(Spanned::span)),
        ("exit", spec.exit.as_ref().map(Spanned::span)),
        ("dependencies", spec.dependencies.as_ref().map(Spanned::span)),
        ("softdeps", spec.softdeps.as_ref().map(Spanned::span)),
        ("blacklisted", spec.blacklisted.as_ref().map(Spanned::span)),
        ("install", spec.install.as_ref().map(Spanned::span)),
        ("requests", spec.requests.as_ref().map(Spanned::span)),
        ("sysfs-may-fail", spec.sysfs_may_fail.as_ref().map(Spanned::span)),
        ("fails-at", spec.fails_at.as_ref().map(Spanned::span)),
        ("fails-with", spec.fails_with.as_ref().map(Spanned::span)),
        ("compressed", spec.compressed.as_ref().map(Spanned::span)),
        ("async-probe", spec.async_probe.as_ref().map(Spanned::span)),
        ("no-exit", spec.no_exit.as_ref().map(Spanned::span)),
    ];
    let builtin_only = [
        ("parameters", spec.parameters.as_ref().map(Spanned::span)),
        ("version", spec.version.as_ref().map(Spanned::span)),
        ("driver", spec.driver.as_ref().map(Spanned::span)),
    ];
    let (keys, wrong, expected): (&[Key], _, _) = if on(&spec.built_in) {
        (&loadable_only, "built-in code", "only a module that can be loaded has this")
    } else {
        (
            &builtin_only,
            "a module that can be loaded",
            "only built-in code is told apart by this: a module has its directory in any case",
        )
    };
    for (key, span) in keys {
        if let Some(span) = span {
            let title = format!("found '{key}' of {wrong}");
            findings.push(Finding::new(span.clone(), title, expected));
        }
    }
    failing_with(spec, findings);
    for alias in &spec.aliases {
        let pattern = alias.get_ref();
        let printable = |c: char| c.is_ascii_graphic();
        if pattern.is_empty() || !pattern.chars().all(printable) || !brackets_match(pattern) {
            findings.push(Finding::new(
                alias.span(),
                format!("found alias '{}'", pattern.escape_debug()),
                "expected printable ASCII without blanks, each '[' with its ']'",
            ));
        }
    }
    if let Some(command) = &spec.install
        && !is_a_line(command.get_ref())
    {
        findings.push(Finding::new(
            command.span(),
            format!("found install command '{}'", command.get_ref().escape_debug()),
            "expected what may follow the name in one line of modprobe.d, without a backslash",
        ));
    }
}

/// Whether a command is one that a line of a configuration can have.
fn is_a_line(command: &str) -> bool {
    !command.trim().is_empty() && !command.contains(['\n', '\\'])
}

/// As `alias_normalize()` sees it.
fn brackets_match(pattern: &str) -> bool {
    let mut open = false;
    for c in pattern.chars() {
        match c {
            '[' => open = true,
            ']' if !open => return false,
            ']' => open = false,
            _ => {}
        }
    }
    !open
}

/// Finds the modules that each one needs.
fn needs(modules: &mut [Module<'_>], places: &HashMap<String, usize>, findings: &mut Vec<Finding>) {
    for place in 0..modules.len() {
        let mut needs = Vec::new();
        for word in modules[place].spec.dependencies.iter().flat_map(|d| d.get_ref()) {
            match places.get(&normalised(word.get_ref())) {
                None => findings.push(undefined(word, "dependency", modules)),
                Some(needed) if needs.contains(needed) => findings.push(Finding::new(
                    word.span(),
                    format!("found dependency '{}' twice", word.get_ref()),
                    "expected each dependency once",
                )),
                // What is built in is always there.
                Some(needed) if modules[*needed].built_in() => {}
                Some(needed) => needs.push(*needed),
            }
        }
        modules[place].needs = needs;
    }
}

/// How it is said that no module bears a name.
pub(super) const UNDEFINED: &str = ", which the file does not define";

/// A name that no module bears.
pub(super) fn undefined(word: &Spanned<String>, what: &str, modules: &[Module<'_>]) -> Finding {
    let names: Vec<&str> = modules.iter().map(|m| m.name.as_str()).collect();
    let expected = if names.is_empty() {
        "expected a module, and the file has none".to_owned()
    } else {
        format!("expected one of {}", names.join(", "))
    };
    let title = format!("found {what} '{}'{UNDEFINED}", word.get_ref());
    let meant = suggest::did_you_mean(word.get_ref(), names);
    Finding::new(word.span(), title, &expected).meaning(meant)
}

/// Reports a cycle of dependencies, the first one found from each module that is in one.
fn cycles(modules: &[Module<'_>], findings: &mut Vec<Finding>) {
    // 0: not seen; 1: on the path; 2: done.
    let mut seen = vec![0_u8; modules.len()];
    for start in 0..modules.len() {
        // The path from `start`, and how many of each one's needs were followed.
        let mut path = vec![(start, 0)];
        if seen[start] != 0 {
            continue;
        }
        seen[start] = 1;
        while let Some((at, followed)) = path.last_mut() {
            let Some(&next) = modules[*at].needs.get(*followed) else {
                seen[*at] = 2;
                path.pop();
                continue;
            };
            *followed += 1;
            match seen[next] {
                0 => {
                    seen[next] = 1;
                    path.push((next, 0));
                }
                1 => {
                    let from = path.iter().position(|(m, _)| *m == next).unwrap_or(0);
                    let cycle: Vec<usize> = path[from..].iter().map(|(m, _)| *m).collect();
                    findings.push(cycle_finding(modules, &cycle));
                }
                _ => {}
            }
        }
    }
}

fn cycle_finding(modules: &[Module<'_>], cycle: &[usize]) -> Finding {
    let mut names: Vec<&str> = cycle.iter().map(|m| modules[*m].name.as_str()).collect();
    names.push(names[0]);
    let links = (0..cycle.len()).map(|i| {
        let (from, to) = (&modules[cycle[i]], names[i + 1]);
        let words = from.spec.dependencies.iter().flat_map(|d| d.get_ref());
        let word = words.into_iter().find(|w| normalised(w.get_ref()) == to);
        let span = word.map_or_else(|| from.spec.name.span(), Spanned::span);
        (span, format!("{} needs {to}", from.name))
    });
    let mut links: Vec<(Range<usize>, String)> = links.collect();
    let (span, last) = links.pop().unwrap_or_default();
    let title = format!("dependency cycle: {}", names.join(" -> "));
    Finding { also: links, ..Finding::new(span, title, &format!("{last}: expected no cycle")) }
}

/// Everything that `place` needs, directly or not, in the order of loading. There are no cycles.
pub(super) fn load_order(modules: &[Module<'_>], place: usize) -> Vec<usize> {
    let mut order = Vec::new();
    // Each one twice: first for its needs, then for itself.
    let mut todo = vec![(place, false)];
    while let Some((at, needs_done)) = todo.pop() {
        if order.contains(&at) {
            continue;
        }
        if needs_done {
            order.push(at);
        } else {
            todo.push((at, true));
            todo.extend(modules[at].needs.iter().rev().map(|needed| (*needed, false)));
        }
    }
    order.pop();
    order
}

/// The modules as `depmod` sees them: those that can be loaded, or (`built_in`) the built-in ones as
/// if they could.
pub(super) fn entries<'m>(modules: &'m [Module<'_>], built_in: bool) -> Vec<Entry<'m>> {
    let of_kind = modules.iter().enumerate().filter(|(_, m)| m.built_in() == built_in);
    of_kind
        .map(|(place, module)| {
            let words = |which: fn(&schema::Softdeps) -> &Vec<Spanned<String>>| {
                let words = module.spec.softdeps.iter().flat_map(move |s| which(s.get_ref()));
                words.map(|w| w.get_ref().as_str()).collect()
            };
            Entry {
                name: &module.name,
                compressed: on(&module.spec.compressed),
                needs: load_order(modules, place)
                    .into_iter()
                    .map(|needed| modules[needed].name.as_str())
                    .collect(),
                aliases: module.spec.aliases.iter().map(|a| a.get_ref().as_str()).collect(),
                pre: words(|s| &s.pre),
                post: words(|s| &s.post),
            }
        })
        .collect()
}
