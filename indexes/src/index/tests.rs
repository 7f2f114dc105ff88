use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config;
use crate::modprobe::{Found, Modprobe, Rules, Step};

const DEP: &str = "\
kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko
kernel/fs/mbcache.ko:
kernel/fs/jbd2/jbd2.ko:
kernel/fs/fat/fat.ko.xz:
kernel/fs/fat/vfat.ko.xz: kernel/fs/fat/fat.ko.xz
kernel/crypto/crc32c_generic.ko:
kernel/arch/x86/crypto/crc32c-intel.ko:
";
const ALIAS: &str = "\
# Aliases extracted from modules themselves.
alias fs-ext4 ext4
alias fs-ext3 ext4
alias ext3 ext4
alias fs-vfat vfat
alias crypto-crc32c crc32c_intel
alias crypto-crc32c crc32c_generic
alias cpu:type:x86,ven*fam*mod*:feature:*0094* crc32c_intel
alias usb:d0[0-2]* fat
alias usb:d01-* mbcache
";
const SOFTDEP: &str = "\
# Soft dependencies extracted from modules themselves.
softdep ext4 pre: crypto-crc32c
";
const BUILTIN: &str = "kernel/fs/proc-stuff.ko\nkernel/fs/mbcache.ko\n";

fn source<'a>(dep: &'a str, alias: &'a str, softdep: &'a str, builtin: &'a str) -> IndexText<'a> {
    IndexText::of([dep, alias, softdep, builtin])
}

/// What modprobe goes through for a module, found by its name or by an alias, with no configuration.
fn probe_list(index: &ModuleIndex, module: ModuleId, alias: Option<&str>) -> Vec<ProbeEntry> {
    let found = Found {
        name: index.name(module).to_owned(),
        module: Some(module),
        alias: alias.and_then(normalised),
    };
    let list =
        Modprobe { index, config: &config::NONE, rules: Rules::Kmod }.probe_list(&found, false);
    let entry = |step: &Step| ProbeEntry {
        module: step.found.module.expect("an index names modules"),
        required: step.required,
    };
    list.iter().map(entry).collect()
}

#[derive(Clone, Copy)]
struct ProbeEntry {
    module: ModuleId,
    required: bool,
}

fn index() -> ModuleIndex {
    ModuleIndex::parse(&source(DEP, ALIAS, SOFTDEP, BUILTIN)).unwrap()
}

fn names(index: &ModuleIndex, modules: &[ModuleId]) -> Vec<String> {
    modules.iter().map(|&id| index.name(id).to_owned()).collect()
}

/// What a name stands for, in words.
fn found(index: &ModuleIndex, name: &str) -> String {
    match index.lookup(name) {
        Lookup::NotFound => "nothing".into(),
        Lookup::Builtin(name) => format!("builtin {name}"),
        Lookup::Module(id) => format!("module {}", index.name(id)),
        Lookup::Served(modules) => format!("served by {}", names(index, &modules).join(" ")),
    }
}

/// The probe list, with a `?` after what is not required.
fn probed(index: &ModuleIndex, list: &[ProbeEntry]) -> String {
    let entry = |entry: &ProbeEntry| {
        format!("{}{}", index.name(entry.module), if entry.required { "" } else { "?" })
    };
    list.iter().map(entry).collect::<Vec<_>>().join(" ")
}

fn probed_name(index: &ModuleIndex, name: &str) -> String {
    probed(index, &probe_list(index, index.id_of(name).unwrap(), None))
}

#[test]
fn a_name_is_looked_up_where_kmod_looks() {
    let index = index();
    for (name, expected) in [
        ("ext4", "module ext4"),
        ("crc32c-intel", "module crc32c_intel"),
        ("fs-ext4", "served by ext4"),
        ("fs_ext3", "served by ext4"),
        ("ext3", "served by ext4"),
        // In both: modules.dep is asked first.
        ("mbcache", "module mbcache"),
        ("proc-stuff", "builtin proc_stuff"),
        // In the order of modules.dep, not of modules.alias.
        ("crypto-crc32c", "served by crc32c_generic crc32c_intel"),
        ("cpu:type:x86,ven0000fam0006mod0055:feature:,0080,0094,", "served by crc32c_intel"),
        ("cpu:type:x86,ven0000fam0006mod0055:feature:,0080,", "nothing"),
        ("usb:d00x", "served by fat"),
        ("usb:d01-x", "served by mbcache fat"),
        ("usb:d03", "nothing"),
        ("fs-", "nothing"),
        ("fs-ext", "nothing"),
        ("fs-ext44", "nothing"),
        ("", "nothing"),
        ("[", "nothing"),
        ("ext4]", "nothing"),
        ("symbol:ext4_read", "nothing"),
    ] {
        assert_eq!(found(&index, name), expected, "'{name}'");
    }
}

#[test]
fn what_an_index_tells() {
    let index = index();
    assert_eq!(index.len(), 7);
    assert!(!index.is_empty());
    let ext4 = index.id_of("ext4").unwrap();
    assert_eq!(index.path(ext4), "kernel/fs/ext4/ext4.ko");
    assert_eq!(names(&index, index.dependencies(ext4)), ["mbcache", "jbd2"]);
    assert!(index.is_builtin("mbcache") && index.is_builtin("proc-stuff"));
    assert!(!index.is_builtin("ext4"));
    assert_eq!(index.id_of("crc32c-intel"), index.id_of("crc32c_intel"));
    assert_eq!(index.id_of("ext3"), None);
    let aliases: Vec<_> = index.aliases().map(|(name, id)| (name, index.name(id))).collect();
    assert_eq!(aliases.len(), 9);
    assert_eq!(aliases[1], ("fs_ext3", "ext4"));
    // Not normalised between brackets.
    assert_eq!(aliases[7], ("usb:d0[0-2]*", "fat"));
    assert!(index.modules().map(|id| index.name(id)).eq([
        "ext4",
        "mbcache",
        "jbd2",
        "fat",
        "vfat",
        "crc32c_generic",
        "crc32c_intel"
    ]));
}

#[test]
fn dependencies_are_probed_last_one_first() {
    let index = index();
    assert_eq!(probed_name(&index, "ext4"), "jbd2 mbcache crc32c_generic? crc32c_intel? ext4");
    assert_eq!(probed_name(&index, "vfat"), "fat vfat");
    assert_eq!(probed_name(&index, "fat"), "fat");
}

#[test]
fn aliases_with_unmatched_brackets_are_left_out() {
    let alias = "alias a[b fat\nalias a]b fat\nalias fs-x fat\n";
    let index = ModuleIndex::parse(&source(DEP, alias, "", "")).unwrap();
    assert_eq!(index.aliases().map(|(pattern, _)| pattern).collect::<Vec<_>>(), ["fs_x"]);
}

#[test]
fn a_module_is_listed_for_each_alias_that_matches() {
    let alias = "alias a* vfat\nalias a?c fat\nalias abc vfat\nalias * ext4\n";
    let index = ModuleIndex::parse(&source(DEP, alias, "", "")).unwrap();
    assert_eq!(found(&index, "abc"), "served by ext4 fat vfat vfat");
    assert_eq!(found(&index, "b"), "served by ext4");
}

/// Modules a to f; a needs b.
fn softdeps(text: &str) -> ModuleIndex {
    let dep = "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\nkernel/c.ko: kernel/d.ko\nkernel/d.ko:\n\
               kernel/e.ko:\nkernel/f.ko:\n";
    let alias = "alias both e\nalias both f\nalias again a\n";
    ModuleIndex::parse(&source(dep, alias, text, "kernel/inside.ko\n")).unwrap()
}

#[test]
fn softdeps_stand_around_their_module() {
    for (text, expected) in [
        ("softdep a pre: e f", "b e? f? a"),
        ("softdep a pre: e post: f", "b e? a f?"),
        ("softdep a post: e pre: f post: d", "b f? a e? d?"),
        // Around a dependency.
        ("softdep b pre: e post: f", "e? b f? a"),
        // With its own dependencies.
        ("softdep a pre: c", "b d? c? a"),
        ("softdep a pre: both", "b e? f? a"),
        ("softdep a pre: unknown inside ] e", "b e? a"),
        // Required already.
        ("softdep a pre: b", "b b a"),
        ("softdep a pre: e e", "b e? a"),
        // The dependencies of a softdep are not looked at for what was listed before.
        ("softdep a pre: d c", "b d? d? c? a"),
        // Only the first line counts.
        ("softdep a pre: e\nsoftdep a pre: f", "b e? a"),
        ("softdep a e\nsoftdep a pre: f", "b a"),
        ("softdep a e pre: f", "b f? a"),
        ("softdep a\tpre:\te  f ", "b e? f? a"),
        ("softdep a pre:e post: f", "b a f?"),
        // A second blank before the first keyword hides it, a third one does not.
        ("softdep a  pre: e", "b a"),
        ("softdep a  pre: e post: f", "b a f?"),
        ("softdep a   pre: e", "b e? a"),
    ] {
        assert_eq!(probed_name(&softdeps(text), "a"), expected, "'{text}'");
    }
}

#[test]
fn softdeps_may_be_cyclic() {
    for (text, expected) in [
        ("softdep a pre: a", "b a"),
        ("softdep a pre: e\nsoftdep e pre: a", "b e? a"),
        ("softdep a post: e\nsoftdep e post: a", "b a e?"),
        ("softdep b pre: a", "b a"),
        ("softdep e pre: f\nsoftdep f pre: e\nsoftdep a pre: both", "b e? f? e? f? a"),
    ] {
        assert_eq!(probed_name(&softdeps(text), "a"), expected, "'{text}'");
    }
}

#[test]
fn by_name_and_by_alias_are_two_objects() {
    let index = softdeps("softdep a pre: a");
    let a = index.id_of("a").unwrap();
    assert_eq!(probed(&index, &probe_list(&index, a, None)), "b a");
    assert_eq!(probed(&index, &probe_list(&index, a, Some("again"))), "b b a? a");
    let index = softdeps("softdep a pre: again");
    assert_eq!(probed(&index, &probe_list(&index, a, None)), "b b a? a");
    assert_eq!(probed(&index, &probe_list(&index, a, Some("again"))), "b a");
}

#[test]
fn a_long_chain_of_softdeps_needs_no_stack() {
    let count = 50_000;
    let dep: String = (0..count).map(|n| format!("kernel/m{n}.ko:\n")).collect();
    let softdep: String = (1..count).map(|n| format!("softdep m{} pre: m{n}\n", n - 1)).collect();
    let index = ModuleIndex::parse(&source(&dep, "", &softdep, "")).unwrap();
    assert_eq!(probe_list(&index, index.id_of("m0").unwrap(), None).len(), count);
}

#[test]
fn errors_tell_where_and_what() {
    for (at, text, expected) in [
        (
            0,
            "a.ko:\nkernel/b.ko",
            "modules.dep:2:1: expected 'PATH: DEPENDENCIES', found 'kernel/b.ko'",
        ),
        (
            0,
            "\n# x\nkernel/b: a.ko\n",
            "modules.dep:3:1: expected a module's path, ending in .ko, .ko.gz, .ko.xz or .ko.zst, found 'kernel/b'",
        ),
        (
            0,
            "a.ko: b.ko c.ko\nb.ko:\n",
            "modules.dep:1:12: expected a module that has a line of its own, found 'c.ko'",
        ),
        (
            0,
            "a.ko: é.ko c.ko\né.ko:\n",
            "modules.dep:1:12: expected a module that has a line of its own, found 'c.ko'",
        ),
        (
            0,
            "a.ko:\r\n",
            "modules.dep:1:6: expected a module that has a line of its own, found '\\r'",
        ),
        (
            0,
            "x/a-b.ko:\ny/a_b.ko.xz:\n",
            "modules.dep:2:1: expected only one line for each module, found 'y/a_b.ko.xz'",
        ),
        (0, "x/.ko:\n", "modules.dep:1:1: expected a file name before the ending, found 'x/.ko'"),
        (
            0,
            ":\n",
            "modules.dep:1:1: expected a module's path, ending in .ko, .ko.gz, .ko.xz or .ko.zst, found ''",
        ),
        (
            1,
            "# x\nalias a\n",
            "modules.alias:2:1: expected 'alias PATTERN MODULE', found 'alias a'",
        ),
        (
            1,
            "alias a b fat\n",
            "modules.alias:1:1: expected 'alias PATTERN MODULE', found 'alias a b fat'",
        ),
        (
            1,
            "options fat x\n",
            "modules.alias:1:1: expected 'alias PATTERN MODULE', found 'options fat x'",
        ),
        (
            1,
            "alias a fat\nalias a  fit",
            "modules.alias:2:10: expected a module of modules.dep, found 'fit'",
        ),
        (
            2,
            "softdep fat\n",
            "modules.softdep:1:1: expected 'softdep MODULE pre: NAMES post: NAMES', found 'softdep fat'",
        ),
        (
            2,
            "soft fat pre: a\n",
            "modules.softdep:1:1: expected 'softdep MODULE pre: NAMES post: NAMES', found 'soft fat pre: a'",
        ),
        (
            2,
            "\nsoftdep fit pre: a\n",
            "modules.softdep:2:9: expected a module of modules.dep, found 'fit'",
        ),
        (
            3,
            "kernel/a.ko\nlib/b.ko\n",
            "modules.builtin:2:1: expected a path beginning with 'kernel/', found 'lib/b.ko'",
        ),
        (
            3,
            "kernel/a.o\n",
            "modules.builtin:1:1: expected a module's path, ending in .ko, .ko.gz, .ko.xz or .ko.zst, found 'kernel/a.o'",
        ),
        (
            3,
            "kernel/.ko\n",
            "modules.builtin:1:1: expected a file name before the ending, found 'kernel/.ko'",
        ),
    ] {
        let mut files = [DEP, "", "", ""];
        files[at] = text;
        let error =
            ModuleIndex::parse(&source(files[0], files[1], files[2], files[3])).expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn errors_cut_and_escape_what_they_found() {
    let dep = format!("\u{1b}{}", "x".repeat(100));
    let error = ModuleIndex::parse(&source(&dep, "", "", "")).unwrap_err();
    assert_eq!(error.found, format!("'\\u{{1b}}{}...'", "x".repeat(59)));
}

/// Lists that may lead anywhere: up to ten modules, aliases over them, softdeps among both.
fn any_index() -> impl Strategy<Value = [String; 3]> {
    let word = "[m][0-9]|a[0-3]|fs-[0-3]";
    (
        prop::collection::vec(prop::collection::btree_set(0..10_u8, 0..4), 10),
        prop::collection::vec(("(fs-|a)([0-3]|\\*|\\?|\\[0-2\\])", 0..10_u8), 0..12),
        prop::collection::vec((0..10_u8, word, word), 0..8),
    )
        .prop_map(|(deps, aliases, softdeps)| {
            let line = |(n, deps): (usize, BTreeSet<u8>)| {
                let deps: String = deps.iter().map(|d| format!(" kernel/m{d}.ko")).collect();
                format!("kernel/m{n}.ko:{deps}\n")
            };
            [
                deps.into_iter().enumerate().map(line).collect(),
                aliases.into_iter().map(|(a, m)| format!("alias {a} m{m}\n")).collect(),
                softdeps
                    .into_iter()
                    .map(|(m, pre, post)| format!("softdep m{m} pre: {pre} post: {post}\n"))
                    .collect(),
            ]
        })
}

/// `kmod_module_get_probe_list()` by recursion, on names.
fn by_recursion(index: &ModuleIndex, softdep: &str, target: &str, alias: &str) -> Vec<String> {
    struct Run<'a> {
        index: &'a ModuleIndex,
        softdep: &'a str,
        visited: BTreeSet<(String, String)>,
        list: Vec<String>,
    }
    impl Run<'_> {
        fn visit(&mut self, name: &str, alias: &str) {
            if !self.visited.insert((name.to_owned(), alias.to_owned())) {
                return;
            }
            let id = self.index.id_of(name).unwrap();
            for dependency in names(self.index, self.index.dependencies(id)).iter().rev() {
                self.surround(dependency);
            }
            self.surround(name);
        }
        fn surround(&mut self, name: &str) {
            let start = format!("softdep {name} pre: ");
            let line = self.softdep.lines().find_map(|line| line.strip_prefix(&start));
            let (pre, post) = line.and_then(|line| line.split_once(" post: ")).unwrap_or_default();
            self.soft(pre);
            self.list.push(name.to_owned());
            self.soft(post);
        }
        fn soft(&mut self, word: &str) {
            match self.index.lookup(word) {
                Lookup::NotFound | Lookup::Builtin(_) => {}
                Lookup::Module(id) => self.visit(self.index.name(id), ""),
                Lookup::Served(ids) => {
                    let word = word.replace('-', "_");
                    ids.iter().for_each(|&id| self.visit(self.index.name(id), &word));
                }
            }
        }
    }
    let mut run = Run { index, softdep, visited: BTreeSet::new(), list: Vec::new() };
    run.visit(target, alias);
    run.list
}

proptest! {
    #[test]
    fn probe_lists_agree_with_the_recursion(
        [dep, alias, softdep] in any_index(),
        target in 0..10_u8,
    ) {
        let index = ModuleIndex::parse(&source(&dep, &alias, &softdep, "")).unwrap();
        let name = format!("m{target}");
        let id = index.id_of(&name).unwrap();
        for (list, alias) in [(probe_list(&index, id, None), ""), (probe_list(&index, id, Some("a-1")), "a_1")] {
            let got: Vec<_> = list.iter().map(|entry| index.name(entry.module)).collect();
            prop_assert_eq!(got, by_recursion(&index, &softdep, &name, alias));
            let required: BTreeSet<_> =
                list.iter().filter(|entry| entry.required).map(|entry| entry.module).collect();
            let mut needed: BTreeSet<_> = index.dependencies(id).iter().copied().collect();
            needed.insert(id);
            prop_assert_eq!(required, needed);
        }
    }

    #[test]
    fn an_alias_is_found_exactly_if_its_pattern_matches(
        [dep, alias, _] in any_index(),
        name in "(fs[-_]|a)[0-4]?",
    ) {
        let index = ModuleIndex::parse(&source(&dep, &alias, "", "")).unwrap();
        let asked = name.replace('-', "_");
        let mut expected: Vec<_> = index
            .aliases()
            .filter(|(pattern, _)| glob::matches(pattern.as_bytes(), asked.as_bytes()))
            .map(|(_, module)| module)
            .collect();
        expected.sort();
        let expected =
            if expected.is_empty() { Lookup::NotFound } else { Lookup::Served(expected) };
        prop_assert_eq!(index.lookup(&name), expected);
    }

    #[test]
    fn no_text_makes_it_panic(dep: String, alias: String, softdep: String, builtin: String, name: String) {
        if let Ok(index) = ModuleIndex::parse(&source(&dep, &alias, &softdep, &builtin)) {
            let _ = index.lookup(&name);
        }
    }

    #[test]
    fn no_change_makes_it_panic(
        file in 0..4_usize,
        at: prop::sample::Index,
        length in 0..12_usize,
        put in r"([ \n\t:#\[\]*?]|\.ko|alias|softdep|pre:|kernel/|é|\PC){0,3}",
        name in r"[a-z:\[\]*-]{0,8}",
    ) {
        let mut files = [DEP, ALIAS, SOFTDEP, BUILTIN].map(str::to_owned);
        let text = &files[file];
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        files[file] = format!("{}{put}{}", &text[..start], &text[end..]);
        match ModuleIndex::parse(&source(&files[0], &files[1], &files[2], &files[3])) {
            Ok(index) => {
                let _ = index.lookup(&name);
                for id in index.modules() {
                    let _ = probe_list(&index, id, None);
                }
            }
            Err(error) => {
                let text = ["dep", "alias", "softdep", "builtin"]
                    .iter()
                    .position(|file| error.file.ends_with(file))
                    .map(|at| &files[at])
                    .unwrap();
                let line = text.split('\n').nth(error.line - 1).unwrap();
                prop_assert!(error.column <= line.chars().count() + 1);
            }
        }
    }
}
