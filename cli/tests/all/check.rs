//! `kmodcheck check --modules DIR`, as a user runs it.

use std::fs;
use std::path::Path;

use crate::common::{check, fixture, run};
use serde_json::Value;
use tempfile::TempDir;

/// A copy of the fixture in which one file was changed.
fn changed(file: &str, change: impl FnOnce(String) -> Option<Vec<u8>>) -> TempDir {
    let directory = TempDir::new().unwrap();
    for entry in fs::read_dir(fixture()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = directory.path().join(file);
    match change(fs::read_to_string(&path).unwrap()) {
        Some(text) => fs::write(path, text).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
    directory
}

fn check_in(directory: &Path, arguments: &[&str]) -> crate::common::Run {
    let mut all = vec!["check", "--modules", directory.to_str().unwrap()];
    all.extend(arguments);
    run(&all)
}

#[test]
fn a_real_module_with_its_dependencies() {
    let found = check(&["--fs", "ext4"]).exits(1);
    found
        .says("fs-ext4 resolves to ext4\n")
        .says_words("tries, in order: crc32c_intel, crc32c_generic, jbd2, mbcache, crc16, ext4 ")
        .says("kernel v4.9, kmod v19, N = 2")
        .says("complete: ")
        .says("get-fs-type-finds-it       violated (69 steps)")
        .says("lifecycle-and-sysfs        holds")
        .says("exists: 'built in'");
    // The same race without dependencies is shorter by their steps.
    check(&["--module", "loop"]).exits(1).says("no-false-success           violated (18 steps)");
}

#[test]
fn kmod_v20_alone_and_each_reading() {
    check(&["--fs", "ext4", "--kmod", "v20"]).exits(0).says("was not seen to fail");
    for kernel in ["author-tree", "author-mail", "verify", "wait-and-verify", "exact-builtin"] {
        let kernel = format!("v4.9+{kernel}");
        // modprobe still lies: that much is expected.
        let expected = ["--expect", "modprobe-tells-the-truth=violated"];
        let arguments = ["--fs", "ext3", "--kernel", &kernel];
        check(&[&arguments[..], &expected].concat())
            .exits(0)
            .says("no-false-success           holds");
        check(&arguments).exits(1);
    }
    let finds_it = ["--property", "get-fs-type-finds-it"];
    check(&[&["--fs", "ext4", "--kernel", "v4.13"], &finds_it[..]].concat())
        .exits(1)
        .says("__get_fs_type: no file system: returns\n")
        .says("NULL; warns");
}

#[test]
fn what_is_expected_decides_the_exit_status() {
    let violated = [
        "no-false-success",
        "no-false-success-strong",
        "modprobe-tells-the-truth",
        "the-check-catches-it",
        "get-fs-type-finds-it",
    ];
    let expect: Vec<String> =
        violated.iter().flat_map(|p| ["--expect".to_owned(), format!("{p}=violated")]).collect();
    let mut arguments = vec!["--fs", "ext4"];
    arguments.extend(expect.iter().map(String::as_str));
    check(&arguments).exits(0);
    // What was expected to be violated and is not, differs too; the last word counts.
    let mut more = arguments.clone();
    more.extend(["--expect", "lifecycle-and-sysfs=violated"]);
    check(&more).exits(1);
    more.extend(["--expect", "lifecycle-and-sysfs=holds"]);
    check(&more).exits(0);
    more.extend(["--kmod", "v20"]);
    check(&more).exits(1);
}

#[test]
fn out_of_budget_is_no_verdict_and_a_violation_wins_over_it() {
    for limit in [["--states-limit", "50"], ["--time-limit", "0"], ["--memory-limit", "0"]] {
        let cut = check(&[&["--fs", "ext4", "--kmod", "v20"][..], &limit].concat()).exits(3);
        let cut = cut.says("out of budget").says(" limit: ").says(" not expanded");
        assert!(!cut.out.contains(" holds") && !cut.out.contains("vacuous"), "{}", cut.out);
    }
    // The race is 69 steps deep, the graph 86: this is enough for the one and not for the other.
    let cut = check(&["--fs", "ext4", "--states-limit", "2400"]).exits(1);
    cut.says("states limit: ").says("violated (69 steps)").says("out of budget");
    let expected = ["no-false-success", "no-false-success-strong", "get-fs-type-finds-it"];
    let more = ["modprobe-tells-the-truth", "the-check-catches-it"];
    let expect: Vec<String> = expected
        .iter()
        .chain(&more)
        .flat_map(|p| ["--expect".to_owned(), format!("{p}=violated")])
        .collect();
    let mut arguments = vec!["--fs", "ext4", "--states-limit", "2400"];
    arguments.extend(expect.iter().map(String::as_str));
    check(&arguments).exits(3);
}

#[test]
fn json_is_the_same_from_run_to_run() {
    let arguments = ["--fs", "ext4", "--json"];
    let found = check(&arguments).exits(1);
    assert_eq!(found.out, check(&arguments).out);
    assert_eq!(found.out, check(&["--fs", "ext4", "--json", "--follow-all"]).out);
    let json: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-check".into(), &1.into()));
    assert_eq!(json["report"]["end"], "complete");
    assert_eq!(json["report"]["properties"].as_array().unwrap().len(), 13);
    assert_eq!(json["trace"]["format"], "kmodcheck-trace");
    assert_eq!(json["scenario"]["modules"].as_array().unwrap().len(), 6);
}

#[test]
fn symmetry_changes_counts_and_no_verdict() {
    let verdicts = |arguments: &[&str]| {
        let json: Value = serde_json::from_str(&check(arguments).out).unwrap();
        let properties = json["report"]["properties"].as_array().unwrap().clone();
        let of = |p: &Value| (p["property"].clone(), p["verdict"].clone(), p["steps"].clone());
        (json["report"]["states"].as_u64(), properties.iter().map(of).collect::<Vec<_>>())
    };
    let with = verdicts(&["--module", "vfat", "--init-may-fail", "--json"]);
    let without = verdicts(&["--module", "vfat", "--init-may-fail", "--json", "--no-symmetry"]);
    assert!(with.0 < without.0);
    assert_eq!(with.1, without.1);
}

/// A loader that waits for a dependency may give up: that is a way out, and not one of the verdict.
#[test]
fn timeouts() {
    let without = check(&["--module", "vfat", "--kmod", "v20"]).exits(0);
    assert!(without.out.contains("no wait lasts 30 s"));
    check(&["--module", "vfat", "--kmod", "v20", "--timeouts"])
        .says_words("the 30 s of resolve_symbol_wait() may be over at any moment");
}

#[test]
fn an_alias_map_of_one_s_own() {
    let verify = ["--fs", "ext3", "--kernel", "v4.9+verify"];
    let expect = ["--expect", "modprobe-tells-the-truth=violated"];
    check(&[&verify[..], &expect].concat()).exits(0);
    // The prefix map takes fs-ext3 for a module called ext3, which is never listed.
    check(&[&verify[..], &expect, &["--alias-map", "prefix"]].concat())
        .exits(1)
        .says("kernel v4.9+verify, kmod v19, with alias-map=prefix")
        .says("no-false-success           violated");
}

#[test]
fn built_in_code() {
    check(&["--module", "md5"])
        .exits(0)
        .says("md5 resolves to an entry of modules.builtin")
        .says("; built-in md5 has a directory under /sys/module;");
}

#[test]
fn a_missing_file_or_directory() {
    let directory = changed("modules.dep", |_| None);
    check_in(directory.path(), &["--fs", "ext4"]).refuses(&[
        directory.path().to_str().unwrap(),
        "found neither modules.dep nor modules.dep.bin",
        "depmod",
    ]);
    // kmod finds nothing in what is not there.
    let directory = changed("modules.softdep", |_| None);
    check_in(directory.path(), &["--fs", "ext4"])
        .says_words("in order: jbd2, mbcache, crc16, ext4");
    let directory = changed("modules.alias", |_| None);
    check_in(directory.path(), &["--fs", "ext4"]).refuses(&["'fs-ext4'"]);
    run(&["check", "--modules", "/no/such/directory", "--fs", "ext4"])
        .refuses(&["/no/such/directory/modules.dep", "No such file"]);
    let file = fixture().join("ORIGIN.md");
    run(&["check", "--modules", file.to_str().unwrap(), "--fs", "ext4"]).refuses(&["ORIGIN.md"]);
}

#[test]
fn a_malformed_line_is_located() {
    for (file, line, text, parts) in [
        ("modules.dep", 3, "no colon here", &["'PATH: DEPENDENCIES'", "no colon here"][..]),
        ("modules.dep", 2, "kernel/fs/ext4/ext4: ", &[".ko", "ext4"]),
        ("modules.alias", 4, "alias only-two", &["'alias PATTERN MODULE'", "only-two"]),
        ("modules.alias", 2, "alia fs-ext4 ext4", &["'alias PATTERN MODULE'", "alia"]),
        ("modules.softdep", 2, "softdep", &["'softdep MODULE pre: NAMES post: NAMES'"]),
        ("modules.builtin", 5, "fs/ext4.ko", &["'kernel/'", "fs/ext4.ko"]),
    ] {
        let directory = changed(file, |old| {
            let mut lines: Vec<&str> = old.lines().collect();
            lines[line - 1] = text;
            Some((lines.join("\n") + "\n").into_bytes())
        });
        let at = format!("{}:{line}:", directory.path().join(file).display());
        let run =
            check_in(directory.path(), &["--fs", "ext4"]).refuses(&[&at, "expected", "found"]);
        run.refuses(parts);
    }
    let directory = changed("modules.alias", |old| {
        let mut bytes = old.into_bytes();
        let third = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(2).unwrap().0;
        bytes.insert(third + 4, 0xff);
        Some(bytes)
    });
    check_in(directory.path(), &["--fs", "ext4"]).refuses(&["modules.alias:4: expected UTF-8"]);
}

#[test]
fn an_unknown_name() {
    for (option, name, found) in [
        ("--fs", "nosuch", "'fs-nosuch'"),
        ("--module", "nosuch", "'nosuch'"),
        ("--module", "", "''"),
        ("--module", "ext4.ko", "'ext4.ko'"),
        ("--module", "ext[", "'ext['"),
        ("--fs", "fs-ext4", "'fs-fs-ext4'"),
    ] {
        check(&[option, name]).refuses(&[found, "debian-6.1", "expected"]);
    }
}

#[test]
fn bad_arguments() {
    let directory = fixture();
    let directory = directory.to_str().unwrap();
    run(&["check", "--fs", "ext4"]).refuses(&["--modules"]);
    run(&["check", "--modules", directory]).refuses(&["--fs", "--module"]);
    check(&["--fs", "ext4", "--module", "ext4"]).refuses(&["--fs", "--module"]);
    for (arguments, parts) in [
        (["--kernel", "v4.8"], ["v4.8", "v4.9"]),
        (["--kmod", "v3"], ["v3", "v5"]),
        (["--callers", "0"], ["0", "1..=255"]),
        (["--callers", "17"], ["17", "at most 16"]),
        (["--callers", "two"], ["two", "--callers"]),
        (["--alias-map", "some"], ["some", "exact"]),
        (["--expect", "no-false-success"], ["no-false-success", "PROPERTY=holds"]),
        (["--expect", "no-false-success=true"], ["true", "holds or violated"]),
        (["--expect", "nonsense=holds"], ["nonsense", "no-false-success"]),
        (["--property", "nonsense"], ["nonsense", "no-false-success"]),
    ] {
        check(&[&["--fs", "ext4"], &arguments[..]].concat()).refuses(&parts);
    }
    // A caller's state and the shared one have room for so much.
    check(&["--fs", "btrfs", "--callers", "15", "--states-limit", "9"]).exits(3);
}

#[test]
fn a_trace_that_cannot_be_saved() {
    let directory = TempDir::new().unwrap();
    // Before anything is searched for: nothing is printed.
    let path = directory.path().join("missing/trace.json");
    let save = ["--module", "loop", "--save-trace", path.to_str().unwrap()];
    check(&save).refuses(&["missing/trace.json: No such file"]);
    // Nothing is violated: nothing to save, and it says so.
    let path = directory.path().join("trace.json");
    let run = check(&["--module", "loop", "--kmod", "v20", "--save-trace", path.to_str().unwrap()]);
    let run = run.exits(0);
    assert!(run.err.contains("no violation to save"), "{}", run.err);
    assert!(!path.exists());
}

/// Whatever release is said is answered for: what of it is not its mainline release's is told, and what the model has not.
#[test]
fn any_release_is_taken() {
    let of = |kernel: &str| run(&["check", "race", "--kernel", kernel, "--kmod", "29"]).out;
    let stable = run(&["check", "race", "--kernel", "5.15.131", "--kmod", "v30"]);
    stable.says_words(
        "kernel 5.15.131, kmod v30 (waits-for-all-async=on: 67d6212afda2 is in 5.15.25 (seen as a release candidate \
         only); listed-name=waits-once: 0254127ab977 is in 5.15.91)",
    );
    let late = run(&["check", "race", "--kernel", "6.12.117", "--kmod", "v30"]);
    late.says_words("driver-directories=on: f95bbfe18512 is in 6.12.28");
    assert!(
        of("6.1.0-50-amd64")
            .replace("\n  ", " ")
            .contains("not known whether listed-name=waits-once")
    );
    assert!(!of("v6.2").contains("commit is in"), "of a preset its page says everything");
    // The same switches, the same answers.
    let from = |out: &str| out.split_once("\ncomplete:").unwrap().1.to_owned();
    let words = ["check", "race", "--kmod", "v30", "--kernel"];
    let both = ["6.1.192", "6.1-debian"].map(|kernel| run(&[&words[..], &[kernel]].concat()).out);
    assert_eq!(from(&both[0]), from(&both[1]));
    run(&["check", "race", "--kernel", "6.4-rc4"]).refuses(&["6.4-rc4"]);
    // In a file, too; and what is in it, commit by commit.
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("one.toml");
    let text = "[features]\nkernel = '6.12.117+deb12-amd64'\nkmod = '31'\n[[module]]\nname = 'm'\n[[actor]]\ncall = 'modprobe'\nname = 'm'\n";
    std::fs::write(&file, text).unwrap();
    run(&["check", &file.display().to_string()]).says_words("kernel 6.12.117+deb12-amd64, kmod 31");
    std::fs::write(&file, text.replace("6.12.117+deb12-amd64", "6.4-rc4")).unwrap();
    run(&["check", &file.display().to_string()]).refuses(&["a release candidate", "one.toml:2"]);
    let listed = run(&["features", "--kernel", "6.12.117+deb12-amd64"]).exits(0);
    let listed = listed.says_words("2124d84db293: a signal ends the wait");
    let listed = listed.says_words("d258ed8a86bb (since 6.12.110): of duplicate requests the first result counts: first-result-counts=on");
    let listed = listed.says_words("67d6212afda2: async_synchronize_full() after LIVE, before the initial reference is dropped, for every module: waits-for-all-async=on");
    listed.says_words(
        "96a1a2412acb: /sys/module/NAME of built-in code appears late in boot: late-builtin-directories=on",
    );
    let json = run(&["features", "--kmod", "29", "--json"]).exits(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["releases"][0]["commits"][1]["sets"]["bare-directory"], "coming");
    run(&["features", "--kernel", "bla"]).refuses(&["found kernel 'bla'"]);
}

/// A machine's indexes lie in a directory that is called as its kernel; its kmod is the one that is installed.
#[test]
fn a_machine_s_releases_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let modules = directory.path().join("6.1.192-amd64");
    std::fs::create_dir(&modules).unwrap();
    for entry in std::fs::read_dir(fixture()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, modules.join(path.file_name().unwrap())).unwrap();
    }
    let check = |path: &std::path::Path, more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
        command.args(["check", "--fs", "vfat", "--modules"]).arg(&modules).args(more);
        crate::common::Run::of(command.env("PATH", path).output().unwrap())
    };
    let nothing = directory.path().join("nothing");
    check(&nothing, &[]).refuses(&["found no kmod that is installed", "--kmod RELEASE"]);
    let programs = directory.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let modprobe = programs.join("modprobe");
    std::fs::write(&modprobe, "#!/bin/sh\necho kmod version 30\n").unwrap();
    std::fs::set_permissions(&modprobe, std::fs::Permissions::from_mode(0o755)).unwrap();
    let found = check(&programs, &[]).exits(0);
    let found = found.says_words(
        "kernel 6.1.192-amd64, as the directory is called; kmod 30, which is installed",
    );
    found.says_words("listed-name=waits-once: 0254127ab977 is in 6.1.9");
    check(&nothing, &["--kmod", "v34.2"]).exits(0).says_words("kernel 6.1.192-amd64, kmod v34.2");
    let other = check(&nothing, &["--kernel", "v4.9"]);
    assert!(!other.out.contains("as the directory is called"), "{}", other.out);
    // Another directory's name says nothing, and that is said.
    let fixture = fixture().display().to_string();
    run(&["check", "--modules", &fixture, "--fs", "vfat"]).says_words(
        "taken for kernel v4.9, kmod v19: none is said, and 'debian-6.1' is no release",
    );
}
