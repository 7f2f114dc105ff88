//! No file of these crates imports one that imports it in turn, by whatever way round, and no folder a
//! folder. The `use` lines and the paths in the code are read as the compiler reads them: a name that a
//! module hands on counts as an import of the file that defines it. `mod` lines, and names that are only
//! handed on (`pub use`), import nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// The crates that are held to it.
const CRATES: [&str; 4] = ["cli/src", "lang/src", "properties/src", "sim/explore/src"];

/// Imports that close a circle today: the crate, who imports, and what. The list only gets shorter.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// The files of a crate by their paths in `src`, and what is in each.
type Files = BTreeMap<String, String>;

/// Who imports which.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Identifiers, `::`, and single characters; no comments, and of literals nothing.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let word = |c: char| c == '_' || c.is_alphanumeric();
    let (mut found, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut deep = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (deep, i) = (deep + 1, i + 2),
                        ('*', '/') => (deep, i) = (deep - 1, i + 2),
                        _ => i += 1,
                    }
                    if deep == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            ':' if at(i + 1) == ':' => {
                found.push("::".to_owned());
                i += 2;
            }
            c if word(c) => {
                while word(at(i)) {
                    i += 1;
                }
                let name: String = chars[start..i].iter().collect();
                let hashes = (i..).take_while(|j| at(*j) == '#').count();
                if ["r", "br", "cr"].contains(&name.as_str()) && at(i + hashes) == '"' {
                    // A raw string: it ends with as many hashes as it began with.
                    i += hashes + 1;
                    let ends = |i: usize| at(i) == '"' && (1..=hashes).all(|j| at(i + j) == '#');
                    while i < chars.len() && !ends(i) {
                        i += 1;
                    }
                    i += hashes + 1;
                } else if !name.starts_with(|c: char| c.is_ascii_digit()) {
                    found.push(name);
                }
            }
            c => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                i += 1;
            }
        }
    }
    found
}

/// A module: a file, or a part of one.
#[derive(Default)]
struct Module {
    file: String,
    parent: usize,
    children: BTreeMap<String, usize>,
    /// What it defines.
    defined: BTreeSet<String>,
    /// Names that `use` brings, each with what it stands for, and whether it is only handed on.
    names: Vec<(String, Vec<String>, bool)>,
    globs: Vec<Vec<String>>,
    /// Paths in the code.
    paths: BTreeSet<Vec<String>>,
    /// Every word outside `use`.
    words: BTreeSet<String>,
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    /// Something that this module defines.
    ItemOf(usize),
}

/// A crate, read.
struct Modules(Vec<Module>);

impl Modules {
    /// # Panics
    /// If a file is part of no module, so that its imports would not be seen.
    fn read(files: &Files) -> Self {
        let root = ["lib.rs", "main.rs"].into_iter().find(|root| files.contains_key(*root));
        let root = root.expect("a crate has a root");
        let mut modules = Self(Vec::new());
        let mut seen = BTreeSet::from([root.to_owned()]);
        let all = tokens(&files[root]);
        modules.add(files, &mut seen, 0, root, "", &all);
        let unseen: Vec<_> = files.keys().filter(|file| !seen.contains(*file)).collect();
        assert!(unseen.is_empty(), "in no module: {unseen:?}");
        modules
    }

    /// Reads a module whose children's files are in `folder`.
    fn add(
        &mut self,
        files: &Files,
        seen: &mut BTreeSet<String>,
        parent: usize,
        file: &str,
        folder: &str,
        code: &[String],
    ) -> usize {
        let me = self.0.len();
        self.0.push(Module { file: file.to_owned(), parent, ..Module::default() });
        let closing = |from: usize| {
            let mut deep = 0;
            let at = code[from..].iter().position(|token| {
                deep += i32::from(token == "{") - i32::from(token == "}");
                deep == 0
            });
            from + at.expect("braces are closed")
        };
        let token = |i: usize| code.get(i).map_or("", String::as_str);
        let (mut i, mut in_tests) = (0, false);
        while i < code.len() {
            if token(i) == "#" && token(i + 1) == "[" {
                in_tests |= code[i + 2..].starts_with(&["cfg", "(", "test", ")"].map(String::from));
                i += 1;
            } else if token(i) == "mod" && [";", "{"].contains(&token(i + 2)) {
                let name = token(i + 1).to_owned();
                let inner = format!("{folder}{name}/");
                if token(i + 2) == "{" {
                    let end = closing(i + 2);
                    if !in_tests {
                        let child = self.add(files, seen, me, file, &inner, &code[i + 3..end]);
                        self.0[me].children.insert(name, child);
                    }
                    i = end;
                } else {
                    let places = [format!("{folder}{name}.rs"), format!("{inner}mod.rs")];
                    let found = places.iter().find(|place| files.contains_key(*place));
                    let found = found.unwrap_or_else(|| panic!("{file}: no file for {name}"));
                    seen.insert(found.clone());
                    if !in_tests {
                        let code = tokens(&files[found]);
                        let child = self.add(files, seen, me, found, &inner, &code);
                        self.0[me].children.insert(name, child);
                    }
                    i += 2;
                }
                in_tests = false;
            } else if in_tests && token(i) == "{" {
                i = closing(i);
                in_tests = false;
            } else if in_tests && token(i) == ";" {
                in_tests = false;
            } else if !in_tests && token(i) == "use" && token(i + 1) != "<" {
                let handed_on = i > 0 && ["pub", ")"].contains(&token(i - 1));
                let length = code[i..].iter().position(|t| t == ";").expect("a use line ends");
                let tree = &code[i + 1..i + length];
                self.0[me].read_use(&mut 0, tree, &[], handed_on);
                i += length;
            } else if !in_tests && token(i).starts_with(|c: char| c == '_' || c.is_alphabetic()) {
                let keywords = ["fn", "struct", "enum", "trait", "const", "static", "type"];
                let before = if i == 0 { "" } else { token(i - 1) };
                let macro_name = before == "!" && i > 1 && token(i - 2) == "macro_rules";
                let module = &mut self.0[me];
                if keywords.contains(&before) || macro_name {
                    module.defined.insert(token(i).to_owned());
                }
                let mut path = vec![token(i).to_owned()];
                while before != "::"
                    && token(i + 1) == "::"
                    && token(i + 2).starts_with(|c: char| c == '_' || c.is_alphabetic())
                {
                    path.push(token(i + 2).to_owned());
                    i += 2;
                }
                module.words.extend(path.iter().cloned());
                if path.len() > 1 {
                    module.paths.insert(path);
                }
            }
            i += 1;
        }
        me
    }

    /// What a name stands for in a module; `deep`: how many names that led to it.
    fn look_up(&self, module: usize, name: &str, deep: usize) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        if deep > 8 {
            return found;
        }
        let here = &self.0[module];
        found.extend(here.children.get(name).map(|child| Target::Module(*child)));
        for (_, path, _) in here.names.iter().filter(|(known, ..)| known == name) {
            found.extend(self.resolve(module, path, deep + 1));
        }
        if here.defined.contains(name) {
            found.insert(Target::ItemOf(module));
        }
        if found.is_empty() {
            for glob in &here.globs {
                for target in self.resolve(module, glob, deep + 1) {
                    match target {
                        Target::Module(other) if other == module => {}
                        Target::Module(other) => found.extend(self.look_up(other, name, deep + 1)),
                        Target::ItemOf(_) => {}
                    }
                }
            }
        }
        found
    }

    /// What a path in a module leads to; nothing: out of the crate.
    fn resolve(&self, module: usize, path: &[String], deep: usize) -> BTreeSet<Target> {
        let (mut rest, mut at) = (path, module);
        let mut found = loop {
            match rest {
                [] => break BTreeSet::from([Target::Module(at)]),
                [first, after @ ..] => match first.as_str() {
                    "crate" => (rest, at) = (after, 0),
                    "self" => rest = after,
                    "super" => (rest, at) = (after, self.0[at].parent),
                    name if rest.len() == path.len() => {
                        rest = after;
                        break self.look_up(at, name, deep);
                    }
                    _ => break BTreeSet::from([Target::Module(at)]),
                },
            }
        };
        for name in rest {
            let next = found.iter().flat_map(|target| match *target {
                Target::ItemOf(_) => BTreeSet::from([*target]),
                Target::Module(at) => {
                    let further = self.look_up(at, name, deep);
                    if further.is_empty() { BTreeSet::from([Target::ItemOf(at)]) } else { further }
                }
            });
            found = next.collect();
        }
        found
    }

    /// Which file imports which.
    fn imports(&self) -> Graph {
        let mut graph = Graph::new();
        for (number, module) in self.0.iter().enumerate() {
            let entry = graph.entry(module.file.clone()).or_default();
            let brought = module.names.iter().filter_map(|(name, path, handed_on)| {
                (!handed_on || module.words.contains(name)).then_some(path)
            });
            for path in module.paths.iter().chain(&module.globs).chain(brought) {
                for target in self.resolve(number, path, 0) {
                    if let Target::ItemOf(other) = target
                        && self.0[other].file != module.file
                    {
                        entry.insert(self.0[other].file.clone());
                    }
                }
            }
        }
        graph
    }
}

impl Module {
    /// Reads one tree of a `use` line from `at` on, below `prefix`.
    fn read_use(&mut self, at: &mut usize, tree: &[String], prefix: &[String], handed_on: bool) {
        let mut path = prefix.to_vec();
        loop {
            match tree.get(*at).map_or(",", String::as_str) {
                "{" => {
                    *at += 1;
                    while tree[*at] != "}" {
                        self.read_use(at, tree, &path, handed_on);
                        *at += usize::from(tree[*at] == ",");
                    }
                    *at += 1;
                    return;
                }
                "*" => {
                    *at += 1;
                    self.globs.push(path);
                    return;
                }
                "," | "}" => break,
                "as" => {
                    let name = tree[*at + 1].clone();
                    *at += 2;
                    self.names.push((name, path, handed_on));
                    return;
                }
                "::" => *at += 1,
                "self" if !path.is_empty() => *at += 1,
                name => {
                    path.push(name.to_owned());
                    *at += 1;
                }
            }
        }
        if let Some(name) = path.last() {
            self.names.push((name.clone(), path, handed_on));
        }
    }
}

/// A way from `from` back to it, if there is one.
fn circle(graph: &Graph, from: &str) -> Option<Vec<String>> {
    let mut came: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        for next in graph.get(at).into_iter().flatten() {
            if next == from {
                let mut way = vec![from.to_owned()];
                let mut at = at;
                while at != from {
                    way.push(at.to_owned());
                    at = came[at];
                }
                way.push(from.to_owned());
                way.reverse();
                return Some(way);
            }
            if !came.contains_key(next.as_str()) {
                came.insert(next, at);
                open.push_back(next);
            }
        }
    }
    None
}

/// The same imports between what lies in each folder: files, and folders as a whole (with the file of the
/// same name beside them).
fn between_folders(graph: &Graph) -> BTreeMap<String, Graph> {
    let mut folders: BTreeMap<String, Graph> = BTreeMap::new();
    for (from, imported) in graph {
        for to in imported {
            let common = from.split('/').zip(to.split('/')).take_while(|(a, b)| a == b).count();
            let unit = |file: &str| {
                let parts: Vec<&str> = file.split('/').collect();
                (parts[..common].join("/"), parts[common].trim_end_matches(".rs").to_owned())
            };
            let ((folder, from), (_, to)) = (unit(from), unit(to));
            if from != to {
                let graph = folders.entry(folder).or_default();
                graph.entry(from).or_default().insert(to);
            }
        }
    }
    folders
}

/// Every shortest circle, in words.
fn circles(graph: &Graph) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let folders = between_folders(graph);
    let named = folders.iter().map(|(folder, graph)| (format!("in {folder}/: "), graph));
    for (place, graph) in named.chain([(String::new(), graph)]) {
        for from in graph.keys() {
            let Some(mut way) = circle(graph, from) else { continue };
            // However one goes round it, it is one: told from its first name on.
            way.pop();
            let first = (0..way.len()).min_by_key(|at| &way[*at]).expect("it has two");
            way.rotate_left(first);
            way.push(way[0].clone());
            found.insert(format!("{place}{}", way.join(" -> ")));
        }
    }
    found
}

fn without(graph: &Graph, exceptions: &[(&str, &str, &str)]) -> Graph {
    let mut graph = graph.clone();
    for (_, from, to) in exceptions {
        if let Some(imported) = graph.get_mut(*from) {
            imported.remove(*to);
        }
    }
    graph
}

fn files(folder: &Path, prefix: &str, found: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            files(&path, &format!("{prefix}{name}/"), found);
        } else if name.ends_with(".rs") {
            found.insert(format!("{prefix}{name}"), fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn no_files_and_no_folders_import_each_other() {
    for name in CRATES {
        let mut found = Files::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name), "", &mut found);
        let graph = Modules::read(&found).imports();
        let imports: usize = graph.values().map(BTreeSet::len).sum();
        assert!(imports > found.len(), "{name}: {imports} imports among {} files", found.len());
        let excused: Vec<_> = EXCEPTIONS.iter().copied().filter(|e| e.0 == name).collect();
        let circles_left = circles(&without(&graph, &excused));
        assert!(circles_left.is_empty(), "{name}: {circles_left:#?}");
        for needed in &excused {
            let others: Vec<_> = excused.iter().copied().filter(|e| e != needed).collect();
            let closed = !circles(&without(&graph, &others)).is_empty();
            assert!(closed, "{needed:?} is no longer needed in EXCEPTIONS");
        }
    }
}

/// The imports among files that are given as `name: text`.
fn imports_of<const N: usize>(files: [(&str, &str); N]) -> BTreeSet<String> {
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let graph = Modules::read(&files).imports();
    let edges = graph.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    edges.map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    let root = "mod a; mod deep; pub use deep::er::{Thing, Thing as Other};";
    let deep = ("deep/mod.rs", "pub mod er; pub(crate) use er::*; pub fn own() {}");
    let thing = ("deep/er.rs", "pub struct Thing; pub mod inner { pub const X: u8 = 0; }");
    for (text, imported) in [
        ("use crate::deep::er::Thing;", Some("deep/er.rs")),
        ("use super::deep::{self, er::{inner::{X}}};", Some("deep/er.rs")),
        ("use crate::{Thing};", Some("deep/er.rs")),
        ("use crate::Other as Third;", Some("deep/er.rs")),
        ("use crate::deep::Thing;", Some("deep/er.rs")),
        ("fn f() -> u8 { crate::deep::er::inner::X }", Some("deep/er.rs")),
        ("fn f() { let _ = super::Thing; }", Some("deep/er.rs")),
        ("fn f() { use crate::deep; deep::own() }", Some("deep/mod.rs")),
        ("use crate::deep::{er as x}; fn f() { x::inner::X; }", Some("deep/er.rs")),
        ("mod b { pub fn f() { super::super::Thing; } }", Some("deep/er.rs")),
        ("mod b { use crate::deep::*; }", None),
        ("mod b { use crate::deep::*; fn f(_: &inner::X) {} }", Some("deep/er.rs")),
        ("fn f() { let c = '\"'; } use crate::deep::own; // \"", Some("deep/mod.rs")),
        ("pub use crate::deep::own;", None),
        ("pub use crate::deep::own; fn f() { own() }", Some("deep/mod.rs")),
        ("use std::fmt; fn f() { deep::own(); other::deep::own() }", None),
        ("// use crate::Thing;\n/* crate::Thing */ fn f() { \"crate::Thing\"; }", None),
        ("fn f() { r#\"\" crate::Thing; \"#; }", None),
        ("#[cfg(test)] mod tests { use crate::Thing; }", None),
        ("#[cfg(test)] use crate::Thing; use crate::deep::own;", Some("deep/mod.rs")),
    ] {
        let found = imports_of([("lib.rs", root), ("a.rs", text), deep, thing]);
        let expected: BTreeSet<_> =
            imported.map(|file| format!("a.rs -> {file}")).into_iter().collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_circle_of_folders_is_one_though_no_file_is_in_a_circle() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    let told = circles(&graph(&[("a/x.rs", "b/y.rs"), ("b/z.rs", "a/w.rs")]));
    assert_eq!(told, ["in /: a -> b -> a".to_owned()].into());
    let told = circles(&graph(&[("p/a/x.rs", "p/b.rs"), ("p/b/z.rs", "p/a.rs")]));
    assert_eq!(told, ["in p/: a -> b -> a".to_owned()].into());
    let told = circles(&graph(&[("a.rs", "b.rs"), ("b.rs", "c.rs"), ("c.rs", "a.rs")]));
    let words = ["a.rs -> b.rs -> c.rs -> a.rs", "in /: a -> b -> c -> a"];
    assert_eq!(told, words.map(String::from).into());
    let none = circles(&graph(&[("a/x.rs", "b/y.rs"), ("a/y.rs", "b/x.rs"), ("a/x.rs", "c.rs")]));
    assert!(none.is_empty(), "{none:?}");
}
