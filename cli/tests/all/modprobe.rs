//! Programs as they are: `modprobe`, and `--modprobe` of the commands that take a system. They need Debian's kmod and
//! busybox, and fail without.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Run, fixture, run};
use crate::sample::{long_sample, long_some_of};
use kmodcheck_model::builtin::Environment;

const KMOD: &str = "/usr/sbin/modprobe";
const BUSYBOX: &str = "/usr/bin/busybox modprobe";

/// What is learned here is kept here.
static KEPT: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());

/// A command with what it keeps in a directory of its own.
fn kept_in(directory: &Path, words: &[&str]) -> Run {
    let mut program = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
    Run::of(program.args(words).env("XDG_CACHE_HOME", directory).output().unwrap())
}

fn with(words: &[&str]) -> Run {
    kept_in(KEPT.path(), words)
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// `tools/real-kernel/guest/old-rule.c`, a program with the rule of kmod v19, for vfat of the fixture.
static OLD_RULE: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("old-rule");
    let files =
        ["fat", "vfat"].map(|name| format!("/lib/modules/debian-6.1/kernel/fs/fat/{name}.ko"));
    let status = Command::new("gcc")
        .args(["-O1", "-static", "-o"])
        .arg(&path)
        .arg(format!("-DDEPENDS=\"{}\\n\"", files.join("\\n")))
        .arg(root.join("tools/real-kernel/guest/old-rule.c"))
        .status()
        .expect("gcc is needed");
    assert!(status.success());
    path
});

fn old_rule() -> String {
    OLD_RULE.display().to_string()
}

fn check(more: &[&str]) -> Run {
    let fixture = fixture().display().to_string();
    let of = ["check", "--modules", &fixture, "--fs", "vfat", "--kernel", "v4.9"];
    with(&[&of, more].concat())
}

/// What counts of a report: verdicts, states, steps.
fn counted(run: &Run) -> Value {
    let mut report = json(run)["report"].take();
    // A process has more bits, no more states.
    report.as_object_mut().unwrap().remove("words_per_state");
    report
}

#[test]
fn kmod_does_what_the_modelled_one_does() {
    for more in [&[][..], &["--init-may-fail"], &["--callers", "3"]] {
        let program = check(&[&["--json", "--modprobe", KMOD], more].concat());
        let modelled = check(&[&["--json", "--kmod", "v30"], more].concat());
        assert_eq!(program.status, modelled.status, "{program:?}");
        assert_eq!(counted(&program), counted(&modelled), "{more:?}");
    }
    check(&["--modprobe", KMOD]).exits(0).says("modprobe is the program /usr/sbin/modprobe");
}

/// Every environment of the matrix, but for the one in which a command runs: state by state as with the modelled one.
#[test]
fn every_environment_of_the_matrix() {
    let environments = Environment::ALL.into_iter().filter(|e| *e != Environment::Install);
    for environment in long_some_of(3, 6, environments) {
        for naming in ["plain", "fs-module", "fs-other"] {
            for (kmod, program) in [("v30", KMOD), ("busybox", BUSYBOX)] {
                let cell = ["--env", environment.name(), "--naming", naming, "--kernel", "v6.2"];
                let of = |more: &[&str]| {
                    with(&[&["check", "--json", "--kmod", kmod], &cell[..], more].concat())
                };
                let (modelled, program) = (of(&[]), of(&["--modprobe", program]));
                assert_eq!(modelled.status, program.status, "{cell:?} {kmod}: {program:?}");
                assert_eq!(counted(&modelled), counted(&program), "{cell:?} {kmod}");
            }
        }
    }
}

#[test]
fn the_old_rule_shows_the_race() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (program, modelled) = (at("program.json"), at("modelled.json"));
    check(&["--modprobe", &old_rule(), "--save-trace", &program]).exits(1);
    check(&["--kmod", "v19", "--save-trace", &modelled]).exits(1);
    let read = |path: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let (saved, expected) = (read(&program), read(&modelled));
    assert_eq!(saved["steps"], expected["steps"]);
    assert_eq!(saved["steps"].as_array().unwrap().len(), 30);
    // The automaton is in the trace: nothing else is needed.
    let none = TempDir::new().unwrap();
    kept_in(none.path(), &["replay", &program]).exits(0).says("the violation is there");
    // Another modprobe does not take these steps.
    kept_in(none.path(), &["check", &program, "--kmod", "v20"]).exits(0);
}

#[test]
fn an_automaton_that_is_none_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("trace.json");
    let text = path.display().to_string();
    check(&["--modprobe", &old_rule(), "--save-trace", &text]).exits(1);
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let nodes = "/scenario/patched/binaries/0/nodes";
    let refused = |change: &dyn Fn(&mut Value), says: &str| {
        let mut other = saved.clone();
        change(other.pointer_mut(nodes).unwrap());
        std::fs::write(&path, other.to_string()).unwrap();
        run(&["replay", &text]).refuses(&[says]);
    };
    refused(&|nodes| nodes[0]["next"] = serde_json::json!([1]), "1 answers to Open(");
    refused(&|nodes| nodes[0]["next"] = serde_json::json!([200, 1]), "goes on at node 200");
    refused(&|nodes| nodes[0]["ask"] = serde_json::json!({"open": 9}), "module number 9");
    refused(&|nodes| *nodes = serde_json::json!([]), "0 nodes, expected 1 to 255");
    refused(
        &|nodes| nodes[0] = serde_json::json!({"ask": {"read": 0}, "next": [0, 0, 0, 0]}),
        "between opening an initstate and reading it",
    );
}

fn compare(words: &[&str]) -> Run {
    let fixture = fixture().display().to_string();
    with(&[&["modprobe", "compare", "--modules", &fixture], words].concat())
}

#[test]
fn programs_and_modelled_releases_are_compared() {
    compare(&["v30", KMOD, "--fs", "vfat"]).exits(0).says("(19 pairs of states)");
    // It is not v19, and says so itself: it does not read to the end, and asks the index of built-in code nothing.
    let parts = compare(&["v19", &old_rule(), "--fs", "vfat"]).exits(1);
    parts.says("then the modelled v19: read /sys/module/vfat/initstate to its end");
    compare(&["busybox", BUSYBOX, "--fs", "vfat"]).exits(0).says("equal for fs-vfat");
    let parts = compare(&[&old_rule(), KMOD, "--fs", "vfat"]).exits(1);
    let parts =
        parts.says("open /sys/module/vfat/initstate: ENOENT\n  stat /sys/module/vfat: yes\n");
    parts.says(": exit 0\n").says("open /sys/module/fat/initstate\n");
    let parts = compare(&["v19", "v20", "--fs", "vfat", "--json"]).exits(1);
    let parts = json(&parts);
    assert_eq!(
        (&parts["format"], &parts["version"]),
        (&"kmodcheck-modprobe-compared".into(), &1.into())
    );
    assert_eq!(parts["history"][1]["asks"], "stat /sys/module/vfat");
    assert_eq!(parts["then"][0], "exit 0");
    compare(&["busybox", BUSYBOX, "--fs", "btrfs"])
        .refuses(&["reads /proc/modules, of 8 modules here, expected at most 6"]);
    let equal = json(&compare(&[KMOD, KMOD, "--module", "vfat", "--json"]).exits(0));
    assert_eq!((&equal["equal"], &equal["pairs"]), (&true.into(), &19.into()));
}

/// For every file system of the fixture; of those whose closure is large, only where everything is gone through.
#[test]
fn every_file_system_of_the_fixture() {
    let small = [
        "9p",
        "fuse",
        "fuseblk",
        "fusectl",
        "iso9660",
        "overlay",
        "rpc_pipefs",
        "udf",
        "vfat",
        "xfs",
    ];
    let large = ["ext2", "ext3", "ext4", "nfs", "nfs4", "btrfs"];
    let aliases = std::fs::read_to_string(fixture().join("modules.alias")).unwrap();
    let all = aliases.lines().filter_map(|line| line.strip_prefix("alias fs-"));
    let all: BTreeSet<&str> = all.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(small.iter().chain(&large).copied().collect::<BTreeSet<_>>(), all);
    for fs in long_some_of(2, 3, small).into_iter().chain(long_some_of(0, 0, large)) {
        compare(&["v30", KMOD, "--fs", fs]).exits(0).says("equal for");
        // Of eight modules the list has more answers than the model.
        if fs != "btrfs" {
            compare(&["busybox", BUSYBOX, "--fs", fs]).exits(0).says("equal for");
        }
    }
}

/// Indexes drawn at random: modules that need each other, names with dashes, aliases with wildcards, softdeps; and for half of
/// them a configuration, and modules that are built in, too. The name that is asked for, and whether it is of the other half.
fn drawn(seed: u64, directory: &Path) -> (String, bool) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    // Marsaglia's xorshift, of 64 bits.
    let mut below = |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % most
    };
    let count = 1 + below(4) as usize;
    let names: Vec<String> =
        (0..count).map(|i| format!("m{i}{}", ["", "-x", "_y"][below(3) as usize])).collect();
    let normal = |i: usize| names[i].replace('-', "_");
    let mut needs: Vec<Vec<usize>> = Vec::new();
    for i in 0..count {
        let mut mine: Vec<usize> = Vec::new();
        for j in (0..i).filter(|_| below(5) < 2) {
            for k in std::iter::once(j).chain(needs[j].iter().copied()) {
                mine.retain(|known| *known != k);
                mine.push(k);
            }
        }
        needs.push(mine);
    }
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, below(i as u64 + 1) as usize);
    }
    let [mut dep, mut alias, mut softdep] = [String::new(), String::new(), String::new()];
    for i in order {
        let needed: String = needs[i].iter().map(|j| format!(" kernel/{}.ko", names[*j])).collect();
        dep += &format!("kernel/{}.ko:{needed}\n", names[i]);
        if below(5) < 3 {
            let patterns = ["fs-a", "fs-b", "fs-*", "pci:[a-c]*", "x?y", "of:q.r*", "x[!-]y"];
            let pattern = patterns[below(patterns.len() as u64) as usize];
            alias += &format!("alias {pattern} {}\n", normal(i));
        }
        if below(5) < 2 {
            let mut some = |most| -> String {
                (0..below(most))
                    .map(|_| format!(" {}", names[below(count as u64) as usize]))
                    .collect()
            };
            let (pre, post) = (some(3), some(2));
            softdep += &format!("softdep {} pre:{pre} post:{post}\n", normal(i));
        }
    }
    let files = [
        ("dep", dep),
        ("alias", alias),
        ("softdep", softdep),
        ("builtin", "kernel/bi.ko\n".to_owned()),
    ];
    for (name, text) in files {
        std::fs::write(directory.join(format!("modules.{name}")), text).unwrap();
    }
    // Half have a configuration, and modules with a file that are built in, too.
    let plain = below(2) == 0;
    let mut config = String::new();
    if !plain {
        let path = directory.join("modules.builtin");
        let some = names.iter().filter(|_| below(4) == 0).map(|name| format!("kernel/{name}.ko\n"));
        let listed: String = some.collect();
        std::fs::write(path, format!("kernel/bi.ko\n{listed}")).unwrap();
        for _ in 0..below(4) {
            let mut one = || names[below(count as u64) as usize].clone();
            let (first, second, third) = (one(), one(), one());
            config += &match below(4) {
                0 => format!("alias {} {first}\n", ["fs-a", "fs-*", "xzy"][below(3) as usize]),
                1 => format!("blacklist {first}\n"),
                2 => format!("softdep {first} pre: {second} post: {third}\n"),
                _ => format!("softdep {}* post: {second}\n", &first[..1]),
            };
        }
    }
    std::fs::create_dir(directory.join("modprobe.d")).unwrap();
    std::fs::write(directory.join("modprobe.d/a.conf"), config).unwrap();
    let asked =
        ["fs-a", "fs-b", "pci:bzz", "pci:-", "xzy", "x-y", "of:q.r", "of:q.s", "fs-a.b", "bi"];
    let name = match below(2) {
        0 => names[below(count as u64) as usize].clone(),
        _ => asked[below(asked.len() as u64) as usize].to_owned(),
    };
    (name, plain)
}

#[test]
fn indexes_that_are_drawn() {
    let mut equal = 0;
    let drawn_ones = long_sample(6, 10, 200);
    for seed in drawn_ones.seeds() {
        let directory = TempDir::new().unwrap();
        let (name, plain) = drawn(seed, directory.path());
        let indexes = directory.path().display().to_string();
        let config = directory.path().join("modprobe.d").display().to_string();
        let compared = |first: &str, second: &str| {
            let words = ["modprobe", "compare", first, second, "--modules", &indexes];
            let config = ["--config", &config];
            let config = if plain { &[][..] } else { &config };
            with(&[&words[..], &["--module", &name], config].concat())
        };
        // A name that the modelled one finds nothing for, the program does not find, either.
        let same = |modelled: &str, program: &str| {
            let found = compared(modelled, program);
            let unknown = found.status == Some(2) && found.err.contains("found no module, alias");
            if unknown {
                let learn =
                    ["modprobe", "learn", program, "--modules", &indexes, "--module", &name];
                let out = with(&learn).exits(0).out;
                assert!(out.contains("exit 1") && !out.contains("exit 0"), "{name}: {out}");
            } else {
                found.exits(0);
            }
            !unknown
        };
        equal += u64::from(same("v30", KMOD));
        // It reads a configuration in its own way.
        if plain {
            same("busybox", BUSYBOX);
        }
    }
    // Of a third of the names no index says anything.
    assert!(3 * equal > drawn_ones.seeds().end, "{equal}");
}

#[test]
fn what_was_learned_is_kept_until_something_changes() {
    let (kept, directory) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for name in ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"] {
        std::fs::copy(fixture().join(name), directory.path().join(name)).unwrap();
    }
    let indexes = directory.path().display().to_string();
    let learn = || {
        let words = ["modprobe", "learn", KMOD, "--modules", &indexes, "--module", "fat"];
        kept_in(kept.path(), &words).exits(0)
    };
    assert!(!learn().out.contains("kept from an earlier run"));
    assert!(learn().out.contains("kept from an earlier run"));
    let softdep = directory.path().join("modules.softdep");
    std::fs::write(&softdep, "softdep fat pre: nls_cp437\n").unwrap();
    let changed = learn();
    assert!(!changed.out.contains("kept from an earlier run"));
    changed.says("finit_module(nls_cp437)");
    // What is not whole is learned anew.
    for entry in std::fs::read_dir(kept.path().join("kmodcheck")).unwrap() {
        std::fs::write(entry.unwrap().path(), "{").unwrap();
    }
    assert!(!learn().out.contains("kept from an earlier run"));
}

#[test]
fn what_cannot_be_is_said() {
    let fixture = fixture().display().to_string();
    let learn = |words: &[&str]| {
        let of = ["modprobe", "learn", "--modules", &fixture, "--fs", "vfat"];
        with(&[&of, words].concat())
    };
    learn(&["/no/such/program"]).refuses(&["/no/such/program", "expected a program"]);
    learn(&[&fixture]).refuses(&["found no file, expected a program"]);
    learn(&["/etc/passwd"]).refuses(&["expected a program of x86-64"]);
    learn(&["/bin/sh -c /bin/ls;/bin/ls"]).refuses(&["which is refused", "(another process)"]);
    learn(&[KMOD, KMOD]).refuses(&["found two programs to learn, expected one"]);
    compare(&[KMOD, "--fs", "vfat"]).refuses(&["found one program to compare"]);
    compare(&[KMOD, "v0", "--fs", "vfat"]).refuses(&["found 'v0', expected a program"]);
    check(&["--root", "/"]).refuses(&["--modprobe"]);
    // Whoever does nothing at all is a modprobe, too: one that lies.
    check(&["--modprobe", "/bin/true"])
        .exits(1)
        .says("CPU0's modprobe left vfat alone, and exited 0");
    check(&["--modprobe", "/bin/sh -c /bin/ls;/bin/ls"]).refuses(&["(another process)"]);
    let none = TempDir::new().unwrap();
    for limit in [["--time-limit", "0"], ["--states-limit", "3"]] {
        let words = ["modprobe", "learn", KMOD, "--modules", &fixture, "--fs", "vfat"];
        let cut = kept_in(none.path(), &[&words[..], &limit].concat());
        assert_eq!(cut.status, Some(3), "{cut:?}");
        assert!(cut.err.contains("out of budget"), "{cut:?}");
    }
}

/// Systems that no indexes describe get some that do; commands other than `check` take a program, too.
#[test]
fn every_system_takes_a_program() {
    let race = |modprobe: &str| with(&["check", "race", "--modprobe", modprobe]);
    race(KMOD).exits(0).says("with modprobe /usr/sbin/modprobe");
    race(BUSYBOX).exits(1).says("found ext4 in /proc/modules, COMING there");
    let fixture = fixture().display().to_string();
    let vfat = ["--modules", &fixture, "--fs", "vfat", "--kernel", "v4.9"];
    let of = |command: &str, more: &[&str]| with(&[&[command], &vfat[..], more].concat());
    of("compare", &["--kmod", "v30", "--modprobe", KMOD]).exits(0);
    of("compare", &["--kmod", "v30", "--modprobe", &old_rule()]).exits(1);
    of("compare", &["--kmod", "v19", "--modprobe", &old_rule()]).exits(0);
    of("prove", &["--modprobe", KMOD]).exits(0);
    of("progress", &["--modprobe", KMOD]).exits(0);
}
