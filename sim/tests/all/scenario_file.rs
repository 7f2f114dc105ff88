//! Scenario files: what is read, what is refused and where, and that nothing makes it panic.

use std::collections::BTreeMap;

use crate::sample::sample;
use kmodcheck_explore::CountOnly;
use kmodcheck_explore::{Limits, Options, explore};
use kmodcheck_model::Model;
use kmodcheck_model::scenario::{Action, Insert, Resolution, Scenario};
use kmodcheck_sim::Processes;
use kmodcheck_sim::scenario_file::{self, EXAMPLE, Loaded, ScenarioError};
use proptest::prelude::*;
use serde_json::Value;

const PROPERTIES: [&str; 4] =
    ["no-false-success", "get-fs-type-finds-it", "lifecycle-and-sysfs", "nobody-sleeps-for-ever"];

fn load(text: &str) -> Result<Loaded, ScenarioError> {
    scenario_file::load("my.toml", text, &PROPERTIES)
}

fn loaded(text: &str) -> Loaded {
    load(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The first finding: what it says, and the text that it underlines.
fn refused(text: &str) -> (String, String) {
    let error = load(text).expect_err("it is refused");
    let finding = &error.findings[0];
    (finding.title.clone(), text[finding.span.clone()].to_owned())
}

/// Names of the modules that modprobe goes through for the file's first requested name.
fn probes(scenario: &Scenario) -> Vec<Vec<(&str, bool, Insert)>> {
    let probes = |target: &kmodcheck_model::scenario::Target| {
        let entry = |p: &kmodcheck_model::scenario::Probe| {
            (scenario.module_name(p.module), p.required, p.insert)
        };
        target.probe.iter().map(entry).collect()
    };
    scenario.names[0].targets().iter().map(probes).collect()
}

#[test]
fn the_example_is_what_it_says() {
    let Loaded { scenario, expect, .. } = loaded(EXAMPLE);
    assert_eq!(scenario.name, "two mounts of ext4");
    let modules: Vec<&str> = scenario.modules.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(modules, ["ext4", "jbd2"]);
    assert_eq!(scenario.modules[0].dependencies, [1]);
    assert!(scenario.modules[0].registers);
    assert_eq!(scenario.names[0].request, "fs-ext4");
    assert_eq!(probes(&scenario), [[("jbd2", true, Insert::Finit), ("ext4", true, Insert::Finit)]]);
    assert_eq!(scenario.actors.len(), 1);
    assert_eq!((scenario.actors[0].action, scenario.actors[0].count), (Action::GetFsType(0), 2));
    assert_eq!(expect.len(), 3);
}

#[test]
fn names_resolve_as_modprobe_resolves_them() {
    let text = r#"
        [[module]]
        name = "top"
        dependencies = ["mid-dle", "image"]
        softdeps = { pre = ["before-*-x", "image"], post = ["after"] }
        install = "/bin/true"
        aliases = ["pci:v*d1"]
        [[module]]
        name = "mid_dle"
        dependencies = ["base"]
        install = "/bin/true"
        [[module]]
        name = "base"
        [[module]]
        name = "before"
        aliases = ["before-*-x"]
        [[module]]
        name = "after"
        blacklisted = true
        [[module]]
        name = "image"
        built-in = true
        [[module]]
        name = "nobody-asks"
        [[actor]]
        call = "request_module"
        name = "pci:v7d1"
    "#;
    let Loaded { scenario, notes, .. } = loaded(text);
    let finit = Insert::Finit;
    // top has softdeps, so its install command is ignored; what is built in is in no list.
    let expected = [
        ("base", true, finit),
        ("mid_dle", true, Insert::NoopCommand),
        ("before", false, finit),
        ("top", true, finit),
        ("after", false, finit),
    ];
    assert_eq!(probes(&scenario), [expected]);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("nobody_asks") && notes[1].contains("top"), "{notes:?}");
    // What the module needed is removed with it, its softdeps are not.
    let removes = |more: &str| {
        let text = format!(
            "[[module]]\nname = 'top'\n{more}[[module]]\nname = 'low'\n\
             [[actor]]\ncall = 'modprobe -r'\nname = 'top'\n"
        );
        loaded(&text).notes.iter().any(|note| note.contains("softdeps of what it removes"))
    };
    assert!(removes("softdeps = { pre = ['low'] }\n") && !removes("dependencies = ['low']\n"));
}

/// A command runs a modprobe that goes through the module's dependencies, with their own commands, and not its softdeps.
#[test]
fn commands_run_modprobes_of_their_own() {
    let file = |command: &str| {
        format!(
            "[[module]]\nname = 'top'\ndependencies = ['mid']\ninstall = '{command}'\n\
             [[module]]\nname = 'mid'\ninstall = '/bin/true'\n\
             [[actor]]\ncall = 'request_module'\nname = 'top'\n"
        )
    };
    for (command, insert, nested) in [
        ("modprobe -i top", Insert::ModprobeCommand, &[Insert::NoopCommand, Insert::Finit][..]),
        (
            "modprobe -i top; exit 0",
            Insert::ModprobeForgiven,
            &[Insert::NoopCommand, Insert::Finit],
        ),
        ("/usr/sbin/set-up top", Insert::UnknownCommand, &[Insert::NoopCommand, Insert::Finit]),
        ("exit 2", Insert::FailingCommand, &[]),
    ] {
        let Loaded { scenario, .. } = loaded(&file(command));
        let [mid, top] = &scenario.names[0].targets()[0].probe[..] else { panic!("{command}") };
        assert_eq!((mid.insert, top.insert), (Insert::NoopCommand, insert), "{command}");
        let inserts: Vec<Insert> = top.nested.iter().map(|p| p.insert).collect();
        assert_eq!(inserts, nested, "{command}");
        assert_eq!(scenario.modules[0].blocked, insert == Insert::FailingCommand, "{command}");
    }
    // c's modprobe wants d, whose softdep is a, whose modprobe wants c.
    let circle = "[[module]]\nname = 'a'\ndependencies = ['c']\ninstall = 'modprobe -i a'\n\
                  [[module]]\nname = 'c'\ndependencies = ['d']\ninstall = 'modprobe -i c'\n\
                  [[module]]\nname = 'd'\nsoftdeps = { pre = ['a'] }\n\
                  [[actor]]\ncall = 'request_module'\nname = 'a'\n";
    assert!(refused(circle).0.contains("runs a modprobe that runs it again"));
}

#[test]
fn a_blacklist_counts_for_aliases_only() {
    let text = |name: &str| {
        format!(
            "[[module]]\nname='a'\nblacklisted=true\naliases=['x']\n\
             [[actor]]\ncall='request_module'\nname='{name}'\n"
        )
    };
    for (name, blacklisted) in [("a", false), ("x", true)] {
        let scenario = loaded(&text(name)).scenario;
        assert_eq!(scenario.names[0].targets()[0].blacklisted, blacklisted, "{name}");
    }
}

#[test]
fn built_in_code_is_found_where_modprobe_finds_it() {
    let text = |listed: bool, name: &str| {
        format!(
            "[[module]]\nname='image'\nbuilt-in=true\nlisted-builtin={listed}\nversion=true\n\
             aliases=['x']\n[[actor]]\ncall='request_module'\nname='{name}'\n"
        )
    };
    let name = |listed, name| loaded(&text(listed, name)).scenario.names[0].clone();
    assert_eq!(name(true, "image").resolution, Resolution::Builtin);
    assert_eq!(name(false, "image").resolution, Resolution::NotFound);
    assert_eq!(name(true, "x").resolution, Resolution::NotFound);
    for (listed, word) in [(true, "image"), (false, "image"), (true, "x")] {
        let builtin = name(listed, word).builtin.expect("it is built in");
        assert_eq!((builtin.name.as_str(), builtin.directory), ("image", true));
    }
    assert_eq!(refused(&text(false, "x")).1, "'x'");
}

#[test]
fn what_is_wrong_is_refused_where_it_stands() {
    let actor = "[[actor]]\ncall = 'request_module'\nname = 'a'\n";
    let module = "[[module]]\nname = 'a'\n";
    let all = |more: &str| format!("{module}{more}{actor}");
    let top = |more: &str| format!("{more}{module}{actor}");
    let many = |n: usize| {
        let modules = (0..n).map(|i| format!("[[module]]\nname = 'm{i}'\naliases = ['x']\n"));
        let actor = "[[actor]]\ncall = 'request_module'\nname = 'x'\n";
        format!("{}{actor}", modules.collect::<String>())
    };
    let nest = |n: usize| {
        let modules = (0..n)
            .map(|i| format!("[[module]]\nname = 'm{i}'\nrequests = 'm{}'\n", (i + 1) % n.max(1)));
        let actor = "[[actor]]\ncall = 'request_module'\nname = 'm0'\n";
        format!("{}{actor}", modules.collect::<String>())
    };
    let long = "m".repeat(56);
    let chain: String = (0..22)
        .map(|i| match i {
            21 => "[[module]]\nname = 'm21'\n".to_owned(),
            i => format!("[[module]]\nname = 'm{i}'\ndependencies = ['m{}']\n", i + 1),
        })
        .chain(["[[actor]]\ncall = 'rmmod'\nname = 'm0'\n".to_owned()])
        .collect();
    // Each: the file, what the title contains, what is underlined.
    let cases: &[(String, &str, &str)] = &[
        ("a = ".to_owned(), "", ""),
        (all("[[actor]]\ncall = 'late_initcalls'\nname = 'b'\n"), "the name 'b' of late", "'b'"),
        (all("[[actor]]\ncall = 'late_initcalls'\ncount = 2\n"), "late initcalls 2 times", "2"),
        (
            all(&"[[actor]]\ncall = 'late_initcalls'\n".repeat(2)),
            "late initcalls a second time",
            "'late_initcalls'",
        ),
        (all("[[actor]]\ncall = 'late_initcalls'\nkillable = true\n"), "not killed", "true"),
        (all("driver = true\n"), "found 'driver' of a module that can be loaded", "true"),
        ("[features]\nkernel = 'v4.9'\nkernel = 'v4.9'".to_owned(), "duplicate key", "kernel"),
        (top("modul = 1\n"), "unknown field `modul`", "modul"),
        (all("lable = 1\n"), "unknown field `lable`", "lable"),
        (top("[features]\nkernal = 'v4.9'\n"), "unknown field `kernal`", "kernal"),
        (all("softdeps = { per = [] }\n"), "unknown field `per`", "per"),
        (all("aliases = 'x'\n"), "invalid type: string", "'x'"),
        (all("init = 'perhaps'\n"), "unknown variant `perhaps`", "'perhaps'"),
        (all("init = 3\n"), "", "3"),
        ("[[module]]\ninit = 'fails'\n".to_owned(), "missing field `name`", "[[module]]"),
        (top("[environment]\nhelper = 'absent'\n"), "unknown variant `absent`", "'absent'"),
        (top("[environment]\nlimit = 0\n"), "a limit of 0", "0"),
        (top("[environment]\nlimit = 256\n"), "a limit of 256", "256"),
        (top("[environment]\nlimit = 'two'\n"), "invalid type", "'two'"),
        (top("[features]\nkernel = 'v4.8'\n"), "kernel 'v4.8'", "'v4.8'"),
        (top("[features]\nkmod = 'v3'\n"), "kmod 'v3'", "'v3'"),
        (top("[features]\nwith = ['fast']\n"), "switch 'fast'", "'fast'"),
        (top("[features]\nwith = ['alias-map=some']\n"), "value 'some'", "'alias-map=some'"),
        (top("[features]\nwithout = ['fast']\n"), "switch 'fast'", "'fast'"),
        (
            top("[features]\nwith = ['already-live']\nwithout = [\"already-live\"]\n"),
            "switch 'already-live' twice",
            "\"already-live\"",
        ),
        (top("properties = ['no-luck']\n"), "property 'no-luck'", "'no-luck'"),
        (top("[expect]\nno-luck = 'holds'\n"), "property 'no-luck'", "no-luck"),
        (top("[expect]\nno-false-success = 'yes'\n"), "verdict 'yes'", "'yes'"),
        (
            top("properties = []\n[expect]\nno-false-success = 'holds'\n"),
            "expectation of 'no-false-success'",
            "no-false-success",
        ),
        (module.to_owned(), "no [[actor]]", ""),
        (all("").replace("'a'", "'a b'"), "module name 'a b'", "'a b'"),
        (all("").replace("'a'", "''"), "module name ''", "''"),
        (all("").replace("'a'", &format!("'{long}'")), "of 56 characters", &format!("'{long}'")),
        (all("[[module]]\nname = \"a\"\n"), "module 'a' twice", "\"a\""),
        (all("dependencies = ['b']\n"), "dependency 'b'", "'b'"),
        (all("softdeps = { pre = ['b'] }\n"), "softdep 'b'", "'b'"),
        (all("softdeps = { pre = ['b c'] }\n"), "softdep 'b c'", "'b c'"),
        (all("aliases = ['b c']\n"), "alias 'b c'", "'b c'"),
        (all("aliases = ['b[']\n"), "alias 'b['", "'b['"),
        (all("install = '/sbin/a \\b'\n"), "install command", "'/sbin/a \\b'"),
        (all("install = ' '\n"), "install command", "' '"),
        (all("requests = 'b'\n"), "found 'b'", "'b'"),
        (all("parameters = true\n"), "'parameters' of a module that can", "true"),
        (all("built-in = true\ninit = 'fails'\n"), "'init' of built-in code", "'fails'"),
        (all("dependencies = [\"a\"]\n"), "dependency cycle: a -> a", "\"a\""),
        (
            all("dependencies = ['b']\n[[module]]\nname = 'b'\ndependencies = [\"a\"]\n"),
            "dependency cycle: a -> b -> a",
            "\"a\"",
        ),
        (all("").replace("'request_module'", "'rm'"), "unknown variant `rm`", "'rm'"),
        (all("") + "count = 0\n", "a count of 0", "0"),
        (all("") + "count = -1\n", "a count of -1", "-1"),
        (all("") + "count = 256\n", "a count of 256", "256"),
        (all("") + "count = 200\n" + actor + "count = 56\n", "256 actors", "56"),
        (all("").replace("request_module'\nname = 'a'", "modprobe'\nname = 'b'"), "'b'", "'b'"),
        (all("") + "[[actor]]\ncall = 'rmmod'\nname = 'b'\n", "module 'b'", "'b'"),
        (all("") + "[[actor]]\ncall = 'rmmod'\nname = \"a\"\nkillable = true\n", "'kill", "true"),
        (all("") + "[[actor]]\ncall = 'request_module'\nname = 'a*'\n", "name 'a*'", "'a*'"),
        (top("unknown-names = ['a']\n"), "which the file defines", "'a'"),
        (top("unknown-names = ['b']\n"), "which nobody requests", "'b'"),
        (
            all("built-in = true\n") + "[[actor]]\ncall = 'udev'\nname = \"a\"\n",
            "built-in 'a'",
            "\"a\"",
        ),
        (
            all("built-in = true\naliases = ['fs-x']\nregisters = false\n")
                + "[[actor]]\ncall = 'get_fs_type'\nname = 'x'\n",
            "registers no file system",
            "'x'",
        ),
        (
            all("aliases = ['x']\n[[module]]\nname = 'b'\nbuilt-in = true\naliases = ['x']\n")
                + "[[actor]]\ncall = 'request_module'\nname = \"x\"\n",
            "served by built-in 'b'",
            "\"x\"",
        ),
        (many(7), "7 modules behind 'x'", "'x'"),
        (chain, "22 modules", "'m21'"),
        (nest(9), "nest 9 deep", "'m0'"),
    ];
    for (text, title, underlined) in cases {
        let (found, span) = refused(text);
        assert!(found.contains(title), "{text}\n{found}");
        if !title.is_empty() || !underlined.is_empty() {
            assert_eq!(&span, underlined, "{text}\n{found}");
        }
    }
    // What nests less deep, in a cycle too, is modelled.
    for deep in 1..=8 {
        loaded(&nest(deep));
    }
    loaded(&many(6));
}

#[test]
fn an_error_shows_file_line_column_and_the_line() {
    let text = "[[module]]\nname = 'a'\n  dependencies = ['b']\n[[module]]\nname = 'b'\n\
                dependencies = ['a']\n[[actor]]\ncall = 'rmmod'\nname = 'a'\n";
    let error = load(text).expect_err("it has a cycle");
    assert_eq!(error.position(error.findings[0].span.start), (6, 17));
    let shown = error.to_string();
    for part in [
        "error: dependency cycle: a -> b -> a",
        "--> my.toml:6:17",
        "dependencies = ['a']",
        "^^^ b needs a: expected no cycle",
        "--- a needs b",
    ] {
        assert!(shown.contains(part), "no '{part}' in\n{shown}");
    }
    assert!(error.styled().contains('\u{1b}') && !shown.contains('\u{1b}'));
    // Everything that is wrong is shown, in the order of the file.
    let two = "[features]\nkernel = 'x'\nkmod = 'y'\n[[actor]]\ncall = 'udev'\nname = 'z'\n";
    let shown = load(two).expect_err("two mistakes").to_string();
    let at = |part: &str| shown.find(part).unwrap_or_else(|| panic!("no '{part}' in\n{shown}"));
    assert!(at("my.toml:2:10") < at("my.toml:3:8"));
}

/// Everything that is wrong with a file is said at once, in its order, and nothing that only follows from it.
#[test]
fn every_fault_of_a_file_is_said_in_its_order() {
    let titles = |text: &str| -> Vec<String> {
        let error = load(text).expect_err("it is refused");
        error.findings.iter().map(|finding| finding.title.clone()).collect()
    };
    // A key that there is not, a word that is none, a number that is too large, a name of nobody: each is
    // seen by another part of the reader.
    let three = "[features]\nkernal = 'v4.9'\nkmod = 'v3'\n[environment]\nlimit = 'two'\n\
                 [[module]]\nname = 'ext4'\naliases = ['fs-ext4']\n[[actor]]\ncall = 'get_fs_type'\n\
                 name = 'ext3'\ncount = 0\n";
    let found = titles(three);
    let expected =
        ["unknown field `kernal`", "kmod 'v3'", "invalid type", "'fs-ext3', which", "count of 0"];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (title, part) in found.iter().zip(expected) {
        assert!(title.contains(part), "{part}: {found:?}");
    }
    // In one table, in one list, in tables of the same name, and below what has no name.
    let found = titles(
        "properties = ['no-luck', 3]\n[[module]]\nname = 'a'\nlable = 1\ninit = 'perhaps'\n\
         aliases = ['x', 4]\n[[module]]\ninit = 3\n[[actor]]\ncall = 'rm'\nname = 'b'\n\
         [[actor]]\ncall = 'rmmod'\nname = 'b'\ncount = 900\n",
    );
    let expected = [
        "property 'no-luck'",
        "invalid type: integer `3`",
        "unknown field `lable`",
        "unknown variant `perhaps`",
        "invalid type: integer `4`",
        "missing field `name`",
        "integer `3`",
        "unknown variant `rm`",
        "a count of 900",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for part in expected {
        assert!(found.iter().any(|title| title.contains(part)), "{part}: {found:#?}");
    }
    // What cannot be read defines nothing, and nothing is said of what may only be missing because of that.
    let follows =
        "[[module]]\nname = 'a'\naliasses = ['x']\n[[actor]]\ncall = 'modprobe'\nname = 'x'\n";
    assert_eq!(titles(follows).len(), 1, "{:?}", titles(follows));
    let follows = "[[module]]\nname = 'a'\ndependencies = ['b']\n[[module]]\nnam = 'b'\n\
                   [[actor]]\ncall = 'modprobe'\nname = 'b'\n";
    assert_eq!(titles(follows).len(), 1, "{:?}", titles(follows));
    // Lines that are no TOML, and other things on other lines.
    let found = titles("name = \nlabel = 1\n[features]\nkmod = = 3\n[[module]]\nname = 'a'\n");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[1].contains("unknown field `label`"), "{found:?}");
}

/// What is written where a name is missing makes a file of it.
#[test]
fn the_line_to_add_is_the_line_to_add() {
    let help = |text: &str| load(text).expect_err("it is refused").findings[0].help.clone();
    let actor = "[[actor]]\ncall = 'get_fs_type'\nname = 'ext4'\n";
    for module in ["name = 'ext4'\n", "name = 'ext4-x'\naliases = ['pci:x', 'fs-ext3']\n"] {
        let text = format!("[[module]]\n{module}{actor}");
        let help = help(&text).expect("there is something to be added");
        let (_, line) = help.split_once("write there: ").unwrap();
        let name = module.split('\n').next().unwrap();
        let added = format!("[[module]]\n{name}\n{line}\n{actor}");
        let names = loaded(&added).scenario.names;
        assert_eq!((&names[0].request[..], names[0].targets().len()), ("fs-ext4", 1), "{added}");
    }
    for call in ["get_fs_type", "request_module", "modprobe"] {
        let text = actor.replace("get_fs_type", call);
        let help = help(&text).expect("there is something to be added");
        let (_, module) = help.split_once("add a module:\n").unwrap();
        assert_eq!(loaded(&format!("{module}\n{text}")).scenario.modules[0].name, "ext4");
    }
    let text = format!("[[module]]\nname = 'ext4'\n{actor}");
    let shown = load(&text).expect_err("no alias").to_string();
    assert!(
        shown.contains("help: for an alias of module 'ext4', write there: aliases = [\"fs-ext4\"]"),
        "{shown}"
    );
}

/// What is meant: of releases the nearest older one, whatever it is spelled like; of all else the likest.
#[test]
fn what_was_likely_meant_is_said() {
    use kmodcheck_sim::suggest;
    let kernels = [
        ("v7.9", "the nearest older preset is 'v7.3', the newest there is"),
        ("6.13", "'v6.12'"),
        (
            "v4.14",
            "the nearest older preset is 'v4.13'; 'v5.3', the next, differs from it in listed-name",
        ),
        ("v4.9.337", "the nearest older preset is 'v4.9'; 'v4.13'"),
        ("v4.10", "the nearest older preset is 'v4.9'; 'v4.13'"),
        ("v6.4", "'v6.2'; 'v6.5', the next, differs from it in request-limit, early-mod-check"),
        ("6.1", "older preset is '6.1-debian'; 'v6.2'"),
        ("v2.6.39", "the oldest preset is 'v4.9'"),
        ("v4.9+verfy", "did you mean 'v4.9+verify'?"),
        ("linux-6.8", "'v6.5'"),
    ];
    for (found, meant) in kernels {
        let said = suggest::kernel(found).unwrap_or_default();
        assert!(said.contains(meant), "{found}: {said}");
    }
    let kmods = [
        (
            "v29",
            "the nearest older preset is 'v27'; 'v30', the next, differs from it in dependencies-not-builtin",
        ),
        ("26", "'v20'; 'v27', the next, differs from it in builtin-aliases"),
        ("v32", "'v31'; 'v34.2', the next, does the same"),
        ("v35", "the nearest older preset is 'v34.2', the newest there is"),
        ("v3", "the oldest preset is 'v5'"),
    ];
    for (found, meant) in kmods {
        let said = suggest::kmod(found).unwrap_or_default();
        assert!(said.contains(meant), "{found}: {said}");
    }
    assert_eq!(suggest::kernel("newest"), None);
    assert_eq!(suggest::kernel(""), None);
    let module = "[[module]]\nname = 'ext4'\n[[actor]]\ncall = 'modprobe'\nname = 'ext4'\n";
    let slips = [
        ("[features]\nwith = ['alias-mop=exact']\n", "did you mean 'alias-map'?"),
        ("[features]\nwith = ['alias-map=exakt']\n", "did you mean 'exact'?"),
        ("[features]\nkernel = 'v4.9+verfy'\n", "did you mean 'v4.9+verify'?"),
        ("[features]\nkmod = 'v3'\n", "the oldest preset is 'v5'"),
        ("[features]\nkernal = 'v4.9'\n", "did you mean 'kernel'?"),
        ("[environment]\nhelper = 'mising'\n", "did you mean 'missing'?"),
        ("properties = ['no-false-sucess']\n", "did you mean 'no-false-success'?"),
        ("[expect]\nno-false-sucess = 'holds'\n", "did you mean 'no-false-success'?"),
        ("[[module]]\nname = 'b'\ndependencies = ['ext-4']\n", "did you mean 'ext4'?"),
        ("[[actor]]\ncall = 'rmmod'\nname = 'exct4'\n", "did you mean 'ext4'?"),
        ("[[actor]]\ncall = 'rmmmod'\nname = 'ext4'\n", "did you mean 'rmmod'?"),
        ("[[actor]]\nprogram = 'request_modul(\"ext4\");'\n", "did you mean 'request_module'?"),
        ("[[actor]]\nprogram = 'symbol_requst(\"ext4\");'\n", "did you mean 'symbol_request'?"),
        (
            "shared = 'struct mutex m;'\n[[actor]]\nprogram = 'mutex_loc(&m);'\n",
            "did you mean 'mutex_lock'?",
        ),
    ];
    for (text, meant) in slips {
        let error = load(&format!("{text}{module}")).expect_err("it is refused");
        let help = error.findings[0].help.as_deref().unwrap_or_default();
        assert!(help.contains(meant), "{text}: {error}");
    }
}

/// Keys by table, as docs/scenarios.md has them: under a heading with the table's name in backticks,
/// the first column of a table.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../../docs/scenarios.md");
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut table = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let keys = heading.strip_prefix("Keys of ").or(heading.strip_prefix("Words of "));
            table = keys.map(|t| t.replace('`', ""));
        } else if let (Some(table), Some(row)) = (&table, line.strip_prefix("| `")) {
            let key = row.split('`').next().unwrap_or(row);
            tables.entry(table.clone()).or_default().push(key.to_owned());
        }
    }
    tables
}

#[test]
fn every_key_is_documented_and_no_other() {
    let mut documented = documented();
    for keys in documented.values_mut() {
        keys.sort();
    }
    let code: BTreeMap<String, Vec<String>> = scenario_file::keys()
        .into_iter()
        .chain([("call", scenario_file::calls())])
        .map(|(table, keys)| {
            let mut keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            keys.sort();
            (table.to_owned(), keys)
        })
        .collect();
    assert!(code.values().all(|keys| !keys.is_empty()));
    assert_eq!(documented, code, "docs/scenarios.md on the left");
}

/// What kind of value a schema asks for, in a word or two.
fn kind(schema: &Value) -> String {
    let quoted = |words: Vec<&Value>| {
        words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let list = |key: &str| schema[key].as_array();
    if let Some(any) = list("anyOf") {
        // Of what is offered and any other, any.
        let all: Vec<String> = any.iter().map(kind).collect();
        let string = all.contains(&"string".to_owned());
        return if string { "string".to_owned() } else { all.join(", or ") };
    }
    match (list("enum"), list("oneOf")) {
        (Some(words), _) => return quoted(words.iter().collect()),
        (_, Some(words)) => return quoted(words.iter().map(|word| &word["const"]).collect()),
        _ => {}
    }
    let of = |key: &str| schema[key].as_u64();
    match schema["type"].as_str().unwrap_or_else(|| panic!("{schema}")) {
        "boolean" => "true, false".to_owned(),
        "integer" => format!("{} to {}", of("minimum").unwrap(), of("maximum").unwrap()),
        "array" if schema["items"]["type"] == "object" => "array of tables".to_owned(),
        "array" => "list of strings".to_owned(),
        "object" => "table".to_owned(),
        "string" if schema["contentMediaType"] == "text/x-c" => "C".to_owned(),
        word => word.to_owned(),
    }
}

/// docs/scenarios.md has in its tables what the code says of each key; `KMODCHECK_RECORD=1` writes them.
#[test]
fn the_tables_of_the_page_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scenarios.md");
    let mut page = std::fs::read_to_string(path).unwrap();
    let schema = scenario_file::schema(&["no-false-success"]);
    let of = &schema["properties"];
    let said = |schema: &Value| {
        let text = schema["description"].as_str().unwrap_or_else(|| panic!("{schema}"));
        text.replace('\n', " ").replace('|', "\\|")
    };
    for (table, keys) in scenario_file::keys() {
        let schema = match table {
            "the file" => &schema,
            "[features]" | "[environment]" => &of[table.trim_matches(['[', ']'])],
            "softdeps" => &of["module"]["items"]["properties"]["softdeps"],
            table => &of[table.trim_matches(['[', ']'])]["items"],
        };
        let row = |key: &&str| {
            let key_s = &schema["properties"][*key];
            format!("| `{key}` | {} | {} |\n", kind(key_s), said(key_s))
        };
        let rows: String = keys.iter().map(row).collect();
        replace_table(&mut page, &format!("## Keys of {table}"), &rows);
    }
    let calls = of["actor"]["items"]["properties"]["call"]["oneOf"].as_array().unwrap();
    let row =
        |call: &Value| format!("| `{}` | {} |\n", call["const"].as_str().unwrap(), said(call));
    replace_table(&mut page, "## Words of `call`", &calls.iter().map(row).collect::<String>());
    if std::env::var_os("KMODCHECK_RECORD").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    for (number, (kept, wanted)) in kept.lines().zip(page.lines()).enumerate() {
        assert_eq!(kept, wanted, "docs/scenarios.md:{}", number + 1);
    }
    assert!(kept == page);
}

/// Puts rows in the place of those of the table under a heading.
fn replace_table(page: &mut String, heading: &str, rows: &str) {
    assert!(page.replace('`', "").contains(&heading.replace('`', "")), "no '{heading}'");
    let mut out = String::new();
    let (mut here, mut in_rows) = (false, 0);
    for line in page.lines() {
        if line.starts_with("## ") {
            here = line.replace('`', "") == heading.replace('`', "");
        }
        if here && line.starts_with('|') {
            in_rows += 1;
            // The head of the table, and what is under it, stay.
            if in_rows == 3 {
                out.push_str(rows);
            }
            if in_rows > 2 {
                continue;
            }
        }
        out.push_str(line);
        out.push('\n');
    }
    *page = out;
}

/// A file that uses every key.
const EVERYTHING: &str = include_str!("../fixtures/everything.toml");

/// What cannot stand beside a shell's commands.
const WITHOUT_SHELLS: &str = "unknown-names = ['binfmt-464c']\n[environment]\n\
                              exec-requests = 'binfmt-464c'\nlimit = 3\n\
                              [[module]]\nname = 'a'\n[[actor]]\ncall = 'request_module'\nname = 'a'\n";

/// A module that nobody touches is there if a condition speaks of it, and only then.
#[test]
fn what_is_asked_about_is_there() {
    let file = |condition: &str| {
        format!(
            "shared = 'bool done;'\n[[module]]\nname = 'a'\n[[module]]\nname = 'b'\n\
             [[actor]]\nprogram = 'done = modprobe(\"a\") == 0;'\n\
             [[property]]\nname = 'asked'\nnever = '{condition}'\n"
        )
    };
    let modules = |condition: &str| {
        load(&file(condition)).unwrap().scenario.modules.iter().map(|m| m.name.clone()).collect()
    };
    let names: Vec<String> = modules("done && state(\"b\") != LIVE");
    assert_eq!(names, ["a", "b"]);
    let names: Vec<String> = modules("done && state(\"a\") != LIVE");
    assert_eq!(names, ["a"]);
}

#[test]
fn what_exec_requests_is_bounded_and_nobodys_command() {
    let Loaded { scenario, .. } = loaded(WITHOUT_SHELLS);
    assert_eq!(scenario.exec_requests, Some(1));
    let (found, _) = refused(&WITHOUT_SHELLS.replace("limit = 3\n", ""));
    assert!(found.contains("expected a limit of running requests"), "{found}");
    let (found, _) = refused(&WITHOUT_SHELLS.replace("'request_module'", "'modprobe'"));
    assert!(found.contains("a shell runs modprobe a"), "{found}");
    let unknown = "unknown-names = ['binfmt-464c']\n";
    let (found, _) = refused(&WITHOUT_SHELLS.replace(unknown, ""));
    assert!(found.contains("found 'binfmt-464c', which no module"), "{found}");
}

#[test]
fn the_mutated_file_uses_every_key() {
    loaded(EVERYTHING);
    for (_, keys) in scenario_file::keys() {
        for key in keys {
            let there = EVERYTHING.contains(&format!("\n{key} = "))
                || WITHOUT_SHELLS.contains(&format!("\n{key} = "))
                || EVERYTHING.contains(&format!(" {key} = "))
                || EVERYTHING.contains(&format!("[{key}]"));
            assert!(there, "no '{key}'");
        }
    }
    for call in scenario_file::calls() {
        assert!(EVERYTHING.contains(&format!("call = \"{call}\"")), "no '{call}'");
    }
}

/// Loads, shows what is wrong, and walks a little way into what is not.
fn survives(text: &str) {
    match load(text) {
        Err(error) => {
            assert!(!error.findings.is_empty());
            let shown = error.to_string();
            assert!(shown.contains("my.toml:"), "{shown}");
            error.styled();
        }
        Ok(loaded) => {
            let model = Model::new(loaded.scenario, None).expect("load() has tried it");
            let limits = Limits { states: Some(300), ..Limits::default() };
            let options = Options { symmetry: true, limits, ..Options::default() };
            // A state that takes too many bits is the one thing that is left to refuse.
            let _ = explore(&Processes { model: &model }, &CountOnly, &options);
        }
    }
}

/// What files are made of.
const WORDS: [&str; 40] = [
    "[[module]]\n",
    "[[actor]]\n",
    "[features]\n",
    "[environment]\n",
    "[expect]\n",
    "\n",
    " = ",
    "name = 'a'\n",
    "name = 'b'\n",
    "call = 'get_fs_type'\n",
    "call = 'request_module'\n",
    "call = 'rmmod'\n",
    "call = 'modprobe -r'\n",
    "call = 'udev'\n",
    "count = 2\n",
    "count = 999\n",
    "killable = true\n",
    "dependencies = ['a']\n",
    "dependencies = ['b', 'a']\n",
    "aliases = ['fs-a', '*']\n",
    "requests = 'a'\n",
    "requests = 'b'\n",
    "built-in = true\n",
    "built-in = false\n",
    "init = 'may-fail'\n",
    "blacklisted = true\n",
    "limit = 1\n",
    "timeouts = true\n",
    "kernel = 'v6.5+dup'\n",
    "kmod = 'v34.2'\n",
    "with = ['alias-map=exact', 'early-mod-check']\n",
    "softdeps = { pre = ['a'], post = ['b'] }\n",
    "unknown-names = ['fs-b']\n",
    "name = ''\n",
    "name = 'é\\u0000'\n",
    "\"",
    "'",
    "\u{feff}",
    "\r\n",
    "\u{1f600}",
];

/// Files that are mostly valid: three modules, some actors, any switches.
fn generated() -> impl Strategy<Value = String> {
    const NAMES: [&str; 6] = ["a", "b", "c", "fs-x", "alias", "image"];
    const MODULES: [&str; 3] = ["a", "b", "c"];
    const CALLS: [&str; 7] = [
        "request_module",
        "request_module_nowait",
        "get_fs_type",
        "modprobe",
        "modprobe -r",
        "rmmod",
        "udev",
    ];
    const INITS: [&str; 4] = ["succeeds", "may-fail", "may-return-eexist", "fails"];
    let key = |line: &'static str, weight| prop_oneof![3 => Just(String::new()), weight => Just(format!("{line}\n"))];
    let module = move |name: &'static str, needs: &'static str| {
        (
            prop::sample::select(&INITS[..]),
            prop::option::of(prop::sample::select(&NAMES[..])),
            key(needs, 1),
            key("aliases = ['fs-x', 'alias']", 2),
            (
                key("softdeps = { post = ['a'] }", 1),
                key("sysfs-may-fail = true\nfails-at = 'sections'\nfails-with = '-EEXIST'", 1),
            ),
            (key("blacklisted = true", 1), key("install = '/bin/true'", 1)),
            (key("no-exit = true", 1), key("compressed = true", 1)),
            (key("name-taken = true", 1), key("listed-builtin = true", 1)),
        )
            .prop_map(move |(init, requests, needs, aliases, a, b, c, d)| {
                let requests = requests.map_or(String::new(), |r| format!("requests = '{r}'\n"));
                format!(
                    "[[module]]\nname = '{name}'\ninit = '{init}'\n{requests}{needs}{aliases}{}{}{}\
                     {}{}{}{}{}",
                    a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1
                )
            })
    };
    let modules = (
        module("a", "dependencies = ['image']"),
        module("b", "dependencies = ['a']"),
        module("c", "dependencies = ['a', 'b']"),
    );
    let actor = (
        prop::sample::select(&CALLS[..]),
        prop::sample::select(&NAMES[..]),
        prop::sample::select(&MODULES[..]),
        1..3_u8,
        any::<bool>(),
    )
        .prop_map(|(call, name, module, count, killable)| {
            let (name, killable) = match call {
                "get_fs_type" => ("x", killable),
                "rmmod" | "udev" => (module, false),
                "modprobe -r" => (name, false),
                _ => (name, killable),
            };
            format!(
                "[[actor]]\ncall = '{call}'\nname = '{name}'\ncount = {count}\n\
                 killable = {killable}\n"
            )
        });
    let settings = (
        prop::sample::select(&kmodcheck_model::presets::KERNELS[..]),
        prop::sample::select(&kmodcheck_model::presets::KMODS[..]),
        prop::option::of(1..4_u8),
        any::<bool>(),
    );
    (modules, prop::collection::vec(actor, 1..4), settings).prop_map(
        |((a, b, c), actors, (kernel, kmod, limit, timeouts))| {
            let limit = limit.map_or(String::new(), |limit| format!("limit = {limit}\n"));
            format!(
                "[features]\nkernel = '{kernel}'\nkmod = '{kmod}'\n\
                 [environment]\n{limit}timeouts = {timeouts}\n{a}{b}{c}\
                 [[module]]\nname = 'image'\nbuilt-in = true\nversion = true\n{}",
                actors.concat()
            )
        },
    )
}

/// Explores a good part of it, with every assertion of the model on.
fn is_explored(text: &str) {
    let Ok(loaded) = load(text) else { return };
    let model = Model::new(loaded.scenario, None).expect("load() has tried it");
    let limits = Limits { states: Some(20_000), ..Limits::default() };
    let options = Options { symmetry: true, limits, ..Options::default() };
    let _ = explore(&Processes { model: &model }, &CountOnly, &options);
}

fn cases(few: u64, all: u64) -> u32 {
    sample(few, all).seeds().end as u32
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(40, 400), ..ProptestConfig::default() })]

    #[test]
    fn generated_files_are_explored(text in generated()) {
        is_explored(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(200, 2000), ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn arbitrary_words_are_survived(
        words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..24),
    ) {
        survives(&words.concat());
    }

    #[test]
    fn mutated_files_are_survived(
        which in 0..2_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, any::<char>()), 1..4),
    ) {
        let mut lines: Vec<String> =
            [EXAMPLE, EVERYTHING][which].lines().map(str::to_owned).collect();
        for (at, what, character) in edits {
            let place = at.index(lines.len());
            let line = &mut lines[place];
            match what {
                0 => line.clear(),
                1 => line.insert(line.floor_char_boundary(at.index(line.len() + 1)), character),
                2 => {
                    let from = line.floor_char_boundary(at.index(line.len() + 1));
                    line.truncate(from);
                }
                3 => {
                    let twice = line.clone();
                    lines.insert(place, twice);
                }
                _ => {
                    let (from, to) = (place, at.index(lines.len() * 7) % lines.len());
                    lines.swap(from, to);
                }
            }
        }
        survives(&lines.join("\n"));
    }
}
