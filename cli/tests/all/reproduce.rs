//! `kmodcheck reproduce`, but for the kernel: what it asks the recorder for, what it makes of what a
//! real kernel once did (tests/fixtures of sim), what it refuses, and that nothing is left running. The
//! real thing is run by hand: tools/real-kernel/README.md.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{Run, run};
use serde_json::Value;
use tempfile::TempDir;

fn recorded(name: &str) -> String {
    let logs = "../sim/tests/fixtures/real-logs";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(logs).join(name);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}

/// What the module wrote down when the real kernel followed the plan of the race.
const HELD: &str = "lookup minix 2: let go in time\n\
                    finit minix 1: let go in time\n\
                    stat minix 3: let go in time\n\
                    initstate minix 1: let go in time\n";

/// A place with programs of the names that are needed, and a recorder that is a few lines of shell.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(recorder: &str) -> Self {
        let place = Self { directory: TempDir::new().unwrap() };
        for name in ["tools", "tmp"] {
            fs::create_dir(place.at(name)).unwrap();
        }
        let needed =
            ["qemu-system-x86_64", "gcc", "make", "cpio", "busybox", "modprobe", "dpkg-deb"];
        for name in needed.into_iter().chain(["bash"]) {
            // None of them is run but bash.
            if name == "bash" {
                std::os::unix::fs::symlink("/bin/bash", place.at("tools/bash")).unwrap();
            } else {
                place.program(&format!("tools/{name}"), "exit 1");
            }
        }
        place.program("record", recorder);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        fs::write(self.at(name), format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The command with `PATH`.
    fn command(&self, trace: &str, more: &[&str], path: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmodcheck"));
        command
            .args(["reproduce", trace, "--recorder", self.at("record").to_str().unwrap()])
            .args(more)
            .env("PATH", path)
            .env("TMPDIR", self.at("tmp"))
            .env("PLACE", self.directory.path());
        command
    }

    fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.at("tools").display())
    }

    fn run(&self, trace: &str, more: &[&str]) -> Run {
        let run = Run::of(self.command(trace, more, &self.path()).output().unwrap());
        self.is_clean();
        run
    }

    /// Nothing temporary is left.
    fn is_clean(&self) {
        let left: Vec<_> =
            fs::read_dir(self.at("tmp")).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }
}

/// The module indexes that matter to these logs.
const INDEXES: [(&str, &str); 4] = [
    (
        "dep",
        "kernel/fs/fat/fat.ko:\nkernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko\n\
         kernel/fs/minix/minix.ko:\nextra/kmodcheck_eexist.ko:\n",
    ),
    (
        "alias",
        "alias fs-vfat vfat\nalias fs-minix minix\nalias fs-kmodcheck_eexist kmodcheck_eexist\n",
    ),
    ("softdep", ""),
    ("builtin", ""),
];

/// A recorder that gives what was recorded once: a log, and what became of each hold.
fn replays(log: &str, held: &str) -> String {
    let index = |(name, text)| format!("printf %s '{text}' >$out/modules/modules.{name}\n");
    let indexes: String = INDEXES.map(index).concat();
    format!(
        "echo \"$@\" >$PLACE/asked\n\
         while [ $# -gt 0 ]; do case $1 in\n\
         --plan) cp $2 $PLACE/plan; shift ;;\n\
         --out) out=$2; shift ;;\n\
         esac; shift; done\n\
         touch $TMPDIR/something\n\
         mkdir -p $out/modules && cp {} $out/steered.log\n\
         {indexes}\
         printf %s '{held}' >$out/held.txt\n\
         echo 'kmod version 30' >$out/kmod-version.txt\n\
         echo recorded, on standard output",
        recorded(log)
    )
}

#[test]
fn what_the_real_kernel_did_is_told() {
    let place = Place::new(&replays("steered-race.log", HELD));
    let trace = recorded("steered-race.trace.json");
    let run = place.run(&trace, &[]).exits(0);
    run.says("hold 1, lookup minix 2 until finit minix 1: let go in time\n")
        .says("reproduced: kernel 6.1.0-56-amd64 violates get-fs-type-finds-it")
        .says("it took every hold");
    // The plan is that of `steer`, and nobody but this command judges the log.
    assert_eq!(place.said("plan"), crate::common::run(&["steer", &trace]).exits(0).out);
    let asked = place.said("asked");
    assert!(asked.starts_with("--kernel 6.1.0-56-amd64 --no-accept --plan "), "{asked}");

    let run = place.run(&trace, &["--json", "--series", "6.1"]).exits(0);
    let json: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&json["format"], &json["version"]), (&"kmodcheck-reproduce".into(), &1.into()));
    assert_eq!(json["outcome"], "reproduced");
    assert_eq!(json["holds"].as_array().unwrap().len(), 4);

    // Kept where it was asked for.
    let out = place.at("kept");
    place.run(&trace, &["--out", out.to_str().unwrap()]).exits(0);
    assert!(out.join("steered.log").is_file() && out.join("held.txt").is_file());

    // Without holds, with the kmod of today.
    let place = Place::new(&replays("steered-eexist.log", ""));
    place
        .run(&recorded("steered-eexist.trace.json"), &[])
        .exits(0)
        .says("reproduced: kernel 6.1.0-56-amd64 violates no-false-success");
}

#[test]
fn where_the_kernel_went_another_way_is_told() {
    let trace = recorded("steered-race.trace.json");
    // Two mounts of another file system at once, undisturbed: nothing is violated there.
    let vain = HELD.replace("finit minix 1: let go in time", "finit minix 1: nobody came");
    let place = Place::new(&replays("kernel-6.1-kmod-30-nosuchfs.log", &vain));
    place
        .run(&trace, &[])
        .exits(1)
        .says("did not violate get-fs-type-finds-it")
        .says("at hold 2 (finit minix 1 until stat minix 3) it went another way: nobody came");
    let vain = HELD.replace("minix 3: let go in time", "minix 3: held for its longest time");
    let place = Place::new(&replays("kernel-6.1-kmod-30-nosuchfs.log", &vain));
    let run = place.run(&trace, &["--json"]).exits(1);
    let json: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["outcome"], "not-violated");
    assert_eq!(json["holds"][2]["outcome"], "held for its longest time");

    // What modprobe did there the stand-in for v19 cannot do.
    let place = Place::new(&replays("kernel-6.1-kmod-30-parmount4-vfat.log", HELD));
    let run = place.run(&trace, &[]);
    assert_ne!(run.status, Some(0), "{}", run.out);
    assert!(!run.out.contains("\nreproduced"), "{}", run.out);

    // Cut by the limit: nothing is said.
    let place = Place::new(&replays("steered-race.log", HELD));
    place.run(&trace, &["--states-limit", "3"]).exits(3).says("undecided");
}

#[test]
fn what_cannot_be_tried_is_refused_by_name() {
    let race = recorded("steered-race.trace.json");
    let place = Place::new("touch $PLACE/ran");
    let refused = |trace: &str, more: &[&str], parts: &[&str]| {
        place.run(trace, more).refuses(parts);
        assert!(!place.at("ran").exists(), "it was run");
    };
    // Nobody can be started who does this, and no log shows that.
    let module = place.at("module.json");
    crate::common::check(&["--module", "loop", "--save-trace", module.to_str().unwrap()]);
    let parts =
        ["module.json: cannot start what the actor of 'loop' does", "expected get_fs_type()"];
    refused(module.to_str().unwrap(), &[], &parts);
    // That somebody never runs again is no step.
    let hang = place.at("hang.json");
    let scenario =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../properties/scenarios/only-a-kill-ends-it.toml");
    run(&["check", scenario, "--save-trace", hang.to_str().unwrap()]).exits(0);
    let parts = ["hang.json", "'nobody-sleeps-for-ever'", "expected one of a property"];
    refused(hang.to_str().unwrap(), &[], &parts);

    // Each tool, and several at once.
    for missing in [&["qemu-system-x86_64"][..], &["cpio"], &["gcc", "busybox"]] {
        for name in missing {
            fs::rename(place.at(&format!("tools/{name}")), place.at(name)).unwrap();
        }
        let tools = place.at("tools");
        let output = place.command(&race, &[], tools.to_str().unwrap()).output().unwrap();
        let named = format!("found no {} in PATH", missing.join(", "));
        Run::of(output).refuses(&[&named, "apt-get install"]);
        assert!(!place.at("ran").exists(), "it was run");
        for name in missing {
            fs::rename(place.at(name), place.at(&format!("tools/{name}"))).unwrap();
        }
    }
    fs::remove_file(place.at("record")).unwrap();
    refused(&race, &[], &["record: there is no such file", "--recorder FILE"]);
}

#[test]
fn what_the_recorder_gives_is_looked_at() {
    let trace = recorded("steered-race.trace.json");
    for (recorder, parts) in [
        (
            "echo 'record: no disk' >&2; exit 7".to_owned(),
            ["record: no disk", "ended with 7, expected 0"],
        ),
        ("exit 0".to_owned(), ["held.txt", "No such file"]),
        (
            replays("steered-race.log", "lookup minix 2: let go in time\n"),
            ["held.txt", "found 1 holds, expected 4"],
        ),
        (
            replays("steered-race.log", &HELD.replace("finit", "stat")),
            ["held.txt:2", "expected 'finit minix 1: '"],
        ),
        (
            replays("steered-race.log", &HELD.replace("in time", "")),
            ["held.txt:1", "found 'lookup minix 2: let go '"],
        ),
        (replays("steered-race.log", &format!("{HELD}more\n")), ["held.txt:5", "found 'more'"]),
        (replays("steered-race.plan", HELD), ["steered.log:1", "expected a line of tracefs"]),
    ] {
        Place::new(&recorder).run(&trace, &[]).refuses(&parts);
    }
}

/// Asks until it is so; a test that hangs is of no use.
fn comes_to_pass(what: &str, mut asked: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if asked() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not come: {what}");
}

fn is_there(process: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// A recorder whose emulator never ends: both say who they are.
const ENDLESS: &str = "sleep 100000 &\n\
                       touch $TMPDIR/disk\n\
                       echo $$ $! >$PLACE/ids.new; mv $PLACE/ids.new $PLACE/ids\n\
                       wait";

impl Place {
    /// Begins, and waits until the emulator runs.
    fn begun(&self, more: &[&str]) -> Child {
        let mut command = self.command(&recorded("steered-race.trace.json"), more, &self.path());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        comes_to_pass("the emulator", || self.at("ids").exists());
        child
    }

    /// Neither recorder nor emulator is there any more, nor what they have left on the disk.
    fn is_over(&self) {
        for process in self.said("ids").split_whitespace() {
            comes_to_pass("the end of recorder and emulator", || !is_there(process));
        }
        comes_to_pass("an empty disk", || fs::read_dir(self.at("tmp")).unwrap().next().is_none());
    }
}

fn signal(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

#[test]
fn nothing_is_left_running() {
    // Too long.
    let place = Place::new(ENDLESS);
    let child = place.begun(&["--time-limit", "1"]);
    let run = Run::of(child.wait_with_output().unwrap()).exits(3);
    assert!(run.err.contains("no log within 1 s"), "{}", run.err);
    assert_eq!(run.out, "");
    place.is_over();

    // Ctrl-C, once, and twice for who does not want to wait.
    for times in [1, 2] {
        let place = Place::new(ENDLESS);
        let child = place.begun(&[]);
        for _ in 0..times {
            signal(&child, "-INT");
        }
        Run::of(child.wait_with_output().unwrap()).exits(3);
        place.is_over();
    }

    // Killed itself.
    let place = Place::new(ENDLESS);
    let mut child = place.begun(&[]);
    signal(&child, "-KILL");
    child.wait().unwrap();
    place.is_over();

    // A recorder that does not want to end.
    let place = Place::new(&format!("trap '' TERM\n{ENDLESS}"));
    let child = place.begun(&["--time-limit", "1"]);
    Run::of(child.wait_with_output().unwrap()).exits(3);
    place.is_over();
}

/// The recorder finds the model's kernel in what the command says of itself: Debian's own, or else the newest that
/// is not newer.
#[test]
fn the_recorder_finds_the_model_s_kernel() {
    let recorder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/real-kernel/record");
    let text = std::fs::read_to_string(recorder).unwrap();
    let begin = text.find("preset_of() {").unwrap();
    let end = begin + text[begin..].find("\n}\n").unwrap() + 3;
    for (version, preset) in [
        ("6.1.0-56-amd64", "6.1-debian"),
        ("6.12.117+deb12-amd64", "6.12-debian"),
        ("6.11.2-amd64", "v6.11"),
        ("4.19.0-27-amd64", "v4.13"),
    ] {
        let script = format!(
            "fail() {{ echo \"$*\" >&2; exit 1; }}\nkmodcheck() {{ {} \"$@\"; }}\n{}\npreset_of {version}",
            env!("CARGO_BIN_EXE_kmodcheck"),
            &text[begin..end]
        );
        let run = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
        let run = crate::common::Run::of(run).exits(0);
        assert_eq!(run.out.trim(), preset, "{version}: {}", run.err);
    }
}
