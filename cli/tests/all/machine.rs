//! A machine's files: its kernel, its modprobe, its configuration; and every name that its kernel may request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Run, run};

const RELEASE: &str = "6.1.0-56-amd64";

/// A root as an unpacked image has it, with the lines that machines are hardened with.
struct Root {
    directory: TempDir,
}

impl Root {
    fn new() -> Self {
        let root = Self { directory: TempDir::new().unwrap() };
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../indexes/tests/fixtures/debian-6.1");
        for index in ["dep", "alias", "softdep", "builtin"] {
            let text = std::fs::read_to_string(fixture.join(format!("modules.{index}"))).unwrap();
            root.write(&format!("usr/lib/modules/{RELEASE}/modules.{index}"), &text);
        }
        std::os::unix::fs::symlink("usr/lib", root.at("lib")).unwrap();
        root.write("usr/bin/kmod", "\u{1}kmod version %s\u{0}kmod version 30\n\u{0}");
        // As in a root of its own: this machine has none of that name, or another.
        std::fs::create_dir(root.at("sbin")).unwrap();
        std::os::unix::fs::symlink("/usr/bin/kmod", root.at("sbin/modprobe")).unwrap();
        root.write(
            "etc/modprobe.d/hardening.conf",
            "install udf /bin/true\ninstall ext4 /bin/true\ninstall fat /bin/false\n\
             install iso-fs /usr/sbin/set-up\nblacklist btrfs\nalias net-pf-4 off\n",
        );
        root.write("run/modprobe.d/hardening.conf", "install overlay /bin/true\n");
        root.write("run/modprobe.d/z.conf", "install xfs /sbin/modprobe -i xfs\ninclude other\n");
        root
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn check(&self, arguments: &[&str]) -> Run {
        let modules = self.at(&format!("lib/modules/{RELEASE}"));
        let mut all = vec!["check", "--modules", modules.to_str().unwrap()];
        if !arguments.contains(&"--kmod") {
            all.extend(["--kmod", "v30"]);
        }
        all.extend(arguments);
        run(&all)
    }

    fn machine(&self, arguments: &[&str]) -> Run {
        let root = self.directory.path().to_str().unwrap();
        let mut all = vec!["machine", "--root", root];
        all.extend(arguments);
        run(&all)
    }
}

impl Run {
    /// Says each of these, however it is folded.
    fn says_all(self, parts: &[&str]) -> Self {
        parts.iter().fold(self, |run, part| run.says_words(part))
    }
}

#[test]
fn a_check_reads_the_configuration_of_the_modules_root() {
    let root = Root::new();
    root.check(&["--fs", "udf"]).exits(1).says_all(&[
        "etc/modprobe.d/hardening.conf",
        "run/modprobe.d/z.conf:2: kmod passes over this line, which begins with 'include'",
        "udf: an `install` command that only exits 0 runs in its place",
        "ran the install command of udf, which loads nothing",
    ]);
    // Of two files of one name the first is read.
    root.check(&["--fs", "overlay"]).exits(0);
    root.check(&["--fs", "ext4"]).exits(1).says_all(&[
        "hardening.conf:2: kmod ignores the install command of ext4, because it has softdeps",
    ]);
    root.check(&["--fs", "xfs"])
        .exits(0)
        .says_all(&["runs modprobe --ignore-install, and exits as that does"]);
    root.check(&["--fs", "btrfs"])
        .exits(1)
        .says_all(&["btrfs is blacklisted, and asked for by its alias"]);
    root.check(&["--fs", "vfat"]).exits(0).says_all(&["fat: an `install` command that only fails"]);
    root.check(&["--module", "net-pf-4"]).exits(0).says_all(&["off: there is no file of it"]);
    root.check(&["--module", "iso-fs"]).exits(1).says_all(&["is not known: it may load it or not"]);
    root.check(&["--fs", "udf", "--no-config"]).exits(0);
    // The root's own kmod is asked for, not this machine's.
    let modules = root.at(&format!("lib/modules/{RELEASE}"));
    let asked = ["check", "--modules", modules.to_str().unwrap(), "--fs", "overlay"];
    run(&asked).exits(0).says_all(&["kernel 6.1.0-56-amd64", "kmod 30, as ", "usr/bin/kmod says"]);
    std::fs::write(root.at("usr/bin/kmod"), "kmod version 19").unwrap();
    run(&asked).exits(1).says_all(&["kmod 19, as "]);
    let own = root.at("own.conf");
    root.write("own.conf", "blacklist vfat\n");
    root.check(&["--fs", "udf", "--config", own.to_str().unwrap()]).exits(0);
    root.check(&["--fs", "vfat", "--config", own.to_str().unwrap()])
        .exits(1)
        .says_all(&["configuration: ", "own.conf"]);
}

#[test]
fn the_kernels_command_line_is_heeded() {
    let root = Root::new();
    root.write("cmdline", "quiet modprobe.blacklist=overlay,snd-pcm module_blacklist=fuse\n");
    let cmdline = root.at("cmdline");
    let given = ["--cmdline", cmdline.to_str().unwrap()];
    let with = |fs| [&["--fs", fs][..], &given].concat();
    root.check(&with("overlay"))
        .exits(1)
        .says_all(&["overlay is blacklisted", "'modprobe.blacklist=snd-pcm' is about no module"]);
    root.check(&with("fuse"))
        .exits(0)
        .says_all(&["fuse: the kernel refuses it (module_blacklist=)"]);
    root.check(&["--fs", "fuse", "--no-config", given[0], given[1]]).refuses(&["--no-config"]);
}

#[test]
fn what_is_not_heeded_is_refused() {
    let root = Root::new();
    run(&["check", "race", "--no-config"]).refuses(&["--no-config"]);
    run(&["check", "race", "--config", "x"]).refuses(&["--config"]);
    for flag in [
        &["--config", "x"][..],
        &["--cmdline", "x"],
        &["--no-config"],
        &["--fs", "x"],
        &["--init-may-fail"],
    ] {
        run(&[&["check", "--env", "ok"], flag].concat()).refuses(&[flag[0]]);
    }
    let config = root.at("etc/modprobe.d");
    let config = config.to_str().unwrap();
    // busybox reads it in its own way.
    let modules = root.at(&format!("lib/modules/{RELEASE}"));
    let modules = ["--modules", modules.to_str().unwrap(), "--kmod", "busybox", "--fs", "udf"];
    run(&[&["check"][..], &modules].concat())
        .exits(1)
        .says_all(&["modprobe reads it in its own way"]);
    run(&[&["check"][..], &modules, &["--config", config]].concat())
        .refuses(&["another modprobe", "expected kmod's"]);
    let of = |release| {
        let mut asked = [&["check"][..], &modules].concat();
        (asked[3], asked[4]) = ("--modprobe-is", release);
        run(&asked)
    };
    of("busybox-1.36.1").exits(1).says_all(&[
        "modprobe reads it in its own way",
        "busybox 1.36: its modprobe is taken for 1.35.0's",
    ]);
    of("busybox-1.20").refuses(&["expected busybox-1.34 or a later one"]);
    // Below no lib/modules there is no root whose configuration it could be.
    let fixture = root.at("elsewhere");
    std::fs::rename(root.at(&format!("usr/lib/modules/{RELEASE}")), &fixture).unwrap();
    run(&["check", "--modules", fixture.to_str().unwrap(), "--fs", "udf"])
        .exits(1)
        .says_all(&["no modprobe.d is read"]);
}

/// What a machine's names come to, by name.
fn answers(value: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut answers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut say = |name: &Value, what: &str| {
        let name = name["name"].as_str().unwrap().to_owned();
        answers.entry(name).or_default().insert(what.to_owned());
    };
    for group in value["groups"].as_array().unwrap() {
        for name in group["names"].as_array().unwrap() {
            say(name, group["wrong"].as_str().unwrap());
        }
    }
    for name in value["fails_as_configured"].as_array().unwrap() {
        say(name, "configured");
    }
    answers
}

#[test]
fn every_name_of_a_machine_is_answered() {
    let root = Root::new();
    root.machine(&[]).exits(1).says_all(&[
        "kernel 6.1.0-56-amd64, kmod 30",
        "usr/bin/kmod says",
        // What is said of the releases is what `check` says of them.
        "A request may return 0 with nothing loaded",
        "fs-udf",
        "hardening.conf:1: install udf /bin/true",
        "/bin/false in place of /bin/true",
        "fs-btrfs",
        "hardening.conf:5: blacklist btrfs",
        "Fails, as is configured:",
        "fs-vfat",
        "hardening.conf:3: install fat /bin/false",
        "net-pf-4",
        "alias net_pf_4 off",
    ]);
    let value: Value =
        serde_json::from_str(&root.machine(&["--all", "--json"]).exits(1).out).unwrap();
    assert_eq!(
        (value["format"].as_str(), value["version"].as_u64()),
        (Some("kmodcheck-machine"), Some(1))
    );
    let answers = answers(&value);
    for (name, expected) in [
        ("fs-udf", &["nothing-loaded"][..]),
        ("udf", &["nothing-loaded"]),
        ("fs-btrfs", &["nothing-loaded"]),
        ("char-major-10-234", &["nothing-loaded"]),
        // A blacklist does not act on a module's own name.
        ("btrfs", &["loads-what-is-blocked"]),
        // An install command does not act on a module that has softdeps.
        ("fs-ext4", &["loads-what-is-blocked"]),
        ("fs-vfat", &["configured"]),
        ("net-pf-4", &["configured"]),
        // Whatever its command does.
        ("iso_fs", &["configured", "nothing-loaded"]),
        ("fs-xfs", &[]),
        ("fs-overlay", &[]),
    ] {
        let found = answers.get(name).cloned().unwrap_or_default();
        assert_eq!(found, expected.iter().map(|e| (*e).to_owned()).collect(), "{name}");
    }
    let counted = |key: &str| value[key].as_array().unwrap().len();
    assert!(value["names"].as_u64() > value["systems"].as_u64().map(|systems| 2 * systems));
    assert_eq!(counted("not_decided"), 0);
    // Each trace is one that `replay` takes.
    let trace = root.at("trace.json");
    for group in value["groups"].as_array().unwrap() {
        std::fs::write(&trace, group["trace"].to_string()).unwrap();
        run(&["replay", trace.to_str().unwrap()]).exits(0);
    }
}

/// A name has the answer that `check` gives it alone, with old releases, too.
#[test]
fn a_machine_says_what_a_check_says() {
    let root = Root::new();
    let arguments =
        ["--kernel", "v4.9", "--kmod", "v19", "--no-config", "--family", "fs-", "--json"];
    let value: Value = serde_json::from_str(&root.machine(&arguments).exits(1).out).unwrap();
    let answers = answers(&value);
    let vfat = answers["fs-vfat"].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(vfat, ["fails", "nothing-loaded"]);
    let all = value["groups"].as_array().unwrap();
    let race = all.iter().find(|g| g["wrong"] == "nothing-loaded").unwrap();
    assert!(
        race["kind"].as_str().unwrap().contains("took /sys/module/MODULE, with no initstate"),
        "{race}"
    );
    let changes = race["what_would_change_it"].to_string();
    assert!(changes.contains("bare-directory=coming"), "{changes}");
    for fs in ["vfat", "udf", "overlay", "fuse"] {
        let run = root.check(&["--fs", fs, "--kernel", "v4.9", "--kmod", "v19", "--no-config"]);
        let wrong = answers.contains_key(&format!("fs-{fs}"));
        run.exits(i32::from(wrong));
    }
}

#[test]
fn a_root_that_says_too_little_is_refused() {
    let root = Root::new();
    run(&["machine", "--root", "/nowhere"]).refuses(&["/nowhere", "found no lib/modules"]);
    std::fs::write(root.at("usr/bin/kmod"), "nothing").unwrap();
    root.machine(&[]).refuses(&["found no modprobe", "--kmod RELEASE"]);
    root.machine(&["--kmod", "v30", "--family", "fs-ud"]).exits(1).says_all(&["fs-udf"]);
    let other = root.at("usr/lib/modules/6.12.1");
    std::fs::create_dir(&other).unwrap();
    root.machine(&["--kmod", "30"])
        .refuses(&["6.1.0-56-amd64, 6.12.1", "--kernel with one of them"]);
    root.machine(&["--kmod", "30", "--kernel", "6.12.1"]).refuses(&["depmod"]);
    root.machine(&["--kmod", "30", "--kernel", RELEASE, "--family", "fs-ud"]).exits(1);
    std::fs::remove_dir(&other).unwrap();
    root.write(&format!("boot/config-{RELEASE}"), "CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS=y\n");
    root.machine(&["--kmod", "30", "--family", "fs-ud", "--kernel", "6.12"])
        .exits(1)
        .says_all(&["kernel 6.12+dup", "CONFIG_MODULE_DEBUG_AUTOLOAD_DUPS"]);
    std::fs::write(root.at("usr/bin/kmod"), "\u{0}BusyBox v1.35.0 (Debian)").unwrap();
    root.machine(&["--family", "fs-ud"]).exits(0).says_all(&["kmod busybox"]);
}

/// A distribution's kernel says in its image what it is built from.
#[test]
fn a_kernels_image_says_what_it_is_built_from() {
    let root = Root::new();
    let image = |version: &str| {
        let mut image = vec![0; 0x600];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x300_u16.to_le_bytes());
        image[0x500..0x500 + version.len()].copy_from_slice(version.as_bytes());
        std::fs::create_dir_all(root.at("boot")).unwrap();
        std::fs::write(root.at(&format!("boot/vmlinuz-{RELEASE}")), image).unwrap();
    };
    image(&format!(
        "{RELEASE} (debian-kernel@lists.debian.org) #1 SMP Debian 6.1.192-2 (2026-11-16)"
    ));
    root.machine(&["--family", "fs-ud"]).exits(1).says_all(&[
        "kernel 6.1.192, kmod 30",
        "6.1.0-56-amd64 is built from 6.1.192, as ",
        "boot/vmlinuz",
    ]);
    root.check(&["--fs", "xfs"])
        .exits(0)
        .says_all(&["built from 6.1.192, as ", "listed-name=waits-once: 0254127ab977 is in 6.1.9"]);
    root.check(&["--fs", "xfs", "--kernel", "6.1.3"])
        .exits(0)
        .says_all(&["kernel 6.1.3, kmod v30"]);
    // Another's image, or one that does not say it.
    for version in
        [&format!("{RELEASE} (x@y) #101-Ubuntu SMP"), "6.1.0-55-amd64 (d) #1 Debian 6.1.190-1"]
    {
        image(version);
        root.machine(&["--family", "fs-ud"]).exits(1).says_all(&["kernel 6.1.0-56-amd64, kmod 30"]);
    }
}

/// What docs/your-machine.md shows.
#[test]
fn the_page_shows_what_is_said() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/your-machine.md");
    let page = std::fs::read_to_string(page).unwrap();
    let root = Root::new();
    let (_, lines) = page.split_once("hardening.conf` of a root has\n\n").unwrap();
    let config: String =
        lines.lines().map_while(|l| l.strip_prefix("    ")).map(|l| format!("{l}\n")).collect();
    assert_eq!(config.lines().count(), 4);
    root.write("etc/modprobe.d/hardening.conf", &config);
    let (_, said) = page.split_once("```\n").unwrap();
    let (said, _) = said.split_once("```").unwrap();
    let at = root.directory.path().display().to_string();
    let run = root.machine(&["--family", "fs-"]).exits(1);
    let words = run.words().replace(&at, "ROOT");
    for line in said.lines() {
        assert!(words.contains(line), "{line} is not in {words}");
    }
    let value: Value =
        serde_json::from_str(&root.machine(&["--all", "--json"]).exits(1).out).unwrap();
    let answers = answers(&value);
    for (name, expected) in [
        ("fs-udf", "nothing-loaded"),
        ("fs-ext4", "loads-what-is-blocked"),
        ("fs-vfat", "configured"),
        ("fs-btrfs", "nothing-loaded"),
        ("btrfs", "loads-what-is-blocked"),
    ] {
        assert!(page.contains(name) && answers[name].contains(expected), "{name}");
    }
}
